/* The envelope: batches, ids, notifications, limits; and the GET paths. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "base/check.h"

#define CALL(id, method, params) \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define CHAIN_ID(id) CALL(id, "eth_chainId", "[]")
#define CHAIN_ID_REPLY(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":\"0x7a69\"}"

struct exchange {
	const char *body, *reply;
};

static void check_exchanges(const struct exchange *e, size_t count)
{
	struct asker a = asker_open();

	for (size_t k = 0; k < count; k++) {
		struct buf want = expand(&a, e[k].reply);
		const char *have = ask_body(&a, e[k].body);

		cr_expect_str_eq(have, (char *)want.data, "%s: %s", e[k].body, have);
		buf_clear(&want);
	}
	asker_close(&a);
}

Test(rpc, echoes_ids)
{
	static const struct exchange e[] = {
		{ CHAIN_ID("1"), CHAIN_ID_REPLY("1") },
		{ CHAIN_ID("0"), CHAIN_ID_REPLY("0") },
		{ CHAIN_ID("-7"), CHAIN_ID_REPLY("-7") },
		{ CHAIN_ID("9007199254740993"), CHAIN_ID_REPLY("9007199254740993") },
		{ CHAIN_ID("9223372036854775807"), CHAIN_ID_REPLY("9223372036854775807") },
		{ CHAIN_ID("1.5"), CHAIN_ID_REPLY("1.5") },
		{ CHAIN_ID("null"), CHAIN_ID_REPLY("null") },
		{ CHAIN_ID("\"\""), CHAIN_ID_REPLY("\"\"") },
		{ CHAIN_ID("\"a\\\"b\\u00e9\\n\""), CHAIN_ID_REPLY("\"a\\\"b\xc3\xa9\\n\"") },
	};

	check_exchanges(e, ARRAY_COUNT(e));
}

#define ERROR_REPLY(id, code, message) \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code \
	",\"message\":\"" message "\"}}"
#define NO_REQUEST(id, reason) ERROR_REPLY(id, "-32600", "invalid request: " reason)
#define BAD_ID NO_REQUEST("null", "id must be a string, a number or null")

Test(rpc, refuses_what_is_no_request)
{
	static const struct exchange e[] = {
		{ "[]", NO_REQUEST("null", "an empty batch") },
		{ "1", NO_REQUEST("null", "not an object") },
		{ "{}", NO_REQUEST("null", "jsonrpc must be \\\"2.0\\\"") },
		{ "{\"jsonrpc\":\"1.0\",\"id\":4,\"method\":\"eth_chainId\"}",
		  NO_REQUEST("4", "jsonrpc must be \\\"2.0\\\"") },
		{ "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":7}",
		  NO_REQUEST("4", "method must be a string") },
		{ "{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"eth_chainId\"}",
		  BAD_ID },
		{ CHAIN_ID("true"), BAD_ID },
		{ "[1," CHAIN_ID("2") "]",
		  "[" NO_REQUEST("null", "not an object") "," CHAIN_ID_REPLY("2") "]" },
		{ "[[]]", "[" NO_REQUEST("null", "not an object") "]" },
	};

	check_exchanges(e, ARRAY_COUNT(e));
}

Test(rpc, refuses_what_is_no_json)
{
	static const char *const bodies[] = {
		"", " ", "{", "[1,]", "{\"a\":1,\"a\":2}", "\"\\u0000\"", "\xff", CHAIN_ID("1") "x",
		CHAIN_ID("\"\xc0\xaf\""), CHAIN_ID("123456789012345678901234567890"),
	};
	struct asker a = asker_open();
	struct buf deep = { 0 };

	for (size_t k = 0; k < ARRAY_COUNT(bodies); k++) {
		ask_body(&a, bodies[k]);
		cr_expect_eq(error_code(&a), -32700, "%s", bodies[k]);
		cr_expect_eq(jval_kind(jval_get(a.document, "id")), JVAL_NULL);
	}
	for (int k = 0; k < 100000; k++)
		buf_append_byte(&deep, '[');
	buf_append_byte(&deep, 0);
	ask_body(&a, (const char *)deep.data);
	cr_expect_eq(error_code(&a), -32700);
	buf_clear(&deep);
	asker_close(&a);
}

Test(rpc, answers_no_notification)
{
	static const struct exchange e[] = {
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"eth_chainId\"}", "" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"eth_nonsense\"}", "" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"eth_getBalance\"}", "" },
		{ "[{\"jsonrpc\":\"2.0\",\"method\":\"eth_chainId\"}]", "" },
		{ "[{\"jsonrpc\":\"2.0\",\"method\":\"eth_chainId\"}," CHAIN_ID("5") ","
		  "{\"jsonrpc\":\"2.0\",\"method\":\"net_peerCount\"}]",
		  "[" CHAIN_ID_REPLY("5") "]" },
	};

	check_exchanges(e, ARRAY_COUNT(e));
}

Test(rpc, runs_notifications)
{
	struct asker a = asker_open();

	cr_expect_str_eq(ask_body(&a, "{\"jsonrpc\":\"2.0\",\"method\":\"eth_sendRawTransaction\","
				      "\"params\":[\"$P\"]}"), "");
	cr_expect_eq(a.fake->pool_count, 1);
	asker_close(&a);
}

/* Those that ask the node and those that do not, mixed: replies in order. */
Test(rpc, answers_batch_in_order)
{
	static const struct exchange e[] = {
		{ "[" CALL("1", "net_peerCount", "[]") "," CHAIN_ID("2") ","
		  CALL("3", "eth_sendRawTransaction", "[\"$P\"]") ","
		  CALL("4", "eth_nonsense", "[]") ","
		  CALL("5", "eth_getTransactionCount", "[\"$S\",\"pending\"]") ","
		  CHAIN_ID("6") "]",
		  "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x0\"}," CHAIN_ID_REPLY("2") ","
		  "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":\"$Q\"},"
		  ERROR_REPLY("4", "-32601",
			      "the method eth_nonsense does not exist/is not available") ","
		  "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":\"0x8\"}," CHAIN_ID_REPLY("6") "]" },
	};

	check_exchanges(e, ARRAY_COUNT(e));
}

