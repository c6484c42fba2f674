/*
 * internal - the pool's parts: transactions in their senders' order, and the two
 * heaps that say who goes first when room is needed.
 *
 *   by_hash: hash -> tx        by_address: address -> struct sender
 *
 *   sender: entries by nonce   [ p p p | f f ]      p pending, f future
 *                                ^   ^     ^
 *                first: building ┘   │     └ last future: heap of the future
 *                                    └ last pending: heap of the pending
 *
 * A transaction's *score* is what it pays the proposer per gas at the base fee:
 * min(priority fee, max fee - base fee); negative if it does not pay the base fee.
 * Its *worth* is the least score of it and of all before it in its sender's
 * order, since it can't be mined before them: a well-paying transaction behind
 * one that nobody will take is worth nothing (the underpriced chains of MemPurge,
 * USENIX Security 2024). Worth never rises along a sender's order, so a sender's
 * last transaction is its least worthy, and the takeable ones are a prefix.
 *
 * Prices count up to 2^63-1 wei per gas (9 coins) in scores; above, they are equal.
 */
#ifndef WEFT_TXPOOL_INTERNAL_H
#define WEFT_TXPOOL_INTERNAL_H

#include "base/map.h"
#include "txpool/txpool.h"

struct entry {
	struct tx *tx;    /* the pool's reference */
	struct wei cost;  /* gas limit · max fee + value */
	int64_t fee, tip; /* max fee and priority fee, capped */
	int64_t worth;
	uint64_t arrival;
};

enum kind {
	PENDING,
	FUTURE,
};
#define KIND_COUNT 2

struct sender {
	struct addr address;
	struct txpool_account account;
	struct entry *entries; /* by rising nonce */
	size_t count, capacity;
	size_t pending_count;    /* the first so many are pending */
	size_t takeable_count;   /* of these, the first so many have worth ≥ 0 */
	struct wei pending_cost; /* the pending ones' together */
	size_t heap_index[KIND_COUNT];
};

struct rank {
	int64_t score;
	uint64_t arrival;
};

/* Higher score first, then earlier arrival. */
static inline bool rank_before(struct rank a, struct rank b)
{
	return a.score != b.score ? a.score > b.score : a.arrival < b.arrival;
}

/* What building needs stands in the item too, so that a cursor starts with one
 * pass over an array and touches no sender that it does not take from. */
struct heap_item {
	struct sender *sender;
	struct rank first; /* of the sender's first transaction, by score */
	struct rank last;  /* of its last of this kind, by worth */
};

/* A binary heap with the lowest `last` on top. */
struct heap {
	enum kind kind;
	struct heap_item *items;
	size_t count, capacity;
};

#define HEAP_ABSENT SIZE_MAX

void heap_put(struct heap *h, struct heap_item item); /* adds, or moves if it is there */
void heap_drop(struct heap *h, struct sender *s);     /* nothing if it is not there */
bool heap_check(const struct heap *h);

struct txpool {
	struct txpool_limits limits;
	struct map by_hash;    /* struct hash -> struct tx * */
	struct map by_address; /* struct addr -> struct sender * */
	struct heap heaps[KIND_COUNT];
	int64_t base_fee;
	uint64_t next_arrival;
	struct txpool_stats stats;
};

static inline int64_t entry_score(const struct entry *e, int64_t base_fee)
{
	return MIN(e->tip, e->fee - base_fee);
}

#endif
