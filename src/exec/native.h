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

/* What a native contract gets. The result comes as a success with the gas that is
 * there; the contract charges result->gas_left itself and appends its output. */
struct native_call {
	const struct vm_host *host;
	const struct vm_message *message;
	struct vm_result *result;
};

/* False if the host did: the medium failed. A call that goes wrong is no failure
 * here but a status in the result; the state is then taken back by who called. */
typedef bool (*native_fn)(struct native_call *call);

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

/* Costs, flat: what a contract in storage would pay at least. */
#define NATIVE_GAS_CALL 200ull       /* finding and decoding */
#define NATIVE_GAS_SLOT 2100ull      /* each slot read */
#define NATIVE_GAS_WORD 3ull         /* each 32 bytes of output */

/* 0x0000000000000000000000000000000000574501 ("WE", 1): the validators and their weights.
 *   getValidators() returns (address[] addresses, uint256[] weights)   1 + 2·count slots
 *   totalWeight() returns (uint256)                                     1 slot
 *   weightOf(address) returns (uint256), 0 for an address that is none  1 slot
 * Not payable: value, an unknown function and malformed arguments revert, with a
 * reason as Error(string). DELEGATECALL and CALLCODE revert too, since the state
 * is this account's.
 * Storage: slot 0 the count, slot 1 the total weight; slot keccak256(i ‖ "validator")
 * the i-th address by rising address, slot keccak256(address ‖ "weight") its weight;
 * i and address as 32 bytes, big-endian, as in a call. */
extern const struct addr native_validators_address;

/* Every native contract's account has nonce 1 and code that begins with 0xfe
 * (INVALID) and goes on with its name, so that tools see a contract, and an EVM
 * that is not ours fails on it instead of taking it for an empty account. */
#define NATIVE_CODE_PREFIX "\xfeweft:"

/* Writes the state of a chain before its first block, alloc and native contracts,
 * into an overlay above nothing. CHAIN_E_GENESIS if alloc names a native
 * contract's address, gives storage to an account that is empty otherwise, or
 * holds 2^255 wei or more in all, so that no sum of balances can overflow later. */
int native_genesis_state(struct overlay *overlay, const struct genesis *g, struct err *err);

/* The same as a difference from nothing, which the caller owns. */
int native_genesis_diff(const struct genesis *g, struct state_diff *out, struct err *err);

#endif
