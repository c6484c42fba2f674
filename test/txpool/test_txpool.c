#include <criterion/criterion.h>

#include "model.h"

#define RICH 1000000000000000000ull

static const struct txpool_limits roomy = {
	.tx_count = 1000, .size = 1000000, .sender_tx_count = 64, .future_count = 100,
	.fee_floor = { { { 10 } } },
};

static struct txpool_account account_of(uint64_t nonce, uint64_t balance)
{
	return (struct txpool_account){ .nonce = nonce, .balance = wei_of(balance) };
}

/* Adds one and gives its hash. */
static int add_to(struct txpool *p, const struct spec *spec, struct txpool_account account,
		  struct hash *hash, struct err *err)
{
	struct tx *t = make_tx(spec);
	int rc = txpool_add(p, t, &account, NULL, err);

	if (hash)
		*hash = t->hash;
	tx_unref(t);
	cr_assert(txpool_check(p));
	return rc;
}

/* A transfer of sender `sender` at a fee, all of it priority; 1000 gas. */
static struct spec transfer(size_t sender, uint64_t nonce, uint64_t fee)
{
	return (struct spec){ .sender = sender, .nonce = nonce, .fee = fee, .tip = fee,
			      .gas_limit = 1000 };
}

static int add(struct txpool *p, size_t sender, uint64_t nonce, uint64_t fee)
{
	struct spec spec = transfer(sender, nonce, fee);

	return add_to(p, &spec, account_of(0, RICH), NULL, NULL);
}

static void add_ok(struct txpool *p, size_t sender, uint64_t nonce, uint64_t fee)
{
	cr_assert_eq(add(p, sender, nonce, fee), OK);
}

static struct txpool_stats stats_of(struct txpool *p)
{
	struct txpool_stats stats;

	txpool_get_stats(p, &stats);
	return stats;
}

static bool has(struct txpool *p, const struct spec *spec)
{
	struct tx *t = make_tx(spec), *found = txpool_get(p, &t->hash);
	bool there = found != NULL;

	tx_unref(t);
	tx_unref(found);
	return there;
}

static bool has_transfer(struct txpool *p, size_t sender, uint64_t nonce, uint64_t fee)
{
	struct spec spec = transfer(sender, nonce, fee);

	return has(p, &spec);
}

/* --- what is refused, and with which words --- */

static void refuses(struct txpool *p, struct spec spec, struct txpool_account account, int code,
		    const char *text)
{
	struct txpool_stats before = stats_of(p), after;
	struct err err = { 0 };

	cr_assert_eq(add_to(p, &spec, account, NULL, &err), code);
	cr_assert_eq(err.code, code);
	cr_assert_eq(strncmp(err.message, text, strlen(text)), 0, "%s", err.message);
	after = stats_of(p);
	cr_assert_eq(after.refused_total, before.refused_total + 1);
	after.refused_total = before.refused_total;
	cr_assert_arr_eq(&after, &before, sizeof(after));
}

Test(txpool, refuse_known)
{
	struct txpool *p = txpool_new(roomy, 1);

	add_ok(p, 0, 0, 10);
	refuses(p, transfer(0, 0, 10), account_of(0, RICH), TXPOOL_E_KNOWN, "already known");
	txpool_free(p);
}

Test(txpool, refuse_nonce_below_account)
{
	struct txpool *p = txpool_new(roomy, 1);

	refuses(p, transfer(0, 5, 10), account_of(7, RICH), TXPOOL_E_NONCE_LOW,
		"nonce too low: next nonce 7, tx nonce 5");
	refuses(p, transfer(0, 6, 10), account_of(7, RICH), TXPOOL_E_NONCE_LOW, "nonce too low");
	txpool_free(p);
}

Test(txpool, refuse_nonce_too_far_ahead)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct spec last = transfer(0, 7 + 63, 10);

	refuses(p, transfer(0, 7 + 64, 10), account_of(7, RICH), TXPOOL_E_GAP, "nonce too high");
	cr_assert_eq(add_to(p, &last, account_of(7, RICH), NULL, NULL), OK);
	txpool_free(p);
}

