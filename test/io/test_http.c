#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/clock.h"
#include "raw.h"

#define HOST "Host: localhost\r\n"

static char reply[1 << 17];

static void start(struct raw_server *s)
{
	struct http_options options = raw_options();

	raw_start(s, &options);
}

static bool has_status(int status)
{
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	return strncmp(reply, line, strlen(line)) == 0;
}

/* One exchange that must be answered with `status`. */
static void expect(const struct raw_server *s, const char *text, int status)
{
	cr_assert(raw_exchange(s, text, reply, sizeof(reply)), "no answer to %.80s", text);
	cr_expect(has_status(status), "%.80s: wanted %d, got %.60s", text, status, reply);
}

/* ... and after which the server closes. */
static void expect_closing(const struct raw_server *s, const char *text, int status)
{
	int fd = raw_connect(s);

	raw_send(fd, text);
	raw_read_all(fd, reply, sizeof(reply));
	cr_expect(has_status(status), "%.80s: wanted %d, got %.60s", text, status, reply);
	close(fd);
}

Test(http, answers_get_and_post)
{
	struct raw_server s;

	start(&s);
	expect(&s, "GET /now?a=1&b=2 HTTP/1.1\r\n" HOST "\r\n", 200);
	cr_assert(strstr(reply, "GET /now ?a=1&b=2 () "));
	expect(&s, "POST /now HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
		   "Content-Length: 5\r\n\r\nhello", 200);
	cr_assert(strstr(reply, "POST /now ? (application/json) hello"));
	expect(&s, "POST /later HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200);
	cr_assert(strstr(reply, "POST /later ? () hello"));
	raw_stop(&s);
}

Test(http, takes_chunked_body)
{
	struct raw_server s;

	start(&s);
	expect(&s, "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		   "5\r\nhello\r\nB;x=y\r\n, and again\r\n0\r\nTrailer: 1\r\n\r\n", 200);
	cr_assert(strstr(reply, ") hello, and again"));
	raw_stop(&s);
}

Test(http, takes_absolute_target)
{
	struct raw_server s;

	start(&s);
	expect(&s, "GET http://node.example:1/now?q HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200);
	cr_assert(strstr(reply, "GET /now ?q"));
	expect(&s, "GET http://evil.example/now HTTP/1.1\r\nHost: localhost\r\n\r\n", 403);
	raw_stop(&s);
}

Test(http, keeps_connection_alive)
{
	struct raw_server s;
	int fd;

	start(&s);
	fd = raw_connect(&s);
	for (int i = 0; i < 100; i++) {
		raw_send(fd, i % 2 ? "GET /now HTTP/1.1\r\n" HOST "\r\n"
				   : "POST /later HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
		cr_assert(raw_read_reply(fd, reply, sizeof(reply)));
		cr_assert(has_status(200));
	}
	raw_send(fd, "GET /now HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	cr_assert(raw_read_reply(fd, reply, sizeof(reply)));
	cr_expect(strstr(reply, "Connection: close\r\n"));
	cr_expect(raw_is_closed(fd));
	close(fd);
	raw_stop(&s);
}

Test(http, answers_http10_and_closes)
{
	struct raw_server s;
	int fd;

	start(&s);
	fd = raw_connect(&s);
	raw_send(fd, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	cr_assert(raw_read_reply(fd, reply, sizeof(reply)));
	cr_expect(strstr(reply, "Connection: keep-alive\r\n"));
	raw_send(fd, "GET /now HTTP/1.0\r\n\r\n");
	cr_assert(raw_read_reply(fd, reply, sizeof(reply)));
	cr_expect(raw_is_closed(fd));
	close(fd);
	raw_stop(&s);
}

Test(http, answers_pipelined_in_order)
{
	struct raw_server s;
	int fd;

	start(&s);
	fd = raw_connect(&s);
	raw_send(fd, "POST /later?1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
		     "GET /now?2 HTTP/1.1\r\n" HOST "\r\n"
		     "POST /later?3 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		     "5\r\nthree\r\n0\r\n\r\n"
		     "POST /now?4 HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nfour");
	/* A client that sends no more still gets its answers. */
	shutdown(fd, SHUT_WR);
	raw_read_all(fd, reply, sizeof(reply));
	char *one = strstr(reply, "/later ?1 () one"), *two = strstr(reply, "/now ?2");
	char *three = strstr(reply, "/later ?3 () three"), *four = strstr(reply, "/now ?4 () four");
	cr_assert(one && two && three && four);
	cr_expect(one < two && two < three && three < four);
	close(fd);
	raw_stop(&s);
}

Test(http, survives_flood_of_pipelined_requests)
{
	static const char one[] = "POST /later HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody";
	struct raw_server s;
	struct http_stats stats;
	int fd;

	start(&s);
	fd = raw_connect(&s);
	for (int i = 0; i < 500; i++)
		raw_send(fd, one);
	for (int i = 0; i < 500; i++)
		cr_assert(raw_read_reply(fd, reply, sizeof(reply)), "reply %d", i);
	http_server_get_stats(s.http, &stats);
	cr_expect_eq(stats.request_count, 500);
	cr_expect_eq(stats.pending_count, 0);
	close(fd);
	raw_stop(&s);
}

Test(http, closes_idle_connection)
{
	struct raw_server s;
	int fd;

	start(&s);
	fd = raw_connect(&s);
	cr_expect(raw_is_closed(fd));
	close(fd);
	raw_stop(&s);
}

Test(http, gives_up_on_half_sent_request)
{
	static const char *const parts[] = {
		"G", "GET /now HTTP/1.1\r\n", "GET /now HTTP/1.1\r\n" HOST,
		"POST /now HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nhalf",
		"POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	};
	struct raw_server s;

	start(&s);
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
		expect_closing(&s, parts[i], 408);
	raw_stop(&s);
}

/* A byte now and then does not buy time: the deadline is for the whole request. */
Test(http, gives_up_on_trickling_request)
{
	static const char text[] = "GET /now?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct raw_server s;
	struct http_stats stats;
	char byte[2] = "";
	int fd;

	start(&s);
	fd = raw_connect(&s);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		byte[0] = text[i];
		raw_send(fd, byte);
		usleep(20000);
	}
	http_server_get_stats(s.http, &stats);
	cr_expect_eq(stats.connection_count, 0);
	cr_expect_eq(stats.refused_count, 1);
	close(fd);
	raw_stop(&s);
}

Test(http, refuses_oversized_header)
{
	struct raw_server s;
	char *text = malloc(300000);
	int size = sprintf(text, "GET /now HTTP/1.1\r\n" HOST "X: ");

	start(&s);
	memset(text + size, 'x', 3000);
	strcpy(text + size + 3000, "\r\n\r\n");
	expect_closing(&s, text, 431);
	/* Endless: without an end, and much more than is read at once. */
	memset(text + size, 'x', 290000);
	text[size + 290000] = '\0';
	expect_closing(&s, text, 431);
	/* Many small fields. */
	size = sprintf(text, "GET /now HTTP/1.1\r\n" HOST);
	for (int i = 0; i < 200; i++)
		size += sprintf(text + size, "a:b\r\n");
	strcpy(text + size, "\r\n");
	expect_closing(&s, text, 431);
	free(text);
	raw_stop(&s);
}

Test(http, refuses_oversized_body)
{
	struct raw_server s;
	char *text = malloc(400000);
	int size = sprintf(text, "POST /now HTTP/1.1\r\n" HOST "Content-Length: 65536\r\n\r\n");

	start(&s);
	memset(text + size, 'x', 65536);
	text[size + 65536] = '\0';
	int fd = raw_connect(&s);
	raw_send(fd, text);
	cr_assert(raw_read_reply(fd, reply, sizeof(reply)));
	cr_expect(has_status(200), "a body of just the limit passes");
	close(fd);
	expect_closing(&s, "POST /now HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n", 413);
	expect_closing(&s, "POST /now HTTP/1.1\r\n" HOST
			   "Content-Length: 99999999999999999999999999\r\n\r\n", 413);
	/* Much is under way already when the answer comes; it must arrive all the same. */
	size = sprintf(text, "POST /now HTTP/1.1\r\n" HOST "Content-Length: 390000\r\n\r\n");
	memset(text + size, 'x', 390000);
	text[size + 390000] = '\0';
	expect_closing(&s, text, 413);
	free(text);
	raw_stop(&s);
}

Test(http, refuses_endless_chunks)
{
	struct raw_server s;
	char *text = malloc(400000);
	int size;

	start(&s);
	size = sprintf(text, "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 66000 / 16; i++)
		size += sprintf(text + size, "10\r\n0123456789abcdef\r\n");
	expect_closing(&s, text, 413);
	expect_closing(&s, "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
			   "ffffffffffffffffffff\r\n", 413);
	/* An endless extension and an endless trailer. */
	size = sprintf(text, "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;");
	memset(text + size, 'x', 1000);
	text[size + 1000] = '\0';
	expect_closing(&s, text, 400);
	size = sprintf(text, "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n");
	for (int i = 0; i < 2000; i++)
		size += sprintf(text + size, "a: b\r\n");
	expect_closing(&s, text, 431);
	free(text);
	raw_stop(&s);
}

Test(http, refuses_garbage)
{
	static const struct { const char *text; int status; } cases[] = {
		{ "\x16\x03\x01\x02\x01\x01\xfc\x03\x03 hello\r\n\r\n", 400 },
		{ "hello\r\n\r\n", 400 }, { "\r\n\r\n", 400 }, { "\n", 400 },
		{ "GET /now HTTP/1.1\n" "Host: localhost\n\n", 400 },
		{ "GET  HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET now HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /a b HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /now HTTP/2.0\r\n" HOST "\r\n", 505 },
		{ "GET /now HTTP/1.9\r\n" HOST "\r\n", 505 },
		{ "G(T /now HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "GET /now HTTP/1.1\r\n\r\n", 400 },
		{ "GET /now HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
		{ "GET /now HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400 },
		{ "GET /now HTTP/1.1\r\nHost : localhost\r\n\r\n", 400 },
		{ "GET /now HTTP/1.1\r\n" HOST "X: a\x01z\r\n\r\n", 400 },
		{ "GET /now HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400 },
		{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", 400 },
		{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 0x10\r\n\r\n", 400 },
		{ "POST /now HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400 },
		{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400 },
		{ "POST /now HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"
		  "\r\n0\r\n\r\n", 400 },
		{ "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501 },
		{ "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400 },
		{ "POST /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400 },
		{ "POST /now HTTP/1.1\r\n" HOST "Expect: wonders\r\n\r\n", 417 },
	};
	struct raw_server s;

	start(&s);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		expect_closing(&s, cases[i].text, cases[i].status);
	/* Behind a good request. */
	int fd = raw_connect(&s);
	raw_send(fd, "GET /now HTTP/1.1\r\n" HOST "\r\n\x01\x02\x03\r\n\r\n");
	raw_read_all(fd, reply, sizeof(reply));
	cr_expect(has_status(200) && strstr(reply, "HTTP/1.1 400 "));
	close(fd);
	raw_stop(&s);
}

Test(http, refuses_other_methods)
{
	struct raw_server s;

	start(&s);
	expect(&s, "PUT /now HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab", 405);
	cr_expect(strstr(reply, "Allow: GET, POST, OPTIONS\r\n"));
	expect(&s, "DELETE /now HTTP/1.1\r\n" HOST "\r\n", 405);
	int fd = raw_connect(&s);
	raw_send(fd, "HEAD /now HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	raw_read_all(fd, reply, sizeof(reply));
	cr_expect(has_status(405) && strcmp(strstr(reply, "\r\n\r\n"), "\r\n\r\n") == 0);
	close(fd);
	raw_stop(&s);
}

Test(http, limits_connections)
{
	struct raw_server s;
	struct http_options options = raw_options();
	struct http_stats stats;
	int fds[200], served = 0, refused = 0;

	options.limits.idle_timeout_ms = 20000;
	raw_start(&s, &options);
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
		fds[i] = raw_connect(&s);
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
		raw_send(fds[i], "GET /now HTTP/1.1\r\n" HOST "\r\n");
		if (raw_read_reply(fds[i], reply, sizeof(reply)) && has_status(200))
			served++;
		else
			refused++;
	}
	cr_expect_eq(served, 16, "%d were served", served);
	cr_expect_eq(refused, 184);
	http_server_get_stats(s.http, &stats);
	cr_expect_eq(stats.connection_count, 16);
	cr_expect_eq(stats.connection_count_total, 200);
	for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
		close(fds[i]);
	/* Their places are free again as soon as the server has seen the ends. */
	for (int i = 0; i < 1000 && stats.connection_count > 0; i++) {
		usleep(1000);
		http_server_get_stats(s.http, &stats);
	}
	expect(&s, "GET /now HTTP/1.1\r\n" HOST "\r\n", 200);
	raw_stop(&s);
}

Test(http, limits_pending_requests)
{
	struct raw_server s;
	void *kept[8];
	int fds[5];

	start(&s);
	for (int i = 0; i < 5; i++) {
		fds[i] = raw_connect(&s);
		raw_send(fds[i], "POST /keep HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
		if (i < 4)
			cr_assert_eq(io_queue_pop(s.kept, &kept[i], 1, 20000000), 1);
	}
	cr_assert(raw_read_reply(fds[4], reply, sizeof(reply)));
	cr_expect(has_status(503));
	for (int i = 0; i < 4; i++) {
		raw_answer(kept[i]);
		cr_assert(raw_read_reply(fds[i], reply, sizeof(reply)));
		cr_expect(has_status(200));
	}
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	expect(&s, "GET /now HTTP/1.1\r\n" HOST "\r\n", 200);
	raw_stop(&s);
}

Test(http, survives_client_gone_before_reply)
{
	struct linger reset = { .l_onoff = 1 };
	struct raw_server s;
	struct http_stats stats;
	void *kept;

	start(&s);
	for (int i = 0; i < 20; i++) {
		int fd = raw_connect(&s);

		raw_send(fd, "POST /keep HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody");
		cr_assert_eq(io_queue_pop(s.kept, &kept, 1, 20000000), 1);
		if (i % 2)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		usleep(i % 4 < 2 ? 0 : 5000);
		cr_expect_eq(http_request_body(kept).size, 4);
		raw_answer(kept);
	}
	expect(&s, "GET /now HTTP/1.1\r\n" HOST "\r\n", 200);
	http_server_get_stats(s.http, &stats);
	cr_expect_eq(stats.pending_count, 0);
	raw_stop(&s);
}

/* Asks and asks and takes no answer: neither memory nor the connection is held. */
Test(http, gives_up_on_client_that_does_not_read)
{
	struct raw_server s;
	struct http_options options = raw_options();
	struct http_stats stats = { .connection_count = 1 };
	char *text = malloc(61000);
	int fd, size;

	options.limits.idle_timeout_ms = 50;
	raw_start(&s, &options);
	size = sprintf(text, "POST /now HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n");
	memset(text + size, 'x', 60000);
	text[size + 60000] = '\0';
	fd = raw_connect(&s);
	for (int i = 0; i < 1000; i++)
		raw_send(fd, text);
	for (int i = 0; i < 20000 && stats.connection_count > 0; i++) {
		usleep(1000);
		http_server_get_stats(s.http, &stats);
	}
	cr_expect_eq(stats.connection_count, 0);
	cr_expect_lt(stats.request_count, 1000);
	close(fd);
	free(text);
	raw_stop(&s);
}

Test(http, sends_large_reply)
{
	static char big[9 << 20];
	struct raw_server s;
	int fd;

	start(&s);
	fd = raw_connect(&s);
	raw_send(fd, "GET /big HTTP/1.1\r\n" HOST "\r\n");
	cr_assert(raw_read_reply(fd, big, sizeof(big)));
	cr_expect_eq(strlen(strstr(big, "\r\n\r\n") + 4), 8u << 20);
	close(fd);
	raw_stop(&s);
}

Test(http, refuses_unknown_host)
{
	struct raw_server s;

	start(&s);
	expect(&s, "GET /now HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403);
	expect(&s, "GET /now HTTP/1.1\r\nHost: localhost.evil.example:8545\r\n\r\n", 403);
	expect(&s, "GET /now HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", 403);
	expect(&s, "GET /now HTTP/1.1\r\nHost:\r\n\r\n", 403);
	expect(&s, "GET /now HTTP/1.1\r\nHost: 127.0.0.1:8545\r\n\r\n", 200);
	expect(&s, "GET /now HTTP/1.1\r\nHost: [::1]:8545\r\n\r\n", 200);
	expect(&s, "GET /now HTTP/1.1\r\nHost: LocalHost:1\r\n\r\n", 200);
	expect(&s, "GET /now HTTP/1.1\r\nHost: Other.Example\r\n\r\n", 200);
	raw_stop(&s);
}

Test(http, answers_preflight)
{
	struct raw_server s;

	start(&s);
	expect(&s, "OPTIONS / HTTP/1.1\r\n" HOST "Origin: https://dapp.example\r\n"
		   "Access-Control-Request-Method: POST\r\n"
		   "Access-Control-Request-Headers: content-type\r\n\r\n", 204);
	cr_expect(strstr(reply, "Access-Control-Allow-Origin: https://dapp.example\r\n"));
	cr_expect(strstr(reply, "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"));
	cr_expect(strstr(reply, "Access-Control-Allow-Headers: Content-Type\r\n"));
	cr_expect(strstr(reply, "Vary: Origin\r\n"));
	expect(&s, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 204);
	cr_expect(!strstr(reply, "Access-Control"));
	expect(&s, "OPTIONS / HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n\r\n", 403);
	cr_expect(!strstr(reply, "Access-Control"));
	raw_stop(&s);
}

Test(http, checks_origin)
{
	struct raw_server s;

	start(&s);
	expect(&s, "GET /later HTTP/1.1\r\n" HOST "Origin: https://two.example\r\n\r\n", 200);
	cr_expect(strstr(reply, "Access-Control-Allow-Origin: https://two.example\r\n"));
	expect(&s, "GET /now HTTP/1.1\r\n" HOST "Origin: https://evil.example\r\n\r\n", 403);
	expect(&s, "GET /now HTTP/1.1\r\n" HOST "Origin: null\r\n\r\n", 403);
	/* A page served here, and a browser's extension. */
	expect(&s, "GET /now HTTP/1.1\r\nHost: localhost:8545\r\n"
		   "Origin: http://localhost:8545\r\n\r\n", 200);
	expect(&s, "GET /now HTTP/1.1\r\n" HOST "Origin: moz-extension://abc\r\n\r\n", 200);
	cr_expect(!strstr(reply, "Access-Control"));
	raw_stop(&s);
}

Test(http, answers_any_origin_if_told)
{
	struct raw_server s;
	struct http_options options = raw_options();

	options.allowed_origins = "*";
	options.allowed_hosts = "*";
	raw_start(&s, &options);
	expect(&s, "GET /now HTTP/1.1\r\nHost: any.example\r\nOrigin: https://evil.example\r\n\r\n", 200);
	cr_expect(strstr(reply, "Access-Control-Allow-Origin: https://evil.example\r\n"));
	raw_stop(&s);
}

Test(http, asks_for_body_on_expect)
{
	struct raw_server s;
	int fd;

	start(&s);
	fd = raw_connect(&s);
	raw_send(fd, "POST /now HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	cr_assert(raw_read_reply(fd, reply, sizeof(reply)));
	cr_assert(has_status(100));
	raw_send(fd, "ab");
	cr_assert(raw_read_reply(fd, reply, sizeof(reply)));
	cr_expect(has_status(200));
	close(fd);
	raw_stop(&s);
}

Test(http, stops_with_pending_requests)
{
	struct raw_server s;
	void *kept;
	int fd, idle;

	start(&s);
	fd = raw_connect(&s);
	idle = raw_connect(&s);
	raw_send(fd, "POST /keep HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
	cr_assert_eq(io_queue_pop(s.kept, &kept, 1, 20000000), 1);
	http_server_stop(s.http, 10);
	cr_expect(raw_is_closed(fd));
	cr_expect(raw_is_closed(idle));
	/* Nobody is there any more: harmless. */
	raw_answer(kept);
	io_workers_stop(s.workers);
	io_queue_free(s.later);
	io_queue_free(s.kept);
	close(fd);
	close(idle);
}

static void answer_after_a_moment(void *ctx)
{
	usleep(30000);
	raw_answer(ctx);
}

Test(http, answers_within_grace)
{
	struct raw_server s;
	struct io_thread *t;
	void *kept;
	int fd;

	start(&s);
	fd = raw_connect(&s);
	raw_send(fd, "POST /keep HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
	cr_assert_eq(io_queue_pop(s.kept, &kept, 1, 20000000), 1);
	t = io_thread_start("answer", answer_after_a_moment, kept);
	http_server_stop(s.http, 20000);
	cr_assert(raw_read_reply(fd, reply, sizeof(reply)));
	cr_expect(has_status(200) && strstr(reply, "Connection: close"));
	io_thread_join(t);
	io_workers_stop(s.workers);
	io_queue_free(s.later);
	io_queue_free(s.kept);
	close(fd);
}

Test(http, says_why_it_cannot_listen)
{
	struct raw_server s;
	struct http_options options = raw_options();
	struct http_server *second;
	struct err err;

	start(&s);
	options.port = http_server_port(s.http);
	cr_expect_eq(http_server_start(&second, &options, NULL, NULL, &err), IO_E_LISTEN);
	cr_expect(strstr(err.message, "another program has it"), "%s", err.message);
	options.address = "not.an.address";
	cr_expect_eq(http_server_start(&second, &options, NULL, NULL, &err), IO_E_ADDRESS);
	options.address = "192.0.2.1";
	options.port = 0;
	cr_expect_eq(http_server_start(&second, &options, NULL, NULL, &err), IO_E_LISTEN);
	cr_expect(strstr(err.message, "no such address"), "%s", err.message);
	raw_stop(&s);
}

/* --- clients --- */

static void url_of(const struct raw_server *s, const char *path, char out[64])
{
	snprintf(out, 64, "http://127.0.0.1:%u%s", http_server_port(s->http), path);
}

Test(http_client, posts_and_reconnects)
{
	struct raw_server s;
	struct http_client *c;
	struct buf body = { 0 };
	struct err err;
	char url[64];
	int status;

	start(&s);
	url_of(&s, "/later?x", url);
	cr_assert_eq(http_client_new(&c, url, &err), OK);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(http_client_post(c, bytes_of_str("hello"), &body, &status, 20000, &err), OK,
			     "%s", err.message);
		cr_expect_eq(status, 200);
		cr_expect(bytes_equal(buf_bytes(&body),
				      bytes_of_str("POST /later ?x (application/json) hello")));
		if (i == 1)
			usleep(600000); /* the server closes the idle connection meanwhile */
	}
	http_client_free(c);
	url_of(&s, "/big", url);
	cr_assert_eq(http_client_new(&c, url, &err), OK);
	cr_assert_eq(http_client_post(c, bytes_of_str(""), &body, &status, 20000, &err), OK);
	cr_expect_eq(body.size, 8u << 20);
	http_client_free(c);
	url_of(&s, "/keep", url);
	cr_assert_eq(http_client_new(&c, url, &err), OK);
	cr_expect_eq(http_client_post(c, bytes_of_str(""), &body, &status, 50, &err), IO_E_TIMEOUT);
	raw_stop(&s);
	cr_expect_eq(http_client_post(c, bytes_of_str(""), &body, &status, 50, &err), IO_E_CONNECT);
	http_client_free(c);
	buf_clear(&body);
}

Test(http_client, reads_urls)
{
	static const char *const bad[] = {
		"", "localhost:8545", "https://localhost", "http://", "http://:80", "http://a:0",
		"http://a:65536", "http://a:x", "http://[::1", "http://u@a", "http://a b", "http://a:",
	};
	static const char *const good[] = {
		"http://a", "http://a:1", "http://[::1]:8545/", "http://a/p?q", "HTTP://a",
	};
	struct http_client *c;
	struct err err;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		cr_expect_eq(http_client_new(&c, bad[i], &err), IO_E_ADDRESS, "%s", bad[i]);
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		cr_expect_eq(http_client_new(&c, good[i], &err), OK, "%s: %s", good[i], err.message);
		http_client_free(c);
	}
}

struct load_test {
	int asked, sent, done, ended;
};

static enum http_load_next load_next(void *ctx, size_t connection, struct buf *body)
{
	struct load_test *t = ctx;

	t->asked++;
	if (t->sent == 1000) {
		t->ended++;
		return HTTP_LOAD_END;
	}
	if (t->asked % 50 == 0)
		return HTTP_LOAD_WAIT;
	buf_printf(body, "body %d", t->sent++);
	return HTTP_LOAD_SEND;
}

static void load_done(void *ctx, size_t connection, int status, struct bytes body)
{
	struct load_test *t = ctx;

	cr_assert_eq(status, 200);
	cr_assert(memmem(body.data, body.size, ") body ", 7));
	t->done++;
}

Test(http_load, sends_all_and_reads_all)
{
	struct raw_server s;
	struct load_test t = { 0 };
	struct http_load load = { .connection_count = 4, .timeout_ms = 60000, .ctx = &t,
				  .next = load_next, .done = load_done };
	struct err err;
	char url[64];

	start(&s);
	url_of(&s, "/later", url);
	load.url = url;
	cr_assert_eq(http_load_run(&load, &err), OK, "%s", err.message);
	cr_expect_eq(t.sent, 1000);
	cr_expect_eq(t.done, 1000);
	cr_expect_eq(t.ended, 4);
	raw_stop(&s);
	cr_expect_eq(http_load_run(&load, &err), IO_E_CONNECT);
}
