/*
 * u256 - unsigned 256-bit integers: balances, storage words, signature halves.
 *
 * Limb 0 is the least significant. Addition, subtraction and multiplication
 * report overflow; nothing wraps without the caller knowing.
 */
#ifndef WEFT_BASE_U256_H
#define WEFT_BASE_U256_H

#include "base/bytes.h"

struct u256 {
	uint64_t limbs[4];
};

#define U256_DECIMAL_MAX 78 /* digits of 2^256 - 1 */

static inline struct u256 u256_of(uint64_t v)
{
	return (struct u256){ { v, 0, 0, 0 } };
}

static inline bool u256_is_zero(const struct u256 *a)
{
	return (a->limbs[0] | a->limbs[1] | a->limbs[2] | a->limbs[3]) == 0;
}

static inline bool u256_equal(const struct u256 *a, const struct u256 *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* < 0, 0 or > 0 as a is below, equal to or above b. */
int u256_compare(const struct u256 *a, const struct u256 *b);

/* True if the value fits 64 bits. */
static inline bool u256_fits_u64(const struct u256 *a)
{
	return (a->limbs[1] | a->limbs[2] | a->limbs[3]) == 0;
}

/* out = a + b, a - b, a * b modulo 2^256. True if the true result differs, that
 * is, on a carry out, a borrow, or a product of more than 256 bits. `out` may
 * be an operand. */
bool u256_add(struct u256 *out, const struct u256 *a, const struct u256 *b);
bool u256_sub(struct u256 *out, const struct u256 *a, const struct u256 *b);
bool u256_mul(struct u256 *out, const struct u256 *a, const struct u256 *b);
bool u256_mul_u64(struct u256 *out, const struct u256 *a, uint64_t b);

/* out = ⌊a / divisor⌋; returns the remainder. divisor > 0. */
uint64_t u256_div_u64(struct u256 *out, const struct u256 *a, uint64_t divisor);

/* Big-endian: 32 bytes exactly, or the value of at most 32 bytes. */
void u256_to_be32(uint8_t out[32], const struct u256 *a);
struct u256 u256_from_be(struct bytes be);

/* How many bytes the value needs without leading zeros: 0 for zero, else 1-32. */
size_t u256_byte_length(const struct u256 *a);

/* Decimal text without leading zeros, with its NUL; returns `out`. */
char *u256_to_decimal(char out[U256_DECIMAL_MAX + 1], const struct u256 *a);

/* False if `text` is not 1-78 decimal digits or the value needs more than 256 bits. */
bool u256_from_decimal(struct u256 *out, struct bytes text);

#endif
