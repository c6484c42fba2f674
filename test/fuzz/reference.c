#include "reference.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include "base/check.h"
#include "crypto/keccak.h"

#define BN254_PRIME "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47"
#define BN254_ORDER "30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001"

static BIGNUM *number(BN_CTX *ctx, const uint8_t *be, size_t size)
{
	BIGNUM *n = BN_CTX_get(ctx);

	CHECK(n && BN_bin2bn(be, (int)size, n));
	return n;
}

static BIGNUM *number_hex(BN_CTX *ctx, const char *text)
{
	BIGNUM *n = BN_CTX_get(ctx);

	CHECK(n && BN_hex2bn(&n, text));
	return n;
}

static bool in_range(const BIGNUM *n, const BIGNUM *limit)
{
	return !BN_is_zero(n) && BN_cmp(n, limit) < 0;
}

/* --- ecrecover: Q = (s·R - z·G) / r, R with x = r --- */

static bool recover(const EC_GROUP *group, BN_CTX *ctx, EC_POINT *q, const uint8_t hash[32],
		    const uint8_t r_bytes[32], const uint8_t s_bytes[32], bool is_odd)
{
	const BIGNUM *order = EC_GROUP_get0_order(group);
	BIGNUM *z = number(ctx, hash, 32), *r = number(ctx, r_bytes, 32),
	       *s = number(ctx, s_bytes, 32), *inverse = BN_CTX_get(ctx);

	if (!in_range(r, order) || !in_range(s, order) ||
	    EC_POINT_set_compressed_coordinates(group, q, r, is_odd, ctx) != 1)
		return false;
	CHECK(BN_mod_inverse(inverse, r, order, ctx) && BN_mod_mul(s, s, inverse, order, ctx) &&
	      BN_mod_mul(z, z, inverse, order, ctx));
	BN_set_negative(z, !BN_is_zero(z));
	CHECK(BN_nnmod(z, z, order, ctx) && EC_POINT_mul(group, q, z, q, s, ctx));
	return !EC_POINT_is_at_infinity(group, q);
}

bool reference_recover(struct addr *out, const uint8_t hash[32], const uint8_t r[32],
		       const uint8_t s[32], bool is_odd)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp256k1);
	EC_POINT *q = EC_POINT_new(group);
	BN_CTX *ctx = BN_CTX_new();
	uint8_t key[65];
	struct hash h;
	bool good;

	BN_CTX_start(ctx);
	good = recover(group, ctx, q, hash, r, s, is_odd);
	if (good) {
		CHECK(EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, key, 65, ctx) == 65);
		keccak256(&h, bytes_of(key + 1, 64));
		memcpy(out->bytes, h.bytes + 12, 20);
	}
	BN_CTX_end(ctx);
	BN_CTX_free(ctx);
	EC_POINT_free(q);
	EC_GROUP_free(group);
	ERR_clear_error();
	return good;
}

/* --- modexp --- */

void reference_modexp(uint8_t *out, struct bytes base, struct bytes exponent, struct bytes modulus)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *b, *e, *m, *power;

	BN_CTX_start(ctx);
	b = number(ctx, base.data, base.size);
	e = number(ctx, exponent.data, exponent.size);
	m = number(ctx, modulus.data, modulus.size);
	power = BN_CTX_get(ctx);
	memset(out, 0, modulus.size);
	if (!BN_is_zero(m) && !BN_is_one(m))
		CHECK(BN_mod_exp(power, b, e, m, ctx) &&
		      BN_bn2binpad(power, out, (int)modulus.size) == (int)modulus.size);
	BN_CTX_end(ctx);
	BN_CTX_free(ctx);
}

/* --- BN254, first group --- */

static bool set_point(const EC_GROUP *g, BN_CTX *ctx, EC_POINT *p, const uint8_t in[64])
{
	BIGNUM *x = number(ctx, in, 32), *y = number(ctx, in + 32, 32),
	       *prime = number_hex(ctx, BN254_PRIME);

	if (BN_cmp(x, prime) >= 0 || BN_cmp(y, prime) >= 0)
		return false;
	if (BN_is_zero(x) && BN_is_zero(y))
		return EC_POINT_set_to_infinity(g, p) == 1;
	return EC_POINT_set_affine_coordinates(g, p, x, y, ctx) == 1;
}

