/*
 * kv in memory: a skip list of keys, each with its versions, newest first.
 *
 *   key "a" -> (seq 9, "x") -> (seq 4, "w")
 *   key "b" -> (seq 7, deleted) -> (seq 2, "y")
 *
 * A write gets the next sequence number; a snapshot is one, and sees of each key
 * the newest version that is not above it. A version that a newer one has
 * superseded waits in a queue, in the order of the superseding writes; it goes
 * as soon as the oldest snapshot stands at or above that write. Readers share a
 * lock, the writer takes it alone.
 *
 * The mark (kv_memory.h) is a snapshot as well, so that what stood there stays; a
 * journal says which node each write since then has touched.
 */
#include "store/kv_memory.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/rand.h"
#include "store/kv_ops.h"

#define LEVEL_MAX 20

struct version {
	struct version *older;
	uint64_t seq;
	bool deleted;
	size_t size;
	uint8_t value[];
};

struct node {
	struct version *newest;
	uint8_t *key;
	size_t key_size;
	int level_count;
	struct node *next[];
};

/* `node` has something to drop once no snapshot below `seq` is left. */
struct stale {
	struct node *node;
	uint64_t seq;
};

struct kv_snapshot {
	uint64_t seq;
	struct kv_snapshot *newer, *older;
};

/* Write `seq` gave the node its version of that number. */
struct touch {
	struct node *node;
	uint64_t seq;
};

struct memory_kv {
	struct kv base;
	const struct kv_memory_hooks *hooks; /* NULL: nobody keeps it */
	void *ctx;
	pthread_rwlock_t lock;
	struct node *head; /* before the first key; LEVEL_MAX levels */
	struct rng rng;
	uint64_t seq;
	struct kv_snapshot *oldest, *newest;
	struct stale *stale; /* a ring */
	size_t stale_first, stale_count, stale_capacity;
	struct kv_snapshot *mark; /* NULL: none */
	struct touch *journal;    /* since the mark, in order */
	size_t journal_count, journal_capacity;
};

struct memory_batch {
	struct kv_batch base;
	struct buf ops; /* struct op_header, key, value, … */
};

struct op_header {
	size_t key_size, value_size;
	bool deleted;
};

struct memory_iter {
	struct kv_iter base;
	struct memory_kv *kv;
	struct kv_snapshot *own; /* if the caller gave none */
	uint64_t seq;
	bool after; /* go on behind `key`, else at it */
	int failed; /* OK, or what the keeper said */
	struct err err;
	struct buf key, value;
};

static const struct kv_ops memory_ops;

static struct memory_kv *of(struct kv *kv)
{
	return (struct memory_kv *)kv;
}

/* A failing lock is a programming error: no path tries twice or unlocks unheld. */
static void lock_read(struct memory_kv *m)
{
	CHECK(pthread_rwlock_rdlock(&m->lock) == 0);
}

static void lock_write(struct memory_kv *m)
{
	CHECK(pthread_rwlock_wrlock(&m->lock) == 0);
}

static void unlock(struct memory_kv *m)
{
	CHECK(pthread_rwlock_unlock(&m->lock) == 0);
}

static struct node *node_new(struct bytes key, int level_count)
{
	struct node *n = xcalloc(1, sizeof(*n) + (size_t)level_count * sizeof(n->next[0]));

	n->level_count = level_count;
	n->key_size = key.size;
	n->key = xmalloc(key.size);
	if (key.size)
		memcpy(n->key, key.data, key.size);
	return n;
}

static void node_free(struct node *n)
{
	struct version *v, *older;

	for (v = n->newest; v; v = older) {
		older = v->older;
		free(v);
	}
	free(n->key);
	free(n);
}

struct kv *kv_open_memory(void)
{
	struct memory_kv *m = xcalloc(1, sizeof(*m));

	m->base.ops = &memory_ops;
	m->head = node_new(bytes_of(NULL, 0), LEVEL_MAX);
	rng_init(&m->rng, 1);
	CHECK(pthread_rwlock_init(&m->lock, NULL) == 0);
	return &m->base;
}

static void memory_snapshot_free(struct kv *kv, struct kv_snapshot *s);

void kv_memory_free(struct kv *kv)
{
	struct memory_kv *m = of(kv);
	struct node *n, *next;

	if (m->mark)
		memory_snapshot_free(kv, m->mark);
	for (n = m->head; n; n = next) {
		next = n->next[0];
		node_free(n);
	}
	CHECK(!m->oldest);
	CHECK(pthread_rwlock_destroy(&m->lock) == 0);
	free(m->stale);
	free(m->journal);
	free(m);
}

