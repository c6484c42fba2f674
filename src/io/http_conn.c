#include "io/http_internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "io/clock.h"

#define READ_SIZE 16384          /* bytes a read call */
#define BUFFER_KEEP_SIZE 65536   /* a buffer that grew beyond is freed between requests */
#define LINGER_MS 1000           /* for a client to read its refusal */
#define LINGER_SIZE (4u << 20)   /* bytes of a refused request that are read and dropped */
#define REPLY_RATE_PER_MS 64     /* the slowest reader that is served, bytes */

static uint64_t deadline_after_ms(uint64_t ms)
{
	return io_monotonic_us() + ms * 1000;
}

static void conn_set_reading(struct http_conn *c, bool on)
{
	if (c->reads == on)
		return;
	c->reads = on;
	CHECK((on ? event_add(c->read_event, NULL) : event_del(c->read_event)) == 0);
}

static void conn_set_writing(struct http_conn *c, bool on)
{
	if (c->writes == on)
		return;
	c->writes = on;
	CHECK((on ? event_add(c->write_event, NULL) : event_del(c->write_event)) == 0);
}

void http_conn_close(struct http_conn *c)
{
	if (c->state == CONN_CLOSED)
		return;
	if (c->request)
		c->request->conn = NULL;
	c->request = NULL;
	event_free(c->read_event);
	event_free(c->write_event);
	close(c->fd);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->state = CONN_CLOSED;
	c->next = c->server->dead;
	c->server->dead = c;
	atomic_fetch_sub(&c->server->connection_count, 1);
}

static void shrink(struct buf *b)
{
	if (b->capacity > BUFFER_KEEP_SIZE)
		buf_clear(b);
	else
		buf_reset(b);
}

/* Drops a request that is done with from the input. */
static void conn_consume(struct http_conn *c, size_t size)
{
	c->in_start += size;
	if (c->in_start == c->in.size) {
		shrink(&c->in);
		c->in_start = 0;
	}
	c->head_scanned = 0;
	c->has_head = false;
	c->sent_continue = false;
	c->chunks = (struct http_chunks){ 0 };
	c->chunks_done = false;
	shrink(&c->body);
}

/* The reply is out: on to the next request, or the end. */
static void conn_sent(struct http_conn *c)
{
	bool refused = c->state == CONN_LINGERING;

	conn_set_writing(c, false);
	shrink(&c->out_head);
	shrink(&c->out_body);
	c->sent_size = 0;
	if (refused) {
		shutdown(c->fd, SHUT_WR);
		c->deadline_us = deadline_after_ms(LINGER_MS);
		conn_set_reading(c, true);
	} else if (c->must_close || c->server->stopping) {
		http_conn_close(c);
	} else {
		c->state = CONN_READING;
		c->deadline_us = deadline_after_ms(c->server->options.limits.idle_timeout_ms);
		conn_set_reading(c, !c->half_closed);
	}
}

/* Sends what the socket takes. */
static void conn_send(struct http_conn *c)
{
	size_t head_left, body_sent, total = c->out_head.size + c->out_body.size;
	struct iovec parts[2];
	struct msghdr message = { .msg_iov = parts };
	ssize_t sent;

	while (c->sent_size < total) {
		head_left = c->out_head.size - MIN(c->sent_size, c->out_head.size);
		body_sent = c->sent_size - MIN(c->sent_size, c->out_head.size);
		message.msg_iovlen = 0;
		if (head_left > 0)
			parts[message.msg_iovlen++] = (struct iovec){
				c->out_head.data + c->out_head.size - head_left, head_left };
		if (body_sent < c->out_body.size)
			parts[message.msg_iovlen++] = (struct iovec){
				c->out_body.data + body_sent, c->out_body.size - body_sent };
		sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
		if (sent >= 0) {
			c->sent_size += (size_t)sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			conn_set_writing(c, true);
			return;
		} else if (errno != EINTR) {
			http_conn_close(c);
			return;
		}
	}
	conn_sent(c);
}

/* --- replies --- */

