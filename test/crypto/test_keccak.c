#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/rand.h"
#include "crypto/keccak.h"
#include "unhex.h"

static const struct {
	const char *message;
	const char *hash;
} vectors[] = {
	/* The Keccak team's, and constants that the Yellow Paper and every client name. */
	{ "", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470" },
	{ "cc", "eead6dbfc7340a56caedc044696a168870549a6a7f6f56961e84a54bd9970b8a" },
	{ "616263", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45" },
	{ "80", "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421" },
	{ "c0", "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347" },
	{ "0000000000000000000000000000000000000000000000000000000000000000",
	  "290decd9548b62a8d60345a988386fc84ba6bc95484008f6362f93160ef3e563" },
};

/* Bytes that differ from place to place. */
static void fill_pattern(uint8_t *out, size_t size, uint64_t seed)
{
	struct rng r;
	size_t i;

	rng_init(&r, seed);
	for (i = 0; i < size; i++)
		out[i] = (uint8_t)rng_next(&r);
}

static void assert_same(const struct hash *a, const struct hash *b, const char *what, size_t size)
{
	cr_assert(hash_equal(a, b), "%s differs at %zu bytes", what, size);
}

Test(keccak, hash_equals_published_vectors)
{
	static const char fox[] = "The quick brown fox jumps over the lazy dog.";
	uint8_t message[64];
	struct hash h;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(vectors); i++) {
		size_t size = strlen(vectors[i].message) / 2;

		unhex(message, size, vectors[i].message);
		keccak256(&h, bytes_of(message, size));
		cr_assert(is_hex(h.bytes, 32, vectors[i].hash), "vector %zu", i);
	}
	keccak256(&h, bytes_of_str(fox));
	cr_assert(is_hex(h.bytes, 32,
			 "578951e24efd62a3d63a86f7cd19aaa53c898fe287d2552133220370240b572d"));
	keccak256(&h, bytes_of(fox, sizeof(fox) - 2));
	cr_assert(is_hex(h.bytes, 32,
			 "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15"));
	keccak256(&h, bytes_of(NULL, 0));
	cr_assert(is_hex(h.bytes, 32, vectors[0].hash));
}

Test(keccak, hash_equals_vector_of_a_million_letters)
{
	static const char want[] =
		"fadae6b49f129bbb812be8407b7b2894f34aecf6dbd1f9b0f0c7e9853098fc96";
	size_t size = 1000000, i;
	uint8_t *message = xmalloc(size);
	struct keccak k;
	struct hash h;

	memset(message, 'a', size);
	keccak256(&h, bytes_of(message, size));
	cr_assert(is_hex(h.bytes, 32, want));
	keccak_init(&k);
	for (i = 0; i < size; i += 1000)
		keccak_update(&k, bytes_of(message + i, 1000));
	keccak_final(&k, &h);
	cr_assert(is_hex(h.bytes, 32, want));
	free(message);
}

/* acc = keccak256(acc ‖ n times the byte n), for n from 0 to 600: one number that
 * covers every length around the rate; the result is an independent implementation's. */
Test(keccak, chain_over_lengths_equals_known_result)
{
	uint8_t message[32 + 600];
	struct hash acc = { 0 };
	size_t n;

	for (n = 0; n <= 600; n++) {
		memcpy(message, acc.bytes, 32);
		memset(message + 32, (int)(n & 0xff), n);
		keccak256(&acc, bytes_of(message, 32 + n));
	}
	cr_assert(is_hex(acc.bytes, 32,
			 "a6522b9c77922b1bb983c683251d2534cd1248925fed9cd457f2bedcf1c031c7"));
}

Test(keccak, pieces_give_the_hash_of_the_whole)
{
	uint8_t message[600];
	struct hash whole, pieces;
	struct keccak k;
	struct rng r;
	size_t size, at, step;

	rng_init(&r, 1);
	fill_pattern(message, sizeof(message), 2);
	for (size = 0; size <= sizeof(message); size++) {
		keccak256(&whole, bytes_of(message, size));
		keccak_init(&k);
		for (at = 0; at < size; at += step) {
			step = (size_t)rng_below(&r, 300);
			step = MIN(step, size - at);
			keccak_update(&k, bytes_of(message + at, step));
		}
		keccak_update(&k, bytes_of(NULL, 0));
		keccak_final(&k, &pieces);
		assert_same(&whole, &pieces, "in pieces", size);
	}
}

Test(keccak, two_pieces_split_at_every_byte)
{
	uint8_t message[3 * KECCAK_RATE];
	struct hash whole, pieces;
	struct keccak k;
	size_t at;

	fill_pattern(message, sizeof(message), 3);
	keccak256(&whole, bytes_of(message, sizeof(message)));
	for (at = 0; at <= sizeof(message); at++) {
		keccak_init(&k);
		keccak_update(&k, bytes_of(message, at));
		keccak_update(&k, bytes_of(message + at, sizeof(message) - at));
		keccak_final(&k, &pieces);
		assert_same(&whole, &pieces, "split", at);
	}
}

static const enum keccak_backend backends[] = { KECCAK_SCALAR, KECCAK_AVX2, KECCAK_AVX512 };

/* Hashes with every backend that this machine has and compares with one at a time. */
static void assert_backends_agree(const struct bytes messages[], size_t count)
{
	struct hash *want = xcalloc(count, sizeof(*want));
	struct hash *got = xcalloc(count, sizeof(*got));
	size_t b, i;

	for (i = 0; i < count; i++)
		keccak256(&want[i], messages[i]);
	for (b = 0; b < ARRAY_COUNT(backends); b++) {
		memset(got, 0xee, count * sizeof(*got));
		if (!keccak256_batch_with(backends[b], got, messages, count))
			continue;
		for (i = 0; i < count; i++)
			assert_same(&got[i], &want[i], keccak_backend_name(backends[b]),
				    messages[i].size);
	}
	memset(got, 0xee, count * sizeof(*got));
	keccak256_batch(got, messages, count);
	for (i = 0; i < count; i++)
		assert_same(&got[i], &want[i], "batch", messages[i].size);
	free(want);
	free(got);
}

Test(keccak, backends_agree_at_every_length)
{
	uint8_t text[600];
	struct bytes messages[601];
	size_t i;

	fill_pattern(text, sizeof(text), 4);
	for (i = 0; i < ARRAY_COUNT(messages); i++)
		messages[i] = bytes_of(text + sizeof(text) - i, i);
	assert_backends_agree(messages, ARRAY_COUNT(messages));
}

Test(keccak, backends_agree_at_every_count)
{
	uint8_t text[256];
	struct bytes messages[40];
	size_t count, i;

	fill_pattern(text, sizeof(text), 5);
	for (i = 0; i < ARRAY_COUNT(messages); i++)
		messages[i] = bytes_of(text + i, 64 + 3 * i);
	for (count = 0; count <= ARRAY_COUNT(messages); count++)
		assert_backends_agree(messages, count);
}

/* Messages end exactly where their allocation does, so a sanitizer sees any byte
 * that is read beyond; lengths are mixed, so lanes are refilled out of step. */
Test(keccak, backends_agree_on_mixed_lengths_and_read_no_further)
{
	enum { COUNT = 500 };
	struct bytes messages[COUNT];
	uint8_t *owned[COUNT];
	struct rng r;
	unsigned round, i;

	rng_init(&r, 6);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < COUNT; i++) {
			size_t size = (size_t)rng_below(&r, i % 7 == 0 ? 5000 : 300);

			owned[i] = xmalloc(size);
			fill_pattern(owned[i], size, rng_next(&r));
			messages[i] = bytes_of(owned[i], size);
		}
		assert_backends_agree(messages, COUNT);
		for (i = 0; i < COUNT; i++)
			free(owned[i]);
	}
}

