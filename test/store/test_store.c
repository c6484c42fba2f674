#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "store/sample.h"
#include "store/scratch.h"
#include "store/store_keys.h"

#define assert_same(m, height) \
	do { \
		const char *bad_ = sample_compare_store((m), (height)); \
		cr_assert_null(bad_, "%s", bad_); \
	} while (0)

static const struct kv_options to_open = { .cache_size = 1 << 20 };

/* A directory `top`/data with a fresh chain in it, opened. */
static void start(struct sample *m, uint64_t seed, char top[SCRATCH_PATH_MAX],
		  char dir[SCRATCH_PATH_MAX])
{
	struct err err = { 0 };

	scratch_new(top);
	scratch_path(dir, top, "data");
	sample_init(m, seed, dir);
	cr_assert_eq(store_create(&m->options, &m->genesis, &err), OK, "%s", err.message);
	cr_assert_eq(sample_open(m, &err), OK, "%s", err.message);
}

static void finish(struct sample *m, const char *top)
{
	sample_clear(m);
	scratch_remove(top);
}

static void reopen(struct sample *m)
{
	struct err err = { 0 };

	sample_close(m);
	cr_assert_eq(sample_open(m, &err), OK, "%s", err.message);
}

Test(store, keep_chain_in_memory)
{
	struct sample m;
	struct err err;

	sample_init(&m, 1, NULL);
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	assert_same(&m, 0);
	for (size_t round = 0; round < 5; round++) {
		sample_run(&m, 12);
		sample_flush(&m);
	}
	assert_same(&m, 60);
	sample_clear(&m);
}

Test(store, find_everything_after_reopen)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct sample m;
	struct rng rng;
	uint64_t flushed = 0;

	rng_init(&rng, 3);
	start(&m, 2, top, dir);
	reopen(&m);
	cr_assert_eq(m.report.tip_height, 0);
	for (size_t round = 0; round < 12; round++) {
		uint64_t before = m.height;

		sample_run(&m, 1 + rng_below(&rng, 20));
		if (rng_below(&rng, 2)) {
			sample_flush(&m);
			flushed = m.height;
			sample_run(&m, rng_below(&rng, 5));
		}
		cr_assert(m.height > before);
		reopen(&m);
		cr_assert_eq(m.report.flushed_height, flushed);
		cr_assert_eq(m.report.replayed_count, m.height - flushed);
		cr_assert_eq(m.report.tip_height, m.height);
		cr_assert_eq(m.report.torn_size, 0);
		cr_assert(!m.report.consensus_log_missing);
		assert_same(&m, m.height);
	}
	finish(&m, top);
}

/* The writer lags: the node's view is right before, while and after it catches up. */
Test(store, see_newest_state_before_it_is_written)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct sample_block blocks[20];
	struct state_view v;
	struct sample m;

	start(&m, 4, top, dir);
	for (size_t round = 0; round < 4; round++) {
		for (size_t i = 0; i < 20; i++) {
			sample_make(&m, &blocks[i], 1);
			v = store_state(m.s);
			cr_assert_null(sample_compare(&m, m.height, &v));
		}
		for (size_t i = 0; i < 20; i++)
			cr_assert_eq(store_log(m.s, &blocks[i].b, NULL), OK);
		store_log_sync(m.s);
		for (size_t i = 0; i < 20; i++) {
			cr_assert_eq(store_apply(m.s, &blocks[i].b, NULL), OK);
			cr_assert_null(sample_compare(&m, m.height, &v));
			store_state_written(m.s, blocks[i].block.header.height);
			sample_block_clear(&blocks[i]);
		}
		cr_assert_null(sample_compare(&m, m.height, &v));
	}
	assert_same(&m, 80);
	finish(&m, top);
}

