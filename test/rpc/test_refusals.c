/* Methods that refuse: what was asked wrongly, what is not there, what the medium broke. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ask.h"
#include "codec/hex.h"
#include "rpc/methods.h"

struct refusal {
	const char *method, *params;
	int64_t code;
	const char *message; /* its beginning */
};

static const struct refusal refusals[] = {
	{ "eth_getBalance", "[]", -32602, "missing value for required argument 0 (address)" },
	{ "eth_getBalance", "[null]", -32602, "missing value for required argument 0" },
	{ "eth_getBalance", NULL, -32602, "missing value for required argument 0" },
	{ "eth_getBalance", "{}", -32602, "params must be an array, not an object" },
	{ "eth_getBalance", "\"x\"", -32602, "params must be an array, not a string" },
	{ "eth_getBalance", "[1]", -32602,
	  "invalid argument 0: want a string for address, not a number" },
	{ "eth_getBalance", "[\"\"]", -32602, "invalid argument 0: hex string without 0x prefix" },
	{ "eth_getBalance", "[\"0x00000000000000000000000000000000000000\"]", -32602,
	  "invalid argument 0: hex string has length 38, want 40 for address" },
	{ "eth_getBalance", "[\"0x000000000000000000000000000000000000000g\"]", -32602,
	  "invalid argument 0: invalid hex string for address" },
	{ "eth_getBalance", "[\"$S\",\"latest\",1]", -32602, "too many arguments, want at most 2" },
	{ "eth_getBalance", "[\"$S\",\"newest\"]", -32602,
	  "invalid argument 1: hex string without 0x prefix for block number" },
	{ "eth_getBalance", "[\"$S\",\"0x\"]", -32602, "invalid argument 1: empty hex string" },
	{ "eth_getBalance", "[\"$S\",\"0x01\"]", -32602,
	  "invalid argument 1: hex number with leading zero digits for block number" },
	{ "eth_getBalance", "[\"$S\",\"0x10000000000000000\"]", -32602,
	  "invalid argument 1: hex number > 64 bits for block number" },
	{ "eth_getBalance", "[\"$S\",-1]", -32602, "invalid argument 1: negative number" },
	{ "eth_getBalance", "[\"$S\",1.5]", -32602,
	  "invalid argument 1: want a hex string or an integer" },
	{ "eth_getBalance", "[\"$S\",{}]", -32602, "invalid argument 1: a block object needs" },
	{ "eth_getBalance", "[\"$S\",{\"blockHash\":\"$B1\",\"blockNumber\":\"0x1\"}]", -32602,
	  "invalid argument 1: cannot specify both" },
	{ "eth_getBalance", "[\"$S\",{\"blockHash\":\"0x12\"}]", -32602,
	  "invalid argument 1: hex string has length 2, want 64 for block hash" },
	{ "eth_getBalance", "[\"$S\",{\"blockHash\":\"$B1\",\"requireCanonical\":1}]", -32602,
	  "invalid argument 1: want a boolean for requireCanonical" },
	{ "eth_getBalance", "[\"$S\",\"0x4\"]", -32000,
	  "header not found: block 4, the newest is 3" },
	{ "eth_getBalance", "[\"$S\",\"$T10\"]", -32000,
	  "header not found: no block has the hash 0x" },
	{ "eth_getBalance", "[\"$S\",\"earliest\"]", -32000, "state is kept from block 1 on" },
	{ "eth_getCode", "[\"$S\",\"0x9\"]", -32000, "header not found" },
	{ "eth_getStorageAt", "[\"$S\",\"0x1\",\"0x9\"]", -32000, "header not found" },
	{ "eth_getStorageAt", "[\"$S\",\"1\"]", -32602,
	  "invalid argument 1: hex string without 0x prefix" },
	{ "eth_getStorageAt", "[\"$S\",\"0x\"]", -32602, "invalid argument 1: empty hex string" },
	{ "eth_getStorageAt", "[\"$S\",\"0x1" ZEROS_32 "\"]", -32602,
	  "invalid argument 1: storage key too long" },
	{ "eth_getTransactionCount", "[\"$S\",\"0x9\"]", -32000, "header not found" },
	{ "eth_getProof", "[\"$S\",\"0x0\"]", -32602,
	  "invalid argument 1: want an array for storage keys" },
	{ "eth_getProof", "[\"$S\",[\"0xzz\"]]", -32602,
	  "invalid argument 1: element 0: invalid hex string for storage key" },
	{ "eth_getProof", "[\"$S\",[],\"0x9\"]", -32000, "header not found" },
	{ "eth_getBlockByNumber", "[\"$B1\"]", -32602, "invalid argument 0: hex number" },
	{ "eth_getBlockByNumber", "[\"latest\",\"true\"]", -32602,
	  "invalid argument 1: want a boolean for full, not a string" },
	{ "eth_getBlockByHash", "[\"latest\"]", -32602,
	  "invalid argument 0: hex string without 0x prefix" },
	{ "eth_getBlockByHash", "[1]", -32602, "invalid argument 0: want a string for block hash" },
	{ "eth_getTransactionReceipt", "[\"0x1\"]", -32602,
	  "invalid argument 0: hex string has length 1" },
	{ "web3_sha3", "[\"0x123\"]", -32602, "invalid argument 0: hex string of odd length" },
	{ "eth_call", "[[]]", -32602, "invalid argument 0: want an object for a call" },
	{ "eth_call", "[{\"to\":\"0x1\"}]", -32602,
	  "invalid argument 0: hex string has length 1, want 40 for to" },
	{ "eth_call", "[{\"data\":\"0x01\",\"input\":\"0x02\"}]", -32602,
	  "invalid argument 0: both \"data\"" },
	{ "eth_call", "[{\"gasPrice\":\"0x1\",\"maxFeePerGas\":\"0x1\"}]", -32602,
	  "invalid argument 0: both gasPrice" },
	{ "eth_call", "[{\"maxPriorityFeePerGas\":\"0x2\",\"maxFeePerGas\":\"0x1\"}]", -32602,
	  "invalid argument 0: maxFeePerGas is below" },
	{ "eth_call", "[{\"chainId\":\"0x1\"}]", -32602,
	  "invalid argument 0: chainId does not match node's (have=1, want=31337)" },
	{ "eth_call", "[{\"accessList\":[{\"address\":\"$S\",\"storageKeys\":[\"0x1\"]}]}]", -32602,
	  "invalid argument 0: accessList element 0: hex string has length 1, want 64 for storage "
	  "key" },
	{ "eth_call", "[{\"accessList\":[1]}]", -32602,
	  "invalid argument 0: accessList element 0: want an object" },
	{ "eth_call", "[{\"to\":\"$C\",\"data\":\"0xfe\"}]", -32000,
	  "invalid opcode: INVALID" },
	{ "eth_call", "[{\"to\":\"$C\"},\"0x9\"]", -32000, "header not found" },
	{ "eth_call", "[{\"to\":\"$C\",\"data\":\"0xff\"}]", 3, "execution reverted" },
	{ "eth_estimateGas", "[{\"to\":\"$C\",\"data\":\"0xff01\"}]", 3, "execution reverted" },
	{ "eth_estimateGas", "[{\"to\":\"$C\",\"data\":\"0xfe\"}]", -32000,
	  "gas required exceeds allowance" },
	{ "eth_sendRawTransaction", "[\"0xzz\"]", -32602,
	  "invalid argument 0: invalid hex string for data" },
	{ "eth_getBalance", "[\"$S\",\"0x1g\"]", -32602,
	  "invalid argument 1: invalid hex string for block number" },
	{ "eth_getStorageAt", "[\"$S\",5]", -32602,
	  "invalid argument 1: want a string for storage key" },
	{ "eth_call", "[{\"value\":\"1\"}]", -32602,
	  "invalid argument 0: hex string without 0x prefix for value" },
	{ "eth_call", "[{\"value\":\"0x1" ZEROS_32 "\"}]", -32602,
	  "invalid argument 0: hex number > 256 bits for value" },
	{ "eth_call", "[{\"value\":true}]", -32602,
	  "invalid argument 0: want a hex string or an integer for value" },
	{ "eth_call", "[{\"gas\":\"0x00\"}]", -32602,
	  "invalid argument 0: hex number with leading zero digits for gas" },
	{ "eth_call", "[{\"data\":7}]", -32602, "invalid argument 0: want a string for data" },
	{ "eth_call", "[{\"accessList\":{}}]", -32602,
	  "invalid argument 0: want an array for accessList" },
	{ "eth_call", "[{\"accessList\":[{\"address\":\"$S\",\"storageKeys\":1}]}]", -32602,
	  "invalid argument 0: accessList element 0: want an array for storageKeys" },
	{ "eth_call", "[{\"accessList\":[{\"storageKeys\":[]}]}]", -32602,
	  "invalid argument 0: accessList element 0: want a string for address, not nothing" },
	{ "eth_call", "[{\"to\":\"$C\"},\"latest\",[]]", -32602,
	  "invalid argument 2: want an object for state overrides" },
	{ "eth_feeHistory", "[\"0x1\",\"latest\",7]", -32602,
	  "invalid argument 2: want an array for percentiles" },
	{ "debug_getRawBlock", "[\"latest\",1]", -32602, "too many arguments, want at most 1" },
	{ "eth_chainId", "[1]", -32602, "too many arguments, want at most 0" },
	{ "eth_feeHistory", "[\"x\"]", -32602,
	  "invalid argument 0: hex string without 0x prefix for count" },
	{ "eth_feeHistory", "[\"0x1\",\"latest\",[-1]]", -32602,
	  "invalid argument 2: invalid reward percentile" },
	{ "eth_feeHistory", "[\"0x1\",\"latest\",[100.5]]", -32602,
	  "invalid argument 2: invalid reward percentile" },
	{ "eth_feeHistory", "[\"0x1\",\"latest\",[20,10]]", -32602,
	  "invalid argument 2: invalid reward percentile" },
	{ "eth_feeHistory", "[\"0x1\",\"latest\",[\"1\"]]", -32602,
	  "invalid argument 2: want a number" },
	{ "eth_feeHistory", "[\"0x1\",\"0x9\",[]]", -32000, "header not found" },
	{ "eth_sendRawTransaction", "[\"0x\"]", -32000, "" },
	{ "eth_sendRawTransaction", "[\"0x05aa\"]", -32000, "transaction type not supported" },
	{ "eth_sendRawTransaction", "[\"$B1\"]", -32000, "" },
	{ "weft_validators", "[\"0x9\"]", -32000, "header not found" },
	{ "eth_sign", "[{}]", -32601, "the method eth_sign does not exist/is not available" },
	{ "anvil_nodeInfo", "[]", -32601, "the method anvil_nodeInfo does not exist" },
	{ "", "[]", -32601, "the method  does not exist" },
};

