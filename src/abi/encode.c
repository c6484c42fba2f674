#include "abi/internal.h"

#include "base/check.h"

#define WORD 32

static void put_size(uint8_t word[WORD], size_t size)
{
	memset(word, 0, WORD - 8);
	store_be64(word + WORD - 8, size);
}

/* Zeros: what is not written is padding. */
static size_t extend(struct buf *out, size_t size)
{
	size_t at = out->size;

	memset(buf_extend(out, size), 0, size);
	return at;
}

static void encode_members(struct buf *out, const struct abi_type *type, const struct abi_value *v);

/* A static value in its place, which is reserved. As deep as types are. */
static void put_static(uint8_t *at, const struct abi_type *type, const struct abi_value *v)
{
	if (abi_is_word(type->kind)) {
		memcpy(at, v->word, WORD);
		return;
	}
	CHECK(abi_is_list(type->kind) && v->list.count == type->count);
	for (size_t i = 0; i < type->count; i++) {
		const struct abi_type *part = abi_part(type, i);

		put_static(at, part, &v->list.items[i]);
		at += part->head_size;
	}
}

/* A dynamic value, at the end. */
static void append_dynamic(struct buf *out, const struct abi_type *type, const struct abi_value *v)
{
	size_t at;

	if (type->kind == ABI_BYTES || type->kind == ABI_STRING) {
		at = extend(out, WORD + (v->bytes.size + WORD - 1) / WORD * WORD);
		put_size(out->data + at, v->bytes.size);
		if (v->bytes.size)
			memcpy(out->data + at + WORD, v->bytes.data, v->bytes.size);
		return;
	}
	CHECK(abi_is_list(type->kind));
	if (type->kind == ABI_ARRAY) {
		at = extend(out, WORD);
		put_size(out->data + at, v->list.count);
	}
	encode_members(out, type, v);
}

/* Heads, then tails; offsets count from the first head. */
static void encode_members(struct buf *out, const struct abi_type *type, const struct abi_value *v)
{
	size_t size = 0, base, at;

	CHECK(type->kind == ABI_ARRAY || v->list.count == type->count);
	for (size_t i = 0; i < v->list.count; i++)
		size += abi_part(type, i)->head_size;
	at = base = extend(out, size);
	for (size_t i = 0; i < v->list.count; i++) {
		const struct abi_type *part = abi_part(type, i);

		if (part->is_dynamic) {
			put_size(out->data + at, out->size - base);
			append_dynamic(out, part, &v->list.items[i]);
		} else {
			put_static(out->data + at, part, &v->list.items[i]);
		}
		at += part->head_size;
	}
}

void abi_encode(struct buf *out, const struct abi_type *tuple, const struct abi_value *v)
{
	CHECK(tuple->kind == ABI_TUPLE);
	buf_reserve(out, 0);
	encode_members(out, tuple, v);
}
