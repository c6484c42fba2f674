/* Vertices, witnesses and milestones as values. */
#include "fixture.h"

#include <stdlib.h>

#include "chain/domain.h"
#include "chain/milestone.h"
#include "chain/tx.h"
#include "chain/vertex.h"
#include "chain/witness.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

static struct hash parents[512];

static struct vertex make_vertex(struct ecc *e, enum vertex_payload payload)
{
	static const uint8_t data[] = "21.5 C";
	struct secret_key key = key_of(1);
	struct vertex v = {
		.chain_id = CHAIN_ID,
		.sequence = payload == VERTEX_DATA ? 0 : 2,
		.prev = payload == VERTEX_DATA ? (struct hash){ { 0 } } : hash_of(4),
		.expiry_ms = 1700000060000,
		.payload = payload,
		.ticket = payload == VERTEX_TRANSFER ? TICKET_WORK : TICKET_STAKE,
		.work_nonce = payload == VERTEX_TRANSFER ? 99 : 0,
	};

	if (payload == VERTEX_TRANSFER) {
		v.to = addr_of(5);
		v.amount = wei_of(1000);
	}
	if (payload == VERTEX_WITHDRAW)
		v.amount_gwei = 7;
	if (payload == VERTEX_DATA)
		v.data = bytes_of(data, sizeof(data) - 1);
	for (size_t i = 0; i < ARRAY_COUNT(parents); i++)
		parents[i] = hash_of(100 + i);
	v.parents = hash_list_of(parents, 3);
	cr_assert_eq(vertex_sign(&v, e, &key, NULL), OK);
	return v;
}

static const enum vertex_payload payloads[] = { VERTEX_TRANSFER, VERTEX_WITHDRAW, VERTEX_DATA };

Test(vertex, decode_gives_back_what_was_encoded)
{
	struct ecc *e = test_ecc();

	for (size_t i = 0; i < ARRAY_COUNT(payloads); i++) {
		struct vertex v = make_vertex(e, payloads[i]), back;
		struct buf first = { 0 }, second = { 0 };
		struct err err = { 0 };
		struct hash a, b;

		vertex_encode(&first, &v);
		cr_assert_eq(vertex_decode(&back, buf_bytes(&first), &err), OK, "%s", err.message);
		vertex_encode(&second, &back);
		assert_bytes(buf_bytes(&second), buf_bytes(&first));
		cr_assert(vertex_verify(&back, e));
		cr_assert_eq(back.parents.count, 3);
		a = hash_list_at(&back.parents, 2);
		cr_assert(hash_equal(&a, &parents[2]));
		vertex_id(&back, &a);
		keccak256(&b, buf_bytes(&first));
		cr_assert(hash_equal(&a, &b));
		for (size_t size = 0; size < first.size; size++)
			cr_assert_neq(vertex_decode(&back, bytes_of(first.data, size), NULL), OK);
		buf_clear(&first);
		buf_clear(&second);
	}
	ecc_free(e);
}

Test(vertex, ids_name_what_they_should)
{
	struct ecc *e = test_ecc();
	struct vertex v = make_vertex(e, VERTEX_TRANSFER), other = v;
	struct hash id, spend, other_id, other_spend;
	struct addr issuer, want;
	struct public_key public_key;
	struct secret_key key = key_of(1);

	vertex_id(&v, &id);
	vertex_spend_id(&v, &spend);
	/* Attached elsewhere, or worked for again: another vertex, the same spend. */
	other.parents = hash_list_of(parents + 1, 3);
	vertex_id(&other, &other_id);
	vertex_spend_id(&other, &other_spend);
	cr_assert_not(hash_equal(&id, &other_id));
	cr_assert(hash_equal(&spend, &other_spend));
	cr_assert(vertex_verify(&other, e));
	other = v;
	other.work_nonce++;
	vertex_id(&other, &other_id);
	vertex_spend_id(&other, &other_spend);
	cr_assert_not(hash_equal(&id, &other_id));
	cr_assert(hash_equal(&spend, &other_spend));
	/* Another signature of the same core too. */
	other = v;
	other.signature[3] ^= 1;
	vertex_spend_id(&other, &other_spend);
	cr_assert(hash_equal(&spend, &other_spend));
	/* Anything in the core makes another spend, and breaks the signature. */
	other = v;
	other.amount = wei_of(1001);
	vertex_spend_id(&other, &other_spend);
	cr_assert_not(hash_equal(&spend, &other_spend));
	cr_assert_not(vertex_verify(&other, e));
	cr_assert_eq(ecc_public_key(e, &public_key, &key, NULL), OK);
	ecc_address(&want, &public_key);
	vertex_issuer(&v, &issuer);
	cr_assert(addr_equal(&issuer, &want));
	/* The same bytes as a key of another scheme are another issuer. */
	other = v;
	other.scheme = VERTEX_P256;
	vertex_issuer(&other, &issuer);
	cr_assert_not(addr_equal(&issuer, &want));
	cr_assert_not(vertex_verify(&other, e));
	ecc_free(e);
}

