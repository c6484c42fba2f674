#include "fake.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "chain/certificate.h"
#include "crypto/keccak.h"

/* --- the chain --- */

static struct tx *sign(struct fake *f, const struct tx *t)
{
	struct tx *out;
	struct err err = { 0 };

	CHECK(tx_sign(&out, f->ecc, t, &f->key, &err) == OK);
	CHECK(out->has_sender || tx_recover(f->ecc, out, &err) == OK);
	return out;
}

struct addr fake_contract(void)
{
	struct addr a;

	memset(a.bytes, 0xc0, sizeof(a.bytes));
	return a;
}

static struct tx transfer_fields(enum tx_type type, uint64_t nonce)
{
	struct tx t = { .type = type,
			.has_chain_id = true,
			.chain_id = FAKE_CHAIN_ID,
			.nonce = nonce,
			.gas_limit = 21000,
			.value = wei_of(1000 + nonce) };

	t.to = fake_contract();
	t.max_fee = wei_of(3 * WEI_PER_GWEI);
	t.max_priority_fee = type == TX_DYNAMIC_FEE ? wei_of(WEI_PER_GWEI) : t.max_fee;
	return t;
}

struct tx *fake_transfer(struct fake *f, enum tx_type type, uint64_t nonce)
{
	struct tx t = transfer_fields(type, nonce);

	return sign(f, &t);
}

static void add_tx(struct fake_block *b, struct tx *t)
{
	CHECK(b->block.tx_count < FAKE_TX_MAX);
	b->receipts[b->block.tx_count] = (struct receipt){
		.type = t->type, .success = true, .gas_used = 21000,
		.cumulative_gas_used = 21000 * (b->block.tx_count + 1),
	};
	b->block.txs[b->block.tx_count++] = t;
}

/* One entry with two slots: [address, [slot, slot]]. */
static struct bytes access_entry(void)
{
	static uint8_t entry[2 + 21 + 2 + 66] = { 0xf8, 21 + 2 + 66, 0x94 };

	memset(entry + 3, 0xc0, 20);
	entry[23] = 0xf8;
	entry[24] = 66;
	entry[25] = entry[58] = 0xa0;
	entry[57] = 1;
	entry[90] = 2;
	return bytes_of(entry, sizeof(entry));
}

static void fill_first(struct fake *f, struct fake_block *b)
{
	struct tx old = transfer_fields(TX_LEGACY, 0), listed = transfer_fields(TX_ACCESS_LIST, 2);
	struct tx creation = transfer_fields(TX_DYNAMIC_FEE, 4);

	old.has_chain_id = false;
	old.chain_id = 0;
	add_tx(b, sign(f, &old));
	add_tx(b, fake_transfer(f, TX_LEGACY, 1));
	listed.access_list = access_entry();
	listed.gas_limit = 40000;
	add_tx(b, sign(f, &listed));
	add_tx(b, fake_transfer(f, TX_DYNAMIC_FEE, 3));
	creation.is_create = true;
	creation.to = (struct addr){ 0 };
	creation.data = bytes_of("\x60\x00", 2);
	creation.gas_limit = 100000;
	add_tx(b, sign(f, &creation));
	b->receipts[4].success = false;
}

static void fill_third(struct fake *f, struct fake_block *b)
{
	struct log_entry logs[2] = { { .topic_count = 2, .data = bytes_of("\x01\x02", 2) } };

	logs[0].address = logs[1].address = fake_contract();
	logs[0].topics[0].bytes[0] = 0xaa;
	logs[0].topics[1].bytes[31] = 0xbb;
	add_tx(b, fake_transfer(f, TX_DYNAMIC_FEE, 5));
	add_tx(b, fake_transfer(f, TX_DYNAMIC_FEE, 6));
	receipt_set_logs(&b->receipts[0], logs, 1);
	receipt_set_logs(&b->receipts[1], logs, 2);
	b->block.withdrawals = xcalloc(1, sizeof(*b->block.withdrawals));
	b->block.withdrawal_count = 1;
	b->block.withdrawals[0] = (struct withdrawal){ 4, 0, f->sender, 17 };
}

