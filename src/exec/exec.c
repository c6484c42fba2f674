/* A block: system begin, transactions, system end; made by a proposer or compared
 * with one that came. */
#include "exec/exec.h"

#include <stdlib.h>

#include "base/check.h"
#include "chain/fee.h"
#include "codec/rlp.h"
#include "exec/internal.h"
#include "exec/validators_state.h"

/* Gas that must be paid at least for a new account, and for a new slot, in a
 * block's overlay: bounds their numbers by the block's gas. Of an access list's prices
 * and a warm access (2500, 2000) a fifth can come back as a refund. */
#define GAS_ACCOUNT_MIN 2000ull
#define GAS_SLOT_MIN 1600ull
/* Records that no transaction pays for: of system begin and end, and those that
 * rejected transactions were looked at with. */
#define FREE_RECORD_COUNT \
	(BLOCK_WITHDRAWAL_COUNT_MAX + 4 * VALIDATOR_COUNT_MAX + 64 + 2 * EXEC_REJECT_MAX)
/* However much gas a genesis gives to a block. */
#define RECORD_COUNT_MAX (1ull << 30)

/* What a block needs beside its transactions: header, a withdrawal, lists. */
#define BLOCK_OVERHEAD_SIZE 1024

/* A block under execution. */
struct building {
	struct exec *x;
	const struct exec_parent *parent;
	struct vm_block_context context;
	struct epoch *next_epoch; /* if this block is its epoch's last */
	struct block block;       /* its transactions are references of its own */
	struct receipt *receipts;
	size_t capacity;          /* of both */
	size_t txs_size;          /* RLP of the transactions */
};

static size_t record_count(uint64_t block_gas, uint64_t record_gas)
{
	return MIN(block_gas / record_gas + FREE_RECORD_COUNT, RECORD_COUNT_MAX);
}

static struct exec *make(const struct chain_params *params, uint64_t call_gas_cap,
			 size_t code_size, uint64_t seed)
{
	const uint64_t gas = MAX(params->block_gas_limit, call_gas_cap);
	struct overlay_limits limits = {
		.account_count = record_count(gas, GAS_ACCOUNT_MIN),
		.slot_count = record_count(gas, GAS_SLOT_MIN),
	};
	struct exec *x = xcalloc(1, sizeof(*x));

	x->params = params;
	x->call_gas_cap = call_gas_cap;
	x->seed = seed;
	x->overlay = overlay_new(limits, seed);
	host_init(&x->host, params, x->overlay, code_size, seed);
	return x;
}

struct exec *exec_new(const struct chain_params *params, uint64_t seed)
{
	return make(params, params->block_gas_limit, LIMIT_VM_CODE_SIZE, seed);
}

struct exec *exec_new_for_calls(const struct chain_params *params, uint64_t call_gas_cap,
				uint64_t seed)
{
	return make(params, call_gas_cap, LIMIT_VM_CALL_CODE_SIZE, seed);
}

void exec_free(struct exec *x)
{
	if (!x)
		return;
	host_clear(&x->host);
	overlay_free(x->overlay);
	free(x);
}

static void receipts_free(struct receipt *receipts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		receipt_clear(&receipts[i]);
	free(receipts);
}

void exec_result_clear(struct exec_result *r)
{
	receipts_free(r->receipts, r->block.tx_count);
	block_clear(&r->block);
	state_diff_clear(&r->diff);
	free(r->next_epoch);
	*r = (struct exec_result){ 0 };
}

void exec_set_gate(struct exec *x, exec_gate_fn gate, void *ctx)
{
	x->gate = gate;
	x->gate_ctx = ctx;
}

void exec_set_tracer(struct exec *x, const struct vm_tracer *tracer)
{
	x->host.tracer = tracer;
	vm_set_tracer(x->host.vm, tracer);
}

