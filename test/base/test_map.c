#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "base/rand.h"

static uint64_t *put(struct map *m, uint64_t key, bool *added)
{
	return map_put(m, &key, added);
}

static uint64_t *get(const struct map *m, uint64_t key)
{
	return map_get(m, &key);
}

static bool delete(struct map *m, uint64_t key)
{
	return map_delete(m, &key);
}

static size_t home_of(const struct map *m, uint64_t key)
{
	return (size_t)siphash13(m->seed, bytes_of(&key, sizeof(key))) & (m->capacity - 1);
}

/* Every entry is found where a lookup walks: no hole between its home and it. */
static void check_runs(const struct map *m)
{
	size_t cursor = 0, count = 0;
	const void *key;
	void *value;

	while (map_next(m, &cursor, &key, &value)) {
		cr_assert_eq(map_get(m, key), value);
		count++;
	}
	cr_assert_eq(count, m->count);
	cr_assert_leq(m->count * 4, m->capacity * 3);
}

/* The reference's values under the zero key, messages 0, 1, 2, …; the last row
 * is the first of its 00…0f key. */
Test(siphash13, give_published_values)
{
	static const struct {
		size_t size;
		uint64_t want;
	} rows[] = {
		{ 0, 0xd1fba762150c532c }, { 1, 0x68a914128e01e473 }, { 3, 0x4d4c9a4a8ef6e0ad },
		{ 7, 0x2f098ab0c751325a }, { 8, 0xead411e67ebe2eea }, { 9, 0x75927f9d95124362 },
		{ 15, 0xf30eb725bb91c9ea }, { 16, 0x8972188433a5c5b7 }, { 20, 0x639e355ae68c0100 },
		{ 32, 0x31ef8061c910629b }, { 63, 0x385d3e39e5f37359 }, { 64, 0x75e05fd5bbc870c6 },
	};
	static const uint64_t zero[2], counting[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	uint8_t message[64];

	for (uint8_t i = 0; i < sizeof(message); i++)
		message[i] = i;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		cr_assert_eq(siphash13(zero, bytes_of(message, rows[i].size)), rows[i].want, "%zu",
			     rows[i].size);
	cr_assert_eq(siphash13(counting, bytes_of(message, 0)), 0xabac0158050fc4dc);
}

Test(map, empty_map_has_nothing)
{
	struct map m;
	size_t cursor = 0;
	const void *key;
	void *value;

	map_init(&m, 8, 8, 1);
	cr_assert_null(get(&m, 1));
	cr_assert_not(delete(&m, 1));
	cr_assert_not(map_next(&m, &cursor, &key, &value));
	map_reset(&m);
	map_clear(&m);
	map_clear(&m);
}

Test(map, put_adds_zero_and_finds_again)
{
	struct map m;
	bool added = false;
	uint64_t *v;

	map_init(&m, 8, 8, 1);
	v = put(&m, 5, &added);
	cr_assert(added);
	cr_assert_eq(*v, 0);
	*v = 55;
	cr_assert_eq(*put(&m, 5, &added), 55);
	cr_assert_not(added);
	cr_assert_eq(m.count, 1);
	cr_assert_eq(*get(&m, 5), 55);
	cr_assert(delete(&m, 5));
	cr_assert_not(delete(&m, 5));
	cr_assert_eq(*put(&m, 5, NULL), 0, "a value does not come back");
	map_clear(&m);
}

Test(map, put_of_what_is_there_does_not_grow)
{
	struct map m;

	map_init(&m, 8, 8, 1);
	for (uint64_t k = 0; k < 12; k++)
		put(&m, k, NULL);
	cr_assert_eq(m.capacity, 16, "3/4 full");
	for (uint64_t k = 0; k < 12; k++) {
		size_t cursor = 0;
		const void *key;
		void *value;

		/* A key that lies in the map must not be freed under map_put(). */
		while (map_next(&m, &cursor, &key, &value))
			cr_assert_eq(map_put(&m, key, NULL), value);
	}
	cr_assert_eq(m.capacity, 16);
	put(&m, 12, NULL);
	cr_assert_eq(m.capacity, 32);
	check_runs(&m);
	map_clear(&m);
}

/* Against a plain array indexed by the key. */
static void run_against_model(uint64_t seed, uint64_t key_count, unsigned steps)
{
	uint64_t *model = xcalloc(key_count, sizeof(*model)); /* 0: not there */
	size_t count = 0;
	struct map m;
	struct rng r;

	rng_init(&r, seed);
	map_init(&m, 8, 8, seed);
	for (unsigned i = 0; i < steps; i++) {
		uint64_t key = rng_below(&r, key_count), *v;
		bool added;

		/* Waves: more puts for a while, then more deletions. */
		if (rng_below(&r, 16) < (i / 1024 % 2 ? 5 : 11)) {
			v = put(&m, key, &added);
			cr_assert_eq(added, model[key] == 0);
			cr_assert_eq(*v, model[key]);
			count += added;
			*v = model[key] = rng_next(&r) | 1;
		} else {
			cr_assert_eq(delete(&m, key), model[key] != 0);
			count -= model[key] != 0;
			model[key] = 0;
		}
		cr_assert_eq(m.count, count);
		key = rng_below(&r, key_count);
		v = get(&m, key);
		cr_assert_eq(v ? *v : 0, model[key]);
		if (i % 512 == 0)
			check_runs(&m);
	}
	for (uint64_t key = 0; key < key_count; key++) {
		uint64_t *v = get(&m, key);

		cr_assert_eq(v ? *v : 0, model[key]);
	}
	check_runs(&m);
	map_clear(&m);
	free(model);
}

Test(map, random_operations_equal_model)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		run_against_model(seed, 12, 4096);
		run_against_model(seed, 200, 8192);
		run_against_model(seed, 5000, 20000);
	}
}

