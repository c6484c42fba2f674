#include "io/http_parse.h"

#include <arpa/inet.h>
#include <strings.h>

#define CHUNK_LINE_MAX 256     /* a size line with its extensions */
#define CHUNK_TRAILER_MAX 4096

enum {
	CHUNK_SIZE,      /* the digits of a size line */
	CHUNK_EXTENSION, /* the rest of that line, ignored */
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_START,   /* at the start of a trailer line */
	TRAILER_LINE,
	TRAILER_LF,
	TRAILER_END_LF,
};

bool http_text_equal(struct bytes a, const char *b)
{
	return a.size == strlen(b) && strncasecmp((const char *)a.data, b, a.size) == 0;
}

/* A token character of RFC 9110 §5.6.2. */
static bool is_token(uint8_t c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool all_tokens(struct bytes s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!is_token(s.data[i]))
			return false;
	return s.size > 0;
}

static struct bytes slice(struct bytes s, size_t start, size_t end)
{
	return bytes_of(s.data + start, end - start);
}

static struct bytes trim(struct bytes s)
{
	while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
		s.data++;
		s.size--;
	}
	while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
		s.size--;
	return s;
}

/* Splits the next comma-separated item off *list; false at the end. */
static bool next_item(struct bytes *list, struct bytes *item)
{
	const uint8_t *comma;

	if (list->size == 0)
		return false;
	comma = memchr(list->data, ',', list->size);
	*item = trim(slice(*list, 0, comma ? (size_t)(comma - list->data) : list->size));
	*list = comma ? slice(*list, (size_t)(comma - list->data) + 1, list->size)
		      : bytes_of(NULL, 0);
	return true;
}

bool http_list_allows(const char *list, struct bytes item)
{
	struct bytes rest = list ? bytes_of_str(list) : bytes_of(NULL, 0);
	struct bytes one;

	while (next_item(&rest, &one)) {
		if (http_text_equal(one, "*"))
			return true;
		if (one.size > 0 && one.size == item.size &&
		    strncasecmp((const char *)one.data, (const char *)item.data, one.size) == 0)
			return true;
	}
	return false;
}

struct bytes http_host_name(struct bytes host)
{
	const uint8_t *end;

	if (host.size > 0 && host.data[0] == '[') {
		end = memchr(host.data, ']', host.size);
		return end ? slice(host, 1, (size_t)(end - host.data)) : bytes_of(NULL, 0);
	}
	end = host.size > 0 ? memchr(host.data, ':', host.size) : NULL;
	return end ? slice(host, 0, (size_t)(end - host.data)) : host;
}

bool http_host_is_local(struct bytes name)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr scratch;

	if (http_text_equal(name, "localhost"))
		return true;
	if (name.size == 0 || name.size >= sizeof(text))
		return false;
	memcpy(text, name.data, name.size);
	text[name.size] = '\0';
	return inet_pton(AF_INET, text, &scratch) == 1 || inet_pton(AF_INET6, text, &scratch) == 1;
}

/* --- heads --- */

/* "HTTP/1.x" */
static int parse_version(struct http_head *out, struct bytes version)
{
	if (version.size != 8 || memcmp(version.data, "HTTP/", 5) != 0)
		return 400;
	if (memcmp(version.data + 5, "1.", 2) != 0)
		return 505;
	if (version.data[7] != '0' && version.data[7] != '1')
		return 505;
	out->minor = (unsigned)(version.data[7] - '0');
	out->keep_alive = out->minor == 1;
	return HTTP_PARSE_DONE;
}

/* "/path?query", "*", or "http://host/path?query" (RFC 9112 §3.2). */
static int parse_target(struct http_head *out, struct bytes target)
{
	const uint8_t *mark;
	size_t end;

	for (size_t i = 0; i < target.size; i++)
		if (target.data[i] <= ' ' || target.data[i] >= 0x7f)
			return 400;
	if (target.size > 7 && strncasecmp((const char *)target.data, "http://", 7) == 0) {
		target = slice(target, 7, target.size);
		mark = memchr(target.data, '/', target.size);
		end = mark ? (size_t)(mark - target.data) : target.size;
		out->host = slice(target, 0, end);
		out->is_absolute = true;
		target = mark ? slice(target, end, target.size) : bytes_of_str("/");
	}
	if (target.size == 0 || (target.data[0] != '/' && !http_text_equal(target, "*")))
		return 400;
	mark = memchr(target.data, '?', target.size);
	end = mark ? (size_t)(mark - target.data) : target.size;
	out->path = slice(target, 0, end);
	out->query = mark ? slice(target, end + 1, target.size) : bytes_of(NULL, 0);
	return HTTP_PARSE_DONE;
}

