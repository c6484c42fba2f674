/*
 * http_internal - what the server's three files share.
 *
 *     http_server.c   the listening socket, the loop, deadlines, the end
 *     http_conn.c     a connection: bytes to requests, replies to bytes
 *     http_request.c  a request's life and the mailbox that replies go through
 *
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
#ifndef WEFT_IO_HTTP_INTERNAL_H
#define WEFT_IO_HTTP_INTERNAL_H

#include "io/http.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>

#include "io/http_parse.h"

enum http_conn_state {
	CONN_READING,   /* waits for a whole request */
	CONN_BUSY,      /* the handler has it */
	CONN_WRITING,   /* the reply does not fit the socket yet */
	CONN_LINGERING, /* refused; drops what still comes, then closes */
	CONN_CLOSED,    /* on the list of the dead */
};

struct http_conn {
	struct http_conn *next, **link; /* in server->conns */
	struct http_server *server;
	int fd;
	struct event *read_event, *write_event;
	bool reads, writes;        /* which of them are added */
	enum http_conn_state state;
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
struct http_mailbox {
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
	struct http_mailbox *mailbox;
	struct http_conn *conn;         /* server's thread only; NULL: the client has gone */
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
	struct http_mailbox *mailbox;
	struct http_conn *conns;
	struct http_conn *dead;               /* closed, freed at the end of the turn */
	bool stopping;
	_Atomic uint64_t request_count, refused_count, connection_total;
	atomic_size_t connection_count, pending_count;
};

/* --- http_request.c --- */

/* With one reference. */
struct http_mailbox *http_mailbox_new(void);
void http_mailbox_unref(struct http_mailbox *m);

/* Wakes the server's thread. */
void http_mailbox_wake(struct http_mailbox *m);

/* The answered requests in the order of their answers; the box is empty then, or,
 * if `closes`, closed: requests answered later are dropped. */
struct http_request *http_mailbox_take(struct http_mailbox *m, bool closes);

/* Copies what a handler may look at. `cors_origin`: who may read the reply. */
struct http_request *http_request_new(struct http_conn *c, struct bytes cors_origin,
				      struct bytes body);
void http_request_free(struct http_request *r);

/* --- http_conn.c --- */

/* Takes `fd`. */
void http_conn_new(struct http_server *s, int fd);

/* Closes now; the struct stays until http_server_reap(), so that callers up the
 * stack see the state. */
void http_conn_close(struct http_conn *c);

/* Serves what has come, as far as it goes. */
void http_conn_advance(struct http_conn *c);

/* Sends the handler's reply on its connection, if that is still there; ends `r`. */
void http_conn_answer(struct http_server *s, struct http_request *r);

/* Its deadline has passed. */
void http_conn_expire(struct http_conn *c);

/* --- http_server.c --- */

/* Frees what was closed; ends every turn of the loop. */
void http_server_reap(struct http_server *s);

#endif
