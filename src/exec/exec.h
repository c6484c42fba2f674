/*
 * exec - executing a block: a read-only view in, receipts and a difference out.
 *
 *   view of the parent ──► system begin ─► transactions ─► milestone ─► system end
 *                               │                │                          │
 *                               └────── overlay (writes, snapshots) ────────┘
 *                                                │
 *              receipts, logs bloom, gas used, withdrawals, difference ──► state tree ──► roots
 *
 * Pure: no clock, no I/O; the same parent, inputs and view give the same result on
 * every node. A proposer calls exec_propose(), which picks transactions from an
 * iterator as they fit; everybody else calls exec_verify(), which takes the
 * block's own and compares every field. Only the store applies the difference.
 *
 * System begin: EIP-2935 (parent hash) and EIP-4788 (parent's commitments) are
 * written to the slots where their contracts keep them, if the genesis has these
 * contracts. System end: the proposer's reward as an EIP-4895 withdrawal.
 */
#ifndef WEFT_EXEC_EXEC_H
#define WEFT_EXEC_EXEC_H

#include "chain/block.h"
#include "chain/receipt.h"
#include "chain/validators.h"
#include "crypto/mmr.h"
#include "state/overlay.h"
#include "state/tree.h"

enum exec_error {
	EXEC_E_NONCE_LOW = ERR_BASE_EXEC, /* "nonce too low: …" */
	EXEC_E_NONCE_HIGH,                /* "nonce too high: …" */
	EXEC_E_FUNDS,                     /* "insufficient funds for gas * price + value: …" */
	EXEC_E_FEE,                       /* "max fee per gas less than block base fee: …" */
	EXEC_E_GAS_LIMIT,                 /* needs more gas than the block has left */
	EXEC_E_SENDER_CODE,               /* EIP-3607: the sender has code */
	EXEC_E_NO_VM,                     /* a creation, or a call to an account with code: not executed yet */
	EXEC_E_BLOCK,                     /* a block whose field is not what its content gives; names it */
	EXEC_E_MEDIUM,                    /* state could not be read: says nothing about the block */
};

/* What the parent hands on. Node carries it from block to block; store gives the first. */
struct exec_parent {
	struct header header;
	struct hash hash;
	struct commitments commitments;
	struct mmr history;          /* over the hashes of all blocks below this one */
	uint64_t second_gas;         /* gas of all blocks of its second, itself included */
	uint64_t withdrawal_index;   /* of the next withdrawal */
	uint64_t genesis_ms;
};

/* The parent of the next block, after `b` was made on `p`. */
void exec_parent_advance(struct exec_parent *p, const struct block *b);

struct exec;

/* An executor for a chain: holds the overlay and scratch memory, no state.
 * `params` and `validators` are borrowed. */
struct exec *exec_new(const struct chain_params *params, uint64_t seed);
void exec_free(struct exec *x);

/* What a block gave. */
struct exec_result {
	struct block block;          /* complete: roots, hash, commitments, withdrawals */
	struct receipt *receipts;    /* block.tx_count of them */
	struct state_diff diff;      /* applied to the tree; storage roots filled in */
};
void exec_result_clear(struct exec_result *r);

/* Where a proposer's transactions come from. `next` gives the best one that is
 * left (borrowed until the next call), NULL at the end. `reject` says that the
 * last one can't be executed now, so none of the same sender may follow. */
struct exec_source {
	struct tx *(*next)(void *ctx);
	void (*reject)(void *ctx, struct tx *t, int code, const struct err *why);
	void *ctx;
};

struct exec_proposal {
	uint64_t time_ms;            /* ≥ the parent's; raised to it if below */
	struct addr coinbase;
	struct hash validators_hash, next_validators_hash;
};

/* When to stop adding transactions before the block is full: called between
 * transactions with the count so far; true ends the block. NULL: never. */
typedef bool (*exec_stop_fn)(void *ctx, size_t tx_count);

/* Makes the next block on `parent`: executes what `source` gives within the limits
 * of gas, count and size, applies the difference to `tree`, computes all roots.
 * EXEC_E_MEDIUM is its only failure; the tree then can't be used. */
int exec_propose(struct exec *x, const struct exec_parent *parent, struct state_view view,
		 struct state_tree *tree, const struct exec_proposal *proposal,
		 const struct exec_source *source, exec_stop_fn stop, void *stop_ctx,
		 struct exec_result *out, struct err *err);

/* Executes `block` (senders known) and compares all its fields. On OK the tree
 * stands at it and *out holds the result, transactions referenced again. On
 * EXEC_E_BLOCK the tree is as before. */
int exec_verify(struct exec *x, const struct exec_parent *parent, struct state_view view,
		struct state_tree *tree, const struct exec_proposal *expected,
		const struct block *block, struct exec_result *out, struct err *err);

/* The base fee of a block on `parent` at `time_ms`. */
struct wei exec_next_base_fee(const struct exec *x, const struct exec_parent *parent, uint64_t time_ms);

/* Whether `t` could be executed on this state: everything but nonce gaps and the
 * base fee, for admission to the pool. The account is the sender's. */
int exec_admit(const struct chain_params *params, struct state_view view, const struct tx *t,
	       const struct account *sender, struct err *err);

/* --- calls that change nothing: eth_call and eth_estimateGas --- */

struct exec_call {
	struct addr from;
	bool is_create;
	struct addr to;
	struct wei value;
	struct bytes data;
	bool has_gas;
	uint64_t gas;                /* the cap; else the block's gas limit or EIP-7825's */
	bool has_fee;
	struct wei max_fee;
	struct bytes access_list;    /* RLP items as in struct tx */
};

struct exec_call_result {
	bool success;
	bool reverted;               /* output is the revert's data */
	struct buf output;
	uint64_t gas_used;
};

/* Executes a call on the state of `view` in a block after `parent`'s; nonce and
 * base fee are not checked, funds only if a fee or value is named. Codes as for
 * transactions. */
int exec_call(struct exec *x, const struct exec_parent *parent, struct state_view view,
	      const struct exec_call *call, struct exec_call_result *out, struct err *err);

/* The least gas limit with which the call succeeds. */
int exec_estimate_gas(struct exec *x, const struct exec_parent *parent, struct state_view view,
		      const struct exec_call *call, uint64_t *out_gas, struct err *err);

#endif
