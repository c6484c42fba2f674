#include "rpc/params.h"

#include <stdlib.h>

#include "base/check.h"
#include "rpc/read.h"

static const struct {
	const char *name, *doc;
} kinds[RPC_ARG_KIND_COUNT] = {
	[RPC_ARG_ADDRESS] = { "address", "20 bytes as `0x` and 40 hexadecimal digits" },
	[RPC_ARG_HASH] = { "hash", "32 bytes as `0x` and 64 hexadecimal digits" },
	[RPC_ARG_DATA] = { "data", "bytes as `0x` and an even number of hexadecimal digits" },
	[RPC_ARG_QUANTITY] = {
		"quantity", "a number of at most 64 bits, as `0x` and hexadecimal digits without "
			    "leading zeros, or as a JSON number" },
	[RPC_ARG_BOOL] = { "bool", "`true` or `false`" },
	[RPC_ARG_NUMBER] = {
		"number", "a block's number as a quantity, or `latest`, `safe`, `finalized`, "
			  "`pending` (all the newest block: a block here is final), or "
			  "`earliest`; left out, `latest`" },
	[RPC_ARG_BLOCK] = {
		"block", "a number as above, a block's hash, or `{blockNumber}` or "
			 "`{blockHash, requireCanonical}` (EIP-1898); left out, `latest`" },
	[RPC_ARG_BLOCK_HASH] = { "blockHash", "a block's hash" },
	[RPC_ARG_SLOT] = { "slot", "a storage slot, up to 64 hexadecimal digits after `0x`" },
	[RPC_ARG_SLOTS] = { "slots", "an array of at most 1024 storage slots" },
	[RPC_ARG_PERCENTILES] = {
		"percentiles", "an array of at most 100 rising numbers from 0 to 100" },
	[RPC_ARG_CALL] = {
		"call", "`{from, to, gas, gasPrice, maxFeePerGas, maxPriorityFeePerGas, value, "
			"data, input, accessList, authorizationList, nonce, type, chainId}`, each "
			"optional; `data` and `input` are the same; blobs are refused" },
	[RPC_ARG_TRACE] = {
		"trace", "`{tracer, timeout, tracerConfig}` and, without a tracer, `{enableMemory, "
			 "disableStack, disableStorage, enableReturnData, limit}`, each optional: see "
			 "[Traces](#traces)" },
	[RPC_ARG_FILTER_ID] = { "filterId", "what eth_newFilter or one of its like gave" },
	[RPC_ARG_TRACE_CALL] = {
		"traceCall", "the same, and `stateOverrides` and `blockOverrides` as `eth_call` has "
			     "them" },
	[RPC_ARG_FILTER] = {
		"filter", "`{fromBlock, toBlock, blockHash, address, topics}`, each optional: numbers "
			  "(left out, `latest`) or one hash; an address or an array of some; up to 4 "
			  "topics, each `null` (any), one, or an array of some; at most 1024 in all" },
	[RPC_ARG_STATE_OVERRIDE] = {
		"stateOverrides", "accounts that the call finds otherwise than they are: an "
				  "object from address to `{balance, nonce, code, state, stateDiff, "
				  "movePrecompileToAddress}`; `state` replaces all storage, "
				  "`stateDiff` single slots; at most 1024 accounts and 16384 slots" },
	[RPC_ARG_BLOCK_OVERRIDE] = {
		"blockOverrides", "the block that the call believes to be in: `{number, time, "
				  "gasLimit, feeRecipient, prevRandao, baseFeePerGas, "
				  "blobBaseFee}`; `coinbase`, `random`, `timestamp` and `baseFee` "
				  "are other names of four of them, `difficulty` has no effect" },
};

const char *rpc_arg_kind_name(enum rpc_arg_kind kind)
{
	return kinds[kind].name;
}

const char *rpc_arg_kind_doc(enum rpc_arg_kind kind)
{
	return kinds[kind].doc;
}

/* --- shapes --- */

static enum rpc_arg_kind kind_of(struct bytes name)
{
	for (size_t k = 0; k < RPC_ARG_KIND_COUNT; k++)
		if (bytes_equal(bytes_of_str(kinds[k].name), name))
			return (enum rpc_arg_kind)k;
	CHECK(!"a kind of parameter");
	UNREACHABLE();
}

bool rpc_shape_next(const char **rest, struct rpc_param *out)
{
	const char *at = *rest, *kind = at;
	size_t size = strcspn(at, ",");
	const char *colon = memchr(at, ':', size), *end = at + size;

	if (!size)
		return false;
	*rest = end + (*end == ',');
	out->is_optional = end[-1] == '?';
	end -= out->is_optional;
	if (colon)
		kind = colon + 1;
	out->kind = kind_of(bytes_of(kind, (size_t)(end - kind)));
	out->name = bytes_of(at, (size_t)((colon ? colon : end) - at));
	return true;
}

/* --- blocks --- */

