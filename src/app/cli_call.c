/*
 * weft call - asks a contract, changes nothing.
 */
#include <stddef.h>
#include <stdio.h>

#include "app/cli.h"
#include "codec/hex.h"

/* The call object, and the block. */
struct request {
	struct addr to;
	struct buf data;
	struct buf params;
	char block[CLI_BLOCK_SIZE];
};

static int put_from(struct cli *c, struct jout *j, struct err *err)
{
	struct addr from;
	int code;

	if (!c->options.from)
		return OK;
	code = cli_parse_address(&from, c->options.from, err);
	if (code != OK)
		return err_prefix(err, code, "--from");
	jout_key(j, "from");
	jout_data(j, addr_bytes(&from));
	return OK;
}

static int put_value(struct cli *c, struct jout *j, struct err *err)
{
	char text[HEX_U256_SIZE];
	struct u256 value;
	int code;

	if (!c->options.value)
		return OK;
	code = cli_parse_amount(&value, c->options.value, err);
	if (code != OK)
		return err_prefix(err, code, "--value");
	hex_format_u256(text, &value);
	jout_key(j, "value");
	jout_str(j, text);
	return OK;
}

static int put_gas(struct cli *c, struct jout *j, struct err *err)
{
	uint64_t gas;
	int code;

	if (!c->options.gas)
		return OK;
	code = cli_parse_number(&gas, c->options.gas, "gas limit", err);
	if (code != OK)
		return code;
	jout_key(j, "gas");
	jout_quantity(j, gas);
	return OK;
}

static int build(struct cli *c, struct request *r, struct err *err)
{
	struct jout j;
	int code = cli_block_param(r->block, c->options.block ? c->options.block : "latest", err);

	if (code != OK)
		return err_prefix(err, code, "--block");
	jout_init(&j, &r->params);
	jout_array(&j);
	jout_object(&j);
	jout_key(&j, "to");
	jout_data(&j, addr_bytes(&r->to));
	code = put_from(c, &j, err);
	if (code == OK)
		code = put_value(c, &j, err);
	if (code == OK)
		code = put_gas(c, &j, err);
	if (code != OK)
		return code;
	jout_key(&j, "data");
	jout_data(&j, buf_bytes(&r->data));
	jout_object_end(&j);
	jout_raw(&j, bytes_of_str(r->block));
	jout_array_end(&j);
	return OK;
}

/* What is asked: data as it is, or a function and its arguments. */
static int read_data(struct cli *c, struct cli_contract *x, struct request *r, struct err *err)
{
	int code;

	if (c->options.data) {
		if (c->word_count > 1)
			return ERR_SET(err, APP_E_USAGE, "give a signature or --data, not both");
		if (!hex_parse_data(&r->data, bytes_of_str(c->options.data), LIMIT_TX_SIZE))
			return ERR_SET(err, APP_E_REFUSED, "--data is no data: 0x and an even number of hex digits");
		return OK;
	}
	if (c->word_count < 2)
		return ERR_SET(err, APP_E_USAGE, "SIG is missing, such as \"balanceOf(address)(uint256)\"; or give --data");
	code = cli_contract_find(c, x, ABI_ITEM_FUNCTION, c->words[1], c->word_count - 2, err);
	return code == OK ? cli_contract_encode(x, &r->data, true, c->words + 2, c->word_count - 2, err) : code;
}

/* --- the answer --- */

static void show_raw(struct cli *c, struct bytes text)
{
	if (c->options.json) {
		jout_key(&c->json, "data");
		jout_string(&c->json, text);
	} else {
		printf("%.*s\n", (int)text.size, (const char *)text.data);
	}
}

/* Nothing, where something should be: mostly there is no contract. */
static int explain_nothing(struct cli *c, const struct request *r, int code, struct err *err)
{
	char to[CLI_ADDRESS_SIZE], asked[HEX_ADDR_SIZE];
	const struct jval *answer;
	struct err own;

	if (cli_call(c, &answer, &own, "eth_getCode", "[\"%s\",%s]", hex_data(asked, addr_bytes(&r->to)),
		     r->block) == OK && jval_string(answer).size <= 2)
		return ERR_SET(err, APP_E_FILE, "there is no contract at %s", cli_format_address(to, &r->to));
	return code;
}

