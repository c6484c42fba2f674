#include "rpc/params.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "codec/rlp.h"
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
			"data, input, accessList}`, each optional; `data` and `input` are the "
			"same" },
	[RPC_ARG_TRACE] = {
		"trace", "`{tracer, timeout, tracerConfig}` and, without a tracer, `{enableMemory, "
			 "disableStack, disableStorage, enableReturnData, limit}`, each optional: see "
			 "[Traces](#traces)" },
	[RPC_ARG_FILTER] = {
		"filter", "`{fromBlock, toBlock, blockHash, address, topics}`, each optional: numbers "
			  "(left out, `latest`) or one hash; an address or an array of some; up to 4 "
			  "topics, each `null` (any), one, or an array of some; at most 1024 in all" },
	[RPC_ARG_OVERRIDES] = { "overrides", "`{}`; overrides are not supported yet" },
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

/* --- text --- */

static int bad(struct err *err, const char *what)
{
	return ERR_SET(err, RPC_E_PARAMS, "%s", what);
}

static const char *kind_text(const struct jval *v)
{
	switch (jval_kind(v)) {
	case JVAL_ABSENT:
		return "nothing";
	case JVAL_NULL:
		return "null";
	case JVAL_BOOL:
		return "a boolean";
	case JVAL_INTEGER:
	case JVAL_REAL:
		return "a number";
	case JVAL_STRING:
		return "a string";
	case JVAL_ARRAY:
		return "an array";
	case JVAL_OBJECT:
		return "an object";
	}
	UNREACHABLE();
}

static int want_kind(struct err *err, const char *want, const char *what, const struct jval *v)
{
	return ERR_SET(err, RPC_E_PARAMS, "want %s for %s, not %s", want, what, kind_text(v));
}

/* The digits behind "0x". */
static int take_digits(struct bytes *out, const struct jval *v, const char *what, struct err *err)
{
	struct bytes text = jval_string(v);

	if (jval_kind(v) != JVAL_STRING)
		return want_kind(err, "a string", what, v);
	if (text.size < 2 || text.data[0] != '0' || text.data[1] != 'x')
		return ERR_SET(err, RPC_E_PARAMS, "hex string without 0x prefix for %s", what);
	*out = bytes_of(text.data + 2, text.size - 2);
	return OK;
}

static int read_fixed(uint8_t *out, size_t size, const struct jval *v, const char *what,
		      struct err *err)
{
	struct bytes digits;
	int code = take_digits(&digits, v, what, err);

	if (code != OK)
		return code;
	if (digits.size != 2 * size)
		return ERR_SET(err, RPC_E_PARAMS, "hex string has length %zu, want %zu for %s",
			       digits.size, 2 * size, what);
	if (!hex_decode(out, size, digits))
		return ERR_SET(err, RPC_E_PARAMS, "invalid hex string for %s", what);
	return OK;
}

static int read_data(struct buf *out, const struct jval *v, const char *what, struct err *err)
{
	struct bytes digits;
	int code = take_digits(&digits, v, what, err);
	size_t mark = out->size;

	if (code != OK)
		return code;
	if (digits.size % 2 != 0)
		return ERR_SET(err, RPC_E_PARAMS, "hex string of odd length for %s", what);
	if (!hex_decode(buf_extend(out, digits.size / 2), digits.size / 2, digits)) {
		out->size = mark;
		return ERR_SET(err, RPC_E_PARAMS, "invalid hex string for %s", what);
	}
	return OK;
}

/* What is wrong with a QUANTITY that hex.h refused. */
static int bad_quantity(struct bytes text, unsigned bits, const char *what, struct err *err)
{
	struct bytes digits;

	if (text.size < 2 || text.data[0] != '0' || text.data[1] != 'x')
		return ERR_SET(err, RPC_E_PARAMS, "hex string without 0x prefix for %s", what);
	digits = bytes_of(text.data + 2, text.size - 2);
	if (digits.size == 0)
		return ERR_SET(err, RPC_E_PARAMS, "empty hex string for %s", what);
	for (size_t i = 0; i < digits.size; i++)
		if (!strchr("0123456789abcdefABCDEF", digits.data[i]) || !digits.data[i])
			return ERR_SET(err, RPC_E_PARAMS, "invalid hex string for %s", what);
	if (digits.data[0] == '0')
		return ERR_SET(err, RPC_E_PARAMS, "hex number with leading zero digits for %s",
			       what);
	return ERR_SET(err, RPC_E_PARAMS, "hex number > %u bits for %s", bits, what);
}

