#include <criterion/criterion.h>

#include <stdlib.h>

#include "base/check.h"
#include "world.h"

/* Node 0 and a raw end that has said who it is: the peer with key 1. */
static size_t join_one(struct world *w)
{
	struct p2p_config config;
	size_t link;

	world_init(w, 3);
	config = world_config(w, 0);
	world_start(w, 0, &config, "");
	link = raw_join(w, 0, 1);
	cr_assert_eq(w->nodes[0].up_count, 1);
	return link;
}

static void assert_ended(struct world *w, size_t link, enum p2p_reason reason)
{
	enum p2p_reason got = P2P_REASON_NONE;

	cr_assert(raw_is_closed(w, link, &got));
	cr_assert_eq(got, reason, "%s", p2p_reason_name(got));
	cr_assert_eq(w->nodes[0].down_count, 1);
	cr_assert_eq(w->nodes[0].last_down, reason);
}

Test(rates, drops_flood_then_peer_then_lets_it_back)
{
	struct wire_message ping = { .kind = WIRE_PING, .nonce = 1 };
	struct p2p_metrics m;
	struct world w;
	size_t link = join_one(&w);

	for (size_t i = 0; i < 20; i++)
		raw_send_message(&w, link, &ping);
	cr_expect_eq(w.nodes[0].offences[P2P_OFFENCE_RATE], 0, "a burst is allowed");
	for (size_t i = 0; i < 99; i++)
		raw_send_message(&w, link, &ping);
	cr_expect(!raw_is_closed(&w, link, NULL));
	m = world_metrics(&w, 0);
	cr_expect_eq(m.over_rate_count[WIRE_PING], 99);
	cr_expect_eq(m.out_count[WIRE_PONG], 20, "what is over is not answered");
	raw_send_message(&w, link, &ping);
	assert_ended(&w, link, P2P_REASON_SCORE);
	/* Refused while its points fade, then welcome. */
	link = raw_join(&w, 0, 1);
	cr_expect(raw_is_closed(&w, link, NULL));
	cr_expect_eq(w.nodes[0].last_refused, P2P_REASON_SCORE);
	world_run(&w, 40000);
	link = raw_join(&w, 0, 1);
	cr_expect(raw_is_closed(&w, link, NULL));
	world_run(&w, 15000);
	link = raw_join(&w, 0, 1);
	cr_expect(!raw_is_closed(&w, link, NULL));
	cr_expect_eq(w.nodes[0].up_count, 2);
	world_clear(&w);
}

Test(rates, forgives_in_time)
{
	struct wire_message ping = { .kind = WIRE_PING, .nonce = 1 };
	struct world w;
	size_t link = join_one(&w);

	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < 70; i++)
			raw_send_message(&w, link, &ping);
		world_run(&w, 10000);
		while (w.links[link].ends[1].out.size > 0) /* read the pongs */
			buf_reset(&w.links[link].ends[1].out);
	}
	cr_expect(raw_is_closed(&w, link, NULL), "50 points every 10 s do not fade in time");
	world_clear(&w);
}

Test(rates, ends_session_at_first_malformed_frame)
{
	static const struct { const char *bytes; size_t size; } bad[] = {
		{ "\xff\xff\xff\xff", 4 },                         /* oversized */
		{ "\0\0\0\x04\x3a\x02\x10\x01", 8 },               /* a field that is unknown */
		{ "\0\0\0\x04\x3a\x03\x08\x01", 8 },               /* sizes that contradict */
		{ "\0\0\0\x02\x7a\0", 6 },                         /* a kind that is unknown */
		{ "\0\0\x01\0\x0a\xfd\x01", 7 },                   /* a second hello */
	};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct world w;
		size_t link = join_one(&w);

		raw_send(&w, link, bytes_of(bad[i].bytes, bad[i].size));
		assert_ended(&w, link, P2P_REASON_MALFORMED);
		cr_expect_eq(world_metrics(&w, 0).offence_count[P2P_OFFENCE_MALFORMED], 1);
		world_clear(&w);
	}
}

