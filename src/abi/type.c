#include "abi/internal.h"

#include <ctype.h>

#include "base/check.h"

#define WORD 32

/* --- by name --- */

/* The digits behind a type's name, without leading zeros; 0 if they are none or too many. */
static size_t take_size(struct bytes digits)
{
	size_t n = 0;

	if (digits.size == 0 || digits.size > 3 || digits.data[0] == '0')
		return 0;
	for (size_t i = 0; i < digits.size; i++) {
		if (!isdigit(digits.data[i]))
			return 0;
		n = 10 * n + digits.data[i] - '0';
	}
	return n;
}

static bool begins_with(struct bytes text, const char *start, struct bytes *rest)
{
	size_t n = strlen(start);

	if (text.size < n || memcmp(text.data, start, n) != 0)
		return false;
	*rest = bytes_of(text.data + n, text.size - n);
	return true;
}

static int unknown_type(struct bytes name, struct err *err)
{
	struct bytes rest;

	if (begins_with(name, "fixed", &rest) || begins_with(name, "ufixed", &rest))
		return ERR_SET(err, ABI_E_SIGNATURE, "%.*s: fixed-point numbers are in no contract that a compiler "
			       "makes", (int)MIN(name.size, 40), (const char *)name.data);
	return ERR_SET(err, ABI_E_SIGNATURE, "there is no type \"%.*s\": uint256, int256, address, bool, bytes32, "
		       "bytes, string, lists and tuples of them (an enum is uint8, a contract address, a struct its "
		       "members in parentheses)", (int)MIN(name.size, 40), name.size ? (const char *)name.data : "");
}

static bool is_number(struct abi_type *out, enum abi_kind kind, struct bytes digits)
{
	out->kind = kind;
	out->size = digits.size == 0 ? 256 : take_size(digits);
	return out->size > 0 && out->size <= 256 && out->size % 8 == 0;
}

int abi_take_elementary(struct abi_type *out, struct bytes name, struct err *err)
{
	static const struct { const char *name; enum abi_kind kind; size_t size; } plain[] = {
		{ "address", ABI_ADDRESS, 20 }, { "bool", ABI_BOOL, 1 }, { "string", ABI_STRING, 0 },
		{ "bytes", ABI_BYTES, 0 }, { "function", ABI_FUNCTION, 24 },
	};
	struct bytes rest;

	*out = (struct abi_type){ .name = "", .head_size = WORD };
	for (size_t i = 0; i < ARRAY_COUNT(plain); i++) {
		if (!bytes_equal(name, bytes_of_str(plain[i].name)))
			continue;
		out->kind = plain[i].kind;
		out->size = plain[i].size;
		out->is_dynamic = !abi_is_word(out->kind);
		return OK;
	}
	if (begins_with(name, "uint", &rest) && is_number(out, ABI_UINT, rest))
		return OK;
	if (begins_with(name, "int", &rest) && is_number(out, ABI_INT, rest))
		return OK;
	if (begins_with(name, "bytes", &rest)) {
		out->kind = ABI_FIXED_BYTES;
		out->size = take_size(rest);
		if (out->size > 0 && out->size <= 32)
			return OK;
	}
	return unknown_type(name, err);
}

/* --- made of others --- */

static int check_depth(unsigned depth, struct err *err)
{
	if (depth > ABI_DEPTH_MAX)
		return ERR_SET(err, ABI_E_SIGNATURE, "lists and tuples stand more than %d deep in each other",
			       ABI_DEPTH_MAX);
	return OK;
}

int abi_make_tuple(struct abi_type *out, struct abi_type *members, size_t count, struct err *err)
{
	size_t size = 0;
	unsigned depth = 0;

	*out = (struct abi_type){ .kind = ABI_TUPLE, .name = "", .parts = members, .count = count };
	for (size_t i = 0; i < count; i++) {
		out->is_dynamic |= members[i].is_dynamic;
		depth = MAX(depth, members[i].depth);
		size += members[i].head_size;
		if (size > ABI_HEAD_SIZE_MAX)
			return ERR_SET(err, ABI_E_SIGNATURE, "a tuple takes more than %d bytes", ABI_HEAD_SIZE_MAX);
	}
	out->depth = depth + 1;
	out->head_size = out->is_dynamic ? WORD : size;
	return check_depth(out->depth, err);
}

/* An array of what *type is; count 0: of any length. */
static int make_array(struct abi_type *type, struct abi_pool *pool, size_t count, struct err *err)
{
	struct abi_type *part = abi_pool_take(pool, 1, sizeof(*part));

	*part = *type;
	if (count > ABI_HEAD_SIZE_MAX / part->head_size)
		return ERR_SET(err, ABI_E_SIGNATURE, "a list of %zu elements takes more than %d bytes", count,
			       ABI_HEAD_SIZE_MAX);
	*type = (struct abi_type){
		.kind = count ? ABI_FIXED_ARRAY : ABI_ARRAY, .name = "", .count = count, .parts = part,
		.is_dynamic = !count || part->is_dynamic, .depth = part->depth + 1,
	};
	type->head_size = type->is_dynamic ? WORD : count * part->head_size;
	return check_depth(type->depth, err);
}

