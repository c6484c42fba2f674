/*
 * genesis - a geth-style genesis file, with one object of our own, `weft`.
 *
 *   {
 *     "config": { "chainId": 31337, "osakaTime": 0 },
 *     "timestamp": "0x0", "gasLimit": "0xe4e1c00", "baseFeePerGas": "0x3b9aca00",
 *     "alloc": { "f39f…": { "balance": "0x…", "nonce": "0x0", "code": "0x…", "storage": {…} } },
 *     "weft": {
 *       "validators": [ { "address": "0x…", "weight": 1 } ],
 *       "epochLength": 1000, "epochMs": 3600000, "validatorCountMax": 51,
 *       "minIntervalMs": 100, "heartbeatMs": 30000, "viewTimeoutMs": 500,
 *       "baseFeeFloor": "0x…", "baseFeeRecipient": "0x…", "gasTargetPerSecond": "0x…",
 *       "rewardGwei": 5000000000, "rewardPeriodMs": 30000,
 *       "blockSizeMax": 8388608, "blockTxCountMax": 10000, "timeMs": 0
 *     }
 *   }
 *
 * Unknown members of the file, of `weft` and of an account, and unknown forks in
 * `config`, are refused, so that nothing misspelt can go unnoticed. Ignored are
 * geth's members of the header that have one value here (`nonce`, `extraData`,
 * `difficulty`, `mixHash`, `coinbase`, …) and other settings in `config`. Fork times
 * and blocks must be 0: a chain has one revision, the newest that `config` names.
 * Numbers may be hexadecimal or decimal strings or JSON numbers. Only
 * `config.chainId`, a revision and the validators must be given.
 *
 * An account of `alloc` that has nothing (EIP-161: no balance, nonce or code) and
 * a slot whose value is zero are the same as none, and are left out.
 */
#ifndef WEFT_CHAIN_GENESIS_H
#define WEFT_CHAIN_GENESIS_H

#include "chain/block.h"
#include "chain/validators.h"

struct genesis_slot {
	struct hash key;
	struct u256 value; /* not zero */
};

struct genesis_account {
	struct addr address;
	struct wei balance;
	uint64_t nonce;
	struct bytes code;          /* owned by the genesis */
	struct genesis_slot *slots; /* by rising key */
	size_t slot_count;
};

struct genesis {
	struct chain_params params;
	struct validator_set validators;
	uint64_t time_ms;
	struct wei base_fee;
	struct genesis_account *accounts; /* by rising address; none twice */
	size_t account_count;
};

/* Reads a genesis file's text. CHAIN_E_GENESIS with a message that names the
 * member and what is allowed there. End it with genesis_clear(). */
int genesis_parse(struct genesis *out, struct bytes json, struct err *err);
void genesis_clear(struct genesis *g);

/* Writes the file that genesis_parse() reads back to the same genesis, if it has
 * validators. */
void genesis_write(struct buf *out, const struct genesis *g);

/* A fresh genesis with all defaults, the contracts that tools expect in `alloc`
 * (EIP-2935 history, EIP-4788 beacon roots, the deterministic deployer
 * 0x4e59b44847b379578588920ca78fbf26c0b4956c), and no validators or funds yet;
 * revision Osaka. */
void genesis_default(struct genesis *out, uint64_t chain_id, uint64_t time_ms);

/* Takes the deterministic deployer out again: what it would make by CREATE2 then has no
 * address that other chains share. */
void genesis_drop_deployer(struct genesis *g);

/* Adds an account or raises its balance; for builders of networks. */
void genesis_fund(struct genesis *g, const struct addr *address, struct wei balance);

/* keccak256 over all of params in canonical RLP: the genesis header carries it as
 * parentBeaconBlockRoot, so that two chains that differ in any parameter differ
 * in their genesis hash. */
void genesis_params_hash(const struct genesis *g, struct hash *out);

/* The genesis block; `state_root` is the root over `accounts`, which the state
 * layer computes. It has no transactions and no certificate. */
void genesis_block(const struct genesis *g, const struct hash *state_root, struct block *out);

#endif
