#include "fixture.h"

#include "base/rand.h"
#include "codec/rlp.h"
#include "chain/tx.h"
#include "crypto/keccak.h"

static void set_of(struct validator_set *out, const uint64_t weights[], size_t count)
{
	struct validator members[VALIDATOR_COUNT_MAX];

	for (size_t i = 0; i < count; i++) {
		memset(&members[i].address, (int)i + 1, sizeof(members[i].address));
		members[i].weight.n = weights[i];
	}
	cr_assert_eq(validator_set_init(out, members, count, NULL), OK);
}

Test(validators, init_sorts_sums_and_hashes)
{
	struct validator members[] = {
		{ addr_from_hex("0300000000000000000000000000000000000000"), { 5 } },
		{ addr_from_hex("0100000000000000000000000000000000000000"), { 300 } },
	};
	struct buf want = from_hex("00 d8940100000000000000000000000000000000000000 82012c"
				   "d6940300000000000000000000000000000000000000 05");
	struct validator_set s;
	struct hash hash;

	want.data[0] = (uint8_t)(0xc0 + want.size - 1);
	cr_assert_eq(validator_set_init(&s, members, 2, NULL), OK);
	cr_assert_eq(s.count, 2);
	cr_assert_eq(s.total.n, 305);
	cr_assert(addr_equal(&s.members[0].address, &members[1].address));
	cr_assert_eq(validator_set_find(&s, &members[0].address), 1);
	cr_assert_eq(validator_set_find(&s, &members[1].address), 0);
	cr_assert_eq(validator_set_find(&s, &(struct addr){ { 2 } }), -1);
	keccak256(&hash, buf_bytes(&want));
	cr_assert(hash_equal(&hash, &s.hash));
	buf_clear(&want);
}

Test(validators, init_refuses_what_is_out_of_range)
{
	struct validator members[VALIDATOR_COUNT_MAX + 1];
	struct validator_set s;
	struct err err;

	for (size_t i = 0; i < ARRAY_COUNT(members); i++)
		members[i] = (struct validator){ addr_of(i), { 1 } };
	cr_assert_eq(validator_set_init(&s, members, 0, &err), CHAIN_E_GENESIS);
	cr_assert_eq(validator_set_init(&s, members, VALIDATOR_COUNT_MAX, &err), OK);
	cr_assert_eq(validator_set_init(&s, members, VALIDATOR_COUNT_MAX + 1, &err),
		     CHAIN_E_GENESIS);
	members[2].weight.n = 0;
	cr_assert_eq(validator_set_init(&s, members, 4, &err), CHAIN_E_GENESIS);
	assert_message(&err, "weight 0");
	members[2].weight.n = VALIDATOR_WEIGHT_MAX;
	cr_assert_eq(validator_set_init(&s, members, 4, &err), OK);
	members[2].weight.n++;
	cr_assert_eq(validator_set_init(&s, members, 4, &err), CHAIN_E_GENESIS);
	members[2] = members[0];
	cr_assert_eq(validator_set_init(&s, members, 4, &err), CHAIN_E_GENESIS);
	assert_message(&err, "stands twice");
}

Test(validators, quorum_is_t_minus_f)
{
	static const struct {
		uint64_t total, f, q;
	} cases[] = { { 1, 0, 1 }, { 2, 0, 2 }, { 3, 0, 3 }, { 4, 1, 3 }, { 5, 1, 4 }, { 6, 1, 5 },
		      { 7, 2, 5 }, { 51, 16, 35 }, { 128ull << 40, 46912496118442, 93824992236886 } };

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct validator_set s = { .count = 1, .total = { cases[i].total } };

		cr_assert_eq(validator_set_faulty(&s).n, cases[i].f);
		cr_assert_eq(validator_set_quorum(&s).n, cases[i].q);
		/* Two quorums share more than f. */
		cr_assert_gt(2 * cases[i].q - cases[i].total, cases[i].f);
	}
}

