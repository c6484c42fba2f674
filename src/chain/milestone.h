/*
 * milestone - the witnesses that a block names, whose past it confirms, as a
 * value (tangle.md R10): at most one a validator, in the order in which their
 * pasts are walked.
 *
 *   rlp([index, [witness id, …]])
 *
 * An empty milestone names none. Shape and bounds only.
 */
#ifndef WEFT_CHAIN_MILESTONE_H
#define WEFT_CHAIN_MILESTONE_H

#include "chain/params.h"
#include "chain/hash_list.h"

#define MILESTONE_NAMED_MAX VALIDATOR_COUNT_MAX

struct milestone {
	uint64_t index;
	struct hash_list named; /* witness ids, none twice; borrowed */
};

void milestone_encode(struct buf *out, const struct milestone *m);

/* CHAIN_E_BLOCK_FORMAT with the reason; `out` borrows from `rlp`. */
int milestone_decode(struct milestone *out, struct bytes rlp, struct err *err);

/* What the commitments carry: the Merkle root over the named ids in their order
 * (RFC 6962's shape, hashed as in crypto/mmr.h); zero if none is named. */
void milestone_witnesses_root(const struct milestone *m, struct hash *out);

#endif