static void certify(struct fake *f, struct fake_block *b)
{
	struct certificate *c = xcalloc(1, sizeof(*c));
	struct signature signature;
	struct hash digest;

	certificate_init(c, b->block.header.height, 2, &b->block.hash);
	certificate_digest(c, DOMAIN_COMMIT, FAKE_CHAIN_ID, &f->genesis.validators.hash, &digest);
	CHECK(ecc_sign(f->ecc, &signature, &digest, &f->key, NULL) == OK);
	CHECK(certificate_add(c, 0, &signature));
	certificate_encode(&b->certificate, c);
	free(c);
}

static void make_block(struct fake *f, uint64_t height)
{
	struct fake_block *b = &f->blocks[height], *parent = &f->blocks[height - 1];
	struct header *h = &b->block.header;

	b->block.txs = xcalloc(FAKE_TX_MAX, sizeof(*b->block.txs));
	if (height == 1)
		fill_first(f, b);
	if (height == 3)
		fill_third(f, b);
	b->block.commitments = parent->block.commitments;
	b->block.commitments.time_ms += 1500;
	*h = parent->block.header;
	h->parent_hash = parent->block.hash;
	h->height = height;
	h->coinbase = f->sender;
	h->timestamp = b->block.commitments.time_ms / 1000;
	h->gas_used = 21000 * b->block.tx_count;
	h->base_fee = wei_of(WEI_PER_GWEI + height);
	h->parent_beacon_root = parent->block.header.extra_data;
	commitments_hash(&b->block.commitments, &h->extra_data);
	transactions_root(&h->transactions_root, b->block.txs, b->block.tx_count);
	withdrawals_root(&h->withdrawals_root, b->block.withdrawals, b->block.withdrawal_count);
	for (size_t k = 0; k < b->block.tx_count; k++)
		receipt_bloom(&b->receipts[k], &h->logs_bloom);
	header_hash(h, &b->block.hash);
	certify(f, b);
}

static void make_chain(struct fake *f)
{
	struct validator validator = { .weight = { 3 } };
	struct hash root = { { 1 } };

	genesis_default(&f->genesis, FAKE_CHAIN_ID, 1700000000000);
	validator.address = f->sender;
	CHECK(validator_set_init(&f->genesis.validators, &validator, 1, NULL) == OK);
	genesis_block(&f->genesis, &root, &f->blocks[0].block);
	for (uint64_t height = 1; height < FAKE_BLOCK_COUNT; height++)
		make_block(f, height);
	f->height = FAKE_BLOCK_COUNT - 1;
}

struct fake *fake_new(void)
{
	static const uint8_t seed[32] = { 1 };
	struct fake *f = xcalloc(1, sizeof(*f));
	struct public_key key;

	f->ecc = ecc_new(seed);
	memset(f->key.bytes, 0x46, sizeof(f->key.bytes));
	CHECK(ecc_public_key(f->ecc, &key, &f->key, NULL) == OK);
	ecc_address(&f->sender, &key);
	make_chain(f);
	f->info = (struct rpc_info){
		.client_version = "weft/v0.1.0/test",
		.params = &f->genesis.params,
		.genesis_hash = f->blocks[0].block.hash,
		.protocol_version = PROTOCOL_VERSION,
		.database_version = 1,
		.is_validator = true,
		.validator_address = f->sender,
		.history_ms = 128000,
	};
	return f;
}

void fake_free(struct fake *f)
{
	CHECK(f->open_count == 0);
	for (size_t k = 0; k < FAKE_BLOCK_COUNT; k++) {
		for (size_t n = 0; n < FAKE_TX_MAX; n++)
			receipt_clear(&f->blocks[k].receipts[n]);
		buf_clear(&f->blocks[k].certificate);
		block_clear(&f->blocks[k].block);
	}
	for (size_t k = 0; k < f->pool_count; k++)
		tx_unref(f->pool[k]);
	rpc_poll_clear(&f->poll);
	genesis_clear(&f->genesis);
	ecc_free(f->ecc);
	free(f);
}

