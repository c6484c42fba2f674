#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"
#include "model.h"
#include "state/overlay.h"

static const struct overlay_limits roomy = { 100, 1000 };

/* An overlay beside a model of what it should show; snapshots are copies. */
#define DEPTH_MAX 8
struct rig {
	struct model_state base, now, at_start;
	struct model_state saved[DEPTH_MAX];
	size_t marks[DEPTH_MAX];
	unsigned depth;
	struct overlay *overlay;
	struct rng rng;
};

static bool storage_before(const struct rig *g, unsigned i)
{
	for (unsigned k = 0; k < MODEL_SLOT_COUNT; k++)
		if (!u256_is_zero(&g->base.slots[i][k]))
			return true;
	return false;
}

static void write_account(struct rig *g, unsigned i)
{
	struct addr address = model_address(i);
	struct wei amount = wei_of(rng_below(&g->rng, 100)), sum;
	struct account *a = &g->now.accounts[i];
	int rc;

	switch (rng_below(&g->rng, 5)) {
	case 0:
		cr_assert_eq(overlay_set_nonce(g->overlay, &address, amount.n.limbs[0] / 40, NULL), OK);
		a->nonce = amount.n.limbs[0] / 40;
		break;
	case 1:
		cr_assert_eq(overlay_set_balance(g->overlay, &address, amount, NULL), OK);
		a->balance = amount;
		break;
	case 2:
		cr_assert_eq(overlay_add_balance(g->overlay, &address, amount, NULL), OK);
		wei_add(&a->balance, a->balance, amount);
		break;
	case 3:
		rc = overlay_sub_balance(g->overlay, &address, amount, NULL);
		if (wei_sub(&sum, a->balance, amount)) {
			cr_assert_eq(rc, STATE_E_LIMIT);
		} else {
			cr_assert_eq(rc, OK);
			a->balance = sum;
		}
		break;
	case 4:
		rc = overlay_destroy(g->overlay, &address, NULL);
		cr_assert_eq(rc, storage_before(g, i) ? STATE_E_LIMIT : OK);
		if (rc == OK) {
			*a = account_empty;
			memset(g->now.slots[i], 0, sizeof(g->now.slots[i]));
		}
		break;
	}
}

static void check_all(struct rig *g, struct overlay *o)
{
	for (unsigned i = 0; i < MODEL_ACCOUNT_COUNT; i++) {
		struct addr address = model_address(i);
		struct account a;

		cr_assert_eq(overlay_account(o, &a, &address, NULL), OK);
		a.storage_root = account_empty.storage_root;
		cr_assert(account_equal(&a, &g->now.accounts[i]));
		for (unsigned k = 0; k < MODEL_SLOT_COUNT; k++) {
			struct hash slot = model_slot(k);
			struct u256 v;

			cr_assert_eq(overlay_storage(o, &v, &address, &slot, NULL), OK);
			cr_assert(u256_equal(&v, &g->now.slots[i][k]));
			cr_assert_eq(overlay_storage_original(o, &v, &address, &slot, NULL), OK);
			if (o == g->overlay)
				cr_assert(u256_equal(&v, &g->at_start.slots[i][k]));
		}
	}
}

static void step(struct rig *g)
{
	unsigned i = (unsigned)rng_below(&g->rng, MODEL_ACCOUNT_COUNT);
	struct addr address = model_address(i);
	struct hash slot = model_slot((unsigned)rng_below(&g->rng, MODEL_SLOT_COUNT));
	struct u256 v = u256_of(rng_below(&g->rng, 4));

	switch (rng_below(&g->rng, 12)) {
	case 0:
		if (g->depth == DEPTH_MAX)
			break;
		g->saved[g->depth] = g->now;
		g->marks[g->depth++] = overlay_snapshot(g->overlay);
		break;
	case 1:
		if (g->depth == 0)
			break;
		g->depth = (unsigned)rng_below(&g->rng, g->depth);
		g->now = g->saved[g->depth];
		overlay_revert(g->overlay, g->marks[g->depth]);
		break;
	case 2:
		if (rng_below(&g->rng, 4))
			break;
		overlay_settle(g->overlay);
		g->depth = 0;
		g->at_start = g->now;
		break;
	case 3:
		check_all(g, g->overlay);
		break;
	case 4: case 5: case 6: case 7:
		cr_assert_eq(overlay_set_storage(g->overlay, &address, &slot, &v, NULL), OK);
		g->now.slots[i][slot.bytes[31]] = v;
		break;
	default:
		write_account(g, i);
	}
}

/* What the block leaves, by EIP-161 and by what overlay.h says of storage. */
static void settle_model(struct rig *g)
{
	for (unsigned i = 0; i < MODEL_ACCOUNT_COUNT; i++)
		if (account_is_empty(&g->now.accounts[i]) && !storage_before(g, i))
			memset(g->now.slots[i], 0, sizeof(g->now.slots[i]));
}

