/* A final block's transactions once more: the same receipts, on the same state. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "exec/replay.h"
#include "world.h"

#define CONTRACT 7

/* SSTORE(0, SLOAD(0) + 1), and a log of NUMBER, TIMESTAMP, PREVRANDAO, COINBASE, BASEFEE and
 * BLOCKHASH(NUMBER − 1). No NUL in it but in PUSH0's place: codes here are strings. */
static const char counter[] =
	"\x5f\x54\x60\x01\x01\x5f\x55"
	"\x43\x5f\x52\x42\x60\x20\x52\x44\x60\x40\x52\x41\x60\x60\x52\x48\x60\x80\x52"
	"\x60\x01\x43\x03\x40\x60\xa0\x52\x60\xc0\x5f\xa0";

struct seen {
	size_t enter_count, leave_count, step_count, log_count, step_count_max;
	struct addr destroyed;
};

static void see_enter(void *ctx, const struct vm_message *m, uint64_t gas_left)
{
	((struct seen *)ctx)->enter_count++;
}

static void see_step(void *ctx, const struct vm_step *s)
{
	((struct seen *)ctx)->step_count++;
}

static void see_leave(void *ctx, const struct vm_message *m, enum vm_status status, uint64_t gas_left,
		      struct bytes output)
{
	((struct seen *)ctx)->leave_count++;
}

static void see_log(void *ctx, const struct addr *address, const struct hash topics[], size_t topic_count,
		    struct bytes data)
{
	((struct seen *)ctx)->log_count++;
}

static void see_self_destruct(void *ctx, const struct addr *address, const struct addr *heir,
			      struct wei balance)
{
	((struct seen *)ctx)->destroyed = *address;
}

static bool has_enough(void *ctx)
{
	const struct seen *s = ctx;

	return s->step_count_max && s->step_count >= s->step_count_max;
}

static struct vm_tracer tracer_of(struct seen *s)
{
	return (struct vm_tracer){ .ctx = s, .enter = see_enter, .step = see_step, .leave = see_leave,
				   .log = see_log, .self_destruct = see_self_destruct, .is_over = has_enough };
}

/* Three transactions on the second block: the counter twice, and a plain transfer. */
static void make_block(struct world *w, struct exec_result *r)
{
	struct tx *txs[3];
	struct exec_result first;

	world_init(w);
	for (uint8_t n = CONTRACT; n == CONTRACT; n++) {
		struct addr address = address_of(n);

		world_alloc(w, &address, 0, counter);
	}
	world_start(w);
	world_propose(w, NULL, 0, NULL, &first);
	world_commit(w, &first);
	exec_result_clear(&first);
	for (size_t i = 0; i < 3; i++) {
		struct tx t = world_template(0);

		t.to = address_of(i == 1 ? 1 : CONTRACT);
		t.gas_limit = 100000;
		txs[i] = world_sign(w, i, &t);
	}
	world_propose(w, txs, 3, NULL, r);
	for (size_t i = 0; i < 3; i++)
		tx_unref(txs[i]);
	cr_assert_eq(r->block.tx_count, 3);
}

static void check_receipt(const struct receipt *now, const struct receipt *then)
{
	cr_assert_eq(now->success, then->success);
	cr_assert_eq(now->gas_used, then->gas_used);
	cr_assert_eq(now->cumulative_gas_used, then->cumulative_gas_used);
	cr_assert_eq(now->log_count, then->log_count);
	for (size_t i = 0; i < now->log_count; i++)
		cr_assert(bytes_equal(now->logs[i].data, then->logs[i].data));
}

/* The log has what the block's header says: so a contract can't tell the difference. */
Test(exec_replay, gives_the_receipts_that_were)
{
	struct world w;
	struct exec_result r;
	struct exec_replay replay;
	struct exec *x;

	make_block(&w, &r);
	x = exec_new(&w.genesis.params, 9);
	for (int round = 0; round < 2; round++) {
		cr_assert_eq(exec_replay_begin(&replay, x, &r.block.header, world_view(&w), NULL), OK);
		for (size_t i = 0; i < 3; i++) {
			struct receipt receipt;

			cr_assert_eq(exec_replay_tx(&replay, r.block.txs[i], &receipt, NULL), OK);
			check_receipt(&receipt, &r.receipts[i]);
			receipt_clear(&receipt);
		}
	}
	cr_assert_eq(r.receipts[0].log_count, 1);
	cr_assert_eq(load_be64(r.receipts[0].logs[0].data.data + 24), 2, "NUMBER");
	cr_assert(bytes_equal(bytes_of(r.receipts[0].logs[0].data.data + 160, 32), hash_bytes(&w.parent.hash)),
		  "BLOCKHASH, which system begin has written");
	exec_free(x);
	exec_result_clear(&r);
	world_clear(&w);
}

/* Only the last is watched; the state in between has what those before it wrote. */
Test(exec_replay, watches_one_transaction)
{
	struct world w;
	struct exec_result r;
	struct exec_replay replay;
	struct seen seen = { 0 };
	const struct vm_tracer tracer = tracer_of(&seen);
	const struct addr contract = address_of(CONTRACT);
	const struct hash slot = exec_slot(0);
	struct state_view view;
	struct receipt receipt;
	struct u256 value;

	make_block(&w, &r);
	cr_assert_eq(exec_replay_begin(&replay, w.exec, &r.block.header, world_view(&w), NULL), OK);
	for (size_t i = 0; i < 3; i++) {
		exec_set_tracer(w.exec, i == 0 ? NULL : &tracer);
		view = exec_state(w.exec);
		cr_assert_eq(state_storage(&view, &value, &contract, &slot, NULL), OK);
		cr_assert_eq(value.limbs[0], (i + 1) / 2);
		seen = (struct seen){ 0 };
		cr_assert_eq(exec_replay_tx(&replay, r.block.txs[i], &receipt, NULL), OK);
		check_receipt(&receipt, &r.receipts[i]);
		receipt_clear(&receipt);
		cr_assert_eq(seen.enter_count, i > 0, "a transfer too");
		cr_assert_eq(seen.leave_count, i > 0);
		cr_assert_eq(seen.log_count, i == 2);
		cr_assert_eq(seen.step_count, i == 2 ? 31 : 0, "%zu: %zu", i, seen.step_count);
	}
	exec_set_tracer(w.exec, NULL);
	exec_result_clear(&r);
	world_clear(&w);
}

/* Without end but the tracer's; then as if nothing had been. */
Test(exec_replay, ends_when_the_tracer_has_enough)
{
	struct world w;
	struct exec_result r;
	struct exec_replay replay;
	struct seen seen = { .step_count_max = 5 };
	const struct vm_tracer tracer = tracer_of(&seen);
	struct receipt receipt;
	struct err err = { 0 };

	make_block(&w, &r);
	exec_set_tracer(w.exec, &tracer);
	cr_assert_eq(exec_replay_begin(&replay, w.exec, &r.block.header, world_view(&w), NULL), OK);
	cr_assert_eq(exec_replay_tx(&replay, r.block.txs[0], &receipt, &err), EXEC_E_STOPPED);
	cr_assert_eq(seen.step_count, 5);
	exec_set_tracer(w.exec, NULL);
	cr_assert_eq(exec_replay_begin(&replay, w.exec, &r.block.header, world_view(&w), NULL), OK);
	cr_assert_eq(exec_replay_tx(&replay, r.block.txs[0], &receipt, &err), OK);
	check_receipt(&receipt, &r.receipts[0]);
	receipt_clear(&receipt);
	exec_result_clear(&r);
	world_clear(&w);
}
