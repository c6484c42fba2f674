/*
 * json - reading and writing JSON (RFC 8259).
 *
 * Reading has jansson behind it, which refuses duplicate keys, bad UTF-8, NUL
 * in strings and trailing bytes; no jansson name leaves this folder (hence the
 * prefixes jval_ and jout_, since json_ is jansson's). Writing is ours: it
 * appends to a buf, never builds a tree and cannot fail.
 */
#ifndef WEFT_JSON_JSON_H
#define WEFT_JSON_JSON_H

#include "base/buf.h"
#include "base/err.h"

enum json_error {
	JSON_E_SYNTAX = ERR_BASE_JSON, /* not JSON; the message gives line and column */
	JSON_E_DEPTH,                  /* deeper than LIMIT_JSON_DEPTH_MAX */
};

/* --- reading --- */

/* A parsed document's value; borrowed from the document. NULL stands for
 * "absent", and every function below accepts it. */
struct jval;

enum jval_kind {
	JVAL_ABSENT, /* of NULL */
	JVAL_NULL,
	JVAL_BOOL,
	JVAL_INTEGER, /* fits int64_t */
	JVAL_REAL,
	JVAL_STRING,
	JVAL_ARRAY,
	JVAL_OBJECT,
};

/* Parses one document. On success `*out` is the root; end it with jval_free().
 * Depth is checked before jansson sees the text. An integer beyond int64_t is
 * JSON_E_SYNTAX. */
int jval_parse(struct jval **out, struct bytes text, struct err *err);
void jval_free(struct jval *root);

enum jval_kind jval_kind(const struct jval *v);

/* Of an array or object: how many elements or members; else 0. */
size_t jval_count(const struct jval *v);

/* Element `index` of an array; NULL beyond its end or on another kind. */
const struct jval *jval_at(const struct jval *v, size_t index);

/* Member `key` of an object; NULL if absent or on another kind. */
const struct jval *jval_get(const struct jval *v, const char *key);

/* Walks an object's members in the order of the text: start with *cursor = NULL. */
bool jval_next(const struct jval *v, void **cursor, const char **key, const struct jval **value);

/* A string's content (UTF-8, NUL-terminated behind it too); {NULL, 0} on another kind. */
struct bytes jval_string(const struct jval *v);

/* false or 0 on another kind; an integer has a real value too. */
bool jval_bool(const struct jval *v);
int64_t jval_integer(const struct jval *v);
double jval_real(const struct jval *v);

/* --- writing --- */

/* Writes one document into a buf that it borrows. Commas are placed by it; that
 * objects and arrays are closed, and that keys stand only in objects, is checked
 * (CHECK). */
struct jout {
	struct buf *out;
	unsigned depth;      /* containers that are open, at most LIMIT_JSON_DEPTH_MAX (CHECK) */
	uint64_t has_items;  /* bit d - 1: the container at depth d has an item */
	uint64_t is_object;  /* bit d - 1: it is an object */
	bool after_key;
	bool has_root;       /* the document's one value has begun */
};

void jout_init(struct jout *j, struct buf *out);
void jout_object(struct jout *j);
void jout_object_end(struct jout *j);
void jout_array(struct jout *j);
void jout_array_end(struct jout *j);

/* A member's key; the next call gives its value. `key` is plain ASCII. */
void jout_key(struct jout *j, const char *key);

/* Text is escaped; every byte that is not part of UTF-8 becomes U+FFFD. */
void jout_string(struct jout *j, struct bytes text);
void jout_str(struct jout *j, const char *text);
void jout_bool(struct jout *j, bool v);
void jout_null(struct jout *j);
void jout_integer(struct jout *j, int64_t v);
void jout_unsigned(struct jout *j, uint64_t v);

/* The shortest of 15 to 17 digits that reads back as `v`; never in the form of
 * an integer. JSON has no infinities and no NaN: those become null. */
void jout_real(struct jout *j, double v);

/* "0x…" strings: DATA and QUANTITY of JSON-RPC. */
void jout_data(struct jout *j, struct bytes data);
void jout_quantity(struct jout *j, uint64_t v);
void jout_quantity_be(struct jout *j, struct bytes be); /* a big-endian number, leading zeros dropped */

/* A value that was written elsewhere, as it stands. */
void jout_raw(struct jout *j, struct bytes json);

/* A parsed value, written again: strings, numbers, nested values alike; NULL
 * (absent) becomes null. Its own depth does not count towards the writer's. */
void jout_jval(struct jout *j, const struct jval *v);

#endif
