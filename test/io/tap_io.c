/*
 * The threaded parts of io as a plain program, for ThreadSanitizer, which Criterion
 * does not run under: contrib/check-tsan. Writes TAP itself.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "raw.h"

#define CLIENT_COUNT 4
#define ROUNDS 200
#define HOST "Host: localhost\r\n"

static int test_count, failed_count;

static void report(bool is_good, const char *name)
{
	test_count++;
	failed_count += !is_good;
	printf("%sok %d - %s\n", is_good ? "" : "not ", test_count, name);
	fflush(stdout);
}

/* --- queue --- */

struct tally {
	struct io_queue *q;
	atomic_uint_fast64_t sum;
};

static void produce(void *ctx)
{
	struct tally *t = ctx;

	for (uintptr_t i = 1; i <= 5000; i++) {
		if (i % 2)
			CHECK(io_queue_push(t->q, (void *)i));
		else
			while (!io_queue_try_push(t->q, (void *)i))
				usleep(1);
	}
}

static void consume(void *ctx, void *item)
{
	struct tally *t = ctx;

	atomic_fetch_add(&t->sum, (uintptr_t)item);
}

static void test_queue(void)
{
	struct tally t = { .q = io_queue_new(16) };
	struct io_workers *w = io_workers_start(t.q, 3, "consume", consume, &t);
	struct io_thread *p[3];

	for (size_t i = 0; i < 3; i++)
		p[i] = io_thread_start("produce", produce, &t);
	for (size_t i = 0; i < 3; i++)
		io_thread_join(p[i]);
	io_workers_stop(w);
	io_queue_free(t.q);
	report(t.sum == 3 * (5000ull * 5001 / 2), "a queue between six threads loses nothing");
}

/* Waits a little again and again, as the node's thread does between its timers. */
static void give_up_often(void *ctx)
{
	struct tally *t = ctx;
	void *items[4];

	for (int i = 0; i < 20000; i++) {
		size_t count = io_queue_pop(t->q, items, ARRAY_COUNT(items), (uint64_t)(i % 60));

		for (size_t k = 0; k < count; k++)
			consume(t, items[k]);
	}
}

static bool comes_to(struct tally *t, uint64_t sum)
{
	for (int i = 0; i < 10000 && atomic_load(&t->sum) != sum; i++)
		usleep(1000);
	return atomic_load(&t->sum) == sum;
}

/* A call may come when its waiter has just given up: whoever waits for ever must still have
 * every item that comes, and none of the calls that are left over may be taken for one. */
static void test_giving_up(void)
{
	struct tally t = { .q = io_queue_new(64) };
	struct io_workers *w = io_workers_start(t.q, 1, "consume", consume, &t);
	struct io_thread *impatient = io_thread_start("impatient", give_up_often, &t);
	uint64_t sum = 0;
	bool is_good;

	for (uintptr_t i = 1; i <= 2000; i++) {
		CHECK(io_queue_push(t.q, (void *)i));
		sum += i;
		if (i % 3)
			usleep((useconds_t)(i % 70));
	}
	io_thread_join(impatient);
	is_good = comes_to(&t, sum);
	for (uintptr_t i = 1; is_good && i <= 100; i++) {
		CHECK(io_queue_push(t.q, (void *)i));
		sum += i;
		is_good = comes_to(&t, sum);
	}
	io_workers_stop(w);
	io_queue_free(t.q);
	report(is_good, "who waits for ever misses nothing beside one that gives up");
}

/* --- http --- */

struct client {
	struct raw_server *server;
	int good_count;
	struct io_thread *thread;
	atomic_size_t *connected_count;
};

/* Requests that workers answer, at times gone before the answer. */
static void be_client(void *ctx)
{
	struct client *c = ctx;
	char reply[1024];
	int fd;

	for (int i = 0; i < ROUNDS; i++) {
		fd = raw_connect(c->server);
		raw_send(fd, i % 2 ? "POST /later HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody"
				   : "GET /now HTTP/1.1\r\n" HOST "\r\n");
		if (i % 5 == 0)
			c->good_count++;
		else if (raw_read_reply(fd, reply, sizeof(reply)))
			c->good_count += strstr(reply, " 200 ") != NULL;
		close(fd);
	}
}

static struct http_options options(void)
{
	struct http_options o = raw_options();

	o.limits.idle_timeout_ms = 20000;
	o.limits.connection_count = 64;
	o.limits.pending_count = 64;
	return o;
}

static void test_http(void)
{
	struct http_options o = options();
	struct client clients[CLIENT_COUNT];
	struct raw_server s;
	struct http_stats stats;
	int good = 0;

	raw_start(&s, &o);
	for (size_t i = 0; i < CLIENT_COUNT; i++) {
		clients[i] = (struct client){ .server = &s };
		clients[i].thread = io_thread_start("client", be_client, &clients[i]);
	}
	for (int i = 0; i < 100; i++) {
		http_server_get_stats(s.http, &stats);
		usleep(100);
	}
	for (size_t i = 0; i < CLIENT_COUNT; i++) {
		io_thread_join(clients[i].thread);
		good += clients[i].good_count;
	}
	raw_stop(&s);
	report(good == CLIENT_COUNT * ROUNDS, "replies from several threads, some clients gone");
}

static void keep_posting(void *ctx)
{
	struct client *c = ctx;
	char reply[1024];
	int fd = raw_connect(c->server);

	atomic_fetch_add(c->connected_count, 1);
	do {
		raw_send(fd, "POST /later HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody");
	} while (raw_read_reply(fd, reply, sizeof(reply)));
	close(fd);
}

/* Replies and the stop cross each other. */
static void test_stop(void)
{
	struct http_options o = options();
	struct client clients[CLIENT_COUNT];
	struct raw_server s;

	for (int round = 0; round < 20; round++) {
		atomic_size_t connected_count = 0;

		raw_start(&s, &o);
		for (size_t i = 0; i < CLIENT_COUNT; i++) {
			clients[i] = (struct client){ .server = &s, .connected_count = &connected_count };
			clients[i].thread = io_thread_start("client", keep_posting, &clients[i]);
		}
		/* Nobody may ask a server for its port that is gone. */
		while (atomic_load(&connected_count) < CLIENT_COUNT)
			usleep(1000);
		usleep(5000);
		http_server_stop(s.http, round % 2 ? 0 : 100);
		io_workers_stop(s.workers);
		io_queue_free(s.later);
		io_queue_free(s.kept);
		for (size_t i = 0; i < CLIENT_COUNT; i++)
			io_thread_join(clients[i].thread);
	}
	report(true, "stopping among replies, twenty times");
}

int main(void)
{
	test_queue();
	test_giving_up();
	test_http();
	test_stop();
	printf("1..%d\n", test_count);
	return failed_count > 0;
}
