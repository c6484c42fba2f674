/* Records of the log and evidence as bytes that somebody else has written. */
#include <criterion/criterion.h>

#include "chain/seal.h"
#include "codec/rlp.h"
#include "consensus/rig.h"

/* --- statements --- */

struct fields {
	uint64_t kind, height, view, validator;
	uint8_t mark;
	bool has_extra;
	size_t key;
};

static void put_statement(struct rig *r, struct buf *out, const struct fields *f)
{
	struct message m = { .kind = (enum message_kind)f->kind };
	struct signature signature = { .s = { [31] = 1 } };
	struct hash hash = rig_hash(f->mark), digest;
	size_t list = rlp_list_open(out), claim;

	if (f->kind == MESSAGE_VIEW_CHANGE)
		m.view_change = (struct view_change){ .height = f->height, .view = f->view, .validator = f->validator,
						      .has_prepared = f->mark > 0, .prepared_hash = hash };
	else
		m.vote = (struct vote){ .kind = m.kind, .height = f->height, .view = f->view,
					.validator = f->validator, .block_hash = hash };
	if (f->kind == MESSAGE_PREPARE || f->kind == MESSAGE_COMMIT || f->kind == MESSAGE_VIEW_CHANGE) {
		message_digest(&m, RIG_CHAIN_ID, &r->set.hash, &digest);
		rig_mac(f->key, &digest, &signature);
	}
	rlp_put_u64(out, f->kind);
	rlp_put_u64(out, f->height);
	rlp_put_u64(out, f->view);
	rlp_put_u64(out, f->validator);
	seal_put(out, &signature);
	if (f->kind == MESSAGE_VIEW_CHANGE) {
		claim = rlp_list_open(out);
		if (f->mark) {
			rlp_put_u64(out, 0);
			rlp_put_hash(out, &hash);
		}
		rlp_list_close(out, claim);
	} else {
		rlp_put_hash(out, &hash);
	}
	if (f->has_extra)
		rlp_put_u64(out, 1);
	rlp_list_close(out, list);
}

static int check_pair(struct rig *r, const struct fields *first, const struct fields *second)
{
	struct buf a = { 0 }, b = { 0 };
	struct consensus_evidence found;
	int code, read;

	put_statement(r, &a, first);
	put_statement(r, &b, second);
	read = consensus_read_evidence(buf_bytes(&a), buf_bytes(&b), &found, NULL);
	code = consensus_check_evidence(&r->config, &r->set, buf_bytes(&a), buf_bytes(&b), &found, NULL);
	cr_assert(code != OK || read == OK);
	buf_clear(&a);
	buf_clear(&b);
	return code;
}

Test(records, evidence_is_of_one_position_and_of_two_values)
{
	const struct fields good = { .kind = MESSAGE_PREPARE, .height = 5, .view = 1, .validator = 2, .key = 2, .mark = 1 };
	struct fields other = good, bad;
	struct rig r;

	rig_make(&r);
	other.mark = 2;
	cr_assert_eq(check_pair(&r, &good, &other), OK);
	cr_assert_eq(check_pair(&r, &good, &good), CONSENSUS_E_EVIDENCE);
	for (size_t i = 0; i < 9; i++) {
		bad = other;
		switch (i) {
		case 0: bad.kind = MESSAGE_COMMIT; break;
		case 1: bad.kind = 0; break;
		case 2: bad.kind = CONSENSUS_KIND_CHECKPOINT + 1; break;
		case 3: bad.kind = CONSENSUS_KIND_CHECKPOINT; break; /* has a view */
		case 4: bad.height = 6; break;
		case 5: bad.view = 2; break;
		case 6: bad.validator = 3; break;
		case 7: bad.validator = VALIDATOR_COUNT_MAX; break;
		case 8: bad.has_extra = true; break;
		}
		cr_assert_eq(check_pair(&r, &good, &bad), CONSENSUS_E_EVIDENCE, "%zu", i);
		cr_assert_eq(check_pair(&r, &bad, &good), CONSENSUS_E_EVIDENCE, "%zu first", i);
	}
	bad = other;
	bad.key = 1;
	cr_assert_eq(check_pair(&r, &good, &bad), CONSENSUS_E_EVIDENCE);
	/* A member of no set as large as this one. */
	bad = good;
	other.validator = bad.validator = 7;
	cr_assert_eq(check_pair(&r, &bad, &other), CONSENSUS_E_EVIDENCE);
	/* With a claim and without are two values. */
	bad = (struct fields){ .kind = MESSAGE_VIEW_CHANGE, .height = 5, .view = 1, .validator = 2, .key = 2, .mark = 1 };
	other = bad;
	other.mark = 0;
	cr_assert_eq(check_pair(&r, &bad, &other), OK);
	rig_end(&r);
}

