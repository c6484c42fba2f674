/*
 * params - what all nodes of a chain agree on: protocol constants, and the
 * parameters that a genesis file sets (struct chain_params).
 */
#ifndef WEFT_CHAIN_PARAMS_H
#define WEFT_CHAIN_PARAMS_H

#include "base/amount.h"
#include "base/limits.h"

/* Rules that peers must share to talk; raised by any change of what is hashed,
 * signed or sent. Release and database have numbers of their own. */
#define PROTOCOL_VERSION 2

/* Ethereum's rules for execution. The header has all of Prague's fields at every revision. */
enum revision {
	REVISION_CANCUN,
	REVISION_PRAGUE, /* EIP-7623 (price of call data), EIP-7702 */
	REVISION_OSAKA,  /* EIP-7825 (cap of a transaction's gas) and more */
};

/* Gas (yellow paper appendix G and the EIPs named). */
#define GAS_TX 21000ull
#define GAS_TX_CREATE 32000ull
#define GAS_TX_DATA_ZERO 4ull
#define GAS_TX_DATA_NONZERO 16ull        /* EIP-2028 */
#define GAS_TX_ACCESS_ADDRESS 2400ull    /* EIP-2930 */
#define GAS_TX_ACCESS_SLOT 1900ull       /* EIP-2930 */
#define GAS_TX_AUTHORIZATION 25000ull    /* EIP-7702: each, part of it given back for known accounts */
#define GAS_TX_AUTHORIZATION_BASE 12500ull /* EIP-7702: what is kept then */
#define GAS_BLOB 131072ull               /* EIP-4844: blob gas of one */
#define GAS_TX_INITCODE_WORD 2ull        /* EIP-3860 */
#define GAS_TX_FLOOR_TOKEN 10ull         /* EIP-7623: floor for a token of call data */
#define GAS_TX_TOKENS_NONZERO 4ull       /* EIP-7623: tokens of a non-zero byte */
#define CODE_SIZE_MAX 24576ull           /* EIP-170 */
#define INITCODE_SIZE_MAX 49152ull       /* EIP-3860 */
#define TX_GAS_LIMIT_MAX (1ull << 24)    /* EIP-7825, from Osaka on */

/* Blocks. */
#define BLOCK_SIZE_MAX (8 * MIB)         /* of the block's RLP */
#define BLOCK_TX_COUNT_MAX 10000
#define BLOCK_GAS_LIMIT_DEFAULT 240000000ull
#define BLOCK_GAS_LIMIT_MIN 5000000ull
#define BLOCK_GAS_LIMIT_MAX (1ull << 50)
#define BLOCK_WITHDRAWAL_COUNT_MAX 1024

/* Validators. */
#define VALIDATOR_COUNT_MAX 256
#define VALIDATOR_COUNT_MAX_DEFAULT 51   /* of a chain, unless its genesis says otherwise */
#define VALIDATOR_WEIGHT_MAX (1ull << 40) /* one validator's; so any total fits 64 bits */

/* Timing defaults, milliseconds of chain time. */
#define MIN_INTERVAL_MS_DEFAULT 100
#define HEARTBEAT_MS_DEFAULT 30000
#define VIEW_TIMEOUT_MS_DEFAULT 500
#define EPOCH_LENGTH_DEFAULT 1000
#define EPOCH_LENGTH_MAX 1000000         /* bounds the steps to a proposer */
#define EPOCH_MS_MAX (365ull * 24 * 60 * 60 * 1000)
#define EPOCH_MS_DEFAULT (60 * 60 * 1000) /* an epoch ends after so long, however few its blocks */
#define CONFIRMATION_INTERVAL_MS 1000    /* between the empty blocks after a non-empty one */
#define CONFIRMATION_COUNT 5
#define HISTORY_MS_DEFAULT 128000        /* how far back state can be asked for */

/* Base fee (EIP-1559, per second of chain time instead of per block). */
#define BASE_FEE_CHANGE_DENOMINATOR 8
#define GAS_TARGET_PER_SECOND_BLOCKS 5   /* full blocks a second that are the target */
#define GAS_TARGET_PER_SECOND_DEFAULT (BLOCK_GAS_LIMIT_DEFAULT * GAS_TARGET_PER_SECOND_BLOCKS)
#define BASE_FEE_FLOOR_DEFAULT 1000000000ull /* 1 gwei */

/* Reward: this many gwei for every reward period of chain time. */
#define REWARD_GWEI_DEFAULT (5 * GWEI_PER_COIN)
#define REWARD_PERIOD_MS_DEFAULT 30000

/* Tools read JSON numbers as doubles: nothing above this may be a chain's id. */
#define CHAIN_ID_MAX ((1ull << 53) - 1)

/* What a genesis file sets; its hash is bound into the genesis block. */
struct chain_params {
	uint64_t chain_id;
	enum revision revision;
	uint64_t block_gas_limit;
	uint64_t gas_target_per_second;
	struct wei base_fee_floor;
	bool has_base_fee_recipient; /* else the base fee is burned */
	struct addr base_fee_recipient;
	uint64_t reward_gwei;
	uint64_t reward_period_ms;
	uint64_t min_interval_ms; /* between two blocks */
	uint64_t heartbeat_ms;    /* an empty block at the latest after so long */
	uint64_t view_timeout_ms; /* t0 */
	uint64_t epoch_length;    /* blocks */
	uint64_t epoch_ms;        /* chain time after which an epoch ends as well; 0: never */
	uint64_t validator_count_max; /* ≤ VALIDATOR_COUNT_MAX */
	uint64_t block_size_max;  /* ≤ BLOCK_SIZE_MAX */
	uint64_t block_tx_count_max; /* ≤ BLOCK_TX_COUNT_MAX */
};

static_assert(BLOCK_SIZE_MAX >= LIMIT_TX_SIZE + 64 * KIB, "a block holds the largest transaction");

#endif
