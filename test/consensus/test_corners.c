/* Paths that neither the rules' tests nor random runs are sure to take. */
#include <criterion/criterion.h>

#include "consensus/rig.h"

/* A view-change with a claim of `mark`, prepared in the view before `prepared + 1`. */
static void claim(struct rig *r, size_t key, uint64_t view, uint64_t prepared, uint8_t mark)
{
	struct certificate proof = rig_prepares(r, 1, prepared, mark);
	struct message m = rig_view_change(r, key, view, prepared, mark, &proof);

	rig_give(r, &m);
}

static void ask(struct rig *r, size_t key, uint64_t view)
{
	struct message m = rig_view_change(r, key, view, 0, 0, NULL);

	rig_give(r, &m);
}

static bool executes(const struct rig *r, uint8_t mark)
{
	const struct consensus_effect *e = rig_find(r, CONSENSUS_EFFECT_EXECUTE);
	struct hash hash = rig_hash(mark);

	return e && hash_equal(&e->execute.block.hash, &hash);
}

Test(corners, higher_claim_takes_the_place_of_a_lower)
{
	struct rig r;

	rig_make(&r);
	claim(&r, 1, 1, 0, 1);
	claim(&r, 1, 2, 1, 2);
	claim(&r, 1, 3, 2, 3);
	claim(&r, 1, 7, 3, 4);
	cr_assert_eq(rig_status(&r).view, 0, "one alone moves nobody");
	/* The fifth, with CONSENSUS_CLAIM_MAX kept: our turn, and it is the highest. */
	claim(&r, 2, 7, 4, 5);
	cr_assert_eq(rig_status(&r).view, 7);
	cr_assert(executes(&r, 5));
	rig_end(&r);
}

/* Whichever place the lowest has. */
Test(corners, lowest_claim_goes_first_in_any_order)
{
	struct rig r;

	rig_make(&r);
	claim(&r, 1, 7, 4, 1);
	claim(&r, 1, 4, 1, 2);
	claim(&r, 1, 5, 2, 3);
	claim(&r, 1, 6, 3, 4);
	/* Key 1's word in view 7 counts only with the proof that came first. */
	claim(&r, 2, 7, 5, 5);
	cr_assert_eq(rig_status(&r).view, 7);
	cr_assert(executes(&r, 5));
	rig_end(&r);
}

Test(corners, proof_that_was_let_go_comes_again_under_its_senders_signature_only)
{
	struct rig r;
	struct certificate proof;
	struct message m;

	rig_make(&r);
	claim(&r, 1, 2, 1, 1);
	claim(&r, 1, 3, 2, 2);
	claim(&r, 1, 4, 3, 3);
	claim(&r, 1, 7, 4, 4);
	claim(&r, 2, 6, 0, 5); /* moves us to view 6; no place for its claim */
	cr_assert_eq(rig_status(&r).view, 6);
	proof = rig_prepares(&r, 1, 0, 5);
	m = rig_view_change(&r, 2, 6, 0, 5, &proof);
	m.view_change.signature.r[0] ^= 1;
	rig_give(&r, &m);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_SIGNATURE), 1);
	m.view_change.signature.r[0] ^= 1;
	rig_give(&r, &m);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_SIGNATURE), 1);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_KNOWN), 0);
	rig_end(&r);
}

Test(corners, lower_claim_leaves_the_higher_ones)
{
	struct rig r;

	rig_make(&r);
	claim(&r, 1, 2, 1, 1);
	claim(&r, 1, 3, 2, 2);
	claim(&r, 1, 4, 3, 3);
	claim(&r, 1, 7, 4, 4);
	claim(&r, 2, 7, 0, 5);
	/* Its proof was let go, so its sender's word can't be passed on; it comes again. */
	cr_assert_eq(rig_status(&r).view, 7);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	ask(&r, 3, 7);
	cr_assert(executes(&r, 4));
	rig_end(&r);
}

