#include "state/trie.h"

#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"

void trie_store_clear(struct trie_store *s)
{
	pool_clear(&s->pool);
	buf_clear(&s->record);
	free(s->jobs);
	*s = (struct trie_store){ 0 };
}

void trie_init(struct trie *t, const struct hash *owner, const struct hash *root)
{
	*t = (struct trie){ .owner = *owner };
	if (!hash_equal(root, &account_empty.storage_root))
		t->root.hash = *root;
}

void trie_clear(struct trie_store *s, struct trie *t)
{
	trie_node_free_all(&s->pool, &t->root);
	free(t->stale);
	*t = (struct trie){ 0 };
}

struct hash trie_root_hash(const struct trie *t)
{
	return trie_node_ref_is_absent(&t->root) ? account_empty.storage_root : t->root.hash;
}

/* --- loading --- */

static void location_of(struct tree_location *out, const struct trie *t, const struct hash *key, unsigned at)
{
	out->owner = t->owner;
	out->path_size = (uint8_t)at;
	for (unsigned i = 0; i < at; i++)
		out->path[i] = (uint8_t)key_nibble(key, i);
}

/* "account trie at a1b2", for messages. */
static int explain(struct err *err, int code, const struct tree_location *at)
{
	static const char digits[] = "0123456789abcdef";
	char owner[2 * 32 + 1], path[TREE_PATH_MAX + 1];

	for (unsigned i = 0; i < 32; i++) {
		owner[2 * i] = digits[at->owner.bytes[i] >> 4];
		owner[2 * i + 1] = digits[at->owner.bytes[i] & 15];
	}
	owner[64] = 0;
	for (unsigned i = 0; i < at->path_size; i++)
		path[i] = digits[at->path[i]];
	path[at->path_size] = 0;
	if (err)
		err->code = code;
	if (hash_is_zero(&at->owner))
		return err_prefix(err, code, "state trie node at path '%s'", path);
	return err_prefix(err, code, "storage trie node of 0x%s at path '%s'", owner, path);
}

/* Reads the record at a position into s->record and compares its hash. */
static int read_record(struct trie_store *s, const struct tree_location *at, const struct hash *expected,
		       struct err *err)
{
	struct hash found;
	int rc;

	buf_reset(&s->record);
	if (!s->source.read)
		return ERR_SET(err, STATE_E_READ, "there is no store to read it from");
	rc = s->source.read(s->source.ctx, &s->record, at, err);
	if (rc != OK)
		return rc;
	keccak256(&found, buf_bytes(&s->record));
	if (!hash_equal(&found, expected))
		return ERR_SET(err, STATE_E_ROOT, "the stored node does not have the hash that its "
			       "parent gives; the record is damaged");
	return OK;
}

static int load_record(struct trie_store *s, const struct trie *t, struct node **out,
		       struct extension *extension, const struct hash *expected, const struct hash *key,
		       unsigned at, struct err *err)
{
	struct tree_location location;
	int rc;

	location_of(&location, t, key, at);
	rc = read_record(s, &location, expected, err);
	if (rc == OK && trie_node_decode(&s->pool, out, extension, key, at, buf_bytes(&s->record), err) != OK)
		rc = STATE_E_FORMAT;
	return rc == OK ? OK : explain(err, rc == STATE_E_ROOT ? rc : rc == STATE_E_FORMAT ? rc : STATE_E_READ,
				       &location);
}

/* The branch behind an extension that refers to it by hash. */
static int load_behind(struct trie_store *s, const struct trie *t, struct node **out,
		       const struct extension *e, struct err *err)
{
	struct extension again;
	int rc = load_record(s, t, out, &again, &e->child, &e->prefix, e->depth, err);

	if (rc != OK)
		return rc;
	if (*out && (*out)->kind == NODE_BRANCH && (*out)->depth == e->depth) {
		(*out)->flags |= NODE_STORED;
		return OK;
	}
	if (*out)
		trie_node_free_all(&s->pool, &(struct node_ref){ .node = *out });
	return ERR_SET(err, STATE_E_FORMAT, "an extension that does not lead to a branch");
}

