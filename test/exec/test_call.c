/* Calls that pretend: overrides of accounts and of the block, limits, reasons. */
#include <criterion/criterion.h>

#include "base/check.h"
#include "crypto/keccak.h"
#include "world.h"

/* MSTORE at 0 and RETURN of the topmost word. */
#define GIVE "\x5f\x52\x60\x20\x5f\xf3"
#define CODE(text) bytes_of(text, sizeof(text) - 1)

struct fixture {
	struct world w;
	struct exec_call call;
	struct exec_call_result r;
	struct err err;
	struct account_override accounts[3];
	struct override_slot slots[4];
	struct block_override block;
};

static struct addr low(uint8_t n)
{
	return (struct addr){ { [19] = n } };
}

/* A contract at address 0x…9901 that is not on the chain, but in the override. */
static void setup(struct fixture *f, struct bytes code)
{
	*f = (struct fixture){ 0 };
	world_init(&f->w);
	world_alloc(&f->w, &(struct addr){ { 0x77 } }, 5, "\x60\x2a" GIVE);
	world_start(&f->w);
	f->call = (struct exec_call){ .from = f->w.keys[0], .to = address_of(1) };
	f->accounts[0] = (struct account_override){ .address = address_of(1), .has_code = true,
						    .code = code };
	f->call.state = (struct state_override){ f->accounts, 1 };
	f->call.block = &f->block;
}

static void teardown(struct fixture *f)
{
	exec_call_result_clear(&f->r);
	world_clear(&f->w);
}

static int call(struct fixture *f)
{
	exec_call_result_clear(&f->r);
	f->err = (struct err){ 0 };
	return exec_call(f->w.exec, &f->w.parent, world_view(&f->w), &f->call, &f->r, &f->err);
}

/* The word that the call gives. */
static uint64_t word(struct fixture *f)
{
	int rc = call(f);

	cr_assert_eq(rc, OK, "%s", f->err.message);
	cr_assert(f->r.success);
	cr_assert_eq(f->r.output.size, 32);
	return load_be64(f->r.output.data + 24);
}

Test(exec_override, account_is_what_it_is_said_to_be)
{
	struct fixture f;

	setup(&f, CODE("\x30\x31" GIVE)); /* its own balance */
	cr_assert_eq(word(&f), 0);
	f.accounts[0].has_balance = true;
	f.accounts[0].balance = wei_of(77);
	cr_assert_eq(word(&f), 77);
	/* whose code is hashed as it stands */
	f.accounts[0].code = CODE("\x30\x3f" GIVE);
	cr_assert_eq(call(&f), OK);
	{
		struct hash hash;

		keccak256(&hash, f.accounts[0].code);
		cr_assert_eq(memcmp(f.r.output.data, hash.bytes, 32), 0);
	}
	/* a nonce shows in the address that a creation gets */
	f.accounts[0].code = CODE("\x5f\x5f\x5f\xf0" GIVE);
	f.accounts[0].has_nonce = true;
	f.accounts[0].nonce = 41;
	cr_assert_eq(call(&f), OK);
	{
		struct addr created;

		tx_create_address(&created, &f.accounts[0].address, 41);
		cr_assert_eq(memcmp(f.r.output.data + 12, created.bytes, 20), 0);
	}
	teardown(&f);
}

Test(exec_override, empty_code_takes_a_contract_away)
{
	struct fixture f;

	setup(&f, bytes_of(NULL, 0));
	f.accounts[0].address = f.call.to = (struct addr){ { 0x77 } };
	cr_assert_eq(call(&f), OK);
	cr_assert_eq(f.r.output.size, 0);
	f.call.state.count = 0;
	cr_assert_eq(word(&f), 42);
	teardown(&f);
}

Test(exec_override, state_replaces_and_diff_adds)
{
	/* CALLDATALOAD(0) SLOAD */
	struct addr validators = native_validators_address;
	uint8_t key[32] = { 0 };
	uint64_t plain;
	struct fixture f;

	setup(&f, CODE("\x5f\x35\x54" GIVE));
	f.accounts[0].address = f.call.to = validators;
	f.call.data = bytes_of(key, sizeof(key));
	plain = word(&f);
	cr_assert_neq(plain, 0, "the native contract's storage is under the code");
	f.slots[0] = (struct override_slot){ exec_slot(1), u256_of(11) };
	f.slots[1] = (struct override_slot){ exec_slot(7), u256_of(17) };
	f.accounts[0].slots = f.slots;
	f.accounts[0].slot_count = 2;
	cr_assert_eq(word(&f), plain, "a difference leaves the others");
	key[31] = 7;
	cr_assert_eq(word(&f), 17);
	f.accounts[0].has_state = true;
	cr_assert_eq(word(&f), 17);
	key[31] = 0;
	cr_assert_eq(word(&f), 0, "all of the state leaves none");
	teardown(&f);
}