void exec_set_stop(struct exec *x, bool (*should_stop)(void *ctx), void *ctx)
{
	x->host.should_stop = should_stop;
	x->host.stop_ctx = ctx;
}

void exec_parent_advance(struct exec_parent *p, const struct exec_result *r)
{
	const struct block *b = &r->block;
	bool same_second = b->header.timestamp == p->header.timestamp;

	mmr_append(&p->history, NULL, &p->hash);
	p->second_gas = (same_second ? p->second_gas : 0) + b->header.gas_used;
	p->withdrawal_index += b->withdrawal_count;
	p->header = b->header;
	p->hash = b->hash;
	p->commitments = b->commitments;
	if (r->next_epoch)
		p->epoch = *r->next_epoch;
}

struct wei exec_next_base_fee(const struct exec *x, const struct exec_parent *parent,
			      uint64_t time_ms)
{
	uint64_t timestamp = MAX(time_ms, parent->commitments.time_ms) / 1000;

	return fee_next_base(x->params, parent->header.base_fee, parent->header.timestamp,
			     parent->second_gas, timestamp);
}

struct vm_block_context exec_next_context(const struct exec *x, const struct exec_parent *parent,
					  uint64_t timestamp, const struct addr *coinbase)
{
	struct vm_block_context c = {
		.height = parent->header.height + 1,
		.timestamp = timestamp,
		.gas_limit = x->params->block_gas_limit,
		.chain_id = x->params->chain_id,
		.coinbase = *coinbase,
		.base_fee = exec_next_base_fee(x, parent, timestamp * 1000),
		.blob_base_fee = wei_of(1), /* EIP-4844's least: there are no blobs */
		.revision = x->params->revision,
	};

	header_next_mix(&c.prev_randao, &parent->header.mix_hash, c.height);
	return c;
}

/* --- begin --- */

/* Whether this block is its epoch's last, and what follows: from the parent alone. */
static int plan_epoch(struct building *b, const struct state_view *state, uint64_t time_ms,
		      struct err *err)
{
	const struct epoch *present = &b->parent->epoch;
	uint64_t height = b->parent->header.height + 1;
	bool is_open = true;
	int rc = OK;

	if (!epoch_is_due(b->x->params, present, height, b->parent->commitments.time_ms))
		return OK;
	if (b->x->gate)
		rc = b->x->gate(b->x->gate_ctx, b->parent, state, &is_open, err);
	if (rc || !is_open)
		return rc;
	b->next_epoch = xmalloc(sizeof(*b->next_epoch));
	b->next_epoch->number = present->number + 1;
	b->next_epoch->first = height + 1;
	b->next_epoch->start_ms = time_ms;
	return exec_read_next_set(state, &b->next_epoch->set, err);
}

static void fill_commitments(struct building *b, uint64_t time_ms)
{
	const struct epoch *present = &b->parent->epoch;
	struct commitments *c = &b->block.commitments;
	struct mmr history = b->parent->history;

	mmr_append(&history, NULL, &b->parent->hash);
	c->time_ms = time_ms;
	c->validators_hash = present->set.hash;
	c->next_validators_hash = b->next_epoch ? b->next_epoch->set.hash : present->set.hash;
	mmr_root(&history, &c->history_root);
}

static void fill_withdrawals(struct building *b, const struct exec_proposal *p, uint64_t time_ms)
{
	uint64_t reward = fee_reward_gwei(b->x->params, b->parent->genesis_ms,
					  b->parent->commitments.time_ms, time_ms);

	if (reward == 0)
		return;
	b->block.withdrawals = xmalloc(sizeof(b->block.withdrawals[0]));
	b->block.withdrawals[0] = (struct withdrawal){
		.index = b->parent->withdrawal_index,
		.validator_index = p->validator_index,
		.address = p->coinbase,
		.amount_gwei = reward,
	};
	b->block.withdrawal_count = 1;
}

