#include "io/http_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/http.h"

static int copy_part(char *out, size_t size, const char *start, size_t length)
{
	if (length == 0 || length >= size)
		return -1;
	memcpy(out, start, length);
	out[length] = '\0';
	return 0;
}

static int parse_port(struct http_url *out, const char *text, size_t size)
{
	unsigned long port = 0;

	if (size == 0 || size > 5)
		return -1;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		port = port * 10 + (unsigned long)(text[i] - '0');
	}
	if (port == 0 || port > 65535)
		return -1;
	return copy_part(out->port, sizeof(out->port), text, size);
}

int http_url_parse(struct http_url *out, const char *text, struct err *err)
{
	const char *at, *host_end, *end;

	*out = (struct http_url){ .port = "80", .path = "/" };
	if (strncasecmp(text, "https://", 8) == 0)
		return ERR_SET(err, IO_E_ADDRESS, "https is not supported: give an http:// URL, or "
			       "tunnel the connection");
	if (strncasecmp(text, "http://", 7) != 0)
		return ERR_SET(err, IO_E_ADDRESS, "'%.100s' is not a URL like http://127.0.0.1:8545",
			       text);
	at = text + 7;
	end = at + strcspn(at, "/?#");
	if (*at == '[') {
		at++;
		host_end = memchr(at, ']', (size_t)(end - at));
		if (!host_end)
			return ERR_SET(err, IO_E_ADDRESS, "'%.100s' lacks the ] of its IPv6 address",
				       text);
	} else {
		host_end = at + strcspn(at, ":/?#");
	}
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return ERR_SET(err, IO_E_ADDRESS, "the URL has a blank or control character");
	if (memchr(at, '@', (size_t)(end - at)))
		return ERR_SET(err, IO_E_ADDRESS, "user names in URLs are not supported");
	if (copy_part(out->host, sizeof(out->host), at, (size_t)(host_end - at)) < 0)
		return ERR_SET(err, IO_E_ADDRESS, "the URL's host is missing or too long");
	at = *host_end == ']' ? host_end + 1 : host_end;
	if (at < end && (*at != ':' || parse_port(out, at + 1, (size_t)(end - at - 1)) < 0))
		return ERR_SET(err, IO_E_ADDRESS, "the URL's port must be 1 to 65535");
	if (*end == '/' && copy_part(out->path, sizeof(out->path), end, strcspn(end, "#")) < 0)
		return ERR_SET(err, IO_E_ADDRESS, "the URL's path is too long");
	return OK;
}

static int wait_connected(int fd, uint64_t deadline_us)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t now_us = io_monotonic_us();
	socklen_t size = sizeof(int);
	int error = 0, ready;

	do {
		now_us = io_monotonic_us();
		ready = poll(&p, 1, now_us < deadline_us ? (int)((deadline_us - now_us) / 1000) + 1 : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return errno;
	return error;
}

/* 0, or the errno. */
static int connect_to(int *out, const struct addrinfo *to, uint64_t deadline_us)
{
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0, one = 1;

	if (fd < 0)
		return errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0)
		error = errno == EINPROGRESS ? wait_connected(fd, deadline_us) : errno;
	if (error != 0) {
		close(fd);
		return error;
	}
	*out = fd;
	return 0;
}

int http_connect(int *out, const struct http_url *url, uint32_t timeout_ms, struct err *err)
{
	uint64_t deadline_us = io_monotonic_us() + (uint64_t)timeout_ms * 1000;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found, *at;
	int error;

	error = getaddrinfo(url->host, url->port, &hints, &found);
	if (error != 0)
		return ERR_SET(err, IO_E_ADDRESS, "no address for %.200s: %s", url->host,
			       gai_strerror(error));
	for (at = found; at; at = at->ai_next) {
		error = connect_to(out, at, deadline_us);
		if (error == 0)
			break;
	}
	freeaddrinfo(found);
	if (error == ETIMEDOUT)
		return ERR_SET(err, IO_E_TIMEOUT, "%.200s port %s does not answer", url->host,
			       url->port);
	if (error != 0)
		return ERR_SET(err, IO_E_CONNECT, "nobody answers at %.200s port %s: %s",
			       url->host, url->port, strerror(error));
	return OK;
}

void http_put_post(struct buf *out, const struct http_url *url, size_t size)
{
	const char *open = strchr(url->host, ':') ? "[" : "", *close_ = *open ? "]" : "";

	buf_printf(out, "POST %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nContent-Type: application/json\r\n"
		   "Content-Length: %zu\r\n\r\n", url->path, open, url->host, close_, url->port,
		   size);
}

static int take_head(struct http_reader *r)
{
	struct http_head head;
	int result;

	do {
		result = http_head_parse(&head, buf_bytes(&r->in), &r->scanned,
					 HTTP_REPLY_HEAD_MAX, true, &r->head_size);
		if (result != HTTP_PARSE_DONE)
			return result;
		/* An interim reply (1xx) precedes the real one. */
		if (head.status < 200) {
			memmove(r->in.data, r->in.data + r->head_size, r->in.size - r->head_size);
			r->in.size -= r->head_size;
			r->scanned = 0;
		}
	} while (head.status < 200);
	r->has_head = true;
	r->status = head.status;
	r->chunked = head.chunked;
	r->has_length = head.has_length;
	r->length = head.length;
	r->keep_alive = head.keep_alive;
	if (head.status == 204 || head.status == 304) {
		r->has_length = true;
		r->length = 0;
	}
	return HTTP_PARSE_DONE;
}

static int take_chunks(struct http_reader *r)
{
	size_t have = r->in.size - r->head_size, used;
	uint8_t *start = r->in.data + r->head_size;
	int result = http_chunks_feed(&r->chunks, bytes_of(start, have), &used, &r->body,
				      HTTP_REPLY_BODY_MAX);

	memmove(start, start + used, have - used);
	r->in.size -= used;
	return result;
}

int http_reader_take(struct http_reader *r, bool at_end, struct bytes *body)
{
	size_t have;
	int result;

	if (!r->has_head) {
		result = take_head(r);
		if (result != HTTP_PARSE_DONE)
			return result;
	}
	if (r->chunked) {
		result = take_chunks(r);
		*body = buf_bytes(&r->body);
		return result;
	}
	have = r->in.size - r->head_size;
	if (!r->has_length && at_end) {
		r->has_length = true;
		r->length = have;
	}
	if ((r->has_length && r->length > HTTP_REPLY_BODY_MAX) ||
	    (!r->has_length && have > HTTP_REPLY_BODY_MAX))
		return 413;
	if (!r->has_length || have < r->length)
		return HTTP_PARSE_MORE;
	*body = bytes_of(r->in.data + r->head_size, (size_t)r->length);
	return HTTP_PARSE_DONE;
}

void http_reader_next(struct http_reader *r)
{
	size_t used = r->head_size + (r->chunked ? 0 : (size_t)r->length);

	memmove(r->in.data, r->in.data + used, r->in.size - used);
	r->in.size -= used;
	r->scanned = 0;
	r->has_head = false;
	r->chunks = (struct http_chunks){ 0 };
	buf_reset(&r->body);
}

void http_reader_clear(struct http_reader *r)
{
	buf_clear(&r->in);
	buf_clear(&r->body);
	*r = (struct http_reader){ 0 };
}
