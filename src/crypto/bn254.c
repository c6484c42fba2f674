#include "crypto/bn254.h"

#include "crypto/bn254_fields.h"

struct fp6 {
	struct fp2 c0, c1, c2; /* c0 + c1·v + c2·v² */
};

struct fp12 {
	struct fp6 c0, c1; /* c0 + c1·w */
};

/* 3/ξ, the twist's constant */
static const struct fp2 twist_b = {
	{ { 0x3bf938e377b802a8, 0x020b1b273633535d, 0x26b7edf049755260, 0x2514c6324384a86d } },
	{ { 0x38e7ecccd1dcff67, 0x65f0b37d93ce0d3e, 0xd749d0dd22ac00aa, 0x0141b9ce4a688d4d } }
};
static const struct fp curve_b = { /* 3 */
	{ 0x7a17caa950ad28d7, 0x1f6ac17ae15521b9, 0x334bea4e696bd284, 0x2a1f6744ce179d8e }
};
static const struct fp one_half = {
	{ 0x87bee7d24f060572, 0xd0fd2add2f1c6ae5, 0x8f5f7492fcfd4f44, 0x1f37631a3d9cbfac }
};

/* [k-1][j-1]: ξ^(j·(p^k - 1)/6), by which the p^k-th power multiplies the coefficient of w^j */
static const struct fp2 frobenius[3][5] = {
	{
		{ { { 0xaf9ba69633144907, 0xca6b1d7387afb78a, 0x11bded5ef08a2087, 0x02f34d751a1f3a7c } },
		  { { 0xa222ae234c492d72, 0xd00f02a4565de15b, 0xdc2ff3a253dfc926, 0x10a75716b3899551 } } },
		{ { { 0xb5773b104563ab30, 0x347f91c8a9aa6454, 0x7a007127242e0991, 0x1956bcd8118214ec } },
		  { { 0x6e849f1ea0aa4757, 0xaa1c7b6d89f89141, 0xb6e713cdfae0ca3a, 0x26694fbb4e82ebc3 } } },
		{ { { 0xe4bbdd0c2936b629, 0xbb30f162e133bacb, 0x31a9d1b6f9645366, 0x253570bea500f8dd } },
		  { { 0xa1d77ce45ffe77c7, 0x07affd117826d1db, 0x6d16bd27bb7edc6b, 0x2c87200285defecc } } },
		{ { { 0x7361d77f843abe92, 0xa5bb2bd3273411fb, 0x9c941f314b3e2399, 0x15df9cddbb9fd3ec } },
		  { { 0x5dddfd154bd8c949, 0x62cb29a5a4445b60, 0x37bc870a0c7dd2b9, 0x24830a9d3171f0fd } } },
		{ { { 0xc970692f41690fe7, 0xe240342127694b0b, 0x32bee66b83c459e8, 0x12aabced0ab08841 } },
		  { { 0x0d485d2340aebfa9, 0x05193418ab2fcc57, 0xd3b0a40b8a4910f5, 0x2f21ebb535d2925a } } },
	},
	{
		{ { { 0xca8d800500fa1bf2, 0xf0c5d61468b39769, 0x0e201271ad0d4418, 0x04290f65bad856e6 } },
		  { { 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000 } } },
		{ { { 0x3350c88e13e80b9c, 0x7dce557cdb5e56b9, 0x6001b4b8b615564a, 0x2682e617020217e0 } },
		  { { 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000 } } },
		{ { { 0x68c3488912edefaa, 0x8d087f6872aabf4f, 0x51e1a24709081231, 0x2259d6b14729c0fa } },
		  { { 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000 } } },
		{ { { 0x71930c11d782e155, 0xa6bb947cffbe3323, 0xaa303344d4741444, 0x2c3b3f0d26594943 } },
		  { { 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000 } } },
		{ { { 0x08cfc388c494f1ab, 0x19b315148d1373d4, 0x584e90fdcb6c0213, 0x09e1685bdf2f8849 } },
		  { { 0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000 } } },
	},
	{
		{ { { 0x365316184e46d97d, 0x0af7129ed4c96d9f, 0x659da72fca1009b5, 0x08116d8983a20d23 } },
		  { { 0xb1df4af7c39c1939, 0x3d9f02878a73bf7f, 0x9b2220928caf0ae0, 0x26684515eff054a6 } } },
		{ { { 0xc9af22f716ad6bad, 0xb311782a4aa662b2, 0x19eeaf64e248c7f4, 0x20273e77e3439f82 } },
		  { { 0xacc02860f7ce93ac, 0x3933d5817ba76b4c, 0x69e6188b446c8467, 0x0a46036d4417cc55 } } },
		{ { { 0x5764af0aaf46471e, 0xdc50792e873e0fc1, 0x86a673ff881d04f6, 0x0b2eddb43c30a74c } },
		  { { 0x9a490f32787e8580, 0x8fd16d7ff04af8b1, 0x4b39888ec6027bf2, 0x03dd2e705b52a15d } } },
		{ { { 0x448a93a57b6762df, 0xbfd62df528fdeadf, 0xd858f5d00e9bd47a, 0x06b03d4d3476ec58 } },
		  { { 0x2b19daf4bcc936d1, 0xa1a54e7a56f4299f, 0xb533eee05adeaef1, 0x170c812b84dda0b2 } } },
		{ { { 0xe0bc4b2275cf559f, 0xc238b945c154e60f, 0x803982a5929a7d5e, 0x15ce052df7e4a37e } },
		  { { 0x2d28efbdbf3799a7, 0x9b097e3c1ad60773, 0x982d4113af4a535b, 0x24e18991e3056063 } } },
	},
};