Test(rpc, reads_one_snapshot_a_body)
{
	struct asker a = asker_open();

	ask_body(&a, "[" CALL("1", "eth_blockNumber", "[]") ","
		     CALL("2", "eth_getBalance", "[\"$S\"]") ","
		     CALL("3", "eth_getBlockByNumber", "[]") "]");
	cr_expect_eq(a.fake->snapshot_count, 1);
	ask_body(&a, "[" CHAIN_ID("1") "," CALL("2", "eth_sendRawTransaction", "[\"$P\"]") "]");
	cr_expect_eq(a.fake->snapshot_count, 1, "sending reads no state");
	asker_close(&a);
}

/* --- limits --- */

static struct rpc *limited(struct fake *f, size_t batch, size_t reply, uint64_t cost)
{
	return rpc_new(&f->info, f->ecc, fake_reader(f), (struct rpc_limits){ batch, reply, cost, 0, 0 });
}

static void use_limits(struct asker *a, size_t batch, size_t reply, uint64_t cost)
{
	rpc_free(a->rpc);
	a->rpc = limited(a->fake, batch, reply, cost);
}

Test(rpc, refuses_large_batch_as_a_whole)
{
	struct asker a = asker_open();

	use_limits(&a, 2, 1 << 20, 1000);
	cr_expect_str_eq(ask_body(&a, "[" CHAIN_ID("1") "," CHAIN_ID("2") "]"),
			 "[" CHAIN_ID_REPLY("1") "," CHAIN_ID_REPLY("2") "]");
	cr_expect_str_eq(ask_body(&a, "[" CHAIN_ID("1") "," CHAIN_ID("2") "," CHAIN_ID("3") "]"),
			 ERROR_REPLY("null", "-32600",
				     "batch too large: 3 requests, at most 2 are allowed"));
	asker_close(&a);
}

