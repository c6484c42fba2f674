/* 256-bit arithmetic against what schoolbook algorithms give, bit by bit. */
#include <criterion/criterion.h>

#include "base/rand.h"
#include "vm/word.h"

#define ROUND_COUNT 20000

/* Words of all lengths, with runs of ones and zeros: where carries go wrong. */
static struct u256 any(struct rng *r)
{
	struct u256 w;

	for (int i = 0; i < 4; i++)
		switch (rng_below(r, 5)) {
		case 0:
			w.limbs[i] = 0;
			break;
		case 1:
			w.limbs[i] = UINT64_MAX;
			break;
		case 2:
			w.limbs[i] = 1ull << rng_below(r, 64);
			break;
		default:
			w.limbs[i] = rng_next(r);
		}
	for (uint64_t drop = rng_below(r, 5); drop > 1; drop--)
		w.limbs[5 - drop] = 0;
	return w;
}

/* Long division, a bit at a time; the dividend has 512 bits. */
static void divide_slowly(const uint64_t dividend[8], const struct u256 *d, struct u256 *quotient,
			  struct u256 *rest)
{
	struct u256 q = u256_of(0), r = u256_of(0);

	for (int i = 511; i >= 0; i--) {
		bool carry = r.limbs[3] >> 63;

		u256_add(&r, &r, &r);
		r.limbs[0] |= dividend[i / 64] >> (i % 64) & 1;
		u256_add(&q, &q, &q);
		if (carry || u256_compare(&r, d) >= 0) {
			u256_sub(&r, &r, d);
			q.limbs[0] |= 1;
		}
	}
	*quotient = q;
	*rest = r;
}

Test(vm_word, div_and_mod_match_long_division)
{
	struct rng r;

	rng_init(&r, 1);
	for (int i = 0; i < ROUND_COUNT; i++) {
		struct u256 a = any(&r), b = any(&r), q, m, got;
		uint64_t wide[8] = { 0 };

		if (u256_is_zero(&b)) {
			word_div(&got, &a, &b);
			cr_assert(u256_is_zero(&got));
			word_mod(&got, &a, &b);
			cr_assert(u256_is_zero(&got));
			continue;
		}
		memcpy(wide, a.limbs, sizeof(a.limbs));
		divide_slowly(wide, &b, &q, &m);
		word_div(&got, &a, &b);
		cr_assert(u256_equal(&got, &q), "round %d", i);
		word_mod(&got, &a, &b);
		cr_assert(u256_equal(&got, &m), "round %d", i);
	}
}

Test(vm_word, mulmod_and_addmod_match_long_division)
{
	struct rng r;

	rng_init(&r, 2);
	for (int i = 0; i < ROUND_COUNT; i++) {
		struct u256 a = any(&r), b = any(&r), m = any(&r), q, want, got;
		uint64_t product[8] = { 0 }, sum[8] = { 0 };

		if (u256_is_zero(&m))
			continue;
		for (int x = 0; x < 4; x++) {
			word_u128 carry = 0;

			for (int y = 0; y < 4; y++) {
				carry += (word_u128)a.limbs[x] * b.limbs[y] + product[x + y];
				product[x + y] = (uint64_t)carry;
				carry >>= 64;
			}
			product[x + 4] = (uint64_t)carry;
		}
		divide_slowly(product, &m, &q, &want);
		word_mulmod(&got, &a, &b, &m);
		cr_assert(u256_equal(&got, &want), "round %d", i);
		sum[4] = u256_add(&got, &a, &b);
		memcpy(sum, got.limbs, sizeof(got.limbs));
		divide_slowly(sum, &m, &q, &want);
		word_addmod(&got, &a, &b, &m);
		cr_assert(u256_equal(&got, &want), "round %d", i);
	}
}

