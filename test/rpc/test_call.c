/* eth_call and its like: overrides as clients write them, limits, what is told of failures. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ask.h"
#include "base/check.h"
#include "codec/hex.h"
#include "rpc/params.h"

#define ADDR_1 "0x0000000000000000000000000000000000000001"
#define ADDR_2 "0x0000000000000000000000000000000000000002"
#define ADDR_A "0x00000000000000000000000000000000000000aa"
#define ADDR_A_UPPER "0x00000000000000000000000000000000000000AA"
#define WORD_7 "0x0000000000000000000000000000000000000000000000000000000000000007"

/* Params behind `{to: contract, data: describe}`, and how the backend hears of them; or a
 * refusal: its message from "invalid argument" on. */
struct row {
	const char *params, *heard, *refused;
};

/* The text that the fake describes a call with. */
static const char *described(struct asker *a, const char *params, char out[2048])
{
	const struct jval *result = ask(a, "eth_call", params);
	struct buf text = { 0 };

	out[0] = '\0';
	if (!result)
		return NULL;
	cr_assert(hex_parse_data(&text, jval_string(result), 2047));
	if (text.size)
		memcpy(out, text.data, text.size);
	out[text.size] = '\0';
	buf_clear(&text);
	return out;
}

static void check_rows(const struct row *rows, size_t count, const char *before)
{
	struct asker a = asker_open();
	char params[4096], have[2048];

	for (size_t i = 0; i < count; i++) {
		const struct row *r = &rows[i];

		snprintf(params, sizeof(params), "[%s%s]", before, r->params);
		if (r->heard) {
			const char *text = described(&a, params, have);

			cr_expect(text, "%s: %s", params, error_message(&a));
			cr_expect_str_eq(have, r->heard, "%s: %s", params, have);
			continue;
		}
		cr_expect(!ask(&a, "eth_call", params), "%s", params);
		cr_expect_eq(error_code(&a), -32602, "%s: %lld", params, (long long)error_code(&a));
		cr_expect_eq(strncmp(error_message(&a), r->refused, strlen(r->refused)), 0, "%s: %s",
			     params, error_message(&a));
	}
	asker_close(&a);
}

#define CALL "{\"to\":\"$C\",\"data\":\"0xdd\"}"

