/*
 * hd - keys from a mnemonic phrase: BIP-39 (phrase to seed), BIP-32 (seed to
 * key tree).
 *
 *     phrase --PBKDF2--> seed --HMAC--> master --HMAC--> m/44' --HMAC--> m/44'/60' ...
 *
 * The phrase is not checked against a word list, as wallets differ in the
 * list's language; it must be 12, 15, 18, 21 or 24 words of lowercase letters
 * with one space between.
 */
#ifndef WEFT_CRYPTO_HD_H
#define WEFT_CRYPTO_HD_H

#include "crypto/ecc.h"

/* The phrase of --dev chains, which every Ethereum tool knows. */
#define HD_DEV_MNEMONIC "test test test test test test test test test test test junk"
#define HD_ETHEREUM_PATH "m/44'/60'/0'/0/"

#define HD_SEED_SIZE 64

/* The key at `path` ("m/44'/60'/0'/0/3") below the phrase's seed, with an empty
 * passphrase. CRYPTO_E_MNEMONIC names what is wrong with phrase or path. About
 * 1 ms, nearly all of it for the seed. */
int hd_derive(const struct ecc *e, struct secret_key *out, const char *mnemonic,
	      const char *path, struct err *err);

/* The two halves of it, for many keys of one phrase. Wipe the seed when done.
 * `passphrase` is ASCII and may be "". `seed` has 16 to 64 bytes. */
int hd_seed(uint8_t out[HD_SEED_SIZE], const char *mnemonic, const char *passphrase,
	    struct err *err);
int hd_derive_from_seed(const struct ecc *e, struct secret_key *out, struct bytes seed,
			const char *path, struct err *err);

#endif
