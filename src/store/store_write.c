/*
 * The writer's thread: a block's record in the commit log, its batch in the
 * database, and the consensus log.
 */
#include <inttypes.h>

#include "base/check.h"
#include "base/limits.h"
#include "store/store_internal.h"

/* Old history records that one block's batch takes along. */
#define PRUNE_COUNT_MAX 16

void store_count_logs(struct store *s)
{
	uint64_t size = 0;

	if (s->commit_log)
		size += wal_size(s->commit_log);
	if (s->consensus_log) {
		atomic_store(&s->consensus_size, wal_size(s->consensus_log));
		size += wal_size(s->consensus_log);
	}
	atomic_store(&s->log_size, size);
}

/* --- commit log --- */

int store_log(struct store *s, const struct store_block *b, struct err *err)
{
	struct bytes record;
	uint64_t index;
	int code;

	CHECK(b->block->header.height == s->logged_height + 1);
	if (s->commit_log) {
		buf_reset(&s->record);
		commit_encode(&s->record, b);
		record = buf_bytes(&s->record);
		code = wal_append(s->commit_log, COMMIT_KIND_BLOCK, &record, 1, &index, err);
		if (code != OK)
			return code;
		CHECK(index == b->block->header.height);
	}
	s->logged_height++;
	s->logged_hash = b->block->hash;
	return OK;
}

void store_log_sync(struct store *s)
{
	if (s->commit_log && s->synced_height < s->logged_height) {
		wal_sync(s->commit_log);
		store_dir_note_tip(s->dir, s->logged_height, &s->logged_hash);
		/* With a full disk the log just goes on in its old segment. */
		if (wal_segment_size(s->commit_log) > COMMIT_SEGMENT_SIZE)
			(void)wal_rotate(s->commit_log, NULL);
		store_count_logs(s);
	}
	s->synced_height = s->logged_height;
}

/* --- the batch of a block --- */

static void put(struct store *s, const struct store_key *key, struct bytes value)
{
	kv_batch_put(s->batch, key_bytes(key), value);
}

static void put_txs(struct store *s, const struct store_block *b)
{
	uint64_t height = b->block->header.height;

	buf_reset(&s->tx_values);
	for (size_t i = 0; i < b->block->tx_count; i++) {
		struct store_key row = key_tx(height, (uint32_t)i);
		struct store_key by_hash = key_hash(COLUMN_TX_HASH, &b->block->txs[i]->hash);
		size_t start = s->tx_values.size;

		tx_value_encode(&s->tx_values, b, i);
		put(s, &row, bytes_of(s->tx_values.data + start, s->tx_values.size - start));
		/* The row's key without its column is where it stands. */
		put(s, &by_hash, bytes_of(row.bytes + 1, row.size - 1));
	}
}

static void put_header(struct store *s, const struct store_block *b, const struct log_place *place,
		       uint32_t *checksum)
{
	struct store_key row = key_number(COLUMN_HEADER, b->block->header.height);
	struct store_key by_hash = key_hash(COLUMN_HEADER_HASH, &b->block->hash);

	buf_reset(&s->value);
	header_value_encode(&s->value, b, buf_bytes(&s->tx_values), place, checksum);
	put(s, &row, buf_bytes(&s->value));
	put(s, &by_hash, bytes_of(row.bytes + 1, row.size - 1));
}

static void put_accounts(struct store *s, const struct state_diff *d)
{
	uint8_t record[ACCOUNT_RLP_MAX];

	for (size_t i = 0; i < d->account_count; i++) {
		const struct account_change *c = &d->accounts[i];
		struct store_key key = key_account(&c->address);

		if (account_equal(&c->after, &account_empty))
			kv_batch_delete(s->batch, key_bytes(&key));
		else
			put(s, &key, bytes_of(record, account_encode_flat(record, &c->after)));
	}
}

static void put_slots(struct store *s, const struct state_diff *d)
{
	uint8_t record[32];

	for (size_t i = 0; i < d->slot_count; i++) {
		const struct slot_change *c = &d->slots[i];
		struct store_key key = key_slot(&c->address, &c->slot);

		if (u256_is_zero(&c->after))
			kv_batch_delete(s->batch, key_bytes(&key));
		else
			put(s, &key, slot_value_encode(record, &c->after));
	}
}

static void put_state(struct store *s, const struct store_block *b)
{
	struct store_key history = key_number(COLUMN_HISTORY, b->block->header.height);

	put_accounts(s, b->diff);
	put_slots(s, b->diff);
	for (size_t i = 0; i < b->diff->code_count; i++) {
		struct store_key key = key_hash(COLUMN_CODE, &b->diff->codes[i].code_hash);

		put(s, &key, b->diff->codes[i].code);
	}
	if (b->block->header.height == 0)
		return; /* there is no state before genesis */
	buf_reset(&s->value);
	history_encode(&s->value, b->diff);
	put(s, &history, buf_bytes(&s->value));
}

static void put_range(struct store *s, struct mmr *range, const struct hash *block_hash)
{
	struct mmr_new added;

	mmr_append(range, &added, block_hash);
	for (size_t i = 0; i < added.count; i++) {
		struct store_key key = key_number(COLUMN_MMR, added.first_position + i);

		put(s, &key, hash_bytes(&added.nodes[i]));
	}
}

static void put_epoch(struct store *s, const struct epoch *e)
{
	struct store_key key = key_epoch(e->first);

	buf_reset(&s->value);
	epoch_value_encode(&s->value, e);
	put(s, &key, buf_bytes(&s->value));
}

