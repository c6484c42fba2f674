#include "store/sample.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "chain/receipt.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

#define FIRST_CONTRACT (SAMPLE_ACCOUNT_COUNT - SAMPLE_CONTRACT_COUNT)
#define FUNDS 1000000000ull

static struct addr address_of(size_t i)
{
	struct hash h;
	struct addr a;
	uint64_t n = i;

	keccak256(&h, bytes_of(&n, sizeof(n)));
	memcpy(a.bytes, h.bytes, sizeof(a.bytes));
	return a;
}

static struct hash slot_of(size_t i)
{
	struct hash h = { { 0 } };

	h.bytes[31] = (uint8_t)i;
	return h;
}

static struct bytes code_of(uint64_t number, uint8_t out[64])
{
	for (size_t i = 0; i < 64; i++)
		out[i] = (uint8_t)(number * 7 + i);
	return bytes_of(out, number ? 20 + number % 44 : 0);
}

void sample_init(struct sample *m, uint64_t seed, const char *dir)
{
	static const struct overlay_limits limits = { 1024, 1024 };
	struct validator validator = { .weight = { 1 } };
	uint8_t ecc_seed[32] = { 1 };

	*m = (struct sample){ .seed = seed };
	m->ecc = ecc_new(ecc_seed);
	m->overlay = overlay_new(limits, seed);
	m->states = xcalloc(SAMPLE_HEIGHT_MAX + 1, sizeof(m->states[0]));
	genesis_default(&m->genesis, 1000 + seed, 5000000);
	validator.address = address_of(0);
	CHECK(validator_set_init(&m->genesis.validators, &validator, 1, NULL) == OK);
	for (size_t i = 0; i < SAMPLE_ACCOUNT_COUNT / 2; i++) {
		struct addr address = address_of(i);

		genesis_fund(&m->genesis, &address, wei_of(FUNDS));
		m->states[0].accounts[i].exists = true;
		m->states[0].accounts[i].balance = FUNDS;
	}
	m->options = (struct store_options){
		.dir = dir,
		.cache_size = 1 * MIB,
		.tree_memory_max = 64 * KIB, /* small, so that nodes are let go and read again */
		.history_ms = UINT64_MAX,
		.seed = seed,
		.log_section_rows = 50, /* small, so that there are several */
	};
}

void sample_close(struct sample *m)
{
	store_close(m->s);
	m->s = NULL;
}

void sample_clear(struct sample *m)
{
	sample_close(m);
	genesis_clear(&m->genesis);
	overlay_free(m->overlay);
	ecc_free(m->ecc);
	free(m->states);
}

int sample_open(struct sample *m, struct err *err)
{
	struct store_tip tip;
	int code = store_open(&m->s, &m->options, &m->genesis, &m->report, err);

	if (code != OK)
		return code;
	store_get_tip(m->s, &tip);
	m->height = tip.header.height;
	m->parent = tip.header;
	m->parent_hash = tip.hash;
	m->time_ms = tip.commitments.time_ms;
	m->withdrawal_index = tip.withdrawal_index;
	m->range = tip.history;
	mmr_append(&m->range, NULL, &tip.hash);
	m->hashes[m->height] = tip.hash;
	m->roots[m->height] = tip.header.state_root;
	m->times_ms[m->height] = tip.commitments.time_ms;
	return OK;
}

/* --- making a block --- */

static void write_account(struct sample *m, struct sample_state *now, size_t i)
{
	struct addr address = address_of(i);
	uint8_t code[64];

	CHECK(overlay_set_balance(m->overlay, &address, wei_of(now->accounts[i].balance), NULL) ==
	      OK);
	CHECK(overlay_set_nonce(m->overlay, &address, now->accounts[i].nonce, NULL) == OK);
	if (now->accounts[i].code)
		CHECK(overlay_set_code(m->overlay, &address, code_of(now->accounts[i].code, code),
				       NULL) == OK);
}