static int show_answer(struct cli *c, struct cli_contract *x, const struct request *r, struct bytes text,
		       struct err *err)
{
	struct buf data = { 0 };
	struct abi_value values;
	int code = OK;

	if (!hex_parse_data(&data, text, ABI_DATA_SIZE_MAX)) {
		code = ERR_SET(err, RPC_CLIENT_E_REPLY, "eth_call gives no data");
	} else if (c->options.raw || !x->item || !x->item->has_outputs) {
		show_raw(c, text);
	} else {
		code = abi_decode(&values, &x->pool, &x->item->outputs, buf_bytes(&data), err);
		if (code == OK)
			cli_put_values(c, &x->item->outputs, &values);
		else if (data.size == 0)
			code = explain_nothing(c, r, err_prefix(err, code, "the contract answers nothing"), err);
		else
			code = err_prefix(err, code, "the answer, of %zu bytes, is no %.60s's (--raw shows it)", data.size,
					  x->item->name);
	}
	buf_clear(&data);
	return code;
}

static int run_call(struct cli *c, struct err *err)
{
	const struct jval *answer;
	struct request r = { 0 };
	struct cli_contract x;
	int code = cli_contract_init(c, &x, err);

	if (code == OK)
		code = cli_parse_address(&r.to, c->words[0], err);
	if (code == OK)
		code = read_data(c, &x, &r, err);
	if (code == OK)
		code = build(c, &r, err);
	if (code == OK) {
		code = cli_call(c, &answer, err, "eth_call", "%.*s", (int)r.params.size, (const char *)r.params.data);
		if (code == OK)
			code = show_answer(c, &x, &r, jval_string(answer), err);
		else
			code = cli_explain_revert(c, c->options.abi ? &x.abi : NULL, true, code, err);
	}
	buf_clear(&r.data);
	buf_clear(&r.params);
	cli_contract_clear(&x);
	return code;
}

static const struct option call_options[] = {
	{ "block", OPTION_TEXT, CLI_AT(block), "BLOCK", "number, hash, latest, earliest; default latest" },
	{ "from", OPTION_TEXT, CLI_AT(from), "ADDRESS", "as if called from there; needs no key" },
	{ "value", OPTION_TEXT, CLI_AT(value), "AMOUNT", "as if that much were sent" },
	{ "gas", OPTION_TEXT, CLI_AT(gas), "N", "gas limit" },
	{ "data", OPTION_TEXT, CLI_AT(data), "0x...", "call data, instead of a signature" },
	{ "raw", OPTION_FLAG, CLI_AT(raw), NULL, "the answer in hexadecimal" },
	CLI_OPTION_ABI, CLI_OPTION_CONTRACT, CLI_OPTION_RPC, CLI_OPTION_JSON, CLI_OPTION_HELP,
};

const struct cli_command cli_contract_call = {
	"call", "TO SIG [ARG...]", "ask a contract; nothing is sent",
	"  weft call 0x... \"balanceOf(address)(uint256)\" 0x...\n"
	"  weft call 0x... --abi Token.json balanceOf 0x...\n"
	"SIG has the types that are returned behind the parameters; without them the answer is\n"
	"printed in hexadecimal. With --abi FILE a name suffices. One value a line: numbers are\n"
	"decimal, strings quoted and escaped. An ARG is 12, 1e18, 0x..., true, text, a list [1,2] or\n"
	"a tuple (1,\"two\"); one that begins with -- stands behind a lone --. A contract that\n"
	"reverts is exit status 1; its reason is printed, and with --json \"reverted\" has it.\n",
	call_options, ARRAY_COUNT(call_options), 1, CLI_WORD_MAX, run_call };
