#include "fixture.h"

#include "base/rand.h"
#include "chain/fee.h"

static struct chain_params sample(void)
{
	return (struct chain_params){
		.gas_target_per_second = 1000000,
		.base_fee_floor = wei_of(1000),
		.reward_gwei = 5 * GWEI_PER_COIN,
		.reward_period_ms = 30000,
	};
}

static uint64_t next(const struct chain_params *p, uint64_t fee, uint64_t gas, uint64_t seconds)
{
	struct wei out = fee_next_base(p, wei_of(fee), 5000, gas, 5000 + seconds);

	cr_assert(u256_fits_u64(&out.n));
	return out.n.limbs[0];
}

Test(fee, stays_within_a_second)
{
	struct chain_params p = sample();

	cr_assert_eq(next(&p, 80000, 999999999, 0), 80000);
	cr_assert_eq(next(&p, 80000, 0, 0), 80000);
}

Test(fee, follows_eip1559_after_a_second)
{
	struct chain_params p = sample();

	cr_assert_eq(next(&p, 80000, 1000000, 1), 80000);
	cr_assert_eq(next(&p, 80000, 2000000, 1), 90000);
	cr_assert_eq(next(&p, 80000, 1500000, 1), 85000);
	cr_assert_eq(next(&p, 80000, 500000, 1), 75000);
	cr_assert_eq(next(&p, 80000, 0, 1), 70000);
	/* An eighth a second at most, however full. */
	cr_assert_eq(next(&p, 80000, 50000000, 1), 90000);
	/* At least one wei up. */
	p.base_fee_floor = wei_of(0);
	cr_assert_eq(next(&p, 3, 1000001, 1), 4);
	cr_assert_eq(next(&p, 0, 2000000, 1), 1);
}

Test(fee, counts_further_seconds_as_empty)
{
	struct chain_params p = sample();
	uint64_t fee = 80000;

	fee += fee / 8;
	for (int i = 0; i < 6; i++)
		fee -= fee / 8;
	cr_assert_eq(next(&p, 80000, 2000000, 7), fee);
	/* Also after a second at the target, which changes nothing itself. */
	cr_assert_eq(next(&p, 80000, 1000000, 2), 70000);
}

Test(fee, never_falls_below_the_floor)
{
	struct chain_params p = sample();

	cr_assert_eq(next(&p, 1100, 0, 1), 1000);
	cr_assert_eq(next(&p, 80000, 0, 1ull << 40), 1000);
	cr_assert_eq(next(&p, 1000, 0, 1), 1000);
	cr_assert_eq(next(&p, 1000, 0, UINT64_MAX - 5000), 1000);
	p.base_fee_floor = wei_of(0);
	cr_assert_eq(next(&p, 80000, 0, UINT64_MAX - 5000), 7); /* an eighth of 7 is 0 */
}

Test(fee, saturates_at_256_bits)
{
	struct chain_params p = sample();
	struct wei max, out;

	memset(&max, 0xff, sizeof(max));
	out = fee_next_base(&p, max, 0, 2000000, 1);
	cr_assert_eq(wei_compare(out, max), 0);
	out = fee_next_base(&p, max, 0, 0, 1);
	cr_assert_lt(wei_compare(out, max), 0);
	/* It comes down from there within a bounded number of steps. */
	out = fee_next_base(&p, max, 0, 0, UINT64_MAX);
	cr_assert_eq(wei_compare(out, p.base_fee_floor), 0);
}

Test(fee, one_step_a_second_equals_all_at_once)
{
	struct chain_params p = sample();
	struct rng rng;

	rng_init(&rng, 1);
	for (int i = 0; i < 1000; i++) {
		uint64_t fee = 1000 + rng_below(&rng, 1ull << 40), gas = rng_below(&rng, 3000000);
		uint64_t seconds = 1 + rng_below(&rng, 50);
		uint64_t stepped = next(&p, fee, gas, 1);

		for (uint64_t s = 1; s < seconds; s++)
			stepped = next(&p, stepped, 0, 1);
		cr_assert_eq(next(&p, fee, gas, seconds), stepped);
	}
}

Test(fee, rewards_add_up_however_time_is_cut)
{
	struct chain_params p = sample();
	uint64_t genesis = 1700000000000, now = genesis, sum = 0;
	struct rng rng;

	rng_init(&rng, 2);
	p.reward_gwei = 1000003; /* not a multiple of the period */
	for (int i = 0; i < 10000; i++) {
		uint64_t then = now + rng_below(&rng, 2000);

		sum += fee_reward_gwei(&p, genesis, now, then);
		now = then;
	}
	cr_assert_eq(sum, (uint64_t)((unsigned __int128)1000003 * (now - genesis) / 30000));
	cr_assert_eq(fee_reward_gwei(&p, genesis, now, now), 0);
	p = sample();
	cr_assert_eq(fee_reward_gwei(&p, genesis, genesis, genesis + 30000), 5 * GWEI_PER_COIN);
	cr_assert_eq(fee_reward_gwei(&p, genesis, genesis, genesis + 100), 16666666);
}

Test(fee, reward_saturates)
{
	struct chain_params p = sample();

	p.reward_gwei = UINT64_MAX;
	p.reward_period_ms = 1;
	cr_assert_eq(fee_reward_gwei(&p, 0, 0, 1000), UINT64_MAX);
}
