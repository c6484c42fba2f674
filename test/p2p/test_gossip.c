#include <criterion/criterion.h>

#include <stdlib.h>

#include "base/check.h"
#include "world.h"

static void start_mesh(struct world *w, size_t count, const char *dials)
{
	world_init(w, 5);
	for (size_t i = 0; i < count; i++) {
		struct p2p_config config = world_config(w, i);

		world_start(w, i, &config, dials);
	}
	world_run(w, 3000);
	for (size_t i = 0; i < count; i++)
		w->nodes[i].relays = true;
}

static uint64_t frames_out(const struct world *w, enum wire_kind kind)
{
	uint64_t count = 0;

	for (size_t i = 0; i < w->node_count; i++)
		count += world_metrics(w, i).out_count[kind];
	return count;
}

Test(gossip, reaches_all_once_in_a_mesh_of_validators)
{
	struct world w;

	start_mesh(&w, 4, "0123");
	world_set_validators(&w, 4);
	world_send_transactions(&w, 0, 0, 100);
	world_run(&w, 50);
	for (size_t i = 1; i < 4; i++)
		cr_expect_eq(w.nodes[i].transaction_count, 100);
	cr_expect_eq(w.nodes[0].transaction_count, 0);
	/* Nothing travels twice: one frame to each of three. */
	cr_expect_eq(frames_out(&w, WIRE_TRANSACTIONS), 3);
	world_clear(&w);
}

/* 0 - 1 - 2 - 3: what the sender does not reach, others pass on. */
Test(gossip, reaches_all_along_a_chain)
{
	static const char *const dials[] = { "1", "2", "3", "" };
	struct world w;

	world_init(&w, 5);
	for (size_t i = 0; i < 4; i++) {
		struct p2p_config config = world_config(&w, i);

		world_start(&w, i, &config, dials[i]);
		w.nodes[i].relays = true;
	}
	world_run(&w, 100);
	world_set_validators(&w, 4);
	world_send_transactions(&w, 0, 0, 5000);
	world_run(&w, 100);
	for (size_t i = 1; i < 4; i++)
		cr_expect_eq(w.nodes[i].transaction_count, 5000);
	world_clear(&w);
}

/* A full node that knows one validator only: everyone gets it, none twice. */
Test(gossip, spreads_from_a_full_node)
{
	struct p2p_config config;
	struct world w;

	start_mesh(&w, 4, "0123");
	config = world_config(&w, 4);
	world_start(&w, 4, &config, "0");
	world_run(&w, 100);
	world_set_validators(&w, 4);
	world_send_transactions(&w, 4, 0, 10);
	world_run(&w, 50);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(w.nodes[i].transaction_count, 10);
	cr_expect_eq(frames_out(&w, WIRE_TRANSACTIONS), 4);
	/* And what a validator gets goes to the full node as well. */
	world_send_transactions(&w, 2, 100, 10);
	world_run(&w, 50);
	cr_expect_eq(w.nodes[4].transaction_count, 10);
	world_clear(&w);
}

Test(gossip, reaches_all_of_a_mesh_without_validators)
{
	struct world w;

	start_mesh(&w, 7, "0123456");
	world_send_transactions(&w, 3, 0, 1000);
	world_run(&w, 50);
	for (size_t i = 0; i < 7; i++)
		cr_expect_eq(w.nodes[i].transaction_count, i == 3 ? 0 : 1000);
	world_clear(&w);
}

Test(gossip, sends_nothing_back_and_nothing_twice)
{
	struct world w;

	start_mesh(&w, 2, "01");
	world_send_transactions(&w, 0, 0, 10);
	world_send_transactions(&w, 0, 0, 10);
	world_run(&w, 50);
	world_send_transactions(&w, 1, 0, 10);
	world_run(&w, 50);
	cr_expect_eq(w.nodes[1].transaction_count, 10);
	cr_expect_eq(w.nodes[0].transaction_count, 0);
	world_clear(&w);
}

