/* debug_trace methods on a whole node: small programs, whose traces are worked out by hand. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "exec/native.h"
#include "rpc/rpc.h"
#include "network.h"

/* Programs of genesis, at addresses 0x…c1 and on. */

/* MSTORE 0xaa at 0; LOG2 of that word with topics 0xcc, 0xbb */
#define LOGGER "\x60\xaa\x5f\x52\x60\xbb\x60\xcc\x60\x20\x5f\xa2\x00"
/* calls the logger, calls it statically, logs nothing, calls it by delegation */
#define CALLER                                                         \
	"\x5f\x5f\x5f\x5f\x5f\x60\xc1\x61\xff\xff\xf1\x50"             \
	"\x5f\x5f\x5f\x5f\x60\xc1\x61\xff\xff\xfa\x50" "\x5f\x5f\xa0"  \
	"\x5f\x5f\x5f\x5f\x60\xc1\x61\xff\xff\xf4\x50" "\x00"
/* reverts with Error("no") */
#define REVERTER                                                       \
	"\x63\x08\xc3\x79\xa0\x5f\x52\x60\x20\x60\x20\x52\x60\x02\x60\x40\x52" \
	"\x61\x6e\x6f\x60\xf0\x1b\x60\x60\x52\x60\x64\x60\x1c\xfd"
/* writes the first word of its input to slot 0, and reads it */
#define WRITER "\x5f\x35\x5f\x55\x5f\x54\x50\x00"
/* CREATE2 of its input, with salt 7 and its value; gives the address */
#define FACTORY "\x36\x5f\x5f\x37\x60\x07\x36\x5f\x34\xf5\x5f\x52\x60\x20\x5f\xf3"
/* calls the reverter, whose state goes, with all gas; then runs out of it in a loop */
#define LOOPER "\x5f\x5f\x5f\x5f\x5f\x60\xc3\x5a\xf1\x50\x5b\x60\x0a\x56"

static const struct {
	uint8_t address;
	const char *code;
	size_t size;
} programs[] = {
#define PROGRAM(address, code) { address, code, sizeof(code) - 1 }
	PROGRAM(0xc1, LOGGER), PROGRAM(0xc2, CALLER), PROGRAM(0xc3, REVERTER),
	PROGRAM(0xc4, WRITER), PROGRAM(0xc5, FACTORY), PROGRAM(0xc6, LOOPER),
};

struct fixture {
	struct network net;
	struct rpc_info info;
	struct rpc *rpc;
	struct buf reply;
	uint64_t nonce;
	struct hash hash;            /* of the last transaction */
};

static void setup(struct fixture *f)
{
	const struct rpc_limits limits = { 10, 4 * MIB, 1000000 };
	struct site *s = &f->net.sites[0];

	*f = (struct fixture){ 0 };
	network_prepare(&f->net, 1, 0);
	f->net.genesis.params.reward_gwei = 0;
	for (size_t i = 0; i < ARRAY_COUNT(programs); i++) {
		const struct addr address = { { [19] = programs[i].address } };

		genesis_fund(&f->net.genesis, &address, wei_of(0));
		for (size_t k = 0; k < f->net.genesis.account_count; k++) {
			struct genesis_account *a = &f->net.genesis.accounts[k];

			if (!addr_equal(&a->address, &address))
				continue;
			a->nonce = 1;
			a->code = bytes_of(memcpy(xmalloc(programs[i].size), programs[i].code,
						  programs[i].size), programs[i].size);
		}
	}
	site_open(s, true);
	f->info = (struct rpc_info){ .client_version = "weft/test", .params = &f->net.genesis.params };
	f->rpc = rpc_new(&f->info, f->net.ecc, node_reader_backend(&s->reader), limits);
}

static void teardown(struct fixture *f)
{
	rpc_free(f->rpc);
	buf_clear(&f->reply);
	network_end(&f->net);
}

