/*
 * A whole store (store/store.h) on a simulated disk: a chain is logged, applied and flushed,
 * own messages go to the consensus log, and the disk dies again and again, in every operation and
 * by every fault. What was acknowledged is there, or the store refuses, and says what is
 * damaged; and it refuses only if something is.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "sim/disk.h"
#include "store/sample.h"

#define HEIGHT_MAX 48
#define FLUSH_EVERY 5
#define SIGNED 1 /* the kind of consensus records */

/* The chain, made once; and a node's life on a disk. */
struct world {
	struct sample m; /* in memory */
	struct sample_block blocks[HEIGHT_MAX + 1];
	struct disk *d;
	struct store_options options;
	struct store *s; /* NULL while closed */
	uint64_t height;      /* logged */
	uint64_t acked;       /* final, as far as anybody was told */
	uint64_t signed_next; /* what the next record says */
	uint64_t signed_acked, signed_from; /* those in between were sent, and are still needed */
	uint64_t seen_first, seen_last;     /* of a replay; 0: none */
};

static void world_init(struct world *w, uint64_t height_max)
{
	memset(w, 0, sizeof(*w));
	sample_init(&w->m, 11, NULL);
	CHECK(sample_open(&w->m, NULL) == OK);
	for (uint64_t h = 1; h <= height_max; h++) {
		sample_make(&w->m, &w->blocks[h], h % 4);
		CHECK(store_log(w->m.s, &w->blocks[h].b, NULL) == OK);
		store_log_sync(w->m.s);
		CHECK(store_apply(w->m.s, &w->blocks[h].b, NULL) == OK);
		store_state_written(w->m.s, h);
	}
}

static void world_clear(struct world *w, uint64_t height_max)
{
	for (uint64_t h = 1; h <= height_max; h++)
		sample_block_clear(&w->blocks[h]);
	sample_clear(&w->m);
}

/* An empty disk with a chain's beginning on it. */
static void begin(struct world *w, uint64_t seed)
{
	struct err err = { 0 };

	w->d = disk_new(seed, &disk_plan_none);
	w->options = w->m.options;
	w->options.dir = "node";
	w->options.medium = disk_medium(w->d);
	cr_assert_eq(store_create(&w->options, &w->m.genesis, &err), OK, "%s", err.message);
	w->height = w->acked = 0;
	w->signed_next = 1;
	w->signed_acked = w->signed_from = 0;
}

static int collect(void *ctx, uint8_t kind, struct bytes payload, struct err *err)
{
	struct world *w = ctx;
	uint64_t n;

	cr_assert_eq(kind, SIGNED);
	cr_assert_eq(payload.size, sizeof(n));
	memcpy(&n, payload.data, sizeof(n));
	/* In order, without a gap; the newest twice, if a trim was cut off. */
	cr_assert(!w->seen_last || n == w->seen_last || n == w->seen_last + 1);
	if (!w->seen_first)
		w->seen_first = n;
	w->seen_last = n;
	return OK;
}

/* Everything that was promised is there. False: what is damaged can't be read, and says so. */
static bool check_store(struct world *w)
{
	struct store_reader *r;
	struct store_tip tip;
	bool readable = true;

	store_get_tip(w->s, &tip);
	cr_assert_geq(tip.header.height, w->acked, "a final block is lost");
	cr_assert(hash_equal(&tip.hash, &w->m.hashes[tip.header.height]));
	cr_assert(hash_equal(&tip.header.state_root, &w->m.roots[tip.header.height]));
	r = store_reader_new(w->s);
	for (uint64_t h = 0; readable && h <= tip.header.height; h++) {
		struct stored_header header;
		struct err err = { 0 };
		int code = store_read_header(r, h, &header, &err);

		if (code != OK) {
			cr_assert(code == STORE_E_CORRUPT && disk_damage(w->d, NULL), "%s",
				  err.message);
			readable = false;
			continue;
		}
		cr_assert(hash_equal(&header.hash, &w->m.hashes[h]));
		stored_header_clear(&header);
	}
	store_reader_free(r);
	w->seen_first = w->seen_last = 0;
	cr_assert_eq(store_consensus_replay(w->s, collect, w, NULL), OK);
	if (w->signed_acked) {
		cr_assert(w->seen_first && w->seen_first <= MAX(w->signed_from, 1ull));
		cr_assert_geq(w->seen_last, w->signed_acked, "a sign record is lost");
	}
	w->height = w->acked = tip.header.height;
	w->signed_next = MAX(w->seen_last, w->signed_acked) + 1;
	return readable;
}

static int sign(struct world *w)
{
	struct bytes payload = bytes_of(&w->signed_next, sizeof(w->signed_next));
	int code = store_consensus_append(w->s, SIGNED, payload, NULL);

	if (code != OK)
		return code;
	store_consensus_sync(w->s);
	if (!disk_is_dead(w->d))
		w->signed_acked = w->signed_next;
	w->signed_next++;
	return OK;
}