/* Keys with one home make one run, here over the end of the table; deletion in
 * any order keeps the rest findable. */
Test(map, delete_in_a_colliding_run_keeps_the_rest)
{
	uint64_t keys[10];

	for (size_t home = 0; home < 16; home++) {
		for (size_t first = 0; first < ARRAY_COUNT(keys); first++) {
			size_t count = 0;
			struct map m;

			map_init(&m, 8, 8, 77);
			put(&m, 1ull << 60, NULL);
			for (uint64_t k = 0; count < ARRAY_COUNT(keys); k++)
				if (home_of(&m, k) == (home + (count % 3 == 2)) % 16)
					keys[count++] = k;
			for (size_t i = 0; i < count; i++)
				*put(&m, keys[i], NULL) = i;
			cr_assert_eq(m.capacity, 16);
			for (size_t i = 0; i < count; i++) {
				size_t gone = (first + i * 7) % count;

				cr_assert(delete(&m, keys[gone]));
				cr_assert_null(get(&m, keys[gone]));
				check_runs(&m);
			}
			cr_assert_eq(m.count, 1);
			map_clear(&m);
		}
	}
}

Test(map, grow_keeps_everything)
{
	struct map m;

	map_init(&m, 8, 8, 3);
	for (uint64_t k = 0; k < 50000; k++)
		*put(&m, k, NULL) = ~k;
	for (uint64_t k = 0; k < 50000; k++)
		cr_assert_eq(*get(&m, k), ~k);
	cr_assert_null(get(&m, 50000));
	check_runs(&m);
	map_reset(&m);
	cr_assert_eq(m.count, 0);
	cr_assert_gt(m.capacity, 50000);
	cr_assert_null(get(&m, 5));
	put(&m, 5, NULL);
	check_runs(&m);
	map_clear(&m);
	cr_assert_null(get(&m, 5));
}

Test(map, every_key_size_works)
{
	for (size_t size = 1; size <= 64; size++) {
		uint8_t key[64] = { 0 };
		struct map m;

		map_init(&m, size, size == 3 ? 0 : 12, size);
		for (unsigned k = 0; k < 100; k++) {
			uint8_t *v;

			key[size - 1] = (uint8_t)k;
			v = map_put(&m, key, NULL);
			cr_assert_eq((uintptr_t)v % 8, 0, "a value is aligned");
			if (m.value_size)
				memset(v, (int)k, m.value_size);
		}
		cr_assert_eq(m.count, 100);
		for (unsigned k = 0; k < 100; k++) {
			uint8_t *v;

			key[size - 1] = (uint8_t)k;
			v = map_get(&m, key);
			cr_assert_not_null(v);
			if (m.value_size)
				cr_assert(v[0] == k && v[11] == k);
		}
		map_clear(&m);
	}
}

Test(map, seed_changes_the_order)
{
	unsigned same = 0;
	struct map a, b;

	map_init(&a, 8, 8, 1);
	map_init(&b, 8, 8, 2);
	put(&a, 0, NULL);
	put(&b, 0, NULL);
	for (uint64_t k = 0; k < 1000; k++)
		same += home_of(&a, k) == home_of(&b, k);
	cr_assert_lt(same, 120, "1 in 16 by chance: %u", same);
	map_clear(&a);
	map_clear(&b);
}

Test(map, key_size_zero_aborts, .signal = SIGABRT)
{
	struct map m;

	map_init(&m, 0, 8, 1);
}

Test(map, key_size_too_large_aborts, .signal = SIGABRT)
{
	struct map m;

	map_init(&m, 65, 8, 1);
}
