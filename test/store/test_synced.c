/*
 * What a power loss may do to LevelDB's logs behind the last flush, and what must
 * not have happened to them before it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "store/sample.h"
#include "store/scratch.h"

#define PAGE_SIZE 4096
#define HEIGHT 44  /* of the chain under test */
#define FLUSHED 20

/* A store with several flushes and blocks behind the last one, closed without a
 * flush; `kept` is a copy of it, `log` LevelDB's log, `promised` its synced size. */
struct fixture {
	struct sample m;
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX], kept[SCRATCH_PATH_MAX];
	char chain[SCRATCH_PATH_MAX], synced[SCRATCH_PATH_MAX], log[SCRATCH_PATH_MAX];
	const char *log_name;
	uint64_t promised, size;
	struct rng rng;
};

/* The newest log that SYNCED names, and its size in it. */
static void read_promise(struct fixture *f)
{
	struct buf file = { 0 };
	char name[32];
	size_t count;

	scratch_read(&file, f->synced);
	count = load_le32(file.data + 12);
	cr_assert(count > 0 && file.size == 16 + 20 * count + 4);
	snprintf(name, sizeof(name), "%06lu.log",
		 (unsigned long)load_le64(file.data + 20 * count - 4));
	f->promised = load_le64(file.data + 20 * count + 4);
	scratch_path(f->log, f->chain, name);
	f->log_name = f->log + strlen(f->log) - strlen(name);
	buf_clear(&file);
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0, "%s", path);
	return (uint64_t)st.st_size;
}

static void setup(struct fixture *f, uint64_t seed)
{
	struct err err = { 0 };

	rng_init(&f->rng, seed);
	scratch_new(f->top);
	scratch_path(f->dir, f->top, "data");
	scratch_path(f->kept, f->top, "kept");
	scratch_path(f->chain, f->dir, "chain");
	scratch_path(f->synced, f->chain, "SYNCED");
	sample_init(&f->m, seed, f->dir);
	cr_assert_eq(store_create(&f->m.options, &f->m.genesis, &err), OK, "%s", err.message);
	cr_assert_eq(sample_open(&f->m, &err), OK, "%s", err.message);
	sample_run(&f->m, 9);
	sample_flush(&f->m);
	sample_run(&f->m, FLUSHED - 9);
	sample_flush(&f->m);
	sample_run(&f->m, HEIGHT - FLUSHED);
	sample_close(&f->m);
	scratch_copy(f->dir, f->kept);
	read_promise(f);
	f->size = size_of(f->log);
	cr_assert(f->size > f->promised + 4 * PAGE_SIZE && f->promised > 2 * PAGE_SIZE);
}

static void teardown(struct fixture *f)
{
	sample_clear(&f->m);
	scratch_remove(f->top);
}

/* The directory as it was. */
static void restore(struct fixture *f)
{
	sample_close(&f->m);
	scratch_remove(f->dir);
	scratch_copy(f->kept, f->dir);
}

static void expect_same(struct fixture *f, const char *damage, uint64_t at)
{
	struct err err = { 0 };
	const char *bad;

	cr_assert_eq(sample_open(&f->m, &err), OK, "%s at %lu: %s", damage, (unsigned long)at,
		     err.message);
	cr_assert_eq(f->m.report.flushed_height, FLUSHED);
	cr_assert_eq(f->m.report.replayed_count, HEIGHT - FLUSHED);
	bad = sample_compare_store(&f->m, HEIGHT);
	cr_assert_null(bad, "%s at %lu: %s", damage, (unsigned long)at, bad);
	restore(f);
}

static void expect_refused(struct fixture *f, const char *damage, uint64_t at, const char *named)
{
	struct err err = { 0 };

	cr_assert_eq(sample_open(&f->m, &err), STORE_E_CORRUPT, "%s at %lu: code %d, %s", damage,
		     (unsigned long)at, err.code, err.message);
	cr_assert(strstr(err.message, named), "%s at %lu: %s", damage, (unsigned long)at,
		  err.message);
	cr_assert(strstr(err.message, "backup"), "%s", err.message);
	restore(f);
}

