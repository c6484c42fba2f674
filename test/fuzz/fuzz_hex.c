/*
 * Text that decodes is what encoding gives, but for the digits' case; QUANTITY
 * has one text a value; a failure leaves the result alone.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"

const char *const fuzz_seeds[] = {
	"3078", "307830", "30783030", "3078306130", "307861", "30784142", "3058", "30",
	"3078303132333435363738396162636465664142434445464748",
	"307866666666666666666666666666666666", "30783130303030303030303030303030303030",
	"307866666666666666666666666666666666666666666666666666666666666666666666666666666666666666"
	"6666666666666666666666666666666666666666",
	NULL,
};

/* Upper-case digits are read and not written. */
static bool same_text(struct bytes a, const char *b, size_t b_size)
{
	if (a.size != b_size)
		return false;
	for (size_t i = 0; i < b_size; i++) {
		uint8_t c = a.data[i];

		if (i > 1 && c >= 'A' && c <= 'F')
			c = (uint8_t)(c + 'a' - 'A');
		if (c != (uint8_t)b[i])
			return false;
	}
	return true;
}

static void check_data(struct bytes text)
{
	struct buf out = { 0 };

	buf_append(&out, "keep", 4);
	if (hex_parse_data(&out, text, 2048)) {
		size_t size = out.size - 4;
		char *again = xmalloc(2 * size + 3);
		uint8_t *fixed = xmalloc(size);

		hex_data(again, bytes_of(out.data + 4, size));
		CHECK(same_text(text, again, 2 * size + 2));
		CHECK(hex_parse_fixed(fixed, size, text));
		CHECK(bytes_equal(bytes_of(fixed, size), bytes_of(out.data + 4, size)));
		CHECK(!hex_parse_fixed(fixed, size + 1, text));
		CHECK(size == 0 || !hex_parse_data(&out, text, size - 1));
		free(again);
		free(fixed);
	} else {
		CHECK(out.size == 4);
	}
	CHECK(memcmp(out.data, "keep", 4) == 0);
	buf_clear(&out);
}

static void check_quantity(struct bytes text)
{
	struct u256 wide = u256_of(77);
	uint64_t narrow = 77;
	char again[HEX_U256_SIZE];

	if (hex_parse_u256(&wide, text))
		CHECK(same_text(text, again, hex_format_u256(again, &wide)));
	else
		CHECK(wide.limbs[0] == 77);
	if (hex_parse_u64(&narrow, text)) {
		CHECK(same_text(text, again, hex_format_u64(again, narrow)));
		CHECK(u256_fits_u64(&wide) && wide.limbs[0] == narrow);
	} else {
		CHECK(narrow == 77);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size);
	char *text = xmalloc(2 * size);
	uint8_t *back = xmalloc(size);

	hex_encode(text, input);
	CHECK(hex_decode(back, size, bytes_of(text, 2 * size)));
	CHECK(bytes_equal(bytes_of(back, size), input));
	free(text);
	free(back);
	check_data(input);
	check_quantity(input);
	return 0;
}
