#include "store/store_record.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

/* Gives a decoder's complaint the store's own code. */
static int broken(struct err *err, const char *what)
{
	if (err)
		err->code = STORE_E_CORRUPT;
	return err_prefix(err, STORE_E_CORRUPT, "broken %s", what);
}

static int broken_count(struct err *err, const char *what, size_t count)
{
	return ERR_SET(err, STORE_E_CORRUPT, "broken %s: a count of %zu", what, count);
}

/* Opens the one list that a value is. */
static int open_value(struct rlp_reader *list, struct bytes value, struct err *err)
{
	struct rlp_reader top;
	int code;

	rlp_reader_init(&top, value);
	code = rlp_read_list(&top, list, err);
	return code != OK ? code : rlp_reader_end(&top, err);
}

/* --- META --- */

void tip_encode(struct buf *out, const struct tip_record *t)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, t->height);
	rlp_put_hash(out, &t->hash);
	rlp_put_u64(out, t->withdrawal_index);
	rlp_list_close(out, list);
}

int tip_decode(struct tip_record *out, struct bytes value, struct err *err)
{
	struct rlp_reader list;

	if (open_value(&list, value, err) != OK || rlp_read_u64(&list, &out->height, err) != OK ||
	    rlp_read_fixed(&list, out->hash.bytes, sizeof(out->hash.bytes), err) != OK ||
	    rlp_read_u64(&list, &out->withdrawal_index, err) != OK ||
	    rlp_reader_end(&list, err) != OK)
		return broken(err, "tip record");
	return OK;
}

/* --- TX --- */

void tx_value_encode(struct buf *out, const struct store_block *b, size_t index)
{
	const struct tx *t = b->block->txs[index];
	size_t list = rlp_list_open(out);

	CHECK(t->has_sender);
	rlp_put_addr(out, &t->sender);
	rlp_put_bytes(out, t->raw);
	receipt_encode_stored(out, &b->receipts[index]);
	rlp_list_close(out, list);
}

void stored_tx_clear(struct stored_tx *t)
{
	tx_unref(t->tx);
	receipt_clear(&t->receipt);
	*t = (struct stored_tx){ 0 };
}

int tx_value_decode(struct stored_tx *out, struct bytes value, struct err *err)
{
	struct rlp_reader list;
	struct bytes raw, receipt;
	struct addr sender;

	*out = (struct stored_tx){ 0 };
	if (open_value(&list, value, err) != OK ||
	    rlp_read_fixed(&list, sender.bytes, sizeof(sender.bytes), err) != OK ||
	    rlp_read_bytes(&list, &raw, err) != OK || rlp_read_raw(&list, &receipt, err) != OK ||
	    rlp_reader_end(&list, err) != OK || tx_decode(&out->tx, raw, BLOCK_SIZE_MAX, err) != OK)
		return broken(err, "transaction record");
	out->tx->sender = sender;
	out->tx->has_sender = true;
	if (receipt_decode_stored(&out->receipt, receipt, err) != OK) {
		tx_unref(out->tx);
		*out = (struct stored_tx){ 0 };
		return broken(err, "transaction record");
	}
	return OK;
}

/* --- HEADER --- */

/* The size of rlp([header, transactions, [], withdrawals]), of which the block's
 * header and withdrawals are given as encoded. */
static uint64_t ethereum_size(const struct block *b, size_t header_size, size_t withdrawals_size)
{
	size_t txs_size = 0, size;

	for (size_t i = 0; i < b->tx_count; i++) {
		size = b->txs[i]->raw.size;
		txs_size += size + (b->txs[i]->type == TX_LEGACY ? 0 : rlp_header_size(size));
	}
	size = header_size + rlp_header_size(txs_size) + txs_size + 1 + withdrawals_size;
	return rlp_header_size(size) + size;
}

void header_value_encode(struct buf *out, const struct store_block *b, struct bytes tx_values,
			 const struct log_place *place, uint32_t *checksum)
{
	size_t value = rlp_list_open(out), list, start = out->size, header_size, withdrawals_size;

	header_encode(out, &b->block->header);
	header_size = out->size - start;
	commitments_encode(out, &b->block->commitments);
	withdrawals_size = out->size;
	list = rlp_list_open(out);
	for (size_t i = 0; i < b->block->withdrawal_count; i++)
		withdrawal_encode(out, &b->block->withdrawals[i]);
	rlp_list_close(out, list);
	withdrawals_size = out->size - withdrawals_size;
	rlp_put_u64(out, b->block->tx_count);
	rlp_put_u64(out, ethereum_size(b->block, header_size, withdrawals_size));
	rlp_put_bytes(out, b->certificate);
	rlp_put_u64(out, place->section);
	rlp_put_u64(out, place->rows);
	*checksum = crc32c(*checksum, bytes_of(out->data + start, out->size - start));
	*checksum = crc32c(*checksum, tx_values);
	rlp_put_u64(out, *checksum);
	rlp_list_close(out, value);
}

void stored_header_clear(struct stored_header *h)
{
	free(h->withdrawals);
	buf_clear(&h->certificate);
	*h = (struct stored_header){ 0 };
}

