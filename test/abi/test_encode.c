#include <criterion/criterion.h>

#include "abi/abi.h"
#include "codec/hex.h"
#include "crypto/keccak.h"

static struct abi_pool pool;

static void clear(void)
{
	abi_pool_clear(&pool);
}

TestSuite(encode, .fini = clear);
TestSuite(decode, .fini = clear);
TestSuite(event, .fini = clear);

static struct abi_item item_of(const char *signature)
{
	struct abi_item item;
	struct err err = { 0 };

	cr_assert_eq(abi_parse_signature(&item, &pool, signature, &err), OK, "%s", err.message);
	return item;
}

/* Words as they are written below: blanks between them, and zeros that are left out at
 * the left ("60") or at the right ("64617665.."). */
static void put_words(struct buf *out, const char *text)
{
	char digits[65];

	while (*text) {
		size_t length = strcspn(text, " "), dots = 0;

		while (dots < length && text[length - 1 - dots] == '.')
			dots++;
		memset(digits, '0', 64);
		digits[64] = '\0';
		memcpy(dots ? digits : digits + 64 - length, text, length - dots);
		cr_assert(hex_decode(buf_extend(out, 32), 32, bytes_of(digits, 64)), "%s", text);
		text += length + (text[length] == ' ');
	}
}

static void expect(const char *signature, const char *const words[], size_t count, const char *wanted)
{
	struct abi_item item = item_of(signature);
	struct buf out = { 0 }, data = { 0 };
	struct abi_value v, back;
	struct err err = { 0 };

	cr_assert_eq(abi_parse_arguments(&v, &pool, &item.inputs, words, count, &err), OK, "%s", err.message);
	abi_encode(&out, &item.inputs, &v);
	put_words(&data, wanted);
	cr_expect(bytes_equal(buf_bytes(&out), buf_bytes(&data)), "%s", signature);
	cr_assert_eq(abi_decode(&back, &pool, &item.inputs, buf_bytes(&data), &err), OK, "%s", err.message);
	buf_reset(&out);
	abi_encode(&out, &item.inputs, &back);
	cr_expect(bytes_equal(buf_bytes(&out), buf_bytes(&data)), "%s, decoded", signature);
	buf_clear(&out);
	buf_clear(&data);
}

#define EXPECT(signature, wanted, ...) \
	expect(signature, (const char *const[]){ __VA_ARGS__ }, \
	       sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), wanted)

/* The specification's examples. */
Test(encode, gives_the_examples_of_the_specification)
{
	EXPECT("baz(uint32,bool)", "45 1", "69", "true");
	EXPECT("bar(bytes3[2])", "616263.. 646566..", "[0x616263,0x646566]");
	EXPECT("sam(bytes,bool,uint256[])", "60 1 a0 4 64617665.. 3 1 2 3", "0x64617665", "true", "[1,2,3]");
	EXPECT("f(uint256,uint32[],bytes10,bytes)",
	       "123 80 31323334353637383930.. e0 2 456 789 d 48656c6c6f2c20776f726c6421..",
	       "0x123", "[0x456,0x789]", "0x31323334353637383930", "0x48656c6c6f2c20776f726c6421");
	EXPECT("g(uint256[][],string[])",
	       "40 140 2 40 a0 2 1 2 1 3 3 60 a0 e0 3 6f6e65.. 3 74776f.. 5 7468726565..",
	       "[[1,2],[3]]", "[\"one\",two,\"three\"]");
}

#define F60 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

Test(encode, places_what_nests)
{
	EXPECT("f(int8,int256,int16)", F60 "ff80 " F60 "ffff 7fff", "-128", "-1", "32767");
	EXPECT("f(uint8[2][3])", "1 2 3 4 5 6", "[[1,2],[3,4],[5,6]]");
	EXPECT("f((uint8,(bool,bytes2)),uint8)", "1 1 6162.. 9", "(1,(true,0x6162))", "9");
	EXPECT("f((uint8,string)[2],bool)", "40 1 40 c0 1 40 1 61.. 2 40 0", "[(1,a),(2,\"\")]", "1");
	EXPECT("f(string[1],bytes[])", "40 a0 20 2 6162.. 0", "[ab]", "[]");
	EXPECT("f((string)[])", "20 1 20 20 1 7a..", "[(z)]");
	EXPECT("f(function)", "112233445566778899aabbccddeeff001122334455667788..",
	       "0x112233445566778899aabbccddeeff001122334455667788");
	expect("f()", NULL, 0, "");
}

/* --- malformed data --- */