/* Sends without waiting. */
static void put(struct fixture *f, const uint8_t *to, uint64_t value, struct bytes data, uint64_t gas)
{
	struct tx fields = {
		.type = TX_DYNAMIC_FEE, .has_chain_id = true, .chain_id = 31337, .nonce = f->nonce++,
		.gas_limit = gas, .max_fee = wei_of(10 * GWEI), .max_priority_fee = wei_of(GWEI),
		.value = wei_of(value), .is_create = !to, .data = data,
	};
	struct tx *t;

	if (to)
		fields.to.bytes[19] = *to;
	cr_assert_eq(tx_sign(&t, f->net.ecc, &fields, &f->net.alice, NULL), OK);
	f->hash = t->hash;
	tx_unref(t);
	submit(&f->net, 0, &f->net.alice, &fields);
}

static void mine(struct fixture *f)
{
	uint64_t before = height_of(&f->net.sites[0]);

	for (int i = 0; i < 100 && nonce_of(&f->net.sites[0]) < f->nonce; i++)
		run_for(&f->net, 100);
	cr_assert_gt(height_of(&f->net.sites[0]), before);
	cr_assert_eq(nonce_of(&f->net.sites[0]), f->nonce);
}

static void run(struct fixture *f, uint8_t to, uint64_t value, struct bytes data, uint64_t gas)
{
	put(f, &to, value, data, gas);
	mine(f);
}

#define NOTHING bytes_of(NULL, 0)

/* The text with $A for alice and $T for the last transaction's hash replaced. */
static void expand(const struct fixture *f, struct buf *out, const char *text)
{
	char hex[HEX_HASH_SIZE];

	for (; *text; text++) {
		if (*text == '$' && text[1] == 'A')
			hex_data(hex, addr_bytes(&f->net.alice_address));
		else if (*text == '$' && text[1] == 'T')
			hex_data(hex, hash_bytes(&f->hash));
		else {
			buf_append_byte(out, (uint8_t)*text);
			continue;
		}
		buf_append_bytes(out, bytes_of_str(hex));
		text++;
	}
	buf_append_byte(out, 0);
}

/* The reply to a call, from "result" or "error" on. */
static const char *ask(struct fixture *f, const char *method, const char *params)
{
	struct buf body = { 0 }, given = { 0 };
	const char *at;
	bool needs_node;
	struct rpc_request *q;

	expand(f, &given, params);
	buf_printf(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[%s]}", method,
		   (const char *)given.data);
	q = rpc_begin(f->rpc, buf_bytes(&body), &needs_node);
	cr_assert(!needs_node);
	buf_reset(&f->reply);
	rpc_finish(q, &f->reply);
	buf_append_byte(&f->reply, 0);
	buf_clear(&body);
	buf_clear(&given);
	at = strstr((const char *)f->reply.data, "\"result\":");
	return at ? at : strstr((const char *)f->reply.data, "\"error\":");
}

static void expect(struct fixture *f, const char *method, const char *params, const char *wanted)
{
	const char *reply = ask(f, method, params);
	struct buf text = { 0 };

	buf_append_bytes(&text, bytes_of_str("\"result\":"));
	expand(f, &text, wanted);
	text.size--;
	buf_append_bytes(&text, bytes_of("}", 2));
	cr_expect_str_eq(reply, (const char *)text.data);
	buf_clear(&text);
}

/* --- the struct logger --- */

