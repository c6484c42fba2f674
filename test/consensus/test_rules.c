/* One machine of four, driven by hand: the rules that random runs reach seldom. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "consensus/rig.h"

/* --- the rules --- */

Test(rules, lock_does_not_outlive_its_view)
{
	struct rig r;

	rig_make(&r);
	rig_prepare_in_view_0(&r, 1);
	rig_propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 2 });
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE), "a justified proposal binds who has prepared another");
	rig_executed(&r, 2, true);
	cr_assert(rig_persist(&r));
	cr_assert(rig_sends(&r, MESSAGE_PREPARE));
	rig_end(&r);
}

Test(rules, highest_certificate_goes_into_every_view_change_with_its_block)
{
	struct rig r;
	struct message m;

	rig_make(&r);
	rig_prepare_in_view_0(&r, 1);
	rig_propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 2 });
	rig_executed(&r, 2, true);
	rig_persist(&r);
	rig_tick(&r, 2 * T0_MS);
	cr_assert(rig_persist(&r));
	cr_assert(rig_find_sent(&r, MESSAGE_VIEW_CHANGE, &m));
	cr_assert_eq(m.view_change.view, 2);
	cr_assert(m.view_change.has_prepared);
	cr_assert_eq(m.view_change.prepared_view, 0);
	cr_assert(bytes_equal(buf_bytes(&m.view_change.block), rig_block(1)));
	cr_assert_eq(message_check(&m, &r.set, NULL), OK);
	message_clear(&m);
	rig_end(&r);
}

Test(rules, own_commit_counts_only_when_it_is_durable)
{
	struct rig r;
	uint64_t number;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	rig_executed(&r, 1, true);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_SEND));
	number = rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.number;
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 1);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_COMMIT));
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = number });
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_COMMIT));
	cr_assert_eq(rig_status(&r).height, 2);
	rig_end(&r);
}

Test(rules, commits_of_others_make_a_block_final)
{
	struct rig r;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 3, 0, 1);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_COMMIT), "not before it has executed here");
	rig_executed(&r, 1, true);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_COMMIT));
	rig_end(&r);
}

/* Validators 1 and 2 ask for this view, too: with ours they are a quorum. */
static void follow_with_two(struct rig *r, uint64_t view)
{
	for (size_t i = 1; i <= 2; i++) {
		struct message m = rig_view_change(r, i, view, 0, 0, NULL);

		rig_give(r, &m);
	}
}

/* --- sent once more --- */

static bool gives_same(const struct rig *r, enum message_kind kind, const struct signature *sig)
{
	struct message m;
	bool is_same;

	if (!rig_find_sent(r, kind, &m))
		return false;
	is_same = memcmp(message_signature(&m), sig, sizeof(*sig)) == 0;
	message_clear(&m);
	return is_same;
}

static struct signature sent_signature(const struct rig *r, enum message_kind kind)
{
	struct signature s;
	struct message m;

	cr_assert(rig_find_sent(r, kind, &m));
	s = *message_signature(&m);
	message_clear(&m);
	return s;
}

/* For whoever was not there when they went out. */
Test(rules, votes_are_sent_once_more_in_their_view)
{
	struct rig r;
	struct signature prepare, commit;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, true);
	cr_assert(rig_persist(&r));
	prepare = sent_signature(&r, MESSAGE_PREPARE);
	rig_tick(&r, 100);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	cr_assert(rig_persist(&r));
	commit = sent_signature(&r, MESSAGE_COMMIT);
	rig_tick(&r, T0_MS / 2 - 101);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_SEND));
	rig_tick(&r, 1);
	cr_assert(gives_same(&r, MESSAGE_PREPARE, &prepare));
	cr_assert_not(rig_sends(&r, MESSAGE_COMMIT), "not yet");
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_PERSIST), "nothing is signed anew");
	rig_tick(&r, 100);
	cr_assert(gives_same(&r, MESSAGE_COMMIT, &commit));
	cr_assert_not(rig_sends(&r, MESSAGE_PREPARE), "once");
	rig_tick(&r, T0_MS / 4);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_SEND), "once");
	rig_end(&r);
}

