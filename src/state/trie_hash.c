#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"
#include "state/trie.h"

size_t trie_node_encode(uint8_t out[NODE_RLP_MAX], const struct node *n, unsigned at,
		   uint8_t inner[NODE_RLP_MAX], size_t *inner_size)
{
	const struct branch *b = (const struct branch *)n;
	uint8_t own[NODE_RLP_MAX];
	struct hash hash;
	size_t size;

	if (inner_size)
		*inner_size = 0;
	if (n->kind == NODE_LEAF)
		return leaf_encode(out, (const struct leaf *)n, at);
	if (n->depth == at)
		return branch_encode(out, b);
	size = branch_encode(own, b);
	if (inner_size) {
		memcpy(inner, own, size);
		*inner_size = size;
	}
	if (size <= NODE_EMBEDDED_MAX)
		return extension_encode(out, b, at, bytes_of(own, size));
	keccak256(&hash, bytes_of(own, size));
	return extension_encode(out, b, at, hash_bytes(&hash));
}

/* --- hashing --- */

/* One changed node: where its hash goes, and which bit of its parent says that
 * it is embedded. */
struct hash_job {
	struct node *node;
	struct node_ref *ref;
	struct branch *parent; /* NULL: the root, never embedded */
	uint16_t node_size;    /* bytes to ask for ahead */
	uint8_t nibble;
	uint8_t at;
	uint8_t inner_size;    /* of the branch behind an extension; 0 if its hash is in the reference */
};

static void push_job(struct trie_store *s, struct node_ref *r, struct branch *parent, unsigned nibble,
		     unsigned at)
{
	if (s->job_count == s->job_capacity) {
		s->job_capacity = MAX(s->job_capacity * 2, (size_t)256);
		s->jobs = xrealloc(s->jobs, s->job_capacity * sizeof(*s->jobs));
	}
	s->jobs[s->job_count++] = (struct hash_job){
		.node = r->node,
		.ref = r,
		.parent = parent,
		.nibble = (uint8_t)nibble,
		.at = (uint8_t)at,
	};
}

void trie_gather(struct trie_store *s, struct trie *t)
{
	if (t->root.node && t->root.node->flags & NODE_CHANGED)
		push_job(s, &t->root, NULL, 0, 0);
}

/* What will be looked at soon: first a node's head, then its changed children's
 * places. */
#define AHEAD_HEAD 16
#define AHEAD_CHILDREN 8
static void gather_ahead(const struct trie_store *s, size_t i)
{
	struct branch *b;

	if (i + AHEAD_HEAD < s->job_count)
		trie_node_prefetch(s->jobs[i + AHEAD_HEAD].node, NODE_LINE);
	if (i + AHEAD_CHILDREN >= s->job_count)
		return;
	b = trie_node_branch(s->jobs[i + AHEAD_CHILDREN].node);
	if (b->head.kind == NODE_BRANCH)
		for (unsigned rest = b->changed; rest; rest &= rest - 1)
			__builtin_prefetch(branch_child(b, (unsigned)__builtin_ctz(rest)));
}

/* The bytes that encoding the node will read, about. */
static uint16_t node_lines(struct node *n)
{
	if (n->kind == NODE_LEAF)
		return 2 * NODE_LINE;
	return (uint16_t)(offsetof(struct branch, refs) + branch_count(trie_node_branch(n)) * sizeof(struct node_ref));
}

/* The changed children of one job's node become jobs. */
static void gather_children(struct trie_store *s, size_t i)
{
	struct hash_job *job = &s->jobs[i];
	struct branch *b = trie_node_branch(job->node);

	job->node->flags &= (uint8_t)~NODE_CHANGED;
	job->node_size = node_lines(job->node);
	if (job->node->kind == NODE_LEAF)
		return;
	for (unsigned rest = b->changed; rest; rest &= rest - 1) {
		unsigned n = (unsigned)__builtin_ctz(rest);

		push_job(s, branch_child(b, n), b, n, b->head.depth + 1u);
	}
	b->changed = 0;
}

