/*
 * map - a hash map from fixed-size keys to fixed-size values.
 *
 * Open addressing with linear probing and backward-shift deletion; it grows at
 * 3/4 full. Keys are raw bytes, so a key struct has no padding. The hash is
 * keyed with a seed (SipHash-1-3), so that a peer who chooses the keys cannot
 * choose the collisions; the caller draws the seed, tests pass a constant.
 *
 * Pointers to values stay valid until a key is added or deleted.
 */
#ifndef WEFT_BASE_MAP_H
#define WEFT_BASE_MAP_H

#include "base/bytes.h"

struct map {
	uint8_t *entries; /* capacity × entry_size bytes: key, padding, value */
	uint8_t *used;    /* one flag an entry */
	size_t count;
	size_t capacity;  /* 0 or a power of two */
	size_t key_size, value_size, entry_size;
	uint64_t seed[2];
};

/* An empty map; allocates nothing yet. `key_size` 1-64 bytes. */
void map_init(struct map *m, size_t key_size, size_t value_size, uint64_t seed);

/* Frees everything; the map is then empty and usable. */
void map_clear(struct map *m);

/* Forgets the entries and keeps the memory. */
void map_reset(struct map *m);

/* The value of `key`, or NULL. */
void *map_get(const struct map *m, const void *key);

/* The value of `key`, added as zero bytes if it was not there; `*added` (may be
 * NULL) says which. */
void *map_put(struct map *m, const void *key, bool *added);

/* True if `key` was there. */
bool map_delete(struct map *m, const void *key);

/* Walks all entries in no useful order: start with *cursor = 0; false at the
 * end. The map must not change meanwhile. */
bool map_next(const struct map *m, size_t *cursor, const void **key, void **value);

/* SipHash-1-3 of `data` under the 128-bit key `seed`: for tables elsewhere. */
uint64_t siphash13(const uint64_t seed[2], struct bytes data);

#endif