Test(rules, votes_are_not_sent_again_in_another_view_or_at_another_height)
{
	struct rig r;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, true);
	cr_assert(rig_persist(&r));
	follow_with_two(&r, 2);
	cr_assert_eq(rig_status(&r).view, 2);
	cr_assert(rig_persist(&r));
	rig_tick(&r, T0_MS / 2);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_SEND));
	rig_end(&r);

	rig_make(&r);
	rig_prepare_in_view_0(&r, 1);
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 1);
	cr_assert_eq(rig_status(&r).height, 2);
	rig_tick(&r, T0_MS / 2);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_SEND));
	rig_end(&r);
}

Test(rules, proposal_is_sent_once_more_in_its_view)
{
	struct rig r;
	struct consensus_event e = { .kind = CONSENSUS_EVENT_PROPOSED };
	struct signature proposal;
	struct message m;

	rig_make(&r);
	for (size_t key = 1; key <= 2; key++) {
		m = rig_view_change(&r, key, 3, 0, 0, NULL);
		rig_give(&r, &m);
	}
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_PROPOSE));
	e.proposed = (struct consensus_block){ .hash = rig_hash(1), .time_ms = START_MS, .sealed = rig_block(1) };
	rig_step(&r, e);
	cr_assert(rig_persist(&r));
	proposal = sent_signature(&r, MESSAGE_PRE_PREPARE);
	rig_tick(&r, T0_MS / 2);
	cr_assert(gives_same(&r, MESSAGE_PRE_PREPARE, &proposal));
	cr_assert(rig_sends(&r, MESSAGE_PREPARE));
	rig_tick(&r, T0_MS / 2);
	cr_assert_not(rig_sends(&r, MESSAGE_PRE_PREPARE), "once, however long the view is");
	rig_end(&r);
}

Test(rules, clock_that_is_set_back_delays_no_repetition)
{
	struct rig r;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, true);
	cr_assert(rig_persist(&r));
	r.now_ms -= 3600000;
	rig_tick(&r, 0);
	rig_tick(&r, T0_MS / 2);
	cr_assert(rig_sends(&r, MESSAGE_PREPARE));
	rig_end(&r);
}

/* Found by weft-sim, seed 20647: of three that were left one stayed a view ahead of the
 * two others for ever, when the time-outs had reached their cap. */
Test(rules, view_without_a_quorum_does_not_time_out)
{
	struct rig r;

	rig_make(&r);
	rig_tick(&r, 30000);
	rig_tick(&r, T0_MS);
	cr_assert_eq(rig_status(&r).view, 1);
	for (int i = 0; i < 200; i++)
		rig_tick(&r, T0_MS);
	cr_assert_eq(rig_status(&r).view, 1, "nobody else is here yet");
	follow_with_two(&r, 1);
	rig_tick(&r, 2 * T0_MS - 1);
	cr_assert_eq(rig_status(&r).view, 1);
	rig_tick(&r, 1);
	cr_assert_eq(rig_status(&r).view, 2);
	rig_end(&r);
}

Test(rules, time_outs_double_to_a_cap)
{
	struct rig r;

	rig_make(&r);
	rig_tick(&r, 30000);
	for (unsigned view = 0; view < 12; view++) {
		uint64_t timeout_ms = T0_MS << MIN(view, 6u);

		if (view > 0)
			follow_with_two(&r, view);
		rig_tick(&r, timeout_ms - 1);
		cr_assert_eq(rig_status(&r).view, view);
		rig_tick(&r, 1);
		cr_assert_eq(rig_status(&r).view, view + 1);
	}
	rig_end(&r);
}

Test(rules, one_view_change_moves_nobody_two_of_four_move_to_the_smaller)
{
	struct rig r;
	struct message m;

	rig_make(&r);
	m = rig_view_change(&r, 1, 1000, 0, 0, NULL);
	rig_give(&r, &m);
	cr_assert_eq(rig_status(&r).view, 0);
	m = rig_view_change(&r, 2, 3, 0, 0, NULL);
	rig_give(&r, &m);
	cr_assert_eq(rig_status(&r).view, 3);
	rig_end(&r);
}

Test(rules, view_above_the_cap_is_not_kept)
{
	struct rig r;

	rig_make(&r);
	for (size_t i = 1; i < COUNT; i++) {
		struct message m = rig_view_change(&r, i, UINT64_MAX, 0, 0, NULL);

		rig_give(&r, &m);
	}
	cr_assert_eq(rig_status(&r).view, 0);
	rig_end(&r);
}

Test(rules, votes_far_above_do_not_push_out_those_of_this_view)
{
	struct rig r;

	rig_make(&r);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, CONSENSUS_VIEW_COUNT, 9);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, true);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_COMMITTING);
	rig_end(&r);
}

