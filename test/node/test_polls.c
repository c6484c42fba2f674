/* Filters that are polled: what they are told, and that they are bounded. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "node/polls.h"

#define MINUTE 60000u

static const struct rpc_poll for_blocks = { .kind = RPC_POLL_BLOCKS };
static const struct rpc_poll for_txs = { .kind = RPC_POLL_TXS };

static struct hash tx(uint64_t n)
{
	struct hash h = { { 0 } };

	store_be64(h.bytes, n + 1);
	return h;
}

static struct hash add(struct polls *p, const struct rpc_poll *asked, uint64_t now_ms, uint64_t height)
{
	struct hash id;

	cr_assert_eq(polls_add(p, asked, now_ms, height, &id, NULL), OK);
	return id;
}

Test(polls, tell_each_block_once)
{
	struct polls *p = polls_new(1);
	struct hash a = add(p, &for_blocks, 0, 10), b;
	struct rpc_poll got = { 0 };

	cr_assert_eq(polls_get(p, &a, true, 0, 10, &got, NULL), OK);
	cr_expect(got.first == 11 && got.last == 10);
	cr_assert_eq(polls_get(p, &a, true, 0, 13, &got, NULL), OK);
	cr_expect(got.first == 11 && got.last == 13);
	b = add(p, &for_blocks, 0, 13);
	cr_assert_eq(polls_get(p, &a, false, 0, 15, &got, NULL), OK);
	cr_assert_eq(polls_get(p, &a, true, 0, 15, &got, NULL), OK);
	cr_expect(got.first == 14 && got.last == 15);
	cr_assert_eq(polls_get(p, &b, true, 0, 15, &got, NULL), OK);
	cr_expect(got.first == 14 && got.last == 15);
	cr_expect(polls_end(p, &a, 0));
	cr_expect(!polls_end(p, &a, 0));
	cr_expect_eq(polls_get(p, &a, true, 0, 15, &got, NULL), RPC_E_NOT_FOUND);
	cr_expect_eq(polls_get(p, &b, true, 0, 15, &got, NULL), OK);
	polls_free(p);
}

Test(polls, keep_what_a_log_filter_names)
{
	struct rpc_poll asked = { .kind = RPC_POLL_LOGS, .has_to = true, .to = 99 }, got = { 0 };
	struct polls *p = polls_new(1);
	struct hash id;

	asked.logs.address_count = 2;
	asked.logs.addresses = xcalloc(2, sizeof(struct addr));
	asked.logs.addresses[1].bytes[0] = 7;
	asked.logs.place_count = 2;
	asked.logs.places[1].count = 1;
	asked.logs.places[1].any = xcalloc(1, sizeof(struct hash));
	asked.logs.places[1].any[0].bytes[5] = 8;
	id = add(p, &asked, 0, 10);
	rpc_poll_clear(&asked);
	cr_assert_eq(polls_get(p, &id, true, 0, 11, &got, NULL), OK);
	cr_expect(got.kind == RPC_POLL_LOGS && got.has_to && got.to == 99 && !got.has_from);
	cr_expect(got.logs.address_count == 2 && got.logs.addresses[1].bytes[0] == 7);
	cr_expect(got.logs.place_count == 2 && got.logs.places[1].any[0].bytes[5] == 8);
	rpc_poll_clear(&got);
	polls_free(p);
}

Test(polls, tell_transactions_in_order)
{
	struct polls *p = polls_new(1);
	struct rpc_poll got = { 0 };
	struct hash h = tx(0), a, b;

	polls_note_tx(p, &h); /* before anybody asks */
	a = add(p, &for_txs, 0, 1);
	for (uint64_t i = 1; i <= 3; i++) {
		h = tx(i);
		polls_note_tx(p, &h);
		if (i == 2)
			b = add(p, &for_txs, 0, 1);
	}
	cr_assert_eq(polls_get(p, &a, true, 0, 1, &got, NULL), OK);
	cr_assert_eq(got.tx_count, 3);
	for (uint64_t i = 0; i < 3; i++) {
		h = tx(i + 1);
		cr_expect(hash_equal(&got.txs[i], &h));
	}
	rpc_poll_clear(&got);
	cr_assert_eq(polls_get(p, &a, true, 0, 1, &got, NULL), OK);
	cr_expect_eq(got.tx_count, 0);
	rpc_poll_clear(&got);
	cr_assert_eq(polls_get(p, &b, true, 0, 1, &got, NULL), OK);
	cr_assert_eq(got.tx_count, 1);
	rpc_poll_clear(&got);
	/* more than are kept: the newest */
	for (uint64_t i = 0; i < POLL_TX_COUNT_MAX + 5; i++) {
		h = tx(100 + i);
		polls_note_tx(p, &h);
	}
	cr_assert_eq(polls_get(p, &a, true, 0, 1, &got, NULL), OK);
	cr_assert_eq(got.tx_count, POLL_TX_COUNT_MAX);
	h = tx(105);
	cr_expect(hash_equal(&got.txs[0], &h));
	rpc_poll_clear(&got);
	/* the last asker takes the memory along; another begins anew */
	cr_expect(polls_end(p, &a, 0) && polls_end(p, &b, 0));
	polls_note_tx(p, &h);
	a = add(p, &for_txs, 0, 1);
	cr_assert_eq(polls_get(p, &a, true, 0, 1, &got, NULL), OK);
	cr_expect_eq(got.tx_count, 0);
	rpc_poll_clear(&got);
	polls_free(p);
}