static bool text_is(const struct jval *v, const char *text)
{
	return bytes_equal(jval_string(v), bytes_of_str(text));
}

int rpc_read_number(struct rpc_block_ref *out, const struct jval *v, struct err *err)
{
	*out = (struct rpc_block_ref){ .kind = RPC_BLOCK_NEWEST };
	if (text_is(v, "latest") || text_is(v, "safe") || text_is(v, "finalized"))
		return OK;
	if (text_is(v, "pending")) {
		out->kind = RPC_BLOCK_PENDING;
		return OK;
	}
	out->kind = RPC_BLOCK_HEIGHT;
	if (text_is(v, "earliest"))
		return OK;
	return rpc_read_quantity(&out->height, v, "block number", err);
}

/* EIP-1898. Blocks here are final, so requireCanonical changes nothing. */
static int read_block_object(struct rpc_block_ref *out, const struct jval *v, struct err *err)
{
	const struct jval *number = jval_get(v, "blockNumber"), *hash = jval_get(v, "blockHash");
	const struct jval *canonical = jval_get(v, "requireCanonical");

	if (canonical && jval_kind(canonical) != JVAL_BOOL)
		return rpc_want_kind(err, "a boolean", "requireCanonical", canonical);
	if (number && hash)
		return rpc_bad(
			err,
			"cannot specify both blockHash and blockNumber, choose one or the other");
	if (number)
		return rpc_read_number(out, number, err);
	if (!hash)
		return rpc_bad(err, "a block object needs blockNumber or blockHash");
	out->kind = RPC_BLOCK_HASH;
	return rpc_read_fixed(out->hash.bytes, 32, hash, "block hash", err);
}

static int read_block(struct rpc_block_ref *out, const struct jval *v, struct err *err)
{
	if (jval_kind(v) == JVAL_OBJECT)
		return read_block_object(out, v, err);
	if (jval_string(v).size == 66) {
		out->kind = RPC_BLOCK_HASH;
		return rpc_read_fixed(out->hash.bytes, 32, v, "block hash", err);
	}
	return rpc_read_number(out, v, err);
}

/* --- slots, percentiles --- */

static int read_slot(struct rpc_slot *out, const struct jval *v, struct err *err)
{
	return rpc_read_word(&out->key, &out->is_short, v, "storage key", err);
}

static int read_slots(struct rpc_args *args, struct rpc_arg *out, const struct jval *v,
		      struct err *err)
{
	size_t count = jval_count(v);

	if (jval_kind(v) != JVAL_ARRAY)
		return rpc_want_kind(err, "an array", "storage keys", v);
	if (count > RPC_SLOT_MAX)
		return ERR_SET(err, RPC_E_PARAMS, "too many storage keys: %zu, at most %d", count,
			       RPC_SLOT_MAX);
	out->slots.items = args->list = xcalloc(count, sizeof(*out->slots.items));
	out->slots.count = count;
	for (size_t i = 0; i < count; i++) {
		int code = read_slot(&out->slots.items[i], jval_at(v, i), err);

		if (code != OK)
			return err_prefix(err, code, "element %zu", i);
	}
	return OK;
}

static int read_percentiles(struct rpc_args *args, struct rpc_arg *out, const struct jval *v,
			    struct err *err)
{
	size_t count = jval_count(v);
	double *items, last = 0;

	if (jval_kind(v) != JVAL_ARRAY)
		return rpc_want_kind(err, "an array", "percentiles", v);
	if (count > RPC_PERCENTILE_MAX)
		return ERR_SET(err, RPC_E_PARAMS, "too many percentiles: %zu, at most %d", count,
			       RPC_PERCENTILE_MAX);
	out->percentiles.items = items = args->list = xcalloc(count, sizeof(*items));
	out->percentiles.count = count;
	for (size_t i = 0; i < count; i++) {
		const struct jval *item = jval_at(v, i);

		if (jval_kind(item) != JVAL_INTEGER && jval_kind(item) != JVAL_REAL)
			return rpc_want_kind(err, "a number", "a percentile", item);
		items[i] = jval_real(item);
		if (items[i] < 0 || items[i] > 100)
			return ERR_SET(err, RPC_E_PARAMS, "invalid reward percentile: %f",
				       items[i]);
		if (items[i] < last)
			return ERR_SET(
				err, RPC_E_PARAMS,
				"invalid reward percentile: element %zu is below the one before it",
				i);
		last = items[i];
	}
	return OK;
}

/* --- all of them --- */

#define PARAM_NAME_MAX 15

static int read_trace_call(struct rpc_args *args, struct rpc_arg *out, const struct jval *v,
			   struct err *err)
{
	const struct jval *state = rpc_member(v, "stateOverrides"), *block = rpc_member(v, "blockOverrides");
	int code = rpc_read_trace_options(&out->trace_call.options, v, err);

