/*
 * calling - what eth_call, estimates and access lists share: one call, set up once and
 * run as often as needed.
 *
 *   calling_begin()   block, price, overrides; what is wrong with any gas
 *   calling_run()     once, with a gas limit
 *   calling_end()
 */
#ifndef WEFT_EXEC_CALLING_H
#define WEFT_EXEC_CALLING_H

#include "exec/internal.h"
#include "exec/pretend.h"

struct calling {
	struct exec *x;
	struct exec_call call;
	struct vm_block_context block;
	uint64_t height;             /* of the chain, whatever the block says */
	struct pretence pretence;
	struct wei price;            /* per gas */
	uint64_t base_gas, floor_gas;
	uint64_t gas_run;            /* of all runs so far */
};

/* Sets up `call` on the state of `view` after `parent`'s block. EXEC_E_FEE, _OVERRIDE,
 * _SIZE; on OK to be ended. */
int calling_begin(struct calling *c, struct exec *x, const struct exec_parent *parent,
		  struct state_view view, const struct exec_call *call, struct err *err);
void calling_end(struct calling *c);

/* Another access list, borrowed, from the next run on. */
void calling_set_access_list(struct calling *c, struct bytes access_list);

/* Lowers *gas to what the sender can pay for, if the call names a fee. EXEC_E_FUNDS,
 * EXEC_E_MEDIUM. */
int calling_afford(struct calling *c, uint64_t *gas, struct err *err);

/* Runs it with `gas`: a call that fails is OK with !success, a gas limit below what is
 * due before the first step EXEC_E_GAS_LIMIT. EXEC_E_FUNDS, _STOPPED, _MEDIUM. */
int calling_run(struct calling *c, uint64_t gas, struct exec_call_result *out, struct err *err);

#endif
