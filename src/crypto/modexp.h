/*
 * modexp - powers modulo a number of any length (EIP-198), with GMP behind it.
 */
#ifndef WEFT_CRYPTO_MODEXP_H
#define WEFT_CRYPTO_MODEXP_H

#include "base/bytes.h"

/* out = base^exponent mod modulus, all big-endian; `out` has modulus.size bytes. A
 * modulus of 0 gives 0; 0^0 is 1 (modulo 1: 0). The caller has bounded the sizes. */
void modexp(uint8_t *out, struct bytes base, struct bytes exponent, struct bytes modulus);

#endif
