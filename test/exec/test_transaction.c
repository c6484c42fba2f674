/* One transaction: every rule on both sides of its boundary, and what is paid. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "codec/rlp.h"
#include "world.h"

#define GWEI WEI_PER_GWEI

/* Sends one in a block of its own; gives its code. *receipt is NULL if it stayed out. */
static int send(struct world *w, size_t key, const struct tx *t, struct exec_result *r)
{
	struct tx *tx = world_sign(w, key, t);
	int code;

	world_propose(w, &tx, 1, &code, r);
	cr_assert_eq(r->block.tx_count, code == OK);
	world_commit(w, r);
	tx_unref(tx);
	return code;
}

static int send_only(struct world *w, size_t key, const struct tx *t)
{
	struct exec_result r;
	int code = send(w, key, t, &r);

	exec_result_clear(&r);
	return code;
}

/* Whether it succeeds, once it is in a block. */
static bool send_status(struct world *w, size_t key, const struct tx *t)
{
	struct exec_result r;
	bool success;

	cr_assert_eq(send(w, key, t, &r), OK);
	success = r.receipts[0].success;
	exec_result_clear(&r);
	return success;
}

static void start(struct world *w, enum revision revision)
{
	world_init(w);
	w->genesis.params.revision = revision;
	w->genesis.params.reward_gwei = 0;
	world_start(w);
}

/* --- validity --- */

Test(exec_transaction, nonce_must_be_the_accounts)
{
	struct world w;
	struct tx t = world_template(1);

	start(&w, REVISION_OSAKA);
	cr_assert_eq(send_only(&w, 0, &t), EXEC_E_NONCE_HIGH);
	t.nonce = 0;
	cr_assert_eq(send_only(&w, 0, &t), OK);
	cr_assert_eq(send_only(&w, 0, &t), EXEC_E_NONCE_LOW);
	t.nonce = 1;
	cr_assert_eq(send_only(&w, 0, &t), OK);
	cr_assert_eq(world_account(&w, &w.keys[0]).nonce, 2);
	world_clear(&w);
}

Test(exec_transaction, balance_must_cover_gas_limit_at_max_fee_and_value)
{
	struct world w;
	struct tx t = world_template(0);

	start(&w, REVISION_OSAKA);
	t.gas_limit = 100000;
	t.max_fee = wei_of(5 * GWEI);
	t.value = wei_of(WORLD_FUNDS - 100000 * 5 * GWEI + 1);
	cr_assert_eq(send_only(&w, 0, &t), EXEC_E_FUNDS);
	cr_assert_eq(world_balance(&w, &w.keys[0]), WORLD_FUNDS);
	t.value = wei_of(WORLD_FUNDS - 100000 * 5 * GWEI);
	cr_assert_eq(send_only(&w, 0, &t), OK);
	cr_assert_eq(world_balance(&w, &t.to), t.value.n.limbs[0]);
	world_clear(&w);
}

Test(exec_transaction, max_fee_must_reach_base_fee)
{
	struct world w;
	struct tx t = world_template(0);

	start(&w, REVISION_OSAKA);
	t.max_priority_fee = wei_of(0);
	t.max_fee = wei_of(BASE_FEE_FLOOR_DEFAULT - 1);
	cr_assert_eq(send_only(&w, 0, &t), EXEC_E_FEE);
	t.max_fee = wei_of(BASE_FEE_FLOOR_DEFAULT);
	cr_assert_eq(send_only(&w, 0, &t), OK);
	world_clear(&w);
}

Test(exec_transaction, what_no_chain_takes_is_refused_as_such)
{
	struct world w;
	struct tx t = world_template(0);
	struct exec_result r;

	start(&w, REVISION_OSAKA);
	t.chain_id = WORLD_CHAIN_ID + 1;
	cr_assert_eq(send_only(&w, 0, &t), CHAIN_E_TX_CHAIN_ID);
	t = world_template(0);
	t.max_priority_fee = wei_of(2 * BASE_FEE_FLOOR_DEFAULT + 1);
	cr_assert_eq(send_only(&w, 0, &t), CHAIN_E_TX_VALUE);
	t = world_template(0);
	t.gas_limit = 20999;
	cr_assert_eq(send_only(&w, 0, &t), CHAIN_E_TX_VALUE);
	t.gas_limit = TX_GAS_LIMIT_MAX + 1;
	cr_assert_eq(send_only(&w, 0, &t), CHAIN_E_TX_VALUE);
	t.gas_limit = TX_GAS_LIMIT_MAX;
	cr_assert_eq(send(&w, 0, &t, &r), OK);
	cr_assert_eq(r.block.header.gas_used, 21000);
	exec_result_clear(&r);
	t = world_template(1); /* a legacy one without a chain id is anybody's */
	t.type = TX_LEGACY;
	t.has_chain_id = false;
	cr_assert_eq(send_only(&w, 0, &t), OK);
	world_clear(&w);
}

