/*
 * Any body gets nothing or a JSON-RPC reply, and never "the medium failed". An
 * input that begins with a byte below 32 is not a body but a recipe of one:
 * methods of the table with words that parameters are made of, well formed.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "rpc/fake.h"
#include "rpc/methods.h"

/* Requests as clients send them, what is none, and recipes. */
const char *const fuzz_seeds[] = {
	"7b226a736f6e727063223a22322e30222c226964223a312c226d6574686f64223a226574685f676574426c6f"
	"636b42794e756d626572222c22706172616d73223a5b226c6174657374222c747275655d7d",
	"5b7b226a736f6e727063223a22322e30222c226964223a2261222c226d6574686f64223a226574685f636861"
	"696e4964227d2c7b226a736f6e727063223a22322e30222c226d6574686f64223a226e65745f70656572436f"
	"756e74227d5d",
	"7b226a736f6e727063223a22322e30222c226964223a312c226d6574686f64223a226574685f63616c6c222c"
	"22706172616d73223a5b7b22746f223a22307863306330633063306330633063306330633063306330633063"
	"306330633063306330633063306330222c2264617461223a22307866663031222c226163636573734c697374"
	"223a5b7b2261646472657373223a223078633063306330633063306330633063306330633063306330633063"
	"30633063306330633063306330222c2273746f726167654b657973223a5b5d7d5d7d2c7b22626c6f636b4e75"
	"6d626572223a22307831227d5d7d",
	"7b226a736f6e727063223a22322e30222c226964223a393030373139393235343734303939332c226d657468"
	"6f64223a226574685f666565486973746f7279222c22706172616d73223a5b22307834222c226c6174657374"
	"222c5b312c35302e352c3130305d5d7d",
	"7b226a736f6e727063223a22322e30222c226964223a6e756c6c2c226d6574686f64223a226574685f676574"
	"50726f6f66222c22706172616d73223a5b223078633063306330633063306330633063306330633063306330"
	"63306330633063306330633063306330222c5b22307831225d2c226c6174657374225d7d",
	"5b5d",
	"5b5b5d5d",
	"7b7d",
	"31",
	"007942bdf22106f0847762f0f3cb4d764dc7072051159a0f89f2c6dacae344bb311245fd6f84df9ad7c5b3d0"
	"76ac0e8f53a7356c88913f20f6f72db022",
	"01d24d0a96dad43c1617c1a98e78129e0327371065d095864f15ada0b846c1c0ebc5348adc799adf849bad05"
	"d4a10ac0441eaaeeb4b48efa0b1f0abd80",
	"02e998a35aba5ea0bd8799c1350d439e71897aa75fde3134a4aa72e05628ac6fe68a733d1161a15d8eae2bb0"
	"42d7958aedb1d594d6d112d34f6602f4de",
	"037110e993ae7422923d7d171165dc1906f63d57997a0ad31b3aae4081f41fb471653e3d577a8c4103f9cc19"
	"8a7f89d81af2a5001c40173f1923f7102c",
	"04faa150a124b3c5c79bb88761a8db3f4101c2285b15bfebc216dc1bbefea1d7d6eb097d6f8a24d972da420e"
	"a6bf863eed3fc037a33402f24978c7162f",
	"0532c05b0cae3e0d3af691992d127a36331fa65c277b5c7fe8c981bccbb3d62ac078d352d4f74fcd4c5331fe"
	"f7e25f4588654ba17697d3886f9d0b89f5",
	NULL,
};

/* --- recipes: a byte for a method, then bytes for words until one says stop --- */

static const char *const words[] = {
	"null", "true", "false", "0", "1", "-1", "2.5", "9223372036854775807", "[]", "{}", "\"\"",
	"\"0x\"", "\"0x0\"", "\"0x1\"", "\"0x3\"", "\"0x01\"", "\"0xffffffffffffffff\"",
	"\"latest\"", "\"pending\"", "\"earliest\"",
	"\"0xc0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0\"",
	"\"0x00000000000000000000000000000000000000000000000000000000000000ff\"", "[0,50,100]",
	"[\"0x1\",\"0x2\"]", "{\"blockNumber\":\"0x1\"}",
	"{\"to\":\"0xc0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0\",\"data\":\"0xff08c379a0\"}",
	("{\"from\":\"0xc0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0\","
	 "\"value\":\"0x1\",\"gas\":\"0x5208\"}"),
	"{\"input\":\"0xfe\",\"maxFeePerGas\":\"0x1\",\"accessList\":[{\"address\":\"0x\"}]}",
};

