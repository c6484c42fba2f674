/* The consensus log of heights that do not end. */
#include "network.h"
#include "store/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/check.h"

#define LOG_SIZE (16 * KIB)

/* The limit, or four of the largest record, and beside it what stands there until a trim is over:
 * the record that stands for all, and those on their way to the writer. */
static void check_size(const struct site *s, uint64_t *record_max)
{
	uint64_t record, size = store_consensus_size(s->store);

	record = *record_max = MAX(*record_max, s->node->record_size_max);
	cr_assert_leq(size, MAX(LOG_SIZE, 4 * record) + 4 * record + KIB, "%llu bytes, of records up to %llu",
		      (unsigned long long)size, (unsigned long long)record);
}

/* Killed, with all that it signed on disk: the machine that wakes is the same. */
static void restart(struct site *s)
{
	struct buf before = { 0 }, after = { 0 };
	struct consensus_status was, is;

	consensus_sign_record(s->node->consensus, &before);
	consensus_get_status(s->node->consensus, &was);
	site_close(s);
	site_open(s, true);
	consensus_sign_record(s->node->consensus, &after);
	consensus_get_status(s->node->consensus, &is);
	cr_assert_eq(is.height, was.height);
	cr_assert(bytes_equal(buf_bytes(&before), buf_bytes(&after)),
		  "height %llu view %llu and then %llu", (unsigned long long)was.height, (unsigned long long)was.view,
		  (unsigned long long)is.view);
	buf_clear(&before);
	buf_clear(&after);
}

static uint64_t view_of(const struct site *s)
{
	struct consensus_status status;

	consensus_get_status(s->node->consensus, &status);
	return status.view;
}

/* Two of the others ask for the view that it is in, so that it may time out. */
static void follow_with_two(struct network *net, struct site *s)
{
	const struct validator_set *set = &net->genesis.validators;

	for (size_t i = 1; i <= 2 && view_of(s) > 0; i++) {
		struct consensus_event event = { .kind = CONSENSUS_EVENT_MESSAGE, .now_ms = net->now_ms };
		struct message m = { .kind = MESSAGE_VIEW_CHANGE };

		m.view_change = (struct view_change){
			.height = 1, .view = view_of(s),
			.validator = (size_t)validator_set_find(set, &net->sites[i].address),
		};
		cr_assert_eq(message_sign(&m, net->genesis.params.chain_id, &set->hash, net->ecc,
					  &net->sites[i].key, NULL), OK);
		event.message = &m;
		node_route(s->node, &event);
	}
}

/* One of four, with two that only ask for views: one after the other, and never a block. */
Test(node_log, stays_small_over_thousands_of_views)
{
	char top[SCRATCH_PATH_MAX];
	struct network net;
	struct site *s = &net.sites[0];
	uint64_t views = 0, trims = 0, sizes = 0, record = 0;

	scratch_new(top);
	network_prepare(&net, 4, 0);
	net.genesis.params.view_timeout_ms = 100;
	scratch_path(s->dir, top, "data");
	s->log_size = LOG_SIZE;
	site_open(s, true);
	for (int round = 0; views < 2000; round++) {
		uint64_t records = s->node->metrics.records_total;

		cr_assert_lt(round, 2000);
		for (int i = 0; i < 3; i++) {
			follow_with_two(&net, s);
			run_for(&net, 6500);
		}
		check_size(s, &record);
		cr_assert_eq(height_of(s), 0);
		cr_assert_eq(s->stopped.code, 0, "%s", s->stopped.message);
		sizes += s->node->metrics.records_total - records;
		views = view_of(s);
		trims += s->node->metrics.trims_total;
		s->node->metrics.trims_total = 0;
		if (round % 31 == 0) {
			restart(s);
			net.link_count = 0; /* nobody ever answered there */
		}
		cr_assert_geq(view_of(s), views, "it has signed its leave of the views before");
	}
	cr_assert_geq(trims, 10);
	cr_assert_geq(sizes, 1900, "a record a view");
	network_end(&net);
	scratch_remove(top);
}

/* Three of four with links that come and go: proposals with blocks, view-changes, now and then a
 * commit. Nodes are killed anywhere in it. */
Test(node_log, stays_small_while_blocks_come_and_fail)
{
	char top[SCRATCH_PATH_MAX], name[16];
	uint64_t trims = 0, nonce = 0, records[3] = { 0 };
	struct network net;

	scratch_new(top);
	network_prepare(&net, 4, 0);
	net.genesis.params.view_timeout_ms = 200;
	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "data-%zu", i);
		scratch_path(net.sites[i].dir, top, name);
		net.sites[i].log_size = LOG_SIZE;
		site_open(&net.sites[i], true);
	}
	for (int round = 0; round < 400; round++) {
		size_t cut = rng_below(&net.rng, 3);

		for (int i = 0; i < 4 && !net.is_cut[0]; i++)
			send(&net, 0, nonce++);
		net.is_cut[cut] = !net.is_cut[cut];
		run_for(&net, 1 + rng_below(&net.rng, 600));
		for (size_t i = 0; i < 3; i++) {
			check_size(&net.sites[i], &records[i]);
			cr_assert_eq(net.sites[i].stopped.code, 0, "%s", net.sites[i].stopped.message);
		}
		if (round % 20 == 19) {
			for (size_t i = 0; i < 3; i++)
				trims += net.sites[i].node->metrics.trims_total;
			for (size_t i = 0; i < 3; i++)
				net.sites[i].node->metrics.trims_total = 0;
			restart(&net.sites[rng_below(&net.rng, 3)]);
		}
	}
	net.is_cut[0] = net.is_cut[1] = net.is_cut[2] = false;
	run_for(&net, 120000);
	check_agreement(&net, 2);
	cr_assert_geq(trims, 3);
	network_end(&net);
	scratch_remove(top);
}
