/*
 * p256 - ECDSA over NIST's P-256 (FIPS 186-4), as EIP-7951 takes it, with OpenSSL behind it.
 */
#ifndef WEFT_CRYPTO_P256_H
#define WEFT_CRYPTO_P256_H

#include "base/bytes.h"

#define P256_INPUT_SIZE 160 /* digest, r, s, x, y: 32 bytes each, big-endian */

/* True if r and s are in [1, n-1], (x, y) is a point of the curve other than the one at
 * infinity, and the signature over the digest is its. About 60 µs. */
bool p256_verify(const uint8_t in[P256_INPUT_SIZE]);

#endif
