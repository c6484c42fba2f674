#include "io/http_internal.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "io/clock.h"
#include "io/listen.h"

#define ACCEPT_COUNT_MAX 64      /* connections taken in one turn of the loop */
#define ACCEPT_PAUSE_MS 100      /* when the process has no file descriptor left */
#define SWEEP_MS_MAX 500

void http_server_reap(struct http_server *s)
{
	struct http_conn *c;

	while ((c = s->dead)) {
		s->dead = c->next;
		buf_clear(&c->in);
		buf_clear(&c->body);
		buf_clear(&c->out_head);
		buf_clear(&c->out_body);
		free(c);
	}
	if (s->stopping && !s->conns)
		event_base_loopbreak(s->base);
}

static void refuse_connection(struct http_server *s, int fd)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
				   "Content-Type: text/plain\r\nContent-Length: 21\r\n\r\n"
				   "too many connections\n";

	atomic_fetch_add(&s->refused_count, 1);
	if (send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) > 0)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void on_connection(evutil_socket_t listen_fd, short what, void *arg)
{
	static const struct timeval pause = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };
	struct http_server *s = arg;
	int fd;

	for (int i = 0; i < ACCEPT_COUNT_MAX; i++) {
		fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			       errno == ENOBUFS)) {
			/* The connection stays in the queue and would wake us for ever. */
			LOG_WARN(s->options.log, "http", "accept_paused", "msg=\"%s\"",
				 strerror(errno));
			event_del(s->listen_event);
			event_add(s->resume_event, &pause);
			return;
		}
		if (fd < 0)
			return;
		atomic_fetch_add(&s->connection_total, 1);
		if (atomic_load(&s->connection_count) >= s->options.limits.connection_count)
			refuse_connection(s, fd);
		else
			http_conn_new(s, fd);
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;

	if (!s->stopping)
		event_add(s->listen_event, NULL);
}

/* Stops what waits for a request; lets replies under way go out. */
static void begin_stop(struct http_server *s)
{
	struct http_conn *c, *next;
	uint64_t grace_us = (uint64_t)atomic_load(&s->mailbox->grace_ms) * 1000;
	struct timeval grace = { .tv_sec = (time_t)(grace_us / 1000000),
				 .tv_usec = (suseconds_t)(grace_us % 1000000) };

	s->stopping = true;
	event_del(s->listen_event);
	event_add(s->grace_event, &grace);
	for (c = s->conns; c; c = next) {
		next = c->next;
		if (c->state == CONN_READING || c->state == CONN_LINGERING)
			http_conn_close(c);
	}
}

/* The time for replies under way is over. */
static void on_grace_end(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;

	while (s->conns)
		http_conn_close(s->conns);
	http_server_reap(s);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	struct http_request *r, *next;
	struct http_conn *c;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		fatal("http: eventfd: %s", strerror(errno));
	for (r = http_mailbox_take(s->mailbox, false); r; r = next) {
		next = r->next;
		c = r->conn;
		atomic_fetch_sub(&s->pending_count, 1);
		http_conn_answer(s, r);
		if (c)
			http_conn_advance(c);
	}
	if (atomic_load(&s->mailbox->stop) && !s->stopping)
		begin_stop(s);
	http_server_reap(s);
}

/* Deadlines are looked at now and then rather than kept in a heap: they change with
 * every request and almost never pass. */
static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	uint64_t now_us = io_monotonic_us();
	struct http_conn *c, *next;

	for (c = s->conns; c; c = next) {
		next = c->next;
		if (now_us >= c->deadline_us)
			http_conn_expire(c);
	}
	http_server_reap(s);
}

static void *run(void *arg)
{
	struct http_server *s = arg;

	pthread_setname_np(pthread_self(), "http");
	s->mailbox->thread = pthread_self();
	event_base_loop(s->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

/* --- start and stop --- */

int http_server_start(struct http_server **out, const struct http_options *options,
		      http_handler_fn handler, void *ctx, struct err *err)
{
	uint32_t sweep_ms = MIN(options->limits.idle_timeout_ms / 8, SWEEP_MS_MAX);
	struct timeval sweep;
	struct http_server *s;
	const char *address = options->address;
	int fd = -1, code, error; /* gcc with -fsanitize=thread does not see that it is set */

	CHECK(options->limits.connection_count > 0 && options->limits.header_size > 0);
	if (http_text_equal(http_host_name(bytes_of_str(address)), "localhost"))
		address = "127.0.0.1";
	code = listen_on(&fd, address, options->port, "", err);
	if (code != OK)
		return code;
	s = xcalloc(1, sizeof(*s));
	s->options = *options;
	s->options.address = NULL;
	s->hosts = options->allowed_hosts ? xstrdup(options->allowed_hosts) : NULL;
	s->origins = options->allowed_origins ? xstrdup(options->allowed_origins) : NULL;
	s->handler = handler;
	s->ctx = ctx;
	s->listen_fd = fd;
	s->port = listen_port(fd);
	s->base = listen_base_new();
	s->mailbox = http_mailbox_new();
	s->listen_event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_connection, s);
	s->wake_event = event_new(s->base, s->mailbox->wake_fd, EV_READ | EV_PERSIST, on_wake, s);
	s->sweep_event = event_new(s->base, -1, EV_PERSIST, on_sweep, s);
	s->resume_event = event_new(s->base, -1, 0, on_resume, s);
	s->grace_event = event_new(s->base, -1, 0, on_grace_end, s);
	CHECK(s->listen_event && s->wake_event && s->sweep_event && s->resume_event &&
	      s->grace_event);
	sweep = (struct timeval){ .tv_usec = (suseconds_t)MAX(sweep_ms, 5) * 1000 };
	CHECK(event_add(s->listen_event, NULL) == 0 && event_add(s->wake_event, NULL) == 0 &&
	      event_add(s->sweep_event, &sweep) == 0);
	error = pthread_create(&s->thread, NULL, run, s);
	if (error != 0)
		fatal("can't start the http thread: %s (see ulimit -u)", strerror(error));
	*out = s;
	return OK;
}

uint16_t http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_stop(struct http_server *s, uint32_t grace_ms)
{
	struct http_request *r, *next;
	struct http_conn *c;

	if (!s)
		return;
	atomic_store(&s->mailbox->grace_ms, grace_ms);
	atomic_store(&s->mailbox->stop, true);
	http_mailbox_wake(s->mailbox);
	CHECK(pthread_join(s->thread, NULL) == 0);
	while ((c = s->conns))
		http_conn_close(c);
	s->stopping = false;
	http_server_reap(s);
	/* What is answered from now on finds the box closed and is dropped. */
	for (r = http_mailbox_take(s->mailbox, true); r; r = next) {
		next = r->next;
		http_request_free(r);
	}
	event_free(s->listen_event);
	event_free(s->wake_event);
	event_free(s->sweep_event);
	event_free(s->resume_event);
	event_free(s->grace_event);
	event_base_free(s->base);
	close(s->listen_fd);
	http_mailbox_unref(s->mailbox);
	free(s->hosts);
	free(s->origins);
	free(s);
}

void http_server_get_stats(const struct http_server *s, struct http_stats *out)
{
	*out = (struct http_stats){
		.request_count = atomic_load(&s->request_count),
		.refused_count = atomic_load(&s->refused_count),
		.connection_count_total = atomic_load(&s->connection_total),
		.connection_count = atomic_load(&s->connection_count),
		.pending_count = atomic_load(&s->pending_count),
	};
}
