/*
 * route - the data's way through the node, one function an effect, in the order
 * in which a transaction meets them:
 *
 *   node_route_work    a transaction waits           (from answers.c, submit)
 *   on_propose         a block is made of what waits (exec_propose)
 *   blocks.c           or another's is executed      (exec_verify)
 *   on_persist         what we sign goes to disk     (writer: consensus log)
 *   peers.c            and then to the validators
 *   on_commit          the block is final            (writer: commit log, batch)
 *   node_on_job        it is written                 (publish the head)
 *   node_route_flush   now and then: trie nodes to the database
 *   trim_log           and when the consensus log has grown within a height
 *
 * node_timing_…() note when each was reached (timing.c).
 */
#include "node/internal.h"

#include <stdlib.h>

#include "base/check.h"

static void follow_with(struct node *n, const struct consensus_event *event, const struct epoch *next)
{
	struct node_follow *f = &n->follow[n->follow_count];

	CHECK(n->follow_count < NODE_FOLLOW_MAX);
	n->follow_count++;
	*f = (struct node_follow){ .event = *event };
	if (!next)
		return;
	/* A copy: until its turn comes, the tip may have moved on. */
	f->next = xmalloc(sizeof(*f->next));
	*f->next = *next;
}

struct node_job *node_job_new(struct node *n, enum node_job_kind kind, uint64_t height)
{
	struct node_job *job = xcalloc(1, sizeof(*job));

	job->kind = kind;
	job->store = n->store;
	job->height = height;
	job->seed = n->config.seed;
	return job;
}

void node_job_hand_over(struct node *n, struct node_job *job)
{
	n->job_count++;
	n->io.write(n->io.ctx, job);
}

/* --- a transaction waits --- */

void node_route_work(struct node *n)
{
	struct txpool_stats stats;
	struct consensus_event event = { .kind = CONSENSUS_EVENT_WORK };

	txpool_get_stats(n->pool, &stats);
	event.has_work = stats.takeable_count > 0;
	event.now_ms = n->io.now_ms(n->io.ctx);
	node_route(n, &event);
}

/* --- a block is made of what waits --- */

struct proposal_source {
	struct txpool_cursor *cursor;
	/* What the pool should not have held: taken out when the walk is over. */
	struct hash dead[64];
	size_t dead_count;
};

static struct tx *source_next(void *ctx)
{
	struct proposal_source *source = ctx;

	return txpool_cursor_next(source->cursor);
}

static void source_reject(void *ctx, struct tx *t, int code, const struct err *why)
{
	struct proposal_source *source = ctx;

	txpool_cursor_skip_sender(source->cursor);
	/* One that only does not fit this block waits for the next. */
	if (code != EXEC_E_GAS_LIMIT && code != EXEC_E_SIZE && code != EXEC_E_FEE &&
	    source->dead_count < ARRAY_COUNT(source->dead))
		source->dead[source->dead_count++] = t->hash;
}

struct proposal_clock {
	const struct node_io *io;
	uint64_t stop_ms;
	size_t tx_max;
};

/* A proposer stops adding at a quarter of t0 of its own execution time, so that
 * slower validators can still execute the block within the view. They also have to find the
 * senders, which the proposer has found long before: that much again at the speed of a core. */
static bool proposal_stop(void *ctx, size_t tx_count)
{
	const struct proposal_clock *clock = ctx;

	return tx_count >= clock->tx_max ||
	       (tx_count % 64 == 63 && clock->io->now_ms(clock->io->ctx) >= clock->stop_ms);
}

static struct proposal_clock proposal_clock_of(const struct node *n)
{
	uint64_t quarter_ms = n->config.genesis->params.view_timeout_ms / 4;

	return (struct proposal_clock){
		.io = &n->io,
		.stop_ms = n->io.now_ms(n->io.ctx) + quarter_ms,
		.tx_max = consensus_get_epoch(n->consensus)->set->count > 1 ?
				  MAX(quarter_ms * 1000 / NODE_RECOVERY_US, (uint64_t)1) : SIZE_MAX,
	};
}

static int make_block(struct node *n, struct exec_result *out, struct err *err)
{
	struct proposal_source source = { .cursor = txpool_cursor_new(n->pool) };
	struct proposal_clock clock = proposal_clock_of(n);
	const struct exec_source from = { source_next, source_reject, &source };
	struct exec_proposal proposal = node_proposal(n);
	int code;

	code = exec_propose(n->exec, &n->tip, store_state(n->store), store_tree(n->store),
			    &proposal, &from, proposal_stop, &clock, out, err);
	txpool_cursor_free(source.cursor);
	for (size_t i = 0; i < source.dead_count; i++)
		txpool_remove(n->pool, &source.dead[i]);
	return code;
}