Test(rpc, refuses_with_code_and_reason)
{
	struct asker a = asker_open();

	for (size_t k = 0; k < ARRAY_COUNT(refusals); k++) {
		const struct refusal *r = &refusals[k];

		cr_expect(!ask(&a, r->method, r->params), "%s %s", r->method, r->params);
		cr_expect_eq(error_code(&a), r->code, "%s %s: %lld %s", r->method, r->params,
			     (long long)error_code(&a), error_message(&a));
		cr_expect_eq(strncmp(error_message(&a), r->message, strlen(r->message)), 0,
			     "%s %s: %s", r->method, r->params, error_message(&a));
	}
	asker_close(&a);
}

/* So many `item`s with commas between them. */
static struct buf many(const char *item, size_t count, const char *before, const char *behind)
{
	struct buf out = { 0 };

	buf_append_bytes(&out, bytes_of_str(before));
	for (size_t k = 0; k < count; k++)
		buf_printf(&out, "%s%s", k ? "," : "", item);
	buf_append_bytes(&out, bytes_of_str(behind));
	buf_append_byte(&out, 0);
	return out;
}

Test(rpc, bounds_lists)
{
	static const struct {
		const char *method, *before, *item, *behind;
		size_t max;
	} lists[] = {
		{ "eth_getProof", "[\"$S\",[", "\"0x1\"", "]]", RPC_SLOT_MAX },
		{ "eth_feeHistory", "[1,\"latest\",[", "50", "]]", RPC_PERCENTILE_MAX },
		{ "eth_call", "[{\"to\":\"$C\",\"accessList\":[", "{\"address\":\"$S\"}", "]}]",
		  RPC_ACCESS_MAX },
		{ "eth_call",
		  "[{\"to\":\"$C\",\"accessList\":[{\"address\":\"$S\",\"storageKeys\":[",
		  "\"0x" ZEROS_32 "\"", "]}]}]", RPC_ACCESS_MAX - 1 },
	};
	struct asker a = asker_open();

	for (size_t k = 0; k < 2 * ARRAY_COUNT(lists); k++) {
		struct buf params = many(lists[k / 2].item, lists[k / 2].max + k % 2,
					 lists[k / 2].before, lists[k / 2].behind);
		const struct jval *result = ask(&a, lists[k / 2].method, (char *)params.data);

		cr_expect_eq(!result, k % 2, "%zu: %s", k, error_message(&a));
		if (!result)
			cr_expect_eq(error_code(&a), -32602, "%zu: %s", k, error_message(&a));
		buf_clear(&params);
	}
	asker_close(&a);
}