Test(corners, view_changes_above_the_window_count_when_it_has_come_to_them)
{
	struct rig r;

	rig_make(&r);
	ask(&r, 1, 11);
	cr_assert_eq(rig_status(&r).view, 0);
	ask(&r, 2, 11);
	cr_assert_eq(rig_status(&r).view, 11);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_PROPOSE), "it leads, and three of four have asked");
	rig_end(&r);
}

Test(corners, commit_that_was_late_for_its_height_still_goes_out)
{
	struct rig r;
	const struct consensus_effect *persist;
	struct message m;
	uint64_t number;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, true);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	persist = rig_find(&r, CONSENSUS_EFFECT_PERSIST);
	cr_assert(persist);
	number = persist->persist.number;
	for (size_t key = 1; key < COUNT; key++)
		rig_vote(&r, MESSAGE_COMMIT, key, 0, 1);
	cr_assert_eq(rig_status(&r).height, 2);
	cr_assert_not(rig_sends(&r, MESSAGE_COMMIT), "not before it is durable");
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = number });
	cr_assert(rig_find_sent(&r, MESSAGE_COMMIT, &m));
	cr_assert_eq(message_height(&m), 1);
	message_clear(&m);
	rig_tick(&r, 1);
	cr_assert_not(rig_sends(&r, MESSAGE_COMMIT), "once");
	rig_end(&r);
}

/* When the height ends an epoch, it is still a word under the old set and index. */
Test(corners, commit_that_was_late_is_of_the_set_that_decided)
{
	struct rig r;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };
	struct message m, expected;
	uint64_t number;

	rig_make_as(&r, 2, 0x0f, NULL);
	rig_set(&later, 0x3c, NULL); /* index 2 becomes 0 */
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed_next(&r, 1, &next);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_PREPARE, 0, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	number = rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.number;
	rig_vote(&r, MESSAGE_COMMIT, 0, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 3, 0, 1);
	cr_assert_eq(rig_status(&r).height, 2);
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = number });
	cr_assert(rig_find_sent(&r, MESSAGE_COMMIT, &m));
	expected = rig_vote_of(&r, MESSAGE_COMMIT, 2, 0, 1); /* r.set is still the old one */
	cr_assert_eq(m.vote.height, 1);
	cr_assert_eq(m.vote.validator, 2);
	cr_assert(hash_equal(&m.vote.block_hash, &expected.vote.block_hash));
	cr_assert_arr_eq(m.vote.signature.r, expected.vote.signature.r, 32);
	message_clear(&m);
	rig_end(&r);
}

Test(corners, early_commits_outweigh_an_early_proposal)
{
	struct rig r;

	rig_make(&r);
	r.height = 2;
	rig_propose(&r, &(struct proposal){ .from = 2, .mark = 2 });
	for (size_t key = 1; key < COUNT; key++)
		rig_vote(&r, MESSAGE_COMMIT, key, 1, 3);
	r.height = 1;
	rig_committed(&r, 1, START_MS, NULL);
	cr_assert_eq(rig_status(&r).height, 2);
	cr_assert_not(executes(&r, 2), "another block of that height is final");
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_FETCHING);
	rig_end(&r);
}

/* --- proposals of later heights --- */

static void propose_at(struct rig *r, uint64_t height, uint64_t view, uint8_t mark)
{
	uint64_t present = r->height;

	r->height = height;
	rig_propose(r, &(struct proposal){ .from = (height + view) % COUNT, .view = view, .mark = mark });
	r->height = present;
}