Test(exec_transaction, gas_cap_begins_with_osaka)
{
	struct world w;
	struct tx t = world_template(0);

	start(&w, REVISION_PRAGUE);
	t.gas_limit = TX_GAS_LIMIT_MAX + 1;
	cr_assert_eq(send_only(&w, 0, &t), OK);
	world_clear(&w);
}

Test(exec_transaction, sender_with_code_is_refused)
{
	static const char *const codes[] = { "\x60\x01", "\xef\x01\x01 and twenty bytes more",
					     "\xef\x01\x02 and twenty byte..",
					     "\xef\x01" "\x01" "01234567890123456789" };

	for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
		struct world w;
		struct tx t = world_template(0);

		world_init(&w);
		world_alloc(&w, &w.keys[0], 0, codes[i]);
		world_start(&w);
		cr_assert_eq(send_only(&w, 0, &t), EXEC_E_SENDER_CODE);
		world_clear(&w);
	}
}

/* EIP-7702: an account that delegates may still send, from Prague on. */
Test(exec_transaction, sender_with_delegation_may_send)
{
	for (enum revision revision = REVISION_CANCUN; revision <= REVISION_OSAKA; revision++) {
		struct world w;
		struct tx t = world_template(0);

		world_init(&w);
		w.genesis.params.revision = revision;
		world_alloc(&w, &w.keys[0], 0, "\xef\x01\x01" "01234567890123456789");
		for (size_t i = 0; i < w.genesis.account_count; i++) {
			struct genesis_account *a = &w.genesis.accounts[i];
			uint8_t *code;

			if (!addr_equal(&a->address, &w.keys[0]))
				continue;
			code = (uint8_t *)(uintptr_t)a->code.data;
			code[2] = 0;
		}
		world_start(&w);
		cr_assert_eq(send_only(&w, 0, &t),
			     revision >= REVISION_PRAGUE ? OK : EXEC_E_SENDER_CODE);
		world_clear(&w);
	}
}

Test(exec_transaction, precompiles_are_where_the_revision_has_them)
{
	static const struct {
		uint8_t bytes[2]; /* the last two of the address */
		bool fails[3];    /* Cancun, Prague, Osaka: what does not exist here fails */
	} rows[] = {
		{ { 0, 0x00 }, { false, false, false } },
		{ { 0, 0x01 }, { false, false, false } },
		{ { 0, 0x0a }, { true, true, true } },
		{ { 0, 0x0b }, { false, true, true } },
		{ { 0, 0x11 }, { false, true, true } },
		{ { 0, 0x12 }, { false, false, false } },
		{ { 1, 0x00 }, { false, false, false } },
		{ { 1, 0x01 }, { false, false, false } },
	};

	for (enum revision revision = REVISION_CANCUN; revision <= REVISION_OSAKA; revision++) {
		struct world w;
		struct tx t = world_template(0);

		world_init(&w);
		w.genesis.params.revision = revision;
		world_start(&w);
		t.gas_limit = 30000;
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
			t.to = (struct addr){
				{ [18] = rows[i].bytes[0], [19] = rows[i].bytes[1] }
			};
			cr_assert_eq(send_status(&w, 0, &t), !rows[i].fails[revision], "row %zu", i);
			t.nonce++;
		}
		world_clear(&w);
	}
}

