/*
 * Readers: blocks and transactions out of one snapshot. Whatever is read may have
 * rotted: the error names the height, and nothing broken is passed on.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "store/store_internal.h"

int store_get_sure(struct kv *kv, const struct kv_snapshot *at, struct bytes key, struct buf *out,
		   struct err *err)
{
	int code = kv_get(kv, at, key, out, err);

	if (code != STORE_E_NOT_FOUND)
		return code;
	return ERR_SET(err, STORE_E_CORRUPT, "a record of column '%c' is missing", key.data[0]);
}

int store_get_header(struct kv *kv, const struct kv_snapshot *at, uint64_t height,
		     struct stored_header *out, struct err *err)
{
	struct store_key key = key_number(COLUMN_HEADER, height);
	struct buf value = { 0 };
	int code;

	code = store_get_sure(kv, at, key_bytes(&key), &value, err);
	if (code == OK)
		code = header_value_decode(out, buf_bytes(&value), err);
	if (code == OK && out->header.height != height) {
		stored_header_clear(out);
		code = ERR_SET(err, STORE_E_CORRUPT, "the header of another block");
	}
	buf_clear(&value);
	return code == OK ? OK : err_prefix(err, code, "block %" PRIu64, height);
}

int store_each_tx_value(struct kv *kv, const struct kv_snapshot *at, uint64_t height, size_t count,
			store_value_fn fn, void *ctx, struct err *err)
{
	struct store_key from = key_tx(height, 0);
	struct kv_iter *iter = kv_iter_new(kv, at, key_bytes(&from));
	struct bytes key, value;
	int code = OK;

	for (size_t i = 0; code == OK && i < count; i++) {
		struct store_key expected = key_tx(height, (uint32_t)i);

		if (kv_iter_next(iter, &key, &value) && bytes_equal(key, key_bytes(&expected)))
			code = fn(ctx, (uint32_t)i, value, err);
		else if ((code = kv_iter_error(iter, err)) == OK)
			code = ERR_SET(err, STORE_E_CORRUPT,
				       "block %" PRIu64 ": transaction %zu is missing", height, i);
	}
	kv_iter_free(iter);
	return code;
}

#define TIP_TRY_COUNT 3

static int read_tip(const struct store_reader *r, struct tip_record *tip, struct err *err)
{
	struct store_key key = key_name("tip");
	struct buf value = { 0 };
	int code = kv_get(r->kv, r->at, key_bytes(&key), &value, err);

	if (code == OK)
		code = tip_decode(tip, buf_bytes(&value), err);
	buf_clear(&value);
	return code;
}

struct store_reader *store_reader_new(struct store *s)
{
	struct store_reader *r = xcalloc(1, sizeof(*r));
	struct tip_record tip;
	struct err err = { 0 };
	int tries = 0;

	r->kv = s->kv;
	r->seed = s->seed;
	r->at = kv_snapshot_new(s->kv);
	/* Every batch since genesis writes the tip, and it was read on opening: a disk that
	 * misreads it once need not end the process. */
	while (read_tip(r, &tip, &err) != OK)
		if (++tries == TIP_TRY_COUNT)
			fatal("reading the tip: %s; check the disk", err.message);
	r->height = tip.height;
	return r;
}

void store_reader_free(struct store_reader *r)
{
	if (!r)
		return;
	kv_snapshot_free(r->kv, r->at);
	free(r);
}

uint64_t store_reader_height(const struct store_reader *r)
{
	return r->height;
}

int store_read_header(struct store_reader *r, uint64_t height, struct stored_header *out,
		      struct err *err)
{
	if (height > r->height)
		return ERR_SET(err, STORE_E_NOT_FOUND, "there is no block %" PRIu64 " yet", height);
	return store_get_header(r->kv, r->at, height, out, err);
}

/* An index's value: where something stands. */
static int find(struct store_reader *r, enum store_column column, const struct hash *hash,
		uint8_t *out, size_t size, struct err *err)
{
	struct store_key key = key_hash(column, hash);
	struct buf value = { 0 };
	int code = kv_get(r->kv, r->at, key_bytes(&key), &value, err);

	if (code == OK && value.size != size)
		code = ERR_SET(err, STORE_E_CORRUPT, "an index record of %zu bytes in column '%c'",
			       value.size, (char)column);
	if (code == OK)
		memcpy(out, value.data, size);
	buf_clear(&value);
	return code;
}

