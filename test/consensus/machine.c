/* A machine's caller: what it is given, its disk, and what it does for each effect. */
#include "consensus/harness.h"

#include <stdlib.h>

#include "crypto/keccak.h"

/* --- what a machine is given --- */

static int machine_sign(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	struct machine *m = ctx;

	(void)err;
	world_sign(m->world, m->validator, digest, out);
	return OK;
}

static bool machine_verify(void *ctx, const struct signature *sig, const struct hash *digest,
			   const struct addr *signer)
{
	const struct machine *m = ctx;

	return world_verify(m->world, sig, digest, signer);
}

static bool machine_is_block(void *ctx, struct bytes sealed, const struct hash *hash)
{
	struct hash h;

	(void)ctx;
	keccak256(&h, sealed);
	return sealed.size == TOY_BLOCK_SIZE && hash_equal(&h, hash);
}

/* Who decides the height after `height`: the machine must make nothing of it if they are the same. */
static const struct consensus_epoch *next_epoch(const struct machine *m, uint64_t height)
{
	return &world_epoch_at(m->world, height + 1)->is;
}

static struct consensus_config machine_config(struct machine *m)
{
	const struct world_epoch *now = world_epoch_at(m->world, m->tip.height + 1);

	return (struct consensus_config){
		.chain_id = WORLD_CHAIN_ID,
		.self = m->world->all.members[m->validator].address,
		.epoch = now->is,
		.before = now->is.number > 0 ? (now - 1)->is : (struct consensus_epoch){ 0 },
		.min_interval_ms = m->world->plan.min_interval_ms,
		.heartbeat_ms = m->world->plan.heartbeat_ms,
		.view_timeout_ms = m->world->plan.t0_ms,
		.sign = machine_sign,
		.verify = machine_verify,
		.is_block = machine_is_block,
		.ctx = m,
	};
}

static uint64_t clock_of(const struct machine *m)
{
	return m->world->now_ms + (uint64_t)m->clock_offset_ms;
}

/* --- crashes and restarts --- */

static void item_clear(struct item *item)
{
	buf_clear(&item->certificate);
	buf_clear(&item->data);
}

void machine_crash(struct world *w, struct machine *m)
{
	size_t keep = m->durable_count;

	if (!m->c)
		return;
	keep += rng_below(&w->rng, m->item_count - m->durable_count + 1);
	if (keep < m->item_count)
		w->fired[FAULT_CRASH_TORN]++;
	world_say(w, "machine %zu crashes, keeps %zu of %zu writes", m->index, keep, m->item_count);
	while (m->item_count > keep)
		item_clear(&m->items[--m->item_count]);
	m->durable_count = m->item_count;
	consensus_free(m->c);
	m->c = NULL;
	m->life++;
	world_push(w, w->is_healed ? 1 : rng_below(&w->rng, 3000), EVENT_RESTART, m);
}

void machine_start(struct world *w, struct machine *m)
{
	struct consensus_config config;
	struct consensus_status status;
	size_t first = 0, before = 0;

	m->tip = (struct consensus_tip){ .time_ms = WORLD_START_MS, .empty_count = CONFIRMATION_COUNT };
	m->has_candidate = false;
	m->disk_free_ms = w->now_ms;
	m->tick_ms = 0;
	for (size_t i = 0; i < m->item_count; i++) {
		const struct item *item = &m->items[i];

		/* Of every other life the last trim was cut off before the old records went. */
		if (item->is_whole) {
			first = m->life % 2 ? before : i;
			before = i;
		}
		if (item->is_block)
			m->tip = (struct consensus_tip){
				.height = item->block.height,
				.hash = item->hash,
				.time_ms = item->block.time_ms,
				.has_txs = item->block.has_txs,
				.empty_count = item->block.has_txs ? 0 :
					MIN(m->tip.empty_count + 1, (uint64_t)CONFIRMATION_COUNT),
			};
	}
	config = machine_config(m);
	m->checkpoint_ms = 0;
	CHECK(consensus_new(&m->c, &config, &m->tip, NULL) == OK);
	buf_reset(&m->bound);
	for (size_t i = first; i < m->item_count; i++) {
		struct err err = { 0 };

		if (!m->items[i].is_block &&
		    consensus_restore(m->c, buf_bytes(&m->items[i].data), &m->bound, &err) != OK)
			world_fail(w, "machine %zu can't be restored: %s", m->index, err.message);
	}
	consensus_get_status(m->c, &status);
	world_say(w, "machine %zu starts at height %llu view %llu", m->index,
		  (unsigned long long)status.height, (unsigned long long)status.view);
	machine_step(w, m, &(struct consensus_event){ .kind = CONSENSUS_EVENT_TICK });
}

