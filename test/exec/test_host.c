/* The VM's host table, asked directly. */
#include <criterion/criterion.h>

#include "codec/rlp.h"
#include "world.h"

struct fixture {
	struct world w;
	struct overlay *overlay;
	struct host host;
	struct vm_block_context block;
	struct addr a, b, contract;
};

static void begin(struct fixture *f, struct bytes access_list)
{
	host_begin(&f->host, &f->block, &f->a, &f->b, wei_of(7), access_list);
}

static void setup(struct fixture *f)
{
	f->a = address_of(1);
	f->b = address_of(2);
	f->contract = address_of(3);
	world_init(&f->w);
	world_alloc(&f->w, &f->a, 1000, "");
	world_alloc(&f->w, &f->contract, 50, "\x60\x01");
	world_start(&f->w);
	f->overlay = overlay_new((struct overlay_limits){ 100, 400 }, 1);
	overlay_reset(f->overlay, world_view(&f->w));
	host_init(&f->host, &f->w.genesis.params, f->overlay, LIMIT_VM_CODE_SIZE, 2);
	f->block = (struct vm_block_context){ .height = 300, .coinbase = address_of(9),
					      .revision = REVISION_OSAKA };
	begin(f, bytes_of(NULL, 0));
}

static void teardown(struct fixture *f)
{
	host_clear(&f->host);
	overlay_free(f->overlay);
	world_clear(&f->w);
}

static uint64_t balance(struct fixture *f, const struct addr *address)
{
	struct wei balance;
	struct hash code_hash;
	bool exists;

	cr_assert(f->host.table.account(&f->host, address, &balance, &code_hash, &exists));
	return balance.n.limbs[0];
}

Test(exec_host, account_tells_existence_and_code)
{
	struct fixture f;
	struct wei wei;
	struct hash code_hash;
	struct vm_code *code;
	struct addr nobody = address_of(99);
	bool exists;

	setup(&f);
	cr_assert(f.host.table.account(&f.host, &nobody, &wei, &code_hash, &exists));
	cr_assert_not(exists);
	cr_assert(hash_is_zero(&code_hash));
	cr_assert(f.host.table.account(&f.host, &f.a, &wei, &code_hash, &exists));
	cr_assert(exists);
	cr_assert(hash_equal(&code_hash, &header_empty_code_hash));
	cr_assert_eq(wei.n.limbs[0], 1000);
	cr_assert(f.host.table.code(&f.host, &f.contract, &code));
	cr_assert(bytes_equal(code->bytes, bytes_of_str("\x60\x01")));
	cr_assert_eq(f.host.table.gas_price.n.limbs[0], 7);
	cr_assert(addr_equal(&f.host.table.origin, &f.a));
	teardown(&f);
}

Test(exec_host, storage_has_original_and_current)
{
	struct fixture f;
	struct hash slot = exec_slot(1);
	struct u256 one = u256_of(1), two = u256_of(2);
	struct vm_storage_values v;

	setup(&f);
	cr_assert(f.host.table.set_storage(&f.host, &f.contract, &slot, &one));
	overlay_settle(f.overlay);
	begin(&f, bytes_of(NULL, 0));
	cr_assert(f.host.table.set_storage(&f.host, &f.contract, &slot, &two));
	cr_assert(f.host.table.storage(&f.host, &f.contract, &slot, &v));
	cr_assert_eq(v.original.limbs[0], 1);
	cr_assert_eq(v.current.limbs[0], 2);
	teardown(&f);
}

static bool is_warm(struct fixture *f, struct addr address)
{
	bool was_warm;

	cr_assert(f->host.table.touch_account(&f->host, &address, &was_warm));
	return was_warm;
}

static bool slot_is_warm(struct fixture *f, const struct addr *address, uint64_t index)
{
	struct hash slot = exec_slot(index);
	bool was_warm;

	cr_assert(f->host.table.touch_slot(&f->host, address, &slot, &was_warm));
	return was_warm;
}

