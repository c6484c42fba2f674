#include <criterion/criterion.h>

#include <stdlib.h>

#include "base/check.h"
#include "base/rand.h"
#include "wire/wire.h"

#define assert_refused(frame, code) assert_refused_at(__LINE__, (frame), (code))

static uint8_t zeros[WIRE_BLOCKS_SIZE_MAX];

static struct wire_hello hello(void)
{
	struct wire_hello h = {
		.protocol_version = 1,
		.chain_id = 31337,
		.signature = { .recovery_id = 1 },
		.height = 7,
		.listen_port = 30303,
		.instance = 0x1122334455667788,
		.software = bytes_of_str("weft/0.1.0"),
	};

	memset(h.genesis_hash.bytes, 1, 32);
	memset(h.address.bytes, 2, 20);
	memset(h.signature.r, 3, 32);
	memset(h.signature.s, 4, 32);
	memset(h.block_hash.bytes, 5, 32);
	return h;
}

/* One message of each kind, all fields set. */
static struct wire_message sample(enum wire_kind kind)
{
	static struct bytes items[] = { { (const uint8_t *)"abc", 3 },
					{ (const uint8_t *)"d", 1 } };
	static struct wire_block blocks[] = {
		{ { (const uint8_t *)"sealed", 6 }, { (const uint8_t *)"cert", 4 } },
		{ { (const uint8_t *)"x", 1 }, { (const uint8_t *)"y", 1 } },
	};
	struct wire_message m = { .kind = kind };

	switch (kind) {
	case WIRE_HELLO:
		m.hello = hello();
		break;
	case WIRE_TRANSACTIONS:
		m.transactions = (struct wire_transactions){ items, 2, true };
		break;
	case WIRE_CONSENSUS:
		m.consensus = bytes_of_str("vote");
		break;
	case WIRE_BLOCKS_REQUEST:
		m.blocks_request = (struct wire_blocks_request){ 300, 128 };
		break;
	case WIRE_BLOCKS:
		m.blocks = (struct wire_blocks){ 9, blocks, 2 };
		break;
	case WIRE_STATUS:
		m.status.height = UINT64_MAX;
		memset(m.status.block_hash.bytes, 6, 32);
		break;
	case WIRE_PING:
	case WIRE_PONG:
		m.nonce = 1ull << 63;
		break;
	case WIRE_EVIDENCE:
		m.evidence = bytes_of_str("both");
		break;
	case WIRE_GOODBYE:
		m.reason = 3;
		break;
	case WIRE_CHECKPOINT:
		m.checkpoint = bytes_of_str("final");
		break;
	}
	return m;
}

static int decode(struct buf *frame, struct wire_message *out, struct wire_decoder *d,
		  struct err *err)
{
	return wire_decode(d, buf_bytes(frame), out, err);
}

static void assert_refused_at(int line, struct buf *frame, int code)
{
	struct wire_decoder *d = wire_decoder_new();
	struct wire_message m;
	struct err err = { 0 };
	int got = decode(frame, &m, d, &err);

	cr_assert_eq(got, code, "line %d: got %d (%s), not %d", line, got, err.message, code);
	cr_assert_eq(err.code, code);
	wire_decoder_free(d);
}

/* A frame of any body, its sizes right. */
static struct buf frame_of(unsigned kind, const void *body, size_t size)
{
	struct buf b = { 0 };
	size_t n = size;

	buf_extend(&b, WIRE_HEADER_SIZE);
	buf_append_byte(&b, (uint8_t)(kind << 3 | 2));
	for (; n >= 0x80; n >>= 7)
		buf_append_byte(&b, (uint8_t)(n | 0x80));
	buf_append_byte(&b, (uint8_t)n);
	buf_append(&b, body, size);
	store_be32(b.data, (uint32_t)(b.size - WIRE_HEADER_SIZE));
	return b;
}

static void expect_body(int line, unsigned kind, const char *body, size_t size, int code)
{
	struct buf b = frame_of(kind, body, size);

	assert_refused_at(line, &b, code);
	buf_clear(&b);
}
#define expect(kind, body, code) expect_body(__LINE__, kind, body, sizeof(body) - 1, code)