/* The first leaves at once; those that follow share frames. */
Test(gossip, batches_what_comes_close_together)
{
	struct world w;

	start_mesh(&w, 2, "01");
	for (size_t i = 0; i < 1000; i++)
		world_send_transactions(&w, 0, i, 1);
	cr_expect_eq(world_metrics(&w, 0).out_count[WIRE_TRANSACTIONS], 2); /* once full */
	world_run(&w, 10);
	cr_expect_eq(world_metrics(&w, 0).out_count[WIRE_TRANSACTIONS], 3);
	cr_expect_eq(w.nodes[1].transaction_count, 1000);
	world_clear(&w);
}

Test(gossip, forgets_in_time)
{
	struct world w;

	start_mesh(&w, 2, "01");
	world_send_transactions(&w, 0, 0, 1);
	world_run(&w, 50);
	world_send_transactions(&w, 0, 0, 1);
	world_run(&w, 150000);
	world_send_transactions(&w, 0, 0, 1);
	world_run(&w, 50);
	cr_expect_eq(w.nodes[1].transaction_count, 2);
	world_clear(&w);
}

/* Memory of what is known stays bounded, however much goes by. */
Test(gossip, bounds_what_it_remembers)
{
	struct world w;

	start_mesh(&w, 2, "01");
	w.nodes[1].relays = false;
	for (size_t i = 0; i < 150; i++) {
		world_send_transactions(&w, 0, i * 2000, 2000);
		world_run(&w, 20);
	}
	cr_expect_eq(w.nodes[1].transaction_count, 300000); /* p2p_check() watches the bound */
	world_clear(&w);
}

Test(gossip, sends_to_one)
{
	struct p2p_event event = { .kind = P2P_EVENT_SEND_TRANSACTIONS };
	uint8_t *raw = xcalloc(20, LIMIT_TX_SIZE);
	struct bytes items[20];
	struct world w;

	start_mesh(&w, 3, "012");
	for (size_t i = 0; i < 20; i++) {
		raw[i * LIMIT_TX_SIZE] = (uint8_t)i;
		items[i] = bytes_of(raw + i * LIMIT_TX_SIZE, LIMIT_TX_SIZE);
	}
	w.nodes[1].relays = false;
	event.peer = w.nodes[1].address;
	event.transactions.items = items;
	event.transactions.count = 20;
	world_step(&w, 0, event);
	world_run(&w, 10);
	cr_expect_eq(w.nodes[1].transaction_count, 20); /* in frames of a megabyte */
	cr_expect_eq(w.nodes[1].delivered[WIRE_TRANSACTIONS], 3);
	cr_expect_eq(w.nodes[2].transaction_count, 0);
	world_clear(&w);
	free(raw);
}

/* --- consensus, blocks, status --- */

Test(gossip, sends_consensus_to_validators_only)
{
	struct world w;

	start_mesh(&w, 4, "0123");
	world_set_validators(&w, 3);
	world_send_consensus(&w, 0, NULL, "to all");
	world_send_consensus(&w, 0, &w.nodes[2].address, "to one");
	world_run(&w, 5);
	cr_expect_eq(w.nodes[1].delivered[WIRE_CONSENSUS], 1);
	cr_expect_eq(w.nodes[2].delivered[WIRE_CONSENSUS], 2);
	cr_expect_eq(w.nodes[3].delivered[WIRE_CONSENSUS], 0);
	cr_expect(addr_equal(&w.nodes[2].last_from, &w.nodes[0].address));
	/* And takes it from validators only. */
	world_send_consensus(&w, 3, NULL, "a word, too");
	world_run(&w, 5);
	cr_expect_eq(w.nodes[1].delivered[WIRE_CONSENSUS], 1);
	cr_expect_eq(w.nodes[1].offences[P2P_OFFENCE_NOT_VALIDATOR], 1);
	world_clear(&w);
}

