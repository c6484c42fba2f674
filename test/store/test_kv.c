#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/check.h"
#include "base/rand.h"
#include "store/kv.h"
#include "store/kv_memory.h"
#include "store/scratch.h"

#define KEY_COUNT 300
#define VALUE_MAX 40

static const struct kv_options to_make = { .create = true, .cache_size = 1 << 20 };
static const struct kv_options to_open = { .cache_size = 1 << 20 };

/* The naive model: every key's value at one moment. */
struct model {
	struct {
		bool present;
		size_t size;
		uint8_t value[VALUE_MAX];
	} keys[KEY_COUNT];
};

static struct bytes key_of(size_t i, uint8_t out[4])
{
	/* Of different lengths, one the prefix of another. */
	out[0] = (uint8_t)('a' + i % 7);
	out[1] = (uint8_t)(i / 7);
	out[2] = 'x';
	return bytes_of(out, i % 2 ? 3 : 2);
}

static size_t index_of(struct bytes key)
{
	return (size_t)key.data[1] * 7 + (size_t)(key.data[0] - 'a');
}

static void write_random(struct kv *kv, struct model *m, struct rng *rng, bool sync)
{
	struct kv_batch *b = kv_batch_new(kv);
	size_t count = rng_below(rng, 30), size = 0;

	for (size_t n = 0; n < count; n++) {
		size_t i = rng_below(rng, KEY_COUNT);
		uint8_t key[4];

		m->keys[i].present = rng_below(rng, 3) != 0;
		if (m->keys[i].present) {
			m->keys[i].size = rng_below(rng, VALUE_MAX);
			for (size_t j = 0; j < m->keys[i].size; j++)
				m->keys[i].value[j] = (uint8_t)rng_next(rng);
			kv_batch_put(b, key_of(i, key),
				     bytes_of(m->keys[i].value, m->keys[i].size));
			size += m->keys[i].size;
		} else {
			kv_batch_delete(b, key_of(i, key));
		}
		size += key_of(i, key).size;
	}
	cr_assert_eq(kv_batch_size(b), size);
	cr_assert_eq(kv_write(kv, b, sync, NULL), OK);
	kv_batch_reset(b);
	cr_assert_eq(kv_batch_size(b), 0);
	cr_assert_eq(kv_write(kv, b, false, NULL), OK);
	kv_batch_free(b);
}

static void check_get(struct kv *kv, const struct kv_snapshot *at, const struct model *m, size_t i)
{
	struct buf value = { 0 };
	uint8_t key[4];
	int code = kv_get(kv, at, key_of(i, key), &value, NULL);

	cr_assert_eq(code, m->keys[i].present ? OK : STORE_E_NOT_FOUND);
	if (code == OK)
		cr_assert(bytes_equal(buf_bytes(&value),
				      bytes_of(m->keys[i].value, m->keys[i].size)));
	buf_clear(&value);
}

static void check_walk(struct kv *kv, const struct kv_snapshot *at, const struct model *m,
		       struct bytes from)
{
	struct kv_iter *iter = kv_iter_new(kv, at, from);
	struct bytes key, value;
	struct buf last = { 0 };
	size_t seen = 0, expected = 0;

	for (size_t i = 0; i < KEY_COUNT; i++) {
		uint8_t k[4];

		expected += m->keys[i].present && bytes_compare(key_of(i, k), from) >= 0;
	}
	while (kv_iter_next(iter, &key, &value)) {
		size_t i = index_of(key);

		cr_assert(bytes_compare(key, from) >= 0);
		cr_assert(!last.size || bytes_compare(buf_bytes(&last), key) < 0);
		cr_assert(m->keys[i].present);
		cr_assert(bytes_equal(value, bytes_of(m->keys[i].value, m->keys[i].size)));
		buf_reset(&last);
		buf_append_bytes(&last, key);
		seen++;
	}
	cr_assert_eq(kv_iter_error(iter, NULL), OK);
	cr_assert_eq(seen, expected);
	kv_iter_free(iter);
	buf_clear(&last);
}

static void check_all(struct kv *kv, const struct kv_snapshot *at, const struct model *m)
{
	static const char *starts[] = { "", "a", "c\x05", "c\x05x", "g\xff", "z" };

	for (size_t i = 0; i < KEY_COUNT; i++)
		check_get(kv, at, m, i);
	for (size_t i = 0; i < ARRAY_COUNT(starts); i++)
		check_walk(kv, at, m, bytes_of_str(starts[i]));
}

/* Random batches; now and then a snapshot, checked against the model of its
 * moment when it ends. */