Test(keccak, backends_agree_around_the_rate_in_every_lane)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 63, 64, 65, 127, 128, 129, 134, 135, 136, 137,
					199, 200, 201, 271, 272, 273, 407, 408, 409 };
	uint8_t text[512];
	struct bytes messages[8];
	size_t s, lane;

	fill_pattern(text, sizeof(text), 7);
	for (s = 0; s < ARRAY_COUNT(sizes); s++) {
		for (lane = 0; lane < ARRAY_COUNT(messages); lane++)
			messages[lane] = bytes_of(text + lane,
						  sizes[(s + lane * lane) % ARRAY_COUNT(sizes)]);
		assert_backends_agree(messages, ARRAY_COUNT(messages));
		for (lane = 0; lane < ARRAY_COUNT(messages); lane++)
			messages[lane] = bytes_of(text + lane, sizes[s]);
		assert_backends_agree(messages, ARRAY_COUNT(messages));
	}
}

/* In the manner of NIST's Monte Carlo tests: each result feeds the next message. */
Test(keccak, chained_batches_agree_between_backends)
{
	uint8_t text[16][200];
	struct bytes messages[16];
	struct hash chain[ARRAY_COUNT(backends)][16];
	size_t b, i, step;

	for (b = 0; b < ARRAY_COUNT(backends); b++) {
		fill_pattern(text[0], sizeof(text), 8);
		for (i = 0; i < 16; i++)
			messages[i] = bytes_of(text[i], sizeof(text[i]));
		for (step = 0; step < 1000; step++) {
			if (!keccak256_batch_with(backends[b], chain[b], messages, 16))
				break;
			for (i = 0; i < 16; i++) {
				const uint8_t *from = chain[b][i].bytes;

				memcpy(text[(i + 1) % 16] + step % 168, from, 32);
				messages[i].size = 100 + from[0] % 101;
			}
		}
		if (step == 1000)
			cr_assert_eq(memcmp(chain[b], chain[0], sizeof(chain[0])), 0, "%s",
				     keccak_backend_name(backends[b]));
	}
}

Test(keccak, best_backend_is_available_and_named)
{
	struct bytes message = bytes_of_str("abc");
	struct hash h;

	cr_assert(keccak256_batch_with(keccak_best_backend(), &h, &message, 1));
	cr_assert(is_hex(h.bytes, 32, vectors[2].hash));
	cr_assert_str_eq(keccak_backend_name(KECCAK_SCALAR), "scalar");
	cr_assert_str_eq(keccak_backend_name(KECCAK_AVX2), "avx2");
	cr_assert_str_eq(keccak_backend_name(KECCAK_AVX512), "avx512");
}
