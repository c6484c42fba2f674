#include "crypto/p256.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "base/check.h"

struct p256 {
	EC_GROUP *group;
	BN_CTX *ctx;
	BIGNUM *prime;
	EC_POINT *key, *sum;
};

struct p256 *p256_new(void)
{
	struct p256 *p = xcalloc(1, sizeof(*p));

	p->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	p->ctx = BN_CTX_new();
	p->prime = BN_new();
	if (!p->group || !p->ctx || !p->prime)
		fatal("OpenSSL has no P-256, or no memory");
	p->key = EC_POINT_new(p->group);
	p->sum = EC_POINT_new(p->group);
	if (!p->key || !p->sum || !EC_GROUP_get_curve(p->group, p->prime, NULL, NULL, p->ctx))
		fatal("OpenSSL is out of memory");
	return p;
}

void p256_free(struct p256 *p)
{
	if (!p)
		return;
	EC_POINT_free(p->key);
	EC_POINT_free(p->sum);
	BN_free(p->prime);
	BN_CTX_free(p->ctx);
	EC_GROUP_free(p->group);
	free(p);
}

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
static bool check_point(struct p256 *p, const uint8_t in[P256_INPUT_SIZE])
{
	const BIGNUM *order = EC_GROUP_get0_order(p->group);
	BIGNUM *digest = read_number(p->ctx, in), *r = read_number(p->ctx, in + 32),
	       *s = read_number(p->ctx, in + 64), *x = read_number(p->ctx, in + 96),
	       *y = read_number(p->ctx, in + 128), *w = BN_CTX_get(p->ctx), *u = BN_CTX_get(p->ctx);

	if (!u)
		fatal("OpenSSL is out of memory");
	if (!in_range(r, order) || !in_range(s, order) || BN_cmp(x, p->prime) >= 0 ||
	    BN_cmp(y, p->prime) >= 0)
		return false;
	if (EC_POINT_set_affine_coordinates(p->group, p->key, x, y, p->ctx) != 1)
		return false;
	if (!BN_mod_inverse(w, s, order, p->ctx) || !BN_mod_mul(u, digest, w, order, p->ctx) ||
	    !BN_mod_mul(w, r, w, order, p->ctx) ||
	    !EC_POINT_mul(p->group, p->sum, u, p->key, w, p->ctx))
		return false;
	if (EC_POINT_is_at_infinity(p->group, p->sum) ||
	    !EC_POINT_get_affine_coordinates(p->group, p->sum, x, NULL, p->ctx) ||
	    !BN_nnmod(x, x, order, p->ctx))
		return false;
	return BN_cmp(x, r) == 0;
}

bool p256_verify(struct p256 *p, const uint8_t in[P256_INPUT_SIZE])
{
	bool good;

	BN_CTX_start(p->ctx);
	good = check_point(p, in);
	BN_CTX_end(p->ctx);
	return good;
}
