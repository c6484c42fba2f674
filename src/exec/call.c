/* Calls that change nothing, and admission to the pool. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "exec/calling.h"

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

/* --- setting up --- */

void exec_call_result_clear(struct exec_call_result *r)
{
	buf_clear(&r->output);
	*r = (struct exec_call_result){ 0 };
}

/* As much of a transaction as tells what is due before the first step. */
static struct tx as_tx(const struct exec_call *call)
{
	struct tx t = { .is_create = call->is_create, .data = call->data,
			.authorization_count = call->authorization_count };
	struct bytes rest = call->access_list, slots;
	struct addr address;
	size_t count;

	while (tx_access_next(&rest, &address, &slots, &count)) {
		t.access_addr_count++;
		t.access_slot_count += count;
	}
	return t;
}

static void count_gas(struct calling *c)
{
	const struct tx t = as_tx(&c->call);

	c->base_gas = tx_base_gas(&t);
	c->floor_gas = tx_floor_gas(&t, c->x->params->revision);
}

void calling_set_access_list(struct calling *c, struct bytes access_list)
{
	c->call.access_list = access_list;
	count_gas(c);
}

/* The block that the state belongs to, as the override has it. */
static struct vm_block_context block_of(const struct exec *x, const struct header *h,
					const struct block_override *o)
{
	struct vm_block_context b = {
		.height = h->height,
		.timestamp = h->timestamp,
		.gas_limit = h->gas_limit,
		.chain_id = x->params->chain_id,
		.coinbase = h->coinbase,
		.prev_randao = h->mix_hash,
		.base_fee = h->base_fee,
		.blob_base_fee = wei_of(1), /* EIP-4844's least: there are no blobs */
		.revision = x->params->revision,
	};

	if (!o)
		return b;
	if (o->has_height)
		b.height = o->height;
	if (o->has_time)
		b.timestamp = o->time;
	if (o->has_gas_limit)
		b.gas_limit = o->gas_limit;
	if (o->has_coinbase)
		b.coinbase = o->coinbase;
	if (o->has_prev_randao)
		b.prev_randao = o->prev_randao;
	if (o->has_base_fee)
		b.base_fee = o->base_fee;
	if (o->has_blob_base_fee)
		b.blob_base_fee = o->blob_base_fee;
	return b;
}

/* What is paid per gas. Who names no fee pays nothing, and sees a base fee of nothing:
 * contracts may rely on a price not below it. */
static int set_price(struct calling *c, struct err *err)
{
	const struct exec_call *call = &c->call;
	const struct tx t = { .type = TX_DYNAMIC_FEE, .max_fee = call->max_fee,
			      .max_priority_fee = call->max_tip };
	char have[U256_DECIMAL_MAX + 1], want[U256_DECIMAL_MAX + 1], from[HEX_ADDR_SIZE];

	c->price = wei_of(0);
	if (!call->has_fee || u256_is_zero(&call->max_fee.n)) {
		if (!call->block || !call->block->has_base_fee)
			c->block.base_fee = wei_of(0);
		return OK;
	}
	if (tx_effective_price(&t, c->block.base_fee, &c->price))
		return OK;
	return ERR_SET(err, EXEC_E_FEE,
		       "max fee per gas less than block base fee: address %s, maxFeePerGas: %s, "
		       "baseFee: %s",
		       hex_data(from, addr_bytes(&call->from)), u256_to_decimal(have, &t.max_fee.n),
		       u256_to_decimal(want, &c->block.base_fee.n));
}

int calling_begin(struct calling *c, struct exec *x, const struct exec_parent *parent,
		  struct state_view view, const struct exec_call *call, struct err *err)
{
	int rc;

	*c = (struct calling){ .x = x, .call = *call, .height = parent->header.height };
	c->block = block_of(x, &parent->header, call->block);
	count_gas(c);
	if (call->is_create && call->data.size > INITCODE_SIZE_MAX)
		return ERR_SET(err, EXEC_E_SIZE,
			       "max initcode size exceeded: code size %zu limit %llu", call->data.size,
			       (unsigned long long)INITCODE_SIZE_MAX);
	rc = set_price(c, err);
	return rc ? rc : pretence_init(&c->pretence, view, &call->state, x->params->revision, err);
}

void calling_end(struct calling *c)
{
	pretence_clear(&c->pretence);
}

/* --- money --- */

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

int calling_afford(struct calling *c, uint64_t *gas, struct err *err)
{
	struct state_view view = pretence_view(&c->pretence);
	struct account sender;
	struct wei rest;

	if (state_account(&view, &sender, &c->call.from, err))
		return exec_medium(err);
	if (wei_sub(&rest, sender.balance, c->call.value))
		return refuse_funds(err, "transfer", &c->call, sender.balance);
	if (!u256_is_zero(&c->price.n))
		*gas = affordable_gas(rest, c->call.max_fee, *gas);
	return OK;
}

