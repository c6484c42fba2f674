/* Division is Knuth's algorithm D (The Art of Computer Programming, 4.3.1) in base 2^64. */
#include "vm/word.h"

#include "base/check.h"

/* The lengths of a divisor are constants in most calls: what runs over its limbs is to
 * be unrolled there. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* ⌊(high, low) / d⌋ for high < d, and the remainder. */
static inline uint64_t divide_2by1(uint64_t high, uint64_t low, uint64_t d, uint64_t *rest)
{
#if defined(__x86_64__)
	uint64_t q, r;

	__asm__("divq %4" : "=a"(q), "=d"(r) : "a"(low), "d"(high), "rm"(d) : "cc");
	*rest = r;
	return q;
#else
	word_u128 n = (word_u128)high << 64 | low;

	*rest = (uint64_t)(n % d);
	return (uint64_t)(n / d);
#endif
}

static inline int limb_count(const uint64_t *a, int count)
{
	while (count > 0 && a[count - 1] == 0)
		count--;
	return count;
}

/* u[0..n] -= q · v[0..n-1]; true if that went below zero. */
static ALWAYS_INLINE bool multiply_subtract(uint64_t *u, const uint64_t *v, int n, uint64_t q)
{
	uint64_t carry = 0, borrow = 0;

#pragma GCC unroll 4
	for (int i = 0; i < n; i++) {
		word_u128 p = (word_u128)q * v[i] + carry;

		carry = (uint64_t)(p >> 64);
		borrow = word_subb(&u[i], u[i], (uint64_t)p, borrow);
	}
	return word_subb(&u[n], u[n], carry, borrow);
}

static ALWAYS_INLINE void add_back(uint64_t *u, const uint64_t *v, int n)
{
	uint64_t carry = 0;

	for (int i = 0; i < n; i++)
		carry = word_addc(&u[i], u[i], v[i], carry);
	u[n] += carry;
}

/* One digit of the quotient: u[0..n] / v[0..n-1], v normalised, n ≥ 2. Leaves the
 * remainder in u. */
static ALWAYS_INLINE uint64_t divide_step(uint64_t *u, const uint64_t *v, int n)
{
	uint64_t q, rest;

	if (u[n] >= v[n - 1]) {
		q = UINT64_MAX;
	} else {
		q = divide_2by1(u[n], u[n - 1], v[n - 1], &rest);
		while ((word_u128)q * v[n - 2] > ((word_u128)rest << 64 | u[n - 2])) {
			q--;
			rest += v[n - 1];
			if (rest < v[n - 1])
				break;
		}
	}
	if (multiply_subtract(u, v, n, q)) {
		q--;
		add_back(u, v, n);
		/* only the capped digit can be two too large */
		if (u[n] != 0) {
			q--;
			add_back(u, v, n);
		}
	}
	return q;
}

static ALWAYS_INLINE void shift_left(uint64_t *out, const uint64_t *a, int count, unsigned s)
{
	for (int i = count - 1; i > 0; i--)
		out[i] = a[i] << s | a[i - 1] >> 1 >> (63 - s);
	out[0] = a[0] << s;
}

static ALWAYS_INLINE void shift_right(uint64_t *out, const uint64_t *a, int count, unsigned s)
{
	for (int i = 0; i + 1 < count; i++)
		out[i] = a[i] >> s | a[i + 1] << 1 << (63 - s);
	out[count - 1] = a[count - 1] >> s;
}

/* a (m ≤ 8 limbs, the highest not 0) by b (n ≤ 4 limbs, likewise, n ≤ m): quotient,
 * if it is wanted, of m - n + 1 limbs and remainder of n. */
static ALWAYS_INLINE void divide(uint64_t *quotient, uint64_t *rest, const uint64_t *a, int m,
			  const uint64_t *b, int n)
{
	uint64_t u[9], v[4];
	unsigned s = (unsigned)__builtin_clzll(b[n - 1]);

	if (n == 1) {
		uint64_t r = 0;

		for (int i = m - 1; i >= 0; i--) {
			uint64_t q = divide_2by1(r, a[i], b[0], &r);

			if (quotient)
				quotient[i] = q;
		}
		rest[0] = r;
		return;
	}
	shift_left(v, b, n, s);
	u[m] = a[m - 1] >> 1 >> (63 - s);
	shift_left(u, a, m, s);
	for (int j = m - n; j >= 0; j--) {
		uint64_t q = divide_step(u + j, v, n);

		if (quotient)
			quotient[j] = q;
	}
	shift_right(rest, u, n, s);
}

static bool is_power_of_two(const struct u256 *a)
{
	int bits = 0;

	for (int i = 0; i < 4; i++)
		bits += __builtin_popcountll(a->limbs[i]);
	return bits == 1;
}

