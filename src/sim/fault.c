/* What goes wrong, and when: each kind that the seed chose comes again and again. */
#include "sim/internal.h"

#include "base/check.h"

static const struct {
	uint64_t every_ms;
	const char *name, *what;
} kinds[] = {
#define X(name, every_ms, text, what) [SIM_FAULT_##name] = { every_ms, text, what },
	SIM_FAULT_TABLE(X)
#undef X
};

/* How often what happens at a moment does, on average; 0: it is so from the start. */
static uint64_t every_ms(enum sim_fault fault)
{
	return kinds[fault].every_ms;
}

const char *sim_fault_name(enum sim_fault fault)
{
	return kinds[fault].name;
}

const char *sim_fault_what(enum sim_fault fault)
{
	return kinds[fault].what;
}

bool sim_faults_parse(uint64_t *out, const char *list)
{
	*out = 0;
	if (strcmp(list, "none") == 0)
		return true;
	if (strcmp(list, "all") == 0) {
		*out = SIM_FAULTS_ALL;
		return true;
	}
	while (*list) {
		size_t size = strcspn(list, ","), i = 0;

		while (i < SIM_FAULT_COUNT && (strlen(kinds[i].name) != size || memcmp(kinds[i].name, list, size) != 0))
			i++;
		if (i == SIM_FAULT_COUNT)
			return false;
		*out |= 1ull << i;
		list += size;
		list += *list == ',';
	}
	return true;
}

static struct rng *rng_of(struct sim *sim, enum sim_fault fault)
{
	return &sim->faults.rngs[fault];
}

/* --- from the start --- */

static void set_ways(struct sim *sim)
{
	struct rng *r = rng_of(sim, SIM_FAULT_DELAY);
	uint64_t mean_us = 1000 * draw(r, 30, 100);

	for (size_t a = 0; a < sim->site_count; a++)
		for (size_t b = 0; b < sim->site_count; b++)
			sim->net.ways[a][b].mean_us = mean_us / 2 + draw(r, 0, mean_us);
}

static void set_clocks(struct sim *sim)
{
	struct rng *r = rng_of(sim, SIM_FAULT_CLOCK);

	for (size_t i = 0; i < sim->site_count; i++) {
		int64_t ms = (int64_t)draw(r, 0, 60000) - 30000;

		/* Most of them are a little wrong, some a lot. */
		sim->sites[i].clock_ms = draw_is(r, 300) ? ms : ms / 100;
		sim_fired(sim, SIM_FAULT_CLOCK);
	}
}

static void plan(struct sim *sim, enum sim_fault fault)
{
	uint64_t us = draw_mean(rng_of(sim, fault), every_ms(fault) * 1000);

	heap_push(&sim->heap, sim->now_us + us, ENTRY_FAULT, (uint32_t)fault, 0, NULL);
}

/* Those whose disks may lose what they had promised are at most f, with the liars. */
static void choose_fragile(struct sim *sim)
{
	struct rng *r = rng_of(sim, SIM_FAULT_ROT);
	uint64_t left = sim->faulty_left;

	for (size_t i = 0; i < sim->site_count; i++) {
		struct site *s = &sim->sites[(i + sim->options.seed) % sim->site_count];
		uint64_t weight = sim->weights[s->index];

		if (s->is_liar || weight > left || draw_is(r, 300))
			continue;
		s->is_fragile = true;
		left -= weight;
	}
}

void faults_choose(struct sim *sim)
{
	struct faults *f = &sim->faults;
	uint64_t seed = rng_next(&sim->rng);

	/* Some of them: one that hides another must not be there always. */
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++) {
		rng_init(rng_of(sim, i), seed + i);
		if (draw_is(rng_of(sim, i), 500))
			f->active |= 1ull << i & sim->options.faults;
	}
}

void faults_init(struct sim *sim)
{
	choose_fragile(sim);
	if (faults_has(sim, SIM_FAULT_DELAY))
		set_ways(sim);
	if (faults_has(sim, SIM_FAULT_LOSS))
		sim->net.loss = (unsigned)draw(rng_of(sim, SIM_FAULT_LOSS), 1, sim->options.seed % 2 ? 50 : 300);
	if (faults_has(sim, SIM_FAULT_REPLAY))
		sim->net.replay = (unsigned)draw(rng_of(sim, SIM_FAULT_REPLAY), 1, 500);
	if (faults_has(sim, SIM_FAULT_REORDER))
		sim->net.reorder = (unsigned)draw(rng_of(sim, SIM_FAULT_REORDER), 1, 500);
	if (faults_has(sim, SIM_FAULT_CLOCK))
		set_clocks(sim);
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
		if (faults_has(sim, i) && every_ms(i) > 0)
			plan(sim, i);
}

