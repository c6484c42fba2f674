/*
 * weft-bench state - what a block's state costs: the state trie over a million
 * accounts changed by a block, and everything written, beside LevelDB alone
 * writing the same batch into a second database. The two take turns, so that the
 * machine's drift meets both.
 */
#include "app/bench.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/rand.h"
#include "crypto/keccak.h"
#include "io/clock.h"
#include "state/tree.h"
#include "store/columns.h"
#include "store/kv.h"

#define ACCOUNT_COUNT 1000000u
#define ACCOUNT_COUNT_MIN 100u
#define BLOCK_SHARE 100    /* a block changes one account in so many */
#define BUILD_COUNT 20000u /* accounts a block while the state is built */
#define LIVE_COUNT 2000u   /* accounts that a block of 1,500 transfers changes */
#define WARM_COUNT 3       /* blocks before those that are measured */
#define SAMPLE_MAX 101
#define CACHE_SIZE (64 * MIB)

/* What is measured of one block, microseconds. */
enum part {
	PART_KEYS,   /* hash the addresses */
	PART_UPDATE, /* change the trie */
	PART_HASH,   /* encode and hash what changed */
	PART_BATCH,  /* put flat records and nodes into the batch */
	PART_WRITE,  /* write it, synced */
	PART_COMMIT, /* all of these */
	PART_RAW,    /* the same batch into the other database, synced */
	PART_LIVE,   /* keys, update and hash of a block of transfers */
	PART_COUNT,
};

struct holder {
	struct addr address;
	uint32_t block; /* that changed it last */
	uint64_t nonce, balance;
};

struct bench_state {
	char dir[256];
	struct kv *ours, *raw;
	struct kv_batch *batch;
	struct state_tree *tree;
	struct holder *holders;
	uint32_t holder_count;
	uint32_t block;
	struct rng rng;
	struct buf key;
	size_t node_count, batch_size;
	uint64_t mark_us; /* when the last stage ended */
	double now[PART_COUNT];
	double samples[PART_COUNT][SAMPLE_MAX];
};

static double lap(struct bench_state *s)
{
	uint64_t before = s->mark_us;

	s->mark_us = io_monotonic_us();
	return (double)(s->mark_us - before);
}

static void stage_ended(void *ctx, enum tree_stage stage)
{
	struct bench_state *s = ctx;

	switch (stage) {
	case TREE_STAGE_KEYS:
		s->now[PART_KEYS] += lap(s);
		break;
	case TREE_STAGE_UPDATE:
		s->now[PART_UPDATE] += lap(s);
		break;
	case TREE_STAGE_HASH:
		s->now[PART_HASH] += lap(s);
		break;
	}
}

/* Nodes are not read again: the tree keeps them all in memory. */
static int read_node(void *ctx, struct buf *out, const struct tree_location *at, struct err *err)
{
	(void)ctx, (void)out, (void)at;
	return ERR_SET(err, STATE_E_READ, "a node that was let go of");
}

static void write_node(void *ctx, const struct tree_location *at, struct bytes rlp)
{
	struct bench_state *s = ctx;

	buf_reset(&s->key);
	buf_append_byte(&s->key, COLUMN_NODE);
	buf_append(&s->key, &at->owner, sizeof(at->owner));
	buf_append(&s->key, at->path, at->path_size);
	if (rlp.size)
		kv_batch_put(s->batch, buf_bytes(&s->key), rlp);
	else
		kv_batch_delete(s->batch, buf_bytes(&s->key));
}

/* --- blocks --- */

static struct account account_of(const struct holder *h)
{
	struct account a = account_empty;

	a.nonce = h->nonce;
	a.balance = wei_of(h->balance);
	return a;
}

/* Holders stand by rising address, so rising indexes give a difference. */
static void add_change(struct bench_state *s, struct state_diff *d, uint32_t index)
{
	struct holder *h = &s->holders[index];
	struct account_change *c = &d->accounts[d->account_count++];

	c->address = h->address;
	c->before = h->nonce ? account_of(h) : account_empty;
	h->nonce++;
	h->balance += rng_below(&s->rng, 1000000000);
	c->after = account_of(h);
}

