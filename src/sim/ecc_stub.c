/*
 * ecc_stub - crypto/ecc.h's functions without a curve, for the simulator alone:
 * linked before libcrypto.a, it takes the place of ecc.c. What the chain asks of
 * signatures stays: a signature names its signer, belongs to one digest, and whatever
 * is changed in it or in what was signed recovers somebody else. Nobody here tries
 * to compute another's; the simulator's liars have only keys of their own.
 *
 *   public key   x = spread(mix(secret)), y = spread(mix(x)); the address is keccak's as ever
 *   signature    r = x, s = spread(mix(digest, x))
 */
#include "crypto/ecc.h"

#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"

/* Contents do not matter; there must be one. */
struct ecc {
	uint8_t seed[32];
};

struct ecc *ecc_new(const uint8_t seed[32])
{
	struct ecc *e = xmalloc(sizeof(*e));

	memcpy(e->seed, seed, sizeof(e->seed));
	return e;
}

void ecc_free(struct ecc *e)
{
	free(e);
}

/* --- 64 bits of anything, and 32 bytes of those --- */

static uint64_t scramble(uint64_t v)
{
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ v >> 27) * 0x94d049bb133111ebull;
	return v ^ v >> 31;
}

static uint64_t mix(uint64_t from, const void *data, size_t size)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < size; i += 8)
		from = scramble(from ^ load_be64(at + i)) + 0x9e3779b97f4a7c15ull;
	return from;
}

/* Below the group's order and in its lower half, never 0. */
static void spread(uint8_t out[32], uint64_t v)
{
	for (size_t i = 0; i < 4; i++)
		store_be64(out + 8 * i, scramble(v + i));
	out[0] = (uint8_t)((out[0] & 0x3f) | 0x20);
}

static void make_s(uint8_t s[32], const struct hash *digest, const uint8_t x[32])
{
	spread(s, mix(mix(3, digest->bytes, 32), x, 32));
}

/* --- keys --- */

bool ecc_key_valid(const struct ecc *e, const struct secret_key *key)
{
	static const struct secret_key zero;

	(void)e;
	return memcmp(key, &zero, sizeof(zero)) != 0 && key->bytes[0] != 0xff;
}

static void public_key_of_x(struct public_key *out, const uint8_t x[32])
{
	memcpy(out->bytes, x, 32);
	spread(out->bytes + 32, mix(2, x, 32));
}

int ecc_public_key(const struct ecc *e, struct public_key *out, const struct secret_key *key,
		   struct err *err)
{
	uint8_t x[32];

	if (!ecc_key_valid(e, key))
		return ERR_SET(err, CRYPTO_E_KEY, "the secret key is out of range");
	spread(x, mix(1, key->bytes, 32));
	public_key_of_x(out, x);
	return OK;
}

void ecc_address(struct addr *out, const struct public_key *key)
{
	struct hash h;

	keccak256(&h, bytes_of(key->bytes, sizeof(key->bytes)));
	memcpy(out->bytes, h.bytes + 12, sizeof(out->bytes));
}

int ecc_key_tweak_add(const struct ecc *e, struct secret_key *key, const uint8_t tweak[32],
		      struct err *err)
{
	(void)e;
	(void)err;
	for (size_t i = 1; i < sizeof(key->bytes); i++)
		key->bytes[i] ^= tweak[i];
	return OK;
}

/* --- signatures --- */

int ecc_sign(const struct ecc *e, struct signature *out, const struct hash *digest,
	     const struct secret_key *key, struct err *err)
{
	struct public_key public;
	int code = ecc_public_key(e, &public, key, err);

	if (code != OK)
		return code;
	memcpy(out->r, public.bytes, 32);
	make_s(out->s, digest, out->r);
	out->recovery_id = 0;
	return OK;
}

int ecc_recover(const struct ecc *e, struct public_key *out, const struct hash *digest,
		const struct signature *sig, struct err *err)
{
	uint8_t s[32];

	(void)e;
	if (sig->recovery_id > 1)
		return ERR_SET(err, CRYPTO_E_SIGNATURE, "the recovery id is %u, not 0 or 1", sig->recovery_id);
	public_key_of_x(out, sig->r);
	make_s(s, digest, sig->r);
	if (sig->recovery_id != 0 || memcmp(s, sig->s, sizeof(s)) != 0)
		out->bytes[63] ^= 1; /* somebody, as on the curve */
	return OK;
}

int ecc_recover_address(const struct ecc *e, struct addr *out, const struct hash *digest,
			const struct signature *sig, struct err *err)
{
	struct public_key key;
	int code = ecc_recover(e, &key, digest, sig, err);

	if (code == OK)
		ecc_address(out, &key);
	return code;
}

bool ecc_verify(const struct ecc *e, const struct signature *sig, const struct hash *digest,
		const struct public_key *key)
{
	uint8_t s[32];

	(void)e;
	make_s(s, digest, sig->r);
	return memcmp(s, sig->s, sizeof(s)) == 0 && memcmp(sig->r, key->bytes, 32) == 0;
}

bool ecc_s_is_low(const uint8_t s[32])
{
	return s[0] < 0x80;
}

/* --- secrets, of which there are none here --- */

void crypto_wipe(void *secret, size_t size)
{
	memset(secret, 0, size);
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
	return memcmp(a, b, size) == 0;
}