Test(wire, round_trips_every_kind)
{
	struct wire_decoder *d = wire_decoder_new();

	for (unsigned k = 1; k < WIRE_KIND_COUNT; k++) {
		struct wire_message m = sample((enum wire_kind)k), back;
		struct buf frame = { 0 }, again = { 0 };
		struct err err = { 0 };

		wire_encode(&frame, &m);
		cr_assert_eq(decode(&frame, &back, d, &err), OK, "%s", err.message);
		cr_expect_eq(back.kind, m.kind);
		wire_encode(&again, &back);
		cr_expect(bytes_equal(buf_bytes(&again), buf_bytes(&frame)), "kind %u", k);
		buf_clear(&frame);
		buf_clear(&again);
	}
	wire_decoder_free(d);
}

Test(wire, keeps_every_field)
{
	struct wire_decoder *d = wire_decoder_new();
	struct wire_message m = sample(WIRE_HELLO), back;
	struct buf frame = { 0 };

	wire_encode(&frame, &m);
	cr_assert_eq(decode(&frame, &back, d, NULL), OK);
	cr_expect_eq(back.hello.protocol_version, 1);
	cr_expect_eq(back.hello.chain_id, 31337);
	cr_expect(hash_equal(&back.hello.genesis_hash, &m.hello.genesis_hash));
	cr_expect(addr_equal(&back.hello.address, &m.hello.address));
	cr_expect_arr_eq(back.hello.signature.r, m.hello.signature.r, 32);
	cr_expect_arr_eq(back.hello.signature.s, m.hello.signature.s, 32);
	cr_expect_eq(back.hello.signature.recovery_id, 1);
	cr_expect_eq(back.hello.height, 7);
	cr_expect(hash_equal(&back.hello.block_hash, &m.hello.block_hash));
	cr_expect_eq(back.hello.listen_port, 30303);
	cr_expect_eq(back.hello.instance, 0x1122334455667788);
	cr_expect(bytes_equal(back.hello.software, m.hello.software));
	buf_reset(&frame);

	m = sample(WIRE_BLOCKS);
	wire_encode(&frame, &m);
	cr_assert_eq(decode(&frame, &back, d, NULL), OK);
	cr_expect_eq(back.blocks.from_height, 9);
	cr_assert_eq(back.blocks.count, 2);
	cr_expect(bytes_equal(back.blocks.items[0].sealed, bytes_of_str("sealed")));
	cr_expect(bytes_equal(back.blocks.items[1].certificate, bytes_of_str("y")));
	buf_reset(&frame);

	m = sample(WIRE_TRANSACTIONS);
	wire_encode(&frame, &m);
	cr_assert_eq(decode(&frame, &back, d, NULL), OK);
	cr_assert_eq(back.transactions.count, 2);
	cr_expect(back.transactions.is_spread);
	cr_expect(bytes_equal(back.transactions.items[0], bytes_of_str("abc")));
	buf_clear(&frame);
	wire_decoder_free(d);
}

Test(wire, leaves_out_defaults)
{
	struct wire_message m = { .kind = WIRE_PING }, back = { 0 };
	struct wire_decoder *d = wire_decoder_new();
	struct buf frame = { 0 };

	wire_encode(&frame, &m);
	cr_expect_eq(frame.size, WIRE_HEADER_SIZE + 2);
	cr_expect_eq(decode(&frame, &back, d, NULL), OK);
	cr_expect_eq(back.nonce, 0);
	buf_reset(&frame);
	m = (struct wire_message){ .kind = WIRE_BLOCKS };
	wire_encode(&frame, &m);
	cr_expect_eq(decode(&frame, &back, d, NULL), OK);
	cr_expect_eq(back.blocks.count, 0);
	buf_clear(&frame);
	wire_decoder_free(d);
}