static const char *status_text(int status)
{
	static const struct { int status; const char *text; } texts[] = {
		{ 200, "OK" }, { 202, "Accepted" }, { 204, "No Content" }, { 400, "Bad Request" },
		{ 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" }, { 417, "Expectation Failed" },
		{ 429, "Too Many Requests" }, { 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Unknown";
}

static void put_text(struct buf *b, const char *text)
{
	buf_append_bytes(b, bytes_of_str(text));
}

static void put_number(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	buf_append(b, digits + at, sizeof(digits) - at);
}

static bool origin_is_allowed(const struct http_server *s, struct bytes origin)
{
	return http_list_allows(s->origins, origin);
}

/* The page that may read the reply to this request; empty if none. */
static struct bytes cors_origin(const struct http_server *s, const struct http_head *h)
{
	return h->has_origin && origin_is_allowed(s, h->origin) ? h->origin : bytes_of(NULL, 0);
}

static void put_head(struct http_conn *c, int status, const char *type, size_t size,
		     struct bytes origin, const char *extra)
{
	struct buf *b = &c->out_head;

	buf_reset(b);
	put_text(b, "HTTP/1.1 ");
	put_number(b, (uint64_t)status);
	put_text(b, " ");
	put_text(b, status_text(status));
	put_text(b, "\r\n");
	if (origin.size > 0) {
		put_text(b, "Access-Control-Allow-Origin: ");
		buf_append_bytes(b, origin);
		put_text(b, "\r\nVary: Origin\r\n");
	}
	put_text(b, extra);
	if (type) {
		put_text(b, "Content-Type: ");
		put_text(b, type);
		put_text(b, "\r\n");
	}
	if (status != 204) {
		put_text(b, "Content-Length: ");
		put_number(b, size);
		put_text(b, "\r\n");
	}
	if (c->must_close)
		put_text(b, "Connection: close\r\n");
	else if (c->is_http10)
		put_text(b, "Connection: keep-alive\r\n");
	put_text(b, "\r\n");
}

static void conn_start_reply(struct http_conn *c, size_t size)
{
	c->sent_size = 0;
	c->deadline_us = deadline_after_ms(c->server->options.limits.idle_timeout_ms +
					   size / REPLY_RATE_PER_MS);
	conn_send(c);
}

/* Answers without the handler. `closes`: what follows on the connection is not
 * worth reading. */
static void conn_say(struct http_conn *c, int status, bool closes, const char *extra, const char *text)
{
	bool is_head = c->has_head && http_text_equal(c->head.method, "HEAD");
	struct bytes origin = c->has_head ? cors_origin(c->server, &c->head) : bytes_of(NULL, 0);

	c->must_close |= closes || c->server->stopping;
	buf_reset(&c->out_body);
	if (!is_head && status != 204) {
		put_text(&c->out_body, text);
		put_text(&c->out_body, "\n");
	}
	put_head(c, status, status == 204 ? NULL : "text/plain; charset=utf-8", c->out_body.size,
		 origin, extra);
	c->state = closes ? CONN_LINGERING : CONN_WRITING;
	conn_start_reply(c, c->out_body.size);
}

/* Says no in one sentence. */
static void conn_refuse(struct http_conn *c, int status, bool closes, const char *extra,
			const char *text)
{
	atomic_fetch_add(&c->server->refused_count, 1);
	conn_say(c, status, closes, extra, text);
}

static void conn_refuse_parse(struct http_conn *c, int status)
{
	const char *text = "this is not HTTP/1.1";

	c->has_head = false;
	if (status == 413)
		text = "the body is too large: send less, or raise --rpc-body-size";
	else if (status == 431)
		text = "the header is too large";
	else if (status == 501)
		text = "no transfer coding but chunked is known here";
	else if (status == 505)
		text = "HTTP/1.1 is spoken here";
	else if (status == 417)
		text = "no expectation but 100-continue is known here";
	conn_refuse(c, status, true, "", text);
}

void http_conn_answer(struct http_server *s, struct http_request *r)
{
	struct http_conn *c = r->conn;

	if (c) {
		c->request = NULL;
		c->must_close |= s->stopping;
		buf_clear(&c->out_body);
		c->out_body = r->reply;
		r->reply = (struct buf){ 0 };
		put_head(c, r->status, r->reply_type, c->out_body.size, r->cors_origin, "");
		c->state = CONN_WRITING;
		conn_start_reply(c, c->out_body.size);
	}
	http_request_free(r);
}

/* --- requests --- */

/* A page may call the site that it came from: its Origin is http://<our Host>. */
static bool origin_is_same(const struct http_head *h)
{
	struct bytes o = h->origin;

	return o.size > 7 && strncasecmp((const char *)o.data, "http://", 7) == 0 &&
	       o.size - 7 == h->host.size &&
	       strncasecmp((const char *)o.data + 7, (const char *)h->host.data, h->host.size) == 0;
}

/* Web pages must be allowed; what is no page (a browser's extension, which the user
 * has installed, names a scheme of its own) may call. "null" is a page that hides
 * where it comes from. */
static bool origin_may_call(const struct http_server *s, const struct http_head *h)
{
	struct bytes o = h->origin;

	if (!h->has_origin || origin_is_allowed(s, o) || origin_is_same(h))
		return true;
	if (http_text_equal(o, "null") || !memmem(o.data, o.size, "://", 3))
		return false;
	return strncasecmp((const char *)o.data, "http", 4) != 0;
}

static bool host_is_allowed(const struct http_server *s, const struct http_head *h)
{
	struct bytes name = http_host_name(h->host);

	if (!h->has_host && !h->is_absolute)
		return true; /* HTTP/1.0; no browser omits it */
	return http_host_is_local(name) || http_list_allows(s->hosts, name);
}

#define ALLOW "Allow: GET, POST, OPTIONS\r\n"

static void conn_preflight(struct http_conn *c)
{
	if (cors_origin(c->server, &c->head).size > 0)
		conn_say(c, 204, false,
			 ALLOW "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
			       "Access-Control-Allow-Headers: Content-Type\r\n"
			       "Access-Control-Max-Age: 600\r\n", "");
	else
		conn_say(c, 204, false, ALLOW, "");
}

/* Everything that is answered without the handler; true if it was. */
static bool conn_refuse_request(struct http_conn *c)
{
	struct http_server *s = c->server;
	const struct http_head *h = &c->head;

	if (!host_is_allowed(s, h)) {
		conn_refuse(c, 403, false, "",
			    "this host name is not served: allow it with --http-hosts NAME");
	} else if (!origin_may_call(s, h)) {
		conn_refuse(c, 403, false, "",
			    "pages of this origin may not call: allow it with --http-origins ORIGIN");
	} else if (http_text_equal(h->method, "OPTIONS")) {
		conn_preflight(c);
	} else if (!http_text_equal(h->method, "GET") && !http_text_equal(h->method, "POST")) {
		conn_refuse(c, 405, false, ALLOW, "only GET, POST and OPTIONS are answered here");
	} else if (atomic_load(&s->pending_count) >= s->options.limits.pending_count) {
		conn_refuse(c, 503, false, "Retry-After: 1\r\n",
			    "too many requests are under way: try again");
	} else {
		return false;
	}
	return true;
}

/* A whole request is there: `size` bytes of the input. Answers it here or gives it
 * to the handler. */
static void conn_dispatch(struct http_conn *c, struct bytes body, size_t size)
{
	struct http_server *s = c->server;
	struct http_mailbox *m = s->mailbox;
	struct http_request *r;

	c->must_close = !c->head.keep_alive;
	c->is_http10 = c->head.minor == 0;
	if (conn_refuse_request(c)) {
		if (c->state != CONN_CLOSED)
			conn_consume(c, size);
		return;
	}
	r = http_request_new(c, cors_origin(s, &c->head), body);
	c->request = r;
	c->state = CONN_BUSY;
	c->deadline_us = UINT64_MAX;
	atomic_fetch_add(&s->request_count, 1);
	atomic_fetch_add(&s->pending_count, 1);
	m->in_handler = r;
	m->answered_at_once = false;
	s->handler(s->ctx, r);
	m->in_handler = NULL;
	if (m->answered_at_once) {
		atomic_fetch_sub(&s->pending_count, 1);
		http_conn_answer(s, r);
	}
	if (c->state != CONN_CLOSED)
		conn_consume(c, size);
}

/* Decodes what has come of a chunked body and takes it out of the input, which
 * then holds the head and, once the body is whole, what follows it. */
static int take_chunks(struct http_conn *c)
{
	size_t start = c->in_start + c->head_size, used = 0;
	int result;

	if (c->chunks_done)
		return HTTP_PARSE_DONE;
	result = http_chunks_feed(&c->chunks, bytes_of(c->in.data + start, c->in.size - start),
				  &used, &c->body, c->server->options.limits.body_size);
	memmove(c->in.data + start, c->in.data + start + used, c->in.size - start - used);
	c->in.size -= used;
	c->chunks_done = result == HTTP_PARSE_DONE;
	return result;
}

/* The head, if it is whole: parsed once, and again when the input has moved. */
static int take_head(struct http_conn *c)
{
	struct bytes in = bytes_of(c->in.data + c->in_start, c->in.size - c->in_start);
	int result;

	if (c->has_head && c->head_base == in.data)
		return HTTP_PARSE_DONE;
	if (c->has_head)
		c->head_scanned = 0;
	result = http_head_parse(&c->head, in, &c->head_scanned,
				 c->server->options.limits.header_size, false, &c->head_size);
	c->has_head = result == HTTP_PARSE_DONE;
	c->head_base = in.data;
	return result;
}

static void send_continue(struct http_conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!c->head.expects_continue || c->sent_continue)
		return;
	c->sent_continue = true;
	/* A client that does not get it sends after a while all the same. */
	if (send(c->fd, text, sizeof(text) - 1, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		c->half_closed = true;
}

/* Takes one request out of the input; false if it is not whole yet. */
static bool conn_take_request(struct http_conn *c)
{
	size_t size_max = c->server->options.limits.body_size;
	size_t size = c->in.size - c->in_start;
	int result;

	if (size == 0)
		return false;
	result = take_head(c);
	if (result == HTTP_PARSE_DONE && c->head.length > size_max)
		result = 413;
	if (result == HTTP_PARSE_DONE && c->head.chunked)
		result = take_chunks(c);
	else if (result == HTTP_PARSE_DONE && size - c->head_size < c->head.length)
		result = HTTP_PARSE_MORE;
	if (result == HTTP_PARSE_MORE) {
		if (c->has_head)
			send_continue(c);
		return false;
	}
	if (result != HTTP_PARSE_DONE)
		conn_refuse_parse(c, result);
	else if (c->head.chunked)
		conn_dispatch(c, buf_bytes(&c->body), c->head_size);
	else
		conn_dispatch(c, bytes_of(c->in.data + c->in_start + c->head_size, c->head.length),
			      c->head_size + c->head.length);
	return true;
}

void http_conn_advance(struct http_conn *c)
{
	while (c->state == CONN_READING && conn_take_request(c))
		;
	if (c->state == CONN_READING && c->half_closed)
		http_conn_close(c);
}

/* Room for the next read: more at once for a long body, never more than is allowed. */
static size_t read_size(const struct http_conn *c)
{
	size_t have = c->in.size - c->in_start, whole;

	if (c->state != CONN_READING || !c->has_head || c->head.chunked)
		return READ_SIZE;
	whole = c->head_size + (size_t)c->head.length;
	return MAX(READ_SIZE, MIN(whole - MIN(have, whole), have));
}

static void drop_input(struct http_conn *c)
{
	uint8_t scratch[READ_SIZE];
	ssize_t got = recv(c->fd, scratch, sizeof(scratch), 0);

	if (got > 0)
		c->dropped_size += (size_t)got;
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) ||
	    c->dropped_size > LINGER_SIZE)
		http_conn_close(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;
	struct http_server *s = c->server;
	bool was_empty = c->in.size == c->in_start;
	size_t want = read_size(c);
	ssize_t got;

	if (c->state == CONN_LINGERING) {
		drop_input(c);
		http_server_reap(s);
		return;
	}
	if (c->in_start > 0) {
		memmove(c->in.data, c->in.data + c->in_start, c->in.size - c->in_start);
		c->in.size -= c->in_start;
		c->in_start = 0;
	}
	buf_reserve(&c->in, want);
	got = recv(fd, c->in.data + c->in.size, want, 0);
	if (got > 0) {
		c->in.size += (size_t)got;
		if (was_empty && c->state == CONN_READING)
			c->deadline_us = deadline_after_ms(s->options.limits.idle_timeout_ms);
		http_conn_advance(c);
		/* Requests that wait behind one under way are kept, within bounds. */
		if (c->state != CONN_READING && c->state != CONN_CLOSED && c->in.size >= READ_SIZE)
			conn_set_reading(c, false);
	} else if (got == 0) {
		/* It may still read: a reply under way is sent first. */
		c->half_closed = true;
		conn_set_reading(c, false);
		http_conn_advance(c);
	} else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		http_conn_close(c);
	}
	http_server_reap(s);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;
	struct http_server *s = c->server;

	conn_send(c);
	http_conn_advance(c);
	http_server_reap(s);
}

/* --- begin and end --- */

void http_conn_new(struct http_server *s, int fd)
{
	struct http_conn *c = xcalloc(1, sizeof(*c));
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->server = s;
	c->fd = fd;
	c->read_event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->write_event = event_new(s->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	CHECK(c->read_event && c->write_event);
	c->deadline_us = deadline_after_ms(s->options.limits.idle_timeout_ms);
	c->next = s->conns;
	c->link = &s->conns;
	if (c->next)
		c->next->link = &c->next;
	s->conns = c;
	atomic_fetch_add(&s->connection_count, 1);
	conn_set_reading(c, true);
}

void http_conn_expire(struct http_conn *c)
{
	bool begun = c->in.size > c->in_start;

	c->has_head = false;
	if (c->state == CONN_READING && begun && !c->half_closed)
		conn_refuse(c, 408, true, "", "the request did not come to its end in time");
	else
		http_conn_close(c);
}
