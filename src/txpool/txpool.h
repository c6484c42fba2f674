/*
 * txpool - transactions that wait for a block.
 *
 *   sender A:  [5][6][7]   [9]        pending: consecutive from the account's nonce
 *               pending     future    future: behind a gap
 *   sender B:  [0][1]
 *
 *   order: the senders' first pending transactions by effective priority fee,
 *          then arrival; a sender's transactions always in nonce order
 *
 * Invariants (checked by txpool_check() under --enable-verify):
 * - per sender, nonces are unique; pending ones are consecutive from the nonce in
 *   the newest state, and the balance covers the full cost of all pending ones
 *   together; every other one is future.
 * - count and bytes stay below the caps, future ones below a cap of their own.
 * - a future transaction never evicts a pending one (DETER, CCS 2021). When full,
 *   first the least worthy future one goes, then the least worthy last pending
 *   one of some sender, and that only for one that is worth more; a newcomer
 *   evicts at most 64. A transaction is worth what it or one before it of its
 *   sender pays the proposer, whichever is less, so a well-paying one behind one
 *   that nobody takes holds no place (MemPurge, USENIX Security 2024).
 * - a replacement (same sender and nonce) needs 10 % more (at least 1 wei) in both
 *   fee and priority fee, and leaves the later pending ones covered.
 *
 * Pure: state comes in as the account the caller read; time is not needed. Not a
 * step(state, event, effects) machine like consensus: every operation is a
 * question with an immediate answer, and nothing is ever sent or timed.
 */
#ifndef WEFT_TXPOOL_TXPOOL_H
#define WEFT_TXPOOL_TXPOOL_H

#include "chain/tx.h"

enum txpool_error {
	TXPOOL_E_KNOWN = ERR_BASE_TXPOOL, /* "already known" */
	TXPOOL_E_NONCE_LOW,               /* "nonce too low: next nonce 7, tx nonce 5" */
	TXPOOL_E_FUNDS,                   /* "insufficient funds for gas * price + value: …" */
	TXPOOL_E_UNDERPRICED,             /* "transaction underpriced": below the floor, or of all */
	TXPOOL_E_REPLACEMENT,             /* "replacement transaction underpriced" */
	TXPOOL_E_SENDER_FULL,             /* too many of one sender */
	TXPOOL_E_FULL,                    /* no room for future transactions */
	TXPOOL_E_GAP,                     /* nonce too far ahead of the account's */
};

struct txpool_limits {
	size_t tx_count;
	size_t size;            /* bytes of envelopes */
	size_t sender_tx_count;
	size_t future_count;
	struct wei fee_floor;   /* max_fee below it is refused (the chain's base fee floor) */
};

struct txpool;

struct txpool *txpool_new(struct txpool_limits limits, uint64_t seed);
void txpool_free(struct txpool *p);

/* What the newest state says of a sender. */
struct txpool_account {
	uint64_t nonce;
	struct wei balance;
};

/* Adds a transaction whose sender is known and which tx_check() passed; takes a
 * reference of its own. `account` is the sender's in the newest state; if it is not
 * what the pool knew, this counts as txpool_update() first. *evicted (may be NULL)
 * receives how many others had to go. On failure nothing changed. About 1 µs. */
int txpool_add(struct txpool *p, struct tx *t, const struct txpool_account *account,
	       size_t *evicted, struct err *err);

/* A sender's account changed (a block was committed): drops what is mined or costs
 * more than the whole balance, makes future what the balance no longer covers
 * together with those before, and promotes what now follows. Call for every
 * sender of the block, and for every account that gained or lost balance; cheap
 * for an address without transactions. */
void txpool_update(struct txpool *p, const struct addr *sender,
		   const struct txpool_account *account);

/* The base fee of the next block: order and what is takeable depend on it. */
void txpool_set_base_fee(struct txpool *p, struct wei base_fee);

/* Takes a transaction out, and what depended on it back to future. False if it is
 * not here. */
bool txpool_remove(struct txpool *p, const struct hash *hash);

/* --- building a block --- */

/* Walks the pending transactions that pay the base fee, best first; each sender's
 * in nonce order. The pool must not change meanwhile. A new cursor looks once at
 * every sender (about 10 ns each); a step costs the logarithm of their number. */
struct txpool_cursor;
struct txpool_cursor *txpool_cursor_new(struct txpool *p);
struct tx *txpool_cursor_next(struct txpool_cursor *c); /* borrowed; NULL at the end */
void txpool_cursor_skip_sender(struct txpool_cursor *c); /* of the last one given */
void txpool_cursor_free(struct txpool_cursor *c);

/* --- questions --- */

/* A new reference, or NULL. */
struct tx *txpool_get(struct txpool *p, const struct hash *hash);

/* The nonce after the sender's pending transactions, or `state_nonce` if it has none. */
uint64_t txpool_next_nonce(const struct txpool *p, const struct addr *sender, uint64_t state_nonce);

struct txpool_stats {
	size_t pending_count, future_count, sender_count, size;
	uint64_t added_total, replaced_total, evicted_total, refused_total;
	size_t takeable_count; /* what a cursor gives: pending, and all up to it pay the base fee */
};
void txpool_get_stats(const struct txpool *p, struct txpool_stats *out);

/* Visits everything, by sender and nonce; `pending` says which kind. */
void txpool_each(struct txpool *p, void (*fn)(void *ctx, struct tx *t, bool pending), void *ctx);

/* Walks the invariants above; used through VERIFY. */
bool txpool_check(const struct txpool *p);

#endif