/* A word: one of those above, a transaction or block hash, or bytes as DATA. */
static void put_word(struct buf *out, const struct fake *f, uint8_t choice, struct bytes rest)
{
	const struct block *b = &f->blocks[choice % FAKE_BLOCK_COUNT].block;
	struct bytes data = rest;

	if (choice < 160) {
		buf_append_bytes(out, bytes_of_str(words[choice % ARRAY_COUNT(words)]));
		return;
	}
	if (choice < 190)
		data = hash_bytes(&b->hash);
	else if (choice < 220 && b->tx_count)
		data = hash_bytes(&b->txs[choice % b->tx_count]->hash);
	else if (choice < 235 && b->tx_count)
		data = b->txs[choice % b->tx_count]->raw;
	buf_append(out, "\"0x", 3);
	hex_encode((char *)buf_extend(out, 2 * data.size), data);
	buf_append_byte(out, '"');
}

#define STOP 240

static struct buf cook(const struct fake *f, struct bytes recipe)
{
	size_t count, at = 1;
	const struct rpc_method *methods = rpc_methods(&count);
	struct buf out = { 0 };

	buf_append_byte(&out, '[');
	while (at < recipe.size) {
		buf_printf(&out, "%s{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"%s\",\"params\":[",
			   at > 1 ? "," : "", at, methods[recipe.data[at] % count].name);
		at++;
		for (bool is_first = true; at < recipe.size && recipe.data[at] < STOP; at++) {
			size_t left = MIN(recipe.size - at - 1, 64);
			struct bytes rest = bytes_of(recipe.data + at + 1, left);

			if (!is_first)
				buf_append_byte(&out, ',');
			put_word(&out, f, recipe.data[at], rest);
			is_first = false;
		}
		at++;
		buf_append_bytes(&out, bytes_of_str("]}"));
	}
	buf_append_byte(&out, ']');
	return out;
}

/* --- what a reply must be --- */

static void check_reply(const struct jval *v)
{
	const struct jval *error = jval_get(v, "error");
	int64_t code = jval_integer(jval_get(error, "code"));

	CHECK(bytes_equal(jval_string(jval_get(v, "jsonrpc")), bytes_of_str("2.0")));
	CHECK(jval_get(v, "id"));
	CHECK(!error != !jval_get(v, "result"));
	if (!error)
		return;
	CHECK(code == 3 || code == -32700 || (code <= -32600 && code >= -32602) || code == -32000 ||
	      code == -32003 || code == -32005);
	CHECK(jval_kind(jval_get(error, "message")) == JVAL_STRING);
}

static void check_replies(struct bytes reply)
{
	struct jval *v;
	struct err err = { 0 };

	if (!reply.size)
		return;
	CHECK(jval_parse(&v, reply, &err) == OK);
	if (jval_kind(v) == JVAL_OBJECT)
		check_reply(v);
	for (size_t k = 0; jval_kind(v) == JVAL_ARRAY && k < jval_count(v); k++)
		check_reply(jval_at(v, k));
	jval_free(v);
}

/* Made once, since making it signs a chain; an input leaves nothing behind in it. */
static struct fake *shared_fake(void)
{
	static struct fake *fake;

	if (!fake)
		fake = fake_new();
	return fake;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake *f = shared_fake();
	struct rpc_limits limits = { 16, 8192, 2000, 0, 0 };
	struct rpc *r = rpc_new(&f->info, f->ecc, fake_reader(f), limits);
	struct buf body = { 0 }, reply = { 0 };

	if (size && data[0] < 32)
		body = cook(f, bytes_of(data, size));
	else
		buf_append(&body, data, size);
	fake_ask(f, r, buf_bytes(&body), &reply);
	check_replies(buf_bytes(&reply));
	while (f->pool_count)
		tx_unref(f->pool[--f->pool_count]);
	buf_clear(&body);
	buf_clear(&reply);
	rpc_free(r);
	return 0;
}
