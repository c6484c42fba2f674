#include "io/net_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "io/clock.h"

#define READ_TURN_COUNT 8      /* events read from one connection before others have their turn */
#define FLUSH_MS 2000
#define LINGER_MS 1000
#define LINGER_SIZE (16u << 20)
#define OUT_KEEP_SIZE 65536    /* a buffer that grew beyond is freed when empty */

static void set_reading(struct net_conn *c, bool on)
{
	if (c->reads == on)
		return;
	c->reads = on;
	CHECK((on ? event_add(c->read_event, NULL) : event_del(c->read_event)) == 0);
}

static void set_writing(struct net_conn *c, bool on)
{
	if (c->writes == on)
		return;
	c->writes = on;
	CHECK((on ? event_add(c->write_event, NULL) : event_del(c->write_event)) == 0);
}

/* True: net_taken() must wake us for it; one may have come just before. */
static void set_held(struct net_conn *c, bool on)
{
	struct net *n = c->net;

	if (c->is_held == on)
		return;
	c->is_held = on;
	if (!on) {
		atomic_fetch_sub(&n->held_count, 1);
		return;
	}
	atomic_fetch_add(&n->held_count, 1);
	if (atomic_load(&n->commands))
		event_active(n->wake_event, EV_READ, 0);
}

static void set_deadline(struct net_conn *c, uint64_t ms)
{
	c->deadline_us = io_monotonic_us() + ms * 1000;
}

static size_t unsent_size(const struct net_conn *c)
{
	return c->out.size - c->out_start;
}

/* --- the end --- */

/* Gives up the socket; the struct stays. */
static void release(struct net_conn *c)
{
	if (c->fd < 0)
		return;
	event_free(c->read_event);
	event_free(c->write_event);
	c->read_event = c->write_event = NULL;
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
	c->fd = -1;
	buf_clear(&c->out);
	c->out_start = 0;
	c->deadline_us = UINT64_MAX;
}

void net_conn_drop(struct net_conn *c)
{
	struct net *n = c->net;

	if (c->state == NET_CONN_DEAD)
		return;
	release(c);
	set_held(c, false);
	map_delete(&n->by_handle, &c->handle);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->state = NET_CONN_DEAD;
	c->next = n->dead;
	n->dead = c;
	atomic_fetch_sub(&n->connection_count, 1);
}

/* The caller has closed it, and all is sent. While events of it are on their way
 * its place is not free, so that their number stays bounded. */
static void finish(struct net_conn *c)
{
	if (c->unread_count == 0) {
		net_conn_drop(c);
		return;
	}
	release(c);
	c->state = NET_CONN_OWED;
	set_held(c, true);
}

/* The other side or the network has ended it. */
static void fail(struct net_conn *c, const char *why)
{
	struct net_event event = { .handle = c->handle, .tag = c->tag, .why = why };
	struct net *n = c->net;

	switch (c->state) {
	case NET_CONN_CONNECTING:
	case NET_CONN_HANDSHAKE:
		if (c->state == NET_CONN_HANDSHAKE)
			atomic_fetch_add(&n->handshake_failed_count, 1);
		LOG_DEBUG(n->options.log, "net", "no-connection", "outbound=%d why=\"%s\"",
			  c->is_outbound, why);
		event.kind = NET_CONNECT_FAILED;
		event.handle = 0;
		net_conn_drop(c);
		if (c->is_outbound)
			n->fn(n->ctx, &event);
		return;
	case NET_CONN_OPEN:
		event.kind = NET_CLOSED;
		release(c);
		c->state = NET_CONN_TOLD;
		n->fn(n->ctx, &event);
		return;
	case NET_CONN_FLUSHING:
	case NET_CONN_LINGERING:
		finish(c);
		return;
	case NET_CONN_OWED:
	case NET_CONN_TOLD:
	case NET_CONN_DEAD:
		return;
	}
	UNREACHABLE();
}

void net_conn_expire(struct net_conn *c)
{
	if (c->state == NET_CONN_HANDSHAKE)
		atomic_fetch_add(&c->net->handshake_late_count, 1);
	fail(c, "not in time");
}

/* After an SSL call that gave `result`: true if it only waits for the socket. */
static bool waits(struct net_conn *c, int result, const char **why)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return true;
	case SSL_ERROR_WANT_WRITE:
		set_writing(c, true);
		return true;
	case SSL_ERROR_ZERO_RETURN:
		*why = "closed by the other side";
		return false;
	case SSL_ERROR_SYSCALL:
		*why = "broken";
		return false;
	default:
		*why = net_tls_error();
		if (**why == '\0')
			*why = "TLS failed";
		return false;
	}
}

/* --- closing --- */

static void linger(struct net_conn *c)
{
	ERR_clear_error();
	SSL_shutdown(c->ssl);
	shutdown(c->fd, SHUT_WR);
	set_writing(c, false);
	c->state = NET_CONN_LINGERING;
	set_deadline(c, LINGER_MS);
	set_reading(c, true);
}