static void change_account(struct sample *m, struct sample_state *now, struct rng *rng)
{
	size_t i = rng_below(rng, FIRST_CONTRACT);

	now->accounts[i].exists = rng_below(rng, 6) != 0;
	now->accounts[i].balance = now->accounts[i].exists ? 1 + rng_below(rng, FUNDS) : 0;
	now->accounts[i].nonce = now->accounts[i].exists ? now->accounts[i].nonce + 1 : 0;
	write_account(m, now, i);
}

static void change_contract(struct sample *m, struct sample_state *now, struct rng *rng)
{
	size_t c = rng_below(rng, SAMPLE_CONTRACT_COUNT), i = FIRST_CONTRACT + c;
	struct addr address = address_of(i);

	now->accounts[i].exists = true;
	now->accounts[i].nonce = 1;
	if (!now->accounts[i].code || rng_below(rng, 20) == 0)
		now->accounts[i].code = 1 + rng_below(rng, 100);
	write_account(m, now, i);
	for (size_t n = 0; n < 3; n++) {
		size_t slot = rng_below(rng, SAMPLE_SLOT_COUNT);
		struct hash key = slot_of(slot);
		struct u256 value;

		now->slots[c][slot] = rng_below(rng, 3) ? rng_next(rng) : 0;
		value = u256_of(now->slots[c][slot]);
		CHECK(overlay_set_storage(m->overlay, &address, &key, &value, NULL) == OK);
	}
}

/* Of transaction `index` of a block; none of genesis. */
static size_t log_count_of(uint64_t height, size_t index)
{
	return (index * 7 + height) % 3;
}

static struct hash topic_of(size_t place, size_t i)
{
	struct hash h;
	uint64_t n[2] = { place / 2, i }; /* two places share their topics */

	keccak256(&h, bytes_of(n, sizeof(n)));
	return h;
}

/* Few different addresses and topics, so that filters find something. */
static void add_logs(struct receipt *r, uint64_t height, size_t index, struct rng *rng)
{
	struct log_entry logs[2] = { 0 };
	uint8_t data[32] = { (uint8_t)index };
	size_t count = log_count_of(height, index);

	for (size_t i = 0; i < count; i++) {
		logs[i].address = address_of(rng_below(rng, SAMPLE_LOG_ADDRESS_COUNT));
		logs[i].topic_count = rng_below(rng, LOG_TOPIC_MAX + 1);
		for (size_t t = 0; t < logs[i].topic_count; t++)
			logs[i].topics[t] = topic_of(t, rng_below(rng, SAMPLE_LOG_TOPIC_COUNT));
		logs[i].data = bytes_of(data, sizeof(data));
	}
	receipt_set_logs(r, logs, count);
}

void sample_filter(struct log_filter *out, struct rng *rng)
{
	*out = (struct log_filter){ .address_count = rng_below(rng, 2) * rng_below(rng, 4),
				    .place_count = rng_below(rng, LOG_TOPIC_MAX + 1) };
	out->addresses = xcalloc(out->address_count, sizeof(struct addr));
	for (size_t i = 0; i < out->address_count; i++)
		out->addresses[i] = address_of(rng_below(rng, SAMPLE_LOG_ADDRESS_COUNT + 1));
	for (size_t t = 0; t < out->place_count; t++) {
		struct log_filter_place *p = &out->places[t];

		p->count = rng_below(rng, 2) * rng_below(rng, 4);
		p->any = xcalloc(p->count, sizeof(struct hash));
		for (size_t i = 0; i < p->count; i++)
			p->any[i] = topic_of(t, rng_below(rng, SAMPLE_LOG_TOPIC_COUNT + 1));
	}
	log_filter_sort(out);
}

