#include <criterion/criterion.h>
#include <stdlib.h>

#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "model.h"

static void random_diff(struct state_diff *d, struct rng *r, unsigned codes)
{
	struct model_state before, after;

	model_state_init(&before);
	for (uint64_t i = rng_below(r, 4); i > 0; i--)
		model_state_mutate(&before, r);
	after = before;
	model_state_mutate(&after, r);
	model_state_diff(d, &before, &after);
	d->codes = calloc(codes + 1, sizeof(*d->codes));
	for (unsigned i = 0; i < codes; i++) {
		uint8_t *code = malloc(i + 1);

		memset(code, 0x60, i + 1);
		d->codes[i].code = bytes_of(code, i + 1);
		keccak256(&d->codes[i].code_hash, d->codes[i].code);
	}
	for (unsigned i = 1; i < codes; i++)
		for (unsigned k = i; k && memcmp(&d->codes[k - 1], &d->codes[k], 32) > 0; k--) {
			struct code_entry e = d->codes[k];

			d->codes[k] = d->codes[k - 1];
			d->codes[k - 1] = e;
		}
	d->code_count = codes;
}

static void check_equal(const struct state_diff *a, const struct state_diff *b)
{
	cr_assert_eq(a->account_count, b->account_count);
	cr_assert_eq(a->slot_count, b->slot_count);
	cr_assert_eq(a->code_count, b->code_count);
	for (size_t i = 0; i < a->account_count; i++) {
		cr_assert(addr_equal(&a->accounts[i].address, &b->accounts[i].address));
		cr_assert(account_equal(&a->accounts[i].before, &b->accounts[i].before));
		cr_assert(account_equal(&a->accounts[i].after, &b->accounts[i].after));
	}
	for (size_t i = 0; i < a->slot_count; i++) {
		cr_assert(addr_equal(&a->slots[i].address, &b->slots[i].address));
		cr_assert(hash_equal(&a->slots[i].slot, &b->slots[i].slot));
		cr_assert(u256_equal(&a->slots[i].before, &b->slots[i].before));
		cr_assert(u256_equal(&a->slots[i].after, &b->slots[i].after));
	}
	for (size_t i = 0; i < a->code_count; i++) {
		cr_assert(hash_equal(&a->codes[i].code_hash, &b->codes[i].code_hash));
		cr_assert(bytes_equal(a->codes[i].code, b->codes[i].code));
	}
}

Test(diff, survives_encoding)
{
	struct rng r;

	rng_init(&r, 3);
	for (unsigned i = 0; i < 200; i++) {
		struct state_diff d, back;
		struct buf rlp = { 0 };
		struct err err = { 0 };

		random_diff(&d, &r, i % 4);
		state_diff_encode(&rlp, &d);
		cr_assert_eq(state_diff_decode(&back, buf_bytes(&rlp), &err), OK, "%s", err.message);
		check_equal(&d, &back);
		state_diff_reverse(&back);
		state_diff_reverse(&back);
		check_equal(&d, &back);
		state_diff_clear(&back);
		state_diff_clear(&d);
		buf_clear(&rlp);
	}
}

Test(diff, goes_forth_and_back)
{
	struct rng r;

	rng_init(&r, 4);
	for (unsigned i = 0; i < 100; i++) {
		struct model_state before, after;
		struct state_diff d;
		struct hash root, back;

		model_state_init(&before);
		model_state_mutate(&before, &r);
		after = before;
		model_state_mutate(&after, &r);
		root = model_state_root(&before);
		model_state_diff(&d, &before, &after);
		/* The storage roots, as the tree fills them in. */
		for (size_t k = 0; k < d.account_count; k++)
			d.accounts[k].after.storage_root =
				model_storage_root(&after, d.accounts[k].address.bytes[19]);
		model_state_apply(&before, &d);
		state_diff_reverse(&d);
		model_state_apply(&before, &d);
		back = model_state_root(&before);
		cr_assert(hash_equal(&root, &back));
		state_diff_clear(&d);
	}
}

