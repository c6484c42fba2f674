#include "crypto/p256.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "base/check.h"

/* In [1, limit - 1]? */
static bool in_range(const BIGNUM *n, const BIGNUM *limit)
{
	return !BN_is_zero(n) && BN_cmp(n, limit) < 0;
}

static BIGNUM *read_number(BN_CTX *ctx, const uint8_t be[32])
{
	BIGNUM *n = BN_CTX_get(ctx);

	if (!n || !BN_bin2bn(be, 32, n))
		fatal("OpenSSL is out of memory");
	return n;
}

/* The point digest/s · G + r/s · key, and whether its x is r modulo the order. */
static bool check_point(const EC_GROUP *group, BN_CTX *ctx, const uint8_t in[P256_INPUT_SIZE],
			EC_POINT *key, EC_POINT *sum)
{
	const BIGNUM *order = EC_GROUP_get0_order(group);
	BIGNUM *digest = read_number(ctx, in), *r = read_number(ctx, in + 32),
	       *s = read_number(ctx, in + 64), *x = read_number(ctx, in + 96),
	       *y = read_number(ctx, in + 128), *w = BN_CTX_get(ctx), *u = BN_CTX_get(ctx);
	BIGNUM *prime = BN_CTX_get(ctx);

	if (!prime || !EC_GROUP_get_curve(group, prime, NULL, NULL, ctx))
		fatal("OpenSSL is out of memory");
	if (!in_range(r, order) || !in_range(s, order) || BN_cmp(x, prime) >= 0 ||
	    BN_cmp(y, prime) >= 0)
		return false;
	if (EC_POINT_set_affine_coordinates(group, key, x, y, ctx) != 1)
		return false;
	if (!BN_mod_inverse(w, s, order, ctx) || !BN_mod_mul(u, digest, w, order, ctx) ||
	    !BN_mod_mul(w, r, w, order, ctx) || !EC_POINT_mul(group, sum, u, key, w, ctx))
		return false;
	if (EC_POINT_is_at_infinity(group, sum) ||
	    !EC_POINT_get_affine_coordinates(group, sum, x, NULL, ctx) ||
	    !BN_nnmod(x, x, order, ctx))
		return false;
	return BN_cmp(x, r) == 0;
}

bool p256_verify(const uint8_t in[P256_INPUT_SIZE])
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BN_CTX *ctx = BN_CTX_new();
	EC_POINT *key, *sum;
	bool good;

	if (!group || !ctx)
		fatal("OpenSSL has no P-256, or no memory");
	key = EC_POINT_new(group);
	sum = EC_POINT_new(group);
	if (!key || !sum)
		fatal("OpenSSL is out of memory");
	BN_CTX_start(ctx);
	good = check_point(group, ctx, in, key, sum);
	BN_CTX_end(ctx);
	EC_POINT_free(key);
	EC_POINT_free(sum);
	BN_CTX_free(ctx);
	EC_GROUP_free(group);
	return good;
}
