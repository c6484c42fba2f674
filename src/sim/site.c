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

	if (faults_has(sim, SIM_FAULT_WORKER) && draw_is(&sim->rng, 500)) {
		sim_fired(sim, SIM_FAULT_WORKER);
		us = draw(&sim->rng, 1000, draw_is(&sim->rng, 200) ? 5 * SECOND_US : SECOND_US / 2);
	}
	CHECK(s->batch_count < ARRAY_COUNT(s->batches));
	s->batches[s->batch_count++] = batch;
	*worker = MAX(*worker, sim->now_us) + us;
	heap_push(&sim->heap, *worker, ENTRY_BATCH, (uint32_t)s->index, s->life, batch);
}

/* From a machine that is dead nothing leaves. */
static bool is_mute(const struct site *s)
{
	return s->state == SITE_DOWN || disk_is_dead(s->disk);
}

static void peer_write(void *ctx, uint64_t handle, struct bytes bytes)
{
	struct site *s = ctx;

	if (!is_mute(s))
		net_write(s, handle, bytes);
}

static void peer_close(void *ctx, uint64_t handle)
{
	struct site *s = ctx;

	if (!is_mute(s))
		net_close(s, handle);
}

static void peer_connect(void *ctx, size_t dial, const char *endpoint)
{
	struct site *s = ctx;

	if (!is_mute(s))
		net_connect(s, dial, endpoint);
}

static void publish(void *ctx, struct node_head *head)
{
	struct site *s = ctx;

	node_head_unref(s->head);
	s->head = head;
	if (!is_mute(s))
		oracle_head(s->sim->oracle, s->sim, s);
}

/* --- what its disk did --- */

static uint64_t excuses_of(const struct site *s)
{
	static const enum disk_fault kinds[] = {
		DISK_MISDIRECTED_READ, DISK_CORRUPT_READ, DISK_READ_ERROR, DISK_FULL, DISK_WRITE_ERROR, DISK_FAILED_SYNC,
	};
	const uint64_t *counters = disk_counters(s->disk);
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		sum += counters[kinds[i]];
	return sum;
}

static bool is_damaged(const struct site *s)
{
	return disk_damage(s->disk, NULL) > 0;
}

static bool is_excused(const struct site *s)
{
	return is_damaged(s) || disk_is_dead(s->disk) || excuses_of(s) > s->excuses;
}

bool site_may_misread(const struct site *s)
{
	return is_damaged(s) || disk_misreads(s->disk) > 0;
}

static void stop(void *ctx, const struct err *err)
{
	struct site *s = ctx;

	if (s->state == SITE_DOWN)
		return;
	s->stopped = *err;
	s->must_restart = true;
	if (!s->is_liar && !is_excused(s))
		sim_found(s->sim, SIM_STOPPED, "node %zu stops: %s", s->index, err->message);
}

static struct node_head *acquire(void *ctx)
{
	return node_head_ref(((struct site *)ctx)->head);
}

/* --- the node's log: its lines, with the true time and whose they are --- */

static void write_line(void *ctx, const char *line)
{
	const struct site *s = ctx;
	const struct log *log = s->sim->options.log;
	char text[1200];

	snprintf(text, sizeof(text), "t=%llu.%06llu node=%zu %s", (unsigned long long)(s->sim->now_us / SECOND_US),
		 (unsigned long long)(s->sim->now_us % SECOND_US), s->index, line);
	log->write(log->ctx, text);
}

static void make_log(struct site *s)
{
	const struct log *log = s->sim->options.log;

	if (log)
		s->log = (struct log){ write_line, NULL, s, log->level };
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
		.pool = { SITE_POOL_COUNT, SITE_POOL_SIZE, 200, SITE_POOL_FUTURE, sim->genesis.params.base_fee_floor },
		.consensus_log_size = SITE_LOG_SIZE,
		.p2p = &p2p, .seed = rng_next(&sim->rng), .log = sim->options.log ? &s->log : NULL,
	};

	fill_statics(s, &p2p);
	return node_new(&s->node, &config, s->store, &io, err);
}

/* Rates at which a run sees a few of each, of the kinds that this seed has. */
void site_set_plan(struct site *s)
{
	static const uint32_t rates[DISK_FAULT_COUNT] = {
		[DISK_TORN_WRITE] = 400000, [DISK_LOST_WRITE] = 300000, [DISK_GARBAGE] = 300000,
		[DISK_LOST_NAME] = 500000, [DISK_LOST_BATCH] = 700000, [DISK_EARLY_WRITE] = 100000,
		[DISK_MISDIRECTED_WRITE] = 100000, [DISK_MISDIRECTED_READ] = 500, [DISK_CORRUPT_READ] = 500,
		[DISK_READ_ERROR] = 500, [DISK_ROT] = 200000, [DISK_KV_ROT] = 100000, [DISK_FULL] = 2000,
		[DISK_WRITE_ERROR] = 1000, [DISK_FAILED_SYNC] = 3000, [DISK_SLOW_SYNC] = 20000, [DISK_CRASH] = 3000,
	};
	struct disk_plan plan = { .full_count = 20 };

	for (size_t i = 0; i < DISK_FAULT_COUNT; i++)
		if (faults_has(s->sim, (enum sim_fault)(SIM_FAULT_DISK + i)))
			plan.chance[i] = rates[i];
	if (!s->is_fragile)
		plan.chance[DISK_ROT] = plan.chance[DISK_KV_ROT] = plan.chance[DISK_MISDIRECTED_WRITE] = 0;
	disk_set_plan(s->disk, &plan);
}