	if (code == OK && rpc_member(v, "txIndex"))
		return ERR_SET(err, RPC_E_PARAMS,
			       "txIndex is not supported: trace on the state after a block");
	if (code == OK && state)
		code = rpc_read_state_override(args, &out->trace_call.state, state, err);
	if (code == OK && block)
		code = rpc_read_block_override(&out->trace_call.block, block, err);
	out->trace_call.has_block = block;
	return code;
}

static int read_arg(struct rpc_args *args, struct rpc_arg *out, enum rpc_arg_kind kind,
		    const char *name, const struct jval *v, uint64_t chain_id, struct err *err)
{
	bool is_short;
	int code;

	switch (kind) {
	case RPC_ARG_ADDRESS:
		return rpc_read_fixed(out->address.bytes, 20, v, name, err);
	case RPC_ARG_HASH:
		return rpc_read_fixed(out->hash.bytes, 32, v, name, err);
	case RPC_ARG_DATA:
		code = rpc_read_data(&args->bytes[0], v, name, err);
		out->data = buf_bytes(&args->bytes[0]);
		return code;
	case RPC_ARG_QUANTITY:
		return rpc_read_quantity(&out->quantity, v, name, err);
	case RPC_ARG_BOOL:
		if (jval_kind(v) != JVAL_BOOL)
			return rpc_want_kind(err, "a boolean", name, v);
		out->flag = jval_bool(v);
		return OK;
	case RPC_ARG_NUMBER:
		return rpc_read_number(&out->block, v, err);
	case RPC_ARG_BLOCK:
		return read_block(&out->block, v, err);
	case RPC_ARG_BLOCK_HASH:
		out->block.kind = RPC_BLOCK_HASH;
		return rpc_read_fixed(out->block.hash.bytes, 32, v, "block hash", err);
	case RPC_ARG_SLOT:
		return read_slot(&out->slot, v, err);
	case RPC_ARG_SLOTS:
		return read_slots(args, out, v, err);
	case RPC_ARG_PERCENTILES:
		return read_percentiles(args, out, v, err);
	case RPC_ARG_CALL:
		return rpc_read_call(args, &out->call, v, chain_id, err);
	case RPC_ARG_TRACE_CALL:
		return read_trace_call(args, out, v, err);
	case RPC_ARG_TRACE:
		return rpc_read_trace_options(&out->trace, v, err);
	case RPC_ARG_FILTER_ID:
		return rpc_read_word(&out->hash, &is_short, v, "filter id", err);
	case RPC_ARG_FILTER:
		return rpc_read_filter(args, &out->filter, v, err);
	case RPC_ARG_STATE_OVERRIDE:
		return rpc_read_state_override(args, &out->state_override, v, err);
	case RPC_ARG_BLOCK_OVERRIDE:
		return rpc_read_block_override(&out->block_override, v, err);
	}
	UNREACHABLE();
}

int rpc_args_read(struct rpc_args *args, const char *shape, const struct jval *params,
		  uint64_t chain_id, struct err *err)
{
	enum jval_kind kind = jval_kind(params);
	size_t given = jval_count(params);
	struct rpc_param param;

	if (kind != JVAL_ABSENT && kind != JVAL_NULL && kind != JVAL_ARRAY)
		return ERR_SET(err, RPC_E_PARAMS, "params must be an array, not %s",
			       rpc_kind_text(params));
	while (rpc_shape_next(&shape, &param)) {
		const struct jval *v = jval_at(params, args->count);
		struct rpc_arg *arg = &args->at[args->count];
		char name[PARAM_NAME_MAX + 1];
		int code;

		CHECK(args->count < RPC_ARG_MAX && param.name.size <= PARAM_NAME_MAX);
		memcpy(name, param.name.data, param.name.size);
		name[param.name.size] = '\0';
		memset(arg, 0, sizeof(*arg)); /* a block that is left out is the newest */
		arg->is_present = v && jval_kind(v) != JVAL_NULL;
		if (!arg->is_present && !param.is_optional)
			return ERR_SET(err, RPC_E_PARAMS,
				       "missing value for required argument %zu (%s)", args->count,
				       name);
		if (arg->is_present) {
			code = read_arg(args, arg, param.kind, name, v, chain_id, err);
			if (code != OK)
				return err_prefix(err, code, "invalid argument %zu", args->count);
		}
		args->count++;
	}
	if (given > args->count)
		return ERR_SET(err, RPC_E_PARAMS, "too many arguments, want at most %zu",
			       args->count);
	return OK;
}

void rpc_args_clear(struct rpc_args *args)
{
	free(args->list);
	free(args->accounts);
	free(args->slots);
	args->list = NULL;
	log_filter_clear(&args->filter);
	args->accounts = NULL;
	args->slots = NULL;
	args->count = 0;
	for (size_t i = 0; i < ARRAY_COUNT(args->bytes); i++)
		buf_reset(&args->bytes[i]);
}

void rpc_args_free(struct rpc_args *args)
{
	rpc_args_clear(args);
	for (size_t i = 0; i < ARRAY_COUNT(args->bytes); i++)
		buf_clear(&args->bytes[i]);
}
