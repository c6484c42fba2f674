#include <criterion/criterion.h>

#include "base/rand.h"
#include "codec/hex.h"

static const uint8_t digits_of_bytes[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };

Test(hex, encode_writes_lowercase)
{
	char text[17] = { 0 };

	hex_encode(text, bytes_of(digits_of_bytes, sizeof(digits_of_bytes)));
	cr_assert_str_eq(text, "0123456789abcdef");
	hex_encode(text, bytes_of(NULL, 0));
	cr_assert_str_eq(text, "0123456789abcdef");
}

Test(hex, decode_takes_either_case)
{
	uint8_t got[8];

	cr_assert(hex_decode(got, 8, bytes_of_str("0123456789abcdef")));
	cr_assert_eq(memcmp(got, digits_of_bytes, 8), 0);
	cr_assert(hex_decode(got, 8, bytes_of_str("0123456789ABCdEF")));
	cr_assert_eq(memcmp(got, digits_of_bytes, 8), 0);
	cr_assert(hex_decode(got, 0, bytes_of(NULL, 0)));
}

/* All pairs of characters, against the definition. */
Test(hex, decode_knows_every_character)
{
	for (unsigned high = 0; high < 256; high++) {
		for (unsigned low = 0; low < 256; low++) {
			uint8_t text[2] = { (uint8_t)high, (uint8_t)low }, got = 0xee;
			static const char digits[] = "0123456789abcdef0123456789ABCDEF";
			const char *h = high ? strchr(digits, (int)high) : NULL;
			const char *l = low ? strchr(digits, (int)low) : NULL;

			cr_assert_eq(hex_decode(&got, 1, bytes_of(text, 2)), h && l);
			cr_assert_eq(got, h && l ? (h - digits) % 16 * 16 + (l - digits) % 16 : 0xee);
		}
	}
}

Test(hex, decode_refuses_other_sizes)
{
	uint8_t got[4];

	cr_assert_not(hex_decode(got, 4, bytes_of_str("0123456")));
	cr_assert_not(hex_decode(got, 4, bytes_of_str("012345")));
	cr_assert_not(hex_decode(got, 4, bytes_of_str("0123456789")));
	cr_assert_not(hex_decode(got, 3, bytes_of_str("0x0123")));
	cr_assert_not(hex_decode(got, 0, bytes_of_str("0")));
}

Test(hex, data_has_prefix_and_nul)
{
	char text[2 + 16 + 1];
	struct hash h = { { 0 } };
	struct addr a = { { 0 } };
	char hash_text[HEX_HASH_SIZE], addr_text[HEX_ADDR_SIZE];

	cr_assert_str_eq(hex_data(text, bytes_of(digits_of_bytes, 8)), "0x0123456789abcdef");
	cr_assert_str_eq(hex_data(text, bytes_of(NULL, 0)), "0x");
	cr_assert_eq(strlen(hex_data(hash_text, hash_bytes(&h))), HEX_HASH_SIZE - 1);
	cr_assert_eq(strlen(hex_data(addr_text, addr_bytes(&a))), HEX_ADDR_SIZE - 1);
}

Test(hex, parse_data_appends_or_leaves_alone)
{
	static const char *const bad[] = {
		"", "0", "x", "0x0", "0x012", "0X01", "01", "0xg0", "0x0g", "0x01 ", " 0x01", "0x-1",
		"0x0x01", "0x010203",
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cr_assert_not(hex_parse_data(&out, bytes_of_str(bad[i]), 2), "%s", bad[i]);
		cr_assert_eq(out.size, 0);
	}
	cr_assert_not(hex_parse_data(&out, bytes_of("0x\0\0", 4), 2));
	cr_assert(hex_parse_data(&out, bytes_of_str("0x"), 0));
	cr_assert_eq(out.size, 0);
	cr_assert(hex_parse_data(&out, bytes_of_str("0x0aFf"), 2));
	cr_assert(hex_parse_data(&out, bytes_of_str("0x00"), 2));
	cr_assert(bytes_equal(buf_bytes(&out), bytes_of("\x0a\xff\0", 3)));
	buf_clear(&out);
}

