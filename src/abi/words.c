/*
 * Values from the words of a command line. A message says which argument, of which
 * type, and where in it: "argument 2 (orders[3].price, uint96): …".
 */
#include "abi/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "codec/hex.h"

#define WORD 32
#define PATH_MAX_SIZE 160
#define DIGITS_MAX U256_DECIMAL_MAX

struct reader {
	const char *at;
	struct abi_pool *pool;
	struct err *err;
	char path[PATH_MAX_SIZE];       /* of the value, within the argument */
	const struct abi_type *type;    /* that which failed */
};

/* --- numbers --- */

/* "12", "1.5e3": digits and as many zeros as the exponent says. False: not a whole number. */
static bool parse_decimal(struct u256 *out, const char *text)
{
	size_t whole = strspn(text, "0123456789"), fraction = 0, zeros = 0, size = 0;
	const char *at = text + whole;
	char digits[DIGITS_MAX];

	if (whole == 0)
		return false;
	if (*at == '.') {
		fraction = strspn(++at, "0123456789");
		at += fraction;
	}
	if (*at == 'e' || *at == 'E') {
		size_t length = strspn(++at, "0123456789");

		if (length == 0 || length > 3)
			return false;
		for (; length > 0; length--)
			zeros = 10 * zeros + (size_t)(*at++ - '0');
	}
	if (*at || fraction > zeros || (text[whole] == '.' && fraction == 0))
		return false;
	while (whole > 1 && *text == '0') {
		text++;
		whole--;
	}
	if (whole + zeros > DIGITS_MAX)
		return false;
	for (; size < whole; size++)
		digits[size] = text[size];
	for (size_t i = 0; i < zeros; i++)
		digits[size++] = i < fraction ? text[whole + 1 + i] : '0';
	return u256_from_decimal(out, bytes_of(digits, size));
}

/* Hexadecimal numbers may have leading zeros here: people paste words. */
static bool parse_hex(struct u256 *out, const char *text)
{
	uint8_t word[WORD];
	char digits[2 * WORD];
	size_t size = strlen(text);

	if (size <= 2 || size > 2 + sizeof(digits) || strncmp(text, "0x", 2) != 0)
		return false;
	memset(digits, '0', sizeof(digits));
	memcpy(digits + sizeof(digits) - (size - 2), text + 2, size - 2);
	if (!hex_decode(word, sizeof(word), bytes_of(digits, sizeof(digits))))
		return false;
	*out = u256_from_be(bytes_of(word, sizeof(word)));
	return true;
}

static int parse_number(struct reader *r, uint8_t word[WORD], const struct abi_type *type, const char *text)
{
	bool is_negative = *text == '-';
	const char *digits = text + is_negative;
	struct u256 n, zero = u256_of(0);

	if (!parse_hex(&n, digits) && !parse_decimal(&n, digits))
		return ERR_SET(r->err, ABI_E_VALUE, "\"%.90s\" is no whole number of at most 256 bits: say 12, 1e18 or "
			       "0x0c", text);
	if (is_negative && type->kind == ABI_UINT && !u256_is_zero(&n))
		return ERR_SET(r->err, ABI_E_VALUE, "%.90s is below 0", text);
	/* The sign bit of 256 must agree with the sign; the narrower ones follow from it. */
	if (is_negative)
		u256_sub(&n, &zero, &n);
	u256_to_be32(word, &n);
	if (type->kind == ABI_INT && !u256_is_zero(&n) && (word[0] >> 7) != is_negative)
		return ERR_SET(r->err, ABI_E_VALUE, "%.90s does not fit", text);
	if (abi_check_word(type, word))
		return ERR_SET(r->err, ABI_E_VALUE, "%.90s does not fit", text);
	return OK;
}

/* --- elementary values --- */

static int parse_fixed(struct reader *r, uint8_t word[WORD], const struct abi_type *type, const char *text)
{
	if (!hex_parse_fixed(word, type->size, bytes_of_str(text)))
		return ERR_SET(r->err, ABI_E_VALUE, "\"%.90s\" is not 0x and %zu hex digits", text, 2 * type->size);
	return OK;
}

static int parse_bool(struct reader *r, uint8_t word[WORD], const char *text)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
		word[WORD - 1] = 1;
	else if (strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
		return ERR_SET(r->err, ABI_E_VALUE, "\"%.60s\" is neither true nor false", text);
	return OK;
}

static int parse_address(struct reader *r, uint8_t word[WORD], const char *text)
{
	struct addr a;
	int code = abi_parse_address(&a, text, r->err);

	if (code == OK)
		memcpy(word + 12, a.bytes, sizeof(a.bytes));
	return code;
}

