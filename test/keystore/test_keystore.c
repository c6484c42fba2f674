#include <criterion/criterion.h>

#include "codec/hex.h"
#include "keystore/format.h"
#include "keystore/keystore.h"

static struct ecc *e;

static void setup(void)
{
	static const uint8_t seed[32] = { 7 };

	e = ecc_new(seed);
}

static void teardown(void)
{
	ecc_free(e);
}

TestSuite(keystore, .init = setup, .fini = teardown);

/* The two examples of the Web3 Secret Storage definition. */
#define EXAMPLE_KEY "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
#define EXAMPLE_ADDRESS "008aeeda4d805471df9b2a5b0f38a0c3bcba786b"
#define PBKDF2_CRYPTO \
	"{\"cipher\":\"aes-128-ctr\"," \
	"\"cipherparams\":{\"iv\":\"6087dab2f9fdbbfaddc31a909735c1e6\"}," \
	"\"ciphertext\":\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\"," \
	"\"kdf\":\"pbkdf2\",\"kdfparams\":{\"c\":262144,\"dklen\":32,\"prf\":\"hmac-sha256\"," \
	"\"salt\":\"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd\"}," \
	"\"mac\":\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"}"
#define SCRYPT_CRYPTO \
	"{\"cipher\":\"aes-128-ctr\"," \
	"\"cipherparams\":{\"iv\":\"83dbcc02d8ccb40e466191a123791e0e\"}," \
	"\"ciphertext\":\"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c\"," \
	"\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":262144,\"r\":1,\"p\":8," \
	"\"salt\":\"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19\"}," \
	"\"mac\":\"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097\"}"

static bool is_key(const struct secret_key *key, const char *text)
{
	struct secret_key want;

	cr_assert(hex_decode(want.bytes, 32, bytes_of_str(text)));
	return memcmp(key, &want, sizeof(want)) == 0;
}

static int decrypt_text(struct secret_key *key, const char *text, const char *password,
			struct err *err)
{
	return keystore_decrypt(e, key, bytes_of_str(text), bytes_of_str(password), err);
}

Test(keystore, decrypt_opens_definition_examples)
{
	static const char *const texts[] = {
		"{\"crypto\":" PBKDF2_CRYPTO ",\"version\":3}",
		"{\"Crypto\":" PBKDF2_CRYPTO ",\"id\":\"x\",\"version\":3}",
		"{\"address\":\"" EXAMPLE_ADDRESS "\",\"crypto\":" PBKDF2_CRYPTO ",\"version\":3}",
		"{\"address\":\"0x008AEEDA4D805471dF9b2A5B0f38A0C3bCBA786b\","
		"\"crypto\":" PBKDF2_CRYPTO ",\"version\":3}",
		"{\"crypto\":" SCRYPT_CRYPTO ",\"version\":3}",
	};
	struct secret_key key;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(texts); i++) {
		memset(&key, 0, sizeof(key));
		cr_assert_eq(decrypt_text(&key, texts[i], "testpassword", &err), OK, "%zu: %s", i,
			     err.message);
		cr_assert(is_key(&key, EXAMPLE_KEY));
	}
}

Test(keystore, decrypt_refuses_wrong_password_and_leaves_key)
{
	struct secret_key key, before;
	struct err err;

	memset(&key, 0x42, sizeof(key));
	before = key;
	cr_assert_eq(decrypt_text(&key, "{\"crypto\":" PBKDF2_CRYPTO ",\"version\":3}",
				  "testpassworD", &err),
		     KEYSTORE_E_PASSWORD);
	cr_assert_eq(decrypt_text(&key, "{\"crypto\":" PBKDF2_CRYPTO ",\"version\":3}", "", &err),
		     KEYSTORE_E_PASSWORD);
	cr_assert_eq(memcmp(&key, &before, sizeof(key)), 0);
}

Test(keystore, decrypt_refuses_another_address)
{
	struct secret_key key;
	struct err err;

	cr_assert_eq(decrypt_text(&key,
				  "{\"address\":\"118aeeda4d805471df9b2a5b0f38a0c3bcba786b\","
				  "\"crypto\":" PBKDF2_CRYPTO ",\"version\":3}",
				  "testpassword", &err),
		     KEYSTORE_E_ADDRESS);
}

/* --- what we write --- */

static struct secret_key some_key(uint8_t first)
{
	struct secret_key key;

	memset(key.bytes, 0x33, sizeof(key.bytes));
	key.bytes[0] = first;
	return key;
}

static void some_random(uint8_t out[64])
{
	size_t i;

	for (i = 0; i < 64; i++)
		out[i] = (uint8_t)(0xa0 + i);
}

static void encrypt_light(struct buf *out, const struct secret_key *key, const char *password)
{
	uint8_t random[64];

	some_random(random);
	cr_assert_eq(keystore_encrypt(e, out, key, bytes_of_str(password), KEYSTORE_COST_LIGHT,
				      random, NULL),
		     OK);
}

Test(keystore, encrypt_decrypt_gives_the_key_back)
{
	static const char *const passwords[] = {
		"", "a", "correct horse battery staple", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x92\xa9",
	};
	struct secret_key key = some_key(0), got;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(passwords); i++) {
		struct buf text = { 0 };

		encrypt_light(&text, &key, passwords[i]);
		cr_assert_eq(keystore_decrypt(e, &got, buf_bytes(&text), bytes_of_str(passwords[i]),
					      NULL), OK);
		cr_assert_eq(memcmp(&got, &key, sizeof(key)), 0);
		cr_assert_eq(
			keystore_decrypt(e, &got, buf_bytes(&text), bytes_of_str("other"), NULL),
			KEYSTORE_E_PASSWORD);
		buf_clear(&text);
	}
}

