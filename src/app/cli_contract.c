/*
 * What the commands about contracts share: --abi, signatures, arguments, reverts.
 */
#include <stdio.h>
#include <string.h>

#include "app/cli.h"
#include "app/files.h"
#include "codec/hex.h"

#define DOCUMENT_SIZE_MAX (64 * MIB)
#define ERROR_REVERTED 3 /* the code that geth gave a revert, and all after it */

/* --- what is known of it --- */

int cli_contract_init(struct cli *c, struct cli_contract *x, struct err *err)
{
	struct buf text = { 0 };
	int code = OK;

	*x = (struct cli_contract){ 0 };
	if (c->options.contract && !c->options.abi)
		return ERR_SET(err, APP_E_USAGE, "--contract chooses one of a file's: give --abi FILE");
	if (!c->options.abi)
		return OK;
	code = file_read(c->options.abi, &text, DOCUMENT_SIZE_MAX, err);
	if (code == OK) {
		code = abi_load(&x->abi, buf_bytes(&text), c->options.contract, err);
		if (code == OK && !x->abi.has_items)
			code = ERR_SET(err, ABI_E_DOCUMENT, "it has no ABI");
		if (code != OK)
			code = err_prefix(err, code, "%.200s", c->options.abi);
	}
	buf_clear(&text);
	return code;
}

void cli_contract_clear(struct cli_contract *x)
{
	abi_clear(&x->abi);
	abi_pool_clear(&x->pool);
	*x = (struct cli_contract){ 0 };
}

static const char *kind_word(enum abi_item_kind kind)
{
	return kind == ABI_ITEM_EVENT ? "event" : kind == ABI_ITEM_CONSTRUCTOR ? "constructor" : "function";
}

int cli_contract_find(struct cli *c, struct cli_contract *x, enum abi_item_kind kind, const char *text,
		      size_t argument_count, struct err *err)
{
	struct err own;
	int code;

	if (!strchr(text, '(')) {
		if (c->options.abi)
			return abi_find(&x->item, &x->abi, kind, text, argument_count, err);
		return ERR_SET(err, APP_E_USAGE, "\"%.80s\" is no signature such as \"transfer(address,uint256)\"; for a "
			       "name alone give --abi FILE", text);
	}
	code = abi_parse_signature(&x->written, &x->pool, text, err);
	if (code != OK)
		return code;
	if (x->written.has_kind && x->written.kind != kind)
		return ERR_SET(err, ABI_E_SIGNATURE, "\"%.80s\" is no %s", text, kind_word(kind));
	x->written.kind = kind;
	x->item = &x->written;
	/* The description knows the names, and what is returned. */
	if (c->options.abi && !x->written.has_outputs)
		abi_find(&x->item, &x->abi, kind, text, SIZE_MAX, &own);
	return OK;
}

int cli_contract_encode(struct cli_contract *x, struct buf *out, bool has_selector, const char *const words[],
			size_t count, struct err *err)
{
	struct abi_value values;
	struct hash h;
	int code = abi_parse_arguments(&values, &x->pool, &x->item->inputs, words, count, err);

	if (code != OK)
		return err_prefix(err, code, "%.60s", *x->item->name ? x->item->name : "constructor");
	abi_hash(&h, x->item);
	if (has_selector)
		buf_append(out, h.bytes, ABI_SELECTOR_SIZE);
	abi_encode(out, &x->item->inputs, &values);
	return OK;
}

/* --- output --- */

void cli_put_values(struct cli *c, const struct abi_type *tuple, const struct abi_value *v)
{
	struct buf text = { 0 };

	if (c->options.json) {
		jout_key(&c->json, "values");
		abi_write_members(&c->json, tuple, v);
		return;
	}
	for (size_t i = 0; i < tuple->count; i++) {
		abi_format(&text, &tuple->parts[i], &v->list.items[i]);
		buf_append_byte(&text, '\n');
	}
	fwrite(text.data, 1, text.size, stdout);
	buf_clear(&text);
}

/* --- why it failed --- */

/* Some nodes give the data in an object; some the text without code or data. */
static bool is_revert(const struct cli *c, struct buf *data)
{
	const struct jval *given = jval_get(c->rpc.error, "data");
	struct bytes message = jval_string(jval_get(c->rpc.error, "message"));
	struct bytes start = bytes_of_str("execution reverted");
	bool says_so = message.size >= start.size && memcmp(message.data, start.data, start.size) == 0;

	if (jval_kind(given) == JVAL_OBJECT)
		given = jval_get(given, "data");
	if (c->rpc.error_code != ERROR_REVERTED && !says_so)
		return false;
	hex_parse_data(data, jval_string(given), ABI_DATA_SIZE_MAX);
	return true;
}

int cli_explain_revert(struct cli *c, const struct abi *abi, bool shows, int code, struct err *err)
{
	struct buf data = { 0 }, text = { 0 };
	struct abi_pool pool = { 0 };
	struct abi_revert revert;

	if (code != RPC_CLIENT_E_REFUSED || !is_revert(c, &data)) {
		buf_clear(&data);
		return code;
	}
	abi_decode_revert(&revert, &pool, abi, buf_bytes(&data));
	abi_format_revert(&text, &revert, buf_bytes(&data));
	code = ERR_SET(err, APP_E_REVERTED, "execution reverted: %.*s%s", (int)MIN(text.size, 400),
		       (const char *)text.data, revert.kind == ABI_REVERT_UNKNOWN && data.size >= ABI_SELECTOR_SIZE
		       ? abi ? " (no error of the ABI)" : " (--abi FILE may have its name)" : "");
	if (shows && c->options.json) {
		jout_key(&c->json, "reverted");
		abi_write_revert(&c->json, &revert, buf_bytes(&data));
		fprintf(stderr, "weft: %s\n", err->message);
		c->is_failed = true;
		code = OK;
	}
	abi_pool_clear(&pool);
	buf_clear(&data);
	buf_clear(&text);
	return code;
}

/* --- asking --- */

int cli_block_param(char out[CLI_BLOCK_SIZE], const char *word, struct err *err)
{
	static const char *const tags[] = { "latest", "earliest", "pending", "safe", "finalized" };
	struct hash h;
	uint64_t number;
	int code;

	for (size_t i = 0; i < ARRAY_COUNT(tags); i++) {
		if (strcmp(word, tags[i]) == 0) {
			snprintf(out, CLI_BLOCK_SIZE, "\"%s\"", word);
			return OK;
		}
	}
	if (hex_parse_fixed(h.bytes, sizeof(h.bytes), bytes_of_str(word))) {
		snprintf(out, CLI_BLOCK_SIZE, "{\"blockHash\":\"%s\"}", word);
		return OK;
	}
	code = cli_parse_number(&number, word, "block number, block hash, latest or earliest", err);
	if (code == OK)
		snprintf(out, CLI_BLOCK_SIZE, "\"0x%llx\"", (unsigned long long)number);
	return code;
}

int cli_has_code(struct cli *c, bool *out, const struct addr *a, struct err *err)
{
	char text[HEX_ADDR_SIZE];
	const struct jval *answer;
	int code = cli_call(c, &answer, err, "eth_getCode", "[\"%s\",\"latest\"]", hex_data(text, addr_bytes(a)));

	if (code == OK)
		*out = jval_string(answer).size > 2;
	return code;
}
