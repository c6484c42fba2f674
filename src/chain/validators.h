/*
 * validators - the set of validators, its weights and quorums.
 *
 *   T = total weight,  f = ⌊(T-1)/3⌋,  Q = T - f
 *
 * Two sets of weight Q share more than f weight, hence a correct validator.
 */
#ifndef WEFT_CHAIN_VALIDATORS_H
#define WEFT_CHAIN_VALIDATORS_H

#include "base/amount.h"
#include "base/err.h"
#include "chain/params.h"

struct validator {
	struct addr address;
	struct weight weight; /* 1 - VALIDATOR_WEIGHT_MAX */
};

struct validator_set {
	size_t count; /* 1 - VALIDATOR_COUNT_MAX */
	struct validator members[VALIDATOR_COUNT_MAX]; /* by rising address; none twice */
	struct weight total;
	struct hash hash; /* keccak256(rlp([[address, weight], …])) */
};

/* Sorts, sums and hashes. CHAIN_E_GENESIS if the count or a weight is out of
 * range or an address stands twice; the message names it. */
int validator_set_init(struct validator_set *out, const struct validator members[], size_t count,
		       struct err *err);

struct weight validator_set_faulty(const struct validator_set *s);  /* f */
struct weight validator_set_quorum(const struct validator_set *s);  /* Q */

/* The index of `address`, or -1. */
int validator_set_find(const struct validator_set *s, const struct addr *address);

/* A set of members as bits, bit i for index i. */
struct signer_bits {
	uint8_t bytes[VALIDATOR_COUNT_MAX / 8];
};

static inline bool signer_bits_get(const struct signer_bits *b, size_t index)
{
	return b->bytes[index / 8] >> index % 8 & 1;
}

static inline void signer_bits_set(struct signer_bits *b, size_t index)
{
	b->bytes[index / 8] |= (uint8_t)(1u << index % 8);
}

/* The weight of the members whose bits are set; bits at or above count are ignored. */
struct weight validator_set_weight(const struct validator_set *s, const struct signer_bits *bits);

/* The proposer of (height, view) by weighted round robin: priorities are zero at
 * the epoch's first height e, and stepped h - e + v + 1 times; each step adds
 * every weight to its owner's priority, picks the highest (the lowest index of
 * equals) and takes the total off it. Over a period of T / gcd(weights) steps
 * everyone is picked in exact proportion, and then all priorities are zero again.
 *
 * Cost: O(count · min(h - e + v, period)). With equal weights the period is
 * `count`; in general it is long, but an epoch's length bounds h - e. Whoever
 * follows a chain keeps a cursor instead and pays O(count) a height. */
size_t validator_set_proposer(const struct validator_set *s, uint64_t epoch_start, uint64_t height,
			      uint64_t view);

/* T / gcd(weights). */
uint64_t validator_set_period(const struct validator_set *s);

/* Where the round robin stands: at (height, view 0) of one epoch and its set. */
struct proposer_cursor {
	int64_t priorities[VALIDATOR_COUNT_MAX]; /* within ±T < 2^48 */
	size_t proposer; /* index of this height's proposer in view 0 */
};

/* To the epoch's first height; then one height on. O(count). */
void proposer_cursor_init(struct proposer_cursor *c, const struct validator_set *s);
void proposer_cursor_step(struct proposer_cursor *c, const struct validator_set *s);

/* The proposer `steps` later, that is, of view `steps` at the cursor's height;
 * the cursor stays. O(count · min(steps, period)). */
size_t proposer_cursor_ahead(const struct proposer_cursor *c, const struct validator_set *s,
			     uint64_t steps);

#endif