int trie_load(struct trie_store *s, const struct trie *t, struct node_ref *r, const struct hash *key,
	      unsigned at, struct err *err)
{
	struct extension extension;
	struct node *n;
	int rc;

	if (r->node)
		return OK;
	rc = load_record(s, t, &n, &extension, &r->hash, key, at, err);
	if (rc != OK)
		return rc;
	if (!n) {
		rc = load_behind(s, t, &n, &extension, err);
		if (rc != OK)
			return rc;
		n->stored_at = (uint8_t)at;
	} else if (n->kind == NODE_BRANCH && n->depth == at) {
		n->flags |= NODE_STORED;
	} else {
		n->stored_at = (uint8_t)at;
	}
	r->node = n;
	return OK;
}

/* --- changing --- */

static void push_stale(struct trie *t, const struct hash *key, unsigned depth)
{
	if (t->stale_count == t->stale_capacity) {
		t->stale_capacity = MAX(t->stale_capacity * 2, (size_t)16);
		t->stale = xrealloc(t->stale, t->stale_capacity * sizeof(*t->stale));
	}
	t->stale[t->stale_count++] = (struct stale_record){ key_cut(key, depth), (uint8_t)depth };
}

static const struct hash *node_key(struct node *n)
{
	return n->kind == NODE_LEAF ? &trie_node_leaf(n)->key : &trie_node_branch(n)->prefix;
}

/* The node is at another position now, or about to go: what its parent referred
 * to is stored where it no longer belongs. */
static void leave_position(struct trie *t, struct node *n)
{
	if (n->stored_at != NODE_NOT_STORED)
		push_stale(t, node_key(n), n->stored_at);
	n->stored_at = NODE_NOT_STORED;
}

static void drop_node(struct trie_store *s, struct trie *t, struct node *n)
{
	leave_position(t, n);
	if (n->kind == NODE_BRANCH && n->flags & NODE_STORED)
		push_stale(t, &trie_node_branch(n)->prefix, n->depth);
	trie_node_free(&s->pool, n);
}

static void mark(struct trie_store *s, struct node *n)
{
	n->flags |= NODE_CHANGED;
	trie_node_set_dirty(&s->pool, n);
}

/* A run of changes below one position. */
struct run {
	const struct trie_change *at;
	const struct trie_change *end;
};

static bool is_insert(const struct trie_change *c)
{
	return c->value.size != 0;
}

/* Where the node at `key`, whose keys part at `depth`, must be split to make room
 * for the inserts of a run: `depth` if nowhere. The change with the key itself,
 * and deletions of what is not there, need no room. The run is sorted, so that
 * its first and last insert share least with the key. */
static unsigned split_depth(const struct run *run, const struct hash *key, unsigned depth)
{
	const struct trie_change *first = run->at, *last = run->end - 1;
	unsigned split = depth;

	if (key_common(key, &first->key) >= depth && key_common(key, &last->key) >= depth)
		return depth;
	while (first <= last && !is_insert(first))
		first++;
	while (last > first && !is_insert(last))
		last--;
	if (first <= last) {
		split = MIN(split, key_common(key, &first->key));
		split = MIN(split, key_common(key, &last->key));
	}
	return split;
}

/* Puts a branch at `depth` above the node of `r`, which becomes its only child. */
static void split_above(struct trie_store *s, struct trie *t, struct node_ref *r, unsigned depth)
{
	struct node *below = r->node;
	struct hash key = *node_key(below);
	struct branch *b = branch_new(&s->pool, &key, depth, 2);
	unsigned nibble = key_nibble(&key, depth);

	leave_position(t, below);
	mark(s, below);
	branch_add(&s->pool, b, nibble, &(struct node_ref){ .node = below });
	b->changed = b->dirty = (uint16_t)(1u << nibble);
	mark(s, &b->head);
	*r = (struct node_ref){ .node = &b->head };
}

/* A branch with fewer than two children is none: its child takes its place. */
static int collapse(struct trie_store *s, struct trie *t, struct node_ref *r, struct err *err)
{
	struct branch *b = trie_node_branch(r->node);
	struct node_ref child = { 0 };

	if (branch_count(b) >= 2)
		return OK;
	if (b->mask) {
		unsigned nibble = (unsigned)__builtin_ctz(b->mask);
		struct hash key = b->prefix;
		uint8_t *byte = &key.bytes[b->head.depth / 2];
		int rc;

		*byte = (uint8_t)(b->head.depth & 1 ? (*byte & 0xf0) | nibble : (*byte & 0x0f) | nibble << 4);
		rc = trie_load(s, t, &b->refs[0], &key, b->head.depth + 1u, err);
		if (rc != OK)
			return rc;
		child = b->refs[0];
		leave_position(t, child.node);
		mark(s, child.node);
		child.node->generation = s->pool.generation;
	}
	drop_node(s, t, &b->head);
	*r = child;
	return OK;
}

