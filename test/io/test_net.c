#include <criterion/criterion.h>

#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "peer.h"

struct pair {
	struct peer a, b;
	struct net_event at_a, at_b; /* CONNECTED */
};

static void pair_start(struct pair *p)
{
	struct net_options options = peer_options();

	peer_start(&p->a, &options);
	peer_start(&p->b, &options);
	cr_assert(peer_join(&p->a, &p->b, &p->at_a, &p->at_b));
}

static void pair_stop(struct pair *p)
{
	peer_stop(&p->a);
	peer_stop(&p->b);
}

/* Counters change a moment after what they count. */
#define eventually(p, condition) ({                   \
	struct net_stats stats;                       \
	int tries = 0;                                \
	do {                                          \
		usleep(1000);                         \
		net_get_stats((p)->net, &stats);      \
	} while (!(condition) && ++tries < 10000);    \
	cr_assert(condition);                         \
})

Test(net, gives_both_sides_one_exporter)
{
	struct net_event at_a, at_b;
	struct pair p;

	pair_start(&p);
	cr_expect_arr_eq(p.at_a.exporter, p.at_b.exporter, NET_EXPORTER_SIZE);
	cr_expect(p.at_b.is_outbound);
	cr_expect(!p.at_a.is_outbound);
	cr_expect_eq(p.at_b.tag, 7);
	cr_expect_arr_eq(p.at_a.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
	cr_assert(peer_join(&p.a, &p.b, &at_a, &at_b));
	cr_expect_arr_eq(at_a.exporter, at_b.exporter, NET_EXPORTER_SIZE);
	cr_expect_arr_neq(at_a.exporter, p.at_a.exporter, NET_EXPORTER_SIZE);
	cr_expect_neq(at_a.handle, p.at_a.handle);
	pair_stop(&p);
}

Test(net, carries_bytes_both_ways)
{
	struct buf got = { 0 };
	struct pair p;

	pair_start(&p);
	net_write(p.b.net, p.at_b.handle, bytes_of_str("hello "));
	net_write(p.b.net, p.at_b.handle, bytes_of_str("there"));
	cr_assert(peer_read(&p.a, &got, 11));
	cr_expect(bytes_equal(buf_bytes(&got), bytes_of_str("hello there")));
	buf_reset(&got);
	net_write(p.a.net, p.at_a.handle, bytes_of_str("back"));
	cr_assert(peer_read(&p.b, &got, 4));
	cr_expect(bytes_equal(buf_bytes(&got), bytes_of_str("back")));
	buf_clear(&got);
	pair_stop(&p);
}

Test(net, carries_megabytes_in_order_and_says_what_is_sent)
{
	size_t size = 20 * MIB, sent = 0;
	struct buf out = { 0 }, got = { 0 };
	struct net_event event;
	struct pair p;

	pair_start(&p);
	buf_extend(&out, size);
	for (size_t i = 0; i < size; i++)
		out.data[i] = (uint8_t)(i * 7 + i / 1000);
	net_write(p.b.net, p.at_b.handle, buf_bytes(&out));
	cr_assert(peer_read(&p.a, &got, size));
	cr_expect(bytes_equal(buf_bytes(&got), buf_bytes(&out)));
	/* All but a remainder is told. */
	while (sent + NET_REPORT_SIZE <= size) {
		cr_assert(peer_next(&p.b, &event));
		cr_assert_eq(event.kind, NET_SENT);
		sent += event.sent_size;
	}
	cr_expect_leq(sent, size);
	buf_clear(&out);
	buf_clear(&got);
	pair_stop(&p);
}

/* What nobody takes is not read. */
Test(net, stops_reading_until_bytes_are_given_back)
{
	struct net_event events[64];
	size_t count = 0, size = 0, total = 8 * MIB;
	struct buf out = { 0 };
	struct pair p;
	void *item;

	pair_start(&p);
	memset(buf_extend(&out, total), 7, total);
	net_write(p.b.net, p.at_b.handle, buf_bytes(&out));
	while (io_queue_pop(p.a.events, &item, 1, 300000) == 1) {
		cr_assert_lt(count, 64);
		events[count] = *(struct net_event *)item;
		free(item);
		size += events[count++].bytes.size;
	}
	cr_expect_leq(count, NET_UNREAD_COUNT_MAX);
	cr_expect_leq(size, NET_UNREAD_SIZE_MAX);
	cr_expect_gt(size, 0);
	for (size_t i = 0; i < count; i++) {
		net_taken(p.a.net, events[i].handle, events[i].bytes.size);
		buf_clear(&events[i].bytes);
	}
	buf_reset(&out);
	cr_assert(peer_read(&p.a, &out, total - size));
	buf_clear(&out);
	pair_stop(&p);
}

Test(net, sends_what_was_written_before_closing)
{
	struct net_event event;
	struct buf got = { 0 };
	struct pair p;
	void *item;

	pair_start(&p);
	/* The other side writes, too: its bytes must not turn the end into a reset. */
	net_write(p.a.net, p.at_a.handle, bytes_of("unread", 6));
	net_write(p.b.net, p.at_b.handle, bytes_of_str("goodbye"));
	net_close(p.b.net, p.at_b.handle);
	cr_assert(peer_read(&p.a, &got, 7));
	cr_assert(peer_expect(&p.a, NET_CLOSED, &event));
	cr_expect_eq(event.handle, p.at_a.handle);
	net_write(p.a.net, p.at_a.handle, bytes_of_str("too late"));
	eventually(&p.a, stats.connection_count == 0);
	/* Whether its six bytes came before the end or after: none are owed then. */
	while (io_queue_pop(p.b.events, &item, 1, 100000) == 1) {
		struct net_event *late = item;

		net_taken(p.b.net, late->handle, late->bytes.size);
		buf_clear(&late->bytes);
		free(late);
	}
	eventually(&p.b, stats.connection_count == 0);
	buf_clear(&got);
	pair_stop(&p);
}

Test(net, keeps_place_until_the_end_is_taken)
{
	struct net_event event;
	struct net_stats held;
	struct pair p;

	pair_start(&p);
	net_close(p.b.net, p.at_b.handle);
	cr_assert(peer_next(&p.a, &event));
	cr_assert_eq(event.kind, NET_CLOSED);
	usleep(20000);
	net_get_stats(p.a.net, &held);
	cr_expect_eq(held.connection_count, 1);
	net_taken(p.a.net, event.handle, 0);
	eventually(&p.a, stats.connection_count == 0);
	pair_stop(&p);
}

Test(net, keeps_place_until_bytes_of_a_closed_one_are_back)
{
	struct net_event event;
	struct net_stats held;
	struct pair p;

	pair_start(&p);
	net_write(p.b.net, p.at_b.handle, bytes_of_str("hello"));
	cr_assert(peer_next(&p.a, &event));
	cr_assert_eq(event.kind, NET_BYTES);
	net_close(p.a.net, p.at_a.handle);
	eventually(&p.b, stats.connection_count == 1);
	cr_assert(peer_next(&p.b, &event) && event.kind == NET_CLOSED);
	net_taken(p.b.net, event.handle, 0);
	eventually(&p.b, stats.connection_count == 0);
	usleep(50000);
	net_get_stats(p.a.net, &held);
	cr_expect_eq(held.connection_count, 1);
	net_taken(p.a.net, p.at_a.handle, 5);
	eventually(&p.a, stats.connection_count == 0);
	pair_stop(&p);
}

Test(net, says_when_nobody_answers)
{
	static const char *const endpoints[] = {
		"127.0.0.1:1", "127.0.0.1", "[::1:5", "", ":", "no.such.host.invalid:5",
	};
	struct net_options options = peer_options();
	struct net_event event;
	struct peer p;

	options.address = NULL;
	peer_start(&p, &options);
	cr_expect_eq(net_port(p.net), 0);
	for (size_t i = 0; i < ARRAY_COUNT(endpoints); i++) {
		net_connect(p.net, endpoints[i], i);
		cr_assert(peer_next(&p, &event), "%s", endpoints[i]);
		cr_expect_eq(event.kind, NET_CONNECT_FAILED);
		cr_expect_eq(event.tag, i);
		cr_expect_not_null(event.why);
	}
	peer_stop(&p);
}

/* localhost may be ::1 first, where nobody listens: then the next call gets there. */
Test(net, looks_names_up)
{
	struct net_options options = peer_options();
	struct net_event event = { .kind = NET_CONNECT_FAILED };
	struct peer a, b;
	char name[40];

	peer_start(&a, &options);
	peer_start(&b, &options);
	snprintf(name, sizeof(name), "localhost:%u", net_port(a.net));
	for (int i = 0; i < 4 && event.kind == NET_CONNECT_FAILED; i++) {
		net_connect(b.net, name, 1);
		cr_assert(peer_next(&b, &event));
	}
	cr_expect_eq(event.kind, NET_CONNECTED);
	peer_stop(&a);
	peer_stop(&b);
}

Test(net, drops_garbage)
{
	struct net_options options = peer_options();
	struct peer p;
	int fd;

	peer_start(&p, &options);
	fd = peer_socket(&p);
	cr_assert_eq(send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, MSG_NOSIGNAL), 27);
	cr_expect(peer_socket_ends(fd));
	fd = peer_socket(&p);
	cr_assert_eq(send(fd, "\x16\x03\x01\xff\xff\x01\x00", 7, MSG_NOSIGNAL), 7);
	cr_expect(peer_socket_ends(fd));
	fd = peer_socket(&p);
	close(fd);
	eventually(&p, stats.handshake_failed_count == 3 && stats.connection_count == 0);
	peer_stop(&p);
}