Test(rpc, stops_at_reply_limit)
{
	struct asker a = asker_open();
	const struct jval *replies;

	use_limits(&a, 100, 3000, 1000);
	ask_body(&a, "[" CHAIN_ID("1") "," CALL("2", "eth_getBlockByNumber", "[\"0x1\"]") ","
		     CALL("3", "eth_getBlockByNumber", "[\"0x1\"]") "," CHAIN_ID("4") ","
		     CALL("5", "eth_nonsense", "[]") "]");
	replies = a.document;
	cr_assert_eq(jval_count(replies), 5);
	cr_expect(jval_get(jval_at(replies, 0), "result"));
	cr_expect(jval_get(jval_at(replies, 1), "result"));
	cr_expect_eq(jval_integer(value_at(replies, "2.error.code")), -32003);
	cr_expect_eq(jval_integer(value_at(replies, "3.error.code")), -32003);
	cr_expect_eq(jval_integer(value_at(replies, "4.error.code")), -32601);
	cr_expect_eq(jval_integer(value_at(replies, "4.id")), 5);
	asker_close(&a);
}

/* One that is too large without being a list. */
Test(rpc, refuses_one_large_reply)
{
	struct asker a = asker_open();

	use_limits(&a, 100, 1500, 1000);
	cr_expect(!ask(&a, "eth_getBlockByNumber", "[\"0x2\"]"));
	cr_expect_eq(error_code(&a), -32003);
	cr_expect_str_eq(error_message(&a),
			 "the reply is larger than 1500 bytes: ask for less at a time");
	use_limits(&a, 100, 1500, 11);
	ask(&a, "eth_getProof", "[\"$S\",[]]");
	cr_expect_eq(error_code(&a), -32005);
	use_limits(&a, 100, 1500, 10);
	ask(&a, "eth_feeHistory", "[1]");
	cr_expect_eq(error_code(&a), -32005);
	asker_close(&a);
}

/* In the middle of a block's transactions, and of what waits. */
Test(rpc, stops_writing_at_reply_limit)
{
	struct asker a = asker_open();

	use_limits(&a, 100, 2500, 1000);
	cr_expect(!ask(&a, "eth_getBlockByNumber", "[\"0x1\",true]"));
	cr_expect_eq(error_code(&a), -32003);
	cr_expect(!ask(&a, "eth_getBlockReceipts", "[\"0x1\"]"));
	cr_expect_eq(error_code(&a), -32003);
	for (uint64_t nonce = 8; nonce < 40; nonce++)
		a.fake->pool[a.fake->pool_count++] = fake_transfer(a.fake, TX_LEGACY, nonce);
	cr_expect(!ask(&a, "txpool_content", "[]"));
	cr_expect_eq(error_code(&a), -32003);
	asker_close(&a);
}

/* What was sent is told, whatever else the reply holds. */
Test(rpc, tells_of_sending_beyond_reply_limit)
{
	struct asker a = asker_open();

	use_limits(&a, 100, 2000, 1000);
	ask_body(&a, "[" CALL("1", "eth_sendRawTransaction", "[\"$P\"]") ","
		     CALL("2", "eth_getBlockByNumber", "[\"0x1\",true]") ","
		     CALL("3", "eth_sendRawTransaction", "[\"$P\"]") "]");
	cr_expect(value_at(a.document, "0.result"));
	cr_expect_eq(jval_integer(value_at(a.document, "1.error.code")), -32003);
	cr_expect_eq(jval_integer(value_at(a.document, "2.error.code")), -32003);
	cr_expect_eq(a.fake->submit_count, 1);

	/* The block just fits, and what was sent before it is told behind it. */
	ask_body(&a, CALL("2", "eth_getBlockByNumber", "[\"0x2\"]"));
	use_limits(&a, 100, a.reply.size, 1000);
	ask_body(&a, "[" CALL("1", "eth_sendRawTransaction", "[\"$P\"]") ","
		     CALL("2", "eth_getBlockByNumber", "[\"0x2\"]") "]");
	cr_expect(value_at(a.document, "0.result"));
	cr_expect(value_at(a.document, "1.result"));
	asker_close(&a);
}

