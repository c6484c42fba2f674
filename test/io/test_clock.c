#include <criterion/criterion.h>

#include "io/clock.h"

Test(clock, never_falls)
{
	uint64_t last = io_monotonic_us(), last_cpu = io_cpu_us(), now;

	for (int i = 0; i < 100000; i++) {
		now = io_monotonic_us();
		cr_assert_geq(now, last);
		last = now;
	}
	cr_expect_gt(io_cpu_us(), last_cpu);
}

Test(clock, knows_the_year)
{
	cr_expect_gt(io_wall_ms(), 1700000000000ull);
	cr_expect_lt(io_wall_ms(), 10000000000000ull, "milliseconds, not microseconds");
}

Test(entropy, fills_everything_and_differs)
{
	static uint8_t a[1000], b[1000];
	int zeros = 0;

	io_entropy(a, sizeof(a));
	io_entropy(b, sizeof(b));
	cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
	for (size_t i = 0; i < sizeof(a); i++)
		zeros += a[i] == 0;
	cr_expect_lt(zeros, 50);
	cr_expect_neq(memcmp(a + 968, b + 968, 32), 0);
}