static int decode(const char *signature, const char *words, size_t cut, struct err *err)
{
	struct abi_item item = item_of(signature);
	struct buf data = { 0 };
	struct abi_value v;
	uint8_t *exact;
	int code;

	put_words(&data, words);
	/* Of its own size, so that a sanitizer sees one byte too far. */
	exact = malloc(data.size - cut + !data.size);
	if (data.size)
		memcpy(exact, data.data, data.size - cut);
	code = abi_decode(&v, &pool, &item.inputs, bytes_of(exact, data.size - cut), err);
	free(exact);
	buf_clear(&data);
	return code;
}

Test(decode, refuses_dirty_words)
{
	static const struct { const char *signature, *words; } bad[] = {
		{ "f(uint8)", "100" }, { "f(uint8)", "8000.." }, { "f(int8)", "80" }, { "f(int8)", "ff7f" },
		{ "f(int8)", F60 "ff7f" }, { "f(int8)", "7f" F60 "80" }, { "f(bool)", "2" }, { "f(bool)", "101" },
		{ "f(address)", "1f39fd6e51aad88f6f4ce6ab8827279cfffb92266" }, { "f(bytes2)", "616200000001.." },
		{ "f(bytes31)", "1" }, { "f(function)", "1" }, { "f(uint256,(bool,bool[2]))", "1 1 1 3" },
		{ "f(uint64[])", "20 2 1 10000000000000000" },
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		cr_expect_eq(decode(bad[i].signature, bad[i].words, 0, &err), ABI_E_DATA, "%s %s", bad[i].signature,
			     bad[i].words);
}

#define ALL "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

Test(decode, refuses_offsets_and_lengths_beyond_the_end)
{
	static const struct { const char *signature, *words; size_t cut; } bad[] = {
		{ "f(uint256)", "", 0 }, { "f(uint256)", "1", 1 }, { "f(uint256,bool)", "1", 0 },
		{ "f(string)", "20", 0 }, { "f(string)", "21 0", 0 }, { "f(string)", "40 0", 0 },
		{ "f(string)", ALL " 0", 0 }, { "f(string)", "10000000000000020 0", 0 }, { "f(string)", "20 1", 0 },
		{ "f(string)", "20 " ALL, 0 }, { "f(string)", "20 21 0", 0 }, { "f(string)", "20 20 61..", 1 },
		{ "f(uint256[])", "20 1", 0 }, { "f(uint256[])", "20 2 1", 0 }, { "f(uint256[])", "20 1 1", 1 },
		{ "f(uint256[])", "20 " ALL, 0 }, { "f(uint256[])", "20 800000000000000 0", 0 },
		{ "f(string[])", "20 1 20", 0 }, { "f(string[])", "20 1 40 0", 0 }, { "f(string[2])", "20 40 60 0", 0 },
		{ "f((string))", "20 20", 0 }, { "f((string,uint256))", "20 0", 0 }, { "f(uint256[3])", "1 2", 0 },
		{ "f(uint256[3][])", "20 1 1 2", 0 }, { "f(uint256[32768])", "1 2", 0 },
		{ "f(string[32768])", "20 1 2", 0 },
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		cr_expect_eq(decode(bad[i].signature, bad[i].words, bad[i].cut, &err), ABI_E_DATA, "%s %s",
			     bad[i].signature, bad[i].words);
}

/* As ethers does. */
Test(decode, takes_loose_padding_order_and_what_is_behind)
{
	static const struct { const char *signature, *words; size_t cut; } good[] = {
		{ "f(string)", "20 2 6162ffff..", 0 }, { "f(string)", "20 2 6162..", 30 }, { "f(uint256)", "1 2 3", 0 },
		{ "f(uint256)", "1 2", 7 }, { "f()", "1", 0 }, { "f()", "", 0 }, { "f(string,string)", "80 40 1 61.. 1 62..", 0 },
		{ "f(string,string)", "40 40 1 61..", 0 }, { "f(uint256[])", "0", 0 }, { "f(string)", "0", 0 },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(good); i++)
		cr_expect_eq(decode(good[i].signature, good[i].words, good[i].cut, &err), OK, "%s %s: %s",
			     good[i].signature, good[i].words, err.message);
}

/* A list of lists of … that all are the same list: n^6 values out of n words. */
Test(decode, refuses_lists_that_point_into_each_other)
{
	struct abi_item item = item_of("f(uint256[][][][][][])"), text = item_of("f(string[])");
	struct buf data = { 0 };
	struct abi_value v;
	struct err err;

	put_words(&data, "20");
	for (size_t level = 0; level < 5; level++) {
		put_words(&data, "40");
		for (size_t i = 0; i < 64; i++)
			put_words(&data, "800");
	}
	put_words(&data, "0");
	cr_expect_eq(abi_decode(&v, &pool, &item.inputs, buf_bytes(&data), &err), ABI_E_DATA);
	cr_expect(strstr(err.message, "point into each other"), "%s", err.message);

	/* One long string, often. */
	buf_reset(&data);
	put_words(&data, "20 40");
	for (size_t i = 0; i < 64; i++)
		put_words(&data, "800");
	put_words(&data, "800");
	memset(buf_extend(&data, 0x800), 'a', 0x800);
	cr_expect_eq(abi_decode(&v, &pool, &text.inputs, buf_bytes(&data), &err), ABI_E_DATA);
	cr_expect(strstr(err.message, "point into each other"), "%s", err.message);
	buf_clear(&data);
}

Test(decode, says_where)
{
	struct err err;

	cr_expect_eq(decode("f(uint256,(bool,uint8[]))", "1 40 1 40 2 5 100", 0, &err), ABI_E_DATA);
	cr_expect_str_eq(err.message, "member 2: member 2: element 2: the number is too large for its type");
}

/* --- events --- */

static struct hash topic(const char *word)
{
	struct buf b = { 0 };
	struct hash h;

	put_words(&b, word);
	memcpy(h.bytes, b.data, 32);
	buf_clear(&b);
	return h;
}

static struct hash topic_of(const char *signature, const char *word)
{
	struct abi_item item = item_of(signature);
	struct abi_value v;
	struct hash h;

	cr_assert_eq(abi_parse_value(&v, &pool, &item.inputs.parts[0], word, NULL), OK);
	abi_topic(&h, &item.inputs.parts[0], &v);
	return h;
}

Test(event, is_decoded_in_the_order_of_its_declaration)
{
	struct abi_item item = item_of("event E(uint8 a, address indexed b, string c, string indexed d)");
	struct hash topics[3] = { { { 0 } }, topic("f39fd6e51aad88f6f4ce6ab8827279cfffb92266"), topic_of("(string)", "name") };
	struct buf data = { 0 }, text = { 0 };
	struct err err = { 0 };
	struct abi_value v;

	abi_hash(&topics[0], &item);
	put_words(&data, "7 40 2 6162..");
	cr_assert_eq(abi_decode_event(&v, &pool, &item, topics, 3, buf_bytes(&data), &err), OK, "%s", err.message);
	cr_assert_eq(v.list.count, 4);
	for (size_t i = 0; i < 4; i++) {
		abi_format(&text, abi_event_type(&item.inputs.parts[i]), &v.list.items[i]);
		buf_append_byte(&text, ' ');
	}
	buf_append_byte(&text, '\0');
	cr_expect_str_eq((char *)text.data, "7 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 \"ab\" "
			 /* cast keccak name */
			 "0x2361458367e696363fbcc70777d07ebbd2394e89fd0adcaf147faccd1d294d60 ");
	cr_expect_eq(abi_decode_event(&v, &pool, &item, topics, 2, buf_bytes(&data), &err), ABI_E_DATA);
	cr_expect(strstr(err.message, "1 indexed parameters, and the signature 2"), "%s", err.message);
	topics[1] = topic("1f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
	cr_expect_eq(abi_decode_event(&v, &pool, &item, topics, 3, buf_bytes(&data), &err), ABI_E_DATA);
	topics[0] = topics[2];
	cr_expect_eq(abi_decode_event(&v, &pool, &item, topics, 3, buf_bytes(&data), &err), ABI_E_DATA);
	buf_clear(&data);
	buf_clear(&text);
}

Test(event, may_be_anonymous)
{
	struct abi_item item = item_of("event E(uint256 indexed a, uint256 b) anonymous");
	struct hash topics[1] = { topic("5") };
	struct buf data = { 0 };
	struct abi_value v;

	put_words(&data, "6");
	cr_assert_eq(abi_decode_event(&v, &pool, &item, topics, 1, buf_bytes(&data), NULL), OK);
	cr_expect(v.list.items[0].word[31] == 5 && v.list.items[1].word[31] == 6);
	buf_clear(&data);
}

/* The specification: elements in place, without lengths, each padded. */
Test(event, has_the_topics_of_the_specification)
{
	struct abi_item item = item_of("((uint256,string)[])");
	struct hash h = topic_of("((uint256,string)[])", "[(1,ab),(2,\"\")]"), wanted;
	struct buf words = { 0 };

	(void)item;
	put_words(&words, "1 6162.. 2");
	keccak256(&wanted, buf_bytes(&words));
	cr_expect(hash_equal(&h, &wanted));
	h = topic_of("(uint256)", "258");
	wanted = topic("102");
	cr_expect(hash_equal(&h, &wanted));
	h = topic_of("(bytes)", "0x6162");
	keccak256(&wanted, bytes_of("ab", 2));
	cr_expect(hash_equal(&h, &wanted));
	buf_clear(&words);
}
