#include "wire/wire.h"

#include <stdlib.h>

#include "base/check.h"
#include "wire/envelope.pb-c.h"

/* protobuf-c's structs take pointers to what they only read. */
static ProtobufCBinaryData binary(struct bytes b)
{
	union {
		const uint8_t *borrowed;
		uint8_t *data;
	} u = { .borrowed = b.data };

	return (ProtobufCBinaryData){ .len = b.size, .data = u.data };
}

/* Packs straight into the frame. */
static void put_envelope(struct buf *out, enum wire_kind kind, const Weft__Envelope *envelope)
{
	size_t size = weft__envelope__get_packed_size(envelope);
	uint8_t *at;

	CHECK(WIRE_HEADER_SIZE + size <= wire_frame_size_max(kind));
	at = buf_extend(out, WIRE_HEADER_SIZE + size);
	store_be32(at, (uint32_t)size);
	CHECK(weft__envelope__pack(envelope, at + WIRE_HEADER_SIZE) == size);
}

static void encode_hello(struct buf *out, Weft__Envelope *envelope, const struct wire_hello *h)
{
	Weft__Hello hello = WEFT__HELLO__INIT;
	uint8_t signature[SEAL_SIZE];

	CHECK(h->software.size <= WIRE_SOFTWARE_SIZE_MAX);
	memcpy(signature, h->signature.r, 32);
	memcpy(signature + 32, h->signature.s, 32);
	signature[64] = h->signature.recovery_id;
	hello.protocol_version = h->protocol_version;
	hello.chain_id = h->chain_id;
	hello.genesis_hash = binary(hash_bytes(&h->genesis_hash));
	hello.address = binary(addr_bytes(&h->address));
	hello.signature = binary(bytes_of(signature, sizeof(signature)));
	hello.height = h->height;
	hello.block_hash = binary(hash_bytes(&h->block_hash));
	hello.listen_port = h->listen_port;
	hello.software = binary(h->software);
	hello.instance = h->instance;
	envelope->hello = &hello;
	put_envelope(out, WIRE_HELLO, envelope);
}

static void encode_transactions(struct buf *out, Weft__Envelope *envelope,
				const struct wire_transactions *t)
{
	Weft__Transactions transactions = WEFT__TRANSACTIONS__INIT;
	ProtobufCBinaryData *items;

	CHECK(t->count > 0 && t->count <= WIRE_TRANSACTIONS_COUNT_MAX);
	items = xmalloc(t->count * sizeof(*items));
	for (size_t i = 0; i < t->count; i++)
		items[i] = binary(t->items[i]);
	transactions.n_transactions = t->count;
	transactions.transactions = items;
	transactions.is_spread = t->is_spread;
	envelope->transactions = &transactions;
	put_envelope(out, WIRE_TRANSACTIONS, envelope);
	free(items);
}

static void encode_blocks(struct buf *out, Weft__Envelope *envelope, const struct wire_blocks *b)
{
	Weft__Block *pointers[WIRE_BLOCKS_COUNT_MAX];
	Weft__Block items[WIRE_BLOCKS_COUNT_MAX];
	Weft__Blocks blocks = WEFT__BLOCKS__INIT;

	CHECK(b->count <= WIRE_BLOCKS_COUNT_MAX);
	for (size_t i = 0; i < b->count; i++) {
		weft__block__init(&items[i]);
		items[i].sealed = binary(b->items[i].sealed);
		items[i].certificate = binary(b->items[i].certificate);
		pointers[i] = &items[i];
	}
	blocks.from_height = b->from_height;
	blocks.n_blocks = b->count;
	blocks.blocks = pointers;
	envelope->blocks = &blocks;
	put_envelope(out, WIRE_BLOCKS, envelope);
}

/* The kinds of one or two plain fields. */
static void encode_small(struct buf *out, Weft__Envelope *envelope, const struct wire_message *m)
{
	Weft__Consensus consensus = WEFT__CONSENSUS__INIT;
	Weft__BlocksRequest request = WEFT__BLOCKS_REQUEST__INIT;
	Weft__Status status = WEFT__STATUS__INIT;
	Weft__Ping ping = WEFT__PING__INIT;
	Weft__Pong pong = WEFT__PONG__INIT;
	Weft__Evidence evidence = WEFT__EVIDENCE__INIT;
	Weft__Goodbye goodbye = WEFT__GOODBYE__INIT;
	Weft__Checkpoint checkpoint = WEFT__CHECKPOINT__INIT;

	if (m->kind == WIRE_CONSENSUS) {
		consensus.message = binary(m->consensus);
		envelope->consensus = &consensus;
	} else if (m->kind == WIRE_BLOCKS_REQUEST) {
		request.from_height = m->blocks_request.from_height;
		request.count = m->blocks_request.count;
		envelope->blocks_request = &request;
	} else if (m->kind == WIRE_STATUS) {
		status.height = m->status.height;
		status.block_hash = binary(hash_bytes(&m->status.block_hash));
		envelope->status = &status;
	} else if (m->kind == WIRE_PING) {
		ping.nonce = m->nonce;
		envelope->ping = &ping;
	} else if (m->kind == WIRE_PONG) {
		pong.nonce = m->nonce;
		envelope->pong = &pong;
	} else if (m->kind == WIRE_EVIDENCE) {
		evidence.evidence = binary(m->evidence);
		envelope->evidence = &evidence;
	} else if (m->kind == WIRE_CHECKPOINT) {
		checkpoint.checkpoint = binary(m->checkpoint);
		envelope->checkpoint = &checkpoint;
	} else {
		CHECK(m->kind == WIRE_GOODBYE);
		goodbye.reason = m->reason;
		envelope->goodbye = &goodbye;
	}
	put_envelope(out, m->kind, envelope);
}

void wire_encode(struct buf *out, const struct wire_message *m)
{
	Weft__Envelope envelope = WEFT__ENVELOPE__INIT;

	CHECK(m->kind > 0 && m->kind < WIRE_KIND_COUNT);
	envelope.body_case = (Weft__Envelope__BodyCase)m->kind;
	switch (m->kind) {
	case WIRE_HELLO:
		encode_hello(out, &envelope, &m->hello);
		return;
	case WIRE_TRANSACTIONS:
		encode_transactions(out, &envelope, &m->transactions);
		return;
	case WIRE_BLOCKS:
		encode_blocks(out, &envelope, &m->blocks);
		return;
	case WIRE_CONSENSUS:
	case WIRE_BLOCKS_REQUEST:
	case WIRE_STATUS:
	case WIRE_PING:
	case WIRE_PONG:
	case WIRE_EVIDENCE:
	case WIRE_GOODBYE:
	case WIRE_CHECKPOINT:
		encode_small(out, &envelope, m);
		return;
	}
	UNREACHABLE();
}