Test(validators, weight_ignores_bits_beyond_the_set)
{
	struct signer_bits bits = { 0 };
	struct validator_set s;

	set_of(&s, (const uint64_t[]){ 1, 20, 300 }, 3);
	signer_bits_set(&bits, 0);
	signer_bits_set(&bits, 2);
	signer_bits_set(&bits, 3);
	signer_bits_set(&bits, 127);
	cr_assert_eq(validator_set_weight(&s, &bits).n, 301);
}

Test(validators, equal_weights_rotate)
{
	struct validator_set s;

	set_of(&s, (const uint64_t[]){ 7, 7, 7, 7 }, 4);
	cr_assert_eq(validator_set_period(&s), 4);
	for (uint64_t height = 100; height < 120; height++)
		for (uint64_t view = 0; view < 9; view++)
			cr_assert_eq(validator_set_proposer(&s, 100, height, view),
				     (height - 100 + view) % 4);
}

/* Over a period each is picked exactly in proportion, and then it repeats. */
static void check_fairness(const uint64_t weights[], size_t count, uint64_t divisor)
{
	uint64_t picked[VALIDATOR_COUNT_MAX] = { 0 }, period;
	struct proposer_cursor c;
	struct validator_set s;

	set_of(&s, weights, count);
	period = validator_set_period(&s);
	cr_assert_eq(period, s.total.n / divisor);
	proposer_cursor_init(&c, &s);
	for (uint64_t step = 0; step < period; step++) {
		picked[c.proposer]++;
		proposer_cursor_step(&c, &s);
	}
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(picked[i], weights[i] / divisor);
	struct proposer_cursor start;
	proposer_cursor_init(&start, &s);
	cr_assert_eq(memcmp(&c, &start, sizeof(c)), 0);
}

Test(validators, everyone_proposes_its_share)
{
	check_fairness((const uint64_t[]){ 1 }, 1, 1);
	check_fairness((const uint64_t[]){ 5 }, 1, 5);
	check_fairness((const uint64_t[]){ 1, 2, 3 }, 3, 1);
	check_fairness((const uint64_t[]){ 10, 20, 40 }, 3, 10);
	check_fairness((const uint64_t[]){ 1000, 1, 1, 998 }, 4, 1);
	check_fairness((const uint64_t[]){ 6, 9, 15, 21, 33 }, 5, 3);
}

Test(validators, proposer_and_cursor_agree)
{
	struct proposer_cursor c;
	struct validator_set s;

	set_of(&s, (const uint64_t[]){ 3, 1, 4, 1, 5, 9, 2, 6 }, 8);
	proposer_cursor_init(&c, &s);
	for (uint64_t height = 50; height < 150; height++) {
		cr_assert_eq(validator_set_proposer(&s, 50, height, 0), c.proposer);
		for (uint64_t view = 0; view < 70; view += 3)
			cr_assert_eq(validator_set_proposer(&s, 50, height, view),
				     proposer_cursor_ahead(&c, &s, view));
		proposer_cursor_step(&c, &s);
	}
	/* Reduced, and without overflow. */
	cr_assert_eq(validator_set_proposer(&s, 0, UINT64_MAX, UINT64_MAX),
		     validator_set_proposer(&s, 0, UINT64_MAX % 31, UINT64_MAX % 31));
}

Test(validators, largest_weights_do_not_overflow)
{
	uint64_t weights[VALIDATOR_COUNT_MAX];
	struct proposer_cursor c;
	struct validator_set s;

	for (size_t i = 0; i < VALIDATOR_COUNT_MAX; i++)
		weights[i] = VALIDATOR_WEIGHT_MAX - i;
	set_of(&s, weights, VALIDATOR_COUNT_MAX);
	proposer_cursor_init(&c, &s);
	for (int step = 0; step < 100000; step++) {
		int64_t sum = 0;

		proposer_cursor_step(&c, &s);
		for (size_t i = 0; i < s.count; i++) {
			sum += c.priorities[i];
			cr_assert_lt(c.priorities[i], (int64_t)s.total.n);
			cr_assert_gt(c.priorities[i], -(int64_t)s.total.n);
		}
		cr_assert_eq(sum, 0);
	}
}
