#include "crypto/keccak.h"

#include "base/check.h"
#include "crypto/keccak_lanes.h"

/* Iota's constants of the 24 rounds (FIPS 202, 3.2.5). */
const uint64_t keccak_round_constants[KECCAK_ROUND_COUNT] = {
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
	0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
	0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
	0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
	0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

/* --- the permutation --- */

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE uint64_t rotate(uint64_t v, unsigned count)
{
	return count ? v << count | v >> (64 - count) : v;
}

/* One plane of a round's result from the five lanes that pi brings there: lane
 * `i` of `in`, with theta's d[x] added, rotated by r (rho), then chi. */
#define PLANE(out, in, d, i0, x0, r0, i1, x1, r1, i2, x2, r2, i3, x3, r3, i4, x4, r4, iota) \
	do { \
		uint64_t b0 = rotate((in)[i0] ^ (d)[x0], r0); \
		uint64_t b1 = rotate((in)[i1] ^ (d)[x1], r1); \
		uint64_t b2 = rotate((in)[i2] ^ (d)[x2], r2); \
		uint64_t b3 = rotate((in)[i3] ^ (d)[x3], r3); \
		uint64_t b4 = rotate((in)[i4] ^ (d)[x4], r4); \
		(out)[0] = b0 ^ (~b1 & b2) ^ (iota); \
		(out)[1] = b1 ^ (~b2 & b3); \
		(out)[2] = b2 ^ (~b3 & b4); \
		(out)[3] = b3 ^ (~b4 & b0); \
		(out)[4] = b4 ^ (~b0 & b1); \
	} while (0)

/* One round from `in` to `out`. The state stays in memory between planes: 25
 * lanes do not fit the registers of any scalar machine, and loads are free
 * beside the arithmetic, where a compiler's spills are not. */
ALWAYS_INLINE void keccak_round(uint64_t *restrict out, const uint64_t *restrict in, uint64_t iota)
{
	uint64_t c0 = in[0] ^ in[5] ^ in[10] ^ in[15] ^ in[20];
	uint64_t c1 = in[1] ^ in[6] ^ in[11] ^ in[16] ^ in[21];
	uint64_t c2 = in[2] ^ in[7] ^ in[12] ^ in[17] ^ in[22];
	uint64_t c3 = in[3] ^ in[8] ^ in[13] ^ in[18] ^ in[23];
	uint64_t c4 = in[4] ^ in[9] ^ in[14] ^ in[19] ^ in[24];
	const uint64_t d[5] = {
		c4 ^ rotate(c1, 1), c0 ^ rotate(c2, 1), c1 ^ rotate(c3, 1),
		c2 ^ rotate(c4, 1), c3 ^ rotate(c0, 1),
	};

	PLANE(out, in, d, 0, 0, 0, 6, 1, 44, 12, 2, 43, 18, 3, 21, 24, 4, 14, iota);
	PLANE(out + 5, in, d, 3, 3, 28, 9, 4, 20, 10, 0, 3, 16, 1, 45, 22, 2, 61, 0);
	PLANE(out + 10, in, d, 1, 1, 1, 7, 2, 6, 13, 3, 25, 19, 4, 8, 20, 0, 18, 0);
	PLANE(out + 15, in, d, 4, 4, 27, 5, 0, 36, 11, 1, 10, 17, 2, 15, 23, 3, 56, 0);
	PLANE(out + 20, in, d, 2, 2, 62, 8, 3, 55, 14, 4, 39, 15, 0, 41, 21, 1, 2, 0);
}

ALWAYS_INLINE void permute_rounds(uint64_t state[25])
{
	uint64_t other[25];
	unsigned i;

	for (i = 0; i < KECCAK_ROUND_COUNT; i += 2) {
		keccak_round(other, state, keccak_round_constants[i]);
		keccak_round(state, other, keccak_round_constants[i + 1]);
	}
}

#ifdef __x86_64__
/* The same code where the machine has and-not and three-operand rotations. */
__attribute__((target("bmi,bmi2"))) static void permute_bmi(uint64_t state[25])
{
	permute_rounds(state);
}
#endif

static void permute(uint64_t state[25])
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")) {
		permute_bmi(state);
		return;
	}
#endif
	permute_rounds(state);
}

/* --- the sponge --- */

