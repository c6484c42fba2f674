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
	KEYSTORE_E_FORMAT = ERR_BASE_KEYSTORE, /* not a version 3 keystore, or a member is malformed */
	KEYSTORE_E_UNSUPPORTED,                /* a cipher, KDF or cost that is not supported */
	KEYSTORE_E_PASSWORD,                   /* the MAC does not match: wrong password */
	KEYSTORE_E_ADDRESS,                    /* the key's address is not the one the file names */
	KEYSTORE_E_FILE,                       /* can't be read, written, or has loose permissions */
	KEYSTORE_E_EXISTS,                     /* the directory already holds this address */
};

/* Scrypt's cost when writing. Tests use KEYSTORE_COST_LIGHT. */
#define KEYSTORE_COST_STANDARD 262144u
#define KEYSTORE_COST_LIGHT 4096u

/* Decrypts one keystore file's text. */
int keystore_decrypt(const struct ecc *e, struct secret_key *out, struct bytes text,
		     struct bytes password, struct err *err);

/* Encrypts; `random` is 16 bytes of salt-seed each for salt (32), iv (16) and
 * uuid (16): 64 bytes of entropy from the caller. Appends JSON to `out`. */
int keystore_encrypt(const struct ecc *e, struct buf *out, const struct secret_key *key,
		     struct bytes password, uint32_t scrypt_n, const uint8_t random[64],
		     struct err *err);

/* The file name for a new key: UTC--<time>--<address>, time in UTC with nine
 * digits of fraction and ':' replaced by '-', as geth names it. */
#define KEYSTORE_NAME_SIZE 96
void keystore_name(char out[KEYSTORE_NAME_SIZE], const struct addr *address, uint64_t now_ms);

/* Writes `text` to dir/name: the directory is made with mode 0700, the file with
 * 0600, through a temporary name, synced, renamed, the directory synced.
 * KEYSTORE_E_EXISTS if a file for this address is there already. */
int keystore_write(const char *dir, const char *name, struct bytes text, struct err *err);

/* Finds the file of `address` in `dir` and reads it into `out`. A file that
 * others may read is refused, with the chmod that mends it. */
int keystore_find(const char *dir, const struct addr *address, struct buf *out, struct err *err);

/* Reads one keystore file (at most LIMIT_KEYSTORE_SIZE), same permission rule. */
int keystore_read(const char *path, struct buf *out, struct err *err);

/* The addresses in `dir`, sorted, at most `max`; *count says how many. A missing
 * directory has none. */
int keystore_list(const char *dir, struct addr *out, size_t max, size_t *count, struct err *err);

#endif