static void run_model(struct kv *kv, uint64_t seed, struct model *now)
{
	struct model *then = xcalloc(4, sizeof(*then));
	struct kv_snapshot *snapshots[4] = { 0 };
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t round = 0; round < 400; round++) {
		size_t slot = rng_below(&rng, 4);

		write_random(kv, now, &rng, round % 50 == 0);
		if (rng_below(&rng, 8) == 0) {
			if (snapshots[slot])
				check_all(kv, snapshots[slot], &then[slot]);
			kv_snapshot_free(kv, snapshots[slot]);
			snapshots[slot] = kv_snapshot_new(kv);
			then[slot] = *now;
		}
		if (round % 40 == 0)
			check_all(kv, NULL, now);
	}
	for (size_t slot = 0; slot < 4; slot++) {
		if (snapshots[slot])
			check_all(kv, snapshots[slot], &then[slot]);
		kv_snapshot_free(kv, snapshots[slot]);
	}
	check_all(kv, NULL, now);
	free(then);
}

Test(kv, keep_model_in_memory)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct model *now = xcalloc(1, sizeof(*now));
		struct kv *kv = kv_open_memory();

		run_model(kv, seed, now);
		kv_close(kv);
		free(now);
	}
}

Test(kv, keep_model_in_leveldb)
{
	struct model *now = xcalloc(1, sizeof(*now));
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct kv *kv;

	scratch_new(dir);
	scratch_path(path, dir, "db");
	cr_assert_eq(kv_open_leveldb(&kv, path, &to_make, NULL), OK);
	run_model(kv, 7, now);
	kv_compact(kv, bytes_of_str("a"), bytes_of_str("z"));
	check_all(kv, NULL, now);
	kv_close(kv);
	cr_assert_eq(kv_open_leveldb(&kv, path, &to_open, NULL), OK);
	check_all(kv, NULL, now);
	kv_close(kv);
	scratch_remove(dir);
	free(now);
}

Test(kv, walk_own_moment_while_writing)
{
	struct kv *kv = kv_open_memory();
	struct kv_batch *b = kv_batch_new(kv);
	struct bytes key, value;
	struct kv_iter *iter;

	kv_batch_put(b, bytes_of_str("a1"), bytes_of_str("one"));
	kv_batch_put(b, bytes_of_str("a3"), bytes_of_str("three"));
	cr_assert_eq(kv_write(kv, b, false, NULL), OK);
	iter = kv_iter_new(kv, NULL, bytes_of_str("a"));
	cr_assert(kv_iter_next(iter, &key, &value));
	kv_batch_reset(b);
	kv_batch_delete(b, bytes_of_str("a1"));
	kv_batch_put(b, bytes_of_str("a2"), bytes_of_str("two"));
	kv_batch_delete(b, bytes_of_str("a3"));
	cr_assert_eq(kv_write(kv, b, false, NULL), OK);
	cr_assert(kv_iter_next(iter, &key, &value));
	cr_assert(bytes_equal(key, bytes_of_str("a3")));
	cr_assert(bytes_equal(value, bytes_of_str("three")));
	cr_assert(!kv_iter_next(iter, &key, &value));
	kv_iter_free(iter);
	kv_batch_free(b);
	kv_close(kv);
}

struct shared {
	struct kv *kv;
	atomic_bool stop;
	atomic_uint torn;
};

/* Both keys are always written in one batch: a reader that sees them differ saw
 * half of one. */
static void *read_pairs(void *arg)
{
	struct shared *s = arg;
	struct buf a = { 0 }, b = { 0 };

	while (!atomic_load(&s->stop)) {
		struct kv_snapshot *at = kv_snapshot_new(s->kv);

		buf_reset(&a);
		buf_reset(&b);
		if (kv_get(s->kv, at, bytes_of_str("k1"), &a, NULL) !=
			    kv_get(s->kv, at, bytes_of_str("k2"), &b, NULL) ||
		    !bytes_equal(buf_bytes(&a), buf_bytes(&b)))
			atomic_fetch_add(&s->torn, 1);
		kv_snapshot_free(s->kv, at);
	}
	buf_clear(&a);
	buf_clear(&b);
	return NULL;
}

Test(kv, read_whole_batches_from_threads)
{
	struct shared s = { .kv = kv_open_memory() };
	struct kv_batch *b = kv_batch_new(s.kv);
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, read_pairs, &s), 0);
	for (uint64_t n = 0; n < 3000; n++) {
		kv_batch_reset(b);
		if (n % 5 == 4) {
			kv_batch_delete(b, bytes_of_str("k1"));
			kv_batch_delete(b, bytes_of_str("k2"));
		} else {
			kv_batch_put(b, bytes_of_str("k1"), bytes_of(&n, sizeof(n)));
			kv_batch_put(b, bytes_of_str("k2"), bytes_of(&n, sizeof(n)));
		}
		cr_assert_eq(kv_write(s.kv, b, false, NULL), OK);
	}
	atomic_store(&s.stop, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(atomic_load(&s.torn), 0);
	kv_batch_free(b);
	kv_close(s.kv);
}

