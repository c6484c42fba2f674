/*
 * ecc - secp256k1 keys and recoverable ECDSA signatures (SEC 2, RFC 6979),
 * with libsecp256k1 behind it.
 *
 * A `struct ecc` is made once and then only read: any number of threads may
 * verify, recover and sign with it at the same time.
 */
#ifndef WEFT_CRYPTO_ECC_H
#define WEFT_CRYPTO_ECC_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/u256.h"

enum crypto_error {
	CRYPTO_E_KEY = ERR_BASE_CRYPTO, /* a secret key is 0 or not below the group's order */
	CRYPTO_E_SIGNATURE,             /* out of range, or recovers nothing */
	CRYPTO_E_LIBRARY,               /* OpenSSL refused parameters or lacks an algorithm */
	CRYPTO_E_MNEMONIC,              /* a mnemonic phrase or path that can't be used */
};

struct ecc;

/* A secret key; wipe it with crypto_wipe() when done. */
struct secret_key {
	uint8_t bytes[32];
};

/* An uncompressed public key: x ‖ y, without the leading 0x04. */
struct public_key {
	uint8_t bytes[64];
};

/* r, s most significant byte first, and the recovery id: 0 or 1 says whether R's
 * y is odd (2 and 3, where r overflowed the order, do not occur in practice and
 * are refused). */
struct signature {
	uint8_t r[32];
	uint8_t s[32];
	uint8_t recovery_id;
};

/* `seed`: 32 random bytes that blind signing against side channels. Gives a new
 * context; end it with ecc_free(). */
struct ecc *ecc_new(const uint8_t seed[32]);
void ecc_free(struct ecc *e);

/* True if `key` is in [1, n-1]. */
bool ecc_key_valid(const struct ecc *e, const struct secret_key *key);

/* CRYPTO_E_KEY if the key is out of range. */
int ecc_public_key(const struct ecc *e, struct public_key *out, const struct secret_key *key,
		   struct err *err);

/* The last 20 bytes of keccak256(x ‖ y). */
void ecc_address(struct addr *out, const struct public_key *key);

/* key = key + tweak modulo n, for BIP-32; CRYPTO_E_KEY if the result is 0 or the
 * tweak is out of range. */
int ecc_key_tweak_add(const struct ecc *e, struct secret_key *key, const uint8_t tweak[32],
		      struct err *err);

/* Signs a 32-byte digest: deterministic nonce, s in the lower half. */
int ecc_sign(const struct ecc *e, struct signature *out, const struct hash *digest,
	     const struct secret_key *key, struct err *err);

/* The public key that signed `digest`. Accepts any s in [1, n-1]: the lower-half
 * rule (EIP-2) is the caller's (ecc_s_is_low). About 43 µs. */
int ecc_recover(const struct ecc *e, struct public_key *out, const struct hash *digest,
		const struct signature *sig, struct err *err);

/* ecc_recover() and ecc_address() in one. */
int ecc_recover_address(const struct ecc *e, struct addr *out, const struct hash *digest,
			const struct signature *sig, struct err *err);

/* True if `sig` (recovery id ignored, s in the lower half) is `key`'s over `digest`. */
bool ecc_verify(const struct ecc *e, const struct signature *sig, const struct hash *digest,
		const struct public_key *key);

/* True if s ≤ n/2 (EIP-2). */
bool ecc_s_is_low(const uint8_t s[32]);

/* Overwrites secrets so that the compiler can't drop the writes. */
void crypto_wipe(void *secret, size_t size);

/* True if equal; takes the same time wherever they differ. */
bool crypto_equal(const void *a, const void *b, size_t size);

#endif
