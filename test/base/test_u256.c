#include <criterion/criterion.h>
#include <signal.h>

#include "base/amount.h"
#include "base/rand.h"
#include "base/u256.h"

typedef unsigned __int128 u128;

static const struct u256 zero, one = { { 1 } };
static const struct u256 largest = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };

static struct u256 of_u128(u128 v)
{
	return (struct u256){ { (uint64_t)v, (uint64_t)(v >> 64) } };
}

static struct u256 of_text(const char *text)
{
	struct u256 v;

	cr_assert(u256_from_decimal(&v, bytes_of_str(text)), "%s", text);
	return v;
}

/* Random with a random number of limbs, and limbs that like the edges. */
static struct u256 draw(struct rng *r)
{
	struct u256 v = { { 0 } };
	uint64_t limbs = rng_below(r, 5);

	for (uint64_t i = 0; i < limbs; i++) {
		uint64_t kind = rng_below(r, 4);

		v.limbs[i] = kind == 0 ? 0 : kind == 1 ? UINT64_MAX : rng_next(r);
	}
	return v;
}

static void assert_equal(const struct u256 *a, const struct u256 *b)
{
	char left[U256_DECIMAL_MAX + 1], right[U256_DECIMAL_MAX + 1];

	cr_assert(u256_equal(a, b), "%s is not %s", u256_to_decimal(left, a),
		  u256_to_decimal(right, b));
}

Test(u256, compare_looks_at_the_highest_limb_first)
{
	for (int i = 0; i < 4; i++) {
		struct u256 a = zero, b = zero;

		a.limbs[i] = 1;
		for (int k = 0; k < i; k++)
			b.limbs[k] = UINT64_MAX;
		cr_assert_gt(u256_compare(&a, &b), 0);
		cr_assert_lt(u256_compare(&b, &a), 0);
		cr_assert_eq(u256_compare(&a, &a), 0);
		cr_assert_not(u256_equal(&a, &b));
		cr_assert_not(u256_is_zero(&a));
		cr_assert_eq(u256_fits_u64(&a), i == 0);
	}
	cr_assert(u256_is_zero(&zero));
	cr_assert(u256_fits_u64(&zero));
}

Test(u256, small_operations_equal_int128)
{
	struct rng r;

	rng_init(&r, 1);
	for (int i = 0; i < 20000; i++) {
		uint64_t a = rng_next(&r) >> rng_below(&r, 64), b = rng_next(&r) >> rng_below(&r, 64);
		struct u256 x = u256_of(a), y = u256_of(b), got, want;

		cr_assert_not(u256_add(&got, &x, &y));
		want = of_u128((u128)a + b);
		assert_equal(&got, &want);
		cr_assert_not(u256_mul(&got, &x, &y));
		want = of_u128((u128)a * b);
		assert_equal(&got, &want);
		cr_assert_eq(u256_sub(&got, &x, &y), a < b);
		if (a >= b) {
			want = u256_of(a - b);
			assert_equal(&got, &want);
		}
		cr_assert_eq(u256_compare(&x, &y) < 0, a < b);
	}
}

Test(u256, division_equals_int128)
{
	struct rng r;

	rng_init(&r, 2);
	for (int i = 0; i < 20000; i++) {
		u128 a = ((u128)rng_next(&r) << 64 | rng_next(&r)) >> rng_below(&r, 128);
		uint64_t b = rng_next(&r) >> rng_below(&r, 64);
		struct u256 x = of_u128(a), got, want;

		if (b == 0)
			b = 1;
		cr_assert_eq(u256_div_u64(&got, &x, b), (uint64_t)(a % b));
		want = of_u128(a / b);
		assert_equal(&got, &want);
	}
}

Test(u256, add_and_sub_undo_each_other)
{
	struct rng r;

	rng_init(&r, 3);
	for (int i = 0; i < 20000; i++) {
		struct u256 a = draw(&r), b = draw(&r), sum, back;
		bool over = u256_add(&sum, &a, &b);

		cr_assert_eq(over, u256_compare(&sum, &a) < 0);
		cr_assert_eq(u256_sub(&back, &sum, &b), over);
		assert_equal(&back, &a);
		cr_assert_eq(u256_sub(&back, &a, &b), u256_compare(&a, &b) < 0);
	}
}

