#include "store/cache.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"

#define NONE UINT32_MAX
#define ALIGNMENT 8
/* Pinned entries that the hand passes before the cache rather grows. */
#define PINNED_STEPS 1024
#define GROW_COUNT 1024

struct entry {
	uint64_t height;
	uint32_t next; /* in its bucket */
	bool in_use;
	bool referenced;
	uint8_t data[] __attribute__((aligned(ALIGNMENT))); /* key, value */
};

struct cache {
	uint8_t *entries;
	size_t entry_size, key_size, key_space, value_size;
	size_t count, capacity, count_max;
	uint32_t *buckets; /* a power of two of them */
	size_t bucket_count;
	size_t hand;
	uint32_t free_first; /* entries not in use, chained by next */
	uint64_t settled;
	uint64_t seed[2];
	cache_evict_fn evict;
	void *ctx;
};

static struct entry *at(const struct cache *c, size_t i)
{
	return (struct entry *)(void *)(c->entries + i * c->entry_size);
}

static uint32_t *bucket(const struct cache *c, const void *key)
{
	return &c->buckets[siphash13(c->seed, bytes_of(key, c->key_size)) & (c->bucket_count - 1)];
}

static void rehash(struct cache *c)
{
	while (c->bucket_count < c->capacity)
		c->bucket_count *= 2;
	free(c->buckets);
	c->buckets = xmalloc(c->bucket_count * sizeof(c->buckets[0]));
	memset(c->buckets, 0xff, c->bucket_count * sizeof(c->buckets[0]));
	for (size_t i = 0; i < c->capacity; i++) {
		struct entry *e = at(c, i);
		uint32_t *head;

		if (!e->in_use)
			continue;
		head = bucket(c, e->data);
		e->next = *head;
		*head = (uint32_t)i;
	}
}

/* Makes room for more entries; those before keep their places. */
static void grow(struct cache *c, size_t more)
{
	size_t capacity = c->capacity + more;

	CHECK(capacity < NONE);
	c->entries = xrealloc(c->entries, capacity * c->entry_size);
	memset(c->entries + c->capacity * c->entry_size, 0, more * c->entry_size);
	for (size_t i = capacity; i-- > c->capacity;) {
		at(c, i)->next = c->free_first;
		c->free_first = (uint32_t)i;
	}
	c->capacity = capacity;
	if (c->bucket_count < capacity)
		rehash(c);
}

struct cache *cache_new(size_t key_size, size_t value_size, size_t count_max, uint64_t seed,
			cache_evict_fn evict, void *ctx)
{
	struct cache *c = xcalloc(1, sizeof(*c));

	CHECK(key_size >= 1 && key_size <= 64 && count_max > 0);
	c->key_size = key_size;
	c->key_space = (key_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	c->value_size = value_size;
	c->entry_size = (sizeof(struct entry) + c->key_space + value_size + ALIGNMENT - 1) /
			ALIGNMENT * ALIGNMENT;
	c->count_max = count_max;
	c->bucket_count = 1;
	c->free_first = NONE;
	c->seed[0] = seed;
	c->seed[1] = ~seed;
	c->evict = evict;
	c->ctx = ctx;
	return c;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->evict && i < c->capacity; i++)
		if (at(c, i)->in_use)
			c->evict(c->ctx, at(c, i)->data + c->key_space);
	free(c->entries);
	free(c->buckets);
	free(c);
}

static struct entry *find(const struct cache *c, const void *key)
{
	if (!c->count)
		return NULL;
	for (uint32_t i = *bucket(c, key); i != NONE; i = at(c, i)->next)
		if (memcmp(at(c, i)->data, key, c->key_size) == 0)
			return at(c, i);
	return NULL;
}

void *cache_get(struct cache *c, const void *key)
{
	struct entry *e = find(c, key);

	if (!e)
		return NULL;
	e->referenced = true;
	return e->data + c->key_space;
}

static void drop(struct cache *c, uint32_t i)
{
	struct entry *e = at(c, i);
	uint32_t *link = bucket(c, e->data);

	while (*link != i)
		link = &at(c, *link)->next;
	*link = e->next;
	if (c->evict)
		c->evict(c->ctx, e->data + c->key_space);
	e->in_use = false;
	e->next = c->free_first;
	c->free_first = i;
	c->count--;
}

bool cache_evict_one(struct cache *c)
{
	size_t pinned = 0;

	/* Twice round is enough: the first passes used entries by, each of which a
	 * get has paid for. */
	for (size_t step = 0; step < 2 * c->capacity && pinned < PINNED_STEPS; step++) {
		size_t i = c->hand;
		struct entry *e = at(c, i);

		c->hand = i + 1 == c->capacity ? 0 : i + 1;
		if (!e->in_use)
			continue;
		if (e->height > c->settled) {
			pinned++;
			continue;
		}
		if (!e->referenced) {
			drop(c, (uint32_t)i);
			return true;
		}
		e->referenced = false;
	}
	return false;
}

void *cache_put(struct cache *c, const void *key, uint64_t height, bool *added)
{
	struct entry *e = find(c, key);
	uint32_t *head, i;

	if (added)
		*added = !e;
	if (!e) {
		if (c->count >= c->count_max)
			cache_evict_one(c);
		/* Grown in steps that double, up to the bound; then as pins ask for. */
		if (c->free_first == NONE)
			grow(c, MAX(MIN(c->capacity, c->count_max - MIN(c->capacity, c->count_max)),
				    (size_t)GROW_COUNT));
		i = c->free_first;
		e = at(c, i);
		c->free_first = e->next;
		memset(e, 0, c->entry_size);
		memcpy(e->data, key, c->key_size);
		e->in_use = true;
		head = bucket(c, key);
		e->next = *head;
		*head = i;
		c->count++;
	} else {
		e->referenced = true;
	}
	e->height = MAX(e->height, height);
	return e->data + c->key_space;
}

void cache_settle(struct cache *c, uint64_t height)
{
	CHECK(height >= c->settled);
	c->settled = height;
}

size_t cache_count(const struct cache *c)
{
	return c->count;
}