/* --- records: [set, [message, …], prepares, block, position] --- */

struct draft {
	struct fields items[4];
	size_t count;
	uint8_t proposal;          /* its mark; first of the messages; 0: none */
	size_t proposer;           /* key */
	uint64_t proposal_height, proposal_view;
	struct certificate *prepares;
	uint8_t block;             /* mark; 0: none */
	const char *says;          /* part of the refusal; NULL: it is taken */
};

static void check_draft(const struct draft *d)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	struct rig r;
	struct buf out = { 0 }, sealed = { 0 };
	struct err err = { 0 };
	size_t record, list;
	int code;

	rig_make(&r);
	rig_restart(&r, &tip, &(struct consensus_epoch){ .set = &r.set });
	record = rlp_list_open(&out);
	rlp_put_hash(&out, &r.set.hash);
	list = rlp_list_open(&out);
	if (d->proposal) {
		struct view_change changes[COUNT];
		struct message m;

		r.height = d->proposal_height ? d->proposal_height : 1;
		m = rig_proposal(&r, &(struct proposal){ .from = d->proposer, .mark = d->proposal,
							 .view = d->proposal_view }, changes);
		message_encode(&out, &m);
		r.height = 1;
	}
	for (size_t i = 0; i < d->count; i++)
		put_statement(&r, &out, &d->items[i]);
	rlp_list_close(&out, list);
	if (d->prepares)
		certificate_encode(&out, d->prepares);
	else
		rlp_list_close(&out, rlp_list_open(&out));
	rlp_put_bytes(&out, d->block ? rig_block(d->block) : bytes_of(NULL, 0));
	rlp_list_close(&out, rlp_list_open(&out));
	rlp_list_close(&out, record);
	code = consensus_restore(r.c, buf_bytes(&out), &sealed, &err);
	cr_assert_eq(code, d->says ? CONSENSUS_E_RECORD : OK, "%s: %s", d->says ? d->says : "taken", err.message);
	cr_assert(!d->says || strstr(err.message, d->says), "%s, and not: %s", err.message, d->says);
	if (code == OK)
		rig_tick(&r, 0);
	buf_clear(&out);
	buf_clear(&sealed);
	rig_end(&r);
}

#define OWN(k, v, m) { .kind = MESSAGE_##k, .height = 1, .view = (v), .mark = (m) }

Test(records, restore_takes_what_fits)
{
	struct rig r;
	struct certificate prepares, later, of_other;

	rig_make(&r);
	prepares = rig_prepares(&r, 1, 0, 1);
	later = rig_prepares(&r, 1, 2, 1);
	check_draft(&(struct draft){ .proposal = 1, .proposer = 1, .items = { OWN(PREPARE, 0, 1) }, .count = 1 });
	check_draft(&(struct draft){ .proposal = 1, .proposer = 1, .items = { OWN(PREPARE, 0, 1), OWN(COMMIT, 0, 1) },
				     .count = 2, .prepares = &prepares });
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1) }, .count = 1, .prepares = &prepares, .block = 1 });
	check_draft(&(struct draft){ .items = { OWN(VIEW_CHANGE, 2, 0), OWN(COMMIT, 2, 1) }, .count = 2,
				     .prepares = &later, .block = 1 });
	/* The newest proposal and a commit of a later view; nobody writes that, and it is sound. */
	of_other = rig_prepares(&r, 1, 2, 2);
	check_draft(&(struct draft){ .proposal = 1, .proposer = 1, .items = { OWN(PREPARE, 0, 1), OWN(COMMIT, 2, 2) },
				     .count = 2, .prepares = &of_other, .block = 2 });
	check_draft(&(struct draft){ .proposal = 1, .proposer = 1, .items = { OWN(PREPARE, 0, 1), OWN(COMMIT, 2, 2) },
				     .count = 2, .prepares = &of_other, .says = "lacks the block" });
	/* Another proposal than the one that was prepared; both blocks are here. */
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1), OWN(VIEW_CHANGE, 1, 1) }, .count = 2,
				     .prepares = &prepares, .block = 1 });
	rig_end(&r);
}

