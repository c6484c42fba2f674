/* A node's life: opened, closed, its writer and its workers. */
#include "sim/internal.h"

#include <stdio.h>

#include "base/check.h"

/* --- what a node asks for --- */

static uint64_t wall_ms(void *ctx)
{
	const struct site *s = ctx;

	return (uint64_t)((int64_t)(START_MS + s->sim->now_us / 1000) + s->clock_ms);
}

static uint64_t steady_ms(void *ctx)
{
	return 1000 + ((struct site *)ctx)->sim->now_us / 1000;
}

static void plan(struct site *s, uint64_t at_us, uint64_t *planned_us, enum entry_kind kind)
{
	if (at_us >= *planned_us)
		return;
	*planned_us = at_us;
	heap_push(&s->sim->heap, at_us, kind, (uint32_t)s->index, s->life, NULL);
}

/* As the daemon's timers: set by the clock, kept by one that never jumps. */
static void wake_at(void *ctx, uint64_t at_ms)
{
	struct site *s = ctx;
	uint64_t now_ms = wall_ms(s);

	s->wake_us = (s->sim->now_us / 1000 + (at_ms > now_ms ? at_ms - now_ms : 0)) * 1000;
	s->wake_us = MAX(s->wake_us, s->sim->now_us + 1);
	plan(s, s->wake_us, &s->tick_at_us, ENTRY_TICK);
}

static void wake_peers_at(void *ctx, uint64_t at_ms)
{
	struct site *s = ctx;

	if (at_ms == UINT64_MAX) {
		s->peer_wake_us = UINT64_MAX;
		return;
	}
	s->peer_wake_us = MAX((at_ms - 1000) * 1000, s->sim->now_us + 1);
	plan(s, s->peer_wake_us, &s->peer_tick_at_us, ENTRY_PEER_TICK);
}

static void write_job(void *ctx, struct node_job *job)
{
	struct site *s = ctx;

	CHECK(s->job_count < SITE_JOB_MAX);
	s->jobs[s->job_count++] = job;
	if (!s->is_writing) {
		s->is_writing = true;
		heap_push(&s->sim->heap, s->sim->now_us + 20, ENTRY_WRITER, (uint32_t)s->index, s->life, NULL);
	}
}

static void recover(void *ctx, struct node_batch *batch)
{
	struct site *s = ctx;
	struct sim *sim = s->sim;
	uint64_t *worker = &s->worker_free_us[draw(&sim->rng, 0, SITE_WORKER_MAX - 1)];
	uint64_t us = draw(&sim->rng, 50, 300);

	if (faults_has(sim, SIM_FAULT_WORKER) && draw_is(&sim->rng, 300)) {
		sim_fired(sim, SIM_FAULT_WORKER);
		us = draw(&sim->rng, 1000, 300000);
	}
	CHECK(s->batch_count < ARRAY_COUNT(s->batches));
	s->batches[s->batch_count++] = batch;
	*worker = MAX(*worker, sim->now_us) + us;
	heap_push(&sim->heap, *worker, ENTRY_BATCH, (uint32_t)s->index, s->life, batch);
}

static void peer_write(void *ctx, uint64_t handle, struct bytes bytes)
{
	struct site *s = ctx;

	if (s->state != SITE_DOWN)
		net_write(s, handle, bytes);
}

static void peer_close(void *ctx, uint64_t handle)
{
	struct site *s = ctx;

	if (s->state != SITE_DOWN)
		net_close(s, handle);
}

static void peer_connect(void *ctx, size_t dial, const char *endpoint)
{
	struct site *s = ctx;

	if (s->state != SITE_DOWN)
		net_connect(s, dial, endpoint);
}

static void publish(void *ctx, struct node_head *head)
{
	struct site *s = ctx;

	node_head_unref(s->head);
	s->head = head;
	if (s->state != SITE_DOWN)
		oracle_head(s->sim->oracle, s->sim, s);
}

static void stop(void *ctx, const struct err *err)
{
	struct site *s = ctx;

	if (s->state == SITE_DOWN)
		return;
	s->stopped = *err;
	if (!s->is_liar)
		sim_found(s->sim, SIM_STOPPED, "node %zu stops: %s", s->index, err->message);
}