Test(corners, nearest_proposals_stay)
{
	struct rig r;

	/* Those of heights 4 and 8 would be ours; more than there is room for. */
	static const uint8_t orders[][4] = { { 7, 6, 5, 3 }, { 3, 5, 7, 6 } };

	for (size_t k = 0; k < ARRAY_COUNT(orders); k++) {
		rig_make(&r);
		for (size_t i = 0; i < 4; i++)
			propose_at(&r, orders[k][i], 0, orders[k][i]);
		propose_at(&r, 9, 0, 9);  /* farther than all */
		propose_at(&r, 2, 0, 2);  /* nearer: the one of 7 goes */
		for (uint64_t height = 2; height <= 7; height++) {
			rig_committed(&r, height - 1, START_MS, NULL);
			cr_assert_eq(executes(&r, (uint8_t)height), height != 7 && height != 4, "height %llu",
				     (unsigned long long)height);
		}
		rig_end(&r);
	}
}

Test(corners, of_two_views_of_a_later_height_the_higher_counts)
{
	for (unsigned order = 0; order < 2; order++) {
		struct rig r;

		rig_make(&r);
		propose_at(&r, 2, order ? 0 : 1, order ? 2 : 3);
		propose_at(&r, 2, order ? 1 : 0, order ? 3 : 2);
		rig_committed(&r, 1, START_MS, NULL);
		cr_assert_eq(rig_status(&r).view, 1);
		cr_assert(executes(&r, 3));
		rig_end(&r);
	}
}

/* --- a signer that fails --- */

static bool signer_fails;

static int may_sign(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	(void)ctx;
	if (signer_fails)
		return ERR_SET(err, CRYPTO_E_KEY, "the signer is away");
	rig_mac(0, digest, out);
	return OK;
}

static void make_with_signer(struct rig *r)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };

	signer_fails = false;
	rig_make(r);
	r->config.sign = may_sign;
	rig_restart(r, &tip, &r->config.epoch);
}

static bool says(const struct rig *r, enum consensus_trace trace)
{
	for (size_t i = 0; i < r->effects.count; i++)
		if (r->effects.items[i].kind == CONSENSUS_EFFECT_TRACE && r->effects.items[i].trace == trace)
			return true;
	return false;
}

static void check_unsigned(const struct rig *r)
{
	cr_assert(says(r, CONSENSUS_TRACE_SIGN_FAILED));
	cr_assert_not(rig_find(r, CONSENSUS_EFFECT_PERSIST));
	cr_assert_not(rig_find(r, CONSENSUS_EFFECT_SEND));
}

Test(corners, signer_that_fails_is_said_at_every_step)
{
	struct rig r;

	make_with_signer(&r);
	signer_fails = true;
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, true);
	check_unsigned(&r); /* PREPARE */
	signer_fails = false;
	rig_tick(&r, 0);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	signer_fails = true;
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	check_unsigned(&r); /* COMMIT */
	rig_tick(&r, T0_MS);
	check_unsigned(&r); /* VIEW-CHANGE */
	cr_assert_eq(rig_status(&r).view, 1);
	rig_end(&r);

	/* A proposal carried over by the leader. */
	make_with_signer(&r);
	claim(&r, 1, 3, 0, 1);
	claim(&r, 2, 3, 0, 1);
	cr_assert(executes(&r, 1));
	signer_fails = true;
	rig_executed(&r, 1, true);
	check_unsigned(&r);
	rig_end(&r);

	/* A checkpoint. */
	make_with_signer(&r);
	rig_committed(&r, 1, START_MS + 500, NULL);
	r.now_ms += 1000;
	signer_fails = true;
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_WRITTEN, .written = { .height = 1 } });
	rig_tick(&r, CONSENSUS_CHECKPOINT_DELAY_MS);
	cr_assert(says(&r, CONSENSUS_TRACE_SIGN_FAILED));
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_CHECKPOINT));
	rig_end(&r);
}

/* --- our own proposal --- */

static void propose_own(struct rig *r, uint8_t mark)
{
	struct consensus_event e = { .kind = CONSENSUS_EVENT_PROPOSED };

	e.proposed = (struct consensus_block){ .hash = rig_hash(mark), .time_ms = START_MS, .sealed = rig_block(mark) };
	rig_step(r, e);
}

