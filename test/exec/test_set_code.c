/* Transactions of type 4 (EIP-7702): who authorizes, what it costs, where calls then go. */
#include <criterion/criterion.h>

#include "codec/rlp.h"
#include "crypto/keccak.h"
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

/* --- EIP-7702's text, point by point --- */

static struct authorization first_of(const struct buf *list)
{
	struct bytes rest = buf_bytes(list);
	struct authorization a;

	cr_assert(tx_authorization_next(&rest, &a));
	return a;
}

/* "if authority is not empty": only then 12500 come back, a fifth of what was used at most. */
Test(exec_set_code, refund_is_for_accounts_that_are_there)
{
	struct addr contract = address_of(60), nobody;
	struct buf list = { 0 };
	struct authorization a;
	struct world w;
	struct tx t;
	bool success;

	start(&w, &contract);
	world_authorize(&list, &w, 1, 0, &contract, 0);
	t = set_code(&w.keys[7], &list);
	cr_assert_eq(send(&w, &t, &success), 46000 - 46000 / 5);
	buf_reset(&list);
	world_authorize(&list, &w, 20, 0, &contract, 0); /* has no account */
	a = first_of(&list);
	cr_assert_eq(tx_authorization_signer(&nobody, w.ecc, &a, NULL), OK);
	t = set_code(&w.keys[7], &list);
	t.nonce = 1;
	cr_assert_eq(send(&w, &t, &success), 46000);
	cr_assert_eq(world_account(&w, &nobody).nonce, 1);
	buf_clear(&list);
	world_clear(&w);
}

/* "must retrieve only the first code and then stop following": that begins with 0xef. */
Test(exec_set_code, delegations_are_followed_once)
{
	struct addr contract = address_of(60);
	struct buf list = { 0 };
	struct world w;
	struct tx t;
	bool success;

	start(&w, &contract);
	world_authorize(&list, &w, 1, 0, &w.keys[2], 0);
	world_authorize(&list, &w, 2, 0, &contract, 0);
	world_authorize(&list, &w, 3, 0, &w.keys[3], 0); /* itself */
	t = set_code(&w.keys[1], &list);
	cr_assert_eq(send(&w, &t, &success), t.gas_limit - 3 * 12500);
	cr_assert_not(success);
	cr_assert(delegates_to(&w, 1, &w.keys[2])); /* what fails does not take it back */
	t = set_code(&w.keys[2], &list);
	t.nonce = 1;
	send(&w, &t, &success);
	cr_assert(success);
	t = set_code(&w.keys[3], &list);
	t.nonce = 2;
	send(&w, &t, &success);
	cr_assert_not(success);
	buf_clear(&list);
	world_clear(&w);
}

/* "When a precompile address is the target of a delegation, the retrieved code is considered empty" */
Test(exec_set_code, precompiles_do_not_run_for_others)
{
	struct addr sha256 = { { [19] = 2 } }, contract = address_of(60);
	struct buf list = { 0 };
	struct world w;
	struct tx t;
	bool success;

	start(&w, &contract);
	world_authorize(&list, &w, 1, 0, &sha256, 0);
	t = set_code(&w.keys[1], &list);
	t.data = bytes_of("abc", 3);
	cr_assert_eq(send(&w, &t, &success), 46048 - 46048 / 5);
	cr_assert(success);
	buf_clear(&list);
	world_clear(&w);
}

/* EXTCODESIZE and EXTCODEHASH see the 23 bytes, not what they name. */
Test(exec_set_code, code_of_a_delegated_account_is_its_designation)
{
	static const char looks[] = "\x5f\x35\x3b\x60\x01\x55\x5f\x35\x3f\x60\x02\x55";
	uint8_t designation[23] = { 0xef, 0x01, 0x00 }, data[32] = { 0 };
	struct addr contract = address_of(60), looker = address_of(61);
	struct buf list = { 0 };
	struct hash want, have;
	struct world w;
	struct u256 value;
	struct tx t;
	bool success;

	world_init(&w);
	world_alloc(&w, &contract, 0, STORE_CALLER);
	world_alloc(&w, &looker, 0, looks);
	world_start(&w);
	world_authorize(&list, &w, 1, 0, &contract, 0);
	t = set_code(&looker, &list);
	memcpy(data + 12, w.keys[1].bytes, 20);
	t.data = bytes_of(data, sizeof(data));
	send(&w, &t, &success);
	cr_assert(success);
	world_storage(&w, &looker, 1, &value);
	cr_assert_eq(value.limbs[0], 23);
	memcpy(designation + 3, contract.bytes, 20);
	keccak256(&want, bytes_of(designation, sizeof(designation)));
	world_storage(&w, &looker, 2, &value);
	u256_to_be32(have.bytes, &value);
	cr_assert(hash_equal(&have, &want));
	buf_clear(&list);
	world_clear(&w);
}

