/* Options of the debug_trace methods, their limits, and what they are refused with. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ask.h"
#include "base/check.h"

/* With the brackets around the parameters. */
static const struct jval *call(struct asker *a, const char *method, const char *params)
{
	char text[600];

	snprintf(text, sizeof(text), "[%s]", params);
	return ask(a, method, text);
}

/* Asks for a trace of block 3's transaction. */
static const struct jval *trace(struct asker *a, const char *options)
{
	char params[512];

	snprintf(params, sizeof(params), "\"$T30\"%s%s", options ? "," : "", options ? options : "");
	return call(a, "debug_traceTransaction", params);
}

static void refused(struct asker *a, const char *options, const char *message)
{
	cr_assert_null(trace(a, options), "%s", options);
	cr_expect_eq(error_code(a), -32602, "%s", options);
	cr_expect(strstr(error_message(a), message), "%s: %s", options, error_message(a));
}

Test(rpc_trace, options_are_those_of_geth)
{
	struct asker a = asker_open();
	const struct jval *v = trace(&a, NULL);

	cr_assert_eq(jval_count(value_at(v, "structLogs")), 2);
	cr_expect_eq(jval_integer(value_at(v, "structLogs.0.gasCost")), 3);
	cr_expect_str_eq(text_of(&a, value_at(v, "structLogs.1.stack.0")), "\"0xaa\"");
	cr_expect_eq(jval_integer(value_at(v, "gas")), 41000);
	cr_expect_str_eq(text_of(&a, value_at(v, "returnValue")), "\"0x2a\"");
	cr_assert(trace(&a, "null"));
	cr_assert(trace(&a, "{}"));
	cr_assert(trace(&a, "{\"tracer\":null,\"reexec\":128,\"anything\":[1]}"));
	cr_assert(trace(&a, "{\"tracer\":\"\"}"));
	cr_assert_null(value_at(trace(&a, "{\"disableStack\":true}"), "structLogs.0.stack"));
	/* tracerConfig is not the struct logger's */
	cr_assert(value_at(trace(&a, "{\"tracerConfig\":{\"disableStack\":true}}"), "structLogs.0.stack"));
	cr_assert_eq(jval_count(value_at(trace(&a, "{\"limit\":1}"), "structLogs")), 1);
	for (const char *const *t = (const char *const[]){ "0", "5s", "1m30s", "1.5h", "300ms", "10us", "2ns", "1h1m1s", NULL }; *t; t++) {
		char options[64];

		snprintf(options, sizeof(options), "{\"timeout\":\"%s\"}", *t);
		a.fake->trace_tick_ms = 0;
		cr_assert(trace(&a, options), "%s", *t);
	}
	asker_close(&a);
}