/* The block that the consensus log binds us to, executed anew. */
static int remake_block(struct node *n, struct exec_result *out, struct err *err)
{
	struct exec_proposal expected = node_proposal(n);
	struct block block = { 0 };
	int code = block_decode_sealed(&block, buf_bytes(&n->bound_sealed), err);

	for (size_t i = 0; code == OK && i < block.tx_count; i++)
		code = tx_recover(n->config.ecc, block.txs[i], err);
	if (code == OK) {
		expected.time_ms = block.commitments.time_ms;
		code = exec_verify(n->exec, &n->tip, store_state(n->store), store_tree(n->store),
				   &expected, &block, out, err);
	}
	block_clear(&block);
	return code;
}

static void on_propose(struct node *n)
{
	struct err err = { 0 };
	struct consensus_event proposed = { .kind = CONSENSUS_EVENT_PROPOSED };
	int code;

	/* A final block of this height on its way: COMMITTED makes the question void. */
	if (n->is_winding_down || n->pending.kind == NODE_PENDING_FETCHED)
		return;
	if (n->tip.header.height - n->written_height >= NODE_WRITE_LEAD_MAX) {
		n->is_proposal_due = true;
		return;
	}
	node_timing_step(n, NODE_STEP_BEGUN);
	node_drop_candidate(n);
	node_pending_clear(n);
	if (n->bound_sealed.size)
		code = remake_block(n, &n->candidate, &err);
	else
		code = make_block(n, &n->candidate, &err);
	if (code != OK) {
		node_stop(n, &err);
		return;
	}
	node_timing_step(n, NODE_STEP_READY);
	n->has_candidate = true;
	buf_clear(&n->bound_sealed);
	buf_reset(&n->candidate_sealed);
	block_encode_sealed(&n->candidate_sealed, &n->candidate.block);
	node_remember_executed(n, &n->candidate.block.hash, buf_bytes(&n->candidate_sealed));
	proposed.proposed = (struct consensus_block){
		.hash = n->candidate.block.hash,
		.time_ms = n->candidate.block.commitments.time_ms,
		.has_txs = n->candidate.block.tx_count > 0,
		.sealed = buf_bytes(&n->candidate_sealed),
	};
	proposed.now_ms = n->io.now_ms(n->io.ctx);
	follow_with(n, &proposed, n->candidate.next_epoch);
}

void node_route_deferred(struct node *n)
{
	if (!n->is_proposal_due)
		return;
	n->is_proposal_due = false;
	on_propose(n);
	node_route(n, NULL);
}

/* --- what we sign goes to disk before anything else happens with it --- */

static void on_persist(struct node *n, const struct consensus_effect *effect)
{
	struct node_job *job = node_job_new(n, NODE_JOB_RECORD, effect->height);

	buf_append_bytes(&job->payload, effect->persist.record);
	n->record_size_max = MAX(n->record_size_max, job->payload.size);
	job->record_number = effect->persist.number;
	n->metrics.records_total++;
	node_job_hand_over(n, job);
}

/* A height that does not end, as when too many are gone, is one view-change after the other in
 * the log, with blocks in between. One record stands for all: what was handed to the writer
 * before this job is in it, what comes later is written behind it. */
static void trim_log(struct node *n)
{
	uint64_t max = n->config.consensus_log_size ? n->config.consensus_log_size : LIMIT_CONSENSUS_LOG_SIZE;
	struct node_job *job;

	/* What is left over must be well below the limit, or every record would trim anew. */
	max = MAX(max, 4 * (uint64_t)n->record_size_max);
	if (n->is_trimming || n->is_flushing || store_consensus_size(n->store) <= max)
		return;
	job = node_job_new(n, NODE_JOB_TRIM, n->tip.header.height);
	consensus_sign_record(n->consensus, &job->payload);
	n->record_size_max = MAX(n->record_size_max, job->payload.size);
	n->is_trimming = true;
	node_job_hand_over(n, job);
}

/* --- the block is final --- */

/* Every account that the block changed, as the pool must now see it. */
static void update_pool(struct node *n, const struct state_diff *diff)
{
	txpool_set_base_fee(n->pool, exec_next_base_fee(n->exec, &n->tip, n->io.now_ms(n->io.ctx)));
	for (size_t i = 0; i < diff->account_count; i++) {
		const struct account_change *change = &diff->accounts[i];
		struct txpool_account now = { change->after.nonce, change->after.balance };

		txpool_update(n->pool, &change->address, &now);
	}
}

