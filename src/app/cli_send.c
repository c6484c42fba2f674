/*
 * weft send - a transfer or a call: asks the node for what is not given, signs here,
 * sends.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/password.h"
#include "base/check.h"
#include "chain/tx.h"
#include "codec/hex.h"
#include "io/clock.h"
#include "keystore/keystore.h"

#define POLL_US 5000

/* --- what is sent --- */

static int parse_fee(struct wei *out, const char *text, const char *option, struct err *err)
{
	int code = cli_parse_amount(&out->n, text, err);

	return code == OK ? OK : err_prefix(err, code, "--%s", option);
}

int cli_check_fees(const struct cli *c, struct err *err)
{
	const struct cli_options *o = &c->options;

	if (o->type == TX_DYNAMIC_FEE && o->gas_price)
		return ERR_SET(err, APP_E_USAGE, "--gas-price goes with --type 0 or 1; type 2 has --max-fee");
	if (o->type != TX_DYNAMIC_FEE && (o->max_fee || o->priority_fee))
		return ERR_SET(err, APP_E_USAGE, "--max-fee and --priority-fee go with --type 2");
	return OK;
}

/* --to, or the first word; *words is what stands behind it. */
static int read_to(struct cli *c, struct cli_transaction *t, size_t *words, struct err *err)
{
	*words = c->options.to ? 0 : 1;
	if (!c->options.to && c->word_count == 0)
		return ERR_SET(err, APP_E_USAGE, "give --from, --to and --value");
	return cli_parse_address(&t->tx.to, c->options.to ? c->options.to : c->words[0], err);
}

/* --data, or a signature and its arguments. */
static int read_data(struct cli *c, struct cli_transaction *t, struct cli_contract *x, size_t at, struct err *err)
{
	const struct cli_options *o = &c->options;
	int code;

	if (o->data && at < c->word_count)
		return ERR_SET(err, APP_E_USAGE, "give a signature or --data, not both");
	if (o->data && !hex_parse_data(&t->data, bytes_of_str(o->data), LIMIT_TX_SIZE))
		return ERR_SET(err, APP_E_REFUSED, "--data is no data: 0x and an even number of hex digits, "
			       "at most %llu bytes", LIMIT_TX_SIZE);
	if (at >= c->word_count)
		return OK;
	code = cli_contract_find(c, x, ABI_ITEM_FUNCTION, c->words[at], c->word_count - at - 1, err);
	if (code == OK)
		code = cli_contract_encode(x, &t->data, true, c->words + at + 1, c->word_count - at - 1, err);
	if (code == OK && x->item->refuses_value && !u256_is_zero(&t->tx.value.n))
		code = ERR_SET(err, APP_E_USAGE, "%.60s takes no coins: leave --value out", x->item->name);
	return code;
}

static int read_options(struct cli *c, struct cli_transaction *t, struct cli_contract *x, struct err *err)
{
	const struct cli_options *o = &c->options;
	bool is_call = o->data || c->word_count > (o->to ? 0 : 1);
	size_t words = 0;
	int code = o->from && (o->value || is_call)
			   ? OK : ERR_SET(err, APP_E_USAGE, "give --from, --to and --value");

	if (code == OK)
		code = cli_check_fees(c, err);
	if (code == OK)
		code = read_to(c, t, &words, err);
	if (code == OK && o->value)
		code = cli_parse_amount(&t->tx.value.n, o->value, err);
	return code == OK ? read_data(c, t, x, words, err) : code;
}

/* Fees of type 2: twice the newest base fee leaves room for six rising seconds. */
static int ask_dynamic_fee(struct cli *c, struct tx *t, struct err *err)
{
	const struct cli_options *o = &c->options;
	const struct jval *block;
	struct wei base;
	int code = OK;

	if (o->priority_fee)
		code = parse_fee(&t->max_priority_fee, o->priority_fee, "priority-fee", err);
	else
		code = cli_call_number(c, &t->max_priority_fee.n, err, "eth_maxPriorityFeePerGas", "[]");
	if (code != OK)
		return code;
	if (o->max_fee) {
		code = parse_fee(&t->max_fee, o->max_fee, "max-fee", err);
		if (code == OK && !o->priority_fee &&
		    wei_compare(t->max_priority_fee, t->max_fee) > 0)
			t->max_priority_fee = t->max_fee;
		return code;
	}
	code = cli_call(c, &block, err, "eth_getBlockByNumber", "[\"latest\",false]");
	if (code != OK)
		return code;
	if (!hex_parse_u256(&base.n, jval_string(jval_get(block, "baseFeePerGas"))))
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "the node names no base fee: use --type 0");
	if (wei_add(&base, base, base) || wei_add(&t->max_fee, base, t->max_priority_fee))
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "the node's base fee is absurd");
	return OK;
}

static int ask_fee(struct cli *c, struct tx *t, struct err *err)
{
	int code;

	if (t->type == TX_DYNAMIC_FEE)
		return ask_dynamic_fee(c, t, err);
	if (c->options.gas_price)
		code = parse_fee(&t->max_fee, c->options.gas_price, "gas-price", err);
	else
		code = cli_call_number(c, &t->max_fee.n, err, "eth_gasPrice", "[]");
	t->max_priority_fee = t->max_fee;
	return code;
}