static void add_txs(struct sample *m, struct sample_block *out, size_t tx_count, struct rng *rng)
{
	struct secret_key key = { { 0 } };
	struct block *b = &out->block;

	b->txs = xcalloc(tx_count, sizeof(b->txs[0]));
	out->receipts = xcalloc(tx_count, sizeof(out->receipts[0]));
	key.bytes[31] = 7;
	for (size_t i = 0; i < tx_count; i++) {
		struct tx t = {
			.type = rng_below(rng, 2) ? TX_LEGACY : TX_DYNAMIC_FEE,
			.has_chain_id = true,
			.chain_id = m->genesis.params.chain_id,
			.nonce = m->height * 10000 + i,
			.gas_limit = GAS_TX,
			.max_fee = wei_of(1000),
			.max_priority_fee = wei_of(1000),
			.value = wei_of(rng_below(rng, 1000)),
			.to = address_of(rng_below(rng, SAMPLE_ACCOUNT_COUNT)),
		};
		struct receipt *r = &out->receipts[i];

		CHECK(tx_sign(&b->txs[i], m->ecc, &t, &key, NULL) == OK);
		b->tx_count++;
		r->type = t.type;
		r->success = true;
		r->gas_used = GAS_TX;
		r->cumulative_gas_used = (i + 1) * GAS_TX;
		add_logs(r, m->height, i, rng);
		receipt_bloom(r, &b->header.logs_bloom);
	}
}

static void add_withdrawals(struct sample *m, struct block *b, struct rng *rng)
{
	size_t count = rng_below(rng, 3);

	b->withdrawals = xcalloc(count, sizeof(b->withdrawals[0]));
	b->withdrawal_count = count;
	for (size_t i = 0; i < count; i++)
		b->withdrawals[i] = (struct withdrawal){ m->withdrawal_index++, 0, address_of(i),
							 5 + i };
}

static void set_receipts_root(struct sample_block *out)
{
	struct buf *encoded = xcalloc(out->block.tx_count, sizeof(*encoded));
	struct bytes *values = xcalloc(out->block.tx_count, sizeof(*values));

	for (size_t i = 0; i < out->block.tx_count; i++) {
		receipt_encode(&encoded[i], &out->receipts[i]);
		values[i] = buf_bytes(&encoded[i]);
	}
	ordered_root(&out->block.header.receipts_root, values, out->block.tx_count);
	for (size_t i = 0; i < out->block.tx_count; i++)
		buf_clear(&encoded[i]);
	free(encoded);
	free(values);
}

static void set_header(struct sample *m, struct sample_block *out)
{
	struct block *b = &out->block;

	b->commitments.time_ms = m->time_ms;
	b->commitments.validators_hash = m->genesis.validators.hash;
	b->commitments.next_validators_hash = m->genesis.validators.hash;
	mmr_root(&m->range, &b->commitments.history_root);
	b->header.parent_hash = m->parent_hash;
	b->header.coinbase = address_of(0);
	b->header.height = m->height;
	b->header.gas_limit = m->genesis.params.block_gas_limit;
	b->header.gas_used = b->tx_count * GAS_TX;
	b->header.timestamp = m->time_ms / 1000;
	b->header.base_fee = wei_of(7);
	b->header.parent_beacon_root = m->parent.extra_data;
	header_next_mix(&b->header.mix_hash, &m->parent.mix_hash, m->height);
	commitments_hash(&b->commitments, &b->header.extra_data);
	transactions_root(&b->header.transactions_root, b->txs, b->tx_count);
	withdrawals_root(&b->header.withdrawals_root, b->withdrawals, b->withdrawal_count);
	set_receipts_root(out);
	header_hash(&b->header, &b->hash);
}

#define SAMPLE_EPOCH_LENGTH 7

/* Of a number above 0; 0 is genesis's. */
static void sample_epoch(struct epoch *out, uint64_t number)
{
	struct validator members[8];
	size_t count = 1 + number % ARRAY_COUNT(members);

	*out = (struct epoch){ .number = number, .first = number * SAMPLE_EPOCH_LENGTH,
			       .start_ms = 1000 * number };
	for (size_t i = 0; i < count; i++)
		members[i] = (struct validator){ address_of(i), { number + i } };
	CHECK(validator_set_init(&out->set, members, count, NULL) == OK);
}