/* Blocks between the halves of a flush; the tree asks for nodes that are taken. */
Test(store, flush_while_blocks_go_on)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct store_flush *f;
	struct sample m;
	struct err err;

	start(&m, 5, top, dir);
	for (size_t round = 0; round < 10; round++) {
		sample_run(&m, 7);
		f = store_flush_take(m.s, m.height);
		sample_run(&m, 5);
		cr_assert_eq(store_flush_write(m.s, f, &err), OK, "%s", err.message);
		if (round % 3 == 2) {
			reopen(&m);
			cr_assert_eq(m.report.replayed_count, 5);
			assert_same(&m, m.height);
		}
	}
	/* Taken and never written: as if it had not been. */
	(void)store_flush_take(m.s, m.height);
	sample_run(&m, 3);
	reopen(&m);
	cr_assert_eq(m.report.replayed_count, 8);
	assert_same(&m, m.height);
	finish(&m, top);
}

Test(store, drop_log_segments_after_flush)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], log[SCRATCH_PATH_MAX],
		path[SCRATCH_PATH_MAX];
	struct sample m;

	start(&m, 6, top, dir);
	scratch_path(log, dir, "log");
	sample_run(&m, 10);
	sample_flush(&m);
	sample_run(&m, 10);
	sample_flush(&m);
	cr_assert(scratch_find(path, log, "commit-", 0));
	cr_assert(strstr(path, "commit-0000000000000015.log"), "%s", path);
	cr_assert(!scratch_find(path, log, "commit-", 1));
	reopen(&m);
	cr_assert_eq(m.report.replayed_count, 0);
	assert_same(&m, 20);
	finish(&m, top);
}

/* LevelDB lost everything since the last flush. */
Test(store, replay_onto_database_of_last_flush)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], chain[SCRATCH_PATH_MAX],
		copy[SCRATCH_PATH_MAX];
	struct sample m;

	start(&m, 7, top, dir);
	scratch_path(chain, dir, "chain");
	scratch_path(copy, top, "copy");
	sample_run(&m, 30);
	sample_flush(&m);
	reopen(&m);
	sample_close(&m);
	scratch_copy(chain, copy);
	cr_assert_eq(sample_open(&m, NULL), OK);
	sample_run(&m, 25);
	sample_close(&m);
	scratch_remove(chain);
	cr_assert_eq(rename(copy, chain), 0);
	cr_assert_eq(sample_open(&m, NULL), OK);
	cr_assert_eq(m.report.replayed_count, 25);
	assert_same(&m, 55);
	finish(&m, top);
}

/* Rows of the log index go one by one: a block may keep some. */
static void punch_logs(struct kv *kv, struct kv_batch *b, uint64_t flushed, struct rng *rng)
{
	struct store_key from = key_of(COLUMN_LOG);
	struct kv_iter *iter = kv_iter_new(kv, NULL, key_bytes(&from));
	struct bytes key, value;

	while (kv_iter_next(iter, &key, &value) && key.data[0] == COLUMN_LOG)
		if (load_be32(key.data + key.size - 4) > flushed && rng_below(rng, 3))
			kv_batch_delete(b, key);
	kv_iter_free(iter);
}

/* Undoes in the database what some of the batches above `flushed` wrote. Gives how
 * many of those blocks it had. */
static size_t punch_holes(const char *chain, uint64_t flushed, uint64_t tip, struct rng *rng)
{
	struct buf value = { 0 };
	struct kv_batch *b;
	size_t there = 0;
	struct kv *kv;

	cr_assert_eq(kv_open_leveldb(&kv, chain, &to_open, NULL), OK);
	b = kv_batch_new(kv);
	for (uint64_t h = flushed + 1; h <= tip; h++) {
		struct store_key header = key_number(COLUMN_HEADER, h);
		struct store_key history = key_number(COLUMN_HISTORY, h);
		struct store_key tx = key_tx(h, 0), node = key_number(COLUMN_MMR, 2 * h);

		there += kv_get(kv, NULL, key_bytes(&header), &value, NULL) == OK;
		if (rng_below(rng, 2))
			continue;
		kv_batch_delete(b, key_bytes(&header));
		kv_batch_delete(b, key_bytes(&history));
		kv_batch_delete(b, key_bytes(&tx));
		kv_batch_delete(b, key_bytes(&node));
	}
	punch_logs(kv, b, flushed, rng);
	cr_assert_eq(kv_write(kv, b, true, NULL), OK);
	kv_batch_free(b);
	kv_close(kv);
	buf_clear(&value);
	return there;
}

