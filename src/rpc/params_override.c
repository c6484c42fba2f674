/* What a call pretends: geth's state overrides and block overrides. A member that is not
 * known is refused, since a call without it would answer another question. */
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "rpc/read.h"

/* --- accounts --- */

static const char *const account_members[] = {
	"balance", "nonce", "code", "state", "stateDiff", "movePrecompileToAddress",
};

static int check_members(const struct jval *v, const char *const known[], size_t count,
			 struct err *err)
{
	const struct jval *value;
	const char *key;

	for (void *cursor = NULL; jval_next(v, &cursor, &key, &value);) {
		size_t i = 0;

		while (i < count && strcmp(key, known[i]) != 0)
			i++;
		if (i == count)
			return ERR_SET(err, RPC_E_PARAMS, "unknown member \"%.32s\"", key);
	}
	return OK;
}

/* How much memory the override needs, so that nothing moves while it is read. */
struct extent {
	size_t slot_count, code_size;
};

static int measure(const struct jval *v, struct extent *out, struct err *err)
{
	const struct jval *account;
	const char *key;

	*out = (struct extent){ 0 };
	for (void *cursor = NULL; jval_next(v, &cursor, &key, &account);) {
		out->slot_count += jval_count(rpc_member(account, "state")) +
				   jval_count(rpc_member(account, "stateDiff"));
		out->code_size += jval_string(rpc_member(account, "code")).size;
	}
	if (jval_count(v) > RPC_OVERRIDE_ACCOUNT_MAX)
		return ERR_SET(err, RPC_E_PARAMS, "too many accounts: %zu, at most %d",
			       jval_count(v), RPC_OVERRIDE_ACCOUNT_MAX);
	if (out->slot_count > RPC_OVERRIDE_SLOT_MAX)
		return ERR_SET(err, RPC_E_PARAMS, "too many storage slots: %zu, at most %d",
			       out->slot_count, RPC_OVERRIDE_SLOT_MAX);
	return OK;
}

static int compare_slots(const void *a, const void *b)
{
	const struct override_slot *x = a, *y = b;

	return memcmp(&x->slot, &y->slot, sizeof(x->slot));
}

static int compare_accounts(const void *a, const void *b)
{
	const struct account_override *x = a, *y = b;

	return memcmp(&x->address, &y->address, sizeof(x->address));
}

/* A key or an address stands as text, where a value would be a jval. */
static bool parse_word(struct hash *out, const char *text)
{
	size_t size = strlen(text);
	char padded[64];

	if (size < 3 || size > 2 + sizeof(padded) || text[0] != '0' || text[1] != 'x')
		return false;
	memset(padded, '0', sizeof(padded));
	memcpy(padded + sizeof(padded) - (size - 2), text + 2, size - 2);
	return hex_decode(out->bytes, 32, bytes_of(padded, sizeof(padded)));
}

static int read_storage(struct account_override *a, struct override_slot *slots,
			const struct jval *v, const char *what, struct err *err)
{
	const struct jval *value;
	const char *key;
	struct hash word;
	bool is_short;

	if (jval_kind(v) != JVAL_OBJECT)
		return rpc_want_kind(err, "an object", what, v);
	for (void *cursor = NULL; jval_next(v, &cursor, &key, &value);) {
		int code = rpc_read_word(&word, &is_short, value, "storage value", err);

		if (code != OK)
			return code;
		if (!parse_word(&slots[a->slot_count].slot, key))
			return ERR_SET(err, RPC_E_PARAMS, "invalid storage key \"%.70s\"", key);
		slots[a->slot_count++].value = u256_from_be(hash_bytes(&word));
	}
	if (a->slot_count > 1)
		qsort(slots, a->slot_count, sizeof(slots[0]), compare_slots);
	for (size_t i = 1; i < a->slot_count; i++)
		if (compare_slots(&slots[i - 1], &slots[i]) == 0)
			return ERR_SET(err, RPC_E_PARAMS, "%s has a storage key twice", what);
	a->slots = slots;
	return OK;
}

static int read_code(struct rpc_args *args, struct account_override *a, const struct jval *v,
		     struct err *err)
{
	struct buf *all = &args->bytes[RPC_ARGS_CODE];
	size_t begin = all->size;
	int code = rpc_read_data(all, v, "code", err);