Test(txpool, refuse_fee_below_floor)
{
	struct txpool *p = txpool_new(roomy, 1);

	refuses(p, transfer(0, 0, 9), account_of(0, RICH), TXPOOL_E_UNDERPRICED,
		"transaction underpriced: max fee per gas 9, minimum needed 10");
	add_ok(p, 0, 0, 10);
	txpool_free(p);
}

Test(txpool, refuse_cost_above_balance)
{
	struct spec spec = { .fee = 10, .tip = 1, .gas_limit = 1000, .value = 77 };
	struct txpool *p = txpool_new(roomy, 1);

	refuses(p, spec, account_of(0, 10076), TXPOOL_E_FUNDS,
		"insufficient funds for gas * price + value: balance 10076, tx cost 10077");
	spec.nonce = 3; /* behind a gap too */
	refuses(p, spec, account_of(0, 10076), TXPOOL_E_FUNDS, "insufficient funds");
	cr_assert_eq(add_to(p, &spec, account_of(0, 10077), NULL, NULL), OK);
	txpool_free(p);
}

Test(txpool, refuse_sum_of_pending_above_balance)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct txpool_account account = account_of(0, 29999);
	struct spec first = transfer(0, 0, 10), second = transfer(0, 1, 10);

	cr_assert_eq(add_to(p, &first, account, NULL, NULL), OK);
	cr_assert_eq(add_to(p, &second, account, NULL, NULL), OK);
	refuses(p, transfer(0, 2, 10), account, TXPOOL_E_FUNDS, "insufficient funds");
	account.balance = wei_of(30000);
	first = transfer(0, 2, 10);
	cr_assert_eq(add_to(p, &first, account, NULL, NULL), OK);
	cr_assert_eq(stats_of(p).pending_count, 3);
	txpool_free(p);
}

Test(txpool, refuse_more_of_one_sender_than_cap)
{
	struct txpool_limits limits = roomy;
	struct txpool *p;

	limits.sender_tx_count = 3;
	p = txpool_new(limits, 1);
	for (uint64_t nonce = 0; nonce < 3; nonce++)
		add_ok(p, 0, nonce, 10);
	refuses(p, transfer(0, 3, 10), account_of(0, RICH), TXPOOL_E_GAP, "nonce too high");
	add_ok(p, 0, 2, 11); /* a replacement needs no room */
	txpool_free(p);
}

Test(txpool, refuse_replacement_below_a_tenth_more)
{
	static const struct {
		uint64_t old_fee, old_tip, fee, tip;
		bool accepted;
	} rows[] = {
		{ 100, 50, 110, 55, true }, { 100, 50, 109, 55, false },
		{ 100, 50, 110, 54, false },
		{ 100, 50, 200, 50, false },  { 100, 0, 110, 0, false },   { 100, 0, 110, 1, true },
		{ 109, 19, 119, 20, true },   { 109, 19, 118, 20, false }, { 11, 9, 12, 10, true },
		{ 11, 9, 11, 11, false },     { 11, 9, 12, 9, false },
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct spec old = transfer(0, 0, rows[i].old_fee);
		struct spec new = transfer(0, 0, rows[i].fee);
		struct txpool *p = txpool_new(roomy, 1);

		old.tip = rows[i].old_tip;
		new.tip = rows[i].tip;
		new.value = 1;
		cr_assert_eq(add_to(p, &old, account_of(0, RICH), NULL, NULL), OK);
		if (rows[i].accepted)
			cr_assert_eq(add_to(p, &new, account_of(0, RICH), NULL, NULL), OK);
		else
			refuses(p, new, account_of(0, RICH), TXPOOL_E_REPLACEMENT,
				"replacement transaction underpriced");
		cr_assert_eq(has(p, &new), rows[i].accepted);
		cr_assert_neq(has(p, &old), rows[i].accepted);
		cr_assert_eq(stats_of(p).replaced_total, rows[i].accepted);
		txpool_free(p);
	}
}

Test(txpool, refuse_replacement_that_uncovers_later_ones)
{
	struct spec first = transfer(0, 0, 10), second = transfer(0, 1, 10);
	struct txpool_account account = account_of(0, 25000);
	struct txpool *p = txpool_new(roomy, 1);

	cr_assert_eq(add_to(p, &first, account, NULL, NULL), OK);
	cr_assert_eq(add_to(p, &second, account, NULL, NULL), OK);
	first.fee = first.tip = 11;
	first.value = 4001; /* 11000 + 4001 + 10000 > 25000 */
	refuses(p, first, account, TXPOOL_E_FUNDS, "insufficient funds");
	first.value = 4000;
	cr_assert_eq(add_to(p, &first, account, NULL, NULL), OK);
	cr_assert_eq(stats_of(p).pending_count, 2);
	txpool_free(p);
}