/* What is overridden was so before: writing it back restores the original (EIP-2200). */
Test(exec_override, original_values_are_the_pretended_ones)
{
	uint64_t first;
	struct fixture f;

	setup(&f, CODE("\x60\x05\x5f\x55\x00")); /* SSTORE(0, 5) */
	cr_assert_eq(call(&f), OK);
	cr_assert_eq(f.r.gas_used, 21000 + 5 + 22100);
	f.slots[0] = (struct override_slot){ exec_slot(0), u256_of(9) };
	f.accounts[0].slots = f.slots;
	f.accounts[0].slot_count = 1;
	cr_assert_eq(call(&f), OK);
	cr_assert_eq(f.r.gas_used, 21000 + 5 + 5000);
	first = f.r.gas_used;
	f.slots[0].value = u256_of(5);
	cr_assert_eq(call(&f), OK);
	cr_assert_lt(f.r.gas_used, first, "no change");
	teardown(&f);
}

Test(exec_override, precompiles_hide_and_move)
{
	struct fixture f;

	/* with code, 4 is a contract */
	setup(&f, CODE("\x60\x07" GIVE));
	f.accounts[0].address = f.call.to = low(4);
	f.call.data = CODE("\1\2\3");
	cr_assert_eq(word(&f), 7);
	/* moved, it computes there; the old address has nothing left */
	f.accounts[0] = (struct account_override){ .address = low(4), .moves = true,
						   .move_to = address_of(5) };
	f.call.to = address_of(5);
	cr_assert_eq(call(&f), OK);
	cr_assert_eq(f.r.output.size, 3);
	f.call.to = low(4);
	cr_assert_eq(call(&f), OK);
	cr_assert(f.r.success);
	cr_assert_eq(f.r.output.size, 0);
	/* what is no precompile can't be moved */
	f.accounts[0].address = address_of(8);
	cr_assert_eq(call(&f), EXEC_E_OVERRIDE);
	cr_assert(strstr(f.err.message, "is not a precompile"));
	/* the next call knows nothing of it */
	f.call.state.count = 0;
	f.call.to = low(4);
	cr_assert_eq(call(&f), OK);
	cr_assert_eq(f.r.output.size, 3);
	teardown(&f);
}

Test(exec_override, native_contract_gives_way_to_code_only)
{
	struct fixture f;

	setup(&f, CODE("\x60\x07" GIVE));
	f.accounts[0].address = f.call.to = native_validators_address;
	cr_assert_eq(word(&f), 7);
	f.accounts[0].has_code = false;
	f.accounts[0].has_balance = true;
	cr_assert_eq(call(&f), OK);
	cr_assert(f.r.reverted, "it has no such function");
	teardown(&f);
}

Test(exec_override, block_is_the_states_or_another)
{
	static const struct {
		const char *code;
		uint64_t want;
	} questions[] = {
		{ "\x43" GIVE, 5000 }, { "\x42" GIVE, 6000 }, { "\x45" GIVE, 7000 },
		{ "\x48" GIVE, 8000 }, { "\x4a" GIVE, 9000 }, { "\x44" GIVE, 77 },
		{ "\x41" GIVE, 0x9902 },
	};
	struct fixture f;

	setup(&f, CODE("\x43" GIVE));
	cr_assert_eq(word(&f), f.w.parent.header.height);
	f.accounts[0].code = CODE("\x42" GIVE);
	cr_assert_eq(word(&f), f.w.parent.header.timestamp);
	f.accounts[0].code = CODE("\x48" GIVE);
	cr_assert_eq(word(&f), 0, "no fee, no base fee");
	f.accounts[0].code = CODE("\x4a" GIVE);
	cr_assert_eq(word(&f), 1);
	f.block = (struct block_override){
		.has_height = true, .height = 5000, .has_time = true, .time = 6000,
		.has_gas_limit = true, .gas_limit = 7000, .has_base_fee = true,
		.base_fee = wei_of(8000), .has_blob_base_fee = true, .blob_base_fee = wei_of(9000),
		.has_prev_randao = true, .prev_randao = { { [31] = 77 } },
		.has_coinbase = true, .coinbase = address_of(2),
	};
	for (size_t i = 0; i < ARRAY_COUNT(questions); i++) {
		f.accounts[0].code = bytes_of(questions[i].code, 7);
		cr_expect_eq(word(&f) & 0xffff, questions[i].want, "question %zu", i);
	}
	teardown(&f);
}

