/*
 * raw - a server whose handler the tests steer, and raw sockets to it.
 */
#ifndef WEFT_TEST_IO_RAW_H
#define WEFT_TEST_IO_RAW_H

#include "io/http.h"
#include "io/queue.h"

/* A server under test. Paths: "/now" is answered by the handler at once with
 * method, path, query, type and body; "/later" by another thread, likewise; "/keep"
 * goes to `kept` and waits for the test; "/big" answers 8 MiB. */
struct raw_server {
	struct http_server *http;
	struct io_queue *later, *kept;
	struct io_workers *workers;
};

/* Limits small enough to be met in a test. */
struct http_options raw_options(void);
void raw_start(struct raw_server *s, const struct http_options *options);
void raw_stop(struct raw_server *s);
/* Answers a request that was kept. */
void raw_answer(struct http_request *r);

/* A blocking socket to the server, with a time-out of some seconds on reads. */
int raw_connect(const struct raw_server *s);
void raw_send(int fd, const char *text);
/* Reads until the server closes, or `size` - 1 bytes: a string. */
size_t raw_read_all(int fd, char *out, size_t size);
/* Reads one reply (head and Content-Length bytes) into `out`: a string. False if
 * the connection ended or nothing came. */
bool raw_read_reply(int fd, char *out, size_t size);
/* raw_connect(), raw_send(), raw_read_reply(), close. */
bool raw_exchange(const struct raw_server *s, const char *text, char *out, size_t size);
bool raw_is_closed(int fd);

#endif
