/* Which scenarios there are: against all sequences, and the group's action by its definition. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "base/bytes.h"
#include "sim/twins.h"

#define MACHINE_COUNT 5

static uint64_t power(uint64_t base, size_t exponent)
{
	return exponent ? base * power(base, exponent - 1) : 1;
}

/* A step from its number among all of its kind. */
static struct twins_step step_of(bool is_votes, uint64_t number)
{
	return (struct twins_step){ .is_votes = is_votes, .leader = (uint8_t)(number / 16),
				    .partition = (uint8_t)(number % 16) };
}

static uint64_t number_of(const struct twins_step *s)
{
	return s->leader * 16u + s->partition;
}

static bool is_votes_at(const struct twins_options *o, size_t depth)
{
	return o->cut == TWINS_CUT_BOTH && depth % 2 == 1;
}

/* A sequence as one number; the smallest under all renamings stands for its orbit. */
static uint64_t pack(const struct twins_step *steps, size_t count, size_t renaming)
{
	uint64_t packed = 0;

	for (size_t i = 0; i < count; i++) {
		struct twins_step s = twins_rename(&steps[i], renaming);

		packed = packed * 64 + number_of(&s);
	}
	return packed;
}

static uint64_t representative(const struct twins_step *steps, size_t count)
{
	uint64_t least = UINT64_MAX;

	for (size_t g = 0; g < TWINS_RENAMING_COUNT; g++)
		least = MIN(least, pack(steps, count, g));
	return least;
}

static size_t step_count(const struct twins_options *o)
{
	return o->cut == TWINS_CUT_BOTH ? 2 * o->views : o->views;
}

/* All sequences by counting up, the orbits by marking what stands for them. */
static void check_all(const struct twins_options *o)
{
	size_t steps = step_count(o);
	uint64_t raw = 1, orbits = 0, covered = 0, count = twins_count(o);
	uint8_t *is_orbit = calloc(power(64, steps), 1);

	for (size_t i = 0; i < steps; i++)
		raw *= is_votes_at(o, i) ? 16 : 64;
	for (uint64_t n = 0; n < raw; n++) {
		struct twins_step sequence[TWINS_STEP_MAX];
		uint64_t rest = n, least;

		for (size_t i = 0; i < steps; i++) {
			uint64_t configs = is_votes_at(o, i) ? 16 : 64;

			sequence[i] = step_of(is_votes_at(o, i), rest % configs);
			rest /= configs;
		}
		least = representative(sequence, steps);
		orbits += !is_orbit[least];
		is_orbit[least] = 1;
	}
	cr_assert_eq(count, orbits, "%llu counted, %llu found", (unsigned long long)count,
		     (unsigned long long)orbits);
	/* Each number gives another orbit, and together they have all sequences. */
	for (uint64_t n = 0; n < count; n++) {
		struct twins_step sequence[TWINS_STEP_MAX];
		uint64_t stabilizer = 0, least;

		cr_assert_eq(twins_scenario(o, n, sequence), steps);
		least = representative(sequence, steps);
		cr_assert_eq(is_orbit[least], 1, "scenario %llu is no orbit, or one that was there before",
			     (unsigned long long)n);
		is_orbit[least] = 2;
		for (size_t g = 0; g < TWINS_RENAMING_COUNT; g++)
			stabilizer += pack(sequence, steps, g) == pack(sequence, steps, 0);
		covered += TWINS_RENAMING_COUNT / stabilizer;
	}
	cr_assert_eq(covered, raw);
	free(is_orbit);
}

Test(twins, scenarios_are_the_orbits_of_all_sequences)
{
	check_all(&(struct twins_options){ .views = 1 });
	check_all(&(struct twins_options){ .views = 2 });
	check_all(&(struct twins_options){ .views = 3 });
	check_all(&(struct twins_options){ .views = 1, .cut = TWINS_CUT_BOTH });
	check_all(&(struct twins_options){ .views = 2, .cut = TWINS_CUT_BOTH });
}

/* The sides of a partition by machine, A's side being true. */
static void sides_of(bool side[MACHINE_COUNT], const struct twins_step *s)
{
	side[0] = true;
	for (size_t i = 1; i < MACHINE_COUNT; i++)
		side[i] = !(s->partition >> (i - 1) & 1);
}

/* Is there a bijection of the machines that keeps A's pair and takes one step into the
 * other? That is what a renaming must be. */