/* Small memtables, so that tables are newer than the flush: replaying puts everything
 * again, whatever of it is there. */
Test(store, replay_onto_newer_tables)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], chain[SCRATCH_PATH_MAX];
	struct sample m;
	struct rng rng;
	size_t there = 0;

	rng_init(&rng, 9);
	scratch_new(top);
	scratch_path(dir, top, "data");
	scratch_path(chain, dir, "chain");
	sample_init(&m, 8, dir);
	m.options.write_buffer_size = 1 << 16;
	cr_assert_eq(store_create(&m.options, &m.genesis, NULL), OK);
	cr_assert_eq(sample_open(&m, NULL), OK);
	for (size_t round = 0; round < 6; round++) {
		uint64_t flushed;

		sample_run(&m, 5);
		sample_flush(&m);
		flushed = m.height;
		sample_run(&m, 55);
		sample_close(&m);
		if (round % 2)
			there += punch_holes(chain, flushed, m.height, &rng);
		cr_assert_eq(sample_open(&m, NULL), OK);
		cr_assert_eq(m.report.flushed_height, flushed);
		cr_assert_eq(m.report.replayed_count, 55);
		assert_same(&m, m.height);
	}
	cr_assert(there > 0, "no table was newer than the flush");
	finish(&m, top);
}

/* A new database has the old one's flat records overwritten by values of a later
 * height: replay sets them all. */
Test(store, replay_twice_gives_the_same)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct sample m;

	start(&m, 10, top, dir);
	sample_run(&m, 40);
	for (size_t round = 0; round < 3; round++) {
		reopen(&m);
		cr_assert_eq(m.report.replayed_count, 40);
		assert_same(&m, 40);
	}
	finish(&m, top);
}

Test(store, show_state_of_every_height)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct store_view *view;
	struct store_reader *r;
	struct sample m;
	struct err err;

	start(&m, 11, top, dir);
	sample_run(&m, 60);
	r = store_reader_new(m.s);
	sample_run(&m, 10); /* the reader does not see these */
	cr_assert_eq(store_reader_height(r), 60);
	for (uint64_t h = 0; h <= 60; h++) {
		const char *bad;
		struct state_view v;

		cr_assert_eq(store_view_at(r, h, &view, &err), OK, "%s", err.message);
		v = store_view_state(view);
		bad = sample_compare(&m, h, &v);
		cr_assert_null(bad, "height %lu: %s", (unsigned long)h, bad);
		store_view_free(view);
	}
	cr_assert_eq(store_view_at(r, 61, &view, &err), STORE_E_NOT_FOUND);
	store_reader_free(r);
	finish(&m, top);
}

Test(store, prune_history_by_time)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	size_t kept = 0, pruned = 0;
	struct store_reader *r;
	struct sample m;

	scratch_new(top);
	scratch_path(dir, top, "data");
	sample_init(&m, 12, dir);
	m.options.history_ms = 5000;
	cr_assert_eq(store_create(&m.options, &m.genesis, NULL), OK);
	cr_assert_eq(sample_open(&m, NULL), OK);
	for (size_t round = 0; round < 4; round++) {
		sample_run(&m, 40);
		reopen(&m);
	}
	r = store_reader_new(m.s);
	for (uint64_t h = 0; h <= m.height; h++) {
		struct store_view *view;
		struct err err;
		int code = store_view_at(r, h, &view, &err);

		if (m.times_ms[h] + 5000 >= m.time_ms)
			cr_assert_eq(code, OK, "height %lu: %s", (unsigned long)h, err.message);
		else if (h + 1 < m.height && m.times_ms[h + 1] + 5000 < m.time_ms)
			cr_assert_eq(code, STORE_E_PRUNED, "height %lu", (unsigned long)h);
		if (code == OK) {
			struct state_view v = store_view_state(view);

			cr_assert_null(sample_compare(&m, h, &v));
			store_view_free(view);
			kept++;
		} else {
			pruned++;
		}
	}
	cr_assert(kept > 5 && pruned > 50, "%zu kept, %zu pruned", kept, pruned);
	store_reader_free(r);
	finish(&m, top);
}