Test(records, restore_refuses_what_does_not)
{
	struct rig r;
	struct certificate prepares, of_other_view, few, forged, of_other_block, of_other_height;
	struct fields other = OWN(PREPARE, 0, 1), stranger = OWN(PREPARE, 0, 1), above = OWN(PREPARE, 0, 1);

	rig_make(&r);
	other.validator = other.key = 2;
	stranger.validator = 9;
	above.height = 2;
	prepares = rig_prepares(&r, 1, 0, 1);
	of_other_view = rig_prepares(&r, 1, 1, 1);
	of_other_block = rig_prepares(&r, 1, 0, 2);
	few = rig_prepares(&r, 2, 0, 1);
	forged = prepares;
	forged.signatures[1].r[0] ^= 1;
	r.height = 2;
	of_other_height = rig_prepares(&r, 1, 0, 1);
	check_draft(&(struct draft){ .items = { other }, .count = 1, .says = "not this validator's" });
	check_draft(&(struct draft){ .items = { stranger }, .count = 1, .says = "not this validator's" });
	check_draft(&(struct draft){ .items = { OWN(PREPARE, 0, 1), OWN(PREPARE, 0, 1) }, .count = 2,
				     .says = "not in order" });
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1), OWN(PREPARE, 0, 1) }, .count = 2,
				     .prepares = &prepares, .block = 1, .says = "not in order" });
	check_draft(&(struct draft){ .items = { above, OWN(PREPARE, 1, 1) }, .count = 2, .says = "not in order" });
	check_draft(&(struct draft){ .proposal = 1, .proposer = 2, .items = { OWN(PREPARE, 0, 1) }, .count = 1,
				     .says = "not this validator's" });
	check_draft(&(struct draft){ .proposal = 1, .proposer = 9, .items = { OWN(PREPARE, 0, 1) }, .count = 1,
				     .says = "" });
	check_draft(&(struct draft){ .proposal = 1, .proposer = 2, .proposal_height = 2,
				     .items = { OWN(PREPARE, 0, 1) }, .count = 1, .says = "" });
	check_draft(&(struct draft){ .proposal = 1, .proposer = 1, .items = { OWN(PREPARE, 0, 2) }, .count = 1,
				     .says = "different blocks" });
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1) }, .count = 1, .says = "a commit without" });
	check_draft(&(struct draft){ .items = { OWN(PREPARE, 0, 1) }, .count = 1, .prepares = &prepares,
				     .says = "a commit without" });
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1) }, .count = 1, .prepares = &of_other_view,
				     .block = 1, .says = "not those of its commit" });
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1) }, .count = 1, .prepares = &of_other_block,
				     .block = 1, .says = "not those of its commit" });
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1) }, .count = 1, .prepares = &of_other_height,
				     .block = 1, .says = "not those of its commit" });
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1) }, .count = 1, .prepares = &few, .block = 1,
				     .says = "quorum" });
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1) }, .count = 1, .prepares = &forged, .block = 1,
				     .says = "a prepare in the consensus log" });
	check_draft(&(struct draft){ .items = { OWN(COMMIT, 0, 1) }, .count = 1, .prepares = &prepares,
				     .says = "lacks the block" });
	/* A proposal of its view, but of another block than was prepared in an earlier one. */
	check_draft(&(struct draft){ .proposal = 2, .proposer = 1, .items = { OWN(COMMIT, 0, 1) }, .count = 1,
				     .prepares = &prepares, .says = "different blocks" });
	rig_end(&r);
}

static void put_votes(struct rig *r, struct buf *out, const struct fields *items, size_t count,
		      const struct certificate *prepares)
{
	size_t record = rlp_list_open(out), list;

	rlp_put_hash(out, &r->set.hash);
	list = rlp_list_open(out);
	for (size_t i = 0; i < count; i++)
		put_statement(r, out, &items[i]);
	rlp_list_close(out, list);
	if (prepares)
		certificate_encode(out, prepares);
	else
		rlp_list_close(out, rlp_list_open(out));
	rlp_put_bytes(out, bytes_of(NULL, 0));
	rlp_list_close(out, rlp_list_open(out));
	rlp_list_close(out, record);
}

/* Though the record as a whole goes forward. */
Test(records, second_value_inside_a_later_record_is_refused)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	const struct fields first = OWN(PREPARE, 0, 1), second[] = { OWN(PREPARE, 0, 2), OWN(VIEW_CHANGE, 1, 0) };
	struct rig r;
	struct buf a = { 0 }, b = { 0 }, sealed = { 0 };
	struct err err = { 0 };

	rig_make(&r);
	rig_restart(&r, &tip, &(struct consensus_epoch){ .set = &r.set });
	put_votes(&r, &a, &first, 1, NULL);
	put_votes(&r, &b, second, 2, NULL);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&a), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&b), &sealed, &err), CONSENSUS_E_RECORD);
	cr_assert(strstr(err.message, "two values"), "%s", err.message);
	buf_clear(&a);
	buf_clear(&b);
	buf_clear(&sealed);
	rig_end(&r);
}

