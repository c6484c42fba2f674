/*
 * Many seeds of the harness; speaks TAP.
 *
 *     tap_consensus                    WEFT_SEEDS seeds (default 5000) from WEFT_SEED_START
 *                                      (default 1), and a restart after every effect
 *     tap_consensus SEED               that one, telling what happens
 *
 * Runs of different starts add up: WEFT_SEED_START=5001 goes on where the default
 * ends. A failing seed is printed and fails the same way alone.
 */
#include "consensus/harness.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void print_outcome(const struct outcome *o)
{
	printf("# %llu heights, %llu messages, at most %llu views to a commit after the faults\n",
	       (unsigned long long)o->heights, (unsigned long long)o->messages,
	       (unsigned long long)o->worst_views);
	for (size_t i = 0; i < FAULT_COUNT; i++)
		printf("# %10llu  %s\n", (unsigned long long)o->fired[i], fault_text((enum fault)i));
}

static bool run_seeds(uint64_t first, uint64_t count)
{
	struct outcome out = { 0 };
	uint64_t failed = 0, silent = 0;

	for (uint64_t seed = first; seed < first + count && failed < 5; seed++) {
		if (world_run(seed, false, &out))
			continue;
		failed++;
		printf("# seed %llu: %s\n# again: tap_consensus %llu\n", (unsigned long long)seed, out.failure,
		       (unsigned long long)seed);
	}
	print_outcome(&out);
	for (size_t i = 0; i < FAULT_COUNT; i++)
		silent += out.fired[i] == 0;
	printf("%s 1 - %llu seeds from %llu: agreement, validity, one value a position, progress\n",
	       failed ? "not ok" : "ok", (unsigned long long)count, (unsigned long long)first);
	/* Too few seeds can't fire every fault. */
	printf("%s 2 - every kind of fault fired%s\n", silent && count >= 500 ? "not ok" : "ok",
	       silent ? " # SKIP too few seeds" : "");
	return failed == 0;
}

/* Machine 0 restarts after its first effect; after its second; and so on. Among
 * what happens are a view whose leader stays silent and a block carried over. */
static void run_restarts(int number, size_t count, bool has_liar)
{
	struct outcome out = { 0 };
	struct plan plan;
	size_t effects = 0, runs = 0, failed = 0;

	plan_quiet(&plan, count);
	plan.faults_end_ms = 1500;
	plan.slow_permille = has_liar ? 60 : 0;
	plan.liars[0] = has_liar ? 0 : NOBODY;
	plan.is_silent = has_liar;
	CHECK(world_run_plan(&plan, number, 0, false, &effects, &out));
	for (size_t at = 1; at <= effects && failed < 5; at++, runs++)
		if (!world_run_plan(&plan, number, at, false, NULL, &out)) {
			failed++;
			printf("# restart after effect %zu of %zu machines: %s\n", at, count, out.failure);
		}
	printf("%s %d - %zu machines, restarted after each of %zu effects\n", failed ? "not ok" : "ok", number,
	       count, runs);
}

/* Without a fault every block is final in view 0, everywhere, and nobody fetches. */
static void run_quiet(int number, size_t count)
{
	struct outcome out = { 0 };
	struct plan plan;
	bool ok = true;

	plan_quiet(&plan, count);
	plan.delay_ms = 4; /* the slowest is less than t0 / 4 behind the fastest */
	for (uint64_t seed = 1; seed <= 20; seed++)
		ok = world_run_plan(&plan, seed, 0, false, NULL, &out) && ok;
	ok = ok && out.fired[FAULT_FETCHED] == 0 && out.fired[FAULT_SERVED] == 0 && out.fired[FAULT_CARRIED] == 0 &&
	     out.worst_views == 0 && out.heights > 20 * 10;
	printf("%s %d - %zu machines without a fault: %llu heights in view 0, none fetched\n", ok ? "ok" : "not ok",
	       number, count, (unsigned long long)out.heights);
	if (!ok)
		printf("# fetched %llu, served %llu, carried %llu, views %llu %s\n",
		       (unsigned long long)out.fired[FAULT_FETCHED], (unsigned long long)out.fired[FAULT_SERVED],
		       (unsigned long long)out.fired[FAULT_CARRIED], (unsigned long long)out.worst_views, out.failure);
}

int main(int argc, char **argv)
{
	struct outcome out = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1) {
		bool ok = world_run(strtoull(argv[1], NULL, 10), true, &out);

		print_outcome(&out);
		printf("1..1\n%s 1 - seed %s %s\n", ok ? "ok" : "not ok", argv[1], out.failure);
		return ok ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	printf("1..7\n");
	run_seeds(number_of("WEFT_SEED_START", 1), number_of("WEFT_SEEDS", 5000));
	run_restarts(3, 4, false);
	run_restarts(4, 4, true);
	run_restarts(5, 7, true);
	run_quiet(6, 4);
	run_quiet(7, 7);
	return EXIT_SUCCESS;
}