/* A socket that is closed with bytes unread resets the connection, and the other
 * side loses what it has not read yet: the reason for closing. */
static void drop_input(struct net_conn *c)
{
	struct net *n = c->net;
	ssize_t got;

	for (;;) {
		got = recv(c->fd, n->scratch, sizeof(n->scratch), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (got > 0)
			c->dropped_size += (size_t)got;
		if (got <= 0 || c->dropped_size > LINGER_SIZE) {
			finish(c);
			return;
		}
	}
}

/* --- writing --- */

/* Told in large steps, and not before the socket has taken most: at most three of
 * these are ever on their way. */
static void report_sent(struct net_conn *c)
{
	struct net_event event = { .kind = NET_SENT, .handle = c->handle };

	if (c->state != NET_CONN_OPEN || c->unreported_size < NET_REPORT_SIZE ||
	    unsent_size(c) >= NET_REPORT_SIZE)
		return;
	event.sent_size = c->unreported_size;
	c->unreported_size = 0;
	c->net->fn(c->net->ctx, &event);
}

static void out_sent(struct net_conn *c, size_t size)
{
	c->out_start += size;
	c->unreported_size += size;
	atomic_fetch_add_explicit(&c->net->out_size, size, memory_order_relaxed);
	if (c->out_start < c->out.size)
		return;
	c->out_start = 0;
	if (c->out.capacity > OUT_KEEP_SIZE)
		buf_clear(&c->out);
	else
		buf_reset(&c->out);
}

/* Sends what the socket takes. */
static void flush(struct net_conn *c)
{
	const char *why = "";
	size_t sent;

	while (unsent_size(c) > 0) {
		int result;

		ERR_clear_error();
		result = SSL_write_ex(c->ssl, c->out.data + c->out_start, unsent_size(c), &sent);
		if (result == 1) {
			out_sent(c, sent);
			continue;
		}
		if (!waits(c, result, &why))
			fail(c, why);
		else
			report_sent(c);
		return;
	}
	set_writing(c, false);
	report_sent(c);
	if (c->state == NET_CONN_FLUSHING)
		linger(c);
}

void net_conn_write(struct net_conn *c, struct bytes bytes)
{
	if (c->state != NET_CONN_OPEN)
		return;
	if (unsent_size(c) + bytes.size > NET_UNSENT_SIZE_MAX) {
		fail(c, "too much waits to be sent");
		return;
	}
	/* Now and then what has gone makes room. */
	if (c->out_start > unsent_size(c)) {
		memmove(c->out.data, c->out.data + c->out_start, unsent_size(c));
		c->out.size -= c->out_start;
		c->out_start = 0;
	}
	buf_append_bytes(&c->out, bytes);
	/* All commands that wait are taken first, so that they share a record. */
	if (!c->writes)
		event_active(c->write_event, EV_WRITE, 0);
}

void net_conn_close(struct net_conn *c)
{
	switch (c->state) {
	case NET_CONN_CONNECTING:
	case NET_CONN_HANDSHAKE:
	case NET_CONN_TOLD:
		net_conn_drop(c);
		return;
	case NET_CONN_OPEN:
		c->state = NET_CONN_FLUSHING;
		set_reading(c, false);
		set_deadline(c, FLUSH_MS);
		flush(c);
		return;
	case NET_CONN_FLUSHING:
	case NET_CONN_LINGERING:
	case NET_CONN_OWED:
	case NET_CONN_DEAD:
		return;
	}
	UNREACHABLE();
}

/* --- reading --- */

static bool may_read(const struct net_conn *c)
{
	return c->unread_size + LIMIT_P2P_READ_SIZE <= NET_UNREAD_SIZE_MAX &&
	       c->unread_count < NET_UNREAD_COUNT_MAX;
}

/* Fills the scratch with what OpenSSL has taken from the socket. Only if that holds no whole
 * record more is the socket asked again: a message alone needs one system call, and the loop
 * calls for what is left there. False: the connection has ended, `why`. */
static bool read_some(struct net_conn *c, size_t *size, const char **why)
{
	struct net *n = c->net;
	size_t got;

	*size = 0;
	do {
		int result;

		ERR_clear_error();
		result = SSL_read_ex(c->ssl, n->scratch + *size, sizeof(n->scratch) - *size, &got);
		if (result != 1)
			return waits(c, result, why);
		*size += got;
	} while (*size < sizeof(n->scratch) && SSL_has_pending(c->ssl));
	return true;
}

static void hand_out(struct net_conn *c, size_t size)
{
	struct net_event event = { .kind = NET_BYTES, .handle = c->handle };

	buf_append(&event.bytes, c->net->scratch, size);
	c->unread_size += size;
	c->unread_count++;
	atomic_fetch_add_explicit(&c->net->in_size, size, memory_order_relaxed);
	c->net->fn(c->net->ctx, &event);
}

static void read_open(struct net_conn *c)
{
	const char *why = "";
	bool is_alive = true;
	size_t size;

	for (int turn = 0; turn < READ_TURN_COUNT && is_alive; turn++) {
		if (!may_read(c)) {
			set_reading(c, false);
			set_held(c, true);
			return;
		}
		is_alive = read_some(c, &size, &why);
		if (size > 0)
			hand_out(c, size);
		if (is_alive && size < LIMIT_P2P_READ_SIZE) {
			set_reading(c, true);
			return;
		}
	}
	if (!is_alive)
		fail(c, why);
	else /* OpenSSL may hold more, for which the socket does not call */
		event_active(c->read_event, EV_READ, 0);
}

void net_conn_taken(struct net_conn *c, size_t size)
{
	if (c->state == NET_CONN_TOLD && size == 0) {
		net_conn_drop(c);
		return;
	}
	if (size == 0)
		return;
	CHECK(size <= c->unread_size && c->unread_count > 0);
	c->unread_size -= size;
	c->unread_count--;
	if (c->state == NET_CONN_OWED && c->unread_count == 0)
		net_conn_drop(c);
	else if (c->state == NET_CONN_OPEN && c->is_held && may_read(c)) {
		set_held(c, false);
		read_open(c);
	}
}

/* --- beginning --- */

static void open_up(struct net_conn *c)
{
	struct net_event event = { .kind = NET_CONNECTED, .handle = c->handle, .tag = c->tag };
	struct net *n = c->net;

	if (SSL_export_keying_material(c->ssl, event.exporter, sizeof(event.exporter),
				       NET_EXPORTER_LABEL, strlen(NET_EXPORTER_LABEL), NULL, 0,
				       0) != 1) {
		fail(c, "no exporter");
		return;
	}
	c->state = NET_CONN_OPEN;
	c->deadline_us = UINT64_MAX;
	set_writing(c, false);
	atomic_fetch_add(c->is_outbound ? &n->connected_count : &n->accepted_count, 1);
	event.is_outbound = c->is_outbound;
	memcpy(event.ip, c->ip, sizeof(event.ip));
	n->fn(n->ctx, &event);
	/* Something may have come with the handshake's last bytes. */
	read_open(c);
}

static void shake_hands(struct net_conn *c)
{
	const char *why = "";
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(c->ssl);
	if (result == 1)
		open_up(c);
	else if (!waits(c, result, &why))
		fail(c, why);
	else if (SSL_want_read(c->ssl))
		set_writing(c, false);
}

static void finish_connect(struct net_conn *c)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
		fail(c, error == ECONNREFUSED ? "nobody listens there" : "not reachable");
		return;
	}
	c->state = NET_CONN_HANDSHAKE;
	set_reading(c, true);
	shake_hands(c);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct net_conn *c = arg;

	if (c->state == NET_CONN_HANDSHAKE)
		shake_hands(c);
	else if (c->state == NET_CONN_OPEN)
		read_open(c);
	else if (c->state == NET_CONN_LINGERING)
		drop_input(c);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct net_conn *c = arg;

	if (c->state == NET_CONN_CONNECTING)
		finish_connect(c);
	else if (c->state == NET_CONN_HANDSHAKE)
		shake_hands(c);
	else if (c->state == NET_CONN_OPEN || c->state == NET_CONN_FLUSHING)
		flush(c);
}

