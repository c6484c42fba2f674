/*
 * cli - what the commands of `weft` share: options, the node, keys, output.
 *
 * A command prints its result to stdout, as lines or (--json) as one JSON
 * document, and everything else to stderr. It gives OK or a code with a message;
 * cli_exit_code() says what that means outside.
 */
#ifndef WEFT_APP_CLI_H
#define WEFT_APP_CLI_H

#include "abi/abi.h"
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
	const char *abi, *contract, *constructor, *salt, *block, *from_block, *to_block;
	struct option_list addresses, events, topics;
	uint64_t type, timeout;
	bool json, wait, light_kdf, full, raw, input, follow, help;
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
	bool has_printed;      /* with --json: the documents were printed as they came */
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
	cli_balance, cli_block, cli_tx, cli_status, cli_rpc, cli_validators, cli_vote, cli_deploy,
	cli_contract_call, cli_logs, cli_abi_encode, cli_abi_decode, cli_calldata, cli_sig;

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
#define CLI_ADDRESS_SIZE ABI_ADDRESS_SIZE
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
	struct buf data;       /* of the call, or what creates; cleared by the caller */
	const struct abi *abi; /* whose errors the contract may give, or NULL */
	bool has_contract;     /* the address that is created is known before it is sent */
	struct addr contract;  /* … to the caller, or (tx.is_create) found by cli_transact() */
};

/* Options about fees that contradict the type. APP_E_USAGE */
int cli_check_fees(const struct cli *c, struct err *err);

/* Sends it from --from: asks the node for nonce, fees and gas as far as they are not given,
 * signs here, prints what was sent and, with --wait, its receipt. APP_E_REVERTED: the
 * estimate says that it would fail, and why; nothing was sent. */
int cli_transact(struct cli *c, struct cli_transaction *t, struct err *err);

/* Options of what pays: for the commands that send. */
#define CLI_OPTIONS_SEND \
	{ "wait", OPTION_FLAG, CLI_AT(wait), NULL, "wait for the block and show it" }, \
	{ "timeout", OPTION_NUMBER, CLI_AT(timeout), "S", "how long to wait", 1, 86400 }, \
	{ "type", OPTION_NUMBER, CLI_AT(type), "0|1|2", "legacy, EIP-2930 or EIP-1559", 0, 2 }, \
	{ "gas-price", OPTION_TEXT, CLI_AT(gas_price), "AMOUNT", "types 0 and 1: for a unit of gas" }, \
	{ "max-fee", OPTION_TEXT, CLI_AT(max_fee), "AMOUNT", "type 2: at most, for a unit of gas" }, \
	{ "priority-fee", OPTION_TEXT, CLI_AT(priority_fee), "AMOUNT", "type 2: of it, to the proposer" }, \
	{ "nonce", OPTION_TEXT, CLI_AT(nonce), "N", "instead of the next one" }, \
	{ "gas", OPTION_TEXT, CLI_AT(gas), "N", "gas limit, instead of the node's estimate" }

/* --- contracts (cli_contract.c) --- */

#define CLI_OPTION_ABI \
	{ "abi", OPTION_TEXT, CLI_AT(abi), "FILE", "JSON ABI, or an artifact of Hardhat, Foundry or solc" }
#define CLI_OPTION_CONTRACT \
	{ "contract", OPTION_TEXT, CLI_AT(contract), "NAME", "which one of the FILE's, if it has several" }

/* What is known of a contract: by --abi, and by a signature on the command line. */
struct cli_contract {
	struct abi abi;              /* empty without --abi */
	struct abi_pool pool;        /* of what follows, and of values */
	struct abi_item written;
	const struct abi_item *item; /* the one that is meant: of the ABI if it has it, else `written` */
};

/* Loads --abi, if it is given. End it with cli_contract_clear() in any case. */
int cli_contract_init(struct cli *c, struct cli_contract *x, struct err *err);
void cli_contract_clear(struct cli_contract *x);

/* Finds what `text` means, a signature or (with --abi) a name. */
int cli_contract_find(struct cli *c, struct cli_contract *x, enum abi_item_kind kind, const char *text,
		      size_t argument_count, struct err *err);

/* Appends the arguments' encoding, behind the selector if `has_selector`. */
int cli_contract_encode(struct cli_contract *x, struct buf *out, bool has_selector,
			const char *const words[], size_t count, struct err *err);

/* Prints a tuple's members, one a line; with --json as member "values". */
void cli_put_values(struct cli *c, const struct abi_type *tuple, const struct abi_value *v);

/* The result of a call that failed (code, as cli_call() gave it): if the contract reverted, says
 * why and gives APP_E_REVERTED; else `code` as it is. With --json and `shows`, writes member
 * "reverted" and gives OK, with is_failed set. */
int cli_explain_revert(struct cli *c, const struct abi *abi, bool shows, int code, struct err *err);

/* A block's number, tag or hash as JSON. */
#define CLI_BLOCK_SIZE 96
int cli_block_param(char out[CLI_BLOCK_SIZE], const char *word, struct err *err);

/* Whether an account has code in the newest block. */
int cli_has_code(struct cli *c, bool *out, const struct addr *a, struct err *err);

/* --- output --- */

/* "name: text" lines, or members of the JSON object; the caller chooses by c->options.json. */
int cli_print_json(struct cli *c);
void cli_put_text(struct cli *c, const char *key, const char *label, const char *text);
void cli_put_number(struct cli *c, const char *key, const char *label, uint64_t n);

/* 0 done, 1 failed, 2 usage, 3 refused data. */
int cli_exit_code(int code);

#endif