/* The curve's parameter u; p and r are polynomials in it. */
#define PARAMETER 0x44e992b44a6909f1ull

/* 6u + 2, digits of which are -1, 0, 1, no two neighbours other than 0; lowest first. */
static const int8_t loop_digits[66] = {
	0, 0, 0, 1, 0, 1, 0, -1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0, -1, 0, 0,
	0, 1, 0, -1, 0, 0, 0, 0, -1, 0, 0, 1, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0,
	-1, 0, 0, -1, 0, 1, 0, -1, 0, 0, 0, -1, 0, -1, 0, 0, 0, 1, 0, -1, 0, 1,
};

/* --- bytes --- */

/* False if the number is p or more. */
static bool read_fp(struct fp *out, const uint8_t be[32])
{
	struct fp n, d;

	for (int i = 0; i < 4; i++)
		n.l[i] = load_be64(be + 8 * (3 - i));
	if (!fp_subtract(&d, &n, &fp_prime))
		return false;
	fp_mul(out, &n, &fp_r_squared);
	return true;
}

static void write_fp(uint8_t be[32], const struct fp *a)
{
	static const struct fp unit = { { 1, 0, 0, 0 } };
	struct fp n;

	fp_mul(&n, a, &unit);
	for (int i = 0; i < 4; i++)
		store_be64(be + 8 * (3 - i), n.l[i]);
}

/* --- E --- */

static bool read_g1(struct g1 *out, const uint8_t in[64])
{
	struct fp left, right;

	if (!read_fp(&out->x, in) || !read_fp(&out->y, in + 32))
		return false;
	if (fp_is_zero(&out->x) && fp_is_zero(&out->y)) {
		*out = (struct g1){ 0 };
		return true;
	}
	out->z = fp_one;
	fp_square(&left, &out->y);
	fp_square(&right, &out->x);
	fp_mul(&right, &right, &out->x);
	fp_add(&right, &right, &curve_b);
	return fp_equal(&left, &right);
}