Test(kv, refuse_open_missing_or_in_use)
{
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct buf value = { 0 };
	struct kv *kv, *second;
	struct kv_batch *b;
	struct err err;

	scratch_new(dir);
	scratch_path(path, dir, "db");
	cr_assert_eq(kv_open_leveldb(&kv, path, &to_open, &err), STORE_E_OPEN);
	cr_assert(strstr(err.message, "init"), "%s", err.message);
	cr_assert_eq(kv_open_leveldb(&kv, path, &to_make, &err), OK);
	/* The one that is refused has not touched what the other wrote. */
	b = kv_batch_new(kv);
	kv_batch_put(b, bytes_of_str("a"), bytes_of_str("value"));
	cr_assert_eq(kv_write(kv, b, false, NULL), OK);
	cr_assert_eq(kv_open_leveldb(&second, path, &to_open, &err), STORE_E_IN_USE);
	cr_assert_eq(kv_sync(kv, NULL), OK);
	kv_batch_free(b);
	kv_close(kv);
	cr_assert_eq(kv_open_leveldb(&kv, path, &to_open, &err), OK, "%s", err.message);
	cr_assert_eq(kv_get(kv, NULL, bytes_of_str("a"), &value, NULL), OK);
	kv_close(kv);
	buf_clear(&value);
	scratch_remove(dir);
}

/* A flipped byte in a table: an error that is told, never another value. */
Test(kv, refuse_get_from_damaged_table)
{
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX], table[SCRATCH_PATH_MAX];
	struct buf value = { 0 }, content = { 0 };
	size_t refused = 0;
	struct kv_batch *b;
	struct kv *kv;
	uint8_t key[4];

	scratch_new(dir);
	scratch_path(path, dir, "db");
	cr_assert_eq(kv_open_leveldb(&kv, path, &to_make, NULL), OK);
	b = kv_batch_new(kv);
	for (size_t i = 0; i < KEY_COUNT; i++)
		kv_batch_put(b, key_of(i, key), bytes_of("0123456789abcdefghijklmnop", 26));
	cr_assert_eq(kv_write(kv, b, true, NULL), OK);
	kv_batch_free(b);
	kv_compact(kv, bytes_of_str("a"), bytes_of_str("z"));
	kv_close(kv);
	for (size_t i = 0; scratch_find(table, path, "0", i); i++)
		if (strstr(table, ".ldb")) {
			scratch_read(&content, table);
			scratch_flip(table, content.size / 3);
		}
	cr_assert(content.size > 0);
	if (kv_open_leveldb(&kv, path, &to_open, NULL) == OK) {
		for (size_t i = 0; i < KEY_COUNT; i++) {
			int code = kv_get(kv, NULL, key_of(i, key), &value, NULL);

			refused += code == STORE_E_CORRUPT;
			cr_assert(code == STORE_E_CORRUPT || code == OK);
			if (code == OK)
				cr_assert(bytes_equal(buf_bytes(&value),
						      bytes_of("0123456789abcdefghijklmnop", 26)));
			buf_reset(&value);
		}
		cr_assert(refused > 0);
		kv_close(kv);
	}
	buf_clear(&value);
	buf_clear(&content);
	scratch_remove(dir);
}

/* --- a store in memory that somebody keeps --- */

#define KEEP_KEYS 24
#define KEEP_WRITES 40

struct keeper {
	bool refuses, closed;
	size_t get_count, sync_count;
};

static int keeper_get(void *ctx, struct bytes key, uint64_t seq, struct err *err)
{
	struct keeper *k = ctx;

	k->get_count++;
	return k->refuses ? ERR_SET(err, STORE_E_CORRUPT, "rotten") : OK;
}

static int keeper_write(void *ctx, struct err *err)
{
	struct keeper *k = ctx;

	return k->refuses ? ERR_SET(err, STORE_E_WRITE, "full") : OK;
}

static int keeper_sync(void *ctx, struct err *err)
{
	struct keeper *k = ctx;

	k->sync_count++;
	return OK;
}

static void keeper_close(void *ctx)
{
	struct keeper *k = ctx;

	k->closed = true;
}

static const struct kv_memory_hooks keeper_hooks = { keeper_get, keeper_write, keeper_sync,
						     keeper_close };