	a->has_code = true;
	a->code = bytes_of(all->data + begin, all->size - begin);
	return code;
}

/* One account; `slots` has room for its slots. */
static int read_account(struct rpc_args *args, struct account_override *a,
			struct override_slot *slots, const struct jval *v, struct err *err)
{
	const struct jval *balance = rpc_member(v, "balance"), *nonce = rpc_member(v, "nonce");
	const struct jval *code_text = rpc_member(v, "code"), *state = rpc_member(v, "state");
	const struct jval *diff = rpc_member(v, "stateDiff");
	const struct jval *move = rpc_member(v, "movePrecompileToAddress");
	int code;

	if (jval_kind(v) != JVAL_OBJECT)
		return rpc_want_kind(err, "an object", "an account's override", v);
	code = check_members(v, account_members, ARRAY_COUNT(account_members), err);
	if (code != OK)
		return code;
	if (state && diff)
		return rpc_bad(err, "has both 'state' and 'stateDiff'");
	a->has_balance = balance;
	a->has_nonce = nonce;
	a->has_state = state;
	a->moves = move;
	if (balance)
		code = rpc_read_wei(&a->balance, balance, "balance", err);
	if (code == OK && nonce)
		code = rpc_read_quantity(&a->nonce, nonce, "nonce", err);
	if (code == OK && code_text)
		code = read_code(args, a, code_text, err);
	if (code == OK && move)
		code = rpc_read_fixed(a->move_to.bytes, 20, move, "movePrecompileToAddress", err);
	if (code == OK && (state || diff))
		code = read_storage(a, slots, state ? state : diff, state ? "state" : "stateDiff",
				    err);
	return code;
}

static int refuse_twice(const struct addr *a, struct err *err)
{
	char text[HEX_ADDR_SIZE];

	return ERR_SET(err, RPC_E_PARAMS, "account %s is already overridden",
		       hex_data(text, addr_bytes(a)));
}

/* No account twice, by whatever capitals, and none that a precompile is moved to. There
 * are few precompiles that could move; exec refuses any other's. */
static int check_accounts(const struct account_override *accounts, size_t count, struct err *err)
{
	for (size_t i = 1; i < count; i++)
		if (compare_accounts(&accounts[i - 1], &accounts[i]) == 0)
			return refuse_twice(&accounts[i].address, err);
	for (size_t i = 0; i < count; i++) {
		struct account_override target = { .address = accounts[i].move_to };

		if (!accounts[i].moves)
			continue;
		if (bsearch(&target, accounts, count, sizeof(target), compare_accounts))
			return refuse_twice(&target.address, err);
		for (size_t k = 0; k < i; k++)
			if (accounts[k].moves && addr_equal(&accounts[k].move_to, &target.address))
				return refuse_twice(&target.address, err);
	}
	return OK;
}

int rpc_read_state_override(struct rpc_args *args, struct state_override *out,
			    const struct jval *v, struct err *err)
{
	struct override_slot *slots;
	const struct jval *account;
	struct extent extent;
	const char *key;
	size_t count = 0;
	int code;

	if (jval_kind(v) != JVAL_OBJECT)
		return rpc_want_kind(err, "an object", "state overrides", v);
	code = measure(v, &extent, err);
	if (code != OK)
		return code;
	CHECK(!args->accounts);
	args->accounts = xcalloc(jval_count(v), sizeof(args->accounts[0]));
	args->slots = slots = xcalloc(extent.slot_count, sizeof(slots[0]));
	buf_reserve(&args->bytes[RPC_ARGS_CODE], extent.code_size);
	for (void *cursor = NULL; jval_next(v, &cursor, &key, &account); count++) {
		struct account_override *a = &args->accounts[count];

		if (!hex_parse_fixed(a->address.bytes, 20, bytes_of_str(key)))
			return ERR_SET(err, RPC_E_PARAMS, "invalid address \"%.50s\"", key);
		code = read_account(args, a, slots, account, err);
		if (code != OK)
			return err_prefix(err, code, "account %s", key);
		slots += a->slot_count;
	}
	if (count > 1)
		qsort(args->accounts, count, sizeof(args->accounts[0]), compare_accounts);
	*out = (struct state_override){ args->accounts, count };
	return check_accounts(args->accounts, count, err);
}