/* --- readers: a snapshot is the newest height at its opening --- */

struct snapshot {
	struct fake *fake;
	uint64_t height;
};

static void *open_snapshot(void *ctx)
{
	struct snapshot *s = xmalloc(sizeof(*s));

	s->fake = ctx;
	s->height = s->fake->height;
	s->fake->open_count++;
	s->fake->snapshot_count++;
	return s;
}

static void close_snapshot(void *snapshot)
{
	struct snapshot *s = snapshot;

	s->fake->open_count--;
	free(s);
}

static uint64_t newest(void *snapshot)
{
	struct snapshot *s = snapshot;

	return s->height;
}

static int find(const struct snapshot *s, uint64_t height, const struct fake_block **out,
		struct err *err)
{
	if (s->fake->is_broken)
		return ERR_SET(err, RPC_E_INTERNAL, "the disk failed");
	if (height > s->height)
		return ERR_SET(err, RPC_E_NOT_FOUND, "no such block");
	*out = &s->fake->blocks[height];
	return OK;
}

static int read_block(void *snapshot, uint64_t height, struct rpc_block *out, struct err *err)
{
	const struct fake_block *b;
	int code = find(snapshot, height, &b, err);
	struct buf whole = { 0 };

	if (code != OK)
		return code;
	*out = (struct rpc_block){ .header = b->block.header, .hash = b->block.hash,
				   .commitments = b->block.commitments,
				   .tx_count = b->block.tx_count };
	out->withdrawal_count = b->block.withdrawal_count;
	out->withdrawals = xcalloc(out->withdrawal_count, sizeof(*out->withdrawals));
	for (size_t k = 0; k < out->withdrawal_count; k++)
		out->withdrawals[k] = b->block.withdrawals[k];
	buf_append_bytes(&out->certificate, buf_bytes(&b->certificate));
	block_encode(&whole, &b->block);
	out->size = whole.size;
	buf_clear(&whole);
	return OK;
}

static int find_block(void *snapshot, const struct hash *hash, uint64_t *height, struct err *err)
{
	const struct snapshot *s = snapshot;

	if (s->fake->is_broken)
		return ERR_SET(err, RPC_E_INTERNAL, "the disk failed");
	for (*height = 0; *height <= s->height; ++*height)
		if (hash_equal(&s->fake->blocks[*height].block.hash, hash))
			return OK;
	return ERR_SET(err, RPC_E_NOT_FOUND, "no such block");
}

static int read_tx(void *snapshot, uint64_t height, uint32_t index, struct rpc_tx *out,
		   struct err *err)
{
	const struct fake_block *b;
	int code = find(snapshot, height, &b, err);

	if (code != OK)
		return code;
	if (index >= b->block.tx_count)
		return ERR_SET(err, RPC_E_NOT_FOUND, "no such transaction");
	*out = (struct rpc_tx){ .tx = tx_ref(b->block.txs[index]), .receipt = b->receipts[index],
				.height = height, .index = index };
	out->receipt.logs = NULL;
	receipt_set_logs(&out->receipt, b->receipts[index].logs, b->receipts[index].log_count);
	for (uint32_t k = 0; k < index; k++)
		out->first_log_index += b->receipts[k].log_count;
	return OK;
}

static int find_tx(void *snapshot, const struct hash *hash, uint64_t *height, uint32_t *index,
		   struct err *err)
{
	const struct snapshot *s = snapshot;

	if (s->fake->is_broken)
		return ERR_SET(err, RPC_E_INTERNAL, "the disk failed");
	for (*height = 0; *height <= s->height; ++*height) {
		const struct block *b = &s->fake->blocks[*height].block;

		for (*index = 0; *index < b->tx_count; ++*index)
			if (hash_equal(&b->txs[*index]->hash, hash))
				return OK;
	}
	return ERR_SET(err, RPC_E_NOT_FOUND, "no such transaction");
}