Test(txpool, refuse_replacement_larger_than_room)
{
	struct spec spec = transfer(0, 0, 10);
	struct txpool_limits limits = roomy;
	struct txpool *p;

	limits.size = 400;
	p = txpool_new(limits, 1);
	cr_assert_eq(add_to(p, &spec, account_of(0, RICH), NULL, NULL), OK);
	spec = transfer(0, 0, 20);
	spec.data_size = 400;
	refuses(p, spec, account_of(0, RICH), TXPOOL_E_FULL, "txpool is full");
	spec.data_size = 200;
	cr_assert_eq(add_to(p, &spec, account_of(0, RICH), NULL, NULL), OK);
	txpool_free(p);
}

/* --- pending and future --- */

Test(txpool, promote_when_gap_closes)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct addr sender = sender_address(0);

	cr_assert_eq(txpool_next_nonce(p, &sender, 4), 4);
	add_ok(p, 0, 2, 10);
	add_ok(p, 0, 1, 10);
	add_ok(p, 0, 5, 10);
	cr_assert_eq(stats_of(p).future_count, 3);
	cr_assert_eq(txpool_next_nonce(p, &sender, 0), 0);
	add_ok(p, 0, 0, 10);
	cr_assert_eq(stats_of(p).pending_count, 3);
	cr_assert_eq(stats_of(p).future_count, 1);
	cr_assert_eq(txpool_next_nonce(p, &sender, 0), 3);
	txpool_free(p);
}

Test(txpool, promote_only_what_is_covered)
{
	struct spec later = transfer(0, 1, 10), first = transfer(0, 0, 10);
	struct txpool_account account = account_of(0, 15000);
	struct txpool *p = txpool_new(roomy, 1);
	struct addr sender = sender_address(0);

	cr_assert_eq(add_to(p, &later, account, NULL, NULL), OK);
	cr_assert_eq(add_to(p, &first, account, NULL, NULL), OK);
	cr_assert_eq(stats_of(p).pending_count, 1);
	account.balance = wei_of(20000);
	txpool_update(p, &sender, &account);
	cr_assert_eq(stats_of(p).pending_count, 2);
	txpool_free(p);
}

Test(txpool, update_drops_mined)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct txpool_account account = account_of(2, RICH);
	struct addr sender = sender_address(0);

	for (uint64_t nonce = 0; nonce < 4; nonce++)
		add_ok(p, 0, nonce, 10);
	txpool_update(p, &sender, &account);
	cr_assert_eq(stats_of(p).pending_count, 2);
	cr_assert_not(has_transfer(p, 0, 1, 10));
	cr_assert(has_transfer(p, 0, 2, 10));
	account.nonce = 4;
	txpool_update(p, &sender, &account);
	cr_assert_eq(stats_of(p).sender_count, 0);
	cr_assert_eq(stats_of(p).size, 0);
	cr_assert(txpool_check(p));
	txpool_free(p);
}

Test(txpool, update_jumps_over_gap)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct txpool_account account = account_of(5, RICH);
	struct addr sender = sender_address(0);

	add_ok(p, 0, 0, 10);
	add_ok(p, 0, 5, 10);
	add_ok(p, 0, 6, 10);
	txpool_update(p, &sender, &account);
	cr_assert_eq(stats_of(p).pending_count, 2);
	account.nonce = 0; /* a state that went back: they are future again */
	txpool_update(p, &sender, &account);
	cr_assert_eq(stats_of(p).future_count, 2);
	cr_assert(txpool_check(p));
	txpool_free(p);
}

