/*
 * One thread owns the event base, the connections and everything below; the only
 * thing that other threads touch is the mailbox, where http_reply() leaves
 * answered requests.
 *
 * A connection handles one request at a time:
 *
 *     READING --head and body complete--> BUSY --http_reply()--> WRITING --+
 *        ^                                                                 |
 *        +------------------------- keep-alive ----------------------------+
 *                                                    else LINGERING, closed
 *
 * A request outlives its connection: when the client goes, the link between them
 * is cut and the reply is dropped when it comes.
 */
#include "io/http.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "io/clock.h"
#include "io/http_parse.h"

#define READ_SIZE 16384          /* bytes a read call */
#define BUFFER_KEEP_SIZE 65536   /* a buffer that grew beyond is freed between requests */
#define ACCEPT_COUNT_MAX 64      /* connections taken in one turn of the loop */
#define ACCEPT_PAUSE_MS 100      /* when the process has no file descriptor left */
#define LINGER_MS 1000           /* for a client to read its refusal */
#define LINGER_SIZE (4u << 20)   /* bytes of a refused request that are read and dropped */
#define REPLY_RATE_PER_MS 64     /* the slowest reader that is served, bytes */
#define SWEEP_MS_MAX 500

enum conn_state {
	CONN_READING,   /* waits for a whole request */
	CONN_BUSY,      /* the handler has it */
	CONN_WRITING,   /* the reply does not fit the socket yet */
	CONN_LINGERING, /* refused; drops what still comes, then closes */
	CONN_CLOSED,    /* on the list of the dead */
};

struct conn {
	struct conn *next, **link; /* in server->conns */
	struct http_server *server;
	int fd;
	struct event *read_event, *write_event;
	bool reads, writes;        /* which of them are added */
	enum conn_state state;
	bool half_closed;          /* the client sends no more */
	bool must_close;           /* after this reply */
	bool sent_continue;
	bool is_http10;            /* must be told that the connection stays open */
	uint64_t deadline_us;      /* UINT64_MAX: none */

	struct buf in;             /* what has come and is not consumed yet, from in_start */
	size_t in_start;
	size_t head_scanned;
	bool has_head;
	struct http_head head;     /* borrows from `in` as long as that is at head_base */
	const uint8_t *head_base;
	size_t head_size;
	struct http_chunks chunks;
	bool chunks_done;
	struct buf body;           /* of a chunked request */

	struct http_request *request; /* while BUSY */
	struct buf out_head, out_body;
	size_t sent_size;          /* of both together */
	size_t dropped_size;       /* while LINGERING */
};

/* Shared by the server and its requests, whichever ends last. */
struct mailbox {
	atomic_uint refs;
	int wake_fd;
	_Atomic(struct http_request *) answered; /* a stack; &closed_mark when the server is gone */
	atomic_bool stop;
	atomic_uint grace_ms;
	/* Server's thread only. */
	pthread_t thread;
	struct http_request *in_handler; /* its handler runs now … */
	bool answered_at_once;           /* … and has replied */
};

struct http_request {
	struct mailbox *mailbox;
	struct conn *conn;         /* server's thread only; NULL: the client has gone */
	struct http_request *next; /* in the mailbox */
	enum http_method method;
	const char *path, *query, *content_type;
	struct bytes body;
	struct bytes cors_origin;  /* who may read the reply; empty: nobody more */
	int status;                /* of the reply */
	const char *reply_type;    /* a static string */
	struct buf reply;
	char storage[];            /* the strings and the body */
};

static struct http_request closed_mark;

struct http_server {
	struct http_options options;
	char *hosts, *origins;
	http_handler_fn handler;
	void *ctx;
	pthread_t thread;
	struct event_base *base;
	int listen_fd;
	uint16_t port;
	struct event *listen_event, *wake_event, *sweep_event, *resume_event, *grace_event;
	struct mailbox *mailbox;
	struct conn *conns;
	struct conn *dead;               /* closed, freed at the end of the turn */
	bool stopping;
	_Atomic uint64_t request_count, refused_count, connection_total;
	atomic_size_t connection_count, pending_count;
};

/* --- mailbox and requests --- */

static void mailbox_unref(struct mailbox *m)
{
	if (atomic_fetch_sub(&m->refs, 1) > 1)
		return;
	close(m->wake_fd);
	free(m);
}

