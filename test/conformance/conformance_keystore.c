/*
 * Keys and keystores against ethereum/tests: KeyStoreTests/basic_tests.json,
 * BasicTests/keyaddrtest.json and BasicTests/crypto.json.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/hex.h"
#include "crypto/ecc.h"
#include "crypto/keccak.h"
#include "json/json.h"
#include "keystore/keystore.h"
#include "tap.h"

/* Parses the file at `relative`; NULL if it is absent or no JSON, which is told. */
static struct jval *load(struct tap *t, const char *relative, unsigned case_count)
{
	char path[TAP_PATH_SIZE];
	struct buf text = { 0 };
	struct jval *root = NULL;
	struct err err;

	if (!tap_data(t, path, relative, case_count))
		return NULL;
	if (!tap_read(&text, path, 1 * MIB))
		tap_case(t, false, "%s can be read", relative);
	else if (jval_parse(&root, buf_bytes(&text), &err))
		tap_case(t, false, "%s: %s", relative, err.message);
	buf_clear(&text);
	return root;
}

static bool hex_member(uint8_t *out, size_t size, const struct jval *object, const char *name)
{
	return hex_decode(out, size, jval_string(jval_get(object, name)));
}

/* --- KeyStoreTests --- */

static bool opens(const struct ecc *e, const struct jval *c, struct bytes password)
{
	struct secret_key key = { { 0 } }, want;
	struct buf text = { 0 };
	struct jout j;
	struct err err;
	int code;

	if (!hex_member(want.bytes, 32, c, "priv")) {
		tap_note("no private key in the case");
		return false;
	}
	jout_init(&j, &text);
	jout_jval(&j, jval_get(c, "json"));
	code = keystore_decrypt(e, &key, buf_bytes(&text), password, &err);
	buf_clear(&text);
	if (code)
		tap_note("%s: %s", err.where, err.message);
	return !code && memcmp(&key, &want, sizeof(key)) == 0;
}

static void run_keystores(struct tap *t, const struct ecc *e)
{
	struct jval *root = load(t, "ethereum-tests/KeyStoreTests/basic_tests.json", 5);
	const struct jval *c;
	const char *name;
	void *at = NULL;

	while (jval_next(root, &at, &name, &c))
		tap_case(t, opens(e, c, jval_string(jval_get(c, "password"))), "KeyStoreTests %s",
			 name);
	jval_free(root);
}

/* --- keyaddrtest --- */

/* The key is the seed word's hash, and has the address. */
static bool key_has_address(const struct ecc *e, const struct jval *c, const struct addr *want)
{
	struct secret_key key;
	struct public_key public;
	struct hash seed;
	struct addr address;

	keccak256(&seed, jval_string(jval_get(c, "seed")));
	if (!hex_member(key.bytes, 32, c, "key") || memcmp(key.bytes, seed.bytes, 32) != 0 ||
	    ecc_public_key(e, &public, &key, NULL))
		return false;
	ecc_address(&address, &public);
	return addr_equal(&address, want);
}

/* Of sig_of_emptystring it is only known what it is not: over the Keccak-256, the
 * SHA-256 or the message hash of the empty string it recovers another address. */
#define NO_DIGEST "the file does not say what was signed, and it is not a hash of \"\""

static void run_keyaddr(struct tap *t, const struct ecc *e)
{
	struct jval *root = load(t, "ethereum-tests/BasicTests/keyaddrtest.json", 4);
	struct addr want;
	size_t i;

	for (i = 0; i < jval_count(root); i++) {
		const struct jval *c = jval_at(root, i);
		const char *name = (const char *)jval_string(jval_get(c, "seed")).data;
		bool ok = name && hex_member(want.bytes, 20, c, "addr");

		tap_case(t, ok && key_has_address(e, c, &want), "keyaddrtest %s: key and address",
			 name ? name : "?");
		tap_not_applicable(t, NO_DIGEST, "keyaddrtest %s: signature", name ? name : "?");
	}
	jval_free(root);
}

/* --- crypto --- */

static void run_crypto(struct tap *t)
{
	struct jval *root = load(t, "ethereum-tests/BasicTests/crypto.json", 2);
	const struct jval *c;
	const char *name;
	void *at = NULL;

	while (jval_next(root, &at, &name, &c)) {
		struct bytes kind = jval_string(jval_get(c, "decryption_type"));

		if (bytes_equal(kind, bytes_of_str("aes_ctr")))
			tap_not_applicable(t, "AES-256-CTR of devp2p frames; keystores have AES-128",
					   "crypto %s", name);
		else if (bytes_equal(kind, bytes_of_str("ecies_sec1_altered")))
			tap_not_applicable(t, "ECIES of devp2p's handshake; nodes here use TLS 1.3",
					   "crypto %s", name);
		else
			tap_case(t, false, "crypto %s: of a kind that is not known", name);
	}
	jval_free(root);
}

int main(void)
{
	static const uint8_t seed[32] = { 1 };
	struct ecc *e = ecc_new(seed);
	struct tap t = { 0 };

	run_keystores(&t, e);
	run_keyaddr(&t, e);
	run_crypto(&t);
	ecc_free(e);
	return tap_done(&t);
}
