/*
 * weft balance, block, tx, status, rpc - asking a node.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/cli.h"
#include "base/check.h"
#include "codec/hex.h"
#include "keystore/keystore.h"

#define ACCOUNT_MAX 1000

/* --- parts of answers --- */

/* A member as it would be read aloud: numbers in decimal, text as it is. */
static void show(struct cli *c, const struct jval *object, const char *key, const char *label)
{
	struct bytes text = jval_string(jval_get(object, key));
	char decimal[U256_DECIMAL_MAX + 1];
	struct u256 n;

	if (text.size == 0)
		return;
	/* Hashes and addresses are data of fixed length, whatever their first digit. */
	if (text.size != HEX_HASH_SIZE - 1 && text.size != HEX_ADDR_SIZE - 1 &&
	    hex_parse_u256(&n, text))
		printf("%-14s %s\n", label, u256_to_decimal(decimal, &n));
	else
		printf("%-14s %.*s\n", label, (int)text.size, (const char *)text.data);
}

static void show_amount(const struct jval *object, const char *key, const char *label)
{
	char amount[CLI_AMOUNT_SIZE];
	struct u256 n;

	if (hex_parse_u256(&n, jval_string(jval_get(object, key))))
		printf("%-14s %s WEFT\n", label, cli_format_amount(amount, &n));
}

static void show_time(const struct jval *object, const char *key, const char *label)
{
	char text[64];
	uint64_t seconds;
	time_t t;
	struct tm tm;

	if (!hex_parse_u64(&seconds, jval_string(jval_get(object, key))))
		return;
	t = (time_t)seconds;
	if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
		printf("%-14s %s\n", label, text);
}

/* --- balance --- */

static int show_balance(struct cli *c, const struct addr *a, struct err *err)
{
	char text[CLI_ADDRESS_SIZE], amount[CLI_AMOUNT_SIZE], decimal[U256_DECIMAL_MAX + 1];
	struct u256 wei;
	int code;

	cli_format_address(text, a);
	code = cli_call_number(c, &wei, err, "eth_getBalance", "[\"%s\",\"latest\"]", text);
	if (code != OK)
		return code;
	cli_format_amount(amount, &wei);
	u256_to_decimal(decimal, &wei);
	if (c->options.json) {
		jout_object(&c->json);
		jout_key(&c->json, "address");
		jout_str(&c->json, text);
		jout_key(&c->json, "weft");
		jout_str(&c->json, amount);
		jout_key(&c->json, "wei");
		jout_str(&c->json, decimal);
		jout_object_end(&c->json);
	} else {
		printf("%s  %s WEFT (%s wei)\n", text, amount, decimal);
	}
	return OK;
}

static int run_balance(struct cli *c, struct err *err)
{
	struct addr *all = xcalloc(ACCOUNT_MAX, sizeof(*all));
	size_t count = c->word_count;
	int code = OK;

	for (size_t i = 0; code == OK && i < count; i++)
		code = cli_parse_address(&all[i], c->words[i], err);
	if (code == OK && count == 0)
		code = keystore_list(c->keystore, all, ACCOUNT_MAX, &count, err);
	if (code == OK && count == 0)
		fprintf(stderr, "no account in %s: name an address\n", c->keystore);
	if (code == OK && c->options.json) {
		jout_key(&c->json, "balances");
		jout_array(&c->json);
	}
	for (size_t i = 0; code == OK && i < count; i++)
		code = show_balance(c, &all[i], err);
	if (code == OK && c->options.json)
		jout_array_end(&c->json);
	free(all);
	return code;
}

/* --- block --- */

static int ask_block(struct cli *c, const struct jval **block, struct err *err)
{
	const char *word = c->word_count ? c->words[0] : "latest";
	const char *full = c->options.full ? "true" : "false";
	uint64_t number;
	struct hash h;
	int code;

	if (hex_parse_fixed(h.bytes, sizeof(h.bytes), bytes_of_str(word)))
		return cli_call(c, block, err, "eth_getBlockByHash", "[\"%s\",%s]", word, full);
	if (strcmp(word, "latest") == 0 || strcmp(word, "earliest") == 0)
		return cli_call(c, block, err, "eth_getBlockByNumber", "[\"%s\",%s]", word, full);
	code = cli_parse_number(&number, word, "block number, block hash, latest or earliest", err);
	if (code != OK)
		return code;
	return cli_call(c, block, err, "eth_getBlockByNumber", "[\"0x%llx\",%s]",
			(unsigned long long)number, full);
}