/* All that is known before execution, transactionsRoot apart. */
static int fill(struct building *b, const struct exec_proposal *p, const struct state_view *state,
		uint64_t time_ms, struct err *err)
{
	struct header *h = &b->block.header;
	int rc = plan_epoch(b, state, time_ms, err);

	if (rc)
		return rc;
	fill_commitments(b, time_ms);
	fill_withdrawals(b, p, time_ms);
	b->context = exec_next_context(b->x, b->parent, time_ms / 1000, &p->coinbase);
	h->parent_hash = b->parent->hash;
	h->coinbase = p->coinbase;
	h->height = b->context.height;
	h->gas_limit = b->context.gas_limit;
	h->timestamp = b->context.timestamp;
	h->mix_hash = b->context.prev_randao;
	h->base_fee = b->context.base_fee;
	h->parent_beacon_root = b->parent->header.extra_data;
	commitments_hash(&b->block.commitments, &h->extra_data);
	withdrawals_root(&h->withdrawals_root, b->block.withdrawals, b->block.withdrawal_count);
	return OK;
}

/* Writes one slot of a system contract, if it is there. */
static int write_ring(struct exec *x, const struct addr *contract, uint64_t index,
		      const struct u256 *value, struct err *err)
{
	struct hash slot = exec_slot(index);
	struct account a;

	if (overlay_account(x->overlay, &a, contract, err))
		return exec_medium(err);
	if (hash_equal(&a.code_hash, &account_empty.code_hash))
		return OK;
	if (overlay_set_storage(x->overlay, contract, &slot, value, err))
		return exec_medium(err);
	return OK;
}

int exec_system_begin(struct exec *x, const struct header *h, struct err *err)
{
	uint64_t place = h->timestamp % EXEC_RING_LENGTH;
	struct u256 parent_hash = u256_from_be(hash_bytes(&h->parent_hash));
	struct u256 timestamp = u256_of(h->timestamp);
	struct u256 root = u256_from_be(hash_bytes(&h->parent_beacon_root));
	int rc = write_ring(x, &exec_history_address, (h->height - 1) % EXEC_RING_LENGTH,
			    &parent_hash, err);

	if (!rc)
		rc = write_ring(x, &exec_beacon_roots_address, place, &timestamp, err);
	if (!rc)
		rc = write_ring(x, &exec_beacon_roots_address, place + EXEC_RING_LENGTH, &root, err);
	overlay_settle(x->overlay);
	return rc;
}

static int begin(struct building *b, struct state_view view, struct err *err)
{
	overlay_reset(b->x->overlay, view);
	return exec_system_begin(b->x, &b->block.header, err);
}

/* --- transactions --- */

static void reserve(struct building *b)
{
	if (b->block.tx_count < b->capacity)
		return;
	b->capacity = MAX(2 * b->capacity, (size_t)64);
	b->block.txs = xrealloc(b->block.txs, b->capacity * sizeof(b->block.txs[0]));
	b->receipts = xrealloc(b->receipts, b->capacity * sizeof(b->receipts[0]));
}

/* A transaction's part of the block's RLP; typed ones are strings (EIP-2718). */
static size_t tx_size(const struct tx *t)
{
	return t->raw.size + (t->type == TX_LEGACY ? 0 : rlp_header_size(t->raw.size));
}

static int append(struct building *b, struct tx *t, struct err *err)
{
	struct header *h = &b->block.header;
	size_t index = b->block.tx_count;
	int rc;

	CHECK(t->has_sender);
	if (b->txs_size + tx_size(t) + BLOCK_OVERHEAD_SIZE > b->x->params->block_size_max)
		return ERR_SET(
			err, EXEC_E_SIZE,
			"block is full: the transaction has %zu bytes, %zu of %llu are taken",
			tx_size(t), b->txs_size + BLOCK_OVERHEAD_SIZE,
			(unsigned long long)b->x->params->block_size_max);
	reserve(b);
	rc = transaction_execute(b->x, &b->context, t, h->gas_limit - h->gas_used,
				 &b->receipts[index], err);
	if (rc)
		return rc;
	h->gas_used += b->receipts[index].gas_used;
	b->receipts[index].cumulative_gas_used = h->gas_used;
	b->block.txs[index] = tx_ref(t);
	b->block.tx_count++;
	b->txs_size += tx_size(t);
	return OK;
}

