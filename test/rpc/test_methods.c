/* Each method: what it answers. What it says to what is wrong: test_refusals.c. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ask.h"
#include "codec/hex.h"
#include "crypto/keccak.h"
#include "rpc/forms.h"
#include "rpc/methods.h"

/* --- one line a question: what the result, or a value in it, is as JSON --- */

struct expectation {
	const char *method, *params, *path, *text;
};

static void check_all(struct asker *a, const struct expectation *e, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		const struct jval *result = ask(a, e[k].method, e[k].params);
		struct buf want = expand(a, e[k].text);
		struct buf path = expand(a, e[k].path ? e[k].path : "");
		const struct jval *v = value_at(result, (char *)path.data);
		const char *have;

		cr_expect(result, "%s %s: %s", e[k].method, e[k].params, error_message(a));
		have = text_of(a, v);
		cr_expect_str_eq(have, (char *)want.data, "%s %s %s: %s, not %s", e[k].method,
				 e[k].params, e[k].path, have, (char *)want.data);
		buf_clear(&want);
		buf_clear(&path);
	}
}

static void check_fresh(const struct expectation *e, size_t count)
{
	struct asker a = asker_open();

	check_all(&a, e, count);
	asker_close(&a);
}

#define CHECK_ALL(...)                                                \
	do {                                                          \
		static const struct expectation e[] = { __VA_ARGS__ }; \
		check_fresh(e, ARRAY_COUNT(e));                       \
	} while (0)

Test(rpc, tells_identity)
{
	CHECK_ALL({ "web3_clientVersion", NULL, NULL, "\"weft/v0.1.0/test\"" },
		  { "web3_sha3", "[\"0x68656c6c6f20776f726c64\"]", NULL,
		    "\"0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad\"" },
		  { "web3_sha3", "[\"0x\"]", NULL,
		    "\"0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470\"" },
		  { "net_version", "[]", NULL, "\"31337\"" },
		  { "net_version", "null", NULL, "\"31337\"" },
		  { "net_listening", "[]", NULL, "true" },
		  { "net_peerCount", "[]", NULL, "\"0x0\"" },
		  { "eth_chainId", "[]", NULL, "\"0x7a69\"" },
		  { "eth_syncing", NULL, NULL, "false" },
		  { "eth_accounts", NULL, NULL, "[]" },
		  { "eth_blockNumber", NULL, NULL, "\"0x3\"" },
		  { "eth_protocolVersion", NULL, NULL, "\"0x2\"" },
		  { "rpc_modules", NULL, NULL,
		    "{\"debug\":\"1.0\",\"eth\":\"1.0\",\"net\":\"1.0\",\"rpc\":\"1.0\","
		    "\"txpool\":\"1.0\",\"web3\":\"1.0\",\"weft\":\"1.0\"}" });
}

Test(rpc, tells_hardhat_which_development_chain_this_is)
{
	static const struct expectation e[] = {
		{ "hardhat_metadata", "[]", NULL,
		  "{\"clientVersion\":\"weft/v0.1.0/test\",\"chainId\":31337,\"instanceId\":\"$B0\","
		  "\"latestBlockNumber\":3,\"latestBlockHash\":\"$B3\"}" },
		{ "rpc_modules", NULL, "hardhat", "\"1.0\"" },
	};
	struct asker a = asker_open();

	cr_expect_null(ask(&a, "hardhat_metadata", "[]"));
	cr_expect_eq(error_code(&a), -32601);
	a.fake->info.is_dev = true;
	check_all(&a, e, ARRAY_COUNT(e));
	asker_close(&a);
}

