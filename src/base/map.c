#include "base/map.h"

#include <stdlib.h>

#include "base/check.h"

#define MAP_CAPACITY_MIN 16
#define MAP_KEY_MAX 64

static inline uint64_t rotl(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, with one
 * compression and three finalisation rounds. */
uint64_t siphash13(const uint64_t seed[2], struct bytes data)
{
	uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
			  seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u };
	uint64_t last = (uint64_t)data.size << 56;
	size_t whole = data.size / 8 * 8;

	for (size_t i = 0; i < whole; i += 8) {
		uint64_t m = load_le64(data.data + i);

		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = whole; i < data.size; i++)
		last |= (uint64_t)data.data[i] << 8 * (i - whole);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m, size_t key_size, size_t value_size, uint64_t seed)
{
	CHECK(key_size >= 1 && key_size <= MAP_KEY_MAX);
	*m = (struct map){
		.key_size = key_size,
		.value_size = value_size,
		.seed = { seed, seed * 0x9e3779b97f4a7c15u + 1 },
	};
	/* Values start at a multiple of 8, so that any struct may live there. */
	m->entry_size = (key_size + 7) / 8 * 8 + (value_size + 7) / 8 * 8;
}

void map_clear(struct map *m)
{
	free(m->entries);
	free(m->used);
	m->entries = m->used = NULL;
	m->count = m->capacity = 0;
}

void map_reset(struct map *m)
{
	if (m->count)
		memset(m->used, 0, m->capacity);
	m->count = 0;
}

static inline uint8_t *entry_at(const struct map *m, size_t index)
{
	return m->entries + index * m->entry_size;
}

static inline void *value_at(const struct map *m, size_t index)
{
	return entry_at(m, index) + (m->key_size + 7) / 8 * 8;
}

static inline size_t home_of(const struct map *m, const void *key)
{
	return (size_t)siphash13(m->seed, bytes_of(key, m->key_size)) & (m->capacity - 1);
}

/* The index of `key`, or of the free place where it belongs. capacity > 0. */
static size_t find(const struct map *m, const void *key)
{
	size_t index = home_of(m, key);

	while (m->used[index] && memcmp(entry_at(m, index), key, m->key_size) != 0)
		index = (index + 1) & (m->capacity - 1);
	return index;
}

static void grow(struct map *m)
{
	struct map old = *m;

	m->capacity = old.capacity ? old.capacity * 2 : MAP_CAPACITY_MIN;
	m->entries = xcalloc(m->capacity, m->entry_size);
	m->used = xcalloc(m->capacity, 1);
	for (size_t i = 0; i < old.capacity; i++) {
		size_t index;

		if (!old.used[i])
			continue;
		index = find(m, entry_at(&old, i));
		m->used[index] = 1;
		memcpy(entry_at(m, index), entry_at(&old, i), m->entry_size);
	}
	free(old.entries);
	free(old.used);
}

void *map_get(const struct map *m, const void *key)
{
	size_t index;

	if (m->count == 0)
		return NULL;
	index = find(m, key);
	return m->used[index] ? value_at(m, index) : NULL;
}

void *map_put(struct map *m, const void *key, bool *added)
{
	size_t index;
	bool is_new;

	index = m->capacity ? find(m, key) : 0;
	is_new = m->capacity == 0 || !m->used[index];
	/* Only for a new key: `key` may point to one that is here. */
	if (is_new && (m->count + 1) * 4 > m->capacity * 3) {
		grow(m);
		index = find(m, key);
	}
	if (is_new) {
		m->used[index] = 1;
		m->count++;
		memset(entry_at(m, index), 0, m->entry_size);
		memcpy(entry_at(m, index), key, m->key_size);
	}
	if (added)
		*added = is_new;
	return value_at(m, index);
}

bool map_delete(struct map *m, const void *key)
{
	size_t hole, next, mask = m->capacity - 1;

	if (m->count == 0)
		return false;
	hole = find(m, key);
	if (!m->used[hole])
		return false;
	/* Pull back every later entry of the run that may stand in the hole. */
	for (next = (hole + 1) & mask; m->used[next]; next = (next + 1) & mask) {
		size_t home = home_of(m, entry_at(m, next));

		if (((next - home) & mask) < ((next - hole) & mask))
			continue;
		memcpy(entry_at(m, hole), entry_at(m, next), m->entry_size);
		hole = next;
	}
	m->used[hole] = 0;
	m->count--;
	return true;
}

bool map_next(const struct map *m, size_t *cursor, const void **key, void **value)
{
	while (*cursor < m->capacity) {
		size_t index = (*cursor)++;

		if (!m->used[index])
			continue;
		*key = entry_at(m, index);
		*value = value_at(m, index);
		return true;
	}
	return false;
}
