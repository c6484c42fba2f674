/*
 * Frames: what decodes, encodes to the same bytes; what wire_peek() says of a
 * beginning holds for the whole; no decoder takes more memory than was counted.
 * The input is taken as a stream of frames, and as the body of each kind.
 */
#include "fuzz.h"

#include "base/check.h"
#include "wire/wire.h"

const char *const fuzz_seeds[] = {
	/* ping, pong, goodbye, blocks request, status */
	"000000043a020805", "0000000442020805", "0000000452020804",
	"000000082206088ff3041005",
	"00000026322408071220000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	/* transactions, consensus, evidence, checkpoint, blocks, no blocks */
	"0000000e120c0a036162630a036465661001", "000000081a060a04766f7465",
	"000000084a060a04626f7468", "000000095a070a0566696e616c",
	"000000192a170809120b0a067365616c656412016312060a0178120179",
	"000000022a00", "000000042a020809",
	/* hello */
	"000000b10aae01080110e9f4011a200101010101010101010101010101010101010101010101010101010101"
	"010101221402020202020202020202020202020202020202022a410303030303030303030303030303030303"
	"0303030303030303030303030303030404040404040404040404040404040404040404040404040404040404"
	"0404040130073a20050505050505050505050505050505050505050505050505050505050505050540dfec01"
	"4a03776674",
	/* bodies: what a frame is put around */
	"0a01781001", "0807", "0a0178", "080910ff01", "12060a0178120179", "08011a20",
	/* beginnings */
	"ffffffff", "00000000", "000000023a", "0081000f1a8a808404", "000000043a8100",
	"000000057a0308",
	"000000063a040801" "1001", "000000083a0608818080" "8000", "00000004" "3b" "02" "0805",
	NULL,
};

static void expect_same(struct bytes frame, const struct wire_message *m)
{
	struct buf again = { 0 };

	wire_encode(&again, m);
	CHECK(bytes_equal(buf_bytes(&again), frame));
	buf_clear(&again);
}

/* Frames one after another, as a session takes them. */
static void take_stream(struct wire_decoder *d, struct bytes in)
{
	enum wire_kind kind, part_kind;
	struct wire_message m;
	size_t size, part_size;

	while (in.size > 0) {
		if (wire_peek(in, WIRE_KINDS_ALL, &kind, &size, NULL) != OK || size == 0)
			return;
		CHECK(size <= wire_frame_size_max(kind));
		/* A shorter beginning says the same or nothing, never another thing. */
		for (size_t n = 0; n < MIN(in.size, (size_t)WIRE_PEEK_SIZE); n++) {
			struct bytes part = bytes_of(in.data, n);

			CHECK(wire_peek(part, WIRE_KINDS_ALL, &part_kind, &part_size, NULL) == OK);
			CHECK(part_size == 0 || (part_size == size && part_kind == kind));
		}
		CHECK(wire_peek(in, WIRE_KINDS_ALL & ~WIRE_KIND_BIT(kind), &part_kind, &part_size,
				NULL) == WIRE_E_KIND);
		if (size > in.size)
			return;
		if (wire_decode(d, bytes_of(in.data, size), &m, NULL) == OK) {
			CHECK(m.kind == kind);
			expect_same(bytes_of(in.data, size), &m);
		}
		in.data += size;
		in.size -= size;
	}
}

/* A frame of `kind` around any body, with sizes that are right. */
static void take_body(struct wire_decoder *d, unsigned kind, struct bytes body)
{
	struct buf frame = { 0 };
	struct wire_message m;
	struct err err = { 0 };
	size_t n = body.size;
	int code;

	buf_extend(&frame, WIRE_HEADER_SIZE);
	buf_append_byte(&frame, (uint8_t)(kind << 3 | 2));
	for (; n >= 0x80; n >>= 7)
		buf_append_byte(&frame, (uint8_t)(n | 0x80));
	buf_append_byte(&frame, (uint8_t)n);
	buf_append_bytes(&frame, body);
	store_be32(frame.data, (uint32_t)(frame.size - WIRE_HEADER_SIZE));
	code = wire_decode(d, buf_bytes(&frame), &m, &err);
	CHECK(code != WIRE_E_BUDGET); /* the walk counted all */
	CHECK(code == err.code);
	if (code == OK)
		expect_same(buf_bytes(&frame), &m);
	buf_clear(&frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_decoder *d = wire_decoder_new();
	struct bytes input = bytes_of(data, size);

	take_stream(d, input);
	for (unsigned kind = 1; kind < WIRE_KIND_COUNT; kind++)
		take_body(d, kind, input);
	wire_decoder_free(d);
	return 0;
}