Test(exec_host, warm_at_start_and_after_touch)
{
	struct fixture f;
	struct buf list = { 0 };
	struct hash slot = exec_slot(4);
	struct addr listed = address_of(40);
	size_t entry, slots;

	setup(&f);
	cr_assert(is_warm(&f, f.a));
	cr_assert(is_warm(&f, f.b));
	cr_assert(is_warm(&f, f.block.coinbase));
	cr_assert(is_warm(&f, (struct addr){ { [19] = 0x11 } }));
	cr_assert(is_warm(&f, (struct addr){ { [18] = 0x01 } }));
	cr_assert_not(is_warm(&f, (struct addr){ { [19] = 0x12 } }));
	cr_assert_not(is_warm(&f, f.contract));
	cr_assert(is_warm(&f, f.contract));
	cr_assert_not(slot_is_warm(&f, &f.contract, 4));
	cr_assert(slot_is_warm(&f, &f.contract, 4));
	cr_assert_not(slot_is_warm(&f, &f.contract, 5));

	/* the next transaction starts anew, with its access list */
	entry = rlp_list_open(&list);
	rlp_put_addr(&list, &listed);
	slots = rlp_list_open(&list);
	rlp_put_hash(&list, &slot);
	rlp_list_close(&list, slots);
	rlp_list_close(&list, entry);
	f.block.revision = REVISION_CANCUN;
	begin(&f, buf_bytes(&list));
	cr_assert_not(is_warm(&f, f.contract));
	cr_assert_not(slot_is_warm(&f, &f.contract, 4));
	cr_assert(is_warm(&f, listed));
	cr_assert(slot_is_warm(&f, &listed, 4));
	cr_assert_not(slot_is_warm(&f, &listed, 5));
	cr_assert_not(is_warm(&f, (struct addr){ { [19] = 0x0b } }));
	buf_clear(&list);
	teardown(&f);
}

/* All that a frame did goes: state, transients, warmth, logs. */
Test(exec_host, revert_takes_everything_back)
{
	struct fixture f;
	struct hash slot = exec_slot(1), topics[4] = { { { 1 } }, { { 2 } } };
	struct u256 one = u256_of(1), two = u256_of(2), v;
	struct vm_storage_values values;
	struct host_snapshot snapshot;
	struct receipt r = { 0 };

	setup(&f);
	cr_assert(f.host.table.set_transient(&f.host, &f.a, &slot, &one));
	cr_assert(f.host.table.log(&f.host, &f.a, topics, 2, bytes_of("kept", 4)));
	snapshot = host_snapshot(&f.host);
	cr_assert(f.host.table.set_transient(&f.host, &f.a, &slot, &two));
	cr_assert(f.host.table.set_transient(&f.host, &f.b, &slot, &two));
	cr_assert(f.host.table.set_storage(&f.host, &f.contract, &slot, &one));
	cr_assert(f.host.table.log(&f.host, &f.b, topics, 0, bytes_of("gone", 4)));
	cr_assert_not(is_warm(&f, f.contract));
	cr_assert_not(slot_is_warm(&f, &f.contract, 1));
	cr_assert(f.host.table.self_destruct(&f.host, &f.a, &f.b));
	host_revert(&f.host, snapshot);
	cr_assert(f.host.table.transient(&f.host, &f.a, &slot, &v));
	cr_assert_eq(v.limbs[0], 1);
	cr_assert(f.host.table.transient(&f.host, &f.b, &slot, &v));
	cr_assert_eq(v.limbs[0], 0);
	cr_assert(f.host.table.storage(&f.host, &f.contract, &slot, &values));
	cr_assert_eq(values.current.limbs[0], 0);
	cr_assert_not(is_warm(&f, f.contract));
	cr_assert_not(slot_is_warm(&f, &f.contract, 1));
	cr_assert_eq(balance(&f, &f.a), 1000);
	cr_assert(f.host.table.log(&f.host, &f.b, topics, 4, bytes_of(NULL, 0)));
	host_logs(&f.host, &r);
	cr_assert_eq(r.log_count, 2);
	cr_assert_eq(r.logs[0].topic_count, 2);
	cr_assert(bytes_equal(r.logs[0].data, bytes_of_str("kept")));
	cr_assert_eq(r.logs[1].topic_count, 4);
	cr_assert_eq(r.logs[1].data.size, 0);
	receipt_clear(&r);
	teardown(&f);
}

Test(exec_host, transients_end_with_the_transaction)
{
	struct fixture f;
	struct hash slot = exec_slot(1);
	struct u256 one = u256_of(1), v;

	setup(&f);
	cr_assert(f.host.table.set_transient(&f.host, &f.a, &slot, &one));
	begin(&f, bytes_of(NULL, 0));
	cr_assert(f.host.table.transient(&f.host, &f.a, &slot, &v));
	cr_assert(u256_is_zero(&v));
	teardown(&f);
}

