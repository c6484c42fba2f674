#include "wire/walk.h"

#include "base/check.h"

#define WALK_DEPTH_MAX 2 /* the body, and what it repeats */
#define VARINT_SIZE_MAX 10

enum field_type {
	FIELD_NUMBER,  /* a varint; not 0, which is left out; at most `max` */
	FIELD_BYTES,   /* min to max bytes */
	FIELD_TEXT,    /* as FIELD_BYTES, printable ASCII */
	FIELD_MESSAGE, /* of `shape`, min to max bytes */
};

struct field {
	uint32_t number;
	enum field_type type;
	bool is_required; /* at least one */
	uint64_t min, max;
	size_t count_max; /* 1 unless repeated */
	uint64_t total_max; /* of a repeated one's sizes */
	const struct shape *shape;
};

struct shape {
	const char *name;
	size_t field_count;
	const struct field *fields; /* by rising number */
};

#define SHAPE(text, table) { .name = (text), .field_count = ARRAY_COUNT(table), .fields = (table) }
#define NUMBER(n, limit) \
	{ .number = (n), .type = FIELD_NUMBER, .min = 1, .max = (limit), .count_max = 1 }
#define NUMBER_DUE(n, limit) \
	{ .number = (n), .type = FIELD_NUMBER, .is_required = true, .min = 1, .max = (limit), \
	  .count_max = 1 }
#define BYTES(n, low, high) \
	{ .number = (n), .type = FIELD_BYTES, .is_required = true, .min = (low), .max = (high), \
	  .count_max = 1 }

static const struct field hello_fields[] = {
	NUMBER(1, UINT32_MAX),
	NUMBER(2, UINT64_MAX),
	BYTES(3, 32, 32),
	BYTES(4, 20, 20),
	BYTES(5, SEAL_SIZE, SEAL_SIZE),
	NUMBER(6, UINT64_MAX),
	BYTES(7, 32, 32),
	NUMBER(8, UINT16_MAX),
	{ .number = 9, .type = FIELD_TEXT, .min = 1, .max = WIRE_SOFTWARE_SIZE_MAX,
	  .count_max = 1 },
	NUMBER(10, UINT64_MAX),
};

static const struct field transactions_fields[] = {
	{ .number = 1, .type = FIELD_BYTES, .is_required = true, .min = 1, .max = LIMIT_TX_SIZE,
	  .count_max = WIRE_TRANSACTIONS_COUNT_MAX, .total_max = WIRE_TRANSACTIONS_SIZE_MAX },
	NUMBER(2, 1),
};

static const struct field consensus_fields[] = { BYTES(1, 1, MESSAGE_SIZE_MAX) };

static const struct field blocks_request_fields[] = {
	NUMBER(1, UINT64_MAX),
	NUMBER_DUE(2, WIRE_BLOCKS_COUNT_MAX),
};

static const struct field block_fields[] = {
	BYTES(1, 1, BLOCK_SEALED_SIZE_MAX),
	BYTES(2, 1, WIRE_CERTIFICATE_SIZE_MAX),
};

static const struct shape block_shape = SHAPE("block", block_fields);

static const struct field blocks_fields[] = {
	NUMBER(1, UINT64_MAX),
	{ .number = 2, .type = FIELD_MESSAGE, .min = 4, .max = WIRE_BLOCKS_SIZE_MAX,
	  .count_max = WIRE_BLOCKS_COUNT_MAX, .total_max = WIRE_BLOCKS_SIZE_MAX,
	  .shape = &block_shape },
};

static const struct field status_fields[] = { NUMBER(1, UINT64_MAX), BYTES(2, 32, 32) };
static const struct field nonce_fields[] = { NUMBER(1, UINT64_MAX) };
static const struct field evidence_fields[] = { BYTES(1, 1, WIRE_EVIDENCE_SIZE_MAX) };
static const struct field checkpoint_fields[] = { BYTES(1, 1, WIRE_CHECKPOINT_SIZE_MAX) };
static const struct field goodbye_fields[] = { NUMBER(1, UINT32_MAX) };

static const struct shape body_shapes[WIRE_KIND_COUNT] = {
	[WIRE_HELLO] = SHAPE("hello", hello_fields),
	[WIRE_TRANSACTIONS] = SHAPE("transactions", transactions_fields),
	[WIRE_CONSENSUS] = SHAPE("consensus", consensus_fields),
	[WIRE_BLOCKS_REQUEST] = SHAPE("blocks request", blocks_request_fields),
	[WIRE_BLOCKS] = SHAPE("blocks", blocks_fields),
	[WIRE_STATUS] = SHAPE("status", status_fields),
	[WIRE_PING] = SHAPE("ping", nonce_fields),
	[WIRE_PONG] = SHAPE("pong", nonce_fields),
	[WIRE_EVIDENCE] = SHAPE("evidence", evidence_fields),
	[WIRE_GOODBYE] = SHAPE("goodbye", goodbye_fields),
	[WIRE_CHECKPOINT] = SHAPE("checkpoint", checkpoint_fields),
};

const char *wire_kind_name(enum wire_kind kind)
{
	CHECK(kind > 0 && kind < WIRE_KIND_COUNT);
	return body_shapes[kind].name;
}

bool walk_varint(struct bytes in, size_t *at, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < VARINT_SIZE_MAX && *at + i < in.size; i++) {
		uint8_t byte = in.data[*at + i];

		/* The tenth byte holds the one bit that is left. */
		if (i == VARINT_SIZE_MAX - 1 && byte > 1)
			return false;
		value |= (uint64_t)(byte & 0x7f) << 7 * i;
		if (byte & 0x80)
			continue;
		if (byte == 0 && i > 0)
			return false; /* a shorter form exists */
		*at += i + 1;
		*out = value;
		return true;
	}
	return false;
}