void node_commit_candidate(struct node *n, struct bytes certificate)
{
	uint64_t height = n->candidate.block.header.height;
	struct node_job *job = node_job_new(n, NODE_JOB_COMMIT, height);

	CHECK(n->has_candidate);
	node_timing_final(n, job);
	job->result = n->candidate;
	n->candidate = (struct exec_result){ 0 };
	n->has_candidate = false;
	node_forget_executed(n);
	buf_append_bytes(&job->payload, certificate);

	store_state_commit(n->store, height, &job->result.diff);
	node_epoch_advance(n, &job->result);
	job->parent = n->tip;
	update_pool(n, &job->result.diff);
	node_peers_tip(n, &(struct addr){ 0 });
	node_evidence_age(n);

	n->metrics.blocks_total++;
	n->metrics.txs_total += job->result.block.tx_count;
	n->metrics.gas_total += job->result.block.header.gas_used;
	LOG_DEBUG(n->config.log, "node", "commit", "height=%llu txs=%zu", (unsigned long long)height,
		  job->result.block.tx_count);
	node_job_hand_over(n, job);
	node_route_flush(n, false); /* here the tree stands at the tip, without a candidate */
}

static void on_commit(struct node *n, const struct consensus_effect *effect)
{
	node_pending_clear(n);
	if (node_candidate_is(n, &effect->commit.hash))
		node_commit_candidate(n, effect->commit.certificate);
}

/* --- it is written --- */

static void on_committed(struct node *n, struct node_job *job)
{
	struct consensus_event written = { .kind = CONSENSUS_EVENT_WRITTEN, .now_ms = n->io.now_ms(n->io.ctx) };

	n->written_height = job->height;
	store_state_written(n->store, job->height);
	n->io.publish(n->io.ctx, job->head);
	job->head = NULL;
	written.written.height = job->height;
	written.written.hash = job->result.block.hash;
	node_timing_visible(n, job);
	node_route(n, &written);
	node_route_deferred(n);
	node_route_work(n);
	if (n->p2p)
		node_fetch_continue(n);
}

void node_on_job(struct node *n, struct node_job *job)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_PERSISTED };

	n->job_count--;
	switch (job->kind) {
	case NODE_JOB_RECORD:
		node_timing_recorded(n);
		event.persisted = job->record_number;
		event.now_ms = n->io.now_ms(n->io.ctx);
		node_route(n, &event);
		trim_log(n);
		node_route_work(n);
		break;
	case NODE_JOB_COMMIT:
		on_committed(n, job);
		break;
	case NODE_JOB_EVIDENCE:
		node_evidence_written(n);
		break;
	case NODE_JOB_TRIM:
		n->is_trimming = false;
		n->metrics.trims_total++;
		LOG_DEBUG(n->config.log, "node", "trim", "height=%llu", (unsigned long long)job->height);
		break;
	case NODE_JOB_FLUSH:
		n->is_flushing = false;
		n->metrics.flushes_total++;
		LOG_DEBUG(n->config.log, "node", "flush", "height=%llu", (unsigned long long)job->height);
		break;
	}
	node_job_free(job);
}

void node_on_job_failed(struct node *n, struct node_job *job, const struct err *err)
{
	n->job_count--;
	node_job_free(job);
	node_stop(n, err);
}

/* --- now and then: trie nodes to the database --- */

void node_route_flush(struct node *n, bool now)
{
	uint64_t height = n->tip.header.height;
	struct node_job *job;

	/* With a candidate the tree already stands one block ahead of the tip. */
	if (n->is_flushing || n->has_candidate || height == n->flush_taken_height)
		return;
	if (!now && height - n->flush_taken_height < LIMIT_FLUSH_BLOCK_COUNT &&
	    state_tree_dirty_count(store_tree(n->store)) < NODE_FLUSH_NODE_COUNT)
		return;
	job = node_job_new(n, NODE_JOB_FLUSH, height);
	job->flush = store_flush_take(n->store, height);
	if (n->consensus)
		consensus_sign_record(n->consensus, &job->payload);
	n->is_flushing = true;
	n->flush_taken_height = height;
	node_job_hand_over(n, job);
}

/* --- effects --- */

static void stop_signing(struct node *n, const struct consensus_effect *effect, const char *why)
{
	struct err err = { 0 };

	ERR_SET(&err, NODE_E_SIGN_RECORD, "height %llu view %llu: %s", (unsigned long long)effect->height,
		(unsigned long long)effect->view, why);
	node_stop(n, &err);
}