Test(gossip, lets_consensus_overtake)
{
	struct p2p_event gossip = { .kind = P2P_EVENT_SEND_TRANSACTIONS };
	uint8_t *raw = xcalloc(12, LIMIT_TX_SIZE);
	struct bytes items[12];
	struct world w;
	size_t first;

	start_mesh(&w, 2, "01");
	world_set_validators(&w, 2);
	for (size_t i = 0; i < w.link_count; i++)
		w.links[i].ends[0].stalled = w.links[i].ends[1].stalled = 1;
	for (size_t i = 0; i < 12; i++) {
		raw[i * LIMIT_TX_SIZE] = (uint8_t)i;
		items[i] = bytes_of(raw + i * LIMIT_TX_SIZE, LIMIT_TX_SIZE);
	}
	gossip.transactions.items = items;
	gossip.transactions.count = 12;
	world_step(&w, 0, gossip);
	first = w.nodes[0].classes.size;
	world_send_consensus(&w, 0, NULL, "a vote");
	for (size_t i = 0; i < w.link_count; i++)
		w.links[i].ends[0].stalled = w.links[i].ends[1].stalled = 0;
	world_run(&w, 50);
	cr_assert_gt(w.nodes[0].classes.size, first + 1);
	cr_expect_eq(w.nodes[0].classes.data[first], P2P_CLASS_CONSENSUS, "first after the window");
	cr_expect_eq(w.nodes[0].classes.data[first + 1], P2P_CLASS_GOSSIP);
	cr_expect_eq(w.nodes[1].transaction_count, 12);
	world_clear(&w);
	free(raw);
}

static void set_tip(struct world *w, size_t node, uint64_t height)
{
	struct p2p_event event = { .kind = P2P_EVENT_SET_TIP, .tip = { .height = height } };

	world_step(w, node, event);
}

static void request(struct world *w, size_t node, uint64_t from, uint32_t count)
{
	struct p2p_event event = { .kind = P2P_EVENT_REQUEST_BLOCKS };

	event.request = (struct wire_blocks_request){ from, count };
	world_step(w, node, event);
	world_run(w, 2);
}

/* Node `node` answers its newest request with `count` blocks of `size` bytes. */
static void answer(struct world *w, size_t node, uint64_t from, size_t count, size_t size)
{
	struct p2p_event event = { .kind = P2P_EVENT_ANSWER_BLOCKS };
	struct wire_block *items = xcalloc(count, sizeof(*items));
	uint8_t *bytes = xcalloc(1, size);

	for (size_t i = 0; i < count; i++)
		items[i] = (struct wire_block){ bytes_of(bytes, size), bytes_of(bytes, 300) };
	event.handle = w->nodes[node].last_handle;
	event.blocks = (struct wire_blocks){ from, items, count };
	world_step(w, node, event);
	world_run(w, 2);
	free(items);
	free(bytes);
}

static size_t blocks_delivered(struct world *w, size_t node)
{
	struct wire_decoder *d = wire_decoder_new();
	struct wire_message m;
	size_t count;

	cr_assert_eq(wire_decode(d, buf_bytes(&w->nodes[node].last), &m, NULL), OK);
	cr_assert_eq(m.kind, WIRE_BLOCKS);
	count = m.blocks.count;
	wire_decoder_free(d);
	return count;
}

/* Found by weft-sim (seed 712): the word of the newest block was lost, the chain stood
 * still, and those who lacked it never asked. */
Test(gossip, repeats_its_tip_to_who_missed_it)
{
	struct p2p_event again = { .kind = P2P_EVENT_SET_TIP, .tip = { .height = 7 } };
	struct world w;

	start_mesh(&w, 3, "012");
	set_tip(&w, 1, 7);
	world_run(&w, 100);
	cr_assert_eq(w.nodes[0].delivered[WIRE_STATUS], 1);
	set_tip(&w, 1, 7);
	world_run(&w, 100);
	cr_expect_eq(w.nodes[0].delivered[WIRE_STATUS], 1, "nothing new for all");
	again.peer = w.nodes[0].address;
	world_step(&w, 1, again);
	world_run(&w, 100);
	cr_expect_eq(w.nodes[0].delivered[WIRE_STATUS], 2);
	cr_expect_eq(w.nodes[2].delivered[WIRE_STATUS], 1);
	world_clear(&w);
}

