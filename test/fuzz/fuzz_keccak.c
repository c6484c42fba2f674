/*
 * Any bytes, cut into messages by their own values: every backend gives the
 * hashes that one message at a time gives, and so do pieces of a message.
 */
#include "fuzz.h"

#include "base/check.h"
#include "crypto/keccak.h"

#define COUNT_MAX 64

/* Lengths around the rate come up as soon as there are bytes enough. */
const char *const fuzz_seeds[] = {
	"", "00", "8788898a0102030405060708090a0b0c0d0e0f",
	"ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00"
	"4087888711223344556677889900aabbccddeeff112233445566778899001122334455667788990011223344"
	"4087888711223344556677889900aabbccddeeff112233445566778899001122334455667788990011223344"
	"4087888711223344556677889900aabbccddeeff112233445566778899001122334455667788990011223344"
	"4087888711223344556677889900aabbccddeeff112233445566778899001122334455667788990011223344",
	NULL,
};

/* Each message's first byte, doubled, is its length, as far as there are bytes. */
static size_t cut(struct bytes messages[COUNT_MAX], struct bytes rest)
{
	size_t count = 0;

	while (rest.size && count < COUNT_MAX) {
		size_t size = MIN((size_t)rest.data[0] * 2, rest.size - 1);

		messages[count++] = bytes_of(rest.data + 1, size);
		rest = bytes_of(rest.data + 1 + size, rest.size - 1 - size);
	}
	return count;
}

static void check_pieces(struct bytes message, const struct hash *want)
{
	struct hash got;
	struct keccak k;
	size_t at = 0, step;

	keccak_init(&k);
	while (at < message.size) {
		step = MIN((size_t)message.data[at] + 1, message.size - at);
		keccak_update(&k, bytes_of(message.data + at, step));
		at += step;
	}
	keccak_final(&k, &got);
	CHECK(hash_equal(&got, want));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum keccak_backend backends[] = { KECCAK_SCALAR, KECCAK_AVX2, KECCAK_AVX512 };
	struct bytes messages[COUNT_MAX];
	struct hash want[COUNT_MAX], got[COUNT_MAX];
	size_t count = cut(messages, bytes_of(data, size)), b, i;

	for (i = 0; i < count; i++) {
		keccak256(&want[i], messages[i]);
		check_pieces(messages[i], &want[i]);
	}
	for (b = 0; b < ARRAY_COUNT(backends); b++) {
		if (!keccak256_batch_with(backends[b], got, messages, count))
			continue;
		for (i = 0; i < count; i++)
			CHECK(hash_equal(&got[i], &want[i]));
	}
	return 0;
}