static const struct row state_rows[] = {
	{ "", "", NULL },
	{ ",null,null,null", "", NULL },
	{ ",\"latest\",{},{}", "", NULL },
	{ ",\"latest\",{\"" ADDR_A "\":{}}", " account=" ADDR_A, NULL },
	{ ",\"latest\",{\"" ADDR_A "\":{\"balance\":\"0x10\",\"nonce\":\"0x5\",\"code\":\"0x6001\"}}",
	  " account=" ADDR_A " balance=16 nonce=5 code=0x6001", NULL },
	{ ",\"latest\",{\"" ADDR_A "\":{\"balance\":null,\"code\":\"0x\",\"state\":null}}",
	  " account=" ADDR_A " code=0x", NULL },
	/* accounts and slots come sorted; short words are filled up */
	{ ",\"latest\",{\"" ADDR_2 "\":{\"code\":\"0xbb\"},\"" ADDR_1 "\":{\"code\":\"0xaa\"}}",
	  " account=" ADDR_1 " code=0xaa account=" ADDR_2 " code=0xbb", NULL },
	{ ",\"latest\",{\"" ADDR_A "\":{\"state\":{\"" WORD_7 "\":\"" WORD_7 "\",\"0x2\":\"0x3\"}}}",
	  " account=" ADDR_A " state [2]=3 [7]=7", NULL },
	{ ",\"latest\",{\"" ADDR_A "\":{\"state\":{}}}", " account=" ADDR_A " state", NULL },
	{ ",\"latest\",{\"" ADDR_A "\":{\"stateDiff\":{\"0x1\":\"0x2\"}},\"" ADDR_1
	  "\":{\"stateDiff\":{\"0x3\":\"0x4\"}}}",
	  " account=" ADDR_1 " [3]=4 account=" ADDR_A " [1]=2", NULL },
	{ ",\"latest\",{\"" ADDR_1 "\":{\"movePrecompileToAddress\":\"" ADDR_A "\"}}",
	  " account=" ADDR_1 " move=" ADDR_A, NULL },

	{ ",\"latest\",[]", NULL, "invalid argument 2: want an object for state overrides" },
	{ ",\"latest\",{\"0x1\":{}}", NULL, "invalid argument 2: invalid address \"0x1\"" },
	{ ",\"latest\",{\"" ADDR_A "\":7}", NULL,
	  "invalid argument 2: account " ADDR_A ": want an object" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"state\":{},\"stateDiff\":{}}}", NULL,
	  "invalid argument 2: account " ADDR_A ": has both 'state' and 'stateDiff'" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"storage\":{}}}", NULL,
	  "invalid argument 2: account " ADDR_A ": unknown member \"storage\"" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"balance\":\"1\"}}", NULL,
	  "invalid argument 2: account " ADDR_A ": hex string without 0x prefix for balance" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"nonce\":\"0x10000000000000000\"}}", NULL,
	  "invalid argument 2: account " ADDR_A ": hex number > 64 bits for nonce" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"code\":\"0x1\"}}", NULL,
	  "invalid argument 2: account " ADDR_A ": hex string of odd length for code" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"state\":[]}}", NULL,
	  "invalid argument 2: account " ADDR_A ": want an object for state" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"state\":{\"7\":\"0x1\"}}}", NULL,
	  "invalid argument 2: account " ADDR_A ": invalid storage key \"7\"" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"state\":{\"0x\":\"0x1\"}}}", NULL,
	  "invalid argument 2: account " ADDR_A ": invalid storage key" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"state\":{\"0x1" "0000000000000000000000000000000000000000"
	  "000000000000000000000000\":\"0x1\"}}}", NULL,
	  "invalid argument 2: account " ADDR_A ": invalid storage key" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"stateDiff\":{\"0x1\":1}}}", NULL,
	  "invalid argument 2: account " ADDR_A ": want a string for storage value" },
	{ ",\"latest\",{\"" ADDR_A "\":{\"stateDiff\":{\"0x1\":\"0x1\",\"0x01\":\"0x2\"}}}", NULL,
	  "invalid argument 2: account " ADDR_A ": stateDiff has a storage key twice" },
	{ ",\"latest\",{\"" ADDR_A "\":{},\"" ADDR_A_UPPER "\":{}}", NULL,
	  "invalid argument 2: account " ADDR_A " is already overridden" },
	{ ",\"latest\",{\"" ADDR_1 "\":{\"movePrecompileToAddress\":\"" ADDR_A "\"},\"" ADDR_A "\":{}}",
	  NULL, "invalid argument 2: account " ADDR_A " is already overridden" },
	{ ",\"latest\",{\"" ADDR_1 "\":{\"movePrecompileToAddress\":\"" ADDR_A "\"},\"" ADDR_2
	  "\":{\"movePrecompileToAddress\":\"" ADDR_A "\"}}",
	  NULL, "invalid argument 2: account " ADDR_A " is already overridden" },
};

Test(rpc_call, reads_state_overrides)
{
	check_rows(state_rows, ARRAY_COUNT(state_rows), CALL);
}

static const struct row block_rows[] = {
	{ "{}", "", NULL },
	{ "{\"number\":\"0x10\",\"time\":17,\"gasLimit\":\"0x12\",\"feeRecipient\":\"" ADDR_A
	  "\",\"prevRandao\":\"" WORD_7 "\",\"baseFeePerGas\":\"0x13\",\"blobBaseFee\":\"0x14\"}",
	  " number=16 time=17 gasLimit=18 coinbase=" ADDR_A " prevRandao=" WORD_7
	  " baseFee=19 blobBaseFee=20", NULL },
	{ "{\"blockNumber\":\"0x10\",\"timestamp\":17,\"coinbase\":\"" ADDR_A "\",\"random\":\"0x7\","
	  "\"baseFee\":\"0x13\"}",
	  " number=16 time=17 coinbase=" ADDR_A " prevRandao=" WORD_7 " baseFee=19", NULL },
	{ "{\"difficulty\":\"0x10\",\"number\":null}", "", NULL },
	{ "7", NULL, "invalid argument 3: want an object for block overrides" },
	{ "{\"number\":\"0x1\",\"blockNumber\":\"0x1\"}", NULL,
	  "invalid argument 3: blockNumber: is given by two names" },
	{ "{\"numbre\":\"0x1\"}", NULL, "invalid argument 3: unknown member \"numbre\"" },
	{ "{\"withdrawals\":[]}", NULL, "invalid argument 3: withdrawals: is not supported" },
	{ "{\"beaconRoot\":\"" WORD_7 "\"}", NULL, "invalid argument 3: beaconRoot: is not supported" },
	{ "{\"time\":\"x\"}", NULL, "invalid argument 3: time: hex string without 0x prefix" },
	{ "{\"feeRecipient\":\"0x1\"}", NULL, "invalid argument 3: feeRecipient: hex string has length 1" },
	{ "{\"difficulty\":true}", NULL, "invalid argument 3: difficulty: want a hex string" },
};