Test(corners, own_proposal_of_a_view_that_was_left_stays_here)
{
	struct rig r;
	uint64_t number;

	rig_make(&r);
	ask(&r, 1, 3);
	ask(&r, 2, 3);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_PROPOSE));
	propose_own(&r, 1);
	number = rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.number;
	ask(&r, 1, 4);
	ask(&r, 2, 4);
	cr_assert_eq(rig_status(&r).view, 4);
	rig_propose(&r, &(struct proposal){ .from = 1, .view = 4, .mark = 2 });
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = number });
	cr_assert_not(rig_sends(&r, MESSAGE_PRE_PREPARE));
	rig_end(&r);
}

Test(corners, own_proposal_of_a_view_without_another_stays_here)
{
	struct rig r;
	uint64_t number;

	rig_make(&r);
	ask(&r, 1, 3);
	ask(&r, 2, 3);
	propose_own(&r, 1);
	number = rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.number;
	ask(&r, 1, 4);
	ask(&r, 2, 4);
	cr_assert_eq(rig_status(&r).view, 4);
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = number });
	cr_assert_not(rig_sends(&r, MESSAGE_PRE_PREPARE));
	rig_end(&r);
}

/* A quorum has committed another block before ours was on disk: its bytes are not ours any more. */
Test(corners, own_proposal_that_another_block_has_overtaken_stays_here)
{
	struct rig r;
	struct buf record = { 0 }, sealed = { 0 };
	uint64_t number;

	rig_make(&r);
	ask(&r, 1, 3);
	ask(&r, 2, 3);
	propose_own(&r, 1);
	number = rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.number;
	claim(&r, 1, 4, 0, 2);
	for (size_t key = 1; key < COUNT; key++)
		rig_vote(&r, MESSAGE_COMMIT, key, 0, 2);
	cr_assert(executes(&r, 2));
	consensus_sign_record(r.c, &record);
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = number });
	cr_assert_not(rig_sends(&r, MESSAGE_PRE_PREPARE));
	cr_assert(rig_sends(&r, MESSAGE_PREPARE), "the word was given");
	rig_executed(&r, 2, true);
	cr_assert_eq(rig_status(&r).height, 2);
	/* The record that stands for all binds to what was signed, without the block. */
	rig_restart(&r, &(struct consensus_tip){ .time_ms = START_MS }, &(struct consensus_epoch){ .set = &r.set });
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&record), &sealed, NULL), OK);
	cr_assert_eq(sealed.size, 0);
	buf_clear(&record);
	buf_clear(&sealed);
	rig_end(&r);
}

/* A restarted leader is to make its block again, and another one is final meanwhile. */
Test(corners, block_that_was_decided_is_not_waited_for_behind_the_own_one)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };

	for (unsigned restarts = 0; restarts < 2; restarts++) {
		struct rig r;
		struct buf record = { 0 }, sealed = { 0 };

		rig_make(&r);
		ask(&r, 1, 3);
		ask(&r, 2, 3);
		cr_assert(rig_find(&r, CONSENSUS_EFFECT_PROPOSE));
		if (restarts) {
			propose_own(&r, 1);
			buf_append_bytes(&record, rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.record);
			rig_restart(&r, &tip, &(struct consensus_epoch){ .set = &r.set });
			cr_assert_eq(consensus_restore(r.c, buf_bytes(&record), &sealed, NULL), OK);
			rig_tick(&r, 0);
			cr_assert(rig_find(&r, CONSENSUS_EFFECT_PROPOSE));
		}
		claim(&r, 1, 4, 0, 2);
		for (size_t key = 1; key < COUNT; key++)
			rig_vote(&r, MESSAGE_COMMIT, key, 0, 2);
		cr_assert(executes(&r, 2), "restarts %u", restarts);
		propose_own(&r, 1); /* too late: EXECUTE was asked for since */
		cr_assert(says(&r, CONSENSUS_TRACE_UNEXPECTED));
		cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_PERSIST));
		rig_executed(&r, 2, true);
		cr_assert_eq(rig_status(&r).height, 2);
		buf_clear(&record);
		buf_clear(&sealed);
		rig_end(&r);
	}
}