static void write_g1(uint8_t out[64], const struct g1 *p)
{
	struct fp inverse, square, x, y;

	if (fp_is_zero(&p->z)) {
		memset(out, 0, 64);
		return;
	}
	fp_invert(&inverse, &p->z);
	fp_square(&square, &inverse);
	fp_mul(&x, &p->x, &square);
	fp_mul(&square, &square, &inverse);
	fp_mul(&y, &p->y, &square);
	write_fp(out, &x);
	write_fp(out + 32, &y);
}

bool bn254_add(uint8_t out[64], const uint8_t in[128])
{
	struct fp slope, x, y;
	struct g1 p, q;

	if (!read_g1(&p, in) || !read_g1(&q, in + 64))
		return false;
	if (fp_is_zero(&p.z) || fp_is_zero(&q.z) || fp_equal(&p.x, &q.x)) {
		g1_add(&p, &p, &q);
		write_g1(out, &p);
		return true;
	}
	/* two different affine points: the chord's slope */
	fp_sub(&slope, &q.x, &p.x);
	fp_invert(&slope, &slope);
	fp_sub(&y, &q.y, &p.y);
	fp_mul(&slope, &slope, &y);
	fp_square(&x, &slope);
	fp_sub(&x, &x, &p.x);
	fp_sub(&x, &x, &q.x);
	fp_sub(&y, &p.x, &x);
	fp_mul(&y, &y, &slope);
	fp_sub(&y, &y, &p.y);
	write_fp(out, &x);
	write_fp(out + 32, &y);
	return true;
}

bool bn254_mul(uint8_t out[64], const uint8_t in[96])
{
	struct g1 multiples[16] = { 0 }, sum = { 0 };

	if (!read_g1(&multiples[1], in))
		return false;
	for (int i = 2; i < 16; i++)
		g1_add(&multiples[i], &multiples[i - 1], &multiples[1]);
	for (int i = 0; i < 64; i++) {
		unsigned digit = in[64 + i / 2] >> (i % 2 ? 0 : 4) & 15;

		for (int j = 0; j < 4; j++)
			g1_double(&sum, &sum);
		if (digit)
			g1_add(&sum, &sum, &multiples[digit]);
	}
	write_g1(out, &sum);
	return true;
}

/* --- E' --- */

static bool read_fp2(struct fp2 *out, const uint8_t in[64])
{
	return read_fp(&out->b, in) && read_fp(&out->a, in + 32);
}

/* The p-th power's map on E, carried over to E'. */
static void twist_frobenius(struct fp2 *x, struct fp2 *y)
{
	fp2_conjugate(x, x);
	fp2_mul(x, x, &frobenius[0][1]);
	fp2_conjugate(y, y);
	fp2_mul(y, y, &frobenius[0][2]);
}

/* In Jacobian coordinates: z is conjugated. */
static struct g2 apply_frobenius(const struct g2 *p)
{
	struct g2 r = *p;

	twist_frobenius(&r.x, &r.y);
	fp2_conjugate(&r.z, &r.z);
	return r;
}

static void g2_mul_parameter(struct g2 *out, const struct g2 *p)
{
	struct g2 sum = *p;

	for (int i = 61; i >= 0; i--) {
		g2_double(&sum, &sum);
		if (PARAMETER >> i & 1)
			g2_add(&sum, &sum, p);
	}
	*out = sum;
}

/* Of order r: [u+1]Q + ψ([u]Q) + ψ²([u]Q) = ψ³([2u]Q) (El Housni, Guillevic, Piellard,
 * "Co-factor clearing and subgroup membership testing", 2022). */
static bool g2_in_subgroup(const struct g2 *q)
{
	struct g2 multiple, left, term;

	g2_mul_parameter(&multiple, q);
	g2_add(&left, &multiple, q);
	term = apply_frobenius(&multiple);
	g2_add(&left, &left, &term);
	term = apply_frobenius(&term);
	g2_add(&left, &left, &term);
	term = apply_frobenius(&term);
	g2_double(&term, &term);
	fp2_negate(&term.y, &term.y);
	g2_add(&left, &left, &term);
	return fp2_is_zero(&left.z);
}