static int each_tx(void *snapshot, uint64_t height, rpc_tx_fn fn, void *arg, struct err *err)
{
	const struct fake_block *b;
	int code = find(snapshot, height, &b, err);

	for (uint32_t k = 0; code == OK && k < b->block.tx_count; k++) {
		struct rpc_tx t;

		code = read_tx(snapshot, height, k, &t, err);
		if (code == OK)
			code = fn(arg, &t, err);
		rpc_tx_clear(&t);
	}
	return code;
}

/* As slow as can be; charges a block's hundred µs. */
static int find_logs(void *snapshot, const struct rpc_log_query *q, struct err *err)
{
	const struct fake_block *b = NULL;
	int code = OK;

	for (uint64_t height = q->from; code == OK && height <= q->to; height++) {
		code = q->charge(q->arg, height, 100, err);
		if (code == OK)
			code = find(snapshot, height, &b, err);
		for (uint32_t k = 0; code == OK && k < b->block.tx_count; k++) {
			struct rpc_tx t;

			code = read_tx(snapshot, height, k, &t, err);
			if (code == OK && log_filter_matches_any(q->filter, &t.receipt))
				code = q->fn(q->arg, &t, err);
			rpc_tx_clear(&t);
		}
	}
	return code;
}

static int check_state(void *snapshot, uint64_t height, struct err *err)
{
	const struct fake_block *b;
	int code = find(snapshot, height, &b, err);

	if (code == OK && height == 0)
		return ERR_SET(err, RPC_E_PRUNED, "state is kept from block 1 on");
	return code;
}

static int read_account(void *snapshot, uint64_t height, const struct addr *address,
			struct rpc_account *out, struct err *err)
{
	*out = (struct rpc_account){ .nonce = 7, .balance = wei_of(height) };
	return check_state(snapshot, height, err);
}

static int read_storage(void *snapshot, uint64_t height, const struct addr *address,
			const struct hash *slot, struct u256 *out, struct err *err)
{
	struct addr contract = fake_contract();

	*out = u256_of(addr_equal(address, &contract) ? slot->bytes[31] : 0);
	return check_state(snapshot, height, err);
}

static int read_code(void *snapshot, uint64_t height, const struct addr *address, struct buf *out,
		     struct err *err)
{
	struct addr contract = fake_contract();

	if (addr_equal(address, &contract))
		buf_append(out, "\x60\x01", 2);
	return check_state(snapshot, height, err);
}

static int call(void *snapshot, uint64_t height, const struct rpc_call *c,
		struct rpc_call_result *out, struct err *err)
{
	struct snapshot *s = snapshot;
	uint8_t first = c->data.size ? c->data.data[0] : 0;
	int code = check_state(snapshot, height, err);

	s->fake->last_call = *c;
	if (code != OK)
		return code;
	if (first == 0xfd)
		return ERR_SET(err, RPC_E_REJECTED, "execution aborted (timeout = 5s)");
	out->success = first < 0xfe;
	out->reverted = first == 0xff;
	out->gas_used = 21000;
	out->gas_run = s->fake->gas_run;
	if (first == 0xfe)
		snprintf(out->failure, sizeof(out->failure), "invalid opcode: INVALID");
	if (first == 0xdd)
		fake_describe(&out->output, c);
	else if (first == 0xbb)
		memset(buf_extend(&out->output, s->fake->big_size), 0xbb, s->fake->big_size);
	else if (c->data.size)
		buf_append(&out->output, c->data.data + out->reverted,
			   c->data.size - out->reverted);
	return OK;
}

static int estimate(void *snapshot, uint64_t height, const struct rpc_call *c, uint64_t *out,
		    struct rpc_call_result *result, struct err *err)
{
	int code = call(snapshot, height, c, result, err);

	*out = 21000;
	if (code == OK && result->reverted)
		return ERR_SET(err, RPC_E_REVERTED, "execution reverted");
	if (code == OK && !result->success)
		return ERR_SET(err, RPC_E_REJECTED, "gas required exceeds allowance");
	return code;
}

