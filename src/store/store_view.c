/*
 * States of the past: the newest flat records, with what the blocks since then
 * changed put back. Of several values from before, the one of the lowest block
 * above the height counts.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "store/store_internal.h"

struct store_view {
	struct store_reader *reader;
	struct map accounts; /* struct addr → struct account */
	struct map slots;    /* struct slot_key → struct u256 */
	struct buf scratch;
};

static int past_account(void *ctx, struct account *out, const struct addr *address, struct err *err)
{
	struct store_view *v = ctx;
	const struct account *before = map_get(&v->accounts, address);

	if (before) {
		*out = *before;
		return OK;
	}
	return store_read_failed(err, store_get_account(v->reader->kv, v->reader->at, &v->scratch, out,
							 address, err));
}

static int past_slot(void *ctx, struct u256 *out, const struct addr *address, const struct hash *slot,
		     struct err *err)
{
	struct slot_key key = { *address, *slot };
	struct store_view *v = ctx;
	const struct u256 *before = map_get(&v->slots, &key);

	if (before) {
		*out = *before;
		return OK;
	}
	return store_read_failed(err, store_get_slot(v->reader->kv, v->reader->at, &v->scratch, out, address,
						      slot, err));
}

static int past_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	struct store_view *v = ctx;

	return store_read_failed(err, store_get_code(v->reader->kv, v->reader->at, out, code_hash, err));
}

static size_t memory_of(const struct store_view *v)
{
	return v->accounts.capacity * (v->accounts.entry_size + 1) + v->slots.capacity * (v->slots.entry_size + 1);
}

static int pruned(const struct store_reader *r, uint64_t height, struct err *err)
{
	return ERR_SET(err, STORE_E_PRUNED, "the state of block %" PRIu64 " is no longer kept; the newest is "
		       "block %" PRIu64, height, r->height);
}

/* Puts back what the blocks above `height` changed. */
static int merge(struct store_view *v, uint64_t height, struct err *err)
{
	const struct store_reader *r = v->reader;
	struct store_key from = key_number(COLUMN_HISTORY, height + 1);
	struct kv_iter *iter = kv_iter_new(r->kv, r->at, key_bytes(&from));
	struct bytes key, value;
	int code = OK;

	for (uint64_t h = height + 1; code == OK && h <= r->height; h++) {
		struct store_key expected = key_number(COLUMN_HISTORY, h);

		if (kv_iter_next(iter, &key, &value) && bytes_equal(key, key_bytes(&expected))) {
			code = history_merge(&v->accounts, &v->slots, value, err);
			if (code != OK)
				err_prefix(err, code, "block %" PRIu64, h);
			else if (memory_of(v) > LIMIT_PAST_VIEW_SIZE)
				code = ERR_SET(err, STORE_E_PRUNED, "too much has changed since block %" PRIu64
					       "; ask for a newer one", height);
		} else if ((code = kv_iter_error(iter, err)) == OK) {
			code = pruned(r, height, err);
		}
	}
	kv_iter_free(iter);
	return code;
}

int store_view_at(struct store_reader *r, uint64_t height, struct store_view **out, struct err *err)
{
	struct store_view *v;
	int code;

	if (height > r->height)
		return ERR_SET(err, STORE_E_NOT_FOUND, "there is no block %" PRIu64 " yet", height);
	v = xcalloc(1, sizeof(*v));
	v->reader = r;
	map_init(&v->accounts, sizeof(struct addr), sizeof(struct account), r->seed);
	map_init(&v->slots, sizeof(struct slot_key), sizeof(struct u256), r->seed);
	code = merge(v, height, err);
	if (code != OK) {
		store_view_free(v);
		return code;
	}
	*out = v;
	return OK;
}

struct state_view store_view_state(struct store_view *v)
{
	static const struct state_view_ops ops = { past_account, past_slot, past_code };

	return (struct state_view){ &ops, v };
}

void store_view_free(struct store_view *v)
{
	if (!v)
		return;
	map_clear(&v->accounts);
	map_clear(&v->slots);
	buf_clear(&v->scratch);
	free(v);
}
