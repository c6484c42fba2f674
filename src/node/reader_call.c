/* Calls on a snapshot's state, and the executors that run them. */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "node/reader.h"

/* --- executors ---
 *
 *   spares [x][x][ ][x]   a call takes one out of its slot, and puts it into an empty one
 *
 * One has a machine, tables, and the code that it has decoded, by hash: that code is the
 * same in every block, so what a contract's first call pays for serves the later ones. */

struct exec *reader_exec(struct snapshot *s)
{
	struct node_reader *r = s->reader;

	for (size_t i = 0; !s->exec && i < NODE_EXEC_SPARE_MAX; i++)
		s->exec = atomic_exchange_explicit(&r->spares[i], NULL, memory_order_acq_rel);
	if (!s->exec)
		s->exec = exec_new_for_calls(r->params,
					     r->call_gas_cap ? r->call_gas_cap : LIMIT_RPC_GAS_CAP,
					     s->head->seed);
	return s->exec;
}

void reader_give_exec(struct snapshot *s)
{
	struct exec *x = s->exec;

	s->exec = NULL;
	for (size_t i = 0; x && i < NODE_EXEC_SPARE_MAX; i++) {
		struct exec *none = NULL;

		if (atomic_compare_exchange_strong_explicit(&s->reader->spares[i], &none, x,
							    memory_order_acq_rel,
							    memory_order_relaxed))
			x = NULL;
	}
	exec_free(x);
}

void node_reader_clear(struct node_reader *r)
{
	for (size_t i = 0; i < NODE_EXEC_SPARE_MAX; i++)
		exec_free(atomic_exchange_explicit(&r->spares[i], NULL, memory_order_acq_rel));
}

/* --- time --- */

bool reader_is_late(const struct snapshot *s)
{
	return s->deadline_ms && s->reader->steady_ms(s->reader->ctx) >= s->deadline_ms;
}

static bool should_stop(void *ctx)
{
	return reader_is_late(ctx);
}

void reader_start_clock(struct snapshot *s, uint64_t timeout_ms)
{
	if (!s->reader->steady_ms || !timeout_ms)
		return;
	s->deadline_ms = s->reader->steady_ms(s->reader->ctx) + timeout_ms;
	exec_set_stop(reader_exec(s), should_stop, s);
}

void reader_stop_clock(struct snapshot *s)
{
	exec_set_stop(reader_exec(s), NULL, NULL);
	s->deadline_ms = 0;
}

/* In geth's words. */
static int tell_timeout(const struct snapshot *s, struct err *err)
{
	uint64_t ms = s->reader->call_timeout_ms;

	if (ms % 1000)
		return ERR_SET(err, RPC_E_REJECTED, "execution aborted (timeout = %" PRIu64 "ms)", ms);
	return ERR_SET(err, RPC_E_REJECTED, "execution aborted (timeout = %" PRIu64 "s)", ms / 1000);
}

/* --- calls --- */

struct exec_call reader_exec_call(const struct rpc_call *call)
{
	return (struct exec_call){
		.from = call->from,
		.is_create = call->is_create,
		.to = call->to,
		.value = call->value,
		.data = call->data,
		.has_gas = call->has_gas,
		.gas = call->gas,
		.has_fee = call->has_fee,
		.max_fee = call->max_fee,
		.max_tip = call->max_tip,
		.access_list = call->access_list,
		.authorizations = call->authorizations,
		.authorization_count = call->authorization_count,
		.state = call->state,
		.block = call->block,
	};
}

/* Everything that a call needs; then the clock runs. */
struct question {
	struct exec_parent parent;
	struct state_view view;
	struct exec_call call;
	struct exec_call_result result;
};

static int begin(struct snapshot *s, uint64_t height, const struct rpc_call *call,
		 struct question *q, struct err *err)
{
	int code = reader_view_at(s, height, &q->view, err);

	q->call = reader_exec_call(call);
	q->result = (struct exec_call_result){ 0 };
	if (code == OK)
		code = reader_parent_at(s, height, &q->parent, err);
	if (code == OK)
		reader_start_clock(s, s->reader->call_timeout_ms);
	return code;
}

/* `code` is exec's; the result goes out on any outcome. */
static int end(struct snapshot *s, struct question *q, int code, struct rpc_call_result *out,
	       struct err *err)
{
	static_assert(RPC_FAILURE_TEXT_MAX >= VM_REASON_TEXT_MAX, "a reason fits");

	reader_stop_clock(s);
	*out = (struct rpc_call_result){
		.success = q->result.success,
		.reverted = q->result.reverted,
		.output = q->result.output,
		.gas_used = q->result.gas_used,
		.gas_run = q->result.gas_run,
	};
	if (!out->success && !out->reverted)
		vm_reason_text(out->failure, &q->result.reason);
	return code == EXEC_E_STOPPED ? tell_timeout(s, err) : reader_translate(code);
}

int reader_call(void *snapshot, uint64_t height, const struct rpc_call *call,
		struct rpc_call_result *out, struct err *err)
{
	struct question q;
	int code = begin(snapshot, height, call, &q, err);

	if (code != OK)
		return code;
	code = exec_call(reader_exec(snapshot), &q.parent, q.view, &q.call, &q.result, err);
	return end(snapshot, &q, code, out, err);
}

int reader_estimate_gas(void *snapshot, uint64_t height, const struct rpc_call *call, uint64_t *out,
			struct rpc_call_result *result, struct err *err)
{
	struct question q;
	int code = begin(snapshot, height, call, &q, err);

	if (code != OK)
		return code;
	code = exec_estimate_gas(reader_exec(snapshot), &q.parent, q.view, &q.call, out, &q.result,
				 err);
	return end(snapshot, &q, code, result, err);
}

int reader_access_list(void *snapshot, uint64_t height, const struct rpc_call *call,
		       struct buf *items, struct rpc_call_result *result, struct err *err)
{
	struct question q;
	int code = begin(snapshot, height, call, &q, err);

	if (code != OK)
		return code;
	code = exec_access_list(reader_exec(snapshot), &q.parent, q.view, &q.call, items, &q.result,
				err);
	return end(snapshot, &q, code, result, err);
}
