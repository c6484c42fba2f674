/* Time, network and faults; a run from its beginning to its end. */
#include "consensus/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/keccak.h"

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
	size_t validator = world_validator(w, signer);
	struct signature expected;
	struct addr found;

	if (w->ecc)
		return ecc_recover_address(w->ecc, &found, digest, sig, NULL) == OK &&
		       addr_equal(&found, signer);
	if (validator == NOBODY)
		return false;
	mac(w, validator, digest, &expected);
	return memcmp(expected.r, sig->r, 32) == 0 && memcmp(expected.s, sig->s, 32) == 0;
}

/* --- the queue of events --- */

static bool is_before(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

struct event *world_push(struct world *w, uint64_t delay_ms, enum event_kind kind, const struct machine *m)
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

bool world_is_cut(const struct world *w, size_t from, size_t to)
{
	bool a = w->partition >> from & 1, b = w->partition >> to & 1;

	return w->partition && a != b && (!w->is_one_way || a);
}

uint64_t world_draw_delay(struct world *w)
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

void world_transmit(struct world *w, size_t from, size_t to, enum event_kind kind, struct bytes encoded)
{
	unsigned copies = 1;

	if (!w->is_healed && world_is_cut(w, from, to)) {
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
		struct event *e = world_push(w, world_draw_delay(w), kind, &w->machines[to]);

		e->life = 0; /* whoever lives there then */
		buf_append_bytes(&e->data, encoded);
	}
}

/* --- what happens --- */

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
	world_push(w, 300, EVENT_WEATHER, NULL);
}

static void bring_work(struct world *w)
{
	bool everywhere = rng_below(&w->rng, 4) > 0;

	for (size_t i = 0; i < w->machine_count; i++)
		if (w->machines[i].c)
			machine_step(w, &w->machines[i], &(struct consensus_event){
				.kind = CONSENSUS_EVENT_WORK, 
				.has_work = everywhere && !(w->plan.is_work_uneven && rng_below(&w->rng, 4) == 0) });
	/* Nodes tell each other how far they are. */
	for (size_t i = 0; i < w->machine_count && w->plan.epoch_heights; i++)
		machine_compare(w, &w->machines[i], &w->machines[rng_below(&w->rng, w->machine_count)]);
	for (size_t i = 0; i < 2; i++)
		if (w->plan.liars[i] != NOBODY && !w->is_healed && chance(w, w->plan.attack_permille))
			liar_attack(w->liar, w->plan.liars[i]);
	world_push(w, 20 + rng_below(&w->rng, 200), EVENT_WORK, NULL);
}

static void deliver(struct world *w, struct event *e)
{
	struct machine *m = &w->machines[e->machine];
	/* What comes over the wire is for whoever lives there then. */
	bool is_wire = e->kind == EVENT_MESSAGE || e->kind == EVENT_CHECKPOINT || e->kind == EVENT_FETCHED;

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
	case EVENT_CHECKPOINT:
	case EVENT_FETCHED:
	case EVENT_TICK:
	case EVENT_WRITTEN:
	case EVENT_PROPOSED:
	case EVENT_EXECUTED:
		if (m->c && (is_wire || e->life == m->life))
			machine_deliver(w, m, e);
		return;
	}
}

/* --- a run --- */

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
	plan_cast(w);
	w->machine_count = w->all.count;
	if (w->plan.twin_of != NOBODY)
		w->machine_count++;
	w->oracle = oracle_new(w);
	w->liar = liar_new(w);
	for (size_t i = 0; i < w->machine_count; i++) {
		struct machine *m = &w->machines[i];

		*m = (struct machine){ .index = i, .validator = i, .world = w, .life = 1, .is_member = true };
		if (i >= w->all.count)
			m->validator = w->plan.twin_of;
		if (i == 0)
			m->crash_at_effect = crash_at_effect;
		if (chance(w, w->plan.crash_permille))
			m->crash_at_write = 1 + rng_below(&w->rng, 30);
	}
	for (size_t i = 0; i < w->machine_count; i++)
		machine_start(w, &w->machines[i]);
	world_push(w, 50, EVENT_WORK, NULL);
	world_push(w, 300, EVENT_WEATHER, NULL);
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
	for (size_t i = 0; i < w->machine_count; i++)
		machine_clear(&w->machines[i]);
	free(w->heap);
	oracle_free(w->oracle);
	liar_free(w->liar);
	ecc_free(w->ecc);
	free(w);
	return ok;
}

bool world_run(uint64_t seed, bool is_loud, struct outcome *out)
{
	struct plan plan;

	plan_draw(&plan, seed);
	return world_run_plan(&plan, seed, 0, is_loud, NULL, out);
}
