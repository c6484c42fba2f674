/* A run: made from its seed, one event after the other, healed, judged. */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "sim/internal.h"

#define TURN_MAX 20000000ull /* events of a run that has a fault of its own */

const char *sim_verdict_name(enum sim_verdict verdict)
{
	static const char *const names[] = {
		[SIM_CLEAN] = "clean", [SIM_SAFETY] = "safety", [SIM_LIVENESS] = "liveness", [SIM_STOPPED] = "stopped",
	};

	return names[verdict];
}

uint64_t draw(struct rng *r, uint64_t low, uint64_t high)
{
	return low + rng_below(r, high - low + 1);
}

/* -ln of a uniform number in sixteenths, by a table: no floating point in a run. */
uint64_t draw_mean(struct rng *r, uint64_t mean)
{
	uint64_t bits = rng_next(r), whole = 0, part;

	/* Each leading zero bit is worth ln 2; between them the curve is nearly a line. */
	while (whole < 14 && !(bits >> 63)) {
		bits <<= 1;
		whole++;
	}
	part = 1024 - (bits >> 53 & 1023);
	return (mean * (whole * 1024 + part) * 693) / (1024 * 1000);
}

bool draw_is(struct rng *r, unsigned of)
{
	return rng_below(r, 1000) < of;
}

void sim_found(struct sim *sim, enum sim_verdict verdict, const char *format, ...)
{
	struct sim_result *out = sim->result;
	va_list args;
	int size;

	if (sim->is_over)
		return;
	sim->is_over = true;
	out->verdict = verdict;
	size = snprintf(out->message, sizeof(out->message), "at %llu.%03llu s: ",
			(unsigned long long)(sim->now_us / SECOND_US),
			(unsigned long long)(sim->now_us / 1000 % 1000));
	va_start(args, format);
	vsnprintf(out->message + size, sizeof(out->message) - (size_t)size, format, args);
	va_end(args);
}

static size_t twin_of(const struct sim *sim, size_t identity)
{
	for (size_t i = sim->validator_count + sim->observer_count; i < sim->site_count; i++)
		if (sim->sites[i].identity == identity)
			return i;
	return identity;
}

size_t sim_route(const struct sim *sim, const struct site *from, size_t identity)
{
	if (!sim->sites[identity].is_twin || !(sim->sides >> from->index & 1))
		return identity;
	return twin_of(sim, identity);
}

static bool is_on_side(const struct sim *sim, const struct site *twin, const struct site *other)
{
	return (twin->index != twin->identity) == (sim->sides >> other->index & 1);
}

bool sim_are_apart(const struct sim *sim, size_t a, size_t b)
{
	const struct site *one = &sim->sites[a], *two = &sim->sites[b];

	return (one->is_twin && !is_on_side(sim, one, two)) || (two->is_twin && !is_on_side(sim, two, one));
}

/* An envelope with one field: length, tag, length, tag of the field, length, message. */
static struct bytes message_in(struct bytes frame, enum wire_kind kind)
{
	size_t at = 4;

	if (frame.size < 8 || frame.data[4] >> 3 != kind)
		return (struct bytes){ 0 };
	for (int i = 0; i < 2; i++) {
		at++; /* tag */
		while (at < frame.size && frame.data[at] >= 0x80)
			at++;
		at++;
	}
	return at < frame.size ? bytes_of(frame.data + at, frame.size - at) : (struct bytes){ 0 };
}

void sim_sent(struct sim *sim, struct site *from, uint32_t conn, unsigned to, struct bytes frame)
{
	struct bytes message = message_in(frame, WIRE_CONSENSUS), checkpoint = message_in(frame, WIRE_CHECKPOINT);

	if (message.size > 0 && from->is_liar) {
		liar_send(sim, from, conn, to, message);
		return;
	}
	if (message.size > 0)
		oracle_message(sim->oracle, sim, from, message);
	if (checkpoint.size > 0 && !from->is_liar)
		oracle_checkpoint(sim->oracle, sim, from, checkpoint);
	net_send_frame(sim, conn, to, frame, 0);
}

/* --- making a world --- */

static void make_sites(struct sim *sim)
{
	struct validator members[SITE_MAX] = { 0 };
	bool is_skewed = draw_is(&sim->rng, 300);
	struct public_key public;

	for (size_t i = 0; i < sim->site_count; i++) {
		struct site *s = &sim->sites[i];

		s->sim = sim;
		s->index = s->identity = i;
		s->key = (struct secret_key){ { [31] = (uint8_t)(10 + i) } };
		CHECK(ecc_public_key(sim->ecc, &public, &s->key, NULL) == OK);
		ecc_address(&s->address, &public);
		s->is_validator = true; /* an observer may become a member */
		if (i >= sim->validator_count)
			continue;
		sim->weights[i] = is_skewed ? draw(&sim->rng, 1, 10) : 1;
		members[i] = (struct validator){ s->address, { sim->weights[i] } };
	}
	CHECK(validator_set_init(&sim->genesis.validators, members, sim->validator_count, NULL) == OK);
}