/* --- the caller: one function an effect --- */

static void on_propose(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct toy_block block = {
		.height = effect->height,
		.time_ms = MAX(clock_of(m), m->tip.time_ms),
		.nonce = rng_next(&w->rng),
		.parent = m->tip.hash,
		.proposer = (uint8_t)m->validator,
		.is_valid = true,
		.has_txs = rng_below(&w->rng, 2),
	};
	uint8_t sealed[TOY_BLOCK_SIZE];
	struct event *e;
	struct bytes bytes = bytes_of(sealed, sizeof(sealed));

	if (world_is_liar(w, m->validator) && !w->is_healed && chance(w, w->plan.attack_permille)) {
		block.is_valid = false;
		w->fired[FAULT_INVALID_BLOCK]++;
	}
	toy_encode(sealed, &block);
	if (m->bound.size)
		bytes = buf_bytes(&m->bound);
	keccak256(&m->candidate, bytes);
	m->has_candidate = true;
	toy_decode(&block, bytes);
	oracle_on_block(w->oracle, &m->candidate, &block);
	e = world_push(w, rng_below(&w->rng, 3), EVENT_PROPOSED, m);
	buf_append_bytes(&e->data, bytes);
	buf_reset(&m->bound);
}

static bool execute(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct toy_block block;

	if (!toy_decode(&block, effect->execute.block.sealed) || !block.is_valid ||
	    block.height != m->tip.height + 1 || !hash_equal(&block.parent, &m->tip.hash))
		return false;
	if (effect->execute.is_reproposal)
		return true;
	if (block.proposer != world_proposer(w, effect->height, effect->view))
		return false;
	/* A block as old as its parent is right however far ahead that is: else a chain whose
	 * clocks were set back would stand still. */
	if ((block.time_ms > clock_of(m) + 5000 && block.time_ms > m->tip.time_ms) ||
	    block.time_ms + 20000 < clock_of(m)) {
		w->fired[FAULT_CLOCK_REFUSED]++;
		return false;
	}
	return true;
}

static void on_execute(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	uint64_t delay = rng_below(&w->rng, 5);
	bool is_valid = execute(w, m, effect);
	struct event *e;

	if (effect->execute.is_reproposal && effect->view > 0)
		w->fired[FAULT_CARRIED]++;
	if (!w->is_healed && chance(w, w->plan.slow_execution_permille)) {
		delay += w->plan.t0_ms;
		w->fired[FAULT_SLOW_EXECUTION]++;
	}
	m->has_candidate = is_valid;
	m->candidate = effect->execute.block.hash;
	e = world_push(w, delay, EVENT_EXECUTED, m);
	e->hash = effect->execute.block.hash;
	e->is_valid = is_valid;
	buf_append_bytes(&e->data, effect->execute.block.sealed);
}

static struct item *write_item(struct world *w, struct machine *m)
{
	uint64_t delay = rng_below(&w->rng, w->plan.disk_ms + 1);
	struct item *item;

	if (!w->is_healed && chance(w, w->plan.slow_disk_permille)) {
		delay += w->plan.t0_ms;
		w->fired[FAULT_SLOW_DISK]++;
	}
	m->items = xrealloc(m->items, (m->item_count + 1) * sizeof(*m->items));
	item = &m->items[m->item_count++];
	*item = (struct item){ 0 };
	m->disk_free_ms = MAX(m->disk_free_ms, w->now_ms) + delay;
	item->done_ms = m->disk_free_ms;
	world_push(w, m->disk_free_ms - w->now_ms, EVENT_WRITTEN, m);
	return item;
}