static int read_quantity(uint64_t *out, const struct jval *v, const char *what, struct err *err)
{
	if (jval_kind(v) == JVAL_INTEGER) {
		if (jval_integer(v) < 0)
			return ERR_SET(err, RPC_E_PARAMS, "negative number for %s", what);
		*out = (uint64_t)jval_integer(v);
		return OK;
	}
	if (jval_kind(v) != JVAL_STRING)
		return want_kind(err, "a hex string or an integer", what, v);
	if (!hex_parse_u64(out, jval_string(v)))
		return bad_quantity(jval_string(v), 64, what, err);
	return OK;
}

static int read_wei(struct wei *out, const struct jval *v, const char *what, struct err *err)
{
	uint64_t small;
	int code;

	if (jval_kind(v) == JVAL_STRING) {
		if (!hex_parse_u256(&out->n, jval_string(v)))
			return bad_quantity(jval_string(v), 256, what, err);
		return OK;
	}
	code = read_quantity(&small, v, what, err);
	if (code == OK)
		*out = wei_of(small);
	return code;
}

/* --- blocks --- */

static bool text_is(const struct jval *v, const char *text)
{
	return bytes_equal(jval_string(v), bytes_of_str(text));
}

static int read_number(struct rpc_block_ref *out, const struct jval *v, struct err *err)
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
	return read_quantity(&out->height, v, "block number", err);
}

/* EIP-1898. Blocks here are final, so requireCanonical changes nothing. */
static int read_block_object(struct rpc_block_ref *out, const struct jval *v, struct err *err)
{
	const struct jval *number = jval_get(v, "blockNumber"), *hash = jval_get(v, "blockHash");
	const struct jval *canonical = jval_get(v, "requireCanonical");

	if (canonical && jval_kind(canonical) != JVAL_BOOL)
		return want_kind(err, "a boolean", "requireCanonical", canonical);
	if (number && hash)
		return bad(
			err,
			"cannot specify both blockHash and blockNumber, choose one or the other");
	if (number)
		return read_number(out, number, err);
	if (!hash)
		return bad(err, "a block object needs blockNumber or blockHash");
	out->kind = RPC_BLOCK_HASH;
	return read_fixed(out->hash.bytes, 32, hash, "block hash", err);
}

static int read_block(struct rpc_block_ref *out, const struct jval *v, struct err *err)
{
	if (jval_kind(v) == JVAL_OBJECT)
		return read_block_object(out, v, err);
	if (jval_string(v).size == 66) {
		out->kind = RPC_BLOCK_HASH;
		return read_fixed(out->hash.bytes, 32, v, "block hash", err);
	}
	return read_number(out, v, err);
}

/* --- slots, percentiles --- */

static int read_slot(struct rpc_slot *out, const struct jval *v, struct err *err)
{
	struct bytes digits;
	char padded[64];
	int code = take_digits(&digits, v, "storage key", err);

	if (code != OK)
		return code;
	if (digits.size == 0)
		return bad(err, "empty hex string for storage key");
	if (digits.size > sizeof(padded))
		return bad(err, "storage key too long (want at most 32 bytes)");
	memset(padded, '0', sizeof(padded));
	memcpy(padded + sizeof(padded) - digits.size, digits.data, digits.size);
	if (!hex_decode(out->key.bytes, 32, bytes_of(padded, sizeof(padded))))
		return bad(err, "invalid hex string for storage key");
	out->is_short = digits.size < sizeof(padded);
	return OK;
}

static int read_slots(struct rpc_args *args, struct rpc_arg *out, const struct jval *v,
		      struct err *err)
{
	size_t count = jval_count(v);