Test(rpc, finds_block_by_each_name)
{
	CHECK_ALL(
		{ "eth_getBlockByNumber", NULL, "number", "\"0x3\"" },
		{ "eth_getBlockByNumber", "[null,null]", "number", "\"0x3\"" },
		{ "eth_getBlockByNumber", "[\"latest\"]", "hash", "\"$B3\"" },
		{ "eth_getBlockByNumber", "[\"safe\",false]", "hash", "\"$B3\"" },
		{ "eth_getBlockByNumber", "[\"finalized\",false]", "hash", "\"$B3\"" },
		{ "eth_getBlockByNumber", "[\"pending\",false]", "hash", "\"$B3\"" },
		{ "eth_getBlockByNumber", "[\"earliest\",false]", "hash", "\"$B0\"" },
		{ "eth_getBlockByNumber", "[\"0x2\",false]", "hash", "\"$B2\"" },
		{ "eth_getBlockByNumber", "[2,false]", "hash", "\"$B2\"" },
		{ "eth_getBlockByNumber", "[\"0x4\",false]", NULL, "null" },
		{ "eth_getBlockByNumber", "[\"0xffffffffffffffff\",false]", NULL, "null" },
		{ "eth_getBlockByHash", "[\"$B1\",true]", "number", "\"0x1\"" },
		{ "eth_getBlockByHash", "[\"$T10\",false]", NULL, "null" },
		{ "eth_getBlockReceipts", "[{\"blockHash\":\"$B1\",\"requireCanonical\":true}]",
		  "0.blockHash", "\"$B1\"" },
		{ "eth_getBlockReceipts", "[{\"blockNumber\":\"0x1\"}]", "4.blockHash", "\"$B1\"" },
		{ "eth_getBlockReceipts", "[\"$B1\"]", "4.blockHash", "\"$B1\"" },
		{ "eth_getBlockReceipts", "[\"0x2\"]", NULL, "[]" },
		{ "eth_getBlockReceipts", "[\"0x9\"]", NULL, "null" },
		{ "eth_getBlockTransactionCountByNumber", "[\"0x1\"]", NULL, "\"0x5\"" },
		{ "eth_getBlockTransactionCountByNumber", "[\"0x9\"]", NULL, "null" },
		{ "eth_getBlockTransactionCountByHash", "[\"$B3\"]", NULL, "\"0x2\"" },
		{ "eth_getUncleCountByBlockNumber", "[\"0x1\"]", NULL, "\"0x0\"" },
		{ "eth_getUncleCountByBlockHash", "[\"$T10\"]", NULL, "null" },
		{ "eth_getUncleByBlockNumberAndIndex", "[\"0x1\",\"0x0\"]", NULL, "null" },
		{ "eth_getUncleByBlockHashAndIndex", "[\"$B1\",\"0x0\"]", NULL, "null" });
}