static void on_persist(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct item *item = write_item(w, m);

	item->number = effect->persist.number;
	buf_append_bytes(&item->data, effect->persist.record);
}

static void on_send(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct message sent;
	struct buf encoded = { 0 };

	if (message_decode(&sent, effect->send, NULL) != OK) {
		world_fail(w, "machine %zu sends bytes that are no message", m->index);
		return;
	}
	if (w->is_loud)
		world_say(w, "machine %zu sends kind %d height %llu view %llu %02x%02x", m->index, sent.kind,
			  (unsigned long long)message_height(&sent), (unsigned long long)message_view(&sent),
			  message_block_hash(&sent) ? message_block_hash(&sent)->bytes[0] : 0,
			  message_block_hash(&sent) ? message_block_hash(&sent)->bytes[1] : 0);
	liar_hear(w->liar, &sent, effect->send);
	if (!world_is_liar(w, m->validator))
		oracle_on_send(w->oracle, m, &sent);
	if (!world_is_liar(w, m->validator) || liar_filter(w->liar, m, &sent)) {
		message_encode(&encoded, &sent);
		for (size_t i = 0; i < w->machine_count; i++) {
			if (i == m->index)
				continue;
			/* Twins talk to halves, so that the halves hear different things. */
			if (m->validator == w->plan.twin_of && (i + m->index) % 2 && chance(w, 800))
				continue;
			w->fired[FAULT_TWIN] += m->index >= w->all.count;
			world_transmit(w, m->index, i, EVENT_MESSAGE, buf_bytes(&encoded));
		}
	}
	buf_clear(&encoded);
	message_clear(&sent);
}

static void take_block(struct world *w, struct machine *m, struct bytes sealed, struct bytes certificate,
		       const struct toy_block *block, const struct hash *hash)
{
	struct item *item = write_item(w, m);

	item->is_block = true;
	item->hash = *hash;
	item->block = *block;
	buf_append_bytes(&item->data, sealed);
	buf_append_bytes(&item->certificate, certificate);
	m->tip = (struct consensus_tip){
		.height = block->height,
		.hash = *hash,
		.time_ms = block->time_ms,
		.has_txs = block->has_txs,
		.empty_count = block->has_txs ? 0 : MIN(m->tip.empty_count + 1, (uint64_t)CONFIRMATION_COUNT),
	};
	m->has_candidate = false;
}

/* The log from one record on. */
static void trim(struct world *w, struct machine *m)
{
	struct buf whole = { 0 };
	struct item *item;

	consensus_sign_record(m->c, &whole);
	if (whole.size == 0)
		return;
	w->fired[FAULT_TRIM]++;
	item = write_item(w, m);
	item->is_whole = true;
	item->data = whole;
}

static void on_commit(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct toy_block block = { 0 };
	uint8_t sealed[TOY_BLOCK_SIZE];

	world_say(w, "machine %zu commits height %llu view %llu %02x%02x", m->index,
		  (unsigned long long)effect->height, (unsigned long long)effect->view,
		  effect->commit.hash.bytes[0], effect->commit.hash.bytes[1]);
	if (!m->has_candidate || !hash_equal(&m->candidate, &effect->commit.hash) ||
	    !oracle_has_block(w->oracle, &effect->commit.hash, &block)) {
		world_fail(w, "machine %zu commits what its caller has not executed", m->index);
		return;
	}
	if (!world_is_liar(w, m->validator))
		oracle_on_commit(w->oracle, m, effect->height, &effect->commit.hash,
				 effect->commit.certificate, &block);
	toy_encode(sealed, &block);
	take_block(w, m, bytes_of(sealed, sizeof(sealed)), effect->commit.certificate, &block,
		   &effect->commit.hash);
}

