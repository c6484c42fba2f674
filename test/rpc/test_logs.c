/* Logs: filters as clients write them, what they find, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "base/check.h"
#include "codec/hex.h"

#define TOPIC_A "\"0xaa00000000000000000000000000000000000000000000000000000000000000\""
#define TOPIC_B "\"0x00000000000000000000000000000000000000000000000000000000000000bb\""
#define TOPIC_X "\"0x1100000000000000000000000000000000000000000000000000000000000000\""
#define OTHER "\"0x00000000000000000000000000000000000000ff\""

/* A filter, and the logIndex of each log that it finds, or the error. */
struct expectation {
	const char *filter;
	const char *found;
	int code;
	const char *words;
};

/* "0 2": which logs came. */
static const char *indexes_of(const struct jval *logs, char out[256])
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < jval_count(logs); i++) {
		uint64_t index;

		cr_assert(hex_parse_u64(&index, jval_string(jval_get(jval_at(logs, i), "logIndex"))));
		at += (size_t)snprintf(out + at, 256 - at, "%s%llu", i ? " " : "", (unsigned long long)index);
	}
	return out;
}

static void check(struct asker *a, const struct expectation *e, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char params[1024], have[256];
		const struct jval *logs;

		snprintf(params, sizeof(params), "[%s]", e[i].filter);
		logs = ask(a, "eth_getLogs", params);
		if (e[i].found) {
			cr_expect(logs, "%s: %s", e[i].filter, error_message(a));
			cr_expect_str_eq(indexes_of(logs, have), e[i].found, "%s: %s", e[i].filter, have);
			continue;
		}
		cr_expect_null(logs, "%s", e[i].filter);
		cr_expect_eq(error_code(a), e[i].code, "%s: %lld", e[i].filter, (long long)error_code(a));
		cr_expect(strstr(error_message(a), e[i].words), "%s: %s", e[i].filter, error_message(a));
	}
}

#define CHECK_LOGS(...)                                                 \
	do {                                                            \
		static const struct expectation e_[] = { __VA_ARGS__ }; \
		struct asker a_ = asker_open();                         \
                                                                        \
		check(&a_, e_, ARRAY_COUNT(e_));                        \
		asker_close(&a_);                                       \
	} while (0)

Test(rpc_logs, finds_by_range)
{
	CHECK_LOGS({ "{}", "0 1 2" }, /* the newest block */
		   { "{\"fromBlock\":\"0x0\"}", "0 1 2" },
		   { "{\"fromBlock\":\"earliest\",\"toBlock\":\"latest\"}", "0 1 2" },
		   { "{\"fromBlock\":0,\"toBlock\":3}", "0 1 2" },
		   { "{\"fromBlock\":\"safe\",\"toBlock\":\"pending\"}", "0 1 2" },
		   { "{\"fromBlock\":\"0x0\",\"toBlock\":\"0x2\"}", "" },
		   { "{\"fromBlock\":\"0x3\",\"toBlock\":\"0x3\"}", "0 1 2" },
		   { "{\"fromBlock\":null,\"toBlock\":null,\"blockHash\":null,\"address\":null,\"topics\":null}", "0 1 2" },
		   { "{\"blockHash\":\"$B3\"}", "0 1 2" }, { "{\"blockHash\":\"$B1\"}", "" },
		   { "{\"fromBlock\":\"0x2\",\"unknown\":1}", "0 1 2" });
}

