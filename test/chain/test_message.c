#include "fixture.h"

#include <stdlib.h>

#include "base/check.h"
#include "chain/message.h"
#include "chain/tx.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

#define COUNT 4 /* Q = 3 */

struct world {
	struct validator_set set;
	struct secret_key keys[VALIDATOR_COUNT_MAX];
	struct ecc *ecc;
};

static void setup(struct world *w)
{
	w->ecc = test_ecc();
	make_set(&w->set, w->keys, COUNT, NULL);
}

static void sign(const struct world *w, struct message *m)
{
	cr_assert_eq(message_sign(m, CHAIN_ID, &w->set.hash, w->ecc,
				  &w->keys[message_validator(m)], NULL), OK);
}

static int verify(const struct world *w, const struct message *m, struct err *err)
{
	return message_verify(m, CHAIN_ID, &w->set, w->ecc, err);
}

static struct message make_vote(const struct world *w, enum message_kind kind, uint64_t view,
				size_t validator)
{
	struct message m = { .kind = kind, .vote = {
		.kind = kind,
		.height = 12,
		.view = view,
		.validator = validator,
		.block_hash = hash_of(1),
	} };

	sign(w, &m);
	return m;
}

/* Three prepares of `view` on hash_of(block). */
static struct certificate *make_prepares(const struct world *w, uint64_t view, uint64_t block)
{
	struct certificate *c = xmalloc(sizeof(*c));
	struct hash hash = hash_of(block);

	certificate_init(c, 12, view, &hash);
	for (size_t i = 0; i < 3; i++) {
		struct message m = make_vote(w, MESSAGE_PREPARE, view, i);

		m.vote.block_hash = hash;
		sign(w, &m);
		certificate_add(c, i, &m.vote.signature);
	}
	return c;
}

/* To view 3; with a claim of view `prepared_view` unless that is negative. */
static struct message make_view_change(const struct world *w, size_t validator, int prepared_view)
{
	struct message m = { .kind = MESSAGE_VIEW_CHANGE, .view_change = {
		.height = 12,
		.view = 3,
		.validator = validator,
	} };

	if (prepared_view >= 0) {
		m.view_change.has_prepared = true;
		m.view_change.prepared_view = (uint64_t)prepared_view;
		m.view_change.prepared_hash = hash_of((uint64_t)prepared_view);
		m.view_change.prepares = make_prepares(w, (uint64_t)prepared_view,
						       (uint64_t)prepared_view);
		buf_append(&m.view_change.block, "block", 5);
	}
	sign(w, &m);
	return m;
}

static struct message make_pre_prepare(const struct world *w, uint64_t view, uint64_t block)
{
	struct message m = { .kind = MESSAGE_PRE_PREPARE, .pre_prepare = {
		.height = 12,
		.view = view,
		.validator = 1,
		.block_hash = hash_of(block),
	} };

	buf_append(&m.pre_prepare.block, "sealed", 6);
	sign(w, &m);
	return m;
}

static void embed(struct message *m, const struct message *v)
{
	struct pre_prepare *p = &m->pre_prepare;

	p->view_changes = xrealloc(p->view_changes,
				   (p->view_change_count + 1) * sizeof(*p->view_changes));
	p->view_changes[p->view_change_count] = v->view_change;
	p->view_changes[p->view_change_count].prepares = NULL;
	p->view_changes[p->view_change_count++].block = (struct buf){ 0 };
}

/* View 3: view-changes of 0, 2 and 3, of which 0 claims view 1 and 3 view 2. */
static struct message make_new_view(const struct world *w)
{
	static const struct {
		size_t validator;
		int prepared;
	} parts[] = { { 0, 1 }, { 2, -1 }, { 3, 2 } };
	struct message m = make_pre_prepare(w, 3, 2);

	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		struct message v = make_view_change(w, parts[i].validator, parts[i].prepared);

		embed(&m, &v);
		message_clear(&v);
	}
	m.pre_prepare.prepares = make_prepares(w, 2, 2);
	return m;
}

enum { SAMPLE_COUNT = 6 };

static struct message make_sample(const struct world *w, int which)
{
	switch (which) {
	case 0:
		return make_vote(w, MESSAGE_PREPARE, 0, 3);
	case 1:
		return make_vote(w, MESSAGE_COMMIT, 5, 0);
	case 2:
		return make_view_change(w, 2, -1);
	case 3:
		return make_view_change(w, 1, 2);
	case 4:
		return make_pre_prepare(w, 0, 1);
	}
	return make_new_view(w);
}