Test(rpc, stops_at_cost_limit)
{
	struct asker a = asker_open();
	const struct jval *v;

	use_limits(&a, 100, 1 << 20, 25);
	ask_body(&a, "[" CALL("1", "eth_getBlockByNumber", "[]") ","
		     CALL("2", "eth_getBlockByNumber", "[]") ","
		     CALL("3", "eth_getBlockByNumber", "[]") "," CHAIN_ID("4") "]");
	cr_expect(value_at(a.document, "1.result"));
	cr_expect_eq(jval_integer(value_at(a.document, "2.error.code")), -32005);
	cr_expect(value_at(a.document, "3.result"));

	/* 10 for the call, one a block: of four blocks the three newest come back. */
	use_limits(&a, 100, 1 << 20, 13);
	v = ask(&a, "eth_feeHistory", "[\"0x4\",\"latest\",[50]]");
	cr_expect_str_eq(text_of(&a, value_at(v, "oldestBlock")), "\"0x1\"");
	asker_close(&a);
}

/* --- GET --- */

static int get(struct asker *a, const char *path, const char *query)
{
	const char *content_type;
	int status = 0;

	buf_reset(&a->reply);
	if (!rpc_get(a->rpc, fake_node(a->fake), path, query, &status, &content_type, &a->reply))
		return 0;
	buf_append_byte(&a->reply, 0);
	return status;
}

Test(rpc, answers_plain_paths)
{
	struct asker a = asker_open();

	cr_expect_eq(get(&a, "/", ""), 200);
	cr_expect(strstr((char *)a.reply.data, "JSON-RPC"));
	cr_expect_eq(get(&a, "/liveness", ""), 200);
	cr_expect_str_eq((char *)a.reply.data, "{\"status\":\"UP\"}");
	cr_expect_eq(get(&a, "/metrics", ""), 200);
	cr_expect_str_eq((char *)a.reply.data, "weftd_chain_height 3\n");
	cr_expect_eq(get(&a, "/favicon.ico", ""), 0);
	cr_expect_eq(get(&a, "/readiness/", ""), 0);
	asker_close(&a);
}

Test(rpc, tells_readiness)
{
	struct asker a = asker_open();

	cr_expect_eq(get(&a, "/readiness", NULL), 200);
	cr_expect_eq(get(&a, "/readiness", "minPeers=1"), 503);
	cr_expect_str_eq((char *)a.reply.data,
			 "{\"status\":\"DOWN\",\"peers\":0,\"blocksBehind\":0}");
	a.fake->peer_count = 2;
	cr_expect_eq(get(&a, "/readiness", "minPeers=2&maxBlocksBehind=0"), 200);
	cr_expect_eq(get(&a, "/readiness", "maxBlocksBehind=0&minPeers=3"), 503);
	cr_expect_eq(get(&a, "/readiness", "minPeers=x"), 400);
	cr_expect_eq(get(&a, "/readiness", "minPeers="), 400);
	cr_expect_eq(get(&a, "/readiness", "minPeers=99999999999999999999"), 400);
	cr_expect_eq(get(&a, "/readiness", "minPeersX=9&&x"), 200);
	a.fake->trouble = "the disk is full";
	cr_expect_eq(get(&a, "/readiness", NULL), 503);
	a.fake->trouble = NULL;
	a.fake->is_stalled = true;
	a.fake->age_ms = 100;
	cr_expect_eq(get(&a, "/readiness", ""), 200);
	cr_expect_eq(get(&a, "/readiness", "maxBlocksBehind=0"), 503);
	a.fake->age_ms = 3 * a.fake->genesis.params.heartbeat_ms;
	cr_expect_eq(get(&a, "/readiness", ""), 503);
	asker_close(&a);
}