Test(rpc_logs, finds_by_address_and_topics)
{
	CHECK_LOGS({ "{\"address\":\"$C\"}", "0 1 2" }, { "{\"address\":" OTHER "}", "" },
		   { "{\"address\":[" OTHER ",\"$C\"]}", "0 1 2" }, { "{\"address\":[]}", "0 1 2" },
		   { "{\"address\":[\"$C\",\"$C\"]}", "0 1 2" },
		   { "{\"topics\":[]}", "0 1 2" }, { "{\"topics\":[" TOPIC_A "]}", "0 1" },
		   { "{\"topics\":[null]}", "0 1" }, /* a log without topics has no first */
		   { "{\"topics\":[null," TOPIC_B "]}", "0 1" }, { "{\"topics\":[" TOPIC_B "]}", "" },
		   { "{\"topics\":[" TOPIC_B "," TOPIC_A "]}", "" },
		   { "{\"topics\":[[" TOPIC_X "," TOPIC_A "],[]]}", "0 1" },
		   { "{\"topics\":[[" TOPIC_X ",null],[" TOPIC_B "]]}", "0 1" },
		   { "{\"topics\":[[" TOPIC_X "]]}", "" }, { "{\"topics\":[null,null,null]}", "" },
		   { "{\"topics\":[[],[],[],[]]}", "" },
		   { "{\"address\":\"$C\",\"topics\":[" TOPIC_A "," TOPIC_B "]}", "0 1" },
		   { "{\"address\":" OTHER ",\"topics\":[" TOPIC_A "," TOPIC_B "]}", "" });
}

Test(rpc_logs, refuses_wrong_filters)
{
#define BAD(filter, words) { filter, NULL, -32602, words }
	CHECK_LOGS(BAD("null", "missing value for required argument 0"), BAD("[]", "want an object"),
		   BAD("\"latest\"", "want an object for a filter, not a string"),
		   BAD("{\"fromBlock\":\"0x3\",\"toBlock\":\"0x2\"}",
		       "invalid block range params: fromBlock 3 is after toBlock 2"),
		   BAD("{\"toBlock\":\"0x2\"}", "invalid block range params"),
		   BAD("{\"fromBlock\":\"0x4\"}",
		       "block range extends beyond current head block: fromBlock is 4, the newest is 3"),
		   BAD("{\"toBlock\":\"0xffffffffffffffff\"}", "extends beyond current head block: toBlock"),
		   BAD("{\"fromBlock\":\"0x01\"}", "fromBlock: hex number with leading zero digits"),
		   BAD("{\"toBlock\":\"newest\"}", "toBlock: hex string without 0x prefix"),
		   BAD("{\"fromBlock\":\"$B3\"}", "fromBlock"), BAD("{\"fromBlock\":-1}", "negative number"),
		   BAD("{\"blockHash\":\"$B3\",\"fromBlock\":\"0x0\"}", "cannot specify both blockHash and fromBlock"),
		   BAD("{\"blockHash\":\"$B3\",\"toBlock\":\"latest\"}", "cannot specify both"),
		   BAD("{\"blockHash\":\"0x12\"}", "hex string has length 2, want 64 for blockHash"),
		   BAD("{\"address\":\"0x12\"}", "hex string has length 2, want 40 for address"),
		   BAD("{\"address\":[\"$C\",7]}", "want a string for address, not a number"),
		   BAD("{\"address\":[null]}", "want a string for address, not null"),
		   BAD("{\"address\":{}}", "want a string for address, not an object"),
		   BAD("{\"topics\":" TOPIC_A "}", "want an array for topics, not a string"),
		   BAD("{\"topics\":[null,null,null,null,null]}", "exceed max topics"),
		   BAD("{\"topics\":[null,[\"0xaa\"]]}", "topics element 1: hex string has length 2, want 64"),
		   BAD("{\"topics\":[[[" TOPIC_A "]]]}", "topics element 0: want a string for topic, not an array"),
		   BAD("{\"topics\":[true]}", "want a string for topic, not a boolean"));
#undef BAD
	/* An unknown hash is not a range. */
	CHECK_LOGS({ "{\"blockHash\":" TOPIC_X "}", NULL, -32000, "no block has the hash 0x1100" });
}

