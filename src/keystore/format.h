/*
 * format - the JSON text of a keystore file, without the cryptography: what the
 * rest of this folder and the fuzzer share.
 *
 *     { "version": 3, "id": uuid, "address": hex,
 *       "crypto": { "cipher": "aes-128-ctr", "cipherparams": { "iv": hex },
 *                   "ciphertext": hex, "mac": hex,
 *                   "kdf": "scrypt", "kdfparams": { n, r, p, dklen, salt: hex } } }
 *                or "pbkdf2"      and             { c, prf, dklen, salt: hex }
 */
#ifndef WEFT_KEYSTORE_FORMAT_H
#define WEFT_KEYSTORE_FORMAT_H

#include "base/buf.h"
#include "base/err.h"
#include "json/json.h"

/* The derived key has 32 bytes that are used: 16 for the cipher, 16 for the MAC.
 * Writers may ask for more. */
#define KEYSTORE_DERIVED_MIN 32
#define KEYSTORE_DERIVED_MAX 64
#define KEYSTORE_SALT_MAX 1024

enum keystore_kdf {
	KEYSTORE_SCRYPT,
	KEYSTORE_PBKDF2_SHA256,
};

/* A file's members, decoded and bounded. */
struct keystore_file {
	bool has_address;
	struct addr address;
	uint8_t iv[16];
	uint8_t ciphertext[32];
	size_t ciphertext_size; /* 1-32; early writers dropped leading zeros of the key */
	struct hash mac;
	enum keystore_kdf kdf;
	size_t derived_size;
	uint8_t salt[KEYSTORE_SALT_MAX];
	size_t salt_size;
	uint64_t n;          /* scrypt */
	uint32_t r, p;       /* scrypt */
	uint32_t iterations; /* PBKDF2 */
};

/* Reads a file's text. KEYSTORE_E_FORMAT names the member that is missing or
 * malformed; KEYSTORE_E_UNSUPPORTED a cipher, KDF or length that is not known. */
int keystore_parse(struct keystore_file *out, struct bytes text, struct err *err);

/* The address that a file's text names, if it names one. */
bool keystore_parse_address(struct addr *out, struct bytes text);

/* Appends the text of a file with scrypt; address, n, r, p, salt and the rest
 * are taken from `file`. `uuid` becomes a random one (RFC 9562, version 4). */
void keystore_format(struct buf *out, const struct keystore_file *file, const uint8_t uuid[16]);

#endif
