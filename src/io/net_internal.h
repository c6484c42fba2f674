/*
 * net_internal - what net's files share.
 *
 *     net.c       start and stop, the loop, the mailbox, listening, dialling
 *     net_conn.c  a connection: handshake, reading, writing, its end
 *     net_tls.c   the context: version, ciphers, key and certificate
 *
 *     CONNECTING ──► HANDSHAKE ──► OPEN ──net_close()──► FLUSHING ──► LINGERING ──► OWED ──► gone
 *       (outbound)       ▲           │
 *     accepted ──────────┘           └──closed or failed──► TOLD ──net_taken()──► gone
 *
 * One thread owns everything here but the mailbox and the counters.
 */
#ifndef WEFT_IO_NET_INTERNAL_H
#define WEFT_IO_NET_INTERNAL_H

#include "io/net.h"

#include <event2/event.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/map.h"
#include "io/queue.h"

enum net_conn_state {
	NET_CONN_CONNECTING,
	NET_CONN_HANDSHAKE,
	NET_CONN_OPEN,
	NET_CONN_FLUSHING,  /* sends what is left */
	NET_CONN_LINGERING, /* has said that it is done; drops what still comes */
	NET_CONN_OWED,      /* closed; its place is kept until all its bytes are given back */
	NET_CONN_TOLD,      /* closed; its place is kept until CLOSED was taken */
	NET_CONN_DEAD,      /* freed at the end of the turn */
};

struct net_conn {
	struct net_conn *next, **link; /* in net->conns */
	struct net *net;
	uint64_t handle;
	enum net_conn_state state;
	int fd;
	SSL *ssl;
	struct event *read_event, *write_event;
	bool reads, writes;       /* which of them are added */
	bool is_held;             /* waits for net_taken(): to read on, or to be gone */
	bool is_outbound;
	uint64_t tag;
	uint8_t ip[16];
	uint64_t deadline_us;     /* UINT64_MAX: none */
	size_t unread_size, unread_count; /* handed out, not given back */
	struct buf out;           /* not yet taken by the socket, from out_start */
	size_t out_start;
	size_t unreported_size;   /* taken by the socket, not yet told */
	size_t dropped_size;      /* while LINGERING */
};

enum net_command_kind {
	NET_COMMAND_CONNECT,  /* text: the endpoint */
	NET_COMMAND_RESOLVED, /* address; none: not found */
	NET_COMMAND_WRITE,
	NET_COMMAND_CLOSE,
	NET_COMMAND_TAKEN,
};

struct net_command {
	struct net_command *next;
	enum net_command_kind kind;
	uint64_t handle, tag;
	struct sockaddr_storage address;
	socklen_t address_size;
	size_t size;
	uint8_t data[];           /* bytes to write; or the endpoint with its NUL */
};

struct net {
	struct net_options options;
	net_event_fn fn;
	void *ctx;
	SSL_CTX *tls;
	pthread_t thread;
	struct event_base *base;
	int listen_fd;            /* -1: does not listen */
	uint16_t port;
	struct event *listen_event, *wake_event, *sweep_event, *resume_event;
	int wake_fd;
	_Atomic(struct net_command *) commands; /* a stack */
	atomic_bool is_called;    /* has been woken and not looked yet */
	atomic_size_t held_count; /* connections that can't go on before net_taken() */
	atomic_bool stop, is_over; /* is_over: the thread has ended */
	atomic_uint grace_ms;
	bool is_stopping;
	uint64_t stop_us;
	struct io_queue *names;   /* commands to be resolved */
	struct io_workers *resolver;
	uint64_t resolved_count;  /* resolver's thread only */

	struct net_conn *conns, *dead;
	struct map by_handle;     /* handle → struct net_conn * */
	uint64_t last_handle;
	uint8_t scratch[LIMIT_P2P_READ_SIZE];

	_Atomic uint64_t accepted_count, connected_count, refused_count;
	_Atomic uint64_t handshake_failed_count, handshake_late_count;
	_Atomic uint64_t in_size, out_size;
	atomic_size_t connection_count;
};

/* --- net_tls.c --- */

SSL_CTX *net_tls_new(void);

/* Why the last call of this thread failed: a static string of OpenSSL, or "". */
const char *net_tls_error(void);

/* --- net_conn.c --- */

void net_ip_of(uint8_t out[16], const struct sockaddr_storage *address);

/* Takes `fd`, which is connected, or connecting. */
struct net_conn *net_conn_new(struct net *n, int fd, bool is_outbound, uint64_t tag,
			      const struct sockaddr_storage *address);
void net_conn_write(struct net_conn *c, struct bytes bytes);
void net_conn_close(struct net_conn *c);
void net_conn_taken(struct net_conn *c, size_t size);
/* Its deadline has passed. */
void net_conn_expire(struct net_conn *c);
/* Closes now, telling nobody. */
void net_conn_drop(struct net_conn *c);

#endif
