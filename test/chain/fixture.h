/*
 * fixture - keys, validator sets and values that several of this folder's tests
 * start from. The same every time.
 */
#ifndef TEST_CHAIN_FIXTURE_H
#define TEST_CHAIN_FIXTURE_H

#include <criterion/criterion.h>

#include "chain/block.h"
#include "chain/validators.h"

#define CHAIN_ID 31337

/* Bytes from hexadecimal, blanks skipped; end with buf_clear(). */
struct buf from_hex(const char *text);
struct hash hash_from_hex(const char *text);
struct addr addr_from_hex(const char *text);

/* A hash, address or key that differs for every `n`. */
struct hash hash_of(uint64_t n);
struct addr addr_of(uint64_t n);
struct secret_key key_of(uint64_t n);

struct ecc *test_ecc(void);

/* `count` validators of the weights given (NULL: 1 each); keys[i] is member i's. */
void make_set(struct validator_set *out, struct secret_key keys[], size_t count,
	      const uint64_t weights[]);

/* A signed transaction of each type; `n` differs in all fields. */
struct tx *make_tx(enum tx_type type, uint64_t n);

/* A block with `tx_count` transactions and a withdrawal, whose parts agree. */
void make_block(struct block *out, size_t tx_count);

/* After a change of time, lists or commitments: makes the header agree again. */
void reseal(struct block *b);

#define assert_bytes(got, want) assert_bytes_at(__FILE__, __LINE__, (got), (want))
void assert_bytes_at(const char *file, int line, struct bytes got, struct bytes want);

/* The message holds `text`. */
#define assert_message(err, text) \
	cr_assert(strstr((err)->message, (text)), "\"%s\" lacks \"%s\"", (err)->message, (text))

#endif