/* As node/job.c does it: the newest record stands for those before. */
static int trim(struct world *w)
{
	struct bytes newest = bytes_of(&w->signed_acked, sizeof(w->signed_acked));
	int code;

	if (!w->signed_acked || disk_is_dead(w->d))
		return OK;
	w->signed_from = w->signed_acked;
	code = store_consensus_trim(w->s, SIGNED, newest, NULL);
	return code == STORE_E_WRITE ? OK : code;
}

/* A height that takes long: signatures and trims, one of them after the other. */
static int stall(struct world *w)
{
	int code = OK;

	for (size_t i = 0; code == OK && i < 6; i++)
		code = i % 3 == 2 ? trim(w) : sign(w);
	return code;
}

static int flush(struct world *w)
{
	int code = store_flush_write(w->s, store_flush_take(w->s, w->height), NULL);

	return code == OK ? trim(w) : code;
}

/* The next block, from the signature to the batch. Not OK: the disk refused, the node ends. */
static int write_block(struct world *w)
{
	struct sample_block *b = &w->blocks[w->height + 1];
	struct hash root;
	int code = sign(w);

	if (code == OK && w->height % 3 == 0)
		code = sign(w);
	if (code == OK && w->height % 4 == 1)
		code = stall(w);
	if (code == OK)
		code = store_log(w->s, &b->b, NULL);
	if (code != OK)
		return code;
	store_log_sync(w->s);
	w->height++;
	if (!disk_is_dead(w->d))
		w->acked = w->height;
	code = store_apply(w->s, &b->b, NULL);
	if (code != OK)
		return code;
	if (state_tree_apply(store_tree(w->s), &b->diff, &root, NULL) != OK)
		return STORE_E_CORRUPT; /* a trie node can't be read */
	return w->height % FLUSH_EVERY == 0 ? flush(w) : OK;
}

/* Writes until the chain ends or the disk dies or refuses. */
static void live(struct world *w, uint64_t height_max)
{
	int code = OK;

	while (code == OK && w->height < height_max && !disk_is_dead(w->d))
		code = write_block(w);
	cr_assert(code == OK || code == STORE_E_WRITE || disk_misreads(w->d) ||
			  disk_damage(w->d, NULL) || disk_is_dead(w->d),
		  "code %d", code);
	store_close(w->s);
	w->s = NULL;
}

/* Opens it after the disk's end. False: it is damaged, and was refused. */
static bool wake(struct world *w)
{
	for (int tries = 0; tries < 200; tries++) {
		struct store_report report;
		struct err err = { 0 };
		int code;

		disk_restart(w->d);
		code = store_open(&w->s, &w->options, &w->m.genesis, &report, &err);
		if (code == OK && !disk_is_dead(w->d)) {
			cr_assert(!report.consensus_log_missing || disk_damage(w->d, NULL));
			if (!report.consensus_log_missing)
				return true;
			/* Nothing may be signed any more: as good as refused. */
			store_close(w->s);
			w->s = NULL;
			return false;
		}
		if (code == OK) {
			store_close(w->s);
			w->s = NULL;
			continue;
		}
		if (disk_is_dead(w->d) || disk_misreads(w->d) || code == STORE_E_WRITE)
			continue; /* to be tried again */
		cr_assert(disk_damage(w->d, NULL), "refused without a reason: %s", err.message);
		cr_assert(code == STORE_E_CORRUPT || code == STORE_E_VERSION ||
				  code == STORE_E_CHAIN,
			  "%s", err.message);
		return false;
	}
	cr_assert(false, "never opens again");
	return false;
}

static void end(struct world *w)
{
	store_close(w->s);
	w->s = NULL;
	disk_free(w->d);
}

static const struct disk_plan crash_plan = {
	.chance = {
		[DISK_TORN_WRITE] = 400000,
		[DISK_LOST_WRITE] = 200000,
		[DISK_GARBAGE] = 300000,
		[DISK_LOST_NAME] = 500000,
		[DISK_LOST_BATCH] = 600000,
		[DISK_EARLY_WRITE] = 200000,
	},
};

/* Dies in operation `at` of a life of `height_max` blocks; false if that is over before. */
static bool die_at(struct world *w, uint64_t seed, uint64_t at, uint64_t height_max)
{
	struct disk_plan plan = crash_plan;

	begin(w, seed);
	CHECK(wake(w));
	(void)check_store(w);
	plan.crash_at = disk_operations(w->d) + at;
	disk_set_plan(w->d, &plan);
	live(w, height_max);
	return disk_is_dead(w->d);
}

Test(storage, keep_promise_at_every_operation, .timeout = 300)
{
	struct world *w = xcalloc(1, sizeof(*w));
	size_t crash_count = 0;

	world_init(w, 14);
	for (uint64_t seed = 1; seed <= 12; seed++) {
		for (uint64_t at = 1; die_at(w, seed, at, 11); at++) {
			struct disk_plan plan = crash_plan;

			/* Another death while it is opened. */
			disk_restart(w->d);
			plan.crash_at = disk_operations(w->d) + 1 + at % 9;
			disk_set_plan(w->d, &plan);
			if (store_open(&w->s, &w->options, &w->m.genesis, NULL, NULL) == OK)
				store_close(w->s);
			crash_count += 1 + disk_is_dead(w->d);
			disk_set_plan(w->d, &crash_plan);
			cr_assert(wake(w));
			cr_assert(check_store(w));
			/* It goes on, and all is there after one more. */
			live(w, 14);
			disk_stop(w->d, DISK_POWER_LOST);
			cr_assert(wake(w));
			cr_assert_eq(w->acked, 14);
			cr_assert(check_store(w));
			crash_count++;
			end(w);
		}
		end(w);
	}
	cr_log_info("storage: %zu crash points", crash_count);
	cr_assert_geq(crash_count, 4000);
	world_clear(w, 14);
	free(w);
}

