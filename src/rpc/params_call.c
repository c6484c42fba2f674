/* The call object of eth_call and its like. */
#include "base/check.h"
#include "codec/rlp.h"
#include "rpc/read.h"

static int read_call_data(struct rpc_args *args, struct rpc_call *out, const struct jval *v,
			  struct err *err)
{
	const struct jval *data = rpc_member(v, "data"), *input = rpc_member(v, "input");
	/* the second is only to be compared */
	struct buf *first = &args->bytes[RPC_ARGS_DATA], *second = &args->bytes[RPC_ARGS_ACCESS_LIST];
	int code = OK;

	if (input)
		code = rpc_read_data(first, input, "input", err);
	if (code == OK && data)
		code = rpc_read_data(input ? second : first, data, "data", err);
	if (code != OK)
		return code;
	if (data && input && !bytes_equal(buf_bytes(first), buf_bytes(second)))
		return rpc_bad(err, "both \"data\" and \"input\" are set and not equal; use \"input\"");
	buf_reset(second);
	out->data = buf_bytes(first);
	return OK;
}

static int put_access_entry(struct buf *out, const struct jval *v, size_t *left, struct err *err)
{
	const struct jval *keys = rpc_member(v, "storageKeys");
	size_t list, slots, count = jval_count(keys);
	struct hash slot;
	struct addr address;
	int code;

	if (jval_kind(v) != JVAL_OBJECT)
		return rpc_want_kind(err, "an object", "an access list entry", v);
	code = rpc_read_fixed(address.bytes, 20, jval_get(v, "address"), "address", err);
	if (code != OK)
		return code;
	if (keys && jval_kind(keys) != JVAL_ARRAY)
		return rpc_want_kind(err, "an array", "storageKeys", keys);
	if (count >= *left)
		return ERR_SET(err, RPC_E_PARAMS, "access list with more than %d entries",
			       RPC_ACCESS_MAX);
	*left -= count + 1;
	list = rlp_list_open(out);
	rlp_put_addr(out, &address);
	slots = rlp_list_open(out);
	for (size_t i = 0; i < count; i++) {
		code = rpc_read_fixed(slot.bytes, 32, jval_at(keys, i), "storage key", err);
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
		return rpc_want_kind(err, "an array", "accessList", v);
	for (size_t i = 0; i < jval_count(v); i++) {
		int code = put_access_entry(&args->bytes[RPC_ARGS_ACCESS_LIST], jval_at(v, i), &left, err);

		if (code != OK)
			return err_prefix(err, code, "accessList element %zu", i);
	}
	out->access_list = buf_bytes(&args->bytes[RPC_ARGS_ACCESS_LIST]);
	return OK;
}

static int read_call_fee(struct rpc_call *out, const struct jval *v, struct err *err)
{
	const struct jval *price = rpc_member(v, "gasPrice"), *fee = rpc_member(v, "maxFeePerGas");
	const struct jval *tip = rpc_member(v, "maxPriorityFeePerGas");
	int code = OK;

	if (price && (fee || tip))
		return rpc_bad(err,
			       "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
	if (tip)
		code = rpc_read_wei(&out->max_tip, tip, "maxPriorityFeePerGas", err);
	if (code == OK && (price || fee)) {
		out->has_fee = true;
		code = rpc_read_wei(&out->max_fee, price ? price : fee,
				    price ? "gasPrice" : "maxFeePerGas", err);
	}
	if (code == OK && tip && fee && wei_compare(out->max_fee, out->max_tip) < 0)
		return rpc_bad(err, "maxFeePerGas is below maxPriorityFeePerGas");
	if (price)
		out->max_tip = out->max_fee;
	return code;
}

/* [chain id, address, nonce, parity, r, s] (EIP-7702). */
static int put_authorization(struct buf *out, const struct jval *v, struct err *err)
{
	const struct jval *parity = rpc_member(v, "yParity");
	struct wei chain_id, r, s;
	struct addr address;
	uint64_t nonce, y;
	size_t list;
	int code;

	if (jval_kind(v) != JVAL_OBJECT)
		return rpc_want_kind(err, "an object", "an authorization", v);
	code = rpc_read_wei(&chain_id, jval_get(v, "chainId"), "chainId", err);
	if (code == OK)
		code = rpc_read_fixed(address.bytes, 20, jval_get(v, "address"), "address", err);
	if (code == OK)
		code = rpc_read_quantity(&nonce, jval_get(v, "nonce"), "nonce", err);
	if (code == OK)
		code = rpc_read_quantity(&y, parity ? parity : jval_get(v, "v"), "yParity", err);
	if (code == OK && y > 255)
		code = rpc_bad(err, "yParity has more than 8 bits");
	if (code == OK)
		code = rpc_read_wei(&r, jval_get(v, "r"), "r", err);
	if (code == OK)
		code = rpc_read_wei(&s, jval_get(v, "s"), "s", err);
	if (code != OK)
		return code;
	list = rlp_list_open(out);
	rlp_put_u256(out, &chain_id.n);
	rlp_put_addr(out, &address);
	rlp_put_u64(out, nonce);
	rlp_put_u64(out, y);
	rlp_put_u256(out, &r.n);
	rlp_put_u256(out, &s.n);
	rlp_list_close(out, list);
	return OK;
}

static int read_authorizations(struct rpc_args *args, struct rpc_call *out, const struct jval *v,
			       struct err *err)
{
	struct buf *list = &args->bytes[RPC_ARGS_AUTHORIZATIONS];
	size_t count = jval_count(v);

	if (jval_kind(v) != JVAL_ARRAY)
		return rpc_want_kind(err, "an array", "authorizationList", v);
	if (count > RPC_AUTHORIZATION_MAX)
		return ERR_SET(err, RPC_E_PARAMS, "too many authorizations: %zu, at most %d", count,
			       RPC_AUTHORIZATION_MAX);
	if (count == 0)
		return rpc_bad(err, "EIP-7702 transaction with empty auth list");
	if (out->is_create)
		return rpc_bad(err, "EIP-7702 transaction cannot be used to create contract");
	for (size_t i = 0; i < count; i++) {
		int code = put_authorization(list, jval_at(v, i), err);

		if (code != OK)
			return err_prefix(err, code, "authorizationList element %zu", i);
	}
	out->authorizations = buf_bytes(list);
	out->authorization_count = count;
	return OK;
}

/* Blobs are not part of this chain: a call that has some is told so, not run without. */
static int refuse_blobs(const struct jval *v, struct err *err)
{
	static const char *const members[] = {
		"blobVersionedHashes", "blobs", "commitments", "proofs", "maxFeePerBlobGas",
	};

	for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
		const struct jval *m = rpc_member(v, members[i]);

		if (m && (jval_kind(m) != JVAL_ARRAY || jval_count(m) > 0))
			return ERR_SET(err, RPC_E_PARAMS,
				       "%s: blob transactions (type 3) are not part of this chain",
				       members[i]);
	}
	return OK;
}

/* What a client names and a call does not need: the type follows from the members, the
 * nonce is the account's. */
static int check_identity(const struct jval *v, uint64_t chain_id, struct err *err)
{
	const struct jval *chain = rpc_member(v, "chainId"), *type = rpc_member(v, "type");
	const struct jval *nonce = rpc_member(v, "nonce");
	uint64_t id = chain_id, type_number = 0, ignored;
	int code = OK;

	if (chain)
		code = rpc_read_quantity(&id, chain, "chainId", err);
	if (code == OK && id != chain_id)
		code = ERR_SET(err, RPC_E_PARAMS,
			       "chainId does not match node's (have=%llu, want=%llu)",
			       (unsigned long long)id, (unsigned long long)chain_id);
	if (code == OK && nonce)
		code = rpc_read_quantity(&ignored, nonce, "nonce", err);
	if (code == OK && type)
		code = rpc_read_quantity(&type_number, type, "type", err);
	if (code == OK && type_number == TX_BLOB)
		return rpc_bad(err, "blob transactions (type 3) are not part of this chain");
	if (code == OK && type_number > TX_SET_CODE)
		return rpc_bad(err, "transaction type not supported: send type 0, 1, 2 or 4");
	return code == OK ? refuse_blobs(v, err) : code;
}

int rpc_read_call(struct rpc_args *args, struct rpc_call *out, const struct jval *v,
		  uint64_t chain_id, struct err *err)
{
	const struct jval *from = rpc_member(v, "from"), *to = rpc_member(v, "to");
	const struct jval *gas = rpc_member(v, "gas"), *value = rpc_member(v, "value");
	const struct jval *access = rpc_member(v, "accessList");
	const struct jval *authorizations = rpc_member(v, "authorizationList");
	int code = OK;

	if (jval_kind(v) != JVAL_OBJECT)
		return rpc_want_kind(err, "an object", "a call", v);
	*out = (struct rpc_call){ .is_create = !to, .has_gas = gas };
	if (from)
		code = rpc_read_fixed(out->from.bytes, 20, from, "from", err);
	if (code == OK && to)
		code = rpc_read_fixed(out->to.bytes, 20, to, "to", err);
	if (code == OK && gas)
		code = rpc_read_quantity(&out->gas, gas, "gas", err);
	if (code == OK && value)
		code = rpc_read_wei(&out->value, value, "value", err);
	if (code == OK)
		code = check_identity(v, chain_id, err);
	if (code == OK)
		code = read_call_fee(out, v, err);
	if (code == OK)
		code = read_call_data(args, out, v, err);
	if (code == OK && access)
		code = read_access_list(args, out, access, err);
	if (code == OK && authorizations)
		code = read_authorizations(args, out, authorizations, err);
	return code;
}
