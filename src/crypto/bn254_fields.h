/*
 * bn254_fields - the towers of bn254.h: Fp in Montgomery form (R = 2^256), Fp².
 *
 * Every value is fully reduced, so equality is equality of bytes. p has 254 bits,
 * which leaves room for sums in the highest limb.
 */
#ifndef WEFT_CRYPTO_BN254_FIELDS_H
#define WEFT_CRYPTO_BN254_FIELDS_H

#include "base/bytes.h"

typedef unsigned __int128 fp_u128;

struct fp {
	uint64_t l[4];
};

struct fp2 {
	struct fp a, b; /* a + b·i */
};

static const struct fp fp_prime = {
	{ 0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029 }
};
#define FP_NEGATED_INVERSE 0x87d20782e4866389ull /* -p⁻¹ mod 2^64 */
static const struct fp fp_one = {
	{ 0xd35d438dc58f0d9d, 0x0a78eb28f5c70b3d, 0x666ea36f7879462c, 0x0e0a77c19a07df2f }
};
static const struct fp fp_r_squared = {
	{ 0xf32cfc5b538afa89, 0xb5e71911d44501fb, 0x47ab1eff0a417ff6, 0x06d89f71cab8351f }
};

static inline bool fp_is_zero(const struct fp *a)
{
	return (a->l[0] | a->l[1] | a->l[2] | a->l[3]) == 0;
}

static inline bool fp_equal(const struct fp *a, const struct fp *b)
{
	return ((a->l[0] ^ b->l[0]) | (a->l[1] ^ b->l[1]) | (a->l[2] ^ b->l[2]) |
		(a->l[3] ^ b->l[3])) == 0;
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_addcll)
#define FP_CARRY_BUILTINS 1
#endif
#endif

/* *out = a + b + carry, or a - b - borrow; gives the carry or borrow out. gcc 12 makes an
 * adc of nothing else. */
static inline uint64_t fp_addc(uint64_t *out, uint64_t a, uint64_t b, uint64_t carry)
{
#if defined(__x86_64__) && !defined(FP_CARRY_BUILTINS)
	unsigned long long sum;
	unsigned char over = __builtin_ia32_addcarryx_u64((unsigned char)carry, a, b, &sum);

	*out = sum;
	return over;
#else
	fp_u128 sum = (fp_u128)a + b + carry;

	*out = (uint64_t)sum;
	return (uint64_t)(sum >> 64);
#endif
}

static inline uint64_t fp_subb(uint64_t *out, uint64_t a, uint64_t b, uint64_t borrow)
{
#if defined(__x86_64__) && !defined(FP_CARRY_BUILTINS)
	unsigned long long difference;
	unsigned char below = __builtin_ia32_sbb_u64((unsigned char)borrow, a, b, &difference);

	*out = difference;
	return below;
#else
	fp_u128 difference = (fp_u128)a - b - borrow;

	*out = (uint64_t)difference;
	return (uint64_t)(difference >> 64) & 1;
#endif
}

/* out = a - b over the integers; the borrow. */
static inline uint64_t fp_subtract(struct fp *out, const struct fp *a, const struct fp *b)
{
	uint64_t borrow = fp_subb(&out->l[0], a->l[0], b->l[0], 0);

	borrow = fp_subb(&out->l[1], a->l[1], b->l[1], borrow);
	borrow = fp_subb(&out->l[2], a->l[2], b->l[2], borrow);
	return fp_subb(&out->l[3], a->l[3], b->l[3], borrow);
}

/* out = a + b over the integers, below 2^256. */
static inline void fp_sum(struct fp *out, const struct fp *a, const struct fp *b)
{
	uint64_t carry = fp_addc(&out->l[0], a->l[0], b->l[0], 0);

	carry = fp_addc(&out->l[1], a->l[1], b->l[1], carry);
	carry = fp_addc(&out->l[2], a->l[2], b->l[2], carry);
	fp_addc(&out->l[3], a->l[3], b->l[3], carry);
}

/* Takes p away, if that leaves a number. */
static inline void fp_reduce(struct fp *a)
{
	struct fp d;
	uint64_t keep = fp_subtract(&d, a, &fp_prime);

	a->l[0] = keep ? a->l[0] : d.l[0];
	a->l[1] = keep ? a->l[1] : d.l[1];
	a->l[2] = keep ? a->l[2] : d.l[2];
	a->l[3] = keep ? a->l[3] : d.l[3];
}

