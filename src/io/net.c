#include "io/net_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "io/clock.h"
#include "io/listen.h"

#define ACCEPT_COUNT_MAX 64  /* connections taken in one turn of the loop */
#define ACCEPT_PAUSE_MS 100  /* when the process has no file descriptor left */
#define NAME_COUNT_MAX 256   /* endpoints that wait for their name to be looked up */
#define SWEEP_MS 50
#define BAD_BRACKETS "%s: an IPv6 address looks like [::1]:30303"
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:"

/* --- endpoints --- */

static bool is_ip(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	return inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1;
}

static bool is_port(const char *text)
{
	size_t size = strlen(text);

	return size >= 1 && size <= 5 && strspn(text, "0123456789") == size && text[0] != '0' &&
	       strtoul(text, NULL, 10) <= UINT16_MAX;
}

int net_endpoint_parse(struct net_endpoint *out, const char *text, struct err *err)
{
	const char *host = text, *end = strrchr(text, ':'), *port = end ? end + 1 : "";
	struct net_endpoint e = { 0 };
	bool is_bracketed = text[0] == '[';

	if (is_bracketed) {
		host++;
		if (!end || end == text || *--end != ']')
			return ERR_SET(err, IO_E_ADDRESS, BAD_BRACKETS, text);
	}
	if (!end || !is_port(port))
		return ERR_SET(err, IO_E_ADDRESS, "%s: give host:port, the port from 1 to 65535",
			       text);
	if (end == host || (size_t)(end - host) >= sizeof(e.host))
		return ERR_SET(err, IO_E_ADDRESS, "%s: no host", text);
	memcpy(e.host, host, (size_t)(end - host));
	memcpy(e.port, port, strlen(port) + 1);
	e.is_numeric = is_ip(e.host);
	if (strspn(e.host, NAME_CHARACTERS) != strlen(e.host))
		return ERR_SET(err, IO_E_ADDRESS, "%s: no name of a host", text);
	if (is_bracketed != (strchr(e.host, ':') != NULL) || (is_bracketed && !e.is_numeric))
		return ERR_SET(err, IO_E_ADDRESS, BAD_BRACKETS, text);
	*out = e;
	return OK;
}

/* Looks up what may be a name and takes one of its addresses, another with each
 * `turn`; false if there is none. */