static void check_diff(struct rig *g)
{
	struct state_diff d;
	struct buf rlp = { 0 };
	struct state_diff back;
	struct err err = { 0 };

	overlay_diff(g->overlay, &d);
	state_diff_encode(&rlp, &d);
	cr_assert_eq(state_diff_decode(&back, buf_bytes(&rlp), &err), OK, "%s", err.message);
	state_diff_clear(&back);
	buf_clear(&rlp);
	model_state_apply(&g->base, &d);
	settle_model(g);
	cr_assert_eq(memcmp(g->base.slots, g->now.slots, sizeof(g->now.slots)), 0);
	for (unsigned i = 0; i < MODEL_ACCOUNT_COUNT; i++)
		cr_assert(account_equal(&g->base.accounts[i], &g->now.accounts[i]));
	state_diff_clear(&d);
}

Test(overlay, agrees_with_model)
{
	struct rig *g = xcalloc(1, sizeof(*g));

	g->overlay = overlay_new(roomy, 7);
	model_state_init(&g->base);
	rng_init(&g->rng, 11);
	for (unsigned block = 0; block < 400; block++) {
		g->now = g->at_start = g->base;
		g->depth = 0;
		overlay_reset(g->overlay, model_state_view(&g->base));
		for (uint64_t i = rng_below(&g->rng, 200); i > 0; i--)
			step(g);
		check_all(g, g->overlay);
		check_diff(g);
	}
	overlay_free(g->overlay);
	free(g);
}

Test(overlay, stacks_on_another)
{
	struct rig *g = xcalloc(1, sizeof(*g));
	struct overlay *above = overlay_new(roomy, 8);

	g->overlay = overlay_new(roomy, 7);
	model_state_init(&g->base);
	g->now = g->at_start = g->base;
	rng_init(&g->rng, 12);
	overlay_reset(g->overlay, model_state_view(&g->base));
	for (unsigned i = 0; i < 300; i++)
		step(g);
	overlay_reset(above, overlay_view(g->overlay));
	check_all(g, above);
	overlay_free(above);
	overlay_free(g->overlay);
	free(g);
}

Test(overlay, holds_to_its_limits)
{
	struct overlay *o = overlay_new((struct overlay_limits){ 2, 3 }, 1);
	struct addr a = model_address(1), b = model_address(2), c = model_address(3);
	struct hash slot = model_slot(0);
	struct u256 one = u256_of(1), v;
	struct account out;
	struct err err = { 0 };

	cr_assert_eq(overlay_set_nonce(o, &a, 1, NULL), OK);
	cr_assert_eq(overlay_account(o, &out, &b, NULL), OK);
	cr_assert_eq(overlay_set_nonce(o, &c, 1, &err), STATE_E_LIMIT);
	cr_assert(strstr(err.message, "2 accounts"));
	for (unsigned i = 0; i < 3; i++) {
		slot = model_slot(i);
		cr_assert_eq(overlay_set_storage(o, &a, &slot, &one, NULL), OK);
	}
	slot = model_slot(4);
	cr_assert_eq(overlay_storage(o, &v, &b, &slot, &err), STATE_E_LIMIT);
	slot = model_slot(2);
	cr_assert_eq(overlay_storage(o, &v, &a, &slot, &err), OK);
	cr_assert(u256_equal(&v, &one));
	overlay_reset(o, state_view_empty());
	cr_assert_eq(overlay_set_nonce(o, &c, 1, &err), OK);
	overlay_free(o);
}

static int failing_account(void *ctx, struct account *out, const struct addr *address, struct err *err)
{
	(void)out, (void)address;
	(*(unsigned *)ctx)++;
	return ERR_SET(err, STATE_E_READ, "the disk is gone");
}

static int failing_storage(void *ctx, struct u256 *out, const struct addr *address,
			   const struct hash *slot, struct err *err)
{
	(void)out, (void)address, (void)slot;
	(*(unsigned *)ctx)++;
	return ERR_SET(err, STATE_E_READ, "the disk is gone");
}

Test(overlay, passes_on_failed_reads)
{
	struct state_view_ops ops = { failing_account, failing_storage, NULL };
	unsigned calls = 0;
	struct overlay *o = overlay_new(roomy, 1);
	struct addr a = model_address(1);
	struct hash slot = model_slot(1);
	struct u256 v = { 0 };
	struct state_diff d;

	overlay_reset(o, (struct state_view){ &ops, &calls });
	cr_assert_eq(overlay_set_balance(o, &a, wei_of(1), NULL), STATE_E_READ);
	cr_assert_eq(overlay_set_storage(o, &a, &slot, &v, NULL), STATE_E_READ);
	cr_assert_eq(overlay_destroy(o, &a, NULL), STATE_E_READ);
	cr_assert_eq(calls, 3);
	overlay_diff(o, &d);
	cr_assert_eq(d.account_count + d.slot_count, 0);
	state_diff_clear(&d);
	overlay_free(o);
}