Test(corners, commits_for_the_own_proposal_wait_until_it_is_made_again)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	struct rig r;
	struct buf record = { 0 }, sealed = { 0 };

	rig_make(&r);
	ask(&r, 1, 3);
	ask(&r, 2, 3);
	propose_own(&r, 1);
	buf_append_bytes(&record, rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.record);
	rig_restart(&r, &tip, &(struct consensus_epoch){ .set = &r.set });
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&record), &sealed, NULL), OK);
	cr_assert(bytes_equal(buf_bytes(&sealed), rig_block(1)));
	rig_tick(&r, 0);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_PROPOSE));
	for (size_t key = 1; key < COUNT; key++)
		rig_vote(&r, MESSAGE_COMMIT, key, 3, 1);
	cr_assert_eq(rig_status(&r).height, 1);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EXECUTE), "the caller makes it anyway");
	propose_own(&r, 1);
	cr_assert_eq(rig_status(&r).height, 2);
	buf_clear(&record);
	buf_clear(&sealed);
	rig_end(&r);
}

/* --- one machine made another --- */

static void check_same(struct rig *a, struct rig *b)
{
	cr_assert_eq(a->effects.count, b->effects.count);
	for (size_t i = 0; i < a->effects.count; i++)
		cr_assert_eq(a->effects.items[i].kind, b->effects.items[i].kind);
}

Test(corners, copy_goes_on_as_the_original)
{
	struct rig r, copy;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };
	struct consensus_checkpoint p;

	rig_make(&r);
	rig_make(&copy);
	rig_set(&later, 0x35, NULL);
	propose_at(&r, 4, 1, 9);
	claim(&r, 1, 2, 1, 3);
	rig_prepare_in_view_0(&r, 1);
	rig_executed_next(&r, 1, &next);
	rig_checkpoint(&r, 1, 0, 1);
	rig_checkpoint(&r, 2, 0, 1);
	copy.now_ms = r.now_ms;
	consensus_copy(copy.c, r.c);
	consensus_copy(copy.c, r.c); /* over what was copied */
	cr_assert_eq(consensus_get_checkpoint(copy.c, &p), consensus_get_checkpoint(r.c, &p));
	for (size_t key = 1; key < 3; key++) {
		rig_vote(&r, MESSAGE_COMMIT, key, 0, 1);
		rig_vote(&copy, MESSAGE_COMMIT, key, 0, 1);
		check_same(&r, &copy);
	}
	cr_assert_eq(rig_status(&copy).height, 2);
	cr_assert_eq(consensus_get_epoch(copy.c)->number, 1);
	/* The epoch before goes along, and what there is no more goes. */
	consensus_copy(copy.c, r.c);
	rig_end(&r);
	rig_make(&r);
	consensus_copy(copy.c, r.c);
	cr_assert_eq(rig_status(&copy).height, 1);
	cr_assert_eq(consensus_get_epoch(copy.c)->number, 0);
	rig_tick(&r, 1);
	rig_tick(&copy, 1);
	rig_end(&r);
	rig_end(&copy);
	consensus_free(NULL);
}

Test(corners, copy_may_have_been_of_another_set)
{
	struct rig r, copy;

	rig_make(&r);
	rig_make_of(&copy, 0x7f, NULL);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	consensus_copy(copy.c, r.c);
	cr_assert_eq(consensus_get_epoch(copy.c)->set->count, COUNT);
	copy.set = r.set;
	rig_prepare_in_view_0(&r, 1);
	rig_prepare_in_view_0(&copy, 1);
	check_same(&r, &copy);
	rig_end(&r);
	rig_end(&copy);
}