/* Hashes come from the state's ring, whatever block the call believes to be in. */
Test(exec_override, block_hash_is_not_that_of_another_height)
{
	struct addr contract = exec_history_address;
	struct fixture f;

	setup(&f, CODE("\x60\x01\x43\x03\x40" GIVE)); /* BLOCKHASH(NUMBER - 1) */
	f.slots[0] = (struct override_slot){ exec_slot(99), u256_of(123) };
	f.accounts[1] = (struct account_override){ .address = contract, .slots = f.slots,
						   .slot_count = 1 };
	f.call.state.count = 1;
	f.w.parent.header.height = 100;
	/* sorted: the history contract's address begins with zeros, as does 0x…9901 */
	f.accounts[2] = f.accounts[0];
	if (memcmp(&f.accounts[1].address, &f.accounts[2].address, 20) < 0) {
		f.accounts[0] = f.accounts[1];
		f.accounts[1] = f.accounts[2];
	}
	f.call.state.count = 2;
	cr_assert_eq(word(&f), 123);
	f.block = (struct block_override){ .has_height = true, .height = 101 };
	cr_assert_eq(word(&f), 0, "block 100 is not in its own state's ring");
	f.block.height = 100 + EXEC_RING_LENGTH;
	cr_assert_eq(word(&f), 0, "nor is what would stand at the same place");
	teardown(&f);
}

/* --- reasons and limits --- */

Test(exec_call_limits, failures_have_reasons)
{
	static const struct {
		const char *code;
		size_t size;
		const char *want;
	} cases[] = {
		{ "\x5b\x5f\x56", 3, "out of gas" },
		{ "\xfe", 1, "invalid opcode: INVALID" },
		{ "\x5f\x01", 2, "stack underflow (1 <=> 2)" },
		{ "\x60\x09\x56", 3, "invalid jump destination" },
	};
	char text[VM_REASON_TEXT_MAX];
	struct fixture f;

	setup(&f, bytes_of(NULL, 0));
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		f.accounts[0].code = bytes_of(cases[i].code, cases[i].size);
		cr_assert_eq(call(&f), OK);
		cr_assert_not(f.r.success);
		cr_assert_not(f.r.reverted);
		cr_expect_str_eq(vm_reason_text(text, &f.r.reason), cases[i].want);
	}
	/* a creation's too; and code that is too long never runs */
	f.call.is_create = true;
	f.call.data = CODE("\x60\xef\x5f\x53\x60\x01\x5f\xf3");
	cr_assert_eq(call(&f), OK);
	cr_assert_str_eq(vm_reason_text(text, &f.r.reason), "invalid code: must not begin with 0xef");
	{
		uint8_t *large = xcalloc(1, INITCODE_SIZE_MAX + 1);

		f.call.data = bytes_of(large, INITCODE_SIZE_MAX + 1);
		cr_assert_eq(call(&f), EXEC_E_SIZE);
		cr_assert_eq(strncmp(f.err.message, "max initcode size exceeded", 26), 0);
		f.call.data.size--;
		cr_assert_eq(call(&f), OK);
		free(large);
	}
	teardown(&f);
}

Test(exec_call_limits, gas_cap_is_the_executors)
{
	struct fixture f;
	struct exec *x;

	setup(&f, CODE("\x5a" GIVE));
	x = exec_new_for_calls(&f.w.genesis.params, 1000000, 1);
	exec_free(f.w.exec);
	f.w.exec = x;
	cr_assert_eq(word(&f), 1000000 - 21000 - 2);
	f.call.has_gas = true;
	f.call.gas = UINT64_MAX;
	cr_assert_eq(word(&f), 1000000 - 21000 - 2);
	f.call.gas = 50000;
	cr_assert_eq(word(&f), 50000 - 21000 - 2);
	f.call.gas = 20999;
	cr_assert_eq(call(&f), EXEC_E_GAS_LIMIT);
	cr_assert_str_eq(f.err.message, "intrinsic gas too low: have 20999, want 21000");
	teardown(&f);
}

