#include "json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"

static_assert(LIMIT_JSON_DEPTH_MAX <= 64, "a container of every depth has its bit");

static inline uint64_t bit_of(const struct jout *j)
{
	return 1ull << (j->depth - 1);
}

/* Before every value: a comma if one is due; and that a value may stand here. */
static void begin_value(struct jout *j)
{
	if (j->depth == 0) {
		CHECK(!j->has_root);
		j->has_root = true;
	} else if (j->is_object & bit_of(j)) {
		CHECK(j->after_key);
		j->after_key = false;
	} else {
		if (j->has_items & bit_of(j))
			buf_append_byte(j->out, ',');
		j->has_items |= bit_of(j);
	}
}

void jout_init(struct jout *j, struct buf *out)
{
	*j = (struct jout){ .out = out };
}

static void open_container(struct jout *j, bool is_object)
{
	begin_value(j);
	CHECK(j->depth < LIMIT_JSON_DEPTH_MAX);
	j->depth++;
	j->has_items &= ~bit_of(j);
	j->is_object &= ~bit_of(j);
	if (is_object)
		j->is_object |= bit_of(j);
	buf_append_byte(j->out, is_object ? '{' : '[');
}

static void close_container(struct jout *j, bool is_object)
{
	CHECK(j->depth > 0 && !j->after_key);
	CHECK(((j->is_object & bit_of(j)) != 0) == is_object);
	j->depth--;
	buf_append_byte(j->out, is_object ? '}' : ']');
}

void jout_object(struct jout *j)
{
	open_container(j, true);
}

void jout_object_end(struct jout *j)
{
	close_container(j, true);
}

void jout_array(struct jout *j)
{
	open_container(j, false);
}

void jout_array_end(struct jout *j)
{
	close_container(j, false);
}

/* --- text --- */

/* The size of the UTF-8 character at `p` (Unicode 15, table 3-7: no overlong
 * forms, no surrogates, nothing above U+10FFFF); 0 if there is none. */
