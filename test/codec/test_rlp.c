#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/rand.h"
#include "codec/hex.h"
#include "codec/rlp.h"

/* The bytes of a hexadecimal text, in a block of just their size, so that a
 * sanitizer sees a read beyond the end. The caller frees `data`. */
static struct bytes from_hex(const char *text)
{
	size_t size = strlen(text) / 2;
	uint8_t *data = xmalloc(size);

	cr_assert(hex_decode(data, size, bytes_of_str(text)), "%s", text);
	return bytes_of(data, size);
}

static void drop(struct bytes s)
{
	free((void *)(uintptr_t)s.data);
}

static void assert_hex(struct buf *got, const char *want)
{
	char *text = xcalloc(2 * got->size + 1, 1);

	hex_encode(text, buf_bytes(got));
	cr_assert_str_eq(text, want);
	free(text);
	buf_clear(got);
}

static int validate(const char *text)
{
	struct bytes input = from_hex(text);
	struct err err = { 0 };
	int code = rlp_validate(input, &err);

	cr_assert_eq(err.code, code);
	cr_assert_eq(code != OK, err.message[0] != '\0');
	drop(input);
	return code;
}

/* --- strings --- */

Test(rlp, put_bytes_picks_the_shortest_form)
{
	static const size_t sizes[] = { 0, 1, 2, 54, 55, 56, 57, 255, 256, 257, 65535, 65536, 70000 };
	static uint8_t content[70000];

	memset(content, 0x41, sizeof(content));
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		size_t size = sizes[i], header = size < 56 ? 1 : size < 256 ? 2 : size < 65536 ? 3 : 4;
		struct buf out = { 0 };
		struct rlp_reader r;
		struct bytes s;

		if (size == 1)
			header = 0;
		rlp_put_bytes(&out, bytes_of(content, size));
		cr_assert_eq(out.size, header + size, "%zu", size);
		cr_assert_eq(rlp_validate(buf_bytes(&out), NULL), OK);
		rlp_reader_init(&r, buf_bytes(&out));
		cr_assert_not(rlp_next_is_list(&r));
		cr_assert_eq(rlp_read_bytes(&r, &s, NULL), OK);
		cr_assert(bytes_equal(s, bytes_of(content, size)));
		cr_assert_eq(rlp_reader_end(&r, NULL), OK);
		buf_clear(&out);
	}
}

Test(rlp, put_bytes_of_one_byte)
{
	for (unsigned v = 0; v < 256; v++) {
		uint8_t byte = (uint8_t)v;
		struct buf out = { 0 };

		rlp_put_bytes(&out, bytes_of(&byte, 1));
		cr_assert_eq(out.size, v < 0x80 ? 1 : 2);
		cr_assert_eq(out.data[out.size - 1], byte);
		cr_assert(v < 0x80 || out.data[0] == 0x81);
		buf_clear(&out);
	}
}

Test(rlp, header_size_changes_at_the_borders)
{
	cr_assert_eq(rlp_header_size(0), 1);
	cr_assert_eq(rlp_header_size(55), 1);
	cr_assert_eq(rlp_header_size(56), 2);
	cr_assert_eq(rlp_header_size(255), 2);
	cr_assert_eq(rlp_header_size(256), 3);
	cr_assert_eq(rlp_header_size(65535), 3);
	cr_assert_eq(rlp_header_size(65536), 4);
	cr_assert_eq(rlp_header_size(SIZE_MAX), 9);
}