/* Overwrites [at, at + size) with zeros, or with noise. */
static void overwrite(struct fixture *f, uint64_t at, uint64_t size, bool noise)
{
	struct buf content = { 0 };

	scratch_read(&content, f->log);
	if (content.size < at + size)
		memset(buf_extend(&content, at + size - content.size), 0, at + size - content.size);
	for (uint64_t i = at; i < at + size; i++)
		content.data[i] = noise ? (uint8_t)rng_next(&f->rng) : 0;
	scratch_write(f->log, buf_bytes(&content));
	buf_clear(&content);
}

Test(synced, open_over_flipped_bytes_behind_flush)
{
	struct fixture f;

	setup(&f, 1);
	for (size_t n = 0; n < 40; n++) {
		/* The first record's header byte by byte, then anywhere. */
		uint64_t at = f.promised + (n < 12 ? n : rng_below(&f.rng, f.size - f.promised));

		scratch_flip(f.log, at);
		expect_same(&f, "a flip", at);
	}
	teardown(&f);
}

Test(synced, open_over_lost_pages_behind_flush)
{
	struct fixture f;

	setup(&f, 2);
	for (uint64_t at = f.promised; at < f.size; at = (at / PAGE_SIZE + 1) * PAGE_SIZE) {
		uint64_t end = MIN((at / PAGE_SIZE + 1) * PAGE_SIZE, f.size);

		overwrite(&f, at, end - at, false);
		expect_same(&f, "a page of zeros", at);
		overwrite(&f, at, end - at, true);
		expect_same(&f, "a page of noise", at);
	}
	overwrite(&f, f.size, 3 * PAGE_SIZE, true);
	expect_same(&f, "noise appended", f.size);
	overwrite(&f, f.size, 3 * PAGE_SIZE, false);
	expect_same(&f, "zeros appended", f.size);
	overwrite(&f, f.promised, f.size - f.promised, true);
	expect_same(&f, "all noise", f.promised);
	teardown(&f);
}

Test(synced, open_over_any_cut_behind_flush)
{
	struct fixture f;

	setup(&f, 3);
	for (size_t n = 0; n < 40; n++) {
		uint64_t size = f.promised + (n < 12 ? n : rng_below(&f.rng, f.size - f.promised));

		scratch_cut(f.log, size);
		expect_same(&f, "cut", size);
	}
	teardown(&f);
}

/* A log that LevelDB began after the flush, whole or not; an older one that it had
 * no time to remove. */
Test(synced, open_over_unknown_logs)
{
	static const char *names[] = { "000001.log", "000099.log" };
	struct buf content = { 0 };
	uint64_t sizes[4] = { 0, 40, 9000, 9000 };
	struct fixture f;

	setup(&f, 4);
	scratch_read(&content, f.log);
	sizes[0] = content.size;
	for (size_t n = 0; n < 8; n++) {
		scratch_path(f.log, f.chain, names[n % 2]);
		scratch_write(f.log, bytes_of(content.data, sizes[n / 2]));
		if (n >= 6)
			overwrite(&f, 3000, 2000, true);
		expect_same(&f, names[n % 2], n);
	}
	buf_clear(&content);
	teardown(&f);
}

/* Flips a byte in each log, behind what is promised of it. */
static void damage_tails(struct fixture *f)
{
	char path[SCRATCH_PATH_MAX];
	size_t damaged = 0;

	read_promise(f);
	for (size_t i = 0; scratch_find(path, f->chain, "0", i); i++) {
		uint64_t first = strcmp(path, f->log) == 0 ? f->promised : 0;

		if (!strstr(path, ".log") || size_of(path) == first)
			continue;
		scratch_flip(path, first + rng_below(&f->rng, size_of(path) - first));
		damaged++;
	}
	cr_assert(damaged > 0);
}

/* And then it goes on: from the damage to the next flush, and behind that. */
Test(synced, go_on_after_damage)
{
	struct fixture f;
	struct err err = { 0 };
	uint64_t flushed = FLUSHED;

	setup(&f, 5);
	for (size_t n = 0; n < 8; n++) {
		damage_tails(&f);
		cr_assert_eq(sample_open(&f.m, &err), OK, "%s", err.message);
		cr_assert_eq(f.m.report.flushed_height, flushed);
		sample_run(&f.m, 5);
		if (n % 2) {
			sample_flush(&f.m);
			flushed = f.m.height;
		}
		sample_run(&f.m, 5);
		cr_assert_null(sample_compare_store(&f.m, f.m.height));
		sample_close(&f.m);
	}
	teardown(&f);
}

