/*
 * timing - where the time goes between a transaction's coming and its block's being
 * there: steps of each block, as a line of the log, and how long clients of this
 * node waited, as a histogram of metrics.
 *
 *   taken ─► begun ─► ready ─► recorded ─► prepared ─► recorded ─► final ─► visible
 *            PROPOSE, PROPOSED, own prepare            own commit  COMMIT   synced in
 *            EXECUTE  EXECUTED  is durable             is durable           the commit log,
 *                                                                           head published
 *
 * Only measured: nothing else depends on it.
 */
#include "base/check.h"
#include "node/internal.h"

/* Own clients' transactions whose blocks are waited for; more are not measured. */
#define WAITING_MAX 16384

static const uint64_t bounds_us[] = { NODE_LATENCY_BOUNDS_US };

static_assert(ARRAY_COUNT(bounds_us) == NODE_LATENCY_BOUND_COUNT, "a counter for each bound");

static uint64_t now_us(const struct node *n)
{
	return n->io.steady_us ? n->io.steady_us(n->io.ctx) : 0;
}

void node_timing_init(struct node_timing *t, uint64_t seed)
{
	map_init(&t->waiting, sizeof(struct hash), sizeof(uint64_t), seed);
}

void node_timing_clear(struct node_timing *t)
{
	map_clear(&t->waiting);
}

void node_note_arrival(struct node *n, uint64_t at_us)
{
	n->timing.arrived_us = at_us;
}

void node_timing_taken(struct node *n, const struct hash *tx, bool is_own)
{
	struct node_timing *t = &n->timing;
	uint64_t at_us = now_us(n);

	if (t->at_us[NODE_STEP_TAKEN] == 0)
		t->at_us[NODE_STEP_TAKEN] = at_us;
	if (is_own && t->arrived_us && t->waiting.count < WAITING_MAX)
		*(uint64_t *)map_put(&t->waiting, tx, NULL) = t->arrived_us;
}

void node_timing_step(struct node *n, enum node_step step)
{
	struct node_timing *t = &n->timing;

	/* A block that is made anew begins anew; votes are for the last one. */
	if (t->at_us[step] == 0 || step <= NODE_STEP_READY)
		t->at_us[step] = now_us(n);
}

void node_timing_recorded(struct node *n)
{
	node_timing_step(n, n->timing.at_us[NODE_STEP_PREPARED] ? NODE_STEP_COMMIT_RECORDED : NODE_STEP_RECORDED);
}

void node_timing_final(struct node *n, struct node_job *job)
{
	struct node_timing *t = &n->timing;

	node_timing_step(n, NODE_STEP_FINAL);
	memcpy(job->at_us, t->at_us, sizeof(job->at_us));
	memset(t->at_us, 0, sizeof(t->at_us));
}

static void count_latency(struct node_timing *t, uint64_t us)
{
	size_t i = 0;

	while (i < ARRAY_COUNT(bounds_us) && us > bounds_us[i])
		i++;
	t->latency_counts[i]++;
	t->latency_sum_us += us;
}

/* What is in a block is no longer waited for; what was replaced or evicted would be
 * for ever, so all is forgotten when too much is. */
static void count_latencies(struct node *n, const struct node_job *job)
{
	struct node_timing *t = &n->timing;
	uint64_t visible_us = job->at_us[NODE_STEP_VISIBLE];

	for (size_t i = 0; t->waiting.count && i < job->result.block.tx_count; i++) {
		const struct hash *hash = &job->result.block.txs[i]->hash;
		const uint64_t *arrived_us = map_get(&t->waiting, hash);

		if (!arrived_us)
			continue;
		count_latency(t, visible_us - *arrived_us);
		map_delete(&t->waiting, hash);
	}
	if (t->waiting.count == WAITING_MAX)
		map_reset(&t->waiting);
}

static long long after(const struct node_job *job, enum node_step step)
{
	return job->at_us[step] ? (long long)(job->at_us[step] - job->at_us[NODE_STEP_FINAL]) : 0;
}

void node_timing_visible(struct node *n, struct node_job *job)
{
	job->at_us[NODE_STEP_VISIBLE] = now_us(n);
	if (job->at_us[NODE_STEP_VISIBLE] == 0)
		return;
	count_latencies(n, job);
	/* Relative to `final_us`, the machine's clock: lines of several nodes there compare. */
	LOG_DEBUG(n->config.log, "node", "timing",
		  "height=%llu txs=%zu final_us=%llu taken=%lld begun=%lld ready=%lld recorded=%lld prepared=%lld "
		  "commit_recorded=%lld visible=%lld", (unsigned long long)job->height, job->result.block.tx_count,
		  (unsigned long long)job->at_us[NODE_STEP_FINAL], after(job, NODE_STEP_TAKEN),
		  after(job, NODE_STEP_BEGUN), after(job, NODE_STEP_READY), after(job, NODE_STEP_RECORDED),
		  after(job, NODE_STEP_PREPARED), after(job, NODE_STEP_COMMIT_RECORDED),
		  after(job, NODE_STEP_VISIBLE));
}

void node_timing_metrics(const struct node_timing *t, struct buf *out)
{
	uint64_t count = 0;

	buf_printf(out, "# HELP weftd_commit_latency_seconds From a client's sending a transaction to its block's "
		   "being synced and shown here.\n# TYPE weftd_commit_latency_seconds histogram\n");
	for (size_t i = 0; i < ARRAY_COUNT(bounds_us); i++) {
		count += t->latency_counts[i];
		buf_printf(out, "weftd_commit_latency_seconds_bucket{le=\"%llu.%06llu\"} %llu\n",
			   (unsigned long long)(bounds_us[i] / 1000000), (unsigned long long)(bounds_us[i] % 1000000),
			   (unsigned long long)count);
	}
	count += t->latency_counts[ARRAY_COUNT(bounds_us)];
	buf_printf(out, "weftd_commit_latency_seconds_bucket{le=\"+Inf\"} %llu\n"
		   "weftd_commit_latency_seconds_sum %llu.%06llu\nweftd_commit_latency_seconds_count %llu\n",
		   (unsigned long long)count, (unsigned long long)(t->latency_sum_us / 1000000),
		   (unsigned long long)(t->latency_sum_us % 1000000), (unsigned long long)count);
}