struct patience {
	size_t asked, left;
};

static bool lose_patience(void *ctx)
{
	struct patience *p = ctx;

	p->asked++;
	return p->left == 0 || --p->left == 0;
}

Test(exec_call_limits, stops_when_told)
{
	static const char *const loops[] = {
		"\x5b\x5f\x54\x50\x5f\x56",                         /* SLOAD */
		"\x5b\x5f\x5f\x5f\x5f\x60\x04\x5a\xfa\x50\x5f\x56", /* a precompile */
		"\x5b\x30\x31\x50\x5f\x56",                         /* BALANCE */
		"\x5b\x5f\x5c\x50\x5f\x56",                         /* TLOAD */
		"\x5b\x5f\x5f\xa0\x5f\x56",                         /* LOG0 */
	};
	static const size_t sizes[] = { 6, 12, 6, 6, 6 };
	struct exec_call_result r;
	struct fixture f;
	struct buf items = { 0 };
	uint64_t gas;

	setup(&f, bytes_of(NULL, 0));
	for (size_t i = 0; i < ARRAY_COUNT(loops); i++) {
		struct patience p = { .left = 3 };

		f.accounts[0].code = bytes_of(loops[i], sizes[i]);
		exec_set_stop(f.w.exec, lose_patience, &p);
		cr_assert_eq(call(&f), EXEC_E_STOPPED, "loop %zu", i);
		cr_assert_eq(p.asked, 3);
		p = (struct patience){ .left = 1 };
		cr_assert_eq(exec_estimate_gas(f.w.exec, &f.w.parent, world_view(&f.w), &f.call,
					       &gas, NULL, &f.err),
			     EXEC_E_STOPPED);
		p = (struct patience){ .left = 1 };
		cr_assert_eq(exec_access_list(f.w.exec, &f.w.parent, world_view(&f.w), &f.call,
					      &items, &r, &f.err),
			     EXEC_E_STOPPED);
		exec_set_stop(f.w.exec, NULL, NULL);
		cr_assert_eq(call(&f), OK);
	}
	buf_clear(&items);
	teardown(&f);
}

/* An estimate stops between two attempts, too, even of code that asks nothing. */
Test(exec_call_limits, estimate_stops_between_attempts)
{
	struct patience p = { .left = 1 };
	struct fixture f;
	uint64_t gas;

	setup(&f, CODE("\x60\x01\x50\x00"));
	exec_set_stop(f.w.exec, lose_patience, &p);
	cr_assert_eq(exec_estimate_gas(f.w.exec, &f.w.parent, world_view(&f.w), &f.call, &gas, NULL,
				       &f.err),
		     EXEC_E_STOPPED);
	teardown(&f);
}

/* --- fees --- */

Test(exec_call_limits, price_follows_base_fee)
{
	struct wei base;
	struct fixture f;

	setup(&f, CODE("\x3a" GIVE)); /* GASPRICE */
	base = f.w.parent.header.base_fee;
	cr_assert_eq(word(&f), 0);
	f.call.has_fee = true;
	f.call.max_fee = wei_of(base.n.limbs[0] + 10);
	f.call.max_tip = wei_of(3);
	f.call.has_gas = true;
	f.call.gas = 100000;
	cr_assert_eq(word(&f), base.n.limbs[0] + 3);
	f.accounts[0].code = CODE("\x48" GIVE);
	cr_assert_eq(word(&f), base.n.limbs[0]);
	/* what the gas costs is gone from the sender */
	f.accounts[0].code = CODE("\x33\x31" GIVE);
	cr_assert_eq(word(&f), WORLD_FUNDS - 100000 * (base.n.limbs[0] + 3));
	f.call.max_fee = wei_of(base.n.limbs[0] - 1);
	f.call.max_tip = wei_of(0);
	cr_assert_eq(call(&f), EXEC_E_FEE);
	cr_assert_eq(strncmp(f.err.message, "max fee per gas less than block base fee", 40), 0);
	teardown(&f);
}