/* 100000 of gas, 21000 of it due before the first step. */
Test(node_trace, struct_logger_tells_every_step)
{
	struct fixture f;

	setup(&f);
	run(&f, 0xc1, 0, NOTHING, 100000);
	expect(&f, "debug_traceTransaction", "\"$T\"",
	       "{\"structLogs\":["
	       "{\"pc\":0,\"op\":\"PUSH1\",\"gas\":79000,\"gasCost\":3,\"depth\":1,\"stack\":[]},"
	       "{\"pc\":2,\"op\":\"PUSH0\",\"gas\":78997,\"gasCost\":2,\"depth\":1,\"stack\":[\"0xaa\"]},"
	       "{\"pc\":3,\"op\":\"MSTORE\",\"gas\":78995,\"gasCost\":6,\"depth\":1,\"stack\":[\"0xaa\",\"0x0\"]},"
	       "{\"pc\":4,\"op\":\"PUSH1\",\"gas\":78989,\"gasCost\":3,\"depth\":1,\"stack\":[]},"
	       "{\"pc\":6,\"op\":\"PUSH1\",\"gas\":78986,\"gasCost\":3,\"depth\":1,\"stack\":[\"0xbb\"]},"
	       "{\"pc\":8,\"op\":\"PUSH1\",\"gas\":78983,\"gasCost\":3,\"depth\":1,\"stack\":[\"0xbb\",\"0xcc\"]},"
	       "{\"pc\":10,\"op\":\"PUSH0\",\"gas\":78980,\"gasCost\":2,\"depth\":1,\"stack\":[\"0xbb\",\"0xcc\",\"0x20\"]},"
	       "{\"pc\":11,\"op\":\"LOG2\",\"gas\":78978,\"gasCost\":1381,\"depth\":1,\"stack\":[\"0xbb\",\"0xcc\",\"0x20\",\"0x0\"]},"
	       "{\"pc\":12,\"op\":\"STOP\",\"gas\":77597,\"gasCost\":0,\"depth\":1,\"stack\":[]}"
	       "],\"gas\":22403,\"failed\":false,\"returnValue\":\"0x\"}");
	/* `limit` is passed by the first entry, which is 65 bytes */
	expect(&f, "debug_traceTransaction", "\"$T\",{\"limit\":64,\"disableStack\":true,\"enableMemory\":true}",
	       "{\"structLogs\":["
	       "{\"pc\":0,\"op\":\"PUSH1\",\"gas\":79000,\"gasCost\":3,\"depth\":1},"
	       "{\"pc\":2,\"op\":\"PUSH0\",\"gas\":78997,\"gasCost\":2,\"depth\":1}"
	       "],\"gas\":22403,\"failed\":false,\"returnValue\":\"0x\"}");
	teardown(&f);
}

/* The second transaction of the block finds 5 in the slot and clears it: 2900, and 2100
 * since it is cold; 4800 come back of 21128 + 5000 + 111, being less than a fifth of it. */
Test(node_trace, struct_logger_tells_storage_and_refund_of_a_later_transaction)
{
	uint8_t five[32] = { [31] = 5 }, zero[32] = { 0 }, to = 0xc4;
	struct fixture f;

	setup(&f);
	put(&f, &to, 0, bytes_of(five, 32), 100000);
	put(&f, &to, 0, bytes_of(zero, 32), 100000);
	mine(&f);
	/* due before the first step: 21000 + 32·4 */
	expect(&f, "debug_traceTransaction", "\"$T\",{\"disableStack\":true}",
	       "{\"structLogs\":["
	       "{\"pc\":0,\"op\":\"PUSH0\",\"gas\":78872,\"gasCost\":2,\"depth\":1},"
	       "{\"pc\":1,\"op\":\"CALLDATALOAD\",\"gas\":78870,\"gasCost\":3,\"depth\":1},"
	       "{\"pc\":2,\"op\":\"PUSH0\",\"gas\":78867,\"gasCost\":2,\"depth\":1},"
	       "{\"pc\":3,\"op\":\"SSTORE\",\"gas\":78865,\"gasCost\":5000,\"depth\":1,\"storage\":{"
	       "\"0x0000000000000000000000000000000000000000000000000000000000000000\":"
	       "\"0x0000000000000000000000000000000000000000000000000000000000000000\"}},"
	       "{\"pc\":4,\"op\":\"PUSH0\",\"gas\":73865,\"gasCost\":2,\"depth\":1,\"refund\":4800},"
	       "{\"pc\":5,\"op\":\"SLOAD\",\"gas\":73863,\"gasCost\":100,\"depth\":1,\"storage\":{"
	       "\"0x0000000000000000000000000000000000000000000000000000000000000000\":"
	       "\"0x0000000000000000000000000000000000000000000000000000000000000000\"},\"refund\":4800},"
	       "{\"pc\":6,\"op\":\"POP\",\"gas\":73763,\"gasCost\":2,\"depth\":1,\"refund\":4800},"
	       "{\"pc\":7,\"op\":\"STOP\",\"gas\":73761,\"gasCost\":0,\"depth\":1,\"refund\":4800}"
	       "],\"gas\":21439,\"failed\":false,\"returnValue\":\"0x\"}");
	teardown(&f);
}