Test(rpc_logs, writes_logs_as_receipts_do)
{
	struct asker a = asker_open();
	const char *paths[] = { "0", "1", "2" };
	const char *receipts[] = { "$T30", "$T31", "$T31" }, *logs[] = { "logs.0", "logs.0", "logs.1" };

	for (size_t i = 0; i < 3; i++) {
		char params[32];
		struct buf kept = { 0 };

		buf_append_bytes(&kept, bytes_of_str(text_of(&a, value_at(ask(&a, "eth_getLogs", "[{}]"), paths[i]))));
		buf_append_byte(&kept, 0);
		snprintf(params, sizeof(params), "[\"%s\"]", receipts[i]);
		cr_expect_str_eq(text_of(&a, value_at(ask(&a, "eth_getTransactionReceipt", params), logs[i])),
				 (char *)kept.data);
		cr_expect(strstr((char *)kept.data, "\"removed\":false"));
		cr_expect(strstr((char *)kept.data, "\"blockTimestamp\":\"0x"));
		buf_clear(&kept);
	}
	asker_close(&a);
}

/* --- limits --- */

static void use_limits(struct asker *a, struct rpc_limits limits)
{
	rpc_free(a->rpc);
	a->rpc = rpc_new(&a->fake->info, a->fake->ecc, fake_reader(a->fake), limits);
}

Test(rpc_logs, says_how_to_narrow)
{
	static const struct expectation results[] = {
		{ "{\"topics\":[" TOPIC_A "]}", "0 1" },
		{ "{\"fromBlock\":\"0x3\"}", NULL, -32005,
		  "query returned more than 2 results, in block 0x3 alone: name addresses or topics" },
		{ "{\"fromBlock\":\"0x1\"}", NULL, -32005,
		  "query returned more than 2 results. Try with this block range [0x1, 0x2]." },
	};
	static const struct expectation blocks[] = {
		{ "{\"fromBlock\":\"0x2\",\"toBlock\":\"0x3\"}", "0 1 2" },
		{ "{\"fromBlock\":\"0x1\",\"toBlock\":\"0x3\",\"address\":\"$C\"}", "0 1 2" },
		{ "{\"fromBlock\":\"0x1\",\"toBlock\":\"0x3\",\"topics\":[null]}", NULL, -32005,
		  "query exceeds max block range 2, which holds without address and topics: name some. "
		  "Or try with this block range [0x1, 0x2]." },
	};
	static const struct expectation bytes[] = {
		{ "{\"fromBlock\":\"0x1\",\"toBlock\":\"0x2\"}", "" },
		{ "{\"fromBlock\":\"0x1\"}", NULL, -32005,
		  "query returned more than 700 bytes. Try with this block range [0x1, 0x2]." },
	};
	/* eth_getLogs costs 10 units, each block of the fake's 10 more, and one that has logs 1. */
	static const struct expectation cost[] = {
		{ "{\"fromBlock\":\"0x2\"}", "0 1 2" },
		{ "{\"fromBlock\":\"0x0\"}", NULL, -32005,
		  "query costs more than one request may. Try with this block range [0x0, 0x1]." },
		{ "{\"fromBlock\":\"0x1\"}", NULL, -32005,
		  "query costs more than one request may. Try with this block range [0x1, 0x2]." },
	};
	struct asker a = asker_open();

	use_limits(&a, (struct rpc_limits){ .batch_count = 2, .reply_size = 9000, .cost = 1000, .log_count = 2 });
	check(&a, results, ARRAY_COUNT(results));
	use_limits(&a, (struct rpc_limits){ .batch_count = 2, .reply_size = 9000, .cost = 1000, .log_block_count = 2 });
	check(&a, blocks, ARRAY_COUNT(blocks));
	use_limits(&a, (struct rpc_limits){ .batch_count = 2, .reply_size = 700, .cost = 1000 });
	check(&a, bytes, ARRAY_COUNT(bytes));
	use_limits(&a, (struct rpc_limits){ .batch_count = 2, .reply_size = 9000, .cost = 35 });
	check(&a, cost, ARRAY_COUNT(cost));
	asker_close(&a);
}

