/*
 * cli - what the commands of `weft` share: options, the node, keys, output.
 *
 * A command prints its result to stdout, as lines or (--json) as one JSON
 * document, and everything else to stderr. It gives OK or a code with a message;
 * cli_exit_code() says what that means outside.
 */
#ifndef WEFT_APP_CLI_H
#define WEFT_APP_CLI_H

#include "app/options.h"
#include "app/rpc_client.h"
#include "chain/tx.h"
#include "crypto/ecc.h"

#define CLI_WORD_MAX 64

/* Every option of every command; a command's table names those that it takes. */
struct cli_options {
	const char *rpc, *datadir, *keystore, *password_file;
	const char *from, *to, *value, *gas_price, *max_fee, *priority_fee, *nonce, *gas, *data;
	const char *key_file, *mnemonic_file, *path;
	uint64_t type, timeout;
	bool json, wait, light_kdf, full, help;
};

struct cli {
	struct cli_options options;
	struct options_seen seen;
	const char *words[CLI_WORD_MAX];
	size_t word_count;
	char *keystore;        /* the directory */
	struct rpc_client rpc;
	struct buf out;        /* with --json: the document */
	struct jout json;
	bool is_failed;        /* all went well, and the answer is a failure: exit code 1 */
};

/* Options that many tables have. */
#define CLI_AT(member) offsetof(struct cli_options, member)
#define CLI_OPTION_RPC \
	{ "rpc", OPTION_TEXT, CLI_AT(rpc), "URL", "the node; also WEFT_RPC" }
#define CLI_OPTION_JSON { "json", OPTION_FLAG, CLI_AT(json), NULL, "one JSON document" }
#define CLI_OPTION_HELP { "help", OPTION_FLAG, CLI_AT(help), NULL, "this text" }
#define CLI_OPTIONS_KEYS \
	{ "keystore", OPTION_TEXT, CLI_AT(keystore), "DIR", "where keys are; default DATADIR/keystore" }, \
	{ "datadir", OPTION_TEXT, CLI_AT(datadir), "DIR", "default ~/.weft" }
#define CLI_OPTION_PASSWORD \
	{ "password-file", OPTION_TEXT, CLI_AT(password_file), "FILE", \
	  "password in its first line; else WEFT_PASSWORD, else asked for" }

struct cli_command {
	const char *name;      /* "account new": as it is typed */
	const char *words;     /* what follows it: "ADDRESS..." */
	const char *summary;   /* one line */
	const char *help;      /* the rest of --help, or NULL */
	const struct option *options;
	size_t option_count;
	size_t words_min, words_max;
	int (*run)(struct cli *c, struct err *err);
};

extern const struct cli_command cli_account_new, cli_account_list, cli_account_import, cli_send,
	cli_balance, cli_block, cli_tx, cli_status, cli_rpc, cli_validators, cli_vote;

/* --- the node --- */

/* rpc_client_call() with printf for the params; an unreachable node is explained. */
int cli_call(struct cli *c, const struct jval **result, struct err *err, const char *method,
	     const char *params_format, ...) __attribute__((format(printf, 5, 6)));
/* Its result as a number. APP_E_REFUSED if it is none. */
int cli_call_number(struct cli *c, struct u256 *out, struct err *err, const char *method,
		    const char *params_format, ...) __attribute__((format(printf, 5, 6)));
int cli_call_u64(struct cli *c, uint64_t *out, struct err *err, const char *method,
		 const char *params_format, ...) __attribute__((format(printf, 5, 6)));

/* --- words to values; APP_E_USAGE or APP_E_REFUSED --- */

/* 0x and 40 digits; with mixed case the checksum of EIP-55 must hold. */
int cli_parse_address(struct addr *out, const char *text, struct err *err);
/* EIP-55; `out` is NUL-terminated. */
#define CLI_ADDRESS_SIZE 43
const char *cli_format_address(char out[CLI_ADDRESS_SIZE], const struct addr *a);

/* "1.5" or "1.5weft" (coins), "100gwei", "5wei", at most as many digits behind the
 * point as the unit has. */
int cli_parse_amount(struct u256 *wei, const char *text, struct err *err);
/* Coins without needless zeros: "1.5". */
#define CLI_AMOUNT_SIZE 96
const char *cli_format_amount(char out[CLI_AMOUNT_SIZE], const struct u256 *wei);

/* A whole number, decimal or 0x. */
int cli_parse_number(uint64_t *out, const char *text, const char *what, struct err *err);

/* --- files and keys --- */

/* A small text file, or stdin if `path` is "-", without blanks at its end; NUL
 * behind it. Wipe it. */
int cli_read_secret(struct buf *out, const char *path, struct err *err);

/* A context to sign with. */
struct ecc *cli_ecc(void);

/* --- transactions (cli_send.c) --- */

struct cli_transaction {
	struct tx tx;          /* unsigned: `to`, `value` */
	struct addr from;
	struct buf data;       /* of the call; cleared by the caller */
};

/* Sends it from --from: asks the node for nonce, fees and gas as far as they are not given,
 * signs here, prints what was sent and, with --wait, its receipt. */
int cli_transact(struct cli *c, struct cli_transaction *t, struct err *err);

/* --- output --- */

/* "name: text" lines, or members of the JSON object; the caller chooses by c->options.json. */
int cli_print_json(struct cli *c);
void cli_put_text(struct cli *c, const char *key, const char *label, const char *text);
void cli_put_number(struct cli *c, const char *key, const char *label, uint64_t n);

/* 0 done, 1 failed, 2 usage, 3 refused data. */
int cli_exit_code(int code);

#endif
