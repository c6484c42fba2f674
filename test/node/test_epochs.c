/* Sets of validators that change under whole nodes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "chain/certificate.h"
#include "network.h"
#include "test/store/scratch.h"

#define EPOCH_LENGTH 8

static void prepare(struct network *net, size_t count, size_t others)
{
	network_prepare(net, count, others);
	net->genesis.params.epoch_length = EPOCH_LENGTH;
	net->genesis.params.epoch_ms = 0;
}

/* All have a validator's key; who is not in the set waits. */
static void open_all(struct network *net)
{
	for (size_t i = 0; i < net->count; i++)
		site_open(&net->sites[i], true);
}

static const struct epoch *epoch_of(const struct network *net, size_t site)
{
	return &net->sites[site].node->tip.epoch;
}

/* A transfer, and time for a block or two. */
static void drive(struct network *net)
{
	size_t to = rng_below(&net->rng, net->count);

	while (!net->sites[to].is_up)
		to = (to + 1) % net->count;
	send(net, to, next_nonce(net, to, &net->alice_address));
	run_for(net, 400);
}

static bool all_have(const struct network *net, size_t member_count)
{
	for (size_t i = 0; i < net->count; i++)
		if (net->sites[i].is_up && epoch_of(net, i)->set.count != member_count)
			return false;
	return true;
}

/* Until one site is none any more, anywhere. */
static void drive_until_gone(struct network *net, size_t site)
{
	for (int i = 0; validator_set_find(&epoch_of(net, 0)->set, &net->sites[site].address) >= 0; i++) {
		cr_assert_lt(i, 60, "node %zu stays", site);
		drive(net);
	}
	run_for(net, 3000);
}

static void drive_until(struct network *net, size_t member_count)
{
	for (int i = 0; !all_have(net, member_count); i++) {
		cr_assert_lt(i, 60, "node 0 has %zu validators at height %llu", epoch_of(net, 0)->set.count,
			     (unsigned long long)height_of(&net->sites[0]));
		drive(net);
	}
}

/* Every present member votes on sites `from` … `to` - 1; each gives its votes to its own pool. */
static void vote_all(struct network *net, size_t from, size_t to, uint64_t weight)
{
	const struct epoch e = *epoch_of(net, 0);

	for (size_t v = from; v < to; v++)
		for (size_t i = 0; i < net->count; i++)
			if (validator_set_find(&e.set, &net->sites[i].address) >= 0)
				send_vote(net, i, i, &net->sites[v].address, weight);
	run_for(net, 1000);
}

/* Sites up to `members` are validators now, and no others; all say so. */
static void check_members(struct network *net, size_t members)
{
	for (size_t i = 0; i < net->count; i++) {
		struct rpc_node_backend backend = node_rpc_backend(net->sites[i].node);
		struct rpc_consensus_status status;

		for (size_t k = 0; k < net->count; k++)
			cr_assert_eq(validator_set_find(&epoch_of(net, i)->set, &net->sites[k].address) >= 0,
				     k < members);
		cr_assert_eq(node_is_member(net->sites[i].node), i < members);
		backend.ops->consensus_status(backend.ctx, &status);
		cr_assert_eq(strcmp(status.phase, "passive") == 0, i >= members, "node %zu: %s", i, status.phase);
		cr_assert_eq(status.member_count, members);
		rpc_consensus_status_clear(&status);
	}
	check_agreement(net, epoch_of(net, 0)->first - (epoch_of(net, 0)->first > 0));
}

Test(epochs, set_grows_and_shrinks_on_a_running_chain)
{
	static const struct {
		size_t from, to, members;
		uint64_t weight;
	} steps[] = { { 1, 2, 2, 1 }, { 2, 4, 4, 1 }, { 4, 7, 7, 1 }, { 4, 7, 4, 0 }, { 2, 4, 2, 0 } };
	struct network net;
	uint64_t number;

	prepare(&net, 1, 6);
	open_all(&net);
	run_for(&net, 2000);
	check_members(&net, 1);
	for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
		number = epoch_of(&net, 0)->number;
		vote_all(&net, steps[i].from, steps[i].to, steps[i].weight);
		drive_until(&net, steps[i].members);
		cr_assert_gt(epoch_of(&net, 0)->number, number);
		for (int k = 0; k < 12; k++) /* everyone has had a turn */
			drive(&net);
		run_for(&net, 3300); /* not the moment at which an empty block is due */
		check_members(&net, steps[i].members);
	}
	/* Who has been removed keeps following, and nobody has been punished for the change. */
	for (size_t i = 0; i < net.count; i++) {
		cr_assert_geq(nonce_of(&net.sites[i]), 60);
		cr_assert_eq(net.sites[i].node->metrics.invalid_total, 0);
		cr_assert_eq(net.sites[i].node->metrics.malformed_total, 0);
	}
	network_end(&net);
}

