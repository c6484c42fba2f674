/* Sets that change: who acts, who counts, what is dropped. */
#include <criterion/criterion.h>

#include "consensus/rig.h"

#define KEYS(a, b, c, d) (1u << (a) | 1u << (b) | 1u << (c) | 1u << (d))

/* Height 1 is agreed on by keys 0 - 3; its block says who decides height 2. */
static void agree_on_height_1(struct rig *r, const struct consensus_epoch *next)
{
	rig_propose(r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed_next(r, 1, next);
	cr_assert(rig_persist(r));
	rig_vote(r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(r, MESSAGE_PREPARE, 2, 0, 1);
	cr_assert(rig_persist(r));
	rig_vote(r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(r, MESSAGE_COMMIT, 2, 0, 1);
	cr_assert(rig_find(r, CONSENSUS_EFFECT_COMMIT));
	cr_assert_eq(rig_status(r).height, 2);
}

static void turn(struct rig *r, const struct validator_set *set, uint64_t height)
{
	r->set = *set;
	r->height = height;
}

Test(epoch, set_of_the_next_height_comes_with_the_block)
{
	struct rig r;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };

	rig_make(&r);
	rig_set(&later, KEYS(0, 2, 4, 5), NULL);
	agree_on_height_1(&r, &next);
	cr_assert_eq(consensus_get_epoch(r.c)->number, 1);
	cr_assert_eq(consensus_get_epoch(r.c)->set->count, 4);
	cr_assert(consensus_get_epoch(r.c)->set != &later, "copied");
	/* Key 1 is out; 4 and 5 are in. Index (2 + 0) % 4 = 2 is key 4's. */
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 2);
	turn(&r, &later, 2);
	rig_propose(&r, &(struct proposal){ .from = 4, .mark = 2 });
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	rig_executed(&r, 2, true);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_PREPARE, 4, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_PREPARING);
	rig_vote(&r, MESSAGE_PREPARE, 5, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_COMMITTING);
	rig_end(&r);
}

Test(epoch, weights_change_the_quorum)
{
	struct rig r;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };

	rig_make(&r);
	rig_set(&later, KEYS(0, 1, 2, 3), (const uint64_t[]){ 1, 1, 1, 6 }); /* T 9, f 2, Q 7 */
	agree_on_height_1(&r, &next);
	turn(&r, &later, 2);
	rig_propose(&r, &(struct proposal){ .from = 2, .mark = 2 });
	rig_executed(&r, 2, true);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 2);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_PREPARING, "three of four weigh three of nine");
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_COMMITTING);
	rig_end(&r);
}

/* Votes of the next height that came before its set was known are of another set; those that came
 * after count. */
Test(epoch, early_messages_count_only_under_the_set_that_decides)
{
	struct rig r;
	struct validator_set present, later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };

	rig_make(&r);
	present = r.set;
	rig_set(&later, KEYS(0, 2, 4, 5), NULL);
	r.height = 2;
	rig_propose(&r, &(struct proposal){ .from = 2, .mark = 2 });
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 2);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 2);
	r.height = 1;
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed_next(&r, 1, &next);
	cr_assert(rig_persist(&r));
	/* Now it is known. */
	turn(&r, &later, 2);
	rig_propose(&r, &(struct proposal){ .from = 4, .mark = 3 });
	rig_vote(&r, MESSAGE_PREPARE, 4, 0, 3);
	rig_vote(&r, MESSAGE_PREPARE, 5, 0, 3);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_SIGNATURE), 0);
	turn(&r, &present, 1);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 1);
	cr_assert_eq(rig_status(&r).height, 2);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	cr_assert(hash_equal(&rig_find(&r, CONSENSUS_EFFECT_EXECUTE)->execute.block.hash,
			     &(struct hash[]){ rig_hash(3) }[0]), "the one of the set that decides");
	rig_executed(&r, 3, true);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_COMMITTING, "two early prepares and ours");
	rig_end(&r);
}