Test(net, drops_slow_handshakes)
{
	struct net_options options = peer_options();
	struct peer p;
	int silent, trickling;

	options.handshake_timeout_ms = 100;
	peer_start(&p, &options);
	silent = peer_socket(&p);
	trickling = peer_socket(&p);
	cr_assert_eq(send(trickling, "\x16", 1, MSG_NOSIGNAL), 1);
	cr_expect(peer_socket_ends(silent));
	cr_expect(peer_socket_ends(trickling));
	eventually(&p, stats.handshake_late_count == 2 && stats.connection_count == 0);
	peer_stop(&p);
}

Test(net, bounds_handshakes_under_way)
{
	struct net_options options = peer_options();
	int fds[5];
	struct peer p;

	options.handshake_ip_max = 4;
	peer_start(&p, &options);
	for (size_t i = 0; i < 5; i++)
		fds[i] = peer_socket(&p);
	cr_expect(peer_socket_ends(fds[4]));
	eventually(&p, stats.refused_count == 1 && stats.connection_count == 4);
	for (size_t i = 0; i < 4; i++)
		close(fds[i]);
	eventually(&p, stats.connection_count == 0);
	peer_stop(&p);
}

Test(net, bounds_connections)
{
	struct net_options options = peer_options();
	struct net_event at_a, at_b, event;
	struct peer a, b;

	options.connection_max = 2;
	peer_start(&a, &options);
	options.connection_max = 3;
	peer_start(&b, &options);
	cr_assert(peer_join(&a, &b, &at_a, &at_b));
	cr_assert(peer_join(&a, &b, &at_a, &at_b));
	net_connect(b.net, a.endpoint, 1); /* a is full */
	cr_assert(peer_expect(&b, NET_CONNECT_FAILED, &event));
	net_connect(b.net, "127.0.0.1:1", 1);
	cr_assert(peer_expect(&b, NET_CONNECT_FAILED, &event));
	eventually(&a, stats.refused_count == 1);
	peer_stop(&a);
	peer_stop(&b);
}