/* Written out once more: what devices and proofs must agree on. */
Test(vertex, ids_are_the_rules_lists)
{
	struct ecc *e = test_ecc();
	struct vertex v = make_vertex(e, VERTEX_TRANSFER);
	uint8_t joined[1 + VERTEX_KEY_SIZE];
	struct buf b = { 0 };
	size_t list = rlp_list_open(&b), payload;
	struct hash want, got;
	struct addr issuer;

	vertex_issuer(&v, &issuer);
	rlp_put_u64(&b, 1);
	rlp_put_u64(&b, CHAIN_ID);
	rlp_put_u64(&b, 2);
	rlp_put_hash(&b, &v.prev);
	rlp_put_u64(&b, 1700000060000);
	payload = rlp_list_open(&b);
	rlp_put_u64(&b, 1);
	rlp_put_addr(&b, &v.to);
	rlp_put_u64(&b, 1000);
	rlp_list_close(&b, payload);
	rlp_put_u64(&b, 1);
	rlp_put_bytes(&b, bytes_of(v.key, sizeof(v.key)));
	rlp_put_addr(&b, &issuer);
	rlp_list_close(&b, list);
	keccak256(&want, buf_bytes(&b));
	vertex_spend_id(&v, &got);
	cr_assert(hash_equal(&got, &want));

	v.scheme = VERTEX_P256;
	joined[0] = 2;
	memcpy(joined + 1, v.key, sizeof(v.key));
	keccak256(&want, bytes_of(joined, sizeof(joined)));
	vertex_issuer(&v, &issuer);
	assert_bytes(addr_bytes(&issuer), bytes_of(want.bytes + 12, 20));
	buf_clear(&b);
	ecc_free(e);
}

/* The core's bytes are signed; parents and ticket are not. */
Test(vertex, any_changed_bit_of_the_core_is_found)
{
	struct ecc *e = test_ecc();

	for (size_t k = 0; k < ARRAY_COUNT(payloads); k++) {
		struct vertex v = make_vertex(e, payloads[k]), back;
		struct buf rlp = { 0 };
		struct rlp_reader top, list;
		struct bytes core;

		vertex_encode(&rlp, &v);
		rlp_reader_init(&top, buf_bytes(&rlp));
		cr_assert_eq(rlp_read_list(&top, &list, NULL), OK);
		cr_assert_eq(rlp_read_raw(&list, &core, NULL), OK);
		for (size_t i = 0; i < (size_t)(core.data + core.size - rlp.data) * 8; i++) {
			rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
			if (vertex_decode(&back, buf_bytes(&rlp), NULL) == OK)
				cr_assert_not(vertex_verify(&back, e), "bit %zu", i);
			rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
		}
		buf_clear(&rlp);
	}
	ecc_free(e);
}

static void refuse_vertex(const struct vertex *v, const char *text)
{
	struct buf rlp = { 0 };
	struct err err = { 0 };
	struct vertex back;

	vertex_encode(&rlp, v);
	cr_assert_eq(vertex_decode(&back, buf_bytes(&rlp), &err), CHAIN_E_BLOCK_FORMAT);
	assert_message(&err, text);
	buf_clear(&rlp);
}

Test(vertex, decode_refuses_shapes_beyond_the_rules)
{
	static const uint8_t data[VERTEX_SIZE_MAX];
	struct ecc *e = test_ecc();
	struct vertex spend = make_vertex(e, VERTEX_TRANSFER), v = spend;
	struct vertex note = make_vertex(e, VERTEX_DATA);

	v.sequence = 0;
	refuse_vertex(&v, "spends count from 1");
	v.sequence = 1;
	refuse_vertex(&v, "prev is not zero at sequence 1");
	v = note;
	v.sequence = 1;
	refuse_vertex(&v, "data has 0");
	v = spend;
	v.amount.n.limbs[2] = 1;
	refuse_vertex(&v, "amount is 2^128 or more");
	v = spend;
	v.parents.count = 0;
	refuse_vertex(&v, "no parents");
	v.parents.count = VERTEX_PARENT_MAX + 1;
	refuse_vertex(&v, "parents");
	struct hash twice[2] = { hash_of(1), hash_of(1) };
	v.parents = hash_list_of(twice, 2);
	refuse_vertex(&v, "parents names a hash twice");
	v = note;
	v.data = bytes_of(data, VERTEX_DATA_MAX + 1);
	refuse_vertex(&v, "data has 4097 bytes");
	v.data = bytes_of(data, VERTEX_SIZE_MAX);
	refuse_vertex(&v, "are allowed");
	v = spend;
	v.scheme = (enum vertex_scheme)3;
	refuse_vertex(&v, "scheme 3 is not known");
	v.scheme = (enum vertex_scheme)0;
	refuse_vertex(&v, "scheme 0 is not known");

	/* The largest there is. */
	struct buf rlp = { 0 };
	struct vertex back;
	v = note;
	v.data = bytes_of(data, VERTEX_DATA_MAX);
	v.parents = hash_list_of(parents, VERTEX_PARENT_MAX);
	v.ticket = TICKET_WORK;
	v.work_nonce = UINT64_MAX;
	vertex_encode(&rlp, &v);
	cr_assert_eq(vertex_decode(&back, buf_bytes(&rlp), NULL), OK);
	buf_clear(&rlp);
	ecc_free(e);
}