/* 12 of gas are there for steps. */
Test(node_trace, struct_logger_names_what_went_wrong)
{
	struct fixture f;

	setup(&f);
	run(&f, 0xc1, 0, NOTHING, 21000 + 12);
	expect(&f, "debug_traceTransaction", "\"$T\",{\"disableStack\":true,\"enableMemory\":true}",
	       "{\"structLogs\":["
	       "{\"pc\":0,\"op\":\"PUSH1\",\"gas\":12,\"gasCost\":3,\"depth\":1},"
	       "{\"pc\":2,\"op\":\"PUSH0\",\"gas\":9,\"gasCost\":2,\"depth\":1},"
	       "{\"pc\":3,\"op\":\"MSTORE\",\"gas\":7,\"gasCost\":6,\"depth\":1},"
	       "{\"pc\":4,\"op\":\"PUSH1\",\"gas\":1,\"gasCost\":3,\"depth\":1,\"error\":\"out of gas\",\"memory\":["
	       "\"0x00000000000000000000000000000000000000000000000000000000000000aa\"]}"
	       "],\"gas\":21012,\"failed\":true,\"returnValue\":\"0x\"}");
	teardown(&f);
}

/* PUSH1 1, without a STOP: the end of the code is one. */
Test(node_trace, struct_logger_tells_the_end_of_the_code)
{
	struct fixture f;

	setup(&f);
	put(&f, NULL, 0, bytes_of("\x60\x01", 2), 100000);
	mine(&f);
	/* 21000 + 32000 + 2·16 + 2 */
	expect(&f, "debug_traceTransaction", "\"$T\"",
	       "{\"structLogs\":["
	       "{\"pc\":0,\"op\":\"PUSH1\",\"gas\":46966,\"gasCost\":3,\"depth\":1,\"stack\":[]},"
	       "{\"pc\":2,\"op\":\"STOP\",\"gas\":46963,\"gasCost\":0,\"depth\":1,\"stack\":[\"0x1\"]}"
	       "],\"gas\":53037,\"failed\":false,\"returnValue\":\"0x\"}");
	teardown(&f);
}

/* --- callTracer --- */

#define LOG_OF(address, index, position)                                                          \
	"{\"address\":\"0x00000000000000000000000000000000000000" address "\",\"topics\":["       \
	"\"0x00000000000000000000000000000000000000000000000000000000000000cc\","                 \
	"\"0x00000000000000000000000000000000000000000000000000000000000000bb\"],"                \
	"\"data\":\"0x00000000000000000000000000000000000000000000000000000000000000aa\","        \
	"\"index\":\"" index "\",\"position\":\"" position "\"}"

/* The logger's 1403; the static call loses its 65535. 21000 + 4021 + 65651 + 379 + 1519. */
Test(node_trace, call_tracer_has_the_tree_with_its_logs)
{
	const char *tree =
		"{\"from\":\"$A\",\"gas\":\"0x493e0\",\"gasUsed\":\"0x1699a\","
		"\"to\":\"0x00000000000000000000000000000000000000c2\",\"input\":\"0x\",\"calls\":["
		"{\"from\":\"0x00000000000000000000000000000000000000c2\",\"gas\":\"0xffff\",\"gasUsed\":\"0x57b\","
		"\"to\":\"0x00000000000000000000000000000000000000c1\",\"input\":\"0x\",\"logs\":["
		LOG_OF("c1", "0x0", "0x0") "],\"value\":\"0x0\",\"type\":\"CALL\"},"
		"{\"from\":\"0x00000000000000000000000000000000000000c2\",\"gas\":\"0xffff\",\"gasUsed\":\"0xffff\","
		"\"to\":\"0x00000000000000000000000000000000000000c1\",\"input\":\"0x\","
		"\"error\":\"write protection\",\"type\":\"STATICCALL\"},"
		"{\"from\":\"0x00000000000000000000000000000000000000c2\",\"gas\":\"0xffff\",\"gasUsed\":\"0x57b\","
		"\"to\":\"0x00000000000000000000000000000000000000c1\",\"input\":\"0x\",\"logs\":["
		LOG_OF("c2", "0x2", "0x0") "],\"value\":\"0x9\",\"type\":\"DELEGATECALL\"}],"
		"\"logs\":[{\"address\":\"0x00000000000000000000000000000000000000c2\",\"topics\":[],"
		"\"data\":\"0x\",\"index\":\"0x1\",\"position\":\"0x2\"}],"
		"\"value\":\"0x9\",\"type\":\"CALL\"}";
	struct buf list = { 0 };
	struct fixture f;

	setup(&f);
	run(&f, 0xc2, 9, NOTHING, 300000);
	expect(&f, "debug_traceTransaction",
	       "\"$T\",{\"tracer\":\"callTracer\",\"timeout\":\"120s\",\"reexec\":5,\"tracerConfig\":{\"withLog\":true}}",
	       tree);
	buf_printf(&list, "[{\"txHash\":\"$T\",\"result\":%s}]", tree);
	buf_append_byte(&list, 0);
	expect(&f, "debug_traceBlockByNumber",
	       "\"0x1\",{\"tracer\":\"callTracer\",\"tracerConfig\":{\"withLog\":true}}", (const char *)list.data);
	buf_clear(&list);
	expect(&f, "debug_traceTransaction",
	       "\"$T\",{\"tracer\":\"callTracer\",\"tracerConfig\":{\"onlyTopCall\":true,\"withLog\":true}}",
	       "{\"from\":\"$A\",\"gas\":\"0x493e0\",\"gasUsed\":\"0x1699a\","
	       "\"to\":\"0x00000000000000000000000000000000000000c2\",\"input\":\"0x\","
	       "\"logs\":[{\"address\":\"0x00000000000000000000000000000000000000c2\",\"topics\":[],"
	       "\"data\":\"0x\",\"index\":\"0x1\",\"position\":\"0x0\"}],\"value\":\"0x9\",\"type\":\"CALL\"}");
	teardown(&f);
}