static struct store_options options_of(struct site *s)
{
	return (struct store_options){
		.dir = "node", .medium = disk_medium(s->disk), .tree_memory_max = 64 * MIB,
		.history_ms = HISTORY_MS_DEFAULT, .seed = rng_next(&s->sim->rng),
	};
}

static void make_disk(struct site *s)
{
	struct sim *sim = s->sim;
	struct store_options options;

	s->disk = disk_new(rng_next(&sim->rng), &disk_plan_none);
	options = options_of(s);
	CHECK(store_create(&options, &sim->genesis, NULL) == OK);
	site_set_plan(s);
}

static void count_disk(struct site *s)
{
	const uint64_t *counters = disk_counters(s->disk);

	for (size_t i = 0; i < DISK_FAULT_COUNT; i++)
		s->sim->result->firings[SIM_FAULT_DISK + i] += counters[i];
}

static void open_later(struct site *s, uint64_t mean_us)
{
	heap_push(&s->sim->heap, s->sim->now_us + 1000 + draw_mean(&s->sim->rng, mean_us), ENTRY_OPEN,
		  (uint32_t)s->index, 0, NULL);
}

/* What its operator does who was told that the disk lost what was promised: nothing of
 * it is used again, and what this node signed is not known. */
static void start_over(struct site *s)
{
	count_disk(s);
	disk_free(s->disk);
	s->disk = NULL;
	s->is_validator = false;
	s->has_lost = true;
	oracle_forget(s->sim->oracle, s->index);
	open_later(s, SECOND_US);
}

/* It does not start. Right, if the disk gave a reason. */
static void on_refused(struct site *s, const struct err *err)
{
	bool was_dead = disk_is_dead(s->disk);

	LOG_INFO(&s->log, "sim", "refused", "msg=\"%s\" damage=%zu death=\"%s\"", err->message,
		 disk_damage(s->disk, NULL), disk_death(s->disk));
	s->state = SITE_DOWN;
	s->refusal_count++;
	if (s->is_liar && s->is_validator && !was_dead && excuses_of(s) == s->excuses) {
		start_over(s); /* whatever it told itself */
		return;
	}
	if (is_damaged(s) && !was_dead && excuses_of(s) == s->excuses) {
		start_over(s);
	} else if (was_dead || excuses_of(s) > s->excuses) {
		open_later(s, SECOND_US);
	} else {
		sim_found(s->sim, SIM_STOPPED, "node %zu does not start: %s", s->index, err->message);
	}
}

void site_open(struct site *s)
{
	struct sim *sim = s->sim;
	struct store_options options;
	struct store_report report;
	struct err err = { 0 };
	int code;

	CHECK(s->state == SITE_DOWN);
	if (s->disk)
		disk_restart(s->disk);
	else
		make_disk(s);
	make_log(s);
	s->reader = (struct node_reader){ acquire, s, &sim->genesis.params, wall_ms };
	s->life++;
	s->wake_us = s->peer_wake_us = s->tick_at_us = s->peer_tick_at_us = UINT64_MAX;
	s->stopped = (struct err){ 0 };
	s->is_writing = s->is_stalled = s->must_restart = false;
	s->excuses = excuses_of(s);
	memset(s->worker_free_us, 0, sizeof(s->worker_free_us));
	options = options_of(s);
	code = store_open(&s->store, &options, &sim->genesis, &report, &err);
	/* As weftd does. */
	if (code == OK && s->is_validator && report.consensus_log_missing) {
		code = ERR_SET(&err, NODE_E_SIGN_RECORD, "the record of what it signed is missing");
		store_close(s->store);
	} else if (code == OK) {
		s->state = SITE_UP;
		code = open_node(s, &err);
		if (code != OK)
			store_close(s->store);
	}
	if (code != OK) {
		node_head_unref(s->head);
		node_reader_clear(&s->reader);
		s->head = NULL;
		on_refused(s, &err);
	} else {
		LOG_INFO(&s->log, "sim", "opened", "height=%llu torn=%llu validator=%d",
			 (unsigned long long)report.tip_height, (unsigned long long)report.torn_size, s->is_validator);
		site_turn_end(s);
	}
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
	node_reader_clear(&s->reader);
	s->head = NULL;
	node_free(s->node);
	s->node = NULL;
	store_close(s->store);
	s->store = NULL;
	s->paused_until_us = 0;
}