static void on_trace(struct node *n, const struct consensus_effect *effect)
{
	static const struct {
		enum log_level level;
		const char *event;
	} lines[] = {
		[CONSENSUS_TRACE_PREPARED] = { LOG_LEVEL_DEBUG, "prepared" },
		[CONSENSUS_TRACE_RESUMED] = { LOG_LEVEL_INFO, "resumed" },
		[CONSENSUS_TRACE_UNEXPECTED] = { LOG_LEVEL_DEBUG, "unexpected" },
		[CONSENSUS_TRACE_VIEW] = { LOG_LEVEL_WARN, "view" },
		[CONSENSUS_TRACE_INVALID] = { LOG_LEVEL_WARN, "invalid" },
	};

	n->metrics.view_changes_total += effect->trace == CONSENSUS_TRACE_VIEW;
	if (effect->trace == CONSENSUS_TRACE_PREPARED)
		node_timing_step(n, NODE_STEP_PREPARED);
	switch (effect->trace) {
	case CONSENSUS_TRACE_PREPARED:
	case CONSENSUS_TRACE_RESUMED:
	case CONSENSUS_TRACE_UNEXPECTED:
	case CONSENSUS_TRACE_VIEW:
	case CONSENSUS_TRACE_INVALID:
		log_line(n->config.log, lines[effect->trace].level, "consensus", lines[effect->trace].event,
			 "height=%llu view=%llu", (unsigned long long)effect->height,
			 (unsigned long long)effect->view);
		return;
	case CONSENSUS_TRACE_SIGN_FAILED:
		stop_signing(n, effect, "refused to sign a second value");
		return;
	case CONSENSUS_TRACE_REFUSED:
		NODE_LOG_SOME(n, NODE_LOG_REFUSED, LOG_LEVEL_WARN, "consensus", "refused", "height=%llu view=%llu",
			      (unsigned long long)effect->height, (unsigned long long)effect->view);
		return;
	case CONSENSUS_TRACE_TWIN:
		NODE_LOG_SOME(n, NODE_LOG_TWIN, LOG_LEVEL_ERROR, "consensus", "twin",
			      "height=%llu view=%llu msg=\"another node signs with this validator's key: stop one of "
			      "them\"", (unsigned long long)effect->height, (unsigned long long)effect->view);
		return;
	case CONSENSUS_TRACE_DIVERGED:
		stop_signing(n, effect, "a quorum has committed a block that does not execute here");
		return;
	}
	UNREACHABLE();
}

static void on_effect(struct node *n, const struct consensus_effect *effect)
{
	switch (effect->kind) {
	case CONSENSUS_EFFECT_PROPOSE:
		on_propose(n);
		return;
	case CONSENSUS_EFFECT_EXECUTE:
		node_execute_proposed(n, effect);
		return;
	case CONSENSUS_EFFECT_PERSIST:
		on_persist(n, effect);
		return;
	case CONSENSUS_EFFECT_SEND:
		node_peers_send_consensus(n, effect->send);
		return;
	case CONSENSUS_EFFECT_COMMIT:
		on_commit(n, effect);
		return;
	case CONSENSUS_EFFECT_TIMER:
		n->io.wake_at(n->io.ctx, effect->at_ms);
		return;
	case CONSENSUS_EFFECT_EVIDENCE:
		node_evidence_own(n, effect->evidence.first, effect->evidence.second);
		return;
	case CONSENSUS_EFFECT_BEHIND:
		node_fetch(n, effect->peer.height);
		return;
	case CONSENSUS_EFFECT_CHECKPOINT:
		n->metrics.checkpoints_total++;
		node_peers_send_checkpoint(n, effect->checkpoint);
		return;
	case CONSENSUS_EFFECT_SERVE:
		/* It lacks the block, and may have missed the word of it: then it asks. */
		node_peers_tip(n, &effect->peer.address);
		return;
	case CONSENSUS_EFFECT_TRACE:
		on_trace(n, effect);
		return;
	}
	UNREACHABLE();
}

void node_route(struct node *n, const struct consensus_event *event)
{
	node_route_block(n, event, NULL);
}

void node_route_block(struct node *n, const struct consensus_event *event, const struct epoch *next_epoch)
{
	struct consensus_effects effects;

	if (!n->consensus || n->is_stopped || n->is_final_flush_done)
		return;
	if (event)
		follow_with(n, event, next_epoch);
	if (n->is_routing)
		return; /* the outer call goes on with it */
	n->is_routing = true;
	while (n->follow_count > 0 && !n->is_stopped) {
		struct node_follow next = n->follow[0];
		struct consensus_epoch epoch;

		n->follow_count--;
		memmove(n->follow, n->follow + 1, n->follow_count * sizeof(n->follow[0]));
		if (next.next) {
			epoch = node_consensus_epoch(next.next);
			next.event.next = &epoch;
		}
		consensus_step(n->consensus, &next.event, &effects);
		free(next.next);
		for (size_t i = 0; i < effects.count && !n->is_stopped; i++)
			on_effect(n, &effects.items[i]);
	}
	n->is_routing = false;
}
