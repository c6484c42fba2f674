/* Whole nodes that agree, fall behind, come back. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/check.h"
#include "codec/hex.h"
#include "network.h"

Test(network, four_validators_agree_on_what_one_was_sent)
{
	struct network net;

	network_make(&net, 4, 0);
	run_for(&net, 2000);
	for (uint64_t i = 0; i < 20; i++) {
		send(&net, i % 4, i);
		run_for(&net, 150);
	}
	run_for(&net, 2000);
	check_agreement(&net, 10);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(nonce_of(&net.sites[i]), 20);
	network_end(&net);
}

Test(network, each_sender_is_recovered_once)
{
	struct network net;

	network_make(&net, 4, 0);
	run_for(&net, 2000);
	for (uint64_t i = 0; i < 200; i++)
		send(&net, 0, i);
	run_for(&net, 5000);
	check_agreement(&net, 2);
	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(nonce_of(&net.sites[i]), 200);
		cr_assert_eq(net.sites[i].node->metrics.recovered_total, 200, "node %zu: %llu", i,
			     (unsigned long long)net.sites[i].node->metrics.recovered_total);
	}
	network_end(&net);
}

Test(network, one_of_four_may_be_gone_and_catches_up)
{
	struct network net;
	uint64_t nonce = 0;

	network_make(&net, 4, 0);
	run_for(&net, 2000);
	site_close(&net.sites[2]);
	for (int i = 0; i < 20; i++) {
		send(&net, 0, nonce++);
		run_for(&net, 1000);
	}
	run_for(&net, 5000);
	check_agreement(&net, 10);
	cr_assert_eq(nonce_of(&net.sites[0]), nonce);

	/* Back with an empty store: it fetches all of it. */
	site_open(&net.sites[2], true);
	run_for(&net, 20000);
	check_agreement(&net, 10);
	cr_assert_eq(nonce_of(&net.sites[2]), nonce);
	network_end(&net);
}

/* While a fetched block waits for its senders, live proposals of the same height come in. */
Test(network, one_that_is_behind_catches_up_while_proposals_come)
{
	struct network net;
	uint64_t nonce = 0;

	network_make(&net, 4, 0);
	run_for(&net, 2000);
	for (uint64_t round = 0; round < 40; round++) {
		net.is_cut[2] = true;
		for (uint64_t i = 0; i < 2 + round % 5; i++) {
			send(&net, 0, nonce++);
			run_for(&net, 600);
		}
		net.sites[2].batch_ms = 5 + rng_below(&net.rng, 200);
		net.is_cut[2] = false;
		for (int i = 0; i < 12; i++) {
			send(&net, 0, nonce++);
			run_for(&net, rng_below(&net.rng, 200));
		}
		run_for(&net, 12000);
		check_agreement(&net, height_of(&net.sites[0]));
	}
	cr_assert_eq(nonce_of(&net.sites[2]), nonce);
	network_end(&net);
}

Test(network, two_of_four_gone_stops_it_and_one_back_goes_on)
{
	struct network net;
	uint64_t before;

	network_make(&net, 4, 0);
	run_for(&net, 2000);
	net.is_cut[1] = net.is_cut[2] = true;
	before = height_of(&net.sites[0]);
	send(&net, 0, 0);
	run_for(&net, 20000);
	cr_assert_leq(height_of(&net.sites[0]), before + 1);
	cr_assert_eq(nonce_of(&net.sites[0]), 0);
	net.is_cut[1] = false;
	run_for(&net, 60000);
	cr_assert_eq(nonce_of(&net.sites[0]), 1);
	cr_assert_eq(nonce_of(&net.sites[1]), 1);
	net.is_cut[2] = false;
	run_for(&net, 60000);
	check_agreement(&net, 1);
	network_end(&net);
}

Test(network, observer_follows_and_forwards)
{
	struct network net;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	for (uint64_t i = 0; i < 10; i++) {
		send(&net, 4, i);
		run_for(&net, 500);
	}
	run_for(&net, 5000);
	check_agreement(&net, 5);
	cr_assert_eq(nonce_of(&net.sites[4]), 10);
	network_end(&net);
}

