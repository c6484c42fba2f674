/*
 * keccak - Keccak-256 with the padding that Ethereum uses (0x01, as before
 * FIPS 202 changed it to 0x06).
 *
 * One message at a time, or several at once: a trie hashes thousands of nodes a
 * block, and eight permutations side by side in AVX-512 registers (four in
 * AVX2) cost little more than one. Which code runs is decided at run time; no
 * instruction set is assumed when compiling.
 */
#ifndef WEFT_CRYPTO_KECCAK_H
#define WEFT_CRYPTO_KECCAK_H

#include "base/bytes.h"

#define KECCAK_RATE 136 /* bytes absorbed by one permutation */

void keccak256(struct hash *out, struct bytes message);

/* The hashes of `count` messages: out[i] is the hash of messages[i]. Messages of
 * different lengths may be mixed; neighbours of one block count share the lanes
 * best. Same results as keccak256() on every machine. */
void keccak256_batch(struct hash out[], const struct bytes messages[], size_t count);

/* For a message that comes in pieces: init, any number of updates, final once. */
struct keccak {
	uint64_t state[25];
	size_t filled; /* bytes absorbed since the last permutation */
};

void keccak_init(struct keccak *k);
void keccak_update(struct keccak *k, struct bytes piece);
void keccak_final(struct keccak *k, struct hash *out);

/* The implementations that keccak256_batch() can use. */
enum keccak_backend {
	KECCAK_SCALAR, /* one message at a time, any machine */
	KECCAK_AVX2,   /* four at once */
	KECCAK_AVX512, /* eight at once */
};

/* The best backend of this machine, and its name for reports. */
enum keccak_backend keccak_best_backend(void);
const char *keccak_backend_name(enum keccak_backend backend);

/* keccak256_batch() with a given backend, for tests and benchmarks; false, and
 * nothing done, if this machine or build lacks it. */
bool keccak256_batch_with(enum keccak_backend backend, struct hash out[],
			  const struct bytes messages[], size_t count);

#endif