/* --- calls --- */

static struct vm_message message(struct fixture *f, const struct addr *to, uint64_t value)
{
	return (struct vm_message){ .kind = VM_CALL,
				    .gas = 100000,
				    .sender = f->a,
				    .recipient = *to,
				    .code_address = *to,
				    .value = wei_of(value) };
}

Test(exec_host, call_moves_value)
{
	struct fixture f;
	struct vm_result r;
	struct vm_message m;

	setup(&f);
	m = message(&f, &f.b, 300);
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_SUCCESS);
	cr_assert_eq(r.gas_left, 100000);
	cr_assert_eq(balance(&f, &f.a), 700);
	cr_assert_eq(balance(&f, &f.b), 300);
	m.value = wei_of(701); /* more than there is: nothing ran, the gas stays */
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_REVERT);
	cr_assert_eq(r.gas_left, 100000);
	cr_assert_eq(balance(&f, &f.b), 300);
	m.kind = VM_DELEGATECALL; /* the value is only told, not moved */
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_SUCCESS);
	cr_assert_eq(balance(&f, &f.a), 700);
	teardown(&f);
}

Test(exec_host, call_finds_native_contracts)
{
	struct fixture f;
	struct vm_result r;
	struct vm_message m;

	setup(&f);
	m = message(&f, &native_validators_address, 0);
	m.kind = VM_STATICCALL;
	m.is_static = true;
	m.input = bytes_of("\x96\xc8\x2e\x57", 4);
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_SUCCESS);
	cr_assert_eq(r.gas_left, 100000 - 2303);
	cr_assert_eq(r.output.data[31], 4);
	buf_clear(&r.output);
	m.kind = VM_CALL; /* value goes there and back */
	m.value = wei_of(10);
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_REVERT);
	cr_assert_eq(balance(&f, &f.a), 1000);
	cr_assert_eq(balance(&f, &native_validators_address), 0);
	buf_clear(&r.output);
	m.kind = VM_DELEGATECALL;
	m.value = wei_of(0);
	m.recipient = f.a;
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_REVERT);
	buf_clear(&r.output);
	m = message(&f, &native_validators_address, 0);
	m.gas = 199;
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_FAILURE);
	cr_assert_eq(r.gas_left, 0);
	buf_clear(&r.output);
	teardown(&f);
}

/* PUSH1 7, PUSH0, SSTORE; PUSH1 32, PUSH0, RETURN: what is kept, and what is given. */
static const uint8_t store_seven[] = { 0x60, 0x07, 0x5f, 0x55, 0x60, 0x20, 0x5f, 0xf3 };

Test(exec_host, call_runs_code)
{
	struct hash slot = exec_slot(0);
	struct vm_storage_values v;
	struct fixture f;
	struct vm_result r;
	struct vm_message m;

	setup(&f);
	cr_assert(f.host.table.set_code(&f.host, &f.contract,
					bytes_of(store_seven, sizeof(store_seven))));
	m = message(&f, &f.contract, 5);
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_SUCCESS);
	/* 2 + 3 and 3 + 2; a cold slot set from 0; a word of memory */
	cr_assert_eq(r.gas_left, 100000 - 10 - 22100 - 3);
	cr_assert_eq(r.output.size, 32);
	buf_clear(&r.output);
	cr_assert_eq(balance(&f, &f.contract), 55);
	cr_assert(f.host.table.storage(&f.host, &f.contract, &slot, &v));
	cr_assert_eq(v.current.limbs[0], 7);
	cr_assert_eq(v.original.limbs[0], 0);
	/* too little gas: all of it is gone, and the value has not moved */
	m.gas = 2400;
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_SUCCESS); /* the slot is warm and holds 7 already */
	buf_clear(&r.output);
	m.gas = 112;
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_FAILURE);
	cr_assert_eq(r.gas_left, 0);
	cr_assert_eq(balance(&f, &f.contract), 60);
	buf_clear(&r.output);
	teardown(&f);
}

/* Init code that copies itself: CODESIZE PUSH0 PUSH0 CODECOPY CODESIZE PUSH0 RETURN. */
static const uint8_t copy_itself[] = { 0x38, 0x5f, 0x5f, 0x39, 0x38, 0x5f, 0xf3 };

