/* unhex - published vectors, written as hexadecimal text. */
#ifndef TEST_CRYPTO_UNHEX_H
#define TEST_CRYPTO_UNHEX_H

#include <criterion/criterion.h>

#include "base/bytes.h"

static inline unsigned unhex_digit(char c)
{
	cr_assert((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'), "'%c' in a vector", c);
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

/* Fills `out` from exactly 2·size digits. */
static inline void unhex(void *out, size_t size, const char *text)
{
	uint8_t *bytes = out;
	size_t i;

	cr_assert_eq(strlen(text), 2 * size, "a vector of %zu digits for %zu bytes", strlen(text),
		     size);
	for (i = 0; i < size; i++)
		bytes[i] = (uint8_t)(unhex_digit(text[2 * i]) << 4 | unhex_digit(text[2 * i + 1]));
}

/* True if `data` is what `text` says. */
static inline bool is_hex(const void *data, size_t size, const char *text)
{
	uint8_t want[256];

	cr_assert_leq(size, sizeof(want));
	unhex(want, size, text);
	return memcmp(want, data, size) == 0;
}

#endif