void sample_make(struct sample *m, struct sample_block *out, size_t tx_count)
{
	struct sample_state *now = &m->states[m->height + 1];
	struct rng rng;

	CHECK(m->height < SAMPLE_HEIGHT_MAX);
	*out = (struct sample_block){ 0 };
	*now = m->states[m->height];
	m->height++;
	rng_init(&rng, m->seed * 1000003 + m->height);
	m->time_ms += 40 + rng_below(&rng, 400);
	overlay_reset(m->overlay, store_state(m->s));
	for (size_t n = rng_below(&rng, 12); n > 0; n--)
		change_account(m, now, &rng);
	if (rng_below(&rng, 3) == 0)
		change_contract(m, now, &rng);
	overlay_diff(m->overlay, &out->diff);
	CHECK(state_tree_apply(store_tree(m->s), &out->diff, &out->block.header.state_root, NULL) ==
	      OK);
	add_txs(m, out, tx_count, &rng);
	add_withdrawals(m, &out->block, &rng);
	set_header(m, out);
	for (size_t i = 0; i < 50; i++)
		buf_append_byte(&out->certificate, (uint8_t)(m->height + i));
	out->b = (struct store_block){ &out->block, out->receipts, buf_bytes(&out->certificate),
				       &out->diff, NULL };
	if (m->height % SAMPLE_EPOCH_LENGTH == SAMPLE_EPOCH_LENGTH - 1) {
		sample_epoch(&out->epoch, m->height / SAMPLE_EPOCH_LENGTH + 1);
		out->b.epoch = &out->epoch;
	}
	store_state_commit(m->s, m->height, &out->diff);
	m->parent = out->block.header;
	m->parent_hash = out->block.hash;
	mmr_append(&m->range, NULL, &out->block.hash);
	m->hashes[m->height] = out->block.hash;
	m->roots[m->height] = out->block.header.state_root;
	m->times_ms[m->height] = m->time_ms;
}

void sample_block_clear(struct sample_block *b)
{
	for (size_t i = 0; i < b->block.tx_count; i++)
		receipt_clear(&b->receipts[i]);
	free(b->receipts);
	block_clear(&b->block);
	state_diff_clear(&b->diff);
	buf_clear(&b->certificate);
}

void sample_run(struct sample *m, uint64_t count)
{
	while (count-- > 0) {
		struct sample_block block;

		sample_make(m, &block, m->height % 4);
		CHECK(store_log(m->s, &block.b, NULL) == OK);
		store_log_sync(m->s);
		CHECK(store_apply(m->s, &block.b, NULL) == OK);
		store_state_written(m->s, m->height);
		sample_block_clear(&block);
	}
}

void sample_flush(struct sample *m)
{
	CHECK(store_flush_write(m->s, store_flush_take(m->s, m->height), NULL) == OK);
}

/* --- comparing --- */

static const char *compare_account(const struct sample_state *state, size_t i,
				   const struct state_view *v)
{
	struct addr address = address_of(i);
	struct buf code = { 0 };
	uint8_t expected[64];
	struct account a;
	bool equal;

	if (state_account(v, &a, &address, NULL) != OK)
		return "an account can't be read";
	if (!state->accounts[i].exists)
		return account_equal(&a, &account_empty) ? NULL : "an account is there";
	if (a.nonce != state->accounts[i].nonce ||
	    wei_compare(a.balance, wei_of(state->accounts[i].balance)) != 0)
		return "an account differs";
	if (state_code(v, &code, &a.code_hash, NULL) != OK)
		return "code can't be read";
	equal = bytes_equal(buf_bytes(&code), code_of(state->accounts[i].code, expected));
	buf_clear(&code);
	return equal ? NULL : "code differs";
}

const char *sample_compare(const struct sample *m, uint64_t height, const struct state_view *v)
{
	const struct sample_state *state = &m->states[height];
	const char *bad = NULL;

	for (size_t i = 0; !bad && i < SAMPLE_ACCOUNT_COUNT; i++)
		bad = compare_account(state, i, v);
	for (size_t c = 0; !bad && c < SAMPLE_CONTRACT_COUNT; c++)
		for (size_t i = 0; !bad && i < SAMPLE_SLOT_COUNT; i++) {
			struct addr address = address_of(FIRST_CONTRACT + c);
			struct u256 value, expected = u256_of(state->slots[c][i]);
			struct hash slot = slot_of(i);

			if (state_storage(v, &value, &address, &slot, NULL) != OK)
				bad = "a slot can't be read";
			else if (!u256_equal(&value, &expected))
				bad = "a slot differs";
		}
	return bad;
}