Test(txpool, update_demotes_uncovered_and_drops_unaffordable)
{
	struct spec dear = transfer(0, 2, 30);
	struct txpool *p = txpool_new(roomy, 1);
	struct addr sender = sender_address(0);
	struct txpool_account account = account_of(0, 19999);

	add_ok(p, 0, 0, 10);
	add_ok(p, 0, 1, 10);
	cr_assert_eq(add_to(p, &dear, account_of(0, RICH), NULL, NULL), OK);
	add_ok(p, 0, 3, 10);
	cr_assert_eq(stats_of(p).pending_count, 4);
	txpool_update(p, &sender, &account);
	cr_assert_eq(stats_of(p).pending_count, 1);
	cr_assert_eq(stats_of(p).future_count, 2);
	cr_assert_not(has(p, &dear));
	account.balance = wei_of(9999);
	txpool_update(p, &sender, &account);
	cr_assert_eq(stats_of(p).sender_count, 0);
	txpool_free(p);
}

Test(txpool, add_with_newer_account_updates_first)
{
	struct spec spec = transfer(0, 3, 10);
	struct txpool *p = txpool_new(roomy, 1);

	for (uint64_t nonce = 0; nonce < 3; nonce++)
		add_ok(p, 0, nonce, 10);
	cr_assert_eq(add_to(p, &spec, account_of(2, RICH), NULL, NULL), OK);
	cr_assert_eq(stats_of(p).pending_count, 2);
	cr_assert_not(has_transfer(p, 0, 1, 10));
	txpool_free(p);
}

Test(txpool, remove_sends_followers_back)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct spec spec = transfer(0, 1, 10);
	struct tx *t = make_tx(&spec);

	for (uint64_t nonce = 0; nonce < 4; nonce++)
		add_ok(p, 0, nonce, 10);
	cr_assert(txpool_remove(p, &t->hash));
	cr_assert_not(txpool_remove(p, &t->hash));
	cr_assert(txpool_check(p));
	cr_assert_eq(stats_of(p).pending_count, 1);
	cr_assert_eq(stats_of(p).future_count, 2);
	tx_unref(t);
	txpool_free(p);
}

Test(txpool, demotion_respects_future_cap)
{
	struct txpool_limits limits = roomy;
	struct spec spec = transfer(0, 0, 10);
	struct tx *t = make_tx(&spec);
	struct txpool *p;

	limits.future_count = 2;
	p = txpool_new(limits, 1);
	add_ok(p, 1, 1, 50); /* somebody else's future one, worth more */
	for (uint64_t nonce = 0; nonce < 6; nonce++)
		add_ok(p, 0, nonce, 10);
	cr_assert(txpool_remove(p, &t->hash));
	cr_assert(txpool_check(p));
	cr_assert_eq(stats_of(p).future_count, 2);
	cr_assert(has_transfer(p, 1, 1, 50));
	cr_assert(has_transfer(p, 0, 1, 10), "the earliest of the demoted stays");
	tx_unref(t);
	txpool_free(p);
}

/* --- eviction --- */

static struct txpool *small_pool(size_t tx_count, size_t future_count)
{
	struct txpool_limits limits = roomy;

	limits.tx_count = tx_count;
	limits.future_count = future_count;
	return txpool_new(limits, 1);
}

Test(txpool, evict_lowest_last_for_one_that_pays_more)
{
	struct txpool *p = small_pool(3, 2);

	add_ok(p, 0, 0, 30);
	add_ok(p, 1, 0, 20);
	add_ok(p, 2, 0, 40);
	refuses(p, transfer(3, 0, 20), account_of(0, RICH), TXPOOL_E_UNDERPRICED,
		"transaction underpriced");
	add_ok(p, 3, 0, 21);
	cr_assert_not(has_transfer(p, 1, 0, 20));
	cr_assert_eq(stats_of(p).evicted_total, 1);
	cr_assert_eq(stats_of(p).sender_count, 3);
	txpool_free(p);
}

Test(txpool, evict_newest_of_equals)
{
	struct txpool *p = small_pool(2, 2);

	add_ok(p, 0, 0, 20);
	add_ok(p, 1, 0, 20);
	add_ok(p, 2, 0, 21);
	cr_assert(has_transfer(p, 0, 0, 20));
	cr_assert_not(has_transfer(p, 1, 0, 20));
	txpool_free(p);
}

