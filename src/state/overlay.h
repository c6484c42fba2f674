/*
 * overlay - writes above a view, with snapshots: the state of a block while it
 * is executed.
 *
 *   writes -> [ overlay: accounts, slots, code, journal ] -> reads fall through -> view
 *
 * A snapshot is a position in the journal; reverting undoes every write after
 * it. At the end the overlay gives the difference to its view. Reads remember
 * what they read, so that the difference knows the values from before, and so
 * that no record is read twice in a block.
 *
 * No write allocates beyond the limits given to _new; STATE_E_LIMIT says so.
 */
#ifndef WEFT_STATE_OVERLAY_H
#define WEFT_STATE_OVERLAY_H

#include "state/diff.h"

struct overlay;

struct overlay_limits {
	size_t account_count; /* accounts read or written */
	size_t slot_count;    /* slots read or written */
};

/* An overlay above nothing yet; `seed` keys its tables (base/map.h). */
struct overlay *overlay_new(struct overlay_limits limits, uint64_t seed);
void overlay_free(struct overlay *o);

/* Forgets everything and starts above `view` (borrowed until the next reset). */
void overlay_reset(struct overlay *o, struct state_view view);

/* Accounts. Values are what the overlay holds, else the view. */
int overlay_account(struct overlay *o, struct account *out, const struct addr *address, struct err *err);
int overlay_set_balance(struct overlay *o, const struct addr *address, struct wei balance, struct err *err);
int overlay_set_nonce(struct overlay *o, const struct addr *address, uint64_t nonce, struct err *err);

/* Sets the code; `code` is copied. Its hash becomes the account's code hash. */
int overlay_set_code(struct overlay *o, const struct addr *address, struct bytes code, struct err *err);
int overlay_code(struct overlay *o, struct buf *out, const struct addr *address, struct err *err);

/* Takes the account away, with its storage: it then reads as account_empty and
 * every slot as 0. Only for an account that the view shows without storage, so
 * that every slot it has was written in this overlay (EIP-6780); else
 * STATE_E_LIMIT. */
int overlay_destroy(struct overlay *o, const struct addr *address, struct err *err);

int overlay_storage(struct overlay *o, struct u256 *out, const struct addr *address,
		    const struct hash *slot, struct err *err);
int overlay_set_storage(struct overlay *o, const struct addr *address, const struct hash *slot,
			const struct u256 *value, struct err *err);

/* The value at the start of the transaction, that is, at the last settlement:
 * what EIP-2200 calls the original value. */
int overlay_storage_original(struct overlay *o, struct u256 *out, const struct addr *address,
			     const struct hash *slot, struct err *err);

/* Adds to a balance, or takes from it; STATE_E_LIMIT on overflow or underflow. */
int overlay_add_balance(struct overlay *o, const struct addr *address, struct wei amount, struct err *err);
int overlay_sub_balance(struct overlay *o, const struct addr *address, struct wei amount, struct err *err);

/* A snapshot, and the way back to it. Reverting to an older one ends the newer.
 * Between two snapshots the journal grows by one entry a changed record at most. */
size_t overlay_snapshot(struct overlay *o);
void overlay_revert(struct overlay *o, size_t snapshot);

/* Forgets the journal: a transaction is over and can't be reverted any more. */
void overlay_settle(struct overlay *o);

/* The difference to the view. Empty accounts (EIP-161) are taken as gone, with
 * what was written to their storage; so an account that has storage and no code
 * (a native system contract) needs a nonce. An empty account whose storage is
 * older than this overlay stays. The caller owns *out (state_diff_clear). */
void overlay_diff(const struct overlay *o, struct state_diff *out);

/* The overlay itself as a view, for executing on top of it. Its accounts give the
 * storage root from before, since nobody has hashed the new one yet. */
struct state_view overlay_view(struct overlay *o);

#endif
