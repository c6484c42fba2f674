/* Native contracts by transaction and by call, calls and estimates, genesis. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "crypto/keccak.h"
#include "exec/abi.h"
#include "world.h"

static struct bytes call_data(struct buf *out, const char *signature, const struct addr *argument)
{
	struct hash h;

	buf_reset(out);
	keccak256(&h, bytes_of_str(signature));
	buf_append(out, h.bytes, ABI_SELECTOR_SIZE);
	if (argument) {
		struct u256 word = u256_from_be(addr_bytes(argument));

		abi_put_word(out, &word);
	}
	return buf_bytes(out);
}

static uint64_t word_at(struct bytes output, size_t index)
{
	struct u256 v;

	cr_assert_leq(32 * (index + 1), output.size);
	v = u256_from_be(bytes_of(output.data + 32 * index, 32));
	return v.limbs[0];
}

/* Calls without a sender, as eth_call does. */
static int call(struct world *w, const struct addr *to, struct bytes data,
		struct exec_call_result *out, struct err *err)
{
	struct exec_call c = { .to = *to, .data = data };

	*out = (struct exec_call_result){ 0 };
	return exec_call(w->exec, &w->parent, world_view(w), &c, out, err);
}

/* The output of a call that must succeed. */
static struct exec_call_result ask(struct world *w, const char *signature,
				   const struct addr *argument)
{
	struct exec_call_result r;
	struct buf data = { 0 };

	cr_assert_eq(call(w, &native_validators_address, call_data(&data, signature, argument), &r,
			  NULL), OK);
	cr_assert(r.success && !r.reverted);
	buf_clear(&data);
	return r;
}

/* --- genesis --- */

Test(exec_native, genesis_state_has_contracts_and_their_storage)
{
	struct world w;
	struct account a;
	size_t count;
	const struct native_contract *table = native_table(&count);
	struct u256 value;
	struct buf code = { 0 };

	world_init(&w);
	world_start(&w);
	cr_assert_eq(count, 1);
	cr_assert_eq(native_find(&native_validators_address), &table[0]);
	cr_assert_null(native_find(&exec_history_address));
	a = world_account(&w, &native_validators_address);
	cr_assert_eq(a.nonce, 1);
	cr_assert_eq(world_view(&w).ops->code(&w, &code, &a.code_hash, NULL), OK);
	cr_assert(bytes_equal(buf_bytes(&code), bytes_of_str("\xfeweft:validators")));
	cr_assert_neq(memcmp(&a.storage_root, &account_empty.storage_root, 32), 0);
	world_storage(&w, &native_validators_address, 0, &value);
	cr_assert_eq(value.limbs[0], 2);
	world_storage(&w, &native_validators_address, 1, &value);
	cr_assert_eq(value.limbs[0], 4);
	buf_clear(&code);
	world_clear(&w);
}

/* The slots as the header documents them, worked out here. */
Test(exec_native, storage_is_where_the_header_says)
{
	uint8_t key[32 + 9] = { 0 };
	struct hash slot;
	struct u256 value;
	struct state_view view;
	struct world w;

	world_init(&w);
	world_start(&w);
	view = world_view(&w);
	key[31] = 1;
	memcpy(key + 32, "validator", 9);
	keccak256(&slot, bytes_of(key, 32 + 9));
	cr_assert_eq(state_storage(&view, &value, &native_validators_address, &slot, NULL), OK);
	cr_assert_eq(value.limbs[2] >> 24, 0xb2, "the second validator's address begins with b2");
	memset(key, 0, 32);
	key[12] = 0xb2;
	memcpy(key + 32, "weight", 6);
	keccak256(&slot, bytes_of(key, 32 + 6));
	cr_assert_eq(state_storage(&view, &value, &native_validators_address, &slot, NULL), OK);
	cr_assert_eq(value.limbs[0], 3);
	world_clear(&w);
}