static struct node_head *acquire(void *ctx)
{
	return node_head_ref(((struct site *)ctx)->head);
}

/* --- opening --- */

static void fill_statics(struct site *s, struct p2p_config *p2p)
{
	struct sim *sim = s->sim;

	for (size_t i = 0; i < sim->site_count; i++) {
		if (sim->sites[i].identity != i || i == s->identity)
			continue;
		snprintf(s->endpoints[i], sizeof(s->endpoints[i]), "n%zu", i);
		s->statics[p2p->static_count++] = (struct p2p_static){ s->endpoints[i], sim->sites[i].address };
	}
}

static int open_node(struct site *s, struct err *err)
{
	struct sim *sim = s->sim;
	const struct node_io io = {
		.ctx = s, .now_ms = wall_ms, .wake_at = wake_at, .write = write_job, .steady_ms = steady_ms,
		.wake_peers_at = wake_peers_at, .recover = recover, .peer_write = peer_write,
		.peer_close = peer_close, .peer_connect = peer_connect, .publish = publish, .stop = stop,
	};
	struct p2p_config p2p = {
		.chain_id = CHAIN_ID, .genesis_hash = sim->genesis_hash, .ecc = sim->ecc, .key = s->key,
		.listen_port = 30900, .software = "sim", .statics = s->statics, .session_max = 2 * SITE_MAX,
		.seed = rng_next(&sim->rng),
	};
	struct node_config config = {
		.genesis = &sim->genesis, .ecc = sim->ecc, .is_validator = s->is_validator, .validator_key = s->key,
		.pool = { 1000, 1 * MIB, 200, 200, sim->genesis.params.base_fee_floor },
		.p2p = &p2p, .seed = rng_next(&sim->rng), .log = sim->options.log,
	};

	fill_statics(s, &p2p);
	return node_new(&s->node, &config, s->store, &io, err);
}

void site_open(struct site *s)
{
	struct sim *sim = s->sim;
	const struct store_options options = {
		.tree_memory_max = 64 * MIB, .history_ms = HISTORY_MS_DEFAULT, .seed = rng_next(&sim->rng),
	};
	struct store_report report;
	struct err err = { 0 };
	int code;

	CHECK(s->state == SITE_DOWN);
	s->reader = (struct node_reader){ acquire, s, &sim->genesis.params, wall_ms };
	s->life++;
	s->wake_us = s->peer_wake_us = s->tick_at_us = s->peer_tick_at_us = UINT64_MAX;
	s->stopped = (struct err){ 0 };
	s->is_writing = false;
	memset(s->worker_free_us, 0, sizeof(s->worker_free_us));
	code = store_open(&s->store, &options, &sim->genesis, &report, &err);
	if (code == OK) {
		s->state = SITE_UP;
		code = open_node(s, &err);
	}
	if (code != OK)
		sim_found(sim, SIM_STOPPED, "node %zu does not start: %s", s->index, err.message);
	else
		site_turn_end(s);
}

/* --- closing --- */

static void close_all(struct site *s)
{
	const struct err lost = { .code = NODE_E_STORAGE, .message = "lost" };

	s->state = SITE_DOWN; /* from here on nothing leaves it */
	for (size_t i = 0; i < s->job_count; i++)
		node_on_job_failed(s->node, s->jobs[i], &lost);
	for (size_t i = 0; i < s->written_count; i++)
		node_on_job_failed(s->node, s->written[i], &lost);
	for (size_t i = 0; i < s->batch_count; i++)
		node_on_batch(s->node, s->batches[i]);
	s->job_count = s->written_count = s->batch_count = 0;
	node_head_unref(s->head);
	s->head = NULL;
	node_free(s->node);
	s->node = NULL;
	store_close(s->store);
	s->store = NULL;
}

void site_crash(struct site *s)
{
	if (s->state == SITE_DOWN)
		return;
	close_all(s);
	s->paused_until_us = 0;
}

void site_end(struct site *s)
{
	if (s->state != SITE_UP)
		return;
	s->state = SITE_ENDING;
	site_turn_end(s);
}