Test(rlp, refuse_malformed_items)
{
	static const struct {
		const char *text;
		int want;
	} rows[] = {
		{ "", RLP_E_SHORT },
		{ "81", RLP_E_SHORT },
		{ "b7", RLP_E_SHORT },
		{ "83aabb", RLP_E_SHORT },
		{ "8100", RLP_E_NON_CANONICAL },
		{ "817f", RLP_E_NON_CANONICAL },
		{ "8180", OK },
		{ "b8", RLP_E_SHORT },
		{ "b800", RLP_E_NON_CANONICAL },
		{ "b837", RLP_E_NON_CANONICAL },
		{ "b838", RLP_E_SHORT },
		{ "b90038", RLP_E_NON_CANONICAL },
		{ "b900", RLP_E_SHORT },
		{ "bfffffffffffffffff", RLP_E_SHORT },
		{ "bf00ffffffffffffff", RLP_E_NON_CANONICAL },
		{ "bf7fffffffffffffff", RLP_E_SHORT },
		{ "bfffffffffffffff", RLP_E_SHORT },
		{ "c1", RLP_E_SHORT },
		{ "c0", OK },
		{ "f7", RLP_E_SHORT },
		{ "f800", RLP_E_NON_CANONICAL },
		{ "f837", RLP_E_NON_CANONICAL },
		{ "f838", RLP_E_SHORT },
		{ "ffffffffffffffffff", RLP_E_SHORT },
		{ "ff8000000000000000", RLP_E_SHORT },
		{ "0000", RLP_E_TRAILING },
		{ "c000", RLP_E_TRAILING },
		{ "8080", RLP_E_TRAILING },
		/* An item that leaves its list, inside the input. */
		{ "c2830000", RLP_E_SHORT },
		{ "c183616263", RLP_E_SHORT },
		{ "c1836162638100", RLP_E_SHORT },
		{ "c4c2826162", RLP_E_SHORT },
		{ "c3c2c200c0", RLP_E_SHORT },
		{ "c28100", RLP_E_NON_CANONICAL },
		{ "c3c28100", RLP_E_NON_CANONICAL },
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		int got = validate(rows[i].text);

		cr_assert_eq(got, rows[i].want, "%s: %d", rows[i].text, got);
	}
}

Test(rlp, every_prefix_of_an_item_is_short)
{
	struct buf out = { 0 };
	size_t outer, inner;

	outer = rlp_list_open(&out);
	inner = rlp_list_open(&out);
	for (int i = 0; i < 70; i++)
		rlp_put_u64(&out, (uint64_t)i * i * i);
	rlp_list_close(&out, inner);
	rlp_put_bytes(&out, bytes_of_str("a string that is a little longer than fifty-five bytes are"));
	rlp_list_close(&out, outer);
	cr_assert_eq(rlp_validate(buf_bytes(&out), NULL), OK);
	for (size_t size = 0; size < out.size; size++) {
		uint8_t *cut = xmalloc(size);

		memcpy(cut, out.data, size);
		cr_assert_eq(rlp_validate(bytes_of(cut, size), NULL), RLP_E_SHORT);
		free(cut);
	}
	buf_clear(&out);
}

/* --- numbers --- */

