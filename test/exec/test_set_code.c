/* Transactions of type 4 (EIP-7702): who authorizes, what it costs, where calls then go. */
#include <criterion/criterion.h>

#include "world.h"

/* CALLER PUSH1 1 SSTORE: who called, in slot 1 of whoever runs it. */
#define STORE_CALLER "\x33\x60\x01\x55"
#define STORE_GAS (2 + 3 + 22100)

static struct tx set_code(const struct addr *to, const struct buf *authorizations)
{
	struct tx t = world_template(0);

	t.type = TX_SET_CODE;
	t.to = *to;
	t.value = wei_of(0);
	t.gas_limit = 300000;
	t.authorizations = buf_bytes(authorizations);
	return t;
}

/* A block of that transaction, committed; its receipt's gas and success. */
static uint64_t send(struct world *w, const struct tx *t, bool *success)
{
	struct tx *signed_tx = world_sign(w, 0, t);
	struct exec_result r;
	uint64_t gas_used;
	int code;

	world_propose(w, &signed_tx, 1, &code, &r);
	cr_assert_eq(code, OK);
	*success = r.receipts[0].success;
	gas_used = r.receipts[0].gas_used;
	world_commit(w, &r);
	exec_result_clear(&r);
	tx_unref(signed_tx);
	return gas_used;
}

static bool delegates_to(struct world *w, size_t key, const struct addr *to)
{
	struct account a = world_account(w, &w->keys[key]);
	struct state_view view = world_view(w);
	struct buf code = { 0 };
	bool is;

	cr_assert_eq(state_code(&view, &code, &a.code_hash, NULL), OK);
	is = code.size == 23 && memcmp(code.data, "\xef\x01\x00", 3) == 0 &&
	     memcmp(code.data + 3, to->bytes, 20) == 0;
	buf_clear(&code);
	return is;
}

static void start(struct world *w, const struct addr *contract)
{
	world_init(w);
	world_alloc(w, contract, 0, STORE_CALLER);
	world_start(w);
}

Test(exec_set_code, code_runs_in_the_account_that_authorized)
{
	struct addr contract = address_of(60);
	struct buf list = { 0 };
	struct world w;
	struct u256 caller;
	struct tx t;
	bool success;

	start(&w, &contract);
	world_authorize(&list, &w, 1, WORLD_CHAIN_ID, &contract, 0);
	t = set_code(&w.keys[1], &list);
	/* 12500 of the 25000 come back, since the account is there: a fifth is 13621 */
	cr_assert_eq(send(&w, &t, &success), 21000 + 25000 + STORE_GAS - 12500);
	cr_assert(success);
	cr_assert(delegates_to(&w, 1, &contract));
	cr_assert_eq(world_account(&w, &w.keys[1]).nonce, 1);
	world_storage(&w, &w.keys[1], 1, &caller);
	cr_assert_neq(caller.limbs[0], 0);
	world_storage(&w, &contract, 1, &caller);
	cr_assert(u256_is_zero(&caller));
	buf_clear(&list);
	world_clear(&w);
}

Test(exec_set_code, void_authorizations_change_nothing)
{
	struct addr contract = address_of(60), other = address_of(61);
	struct buf list = { 0 };
	struct world w;
	struct tx t;
	bool success;

	start(&w, &contract);
	world_authorize(&list, &w, 1, WORLD_CHAIN_ID, &contract, 1);     /* its nonce is 0 */
	world_authorize(&list, &w, 2, WORLD_CHAIN_ID + 1, &contract, 0); /* another chain */
	world_authorize(&list, &w, 3, 0, &contract, 0);                  /* any chain: good */
	world_authorize(&list, &w, 3, 0, &other, 1);                     /* and once more */
	t = set_code(&other, &list);
	send(&w, &t, &success);
	cr_assert(success);
	cr_assert_not(delegates_to(&w, 1, &contract));
	cr_assert_not(delegates_to(&w, 2, &contract));
	cr_assert(delegates_to(&w, 3, &other));
	cr_assert_eq(world_account(&w, &w.keys[1]).nonce, 0);
	cr_assert_eq(world_account(&w, &w.keys[3]).nonce, 2);
	buf_clear(&list);
	world_clear(&w);
}

Test(exec_set_code, zero_address_takes_the_delegation_away)
{
	struct addr contract = address_of(60), nobody = { 0 };
	struct account signer;
	struct buf list = { 0 };
	struct world w;
	struct tx t;
	bool success;

	start(&w, &contract);
	world_authorize(&list, &w, 1, 0, &contract, 0);
	world_authorize(&list, &w, 1, 0, &nobody, 1);
	t = set_code(&w.keys[1], &list);
	send(&w, &t, &success);
	cr_assert(success);
	signer = world_account(&w, &w.keys[1]);
	cr_assert(hash_equal(&signer.code_hash, &account_empty.code_hash));
	cr_assert_eq(signer.nonce, 2);
	buf_clear(&list);
	world_clear(&w);
}

/* The sender may authorize itself: its nonce has risen by then. */
Test(exec_set_code, sender_authorizes_itself_with_the_next_nonce)
{
	struct addr contract = address_of(60);
	struct buf list = { 0 };
	struct world w;
	struct tx t;
	bool success;

	start(&w, &contract);
	world_authorize(&list, &w, 0, 0, &contract, 1);
	t = set_code(&w.keys[0], &list);
	send(&w, &t, &success);
	cr_assert(success);
	cr_assert(delegates_to(&w, 0, &contract));
	cr_assert_eq(world_account(&w, &w.keys[0]).nonce, 2);
	t = world_template(2); /* and it still sends */
	send(&w, &t, &success);
	cr_assert(success);
	buf_clear(&list);
	world_clear(&w);
}

Test(exec_set_code, cancun_refuses_the_type)
{
	struct addr contract = address_of(60);
	struct buf list = { 0 };
	struct chain_params params;
	struct tx *signed_tx;
	struct world w;
	struct tx t;

	start(&w, &contract);
	world_authorize(&list, &w, 1, 0, &contract, 0);
	t = set_code(&w.keys[1], &list);
	signed_tx = world_sign(&w, 0, &t);
	params = w.genesis.params;
	params.revision = REVISION_CANCUN;
	cr_assert_eq(tx_check(signed_tx, &params, NULL), CHAIN_E_TX_VALUE);
	params.revision = REVISION_PRAGUE;
	cr_assert_eq(tx_check(signed_tx, &params, NULL), OK);
	tx_unref(signed_tx);
	buf_clear(&list);
	world_clear(&w);
}
