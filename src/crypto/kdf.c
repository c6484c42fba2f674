#include "crypto/kdf.h"

/* SHA256_Init() and its like are deprecated in favour of a way that looks up the
 * algorithm and allocates for every message: twice the time at 64 bytes. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sodium/crypto_pwhash_scryptsalsa208sha256.h>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/ecc.h"

void sha256(struct hash *out, struct bytes message)
{
	SHA256_CTX context;

	CHECK(SHA256_Init(&context) && SHA256_Update(&context, message.data, message.size) &&
	      SHA256_Final(out->bytes, &context));
}

void hmac_sha512(uint8_t out[64], struct bytes key, struct bytes message)
{
	CHECK(key.size <= INT_MAX);
	CHECK(HMAC(EVP_sha512(), key.data, (int)key.size, message.data, message.size, out, NULL));
}

#define PBKDF2_ITERATION_MAX 10000000u

static int pbkdf2(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt,
		  uint32_t iterations, const EVP_MD *digest, struct err *err)
{
	if (iterations == 0 || iterations > PBKDF2_ITERATION_MAX)
		return ERR_SET(err, CRYPTO_E_LIBRARY, "PBKDF2 takes 1 to %u iterations, not %u",
			       PBKDF2_ITERATION_MAX, iterations);
	if (out_size > INT_MAX || password.size > INT_MAX || salt.size > INT_MAX)
		return ERR_SET(err, CRYPTO_E_LIBRARY, "PBKDF2 was given over 2 GiB");
	if (PKCS5_PBKDF2_HMAC((const char *)password.data, (int)password.size, salt.data,
			      (int)salt.size, (int)iterations, digest, (int)out_size, out) != 1)
		return ERR_SET(err, CRYPTO_E_LIBRARY, "OpenSSL failed to compute PBKDF2");
	return OK;
}

int kdf_pbkdf2_sha256(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt,
		      uint32_t iterations, struct err *err)
{
	return pbkdf2(out, out_size, password, salt, iterations, EVP_sha256(), err);
}

int kdf_pbkdf2_sha512(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt,
		      uint32_t iterations, struct err *err)
{
	return pbkdf2(out, out_size, password, salt, iterations, EVP_sha512(), err);
}

#define SCRYPT_MEMORY_MAX (1024 * MIB)
/* n·r·p is what it costs in time: this is 32 times a standard keystore's. */
#define SCRYPT_COST_MAX (1ull << 26)

static int check_scrypt_cost(uint64_t n, uint32_t r, uint32_t p, struct err *err)
{
	if (n < 2 || (n & (n - 1)) || r == 0 || p == 0)
		return ERR_SET(err, CRYPTO_E_LIBRARY,
			       "scrypt needs n a power of two above 1, and r and p above 0");
	if (n > SCRYPT_MEMORY_MAX / 128 / r)
		return ERR_SET(err, CRYPTO_E_LIBRARY, "scrypt with these n and r needs over 1 GiB");
	if (p > SCRYPT_COST_MAX / (n * r))
		return ERR_SET(err, CRYPTO_E_LIBRARY, "scrypt with these n, r, p takes too long");
	return OK;
}

int kdf_scrypt(uint8_t *out, size_t out_size, struct bytes password, struct bytes salt,
	       uint64_t n, uint32_t r, uint32_t p, struct err *err)
{
	static const uint8_t nothing[1]; /* libsodium takes no NULL, even for no bytes */
	int code = check_scrypt_cost(n, r, p, err);

	if (code != OK)
		return code;
	if (crypto_pwhash_scryptsalsa208sha256_ll(password.size ? password.data : nothing,
						  password.size, salt.size ? salt.data : nothing,
						  salt.size, n, r, p, out, out_size) != 0)
		return ERR_SET(err, CRYPTO_E_LIBRARY, "scrypt needs %llu MiB: there is less memory",
			       128 * (unsigned long long)n * r / MIB);
	return OK;
}

int aes128_ctr(uint8_t *out, struct bytes data, const uint8_t key[16], const uint8_t iv[16],
	       struct err *err)
{
	EVP_CIPHER_CTX *context;
	int size = 0;
	bool ok;

	if (data.size > INT_MAX)
		return ERR_SET(err, CRYPTO_E_LIBRARY, "AES-CTR was given over 2 GiB");
	context = EVP_CIPHER_CTX_new();
	if (!context)
		fatal("out of memory: OpenSSL could not make a cipher context");
	/* Counter mode has no padding: all of the output comes with the update. */
	ok = EVP_EncryptInit_ex(context, EVP_aes_128_ctr(), NULL, key, iv) == 1 &&
	     (data.size == 0 ||
	      EVP_EncryptUpdate(context, out, &size, data.data, (int)data.size) == 1) &&
	     (size_t)size == data.size;
	EVP_CIPHER_CTX_free(context);
	if (!ok)
		return ERR_SET(err, CRYPTO_E_LIBRARY, "OpenSSL failed to compute AES-128-CTR");
	return OK;
}