Test(message, every_kind_comes_back_and_verifies)
{
	struct world w;

	setup(&w);
	for (int which = 0; which < SAMPLE_COUNT; which++) {
		struct message m = make_sample(&w, which), back;
		struct buf first = { 0 }, second = { 0 };
		struct err err = { 0 };

		cr_assert_eq(verify(&w, &m, &err), OK, "%d: %s", which, err.message);
		message_encode(&first, &m);
		cr_assert_eq(message_decode(&back, buf_bytes(&first), &err), OK, "%d: %s", which,
			     err.message);
		cr_assert_eq(back.kind, m.kind);
		cr_assert_eq(message_height(&back), 12);
		cr_assert_eq(message_view(&back), message_view(&m));
		cr_assert_eq(message_validator(&back), message_validator(&m));
		cr_assert_eq(verify(&w, &back, &err), OK, "%d: %s", which, err.message);
		message_encode(&second, &back);
		assert_bytes(buf_bytes(&second), buf_bytes(&first));
		buf_clear(&first);
		buf_clear(&second);
		message_clear(&m);
		message_clear(&back);
	}
	ecc_free(w.ecc);
}

/* What is not signed itself is the block, which the signed hash binds: its bytes
 * may change here and are checked against the hash where they are decoded. */
static bool same_but_block(const struct message *a, const struct message *b)
{
	struct message left = *a, right = *b;
	struct buf x = { 0 }, y = { 0 };
	bool same;

	if (a->kind != b->kind)
		return false;
	if (a->kind == MESSAGE_PRE_PREPARE)
		right.pre_prepare.block = left.pre_prepare.block;
	else if (a->kind == MESSAGE_VIEW_CHANGE)
		right.view_change.block = left.view_change.block;
	message_encode(&x, &left);
	message_encode(&y, &right);
	same = bytes_equal(buf_bytes(&x), buf_bytes(&y));
	buf_clear(&x);
	buf_clear(&y);
	return same;
}

Test(message, any_changed_bit_is_found, .timeout = 120)
{
	struct world w;

	setup(&w);
	for (int which = 0; which < SAMPLE_COUNT; which++) {
		struct message m = make_sample(&w, which);
		struct buf rlp = { 0 };

		message_encode(&rlp, &m);
		for (size_t i = 0; i < rlp.size * 8; i++) {
			struct message back;

			rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
			if (message_decode(&back, buf_bytes(&rlp), NULL) == OK) {
				cr_assert(verify(&w, &back, NULL) != OK || same_but_block(&back, &m),
					  "sample %d, bit %zu", which, i);
				message_clear(&back);
			}
			rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
		}
		for (size_t size = 0; size < rlp.size; size++) {
			struct message back;

			cr_assert_neq(message_decode(&back, bytes_of(rlp.data, size), NULL), OK);
		}
		buf_clear(&rlp);
		message_clear(&m);
	}
	ecc_free(w.ecc);
}

/* Written out once more, for the one list that implementations must share. */
Test(message, digest_is_the_design_s_list)
{
	static const struct {
		int sample;
		const char *domain;
	} cases[] = { { 0, "weft/prepare" }, { 1, "weft/commit" }, { 4, "weft/pre-prepare" },
		      { 3, "weft/view-change" }, { 2, "weft/view-change" } };
	struct world w;

	setup(&w);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct message m = make_sample(&w, cases[i].sample);
		const struct hash *about = message_block_hash(&m);
		struct buf b = { 0 };
		size_t list = rlp_list_open(&b), claim;
		struct hash want, got;

		rlp_put_bytes(&b, bytes_of_str(cases[i].domain));
		rlp_put_u64(&b, CHAIN_ID);
		rlp_put_hash(&b, &w.set.hash);
		rlp_put_u64(&b, 12);
		rlp_put_u64(&b, message_view(&m));
		if (m.kind == MESSAGE_VIEW_CHANGE) {
			claim = rlp_list_open(&b);
			if (about) {
				rlp_put_u64(&b, 2);
				rlp_put_hash(&b, about);
			}
			rlp_list_close(&b, claim);
		} else {
			rlp_put_hash(&b, about);
		}
		rlp_list_close(&b, list);
		keccak256(&want, buf_bytes(&b));
		message_digest(&m, CHAIN_ID, &w.set.hash, &got);
		cr_assert(hash_equal(&got, &want), "%s", cases[i].domain);
		buf_clear(&b);
		message_clear(&m);
	}
	ecc_free(w.ecc);
}