Test(exec_transaction, fees_go_where_they_belong)
{
	static const struct {
		enum tx_type type;
		uint64_t fee, tip;
		uint64_t price; /* what a gas costs at a base fee of 1 gwei */
	} rows[] = {
		{ TX_LEGACY, 3 * GWEI, 3 * GWEI, 3 * GWEI },
		{ TX_ACCESS_LIST, 2 * GWEI, 2 * GWEI, 2 * GWEI },
		{ TX_DYNAMIC_FEE, 5 * GWEI, 2 * GWEI, 3 * GWEI },
		{ TX_DYNAMIC_FEE, 5 * GWEI, 5 * GWEI, 5 * GWEI },
		{ TX_DYNAMIC_FEE, 3 * GWEI / 2, GWEI, 3 * GWEI / 2 },
		{ TX_DYNAMIC_FEE, GWEI, 0, GWEI },
	};

	for (size_t i = 0; i < 2 * ARRAY_COUNT(rows); i++) {
		bool has_recipient = i >= ARRAY_COUNT(rows);
		size_t row = i % ARRAY_COUNT(rows);
		struct tx t = world_template(0);
		struct addr recipient = address_of(50);
		struct exec_result r;
		struct world w;

		world_init(&w);
		w.genesis.params.reward_gwei = 0;
		w.genesis.params.has_base_fee_recipient = has_recipient;
		w.genesis.params.base_fee_recipient = recipient;
		world_start(&w);
		t.type = rows[row].type;
		t.max_fee = wei_of(rows[row].fee);
		t.max_priority_fee = wei_of(rows[row].tip);
		t.value = wei_of(1000);
		t.gas_limit = 50000; /* what is not used comes back */
		cr_assert_eq(send(&w, 0, &t, &r), OK);
		cr_assert_eq(r.receipts[0].gas_used, 21000);
		cr_assert_eq(r.receipts[0].cumulative_gas_used, 21000);
		cr_assert(r.receipts[0].success);
		cr_assert_eq(r.receipts[0].type, rows[row].type);
		cr_assert_eq(world_balance(&w, &w.keys[0]),
			     WORLD_FUNDS - 1000 - 21000 * rows[row].price);
		cr_assert_eq(world_balance(&w, &w.proposal.coinbase),
			     21000 * (rows[row].price - GWEI));
		cr_assert_eq(world_balance(&w, &recipient), has_recipient ? 21000 * GWEI : 0);
		cr_assert_eq(world_balance(&w, &t.to), 1000);
		exec_result_clear(&r);
		world_clear(&w);
	}
}

/* Gas used by data and access lists in each revision. */
Test(exec_transaction, gas_of_data_floor_and_access_list)
{
	static const struct {
		size_t zeros, nonzeros, addresses, slots;
		uint64_t want[3];
	} rows[] = {
		{ 0, 0, 0, 0, { 21000, 21000, 21000 } },
		{ 10, 0, 0, 0, { 21040, 21100, 21100 } },
		{ 0, 10, 0, 0, { 21160, 21400, 21400 } },
		{ 3, 5, 0, 0, { 21092, 21230, 21230 } },
		{ 0, 0, 2, 3, { 31500, 31500, 31500 } },
		/* 21000 + 160 + 2400 is above the floor of 21400 */
		{ 0, 10, 1, 0, { 23560, 23560, 23560 } },
		/* 21000 + 1600 + 2400 equals the floor */
		{ 0, 100, 1, 0, { 25000, 25000, 25000 } },
		{ 0, 101, 1, 0, { 25016, 25040, 25040 } },
	};
	uint8_t data[256];

	for (enum revision revision = REVISION_CANCUN; revision <= REVISION_OSAKA; revision++) {
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
			struct tx t = world_template(0);
			struct buf list = { 0 };
			struct exec_result r;
			struct world w;

			start(&w, revision);
			memset(data, 0, rows[i].zeros);
			memset(data + rows[i].zeros, 7, rows[i].nonzeros);
			t.data = bytes_of(data, rows[i].zeros + rows[i].nonzeros);
			for (size_t j = 0; j < rows[i].addresses; j++) {
				size_t entry = rlp_list_open(&list), slots;
				struct addr address = address_of((uint8_t)j);

				rlp_put_addr(&list, &address);
				slots = rlp_list_open(&list);
				for (size_t k = 0; j == 0 && k < rows[i].slots; k++) {
					struct hash slot = exec_slot(k);

					rlp_put_hash(&list, &slot);
				}
				rlp_list_close(&list, slots);
				rlp_list_close(&list, entry);
			}
			t.access_list = buf_bytes(&list);
			t.gas_limit = rows[i].want[revision] - 1;
			cr_assert_eq(send_only(&w, 0, &t), CHAIN_E_TX_VALUE, "row %zu", i);
			t.gas_limit = rows[i].want[revision];
			cr_assert_eq(send(&w, 0, &t, &r), OK, "row %zu", i);
			cr_assert_eq(r.receipts[0].gas_used, rows[i].want[revision]);
			exec_result_clear(&r);
			t.nonce = 1;
			t.gas_limit += 1000;
			cr_assert_eq(send(&w, 0, &t, &r), OK, "row %zu", i);
			cr_assert_eq(r.receipts[0].gas_used, rows[i].want[revision]);
			exec_result_clear(&r);
			buf_clear(&list);
			world_clear(&w);
		}
	}
}

