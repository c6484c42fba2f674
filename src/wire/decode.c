#include "wire/wire.h"

#include <stdlib.h>

#include "base/check.h"
#include "wire/envelope.pb-c.h"
#include "wire/walk.h"

#define BUDGET_KEEP_SIZE (256 * KIB) /* memory beyond it goes back after a large message */
#define BUDGET_FIXED 4096            /* structs of the envelope and its body */
#define BUDGET_ELEMENT 256           /* an element's: protobuf-c's notes on it, its struct and
                                        pointers, our own, and alignment */
#define TAG_SIZE 1
#define TAG_LENGTH_TYPE 2            /* protobuf's wire type of what has a length */

static_assert(WIRE_KIND_COUNT <= 16, "a kind's tag is one byte");

/* A frame's parts around the body: header, tag and length. */
#define FRAME_AROUND_MAX WIRE_PEEK_SIZE

size_t wire_frame_size_max(enum wire_kind kind)
{
	switch (kind) {
	case WIRE_HELLO:
		return FRAME_AROUND_MAX + 512;
	case WIRE_TRANSACTIONS:
		/* Tag and length of each; the flag. */
		return FRAME_AROUND_MAX + WIRE_TRANSACTIONS_SIZE_MAX +
		       4 * WIRE_TRANSACTIONS_COUNT_MAX + 2;
	case WIRE_CONSENSUS:
		return FRAME_AROUND_MAX + MESSAGE_SIZE_MAX + 6;
	case WIRE_BLOCKS:
		return FRAME_AROUND_MAX + WIRE_BLOCKS_SIZE_MAX + 6 * WIRE_BLOCKS_COUNT_MAX + 11;
	case WIRE_EVIDENCE:
		return FRAME_AROUND_MAX + WIRE_EVIDENCE_SIZE_MAX + 6;
	case WIRE_CHECKPOINT:
		return FRAME_AROUND_MAX + WIRE_CHECKPOINT_SIZE_MAX + 6;
	case WIRE_BLOCKS_REQUEST:
	case WIRE_STATUS:
	case WIRE_PING:
	case WIRE_PONG:
	case WIRE_GOODBYE:
		return FRAME_AROUND_MAX + 64;
	}
	UNREACHABLE();
}

/* --- frames --- */

static int peek_kind(struct bytes in, unsigned kinds, enum wire_kind *kind, struct err *err)
{
	uint8_t tag = in.data[WIRE_HEADER_SIZE];
	unsigned number = tag >> 3;

	if ((tag & 7) != TAG_LENGTH_TYPE || number == 0 || number >= WIRE_KIND_COUNT)
		return ERR_SET(err, WIRE_E_KIND, "frame: there is no kind with tag %u", tag);
	if (!(kinds & WIRE_KIND_BIT(number)))
		return ERR_SET(err, WIRE_E_KIND, "frame: no %s is due",
			       wire_kind_name((enum wire_kind)number));
	*kind = (enum wire_kind)number;
	return OK;
}

int wire_peek(struct bytes in, unsigned kinds, enum wire_kind *kind, size_t *size,
	      struct err *err)
{
	size_t whole, at = WIRE_HEADER_SIZE + TAG_SIZE, size_max = WIRE_FRAME_SIZE_MAX;
	uint64_t length;
	int code;

	*size = 0;
	if (in.size < WIRE_HEADER_SIZE)
		return OK;
	whole = WIRE_HEADER_SIZE + (size_t)load_be32(in.data);
	if (in.size > WIRE_HEADER_SIZE) {
		code = peek_kind(in, kinds, kind, err);
		if (code != OK)
			return code;
		size_max = wire_frame_size_max(*kind);
	}
	if (whole > size_max || whole < WIRE_HEADER_SIZE + TAG_SIZE + 1)
		return ERR_SET(err, WIRE_E_SIZE, "frame: %zu bytes", whole);
	in.size = MIN(in.size, whole);
	if (walk_varint(in, &at, &length)) {
		/* One message, and nothing beside it. */
		if (length != whole - at)
			return ERR_SET(err, WIRE_E_FORM, "frame: a body of %llu bytes, %zu stand",
				       (unsigned long long)length, whole - at);
		*size = whole;
	} else if (in.size >= MIN(whole, (size_t)WIRE_PEEK_SIZE)) {
		return ERR_SET(err, WIRE_E_FORM, "frame: the body's size is not in its short form");
	}
	return OK;
}

/* --- memory --- */

/* All that protobuf-c asks for comes from one block, whose size the walk decided. */
struct wire_decoder {
	uint8_t *block;
	size_t capacity, budget, used;
	ProtobufCAllocator allocator;
};

static void *take(void *ctx, size_t size)
{
	struct wire_decoder *d = ctx;
	size_t rounded = (size + 15) & ~(size_t)15;
	void *p;

	if (rounded < size || rounded > d->budget - d->used)
		return NULL;
	p = d->block + d->used;
	d->used += rounded;
	return p;
}

static void give_back(void *ctx, void *p)
{
	(void)ctx;
	(void)p; /* all at once, by the next message */
}

struct wire_decoder *wire_decoder_new(void)
{
	struct wire_decoder *d = xcalloc(1, sizeof(*d));

	d->allocator = (ProtobufCAllocator){ take, give_back, d };
	return d;
}

void wire_decoder_free(struct wire_decoder *d)
{
	if (!d)
		return;
	free(d->block);
	free(d);
}

