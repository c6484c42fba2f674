/*
 * cache - a bounded table from fixed-size keys to fixed-size values, with a
 * second chance before an entry goes, and with entries that must not go.
 *
 *   slots:  [k v h r] [k v h r] [k v h r] …   <- the hand goes round: an entry that was
 *              ^                                  used since last time is passed by once
 *            buckets (chains of slot numbers)
 *
 * An entry is pinned while its height is above the cache's settled height: it
 * holds what the database does not have yet. The cache grows beyond its bound
 * only for pinned entries. One thread.
 */
#ifndef WEFT_STORE_CACHE_H
#define WEFT_STORE_CACHE_H

#include "base/bytes.h"

struct cache;

/* Called with the value of an entry that goes. */
typedef void (*cache_evict_fn)(void *ctx, void *value);

/* `key_size` 1-64; `count_max` entries; `seed` keys the hash. `evict` may be NULL. */
struct cache *cache_new(size_t key_size, size_t value_size, size_t count_max, uint64_t seed,
			cache_evict_fn evict, void *ctx);
void cache_free(struct cache *c);

/* The value, or NULL. Valid until the next put. */
void *cache_get(struct cache *c, const void *key);

/* The value of `key`, to be written by the caller: what was there, or zero bytes
 * (`*added`, may be NULL) after another entry may have gone. `height` pins it if
 * it is above the settled height; a pin never moves down. */
void *cache_put(struct cache *c, const void *key, uint64_t height, bool *added);

/* Everything up to `height` is in the database: those pins end. */
void cache_settle(struct cache *c, uint64_t height);

/* Lets one entry that is not pinned go; false if none is found soon. */
bool cache_evict_one(struct cache *c);

size_t cache_count(const struct cache *c);

#endif