/* `count` topics at one place. */
static char *many_topics(size_t count)
{
	static const char item[] = "\"0x%064zx\",";
	struct buf text = { 0 };

	buf_printf(&text, "[{\"topics\":[[");
	for (size_t i = 0; i < count; i++)
		buf_printf(&text, item, i);
	text.size -= count > 0;
	buf_printf(&text, "]],\"address\":\"$C\"}]");
	buf_append_byte(&text, 0);
	return (char *)text.data;
}

Test(rpc_logs, bounds_what_a_filter_names)
{
	struct asker a = asker_open();
	char *most = many_topics(LOG_FILTER_TERM_MAX - 1), *more = many_topics(LOG_FILTER_TERM_MAX);

	cr_expect(ask(&a, "eth_getLogs", most), "%s", error_message(&a));
	cr_expect_null(ask(&a, "eth_getLogs", more));
	cr_expect_eq(error_code(&a), -32602);
	cr_expect(strstr(error_message(&a), "too many addresses and topics: at most 1024"), "%s", error_message(&a));
	free(most);
	free(more);
	asker_close(&a);
}

Test(rpc_logs, tells_a_broken_disk)
{
	struct asker a = asker_open();

	a.fake->is_broken = true;
	cr_expect_null(ask(&a, "eth_getLogs", "[{\"fromBlock\":\"0x0\"}]"));
	cr_expect_eq(error_code(&a), -32603);
	asker_close(&a);
}

/* --- filters that are polled --- */

/* The fake makes ids that count: 0xa01, 0xa02, … */
static void expect(struct asker *a, const char *method, const char *params, const char *text)
{
	const struct jval *v = ask(a, method, params);
	struct buf want = expand(a, text);

	cr_expect(v, "%s %s: %s", method, params, error_message(a));
	cr_expect_str_eq(text_of(a, v), (char *)want.data, "%s %s", method, params);
	buf_clear(&want);
}

static void expect_error(struct asker *a, const char *method, const char *params, int code, const char *words)
{
	cr_expect_null(ask(a, method, params), "%s %s", method, params);
	cr_expect_eq(error_code(a), code, "%s %s", method, params);
	cr_expect(strstr(error_message(a), words), "%s %s: %s", method, params, error_message(a));
}

static void expect_logs(struct asker *a, const char *method, const char *params, const char *found)
{
	char have[256];

	cr_expect_str_eq(indexes_of(ask(a, method, params), have), found, "%s %s: %s", method, params, have);
}

Test(rpc_logs, polls_blocks)
{
	struct asker a = asker_open();

	a.fake->height = 1;
	expect(&a, "eth_newBlockFilter", NULL, "\"0xa01\"");
	expect(&a, "eth_getFilterChanges", "[\"0xa01\"]", "[]");
	a.fake->height = 3;
	expect(&a, "eth_getFilterChanges", "[\"0xa01\"]", "[\"$B2\",\"$B3\"]");
	expect(&a, "eth_getFilterChanges", "[\"0xa01\"]", "[]");
	expect_error(&a, "eth_getFilterLogs", "[\"0xa01\"]", -32000, "filter not found: this one is not for logs");
	expect(&a, "eth_uninstallFilter", "[\"0xa01\"]", "true");
	expect(&a, "eth_uninstallFilter", "[\"0xa01\"]", "false");
	expect_error(&a, "eth_getFilterChanges", "[\"0xa01\"]", -32000, "filter not found");
	expect_error(&a, "eth_getFilterLogs", "[\"0xa01\"]", -32000, "filter not found");
	asker_close(&a);
}

