#include "chain/fee.h"

#include "base/check.h"

typedef unsigned __int128 u128;

/* EIP-1559's elasticity: a second's gas counts up to twice the target, so that
 * the fee rises by an eighth a second at most, however full the seconds are. */
#define ELASTICITY 2

/* price · part / whole / 8, rounded down after each division as EIP-1559 does.
 * The product may need more than 256 bits: then the price is divided first. */
static struct wei fee_delta(struct wei price, uint64_t part, uint64_t whole)
{
	struct wei delta;

	if (wei_mul_gas(&delta, price, part)) {
		u256_div_u64(&delta.n, &price.n, whole);
		if (wei_mul_gas(&delta, delta, part))
			memset(&delta, 0xff, sizeof(delta));
	} else {
		u256_div_u64(&delta.n, &delta.n, whole);
	}
	u256_div_u64(&delta.n, &delta.n, BASE_FEE_CHANGE_DENOMINATOR);
	return delta;
}

/* The fee of the second after one with `gas` at `fee`. */
static struct wei fee_after_second(const struct chain_params *params, struct wei fee, uint64_t gas)
{
	uint64_t target = params->gas_target_per_second;
	struct wei next = fee, delta;

	if (gas > target) {
		uint64_t above = MIN(gas - target, target * (ELASTICITY - 1));

		delta = fee_delta(fee, above, target);
		if (u256_is_zero(&delta.n))
			delta = wei_of(1);
		if (wei_add(&next, fee, delta))
			memset(&next, 0xff, sizeof(next));
	} else if (gas < target) {
		delta = fee_delta(fee, target - gas, target);
		wei_sub(&next, fee, delta); /* delta is at most an eighth */
	}
	if (wei_compare(next, params->base_fee_floor) < 0)
		next = params->base_fee_floor;
	return next;
}

struct wei fee_next_base(const struct chain_params *params, struct wei parent_base_fee,
			 uint64_t parent_timestamp, uint64_t second_gas, uint64_t timestamp)
{
	struct wei fee = parent_base_fee;

	CHECK(timestamp >= parent_timestamp);
	CHECK(params->gas_target_per_second > 0);
	for (uint64_t left = timestamp - parent_timestamp; left > 0; left--) {
		struct wei next = fee_after_second(params, fee, second_gas);
		bool was_empty = second_gas == 0;

		second_gas = 0;
		/* Empty seconds lower the fee by an eighth down to the floor, or
		 * to where an eighth rounds to nothing; then it stays. */
		if (was_empty && wei_compare(next, fee) == 0)
			break;
		fee = next;
	}
	return fee;
}

/* ⌊rate · time⌋ from genesis on. */
static u128 reward_until(const struct chain_params *params, uint64_t elapsed_ms)
{
	return (u128)params->reward_gwei * elapsed_ms / params->reward_period_ms;
}

uint64_t fee_reward_gwei(const struct chain_params *params, uint64_t genesis_ms,
			 uint64_t parent_ms, uint64_t block_ms)
{
	u128 reward;

	CHECK(params->reward_period_ms > 0);
	CHECK(genesis_ms <= parent_ms && parent_ms <= block_ms);
	reward = reward_until(params, block_ms - genesis_ms) -
		 reward_until(params, parent_ms - genesis_ms);
	return reward > UINT64_MAX ? UINT64_MAX : (uint64_t)reward;
}