static inline void fp_add(struct fp *out, const struct fp *a, const struct fp *b)
{
	fp_sum(out, a, b);
	fp_reduce(out);
}

static inline void fp_sub(struct fp *out, const struct fp *a, const struct fp *b)
{
	struct fp correction;
	uint64_t below = 0 - fp_subtract(out, a, b);

	for (int i = 0; i < 4; i++)
		correction.l[i] = fp_prime.l[i] & below;
	fp_sum(out, out, &correction);
}

static inline void fp_double(struct fp *out, const struct fp *a)
{
	fp_add(out, a, a);
}

static inline void fp_negate(struct fp *out, const struct fp *a)
{
	static const struct fp zero;

	fp_sub(out, &zero, a);
}

/* a·b/R mod p: operand scanning with the reduction woven in. The top limb of p is
 * below 2^62, so no step carries beyond its limb. */
static inline void fp_mul(struct fp *out, const struct fp *a, const struct fp *b)
{
	const uint64_t p0 = fp_prime.l[0], p1 = fp_prime.l[1], p2 = fp_prime.l[2],
		       p3 = fp_prime.l[3];
	const uint64_t a0 = a->l[0], a1 = a->l[1], a2 = a->l[2], a3 = a->l[3];
	uint64_t t0 = 0, t1 = 0, t2 = 0, t3 = 0;
	struct fp r;

#define ROW(i)                                                                  \
	do {                                                                    \
		const uint64_t bi = b->l[i];                                    \
		fp_u128 s = (fp_u128)a0 * bi + t0, c;                           \
		const uint64_t m = (uint64_t)s * FP_NEGATED_INVERSE;            \
										\
		c = (fp_u128)m * p0 + (uint64_t)s;                              \
		s = (fp_u128)a1 * bi + t1 + (uint64_t)(s >> 64);                \
		c = (fp_u128)m * p1 + (uint64_t)s + (uint64_t)(c >> 64);        \
		t0 = (uint64_t)c;                                               \
		s = (fp_u128)a2 * bi + t2 + (uint64_t)(s >> 64);                \
		c = (fp_u128)m * p2 + (uint64_t)s + (uint64_t)(c >> 64);        \
		t1 = (uint64_t)c;                                               \
		s = (fp_u128)a3 * bi + t3 + (uint64_t)(s >> 64);                \
		c = (fp_u128)m * p3 + (uint64_t)s + (uint64_t)(c >> 64);        \
		t2 = (uint64_t)c;                                               \
		t3 = (uint64_t)(c >> 64) + (uint64_t)(s >> 64);                 \
	} while (0)
	ROW(0);
	ROW(1);
	ROW(2);
	ROW(3);
#undef ROW
	r = (struct fp){ { t0, t1, t2, t3 } };
	fp_reduce(&r);
	*out = r;
}

static inline void fp_square(struct fp *out, const struct fp *a)
{
	fp_mul(out, a, a);
}

/* --- inversion: Pornin, "Optimized binary GCD for modular inversion" (2020), 31 steps on
 * 64-bit stand-ins at a time --- */

#define FP_INVERT_ROUND_COUNT 17 /* 31 steps each: 2 · 254 - 1 are enough */

/* The factors by which 31 steps change the two numbers. */
struct fp_steps {
	int64_t f0, g0, f1, g1;
};

/* The highest 33 bits of the n, then the lowest 31. */
static inline uint64_t fp_stand_in(const struct fp *a, unsigned n)
{
	unsigned at = n - 33, limb = at / 64, s = at % 64;
	uint64_t high;

	if (n <= 64)
		return a->l[0];
	high = a->l[limb] >> s;
	if (s && limb < 3)
		high |= a->l[limb + 1] << (64 - s);
	return (high & 0x1ffffffff) << 31 | (a->l[0] & 0x7fffffff);
}

static inline unsigned fp_bit_length(const struct fp *a, const struct fp *b)
{
	for (int i = 3; i >= 0; i--)
		if (a->l[i] | b->l[i])
			return (unsigned)i * 64 + 64 - (unsigned)__builtin_clzll(a->l[i] | b->l[i]);
	return 0;
}

/* Both factors of a number go in one word, f + 2^32·g with signs: sums and doublings of
 * such words are those of the factors, all of which lie in (-2^31, 2^31]. */
#define FP_FACTOR_BIAS 0x7fffffff7fffffffull