Test(corners, every_phase_has_a_name_of_its_own)
{
	for (int i = CONSENSUS_IDLE; i <= CONSENSUS_PASSIVE; i++)
		for (int k = CONSENSUS_IDLE; k < i; k++)
			cr_assert_str_neq(consensus_phase_name((enum consensus_phase)i),
					  consensus_phase_name((enum consensus_phase)k));
}

/* --- a decision without its block --- */

static void give_block(struct rig *r, uint8_t mark, uint8_t bytes)
{
	struct view_change changes[COUNT];
	struct message m = rig_proposal(r, &(struct proposal){ .from = 1, .mark = mark }, changes);
	struct bytes block = rig_block(bytes);

	m.pre_prepare.block = (struct buf){ (uint8_t *)(uintptr_t)block.data, block.size, block.size };
	rig_give(r, &m);
}

Test(corners, decided_block_is_taken_from_whomever_if_it_is_that_block)
{
	struct rig r;
	struct message forged;
	struct certificate commits;

	rig_make_of(&r, 0x7f, NULL); /* Q 5 */
	for (size_t key = 1; key <= 5; key++)
		rig_vote(&r, MESSAGE_COMMIT, key, 0, 1);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_FETCHING);
	/* Counts for nothing, so nobody looks whether key 6 has said it. */
	forged = rig_vote_of(&r, MESSAGE_COMMIT, 6, 0, 1);
	forged.vote.signature.r[0] ^= 1;
	rig_give(&r, &forged);
	give_block(&r, 1, 2);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EXECUTE), "other bytes");
	give_block(&r, 1, 1);
	cr_assert(executes(&r, 1));
	rig_executed(&r, 1, true);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_COMMIT));
	cr_assert_eq(certificate_decode(&commits, rig_find(&r, CONSENSUS_EFFECT_COMMIT)->commit.certificate, NULL), OK);
	cr_assert_eq(commits.count, 5, "what was not verified is in no certificate");
	rig_end(&r);
}

/* The same words under a signature that is not theirs would go on inside our own messages. */
Test(corners, known_word_under_another_signature_is_no_proof)
{
	struct rig r;
	struct view_change changes[COUNT];
	struct message m;

	rig_make(&r);
	ask(&r, 1, 1);
	m = rig_proposal(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1 }, changes);
	changes[0].signature.r[5] ^= 1;
	rig_give(&r, &m);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_SIGNATURE), 1);
	rig_end(&r);
}

Test(corners, what_was_seen_follows_the_validator_to_its_new_index)
{
	struct rig r;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };
	struct consensus_status s;

	rig_make(&r);
	rig_set(&later, 0x0d, NULL); /* keys 0, 2, 3 */
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	r.now_ms += 7;
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 1);
	rig_committed(&r, 1, START_MS, &next);
	consensus_get_status(r.c, &s);
	cr_assert_eq(s.last_seen_ms[1], 0, "key 2 was never heard");
	cr_assert_eq(s.last_seen_ms[2], START_MS + 7);
	rig_end(&r);
}

Test(corners, epoch_before_is_kept_only_if_it_is_the_one_before)
{
	static const struct consensus_tip tip = { .height = 20, .time_ms = START_MS };
	struct validator_set before;

	for (uint64_t number = 3; number <= 4; number++) {
		struct rig r;
		struct consensus_epoch epoch = { .number = 5, .first = 20 };

		rig_make(&r);
		rig_set(&before, 0x0f, NULL);
		epoch.set = &r.set;
		r.config.before = (struct consensus_epoch){ .number = number, .first = 10, .set = &before };
		rig_restart(&r, &tip, &epoch);
		r.height = 19;
		ask(&r, 1, 1);
		cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_SERVE) != NULL, number == 4);
		rig_end(&r);
	}
}

