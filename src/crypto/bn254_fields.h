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

/* out = a - b over the integers; the borrow. */
static inline uint64_t fp_subtract(struct fp *out, const struct fp *a, const struct fp *b)
{
	fp_u128 d = (fp_u128)a->l[0] - b->l[0];

	out->l[0] = (uint64_t)d;
	d = (fp_u128)a->l[1] - b->l[1] - ((uint64_t)(d >> 64) & 1);
	out->l[1] = (uint64_t)d;
	d = (fp_u128)a->l[2] - b->l[2] - ((uint64_t)(d >> 64) & 1);
	out->l[2] = (uint64_t)d;
	d = (fp_u128)a->l[3] - b->l[3] - ((uint64_t)(d >> 64) & 1);
	out->l[3] = (uint64_t)d;
	return (uint64_t)(d >> 64) & 1;
}

/* out = a + b over the integers, below 2^256. */
static inline void fp_sum(struct fp *out, const struct fp *a, const struct fp *b)
{
	fp_u128 s = (fp_u128)a->l[0] + b->l[0];

	out->l[0] = (uint64_t)s;
	s = (fp_u128)a->l[1] + b->l[1] + (uint64_t)(s >> 64);
	out->l[1] = (uint64_t)s;
	s = (fp_u128)a->l[2] + b->l[2] + (uint64_t)(s >> 64);
	out->l[2] = (uint64_t)s;
	out->l[3] = a->l[3] + b->l[3] + (uint64_t)(s >> 64);
}

/* Takes p away, if that leaves a number. */
static inline void fp_reduce(struct fp *a)
{
	struct fp d;
	uint64_t keep = 0 - fp_subtract(&d, a, &fp_prime);

	for (int i = 0; i < 4; i++)
		a->l[i] = (a->l[i] & keep) | (d.l[i] & ~keep);
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
	out->l[0] = t0;
	out->l[1] = t1;
	out->l[2] = t2;
	out->l[3] = t3;
	fp_reduce(out);
}

static inline void fp_square(struct fp *out, const struct fp *a)
{
	fp_mul(out, a, a);
}

/* a^(p-2), four bits at a time; 0 of 0. */
static inline void fp_invert(struct fp *out, const struct fp *a)
{
	static const uint64_t exponent[4] = { 0x3c208c16d87cfd45, 0x97816a916871ca8d,
					      0xb85045b68181585d, 0x30644e72e131a029 };
	struct fp powers[16], r;

	powers[0] = fp_one;
	for (int i = 1; i < 16; i++)
		fp_mul(&powers[i], &powers[i - 1], a);
	r = powers[exponent[3] >> 60];
	for (int i = 62; i >= 0; i--) {
		unsigned digit = exponent[i / 16] >> (4 * (i % 16)) & 15;

		for (int j = 0; j < 4; j++)
			fp_square(&r, &r);
		if (digit)
			fp_mul(&r, &r, &powers[digit]);
	}
	*out = r;
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