/* *is_zero: the point at infinity. */
static bool read_g2(struct g2 *out, bool *is_zero, const uint8_t in[128])
{
	struct fp2 left, right;

	*out = (struct g2){ .z.a = fp_one };
	if (!read_fp2(&out->x, in) || !read_fp2(&out->y, in + 64))
		return false;
	*is_zero = fp2_is_zero(&out->x) && fp2_is_zero(&out->y);
	if (*is_zero)
		return true;
	fp2_square(&left, &out->y);
	fp2_square(&right, &out->x);
	fp2_mul(&right, &right, &out->x);
	fp2_add(&right, &right, &twist_b);
	return fp2_equal(&left, &right) && g2_in_subgroup(out);
}

/* --- Fp⁶ --- */

static void fp6_add(struct fp6 *out, const struct fp6 *x, const struct fp6 *y)
{
	fp2_add(&out->c0, &x->c0, &y->c0);
	fp2_add(&out->c1, &x->c1, &y->c1);
	fp2_add(&out->c2, &x->c2, &y->c2);
}

static void fp6_sub(struct fp6 *out, const struct fp6 *x, const struct fp6 *y)
{
	fp2_sub(&out->c0, &x->c0, &y->c0);
	fp2_sub(&out->c1, &x->c1, &y->c1);
	fp2_sub(&out->c2, &x->c2, &y->c2);
}

static void fp6_negate(struct fp6 *out, const struct fp6 *x)
{
	fp2_negate(&out->c0, &x->c0);
	fp2_negate(&out->c1, &x->c1);
	fp2_negate(&out->c2, &x->c2);
}

static void fp6_mul_v(struct fp6 *out, const struct fp6 *x)
{
	struct fp2 top;

	fp2_mul_xi(&top, &x->c2);
	out->c2 = x->c1;
	out->c1 = x->c0;
	out->c0 = top;
}

/* (a + b)(c + d) - ac - bd, the middle of a product */
static void cross(struct fp2 *out, const struct fp2 *a, const struct fp2 *b, const struct fp2 *c,
		  const struct fp2 *d, const struct fp2 *ac, const struct fp2 *bd)
{
	struct fp2 s, t;

	fp2_add(&s, a, b);
	fp2_add(&t, c, d);
	fp2_mul(&s, &s, &t);
	fp2_sub(&s, &s, ac);
	fp2_sub(out, &s, bd);
}

static void fp6_mul(struct fp6 *out, const struct fp6 *x, const struct fp6 *y)
{
	struct fp2 v0, v1, v2, t0, t1, t2;

	fp2_mul(&v0, &x->c0, &y->c0);
	fp2_mul(&v1, &x->c1, &y->c1);
	fp2_mul(&v2, &x->c2, &y->c2);
	cross(&t0, &x->c1, &x->c2, &y->c1, &y->c2, &v1, &v2);
	cross(&t1, &x->c0, &x->c1, &y->c0, &y->c1, &v0, &v1);
	cross(&t2, &x->c0, &x->c2, &y->c0, &y->c2, &v0, &v2);
	fp2_mul_xi(&t0, &t0);
	fp2_add(&out->c0, &t0, &v0);
	fp2_add(&out->c2, &t2, &v1);
	fp2_mul_xi(&v2, &v2);
	fp2_add(&out->c1, &t1, &v2);
}

/* times a + b·v */
static void fp6_mul_01(struct fp6 *out, const struct fp6 *x, const struct fp2 *a,
		       const struct fp2 *b)
{
	struct fp2 v0, v1, t0, t1, t2;

	fp2_mul(&v0, &x->c0, a);
	fp2_mul(&v1, &x->c1, b);
	cross(&t1, &x->c0, &x->c1, a, b, &v0, &v1);
	fp2_mul(&t0, &x->c2, b);
	fp2_mul(&t2, &x->c2, a);
	fp2_mul_xi(&t0, &t0);
	fp2_add(&out->c0, &t0, &v0);
	out->c1 = t1;
	fp2_add(&out->c2, &t2, &v1);
}

