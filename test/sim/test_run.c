/* A run as a function of its seed, and what it stands on. */
#include <criterion/criterion.h>

#include "sim/internal.h"

Test(sim, parse_faults)
{
	uint64_t faults;

	cr_assert(sim_faults_parse(&faults, "all"));
	cr_assert_eq(faults, SIM_FAULTS_ALL);
	cr_assert(sim_faults_parse(&faults, "none"));
	cr_assert_eq(faults, 0);
	cr_assert(sim_faults_parse(&faults, "delay,crash-sync"));
	cr_assert_eq(faults, FAULT_BIT(DELAY) | FAULT_BIT(CRASH_SYNC));
	cr_assert_not(sim_faults_parse(&faults, "delay,nothing"));
	cr_assert_not(sim_faults_parse(&faults, "delayed"));
}

Test(sim, name_faults_as_the_disk_does)
{
	for (size_t i = 0; i < DISK_CRASH; i++)
		cr_assert_str_eq(sim_fault_name((enum sim_fault)(SIM_FAULT_DISK + i)), disk_fault_name((enum disk_fault)i));
}

Test(heap, gives_by_time_and_then_in_order)
{
	struct heap h = { 0 };
	struct entry e, last = { 0 };
	struct rng r;
	size_t count = 0;

	rng_init(&r, 7);
	for (uint32_t i = 0; i < 5000; i++)
		heap_push(&h, rng_below(&r, 100), ENTRY_CLIENT, i, 0, NULL);
	while (heap_pop(&h, &e)) {
		cr_assert(count == 0 || e.at_us > last.at_us || (e.at_us == last.at_us && e.order > last.order));
		last = e;
		count++;
	}
	cr_assert_eq(count, 5000);
	heap_clear(&h);
}

Test(draw, has_the_mean_that_was_asked_for)
{
	struct rng r;
	uint64_t sum = 0;

	rng_init(&r, 3);
	for (int i = 0; i < 100000; i++)
		sum += draw_mean(&r, 1000);
	cr_assert(sum > 95000000 && sum < 110000000, "mean %llu", (unsigned long long)(sum / 100000));
}

Test(sim, repeats_a_seed)
{
	const struct sim_options options = { .seed = 11, .validators = 4, .duration_ms = 5000, .faults = SIM_FAULTS_ALL };
	struct sim_result a, b;

	sim_run(&options, &a);
	sim_run(&options, &b);
	cr_assert_eq(a.verdict, SIM_CLEAN, "%s", a.message);
	cr_assert_eq(a.digest, b.digest);
	cr_assert_eq(memcmp(a.firings, b.firings, sizeof(a.firings)), 0);
	cr_assert_geq(a.block_count, SIM_BLOCK_COUNT);
	cr_assert_geq(a.time_ms, SIM_DURATION_MS);
	cr_assert_gt(a.check_count, 1000);
}

/* --- the stub keeps what the chain asks of signatures --- */

Test(ecc_stub, recovers_the_signer_and_nobody_else)
{
	const uint8_t zero[32] = { 0 };
	struct ecc *e = ecc_new(zero);
	struct secret_key key = { { [31] = 5 } };
	struct public_key public;
	struct hash digest = { { 1, 2, 3 } };
	struct signature sig, changed;
	struct addr signer, found;

	cr_assert_eq(ecc_public_key(e, &public, &key, NULL), OK);
	ecc_address(&signer, &public);
	cr_assert_eq(ecc_sign(e, &sig, &digest, &key, NULL), OK);
	cr_assert(ecc_s_is_low(sig.s));
	cr_assert(ecc_verify(e, &sig, &digest, &public));
	cr_assert_eq(ecc_recover_address(e, &found, &digest, &sig, NULL), OK);
	cr_assert(addr_equal(&found, &signer));
	for (size_t i = 0; i < sizeof(sig.r) + sizeof(sig.s); i++) {
		changed = sig;
		(i < 32 ? changed.r : changed.s)[i % 32] ^= 1;
		cr_assert_not(ecc_verify(e, &changed, &digest, &public));
		if (ecc_recover_address(e, &found, &digest, &changed, NULL) == OK)
			cr_assert_not(addr_equal(&found, &signer));
	}
	digest.bytes[31] ^= 1;
	cr_assert_not(ecc_verify(e, &sig, &digest, &public));
	cr_assert_eq(ecc_recover_address(e, &found, &digest, &sig, NULL), OK);
	cr_assert_not(addr_equal(&found, &signer));
	ecc_free(e);
}