static void put_tip(struct store *s, const struct block *b, uint64_t withdrawal_index)
{
	struct tip_record tip = { b->header.height, b->hash, withdrawal_index };
	struct store_key key = key_name("tip");

	buf_reset(&s->value);
	tip_encode(&s->value, &tip);
	put(s, &key, buf_bytes(&s->value));
}

/* The time of the oldest block whose history is kept. */
static int first_history_ms(struct store *s, uint64_t first, uint64_t *time_ms, struct err *err)
{
	struct stored_header header;
	int code = store_get_header(s->kv, NULL, first, &header, err);

	if (code != OK)
		return code;
	*time_ms = header.commitments.time_ms;
	stored_header_clear(&header);
	return OK;
}

/* Deletes history that is older than what is kept; some a block, so that no
 * batch grows large. */
static int prune_history(struct store *s, const struct block *b, uint64_t *first,
			 uint64_t *first_ms, struct err *err)
{
	uint64_t now_ms = b->commitments.time_ms;

	if (now_ms <= s->history_ms)
		return OK;
	for (size_t n = 0; n < PRUNE_COUNT_MAX && *first < b->header.height; n++) {
		struct store_key key = key_number(COLUMN_HISTORY, *first);
		int code = *first_ms ? OK : first_history_ms(s, *first, first_ms, err);

		if (code != OK)
			return code;
		if (*first_ms >= now_ms - s->history_ms)
			return OK;
		kv_batch_delete(s->batch, key_bytes(&key));
		++*first;
		*first_ms = 0;
	}
	return OK;
}

int store_write_block(struct store *s, const struct store_block *b, struct err *err)
{
	uint64_t withdrawal_index = s->withdrawal_index;
	uint64_t history_first = s->history_first, history_first_ms = s->history_first_ms;
	const struct block *block = b->block;
	uint32_t checksum = s->checksum;
	struct log_place place = s->log_place;
	struct mmr range = s->range;
	int code;

	if (block->withdrawal_count)
		withdrawal_index = block->withdrawals[block->withdrawal_count - 1].index + 1;
	kv_batch_reset(s->batch);
	put_txs(s, b);
	store_log_put(&s->log_writer, s->batch, b, s->log_section_rows, &place);
	put_header(s, b, &place, &checksum);
	put_state(s, b);
	put_range(s, &range, &block->hash);
	if (b->epoch)
		put_epoch(s, b->epoch);
	put_tip(s, block, withdrawal_index);
	code = prune_history(s, block, &history_first, &history_first_ms, err);
	if (code == OK)
		code = kv_write(s->kv, s->batch, false, err);
	if (code != OK)
		return err_prefix(err, code, "block %" PRIu64, block->header.height);
	s->withdrawal_index = withdrawal_index;
	s->history_first = history_first;
	s->history_first_ms = history_first_ms;
	s->checksum = checksum;
	s->log_place = place;
	s->range = range;
	s->applied_height = block->header.height;
	s->applied_hash = block->hash;
	return OK;
}

int store_apply(struct store *s, const struct store_block *b, struct err *err)
{
	CHECK(b->block->header.height == s->applied_height + 1);
	CHECK(b->block->header.height <= s->synced_height);
	CHECK(hash_equal(&b->block->header.parent_hash, &s->applied_hash));
	return store_write_block(s, b, err);
}

/* --- consensus log --- */

int store_consensus_append(struct store *s, uint8_t kind, struct bytes payload, struct err *err)
{
	int code;

	if (!s->dir)
		return OK;
	if (!s->consensus_log)
		return ERR_SET(err, STORE_E_CORRUPT,
			       "the consensus log is missing: nothing may be signed");
	code = wal_append(s->consensus_log, kind, &payload, 1, NULL, err);
	store_count_logs(s);
	return code;
}

uint64_t store_consensus_size(const struct store *s)
{
	return atomic_load(&s->consensus_size);
}

void store_consensus_sync(struct store *s)
{
	if (s->consensus_log)
		wal_sync(s->consensus_log);
}

int store_consensus_trim(struct store *s, uint8_t kind, struct bytes newest_sign_record,
			 struct err *err)
{
	uint64_t index;
	int code;

	CHECK(!(kind & STORE_RECORD_WHOLE));
	if (!s->dir)
		return OK;
	if (!s->consensus_log)
		return ERR_SET(err, STORE_E_CORRUPT, "the consensus log is missing");
	code = wal_rotate(s->consensus_log, err);
	if (code == OK)
		code = wal_append(s->consensus_log, kind | STORE_RECORD_WHOLE, &newest_sign_record, 1, &index, err);
	if (code != OK)
		return code;
	wal_sync(s->consensus_log);
	wal_trim(s->consensus_log, index);
	store_count_logs(s);
	return OK;
}

#define FOUND_HEADER_SIZE 5 /* kind, size */

int store_consensus_replay(struct store *s, store_record_fn fn, void *ctx, struct err *err)
{
	const struct buf *found = &s->consensus_found;
	size_t at = 0;
	int code = OK;

	while (code == OK && at < found->size) {
		const uint8_t *record = found->data + at;
		uint32_t size = load_le32(record + 1);

		code = fn(ctx, record[0], bytes_of(record + FOUND_HEADER_SIZE, size), err);
		at += FOUND_HEADER_SIZE + size;
	}
	buf_clear(&s->consensus_found);
	return code;
}
