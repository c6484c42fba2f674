/*
 * fee - base fee and reward as functions of chain time.
 *
 * EIP-1559's formula is applied once per elapsed second of block time, to that
 * second's gas against a target per second, with a floor from genesis. Blocks
 * of one second share one base fee.
 */
#ifndef WEFT_CHAIN_FEE_H
#define WEFT_CHAIN_FEE_H

#include "chain/header.h"
#include "chain/params.h"

/* The base fee of a block at `timestamp` whose parent is at `parent_timestamp`
 * with `parent_base_fee`, where `second_gas` is the gas used so far by all blocks
 * of the parent's second, the parent's own included. Bounded: it stops when the
 * floor is reached. timestamp ≥ parent_timestamp. */
struct wei fee_next_base(const struct chain_params *params, struct wei parent_base_fee,
			 uint64_t parent_timestamp, uint64_t second_gas, uint64_t timestamp);

/* The proposer's reward for the time between parent and block, in whole gwei.
 * Rounded so that rewards over a chain add up to ⌊rate · time⌋. */
uint64_t fee_reward_gwei(const struct chain_params *params, uint64_t genesis_ms,
			 uint64_t parent_ms, uint64_t block_ms);

#endif