static inline void fp_unpack(int64_t *f, int64_t *g, uint64_t both)
{
	both += FP_FACTOR_BIAS;
	*f = (int64_t)(both & 0xffffffff) - 0x7fffffff;
	*g = (int64_t)(both >> 32) - 0x7fffffff;
}

static inline struct fp_steps fp_31_steps(uint64_t a, uint64_t b)
{
	uint64_t first = 1, second = 1ull << 32;
	unsigned left = 31;
	struct fp_steps s;

	for (;;) {
		unsigned zeros = (unsigned)__builtin_ctzll(a | 1ull << left);
		uint64_t swap, d;

		a >>= zeros;
		second <<= zeros;
		left -= zeros;
		if (left == 0)
			break;
		/* both are odd: the larger loses the smaller */
		swap = 0 - (uint64_t)(a < b);
		d = (a ^ b) & swap;
		a ^= d;
		b ^= d;
		a -= b;
		d = (first ^ second) & swap;
		first ^= d;
		second ^= d;
		first -= second;
	}
	fp_unpack(&s.f0, &s.g0, first);
	fp_unpack(&s.f1, &s.g1, second);
	return s;
}

/* out = |a·f + b·g| / 2^31, which is exact; true if the sum was negative. */
static inline bool fp_combine(struct fp *out, const struct fp *a, int64_t f, const struct fp *b,
			      int64_t g)
{
	const uint64_t sign_f = (uint64_t)(f >> 63), sign_g = (uint64_t)(g >> 63);
	const uint64_t size_f = ((uint64_t)f ^ sign_f) - sign_f, size_g = ((uint64_t)g ^ sign_g) - sign_g;
	fp_u128 p = 0, q = 0, carry_f = sign_f & 1, carry_g = sign_g & 1, sum = 0;
	uint64_t t[5], sign, borrow;

	for (int i = 0; i < 5; i++) {
		uint64_t x, y;

		p = (p >> 64) + (i < 4 ? (fp_u128)a->l[i] * size_f : 0);
		q = (q >> 64) + (i < 4 ? (fp_u128)b->l[i] * size_g : 0);
		carry_f += (uint64_t)p ^ sign_f;
		carry_g += (uint64_t)q ^ sign_g;
		x = (uint64_t)carry_f;
		y = (uint64_t)carry_g;
		carry_f >>= 64;
		carry_g >>= 64;
		sum = (sum >> 64) + x + y;
		t[i] = (uint64_t)sum;
	}
	sign = (uint64_t)((int64_t)t[4] >> 63);
	borrow = sign & 1;
	for (int i = 0; i < 5; i++) {
		fp_u128 n = (fp_u128)(t[i] ^ sign) + borrow;

		t[i] = (uint64_t)n;
		borrow = (uint64_t)(n >> 64);
	}
	for (int i = 0; i < 4; i++)
		out->l[i] = t[i] >> 31 | t[i + 1] << 33;
	return sign != 0;
}

/* out = (a·f + b·g) / 2^64 mod p */
static inline void fp_combine_mod(struct fp *out, const struct fp *a, int64_t f, const struct fp *b,
				  int64_t g)
{
	const uint64_t size_f = (uint64_t)(f < 0 ? -f : f), size_g = (uint64_t)(g < 0 ? -g : g);
	struct fp x = *a, y = *b;
	uint64_t t[5], k;
	fp_u128 s = 0;

	if (f < 0)
		fp_negate(&x, a);
	if (g < 0)
		fp_negate(&y, b);
	for (int i = 0; i < 4; i++) { /* the sum of both products stays below 2^64 · p */
		s = (s >> 64) + (fp_u128)x.l[i] * size_f;
		t[i] = (uint64_t)s;
	}
	t[4] = (uint64_t)(s >> 64);
	s = 0;
	for (int i = 0; i < 4; i++) {
		s = (s >> 64) + (fp_u128)y.l[i] * size_g + t[i];
		t[i] = (uint64_t)s;
	}
	t[4] += (uint64_t)(s >> 64);
	k = t[0] * FP_NEGATED_INVERSE;
	s = ((fp_u128)k * fp_prime.l[0] + t[0]) >> 64;
	for (int i = 1; i < 4; i++) {
		s += (fp_u128)k * fp_prime.l[i] + t[i];
		out->l[i - 1] = (uint64_t)s;
		s >>= 64;
	}
	out->l[3] = (uint64_t)s + t[4];
	fp_reduce(out);
}