/* Making a data directory, cut off anywhere: it is whole, or says that it is not. */
Test(storage, refuse_half_made_directory)
{
	struct world *w = xcalloc(1, sizeof(*w));
	size_t whole = 0, half = 0;

	world_init(w, 1);
	for (uint64_t round = 0; round < 600; round++) {
		struct disk_plan plan = crash_plan;
		struct err err = { 0 };
		int code;

		plan.crash_at = 1 + round % 30;
		w->d = disk_new(round, &plan);
		w->options = w->m.options;
		w->options.dir = "node";
		w->options.medium = disk_medium(w->d);
		(void)store_create(&w->options, &w->m.genesis, NULL);
		if (!disk_is_dead(w->d))
			disk_stop(w->d, DISK_POWER_LOST);
		disk_restart(w->d);
		code = store_open(&w->s, &w->options, &w->m.genesis, NULL, &err);
		cr_assert(code == OK || strstr(err.message, "init"), "%s", err.message);
		whole += code == OK;
		half += code != OK;
		if (code == OK)
			store_close(w->s);
		w->s = NULL;
		disk_free(w->d);
	}
	cr_assert(whole > 50 && half > 50, "%zu %zu", whole, half);
	world_clear(w, 1);
	free(w);
}

/* Lives and deaths by every fault there is. */
Test(storage, keep_promise_or_refuse_by_name, .timeout = 300)
{
	struct world *w = xcalloc(1, sizeof(*w));
	uint64_t totals[DISK_FAULT_COUNT] = { 0 };
	size_t deaths = 0, refused = 0, lives = 0;

	world_init(w, HEIGHT_MAX);
	for (uint64_t seed = 1; seed <= 800; seed++) {
		bool is_whole = true;

		begin(w, seed);
		disk_set_plan(w->d, &disk_plan_all);
		is_whole = wake(w);
		while (is_whole && w->height < HEIGHT_MAX) {
			disk_set_plan(w->d, &disk_plan_none);
			is_whole = check_store(w);
			disk_set_plan(w->d, &disk_plan_all);
			if (!is_whole)
				break;
			live(w, MIN(w->height + 3 + seed % 5, (uint64_t)HEIGHT_MAX));
			disk_stop(w->d, seed % 3 ? DISK_POWER_LOST : DISK_PROCESS_KILLED);
			deaths++;
			is_whole = wake(w);
		}
		refused += !is_whole;
		lives++;
		for (size_t i = 0; i < DISK_FAULT_COUNT; i++)
			totals[i] += disk_counters(w->d)[i];
		end(w);
	}
	for (size_t i = 0; i < DISK_FAULT_COUNT; i++) {
		cr_log_info("storage: %s %llu", disk_fault_name(i), (unsigned long long)totals[i]);
		cr_assert_gt(totals[i], 0, "%s never fired", disk_fault_name(i));
	}
	cr_log_info("storage: %zu lives, %zu deaths, %zu refused", lives, deaths, refused);
	cr_assert(refused > 20 && refused < lives - 20, "%zu of %zu", refused, lives);
	world_clear(w, HEIGHT_MAX);
	free(w);
}

/* The oracle of these tests can fail: a disk whose syncs do nothing loses what was promised. */
Test(storage, notice_a_lying_sync)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct disk_plan plan = crash_plan;
	struct buf content = { 0 };
	struct store_tip tip;
	size_t lost = 0;

	world_init(w, 4);
	plan.chance[DISK_LOST_WRITE] = DISK_SURE;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		begin(w, seed);
		CHECK(wake(w) && check_store(w));
		live(w, 2);
		/* The commit log as it was then, with nobody who knows of more. */
		buf_reset(&content);
		CHECK(disk_read(w->d, &content, "node/log/commit-0000000000000001.log"));
		CHECK(wake(w) && check_store(w));
		live(w, 4);
		disk_write(w->d, "node/log/commit-0000000000000001.log", buf_bytes(&content));
		disk_write(w->d, "node/log/commit.note", bytes_of(NULL, 0));
		disk_write(w->d, "node/chain/TIP", bytes_of(NULL, 0));
		disk_set_plan(w->d, &plan);
		plan.chance[DISK_LOST_BATCH] = DISK_SURE;
		disk_crash(w->d);
		if (store_open(&w->s, &w->options, &w->m.genesis, NULL, NULL) == OK) {
			store_get_tip(w->s, &tip);
			lost += tip.header.height < w->acked;
		}
		end(w);
	}
	cr_assert_gt(lost, 0);
	buf_clear(&content);
	world_clear(w, 4);
	free(w);
}