static size_t utf8_size(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t size;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	size = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (size > left)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

/* What stands in a string as it is: the size of the run from `p`. */
static size_t plain_run(const uint8_t *p, size_t left)
{
	size_t run = 0;

	while (run < left && p[run] != '"' && p[run] != '\\' && p[run] >= 0x20) {
		size_t size = utf8_size(p + run, left - run);

		if (size == 0)
			break;
		run += size;
	}
	return run;
}

/* One byte that may not stand as it is. */
static void put_escape(struct buf *out, uint8_t c)
{
	static const char names[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	};

	if (c >= 0x80)
		buf_append(out, "\xef\xbf\xbd", 3);
	else if (c >= 0x20)
		buf_append(out, (const char[]){ '\\', (char)c }, 2);
	else if (names[c])
		buf_append(out, (const char[]){ '\\', names[c] }, 2);
	else
		buf_printf(out, "\\u%04x", c);
}

static void put_text(struct buf *out, struct bytes text)
{
	size_t at = 0;

	buf_reserve(out, text.size + 2);
	buf_append_byte(out, '"');
	while (at < text.size) {
		size_t run = plain_run(text.data + at, text.size - at);

		buf_append(out, text.data + at, run);
		at += run;
		if (at < text.size)
			put_escape(out, text.data[at++]);
	}
	buf_append_byte(out, '"');
}

static void put_key(struct jout *j, struct bytes key)
{
	CHECK(j->depth > 0 && (j->is_object & bit_of(j)) && !j->after_key);
	if (j->has_items & bit_of(j))
		buf_append_byte(j->out, ',');
	j->has_items |= bit_of(j);
	put_text(j->out, key);
	buf_append_byte(j->out, ':');
	j->after_key = true;
}

void jout_key(struct jout *j, const char *key)
{
	put_key(j, bytes_of_str(key));
}

void jout_string(struct jout *j, struct bytes text)
{
	begin_value(j);
	put_text(j->out, text);
}

void jout_str(struct jout *j, const char *text)
{
	jout_string(j, bytes_of_str(text));
}

/* --- literals and numbers --- */

void jout_bool(struct jout *j, bool v)
{
	begin_value(j);
	buf_append_bytes(j->out, bytes_of_str(v ? "true" : "false"));
}

void jout_null(struct jout *j)
{
	begin_value(j);
	buf_append(j->out, "null", 4);
}

void jout_integer(struct jout *j, int64_t v)
{
	begin_value(j);
	buf_printf(j->out, "%lld", (long long)v);
}

void jout_unsigned(struct jout *j, uint64_t v)
{
	begin_value(j);
	buf_printf(j->out, "%llu", (unsigned long long)v);
}

/* The shortest of the forms that read back as `v`, never one that reads back as
 * an integer, and with a point whatever the locale. */
void jout_real(struct jout *j, double v)
{
	char text[40];
	int precision = 15;

	if (!isfinite(v)) {
		jout_null(j);
		return;
	}
	do
		snprintf(text, sizeof(text), "%.*g", precision, v);
	while (strtod(text, NULL) != v && ++precision <= 17);
	for (char *c = text; *c; c++)
		if (!strchr("+-0123456789e", *c))
			*c = '.';
	if (!strpbrk(text, ".e"))
		strcat(text, ".0");
	begin_value(j);
	buf_append_bytes(j->out, bytes_of_str(text));
}

/* --- hexadecimal strings --- */

/* Of our own, since json stands beside codec and may not use it. */
static void put_hex(struct jout *j, struct bytes data, bool leading_zero)
{
	static const char digits[] = "0123456789abcdef";
	char *at;

	begin_value(j);
	buf_append(j->out, "\"0x", 3);
	if (data.size && !leading_zero && data.data[0] < 0x10) {
		buf_append_byte(j->out, (uint8_t)digits[data.data[0]]);
		data = bytes_of(data.data + 1, data.size - 1);
	}
	at = (char *)buf_extend(j->out, 2 * data.size + 1);
	for (size_t i = 0; i < data.size; i++) {
		*at++ = digits[data.data[i] >> 4];
		*at++ = digits[data.data[i] & 15];
	}
	*at = '"';
}

void jout_data(struct jout *j, struct bytes data)
{
	put_hex(j, data, true);
}

void jout_quantity_be(struct jout *j, struct bytes be)
{
	static const uint8_t zero[1];
	size_t skip = 0;

	while (skip < be.size && be.data[skip] == 0)
		skip++;
	if (skip == be.size)
		be = bytes_of(zero, 1);
	else
		be = bytes_of(be.data + skip, be.size - skip);
	put_hex(j, be, false);
}

void jout_quantity(struct jout *j, uint64_t v)
{
	uint8_t be[8];

	store_be64(be, v);
	jout_quantity_be(j, bytes_of(be, sizeof(be)));
}

/* --- what exists already --- */

void jout_raw(struct jout *j, struct bytes json)
{
	CHECK(json.size > 0);
	begin_value(j);
	buf_append_bytes(j->out, json);
}

/* Recursion is bounded by what jval_parse() lets in: LIMIT_JSON_DEPTH_MAX. */
static void write_value(struct jout *j, const struct jval *v);

static void write_container(struct jout *j, const struct jval *v, bool is_object)
{
	void *cursor = NULL;
	const struct jval *member;
	const char *key;

	open_container(j, is_object);
	while (is_object && jval_next(v, &cursor, &key, &member)) {
		put_key(j, bytes_of_str(key));
		write_value(j, member);
	}
	for (size_t i = 0; !is_object && i < jval_count(v); i++)
		write_value(j, jval_at(v, i));
	close_container(j, is_object);
}

static void write_value(struct jout *j, const struct jval *v)
{
	switch (jval_kind(v)) {
	case JVAL_ABSENT:
	case JVAL_NULL:
		jout_null(j);
		return;
	case JVAL_BOOL:
		jout_bool(j, jval_bool(v));
		return;
	case JVAL_INTEGER:
		jout_integer(j, jval_integer(v));
		return;
	case JVAL_REAL:
		jout_real(j, jval_real(v));
		return;
	case JVAL_STRING:
		jout_string(j, jval_string(v));
		return;
	case JVAL_ARRAY:
		write_container(j, v, false);
		return;
	case JVAL_OBJECT:
		write_container(j, v, true);
		return;
	}
	UNREACHABLE();
}

void jout_jval(struct jout *j, const struct jval *v)
{
	struct jout own;

	/* With a depth of its own: what was parsed can be written anywhere. */
	begin_value(j);
	jout_init(&own, j->out);
	write_value(&own, v);
}
