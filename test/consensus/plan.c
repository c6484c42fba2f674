/* What a seed draws: the faults, the validators, and who decides when. */
#include "consensus/harness.h"

/* --- faults --- */

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

void plan_draw(struct plan *p, uint64_t seed)
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
	if (rng_below(&r, 3) == 0)
		p->epoch_heights = 1 + rng_below(&r, 6);
}

/* --- validators --- */

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
	CHECK(validator_set_init(&w->all, members, w->plan.count, NULL) == OK);
	for (size_t i = 0; i < w->plan.count; i++)
		w->keys[world_validator(w, &members[i].address)] = keys[i];
}

/* At most f weight lies. */
static void choose_liars(struct world *w)
{
	uint64_t faulty = validator_set_faulty(&w->all).n, weight = 0;

	for (size_t i = 0; i < 2; i++) {
		size_t v = rng_below(&w->rng, w->all.count);

		if (w->plan.liars[i] == NOBODY)
			continue;
		w->plan.liars[i] = NOBODY;
		if (world_is_liar(w, v) || weight + w->all.members[v].weight.n > faulty)
			continue;
		weight += w->all.members[v].weight.n;
		w->plan.liars[i] = v;
	}
	w->plan.twin_of = w->plan.twin_of == NOBODY ? NOBODY : w->plan.liars[0];
}

/* --- epochs --- */

static void add_epoch(struct world *w, uint64_t first, const struct validator_set *set)
{
	struct world_epoch *e = &w->epochs[w->epoch_count];

	e->is = (struct consensus_epoch){ w->epoch_count, first, &e->set };
	e->set = *set;
	e->period = validator_set_period(set);
	for (uint64_t i = 0; i < e->period; i++)
		e->turns[i] = (uint8_t)validator_set_proposer(set, 0, i, 0);
	w->epoch_count++;
}

static bool may_lie_too_much(const struct world *w, const struct validator_set *set)
{
	uint64_t weight = 0;

	for (size_t i = 0; i < set->count; i++)
		if (world_is_liar(w, world_validator(w, &set->members[i].address)))
			weight += set->members[i].weight.n;
	return weight > validator_set_faulty(set).n;
}

/* Some of all, with weights of their own; of liars at most f weight, else none. */
static void draw_set(struct world *w, struct validator_set *out)
{
	bool is_skewed = rng_below(&w->rng, 2), has_liars = true;
	uint64_t in_permille = 300 + rng_below(&w->rng, 701);

	for (;;) {
		struct validator members[WORLD_VALIDATOR_MAX];
		size_t count = 0;

		for (size_t i = 0; i < w->all.count; i++) {
			if ((!has_liars && world_is_liar(w, i)) || !chance(w, in_permille))
				continue;
			members[count] = w->all.members[i];
			members[count++].weight.n = is_skewed ? 1 + rng_below(&w->rng, 9) : 1;
		}
		has_liars = false;
		if (count == 0)
			continue;
		CHECK(validator_set_init(out, members, count, NULL) == OK);
		if (!may_lie_too_much(w, out))
			return;
	}
}

void plan_cast(struct world *w)
{
	uint64_t first = 1;

	make_validators(w);
	choose_liars(w);
	add_epoch(w, 0, &w->all);
	while (w->plan.epoch_heights && w->epoch_count < WORLD_EPOCH_MAX) {
		struct validator_set set;

		first += 1 + rng_below(&w->rng, w->plan.epoch_heights);
		draw_set(w, &set);
		add_epoch(w, first, &set);
	}
}

const struct world_epoch *world_epoch_at(const struct world *w, uint64_t height)
{
	size_t i = w->epoch_count - 1;

	while (i > 0 && w->epochs[i].is.first > height)
		i--;
	return &w->epochs[i];
}

size_t world_validator(const struct world *w, const struct addr *address)
{
	int place = validator_set_find(&w->all, address);

	return place < 0 ? NOBODY : (size_t)place;
}

size_t world_index(const struct world *w, uint64_t height, size_t validator)
{
	int index = validator_set_find(&world_epoch_at(w, height)->set, &w->all.members[validator].address);

	return index < 0 ? NOBODY : (size_t)index;
}

size_t world_proposer(const struct world *w, uint64_t height, uint64_t view)
{
	const struct world_epoch *e = world_epoch_at(w, height);
	uint64_t place = (height - e->is.first) % e->period + view % e->period;

	return world_validator(w, &e->set.members[e->turns[place % e->period]].address);
}
