/*
 * kdf - SHA-2, HMAC, password hashing and AES-CTR, with OpenSSL behind them, and
 * libsodium behind scrypt: OpenSSL's refuses n >= 2^(16·r), as the RFC does, and
 * keystores that Ethereum's first wallets wrote have n = 2^18, r = 1.
 */
#ifndef WEFT_CRYPTO_KDF_H
#define WEFT_CRYPTO_KDF_H

#include "base/bytes.h"
#include "base/err.h"

void sha256(struct hash *out, struct bytes message);
void hmac_sha512(uint8_t out[64], struct bytes key, struct bytes message);

/* scrypt (RFC 7914) into `out`. CRYPTO_E_LIBRARY if n is not a power of two
 * above 1, r or p is 0, n·r·128 bytes exceed 1 GiB or what there is, or n·r·p
 * exceeds 2^26 (32 times the cost of a standard keystore). The RFC's n < 2^(16·r)
 * is not asked for, as Ethereum's keystores do not heed it. About 0.6 s and 256 MiB
 * at n 2^18, r 8, p 1. */
int kdf_scrypt(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt,
	       uint64_t n, uint32_t r, uint32_t p, struct err *err);

/* PBKDF2 (RFC 8018) with HMAC-SHA-256 or HMAC-SHA-512. CRYPTO_E_LIBRARY if
 * `iterations` is 0 or above 10,000,000. */
int kdf_pbkdf2_sha256(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt,
		      uint32_t iterations, struct err *err);
int kdf_pbkdf2_sha512(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt,
		      uint32_t iterations, struct err *err);

/* AES-128 in counter mode: encrypts and decrypts alike. `out` has data.size
 * bytes and may be the input itself. */
int aes128_ctr(uint8_t *out, struct bytes data, const uint8_t key[16], const uint8_t iv[16],
	       struct err *err);

#endif
