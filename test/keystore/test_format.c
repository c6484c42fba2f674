#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "keystore/format.h"
#include "keystore/keystore.h"

#define HASH32 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define IV "00112233445566778899aabbccddeeff"
#define SCRYPT \
	"\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":2,\"r\":1,\"p\":1,\"salt\":\"\"}"
#define REST "\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":\"" IV "\"}," \
	     "\"ciphertext\":\"" HASH32 "\",\"mac\":\"" HASH32 "\""
#define FILE_OF(crypto) "{\"version\":3,\"crypto\":{" crypto "}}"

static int parse(struct keystore_file *file, const char *text, struct err *err)
{
	return keystore_parse(file, bytes_of_str(text), err);
}

Test(format, parse_accepts_the_least_that_is_needed)
{
	struct keystore_file file;

	cr_assert_eq(parse(&file, FILE_OF(REST "," SCRYPT), NULL), OK);
	cr_assert(!file.has_address);
	cr_assert_eq(file.kdf, KEYSTORE_SCRYPT);
	cr_assert_eq(file.ciphertext_size, 32);
	cr_assert_eq(file.salt_size, 0);
}

Test(format, parse_accepts_short_ciphertext_and_prefixes)
{
	struct keystore_file file;

	cr_assert_eq(parse(&file,
			   FILE_OF("\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":\"0x" IV
				   "\"},\"ciphertext\":\"aa\",\"mac\":\"0x" HASH32 "\"," SCRYPT),
			   NULL),
		     OK);
	cr_assert_eq(file.ciphertext_size, 1);
}

static const struct {
	const char *text;
	int code;
	const char *names; /* a word of the message */
} refused[] = {
	{ "", KEYSTORE_E_FORMAT, "JSON" },
	{ "{", KEYSTORE_E_FORMAT, "JSON" },
	{ "[]", KEYSTORE_E_FORMAT, "version" },
	{ "3", KEYSTORE_E_FORMAT, "version" },
	{ "{}", KEYSTORE_E_FORMAT, "version" },
	{ "{\"version\":1}", KEYSTORE_E_FORMAT, "version" },
	{ "{\"version\":\"3\"}", KEYSTORE_E_FORMAT, "version" },
	{ "{\"version\":3}", KEYSTORE_E_FORMAT, "crypto" },
	{ "{\"version\":3,\"crypto\":[]}", KEYSTORE_E_FORMAT, "crypto" },
	{ "{\"version\":3,\"version\":3,\"crypto\":{" REST "," SCRYPT "}}", KEYSTORE_E_FORMAT,
	  "JSON" },
	{ "{\"version\":3,\"address\":\"12\",\"crypto\":{" REST "," SCRYPT "}}", KEYSTORE_E_FORMAT,
	  "address" },
	{ "{\"version\":3,\"address\":7,\"crypto\":{" REST "," SCRYPT "}}", KEYSTORE_E_FORMAT,
	  "address" },
	{ FILE_OF(REST), KEYSTORE_E_FORMAT, "kdfparams" },
	{ FILE_OF("\"cipher\":\"aes-128-cbc\""), KEYSTORE_E_UNSUPPORTED, "aes-128-cbc" },
	{ FILE_OF("\"cipher\":3"), KEYSTORE_E_FORMAT, "cipher" },
	{ FILE_OF("\"cipher\":\"aes-128-ctr\""), KEYSTORE_E_FORMAT, "iv" },
	{ FILE_OF("\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":\"00\"}"), KEYSTORE_E_FORMAT,
	  "iv" },
	{ FILE_OF("\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":\"" IV "\"},"
		  "\"ciphertext\":\"\""),
	  KEYSTORE_E_FORMAT, "ciphertext" },
	{ FILE_OF("\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":\"" IV "\"},"
		  "\"ciphertext\":\"" HASH32 "00\""),
	  KEYSTORE_E_FORMAT, "ciphertext" },
	{ FILE_OF("\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":\"" IV "\"},"
		  "\"ciphertext\":\"abc\""),
	  KEYSTORE_E_FORMAT, "ciphertext" },
	{ FILE_OF("\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":\"" IV "\"},"
		  "\"ciphertext\":\"" HASH32 "\",\"mac\":\"" IV "\""),
	  KEYSTORE_E_FORMAT, "mac" },
	{ FILE_OF(REST ",\"kdf\":\"argon2id\",\"kdfparams\":{}"), KEYSTORE_E_UNSUPPORTED,
	  "argon2id" },
	{ FILE_OF(REST ",\"kdfparams\":{}"), KEYSTORE_E_FORMAT, "kdf" },
	{ FILE_OF(REST
		  ",\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"r\":1,\"p\":1,\"salt\":\"\"}"),
	  KEYSTORE_E_FORMAT, "\"n\"" },
	{ FILE_OF(REST ",\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":-2,\"r\":1,\"p\":1,"
		       "\"salt\":\"\"}"),
	  KEYSTORE_E_FORMAT, "\"n\"" },
	{ FILE_OF(REST ",\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":2,\"r\":4294967296,"
		       "\"p\":1,\"salt\":\"\"}"),
	  KEYSTORE_E_FORMAT, "\"r\"" },
	{ FILE_OF(REST ",\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":31,\"n\":2,\"r\":1,\"p\":1,"
		       "\"salt\":\"\"}"),
	  KEYSTORE_E_UNSUPPORTED, "dklen" },
	{ FILE_OF(REST ",\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":65,\"n\":2,\"r\":1,\"p\":1,"
		       "\"salt\":\"\"}"),
	  KEYSTORE_E_UNSUPPORTED, "dklen" },
	{ FILE_OF(REST ",\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":2,\"r\":1,\"p\":1}"),
	  KEYSTORE_E_FORMAT, "salt" },
	{ FILE_OF(REST ",\"kdf\":\"pbkdf2\",\"kdfparams\":{\"dklen\":32,\"c\":1,\"salt\":\"\","
		       "\"prf\":\"hmac-sha512\"}"),
	  KEYSTORE_E_UNSUPPORTED, "hmac-sha512" },
	{ FILE_OF(REST ",\"kdf\":\"pbkdf2\",\"kdfparams\":{\"dklen\":32,\"salt\":\"\","
		       "\"prf\":\"hmac-sha256\"}"),
	  KEYSTORE_E_FORMAT, "\"c\"" },
};

