/*
 * http - an HTTP/1.1 server on one thread of its own, with libevent's loop behind
 * it, and clients.
 *
 *     any thread                server's thread                 socket
 *                  handler <--- parse <--- bounded buffer <---- bytes
 *     http_reply() --> mailbox (lock-free, one wake-up for many) --> bytes
 *
 * The server bounds everything that a client controls: connections, header and
 * body size, time for header, body and reply; requests that are answered later
 * are counted and bounded too. A handler runs on the server's thread and must
 * not block: it answers at once, or keeps the request and answers from any
 * thread.
 */
#ifndef WEFT_IO_HTTP_H
#define WEFT_IO_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

enum io_error {
	IO_E_LISTEN = ERR_BASE_IO, /* the address or port can't be had; the message says why */
	IO_E_CONNECT,              /* nobody answers there */
	IO_E_TIMEOUT,              /* no answer in time */
	IO_E_PROTOCOL,             /* the other side did not speak HTTP, or closed */
	IO_E_ADDRESS,              /* an address or URL that can't be read */
};

struct http_server;
struct http_request;

enum http_method {
	HTTP_METHOD_GET,
	HTTP_METHOD_POST,
};

struct http_limits {
	size_t connection_count;
	size_t header_size;
	size_t body_size;
	/* A connection without a request; a request from its first byte to its last; a
	 * reply that is not read (longer for a large one, at 64 bytes a millisecond). */
	uint32_t idle_timeout_ms;
	size_t pending_count;        /* requests kept by handlers; beyond it: 503 */
};

struct http_options {
	const char *address;         /* to listen on: "127.0.0.1" */
	uint16_t port;               /* 0: any free one, see http_server_port() */
	struct http_limits limits;
	/* Comma-separated; "*" allows all. Host: what the Host header may name (without
	 * port; an IP address literal and "localhost" always may). Origin: the web sites
	 * that may call and read the answer (Access-Control-Allow-Origin); pages served
	 * here, browser extensions and whatever sends no Origin always may call. Empty or
	 * NULL: nothing more. */
	const char *allowed_hosts;
	const char *allowed_origins;
	const struct log *log;
};

/* Called for every GET and POST that passed the limits and the Host and Origin
 * checks. OPTIONS (the CORS preflight) and other methods (405) are answered here.
 * Takes `req`; ends it with http_reply(). */
typedef void (*http_handler_fn)(void *ctx, struct http_request *req);

/* Listens and starts the thread. IO_E_LISTEN names address, port and remedy. */
int http_server_start(struct http_server **out, const struct http_options *options,
		      http_handler_fn handler, void *ctx, struct err *err);
uint16_t http_server_port(const struct http_server *s);

/* Stops taking connections and requests; those under way may still be answered
 * for `grace_ms`; then closes all and ends the thread. Later http_reply() calls
 * are harmless. */
void http_server_stop(struct http_server *s, uint32_t grace_ms);

/* Of a request, until it is answered. */
enum http_method http_request_method(const struct http_request *r);
const char *http_request_path(const struct http_request *r);  /* without query */
const char *http_request_query(const struct http_request *r); /* "" if none */
struct bytes http_request_body(const struct http_request *r);
const char *http_request_content_type(const struct http_request *r); /* "" if none */

/* Answers, from any thread; takes `req` and the content of `body` (left empty; may
 * be NULL). `content_type`: a static string, or NULL. A client that has gone is no
 * error. */
void http_reply(struct http_request *req, int status, const char *content_type, struct buf *body);

/* Counters for metrics. */
struct http_stats {
	uint64_t request_count;          /* taken by the handler */
	uint64_t refused_count;          /* requests and connections refused here */
	uint64_t connection_count_total; /* accepted since the start */
	size_t connection_count;         /* open now */
	size_t pending_count;            /* requests that handlers keep */
};
void http_server_get_stats(const struct http_server *s, struct http_stats *out);

/* --- clients --- */

/* Posts JSON over a kept-alive connection, one request at a time, blocking. `url`:
 * "http://host[:port][/path]"; the port is 80 if left out, an IPv6 literal stands
 * in brackets. Connects at the first post. IO_E_ADDRESS says what is wrong with
 * the URL. */
struct http_client;
int http_client_new(struct http_client **out, const char *url, struct err *err);
void http_client_free(struct http_client *c);
/* The reply's body into `reply` (emptied first), its status into *status. A
 * connection that the server has closed meanwhile is opened again. `timeout_ms`
 * is for all of it. After an error the next call connects anew. */
int http_client_post(struct http_client *c, struct bytes body, struct buf *reply, int *status,
		     uint32_t timeout_ms, struct err *err);

/* What a connection of http_load_run() does next. */
enum http_load_next {
	HTTP_LOAD_SEND, /* `body` is to be posted */
	HTTP_LOAD_WAIT, /* nothing now: ask again in a moment */
	HTTP_LOAD_END,  /* nothing any more on this connection */
};

/* Many posts at once from one thread: `connection_count` kept-alive connections,
 * each with one request under way. `next` fills `body` (given empty), `done` takes
 * the reply. Runs until all connections have ended (OK), or `timeout_ms` is over
 * (IO_E_TIMEOUT); a connection that breaks is IO_E_PROTOCOL. */
struct http_load {
	const char *url;
	size_t connection_count;
	uint64_t timeout_ms;
	void *ctx;
	enum http_load_next (*next)(void *ctx, size_t connection, struct buf *body);
	void (*done)(void *ctx, size_t connection, int status, struct bytes reply);
};
int http_load_run(const struct http_load *load, struct err *err);

#endif