/* DETER: a flood of future transactions must not cost pending ones their place. */
Test(txpool, future_flood_leaves_pending)
{
	struct txpool *p = small_pool(10, 4);

	for (size_t sender = 0; sender < 8; sender++)
		add_ok(p, sender, 0, 10);
	for (size_t sender = 100; sender < 200; sender++) {
		struct spec spec = transfer(sender, 1, 1000 + sender);
		int rc = add_to(p, &spec, account_of(0, RICH), NULL, NULL);

		cr_assert(rc == OK || rc == TXPOOL_E_FULL);
	}
	cr_assert_eq(stats_of(p).pending_count, 8);
	cr_assert_eq(stats_of(p).future_count, 2);
	/* and the other way round, a pending one takes a future one's place at any price */
	add_ok(p, 8, 0, 10);
	add_ok(p, 9, 0, 10);
	cr_assert_eq(stats_of(p).pending_count, 10);
	refuses(p, transfer(300, 1, 9999), account_of(0, RICH), TXPOOL_E_FULL, "txpool is full");
	txpool_free(p);
}

Test(txpool, future_cap_prefers_what_pays_more)
{
	struct txpool *p = small_pool(100, 2);

	add_ok(p, 0, 1, 10);
	add_ok(p, 1, 1, 20);
	refuses(p, transfer(2, 1, 10), account_of(0, RICH), TXPOOL_E_FULL, "txpool is full");
	add_ok(p, 2, 1, 15);
	cr_assert_not(has_transfer(p, 0, 1, 10));
	txpool_free(p);
}

/* DETER's latent overdraft: transactions that are affordable one by one and not
 * together must not be counted as pending. */
Test(txpool, overdraft_is_not_pending)
{
	struct txpool *p = small_pool(100, 50);
	struct txpool_account account = account_of(0, 15000);
	struct addr sender = sender_address(0);

	for (uint64_t nonce = 40; nonce-- > 0;) {
		struct spec spec = transfer(0, nonce, 10);

		cr_assert_eq(add_to(p, &spec, account, NULL, NULL), OK);
	}
	cr_assert_eq(stats_of(p).pending_count, 1);
	cr_assert_eq(txpool_next_nonce(p, &sender, 0), 1);
	txpool_free(p);
}

/* MemPurge: a chain whose first link nobody mines, with high fees behind it. */
Test(txpool, chain_behind_unpaid_first_is_worthless)
{
	struct txpool *p = small_pool(6, 2);

	txpool_set_base_fee(p, wei_of(15));
	for (size_t sender = 0; sender < 5; sender++)
		add_ok(p, sender, 0, 20);
	add_ok(p, 9, 0, 11); /* the attacker's first takes the last free place */
	refuses(p, transfer(9, 1, 5000), account_of(0, RICH), TXPOOL_E_UNDERPRICED,
		"transaction underpriced");
	cr_assert_eq(stats_of(p).pending_count, 6);
	/* An honest newcomer takes that place back. */
	add_ok(p, 5, 0, 16);
	cr_assert_not(has_transfer(p, 9, 0, 11));
	txpool_free(p);
}

/* … and a first link that is paid for and then replaced stays paid for. */
Test(txpool, replacing_first_raises_the_chain)
{
	struct txpool *p = small_pool(4, 2);

	add_ok(p, 0, 0, 10);
	add_ok(p, 0, 1, 100);
	add_ok(p, 0, 2, 100);
	add_ok(p, 1, 0, 50);
	refuses(p, transfer(2, 0, 10), account_of(0, RICH), TXPOOL_E_UNDERPRICED,
		"transaction underpriced");
	add_ok(p, 0, 0, 60); /* the chain is worth 60 now: sender 1 is the least */
	add_ok(p, 2, 0, 55);
	cr_assert_not(has_transfer(p, 1, 0, 50));
	cr_assert(has_transfer(p, 0, 2, 100));
	txpool_free(p);
}

/* A pool with no room for one more of `count` equal transfers in bytes. */
static struct txpool *full_pool(size_t count, size_t *one)
{
	struct txpool_limits limits = roomy;
	struct txpool *p = txpool_new(limits, 1);

	add_ok(p, 0, 0, 20);
	*one = stats_of(p).size;
	txpool_free(p);
	limits.size = count * *one + *one / 2;
	p = txpool_new(limits, 1);
	for (size_t sender = 0; sender < count; sender++)
		add_ok(p, sender, 0, sender % 2 ? 20 : 40);
	return p;
}

