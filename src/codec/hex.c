#include "codec/hex.h"

/* Both digits of every byte: one load and one store a byte, since bodies of
 * transactions and replies with whole blocks pass through here. */
#define ROW(h) \
	{ h, '0' }, { h, '1' }, { h, '2' }, { h, '3' }, { h, '4' }, { h, '5' }, { h, '6' }, \
	{ h, '7' }, { h, '8' }, { h, '9' }, { h, 'a' }, { h, 'b' }, { h, 'c' }, { h, 'd' }, \
	{ h, 'e' }, { h, 'f' }

static const char pairs[256][2] = {
	ROW('0'), ROW('1'), ROW('2'), ROW('3'), ROW('4'), ROW('5'), ROW('6'), ROW('7'),
	ROW('8'), ROW('9'), ROW('a'), ROW('b'), ROW('c'), ROW('d'), ROW('e'), ROW('f'),
};

/* A digit's value with IS_DIGIT set; 0 for every other character. */
#define IS_DIGIT 0x10

static const uint8_t values[256] = {
	['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14,
	['5'] = 0x15, ['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19,
	['a'] = 0x1a, ['b'] = 0x1b, ['c'] = 0x1c, ['d'] = 0x1d, ['e'] = 0x1e, ['f'] = 0x1f,
	['A'] = 0x1a, ['B'] = 0x1b, ['C'] = 0x1c, ['D'] = 0x1d, ['E'] = 0x1e, ['F'] = 0x1f,
};

static bool all_digits(struct bytes text)
{
	uint8_t common = IS_DIGIT;

	for (size_t i = 0; i < text.size; i++)
		common &= values[text.data[i]];
	return common != 0;
}

/* `text` is 2·size digits. The first digit's IS_DIGIT leaves at the top. */
static void decode_digits(uint8_t *out, const uint8_t *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(values[text[2 * i]] << 4 | (values[text[2 * i + 1]] & 0x0f));
}

/* Takes "0x" off the front; false if it is not there. */
static bool take_prefix(struct bytes *text)
{
	if (text->size < 2 || text->data[0] != '0' || text->data[1] != 'x')
		return false;
	*text = bytes_of(text->data + 2, text->size - 2);
	return true;
}

void hex_encode(char *out, struct bytes data)
{
	for (size_t i = 0; i < data.size; i++)
		memcpy(out + 2 * i, pairs[data.data[i]], 2);
}

bool hex_decode(uint8_t *out, size_t out_size, struct bytes text)
{
	if (text.size % 2 != 0 || text.size / 2 != out_size || !all_digits(text))
		return false;
	decode_digits(out, text.data, out_size);
	return true;
}

char *hex_data(char *out, struct bytes data)
{
	memcpy(out, "0x", 2);
	hex_encode(out + 2, data);
	out[2 + 2 * data.size] = '\0';
	return out;
}

bool hex_parse_data(struct buf *out, struct bytes text, size_t size_max)
{
	size_t size;

	if (!take_prefix(&text) || text.size % 2 != 0)
		return false;
	size = text.size / 2;
	if (size > size_max || !all_digits(text))
		return false;
	decode_digits(buf_extend(out, size), text.data, size);
	return true;
}

bool hex_parse_fixed(uint8_t *out, size_t out_size, struct bytes text)
{
	return take_prefix(&text) && hex_decode(out, out_size, text);
}

/* Takes a QUANTITY of at most `digits_max` digits apart. */
static bool take_quantity(struct bytes *text, size_t digits_max)
{
	if (!take_prefix(text) || text->size == 0 || text->size > digits_max)
		return false;
	if (text->size > 1 && text->data[0] == '0')
		return false;
	return all_digits(*text);
}

bool hex_parse_u64(uint64_t *out, struct bytes text)
{
	uint64_t v = 0;

	if (!take_quantity(&text, 16))
		return false;
	for (size_t i = 0; i < text.size; i++)
		v = v << 4 | (values[text.data[i]] & 0x0f);
	*out = v;
	return true;
}

bool hex_parse_u256(struct u256 *out, struct bytes text)
{
	struct u256 v = u256_of(0);

	if (!take_quantity(&text, 64))
		return false;
	for (size_t i = 0; i < text.size; i++) {
		size_t place = 4 * (text.size - 1 - i);

		v.limbs[place / 64] |= (uint64_t)(values[text.data[i]] & 0x0f) << place % 64;
	}
	*out = v;
	return true;
}

/* The number in `be` as a QUANTITY. */
static size_t format_quantity(char *out, struct bytes be)
{
	size_t skip = 0, length;

	while (skip < be.size && be.data[skip] == 0)
		skip++;
	be = bytes_of(be.data + skip, be.size - skip);
	if (be.size == 0) {
		memcpy(out, "0x0", 4);
		return 3;
	}
	hex_data(out, be);
	length = 2 + 2 * be.size;
	if (out[2] == '0') { /* the first byte is below 0x10 */
		memmove(out + 2, out + 3, length - 2);
		length--;
	}
	return length;
}

size_t hex_format_u64(char out[HEX_U64_SIZE], uint64_t v)
{
	uint8_t be[8];

	store_be64(be, v);
	return format_quantity(out, bytes_of(be, sizeof(be)));
}

size_t hex_format_u256(char out[HEX_U256_SIZE], const struct u256 *v)
{
	uint8_t be[32];

	u256_to_be32(be, v);
	return format_quantity(out, bytes_of(be, sizeof(be)));
}
