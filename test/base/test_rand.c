#include <criterion/criterion.h>
#include <signal.h>

#include "base/rand.h"

/* The generator's published sequence from the state 1, 2, 3, 4. */
Test(rand, next_gives_published_sequence)
{
	static const uint64_t want[] = {
		11520, 0, 1509978240, 1215971899390074240, 1216172134540287360,
		607988272756665600, 16172922978634559625u, 8476171486693032832,
		10595114339597558777u, 2904607092377533576,
	};
	struct rng r = { { 1, 2, 3, 4 } };

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		cr_assert_eq(rng_next(&r), want[i], "%zu", i);
}

/* splitmix64 from 1234567: the state that a seed gives. */
Test(rand, init_fills_state_with_splitmix)
{
	struct rng r;

	rng_init(&r, 1234567);
	cr_assert_eq(r.s[0], 6457827717110365317u);
	cr_assert_eq(r.s[1], 3203168211198807973u);
	cr_assert_eq(r.s[2], 9817491932198370423u);
	cr_assert_eq(r.s[3], 4593380528125082431u);
}

Test(rand, same_seed_gives_same_run)
{
	struct rng a, b, c;
	unsigned equal = 0;

	rng_init(&a, 9);
	rng_init(&b, 9);
	rng_init(&c, 10);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rng_next(&a);

		cr_assert_eq(v, rng_next(&b));
		equal += v == rng_next(&c);
	}
	cr_assert_eq(equal, 0);
	rng_init(&a, 0);
	cr_assert_neq(a.s[0] | a.s[1] | a.s[2] | a.s[3], 0, "an all-zero state would stay so");
}

Test(rand, below_stays_below_and_reaches_all)
{
	static const uint64_t bounds[] = { 1, 2, 3, 10, 1000, 1ull << 63, (1ull << 63) + 1, UINT64_MAX };
	unsigned counts[10] = { 0 };
	struct rng r;

	rng_init(&r, 5);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		for (int k = 0; k < 1000; k++)
			cr_assert_lt(rng_below(&r, bounds[i]), bounds[i]);
	for (int k = 0; k < 100000; k++)
		counts[rng_below(&r, 10)]++;
	/* 10,000 each; five standard deviations are 475, and the seed is fixed. */
	for (int i = 0; i < 10; i++)
		cr_assert(counts[i] > 9525 && counts[i] < 10475, "%d: %u", i, counts[i]);
}

/* With 3·2^62 as bound, v mod bound without rejection would be below 2^62 half
 * of the time instead of a third. */
Test(rand, below_does_not_favour_small_results)
{
	unsigned small = 0;
	struct rng r;

	rng_init(&r, 6);
	for (int k = 0; k < 30000; k++)
		small += rng_below(&r, 3ull << 62) < 1ull << 62;
	cr_assert(small > 9500 && small < 10500, "%u", small);
}

Test(rand, below_nothing_aborts, .signal = SIGABRT)
{
	struct rng r;

	rng_init(&r, 1);
	rng_below(&r, 0);
}
