/* Transactions and calls under a tracer, for RPC: exec's replay on the store's history. */
#include <stdlib.h>

#include "base/check.h"
#include "exec/replay.h"
#include "node/reader.h"

/* --- the state while something runs --- */

static int now_account(void *ctx, const struct addr *address, struct rpc_account *out, struct err *err)
{
	const struct snapshot *s = ctx;
	struct state_view view = exec_state(s->exec);
	struct account a;
	int code = state_account(&view, &a, address, err);

	if (code != OK)
		return reader_translate(code);
	*out = (struct rpc_account){ a.nonce, a.balance, a.code_hash, a.storage_root };
	return OK;
}

static int now_storage(void *ctx, const struct addr *address, const struct hash *slot, struct u256 *out,
		       struct err *err)
{
	const struct snapshot *s = ctx;
	struct state_view view = exec_state(s->exec);

	return reader_translate(state_storage(&view, out, address, slot, err));
}

static int now_code(void *ctx, const struct hash *code_hash, struct buf *out, struct err *err)
{
	const struct snapshot *s = ctx;
	struct state_view view = exec_state(s->exec);

	return reader_translate(state_code(&view, out, code_hash, err));
}

static uint64_t now_ms(void *ctx)
{
	const struct node_reader *r = ((const struct snapshot *)ctx)->reader;

	return r->steady_ms ? r->steady_ms(r->ctx) : r->now_ms(r->ctx);
}

static struct rpc_trace_state state_of(struct snapshot *s)
{
	return (struct rpc_trace_state){
		.ctx = s,
		.account = now_account,
		.storage = now_storage,
		.code = now_code,
		.now_ms = now_ms,
		.seed = s->head->seed,
	};
}

/* --- transactions --- */

/* Ends a walk that has what it wanted. */
#define WALK_DONE (-1)

struct txs_trace {
	struct snapshot *s;
	struct exec_replay replay;
	const struct rpc_tracer *tracer;
	struct rpc_trace_state state;
	uint32_t first, last;
	size_t log_count;
	int code; /* in RPC's terms */
};

/* exec's code in RPC's terms; the time may have been up, in the tracers' words. */
static int translate(const struct snapshot *s, int code, struct err *err)
{
	if (code == EXEC_E_STOPPED && reader_is_late(s))
		return ERR_SET(err, RPC_E_REJECTED, "execution timeout");
	return reader_translate(code);
}

static int run_tx(struct txs_trace *w, uint32_t index, const struct tx *t, struct receipt *out,
		  struct err *err)
{
	const struct rpc_trace_run run = { .tx = t, .first_log_index = w->log_count, .state = &w->state };
	int code;

	if (index < w->first) {
		/* a plain transfer asks nobody whether to stop */
		code = reader_is_late(w->s) ? EXEC_E_STOPPED : exec_replay_tx(&w->replay, t, out, err);
		return translate(w->s, code, err);
	}
	code = w->tracer->begin(w->tracer->ctx, &run, err);
	if (code != OK)
		return code;
	exec_set_tracer(w->s->exec, &w->tracer->vm);
	code = translate(w->s, exec_replay_tx(&w->replay, t, out, err), err);
	exec_set_tracer(w->s->exec, NULL);
	if (code == OK)
		code = w->tracer->end(w->tracer->ctx, t->gas_limit, out->gas_used, err);
	return code;
}

/* What ran again must have done what it did. */
static int compare(const struct receipt *now, const struct receipt *then, uint32_t index, struct err *err)
{
	if (now->success == then->success && now->gas_used == then->gas_used &&
	    now->log_count == then->log_count)
		return OK;
	return ERR_SET(err, RPC_E_INTERNAL,
		       "transaction %u, run again, used %llu gas and gave %zu logs; its receipt says "
		       "%llu and %zu",
		       index, (unsigned long long)now->gas_used, now->log_count,
		       (unsigned long long)then->gas_used, then->log_count);
}

static int next_tx(void *ctx, uint32_t index, const struct stored_tx *stored, struct err *err)
{
	struct txs_trace *w = ctx;
	struct receipt receipt = { 0 };

	w->code = run_tx(w, index, stored->tx, &receipt, err);
	if (w->code == OK)
		w->code = compare(&receipt, &stored->receipt, index, err);
	w->log_count += receipt.log_count;
	receipt_clear(&receipt);
	return w->code == OK && index < w->last ? OK : WALK_DONE;
}

int reader_trace_txs(void *snapshot, uint64_t height, uint32_t first, uint32_t last,
		     const struct rpc_tracer *tracer, struct err *err)
{
	struct snapshot *s = snapshot;
	struct txs_trace w = { .s = s, .tracer = tracer, .first = first, .last = last };
	struct stored_header stored = { 0 };
	struct state_view view;
	int code;

	CHECK(height > 0 && first <= last);
	w.state = state_of(s);
	code = reader_translate(store_read_header(s->head->reader, height, &stored, err));
	if (code == OK)
		code = reader_view_at(s, height - 1, &view, err);
	if (code == OK)
		code = reader_translate(exec_replay_begin(&w.replay, reader_exec(s), &stored.header,
							  view, err));
	stored_header_clear(&stored);
	if (code != OK)
		return code;
	reader_start_clock(s, tracer->timeout_ms);
	code = store_each_tx(s->head->reader, height, next_tx, &w, err);
	reader_stop_clock(s);
	return code == OK || code == WALK_DONE ? w.code : reader_translate(code);
}

/* --- calls --- */

int reader_trace_call(void *snapshot, uint64_t height, const struct rpc_call *call,
		      const struct rpc_tracer *tracer, struct err *err)
{
	struct snapshot *s = snapshot;
	struct exec_call asked = reader_exec_call(call);
	struct exec_call_result result = { 0 };
	struct rpc_trace_state state = state_of(s);
	const struct rpc_trace_run run = { .call = call, .state = &state };
	struct exec_parent parent;
	struct state_view view;
	int code = reader_view_at(s, height, &view, err);

	if (code == OK)
		code = reader_parent_at(s, height, &parent, err);
	if (code == OK)
		code = tracer->begin(tracer->ctx, &run, err);
	if (code != OK)
		return code;
	reader_start_clock(s, tracer->timeout_ms);
	exec_set_tracer(reader_exec(s), &tracer->vm);
	code = translate(s, exec_call(s->exec, &parent, view, &asked, &result, err), err);
	exec_set_tracer(s->exec, NULL);
	reader_stop_clock(s);
	if (code == OK)
		code = tracer->end(tracer->ctx, result.gas_limit, result.gas_used, err);
	exec_call_result_clear(&result);
	return code;
}