Test(store, give_tip_as_it_was)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct store_tip tip;
	struct sample m;
	uint64_t gas = 0;

	start(&m, 13, top, dir);
	sample_run(&m, 50);
	sample_flush(&m);
	sample_run(&m, 3);
	for (uint64_t h = m.height; h > 0 && m.times_ms[h] / 1000 == m.time_ms / 1000; h--)
		gas += (h - 1) % 4 * GAS_TX;
	sample_close(&m);
	cr_assert_eq(sample_open(&m, NULL), OK);
	store_get_tip(m.s, &tip);
	cr_assert_eq(tip.second_gas, gas);
	cr_assert_eq(tip.history.leaf_count, 53);
	cr_assert_eq(tip.withdrawal_index, m.withdrawal_index);
	cr_assert(m.withdrawal_index > 10);
	finish(&m, top);
}

Test(store, give_size_of_ethereum_form)
{
	struct sample_block block;
	struct stored_header h;
	struct store_reader *r;
	struct buf whole = { 0 };
	struct sample m;

	sample_init(&m, 14, NULL);
	cr_assert_eq(sample_open(&m, NULL), OK);
	for (size_t count = 0; count < 40; count += 7) {
		sample_make(&m, &block, count);
		cr_assert_eq(store_log(m.s, &block.b, NULL), OK);
		store_log_sync(m.s);
		cr_assert_eq(store_apply(m.s, &block.b, NULL), OK);
		buf_reset(&whole);
		block_encode(&whole, &block.block);
		r = store_reader_new(m.s);
		cr_assert_eq(store_read_header(r, m.height, &h, NULL), OK);
		cr_assert_eq(h.size, whole.size);
		cr_assert_eq(h.withdrawal_count, block.block.withdrawal_count);
		stored_header_clear(&h);
		store_reader_free(r);
		sample_block_clear(&block);
	}
	buf_clear(&whole);
	sample_clear(&m);
}

Test(store, find_nothing_that_is_not_there)
{
	struct hash unknown = { { 1 } };
	struct store_reader *r;
	struct stored_header h;
	struct stored_tx t;
	uint64_t height;
	uint32_t index;
	struct sample m;

	sample_init(&m, 15, NULL);
	cr_assert_eq(sample_open(&m, NULL), OK);
	sample_run(&m, 4);
	r = store_reader_new(m.s);
	cr_assert_eq(store_read_header(r, 5, &h, NULL), STORE_E_NOT_FOUND);
	cr_assert_eq(store_find_block(r, &unknown, &height, NULL), STORE_E_NOT_FOUND);
	cr_assert_eq(store_find_tx(r, &unknown, &height, &index, NULL), STORE_E_NOT_FOUND);
	cr_assert_eq(store_read_tx(r, 4, 3, &t, NULL), STORE_E_NOT_FOUND);
	cr_assert_eq(store_read_tx(r, 9, 0, &t, NULL), STORE_E_NOT_FOUND);
	cr_assert(!store_read_mmr(r, 1000, &unknown));
	store_reader_free(r);
	sample_clear(&m);
}

/* --- refusing --- */