/* --- estimates --- */

static uint64_t estimate(struct fixture *f)
{
	uint64_t gas = 0;
	int rc = exec_estimate_gas(f->w.exec, &f->w.parent, world_view(&f->w), &f->call, &gas, NULL,
				   &f->err);

	cr_assert_eq(rc, OK, "%s", f->err.message);
	return gas;
}

/* Suffices, and one less does not. */
static void check_least(struct fixture *f)
{
	f->call.has_gas = false;
	f->call.gas = estimate(f);
	f->call.has_gas = true;
	cr_assert_eq(call(f), OK);
	cr_assert(f->r.success);
	f->call.gas--;
	cr_assert(call(f) != OK || !f->r.success);
}

Test(exec_estimate, is_the_least_of_what_calls_hold_back)
{
	/* calls address_of(2) with all but a 64th, and reverts if that failed */
	uint8_t code[] = "\x5f\x5f\x5f\x5f\x5f\x73" "12345678901234567890" "\x5a\xf1"
			 "\x60\x22\x57\x5f\x5f\xfd\x5b\x00";
	struct fixture f;

	setup(&f, bytes_of(code, sizeof(code) - 1));
	f.accounts[1] = (struct account_override){
		.address = address_of(2), .has_code = true,
		.code = CODE("\x60\x01\x5f\x55\x60\x01\x60\x01\x55\x00") }; /* two slots */
	f.call.state.count = 2;
	memcpy(code + 6, f.accounts[1].address.bytes, 20);
	check_least(&f);
	cr_assert_gt(f.call.gas, 21000 + 44200 + 44200 / 64);
	teardown(&f);
}

Test(exec_estimate, covers_refunds_creations_and_gas_watchers)
{
	struct fixture f;

	/* clears a slot: the refund comes only at the end */
	setup(&f, CODE("\x5f\x5f\x55\x00"));
	f.slots[0] = (struct override_slot){ exec_slot(0), u256_of(9) };
	f.accounts[0].slots = f.slots;
	f.accounts[0].slot_count = 1;
	check_least(&f);
	/* reverts with less than 100000 */
	f.accounts[0].code = CODE("\x62\x01\x86\xa0\x5a\x11\x60\x0c\x57\x5f\x5f\xfd\x5b\x00");
	check_least(&f);
	cr_assert_gt(f.call.gas, 100000 + 21000);
	/* a creation of 32 bytes of zeros */
	f.call.is_create = true;
	f.call.data = CODE("\x60\x20\x5f\xf3");
	check_least(&f);
	teardown(&f);
}

Test(exec_estimate, attempts_together_keep_to_the_cap)
{
	struct exec_call_result r;
	struct fixture f;
	uint64_t gas;

	/* burns memory for most of the cap, so that few attempts fit */
	setup(&f, CODE("\x62\x06\x00\x00\x51\x5a\x61\xff\xff\x10\x60\x0e\x57\xfe\x5b\x00"));
	exec_free(f.w.exec);
	f.w.exec = exec_new_for_calls(&f.w.genesis.params, 1000000, 1);
	cr_assert_eq(exec_estimate_gas(f.w.exec, &f.w.parent, world_view(&f.w), &f.call, &gas, &r,
				       &f.err), OK, "%s", f.err.message);
	cr_assert(r.success);
	cr_assert_leq(r.gas_run, 2 * 1000000);
	exec_call_result_clear(&r);
	f.call.has_gas = true;
	f.call.gas = gas;
	cr_assert_eq(call(&f), OK);
	cr_assert(f.r.success, "enough, if not the least");
	teardown(&f);
}

Test(exec_estimate, tells_failures_in_words)
{
	struct fixture f;
	uint64_t gas;

	setup(&f, CODE("\xfe"));
	cr_assert_eq(exec_estimate_gas(f.w.exec, &f.w.parent, world_view(&f.w), &f.call, &gas, NULL,
				       &f.err), EXEC_E_FAILED);
	cr_assert_str_eq(f.err.message, "invalid opcode: INVALID");
	f.accounts[0].code = CODE("\x5b\x5f\x56");
	cr_assert_eq(exec_estimate_gas(f.w.exec, &f.w.parent, world_view(&f.w), &f.call, &gas, NULL,
				       &f.err), EXEC_E_GAS_LIMIT);
	cr_assert_eq(strncmp(f.err.message, "gas required exceeds allowance (", 32), 0);
	teardown(&f);
}