/* What the call has given, and block 1's entry. */
static int access_list(void *snapshot, uint64_t height, const struct rpc_call *c, struct buf *items,
		       struct rpc_call_result *result, struct err *err)
{
	buf_append_bytes(items, c->access_list);
	buf_append_bytes(items, access_entry());
	return call(snapshot, height, c, result, err);
}

/* --- code under a tracer: nothing runs, but what is told is what a run would tell --- */

#define FAKE_GAS 100000 /* of the outermost call */

static int trace_account(void *ctx, const struct addr *address, struct rpc_account *out, struct err *err)
{
	const struct fake *f = ctx;

	*out = (struct rpc_account){ .balance = wei_of(1000 + f->trace_count),
				     .nonce = addr_equal(address, &f->sender) ? f->trace_count : 0 };
	return f->is_broken ? ERR_SET(err, RPC_E_INTERNAL, "the disk failed") : OK;
}

static int trace_storage(void *ctx, const struct addr *address, const struct hash *slot,
			 struct u256 *out, struct err *err)
{
	*out = u256_of(slot->bytes[31]);
	return OK;
}

static int trace_code(void *ctx, const struct hash *code_hash, struct buf *out, struct err *err)
{
	buf_append_byte(out, 0x5f);
	return OK;
}

/* Goes on whenever it is asked. */
static uint64_t trace_now(void *ctx)
{
	struct fake *f = ctx;

	return f->trace_clock_ms += f->trace_tick_ms;
}

/* PUSH1 and STOP at `depth`, again and again; false if the tracer wanted no more. */
static bool tell_steps(const struct fake *f, const struct vm_tracer *t, const struct vm_message *m)
{
	const struct u256 word = u256_of(0xaa);
	struct vm_step step = { .depth = m->depth, .message = m };

	for (uint64_t i = 0; i < 2 * (1 + f->trace_loop_count); i++) {
		step.pc = i % 2 * 2;
		step.opcode = i % 2 ? OP_STOP : OP_PUSH1;
		step.gas_left = (int64_t)(m->gas - i % 2 * 3);
		step.stack = &word;
		step.stack_count = i % 2;
		t->step(t->ctx, &step);
		if (t->is_over(t->ctx))
			return false;
	}
	return true;
}

/* A call that makes a static one, which fails, and then logs. */
static int tell_run(struct fake *f, const struct rpc_tracer *tracer, const struct rpc_trace_run *run,
		    struct vm_message m, struct err *err)
{
	const struct vm_tracer *t = &tracer->vm;
	const struct vm_message inner = { .kind = VM_STATICCALL, .is_static = true, .depth = 1,
					  .gas = 5000, .recipient = { { 0x02 } }, .sender = m.recipient };
	const struct vm_block_context block = { .coinbase = { { 0xcb } } };
	const struct vm_reason reason = { .kind = VM_FAILED_UNDERFLOW, .have = 0, .limit = 2 };
	const struct hash topic = { { 0x77 } };
	int code = tracer->begin(tracer->ctx, run, err);

	if (code != OK)
		return code;
	t->begin(t->ctx, &block);
	t->enter(t->ctx, &m, m.gas);
	if (!tell_steps(f, t, &m))
		return ERR_SET(err, RPC_E_INTERNAL, "the run was ended");
	t->enter(t->ctx, &inner, m.gas - 10000);
	t->fail(t->ctx, &reason, 3);
	t->leave(t->ctx, &inner, VM_FAILURE, 0, bytes_of(NULL, 0));
	t->log(t->ctx, &m.recipient, &topic, 1, bytes_of("data", 4));
	t->leave(t->ctx, &m, VM_SUCCESS, m.gas - 20000, bytes_of("\x2a", 1));
	f->trace_count++;
	return tracer->end(tracer->ctx, m.gas + 21000, 41000, err);
}

static struct rpc_trace_state trace_state(struct fake *f)
{
	return (struct rpc_trace_state){ f, trace_account, trace_storage, trace_code, trace_now, 1 };
}

