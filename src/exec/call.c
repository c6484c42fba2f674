/* Calls that change nothing, estimates, and admission to the pool. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "exec/internal.h"
#include "exec/native.h"

int exec_admit(const struct chain_params *params, struct state_view view, const struct tx *t,
	       const struct account *sender, struct err *err)
{
	bool is_delegated = false;
	struct buf code = { 0 };
	int rc = tx_check(t, params, err);

	if (rc)
		return rc;
	if (t->gas_limit > params->block_gas_limit)
		return ERR_SET(err, EXEC_E_GAS_LIMIT,
			       "exceeds block gas limit: the transaction may use %" PRIu64
			       ", a block has %" PRIu64,
			       t->gas_limit, params->block_gas_limit);
	if (t->nonce < sender->nonce)
		return transaction_nonce_low(t, sender->nonce, err);
	if (!hash_equal(&sender->code_hash, &account_empty.code_hash)) {
		rc = state_code(&view, &code, &sender->code_hash, err);
		is_delegated = transaction_is_delegation(buf_bytes(&code), params->revision);
		buf_clear(&code);
		if (rc)
			return exec_medium(err);
	}
	return transaction_check_sender(t, sender, is_delegated, err);
}

/* --- calls --- */

void exec_call_result_clear(struct exec_call_result *r)
{
	buf_clear(&r->output);
	*r = (struct exec_call_result){ 0 };
}

/* As much of a transaction as tells what is due before the first step. */
static struct tx as_tx(const struct exec_call *call)
{
	struct tx t = { .is_create = call->is_create, .data = call->data };
	struct bytes rest = call->access_list, slots;
	struct addr address;
	size_t count;

	while (tx_access_next(&rest, &address, &slots, &count)) {
		t.access_addr_count++;
		t.access_slot_count += count;
	}
	return t;
}

static uint64_t gas_cap(const struct chain_params *params, const struct exec_call *call)
{
	if (call->has_gas)
		return MIN(call->gas, params->block_gas_limit);
	if (params->revision >= REVISION_OSAKA)
		return MIN(params->block_gas_limit, TX_GAS_LIMIT_MAX);
	return params->block_gas_limit;
}

