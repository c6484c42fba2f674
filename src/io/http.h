/*
 * http - an HTTP/1.1 server on one thread of its own, and a client; libevent
 * behind both.
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
	HTTP_METHOD_OPTIONS,
	HTTP_METHOD_OTHER,
};

struct http_limits {
	size_t connection_count;
	size_t header_size;
	size_t body_size;
	uint32_t idle_timeout_ms;    /* a connection without a request, or one half sent */
	size_t pending_count;        /* requests kept by handlers; beyond it: 503 */
};

struct http_options {
	const char *address;         /* to listen on: "127.0.0.1" */
	uint16_t port;               /* 0: any free one, see http_server_port() */
	struct http_limits limits;
	/* Comma-separated; "*" allows all. Host: what the Host header may name (without
	 * port; an IP address literal and "localhost" always may). Origin: what may be
	 * answered with Access-Control-Allow-Origin. Empty or NULL: nothing more. */
	const char *allowed_hosts;
	const char *allowed_origins;
	const struct log *log;
};

/* Called for every request that passed the limits and the Host check, OPTIONS
 * preflights excepted (they are answered here). Takes `req`; ends it with
 * http_reply(). */
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

/* Answers, from any thread; takes `req` and the content of `body` (left empty). A
 * client that has gone is no error. */
void http_reply(struct http_request *req, int status, const char *content_type, struct buf *body);

/* Counters for metrics. */
struct http_stats {
	uint64_t request_count, refused_count, connection_count_total;
	size_t connection_count, pending_count;
};
void http_server_get_stats(const struct http_server *s, struct http_stats *out);

/* --- client --- */

/* Posts JSON over a kept-alive connection, one request at a time, blocking. */
struct http_client;
int http_client_new(struct http_client **out, const char *url, struct err *err);
void http_client_free(struct http_client *c);
/* The reply's body into `reply` (emptied first), its status into *status. */
int http_client_post(struct http_client *c, struct bytes body, struct buf *reply, int *status,
		     uint32_t timeout_ms, struct err *err);

/* Many posts at once from one thread: `connection_count` kept-alive connections,
 * each with one request under way. `next` gives the next body to send (false: no
 * more), `done` takes the reply. Runs until all are answered or `timeout_ms` is
 * over; a connection that breaks is IO_E_PROTOCOL. */
struct http_load {
	const char *url;
	size_t connection_count;
	uint32_t timeout_ms;
	void *ctx;
	bool (*next)(void *ctx, size_t connection, struct buf *body);
	void (*done)(void *ctx, size_t connection, int status, struct bytes reply);
};
int http_load_run(const struct http_load *load, struct err *err);

#endif
