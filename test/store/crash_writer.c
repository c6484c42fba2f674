/*
 * crash_writer - writes a chain that follows from a seed, and says what it has
 * promised; and finds out later whether the promise was kept.
 *
 *   crash_writer run DIR SEED COUNT    make or open DIR, write up to height COUNT;
 *                                      prints "woke N", and "ack N" once block N is synced
 *   crash_writer check DIR SEED ACKED  OK if DIR opens, stands at ACKED or above, and all
 *                                      in it is what was written
 *   crash_writer fill DIR SEED COUNT   makes a LevelDB and puts COUNT large values into it,
 *                                      more than one of its log files takes; then syncs,
 *                                      prints "ack COUNT" and ends at once
 *   crash_writer count DIR SEED COUNT  OK if they are all there
 *
 * Status: 0 well; 1 a promise was broken; 2 usage; 3 the disk refused, and it was said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "store/sample.h"
#include "store/scratch.h"

#define FLUSH_EVERY 6
#define WRITE_BUFFER_SIZE (64 << 10) /* LevelDB's least: it changes log files every few flushes */
#define TRIM_EVERY 4

static const struct kv_options to_make = { .create = true, .cache_size = 1 << 20 };
static const struct kv_options to_open = { .cache_size = 1 << 20 };

static int give_up(const char *what, const struct err *err)
{
	fprintf(stderr, "crash_writer: %s: %s\n", what, err->message);
	return err->code == STORE_E_WRITE || err->code == STORE_E_OPEN ? 3 : 1;
}

/* One line, in the kernel's hands when this returns. */
static void say(const char *word, uint64_t n)
{
	char line[64];
	int size = snprintf(line, sizeof(line), "%s %llu\n", word, (unsigned long long)n);

	CHECK(write(STDOUT_FILENO, line, (size_t)size) == size);
}

/* Makes the same chain in memory, so that the sample knows what stands in `m`. */
static void remake(struct sample *m, uint64_t seed, uint64_t height)
{
	struct sample memory;

	sample_init(&memory, seed, NULL);
	CHECK(sample_open(&memory, NULL) == OK);
	sample_run(&memory, height);
	memcpy(m->states, memory.states, (SAMPLE_HEIGHT_MAX + 1) * sizeof(m->states[0]));
	memcpy(m->hashes, memory.hashes, sizeof(m->hashes));
	memcpy(m->roots, memory.roots, sizeof(m->roots));
	memcpy(m->times_ms, memory.times_ms, sizeof(m->times_ms));
	sample_clear(&memory);
}

static int open_or_make(struct sample *m, struct err *err)
{
	char version[SCRATCH_PATH_MAX];
	int code = OK;

	scratch_path(version, m->options.dir, "VERSION");
	if (access(version, F_OK) != 0)
		code = store_create(&m->options, &m->genesis, err);
	return code != OK ? code : sample_open(m, err);
}

/* Own messages go to the consensus log before a block goes to the commit log. */
static int sign(struct sample *m, struct err *err)
{
	struct bytes record = bytes_of(&m->height, sizeof(m->height));
	int code = store_consensus_append(m->s, 1, record, err);

	if (code != OK)
		return code;
	store_consensus_sync(m->s);
	return m->height % TRIM_EVERY ? OK : store_consensus_trim(m->s, 1, record, err);
}

static int write_block(struct sample *m, struct err *err)
{
	struct sample_block block;
	int code;

	sample_make(m, &block, m->height % 4);
	code = sign(m, err);
	if (code == OK)
		code = store_log(m->s, &block.b, err);
	if (code == OK) {
		store_log_sync(m->s);
		say("ack", m->height);
		code = store_apply(m->s, &block.b, err);
	}
	if (code == OK)
		store_state_written(m->s, m->height);
	if (code == OK && m->height % FLUSH_EVERY == 0)
		code = store_flush_write(m->s, store_flush_take(m->s, m->height), err);
	sample_block_clear(&block);
	return code;
}

static int run(struct sample *m, uint64_t seed, uint64_t count)
{
	struct err err = { 0 };

	if (open_or_make(m, &err) != OK)
		return give_up("cannot start", &err);
	say("woke", m->height);
	remake(m, seed, m->height);
	while (m->height < count)
		if (write_block(m, &err) != OK)
			return give_up("cannot go on", &err);
	return 0;
}

