/*
 * hd - keys from a mnemonic phrase: BIP-39 (phrase to seed), BIP-32 (seed to
 * key tree). The phrase is not checked against a word list, as wallets differ
 * in the list's language; it must be 12 to 24 words of lowercase letters.
 */
#ifndef WEFT_CRYPTO_HD_H
#define WEFT_CRYPTO_HD_H

#include "crypto/ecc.h"

/* The phrase of --dev chains, which every Ethereum tool knows. */
#define HD_DEV_MNEMONIC "test test test test test test test test test test test junk"
#define HD_ETHEREUM_PATH "m/44'/60'/0'/0/"

/* The key at `path` ("m/44'/60'/0'/0/3") below the phrase's seed, with an empty
 * passphrase. CRYPTO_E_MNEMONIC names what is wrong with phrase or path. */
int hd_derive(const struct ecc *e, struct secret_key *out, const char *mnemonic,
	      const char *path, struct err *err);

#endif
