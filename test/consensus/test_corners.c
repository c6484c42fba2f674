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
