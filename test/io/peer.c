#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/check.h"

struct net_options peer_options(void)
{
	return (struct net_options){
		.address = "127.0.0.1",
		.connection_max = 16,
		.handshake_max = 8,
		.handshake_ip_max = 8,
		.handshake_timeout_ms = 10000,
	};
}

static void on_event(void *ctx, struct net_event *event)
{
	struct net_event *copy = xmalloc(sizeof(*copy));
	struct peer *p = ctx;

	*copy = *event;
	CHECK(io_queue_try_push(p->events, copy));
}

void peer_start(struct peer *p, const struct net_options *options)
{
	struct err err = { 0 };

	p->events = io_queue_new(net_event_max(options, 64));
	if (net_start(&p->net, options, on_event, p, &err) != OK)
		fatal("%s", err.message);
	snprintf(p->endpoint, sizeof(p->endpoint), "127.0.0.1:%u", net_port(p->net));
}

void peer_stop(struct peer *p)
{
	void *item;

	net_stop(p->net, 1000);
	io_queue_close(p->events);
	while (io_queue_pop(p->events, &item, 1, 0) == 1) {
		struct net_event *event = item;

		buf_clear(&event->bytes);
		free(event);
	}
	io_queue_free(p->events);
	net_free(p->net);
}

bool peer_next(struct peer *p, struct net_event *out)
{
	void *item;

	if (io_queue_pop(p->events, &item, 1, 10000000) == 0)
		return false;
	*out = *(struct net_event *)item;
	free(item);
	return true;
}

bool peer_expect(struct peer *p, enum net_event_kind kind, struct net_event *out)
{
	if (!peer_next(p, out))
		return false;
	if (out->kind == NET_BYTES)
		net_taken(p->net, out->handle, out->bytes.size);
	if (out->kind == NET_CLOSED)
		net_taken(p->net, out->handle, 0);
	return out->kind == kind;
}

bool peer_read(struct peer *p, struct buf *out, size_t size)
{
	struct net_event event;

	while (out->size < size) {
		if (!peer_next(p, &event))
			return false;
		if (event.kind == NET_SENT)
			continue;
		if (event.kind != NET_BYTES)
			return false;
		buf_append_bytes(out, buf_bytes(&event.bytes));
		net_taken(p->net, event.handle, event.bytes.size);
		buf_clear(&event.bytes);
	}
	return out->size == size;
}

bool peer_join(struct peer *a, struct peer *b, struct net_event *at_a, struct net_event *at_b)
{
	net_connect(b->net, a->endpoint, 7);
	return peer_expect(b, NET_CONNECTED, at_b) && peer_expect(a, NET_CONNECTED, at_a);
}

int peer_socket(const struct peer *p)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(net_port(p->net)) };
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

bool peer_socket_ends(int fd)
{
	char drop[256];
	ssize_t got;

	do
		got = recv(fd, drop, sizeof(drop), 0);
	while (got > 0);
	close(fd);
	return got == 0 || errno == ECONNRESET;
}