Test(polls, forget_the_idle)
{
	struct polls *p = polls_new(1);
	struct hash a = add(p, &for_blocks, 10 * MINUTE, 1), b = add(p, &for_blocks, 10 * MINUTE, 1);
	struct rpc_poll got = { 0 };

	cr_assert_eq(polls_get(p, &a, true, 15 * MINUTE, 1, &got, NULL), OK);
	cr_assert_eq(polls_get(p, &a, false, 15 * MINUTE + 1, 1, &got, NULL), OK);
	cr_expect_eq(polls_count(p), 1);
	cr_expect_eq(polls_get(p, &b, true, 15 * MINUTE + 1, 1, &got, NULL), RPC_E_NOT_FOUND);
	cr_assert_eq(polls_get(p, &a, true, 9 * MINUTE, 1, &got, NULL), OK); /* the clock was set back */
	cr_expect(!polls_end(p, &a, 14 * MINUTE + 1));
	cr_expect_eq(polls_count(p), 0);
	polls_free(p);
}

static struct rpc_poll large_filter(size_t count)
{
	struct rpc_poll out = { .kind = RPC_POLL_LOGS };

	out.logs.address_count = count;
	out.logs.addresses = xcalloc(count, sizeof(struct addr));
	return out;
}

Test(polls, bound_their_number_and_size)
{
	struct rpc_poll large = large_filter(LOG_FILTER_TERM_MAX);
	struct polls *p = polls_new(1);
	struct err err = { 0 };
	struct hash first, id;

	first = add(p, &for_blocks, 0, 1);
	for (size_t i = 1; i < POLL_COUNT_MAX; i++)
		add(p, &for_blocks, 0, 1);
	cr_expect_eq(polls_add(p, &for_blocks, 0, 1, &id, &err), RPC_E_LIMIT);
	cr_expect(strstr(err.message, "too many filters are kept (1024)"), "%s", err.message);
	cr_expect(polls_end(p, &first, 0));
	add(p, &for_blocks, 0, 1);
	cr_expect_eq(polls_add(p, &for_blocks, POLL_IDLE_MS, 1, &id, &err), RPC_E_LIMIT);
	add(p, &for_blocks, POLL_IDLE_MS + 1, 1);
	cr_expect_eq(polls_count(p), 1);
	for (size_t i = 0; i < POLL_TERM_COUNT_MAX / LOG_FILTER_TERM_MAX; i++)
		id = add(p, &large, POLL_IDLE_MS + 1, 1);
	cr_expect_eq(polls_add(p, &large, POLL_IDLE_MS + 1, 1, &first, &err), RPC_E_LIMIT);
	add(p, &for_blocks, POLL_IDLE_MS + 1, 1);
	cr_expect(polls_end(p, &id, POLL_IDLE_MS + 1));
	add(p, &large, POLL_IDLE_MS + 1, 1);
	rpc_poll_clear(&large);
	polls_free(p);
}

/* Other nodes, other ids; none follows from the one before. */
Test(polls, draw_ids)
{
	struct polls *p = polls_new(1), *q = polls_new(2);
	struct hash a = add(p, &for_blocks, 0, 1), b = add(p, &for_blocks, 0, 1), c = add(q, &for_blocks, 0, 1);
	size_t same = 0;

	cr_expect(!hash_equal(&a, &b) && !hash_equal(&a, &c));
	for (size_t i = 0; i < 32; i++) {
		cr_expect(i >= 16 || a.bytes[i] == 0);
		same += i >= 16 && a.bytes[i] == b.bytes[i];
	}
	cr_expect(a.bytes[16] & 0x80);
	cr_expect_lt(same, 8);
	polls_free(p);
	polls_free(q);
}
