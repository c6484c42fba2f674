#include <criterion/criterion.h>

#include "base/rand.h"

/* The file itself, under another name, for its two paths: a processor runs only
 * one of them through crc32c(). */
#define crc32c crc32c_again
#include "base/crc32c.c"

/* The definition, one bit at a time. */
static uint32_t reference(uint32_t crc, struct bytes data)
{
	crc = ~crc;
	for (size_t i = 0; i < data.size; i++) {
		crc ^= data.data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static bool has_sse42(void)
{
#ifdef __x86_64__
	return __builtin_cpu_supports("sse4.2") != 0;
#else
	return false;
#endif
}

static void expect(uint32_t want, struct bytes data)
{
	cr_assert_eq(reference(0, data), want);
	cr_assert_eq(crc32c(0, data), want);
	cr_assert_eq(~crc32c_portable(~0u, data), want);
#ifdef __x86_64__
	if (has_sse42())
		cr_assert_eq(~crc32c_sse42(~0u, data), want);
#endif
}

/* RFC 3720, B.4. */
Test(crc32c, give_published_values)
{
	static const uint8_t read_pdu[48] = {
		[0] = 0x01, [1] = 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14,
		[31] = 0x18, [32] = 0x28, [40] = 0x02,
	};
	uint8_t run[32];

	memset(run, 0, sizeof(run));
	expect(0x8a9136aa, bytes_of(run, sizeof(run)));
	memset(run, 0xff, sizeof(run));
	expect(0x62a8ab43, bytes_of(run, sizeof(run)));
	for (uint8_t i = 0; i < 32; i++)
		run[i] = i;
	expect(0x46dd794e, bytes_of(run, sizeof(run)));
	for (uint8_t i = 0; i < 32; i++)
		run[i] = 31 - i;
	expect(0x113fdb5c, bytes_of(run, sizeof(run)));
	expect(0xd9963a56, bytes_of(read_pdu, sizeof(read_pdu)));
	expect(0xe3069283, bytes_of_str("123456789"));
	expect(0, bytes_of(NULL, 0));
}

Test(crc32c, agree_at_every_alignment_and_length)
{
	static uint8_t data[8 + 130];
	struct rng r;

	rng_init(&r, 3);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rng_next(&r);
	for (size_t at = 0; at < 8; at++)
		for (size_t size = 0; size <= 130; size++)
			expect(reference(0, bytes_of(data + at, size)), bytes_of(data + at, size));
}

Test(crc32c, continue_where_it_ended)
{
	static uint8_t data[300];
	uint32_t whole;
	struct rng r;

	rng_init(&r, 4);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rng_next(&r);
	whole = reference(0, bytes_of(data, sizeof(data)));
	for (size_t cut = 0; cut <= sizeof(data); cut++) {
		uint32_t crc = crc32c(0, bytes_of(data, cut));

		cr_assert_eq(crc, reference(0, bytes_of(data, cut)));
		cr_assert_eq(crc32c(crc, bytes_of(data + cut, sizeof(data) - cut)), whole);
	}
}