/* --- at a moment --- */

static size_t any_site(struct sim *sim, struct rng *r)
{
	return draw(r, 0, sim->site_count - 1);
}

static void undo_later(struct sim *sim, enum sim_fault fault, uint64_t mean_ms, uint64_t what)
{
	heap_push(&sim->heap, sim->now_us + draw_mean(rng_of(sim, fault), mean_ms * 1000), ENTRY_UNFAULT,
		  (uint32_t)fault, what, NULL);
}

/* `sides` has a bit for each site: cut, or heal, what crosses. */
static void split(struct sim *sim, uint64_t sides, bool is_cut)
{
	for (size_t a = 0; a < sim->site_count; a++)
		for (size_t b = 0; b < sim->site_count; b++)
			if ((sides >> a & 1) != (sides >> b & 1))
				net_cut(sim, a, b, is_cut);
}

static void clog_a_link(struct sim *sim)
{
	struct rng *r = rng_of(sim, SIM_FAULT_CLOG);
	struct way *way = &sim->net.ways[any_site(sim, r)][any_site(sim, r)];

	way->clogged_until_us = sim->now_us + draw(r, 0, 5 * SECOND_US);
}

static void crash(struct sim *sim)
{
	struct rng *r = rng_of(sim, SIM_FAULT_CRASH);
	struct site *s = &sim->sites[any_site(sim, r)];
	bool is_power = draw_is(r, 500);

	if (s->state == SITE_DOWN)
		return;
	sim_fired(sim, SIM_FAULT_CRASH);
	if (!is_power) /* its machine tells the peers */
		net_site_gone(sim, s);
	site_crash(s, is_power ? DISK_POWER_LOST : DISK_PROCESS_KILLED);
	heap_push(&sim->heap, sim->now_us + draw_mean(r, 4 * SECOND_US), ENTRY_OPEN, (uint32_t)s->index, 0, NULL);
}

static size_t any_real_site(struct sim *sim, struct rng *r)
{
	return draw(r, 0, sim->validator_count + sim->observer_count - 1);
}

/* All present members vote for it, if liars and bad disks keep to f then. */
static void vote(struct sim *sim, enum sim_fault fault, size_t subject, uint64_t weight)
{
	if (sim->client.open_vote_count > 0 || !oracle_may_weigh(sim->oracle, sim, subject, weight))
		return;
	sim_fired(sim, fault);
	for (size_t i = 0; i < sim->validator_count + sim->observer_count; i++)
		if (oracle_is_member(sim->oracle, i))
			client_vote(sim, i, subject, weight);
}

/* Who was with one twin may be with the other now. */
static void change_sides(struct sim *sim)
{
	for (size_t i = 0; i < sim->site_count; i++) {
		if (!sim->sites[i].is_twin)
			continue;
		sim_fired(sim, SIM_FAULT_TWINS);
		for (size_t other = 0; other < sim->site_count; other++)
			net_reset(sim, i, other);
	}
	sim->sides = (uint32_t)rng_next(rng_of(sim, SIM_FAULT_TWINS));
}

/* In half of the runs they go on until the end; twins end here. */
static void end_liars(struct sim *sim)
{
	bool do_end = sim->options.seed % 2 == 0;

	sim->liars_are_over = do_end;
	for (size_t i = 0; i < sim->site_count; i++) {
		struct site *s = &sim->sites[i];

		if (!s->is_liar || (!do_end && !s->is_twin))
			continue;
		site_crash(s, DISK_PROCESS_KILLED);
		net_site_gone(sim, s);
		s->has_ended = true;
	}
}