#define ERROR_NO                                                                         \
	"0x08c379a00000000000000000000000000000000000000000000000000000000000000020"     \
	"0000000000000000000000000000000000000000000000000000000000000002"               \
	"6e6f000000000000000000000000000000000000000000000000000000000000"

/* The reverter's: 12 pushes of 3 and PUSH0's 2, SHL 3, MSTORE four times 3, and 4 words' 12;
 * less one PUSH, which is PUSH0: 59 with the 21000 is 0x5243. */
Test(node_trace, call_tracer_reads_reverts)
{
	struct fixture f;

	setup(&f);
	run(&f, 0xc3, 0, NOTHING, 50000);
	expect(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"callTracer\"}",
	       "{\"from\":\"$A\",\"gas\":\"0xc350\",\"gasUsed\":\"0x5243\","
	       "\"to\":\"0x00000000000000000000000000000000000000c3\",\"input\":\"0x\",\"output\":\"" ERROR_NO "\","
	       "\"error\":\"execution reverted\",\"revertReason\":\"no\",\"value\":\"0x0\",\"type\":\"CALL\"}");
	/* what is called within reverts, what is around it ends without gas */
	run(&f, 0xc6, 0, NOTHING, 30000);
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"callTracer\"}"),
			 "\"error\":\"out of gas\",\"calls\":[{"));
	cr_expect(strstr((const char *)f.reply.data,
			 "\"error\":\"execution reverted\",\"revertReason\":\"no\",\"value\":\"0x0\",\"type\":\"CALL\"}],"
			 "\"value\":\"0x0\",\"type\":\"CALL\"}}"));
	teardown(&f);
}

/* A contract that gives its 3 wei to 0x…bb and is gone; a creation; a plain transfer; a
 * precompile; a native contract. */
