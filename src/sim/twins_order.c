/* The scenarios in their order: which there are, up to renaming. */
#include "sim/twins_internal.h"

#include "base/bytes.h"
#include "base/check.h"

/* --- renamings: A and A' exchanged or not, times the orders of B, C, D --- */

static const uint8_t orders[6][3] = {
	{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
};

struct twins_step twins_rename(const struct twins_step *step, size_t renaming)
{
	const uint8_t *order = orders[renaming / 2];
	uint8_t others = step->partition >> 1, renamed = 0, second = step->partition & 1;
	struct twins_step out = *step;

	for (size_t i = 0; i < 3; i++)
		renamed |= (uint8_t)((others >> i & 1) << order[i]);
	/* Sides are named after the first of the twins. */
	if (renaming % 2 == 1 && second)
		renamed ^= 7;
	out.partition = (uint8_t)(renamed << 1 | second);
	if (step->leader > 0)
		out.leader = (uint8_t)(order[step->leader - 1] + 1);
	return out;
}

/* --- configurations of a step --- */

#define PARTITION_COUNT 16

static size_t config_count(bool is_votes)
{
	return is_votes ? PARTITION_COUNT : TWINS_VALIDATOR_COUNT * PARTITION_COUNT;
}

struct twins_step twins_config(bool is_votes, size_t number)
{
	return (struct twins_step){
		.is_votes = is_votes,
		.leader = (uint8_t)(number / PARTITION_COUNT),
		.partition = (uint8_t)(number % PARTITION_COUNT),
	};
}

static size_t number_of(const struct twins_step *step)
{
	return (size_t)step->leader * PARTITION_COUNT + step->partition;
}

void twins_order_init(struct twins_order *o, const struct twins_options *options)
{
	size_t views = options->views ? options->views : TWINS_VIEW_MAX;

	CHECK(views <= TWINS_VIEW_MAX);
	*o = (struct twins_order){ 0 };
	for (size_t i = 0; i < views; i++) {
		o->is_votes[o->steps++] = false;
		if (options->cut == TWINS_CUT_BOTH)
			o->is_votes[o->steps++] = true;
	}
	for (size_t votes = 0; votes < 2; votes++) {
		o->configs[votes] = config_count(votes);
		for (size_t g = 0; g < TWINS_RENAMING_COUNT; g++)
			for (size_t i = 0; i < o->configs[votes]; i++) {
				struct twins_step step = twins_config(votes, i), other = twins_rename(&step, g);

				o->renamed[votes][g][i] = (uint8_t)number_of(&other);
				o->fixed[votes][g] += number_of(&other) == i;
			}
	}
}

/* Burnside's lemma: the orbits of the sequences of steps from `depth` on under the group. */
uint64_t twins_order_count(const struct twins_order *o, size_t depth, unsigned group)
{
	uint64_t sum = 0, size = 0;

	for (size_t g = 0; g < TWINS_RENAMING_COUNT; g++) {
		uint64_t fixed = 1;

		if (!(group >> g & 1))
			continue;
		for (size_t i = depth; i < o->steps; i++)
			fixed *= o->fixed[o->is_votes[i]][g];
		sum += fixed;
		size++;
	}
	CHECK(sum % size == 0);
	return sum / size;
}

/* The renamings of the group that leave a configuration as it is; 0 if some make it one
 * that comes before, which then stands for it. */
unsigned twins_order_stabilizer(const struct twins_order *o, size_t depth, unsigned group, size_t config)
{
	const bool votes = o->is_votes[depth];
	unsigned out = 0;

	for (size_t g = 0; g < TWINS_RENAMING_COUNT; g++) {
		uint8_t renamed = o->renamed[votes][g][config];

		if (!(group >> g & 1))
			continue;
		if (renamed < config)
			return 0;
		if (renamed == config)
			out |= 1u << g;
	}
	return out;
}

uint64_t twins_count(const struct twins_options *options)
{
	struct twins_order o;

	twins_order_init(&o, options);
	return twins_order_count(&o, 0, TWINS_GROUP_ALL);
}

size_t twins_scenario(const struct twins_options *options, uint64_t number,
		      struct twins_step out[TWINS_STEP_MAX])
{
	struct twins_order o;
	unsigned group = TWINS_GROUP_ALL;

	twins_order_init(&o, options);
	CHECK(number < twins_order_count(&o, 0, group));
	for (size_t depth = 0; depth < o.steps; depth++)
		for (size_t i = 0; i < o.configs[o.is_votes[depth]]; i++) {
			unsigned rest = twins_order_stabilizer(&o, depth, group, i);
			uint64_t count = rest ? twins_order_count(&o, depth + 1, rest) : 0;

			if (number < count) {
				out[depth] = twins_config(o.is_votes[depth], i);
				group = rest;
				break;
			}
			number -= count;
		}
	return o.steps;
}
