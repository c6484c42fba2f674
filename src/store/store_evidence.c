/*
 * Evidence against validators, by height: what the node has proven and keeps, each
 * record with a checksum of its own, since no block vouches for it. Written with a
 * sync: it is rare, bounded in number, and what a validator would like forgotten.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "store/store_internal.h"

#define CHECKSUM_SIZE 4

int store_evidence_write(struct store *s, const struct store_evidence items[], size_t count,
			 struct err *err)
{
	int code;

	kv_batch_reset(s->batch);
	for (size_t i = 0; i < count; i++) {
		struct store_key key = key_evidence(items[i].height, &items[i].id);

		CHECK(items[i].value.size <= STORE_EVIDENCE_SIZE_MAX);
		if (items[i].value.size == 0) {
			kv_batch_delete(s->batch, key_bytes(&key));
			continue;
		}
		buf_reset(&s->value);
		store_le32(buf_extend(&s->value, CHECKSUM_SIZE), crc32c(0, items[i].value));
		buf_append_bytes(&s->value, items[i].value);
		kv_batch_put(s->batch, key_bytes(&key), buf_bytes(&s->value));
	}
	code = kv_write(s->kv, s->batch, true, err);
	return code == OK ? OK : err_prefix(err, code, "evidence");
}

static bool read_record(struct store_evidence *out, struct bytes key, struct bytes value)
{
	struct store_key expected;

	if (value.size <= CHECKSUM_SIZE || value.size > CHECKSUM_SIZE + STORE_EVIDENCE_SIZE_MAX)
		return false;
	expected = key_evidence(0, &(struct hash){ 0 });
	if (key.size != expected.size)
		return false;
	out->height = load_be64(key.data + 1);
	memcpy(out->id.bytes, key.data + 1 + 8, sizeof(out->id.bytes));
	out->value = bytes_of(value.data + CHECKSUM_SIZE, value.size - CHECKSUM_SIZE);
	return load_le32(value.data) == crc32c(0, out->value);
}

int store_each_evidence(struct store *s, store_evidence_fn fn, void *ctx, size_t *broken_count,
			struct err *err)
{
	struct store_key from = key_of(COLUMN_EVIDENCE);
	struct kv_iter *iter = kv_iter_new(s->kv, NULL, key_bytes(&from));
	struct bytes key, value;
	int code = OK;

	*broken_count = 0;
	while (code == OK && kv_iter_next(iter, &key, &value) && key.data[0] == COLUMN_EVIDENCE) {
		struct store_evidence e;

		if (read_record(&e, key, value))
			code = fn(ctx, &e, err);
		else
			++*broken_count;
	}
	if (code == OK)
		code = kv_iter_error(iter, err);
	kv_iter_free(iter);
	return code;
}