/* The block of `height` from a machine that has it, to one that lacks it. */
static void send_block(struct world *w, struct machine *from, struct machine *to, uint64_t height)
{
	if (!from->c || (!w->is_healed && (world_is_cut(w, from->index, to->index) || chance(w, w->plan.loss_permille))))
		return;
	for (size_t i = 0; i < from->item_count; i++) {
		const struct item *item = &from->items[i];
		struct event *e;

		if (!item->is_block || item->block.height != height)
			continue;
		e = world_push(w, world_draw_delay(w), EVENT_FETCHED, to);
		e->life = 0;
		buf_append_bytes(&e->data, buf_bytes(&item->data));
		buf_append_bytes(&e->certificate, buf_bytes(&item->certificate));
		return;
	}
}

static void on_behind(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	world_say(w, "machine %zu is behind %zu at height %llu", m->index, world_validator(w, &effect->peer.address),
		  (unsigned long long)effect->peer.height);
	for (size_t i = 0; i < w->machine_count; i++)
		if (w->machines[i].validator == world_validator(w, &effect->peer.address))
			send_block(w, &w->machines[i], m, m->tip.height + 1);
}

static void on_serve(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	w->fired[FAULT_SERVED]++;
	for (size_t i = 0; i < w->machine_count; i++)
		if (w->machines[i].validator == world_validator(w, &effect->peer.address))
			send_block(w, m, &w->machines[i], effect->peer.height);
}

static void on_checkpoint(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct checkpoint p;

	w->fired[FAULT_CHECKPOINT]++;
	if (checkpoint_decode(&p, effect->checkpoint, NULL) != OK) {
		world_fail(w, "machine %zu sends bytes that are no checkpoint", m->index);
		return;
	}
	oracle_on_checkpoint(w->oracle, m, &p);
	for (size_t i = 0; i < w->machine_count; i++)
		if (i != m->index)
			world_transmit(w, m->index, i, EVENT_CHECKPOINT, effect->checkpoint);
	if (world_is_liar(w, m->validator) && !w->is_healed && chance(w, w->plan.attack_permille))
		liar_checkpoint(w->liar, m->validator, &p);
}

static void on_evidence(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct consensus_config config = machine_config(m);
	struct consensus_evidence found;
	const struct validator_set *set;
	struct err err = { 0 };

	w->fired[FAULT_EVIDENCE]++;
	if (consensus_read_evidence(effect->evidence.first, effect->evidence.second, &found, &err) != OK) {
		world_fail(w, "machine %zu has evidence that can't be read: %s", m->index, err.message);
		return;
	}
	set = &world_epoch_at(w, found.height)->set;
	if (consensus_check_evidence(&config, set, effect->evidence.first, effect->evidence.second, &found,
				     &err) != OK)
		world_fail(w, "machine %zu has evidence that proves nothing: %s", m->index, err.message);
	else if (!addr_equal(&set->members[found.validator].address, &effect->evidence.signer) ||
		 !world_is_liar(w, world_validator(w, &effect->evidence.signer)))
		world_fail(w, "machine %zu has evidence against validator %zu, which is correct", m->index,
			   world_validator(w, &effect->evidence.signer));
}

static void on_trace(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	switch (effect->trace) {
	case CONSENSUS_TRACE_SIGN_FAILED:
	case CONSENSUS_TRACE_DIVERGED:
	case CONSENSUS_TRACE_TWIN:
		if (!world_is_liar(w, m->validator))
			world_fail(w, "machine %zu: trace %d at height %llu view %llu", m->index, effect->trace,
				   (unsigned long long)effect->height, (unsigned long long)effect->view);
		return;
	case CONSENSUS_TRACE_RESUMED:
		w->fired[FAULT_RESUME]++;
		return;
	case CONSENSUS_TRACE_INVALID:
	case CONSENSUS_TRACE_PREPARED:
	case CONSENSUS_TRACE_UNEXPECTED:
	case CONSENSUS_TRACE_VIEW:
	case CONSENSUS_TRACE_REFUSED:
		return;
	}
}

