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
	const struct chain_params *params;
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

/* 0x0000000000000000000000000000000000574501 ("WE", 1): the validators and their weights
 * (epoch.h says how sets follow each other).
 *   getValidators() returns (address[] addresses, uint256[] weights)   1 + 2·count slots
 *   totalWeight() returns (uint256)                                     1 slot
 *   weightOf(address) returns (uint256), 0 for an address that is none  1 slot
 *   epoch() returns (uint256), the present epoch's number               1 slot
 *   epochStart() returns (uint256 height, uint256 ms): its first height, and the chain
 *     time of the block that ended the one before                       2 slots
 *   nextValidators() returns (address[], uint256[]): as far as is voted 1 + 2·count slots
 *   voteOf(address validator, address voter) returns (bool, uint256)    1 slot
 *   vote(address validator, uint256 weight)        1 slot and native_vote_gas(), always
 *
 * A member of the present set votes for one validator's weight, 0 to have it removed; its
 * vote stays until it votes for the same validator anew. When present members of weight
 * Q or more have the same vote, that becomes the validator's weight in the next set. The
 * call reverts, and changes nothing, if the sender is no member, if the weight is above
 * VALIDATOR_WEIGHT_MAX or the address zero, and if the next set would lose its last
 * validator or get more than validatorCountMax. Logs:
 *   Voted(address indexed voter, address indexed validator, uint256 weight)
 *   NextChanged(address indexed validator, uint256 weight)     if the next set changed
 * The price of a vote does not depend on what others have voted meanwhile, so that an
 * estimate holds. (That an epoch begins belongs to no transaction, so there is no log of
 * it: the block's commitments, epoch() and weft_validators tell.)
 *
 * Not payable: value, an unknown function and malformed arguments revert, with a
 * reason as Error(string). DELEGATECALL and CALLCODE revert too, since the state
 * is this account's; so does a vote in a STATICCALL.
 *
 * Storage, numbers and addresses as 32 bytes, big-endian, as in a call; ‖ joins them with
 * ASCII text:
 *   0 the present set's count              keccak256(i ‖ "validator") its i-th address, by
 *   1 its total weight                       rising address
 *   2 the present epoch's number           keccak256(address ‖ "weight") its weight there
 *   3 its first height                     keccak256(i ‖ "next validator") and
 *   4 its start, ms                        keccak256(address ‖ "next weight"): the next set
 *   5 the next set's count                 keccak256(validator ‖ voter ‖ "vote") 1 + weight;
 *   6 its total weight                       0: no vote
 *   7 how many were ever voted on          keccak256(i ‖ "subject") the i-th of these, and
 *                                          keccak256(address ‖ "is subject") 1 for each */
extern const struct addr native_validators_address;

/* What a vote costs beside NATIVE_GAS_CALL and the slot that says whether the sender may:
 * for each validator that there can be, present member, weight and vote, next member and
 * weight read, one slot moved; and what a first vote on a new validator writes. */
#define NATIVE_GAS_VOTE 150000ull
#define NATIVE_GAS_VOTE_MEMBER (5 * NATIVE_GAS_SLOT + 5000ull)
static inline uint64_t native_vote_gas(const struct chain_params *params)
{
	return NATIVE_GAS_VOTE + params->validator_count_max * NATIVE_GAS_VOTE_MEMBER;
}

/* The call data of vote(validator, weight). */
void native_encode_vote(struct buf *out, const struct addr *validator, uint64_t weight);

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