static bool has_lies(const struct sim *sim, struct rng *r)
{
	uint64_t lies = FAULT_BIT(TWINS) | FAULT_BIT(SILENT) | FAULT_BIT(BAD_NEW_VIEW) | FAULT_BIT(HUGE_VIEW) |
			FAULT_BIT(OLD) | FAULT_BIT(TRICKLE) | FAULT_BIT(EQUIVOCATE) | FAULT_BIT(FORGE);

	return draw_is(r, 600) && (sim->faults.active & lies);
}

static void make_twin(struct sim *sim, struct site *of)
{
	struct site *twin = &sim->sites[sim->site_count++];

	of->is_twin = true;
	*twin = *of;
	twin->index = sim->site_count - 1;
}

/* Some validators, with at most f of the weight. */
static void make_liars(struct sim *sim)
{
	struct rng *r = &sim->liar_rng;
	uint64_t left = (sim->genesis.validators.total.n - 1) / 3;
	bool are_there;
	size_t first;

	rng_init(r, sim->options.seed ^ 0x11a7);
	first = draw(r, 0, sim->validator_count - 1);
	are_there = has_lies(sim, r);
	for (size_t i = 0; i < sim->validator_count && are_there; i++) {
		struct site *s = &sim->sites[(first + i) % sim->validator_count];

		if (sim->weights[s->index] > left || draw_is(r, 200))
			continue;
		left -= sim->weights[s->index];
		s->is_liar = true;
		if (sim->faults.active & FAULT_BIT(TWINS) && sim->site_count < SITE_MAX && draw_is(r, 700))
			make_twin(sim, s);
	}
	sim->sides = (uint32_t)rng_next(r);
	sim->faulty_left = left;
}

static void make_genesis_hash(struct sim *sim)
{
	struct block block = { 0 };
	struct state_diff diff = { 0 };

	CHECK(store_genesis(&sim->genesis, &block, &diff, NULL) == OK);
	sim->genesis_hash = block.hash;
	block_clear(&block);
	state_diff_clear(&diff);
}

static void make(struct sim *sim)
{
	const uint8_t zero[32] = { 0 };
	struct rng *r = &sim->rng;
	struct chain_params *params = &sim->genesis.params;

	rng_init(r, sim->options.seed);
	sim->ecc = ecc_new(zero);
	sim->validator_count = draw_is(r, 600) ? 4 : (size_t)draw(r, 5, 10);
	if (sim->options.validators)
		sim->validator_count = sim->options.validators;
	sim->observer_count = draw_is(r, 400) ? draw(r, 1, 3) : 0;
	sim->site_count = sim->validator_count + sim->observer_count;
	genesis_default(&sim->genesis, CHAIN_ID, START_MS - 1000);
	params->heartbeat_ms = draw_is(r, 500) ? HEARTBEAT_MS_DEFAULT : draw(r, 2000, 30000);
	params->view_timeout_ms = draw_is(r, 500) ? VIEW_TIMEOUT_MS_DEFAULT : draw(r, 300, 1000);
	if (draw_is(r, 300))
		params->reward_gwei = 0;
	if (draw_is(r, 500))
		params->epoch_length = draw(r, 4, 20);
	else if (draw_is(r, 500))
		params->epoch_ms = draw(r, 2000, 10000);
	make_sites(sim);
	net_init(sim);
	client_init(sim);
	make_genesis_hash(sim);
	sim->oracle = oracle_new(sim);
	faults_choose(sim);
	make_liars(sim);
	faults_init(sim);
	for (size_t i = 0; i < sim->site_count; i++)
		heap_push(&sim->heap, draw(r, 0, SECOND_US / 2), ENTRY_OPEN, (uint32_t)i, 0, NULL);
}

/* --- events --- */

static bool is_for_nobody(const struct sim *sim, const struct entry *e)
{
	const struct site *s = &sim->sites[e->a];

	return s->state == SITE_DOWN || s->life != e->b;
}

static void on_site_entry(struct sim *sim, const struct entry *e)
{
	struct site *s = &sim->sites[e->a];

	if (is_for_nobody(sim, e))
		return; /* a batch was freed with its node */
	if (s->paused_until_us > sim->now_us) {
		heap_push(&sim->heap, s->paused_until_us, e->kind, e->a, e->b, e->p);
		return;
	}
	if (e->kind == ENTRY_TICK)
		site_tick(s);
	else if (e->kind == ENTRY_PEER_TICK)
		site_peer_tick(s);
	else if (e->kind == ENTRY_WRITER)
		site_write_begin(s);
	else if (e->kind == ENTRY_WRITTEN)
		site_write_done(s);
	else
		site_batch_done(s, e->p);
}

