/*
 * weft deploy - creates a contract: from a compiler's artifact or from bytes, in a
 * transaction of its own or by the deterministic deployer, whose addresses are the
 * same on every chain (EIP-1014; github.com/Arachnid/deterministic-deployment-proxy).
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "app/cli.h"
#include "app/files.h"
#include "codec/hex.h"
#include "crypto/keccak.h"

#define FILE_SIZE_MAX (64 * MIB)
#define SALT_SIZE 32

static const struct addr deployer = { {
	0x4e, 0x59, 0xb4, 0x48, 0x47, 0xb3, 0x79, 0x57, 0x85, 0x88,
	0x92, 0x0c, 0xa7, 0x8f, 0xbf, 0x26, 0xc0, 0xb4, 0x95, 0x6c } };

/* What is to be deployed. */
struct source {
	struct abi abi;        /* of the file itself, if that has one */
	struct buf code;       /* creates it, without arguments */
};

/* --- creation code --- */

/* As solc --bin writes it: digits alone, or as they are typed with 0x. */
static bool is_bare_code(struct buf *out, struct bytes text)
{
	while (text.size > 0 && text.data[text.size - 1] <= ' ')
		text.size--;
	if (text.size >= 2 && memcmp(text.data, "0x", 2) == 0)
		text = bytes_of(text.data + 2, text.size - 2);
	if (text.size == 0 || text.size % 2)
		return false;
	if (hex_decode(buf_extend(out, text.size / 2), text.size / 2, text))
		return true;
	buf_reset(out);
	return false;
}

static int read_file(struct cli *c, struct source *s, const char *path, struct err *err)
{
	struct buf text = { 0 };
	int code = file_read(path, &text, FILE_SIZE_MAX, err);

	if (code == OK && !is_bare_code(&s->code, buf_bytes(&text))) {
		code = abi_load(&s->abi, buf_bytes(&text), c->options.contract, err);
		if (code == OK && !s->abi.has_code)
			code = ERR_SET(err, ABI_E_DOCUMENT, "it has no creation code: an interface, an abstract contract, "
				       "or an ABI alone");
		if (code == OK)
			buf_append_bytes(&s->code, buf_bytes(&s->abi.code));
		else
			code = err_prefix(err, code, "%.200s", path);
	}
	buf_clear(&text);
	return code;
}

static int read_source(struct cli *c, struct source *s, struct err *err)
{
	const char *word = c->words[0];

	if (strncmp(word, "0x", 2) != 0)
		return read_file(c, s, word, err);
	if (!is_bare_code(&s->code, bytes_of_str(word)))
		return ERR_SET(err, APP_E_REFUSED, "the code is no data: 0x and an even number of hex digits");
	return OK;
}

/* --- arguments --- */

/* The constructor of --constructor, --abi or the file; NULL item: it is not known. */
static int find_constructor(struct cli *c, struct cli_contract *x, const struct source *s, struct err *err)
{
	const struct abi *abi = c->options.abi ? &x->abi : &s->abi;
	int code;

	if (c->options.constructor) {
		code = abi_parse_signature(&x->written, &x->pool, c->options.constructor, err);
		if (code == OK && (*x->written.name || x->written.has_outputs ||
				   (x->written.has_kind && x->written.kind != ABI_ITEM_CONSTRUCTOR)))
			code = ERR_SET(err, ABI_E_SIGNATURE, "a constructor is written constructor(string,uint256)");
		x->item = &x->written;
		return code == OK ? OK : err_prefix(err, code, "--constructor");
	}
	x->item = abi_constructor(abi);
	/* A contract without one takes nothing, and no coins. */
	if (!x->item && abi->has_items) {
		code = abi_parse_signature(&x->written, &x->pool, "constructor() nonpayable", err);
		x->item = &x->written;
		return code;
	}
	return OK;
}

static int append_arguments(struct cli *c, struct cli_contract *x, struct cli_transaction *t, struct err *err)
{
	size_t count = c->word_count - 1;
	int code;

	if (!x->item && count > 0)
		return ERR_SET(err, APP_E_USAGE, "the types of the arguments are not known: give "
			       "--constructor \"constructor(string,uint256)\" or --abi FILE");
	if (x->item && x->item->refuses_value && !u256_is_zero(&t->tx.value.n))
		return ERR_SET(err, APP_E_USAGE, "the constructor takes no coins: leave --value out");
	code = x->item ? cli_contract_encode(x, &t->data, false, c->words + 1, count, err) : OK;
	if (code == OK && t->data.size > LIMIT_TX_SIZE)
		code = ERR_SET(err, APP_E_REFUSED, "the code and its arguments are %zu bytes; a transaction has at most "
			       "%llu", t->data.size, LIMIT_TX_SIZE);
	return code;
}

/* --- where --- */

/* 0x and 64 digits, or a number. */
static int parse_salt(uint8_t out[SALT_SIZE], const char *text, struct err *err)
{
	struct u256 n;

	if (hex_parse_fixed(out, SALT_SIZE, bytes_of_str(text)))
		return OK;
	if (!u256_from_decimal(&n, bytes_of_str(text)))
		return ERR_SET(err, APP_E_REFUSED, "--salt is 0x and 64 hex digits, or a number, not \"%.80s\"", text);
	u256_to_be32(out, &n);
	return OK;
}