static const struct field *field_of(const struct shape *shape, uint64_t number)
{
	for (size_t i = 0; i < shape->field_count; i++)
		if (shape->fields[i].number == number)
			return &shape->fields[i];
	return NULL;
}

static bool is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] < 0x20 || text.data[i] > 0x7e)
			return false;
	return true;
}

/* One field's value: a number, or the content of what has a length. */
struct value {
	uint64_t number;
	struct bytes content;
};

/* Reads tag and value at *at. */
static int read_field(struct walk *w, const struct shape *shape, struct bytes in, size_t *at,
		      const struct field **field, struct value *value)
{
	uint64_t tag, length;
	unsigned wire_type, due;

	if (!walk_varint(in, at, &tag) || tag >> 32)
		return ERR_SET(w->err, WIRE_E_FORM, "%s: a tag that is none", shape->name);
	*field = field_of(shape, tag >> 3);
	if (!*field)
		return ERR_SET(w->err, WIRE_E_UNKNOWN, "%s: there is no field %llu", shape->name,
			       (unsigned long long)(tag >> 3));
	wire_type = tag & 7;
	due = (*field)->type == FIELD_NUMBER ? 0 : 2;
	if (wire_type != due)
		return ERR_SET(w->err, WIRE_E_FORM, "%s: field %u has wire type %u", shape->name,
			       (*field)->number, wire_type);
	if (!walk_varint(in, at, &length))
		return ERR_SET(w->err, WIRE_E_FORM, "%s: field %u: no number in its shortest form",
			       shape->name, (*field)->number);
	value->number = length;
	value->content = bytes_of(NULL, 0);
	if (due == 0)
		return OK;
	if (length > in.size - *at)
		return ERR_SET(w->err, WIRE_E_FORM, "%s: field %u goes beyond the end", shape->name,
			       (*field)->number);
	value->content = bytes_of(in.data + *at, (size_t)length);
	*at += (size_t)length;
	return OK;
}

static int check_range(struct walk *w, const struct shape *shape, const struct field *field,
		       const struct value *value)
{
	bool is_number = field->type == FIELD_NUMBER;

	if (value->number >= field->min && value->number <= field->max)
		return OK;
	return ERR_SET(w->err, is_number ? WIRE_E_VALUE : WIRE_E_SIZE,
		       "%s: field %u: %s %llu, %llu to %llu are allowed", shape->name,
		       field->number, is_number ? "value" : "size",
		       (unsigned long long)value->number,
		       (unsigned long long)field->min, (unsigned long long)field->max);
}

/* How far a walk through one message has come. */
struct place {
	uint32_t number; /* of the last field */
	size_t count;    /* of that field so far */
	uint64_t total;  /* of its sizes */
};

static int check_order(struct walk *w, const struct shape *shape, const struct field *field,
		       const struct value *value, struct place *place)
{
	if (field->number < place->number)
		return ERR_SET(w->err, WIRE_E_FORM, "%s: field %u after field %u", shape->name,
			       field->number, place->number);
	if (field->number > place->number)
		*place = (struct place){ .number = field->number };
	place->count++;
	if (place->count > field->count_max)
		return ERR_SET(w->err, WIRE_E_COUNT, "%s: field %u stands more than %zu times",
			       shape->name, field->number, field->count_max);
	place->total += value->content.size;
	if (field->total_max && place->total > field->total_max)
		return ERR_SET(w->err, WIRE_E_SIZE, "%s: field %u has more than %llu bytes in all",
			       shape->name, field->number, (unsigned long long)field->total_max);
	return OK;
}

/* Every required field after `last` and before `next` is missing. */
static int check_missing(struct walk *w, const struct shape *shape, uint32_t last, uint64_t next)
{
	for (size_t i = 0; i < shape->field_count; i++) {
		const struct field *f = &shape->fields[i];

		if (f->is_required && f->number > last && f->number < next)
			return ERR_SET(w->err, WIRE_E_VALUE, "%s: field %u is missing", shape->name,
				       f->number);
	}
	return OK;
}

static int walk_message(struct walk *w, const struct shape *shape, struct bytes in, int depth)
{
	struct place place = { 0 };
	const struct field *field = NULL;
	struct value value = { 0 };
	uint32_t last;
	size_t at = 0;
	int code;

	CHECK(depth <= WALK_DEPTH_MAX);
	while (at < in.size) {
		last = place.number;
		code = read_field(w, shape, in, &at, &field, &value);
		if (code == OK)
			code = check_range(w, shape, field, &value);
		if (code == OK)
			code = check_order(w, shape, field, &value, &place);
		if (code == OK)
			code = check_missing(w, shape, last, field->number);
		if (code == OK && field->type == FIELD_TEXT && !is_printable(value.content))
			code = ERR_SET(w->err, WIRE_E_VALUE, "%s: field %u is not printable ASCII",
				       shape->name, field->number);
		if (code == OK && field->type == FIELD_MESSAGE)
			code = walk_message(w, field->shape, value.content, depth + 1);
		if (code != OK)
			return code;
		w->element_count++;
	}
	return check_missing(w, shape, place.number, UINT64_MAX);
}

int walk_body(struct walk *w, enum wire_kind kind, struct bytes body)
{
	CHECK(kind > 0 && kind < WIRE_KIND_COUNT);
	return walk_message(w, &body_shapes[kind], body, 1);
}
