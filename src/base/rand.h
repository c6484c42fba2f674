/*
 * rand - a seeded random generator: the same seed gives the same run.
 *
 * For simulation, tests, jitter and sampling; never for keys (io and OpenSSL
 * give entropy). xoshiro256** seeded through splitmix64 (Blackman, Vigna 2018).
 */
#ifndef WEFT_BASE_RAND_H
#define WEFT_BASE_RAND_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);

/* Uniform in [0, bound); bound > 0. */
uint64_t rng_below(struct rng *r, uint64_t bound);

#endif
