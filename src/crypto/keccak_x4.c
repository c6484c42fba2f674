#include "crypto/keccak_lanes.h"

#include "base/check.h"

#ifdef __x86_64__

#include <immintrin.h>

#define LANE_COUNT 4
#define X4 __attribute__((target("avx2")))
#define X4_INLINE X4 static inline __attribute__((always_inline))

bool keccak_x4_available(void)
{
	return __builtin_cpu_supports("avx2");
}

/* --- the permutation --- */

X4_INLINE __m256i rotate(__m256i v, int count)
{
	return _mm256_or_si256(_mm256_slli_epi64(v, count), _mm256_srli_epi64(v, 64 - count));
}

X4_INLINE __m256i xor(__m256i a, __m256i b)
{
	return _mm256_xor_si256(a, b);
}

X4_INLINE __m256i chi(__m256i a, __m256i b, __m256i c)
{
	return xor(a, _mm256_andnot_si256(b, c));
}

/* As in keccak.c: one plane of a round's result. Rotations by 8 and 56 move
 * whole bytes, which is one shuffle. */
#define PLANE(out, in, d, i0, x0, r0, i1, x1, r1, i2, x2, r2, i3, x3, r3, i4, x4, r4) \
	do { \
		__m256i b0 = (r0) ? rotate(xor((in)[i0], (d)[x0]), r0) : xor((in)[i0], (d)[x0]); \
		__m256i b1 = rotate(xor((in)[i1], (d)[x1]), r1); \
		__m256i b2 = rotate(xor((in)[i2], (d)[x2]), r2); \
		__m256i b3 = (r3) == 8 ? rotate_8(xor((in)[i3], (d)[x3])) : \
					 rotate(xor((in)[i3], (d)[x3]), r3); \
		__m256i b4 = (r4) == 56 ? rotate_56(xor((in)[i4], (d)[x4])) : \
					  rotate(xor((in)[i4], (d)[x4]), r4); \
		(out)[0] = chi(b0, b1, b2); \
		(out)[1] = chi(b1, b2, b3); \
		(out)[2] = chi(b2, b3, b4); \
		(out)[3] = chi(b3, b4, b0); \
		(out)[4] = chi(b4, b0, b1); \
	} while (0)

X4_INLINE __m256i rotate_8(__m256i v)
{
	return _mm256_shuffle_epi8(v, _mm256_setr_epi8(7, 0, 1, 2, 3, 4, 5, 6, 15, 8, 9, 10, 11, 12,
						       13, 14, 7, 0, 1, 2, 3, 4, 5, 6, 15, 8, 9,
						       10, 11, 12, 13, 14));
}

X4_INLINE __m256i rotate_56(__m256i v)
{
	return _mm256_shuffle_epi8(v, _mm256_setr_epi8(1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13,
						       14, 15, 8, 1, 2, 3, 4, 5, 6, 7, 0, 9, 10,
						       11, 12, 13, 14, 15, 8));
}

X4_INLINE __m256i column(const __m256i *a)
{
	return xor(xor(xor(a[0], a[5]), xor(a[10], a[15])), a[20]);
}

X4_INLINE void round_x4(__m256i *restrict out, const __m256i *restrict in, uint64_t iota)
{
	__m256i c0 = column(in), c1 = column(in + 1), c2 = column(in + 2);
	__m256i c3 = column(in + 3), c4 = column(in + 4);
	const __m256i d[5] = {
		xor(c4, rotate(c1, 1)), xor(c0, rotate(c2, 1)), xor(c1, rotate(c3, 1)),
		xor(c2, rotate(c4, 1)), xor(c3, rotate(c0, 1)),
	};

	PLANE(out, in, d, 0, 0, 0, 6, 1, 44, 12, 2, 43, 18, 3, 21, 24, 4, 14);
	PLANE(out + 5, in, d, 3, 3, 28, 9, 4, 20, 10, 0, 3, 16, 1, 45, 22, 2, 61);
	PLANE(out + 10, in, d, 1, 1, 1, 7, 2, 6, 13, 3, 25, 19, 4, 8, 20, 0, 18);
	PLANE(out + 15, in, d, 4, 4, 27, 5, 0, 36, 11, 1, 10, 17, 2, 15, 23, 3, 56);
	PLANE(out + 20, in, d, 2, 2, 62, 8, 3, 55, 14, 4, 39, 15, 0, 41, 21, 1, 2);
	out[0] = xor(out[0], _mm256_set1_epi64x((long long)iota));
}