static bool says(const struct rpc_consensus_status *s, const char *text)
{
	return memmem(s->reason.data, s->reason.size, text, strlen(text)) != NULL;
}

/* "Why is it not moving?" must be answered for somebody who knows nothing but the answer. */
Test(network, status_names_those_who_are_missing)
{
	struct network net;
	struct rpc_node_backend backend;
	struct rpc_consensus_status s;
	char names[4][HEX_ADDR_SIZE];

	network_make(&net, 4, 1);
	for (size_t i = 0; i < 4; i++)
		hex_data(names[i], addr_bytes(&net.sites[i].address));
	run_for(&net, 2000);
	for (uint64_t i = 0; i < 4; i++) {
		send(&net, i, i);
		run_for(&net, 500);
	}
	backend = node_rpc_backend(net.sites[0].node);
	backend.ops->consensus_status(backend.ctx, &s);
	cr_expect(says(&s, "nothing waits"));
	cr_expect_eq(s.reachable.n, 4);
	cr_expect_str_eq(s.role, "validator");
	rpc_consensus_status_clear(&s);

	net.is_cut[1] = net.is_cut[2] = true;
	send(&net, 0, 4);
	run_for(&net, 60000);
	backend.ops->consensus_status(backend.ctx, &s);
	cr_expect_str_eq(s.phase, "view-changing");
	cr_expect_geq(s.view, 1);
	cr_expect(says(&s, names[1]) && says(&s, names[2]), "both who are gone");
	cr_expect(!says(&s, names[0]) && !says(&s, names[3]), "and nobody else");
	cr_expect(says(&s, "not connected, last vote 5") || says(&s, "not connected, last vote 6"));
	cr_expect(says(&s, "weight 2 of the 3 that are needed"));
	cr_expect(says(&s, "only weight 2 is connected"));
	cr_expect_eq(s.missing.n, 1);
	cr_expect_eq(s.voted.n, 2);
	cr_expect_eq(s.reachable.n, 2);
	cr_expect_not(s.has_timeout, "a view that a quorum has not asked for does not time out");
	rpc_consensus_status_clear(&s);

	/* Wrong clocks show: the one's that is behind its own chain, the one's that ran away. */
	net.now_ms -= 600000;
	backend.ops->consensus_status(backend.ctx, &s);
	cr_expect(says(&s, "ahead of this node's clock"));
	rpc_consensus_status_clear(&s);
	net.now_ms += 1200000;
	backend.ops->consensus_status(backend.ctx, &s);
	cr_expect(says(&s, "s old, though one is due every 30 s"));
	rpc_consensus_status_clear(&s);
	net.now_ms -= 600000;

	/* An observer sees that it is none, and how far its blocks are. */
	backend = node_rpc_backend(net.sites[4].node);
	backend.ops->consensus_status(backend.ctx, &s);
	cr_expect_str_eq(s.role, "observer");
	cr_expect(says(&s, "no validator"));
	rpc_consensus_status_clear(&s);
	network_end(&net);
}

/* What gossip brought and the pool refused comes back in a block: its sender is known. */
Test(network, sender_of_refused_gossip_is_remembered)
{
	struct network net;

	network_make(&net, 4, 0);
	run_for(&net, 100);
	site_close(&net.sites[1]);
	net.sites[1].pool_count = 16;
	site_open(&net.sites[1], true);
	run_for(&net, 5000);
	for (uint64_t i = 0; i < 200; i++)
		send(&net, 0, i);
	run_for(&net, 8000);
	check_agreement(&net, 2);
	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(nonce_of(&net.sites[i]), 200);
		cr_assert_eq(net.sites[i].node->metrics.recovered_total, 200, "node %zu: %llu", i,
			     (unsigned long long)net.sites[i].node->metrics.recovered_total);
	}
	cr_assert_gt(net.sites[1].node->metrics.rejected_total, 100);
	network_end(&net);
}