Test(txpool, large_one_evicts_several_or_nothing)
{
	struct txpool_account account = account_of(0, RICH);
	struct spec large = transfer(50, 0, 30);
	size_t one, evicted;
	struct txpool *p = full_pool(10, &one);
	struct tx *t;

	large.data_size = 6 * one; /* more than the five that pay less give */
	refuses(p, large, account, TXPOOL_E_UNDERPRICED, "transaction underpriced");
	for (size_t sender = 0; sender < 10; sender++)
		cr_assert(has_transfer(p, sender, 0, sender % 2 ? 20 : 40));
	large.data_size = 2 * one;
	t = make_tx(&large);
	cr_assert_eq(txpool_add(p, t, &account, &evicted, NULL), OK);
	cr_assert(txpool_check(p));
	cr_assert_eq(evicted, 3);
	cr_assert(has_transfer(p, 1, 0, 20), "the earliest of equals stay");
	cr_assert(has_transfer(p, 3, 0, 20));
	tx_unref(t);
	txpool_free(p);
}

Test(txpool, large_one_evicts_at_most_64)
{
	struct spec large = transfer(500, 0, 99);
	size_t one;
	struct txpool *p = full_pool(100, &one);

	large.data_size = 65 * one;
	refuses(p, large, account_of(0, RICH), TXPOOL_E_UNDERPRICED, "transaction underpriced");
	large.data_size = 60 * one;
	cr_assert_eq(add_to(p, &large, account_of(0, RICH), NULL, NULL), OK);
	txpool_free(p);
}

/* --- building --- */

static void expect_next(struct txpool_cursor *c, size_t sender, uint64_t nonce)
{
	struct addr want = sender_address(sender);
	struct tx *t = txpool_cursor_next(c);

	cr_assert_not_null(t);
	cr_assert(addr_equal(&t->sender, &want));
	cr_assert_eq(t->nonce, nonce);
}

Test(txpool, cursor_orders_by_tip_then_arrival)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct txpool_cursor *c;

	add_ok(p, 0, 0, 20);
	add_ok(p, 0, 1, 90);
	add_ok(p, 1, 0, 30);
	add_ok(p, 2, 0, 30);
	add_ok(p, 3, 1, 99); /* future */
	c = txpool_cursor_new(p);
	expect_next(c, 1, 0);
	expect_next(c, 2, 0);
	expect_next(c, 0, 0);
	expect_next(c, 0, 1);
	cr_assert_null(txpool_cursor_next(c));
	cr_assert_null(txpool_cursor_next(c));
	txpool_cursor_free(c);
	txpool_free(p);
}

/* What counts is what is paid above the base fee, not what is offered. */
Test(txpool, cursor_follows_base_fee)
{
	struct spec capped = { .sender = 0, .fee = 100, .tip = 50, .gas_limit = 1000 };
	struct spec plain = { .sender = 1, .fee = 1000, .tip = 30, .gas_limit = 1000 };
	struct txpool *p = txpool_new(roomy, 1);
	struct txpool_cursor *c;

	cr_assert_eq(add_to(p, &capped, account_of(0, RICH), NULL, NULL), OK);
	cr_assert_eq(add_to(p, &plain, account_of(0, RICH), NULL, NULL), OK);
	c = txpool_cursor_new(p);
	expect_next(c, 0, 0);
	txpool_cursor_free(c);
	txpool_set_base_fee(p, wei_of(80)); /* 20 are left of the first's */
	c = txpool_cursor_new(p);
	expect_next(c, 1, 0);
	expect_next(c, 0, 0);
	txpool_cursor_free(c);
	cr_assert_eq(stats_of(p).takeable_count, 2);
	txpool_set_base_fee(p, wei_of(101));
	cr_assert(txpool_check(p));
	cr_assert_eq(stats_of(p).takeable_count, 1);
	c = txpool_cursor_new(p);
	expect_next(c, 1, 0);
	cr_assert_null(txpool_cursor_next(c));
	txpool_cursor_free(c);
	txpool_free(p);
}