static void on_entry(struct sim *sim, const struct entry *e)
{
	switch (e->kind) {
	case ENTRY_TICK:
	case ENTRY_PEER_TICK:
	case ENTRY_WRITER:
	case ENTRY_WRITTEN:
	case ENTRY_BATCH:
		on_site_entry(sim, e);
		return;
	case ENTRY_CONNECTED:
		net_connected(sim, e->a);
		return;
	case ENTRY_PACKET:
		net_arrive(sim, e->p);
		return;
	case ENTRY_OPEN:
		if (sim->sites[e->a].state == SITE_DOWN && !sim->sites[e->a].has_ended)
			site_open(&sim->sites[e->a]);
		return;
	case ENTRY_CLIENT:
		client_turn(sim);
		return;
	case ENTRY_FAULT:
		faults_begin(sim, (enum sim_fault)e->a);
		return;
	case ENTRY_UNFAULT:
		faults_undo(sim, (enum sim_fault)e->a, e->b);
		return;
	case ENTRY_SAMPLE:
		return;
	}
	UNREACHABLE();
}

/* --- healing --- */

/* A peer that was dead silent is noticed, and dialled again; then the view that was
 * reached runs out, and f + 2 more. */
static uint64_t time_to_go_on_us(const struct sim *sim)
{
	uint64_t ms = 15000 + 2 * 10000 + 5000, view = oracle_view(sim->oracle);

	for (uint64_t v = view; v <= view + sim->validator_count + 2; v++)
		ms += sim->genesis.params.view_timeout_ms << MIN(v, (uint64_t)6);
	return ms * 1000;
}

static void heal(struct sim *sim)
{
	sim->is_healed = true;
	sim->result->view_max = oracle_view(sim->oracle);
	faults_end(sim);
	sim->deadline_us = sim->now_us + time_to_go_on_us(sim);
	sim->height_healed = oracle_height(sim->oracle);
}

static bool are_level(const struct sim *sim)
{
	for (size_t i = 0; i < sim->site_count; i++)
		if (!sim->sites[i].is_liar &&
		    (sim->sites[i].state != SITE_UP || site_height(&sim->sites[i]) < oracle_height(sim->oracle)))
			return false;
	return true;
}

/* After healing, once a while: done, late, or neither. */
static void judge(struct sim *sim)
{
	const struct client *c = &sim->client;

	if (oracle_height(sim->oracle) > sim->height_healed && !sim->has_moved) {
		sim->has_moved = true; /* what lags has from now on its own time to catch up */
		sim->deadline_us = sim->now_us + time_to_go_on_us(sim);
	}
	if (oracle_height(sim->oracle) >= SIM_BLOCK_COUNT && sim->now_us >= SIM_DURATION_MS * 1000)
		sim->is_quiet = true;
	if (sim->is_quiet && c->final_count == c->count && are_level(sim)) {
		oracle_end(sim->oracle, sim);
		sim->is_over = true;
		return;
	}
	if (!sim->is_quiet && sim->has_moved)
		sim->deadline_us = MAX(sim->deadline_us, sim->now_us + SECOND_US);
	if (sim->now_us < sim->deadline_us)
		return;
	if (!sim->has_moved)
		sim_found(sim, SIM_LIVENESS, "no block since the faults ended at height %llu",
			  (unsigned long long)sim->height_healed);
	else if (c->final_count < c->count)
		sim_found(sim, SIM_LIVENESS, "%zu transfers are not final", c->count - c->final_count);
	else
		oracle_end(sim->oracle, sim); /* names the node that is behind */
	sim->is_over = true;
}

/* --- the run --- */

static void run(struct sim *sim)
{
	uint64_t judged_us = 0;
	struct entry e;

	sim->heal_us = sim->options.duration_ms * 1000;
	while (!sim->is_over && heap_pop(&sim->heap, &e)) {
		CHECK(e.at_us >= sim->now_us);
		sim->now_us = e.at_us;
		if (!sim->is_healed && sim->now_us >= sim->heal_us)
			heal(sim);
		on_entry(sim, &e);
		if (++sim->result->event_count > TURN_MAX)
			sim_found(sim, SIM_LIVENESS, "events without end");
		if (sim->is_healed && !sim->is_over && sim->now_us >= judged_us) {
			judged_us = sim->now_us + SECOND_US / 4;
			judge(sim);
		}
	}
}

static void unmake(struct sim *sim)
{
	struct entry e;

	while (heap_pop(&sim->heap, &e))
		if (e.kind == ENTRY_PACKET)
			net_drop(sim, e.p);
	for (size_t i = 0; i < sim->site_count; i++) {
		liar_clear(&sim->sites[i]);
		site_free(&sim->sites[i]);
	}
	net_clear(sim);
	heap_clear(&sim->heap);
	client_clear(sim);
	oracle_free(sim->oracle);
	genesis_clear(&sim->genesis);
	ecc_free(sim->ecc);
}

void sim_run(const struct sim_options *options, struct sim_result *result)
{
	struct sim *sim = xcalloc(1, sizeof(*sim));

	*result = (struct sim_result){ 0 };
	sim->options = *options;
	sim->result = result;
	make(sim);
	run(sim);
	result->time_ms = sim->now_us / 1000;
	result->block_count = oracle_height(sim->oracle);
	result->tx_count = sim->client.final_count;
	result->frame_count = sim->net.frame_count;
	unmake(sim);
	free(sim);
}