Test(rates, counts_unasked_answers)
{
	struct wire_message pong = { .kind = WIRE_PONG, .nonce = 5 };
	struct wire_message blocks = { .kind = WIRE_BLOCKS };
	struct world w;
	size_t link = join_one(&w);

	raw_send_message(&w, link, &pong);
	raw_send_message(&w, link, &blocks);
	cr_expect_eq(w.nodes[0].offences[P2P_OFFENCE_UNSOLICITED], 2);
	cr_expect_eq(w.nodes[0].delivered[WIRE_BLOCKS], 0);
	for (int i = 0; i < 8; i++)
		raw_send_message(&w, link, &blocks);
	assert_ended(&w, link, P2P_REASON_SCORE);
	world_clear(&w);
}

/* Pieces of a frame, one a `pause_ms`; the whole frame if `count` is SIZE_MAX. Pings are answered. */
static void raw_send_slowly(struct world *w, size_t link, struct bytes frame, size_t piece, uint64_t pause_ms,
			    size_t count)
{
	struct wire_decoder *d = wire_decoder_new();
	struct wire_message m;

	for (size_t at = 0; at < frame.size && count > 0; at += piece, count--) {
		raw_send(w, link, bytes_of(frame.data + at, MIN(piece, frame.size - at)));
		for (uint64_t ms = 0; ms < pause_ms; ms += 100)
			world_run(w, MIN(pause_ms, (uint64_t)100));
		while (raw_take(w, link, d, &m))
			continue;
	}
	wire_decoder_free(d);
}

static struct buf blocks_frame(uint64_t from, size_t size)
{
	struct buf sealed = { 0 }, frame = { 0 };
	struct wire_block block;
	struct wire_message m = { .kind = WIRE_BLOCKS, .blocks = { .from_height = from, .items = &block, .count = 1 } };

	memset(buf_extend(&sealed, size), 7, size);
	block = (struct wire_block){ .sealed = buf_bytes(&sealed), .certificate = bytes_of_str("c") };
	wire_encode(&frame, &m);
	buf_clear(&sealed);
	return frame;
}

static void ask(struct world *w, uint64_t from)
{
	struct p2p_event event = { .kind = P2P_EVENT_REQUEST_BLOCKS, .request = { from, 1 } };

	world_step(w, 0, event);
}

/* A link is slow, or its end waits: an answer may take as long as its bytes do at the least rate. */
Test(rates, waits_for_answers_on_slow_links)
{
	struct world w;
	size_t link = join_one(&w);
	struct buf frame = blocks_frame(1, 2 * MIB);

	/* At 100 KiB a second: 20 seconds. */
	ask(&w, 1);
	raw_send_slowly(&w, link, buf_bytes(&frame), 100 * KIB, 1000, SIZE_MAX);
	cr_expect_eq(w.nodes[0].delivered[WIRE_BLOCKS], 1);
	cr_expect_eq(w.nodes[0].no_blocks_count, 0);

	/* It stops after 10 seconds: what came bought that time, and the first seconds are over. */
	ask(&w, 1);
	raw_send_slowly(&w, link, buf_bytes(&frame), 64 * KIB, 1000, 10);
	cr_expect_eq(w.nodes[0].no_blocks_count, 0);
	world_run(&w, 4000);
	cr_expect_eq(w.nodes[0].no_blocks_count, 0);
	world_run(&w, 2000);
	cr_expect_eq(w.nodes[0].no_blocks_count, 1);
	/* What comes of it later is no offence, and of no use. */
	raw_send(&w, link, bytes_of(frame.data + 10 * 64 * KIB, frame.size - 10 * 64 * KIB));
	cr_expect_eq(w.nodes[0].delivered[WIRE_BLOCKS], 1);
	cr_expect_eq(w.nodes[0].offences[P2P_OFFENCE_UNSOLICITED], 0);
	/* Once: the next is. */
	raw_send(&w, link, buf_bytes(&frame));
	cr_expect_eq(w.nodes[0].delivered[WIRE_BLOCKS], 1);
	cr_expect_eq(w.nodes[0].offences[P2P_OFFENCE_UNSOLICITED], 1);
	p2p_check(w.nodes[0].p2p);
	buf_clear(&frame);
	world_clear(&w);
}

