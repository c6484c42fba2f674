/*
 * The newest state, for the node's thread: the tree with its flush, and the
 * cache before the flat records.
 *
 * The node is ahead of the writer. What a block changed is pinned in the cache
 * from its commit until the writer has written it; everything else is equal in
 * the database whatever it has written so far. So a miss may read the newest
 * database, without a snapshot.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "store/store_internal.h"

/* --- flat records --- */

int store_read_failed(struct err *err, int code)
{
	if (code == OK)
		return OK;
	if (err)
		err->code = STATE_E_READ;
	return STATE_E_READ;
}

int store_get_account(struct kv *kv, const struct kv_snapshot *at, struct buf *scratch,
		      struct account *out, const struct addr *address, struct err *err)
{
	struct store_key key = key_account(address);
	int code;

	buf_reset(scratch);
	code = kv_get(kv, at, key_bytes(&key), scratch, err);
	if (code == STORE_E_NOT_FOUND) {
		*out = account_empty;
		return OK;
	}
	return code != OK ? code : account_decode_flat(out, buf_bytes(scratch), err);
}

int store_get_slot(struct kv *kv, const struct kv_snapshot *at, struct buf *scratch,
		   struct u256 *out, const struct addr *address, const struct hash *slot,
		   struct err *err)
{
	struct store_key key = key_slot(address, slot);
	int code;

	buf_reset(scratch);
	code = kv_get(kv, at, key_bytes(&key), scratch, err);
	if (code == STORE_E_NOT_FOUND) {
		*out = u256_of(0);
		return OK;
	}
	return code != OK ? code : slot_value_decode(out, buf_bytes(scratch), err);
}

int store_get_code(struct kv *kv, const struct kv_snapshot *at, struct buf *out,
		   const struct hash *code_hash, struct err *err)
{
	struct store_key key = key_hash(COLUMN_CODE, code_hash);

	if (hash_equal(code_hash, &account_empty.code_hash))
		return OK;
	return store_get_sure(kv, at, key_bytes(&key), out, err);
}

/* --- cache --- */

static void code_evicted(void *ctx, void *value)
{
	struct store *s = ctx;
	struct code_value *code = value;

	s->codes_size -= code->size;
	free(code->data);
}

void store_state_init(struct store *s, const struct store_options *options)
{
	s->accounts = cache_new(sizeof(struct addr), sizeof(struct account),
				LIMIT_ACCOUNT_CACHE_COUNT, options->seed, NULL, NULL);
	s->slots = cache_new(sizeof(struct slot_key), sizeof(struct u256), LIMIT_SLOT_CACHE_COUNT,
			     options->seed, NULL, NULL);
	s->codes = cache_new(sizeof(struct hash), sizeof(struct code_value), LIMIT_CODE_CACHE_COUNT,
			     options->seed, code_evicted, s);
}

void store_state_clear(struct store *s)
{
	cache_free(s->accounts);
	cache_free(s->slots);
	cache_free(s->codes);
	buf_clear(&s->read);
}

static int cached_account(void *ctx, struct account *out, const struct addr *address,
			  struct err *err)
{
	struct store *s = ctx;
	struct account *found = cache_get(s->accounts, address);
	int code;

	if (found) {
		s->cache_hits++;
		*out = *found;
		return OK;
	}
	s->cache_misses++;
	code = store_get_account(s->kv, NULL, &s->read, out, address, err);
	if (code != OK)
		return store_read_failed(err, code);
	found = cache_put(s->accounts, address, 0, NULL);
	*found = *out;
	return OK;
}

static int cached_slot(void *ctx, struct u256 *out, const struct addr *address,
		       const struct hash *slot, struct err *err)
{
	struct slot_key key = { *address, *slot };
	struct store *s = ctx;
	struct u256 *found = cache_get(s->slots, &key);
	int code;

	if (found) {
		s->cache_hits++;
		*out = *found;
		return OK;
	}
	s->cache_misses++;
	code = store_get_slot(s->kv, NULL, &s->read, out, address, slot, err);
	if (code != OK)
		return store_read_failed(err, code);
	found = cache_put(s->slots, &key, 0, NULL);
	*found = *out;
	return OK;
}

static void remember_code(struct store *s, const struct hash *code_hash, struct bytes code,
			  uint64_t height)
{
	struct code_value *v;
	bool added;

	while (s->codes_size + code.size > LIMIT_CODE_CACHE_SIZE && cache_evict_one(s->codes))
		;
	v = cache_put(s->codes, code_hash, height, &added);
	if (!added)
		return;
	v->data = xmalloc(code.size);
	v->size = code.size;
	if (code.size)
		memcpy(v->data, code.data, code.size);
	s->codes_size += code.size;
}

static int cached_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	struct store *s = ctx;
	struct code_value *found;
	int code;

	if (hash_equal(code_hash, &account_empty.code_hash))
		return OK;
	found = cache_get(s->codes, code_hash);
	if (found) {
		s->cache_hits++;
		buf_append(out, found->data, found->size);
		return OK;
	}
	s->cache_misses++;
	buf_reset(&s->read);
	code = store_get_code(s->kv, NULL, &s->read, code_hash, err);
	if (code != OK)
		return store_read_failed(err, code);
	remember_code(s, code_hash, buf_bytes(&s->read), 0);
	buf_append_bytes(out, buf_bytes(&s->read));
	return OK;
}

struct state_view store_state(struct store *s)
{
	static const struct state_view_ops ops = { cached_account, cached_slot, cached_code };

	return (struct state_view){ &ops, s };
}

void store_state_commit(struct store *s, uint64_t height, const struct state_diff *diff)
{
	for (size_t i = 0; i < diff->account_count; i++) {
		struct account *a = cache_put(s->accounts, &diff->accounts[i].address, height,
					      NULL);

		*a = diff->accounts[i].after;
	}
	for (size_t i = 0; i < diff->slot_count; i++) {
		struct slot_key key = { diff->slots[i].address, diff->slots[i].slot };
		struct u256 *value = cache_put(s->slots, &key, height, NULL);

		*value = diff->slots[i].after;
	}
	for (size_t i = 0; i < diff->code_count; i++)
		remember_code(s, &diff->codes[i].code_hash, diff->codes[i].code, height);
}

void store_state_written(struct store *s, uint64_t height)
{
	cache_settle(s->accounts, height);
	cache_settle(s->slots, height);
	cache_settle(s->codes, height);
}

struct state_tree *store_tree(struct store *s)
{
	return s->tree;
}

void store_get_stats(const struct store *s, struct store_stats *out)
{
	out->log_size = atomic_load(&s->log_size);
	out->cache_hits = s->cache_hits;
	out->cache_misses = s->cache_misses;
	out->tree_memory = state_tree_memory(s->tree);
}