/* All keys and values, one after the other. */
static void dump(struct buf *out, struct kv *kv)
{
	struct kv_iter *i = kv_iter_new(kv, NULL, bytes_of_str("a"));
	struct bytes key, value;

	buf_reset(out);
	while (kv_iter_next(i, &key, &value)) {
		buf_append_bytes(out, key);
		buf_append_byte(out, '=');
		buf_append_bytes(out, value);
		buf_append_byte(out, ';');
	}
	cr_assert_eq(kv_iter_error(i, NULL), OK);
	kv_iter_free(i);
}

/* A batch of puts, deletes, and some keys twice. */
static void write_some(struct kv *kv, struct rng *rng)
{
	struct kv_batch *b = kv_batch_new(kv);

	for (size_t n = 1 + rng_below(rng, 8); n > 0; n--) {
		char key[8], value[32];

		snprintf(key, sizeof(key), "k%02u", (unsigned)rng_below(rng, KEEP_KEYS));
		snprintf(value, sizeof(value), "%llx", (unsigned long long)rng_next(rng));
		if (rng_below(rng, 3))
			kv_batch_put(b, bytes_of_str(key), bytes_of_str(value));
		else
			kv_batch_delete(b, bytes_of_str(key));
	}
	cr_assert_eq(kv_write(kv, b, false, NULL), OK);
	kv_batch_free(b);
}

Test(kv_memory, roll_back_to_every_write)
{
	struct buf after[KEEP_WRITES + 1] = { 0 }, now = { 0 };
	struct keeper k = { 0 };
	struct kv *kv = kv_memory_new(&keeper_hooks, &k);
	struct rng rng;

	rng_init(&rng, 1);
	for (size_t round = 0; round < 400; round++) {
		size_t mark = (size_t)rng_below(&rng, 6), to;
		uint64_t first;

		/* Some writes for good, and more that are taken back in one or two steps. */
		for (size_t n = 0; n < mark; n++)
			write_some(kv, &rng);
		kv_memory_mark(kv);
		first = kv_memory_seq(kv);
		cr_assert_eq(kv_memory_marked(kv), first);
		dump(&after[0], kv);
		for (size_t n = 1; n <= KEEP_WRITES; n++) {
			struct kv_snapshot *s = rng_below(&rng, 4) ? NULL : kv_snapshot_new(kv);

			write_some(kv, &rng);
			dump(&after[n], kv);
			kv_snapshot_free(kv, s);
		}
		to = KEEP_WRITES;
		for (size_t steps = 0; steps < 2; steps++) {
			to = (size_t)rng_below(&rng, to + 1);
			kv_memory_roll_back(kv, first + to);
			dump(&now, kv);
			cr_assert(bytes_equal(buf_bytes(&now), buf_bytes(&after[to])),
				  "round %zu, write %zu", round, to);
			cr_assert_eq(kv_memory_seq(kv), first + to);
		}
	}
	kv_close(kv);
	cr_assert(k.closed);
	kv_memory_free(kv);
	for (size_t n = 0; n <= KEEP_WRITES; n++)
		buf_clear(&after[n]);
	buf_clear(&now);
}

Test(kv_memory, ask_keeper)
{
	struct keeper k = { 0 };
	struct kv *kv = kv_memory_new(&keeper_hooks, &k);
	struct kv_batch *b = kv_batch_new(kv);
	struct bytes key = bytes_of_str("key"), found, value;
	struct buf out = { 0 };
	struct kv_iter *i;
	struct err err;

	kv_batch_put(b, key, bytes_of_str("value"));
	cr_assert_eq(kv_write(kv, b, true, NULL), OK);
	cr_assert_eq(k.sync_count, 1);
	cr_assert_eq(kv_get(kv, NULL, key, &out, NULL), OK);
	cr_assert_eq(k.get_count, 1);
	k.refuses = true;
	cr_assert_eq(kv_write(kv, b, false, &err), STORE_E_WRITE);
	cr_assert_eq(kv_get(kv, NULL, key, &out, &err), STORE_E_CORRUPT);
	cr_assert_eq(kv_get(kv, NULL, bytes_of_str("no"), &out, &err), STORE_E_NOT_FOUND);
	i = kv_iter_new(kv, NULL, bytes_of_str("a"));
	cr_assert(!kv_iter_next(i, &found, &value));
	cr_assert_eq(kv_iter_error(i, &err), STORE_E_CORRUPT);
	cr_assert_str_eq(err.message, "rotten");
	kv_iter_free(i);
	cr_assert_eq(kv_memory_seq(kv), 1);
	kv_batch_free(b);
	kv_close(kv);
	kv_memory_free(kv);
	buf_clear(&out);
}
