/*
 * States of the past: of several values from before, that of the lowest block above
 * the height counts; without one, the newest flat record. So a lookup goes up through
 * the blocks' reverse differences until one has the key. They are read as far as a
 * lookup has come, and kept for the next.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "store/store_internal.h"

struct kept_value {
	size_t at, size; /* in data */
};

struct store_view {
	struct store_reader *reader;
	uint64_t height;
	struct kv_iter *iter;    /* stands before the first value that is not kept */
	struct kept_value *kept; /* of height + 1, height + 2, … */
	size_t kept_count, kept_capacity;
	struct buf data;
	struct buf scratch;
};

static int pruned(const struct store_view *v, struct err *err)
{
	return ERR_SET(err, STORE_E_PRUNED,
		       "the state of block %" PRIu64 " is no longer kept; the newest is "
		       "block %" PRIu64,
		       v->height, v->reader->height);
}

/* Reads one block's value more. They go from the oldest on, so only the first may be
 * missing. */
static int read_next(struct store_view *v, struct err *err)
{
	uint64_t height = v->height + v->kept_count + 1;
	struct store_key expected = key_number(COLUMN_HISTORY, height);
	struct bytes key, value;
	int code;

	if (!v->iter)
		v->iter = kv_iter_new(v->reader->kv, v->reader->at, key_bytes(&expected));
	if (!kv_iter_next(v->iter, &key, &value) || !bytes_equal(key, key_bytes(&expected))) {
		code = kv_iter_error(v->iter, err);
		if (code != OK)
			return code;
		return v->kept_count == 0 ? pruned(v, err)
					  : ERR_SET(err, STORE_E_CORRUPT,
						    "block %" PRIu64 ": its history is missing",
						    height);
	}
	if (v->data.size + value.size > LIMIT_PAST_VIEW_SIZE)
		return ERR_SET(err, STORE_E_PRUNED, "too much has changed since block %" PRIu64
			       "; ask for a newer one", v->height);
	if (v->kept_count == v->kept_capacity) {
		v->kept_capacity = MAX(v->kept_capacity * 2, (size_t)16);
		v->kept = xrealloc(v->kept, v->kept_capacity * sizeof(v->kept[0]));
	}
	v->kept[v->kept_count++] = (struct kept_value){ v->data.size, value.size };
	buf_append_bytes(&v->data, value);
	return OK;
}

/* After a failure the walk begins again where it was. */
static int keep_next(struct store_view *v, struct err *err)
{
	int code = read_next(v, err);

	if (code != OK) {
		kv_iter_free(v->iter);
		v->iter = NULL;
	}
	return code;
}

/* The difference of block height + 1 + `i`. */
static int history_at(struct store_view *v, size_t i, struct history *out, struct err *err)
{
	int code = i < v->kept_count ? OK : keep_next(v, err);

	if (code == OK)
		code = history_open(out, bytes_of(v->data.data + v->kept[i].at, v->kept[i].size),
				    err);
	return code;
}

/* A view's errors are the state's, but for one that is the caller's matter. */
static int failed(struct err *err, int code)
{
	return code == STORE_E_PRUNED ? code : store_read_failed(err, code);
}

static int past_account(void *ctx, struct account *out, const struct addr *address, struct err *err)
{
	struct store_view *v = ctx;
	bool found = false;
	int code = OK;

	for (size_t i = 0; code == OK && !found && v->height + i < v->reader->height; i++) {
		struct history h;

		code = history_at(v, i, &h, err);
		if (code == OK)
			code = history_find_account(&h, address, &found, out, err);
	}
	if (code == OK && !found)
		code = store_get_account(v->reader->kv, v->reader->at, &v->scratch, out, address,
					 err);
	return failed(err, code);
}

static int past_slot(void *ctx, struct u256 *out, const struct addr *address,
		     const struct hash *slot, struct err *err)
{
	struct slot_key key = { *address, *slot };
	struct store_view *v = ctx;
	bool found = false;
	int code = OK;

	for (size_t i = 0; code == OK && !found && v->height + i < v->reader->height; i++) {
		struct history h;

		code = history_at(v, i, &h, err);
		if (code == OK)
			code = history_find_slot(&h, &key, &found, out, err);
	}
	if (code == OK && !found)
		code = store_get_slot(v->reader->kv, v->reader->at, &v->scratch, out, address, slot,
				      err);
	return failed(err, code);
}

static int past_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	struct store_view *v = ctx;

	return store_read_failed(err,
				 store_get_code(v->reader->kv, v->reader->at, out, code_hash, err));
}

int store_view_at(struct store_reader *r, uint64_t height, struct store_view **out, struct err *err)
{
	struct store_view *v;
	int code;

	if (height > r->height)
		return ERR_SET(err, STORE_E_NOT_FOUND, "there is no block %" PRIu64 " yet", height);
	v = xcalloc(1, sizeof(*v));
	v->reader = r;
	v->height = height;
	code = height < r->height ? keep_next(v, err) : OK;
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
	if (v->iter)
		kv_iter_free(v->iter);
	free(v->kept);
	buf_clear(&v->data);
	buf_clear(&v->scratch);
	free(v);
}