static void refuse_genesis(const struct genesis *g, const char *text)
{
	struct overlay *overlay = overlay_new((struct overlay_limits){ 1000, 1000 }, 4);
	struct err err = { 0 };

	overlay_reset(overlay, state_view_empty());
	cr_assert_eq(native_genesis_state(overlay, g, &err), CHAIN_E_GENESIS);
	cr_assert_not_null(strstr(err.message, text), "%s", err.message);
	overlay_free(overlay);
}

Test(exec_native, genesis_refuses_what_would_break_later)
{
	struct genesis g;
	struct wei half = { { { 0, 0, 0, 1ull << 62 } } };
	struct addr address = address_of(1);

	genesis_default(&g, 1, 0);
	genesis_fund(&g, &native_validators_address, wei_of(1));
	refuse_genesis(&g, "validators");
	genesis_clear(&g);
	genesis_default(&g, 1, 0);
	genesis_fund(&g, &address, half);
	address = address_of(2);
	genesis_fund(&g, &address, half);
	refuse_genesis(&g, "2^255");
	genesis_clear(&g);
	genesis_default(&g, 1, 0);
	genesis_fund(&g, &address, wei_of(0));
	for (size_t i = 0; i < g.account_count; i++) {
		if (!addr_equal(&g.accounts[i].address, &address))
			continue;
		g.accounts[i].slots = calloc(1, sizeof(struct genesis_slot));
		g.accounts[i].slots[0].value = u256_of(1);
		g.accounts[i].slot_count = 1;
	}
	refuse_genesis(&g, "EIP-161");
	genesis_clear(&g);
}

/* --- calls --- */

Test(exec_native, validators_answer)
{
	struct world w;
	struct exec_call_result r;
	struct addr nobody = address_of(1);
	struct bytes out;

	world_init(&w);
	world_start(&w);
	r = ask(&w, "getValidators()", NULL);
	out = buf_bytes(&r.output);
	cr_assert_eq(out.size, 8 * 32);
	cr_assert_eq(word_at(out, 0), 64);
	cr_assert_eq(word_at(out, 1), 64 + 96);
	cr_assert_eq(word_at(out, 2), 2);
	cr_assert_eq(out.data[3 * 32 + 12], 0xa1);
	cr_assert_eq(out.data[4 * 32 + 12], 0xb2);
	cr_assert_eq(word_at(out, 5), 2);
	cr_assert_eq(word_at(out, 6), 1);
	cr_assert_eq(word_at(out, 7), 3);
	/* 4 bytes of data at 40; call, 1 + 2·2 slots, 8 words */
	cr_assert_eq(r.gas_used, 21000 + 64 + 200 + 5 * 2100 + 8 * 3);
	exec_call_result_clear(&r);
	r = ask(&w, "totalWeight()", NULL);
	cr_assert_eq(word_at(buf_bytes(&r.output), 0), 4);
	cr_assert_eq(r.output.size, 32);
	exec_call_result_clear(&r);
	r = ask(&w, "weightOf(address)", &w.genesis.validators.members[1].address);
	cr_assert_eq(word_at(buf_bytes(&r.output), 0), 3);
	exec_call_result_clear(&r);
	r = ask(&w, "weightOf(address)", &nobody);
	cr_assert_eq(word_at(buf_bytes(&r.output), 0), 0);
	exec_call_result_clear(&r);
	world_clear(&w);
}