/* EIP-7702: key 1 delegates to the contract for the call's time. */
Test(exec_estimate, authorizations_count)
{
	struct buf list = { 0 };
	struct fixture f;

	setup(&f, CODE("\x60\x07" GIVE));
	world_authorize(&list, &f.w, 1, WORLD_CHAIN_ID, &f.accounts[0].address, 0);
	f.call.to = f.w.keys[1];
	cr_assert_eq(call(&f), OK);
	cr_assert_eq(f.r.output.size, 0);
	f.call.authorizations = buf_bytes(&list);
	f.call.authorization_count = 1;
	cr_assert_eq(word(&f), 7);
	cr_assert_geq(f.r.gas_peak, 21000 + GAS_TX_AUTHORIZATION);
	cr_assert_lt(f.r.gas_used, f.r.gas_peak, "its account was there: some comes back");
	check_least(&f);
	buf_clear(&list);
	teardown(&f);
}

/* --- access lists --- */

static void list_of(struct fixture *f, struct buf *items)
{
	exec_call_result_clear(&f->r);
	buf_reset(items);
	cr_assert_eq(exec_access_list(f->w.exec, &f->w.parent, world_view(&f->w), &f->call, items,
				      &f->r, &f->err), OK, "%s", f->err.message);
}

Test(exec_access_list, names_what_is_cold)
{
	struct bytes rest, slots;
	struct buf items = { 0 };
	struct addr address;
	struct fixture f;
	size_t count;

	/* SLOAD(1), SLOAD(0), BALANCE(caller), BALANCE(4), BALANCE(0x1234) */
	setup(&f, CODE("\x60\x01\x54\x5f\x54\x33\x31\x60\x04\x31\x61\x12\x34\x31\x00"));
	list_of(&f, &items);
	cr_assert(f.r.success);
	rest = buf_bytes(&items);
	cr_assert(tx_access_next(&rest, &address, &slots, &count));
	cr_assert_eq(address.bytes[18] << 8 | address.bytes[19], 0x1234);
	cr_assert_eq(count, 0);
	cr_assert(tx_access_next(&rest, &address, &slots, &count));
	cr_assert(addr_equal(&address, &f.call.to));
	cr_assert_eq(count, 2);
	cr_assert_eq(slots.data[33 + 32], 1, "rising");
	cr_assert_not(tx_access_next(&rest, &address, &slots, &count));
	/* the gas is that with the list */
	f.call.access_list = buf_bytes(&items);
	{
		uint64_t gas = f.r.gas_used;

		cr_assert_eq(call(&f), OK);
		cr_assert_eq(f.r.gas_used, gas);
	}
	f.call.access_list = bytes_of(NULL, 0);
	buf_clear(&items);
	teardown(&f);
}

Test(exec_access_list, keeps_what_reverted_and_what_was_given)
{
	struct bytes rest, slots;
	struct buf items = { 0 }, given = { 0 };
	struct addr address;
	struct fixture f;
	size_t count;

	setup(&f, CODE("\x5f\x54\x5f\x5f\xfd"));
	list_of(&f, &items);
	cr_assert(f.r.reverted);
	cr_assert_gt(items.size, 33);
	buf_append_bytes(&given, buf_bytes(&items));
	f.accounts[0].code = CODE("\x60\x02\x54\x00");
	f.call.access_list = buf_bytes(&given);
	list_of(&f, &items);
	rest = buf_bytes(&items);
	cr_assert(tx_access_next(&rest, &address, &slots, &count));
	cr_assert_eq(count, 2);
	buf_clear(&given);
	buf_clear(&items);
	teardown(&f);
}

/* Reads slot GAS: another one in each run. */
Test(exec_access_list, gives_up_on_what_never_settles)
{
	struct buf items = { 0 };
	struct fixture f;

	setup(&f, CODE("\x5a\x54\x00"));
	cr_assert_eq(exec_access_list(f.w.exec, &f.w.parent, world_view(&f.w), &f.call, &items, &f.r,
				      &f.err), EXEC_E_FAILED);
	cr_assert(strstr(f.err.message, "the access list is another one"));
	buf_clear(&items);
	teardown(&f);
}
