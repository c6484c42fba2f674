/*
 * internal - what the parts of exec share.
 *
 *   exec.c          a block: begin, transactions, end; proposing and verifying
 *   compare.c       a block's fields against what they must be
 *   transaction.c   one transaction: validity, gas, fees
 *   call.c          calls that change nothing, admission to the pool
 *   estimate.c      the least gas that a call needs
 *   access_list.c   what a call touches
 *   pretend.c       state with overrides above it
 *   replay.c        a final block's transactions once more
 *   host.c          the VM's table over the overlay
 *   native*.c       system contracts
 *   validators_state.c  the validator sets in state
 */
#ifndef WEFT_EXEC_INTERNAL_H
#define WEFT_EXEC_INTERNAL_H

#include "exec/host.h"

struct exec {
	const struct chain_params *params;
	struct overlay *overlay;
	struct host host;
	exec_gate_fn gate; /* NULL: open */
	void *gate_ctx;
	uint64_t call_gas_cap;
	uint64_t seed; /* of tables whose keys a caller chooses */
};

/* Executes `t` (sender known) in `block`, of whose gas `gas_left` is left. On OK
 * the overlay is settled and *out has all but the cumulative gas. On any other
 * code the overlay is as before: an exec_error, or a chain_error from tx_check(). */
int transaction_execute(struct exec *x, const struct vm_block_context *block, const struct tx *t,
			uint64_t gas_left, struct receipt *out, struct err *err);

/* The part of validity that needs the sender's account only: EIP-3607 and funds. */
int transaction_check_sender(const struct tx *t, const struct account *sender, bool is_delegated,
			     struct err *err);

/* EIP-7702: code that only names another account's does not make a contract. */
bool transaction_is_delegation(struct bytes code, enum revision revision);

#define REFUND_QUOTIENT 5 /* EIP-3529 */

/* Carries out the authorizations of EIP-7702; *refund grows by what they did not cost.
 * The first says whether one is for this chain and may be used at all. */
bool transaction_authorizes_here(const struct exec *x, const struct authorization *a);
int transaction_authorize(struct exec *x, struct bytes authorizations, int64_t *refund,
			  struct err *err);

int transaction_nonce_low(const struct tx *t, uint64_t nonce, struct err *err);

/* Makes the callee's code that which its account delegates to (EIP-7702), and warm. */
int transaction_follow(struct host *h, struct vm_message *m, struct err *err);

/* What a block does before its transactions: `h` tells parent, time and height. */
int exec_system_begin(struct exec *x, const struct header *h, struct err *err);

/* The block that follows `parent` at `timestamp`. */
struct vm_block_context exec_next_context(const struct exec *x, const struct exec_parent *parent,
					  uint64_t timestamp, const struct addr *coinbase);

/* OK if `have` is the block that was asked for: of the fields that are known before
 * execution; then of the rest, the state root apart. EXEC_E_BLOCK names the field. */
int compare_before(const struct block *have, const struct block *want, struct err *err);
int compare_after(const struct block *have, const struct block *want, struct err *err);
int compare_state_root(const struct block *have, const struct block *want, struct err *err);

#endif
