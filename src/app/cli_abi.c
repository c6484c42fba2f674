/*
 * weft calldata, abi encode, abi decode, sig - the ABI by hand, without a node.
 */
#include <stddef.h>
#include <stdio.h>

#include "app/cli.h"
#include "codec/hex.h"

static void put_data(struct cli *c, const char *key, struct bytes data)
{
	struct buf text = { 0 };

	if (c->options.json) {
		jout_key(&c->json, key);
		jout_data(&c->json, data);
		return;
	}
	hex_data((char *)buf_extend(&text, 2 * data.size + 3), data);
	printf("%s\n", (const char *)text.data);
	buf_clear(&text);
}

/* --- encoding --- */

static int encode(struct cli *c, bool has_selector, struct err *err)
{
	struct buf data = { 0 };
	struct cli_contract x;
	int code = cli_contract_init(c, &x, err);

	if (code == OK && strncmp(c->words[0], "constructor", 11) == 0 && !has_selector)
		code = cli_contract_find(c, &x, ABI_ITEM_CONSTRUCTOR, c->words[0], c->word_count - 1, err);
	else if (code == OK)
		code = cli_contract_find(c, &x, ABI_ITEM_FUNCTION, c->words[0], c->word_count - 1, err);
	if (code == OK && has_selector && !*x.item->name)
		code = ERR_SET(err, ABI_E_SIGNATURE, "call data needs the function's name: see weft abi encode");
	if (code == OK)
		code = cli_contract_encode(&x, &data, has_selector, c->words + 1, c->word_count - 1, err);
	if (code == OK)
		put_data(c, "data", buf_bytes(&data));
	buf_clear(&data);
	cli_contract_clear(&x);
	return code;
}

static int run_encode(struct cli *c, struct err *err)
{
	return encode(c, false, err);
}

static int run_calldata(struct cli *c, struct err *err)
{
	return encode(c, true, err);
}

/* --- decoding --- */

/* Without its selector, if that is there. */
static struct bytes strip_selector(const struct abi_item *item, struct bytes data)
{
	struct hash h;

	abi_hash(&h, item);
	if (data.size % 32 != ABI_SELECTOR_SIZE || memcmp(h.bytes, data.data, ABI_SELECTOR_SIZE) != 0)
		return data;
	return bytes_of(data.data + ABI_SELECTOR_SIZE, data.size - ABI_SELECTOR_SIZE);
}

static int decode(struct cli *c, struct cli_contract *x, struct bytes data, struct err *err)
{
	bool is_output = x->item->has_outputs && !c->options.input;
	const struct abi_type *tuple = is_output ? &x->item->outputs : &x->item->inputs;
	struct abi_value values;
	int code = abi_decode(&values, &x->pool, tuple, is_output ? data : strip_selector(x->item, data), err);

	if (code == OK)
		cli_put_values(c, tuple, &values);
	return code;
}

static int run_decode(struct cli *c, struct err *err)
{
	struct buf data = { 0 };
	struct cli_contract x;
	int code = cli_contract_init(c, &x, err);

	if (code == OK && !hex_parse_data(&data, bytes_of_str(c->words[1]), ABI_DATA_SIZE_MAX))
		code = ERR_SET(err, APP_E_REFUSED, "\"%.60s\" is no data: 0x and an even number of hex digits",
			       c->words[1]);
	/* Of any kind: an error's data is decoded as a call's is. */
	if (code == OK && strchr(c->words[0], '(')) {
		code = abi_parse_signature(&x.written, &x.pool, c->words[0], err);
		x.item = &x.written;
	} else if (code == OK) {
		code = cli_contract_find(c, &x, ABI_ITEM_FUNCTION, c->words[0], SIZE_MAX, err);
	}
	if (code == OK)
		code = decode(c, &x, buf_bytes(&data), err);
	buf_clear(&data);
	cli_contract_clear(&x);
	return code;
}

/* --- hashes --- */

static void show_item(struct cli *c, const struct abi_item *item, bool is_one)
{
	bool is_event = item->kind == ABI_ITEM_EVENT;
	char selector[2 * ABI_SELECTOR_SIZE + 3], topic[HEX_HASH_SIZE];
	struct buf text = { 0 };
	struct hash h;

	abi_hash(&h, item);
	abi_put_signature(&text, item);
	buf_append_byte(&text, '\0');
	cli_put_text(c, "signature", "signature", (const char *)text.data);
	if (!is_event)
		cli_put_text(c, "selector", item->kind == ABI_ITEM_ERROR ? "error" : "selector",
			     hex_data(selector, bytes_of(h.bytes, ABI_SELECTOR_SIZE)));
	/* Of what may be either. */
	if (is_event || is_one)
		cli_put_text(c, "topic", "topic", hex_data(topic, hash_bytes(&h)));
	buf_clear(&text);
}

static int run_sig(struct cli *c, struct err *err)
{
	struct abi_pool pool = { 0 };
	struct abi_item item;
	int code = abi_parse_signature(&item, &pool, c->words[0], err);

	if (code == OK && !*item.name)
		code = ERR_SET(err, ABI_E_SIGNATURE, "a constructor has no selector");
	if (code == OK)
		show_item(c, &item, !item.has_kind);
	abi_pool_clear(&pool);
	return code;
}

static const struct option encode_options[] = {
	CLI_OPTION_ABI, CLI_OPTION_CONTRACT, CLI_OPTION_JSON, CLI_OPTION_HELP };
static const struct option decode_options[] = {
	{ "input", OPTION_FLAG, CLI_AT(input), NULL, "decode the parameters, though SIG says what is returned" },
	CLI_OPTION_ABI, CLI_OPTION_CONTRACT, CLI_OPTION_JSON, CLI_OPTION_HELP };
static const struct option sig_options[] = { CLI_OPTION_JSON, CLI_OPTION_HELP };

const struct cli_command cli_calldata = {
	"calldata", "SIG [ARG...]", "the data of a call: selector and arguments",
	"  weft calldata \"transfer(address,uint256)\" 0x... 1e18\n",
	encode_options, ARRAY_COUNT(encode_options), 1, CLI_WORD_MAX, run_calldata };
const struct cli_command cli_abi_encode = {
	"abi encode", "SIG [ARG...]", "arguments alone, as a constructor's are encoded",
	"  weft abi encode \"constructor(string,uint8)\" Token 18\n"
	"  weft abi encode \"((uint256,bool)[])\" \"[(1,true),(2,false)]\"\n",
	encode_options, ARRAY_COUNT(encode_options), 1, CLI_WORD_MAX, run_encode };
const struct cli_command cli_abi_decode = {
	"abi decode", "SIG DATA", "values of encoded data, one a line",
	"Decodes what SIG returns, if it says so, else its parameters, whose selector may stand\n"
	"before them:\n"
	"  weft abi decode \"balanceOf(address)(uint256)\" 0x...\n"
	"  weft abi decode \"transfer(address to, uint256 value)\" 0xa9059cbb...\n",
	decode_options, ARRAY_COUNT(decode_options), 2, 2, run_decode };
const struct cli_command cli_sig = {
	"sig", "SIG", "a function's or error's selector, an event's topic",
	"  weft sig \"transfer(address to, uint256 value)\"\n"
	"  weft sig \"event Transfer(address indexed from, address indexed to, uint256 value)\"\n",
	sig_options, ARRAY_COUNT(sig_options), 1, 1, run_sig };