/* --- the block --- */

enum field {
	FIELD_NUMBER,
	FIELD_TIME,
	FIELD_GAS_LIMIT,
	FIELD_COINBASE,
	FIELD_PREV_RANDAO,
	FIELD_BASE_FEE,
	FIELD_BLOB_BASE_FEE,
	FIELD_DIFFICULTY,
	FIELD_REFUSED,
};

/* geth's names and those of its earlier versions and of others. */
static const struct {
	const char *name;
	enum field field;
} fields[] = {
	{ "number", FIELD_NUMBER },
	{ "blockNumber", FIELD_NUMBER },
	{ "time", FIELD_TIME },
	{ "timestamp", FIELD_TIME },
	{ "gasLimit", FIELD_GAS_LIMIT },
	{ "feeRecipient", FIELD_COINBASE },
	{ "coinbase", FIELD_COINBASE },
	{ "prevRandao", FIELD_PREV_RANDAO },
	{ "random", FIELD_PREV_RANDAO },
	{ "baseFeePerGas", FIELD_BASE_FEE },
	{ "baseFee", FIELD_BASE_FEE },
	{ "blobBaseFee", FIELD_BLOB_BASE_FEE },
	{ "difficulty", FIELD_DIFFICULTY },
	{ "beaconRoot", FIELD_REFUSED },
	{ "withdrawals", FIELD_REFUSED },
};

/* False if it is there already, by another of its names. */
static bool first_time(bool *has)
{
	bool had = *has;

	*has = true;
	return !had;
}

static int read_field(struct block_override *out, enum field field, const char *name,
		      const struct jval *v, struct err *err)
{
	const char *const twice = "is given by two names";
	struct wei ignored;
	bool is_short;

	switch (field) {
	case FIELD_NUMBER:
		return first_time(&out->has_height) ? rpc_read_quantity(&out->height, v, name, err)
						    : rpc_bad(err, twice);
	case FIELD_TIME:
		return first_time(&out->has_time) ? rpc_read_quantity(&out->time, v, name, err)
						  : rpc_bad(err, twice);
	case FIELD_GAS_LIMIT:
		return first_time(&out->has_gas_limit)
			       ? rpc_read_quantity(&out->gas_limit, v, name, err)
			       : rpc_bad(err, twice);
	case FIELD_COINBASE:
		return first_time(&out->has_coinbase)
			       ? rpc_read_fixed(out->coinbase.bytes, 20, v, name, err)
			       : rpc_bad(err, twice);
	case FIELD_PREV_RANDAO:
		return first_time(&out->has_prev_randao)
			       ? rpc_read_word(&out->prev_randao, &is_short, v, name, err)
			       : rpc_bad(err, twice);
	case FIELD_BASE_FEE:
		return first_time(&out->has_base_fee) ? rpc_read_wei(&out->base_fee, v, name, err)
						      : rpc_bad(err, twice);
	case FIELD_BLOB_BASE_FEE:
		return first_time(&out->has_blob_base_fee)
			       ? rpc_read_wei(&out->blob_base_fee, v, name, err)
			       : rpc_bad(err, twice);
	case FIELD_DIFFICULTY: /* no instruction reads it since the Merge */
		return rpc_read_wei(&ignored, v, name, err);
	case FIELD_REFUSED:
		return rpc_bad(err, "is not supported");
	}
	UNREACHABLE();
}

int rpc_read_block_override(struct block_override *out, const struct jval *v, struct err *err)
{
	const struct jval *value;
	const char *key;

	*out = (struct block_override){ 0 };
	if (jval_kind(v) != JVAL_OBJECT)
		return rpc_want_kind(err, "an object", "block overrides", v);
	for (void *cursor = NULL; jval_next(v, &cursor, &key, &value);) {
		size_t i = 0;
		int code;

		if (jval_kind(value) == JVAL_NULL)
			continue;
		while (i < ARRAY_COUNT(fields) && strcmp(key, fields[i].name) != 0)
			i++;
		if (i == ARRAY_COUNT(fields))
			return ERR_SET(err, RPC_E_PARAMS, "unknown member \"%.32s\"", key);
		code = read_field(out, fields[i].field, key, value, err);
		if (code != OK)
			return err_prefix(err, code, "%s", key);
	}
	return OK;
}