static void put_call(struct buf *out, const struct cli_transaction *t)
{
	char value[HEX_U256_SIZE];
	struct jout j;

	hex_format_u256(value, &t->tx.value.n);
	jout_init(&j, out);
	jout_array(&j);
	jout_object(&j);
	jout_key(&j, "from");
	jout_data(&j, addr_bytes(&t->from));
	if (!t->tx.is_create) {
		jout_key(&j, "to");
		jout_data(&j, addr_bytes(&t->tx.to));
	}
	jout_key(&j, "value");
	jout_str(&j, value);
	jout_key(&j, "data");
	jout_data(&j, buf_bytes(&t->data));
	jout_object_end(&j);
	jout_array_end(&j);
}

static int ask_gas(struct cli *c, struct cli_transaction *t, struct err *err)
{
	struct buf params = { 0 };
	int code;

	if (c->options.gas)
		return cli_parse_number(&t->tx.gas_limit, c->options.gas, "gas limit", err);
	put_call(&params, t);
	code = cli_call_u64(c, &t->tx.gas_limit, err, "eth_estimateGas", "%.*s", (int)params.size,
			    (const char *)params.data);
	buf_clear(&params);
	return cli_explain_revert(c, t->abi, false, code, err);
}

/* Chain id, nonce, fees and gas, as far as they are not given. */
static int complete(struct cli *c, struct cli_transaction *t, struct err *err)
{
	char from[HEX_ADDR_SIZE];
	int code = cli_parse_address(&t->from, c->options.from, err);

	t->tx.type = (enum tx_type)c->options.type;
	t->tx.has_chain_id = true;
	t->tx.data = buf_bytes(&t->data);
	if (code == OK)
		code = cli_call_u64(c, &t->tx.chain_id, err, "eth_chainId", "[]");
	if (code == OK && c->options.nonce)
		code = cli_parse_number(&t->tx.nonce, c->options.nonce, "nonce", err);
	else if (code == OK)
		code = cli_call_u64(c, &t->tx.nonce, err, "eth_getTransactionCount",
				    "[\"%s\",\"pending\"]", hex_data(from, addr_bytes(&t->from)));
	if (code == OK)
		code = ask_fee(c, &t->tx, err);
	if (code == OK)
		code = ask_gas(c, t, err);
	if (code == OK && t->tx.is_create) {
		tx_create_address(&t->contract, &t->from, t->tx.nonce);
		t->has_contract = true;
	}
	return code;
}

/* --- signing and sending --- */

static int unlock(struct cli *c, const struct ecc *e, const struct addr *from,
		  struct secret_key *key, struct err *err)
{
	char text[CLI_ADDRESS_SIZE], prompt[80];
	struct buf file = { 0 }, password = { 0 };
	struct public_key public_key;
	struct addr address;
	int code = keystore_find(c->keystore, from, &file, err);

	snprintf(prompt, sizeof(prompt), "Password of %s: ", cli_format_address(text, from));
	if (code == OK)
		code = password_read(&password, c->options.password_file, prompt, false, err);
	if (code == OK)
		code = keystore_decrypt(e, key, buf_bytes(&file), buf_bytes(&password), err);
	if (code == OK)
		code = ecc_public_key(e, &public_key, key, err);
	if (code == OK) {
		ecc_address(&address, &public_key);
		if (!addr_equal(&address, from))
			code = ERR_SET(err, KEYSTORE_E_ADDRESS, "the keystore's file of %s holds another key",
				       text);
	}
	password_clear(&password);
	buf_clear(&file);
	return code;
}

static int sign(struct cli *c, struct cli_transaction *t, struct tx **out, struct err *err)
{
	struct ecc *e = cli_ecc();
	struct secret_key key;
	int code = unlock(c, e, &t->from, &key, err);

	if (code == OK)
		code = tx_sign(out, e, &t->tx, &key, err);
	crypto_wipe(&key, sizeof(key));
	ecc_free(e);
	return code;
}

static int submit(struct cli *c, const struct tx *t, struct err *err)
{
	const struct jval *result;
	struct buf raw = { 0 };
	int code;

	hex_encode((char *)buf_extend(&raw, 2 * t->raw.size + 1), t->raw);
	raw.data[2 * t->raw.size] = '\0';
	code = cli_call(c, &result, err, "eth_sendRawTransaction", "[\"0x%s\"]", (const char *)raw.data);
	buf_clear(&raw);
	return code;
}