static void wake(struct mailbox *m)
{
	uint64_t one = 1;

	/* A full counter wakes as well. */
	while (write(m->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void request_free(struct http_request *r)
{
	mailbox_unref(r->mailbox);
	buf_clear(&r->reply);
	free(r);
}

enum http_method http_request_method(const struct http_request *r)
{
	return r->method;
}

const char *http_request_path(const struct http_request *r)
{
	return r->path;
}

const char *http_request_query(const struct http_request *r)
{
	return r->query;
}

struct bytes http_request_body(const struct http_request *r)
{
	return r->body;
}

const char *http_request_content_type(const struct http_request *r)
{
	return r->content_type;
}

/* Puts an answered request into the mailbox; only the first of several wakes the
 * server. */
static void mailbox_put(struct mailbox *m, struct http_request *r)
{
	struct http_request *head = atomic_load(&m->answered);

	do {
		if (head == &closed_mark) {
			request_free(r);
			return;
		}
		r->next = head;
	} while (!atomic_compare_exchange_weak(&m->answered, &head, r));
	if (!head)
		wake(m);
}

void http_reply(struct http_request *r, int status, const char *content_type, struct buf *body)
{
	struct mailbox *m = r->mailbox;

	r->status = status;
	r->reply_type = content_type;
	if (body) {
		r->reply = *body;
		*body = (struct buf){ 0 };
	}
	if (pthread_equal(m->thread, pthread_self()) && m->in_handler == r) {
		m->answered_at_once = true;
		return;
	}
	/* Once it is in the box the request may be freed, and with it the last hold on the box. */
	atomic_fetch_add(&m->refs, 1);
	mailbox_put(m, r);
	mailbox_unref(m);
}

/* --- connections --- */

static uint64_t deadline_after_ms(uint64_t ms)
{
	return io_monotonic_us() + ms * 1000;
}

static void conn_set_reading(struct conn *c, bool on)
{
	if (c->reads == on)
		return;
	c->reads = on;
	CHECK((on ? event_add(c->read_event, NULL) : event_del(c->read_event)) == 0);
}

static void conn_set_writing(struct conn *c, bool on)
{
	if (c->writes == on)
		return;
	c->writes = on;
	CHECK((on ? event_add(c->write_event, NULL) : event_del(c->write_event)) == 0);
}

/* Closes now; the struct stays until reap(), so that callers up the stack see the state. */
static void conn_close(struct conn *c)
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

/* Ends every turn of the loop. */
static void reap(struct http_server *s)
{
	struct conn *c;

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

static void shrink(struct buf *b)
{
	if (b->capacity > BUFFER_KEEP_SIZE)
		buf_clear(b);
	else
		buf_reset(b);
}

/* Drops a request that is done with from the input. */
static void conn_consume(struct conn *c, size_t size)
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
static void conn_sent(struct conn *c)
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
		conn_close(c);
	} else {
		c->state = CONN_READING;
		c->deadline_us = deadline_after_ms(c->server->options.limits.idle_timeout_ms);
		conn_set_reading(c, !c->half_closed);
	}
}

/* Sends what the socket takes. */
static void conn_send(struct conn *c)
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
			conn_close(c);
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

static void put_head(struct conn *c, int status, const char *type, size_t size,
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

static void conn_start_reply(struct conn *c, size_t size)
{
	c->sent_size = 0;
	c->deadline_us = deadline_after_ms(c->server->options.limits.idle_timeout_ms +
					   size / REPLY_RATE_PER_MS);
	conn_send(c);
}

/* Answers without the handler. `closes`: what follows on the connection is not
 * worth reading. */
static void conn_say(struct conn *c, int status, bool closes, const char *extra, const char *text)
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
static void conn_refuse(struct conn *c, int status, bool closes, const char *extra,
			const char *text)
{
	atomic_fetch_add(&c->server->refused_count, 1);
	conn_say(c, status, closes, extra, text);
}

static void conn_refuse_parse(struct conn *c, int status)
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

/* Sends the handler's reply on its connection, if that is still there. */
static void conn_answer(struct http_server *s, struct http_request *r)
{
	struct conn *c = r->conn;

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
	request_free(r);
}

/* --- requests --- */

static const char *store(char **at, struct bytes s)
{
	char *text = *at;

	if (s.size > 0)
		memcpy(text, s.data, s.size);
	text[s.size] = '\0';
	*at += s.size + 1;
	return text;
}

static struct http_request *request_new(struct conn *c, struct bytes body)
{
	const struct http_head *h = &c->head;
	struct bytes origin = cors_origin(c->server, h);
	struct http_request *r;
	char *at;

	r = xmalloc(sizeof(*r) + h->path.size + h->query.size + h->content_type.size +
		    origin.size + body.size + 5);
	*r = (struct http_request){ .mailbox = c->server->mailbox, .conn = c };
	atomic_fetch_add(&r->mailbox->refs, 1);
	r->method = http_text_equal(h->method, "POST") ? HTTP_METHOD_POST : HTTP_METHOD_GET;
	at = r->storage;
	r->path = store(&at, h->path);
	r->query = store(&at, h->query);
	r->content_type = store(&at, h->content_type);
	r->cors_origin = bytes_of(store(&at, origin), origin.size);
	r->body = bytes_of(store(&at, body), body.size);
	return r;
}

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

static void conn_preflight(struct conn *c)
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
static bool conn_refuse_request(struct conn *c)
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
static void conn_dispatch(struct conn *c, struct bytes body, size_t size)
{
	struct http_server *s = c->server;
	struct mailbox *m = s->mailbox;
	struct http_request *r;

	c->must_close = !c->head.keep_alive;
	c->is_http10 = c->head.minor == 0;
	if (conn_refuse_request(c)) {
		if (c->state != CONN_CLOSED)
			conn_consume(c, size);
		return;
	}
	r = request_new(c, body);
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
		conn_answer(s, r);
	}
	if (c->state != CONN_CLOSED)
		conn_consume(c, size);
}

/* Decodes what has come of a chunked body and takes it out of the input, which
 * then holds the head and, once the body is whole, what follows it. */
static int take_chunks(struct conn *c)
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
static int take_head(struct conn *c)
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

static void send_continue(struct conn *c)
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
static bool conn_take_request(struct conn *c)
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

/* Serves what has come, as far as it goes. */
static void conn_advance(struct conn *c)
{
	while (c->state == CONN_READING && conn_take_request(c))
		;
	if (c->state == CONN_READING && c->half_closed)
		conn_close(c);
}

/* Room for the next read: more at once for a long body, never more than is allowed. */
static size_t read_size(const struct conn *c)
{
	size_t have = c->in.size - c->in_start, whole;

	if (c->state != CONN_READING || !c->has_head || c->head.chunked)
		return READ_SIZE;
	whole = c->head_size + (size_t)c->head.length;
	return MAX(READ_SIZE, MIN(whole - MIN(have, whole), have));
}

static void drop_input(struct conn *c)
{
	uint8_t scratch[READ_SIZE];
	ssize_t got = recv(c->fd, scratch, sizeof(scratch), 0);

	if (got > 0)
		c->dropped_size += (size_t)got;
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) ||
	    c->dropped_size > LINGER_SIZE)
		conn_close(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct http_server *s = c->server;
	bool was_empty = c->in.size == c->in_start;
	size_t want = read_size(c);
	ssize_t got;

	if (c->state == CONN_LINGERING) {
		drop_input(c);
		reap(s);
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
		conn_advance(c);
		/* Requests that wait behind one under way are kept, within bounds. */
		if (c->state != CONN_READING && c->state != CONN_CLOSED && c->in.size >= READ_SIZE)
			conn_set_reading(c, false);
	} else if (got == 0) {
		/* It may still read: a reply under way is sent first. */
		c->half_closed = true;
		conn_set_reading(c, false);
		conn_advance(c);
	} else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		conn_close(c);
	}
	reap(s);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct http_server *s = c->server;

	conn_send(c);
	conn_advance(c);
	reap(s);
}