Test(rules, nothing_is_signed_below_the_view_asked_for)
{
	struct rig r;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_tick(&r, T0_MS);
	cr_assert(rig_persist(&r));
	cr_assert(rig_sends(&r, MESSAGE_VIEW_CHANGE));
	rig_executed(&r, 1, true);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 1);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_PERSIST));
	rig_end(&r);
}

Test(rules, clock_does_not_count_once_a_quorum_has_prepared)
{
	struct rig r;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EXECUTE)->execute.is_reproposal);
	rig_executed(&r, 1, false);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 1);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE)->execute.is_reproposal);
	rig_executed(&r, 1, true);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_COMMITTING);
	rig_end(&r);
}

Test(rules, block_that_a_quorum_committed_and_that_does_not_execute_here_is_said)
{
	struct rig r;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, false);
	for (size_t i = 1; i < COUNT; i++)
		rig_vote(&r, MESSAGE_COMMIT, i, 0, 1);
	rig_executed(&r, 1, false);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_COMMIT));
	cr_assert_eq(r.effects.items[r.effects.count - 1].trace, CONSENSUS_TRACE_DIVERGED);
	rig_end(&r);
}

/* --- what justifies a proposal --- */

static void expect_refused(struct rig *r, const struct proposal *p)
{
	rig_propose(r, p);
	cr_assert_not(rig_find(r, CONSENSUS_EFFECT_EXECUTE), "proposal of %zu in view %llu", p->from,
		      (unsigned long long)p->view);
	cr_assert_eq(rig_status(r).view, 0);
}

Test(rules, proposal_is_believed_only_from_its_leader)
{
	struct rig r;

	rig_make(&r);
	expect_refused(&r, &(struct proposal){ .from = 2, .mark = 1 });
	expect_refused(&r, &(struct proposal){ .from = 3, .view = 1, .mark = 1 });
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	rig_end(&r);
}

Test(rules, new_view_needs_a_quorum_of_view_changes)
{
	struct rig r;

	rig_make(&r);
	expect_refused(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1, .first = 2 });
	rig_propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1 });
	cr_assert_eq(rig_status(&r).view, 1);
	rig_end(&r);
}

Test(rules, new_view_carries_the_block_of_the_highest_claim)
{
	struct rig r;
	struct certificate low, high;

	rig_make(&r);
	low = rig_prepares(&r, 1, 0, 1);
	high = rig_prepares(&r, 1, 1, 2);
	/* The lower claim's block; the higher one's without prepares for it. */
	expect_refused(&r, &(struct proposal){ .from = 3, .view = 2, .mark = 1, .claims = { 0, 1, 2, 0 },
					       .claim_views = { 0, 0, 1, 0 }, .proof = &low });
	expect_refused(&r, &(struct proposal){ .from = 3, .view = 2, .mark = 2, .claims = { 0, 1, 2, 0 },
					       .claim_views = { 0, 0, 1, 0 }, .proof = &low });
	/* Two hashes for one view. */
	expect_refused(&r, &(struct proposal){ .from = 3, .view = 2, .mark = 2, .claims = { 0, 1, 2, 0 },
					       .claim_views = { 0, 1, 1, 0 }, .proof = &high });
	rig_propose(&r, &(struct proposal){ .from = 3, .view = 2, .mark = 2, .claims = { 0, 1, 2, 0 },
					.claim_views = { 0, 0, 1, 0 }, .proof = &high });
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE)->execute.is_reproposal);
	rig_end(&r);
}

Test(rules, claim_needs_a_quorum_of_valid_prepares)
{
	struct rig r;
	struct certificate few, forged;
	struct message m;

	rig_make(&r);
	few = rig_prepares(&r, 2, 0, 1);
	forged = rig_prepares(&r, 1, 0, 1);
	forged.signatures[1].r[7] ^= 1;
	expect_refused(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1, .claims = { 0, 1, 0, 0 },
					       .proof = &few });
	expect_refused(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1, .claims = { 0, 1, 0, 0 },
					       .proof = &forged });
	/* And a view-change that claims so counts for nothing. */
	m = rig_view_change(&r, 1, 1, 0, 1, &few);
	rig_give(&r, &m);
	m = rig_view_change(&r, 2, 1, 0, 1, &forged);
	rig_give(&r, &m);
	cr_assert_eq(rig_status(&r).view, 0);
	rig_end(&r);
}

