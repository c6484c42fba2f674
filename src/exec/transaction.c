/* One transaction: whether it may be executed, and what it does and costs. */
#include <inttypes.h>

#include "base/check.h"
#include "exec/internal.h"
#include "exec/native.h"

/* EIP-7702: 0xef0100 and an address. */
#define DELEGATION_SIZE 23

bool transaction_is_delegation(struct bytes code, enum revision revision)
{
	return revision >= REVISION_PRAGUE && code.size == DELEGATION_SIZE &&
	       code.data[0] == 0xef && code.data[1] == 0x01 && code.data[2] == 0x00;
}

int transaction_nonce_low(const struct tx *t, uint64_t nonce, struct err *err)
{
	return ERR_SET(err, EXEC_E_NONCE_LOW,
		       "nonce too low: next nonce %" PRIu64 ", tx nonce %" PRIu64, nonce, t->nonce);
}

int transaction_no_creation(struct err *err)
{
	return ERR_SET(err, EXEC_E_NO_VM,
		       "contract creation is not executed by this version: send to an account");
}

static int check_nonce(const struct tx *t, uint64_t nonce, struct err *err)
{
	if (t->nonce < nonce)
		return transaction_nonce_low(t, nonce, err);
	if (t->nonce > nonce)
		return ERR_SET(err, EXEC_E_NONCE_HIGH,
			       "nonce too high: next nonce %" PRIu64 ", tx nonce %" PRIu64, nonce,
			       t->nonce);
	return OK;
}

int transaction_check_sender(const struct tx *t, const struct account *sender, bool is_delegated,
			     struct err *err)
{
	char have[U256_DECIMAL_MAX + 1], want[U256_DECIMAL_MAX + 1];
	struct wei cost;

	if (!hash_equal(&sender->code_hash, &account_empty.code_hash) && !is_delegated)
		return ERR_SET(err, EXEC_E_SENDER_CODE,
			       "sender not an eoa: the account has code (EIP-3607)");
	if (!tx_max_cost(t, &cost))
		memset(&cost, 0xff, sizeof(cost));
	if (wei_compare(sender->balance, cost) < 0)
		return ERR_SET(err, EXEC_E_FUNDS,
			       "insufficient funds for gas * price + value: have %s want %s",
			       u256_to_decimal(have, &sender->balance.n),
			       u256_to_decimal(want, &cost.n));
	return OK;
}

static int check_fee(const struct tx *t, struct wei base_fee, struct wei *price, struct err *err)
{
	char have[U256_DECIMAL_MAX + 1], want[U256_DECIMAL_MAX + 1];

	if (tx_effective_price(t, base_fee, price))
		return OK;
	return ERR_SET(err, EXEC_E_FEE,
		       "max fee per gas less than block base fee: maxFeePerGas: %s, baseFee: %s",
		       u256_to_decimal(have, &t->max_fee.n), u256_to_decimal(want, &base_fee.n));
}

static int read_account(struct exec *x, struct account *out, const struct addr *address,
			struct err *err)
{
	return overlay_account(x->overlay, out, address, err) ? exec_medium(err) : OK;
}

/* Reads the sender's code, if it has any; then it may only be a delegation. */
static int read_delegated(struct exec *x, const struct tx *t, const struct account *sender,
			  bool *is_delegated, struct err *err)
{
	struct buf code = { 0 };
	int rc = OK;

	*is_delegated = false;
	if (hash_equal(&sender->code_hash, &account_empty.code_hash))
		return OK;
	if (overlay_code(x->overlay, &code, &t->sender, err))
		rc = exec_medium(err);
	else
		*is_delegated = transaction_is_delegation(buf_bytes(&code), x->params->revision);
	buf_clear(&code);
	return rc;
}

static int check_destination(struct exec *x, const struct tx *t, struct err *err)
{
	struct account to;
	int rc;

	if (t->is_create)
		return transaction_no_creation(err);
	rc = read_account(x, &to, &t->to, err);
	return rc ? rc : host_check_callable(&t->to, &to, x->params->revision, err);
}

/* Everything that must hold before a transaction may touch the state. */
static int check(struct exec *x, const struct vm_block_context *block, const struct tx *t,
		 uint64_t gas_left, struct wei *price, struct err *err)
{
	struct account sender;
	bool is_delegated;
	int rc = tx_check(t, x->params, err);

	if (!rc)
		rc = read_account(x, &sender, &t->sender, err);
	if (!rc)
		rc = check_nonce(t, sender.nonce, err);
	if (!rc)
		rc = read_delegated(x, t, &sender, &is_delegated, err);
	if (!rc)
		rc = check_fee(t, block->base_fee, price, err);
	if (!rc)
		rc = transaction_check_sender(t, &sender, is_delegated, err);
	if (!rc && t->gas_limit > gas_left)
		return ERR_SET(err, EXEC_E_GAS_LIMIT,
			       "gas limit reached: the transaction may use %" PRIu64
			       ", the block has %" PRIu64 " left",
			       t->gas_limit, gas_left);
	return rc ? rc : check_destination(x, t, err);
}