/* Levels of jobs, a node's children one below it; starts[count] is the end. */
struct levels {
	size_t starts[NODE_KEY_NIBBLES + 2];
	unsigned count;
};

static void gather_all(struct trie_store *s, struct levels *l)
{
	size_t i = 0;

	*l = (struct levels){ 0 };
	while (i < s->job_count) {
		size_t end = s->job_count;

		CHECK(l->count <= NODE_KEY_NIBBLES);
		l->starts[l->count++] = i;
		for (; i < end; i++) {
			gather_ahead(s, i);
			gather_children(s, i);
		}
	}
	l->starts[l->count] = i;
}

/* Messages that wait for their hash, by how many permutations each takes, so that
 * the lanes of a batch end together. */
#define QUEUE_SIZE 32
#define QUEUE_COUNT 5

struct hash_queue {
	struct bytes messages[QUEUE_SIZE];
	struct hash *out[QUEUE_SIZE];
	uint8_t *room; /* QUEUE_SIZE × NODE_RLP_MAX */
	size_t count;
};

static void queue_run(struct hash_queue *q)
{
	struct hash found[QUEUE_SIZE];

	keccak256_batch(found, q->messages, q->count);
	for (size_t i = 0; i < q->count; i++)
		*q->out[i] = found[i];
	q->count = 0;
}

/* Room for a message of `size` bytes, whose hash goes to `out`. The caller fills it
 * before the next call; a full queue is run by queue_filled(). */
static uint8_t *queue_room(struct hash_queue *q, struct hash *out, size_t size)
{
	uint8_t *room = q->room + q->count * NODE_RLP_MAX;

	q->messages[q->count] = bytes_of(room, size);
	q->out[q->count++] = out;
	return room;
}

static void queue_filled(struct hash_queue *q)
{
	if (q->count == QUEUE_SIZE)
		queue_run(q);
}

static struct hash_queue *queue_for(struct hash_queue queues[QUEUE_COUNT], size_t size)
{
	return &queues[size / KECCAK_RATE];
}

/* True if the record stays in its parent; the parent's bit says so. */
static bool settle_embedded(struct hash_job *job, size_t size)
{
	uint16_t bit = (uint16_t)(1u << job->nibble);

	if (!job->parent)
		return false;
	job->parent->embedded &= (uint16_t)~bit;
	if (size > NODE_EMBEDDED_MAX)
		return false;
	job->parent->embedded |= bit;
	memset(&job->ref->hash, 0, sizeof(job->ref->hash));
	return true;
}

static void hash_leaf(struct hash_queue *queues, struct hash_job *job)
{
	const struct leaf *l = trie_node_leaf(job->node);
	size_t size = leaf_rlp_size(l, job->at);
	struct hash_queue *q = queue_for(queues, size);
	uint8_t rlp[NODE_RLP_MAX];

	if (settle_embedded(job, size)) {
		leaf_encode(rlp, l, job->at);
		memcpy(&job->ref->hash, rlp, size);
		return;
	}
	leaf_encode(queue_room(q, &job->ref->hash, size), l, job->at);
	queue_filled(q);
}

/* A branch behind an extension leaves its hash, or its embedded record, in the
 * reference for hash_extension(). */
static void hash_branch(struct hash_queue *queues, struct hash_job *job)
{
	const struct branch *b = trie_node_branch(job->node);
	size_t size = branch_rlp_size(b);
	struct hash_queue *q = queue_for(queues, size);
	bool has_extension = b->head.depth != job->at;
	uint8_t rlp[NODE_RLP_MAX];

	if (has_extension ? size <= NODE_EMBEDDED_MAX : settle_embedded(job, size)) {
		job->inner_size = has_extension ? (uint8_t)size : 0;
		branch_encode(rlp, b);
		memcpy(&job->ref->hash, rlp, size);
		return;
	}
	branch_encode(queue_room(q, &job->ref->hash, size), b);
	queue_filled(q);
}

