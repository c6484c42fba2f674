/*
 * conformance_rlp - ethereum/tests RLPTests: what their values encode to, that
 * decoding gives the values back, and that what is invalid is refused.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "codec/hex.h"
#include "codec/rlp.h"
#include "json/json.h"
#include "tap.h"

#define FILE_SIZE_MAX (16 * MIB)

/* --- values: a string, a number, "#" and a decimal number of any size, a list --- */

/* The files hold one string with a NUL, which our reader refuses on purpose. It
 * is read with U+2400, the picture of a NUL, in its place; no case has that. */
#define NUL_ESCAPE "\\u0000"
#define NUL_PICTURE "\\u2400"

static void picture_nuls(struct buf *text)
{
	size_t size = strlen(NUL_ESCAPE);

	for (size_t i = 0; i + size <= text->size; i++)
		if (memcmp(text->data + i, NUL_ESCAPE, size) == 0)
			memcpy(text->data + i, NUL_PICTURE, size);
}

/* The big-endian bytes of decimal digits, without leading zeros. */
static void put_decimal(struct buf *be, struct bytes digits)
{
	for (size_t i = 0; i < digits.size; i++) {
		unsigned carry = (unsigned)(digits.data[i] - '0');

		CHECK(carry <= 9);
		for (size_t k = be->size; k-- > 0;) {
			carry += be->data[k] * 10u;
			be->data[k] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry) {
			buf_extend(be, 1);
			memmove(be->data + 1, be->data, be->size - 1);
			be->data[0] = (uint8_t)carry;
		}
	}
}

/* The bytes that a scalar value of a case stands for. */
static struct buf scalar_bytes(const struct jval *v)
{
	struct bytes text = jval_string(v);
	struct buf out = { 0 };
	uint8_t be[8];
	size_t skip = 0;

	if (jval_kind(v) == JVAL_INTEGER) {
		store_be64(be, (uint64_t)jval_integer(v));
		while (skip < sizeof(be) && be[skip] == 0)
			skip++;
		buf_append(&out, be + skip, sizeof(be) - skip);
	} else if (text.size && text.data[0] == '#') {
		put_decimal(&out, bytes_of(text.data + 1, text.size - 1));
	} else if (bytes_equal(text, bytes_of_str("\xe2\x90\x80"))) {
		buf_append_byte(&out, 0);
	} else {
		buf_append_bytes(&out, text);
	}
	return out;
}

static bool is_number(const struct jval *v)
{
	struct bytes text = jval_string(v);

	return jval_kind(v) == JVAL_INTEGER || (text.size && text.data[0] == '#');
}

/* A number goes the way of numbers as long as it is one of ours. */
static void put_value(struct buf *out, const struct jval *v)
{
	struct buf scalar;

	if (jval_kind(v) == JVAL_ARRAY) {
		size_t mark = rlp_list_open(out);

		for (size_t i = 0; i < jval_count(v); i++)
			put_value(out, jval_at(v, i));
		rlp_list_close(out, mark);
		return;
	}
	scalar = scalar_bytes(v);
	if (is_number(v) && scalar.size <= 32) {
		struct u256 n = u256_from_be(buf_bytes(&scalar));

		rlp_put_u256(out, &n);
	} else {
		rlp_put_bytes(out, buf_bytes(&scalar));
	}
	buf_clear(&scalar);
}

/* The readers' side of put_value(). */
static bool read_number(struct rlp_reader *r, struct bytes want)
{
	struct u256 n, wanted;
	int code = rlp_read_u256(r, &n, NULL);
	struct bytes s;

	if (want.size > 32)
		return code == RLP_E_SIZE && rlp_read_bytes(r, &s, NULL) == OK &&
		       bytes_equal(s, want);
	wanted = u256_from_be(want);
	return code == OK && u256_equal(&n, &wanted);
}

static bool read_value(struct rlp_reader *r, const struct jval *v)
{
	struct rlp_reader list;
	struct buf scalar;
	struct bytes s;
	bool same;

	if (jval_kind(v) == JVAL_ARRAY) {
		if (rlp_read_list(r, &list, NULL) != OK)
			return false;
		for (size_t i = 0; i < jval_count(v); i++)
			if (!read_value(&list, jval_at(v, i)))
				return false;
		return rlp_reader_end(&list, NULL) == OK;
	}
	scalar = scalar_bytes(v);
	if (is_number(v))
		same = read_number(r, buf_bytes(&scalar));
	else
		same = rlp_read_bytes(r, &s, NULL) == OK && bytes_equal(s, buf_bytes(&scalar));
	buf_clear(&scalar);
	return same;
}