static int parse_request_line(struct http_head *out, struct bytes line)
{
	const uint8_t *first = memchr(line.data, ' ', line.size);
	const uint8_t *last = memrchr(line.data, ' ', line.size);
	int result;

	if (!first || first == last)
		return 400;
	out->method = slice(line, 0, (size_t)(first - line.data));
	if (!all_tokens(out->method))
		return 400;
	result = parse_version(out, slice(line, (size_t)(last - line.data) + 1, line.size));
	if (result != HTTP_PARSE_DONE)
		return result;
	return parse_target(out, slice(line, (size_t)(first - line.data) + 1,
				       (size_t)(last - line.data)));
}

static int parse_status_line(struct http_head *out, struct bytes line)
{
	int result;

	if (line.size < 12 || line.data[8] != ' ' || (line.size > 12 && line.data[12] != ' '))
		return 400;
	result = parse_version(out, slice(line, 0, 8));
	if (result != HTTP_PARSE_DONE)
		return result;
	for (size_t i = 9; i < 12; i++) {
		if (line.data[i] < '0' || line.data[i] > '9')
			return 400;
		out->status = out->status * 10 + (line.data[i] - '0');
	}
	return out->status >= 100 ? HTTP_PARSE_DONE : 400;
}

static int parse_length(struct http_head *out, struct bytes value)
{
	if (out->has_length || value.size == 0)
		return 400;
	out->has_length = true;
	for (size_t i = 0; i < value.size; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return 400;
		/* A length that overflows is as good as the largest. */
		if (out->length > (UINT64_MAX - 9) / 10)
			out->length = UINT64_MAX;
		else
			out->length = out->length * 10 + (uint64_t)(value.data[i] - '0');
	}
	return HTTP_PARSE_DONE;
}

static void parse_connection(struct http_head *out, struct bytes value)
{
	struct bytes item;

	while (next_item(&value, &item)) {
		if (http_text_equal(item, "close"))
			out->keep_alive = false;
		else if (http_text_equal(item, "keep-alive"))
			out->keep_alive = true;
	}
}

static int parse_field(struct http_head *out, struct bytes name, struct bytes value)
{
	if (http_text_equal(name, "content-length"))
		return parse_length(out, value);
	if (http_text_equal(name, "host")) {
		if (out->has_host)
			return 400;
		out->has_host = true;
		if (!out->is_absolute)
			out->host = value;
	} else if (http_text_equal(name, "transfer-encoding")) {
		if (!http_text_equal(value, "chunked"))
			return 501;
		if (out->chunked)
			return 400;
		out->chunked = true;
	} else if (http_text_equal(name, "connection")) {
		parse_connection(out, value);
	} else if (http_text_equal(name, "expect")) {
		if (!http_text_equal(value, "100-continue"))
			return 417;
		out->expects_continue = out->minor == 1;
	} else if (http_text_equal(name, "origin")) {
		if (out->has_origin)
			return 400;
		out->has_origin = true;
		out->origin = value;
	} else if (http_text_equal(name, "content-type")) {
		out->content_type = value;
	} else if (http_text_equal(name, "access-control-request-method")) {
		out->request_method = value;
	} else if (http_text_equal(name, "access-control-request-headers")) {
		out->request_headers = value;
	}
	return HTTP_PARSE_DONE;
}

static int parse_field_line(struct http_head *out, struct bytes line)
{
	const uint8_t *colon = memchr(line.data, ':', line.size);
	struct bytes name, value;

	if (!colon)
		return 400;
	name = slice(line, 0, (size_t)(colon - line.data));
	if (!all_tokens(name))
		return 400;
	value = trim(slice(line, name.size + 1, line.size));
	for (size_t i = 0; i < value.size; i++)
		if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f)
			return 400;
	return parse_field(out, name, value);
}

/* Finds where the head ends (behind its empty line) and refuses a line that does
 * not end in CR LF. 0: not there yet; SIZE_MAX: refused. */
static size_t find_end(struct bytes in, size_t *scanned)
{
	const uint8_t *lf;
	size_t at;

	while (*scanned < in.size) {
		lf = memchr(in.data + *scanned, '\n', in.size - *scanned);
		if (!lf) {
			*scanned = in.size;
			return 0;
		}
		at = (size_t)(lf - in.data);
		if (at == 0 || in.data[at - 1] != '\r')
			return SIZE_MAX;
		*scanned = at + 1;
		if (at >= 3 && in.data[at - 2] == '\n')
			return at + 1;
	}
	return 0;
}

/* What the fields together must keep. */
static int check_head(const struct http_head *h, bool is_reply)
{
	if (h->chunked && (h->has_length || h->minor == 0))
		return 400;
	if (!is_reply && h->minor == 1 && !h->has_host)
		return 400;
	return HTTP_PARSE_DONE;
}