static int trace_txs(void *snapshot, uint64_t height, uint32_t first, uint32_t last,
		     const struct rpc_tracer *tracer, struct err *err)
{
	const struct snapshot *s = snapshot;
	const struct rpc_trace_state state = trace_state(s->fake);
	int code = s->fake->is_pruned ? check_state(snapshot, height - 1, err) : OK;

	for (uint32_t i = first; code == OK && i <= last; i++) {
		const struct tx *t = s->fake->blocks[height].block.txs[i];
		const struct rpc_trace_run run = { .tx = t, .first_log_index = i, .state = &state };
		const struct vm_message m = { .kind = VM_CALL, .gas = FAKE_GAS, .recipient = t->to,
					      .sender = t->sender, .value = t->value, .input = t->data };

		code = tell_run(s->fake, tracer, &run, m, err);
	}
	return code;
}

static int trace_call(void *snapshot, uint64_t height, const struct rpc_call *c,
		      const struct rpc_tracer *tracer, struct err *err)
{
	const struct snapshot *s = snapshot;
	const struct rpc_trace_state state = trace_state(s->fake);
	const struct rpc_trace_run run = { .call = c, .state = &state };
	const struct vm_message m = { .kind = VM_CALL, .gas = FAKE_GAS, .recipient = c->to,
				      .sender = c->from, .value = c->value, .input = c->data };
	int code = check_state(snapshot, height, err);

	s->fake->last_call = *c;
	return code == OK ? tell_run(s->fake, tracer, &run, m, err) : code;
}

static int read_epoch(void *snapshot, uint64_t height, struct epoch *out, struct err *err)
{
	const struct snapshot *s = snapshot;

	if (s->fake->is_broken)
		return ERR_SET(err, RPC_E_INTERNAL, "the disk failed");
	CHECK(height <= s->height + 1);
	epoch_genesis(out, &s->fake->genesis);
	return OK;
}

/* Three validators; of the next set only the first. Two want a fourth, one by another
 * weight, and one wants the last one out. */
static int read_votes(void *snapshot, uint64_t height, struct rpc_votes *out, struct err *err)
{
	const struct snapshot *s = snapshot;
	const struct validator members[] = { { s->fake->sender, { 3 } }, { { { 0x01 } }, { 2 } }, { { { 0x02 } }, { 1 } } };
	const struct addr fourth = { { 0x04 } };
	const struct rpc_vote votes[] = {
		{ fourth, members[1].address, 5 }, { fourth, members[2].address, 6 },
		{ fourth, members[0].address, 5 }, { members[2].address, members[1].address, 0 },
	};
	int code = check_state(snapshot, height, err);

	if (code != OK)
		return code;
	*out = (struct rpc_votes){ .open_count = ARRAY_COUNT(votes) };
	CHECK(validator_set_init(&out->present, members, 3, NULL) == OK);
	CHECK(validator_set_init(&out->next, members, 1, NULL) == OK);
	out->open = xmalloc(sizeof(votes));
	memcpy(out->open, votes, sizeof(votes));
	return OK;
}

static int next_base_fee(void *snapshot, struct wei *out, struct err *err)
{
	struct snapshot *s = snapshot;

	*out = wei_of(WEI_PER_GWEI + s->height + 1);
	return OK;
}

struct rpc_reader_backend fake_reader(struct fake *f)
{
	static const struct rpc_reader_ops ops = {
		open_snapshot, close_snapshot, newest, read_block, find_block, read_tx, find_tx,
		each_tx, find_logs, read_account, read_storage, read_code, call, estimate, access_list,
		trace_txs, trace_call, read_epoch, read_votes, next_base_fee,
	};

	return (struct rpc_reader_backend){ &ops, f };
}

/* --- the node --- */

static int submit(void *ctx, struct tx *t, struct err *err)
{
	struct fake *f = ctx;

	f->submit_count++;
	CHECK(t->has_sender);
	if (f->is_busy)
		return ERR_SET(err, RPC_E_LIMIT, "the node is catching up: try again later");
	if (t->nonce < 7)
		return ERR_SET(err, RPC_E_REJECTED, "nonce too low: next nonce 7, tx nonce %llu",
			       (unsigned long long)t->nonce);
	if (f->pool_count == ARRAY_COUNT(f->pool))
		return ERR_SET(err, RPC_E_REJECTED, "txpool is full");
	f->pool[f->pool_count++] = tx_ref(t);
	return OK;
}

