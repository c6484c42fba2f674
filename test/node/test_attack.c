/* What a stranger or one liar can try from outside, against a node's time, memory and votes. */
#include <criterion/criterion.h>

#include "base/check.h"
#include "network.h"

static struct p2p_metrics p2p_of(const struct network *net, size_t site)
{
	struct p2p_metrics m;

	p2p_get_metrics(net->sites[site].node->p2p, &m);
	return m;
}

/* Blocks that are none, of another height, or without a quorum behind them: once. */
Test(attack, false_blocks_end_the_session)
{
	struct network net;
	struct buf certificate = { 0 }, sealed = { 0 };
	struct stored_header stored = { 0 };
	struct wire_block item = { bytes_of_str("no block"), bytes_of_str("none") };
	struct wire_blocks blocks = { 0, &item, 1 };
	struct block genesis = { 0 };

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	blocks.from_height = net.sites[0].node->tip.header.height + 1;
	net.sites[0].node->is_fetching = true;
	node_on_fetched(net.sites[0].node, &blocks, &net.sites[4].address);
	run_for(&net, 10);
	cr_assert_eq(p2p_of(&net, 0).offence_count[P2P_OFFENCE_BLOCK], 1);
	cr_assert_eq(p2p_of(&net, 0).ended_count[P2P_REASON_SCORE], 1);
	/* A true block, which was not asked for. */
	cr_assert_eq(store_read_header(net.sites[1].head->reader, 0, &stored, NULL), OK);
	genesis.header = stored.header;
	genesis.hash = stored.hash;
	genesis.commitments = stored.commitments;
	block_encode_sealed(&sealed, &genesis);
	buf_append(&certificate, "\xc0", 1);
	item = (struct wire_block){ buf_bytes(&sealed), buf_bytes(&certificate) };
	node_on_fetched(net.sites[1].node, &blocks, &net.sites[4].address);
	run_for(&net, 10);
	cr_assert_eq(p2p_of(&net, 1).offence_count[P2P_OFFENCE_BLOCK], 1);
	cr_assert_eq(net.sites[1].node->fetched_count, 0);
	stored_header_clear(&stored);
	buf_clear(&sealed);
	buf_clear(&certificate);
	check_agreement(&net, 0);
	network_end(&net);
}

static size_t gossip(struct network *net, size_t site, const struct addr *peer, size_t first, size_t count)
{
	struct wire_transactions m = { 0 };
	struct bytes items[4096];
	struct buf raw = { 0 };
	struct site *s = &net->sites[site];
	size_t before = s->batch_count;

	for (size_t i = 0; i < count; i++) {
		uint8_t text[9] = { 0x02 };

		store_be64(text + 1, first + i);
		buf_append(&raw, text, sizeof(text));
	}
	for (size_t i = 0; i < count; i++)
		items[i] = bytes_of(raw.data + i * 9, 9);
	m.items = items;
	m.count = count;
	node_take_transactions(s->node, &m, peer);
	buf_clear(&raw);
	return s->batch_count - before;
}

/* A stranger's transactions cost the workers as much as anybody's, and it pays for none. What it
 * may keep them busy with is bounded, and all strangers' together. */
Test(attack, strangers_gossip_is_bounded)
{
	struct network net;
	struct addr strangers[40];
	struct node *n;
	size_t at = 0, taken = 0;

	network_make(&net, 4, 0);
	run_for(&net, 2000);
	n = net.sites[0].node;
	for (size_t i = 0; i < 40; i++)
		strangers[i] = (struct addr){ { 0x99, (uint8_t)i } };
	cr_assert_eq(gossip(&net, 0, &strangers[0], at, 400), 1);
	at += 400;
	cr_assert_eq(gossip(&net, 0, &strangers[0], at, 400), 0, "one at a time");
	at += 400;
	cr_assert_eq(n->metrics.gossip_dropped_total, 400);
	for (size_t i = 1; i < 40; i++, at += 400)
		taken += gossip(&net, 0, &strangers[i], at, 400);
	cr_assert_leq(taken, NODE_GOSSIP_OF_STRANGERS_MAX / 400);
	cr_assert_leq(n->stranger_gossip_count, NODE_GOSSIP_OF_STRANGERS_MAX);
	/* A validator's still finds its way. */
	cr_assert_eq(gossip(&net, 0, &net.sites[2].address, at, 400), 1);
	run_for(&net, 100);
	cr_assert_eq(n->stranger_gossip_count, 0);
	cr_assert_eq(n->gossiper_count, 0);
	cr_assert_eq(n->in_flight.count, 0);
	check_agreement(&net, 0);
	network_end(&net);
}

