/*
 * word - the EVM's arithmetic: 256-bit words modulo 2^256, limb 0 the least
 * significant (base/u256.h). Short operations stand here, to become part of the
 * interpreter's instructions; long ones in word.c.
 *
 * Everywhere the result may be an operand.
 */
#ifndef WEFT_VM_WORD_H
#define WEFT_VM_WORD_H

#include "base/u256.h"

typedef unsigned __int128 word_u128;

#if defined(__has_builtin)
#if __has_builtin(__builtin_addcll)
#define WORD_ADDC_BUILTIN 1
#endif
#endif

/* *sum = a + b + carry; gives the carry out. */
static inline uint64_t word_addc(uint64_t *sum, uint64_t a, uint64_t b, uint64_t carry)
{
#ifdef WORD_ADDC_BUILTIN
	unsigned long long out;

	*sum = __builtin_addcll(a, b, carry, &out);
	return out;
#elif defined(__x86_64__)
	unsigned long long s;
	unsigned char out = __builtin_ia32_addcarryx_u64((unsigned char)carry, a, b, &s);

	*sum = s;
	return out;
#else
	word_u128 s = (word_u128)a + b + carry;

	*sum = (uint64_t)s;
	return (uint64_t)(s >> 64);
#endif
}

static inline uint64_t word_subb(uint64_t *difference, uint64_t a, uint64_t b, uint64_t borrow)
{
#ifdef WORD_ADDC_BUILTIN
	unsigned long long out;

	*difference = __builtin_subcll(a, b, borrow, &out);
	return out;
#elif defined(__x86_64__)
	unsigned long long d;
	unsigned char out = __builtin_ia32_sbb_u64((unsigned char)borrow, a, b, &d);

	*difference = d;
	return out;
#else
	word_u128 d = (word_u128)a - b - borrow;

	*difference = (uint64_t)d;
	return (uint64_t)(d >> 64) & 1;
#endif
}

static inline uint64_t word_add(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	uint64_t r0, r1, r2, r3, c;

	c = word_addc(&r0, a->limbs[0], b->limbs[0], 0);
	c = word_addc(&r1, a->limbs[1], b->limbs[1], c);
	c = word_addc(&r2, a->limbs[2], b->limbs[2], c);
	c = word_addc(&r3, a->limbs[3], b->limbs[3], c);
	out->limbs[0] = r0;
	out->limbs[1] = r1;
	out->limbs[2] = r2;
	out->limbs[3] = r3;
	return c;
}

static inline uint64_t word_sub(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	uint64_t r0, r1, r2, r3, c;

	c = word_subb(&r0, a->limbs[0], b->limbs[0], 0);
	c = word_subb(&r1, a->limbs[1], b->limbs[1], c);
	c = word_subb(&r2, a->limbs[2], b->limbs[2], c);
	c = word_subb(&r3, a->limbs[3], b->limbs[3], c);
	out->limbs[0] = r0;
	out->limbs[1] = r1;
	out->limbs[2] = r2;
	out->limbs[3] = r3;
	return c;
}

/* a < b, by the borrow of a - b. */
static inline uint64_t word_less(const struct u256 *a, const struct u256 *b)
{
	uint64_t d, c;

	c = word_subb(&d, a->limbs[0], b->limbs[0], 0);
	c = word_subb(&d, a->limbs[1], b->limbs[1], c);
	c = word_subb(&d, a->limbs[2], b->limbs[2], c);
	return word_subb(&d, a->limbs[3], b->limbs[3], c);
}

static inline uint64_t word_less_signed(const struct u256 *a, const struct u256 *b)
{
	uint64_t sign_a = a->limbs[3] >> 63, sign_b = b->limbs[3] >> 63;

	return sign_a != sign_b ? sign_a : word_less(a, b);
}

static inline uint64_t word_equal(const struct u256 *a, const struct u256 *b)
{
	return ((a->limbs[0] ^ b->limbs[0]) | (a->limbs[1] ^ b->limbs[1]) |
		(a->limbs[2] ^ b->limbs[2]) | (a->limbs[3] ^ b->limbs[3])) == 0;
}

static inline uint64_t word_is_zero(const struct u256 *a)
{
	return (a->limbs[0] | a->limbs[1] | a->limbs[2] | a->limbs[3]) == 0;
}

static inline void word_set(struct u256 *out, uint64_t v)
{
	out->limbs[0] = v;
	out->limbs[1] = out->limbs[2] = out->limbs[3] = 0;
}

/* Limb by limb, which the empty assembly keeps compilers from undoing: a wide load of
 * what was just stored in limbs waits until the stores have reached the cache. */
static inline void word_copy(struct u256 *out, const struct u256 *a)
{
	uint64_t v0 = a->limbs[0], v1 = a->limbs[1], v2 = a->limbs[2], v3 = a->limbs[3];

	__asm__("" : "+r"(v0), "+r"(v1), "+r"(v2), "+r"(v3));
	out->limbs[0] = v0;
	out->limbs[1] = v1;
	out->limbs[2] = v2;
	out->limbs[3] = v3;
}

