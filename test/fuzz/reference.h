/*
 * reference - the precompiles once more, from their specifications, by other means than
 * src/crypto: OpenSSL's general curves and numbers, and plain words. Slow; for comparing.
 */
#ifndef WEFT_TEST_FUZZ_REFERENCE_H
#define WEFT_TEST_FUZZ_REFERENCE_H

#include "base/bytes.h"

/* Hash, r, s (32 bytes each) and the parity: false if no key gives this signature. */
bool reference_recover(struct addr *out, const uint8_t hash[32], const uint8_t r[32],
		       const uint8_t s[32], bool is_odd);

/* As modexp() of src/crypto. */
void reference_modexp(uint8_t *out, struct bytes base, struct bytes exponent, struct bytes modulus);

/* The curve y² = x³ + 3 of EIP-196; false if a point is none of it. */
bool reference_add(uint8_t out[64], const uint8_t in[128]);
bool reference_mul(uint8_t out[64], const uint8_t in[96]);

/* Whether it is a point of the twisted curve of EIP-197, of the subgroup of order n. */
bool reference_is_g2(const uint8_t in[128]);

/* RFC 7693's F by EIP-152's input. */
void reference_blake2f(uint8_t out[64], const uint8_t in[213]);

/* EIP-7951. */
bool reference_p256(const uint8_t in[160]);

#endif
