#include <criterion/criterion.h>
#include <stdio.h>

#include "abi/abi.h"
#include "base/rand.h"
#include "codec/hex.h"

static struct abi_pool pool;

static void clear(void)
{
	abi_pool_clear(&pool);
}

TestSuite(text, .fini = clear);
TestSuite(revert, .fini = clear);

static struct abi_item item_of(const char *signature)
{
	struct abi_item item;
	struct err err = { 0 };

	cr_assert_eq(abi_parse_signature(&item, &pool, signature, &err), OK, "%s", err.message);
	return item;
}

/* What a word of a type is shown as. */
static void expect(const char *type, const char *word, const char *shown)
{
	struct abi_item item = item_of(type);
	struct buf out = { 0 };
	struct err err = { 0 };
	struct abi_value v;

	cr_assert_eq(abi_parse_value(&v, &pool, &item.inputs.parts[0], word, &err), OK, "%s: %s", word, err.message);
	abi_format(&out, &item.inputs.parts[0], &v);
	buf_append_byte(&out, '\0');
	cr_expect_str_eq((char *)out.data, shown, "%s %s", type, word);
	buf_clear(&out);
}

#define MAX_256 "115792089237316195423570985008687907853269984665640564039457584007913129639935"
#define MAX_255 "57896044618658097711785492504343953926634992332820282019728792003956564819967"
#define MIN_255 "-57896044618658097711785492504343953926634992332820282019728792003956564819968"

Test(text, reads_numbers)
{
	expect("(uint256)", "0", "0");
	expect("(uint256)", "007", "7");
	expect("(uint256)", MAX_256, MAX_256);
	expect("(uint256)", "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", MAX_256);
	expect("(uint256)", "0x0a", "10");
	expect("(uint256)", "1e18", "1000000000000000000");
	expect("(uint256)", "1.5e18", "1500000000000000000");
	expect("(uint256)", "1.50E2", "150");
	expect("(uint256)", "0.001e3", "1");
	expect("(uint256)", "-0", "0");
	expect("(uint8)", "255", "255");
	expect("(int8)", "127", "127");
	expect("(int8)", "-128", "-128");
	expect("(int256)", MAX_255, MAX_255);
	expect("(int256)", MIN_255, MIN_255);
	expect("(int24)", "-0x01", "-1");
}

