#include "raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

#define BIG_SIZE (8u << 20)

void raw_answer(struct http_request *r)
{
	struct bytes body = http_request_body(r);
	struct buf reply = { 0 };

	if (strcmp(http_request_path(r), "/big") == 0) {
		memset(buf_extend(&reply, BIG_SIZE), 'x', BIG_SIZE);
	} else {
		buf_printf(&reply, "%s %s ?%s (%s) ",
			   http_request_method(r) == HTTP_METHOD_POST ? "POST" : "GET",
			   http_request_path(r), http_request_query(r),
			   http_request_content_type(r));
		buf_append_bytes(&reply, body);
	}
	http_reply(r, 200, "text/plain", &reply);
}

static void answer_later(void *ctx, void *item)
{
	raw_answer(item);
}

static void handle(void *ctx, struct http_request *r)
{
	struct raw_server *s = ctx;

	if (strcmp(http_request_path(r), "/later") == 0)
		CHECK(io_queue_push(s->later, r));
	else if (strcmp(http_request_path(r), "/keep") == 0)
		CHECK(io_queue_push(s->kept, r));
	else
		raw_answer(r);
}

struct http_options raw_options(void)
{
	return (struct http_options){
		.address = "127.0.0.1",
		.limits = { .connection_count = 16, .header_size = 2048, .body_size = 65536,
			    .idle_timeout_ms = 200, .pending_count = 4 },
		.allowed_hosts = "node.example, other.example",
		.allowed_origins = "https://dapp.example,https://two.example",
	};
}

void raw_start(struct raw_server *s, const struct http_options *options)
{
	struct err err;

	s->later = io_queue_new(256);
	s->kept = io_queue_new(256);
	s->workers = io_workers_start(s->later, 2, "later", answer_later, s);
	if (http_server_start(&s->http, options, handle, s, &err) != OK)
		fatal("%s", err.message);
}

void raw_stop(struct raw_server *s)
{
	void *kept;

	http_server_stop(s->http, 1000);
	io_workers_stop(s->workers);
	while (io_queue_pop(s->kept, &kept, 1, 0) > 0)
		raw_answer(kept);
	io_queue_free(s->later);
	io_queue_free(s->kept);
}

int raw_connect(const struct raw_server *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(http_server_port(s->http)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	return fd;
}

void raw_send(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t sent = send(fd, text, left, MSG_NOSIGNAL);

		if (sent < 0)
			return; /* refused meanwhile: the reply tells */
		text += sent;
		left -= (size_t)sent;
	}
}

size_t raw_read_all(int fd, char *out, size_t size)
{
	size_t have = 0;
	ssize_t got = 1;

	while (got > 0 && have + 1 < size) {
		got = recv(fd, out + have, size - 1 - have, 0);
		have += got > 0 ? (size_t)got : 0;
	}
	out[have] = '\0';
	return have;
}

bool raw_read_reply(int fd, char *out, size_t size)
{
	size_t have = 0, length = 0, whole = SIZE_MAX;
	char *end, *field;

	while (have < whole) {
		/* One byte at a time before the body, so as not to read into the next reply. */
		size_t want = whole == SIZE_MAX ? 1 : whole - have;

		CHECK(have + want < size);
		ssize_t got = recv(fd, out + have, want, 0);
		if (got <= 0)
			return false;
		have += (size_t)got;
		out[have] = '\0';
		end = whole == SIZE_MAX && have >= 4 ? strstr(out + have - 4, "\r\n\r\n") : NULL;
		if (end) {
			field = strstr(out, "Content-Length: ");
			length = field ? strtoul(field + 16, NULL, 10) : 0;
			whole = have + length;
		}
	}
	return true;
}

bool raw_exchange(const struct raw_server *s, const char *text, char *out, size_t size)
{
	int fd = raw_connect(s);
	bool answered;

	raw_send(fd, text);
	answered = raw_read_reply(fd, out, size);
	close(fd);
	return answered;
}

bool raw_is_closed(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	return got == 0 || (got < 0 && errno == ECONNRESET);
}