Test(u256, mul_overflows_exactly_above_the_largest)
{
	struct rng r;

	rng_init(&r, 4);
	for (int i = 0; i < 20000; i++) {
		struct u256 a = draw(&r), product, back, limit, factor, narrow;
		uint64_t b = rng_next(&r) >> rng_below(&r, 64);
		bool over;

		factor = u256_of(b);
		over = u256_mul(&product, &a, &factor);
		narrow = a;
		cr_assert_eq(u256_mul_u64(&narrow, &narrow, b), over);
		assert_equal(&narrow, &product);
		if (b == 0) {
			cr_assert_not(over);
			cr_assert(u256_is_zero(&product));
			continue;
		}
		u256_div_u64(&limit, &largest, b);
		cr_assert_eq(over, u256_compare(&a, &limit) > 0);
		if (!over) {
			cr_assert_eq(u256_div_u64(&back, &product, b), 0);
			assert_equal(&back, &a);
		}
	}
}

/* (a + b)·c = a·c + b·c modulo 2^256, and multiplication commutes. */
Test(u256, mul_distributes_and_commutes)
{
	struct rng r;

	rng_init(&r, 5);
	for (int i = 0; i < 20000; i++) {
		struct u256 a = draw(&r), b = draw(&r), c = draw(&r), left, right, other;

		u256_add(&left, &a, &b);
		u256_mul(&left, &left, &c);
		u256_mul(&right, &a, &c);
		u256_mul(&other, &b, &c);
		u256_add(&right, &right, &other);
		assert_equal(&left, &right);
		cr_assert_eq(u256_mul(&left, &a, &b), u256_mul(&right, &b, &a));
		assert_equal(&left, &right);
	}
}

Test(u256, mul_of_two_powers)
{
	for (unsigned x = 0; x < 256; x++) {
		for (unsigned y = 0; y < 256; y++) {
			struct u256 a = zero, b = zero, want = zero, got;

			a.limbs[x / 64] = 1ull << x % 64;
			b.limbs[y / 64] = 1ull << y % 64;
			if (x + y < 256)
				want.limbs[(x + y) / 64] = 1ull << (x + y) % 64;
			cr_assert_eq(u256_mul(&got, &a, &b), x + y >= 256, "%u %u", x, y);
			assert_equal(&got, &want);
		}
	}
}

Test(u256, edges_report_overflow)
{
	struct u256 half = { { 0, 0, 1 } }, got; /* 2^128 */

	cr_assert(u256_add(&got, &largest, &one));
	assert_equal(&got, &zero);
	cr_assert_not(u256_add(&got, &largest, &zero));
	assert_equal(&got, &largest);
	cr_assert(u256_sub(&got, &zero, &one));
	assert_equal(&got, &largest);
	cr_assert(u256_sub(&got, &zero, &largest));
	assert_equal(&got, &one);
	cr_assert(u256_mul(&got, &half, &half));
	assert_equal(&got, &zero);
	cr_assert(u256_mul(&got, &largest, &largest));
	assert_equal(&got, &one);
	cr_assert_not(u256_mul(&got, &largest, &one));
	assert_equal(&got, &largest);
	cr_assert_eq(u256_div_u64(&got, &largest, UINT64_MAX), 0);
	cr_assert_eq(got.limbs[3], 1);
}

Test(u256, operands_may_be_the_result)
{
	struct rng r;

	rng_init(&r, 6);
	for (int i = 0; i < 2000; i++) {
		struct u256 a = draw(&r), b = draw(&r), want, got;

		u256_add(&want, &a, &b);
		got = a, u256_add(&got, &got, &b), assert_equal(&got, &want);
		got = b, u256_add(&got, &a, &got), assert_equal(&got, &want);
		u256_sub(&want, &a, &b);
		got = a, u256_sub(&got, &got, &b), assert_equal(&got, &want);
		got = b, u256_sub(&got, &a, &got), assert_equal(&got, &want);
		u256_mul(&want, &a, &b);
		got = a, u256_mul(&got, &got, &b), assert_equal(&got, &want);
		got = b, u256_mul(&got, &a, &got), assert_equal(&got, &want);
		u256_div_u64(&want, &a, 1000003);
		got = a, u256_div_u64(&got, &got, 1000003), assert_equal(&got, &want);
	}
}

Test(u256, div_by_zero_aborts, .signal = SIGABRT)
{
	struct u256 got;

	u256_div_u64(&got, &one, 0);
}