/* --- the server's own events --- */

static void conn_new(struct http_server *s, int fd)
{
	struct conn *c = xcalloc(1, sizeof(*c));
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
			conn_new(s, fd);
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
	struct conn *c, *next;
	uint64_t grace_us = (uint64_t)atomic_load(&s->mailbox->grace_ms) * 1000;
	struct timeval grace = { .tv_sec = (time_t)(grace_us / 1000000),
				 .tv_usec = (suseconds_t)(grace_us % 1000000) };

	s->stopping = true;
	event_del(s->listen_event);
	event_add(s->grace_event, &grace);
	for (c = s->conns; c; c = next) {
		next = c->next;
		if (c->state == CONN_READING || c->state == CONN_LINGERING)
			conn_close(c);
	}
}

/* The time for replies under way is over. */
static void on_grace_end(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;

	while (s->conns)
		conn_close(s->conns);
	reap(s);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	struct http_request *r, *next, *list = NULL;
	struct conn *c;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		fatal("http: eventfd: %s", strerror(errno));
	/* The stack is newest first; clients are served in the order of answers. */
	for (r = atomic_exchange(&s->mailbox->answered, NULL); r; r = next) {
		next = r->next;
		r->next = list;
		list = r;
	}
	for (r = list; r; r = next) {
		next = r->next;
		c = r->conn;
		atomic_fetch_sub(&s->pending_count, 1);
		conn_answer(s, r);
		if (c)
			conn_advance(c);
	}
	if (atomic_load(&s->mailbox->stop) && !s->stopping)
		begin_stop(s);
	reap(s);
}