static int update(struct trie_store *s, struct trie *t, struct node_ref *r, unsigned at,
		  struct run run, struct err *err);

/* The changes below one child of the branch in `r`. */
static int update_child(struct trie_store *s, struct trie *t, struct node_ref *r, unsigned nibble,
			struct run run, struct err *err)
{
	struct branch *b = trie_node_branch(r->node);
	bool was_there = b->mask >> nibble & 1;
	struct node_ref fresh = { 0 };
	struct node_ref *child = was_there ? branch_child(b, nibble) : &fresh;
	int rc = update(s, t, child, b->head.depth + 1u, run, err);

	if (rc != OK)
		return rc;
	if (trie_node_ref_is_absent(child)) {
		if (!was_there)
			return OK;
		branch_remove(b, nibble);
	} else {
		if (!child->node || !(child->node->flags & NODE_CHANGED))
			return OK;
		if (!was_there)
			b = branch_add(&s->pool, b, nibble, child);
		b->changed |= (uint16_t)(1u << nibble);
		b->dirty |= (uint16_t)(1u << nibble);
	}
	r->node = &b->head;
	mark(s, r->node);
	return OK;
}

static int update_branch(struct trie_store *s, struct trie *t, struct node_ref *r, struct run run,
			 struct err *err)
{
	unsigned depth = r->node->depth;
	const struct hash prefix = trie_node_branch(r->node)->prefix;

	/* What still differs above the branch are deletions of what is not there. */
	while (run.at < run.end && key_common(&prefix, &run.at->key) < depth)
		run.at++;
	while (run.at < run.end && key_common(&prefix, &run.end[-1].key) < depth)
		run.end--;
	while (run.at < run.end) {
		unsigned nibble = key_nibble(&run.at->key, depth);
		struct run part = { run.at, run.at + 1 };
		int rc;

		while (part.end < run.end && key_nibble(&part.end->key, depth) == nibble)
			part.end++;
		rc = update_child(s, t, r, nibble, part, err);
		if (rc != OK)
			return rc;
		run.at = part.end;
	}
	return collapse(s, t, r, err);
}

/* The change of a leaf's own key, if the run has it. */
static void update_leaf(struct trie_store *s, struct trie *t, struct node_ref *r, struct run run)
{
	struct leaf *l = trie_node_leaf(r->node);

	for (; run.at < run.end; run.at++) {
		if (!hash_equal(&l->key, &run.at->key))
			continue;
		if (!is_insert(run.at)) {
			drop_node(s, t, &l->head);
			*r = (struct node_ref){ 0 };
		} else if (!bytes_equal(bytes_of(l->value, l->size), run.at->value)) {
			r->node = &leaf_set(&s->pool, l, run.at->value)->head;
			mark(s, r->node);
		}
		return;
	}
}

/* Changes what is at position `at`, which all keys of the run share. Recursion:
 * `at` rises by one at least, so at most 65 deep. */
static int update(struct trie_store *s, struct trie *t, struct node_ref *r, unsigned at,
		  struct run run, struct err *err)
{
	unsigned depth;
	int rc;

	if (trie_node_ref_is_absent(r)) {
		while (run.at < run.end && !is_insert(run.at))
			run.at++;
		if (run.at == run.end)
			return OK;
		r->node = &leaf_new(&s->pool, &run.at->key, run.at->value)->head;
		mark(s, r->node);
		if (++run.at == run.end)
			return OK;
	}
	rc = trie_load(s, t, r, &run.at->key, at, err);
	if (rc != OK)
		return rc;
	r->node->generation = s->pool.generation;
	depth = split_depth(&run, node_key(r->node), r->node->depth);
	if (depth < r->node->depth)
		split_above(s, t, r, depth);
	if (r->node->kind == NODE_BRANCH)
		return update_branch(s, t, r, run, err);
	update_leaf(s, t, r, run);
	return OK;
}