static inline void word_swap(struct u256 *a, struct u256 *b)
{
	uint64_t a0 = a->limbs[0], a1 = a->limbs[1], b0 = b->limbs[0], b1 = b->limbs[1];
	uint64_t a2, a3, b2, b3;

	__asm__("" : "+r"(a0), "+r"(a1), "+r"(b0), "+r"(b1));
	a->limbs[0] = b0;
	a->limbs[1] = b1;
	b->limbs[0] = a0;
	b->limbs[1] = a1;
	a2 = a->limbs[2];
	a3 = a->limbs[3];
	b2 = b->limbs[2];
	b3 = b->limbs[3];
	__asm__("" : "+r"(a2), "+r"(a3), "+r"(b2), "+r"(b3));
	a->limbs[2] = b2;
	a->limbs[3] = b3;
	b->limbs[2] = a2;
	b->limbs[3] = a3;
}

static inline void word_mul(struct u256 *out, const struct u256 *a, const struct u256 *b)
{
	const uint64_t a0 = a->limbs[0], a1 = a->limbs[1], a2 = a->limbs[2], a3 = a->limbs[3];
	const uint64_t b0 = b->limbs[0], b1 = b->limbs[1], b2 = b->limbs[2], b3 = b->limbs[3];
	word_u128 t, u;
	uint64_t r1, r2, r3;

	t = (word_u128)a0 * b0;
	out->limbs[0] = (uint64_t)t;
	t = (word_u128)a0 * b1 + (uint64_t)(t >> 64);
	u = (word_u128)a1 * b0 + (uint64_t)t;
	r1 = (uint64_t)u;
	t = (word_u128)a0 * b2 + (uint64_t)(t >> 64);
	u = (word_u128)a1 * b1 + (uint64_t)t + (uint64_t)(u >> 64);
	r3 = a0 * b3 + a1 * b2 + (uint64_t)(t >> 64) + (uint64_t)(u >> 64);
	t = (word_u128)a2 * b0 + (uint64_t)u;
	r2 = (uint64_t)t;
	r3 += a2 * b1 + a3 * b0 + (uint64_t)(t >> 64);
	out->limbs[1] = r1;
	out->limbs[2] = r2;
	out->limbs[3] = r3;
}

static inline void word_add_small(struct u256 *a, uint64_t b)
{
	uint64_t c = word_addc(&a->limbs[0], a->limbs[0], b, 0);

	c = word_addc(&a->limbs[1], a->limbs[1], 0, c);
	c = word_addc(&a->limbs[2], a->limbs[2], 0, c);
	word_addc(&a->limbs[3], a->limbs[3], 0, c);
}

static inline void word_mul_small(struct u256 *a, uint64_t b)
{
	word_u128 t = (word_u128)a->limbs[0] * b;

	a->limbs[0] = (uint64_t)t;
	t = (word_u128)a->limbs[1] * b + (uint64_t)(t >> 64);
	a->limbs[1] = (uint64_t)t;
	t = (word_u128)a->limbs[2] * b + (uint64_t)(t >> 64);
	a->limbs[2] = (uint64_t)t;
	a->limbs[3] = a->limbs[3] * b + (uint64_t)(t >> 64);
}

/* n < 256 */
static inline void word_shl_small(struct u256 *out, const struct u256 *a, unsigned n)
{
	const unsigned s = n & 63;
	uint64_t v0 = a->limbs[0], v1 = a->limbs[1], v2 = a->limbs[2], v3 = a->limbs[3];

	if (n & 128) {
		v3 = v1;
		v2 = v0;
		v1 = v0 = 0;
	}
	if (n & 64) {
		v3 = v2;
		v2 = v1;
		v1 = v0;
		v0 = 0;
	}
	out->limbs[3] = v3 << s | v2 >> 1 >> (63 - s);
	out->limbs[2] = v2 << s | v1 >> 1 >> (63 - s);
	out->limbs[1] = v1 << s | v0 >> 1 >> (63 - s);
	out->limbs[0] = v0 << s;
}

/* n < 256; `fill` is 0, or all ones for a negative number's SAR. */
static inline void word_shr_small(struct u256 *out, const struct u256 *a, unsigned n, uint64_t fill)
{
	const unsigned s = n & 63;
	uint64_t v0 = a->limbs[0], v1 = a->limbs[1], v2 = a->limbs[2], v3 = a->limbs[3];

	if (n & 128) {
		v0 = v2;
		v1 = v3;
		v2 = v3 = fill;
	}
	if (n & 64) {
		v0 = v1;
		v1 = v2;
		v2 = v3;
		v3 = fill;
	}
	out->limbs[0] = v0 >> s | v1 << 1 << (63 - s);
	out->limbs[1] = v1 >> s | v2 << 1 << (63 - s);
	out->limbs[2] = v2 >> s | v3 << 1 << (63 - s);
	out->limbs[3] = v3 >> s | fill << 1 << (63 - s);
}

