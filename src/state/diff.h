/*
 * diff - what a block changed: every account and slot that differs, with its
 * value before and after. Read forwards it takes the parent's state to the
 * block's, backwards the reverse; both are needed (commit, history, and taking
 * back a block that was executed and not agreed on).
 *
 * Accounts stand by rising address, slots by rising (address, slot); none twice;
 * none whose before equals its after. `storage_root` inside `after` is filled by
 * state_tree_apply(); until then it is the one from before.
 */
#ifndef WEFT_STATE_DIFF_H
#define WEFT_STATE_DIFF_H

#include "state/view.h"

struct account_change {
	struct addr address;
	struct account before; /* account_empty: it did not exist */
	struct account after;  /* account_empty: it is gone */
};

struct slot_change {
	struct addr address;
	struct hash slot;
	struct u256 before, after;
};

struct code_entry {
	struct hash code_hash;
	struct bytes code; /* owned by the difference */
};

struct state_diff {
	struct account_change *accounts;
	size_t account_count;
	struct slot_change *slots;
	size_t slot_count;
	struct code_entry *codes; /* new code, by rising hash */
	size_t code_count;
};

void state_diff_clear(struct state_diff *d);

/* rlp of all of it (before and after), for the commit log; and back, bounded by
 * the input's size. Decoding checks the order. */
void state_diff_encode(struct buf *out, const struct state_diff *d);
int state_diff_decode(struct state_diff *out, struct bytes rlp, struct err *err);

/* Swaps before and after everywhere: the difference that takes `d` back. Code
 * entries stay (code is addressed by its hash and harmless to keep). */
void state_diff_reverse(struct state_diff *d);

#endif