Test(node_trace, call_tracer_has_what_is_no_ordinary_call)
{
	struct fixture f;

	setup(&f);
	run(&f, 0xc5, 3, bytes_of("\x60\xbb\xff", 3), 300000);
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"callTracer\"}"),
			 "\"input\":\"0x60bbff\",\"calls\":[{\"from\":\"0x"));
	cr_expect(strstr((const char *)f.reply.data,
			 "\"gas\":\"0x0\",\"gasUsed\":\"0x0\",\"to\":\"0x00000000000000000000000000000000000000bb\","
			 "\"input\":\"0x\",\"value\":\"0x3\",\"type\":\"SELFDESTRUCT\"}],"
			 "\"value\":\"0x3\",\"type\":\"CREATE2\"}],\"value\":\"0x3\",\"type\":\"CALL\"}"));

	put(&f, NULL, 0, bytes_of("\x5f\x5f\xf3", 3), 100000); /* deploys nothing */
	mine(&f);
	/* 21000 + 32000 + 3·16 + 2 + 4 */
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"callTracer\"}"),
			 "\"gas\":\"0x186a0\",\"gasUsed\":\"0xcf3e\",\"to\":\"0x"));
	cr_expect(strstr((const char *)f.reply.data, "\"input\":\"0x5f5ff3\",\"value\":\"0x0\",\"type\":\"CREATE\"}"));

	put(&f, NULL, 0, bytes_of("\xfe", 1), 100000);
	mine(&f);
	expect(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"callTracer\"}",
	       "{\"from\":\"$A\",\"gas\":\"0x186a0\",\"gasUsed\":\"0x186a0\",\"input\":\"0xfe\","
	       "\"error\":\"invalid opcode: INVALID\",\"value\":\"0x0\",\"type\":\"CREATE\"}");

	run(&f, 0xee, 5, NOTHING, 21000);
	expect(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"callTracer\"}",
	       "{\"from\":\"$A\",\"gas\":\"0x5208\",\"gasUsed\":\"0x5208\","
	       "\"to\":\"0x00000000000000000000000000000000000000ee\",\"input\":\"0x\",\"value\":\"0x5\",\"type\":\"CALL\"}");
	expect(&f, "debug_traceTransaction", "\"$T\"",
	       "{\"structLogs\":[],\"gas\":21000,\"failed\":false,\"returnValue\":\"0x\"}");

	/* identity: 15 and 3 a word, below the floor of EIP-7623: 21000 + 10·4 */
	run(&f, 0x04, 0, bytes_of("\x2a", 1), 30000);
	expect(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"callTracer\"}",
	       "{\"from\":\"$A\",\"gas\":\"0x7530\",\"gasUsed\":\"0x5230\","
	       "\"to\":\"0x0000000000000000000000000000000000000004\",\"input\":\"0x2a\",\"output\":\"0x2a\","
	       "\"value\":\"0x0\",\"type\":\"CALL\"}");
	teardown(&f);
}

Test(node_trace, native_contracts_and_their_reverts_show)
{
	struct fixture f;
	struct tx fields = {
		.type = TX_DYNAMIC_FEE, .has_chain_id = true, .chain_id = 31337, .gas_limit = 100000,
		.max_fee = wei_of(10 * GWEI), .max_priority_fee = wei_of(GWEI), .to = native_validators_address,
		.data = bytes_of("\xde\xad\xbe\xef", 4),
	};
	struct tx *t;

	setup(&f);
	cr_assert_eq(tx_sign(&t, f.net.ecc, &fields, &f.net.alice, NULL), OK);
	f.hash = t->hash;
	f.nonce = 1;
	tx_unref(t);
	submit(&f.net, 0, &f.net.alice, &fields);
	mine(&f);
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"callTracer\"}"),
			 "\"to\":\"0x0000000000000000000000000000000000574501\",\"input\":\"0xdeadbeef\",\"output\":\"0x08c379a0"));
	cr_expect(strstr((const char *)f.reply.data, "\"error\":\"execution reverted\",\"revertReason\":\""));
	expect(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"4byteTracer\"}", "{\"0xdeadbeef-0\":1}");
	expect(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"noopTracer\"}", "{}");
	teardown(&f);
}

/* --- prestateTracer --- */

#define SLOT_0 "\"0x0000000000000000000000000000000000000000000000000000000000000000\""
#define WORD_5 "\"0x0000000000000000000000000000000000000000000000000000000000000005\""