static void on_effect(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	switch (effect->kind) {
	case CONSENSUS_EFFECT_PROPOSE:
		on_propose(w, m, effect);
		return;
	case CONSENSUS_EFFECT_EXECUTE:
		on_execute(w, m, effect);
		return;
	case CONSENSUS_EFFECT_PERSIST:
		on_persist(w, m, effect);
		return;
	case CONSENSUS_EFFECT_SEND:
		on_send(w, m, effect);
		return;
	case CONSENSUS_EFFECT_COMMIT:
		on_commit(w, m, effect);
		return;
	case CONSENSUS_EFFECT_TIMER:
		m->tick_ms = MAX(effect->at_ms - (uint64_t)m->clock_offset_ms, w->now_ms);
		world_push(w, m->tick_ms - w->now_ms, EVENT_TICK, m);
		return;
	case CONSENSUS_EFFECT_EVIDENCE:
		on_evidence(w, m, effect);
		return;
	case CONSENSUS_EFFECT_BEHIND:
		on_behind(w, m, effect);
		return;
	case CONSENSUS_EFFECT_SERVE:
		on_serve(w, m, effect);
		return;
	case CONSENSUS_EFFECT_CHECKPOINT:
		on_checkpoint(w, m, effect);
		return;
	case CONSENSUS_EFFECT_TRACE:
		on_trace(w, m, effect);
		return;
	}
}

static bool is_crash_due(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	m->effect_count++;
	if (m->effect_count == m->crash_at_effect) {
		w->fired[FAULT_CRASH_EFFECT]++;
		return true;
	}
	if (effect->kind != CONSENSUS_EFFECT_PERSIST && effect->kind != CONSENSUS_EFFECT_COMMIT)
		return false;
	if (++m->write_count != m->crash_at_write || w->is_healed)
		return false;
	w->fired[FAULT_CRASH_WRITE]++;
	return true;
}

static void note_view(struct world *w, struct machine *m)
{
	struct consensus_status status;

	consensus_get_status(m->c, &status);
	if (status.height == m->view_height && status.view > m->view + 1)
		w->fired[FAULT_JUMP]++;
	m->view_height = status.height;
	m->view = status.view;
	if (status.epoch == m->epoch && m->life > 0 && status.is_member == m->is_member)
		return;
	w->fired[FAULT_EPOCH] += status.epoch != m->epoch;
	w->fired[FAULT_ENTERED] += status.is_member && !m->is_member;
	w->fired[FAULT_LEFT] += !status.is_member && m->is_member;
	m->epoch = status.epoch;
	m->is_member = status.is_member;
}

void machine_step(struct world *w, struct machine *m, struct consensus_event *event)
{
	struct consensus_effects effects;
	uint64_t height = m->tip.height;

	event->now_ms = clock_of(m);
	consensus_step(m->c, event, &effects);
	for (size_t i = 0; i < effects.count && !w->has_failed; i++) {
		on_effect(w, m, &effects.items[i]);
		if (is_crash_due(w, m, &effects.items[i])) {
			m->crash_at_write = m->write_count + 1 + rng_below(&w->rng, 40);
			machine_crash(w, m);
			return;
		}
	}
	note_view(w, m);
	if ((m->tip.height > height || rng_below(&w->rng, 16) == 0) && chance(w, w->plan.trim_permille))
		trim(w, m);
}

/* --- events --- */

static void deliver_message(struct world *w, struct machine *m, const struct event *e)
{
	struct message message;
	struct consensus_status before, after;

	if (message_decode(&message, buf_bytes(&e->data), NULL) != OK)
		return;
	consensus_get_status(m->c, &before);
	if (message.kind == MESSAGE_PRE_PREPARE && message_height(&message) == before.height + 1)
		w->fired[FAULT_EARLY]++;
	machine_step(w, m, &(struct consensus_event){ .kind = CONSENSUS_EVENT_MESSAGE, .message = &message });
	if (m->c)
		consensus_get_status(m->c, &after);
	message_clear(&message);
}

static void deliver_written(struct world *w, struct machine *m)
{
	struct item *item = &m->items[m->durable_count++];
	struct consensus_event event = { .kind = CONSENSUS_EVENT_PERSISTED, .persisted = item->number };

	if (item->is_block) {
		event.kind = CONSENSUS_EVENT_WRITTEN;
		event.written.height = item->block.height;
		event.written.hash = item->hash;
	}
	if (!item->is_whole)
		machine_step(w, m, &event);
}