static int compare_indexes(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* `count` different accounts of all. */
static void make_block(struct bench_state *s, struct state_diff *d, uint32_t count)
{
	uint32_t *indexes = xmalloc(count * sizeof(*indexes)), found = 0;

	s->block++;
	while (found < count) {
		uint32_t index = (uint32_t)rng_below(&s->rng, s->holder_count);

		if (s->holders[index].block == s->block)
			continue;
		s->holders[index].block = s->block;
		indexes[found++] = index;
	}
	qsort(indexes, count, sizeof(*indexes), compare_indexes);
	*d = (struct state_diff){ .accounts = xmalloc(count * sizeof(*d->accounts)) };
	for (uint32_t i = 0; i < count; i++)
		add_change(s, d, indexes[i]);
	free(indexes);
}

static void fill_batch(struct bench_state *s, const struct state_diff *d)
{
	uint8_t key[1 + sizeof(struct addr)] = { COLUMN_ACCOUNT };
	uint8_t record[ACCOUNT_RLP_MAX];

	kv_batch_reset(s->batch);
	for (size_t i = 0; i < d->account_count; i++) {
		memcpy(key + 1, &d->accounts[i].address, sizeof(struct addr));
		kv_batch_put(s->batch, bytes_of(key, sizeof(key)),
			     bytes_of(record, account_encode_flat(record, &d->accounts[i].after)));
	}
	s->node_count = state_tree_dirty_count(s->tree);
	state_tree_flush(s->tree, (struct tree_sink){ write_node, s });
	s->batch_size = kv_batch_size(s->batch);
}

static int write_batch(struct bench_state *s, struct kv *to, enum part part, bool sync)
{
	struct err err = { 0 };

	s->mark_us = io_monotonic_us();
	if (kv_write(to, s->batch, sync, &err) != OK) {
		fprintf(stderr, "weft-bench: %s\n", err.message);
		return -1;
	}
	s->now[part] = lap(s);
	return 0;
}

/* One block through both databases. The batch is made before either writes; who
 * writes first changes from block to block. */
static int run_block(struct bench_state *s, struct state_diff *d, bool sync)
{
	struct err err = { 0 };
	struct hash root;

	memset(s->now, 0, sizeof(s->now));
	s->mark_us = io_monotonic_us();
	if (state_tree_apply(s->tree, d, &root, &err) != OK) {
		fprintf(stderr, "weft-bench: %s\n", err.message);
		return -1;
	}
	lap(s);
	fill_batch(s, d);
	s->now[PART_BATCH] = lap(s);
	if (s->block & 1 && write_batch(s, s->raw, PART_RAW, sync) < 0)
		return -1;
	if (write_batch(s, s->ours, PART_WRITE, sync) < 0)
		return -1;
	if (!(s->block & 1) && write_batch(s, s->raw, PART_RAW, sync) < 0)
		return -1;
	for (int i = 0; i < PART_COMMIT; i++)
		s->now[PART_COMMIT] += s->now[i];
	return 0;
}

/* A block of transfers as a live chain makes one: changed and hashed; its nodes
 * wait for the next flush. */
static int run_live(struct bench_state *s)
{
	struct state_diff d;
	struct hash root;
	uint64_t start;
	int rc;

	make_block(s, &d, MIN(LIVE_COUNT, s->holder_count / 2));
	start = io_monotonic_us();
	rc = state_tree_apply(s->tree, &d, &root, NULL);
	s->now[PART_LIVE] = (double)(io_monotonic_us() - start);
	state_diff_clear(&d);
	return rc == OK ? 0 : -1;
}

/* --- the state that the blocks change --- */

static int compare_holders(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct addr));
}

static void make_holders(struct bench_state *s)
{
	s->holders = xcalloc(s->holder_count, sizeof(*s->holders));
	for (uint32_t i = 0; i < s->holder_count; i++) {
		struct hash h = { { 0 } };

		store_be32(h.bytes, i);
		keccak256(&h, hash_bytes(&h));
		memcpy(&s->holders[i].address, &h, sizeof(struct addr));
		s->holders[i].balance = 1000000000000000000u;
	}
	qsort(s->holders, s->holder_count, sizeof(*s->holders), compare_holders);
}

static int build(struct bench_state *s)
{
	for (uint32_t at = 0; at < s->holder_count; at += BUILD_COUNT) {
		uint32_t end = MIN(at + BUILD_COUNT, s->holder_count);
		struct state_diff d = { .accounts = xmalloc((end - at) * sizeof(*d.accounts)) };
		int rc;

		for (uint32_t i = at; i < end; i++)
			add_change(s, &d, i);
		rc = run_block(s, &d, false);
		state_diff_clear(&d);
		if (rc < 0)
			return -1;
	}
	/* Both start from tables that are in order. */
	kv_compact(s->ours, bytes_of("\0", 1), bytes_of("\xff", 1));
	kv_compact(s->raw, bytes_of("\0", 1), bytes_of("\xff", 1));
	return 0;
}

static int open_kv(struct bench_state *s, struct kv **out, const char *name)
{
	char path[sizeof(s->dir) + 16];
	const struct kv_options options = { .create = true, .cache_size = CACHE_SIZE };
	struct err err = { 0 };

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	if (kv_open_leveldb(out, path, &options, &err) == OK)
		return 0;
	fprintf(stderr, "weft-bench: %s\n", err.message);
	return -1;
}