static void wind_down(struct site *s)
{
	struct sim *sim = s->sim;

	if (!node_wind_down(s->node))
		return;
	net_site_gone(sim, s);
	close_all(s);
	heap_push(&sim->heap, sim->now_us + draw(&sim->rng, SECOND_US / 10, 3 * SECOND_US), ENTRY_OPEN,
		  (uint32_t)s->index, 0, NULL);
}

/* --- events --- */

void site_turn_end(struct site *s)
{
	node_on_turn_end(s->node);
	if (s->state == SITE_ENDING)
		wind_down(s);
}

void site_peer(struct site *s, const struct p2p_event *event)
{
	node_on_peer(s->node, event);
	site_turn_end(s);
}

void site_tick(struct site *s)
{
	if (s->tick_at_us <= s->sim->now_us)
		s->tick_at_us = UINT64_MAX;
	if (s->wake_us <= s->sim->now_us) {
		s->wake_us = UINT64_MAX;
		node_on_tick(s->node);
		site_turn_end(s);
	} else if (s->wake_us != UINT64_MAX) {
		plan(s, s->wake_us, &s->tick_at_us, ENTRY_TICK);
	}
}

void site_peer_tick(struct site *s)
{
	if (s->peer_tick_at_us <= s->sim->now_us)
		s->peer_tick_at_us = UINT64_MAX;
	if (s->peer_wake_us <= s->sim->now_us) {
		s->peer_wake_us = UINT64_MAX;
		node_on_peer_tick(s->node);
		site_turn_end(s);
	} else if (s->peer_wake_us != UINT64_MAX) {
		plan(s, s->peer_wake_us, &s->peer_tick_at_us, ENTRY_PEER_TICK);
	}
}

void site_batch_done(struct site *s, struct node_batch *batch)
{
	size_t at = 0;

	while (at < s->batch_count && s->batches[at] != batch)
		at++;
	CHECK(at < s->batch_count);
	s->batches[at] = s->batches[--s->batch_count];
	node_batch_run(batch);
	node_on_batch(s->node, batch);
	site_turn_end(s);
}

/* --- the writer --- */

/* One group that shares a sync; all that it does to the disk is done here, what
 * comes of it is known later. */
void site_write_begin(struct site *s)
{
	struct sim *sim = s->sim;
	size_t count = node_jobs_group(s->jobs, s->job_count);
	struct err err = { 0 };
	int code = OK;

	CHECK(s->written_count == 0);
	if (count == 0) {
		s->is_writing = false;
		return;
	}
	memcpy(s->written, s->jobs, count * sizeof(s->jobs[0]));
	s->written_count = count;
	s->job_count -= count;
	memmove(s->jobs, s->jobs + count, s->job_count * sizeof(s->jobs[0]));
	for (size_t i = 0; code == OK && i < count; i++)
		code = node_job_run(s->written[i], &err);
	CHECK(code == OK);
	node_jobs_sync(s->written, count);
	for (size_t i = 0; code == OK && i < count; i++)
		code = node_job_finish(s->written[i], &err);
	CHECK(code == OK);
	heap_push(&sim->heap, sim->now_us + draw(&sim->rng, 200, 1500), ENTRY_WRITTEN, (uint32_t)s->index, s->life,
		  NULL);
}

void site_write_done(struct site *s)
{
	struct sim *sim = s->sim;
	size_t count = s->written_count;
	struct node_job *jobs[SITE_JOB_MAX];

	memcpy(jobs, s->written, count * sizeof(jobs[0]));
	s->written_count = 0;
	for (size_t i = 0; i < count; i++)
		node_on_job(s->node, jobs[i]);
	if (s->job_count > 0)
		heap_push(&sim->heap, sim->now_us, ENTRY_WRITER, (uint32_t)s->index, s->life, NULL);
	else
		s->is_writing = false;
	site_turn_end(s);
}

uint64_t site_height(const struct site *s)
{
	struct rpc_reader_backend reader = node_reader_backend((struct node_reader *)(uintptr_t)&s->reader);
	void *snapshot = reader.ops->open(reader.ctx);
	uint64_t height = reader.ops->height(snapshot);

	reader.ops->close(snapshot);
	return height;
}