static bool find_address(const struct net_endpoint *e, uint64_t turn, struct sockaddr_storage *out,
			 socklen_t *size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found, *chosen;
	uint64_t count = 0;

	if (e->is_numeric)
		hints.ai_flags = AI_NUMERICHOST;
	if (getaddrinfo(e->host, e->port, &hints, &found) != 0)
		return false;
	for (chosen = found; chosen; chosen = chosen->ai_next)
		count++;
	chosen = found;
	for (turn %= count; turn > 0; turn--)
		chosen = chosen->ai_next;
	CHECK(chosen->ai_addrlen <= sizeof(*out));
	memcpy(out, chosen->ai_addr, chosen->ai_addrlen);
	*size = chosen->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

/* --- mailbox --- */

static void wake(struct net *n)
{
	uint64_t one = 1;

	while (write(n->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* False if the thread has ended. */
static bool push_command(struct net *n, struct net_command *command)
{
	struct net_command *head = atomic_load(&n->commands);

	if (atomic_load(&n->is_over)) {
		free(command);
		return false;
	}
	do
		command->next = head;
	while (!atomic_compare_exchange_weak(&n->commands, &head, command));
	return true;
}

/* Only the first of several wakes the thread. */
static void call(struct net *n)
{
	if (!atomic_exchange(&n->is_called, true))
		wake(n);
}

static void put_command(struct net *n, struct net_command *command)
{
	if (push_command(n, command))
		call(n);
}

static struct net_command *command_new(enum net_command_kind kind, uint64_t handle,
				       struct bytes data)
{
	struct net_command *command = xmalloc(sizeof(*command) + data.size);

	*command = (struct net_command){ .kind = kind, .handle = handle, .size = data.size };
	if (data.size)
		memcpy(command->data, data.data, data.size);
	return command;
}

void net_connect(struct net *n, const char *endpoint, uint64_t tag)
{
	struct net_command *command = command_new(NET_COMMAND_CONNECT, 0,
						  bytes_of(endpoint, strlen(endpoint) + 1));

	command->tag = tag;
	put_command(n, command);
}

void net_write(struct net *n, uint64_t handle, struct bytes bytes)
{
	if (bytes.size > 0)
		put_command(n, command_new(NET_COMMAND_WRITE, handle, bytes));
}

void net_close(struct net *n, uint64_t handle)
{
	put_command(n, command_new(NET_COMMAND_CLOSE, handle, bytes_of(NULL, 0)));
}

void net_taken(struct net *n, uint64_t handle, size_t size)
{
	struct net_command *command = command_new(NET_COMMAND_TAKEN, handle, bytes_of(NULL, 0));

	command->size = size;
	/* Nobody waits for most of these; whoever is held looks after having said so. */
	if (size == 0 || atomic_load(&n->held_count) > 0)
		put_command(n, command);
	else if (push_command(n, command) && atomic_load(&n->held_count) > 0)
		call(n);
}

/* In the order of the calls. */
static struct net_command *take_commands(struct net *n)
{
	struct net_command *newest = atomic_exchange(&n->commands, NULL), *next, *list = NULL;

	for (; newest; newest = next) {
		next = newest->next;
		newest->next = list;
		list = newest;
	}
	return list;
}

/* --- dialling --- */

static void connect_failed(struct net *n, uint64_t tag, const char *why)
{
	struct net_event event = { .kind = NET_CONNECT_FAILED, .tag = tag, .why = why };

	n->fn(n->ctx, &event);
}

static void set_no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void dial(struct net *n, const struct net_command *command)
{
	const struct sockaddr *address = (const struct sockaddr *)&command->address;
	int fd;

	if (n->is_stopping || command->address_size == 0) {
		connect_failed(n, command->tag, n->is_stopping ? "stopping" : "no such host");
		return;
	}
	if (atomic_load(&n->connection_count) >= n->options.connection_max) {
		atomic_fetch_add(&n->refused_count, 1);
		connect_failed(n, command->tag, "too many connections");
		return;
	}
	fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		connect_failed(n, command->tag, "no socket");
		return;
	}
	set_no_delay(fd);
	if (connect(fd, address, command->address_size) != 0 && errno != EINPROGRESS) {
		close(fd);
		connect_failed(n, command->tag, "not reachable");
		return;
	}
	net_conn_new(n, fd, true, command->tag, &command->address);
}

/* Resolver's thread. */
static void resolve(void *ctx, void *item)
{
	struct net_command *command = item;
	struct net_endpoint endpoint;
	struct net *n = ctx;

	command->address_size = 0;
	if (net_endpoint_parse(&endpoint, (const char *)command->data, NULL) == OK &&
	    !find_address(&endpoint, n->resolved_count++, &command->address,
			  &command->address_size))
		command->address_size = 0;
	command->kind = NET_COMMAND_RESOLVED;
	put_command(n, command);
}

/* True if the command was handed on. */
static bool start_connect(struct net *n, struct net_command *command)
{
	struct net_endpoint endpoint;

	if (net_endpoint_parse(&endpoint, (const char *)command->data, NULL) != OK) {
		connect_failed(n, command->tag, "not host:port");
		return false;
	}
	if (!endpoint.is_numeric) {
		if (io_queue_try_push(n->names, command))
			return true;
		connect_failed(n, command->tag, "too many names to look up");
		return false;
	}
	CHECK(find_address(&endpoint, 0, &command->address, &command->address_size));
	dial(n, command);
	return false;
}

/* --- the loop --- */

/* Frees what was closed; ends every turn. */
static void reap(struct net *n)
{
	struct net_conn *c;

	while ((c = n->dead)) {
		n->dead = c->next;
		free(c);
	}
	if (n->is_stopping && !n->conns)
		event_base_loopbreak(n->base);
}

static void begin_stop(struct net *n)
{
	struct net_conn *c, *next;

	n->is_stopping = true;
	n->stop_us = io_monotonic_us() + (uint64_t)atomic_load(&n->grace_ms) * 1000;
	if (n->listen_event)
		event_del(n->listen_event);
	for (c = n->conns; c; c = next) {
		next = c->next;
		if (c->state == NET_CONN_OWED)
			net_conn_drop(c);
		else
			net_conn_close(c);
	}
}

/* True if the command was handed on. */
static bool carry_out(struct net *n, struct net_command *command)
{
	struct net_conn **found = map_get(&n->by_handle, &command->handle);

	if (command->kind == NET_COMMAND_CONNECT)
		return start_connect(n, command);
	if (command->kind == NET_COMMAND_RESOLVED)
		dial(n, command);
	else if (!found)
		return false;
	else if (command->kind == NET_COMMAND_WRITE)
		net_conn_write(*found, bytes_of(command->data, command->size));
	else if (command->kind == NET_COMMAND_CLOSE)
		net_conn_close(*found);
	else
		net_conn_taken(*found, command->size);
	return false;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct net_command *command, *next;
	struct net *n = arg;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		fatal("net: eventfd: %s", strerror(errno));
	/* In this order: a call that was taken back here must not look as if it still stood. */
	atomic_store(&n->is_called, false);
	for (command = take_commands(n); command; command = next) {
		next = command->next;
		if (!carry_out(n, command))
			free(command);
	}
	if (atomic_load(&n->stop) && !n->is_stopping)
		begin_stop(n);
	reap(n);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now_us = io_monotonic_us();
	struct net_conn *c, *next;
	struct net *n = arg;

	for (c = n->conns; c; c = next) {
		next = c->next;
		if (n->is_stopping && (now_us >= n->stop_us || c->state == NET_CONN_OWED))
			net_conn_drop(c);
		else if (now_us >= c->deadline_us)
			net_conn_expire(c);
	}
	reap(n);
}

/* --- listening --- */

static bool has_place(struct net *n, const struct sockaddr_storage *address)
{
	size_t handshake_count = 0, ip_count = 0;
	uint8_t ip[16];

	if (atomic_load(&n->connection_count) >= n->options.connection_max)
		return false;
	net_ip_of(ip, address);
	for (const struct net_conn *c = n->conns; c; c = c->next) {
		if (c->is_outbound || c->state != NET_CONN_HANDSHAKE)
			continue;
		handshake_count++;
		ip_count += memcmp(c->ip, ip, sizeof(ip)) == 0;
	}
	return handshake_count < n->options.handshake_max && ip_count < n->options.handshake_ip_max;
}

static void on_connection(evutil_socket_t listen_fd, short what, void *arg)
{
	struct timeval pause = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };
	struct sockaddr_storage address;
	struct net *n = arg;

	for (int i = 0; i < ACCEPT_COUNT_MAX; i++) {
		socklen_t size = sizeof(address);
		int fd = accept4(listen_fd, (struct sockaddr *)&address, &size,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM) {
				event_del(n->listen_event);
				event_add(n->resume_event, &pause);
			}
			break;
		}
		if (!has_place(n, &address)) {
			atomic_fetch_add(&n->refused_count, 1);
			close(fd);
			continue;
		}
		set_no_delay(fd);
		net_conn_new(n, fd, false, 0, &address);
	}
	reap(n);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct net *n = arg;

	if (!n->is_stopping)
		event_add(n->listen_event, NULL);
}

static void *run(void *arg)
{
	struct net *n = arg;
	sigset_t pipe;

	/* OpenSSL writes without MSG_NOSIGNAL. */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	CHECK(pthread_sigmask(SIG_BLOCK, &pipe, NULL) == 0);
	pthread_setname_np(pthread_self(), "net");
	io_thread_hurry();
	event_base_loop(n->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

/* --- start and stop --- */

static void make_events(struct net *n)
{
	struct timeval sweep = { .tv_usec = SWEEP_MS * 1000 };

	n->wake_event = event_new(n->base, n->wake_fd, EV_READ | EV_PERSIST, on_wake, n);
	n->sweep_event = event_new(n->base, -1, EV_PERSIST, on_sweep, n);
	n->resume_event = event_new(n->base, -1, 0, on_resume, n);
	CHECK(n->wake_event && n->sweep_event && n->resume_event);
	CHECK(event_add(n->wake_event, NULL) == 0 && event_add(n->sweep_event, &sweep) == 0);
	if (n->listen_fd < 0)
		return;
	n->listen_event = event_new(n->base, n->listen_fd, EV_READ | EV_PERSIST, on_connection, n);
	CHECK(n->listen_event && event_add(n->listen_event, NULL) == 0);
}

int net_start(struct net **out, const struct net_options *options, net_event_fn fn, void *ctx,
	      struct err *err)
{
	int fd = -1, code, error;
	uint64_t seed;
	struct net *n;

	CHECK(options->connection_max > 0 && options->handshake_timeout_ms > 0);
	if (options->address) {
		code = listen_on(&fd, options->address, options->port, " for peers", err);
		if (code != OK)
			return code;
	}
	n = xcalloc(1, sizeof(*n));
	n->options = *options;
	n->options.address = NULL;
	n->fn = fn;
	n->ctx = ctx;
	n->listen_fd = fd;
	n->port = fd >= 0 ? listen_port(fd) : 0;
	n->tls = net_tls_new();
	n->base = listen_base_new();
	n->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (n->wake_fd < 0)
		fatal("no eventfd: %s (see ulimit -n)", strerror(errno));
	io_entropy(&seed, sizeof(seed));
	map_init(&n->by_handle, sizeof(uint64_t), sizeof(struct net_conn *), seed);
	n->names = io_queue_new(NAME_COUNT_MAX);
	n->resolver = io_workers_start(n->names, 1, "resolver", resolve, n);
	make_events(n);
	error = pthread_create(&n->thread, NULL, run, n);
	if (error != 0)
		fatal("can't start the net thread: %s (see ulimit -u)", strerror(error));
	*out = n;
	return OK;
}

uint16_t net_port(const struct net *n)
{
	return n->port;
}

void net_stop(struct net *n, uint32_t grace_ms)
{
	if (atomic_load(&n->is_over))
		return;
	atomic_store(&n->grace_ms, grace_ms);
	atomic_store(&n->stop, true);
	wake(n);
	CHECK(pthread_join(n->thread, NULL) == 0);
	atomic_store(&n->is_over, true);
	io_workers_stop(n->resolver);
	while (n->conns)
		net_conn_drop(n->conns);
	reap(n);
}

void net_free(struct net *n)
{
	struct net_command *command, *next;

	if (!n)
		return;
	net_stop(n, 0);
	/* What came between the thread's last look and its end. */
	for (command = take_commands(n); command; command = next) {
		next = command->next;
		free(command);
	}
	io_queue_free(n->names);
	if (n->listen_event)
		event_free(n->listen_event);
	event_free(n->wake_event);
	event_free(n->sweep_event);
	event_free(n->resume_event);
	event_base_free(n->base);
	if (n->listen_fd >= 0)
		close(n->listen_fd);
	close(n->wake_fd);
	map_clear(&n->by_handle);
	SSL_CTX_free(n->tls);
	free(n);
}

void net_get_stats(const struct net *n, struct net_stats *out)
{
	*out = (struct net_stats){
		.accepted_count = atomic_load(&n->accepted_count),
		.connected_count = atomic_load(&n->connected_count),
		.refused_count = atomic_load(&n->refused_count),
		.handshake_failed_count = atomic_load(&n->handshake_failed_count),
		.handshake_late_count = atomic_load(&n->handshake_late_count),
		.in_size = atomic_load(&n->in_size),
		.out_size = atomic_load(&n->out_size),
		.connection_count = atomic_load(&n->connection_count),
	};
}
