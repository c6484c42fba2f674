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
 * written to the slots where their contracts keep them, if the state has code at
 * these contracts' addresses; that is all that the EIPs' system calls would do.
 * (Blocks of one second share a slot of EIP-4788's ring: the last one stands.)
 * System end: the proposer's reward as an EIP-4895 withdrawal, if it is not 0; and if
 * the block is its epoch's last, the next set of validators becomes the present one
 * (epoch.h).
 */
#ifndef WEFT_EXEC_EXEC_H
#define WEFT_EXEC_EXEC_H

#include "chain/block.h"
#include "chain/override.h"
#include "chain/receipt.h"
#include "chain/validators.h"
#include "crypto/mmr.h"
#include "exec/epoch.h"
#include "state/overlay.h"
#include "state/tree.h"
#include "vm/host.h"

enum exec_error {
	EXEC_E_NONCE_LOW = ERR_BASE_EXEC, /* "nonce too low: …" */
	EXEC_E_NONCE_HIGH,                /* "nonce too high: …" */
	EXEC_E_FUNDS,                     /* "insufficient funds for gas * price + value: …" */
	EXEC_E_FEE,                       /* "max fee per gas less than block base fee: …" */
	EXEC_E_GAS_LIMIT,                 /* needs more gas than the block has left or may have */
	EXEC_E_SIZE,                      /* has more bytes than the block has left */
	EXEC_E_SENDER_CODE,               /* EIP-3607: the sender has code */
	EXEC_E_BLOB,                      /* EIP-4844: blobs that a transaction may not have */
	EXEC_E_BLOCK,                     /* a field is not what the content gives; names it */
	EXEC_E_REVERTED,                  /* of an estimate: "execution reverted" */
	EXEC_E_FAILED,                    /* likewise: it fails with any gas; geth's words */
	EXEC_E_OVERRIDE,                  /* an override that makes no sense */
	EXEC_E_MEDIUM,                    /* state could not be read: no word about the block */
	EXEC_E_STOPPED,                   /* exec_set_stop()'s function said so, or the tracer wanted no more */
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
	struct epoch epoch;          /* of the block that follows: exec_read_epoch() */
};

struct exec;

/* An executor for a chain: holds the overlay and scratch memory, no state. One
 * thread uses it at a time. `params` are borrowed; `seed` keys its tables. The second
 * has room for calls of `call_gas_cap` gas, which bounds them; else a block's limit does. */
struct exec *exec_new(const struct chain_params *params, uint64_t seed);
struct exec *exec_new_for_calls(const struct chain_params *params, uint64_t call_gas_cap,
				uint64_t seed);
void exec_free(struct exec *x);

struct vm_tracer;

/* `tracer` (vm/vm.h; borrowed) sees every message that runs from now on: calls that
 * change nothing, transactions, plain transfers among them. NULL: nobody does, and
 * nothing is paid for it. Changing over is cheap: what was decoded for either case stays. */
void exec_set_tracer(struct exec *x, const struct vm_tracer *tracer);

/* From now on `should_stop` is asked while code runs; once it says true, what runs ends
 * with EXEC_E_STOPPED. NULL: nobody is asked. It is asked before each precompile and at
 * every EXEC_STOP_INTERVAL-th question to the state (storage, accounts, calls, logs); a loop
 * that asks nothing ends by its gas alone, about a second for each 10^9 of it. */
#define EXEC_STOP_INTERVAL 64
void exec_set_stop(struct exec *x, bool (*should_stop)(void *ctx), void *ctx);

/* What a block gave. */
struct exec_result {
	struct block block;          /* complete: roots, hash, commitments, withdrawals */
	struct receipt *receipts;    /* block.tx_count of them */
	struct state_diff diff;      /* applied to the tree; storage roots filled in */
	struct epoch *next_epoch;    /* begins with the block after; NULL: the epoch goes on */
};
void exec_result_clear(struct exec_result *r);

/* The parent of the next block, after the one of `r` was made on `p`. */
void exec_parent_advance(struct exec_parent *p, const struct exec_result *r);

/* A condition that an epoch's end waits for, however long it is due: a pure function of
 * the parent and its state, on which all nodes agree. Without one the gate is open.
 * Not OK, and the block is not executed: EXEC_E_MEDIUM. */
typedef int (*exec_gate_fn)(void *ctx, const struct exec_parent *parent,
			    const struct state_view *state, bool *is_open, struct err *err);
void exec_set_gate(struct exec *x, exec_gate_fn gate, void *ctx);

/* Where a proposer's transactions come from. `next` gives the best one that is
 * left (borrowed until the next call), NULL at the end. `reject` says that the
 * last one can't be executed in this block, so none of the same sender may follow;
 * with EXEC_E_GAS_LIMIT and EXEC_E_SIZE it fits a later one, with EXEC_E_NONCE_HIGH,
 * _FUNDS and _FEE it may be executed later, with any other code never. */
struct exec_source {
	struct tx *(*next)(void *ctx);
	void (*reject)(void *ctx, struct tx *t, int code, const struct err *why);
	void *ctx;
};

struct exec_proposal {
	uint64_t time_ms;            /* at least the parent's; exec_verify() has the block's */
	struct addr coinbase;        /* the proposer, */
	uint64_t validator_index;    /* and its index in the parent's epoch */
};

/* When to stop adding transactions before the block is full: called between
 * transactions with the count so far; true ends the block. NULL: never. */
typedef bool (*exec_stop_fn)(void *ctx, size_t tx_count);

/* Makes the next block on `parent`: executes what `source` gives within the limits
 * of gas, count and size, applies the difference to `tree`, computes all roots.
 * Ends when the source does, when the block is full, after EXEC_MISS_MAX transactions
 * in a row that did not fit, or after EXEC_REJECT_MAX rejections of any kind.
 * EXEC_E_MEDIUM is its only failure; the tree then can't be used. */
#define EXEC_MISS_MAX 64
#define EXEC_REJECT_MAX 4096
int exec_propose(struct exec *x, const struct exec_parent *parent, struct state_view view,
		 struct state_tree *tree, const struct exec_proposal *proposal,
		 const struct exec_source *source, exec_stop_fn stop, void *stop_ctx,
		 struct exec_result *out, struct err *err);

/* Executes `block` (senders known) and compares all its fields with what they must
 * be: those that do not depend on execution first. On OK the tree stands at it and
 * *out holds the result, transactions referenced again. On EXEC_E_BLOCK the tree is
 * as before, and the message names the first field that differs. Whether the
 * block's time is acceptable by the clock is the caller's; here it only must not
 * be below the parent's. */
int exec_verify(struct exec *x, const struct exec_parent *parent, struct state_view view,
		struct state_tree *tree, const struct exec_proposal *expected,
		const struct block *block, struct exec_result *out, struct err *err);

/* The base fee of a block on `parent` at `time_ms`. */
struct wei exec_next_base_fee(const struct exec *x, const struct exec_parent *parent,
			      uint64_t time_ms);

/* Whether `t` could be executed on this state: everything but nonce gaps and the
 * base fee, for admission to the pool. The account is the sender's. */
int exec_admit(const struct chain_params *params, struct state_view view, const struct tx *t,
	       const struct account *sender, struct err *err);

/* --- calls that change nothing: eth_call, eth_estimateGas, eth_createAccessList ---
 *
 * Each is executed in the block that its state belongs to, `parent`, as geth does: NUMBER
 * is that block's. Nonces are not checked; a base fee only if a fee is named: without one
 * BASEFEE and GASPRICE are 0. */

struct exec_call {
	struct addr from;
	bool is_create;
	struct addr to;
	struct wei value;
	struct bytes data;
	bool has_gas;
	uint64_t gas;                /* at most the executor's cap, which else is the limit */
	bool has_fee;
	struct wei max_fee, max_tip; /* per gas */
	struct bytes access_list;    /* RLP items, well formed, as in struct tx */
	struct bytes authorizations; /* likewise (EIP-7702) */
	size_t authorization_count;
	struct state_override state; /* what it pretends of accounts, */
	const struct block_override *block; /* and of its block; NULL: nothing */
};

struct exec_call_result {
	bool success;
	bool reverted;               /* output is the revert's data */
	struct vm_reason reason;     /* neither: why it failed */
	struct buf output;
	uint64_t gas_used;           /* what a transaction would pay for */
	uint64_t gas_peak;           /* before refunds */
	uint64_t gas_run;            /* of all attempts that were made for the answer */
	uint64_t gas_limit;          /* that it ran with */
};

void exec_call_result_clear(struct exec_call_result *r);

/* Executes a call on the state of `view`; funds are checked if a fee or value is named
 * (a fee without `gas` lowers the limit to what the balance pays for). A call that fails or
 * reverts is OK with !success. Codes as for transactions, and EXEC_E_OVERRIDE, _STOPPED; a
 * gas limit below what is due before the first step is EXEC_E_GAS_LIMIT. */
int exec_call(struct exec *x, const struct exec_parent *parent, struct state_view view,
	      const struct exec_call *call, struct exec_call_result *out, struct err *err);

/* The least gas limit with which the call succeeds; once all attempts together have run
 * the executor's gas cap, the least that was found so far. *result (may be NULL) is the first
 * attempt's, with all the gas that there may be, and the caller's to clear on any outcome:
 * EXEC_E_REVERTED if it reverts, EXEC_E_FAILED if it fails otherwise than for want of gas,
 * EXEC_E_GAS_LIMIT if that does not suffice. */
int exec_estimate_gas(struct exec *x, const struct exec_parent *parent, struct state_view view,
		      const struct exec_call *call, uint64_t *out_gas,
		      struct exec_call_result *result, struct err *err);

/* Runs the call until it touches nothing that its access list lacks: appends that list's
 * items, without what is warm anyway, and gives the last run's result, which may have
 * failed. Codes as exec_call(); EXEC_E_FAILED if the list does not settle. */
int exec_access_list(struct exec *x, const struct exec_parent *parent, struct state_view view,
		     const struct exec_call *call, struct buf *items, struct exec_call_result *out,
		     struct err *err);

#endif
