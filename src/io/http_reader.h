/*
 * http_reader - the clients' side of a connection: where to, and reading replies
 * out of what comes.
 */
#ifndef WEFT_IO_HTTP_READER_H
#define WEFT_IO_HTTP_READER_H

#include "base/err.h"
#include "io/http_parse.h"

#define HTTP_REPLY_HEAD_MAX 65536
#define HTTP_REPLY_BODY_MAX (256u << 20)

struct http_url {
	char host[256]; /* a name or an address without brackets */
	char port[8];
	char path[512];
};

/* IO_E_ADDRESS says what is wrong with `text`. */
int http_url_parse(struct http_url *out, const char *text, struct err *err);

/* Connects within `timeout_ms`; *out is a non-blocking socket. */
int http_connect(int *out, const struct http_url *url, uint32_t timeout_ms, struct err *err);

/* The request line and fields of a POST of `size` bytes, appended. */
void http_put_post(struct buf *out, const struct http_url *url, size_t size);

/* One reply after another from one connection; starts as {0}. */
struct http_reader {
	struct buf in;
	size_t scanned, head_size;
	bool has_head, chunked, has_length, keep_alive;
	int status;
	uint64_t length;
	struct http_chunks chunks;
	struct buf body; /* of a chunked reply */
};

/* Looks at what is in `in`: HTTP_PARSE_MORE, or HTTP_PARSE_DONE with the body in
 * *body, borrowed until http_reader_next(); anything else is no HTTP reply.
 * `at_end`: the connection is closed and nothing more will come. */
int http_reader_take(struct http_reader *r, bool at_end, struct bytes *body);

/* Drops the reply; what follows it stays. */
void http_reader_next(struct http_reader *r);
void http_reader_clear(struct http_reader *r);

#endif
