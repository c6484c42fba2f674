/* The walk over the scenarios, and what came of it. */
#include "sim/twins_internal.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/check.h"

struct walk {
	const struct twins_options *options;
	struct twins_report *report;
	struct twins_order order;
	uint64_t first, last, stride; /* those that are wanted: from first, below last */
	struct twins_world *worlds[TWINS_STEP_MAX + 2]; /* [steps played]; the last one heals */
	struct twins_step steps[TWINS_STEP_MAX];
};

const char *twins_counter_text(enum twins_counter counter)
{
	static const char *const texts[] = {
#define X(name, text) text,
		TWINS_COUNT_TABLE(X)
#undef X
	};

	return texts[counter];
}

/* How many of the scenarios in [from, to) are wanted. */
static uint64_t wanted_count(const struct walk *k, uint64_t from, uint64_t to)
{
	uint64_t first = MAX(from, k->first);

	to = MIN(to, k->last);
	first += (k->stride - (first - k->first) % k->stride) % k->stride;
	return first < to ? (to - first + k->stride - 1) / k->stride : 0;
}

static void describe(const struct walk *k, uint64_t number, size_t depth, const char *failure)
{
	static const char *const machines[] = { "A'", "B", "C", "D" };
	char line[320];
	size_t used;

	if (!k->options->say)
		return;
	used = (size_t)snprintf(line, sizeof(line), "scenario %llu: ", (unsigned long long)number);
	for (size_t i = 0; i < depth && used < sizeof(line); i++) {
		const struct twins_step *s = &k->steps[i];

		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s {A",
					 s->is_votes ? "" : s->leader ? machines[s->leader] : "A",
					 s->is_votes ? "commits" : " leads");
		for (size_t other = 0; other < 2; other++) {
			for (size_t m = 0; m < 4 && used < sizeof(line); m++)
				if ((s->partition >> m & 1) == other)
					used += (size_t)snprintf(line + used, sizeof(line) - used, " %s", machines[m]);
			if (used < sizeof(line))
				used += (size_t)snprintf(line + used, sizeof(line) - used, "%s",
							 other ? "}; " : " |");
		}
	}
	k->options->say(k->options->ctx, line);
	k->options->say(k->options->ctx, failure);
}

/* All scenarios that begin with these `depth` steps, numbered from `number`, are done. */
static void conclude(struct walk *k, struct twins_world *w, size_t depth, uint64_t number, uint64_t count)
{
	const char *failure = twins_world_failure(w);

	k->report->checked += count;
	if (!failure)
		return;
	if (k->report->failed == 0) {
		k->report->first_failed = number;
		snprintf(k->report->failure, sizeof(k->report->failure), "%s", failure);
	}
	if (k->report->failed < 5)
		describe(k, number, depth, failure);
	k->report->failed += count;
}

/* Bounded by the number of steps. */
static void walk_on(struct walk *k, size_t depth, unsigned group, uint64_t number)
{
	struct twins_world *here = k->worlds[depth], *next = k->worlds[depth + 1];

	if (depth == k->order.steps) {
		twins_world_copy(next, here);
		twins_world_heal(next);
		twins_world_take_counts(next, k->report->counts);
		conclude(k, next, depth, number, 1);
		return;
	}
	for (size_t i = 0; i < k->order.configs[k->order.is_votes[depth]]; i++) {
		unsigned rest = twins_order_stabilizer(&k->order, depth, group, i);
		uint64_t below = rest ? twins_order_count(&k->order, depth + 1, rest) : 0;
		uint64_t wanted = wanted_count(k, number, number + below);

		if (wanted > 0) {
			k->steps[depth] = twins_config(k->order.is_votes[depth], i);
			twins_world_copy(next, here);
			twins_world_play(next, &k->steps[depth]);
			twins_world_take_counts(next, k->report->counts);
			if (twins_world_failure(next))
				conclude(k, next, depth + 1, number, wanted);
			else
				walk_on(k, depth + 1, rest, number);
		}
		number += below;
	}
}

bool twins_run(const struct twins_options *options, struct twins_report *report)
{
	struct walk k = { .options = options, .report = report, .stride = MAX(options->stride, 1) };
	uint64_t shards = MAX(options->shards, 1), failed = report->failed;

	CHECK(options->shard < shards);
	twins_order_init(&k.order, options);
	report->total = twins_order_count(&k.order, 0, TWINS_GROUP_ALL);
	k.first = MAX(options->first, report->total * options->shard / shards);
	k.last = report->total * (options->shard + 1) / shards;
	if (options->count && options->count < k.last - MIN(k.first, k.last))
		k.last = k.first + options->count;
	for (size_t i = 0; i <= k.order.steps + 1; i++)
		k.worlds[i] = twins_world_new(options);
	walk_on(&k, 0, TWINS_GROUP_ALL, 0);
	for (size_t i = 0; i <= k.order.steps + 1; i++)
		twins_world_free(k.worlds[i]);
	report->next = MAX(k.first, k.last);
	return report->failed == failed;
}
