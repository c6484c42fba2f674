/*
 * epoch - a span of heights that one set of validators decides.
 *
 * Epoch 0 begins with genesis: height 0, its time, its validators. When a later one
 * begins, and with which set, is decided by execution (exec/epoch.h).
 */
#ifndef WEFT_CHAIN_EPOCH_H
#define WEFT_CHAIN_EPOCH_H

#include "base/buf.h"
#include "chain/genesis.h"

struct epoch {
	uint64_t number;
	uint64_t first;              /* its first height */
	uint64_t start_ms;           /* chain time of the block that ended the one before; genesis's */
	struct validator_set set;
};

void epoch_genesis(struct epoch *out, const struct genesis *g);

/* True if by height or by time the block of `height`, of this epoch, on a parent of
 * `parent_ms`, may be its last: height + 1 - first ≥ epochLength, or epochMs have passed
 * from the epoch's start to the parent. */
bool epoch_is_due(const struct chain_params *params, const struct epoch *e, uint64_t height,
		  uint64_t parent_ms);

/* rlp([number, first, start, [[address, weight], …]]). Decoding is strict, also in what
 * a set must be (members by rising address); CHAIN_E_BLOCK_FORMAT. */
void epoch_encode(struct buf *out, const struct epoch *e);
int epoch_decode(struct epoch *out, struct bytes rlp, struct err *err);

#endif
