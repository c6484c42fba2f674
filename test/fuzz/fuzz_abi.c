/*
 * A signature, and data that a contract might give: what decodes, encoded again, decodes to
 * the same values, which are shown in printable characters, written as JSON that parses, and
 * read back from what was shown. The same bytes as a JSON ABI, and as the data of a revert.
 *
 * The input: the signature, NUL, the data.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "abi/abi.h"
#include "base/check.h"

/* f(uint8,string) 1, "ab"; lists in tuples; a list that points to itself; a dirty bool; a
 * signature that is cut; depth; JSON; Error("hi") and Panic(0x11). */
const char *const fuzz_seeds[] = {
	"662875696e74382c737472696e672900"
	"0000000000000000000000000000000000000000000000000000000000000001"
	"0000000000000000000000000000000000000000000000000000000000000040"
	"0000000000000000000000000000000000000000000000000000000000000002"
	"6162000000000000000000000000000000000000000000000000000000000000",
	"66282862797465732c28696e74382c626f6f6c295b325d295b5d2900"
	"0000000000000000000000000000000000000000000000000000000000000020"
	"0000000000000000000000000000000000000000000000000000000000000001"
	"0000000000000000000000000000000000000000000000000000000000000020"
	"00000000000000000000000000000000000000000000000000000000000000a0"
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	"0000000000000000000000000000000000000000000000000000000000000001"
	"0000000000000000000000000000000000000000000000000000000000000005"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000001"
	"1b00000000000000000000000000000000000000000000000000000000000000",
	"6628737472696e675b5d5b5d5b5d2900"
	"0000000000000000000000000000000000000000000000000000000000000020"
	"0000000000000000000000000000000000000000000000000000000000000002"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000",
	"6628626f6f6c290000000000000000000000000000000000000000000000000000000000000000000002",
	"66286164647265737320696e64657865642061", "28282828282828282828282828282828282828282828",
	"5b7b2274797065223a2266756e6374696f6e222c226e616d65223a2266222c22696e70757473223a5b7b2274797065223a"
	"227475706c655b325d222c22636f6d706f6e656e7473223a5b7b2274797065223a22626f6f6c227d5d7d5d7d5d",
	"08c379a0"
	"0000000000000000000000000000000000000000000000000000000000000020"
	"0000000000000000000000000000000000000000000000000000000000000002"
	"6869000000000000000000000000000000000000000000000000000000000000",
	"4e487b710000000000000000000000000000000000000000000000000000000000000011",
	NULL,
};

/* Nothing that a terminal obeys: ASCII's and the C1 controls. */
static void check_printable(struct bytes text)
{
	for (size_t i = 0; i < text.size; i++) {
		CHECK(text.data[i] >= ' ' && text.data[i] != 0x7f);
		CHECK(text.data[i] != 0xc2 || (i + 1 < text.size && text.data[i + 1] >= 0xa0));
	}
}

static void check_json(const struct abi_type *tuple, const struct abi_value *v)
{
	struct buf text = { 0 };
	struct jval *back;
	struct jout j;

	jout_init(&j, &text);
	abi_write_members(&j, tuple, v);
	check_printable(buf_bytes(&text));
	/* Our parser takes no NUL in strings, though JSON has it. */
	buf_append_byte(&text, '\0');
	if (!strstr((char *)text.data, "\\u0000")) {
		CHECK(jval_parse(&back, bytes_of(text.data, text.size - 1), NULL) == OK);
		jval_free(back);
	}
	buf_clear(&text);
}

/* Shown in one tuple, so that strings are quoted, and read again. */
static void check_text(struct abi_pool *pool, const struct abi_type *tuple, const struct abi_value *v, struct bytes data)
{
	struct buf text = { 0 }, again = { 0 };
	struct abi_value read;

	abi_format(&text, tuple, v);
	check_printable(buf_bytes(&text));
	buf_append_byte(&text, '\0');
	CHECK(abi_parse_value(&read, pool, tuple, (char *)text.data, NULL) == OK);
	abi_encode(&again, tuple, &read);
	CHECK(bytes_equal(data, buf_bytes(&again)));
	buf_clear(&text);
	buf_clear(&again);
}

static void check_values(struct abi_pool *pool, const struct abi_type *tuple, struct bytes data)
{
	struct buf one = { 0 }, two = { 0 };
	struct abi_value v, again;
	struct err err = { 0 };

	if (abi_decode(&v, pool, tuple, data, &err) != OK) {
		CHECK(err.code == ABI_E_DATA);
		return;
	}
	abi_encode(&one, tuple, &v);
	CHECK(abi_decode(&again, pool, tuple, buf_bytes(&one), &err) == OK);
	abi_encode(&two, tuple, &again);
	CHECK(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
	check_json(tuple, &v);
	check_text(pool, tuple, &v, buf_bytes(&one));
	buf_clear(&one);
	buf_clear(&two);
}

/* The canonical form is read as itself. */
static void check_signature(struct abi_pool *pool, const struct abi_item *item)
{
	struct buf one = { 0 }, two = { 0 };
	struct abi_item again;

	abi_put_signature(&one, item);
	buf_append_byte(&one, '\0');
	if (item->kind == ABI_ITEM_FUNCTION && one.size <= ABI_SIGNATURE_SIZE_MAX) {
		CHECK(abi_parse_signature(&again, pool, (char *)one.data, NULL) == OK);
		abi_put_signature(&two, &again);
		buf_append_byte(&two, '\0');
		/* constructor(…) and (…) have no name. */
		CHECK(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
	}
	buf_clear(&one);
	buf_clear(&two);
}

static void check_revert(struct bytes data)
{
	struct abi_pool pool = { 0 };
	struct abi_revert r;
	struct buf text = { 0 };

	abi_decode_revert(&r, &pool, NULL, data);
	abi_format_revert(&text, &r, data);
	if (r.kind != ABI_REVERT_UNKNOWN)
		check_printable(buf_bytes(&text));
	buf_clear(&text);
	abi_pool_clear(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, 0, size);
	struct abi_pool pool = { 0 };
	struct abi_item item;
	struct abi abi;

	check_revert(bytes_of(data, size));
	if (abi_load(&abi, bytes_of(data, size), NULL, NULL) == OK)
		abi_clear(&abi);
	if (end && abi_parse_signature(&item, &pool, (const char *)data, NULL) == OK) {
		struct bytes rest = bytes_of(end + 1, size - (size_t)(end + 1 - data));

		check_signature(&pool, &item);
		check_values(&pool, &item.inputs, rest);
		if (item.has_outputs)
			check_values(&pool, &item.outputs, rest);
	}
	abi_pool_clear(&pool);
	return 0;
}