Test(exec_native, malformed_calls_revert_with_reason)
{
	static const struct {
		const char *data;
		size_t size;
		const char *reason;
	} rows[] = {
		{ "", 0, "validators: names no function" },
		{ "\xb7\xab\x4d", 3, "validators: names no function" },
		{ "\x01\x02\x03\x04", 4, "validators: no such function" },
		{ "\xdd\x4b\xc1\x01", 4, "weightOf: the argument is not an address" },
		{ "\xdd\x4b\xc1\x01" "0123456789012345678901234567890", 35,
		  "weightOf: the argument is not an address" },
		{ "\xdd\x4b\xc1\x01" "01234567890123456789012345678901", 36,
		  "weightOf: the argument is not an address" },
	};
	struct world w;

	world_init(&w);
	world_start(&w);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct exec_call_result r;
		struct bytes out;

		cr_assert_eq(call(&w, &native_validators_address,
				  bytes_of(rows[i].data, rows[i].size), &r, NULL), OK);
		cr_assert(!r.success && r.reverted);
		out = buf_bytes(&r.output);
		cr_assert_eq(out.size % 32, 4);
		cr_assert_eq(load_be32(out.data), 0x08c379a0);
		cr_assert_eq(word_at(bytes_of(out.data + 4, out.size - 4), 0), 32);
		cr_assert_eq(word_at(bytes_of(out.data + 4, out.size - 4), 1),
			     strlen(rows[i].reason));
		cr_assert_eq(memcmp(out.data + 68, rows[i].reason, strlen(rows[i].reason)), 0);
		exec_call_result_clear(&r);
	}
	world_clear(&w);
}

Test(exec_native, gas_that_does_not_suffice_fails)
{
	struct world w;
	struct buf data = { 0 };
	const uint64_t need = 21000 + 64 + 200 + 5 * 2100 + 8 * 3;

	world_init(&w);
	world_start(&w);
	call_data(&data, "getValidators()", NULL);
	for (uint64_t gas = 21064; gas <= need; gas += gas + 97 < need ? 97
						       : need - gas    ? 1
								       : need) {
		struct exec_call c = { .to = native_validators_address, .data = buf_bytes(&data),
				       .has_gas = true, .gas = gas };
		struct exec_call_result r;

		if (gas < 21160) /* the floor for 4 bytes (EIP-7623) */
			continue;
		cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, NULL), OK);
		cr_assert_eq(r.success, gas == need, "%zu", (size_t)gas);
		cr_assert_not(r.reverted);
		cr_assert_eq(r.gas_used, gas, "all of it is gone");
		cr_assert_eq(r.output.size, r.success ? 256 : 0);
		exec_call_result_clear(&r);
	}
	buf_clear(&data);
	world_clear(&w);
}

/* --- transactions --- */

Test(exec_native, transaction_runs_and_pays)
{
	struct world w;
	struct exec_result r;
	struct buf data = { 0 };
	struct tx t = world_template(0), *tx;

	world_init(&w);
	world_start(&w);
	t.to = native_validators_address;
	t.value = wei_of(0);
	t.gas_limit = 60000;
	t.data = call_data(&data, "totalWeight()", NULL);
	tx = world_sign(&w, 0, &t);
	world_propose(&w, &tx, 1, NULL, &r);
	cr_assert_eq(r.block.tx_count, 1);
	cr_assert(r.receipts[0].success);
	cr_assert_eq(r.receipts[0].gas_used, 21000 + 64 + 200 + 2100 + 3);
	world_commit(&w, &r);
	cr_assert_eq(world_balance(&w, &w.keys[0]), WORLD_FUNDS - 23367 * 2 * WEI_PER_GWEI);
	tx_unref(tx);
	exec_result_clear(&r);
	buf_clear(&data);
	world_clear(&w);
}

/* Value comes back, nonce and fee stay: reverted, and failed with all gas gone. */
Test(exec_native, failed_transaction_keeps_only_nonce_and_fee)
{
	static const struct {
		uint64_t value, gas_limit, gas_used;
	} rows[] = {
		{ 777, 60000, 21064 + 200 }, /* not payable: the rest of the gas comes back */
		{ 0, 23366, 23366 },         /* one gas short */
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct world w;
		struct exec_result r;
		struct buf data = { 0 };
		struct tx t = world_template(0), *tx;

		world_init(&w);
		world_start(&w);
		t.to = native_validators_address;
		t.value = wei_of(rows[i].value);
		t.gas_limit = rows[i].gas_limit;
		t.data = call_data(&data, "totalWeight()", NULL);
		tx = world_sign(&w, 0, &t);
		world_propose(&w, &tx, 1, NULL, &r);
		cr_assert_eq(r.block.tx_count, 1);
		cr_assert_not(r.receipts[0].success);
		cr_assert_eq(r.receipts[0].gas_used, rows[i].gas_used);
		world_commit(&w, &r);
		cr_assert_eq(world_balance(&w, &native_validators_address), 0);
		cr_assert_eq(world_balance(&w, &w.keys[0]),
			     WORLD_FUNDS - rows[i].gas_used * 2 * WEI_PER_GWEI);
		cr_assert_eq(world_account(&w, &w.keys[0]).nonce, 1);
		tx_unref(tx);
		exec_result_clear(&r);
		buf_clear(&data);
		world_clear(&w);
	}
}