Test(txpool, cursor_stops_at_first_that_does_not_pay)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct txpool_cursor *c;

	txpool_set_base_fee(p, wei_of(20));
	add_ok(p, 0, 0, 20);
	add_ok(p, 0, 1, 19);
	add_ok(p, 0, 2, 50);
	cr_assert_eq(stats_of(p).takeable_count, 1);
	c = txpool_cursor_new(p);
	expect_next(c, 0, 0);
	cr_assert_null(txpool_cursor_next(c));
	txpool_cursor_free(c);
	txpool_free(p);
}

Test(txpool, cursor_skips_sender)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct txpool_cursor *c;

	for (uint64_t nonce = 0; nonce < 3; nonce++) {
		add_ok(p, 0, nonce, 40);
		add_ok(p, 1, nonce, 20);
	}
	c = txpool_cursor_new(p);
	expect_next(c, 0, 0);
	expect_next(c, 0, 1);
	txpool_cursor_skip_sender(c);
	expect_next(c, 1, 0);
	txpool_cursor_skip_sender(c);
	cr_assert_null(txpool_cursor_next(c));
	txpool_cursor_skip_sender(c);
	txpool_cursor_free(c);
	txpool_free(p);
}

/* --- prices beyond 64 bits --- */

Test(txpool, compare_prices_beyond_64_bits)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct txpool_account account = { .nonce = 0 };
	struct spec spec = transfer(0, 0, 10);
	struct wei huge = { { { 0, 1, 0, 0 } } }, tenth;
	struct tx *t = make_tx(&spec), *next;

	memset(&account.balance, 0xff, sizeof(account.balance));
	t->max_fee = t->max_priority_fee = huge;
	cr_assert_eq(txpool_add(p, t, &account, NULL, NULL), OK);
	cr_assert(txpool_check(p));
	txpool_set_base_fee(p, wei_of(UINT64_MAX));
	cr_assert(txpool_check(p));
	cr_assert_eq(stats_of(p).takeable_count, 1);
	u256_div_u64(&tenth.n, &huge.n, 10);
	spec.value = 1;
	next = make_tx(&spec);
	wei_add(&next->max_fee, huge, tenth);
	next->max_priority_fee = next->max_fee;
	wei_sub(&next->max_priority_fee, next->max_priority_fee, wei_of(1));
	cr_assert_eq(txpool_add(p, next, &account, NULL, NULL), TXPOOL_E_REPLACEMENT);
	next->max_priority_fee = next->max_fee;
	cr_assert_eq(txpool_add(p, next, &account, NULL, NULL), OK);
	cr_assert(txpool_check(p));
	tx_unref(t);
	tx_unref(next);
	txpool_free(p);
}

/* --- questions --- */

struct seen {
	uint64_t nonces[8];
	bool pending[8];
	struct addr senders[8];
	size_t count;
};

static void note(void *ctx, struct tx *t, bool pending)
{
	struct seen *seen = ctx;

	seen->nonces[seen->count] = t->nonce;
	seen->senders[seen->count] = t->sender;
	seen->pending[seen->count++] = pending;
}

Test(txpool, each_visits_by_sender_and_nonce)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct seen seen = { .count = 0 };

	txpool_each(p, note, &seen);
	cr_assert_eq(seen.count, 0);
	add_ok(p, 2, 0, 20);
	add_ok(p, 1, 3, 20);
	add_ok(p, 1, 0, 20);
	txpool_each(p, note, &seen);
	cr_assert_eq(seen.count, 3);
	cr_assert(seen.nonces[0] == 0 && seen.nonces[1] == 3 && seen.nonces[2] == 0);
	cr_assert(seen.pending[0] && !seen.pending[1] && seen.pending[2]);
	cr_assert_eq(seen.senders[2].bytes[19], 2);
	txpool_free(p);
}

Test(txpool, get_gives_own_reference)
{
	struct txpool *p = txpool_new(roomy, 1);
	struct spec spec = transfer(0, 0, 20);
	struct hash hash, absent = { { 1 } };
	struct tx *t;

	cr_assert_eq(add_to(p, &spec, account_of(0, RICH), &hash, NULL), OK);
	t = txpool_get(p, &hash);
	cr_assert_not_null(t);
	cr_assert_null(txpool_get(p, &absent));
	txpool_free(p);
	cr_assert(hash_equal(&t->hash, &hash));
	cr_assert_eq(atomic_load(&t->refs), 1);
	tx_unref(t);
}
