#include "crypto/keccak_lanes.h"

#include "base/check.h"

#ifdef __x86_64__

#include <immintrin.h>

#define LANE_COUNT 8
#define X8 __attribute__((target("avx512f,avx512bw,bmi2")))
#define X8_INLINE X8 static inline __attribute__((always_inline))

bool keccak_x8_available(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("bmi2");
}

/* --- the permutation --- */

/* vpternlogq's truth tables of what a round needs. */
#define XOR3 0x96    /* a ^ b ^ c */
#define CHI 0xd2     /* a ^ (~b & c) */

#define PLANE(out, in, i0, r0, i1, r1, i2, r2, i3, r3, i4, r4) \
	do { \
		__m512i b0 = (r0) ? _mm512_rol_epi64((in)[i0], r0) : (in)[i0]; \
		__m512i b1 = _mm512_rol_epi64((in)[i1], r1); \
		__m512i b2 = _mm512_rol_epi64((in)[i2], r2); \
		__m512i b3 = _mm512_rol_epi64((in)[i3], r3); \
		__m512i b4 = _mm512_rol_epi64((in)[i4], r4); \
		(out)[0] = _mm512_ternarylogic_epi64(b0, b1, b2, CHI); \
		(out)[1] = _mm512_ternarylogic_epi64(b1, b2, b3, CHI); \
		(out)[2] = _mm512_ternarylogic_epi64(b2, b3, b4, CHI); \
		(out)[3] = _mm512_ternarylogic_epi64(b3, b4, b0, CHI); \
		(out)[4] = _mm512_ternarylogic_epi64(b4, b0, b1, CHI); \
	} while (0)

X8_INLINE __m512i column(const __m512i *a)
{
	__m512i upper = _mm512_ternarylogic_epi64(a[0], a[5], a[10], XOR3);

	return _mm512_ternarylogic_epi64(upper, a[15], a[20], XOR3);
}

/* Theta on one column: adds the parity of the column before and the rotated one
 * of the column behind. */
X8_INLINE void theta_column(__m512i *a, __m512i before, __m512i behind)
{
	unsigned y;

	behind = _mm512_rol_epi64(behind, 1);
#pragma GCC unroll 5
	for (y = 0; y < 25; y += 5)
		a[y] = _mm512_ternarylogic_epi64(a[y], before, behind, XOR3);
}

X8_INLINE void round_x8(__m512i out[25], __m512i in[25], uint64_t iota)
{
	__m512i c0 = column(in), c1 = column(in + 1), c2 = column(in + 2);
	__m512i c3 = column(in + 3), c4 = column(in + 4);

	theta_column(in, c4, c1);
	theta_column(in + 1, c0, c2);
	theta_column(in + 2, c1, c3);
	theta_column(in + 3, c2, c4);
	theta_column(in + 4, c3, c0);
	PLANE(out, in, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14);
	PLANE(out + 5, in, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61);
	PLANE(out + 10, in, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18);
	PLANE(out + 15, in, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56);
	PLANE(out + 20, in, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2);
	out[0] = _mm512_xor_si512(out[0], _mm512_set1_epi64((long long)iota));
}

X8_INLINE void permute_x8(__m512i state[25])
{
	__m512i a[25], b[25];
	unsigned i;

#pragma GCC unroll 25
	for (i = 0; i < 25; i++)
		a[i] = state[i];
#pragma GCC unroll 1
	for (i = 0; i < KECCAK_ROUND_COUNT; i += 2) {
		round_x8(b, a, keccak_round_constants[i]);
		round_x8(a, b, keccak_round_constants[i + 1]);
	}
#pragma GCC unroll 25
	for (i = 0; i < 25; i++)
		state[i] = a[i];
}

/* --- into and out of the lanes --- */

