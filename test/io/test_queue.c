#include <criterion/criterion.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/queue.h"

static void *item(uintptr_t n)
{
	return (void *)n;
}

Test(queue, keeps_order_and_bounds)
{
	struct io_queue *q = io_queue_new(3);
	void *out[8];

	for (int round = 0; round < 5; round++) {
		cr_expect(io_queue_try_push(q, item(1)));
		cr_expect(io_queue_try_push(q, item(2)));
		cr_expect(io_queue_try_push(q, item(3)));
		cr_expect(!io_queue_try_push(q, item(4)));
		cr_expect_eq(io_queue_count(q), 3);
		cr_expect_eq(io_queue_pop(q, out, 2, 0), 2);
		cr_expect(out[0] == item(1) && out[1] == item(2));
		cr_expect(io_queue_try_push(q, item(5)));
		cr_expect_eq(io_queue_pop(q, out, 8, 0), 2);
		cr_expect(out[0] == item(3) && out[1] == item(5));
		cr_expect_eq(io_queue_pop(q, out, 8, 1000), 0);
	}
	io_queue_free(q);
}

Test(queue, gives_what_is_left_after_close)
{
	struct io_queue *q = io_queue_new(4);
	void *out[4];

	io_queue_push(q, item(1));
	cr_expect(!io_queue_closed(q));
	io_queue_close(q);
	cr_expect(io_queue_closed(q));
	cr_expect(!io_queue_push(q, item(2)));
	cr_expect(!io_queue_try_push(q, item(2)));
	cr_expect_eq(io_queue_pop(q, out, 4, UINT64_MAX), 1);
	cr_expect_eq(io_queue_pop(q, out, 4, UINT64_MAX), 0);
	io_queue_free(q);
}

static void push_one(void *ctx)
{
	cr_expect(!io_queue_push(ctx, item(2)), "closing wakes a producer that waits");
}

Test(queue, wakes_waiting_producer_on_close)
{
	struct io_queue *q = io_queue_new(1);
	struct io_thread *t;
	void *out[2];

	io_queue_push(q, item(1));
	t = io_thread_start("push", push_one, q);
	usleep(10000);
	io_queue_close(q);
	io_thread_join(t);
	cr_expect_eq(io_queue_pop(q, out, 2, 0), 1);
	io_queue_free(q);
}

#define PRODUCERS 4
#define EACH 20000

struct stress {
	struct io_queue *q;
	atomic_size_t next_producer;
	atomic_size_t count[PRODUCERS];
	atomic_uint_fast64_t sum;
};

/* Item: producer and serial number. */
static void produce(void *ctx)
{
	struct stress *s = ctx;
	uintptr_t p = atomic_fetch_add(&s->next_producer, 1);

	for (uintptr_t i = 1; i <= EACH; i++) {
		if (i % 3 == 0)
			while (!io_queue_try_push(s->q, item(i * PRODUCERS + p)))
				usleep(1);
		else
			cr_assert(io_queue_push(s->q, item(i * PRODUCERS + p)));
	}
}

static void consume(void *ctx, void *got)
{
	struct stress *s = ctx;
	uintptr_t n = (uintptr_t)got;

	atomic_fetch_add(&s->count[n % PRODUCERS], 1);
	atomic_fetch_add(&s->sum, n / PRODUCERS);
}

Test(queue, loses_nothing_among_many_threads)
{
	struct stress s = { .q = io_queue_new(64) };
	struct io_workers *w = io_workers_start(s.q, 3, "consume", consume, &s);
	struct io_thread *t[PRODUCERS];

	for (size_t i = 0; i < PRODUCERS; i++)
		t[i] = io_thread_start("produce", produce, &s);
	for (size_t i = 0; i < PRODUCERS; i++)
		io_thread_join(t[i]);
	io_workers_stop(w);
	for (size_t i = 0; i < PRODUCERS; i++)
		cr_expect_eq(s.count[i], EACH);
	cr_expect_eq(s.sum, (uint64_t)PRODUCERS * EACH * (EACH + 1) / 2);
	cr_expect_eq(io_queue_count(s.q), 0);
	io_queue_free(s.q);
}

/* With one consumer the items of one producer come in its order. */
Test(queue, keeps_order_of_each_producer)
{
	struct stress s = { .q = io_queue_new(32) };
	struct io_thread *t[PRODUCERS];
	uintptr_t last[PRODUCERS] = { 0 };
	size_t have = 0;
	void *out[16];

	for (size_t i = 0; i < PRODUCERS; i++)
		t[i] = io_thread_start("produce", produce, &s);
	while (have < PRODUCERS * EACH) {
		size_t got = io_queue_pop(s.q, out, ARRAY_COUNT(out), UINT64_MAX);

		for (size_t i = 0; i < got; i++) {
			uintptr_t n = (uintptr_t)out[i];

			cr_assert_eq(n / PRODUCERS, last[n % PRODUCERS] + 1);
			last[n % PRODUCERS]++;
		}
		have += got;
	}
	for (size_t i = 0; i < PRODUCERS; i++)
		io_thread_join(t[i]);
	io_queue_free(s.q);
}

static void count_under_mutex(void *ctx)
{
	void **args = ctx;

	for (int i = 0; i < 10000; i++) {
		io_mutex_lock(args[0]);
		++*(int *)args[1];
		io_mutex_unlock(args[0]);
	}
}

Test(mutex, excludes)
{
	int count = 0;
	void *args[] = { io_mutex_new(), &count };
	struct io_thread *a = io_thread_start("a", count_under_mutex, args);
	struct io_thread *b = io_thread_start("b", count_under_mutex, args);

	io_thread_join(a);
	io_thread_join(b);
	cr_expect_eq(count, 20000);
	io_mutex_free(args[0]);
}