Test(hex, parse_fixed_wants_its_size)
{
	uint8_t got[2] = { 7, 7 };

	cr_assert_not(hex_parse_fixed(got, 2, bytes_of_str("0x01")));
	cr_assert_not(hex_parse_fixed(got, 2, bytes_of_str("0x010203")));
	cr_assert_not(hex_parse_fixed(got, 2, bytes_of_str("0x01zz")));
	cr_assert_not(hex_parse_fixed(got, 2, bytes_of_str("010203")));
	cr_assert_eq(got[0], 7);
	cr_assert(hex_parse_fixed(got, 2, bytes_of_str("0x0102")));
	cr_assert(got[0] == 1 && got[1] == 2);
}

Test(hex, quantity_has_one_form)
{
	static const struct {
		uint64_t v;
		const char *text;
	} rows[] = {
		{ 0, "0x0" }, { 1, "0x1" }, { 15, "0xf" }, { 16, "0x10" }, { 255, "0xff" },
		{ 256, "0x100" }, { 0xabcde, "0xabcde" }, { UINT64_MAX, "0xffffffffffffffff" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char text[HEX_U64_SIZE], wide_text[HEX_U256_SIZE];
		struct u256 wide = u256_of(rows[i].v), got_wide;
		uint64_t got;

		cr_assert_eq(hex_format_u64(text, rows[i].v), strlen(rows[i].text));
		cr_assert_str_eq(text, rows[i].text);
		cr_assert_eq(hex_format_u256(wide_text, &wide), strlen(rows[i].text));
		cr_assert_str_eq(wide_text, rows[i].text);
		cr_assert(hex_parse_u64(&got, bytes_of_str(text)));
		cr_assert_eq(got, rows[i].v);
		cr_assert(hex_parse_u256(&got_wide, bytes_of_str(text)));
		cr_assert(u256_equal(&wide, &got_wide));
	}
}

Test(hex, quantity_refuses_other_forms)
{
	static const char *const bad[] = {
		"", "0", "0x", "0x00", "0x01", "0x0f", "0X1", "1", "-0x1", "0x-1", "0x 1", "0x1 ", "0xg",
		"0x1.0",
	};
	struct u256 wide = u256_of(9);
	uint64_t v = 9;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		cr_assert_not(hex_parse_u64(&v, bytes_of_str(bad[i])), "%s", bad[i]);
		cr_assert_not(hex_parse_u256(&wide, bytes_of_str(bad[i])), "%s", bad[i]);
	}
	cr_assert_not(hex_parse_u64(&v, bytes_of_str("0x10000000000000000")));
	cr_assert(hex_parse_u256(&wide, bytes_of_str("0x10000000000000000")));
	cr_assert(wide.limbs[0] == 0 && wide.limbs[1] == 1);
	cr_assert_not(hex_parse_u256(&wide, bytes_of_str(
		"0x10000000000000000000000000000000000000000000000000000000000000000")));
	cr_assert(wide.limbs[1] == 1 && v == 9, "unchanged");
	cr_assert(hex_parse_u64(&v, bytes_of_str("0xAbC")));
	cr_assert_eq(v, 0xabc);
}

Test(hex, quantity_of_every_bit_round_trips)
{
	for (unsigned bit = 0; bit < 256; bit++) {
		char text[HEX_U256_SIZE];
		struct u256 v = u256_of(0), got;

		v.limbs[bit / 64] = 1ull << bit % 64;
		cr_assert_eq(hex_format_u256(text, &v), 2 + bit / 4 + 1);
		cr_assert(hex_parse_u256(&got, bytes_of_str(text)));
		cr_assert(u256_equal(&v, &got));
	}
}

Test(hex, random_data_round_trips)
{
	static uint8_t data[300], back[300];
	static char text[603];
	struct rng r;

	rng_init(&r, 1);
	for (size_t size = 0; size <= sizeof(data); size++) {
		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t)rng_next(&r);
		hex_data(text, bytes_of(data, size));
		cr_assert(hex_parse_fixed(back, size, bytes_of_str(text)));
		cr_assert(bytes_equal(bytes_of(back, size), bytes_of(data, size)));
	}
}