/* --- eth_call and eth_estimateGas on accounts --- */

Test(exec_call, account_without_code_gives_nothing_for_intrinsic_gas)
{
	struct world w;
	struct exec_call_result r;
	struct addr to = address_of(3);
	uint64_t gas;
	struct exec_call c = { .to = to, .data = bytes_of("\1\2\0", 3) };

	world_init(&w);
	world_start(&w);
	cr_assert_eq(call(&w, &to, c.data, &r, NULL), OK);
	cr_assert(r.success);
	cr_assert_eq(r.output.size, 0);
	cr_assert_eq(r.gas_used, 21000 + 90, "the floor of EIP-7623: 9 tokens");
	cr_assert_eq(exec_estimate_gas(w.exec, &w.parent, world_view(&w), &c, &gas, NULL, NULL), OK);
	cr_assert_eq(gas, 21090);
	world_clear(&w);
}

/* The estimate suffices, and one less does not. */
Test(exec_call, estimate_is_the_least_that_succeeds)
{
	static const char *const signatures[] = { "", "getValidators()", "totalWeight()" };
	struct world w;
	struct buf data = { 0 };

	world_init(&w);
	world_start(&w);
	for (size_t i = 0; i < ARRAY_COUNT(signatures); i++) {
		struct exec_call c = { .to = i ? native_validators_address : address_of(1) };
		struct exec_call_result r;
		struct err err = { 0 };
		int rc;

		if (i)
			c.data = call_data(&data, signatures[i], NULL);
		cr_assert_eq(exec_estimate_gas(w.exec, &w.parent, world_view(&w), &c, &c.gas, NULL, NULL),
			     OK);
		c.has_gas = true;
		cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, NULL), OK);
		cr_assert(r.success);
		exec_call_result_clear(&r);
		c.gas--;
		rc = exec_call(w.exec, &w.parent, world_view(&w), &c, &r, &err);
		if (i == 0) {
			cr_assert_eq(rc, EXEC_E_GAS_LIMIT);
			cr_assert_not_null(strstr(err.message, "intrinsic gas too low"));
		} else {
			cr_assert_eq(rc, OK);
			cr_assert_not(r.success);
			exec_call_result_clear(&r);
		}
		/* a limit that no transaction has is none (geth) */
		rc = exec_estimate_gas(w.exec, &w.parent, world_view(&w), &c, &c.gas, NULL, &err);
		cr_assert_eq(rc, i ? EXEC_E_GAS_LIMIT : OK);
	}
	buf_clear(&data);
	world_clear(&w);
}

Test(exec_call, estimate_tells_why_it_reverts)
{
	struct world w;
	struct exec_call_result r;
	struct err err = { 0 };
	uint64_t gas;
	struct exec_call c = { .to = native_validators_address, .data = bytes_of("none", 4) };

	world_init(&w);
	world_start(&w);
	cr_assert_eq(exec_estimate_gas(w.exec, &w.parent, world_view(&w), &c, &gas, NULL, &err),
		     EXEC_E_REVERTED);
	cr_assert_str_eq(err.message, "execution reverted");
	cr_assert_eq(exec_estimate_gas(w.exec, &w.parent, world_view(&w), &c, &gas, &r, NULL),
		     EXEC_E_REVERTED);
	cr_assert(r.reverted);
	cr_assert_eq(load_be32(r.output.data), 0x08c379a0);
	exec_call_result_clear(&r);
	world_clear(&w);
}

