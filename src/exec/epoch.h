/*
 * epoch - validator sets in state: which one decides a block, and when it changes.
 *
 *      epoch n                                  epoch n + 1
 *   ── first ─ … ─ h-1 ─────── h (its last) ──┬── h+1 = first ─ …
 *                   │               │         │
 *        the state after it says    │    decided by that set
 *        whether h is the last, and │
 *        which set comes next    system end makes it the present one;
 *                                the commitments name both
 *
 * The native contract `validators` (native.h) keeps two sets in its storage: the
 * present one, which decides blocks, and the next one, which the present set's votes
 * change. A block h of an epoch that began at `first` is its last if
 *
 *     h + 1 - first ≥ epochLength, or
 *     epochMs > 0 and the parent's time - the epoch's start ≥ epochMs
 *
 * and the gate is open. All of it, and the next set, is read from the state and the
 * header of h's parent: so the set of height h + 1 follows from state two blocks before
 * it, and is known before a transaction of h runs; what h's transactions vote counts
 * from the epoch after. The state after h shows the set of height h + 1 as present.
 *
 * Epoch 0 begins with genesis: first 0, its time, its validators.
 */
#ifndef WEFT_EXEC_EPOCH_H
#define WEFT_EXEC_EPOCH_H

#include "chain/epoch.h"
#include "state/view.h"

/* The epoch of height h + 1 from the state after h; and the next set as it stands
 * there. EXEC_E_MEDIUM if state can't be read, or does not hold a set. Cost: two slots
 * a member. */
int exec_read_epoch(const struct state_view *state, struct epoch *out, struct err *err);
int exec_read_next_set(const struct state_view *state, struct validator_set *out, struct err *err);

/* What the members of `present` have voted for one validator, where it differs from its
 * weight in `next` (0: it is none there): a vote that waits for others. */
struct exec_vote {
	struct addr validator;
	struct addr voter;
	uint64_t weight;
};

/* Gives the open votes in `state`, on at most `subject_max` validators: those that
 * were first voted on the latest. By validator, then by voter's rising address. Cost: a
 * slot for each pair of a validator that was ever voted on and a member, as bounded. */
typedef void (*exec_vote_fn)(void *arg, const struct exec_vote *vote);
int exec_each_open_vote(const struct state_view *state, const struct validator_set *present,
			const struct validator_set *next, size_t subject_max, exec_vote_fn fn,
			void *arg, struct err *err);

#endif