Test(wire, takes_largest_of_every_kind)
{
	struct wire_decoder *d = wire_decoder_new();
	struct bytes *items = xcalloc(WIRE_TRANSACTIONS_COUNT_MAX, sizeof(*items));
	struct wire_block blocks[WIRE_BLOCKS_COUNT_MAX];
	struct wire_message m, back;
	struct buf frame = { 0 };
	struct err err = { 0 };
	size_t each = WIRE_TRANSACTIONS_SIZE_MAX / WIRE_TRANSACTIONS_COUNT_MAX;

	for (size_t i = 0; i < WIRE_TRANSACTIONS_COUNT_MAX; i++)
		items[i] = bytes_of(zeros, each);
	m = (struct wire_message){ .kind = WIRE_TRANSACTIONS };
	m.transactions = (struct wire_transactions){ items, WIRE_TRANSACTIONS_COUNT_MAX, true };
	wire_encode(&frame, &m);
	cr_assert_eq(decode(&frame, &back, d, &err), OK, "%s", err.message);
	cr_expect_eq(back.transactions.count, WIRE_TRANSACTIONS_COUNT_MAX);
	cr_expect_eq(back.transactions.items[4095].size, each);
	buf_reset(&frame);

	for (size_t i = 0; i < WIRE_BLOCKS_COUNT_MAX; i++)
		blocks[i] = (struct wire_block){
			bytes_of(zeros, WIRE_BLOCKS_SIZE_MAX / WIRE_BLOCKS_COUNT_MAX - 2000),
			bytes_of(zeros, 1900),
		};
	m = (struct wire_message){ .kind = WIRE_BLOCKS };
	m.blocks = (struct wire_blocks){ UINT64_MAX, blocks, WIRE_BLOCKS_COUNT_MAX };
	wire_encode(&frame, &m);
	cr_assert_eq(decode(&frame, &back, d, &err), OK, "%s", err.message);
	buf_reset(&frame);

	blocks[0] = (struct wire_block){ bytes_of(zeros, BLOCK_SEALED_SIZE_MAX),
					 bytes_of(zeros, WIRE_CERTIFICATE_SIZE_MAX) };
	m.blocks.count = 1;
	wire_encode(&frame, &m);
	cr_assert_eq(decode(&frame, &back, d, &err), OK, "%s", err.message);
	buf_reset(&frame);

	m = (struct wire_message){ .kind = WIRE_CONSENSUS };
	m.consensus = bytes_of(zeros, MESSAGE_SIZE_MAX);
	wire_encode(&frame, &m);
	cr_assert_eq(decode(&frame, &back, d, &err), OK, "%s", err.message);
	buf_reset(&frame);

	m = (struct wire_message){ .kind = WIRE_EVIDENCE };
	m.evidence = bytes_of(zeros, WIRE_EVIDENCE_SIZE_MAX);
	wire_encode(&frame, &m);
	cr_assert_eq(decode(&frame, &back, d, &err), OK, "%s", err.message);
	buf_reset(&frame);

	m = (struct wire_message){ .kind = WIRE_CHECKPOINT };
	m.checkpoint = bytes_of(zeros, WIRE_CHECKPOINT_SIZE_MAX);
	wire_encode(&frame, &m);
	cr_assert_eq(decode(&frame, &back, d, &err), OK, "%s", err.message);
	buf_clear(&frame);
	free(items);
	wire_decoder_free(d);
}

