#include "rpc/trace.h"

#include <stdlib.h>

#include "base/check.h"
#include "rpc/forms.h"

/* Steps between two looks at the clock. */
#define CLOCK_STEPS 1024

/* --- limits --- */

static void end_run(struct trace *t, int code, const struct err *why)
{
	if (t->code != OK)
		return;
	t->code = code;
	t->failure = *why;
}

bool trace_room(struct trace *t, size_t size)
{
	size_t limit = t->item->request->rpc->limits.reply_size;
	struct err err = { 0 };

	if (t->code != OK)
		return false;
	if (t->item->request->replies.size <= limit &&
	    size <= limit - t->item->request->replies.size)
		return true;
	end_run(t, ERR_SET(&err, RPC_E_TOO_LARGE,
			   "the trace is larger than %zu bytes: ask for less of it (onlyTopCall, "
			   "disableStack, disableStorage, limit), or with another tracer", limit),
		&err);
	return false;
}

static bool is_late(struct trace *t)
{
	struct err err = { 0 };

	if (t->run->state->now_ms(t->run->state->ctx) < t->deadline_ms)
		return false;
	end_run(t, ERR_SET(&err, RPC_E_REJECTED, "execution timeout"), &err);
	return true;
}

static bool do_is_over(void *ctx)
{
	struct trace *t = ctx;

	return t->code != OK || (++t->step_count % CLOCK_STEPS == 0 && is_late(t));
}

/* --- the state --- */

bool trace_account(struct trace *t, const struct addr *address, struct rpc_account *out)
{
	const struct rpc_trace_state *s = t->run->state;
	struct err err = { 0 };
	int code = s->account(s->ctx, address, out, &err);

	if (code != OK)
		end_run(t, code, &err);
	return code == OK;
}

bool trace_storage(struct trace *t, const struct addr *address, const struct hash *slot,
		   struct u256 *out)
{
	const struct rpc_trace_state *s = t->run->state;
	struct err err = { 0 };
	int code = s->storage(s->ctx, address, slot, out, &err);

	if (code != OK)
		end_run(t, code, &err);
	return code == OK;
}

bool trace_code(struct trace *t, const struct hash *code_hash, struct buf *out)
{
	const struct rpc_trace_state *s = t->run->state;
	struct err err = { 0 };
	int code = s->code(s->ctx, code_hash, out, &err);

	if (code != OK)
		end_run(t, code, &err);
	return code == OK;
}

/* --- hooks --- */

static void do_start(void *ctx, const struct vm_block_context *block)
{
	struct trace *t = ctx;

	if (t->ops->start && t->code == OK)
		t->ops->start(t, block);
}

static void do_enter(void *ctx, const struct vm_message *m, uint64_t gas_left)
{
	struct trace *t = ctx;

	if (t->ops->enter && t->code == OK)
		t->ops->enter(t, m, gas_left);
}

static void do_step(void *ctx, const struct vm_step *step)
{
	struct trace *t = ctx;

	t->opcode = step->opcode;
	for (size_t i = 0; i < ARRAY_COUNT(t->operands) && i < step->stack_count; i++)
		t->operands[i] = *trace_operand(step, i);
	if (t->ops->step && t->code == OK)
		t->ops->step(t, step);
}

static void do_fail(void *ctx, const struct vm_reason *reason, uint64_t cost_gas)
{
	struct trace *t = ctx;

	if (t->ops->fail && t->code == OK)
		t->ops->fail(t, reason, cost_gas);
}

static void do_leave(void *ctx, const struct vm_message *m, enum vm_status status, uint64_t gas_left,
		     struct bytes output)
{
	struct trace *t = ctx;

	if (t->ops->leave && t->code == OK)
		t->ops->leave(t, m, status, gas_left, output);
}

static void do_log(void *ctx, const struct addr *address, const struct hash topics[],
		   size_t topic_count, struct bytes data)
{
	struct trace *t = ctx;

	if (t->ops->log && t->code == OK)
		t->ops->log(t, address, topics, topic_count, data);
}

static void do_self_destruct(void *ctx, const struct addr *address, const struct addr *heir,
			     struct wei balance)
{
	struct trace *t = ctx;

	if (t->ops->self_destruct && t->code == OK)
		t->ops->self_destruct(t, address, heir, balance);
}

struct addr trace_callee(const struct trace *t, const struct vm_message *m)
{
	return m->depth == 0 || vm_is_creation(m->kind) ? m->recipient : trace_addr(&t->operands[1]);
}

const char *trace_kind_name(enum vm_call_kind kind)
{
	switch (kind) {
	case VM_CALL:
		return "CALL";
	case VM_STATICCALL:
		return "STATICCALL";
	case VM_DELEGATECALL:
		return "DELEGATECALL";
	case VM_CALLCODE:
		return "CALLCODE";
	case VM_CREATE:
		return "CREATE";
	case VM_CREATE2:
		return "CREATE2";
	}
	UNREACHABLE();
}

/* --- a run --- */

static int do_begin(void *ctx, const struct rpc_trace_run *run, struct err *err)
{
	struct trace *t = ctx;

	t->run = run;
	if (t->deadline_ms == 0)
		t->deadline_ms = run->state->now_ms(run->state->ctx) + t->options->timeout_ms;
	else if (is_late(t))
		return trace_result(t, t->code, err);
	if (t->is_list) {
		jout_object(t->out);
		form_key_hash(t->out, "txHash", &run->tx->hash);
		jout_key(t->out, "result");
	}
	if (t->ops->begin)
		t->ops->begin(t);
	return trace_result(t, t->code, err);
}

static int do_end(void *ctx, uint64_t gas_limit, uint64_t gas_used, struct err *err)
{
	struct trace *t = ctx;

	if (t->code == OK)
		t->ops->end(t, gas_limit, gas_used);
	if (t->code == OK && t->is_list)
		jout_object_end(t->out);
	trace_room(t, 0);
	t->run = NULL;
	return trace_result(t, t->code, err);
}

int trace_result(const struct trace *t, int code, struct err *err)
{
	if (t->code != OK && err)
		*err = t->failure;
	return t->code != OK ? t->code : code;
}

/* --- life --- */

static const struct trace_ops *ops_of(enum rpc_trace_kind kind)
{
	switch (kind) {
	case RPC_TRACE_STRUCT:
		return &trace_struct_ops;
	case RPC_TRACE_CALL:
		return &trace_call_ops;
	case RPC_TRACE_PRESTATE:
		return &trace_prestate_ops;
	case RPC_TRACE_FOUR_BYTE:
		return &trace_four_ops;
	case RPC_TRACE_NOOP:
		return &trace_noop_ops;
	}
	UNREACHABLE();
}

struct trace *trace_new(struct rpc_item *i, const struct rpc_trace_options *options,
			struct jout *out, bool is_list)
{
	const struct trace_ops *ops = ops_of(options->kind);
	struct trace *t = xcalloc(1, ops->size);

	t->ops = ops;
	t->options = options;
	t->item = i;
	t->out = out;
	t->is_list = is_list;
	t->sink = (struct rpc_tracer){
		.vm = { .ctx = t, .begin = do_start, .enter = do_enter, .step = do_step, .fail = do_fail,
			.leave = do_leave, .log = do_log, .self_destruct = do_self_destruct,
			.is_over = do_is_over },
		.ctx = t,
		.timeout_ms = options->timeout_ms,
		.begin = do_begin,
		.end = do_end,
	};
	return t;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	if (t->ops->clear)
		t->ops->clear(t);
	free(t);
}

const struct rpc_tracer *trace_sink(const struct trace *t)
{
	return &t->sink;
}