Test(rpc, gives_revert_data_and_reason)
{
	/* Error("not today") and Panic(0x11), behind the fake's ff. */
	static const char *const error = "08c379a0"
		"0000000000000000000000000000000000000000000000000000000000000020"
		"0000000000000000000000000000000000000000000000000000000000000009"
		"6e6f7420746f6461790000000000000000000000000000000000000000000000";
	static const char *const panic = "4e487b71"
		"0000000000000000000000000000000000000000000000000000000000000011";
	/* A length that reaches beyond the data. */
	static const char *const lying = "08c379a0"
		"0000000000000000000000000000000000000000000000000000000000000020"
		"00000000000000000000000000000000000000000000000000000000ffffffff";
	const struct { const char *data, *message; } cases[] = {
		{ error, "execution reverted: not today" },
		{ panic, "execution reverted: arithmetic underflow or overflow" },
		{ lying, "execution reverted" },
		{ "", "execution reverted" },
	};
	static const char *const methods[] = { "eth_call", "eth_estimateGas" };
	struct asker a = asker_open();

	for (size_t k = 0; k < 2 * ARRAY_COUNT(cases); k++) {
		const char *data = cases[k / 2].data;
		char params[512];
		struct bytes have;

		snprintf(params, sizeof(params), "[{\"to\":\"$C\",\"data\":\"0xff%s\"}]", data);
		cr_expect(!ask(&a, methods[k % 2], params));
		cr_expect_eq(error_code(&a), 3);
		cr_expect_str_eq(error_message(&a), cases[k / 2].message);
		have = jval_string(value_at(a.document, "error.data"));
		cr_expect_eq(have.size, 2 + strlen(data));
		cr_expect_eq(memcmp(have.data + 2, data, strlen(data)), 0);
	}
	asker_close(&a);
}