/* A big trie is mostly not in the processor's caches, and a descent waits for one
 * node after the other. Here many descents go side by side, each step asking for
 * the next line of all of them before it looks at the first. */
#define WARM_COUNT 48
#define WARM_LEVEL_MAX 12

static void warm_up(const struct trie *t, const struct trie_change changes[], size_t count)
{
	struct node *at[WARM_COUNT];
	struct node_ref *refs[WARM_COUNT];

	for (size_t i = 0; i < count; i++)
		at[i] = t->root.node;
	for (unsigned level = 0; level < WARM_LEVEL_MAX && count; level++) {
		size_t left = 0;

		for (size_t i = 0; i < count; i++) {
			struct branch *b = trie_node_branch(at[i]);

			refs[i] = NULL;
			if (!at[i] || at[i]->kind == NODE_LEAF)
				continue;
			refs[i] = branch_child(b, key_nibble(&changes[i].key, b->head.depth));
			if (refs[i] == b->refs + branch_count(b))
				refs[i]--; /* absent: any other will do */
			trie_node_prefetch(refs[i], sizeof(*refs[i]));
		}
		for (size_t i = 0; i < count; i++) {
			at[i] = refs[i] ? refs[i]->node : NULL;
			if (at[i]) {
				trie_node_prefetch(at[i], 2 * NODE_LINE);
				left++;
			}
		}
		if (left == 0)
			break;
	}
	/* To gcc a function that only prefetches has no effect, and its call goes. */
	__asm__ volatile("" : : "r"(at) : "memory");
}

int trie_update(struct trie_store *s, struct trie *t, const struct trie_change changes[], size_t count,
		struct err *err)
{
	for (size_t i = 1; i < count; i++)
		CHECK(memcmp(&changes[i - 1].key, &changes[i].key, sizeof(changes[i].key)) < 0);
	for (size_t i = 0; i < count; i += WARM_COUNT) {
		size_t n = MIN(count - i, (size_t)WARM_COUNT);
		int rc;

		warm_up(t, changes + i, n);
		rc = update(s, t, &t->root, 0, (struct run){ changes + i, changes + i + n }, err);
		if (rc != OK)
			return rc;
	}
	return OK;
}

/* --- finding --- */

static void proof_push(struct tree_proof *proof, const uint8_t *rlp, size_t size)
{
	uint8_t *copy = xmalloc(size);

	memcpy(copy, rlp, size);
	proof->nodes = xrealloc(proof->nodes, (proof->count + 1) * sizeof(*proof->nodes));
	proof->nodes[proof->count++] = bytes_of(copy, size);
}

/* The records of one position: the extension, and the branch if the key goes on
 * there; what is embedded is in the record above. */
static void prove_position(struct tree_proof *proof, const struct node_ref *r, const struct hash *key,
			   unsigned at)
{
	uint8_t rlp[NODE_RLP_MAX], inner[NODE_RLP_MAX];
	size_t inner_size, size = trie_node_encode(rlp, r->node, at, inner, &inner_size);

	if (at == 0 || size > NODE_EMBEDDED_MAX)
		proof_push(proof, rlp, size);
	if (inner_size > NODE_EMBEDDED_MAX && key_common(node_key(r->node), key) >= r->node->depth)
		proof_push(proof, inner, inner_size);
}

int trie_find(struct trie_store *s, struct trie *t, const struct hash *key, struct bytes *value,
	      struct tree_proof *proof, struct err *err)
{
	struct node_ref *r = &t->root;
	unsigned at = 0;

	*value = (struct bytes){ 0 };
	while (!trie_node_ref_is_absent(r)) {
		struct branch *b;
		unsigned nibble;
		int rc = trie_load(s, t, r, key, at, err);

		if (rc != OK)
			return rc;
		r->node->generation = s->pool.generation;
		if (proof)
			prove_position(proof, r, key, at);
		if (key_common(node_key(r->node), key) < r->node->depth)
			return OK;
		if (r->node->kind == NODE_LEAF) {
			*value = bytes_of(trie_node_leaf(r->node)->value, trie_node_leaf(r->node)->size);
			return OK;
		}
		b = trie_node_branch(r->node);
		nibble = key_nibble(key, b->head.depth);
		if (!(b->mask >> nibble & 1))
			return OK;
		at = b->head.depth + 1u;
		r = branch_child(b, nibble);
	}
	return OK;
}