/* Polls for the receipt; a block is final once it can be read. */
static int await(struct cli *c, const char *hash, uint64_t start_us, bool *is_failed, struct err *err)
{
	uint64_t deadline_us = start_us + c->options.timeout * 1000000, block, gas, status;
	const struct jval *receipt;
	double final_ms;
	char text[64];
	int code;

	do {
		code = cli_call(c, &receipt, err, "eth_getTransactionReceipt", "[\"%s\"]", hash);
		if (code != OK)
			return code;
		if (jval_kind(receipt) == JVAL_OBJECT)
			break;
		if (io_monotonic_us() > deadline_us)
			return ERR_SET(err, IO_E_TIMEOUT, "sent, but not in a block after %" PRIu64 " s: look "
				       "later with weft tx %s", c->options.timeout, hash);
		usleep(POLL_US);
	} while (true);
	final_ms = (double)(io_monotonic_us() - start_us) / 1e3;
	if (!hex_parse_u64(&block, jval_string(jval_get(receipt, "blockNumber"))) ||
	    !hex_parse_u64(&gas, jval_string(jval_get(receipt, "gasUsed"))) ||
	    !hex_parse_u64(&status, jval_string(jval_get(receipt, "status"))))
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "the receipt lacks its block, gas or status");
	cli_put_number(c, "blockNumber", "block", block);
	cli_put_number(c, "gasUsed", "gas used", gas);
	snprintf(text, sizeof(text), "%.1f ms", final_ms);
	if (c->options.json) {
		jout_key(&c->json, "finalAfterMs");
		jout_real(&c->json, final_ms);
	} else {
		cli_put_text(c, NULL, "final after", text);
	}
	cli_put_text(c, "status", "status", status ? "success" : "failed");
	*is_failed = status == 0;
	return OK;
}

static void put_sent(struct cli *c, const struct cli_transaction *t, const struct tx *sent)
{
	char hash[HEX_HASH_SIZE], text[CLI_ADDRESS_SIZE], amount[CLI_AMOUNT_SIZE];
	char decimal[U256_DECIMAL_MAX + 1];

	cli_put_text(c, "hash", "transaction", hex_data(hash, hash_bytes(&sent->hash)));
	cli_put_text(c, "from", "from", cli_format_address(text, &t->from));
	if (!t->tx.is_create)
		cli_put_text(c, "to", "to", cli_format_address(text, &t->tx.to));
	if (t->has_contract)
		cli_put_text(c, "contract", "contract", cli_format_address(text, &t->contract));
	if (c->options.json) {
		cli_put_text(c, "valueWei", NULL, u256_to_decimal(decimal, &t->tx.value.n));
	} else {
		printf("%-14s %s WEFT\n", "value", cli_format_amount(amount, &t->tx.value.n));
	}
	cli_put_number(c, "nonce", "nonce", t->tx.nonce);
	fflush(stdout);
}

int cli_transact(struct cli *c, struct cli_transaction *t, struct err *err)
{
	char hash[HEX_HASH_SIZE];
	struct tx *sent = NULL;
	uint64_t start_us = 0;
	bool is_failed = false;
	int code = complete(c, t, err);

	if (code == OK)
		code = sign(c, t, &sent, err);
	if (code == OK) {
		start_us = io_monotonic_us();
		code = submit(c, sent, err);
	}
	if (code == OK)
		put_sent(c, t, sent);
	if (code == OK && c->options.wait)
		code = await(c, hex_data(hash, hash_bytes(&sent->hash)), start_us, &is_failed, err);
	if (code == OK && is_failed)
		fprintf(stderr, "the transaction is in the block and failed\n");
	c->is_failed = is_failed;
	tx_unref(sent);
	return code;
}

static int run_send(struct cli *c, struct err *err)
{
	struct cli_transaction t = { 0 };
	struct cli_contract x;
	int code = cli_contract_init(c, &x, err);

	if (code == OK)
		code = read_options(c, &t, &x, err);
	t.abi = c->options.abi ? &x.abi : NULL;
	if (code == OK)
		code = cli_transact(c, &t, err);
	buf_clear(&t.data);
	cli_contract_clear(&x);
	return code;
}

static const struct option send_options[] = {
	{ "from", OPTION_TEXT, CLI_AT(from), "ADDRESS", "who pays; its key is in the keystore" },
	{ "to", OPTION_TEXT, CLI_AT(to), "ADDRESS", "who gets it; or the first word" },
	{ "value", OPTION_TEXT, CLI_AT(value), "AMOUNT", "how much; of a call, none" },
	{ "data", OPTION_TEXT, CLI_AT(data), "0x...", "call data, instead of a signature" },
	CLI_OPTION_ABI, CLI_OPTION_CONTRACT, CLI_OPTIONS_SEND,
	CLI_OPTIONS_KEYS, CLI_OPTION_PASSWORD, CLI_OPTION_RPC, CLI_OPTION_JSON, CLI_OPTION_HELP,
};

const struct cli_command cli_send = {
	"send", "[TO [SIG [ARG...]]]", "transfer coins, or call a contract in a transaction",
	"  weft send 0x... --value 1.5 --from 0x...\n"
	"  weft send 0x... \"transfer(address,uint256)\" 0x... 1e18 --from 0x... --wait\n"
	"  weft send 0x... --abi Token.json transfer 0x... 1e18 --from 0x...\n"
	"AMOUNT is in WEFT (1.5), or says its unit (100gwei, 5wei). What is not given is\n"
	"asked from the node. The transaction is signed here; the key never leaves. An ARG is\n"
	"written as for weft call. A call that would revert is not sent: exit status 1.\n",
	send_options, ARRAY_COUNT(send_options), 0, CLI_WORD_MAX, run_send };