static void fp6_invert(struct fp6 *out, const struct fp6 *x)
{
	struct fp2 a, b, c, t, norm;

	fp2_square(&a, &x->c0);
	fp2_mul(&t, &x->c1, &x->c2);
	fp2_mul_xi(&t, &t);
	fp2_sub(&a, &a, &t);
	fp2_square(&b, &x->c2);
	fp2_mul_xi(&b, &b);
	fp2_mul(&t, &x->c0, &x->c1);
	fp2_sub(&b, &b, &t);
	fp2_square(&c, &x->c1);
	fp2_mul(&t, &x->c0, &x->c2);
	fp2_sub(&c, &c, &t);
	fp2_mul(&norm, &x->c2, &b);
	fp2_mul(&t, &x->c1, &c);
	fp2_add(&norm, &norm, &t);
	fp2_mul_xi(&norm, &norm);
	fp2_mul(&t, &x->c0, &a);
	fp2_add(&norm, &norm, &t);
	fp2_invert(&norm, &norm);
	fp2_mul(&out->c0, &a, &norm);
	fp2_mul(&out->c1, &b, &norm);
	fp2_mul(&out->c2, &c, &norm);
}

/* --- Fp¹² --- */

static void fp12_mul(struct fp12 *out, const struct fp12 *x, const struct fp12 *y)
{
	struct fp6 v0, v1, s, t;

	fp6_mul(&v0, &x->c0, &y->c0);
	fp6_mul(&v1, &x->c1, &y->c1);
	fp6_add(&s, &x->c0, &x->c1);
	fp6_add(&t, &y->c0, &y->c1);
	fp6_mul(&s, &s, &t);
	fp6_sub(&s, &s, &v0);
	fp6_sub(&out->c1, &s, &v1);
	fp6_mul_v(&v1, &v1);
	fp6_add(&out->c0, &v0, &v1);
}

static void fp12_square(struct fp12 *out, const struct fp12 *x)
{
	struct fp6 s, t, product;

	fp6_mul(&product, &x->c0, &x->c1);
	fp6_add(&s, &x->c0, &x->c1);
	fp6_mul_v(&t, &x->c1);
	fp6_add(&t, &t, &x->c0);
	fp6_mul(&s, &s, &t);
	fp6_sub(&s, &s, &product);
	fp6_mul_v(&t, &product);
	fp6_sub(&out->c0, &s, &t);
	fp6_add(&out->c1, &product, &product);
}

/* The inverse too of what has been through the easy part of the final exponentiation. */
static void fp12_conjugate(struct fp12 *out, const struct fp12 *x)
{
	out->c0 = x->c0;
	fp6_negate(&out->c1, &x->c1);
}

static void fp12_invert(struct fp12 *out, const struct fp12 *x)
{
	struct fp6 a, b;

	fp6_mul(&a, &x->c0, &x->c0);
	fp6_mul(&b, &x->c1, &x->c1);
	fp6_mul_v(&b, &b);
	fp6_sub(&a, &a, &b);
	fp6_invert(&a, &a);
	fp6_mul(&out->c0, &x->c0, &a);
	fp6_mul(&b, &x->c1, &a);
	fp6_negate(&out->c1, &b);
}

/* The p^k-th power, k = 1, 2, 3. */
static void fp12_frobenius(struct fp12 *out, const struct fp12 *x, int k)
{
	const struct fp2 *in[6] = { &x->c0.c0, &x->c1.c0, &x->c0.c1,
				    &x->c1.c1, &x->c0.c2, &x->c1.c2 };
	struct fp2 *to[6] = { &out->c0.c0, &out->c1.c0, &out->c0.c1,
			      &out->c1.c1, &out->c0.c2, &out->c1.c2 };

	for (int j = 0; j < 6; j++) {
		struct fp2 t = *in[j];

		if (k % 2)
			fp2_conjugate(&t, &t);
		if (j == 0)
			*to[j] = t;
		else if (k == 2)
			fp2_scale(to[j], &t, &frobenius[1][j - 1].a);
		else
			fp2_mul(to[j], &t, &frobenius[k - 1][j - 1]);
	}
}