Test(rpc, refuses_transactions_in_clients_words)
{
	struct asker a = asker_open();
	struct tx *stale = fake_transfer(a.fake, TX_LEGACY, 6);
	char params[1024], hex[900];

	snprintf(params, sizeof(params), "[\"%s\"]", hex_data(hex, stale->raw));
	cr_expect(!ask(&a, "eth_sendRawTransaction", params));
	cr_expect_eq(error_code(&a), -32000);
	cr_expect_str_eq(error_message(&a), "nonce too low: next nonce 7, tx nonce 6");
	tx_unref(stale);

	a.fake->genesis.params.chain_id = 5;
	cr_expect(!ask(&a, "eth_sendRawTransaction", "[\"$P\"]"));
	cr_expect_eq(error_code(&a), -32000);
	cr_expect_eq(a.fake->submit_count, 1, "what is wrong by itself never reaches the node");
	a.fake->genesis.params.chain_id = FAKE_CHAIN_ID;

	a.fake->is_busy = true;
	cr_expect(!ask(&a, "eth_sendRawTransaction", "[\"$P\"]"));
	cr_expect_eq(error_code(&a), -32005);

	/* The first of block 1 is from before EIP-155. */
	a.fake->is_busy = false;
	snprintf(params, sizeof(params), "[\"%s\"]", hex_data(hex, a.fake->blocks[1].block.txs[0]->raw));
	cr_expect(!ask(&a, "eth_sendRawTransaction", params));
	cr_expect_eq(error_code(&a), -32000);
	cr_expect_str_eq(error_message(&a), "only replay-protected (EIP-155) transactions allowed over RPC");
	a.fake->info.allows_unprotected = true;
	cr_expect(!ask(&a, "eth_sendRawTransaction", params));
	cr_expect_str_eq(error_message(&a), "nonce too low: next nonce 7, tx nonce 0");
	asker_close(&a);
}