void word_div(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	uint64_t quotient[4] = { 0 }, rest[4];
	int m = limb_count(a->limbs, 4), n = limb_count(b->limbs, 4);

	if (n == 0 || m < n) {
		word_set(out, 0);
		return;
	}
	if (is_power_of_two(b)) {
		word_shr_small(out, a, 255 - word_clz(b), 0);
		return;
	}
	if (m == 1) {
		word_set(out, a->limbs[0] / b->limbs[0]);
		return;
	}
	divide(quotient, rest, a->limbs, m, b->limbs, n);
	memcpy(out->limbs, quotient, sizeof(quotient));
}

void word_mod(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	uint64_t rest[4] = { 0 };
	int m = limb_count(a->limbs, 4), n = limb_count(b->limbs, 4);

	if (n == 0) {
		word_set(out, 0);
		return;
	}
	if (m < n) {
		*out = *a;
		return;
	}
	divide(NULL, rest, a->limbs, m, b->limbs, n);
	memcpy(out->limbs, rest, sizeof(rest));
}

static void negate(struct u256 *a)
{
	const struct u256 zero = { 0 };

	word_sub(a, &zero, a);
}

static bool is_negative(const struct u256 *a)
{
	return a->limbs[3] >> 63;
}

void word_sdiv(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	bool negative = is_negative(a) != is_negative(b);
	struct u256 x = *a, y = *b;

	if (is_negative(&x))
		negate(&x);
	if (is_negative(&y))
		negate(&y);
	word_div(out, &x, &y);
	if (negative)
		negate(out);
}

void word_smod(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	bool negative = is_negative(a);
	struct u256 x = *a, y = *b;

	if (negative)
		negate(&x);
	if (is_negative(&y))
		negate(&y);
	word_mod(out, &x, &y);
	if (negative)
		negate(out);
}

void word_addmod(struct u256 *out, const struct u256 *a, const struct u256 *b, const struct u256 *m)
{
	uint64_t sum[5], rest[4] = { 0 };
	struct u256 s, reduced;
	int n = limb_count(m->limbs, 4), count;

	if (n == 0) {
		word_set(out, 0);
		return;
	}
	sum[4] = word_add(&s, a, b);
	/* operands are reduced as a rule: then one subtraction does it */
	if (a->limbs[3] <= m->limbs[3] && b->limbs[3] <= m->limbs[3] && word_less(a, m) &&
	    word_less(b, m)) {
		uint64_t below = word_sub(&reduced, &s, m);

		*out = below > sum[4] ? s : reduced;
		return;
	}
	memcpy(sum, s.limbs, sizeof(s.limbs));
	count = limb_count(sum, 5);
	if (count < n) {
		*out = s;
		return;
	}
	divide(NULL, rest, sum, count, m->limbs, n);
	memcpy(out->limbs, rest, sizeof(rest));
}

void word_mulmod(struct u256 *out, const struct u256 *a, const struct u256 *b, const struct u256 *m)
{
	uint64_t product[8] = { 0 }, rest[4] = { 0 };
	int n = limb_count(m->limbs, 4), count;

	if (n == 0) {
		word_set(out, 0);
		return;
	}
	for (int i = 0; i < 4; i++) {
		uint64_t carry = 0;

		for (int j = 0; j < 4; j++) {
			word_u128 t = (word_u128)a->limbs[i] * b->limbs[j] + product[i + j] + carry;

			product[i + j] = (uint64_t)t;
			carry = (uint64_t)(t >> 64);
		}
		product[i + 4] = carry;
	}
	count = limb_count(product, 8);
	if (count < n) {
		memcpy(out->limbs, product, sizeof(out->limbs));
		return;
	}
	if (n == 4)
		divide(NULL, rest, product, count, m->limbs, 4);
	else
		divide(NULL, rest, product, count, m->limbs, n);
	memcpy(out->limbs, rest, sizeof(rest));
}

void word_exp(struct u256 *out, const struct u256 *a, const struct u256 *e)
{
	unsigned bits = 256 - word_clz(e);
	struct u256 result = u256_of(1), base = *a;

	/* a power of two is a shift */
	if (bits && a->limbs[0] == 2 && u256_fits_u64(a)) {
		word_shl(out, e, &result);
		return;
	}
	for (unsigned i = 0; i < bits; i++) {
		if (e->limbs[i / 64] >> (i % 64) & 1)
			word_mul(&result, &result, &base);
		if (i + 1 < bits)
			word_mul(&base, &base, &base);
	}
	*out = result;
}

void word_byte(struct u256 *out, const struct u256 *index, const struct u256 *a)
{
	unsigned place;

	if (!u256_fits_u64(index) || index->limbs[0] > 31) {
		word_set(out, 0);
		return;
	}
	place = 31 - (unsigned)index->limbs[0];
	word_set(out, a->limbs[place / 8] >> (place % 8 * 8) & 0xff);
}