Test(exec_transaction, cumulative_gas_adds_up)
{
	struct world w;
	struct exec_result r;
	struct tx t = world_template(0), *txs[3];

	start(&w, REVISION_OSAKA);
	for (uint64_t i = 0; i < 3; i++) {
		t.nonce = i;
		txs[i] = world_sign(&w, 0, &t);
	}
	world_propose(&w, txs, 3, NULL, &r);
	for (uint64_t i = 0; i < 3; i++) {
		cr_assert_eq(r.receipts[i].cumulative_gas_used, 21000 * (i + 1));
		tx_unref(txs[i]);
	}
	cr_assert_eq(r.block.header.gas_used, 63000);
	exec_result_clear(&r);
	world_clear(&w);
}

/* --- EIP-161 and other corners --- */

Test(exec_transaction, nothing_sent_makes_no_account)
{
	struct world w;
	struct exec_result r;
	struct tx t = world_template(0);
	struct addr nobody = address_of(33);

	start(&w, REVISION_OSAKA);
	t.to = nobody;
	t.value = wei_of(0);
	t.max_priority_fee = wei_of(0); /* so the proposer gets nothing either */
	cr_assert_eq(send(&w, 0, &t, &r), OK);
	cr_assert_null(map_get(&w.accounts, &nobody));
	cr_assert_null(map_get(&w.accounts, &w.proposal.coinbase));
	for (size_t i = 0; i < r.diff.account_count; i++) {
		cr_assert_not(addr_equal(&r.diff.accounts[i].address, &nobody));
		cr_assert_not(addr_equal(&r.diff.accounts[i].address, &w.proposal.coinbase));
	}
	exec_result_clear(&r);
	world_clear(&w);
}

/* A sender never becomes empty, as its nonce has risen. */
Test(exec_transaction, sender_stays_with_nothing_left)
{
	struct world w;
	struct tx t = world_template(0);

	start(&w, REVISION_OSAKA);
	t.max_fee = wei_of(GWEI);
	t.max_priority_fee = wei_of(0);
	t.value = wei_of(WORLD_FUNDS - 21000 * GWEI);
	cr_assert_eq(send_only(&w, 0, &t), OK);
	cr_assert_eq(world_balance(&w, &w.keys[0]), 0);
	cr_assert_eq(world_account(&w, &w.keys[0]).nonce, 1);
	world_clear(&w);
}

Test(exec_transaction, transfer_to_oneself_costs_gas_only)
{
	struct world w;
	struct tx t = world_template(0);

	start(&w, REVISION_OSAKA);
	t.to = w.keys[0];
	t.value = wei_of(WORLD_FUNDS / 2);
	cr_assert_eq(send_only(&w, 0, &t), OK);
	cr_assert_eq(world_balance(&w, &w.keys[0]), WORLD_FUNDS - 21000 * 2 * GWEI);
	world_clear(&w);
}

Test(exec_transaction, proposer_may_send_and_receive)
{
	struct world w;
	struct tx t = world_template(0);

	start(&w, REVISION_OSAKA);
	w.proposal.coinbase = w.keys[0];
	t.to = w.keys[0];
	cr_assert_eq(send_only(&w, 0, &t), OK);
	cr_assert_eq(world_balance(&w, &w.keys[0]), WORLD_FUNDS - 21000 * GWEI,
		     "the tip is its own");
	cr_assert_eq(send_only(&w, 1, &t), OK);
	cr_assert_eq(world_balance(&w, &w.keys[0]), WORLD_FUNDS - 21000 * GWEI + 21000 * GWEI + 1);
	world_clear(&w);
}