Test(store, refuse_what_is_not_its_own)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct sample m, other;
	struct err err;

	start(&m, 20, top, dir);
	sample_init(&other, 21, dir);
	cr_assert_eq(sample_open(&other, &err), STORE_E_CHAIN);
	cr_assert(strstr(err.message, "genesis"), "%s", err.message);
	other.genesis.params.chain_id = m.genesis.params.chain_id;
	cr_assert_eq(sample_open(&other, &err), STORE_E_IN_USE, "%s", err.message);
	cr_assert(strstr(err.message, "pid"), "%s", err.message);
	cr_assert_eq(store_create(&other.options, &other.genesis, &err), STORE_E_EXISTS, "%s",
		     err.message);
	sample_close(&m);
	scratch_path(path, dir, "VERSION");
	scratch_write(path, bytes_of_str("database 999\ngenesis 0x00\n"));
	cr_assert_eq(sample_open(&m, &err), STORE_E_VERSION);
	cr_assert(strstr(err.message, "999"), "%s", err.message);
	scratch_write(path, bytes_of_str(""));
	cr_assert_eq(sample_open(&m, &err), STORE_E_CORRUPT);
	unlink(path);
	cr_assert_eq(sample_open(&m, &err), STORE_E_CORRUPT);
	cr_assert(strstr(err.message, "incomplete"), "%s", err.message);
	cr_assert_eq(store_create(&m.options, &m.genesis, &err), STORE_E_EXISTS);
	sample_clear(&other);
	finish(&m, top);
}

Test(store, refuse_missing_directory)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct sample m;
	struct err err;

	scratch_new(top);
	scratch_path(dir, top, "data");
	sample_init(&m, 22, dir);
	cr_assert_eq(sample_open(&m, &err), STORE_E_OPEN);
	cr_assert(strstr(err.message, "init"), "%s", err.message);
	cr_assert_neq(access(dir, F_OK), 0, "opening never makes a directory");
	m.options.dir = top;
	cr_assert_eq(sample_open(&m, &err), STORE_E_OPEN);
	scratch_path(dir, top, "no/such/place");
	m.options.dir = dir;
	cr_assert_eq(store_create(&m.options, &m.genesis, &err), STORE_E_OPEN);
	finish(&m, top);
}

/* Files of others in the directory (keys, the genesis file) stay. */
Test(store, create_beside_other_files)
{
	char top[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct buf content = { 0 };
	struct sample m;
	struct err err;

	scratch_new(top);
	scratch_path(path, top, "genesis.json");
	scratch_write(path, bytes_of_str("{}"));
	sample_init(&m, 23, top);
	cr_assert_eq(store_create(&m.options, &m.genesis, &err), OK, "%s", err.message);
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	scratch_read(&content, path);
	cr_assert(bytes_equal(buf_bytes(&content), bytes_of_str("{}")));
	buf_clear(&content);
	finish(&m, top);
}

Test(store, leave_nothing_after_failed_create)
{
	static struct genesis_slot slot = { .value = { { 1 } } };
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct genesis_account *accounts;
	struct sample m;
	struct err err;

	scratch_new(top);
	scratch_path(dir, top, "data");
	sample_init(&m, 24, dir);
	accounts = m.genesis.accounts;
	accounts[0].slots = &slot; /* storage without an account */
	accounts[0].slot_count = 1;
	accounts[0].balance = wei_of(0);
	accounts[0].nonce = 0;
	free((void *)(uintptr_t)accounts[0].code.data);
	accounts[0].code = bytes_of(NULL, 0);
	cr_assert_eq(store_create(&m.options, &m.genesis, &err), CHAIN_E_GENESIS);
	cr_assert_neq(access(dir, F_OK), 0);
	accounts[0].slots = NULL;
	accounts[0].slot_count = 0;
	cr_assert_eq(store_create(&m.options, &m.genesis, &err), OK, "%s", err.message);
	finish(&m, top);
}

/* The commit log or a part of it is gone, whole or not: never a silent loss. */
Test(store, refuse_lost_commit_log)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], log[SCRATCH_PATH_MAX],
		path[SCRATCH_PATH_MAX], note[SCRATCH_PATH_MAX];
	struct buf content = { 0 };
	struct sample m;
	struct err err;

	start(&m, 25, top, dir);
	scratch_path(log, dir, "log");
	sample_run(&m, 10);
	sample_flush(&m);
	sample_run(&m, 10);
	sample_close(&m);
	CHECK(scratch_find(path, log, "commit-", 0));
	scratch_read(&content, path);
	scratch_cut(path, content.size - 1);
	cr_assert_eq(sample_open(&m, &err), STORE_E_CORRUPT, "the last block, cut off");
	cr_assert(strstr(err.message, "commit-"), "%s", err.message);
	/* Two know of it: the log's note, and the tip. */
	scratch_path(note, log, "commit.note");
	unlink(note);
	cr_assert_eq(sample_open(&m, &err), STORE_E_CORRUPT, "the last block and the note");
	cr_assert(strstr(err.message, "block 20"), "%s", err.message);
	unlink(note);
	scratch_write(path, buf_bytes(&content));
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	sample_close(&m);
	scratch_cut(path, 28);
	cr_assert_eq(sample_open(&m, &err), STORE_E_CORRUPT, "all records cut off");
	scratch_cut(path, 0);
	cr_assert_eq(sample_open(&m, &err), STORE_E_CORRUPT, "empty");
	unlink(path);
	cr_assert_eq(sample_open(&m, &err), STORE_E_CORRUPT, "gone");
	cr_assert(strstr(err.message, "missing"), "%s", err.message);
	buf_clear(&content);
	finish(&m, top);
}