/* --- end --- */

static int system_end(struct building *b, struct err *err)
{
	int rc = OK;

	for (size_t i = 0; i < b->block.withdrawal_count; i++) {
		const struct withdrawal *w = &b->block.withdrawals[i];
		struct wei amount;

		wei_mul_gas(&amount, wei_of(WEI_PER_GWEI), w->amount_gwei);
		if (overlay_add_balance(b->x->overlay, &w->address, amount, err))
			return exec_medium(err);
	}
	if (b->next_epoch)
		rc = validators_begin_epoch(b->x->overlay, &b->parent->epoch, b->next_epoch, err);
	overlay_settle(b->x->overlay);
	return rc;
}

/* Everything but the state root and the hash. */
static int finish(struct building *b, struct state_diff *diff, struct err *err)
{
	int rc = system_end(b, err);

	if (rc)
		return rc;
	overlay_diff(b->x->overlay, diff);
	receipts_root(&b->block.header.receipts_root, b->receipts, b->block.tx_count);
	for (size_t i = 0; i < b->block.tx_count; i++)
		receipt_bloom(&b->receipts[i], &b->block.header.logs_bloom);
	return OK;
}

/* The tree moves on to the block, whose header is then complete. */
static int seal(struct building *b, struct state_tree *tree, struct state_diff *diff,
		struct err *err)
{
	if (state_tree_apply(tree, diff, &b->block.header.state_root, err))
		return exec_medium(err);
	header_hash(&b->block.header, &b->block.hash);
	return OK;
}

static void give(struct building *b, struct state_diff *diff, struct exec_result *out)
{
	*out = (struct exec_result){ .block = b->block, .receipts = b->receipts, .diff = *diff,
				     .next_epoch = b->next_epoch };
}

static void abandon(struct building *b, struct state_diff *diff)
{
	receipts_free(b->receipts, b->block.tx_count);
	block_clear(&b->block);
	state_diff_clear(diff);
	free(b->next_epoch);
}

/* --- proposing --- */

static bool is_full(const struct building *b)
{
	const struct header *h = &b->block.header;

	return b->block.tx_count >= b->x->params->block_tx_count_max ||
	       h->gas_limit - h->gas_used < GAS_TX;
}

static int take_all(struct building *b, const struct exec_source *source, exec_stop_fn stop,
		    void *stop_ctx, struct err *err)
{
	size_t miss_count = 0, reject_count = 0;

	while (!is_full(b) && miss_count < EXEC_MISS_MAX && reject_count < EXEC_REJECT_MAX) {
		struct err why = { 0 };
		struct tx *t;
		int rc;

		if (stop && stop(stop_ctx, b->block.tx_count))
			break;
		t = source->next(source->ctx);
		if (!t)
			break;
		rc = append(b, t, &why);
		if (rc == EXEC_E_MEDIUM) {
			if (err)
				*err = why;
			return rc;
		}
		if (rc == OK) {
			miss_count = 0;
			continue;
		}
		source->reject(source->ctx, t, rc, &why);
		reject_count++;
		miss_count += rc == EXEC_E_GAS_LIMIT || rc == EXEC_E_SIZE;
	}
	return OK;
}

int exec_propose(struct exec *x, const struct exec_parent *parent, struct state_view view,
		 struct state_tree *tree, const struct exec_proposal *proposal,
		 const struct exec_source *source, exec_stop_fn stop, void *stop_ctx,
		 struct exec_result *out, struct err *err)
{
	struct building b = { .x = x, .parent = parent };
	struct state_diff diff = { 0 };
	int rc = fill(&b, proposal, &view, MAX(proposal->time_ms, parent->commitments.time_ms), err);