/* The newest record in the consensus log. */
static int see_record(void *ctx, uint8_t kind, struct bytes payload, struct err *err)
{
	uint64_t *newest = ctx;

	CHECK(payload.size == sizeof(*newest));
	memcpy(newest, payload.data, sizeof(*newest));
	return OK;
}

static int check(struct sample *m, uint64_t seed, uint64_t acked)
{
	uint64_t signed_height = 0;
	struct err err = { 0 };
	const char *bad;

	if (sample_open(m, &err) != OK) {
		fprintf(stderr, "crash_writer: %s\n", err.message);
		return 1;
	}
	remake(m, seed, m->height);
	bad = sample_compare_store(m, m->height);
	if (!bad && m->height < acked)
		bad = "acknowledged blocks are gone";
	if (!bad && (m->report.consensus_log_missing ||
		     store_consensus_replay(m->s, see_record, &signed_height, &err) != OK ||
		     signed_height < m->height))
		bad = "a record of the consensus log is gone";
	if (bad) {
		fprintf(stderr, "crash_writer: woke at %llu, acknowledged %llu: %s\n",
			(unsigned long long)m->height, (unsigned long long)acked, bad);
		return 1;
	}
	say("woke", m->height);
	return 0;
}

#define VALUE_SIZE (256 << 10)

static void fill_value(uint64_t n, uint8_t out[VALUE_SIZE])
{
	struct rng rng;

	rng_init(&rng, n);
	for (size_t i = 0; i < VALUE_SIZE; i += 8)
		store_le64(out + i, rng_next(&rng));
}

/* A put of its own for each value, none synced; then kv_sync(). */
static int fill(const char *dir, uint64_t count)
{
	static uint8_t value[VALUE_SIZE];
	struct err err = { 0 };
	struct kv_batch *b;
	struct kv *kv;

	if (kv_open_leveldb(&kv, dir, &to_make, &err) != OK)
		return give_up("cannot start", &err);
	b = kv_batch_new(kv);
	for (uint64_t n = 0; n < count; n++) {
		fill_value(n, value);
		kv_batch_reset(b);
		kv_batch_put(b, bytes_of(&n, sizeof(n)), bytes_of(value, sizeof(value)));
		if (kv_write(kv, b, false, &err) != OK)
			return give_up("cannot go on", &err);
	}
	if (kv_sync(kv, &err) != OK)
		return give_up("cannot go on", &err);
	say("ack", count);
	_exit(0);
}

static int count_values(const char *dir, uint64_t count)
{
	static uint8_t value[VALUE_SIZE];
	struct buf found = { 0 };
	struct err err = { 0 };
	uint64_t n = 0;
	struct kv *kv;

	if (kv_open_leveldb(&kv, dir, &to_open, &err) != OK)
		return give_up("cannot open", &err);
	for (; n < count; n++) {
		fill_value(n, value);
		buf_reset(&found);
		if (kv_get(kv, NULL, bytes_of(&n, sizeof(n)), &found, &err) != OK ||
		    !bytes_equal(buf_bytes(&found), bytes_of(value, sizeof(value))))
			break;
	}
	if (n < count)
		fprintf(stderr, "crash_writer: value %llu of %llu is gone\n", (unsigned long long)n,
			(unsigned long long)count);
	buf_clear(&found);
	kv_close(kv);
	return n < count;
}

int main(int argc, char **argv)
{
	struct sample m;
	int status;

	if (argc == 5 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], strtoull(argv[4], NULL, 10));
	if (argc == 5 && strcmp(argv[1], "count") == 0)
		return count_values(argv[2], strtoull(argv[4], NULL, 10));
	if (argc != 5 || (strcmp(argv[1], "run") != 0 && strcmp(argv[1], "check") != 0)) {
		fprintf(stderr, "usage: crash_writer run|check|fill|count DIR SEED COUNT\n");
		return 2;
	}
	sample_init(&m, strtoull(argv[3], NULL, 10), argv[2]);
	m.options.write_buffer_size = WRITE_BUFFER_SIZE;
	status = (argv[1][0] == 'r' ? run : check)(&m, m.seed, strtoull(argv[4], NULL, 10));
	sample_clear(&m);
	return status;
}
