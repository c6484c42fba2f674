/*
 * http_parse - HTTP/1.1 messages out of bytes, as far as they have come (RFC
 * 9112). Pure: used by server, client, tests and the fuzzer.
 *
 *     head    request or status line, fields, empty line: http_head_parse()
 *     body    none, Content-Length bytes, or chunks: http_chunks_feed()
 *
 * Strict where leniency has cost others: lines end in CR LF, a field name has no
 * blank before its colon, lines are not folded, Content-Length stands once and
 * not beside Transfer-Encoding, and no control character passes.
 */
#ifndef WEFT_IO_HTTP_PARSE_H
#define WEFT_IO_HTTP_PARSE_H

#include "base/buf.h"

#define HTTP_FIELD_COUNT_MAX 128

/* What came of a parse; everything else is the status that answers the fault. */
#define HTTP_PARSE_MORE 0
#define HTTP_PARSE_DONE 1

/* A head; its strings borrow from the bytes that were parsed. */
struct http_head {
	/* Of a request. */
	struct bytes method; /* as it came: "POST" */
	struct bytes path;   /* begins with '/', or is "*" */
	struct bytes query;  /* behind the first '?'; empty without */
	struct bytes host;   /* with port; of an absolute target, else of the Host field */
	/* Of a reply. */
	int status;
	/* Of both. */
	unsigned minor;      /* HTTP/1.minor: 0 or 1 */
	bool is_absolute; /* the target names the host */
	bool has_host, has_origin, has_length, chunked, keep_alive, expects_continue;
	uint64_t length;
	struct bytes origin, content_type, request_method, request_headers;
};

/* Parses a request's head (or, if `is_reply`, a reply's) from the start of `in`.
 * *scanned, 0 before the first call, remembers how far the end has been looked
 * for, so that a head that trickles in costs linear time. HTTP_PARSE_DONE fills
 * `out` and *used; more than `size_max` bytes are 431; what is not HTTP is 400,
 * a version other than 1.0 and 1.1 is 505, another transfer coding is 501. */
int http_head_parse(struct http_head *out, struct bytes in, size_t *scanned, size_t size_max,
		    bool is_reply, size_t *used);

/* A chunked body on its way; starts as {0}. */
struct http_chunks {
	int state;
	unsigned digit_count;
	size_t line_size;  /* of the size line or the trailer section, bounded */
	uint64_t left;     /* of the chunk under way */
};

/* Decodes from `in`, appends to `body`; *used is what was consumed, always all of
 * `in` unless the body ended before. A body over `size_max` is 413. */
int http_chunks_feed(struct http_chunks *c, struct bytes in, size_t *used, struct buf *body,
		     size_t size_max);

/* Whether a comma-separated `list` holds `item` or "*" (case ignored). NULL holds nothing. */
bool http_list_allows(const char *list, struct bytes item);

/* The host of "host", "host:port", "[v6]:port", without brackets. */
struct bytes http_host_name(struct bytes host);

/* True for an IPv4 or IPv6 literal and for "localhost": names that no foreign DNS
 * can point here. */
bool http_host_is_local(struct bytes name);

bool http_text_equal(struct bytes a, const char *b); /* ASCII case ignored */

#endif