Test(vertex, work_counts_leading_zero_bits)
{
	struct ecc *e = test_ecc();
	struct vertex v = make_vertex(e, VERTEX_TRANSFER);
	unsigned histogram[64] = { 0 };

	for (v.work_nonce = 0; v.work_nonce < 4096; v.work_nonce++)
		histogram[MIN(vertex_work_bits(&v), 63u)]++;
	/* Half have none, a quarter one, … */
	for (unsigned bits = 0; bits < 5; bits++) {
		cr_assert_gt(histogram[bits], (2048u >> bits) * 3 / 4);
		cr_assert_lt(histogram[bits], (2048u >> bits) * 5 / 4);
	}
	ecc_free(e);
}

/* --- witnesses --- */

static struct witness make_witness(struct ecc *e, const struct secret_key *key, size_t parent_count)
{
	struct witness w = {
		.epoch = 3,
		.validator = 1,
		.round = 1000,
		.has_previous = parent_count > 0,
		.own_previous = hash_of(100),
		.seen_height = 50,
	};

	for (size_t i = 0; i < ARRAY_COUNT(parents); i++)
		parents[i] = hash_of(100 + i);
	w.parents = hash_list_of(parents, parent_count);
	w.hold = hash_list_of(parents, parent_count / 2);
	w.late = hash_list_of(parents + parent_count / 2, parent_count / 3);
	if (!w.has_previous)
		w.own_previous = (struct hash){ { 0 } };
	cr_assert_eq(witness_sign(&w, CHAIN_ID, e, key, NULL), OK);
	return w;
}

Test(witness, decode_gives_back_what_was_encoded)
{
	static const size_t counts[] = { 0, 1, 7, WITNESS_PARENT_MAX };
	struct secret_key keys[VALIDATOR_COUNT_MAX];
	struct validator_set set;
	struct ecc *e = test_ecc();

	make_set(&set, keys, 4, NULL);
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
		struct witness w = make_witness(e, &keys[1], counts[i]), back;
		struct buf first = { 0 }, second = { 0 };
		struct err err = { 0 };
		struct seal seal;
		struct hash a, b;

		witness_encode(&first, &w);
		cr_assert_leq(first.size, WITNESS_SIZE_MAX);
		cr_assert_eq(witness_decode(&back, buf_bytes(&first), &err), OK, "%s", err.message);
		witness_encode(&second, &back);
		assert_bytes(buf_bytes(&second), buf_bytes(&first));
		cr_assert_eq(witness_seal(&back, CHAIN_ID, &set, &seal, NULL), OK);
		cr_assert(seal_verify(e, &seal));
		cr_assert_eq(witness_seal(&back, CHAIN_ID + 1, &set, &seal, NULL), OK);
		cr_assert_not(seal_verify(e, &seal));
		witness_id(&back, &a);
		keccak256(&b, buf_bytes(&first));
		cr_assert(hash_equal(&a, &b));
		buf_clear(&first);
		buf_clear(&second);
	}
	ecc_free(e);
}