/* (a + b·y)² with y² = ξ */
static void square_pair(struct fp2 *even, struct fp2 *odd, const struct fp2 *a, const struct fp2 *b)
{
	struct fp2 s, t, product;

	fp2_mul(&product, a, b);
	fp2_add(&s, a, b);
	fp2_mul_xi(&t, b);
	fp2_add(&t, &t, a);
	fp2_mul(&s, &s, &t);
	fp2_sub(&s, &s, &product);
	fp2_mul_xi(&t, &product);
	fp2_sub(even, &s, &t);
	fp2_double(odd, &product);
}

/* 3·t - 2·z, and 3·t + 2·z */
static void three_minus_two(struct fp2 *out, const struct fp2 *t, const struct fp2 *z)
{
	struct fp2 d;

	fp2_sub(&d, t, z);
	fp2_double(&d, &d);
	fp2_add(out, &d, t);
}

static void three_plus_two(struct fp2 *out, const struct fp2 *t, const struct fp2 *z)
{
	struct fp2 s;

	fp2_add(&s, t, z);
	fp2_double(&s, &s);
	fp2_add(out, &s, t);
}

/* A square in the cyclotomic subgroup (Granger, Scott, "Faster squaring in the
 * cyclotomic subgroup of sixth degree extensions", 2010). */
static void fp12_cyclotomic_square(struct fp12 *out, const struct fp12 *x)
{
	struct fp2 t0, t1, t2, t3, t4, t5;

	square_pair(&t0, &t1, &x->c0.c0, &x->c1.c1);
	square_pair(&t2, &t3, &x->c1.c0, &x->c0.c2);
	square_pair(&t4, &t5, &x->c0.c1, &x->c1.c2);
	fp2_mul_xi(&t5, &t5);
	three_minus_two(&out->c0.c0, &t0, &x->c0.c0);
	three_minus_two(&out->c0.c1, &t2, &x->c0.c1);
	three_minus_two(&out->c0.c2, &t4, &x->c0.c2);
	three_plus_two(&out->c1.c0, &t5, &x->c1.c0);
	three_plus_two(&out->c1.c1, &t1, &x->c1.c1);
	three_plus_two(&out->c1.c2, &t3, &x->c1.c2);
}

/* x^-u in the cyclotomic subgroup. */
static void fp12_power_minus_u(struct fp12 *out, const struct fp12 *x)
{
	struct fp12 r = *x;

	for (int i = 61; i >= 0; i--) {
		fp12_cyclotomic_square(&r, &r);
		if (PARAMETER >> i & 1)
			fp12_mul(&r, &r, x);
	}
	fp12_conjugate(out, &r);
}

/* --- the pairing --- */

/* A pair on its way through the Miller loop: t runs over multiples of q, in
 * homogeneous coordinates. */
struct pair {
	struct fp px, py;
	struct fp2 qx, qy;
	struct g2 t;
};

/* A line at p: f · (c0 + c3·w + c4·v·w) with the coefficients that are not 0. */
static void multiply_line(struct fp12 *f, const struct pair *p, const struct fp2 *at_y,
			  const struct fp2 *at_x, const struct fp2 *rest)
{
	struct fp2 c0, c3;
	struct fp6 a, b, s;

	fp2_scale(&c0, at_y, &p->py);
	fp2_scale(&c3, at_x, &p->px);
	fp2_mul(&a.c0, &f->c0.c0, &c0);
	fp2_mul(&a.c1, &f->c0.c1, &c0);
	fp2_mul(&a.c2, &f->c0.c2, &c0);
	fp6_mul_01(&b, &f->c1, &c3, rest);
	fp6_add(&s, &f->c0, &f->c1);
	fp2_add(&c0, &c0, &c3);
	fp6_mul_01(&s, &s, &c0, rest);
	fp6_sub(&s, &s, &a);
	fp6_sub(&f->c1, &s, &b);
	fp6_mul_v(&b, &b);
	fp6_add(&f->c0, &a, &b);
}