/* 1/a; 0 of 0. */
static inline void fp_invert(struct fp *out, const struct fp *a)
{
	/* takes out what the rounds divide too much, and is R³ for Montgomery's form */
	static const struct fp correction = {
		{ 0xd330b3617404f53c, 0x5f12aa9fd96887c1, 0xe7820241e67f0488, 0x2029e539ef58b497 }
	};
	struct fp x = *a, y = fp_prime, u = { { 1, 0, 0, 0 } }, v = { { 0, 0, 0, 0 } };

	for (int i = 0; i < FP_INVERT_ROUND_COUNT; i++) {
		unsigned n = fp_bit_length(&x, &y);
		struct fp_steps s = fp_31_steps(fp_stand_in(&x, n), fp_stand_in(&y, n));
		struct fp next;

		if (fp_combine(&next, &x, s.f0, &y, s.g0)) {
			s.f0 = -s.f0;
			s.g0 = -s.g0;
		}
		if (fp_combine(&y, &x, s.f1, &y, s.g1)) {
			s.f1 = -s.f1;
			s.g1 = -s.g1;
		}
		x = next;
		fp_combine_mod(&next, &u, s.f0, &v, s.g0);
		fp_combine_mod(&v, &u, s.f1, &v, s.g1);
		u = next;
	}
	fp_mul(out, &v, &correction);
}

/* --- Fp² --- */

static inline bool fp2_is_zero(const struct fp2 *x)
{
	return fp_is_zero(&x->a) && fp_is_zero(&x->b);
}

static inline bool fp2_equal(const struct fp2 *x, const struct fp2 *y)
{
	return fp_equal(&x->a, &y->a) && fp_equal(&x->b, &y->b);
}

static inline void fp2_add(struct fp2 *out, const struct fp2 *x, const struct fp2 *y)
{
	fp_add(&out->a, &x->a, &y->a);
	fp_add(&out->b, &x->b, &y->b);
}

static inline void fp2_sub(struct fp2 *out, const struct fp2 *x, const struct fp2 *y)
{
	fp_sub(&out->a, &x->a, &y->a);
	fp_sub(&out->b, &x->b, &y->b);
}

static inline void fp2_double(struct fp2 *out, const struct fp2 *x)
{
	fp2_add(out, x, x);
}

static inline void fp2_negate(struct fp2 *out, const struct fp2 *x)
{
	fp_negate(&out->a, &x->a);
	fp_negate(&out->b, &x->b);
}

static inline void fp2_conjugate(struct fp2 *out, const struct fp2 *x)
{
	out->a = x->a;
	fp_negate(&out->b, &x->b);
}

static inline void fp2_scale(struct fp2 *out, const struct fp2 *x, const struct fp *s)
{
	fp_mul(&out->a, &x->a, s);
	fp_mul(&out->b, &x->b, s);
}

/* Karatsuba; sums of two stay below 2^255, which fp_mul takes. */
static inline void fp2_mul(struct fp2 *out, const struct fp2 *x, const struct fp2 *y)
{
	struct fp aa, bb, sx, sy;

	fp_mul(&aa, &x->a, &y->a);
	fp_mul(&bb, &x->b, &y->b);
	fp_add(&sx, &x->a, &x->b);
	fp_add(&sy, &y->a, &y->b);
	fp_mul(&sx, &sx, &sy);
	fp_sub(&sx, &sx, &aa);
	fp_sub(&out->b, &sx, &bb);
	fp_sub(&out->a, &aa, &bb);
}

static inline void fp2_square(struct fp2 *out, const struct fp2 *x)
{
	struct fp sum, difference, product;

	fp_add(&sum, &x->a, &x->b);
	fp_sub(&difference, &x->a, &x->b);
	fp_mul(&product, &x->a, &x->b);
	fp_mul(&out->a, &sum, &difference);
	fp_double(&out->b, &product);
}

/* times ξ = 9 + i */
static inline void fp2_mul_xi(struct fp2 *out, const struct fp2 *x)
{
	struct fp2 t;

	fp2_double(&t, x);
	fp2_double(&t, &t);
	fp2_double(&t, &t);
	fp2_add(&t, &t, x);
	fp_sub(&t.a, &t.a, &x->b);
	fp_add(&t.b, &t.b, &x->a);
	*out = t;
}