Test(rpc_call, reads_block_overrides)
{
	check_rows(block_rows, ARRAY_COUNT(block_rows), CALL ",\"latest\",null,");
}

#define SIGNED "\"yParity\":\"0x1\",\"r\":\"0x2\",\"s\":\"0x3\""

static const struct row call_rows[] = {
	{ "\"gasPrice\":\"0x7\"", " fee=7 tip=7", NULL },
	{ "\"maxFeePerGas\":\"0x7\"", " fee=7", NULL },
	{ "\"maxFeePerGas\":\"0x7\",\"maxPriorityFeePerGas\":\"0x2\"", " fee=7 tip=2", NULL },
	{ "\"authorizationList\":[{\"chainId\":\"0x0\",\"address\":\"" ADDR_A "\",\"nonce\":\"0x9\"," SIGNED
	  "},{\"chainId\":1,\"address\":\"" ADDR_1 "\",\"nonce\":0,\"v\":\"0x0\",\"r\":\"0x2\",\"s\":\"0x3\"}]",
	  " authorization=" ADDR_A " nonce=9 chain=0 parity=1 r=2 s=3 authorization=" ADDR_1
	  " nonce=0 chain=1 parity=0 r=2 s=3", NULL },
	{ "\"authorizationList\":null,\"blobVersionedHashes\":[],\"maxFeePerBlobGas\":null", "", NULL },
	{ "\"type\":\"0x4\",\"nonce\":\"0x3\",\"unknown\":[]", "", NULL },
	{ "\"authorizationList\":[]", NULL, "invalid argument 0: EIP-7702 transaction with empty auth list" },
	{ "\"authorizationList\":{}", NULL, "invalid argument 0: want an array for authorizationList" },
	{ "\"authorizationList\":[7]", NULL,
	  "invalid argument 0: authorizationList element 0: want an object" },
	{ "\"authorizationList\":[{\"chainId\":\"0x0\",\"address\":\"" ADDR_A "\"," SIGNED "}]", NULL,
	  "invalid argument 0: authorizationList element 0: want a hex string or an integer for nonce" },
	{ "\"authorizationList\":[{\"chainId\":\"0x0\",\"address\":\"" ADDR_A
	  "\",\"nonce\":0,\"yParity\":\"0x100\",\"r\":\"0x2\",\"s\":\"0x3\"}]", NULL,
	  "invalid argument 0: authorizationList element 0: yParity has more than 8 bits" },
	{ "\"type\":\"0x3\"", NULL, "invalid argument 0: blob transactions (type 3)" },
	{ "\"type\":\"0x5\"", NULL, "invalid argument 0: transaction type not supported" },
	{ "\"blobVersionedHashes\":[\"" WORD_7 "\"]", NULL,
	  "invalid argument 0: blobVersionedHashes: blob transactions (type 3)" },
	{ "\"maxFeePerBlobGas\":\"0x1\"", NULL, "invalid argument 0: maxFeePerBlobGas: blob" },
	{ "\"nonce\":\"7\"", NULL, "invalid argument 0: hex string without 0x prefix for nonce" },
};

Test(rpc_call, reads_what_real_clients_send)
{
	for (size_t i = 0; i < ARRAY_COUNT(call_rows); i++) {
		char object[1024];
		struct row row = call_rows[i];

		snprintf(object, sizeof(object), "{\"to\":\"$C\",\"input\":\"0xdd\",%s}", row.params);
		row.params = object;
		check_rows(&row, 1, "");
	}
}

Test(rpc_call, authorizations_make_no_contract)
{
	struct asker a = asker_open();

	cr_expect(!ask(&a, "eth_call", "[{\"data\":\"0xdd\",\"authorizationList\":[{}]}]"));
	cr_expect_eq(error_code(&a), -32602);
	cr_expect(strstr(error_message(&a), "EIP-7702 transaction cannot be used to create contract"));
	asker_close(&a);
}

