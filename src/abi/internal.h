/*
 * internal - what abi's files share and nobody else needs.
 */
#ifndef WEFT_ABI_INTERNAL_H
#define WEFT_ABI_INTERNAL_H

#include "abi/abi.h"

/* A NUL-terminated copy in the pool. */
char *abi_pool_text(struct abi_pool *p, struct bytes text);

static inline bool abi_is_word(enum abi_kind kind)
{
	return kind <= ABI_FUNCTION;
}

static inline bool abi_is_list(enum abi_kind kind)
{
	return kind >= ABI_ARRAY;
}

/* Of T[] all parts have one type, of a tuple each its own. */
static inline const struct abi_type *abi_part(const struct abi_type *list, size_t index)
{
	return list->kind == ABI_TUPLE ? &list->parts[index] : list->parts;
}

/* Makes a tuple of members that are complete. ABI_E_SIGNATURE: too deep or too large. */
int abi_make_tuple(struct abi_type *out, struct abi_type *members, size_t count, struct err *err);

/* Reads the array suffixes at `*at` ("[2][]"), around what *type is. */
int abi_take_suffixes(struct abi_type *type, struct abi_pool *pool, const char **at, struct err *err);

/* An elementary type by its name: no tuple, no array. */
int abi_take_elementary(struct abi_type *out, struct bytes name, struct err *err);

/* The bytes that a word's value has, and where they begin in it. */
size_t abi_word_size(const struct abi_type *type);

/* NULL, or what is wrong with the word of such a type. */
const char *abi_check_word(const struct abi_type *type, const uint8_t word[32]);

/* Takes one character of UTF-8 off `rest`; false (and nothing taken) if it is none. */
bool abi_next_character(uint32_t *out, struct bytes *rest);
void abi_put_character(struct buf *out, uint32_t c);

#endif