static void get_point(const EC_GROUP *g, BN_CTX *ctx, const EC_POINT *p, uint8_t out[64])
{
	BIGNUM *x = BN_CTX_get(ctx), *y = BN_CTX_get(ctx);

	memset(out, 0, 64);
	if (EC_POINT_is_at_infinity(g, p))
		return;
	CHECK(EC_POINT_get_affine_coordinates(g, p, x, y, ctx) == 1);
	CHECK(BN_bn2binpad(x, out, 32) == 32 && BN_bn2binpad(y, out + 32, 32) == 32);
}

/* `scalar` NULL: a sum of two points, else a multiple of one. */
static bool on_curve(uint8_t out[64], const uint8_t *p_in, const uint8_t *q_in, const uint8_t *scalar)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *prime, *a, *b;
	EC_GROUP *g;
	EC_POINT *p, *q;
	bool good;

	BN_CTX_start(ctx);
	prime = number_hex(ctx, BN254_PRIME);
	a = number_hex(ctx, "0");
	b = number_hex(ctx, "3");
	g = EC_GROUP_new_curve_GFp(prime, a, b, ctx);
	p = EC_POINT_new(g);
	q = EC_POINT_new(g);
	good = set_point(g, ctx, p, p_in) && (!q_in || set_point(g, ctx, q, q_in));
	if (good && scalar) { /* by doubling and adding: OpenSSL's own wants the order */
		EC_POINT_set_to_infinity(g, q);
		for (int i = 0; i < 256; i++) {
			CHECK(EC_POINT_dbl(g, q, q, ctx));
			if (scalar[i / 8] >> (7 - i % 8) & 1)
				CHECK(EC_POINT_add(g, q, q, p, ctx));
		}
	} else if (good) {
		CHECK(EC_POINT_add(g, q, p, q, ctx));
	}
	if (good)
		get_point(g, ctx, q, out);
	EC_POINT_free(p);
	EC_POINT_free(q);
	EC_GROUP_free(g);
	BN_CTX_end(ctx);
	BN_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

bool reference_add(uint8_t out[64], const uint8_t in[128])
{
	return on_curve(out, in, in + 64, NULL);
}

bool reference_mul(uint8_t out[64], const uint8_t in[96])
{
	return on_curve(out, in, NULL, in + 64);
}

/* --- BN254, second group: affine points over Fp[i], i² = -1 --- */

struct fp2 {
	BIGNUM *re, *im;
};

struct twist {
	BN_CTX *ctx;
	BIGNUM *p;
};

static struct fp2 fp2_new(const struct twist *t)
{
	return (struct fp2){ BN_CTX_get(t->ctx), BN_CTX_get(t->ctx) };
}

static void fp2_sub(const struct twist *t, struct fp2 out, struct fp2 a, struct fp2 b)
{
	CHECK(BN_mod_sub(out.re, a.re, b.re, t->p, t->ctx) && BN_mod_sub(out.im, a.im, b.im, t->p, t->ctx));
}

static void fp2_add(const struct twist *t, struct fp2 out, struct fp2 a, struct fp2 b)
{
	CHECK(BN_mod_add(out.re, a.re, b.re, t->p, t->ctx) && BN_mod_add(out.im, a.im, b.im, t->p, t->ctx));
}

/* `out` may be an operand. */
static void fp2_mul(const struct twist *t, struct fp2 out, struct fp2 a, struct fp2 b)
{
	BIGNUM *rr, *ii, *ri, *ir;

	BN_CTX_start(t->ctx);
	rr = BN_CTX_get(t->ctx), ii = BN_CTX_get(t->ctx);
	ri = BN_CTX_get(t->ctx), ir = BN_CTX_get(t->ctx);
	CHECK(BN_mod_mul(rr, a.re, b.re, t->p, t->ctx) && BN_mod_mul(ii, a.im, b.im, t->p, t->ctx) &&
	      BN_mod_mul(ri, a.re, b.im, t->p, t->ctx) && BN_mod_mul(ir, a.im, b.re, t->p, t->ctx));
	CHECK(BN_mod_sub(out.re, rr, ii, t->p, t->ctx) && BN_mod_add(out.im, ri, ir, t->p, t->ctx));
	BN_CTX_end(t->ctx);
}

static void fp2_invert(const struct twist *t, struct fp2 out, struct fp2 a)
{
	BIGNUM *norm, *square;

	BN_CTX_start(t->ctx);
	norm = BN_CTX_get(t->ctx), square = BN_CTX_get(t->ctx);
	CHECK(BN_mod_sqr(norm, a.re, t->p, t->ctx) && BN_mod_sqr(square, a.im, t->p, t->ctx) &&
	      BN_mod_add(norm, norm, square, t->p, t->ctx) && BN_mod_inverse(norm, norm, t->p, t->ctx));
	CHECK(BN_mod_mul(out.re, a.re, norm, t->p, t->ctx) && BN_mod_mul(out.im, a.im, norm, t->p, t->ctx));
	if (!BN_is_zero(out.im))
		CHECK(BN_sub(out.im, t->p, out.im));
	BN_CTX_end(t->ctx);
}