static int parse_bytes(struct reader *r, struct abi_value *out, const char *text)
{
	size_t size = strlen(text);
	uint8_t *data;

	if (size < 2 || size % 2 || strncmp(text, "0x", 2) != 0)
		return ERR_SET(r->err, ABI_E_VALUE, "\"%.60s\" is not 0x and an even number of hex digits", text);
	size = size / 2 - 1;
	data = abi_pool_take(r->pool, size + 1, 1);
	if (!hex_decode(data, size, bytes_of_str(text + 2)))
		return ERR_SET(r->err, ABI_E_VALUE, "\"%.60s\" is not 0x and an even number of hex digits", text);
	out->bytes = bytes_of(data, size);
	return OK;
}

/* `text` is all of it. */
static int parse_elementary(struct reader *r, struct abi_value *out, const struct abi_type *type, const char *text)
{
	r->type = type;
	switch (type->kind) {
	case ABI_UINT:
	case ABI_INT:
		return parse_number(r, out->word, type, text);
	case ABI_ADDRESS:
		return parse_address(r, out->word, text);
	case ABI_BOOL:
		return parse_bool(r, out->word, text);
	case ABI_FIXED_BYTES:
	case ABI_FUNCTION:
		return parse_fixed(r, out->word, type, text);
	case ABI_BYTES:
		return parse_bytes(r, out, text);
	case ABI_STRING:
		out->bytes = bytes_of_str(abi_pool_text(r->pool, bytes_of_str(text)));
		return OK;
	case ABI_ARRAY:
	case ABI_FIXED_ARRAY:
	case ABI_TUPLE:
		break;
	}
	UNREACHABLE();
}

/* --- lists --- */

static void skip_blanks(struct reader *r)
{
	while (isspace((unsigned char)*r->at))
		r->at++;
}