void site_crash(struct site *s, enum disk_end end)
{
	if (s->state == SITE_DOWN)
		return;
	LOG_INFO(&s->log, "sim", "crash", "power=%d death=\"%s\"", end == DISK_POWER_LOST, disk_death(s->disk));
	disk_stop(s->disk, end);
	close_all(s);
}

void site_free(struct site *s)
{
	site_crash(s, DISK_POWER_LOST);
	if (!s->disk)
		return;
	count_disk(s);
	disk_free(s->disk);
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
	open_later(s, SECOND_US);
}

/* Its disk died under it, or it gave up: either way it is started again, or is over. */
static void restart(struct site *s)
{
	bool has_lost = !disk_is_dead(s->disk) && is_damaged(s) && !s->is_liar;

	if (!disk_is_dead(s->disk) || draw_is(&s->sim->rng, 500))
		net_site_gone(s->sim, s);
	site_crash(s, DISK_PROCESS_KILLED);
	if (has_lost)
		start_over(s);
	else
		open_later(s, 3 * SECOND_US);
}

/* --- events --- */

void site_turn_end(struct site *s)
{
	node_on_turn_end(s->node);
	if (s->must_restart || disk_is_dead(s->disk))
		restart(s);
	else if (s->state == SITE_ENDING)
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

static void write_again(struct site *s, uint64_t after_us, enum entry_kind kind)
{
	heap_push(&s->sim->heap, s->sim->now_us + after_us, kind, (uint32_t)s->index, s->life, NULL);
}

/* Appends the group's records; false if the disk is full: again later. */
static bool append_group(struct site *s, struct err *err)
{
	while (s->run_count < s->written_count) {
		int code = node_job_run(s->written[s->run_count], err);

		if (code == STORE_E_WRITE && !disk_is_dead(s->disk)) {
			if (!s->is_stalled)
				node_on_write_stall(s->node, true, err);
			s->is_stalled = true;
			return false;
		}
		if (code != OK)
			break; /* the disk has died in it, and its node is about to: what follows is not begun */
		s->run_count++;
	}
	if (s->is_stalled)
		node_on_write_stall(s->node, false, NULL);
	s->is_stalled = false;
	return true;
}

static void take_group(struct site *s)
{
	size_t count = node_jobs_group(s->jobs, s->job_count);

	memcpy(s->written, s->jobs, count * sizeof(s->jobs[0]));
	s->written_count = count;
	s->run_count = 0;
	s->job_count -= count;
	memmove(s->jobs, s->jobs + count, s->job_count * sizeof(s->jobs[0]));
}

/* What can't be finished stops the node; what was not begun is lost with it. */
static void fail_group(struct site *s, size_t from, const struct err *err)
{
	struct node_job *jobs[SITE_JOB_MAX];
	size_t count = s->written_count - from;

	memcpy(jobs, s->written + from, count * sizeof(jobs[0]));
	s->written_count = from;
	for (size_t i = 0; i < count; i++)
		node_on_job_failed(s->node, jobs[i], err);
}

/* One group that shares a sync; all that it does to the disk is done here, what
 * comes of it is known later. */
void site_write_begin(struct site *s)
{
	struct err err = { 0 };
	int code = OK;

	if (s->written_count == 0)
		take_group(s);
	if (!append_group(s, &err)) {
		write_again(s, SECOND_US / 10, ENTRY_WRITER);
		site_turn_end(s);
		return;
	}
	if (!disk_is_dead(s->disk)) {
		if (s->run_count < s->written_count)
			fail_group(s, s->run_count, &err);
		node_jobs_sync(s->written, s->written_count);
	}
	if (disk_is_dead(s->disk)) {
		site_turn_end(s);
		return;
	}
	for (size_t i = 0; code == OK && i < s->written_count; i++) {
		code = node_job_finish(s->written[i], &err);
		if (code != OK)
			fail_group(s, i, &err);
	}
	if (store_consensus_size(s->store) > SITE_LOG_SIZE_MAX)
		sim_found(s->sim, SIM_SAFETY, "node %zu lets its consensus log grow to %llu bytes", s->index,
			  (unsigned long long)store_consensus_size(s->store));
	write_again(s, draw(&s->sim->rng, 200, 1500) + disk_latency_ms(s->disk) * 1000ull, ENTRY_WRITTEN);
	if (disk_is_dead(s->disk) || s->must_restart)
		site_turn_end(s);
}

void site_write_done(struct site *s)
{
	size_t count = s->written_count;
	struct node_job *jobs[SITE_JOB_MAX];

	memcpy(jobs, s->written, count * sizeof(jobs[0]));
	s->written_count = 0;
	for (size_t i = 0; i < count; i++)
		node_on_job(s->node, jobs[i]);
	if (s->job_count > 0)
		write_again(s, 0, ENTRY_WRITER);
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