static void show_block(struct cli *c, const struct jval *block)
{
	const struct jval *txs = jval_get(block, "transactions");

	show(c, block, "number", "block");
	show(c, block, "hash", "hash");
	show(c, block, "parentHash", "parent");
	show_time(block, "timestamp", "time");
	show(c, block, "miner", "proposer");
	show(c, block, "stateRoot", "state root");
	show(c, block, "gasUsed", "gas used");
	show(c, block, "gasLimit", "gas limit");
	show(c, block, "baseFeePerGas", "base fee, wei");
	show(c, block, "size", "bytes");
	printf("%-14s %zu\n", "transactions", jval_count(txs));
	for (size_t i = 0; c->options.full && i < jval_count(txs); i++) {
		show(c, jval_at(txs, i), "hash", " hash");
		show(c, jval_at(txs, i), "from", "  from");
		show(c, jval_at(txs, i), "to", "  to");
		show_amount(jval_at(txs, i), "value", "  value");
	}
}

static int run_block(struct cli *c, struct err *err)
{
	const struct jval *block;
	int code = ask_block(c, &block, err);

	if (code != OK)
		return code;
	if (jval_kind(block) != JVAL_OBJECT)
		return ERR_SET(err, APP_E_FILE, "there is no such block (weft status shows the newest)");
	if (c->options.json) {
		jout_key(&c->json, "block");
		jout_jval(&c->json, block);
	} else {
		show_block(c, block);
	}
	return OK;
}

/* --- tx --- */

static void show_receipt(struct cli *c, const struct jval *receipt)
{
	uint64_t status;

	if (!hex_parse_u64(&status, jval_string(jval_get(receipt, "status"))))
		return;
	show(c, receipt, "blockNumber", "block");
	show(c, receipt, "gasUsed", "gas used");
	show(c, receipt, "effectiveGasPrice", "price, wei");
	show(c, receipt, "contractAddress", "contract");
	printf("%-14s %s\n", "status", status ? "success" : "failed");
}

static void show_tx(struct cli *c, const struct jval *t)
{
	show(c, t, "hash", "transaction");
	show(c, t, "type", "type");
	show(c, t, "from", "from");
	show(c, t, "to", "to");
	show_amount(t, "value", "value");
	show(c, t, "nonce", "nonce");
	show(c, t, "gas", "gas limit");
	if (jval_string(jval_get(t, "input")).size > 2)
		show(c, t, "input", "data");
}

static int run_tx(struct cli *c, struct err *err)
{
	const struct jval *answer;
	struct hash h;
	bool is_mined;
	int code;

	if (!hex_parse_fixed(h.bytes, sizeof(h.bytes), bytes_of_str(c->words[0])))
		return ERR_SET(err, APP_E_REFUSED, "\"%.80s\" is no hash: 0x and 64 hex digits", c->words[0]);
	code = cli_call(c, &answer, err, "eth_getTransactionByHash", "[\"%s\"]", c->words[0]);
	if (code != OK)
		return code;
	if (jval_kind(answer) != JVAL_OBJECT)
		return ERR_SET(err, APP_E_FILE, "the node knows no such transaction: it was not sent to this "
			       "chain, or was dropped");
	is_mined = jval_string(jval_get(answer, "blockNumber")).size > 0;
	if (c->options.json) {
		jout_key(&c->json, "transaction");
		jout_jval(&c->json, answer);
	} else {
		show_tx(c, answer);
	}
	if (!is_mined && !c->options.json)
		printf("%-14s %s\n", "status", "pending");
	code = cli_call(c, &answer, err, "eth_getTransactionReceipt", "[\"%s\"]", c->words[0]);
	if (code == OK && c->options.json) {
		jout_key(&c->json, "receipt");
		jout_jval(&c->json, answer);
	} else if (code == OK && jval_kind(answer) == JVAL_OBJECT) {
		show_receipt(c, answer);
	}
	return code;
}

/* --- status --- */