X4_INLINE void permute_x4(__m256i state[25])
{
	__m256i other[25];
	unsigned i;

	for (i = 0; i < KECCAK_ROUND_COUNT; i += 2) {
		round_x4(other, state, keccak_round_constants[i]);
		round_x4(state, other, keccak_round_constants[i + 1]);
	}
}

/* --- into and out of the lanes --- */

/* Turns four rows of four words into four columns. */
X4_INLINE void transpose(__m256i v[4])
{
	__m256i even01 = _mm256_unpacklo_epi64(v[0], v[1]);
	__m256i odd01 = _mm256_unpackhi_epi64(v[0], v[1]);
	__m256i even23 = _mm256_unpacklo_epi64(v[2], v[3]);
	__m256i odd23 = _mm256_unpackhi_epi64(v[2], v[3]);

	v[0] = _mm256_permute2x128_si256(even01, even23, 0x20);
	v[1] = _mm256_permute2x128_si256(odd01, odd23, 0x20);
	v[2] = _mm256_permute2x128_si256(even01, even23, 0x31);
	v[3] = _mm256_permute2x128_si256(odd01, odd23, 0x31);
}

/* A lane's next block: in the message, or its end padded in `scratch`. */
static const uint8_t *next_block(const struct keccak_lane *lane, uint8_t scratch[KECCAK_RATE])
{
	if (lane->left >= KECCAK_RATE)
		return lane->next;
	memset(scratch, 0, KECCAK_RATE);
	if (lane->left)
		memcpy(scratch, lane->next, lane->left);
	scratch[lane->left] = 0x01;
	scratch[KECCAK_RATE - 1] |= 0x80;
	return scratch;
}

X4_INLINE void absorb(__m256i state[25], const struct keccak_lane lanes[LANE_COUNT])
{
	uint8_t scratch[LANE_COUNT][KECCAK_RATE];
	const uint8_t *blocks[LANE_COUNT];
	uint64_t last[LANE_COUNT];
	__m256i v[4];
	unsigned i, at;

	for (i = 0; i < LANE_COUNT; i++) {
		blocks[i] = next_block(&lanes[i], scratch[i]);
		last[i] = load_le64(blocks[i] + 128);
	}
	for (at = 0; at < 128; at += 32) {
		for (i = 0; i < LANE_COUNT; i++)
			v[i] = _mm256_loadu_si256((const __m256i *)(const void *)(blocks[i] + at));
		transpose(v);
		for (i = 0; i < 4; i++)
			state[at / 8 + i] = xor(state[at / 8 + i], v[i]);
	}
	state[16] = xor(state[16], _mm256_loadu_si256((const __m256i *)(const void *)last));
}

X4_INLINE void store_hashes(struct hash hashes[LANE_COUNT], const __m256i state[25])
{
	__m256i v[4] = { state[0], state[1], state[2], state[3] };
	unsigned i;

	transpose(v);
	for (i = 0; i < LANE_COUNT; i++)
		_mm256_storeu_si256((__m256i *)(void *)hashes[i].bytes, v[i]);
}

/* --- the loop --- */

/* Keeps the state of the lanes that go on and clears those in `ended`. */
X4_INLINE void clear_lanes(__m256i state[25], unsigned ended)
{
	__m256i keep = _mm256_setr_epi64x(-!(ended & 1), -!(ended & 2), -!(ended & 4),
					  -!(ended & 8));
	unsigned i;

	for (i = 0; i < 25; i++)
		state[i] = _mm256_and_si256(state[i], keep);
}

X4 void keccak_x4(struct hash out[], const struct bytes messages[], size_t count)
{
	struct keccak_job job = { .out = out, .messages = messages, .count = count };
	struct keccak_lane lanes[LANE_COUNT];
	struct hash hashes[LANE_COUNT];
	__m256i state[25];
	unsigned i, ended;

	for (i = 0; i < 25; i++)
		state[i] = _mm256_setzero_si256();
	for (i = 0; i < LANE_COUNT; i++)
		keccak_lane_fill(&lanes[i], &job);
	while (job.given < count) {
		absorb(state, lanes);
		permute_x4(state);
		ended = keccak_lanes_advance(lanes, LANE_COUNT);
		if (!ended)
			continue;
		store_hashes(hashes, state);
		clear_lanes(state, ended);
		keccak_lanes_turn(lanes, LANE_COUNT, &job, ended, hashes);
	}
}

#else

bool keccak_x4_available(void)
{
	return false;
}

void keccak_x4(struct hash out[], const struct bytes messages[], size_t count)
{
	UNREACHABLE();
}

#endif