static bool is_renamed(const struct twins_step *from, const struct twins_step *to, bool swap, const size_t order[3])
{
	size_t image[MACHINE_COUNT] = { swap ? 1 : 0, swap ? 0 : 1, 2 + order[0], 2 + order[1], 2 + order[2] };
	bool before[MACHINE_COUNT], after[MACHINE_COUNT];
	size_t leader = from->leader ? image[from->leader + 1] - 1 : 0;

	sides_of(before, from);
	sides_of(after, to);
	for (size_t i = 0; i < MACHINE_COUNT; i++)
		for (size_t k = 0; k < MACHINE_COUNT; k++)
			if ((before[i] == before[k]) != (after[image[i]] == after[image[k]]))
				return false;
	return leader == to->leader;
}

Test(twins, renamings_keep_who_is_with_whom)
{
	static const size_t orders[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	size_t matches[TWINS_RENAMING_COUNT] = { 0 };

	/* Each renaming is one of the twelve bijections, on all configurations alike. */
	for (size_t g = 0; g < TWINS_RENAMING_COUNT; g++)
		for (size_t b = 0; b < TWINS_RENAMING_COUNT; b++) {
			bool all = true;

			for (uint64_t n = 0; n < 64; n++) {
				struct twins_step from = step_of(false, n), to = twins_rename(&from, g);

				all = all && is_renamed(&from, &to, b % 2, orders[b / 2]);
			}
			matches[b] += all;
		}
	for (size_t b = 0; b < TWINS_RENAMING_COUNT; b++)
		cr_assert_eq(matches[b], 1);
}

Test(twins, count_of_four_views_is_burnsides)
{
	/* Of the 64 configurations 64, 20, 4 stay under the identity, an exchange in B, C, D and
	 * a turn of them; with the twins exchanged, too: 32, 12, 4. */
	uint64_t sum = power(64, 4);
	struct twins_step s;

	for (size_t g = 1; g < TWINS_RENAMING_COUNT; g++) {
		uint64_t fixed = 0;

		for (uint64_t n = 0; n < 64; n++) {
			s = step_of(false, n);
			s = twins_rename(&s, g);
			fixed += number_of(&s) == n;
		}
		sum += power(fixed, 4);
	}
	cr_assert_eq(twins_count(&(struct twins_options){ 0 }), sum / TWINS_RENAMING_COUNT);
	cr_assert_eq(twins_count(&(struct twins_options){ 0 }), 1502936);
}

static void add(const struct twins_options *o, struct twins_report *sum)
{
	cr_assert(twins_run(o, sum), "%s", sum->failure);
}

Test(twins, parts_add_up_to_the_whole)
{
	struct twins_report whole = { 0 }, shards = { 0 }, pieces = { 0 }, thin = { 0 };
	struct twins_options o = { .views = 2 };

	add(&o, &whole);
	cr_assert_eq(whole.checked, whole.total);
	cr_assert_eq(whole.next, whole.total);
	for (uint64_t i = 0; i < 3; i++)
		add(&(struct twins_options){ .views = 2, .shard = i, .shards = 3 }, &shards);
	cr_assert_eq(shards.checked, whole.total);
	cr_assert_eq(shards.counts[TWINS_COUNT_EVIDENCE] >= whole.counts[TWINS_COUNT_EVIDENCE], true);
	for (pieces.next = 0; pieces.next < pieces.total || pieces.total == 0;)
		add(&(struct twins_options){ .views = 2, .first = pieces.next, .count = 100 }, &pieces);
	cr_assert_eq(pieces.checked, whole.total);
	add(&(struct twins_options){ .views = 2, .stride = 7 }, &thin);
	cr_assert_eq(thin.checked, (whole.total + 6) / 7);
}

static void count_line(void *ctx, const char *line)
{
	cr_assert_neq(line[0], '\0');
	++*(size_t *)ctx;
}

Test(twins, loud_run_is_the_same_run)
{
	struct twins_report loud = { 0 }, quiet = { 0 };
	size_t lines = 0;

	add(&(struct twins_options){ .views = 2, .first = 77, .count = 3, .is_loud = true, .say = count_line,
				     .ctx = &lines }, &loud);
	add(&(struct twins_options){ .views = 2, .first = 77, .count = 3 }, &quiet);
	cr_assert_gt(lines, 20);
	cr_assert_eq(memcmp(&loud, &quiet, sizeof(loud)), 0);
}