Test(rpc, tells_of_broken_medium)
{
	static const char *const questions[][2] = {
		{ "eth_getBlockByNumber", "[\"0x1\"]" },
		{ "eth_getBlockByHash", "[\"$B1\"]" },
		{ "eth_getTransactionByHash", "[\"$T10\"]" },
		{ "eth_getTransactionReceipt", "[\"$T10\"]" },
		{ "eth_getBalance", "[\"$S\"]" },
		{ "eth_getProof", "[\"$S\",[\"0x1\"]]" },
		{ "eth_feeHistory", "[\"0x2\",\"latest\",[1]]" },
		{ "weft_getCertificate", "[]" },
		{ "eth_gasPrice", "[]" },
		{ "debug_getRawBlock", "[\"latest\"]" },
	};
	struct asker a = asker_open();

	a.fake->is_broken = true;
	for (size_t k = 0; k < ARRAY_COUNT(questions); k++) {
		cr_expect(!ask(&a, questions[k][0], questions[k][1]));
		cr_expect_eq(error_code(&a), -32603, "%s", questions[k][0]);
		cr_expect_str_eq(error_message(&a), "the disk failed");
	}
	asker_close(&a);
}

Test(rpc, tells_of_validators_not_known)
{
	struct asker a = asker_open();

	a.fake->blocks[3].block.commitments.validators_hash.bytes[0] ^= 1;
	cr_expect(!ask(&a, "weft_validators", NULL));
	cr_expect_eq(error_code(&a), -32000);
	cr_expect_str_eq(error_message(&a), "the validator set of block 3 is not known here");
	cr_expect(!ask(&a, "weft_getCertificate", NULL));
	cr_expect_eq(error_code(&a), -32000);
	asker_close(&a);
}

Test(rpc, tells_of_broken_certificate)
{
	struct asker a = asker_open();

	a.fake->blocks[3].certificate.data[0] ^= 1;
	cr_expect(!ask(&a, "weft_getCertificate", NULL));
	cr_expect_eq(error_code(&a), -32603);
	cr_expect_eq(strncmp(error_message(&a), "the certificate of block 3: ", 28), 0);
	asker_close(&a);
}

/* A transaction that was mined while the question was on its way to the pool. */
Test(rpc, finds_transaction_mined_meanwhile)
{
	struct asker a = asker_open();
	struct buf body =
		expand(&a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getTransactionByHash\","
			   "\"params\":[\"$T31\"]}");
	struct buf reply = { 0 };
	struct rpc_request *q;
	bool needs_node;

	a.fake->height = 2;
	q = rpc_begin(a.rpc, bytes_of(body.data, body.size - 1), &needs_node);
	cr_assert(needs_node);
	cr_assert(rpc_continue(q, fake_node(a.fake), false));
	a.fake->height = 3;
	rpc_finish(q, &reply);
	buf_append_byte(&reply, 0);
	cr_expect(strstr((char *)reply.data, "\"blockNumber\":\"0x3\""));
	buf_clear(&reply);
	buf_clear(&body);
	asker_close(&a);
}

