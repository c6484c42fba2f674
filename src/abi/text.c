/*
 * Values as text and as JSON. What a contract says is a stranger's: its strings are
 * quoted, and whatever could steer a terminal, turn the direction of writing or be
 * invisible is escaped, in JSON too, where RFC 8259 would let the C1 controls through.
 */
#include "abi/internal.h"

#include "base/check.h"
#include "codec/hex.h"

/* --- characters --- */

bool abi_next_character(uint32_t *out, struct bytes *rest)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = rest->data;
	size_t size;
	uint32_t c;

	if (rest->size == 0)
		return false;
	size = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
	if (size == 0 || size > rest->size)
		return false;
	c = size == 1 ? p[0] : p[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if (p[i] >> 6 != 2)
			return false;
		c = c << 6 | (p[i] & 0x3f);
	}
	/* Overlong forms, halves of UTF-16 pairs, what is beyond Unicode. */
	if (c < least[size] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return false;
	*out = c;
	*rest = bytes_of(p + size, rest->size - size);
	return true;
}

void abi_put_character(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_append_byte(out, (uint8_t)c);
		return;
	}
	if (c < 0x800) {
		buf_append_byte(out, (uint8_t)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buf_append_byte(out, (uint8_t)(0xe0 | c >> 12));
		buf_append_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	} else {
		buf_append_byte(out, (uint8_t)(0xf0 | c >> 18));
		buf_append_byte(out, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
		buf_append_byte(out, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_append_byte(out, (uint8_t)(0x80 | (c & 0x3f)));
}

/* Controls; marks and overrides of direction; separators of lines; what has no width;
 * tags. */
static bool is_hidden(uint32_t c)
{
	static const struct { uint32_t first, last; } hidden[] = {
		{ 0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e },
		{ 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < ARRAY_COUNT(hidden); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return true;
	return false;
}

static void put_escaped(struct buf *out, uint32_t c)
{
	switch (c) {
	case '\n':
		buf_printf(out, "\\n");
		return;
	case '\r':
		buf_printf(out, "\\r");
		return;
	case '\t':
		buf_printf(out, "\\t");
		return;
	}
	buf_printf(out, "\\u{%x}", c);
}

/* Escaped; a backslash before each of `special`. */
static void put_text(struct buf *out, struct bytes text, const char *special)
{
	uint32_t c;

	while (text.size > 0) {
		if (!abi_next_character(&c, &text)) {
			buf_printf(out, "\\x%02x", text.data[0]);
			text = bytes_of(text.data + 1, text.size - 1);
		} else if (is_hidden(c)) {
			put_escaped(out, c);
		} else {
			if (c < 0x80 && strchr(special, (int)c))
				buf_append_byte(out, '\\');
			abi_put_character(out, c);
		}
	}
}

void abi_put_text(struct buf *out, struct bytes text, char quote)
{
	char special[] = { '\\', quote, '\0' };

	if (quote)
		buf_append_byte(out, (uint8_t)quote);
	put_text(out, text, special);
	if (quote)
		buf_append_byte(out, (uint8_t)quote);
}

void abi_put_message(struct buf *out, struct bytes text)
{
	put_text(out, text, "");
}

/* A JSON string; what is not UTF-8 becomes U+FFFD, as everywhere. */
static void write_text(struct jout *j, struct bytes text)
{
	struct buf out = { 0 };
	uint32_t c;

	buf_append_byte(&out, '"');
	while (text.size > 0) {
		if (!abi_next_character(&c, &text)) {
			c = 0xfffd;
			text = bytes_of(text.data + 1, text.size - 1);
		}
		if (is_hidden(c) && c >= 0x10000)
			buf_printf(&out, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
		else if (is_hidden(c))
			buf_printf(&out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			buf_printf(&out, "\\%c", (int)c);
		else
			abi_put_character(&out, c);
	}
	buf_append_byte(&out, '"');
	jout_raw(j, buf_bytes(&out));
	buf_clear(&out);
}

/* --- words --- */

static void put_hex(struct buf *out, struct bytes data)
{
	buf_append(out, "0x", 2);
	hex_encode((char *)buf_extend(out, 2 * data.size), data);
}

static void put_number(struct buf *out, const struct abi_type *type, const uint8_t word[32])
{
	char digits[U256_DECIMAL_MAX + 1];
	struct u256 n = u256_from_be(bytes_of(word, 32)), zero = u256_of(0);

	if (type->kind == ABI_INT && word[0] & 0x80) {
		buf_append_byte(out, '-');
		u256_sub(&n, &zero, &n);
	}
	buf_printf(out, "%s", u256_to_decimal(digits, &n));
}

static void put_word(struct buf *out, const struct abi_type *type, const uint8_t word[32])
{
	char text[ABI_ADDRESS_SIZE];
	struct addr a;

	switch (type->kind) {
	case ABI_UINT:
	case ABI_INT:
		put_number(out, type, word);
		return;
	case ABI_ADDRESS:
		memcpy(a.bytes, word + 12, sizeof(a.bytes));
		buf_printf(out, "%s", abi_format_address(text, &a));
		return;
	case ABI_BOOL:
		buf_printf(out, word[31] ? "true" : "false");
		return;
	case ABI_FIXED_BYTES:
	case ABI_FUNCTION:
		put_hex(out, bytes_of(word, type->size));
		return;
	case ABI_BYTES:
	case ABI_STRING:
	case ABI_ARRAY:
	case ABI_FIXED_ARRAY:
	case ABI_TUPLE:
		break;
	}
	UNREACHABLE();
}

/* --- values --- */

/* As deep as types are. */
void abi_format(struct buf *out, const struct abi_type *type, const struct abi_value *v)
{
	bool is_tuple = type->kind == ABI_TUPLE;

	if (abi_is_word(type->kind)) {
		put_word(out, type, v->word);
	} else if (type->kind == ABI_BYTES) {
		put_hex(out, v->bytes);
	} else if (type->kind == ABI_STRING) {
		abi_put_text(out, v->bytes, '"');
	} else {
		buf_append_byte(out, is_tuple ? '(' : '[');
		for (size_t i = 0; i < v->list.count; i++) {
			if (i)
				buf_append(out, ", ", 2);
			abi_format(out, abi_part(type, i), &v->list.items[i]);
		}
		buf_append_byte(out, is_tuple ? ')' : ']');
	}
}

void abi_write(struct jout *j, const struct abi_type *type, const struct abi_value *v)
{
	struct buf text = { 0 };

	if (type->kind == ABI_STRING) {
		write_text(j, v->bytes);
	} else if (type->kind == ABI_BOOL) {
		jout_bool(j, v->word[31]);
	} else if (!abi_is_list(type->kind)) {
		abi_format(&text, type, v);
		jout_string(j, buf_bytes(&text));
	} else {
		jout_array(j);
		for (size_t i = 0; i < v->list.count; i++)
			abi_write(j, abi_part(type, i), &v->list.items[i]);
		jout_array_end(j);
	}
	buf_clear(&text);
}

void abi_write_members(struct jout *j, const struct abi_type *tuple, const struct abi_value *v)
{
	struct buf name = { 0 };

	jout_array(j);
	for (size_t i = 0; i < tuple->count; i++) {
		const struct abi_type *type = abi_event_type(&tuple->parts[i]);

		jout_object(j);
		jout_key(j, "name");
		write_text(j, bytes_of_str(tuple->parts[i].name));
		jout_key(j, "type");
		buf_reset(&name);
		abi_put_type(&name, &tuple->parts[i]);
		jout_string(j, buf_bytes(&name));
		/* What is shown is the hash, and not the value. */
		jout_key(j, type == &tuple->parts[i] ? "value" : "hash");
		abi_write(j, type, &v->list.items[i]);
		jout_object_end(j);
	}
	jout_array_end(j);
	buf_clear(&name);
}
