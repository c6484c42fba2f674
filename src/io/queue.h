/*
 * queue - a bounded queue of pointers between threads, and pools of workers that
 * drain one.
 *
 * A producer that finds the queue full is told so (or waits); nothing is dropped
 * silently and nothing grows.
 */
#ifndef WEFT_IO_QUEUE_H
#define WEFT_IO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_queue;

struct io_queue *io_queue_new(size_t capacity);
/* The queue must be empty of what needs freeing: the caller drains it first. */
void io_queue_free(struct io_queue *q);

/* False if full or closed; the item stays the caller's. */
bool io_queue_try_push(struct io_queue *q, void *item);
/* Waits for room; false only if the queue is closed. */
bool io_queue_push(struct io_queue *q, void *item);

/* Up to `max` items in order; waits up to `timeout_us` (UINT64_MAX: for ever) for
 * the first. 0: the time is over, or the queue is closed and empty. */
size_t io_queue_pop(struct io_queue *q, void *items[], size_t max, uint64_t timeout_us);

/* No more pushes; poppers get what is left, then 0. */
void io_queue_close(struct io_queue *q);
bool io_queue_closed(const struct io_queue *q);
size_t io_queue_count(const struct io_queue *q);

/* `count` threads named `name`, each running fn(ctx, item) for every item of the
 * queue, in order of arrival. */
struct io_workers;
struct io_workers *io_workers_start(struct io_queue *q, size_t count, const char *name,
				    void (*fn)(void *ctx, void *item), void *ctx);
/* Closes the queue, waits until it is drained and all threads have ended. */
void io_workers_stop(struct io_workers *w);

/* One thread for a loop of its own. */
struct io_thread;
struct io_thread *io_thread_start(const char *name, void (*fn)(void *ctx), void *ctx);
void io_thread_join(struct io_thread *t);

/* The calling thread does a little at a time and others wait for it: asks the
 * scheduler for a short slice, so that after waking it does not stand behind
 * whoever computes (Linux 6.12 and later; needs no privilege). */
void io_thread_hurry(void);

/* A mutex, for the few places outside io that guard a pointer. */
struct io_mutex;
struct io_mutex *io_mutex_new(void);
void io_mutex_free(struct io_mutex *m);
void io_mutex_lock(struct io_mutex *m);
void io_mutex_unlock(struct io_mutex *m);

#endif