static bool fp2_equal(struct fp2 a, struct fp2 b)
{
	return BN_cmp(a.re, b.re) == 0 && BN_cmp(a.im, b.im) == 0;
}

struct twist_point {
	struct fp2 x, y;
	bool is_infinity;
};

static void point_copy(struct twist_point *out, const struct twist_point *p)
{
	CHECK(BN_copy(out->x.re, p->x.re) && BN_copy(out->x.im, p->x.im) &&
	      BN_copy(out->y.re, p->y.re) && BN_copy(out->y.im, p->y.im));
	out->is_infinity = p->is_infinity;
}

/* out += p */
static void point_add(const struct twist *t, struct twist_point *out, const struct twist_point *p)
{
	struct fp2 slope, low, x, y;

	if (p->is_infinity)
		return;
	if (out->is_infinity) {
		point_copy(out, p);
		return;
	}
	BN_CTX_start(t->ctx);
	slope = fp2_new(t), low = fp2_new(t), x = fp2_new(t), y = fp2_new(t);
	if (fp2_equal(out->x, p->x)) {
		fp2_add(t, low, out->y, p->y);
		if (BN_is_zero(low.re) && BN_is_zero(low.im)) {
			out->is_infinity = true;
			BN_CTX_end(t->ctx);
			return;
		}
		fp2_mul(t, slope, p->x, p->x);
		fp2_add(t, x, slope, slope);
		fp2_add(t, slope, x, slope);
	} else {
		fp2_sub(t, slope, p->y, out->y);
		fp2_sub(t, low, p->x, out->x);
	}
	fp2_invert(t, low, low);
	fp2_mul(t, slope, slope, low);
	fp2_mul(t, x, slope, slope);
	fp2_sub(t, x, x, out->x);
	fp2_sub(t, x, x, p->x);
	fp2_sub(t, y, out->x, x);
	fp2_mul(t, y, y, slope);
	fp2_sub(t, out->y, y, out->y);
	CHECK(BN_copy(out->x.re, x.re) && BN_copy(out->x.im, x.im));
	BN_CTX_end(t->ctx);
}

/* y² = x³ + 3/(9 + i) */
static bool on_twist(const struct twist *t, const struct twist_point *p)
{
	struct fp2 left, right, b;
	bool is;

	BN_CTX_start(t->ctx);
	left = fp2_new(t), right = fp2_new(t), b = fp2_new(t);
	CHECK(BN_set_word(b.re, 9) && BN_set_word(b.im, 1));
	fp2_invert(t, b, b);
	CHECK(BN_set_word(left.re, 3));
	BN_zero(left.im);
	fp2_mul(t, b, b, left);
	fp2_mul(t, right, p->x, p->x);
	fp2_mul(t, right, right, p->x);
	fp2_add(t, right, right, b);
	fp2_mul(t, left, p->y, p->y);
	is = fp2_equal(left, right);
	BN_CTX_end(t->ctx);
	return is;
}

static bool in_subgroup(const struct twist *t, const struct twist_point *p)
{
	const BIGNUM *order = number_hex(t->ctx, BN254_ORDER);
	struct twist_point sum = { fp2_new(t), fp2_new(t), true }, twice = { fp2_new(t), fp2_new(t), true };

	for (int i = BN_num_bits(order) - 1; i >= 0; i--) {
		point_copy(&twice, &sum);
		point_add(t, &sum, &twice);
		if (BN_is_bit_set(order, i))
			point_add(t, &sum, p);
	}
	return sum.is_infinity;
}

bool reference_is_g2(const uint8_t in[128])
{
	struct twist t = { .ctx = BN_CTX_new() };
	struct twist_point p = { .is_infinity = false };
	bool good;

	BN_CTX_start(t.ctx);
	t.p = number_hex(t.ctx, BN254_PRIME);
	p.x = (struct fp2){ .im = number(t.ctx, in, 32), .re = number(t.ctx, in + 32, 32) };
	p.y = (struct fp2){ .im = number(t.ctx, in + 64, 32), .re = number(t.ctx, in + 96, 32) };
	good = BN_cmp(p.x.re, t.p) < 0 && BN_cmp(p.x.im, t.p) < 0 && BN_cmp(p.y.re, t.p) < 0 &&
	       BN_cmp(p.y.im, t.p) < 0;
	if (good && !(BN_is_zero(p.x.re) && BN_is_zero(p.x.im) && BN_is_zero(p.y.re) &&
		      BN_is_zero(p.y.im)))
		good = on_twist(&t, &p) && in_subgroup(&t, &p);
	BN_CTX_end(t.ctx);
	BN_CTX_free(t.ctx);
	return good;
}