static void set_budget(struct wire_decoder *d, size_t budget)
{
	bool is_too_large = d->capacity > BUDGET_KEEP_SIZE && budget <= BUDGET_KEEP_SIZE;

	if (budget > d->capacity || is_too_large) {
		free(d->block);
		d->capacity = MAX(budget, (size_t)BUDGET_KEEP_SIZE);
		d->block = xmalloc(d->capacity);
	}
	d->budget = budget;
	d->used = 0;
}

/* --- from protobuf-c's structs to ours --- */

static struct bytes from_binary(ProtobufCBinaryData b)
{
	return bytes_of(b.data, b.len);
}

static int take_hello(struct wire_hello *out, const Weft__Hello *h, struct err *err)
{
	*out = (struct wire_hello){
		.protocol_version = h->protocol_version,
		.chain_id = h->chain_id,
		.height = h->height,
		.listen_port = (uint16_t)h->listen_port,
		.software = from_binary(h->software),
		.instance = h->instance,
	};
	memcpy(out->genesis_hash.bytes, h->genesis_hash.data, 32);
	memcpy(out->address.bytes, h->address.data, 20);
	memcpy(out->signature.r, h->signature.data, 32);
	memcpy(out->signature.s, h->signature.data + 32, 32);
	out->signature.recovery_id = h->signature.data[64];
	memcpy(out->block_hash.bytes, h->block_hash.data, 32);
	if (out->signature.recovery_id > 1)
		return ERR_SET(err, WIRE_E_VALUE, "hello: recovery id %u",
			       out->signature.recovery_id);
	return OK;
}

static int take_transactions(struct wire_decoder *d, struct wire_transactions *out,
			     const Weft__Transactions *t)
{
	struct bytes *items = take(d, t->n_transactions * sizeof(*items));

	if (!items)
		return WIRE_E_BUDGET;
	for (size_t i = 0; i < t->n_transactions; i++)
		items[i] = from_binary(t->transactions[i]);
	*out = (struct wire_transactions){ items, t->n_transactions, t->is_spread };
	return OK;
}

static int take_blocks(struct wire_decoder *d, struct wire_blocks *out, const Weft__Blocks *b)
{
	struct wire_block *items = take(d, b->n_blocks * sizeof(*items));

	if (!items)
		return WIRE_E_BUDGET;
	for (size_t i = 0; i < b->n_blocks; i++) {
		items[i].sealed = from_binary(b->blocks[i]->sealed);
		items[i].certificate = from_binary(b->blocks[i]->certificate);
	}
	*out = (struct wire_blocks){ b->from_height, items, b->n_blocks };
	return OK;
}

static int take_body(struct wire_decoder *d, struct wire_message *out, const Weft__Envelope *e,
		     struct err *err)
{
	switch (out->kind) {
	case WIRE_HELLO:
		return take_hello(&out->hello, e->hello, err);
	case WIRE_TRANSACTIONS:
		return take_transactions(d, &out->transactions, e->transactions);
	case WIRE_CONSENSUS:
		out->consensus = from_binary(e->consensus->message);
		return OK;
	case WIRE_BLOCKS_REQUEST:
		out->blocks_request = (struct wire_blocks_request){ e->blocks_request->from_height,
								    e->blocks_request->count };
		return OK;
	case WIRE_BLOCKS:
		return take_blocks(d, &out->blocks, e->blocks);
	case WIRE_STATUS:
		out->status.height = e->status->height;
		memcpy(out->status.block_hash.bytes, e->status->block_hash.data, 32);
		return OK;
	case WIRE_PING:
		out->nonce = e->ping->nonce;
		return OK;
	case WIRE_PONG:
		out->nonce = e->pong->nonce;
		return OK;
	case WIRE_EVIDENCE:
		out->evidence = from_binary(e->evidence->evidence);
		return OK;
	case WIRE_GOODBYE:
		out->reason = e->goodbye->reason;
		return OK;
	case WIRE_CHECKPOINT:
		out->checkpoint = from_binary(e->checkpoint->checkpoint);
		return OK;
	}
	UNREACHABLE();
}

int wire_decode(struct wire_decoder *d, struct bytes frame, struct wire_message *out,
		struct err *err)
{
	struct bytes envelope, body;
	struct walk walk = { .err = err };
	struct wire_message m = { 0 };
	Weft__Envelope *unpacked;
	size_t size, around;
	int code;

	code = wire_peek(frame, WIRE_KINDS_ALL, &m.kind, &size, err);
	if (code != OK)
		return code;
	if (size == 0 || size != frame.size)
		return ERR_SET(err, WIRE_E_SIZE, "frame: %zu bytes are not one whole", frame.size);
	envelope = bytes_of(frame.data + WIRE_HEADER_SIZE, frame.size - WIRE_HEADER_SIZE);
	around = TAG_SIZE;
	CHECK(walk_varint(envelope, &around, &(uint64_t){ 0 }));
	body = bytes_of(envelope.data + around, envelope.size - around);
	code = walk_body(&walk, m.kind, body);
	if (code != OK)
		return code;
	set_budget(d, body.size + BUDGET_FIXED + BUDGET_ELEMENT * walk.element_count);
	unpacked = weft__envelope__unpack(&d->allocator, envelope.size, envelope.data);
	if (!unpacked || unpacked->body_case != (Weft__Envelope__BodyCase)m.kind)
		return ERR_SET(err, WIRE_E_BUDGET, "%s: can't be unpacked in %zu bytes",
			       wire_kind_name(m.kind), d->budget);
	code = take_body(d, &m, unpacked, err);
	if (code == WIRE_E_BUDGET)
		return ERR_SET(err, code, "%s: no room left in %zu bytes", wire_kind_name(m.kind),
			       d->budget);
	if (code == OK)
		*out = m;
	return code;
}