/* An older copy of the whole log, with a database that went on. */
Test(store, refuse_older_commit_log)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], log[SCRATCH_PATH_MAX],
		copy[SCRATCH_PATH_MAX];
	struct sample m;
	struct err err;

	start(&m, 26, top, dir);
	scratch_path(log, dir, "log");
	scratch_path(copy, top, "copy");
	sample_run(&m, 10);
	sample_close(&m);
	scratch_copy(log, copy);
	cr_assert_eq(sample_open(&m, NULL), OK);
	sample_run(&m, 5);
	sample_close(&m);
	scratch_remove(log);
	rename(copy, log);
	cr_assert_eq(sample_open(&m, &err), STORE_E_CORRUPT);
	cr_assert(strstr(err.message, "block 11"), "%s", err.message);
	finish(&m, top);
}

/* One record of the database at a time, changed or deleted: opening or reading
 * says so, or the value was of no consequence; nothing else ever comes back. */
Test(store, refuse_damaged_values)
{
	static const char columns[] = { 'm', 'h', 'H', 't', 'n', 'p', 'E' };
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], chain[SCRATCH_PATH_MAX];
	size_t refused = 0, tried = 0;
	struct sample m;
	struct rng rng;

	rng_init(&rng, 31);
	start(&m, 27, top, dir);
	scratch_path(chain, dir, "chain");
	sample_run(&m, 12);
	sample_flush(&m);
	for (size_t round = 0; round < 120; round++) {
		uint8_t from[] = { (uint8_t)columns[round % ARRAY_COUNT(columns)],
				   (uint8_t)rng_below(&rng, 3) };
		struct buf old_key = { 0 }, old = { 0 }, changed = { 0 };
		struct bytes key, value;
		struct kv_batch *b;
		struct kv_iter *iter;
		struct kv *kv;

		sample_close(&m);
		cr_assert_eq(kv_open_leveldb(&kv, chain, &to_open, NULL), OK);
		iter = kv_iter_new(kv, NULL, bytes_of(from, from[0] == 'n' ? 2 : 1));
		for (size_t n = 1 + rng_below(&rng, 6); n > 0; n--)
			cr_assert(kv_iter_next(iter, &key, &value));
		buf_append_bytes(&old_key, key);
		buf_append_bytes(&old, value);
		buf_append_bytes(&changed, value);
		kv_iter_free(iter);
		b = kv_batch_new(kv);
		if (rng_below(&rng, 3) == 0 || !old.size) {
			kv_batch_delete(b, buf_bytes(&old_key));
		} else {
			changed.data[rng_below(&rng, changed.size)] ^=
				(uint8_t)(1 + rng_below(&rng, 255));
			kv_batch_put(b, buf_bytes(&old_key), buf_bytes(&changed));
		}
		cr_assert_eq(kv_write(kv, b, true, NULL), OK);
		kv_close(kv);

		tried++;
		if (sample_open(&m, NULL) != OK)
			refused++;
		else if (sample_compare_store(&m, 12))
			refused++;
		sample_close(&m);
		cr_assert_eq(kv_open_leveldb(&kv, chain, &to_open, NULL), OK);
		kv_batch_free(b);
		b = kv_batch_new(kv);
		kv_batch_put(b, buf_bytes(&old_key), buf_bytes(&old));
		cr_assert_eq(kv_write(kv, b, true, NULL), OK);
		kv_batch_free(b);
		kv_close(kv);
		buf_clear(&old_key);
		buf_clear(&old);
		buf_clear(&changed);
		cr_assert_eq(sample_open(&m, NULL), OK);
	}
	/* Trie nodes that nothing asks for, and inner nodes of the range, show only
	 * when they are used. */
	cr_assert(refused > tried / 2, "%zu of %zu", refused, tried);
	assert_same(&m, 12);
	finish(&m, top);
}