struct tx_check {
	struct store_reader *r;
	uint64_t height;
	uint32_t count;
	const char *bad;
};

static int check_tx(void *ctx, uint32_t index, const struct stored_tx *t, struct err *err)
{
	struct tx_check *c = ctx;
	struct stored_tx again;
	uint64_t height;
	uint32_t at;

	if (index != c->count++ || !t->tx->has_sender || !t->receipt.success ||
	    t->receipt.cumulative_gas_used != (index + 1) * GAS_TX ||
	    t->receipt.log_count != log_count_of(c->height, index) ||
	    (t->receipt.log_count &&
	     (t->receipt.logs[0].data.size != 32 || t->receipt.logs[0].data.data[0] != index)))
		c->bad = "a transaction differs";
	else if (store_find_tx(c->r, &t->tx->hash, &height, &at, NULL) != OK ||
		 height != c->height || at != index)
		c->bad = "a transaction is not found by its hash";
	else if (store_read_tx(c->r, height, at, &again, NULL) != OK)
		c->bad = "a transaction can't be read";
	else {
		if (!hash_equal(&again.tx->hash, &t->tx->hash))
			c->bad = "another transaction is read";
		stored_tx_clear(&again);
	}
	return OK;
}

static const char *compare_block(const struct sample *m, struct store_reader *r, uint64_t height)
{
	struct tx_check check = { .r = r, .height = height };
	const char *bad = NULL;
	struct stored_header h;
	uint64_t found;

	if (store_read_header(r, height, &h, NULL) != OK)
		return "a header can't be read";
	if (!hash_equal(&h.hash, &m->hashes[height]) ||
	    h.commitments.time_ms != m->times_ms[height] ||
	    !hash_equal(&h.header.state_root, &m->roots[height]) ||
	    h.certificate.size != (height ? 50 : 0) ||
	    (height && h.certificate.data[0] != (uint8_t)height))
		bad = "a header differs";
	else if (store_find_block(r, &m->hashes[height], &found, NULL) != OK || found != height)
		bad = "a block is not found by its hash";
	else if (store_each_tx(r, height, check_tx, &check, NULL) != OK ||
		 check.count != h.tx_count)
		bad = "transactions can't be read";
	stored_header_clear(&h);
	return bad ? bad : check.bad;
}

/* --- logs --- */

/* Compared as bytes: without padding. */
struct log_found {
	uint64_t height, index, first_log;
};

struct log_list {
	struct buf found;            /* struct log_found */
	const struct log_filter *filter;
	uint64_t height;
	size_t first_log;
	uint64_t charged_us;
};

static int note_found(void *ctx, uint64_t height, uint32_t index, size_t first_log,
		      const struct stored_tx *t, struct err *err)
{
	const struct log_found found = { height, index, first_log };
	struct log_list *l = ctx;

	buf_append(&l->found, &found, sizeof(found));
	return OK;
}

static int note_charge(void *ctx, uint64_t height, uint64_t us, struct err *err)
{
	struct log_list *l = ctx;

	l->charged_us += us;
	return OK;
}

static int note_if_wanted(void *ctx, uint32_t index, const struct stored_tx *t, struct err *err)
{
	struct log_list *l = ctx;
	size_t first_log = l->first_log;

	l->first_log += t->receipt.log_count;
	for (size_t i = 0; i < t->receipt.log_count; i++)
		if (log_filter_matches(l->filter, &t->receipt.logs[i]))
			return note_found(l, l->height, index, first_log, t, err);
	return OK;
}