/* Five hundred refused votes in one piece ask for as many notes to p2p: the node's own vote,
 * which comes meanwhile, has its place. */
Test(attack, a_flood_of_refusals_leaves_room_for_the_own_vote)
{
	struct network net;
	struct node *n;

	network_make(&net, 4, 0);
	run_for(&net, 2000);
	n = net.sites[0].node;
	n->is_stepping = true; /* as while p2p delivers */
	for (size_t i = 0; i < 2 * NODE_COMMAND_MAX; i++)
		node_peers_offence(n, &net.sites[3].address, P2P_OFFENCE_REFUSED);
	cr_assert_leq(n->command_count, NODE_COMMAND_MAX / 2);
	node_peers_send_consensus(n, bytes_of_str("a vote"));
	cr_assert_eq(n->commands[n->command_count - 1].event.kind, P2P_EVENT_SEND_CONSENSUS);
	n->is_stepping = false;
	run_for(&net, 100);
	network_end(&net);
}

struct lines {
	size_t refused, offences, other;
	bool says_how_many;
};

static void count_line(void *ctx, const char *line)
{
	struct lines *l = ctx;

	if (strstr(line, "subsystem=consensus event=refused"))
		l->refused++;
	else if (strstr(line, "event=offence"))
		l->offences++;
	else
		l->other++;
	l->says_how_many |= strstr(line, " left_out=") != NULL;
}

/* A validator that sends what breaks rules, again and again, is sent away; the others go on, and
 * the log says it without being filled. */
Test(attack, a_validator_that_breaks_rules_is_dropped)
{
	struct lines lines = { 0 };
	const struct log log = { .write = count_line, .ctx = &lines, .level = LOG_LEVEL_WARN };
	struct network net;
	struct message m = { .kind = MESSAGE_PREPARE };
	struct p2p_event event = { .kind = P2P_EVENT_SEND_CONSENSUS };
	int index;

	network_prepare(&net, 4, 0);
	net.sites[0].log = &log;
	for (size_t i = 0; i < 4; i++)
		site_open(&net.sites[i], true);
	run_for(&net, 2000);
	index = validator_set_find(&net.genesis.validators, &net.sites[3].address);
	for (uint64_t i = 0; i < 80; i++) {
		struct buf bytes = { 0 };

		m.vote = (struct vote){ .kind = MESSAGE_PREPARE, .height = net.sites[0].node->tip.header.height + 1,
					.validator = (size_t)index, .block_hash = { { 1, (uint8_t)i } } };
		cr_assert_eq(message_sign(&m, 31337, &(struct hash){ { 5 } }, net.ecc, &net.sites[3].key, NULL), OK);
		message_encode(&bytes, &m);
		event.consensus = buf_bytes(&bytes);
		node_on_peer(net.sites[3].node, &event);
		run_for(&net, 30);
		buf_clear(&bytes);
	}
	cr_assert(lines.refused >= 2 && lines.refused <= 3, "%zu", lines.refused);
	cr_assert(lines.offences <= 3, "%zu", lines.offences);
	cr_assert(lines.says_how_many);
	cr_assert_geq(p2p_of(&net, 0).ended_count[P2P_REASON_SCORE], 1);
	for (uint64_t i = 0; i < 5; i++) {
		send(&net, 0, i);
		run_for(&net, 3000);
	}
	cr_assert_eq(nonce_of(&net.sites[0]), 5);
	cr_assert_eq(nonce_of(&net.sites[1]), 5);
	network_end(&net);
}