/* A call whose absence on another node is no error: -32601. */
static int ask_if_known(struct cli *c, const struct jval **out, const char *method, struct err *err)
{
	int code = cli_call(c, out, err, method, "[]");

	if (code == RPC_CLIENT_E_REFUSED && c->rpc.error_code == -32601) {
		*out = NULL;
		return OK;
	}
	return code;
}

static int status_json(struct cli *c, struct err *err)
{
	static const struct { const char *key, *method; } parts[] = {
		{ "client", "web3_clientVersion" }, { "chainId", "eth_chainId" },
		{ "blockNumber", "eth_blockNumber" }, { "syncing", "eth_syncing" },
		{ "peerCount", "net_peerCount" }, { "gasPrice", "eth_gasPrice" },
		{ "pool", "txpool_status" }, { "node", "weft_nodeInfo" },
		{ "consensus", "weft_consensusStatus" },
	};
	const struct jval *answer;
	int code = OK;

	for (size_t i = 0; code == OK && i < ARRAY_COUNT(parts); i++) {
		code = ask_if_known(c, &answer, parts[i].method, err);
		if (code == OK) {
			jout_key(&c->json, parts[i].key);
			jout_jval(&c->json, answer);
		}
	}
	return code;
}

static uint64_t number_of(const struct jval *object, const char *key)
{
	uint64_t n = 0;

	return hex_parse_u64(&n, jval_string(jval_get(object, key))) ? n : 0;
}

static void show_text(const char *label, struct bytes text)
{
	printf("%-14s %.*s\n", label, (int)text.size, text.size ? (const char *)text.data : "");
}

static void show_validator(const struct jval *v)
{
	struct bytes address = jval_string(jval_get(v, "address"));
	bool has_seen = jval_string(jval_get(v, "lastSeenMsAgo")).size > 0;
	uint64_t ago_ms = number_of(v, "lastSeenMsAgo");
	bool is_self = jval_bool(jval_get(v, "isSelf"));

	printf("  %.*s  weight %-6llu %-12s ", (int)address.size, (const char *)address.data,
	       (unsigned long long)number_of(v, "weight"), jval_bool(jval_get(v, "voted")) ? "" : "waited for");
	if (is_self)
		printf("this node\n");
	else if (has_seen)
		printf("%s, last vote %llu.%llu s ago\n",
		       jval_bool(jval_get(v, "isConnected")) ? "connected" : "not connected",
		       (unsigned long long)(ago_ms / 1000), (unsigned long long)(ago_ms % 1000 / 100));
	else
		printf("%s\n", jval_bool(jval_get(v, "isConnected")) ? "connected" : "not connected");
}

/* Why it moves, or does not. */
static int show_consensus(struct cli *c, struct err *err)
{
	const struct jval *s, *validators;
	int code = ask_if_known(c, &s, "weft_consensusStatus", err);

	if (code != OK || !s)
		return code;
	show_text("role", jval_string(jval_get(s, "role")));
	show(c, s, "epoch", "epoch");
	show(c, s, "height", "works on block");
	show(c, s, "view", "in view");
	show_text("phase", jval_string(jval_get(s, "phase")));
	show_text("why", jval_string(jval_get(s, "reason")));
	if (jval_string(jval_get(s, "timeoutMsLeft")).size)
		printf("%-14s in %llu ms\n", "time-out", (unsigned long long)number_of(s, "timeoutMsLeft"));
	printf("%-14s %llu in all, %llu decide, %llu connected\n", "weight",
	       (unsigned long long)number_of(s, "totalWeight"), (unsigned long long)number_of(s, "quorumWeight"),
	       (unsigned long long)number_of(s, "reachableWeight"));
	if (jval_string(jval_get(s, "checkpointHeight")).size)
		show(c, s, "checkpointHeight", "checkpoint");
	if (number_of(s, "evidence") > 0)
		printf("%-14s %llu: see weft rpc weft_evidence\n", "evidence",
		       (unsigned long long)number_of(s, "evidence"));
	validators = jval_get(s, "validators");
	printf("validators\n");
	for (size_t i = 0; i < jval_count(validators); i++)
		show_validator(jval_at(validators, i));
	return OK;
}