Test(rlp, numbers_have_no_leading_zeros)
{
	static const struct {
		uint64_t v;
		const char *text;
	} rows[] = {
		{ 0, "80" }, { 1, "01" }, { 0x7f, "7f" }, { 0x80, "8180" }, { 0xff, "81ff" },
		{ 0x100, "820100" }, { 0xffff, "82ffff" }, { 0x10000, "83010000" },
		{ 1ull << 56, "880100000000000000" }, { UINT64_MAX, "88ffffffffffffffff" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct bytes input = from_hex(rows[i].text);
		struct u256 wide = u256_of(rows[i].v), got_wide;
		struct buf out = { 0 };
		struct rlp_reader r;
		uint64_t got;

		rlp_put_u64(&out, rows[i].v);
		assert_hex(&out, rows[i].text);
		rlp_put_u256(&out, &wide);
		assert_hex(&out, rows[i].text);
		rlp_reader_init(&r, input);
		cr_assert_eq(rlp_read_u64(&r, &got, NULL), OK);
		cr_assert_eq(got, rows[i].v);
		cr_assert_not(rlp_reader_more(&r));
		rlp_reader_init(&r, input);
		cr_assert_eq(rlp_read_u256(&r, &got_wide, NULL), OK);
		cr_assert(u256_equal(&got_wide, &wide));
		drop(input);
	}
}

Test(rlp, every_bit_of_a_number_survives)
{
	for (unsigned bit = 0; bit < 256; bit++) {
		struct u256 v = u256_of(0), got;
		struct buf out = { 0 };
		struct rlp_reader r;
		uint64_t narrow;

		v.limbs[bit / 64] = 1ull << bit % 64;
		rlp_put_u256(&out, &v);
		rlp_reader_init(&r, buf_bytes(&out));
		cr_assert_eq(rlp_read_u64(&r, &narrow, NULL), bit < 64 ? OK : RLP_E_SIZE);
		cr_assert(bit >= 64 || narrow == 1ull << bit);
		rlp_reader_init(&r, buf_bytes(&out));
		cr_assert_eq(rlp_read_u256(&r, &got, NULL), OK);
		cr_assert(u256_equal(&v, &got));
		buf_clear(&out);
	}
}

Test(rlp, numbers_refuse_other_forms_and_stay)
{
	static const struct {
		const char *text;
		int want_u64, want_u256;
	} rows[] = {
		{ "00", RLP_E_NON_CANONICAL, RLP_E_NON_CANONICAL },
		{ "820001", RLP_E_NON_CANONICAL, RLP_E_NON_CANONICAL },
		{ "89010000000000000000", RLP_E_SIZE, OK },
		{ "a1010000000000000000000000000000000000000000000000000000000000000000",
		  RLP_E_SIZE, RLP_E_SIZE },
		{ "c0", RLP_E_KIND, RLP_E_KIND },
		{ "c101", RLP_E_KIND, RLP_E_KIND },
		{ "8101", RLP_E_NON_CANONICAL, RLP_E_NON_CANONICAL },
		{ "", RLP_E_SHORT, RLP_E_SHORT },
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct bytes input = from_hex(rows[i].text);
		struct u256 wide = u256_of(5);
		struct rlp_reader r, before;
		uint64_t v = 5;

		rlp_reader_init(&r, input);
		before = r;
		cr_assert_eq(rlp_read_u64(&r, &v, NULL), rows[i].want_u64, "%s", rows[i].text);
		cr_assert_eq(v, 5);
		cr_assert_eq(r.at, before.at);
		cr_assert_eq(rlp_read_u256(&r, &wide, NULL), rows[i].want_u256, "%s", rows[i].text);
		if (rows[i].want_u256 != OK) {
			cr_assert_eq(wide.limbs[0], 5);
			cr_assert_eq(r.at, before.at);
		}
		drop(input);
	}
}

/* --- fixed, raw, lists --- */

Test(rlp, read_fixed_wants_its_size)
{
	struct bytes input = from_hex("83616263");
	struct err err = { 0 };
	struct rlp_reader r;
	char got[5] = "????";

	rlp_reader_init(&r, input);
	cr_assert_eq(rlp_read_fixed(&r, got, 2, &err), RLP_E_SIZE);
	cr_assert_eq(rlp_read_fixed(&r, got, 4, &err), RLP_E_SIZE);
	cr_assert_str_eq(got, "????");
	cr_assert_str_eq(err.where, "rlp_read_fixed");
	cr_assert_eq(rlp_read_fixed(&r, got, 3, &err), OK);
	cr_assert_str_eq(got, "abc?");
	cr_assert_eq(rlp_read_fixed(&r, got, 3, &err), RLP_E_SHORT);
	drop(input);
}

Test(rlp, hashes_and_addresses_round_trip)
{
	struct hash h, got_h;
	struct addr a, got_a;
	struct buf out = { 0 };
	struct rlp_reader r;

	for (uint8_t i = 0; i < 32; i++)
		h.bytes[i] = i; /* leading zeros stay: it is no number */
	memset(a.bytes, 0, sizeof(a.bytes));
	rlp_put_hash(&out, &h);
	rlp_put_addr(&out, &a);
	cr_assert_eq(out.size, 33 + 21);
	rlp_reader_init(&r, buf_bytes(&out));
	cr_assert_eq(rlp_read_fixed(&r, got_h.bytes, 32, NULL), OK);
	cr_assert_eq(rlp_read_fixed(&r, got_a.bytes, 20, NULL), OK);
	cr_assert_eq(rlp_reader_end(&r, NULL), OK);
	cr_assert(hash_equal(&h, &got_h));
	cr_assert(addr_equal(&a, &got_a));
	buf_clear(&out);
}

Test(rlp, a_list_ends_where_it_says)
{
	struct bytes input = from_hex("c50183616263820400");
	struct rlp_reader top, list;
	struct bytes s, raw;
	uint64_t v;

	rlp_reader_init(&top, input);
	cr_assert(rlp_next_is_list(&top));
	cr_assert_eq(rlp_read_bytes(&top, &s, NULL), RLP_E_KIND);
	cr_assert_eq(rlp_read_list(&top, &list, NULL), OK);
	cr_assert_eq(rlp_read_u64(&list, &v, NULL), OK);
	cr_assert_eq(rlp_reader_end(&list, NULL), RLP_E_TRAILING);
	cr_assert_eq(rlp_read_list(&list, &list, NULL), RLP_E_KIND);
	cr_assert_eq(rlp_read_raw(&list, &raw, NULL), OK);
	cr_assert(bytes_equal(raw, bytes_of("\x83" "abc", 4)));
	cr_assert_eq(rlp_reader_end(&list, NULL), OK);
	cr_assert_eq(rlp_read_bytes(&list, &s, NULL), RLP_E_SHORT);
	cr_assert_not(rlp_next_is_list(&list));
	cr_assert_eq(rlp_read_u64(&top, &v, NULL), OK);
	cr_assert_eq(v, 1024);
	cr_assert_eq(rlp_reader_end(&top, NULL), OK);
	drop(input);
}

Test(rlp, a_list_may_be_read_into_its_own_reader)
{
	struct bytes input = from_hex("c3c2010203");
	struct rlp_reader r;
	uint64_t v;

	rlp_reader_init(&r, input);
	cr_assert_eq(rlp_read_list(&r, &r, NULL), OK);
	cr_assert_eq(rlp_read_list(&r, &r, NULL), OK);
	cr_assert_eq(rlp_read_u64(&r, &v, NULL), OK);
	cr_assert_eq(v, 1);
	cr_assert_eq(rlp_read_u64(&r, &v, NULL), OK);
	cr_assert_eq(v, 2);
	cr_assert_eq(rlp_reader_end(&r, NULL), OK, "3 belongs to nobody's list");
	drop(input);
}

Test(rlp, count_stops_at_the_limit)
{
	struct bytes input = from_hex("c0018261628103c101");
	struct rlp_reader r;
	size_t count = 99;

	rlp_reader_init(&r, bytes_of(input.data, 5));
	cr_assert_eq(rlp_count(&r, &count, 3, NULL), OK);
	cr_assert_eq(count, 3);
	count = 99;
	cr_assert_eq(rlp_count(&r, &count, 2, NULL), RLP_E_COUNT);
	cr_assert_eq(count, 99);
	cr_assert_eq(r.at, input.data);
	rlp_reader_init(&r, input);
	cr_assert_eq(rlp_count(&r, &count, 9, NULL), RLP_E_NON_CANONICAL);
	rlp_reader_init(&r, bytes_of(NULL, 0));
	cr_assert_eq(rlp_count(&r, &count, 0, NULL), OK);
	cr_assert_eq(count, 0);
	drop(input);
}

/* --- depth --- */

static struct buf nest(unsigned depth)
{
	size_t marks[300];
	struct buf out = { 0 };

	for (unsigned i = 0; i < depth; i++)
		marks[i] = rlp_list_open(&out);
	for (unsigned i = depth; i-- > 0;)
		rlp_list_close(&out, marks[i]);
	return out;
}

Test(rlp, validate_bounds_the_depth)
{
	for (unsigned depth = 1; depth <= 300; depth++) {
		struct buf nested = nest(depth);

		cr_assert_eq(rlp_validate(buf_bytes(&nested), NULL),
			     depth <= LIMIT_RLP_DEPTH_MAX ? OK : RLP_E_DEPTH, "%u", depth);
		buf_clear(&nested);
	}
}

Test(rlp, validate_walks_many_items)
{
	struct buf out = { 0 };
	size_t mark = rlp_list_open(&out);

	for (int i = 0; i < 200000; i++)
		rlp_list_close(&out, rlp_list_open(&out));
	rlp_list_close(&out, mark);
	cr_assert_eq(rlp_validate(buf_bytes(&out), NULL), OK);
	out.data[out.size - 1] = 0xc1;
	cr_assert_eq(rlp_validate(buf_bytes(&out), NULL), RLP_E_SHORT);
	buf_clear(&out);
}

/* --- list encoding --- */

Test(rlp, lists_of_every_size_equal_header_and_payload)
{
	static const size_t sizes[] = { 0, 1, 54, 55, 56, 57, 255, 256, 300, 65535, 65536, 66000 };

	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		struct buf out = { 0 };
		struct rlp_reader r, list;
		size_t mark;

		buf_append(&out, "before", 6);
		mark = rlp_list_open(&out);
		for (size_t k = 0; k < sizes[i]; k++)
			buf_append_byte(&out, (uint8_t)(k % 0x80));
		rlp_list_close(&out, mark);
		cr_assert_eq(memcmp(out.data, "before", 6), 0);
		cr_assert_eq(out.size, 6 + rlp_header_size(sizes[i]) + sizes[i]);
		rlp_reader_init(&r, bytes_of(out.data + 6, out.size - 6));
		cr_assert_eq(rlp_read_list(&r, &list, NULL), OK);
		cr_assert_eq(rlp_reader_end(&r, NULL), OK);
		cr_assert_eq((size_t)(list.end - list.at), sizes[i]);
		for (size_t k = 0; k < sizes[i]; k++)
			cr_assert_eq(list.at[k], k % 0x80);
		buf_clear(&out);
	}
}

