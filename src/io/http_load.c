#include "io/http.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "io/http_reader.h"

#define READ_SIZE 65536
#define CONNECT_MS 5000
#define WAIT_US 1000 /* until a connection that waits is asked again */

struct load_run;

struct load_conn {
	struct load_run *run;
	size_t index;
	int fd;
	struct event *read_event, *write_event;
	struct http_reader reader;
	struct buf out, body;
	size_t sent_size;
	bool waits, writes;
};

struct load_run {
	const struct http_load *load;
	struct http_url url;
	struct event_base *base;
	struct event *wait_event, *timeout_event;
	struct load_conn *conns;
	size_t open_count;
	bool is_waiting;   /* wait_event is added */
	int code;
	struct err *err;
};

static void stop(struct load_run *run, int code)
{
	run->code = code;
	event_base_loopbreak(run->base);
}

static void broken(struct load_conn *c)
{
	struct load_run *run = c->run;

	stop(run, ERR_SET(run->err, IO_E_PROTOCOL, "%.200s port %s closed connection %zu or does not "
			  "speak HTTP", run->url.host, run->url.port, c->index));
}

static void send_out(struct load_conn *c)
{
	ssize_t sent;

	while (c->sent_size < c->out.size) {
		sent = send(c->fd, c->out.data + c->sent_size, c->out.size - c->sent_size,
			    MSG_NOSIGNAL);
		if (sent >= 0) {
			c->sent_size += (size_t)sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (!c->writes)
				event_add(c->write_event, NULL);
			c->writes = true;
			return;
		} else if (errno != EINTR) {
			broken(c);
			return;
		}
	}
	if (c->writes)
		event_del(c->write_event);
	c->writes = false;
}

static void ask(struct load_conn *c)
{
	static const struct timeval wait = { .tv_usec = WAIT_US };
	struct load_run *run = c->run;

	buf_reset(&c->body);
	c->waits = false;
	switch (run->load->next(run->load->ctx, c->index, &c->body)) {
	case HTTP_LOAD_SEND:
		buf_reset(&c->out);
		c->sent_size = 0;
		http_put_post(&c->out, &run->url, c->body.size);
		buf_append_bytes(&c->out, buf_bytes(&c->body));
		send_out(c);
		break;
	case HTTP_LOAD_WAIT:
		c->waits = true;
		if (!run->is_waiting)
			event_add(run->wait_event, &wait);
		run->is_waiting = true;
		break;
	case HTTP_LOAD_END:
		event_del(c->read_event);
		if (--run->open_count == 0)
			stop(run, OK);
		break;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct load_conn *c = arg;
	struct http_reader *r = &c->reader;
	struct bytes body;
	ssize_t got;
	int result;

	buf_reserve(&r->in, READ_SIZE);
	got = recv(fd, r->in.data + r->in.size, READ_SIZE, 0);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (got <= 0) {
		broken(c);
		return;
	}
	r->in.size += (size_t)got;
	result = http_reader_take(r, false, &body);
	if (result == HTTP_PARSE_MORE)
		return;
	if (result != HTTP_PARSE_DONE || c->waits) {
		broken(c);
		return;
	}
	c->run->load->done(c->run->load->ctx, c->index, r->status, body);
	http_reader_next(r);
	ask(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	send_out(arg);
}

static void on_wait_over(evutil_socket_t fd, short what, void *arg)
{
	struct load_run *run = arg;

	run->is_waiting = false;
	for (size_t i = 0; i < run->load->connection_count; i++)
		if (run->conns[i].waits)
			ask(&run->conns[i]);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct load_run *run = arg;

	stop(run, ERR_SET(run->err, IO_E_TIMEOUT, "not all was answered within %llu ms",
			  (unsigned long long)run->load->timeout_ms));
}

static int open_all(struct load_run *run)
{
	struct load_conn *c;
	int code;

	for (size_t i = 0; i < run->load->connection_count; i++) {
		c = &run->conns[i];
		c->run = run;
		c->index = i;
		code = http_connect(&c->fd, &run->url, CONNECT_MS, run->err);
		if (code != OK) {
			c->fd = -1;
			return code;
		}
		c->read_event = event_new(run->base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
		c->write_event = event_new(run->base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
		CHECK(c->read_event && c->write_event && event_add(c->read_event, NULL) == 0);
		run->open_count++;
	}
	return OK;
}

static void close_all(struct load_run *run)
{
	for (size_t i = 0; i < run->load->connection_count; i++) {
		struct load_conn *c = &run->conns[i];

		if (c->read_event)
			event_free(c->read_event);
		if (c->write_event)
			event_free(c->write_event);
		if (c->run && c->fd >= 0)
			close(c->fd);
		http_reader_clear(&c->reader);
		buf_clear(&c->out);
		buf_clear(&c->body);
	}
	event_free(run->wait_event);
	event_free(run->timeout_event);
	event_base_free(run->base);
	free(run->conns);
}

static void drive(struct load_run *run)
{
	uint64_t ms = run->load->timeout_ms;
	struct timeval timeout = { .tv_sec = (time_t)(ms / 1000),
				   .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	event_add(run->timeout_event, &timeout);
	for (size_t i = 0; i < run->load->connection_count && run->open_count > 0; i++)
		ask(&run->conns[i]);
	if (run->open_count > 0 && run->code == OK)
		event_base_dispatch(run->base);
}

int http_load_run(const struct http_load *load, struct err *err)
{
	struct load_run run = { .load = load, .err = err };

	CHECK(load->connection_count > 0);
	run.code = http_url_parse(&run.url, load->url, err);
	if (run.code != OK)
		return run.code;
	run.base = event_base_new();
	CHECK(run.base);
	run.conns = xcalloc(load->connection_count, sizeof(*run.conns));
	run.wait_event = event_new(run.base, -1, 0, on_wait_over, &run);
	run.timeout_event = event_new(run.base, -1, 0, on_timeout, &run);
	CHECK(run.wait_event && run.timeout_event);
	run.code = open_all(&run);
	if (run.code == OK)
		drive(&run);
	close_all(&run);
	return run.code;
}
