/* Random operations on the pool and on the model. */
#include <criterion/criterion.h>

#include "base/rand.h"
#include "model.h"

Test(txpool_model, agree_on_random_operations)
{
	static uint8_t bytes[4000];
	struct rng rng;

	for (uint64_t seed = 0; seed < 300; seed++) {
		rng_init(&rng, seed);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rng_next(&rng);
		cr_assert(model_run(bytes_of(bytes, sizeof(bytes))), "seed %zu", (size_t)seed);
	}
}

/* The comparison itself can fail: pool and model that were told different things. */
Test(txpool_model, tell_pools_apart)
{
	struct spec spec = { .nonce = 0, .fee = 5, .tip = 1, .gas_limit = 10 };
	struct model m = { .limits = { 8, 4000, 4, 2, { { { 0 } } } } };
	struct txpool *p = txpool_new(m.limits, 1);
	struct tx *t = make_tx(&spec);
	size_t evicted;

	for (size_t i = 0; i < MODEL_SENDER_COUNT; i++)
		m.accounts[i].balance = wei_of(1000);
	cr_assert_eq(txpool_add(p, t, &m.accounts[0], NULL, NULL), OK);
	cr_assert_not(model_agrees(&m, p));
	cr_assert_eq(model_add(&m, t, 0, &evicted), OK);
	cr_assert(model_agrees(&m, p));
	model_set_base_fee(&m, 6);
	cr_assert_not(model_agrees(&m, p), "the cursor gives one that does not pay");
	tx_unref(t);
	txpool_free(p);
}