Test(text, reads_and_shows_values)
{
	expect("(bool)", "true", "true");
	expect("(bool)", "0", "false");
	expect("(address)", "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
	expect("(bytes)", "0x", "0x");
	expect("(bytes)", "0xABcd", "0xabcd");
	expect("(bytes3)", "0x616263", "0x616263");
	expect("(string)", "", "\"\"");
	expect("(string)", "as it \"stands\"\\n", "\"as it \\\"stands\\\"\\\\n\"");
	expect("(uint8[])", " [ 1 , 2 ] ", "[1, 2]");
	expect("(uint8[])", "[]", "[]");
	expect("((uint8,string)[1])", "[[1,\"a\"]]", "[(1, \"a\")]");
	expect("(string[])", "[a b , \" c\", \"\",é]", "[\"a b\", \" c\", \"\", \"é\"]");
	expect("(string[])", "[\"\\\\ \\\" \\n\\r\\t\\x41\\u0042\\u{43}\"]", "[\"\\\\ \\\" \\n\\r\\tABC\"]");
	expect("((bool,(address,bytes)))", "(true,(0x0000000000000000000000000000000000000000,0x01))",
	       "(true, (0x0000000000000000000000000000000000000000, 0x01))");
}

/* Nothing that steers a terminal, turns what follows, or cannot be seen. */
Test(text, escapes_what_strangers_write)
{
	static const struct { const char *text, *shown; } cases[] = {
		{ "\x1b[2J", "\\u{1b}[2J" }, { "\a\b\x7f", "\\u{7}\\u{8}\\u{7f}" }, { "a\r\n\tb", "a\\r\\n\\tb" },
		{ "\xc2\x9b" "31m", "\\u{9b}31m" }, { "\xe2\x80\xae" "gpj.exe", "\\u{202e}gpj.exe" },
		{ "\xe2\x81\xa6", "\\u{2066}" }, { "\xe2\x80\xa8", "\\u{2028}" }, { "\xef\xbb\xbf", "\\u{feff}" },
		{ "\xf3\xa0\x81\x81", "\\u{e0041}" }, { "\xff\xfe", "\\xff\\xfe" }, { "\xc0\x80", "\\xc0\\x80" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, { "\xe2\x82", "\\xe2\\x82" },
		{ "\xf0\x9f\x98\x80 ü €", "\xf0\x9f\x98\x80 ü €" }, { "\\", "\\\\" }, { "'", "'" },
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		buf_reset(&out);
		abi_put_text(&out, bytes_of_str(cases[i].text), 0);
		buf_append_byte(&out, '\0');
		cr_expect_str_eq((char *)out.data, cases[i].shown);
	}
	buf_reset(&out);
	abi_put_text(&out, bytes_of("a\0b", 3), '"');
	buf_append_byte(&out, '\0');
	cr_expect_str_eq((char *)out.data, "\"a\\u{0}b\"");
	buf_reset(&out);
	abi_put_message(&out, bytes_of_str("\"\\u{1b}\" \x1b"));
	buf_append_byte(&out, '\0');
	cr_expect_str_eq((char *)out.data, "\"\\u{1b}\" \\u{1b}");
	buf_clear(&out);
}

Test(text, is_json)
{
	static const char text[] = "\x1b\xc2\x9b\xff\"\\\0\xf3\xa0\x81\x81é";
	struct abi_item item = item_of("(string a, uint256, bool b, (int8,bytes)[] c)");
	struct buf out = { 0 };
	struct abi_value v;
	struct jval *back;
	struct jout j;

	cr_assert_eq(abi_parse_arguments(&v, &pool, &item.inputs, (const char *[]){ "", "5", "1", "[(-1,0x02)]" }, 4, NULL), OK);
	v.list.items[0].bytes = bytes_of(text, sizeof(text) - 1);
	jout_init(&j, &out);
	abi_write_members(&j, &item.inputs, &v);
	cr_expect_eq(jval_parse(&back, buf_bytes(&out), NULL), JSON_E_SYNTAX, "NUL is valid JSON, but not for our parser");
	buf_append_byte(&out, '\0');
	cr_expect_str_eq((char *)out.data,
		"[{\"name\":\"a\",\"type\":\"string\",\"value\":\"\\u001b\\u009b\xef\xbf\xbd\\\"\\\\\\u0000\\udb40\\udc41é\"},"
		"{\"name\":\"\",\"type\":\"uint256\",\"value\":\"5\"},{\"name\":\"b\",\"type\":\"bool\",\"value\":true},"
		"{\"name\":\"c\",\"type\":\"(int8,bytes)[]\",\"value\":[[\"-1\",\"0x02\"]]}]");
	buf_clear(&out);
}

Test(text, refuses_bad_values_and_says_which)
{
	static const struct { const char *signature, *word, *message; } bad[] = {
		{ "f(uint8 age)", "256", "argument 1 (age, uint8): 256 does not fit" },
		{ "f(uint8)", "-1", "argument 1 (uint8): -1 is below 0" },
		{ "f(int8)", "128", "argument 1 (int8): 128 does not fit" },
		{ "f(int8)", "-129", "argument 1 (int8): -129 does not fit" },
		{ "f(int256)", "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "does not fit" },
		{ "f(int256)", "-" MAX_256, "does not fit" },
		{ "f(uint256)", "115792089237316195423570985008687907853269984665640564039457584007913129639936", "no whole number" },
		{ "f(uint256)", "0x10000000000000000000000000000000000000000000000000000000000000000", "no whole number" },
		{ "f(uint256)", "", "no whole number" }, { "f(uint256)", "1.5", "no whole number" },
		{ "f(uint256)", "1.55e1", "no whole number" }, { "f(uint256)", "1e78", "no whole number" },
		{ "f(uint256)", "1e9999", "no whole number" }, { "f(uint256)", "1.e1", "no whole number" },
		{ "f(uint256)", "0x", "no whole number" }, { "f(uint256)", "--1", "no whole number" },
		{ "f(uint256)", " 1", "no whole number" }, { "f(uint256)", "1,000", "no whole number" },
		{ "f(bool)", "yes", "neither true nor false" }, { "f(address)", "0x12", "no address" },
		{ "f(address)", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92267", "checksum" },
		{ "f(bytes)", "0x123", "even number" }, { "f(bytes)", "1234", "even number" }, { "f(bytes)", "0xgg", "even number" },
		{ "f(bytes4)", "0x123456", "argument 1 (bytes4): \"0x123456\" is not 0x and 8 hex digits" },
		{ "f(uint8[])", "1,2", "argument 1 (uint8[]): \"1,2\" is no list: [1,2]" },
		{ "f(uint8[])", "[1,2", "it ends without ]" }, { "f(uint8[])", "[1,2]x", "stands behind its end" },
		{ "f(uint8[])", "[1,]", "no whole number" }, { "f(uint8[])", "[1 2]", "no whole number" },
		{ "f(uint8[2])", "[1]", "argument 1 (uint8[2]): it has 1 element, and needs 2" },
		{ "f(uint8[2])", "[1,2,3]", "it has 3 elements, and needs 2" },
		{ "f((uint8,bool) x)", "(1)", "argument 1 (x, (uint8,bool)): it has 1 element, and needs 2" },
		{ "f((uint8,bool))", "1", "is no tuple" }, { "f((uint8))", "(1]", "comma or )" },
		{ "f(string[])", "[\"a]", "a \" is missing" }, { "f(string[])", "[\"\\q\"]", "\\q is no escape" },
		{ "f(string[])", "[\"\\u{110000}\"]", "is no escape" }, { "f(string[])", "[\"\\ud800\"]", "is no escape" },
		{ "f(string[])", "[\"\\", "is no escape" }, { "f(string[])", "[\"\\u{", "is no escape" },
		{ "f(string[])", "[\"a\"b]", "stands where a comma or ] should" },
		{ "f((uint8 a, (bool, uint96 price)[] items)[] orders)", "[(1,[]),(2,[(true,x)])]",
		  "argument 1 (orders[1].items[0].price, uint96): \"x\" is no whole number" },
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct abi_item item = item_of(bad[i].signature);
		struct abi_value v;

		cr_expect_eq(abi_parse_arguments(&v, &pool, &item.inputs, &bad[i].word, 1, &err), ABI_E_VALUE, "%s %s",
			     bad[i].signature, bad[i].word);
		cr_expect(strstr(err.message, bad[i].message), "%s: %s", bad[i].word, err.message);
	}
}

Test(text, counts_arguments)
{
	struct abi_item item = item_of("f(uint8,bool)");
	struct abi_value v;
	struct err err;

	cr_expect_eq(abi_parse_arguments(&v, &pool, &item.inputs, (const char *[]){ "1" }, 1, &err), ABI_E_COUNT);
	cr_expect_str_eq(err.message, "it takes 2 arguments, (uint8,bool), not 1");
}

/* --- random types and values: encoded, decoded, shown and read again --- */

static void put_type(struct rng *r, struct buf *out, unsigned depth)
{
	static const char *const elementary[] = {
		"uint8", "uint256", "int64", "int256", "address", "bool", "bytes1", "bytes32", "function", "bytes", "string",
	};
	uint64_t pick = depth == 0 ? 0 : rng_below(r, 6);

	if (pick == 1) {
		buf_append_byte(out, '(');
		for (uint64_t i = 0, n = rng_below(r, 4); i <= n; i++) {
			if (i)
				buf_append_byte(out, ',');
			put_type(r, out, depth - 1);
		}
		buf_append_byte(out, ')');
	} else if (pick == 2) {
		put_type(r, out, depth - 1);
		buf_printf(out, "[]");
	} else if (pick == 3) {
		put_type(r, out, depth - 1);
		buf_printf(out, "[%d]", 1 + (int)rng_below(r, 3));
	} else {
		buf_printf(out, "%s", elementary[rng_below(r, ARRAY_COUNT(elementary))]);
	}
}

static void fill_bytes(struct rng *r, struct abi_value *v, size_t size)
{
	uint8_t *data = abi_pool_take(&pool, size + 1, 1);

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)rng_below(r, 256);
	v->bytes = bytes_of(data, size);
}

/* Numbers of all sizes, bytes of any kind in strings too. */
static void fill(struct rng *r, struct abi_value *v, const struct abi_type *type)
{
	size_t size = type->kind <= ABI_INT ? type->size / 8 : type->size;
	bool is_left = type->kind == ABI_FIXED_BYTES || type->kind == ABI_FUNCTION;

	if (type->kind == ABI_BYTES || type->kind == ABI_STRING) {
		fill_bytes(r, v, rng_below(r, 70));
	} else if (type->kind >= ABI_ARRAY) {
		v->list.count = type->kind == ABI_ARRAY ? rng_below(r, 4) : type->count;
		v->list.items = abi_pool_take(&pool, v->list.count + 1, sizeof(*v));
		for (size_t i = 0; i < v->list.count; i++)
			fill(r, &v->list.items[i], type->kind == ABI_TUPLE ? &type->parts[i] : type->parts);
	} else if (type->kind == ABI_BOOL) {
		v->word[31] = (uint8_t)rng_below(r, 2);
	} else {
		for (size_t i = rng_below(r, size + 1); i < size; i++)
			v->word[is_left ? i : 32 - size + i] = (uint8_t)rng_below(r, 256);
		if (type->kind == ABI_INT && v->word[32 - size] & 0x80)
			memset(v->word, 0xff, 32 - size);
	}
}

Test(text, round_trips_on_random_types)
{
	struct buf signature = { 0 }, data = { 0 }, again = { 0 }, text = { 0 };
	struct abi_value v, decoded, read;
	struct rng r;
	struct err err = { 0 };

	rng_init(&r, 5);
	for (int round = 0; round < 2000; round++) {
		struct abi_item item;

		buf_reset(&signature);
		buf_printf(&signature, "f((");
		put_type(&r, &signature, 4);
		buf_append_byte(&signature, ',');
		put_type(&r, &signature, 3);
		buf_append(&signature, "))", 3);
		item = item_of((char *)signature.data);
		v = (struct abi_value){ 0 };
		fill(&r, &v, &item.inputs);
		buf_reset(&data);
		abi_encode(&data, &item.inputs, &v);
		cr_assert_eq(abi_decode(&decoded, &pool, &item.inputs, buf_bytes(&data), &err), OK, "%s: %s",
			     (char *)signature.data, err.message);
		buf_reset(&text);
		abi_format(&text, &item.inputs.parts[0], &decoded.list.items[0]);
		buf_append_byte(&text, '\0');
		/* As one list: strings in it are quoted. */
		cr_assert_eq(abi_parse_value(&read, &pool, item.inputs.parts, (char *)text.data, &err), OK, "%s: %s: %s",
			     (char *)signature.data, (char *)text.data, err.message);
		decoded.list.items[0] = read;
		buf_reset(&again);
		abi_encode(&again, &item.inputs, &decoded);
		cr_assert(bytes_equal(buf_bytes(&data), buf_bytes(&again)), "%s", (char *)signature.data);
		clear();
	}
	buf_clear(&signature);
	buf_clear(&data);
	buf_clear(&again);
	buf_clear(&text);
}

/* --- reverts --- */

static void expect_revert(const char *hex, const struct abi *abi, enum abi_revert_kind kind, const char *shown)
{
	struct abi_revert r;
	struct buf data = { 0 }, out = { 0 };
	struct jval *back;
	struct jout j;

	cr_assert(hex_parse_data(&data, bytes_of_str(hex), 4096));
	abi_decode_revert(&r, &pool, abi, buf_bytes(&data));
	cr_expect_eq(r.kind, kind, "%s", hex);
	abi_format_revert(&out, &r, buf_bytes(&data));
	buf_append_byte(&out, '\0');
	cr_expect_str_eq((char *)out.data, shown);
	buf_reset(&out);
	jout_init(&j, &out);
	abi_write_revert(&j, &r, buf_bytes(&data));
	cr_assert_eq(jval_parse(&back, buf_bytes(&out), NULL), OK);
	cr_expect(bytes_equal(jval_string(jval_get(back, "data")), bytes_of_str(hex)));
	cr_expect_eq(jval_kind(jval_get(back, "values")) == JVAL_ARRAY, kind >= ABI_REVERT_ERROR && kind <= ABI_REVERT_CUSTOM);
	jval_free(back);
	buf_clear(&data);
	buf_clear(&out);
}

#define ZEROS_60 "000000000000000000000000000000000000000000000000000000000000"
#define ERROR "0x08c379a0" ZEROS_60 "0020" ZEROS_60

Test(revert, is_explained)
{
	static const char document[] = "[{\"type\":\"error\",\"name\":\"Short\",\"inputs\":["
		"{\"name\":\"has\",\"type\":\"uint256\"},{\"name\":\"\",\"type\":\"string\"}]}]";
	struct abi abi;
	struct hash h;
	char selector[11], hex[512];

	cr_assert_eq(abi_load(&abi, bytes_of_str(document), NULL, NULL), OK);
	abi_hash(&h, &abi.items[0]);
	hex_data(selector, bytes_of(h.bytes, 4));
	expect_revert("0x", NULL, ABI_REVERT_EMPTY, "without a reason");
	expect_revert(ERROR "00026869" ZEROS_60, &abi, ABI_REVERT_ERROR, "\"hi\"");
	expect_revert(ERROR "00011b" ZEROS_60 "00", NULL, ABI_REVERT_ERROR, "\"\\u{1b}\"");
	expect_revert(ERROR "ffff6869" ZEROS_60, NULL, ABI_REVERT_UNKNOWN,
		      "with data " ERROR "ffff6869" ZEROS_60);
	expect_revert("0x4e487b71" ZEROS_60 "0011", NULL, ABI_REVERT_PANIC, "panic 0x11: a number over- or underflowed");
	expect_revert("0x4e487b71" ZEROS_60 "0099", NULL, ABI_REVERT_PANIC,
		      "panic 0x99: for a reason that Solidity does not name");
	expect_revert("0x12345678", &abi, ABI_REVERT_UNKNOWN, "with data 0x12345678");
	expect_revert("0x1234", &abi, ABI_REVERT_UNKNOWN, "with data 0x1234");
	snprintf(hex, sizeof(hex), "%s" ZEROS_60 "0007" ZEROS_60 "0040" ZEROS_60 "0000", selector);
	expect_revert(hex, &abi, ABI_REVERT_CUSTOM, "Short(has: 7, \"\")");
	snprintf(hex, sizeof(hex), "with data %s", selector);
	expect_revert(selector, &abi, ABI_REVERT_UNKNOWN, hex);
	abi_clear(&abi);
}
