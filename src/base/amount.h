/*
 * amount - quantities that are easily confused, each a type of its own.
 *
 * Wei are the coin's smallest part (18 decimals); weight is voting weight.
 * Gas stays a plain uint64_t with the suffix `_gas`: the interpreter counts in
 * it at every step, and no other 64-bit count stands beside it there.
 */
#ifndef WEFT_BASE_AMOUNT_H
#define WEFT_BASE_AMOUNT_H

#include "base/u256.h"

struct wei {
	struct u256 n;
};

struct weight {
	uint64_t n;
};

#define WEI_PER_GWEI 1000000000ull
#define GWEI_PER_COIN 1000000000ull

static inline struct wei wei_of(uint64_t n)
{
	return (struct wei){ u256_of(n) };
}

static inline int wei_compare(struct wei a, struct wei b)
{
	return u256_compare(&a.n, &b.n);
}

/* Sum, difference and price times gas; true if the true result does not fit. */
static inline bool wei_add(struct wei *out, struct wei a, struct wei b)
{
	return u256_add(&out->n, &a.n, &b.n);
}

static inline bool wei_sub(struct wei *out, struct wei a, struct wei b)
{
	return u256_sub(&out->n, &a.n, &b.n);
}

static inline bool wei_mul_gas(struct wei *out, struct wei price, uint64_t count_gas)
{
	return u256_mul_u64(&out->n, &price.n, count_gas);
}

#endif