/* Every value just beyond its bound. */
Test(wire, refuses_beyond_bounds)
{
	struct buf body = { 0 }, frame;

	buf_append(&body, "\x0a\x81\x80\x08", 4); /* one transaction of 131,073 bytes */
	buf_append(&body, zeros, LIMIT_TX_SIZE + 1);
	frame = frame_of(WIRE_TRANSACTIONS, body.data, body.size);
	assert_refused(&frame, WIRE_E_SIZE);
	buf_clear(&frame);

	buf_reset(&body);
	for (size_t i = 0; i <= WIRE_TRANSACTIONS_COUNT_MAX; i++)
		buf_append(&body, "\x0a\x01z", 3);
	frame = frame_of(WIRE_TRANSACTIONS, body.data, body.size);
	assert_refused(&frame, WIRE_E_COUNT);
	buf_clear(&frame);

	buf_reset(&body);
	for (size_t i = 0; i < 9; i++) {
		buf_append(&body, "\x0a\x80\x80\x07", 4); /* 9 × 112 KiB fit … */
		buf_append(&body, zeros, 7 << 14);
	}
	frame = frame_of(WIRE_TRANSACTIONS, body.data, body.size);
	assert_refused(&frame, OK);
	buf_clear(&frame);
	buf_append(&body, "\x0a\x81\x80\x01", 4); /* … and 16 KiB + 1 more do not */
	buf_append(&body, zeros, 16385);
	frame = frame_of(WIRE_TRANSACTIONS, body.data, body.size);
	assert_refused(&frame, WIRE_E_SIZE);
	buf_clear(&frame);

	buf_reset(&body);
	buf_append(&body, "\x0a\xa1\x01", 3); /* a checkpoint of 161 bytes */
	buf_append(&body, zeros, WIRE_CHECKPOINT_SIZE_MAX + 1);
	frame = frame_of(WIRE_CHECKPOINT, body.data, body.size);
	assert_refused(&frame, WIRE_E_SIZE);
	buf_clear(&frame);
	expect(WIRE_CHECKPOINT, "", WIRE_E_VALUE);
	expect(WIRE_CHECKPOINT, "\x0a\x00", WIRE_E_SIZE);
	expect(WIRE_CHECKPOINT, "\x0a\x01z\x0a\x01z", WIRE_E_COUNT);
	expect(WIRE_CHECKPOINT, "\x0a\x01z\x10\x01", WIRE_E_UNKNOWN);
	expect(WIRE_EVIDENCE, "", WIRE_E_VALUE);
	expect(WIRE_EVIDENCE, "\x0a\x01z\x0a\x01z", WIRE_E_COUNT);

	buf_reset(&body);
	for (size_t i = 0; i <= WIRE_BLOCKS_COUNT_MAX; i++)
		buf_append(&body, "\x12\x06\x0a\x01s\x12\x01" "c", 8);
	frame = frame_of(WIRE_BLOCKS, body.data, body.size);
	assert_refused(&frame, WIRE_E_COUNT);
	buf_clear(&frame);
	buf_clear(&body);

	expect(WIRE_BLOCKS_REQUEST, "\x10\x81\x01", WIRE_E_VALUE); /* 129 blocks */
	expect(WIRE_BLOCKS_REQUEST, "\x08\x01", WIRE_E_VALUE);     /* of none */
	expect(WIRE_TRANSACTIONS, "", WIRE_E_VALUE);
	expect(WIRE_TRANSACTIONS, "\x0a\x01z\x10\x02", WIRE_E_VALUE);
	expect(WIRE_TRANSACTIONS, "\x0a\x00", WIRE_E_SIZE);
	expect(WIRE_CONSENSUS, "", WIRE_E_VALUE);
	expect(WIRE_CONSENSUS, "\x0a\x00", WIRE_E_SIZE);
	expect(WIRE_GOODBYE, "\x08\x80\x80\x80\x80\x10", WIRE_E_VALUE); /* 2^32 */
	expect(WIRE_STATUS, "\x08\x01", WIRE_E_VALUE); /* without its hash */
}

