#include "ask.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "rpc/forms.h"

struct asker asker_open(void)
{
	struct asker a = { .fake = fake_new() };

	a.rpc = fake_rpc(a.fake);
	a.fresh = fake_transfer(a.fake, TX_DYNAMIC_FEE, 7);
	return a;
}

void asker_close(struct asker *a)
{
	jval_free(a->document);
	buf_clear(&a->reply);
	tx_unref(a->fresh);
	rpc_free(a->rpc);
	fake_free(a->fake);
}

static void put_hex(struct buf *out, struct bytes data)
{
	buf_append(out, "0x", 2);
	hex_encode((char *)buf_extend(out, 2 * data.size), data);
}

/* Replaces the word behind a $; returns how long it is. */
static size_t put_word(const struct asker *a, struct buf *out, const char *word)
{
	const struct fake_block *blocks = a->fake->blocks;
	struct addr contract = fake_contract();
	char text[HEX_ADDR_SIZE];

	switch (word[0]) {
	case 'B':
		put_hex(out, hash_bytes(&blocks[word[1] - '0'].block.hash));
		return 2;
	case 'T':
		put_hex(out, hash_bytes(&blocks[word[1] - '0'].block.txs[word[2] - '0']->hash));
		return 3;
	case 'S':
		put_hex(out, addr_bytes(&a->fake->sender));
		return 1;
	case 'C':
		put_hex(out, addr_bytes(&contract));
		return 1;
	case 'E':
		buf_append_bytes(out, bytes_of_str(form_checksummed(text, &a->fake->sender)));
		return 1;
	case 'F':
		buf_append_bytes(out, bytes_of_str(form_checksummed(text, &contract)));
		return 1;
	case 'P':
		put_hex(out, a->fresh->raw);
		return 1;
	case 'Q':
		put_hex(out, hash_bytes(&a->fresh->hash));
		return 1;
	}
	cr_assert_fail("no such word: $%c", word[0]);
	return 0;
}

struct buf expand(const struct asker *a, const char *text)
{
	struct buf out = { 0 };

	while (*text) {
		if (*text == '$')
			text += 1 + put_word(a, &out, text + 1);
		else
			buf_append_byte(&out, (uint8_t)*text++);
	}
	buf_append_byte(&out, 0);
	return out;
}

const char *ask_body(struct asker *a, const char *body)
{
	struct buf expanded = expand(a, body);
	struct err err = { 0 };

	jval_free(a->document);
	a->document = NULL;
	buf_reset(&a->reply);
	fake_ask(a->fake, a->rpc, bytes_of(expanded.data, expanded.size - 1), &a->reply);
	buf_clear(&expanded);
	if (a->reply.size)
		cr_assert_eq(jval_parse(&a->document, buf_bytes(&a->reply), &err), OK, "%s: %.*s",
			     err.message, (int)a->reply.size, (char *)a->reply.data);
	buf_append_byte(&a->reply, 0);
	return (const char *)a->reply.data;
}

const struct jval *ask(struct asker *a, const char *method, const char *params)
{
	struct buf body = { 0 };

	buf_printf(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\"%s%s}", method,
		   params ? ",\"params\":" : "", params ? params : "");
	buf_append_byte(&body, 0);
	ask_body(a, (const char *)body.data);
	buf_clear(&body);
	cr_assert_eq(jval_integer(jval_get(a->document, "id")), 1);
	return jval_get(a->document, "result");
}

int64_t error_code(const struct asker *a)
{
	return jval_integer(value_at(a->document, "error.code"));
}

const char *error_message(const struct asker *a)
{
	struct bytes text = jval_string(value_at(a->document, "error.message"));

	return text.data ? (const char *)text.data : "";
}

const struct jval *value_at(const struct jval *v, const char *path)
{
	while (*path) {
		size_t size = strcspn(path, ".");
		char key[64];

		cr_assert_lt(size, sizeof(key));
		snprintf(key, sizeof(key), "%.*s", (int)size, path);
		v = jval_kind(v) == JVAL_ARRAY ? jval_at(v, strtoul(key, NULL, 10))
					       : jval_get(v, key);
		path += size + (path[size] == '.');
	}
	return v;
}

const char *text_of(struct asker *a, const struct jval *v)
{
	struct jout j;

	buf_reset(&a->reply);
	if (!v)
		return "(absent)";
	jout_init(&j, &a->reply);
	jout_jval(&j, v);
	buf_append_byte(&a->reply, 0);
	return (const char *)a->reply.data;
}