void net_ip_of(uint8_t out[16], const struct sockaddr_storage *address)
{
	memset(out, 0, 16);
	if (address->ss_family == AF_INET6) {
		memcpy(out, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
	} else {
		out[10] = out[11] = 0xff;
		memcpy(out + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
	}
}

struct net_conn *net_conn_new(struct net *n, int fd, bool is_outbound, uint64_t tag,
			      const struct sockaddr_storage *address)
{
	struct net_conn *c = xcalloc(1, sizeof(*c));

	*c = (struct net_conn){
		.net = n,
		.handle = ++n->last_handle,
		.state = is_outbound ? NET_CONN_CONNECTING : NET_CONN_HANDSHAKE,
		.fd = fd,
		.is_outbound = is_outbound,
		.tag = tag,
	};
	net_ip_of(c->ip, address);
	c->ssl = SSL_new(n->tls);
	if (!c->ssl || SSL_set_fd(c->ssl, fd) != 1)
		fatal("OpenSSL gives no connection: %s", net_tls_error());
	if (is_outbound)
		SSL_set_connect_state(c->ssl);
	else
		SSL_set_accept_state(c->ssl);
	c->read_event = event_new(n->base, fd, EV_READ | EV_PERSIST, on_read, c);
	c->write_event = event_new(n->base, fd, EV_WRITE | EV_PERSIST, on_write, c);
	CHECK(c->read_event && c->write_event);
	set_deadline(c, n->options.handshake_timeout_ms);
	c->next = n->conns;
	if (c->next)
		c->next->link = &c->next;
	c->link = &n->conns;
	n->conns = c;
	*(struct net_conn **)map_put(&n->by_handle, &c->handle, NULL) = c;
	atomic_fetch_add(&n->connection_count, 1);
	if (is_outbound)
		set_writing(c, true);
	else
		set_reading(c, true);
	return c;
}