Test(gossip, pages_blocks)
{
	struct world w;

	start_mesh(&w, 2, "01");
	set_tip(&w, 1, 1000);
	world_run(&w, 100);
	cr_expect_eq(w.nodes[0].delivered[WIRE_STATUS], 1);
	request(&w, 0, 1, 128);
	cr_assert_eq(w.nodes[1].delivered[WIRE_BLOCKS_REQUEST], 1);
	answer(&w, 1, 1, 128, 1 << 20); /* a megabyte each: not all fit */
	cr_assert_eq(w.nodes[0].delivered[WIRE_BLOCKS], 1);
	cr_expect_eq(blocks_delivered(&w, 0), 8);
	request(&w, 0, 9, 128);
	answer(&w, 1, 9, 128, 1000);
	cr_expect_eq(blocks_delivered(&w, 0), 128);
	request(&w, 0, 137, 5);
	answer(&w, 1, 137, 20, 1000); /* more than were asked for */
	cr_expect_eq(blocks_delivered(&w, 0), 5);
	request(&w, 0, 142, 1);
	answer(&w, 1, 142, 1, BLOCK_SEALED_SIZE_MAX); /* the largest */
	cr_expect_eq(blocks_delivered(&w, 0), 1);
	request(&w, 0, 143, 1);
	answer(&w, 1, 143, 0, 1); /* none */
	cr_expect_eq(blocks_delivered(&w, 0), 0);
	cr_expect_eq(w.nodes[0].no_blocks_count, 0);
	world_clear(&w);
}

Test(gossip, says_when_nobody_has_blocks)
{
	struct world w;

	start_mesh(&w, 2, "01");
	request(&w, 0, 1, 10); /* its peer is at 0 */
	cr_expect_eq(w.nodes[0].no_blocks_count, 1);
	set_tip(&w, 1, 1000);
	world_run(&w, 100);
	request(&w, 0, 1, 10);
	request(&w, 0, 1, 10); /* the only peer is asked already */
	cr_expect_eq(w.nodes[0].no_blocks_count, 2);
	world_run(&w, 5000); /* silent */
	cr_expect_eq(w.nodes[0].no_blocks_count, 3);
	request(&w, 0, 1, 10);
	world_kill(&w, 1); /* gone */
	world_run(&w, 10);
	cr_expect_eq(w.nodes[0].no_blocks_count, 4);
	world_clear(&w);
}

Test(gossip, tells_newest_status_not_every)
{
	struct p2p_peer peer;
	struct world w;

	start_mesh(&w, 2, "01");
	for (uint64_t h = 1; h <= 500; h++) {
		set_tip(&w, 0, h);
		world_run(&w, 1);
	}
	world_run(&w, 100);
	cr_assert_eq(p2p_peers(w.nodes[1].p2p, w.now_ms, &peer, 1), 1);
	cr_expect_eq(peer.tip.height, 500);
	cr_expect_leq(w.nodes[1].delivered[WIRE_STATUS], 13);
	world_clear(&w);
}

static void tell(struct world *w, enum p2p_event_kind kind, const struct addr *to, const char *text)
{
	struct p2p_event event = { .kind = kind };

	if (to)
		event.peer = *to;
	if (kind == P2P_EVENT_SEND_EVIDENCE)
		event.evidence = bytes_of_str(text);
	else
		event.checkpoint = bytes_of_str(text);
	world_step(w, 0, event);
}

/* Evidence and checkpoints are for everyone, validator or not; nobody passes them on
 * by itself. */
Test(gossip, evidence_and_checkpoints_go_to_all_or_one)
{
	struct world w;
	struct addr two;

	start_mesh(&w, 4, "0123");
	world_set_validators(&w, 2);
	two = world_address(&w, 2);
	tell(&w, P2P_EVENT_SEND_EVIDENCE, NULL, "both");
	tell(&w, P2P_EVENT_SEND_CHECKPOINT, NULL, "final");
	tell(&w, P2P_EVENT_SEND_EVIDENCE, &two, "again");
	world_run(&w, 50);
	for (size_t i = 1; i < 4; i++) {
		cr_expect_eq(w.nodes[i].delivered[WIRE_EVIDENCE], i == 2 ? 2 : 1);
		cr_expect_eq(w.nodes[i].delivered[WIRE_CHECKPOINT], 1);
	}
	cr_expect_eq(frames_out(&w, WIRE_EVIDENCE), 4);
	cr_expect_eq(frames_out(&w, WIRE_CHECKPOINT), 3);
	world_clear(&w);
}

