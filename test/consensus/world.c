/* Time, network, disks, and the machines' callers. */
#include "consensus/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/keccak.h"

enum event_kind {
	EVENT_MESSAGE,
	EVENT_TICK,
	EVENT_WRITTEN,  /* the disk's oldest write is durable */
	EVENT_PROPOSED,
	EVENT_EXECUTED,
	EVENT_FETCHED,  /* a block with its certificate has come */
	EVENT_RESTART,
	EVENT_WORK,
	EVENT_WEATHER,  /* faults begin and end */
};

struct event {
	uint64_t at_ms, number;
	enum event_kind kind;
	size_t machine;
	unsigned life;
	struct buf data;        /* MESSAGE: encoded; PROPOSED, FETCHED: the sealed block */
	struct buf certificate; /* FETCHED */
	struct hash hash;       /* EXECUTED */
	bool is_valid;
};

const char *fault_text(enum fault f)
{
	static const char *const texts[] = {
#define X(name, text) text,
		FAULT_TABLE(X)
#undef X
	};

	return texts[f];
}

void world_fail(struct world *w, const char *format, ...)
{
	va_list args;

	if (w->has_failed)
		return;
	w->has_failed = true;
	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	world_say(w, "FAILED: %s", w->failure);
}

void world_say(struct world *w, const char *format, ...)
{
	va_list args;

	if (!w->is_loud)
		return;
	printf("# %7llu ", (unsigned long long)(w->now_ms - WORLD_START_MS));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

bool chance(struct world *w, uint64_t permille)
{
	return permille > 0 && rng_below(&w->rng, 1000) < permille;
}

bool world_is_liar(const struct world *w, size_t validator)
{
	return w->plan.liars[0] == validator || w->plan.liars[1] == validator;
}

size_t world_proposer(const struct world *w, uint64_t height, uint64_t view)
{
	return w->turns[(height % w->period + view % w->period) % w->period];
}

/* --- blocks --- */

void toy_encode(uint8_t out[TOY_BLOCK_SIZE], const struct toy_block *b)
{
	memset(out, 0, TOY_BLOCK_SIZE);
	memcpy(out, &b->height, 8);
	memcpy(out + 8, &b->time_ms, 8);
	memcpy(out + 16, &b->nonce, 8);
	memcpy(out + 24, b->parent.bytes, 32);
	out[56] = b->proposer;
	out[57] = b->is_valid;
	out[58] = b->has_txs;
}

bool toy_decode(struct toy_block *b, struct bytes sealed)
{
	if (sealed.size != TOY_BLOCK_SIZE)
		return false;
	memcpy(&b->height, sealed.data, 8);
	memcpy(&b->time_ms, sealed.data + 8, 8);
	memcpy(&b->nonce, sealed.data + 16, 8);
	memcpy(b->parent.bytes, sealed.data + 24, 32);
	b->proposer = sealed.data[56];
	b->is_valid = sealed.data[57];
	b->has_txs = sealed.data[58];
	return true;
}

/* --- signatures: a MAC that everyone can check, or the real ones --- */

static void mac(const struct world *w, size_t validator, const struct hash *digest, struct signature *out)
{
	uint8_t joined[64];
	struct hash h;

	memcpy(joined, w->keys[validator].bytes, 32);
	memcpy(joined + 32, digest->bytes, 32);
	keccak256(&h, bytes_of(joined, sizeof(joined)));
	*out = (struct signature){ .s = { [31] = 1 } };
	memcpy(out->r, h.bytes, 32);
}

void world_sign(struct world *w, size_t validator, const struct hash *digest, struct signature *out)
{
	if (w->ecc)
		CHECK(ecc_sign(w->ecc, out, digest, &w->keys[validator], NULL) == OK);
	else
		mac(w, validator, digest, out);
}

bool world_verify(const struct world *w, const struct signature *sig, const struct hash *digest,
		  const struct addr *signer)
{
	int validator = validator_set_find(&w->set, signer);
	struct signature expected;
	struct addr found;

	if (w->ecc)
		return ecc_recover_address(w->ecc, &found, digest, sig, NULL) == OK &&
		       addr_equal(&found, signer);
	if (validator < 0)
		return false;
	mac(w, (size_t)validator, digest, &expected);
	return memcmp(expected.r, sig->r, 32) == 0 && memcmp(expected.s, sig->s, 32) == 0;
}

/* --- what a machine is given --- */

static size_t machine_proposer(void *ctx, const struct consensus_epoch *epoch, uint64_t height,
			       uint64_t view)
{
	const struct machine *m = ctx;

	(void)epoch;
	return world_proposer(m->world, height, view);
}

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

static struct consensus_config machine_config(struct machine *m)
{
	return (struct consensus_config){
		.chain_id = WORLD_CHAIN_ID,
		.self = m->world->set.members[m->validator].address,
		.epoch = { .set = &m->world->set },
		.min_interval_ms = m->world->plan.min_interval_ms,
		.heartbeat_ms = m->world->plan.heartbeat_ms,
		.view_timeout_ms = m->world->plan.t0_ms,
		.proposer = machine_proposer,
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

/* --- the queue of events --- */

static bool is_before(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

static struct event *push(struct world *w, uint64_t delay_ms, enum event_kind kind, const struct machine *m)
{
	struct event e = { .at_ms = w->now_ms + delay_ms, .number = w->event_number++, .kind = kind };
	size_t i;

	if (m) {
		e.machine = m->index;
		e.life = m->life;
	}
	if (w->event_count == w->event_capacity) {
		w->event_capacity = w->event_capacity ? w->event_capacity * 2 : 256;
		w->heap = xrealloc(w->heap, w->event_capacity * sizeof(*w->heap));
	}
	for (i = w->event_count++; i > 0 && is_before(&e, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = e;
	return &w->heap[i];
}

static struct event pop(struct world *w)
{
	struct event first = w->heap[0], last = w->heap[--w->event_count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= w->event_count)
			break;
		if (child + 1 < w->event_count && is_before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!is_before(&w->heap[child], &last))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

static void event_clear(struct event *e)
{
	buf_clear(&e->data);
	buf_clear(&e->certificate);
}

/* --- the network --- */

static bool is_cut(const struct world *w, size_t from, size_t to)
{
	bool a = w->partition >> from & 1, b = w->partition >> to & 1;

	return w->partition && a != b && (!w->is_one_way || a);
}

static uint64_t draw_delay(struct world *w)
{
	uint64_t delay;

	if (w->is_healed)
		return 1 + rng_below(&w->rng, 8);
	delay = 1 + rng_below(&w->rng, 2 * w->plan.delay_ms);
	if (chance(w, w->plan.slow_permille)) {
		w->fired[FAULT_DELAY]++;
		delay += w->plan.t0_ms + rng_below(&w->rng, 4 * w->plan.t0_ms);
	}
	if (delay > w->plan.delay_ms)
		w->fired[FAULT_REORDER]++;
	return delay;
}

void world_transmit(struct world *w, size_t from, size_t to, struct bytes encoded)
{
	unsigned copies = 1;

	if (!w->is_healed && is_cut(w, from, to)) {
		w->fired[FAULT_PARTITION]++;
		return;
	}
	if (!w->is_healed && chance(w, w->plan.loss_permille)) {
		w->fired[FAULT_LOSS]++;
		return;
	}
	if (!w->is_healed && chance(w, w->plan.duplicate_permille)) {
		w->fired[FAULT_DUPLICATE]++;
		copies = 2;
	}
	while (copies-- > 0) {
		struct event *e = push(w, draw_delay(w), EVENT_MESSAGE, &w->machines[to]);

		e->life = 0; /* whoever lives there then */
		buf_append_bytes(&e->data, encoded);
	}
}

/* --- crashes and restarts --- */

static void item_clear(struct item *item)
{
	buf_clear(&item->certificate);
	buf_clear(&item->data);
}

static void machine_crash(struct world *w, struct machine *m)
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
	push(w, w->is_healed ? 1 : rng_below(&w->rng, 3000), EVENT_RESTART, m);
}

static void machine_step(struct world *w, struct machine *m, struct consensus_event *event);

static void machine_start(struct world *w, struct machine *m)
{
	struct consensus_config config = machine_config(m);
	struct consensus_status status;
	size_t first = 0;

	m->tip = (struct consensus_tip){ .time_ms = WORLD_START_MS, .empty_count = CONFIRMATION_COUNT };
	m->has_candidate = false;
	m->disk_free_ms = w->now_ms;
	m->tick_ms = 0;
	for (size_t i = 0; i < m->item_count; i++) {
		const struct item *item = &m->items[i];

		if (item->is_whole)
			first = i;
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
	e = push(w, rng_below(&w->rng, 3), EVENT_PROPOSED, m);
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
	e = push(w, delay, EVENT_EXECUTED, m);
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
	push(w, m->disk_free_ms - w->now_ms, EVENT_WRITTEN, m);
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
			w->fired[FAULT_TWIN] += m->index >= w->set.count;
			world_transmit(w, m->index, i, buf_bytes(&encoded));
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
	if (!from->c || (!w->is_healed && (is_cut(w, from->index, to->index) || chance(w, w->plan.loss_permille))))
		return;
	for (size_t i = 0; i < from->item_count; i++) {
		const struct item *item = &from->items[i];
		struct event *e;

		if (!item->is_block || item->block.height != height)
			continue;
		e = push(w, draw_delay(w), EVENT_FETCHED, to);
		e->life = 0;
		buf_append_bytes(&e->data, buf_bytes(&item->data));
		buf_append_bytes(&e->certificate, buf_bytes(&item->certificate));
		return;
	}
}

static size_t validator_of(const struct world *w, const struct addr *address)
{
	return (size_t)validator_set_find(&w->set, address);
}

static void on_behind(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	world_say(w, "machine %zu is behind %zu at height %llu", m->index, validator_of(w, &effect->peer.address),
		  (unsigned long long)effect->peer.height);
	for (size_t i = 0; i < w->machine_count; i++)
		if (w->machines[i].validator == validator_of(w, &effect->peer.address))
			send_block(w, &w->machines[i], m, m->tip.height + 1);
}

static void on_serve(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	w->fired[FAULT_SERVED]++;
	for (size_t i = 0; i < w->machine_count; i++)
		if (w->machines[i].validator == validator_of(w, &effect->peer.address))
			send_block(w, m, &w->machines[i], effect->peer.height);
}

static void on_evidence(struct world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct consensus_config config = machine_config(m);
	struct consensus_evidence found;
	struct err err = { 0 };

	w->fired[FAULT_EVIDENCE]++;
	if (consensus_check_evidence(&config, &w->set, effect->evidence.first, effect->evidence.second, &found,
				     &err) != OK)
		world_fail(w, "machine %zu has evidence that proves nothing: %s", m->index, err.message);
	else if (found.validator != validator_of(w, &effect->evidence.signer) || !world_is_liar(w, found.validator))
		world_fail(w, "machine %zu has evidence against validator %zu, which is correct", m->index,
			   found.validator);
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
		push(w, m->tick_ms - w->now_ms, EVENT_TICK, m);
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
}

static void machine_step(struct world *w, struct machine *m, struct consensus_event *event)
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

	if (!item->is_block && !item->is_whole)
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
	machine_step(w, m, &event);
}

static void change_weather(struct world *w)
{
	struct plan *p = &w->plan;

	if (chance(w, p->partition_permille)) {
		w->partition = (uint32_t)rng_below(&w->rng, 1u << w->machine_count);
		w->is_one_way = rng_below(&w->rng, 4) == 0;
	} else {
		w->partition = 0;
	}
	if (chance(w, p->crash_all_permille)) {
		w->fired[FAULT_CRASH_ALL]++;
		for (size_t i = 0; i < w->machine_count; i++)
			machine_crash(w, &w->machines[i]);
	}
	for (size_t i = 0; i < w->machine_count; i++) {
		struct machine *m = &w->machines[i];

		if (chance(w, p->crash_permille))
			m->crash_at_write = m->write_count + 1 + rng_below(&w->rng, 6);
		if (chance(w, p->crash_permille / 2))
			m->crash_at_effect = m->effect_count + 1 + rng_below(&w->rng, 20);
		if (chance(w, p->clock_permille)) {
			w->fired[FAULT_CLOCK]++;
			m->clock_offset_ms = (int64_t)rng_below(&w->rng, 60001) - 30000;
		}
	}
	push(w, 300, EVENT_WEATHER, NULL);
}

static void bring_work(struct world *w)
{
	bool everywhere = rng_below(&w->rng, 4) > 0;

	for (size_t i = 0; i < w->machine_count; i++)
		if (w->machines[i].c)
			machine_step(w, &w->machines[i], &(struct consensus_event){
				.kind = CONSENSUS_EVENT_WORK, 
				.has_work = everywhere && !(w->plan.is_work_uneven && rng_below(&w->rng, 4) == 0) });
	for (size_t i = 0; i < 2; i++)
		if (w->plan.liars[i] != NOBODY && !w->is_healed && chance(w, w->plan.attack_permille))
			liar_attack(w->liar, w->plan.liars[i]);
	push(w, 20 + rng_below(&w->rng, 200), EVENT_WORK, NULL);
}

static void deliver(struct world *w, struct event *e)
{
	struct machine *m = &w->machines[e->machine];

	switch (e->kind) {
	case EVENT_WEATHER:
		if (!w->is_healed)
			change_weather(w);
		return;
	case EVENT_WORK:
		bring_work(w);
		return;
	case EVENT_RESTART:
		if (!m->c && e->life == m->life)
			machine_start(w, m);
		return;
	case EVENT_MESSAGE:
		if (m->c)
			deliver_message(w, m, e);
		return;
	case EVENT_FETCHED:
		if (m->c)
			deliver_fetched(w, m, e);
		return;
	case EVENT_TICK:
		if (m->c && e->life == m->life && e->at_ms == m->tick_ms)
			machine_step(w, m, &(struct consensus_event){ .kind = CONSENSUS_EVENT_TICK });
		return;
	case EVENT_WRITTEN:
		if (m->c && e->life == m->life)
			deliver_written(w, m);
		return;
	case EVENT_PROPOSED:
		if (m->c && e->life == m->life)
			deliver_proposed(w, m, e);
		return;
	case EVENT_EXECUTED:
		if (m->c && e->life == m->life)
			deliver_executed(w, m, e);
		return;
	}
}

/* --- a run --- */

static void make_validators(struct world *w)
{
	struct validator members[WORLD_VALIDATOR_MAX] = { 0 };
	const uint8_t seed[32] = { 9 };
	struct secret_key keys[WORLD_VALIDATOR_MAX] = { 0 };

	if (w->plan.has_real_keys)
		w->ecc = ecc_new(seed);
	for (size_t i = 0; i < w->plan.count; i++) {
		struct public_key public;

		keys[i].bytes[31] = (uint8_t)(i + 1);
		members[i].weight.n = w->plan.is_skewed ? 1 + rng_below(&w->rng, 9) : 1;
		members[i].address.bytes[0] = (uint8_t)(i + 1);
		if (!w->ecc)
			continue;
		CHECK(ecc_public_key(w->ecc, &public, &keys[i], NULL) == OK);
		ecc_address(&members[i].address, &public);
	}
	CHECK(validator_set_init(&w->set, members, w->plan.count, NULL) == OK);
	w->period = validator_set_period(&w->set);
	for (uint64_t i = 0; i < w->period; i++)
		w->turns[i] = (uint8_t)validator_set_proposer(&w->set, 0, i, 0);
	for (size_t i = 0; i < w->plan.count; i++)
		w->keys[validator_set_find(&w->set, &members[i].address)] = keys[i];
}

/* At most f weight lies. */
static void choose_liars(struct world *w)
{
	uint64_t faulty = validator_set_faulty(&w->set).n, weight = 0;

	for (size_t i = 0; i < 2; i++) {
		size_t v = rng_below(&w->rng, w->set.count);

		if (w->plan.liars[i] == NOBODY)
			continue;
		w->plan.liars[i] = NOBODY;
		if (world_is_liar(w, v) || weight + w->set.members[v].weight.n > faulty)
			continue;
		weight += w->set.members[v].weight.n;
		w->plan.liars[i] = v;
	}
	w->plan.twin_of = w->plan.twin_of == NOBODY ? NOBODY : w->plan.liars[0];
}

static void heal(struct world *w)
{
	w->is_healed = true;
	w->partition = 0;
	for (size_t i = 0; i < w->machine_count; i++) {
		w->machines[i].clock_offset_ms = 0;
		w->machines[i].crash_at_write = w->machines[i].crash_at_effect = 0;
		if (!w->machines[i].c)
			machine_start(w, &w->machines[i]);
		else
			machine_step(w, &w->machines[i], &(struct consensus_event){ .kind = CONSENSUS_EVENT_TICK });
	}
	oracle_on_heal(w->oracle);
	world_say(w, "healed");
}

/* Long enough for several time-outs of the highest view. */
#define PATIENCE_MS(plan) (64 * (plan)->t0_ms * 12)

static void run(struct world *w, uint64_t *messages)
{
	uint64_t heal_ms = WORLD_START_MS + w->plan.faults_end_ms;

	while (!w->has_failed && w->event_count > 0) {
		struct event e;

		if (!w->is_healed && w->heap[0].at_ms >= heal_ms) {
			w->now_ms = heal_ms;
			heal(w);
			continue;
		}
		e = pop(w);
		w->now_ms = e.at_ms;
		*messages += e.kind == EVENT_MESSAGE;
		deliver(w, &e);
		event_clear(&e);
		if (w->is_healed && oracle_is_satisfied(w->oracle))
			return;
		if (w->is_healed && w->now_ms > heal_ms + PATIENCE_MS(&w->plan))
			world_fail(w, "no progress %llu ms after the faults, at height %llu",
				   (unsigned long long)PATIENCE_MS(&w->plan),
				   (unsigned long long)oracle_height(w->oracle));
	}
}

bool world_run_plan(const struct plan *plan, uint64_t seed, size_t crash_at_effect, bool is_loud,
		    size_t *effects, struct outcome *out)
{
	struct world *w = xcalloc(1, sizeof(*w));
	bool ok;

	w->seed = seed;
	w->plan = *plan;
	w->is_loud = is_loud;
	w->now_ms = WORLD_START_MS;
	rng_init(&w->rng, seed ^ 0x5745465400000000ull);
	make_validators(w);
	choose_liars(w);
	w->machine_count = w->set.count;
	if (w->plan.twin_of != NOBODY)
		w->machine_count++;
	w->oracle = oracle_new(w);
	w->liar = liar_new(w);
	for (size_t i = 0; i < w->machine_count; i++) {
		struct machine *m = &w->machines[i];

		*m = (struct machine){ .index = i, .validator = i, .world = w, .life = 1 };
		if (i >= w->set.count)
			m->validator = w->plan.twin_of;
		if (i == 0)
			m->crash_at_effect = crash_at_effect;
		if (chance(w, w->plan.crash_permille))
			m->crash_at_write = 1 + rng_below(&w->rng, 30);
	}
	for (size_t i = 0; i < w->machine_count; i++)
		machine_start(w, &w->machines[i]);
	push(w, 50, EVENT_WORK, NULL);
	push(w, 300, EVENT_WEATHER, NULL);
	run(w, &out->messages);

	ok = !w->has_failed;
	memcpy(out->failure, w->failure, sizeof(out->failure));
	for (size_t i = 0; i < FAULT_COUNT; i++)
		out->fired[i] += w->fired[i];
	out->heights += oracle_height(w->oracle);
	if (w->plan.t0_ms >= 100)
		out->worst_views = MAX(out->worst_views, oracle_worst_views(w->oracle));
	if (effects)
		*effects = w->machines[0].effect_count;
	while (w->event_count > 0) {
		struct event e = pop(w);

		event_clear(&e);
	}
	for (size_t i = 0; i < w->machine_count; i++) {
		struct machine *m = &w->machines[i];

		consensus_free(m->c);
		for (size_t k = 0; k < m->item_count; k++)
			item_clear(&m->items[k]);
		free(m->items);
		buf_clear(&m->bound);
	}
	free(w->heap);
	oracle_free(w->oracle);
	liar_free(w->liar);
	ecc_free(w->ecc);
	free(w);
	return ok;
}

void plan_quiet(struct plan *p, size_t count)
{
	*p = (struct plan){
		.count = count,
		.t0_ms = 200,
		.heartbeat_ms = 1000,
		.min_interval_ms = 10,
		.delay_ms = 10,
		.disk_ms = 2,
		.liars = { NOBODY, NOBODY },
		.twin_of = NOBODY,
		.faults_end_ms = 2000,
	};
}

static uint64_t draw(struct rng *r, uint64_t max)
{
	return rng_below(r, 3) ? rng_below(r, max + 1) : 0;
}

static void plan_draw(struct plan *p, uint64_t seed)
{
	struct rng r;

	rng_init(&r, seed);
	plan_quiet(p, rng_below(&r, 3) ? 4 : 7);
	p->is_skewed = rng_below(&r, 3) == 0;
	p->has_real_keys = seed % 500 == 7;
	p->t0_ms = 100 + 100 * rng_below(&r, 3);
	p->heartbeat_ms = 300 + rng_below(&r, 1500);
	p->min_interval_ms = rng_below(&r, 2) * 50;
	p->delay_ms = 2 + rng_below(&r, 60);
	p->disk_ms = rng_below(&r, 8);
	p->loss_permille = draw(&r, 300);
	p->duplicate_permille = draw(&r, 300);
	p->slow_permille = draw(&r, 60);
	p->slow_disk_permille = draw(&r, 60);
	p->slow_execution_permille = draw(&r, 60);
	p->partition_permille = draw(&r, 700);
	p->crash_permille = draw(&r, 150);
	p->crash_all_permille = draw(&r, 30);
	p->clock_permille = draw(&r, 4) * draw(&r, 5);
	p->trim_permille = draw(&r, 300);
	p->is_work_uneven = rng_below(&r, 2);
	p->faults_end_ms = 1000 + rng_below(&r, 4000);
	if (p->has_real_keys)
		p->faults_end_ms /= 4;
	if (rng_below(&r, 2)) {
		p->liars[0] = 0;
		if (p->count == 7 && rng_below(&r, 2))
			p->liars[1] = 0;
		p->attack_permille = rng_below(&r, 1000);
		p->is_silent = rng_below(&r, 3) == 0;
		if (rng_below(&r, 3) == 0)
			p->twin_of = 0;
	}
}

bool world_run(uint64_t seed, bool is_loud, struct outcome *out)
{
	struct plan plan;

	plan_draw(&plan, seed);
	return world_run_plan(&plan, seed, 0, is_loud, NULL, out);
}