/* A contract's key, if anybody had it, could not turn it into something else. */
Test(exec_set_code, accounts_with_code_can_not_delegate)
{
	struct addr contract = address_of(60);
	struct buf list = { 0 };
	struct world w;
	struct tx t;
	bool success;

	world_init(&w);
	world_alloc(&w, &contract, 0, STORE_CALLER);
	world_alloc(&w, &w.keys[1], 5, STORE_CALLER);
	world_start(&w);
	world_authorize(&list, &w, 1, 0, &contract, 0);
	t = set_code(&w.keys[7], &list);
	cr_assert_eq(send(&w, &t, &success), 46000); /* and no refund */
	cr_assert_not(delegates_to(&w, 1, &contract));
	cr_assert_eq(world_account(&w, &w.keys[1]).nonce, 0);
	buf_clear(&list);
	world_clear(&w);
}

static void put_authorization(struct buf *out, const struct authorization *a)
{
	size_t list = rlp_list_open(out);

	rlp_put_u256(out, &a->chain_id);
	rlp_put_addr(out, &a->address);
	rlp_put_u64(out, a->nonce);
	rlp_put_u256(out, &a->y_parity);
	rlp_put_u256(out, &a->r);
	rlp_put_u256(out, &a->s);
	rlp_list_close(out, list);
}

/* The other s of the same signature (EIP-2: refused), a parity that is none, r and s of 0. */
Test(exec_set_code, bad_signatures_are_void)
{
	const struct u256 order = { { 0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe,
				      0xffffffffffffffff } };
	struct addr contract = address_of(60);
	struct buf list = { 0 }, changed = { 0 };
	struct authorization a, b;
	struct world w;
	struct tx t;
	bool success;

	start(&w, &contract);
	world_authorize(&list, &w, 1, 0, &contract, 0);
	a = first_of(&list);
	b = a;
	u256_sub(&b.s, &order, &a.s);
	b.y_parity = u256_of(1 - a.y_parity.limbs[0]);
	put_authorization(&changed, &b);
	b = a;
	b.y_parity = u256_of(255);
	put_authorization(&changed, &b);
	b = a;
	b.r = u256_of(0);
	put_authorization(&changed, &b);
	b = a;
	b.s = u256_of(0);
	put_authorization(&changed, &b);
	t = set_code(&w.keys[7], &changed);
	cr_assert_eq(send(&w, &t, &success), 21000 + 4 * 25000);
	cr_assert(success);
	cr_assert_eq(world_account(&w, &w.keys[1]).nonce, 0);
	cr_assert_not(delegates_to(&w, 1, &contract));
	buf_clear(&changed);
	buf_clear(&list);
	world_clear(&w);
}

/* Whether the type's rules let it be: by its bytes or by its values. */
static bool is_valid(struct world *w, const struct tx *t)
{
	const struct secret_key key = { { [31] = 1 } };
	struct tx *signed_tx;
	bool good = tx_sign(&signed_tx, w->ecc, t, &key, NULL) == OK;

	if (good) {
		good = tx_check(signed_tx, &w->genesis.params, NULL) == OK;
		tx_unref(signed_tx);
	}
	return good;
}

/* The transaction, not the authorization, is invalid: no list, no callee, numbers too long. */
Test(exec_set_code, malformed_transactions_are_refused)
{
	struct addr contract = address_of(60);
	struct buf list = { 0 }, changed = { 0 };
	struct authorization a;
	struct world w;
	struct tx t;

	start(&w, &contract);
	world_authorize(&list, &w, 1, 0, &contract, 0);
	t = set_code(&contract, &list);
	cr_assert(is_valid(&w, &t));
	t.gas_limit = 46000;
	cr_assert(is_valid(&w, &t));
	t.gas_limit--;
	cr_assert_not(is_valid(&w, &t));
	t = set_code(&contract, &changed); /* an empty list */
	cr_assert_not(is_valid(&w, &t));
	t = set_code(&contract, &list);
	t.is_create = true;
	cr_assert_not(is_valid(&w, &t));
	a = first_of(&list);
	a.y_parity = u256_of(256);
	put_authorization(&changed, &a);
	t = set_code(&contract, &changed);
	cr_assert_not(is_valid(&w, &t));
	buf_clear(&changed);
	buf_clear(&list);
	world_clear(&w);
}