/* Turns eight messages' 64 bytes into eight words of all messages. */
X8_INLINE void transpose(__m512i v[8])
{
	__m512i pairs[8], quads[8];
	unsigned i;

#pragma GCC unroll 4
	for (i = 0; i < 8; i += 2) {
		pairs[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
		pairs[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
	}
	/* pairs[2k + odd]: words odd, odd+2, odd+4, odd+6 of messages 2k and 2k+1. */
#pragma GCC unroll 2
	for (i = 0; i < 2; i++) {
		quads[i] = _mm512_shuffle_i64x2(pairs[i], pairs[i + 2], 0x88);
		quads[i + 2] = _mm512_shuffle_i64x2(pairs[i], pairs[i + 2], 0xdd);
		quads[i + 4] = _mm512_shuffle_i64x2(pairs[i + 4], pairs[i + 6], 0x88);
		quads[i + 6] = _mm512_shuffle_i64x2(pairs[i + 4], pairs[i + 6], 0xdd);
	}
	/* quads[n], n below 4: words n and n+4 of messages 0-3; quads[n + 4]: of 4-7. */
#pragma GCC unroll 4
	for (i = 0; i < 4; i++) {
		v[i] = _mm512_shuffle_i64x2(quads[i], quads[i + 4], 0x88);
		v[i + 4] = _mm512_shuffle_i64x2(quads[i], quads[i + 4], 0xdd);
	}
}

/* 64 bytes of a lane's next block, from byte `at` of it: what the message still
 * has there, then the padding's first byte if it falls here, then zeros. A
 * masked load touches no byte beyond the message. */
X8_INLINE __m512i load_chunk(const struct keccak_lane *lane, size_t at)
{
	size_t here = lane->left > at ? lane->left - at : 0;
	__mmask64 present = here < 64 ? _bzhi_u64(~0ull, (unsigned)here) : ~0ull;
	__mmask64 pad = lane->left >= at && here < 64 ? 1ull << here : 0;
	__m512i v;

	if (!present)
		return _mm512_maskz_set1_epi8(pad, 0x01);
	v = _mm512_maskz_loadu_epi8(present, lane->next + at);
	return _mm512_mask_mov_epi8(v, pad, _mm512_set1_epi8(0x01));
}

/* The last 8 bytes of a lane's next block, with all padding that falls there. */
static uint64_t load_last_word(const struct keccak_lane *lane)
{
	uint8_t word[8] = { 0 };

	if (lane->left >= KECCAK_RATE)
		return load_le64(lane->next + 128);
	if (lane->left >= 128) {
		memcpy(word, lane->next + 128, lane->left - 128);
		word[lane->left - 128] = 0x01;
	}
	word[7] |= 0x80;
	return load_le64(word);
}

X8_INLINE void absorb_chunk(__m512i *state, const struct keccak_lane lanes[8], size_t at)
{
	__m512i v[8];
	unsigned i;

#pragma GCC unroll 8
	for (i = 0; i < LANE_COUNT; i++)
		v[i] = load_chunk(&lanes[i], at);
	transpose(v);
#pragma GCC unroll 8
	for (i = 0; i < 8; i++)
		state[i] = _mm512_xor_si512(state[i], v[i]);
}

X8_INLINE void absorb(__m512i state[25], const struct keccak_lane lanes[8])
{
	uint64_t last[8];
	size_t longest = 0;
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++) {
		longest = MAX(longest, lanes[i].left);
		last[i] = load_last_word(&lanes[i]);
	}
	absorb_chunk(state, lanes, 0);
	if (longest >= 64) /* otherwise all of it is zero */
		absorb_chunk(state + 8, lanes, 64);
	state[16] = _mm512_xor_si512(state[16], _mm512_loadu_si512(last));
}

/* The first four words of every lane's state, as eight hashes. */
X8_INLINE void store_hashes(struct hash hashes[8], const __m512i state[25])
{
	__m512i even = _mm512_unpacklo_epi64(state[0], state[1]);
	__m512i odd = _mm512_unpackhi_epi64(state[0], state[1]);
	__m512i even_high = _mm512_unpacklo_epi64(state[2], state[3]);
	__m512i odd_high = _mm512_unpackhi_epi64(state[2], state[3]);

	/* even: words 0 and 1 of messages 0, 2, 4, 6; even_high: words 2 and 3. */
#define STORE_PAIR(n) \
	do { \
		_mm_storeu_si128((__m128i *)(void *)hashes[2 * (n)].bytes, \
				 _mm512_extracti32x4_epi32(even, n)); \
		_mm_storeu_si128((__m128i *)(void *)(hashes[2 * (n)].bytes + 16), \
				 _mm512_extracti32x4_epi32(even_high, n)); \
		_mm_storeu_si128((__m128i *)(void *)hashes[2 * (n) + 1].bytes, \
				 _mm512_extracti32x4_epi32(odd, n)); \
		_mm_storeu_si128((__m128i *)(void *)(hashes[2 * (n) + 1].bytes + 16), \
				 _mm512_extracti32x4_epi32(odd_high, n)); \
	} while (0)
	STORE_PAIR(0);
	STORE_PAIR(1);
	STORE_PAIR(2);
	STORE_PAIR(3);
#undef STORE_PAIR
}

/* --- the loop --- */

/* Keeps the state of the lanes that go on and clears those in `ended`. */
X8_INLINE void clear_lanes(__m512i state[25], unsigned ended)
{
	unsigned i;

	for (i = 0; i < 25; i++)
		state[i] = _mm512_maskz_mov_epi64((__mmask8)~ended, state[i]);
}

X8 void keccak_x8(struct hash out[], const struct bytes messages[], size_t count)
{
	struct keccak_job job = { .out = out, .messages = messages, .count = count };
	struct keccak_lane lanes[LANE_COUNT];
	struct hash hashes[LANE_COUNT];
	__m512i state[25];
	unsigned i, ended;

	for (i = 0; i < 25; i++)
		state[i] = _mm512_setzero_si512();
	for (i = 0; i < LANE_COUNT; i++)
		keccak_lane_fill(&lanes[i], &job);
	while (job.given < count) {
		absorb(state, lanes);
		permute_x8(state);
		ended = keccak_lanes_advance(lanes, LANE_COUNT);
		if (!ended)
			continue;
		store_hashes(hashes, state);
		clear_lanes(state, ended);
		keccak_lanes_turn(lanes, LANE_COUNT, &job, ended, hashes);
	}
}

#else

bool keccak_x8_available(void)
{
	return false;
}

void keccak_x8(struct hash out[], const struct bytes messages[], size_t count)
{
	UNREACHABLE();
}

#endif
