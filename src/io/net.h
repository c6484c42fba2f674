/*
 * net - encrypted connections between nodes, on one thread of its own, with
 * libevent's loop and OpenSSL behind it.
 *
 *     any thread                 net's thread                       socket
 *     net_connect() ┐                          ┌ connect, accept ◄─► TCP
 *     net_write()   ├─► mailbox (lock-free, ─► ┤ handshake       ◄─► TLS 1.3
 *     net_close()   │   one wake-up for many)  │ write what is there, at once
 *     net_taken()   ┘ (wakes nobody unless     └ read while somebody takes it
 *                      reading waits for it)
 *          fn(ctx, event) ◄──────────────────── connected, bytes, sent, closed
 *
 * TLS 1.3 only, both sides with a certificate: self-signed, made in memory at the
 * start, and any is accepted. Who the other side is follows from what it signs
 * over the exporter (RFC 8446 §7.5), which is the same on both sides of one
 * connection, and of no other; that is the caller's business.
 *
 * Back-pressure, both ways. Reading: a connection's bytes that were handed out and
 * not given back by net_taken() are bounded, and so is the number of their events;
 * beyond, the socket is left alone until some are given back. Writing: NET_SENT
 * says how much has gone, NET_REPORT_SIZE at a time; the caller keeps what it
 * writes ahead within LIMIT_P2P_WINDOW_SIZE and one frame, and orders the rest.
 *
 * Small messages leave at once: no Nagle, no timer; what was written by the time
 * the thread comes round shares a record.
 */
#ifndef WEFT_IO_NET_H
#define WEFT_IO_NET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "io/http.h" /* enum io_error */

#define NET_EXPORTER_LABEL "EXPORTER-weft-hello"
#define NET_EXPORTER_SIZE 32
#define NET_REPORT_SIZE (LIMIT_P2P_WINDOW_SIZE / 2)
#define NET_UNREAD_SIZE_MAX (1 * MIB)  /* handed out and not given back, a connection */
#define NET_UNREAD_COUNT_MAX 16        /* events of them */
#define NET_UNSENT_SIZE_MAX (64 * MIB) /* a connection that is written more than this is closed */

static_assert(NET_UNREAD_SIZE_MAX >= 2 * LIMIT_P2P_READ_SIZE,
	      "reading goes on while bytes are taken");

struct net;

struct net_options {
	const char *address;           /* to listen on, an IP address; NULL: does not listen */
	uint16_t port;                 /* 0: any free one, see net_port() */
	size_t connection_max;         /* inbound and outbound */
	size_t handshake_max;          /* inbound ones that are not through TLS's handshake */
	size_t handshake_ip_max;       /* of those, from one address */
	uint32_t handshake_timeout_ms; /* TCP's and TLS's together */
	const struct log *log;
};

enum net_event_kind {
	NET_CONNECTED,      /* TLS stands */
	NET_CONNECT_FAILED, /* the answer to net_connect(), instead */
	NET_BYTES,
	NET_SENT,
	NET_CLOSED,         /* by the other side or by a failure; nothing more comes */
};

struct net_event {
	enum net_event_kind kind;
	uint64_t handle;    /* of a connection; never used twice; 0 of CONNECT_FAILED */
	uint64_t tag;       /* net_connect()'s, for CONNECTED and CONNECT_FAILED */
	bool is_outbound;   /* CONNECTED */
	uint8_t ip[16];     /* CONNECTED: the other side's; IPv4 as ::ffff:a.b.c.d */
	uint8_t exporter[NET_EXPORTER_SIZE]; /* CONNECTED */
	struct buf bytes;   /* BYTES: 1 to LIMIT_P2P_READ_SIZE; the callee's to clear */
	size_t sent_size;   /* SENT: more bytes that the socket has taken */
	const char *why;    /* CONNECT_FAILED, CLOSED: a static string */
};

/* Called on net's thread; must not block. */
typedef void (*net_event_fn)(void *ctx, struct net_event *event);

/* At most so many events wait at any time if whoever takes them calls net_taken()
 * for each BYTES and CLOSED: room for a queue that never fills. A connection's
 * place is free only when its events are back. `connect_max`: net_connect() calls
 * not yet answered. */
static inline size_t net_event_max(const struct net_options *o, size_t connect_max)
{
	/* Of each BYTES; CONNECTED, up to 3 SENT and CLOSED, and as many of one before it. */
	return o->connection_max * (NET_UNREAD_COUNT_MAX + 10) + connect_max;
}

/* Makes key and certificate, listens, starts the thread. IO_E_LISTEN and
 * IO_E_ADDRESS name the address and the remedy. */
int net_start(struct net **out, const struct net_options *options, net_event_fn fn, void *ctx,
	      struct err *err);
uint16_t net_port(const struct net *n); /* 0 if it does not listen */

/* Closes everything after what was written has left, or after `grace_ms`; ends the
 * thread. No event comes after it has returned, and further calls do nothing. */
void net_stop(struct net *n, uint32_t grace_ms);
/* Once nobody calls any more; stops first if need be. NULL is allowed. */
void net_free(struct net *n);

/* From any thread; one thread's calls are carried out in their order. A handle that
 * is closed is ignored. */

/* To "host:port", "1.2.3.4:port" or "[v6]:port". Names are looked up on another
 * thread; of several addresses each call takes another. Answered by CONNECTED or
 * CONNECT_FAILED with `tag`. */
void net_connect(struct net *n, const char *endpoint, uint64_t tag);

/* Copies. */
void net_write(struct net *n, uint64_t handle, struct bytes bytes);

/* Nothing more is read or handed out; what was written still leaves (within two
 * seconds). No CLOSED follows. */
void net_close(struct net *n, uint64_t handle);

/* Gives back one event: of BYTES its size; of CLOSED 0, which frees the
 * connection's place among connection_max. After net_close() the place is free
 * once everything has left and all bytes are back. */
void net_taken(struct net *n, uint64_t handle, size_t size);

struct net_stats {
	uint64_t accepted_count, connected_count; /* TLS stood; in, out */
	uint64_t refused_count;                   /* no place */
	uint64_t handshake_failed_count;          /* no TLS 1.3, garbage, closed */
	uint64_t handshake_late_count;
	uint64_t in_size, out_size;               /* bytes inside TLS */
	size_t connection_count;                  /* now */
};
void net_get_stats(const struct net *n, struct net_stats *out);

/* "host:port" apart. */
struct net_endpoint {
	char host[256];
	char port[6];
	bool is_numeric; /* an IP address */
};

/* IO_E_ADDRESS says what is wrong. An IPv6 address stands in brackets. */
int net_endpoint_parse(struct net_endpoint *out, const char *text, struct err *err);

#endif