/* A peer that sends less than the least rate holds nobody up. */
Test(rates, gives_up_answers_that_trickle)
{
	struct world w;
	size_t link = join_one(&w);
	struct buf frame = blocks_frame(1, 8 * MIB);
	uint64_t asked_ms = w.now_ms;
	size_t at = 0;

	ask(&w, 1);
	for (; w.nodes[0].no_blocks_count == 0; at += 16 * KIB) {
		cr_assert_lt(at, 8 * MIB);
		raw_send_slowly(&w, link, bytes_of(frame.data + at, 16 * KIB), 16 * KIB, 1000, 1);
	}
	cr_expect_leq(w.now_ms, asked_ms + 8000, "%llu ms", (unsigned long long)(w.now_ms - asked_ms));
	/* The rest, while another answer is awaited: one is dropped, the other taken. */
	ask(&w, 2);
	raw_send(&w, link, bytes_of(frame.data + at, frame.size - at));
	cr_expect_eq(w.nodes[0].delivered[WIRE_BLOCKS], 0);
	buf_clear(&frame);
	frame = blocks_frame(2, 100);
	raw_send(&w, link, buf_bytes(&frame));
	cr_expect_eq(w.nodes[0].delivered[WIRE_BLOCKS], 1);
	cr_expect_eq(w.nodes[0].offences[P2P_OFFENCE_UNSOLICITED], 0);

	/* Asked again for the same, it answers twice: the first counts, the second is the late one. */
	ask(&w, 3);
	world_run(&w, 6000);
	cr_expect_eq(w.nodes[0].no_blocks_count, 2);
	ask(&w, 3);
	buf_clear(&frame);
	frame = blocks_frame(3, 100);
	raw_send(&w, link, buf_bytes(&frame));
	raw_send(&w, link, buf_bytes(&frame));
	cr_expect_eq(w.nodes[0].delivered[WIRE_BLOCKS], 2);
	cr_expect_eq(w.nodes[0].offences[P2P_OFFENCE_UNSOLICITED], 0);
	raw_send(&w, link, buf_bytes(&frame));
	cr_expect_eq(w.nodes[0].offences[P2P_OFFENCE_UNSOLICITED], 1);
	p2p_check(w.nodes[0].p2p);
	buf_clear(&frame);
	world_clear(&w);
}

Test(rates, takes_the_nodes_word)
{
	struct p2p_event event = { .kind = P2P_EVENT_OFFENCE, .offence = P2P_OFFENCE_MESSAGE };
	struct world w;
	size_t link = join_one(&w);

	event.peer = world_address(&w, 1);
	for (int i = 0; i < 3; i++)
		world_step(&w, 0, event);
	cr_expect(!raw_is_closed(&w, link, NULL));
	event.offence = P2P_OFFENCE_BLOCK;
	world_step(&w, 0, event);
	assert_ended(&w, link, P2P_REASON_SCORE);
	/* Of one who is not here: for when it comes. */
	event.peer = world_address(&w, 2);
	world_step(&w, 0, event);
	link = raw_join(&w, 0, 2);
	cr_expect(raw_is_closed(&w, link, NULL));
	world_clear(&w);
}