/* Takes what the gas costs, as a transaction would; the nonce rises. */
static int buy_gas(struct calling *c, uint64_t gas, struct account *sender, struct err *err)
{
	const struct exec_call *call = &c->call;
	struct overlay *o = c->x->overlay;
	struct wei rest, cost;

	if (overlay_account(o, sender, &call->from, err))
		return exec_medium(err);
	if (wei_sub(&rest, sender->balance, call->value))
		return refuse_funds(err, "transfer", call, sender->balance);
	if (sender->nonce == UINT64_MAX)
		return ERR_SET(err, EXEC_E_NONCE_HIGH, "nonce has max value: the account's is 2^64 - 1");
	if (overlay_set_nonce(o, &call->from, sender->nonce + 1, err))
		return exec_medium(err);
	if (u256_is_zero(&c->price.n))
		return OK;
	if (wei_mul_gas(&cost, call->max_fee, gas) || wei_compare(cost, rest) > 0)
		return refuse_funds(err, "gas * price + value", call, sender->balance);
	wei_mul_gas(&cost, c->price, gas); /* is not above it */
	return overlay_sub_balance(o, &call->from, cost, err) ? exec_medium(err) : OK;
}

/* --- running --- */

static int check_gas(const struct calling *c, uint64_t gas, struct err *err)
{
	uint64_t due = MAX(c->base_gas, c->floor_gas);

	if (gas >= due)
		return OK;
	return ERR_SET(err, EXEC_E_GAS_LIMIT,
		       "intrinsic gas too low: have %" PRIu64 ", want %" PRIu64, gas, due);
}

/* The message, behind the authorizations; *refund is what these did not cost. */
static int prepare(struct calling *c, uint64_t gas, uint64_t nonce, struct vm_message *out,
		   int64_t *refund, struct err *err)
{
	const struct exec_call *call = &c->call;
	int rc = transaction_authorize(c->x, call->authorizations, refund, err);

	if (rc)
		return rc;
	*out = (struct vm_message){
		.kind = call->is_create ? VM_CREATE : VM_CALL, .gas = MIN(gas, (uint64_t)INT64_MAX),
		.recipient = call->to, .sender = call->from, .code_address = call->to,
		.value = call->value, .input = call->data,
	};
	if (call->is_create)
		tx_create_address(&out->recipient, &call->from, nonce);
	return transaction_follow(&c->x->host, out, err);
}

static int run_message(struct calling *c, uint64_t gas, struct vm_result *result, int64_t *refund,
		       struct err *err)
{
	struct host *h = &c->x->host;
	struct vm_message message;
	struct account sender;
	int rc;

	overlay_reset(c->x->overlay, pretence_view(&c->pretence));
	host_tell_begin(h, &c->block);
	rc = buy_gas(c, gas, &sender, err);
	if (rc)
		return rc;
	host_begin(h, &c->block, &c->call.from, c->call.is_create ? NULL : &c->call.to, c->price,
		   c->call.access_list);
	h->history_height = c->height;
	if (c->pretence.override.count)
		h->pretence = &c->pretence;
	*refund = 0;
	rc = prepare(c, gas - c->base_gas, sender.nonce, &message, refund, err);
	if (!rc && !host_call(h, &message, result)) {
		buf_clear(&result->output);
		rc = host_failure(h, err);
	}
	h->pretence = NULL;
	return rc;
}

/* Once more under a tracer, which finds the reason that the first run could not tell. */
static int clarify(struct calling *c, uint64_t gas, struct vm_result *result, int64_t *refund,
		   struct err *err)
{
	static const struct vm_tracer nobody;
	int rc;

	exec_set_tracer(c->x, &nobody);
	rc = run_message(c, gas, result, refund, err);
	exec_set_tracer(c->x, NULL);
	c->gas_run += gas;
	return rc;
}

int calling_run(struct calling *c, uint64_t gas, struct exec_call_result *out, struct err *err)
{
	struct vm_result result = { 0 };
	uint64_t spent;
	int64_t refund;
	int rc = check_gas(c, gas, err);

	if (!rc)
		rc = run_message(c, gas, &result, &refund, err);
	if (!rc && result.status == VM_FAILURE && result.reason.kind == VM_FAILED_UNCLEAR) {
		buf_clear(&result.output);
		rc = clarify(c, gas, &result, &refund, err);
	}
	if (rc)
		return rc;
	refund += result.gas_refund; /* 0 unless it succeeded */
	CHECK(refund >= 0);
	spent = gas - result.gas_left;
	c->gas_run += spent;
	*out = (struct exec_call_result){
		.success = result.status == VM_SUCCESS,
		.reverted = result.status == VM_REVERT,
		.reason = result.reason,
		.output = result.output,
		.gas_used = MAX(spent - MIN((uint64_t)refund, spent / REFUND_QUOTIENT), c->floor_gas),
		.gas_peak = MAX(spent, c->floor_gas),
		.gas_run = c->gas_run,
		.gas_limit = gas,
	};
	return OK;
}

int exec_call(struct exec *x, const struct exec_parent *parent, struct state_view view,
	      const struct exec_call *call, struct exec_call_result *out, struct err *err)
{
	uint64_t gas = call->has_gas ? MIN(call->gas, x->call_gas_cap) : x->call_gas_cap;
	struct calling c;
	int rc = calling_begin(&c, x, parent, view, call, err);

	if (rc)
		return rc;
	if (!call->has_gas)
		rc = calling_afford(&c, &gas, err);
	if (!rc)
		rc = calling_run(&c, gas, out, err);
	calling_end(&c);
	return rc;
}
