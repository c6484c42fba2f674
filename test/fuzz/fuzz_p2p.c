/*
 * A node among others and raw peers, under any order of connections, hellos, bytes,
 * commands and time: p2p_check() holds after every step, nothing is delivered from
 * whom no good hello came, and consensus only from validators.
 */
#include "fuzz.h"

#include "base/check.h"
#include "p2p/world.h"

#define LINK_COUNT_MAX 40
#define OP_COUNT_MAX 200
#define LINK_ALL_MAX (WORLD_LINK_MAX / 2)

/* Operations, each a byte and what it needs: below. */
const char *const fuzz_seeds[] = {
	"000001000005ff", "00000101000300083a0208053a02080505ff",
	"00000100000001010101010201020205200501", "0000010000040006040007040008040003040004",
	"0609ff070802060a05ff0502", "000001000009030a0011000b000c000501",
	"00000002000710" "00000002002030", "0000010000" "08000000010000" "0501" "0d",
	"00000100000001010101" "0e02" "0400030401030f00" "05ff05ff",
	"00000100000a0010" "0a0020" "0402010b0500" "0c00" "05ff" "05ff" "05ff",
	"000001000005ff05ff05ff05ff05ff05ff05ff05ff05ff05ff",
	NULL,
};

struct input {
	const uint8_t *at, *end;
};