Test(message, verify_refuses_other_chains_sets_and_senders)
{
	struct message m;
	struct err err = { 0 };
	struct world w;

	setup(&w);
	m = make_vote(&w, MESSAGE_PREPARE, 0, 3);
	cr_assert_neq(message_verify(&m, CHAIN_ID + 1, &w.set, w.ecc, NULL), OK);
	w.set.hash.bytes[0] ^= 1;
	cr_assert_neq(verify(&w, &m, NULL), OK);
	w.set.hash.bytes[0] ^= 1;
	cr_assert_eq(verify(&w, &m, NULL), OK);
	m.vote.validator = 2;
	cr_assert_eq(verify(&w, &m, &err), CHAIN_E_MESSAGE);
	assert_message(&err, "signature 0 of 1");
	m.vote.validator = COUNT;
	cr_assert_eq(verify(&w, &m, &err), CHAIN_E_MESSAGE);
	assert_message(&err, "validator 4 of a set of 4");
	/* A prepare is no commit. */
	m = make_vote(&w, MESSAGE_PREPARE, 0, 3);
	m.kind = m.vote.kind = MESSAGE_COMMIT;
	cr_assert_neq(verify(&w, &m, NULL), OK);
	ecc_free(w.ecc);
}

Test(message, verify_refuses_the_other_signature_of_the_same_key)
{
	/* n - s with the other recovery id recovers to the same key. */
	static const uint8_t order[32] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c,
		0xd0, 0x36, 0x41, 0x41,
	};
	struct message m, back;
	struct buf rlp = { 0 };
	struct u256 n, s;
	struct world w;

	setup(&w);
	m = make_vote(&w, MESSAGE_COMMIT, 0, 1);
	n = u256_from_be(bytes_of(order, 32));
	s = u256_from_be(bytes_of(m.vote.signature.s, 32));
	u256_sub(&s, &n, &s);
	u256_to_be32(m.vote.signature.s, &s);
	m.vote.signature.recovery_id ^= 1;
	cr_assert_neq(verify(&w, &m, NULL), OK);
	message_encode(&rlp, &m);
	cr_assert_neq(message_decode(&back, buf_bytes(&rlp), NULL), OK);
	buf_clear(&rlp);
	ecc_free(w.ecc);
}

static void refuse_check(const struct world *w, const struct message *m, const char *text)
{
	struct err err = { 0 };

	cr_assert_eq(message_check(m, &w->set, &err), CHAIN_E_MESSAGE);
	assert_message(&err, text);
}

Test(message, check_recomputes_the_justification_of_a_new_view)
{
	struct message m, v;
	struct world w;

	setup(&w);
	m = make_new_view(&w);
	cr_assert_eq(message_check(&m, &w.set, NULL), OK);

	m.pre_prepare.view_change_count = 2;
	refuse_check(&w, &m, "no quorum of view-changes");
	m.pre_prepare.view_change_count = 3;

	m.pre_prepare.block_hash = hash_of(1);
	refuse_check(&w, &m, "not the one of the highest prepared view");
	m.pre_prepare.block_hash = hash_of(2);

	/* Two hashes for one view. */
	v = make_view_change(&w, 1, 2);
	v.view_change.prepared_hash = hash_of(77);
	embed(&m, &v);
	refuse_check(&w, &m, "two hashes claimed for view 2");
	m.pre_prepare.view_change_count--;

	m.pre_prepare.view_changes[2].validator = 4;
	refuse_check(&w, &m, "a view-change of validator 4 of a set of 4");
	m.pre_prepare.view_changes[2].validator = 3;

	m.pre_prepare.prepares->count = 2;
	m.pre_prepare.prepares->signers.bytes[0] = 3;
	refuse_check(&w, &m, "its signers weigh 2, a quorum is 3");
	message_clear(&m);
	message_clear(&v);
	ecc_free(w.ecc);
}

Test(message, check_refuses_a_claim_without_a_quorum)
{
	struct message m;
	struct world w;

	setup(&w);
	m = make_view_change(&w, 1, 2);
	cr_assert_eq(message_check(&m, &w.set, NULL), OK);
	m.view_change.prepares->count = 2;
	m.view_change.prepares->signers.bytes[0] = 5;
	refuse_check(&w, &m, "a quorum is 3");
	message_clear(&m);
	ecc_free(w.ecc);
}