/* --- cases --- */

/* "out" of a case; some files leave "0x" out. */
static bool expected_bytes(struct buf *out, const struct jval *test)
{
	struct bytes text = jval_string(jval_get(test, "out"));

	if (text.size >= 2 && text.data[1] == 'x')
		text = bytes_of(text.data + 2, text.size - 2);
	buf_reset(out);
	return text.data && hex_decode(buf_extend(out, text.size / 2), text.size / 2, text);
}

static bool encodes_and_decodes(const struct jval *v, struct bytes want)
{
	struct buf got = { 0 };
	struct rlp_reader r;
	bool same;

	put_value(&got, v);
	same = bytes_equal(buf_bytes(&got), want);
	if (!same)
		tap_note("encodes to something else");
	rlp_reader_init(&r, want);
	if (rlp_validate(want, NULL) != OK || !read_value(&r, v) || rlp_reader_more(&r)) {
		tap_note("does not decode to its value");
		same = false;
	}
	buf_clear(&got);
	return same;
}

/* The readers must refuse too: validation is not what a decoder runs. */
static bool reads_whole(struct rlp_reader *r, unsigned depth)
{
	while (rlp_reader_more(r)) {
		struct rlp_reader list;
		struct bytes s;

		if (!rlp_next_is_list(r)) {
			if (rlp_read_bytes(r, &s, NULL) != OK)
				return false;
		} else if (depth == LIMIT_RLP_DEPTH_MAX || rlp_read_list(r, &list, NULL) != OK ||
			   !reads_whole(&list, depth + 1)) {
			return false;
		}
	}
	return true;
}

static bool is_valid(struct bytes input)
{
	struct rlp_reader r;
	size_t count = 0;
	bool valid = rlp_validate(input, NULL) == OK;

	rlp_reader_init(&r, input);
	CHECK(valid == (rlp_count(&r, &count, 1, NULL) == OK && count == 1 && reads_whole(&r, 0)));
	return valid;
}

static void run_case(struct tap *t, const char *file, const char *name, const struct jval *test)
{
	const struct jval *in = jval_get(test, "in");
	struct bytes word = jval_string(in);
	struct buf want = { 0 };
	bool passed;

	if (!in || !expected_bytes(&want, test)) {
		tap_note("the case has no \"in\" or no \"out\" in hexadecimal");
		passed = false;
	} else if (bytes_equal(word, bytes_of_str("INVALID"))) {
		passed = !is_valid(buf_bytes(&want));
	} else if (bytes_equal(word, bytes_of_str("VALID"))) {
		passed = is_valid(buf_bytes(&want));
	} else {
		passed = encodes_and_decodes(in, buf_bytes(&want));
	}
	tap_case(t, passed, "%s %s", file, name);
	buf_clear(&want);
}

static void run_file(struct tap *t, const char *file, unsigned case_count)
{
	char path[TAP_PATH_SIZE];
	struct jval *root = NULL;
	const struct jval *test;
	struct buf text = { 0 };
	struct err err = { 0 };
	void *cursor = NULL;
	const char *name;

	if (!tap_data(t, path, file, case_count))
		return;
	if (!tap_read(&text, path, FILE_SIZE_MAX)) {
		tap_case(t, false, "%s can be read", file);
		return;
	}
	picture_nuls(&text);
	if (jval_parse(&root, buf_bytes(&text), &err) != OK) {
		tap_note("%s", err.message);
		tap_case(t, false, "%s is JSON", file);
	} else if (jval_count(root) != case_count) {
		tap_case(t, false, "%s has its %u cases", file, case_count);
	}
	while (jval_next(root, &cursor, &name, &test))
		run_case(t, file, name, test);
	jval_free(root);
	buf_clear(&text);
}

int main(void)
{
	struct tap t = { 0 };

	run_file(&t, "ethereum-tests/RLPTests/rlptest.json", 28);
	run_file(&t, "ethereum-tests/RLPTests/invalidRLPTest.json", 26);
	run_file(&t, "ethereum-tests/RLPTests/RandomRLPTests/example.json", 1);
	return tap_done(&t);
}