static uint8_t next(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

enum op {
	OP_OPEN,         /* a raw connection; its network */
	OP_HELLO,        /* on a link, of a key */
	OP_BAD_HELLO,    /* … with a byte of its frame changed */
	OP_BYTES,        /* on a link: a length and bytes */
	OP_MESSAGE,      /* on a link, of a kind */
	OP_RUN,          /* time: 20 ms each */
	OP_TRANSACTIONS, /* of the node: the first's number, a count */
	OP_CONSENSUS,    /* of the node, to a key or all */
	OP_BREAK,        /* a link */
	OP_VALIDATORS,   /* a count */
	OP_REQUEST,      /* blocks: from, count */
	OP_ANSWER,       /* blocks: a count */
	OP_TIP,          /* a height */
	OP_STOP,
	OP_OFFENCE,      /* of a key */
	OP_TAKE,         /* a raw end takes a message */
	OP_COUNT,
};

struct run {
	struct world world;
	struct input in;
	size_t link_count;
	size_t links[LINK_COUNT_MAX];
	struct wire_decoder *decoder;
};

/* A raw link that is there, or false. */
static bool pick_link(struct run *r, size_t *link)
{
	uint8_t n = next(&r->in);

	if (r->link_count == 0)
		return false;
	*link = r->links[n % r->link_count];
	return true;
}

static bool is_writable(struct run *r, size_t link)
{
	return !r->world.links[link].ends[0].is_closing && !r->world.links[link].ends[1].is_closing;
}

static void do_hello(struct run *r, bool is_bad)
{
	struct buf frame = { 0 };
	struct wire_message m;
	uint8_t key, at, change;
	size_t link;

	if (!pick_link(r, &link))
		return;
	key = next(&r->in) % 6;
	m = raw_hello(&r->world, link, key);
	wire_encode(&frame, &m);
	if (is_bad) {
		at = next(&r->in);
		change = next(&r->in);
		frame.data[at % frame.size] ^= change;
	}
	if (is_writable(r, link))
		raw_send(&r->world, link, buf_bytes(&frame));
	buf_clear(&frame);
}

static void do_message(struct run *r)
{
	static const struct bytes items[] = { { (const uint8_t *)"a", 1 },
					      { (const uint8_t *)"b", 1 } };
	struct wire_message m = { 0 };
	size_t link;

	if (!pick_link(r, &link) || !is_writable(r, link))
		return;
	m.kind = (enum wire_kind)(next(&r->in) % (WIRE_KIND_COUNT - 1) + 1);
	switch (m.kind) {
	case WIRE_HELLO:
		m = raw_hello(&r->world, link, 2);
		break;
	case WIRE_TRANSACTIONS:
		m.transactions = (struct wire_transactions){ items, 2, next(&r->in) & 1 };
		break;
	case WIRE_CONSENSUS:
		m.consensus = bytes_of_str("vote");
		break;
	case WIRE_BLOCKS_REQUEST:
		m.blocks_request = (struct wire_blocks_request){ next(&r->in), 3 };
		break;
	case WIRE_BLOCKS:
		m.blocks.from_height = next(&r->in);
		break;
	case WIRE_STATUS:
		m.status.height = next(&r->in);
		break;
	case WIRE_PING:
	case WIRE_PONG:
		m.nonce = next(&r->in);
		break;
	case WIRE_EVIDENCE:
		m.evidence = bytes_of_str("two");
		break;
	case WIRE_CHECKPOINT:
		m.checkpoint = bytes_of_str("final");
		break;
	case WIRE_GOODBYE:
		m.reason = next(&r->in);
		break;
	}
	raw_send_message(&r->world, link, &m);
}

static void do_bytes(struct run *r)
{
	uint8_t size;
	size_t link;

	if (!pick_link(r, &link))
		return;
	size = next(&r->in);
	size = (uint8_t)MIN(size, (size_t)(r->in.end - r->in.at));
	if (is_writable(r, link))
		raw_send(&r->world, link, bytes_of(r->in.at, size));
	r->in.at += size;
}

static void do_break(struct run *r)
{
	size_t link;

	if (!pick_link(r, &link))
		return;
	r->world.links[link].ends[0].is_closing = true;
	world_run(&r->world, 0);
}

/* A command with the node as its subject. */
static void do_command(struct run *r, enum op op)
{
	static const struct wire_block blocks[3] = {
		{ { (const uint8_t *)"s", 1 }, { (const uint8_t *)"c", 1 } },
		{ { (const uint8_t *)"s", 1 }, { (const uint8_t *)"c", 1 } },
		{ { (const uint8_t *)"s", 1 }, { (const uint8_t *)"c", 1 } },
	};
	struct p2p_event event = { 0 };
	uint8_t arg = next(&r->in);

	if (op == OP_REQUEST) {
		event.kind = P2P_EVENT_REQUEST_BLOCKS;
		event.request = (struct wire_blocks_request){ arg, next(&r->in) % 128u + 1 };
	} else if (op == OP_ANSWER) {
		event.kind = P2P_EVENT_ANSWER_BLOCKS;
		event.handle = r->world.nodes[0].last_handle;
		event.blocks = (struct wire_blocks){ arg, blocks, arg % 4u };
	} else if (op == OP_TIP) {
		event.kind = P2P_EVENT_SET_TIP;
		event.tip.height = arg;
	} else {
		event.kind = P2P_EVENT_OFFENCE;
		event.peer = world_address(&r->world, arg % 6);
		event.offence = (enum p2p_offence)(arg / 6 % P2P_OFFENCE_COUNT);
	}
	world_step(&r->world, 0, event);
}

static void do_op(struct run *r, enum op op)
{
	struct world *w = &r->world;
	struct wire_message m;
	uint8_t arg;
	size_t link;

	switch (op) {
	case OP_OPEN:
		arg = next(&r->in);
		if (r->link_count < LINK_COUNT_MAX)
			r->links[r->link_count++] = raw_open(w, 0, world_ip(10, arg, 0, 1));
		return;
	case OP_HELLO:
	case OP_BAD_HELLO:
		do_hello(r, op == OP_BAD_HELLO);
		return;
	case OP_BYTES:
		do_bytes(r);
		return;
	case OP_MESSAGE:
		do_message(r);
		return;
	case OP_RUN:
		arg = next(&r->in);
		for (unsigned i = 0; i < arg; i++) {
			w->now_ms += 20;
			world_run(w, 0);
		}
		return;
	case OP_TRANSACTIONS:
		arg = next(&r->in);
		world_send_transactions(w, 0, arg, next(&r->in) + 1u);
		return;
	case OP_CONSENSUS:
		world_send_consensus(w, 0, NULL, "vote");
		return;
	case OP_BREAK:
		do_break(r);
		return;
	case OP_VALIDATORS:
		world_set_validators(w, next(&r->in) % 6u);
		return;
	case OP_REQUEST:
	case OP_ANSWER:
	case OP_TIP:
	case OP_OFFENCE:
		do_command(r, op);
		return;
	case OP_STOP:
		world_step(w, 0, (struct p2p_event){ .kind = P2P_EVENT_STOP });
		return;
	case OP_TAKE:
		if (pick_link(r, &link))
			raw_take(w, link, r->decoder, &m);
		return;
	case OP_COUNT:
		UNREACHABLE();
	}
}

static void check(const struct run *r)
{
	const struct world_node *n = &r->world.nodes[0];
	size_t delivered = 0;

	for (size_t k = 0; k < WIRE_KIND_COUNT; k++)
		delivered += n->delivered[k];
	CHECK(delivered == 0 || n->up_count > 0);
	CHECK(n->delivered[WIRE_HELLO] == 0 && n->delivered[WIRE_GOODBYE] == 0);
	CHECK(n->down_count <= n->up_count);
	CHECK(world_ready_count(&r->world, 0) == n->up_count - n->down_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = { .in = { data, data + size } };
	struct p2p_config config;

	world_init(&r.world, 1);
	r.decoder = wire_decoder_new();
	/* Node 1 and the first dial each other. */
	for (size_t i = 0; i < 2; i++) {
		config = world_config(&r.world, i);
		config.session_max = 8;
		world_start(&r.world, i, &config, i == 0 ? "1" : "0");
	}
	for (size_t i = 0; i < OP_COUNT_MAX && r.in.at < r.in.end; i++) {
		if (r.world.link_count >= LINK_ALL_MAX)
			break;
		do_op(&r, (enum op)(next(&r.in) % OP_COUNT));
		check(&r);
	}
	wire_decoder_free(r.decoder);
	world_clear(&r.world);
	return 0;
}