Test(message, verify_looks_at_signatures_inside)
{
	struct err err = { 0 };
	struct message m;
	struct world w;

	setup(&w);
	m = make_new_view(&w);
	cr_assert_eq(verify(&w, &m, NULL), OK);
	m.pre_prepare.view_changes[1].signature.r[5] ^= 1;
	cr_assert_eq(verify(&w, &m, &err), CHAIN_E_MESSAGE);
	assert_message(&err, "signature 2 of 7");
	m.pre_prepare.view_changes[1].signature.r[5] ^= 1;
	m.pre_prepare.prepares->signatures[2].r[5] ^= 1;
	cr_assert_eq(verify(&w, &m, &err), CHAIN_E_MESSAGE);
	assert_message(&err, "signature 6 of 7");
	message_clear(&m);
	m = make_view_change(&w, 0, 1);
	m.view_change.prepares->signatures[0].r[5] ^= 1;
	cr_assert_eq(verify(&w, &m, &err), CHAIN_E_MESSAGE);
	message_clear(&m);
	ecc_free(w.ecc);
}

/* --- shapes that no encoder here writes --- */

static void refuse_decode(const struct message *m, const char *text)
{
	struct buf rlp = { 0 };
	struct err err = { 0 };
	struct message back;

	message_encode(&rlp, m);
	cr_assert_eq(message_decode(&back, buf_bytes(&rlp), &err), CHAIN_E_MESSAGE);
	assert_message(&err, text);
	buf_clear(&rlp);
}

Test(message, decode_refuses_shapes_that_mean_nothing)
{
	struct message m, v;
	struct world w;

	setup(&w);
	m = make_vote(&w, MESSAGE_PREPARE, 0, 3);
	m.vote.validator = VALIDATOR_COUNT_MAX;
	refuse_decode(&m, "validator is 256");
	m.vote.validator = 3;
	m.vote.signature.recovery_id = 2;
	refuse_decode(&m, "recovery id or s out of range");

	m = make_view_change(&w, 1, -1);
	m.view_change.view = 0;
	refuse_decode(&m, "view-change to view 0");
	m.view_change.view = 3;
	buf_append_byte(&m.view_change.block, 1);
	refuse_decode(&m, "if and only if it claims");
	message_clear(&m);

	m = make_view_change(&w, 1, 2);
	m.view_change.view = 2;
	refuse_decode(&m, "a view-change to view 2 claims view 2");
	m.view_change.view = 3;
	buf_reset(&m.view_change.block);
	refuse_decode(&m, "if and only if it claims");
	buf_append(&m.view_change.block, "block", 5);
	free(m.view_change.prepares);
	m.view_change.prepares = NULL;
	refuse_decode(&m, "if and only if it claims");
	message_clear(&m);
	m = make_view_change(&w, 1, -1);
	m.view_change.prepares = make_prepares(&w, 2, 2);
	refuse_decode(&m, "if and only if it claims");
	message_clear(&m);

	m = make_pre_prepare(&w, 0, 1);
	m.pre_prepare.view = 1;
	refuse_decode(&m, "view 1 with 0 view-changes");
	m.pre_prepare.view = 0;
	m.pre_prepare.prepares = make_prepares(&w, 2, 2);
	refuse_decode(&m, "if and only if one was claimed");
	buf_reset(&m.pre_prepare.block);
	refuse_decode(&m, "without a block");
	message_clear(&m);

	m = make_new_view(&w);
	v = make_view_change(&w, 3, -1);
	embed(&m, &v);
	refuse_decode(&m, "order of their validators");
	m.pre_prepare.view_change_count--;
	m.pre_prepare.view = 0;
	refuse_decode(&m, "view 0 with 3 view-changes");
	message_clear(&m);
	ecc_free(w.ecc);
}

Test(message, decode_is_bounded)
{
	struct buf rlp = { 0 };
	struct err err = { 0 };
	struct message back, m;
	struct world w;

	buf_extend(&rlp, MESSAGE_SIZE_MAX + 1);
	memset(rlp.data, 0, rlp.size);
	cr_assert_eq(message_decode(&back, buf_bytes(&rlp), &err), CHAIN_E_MESSAGE);
	assert_message(&err, "are allowed");
	buf_reset(&rlp);

	/* The largest block fits, one byte more does not. */
	setup(&w);
	m = make_pre_prepare(&w, 0, 1);
	buf_extend(&m.pre_prepare.block, BLOCK_SEALED_SIZE_MAX - m.pre_prepare.block.size);
	message_encode(&rlp, &m);
	cr_assert_eq(message_decode(&back, buf_bytes(&rlp), &err), OK, "%s", err.message);
	message_clear(&back);
	buf_append_byte(&m.pre_prepare.block, 0);
	refuse_decode(&m, "block has 8389633 bytes");
	buf_clear(&rlp);
	message_clear(&m);
	ecc_free(w.ecc);
}
