#include "io/queue.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"

#define WORKER_BATCH_MAX 16
#define WORKER_NICE 10
#define HURRY_SLICE_NS 100000 /* the shortest that Linux takes */

/* A ring under one mutex. Waiters are counted, so that a push or pop that wakes
 * nobody makes no system call; who was called already is not counted. They are called
 * when the mutex is free again: the one that wakes would have to wait for it. For items
 * they wait on a semaphore: a condition variable would hand the mutex back as one that
 * others wait for, and cost another system call each time. A call that comes when its
 * waiter has just given up wakes somebody later for nothing, who looks and waits again.
 * `count` and `closed` change under the mutex and are atomic only for those who look
 * without it. */
struct io_queue {
	pthread_mutex_t mutex;
	sem_t calls;
	pthread_cond_t has_room;
	size_t item_waiters, item_calls, room_waiters; /* item_calls: waiters called and not yet awake */
	size_t capacity, head;
	atomic_size_t count;
	atomic_bool closed;
	void *items[];
};

struct io_queue *io_queue_new(size_t capacity)
{
	struct io_queue *q;

	CHECK(capacity > 0 && capacity < SIZE_MAX / sizeof(void *) - sizeof(*q));
	q = xcalloc(1, sizeof(*q) + capacity * sizeof(void *));
	q->capacity = capacity;
	CHECK(pthread_mutex_init(&q->mutex, NULL) == 0);
	CHECK(sem_init(&q->calls, 0, 0) == 0);
	CHECK(pthread_cond_init(&q->has_room, NULL) == 0);
	return q;
}

void io_queue_free(struct io_queue *q)
{
	if (!q)
		return;
	CHECK(q->item_waiters == 0 && q->room_waiters == 0);
	sem_destroy(&q->calls);
	pthread_cond_destroy(&q->has_room);
	pthread_mutex_destroy(&q->mutex);
	free(q);
}

static void call(struct io_queue *q)
{
	CHECK(sem_post(&q->calls) == 0);
}

/* With the mutex held and room in the ring. True if a waiter is to be called. */
static bool put(struct io_queue *q, void *item)
{
	size_t count = atomic_load_explicit(&q->count, memory_order_relaxed);

	q->items[(q->head + count) % q->capacity] = item;
	atomic_store_explicit(&q->count, count + 1, memory_order_relaxed);
	if (q->item_waiters == q->item_calls)
		return false;
	q->item_calls++;
	return true;
}

bool io_queue_try_push(struct io_queue *q, void *item)
{
	bool taken, calls;

	pthread_mutex_lock(&q->mutex);
	taken = !q->closed && q->count < q->capacity;
	calls = taken && put(q, item);
	pthread_mutex_unlock(&q->mutex);
	if (calls)
		call(q);
	return taken;
}

bool io_queue_push(struct io_queue *q, void *item)
{
	bool taken, calls;

	pthread_mutex_lock(&q->mutex);
	while (!q->closed && q->count == q->capacity) {
		q->room_waiters++;
		pthread_cond_wait(&q->has_room, &q->mutex);
		q->room_waiters--;
	}
	taken = !q->closed;
	calls = taken && put(q, item);
	pthread_mutex_unlock(&q->mutex);
	if (calls)
		call(q);
	return taken;
}

static struct timespec deadline_after(uint64_t timeout_us)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	t.tv_sec += (time_t)(timeout_us / 1000000);
	t.tv_nsec += (long)(timeout_us % 1000000) * 1000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

/* Until somebody calls; false when the time is over. */
static bool await_call(struct io_queue *q, const struct timespec *deadline)
{
	int result;

	do
		result = deadline ? sem_clockwait(&q->calls, CLOCK_MONOTONIC, deadline) : sem_wait(&q->calls);
	while (result != 0 && errno == EINTR);
	CHECK(result == 0 || errno == ETIMEDOUT);
	return result == 0;
}

/* With the mutex held: until there is an item, the queue is closed or the time is over. */
static void wait_for_items(struct io_queue *q, uint64_t timeout_us)
{
	struct timespec deadline;
	bool for_ever = timeout_us > INT64_MAX / 2, is_called = true;

	if (q->count > 0 || q->closed || timeout_us == 0)
		return;
	if (!for_ever)
		deadline = deadline_after(timeout_us);
	q->item_waiters++;
	while (q->count == 0 && !q->closed && is_called) {
		pthread_mutex_unlock(&q->mutex);
		is_called = await_call(q, for_ever ? NULL : &deadline);
		pthread_mutex_lock(&q->mutex);
		/* Whoever is awake stands for one of those called: at worst one more is
		 * called than need be, never one too few. */
		if (q->item_calls > 0)
			q->item_calls--;
	}
	q->item_waiters--;
}