/* Each node on a disk of its own, killed at any moment: it wakes in the right epoch. */
Test(epochs, restart_at_any_point_around_an_epochs_end)
{
	char top[SCRATCH_PATH_MAX];
	struct network net;
	uint64_t highest = 0;

	prepare(&net, 4, 1);
	net.genesis.params.epoch_length = 3;
	/* Nothing here is about power losses: memory is as good as a disk, where there is any. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	scratch_new(top);
	for (size_t i = 0; i < net.count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "node%zu", i);
		scratch_path(net.sites[i].dir, top, name);
	}
	open_all(&net);
	run_for(&net, 2000);
	for (int round = 0; round < 40; round++) {
		size_t victim = rng_below(&net.rng, net.count);
		bool joins = validator_set_find(&epoch_of(&net, 0)->set, &net.sites[4].address) < 0;

		/* The fifth comes and goes, so that sets differ around the restarts. */
		if (round % 3 == 0)
			for (size_t i = 0; i < 4; i++)
				send_vote(&net, i, i, &net.sites[4].address, joins);
		send(&net, 0, next_nonce(&net, 0, &net.alice_address));
		run_for(&net, rng_below(&net.rng, 60));
		site_close(&net.sites[victim]);
		run_for(&net, rng_below(&net.rng, 300));
		site_open(&net.sites[victim], true);
		run_for(&net, 1500);
		for (size_t i = 0; i < net.count; i++)
			cr_assert_eq(net.sites[i].stopped.code, 0, "node %zu: %s", i, net.sites[i].stopped.message);
		highest = MAX(highest, epoch_of(&net, 0)->number);
	}
	for (int i = 0; i < 10; i++)
		drive(&net);
	run_for(&net, 20000);
	check_agreement(&net, 45);
	for (size_t i = 1; i < net.count; i++) {
		cr_assert_eq(epoch_of(&net, i)->number, epoch_of(&net, 0)->number);
		cr_assert_eq(epoch_of(&net, i)->first, epoch_of(&net, 0)->first);
		cr_assert(hash_equal(&epoch_of(&net, i)->set.hash, &epoch_of(&net, 0)->set.hash));
	}
	cr_assert_geq(highest, 15);
	network_end(&net);
	scratch_remove(top);
}

/* One that was away over several epochs fetches their blocks, each with its own set. */
Test(epochs, fetches_over_several_sets)
{
	struct network net;

	prepare(&net, 4, 3);
	for (size_t i = 0; i < 6; i++)
		site_open(&net.sites[i], true);
	run_for(&net, 2000);
	vote_all(&net, 4, 6, 1);
	drive_until(&net, 6);
	vote_all(&net, 1, 3, 0);
	drive_until(&net, 4);
	for (int i = 0; i < 10; i++)
		drive(&net);
	site_open(&net.sites[6], true); /* from genesis */
	run_for(&net, 20000);
	check_agreement(&net, height_of(&net.sites[0]) - 1);
	cr_assert_eq(epoch_of(&net, 6)->number, epoch_of(&net, 0)->number);
	cr_assert_geq(net.sites[6].node->metrics.fetched_total, 3 * EPOCH_LENGTH);
	cr_assert_eq(net.sites[6].node->metrics.invalid_total, 0);
	/* It knows every epoch that it has come through. */
	for (uint64_t h = 0; h <= height_of(&net.sites[6]) + 1; h++) {
		struct epoch a, b;

		cr_assert_eq(store_read_epoch(net.sites[6].head->reader, h, &a, NULL), OK);
		cr_assert_eq(a.first, h / EPOCH_LENGTH * EPOCH_LENGTH);
		if (h > height_of(&net.sites[0]) + 1)
			continue;
		cr_assert_eq(store_read_epoch(net.sites[0].head->reader, h, &b, NULL), OK);
		cr_assert(hash_equal(&a.set.hash, &b.set.hash));
	}
	network_end(&net);
}

static int read_sealed(void *ctx, uint32_t index, const struct stored_tx *t, struct err *err)
{
	struct block *b = ctx;

	(void)err;
	b->txs[index] = tx_ref(t->tx);
	return OK;
}

