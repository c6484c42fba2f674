/*
 * replay - the transactions of a final block once more, on its parent's state.
 *
 *   view of the parent ──► system begin ─► transactions, one by one, as far as is wanted
 *                                                 │
 *                                    unwatched, or under exec_set_tracer()
 *
 * What a block's code could see of it stands in its header: nothing else is needed of it,
 * and nothing of its ancestors but the state. The same transactions in the same order give
 * the same receipts; whoever has these may compare.
 */
#ifndef WEFT_EXEC_REPLAY_H
#define WEFT_EXEC_REPLAY_H

#include "exec/exec.h"
#include "vm/host.h"

struct exec_replay {
	struct exec *x;                /* borrowed; nobody else uses it meanwhile */
	struct vm_block_context block;
	uint64_t gas_left;
	uint64_t cumulative_gas;
};

/* Stands at the beginning of the block of `header`, system begin done. `view` is the state
 * after its parent and is borrowed until the executor is used otherwise. EXEC_E_MEDIUM. */
int exec_replay_begin(struct exec_replay *r, struct exec *x, const struct header *header,
		      struct state_view view, struct err *err);

/* Executes the block's next transaction (sender known); on OK the receipt is the caller's.
 * Codes as for transactions, though what is final has none but EXEC_E_MEDIUM and
 * EXEC_E_STOPPED, after which the replay is over. */
int exec_replay_tx(struct exec_replay *r, const struct tx *t, struct receipt *out, struct err *err);

/* The state as it stands in the executor: after what it did last, or in the middle of it,
 * for a tracer. Reads like any view (storage roots are those of before). */
struct state_view exec_state(struct exec *x);

#endif