int http_head_parse(struct http_head *out, struct bytes in, size_t *scanned, size_t size_max,
		    bool is_reply, size_t *used)
{
	size_t end, start = 0, count = 0;
	int result;

	*out = (struct http_head){ 0 };
	/* An empty line before a request is skipped (RFC 9112 §2.2), once. */
	if (*scanned == 0 && in.size >= 1 && in.data[0] == '\r') {
		if (in.size == 1)
			return HTTP_PARSE_MORE;
		if (in.data[1] != '\n')
			return 400;
		*scanned = 2;
	}
	end = find_end(in, scanned);
	if (end == SIZE_MAX)
		return 400;
	if (end == 0)
		return in.size > size_max ? 431 : HTTP_PARSE_MORE;
	if (end > size_max)
		return 431;
	if (in.data[0] == '\r')
		start = 2;
	for (; start < end - 2; count++) {
		const uint8_t *cr = memchr(in.data + start, '\n', end - start);
		struct bytes line = slice(in, start, (size_t)(cr - in.data) - 1);

		if (count > HTTP_FIELD_COUNT_MAX)
			return 431;
		if (count > 0)
			result = parse_field_line(out, line);
		else
			result = is_reply ? parse_status_line(out, line)
					  : parse_request_line(out, line);
		if (result != HTTP_PARSE_DONE)
			return result;
		start += line.size + 2;
	}
	if (count == 0)
		return 400;
	*used = end;
	return check_head(out, is_reply);
}

/* --- chunks --- */

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One byte of a size line. */
static int feed_size(struct http_chunks *c, uint8_t byte)
{
	int digit = hex_digit(byte);

	if (++c->line_size > CHUNK_LINE_MAX)
		return 400;
	if (c->state == CHUNK_SIZE && digit >= 0) {
		if (++c->digit_count > 15)
			return 413;
		c->left = c->left * 16 + (uint64_t)digit;
		return HTTP_PARSE_MORE;
	}
	if (c->digit_count == 0)
		return 400;
	if (byte == '\r')
		c->state = CHUNK_SIZE_LF;
	else if (c->state == CHUNK_SIZE && byte != ';' && byte != ' ' && byte != '\t')
		return 400;
	else if (byte < ' ' && byte != '\t')
		return 400;
	else
		c->state = CHUNK_EXTENSION;
	return HTTP_PARSE_MORE;
}

static int feed_trailer(struct http_chunks *c, uint8_t byte)
{
	if (++c->line_size > CHUNK_TRAILER_MAX)
		return 431;
	switch (c->state) {
	case TRAILER_START:
		c->state = byte == '\r' ? TRAILER_END_LF : TRAILER_LINE;
		return byte == '\n' ? 400 : HTTP_PARSE_MORE;
	case TRAILER_LINE:
		if (byte == '\r')
			c->state = TRAILER_LF;
		return byte == '\n' ? 400 : HTTP_PARSE_MORE;
	case TRAILER_LF:
		c->state = TRAILER_START;
		return byte == '\n' ? HTTP_PARSE_MORE : 400;
	default: /* TRAILER_END_LF */
		return byte == '\n' ? HTTP_PARSE_DONE : 400;
	}
}

static void start_chunk(struct http_chunks *c)
{
	c->line_size = 0;
	c->digit_count = 0;
	c->state = c->left > 0 ? CHUNK_DATA : TRAILER_START;
}

/* One byte of the framing between chunks. */
static int feed_frame(struct http_chunks *c, uint8_t byte)
{
	switch (c->state) {
	case CHUNK_SIZE:
	case CHUNK_EXTENSION:
		return feed_size(c, byte);
	case CHUNK_SIZE_LF:
		if (byte != '\n')
			return 400;
		start_chunk(c);
		return HTTP_PARSE_MORE;
	case CHUNK_DATA_CR:
		c->state = CHUNK_DATA_LF;
		return byte == '\r' ? HTTP_PARSE_MORE : 400;
	case CHUNK_DATA_LF:
		c->state = CHUNK_SIZE;
		return byte == '\n' ? HTTP_PARSE_MORE : 400;
	default:
		return feed_trailer(c, byte);
	}
}

int http_chunks_feed(struct http_chunks *c, struct bytes in, size_t *used, struct buf *body,
		     size_t size_max)
{
	size_t at = 0, part;
	int result;

	while (at < in.size) {
		if (c->state == CHUNK_DATA) {
			if (c->left > size_max - body->size) {
				*used = at;
				return 413;
			}
			part = MIN(c->left, in.size - at);
			buf_append(body, in.data + at, part);
			at += part;
			c->left -= part;
			if (c->left == 0)
				c->state = CHUNK_DATA_CR;
			continue;
		}
		result = feed_frame(c, in.data[at++]);
		if (result != HTTP_PARSE_MORE) {
			*used = at;
			return result;
		}
	}
	*used = at;
	return HTTP_PARSE_MORE;
}
