#include "io/http.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "io/clock.h"
#include "io/http_reader.h"

#define READ_SIZE 65536

struct http_client {
	struct http_url url;
	int fd; /* -1: not connected */
	struct http_reader reader;
	struct buf out;
};

int http_client_new(struct http_client **out, const char *url, struct err *err)
{
	struct http_url parsed;
	int code = http_url_parse(&parsed, url, err);

	if (code != OK)
		return code;
	*out = xcalloc(1, sizeof(**out));
	(*out)->url = parsed;
	(*out)->fd = -1;
	return OK;
}

static void disconnect(struct http_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	http_reader_clear(&c->reader);
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	disconnect(c);
	buf_clear(&c->out);
	free(c);
}

/* Waits until the socket is ready; IO_E_TIMEOUT. */
static int wait_ready(struct http_client *c, short events, uint64_t deadline_us, struct err *err)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	uint64_t now_us;
	int ready;

	do {
		now_us = io_monotonic_us();
		if (now_us >= deadline_us)
			return ERR_SET(err, IO_E_TIMEOUT, "%.200s port %s gave no answer in time",
				       c->url.host, c->url.port);
		ready = poll(&p, 1, (int)MIN((deadline_us - now_us) / 1000 + 1, 1000000));
	} while (ready == 0 || (ready < 0 && errno == EINTR));
	return OK;
}

static int closed(struct http_client *c, struct err *err)
{
	return ERR_SET(err, IO_E_PROTOCOL, "%.200s port %s closed the connection without an answer",
		       c->url.host, c->url.port);
}

static int send_all(struct http_client *c, uint64_t deadline_us, struct err *err)
{
	size_t at = 0;
	ssize_t sent;
	int code;

	while (at < c->out.size) {
		sent = send(c->fd, c->out.data + at, c->out.size - at, MSG_NOSIGNAL);
		if (sent >= 0) {
			at += (size_t)sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			code = wait_ready(c, POLLOUT, deadline_us, err);
			if (code != OK)
				return code;
		} else if (errno != EINTR) {
			return closed(c, err);
		}
	}
	return OK;
}

static int receive(struct http_client *c, struct bytes *body, uint64_t deadline_us, struct err *err)
{
	struct http_reader *r = &c->reader;
	int result = HTTP_PARSE_MORE, code;
	bool at_end = false;
	ssize_t got;

	while (result == HTTP_PARSE_MORE) {
		if (at_end)
			return closed(c, err);
		buf_reserve(&r->in, READ_SIZE);
		got = recv(c->fd, r->in.data + r->in.size, READ_SIZE, 0);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			code = wait_ready(c, POLLIN, deadline_us, err);
			if (code != OK)
				return code;
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		at_end = got <= 0;
		r->in.size += got > 0 ? (size_t)got : 0;
		result = http_reader_take(r, at_end, body);
	}
	if (result != HTTP_PARSE_DONE)
		return ERR_SET(err, IO_E_PROTOCOL, "%.200s port %s does not speak HTTP, or says too much",
			       c->url.host, c->url.port);
	return OK;
}

int http_client_post(struct http_client *c, struct bytes body, struct buf *reply, int *status,
		     uint32_t timeout_ms, struct err *err)
{
	uint64_t deadline_us = io_monotonic_us() + (uint64_t)timeout_ms * 1000;
	struct bytes content;
	bool is_reused;
	int code;

	buf_reset(reply);
	buf_reset(&c->out);
	http_put_post(&c->out, &c->url, body.size);
	buf_append_bytes(&c->out, body);
	do {
		is_reused = c->fd >= 0;
		code = is_reused ? OK : http_connect(&c->fd, &c->url, timeout_ms, err);
		if (code == OK)
			code = send_all(c, deadline_us, err);
		if (code == OK)
			code = receive(c, &content, deadline_us, err);
		/* An idle connection may have been closed just before; nothing of this
		 * request was answered then. */
		is_reused = is_reused && code == IO_E_PROTOCOL && c->reader.in.size == 0;
		if (code != OK)
			disconnect(c);
	} while (is_reused);
	if (code != OK)
		return code;
	*status = c->reader.status;
	buf_append_bytes(reply, content);
	if (c->reader.keep_alive)
		http_reader_next(&c->reader);
	else
		disconnect(c);
	return OK;
}