static void hash_extension(struct hash_queue *queues, struct hash_job *job)
{
	const struct branch *b = trie_node_branch(job->node);
	uint8_t rlp[NODE_RLP_MAX];
	struct hash_queue *q;
	size_t inner_size = job->inner_size ? job->inner_size : sizeof(job->ref->hash);
	size_t size = extension_encode(rlp, b, job->at, bytes_of(job->ref->hash.bytes, inner_size));

	if (settle_embedded(job, size)) {
		memcpy(&job->ref->hash, rlp, size);
		return;
	}
	q = queue_for(queues, size);
	memcpy(queue_room(q, &job->ref->hash, size), rlp, size);
	queue_filled(q);
}

static void run_queues(struct hash_queue *queues)
{
	for (unsigned i = 0; i < QUEUE_COUNT; i++)
		if (queues[i].count)
			queue_run(&queues[i]);
}

/* All jobs of one level: the nodes, then the extensions before branches. */
#define AHEAD 3
static void run_level(struct hash_job *jobs, size_t count, struct hash_queue *queues)
{
	for (size_t i = 0; i < count; i++) {
		struct hash_job *job = &jobs[i];

		if (i + AHEAD < count)
			trie_node_prefetch(job[AHEAD].node, job[AHEAD].node_size);
		if (job->node->kind == NODE_LEAF)
			hash_leaf(queues, job);
		else
			hash_branch(queues, job);
	}
	run_queues(queues);
	for (size_t i = 0; i < count; i++)
		if (jobs[i].node->kind == NODE_BRANCH && jobs[i].node->depth != jobs[i].at)
			hash_extension(queues, &jobs[i]);
	run_queues(queues);
}

void trie_hash(struct trie_store *s)
{
	struct hash_queue queues[QUEUE_COUNT];
	struct levels levels;
	uint8_t *room;

	if (s->job_count == 0)
		return;
	gather_all(s, &levels);
	room = xmalloc(QUEUE_COUNT * QUEUE_SIZE * NODE_RLP_MAX);
	for (unsigned i = 0; i < QUEUE_COUNT; i++) {
		queues[i].count = 0;
		queues[i].room = room + i * QUEUE_SIZE * NODE_RLP_MAX;
	}
	for (unsigned i = levels.count; i-- > 0;)
		run_level(s->jobs + levels.starts[i], levels.starts[i + 1] - levels.starts[i], queues);
	s->job_count = 0;
	free(room);
}

/* --- storing --- */

struct flush {
	struct trie_store *store;
	struct trie *trie;
	struct tree_sink sink;
	size_t stale_next;
};

static void emit(const struct flush *f, const struct hash *key, unsigned depth, struct bytes rlp)
{
	struct tree_location at = { .owner = f->trie->owner, .path_size = (uint8_t)depth };

	for (unsigned i = 0; i < depth; i++)
		at.path[i] = (uint8_t)key_nibble(key, i);
	f->sink.write(f->sink.ctx, &at, rlp);
}

static int compare_stale(const void *a, const void *b)
{
	const struct stale_record *x = a, *y = b;
	int order = memcmp(&x->prefix, &y->prefix, sizeof(x->prefix));

	return order ? order : (x->depth > y->depth) - (x->depth < y->depth);
}

/* Deletes the stale records that stand before a position; one at the position
 * itself is overwritten (or deleted) by who calls. */
static void emit_stale_before(struct flush *f, const struct hash *key, unsigned depth)
{
	const struct stale_record here = { key_cut(key, depth), (uint8_t)depth };

	while (f->stale_next < f->trie->stale_count) {
		const struct stale_record *r = &f->trie->stale[f->stale_next];
		int order = compare_stale(r, &here);

		if (order > 0)
			return;
		if (order < 0 && (f->stale_next == 0 || compare_stale(r, r - 1) != 0))
			emit(f, &r->prefix, r->depth, (struct bytes){ 0 });
		f->stale_next++;
	}
}

