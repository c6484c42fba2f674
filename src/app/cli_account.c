/*
 * weft account - keys in a keystore directory.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/cli.h"
#include "app/password.h"
#include "base/check.h"
#include "codec/hex.h"
#include "crypto/hd.h"
#include "io/clock.h"
#include "keystore/keystore.h"

#define ACCOUNT_MAX 100000

static uint32_t cost(const struct cli *c)
{
	return c->options.light_kdf ? KEYSTORE_COST_LIGHT : KEYSTORE_COST_STANDARD;
}

/* Encrypts `key` and writes its file. */
static int store_key(struct cli *c, const struct ecc *e, const struct secret_key *key,
		     const struct addr *address, struct bytes password, char name[KEYSTORE_NAME_SIZE],
		     struct err *err)
{
	struct buf text = { 0 };
	uint8_t random[64];
	int code;

	io_entropy(random, sizeof(random));
	code = keystore_encrypt(e, &text, key, password, cost(c), random, err);
	if (code == OK) {
		keystore_name(name, address, io_wall_ms());
		code = keystore_write(c->keystore, name, buf_bytes(&text), err);
	}
	buf_clear(&text);
	return code;
}

/* Asks for a password, stores the key, says where. */
static int add_key(struct cli *c, const struct ecc *e, const struct secret_key *key, struct err *err)
{
	char name[KEYSTORE_NAME_SIZE], text[CLI_ADDRESS_SIZE];
	struct public_key public_key;
	struct buf password = { 0 };
	struct addr address;
	int code = ecc_public_key(e, &public_key, key, err);

	if (code == OK)
		code = password_read(&password, c->options.password_file, "Password for the new key: ",
				     true, err);
	if (code == OK) {
		ecc_address(&address, &public_key);
		code = store_key(c, e, key, &address, buf_bytes(&password), name, err);
	}
	password_clear(&password);
	if (code != OK)
		return code;
	cli_put_text(c, "address", "address", cli_format_address(text, &address));
	if (c->options.json) {
		struct buf path = { 0 };

		buf_printf(&path, "%s/%s", c->keystore, name);
		jout_key(&c->json, "file");
		jout_string(&c->json, buf_bytes(&path));
		buf_clear(&path);
	} else {
		printf("%-14s %s/%s\n", "file", c->keystore, name);
		fputs("Back the file up and remember the password: nobody can restore either.\n", stderr);
	}
	return OK;
}

static int run_new(struct cli *c, struct err *err)
{
	struct ecc *e = cli_ecc();
	struct secret_key key;
	int code;

	do {
		io_entropy(key.bytes, sizeof(key.bytes));
	} while (!ecc_key_valid(e, &key));
	code = add_key(c, e, &key, err);
	crypto_wipe(&key, sizeof(key));
	ecc_free(e);
	return code;
}

static int run_list(struct cli *c, struct err *err)
{
	struct addr *all = xcalloc(ACCOUNT_MAX, sizeof(*all));
	char text[CLI_ADDRESS_SIZE];
	size_t count;
	int code = keystore_list(c->keystore, all, ACCOUNT_MAX, &count, err);

	if (code == OK && c->options.json) {
		jout_key(&c->json, "accounts");
		jout_array(&c->json);
	}
	for (size_t i = 0; code == OK && i < count; i++) {
		if (c->options.json)
			jout_str(&c->json, cli_format_address(text, &all[i]));
		else
			puts(cli_format_address(text, &all[i]));
	}
	if (code == OK && c->options.json)
		jout_array_end(&c->json);
	else if (code == OK && count == 0)
		fprintf(stderr, "no account in %s: make one with \"weft account new\"\n", c->keystore);
	free(all);
	return code;
}

/* 64 hex digits, with or without 0x. */
static int read_key(struct secret_key *key, struct bytes text, struct err *err)
{
	if (hex_parse_fixed(key->bytes, sizeof(key->bytes), text) ||
	    hex_decode(key->bytes, sizeof(key->bytes), text))
		return OK;
	return ERR_SET(err, APP_E_REFUSED, "this is no key: 64 hex digits are needed");
}

static int run_import(struct cli *c, struct err *err)
{
	const char *file = c->options.key_file ? c->options.key_file : c->options.mnemonic_file;
	struct buf text = { 0 };
	struct secret_key key;
	struct ecc *e;
	int code;

	if (!file || (c->options.key_file && c->options.mnemonic_file))
		return ERR_SET(err, APP_E_USAGE, "give --key-file or --mnemonic-file (\"-\" reads standard "
			       "input)");
	if (c->options.key_file && c->options.path)
		return ERR_SET(err, APP_E_USAGE, "--path goes with --mnemonic-file");
	e = cli_ecc();
	code = cli_read_secret(&text, file, err);
	if (code == OK && c->options.key_file)
		code = read_key(&key, buf_bytes(&text), err);
	else if (code == OK)
		code = hd_derive(e, &key, (const char *)text.data,
				 c->options.path ? c->options.path : HD_ETHEREUM_PATH "0", err);
	password_clear(&text);
	if (code == OK)
		code = add_key(c, e, &key, err);
	crypto_wipe(&key, sizeof(key));
	ecc_free(e);
	return code;
}

#define OPTION_LIGHT_KDF \
	{ "lightkdf", OPTION_FLAG, CLI_AT(light_kdf), NULL, "a cheap key derivation: for tests only" }

static const struct option new_options[] = {
	CLI_OPTIONS_KEYS, CLI_OPTION_PASSWORD, OPTION_LIGHT_KDF, CLI_OPTION_JSON, CLI_OPTION_HELP,
};
static const struct option list_options[] = { CLI_OPTIONS_KEYS, CLI_OPTION_JSON, CLI_OPTION_HELP };
static const struct option import_options[] = {
	{ "key-file", OPTION_TEXT, CLI_AT(key_file), "FILE", "the key as 64 hex digits; - reads standard input" },
	{ "mnemonic-file", OPTION_TEXT, CLI_AT(mnemonic_file), "FILE", "a phrase of 12 to 24 words; - reads standard input" },
	{ "path", OPTION_TEXT, CLI_AT(path), "PATH", "which of the phrase's keys; default " HD_ETHEREUM_PATH "0" },
	CLI_OPTIONS_KEYS, CLI_OPTION_PASSWORD, OPTION_LIGHT_KDF, CLI_OPTION_JSON, CLI_OPTION_HELP,
};

const struct cli_command cli_account_new = {
	"account new", "", "make a key and store it, encrypted", NULL,
	new_options, ARRAY_COUNT(new_options), 0, 0, run_new };
const struct cli_command cli_account_list = {
	"account list", "", "the addresses in the keystore", NULL,
	list_options, ARRAY_COUNT(list_options), 0, 0, run_list };
const struct cli_command cli_account_import = {
	"account import", "", "store a key that exists already",
	"Secrets come from files or standard input, never from arguments, which every user\n"
	"of the machine can read.\n",
	import_options, ARRAY_COUNT(import_options), 0, 0, run_import };