	if (jval_kind(v) != JVAL_ARRAY)
		return want_kind(err, "an array", "storage keys", v);
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
		return want_kind(err, "an array", "percentiles", v);
	if (count > RPC_PERCENTILE_MAX)
		return ERR_SET(err, RPC_E_PARAMS, "too many percentiles: %zu, at most %d", count,
			       RPC_PERCENTILE_MAX);
	out->percentiles.items = items = args->list = xcalloc(count, sizeof(*items));
	out->percentiles.count = count;
	for (size_t i = 0; i < count; i++) {
		const struct jval *item = jval_at(v, i);

		if (jval_kind(item) != JVAL_INTEGER && jval_kind(item) != JVAL_REAL)
			return want_kind(err, "a number", "a percentile", item);
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

/* --- calls --- */

/* A member that is there and not null, or NULL. */
static const struct jval *member(const struct jval *v, const char *key)
{
	const struct jval *m = jval_get(v, key);

	return jval_kind(m) == JVAL_NULL ? NULL : m;
}

static int read_call_data(struct rpc_args *args, struct rpc_call *out, const struct jval *v,
			  struct err *err)
{
	const struct jval *data = member(v, "data"), *input = member(v, "input");
	int code = OK;

	if (input)
		code = read_data(&args->bytes[0], input, "input", err);
	if (code == OK && data)
		code = read_data(&args->bytes[input ? 1 : 0], data, "data", err);
	if (code != OK)
		return code;
	if (data && input && !bytes_equal(buf_bytes(&args->bytes[0]), buf_bytes(&args->bytes[1])))
		return bad(err, "both \"data\" and \"input\" are set and not equal; use \"input\"");
	buf_reset(&args->bytes[1]);
	out->data = buf_bytes(&args->bytes[0]);
	return OK;
}

static int put_access_entry(struct buf *out, const struct jval *v, size_t *left, struct err *err)
{
	const struct jval *keys = member(v, "storageKeys");
	size_t list, slots, count = jval_count(keys);
	struct hash slot;
	struct addr address;
	int code;

	if (jval_kind(v) != JVAL_OBJECT)
		return want_kind(err, "an object", "an access list entry", v);
	code = read_fixed(address.bytes, 20, jval_get(v, "address"), "address", err);
	if (code != OK)
		return code;
	if (keys && jval_kind(keys) != JVAL_ARRAY)
		return want_kind(err, "an array", "storageKeys", keys);
	if (count >= *left)
		return ERR_SET(err, RPC_E_PARAMS, "access list with more than %d entries",
			       RPC_ACCESS_MAX);
	*left -= count + 1;
	list = rlp_list_open(out);
	rlp_put_addr(out, &address);
	slots = rlp_list_open(out);
	for (size_t i = 0; i < count; i++) {
		code = read_fixed(slot.bytes, 32, jval_at(keys, i), "storage key", err);
		if (code != OK)
			return code;
		rlp_put_hash(out, &slot);
	}
	rlp_list_close(out, slots);
	rlp_list_close(out, list);
	return OK;
}

static int read_access_list(struct rpc_args *args, struct rpc_call *out, const struct jval *v,
			    struct err *err)
{
	size_t left = RPC_ACCESS_MAX;

	if (jval_kind(v) != JVAL_ARRAY)
		return want_kind(err, "an array", "accessList", v);
	for (size_t i = 0; i < jval_count(v); i++) {
		int code = put_access_entry(&args->bytes[1], jval_at(v, i), &left, err);

		if (code != OK)
			return err_prefix(err, code, "accessList element %zu", i);
	}
	out->access_list = buf_bytes(&args->bytes[1]);
	return OK;
}

static int read_call_fee(struct rpc_call *out, const struct jval *v, struct err *err)
{
	const struct jval *price = member(v, "gasPrice"), *fee = member(v, "maxFeePerGas");
	const struct jval *tip = member(v, "maxPriorityFeePerGas");
	struct wei max_tip;
	int code = OK;

	if (price && (fee || tip))
		return bad(err,
			   "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
	if (tip)
		code = read_wei(&max_tip, tip, "maxPriorityFeePerGas", err);
	if (code == OK && (price || fee)) {
		out->has_fee = true;
		code = read_wei(&out->max_fee, price ? price : fee,
				price ? "gasPrice" : "maxFeePerGas", err);
	}
	if (code == OK && tip && fee && wei_compare(out->max_fee, max_tip) < 0)
		return bad(err, "maxFeePerGas is below maxPriorityFeePerGas");
	return code;
}

static int read_call(struct rpc_args *args, struct rpc_call *out, const struct jval *v,
		     uint64_t chain_id, struct err *err)
{
	const struct jval *from = member(v, "from"), *to = member(v, "to"), *gas = member(v, "gas");
	const struct jval *value = member(v, "value"), *chain = member(v, "chainId");
	const struct jval *access = member(v, "accessList");
	uint64_t id = chain_id;
	int code = OK;

	if (jval_kind(v) != JVAL_OBJECT)
		return want_kind(err, "an object", "a call", v);
	*out = (struct rpc_call){ .is_create = !to, .has_gas = gas };
	if (from)
		code = read_fixed(out->from.bytes, 20, from, "from", err);
	if (code == OK && to)
		code = read_fixed(out->to.bytes, 20, to, "to", err);
	if (code == OK && gas)
		code = read_quantity(&out->gas, gas, "gas", err);
	if (code == OK && value)
		code = read_wei(&out->value, value, "value", err);
	if (code == OK && chain)
		code = read_quantity(&id, chain, "chainId", err);
	if (code == OK && id != chain_id)
		code = ERR_SET(err, RPC_E_PARAMS,
			       "chainId does not match node's (have=%llu, want=%llu)",
			       (unsigned long long)id, (unsigned long long)chain_id);
	if (code == OK)
		code = read_call_fee(out, v, err);
	if (code == OK)
		code = read_call_data(args, out, v, err);
	if (code == OK && access)
		code = read_access_list(args, out, access, err);
	return code;
}

/* --- all of them --- */

#define PARAM_NAME_MAX 15

static int read_overrides(const struct jval *v, struct err *err)
{
	if (jval_kind(v) != JVAL_OBJECT)
		return want_kind(err, "an object", "overrides", v);
	if (jval_count(v) != 0)
		return bad(err, "state and block overrides are not supported yet: leave them out");
	return OK;
}

static int read_arg(struct rpc_args *args, struct rpc_arg *out, enum rpc_arg_kind kind,
		    const char *name, const struct jval *v, uint64_t chain_id, struct err *err)
{
	int code;

	switch (kind) {
	case RPC_ARG_ADDRESS:
		return read_fixed(out->address.bytes, 20, v, name, err);
	case RPC_ARG_HASH:
		return read_fixed(out->hash.bytes, 32, v, name, err);
	case RPC_ARG_DATA:
		code = read_data(&args->bytes[0], v, name, err);
		out->data = buf_bytes(&args->bytes[0]);
		return code;
	case RPC_ARG_QUANTITY:
		return read_quantity(&out->quantity, v, name, err);
	case RPC_ARG_BOOL:
		if (jval_kind(v) != JVAL_BOOL)
			return want_kind(err, "a boolean", name, v);
		out->flag = jval_bool(v);
		return OK;
	case RPC_ARG_NUMBER:
		return read_number(&out->block, v, err);
	case RPC_ARG_BLOCK:
		return read_block(&out->block, v, err);
	case RPC_ARG_BLOCK_HASH:
		out->block.kind = RPC_BLOCK_HASH;
		return read_fixed(out->block.hash.bytes, 32, v, "block hash", err);
	case RPC_ARG_SLOT:
		return read_slot(&out->slot, v, err);
	case RPC_ARG_SLOTS:
		return read_slots(args, out, v, err);
	case RPC_ARG_PERCENTILES:
		return read_percentiles(args, out, v, err);
	case RPC_ARG_CALL:
		return read_call(args, &out->call, v, chain_id, err);
	case RPC_ARG_TRACE:
		return rpc_read_trace_options(&out->trace, v, err);
	case RPC_ARG_FILTER:
		return rpc_read_filter(args, &out->filter, v, err);
	case RPC_ARG_OVERRIDES:
		return read_overrides(v, err);
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
			       kind_text(params));
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
	args->list = NULL;
	log_filter_clear(&args->filter);
	args->count = 0;
	buf_reset(&args->bytes[0]);
	buf_reset(&args->bytes[1]);
}

void rpc_args_free(struct rpc_args *args)
{
	rpc_args_clear(args);
	buf_clear(&args->bytes[0]);
	buf_clear(&args->bytes[1]);
}

int rpc_read_number(struct rpc_block_ref *out, const struct jval *v, struct err *err)
{
	return read_number(out, v, err);
}
