/*
 * A head or a chunked body read whole and read as it trickles in gives the same;
 * what is refused early stays refused; everything borrowed lies inside the input
 * and nothing grows beyond its bound.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "base/check.h"
#include "io/http_parse.h"

#define HEAD_MAX 1024
#define BODY_MAX 512

const char *const fuzz_seeds[] = {
	/* GET / HTTP/1.1 with a Host */
	"01 474554202f20485454502f312e310d0a486f73743a20610d0a0d0a",
	/* POST http://h/p?q with length, origin and type */
	"07 504f535420687474703a2f2f682f703f7120485454502f312e310d0a486f73743a20610d0a"
	"436f6e74656e742d4c656e6774683a20350d0a4f726967696e3a20687474703a2f2f780d0a"
	"436f6e74656e742d547970653a206a0d0a0d0a68656c6c6f",
	/* chunked, keep-alive, expect */
	"03 504f5354202f20485454502f312e310d0a486f73743a20610d0a5472616e736665722d456e636f64696e673a"
	"206368756e6b65640d0a4578706563743a203130302d636f6e74696e75650d0a0d0a",
	"02 474554202f20485454502f312e300d0a436f6e6e656374696f6e3a206b6565702d616c6976652c20780d0a0d0a",
	/* a reply */
	"81 485454502f312e3120323030204f4b0d0a436f6e74656e742d4c656e6774683a20320d0a0d0a6f6b",
	/* chunks: 5 hello, extension, trailer */
	"43 350d0a68656c6c6f0d0a413b783d790d0a303132333435363738390d0a300d0a543a20310d0a0d0a",
	"40 3130300d0a", "41 300d0a0d0a", "42 66666666666666666666", "00 0d0a", "00 0a", NULL,
};

static void check_inside(struct bytes part, struct bytes whole)
{
	/* "/" of a target without a path is a constant. */
	if (part.size <= 1)
		return;
	CHECK(part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void check_head(struct bytes in, size_t step, bool is_reply)
{
	struct http_head head, again;
	size_t scanned = 0, used = 0, used_again = 0, have = 0;
	int whole = http_head_parse(&head, in, &scanned, HEAD_MAX, is_reply, &used);
	int part = HTTP_PARSE_MORE;

	scanned = 0;
	while (part == HTTP_PARSE_MORE && have < in.size) {
		have = MIN(have + step, in.size);
		part = http_head_parse(&again, bytes_of(in.data, have), &scanned, HEAD_MAX, is_reply,
				       &used_again);
	}
	if (in.size == 0)
		return;
	/* A fault behind the limit's end may be met as either. */
	CHECK((whole == HTTP_PARSE_DONE) == (part == HTTP_PARSE_DONE));
	CHECK(whole != HTTP_PARSE_MORE || part == HTTP_PARSE_MORE);
	if (whole != HTTP_PARSE_DONE)
		return;
	CHECK(used == used_again && used <= HEAD_MAX && used <= in.size);
	CHECK(head.length == again.length && head.chunked == again.chunked &&
	      head.keep_alive == again.keep_alive && bytes_equal(head.host, again.host) &&
	      bytes_equal(head.path, again.path) && bytes_equal(head.origin, again.origin));
	CHECK(!(head.chunked && head.has_length));
	check_inside(head.method, in);
	check_inside(head.path, in);
	check_inside(head.query, in);
	check_inside(head.host, in);
	check_inside(head.origin, in);
	check_inside(head.content_type, in);
	check_inside(http_host_name(head.host), in);
	(void)http_host_is_local(http_host_name(head.host));
	(void)http_list_allows("a, http://x,", head.origin);
}

static void check_chunks(struct bytes in, size_t step)
{
	struct http_chunks c = { 0 }, d = { 0 };
	struct buf body = { 0 }, again = { 0 };
	size_t used = 0, part_used = 0, have = 0;
	int whole = http_chunks_feed(&c, in, &used, &body, BODY_MAX);
	int part = HTTP_PARSE_MORE;

	while (part == HTTP_PARSE_MORE && have < in.size) {
		size_t size = MIN(step, in.size - have);

		part = http_chunks_feed(&d, bytes_of(in.data + have, size), &part_used, &again, BODY_MAX);
		CHECK(part_used <= size);
		have += part_used;
		CHECK(part != HTTP_PARSE_MORE || part_used == size);
	}
	CHECK(whole == part);
	CHECK(body.size <= BODY_MAX && again.size <= BODY_MAX);
	if (whole == HTTP_PARSE_DONE) {
		CHECK(used == have);
		CHECK(bytes_equal(buf_bytes(&body), buf_bytes(&again)));
	}
	buf_clear(&body);
	buf_clear(&again);
}

/* The first byte: bit 7 reply, bit 6 chunks, the rest the step of trickling. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;
	size_t step;

	if (size == 0)
		return 0;
	step = (data[0] & 0x3f) + 1;
	/* A block of just this size, so that a sanitizer sees a step beyond it. */
	copy = xmalloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 0x40)
		check_chunks(bytes_of(copy, size - 1), step);
	else
		check_head(bytes_of(copy, size - 1), step, data[0] & 0x80);
	free(copy);
	return 0;
}