static struct tx *pool_get(void *ctx, const struct hash *hash)
{
	struct fake *f = ctx;

	for (size_t k = 0; k < f->pool_count; k++)
		if (hash_equal(&f->pool[k]->hash, hash))
			return tx_ref(f->pool[k]);
	return NULL;
}

static uint64_t pool_next_nonce(void *ctx, const struct addr *sender)
{
	struct fake *f = ctx;

	return 7 + f->pool_count;
}

static void pool_stats(void *ctx, struct rpc_pool_stats *out)
{
	struct fake *f = ctx;

	out->pending_count = f->pool_count - f->pool_count / 2;
	out->future_count = f->pool_count / 2;
}

static void pool_each(void *ctx, rpc_pool_tx_fn fn, void *arg)
{
	struct fake *f = ctx;

	for (size_t k = 0; k < f->pool_count; k++)
		fn(arg, f->pool[k], k < f->pool_count - f->pool_count / 2);
}

static void one_node(struct rpc_proof *p, uint8_t value)
{
	uint8_t *node = xmalloc(1);

	*node = value;
	p->nodes = xcalloc(1, sizeof(*p->nodes));
	p->nodes[0] = bytes_of(node, 1);
	p->count = 1;
}

static int prove(void *ctx, const struct addr *address, const struct hash slots[],
		 size_t slot_count, uint64_t *height, struct rpc_account *account,
		 struct rpc_proof *account_proof, struct u256 values[],
		 struct rpc_proof slot_proofs[], struct err *err)
{
	struct fake *f = ctx;

	if (f->is_broken)
		return ERR_SET(err, RPC_E_INTERNAL, "the disk failed");
	if (f->is_behind)
		return ERR_SET(err, RPC_E_NOT_YET, "block 4 is not yet written");
	*height = f->height;
	*account = (struct rpc_account){ .nonce = 7, .balance = wei_of(f->height) };
	one_node(account_proof, 0xc0);
	for (size_t k = 0; k < slot_count; k++) {
		values[k] = u256_of(slots[k].bytes[31]);
		one_node(&slot_proofs[k], (uint8_t)k);
	}
	return OK;
}

static void consensus_status(void *ctx, struct rpc_consensus_status *out)
{
	struct fake *f = ctx;

	*out = (struct rpc_consensus_status){
		.height = f->height + 1, .role = "validator", .phase = "idle",
		.has_timeout = true, .timeout_ms_left = 1234, .proposer = f->sender, .total = { 3 },
		.quorum = { 3 }, .missing = { 3 }, .committed_height = f->height, .member_count = 1,
	};
	buf_printf(&out->reason, "no transaction waits");
	out->members = xcalloc(1, sizeof(*out->members));
	out->members[0] = (struct rpc_consensus_member){ .address = f->sender, .weight = { 3 } };
	out->refusals = xcalloc(1, sizeof(*out->refusals));
	out->refusals[0] = (struct rpc_consensus_refusal){ "signature", 4 };
	out->refusal_count = 1;
}

static void evidence(void *ctx, struct rpc_evidence_list *out)
{
	struct fake *f = ctx;

	out->count = 2;
	out->items = xcalloc(2, sizeof(*out->items));
	for (size_t k = 0; k < 2; k++) {
		out->items[k] = (struct rpc_evidence){
			.validator = f->sender, .index = 2, .height = k + 1, .view = 1, .kind = "prepare",
			.validators_hash = f->genesis.validators.hash, .seen_ms = 1000,
		};
		buf_append(&out->items[k].first, "one", 3);
		buf_append(&out->items[k].second, "two", 3);
	}
}