size_t io_queue_pop(struct io_queue *q, void *items[], size_t max, uint64_t timeout_us)
{
	size_t taken, left;

	pthread_mutex_lock(&q->mutex);
	wait_for_items(q, timeout_us);
	left = q->count;
	for (taken = 0; taken < max && left > 0; taken++, left--) {
		items[taken] = q->items[q->head];
		q->head = (q->head + 1) % q->capacity;
	}
	q->count = left;
	if (taken > 0 && q->room_waiters > 0)
		pthread_cond_broadcast(&q->has_room);
	pthread_mutex_unlock(&q->mutex);
	return taken;
}

void io_queue_close(struct io_queue *q)
{
	pthread_mutex_lock(&q->mutex);
	q->closed = true;
	/* One for each; who comes later finds it closed. */
	for (size_t i = 0; i < q->item_waiters; i++)
		call(q);
	pthread_cond_broadcast(&q->has_room);
	pthread_mutex_unlock(&q->mutex);
}

bool io_queue_closed(const struct io_queue *q)
{
	return atomic_load(&q->closed);
}

size_t io_queue_count(const struct io_queue *q)
{
	return atomic_load(&q->count);
}

/* --- threads --- */

struct io_thread {
	pthread_t id;
	char name[16]; /* what the kernel keeps of a thread's name */
	void (*fn)(void *ctx);
	void *ctx;
};

/* The kernel's, which older libraries do not declare. */
struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

void io_thread_hurry(void)
{
	struct sched_attributes a = { .size = sizeof(a), .policy = SCHED_OTHER, .runtime = HURRY_SLICE_NS };

	/* An older kernel takes no slice, a sandbox may refuse: then all is as before. */
	errno = 0;
	a.nice = getpriority(PRIO_PROCESS, 0);
	if (errno == 0 && sched_getscheduler(0) == SCHED_OTHER)
		(void)syscall(SYS_sched_setattr, 0, &a, 0);
}

static void *thread_main(void *arg)
{
	struct io_thread *t = arg;

	pthread_setname_np(pthread_self(), t->name);
	t->fn(t->ctx);
	return NULL;
}

struct io_thread *io_thread_start(const char *name, void (*fn)(void *ctx), void *ctx)
{
	struct io_thread *t = xcalloc(1, sizeof(*t));
	int error;

	snprintf(t->name, sizeof(t->name), "%s", name);
	t->fn = fn;
	t->ctx = ctx;
	error = pthread_create(&t->id, NULL, thread_main, t);
	if (error != 0)
		fatal("can't start the thread %s: %s (see ulimit -u)", name, strerror(error));
	return t;
}

void io_thread_join(struct io_thread *t)
{
	if (!t)
		return;
	CHECK(pthread_join(t->id, NULL) == 0);
	free(t);
}

struct io_workers {
	struct io_queue *queue;
	void (*fn)(void *ctx, void *item);
	void *ctx;
	size_t count;
	struct io_thread *threads[];
};

/* A share of what waits at once saves locking; half a share leaves the rest to
 * whoever is done first. */
static void work(void *arg)
{
	struct io_workers *w = arg;
	void *items[WORKER_BATCH_MAX];
	size_t share, taken;

	/* Linux keeps this value for each thread. Workers do the bulk; whoever waits
	 * for a loop's next turn must not wait for them. A refusal changes nothing. */
	setpriority(PRIO_PROCESS, 0, WORKER_NICE);

	for (;;) {
		share = io_queue_count(w->queue) / (2 * w->count);
		taken = io_queue_pop(w->queue, items, MAX(1, MIN(share, WORKER_BATCH_MAX)),
				     UINT64_MAX);
		if (taken == 0)
			return;
		for (size_t i = 0; i < taken; i++)
			w->fn(w->ctx, items[i]);
	}
}

struct io_workers *io_workers_start(struct io_queue *q, size_t count, const char *name,
				    void (*fn)(void *ctx, void *item), void *ctx)
{
	struct io_workers *w;

	CHECK(count > 0 && count <= 1024);
	w = xcalloc(1, sizeof(*w) + count * sizeof(struct io_thread *));
	w->queue = q;
	w->fn = fn;
	w->ctx = ctx;
	w->count = count;
	for (size_t i = 0; i < count; i++)
		w->threads[i] = io_thread_start(name, work, w);
	return w;
}

void io_workers_stop(struct io_workers *w)
{
	if (!w)
		return;
	io_queue_close(w->queue);
	for (size_t i = 0; i < w->count; i++)
		io_thread_join(w->threads[i]);
	free(w);
}

/* --- mutex --- */

struct io_mutex {
	pthread_mutex_t m;
};

struct io_mutex *io_mutex_new(void)
{
	struct io_mutex *m = xmalloc(sizeof(*m));

	CHECK(pthread_mutex_init(&m->m, NULL) == 0);
	return m;
}

void io_mutex_free(struct io_mutex *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->m);
	free(m);
}

void io_mutex_lock(struct io_mutex *m)
{
	CHECK(pthread_mutex_lock(&m->m) == 0);
}

void io_mutex_unlock(struct io_mutex *m)
{
	CHECK(pthread_mutex_unlock(&m->m) == 0);
}