/* --- doing it --- */

/* A value in a transaction to an account without code: nothing runs. */
static int transfer(struct exec *x, const struct tx *t, struct err *err)
{
	if (u256_is_zero(&t->value.n)) /* makes no account (EIP-161) */
		return OK;
	if (overlay_sub_balance(x->overlay, &t->sender, t->value, err) ||
	    overlay_add_balance(x->overlay, &t->to, t->value, err))
		return exec_medium(err);
	return OK;
}

/* Runs what is at `to` with *gas_left, which is then what is left. */
static int run(struct exec *x, const struct vm_block_context *block, const struct tx *t,
	       struct wei price, uint64_t *gas_left, struct receipt *out, struct err *err)
{
	struct vm_message message = {
		.kind = VM_CALL, .gas = *gas_left, .recipient = t->to, .sender = t->sender,
		.code_address = t->to, .value = t->value, .input = t->data,
	};
	struct vm_result result;

	if (!native_find(&t->to)) {
		out->success = true;
		return transfer(x, t, err);
	}
	host_begin(&x->host, block, &t->sender, &t->to, price, t->access_list);
	if (!host_call(&x->host, &message, &result)) {
		buf_clear(&result.output);
		if (err)
			*err = x->host.failure_err;
		return x->host.failure;
	}
	buf_clear(&result.output);
	out->success = result.status == VM_SUCCESS;
	*gas_left = result.gas_left;
	host_logs(&x->host, out);
	return OK;
}

/* Takes gas · price from the sender in advance and raises its nonce. */
static int buy_gas(struct exec *x, const struct tx *t, struct wei price, struct err *err)
{
	struct wei cost;

	wei_mul_gas(&cost, price, t->gas_limit); /* fits: tx_max_cost() did */
	if (overlay_sub_balance(x->overlay, &t->sender, cost, err) ||
	    overlay_set_nonce(x->overlay, &t->sender, t->nonce + 1, err))
		return exec_medium(err);
	return OK;
}

static int pay(struct exec *x, const struct addr *to, struct wei price, uint64_t count_gas,
	       struct err *err)
{
	struct wei amount;

	wei_mul_gas(&amount, price, count_gas);
	if (u256_is_zero(&amount.n)) /* touches nobody (EIP-161) */
		return OK;
	return overlay_add_balance(x->overlay, to, amount, err) ? exec_medium(err) : OK;
}

/* What was not used goes back; the base fee is burned or goes to the chain's
 * recipient, the rest to the proposer. */
static int settle_gas(struct exec *x, const struct vm_block_context *block, const struct tx *t,
		      struct wei price, uint64_t gas_used, struct err *err)
{
	struct wei tip;
	int rc = pay(x, &t->sender, price, t->gas_limit - gas_used, err);

	wei_sub(&tip, price, block->base_fee);
	if (!rc)
		rc = pay(x, &block->coinbase, tip, gas_used, err);
	if (!rc && x->params->has_base_fee_recipient)
		rc = pay(x, &x->params->base_fee_recipient, block->base_fee, gas_used, err);
	return rc;
}

int transaction_execute(struct exec *x, const struct vm_block_context *block, const struct tx *t,
			uint64_t gas_left, struct receipt *out, struct err *err)
{
	size_t before = overlay_snapshot(x->overlay);
	uint64_t left_gas;
	struct wei price;
	int rc = check(x, block, t, gas_left, &price, err);

	if (rc)
		return rc;
	*out = (struct receipt){ .type = t->type };
	left_gas = t->gas_limit - tx_base_gas(t);
	rc = buy_gas(x, t, price, err);
	if (!rc)
		rc = run(x, block, t, price, &left_gas, out, err);
	if (!rc) {
		out->gas_used = MAX(t->gas_limit - left_gas, tx_floor_gas(t, x->params->revision));
		rc = settle_gas(x, block, t, price, out->gas_used, err);
	}
	if (rc) {
		receipt_clear(out);
		overlay_revert(x->overlay, before);
		return rc;
	}
	overlay_settle(x->overlay);
	return OK;
}
