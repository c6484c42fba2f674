/*
 * digest - RIPEMD-160, with OpenSSL behind it. (SHA-256: kdf.h. Keccak: keccak.h.)
 */
#ifndef WEFT_CRYPTO_DIGEST_H
#define WEFT_CRYPTO_DIGEST_H

#include "base/bytes.h"

/* OpenSSL 3.0.7 and later have it in the default provider; elsewhere the legacy
 * one must be there: its absence is fatal. */
#define RIPEMD160_SIZE 20
void ripemd160(uint8_t out[RIPEMD160_SIZE], struct bytes message);

#endif