/* EIP-1014: keccak256(0xff ++ deployer ++ salt ++ keccak256(code))[12:] */
static void salted_address(struct addr *out, const uint8_t salt[SALT_SIZE], struct bytes code)
{
	struct buf text = { 0 };
	struct hash h;

	keccak256(&h, code);
	buf_append_byte(&text, 0xff);
	buf_append_bytes(&text, addr_bytes(&deployer));
	buf_append(&text, salt, SALT_SIZE);
	buf_append_bytes(&text, hash_bytes(&h));
	keccak256(&h, buf_bytes(&text));
	memcpy(out->bytes, h.bytes + 12, sizeof(out->bytes));
	buf_clear(&text);
}

/* The transaction calls the deployer with salt and code, once both can succeed. */
static int use_deployer(struct cli *c, struct cli_transaction *t, struct err *err)
{
	char text[CLI_ADDRESS_SIZE];
	uint8_t salt[SALT_SIZE];
	struct buf data = { 0 };
	bool has_code = false;
	int code = parse_salt(salt, c->options.salt, err);

	if (code != OK)
		return code;
	salted_address(&t->contract, salt, buf_bytes(&t->data));
	t->has_contract = true;
	t->tx.is_create = false;
	t->tx.to = deployer;
	buf_append(&data, salt, SALT_SIZE);
	buf_append_bytes(&data, buf_bytes(&t->data));
	buf_clear(&t->data);
	t->data = data;
	code = cli_has_code(c, &has_code, &deployer, err);
	if (code == OK && !has_code)
		return ERR_SET(err, APP_E_FILE, "this chain lacks the deterministic deployer %s: leave --salt out, or "
			       "deploy it first", cli_format_address(text, &deployer));
	if (code == OK)
		code = cli_has_code(c, &has_code, &t->contract, err);
	if (code == OK && has_code)
		return ERR_SET(err, APP_E_FILE, "it is there already: %s has this code's contract with this salt",
			       cli_format_address(text, &t->contract));
	return code;
}

static int prepare(struct cli *c, struct source *s, struct cli_contract *x, struct cli_transaction *t,
		   struct err *err)
{
	int code = c->options.from ? cli_check_fees(c, err)
				   : ERR_SET(err, APP_E_USAGE, "give --from: who pays for it");

	if (code == OK && c->options.constructor && c->options.abi)
		code = ERR_SET(err, APP_E_USAGE, "give --constructor or --abi, not both");
	if (code == OK && c->options.value)
		code = cli_parse_amount(&t->tx.value.n, c->options.value, err);
	if (code == OK)
		code = read_source(c, s, err);
	if (code == OK)
		code = find_constructor(c, x, s, err);
	if (code == OK) {
		t->tx.is_create = true;
		buf_append_bytes(&t->data, buf_bytes(&s->code));
		code = append_arguments(c, x, t, err);
	}
	if (code == OK && c->options.salt)
		code = use_deployer(c, t, err);
	t->abi = c->options.abi ? &x->abi : s->abi.has_items ? &s->abi : NULL;
	return code;
}

static int run_deploy(struct cli *c, struct err *err)
{
	struct cli_transaction t = { 0 };
	struct source s = { 0 };
	struct cli_contract x = { 0 };
	int code = OK;

	if (c->options.abi)
		code = cli_contract_init(c, &x, err);
	if (code == OK)
		code = prepare(c, &s, &x, &t, err);
	if (code == OK)
		code = cli_transact(c, &t, err);
	buf_clear(&t.data);
	buf_clear(&s.code);
	abi_clear(&s.abi);
	cli_contract_clear(&x);
	return code;
}

static const struct option deploy_options[] = {
	{ "from", OPTION_TEXT, CLI_AT(from), "ADDRESS", "who pays; its key is in the keystore" },
	{ "value", OPTION_TEXT, CLI_AT(value), "AMOUNT", "what the constructor gets" },
	{ "salt", OPTION_TEXT, CLI_AT(salt), "SALT", "by the deterministic deployer (CREATE2)" },
	{ "constructor", OPTION_TEXT, CLI_AT(constructor), "SIG", "its types, where FILE has no ABI" },
	CLI_OPTION_ABI, CLI_OPTION_CONTRACT, CLI_OPTIONS_SEND,
	CLI_OPTIONS_KEYS, CLI_OPTION_PASSWORD, CLI_OPTION_RPC, CLI_OPTION_JSON, CLI_OPTION_HELP,
};

const struct cli_command cli_deploy = {
	"deploy", "FILE|0x... [ARG...]", "create a contract; prints its address",
	"  weft deploy Token.json \"My token\" MTK 1e24 --from 0x... --wait\n"
	"  weft deploy 0x6080... 5 --constructor \"constructor(uint256)\" --from 0x...\n"
	"FILE is an artifact of Hardhat or Foundry, what solc prints as JSON, or hexadecimal code as\n"
	"solc --bin writes it. An ARG is written as for weft call. With --salt (0x and 64 digits, or\n"
	"a number) the address depends on salt, code and arguments alone, and is the same on every\n"
	"chain that has the deployer at 0x4e59b44847b379578588920cA78FbF26c0B4956C.\n",
	deploy_options, ARRAY_COUNT(deploy_options), 1, CLI_WORD_MAX, run_deploy };
