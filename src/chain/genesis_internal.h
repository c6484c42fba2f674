/*
 * genesis_internal - what reading and writing a genesis file share: the members
 * of `weft` that are numbers, with what is allowed.
 */
#ifndef WEFT_CHAIN_GENESIS_INTERNAL_H
#define WEFT_CHAIN_GENESIS_INTERNAL_H

#include "chain/genesis.h"

struct genesis_number {
	const char *name;
	size_t offset; /* of a uint64_t in struct chain_params */
	uint64_t min, max;
};

#define GENESIS_NUMBER_COUNT 11
extern const struct genesis_number genesis_numbers[GENESIS_NUMBER_COUNT];

/* Frees what a struct bytes that owns its memory points to. */
void genesis_free_bytes(struct bytes *b);

/* All of params at their defaults. */
void genesis_default_params(struct chain_params *p, uint64_t chain_id);

#endif
