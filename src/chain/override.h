/*
 * override - what a call pretends of the world: accounts and a block that are not as
 * the chain has them (geth's "state overrides" and "block overrides").
 *
 *   rpc reads them (params_override.c) ──► backend ──► exec's view above the state
 *
 * Values only; whoever made the arrays owns them.
 */
#ifndef WEFT_CHAIN_OVERRIDE_H
#define WEFT_CHAIN_OVERRIDE_H

#include "base/amount.h"
#include "base/bytes.h"

struct override_slot {
	struct hash slot;
	struct u256 value;
};

struct account_override {
	struct addr address;
	bool has_balance, has_nonce, has_code;
	bool has_state;              /* the slots are all that there are; else the others stay */
	bool moves;                  /* the precompile here is at `move_to` */
	struct wei balance;
	uint64_t nonce;
	struct bytes code;
	struct addr move_to;
	const struct override_slot *slots; /* by rising key, each once */
	size_t slot_count;
};

/* By rising address, each once; no `move_to` is an address of the list, or twice in it. */
struct state_override {
	const struct account_override *accounts;
	size_t count;
};

struct block_override {
	bool has_height, has_time, has_gas_limit, has_coinbase, has_prev_randao, has_base_fee,
		has_blob_base_fee;
	uint64_t height;
	uint64_t time;               /* seconds */
	uint64_t gas_limit;
	struct addr coinbase;
	struct hash prev_randao;
	struct wei base_fee, blob_base_fee;
};

#endif