Test(exec_call, funds_count_only_if_named)
{
	struct world w;
	struct exec_call_result r;
	struct err err = { 0 };
	struct exec_call c = { .from = address_of(1), .to = address_of(2) };
	struct wei cost;
	uint64_t gas;

	world_init(&w);
	world_start(&w);
	cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, NULL), OK);
	c.value = wei_of(1);
	cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, &err), EXEC_E_FUNDS);
	cr_assert_eq(strncmp(err.message, "insufficient funds for transfer", 31), 0);
	c.from = w.keys[0];
	c.value = wei_of(WORLD_FUNDS);
	cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, NULL), OK);
	c.has_fee = true;
	c.max_fee = wei_of(0);
	cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, NULL), OK);
	/* a fee: what is left after the value pays for this much gas */
	c.max_fee = w.parent.header.base_fee;
	cr_assert(!wei_mul_gas(&cost, c.max_fee, 21000));
	cr_assert(!wei_sub(&c.value, wei_of(WORLD_FUNDS), cost));
	cr_assert_eq(exec_estimate_gas(w.exec, &w.parent, world_view(&w), &c, &gas, NULL, NULL), OK);
	cr_assert_eq(gas, 21000);
	cr_assert(!wei_add(&c.value, c.value, wei_of(1)));
	cr_assert_eq(exec_estimate_gas(w.exec, &w.parent, world_view(&w), &c, &gas, NULL, &err),
		     EXEC_E_GAS_LIMIT);
	cr_assert_eq(strncmp(err.message, "gas required exceeds allowance (20999)", 38), 0, "%s",
		     err.message);
	c.has_gas = true;
	c.gas = 21000;
	cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, &err), EXEC_E_FUNDS);
	cr_assert_eq(strncmp(err.message, "insufficient funds for gas * price + value", 42), 0);
	world_clear(&w);
}

Test(exec_call, code_runs_and_creations_too)
{
	/* PUSH1 1 PUSH0 SSTORE, CALLDATASIZE PUSH0 MSTORE, PUSH1 32 PUSH0 RETURN */
	static const uint8_t code[] = { 0x60, 1, 0x5f, 0x55, 0x36, 0x5f, 0x52, 0x60, 32, 0x5f, 0xf3 };
	struct world w;
	struct exec_call_result r;
	struct err err = { 0 };
	struct exec_call c = { .is_create = true, .data = bytes_of(code, sizeof(code)) };
	uint64_t gas;

	world_init(&w);
	world_start(&w);
	cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, &err), OK);
	cr_assert(r.success);
	exec_call_result_clear(&r);
	cr_assert_eq(exec_estimate_gas(w.exec, &w.parent, world_view(&w), &c, &gas, NULL, &err), OK);
	c.has_gas = true;
	c.gas = gas;
	cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, &err), OK);
	cr_assert(r.success);
	exec_call_result_clear(&r);
	c.gas = gas - 1; /* the least, exactly */
	cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, &err), OK);
	cr_assert_not(r.success);
	exec_call_result_clear(&r);
	world_clear(&w);
}

/* A call leaves nothing behind for the block after it. */
Test(exec_call, changes_nothing)
{
	struct world w;
	struct exec_call_result r;
	struct exec_result block, again;
	struct exec_call c = { .to = address_of(2), .value = wei_of(5) };

	world_init(&w);
	world_start(&w);
	world_propose(&w, NULL, 0, NULL, &block);
	world_undo(&w, &block);
	c.from = w.keys[0];
	cr_assert_eq(exec_call(w.exec, &w.parent, world_view(&w), &c, &r, NULL), OK);
	world_propose(&w, NULL, 0, NULL, &again);
	cr_assert(hash_equal(&block.block.hash, &again.block.hash));
	exec_result_clear(&block);
	exec_result_clear(&again);
	world_clear(&w);
}
