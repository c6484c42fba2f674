#include <criterion/criterion.h>

#include "base/check.h"
#include "base/rand.h"
#include "store/cache.h"

static void put(struct cache *c, uint32_t key, uint64_t value, uint64_t height)
{
	uint64_t *v = cache_put(c, &key, height, NULL);

	*v = value;
}

static const uint64_t *get(struct cache *c, uint32_t key)
{
	return cache_get(c, &key);
}

Test(cache, keep_within_bound)
{
	struct cache *c = cache_new(4, 8, 2000, 1, NULL, NULL);

	for (uint32_t i = 0; i < 100000; i++) {
		put(c, i, i * 3, 0);
		cr_assert(cache_count(c) <= 2000);
		cr_assert_eq(*get(c, i), i * 3);
	}
	cr_assert(cache_count(c) > 1900);
	cache_free(c);
}

/* What is used often outlives a scan of what is used once. */
Test(cache, give_second_chance)
{
	struct cache *c = cache_new(4, 8, 4096, 1, NULL, NULL);
	size_t kept = 0;

	for (uint32_t i = 0; i < 100; i++)
		put(c, i, i, 0);
	for (uint32_t i = 1000; i < 60000; i++) {
		put(c, i, i, 0);
		get(c, i % 100);
	}
	for (uint32_t i = 0; i < 100; i++)
		kept += get(c, i) != NULL;
	cr_assert_eq(kept, 100);
	cache_free(c);
}

Test(cache, keep_pinned_beyond_bound)
{
	struct cache *c = cache_new(4, 8, 1024, 1, NULL, NULL);

	for (uint32_t i = 0; i < 10000; i++)
		put(c, i, i, 1 + i / 1000);
	cr_assert_eq(cache_count(c), 10000);
	cache_settle(c, 5);
	for (uint32_t i = 20000; i < 40000; i++)
		put(c, i, i, 0);
	for (uint32_t i = 5000; i < 10000; i++)
		cr_assert_eq(*get(c, i), i);
	/* A pin never moves down. */
	put(c, 9999, 1, 0);
	for (uint32_t i = 40000; i < 80000; i++)
		put(c, i, i, 0);
	cr_assert_eq(*get(c, 9999), 1);
	cache_free(c);
}

static void count_evicted(void *ctx, void *value)
{
	uint64_t *sum = ctx, v;

	memcpy(&v, value, sizeof(v));
	*sum += v;
}

Test(cache, give_every_value_back_once)
{
	uint64_t sum = 0, expected = 0;
	struct cache *c = cache_new(4, 8, 100, 1, count_evicted, &sum);

	for (uint32_t i = 0; i < 5000; i++) {
		put(c, i, i, 0);
		expected += i;
	}
	while (cache_evict_one(c))
		;
	cr_assert_eq(cache_count(c), 0);
	put(c, 1, 7, 0);
	cache_free(c);
	cr_assert_eq(sum, expected + 7);
}