Test(rules, leader_proposes_the_highest_claim_again)
{
	struct rig r;
	struct certificate low, high;
	struct message m;

	rig_make(&r);
	low = rig_prepares(&r, 1, 0, 1);
	high = rig_prepares(&r, 1, 1, 2);
	m = rig_view_change(&r, 1, 3, 0, 1, &low);
	rig_give(&r, &m);
	m = rig_view_change(&r, 2, 3, 1, 2, &high);
	rig_give(&r, &m);
	cr_assert_eq(rig_status(&r).view, 3);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	rig_executed(&r, 2, true);
	cr_assert(rig_persist(&r));
	cr_assert(rig_find_sent(&r, MESSAGE_PRE_PREPARE, &m));
	cr_assert_eq(message_check(&m, &r.set, NULL), OK);
	cr_assert_eq(m.pre_prepare.view_change_count, 3);
	cr_assert(bytes_equal(buf_bytes(&m.pre_prepare.block), rig_block(2)));
	message_clear(&m);
	rig_end(&r);
}

/* --- behind, ahead, false --- */

Test(rules, commit_forces_normal_mode)
{
	struct rig r;
	struct consensus_event e = { .kind = CONSENSUS_EVENT_COMMITTED };

	rig_make(&r);
	rig_tick(&r, 30000);
	rig_tick(&r, T0_MS);
	follow_with_two(&r, 1);
	rig_tick(&r, 2 * T0_MS);
	cr_assert_eq(rig_status(&r).view, 2);
	e.committed = (struct consensus_tip){ .height = 4, .time_ms = r.now_ms, .empty_count = CONFIRMATION_COUNT };
	rig_step(&r, e);
	cr_assert_eq(rig_status(&r).view, 0);
	cr_assert_eq(rig_status(&r).height, 5);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_IDLE);
	rig_end(&r);
}

Test(rules, message_far_above_is_a_hint_and_one_below_is_served)
{
	struct rig r;
	struct message m = { .kind = MESSAGE_PREPARE };
	struct consensus_event e = { .kind = CONSENSUS_EVENT_COMMITTED };

	rig_make(&r);
	m.vote = (struct vote){ .kind = MESSAGE_PREPARE, .height = 500, .validator = 2 };
	rig_give(&r, &m);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_BEHIND), "its signature is not one");
	rig_sign_as(&r, 2, &m);
	rig_give(&r, &m);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_BEHIND));
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_BEHIND)->peer.address.bytes[0], 3);
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_BEHIND)->peer.height, 499);
	e.committed = (struct consensus_tip){ .height = 4, .time_ms = r.now_ms };
	rig_step(&r, e);
	m = rig_view_change(&r, 3, 1, 0, 0, NULL);
	rig_give(&r, &m);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_SERVE));
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_SERVE)->peer.height, 1);
	rig_end(&r);
}

Test(rules, two_values_at_one_position_are_evidence_once)
{
	struct rig r;
	const struct consensus_effect *e;
	struct consensus_evidence found;

	rig_make(&r);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 2);
	e = rig_find(&r, CONSENSUS_EFFECT_EVIDENCE);
	cr_assert(e);
	cr_assert_eq(consensus_check_evidence(&r.config, &r.set, e->evidence.first, e->evidence.second, &found, NULL),
		     OK);
	cr_assert_eq(found.validator, 2);
	cr_assert_eq(consensus_check_evidence(&r.config, &r.set, e->evidence.first, e->evidence.first, &found, NULL),
		     CONSENSUS_E_EVIDENCE);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 3);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_end(&r);
}

Test(rules, message_under_our_own_key_is_said)
{
	struct rig r;

	rig_make(&r);
	rig_vote(&r, MESSAGE_PREPARE, 0, 0, 1);
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_TRACE)->trace, CONSENSUS_TRACE_TWIN);
	rig_end(&r);
}

Test(rules, status_names_who_is_missing)
{
	struct rig r;
	struct consensus_status s;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed(&r, 1, true);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	consensus_get_status(r.c, &s);
	cr_assert_eq(s.phase, CONSENSUS_PREPARING);
	cr_assert_eq(s.waited_for.bytes[0], 0x0a);
	cr_assert_eq(s.missing.n, 1);
	cr_assert_eq(s.proposer, 1);
	cr_assert(s.has_deadline);
	cr_assert_eq(s.last_seen_ms[2], r.now_ms);
	cr_assert_eq(s.last_seen_ms[3], 0);
	rig_end(&r);
}