Test(rates, holds_bad_hellos_against_their_address)
{
	struct p2p_config config;
	struct world w;
	size_t link;

	world_init(&w, 3);
	config = world_config(&w, 0);
	world_start(&w, 0, &config, "");
	for (int i = 0; i < 5; i++) {
		struct wire_message m;

		link = raw_open(&w, 0, world_ip(10, 9, 9, 9));
		m = raw_hello(&w, link, 1);
		m.hello.chain_id++;
		raw_send_message(&w, link, &m);
	}
	link = raw_open(&w, 0, world_ip(10, 9, 9, 9));
	cr_expect(raw_is_closed(&w, link, NULL), "not even asked for its hello");
	cr_expect_eq(w.nodes[0].last_refused, P2P_REASON_SCORE);
	link = raw_open(&w, 0, world_ip(10, 9, 9, 8));
	cr_expect(!raw_is_closed(&w, link, NULL), "a neighbour is");
	world_clear(&w);
}

/* On one machine a bad neighbour locks nobody out. */
Test(rates, never_refuses_loopback)
{
	struct p2p_config config;
	struct world w;
	size_t link = 0;

	world_init(&w, 3);
	config = world_config(&w, 0);
	world_start(&w, 0, &config, "");
	for (int i = 0; i < 20; i++) {
		link = raw_open(&w, 0, world_ip(127, 0, 0, 1));
		raw_send(&w, link, bytes_of("GET / HTTP/1.1\r\n\r\n", 18));
		cr_expect(raw_is_closed(&w, link, NULL));
	}
	link = raw_open(&w, 0, world_ip(127, 0, 0, 1));
	cr_expect(!raw_is_closed(&w, link, NULL));
	world_clear(&w);
}

Test(rates, remembers_a_bounded_number_of_offenders)
{
	struct p2p_event event = { .kind = P2P_EVENT_OFFENCE, .offence = P2P_OFFENCE_BLOCK };
	struct world w;
	size_t link = join_one(&w);

	for (uint32_t i = 0; i < 3 * LIMIT_P2P_SCORE_COUNT; i++) {
		store_be32(event.peer.bytes, i);
		world_step(&w, 0, event); /* p2p_check() watches the bound */
	}
	cr_expect(!raw_is_closed(&w, link, NULL));
	world_clear(&w);
}

/* A peer that takes nothing: gossip is dropped, votes end the session. */
Test(rates, ends_session_that_takes_no_votes)
{
	uint8_t *big = xcalloc(1, MESSAGE_SIZE_MAX);
	struct p2p_event vote = { .kind = P2P_EVENT_SEND_CONSENSUS };
	struct p2p_peer peer;
	struct world w;
	size_t link = join_one(&w);

	world_set_validators(&w, 2);
	for (size_t i = 0; i < 400; i++) {
		world_send_transactions(&w, 0, i * 1000, 1000);
		w.now_ms += 10;
	}
	cr_expect(!raw_is_closed(&w, link, NULL));
	cr_assert_eq(p2p_peers(w.nodes[0].p2p, w.now_ms, &peer, 1), 1);
	cr_expect_leq(peer.queued_size, LIMIT_P2P_GOSSIP_QUEUE_SIZE);
	cr_expect_gt(world_metrics(&w, 0).queue_dropped_count, 0);
	vote.consensus = bytes_of(big, MESSAGE_SIZE_MAX);
	for (size_t i = 0; i < 3; i++)
		world_step(&w, 0, vote);
	cr_expect(!raw_is_closed(&w, link, NULL));
	world_step(&w, 0, vote);
	assert_ended(&w, link, P2P_REASON_SLOW);
	world_clear(&w);
	free(big);
}