static void conn_expire(struct conn *c)
{
	bool begun = c->in.size > c->in_start;

	c->has_head = false;
	if (c->state == CONN_READING && begun && !c->half_closed)
		conn_refuse(c, 408, true, "", "the request did not come to its end in time");
	else
		conn_close(c);
}

/* Deadlines are looked at now and then rather than kept in a heap: they change with
 * every request and almost never pass. */
static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	uint64_t now_us = io_monotonic_us();
	struct conn *c, *next;

	for (c = s->conns; c; c = next) {
		next = c->next;
		if (now_us >= c->deadline_us)
			conn_expire(c);
	}
	reap(s);
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

static int listen_on(int *out, const struct http_options *o, struct err *err)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
				  .ai_socktype = SOCK_STREAM };
	struct bytes name = http_host_name(bytes_of_str(o->address));
	const char *address = o->address;
	struct addrinfo *found;
	const char *remedy;
	char port[8];
	int fd, one = 1, error;

	if (http_text_equal(name, "localhost"))
		address = "127.0.0.1";
	snprintf(port, sizeof(port), "%u", o->port);
	if (getaddrinfo(address, port, &hints, &found) != 0)
		return ERR_SET(err, IO_E_ADDRESS, "%s is not an IP address to listen on: give one "
			       "like 127.0.0.1, 0.0.0.0 or ::1", o->address);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 1024) == 0) {
		freeaddrinfo(found);
		*out = fd;
		return OK;
	}
	error = errno;
	freeaddrinfo(found);
	if (fd >= 0)
		close(fd);
	if (error == EADDRINUSE)
		remedy = "another program has it; stop that one or choose another port";
	else if (error == EACCES)
		remedy = "choose a port above 1023";
	else if (error == EADDRNOTAVAIL)
		remedy = "this machine has no such address; 127.0.0.1 always exists";
	else
		remedy = strerror(error);
	return ERR_SET(err, IO_E_LISTEN, "can't listen on %s port %u: %s", o->address, o->port,
		       remedy);
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static struct mailbox *mailbox_new(void)
{
	struct mailbox *m = xcalloc(1, sizeof(*m));

	atomic_init(&m->refs, 1);
	m->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->wake_fd < 0)
		fatal("no eventfd: %s (see ulimit -n)", strerror(errno));
	return m;
}

static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	CHECK(config);
	/* One thread alone touches it. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (!base)
		fatal("libevent gives no event base (see ulimit -n)");
	return base;
}

int http_server_start(struct http_server **out, const struct http_options *options,
		      http_handler_fn handler, void *ctx, struct err *err)
{
	uint32_t sweep_ms = MIN(options->limits.idle_timeout_ms / 8, SWEEP_MS_MAX);
	struct timeval sweep;
	struct http_server *s;
	int fd, code, error;

	CHECK(options->limits.connection_count > 0 && options->limits.header_size > 0);
	code = listen_on(&fd, options, err);
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
	s->port = bound_port(fd);
	s->base = base_new();
	s->mailbox = mailbox_new();
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
	struct conn *c;

	if (!s)
		return;
	atomic_store(&s->mailbox->grace_ms, grace_ms);
	atomic_store(&s->mailbox->stop, true);
	wake(s->mailbox);
	CHECK(pthread_join(s->thread, NULL) == 0);
	while ((c = s->conns))
		conn_close(c);
	s->stopping = false;
	reap(s);
	/* What is answered from now on finds the box closed and is dropped. */
	for (r = atomic_exchange(&s->mailbox->answered, &closed_mark); r; r = next) {
		next = r->next;
		request_free(r);
	}
	event_free(s->listen_event);
	event_free(s->wake_event);
	event_free(s->sweep_event);
	event_free(s->resume_event);
	event_free(s->grace_event);
	event_base_free(s->base);
	close(s->listen_fd);
	mailbox_unref(s->mailbox);
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