static int withdrawals_decode(struct stored_header *out, struct rlp_reader *r, struct err *err)
{
	struct rlp_reader list, item;
	size_t count;

	if (rlp_read_list(r, &list, err) != OK ||
	    rlp_count(&list, &count, BLOCK_WITHDRAWAL_COUNT_MAX, err) != OK)
		return broken(err, "withdrawals");
	out->withdrawals = xcalloc(count, sizeof(out->withdrawals[0]));
	out->withdrawal_count = count;
	for (size_t i = 0; i < count; i++) {
		struct withdrawal *w = &out->withdrawals[i];

		if (rlp_read_list(&list, &item, err) != OK ||
		    rlp_read_u64(&item, &w->index, err) != OK ||
		    rlp_read_u64(&item, &w->validator_index, err) != OK ||
		    rlp_read_fixed(&item, w->address.bytes, sizeof(w->address.bytes), err) != OK ||
		    rlp_read_u64(&item, &w->amount_gwei, err) != OK ||
		    rlp_reader_end(&item, err) != OK)
			return broken(err, "withdrawals");
	}
	return OK;
}

static int header_fields_decode(struct stored_header *out, struct bytes value, struct err *err)
{
	struct bytes header, commitments, certificate;
	uint64_t tx_count, checksum, log_section, log_rows;
	struct rlp_reader list;

	if (open_value(&list, value, err) != OK || rlp_read_raw(&list, &header, err) != OK ||
	    header_decode(&out->header, header, err) != OK ||
	    rlp_read_raw(&list, &commitments, err) != OK ||
	    commitments_decode(&out->commitments, commitments, err) != OK ||
	    withdrawals_decode(out, &list, err) != OK ||
	    rlp_read_u64(&list, &tx_count, err) != OK ||
	    rlp_read_u64(&list, &out->size, err) != OK ||
	    rlp_read_bytes(&list, &certificate, err) != OK ||
	    rlp_read_u64(&list, &log_section, err) != OK ||
	    rlp_read_u64(&list, &log_rows, err) != OK ||
	    rlp_read_u64(&list, &checksum, err) != OK || rlp_reader_end(&list, err) != OK)
		return broken(err, "header record");
	if (tx_count > BLOCK_TX_COUNT_MAX || checksum > UINT32_MAX)
		return broken_count(err, "header record", (size_t)tx_count);
	if (log_section > UINT32_MAX || log_rows > UINT32_MAX)
		return broken_count(err, "header record: log index", (size_t)log_section);
	keccak256(&out->hash, header);
	out->tx_count = (size_t)tx_count;
	out->checksum = (uint32_t)checksum;
	out->log_section = (uint32_t)log_section;
	out->log_rows = (uint32_t)log_rows;
	buf_append_bytes(&out->certificate, certificate);
	return OK;
}

int header_value_decode(struct stored_header *out, struct bytes value, struct err *err)
{
	int code;

	*out = (struct stored_header){ 0 };
	code = header_fields_decode(out, value, err);
	if (code != OK)
		stored_header_clear(out);
	return code;
}

uint32_t header_value_checksum(uint32_t parent, struct bytes value)
{
	struct rlp_reader list;
	struct bytes item;
	const uint8_t *start;

	CHECK(open_value(&list, value, NULL) == OK);
	start = list.at;
	for (size_t i = 0; i < 8; i++)
		CHECK(rlp_read_raw(&list, &item, NULL) == OK);
	return crc32c(parent, bytes_of(start, (size_t)(list.at - start)));
}

/* --- EPOCH --- */

#define EPOCH_CHECKSUM_SIZE 4

void epoch_value_encode(struct buf *out, const struct epoch *e)
{
	size_t start = out->size;

	buf_extend(out, EPOCH_CHECKSUM_SIZE);
	epoch_encode(out, e);
	store_le32(out->data + start,
		   crc32c(0, bytes_of(out->data + start + EPOCH_CHECKSUM_SIZE,
				      out->size - start - EPOCH_CHECKSUM_SIZE)));
}

int epoch_value_decode(struct epoch *out, struct bytes value, struct err *err)
{
	struct bytes rlp;

	if (value.size <= EPOCH_CHECKSUM_SIZE)
		return broken_count(err, "epoch record", value.size);
	rlp = bytes_of(value.data + EPOCH_CHECKSUM_SIZE, value.size - EPOCH_CHECKSUM_SIZE);
	if (load_le32(value.data) != crc32c(0, rlp))
		return ERR_SET(err, STORE_E_CORRUPT, "broken epoch record: its checksum differs");
	return epoch_decode(out, rlp, err) == OK ? OK : broken(err, "epoch record");
}

/* --- SLOT --- */

struct bytes slot_value_encode(uint8_t out[32], const struct u256 *value)
{
	size_t size = u256_byte_length(value);

	u256_to_be32(out, value);
	return bytes_of(out + 32 - size, size);
}