Test(node_trace, prestate_tracer_has_what_was_before)
{
	uint8_t five[32] = { [31] = 5 }, zero[32] = { 0 }, to = 0xc4;
	struct fixture f;

	setup(&f);
	put(&f, &to, 0, bytes_of(five, 32), 100000);
	put(&f, &to, 1, bytes_of(zero, 32), 100000);
	mine(&f);
	/* the first has made the slot 5; the second pays a wei and clears it */
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\",{\"tracer\":\"prestateTracer\"}"),
			 "\"0x00000000000000000000000000000000000000c4\":{\"balance\":\"0x0\",\"code\":\"0x5f355f555f545000\","
			 "\"codeHash\":\"0x"));
	cr_expect(strstr((const char *)f.reply.data, "\"nonce\":1,\"storage\":{" SLOT_0 ":" WORD_5 "}}"));
	cr_expect(strstr(ask(&f, "debug_traceTransaction",
			     "\"$T\",{\"tracer\":\"prestateTracer\",\"tracerConfig\":"
			     "{\"diffMode\":true,\"disableCode\":true}}"),
			 "\"result\":{\"post\":{\"0x00000000000000000000000000000000000000c4\":{\"balance\":\"0x1\"},"));
	cr_expect(strstr((const char *)f.reply.data,
			 "\"pre\":{\"0x00000000000000000000000000000000000000c4\":{\"balance\":\"0x0\",\"codeHash\":\"0x"));
	cr_expect(strstr((const char *)f.reply.data, "\"nonce\":1,\"storage\":{" SLOT_0 ":" WORD_5 "}}"));
	cr_expect(strstr((const char *)f.reply.data, "\"nonce\":2"), "alice's, after");
	cr_expect(!strstr((const char *)f.reply.data, "\"code\":"));
	cr_expect(!strstr(ask(&f, "debug_traceTransaction",
			      "\"$T\",{\"tracer\":\"prestateTracer\",\"tracerConfig\":"
			      "{\"diffMode\":true,\"disableStorage\":true}}"), "storage"));
	teardown(&f);
}

/* What CREATE2 makes is not there before; its code and nonce are what came. */
Test(node_trace, prestate_tracer_has_what_was_made)
{
	struct fixture f;

	setup(&f);
	/* PUSH1 1 PUSH1 12 PUSH1 0 CODECOPY PUSH1 1 PUSH1 0 RETURN: its 13th byte, STOP */
	run(&f, 0xc5, 3, bytes_of("\x60\x01\x60\x0c\x60\x00\x39\x60\x01\x60\x00\xf3\x00", 13), 300000);
	cr_expect(strstr(ask(&f, "debug_traceTransaction",
			     "\"$T\",{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"diffMode\":true}}"),
			 "{\"balance\":\"0x3\",\"code\":\"0x00\",\"codeHash\":\"0x"));
	cr_expect(strstr((const char *)f.reply.data, "\"nonce\":1}"));
	cr_expect(!strstr(strstr((const char *)f.reply.data, "\"pre\""), "\"code\":\"0x00\""));
	/* made and gone: only who got the wei is left */
	run(&f, 0xc5, 3, bytes_of("\x60\xbb\xff", 3), 300000);
	cr_expect(strstr(ask(&f, "debug_traceTransaction",
			     "\"$T\",{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"diffMode\":true}}"),
			 "\"post\":{\"0x00000000000000000000000000000000000000bb\":{\"balance\":\"0x3\"},"
			 "\"0x00000000000000000000000000000000000000c5\":{\"nonce\":3},"));
	teardown(&f);
}

/* --- calls, blocks, and what is refused --- */