/* A client without a certificate: what comes of its handshake and first read. */
static bool client_gets_in(const struct peer *p, int version)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
	int fd = peer_socket(p), result;
	char byte;
	SSL *ssl;

	SSL_CTX_set_min_proto_version(tls, version);
	SSL_CTX_set_max_proto_version(tls, version);
	ssl = SSL_new(tls);
	SSL_set_fd(ssl, fd);
	result = SSL_connect(ssl);
	/* In TLS 1.3 the client learns only now what the server made of it. */
	if (result == 1)
		result = SSL_read(ssl, &byte, 1);
	SSL_free(ssl);
	SSL_CTX_free(tls);
	close(fd);
	return result == 1;
}

Test(net, refuses_old_tls_and_clients_without_certificate)
{
	struct net_options options = peer_options();
	struct peer p;

	peer_start(&p, &options);
	cr_expect(!client_gets_in(&p, TLS1_2_VERSION));
	eventually(&p, stats.handshake_failed_count == 1);
	cr_expect(!client_gets_in(&p, TLS1_3_VERSION));
	eventually(&p, stats.handshake_failed_count == 2);
	peer_stop(&p);
}

Test(net, tells_when_the_other_side_breaks)
{
	struct net_event event;
	struct pair p;

	pair_start(&p);
	net_stop(p.b.net, 0);
	cr_assert(peer_expect(&p.a, NET_CLOSED, &event));
	cr_expect_eq(event.handle, p.at_a.handle);
	net_write(p.b.net, p.at_b.handle, bytes_of_str("to nobody"));
	pair_stop(&p);
}

Test(net, refuses_bad_listeners)
{
	struct net_options options = peer_options();
	struct peer p;
	struct net *n = NULL;
	struct err err = { 0 };

	peer_start(&p, &options);
	options.port = net_port(p.net);
	cr_expect_eq(net_start(&n, &options, NULL, NULL, &err), IO_E_LISTEN);
	options.address = "example.org";
	cr_expect_eq(net_start(&n, &options, NULL, NULL, &err), IO_E_ADDRESS);
	cr_expect_null(n);
	peer_stop(&p);
}

Test(net, parses_endpoints)
{
	static const struct {
		const char *text, *host, *port;
		bool is_numeric;
	} good[] = {
		{ "1.2.3.4:5", "1.2.3.4", "5", true },
		{ "[::1]:30303", "::1", "30303", true },
		{ "[2001:db8::2]:65535", "2001:db8::2", "65535", true },
		{ "node-1.example:30303", "node-1.example", "30303", false },
	};
	static const char *const bad[] = {
		"", ":", "host", "host:", ":5", "host:0", "host:65536", "host:5x", "host:05",
		"host:-1", "::1:5", "[::1]", "[::1]5", "[::1:5", "[host]:5", "[]:5", "[", "]:5",
		"host:123456",
	};
	struct net_endpoint e;
	struct err err;

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		cr_assert_eq(net_endpoint_parse(&e, good[i].text, NULL), OK, "%s", good[i].text);
		cr_expect_str_eq(e.host, good[i].host);
		cr_expect_str_eq(e.port, good[i].port);
		cr_expect_eq(e.is_numeric, good[i].is_numeric);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		cr_expect_eq(net_endpoint_parse(&e, bad[i], &err), IO_E_ADDRESS, "%s", bad[i]);
}
