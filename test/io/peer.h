/*
 * peer - a net under test with its events in a queue, and raw sockets to it.
 */
#ifndef WEFT_TEST_IO_PEER_H
#define WEFT_TEST_IO_PEER_H

#include "io/net.h"
#include "io/queue.h"

struct peer {
	struct net *net;
	struct io_queue *events; /* struct net_event *, each malloced */
	char endpoint[32];       /* where it listens */
};

struct net_options peer_options(void);
/* Listens on 127.0.0.1, any port. */
void peer_start(struct peer *p, const struct net_options *options);
void peer_stop(struct peer *p);

/* The next event; false after ten seconds without one. Its bytes are the caller's.
 * Nothing is given back. */
bool peer_next(struct peer *p, struct net_event *out);
/* The next event, which must be of that kind; gives BYTES and CLOSED back. */
bool peer_expect(struct peer *p, enum net_event_kind kind, struct net_event *out);
/* Reads `size` bytes of a connection into `out`, SENT events aside; gives all back. */
bool peer_read(struct peer *p, struct buf *out, size_t size);

/* Connects b to a: both CONNECTED events. */
bool peer_join(struct peer *a, struct peer *b, struct net_event *at_a, struct net_event *at_b);

int peer_socket(const struct peer *p); /* blocking, ten seconds at most */
/* Waits until the other side closes; false after ten seconds. */
bool peer_socket_ends(int fd);

#endif