Test(format, parse_refuses_and_names_the_member)
{
	struct keystore_file file, before;
	struct err err;
	size_t i;

	memset(&file, 0x5c, sizeof(file));
	before = file;
	for (i = 0; i < ARRAY_COUNT(refused); i++) {
		cr_assert_eq(parse(&file, refused[i].text, &err), refused[i].code, "case %zu", i);
		cr_assert_eq(err.code, refused[i].code);
		cr_assert(strstr(err.message, refused[i].names), "case %zu says: %s", i,
			  err.message);
		cr_assert_eq(parse(&file, refused[i].text, NULL), refused[i].code);
		cr_assert_eq(memcmp(&file, &before, sizeof(file)), 0);
	}
}

Test(format, parse_refuses_a_file_over_the_limit_unread)
{
	uint8_t *text = xmalloc(LIMIT_KEYSTORE_SIZE + 1);
	struct keystore_file file;
	struct err err;

	memset(text, ' ', LIMIT_KEYSTORE_SIZE + 1);
	cr_assert_eq(keystore_parse(&file, bytes_of(text, LIMIT_KEYSTORE_SIZE + 1), &err),
		     KEYSTORE_E_FORMAT);
	cr_assert(strstr(err.message, "65536"));
	free(text);
}

/* Every prefix of a file is refused, none crashes. */
Test(format, parse_refuses_every_truncation)
{
	static const char text[] = FILE_OF(REST "," SCRYPT);
	struct keystore_file file;
	size_t size;

	for (size = 0; size < sizeof(text) - 1; size++)
		cr_assert_neq(keystore_parse(&file, bytes_of(text, size), NULL), OK);
	cr_assert_eq(keystore_parse(&file, bytes_of(text, sizeof(text) - 1), NULL), OK);
}

Test(format, costs_beyond_bounds_are_refused_quickly)
{
	static const char *const params[] = {
		"{\"dklen\":32,\"n\":9223372036854775807,\"r\":8,\"p\":1,\"salt\":\"\"}",
		"{\"dklen\":32,\"n\":4611686018427387904,\"r\":4294967295,\"p\":1,\"salt\":\"\"}",
		"{\"dklen\":32,\"n\":2,\"r\":4294967295,\"p\":4294967295,\"salt\":\"\"}",
		"{\"dklen\":32,\"n\":262144,\"r\":8,\"p\":4294967295,\"salt\":\"\"}",
		"{\"dklen\":32,\"n\":0,\"r\":8,\"p\":1,\"salt\":\"\"}",
	};
	static const uint8_t seed[32] = { 1 };
	struct ecc *e = ecc_new(seed);
	struct secret_key key;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(params); i++) {
		struct buf text = { 0 };

		buf_printf(&text,
			   "{\"version\":3,\"crypto\":{%s,\"kdf\":\"scrypt\",\"kdfparams\":%s}}",
			   REST, params[i]);
		cr_assert_eq(keystore_decrypt(e, &key, buf_bytes(&text), bytes_of_str("x"), NULL),
			     KEYSTORE_E_UNSUPPORTED, "case %zu", i);
		buf_clear(&text);
	}
	cr_assert_eq(keystore_decrypt(e, &key, bytes_of_str(
		FILE_OF(REST ",\"kdf\":\"pbkdf2\",\"kdfparams\":{\"dklen\":32,\"c\":4294967295,"
			"\"salt\":\"\",\"prf\":\"hmac-sha256\"}")), bytes_of_str("x"), NULL),
		     KEYSTORE_E_UNSUPPORTED);
	ecc_free(e);
}