static void memory_close(struct kv *kv)
{
	struct memory_kv *m = of(kv);

	if (m->hooks)
		m->hooks->close(m->ctx);
	else
		kv_memory_free(kv);
}

/* The first node whose key is ≥ `key`; `before` (may be NULL) gets the last node
 * below it on every level. */
static struct node *seek(const struct memory_kv *m, struct bytes key,
			 struct node *before[LEVEL_MAX])
{
	struct node *at = m->head;

	for (int level = LEVEL_MAX - 1; level >= 0; level--) {
		struct node *next;

		while ((next = at->next[level]) &&
		       bytes_compare(bytes_of(next->key, next->key_size), key) < 0)
			at = next;
		if (before)
			before[level] = at;
	}
	return at->next[0];
}

static bool has_key(const struct node *n, struct bytes key)
{
	return n && bytes_equal(bytes_of(n->key, n->key_size), key);
}

/* The version that a snapshot at `seq` sees; NULL if none or deleted. */
static const struct version *visible(const struct node *n, uint64_t seq)
{
	const struct version *v = n->newest;

	while (v && v->seq > seq)
		v = v->older;
	return v && !v->deleted ? v : NULL;
}

static int memory_get(struct kv *kv, const struct kv_snapshot *at, struct bytes key,
		      struct buf *out, struct err *err)
{
	struct memory_kv *m = of(kv);
	const struct version *v = NULL;
	struct node *n;
	int code = OK;

	lock_read(m);
	n = seek(m, key, NULL);
	if (has_key(n, key))
		v = visible(n, at ? at->seq : m->seq);
	if (v && m->hooks)
		code = m->hooks->get(m->ctx, key, v->seq, err);
	if (v && code == OK)
		buf_append(out, v->value, v->size);
	unlock(m);
	return v ? code
		 : ERR_SET(err, STORE_E_NOT_FOUND, "nothing stored under this key of column '%c'",
			   key.data[0]);
}

static struct node *insert(struct memory_kv *m, struct bytes key, struct node *before[LEVEL_MAX])
{
	int level_count = 1;
	struct node *n;

	while (level_count < LEVEL_MAX && (rng_next(&m->rng) & 3) == 0)
		level_count++;
	n = node_new(key, level_count);
	for (int level = 0; level < level_count; level++) {
		n->next[level] = before[level]->next[level];
		before[level]->next[level] = n;
	}
	return n;
}

static void stale_push(struct memory_kv *m, struct node *n, uint64_t seq)
{
	if (m->stale_count == m->stale_capacity) {
		size_t capacity = MAX(m->stale_capacity * 2, (size_t)64);
		struct stale *grown = xmalloc(capacity * sizeof(*grown));

		for (size_t i = 0; i < m->stale_count; i++)
			grown[i] = m->stale[(m->stale_first + i) % m->stale_capacity];
		free(m->stale);
		m->stale = grown;
		m->stale_capacity = capacity;
		m->stale_first = 0;
	}
	m->stale[(m->stale_first + m->stale_count) % m->stale_capacity] = (struct stale){ n, seq };
	m->stale_count++;
}

static void journal_push(struct memory_kv *m, struct node *n)
{
	if (m->journal_count == m->journal_capacity) {
		m->journal_capacity = MAX(m->journal_capacity * 2, (size_t)256);
		m->journal = xrealloc(m->journal, m->journal_capacity * sizeof(m->journal[0]));
	}
	m->journal[m->journal_count++] = (struct touch){ n, m->seq };
}

static struct version *version_new(struct bytes value, bool deleted)
{
	struct version *v = xcalloc(1, sizeof(*v) + value.size);

	v->deleted = deleted;
	v->size = value.size;
	if (value.size)
		memcpy(v->value, value.data, value.size);
	return v;
}

static void apply(struct memory_kv *m, struct bytes key, struct bytes value, bool deleted)
{
	struct node *before[LEVEL_MAX];
	struct node *n = seek(m, key, before);
	struct version *v;
	bool queued = false;

	if (!has_key(n, key)) {
		if (deleted)
			return;
		n = insert(m, key, before);
	}
	v = version_new(value, deleted);
	v->seq = m->seq;
	v->older = n->newest;
	if (n->newest && n->newest->seq == m->seq) {
		/* Twice in one batch: nobody saw the first, and if it superseded
		 * something, the queue knows. */
		v->older = n->newest->older;
		queued = v->older != NULL;
		free(n->newest);
	} else if (m->mark) {
		journal_push(m, n);
	}
	n->newest = v;
	if (!queued && (v->older || deleted))
		stale_push(m, n, m->seq);
}