static inline void fp2_invert(struct fp2 *out, const struct fp2 *x)
{
	struct fp norm, t;

	fp_square(&norm, &x->a);
	fp_square(&t, &x->b);
	fp_add(&norm, &norm, &t);
	fp_invert(&norm, &norm);
	fp_mul(&out->a, &x->a, &norm);
	fp_mul(&t, &x->b, &norm);
	fp_negate(&out->b, &t);
}

/* --- points in Jacobian coordinates (X/Z², Y/Z³); Z = 0 at infinity --- */

/* For a field F: points P of a curve with a = 0, their doubling and addition (formulas
 * dbl-2009-l and add-1998-cmo of the Explicit-Formulas Database). */
#define BN254_DEFINE_POINTS(P, F)                                                             \
	struct P {                                                                            \
		struct F x, y, z;                                                             \
	};                                                                                    \
	static inline void P##_double(struct P *out, const struct P *p)                       \
	{                                                                                     \
		struct F a, b, c, d, e, f, t;                                                 \
											      \
		F##_square(&a, &p->x);                                                        \
		F##_square(&b, &p->y);                                                        \
		F##_square(&c, &b);                                                           \
		F##_add(&d, &p->x, &b);                                                       \
		F##_square(&d, &d);                                                           \
		F##_sub(&d, &d, &a);                                                          \
		F##_sub(&d, &d, &c);                                                          \
		F##_double(&d, &d);                                                           \
		F##_double(&e, &a);                                                           \
		F##_add(&e, &e, &a);                                                          \
		F##_square(&f, &e);                                                           \
		F##_mul(&t, &p->y, &p->z);                                                    \
		F##_double(&out->z, &t);                                                      \
		F##_double(&t, &d);                                                           \
		F##_sub(&out->x, &f, &t);                                                     \
		F##_sub(&t, &d, &out->x);                                                     \
		F##_mul(&t, &e, &t);                                                          \
		F##_double(&c, &c);                                                           \
		F##_double(&c, &c);                                                           \
		F##_double(&c, &c);                                                           \
		F##_sub(&out->y, &t, &c);                                                     \
	}                                                                                     \
	/* any two points */                                                                  \
	static inline void P##_add(struct P *out, const struct P *p, const struct P *q)       \
	{                                                                                     \
		struct F zp, zq, u1, u2, s1, s2, h, r, hh, hhh, v, t;                         \
											      \
		if (F##_is_zero(&p->z) || F##_is_zero(&q->z)) {                               \
			*out = F##_is_zero(&p->z) ? *q : *p;                                  \
			return;                                                               \
		}                                                                             \
		F##_square(&zp, &p->z);                                                       \
		F##_square(&zq, &q->z);                                                       \
		F##_mul(&u1, &p->x, &zq);                                                     \
		F##_mul(&u2, &q->x, &zp);                                                     \
		F##_mul(&s1, &p->y, &zq);                                                     \
		F##_mul(&s1, &s1, &q->z);                                                     \
		F##_mul(&s2, &q->y, &zp);                                                     \
		F##_mul(&s2, &s2, &p->z);                                                     \
		F##_sub(&h, &u2, &u1);                                                        \
		F##_sub(&r, &s2, &s1);                                                        \
		if (F##_is_zero(&h)) {                                                        \
			if (F##_is_zero(&r))                                                  \
				P##_double(out, p);                                           \
			else                                                                  \
				*out = (struct P){ 0 };                                       \
			return;                                                               \
		}                                                                             \
		F##_square(&hh, &h);                                                          \
		F##_mul(&hhh, &hh, &h);                                                       \
		F##_mul(&v, &u1, &hh);                                                        \
		F##_mul(&t, &p->z, &q->z);                                                    \
		F##_mul(&out->z, &t, &h);                                                     \
		F##_square(&t, &r);                                                           \
		F##_sub(&t, &t, &hhh);                                                        \
		F##_sub(&t, &t, &v);                                                          \
		F##_sub(&out->x, &t, &v);                                                     \
		F##_sub(&t, &v, &out->x);                                                     \
		F##_mul(&t, &r, &t);                                                          \
		F##_mul(&s1, &s1, &hhh);                                                      \
		F##_sub(&out->y, &t, &s1);                                                    \
	}

BN254_DEFINE_POINTS(g1, fp)
BN254_DEFINE_POINTS(g2, fp2)

#endif