Test(witness, any_changed_bit_is_found)
{
	struct secret_key keys[VALIDATOR_COUNT_MAX];
	struct validator_set set;
	struct ecc *e = test_ecc();
	struct buf rlp = { 0 };
	struct witness w;

	make_set(&set, keys, 4, NULL);
	w = make_witness(e, &keys[1], 6);
	witness_encode(&rlp, &w);
	for (size_t i = 0; i < rlp.size * 8; i++) {
		struct witness back;
		struct seal seal;

		rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
		if (witness_decode(&back, buf_bytes(&rlp), NULL) == OK &&
		    witness_seal(&back, CHAIN_ID, &set, &seal, NULL) == OK)
			cr_assert_not(seal_verify(e, &seal), "bit %zu", i);
		rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	buf_clear(&rlp);
	ecc_free(e);
}

Test(witness, decode_refuses_shapes_beyond_the_rules)
{
	struct secret_key key = key_of(1);
	struct ecc *e = test_ecc();
	struct hash many[WITNESS_PARENT_MAX + 1];
	struct witness w = make_witness(e, &key, 6), back;
	struct buf rlp = { 0 };
	struct err err = { 0 };
	struct validator_set set;
	struct secret_key keys[VALIDATOR_COUNT_MAX];
	struct seal seal;

	for (size_t i = 0; i < ARRAY_COUNT(many); i++)
		many[i] = hash_of(100 + i);
	w.own_previous = hash_of(1);
	witness_encode(&rlp, &w);
	cr_assert_neq(witness_decode(&back, buf_bytes(&rlp), &err), OK);
	assert_message(&err, "own previous is not among the parents");
	w.own_previous = hash_of(100);
	w.parents = hash_list_of(many, ARRAY_COUNT(many));
	buf_reset(&rlp);
	witness_encode(&rlp, &w);
	cr_assert_neq(witness_decode(&back, buf_bytes(&rlp), &err), OK);
	assert_message(&err, "parents");
	many[1] = many[0];
	w.parents = hash_list_of(many, 5);
	buf_reset(&rlp);
	witness_encode(&rlp, &w);
	cr_assert_neq(witness_decode(&back, buf_bytes(&rlp), &err), OK);
	assert_message(&err, "names a hash twice");
	make_set(&set, keys, 4, NULL);
	w.validator = 4;
	cr_assert_eq(witness_seal(&w, CHAIN_ID, &set, &seal, &err), CHAIN_E_MESSAGE);
	buf_clear(&rlp);
	ecc_free(e);
}

/* --- milestones --- */

/* RFC 6962, 2.1, as it is written there: recursively. */
static struct hash merkle_tree_hash(const struct hash *leaves, size_t count)
{
	uint8_t joined[65] = { 0 };
	struct hash left, right, out;
	size_t split = 1;

	if (count == 1) {
		memcpy(joined + 1, leaves[0].bytes, 32);
		keccak256(&out, bytes_of(joined, 33));
		return out;
	}
	while (split * 2 < count)
		split *= 2;
	left = merkle_tree_hash(leaves, split);
	right = merkle_tree_hash(leaves + split, count - split);
	joined[0] = 1;
	memcpy(joined + 1, left.bytes, 32);
	memcpy(joined + 33, right.bytes, 32);
	keccak256(&out, bytes_of(joined, 65));
	return out;
}

Test(milestone, root_is_rfc6962s)
{
	struct milestone m = { .index = 1 };
	struct hash ids[MILESTONE_NAMED_MAX], got, want;

	for (size_t i = 0; i < ARRAY_COUNT(ids); i++)
		ids[i] = hash_of(i);
	milestone_witnesses_root(&m, &got);
	cr_assert(hash_is_zero(&got));
	for (size_t count = 1; count <= ARRAY_COUNT(ids); count++) {
		m.named = hash_list_of(ids, count);
		milestone_witnesses_root(&m, &got);
		want = merkle_tree_hash(ids, count);
		cr_assert(hash_equal(&got, &want), "%zu leaves", count);
	}
}

Test(milestone, decode_gives_back_what_was_encoded)
{
	struct hash ids[MILESTONE_NAMED_MAX + 1];
	struct milestone m = { .index = 77 }, back;
	struct buf first = { 0 }, second = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(ids); i++)
		ids[i] = hash_of(i);
	for (size_t count = 0; count <= MILESTONE_NAMED_MAX; count += 16) {
		m.named = hash_list_of(ids, count);
		buf_reset(&first);
		buf_reset(&second);
		milestone_encode(&first, &m);
		cr_assert_eq(milestone_decode(&back, buf_bytes(&first), NULL), OK);
		milestone_encode(&second, &back);
		assert_bytes(buf_bytes(&second), buf_bytes(&first));
	}
	m.named = hash_list_of(ids, MILESTONE_NAMED_MAX + 1);
	buf_reset(&first);
	milestone_encode(&first, &m);
	cr_assert_neq(milestone_decode(&back, buf_bytes(&first), NULL), OK);
	ids[1] = ids[0];
	m.named = hash_list_of(ids, 2);
	buf_reset(&first);
	milestone_encode(&first, &m);
	cr_assert_neq(milestone_decode(&back, buf_bytes(&first), NULL), OK);
	buf_clear(&first);
	buf_clear(&second);
}

/* --- domains --- */

Test(domain, none_is_the_beginning_of_another)
{
	for (int a = 0; a < DOMAIN_COUNT; a++) {
		const char *x = domain_text((enum domain)a);

		cr_assert_eq(strncmp(x, "weft/", 5), 0);
		for (int b = 0; b < DOMAIN_COUNT; b++) {
			const char *y = domain_text((enum domain)b);

			if (a != b)
				cr_assert_neq(strncmp(x, y, strlen(x)), 0, "%s, %s", x, y);
		}
	}
}