Test(epoch, who_is_no_member_is_passive)
{
	struct rig r;
	struct validator_set later, last;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };
	struct consensus_status s;

	rig_make(&r);
	rig_set(&later, KEYS(1, 2, 3, 4), NULL);
	agree_on_height_1(&r, &next);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_PASSIVE);
	turn(&r, &later, 2);
	rig_tick(&r, 1000000);
	cr_assert_eq(r.effects.count, 0, "nothing is due, nothing times out");
	rig_propose(&r, &(struct proposal){ .from = 3, .mark = 2 });
	for (size_t key = 1; key <= 4; key++)
		rig_vote(&r, MESSAGE_COMMIT, key, 0, 2);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_PASSIVE), 5);
	cr_assert_eq(rig_status(&r).height, 2);
	consensus_get_status(r.c, &s);
	cr_assert_not(s.is_member);
	cr_assert_eq(s.epoch, 1);
	/* It hears that the others are ahead. */
	r.height = 9;
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 2);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_BEHIND));
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_BEHIND)->peer.address.bytes[0], 3);
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_BEHIND)->peer.height, 8);
	/* And acts again as soon as a set has it, at its new index. */
	rig_set(&last, KEYS(0, 2, 3, 4), NULL);
	rig_committed(&r, 8, r.now_ms, &(struct consensus_epoch){ .number = 2, .first = 9, .set = &last });
	consensus_get_status(r.c, &s);
	cr_assert(s.is_member);
	turn(&r, &last, 9); /* index 9 % 4 = 1 leads: key 2 */
	rig_propose(&r, &(struct proposal){ .from = 2, .mark = 9 });
	rig_executed(&r, 9, true);
	cr_assert(rig_persist(&r));
	cr_assert(rig_sends(&r, MESSAGE_PREPARE));
	rig_end(&r);
}

Test(epoch, commit_that_jumps_over_epochs_takes_the_last)
{
	struct rig r;
	struct validator_set later;
	struct checkpoint p = { .height = 3 };

	rig_make(&r);
	rig_set(&later, KEYS(0, 1, 2, 5), NULL);
	rig_committed(&r, 20, START_MS, &(struct consensus_epoch){ .number = 4, .first = 17, .set = &later });
	cr_assert_eq(consensus_get_epoch(r.c)->number, 4);
	cr_assert_eq(rig_status(&r).height, 21);
	/* Of heights between nothing is known. */
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_CHECKPOINT, .checkpoint = &p });
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_HEIGHT_PAST), 1);
	rig_end(&r);
}

/* The set of the height below is still known: its view-changes are served, its late votes read. */
Test(epoch, height_below_is_judged_by_its_own_set)
{
	struct rig r;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };
	struct message m;

	rig_make(&r);
	rig_set(&later, KEYS(0, 2, 4, 5), NULL);
	agree_on_height_1(&r, &next);
	m = rig_view_change(&r, 3, 1, 0, 0, NULL);
	rig_give(&r, &m);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_SERVE));
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_SERVE)->peer.address.bytes[0], 4);
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 2);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE)->evidence.signer.bytes[0], 2);
	rig_end(&r);
}

/* --- the log --- */

static struct buf copy_of(struct bytes b)
{
	struct buf copy = { 0 };

	buf_append_bytes(&copy, b);
	return copy;
}