Test(rpc, writes_block_with_all_fields)
{
	static const char *const names[] = {
		"baseFeePerGas",
		"blobGasUsed",
		"difficulty",
		"excessBlobGas",
		"extraData",
		"gasLimit",
		"gasUsed",
		"hash",
		"logsBloom",
		"miner",
		"mixHash",
		"nonce",
		"number",
		"parentBeaconBlockRoot",
		"parentHash",
		"receiptsRoot",
		"requestsHash",
		"sha3Uncles",
		"size",
		"stateRoot",
		"timestamp",
		"transactions",
		"transactionsRoot",
		"uncles",
		"withdrawals",
		"withdrawalsRoot",
	};
	struct asker a = asker_open();
	const struct jval *block = ask(&a, "eth_getBlockByNumber", "[\"0x3\"]");

	for (size_t k = 0; k < ARRAY_COUNT(names); k++)
		cr_expect(jval_get(block, names[k]), "%s", names[k]);
	cr_expect_eq(jval_count(block), ARRAY_COUNT(names));
	asker_close(&a);
	CHECK_ALL({ "eth_getBlockByNumber", "[\"0x3\"]", "transactions", "[\"$T30\",\"$T31\"]" },
		  { "eth_getBlockByNumber", "[\"0x3\"]", "withdrawals",
		    "[{\"index\":\"0x4\",\"validatorIndex\":\"0x0\",\"address\":\"$S\",\"amount\":"
		    "\"0x11\"}]" },
		  { "eth_getBlockByNumber", "[\"0x3\"]", "parentHash", "\"$B2\"" },
		  { "eth_getBlockByNumber", "[\"0x3\"]", "uncles", "[]" },
		  { "eth_getBlockByNumber", "[\"0x3\"]", "difficulty", "\"0x0\"" },
		  { "eth_getBlockByNumber", "[\"0x3\"]", "nonce", "\"0x0000000000000000\"" },
		  { "eth_getBlockByNumber", "[\"0x3\"]", "baseFeePerGas", "\"0x3b9aca03\"" },
		  { "eth_getBlockByNumber", "[\"0x3\"]", "miner", "\"$S\"" },
		  { "eth_getBlockByNumber", "[\"0x3\"]", "requestsHash",
		    "\"0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"" },
		  { "eth_getBlockByNumber", "[\"0x2\"]", "transactions", "[]" },
		  { "eth_getBlockByNumber", "[\"0x3\",true]", "transactions.1.hash", "\"$T31\"" });
}

/* The hash in a block's reply is that of its header's RLP, and of its raw block's. */
Test(rpc, raw_header_hashes_to_block)
{
	struct asker a = asker_open();
	struct hash hash;
	struct buf raw = { 0 };
	const struct jval *v = ask(&a, "debug_getRawHeader", "[\"0x3\"]");

	cr_assert(hex_parse_data(&raw, jval_string(v), SIZE_MAX));
	keccak256(&hash, buf_bytes(&raw));
	cr_expect(hash_equal(&hash, &a.fake->blocks[3].block.hash));
	buf_reset(&raw);
	block_encode(&raw, &a.fake->blocks[3].block);
	v = ask(&a, "debug_getRawBlock", "[\"0x3\"]");
	cr_expect_eq(jval_string(v).size, 2 + 2 * raw.size);
	v = ask(&a, "eth_getBlockByNumber", "[\"0x3\"]");
	char size[HEX_U64_SIZE];
	hex_format_u64(size, raw.size);
	cr_expect_str_eq((const char *)jval_string(jval_get(v, "size")).data, size);
	buf_clear(&raw);
	asker_close(&a);
	CHECK_ALL({ "debug_getRawHeader", "[\"0x9\"]", NULL, "null" },
		  { "debug_getRawBlock", "[\"0x9\"]", NULL, "null" },
		  { "debug_getRawReceipts", "[\"0x2\"]", NULL, "[]" },
		  { "debug_getRawTransaction", "[\"$B1\"]", NULL, "null" });
}

Test(rpc, writes_transactions_of_each_type)
{
#define TX "eth_getTransactionByHash"
	CHECK_ALL({ TX, "[\"$T10\"]", "type", "\"0x0\"" },
		  { TX, "[\"$T10\"]", "chainId", "(absent)" },
		  { TX, "[\"$T10\"]", "yParity", "(absent)" },
		  { TX, "[\"$T10\"]", "accessList", "(absent)" },
		  { TX, "[\"$T10\"]", "gasPrice", "\"0xb2d05e00\"" },
		  { TX, "[\"$T11\"]", "chainId", "\"0x7a69\"" },
		  { TX, "[\"$T12\"]", "type", "\"0x1\"" },
		  { TX, "[\"$T12\"]", "accessList",
		    "[{\"address\":\"$C\",\"storageKeys\":["
		    "\"0x0000000000000000000000000000000000000000000000000000000000000001\","
		    "\"0x0000000000000000000000000000000000000000000000000000000000000002\"]}]" },
		  { TX, "[\"$T12\"]", "maxFeePerGas", "(absent)" },
		  { TX, "[\"$T13\"]", "type", "\"0x2\"" }, { TX, "[\"$T13\"]", "accessList", "[]" },
		  { TX, "[\"$T13\"]", "maxFeePerGas", "\"0xb2d05e00\"" },
		  { TX, "[\"$T13\"]", "maxPriorityFeePerGas", "\"0x3b9aca00\"" },
		  /* base fee of block 1 and tip */
		  { TX, "[\"$T13\"]", "gasPrice", "\"0x77359401\"" },
		  { TX, "[\"$T13\"]", "from", "\"$S\"" }, { TX, "[\"$T13\"]", "to", "\"$C\"" },
		  { TX, "[\"$T13\"]", "value", "\"0x3eb\"" },
		  { TX, "[\"$T13\"]", "nonce", "\"0x3\"" },
		  { TX, "[\"$T13\"]", "gas", "\"0x5208\"" },
		  { TX, "[\"$T13\"]", "input", "\"0x\"" },
		  { TX, "[\"$T13\"]", "blockHash", "\"$B1\"" },
		  { TX, "[\"$T13\"]", "blockNumber", "\"0x1\"" },
		  { TX, "[\"$T13\"]", "blockTimestamp", "\"0x6553f101\"" },
		  { TX, "[\"$T13\"]", "transactionIndex", "\"0x3\"" },
		  { TX, "[\"$T14\"]", "to", "null" }, { TX, "[\"$T14\"]", "input", "\"0x6000\"" },
		  { TX, "[\"$B1\"]", NULL, "null" },
		  { "eth_getTransactionByBlockNumberAndIndex", "[\"0x1\",\"0x2\"]", "hash",
		    "\"$T12\"" },
		  { "eth_getTransactionByBlockNumberAndIndex", "[1,2]", "hash", "\"$T12\"" },
		  { "eth_getTransactionByBlockNumberAndIndex", "[\"0x1\",\"0x5\"]", NULL, "null" },
		  { "eth_getTransactionByBlockNumberAndIndex", "[\"0x1\",\"0x100000000\"]", NULL,
		    "null" },
		  { "eth_getTransactionByBlockNumberAndIndex", "[\"0x9\",\"0x0\"]", NULL, "null" },
		  { "eth_getTransactionByBlockHashAndIndex", "[\"$B3\",\"0x1\"]", "hash",
		    "\"$T31\"" });
#undef TX
}

Test(rpc, writes_signature_by_type)
{
	struct asker a = asker_open();

	for (size_t k = 0; k < 5; k++) {
		const struct tx *t = a.fake->blocks[1].block.txs[k];
		char params[40];
		const struct jval *v;
		uint64_t have, want = t->sig.recovery_id;

		snprintf(params, sizeof(params), "[\"$T1%zu\"]", k);
		v = ask(&a, "eth_getTransactionByHash", params);
		if (t->type == TX_LEGACY)
			want += t->has_chain_id ? 35 + 2 * FAKE_CHAIN_ID : 27;
		cr_assert(hex_parse_u64(&have, jval_string(jval_get(v, "v"))));
		cr_expect_eq(have, want);
		if (t->type != TX_LEGACY)
			cr_expect(bytes_equal(jval_string(jval_get(v, "v")),
					      jval_string(jval_get(v, "yParity"))));
	}
	asker_close(&a);
}

Test(rpc, writes_receipts_with_logs)
{
#define RC "eth_getTransactionReceipt"
	CHECK_ALL(
		{ RC, "[\"$T31\"]", "status", "\"0x1\"" },
		{ RC, "[\"$T14\"]", "status", "\"0x0\"" },
		{ RC, "[\"$T31\"]", "contractAddress", "null" }, { RC, "[\"$T14\"]", "to", "null" },
		{ RC, "[\"$T31\"]", "gasUsed", "\"0x5208\"" },
		{ RC, "[\"$T31\"]", "cumulativeGasUsed", "\"0xa410\"" },
		{ RC, "[\"$T31\"]", "effectiveGasPrice", "\"0x77359403\"" },
		{ RC, "[\"$T31\"]", "type", "\"0x2\"" }, { RC, "[\"$T31\"]", "from", "\"$S\"" },
		{ RC, "[\"$T31\"]", "transactionIndex", "\"0x1\"" },
		{ RC, "[\"$T31\"]", "logs.0.logIndex", "\"0x1\"" },
		{ RC, "[\"$T31\"]", "logs.1",
		  "{\"address\":\"$C\",\"topics\":[],\"data\":\"0x\",\"blockNumber\":\"0x3\","
		  "\"transactionHash\":\"$T31\",\"transactionIndex\":\"0x1\",\"blockHash\":\"$B3\","
		  "\"blockTimestamp\":\"0x6553f104\",\"logIndex\":\"0x2\",\"removed\":false}" },
		{ RC, "[\"$T30\"]", "logs.0.topics.1",
		  "\"0x00000000000000000000000000000000000000000000000000000000000000bb\"" },
		{ RC, "[\"$T30\"]", "logs.0.data", "\"0x0102\"" },
		{ RC, "[\"$T13\"]", "logs", "[]" }, { RC, "[\"$B1\"]", NULL, "null" },
		{ "eth_getBlockReceipts", "[\"latest\"]", "1.logs.0.logIndex", "\"0x1\"" });
#undef RC
}

Test(rpc, names_contract_of_creation)
{
	struct asker a = asker_open();
	struct addr created;
	char want[HEX_ADDR_SIZE];
	const struct jval *v = ask(&a, "eth_getTransactionReceipt", "[\"$T14\"]");

	tx_create_address(&created, &a.fake->sender, 4);
	cr_expect_str_eq((const char *)jval_string(jval_get(v, "contractAddress")).data,
			 hex_data(want, addr_bytes(&created)));
	asker_close(&a);
}

Test(rpc, reads_state)
{
	CHECK_ALL({ "eth_getBalance", "[\"$S\"]", NULL, "\"0x3\"" },
		  { "eth_getBalance", "[\"$S\",\"0x1\"]", NULL, "\"0x1\"" },
		  { "eth_getBalance", "[\"$S\",{\"blockHash\":\"$B2\"}]", NULL, "\"0x2\"" },
		  { "eth_getTransactionCount", "[\"$S\",\"latest\"]", NULL, "\"0x7\"" },
		  { "eth_getTransactionCount", "[\"$S\",2]", NULL, "\"0x7\"" },
		  { "eth_getTransactionCount", "[\"$S\",\"pending\"]", NULL, "\"0x7\"" },
		  { "eth_getCode", "[\"$S\",\"latest\"]", NULL, "\"0x\"" },
		  { "eth_getCode", "[\"$C\",\"latest\"]", NULL, "\"0x6001\"" },
		  { "eth_getStorageAt", "[\"$C\",\"0x5\"]", NULL,
		    "\"0x0000000000000000000000000000000000000000000000000000000000000005\"" },
		  { "eth_getStorageAt", "[\"$C\",\"0x" ZEROS_32 "\",\"latest\"]", NULL,
		    "\"0x" ZEROS_32 "\"" });
}

Test(rpc, runs_calls)
{
	CHECK_ALL({ "eth_call", "[{\"to\":\"$C\",\"data\":\"0x0102\"},\"latest\"]", NULL,
		    "\"0x0102\"" },
		  { "eth_call", "[{\"to\":\"$C\",\"input\":\"0x0102\",\"data\":\"0x0102\"}]", NULL,
		    "\"0x0102\"" },
		  { "eth_call", "[{\"to\":\"$C\"},null,{},null]", NULL, "\"0x\"" },
		  { "eth_estimateGas", "[{\"from\":\"$S\",\"to\":\"$C\",\"value\":\"0x1\"}]", NULL,
		    "\"0x5208\"" },
		  { "eth_estimateGas",
		    "[{\"from\":\"$S\",\"to\":\"$C\",\"type\":\"0x2\",\"nonce\":\"0x7\","
		    "\"chainId\":\"0x7a69\","
		    "\"maxFeePerGas\":\"0x2\",\"maxPriorityFeePerGas\":\"0x1\",\"accessList\":[]},"
		    "\"latest\"]",
		    NULL, "\"0x5208\"" });
}

Test(rpc, hands_call_fields_on)
{
	struct asker a = asker_open();
	struct rpc_call *c = &a.fake->last_call;

	ask(&a, "eth_call",
	    "[{\"from\":\"$S\",\"to\":\"$C\",\"gas\":\"0x5209\",\"gasPrice\":\"0x7\",\"value\":"
	    "\"0x9\","
	    "\"accessList\":[{\"address\":\"$C\",\"storageKeys\":[\"0x" ZEROS_32
	    "\"]},{\"address\":\"$S\"}]}]");
	cr_expect(addr_equal(&c->from, &a.fake->sender));
	cr_expect(!c->is_create && c->has_gas && c->gas == 0x5209);
	cr_expect(c->has_fee && wei_compare(c->max_fee, wei_of(7)) == 0);
	cr_expect_eq(wei_compare(c->value, wei_of(9)), 0);
	cr_expect_eq(c->access_list.size, (1 + 21 + 1 + 33) + (1 + 21 + 1));
	ask(&a, "eth_call", "[{\"to\":\"$C\",\"value\":5,\"gas\":30000,\"maxFeePerGas\":8}]");
	cr_expect(wei_compare(c->value, wei_of(5)) == 0 && c->gas == 30000);
	cr_expect(c->has_fee && wei_compare(c->max_fee, wei_of(8)) == 0);
	cr_expect(ask(&a, "eth_call", "[{\"to\":null,\"data\":\"0x00\"}]"));
	cr_expect(c->is_create && !c->has_gas && !c->has_fee);
	asker_close(&a);
}

Test(rpc, tells_fees)
{
	CHECK_ALL(
		{ "eth_maxPriorityFeePerGas", NULL, NULL, "\"0x3b9aca00\"" },
		{ "eth_gasPrice", NULL, NULL, "\"0x77359404\"" },
		{ "eth_feeHistory", "[\"0x2\",\"latest\",[20,100]]", NULL,
		  "{\"oldestBlock\":\"0x2\",\"reward\":[[\"0x0\",\"0x0\"],[\"0x3b9aca00\","
		  "\"0x3b9aca00\"]],"
		  "\"baseFeePerGas\":[\"0x3b9aca02\",\"0x3b9aca03\",\"0x3b9aca04\"],"
		  "\"gasUsedRatio\":[0.0,0.000175],\"baseFeePerBlobGas\":[\"0x1\",\"0x1\",\"0x1\"],"
		  "\"blobGasUsedRatio\":[0,0]}" },
		{ "eth_feeHistory", "[1,\"0x2\"]", NULL,
		  "{\"oldestBlock\":\"0x2\",\"baseFeePerGas\":[\"0x3b9aca02\",\"0x3b9aca03\"],"
		  "\"gasUsedRatio\":[0.0],\"baseFeePerBlobGas\":[\"0x1\",\"0x1\"],"
		  "\"blobGasUsedRatio\":[0]}" },
		{ "eth_feeHistory", "[\"0x400\",\"latest\",[]]", "oldestBlock", "\"0x0\"" },
		{ "eth_feeHistory", "[\"0xffffffffffffffff\",\"0x1\",[50]]", "oldestBlock",
		  "\"0x0\"" },
		{ "eth_feeHistory", "[\"0x0\",\"latest\"]", "gasUsedRatio", "[]" },
		/* tips of block 1: 1 gwei twice, then what is left of 3 gwei */
		{ "eth_feeHistory", "[\"0x1\",\"0x1\",[0,40,41,100]]", "reward.0",
		  "[\"0x3b9aca00\",\"0x3b9aca00\",\"0x773593ff\",\"0x773593ff\"]" });
}

Test(rpc, sends_and_shows_what_waits)
{
	struct asker a = asker_open();
	static const struct expectation before[] = {
		{ "eth_getTransactionByHash", "[\"$Q\"]", NULL, "null" },
		{ "txpool_status", NULL, NULL, "{\"pending\":\"0x0\",\"queued\":\"0x0\"}" },
		{ "txpool_content", NULL, NULL, "{\"pending\":{},\"queued\":{}}" },
		{ "eth_sendRawTransaction", "[\"$P\"]", NULL, "\"$Q\"" },
	};
	static const struct expectation after[] = {
		{ "eth_getTransactionByHash", "[\"$Q\"]", "blockHash", "null" },
		{ "eth_getTransactionByHash", "[\"$Q\"]", "blockNumber", "null" },
		{ "eth_getTransactionByHash", "[\"$Q\"]", "transactionIndex", "null" },
		{ "eth_getTransactionByHash", "[\"$Q\"]", "gasPrice", "\"0xb2d05e00\"" },
		{ "eth_getRawTransactionByHash", "[\"$Q\"]", NULL, "\"$P\"" },
		{ "debug_getRawTransaction", "[\"$Q\"]", NULL, "\"$P\"" },
		{ "eth_getTransactionReceipt", "[\"$Q\"]", NULL, "null" },
		{ "eth_getTransactionCount", "[\"$S\",\"pending\"]", NULL, "\"0x8\"" },
		{ "eth_getTransactionCount", "[\"$S\",\"latest\"]", NULL, "\"0x7\"" },
		{ "txpool_status", NULL, NULL, "{\"pending\":\"0x1\",\"queued\":\"0x0\"}" },
		{ "txpool_content", NULL, "pending.$E.7.hash", "\"$Q\"" },
		{ "txpool_contentFrom", "[\"$S\"]", "pending.7.hash", "\"$Q\"" },
		{ "txpool_contentFrom", "[\"$C\"]", NULL, "{\"pending\":{},\"queued\":{}}" },
		{ "txpool_inspect", NULL, NULL,
		  "{\"pending\":{\"$E\":{\"7\":\"$F: 1007 wei + 21000 gas × 3000000000 "
		  "wei\"}},\"queued\":{}}" },
	};

	check_all(&a, before, ARRAY_COUNT(before));
	check_all(&a, after, ARRAY_COUNT(after));
	asker_close(&a);
}

/* Senders one after another, each with what is pending and what waits behind a gap. */
Test(rpc, groups_what_waits_by_sender)
{
	struct asker a = asker_open();
	struct fake *f = a.fake;
	static const struct expectation e[] = {
		{ "txpool_content", NULL, "pending.$E.7.nonce", "\"0x7\"" },
		{ "txpool_content", NULL, "pending.$E.8.nonce", "\"0x8\"" },
		{ "txpool_content", NULL, "pending.$F.9.nonce", "\"0x9\"" },
		{ "txpool_content", NULL, "queued.$F.10.from", "\"$C\"" },
		{ "txpool_content", NULL, "queued.$E", "(absent)" },
		{ "txpool_contentFrom", "[\"$C\"]", "pending.9.nonce", "\"0x9\"" },
		{ "txpool_contentFrom", "[\"$C\"]", "pending.7", "(absent)" },
		{ "txpool_inspect", NULL, "queued.$F.12",
		  "\"$F: 1012 wei + 21000 gas × 3000000000 wei\"" },
	};

	for (uint64_t nonce = 7; nonce < 13; nonce++) {
		struct tx *t = fake_transfer(f, TX_LEGACY, nonce);

		if (nonce >= 9)
			t->sender = fake_contract();
		f->pool[f->pool_count++] = t;
	}
	check_all(&a, e, ARRAY_COUNT(e));
	asker_close(&a);
}

Test(rpc, proves_newest_only)
{
	struct asker a = asker_open();
	static const struct expectation e[] = {
		{ "eth_getProof", "[\"$S\",[\"0x5\",\"0x" ZEROS_32 "\"],\"latest\"]", NULL,
		  "{\"address\":\"$S\",\"accountProof\":[\"0xc0\"],\"balance\":\"0x3\","
		  "\"codeHash\":"
		  "\"0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470\","
		  "\"nonce\":\"0x7\","
		  "\"storageHash\":"
		  "\"0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421\","
		  "\"storageProof\":[{\"key\":\"0x5\",\"value\":\"0x5\",\"proof\":[\"0x00\"]},"
		  "{\"key\":\"0x" ZEROS_32 "\",\"value\":\"0x0\",\"proof\":[\"0x01\"]}]}" },
		{ "eth_getProof", "[\"$S\",[]]", "storageProof", "[]" },
		{ "eth_getProof", "[\"$S\",[],\"pending\"]", "nonce", "\"0x7\"" },
		{ "eth_getProof", "[\"$S\",[],\"0x3\"]", "nonce", "\"0x7\"" },
		{ "eth_getProof", "[\"$S\",[],{\"blockHash\":\"$B3\"}]", "nonce", "\"0x7\"" },
	};

	check_all(&a, e, ARRAY_COUNT(e));
	for (int k = 0; k < 2; k++) {
		cr_expect(!ask(&a, "eth_getProof",
			       k ? "[\"$S\",[],\"0x2\"]" : "[\"$S\",[],\"$B2\"]"));
		cr_expect_eq(error_code(&a), -32000);
		cr_expect_str_eq(error_message(&a),
				 "proofs are given for the newest block only, which is 3: "
				 "ask with \"latest\", not for block 2");
	}
	asker_close(&a);
}

Test(rpc, tells_of_weft)
{
	CHECK_ALL(
		{ "weft_nodeInfo", NULL, "validatorAddress", "\"$S\"" },
		{ "weft_nodeInfo", NULL, "genesisHash", "\"$B0\"" },
		{ "weft_nodeInfo", NULL, "parameters.revision", "\"osaka\"" },
		{ "weft_validators", NULL, "validators",
		  "[{\"index\":\"0x0\",\"address\":\"$S\",\"weight\":\"0x3\"}]" },
		{ "weft_validators", "[\"0x1\"]", "quorumWeight", "\"0x3\"" },
		{ "weft_validators", "[\"0x1\"]", "epoch", "\"0x0\"" },
		{ "weft_validators", "[\"0x1\"]", "firstBlock", "\"0x0\"" },
		{ "weft_validators", "[\"0x1\"]", "startMs", "\"0x18bcfe56800\"" },
		{ "weft_validators", "[\"0x1\"]", "dueBlock", "\"0x3e7\"" },
		{ "weft_validators", "[\"0x1\"]", "dueMs", "\"0x18bd01c5680\"" },
		{ "weft_validators", "[\"0x1\"]", "blockNumber", "\"0x1\"" },
		{ "weft_validators", "[\"pending\"]", "blockNumber", "\"0x4\"" },
		{ "weft_validators", "[\"pending\"]", "next.totalWeight", "\"0x3\"" },
		{ "weft_validators", NULL, "next.validators",
		  "[{\"index\":\"0x0\",\"address\":\"$S\",\"weight\":\"0x3\"}]" },
		{ "weft_validators", NULL, "openVotes",
		  "[{\"validator\":\"0x0400000000000000000000000000000000000000\",\"weight\":\"0x5\",\"voters\":"
		  "[\"0x0100000000000000000000000000000000000000\",\"$S\"],\"votedWeight\":\"0x5\"},"
		  "{\"validator\":\"0x0400000000000000000000000000000000000000\",\"weight\":\"0x6\",\"voters\":"
		  "[\"0x0200000000000000000000000000000000000000\"],\"votedWeight\":\"0x1\"},"
		  "{\"validator\":\"0x0200000000000000000000000000000000000000\",\"weight\":\"0x0\",\"voters\":"
		  "[\"0x0100000000000000000000000000000000000000\"],\"votedWeight\":\"0x2\"}]" },
		{ "weft_validators", "[\"0x0\"]", "next", "null" },
		{ "weft_validators", "[\"0x0\"]", "openVotes", "null" },
		{ "weft_getCertificate", "[\"0x0\"]", NULL, "null" },
		{ "weft_getCertificate", "[\"0x9\"]", NULL, "null" },
		{ "weft_getCertificate", "[\"$B2\"]", "height", "\"0x2\"" },
		{ "weft_getCertificate", "[2]", "view", "\"0x2\"" },
		{ "weft_getCertificate", "[\"0x2\"]", "blockHash", "\"$B2\"" },
		{ "weft_getCertificate", "[\"0x2\"]", "signers.0.address", "\"$S\"" },
		{ "weft_getCertificate", "[\"0x2\"]", "weight", "\"0x3\"" },
		{ "weft_getCommitments", "[\"0x1\"]", "timeMs", "\"0x18bcfe56ddc\"" },
		{ "weft_getCommitments", "[\"0x9\"]", NULL, "null" },
		{ "weft_consensusStatus", NULL, "phase", "\"idle\"" },
		{ "weft_consensusStatus", NULL, "timeoutMsLeft", "\"0x4d2\"" },
		{ "weft_consensusStatus", NULL, "validators",
		  "[{\"address\":\"$S\",\"weight\":\"0x3\",\"voted\":false,\"prepared\":false,"
		  "\"committed\":false,\"viewChanged\":false,\"isSelf\":false,\"isConnected\":false,"
		  "\"lastSeenMs\":null,\"lastSeenMsAgo\":null,\"lastSeenHeight\":null}]" },
		{ "weft_consensusStatus", NULL, "reason", "\"no transaction waits\"" },
		{ "weft_consensusStatus", NULL, "refused", "{\"signature\":\"0x4\"}" },
		{ "weft_consensusStatus", NULL, "fetchingTo", "null" },
		{ "weft_evidence", NULL, "0.height", "\"0x2\"" },
		{ "weft_evidence", NULL, "1.validator", "\"$S\"" },
		{ "weft_evidence", NULL, "1.kind", "\"prepare\"" },
		{ "weft_evidence", NULL, "1.first", "\"0x6f6e65\"" },
		{ "weft_evidence", NULL, "1.second", "\"0x74776f\"" },
		{ "weft_getCheckpoint", NULL, "height", "\"0x3\"" },
		{ "weft_getCheckpoint", NULL, "signers.0.weight", "\"0x2\"" },
		{ "weft_methods", NULL, "1",
		  "{\"name\":\"web3_sha3\",\"params\":\"data\",\"returns\":\"hash\","
		  "\"doc\":\"Keccak-256 of the data.\",\"asksNode\":false,\"cost\":\"0x1\"}" });
}

/* A client that trusts nobody: the commitments hash to extraData, and the signer
 * signed the certificate's digest. */
Test(rpc, commitments_hash_to_extra_data)
{
	struct asker a = asker_open();
	const struct jval *v = ask(&a, "weft_getCertificate", "[\"0x3\"]");
	char want[HEX_HASH_SIZE];
	struct buf raw = { 0 };
	struct hash hash;

	cr_assert(hex_parse_data(&raw, jval_string(value_at(v, "commitments.raw")), 1024));
	keccak256(&hash, buf_bytes(&raw));
	hex_data(want, hash_bytes(&hash));
	cr_expect_str_eq((const char *)jval_string(value_at(v, "extraData")).data, want);
	cr_expect_str_eq((const char *)jval_string(value_at(v, "commitments.hash")).data, want);
	cr_expect_eq(jval_string(value_at(v, "signers.0.signature")).size, 2 + 130);
	buf_clear(&raw);
	asker_close(&a);
}

/* EIP-55's own examples. */
Test(rpc, writes_address_with_checksum)
{
	static const char *const vectors[] = {
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
		"0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
		"0x52908400098527886E0F7030069857D2E4169EE7",
		"0xde709f2102306220921060314715629080e2fb77",
	};

	for (size_t k = 0; k < ARRAY_COUNT(vectors); k++) {
		char text[HEX_ADDR_SIZE];
		struct addr a;

		cr_assert(hex_parse_fixed(a.bytes, sizeof(a.bytes), bytes_of_str(vectors[k])));
		cr_expect_str_eq(form_checksummed(text, &a), vectors[k]);
	}
}

/* --- every row of the table --- */

Test(rpc, table_rows_are_whole)
{
	size_t count;
	const struct rpc_method *m = rpc_methods(&count);

	for (size_t k = 0; k < count; k++) {
		const char *rest = m[k].params;
		struct rpc_param p;
		size_t args = 0, lists = 0;
		bool is_optional = false;

		cr_expect(m[k].run && m[k].cost > 0 && m[k].doc[0] && m[k].returns[0], "%s",
			  m[k].name);
		cr_expect(!m[k].errand ||
			  (m[k].errand->ask && m[k].errand->tell && m[k].errand->release));
		while (rpc_shape_next(&rest, &p)) {
			cr_expect(p.is_optional || !is_optional, "%s: optional ones come last",
				  m[k].name);
			is_optional = p.is_optional;
			lists += p.kind == RPC_ARG_SLOTS || p.kind == RPC_ARG_PERCENTILES;
			args++;
		}
		cr_expect_leq(args, RPC_ARG_MAX);
		cr_expect_leq(lists, 1);
		for (size_t n = 0; n < k; n++)
			cr_expect_str_neq(m[k].name, m[n].name);
	}
}

static bool is_sensible(int64_t code)
{
	return code == -32602 || code == -32000;
}

Test(rpc, every_method_answers_junk)
{
	static const char *const junk[] = {
		"null", "true", "-1", "1.5", "9223372036854775807", "\"\"", "\"0x\"", "\"latest\"",
		"\"0x00\"", "\"\xc3\xa9\"", "[]", "{}", "[[[]]]", "{\"a\":{}}", "\"$S\"", "\"$B1\"",
	};
	struct asker a = asker_open();
	size_t count;
	const struct rpc_method *m = rpc_methods(&count);

	a.fake->info.is_dev = true; /* has more methods */
	for (size_t k = 0; k < count; k++) {
		if (!ask(&a, m[k].name, NULL))
			cr_expect(is_sensible(error_code(&a)), "%s", m[k].name);
		cr_expect(!ask(&a, m[k].name, "[null,null,null,null,null]"));
		cr_expect(is_sensible(error_code(&a)), "%s: too many", m[k].name);
		for (size_t n = 0; n < ARRAY_COUNT(junk); n++) {
			for (int place = 0; place < 3; place++) {
				char params[400];

				snprintf(params, sizeof(params), "[%s%s]",
					 place == 0   ? ""
					 : place == 1 ? "\"$S\","
						      : "\"$B1\",",
					 junk[n]);
				if (!ask(&a, m[k].name, params))
					cr_expect(is_sensible(error_code(&a)), "%s %s: %lld %s",
						  m[k].name, params, (long long)error_code(&a),
						  error_message(&a));
			}
		}
	}
	asker_close(&a);
}