	if (!rc)
		rc = begin(&b, view, err);
	if (!rc)
		rc = take_all(&b, source, stop, stop_ctx, err);
	if (!rc)
		rc = finish(&b, &diff, err);
	if (!rc) {
		transactions_root(&b.block.header.transactions_root, b.block.txs, b.block.tx_count);
		rc = seal(&b, tree, &diff, err);
	}
	if (rc) {
		abandon(&b, &diff);
		return rc;
	}
	give(&b, &diff, out);
	return OK;
}

/* --- verifying --- */

/* Counts and sizes, and what the block's lists give for the header. */
static int check_lists(struct building *b, const struct block *block, struct err *err)
{
	const struct chain_params *params = b->x->params;
	size_t size = BLOCK_OVERHEAD_SIZE;

	if (block->tx_count > params->block_tx_count_max)
		return ERR_SET(err, EXEC_E_BLOCK, "block: %zu transactions, %llu are allowed",
			       block->tx_count, (unsigned long long)params->block_tx_count_max);
	for (size_t i = 0; i < block->tx_count; i++)
		size += tx_size(block->txs[i]);
	if (size > params->block_size_max)
		return ERR_SET(err, EXEC_E_BLOCK, "block: %zu bytes, %llu are allowed", size,
			       (unsigned long long)params->block_size_max);
	transactions_root(&b->block.header.transactions_root, block->txs, block->tx_count);
	return OK;
}

static int check_time(const struct exec_parent *parent, const struct block *block, struct err *err)
{
	if (block->commitments.time_ms >= parent->commitments.time_ms)
		return OK;
	return ERR_SET(err, EXEC_E_BLOCK, "block: time %llu ms is below the parent's, %llu ms",
		       (unsigned long long)block->commitments.time_ms,
		       (unsigned long long)parent->commitments.time_ms);
}

static int run_all(struct building *b, const struct block *block, struct err *err)
{
	for (size_t i = 0; i < block->tx_count; i++) {
		int rc = append(b, block->txs[i], err);

		if (rc == EXEC_E_MEDIUM)
			return rc;
		if (rc && err)
			err->code = EXEC_E_BLOCK;
		if (rc)
			return err_prefix(err, EXEC_E_BLOCK, "block: transaction %zu", i);
	}
	return OK;
}

static int execute_block(struct building *b, struct state_view view, const struct block *block,
			 struct state_diff *diff, struct err *err)
{
	int rc = check_lists(b, block, err);

	if (!rc)
		rc = compare_before(block, &b->block, err);
	if (!rc)
		rc = begin(b, view, err);
	if (!rc)
		rc = run_all(b, block, err);
	if (!rc)
		rc = finish(b, diff, err);
	if (!rc)
		rc = compare_after(block, &b->block, err);
	return rc;
}

int exec_verify(struct exec *x, const struct exec_parent *parent, struct state_view view,
		struct state_tree *tree, const struct exec_proposal *expected,
		const struct block *block, struct exec_result *out, struct err *err)
{
	struct building b = { .x = x, .parent = parent };
	struct state_diff diff = { 0 };
	int rc = check_time(parent, block, err);

	if (rc)
		return rc;
	rc = fill(&b, expected, &view, block->commitments.time_ms, err);
	if (!rc)
		rc = execute_block(&b, view, block, &diff, err);
	if (!rc)
		rc = seal(&b, tree, &diff, err);
	if (!rc) {
		rc = compare_state_root(block, &b.block, err);
		if (rc && state_tree_revert(tree, &diff, err))
			rc = exec_medium(err);
	}
	if (rc) {
		abandon(&b, &diff);
		return rc;
	}
	give(&b, &diff, out);
	return OK;
}