Test(node_trace, calls_are_traced_on_the_state_after_a_block)
{
	struct fixture f;

	setup(&f);
	run(&f, 0xc4, 0, NOTHING, 100000);
	expect(&f, "debug_traceCall",
	       "{\"from\":\"$A\",\"to\":\"0x00000000000000000000000000000000000000c1\",\"gas\":\"0x186a0\"},\"latest\","
	       "{\"tracer\":\"callTracer\",\"tracerConfig\":{\"withLog\":true}}",
	       "{\"from\":\"$A\",\"gas\":\"0x186a0\",\"gasUsed\":\"0x5783\","
	       "\"to\":\"0x00000000000000000000000000000000000000c1\",\"input\":\"0x\",\"logs\":["
	       LOG_OF("c1", "0x0", "0x0") "],\"value\":\"0x0\",\"type\":\"CALL\"}");
	cr_expect(strstr(ask(&f, "debug_traceCall",
			     "{\"from\":\"$A\",\"to\":\"0x00000000000000000000000000000000000000c4\","
			     "\"data\":\"0x0000000000000000000000000000000000000000000000000000000000000005\"},\"0x0\","
			     "{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"diffMode\":true}}"),
			 "\"0x00000000000000000000000000000000000000c4\":{\"storage\":{" SLOT_0 ":" WORD_5 "}}"));
	/* code and slot that are pretended, read while they are */
	cr_expect(strstr(ask(&f, "debug_traceCall",
			     "{\"from\":\"$A\",\"to\":\"0x00000000000000000000000000000000000000dd\"},\"latest\","
			     "{\"tracer\":\"prestateTracer\",\"stateOverrides\":{\"0x00000000000000000000000000000000000000dd\":"
			     "{\"code\":\"0x5f5400\",\"stateDiff\":{" SLOT_0 ":" WORD_5 "}}}}"),
			 "\"0x00000000000000000000000000000000000000dd\":{\"balance\":\"0x0\",\"code\":\"0x5f5400\",\"codeHash\":\"0x"));
	cr_expect(strstr((const char *)f.reply.data, "\"storage\":{" SLOT_0 ":" WORD_5 "}}"));
	/* with other code there: NUMBER, which is another, and POP */
	expect(&f, "debug_traceCall",
	       "{\"from\":\"$A\",\"to\":\"0x00000000000000000000000000000000000000c4\",\"gas\":\"0x186a0\"},\"latest\","
	       "{\"stateOverrides\":{\"0x00000000000000000000000000000000000000c4\":{\"code\":\"0x4350\"}},"
	       "\"blockOverrides\":{\"number\":\"0x77\"}}",
	       "{\"structLogs\":["
	       "{\"pc\":0,\"op\":\"NUMBER\",\"gas\":79000,\"gasCost\":2,\"depth\":1,\"stack\":[]},"
	       "{\"pc\":1,\"op\":\"POP\",\"gas\":78998,\"gasCost\":2,\"depth\":1,\"stack\":[\"0x77\"]},"
	       "{\"pc\":2,\"op\":\"STOP\",\"gas\":78996,\"gasCost\":0,\"depth\":1,\"stack\":[]}"
	       "],\"gas\":21004,\"failed\":false,\"returnValue\":\"0x\"}");
	/* a creation: 21000 + 32000 + 3·16, and 2 for the word of init code */
	cr_expect(strstr(ask(&f, "debug_traceCall", "{\"from\":\"$A\",\"data\":\"0x5f5ff3\",\"gas\":\"0x186a0\"}"),
			 "{\"structLogs\":[{\"pc\":0,\"op\":\"PUSH0\",\"gas\":46950,\"gasCost\":2,"));
	teardown(&f);
}

Test(node_trace, what_can_not_be_traced_says_so)
{
	struct fixture f;

	setup(&f);
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\""), "\"code\":-32000,\"message\":\"transaction not found\""));
	cr_expect(strstr(ask(&f, "debug_traceBlockByNumber", "\"0x0\""), "\"message\":\"genesis is not traceable\""));
	cr_expect(strstr(ask(&f, "debug_traceBlockByNumber", "\"0x99\""), "\"code\":-32000,\"message\":\"header not found"));
	run(&f, 0xc1, 0, NOTHING, 100000);
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\""), "\"result\":{\"structLogs\":[{"));
	run_for(&f.net, 300000);
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\""), "\"code\":-32000,\"message\":\"the state of block 0 is no longer kept"));
	teardown(&f);
}

/* Ten seconds later whenever somebody looks. */
static uint64_t hurrying_ms(void *ctx)
{
	return ((struct site *)ctx)->net->now_ms += 10000;
}

Test(node_trace, what_runs_unwatched_takes_of_the_same_time)
{
	struct fixture f;
	uint8_t nobody = 0xee, five[32] = { [31] = 5 }, to = 0xc4;

	setup(&f);
	put(&f, &nobody, 1, NOTHING, 21000); /* a block of its own; the others share the next */
	put(&f, &nobody, 1, NOTHING, 21000);
	put(&f, &to, 0, bytes_of(five, 32), 100000);
	mine(&f);
	cr_assert_eq(height_of(&f.net.sites[0]), 2);
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\""), "\"result\":{\"structLogs\":[{"));
	f.net.sites[0].reader.steady_ms = hurrying_ms;
	cr_expect(strstr(ask(&f, "debug_traceTransaction", "\"$T\""), "\"code\":-32000,\"message\":\"execution timeout\""));
	teardown(&f);
}