Test(overlay, keeps_code_once)
{
	struct overlay *o = overlay_new(roomy, 1);
	struct addr a = model_address(1), b = model_address(2), c = model_address(3), e = model_address(4);
	struct bytes code = bytes_of_str("\x60\x01\x60\x02"), other = bytes_of_str("\x5b");
	struct buf out = { 0 };
	struct state_diff d;
	size_t mark;

	cr_assert_eq(overlay_set_code(o, &a, code, NULL), OK);
	cr_assert_eq(overlay_set_code(o, &b, code, NULL), OK);
	cr_assert_eq(overlay_set_code(o, &c, other, NULL), OK);
	cr_assert_eq(overlay_code(o, &out, &b, NULL), OK);
	cr_assert(bytes_equal(buf_bytes(&out), code));
	buf_reset(&out);
	cr_assert_eq(overlay_set_code(o, &c, (struct bytes){ 0 }, NULL), OK);
	cr_assert_eq(overlay_code(o, &out, &c, NULL), OK);
	cr_assert_eq(out.size, 0);
	mark = overlay_snapshot(o);
	cr_assert_eq(overlay_set_code(o, &e, other, NULL), OK);
	overlay_revert(o, mark);
	overlay_diff(o, &d);
	cr_assert_eq(d.account_count, 2);
	cr_assert_eq(d.code_count, 1, "code that nobody has in the end is left out");
	cr_assert(bytes_equal(d.codes[0].code, code));
	cr_assert(hash_equal(&d.codes[0].code_hash, &d.accounts[0].after.code_hash));
	state_diff_clear(&d);
	buf_clear(&out);
	overlay_free(o);
}

Test(overlay, keeps_balances_in_range)
{
	struct overlay *o = overlay_new(roomy, 1);
	struct addr a = model_address(1);
	struct wei most;
	struct account out;

	memset(&most, 0xff, sizeof(most));
	cr_assert_eq(overlay_sub_balance(o, &a, wei_of(1), NULL), STATE_E_LIMIT);
	cr_assert_eq(overlay_add_balance(o, &a, most, NULL), OK);
	cr_assert_eq(overlay_add_balance(o, &a, wei_of(1), NULL), STATE_E_LIMIT);
	cr_assert_eq(overlay_account(o, &out, &a, NULL), OK);
	cr_assert_eq(wei_compare(out.balance, most), 0);
	overlay_free(o);
}

/* An account of which only slots change stands among the accounts, too. */
Test(overlay, names_owner_of_changed_slots)
{
	struct model_state m;
	struct overlay *o = overlay_new(roomy, 1);
	struct addr a = model_address(5);
	struct hash slot = model_slot(1);
	struct u256 v = u256_of(9);
	struct state_diff d;

	model_state_init(&m);
	m.accounts[5].nonce = 1;
	overlay_reset(o, model_state_view(&m));
	cr_assert_eq(overlay_set_storage(o, &a, &slot, &v, NULL), OK);
	overlay_diff(o, &d);
	cr_assert_eq(d.account_count, 1);
	cr_assert_eq(d.slot_count, 1);
	cr_assert(account_equal(&d.accounts[0].before, &d.accounts[0].after));
	state_diff_clear(&d);
	v = u256_of(0);
	cr_assert_eq(overlay_set_storage(o, &a, &slot, &v, NULL), OK);
	overlay_diff(o, &d);
	cr_assert_eq(d.account_count + d.slot_count, 0);
	state_diff_clear(&d);
	overlay_free(o);
}

/* The way of a block: overlay, difference, tree. */
Test(overlay, feeds_the_tree)
{
	struct rig *g = xcalloc(1, sizeof(*g));
	struct state_tree *t = state_tree_new(&account_empty.storage_root, (struct tree_source){ 0 }, 1 << 20, 1);

	g->overlay = overlay_new(roomy, 7);
	model_state_init(&g->base);
	rng_init(&g->rng, 13);
	for (unsigned block = 0; block < 100; block++) {
		struct hash expected, root;
		struct state_diff d;
		struct err err = { 0 };

		g->now = g->at_start = g->base;
		g->depth = 0;
		overlay_reset(g->overlay, model_state_view(&g->base));
		for (unsigned i = 0; i < 60; i++)
			step(g);
		overlay_diff(g->overlay, &d);
		cr_assert_eq(state_tree_apply(t, &d, &root, &err), OK, "%s", err.message);
		model_state_apply(&g->base, &d);
		expected = model_state_root(&g->base);
		cr_assert(hash_equal(&root, &expected));
		state_diff_clear(&d);
	}
	state_tree_free(t);
	overlay_free(g->overlay);
	free(g);
}