Test(diff, refuses_cut_and_longer_input)
{
	struct state_diff d, out;
	struct buf rlp = { 0 };
	struct err err = { 0 };
	struct rng r;

	rng_init(&r, 5);
	random_diff(&d, &r, 2);
	state_diff_encode(&rlp, &d);
	for (size_t i = 0; i < rlp.size; i++)
		cr_assert_eq(state_diff_decode(&out, bytes_of(rlp.data, i), &err), STATE_E_FORMAT);
	cr_assert_eq(err.code, STATE_E_FORMAT);
	buf_append_byte(&rlp, 0x80);
	cr_assert_eq(state_diff_decode(&out, buf_bytes(&rlp), NULL), STATE_E_FORMAT);
	state_diff_clear(&d);
	buf_clear(&rlp);
}

static int decode_of(const struct state_diff *d)
{
	struct buf rlp = { 0 };
	struct state_diff out = { 0 };
	int rc;

	state_diff_encode(&rlp, d);
	rc = state_diff_decode(&out, buf_bytes(&rlp), NULL);
	state_diff_clear(&out);
	buf_clear(&rlp);
	return rc;
}

Test(diff, refuses_disorder)
{
	struct account_change accounts[2] = {
		{ { { 1 } }, account_empty, account_empty }, { { { 2 } }, account_empty, account_empty } };
	struct slot_change slots[2] = { { .address = { { 1 } }, .slot = { { 1 } }, .after = u256_of(5) },
					{ .address = { { 1 } }, .slot = { { 2 } }, .after = u256_of(5) } };
	struct code_entry codes[2] = { { .code = bytes_of_str("a") }, { .code = bytes_of_str("b") } };
	struct state_diff d = { accounts, 2, slots, 2, codes, 0 };

	accounts[0].after.nonce = accounts[1].after.nonce = 1;
	cr_assert_eq(decode_of(&d), OK);
	accounts[0].address.bytes[0] = 2;
	cr_assert_eq(decode_of(&d), STATE_E_FORMAT, "an address twice");
	accounts[0].address.bytes[0] = 1;
	slots[0].slot.bytes[0] = 2;
	cr_assert_eq(decode_of(&d), STATE_E_FORMAT, "a slot twice");
	slots[0].slot.bytes[0] = 3;
	cr_assert_eq(decode_of(&d), STATE_E_FORMAT, "slots falling");
	slots[0].slot.bytes[0] = 1;
	slots[1].address.bytes[0] = 3;
	cr_assert_eq(decode_of(&d), STATE_E_FORMAT, "a slot without an account");
	slots[1].address.bytes[0] = 1;
	slots[1].after = slots[1].before;
	cr_assert_eq(decode_of(&d), STATE_E_FORMAT, "a slot that stays");
	slots[1].after = u256_of(1);
	accounts[1].after = account_empty;
	cr_assert_eq(decode_of(&d), STATE_E_FORMAT, "an account that stays, without slots");
	accounts[1].after.nonce = 1;
	accounts[0].after = account_empty;
	cr_assert_eq(decode_of(&d), OK, "an account that stays, with slots");
	d.code_count = 2;
	cr_assert_eq(decode_of(&d) == OK, !(decode_of(&(struct state_diff){
		accounts, 2, slots, 2, (struct code_entry[]){ codes[1], codes[0] }, 2 }) == OK));
	codes[1] = codes[0];
	cr_assert_eq(decode_of(&d), STATE_E_FORMAT, "a code twice");
	d.code_count = 1;
	codes[0].code.size = 0;
	cr_assert_eq(decode_of(&d), STATE_E_FORMAT, "no code");
}

/* A list that claims more items than its bytes could hold takes no memory. */
Test(diff, refuses_many_empty_items)
{
	struct buf rlp = { 0 };
	struct state_diff out;
	size_t whole = rlp_list_open(&rlp), part = rlp_list_open(&rlp);

	for (unsigned i = 0; i < 100000; i++)
		buf_append_byte(&rlp, 0xc0);
	rlp_list_close(&rlp, part);
	rlp_list_close(&rlp, rlp_list_open(&rlp));
	rlp_list_close(&rlp, rlp_list_open(&rlp));
	rlp_list_close(&rlp, whole);
	cr_assert_eq(state_diff_decode(&out, buf_bytes(&rlp), NULL), STATE_E_FORMAT);
	buf_clear(&rlp);
}