Test(corners, newest_word_on_who_is_next_counts)
{
	struct rig r;
	struct validator_set first, second;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &first };

	rig_make(&r);
	rig_set(&first, 0x0d, NULL);
	rig_set(&second, 0x0b, NULL);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed_next(&r, 1, &next);
	rig_executed_next(&r, 1, &next);
	next.set = &second;
	rig_executed_next(&r, 1, &next);
	next.number = 2;
	rig_executed_next(&r, 1, &next);
	rig_committed(&r, 1, START_MS, NULL);
	cr_assert(hash_equal(&consensus_get_epoch(r.c)->set->hash, &second.hash));
	rig_end(&r);
}

Test(corners, word_of_the_disk_that_was_not_asked_for_changes_nothing)
{
	struct rig r;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, true);
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = 2 });
	cr_assert(says(&r, CONSENSUS_TRACE_UNEXPECTED));
	cr_assert_not(rig_sends(&r, MESSAGE_PREPARE));
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = 1 });
	cr_assert(rig_sends(&r, MESSAGE_PREPARE));
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = 1 });
	cr_assert(says(&r, CONSENSUS_TRACE_UNEXPECTED));
	rig_end(&r);
}

Test(corners, forged_checkpoint_gives_way_to_the_true_one)
{
	struct rig r;
	struct checkpoint forged;

	rig_make(&r);
	rig_committed(&r, 5, START_MS + 500, NULL);
	rig_checkpoint(&r, 1, 5, 5);
	rig_checkpoint(&r, 2, 5, 5);
	/* Below what has its weight nothing is verified, until it is held against another. */
	forged = (struct checkpoint){ .height = 4, .block_hash = rig_hash(9), .validator = 3 };
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_CHECKPOINT, .checkpoint = &forged });
	rig_checkpoint(&r, 3, 4, 4);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_checkpoint(&r, 3, 4, 8);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE), "now it is the true one that is contradicted");
	rig_end(&r);
}

Test(corners, checkpoint_that_nobody_verified_pushes_out_none_that_was)
{
	struct rig r;
	struct checkpoint forged = { .validator = 1 };

	rig_make(&r);
	rig_committed(&r, 9, START_MS + 500, NULL);
	for (uint64_t height = 1; height <= 4; height++)
		rig_checkpoint(&r, 1, height, 1);
	rig_checkpoint(&r, 2, 9, 9);
	rig_checkpoint(&r, 3, 9, 9);
	for (forged.height = 5; forged.height <= 8; forged.height++)
		rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_CHECKPOINT, .checkpoint = &forged });
	rig_checkpoint(&r, 1, 1, 2);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_end(&r);
}

/* --- the highest certificate and its block --- */

Test(corners, prepared_block_outlives_other_proposals)
{
	struct rig r;
	struct certificate proof;
	struct message m;

	rig_make(&r);
	proof = rig_prepares(&r, 1, 0, 1);
	rig_prepare_in_view_0(&r, 1);
	rig_propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 2 });
	cr_assert(executes(&r, 2));
	rig_propose(&r, &(struct proposal){ .from = 3, .view = 2, .mark = 3 });
	cr_assert(executes(&r, 3));
	/* Carried over, it is the one to be executed; then it stands besides again. */
	rig_propose(&r, &(struct proposal){ .from = 1, .view = 4, .mark = 1, .claims = { 0, 1, 1, 1 }, .proof = &proof });
	cr_assert(executes(&r, 1));
	cr_assert(bytes_equal(rig_find(&r, CONSENSUS_EFFECT_EXECUTE)->execute.block.sealed, rig_block(1)));
	rig_propose(&r, &(struct proposal){ .from = 2, .view = 5, .mark = 2 });
	cr_assert(executes(&r, 2));
	rig_tick(&r, T0_MS << CONSENSUS_TIMEOUT_SHIFT_MAX);
	cr_assert(rig_persist(&r));
	cr_assert(rig_find_sent(&r, MESSAGE_VIEW_CHANGE, &m));
	cr_assert(m.view_change.has_prepared);
	cr_assert(bytes_equal(buf_bytes(&m.view_change.block), rig_block(1)));
	message_clear(&m);
	/* A block that is neither of the two is decided. */
	for (size_t key = 1; key < COUNT; key++)
		rig_vote(&r, MESSAGE_COMMIT, key, 5, 4);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_FETCHING);
	rig_end(&r);
}

