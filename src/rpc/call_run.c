/* Calls that change nothing: eth_call, eth_estimateGas, eth_createAccessList. */
#include "rpc/calls.h"

#include "base/check.h"
#include "rpc/forms.h"
#include "rpc/revert.h"

/* A unit of cost is about 10 µs, in which that much gas runs. */
#define GAS_PER_COST 10000

/* What all three are asked with: call, block, overrides of state, overrides of the block. */
static struct rpc_call asked(const struct rpc_item *i)
{
	const struct rpc_arg *arg = i->args->at;
	struct rpc_call call = arg[0].call;

	if (arg[2].is_present)
		call.state = arg[2].state_override;
	if (arg[3].is_present)
		call.block = &arg[3].block_override;
	return call;
}

/* Why a call that is over did not succeed. */
static int tell_failure(struct rpc_item *i, const struct rpc_call_result *result, struct err *err)
{
	struct bytes output = buf_bytes(&result->output);
	char reason[REVERT_REASON_MAX];

	if (!result->reverted)
		return ERR_SET(err, RPC_E_REJECTED, "%s", result->failure);
	buf_append_bytes(&i->request->error_data, output);
	if (revert_reason(reason, output))
		return ERR_SET(err, RPC_E_REVERTED, "execution reverted: %s", reason);
	return ERR_SET(err, RPC_E_REVERTED, "execution reverted");
}

int call_call(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_call call = asked(i);
	struct rpc_call_result result = { 0 };
	uint64_t height;
	int code = rpc_item_height(i, &i->args->at[1].block, &height, err);

	if (code == OK)
		code = rpc_item_reader(i)->call(rpc_item_snapshot(i), height, &call, &result, err);
	rpc_item_spend(i, result.gas_run / GAS_PER_COST);
	if (code == OK && !result.success)
		code = tell_failure(i, &result, err);
	if (code == OK)
		code = rpc_item_room_for(i, 2 * result.output.size, err);
	if (code == OK)
		jout_data(out, buf_bytes(&result.output));
	buf_clear(&result.output);
	return code;
}

int call_estimate_gas(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_call call = asked(i);
	struct rpc_call_result result = { 0 };
	uint64_t height, gas = 0;
	int code = rpc_item_height(i, &i->args->at[1].block, &height, err);

	if (code == OK)
		code = rpc_item_reader(i)->estimate_gas(rpc_item_snapshot(i), height, &call, &gas,
							&result, err);
	rpc_item_spend(i, result.gas_run / GAS_PER_COST);
	if (code == OK)
		jout_quantity(out, gas);
	else if (code == RPC_E_REVERTED)
		code = tell_failure(i, &result, err);
	buf_clear(&result.output);
	return code;
}

int call_create_access_list(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_call call = asked(i);
	struct rpc_call_result result = { 0 };
	struct buf *items = &i->request->scratch;
	uint64_t height;
	int code = rpc_item_height(i, &i->args->at[1].block, &height, err);

	if (code == OK)
		code = rpc_item_reader(i)->access_list(rpc_item_snapshot(i), height, &call, items,
						       &result, err);
	rpc_item_spend(i, result.gas_run / GAS_PER_COST);
	if (code == OK) {
		jout_object(out);
		form_key_access_list(out, "accessList", buf_bytes(items));
		if (!result.success) {
			jout_key(out, "error");
			jout_str(out, result.reverted ? "execution reverted" : result.failure);
		}
		form_key_quantity(out, "gasUsed", result.gas_used);
		jout_object_end(out);
	}
	buf_clear(&result.output);
	return code;
}