Test(vm_word, add_sub_mul_match_the_base)
{
	struct rng r;

	rng_init(&r, 3);
	for (int i = 0; i < ROUND_COUNT; i++) {
		struct u256 a = any(&r), b = any(&r), want, got;
		uint64_t small = rng_next(&r);
		struct u256 factor = u256_of(small);

		cr_assert_eq(word_add(&got, &a, &b), u256_add(&want, &a, &b));
		cr_assert(u256_equal(&got, &want));
		cr_assert_eq(word_sub(&got, &a, &b), u256_sub(&want, &a, &b));
		cr_assert(u256_equal(&got, &want));
		u256_mul(&want, &a, &b);
		word_mul(&got, &a, &b);
		cr_assert(u256_equal(&got, &want));
		u256_mul(&want, &a, &factor);
		got = a;
		word_mul_small(&got, small);
		cr_assert(u256_equal(&got, &want));
		u256_add(&want, &a, &factor);
		got = a;
		word_add_small(&got, small);
		cr_assert(u256_equal(&got, &want));
		cr_assert_eq(word_less(&a, &b), u256_compare(&a, &b) < 0);
	}
}

static bool bit(const struct u256 *w, unsigned i)
{
	return w->limbs[i / 64] >> (i % 64) & 1;
}

Test(vm_word, shifts_signextend_byte_and_clz_match_bits)
{
	struct rng r;

	rng_init(&r, 4);
	for (int i = 0; i < ROUND_COUNT; i++) {
		struct u256 a = any(&r), n = u256_of(rng_below(&r, 260)), shl, shr, sar, sx, byte;
		unsigned s = (unsigned)n.limbs[0], b = 8 * s + 7, zeros = 0;

		word_shl(&shl, &n, &a);
		word_shr(&shr, &n, &a);
		word_sar(&sar, &n, &a);
		word_signextend(&sx, &n, &a);
		word_byte(&byte, &n, &a);
		for (unsigned k = 0; k < 256; k++) {
			cr_assert_eq(bit(&shl, k), k >= s && bit(&a, k - s));
			cr_assert_eq(bit(&shr, k), k + s < 256 && bit(&a, k + s));
			cr_assert_eq(bit(&sar, k), bit(&a, MIN(k + s, 255u)));
			cr_assert_eq(bit(&sx, k), bit(&a, b < 256 ? MIN(k, b) : k));
			cr_assert_eq(bit(&byte, k), k < 8 && s < 32 && bit(&a, 8 * (31 - s) + k));
		}
		while (zeros < 256 && !bit(&a, 255 - zeros))
			zeros++;
		cr_assert_eq(word_clz(&a), zeros);
	}
}

Test(vm_word, signed_division_rounds_to_zero)
{
	struct u256 seven = u256_of(7), two = u256_of(2), minus_seven, minus_two, zero = u256_of(0), got;
	struct u256 least = { { 0, 0, 0, 1ull << 63 } }, minus_one;

	word_sub(&minus_seven, &zero, &seven);
	word_sub(&minus_two, &zero, &two);
	memset(&minus_one, 0xff, sizeof(minus_one));
	word_sdiv(&got, &minus_seven, &two);
	word_add(&got, &got, &seven); /* -3 + 7 */
	cr_assert_eq(got.limbs[0], 4);
	word_sdiv(&got, &minus_seven, &minus_two);
	cr_assert_eq(got.limbs[0], 3);
	word_smod(&got, &minus_seven, &two);
	cr_assert(u256_equal(&got, &minus_one));
	word_smod(&got, &seven, &minus_two);
	cr_assert_eq(got.limbs[0], 1);
	word_sdiv(&got, &least, &minus_one); /* the one overflow */
	cr_assert(u256_equal(&got, &least));
	cr_assert(word_less_signed(&minus_one, &zero));
	cr_assert_not(word_less_signed(&zero, &least));
}

Test(vm_word, exp_wraps)
{
	struct u256 three = u256_of(3), two = u256_of(2), e = u256_of(200), got, want = u256_of(1);

	for (int i = 0; i < 200; i++)
		word_mul(&want, &want, &three);
	word_exp(&got, &three, &e);
	cr_assert(u256_equal(&got, &want));
	word_exp(&got, &two, &e);
	cr_assert_eq(word_clz(&got), 55);
	e = u256_of(256);
	word_exp(&got, &two, &e);
	cr_assert(u256_is_zero(&got));
	e = u256_of(0);
	word_exp(&got, &e, &e);
	cr_assert_eq(got.limbs[0], 1);
}
