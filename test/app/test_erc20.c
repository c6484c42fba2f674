/* The token to measure with: what its calls do, on a machine of its own. */
#include <criterion/criterion.h>

#include "app/erc20.h"
#include "base/check.h"
#include "chain/genesis.h"
#include "exec/internal.h"

#define GAS 1000000

static const struct addr token = { { 0x70 } }, maker = { { 0x11 } }, other = { { 0x22 } };

struct rig {
	struct chain_params params;
	struct vm_block_context block;
	struct exec *exec;
	struct vm_result result;
};

static void call(struct rig *r, const struct addr *from, uint64_t value, const void *data, size_t size)
{
	struct vm_message m = { .kind = VM_CALL, .gas = GAS, .recipient = token, .sender = *from,
				.code_address = token, .value = wei_of(value),
				.input = bytes_of(data, size) };

	buf_clear(&r->result.output);
	host_begin(&r->exec->host, &r->block, from, &token, wei_of(1), bytes_of(NULL, 0));
	cr_assert(host_call(&r->exec->host, &m, &r->result));
}

static void start(struct rig *r)
{
	struct vm_message m = { .kind = VM_CREATE, .gas = GAS, .sender = maker, .recipient = token };
	struct buf init = { 0 }, code = { 0 }, found = { 0 };
	struct genesis g;

	*r = (struct rig){ 0 };
	genesis_default(&g, 1, 1000);
	r->params = g.params;
	genesis_clear(&g);
	r->block = (struct vm_block_context){ .height = 1, .gas_limit = GAS, .chain_id = 1,
					      .revision = r->params.revision };
	r->exec = exec_new(&r->params, 1);
	overlay_reset(r->exec->overlay, state_view_empty());
	erc20_init_code(&init);
	m.input = buf_bytes(&init);
	host_begin(&r->exec->host, &r->block, &maker, NULL, wei_of(1), bytes_of(NULL, 0));
	cr_assert(host_call(&r->exec->host, &m, &r->result));
	cr_assert_eq(r->result.status, VM_SUCCESS);
	cr_assert_eq(r->exec->host.log_count, 1);
	erc20_code(&code);
	cr_assert_eq(overlay_code(r->exec->overlay, &found, &token, NULL), OK);
	cr_assert(bytes_equal(buf_bytes(&code), buf_bytes(&found)));
	buf_clear(&init);
	buf_clear(&code);
	buf_clear(&found);
}

static void finish(struct rig *r)
{
	buf_clear(&r->result.output);
	exec_free(r->exec);
}

static struct u256 balance_of(struct rig *r, const struct addr *owner)
{
	const struct hash slot = erc20_balance_slot(owner);
	uint8_t data[ERC20_BALANCE_SIZE];
	struct u256 there, told;

	erc20_balance_data(data, owner);
	call(r, &other, 0, data, sizeof(data));
	cr_assert_eq(r->result.status, VM_SUCCESS);
	told = u256_from_be(buf_bytes(&r->result.output));
	cr_assert_eq(overlay_storage(r->exec->overlay, &there, &token, &slot, NULL), OK);
	cr_assert(u256_equal(&told, &there));
	return told;
}

static enum vm_status transfer(struct rig *r, const struct addr *from, const struct addr *to,
			       struct u256 value)
{
	uint8_t data[ERC20_TRANSFER_SIZE];

	erc20_transfer_data(data, to, &value);
	call(r, from, 0, data, sizeof(data));
	return r->result.status;
}

static const struct u256 supply = { { UINT64_MAX, UINT64_MAX, 0, 0 } };

Test(erc20, gives_the_supply_to_its_maker)
{
	static const uint8_t total_supply[4] = { 0x18, 0x16, 0x0d, 0xdd };
	struct u256 found;
	struct rig r;

	start(&r);
	found = balance_of(&r, &maker);
	cr_expect(u256_equal(&found, &supply));
	found = balance_of(&r, &other);
	cr_expect(u256_is_zero(&found));
	call(&r, &other, 0, total_supply, sizeof(total_supply));
	found = u256_from_be(buf_bytes(&r.result.output));
	cr_expect(u256_equal(&found, &supply));
	finish(&r);
}

Test(erc20, moves_what_a_transfer_says_and_logs_it)
{
	const struct u256 amount = u256_of(1234567);
	struct u256 found, rest;
	const struct host *h;
	struct rig r;

	start(&r);
	cr_assert_eq(transfer(&r, &maker, &other, amount), VM_SUCCESS);
	cr_assert_eq(r.result.output.size, 32);
	cr_expect_eq(r.result.output.data[31], 1);
	h = &r.exec->host;
	cr_assert_eq(h->log_count, 1);
	cr_expect_eq(h->logs[0].topic_count, 3);
	/* keccak256("Transfer(address,address,uint256)"), as every explorer has it */
	cr_expect_eq(load_be64(h->logs[0].topics[0].bytes), 0xddf252ad1be2c89bu);
	cr_expect_arr_eq(h->logs[0].topics[1].bytes + 12, maker.bytes, 20);
	cr_expect_arr_eq(h->logs[0].topics[2].bytes + 12, other.bytes, 20);
	found = u256_from_be(buf_bytes(&h->log_data));
	cr_expect(u256_equal(&found, &amount));
	found = balance_of(&r, &other);
	cr_expect(u256_equal(&found, &amount));
	found = balance_of(&r, &maker);
	u256_sub(&rest, &supply, &amount);
	cr_expect(u256_equal(&found, &rest));
	/* to oneself: nothing changes */
	cr_assert_eq(transfer(&r, &other, &other, amount), VM_SUCCESS);
	found = balance_of(&r, &other);
	cr_expect(u256_equal(&found, &amount));
	finish(&r);
}

Test(erc20, reverts_what_is_wrong)
{
	static const uint8_t unknown[4] = { 1, 2, 3, 4 };
	const struct u256 one = u256_of(1);
	uint8_t data[ERC20_TRANSFER_SIZE];
	struct u256 found;
	struct rig r;

	start(&r);
	cr_expect_eq(transfer(&r, &other, &maker, one), VM_REVERT, "more than there is");
	cr_expect_eq(transfer(&r, &maker, &(struct addr){ 0 }, one), VM_REVERT, "to nobody");
	call(&r, &maker, 0, unknown, sizeof(unknown));
	cr_expect_eq(r.result.status, VM_REVERT, "an unknown function");
	call(&r, &maker, 0, unknown, 0);
	cr_expect_eq(r.result.status, VM_REVERT, "no function");
	erc20_transfer_data(data, &other, &one);
	call(&r, &maker, 0, data, sizeof(data) - 1);
	cr_expect_eq(r.result.status, VM_REVERT, "short data");
	data[4] = 1;
	call(&r, &maker, 0, data, sizeof(data));
	cr_expect_eq(r.result.status, VM_REVERT, "high bits in the address");
	cr_expect_eq(r.result.output.size, 0);
	data[4] = 0;
	cr_assert_eq(overlay_set_balance(r.exec->overlay, &maker, wei_of(5), NULL), OK);
	call(&r, &maker, 5, data, sizeof(data));
	cr_expect_eq(r.result.status, VM_REVERT, "value");
	found = balance_of(&r, &maker);
	cr_expect(u256_equal(&found, &supply));
	finish(&r);
}
