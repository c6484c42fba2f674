/*
 * The store under its threads: the node's makes blocks and takes flushes, the
 * writer's writes them, readers look at states of every height; once in memory,
 * once on disk. A plain program, so that it also runs under TSan (in memory only:
 * LevelDB itself is not instrumented). Speaks TAP.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/rand.h"
#include "store/sample.h"
#include "store/scratch.h"

#define HEIGHT 300
#define QUEUE_COUNT 16
#define FLUSH_EVERY 10
#define READER_COUNT 2

/* What the writer does next: a block, or (without one) a flush. */
struct item {
	struct sample_block *block;
	struct store_flush *flush;
};

struct run {
	struct sample m;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct item queue[QUEUE_COUNT];
	size_t first, count;
	bool done;
	_Atomic uint64_t written; /* height */
	atomic_bool flushing, stop;
	atomic_uint views;
	_Atomic(const char *) bad;
};

static void push(struct run *r, struct item item)
{
	pthread_mutex_lock(&r->lock);
	while (r->count == QUEUE_COUNT)
		pthread_cond_wait(&r->changed, &r->lock);
	r->queue[(r->first + r->count++) % QUEUE_COUNT] = item;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static bool pop(struct run *r, struct item *item)
{
	bool got;

	pthread_mutex_lock(&r->lock);
	while (!r->count && !r->done)
		pthread_cond_wait(&r->changed, &r->lock);
	got = r->count > 0;
	if (got) {
		*item = r->queue[r->first];
		r->first = (r->first + 1) % QUEUE_COUNT;
		r->count--;
		pthread_cond_broadcast(&r->changed);
	}
	pthread_mutex_unlock(&r->lock);
	return got;
}

static void *write_items(void *arg)
{
	struct run *r = arg;
	struct item item;

	while (pop(r, &item)) {
		if (item.flush) {
			CHECK(store_flush_write(r->m.s, item.flush, NULL) == OK);
			atomic_store(&r->flushing, false);
			continue;
		}
		CHECK(store_log(r->m.s, &item.block->b, NULL) == OK);
		store_log_sync(r->m.s);
		CHECK(store_apply(r->m.s, &item.block->b, NULL) == OK);
		atomic_store(&r->written, item.block->block.header.height);
		sample_block_clear(item.block);
		free(item.block);
	}
	return NULL;
}

static const char *look(struct run *r, struct rng *rng)
{
	struct store_reader *reader = store_reader_new(r->m.s);
	uint64_t height = store_reader_height(reader);
	struct store_view *view;
	const char *bad = NULL;

	/* Mostly the newest, now and then an old one. */
	height -= rng_below(rng, 4) ? rng_below(rng, height < 5 ? height + 1 : 5)
				    : rng_below(rng, height + 1);
	if (store_view_at(reader, height, &view, NULL) != OK) {
		bad = "a reader got no view";
	} else {
		struct state_view v = store_view_state(view);

		bad = sample_compare(&r->m, height, &v);
		store_view_free(view);
	}
	store_reader_free(reader);
	atomic_fetch_add(&r->views, 1);
	return bad;
}

static void *read_states(void *arg)
{
	struct run *r = arg;
	struct rng rng;

	rng_init(&rng, 3);
	while (!atomic_load(&r->stop)) {
		const char *bad = look(r, &rng);

		if (bad)
			atomic_store(&r->bad, bad);
	}
	return NULL;
}

static void make_blocks(struct run *r)
{
	struct store_stats stats;

	while (r->m.height < HEIGHT) {
		struct sample_block *block = xcalloc(1, sizeof(*block));
		struct state_view v = store_state(r->m.s);
		const char *bad;

		sample_make(&r->m, block, r->m.height % 3);
		push(r, (struct item){ .block = block });
		store_state_written(r->m.s, atomic_load(&r->written));
		bad = sample_compare(&r->m, r->m.height, &v);
		if (bad)
			atomic_store(&r->bad, bad);
		if (r->m.height % FLUSH_EVERY == 0 && !atomic_load(&r->flushing)) {
			atomic_store(&r->flushing, true);
			push(r, (struct item){ .flush = store_flush_take(r->m.s, r->m.height) });
		}
		store_get_stats(r->m.s, &stats);
	}
	pthread_mutex_lock(&r->lock);
	r->done = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

/* NULL if all went well. */
static const char *run_threads(const char *dir, unsigned *views)
{
	struct run *r = xcalloc(1, sizeof(*r));
	pthread_t writer, readers[READER_COUNT];
	const char *bad;

	sample_init(&r->m, 9, dir);
	CHECK(pthread_mutex_init(&r->lock, NULL) == 0 && pthread_cond_init(&r->changed, NULL) == 0);
	if (dir)
		CHECK(store_create(&r->m.options, &r->m.genesis, NULL) == OK);
	CHECK(sample_open(&r->m, NULL) == OK);
	CHECK(pthread_create(&writer, NULL, write_items, r) == 0);
	for (size_t i = 0; i < READER_COUNT; i++)
		CHECK(pthread_create(&readers[i], NULL, read_states, r) == 0);
	make_blocks(r);
	pthread_join(writer, NULL);
	atomic_store(&r->stop, true);
	for (size_t i = 0; i < READER_COUNT; i++)
		pthread_join(readers[i], NULL);
	store_state_written(r->m.s, HEIGHT);
	bad = atomic_load(&r->bad);
	if (!bad)
		bad = sample_compare_store(&r->m, HEIGHT);
	*views = atomic_load(&r->views);
	sample_clear(&r->m);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
	return bad;
}

static int report(int number, const char *bad, const char *where, unsigned views)
{
	printf("%s %d - node, writer and %d readers %s: %u views%s%s\n", bad ? "not ok" : "ok",
	       number, READER_COUNT, where, views, bad ? ": " : "", bad ? bad : "");
	return bad != NULL;
}

int main(void)
{
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
	const char *bad;
	unsigned views;
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	bad = run_threads(NULL, &views);
	failed = report(1, bad, "in memory", views);
#ifdef __SANITIZE_THREAD__
	printf("ok 2 # SKIP LevelDB is not instrumented\n");
	(void)top;
	(void)dir;
#else
	scratch_new(top);
	scratch_path(dir, top, "data");
	bad = run_threads(dir, &views);
	failed |= report(2, bad, "on disk", views);
	scratch_remove(top);
#endif
	printf("1..2\n");
	return failed;
}