/* --- BLAKE2b's F --- */

static uint64_t rotate(uint64_t n, unsigned by)
{
	return n >> by | n << (64 - by);
}

static void mix(uint64_t v[16], int a, int b, int c, int d, uint64_t x, uint64_t y)
{
	v[a] += v[b] + x;
	v[d] = rotate(v[d] ^ v[a], 32);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 24);
	v[a] += v[b] + y;
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 63);
}

static uint64_t little(const uint8_t *at)
{
	uint64_t n = 0;

	for (int i = 7; i >= 0; i--)
		n = n << 8 | at[i];
	return n;
}

void reference_blake2f(uint8_t out[64], const uint8_t in[213])
{
	static const uint64_t iv[8] = {
		0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
		0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
	};
	static const char sigma[10][17] = {
		"0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8",
		"905724afe1bc683d", "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a",
		"6fe9b308c2d714a5", "a2847615fb9e3cd0",
	};
	static const uint8_t lanes[8][4] = { { 0, 4, 8, 12 },  { 1, 5, 9, 13 },  { 2, 6, 10, 14 },
					     { 3, 7, 11, 15 }, { 0, 5, 10, 15 }, { 1, 6, 11, 12 },
					     { 2, 7, 8, 13 },  { 3, 4, 9, 14 } };
	uint32_t rounds = (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
	uint64_t v[16], m[16];

	for (int i = 0; i < 8; i++) {
		v[i] = little(in + 4 + 8 * i);
		v[8 + i] = iv[i];
	}
	for (int i = 0; i < 16; i++)
		m[i] = little(in + 68 + 8 * i);
	v[12] ^= little(in + 196);
	v[13] ^= little(in + 204);
	v[14] = in[212] ? ~v[14] : v[14];
	for (uint32_t r = 0; r < rounds; r++)
		for (int i = 0; i < 8; i++) {
			char x = sigma[r % 10][2 * i], y = sigma[r % 10][2 * i + 1];

			mix(v, lanes[i][0], lanes[i][1], lanes[i][2], lanes[i][3],
			    m[x <= '9' ? x - '0' : x - 'a' + 10], m[y <= '9' ? y - '0' : y - 'a' + 10]);
		}
	for (int i = 0; i < 64; i++)
		out[i] = (uint8_t)((little(in + 4 + i / 8 * 8) ^ v[i / 8] ^ v[8 + i / 8]) >> (8 * (i % 8)));
}

/* --- P-256: OpenSSL's own verification, of a key and a signature in its forms --- */

static EVP_PKEY *p256_key(const uint8_t point[64])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	uint8_t octets[65] = { POINT_CONVERSION_UNCOMPRESSED };
	char name[] = "prime256v1", key_name[] = "pub";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("group", name, 0),
		OSSL_PARAM_construct_octet_string(key_name, octets, sizeof(octets)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;

	memcpy(octets + 1, point, 64);
	CHECK(ctx && EVP_PKEY_fromdata_init(ctx) == 1);
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

bool reference_p256(const uint8_t in[160])
{
	EVP_PKEY *key = p256_key(in + 96);
	EVP_PKEY_CTX *ctx;
	ECDSA_SIG *sig;
	uint8_t *der = NULL;
	int size;
	bool good;

	ERR_clear_error();
	if (!key)
		return false;
	sig = ECDSA_SIG_new();
	CHECK(sig && ECDSA_SIG_set0(sig, BN_bin2bn(in + 32, 32, NULL), BN_bin2bn(in + 64, 32, NULL)));
	size = i2d_ECDSA_SIG(sig, &der);
	ctx = EVP_PKEY_CTX_new(key, NULL);
	CHECK(size > 0 && ctx && EVP_PKEY_verify_init(ctx) == 1);
	good = EVP_PKEY_verify(ctx, der, (size_t)size, in, 32) == 1;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	ECDSA_SIG_free(sig);
	OPENSSL_free(der);
	ERR_clear_error();
	return good;
}