int slot_value_decode(struct u256 *out, struct bytes value, struct err *err)
{
	if (value.size > 32 || value.size == 0 || value.data[0] == 0)
		return ERR_SET(err, STORE_E_CORRUPT, "broken slot of %zu bytes", value.size);
	*out = u256_from_be(value);
	return OK;
}

/* --- the commit log's record --- */

static void put_senders(struct buf *out, const struct block *b)
{
	struct buf senders = { 0 };

	for (size_t i = 0; i < b->tx_count; i++) {
		CHECK(b->txs[i]->has_sender);
		buf_append_bytes(&senders, addr_bytes(&b->txs[i]->sender));
	}
	rlp_put_bytes(out, buf_bytes(&senders));
	buf_clear(&senders);
}

static void put_epoch(struct buf *out, const struct epoch *e)
{
	struct buf encoded = { 0 };

	if (e)
		epoch_encode(&encoded, e);
	rlp_put_bytes(out, buf_bytes(&encoded));
	buf_clear(&encoded);
}

void commit_encode(struct buf *out, const struct store_block *b)
{
	size_t record = rlp_list_open(out), list;

	rlp_put_u64(out, b->block->header.height);
	rlp_put_hash(out, &b->block->hash);
	rlp_put_hash(out, &b->block->header.state_root);
	block_encode_sealed(out, b->block);
	put_senders(out, b->block);
	list = rlp_list_open(out);
	for (size_t i = 0; i < b->block->tx_count; i++)
		receipt_encode_stored(out, &b->receipts[i]);
	rlp_list_close(out, list);
	rlp_put_bytes(out, b->certificate);
	state_diff_encode(out, b->diff);
	put_epoch(out, b->epoch);
	rlp_list_close(out, record);
}

void commit_clear(struct commit_record *r)
{
	for (size_t i = 0; i < r->receipt_count; i++)
		receipt_clear(&r->receipts[i]);
	free(r->receipts);
	block_clear(&r->block);
	state_diff_clear(&r->diff);
	free(r->epoch);
	*r = (struct commit_record){ 0 };
}

static int receipts_decode(struct commit_record *out, struct rlp_reader *list, struct err *err)
{
	size_t count = out->block.tx_count;

	out->receipts = xcalloc(count, sizeof(out->receipts[0]));
	for (size_t i = 0; i < count; i++) {
		struct bytes item;

		if (rlp_read_raw(list, &item, err) != OK ||
		    receipt_decode_stored(&out->receipts[i], item, err) != OK)
			return broken(err, "receipt");
		out->receipt_count = i + 1;
	}
	return rlp_reader_end(list, err);
}

static int commit_parts_decode(struct commit_record *out, struct rlp_reader *list, struct err *err)
{
	struct rlp_reader receipts;
	struct bytes sealed, senders, diff, epoch;
	struct hash hash, root;
	uint64_t height;

	if (rlp_read_u64(list, &height, err) != OK ||
	    rlp_read_fixed(list, hash.bytes, sizeof(hash.bytes), err) != OK ||
	    rlp_read_fixed(list, root.bytes, sizeof(root.bytes), err) != OK ||
	    rlp_read_raw(list, &sealed, err) != OK ||
	    block_decode_sealed(&out->block, sealed, err) != OK ||
	    rlp_read_bytes(list, &senders, err) != OK || rlp_read_list(list, &receipts, err) != OK)
		return broken(err, "commit record");
	if (senders.size != 20 * out->block.tx_count)
		return broken_count(err, "commit record: senders", senders.size / 20);
	for (size_t i = 0; i < out->block.tx_count; i++) {
		memcpy(out->block.txs[i]->sender.bytes, senders.data + 20 * i, 20);
		out->block.txs[i]->has_sender = true;
	}
	if (receipts_decode(out, &receipts, err) != OK ||
	    rlp_read_bytes(list, &out->b.certificate, err) != OK ||
	    rlp_read_raw(list, &diff, err) != OK ||
	    state_diff_decode(&out->diff, diff, err) != OK ||
	    rlp_read_bytes(list, &epoch, err) != OK || rlp_reader_end(list, err) != OK)
		return broken(err, "commit record");
	if (epoch.size) {
		out->epoch = xcalloc(1, sizeof(*out->epoch));
		if (epoch_decode(out->epoch, epoch, err) != OK)
			return broken(err, "commit record");
	}
	if (height != out->block.header.height || !hash_equal(&hash, &out->block.hash) ||
	    !hash_equal(&root, &out->block.header.state_root))
		return ERR_SET(err, STORE_E_CORRUPT, "a commit record that contradicts its block");
	return OK;
}

int commit_decode(struct commit_record *out, struct bytes record, struct err *err)
{
	struct rlp_reader list;
	int code;

	*out = (struct commit_record){ 0 };
	if (open_value(&list, record, err) != OK)
		return broken(err, "commit record");
	code = commit_parts_decode(out, &list, err);
	if (code != OK) {
		commit_clear(out);
		return code;
	}
	out->b.block = &out->block;
	out->b.receipts = out->receipts;
	out->b.diff = &out->diff;
	out->b.epoch = out->epoch;
	return OK;
}