/* One record: written, or, if it has become embedded, deleted where it was. */
static bool flush_record(struct flush *f, const struct hash *key, unsigned depth, struct bytes rlp,
			 bool embedded, bool was_stored)
{
	if (embedded && !was_stored)
		return false;
	if (f->trie->stale_count)
		emit_stale_before(f, key, depth);
	emit(f, key, depth, embedded ? (struct bytes){ 0 } : rlp);
	return !embedded;
}

static void flush_leaf(struct flush *f, struct leaf *l, unsigned at)
{
	uint8_t rlp[NODE_RLP_MAX];
	size_t size = leaf_encode(rlp, l, at);
	bool stored = flush_record(f, &l->key, at, bytes_of(rlp, size), size <= NODE_EMBEDDED_MAX && at,
				   l->head.stored_at == at);

	l->head.stored_at = stored ? (uint8_t)at : NODE_NOT_STORED;
}

static void flush_branch(struct flush *f, struct branch *b, unsigned at)
{
	uint8_t rlp[NODE_RLP_MAX], inner[NODE_RLP_MAX];
	size_t inner_size, size = trie_node_encode(rlp, &b->head, at, inner, &inner_size);
	bool has_extension = b->head.depth != at, stored;

	if (has_extension) {
		stored = flush_record(f, &b->prefix, at, bytes_of(rlp, size),
				      size <= NODE_EMBEDDED_MAX && at, b->head.stored_at == at);
		b->head.stored_at = stored ? (uint8_t)at : NODE_NOT_STORED;
	}
	stored = flush_record(f, &b->prefix, b->head.depth,
			      has_extension ? bytes_of(inner, inner_size) : bytes_of(rlp, size),
			      (has_extension ? inner_size : size) <= NODE_EMBEDDED_MAX && b->head.depth,
			      b->head.flags & NODE_STORED);
	b->head.flags = (uint8_t)((b->head.flags & ~NODE_STORED) | (stored ? NODE_STORED : 0));
}

/* Lists a node that is to be stored before its children, so in the order of the
 * paths. Recursion: `at` rises. */
static void list_dirty(struct trie_store *s, struct node_ref *r, unsigned at)
{
	struct branch *b = trie_node_branch(r->node);

	push_job(s, r, NULL, 0, at);
	s->jobs[s->job_count - 1].node_size = node_lines(r->node);
	if (r->node->kind == NODE_LEAF)
		return;
	for (unsigned rest = b->dirty; rest; rest &= rest - 1)
		trie_node_prefetch(branch_child(b, (unsigned)__builtin_ctz(rest))->node, NODE_LINE);
	for (unsigned rest = b->dirty; rest; rest &= rest - 1)
		list_dirty(s, branch_child(b, (unsigned)__builtin_ctz(rest)), b->head.depth + 1u);
	b->dirty = 0;
}

static void flush_nodes(struct flush *f)
{
	struct trie_store *s = f->store;

	list_dirty(s, &f->trie->root, 0);
	for (size_t i = 0; i < s->job_count; i++) {
		const struct hash_job *job = &s->jobs[i];

		if (i + AHEAD < s->job_count)
			trie_node_prefetch(job[AHEAD].node, job[AHEAD].node_size);
		if (job->node->flags & NODE_DIRTY && job->node->kind == NODE_LEAF)
			flush_leaf(f, trie_node_leaf(job->node), job->at);
		else if (job->node->flags & NODE_DIRTY)
			flush_branch(f, trie_node_branch(job->node), job->at);
		trie_node_set_clean(&s->pool, job->node);
	}
	s->job_count = 0;
}