Test(rpc_trace, bad_options_are_named)
{
	struct asker a = asker_open();

	refused(&a, "[]", "want an object for trace options");
	refused(&a, "\"callTracer\"", "want an object");
	refused(&a, "{\"tracer\":1}", "want a string for tracer");
	refused(&a, "{\"tracer\":\"{step:function(){}}\"}", "tracer not found: \"{step:function(){}}\"");
	refused(&a, "{\"tracer\":\"CallTracer\"}", "tracer not found");
	refused(&a, "{\"tracer\":\"flatCallTracer\"}", "tracer not found");
	refused(&a, "{\"timeout\":5}", "want a string for timeout");
	refused(&a, "{\"timeout\":\"\"}", "time: invalid duration \"\"");
	refused(&a, "{\"timeout\":\"5\"}", "time: invalid duration \"5\"");
	refused(&a, "{\"timeout\":\"s\"}", "time: invalid duration");
	refused(&a, "{\"timeout\":\"-1s\"}", "time: invalid duration");
	refused(&a, "{\"timeout\":\"1..5s\"}", "time: invalid duration");
	refused(&a, "{\"timeout\":\"5 s\"}", "time: invalid duration");
	refused(&a, "{\"limit\":-1}", "want a number from 0 on for limit");
	refused(&a, "{\"limit\":\"5\"}", "want a number from 0 on for limit");
	refused(&a, "{\"enableMemory\":1}", "want a boolean for enableMemory");
	refused(&a, "{\"tracer\":\"callTracer\",\"tracerConfig\":[]}", "want an object for tracerConfig");
	refused(&a, "{\"tracer\":\"callTracer\",\"tracerConfig\":{\"withLog\":\"yes\"}}", "want a boolean for withLog");
	refused(&a, "{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"diffMode\":true,\"includeEmpty\":true}}",
		"cannot use diffMode with includeEmpty");
	cr_assert_null(call(&a, "debug_traceCall", "{\"to\":\"$C\"},\"pending\""));
	cr_expect_str_eq(error_message(&a), "tracing on top of pending is not supported");
	cr_assert_null(call(&a, "debug_traceCall", "{\"to\":\"$C\"},\"latest\",{\"txIndex\":\"0x1\"}"));
	cr_expect(strstr(error_message(&a), "txIndex is not supported"));
	cr_assert_null(call(&a, "debug_traceCall", "{\"to\":\"$C\"},\"latest\",{\"stateOverrides\":1}"));
	cr_expect_eq(error_code(&a), -32602);
	cr_assert_eq(a.fake->trace_count, 0);
	cr_assert(call(&a, "debug_traceCall", "{\"to\":\"$C\"},\"latest\",{\"blockOverrides\":{\"number\":\"0x5\"}}"));
	cr_assert(call(&a, "debug_traceCall", "{\"to\":\"$C\"}"));
	asker_close(&a);
}

/* The clock moves on by 100 ms whenever it is asked: each 1024 steps. */
Test(rpc_trace, time_ends_what_takes_too_long)
{
	struct asker a = asker_open();

	a.fake->trace_tick_ms = 100;
	a.fake->trace_loop_count = 1000000;
	for (const char *const *name = (const char *const[]){ "callTracer", "prestateTracer", "4byteTracer", "noopTracer", NULL }; *name; name++) {
		char options[128];

		snprintf(options, sizeof(options), "{\"tracer\":\"%s\",\"timeout\":\"1s\"}", *name);
		cr_assert_null(trace(&a, options), "%s", *name);
		cr_expect_eq(error_code(&a), -32000);
		cr_expect_str_eq(error_message(&a), "execution timeout");
	}
	/* whatever is asked for, 30 s are the most: 300 looks at the clock */
	a.fake->trace_clock_ms = 0;
	cr_assert_null(trace(&a, "{\"tracer\":\"noopTracer\",\"timeout\":\"24h\"}"));
	cr_expect_str_eq(error_message(&a), "execution timeout");
	cr_expect_leq(a.fake->trace_clock_ms, 30200);
	a.fake->trace_loop_count = 10;
	cr_assert(trace(&a, "{\"tracer\":\"noopTracer\",\"timeout\":\"1s\"}"));
	asker_close(&a);
}

/* Two million steps would be 200 MB. */
Test(rpc_trace, size_ends_what_is_too_long)
{
	struct asker a = asker_open();

	a.fake->trace_loop_count = 1000000;
	cr_assert_null(trace(&a, NULL));
	cr_expect_eq(error_code(&a), -32003);
	cr_expect(strstr(error_message(&a), "the trace is larger than 33554432 bytes"), "%s", error_message(&a));
	cr_assert(trace(&a, "{\"limit\":100000}"));
	asker_close(&a);
}

Test(rpc_trace, calls_have_their_faults_and_logs)
{
	struct asker a = asker_open();
	const struct jval *v = trace(&a, "{\"tracer\":\"callTracer\",\"tracerConfig\":{\"withLog\":true}}");

	cr_expect_str_eq(text_of(&a, value_at(v, "gas")), "\"0x1d8a8\"");
	cr_expect_str_eq(text_of(&a, value_at(v, "gasUsed")), "\"0xa028\"");
	cr_expect_str_eq(text_of(&a, value_at(v, "output")), "\"0x2a\"");
	cr_expect_str_eq(text_of(&a, value_at(v, "calls.0.error")), "\"stack underflow (0 <=> 2)\"");
	cr_expect_str_eq(text_of(&a, value_at(v, "calls.0.type")), "\"STATICCALL\"");
	cr_expect_str_eq(text_of(&a, value_at(v, "calls.0.gasUsed")), "\"0x1388\"");
	cr_assert_null(value_at(v, "calls.0.value"));
	cr_expect_str_eq(text_of(&a, value_at(v, "logs.0.data")), "\"0x64617461\"");
	cr_expect_str_eq(text_of(&a, value_at(v, "logs.0.position")), "\"0x1\"");
	cr_assert_null(value_at(trace(&a, "{\"tracer\":\"callTracer\"}"), "logs"));
	asker_close(&a);
}

