#include "abi/internal.h"

#include "base/check.h"

#define WORD 32
/* A list may be pointed to twice; one that is pointed to by each element of another, and so
 * on, grows without end. What was read, heads and contents, may be so many times the data. */
#define INFLATION_MAX 4

struct reader {
	struct bytes data;
	size_t budget;
	struct abi_pool *pool;
	struct err *err;
};

static int charge(struct reader *r, size_t size)
{
	if (size > r->budget)
		return ERR_SET(r->err, ABI_E_DATA, "lists point into each other, so that they become %d times the data",
			       INFLATION_MAX);
	r->budget -= size;
	return OK;
}

/* An offset or length of at most `max`. */
static int take_size(struct reader *r, size_t *out, size_t at, size_t max, const char *what)
{
	const uint8_t *word;
	uint64_t n;

	if (at > r->data.size || r->data.size - at < WORD)
		return ERR_SET(r->err, ABI_E_DATA, "the data ends before its %s", what);
	word = r->data.data + at;
	n = load_be64(word + WORD - 8);
	for (size_t i = 0; i < WORD - 8; i++)
		if (word[i])
			n = UINT64_MAX;
	if (n > max)
		return ERR_SET(r->err, ABI_E_DATA, "its %s is beyond the end of the data, of %zu bytes", what,
			       r->data.size);
	*out = (size_t)n;
	return OK;
}

static int take_value(struct reader *r, struct abi_value *out, const struct abi_type *type, size_t base, size_t at);

/* The elements of a list whose heads begin at `base`. */
static int take_members(struct reader *r, struct abi_value *out, const struct abi_type *type, size_t count,
			size_t base)
{
	size_t at = base;
	int code;

	out->list.count = count;
	out->list.items = abi_pool_take(r->pool, count ? count : 1, sizeof(*out->list.items));
	for (size_t i = 0; i < count; i++) {
		const struct abi_type *part = abi_part(type, i);

		code = take_value(r, &out->list.items[i], part, base, at);
		if (code != OK)
			return type->kind == ABI_TUPLE ? err_prefix(r->err, code, "member %zu", i + 1)
						       : err_prefix(r->err, code, "element %zu", i + 1);
		at += part->head_size;
	}
	return OK;
}

/* Bytes that the heads of all elements take, which the data must have. */
static int check_heads(struct reader *r, const struct abi_type *type, size_t count, size_t base)
{
	size_t room = r->data.size - base, needed = 0;

	if (type->kind == ABI_TUPLE) {
		for (size_t i = 0; i < count; i++)
			needed += type->parts[i].head_size;
	} else if (count > room / type->parts->head_size) {
		needed = SIZE_MAX;
	} else {
		needed = count * type->parts->head_size;
	}
	if (needed > room)
		return ERR_SET(r->err, ABI_E_DATA, "the data, of %zu bytes, ends before the last of %zu value%s",
			       r->data.size, count, count == 1 ? "" : "s");
	return charge(r, needed);
}

static int take_bytes(struct reader *r, struct abi_value *out, size_t base)
{
	size_t size;
	int code = take_size(r, &size, base, r->data.size, "length");

	base += WORD;
	if (code == OK && size > r->data.size - base)
		code = ERR_SET(r->err, ABI_E_DATA, "the data ends before the last of its %zu bytes", size);
	if (code == OK)
		code = charge(r, size);
	if (code == OK)
		out->bytes = bytes_of(r->data.data + base, size);
	return code;
}

/* A dynamic value, which begins at `base`. */
static int take_dynamic(struct reader *r, struct abi_value *out, const struct abi_type *type, size_t base)
{
	size_t count = type->count;
	int code = OK;

	if (!abi_is_list(type->kind))
		return take_bytes(r, out, base);
	if (type->kind == ABI_ARRAY) {
		code = take_size(r, &count, base, r->data.size, "length");
		base += WORD;
	}
	if (code == OK)
		code = check_heads(r, type, count, base);
	return code == OK ? take_members(r, out, type, count, base) : code;
}

/* As deep as types are. A static value's head lies within the data: check_heads(). */
static int take_value(struct reader *r, struct abi_value *out, const struct abi_type *type, size_t base, size_t at)
{
	const char *wrong;
	size_t offset;
	int code;

	if (abi_is_word(type->kind)) {
		memcpy(out->word, r->data.data + at, WORD);
		wrong = abi_check_word(type, out->word);
		return wrong ? ERR_SET(r->err, ABI_E_DATA, "%s", wrong) : OK;
	}
	if (!type->is_dynamic)
		return take_members(r, out, type, type->count, at);
	code = take_size(r, &offset, at, r->data.size - base, "offset");
	return code == OK ? take_dynamic(r, out, type, base + offset) : code;
}

int abi_decode(struct abi_value *out, struct abi_pool *pool, const struct abi_type *tuple, struct bytes data,
	       struct err *err)
{
	struct reader r = { .data = data, .pool = pool, .err = err };
	struct err own;
	int code;

	CHECK(tuple->kind == ABI_TUPLE);
	if (!err)
		r.err = &own;
	*out = (struct abi_value){ 0 };
	if (data.size > ABI_DATA_SIZE_MAX)
		return ERR_SET(err, ABI_E_DATA, "more than %d bytes are not decoded", ABI_DATA_SIZE_MAX);
	r.budget = INFLATION_MAX * data.size;
	code = check_heads(&r, tuple, tuple->count, 0);
	return code == OK ? take_members(&r, out, tuple, tuple->count, 0) : code;
}