/* --- consensus log --- */

struct collected {
	struct buf text;
	size_t count;
};

static int collect(void *ctx, uint8_t kind, struct bytes payload, struct err *err)
{
	struct collected *c = ctx;

	buf_append_byte(&c->text, kind);
	buf_append_bytes(&c->text, payload);
	c->count++;
	return OK;
}

static void expect_records(struct sample *m, const char *text, size_t count)
{
	struct collected c = { 0 };

	cr_assert_eq(m->report.consensus_record_count, count);
	cr_assert_eq(store_consensus_replay(m->s, collect, &c, NULL), OK);
	cr_assert_eq(c.count, count);
	cr_assert(bytes_equal(buf_bytes(&c.text), bytes_of_str(text)));
	buf_clear(&c.text);
}

Test(store, keep_consensus_records)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], log[SCRATCH_PATH_MAX],
		path[SCRATCH_PATH_MAX], kept[SCRATCH_PATH_MAX + 8];
	struct sample m;
	struct err err;

	start(&m, 28, top, dir);
	expect_records(&m, "", 0);
	cr_assert_eq(store_consensus_append(m.s, 'a', bytes_of_str("one"), NULL), OK);
	cr_assert_eq(store_consensus_append(m.s, 'b', bytes_of_str(""), NULL), OK);
	store_consensus_sync(m.s);
	reopen(&m);
	expect_records(&m, "aoneb", 2);
	cr_assert_eq(store_consensus_append(m.s, 'c', bytes_of_str("three"), NULL), OK);
	scratch_path(log, dir, "log");
	CHECK(scratch_find(path, log, "consensus-", 0));
	snprintf(kept, sizeof(kept), "%s.kept", path);
	cr_assert_eq(link(path, kept), 0);
	cr_assert_eq(store_consensus_trim(m.s, 'c', bytes_of_str("three"), NULL), OK);
	cr_assert_eq(store_consensus_append(m.s, 'd', bytes_of_str("four"), NULL), OK);
	store_consensus_sync(m.s);
	reopen(&m);
	expect_records(&m, "cthreedfour", 2);

	/* A crash in the middle of the trim: what stood before says nothing any more. */
	sample_close(&m);
	cr_assert_eq(rename(kept, path), 0);
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	expect_records(&m, "cthreedfour", 2);
	store_consensus_sync(m.s);
	sample_close(&m);
	unlink(path);
	CHECK(scratch_find(path, log, "consensus-", 0));
	unlink(path);
	cr_assert_eq(sample_open(&m, &err), OK, "%s", err.message);
	cr_assert(m.report.consensus_log_missing);
	cr_assert_eq(store_consensus_append(m.s, 'a', bytes_of_str("x"), &err), STORE_E_CORRUPT);
	reopen(&m);
	cr_assert(m.report.consensus_log_missing, "it is not made anew");
	finish(&m, top);
}

Test(store, sum_up_stats)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	struct store_stats before, after;
	struct sample m;

	start(&m, 29, top, dir);
	store_get_stats(m.s, &before);
	sample_run(&m, 10);
	store_get_stats(m.s, &after);
	cr_assert(before.log_size > 0 && after.log_size > before.log_size + 1000);
	cr_assert(after.cache_hits > 0 && after.cache_misses > 0);
	finish(&m, top);
}