/* As many members as are allowed, and one more. */
Test(rpc_call, bounds_overrides)
{
	static const size_t limits[] = { RPC_OVERRIDE_ACCOUNT_MAX, RPC_OVERRIDE_SLOT_MAX,
					 RPC_AUTHORIZATION_MAX };
	struct asker a = asker_open();

	for (size_t k = 0; k < 2 * ARRAY_COUNT(limits); k++) {
		struct buf params = { 0 };
		size_t count = limits[k / 2] + k % 2;

		buf_printf(&params, k / 2 == 2 ? "[{\"to\":\"$C\",\"authorizationList\":["
				    : k / 2    ? "[{\"to\":\"$C\"},null,{\"" ADDR_A "\":{\"stateDiff\":{"
					       : "[{\"to\":\"$C\"},null,{");
		for (size_t i = 0; i < count; i++) {
			buf_printf(&params, i ? "," : "");
			if (k / 2 == 0)
				buf_printf(&params, "\"0x%040zx\":{}", i);
			else if (k / 2 == 1)
				buf_printf(&params, "\"0x%zx\":\"0x1\"", i);
			else
				buf_printf(&params, "{\"chainId\":1,\"address\":\"" ADDR_1
						    "\",\"nonce\":0," SIGNED "}");
		}
		buf_printf(&params, k / 2 == 2 ? "]}]" : k / 2 ? "}}}]" : "}]");
		buf_append_byte(&params, 0);
		cr_expect_eq(!ask(&a, "eth_call", (const char *)params.data), k % 2, "%zu: %s", k,
			     error_message(&a));
		if (k % 2)
			cr_expect(strstr(error_message(&a), "too many"), "%s", error_message(&a));
		buf_clear(&params);
	}
	asker_close(&a);
}