/* ⌊funds / price⌋, at most `cap`; price > 0. */
static uint64_t affordable_gas(struct wei funds, struct wei price, uint64_t cap)
{
	uint64_t low = 0, high = cap; /* low is affordable */

	while (low < high) {
		uint64_t middle = high - (high - low) / 2;
		struct wei cost;

		if (!wei_mul_gas(&cost, price, middle) && wei_compare(cost, funds) <= 0)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static int refuse_funds(struct err *err, const char *what, const struct exec_call *call,
			struct wei balance)
{
	char text[HEX_ADDR_SIZE], have[U256_DECIMAL_MAX + 1];

	return ERR_SET(err, EXEC_E_FUNDS, "insufficient funds for %s: address %s has %s wei", what,
		       hex_data(text, addr_bytes(&call->from)), u256_to_decimal(have, &balance.n));
}

/* The gas that the call may use: *gas. */
static int check_funds(struct exec *x, const struct exec_call *call, uint64_t *gas, struct err *err)
{
	struct account sender;
	struct wei rest, cost;

	*gas = gas_cap(x->params, call);
	if (overlay_account(x->overlay, &sender, &call->from, err))
		return exec_medium(err);
	if (wei_sub(&rest, sender.balance, call->value))
		return refuse_funds(err, "transfer", call, sender.balance);
	if (!call->has_fee || u256_is_zero(&call->max_fee.n))
		return OK;
	if (!call->has_gas) {
		*gas = affordable_gas(rest, call->max_fee, *gas);
		return OK;
	}
	if (wei_mul_gas(&cost, call->max_fee, call->gas) || wei_compare(cost, rest) > 0)
		return refuse_funds(err, "gas * price + value", call, sender.balance);
	return OK;
}

static int check_gas(const struct exec_call *call, uint64_t gas, uint64_t due, struct err *err)
{
	if (gas >= due)
		return OK;
	if (call->has_gas)
		return ERR_SET(err, EXEC_E_GAS_LIMIT,
			       "intrinsic gas too low: have %" PRIu64 ", want %" PRIu64, gas, due);
	return ERR_SET(err, EXEC_E_GAS_LIMIT,
		       "gas required exceeds allowance (%" PRIu64 "): want %" PRIu64, gas, due);
}

/* The message; of a creation with its address, the maker's nonce raised. */
static int message_of(struct exec *x, const struct exec_call *call, uint64_t gas,
		      struct vm_message *out, struct err *err)
{
	struct account from;

	*out = (struct vm_message){
		.kind = call->is_create ? VM_CREATE : VM_CALL, .gas = gas, .recipient = call->to,
		.sender = call->from, .code_address = call->to, .value = call->value,
		.input = call->data,
	};
	if (!call->is_create)
		return transaction_follow(&x->host, out, err);
	if (overlay_account(x->overlay, &from, &call->from, err))
		return exec_medium(err);
	tx_create_address(&out->recipient, &call->from, from.nonce);
	if (overlay_set_nonce(x->overlay, &call->from, from.nonce + 1, err))
		return exec_medium(err);
	return OK;
}

/* Runs a call whose gas covers `base`. */
static int run(struct exec *x, const struct vm_block_context *block, const struct exec_call *call,
	       uint64_t gas, uint64_t base, struct vm_result *result, struct err *err)
{
	struct wei price = call->has_fee ? call->max_fee : wei_of(0);
	struct vm_message message;
	int rc;

	host_begin(&x->host, block, &call->from, call->is_create ? NULL : &call->to, price,
		   call->access_list);
	rc = message_of(x, call, gas - base, &message, err);
	if (rc)
		return rc;
	if (host_call(&x->host, &message, result))
		return OK;
	buf_clear(&result->output);
	return host_failure(&x->host, err);
}

/* What the call takes of `gas`, the refund given back. */
static uint64_t used_gas(const struct vm_result *result, uint64_t gas, uint64_t floor)
{
	uint64_t used = gas - result->gas_left;

	CHECK(result->gas_refund >= 0);
	used -= MIN((uint64_t)result->gas_refund, used / 5); /* EIP-3529 */
	return MAX(used, floor);
}

int exec_call(struct exec *x, const struct exec_parent *parent, struct state_view view,
	      const struct exec_call *call, struct exec_call_result *out, struct err *err)
{
	static const struct addr nobody;
	struct vm_block_context block = exec_next_context(x, parent, parent->header.timestamp,
							  &nobody);
	const struct tx t = as_tx(call);
	uint64_t base = tx_base_gas(&t), floor = tx_floor_gas(&t, x->params->revision), gas;
	struct vm_result result = { 0 };
	int rc;

	overlay_reset(x->overlay, view);
	rc = check_funds(x, call, &gas, err);
	if (!rc)
		rc = check_gas(call, gas, MAX(base, floor), err);
	if (!rc)
		rc = run(x, &block, call, gas, base, &result, err);
	if (rc)
		return rc;
	*out = (struct exec_call_result){
		.success = result.status == VM_SUCCESS,
		.reverted = result.status == VM_REVERT,
		.output = result.output,
		.gas_used = used_gas(&result, gas, floor),
		.gas_limit = gas,
	};
	return OK;
}

/* --- estimates --- */

#define CALL_STIPEND 2300

/* The reason of a revert, if its data is Error(string) of printable text. */
static int refuse_reverted(struct err *err, struct bytes output)
{
	char reason[128] = "";
	size_t size;

	if (output.size > 68 && load_be32(output.data) == 0x08c379a0) {
		size = MIN((size_t)output.data[67], MIN(output.size - 68, sizeof(reason) - 1));
		memcpy(reason, output.data + 68, size);
		for (size_t i = 0; i < size; i++)
			reason[i] = reason[i] >= ' ' && reason[i] <= '~' ? reason[i] : '?';
	}
	return ERR_SET(err, EXEC_E_REVERTED, "execution reverted%s%s", reason[0] ? ": " : "",
		       reason);
}

/* Whether the call succeeds with `gas`. */
static int try_gas(struct exec *x, const struct exec_parent *parent, struct state_view view,
		   const struct exec_call *call, uint64_t gas, bool *success, struct err *err)
{
	struct exec_call tried = *call;
	struct exec_call_result result;
	int rc;

	tried.has_gas = true;
	tried.gas = gas;
	rc = exec_call(x, parent, view, &tried, &result, err);
	/* below what is due before the first step; above what the sender can pay */
	if (rc == EXEC_E_GAS_LIMIT || rc == EXEC_E_FUNDS) {
		*success = false;
		return OK;
	}
	if (rc)
		return rc;
	*success = result.success;
	exec_call_result_clear(&result);
	return OK;
}

/* The least limit is at least what was used, and with what calls hold back (EIP-150)
 * seldom above 64/63 of it: so that is tried first, then halves. */
static int search_gas(struct exec *x, const struct exec_parent *parent, struct state_view view,
		      const struct exec_call *call, uint64_t used, uint64_t high, uint64_t *out,
		      struct err *err)
{
	uint64_t low = used - 1, guess = used;
	bool success;

	while (low + 1 < high) {
		int rc = try_gas(x, parent, view, call, guess, &success, err);

		if (rc)
			return rc;
		if (success)
			high = guess;
		else
			low = guess;
		guess = guess == used ? (used + CALL_STIPEND) / 63 * 64 + 63 : low + (high - low) / 2;
		if (guess <= low || guess >= high)
			guess = low + (high - low) / 2;
	}
	*out = high;
	return OK;
}

int exec_estimate_gas(struct exec *x, const struct exec_parent *parent, struct state_view view,
		      const struct exec_call *call, uint64_t *out_gas, struct err *err)
{
	struct exec_call_result result;
	uint64_t cap;
	int rc = exec_call(x, parent, view, call, &result, err);

	if (rc)
		return rc;
	cap = gas_cap(x->params, call);
	if (result.success)
		rc = search_gas(x, parent, view, call, result.gas_used, MAX(cap, result.gas_used),
				out_gas, err);
	else if (result.reverted)
		rc = refuse_reverted(err, buf_bytes(&result.output));
	else
		rc = ERR_SET(err, EXEC_E_GAS_LIMIT, "gas required exceeds allowance (%" PRIu64 ")",
			     result.gas_used);
	exec_call_result_clear(&result);
	return rc;
}
