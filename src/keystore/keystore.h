/*
 * keystore - secret keys at rest: Ethereum's Web3 Secret Storage, version 3.
 *
 * Written with scrypt (n 262144, r 8, p 1), AES-128-CTR and Keccak-256 as MAC,
 * lowercase `crypto` and an `address` member, as web3.js and geth want. Read
 * with scrypt or PBKDF2, `crypto` or `Crypto`, with or without `address`.
 */
#ifndef WEFT_KEYSTORE_KEYSTORE_H
#define WEFT_KEYSTORE_KEYSTORE_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/ecc.h"

enum keystore_error {
	KEYSTORE_E_FORMAT = ERR_BASE_KEYSTORE, /* not version 3, or a member is malformed */
	KEYSTORE_E_UNSUPPORTED,                /* a cipher, KDF or cost that is not supported */
	KEYSTORE_E_PASSWORD,                   /* the MAC does not match: wrong password */
	KEYSTORE_E_ADDRESS,                    /* the key's address is not the one the file names */
	KEYSTORE_E_FILE,                       /* can't be read or written, or is open to others */
	KEYSTORE_E_EXISTS,                     /* the directory already holds this address */
};

/* Scrypt's cost when writing. Tests use KEYSTORE_COST_LIGHT. */
#define KEYSTORE_COST_STANDARD 262144u
#define KEYSTORE_COST_LIGHT 4096u

/* Decrypts one keystore file's text. Costs are bounded (crypto/kdf.h), so that a
 * file can't ask for more than 1 GiB or for hours. A file that names no address is
 * believed: whoever looked for one compares. */
int keystore_decrypt(const struct ecc *e, struct secret_key *out, struct bytes text,
		     struct bytes password, struct err *err);

/* Encrypts and appends the file's JSON to `out`. `random` is the caller's entropy:
 * 32 bytes of salt, 16 of iv, 16 of uuid. Fails with crypto's codes on a bad key,
 * KEYSTORE_E_UNSUPPORTED on a bad cost. About 0.7 s at the standard cost. */
int keystore_encrypt(const struct ecc *e, struct buf *out, const struct secret_key *key,
		     struct bytes password, uint32_t scrypt_n, const uint8_t random[64],
		     struct err *err);

/* The file name for a new key: UTC--<time>--<address>, time in UTC with nine
 * digits of fraction and ':' replaced by '-', as geth names it. */
#define KEYSTORE_NAME_SIZE 96
void keystore_name(char out[KEYSTORE_NAME_SIZE], const struct addr *address, uint64_t now_ms);

/* Writes `text` to dir/name: the directory is made with mode 0700, the file with
 * 0600, through a temporary name, synced, renamed, the directory synced. `name`
 * ends in "--" and the address (keystore_name()). KEYSTORE_E_EXISTS if a file for
 * this address is there already; a directory that others may write is refused. */
int keystore_write(const char *dir, const char *name, struct bytes text, struct err *err);

/* Finds the file of `address` in `dir`, by its name or else by its "address", and
 * appends it to `out`. A file that others may read is refused, with the chmod that
 * mends it; none at all is KEYSTORE_E_FILE. */
int keystore_find(const char *dir, const struct addr *address, struct buf *out, struct err *err);

/* Reads one keystore file (at most LIMIT_KEYSTORE_SIZE), same permission rule. */
int keystore_read(const char *path, struct buf *out, struct err *err);

/* The addresses in `dir`, sorted, at most `max`; *count says how many. A missing
 * directory has none. */
int keystore_list(const char *dir, struct addr *out, size_t max, size_t *count, struct err *err);

#endif