/* A proof waits for the block that the trie stands at; what was asked already is not asked again. */
Test(rpc, waits_for_the_newest_block)
{
	struct asker a = asker_open();
	struct buf reply = { 0 };
	struct rpc_request *q;
	bool needs_node;

	for (int way = 0; way < 3; way++) {
		struct buf body = expand(&a, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getProof\","
					     "\"params\":[\"$S\",[]]},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
					     "\"txpool_status\",\"params\":[]}]");

		buf_reset(&reply);
		a.fake->is_behind = true;
		q = rpc_begin(a.rpc, bytes_of(body.data, body.size - 1), &needs_node);
		cr_assert(needs_node);
		cr_assert_not(rpc_continue(q, fake_node(a.fake), false));
		cr_assert_not(rpc_continue(q, fake_node(a.fake), false));
		a.fake->is_behind = way > 0;
		if (way < 2)
			cr_assert(rpc_continue(q, fake_node(a.fake), way == 1));
		rpc_finish(q, &reply);
		buf_append_byte(&reply, 0);
		cr_expect_eq(strstr((char *)reply.data, "accountProof") != NULL, way == 0);
		/* Waited too long, or the node stopped meanwhile. */
		cr_expect_eq(strstr((char *)reply.data, "not yet written") != NULL, way == 1);
		cr_expect_eq(strstr((char *)reply.data, "-32005") != NULL, way > 0);
		cr_expect_eq(strstr((char *)reply.data, "try again later") != NULL, way == 2);
		cr_expect(strstr((char *)reply.data, "\"pending\":"), "%s", (char *)reply.data);
		buf_clear(&body);
	}
	buf_clear(&reply);
	asker_close(&a);
}

/* A node that stops ends requests that its thread never had: nothing is claimed. */
Test(rpc, ends_without_node)
{
	size_t count, waiting = 0;
	const struct rpc_method *m = rpc_methods(&count);
	struct asker a = asker_open();

	for (size_t k = 0; k < count; k++) {
		static const char *const params[] = { "", "\"$Q\"", "\"$P\"", "\"$S\"",
						      "\"$S\",[]", "\"$S\",\"pending\"" };

		for (size_t n = 0; n < ARRAY_COUNT(params); n++) {
			char text[200];
			struct buf body, reply = { 0 };
			struct rpc_request *q;
			bool needs_node;
			size_t snapshots;

			snprintf(text, sizeof(text),
				 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[%s]}",
				 m[k].name, params[n]);
			body = expand(&a, text);
			q = rpc_begin(a.rpc, bytes_of(body.data, body.size - 1), &needs_node);
			snapshots = a.fake->snapshot_count;
			rpc_finish(q, &reply);
			cr_expect_eq(a.fake->snapshot_count, snapshots, "%s", text);
			buf_append_byte(&reply, 0);
			if (needs_node)
				cr_expect(strstr((char *)reply.data, "\"code\":-32005"), "%s",
					  text);
			waiting += needs_node;
			buf_clear(&body);
			buf_clear(&reply);
		}
	}
	cr_expect_geq(waiting, 12);
	asker_close(&a);
}

/* Tips of a crowded block are what the next one asks for. */
Test(rpc, suggests_tip_of_crowded_block)
{
	struct asker a = asker_open();
	char text[HEX_U64_SIZE];

	a.fake->height = 1;
	a.fake->genesis.params.block_tx_count_max = 5;
	hex_format_u64(text, 2 * WEI_PER_GWEI - 1);
	cr_expect_str_eq((const char *)jval_string(ask(&a, "eth_maxPriorityFeePerGas", NULL)).data,
			 text);
	a.fake->genesis.params.block_tx_count_max = 10000;
	a.fake->genesis.params.base_fee_floor = wei_of(0);
	cr_expect_str_eq((const char *)jval_string(ask(&a, "eth_maxPriorityFeePerGas", NULL)).data,
			 "0x0");
	asker_close(&a);
}