static uint64_t requests_in(const struct world *w, size_t node)
{
	return world_metrics(w, node).in_count[WIRE_BLOCKS_REQUEST];
}

/* Strangers say that they have everything, and never answer. A validator that has the
 * blocks is asked before any of them. */
Test(gossip, asks_those_it_knows_before_strangers)
{
	struct p2p_event ask = { .kind = P2P_EVENT_REQUEST_BLOCKS };
	struct p2p_config config;
	struct world w;

	world_init(&w, 5);
	config = world_config(&w, 0);
	config.is_open = true;
	config.session_max = 64;
	world_start(&w, 0, &config, "");
	config = world_config(&w, 1);
	world_start(&w, 1, &config, "0");
	world_run(&w, 100);
	world_set_validators(&w, 2);
	for (size_t i = 0; i < 20; i++) {
		size_t link = raw_join(&w, 0, 100 + i);
		struct wire_message status = { .kind = WIRE_STATUS };

		status.status.height = UINT64_MAX;
		raw_send_message(&w, link, &status);
	}
	set_tip(&w, 1, 500);
	world_run(&w, 100);
	ask.request = (struct wire_blocks_request){ 1, 64 };
	world_step(&w, 0, ask);
	world_run(&w, 5);
	cr_expect_eq(requests_in(&w, 1), 1, "the validator was asked first");
	world_clear(&w);
}

/* Without anyone it knows, each silent one is asked once before any is asked twice. */
Test(gossip, asks_the_silent_last)
{
	struct p2p_event ask = { .kind = P2P_EVENT_REQUEST_BLOCKS };
	struct p2p_config config;
	size_t links[6], asked[6] = { 0 };
	struct wire_decoder *d = wire_decoder_new();
	struct wire_message m;
	struct world w;

	world_init(&w, 5);
	config = world_config(&w, 0);
	config.is_open = true;
	world_start(&w, 0, &config, "");
	for (size_t i = 0; i < 6; i++) {
		struct wire_message status = { .kind = WIRE_STATUS, .status = { .height = 9 } };

		links[i] = raw_join(&w, 0, 100 + i);
		raw_send_message(&w, links[i], &status);
	}
	ask.request = (struct wire_blocks_request){ 1, 1 };
	for (size_t round = 0; round < 6; round++) {
		struct wire_message pong = { .kind = WIRE_PONG };

		world_step(&w, 0, ask);
		for (size_t i = 0; i < 6; i++)
			while (raw_take(&w, links[i], d, &m)) {
				asked[i] += m.kind == WIRE_BLOCKS_REQUEST;
				if (m.kind == WIRE_PING) {
					pong.nonce = m.nonce;
					raw_send_message(&w, links[i], &pong);
				}
			}
		for (int s = 0; s < 60; s++) {
			world_run(&w, 100);
			for (size_t i = 0; i < 6; i++)
				while (raw_take(&w, links[i], d, &m))
					if (m.kind == WIRE_PING) {
						pong.nonce = m.nonce;
						raw_send_message(&w, links[i], &pong);
					}
		}
	}
	for (size_t i = 0; i < 6; i++)
		cr_expect_eq(asked[i], 1, "peer %zu was asked %zu times", i, asked[i]);
	wire_decoder_free(d);
	world_clear(&w);
}

/* Blocks cost their sender most: a stranger gets an answer at a time, and some a second. */
Test(gossip, bounds_what_strangers_ask_for)
{
	struct wire_message ask = { .kind = WIRE_BLOCKS_REQUEST, .blocks_request = { 1, 128 } };
	struct p2p_config config;
	size_t link;
	struct world w;

	world_init(&w, 5);
	config = world_config(&w, 0);
	config.is_open = true;
	world_start(&w, 0, &config, "");
	link = raw_join(&w, 0, 100);
	for (size_t i = 0; i < 40; i++)
		raw_send_message(&w, link, &ask);
	cr_expect_eq(w.nodes[0].delivered[WIRE_BLOCKS_REQUEST], 1);
	world_run(&w, 1000); /* the newest comes later */
	cr_expect_eq(w.nodes[0].delivered[WIRE_BLOCKS_REQUEST], 2);
	cr_expect(!raw_is_closed(&w, link, NULL));
	world_clear(&w);
}
