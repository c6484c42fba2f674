#include "exec/abi.h"

/* keccak256("Error(string)") */
#define ERROR_SELECTOR 0x08c379a0u

bool abi_selector(struct bytes input, uint32_t *out)
{
	if (input.size < ABI_SELECTOR_SIZE)
		return false;
	*out = load_be32(input.data);
	return true;
}

bool abi_read_addr(struct bytes input, size_t index, struct addr *out)
{
	static const uint8_t zeros[ABI_WORD_SIZE - sizeof(out->bytes)];
	const uint8_t *word;

	if (input.size < ABI_SELECTOR_SIZE ||
	    (input.size - ABI_SELECTOR_SIZE) / ABI_WORD_SIZE <= index)
		return false;
	word = input.data + ABI_SELECTOR_SIZE + index * ABI_WORD_SIZE;
	if (memcmp(word, zeros, sizeof(zeros)) != 0)
		return false;
	memcpy(out->bytes, word + sizeof(zeros), sizeof(out->bytes));
	return true;
}

bool abi_read_word(struct bytes input, size_t index, struct u256 *out)
{
	if (input.size < ABI_SELECTOR_SIZE ||
	    (input.size - ABI_SELECTOR_SIZE) / ABI_WORD_SIZE <= index)
		return false;
	*out = u256_from_be(bytes_of(input.data + ABI_SELECTOR_SIZE + index * ABI_WORD_SIZE,
				     ABI_WORD_SIZE));
	return true;
}

void abi_put_addr(struct buf *out, const struct addr *a)
{
	struct u256 word = u256_from_be(addr_bytes(a));

	abi_put_word(out, &word);
}

void abi_put_word(struct buf *out, const struct u256 *v)
{
	u256_to_be32(buf_extend(out, ABI_WORD_SIZE), v);
}

void abi_put_u64(struct buf *out, uint64_t v)
{
	struct u256 word = u256_of(v);

	abi_put_word(out, &word);
}

void abi_put_error(struct buf *out, const char *reason)
{
	size_t size = strlen(reason),
	       padded = (size + ABI_WORD_SIZE - 1) / ABI_WORD_SIZE * ABI_WORD_SIZE;
	uint8_t *text;

	store_be32(buf_extend(out, ABI_SELECTOR_SIZE), ERROR_SELECTOR);
	abi_put_u64(out, ABI_WORD_SIZE); /* where the string starts */
	abi_put_u64(out, size);
	text = buf_extend(out, padded);
	memset(text, 0, padded);
	memcpy(text, reason, size);
}