static inline void word_shl(struct u256 *out, const struct u256 *n, const struct u256 *a)
{
	if (__builtin_expect((n->limbs[1] | n->limbs[2] | n->limbs[3]) || n->limbs[0] > 255, 0))
		word_set(out, 0);
	else
		word_shl_small(out, a, (unsigned)n->limbs[0]);
}

static inline void word_shr(struct u256 *out, const struct u256 *n, const struct u256 *a)
{
	if (__builtin_expect((n->limbs[1] | n->limbs[2] | n->limbs[3]) || n->limbs[0] > 255, 0))
		word_set(out, 0);
	else
		word_shr_small(out, a, (unsigned)n->limbs[0], 0);
}

static inline void word_sar(struct u256 *out, const struct u256 *n, const struct u256 *a)
{
	uint64_t fill = (uint64_t)((int64_t)a->limbs[3] >> 63);

	if (__builtin_expect((n->limbs[1] | n->limbs[2] | n->limbs[3]) || n->limbs[0] > 255, 0))
		out->limbs[0] = out->limbs[1] = out->limbs[2] = out->limbs[3] = fill;
	else
		word_shr_small(out, a, (unsigned)n->limbs[0], fill);
}

/* Big-endian, 32 bytes. */
static inline void word_load(struct u256 *out, const uint8_t *p)
{
	uint64_t v3 = load_be64(p), v2 = load_be64(p + 8), v1 = load_be64(p + 16),
		 v0 = load_be64(p + 24);

	out->limbs[0] = v0;
	out->limbs[1] = v1;
	out->limbs[2] = v2;
	out->limbs[3] = v3;
}

static inline void word_store(uint8_t *p, const struct u256 *a)
{
	uint64_t v0 = a->limbs[0], v1 = a->limbs[1], v2 = a->limbs[2], v3 = a->limbs[3];

	store_be64(p, v3);
	store_be64(p + 8, v2);
	store_be64(p + 16, v1);
	store_be64(p + 24, v0);
}

/* Quotient and remainder; 0 if b is 0 (the EVM's rule). sdiv, smod: two's complement. */
void word_div(struct u256 *out, const struct u256 *a, const struct u256 *b);
void word_mod(struct u256 *out, const struct u256 *a, const struct u256 *b);
void word_sdiv(struct u256 *out, const struct u256 *a, const struct u256 *b);
void word_smod(struct u256 *out, const struct u256 *a, const struct u256 *b);

/* (a + b) mod m and (a · b) mod m without the loss of a carry; 0 if m is 0. */
void word_addmod(struct u256 *out, const struct u256 *a, const struct u256 *b, const struct u256 *m);
void word_mulmod(struct u256 *out, const struct u256 *a, const struct u256 *b, const struct u256 *m);

/* a^e */
void word_exp(struct u256 *out, const struct u256 *a, const struct u256 *e);

/* Extends the sign of the number in the lowest index + 1 bytes. */
static inline void word_signextend(struct u256 *out, const struct u256 *index, const struct u256 *a)
{
	uint64_t limb, fill;
	unsigned place, s;

	*out = *a;
	if ((index->limbs[1] | index->limbs[2] | index->limbs[3]) || index->limbs[0] >= 31)
		return;
	place = (unsigned)index->limbs[0] / 8;
	s = 56 - (unsigned)index->limbs[0] % 8 * 8;
	limb = (uint64_t)((int64_t)(a->limbs[place] << s) >> s);
	fill = (uint64_t)((int64_t)limb >> 63);
	out->limbs[3] = fill;
	if (place < 2)
		out->limbs[2] = fill;
	if (place < 1)
		out->limbs[1] = fill;
	out->limbs[place] = limb;
}

/* Byte `index` from the most significant one; 0 beyond. */
void word_byte(struct u256 *out, const struct u256 *index, const struct u256 *a);

/* Leading zero bits: 0-256. */
static inline unsigned word_clz(const struct u256 *a)
{
	for (int i = 3; i >= 0; i--)
		if (a->limbs[i])
			return (unsigned)(3 - i) * 64 + (unsigned)__builtin_clzll(a->limbs[i]);
	return 256;
}

static inline void word_of_addr(struct u256 *out, const struct addr *a)
{
	out->limbs[3] = 0;
	out->limbs[2] = load_be32(a->bytes);
	out->limbs[1] = load_be64(a->bytes + 4);
	out->limbs[0] = load_be64(a->bytes + 12);
}

static inline void word_to_addr(struct addr *out, const struct u256 *a)
{
	store_be32(out->bytes, (uint32_t)a->limbs[2]);
	store_be64(out->bytes + 4, a->limbs[1]);
	store_be64(out->bytes + 12, a->limbs[0]);
}

#endif
