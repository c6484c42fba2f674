#include "chain/block.h"

#include <stdlib.h>

#include "base/check.h"
#include "chain/decode.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

void block_clear(struct block *b)
{
	for (size_t i = 0; i < b->tx_count; i++)
		tx_unref(b->txs[i]);
	free(b->txs);
	free(b->withdrawals);
	*b = (struct block){ 0 };
}

/* --- encoding --- */

void withdrawal_encode(struct buf *out, const struct withdrawal *w)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, w->index);
	rlp_put_u64(out, w->validator_index);
	rlp_put_addr(out, &w->address);
	rlp_put_u64(out, w->amount_gwei);
	rlp_list_close(out, list);
}

/* Legacy transactions are items of the list as they are, typed ones as strings (EIP-2718). */
static void put_txs(struct buf *out, const struct block *b)
{
	size_t size = 0, list;

	for (size_t i = 0; i < b->tx_count; i++)
		size += b->txs[i]->raw.size + rlp_header_size(b->txs[i]->raw.size);
	buf_reserve(out, size + 16);
	list = rlp_list_open(out);
	for (size_t i = 0; i < b->tx_count; i++) {
		if (b->txs[i]->type == TX_LEGACY)
			buf_append_bytes(out, b->txs[i]->raw);
		else
			rlp_put_bytes(out, b->txs[i]->raw);
	}
	rlp_list_close(out, list);
}

void block_encode(struct buf *out, const struct block *b)
{
	size_t list = rlp_list_open(out), inner;

	header_encode(out, &b->header);
	put_txs(out, b);
	inner = rlp_list_open(out); /* no ommers */
	rlp_list_close(out, inner);
	inner = rlp_list_open(out);
	for (size_t i = 0; i < b->withdrawal_count; i++)
		withdrawal_encode(out, &b->withdrawals[i]);
	rlp_list_close(out, inner);
	rlp_list_close(out, list);
}

void block_encode_sealed(struct buf *out, const struct block *b)
{
	size_t list = rlp_list_open(out);

	block_encode(out, b);
	commitments_encode(out, &b->commitments);
	rlp_list_close(out, list);
}

/* --- decoding --- */

static int limit_error(struct err *err, const char *what, size_t have, unsigned long long max)
{
	return ERR_SET(err, CHAIN_E_BLOCK_LIMIT, "block: %zu %s, %llu are allowed", have, what,
		       max);
}

/* Reads one transaction of a block's list. */
static void decode_tx(struct decoder *d, struct rlp_reader *r, size_t index, struct tx **out)
{
	bool is_list = rlp_next_is_list(r);
	struct bytes raw;
	int status;

	if (is_list)
		decode_raw(d, r, "transaction", &raw);
	else
		decode_bytes(d, r, "transaction", BLOCK_SIZE_MAX, &raw);
	if (d->status != OK)
		return;
	if (!is_list && (raw.size == 0 || raw.data[0] > 0x7f)) {
		decode_fail(d, "transaction %zu is a string, but not of a typed one", index);
		return;
	}
	status = tx_decode(out, raw, BLOCK_SIZE_MAX, d->err);
	if (status != OK)
		d->status = err_prefix(d->err, status, "block: transaction %zu", index);
}

static void decode_txs(struct decoder *d, struct rlp_reader *r, struct block *b)
{
	struct rlp_reader list;
	size_t count;

	decode_list_counted(d, r, "transactions", SIZE_MAX, &list, &count);
	if (count > BLOCK_TX_COUNT_MAX) {
		d->status = limit_error(d->err, "transactions", count, BLOCK_TX_COUNT_MAX);
		return;
	}
	b->txs = xcalloc(count, sizeof(*b->txs));
	while (d->status == OK && rlp_reader_more(&list)) {
		decode_tx(d, &list, b->tx_count, &b->txs[b->tx_count]);
		b->tx_count += d->status == OK;
	}
}

