#include "rpc/revert.h"

#include <stdio.h>

#include "base/check.h"
#include "base/u256.h"

#define SELECTOR_SIZE 4
#define WORD_SIZE 32

/* Solidity's documentation, "Panic via assert and Error via require"; geth's words. */
static const struct {
	uint64_t number;
	const char *text;
} panics[] = {
	{ 0x00, "generic panic" },
	{ 0x01, "assert(false)" },
	{ 0x11, "arithmetic underflow or overflow" },
	{ 0x12, "division or modulo by zero" },
	{ 0x21, "enum overflow" },
	{ 0x22, "invalid encoded storage byte array accessed" },
	{ 0x31, "out-of-bounds array access; popping on an empty array" },
	{ 0x32, "out-of-bounds access of an array or bytesN" },
	{ 0x41, "out of memory" },
	{ 0x51, "uninitialized function" },
};

/* Word `offset` as a size within `data`; false if it is none. */
static bool read_size(struct bytes data, size_t offset, size_t *out)
{
	struct u256 word;

	if (data.size < WORD_SIZE || offset > data.size - WORD_SIZE)
		return false;
	word = u256_from_be(bytes_of(data.data + offset, WORD_SIZE));
	*out = (size_t)word.limbs[0];
	return u256_fits_u64(&word) && word.limbs[0] <= data.size;
}

/* Where the string's offset leads: its size, then its bytes. */
static bool read_error(char out[REVERT_REASON_MAX], struct bytes arguments)
{
	size_t at, size;

	if (!read_size(arguments, 0, &at) || !read_size(arguments, at, &size) ||
	    size > arguments.size - at - WORD_SIZE)
		return false;
	size = MIN(size, (size_t)REVERT_REASON_MAX - 1);
	if (size)
		memcpy(out, arguments.data + at + WORD_SIZE, size);
	out[size] = '\0';
	return true;
}

static bool read_panic(char out[REVERT_REASON_MAX], struct bytes arguments)
{
	char digits[2 * WORD_SIZE + 1];
	const char *text = digits;
	struct u256 number;

	if (arguments.size < WORD_SIZE)
		return false;
	number = u256_from_be(bytes_of(arguments.data, WORD_SIZE));
	for (size_t i = 0; i < ARRAY_COUNT(panics); i++)
		if (u256_fits_u64(&number) && number.limbs[0] == panics[i].number) {
			snprintf(out, REVERT_REASON_MAX, "%s", panics[i].text);
			return true;
		}
	for (size_t i = 0; i < WORD_SIZE; i++)
		snprintf(digits + 2 * i, 3, "%02x", arguments.data[i]);
	while (*text == '0')
		text++;
	snprintf(out, REVERT_REASON_MAX, "unknown panic code: 0x%s", text);
	return true;
}

bool revert_reason(char out[REVERT_REASON_MAX], struct bytes output)
{
	static const uint8_t error[SELECTOR_SIZE] = { 0x08, 0xc3, 0x79, 0xa0 };
	static const uint8_t panic[SELECTOR_SIZE] = { 0x4e, 0x48, 0x7b, 0x71 };
	struct bytes arguments;

	if (output.size < SELECTOR_SIZE)
		return false;
	arguments = bytes_of(output.data + SELECTOR_SIZE, output.size - SELECTOR_SIZE);
	if (memcmp(output.data, error, SELECTOR_SIZE) == 0)
		return read_error(out, arguments);
	return memcmp(output.data, panic, SELECTOR_SIZE) == 0 && read_panic(out, arguments);
}
