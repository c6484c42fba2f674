/* Checkpoints: made by validators, counted by everyone, held against liars. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "base/check.h"
#include "network.h"

static struct rpc_checkpoint checkpoint_at(struct site *s)
{
	struct rpc_node_backend backend = node_rpc_backend(s->node);
	struct rpc_checkpoint out = { 0 };

	backend.ops->checkpoint(backend.ctx, &out);
	return out;
}

/* What a device does with it: signatures of its own set, distinct, above f, of a block that
 * the chain has. */
static void check_as_device(struct network *net, const struct rpc_checkpoint *c)
{
	struct site *s = &net->sites[0];
	const struct validator_set *set = &net->genesis.validators;
	struct hash at = hash_at(s, c->height);
	struct signer_bits signers = { 0 };

	cr_assert(hash_equal(&at, &c->block_hash), "height %llu", (unsigned long long)c->height);
	cr_assert(hash_equal(&c->validators_hash, &set->hash));
	for (size_t i = 0; i < c->count; i++) {
		const struct checkpoint p = {
			c->height, c->block_hash, c->signers[i].index, c->signers[i].signature,
		};

		cr_assert_eq(checkpoint_check(&p, 31337, set, net->ecc, NULL), OK);
		cr_assert(addr_equal(&set->members[p.validator].address, &c->signers[i].address));
		cr_assert(!signer_bits_get(&signers, p.validator));
		signer_bits_set(&signers, p.validator);
	}
	cr_assert_gt(validator_set_weight(set, &signers).n, validator_set_faulty(set).n);
	cr_assert_eq(c->weight.n, validator_set_weight(set, &signers).n);
}

Test(node_checkpoint, four_validators_make_them_and_an_observer_serves_them)
{
	struct network net;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	cr_assert(!checkpoint_at(&net.sites[4]).is_there);
	for (uint64_t i = 0; i < 10; i++) {
		send(&net, i % 4, i);
		run_for(&net, 300);
	}
	run_for(&net, 2300); /* not the moment at which an empty block is due */
	for (size_t i = 0; i < 5; i++) {
		struct rpc_checkpoint c = checkpoint_at(&net.sites[i]);

		cr_assert(c.is_there, "node %zu", i);
		cr_assert_geq(c.height + 1, height_of(&net.sites[i]));
		check_as_device(&net, &c);
		cr_assert_eq(net.sites[i].node->metrics.checkpoints_total > 0, i < 4);
		free(c.signers);
	}
	check_agreement(&net, 10);
	network_end(&net);
}

/* At most one in 100 ms, however fast blocks come. */
Test(node_checkpoint, are_signed_at_a_bounded_rate)
{
	struct network net;
	uint64_t before, nonce = 0;

	network_make(&net, 4, 0);
	net.genesis.params.min_interval_ms = 0;
	for (size_t i = 0; i < 4; i++)
		site_close(&net.sites[i]);
	net.link_count = 0;
	for (size_t i = 0; i < 4; i++)
		site_open(&net.sites[i], true);
	run_for(&net, 2000);
	before = height_of(&net.sites[0]);
	for (int i = 0; i < 200; i++) {
		send(&net, 0, nonce++);
		run_for(&net, 10);
	}
	cr_assert_gt(height_of(&net.sites[0]) - before, 50, "blocks came fast");
	cr_assert_leq(net.sites[0].node->metrics.checkpoints_total, 23);
	cr_assert_gt(net.sites[0].node->metrics.checkpoints_total, 5);
	network_end(&net);
}

static void tell(struct network *net, size_t from, size_t to, const struct checkpoint *c)
{
	struct p2p_event event = { .kind = P2P_EVENT_SEND_CHECKPOINT, .peer = net->sites[to].address };
	struct buf bytes = { 0 };

	checkpoint_encode(&bytes, c);
	event.checkpoint = buf_bytes(&bytes);
	node_on_peer(net->sites[from].node, &event);
	run_for(net, 50);
	buf_clear(&bytes);
}

static struct checkpoint checkpoint_of(struct network *net, size_t site, uint64_t height, uint8_t hash)
{
	const struct validator_set *set = &net->genesis.validators;
	struct checkpoint c = { .height = height, .block_hash = { { hash } } };

	c.validator = (size_t)validator_set_find(set, &net->sites[site].address);
	cr_assert_eq(checkpoint_sign(&c, 31337, &set->hash, net->ecc, &net->sites[site].key, NULL), OK);
	return c;
}

/* A liar says of one height two things, to two nodes; and what one liar says convinces nobody. */
Test(node_checkpoint, two_of_one_height_are_evidence)
{
	struct network net;
	struct checkpoint a, b;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	a = checkpoint_of(&net, 3, 3, 1);
	b = checkpoint_of(&net, 3, 3, 2);
	tell(&net, 3, 0, &a);
	tell(&net, 3, 0, &b);
	for (size_t i = 0; i < 5; i++) {
		cr_assert_eq(net.sites[i].node->evidence.count, 1, "node %zu", i);
		cr_assert_eq(net.sites[i].node->evidence.items[0]->at.kind, CONSENSUS_KIND_CHECKPOINT);
		cr_assert(addr_equal(&net.sites[i].node->evidence.items[0]->address, &net.sites[3].address));
		cr_assert(!checkpoint_at(&net.sites[i]).is_there);
	}
	check_agreement(&net, 0);
	network_end(&net);
}

/* Forged ones cost whoever passes them on, and stand in nobody's way. */
Test(node_checkpoint, forged_ones_cost_their_sender)
{
	struct network net;
	struct p2p_metrics m;
	struct rpc_checkpoint c;

	network_make(&net, 4, 1);
	run_for(&net, 2000);
	for (uint64_t i = 0; i < 40; i++) {
		struct checkpoint forged = checkpoint_of(&net, i % 4, 1 + i % 8, 7);

		forged.signature.r[5] ^= 1;
		tell(&net, 4, 0, &forged);
	}
	p2p_get_metrics(net.sites[0].node->p2p, &m);
	cr_assert_gt(m.offence_count[P2P_OFFENCE_REFUSED], 20);
	cr_assert_eq(net.sites[0].node->evidence.count, 0);
	/* No checkpoint at all. */
	node_on_peer(net.sites[4].node, &(struct p2p_event){ .kind = P2P_EVENT_SEND_CHECKPOINT,
							     .checkpoint = bytes_of_str("nonsense") });
	run_for(&net, 50);
	p2p_get_metrics(net.sites[0].node->p2p, &m);
	cr_assert_eq(m.offence_count[P2P_OFFENCE_EVIDENCE], 1);
	for (uint64_t i = 0; i < 5; i++) {
		send(&net, 1, i);
		run_for(&net, 300);
	}
	c = checkpoint_at(&net.sites[0]);
	cr_assert(c.is_there);
	check_as_device(&net, &c);
	free(c.signers);
	network_end(&net);
}