/* From arithmetic elsewhere. */
Test(u256, published_products)
{
	struct u256 a = of_text("340282366920938463463374607431768211297"); /* 2^128 - 159 */
	struct u256 b = of_text("1000000000000000000"), got;
	char text[U256_DECIMAL_MAX + 1];

	cr_assert_not(u256_mul(&got, &a, &b));
	cr_assert_str_eq(u256_to_decimal(text, &got),
			 "340282366920938463463374607431768211297000000000000000000");
	cr_assert_not(u256_mul(&got, &a, &a));
	cr_assert_str_eq(u256_to_decimal(text, &got),
			 "115792089237316195423570985008687907745060191984782132658104"
			 "458844610838422209");
}

Test(u256, bytes_round_trip)
{
	struct u256 empty;
	uint8_t be[32];
	struct rng r;

	rng_init(&r, 7);
	for (int i = 0; i < 2000; i++) {
		struct u256 a = draw(&r), back;
		size_t size = u256_byte_length(&a);

		u256_to_be32(be, &a);
		back = u256_from_be(bytes_of(be, sizeof(be)));
		assert_equal(&back, &a);
		back = u256_from_be(bytes_of(be + 32 - size, size));
		assert_equal(&back, &a);
		cr_assert(size == 0 || be[32 - size] != 0);
		for (size_t k = 0; k < 32 - size; k++)
			cr_assert_eq(be[k], 0);
	}
	cr_assert_eq(u256_byte_length(&zero), 0);
	for (unsigned bit = 0; bit < 256; bit++) {
		struct u256 v = zero;

		v.limbs[bit / 64] = 1ull << bit % 64;
		cr_assert_eq(u256_byte_length(&v), bit / 8 + 1);
		u256_to_be32(be, &v);
		cr_assert_eq(be[31 - bit / 8], 1u << bit % 8);
	}
	empty = u256_from_be(bytes_of(NULL, 0));
	cr_assert(u256_is_zero(&empty));
}

Test(u256, from_too_many_bytes_aborts, .signal = SIGABRT)
{
	uint8_t be[33] = { 0 };

	u256_from_be(bytes_of(be, sizeof(be)));
}

Test(u256, decimal_known_values)
{
	static const char *const texts[] = {
		"0", "1", "9", "10", "18446744073709551615", "18446744073709551616",
		"340282366920938463463374607431768211456",
		"115792089237316195423570985008687907853269984665640564039457584007913129639935",
	};
	char text[U256_DECIMAL_MAX + 1];

	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct u256 v = of_text(texts[i]);

		cr_assert_str_eq(u256_to_decimal(text, &v), texts[i]);
	}
	cr_assert_str_eq(u256_to_decimal(text, &largest), texts[ARRAY_COUNT(texts) - 1]);
}

Test(u256, decimal_round_trip)
{
	char text[U256_DECIMAL_MAX + 1];
	struct rng r;

	rng_init(&r, 8);
	for (int i = 0; i < 2000; i++) {
		struct u256 a = draw(&r), back;

		cr_assert(u256_from_decimal(&back, bytes_of_str(u256_to_decimal(text, &a))));
		assert_equal(&back, &a);
	}
}

Test(u256, decimal_refuses_other_text)
{
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "0x1", "1e3", "1.0", "a", "/", ":",
		/* 2^256, and one digit more than fits. */
		"115792089237316195423570985008687907853269984665640564039457584007913129639936",
		"999999999999999999999999999999999999999999999999999999999999999999999999999999",
		"0000000000000000000000000000000000000000000000000000000000000000000000000000001",
	};
	struct u256 v = u256_of(42);

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		cr_assert_not(u256_from_decimal(&v, bytes_of_str(bad[i])), "%s", bad[i]);
	cr_assert_not(u256_from_decimal(&v, bytes_of("1\0", 2)));
	cr_assert_eq(v.limbs[0], 42, "unchanged");
	cr_assert(u256_from_decimal(&v, bytes_of_str("0007")));
	cr_assert_eq(v.limbs[0], 7);
}

Test(amount, wei_reports_overflow)
{
	struct wei rich = { largest }, got;

	cr_assert_not(wei_add(&got, wei_of(2), wei_of(3)));
	cr_assert_eq(wei_compare(got, wei_of(5)), 0);
	cr_assert(wei_add(&got, rich, wei_of(1)));
	cr_assert(wei_sub(&got, wei_of(1), wei_of(2)));
	cr_assert_not(wei_mul_gas(&got, wei_of(WEI_PER_GWEI), 21000));
	cr_assert_eq(wei_compare(got, wei_of(21000 * WEI_PER_GWEI)), 0);
	cr_assert(wei_mul_gas(&got, rich, 2));
	cr_assert_lt(wei_compare(wei_of(1), wei_of(2)), 0);
}