void faults_begin(struct sim *sim, enum sim_fault fault)
{
	struct rng *r = rng_of(sim, fault);
	uint64_t bits;
	struct site *s;

	if (!faults_has(sim, fault))
		return;
	plan(sim, fault);
	switch (fault) {
	case SIM_FAULT_CLOG:
		clog_a_link(sim);
		return;
	case SIM_FAULT_RESET:
		sim_fired(sim, fault);
		net_reset(sim, any_site(sim, r), any_site(sim, r));
		return;
	case SIM_FAULT_SPLIT:
		sim_fired(sim, fault);
		bits = rng_next(r);
		split(sim, bits, true);
		undo_later(sim, fault, 6000, bits);
		return;
	case SIM_FAULT_ISOLATE:
		sim_fired(sim, fault);
		bits = 1ull << any_site(sim, r);
		split(sim, bits, true);
		undo_later(sim, fault, 8000, bits);
		return;
	case SIM_FAULT_ONE_WAY:
		sim_fired(sim, fault);
		bits = any_site(sim, r) << 8 | any_site(sim, r);
		net_cut(sim, bits >> 8, bits & 255, true);
		undo_later(sim, fault, 6000, bits);
		return;
	case SIM_FAULT_CRASH:
		crash(sim);
		return;
	case SIM_FAULT_WEIGHTS:
		vote(sim, fault, draw(r, 0, sim->validator_count - 1), draw(r, 1, 10));
		return;
	case SIM_FAULT_MEMBERS:
		vote(sim, fault, any_real_site(sim, r), draw_is(r, 500) ? 0 : draw(r, 1, 5));
		return;
	case SIM_FAULT_TWINS:
		change_sides(sim);
		return;
	case SIM_FAULT_PAUSE:
		s = &sim->sites[any_site(sim, r)];
		sim_fired(sim, fault);
		s->paused_until_us = sim->now_us + draw(r, SECOND_US / 10, 10 * SECOND_US);
		return;
	case SIM_FAULT_RESTART:
		s = &sim->sites[any_site(sim, r)];
		if (s->state != SITE_UP || s->paused_until_us > sim->now_us)
			return;
		sim_fired(sim, fault);
		site_end(s);
		return;
	case SIM_FAULT_JUMP:
		sim_fired(sim, fault);
		sim->sites[any_site(sim, r)].clock_ms = (int64_t)draw(r, 0, 60000) - 30000;
		return;
	case SIM_FAULT_DELAY:
	case SIM_FAULT_LOSS:
	case SIM_FAULT_REPLAY:
	case SIM_FAULT_REORDER:
	case SIM_FAULT_CLOCK:
	case SIM_FAULT_WORKER:
	case SIM_FAULT_SILENT:
	case SIM_FAULT_BAD_NEW_VIEW:
	case SIM_FAULT_HUGE_VIEW:
	case SIM_FAULT_OLD:
	case SIM_FAULT_TRICKLE:
	case SIM_FAULT_EQUIVOCATE:
	case SIM_FAULT_FORGE:
	case SIM_FAULT_DISK:
	case SIM_FAULT_LOST_WRITE:
	case SIM_FAULT_GARBAGE:
	case SIM_FAULT_LOST_NAME:
	case SIM_FAULT_LOST_BATCH:
	case SIM_FAULT_EARLY_WRITE:
	case SIM_FAULT_MISDIRECTED_WRITE:
	case SIM_FAULT_MISDIRECTED_READ:
	case SIM_FAULT_CORRUPT_READ:
	case SIM_FAULT_READ_ERROR:
	case SIM_FAULT_ROT:
	case SIM_FAULT_KV_ROT:
	case SIM_FAULT_FULL:
	case SIM_FAULT_WRITE_ERROR:
	case SIM_FAULT_FAILED_SYNC:
	case SIM_FAULT_SLOW_SYNC:
	case SIM_FAULT_CRASH_SYNC:
	case SIM_FAULT_COUNT:
		return;
	}
	UNREACHABLE();
}

void faults_undo(struct sim *sim, enum sim_fault fault, uint64_t what)
{
	if (sim->faults.are_over)
		return; /* all is healed */
	if (fault == SIM_FAULT_ONE_WAY)
		net_cut(sim, what >> 8, what & 255, false);
	else
		split(sim, what, false);
}

void faults_end(struct sim *sim)
{
	sim->faults.are_over = true;
	end_liars(sim);
	net_heal(sim);
	for (size_t i = 0; i < sim->site_count; i++) {
		if (sim->sites[i].disk)
			disk_set_plan(sim->sites[i].disk, &disk_plan_none);
		sim->sites[i].clock_ms = 0;
		sim->sites[i].paused_until_us = 0;
		if (sim->sites[i].state == SITE_DOWN && !sim->sites[i].has_ended)
			site_open(&sim->sites[i]);
	}
}

static_assert(SIM_FAULT_DISK + DISK_FAULT_COUNT == SIM_FAULT_CRASH_SYNC + 1, "the disk's faults stand together");