/* t = 2t, and the tangent there (Costello, Lange, Naehrig, "Faster pairing computations
 * on curves with high-degree twists", 2010). */
static void double_step(struct fp12 *f, struct pair *p)
{
	struct fp2 a, b, c, e, e3, g, h, i, j, t;
	struct g2 *r = &p->t;

	fp2_mul(&a, &r->x, &r->y);
	fp2_scale(&a, &a, &one_half);
	fp2_square(&b, &r->y);
	fp2_square(&c, &r->z);
	fp2_double(&t, &c);
	fp2_add(&t, &t, &c);
	fp2_mul(&e, &twist_b, &t);
	fp2_double(&e3, &e);
	fp2_add(&e3, &e3, &e);
	fp2_add(&g, &b, &e3);
	fp2_scale(&g, &g, &one_half);
	fp2_add(&h, &r->y, &r->z);
	fp2_square(&h, &h);
	fp2_sub(&h, &h, &b);
	fp2_sub(&h, &h, &c);
	fp2_sub(&i, &e, &b);
	fp2_square(&j, &r->x);
	fp2_square(&e, &e);
	fp2_sub(&t, &b, &e3);
	fp2_mul(&r->x, &a, &t);
	fp2_square(&g, &g);
	fp2_double(&t, &e);
	fp2_add(&t, &t, &e);
	fp2_sub(&r->y, &g, &t);
	fp2_mul(&r->z, &b, &h);
	fp2_negate(&h, &h);
	fp2_double(&t, &j);
	fp2_add(&j, &t, &j);
	multiply_line(f, p, &h, &j, &i);
}

/* t = t + q, and the line through both. */
static void add_step(struct fp12 *f, struct pair *p, const struct fp2 *qx, const struct fp2 *qy)
{
	struct fp2 theta, lambda, c, d, e, g, h, j, t;
	struct g2 *r = &p->t;

	fp2_mul(&t, qy, &r->z);
	fp2_sub(&theta, &r->y, &t);
	fp2_mul(&t, qx, &r->z);
	fp2_sub(&lambda, &r->x, &t);
	fp2_square(&c, &theta);
	fp2_square(&d, &lambda);
	fp2_mul(&e, &lambda, &d);
	fp2_mul(&h, &r->z, &c);
	fp2_mul(&g, &r->x, &d);
	fp2_add(&h, &h, &e);
	fp2_sub(&h, &h, &g);
	fp2_sub(&h, &h, &g);
	fp2_mul(&r->x, &lambda, &h);
	fp2_sub(&g, &g, &h);
	fp2_mul(&g, &theta, &g);
	fp2_mul(&t, &e, &r->y);
	fp2_sub(&r->y, &g, &t);
	fp2_mul(&r->z, &r->z, &e);
	fp2_mul(&j, &theta, qx);
	fp2_mul(&t, &lambda, qy);
	fp2_sub(&j, &j, &t);
	fp2_negate(&theta, &theta);
	multiply_line(f, p, &lambda, &theta, &j);
}

/* The two additions after the loop: of ψ(q) and of -ψ²(q). */
static void last_steps(struct fp12 *f, struct pair *p)
{
	struct fp2 x = p->qx, y = p->qy, minus_y;

	twist_frobenius(&x, &y);
	add_step(f, p, &x, &y);
	twist_frobenius(&x, &y);
	fp2_negate(&minus_y, &y);
	add_step(f, p, &x, &minus_y);
}