static void checkpoint(void *ctx, struct rpc_checkpoint *out)
{
	struct fake *f = ctx;

	if (f->is_broken)
		return;
	*out = (struct rpc_checkpoint){
		.is_there = true, .height = f->height, .epoch = 3, .validators_hash = f->genesis.validators.hash,
		.weight = { 2 }, .total = { 4 }, .faulty = { 1 }, .count = 1,
	};
	out->signers = xcalloc(1, sizeof(*out->signers));
	out->signers[0] = (struct rpc_checkpoint_signer){ 1, f->sender, { 2 }, { .recovery_id = 1 } };
}

static int poll_new(void *ctx, const struct rpc_poll *p, struct hash *id, struct err *err)
{
	struct fake *f = ctx;

	if (f->is_busy)
		return ERR_SET(err, RPC_E_LIMIT, "too many filters are kept");
	rpc_poll_clear(&f->poll);
	f->poll = *p;
	log_filter_copy(&f->poll.logs, &p->logs);
	f->poll_height = f->height;
	f->poll_tx = f->pool_count;
	f->poll_id = (struct hash){ { 0 } };
	f->poll_id.bytes[30] = 0x0a;
	f->poll_id.bytes[31] = ++f->poll_count;
	*id = f->poll_id;
	return OK;
}

static int poll_get(void *ctx, const struct hash *id, bool changes, struct rpc_poll *out, struct err *err)
{
	struct fake *f = ctx;

	if (hash_is_zero(&f->poll_id) || !hash_equal(id, &f->poll_id))
		return ERR_SET(err, RPC_E_NOT_FOUND, "filter not found");
	*out = f->poll;
	log_filter_copy(&out->logs, &f->poll.logs);
	if (!changes)
		return OK;
	out->first = f->poll_height + 1;
	out->last = f->poll_height = f->height;
	if (out->kind == RPC_POLL_TXS) {
		out->txs = xcalloc(f->pool_count, sizeof(out->txs[0]));
		while (f->poll_tx < f->pool_count)
			out->txs[out->tx_count++] = f->pool[f->poll_tx++]->hash;
	}
	return OK;
}

static bool poll_end(void *ctx, const struct hash *id)
{
	struct fake *f = ctx;
	bool was_there = !hash_is_zero(&f->poll_id) && hash_equal(id, &f->poll_id);

	if (was_there)
		f->poll_id = (struct hash){ { 0 } };
	return was_there;
}

static void metrics(void *ctx, struct buf *out)
{
	buf_printf(out, "weftd_chain_height 3\n");
}

static size_t peer_count(void *ctx)
{
	struct fake *f = ctx;

	return f->peer_count;
}

static void head_age(void *ctx, uint64_t *age_ms, bool *is_stalled)
{
	struct fake *f = ctx;

	*age_ms = f->age_ms;
	*is_stalled = f->is_stalled;
}

static const char *trouble(void *ctx)
{
	struct fake *f = ctx;

	return f->trouble;
}

struct rpc_node_backend fake_node(struct fake *f)
{
	static const struct rpc_node_ops ops = {
		submit, pool_get, pool_next_nonce, pool_stats, pool_each, prove, consensus_status,
		evidence, checkpoint,
		poll_new, poll_get, poll_end, metrics, peer_count, head_age, trouble,
	};

	return (struct rpc_node_backend){ &ops, f };
}

/* --- asking --- */

struct rpc *fake_rpc(struct fake *f)
{
	struct rpc_limits limits = { LIMIT_RPC_BATCH_COUNT, LIMIT_RPC_REPLY_SIZE, LIMIT_RPC_COST, 0, 0 };

	return rpc_new(&f->info, f->ecc, fake_reader(f), limits);
}

void fake_ask(struct fake *f, struct rpc *r, struct bytes body, struct buf *reply)
{
	bool needs_node;
	struct rpc_request *q = rpc_begin(r, body, &needs_node);

	CHECK(f->open_count == 0);
	if (needs_node)
		CHECK(rpc_continue(q, fake_node(f), true));
	rpc_finish(q, reply);
	CHECK(f->open_count == 0);
}