Test(exec_host, creation_deposits_code_once)
{
	struct vm_code *code;
	struct fixture f;
	struct vm_result r;
	struct vm_message m;

	setup(&f);
	m = message(&f, &f.b, 9);
	m.kind = VM_CREATE;
	m.recipient = address_of(50);
	m.input = bytes_of(copy_itself, sizeof(copy_itself));
	cr_assert(host_call(&f.host, &m, &r));
	cr_assert_eq(r.status, VM_SUCCESS);
	cr_assert_eq(r.gas_left, 100000 - 13 - 3 - 3 - 200 * sizeof(copy_itself));
	cr_assert(addr_equal(&r.created, &m.recipient));
	cr_assert(bytes_equal(buf_bytes(&r.output), m.input)); /* the code, as geth's eth_call */
	buf_clear(&r.output);
	cr_assert(host_code(&f.host, &m.recipient, &code));
	cr_assert(bytes_equal(code->bytes, m.input));
	cr_assert_eq(balance(&f, &m.recipient), 9);
	cr_assert(host_call(&f.host, &m, &r)); /* there is one now */
	cr_assert_eq(r.status, VM_FAILURE);
	cr_assert_eq(r.gas_left, 0);
	buf_clear(&r.output);
	/* it was made in this transaction: it goes at the end, with what it gives itself */
	cr_assert(f.host.table.self_destruct(&f.host, &m.recipient, &m.recipient));
	cr_assert_eq(balance(&f, &m.recipient), 0);
	cr_assert(host_code(&f.host, &m.recipient, &code));
	cr_assert_neq(code->bytes.size, 0);
	cr_assert(host_end(&f.host));
	cr_assert(host_code(&f.host, &m.recipient, &code));
	cr_assert_eq(code->bytes.size, 0);
	teardown(&f);
}

Test(exec_host, self_destruct_only_gives_the_balance)
{
	struct fixture f;

	setup(&f);
	cr_assert(f.host.table.self_destruct(&f.host, &f.contract, &f.b));
	cr_assert_eq(balance(&f, &f.contract), 0);
	cr_assert_eq(balance(&f, &f.b), 50);
	cr_assert(f.host.table.self_destruct(&f.host, &f.b, &f.b));
	cr_assert_eq(balance(&f, &f.b), 50);
	cr_assert(f.host.table.self_destruct(&f.host, &f.contract, &f.b));
	teardown(&f);
}

Test(exec_host, block_hash_reads_history_within_256)
{
	struct fixture f;
	struct hash slot, h;
	struct u256 v;

	setup(&f);
	for (uint64_t height = 40; height <= 301; height++) {
		slot = exec_slot(height);
		v = u256_of(height);
		cr_assert_eq(overlay_set_storage(f.overlay, &exec_history_address, &slot, &v, NULL),
			     OK);
	}
	cr_assert(f.host.table.block_hash(&f.host, 299, &h));
	cr_assert_eq(load_be64(h.bytes + 24), 299);
	cr_assert(f.host.table.block_hash(&f.host, 44, &h));
	cr_assert_eq(load_be64(h.bytes + 24), 44);
	cr_assert(f.host.table.block_hash(&f.host, 43, &h));
	cr_assert(hash_is_zero(&h));
	cr_assert(f.host.table.block_hash(&f.host, 300, &h));
	cr_assert(hash_is_zero(&h));
	cr_assert(f.host.table.block_hash(&f.host, UINT64_MAX, &h));
	cr_assert(hash_is_zero(&h));
	teardown(&f);
}

Test(exec_host, full_overlay_is_the_mediums_failure)
{
	struct fixture f;
	struct wei wei;
	struct hash code_hash;
	bool exists;

	setup(&f);
	for (uint8_t i = 0; i < 100; i++) {
		struct addr address = address_of(i + 100);

		if (!f.host.table.account(&f.host, &address, &wei, &code_hash, &exists))
			break;
	}
	cr_assert_not(
		f.host.table.account(&f.host, &(struct addr){ { 1 } }, &wei, &code_hash, &exists));
	cr_assert_eq(f.host.failure, EXEC_E_MEDIUM);
	cr_assert_eq(f.host.failure_err.code, EXEC_E_MEDIUM);
	teardown(&f);
}