Test(keystore, encrypt_writes_what_other_tools_want)
{
	struct secret_key key = some_key(1);
	struct buf text = { 0 };
	struct keystore_file file;
	struct jval *root;
	const struct jval *crypto, *params;
	struct bytes id;

	encrypt_light(&text, &key, "x");
	cr_assert_eq(jval_parse(&root, buf_bytes(&text), NULL), OK);
	crypto = jval_get(root, "crypto");
	params = jval_get(crypto, "kdfparams");
	cr_assert_eq(jval_integer(jval_get(root, "version")), 3);
	cr_assert_eq(jval_string(jval_get(root, "address")).size, 40);
	cr_assert_eq(jval_kind(jval_get(root, "Crypto")), JVAL_ABSENT);
	cr_assert(
		bytes_equal(jval_string(jval_get(crypto, "cipher")), bytes_of_str("aes-128-ctr")));
	cr_assert(bytes_equal(jval_string(jval_get(crypto, "kdf")), bytes_of_str("scrypt")));
	cr_assert_eq(jval_integer(jval_get(params, "n")), KEYSTORE_COST_LIGHT);
	cr_assert_eq(jval_integer(jval_get(params, "r")), 8);
	cr_assert_eq(jval_integer(jval_get(params, "p")), 1);
	cr_assert_eq(jval_integer(jval_get(params, "dklen")), 32);
	cr_assert(bytes_equal(jval_string(jval_get(params, "salt")),
			      bytes_of_str("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
					   "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf")));
	cr_assert(bytes_equal(jval_string(jval_get(jval_get(crypto, "cipherparams"), "iv")),
			      bytes_of_str("c0c1c2c3c4c5c6c7c8c9cacbcccdcecf")));
	id = jval_string(jval_get(root, "id"));
	cr_assert(bytes_equal(id, bytes_of_str("d0d1d2d3-d4d5-46d7-98d9-dadbdcdddedf")));
	cr_assert_eq(keystore_parse(&file, buf_bytes(&text), NULL), OK);
	cr_assert(file.has_address);
	jval_free(root);
	buf_clear(&text);
}

Test(keystore, encrypt_takes_the_standard_cost)
{
	struct secret_key key = some_key(2), got;
	struct buf text = { 0 };
	uint8_t random[64];

	some_random(random);
	cr_assert_eq(keystore_encrypt(e, &text, &key, bytes_of_str("pw"), KEYSTORE_COST_STANDARD,
				      random, NULL),
		     OK);
	cr_assert_eq(keystore_decrypt(e, &got, buf_bytes(&text), bytes_of_str("pw"), NULL), OK);
	cr_assert_eq(memcmp(&got, &key, sizeof(key)), 0);
	buf_clear(&text);
}

Test(keystore, encrypt_refuses_bad_key_and_cost_and_writes_nothing)
{
	struct secret_key zero = { { 0 } }, key = some_key(3);
	struct buf text = { 0 };
	uint8_t random[64];

	some_random(random);
	cr_assert_eq(keystore_encrypt(e, &text, &zero, bytes_of_str("x"), KEYSTORE_COST_LIGHT,
				      random, NULL),
		     CRYPTO_E_KEY);
	cr_assert_eq(keystore_encrypt(e, &text, &key, bytes_of_str("x"), 4095, random, NULL),
		     KEYSTORE_E_UNSUPPORTED);
	cr_assert_eq(keystore_encrypt(e, &text, &key, bytes_of_str("x"), 0, random, NULL),
		     KEYSTORE_E_UNSUPPORTED);
	cr_assert_eq(text.size, 0);
}

/* Any changed digit of ciphertext, MAC, salt or iv is found, none gives a key. */
Test(keystore, decrypt_refuses_every_changed_digit)
{
	static const char *const members[] = { "\"ciphertext\":\"", "\"mac\":\"", "\"salt\":\"" };
	struct secret_key key = some_key(4), got;
	struct buf text = { 0 };
	struct err err = { 0 };
	size_t m, i;

	encrypt_light(&text, &key, "pw");
	buf_append_byte(&text, '\0');
	for (m = 0; m < ARRAY_COUNT(members); m++) {
		char *at = strstr((char *)text.data, members[m]) + strlen(members[m]);
		size_t digits = (size_t)(strchr(at, '"') - at);

		for (i = 0; i < digits; i += 5) {
			char old = at[i];

			at[i] = old == '0' ? '1' : '0';
			cr_assert_eq(keystore_decrypt(e, &got, bytes_of(text.data, text.size - 1),
						      bytes_of_str("pw"), &err),
				     KEYSTORE_E_PASSWORD, "%s digit %zu: %s", members[m], i,
				     err.message);
			at[i] = old;
		}
	}
	buf_clear(&text);
}

/* The MAC does not cover the iv (nor does the definition's): the address does. */
Test(keystore, decrypt_refuses_a_changed_iv_by_its_address)
{
	struct secret_key key = some_key(5), got;
	struct buf text = { 0 };
	char *at;

	encrypt_light(&text, &key, "pw");
	buf_append_byte(&text, '\0');
	at = strstr((char *)text.data, "\"iv\":\"") + 6;
	at[0] ^= 1;
	cr_assert_eq(keystore_decrypt(e, &got, bytes_of(text.data, text.size - 1),
				      bytes_of_str("pw"), NULL),
		     KEYSTORE_E_ADDRESS);
	buf_clear(&text);
}
