#include "keystore/keystore.h"

#include "base/check.h"
#include "crypto/kdf.h"
#include "crypto/keccak.h"
#include "keystore/format.h"

#define SCRYPT_R 8
#define SCRYPT_P 1

/* The password's key: 16 bytes for the cipher, 16 for the MAC, perhaps more. */
struct derived {
	uint8_t bytes[KEYSTORE_DERIVED_MAX];
};

/* Costs out of bounds come from the file, so they are the file's fault. */
static int derive(struct derived *out, const struct keystore_file *file, struct bytes password,
		  struct err *err)
{
	struct bytes salt = bytes_of(file->salt, file->salt_size);
	int code = OK;

	switch (file->kdf) {
	case KEYSTORE_SCRYPT:
		code = kdf_scrypt(out->bytes, file->derived_size, password, salt, file->n, file->r,
				  file->p, err);
		break;
	case KEYSTORE_PBKDF2_SHA256:
		code = kdf_pbkdf2_sha256(out->bytes, file->derived_size, password, salt,
					 file->iterations, err);
		break;
	}
	if (code && err)
		err->code = KEYSTORE_E_UNSUPPORTED;
	return code ? KEYSTORE_E_UNSUPPORTED : OK;
}

static void mac_of(struct hash *out, const struct derived *derived,
		   const struct keystore_file *file)
{
	struct keccak k;

	keccak_init(&k);
	keccak_update(&k, bytes_of(derived->bytes + 16, 16));
	keccak_update(&k, bytes_of(file->ciphertext, file->ciphertext_size));
	keccak_final(&k, out);
	crypto_wipe(&k, sizeof(k));
}

static int address_of(const struct ecc *e, struct addr *out, const struct secret_key *key,
		      struct err *err)
{
	struct public_key public;
	int code = ecc_public_key(e, &public, key, err);

	if (!code)
		ecc_address(out, &public);
	return code;
}

/* --- reading --- */

/* The decrypted key; leading zeros that the writer dropped are put back. */
static int open_key(struct secret_key *out, const struct derived *derived,
		    const struct keystore_file *file, struct err *err)
{
	size_t missing = sizeof(out->bytes) - file->ciphertext_size;

	memset(out->bytes, 0, missing);
	return aes128_ctr(out->bytes + missing, bytes_of(file->ciphertext, file->ciphertext_size),
			  derived->bytes, file->iv, err);
}

static int check_key(const struct ecc *e, const struct secret_key *key,
		     const struct keystore_file *file, struct err *err)
{
	struct addr address;

	if (address_of(e, &address, key, NULL))
		return ERR_SET(err, KEYSTORE_E_FORMAT, "the keystore holds no valid secp256k1 key");
	if (file->has_address && !addr_equal(&address, &file->address))
		return ERR_SET(err, KEYSTORE_E_ADDRESS,
			       "the keystore names another address than its key has: correct its "
			       "\"address\" if the file is yours");
	return OK;
}

static int decrypt(const struct ecc *e, struct secret_key *out, const struct keystore_file *file,
		   const struct derived *derived, struct err *err)
{
	struct hash mac;
	int code;

	mac_of(&mac, derived, file);
	if (!crypto_equal(mac.bytes, file->mac.bytes, sizeof(mac.bytes)))
		return ERR_SET(err, KEYSTORE_E_PASSWORD, "wrong password for the keystore");
	code = open_key(out, derived, file, err);
	if (!code)
		code = check_key(e, out, file, err);
	return code;
}

int keystore_decrypt(const struct ecc *e, struct secret_key *out, struct bytes text,
		     struct bytes password, struct err *err)
{
	struct keystore_file file;
	struct derived derived;
	struct secret_key key;
	int code = keystore_parse(&file, text, err);

	if (code)
		return code;
	code = derive(&derived, &file, password, err);
	if (!code)
		code = decrypt(e, &key, &file, &derived, err);
	if (!code)
		*out = key;
	crypto_wipe(&derived, sizeof(derived));
	crypto_wipe(&key, sizeof(key));
	return code;
}

/* --- writing --- */

static int seal(struct keystore_file *file, const struct secret_key *key, struct bytes password,
		struct err *err)
{
	struct derived derived;
	int code = derive(&derived, file, password, err);

	if (!code)
		code = aes128_ctr(file->ciphertext, bytes_of(key->bytes, sizeof(key->bytes)),
				  derived.bytes, file->iv, err);
	if (!code)
		mac_of(&file->mac, &derived, file);
	crypto_wipe(&derived, sizeof(derived));
	return code;
}

int keystore_encrypt(const struct ecc *e, struct buf *out, const struct secret_key *key,
		     struct bytes password, uint32_t scrypt_n, const uint8_t random[64],
		     struct err *err)
{
	struct keystore_file file = {
		.has_address = true,
		.ciphertext_size = sizeof(key->bytes),
		.kdf = KEYSTORE_SCRYPT,
		.derived_size = KEYSTORE_DERIVED_MIN,
		.salt_size = 32,
		.n = scrypt_n,
		.r = SCRYPT_R,
		.p = SCRYPT_P,
	};
	int code = address_of(e, &file.address, key, err);

	if (code)
		return code;
	memcpy(file.salt, random, 32);
	memcpy(file.iv, random + 32, 16);
	code = seal(&file, key, password, err);
	if (!code)
		keystore_format(out, &file, random + 48);
	return code;
}
