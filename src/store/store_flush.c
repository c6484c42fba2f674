/*
 * The flush of trie nodes. Between the take and the write the tree counts its
 * nodes as stored and may let them go and ask for them again, before they are in
 * the database: so a taken flush can be read by location.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "codec/rlp.h"
#include "store/store_internal.h"

struct node_entry {
	size_t key_at, key_size; /* in data */
	size_t rlp_at, rlp_size; /* 0: the node is gone */
};

/* Keys differ in length and the map's do not: two hashes stand for one. */
struct key_print {
	uint64_t a, b;
};

struct store_flush {
	struct store *store;
	uint64_t height;
	struct buf data;
	struct node_entry *entries;
	size_t count, capacity;
	struct map index; /* struct key_print → size_t */
};

static struct key_print print_of(const struct store_flush *f, struct bytes key)
{
	uint64_t first[2] = { f->store->seed, 1 }, second[2] = { f->store->seed, 2 };

	return (struct key_print){ siphash13(first, key), siphash13(second, key) };
}

static void take_node(void *ctx, const struct tree_location *at, struct bytes rlp)
{
	struct store_key key = key_node(at);
	struct store_flush *f = ctx;
	struct key_print print = print_of(f, key_bytes(&key));
	size_t *index;

	if (f->count == f->capacity) {
		f->capacity = MAX(f->capacity * 2, (size_t)256);
		f->entries = xrealloc(f->entries, f->capacity * sizeof(f->entries[0]));
	}
	index = map_put(&f->index, &print, NULL);
	*index = f->count;
	f->entries[f->count++] = (struct node_entry){ f->data.size, key.size,
						      f->data.size + key.size, rlp.size };
	buf_append_bytes(&f->data, key_bytes(&key));
	buf_append_bytes(&f->data, rlp);
}

struct store_flush *store_flush_take(struct store *s, uint64_t height)
{
	struct store_flush *f = xcalloc(1, sizeof(*f));

	f->store = s;
	f->height = height;
	map_init(&f->index, sizeof(struct key_print), sizeof(size_t), s->seed);
	CHECK(pthread_mutex_lock(&s->flush_lock) == 0);
	CHECK(!s->flush);
	s->flush = f;
	CHECK(pthread_mutex_unlock(&s->flush_lock) == 0);
	/* Until f is returned only this thread looks into it. */
	state_tree_flush(s->tree, (struct tree_sink){ take_node, f });
	return f;
}

void store_flush_free(struct store_flush *f)
{
	if (!f)
		return;
	map_clear(&f->index);
	buf_clear(&f->data);
	free(f->entries);
	free(f);
}

static int write_nodes(struct store *s, const struct store_flush *f, struct err *err)
{
	struct store_key flushed = key_name("flushed");
	struct kv_batch *batch = kv_batch_new(s->kv);
	struct buf height = { 0 };
	int code;

	for (size_t i = 0; i < f->count; i++) {
		const struct node_entry *e = &f->entries[i];
		struct bytes key = bytes_of(f->data.data + e->key_at, e->key_size);

		if (e->rlp_size)
			kv_batch_put(batch, key, bytes_of(f->data.data + e->rlp_at, e->rlp_size));
		else
			kv_batch_delete(batch, key);
	}
	rlp_put_u64(&height, f->height);
	kv_batch_put(batch, key_bytes(&flushed), buf_bytes(&height));
	code = kv_write(s->kv, batch, true, err);
	buf_clear(&height);
	kv_batch_free(batch);
	return code;
}

int store_flush_write(struct store *s, struct store_flush *f, struct err *err)
{
	int code;

	CHECK(f == s->flush && f->height <= s->applied_height);
	code = write_nodes(s, f, err);
	if (code != OK)
		return code; /* the tree may still ask for these nodes: store_close() frees them */
	if (s->commit_log) {
		/* With a full disk the log just goes on in its old segment. */
		(void)wal_rotate(s->commit_log, NULL);
		wal_trim(s->commit_log, f->height + 1);
		store_count_logs(s);
	}
	CHECK(pthread_mutex_lock(&s->flush_lock) == 0);
	s->flush = NULL;
	CHECK(pthread_mutex_unlock(&s->flush_lock) == 0);
	store_flush_free(f);
	return OK;
}

/* True if the flush under way has the node; *gone if it deletes it. */
static bool find_taken(struct store *s, struct bytes key, struct buf *out, bool *gone)
{
	const struct store_flush *f;
	bool found = false;

	CHECK(pthread_mutex_lock(&s->flush_lock) == 0);
	f = s->flush;
	if (f) {
		struct key_print print = print_of(f, key);
		const size_t *index = map_get(&f->index, &print);
		const struct node_entry *e = index ? &f->entries[*index] : NULL;

		found = e && bytes_equal(bytes_of(f->data.data + e->key_at, e->key_size), key);
		*gone = found && e->rlp_size == 0;
		if (found)
			buf_append(out, f->data.data + e->rlp_at, e->rlp_size);
	}
	CHECK(pthread_mutex_unlock(&s->flush_lock) == 0);
	return found;
}

static int read_node(void *ctx, struct buf *out, const struct tree_location *at, struct err *err)
{
	struct store_key key = key_node(at);
	struct store *s = ctx;
	bool gone = false;

	if (!find_taken(s, key_bytes(&key), out, &gone))
		return store_read_failed(err,
					 store_get_sure(s->kv, NULL, key_bytes(&key), out, err));
	return gone ? ERR_SET(err, STATE_E_READ, "a trie node that was deleted is asked for") : OK;
}

struct tree_source store_tree_source(struct store *s)
{
	return (struct tree_source){ read_node, s };
}