Test(rpc_call, revert_reasons_are_solidity)
{
#define OFFSET "0000000000000000000000000000000000000000000000000000000000000020"
	static const struct { const char *data, *message; } cases[] = {
		{ "4e487b71" "0000000000000000000000000000000000000000000000000000000000000001",
		  "execution reverted: assert(false)" },
		{ "4e487b71" "0000000000000000000000000000000000000000000000000000000000000012",
		  "execution reverted: division or modulo by zero" },
		{ "4e487b71" "0000000000000000000000000000000000000000000000000000000000000099",
		  "execution reverted: unknown panic code: 0x99" },
		{ "4e487b71" "0100000000000000000000000000000000000000000000000000000000000011",
		  "execution reverted: unknown panic code: 0x1000000000000000000000000000000000000000000"
		  "00000000000000000011" },
		{ "4e487b71" "00", "execution reverted" },
		{ "08c379a0" OFFSET "0000000000000000000000000000000000000000000000000000000000000000",
		  "execution reverted: " },
		/* the string stands further behind */
		{ "08c379a0" "0000000000000000000000000000000000000000000000000000000000000040"
		  "0000000000000000000000000000000000000000000000000000000000000000"
		  "0000000000000000000000000000000000000000000000000000000000000002"
		  "6f6b000000000000000000000000000000000000000000000000000000000000",
		  "execution reverted: ok" },
		/* offsets and sizes that lead out of the data */
		{ "08c379a0" "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "execution reverted" },
		{ "08c379a0" OFFSET "00000000000000000000000000000000000000000000000000ffffffffffffffff",
		  "execution reverted" },
		{ "08c379a0" "0000000000000000000000000000000000000000000000000000000000000030"
		  "0000000000000000000000000000000000000000000000000000000000000000",
		  "execution reverted" },
		{ "deadbeef", "execution reverted" },
	};
	struct asker a = asker_open();

	for (size_t k = 0; k < ARRAY_COUNT(cases); k++) {
		char params[1024];

		snprintf(params, sizeof(params), "[{\"to\":\"$C\",\"data\":\"0xff%s\"}]", cases[k].data);
		cr_expect(!ask(&a, "eth_call", params));
		cr_expect_eq(error_code(&a), 3);
		cr_expect_str_eq(error_message(&a), cases[k].message, "%zu: %s", k, error_message(&a));
	}
	asker_close(&a);
}

Test(rpc_call, limits_are_told_as_errors)
{
	struct asker a = asker_open();

	cr_expect(!ask(&a, "eth_call", "[{\"to\":\"$C\",\"data\":\"0xfd\"}]"));
	cr_expect_eq(error_code(&a), -32000);
	cr_expect_str_eq(error_message(&a), "execution aborted (timeout = 5s)");
	a.fake->big_size = LIMIT_RPC_REPLY_SIZE / 2 + 1;
	cr_expect(!ask(&a, "eth_call", "[{\"to\":\"$C\",\"data\":\"0xbb\"}]"));
	cr_expect_eq(error_code(&a), -32003);
	a.fake->big_size = 100000;
	cr_expect(ask(&a, "eth_call", "[{\"to\":\"$C\",\"data\":\"0xbb\"}]"));
	asker_close(&a);
}

/* What a call has cost counts for those behind it in the body, and fails nothing itself. */
Test(rpc_call, gas_is_charged)
{
	static const char *const one =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\",\"params\":[{\"to\":\"$C\"}]}";
	struct asker a = asker_open();
	char body[1024];

	a.fake->gas_run = 10000ull * LIMIT_RPC_COST;
	snprintf(body, sizeof(body), "[%s,%s]", one, one);
	ask_body(&a, body);
	cr_expect(jval_get(jval_at(a.document, 0), "result"));
	cr_expect_eq(jval_integer(value_at(a.document, "1.error.code")), -32005);
	asker_close(&a);
}

Test(rpc_call, writes_access_lists)
{
	struct asker a = asker_open();
	const struct jval *r = ask(&a, "eth_createAccessList", "[{\"to\":\"$C\"}]");

	cr_assert(r, "%s", error_message(&a));
	cr_expect_eq(jval_count(value_at(r, "accessList")), 1);
	cr_expect_eq(jval_count(value_at(r, "accessList.0.storageKeys")), 2);
	cr_expect_eq(value_at(r, "error"), NULL);
	cr_expect_str_eq((const char *)jval_string(value_at(r, "gasUsed")).data, "0x5208");
	r = ask(&a, "eth_createAccessList", "[{\"to\":\"$C\",\"data\":\"0xff\"}]");
	cr_expect_str_eq((const char *)jval_string(value_at(r, "error")).data, "execution reverted");
	r = ask(&a, "eth_createAccessList", "[{\"to\":\"$C\",\"data\":\"0xfe\"},\"0x3\",{},{}]");
	cr_expect_str_eq((const char *)jval_string(value_at(r, "error")).data, "invalid opcode: INVALID");
	cr_expect(!ask(&a, "eth_createAccessList", "[{\"to\":\"$C\"},\"0x9\"]"));
	cr_expect_eq(error_code(&a), -32000);
	asker_close(&a);
}

Test(rpc_call, writes_type_4)
{
	static const char *const keys[] = { "chainId", "address", "nonce", "yParity", "r", "s" };
	struct asker a = asker_open();
	struct buf list = { 0 };
	struct addr to = fake_contract();
	struct tx fields = { .type = TX_SET_CODE, .has_chain_id = true, .chain_id = FAKE_CHAIN_ID,
			     .nonce = 9, .gas_limit = 100000, .max_fee = wei_of(5), .max_priority_fee = wei_of(2) };
	struct tx *t;
	const struct jval *r;
	char params[2048], hex[1024];

	cr_assert_eq(tx_put_authorization(&list, a.fake->ecc, FAKE_CHAIN_ID, &to, 10, &a.fake->key, NULL), OK);
	fields.to = to;
	fields.authorizations = buf_bytes(&list);
	fields.authorization_count = 1;
	cr_assert_eq(tx_sign(&t, a.fake->ecc, &fields, &a.fake->key, NULL), OK);
	snprintf(params, sizeof(params), "[\"%s\"]", hex_data(hex, t->raw));
	cr_assert(ask(&a, "eth_sendRawTransaction", params), "%s", error_message(&a));
	snprintf(params, sizeof(params), "[\"%s\"]", hex_data(hex, hash_bytes(&t->hash)));
	r = ask(&a, "eth_getTransactionByHash", params);
	cr_assert(r, "%s", error_message(&a));
	cr_expect_str_eq((const char *)jval_string(value_at(r, "type")).data, "0x4");
	cr_expect_str_eq((const char *)jval_string(value_at(r, "maxFeePerGas")).data, "0x5");
	cr_expect_eq(jval_count(value_at(r, "authorizationList")), 1);
	cr_expect_eq(jval_count(value_at(r, "authorizationList.0")), ARRAY_COUNT(keys));
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		cr_expect(jval_get(value_at(r, "authorizationList.0"), keys[i]), "%s", keys[i]);
	cr_expect_str_eq((const char *)jval_string(value_at(r, "authorizationList.0.nonce")).data, "0xa");
	tx_unref(t);
	buf_clear(&list);
	asker_close(&a);
}