const char *sample_compare_logs(struct store_reader *r, const struct log_filter *f, uint64_t from,
				uint64_t to, size_t *count)
{
	struct log_list have = { 0 }, want = { .filter = f };
	struct store_log_query q = {
		.filter = f, .from = from, .to = to, .found = note_found, .charge = note_charge, .ctx = &have,
	};
	const char *bad = NULL;

	for (uint64_t h = from; !bad && h <= to; h++) {
		want.height = h;
		want.first_log = 0;
		if (store_each_tx(r, h, note_if_wanted, &want, NULL) != OK)
			bad = "transactions can't be read";
	}
	if (!bad && store_find_logs(r, &q, NULL) != OK)
		bad = "logs can't be searched";
	if (!bad && !bytes_equal(buf_bytes(&have.found), buf_bytes(&want.found)))
		bad = "other logs are found than there are";
	if (!bad && have.charged_us == 0)
		bad = "a search for logs costs nothing";
	*count = have.found.size / sizeof(struct log_found);
	buf_clear(&have.found);
	buf_clear(&want.found);
	return bad;
}

#define FILTER_COUNT 24

static const char *compare_logs(const struct sample *m, struct store_reader *r, uint64_t height)
{
	const char *bad = NULL;
	struct rng rng;
	size_t count;

	rng_init(&rng, m->seed + height);
	for (size_t i = 0; !bad && i < FILTER_COUNT; i++) {
		uint64_t from = rng_below(&rng, height + 1);
		uint64_t to = from + rng_below(&rng, height - from + 1);
		struct log_filter f;

		sample_filter(&f, &rng);
		bad = i % 2 ? sample_compare_logs(r, &f, 0, height, &count)
			    : sample_compare_logs(r, &f, from, to, &count);
		log_filter_clear(&f);
	}
	return bad;
}

static bool read_node(void *ctx, uint64_t position, struct hash *out)
{
	return store_read_mmr(ctx, position, out);
}

static const char *compare_range(const struct sample *m, struct store_reader *r, uint64_t height)
{
	struct hash root;

	mmr_root(&m->range, &root);
	for (uint64_t h = 0; h <= height; h += 1 + height / 5) {
		struct mmr_proof proof;

		if (!mmr_prove(&proof, h, height + 1, read_node, r) ||
		    !mmr_verify(&proof, &m->hashes[h], &root))
			return "the history range differs";
	}
	return NULL;
}

/* Up to the epoch of the block that is next; no further. */
static const char *compare_epochs(const struct sample *m, struct store_reader *r, uint64_t height)
{
	struct epoch have, want;

	for (uint64_t h = 0; h <= height + 1; h++) {
		if (store_read_epoch(r, h, &have, NULL) != OK)
			return "an epoch is missing";
		if (h < SAMPLE_EPOCH_LENGTH)
			epoch_genesis(&want, &m->genesis);
		else
			sample_epoch(&want, h / SAMPLE_EPOCH_LENGTH);
		if (have.number != want.number || have.first != want.first || have.start_ms != want.start_ms ||
		    !hash_equal(&have.set.hash, &want.set.hash))
			return "an epoch is another";
	}
	return store_read_epoch(r, height + 2, &have, NULL) == STORE_E_NOT_FOUND ? NULL
										 : "an epoch is invented";
}

const char *sample_compare_store(const struct sample *m, uint64_t height)
{
	struct state_view newest = store_state(m->s);
	struct store_reader *r = store_reader_new(m->s);
	const char *bad = sample_compare(m, height, &newest);
	struct store_view *view = NULL;
	struct hash root;

	state_tree_root(store_tree(m->s), &root);
	if (!bad && (store_reader_height(r) != height || m->height != height))
		bad = "the tip is at another height";
	if (!bad && !hash_equal(&root, &m->roots[height]))
		bad = "the tree has another root";
	for (uint64_t h = 0; !bad && h <= height; h++)
		bad = compare_block(m, r, h);
	if (!bad)
		bad = compare_range(m, r, height);
	if (!bad)
		bad = compare_epochs(m, r, height);
	if (!bad)
		bad = compare_logs(m, r, height);
	if (!bad && store_view_at(r, height, &view, NULL) != OK)
		bad = "there is no view of the tip";
	if (!bad) {
		struct state_view v = store_view_state(view);

		bad = sample_compare(m, height, &v);
	}
	store_view_free(view);
	store_reader_free(r);
	return bad;
}