static void unlink_node(struct memory_kv *m, struct node *n)
{
	struct node *before[LEVEL_MAX];

	seek(m, bytes_of(n->key, n->key_size), before);
	for (int level = 0; level < n->level_count; level++)
		before[level]->next[level] = n->next[level];
	node_free(n);
}

/* Drops of `n` what nobody at or above `seq` sees. */
static void drop_below(struct memory_kv *m, struct node *n, uint64_t seq)
{
	struct version *v = n->newest, *older;

	while (v->seq > seq)
		v = v->older;
	for (struct version *gone = v->older; gone; gone = older) {
		older = gone->older;
		free(gone);
	}
	v->older = NULL;
	if (v->deleted && v == n->newest)
		unlink_node(m, n);
}

/* A node in the queue is alive: it goes only with its newest entry, the one whose
 * sequence number is that of its newest version. */
static void collect(struct memory_kv *m)
{
	uint64_t oldest = m->oldest ? m->oldest->seq : m->seq;

	while (m->stale_count) {
		struct stale s = m->stale[m->stale_first];

		if (s.seq > oldest)
			return;
		m->stale_first = (m->stale_first + 1) % m->stale_capacity;
		m->stale_count--;
		drop_below(m, s.node, s.seq);
	}
}

static int memory_write(struct kv *kv, const struct kv_batch *b, bool sync, struct err *err)
{
	const struct memory_batch *batch = (const struct memory_batch *)b;
	struct memory_kv *m = of(kv);
	const uint8_t *at = batch->ops.data, *end;
	struct op_header op;

	if (m->hooks) {
		int code = m->hooks->write(m->ctx, err);

		if (code != OK)
			return code;
	}
	if (batch->ops.size == 0) /* then there is no memory to point into either */
		return OK;
	end = at + batch->ops.size;
	lock_write(m);
	m->seq++;
	while (at < end) {
		struct bytes key, value;

		memcpy(&op, at, sizeof(op));
		key = bytes_of(at + sizeof(op), op.key_size);
		value = bytes_of(key.data + key.size, op.value_size);
		apply(m, key, value, op.deleted);
		at = value.data + value.size;
	}
	collect(m);
	unlock(m);
	return sync ? kv_sync(kv, err) : OK;
}

static int memory_sync(struct kv *kv, struct err *err)
{
	struct memory_kv *m = of(kv);

	return m->hooks ? m->hooks->sync(m->ctx, err) : OK;
}

static void memory_compact(struct kv *kv, struct bytes from, struct bytes to)
{
}

static struct kv_snapshot *memory_snapshot_new(struct kv *kv)
{
	struct memory_kv *m = of(kv);
	struct kv_snapshot *s = xcalloc(1, sizeof(*s));

	lock_write(m);
	s->seq = m->seq;
	s->older = m->newest;
	if (m->newest)
		m->newest->newer = s;
	else
		m->oldest = s;
	m->newest = s;
	unlock(m);
	return s;
}

static void memory_snapshot_free(struct kv *kv, struct kv_snapshot *s)
{
	struct memory_kv *m = of(kv);

	lock_write(m);
	*(s->older ? &s->older->newer : &m->oldest) = s->newer;
	*(s->newer ? &s->newer->older : &m->newest) = s->older;
	collect(m);
	unlock(m);
	free(s);
}

static struct kv_iter *memory_iter_new(struct kv *kv, const struct kv_snapshot *at,
				       struct bytes from)
{
	struct memory_iter *i = xcalloc(1, sizeof(*i));

	i->base.ops = &memory_ops;
	i->kv = of(kv);
	if (!at)
		at = i->own = memory_snapshot_new(kv);
	i->seq = at->seq;
	buf_append_bytes(&i->key, from);
	return &i->base;
}

/* Copies what it stands on, so that the lock is free between two steps. */
static bool memory_iter_next(struct kv_iter *base, struct bytes *key, struct bytes *value)
{
	struct memory_iter *i = (struct memory_iter *)base;
	const struct version *v = NULL;
	struct node *n;

	lock_read(i->kv);
	n = seek(i->kv, buf_bytes(&i->key), NULL);
	if (i->after && has_key(n, buf_bytes(&i->key)))
		n = n->next[0];
	while (n && !(v = visible(n, i->seq)))
		n = n->next[0];
	if (v && i->kv->hooks)
		i->failed = i->kv->hooks->get(i->kv->ctx, bytes_of(n->key, n->key_size), v->seq,
					      &i->err);
	if (v && i->failed == OK) {
		buf_reset(&i->key);
		buf_append(&i->key, n->key, n->key_size);
		buf_reset(&i->value);
		buf_append(&i->value, v->value, v->size);
		i->after = true;
	}
	unlock(i->kv);
	*key = buf_bytes(&i->key);
	*value = buf_bytes(&i->value);
	return v != NULL && i->failed == OK;
}

