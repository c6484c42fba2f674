/*
 * walk - looks through a protobuf message before it is unpacked: fields, order,
 * form, sizes and counts against a table. Pure, allocates nothing.
 *
 * The tables (walk.c) form a tree, whose depth is the depth of the walk.
 */
#ifndef WEFT_WIRE_WALK_H
#define WEFT_WIRE_WALK_H

#include "wire/wire.h"

/* The walk's result: how many elements (fields of any kind, at any depth) there
 * are; protobuf-c's memory for them is bounded by their number. */
struct walk {
	size_t element_count;
	struct err *err;
};

/* Walks the body of an envelope, a message of `kind`. */
int walk_body(struct walk *w, enum wire_kind kind, struct bytes body);

/* Reads one varint in its shortest form, of at most 64 bits. False, and *at as it
 * was, if there is none. */
bool walk_varint(struct bytes in, size_t *at, uint64_t *out);

#endif