Test(rpc_logs, polls_transactions)
{
	struct asker a = asker_open();

	expect(&a, "eth_newPendingTransactionFilter", "[]", "\"0xa01\"");
	expect(&a, "eth_getFilterChanges", "[\"0xa01\"]", "[]");
	cr_assert(ask(&a, "eth_sendRawTransaction", "[\"$P\"]"));
	expect(&a, "eth_getFilterChanges", "[\"0xa01\"]", "[\"$Q\"]");
	expect(&a, "eth_getFilterChanges", "[\"0xa01\"]", "[]");
	asker_close(&a);
}

Test(rpc_logs, polls_logs)
{
	struct asker a = asker_open();

	a.fake->height = 1;
	expect(&a, "eth_newFilter", "[{\"address\":\"$C\",\"topics\":[" TOPIC_A "]}]", "\"0xa01\"");
	expect(&a, "eth_getFilterChanges", "[\"0xa01\"]", "[]");
	expect_logs(&a, "eth_getFilterLogs", "[\"0xa01\"]", "");
	a.fake->height = 3;
	expect_logs(&a, "eth_getFilterLogs", "[\"0xa01\"]", "0 1");
	expect_logs(&a, "eth_getFilterChanges", "[\"0x0a01\"]", "0 1"); /* however it is written */
	expect_logs(&a, "eth_getFilterChanges", "[\"0xa01\"]", "");
	/* of blocks that are not asked for nothing is told */
	a.fake->height = 1;
	expect(&a, "eth_newFilter", "[{\"fromBlock\":\"0x1\",\"toBlock\":\"0x2\"}]", "\"0xa02\"");
	a.fake->height = 3;
	expect_logs(&a, "eth_getFilterChanges", "[\"0xa02\"]", "");
	expect_logs(&a, "eth_getFilterLogs", "[\"0xa02\"]", "");
	a.fake->height = 1;
	expect(&a, "eth_newFilter", "[{\"fromBlock\":\"0x3\",\"toBlock\":\"latest\"}]", "\"0xa03\"");
	expect_error(&a, "eth_getFilterLogs", "[\"0xa03\"]", -32602, "extends beyond current head block");
	a.fake->height = 3;
	expect_logs(&a, "eth_getFilterChanges", "[\"0xa03\"]", "0 1 2");
	expect(&a, "eth_newFilter", "[{\"fromBlock\":\"earliest\"}]", "\"0xa04\"");
	expect_logs(&a, "eth_getFilterChanges", "[\"0xa04\"]", "");
	expect_logs(&a, "eth_getFilterLogs", "[\"0xa04\"]", "0 1 2");
	asker_close(&a);
}

Test(rpc_logs, refuses_wrong_polls)
{
	struct asker a = asker_open();

	expect_error(&a, "eth_newFilter", "[]", -32602, "missing value");
	expect_error(&a, "eth_newFilter", "[{\"blockHash\":\"$B1\"}]", -32602, "use eth_getLogs");
	expect_error(&a, "eth_newFilter", "[{\"fromBlock\":\"0x9\",\"toBlock\":\"0x8\"}]", -32602,
		     "invalid block range params");
	expect_error(&a, "eth_newFilter", "[{\"topics\":[1]}]", -32602, "want a string for topic");
	expect_error(&a, "eth_getFilterChanges", "[]", -32602, "missing value");
	expect_error(&a, "eth_getFilterChanges", "[7]", -32602, "want a string for filter id");
	expect_error(&a, "eth_getFilterChanges", "[\"12\"]", -32602, "without 0x prefix");
	expect_error(&a, "eth_getFilterChanges", "[\"0x\"]", -32602, "empty hex string");
	expect_error(&a, "eth_getFilterChanges", "[\"0xzz\"]", -32602, "invalid hex string");
	expect_error(&a, "eth_getFilterChanges", "[\"0x0\"]", -32000, "filter not found");
	expect_error(&a, "eth_uninstallFilter", "[{}]", -32602, "filter id");
	a.fake->is_busy = true;
	expect_error(&a, "eth_newBlockFilter", "[]", -32005, "too many filters");
	asker_close(&a);
}