/* --- others --- */

Test(corners, contradictions_beyond_what_one_step_says_are_said_when_they_come_again)
{
	struct rig r;
	size_t count = 0;

	rig_make_of(&r, 0x7f, NULL);
	for (size_t key = 1; key <= 5; key++)
		rig_vote(&r, MESSAGE_PREPARE, key, 0, 2);
	claim(&r, 1, 1, 0, 1); /* inside, keys 1 to 6 have prepared another block */
	for (size_t i = 0; i < r.effects.count; i++)
		count += r.effects.items[i].kind == CONSENSUS_EFFECT_EVIDENCE;
	cr_assert_eq(count, 4);
	rig_vote(&r, MESSAGE_PREPARE, 4, 0, 1);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE), "said");
	rig_vote(&r, MESSAGE_PREPARE, 5, 0, 1);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_end(&r);
}

Test(corners, highest_view_has_none_above)
{
	struct rig r;

	rig_make(&r);
	ask(&r, 1, CONSENSUS_VIEW_MAX);
	ask(&r, 2, CONSENSUS_VIEW_MAX);
	cr_assert_eq(rig_status(&r).view, CONSENSUS_VIEW_MAX);
	rig_persist(&r);
	rig_tick(&r, T0_MS << CONSENSUS_TIMEOUT_SHIFT_MAX);
	rig_tick(&r, T0_MS << CONSENSUS_TIMEOUT_SHIFT_MAX);
	cr_assert_eq(rig_status(&r).view, CONSENSUS_VIEW_MAX);
	cr_assert_gt(rig_find(&r, CONSENSUS_EFFECT_TIMER)->at_ms, r.now_ms, "nor is a step due for it");
	rig_end(&r);
}

Test(corners, clock_that_is_set_back_keeps_nobody_waiting_for_a_block)
{
	struct rig r;

	rig_make(&r);
	rig_committed(&r, 1, START_MS, NULL);
	ask(&r, 1, 1);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_SERVE));
	ask(&r, 1, 1);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_SERVE));
	r.now_ms -= 100000;
	ask(&r, 1, 1);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_SERVE));
	rig_end(&r);
}

/* The signer fails when the view is left and has recovered when a block is due: what is made again
 * after a restart is of that view, and the commit below it stays what it was. */
Test(corners, proposal_after_a_signer_that_failed_is_made_again)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	struct rig r;
	struct buf whole = { 0 }, sealed = { 0 };

	make_with_signer(&r);
	rig_prepare_in_view_0(&r, 1);
	signer_fails = true;
	ask(&r, 1, 3);
	ask(&r, 2, 3);
	check_unsigned(&r);
	cr_assert_eq(rig_status(&r).view, 3);
	signer_fails = false;
	ask(&r, 3, 3);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_PROPOSE), "three of four, without ours");
	propose_own(&r, 2);
	consensus_sign_record(r.c, &whole);
	rig_restart(&r, &tip, &(struct consensus_epoch){ .set = &r.set });
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&whole), &sealed, NULL), OK);
	cr_assert(bytes_equal(buf_bytes(&sealed), rig_block(2)));
	rig_tick(&r, 0);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_PROPOSE));
	propose_own(&r, 2);
	cr_assert(rig_persist(&r));
	cr_assert(rig_sends(&r, MESSAGE_PRE_PREPARE));
	cr_assert(rig_sends(&r, MESSAGE_PREPARE));
	cr_assert_not(rig_sends(&r, MESSAGE_COMMIT));
	buf_clear(&whole);
	buf_clear(&sealed);
	rig_end(&r);
}