void trie_flush(struct trie_store *s, struct trie *t, struct tree_sink sink)
{
	struct flush f = { .store = s, .trie = t, .sink = sink };

	CHECK(s->job_count == 0);
	if (t->stale_count)
		qsort(t->stale, t->stale_count, sizeof(*t->stale), compare_stale);
	if (t->root.node && t->root.node->flags & NODE_DIRTY)
		flush_nodes(&f);
	for (; f.stale_next < t->stale_count; f.stale_next++) {
		const struct stale_record *r = &t->stale[f.stale_next];

		if (f.stale_next == 0 || compare_stale(r, r - 1) != 0)
			emit(&f, &r->prefix, r->depth, (struct bytes){ 0 });
	}
	free(t->stale);
	t->stale = NULL;
	t->stale_count = t->stale_capacity = 0;
}

/* --- letting go --- */

/* Recursion: a child's depth is greater than its parent's. */
static void evict(struct node_pool *p, struct branch *b, uint32_t generation)
{
	unsigned index = 0;

	for (unsigned rest = b->mask; rest; rest &= rest - 1, index++) {
		unsigned nibble = (unsigned)__builtin_ctz(rest);
		struct node *n = b->refs[index].node;

		if (!n || b->embedded >> nibble & 1 || b->dirty >> nibble & 1)
			continue;
		if (n->generation < generation)
			trie_node_free_all(p, &b->refs[index]);
		else if (n->kind == NODE_BRANCH)
			evict(p, trie_node_branch(n), generation);
	}
}

void trie_evict(struct trie_store *s, struct trie *t, uint32_t generation)
{
	struct node *n = t->root.node;

	if (!n || n->flags & NODE_DIRTY)
		return;
	if (n->generation < generation)
		trie_node_free_all(&s->pool, &t->root);
	else if (n->kind == NODE_BRANCH)
		evict(&s->pool, trie_node_branch(n), generation);
}

/* --- checking --- */

static void check_node(const struct node_ref *r, const struct hash *key, unsigned at, bool embedded)
{
	struct node *n = r->node;
	uint8_t rlp[NODE_RLP_MAX], inner[NODE_RLP_MAX];
	size_t inner_size, size;
	struct branch *b;
	struct hash hash;
	unsigned index = 0;

	if (!n) {
		CHECK(!embedded && !hash_is_zero(&r->hash));
		return;
	}
	CHECK(!(n->flags & NODE_CHANGED) && n->depth >= at);
	CHECK(n->stored_at == NODE_NOT_STORED || n->stored_at == at);
	CHECK(key_common(key, n->kind == NODE_LEAF ? &trie_node_leaf(n)->key : &trie_node_branch(n)->prefix) >= at);
	size = trie_node_encode(rlp, n, at, inner, &inner_size);
	CHECK(embedded == (at > 0 && size <= NODE_EMBEDDED_MAX));
	keccak256(&hash, bytes_of(rlp, size));
	CHECK(embedded ? memcmp(rlp, r->hash.bytes, size) == 0 : hash_equal(&hash, &r->hash));
	if (n->kind == NODE_LEAF)
		return;
	b = trie_node_branch(n);
	CHECK(branch_count(b) >= 2 && branch_count(b) <= b->capacity && b->changed == 0);
	CHECK((b->embedded & ~b->mask) == 0 && (b->dirty & ~b->mask) == 0);
	CHECK(b->dirty == 0 || n->flags & NODE_DIRTY);
	for (unsigned rest = b->mask; rest; rest &= rest - 1, index++) {
		unsigned nibble = (unsigned)__builtin_ctz(rest);
		struct hash below = key_cut(&b->prefix, n->depth);
		uint8_t *byte = &below.bytes[n->depth / 2];

		*byte |= (uint8_t)(n->depth & 1 ? nibble : nibble << 4);
		CHECK(!b->refs[index].node || b->dirty >> nibble & 1 ||
		      !(b->refs[index].node->flags & NODE_DIRTY));
		check_node(&b->refs[index], &below, n->depth + 1u, b->embedded >> nibble & 1);
	}
}

void trie_check(const struct trie *t)
{
	const struct hash zero = { 0 };

	if (!trie_node_ref_is_absent(&t->root))
		check_node(&t->root, &zero, 0, false);
}
