/*
 * bn254 - the curve of Ethereum's precompiles 0x06-0x08 ("alt_bn128", EIP-196,
 * EIP-197; gas: EIP-1108): addition, multiplication, optimal ate pairing.
 *
 *   E:  y² = x³ + 3           over Fp,                order r, cofactor 1
 *   E': y² = x³ + 3 / (9 + i) over Fp² = Fp[i]/(i² + 1), the sextic twist
 *   Fp⁶ = Fp²[v]/(v³ - (9 + i)),  Fp¹² = Fp⁶[w]/(w² - v)
 *
 * Numbers are 32 bytes, big-endian; a point of E is x ‖ y, the one at infinity
 * 0 ‖ 0; a point of E' is x ‖ y with each of Fp² as imaginary ‖ real part.
 *
 * Fixed memory; not constant in time: only public data comes here.
 */
#ifndef WEFT_CRYPTO_BN254_H
#define WEFT_CRYPTO_BN254_H

#include "base/bytes.h"

#define BN254_PAIR_SIZE 192

/* Sum of two points; false if a coordinate is ≥ p or a point is not on the curve. */
bool bn254_add(uint8_t out[64], const uint8_t in[128]);

/* Scalar multiple: point, then a scalar of any size below 2^256. */
bool bn254_mul(uint8_t out[64], const uint8_t in[96]);

/* Whether the product of the pairings of `count` pairs (a point of E, then one of E')
 * is one; true for none. False if a point is malformed, not on its curve, or, of
 * E', not of order r. */
bool bn254_pairing(bool *is_one, const uint8_t *pairs, size_t count);

#endif
