/*
 * p256 - ECDSA over NIST's P-256 (FIPS 186-4), as EIP-7951 takes it, with OpenSSL behind it.
 *
 * A struct p256 holds what every verification needs (the group, room for points and numbers), so
 * that one makes nothing anew. It belongs to one thread.
 */
#ifndef WEFT_CRYPTO_P256_H
#define WEFT_CRYPTO_P256_H

#include "base/bytes.h"

#define P256_INPUT_SIZE 160 /* digest, r, s, x, y: 32 bytes each, big-endian */

struct p256;

struct p256 *p256_new(void);
void p256_free(struct p256 *p); /* NULL is allowed */

/* True if r and s are in [1, n-1], (x, y) is a point of the curve other than the one at
 * infinity, and the signature over the digest is its. About 45 µs. Nothing here is secret, so
 * neither is the time. */
bool p256_verify(struct p256 *p, const uint8_t in[P256_INPUT_SIZE]);

#endif