/* Money that arrives in a block can be spent in it. */
Test(exec_transaction, money_moves_within_a_block)
{
	struct world w;
	struct exec_result r;
	struct tx t = world_template(0), *txs[2];
	struct addr last = address_of(9);

	start(&w, REVISION_OSAKA);
	t.to = w.keys[1];
	t.value = wei_of(WORLD_FUNDS / 2);
	txs[0] = world_sign(&w, 0, &t);
	t.to = last;
	t.value = wei_of(WORLD_FUNDS + WORLD_FUNDS / 4);
	txs[1] = world_sign(&w, 1, &t);
	world_propose(&w, txs, 2, NULL, &r);
	cr_assert_eq(r.block.tx_count, 2);
	world_commit(&w, &r);
	cr_assert_eq(world_balance(&w, &last), WORLD_FUNDS + WORLD_FUNDS / 4);
	exec_result_clear(&r);
	tx_unref(txs[0]);
	tx_unref(txs[1]);
	world_clear(&w);
}

/* --- admission --- */

static int admit(struct world *w, size_t key, const struct tx *t)
{
	struct tx *tx = world_sign(w, key, t);
	struct account sender = world_account(w, &tx->sender);
	struct err err = { 0 };
	int rc = exec_admit(&w->genesis.params, world_view(w), tx, &sender, &err);

	cr_assert_eq(err.code, rc);
	tx_unref(tx);
	return rc;
}

Test(exec_transaction, admission_asks_all_but_gaps_and_base_fee)
{
	struct world w;
	struct tx t = world_template(0);
	struct addr contract = address_of(77);

	world_init(&w);
	world_alloc(&w, &contract, 5, "\x60\x01");
	world_alloc(&w, &w.keys[5], 5, "\x60\x01");
	w.genesis.params.block_gas_limit = 1000000;
	world_start(&w);
	cr_assert_eq(admit(&w, 0, &t), OK);
	t.nonce = 9;
	t.max_fee = t.max_priority_fee = wei_of(1);
	cr_assert_eq(admit(&w, 0, &t), OK);
	t.gas_limit = 1000000;
	cr_assert_eq(admit(&w, 0, &t), OK);
	t.gas_limit++;
	cr_assert_eq(admit(&w, 0, &t), EXEC_E_GAS_LIMIT);
	t = world_template(0);
	cr_assert_eq(admit(&w, 5, &t), EXEC_E_SENDER_CODE);
	t.chain_id++;
	cr_assert_eq(admit(&w, 0, &t), CHAIN_E_TX_CHAIN_ID);
	t = world_template(0);
	t.value = wei_of(WORLD_FUNDS);
	cr_assert_eq(admit(&w, 0, &t), EXEC_E_FUNDS);
	t = world_template(0);
	t.to = contract;
	cr_assert_eq(admit(&w, 0, &t), OK);
	t.to = native_validators_address;
	cr_assert_eq(admit(&w, 0, &t), OK);
	t.is_create = true;
	t.gas_limit = 60000;
	cr_assert_eq(admit(&w, 0, &t), OK);
	t = world_template(0);
	cr_assert_eq(send_only(&w, 0, &t), OK);
	cr_assert_eq(admit(&w, 0, &t), EXEC_E_NONCE_LOW);
	world_clear(&w);
}

Test(exec_transaction, messages_are_those_that_clients_match)
{
	static const struct {
		uint64_t nonce, value, fee, gas_limit;
		const char *text;
	} rows[] = {
		{ 0, 1, GWEI, 21000, "nonce too low: next nonce 1, tx nonce 0" },
		{ 1, WORLD_FUNDS, GWEI, 21000, "insufficient funds for gas * price + value" },
		{ 1, 1, GWEI, 20999, "intrinsic gas too low" },
	};
	struct world w;
	struct tx t = world_template(0);

	start(&w, REVISION_OSAKA);
	cr_assert_eq(send_only(&w, 0, &t), OK);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct account sender = world_account(&w, &w.keys[0]);
		struct err err = { 0 };
		struct tx *tx;

		t.nonce = rows[i].nonce;
		t.value = wei_of(rows[i].value);
		t.max_fee = t.max_priority_fee = wei_of(rows[i].fee);
		t.gas_limit = rows[i].gas_limit;
		tx = world_sign(&w, 0, &t);
		cr_assert_neq(exec_admit(&w.genesis.params, world_view(&w), tx, &sender, &err), OK);
		cr_assert_eq(strncmp(err.message, rows[i].text, strlen(rows[i].text)), 0, "%s",
			     err.message);
		tx_unref(tx);
	}
	world_clear(&w);
}