static int run_status(struct cli *c, struct err *err)
{
	const struct jval *answer;
	struct bytes text;
	uint64_t n;
	int code;

	if (c->options.json)
		return status_json(c, err);
	code = cli_call(c, &answer, err, "web3_clientVersion", "[]");
	if (code != OK)
		return code;
	text = jval_string(answer);
	printf("%-14s %.*s\n", "node", (int)text.size, text.size ? (const char *)text.data : "");
	code = cli_call_u64(c, &n, err, "eth_chainId", "[]");
	if (code != OK)
		return code;
	printf("%-14s %llu\n", "chain id", (unsigned long long)n);
	code = cli_call(c, &answer, err, "eth_getBlockByNumber", "[\"latest\",false]");
	if (code != OK)
		return code;
	show_block(c, answer);
	code = ask_if_known(c, &answer, "eth_syncing", err);
	if (code != OK)
		return code;
	printf("%-14s %s\n", "syncing", jval_kind(answer) == JVAL_OBJECT ? "yes" : "no");
	code = ask_if_known(c, &answer, "net_peerCount", err);
	if (code != OK)
		return code;
	if (hex_parse_u64(&n, jval_string(answer)))
		printf("%-14s %llu\n", "peers", (unsigned long long)n);
	code = ask_if_known(c, &answer, "txpool_status", err);
	if (code == OK && answer) {
		show(c, answer, "pending", "pool, ready");
		show(c, answer, "queued", "pool, waiting");
	}
	return code == OK ? show_consensus(c, err) : code;
}

/* --- rpc --- */

/* A word that is JSON goes as it is; any other is a string. */
static void put_param(struct jout *j, const char *word)
{
	struct jval *v;

	if (jval_parse(&v, bytes_of_str(word), NULL) == OK) {
		jout_jval(j, v);
		jval_free(v);
	} else {
		jout_str(j, word);
	}
}

static int run_rpc(struct cli *c, struct err *err)
{
	const struct jval *answer;
	struct buf params = { 0 };
	struct jout j;
	int code;

	jout_init(&j, &params);
	jout_array(&j);
	for (size_t i = 1; i < c->word_count; i++)
		put_param(&j, c->words[i]);
	jout_array_end(&j);
	code = cli_call(c, &answer, err, c->words[0], "%.*s", (int)params.size,
			(const char *)params.data);
	buf_clear(&params);
	if (code != OK)
		return code;
	/* The answer is JSON in any case. */
	buf_reset(&c->out);
	jout_init(&j, &c->out);
	jout_jval(&j, answer);
	return cli_print_json(c);
}

static const struct option balance_options[] = {
	CLI_OPTION_RPC, CLI_OPTIONS_KEYS, CLI_OPTION_JSON, CLI_OPTION_HELP };
static const struct option block_options[] = {
	CLI_OPTION_RPC, { "full", OPTION_FLAG, CLI_AT(full), NULL, "its transactions, too" },
	CLI_OPTION_JSON, CLI_OPTION_HELP };
static const struct option plain_options[] = { CLI_OPTION_RPC, CLI_OPTION_JSON, CLI_OPTION_HELP };
static const struct option rpc_options[] = { CLI_OPTION_RPC, CLI_OPTION_HELP };

const struct cli_command cli_balance = {
	"balance", "[ADDRESS...]", "what accounts have; without ADDRESS: those of the keystore", NULL,
	balance_options, ARRAY_COUNT(balance_options), 0, CLI_WORD_MAX - 1, run_balance };
const struct cli_command cli_block = {
	"block", "[NUMBER|HASH|latest|earliest]", "a block; without a word: the newest", NULL,
	block_options, ARRAY_COUNT(block_options), 0, 1, run_block };
const struct cli_command cli_tx = {
	"tx", "HASH", "a transaction and its receipt", NULL,
	plain_options, ARRAY_COUNT(plain_options), 1, 1, run_tx };
const struct cli_command cli_status = {
	"status", "", "the node and its chain", NULL,
	plain_options, ARRAY_COUNT(plain_options), 0, 0, run_status };
const struct cli_command cli_rpc = {
	"rpc", "METHOD [PARAM...]", "any JSON-RPC method; prints its result",
	"A PARAM that is JSON is sent as such, any other as a string:\n"
	"  weft rpc eth_getBalance 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 latest\n"
	"  weft rpc eth_getBlockByNumber 0x1 false\n",
	rpc_options, ARRAY_COUNT(rpc_options), 1, CLI_WORD_MAX, run_rpc };
