/* Transactions and calls that run under a tracer: debug_trace…. */
#include "rpc/calls.h"

#include "base/check.h"
#include "rpc/trace.h"

/* Running a block again: so much gas for a unit of cost. */
#define GAS_A_COST 2500

static const struct rpc_trace_options no_options = { .timeout_ms = RPC_TRACE_TIMEOUT_MS };

static const struct rpc_trace_options *options_of(const struct rpc_arg *arg)
{
	return arg->is_present ? &arg->trace : &no_options;
}

/* Runs transactions of a block that is there; those before `first` are run too. */
static int trace_txs(struct rpc_item *i, struct jout *out, const struct rpc_block *b, uint32_t first,
		     uint32_t last, const struct rpc_trace_options *options, bool is_list, struct err *err)
{
	struct trace *t;
	int code;

	if (b->header.height == 0)
		return ERR_SET(err, RPC_E_REJECTED, "genesis is not traceable");
	code = rpc_item_charge(i, b->header.gas_used / GAS_A_COST, err);
	if (code != OK)
		return code;
	t = trace_new(i, options, out, is_list);
	code = rpc_item_reader(i)->trace_txs(rpc_item_snapshot(i), b->header.height, first, last,
					     trace_sink(t), err);
	code = trace_result(t, code, err);
	trace_free(t);
	return code;
}

int call_trace_tx(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_reader_ops *reader = rpc_item_reader(i);
	void *snapshot = rpc_item_snapshot(i);
	struct rpc_block b = { 0 };
	uint64_t height;
	uint32_t index;
	int code = reader->find_tx(snapshot, &i->args->at[0].hash, &height, &index, err);

	if (code == RPC_E_NOT_FOUND)
		return ERR_SET(err, RPC_E_NOT_FOUND, "transaction not found");
	if (code == OK)
		code = reader->block(snapshot, height, &b, err);
	if (code == OK)
		code = trace_txs(i, out, &b, index, index, options_of(&i->args->at[1]), false, err);
	rpc_block_clear(&b);
	return code;
}

int call_trace_block(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_block_ref *ref = &i->args->at[0].block;
	struct rpc_block b = { 0 };
	uint64_t height;
	int code = rpc_item_height(i, ref, &height, err);

	if (code == OK)
		code = rpc_item_reader(i)->block(rpc_item_snapshot(i), height, &b, err);
	if (code == OK) {
		jout_array(out);
		if (b.tx_count > 0 || height == 0)
			code = trace_txs(i, out, &b, 0, b.tx_count ? (uint32_t)b.tx_count - 1 : 0,
					 options_of(&i->args->at[1]), true, err);
	}
	if (code == OK)
		jout_array_end(out);
	rpc_block_clear(&b);
	return code;
}

int call_trace_call(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_block_ref *ref = &i->args->at[1].block;
	const struct rpc_arg *given = &i->args->at[2];
	const struct rpc_trace_options *options = given->is_present ? &given->trace_call.options : &no_options;
	struct rpc_call call = i->args->at[0].call;
	uint64_t height;
	struct trace *t;
	int code;

	if (ref->kind == RPC_BLOCK_PENDING)
		return ERR_SET(err, RPC_E_PARAMS, "tracing on top of pending is not supported");
	code = rpc_item_height(i, ref, &height, err);
	if (code != OK)
		return code;
	if (given->is_present) {
		call.state = given->trace_call.state;
		call.block = given->trace_call.has_block ? &given->trace_call.block : NULL;
	}
	t = trace_new(i, options, out, false);
	code = rpc_item_reader(i)->trace_call(rpc_item_snapshot(i), height, &call,
					      trace_sink(t), err);
	code = trace_result(t, code, err);
	trace_free(t);
	return code;
}
