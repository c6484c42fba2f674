#include "crypto/ecc.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "crypto/keccak.h"

struct ecc {
	secp256k1_context *context;
};

struct ecc *ecc_new(const uint8_t seed[32])
{
	struct ecc *e = xmalloc(sizeof(*e));

	e->context = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
	if (!e->context)
		fatal("libsecp256k1 could not make a context: give the process more memory");
	CHECK(secp256k1_context_randomize(e->context, seed));
	return e;
}

void ecc_free(struct ecc *e)
{
	if (!e)
		return;
	secp256k1_context_destroy(e->context);
	free(e);
}

/* --- keys --- */

bool ecc_key_valid(const struct ecc *e, const struct secret_key *key)
{
	return secp256k1_ec_seckey_verify(e->context, key->bytes);
}

static int refuse_key(struct err *err)
{
	return ERR_SET(err, CRYPTO_E_KEY,
		       "the secret key is 0 or not below the order of secp256k1");
}

/* x ‖ y of the library's form of a key. */
static void public_key_of(const struct ecc *e, struct public_key *out,
			  const secp256k1_pubkey *parsed)
{
	uint8_t text[65];
	size_t size = sizeof(text);

	CHECK(secp256k1_ec_pubkey_serialize(e->context, text, &size, parsed,
					    SECP256K1_EC_UNCOMPRESSED));
	memcpy(out->bytes, text + 1, sizeof(out->bytes));
}

int ecc_public_key(const struct ecc *e, struct public_key *out, const struct secret_key *key,
		   struct err *err)
{
	secp256k1_pubkey parsed;

	if (!secp256k1_ec_pubkey_create(e->context, &parsed, key->bytes))
		return refuse_key(err);
	public_key_of(e, out, &parsed);
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
	struct secret_key sum = *key;
	bool ok = secp256k1_ec_seckey_tweak_add(e->context, sum.bytes, tweak);

	if (ok)
		*key = sum;
	crypto_wipe(&sum, sizeof(sum));
	if (!ok)
		return ERR_SET(err, CRYPTO_E_KEY,
			       "the key or its tweak is out of range, or their sum is 0");
	return OK;
}

/* --- signatures --- */

int ecc_sign(const struct ecc *e, struct signature *out, const struct hash *digest,
	     const struct secret_key *key, struct err *err)
{
	secp256k1_ecdsa_recoverable_signature made;
	uint8_t compact[64];
	int recovery_id;

	if (!secp256k1_ecdsa_sign_recoverable(e->context, &made, digest->bytes, key->bytes, NULL,
					      NULL))
		return refuse_key(err);
	CHECK(secp256k1_ecdsa_recoverable_signature_serialize_compact(e->context, compact,
								      &recovery_id, &made));
	if (recovery_id > 1)
		return ERR_SET(err, CRYPTO_E_SIGNATURE,
			       "the signature's r overflowed the order: sign another digest");
	memcpy(out->r, compact, 32);
	memcpy(out->s, compact + 32, 32);
	out->recovery_id = (uint8_t)recovery_id;
	return OK;
}

static void compact_of(uint8_t compact[64], const struct signature *sig)
{
	memcpy(compact, sig->r, 32);
	memcpy(compact + 32, sig->s, 32);
}

int ecc_recover(const struct ecc *e, struct public_key *out, const struct hash *digest,
		const struct signature *sig, struct err *err)
{
	secp256k1_ecdsa_recoverable_signature parsed;
	secp256k1_pubkey key;
	uint8_t compact[64];

	if (sig->recovery_id > 1)
		return ERR_SET(err, CRYPTO_E_SIGNATURE, "the recovery id is %u, not 0 or 1",
			       sig->recovery_id);
	compact_of(compact, sig);
	if (!secp256k1_ecdsa_recoverable_signature_parse_compact(e->context, &parsed, compact,
								 sig->recovery_id))
		return ERR_SET(err, CRYPTO_E_SIGNATURE,
			       "r or s is not below the order of secp256k1");
	if (!secp256k1_ecdsa_recover(e->context, &key, &parsed, digest->bytes))
		return ERR_SET(err, CRYPTO_E_SIGNATURE, "no public key belongs to this signature");
	public_key_of(e, out, &key);
	return OK;
}

int ecc_recover_address(const struct ecc *e, struct addr *out, const struct hash *digest,
			const struct signature *sig, struct err *err)
{
	struct public_key key;
	int code = ecc_recover(e, &key, digest, sig, err);

	if (code)
		return code;
	ecc_address(out, &key);
	return OK;
}

bool ecc_verify(const struct ecc *e, const struct signature *sig, const struct hash *digest,
		const struct public_key *key)
{
	secp256k1_ecdsa_signature parsed;
	secp256k1_pubkey parsed_key;
	uint8_t compact[64], text[65];

	compact_of(compact, sig);
	text[0] = 0x04;
	memcpy(text + 1, key->bytes, sizeof(key->bytes));
	return secp256k1_ecdsa_signature_parse_compact(e->context, &parsed, compact) &&
	       secp256k1_ec_pubkey_parse(e->context, &parsed_key, text, sizeof(text)) &&
	       secp256k1_ecdsa_verify(e->context, &parsed, digest->bytes, &parsed_key);
}

bool ecc_s_is_low(const uint8_t s[32])
{
	/* ⌊n/2⌋ */
	static const uint8_t half[32] = {
		0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4,
		0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
	};

	return memcmp(s, half, sizeof(half)) <= 0;
}

/* --- secrets --- */

void crypto_wipe(void *secret, size_t size)
{
	explicit_bzero(secret, size);
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
	const volatile uint8_t *x = a, *y = b; /* volatile: every byte is read, no early end */
	uint8_t difference = 0;
	size_t i;

	for (i = 0; i < size; i++)
		difference |= x[i] ^ y[i];
	return difference == 0;
}