/* The digits of \xff, \u00e9 and \u{1f600}. */
static bool take_code(struct reader *r, uint32_t *out, size_t digits_min, size_t digits_max)
{
	size_t n = 0;

	*out = 0;
	for (; n < digits_max && isxdigit((unsigned char)*r->at); n++) {
		int c = tolower((unsigned char)*r->at++);

		*out = *out << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return n >= digits_min;
}

static int take_escape(struct reader *r, struct buf *text)
{
	uint32_t c;
	char kind = *r->at;

	if (kind)
		r->at++;
	switch (kind) {
	case 'n':
		buf_append_byte(text, '\n');
		return OK;
	case 'r':
		buf_append_byte(text, '\r');
		return OK;
	case 't':
		buf_append_byte(text, '\t');
		return OK;
	case 'x':
		if (!take_code(r, &c, 2, 2))
			break;
		buf_append_byte(text, (uint8_t)c);
		return OK;
	case 'u':
		if (*r->at == '{') {
			r->at++;
			if (!take_code(r, &c, 1, 6) || *r->at++ != '}')
				break;
		} else if (!take_code(r, &c, 4, 4)) {
			break;
		}
		if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			break;
		abi_put_character(text, c);
		return OK;
	case '\\':
	case '"':
	case '\'':
	case '/':
		buf_append_byte(text, (uint8_t)kind);
		return OK;
	}
	return ERR_SET(r->err, ABI_E_VALUE, "\\%c is no escape: \\n \\r \\t \\\\ \\\" \\xff \\u{e9}", kind ? kind : ' ');
}

static int take_quoted(struct reader *r, struct buf *text)
{
	int code;

	for (r->at++; *r->at != '"';) {
		if (!*r->at)
			return ERR_SET(r->err, ABI_E_VALUE, "a \" is missing at the end of a string");
		if (*r->at == '\\') {
			r->at++;
			code = take_escape(r, text);
			if (code != OK)
				return code;
		} else {
			buf_append_byte(text, (uint8_t)*r->at++);
		}
	}
	r->at++;
	return OK;
}

/* A value within a list: up to what ends it, or in quotes. */
static int take_elementary(struct reader *r, struct abi_value *out, const struct abi_type *type)
{
	struct buf text = { 0 };
	bool is_quoted = *r->at == '"';
	int code = OK;

	r->type = type;
	if (is_quoted) {
		code = take_quoted(r, &text);
	} else {
		while (*r->at && !strchr(",])", *r->at))
			buf_append_byte(&text, (uint8_t)*r->at++);
		while (text.size > 0 && isspace(text.data[text.size - 1]))
			text.size--;
	}
	if (code == OK && type->kind == ABI_STRING) {
		/* Which may have a NUL in it. */
		out->bytes = bytes_of(abi_pool_text(r->pool, buf_bytes(&text)), text.size);
	} else if (code == OK) {
		buf_append_byte(&text, '\0');
		code = parse_elementary(r, out, type, (const char *)text.data);
	}
	buf_clear(&text);
	return code;
}

static int take_value(struct reader *r, struct abi_value *out, const struct abi_type *type);

/* One more step of the path; gives what to cut it back to. */
static size_t enter(struct reader *r, const struct abi_type *list, size_t index)
{
	size_t length = strlen(r->path);
	const char *name = list->kind == ABI_TUPLE ? list->parts[index].name : "";

	if (*name)
		snprintf(r->path + length, sizeof(r->path) - length, "%s%.40s", length ? "." : "", name);
	else
		snprintf(r->path + length, sizeof(r->path) - length, "[%zu]", index);
	return length;
}

static int wrong_count(struct reader *r, const struct abi_type *type, size_t count)
{
	r->type = type;
	return ERR_SET(r->err, ABI_E_VALUE, "it has %zu element%s, and needs %zu", count, count == 1 ? "" : "s",
		       type->count);
}

/* The elements up to `end`, into an array that doubles. */
static int take_elements(struct reader *r, struct abi_value *out, const struct abi_type *type, char end)
{
	size_t capacity = 4, count = 0;
	struct abi_value *items = abi_pool_take(r->pool, capacity, sizeof(*items)), *old;

	for (skip_blanks(r); *r->at != end; count++) {
		size_t length;
		int code;

		if (count > 0 && *r->at != ',') {
			r->type = type;
			return ERR_SET(r->err, ABI_E_VALUE, *r->at ? "\"%.30s\" stands where a comma or %c should"
				       : "%.1sit ends without %c", r->at, end);
		}
		r->at += count > 0;
		if (type->kind != ABI_ARRAY && count == type->count)
			return wrong_count(r, type, count + 1);
		if (count == capacity) {
			old = items;
			items = abi_pool_take(r->pool, 2 * capacity, sizeof(*items));
			memcpy(items, old, capacity * sizeof(*items));
			capacity *= 2;
		}
		length = enter(r, type, count);
		code = take_value(r, &items[count], abi_part(type, count));
		if (code != OK)
			return code;
		r->path[length] = '\0';
		skip_blanks(r);
	}
	r->at++;
	if (type->kind != ABI_ARRAY && count != type->count)
		return wrong_count(r, type, count);
	out->list.items = items;
	out->list.count = count;
	return OK;
}

/* As deep as types are. */
static int take_value(struct reader *r, struct abi_value *out, const struct abi_type *type)
{
	char start;

	skip_blanks(r);
	if (!abi_is_list(type->kind))
		return take_elementary(r, out, type);
	start = *r->at;
	r->type = type;
	/* JSON has no tuples: [1, "two"] is one as well. */
	if (start != '[' && !(start == '(' && type->kind == ABI_TUPLE))
		return ERR_SET(r->err, ABI_E_VALUE, type->kind == ABI_TUPLE ? "\"%.40s\" is no tuple: (1,\"two\")"
			       : "\"%.40s\" is no list: [1,2]", r->at);
	r->at++;
	return take_elements(r, out, type, start == '[' ? ']' : ')');
}

/* --- words --- */

static int parse_word(struct reader *r, struct abi_value *out, const struct abi_type *type, const char *word)
{
	int code;

	r->type = type;
	if (!abi_is_list(type->kind))
		return parse_elementary(r, out, type, word);
	r->at = word;
	code = take_value(r, out, type);
	if (code != OK)
		return code;
	skip_blanks(r);
	if (!*r->at)
		return OK;
	r->type = type;
	return ERR_SET(r->err, ABI_E_VALUE, "\"%.40s\" stands behind its end", r->at);
}

/* "(orders[3].price, uint96)" before the message. */
static int explain(const struct reader *r, int code, size_t number)
{
	struct buf name = { 0 };

	abi_put_type(&name, r->type);
	err_prefix(r->err, code, "argument %zu (%s%s%.*s)", number, r->path, *r->path ? ", " : "",
		   (int)MIN(name.size, 80), (const char *)name.data);
	buf_clear(&name);
	return code;
}

int abi_parse_value(struct abi_value *out, struct abi_pool *pool, const struct abi_type *type, const char *word,
		    struct err *err)
{
	struct err own = { 0 };
	struct reader r = { .pool = pool, .err = err ? err : &own };

	*out = (struct abi_value){ 0 };
	return parse_word(&r, out, type, word);
}

int abi_parse_arguments(struct abi_value *out, struct abi_pool *pool, const struct abi_type *tuple,
			const char *const words[], size_t count, struct err *err)
{
	struct err own = { 0 };
	struct reader r = { .pool = pool, .err = err ? err : &own };
	struct buf names = { 0 };
	int code = OK;

	CHECK(tuple->kind == ABI_TUPLE);
	*out = (struct abi_value){ 0 };
	if (count != tuple->count) {
		abi_put_type(&names, tuple);
		ERR_SET(err, ABI_E_COUNT, "it takes %zu argument%s, %.*s, not %zu", tuple->count,
			tuple->count == 1 ? "" : "s", (int)MIN(names.size, 200), (const char *)names.data, count);
		buf_clear(&names);
		return ABI_E_COUNT;
	}
	out->list.count = count;
	out->list.items = abi_pool_take(pool, count ? count : 1, sizeof(*out->list.items));
	for (size_t i = 0; code == OK && i < count; i++) {
		snprintf(r.path, sizeof(r.path), "%.40s", tuple->parts[i].name);
		code = parse_word(&r, &out->list.items[i], &tuple->parts[i], words[i]);
		if (code != OK)
			explain(&r, code, i + 1);
	}
	return code;
}