/* A crash between the record that stands for all and the removal of those before it. */
Test(records, trimmed_log_after_the_whole_one_says_the_same)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	struct rig r;
	struct buf log[4] = { 0 }, sealed = { 0 };
	struct err err = { 0 };
	struct message m;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, true);
	buf_append_bytes(&log[0], rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.record);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	buf_append_bytes(&log[1], rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.record);
	cr_assert(rig_persist(&r));
	rig_tick(&r, T0_MS);
	buf_append_bytes(&log[2], rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.record);
	consensus_sign_record(r.c, &log[3]);
	rig_restart(&r, &tip, &(struct consensus_epoch){ .set = &r.set });
	for (size_t i = 0; i < ARRAY_COUNT(log); i++)
		cr_assert_eq(consensus_restore(r.c, buf_bytes(&log[i]), &sealed, &err), OK, "%zu: %s", i, err.message);
	cr_assert_eq(rig_status(&r).view, 1);
	rig_tick(&r, 0);
	cr_assert(rig_find_sent(&r, MESSAGE_VIEW_CHANGE, &m));
	cr_assert(m.view_change.has_prepared);
	cr_assert(bytes_equal(buf_bytes(&m.view_change.block), rig_block(1)));
	message_clear(&m);
	for (size_t i = 0; i < ARRAY_COUNT(log); i++)
		buf_clear(&log[i]);
	buf_clear(&sealed);
	rig_end(&r);
}

/* The prepared block stands besides another proposal, and its certificate comes once more without
 * it. */
Test(records, prepared_block_of_an_earlier_record_is_enough)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	struct rig r;
	struct buf log = { 0 }, again = { 0 }, sealed = { 0 };
	struct certificate prepares;
	const struct fields words[] = { OWN(COMMIT, 0, 1), OWN(VIEW_CHANGE, 2, 1) };
	struct err err = { 0 };
	struct message m;

	rig_make(&r);
	prepares = rig_prepares(&r, 1, 0, 1);
	rig_prepare_in_view_0(&r, 1);
	rig_propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 2 });
	rig_executed(&r, 2, true);
	cr_assert(rig_persist(&r));
	consensus_sign_record(r.c, &log);
	put_votes(&r, &again, words, 2, &prepares);
	rig_restart(&r, &tip, &(struct consensus_epoch){ .set = &r.set });
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&log), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&again), &sealed, &err), OK, "%s", err.message);
	rig_tick(&r, 0);
	cr_assert(rig_find_sent(&r, MESSAGE_VIEW_CHANGE, &m));
	cr_assert(bytes_equal(buf_bytes(&m.view_change.block), rig_block(1)));
	message_clear(&m);
	buf_clear(&log);
	buf_clear(&again);
	buf_clear(&sealed);
	rig_end(&r);
}

/* The block of the highest certificate is in one record or another; in the one that stands for all
 * it must be, too. */
Test(records, trimmed_log_has_the_prepared_block)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	struct rig r;
	struct buf whole = { 0 }, sealed = { 0 };
	struct message m;
	struct err err = { 0 };

	rig_make(&r);
	rig_prepare_in_view_0(&r, 1);
	rig_propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 2 });
	rig_executed(&r, 2, true);
	cr_assert(rig_persist(&r));
	consensus_sign_record(r.c, &whole);
	rig_restart(&r, &tip, &(struct consensus_epoch){ .set = &r.set });
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&whole), &sealed, &err), OK, "%s", err.message);
	rig_tick(&r, 0);
	rig_tick(&r, 2 * T0_MS);
	cr_assert(rig_persist(&r));
	cr_assert(rig_find_sent(&r, MESSAGE_VIEW_CHANGE, &m));
	cr_assert(m.view_change.has_prepared);
	cr_assert(bytes_equal(buf_bytes(&m.view_change.block), rig_block(1)));
	message_clear(&m);
	buf_clear(&whole);
	buf_clear(&sealed);
	rig_end(&r);
}

/* Even with nothing signed at its height, the record says where the signer stands. */
Test(records, trimmed_log_binds_the_signer)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	struct rig r;
	struct buf whole = { 0 }, sealed = { 0 };

	rig_make(&r);
	rig_prepare_in_view_0(&r, 1);
	rig_committed(&r, 1, START_MS, NULL);
	consensus_sign_record(r.c, &whole);
	cr_assert_gt(whole.size, 0);
	/* The chain's end is lost, the log is not: what was signed once is not signed anew. */
	rig_restart(&r, &tip, &(struct consensus_epoch){ .set = &r.set });
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&whole), &sealed, NULL), OK);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 2 });
	rig_executed(&r, 2, true);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_PERSIST));
	cr_assert_not(rig_sends(&r, MESSAGE_PREPARE));
	buf_clear(&whole);
	buf_clear(&sealed);
	rig_end(&r);
}