int abi_take_suffixes(struct abi_type *type, struct abi_pool *pool, const char **at, struct err *err)
{
	while (**at == '[') {
		const char *digits = *at + 1;
		size_t length = strspn(digits, "0123456789"), count = 0;
		int code;

		if (digits[length] != ']')
			return ERR_SET(err, ABI_E_SIGNATURE, "\"%.20s\" is no list: T[] or T[5]", *at);
		for (size_t i = 0; i < length && count <= ABI_HEAD_SIZE_MAX; i++)
			count = 10 * count + (size_t)(digits[i] - '0');
		if (length > 0 && (count == 0 || digits[0] == '0'))
			return ERR_SET(err, ABI_E_SIGNATURE, "a list has at least one element, not %.*s",
				       (int)MIN(length, 20), digits);
		code = make_array(type, pool, count, err);
		if (code != OK)
			return code;
		*at = digits + length + 1;
	}
	return OK;
}

int abi_parse_type(struct abi_type *out, struct abi_pool *pool, const char *text,
		   struct abi_type *members, size_t member_count, struct err *err)
{
	size_t length = strcspn(text, "[");
	const char *at = text + length;
	int code;

	if (bytes_equal(bytes_of(text, length), bytes_of_str("tuple")) && member_count == 0)
		code = ERR_SET(err, ABI_E_SIGNATURE, "a tuple has at least one member");
	else if (bytes_equal(bytes_of(text, length), bytes_of_str("tuple")))
		code = abi_make_tuple(out, members, member_count, err);
	else
		code = abi_take_elementary(out, bytes_of(text, length), err);
	if (code == OK)
		code = abi_take_suffixes(out, pool, &at, err);
	if (code == OK && *at)
		code = ERR_SET(err, ABI_E_SIGNATURE, "\"%.40s\" stands behind a type", at);
	return code;
}

/* --- shown --- */

/* As deep as types are: ABI_DEPTH_MAX. */
void abi_put_type(struct buf *out, const struct abi_type *type)
{
	switch (type->kind) {
	case ABI_UINT:
		buf_printf(out, "uint%zu", type->size);
		return;
	case ABI_INT:
		buf_printf(out, "int%zu", type->size);
		return;
	case ABI_ADDRESS:
		buf_printf(out, "address");
		return;
	case ABI_BOOL:
		buf_printf(out, "bool");
		return;
	case ABI_FIXED_BYTES:
		buf_printf(out, "bytes%zu", type->size);
		return;
	case ABI_FUNCTION:
		buf_printf(out, "function");
		return;
	case ABI_BYTES:
		buf_printf(out, "bytes");
		return;
	case ABI_STRING:
		buf_printf(out, "string");
		return;
	case ABI_ARRAY:
		abi_put_type(out, type->parts);
		buf_printf(out, "[]");
		return;
	case ABI_FIXED_ARRAY:
		abi_put_type(out, type->parts);
		buf_printf(out, "[%zu]", type->count);
		return;
	case ABI_TUPLE:
		buf_append_byte(out, '(');
		for (size_t i = 0; i < type->count; i++) {
			if (i)
				buf_append_byte(out, ',');
			abi_put_type(out, &type->parts[i]);
		}
		buf_append_byte(out, ')');
		return;
	}
	UNREACHABLE();
}

/* --- words --- */

size_t abi_word_size(const struct abi_type *type)
{
	switch (type->kind) {
	case ABI_UINT:
	case ABI_INT:
		return type->size / 8;
	case ABI_ADDRESS:
	case ABI_BOOL:
	case ABI_FIXED_BYTES:
	case ABI_FUNCTION:
		return type->size;
	case ABI_BYTES:
	case ABI_STRING:
	case ABI_ARRAY:
	case ABI_FIXED_ARRAY:
	case ABI_TUPLE:
		break;
	}
	UNREACHABLE();
}

static bool all_are(const uint8_t *bytes, size_t size, uint8_t wanted)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != wanted)
			return false;
	return true;
}

const char *abi_check_word(const struct abi_type *type, const uint8_t word[32])
{
	size_t size = abi_word_size(type), rest = WORD - size;

	switch (type->kind) {
	case ABI_UINT:
		return all_are(word, rest, 0) ? NULL : "the number is too large for its type";
	case ABI_INT:
		return all_are(word, rest, size < WORD && word[rest] & 0x80 ? 0xff : 0)
			       ? NULL : "the number is too large for its type";
	case ABI_ADDRESS:
		return all_are(word, rest, 0) ? NULL : "12 zero bytes must stand before an address";
	case ABI_BOOL:
		return all_are(word, rest, 0) && word[rest] <= 1 ? NULL : "a bool is 0 or 1";
	case ABI_FIXED_BYTES:
	case ABI_FUNCTION:
		return all_are(word + size, rest, 0) ? NULL : "zero bytes must stand behind its last byte";
	case ABI_BYTES:
	case ABI_STRING:
	case ABI_ARRAY:
	case ABI_FIXED_ARRAY:
	case ABI_TUPLE:
		break;
	}
	UNREACHABLE();
}