/* Unfinished frames of all peers together are bounded. */
Test(rates, bounds_unfinished_frames)
{
	uint8_t *chunk = xcalloc(1, LIMIT_P2P_READ_SIZE);
	struct p2p_config config;
	size_t links[60], open_count = 0;
	struct world w;

	world_init(&w, 3);
	config = world_config(&w, 0);
	config.is_open = true;
	config.session_max = 128;
	world_start(&w, 0, &config, "");
	for (size_t i = 0; i < 30; i++) {
		links[i] = raw_join(&w, 0, 100 + i);
		/* The header of the longest vote, and all but its end. */
		raw_send(&w, links[i], bytes_of("\x00\x81\x00\x0f\x1a\x8a\x80\x84\x04", 9));
		for (size_t size = 0; size < 8 * MIB && !raw_is_closed(&w, links[i], NULL);
		     size += LIMIT_P2P_READ_SIZE)
			raw_send(&w, links[i], bytes_of(chunk, LIMIT_P2P_READ_SIZE));
	}
	for (size_t i = 0; i < 30; i++)
		open_count += !raw_is_closed(&w, links[i], NULL);
	cr_expect_lt(open_count, 17);
	cr_expect_gt(open_count, 10);
	cr_expect_leq(world_metrics(&w, 0).input_size, LIMIT_P2P_INPUT_SIZE);
	world_clear(&w);
	free(chunk);
}

/* More checkpoints and evidence than an honest peer has: dropped, then the peer. */
Test(rates, bounds_checkpoints_and_evidence)
{
	struct wire_message checkpoint = { .kind = WIRE_CHECKPOINT, .checkpoint = bytes_of_str("final") };
	struct wire_message evidence = { .kind = WIRE_EVIDENCE, .evidence = bytes_of_str("both") };
	struct world w;
	size_t link = join_one(&w);

	for (size_t i = 0; i < 240; i++)
		raw_send_message(&w, link, &checkpoint);
	cr_expect_eq(w.nodes[0].delivered[WIRE_CHECKPOINT], 200);
	cr_expect_eq(world_metrics(&w, 0).over_rate_count[WIRE_CHECKPOINT], 40);
	for (size_t i = 0; i < 140; i++)
		raw_send_message(&w, link, &evidence);
	cr_expect_eq(w.nodes[0].delivered[WIRE_EVIDENCE], 100);
	cr_expect(!raw_is_closed(&w, link, NULL));
	for (size_t i = 0; i < 20; i++)
		raw_send_message(&w, link, &checkpoint);
	assert_ended(&w, link, P2P_REASON_SCORE);
	world_clear(&w);
}

/* Strangers who fill the room for unfinished frames pay for it themselves: the validators'
 * sessions live, and what they send gets through. */
Test(rates, strangers_unfinished_frames_do_not_end_validators_sessions)
{
	uint8_t *chunk = xcalloc(1, LIMIT_P2P_READ_SIZE), *vote = xcalloc(1, 3 * MIB);
	struct wire_message m = { .kind = WIRE_CONSENSUS };
	struct p2p_config config;
	size_t strangers[30], validator;
	struct world w;

	world_init(&w, 3);
	config = world_config(&w, 0);
	config.is_open = true;
	config.session_max = 128;
	world_start(&w, 0, &config, "");
	world_set_validators(&w, 3);
	validator = raw_join(&w, 0, 1);
	for (size_t i = 0; i < 30; i++)
		strangers[i] = raw_join(&w, 0, 100 + i);
	/* Each some of a frame of the longest kind, until there is no room. */
	for (size_t size = 0; size < 6 * MIB; size += LIMIT_P2P_READ_SIZE)
		for (size_t i = 0; i < 30; i++) {
			if (raw_is_closed(&w, strangers[i], NULL))
				continue;
			if (size == 0)
				raw_send(&w, strangers[i], bytes_of("\x00\x81\x00\x0f\x1a\x8a\x80\x84\x04", 9));
			raw_send(&w, strangers[i], bytes_of(chunk, LIMIT_P2P_READ_SIZE));
		}
	m.consensus = bytes_of(vote, 3 * MIB);
	for (size_t i = 0; i < 3; i++)
		raw_send_message(&w, validator, &m);
	cr_expect(!raw_is_closed(&w, validator, NULL));
	cr_expect_eq(w.nodes[0].delivered[WIRE_CONSENSUS], 3);
	cr_expect_leq(world_metrics(&w, 0).input_size, LIMIT_P2P_INPUT_SIZE);
	world_clear(&w);
	free(vote);
	free(chunk);
}