static void miller_loop(struct fp12 *f, struct pair pairs[], size_t count)
{
	*f = (struct fp12){ .c0.c0.a = fp_one };
	for (int i = (int)sizeof(loop_digits) - 2; i >= 0; i--) {
		fp12_square(f, f);
		for (size_t k = 0; k < count; k++) {
			struct pair *p = &pairs[k];
			struct fp2 minus_y;

			double_step(f, p);
			if (loop_digits[i] > 0)
				add_step(f, p, &p->qx, &p->qy);
			if (loop_digits[i] < 0) {
				fp2_negate(&minus_y, &p->qy);
				add_step(f, p, &p->qx, &minus_y);
			}
		}
	}
	for (size_t k = 0; k < count; k++)
		last_steps(f, &pairs[k]);
}

/* f^((p^12 - 1)/r), up to a power prime to r (Fuentes-Castañeda, Knapp, Rodríguez-
 * Henríquez, "Faster hashing to G2", 2011). */
static void final_exponentiation(struct fp12 *f)
{
	struct fp12 r, t, y0, y1, y3, y4, y6, y8;

	/* the easy part: (p^6 - 1)(p² + 1) */
	fp12_invert(&t, f);
	fp12_conjugate(&r, f);
	fp12_mul(&r, &r, &t);
	fp12_frobenius(&t, &r, 2);
	fp12_mul(&r, &t, &r);
	/* the hard part */
	fp12_power_minus_u(&y0, &r);
	fp12_cyclotomic_square(&y1, &y0);
	fp12_cyclotomic_square(&t, &y1);
	fp12_mul(&y3, &t, &y1);
	fp12_power_minus_u(&y4, &y3);
	fp12_cyclotomic_square(&t, &y4);
	fp12_power_minus_u(&y6, &t);
	fp12_conjugate(&y3, &y3);
	fp12_conjugate(&y6, &y6);
	fp12_mul(&t, &y6, &y4);
	fp12_mul(&y8, &t, &y3);
	fp12_mul(&y1, &y8, &y1); /* y9 */
	fp12_mul(&t, &y8, &y4);
	fp12_mul(&t, &t, &r);
	fp12_frobenius(&y0, &y1, 1);
	fp12_mul(&t, &y0, &t);
	fp12_frobenius(&y8, &y8, 2);
	fp12_mul(&t, &y8, &t);
	fp12_conjugate(&r, &r);
	fp12_mul(&r, &r, &y1);
	fp12_frobenius(&r, &r, 3);
	fp12_mul(f, &r, &t);
}

static bool fp12_is_one(const struct fp12 *f)
{
	static const struct fp12 one = { .c0.c0.a = { { 0xd35d438dc58f0d9d, 0x0a78eb28f5c70b3d,
							0x666ea36f7879462c, 0x0e0a77c19a07df2f } } };

	return memcmp(f, &one, sizeof(one)) == 0;
}

/* Pairs that share their squarings. */
#define BATCH_COUNT 16

bool bn254_pairing(bool *is_one, const uint8_t *pairs, size_t count)
{
	struct fp12 product = { .c0.c0.a = fp_one }, f;
	struct pair batch[BATCH_COUNT];
	size_t filled = 0;

	for (size_t i = 0; i < count; i++) {
		struct pair *p = &batch[filled];
		bool q_is_zero;
		struct g1 g;

		if (!read_g1(&g, pairs + i * BN254_PAIR_SIZE) ||
		    !read_g2(&p->t, &q_is_zero, pairs + i * BN254_PAIR_SIZE + 64))
			return false;
		if (fp_is_zero(&g.z) || q_is_zero)
			continue;
		p->px = g.x;
		p->py = g.y;
		p->qx = p->t.x;
		p->qy = p->t.y;
		if (++filled == BATCH_COUNT) {
			miller_loop(&f, batch, filled);
			fp12_mul(&product, &product, &f);
			filled = 0;
		}
	}
	if (filled) {
		miller_loop(&f, batch, filled);
		fp12_mul(&product, &product, &f);
	}
	final_exponentiation(&product);
	*is_one = fp12_is_one(&product);
	return true;
}