/* One value for each of block 1's transactions; logs count through the block. */
Test(rpc_trace, blocks_give_a_list)
{
	struct asker a = asker_open();
	const struct jval *v = call(&a, "debug_traceBlockByNumber",
				   "\"0x1\",{\"tracer\":\"callTracer\",\"tracerConfig\":{\"withLog\":true}}");
	struct buf hash = expand(&a, "\"$T12\"");

	cr_assert_eq(jval_count(v), 5);
	cr_expect_str_eq(text_of(&a, value_at(v, "2.txHash")), (const char *)hash.data);
	cr_expect_str_eq(text_of(&a, value_at(v, "2.result.logs.0.index")), "\"0x2\"");
	buf_clear(&hash);
	v = call(&a, "debug_traceBlockByHash", "\"$B1\",{\"tracer\":\"noopTracer\"}");
	cr_assert_eq(jval_count(v), 5);
	cr_assert_eq(jval_count(value_at(v, "4.result")), 0);
	v = call(&a, "debug_traceBlockByNumber", "\"0x2\"");
	cr_assert(jval_kind(v) == JVAL_ARRAY && jval_count(v) == 0);
	asker_close(&a);
}

Test(rpc_trace, what_is_not_there_is_an_error)
{
	struct asker a = asker_open();

	cr_assert_null(call(&a, "debug_traceTransaction", "\"$Q\""));
	cr_expect_eq(error_code(&a), -32000);
	cr_expect_str_eq(error_message(&a), "transaction not found");
	cr_assert_null(call(&a, "debug_traceBlockByNumber", "\"0x0\""));
	cr_expect_str_eq(error_message(&a), "genesis is not traceable");
	cr_assert_null(call(&a, "debug_traceBlockByNumber", "\"0x9\""));
	cr_expect_eq(error_code(&a), -32000);
	cr_assert_null(call(&a, "debug_traceCall", "{\"to\":\"$C\"},\"0x9\""));
	cr_expect_eq(error_code(&a), -32000);
	a.fake->is_pruned = true;
	cr_assert_null(call(&a, "debug_traceTransaction", "\"$T10\""));
	cr_expect_eq(error_code(&a), -32000);
	cr_expect(strstr(error_message(&a), "state is kept from block 1 on"));
	a.fake->is_pruned = false;
	a.fake->is_broken = true;
	cr_assert_null(call(&a, "debug_traceTransaction", "\"$T10\""));
	cr_expect_eq(error_code(&a), -32603);
	asker_close(&a);
}

/* The fake's balances and nonces rise with every run. */
Test(rpc_trace, prestate_is_read_before_and_after)
{
	struct asker a = asker_open();
	struct buf path = expand(&a, "pre.$S.balance");
	const struct jval *v = trace(&a, "{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"diffMode\":true}}");

	cr_expect_str_eq(text_of(&a, value_at(v, (const char *)path.data)), "\"0x3e8\"");
	buf_clear(&path);
	path = expand(&a, "post.$S.balance");
	cr_expect_str_eq(text_of(&a, value_at(v, (const char *)path.data)), "\"0x3e9\"");
	buf_clear(&path);
	path = expand(&a, "post.$S.nonce");
	cr_expect_eq(jval_integer(value_at(v, (const char *)path.data)), 1);
	buf_clear(&path);
	cr_assert(value_at(v, "pre.0xcb00000000000000000000000000000000000000"), "the proposer");
	asker_close(&a);
}