static int set_up(struct bench_state *s)
{
	const char *where = getenv("TMPDIR"), *count = getenv("WEFT_BENCH_ACCOUNTS");

	rng_init(&s->rng, 1);
	s->holder_count = count ? (uint32_t)strtoul(count, NULL, 10) : ACCOUNT_COUNT;
	if (s->holder_count < ACCOUNT_COUNT_MIN || s->holder_count > 100 * ACCOUNT_COUNT) {
		fprintf(stderr, "weft-bench: WEFT_BENCH_ACCOUNTS takes a number from %u to %u\n",
			ACCOUNT_COUNT_MIN, 100 * ACCOUNT_COUNT);
		return -1;
	}
	snprintf(s->dir, sizeof(s->dir), "%s/weft-bench-XXXXXX", where && *where ? where : "/tmp");
	if (!mkdtemp(s->dir)) {
		fprintf(stderr, "weft-bench: can't make a folder like %s: %m\n", s->dir);
		s->dir[0] = '\0';
		return -1;
	}
	if (open_kv(s, &s->ours, "ours") < 0 || open_kv(s, &s->raw, "raw") < 0)
		return -1;
	s->batch = kv_batch_new(s->ours);
	s->tree = state_tree_new(&account_empty.storage_root, (struct tree_source){ read_node, s },
				 SIZE_MAX, 1);
	state_tree_set_trace(s->tree, (struct tree_trace){ stage_ended, s });
	make_holders(s);
	return build(s);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info, (void)type, (void)where;
	return remove(path);
}

static void tear_down(struct bench_state *s)
{
	state_tree_free(s->tree);
	if (s->batch)
		kv_batch_free(s->batch);
	if (s->ours)
		kv_close(s->ours);
	if (s->raw)
		kv_close(s->raw);
	if (s->dir[0])
		nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(s->holders);
	buf_clear(&s->key);
	free(s);
}

/* --- the report --- */

static int compare_doubles(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static struct bench_figure figure_of(double *values, unsigned count, double unit)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return (struct bench_figure){ values[count / 2] / unit, values[0] / unit, values[count - 1] / unit };
}

static struct bench_figure constant(double v)
{
	return (struct bench_figure){ v, v, v };
}

static void report(struct bench_report *r, struct bench_state *s, unsigned count)
{
	static const char *const names[PART_COUNT] = {
		[PART_KEYS] = "of it: hash the addresses",
		[PART_UPDATE] = "of it: change the trie",
		[PART_HASH] = "of it: encode and hash what changed",
		[PART_BATCH] = "of it: fill the batch",
		[PART_WRITE] = "of it: write the batch, synced",
		[PART_COMMIT] = "commit a block's state, trie nodes included, synced",
		[PART_RAW] = "raw LevelDB: the same batch, synced",
		[PART_LIVE] = "apply a block of 1,500 transfers (2,000 accounts)",
	};
	double speed[SAMPLE_MAX];
	char title[128];

	for (unsigned i = 0; i < count; i++)
		speed[i] = s->samples[PART_RAW][i] / s->samples[PART_COMMIT][i] * 100;
	snprintf(title, sizeof(title), "blocks that change %u of %u accounts", s->holder_count / BLOCK_SHARE,
		 s->holder_count);
	bench_report_section(r, title);
	bench_report_row(r, names[PART_COMMIT], "ms", figure_of(s->samples[PART_COMMIT], count, 1000));
	for (int i = 0; i < PART_COMMIT; i++)
		bench_report_row(r, names[i], "ms", figure_of(s->samples[i], count, 1000));
	bench_report_row(r, names[PART_RAW], "ms", figure_of(s->samples[PART_RAW], count, 1000));
	bench_report_row(r, "speed against raw LevelDB", "%", figure_of(speed, count, 1));
	bench_report_row(r, "the batch", "MB", constant((double)s->batch_size / 1e6));
	bench_report_row(r, "trie nodes in it", "", constant((double)s->node_count));
	bench_report_row(r, "all trie nodes in memory", "MB", constant((double)state_tree_memory(s->tree) / 1e6));
	bench_report_section(r, "a live chain");
	bench_report_row(r, names[PART_LIVE], "ms", figure_of(s->samples[PART_LIVE], count, 1000));
}

static int measure(struct bench_state *s, unsigned count)
{
	for (unsigned i = 0; i < WARM_COUNT + count; i++) {
		struct state_diff d;
		int rc;

		make_block(s, &d, s->holder_count / BLOCK_SHARE);
		rc = run_block(s, &d, true);
		state_diff_clear(&d);
		if (rc < 0)
			return -1;
		for (int part = 0; i >= WARM_COUNT && part < PART_COUNT; part++)
			s->samples[part][i - WARM_COUNT] = s->now[part];
	}
	for (unsigned i = 0; i < count; i++) {
		if (run_live(s) < 0)
			return -1;
		s->samples[PART_LIVE][i] = s->now[PART_LIVE];
	}
	return 0;
}

int bench_state(int argc, char **argv)
{
	struct bench_report r;
	struct bench_state *s;
	int status = bench_report_begin(&r, argc, argv, "state",
		"The state of a block: apply it to the trie, write trie nodes and flat records, synced;\n"
		"beside it, LevelDB alone writing the same batch. A repetition is a block (--time has\n"
		"no effect). Databases are made below TMPDIR and removed. WEFT_BENCH_ACCOUNTS gives\n"
		"another number of accounts than 1,000,000.");

	if (status >= 0)
		return status;
	s = xcalloc(1, sizeof(*s));
	if (set_up(s) < 0 || measure(s, r.repeat_count) < 0) {
		tear_down(s);
		bench_report_end(&r);
		return BENCH_EXIT_FAILURE;
	}
	report(&r, s, r.repeat_count);
	tear_down(s);
	return bench_report_end(&r);
}