Test(rlp, closing_what_is_not_open_aborts, .signal = SIGABRT)
{
	struct buf out = { 0 };

	rlp_list_close(&out, 1);
}

/* A tree by a seed, written; read and written again it must not change. */
static void put_random(struct buf *out, struct rng *r, unsigned depth)
{
	for (uint64_t n = rng_below(r, 6); n > 0; n--) {
		if (depth < 6 && rng_below(r, 3) == 0) {
			size_t mark = rlp_list_open(out);

			put_random(out, r, depth + 1);
			rlp_list_close(out, mark);
		} else if (rng_below(r, 2)) {
			rlp_put_u64(out, rng_next(r) >> rng_below(r, 64));
		} else {
			uint8_t s[100];

			memset(s, (int)rng_below(r, 256), sizeof(s));
			rlp_put_bytes(out, bytes_of(s, (size_t)rng_below(r, sizeof(s) + 1)));
		}
	}
}

static void copy(struct rlp_reader *r, struct buf *out)
{
	while (rlp_reader_more(r)) {
		struct rlp_reader list;
		struct bytes s;

		if (rlp_next_is_list(r)) {
			size_t mark = rlp_list_open(out);

			cr_assert_eq(rlp_read_list(r, &list, NULL), OK);
			copy(&list, out);
			rlp_list_close(out, mark);
		} else {
			cr_assert_eq(rlp_read_bytes(r, &s, NULL), OK);
			rlp_put_bytes(out, s);
		}
	}
}

Test(rlp, random_trees_round_trip)
{
	struct rng rng;

	rng_init(&rng, 1);
	for (int i = 0; i < 2000; i++) {
		struct buf one = { 0 }, two = { 0 };
		struct rlp_reader r;
		size_t mark = rlp_list_open(&one);

		put_random(&one, &rng, 1);
		rlp_list_close(&one, mark);
		cr_assert_eq(rlp_validate(buf_bytes(&one), NULL), OK);
		rlp_reader_init(&r, buf_bytes(&one));
		copy(&r, &two);
		cr_assert(bytes_equal(buf_bytes(&one), buf_bytes(&two)));
		buf_clear(&one);
		buf_clear(&two);
	}
}