/* The block of a height as it would be fetched, with a certificate of these sites, signed for `set`. */
static void forge(struct network *net, uint64_t height, const struct validator_set *set,
		  const size_t signers[], size_t count, struct buf *sealed, struct buf *certificate)
{
	struct store_reader *reader = net->sites[0].head->reader;
	struct stored_header stored = { 0 };
	struct certificate c;
	struct block b = { 0 };
	struct hash digest;

	cr_assert_eq(store_read_header(reader, height, &stored, NULL), OK);
	b = (struct block){ .header = stored.header, .hash = stored.hash, .commitments = stored.commitments,
			    .tx_count = stored.tx_count, .withdrawals = stored.withdrawals,
			    .withdrawal_count = stored.withdrawal_count };
	stored.withdrawals = NULL;
	stored.withdrawal_count = 0;
	b.txs = xcalloc(stored.tx_count + 1, sizeof(b.txs[0]));
	cr_assert_eq(store_each_tx(reader, height, read_sealed, &b, NULL), OK);
	block_encode_sealed(sealed, &b);
	certificate_init(&c, height, 0, &b.hash);
	certificate_digest(&c, DOMAIN_COMMIT, 31337, &set->hash, &digest);
	for (size_t i = 0; i < count; i++) {
		struct signature s;
		int index = validator_set_find(set, &net->sites[signers[i]].address);

		cr_assert_geq(index, 0);
		cr_assert_eq(ecc_sign(net->ecc, &s, &digest, &net->sites[signers[i]].key, NULL), OK);
		cr_assert(certificate_add(&c, (size_t)index, &s));
	}
	certificate_encode(certificate, &c);
	block_clear(&b);
	stored_header_clear(&stored);
}

static void fetch_one(struct site *s, uint64_t height, const struct buf *sealed, const struct buf *certificate)
{
	const struct wire_block item = { buf_bytes(sealed), buf_bytes(certificate) };
	const struct wire_blocks blocks = { height, &item, 1 };

	node_on_fetched(s->node, &blocks, &s->address);
	run_for(s->net, 50);
}

/* A quorum of the set before, or after, proves nothing about a height. */
Test(epochs, certificate_of_another_epochs_set_is_refused)
{
	static const size_t old_set[] = { 0, 1, 2, 3 }, new_set[] = { 0, 4, 5, 6 };
	struct network net;
	struct validator_set before, after;
	struct site *alone;
	uint64_t last, refused;

	prepare(&net, 4, 4);
	for (size_t i = 0; i < 7; i++)
		site_open(&net.sites[i], true);
	run_for(&net, 2000);
	before = epoch_of(&net, 0)->set;
	vote_all(&net, 4, 7, 1);
	vote_all(&net, 1, 4, 0);
	drive_until_gone(&net, 3);
	after = epoch_of(&net, 0)->set;
	last = epoch_of(&net, 0)->first - 1;
	cr_assert_not(hash_equal(&before.hash, &after.hash));
	run_for(&net, 5000);
	drive(&net);
	/* One that nobody reaches is given the blocks by hand. */
	net.is_cut[7] = true;
	alone = &net.sites[7];
	site_open(alone, true);
	for (uint64_t h = 1; h <= last + 1; h++) {
		bool is_old = h <= last;
		struct buf sealed = { 0 }, wrong = { 0 }, right = { 0 }, mixed = { 0 };

		forge(&net, h, is_old ? &after : &before, is_old ? new_set : old_set, 4, &sealed, &wrong);
		refused = alone->node->metrics.invalid_total;
		fetch_one(alone, h, &sealed, &wrong);
		cr_assert_eq(alone->node->metrics.invalid_total, refused + 1, "height %llu", (unsigned long long)h);
		cr_assert_eq(alone->node->tip.header.height, h - 1);
		buf_reset(&sealed);
		/* the right signers for the wrong set */
		forge(&net, h, is_old ? &after : &before, (const size_t[]){ 0 }, 1, &sealed, &mixed);
		fetch_one(alone, h, &sealed, &mixed);
		cr_assert_eq(alone->node->tip.header.height, h - 1);
		buf_reset(&sealed);
		forge(&net, h, is_old ? &before : &after, is_old ? old_set : new_set, 4, &sealed, &right);
		fetch_one(alone, h, &sealed, &right);
		cr_assert_eq(alone->node->tip.header.height, h, "height %llu: %s", (unsigned long long)h,
			     alone->stopped.message);
		buf_clear(&sealed);
		buf_clear(&wrong);
		buf_clear(&right);
		buf_clear(&mixed);
	}
	cr_assert_eq(epoch_of(&net, 7)->first, last + 1);
	network_end(&net);
}