/* A record is of its height's set: the index in it may be another one now, and the set unknown. */
Test(epoch, records_outlive_their_set)
{
	struct rig r;
	struct validator_set present, later, last;
	struct buf below, here, whole = { 0 }, sealed = { 0 };
	struct consensus_epoch epochs[3];
	struct consensus_tip tip = { .height = 1, .time_ms = START_MS };
	struct err err = { 0 };

	rig_set(&present, KEYS(0, 1, 2, 3), NULL);
	rig_make(&r);
	r.set = present;
	epochs[0] = (struct consensus_epoch){ .set = &present };
	/* Our index does not move here, since key 0 is the lowest address; theirs do. */
	rig_set(&later, KEYS(0, 2, 4, 5), NULL);
	epochs[1] = (struct consensus_epoch){ .number = 1, .first = 2, .set = &later };
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed_next(&r, 1, &epochs[1]);
	below = copy_of(rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.record);
	rig_restart(&r, &tip, &epochs[1]);
	turn(&r, &later, 2);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), OK, "%s", err.message);
	rig_propose(&r, &(struct proposal){ .from = 4, .mark = 2 });
	rig_executed(&r, 2, true);
	here = copy_of(rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.record);
	cr_assert(rig_persist(&r));

	rig_restart(&r, &tip, &epochs[1]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&here), &sealed, &err), OK, "%s", err.message);
	rig_tick(&r, 0);
	cr_assert(rig_sends(&r, MESSAGE_PREPARE));

	/* The chain says that another set decides height 2. */
	rig_set(&last, KEYS(0, 2, 4, 6), NULL);
	epochs[2] = (struct consensus_epoch){ .number = 1, .first = 2, .set = &last };
	rig_restart(&r, &tip, &epochs[2]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&here), &sealed, &err), CONSENSUS_E_RECORD);
	cr_assert(strstr(err.message, "another set"), "%s", err.message);

	/* Later, out of the set: nothing binds, and the sign record goes on. */
	tip.height = 2;
	epochs[2] = (struct consensus_epoch){ .number = 2, .first = 3, .set = &last };
	rig_set(&last, KEYS(1, 2, 4, 6), NULL);
	rig_restart(&r, &tip, &epochs[2]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&here), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), CONSENSUS_E_RECORD, "it goes back");
	consensus_sign_record(r.c, &whole);
	rig_restart(&r, &tip, &epochs[2]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&whole), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), CONSENSUS_E_RECORD, "it goes back");
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_PASSIVE);

	/* And a record under another's key is refused at any height. */
	r.config.self.bytes[0] = 9;
	rig_restart(&r, &tip, &epochs[2]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), CONSENSUS_E_RECORD);
	cr_assert(strstr(err.message, "the key that wrote it"), "%s", err.message);
	buf_clear(&below);
	buf_clear(&here);
	buf_clear(&whole);
	buf_clear(&sealed);
	rig_end(&r);
}

/* --- turns --- */

/* The machine's own round robin is the one that anyone can compute. */
Test(epoch, turns_are_those_of_the_weighted_round_robin)
{
	struct rig r;
	struct validator_set later;
	const uint64_t weights[] = { 3, 1, 7, 2 };
	struct consensus_epoch epoch;
	struct consensus_status s;

	rig_make_of(&r, 15, weights);
	r.config.proposer = NULL;
	rig_set(&later, KEYS(0, 1, 2, 3), (const uint64_t[]){ 1, 5, 1, 1 });
	epoch = (struct consensus_epoch){ .first = 0, .set = &r.set };
	rig_restart(&r, &(struct consensus_tip){ .time_ms = START_MS }, &epoch);
	for (uint64_t h = 1; h < 60; h++) {
		const struct consensus_epoch *now = consensus_get_epoch(r.c);

		consensus_get_status(r.c, &s);
		cr_assert_eq(s.proposer, validator_set_proposer(now->set, now->first, h, 0), "height %llu",
			     (unsigned long long)h);
		if (h % 7 == 0) { /* a restart in the middle of an epoch comes to the same turn */
			struct validator_set set = *now->set;

			epoch = (struct consensus_epoch){ now->number, now->first, &set };
			rig_restart(&r, &(struct consensus_tip){ .height = h - 1, .time_ms = START_MS }, &epoch);
			consensus_get_status(r.c, &s);
			cr_assert_eq(s.proposer, validator_set_proposer(&set, epoch.first, h, 0));
		}
		rig_committed(&r, h, START_MS, h == 20 ? &(struct consensus_epoch){ 1, 21, &later } : NULL);
	}
	cr_assert_eq(consensus_get_epoch(r.c)->first, 21);
	rig_end(&r);
}

/* A view far above costs no walk to its turn before a quorum has signed that it is real: with
 * these weights the walk would not end. */
Test(epoch, far_view_is_refused_before_its_turn_is_sought)
{
	struct rig r;
	struct consensus_epoch epoch;
	struct view_change changes[COUNT];
	struct message m;
	const uint64_t weights[] = { (1ull << 40) - 1, (1ull << 40) - 3, 1ull << 39, 1 };

	rig_make_of(&r, 15, weights);
	r.config.proposer = NULL;
	epoch = (struct consensus_epoch){ .first = 0, .set = &r.set };
	rig_restart(&r, &(struct consensus_tip){ .time_ms = START_MS }, &epoch);
	m = rig_proposal(&r, &(struct proposal){ .from = 1, .view = CONSENSUS_VIEW_MAX, .mark = 1 }, changes);
	m.pre_prepare.view_changes[0].signature.r[0] ^= 1;
	rig_give(&r, &m);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_PROOF) + rig_refused(&r, CONSENSUS_REFUSAL_SIGNATURE), 1);
	rig_end(&r);
}
