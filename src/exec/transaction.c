/* One transaction: whether it may be executed, and what it does and costs. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "exec/internal.h"
#include "exec/native.h"

bool transaction_is_delegation(struct bytes code, enum revision revision)
{
	struct addr to;

	return revision >= REVISION_PRAGUE && tx_read_delegation(code, &to);
}

int transaction_nonce_low(const struct tx *t, uint64_t nonce, struct err *err)
{
	return ERR_SET(err, EXEC_E_NONCE_LOW,
		       "nonce too low: next nonce %" PRIu64 ", tx nonce %" PRIu64, nonce, t->nonce);
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
	struct wei cost, blob_cost;

	if (!hash_equal(&sender->code_hash, &account_empty.code_hash) && !is_delegated)
		return ERR_SET(err, EXEC_E_SENDER_CODE,
			       "sender not an eoa: the account has code (EIP-3607)");
	if (!tx_max_cost(t, &cost) || wei_mul_gas(&blob_cost, t->max_blob_fee, t->blob_count * GAS_BLOB) ||
	    wei_add(&cost, cost, blob_cost))
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

/* EIP-4844: one blob to six (Prague: nine), of version 1, at a fee that the block takes. */
static int check_blobs(const struct vm_block_context *block, const struct tx *t, struct err *err)
{
	size_t most = block->revision >= REVISION_PRAGUE ? 9 : 6;

	if (t->type != TX_BLOB)
		return OK;
	if (block->revision >= REVISION_OSAKA)
		most = 6; /* EIP-7594 */
	if (t->blob_count == 0 || t->blob_count > most)
		return ERR_SET(err, EXEC_E_BLOB, "blob transaction has %zu blobs, 1 to %zu are allowed",
			       t->blob_count, most);
	for (size_t i = 0; i < t->blob_count; i++)
		if (t->blob_hashes.data[33 * i + 1] != 0x01)
			return ERR_SET(err, EXEC_E_BLOB, "blob %zu has an invalid hash version", i);
	if (wei_compare(t->max_blob_fee, block->blob_base_fee) < 0)
		return ERR_SET(err, EXEC_E_BLOB, "max fee per blob gas less than block blob gas fee");
	return OK;
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
		rc = check_blobs(block, t, err);
	if (!rc)
		rc = transaction_check_sender(t, &sender, is_delegated, err);
	if (!rc && t->gas_limit > gas_left)
		return ERR_SET(err, EXEC_E_GAS_LIMIT,
			       "gas limit reached: the transaction may use %" PRIu64
			       ", the block has %" PRIu64 " left",
			       t->gas_limit, gas_left);
	return rc;
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

/* Nothing that the transaction does needs a machine, nor does anybody watch. */
static int is_transfer(struct exec *x, const struct tx *t, bool *answer, struct err *err)
{
	struct account to;
	uint16_t number;
	int rc;

	*answer = false;
	if (x->host.tracer || t->is_create || t->type > TX_DYNAMIC_FEE || native_find(&t->to) ||
	    precompile_at(&t->to, x->params->revision, &number))
		return OK;
	rc = read_account(x, &to, &t->to, err);
	*answer = !rc && hash_equal(&to.code_hash, &account_empty.code_hash);
	return rc;
}

bool transaction_authorizes_here(const struct exec *x, const struct authorization *a)
{
	bool is_ours = u256_is_zero(&a->chain_id) ||
		       (u256_fits_u64(&a->chain_id) && a->chain_id.limbs[0] == x->params->chain_id);

	return is_ours && a->nonce != UINT64_MAX;
}

/* One authorization (EIP-7702): what is wrong with it makes it void, not the transaction.
 * *refund grows by what it did not cost. */
static int authorize(struct exec *x, const struct authorization *a, int64_t *refund, struct err *err)
{
	uint8_t designation[TX_DELEGATION_SIZE];
	struct vm_code *code;
	struct account signer;
	struct addr address;
	struct bytes given = bytes_of(designation, sizeof(designation));
	int rc;

	if (!transaction_authorizes_here(x, a) ||
	    tx_authorization_signer(&address, x->host.ecc, a, NULL) != OK)
		return OK;
	host_warm(&x->host, &address);
	rc = read_account(x, &signer, &address, err);
	if (rc)
		return rc;
	if (!host_code(&x->host, &address, &code))
		return host_failure(&x->host, err);
	if ((code->bytes.size && !code->is_delegation) || signer.nonce != a->nonce)
		return OK;
	if (!account_is_empty(&signer))
		*refund += GAS_TX_AUTHORIZATION - GAS_TX_AUTHORIZATION_BASE;
	tx_put_delegation(designation, &a->address);
	if (addr_is_zero(&a->address))
		given = bytes_of(NULL, 0);
	if (overlay_set_code(x->overlay, &address, given, err) ||
	    overlay_set_nonce(x->overlay, &address, signer.nonce + 1, err))
		return exec_medium(err);
	return OK;
}

int transaction_authorize(struct exec *x, struct bytes authorizations, int64_t *refund,
			  struct err *err)
{
	struct authorization a;
	int rc = OK;

	while (!rc && tx_authorization_next(&authorizations, &a))
		rc = authorize(x, &a, refund, err);
	return rc;
}

int transaction_follow(struct host *h, struct vm_message *m, struct err *err)
{
	struct vm_code *code;

	if (vm_is_creation(m->kind) || h->params->revision < REVISION_PRAGUE)
		return OK;
	if (!host_code(h, &m->code_address, &code))
		return host_failure(h, err);
	if (!code->is_delegation)
		return OK;
	m->is_delegated = true;
	m->code_address = code->delegate;
	host_warm(h, &m->code_address);
	return OK;
}

static struct vm_message message_of(const struct tx *t, uint64_t gas)
{
	struct vm_message m = {
		.kind = t->is_create ? VM_CREATE : VM_CALL,
		.gas = MIN(gas, (uint64_t)INT64_MAX),
		.recipient = t->to,
		.sender = t->sender,
		.code_address = t->to,
		.value = t->value,
		.input = t->data,
	};

	if (t->is_create)
		tx_create_address(&m.recipient, &t->sender, t->nonce);
	return m;
}

/* Hashes of the blobs, for BLOBHASH; the caller frees them. */
static struct hash *blob_hashes(const struct tx *t)
{
	struct hash *hashes = t->blob_count ? xmalloc(t->blob_count * sizeof(*hashes)) : NULL;

	for (size_t i = 0; i < t->blob_count; i++)
		memcpy(hashes[i].bytes, t->blob_hashes.data + 33 * i + 1, sizeof(hashes[i].bytes));
	return hashes;
}

/* Runs the code: *gas_left is then what is left, the refund taken off. */
static int run_code(struct exec *x, const struct tx *t, uint64_t *gas_left, struct receipt *out,
		    struct err *err)
{
	struct vm_message message = message_of(t, *gas_left);
	struct vm_result result = { 0 };
	uint64_t used;
	int64_t refund = 0;
	int rc = transaction_authorize(x, t->authorizations, &refund, err);

	if (!rc)
		rc = transaction_follow(&x->host, &message, err);
	if (rc)
		return rc;
	if (!host_call(&x->host, &message, &result) || !host_end(&x->host)) {
		buf_clear(&result.output);
		return host_failure(&x->host, err);
	}
	buf_clear(&result.output);
	out->success = result.status == VM_SUCCESS;
	used = t->gas_limit - result.gas_left;
	refund += out->success ? result.gas_refund : 0;
	CHECK(refund >= 0);
	*gas_left = result.gas_left + MIN((uint64_t)refund, used / REFUND_QUOTIENT);
	host_logs(&x->host, out);
	return OK;
}

/* Runs what is at `to` with *gas_left, which is then what is left. */
static int run(struct exec *x, const struct vm_block_context *block, const struct tx *t,
	       struct wei price, uint64_t *gas_left, struct receipt *out, struct err *err)
{
	struct hash *blobs;
	bool simple;
	int rc = is_transfer(x, t, &simple, err);

	if (rc)
		return rc;
	if (simple) {
		out->success = true;
		return transfer(x, t, err);
	}
	blobs = blob_hashes(t);
	host_begin(&x->host, block, &t->sender, t->is_create ? NULL : &t->to, price, t->access_list);
	x->host.table.blob_hashes = blobs;
	x->host.table.blob_count = t->blob_count;
	rc = run_code(x, t, gas_left, out, err);
	x->host.table.blob_hashes = NULL;
	x->host.table.blob_count = 0;
	free(blobs);
	return rc;
}

/* Takes gas · price from the sender in advance and raises its nonce. */
static int buy_gas(struct exec *x, const struct vm_block_context *block, const struct tx *t,
		   struct wei price, struct err *err)
{
	struct wei cost, blob_cost;

	wei_mul_gas(&cost, price, t->gas_limit); /* fits: tx_max_cost() did */
	wei_mul_gas(&blob_cost, block->blob_base_fee, t->blob_count * GAS_BLOB);
	wei_add(&cost, cost, blob_cost);
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
	host_tell_begin(&x->host, block);
	rc = buy_gas(x, block, t, price, err);
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