Test(wire, refuses_other_forms)
{
	expect(WIRE_PING, "\x08\x00", WIRE_E_VALUE);                /* a default that is written */
	expect(WIRE_PING, "\x08\x81\x00", WIRE_E_FORM);             /* 1 in two bytes */
	expect(WIRE_PING, "\x88\x00\x01", WIRE_E_FORM);             /* a tag in two bytes */
	/* 65 bits */
	expect(WIRE_PING, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", WIRE_E_FORM);
	expect(WIRE_PING, "\x08", WIRE_E_FORM);
	expect(WIRE_PING, "\x08\x80", WIRE_E_FORM);
	expect(WIRE_PING, "\x08\x01\x08\x01", WIRE_E_COUNT);        /* twice */
	expect(WIRE_PING, "\x09\x01\x01\x01\x01\x01\x01\x01\x01", WIRE_E_FORM); /* fixed64 */
	expect(WIRE_PING, "\x0a\x01\x01", WIRE_E_FORM);             /* packed */
	expect(WIRE_PING, "\x0b\x0c", WIRE_E_FORM);                 /* groups */
	expect(WIRE_PING, "\x10\x01", WIRE_E_UNKNOWN);
	expect(WIRE_PING, "\x08\x01\x10\x01", WIRE_E_UNKNOWN);
	expect(WIRE_PING, "\x00\x01", WIRE_E_UNKNOWN);
	expect(WIRE_TRANSACTIONS, "\x0a\x01z\x10\x01\x0a\x01z", WIRE_E_FORM); /* order */
	expect(WIRE_TRANSACTIONS, "\x0a\x02z", WIRE_E_FORM);        /* beyond the end */
	expect(WIRE_BLOCKS, "\x12\x05\x0a\x01s\x12\x01", WIRE_E_FORM);
	expect(WIRE_BLOCKS, "\x12\x06\x12\x01" "c\x0a\x01s", WIRE_E_VALUE);
	expect(WIRE_BLOCKS, "\x12\x04\x0a\x02ss", WIRE_E_VALUE);    /* no certificate */
	expect(WIRE_BLOCKS, "\x12\x08\x0a\x01s\x12\x01" "c\x18\x01", WIRE_E_UNKNOWN);
}

/* A message within a message within … : there is no field that takes it. */
Test(wire, refuses_recursion)
{
	struct buf body = { 0 }, next = { 0 };

	buf_append(&body, "\x0a\x01s\x12\x01" "c", 6);
	for (int depth = 0; depth < 12000; depth++) {
		struct buf outer = { 0 };
		size_t n = body.size;

		buf_append_byte(&outer, 0x12);
		for (; n >= 0x80; n >>= 7)
			buf_append_byte(&outer, (uint8_t)(n | 0x80));
		buf_append_byte(&outer, (uint8_t)n);
		buf_append_bytes(&outer, buf_bytes(&body));
		buf_clear(&body);
		body = outer;
	}
	next = frame_of(WIRE_BLOCKS, body.data, body.size);
	assert_refused(&next, WIRE_E_SIZE); /* the second level is no certificate */
	buf_clear(&next);
	next = frame_of(WIRE_EVIDENCE, body.data, body.size);
	assert_refused(&next, WIRE_E_UNKNOWN);
	buf_clear(&next);
	buf_clear(&body);
}

/* 1 MiB of fields that nobody knows. */
Test(wire, refuses_unknown_fields_before_unpacking)
{
	struct buf body = { 0 }, frame;

	buf_append(&body, "\x0a\x01z", 3);
	while (body.size < MIB)
		buf_append(&body, "\x18\x01", 2);
	frame = frame_of(WIRE_TRANSACTIONS, body.data, body.size);
	assert_refused(&frame, WIRE_E_UNKNOWN);
	buf_clear(&frame);
	buf_clear(&body);
}

Test(wire, refuses_bad_hello)
{
	struct wire_message m = sample(WIRE_HELLO);
	struct buf frame = { 0 };

	m.hello.signature.recovery_id = 2;
	wire_encode(&frame, &m);
	assert_refused(&frame, WIRE_E_VALUE);
	buf_reset(&frame);
	m = sample(WIRE_HELLO);
	m.hello.software = bytes_of("a\nb", 3);
	wire_encode(&frame, &m);
	assert_refused(&frame, WIRE_E_VALUE);
	buf_clear(&frame);
}

Test(wire, peeks_byte_by_byte)
{
	for (unsigned k = 1; k < WIRE_KIND_COUNT; k++) {
		struct wire_message m = sample((enum wire_kind)k);
		struct buf frame = { 0 };
		enum wire_kind kind;
		bool known = false;
		size_t size;

		wire_encode(&frame, &m);
		for (size_t i = 0; i <= frame.size; i++) {
			struct bytes part = bytes_of(frame.data, i);

			cr_assert_eq(wire_peek(part, WIRE_KINDS_ALL, &kind, &size, NULL), OK);
			cr_expect(size == 0 || size == frame.size);
			known |= size > 0;
			cr_expect(known || i < WIRE_PEEK_SIZE);
			cr_expect(!known || kind == m.kind);
		}
		cr_expect(known);
		/* More may follow. */
		buf_append(&frame, zeros, 100);
		cr_expect_eq(wire_peek(buf_bytes(&frame), WIRE_KINDS_ALL, &kind, &size, NULL), OK);
		cr_expect_eq(size, frame.size - 100);
		buf_clear(&frame);
	}
}

static int peek(const char *bytes, size_t size, unsigned kinds)
{
	enum wire_kind kind;
	size_t whole;

	return wire_peek(bytes_of(bytes, size), kinds, &kind, &whole, NULL);
}
#define peek_text(text, kinds) peek(text, sizeof(text) - 1, kinds)

Test(wire, refuses_frames_before_they_come)
{
	unsigned first = WIRE_KIND_BIT(WIRE_HELLO) | WIRE_KIND_BIT(WIRE_GOODBYE);

	/* Known from the size alone. */
	cr_expect_eq(peek_text("\xff\xff\xff\xff", WIRE_KINDS_ALL), WIRE_E_SIZE);
	cr_expect_eq(peek_text("\x00\x91\x00\x00", WIRE_KINDS_ALL), WIRE_E_SIZE);
	cr_expect_eq(peek_text("\x00\x00\x00\x00", WIRE_KINDS_ALL), WIRE_E_SIZE);
	cr_expect_eq(peek_text("\x00\x00\x00\x01", WIRE_KINDS_ALL), WIRE_E_SIZE);
	cr_expect_eq(peek_text("\x00\x00\x00\x02", WIRE_KINDS_ALL), OK);
	/* From the first byte of the envelope. */
	cr_expect_eq(peek_text("\x00\x00\x00\x02\x3a", WIRE_KINDS_ALL), OK);
	cr_expect_eq(peek_text("\x00\x00\x00\x02\x38", WIRE_KINDS_ALL), WIRE_E_KIND);
	cr_expect_eq(peek_text("\x00\x00\x00\x02\x02", WIRE_KINDS_ALL), WIRE_E_KIND);
	cr_expect_eq(peek_text("\x00\x00\x00\x02\x62", WIRE_KINDS_ALL), WIRE_E_KIND);
	cr_expect_eq(peek_text("\x00\x00\x00\x02\x3a", first), WIRE_E_KIND);
	cr_expect_eq(peek_text("\x00\x00\x01\x00\x0a", first), OK);
	cr_expect_eq(peek_text("\x00\x00\x08\x00\x0a", first), WIRE_E_SIZE); /* a hello of 2 KiB */
	cr_expect_eq(peek_text("\x00\x00\x01\x00\x3a", WIRE_KINDS_ALL), WIRE_E_SIZE);
	/* From the body's size. */
	cr_expect_eq(peek_text("\x00\x00\x00\x04\x3a\x02", WIRE_KINDS_ALL), OK);
	cr_expect_eq(peek_text("\x00\x00\x00\x04\x3a\x01", WIRE_KINDS_ALL), WIRE_E_FORM);
	cr_expect_eq(peek_text("\x00\x00\x00\x04\x3a\x03", WIRE_KINDS_ALL), WIRE_E_FORM);
	cr_expect_eq(peek_text("\x00\x00\x00\x04\x3a\x80", WIRE_KINDS_ALL), OK);
	cr_expect_eq(peek_text("\x00\x00\x00\x04\x3a\x81\x00", WIRE_KINDS_ALL), OK);
	cr_expect_eq(peek_text("\x00\x00\x00\x04\x3a\x81\x00\x00", WIRE_KINDS_ALL), WIRE_E_FORM);
}

Test(wire, refuses_torn_frames)
{
	struct wire_decoder *d = wire_decoder_new();

	for (unsigned k = 1; k < WIRE_KIND_COUNT; k++) {
		struct wire_message m = sample((enum wire_kind)k);
		struct buf frame = { 0 };

		wire_encode(&frame, &m);
		for (size_t i = 0; i < frame.size; i++)
			cr_expect_neq(wire_decode(d, bytes_of(frame.data, i), &m, NULL), OK);
		buf_append_byte(&frame, 0);
		cr_expect_eq(decode(&frame, &m, d, NULL), WIRE_E_SIZE);
		buf_clear(&frame);
	}
	wire_decoder_free(d);
}

/* Whatever a flipped bit or byte leaves decodable has one encoding: these bytes. */
Test(wire, takes_no_second_form_of_anything)
{
	struct wire_decoder *d = wire_decoder_new();
	size_t taken = 0, refused = 0;

	for (unsigned k = 1; k < WIRE_KIND_COUNT; k++) {
		struct wire_message m = sample((enum wire_kind)k), back;
		struct buf frame = { 0 }, again = { 0 };

		wire_encode(&frame, &m);
		for (size_t i = 0; i < frame.size * 255; i++) {
			uint8_t was = frame.data[i / 255];

			frame.data[i / 255] ^= (uint8_t)(i % 255 + 1);
			if (decode(&frame, &back, d, NULL) == OK) {
				buf_reset(&again);
				wire_encode(&again, &back);
				cr_assert(bytes_equal(buf_bytes(&again), buf_bytes(&frame)),
					  "kind %u, byte %zu", k, i / 255);
				taken++;
			} else {
				refused++;
			}
			frame.data[i / 255] = was;
		}
		buf_clear(&frame);
		buf_clear(&again);
	}
	cr_expect_gt(taken, 1000);
	cr_expect_gt(refused, 1000);
	wire_decoder_free(d);
}

Test(wire, names_kinds)
{
	cr_expect_str_eq(wire_kind_name(WIRE_HELLO), "hello");
	cr_expect_str_eq(wire_kind_name(WIRE_GOODBYE), "goodbye");
	for (unsigned k = 1; k < WIRE_KIND_COUNT; k++)
		cr_expect_leq(wire_frame_size_max((enum wire_kind)k), WIRE_FRAME_SIZE_MAX);
}