static void memory_iter_seek(struct kv_iter *base, struct bytes from)
{
	struct memory_iter *i = (struct memory_iter *)base;

	buf_reset(&i->key);
	buf_append_bytes(&i->key, from);
	i->after = false;
}

static int memory_iter_error(const struct kv_iter *base, struct err *err)
{
	const struct memory_iter *i = (const struct memory_iter *)base;

	if (i->failed != OK && err)
		*err = i->err;
	return i->failed;
}

static void memory_iter_free(struct kv_iter *base)
{
	struct memory_iter *i = (struct memory_iter *)base;

	if (i->own)
		memory_snapshot_free(&i->kv->base, i->own);
	buf_clear(&i->key);
	buf_clear(&i->value);
	free(i);
}

static struct kv_batch *memory_batch_new(struct kv *kv)
{
	struct memory_batch *b = xcalloc(1, sizeof(*b));

	b->base.ops = &memory_ops;
	return &b->base;
}

static void memory_batch_free(struct kv_batch *base)
{
	buf_clear(&((struct memory_batch *)base)->ops);
	free(base);
}

static void memory_batch_reset(struct kv_batch *base)
{
	buf_reset(&((struct memory_batch *)base)->ops);
}

static void batch_add(struct kv_batch *base, struct bytes key, struct bytes value, bool deleted)
{
	struct memory_batch *b = (struct memory_batch *)base;
	struct op_header op;

	memset(&op, 0, sizeof(op));
	op.key_size = key.size;
	op.value_size = value.size;
	op.deleted = deleted;
	buf_append(&b->ops, &op, sizeof(op));
	buf_append_bytes(&b->ops, key);
	buf_append_bytes(&b->ops, value);
}

static void memory_batch_put(struct kv_batch *b, struct bytes key, struct bytes value)
{
	batch_add(b, key, value, false);
}

static void memory_batch_delete(struct kv_batch *b, struct bytes key)
{
	batch_add(b, key, bytes_of(NULL, 0), true);
}

/* --- for one who keeps it --- */

struct kv *kv_memory_new(const struct kv_memory_hooks *hooks, void *ctx)
{
	struct memory_kv *m = of(kv_open_memory());

	m->hooks = hooks;
	m->ctx = ctx;
	return &m->base;
}

uint64_t kv_memory_seq(struct kv *kv)
{
	return of(kv)->seq;
}

void kv_memory_mark(struct kv *kv)
{
	struct memory_kv *m = of(kv);
	struct kv_snapshot *before = m->mark;

	m->mark = memory_snapshot_new(kv);
	m->journal_count = 0;
	if (before)
		memory_snapshot_free(kv, before);
}

uint64_t kv_memory_marked(struct kv *kv)
{
	return of(kv)->mark->seq;
}

void kv_memory_roll_back(struct kv *kv, uint64_t seq)
{
	struct memory_kv *m = of(kv);

	lock_write(m);
	CHECK(m->mark && seq >= m->mark->seq && m->newest == m->mark && m->oldest == m->mark);
	while (m->stale_count) {
		size_t last = (m->stale_first + m->stale_count - 1) % m->stale_capacity;

		if (m->stale[last].seq <= seq)
			break;
		m->stale_count--;
	}
	while (m->journal_count && m->journal[m->journal_count - 1].seq > seq) {
		struct touch t = m->journal[--m->journal_count];
		struct version *gone = t.node->newest;

		CHECK(gone->seq == t.seq);
		t.node->newest = gone->older;
		free(gone);
		if (!t.node->newest)
			unlink_node(m, t.node);
	}
	m->seq = MIN(m->seq, seq);
	unlock(m);
}

static const struct kv_ops memory_ops = {
	.close = memory_close,
	.get = memory_get,
	.write = memory_write,
	.sync = memory_sync,
	.compact = memory_compact,
	.snapshot_new = memory_snapshot_new,
	.snapshot_free = memory_snapshot_free,
	.iter_new = memory_iter_new,
	.iter_next = memory_iter_next,
	.iter_seek = memory_iter_seek,
	.iter_error = memory_iter_error,
	.iter_free = memory_iter_free,
	.batch_new = memory_batch_new,
	.batch_free = memory_batch_free,
	.batch_reset = memory_batch_reset,
	.batch_put = memory_batch_put,
	.batch_delete = memory_batch_delete,
};
