/*
 * native - system contracts that are ours: a table from address to function, with
 * ABI-encoded calls and events, and their state in ordinary storage slots, so
 * that anyone can prove it with eth_getProof. Wallets and contracts call them
 * like any contract.
 */
#ifndef WEFT_EXEC_NATIVE_H
#define WEFT_EXEC_NATIVE_H

#include "chain/genesis.h"
#include "state/overlay.h"
#include "vm/host.h"

/* What a native contract gets. It charges gas from *gas_left itself. */
struct native_call {
	struct overlay *overlay;
	const struct vm_block_context *block;
	const struct vm_message *message;
	struct vm_result *result;
};

typedef int (*native_fn)(struct native_call *call, struct err *err);

struct native_contract {
	struct addr address;
	const char *name;
	native_fn call;
	/* Its storage in the genesis state; NULL if it starts empty. */
	int (*genesis)(struct overlay *overlay, const struct addr *address, const struct genesis *g,
		       struct err *err);
};

/* The contract at `address`, or NULL. */
const struct native_contract *native_find(const struct addr *address);

/* All of them, for documents and tests. */
const struct native_contract *native_table(size_t *count);

/* 0x…5741 0001: the validators and their weights.
 *   getValidators() returns (address[] addresses, uint256[] weights)
 *   totalWeight() returns (uint256)
 *   weightOf(address) returns (uint256)
 * Storage: slot 0 count, slot 1 total weight, slot keccak256(i ‖ "validator")
 * address, keccak256(address ‖ "weight") weight. */
extern const struct addr native_validators_address;

/* The state of a chain before its first block: alloc and native contracts. */
int native_genesis_state(struct overlay *overlay, const struct genesis *g, struct err *err);

#endif