int store_find_block(struct store_reader *r, const struct hash *hash, uint64_t *height,
		     struct err *err)
{
	uint8_t place[8];
	int code = find(r, COLUMN_HEADER_HASH, hash, place, sizeof(place), err);

	if (code == OK)
		*height = load_be64(place);
	return code;
}

int store_find_tx(struct store_reader *r, const struct hash *hash, uint64_t *height,
		  uint32_t *index, struct err *err)
{
	uint8_t place[12];
	int code = find(r, COLUMN_TX_HASH, hash, place, sizeof(place), err);

	if (code == OK) {
		*height = load_be64(place);
		*index = load_be32(place + 8);
	}
	return code;
}

int store_read_tx(struct store_reader *r, uint64_t height, uint32_t index, struct stored_tx *out,
		  struct err *err)
{
	struct store_key key = key_tx(height, index);
	struct buf value = { 0 };
	int code = kv_get(r->kv, r->at, key_bytes(&key), &value, err);

	if (code == OK)
		code = tx_value_decode(out, buf_bytes(&value), err);
	buf_clear(&value);
	if (code == OK || code == STORE_E_NOT_FOUND)
		return code;
	return err_prefix(err, code, "block %" PRIu64 ", transaction %" PRIu32, height, index);
}

struct each {
	store_tx_fn fn;
	void *ctx;
	uint64_t height;
};

static int each_value(void *ctx, uint32_t index, struct bytes value, struct err *err)
{
	const struct each *each = ctx;
	struct stored_tx t;
	int code = tx_value_decode(&t, value, err);

	if (code != OK)
		return err_prefix(err, code, "block %" PRIu64 ", transaction %" PRIu32,
				  each->height, index);
	code = each->fn(each->ctx, index, &t, err);
	stored_tx_clear(&t);
	return code;
}

int store_each_tx(struct store_reader *r, uint64_t height, store_tx_fn fn, void *ctx,
		  struct err *err)
{
	struct each each = { fn, ctx, height };
	struct stored_header header;
	int code = store_read_header(r, height, &header, err);
	size_t count;

	if (code != OK)
		return code;
	count = header.tx_count;
	stored_header_clear(&header);
	return store_each_tx_value(r->kv, r->at, height, count, each_value, &each, err);
}

int store_read_epoch(struct store_reader *r, uint64_t height, struct epoch *out, struct err *err)
{
	struct store_key from = key_epoch(height);
	struct kv_iter *iter;
	struct bytes key, value;
	int code = OK;

	if (height > r->height + 1)
		return ERR_SET(err, STORE_E_NOT_FOUND, "there is no block %" PRIu64 " yet", height);
	iter = kv_iter_new(r->kv, r->at, key_bytes(&from));
	if (kv_iter_next(iter, &key, &value) && key.size == from.size && key.data[0] == COLUMN_EPOCH)
		code = epoch_value_decode(out, value, err);
	else if ((code = kv_iter_error(iter, err)) == OK)
		code = ERR_SET(err, STORE_E_CORRUPT, "a record of column '%c' is missing", (char)COLUMN_EPOCH);
	if (code == OK && memcmp(key.data + 1, key_epoch(out->first).bytes + 1, 8) != 0)
		code = ERR_SET(err, STORE_E_CORRUPT, "the epoch of another height");
	kv_iter_free(iter);
	return code == OK ? OK : err_prefix(err, code, "epoch of block %" PRIu64, height);
}

bool store_read_mmr(struct store_reader *r, uint64_t position, struct hash *out)
{
	struct store_key key = key_number(COLUMN_MMR, position);
	struct buf value = { 0 };
	bool found;

	found = kv_get(r->kv, r->at, key_bytes(&key), &value, NULL) == OK &&
		value.size == sizeof(out->bytes);
	if (found)
		memcpy(out->bytes, value.data, sizeof(out->bytes));
	buf_clear(&value);
	return found;
}