static void absorb_block(uint64_t state[25], const uint8_t block[KECCAK_RATE])
{
	unsigned i;

	for (i = 0; i < KECCAK_RATE / 8; i++)
		state[i] ^= load_le64(block + 8 * i);
	permute(state);
}

static void absorb_byte(uint64_t state[25], size_t at, uint8_t v)
{
	state[at / 8] ^= (uint64_t)v << (8 * (at % 8));
}

/* Adds less than a block, from its start. */
static void absorb_tail(uint64_t state[25], const uint8_t *tail, size_t size)
{
	size_t i, whole = size & ~(size_t)7;

	for (i = 0; i < whole; i += 8)
		state[i / 8] ^= load_le64(tail + i);
	for (; i < size; i++)
		absorb_byte(state, i, tail[i]);
}

static void finish(uint64_t state[25], size_t filled, struct hash *out)
{
	unsigned i;

	absorb_byte(state, filled, 0x01);
	absorb_byte(state, KECCAK_RATE - 1, 0x80);
	permute(state);
	for (i = 0; i < 4; i++)
		store_le64(out->bytes + 8 * i, state[i]);
}

void keccak256(struct hash *out, struct bytes message)
{
	uint64_t state[25] = { 0 };
	const uint8_t *p = message.data;
	size_t left = message.size;

	for (; left >= KECCAK_RATE; p += KECCAK_RATE, left -= KECCAK_RATE)
		absorb_block(state, p);
	absorb_tail(state, p, left);
	finish(state, left, out);
}

void keccak_init(struct keccak *k)
{
	*k = (struct keccak){ 0 };
}

void keccak_update(struct keccak *k, struct bytes piece)
{
	const uint8_t *p = piece.data;
	size_t left = piece.size;

	CHECK(k->filled < KECCAK_RATE);
	while (left && k->filled) {
		absorb_byte(k->state, k->filled++, *p++);
		left--;
		if (k->filled == KECCAK_RATE) {
			permute(k->state);
			k->filled = 0;
		}
	}
	for (; left >= KECCAK_RATE; p += KECCAK_RATE, left -= KECCAK_RATE)
		absorb_block(k->state, p);
	if (left) {
		absorb_tail(k->state, p, left);
		k->filled = left;
	}
}

void keccak_final(struct keccak *k, struct hash *out)
{
	CHECK(k->filled < KECCAK_RATE);
	finish(k->state, k->filled, out);
	k->filled = KECCAK_RATE; /* so that a further update is caught */
}

/* --- many messages --- */

static void batch_scalar(struct hash out[], const struct bytes messages[], size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		keccak256(&out[i], messages[i]);
}

static bool backend_available(enum keccak_backend backend)
{
	switch (backend) {
	case KECCAK_SCALAR:
		return true;
	case KECCAK_AVX2:
		return keccak_x4_available();
	case KECCAK_AVX512:
		return keccak_x8_available();
	}
	return false;
}

enum keccak_backend keccak_best_backend(void)
{
	if (backend_available(KECCAK_AVX512))
		return KECCAK_AVX512;
	if (backend_available(KECCAK_AVX2))
		return KECCAK_AVX2;
	return KECCAK_SCALAR;
}

const char *keccak_backend_name(enum keccak_backend backend)
{
	switch (backend) {
	case KECCAK_SCALAR:
		return "scalar";
	case KECCAK_AVX2:
		return "avx2";
	case KECCAK_AVX512:
		return "avx512";
	}
	return "unknown";
}

bool keccak256_batch_with(enum keccak_backend backend, struct hash out[],
			  const struct bytes messages[], size_t count)
{
	if (!backend_available(backend))
		return false;
	switch (backend) {
	case KECCAK_SCALAR:
		batch_scalar(out, messages, count);
		break;
	case KECCAK_AVX2:
		keccak_x4(out, messages, count);
		break;
	case KECCAK_AVX512:
		keccak_x8(out, messages, count);
		break;
	}
	return true;
}

/* With fewer messages than this, one after the other is faster than lanes that
 * are mostly empty. */
#define BATCH_COUNT_MIN 2

void keccak256_batch(struct hash out[], const struct bytes messages[], size_t count)
{
	enum keccak_backend backend =
		count < BATCH_COUNT_MIN ? KECCAK_SCALAR : keccak_best_backend();

	CHECK(keccak256_batch_with(backend, out, messages, count));
}