static void decode_withdrawals(struct decoder *d, struct rlp_reader *r, struct block *b)
{
	struct rlp_reader list, item;
	size_t count;

	decode_list_counted(d, r, "withdrawals", SIZE_MAX, &list, &count);
	if (count > BLOCK_WITHDRAWAL_COUNT_MAX) {
		d->status = limit_error(d->err, "withdrawals", count, BLOCK_WITHDRAWAL_COUNT_MAX);
		return;
	}
	b->withdrawals = xcalloc(count, sizeof(*b->withdrawals));
	while (d->status == OK && rlp_reader_more(&list)) {
		struct withdrawal *w = &b->withdrawals[b->withdrawal_count++];

		decode_list(d, &list, "withdrawal", &item);
		decode_u64(d, &item, "withdrawal index", &w->index);
		decode_u64(d, &item, "withdrawal validator", &w->validator_index);
		decode_addr(d, &item, "withdrawal address", &w->address);
		decode_u64(d, &item, "withdrawal amount", &w->amount_gwei);
		decode_end(d, &item);
	}
}

/* Ethereum's form. */
static void decode_body(struct decoder *d, struct bytes rlp, struct block *b)
{
	struct rlp_reader r, ommers;
	struct bytes header;
	int status;

	decode_top(d, &r, rlp);
	decode_raw(d, &r, "header", &header);
	if (d->status != OK)
		return;
	status = header_decode(&b->header, header, d->err);
	if (status != OK) {
		d->status = status;
		return;
	}
	keccak256(&b->hash, header);
	decode_txs(d, &r, b);
	decode_list(d, &r, "ommers", &ommers);
	decode_end(d, &ommers);
	decode_withdrawals(d, &r, b);
	decode_end(d, &r);
}

/* What header, lists and commitments say about each other. */
static void check_agreement(struct decoder *d, const struct block *b)
{
	struct hash h;

	commitments_hash(&b->commitments, &h);
	if (!hash_equal(&h, &b->header.extra_data))
		decode_fail(d, "extraData is not the hash of the commitments");
	if (b->header.timestamp != b->commitments.time_ms / 1000)
		decode_fail(d, "timestamp is not the commitments' time in seconds");
	transactions_root(&h, b->txs, b->tx_count);
	if (!hash_equal(&h, &b->header.transactions_root))
		decode_fail(d, "transactionsRoot is not that of the transactions");
	withdrawals_root(&h, b->withdrawals, b->withdrawal_count);
	if (!hash_equal(&h, &b->header.withdrawals_root))
		decode_fail(d, "withdrawalsRoot is not that of the withdrawals");
}

int block_decode_sealed(struct block *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "block", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct bytes body, commitments;
	struct block b = { 0 };
	struct rlp_reader r;

	if (rlp.size > BLOCK_SEALED_SIZE_MAX)
		return limit_error(err, "bytes", rlp.size, BLOCK_SEALED_SIZE_MAX);
	decode_top(&d, &r, rlp);
	decode_raw(&d, &r, "block", &body);
	decode_raw(&d, &r, "commitments", &commitments);
	decode_end(&d, &r);
	if (d.status == OK && body.size > BLOCK_SIZE_MAX)
		return limit_error(err, "bytes", body.size, BLOCK_SIZE_MAX);
	if (d.status == OK)
		d.status = commitments_decode(&b.commitments, commitments, err);
	if (d.status == OK)
		decode_body(&d, body, &b);
	if (d.status == OK)
		check_agreement(&d, &b);
	if (d.status == OK)
		*out = b;
	else
		block_clear(&b);
	return d.status;
}

/* --- roots --- */

void transactions_root(struct hash *out, struct tx *const txs[], size_t count)
{
	struct bytes *values = xcalloc(count, sizeof(*values));

	for (size_t i = 0; i < count; i++)
		values[i] = txs[i]->raw;
	ordered_root(out, values, count);
	free(values);
}

void withdrawals_root(struct hash *out, const struct withdrawal w[], size_t count)
{
	struct bytes *values = xcalloc(count, sizeof(*values));
	size_t *ends = xcalloc(count, sizeof(*ends));
	struct buf all = { 0 };

	for (size_t i = 0; i < count; i++) {
		withdrawal_encode(&all, &w[i]);
		ends[i] = all.size;
	}
	for (size_t i = 0; i < count; i++) {
		size_t start = i ? ends[i - 1] : 0;

		values[i] = bytes_of(all.data + start, ends[i] - start);
	}
	ordered_root(out, values, count);
	buf_clear(&all);
	free(ends);
	free(values);
}