static void deliver_proposed(struct world *w, struct machine *m, const struct event *e)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_PROPOSED };
	struct toy_block block;

	toy_decode(&block, buf_bytes(&e->data));
	keccak256(&event.proposed.hash, buf_bytes(&e->data));
	/* The tip has moved: this caller drops what it made. */
	if (block.height != m->tip.height + 1 || !hash_equal(&m->candidate, &event.proposed.hash))
		return;
	event.next = next_epoch(m, block.height);
	event.proposed.time_ms = block.time_ms;
	event.proposed.has_txs = block.has_txs;
	event.proposed.sealed = buf_bytes(&e->data);
	machine_step(w, m, &event);
}

static void deliver_executed(struct world *w, struct machine *m, const struct event *e)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_EXECUTED };
	struct toy_block block = { 0 };

	toy_decode(&block, buf_bytes(&e->data));
	event.next = e->is_valid ? next_epoch(m, block.height) : NULL;
	event.executed.hash = e->hash;
	event.executed.is_valid = e->is_valid;
	event.executed.time_ms = block.time_ms;
	event.executed.has_txs = block.has_txs;
	machine_step(w, m, &event);
}

static void deliver_fetched(struct world *w, struct machine *m, const struct event *e)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_COMMITTED };
	struct toy_block block;
	struct hash hash;

	toy_decode(&block, buf_bytes(&e->data));
	if (block.height != m->tip.height + 1)
		return;
	keccak256(&hash, buf_bytes(&e->data));
	w->fired[FAULT_FETCHED]++;
	world_say(w, "machine %zu takes height %llu from another", m->index, (unsigned long long)block.height);
	if (!world_is_liar(w, m->validator))
		oracle_on_commit(w->oracle, m, block.height, &hash, buf_bytes(&e->certificate), &block);
	take_block(w, m, buf_bytes(&e->data), buf_bytes(&e->certificate), &block, &hash);
	event.committed = m->tip;
	event.next = next_epoch(m, m->tip.height);
	machine_step(w, m, &event);
}

static void deliver_checkpoint(struct world *w, struct machine *m, const struct event *e)
{
	struct checkpoint p;

	if (checkpoint_decode(&p, buf_bytes(&e->data), NULL) == OK)
		machine_step(w, m, &(struct consensus_event){ .kind = CONSENSUS_EVENT_CHECKPOINT, .checkpoint = &p });
}

void machine_compare(struct world *w, struct machine *m, struct machine *other)
{
	struct consensus_status status;

	if (!m->c || other == m || other->tip.height <= m->tip.height)
		return;
	consensus_get_status(m->c, &status);
	if (!status.is_member || other->tip.height > m->tip.height + 1)
		send_block(w, other, m, m->tip.height + 1);
}

void machine_clear(struct machine *m)
{
	consensus_free(m->c);
	for (size_t i = 0; i < m->item_count; i++)
		item_clear(&m->items[i]);
	free(m->items);
	buf_clear(&m->bound);
}

void machine_deliver(struct world *w, struct machine *m, const struct event *e)
{
	switch (e->kind) {
	case EVENT_MESSAGE:
		deliver_message(w, m, e);
		return;
	case EVENT_CHECKPOINT:
		deliver_checkpoint(w, m, e);
		return;
	case EVENT_FETCHED:
		deliver_fetched(w, m, e);
		return;
	case EVENT_TICK:
		if (e->at_ms == m->tick_ms)
			machine_step(w, m, &(struct consensus_event){ .kind = CONSENSUS_EVENT_TICK });
		return;
	case EVENT_WRITTEN:
		deliver_written(w, m);
		return;
	case EVENT_PROPOSED:
		deliver_proposed(w, m, e);
		return;
	case EVENT_EXECUTED:
		deliver_executed(w, m, e);
		return;
	case EVENT_RESTART:
	case EVENT_WORK:
	case EVENT_WEATHER:
		return;
	}
}
