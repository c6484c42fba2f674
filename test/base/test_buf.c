#include <criterion/criterion.h>
#include <signal.h>

#include "base/buf.h"
#include "base/rand.h"

Test(buf, append_grows_and_keeps_content)
{
	struct buf b = { 0 };

	for (unsigned i = 0; i < 100000; i++)
		buf_append_byte(&b, (uint8_t)(i * 7));
	cr_assert_eq(b.size, 100000);
	cr_assert_geq(b.capacity, b.size);
	for (unsigned i = 0; i < 100000; i++)
		cr_assert_eq(b.data[i], (uint8_t)(i * 7));
	buf_clear(&b);
	cr_assert_null(b.data);
	cr_assert_eq(b.size, 0);
	cr_assert_eq(b.capacity, 0);
}

Test(buf, append_any_sizes_equals_model)
{
	static uint8_t model[1 << 16], piece[600];
	struct buf b = { 0 };
	struct rng r;
	size_t size = 0;

	rng_init(&r, 1);
	while (size + sizeof(piece) <= sizeof(model)) {
		size_t more = (size_t)rng_below(&r, sizeof(piece) + 1);

		for (size_t i = 0; i < more; i++)
			piece[i] = (uint8_t)rng_next(&r);
		memcpy(model + size, piece, more);
		size += more;
		buf_append(&b, piece, more);
		cr_assert(bytes_equal(buf_bytes(&b), bytes_of(model, size)));
	}
	buf_clear(&b);
}

Test(buf, reserve_keeps_size_and_makes_room)
{
	struct buf b = { 0 };
	uint8_t *before;

	buf_append(&b, "abc", 3);
	buf_reserve(&b, 1000);
	cr_assert_eq(b.size, 3);
	cr_assert_geq(b.capacity, 1003);
	before = b.data;
	memset(buf_extend(&b, 1000), 'x', 1000);
	cr_assert_eq(b.data, before, "what was reserved does not move");
	cr_assert_eq(memcmp(b.data, "abcxxx", 6), 0);
	buf_clear(&b);
}

Test(buf, extend_by_nothing_gives_a_pointer)
{
	struct buf b = { 0 };

	cr_assert_not_null(buf_extend(&b, 0));
	cr_assert_eq(b.size, 0);
	buf_append(&b, NULL, 0);
	buf_append_bytes(&b, bytes_of(NULL, 0));
	cr_assert_eq(b.size, 0);
	buf_clear(&b);
}

Test(buf, reset_keeps_memory)
{
	struct buf b = { 0 };
	size_t capacity;

	buf_append(&b, "0123456789", 10);
	capacity = b.capacity;
	buf_reset(&b);
	cr_assert_eq(b.size, 0);
	cr_assert_eq(b.capacity, capacity);
	buf_clear(&b);
}

Test(buf, printf_appends_without_nul)
{
	struct buf b = { 0 };
	char wide[300];

	buf_printf(&b, "%s", "");
	cr_assert_eq(b.size, 0);
	buf_printf(&b, "%d-%s", -5, "x");
	buf_printf(&b, "|%03u", 7u);
	cr_assert(bytes_equal(buf_bytes(&b), bytes_of_str("-5-x|007")));
	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	buf_printf(&b, "%s", wide);
	cr_assert_eq(b.size, 8 + 299);
	cr_assert_eq(b.data[8 + 298], 'w');
	buf_clear(&b);
}

Test(buf, clear_twice_is_harmless)
{
	struct buf b = { 0 };

	buf_append(&b, "x", 1);
	buf_clear(&b);
	buf_clear(&b);
	buf_append(&b, "y", 1);
	cr_assert(bytes_equal(buf_bytes(&b), bytes_of_str("y")));
	buf_clear(&b);
}

Test(buf, reserve_beyond_address_space_aborts, .signal = SIGABRT)
{
	struct buf b = { 0 };

	buf_append(&b, "x", 1);
	buf_reserve(&b, SIZE_MAX);
}

Test(bytes, equal_compares_size_and_content)
{
	cr_assert(bytes_equal(bytes_of(NULL, 0), bytes_of("", 0)));
	cr_assert(bytes_equal(bytes_of_str("abc"), bytes_of_str("abc")));
	cr_assert_not(bytes_equal(bytes_of_str("abc"), bytes_of_str("abd")));
	cr_assert_not(bytes_equal(bytes_of_str("abc"), bytes_of_str("ab")));
}

Test(bytes, compare_is_lexicographic)
{
	static const char *const ordered[] = { "", "a", "aa", "ab", "b", "\x7f", "\x80", "\xff\x01" };

	for (size_t i = 0; i < ARRAY_COUNT(ordered); i++) {
		for (size_t k = 0; k < ARRAY_COUNT(ordered); k++) {
			int order = bytes_compare(bytes_of_str(ordered[i]), bytes_of_str(ordered[k]));

			cr_assert_eq((order > 0) - (order < 0), (i > k) - (i < k), "%zu %zu", i, k);
		}
	}
	cr_assert_lt(bytes_compare(bytes_of(NULL, 0), bytes_of_str("a")), 0);
}

Test(bytes, hash_and_addr_tell_every_byte)
{
	struct hash a = { { 0 } }, b = { { 0 } };
	struct addr c = { { 0 } }, d = { { 0 } };

	cr_assert(hash_equal(&a, &b) && hash_is_zero(&a));
	cr_assert(addr_equal(&c, &d) && addr_is_zero(&c));
	for (size_t i = 0; i < sizeof(a.bytes); i++) {
		a.bytes[i] = 1;
		cr_assert_not(hash_equal(&a, &b));
		cr_assert_not(hash_is_zero(&a));
		a.bytes[i] = 0;
	}
	for (size_t i = 0; i < sizeof(c.bytes); i++) {
		c.bytes[i] = 0x80;
		cr_assert_not(addr_equal(&c, &d));
		cr_assert_not(addr_is_zero(&c));
		c.bytes[i] = 0;
	}
	cr_assert_eq(hash_bytes(&a).size, 32);
	cr_assert_eq(addr_bytes(&c).size, 20);
}

Test(bytes, load_and_store_know_the_order)
{
	static const uint8_t p[9] = { 0xee, 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t out[9] = { 0 };

	cr_assert_eq(load_be32(p + 1), 0x01020304u);
	cr_assert_eq(load_le32(p + 1), 0x04030201u);
	cr_assert_eq(load_be64(p + 1), 0x0102030405060708u);
	cr_assert_eq(load_le64(p + 1), 0x0807060504030201u);
	store_be32(out + 1, 0x01020304u);
	cr_assert_eq(memcmp(out + 1, p + 1, 4), 0);
	store_le32(out + 1, 0x04030201u);
	cr_assert_eq(memcmp(out + 1, p + 1, 4), 0);
	store_be64(out + 1, 0x0102030405060708u);
	cr_assert_eq(memcmp(out + 1, p + 1, 8), 0);
	store_le64(out + 1, 0x0807060504030201u);
	cr_assert_eq(memcmp(out + 1, p + 1, 8), 0);
}