Test(synced, refuse_damage_before_flush)
{
	struct fixture f;

	setup(&f, 6);
	for (size_t n = 0; n < 60; n++) {
		uint64_t at = rng_below(&f.rng, f.promised);

		if (n < 40)
			at = n < 8 ? n : f.promised - 1 - (n - 8);
		scratch_flip(f.log, at);
		expect_refused(&f, "a flip", at, f.log_name);
	}
	for (size_t n = 0; n < 24; n++) {
		uint64_t size = n < 8 ? f.promised - 1 - n : rng_below(&f.rng, f.promised);

		scratch_cut(f.log, size);
		expect_refused(&f, "cut", size, f.log_name);
	}
	for (uint64_t at = 0; at + PAGE_SIZE <= f.promised; at += PAGE_SIZE) {
		overwrite(&f, at, PAGE_SIZE, false);
		expect_refused(&f, "a page of zeros", at, f.log_name);
	}
	unlink(f.log);
	expect_refused(&f, "removed", 0, f.log_name);
	teardown(&f);
}

Test(synced, refuse_damaged_record_of_what_is_promised)
{
	char current[SCRATCH_PATH_MAX];
	struct fixture f;

	setup(&f, 7);
	for (uint64_t at = 0; at < size_of(f.synced); at++) {
		scratch_flip(f.synced, at);
		expect_refused(&f, "a flip in SYNCED", at, "SYNCED");
		scratch_cut(f.synced, at);
		expect_refused(&f, "SYNCED cut", at, "SYNCED");
	}
	unlink(f.synced);
	expect_refused(&f, "SYNCED removed", 0, "SYNCED is missing");
	scratch_path(current, f.chain, "CURRENT");
	unlink(current);
	expect_refused(&f, "CURRENT removed", 0, "CURRENT is missing");
	teardown(&f);
}

/* An older promise leads to an older flush, before which the commit log has let go. */
Test(synced, refuse_older_record_of_what_is_promised)
{
	struct buf older = { 0 };
	struct fixture f;

	setup(&f, 8);
	cr_assert_eq(sample_open(&f.m, NULL), OK);
	sample_flush(&f.m);
	scratch_read(&older, f.synced);
	sample_run(&f.m, 5);
	sample_flush(&f.m);
	sample_close(&f.m);
	scratch_write(f.synced, buf_bytes(&older));
	expect_refused(&f, "SYNCED of the flush before", 0, "missing in the commit log");
	buf_clear(&older);
	teardown(&f);
}

/* Tables may be newer than the last flush; a process of the same kind is kept out. */
Test(synced, keep_all_writes_up_to_one_moment)
{
	const struct kv_options options = { .create = true,
					    .cache_size = 1 << 20,
					    .write_buffer_size = 1 << 16 };
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	uint8_t value[300] = { 0 };
	struct kv *kv, *second;
	struct rng rng;

	rng_init(&rng, 9);
	scratch_new(top);
	scratch_path(dir, top, "db");
	for (uint64_t next = 0, promised = 0, round = 0; round < 12; round++) {
		struct buf found = { 0 };
		struct err err = { 0 };
		struct kv_batch *b;
		uint64_t n, there;

		cr_assert_eq(kv_open_leveldb(&kv, dir, &options, &err), OK, "%s", err.message);
		cr_assert_eq(kv_open_leveldb(&second, dir, &options, NULL), STORE_E_IN_USE);
		for (there = 0; there < next; there++)
			if (kv_get(kv, NULL, bytes_of(&there, sizeof(there)), &found, NULL) != OK)
				break;
		for (n = there; n < next; n++)
			cr_assert_eq(kv_get(kv, NULL, bytes_of(&n, sizeof(n)), &found, NULL),
				     STORE_E_NOT_FOUND, "%lu is there, and %lu is not", n, there);
		cr_assert_geq(there, promised);
		b = kv_batch_new(kv);
		for (n = there, next = there + 1 + rng_below(&rng, 900); n < next; n++) {
			bool sync = rng_below(&rng, 200) == 0;

			kv_batch_reset(b);
			kv_batch_put(b, bytes_of(&n, sizeof(n)), bytes_of(value, sizeof(value)));
			cr_assert_eq(kv_write(kv, b, sync, NULL), OK);
			promised = sync ? n + 1 : promised;
		}
		kv_batch_free(b);
		kv_close(kv);
		buf_clear(&found);
	}
	scratch_remove(top);
}
