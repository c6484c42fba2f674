#include "state/node.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/limits.h"
#include "codec/rlp.h"

struct hash key_cut(const struct hash *key, unsigned depth)
{
	struct hash cut = { 0 };

	memcpy(cut.bytes, key->bytes, depth / 2);
	if (depth & 1)
		cut.bytes[depth / 2] = key->bytes[depth / 2] & 0xf0;
	return cut;
}

static void key_set_nibble(struct hash *key, unsigned index, unsigned nibble)
{
	uint8_t *byte = &key->bytes[index / 2];

	*byte = (uint8_t)(index & 1 ? (*byte & 0xf0) | nibble : (*byte & 0x0f) | nibble << 4);
}

/* --- memory --- */

/* The size of a large page: a big tree is read at random, and with small pages half
 * of the time goes into translating addresses. */
#define CHUNK_SIZE (2 * MIB)
#define CHUNK_HEAD 16

/* ASan sees no use after free inside a chunk, so there each object stands alone,
 * with a list through all of them in front. */
#if defined(__SANITIZE_ADDRESS__)
#define POOL_SINGLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_SINGLE 1
#endif
#endif

static size_t class_of(size_t size)
{
	CHECK(size <= POOL_GRAIN * POOL_CLASS_COUNT);
	return (size + POOL_GRAIN - 1) / POOL_GRAIN - 1;
}

static size_t class_size(size_t size)
{
	return (class_of(size) + 1) * POOL_GRAIN;
}

#ifdef POOL_SINGLE

struct single {
	struct single *next, *previous;
};

static void *pool_take(struct node_pool *p, size_t size)
{
	struct single *s = xmalloc(sizeof(*s) + class_size(size));

	*s = (struct single){ .next = p->chunks };
	if (s->next)
		s->next->previous = s;
	p->chunks = s;
	p->memory += class_size(size);
	return s + 1;
}

static void pool_give(struct node_pool *p, void *object, size_t size)
{
	struct single *s = (struct single *)object - 1;

	if (s->next)
		s->next->previous = s->previous;
	if (s->previous)
		s->previous->next = s->next;
	else
		p->chunks = s->next;
	p->memory -= class_size(size);
	free(s);
}

#else

static uint8_t *chunk_new(void)
{
	uint8_t *chunk = aligned_alloc(CHUNK_SIZE, CHUNK_SIZE);

	if (!chunk)
		fatal("out of memory: %llu bytes for trie nodes", CHUNK_SIZE);
#ifdef MADV_HUGEPAGE
	madvise(chunk, CHUNK_SIZE, MADV_HUGEPAGE); /* a hint; without it all is slower */
#endif
	return chunk;
}

static void *pool_take(struct node_pool *p, size_t size)
{
	void **list = &p->free_lists[class_of(size)];
	uint8_t *object;

	size = class_size(size);
	p->memory += size;
	if (*list) {
		object = *list;
		memcpy(list, object, sizeof(*list));
		return object;
	}
	if (p->fresh_size < size) {
		uint8_t *chunk = chunk_new();

		memcpy(chunk, &p->chunks, sizeof(p->chunks));
		p->chunks = chunk;
		p->fresh = chunk + CHUNK_HEAD;
		p->fresh_size = CHUNK_SIZE - CHUNK_HEAD;
	}
	object = p->fresh;
	p->fresh += size;
	p->fresh_size -= size;
	return object;
}

static void pool_give(struct node_pool *p, void *object, size_t size)
{
	void **list = &p->free_lists[class_of(size)];

	memcpy(object, list, sizeof(*list));
	*list = object;
	p->memory -= class_size(size);
}

#endif

void pool_clear(struct node_pool *p)
{
	while (p->chunks) {
		void *chunk = p->chunks;

		memcpy(&p->chunks, chunk, sizeof(p->chunks));
		free(chunk);
	}
	*p = (struct node_pool){ 0 };
}

void trie_node_set_dirty(struct node_pool *p, struct node *n)
{
	p->dirty_count += !(n->flags & NODE_DIRTY);
	n->flags |= NODE_DIRTY;
}

void trie_node_set_clean(struct node_pool *p, struct node *n)
{
	p->dirty_count -= !!(n->flags & NODE_DIRTY);
	n->flags &= (uint8_t)~NODE_DIRTY;
}

static size_t leaf_size(size_t value_size)
{
	return offsetof(struct leaf, value) + value_size;
}

struct leaf *leaf_new(struct node_pool *p, const struct hash *key, struct bytes value)
{
	struct leaf *l;

	CHECK(value.size > 0 && value.size <= NODE_VALUE_MAX);
	l = pool_take(p, leaf_size(value.size));
	l->head = (struct node){
		.kind = NODE_LEAF,
		.depth = NODE_KEY_NIBBLES,
		.stored_at = NODE_NOT_STORED,
		.generation = p->generation,
	};
	l->key = *key;
	l->size = (uint16_t)value.size;
	memcpy(l->value, value.data, value.size);
	return l;
}

struct leaf *leaf_set(struct node_pool *p, struct leaf *l, struct bytes value)
{
	struct leaf *moved;

	CHECK(value.size > 0 && value.size <= NODE_VALUE_MAX);
	if (class_of(leaf_size(l->size)) != class_of(leaf_size(value.size))) {
		moved = pool_take(p, leaf_size(value.size));
		memcpy(moved, l, offsetof(struct leaf, value));
		pool_give(p, l, leaf_size(l->size));
		l = moved;
	}
	l->size = (uint16_t)value.size;
	memcpy(l->value, value.data, value.size);
	return l;
}

static size_t branch_size(unsigned capacity)
{
	return offsetof(struct branch, refs) + capacity * sizeof(struct node_ref);
}

struct branch *branch_new(struct node_pool *p, const struct hash *prefix, unsigned depth, unsigned capacity)
{
	struct branch *b;

	CHECK(depth < NODE_KEY_NIBBLES && capacity >= 2 && capacity <= 16);
	b = pool_take(p, branch_size(capacity));
	memset(b, 0, offsetof(struct branch, refs));
	b->head = (struct node){
		.kind = NODE_BRANCH,
		.depth = (uint8_t)depth,
		.stored_at = NODE_NOT_STORED,
		.generation = p->generation,
	};
	b->prefix = *prefix;
	b->capacity = (uint8_t)capacity;
	return b;
}

struct branch *branch_add(struct node_pool *p, struct branch *b, unsigned nibble, const struct node_ref *child)
{
	unsigned count = branch_count(b);
	struct node_ref *place;

	CHECK(!(b->mask >> nibble & 1));
	if (count == b->capacity) {
		unsigned capacity = MIN(count + (count < 8 ? 2u : 4u), 16u);
		struct branch *moved = pool_take(p, branch_size(capacity));

		memcpy(moved, b, branch_size(count));
		pool_give(p, b, branch_size(count));
		moved->capacity = (uint8_t)capacity;
		b = moved;
	}
	place = branch_child(b, nibble);
	memmove(place + 1, place, (size_t)(b->refs + count - place) * sizeof(*place));
	*place = *child;
	b->mask |= (uint16_t)(1u << nibble);
	return b;
}

void branch_remove(struct branch *b, unsigned nibble)
{
	struct node_ref *place = branch_child(b, nibble);
	uint16_t keep = (uint16_t)~(1u << nibble);

	CHECK(b->mask >> nibble & 1);
	memmove(place, place + 1, (size_t)(b->refs + branch_count(b) - (place + 1)) * sizeof(*place));
	b->mask &= keep;
	b->embedded &= keep;
	b->changed &= keep;
	b->dirty &= keep;
}

void trie_node_free(struct node_pool *p, struct node *n)
{
	trie_node_set_clean(p, n);
	if (n->kind == NODE_LEAF)
		pool_give(p, n, leaf_size(trie_node_leaf(n)->size));
	else
		pool_give(p, n, branch_size(trie_node_branch(n)->capacity));
}

/* Recursion: a child's depth is greater than its parent's, so at most 64 deep. */
void trie_node_free_all(struct node_pool *p, struct node_ref *r)
{
	if (!r->node)
		return;
	if (r->node->kind == NODE_BRANCH) {
		struct branch *b = trie_node_branch(r->node);

		for (unsigned i = 0; i < branch_count(b); i++)
			trie_node_free_all(p, &b->refs[i]);
	}
	trie_node_free(p, r->node);
	r->node = NULL;
}

/* --- encoding --- */

static uint8_t *put_list_header(uint8_t *at, size_t payload)
{
	if (payload < 56) {
		*at++ = (uint8_t)(0xc0 + payload);
	} else if (payload < 256) {
		*at++ = 0xf8;
		*at++ = (uint8_t)payload;
	} else {
		*at++ = 0xf9;
		*at++ = (uint8_t)(payload >> 8);
		*at++ = (uint8_t)payload;
	}
	return at;
}

/* Nibbles from…to of `key` in hex prefix form, as an RLP string. */
static uint8_t *put_path(uint8_t *at, const struct hash *key, unsigned from, unsigned to, bool is_leaf)
{
	unsigned count = to - from;
	uint8_t flag = is_leaf ? 0x20 : 0;

	if (count >= 2)
		*at++ = (uint8_t)(0x80 + 1 + count / 2);
	if (count & 1)
		flag |= (uint8_t)(0x10 | key_nibble(key, from++));
	*at++ = flag;
	if (from & 1) {
		for (; from < to; from += 2)
			*at++ = (uint8_t)(key_nibble(key, from) << 4 | key_nibble(key, from + 1));
		return at;
	}
	memcpy(at, key->bytes + from / 2, (to - from) / 2);
	return at + (to - from) / 2;
}

static size_t path_size(unsigned count)
{
	return count >= 2 ? 2 + count / 2 : 1;
}

static size_t string_size(const uint8_t *data, size_t size)
{
	return size == 1 && data[0] < 0x80 ? 1 : size + rlp_header_size(size);
}

static size_t leaf_payload(const struct leaf *l, unsigned at)
{
	return path_size(NODE_KEY_NIBBLES - at) + string_size(l->value, l->size);
}

size_t leaf_rlp_size(const struct leaf *l, unsigned at)
{
	size_t payload = leaf_payload(l, at);

	return rlp_header_size(payload) + payload;
}

size_t leaf_encode(uint8_t out[NODE_RLP_MAX], const struct leaf *l, unsigned at)
{
	uint8_t *to = put_list_header(out, leaf_payload(l, at));

	to = put_path(to, &l->key, at, NODE_KEY_NIBBLES, true);
	if (l->size > 55) {
		*to++ = 0xb8;
		*to++ = (uint8_t)l->size;
	} else if (l->size > 1 || l->value[0] >= 0x80) {
		*to++ = (uint8_t)(0x80 + l->size);
	}
	memcpy(to, l->value, l->size);
	return (size_t)(to + l->size - out);
}

static size_t branch_payload(const struct branch *b)
{
	size_t payload = 17 + 32 * (size_t)__builtin_popcount(b->mask & (unsigned)~b->embedded);
	const struct node_ref *r = b->refs;

	for (unsigned n = 0; b->embedded >> n; n++)
		if (b->mask >> n & 1) {
			if (b->embedded >> n & 1)
				payload += embedded_size(r->hash.bytes) - 1;
			r++;
		}
	return payload;
}

size_t branch_rlp_size(const struct branch *b)
{
	size_t payload = branch_payload(b);

	return rlp_header_size(payload) + payload;
}

size_t branch_encode(uint8_t out[NODE_RLP_MAX], const struct branch *b)
{
	const struct node_ref *r = b->refs;
	uint8_t *to;

	to = put_list_header(out, branch_payload(b));
	for (unsigned n = 0; n < 16; n++) {
		if (!(b->mask >> n & 1)) {
			*to++ = 0x80;
			continue;
		}
		if (b->embedded >> n & 1) {
			size_t size = embedded_size(r->hash.bytes);

			memcpy(to, r->hash.bytes, size);
			to += size;
		} else {
			*to++ = 0xa0;
			memcpy(to, r->hash.bytes, sizeof(r->hash));
			to += sizeof(r->hash);
		}
		r++;
	}
	*to++ = 0x80;
	return (size_t)(to - out);
}

size_t extension_encode(uint8_t out[NODE_RLP_MAX], const struct branch *b, unsigned at,
			struct bytes embedded_or_hash)
{
	bool is_hash = embedded_or_hash.size == sizeof(struct hash);
	size_t payload = path_size(b->head.depth - at) + is_hash + embedded_or_hash.size;
	uint8_t *to = put_list_header(out, payload);

	to = put_path(to, &b->prefix, at, b->head.depth, false);
	if (is_hash)
		*to++ = 0xa0;
	memcpy(to, embedded_or_hash.data, embedded_or_hash.size);
	return (size_t)(to + embedded_or_hash.size - out);
}

/* --- decoding --- */

int hex_prefix_decode(struct hash *key, unsigned at, unsigned *end, bool *is_leaf, struct bytes path,
		      struct err *err)
{
	size_t count;
	bool odd;

	if (path.size == 0 || path.data[0] > 0x3f)
		return ERR_SET(err, STATE_E_FORMAT, "a node's key part without its flag");
	odd = path.data[0] >> 4 & 1;
	if (!odd && path.data[0] & 15)
		return ERR_SET(err, STATE_E_FORMAT, "a node's key part with a wrong filler");
	count = 2 * (path.size - 1) + odd;
	if (count > NODE_KEY_NIBBLES - at)
		return ERR_SET(err, STATE_E_FORMAT, "a key longer than %d nibbles", NODE_KEY_NIBBLES);
	*is_leaf = path.data[0] >> 5 & 1;
	if (odd)
		key_set_nibble(key, at++, path.data[0] & 15);
	for (size_t i = 1; i < path.size; i++) {
		key_set_nibble(key, at++, path.data[i] >> 4);
		key_set_nibble(key, at++, path.data[i] & 15);
	}
	*end = at;
	return OK;
}

static int decode_branch(struct node_pool *p, struct node **out, const struct hash *key, unsigned at,
			 struct rlp_reader *list, struct err *err);

/* A node that stands in its parent. Recursion: each is inside the other's bytes,
 * which are fewer than 32, and at a greater depth. */
static int decode_embedded(struct node_pool *p, struct node **out, const struct hash *key,
			   unsigned at, struct bytes rlp, struct err *err)
{
	struct extension extension;
	int rc;

	if (rlp.size > NODE_EMBEDDED_MAX)
		return ERR_SET(err, STATE_E_FORMAT, "an embedded node of %zu bytes", rlp.size);
	rc = trie_node_decode(p, out, &extension, key, at, rlp, err);
	if (rc == OK && !*out)
		return ERR_SET(err, STATE_E_FORMAT, "an embedded extension with a hash");
	return rc;
}

static int decode_leaf(struct node_pool *p, struct node **out, const struct hash *key, unsigned end,
		       struct rlp_reader *list, struct err *err)
{
	struct bytes value;
	int rc = rlp_read_bytes(list, &value, err);

	if (rc != OK)
		return rc;
	if (end != NODE_KEY_NIBBLES || value.size == 0 || value.size > NODE_VALUE_MAX)
		return ERR_SET(err, STATE_E_FORMAT, "a leaf with %u nibbles and a value of %zu bytes",
			       end, value.size);
	*out = &leaf_new(p, key, value)->head;
	return OK;
}

static int decode_extension(struct node_pool *p, struct node **out, struct extension *extension,
			    const struct hash *prefix, unsigned end, struct rlp_reader *list,
			    struct err *err)
{
	struct rlp_reader inner;
	struct bytes raw;
	size_t count;
	int rc;

	if (end == NODE_KEY_NIBBLES)
		return ERR_SET(err, STATE_E_FORMAT, "an extension that leads past its key");
	if (!rlp_next_is_list(list)) {
		*out = NULL;
		extension->prefix = *prefix;
		extension->depth = end;
		return rlp_read_fixed(list, &extension->child, sizeof(extension->child), err);
	}
	if ((rc = rlp_read_raw(list, &raw, err)) != OK)
		return rc;
	rlp_reader_init(&inner, raw);
	if ((rc = rlp_read_list(&inner, &inner, err)) != OK ||
	    (rc = rlp_count(&inner, &count, 17, err)) != OK)
		return rc;
	if (raw.size > NODE_EMBEDDED_MAX || count != 17)
		return ERR_SET(err, STATE_E_FORMAT, "an extension that does not lead to a branch");
	return decode_branch(p, out, prefix, end, &inner, err);
}

static int decode_child(struct node_pool *p, struct branch *b, unsigned nibble,
			struct rlp_reader *list, struct err *err)
{
	struct node_ref child = { 0 };
	struct hash key = b->prefix;
	struct bytes raw;
	int rc;

	if (!rlp_next_is_list(list)) {
		rc = rlp_read_bytes(list, &raw, err);
		if (rc != OK || raw.size == 0)
			return rc;
		if (raw.size != sizeof(child.hash))
			return ERR_SET(err, STATE_E_FORMAT, "a child of %zu bytes", raw.size);
		memcpy(&child.hash, raw.data, raw.size);
		if (hash_is_zero(&child.hash))
			return ERR_SET(err, STATE_E_FORMAT, "a child with hash zero");
		CHECK(branch_add(p, b, nibble, &child) == b);
		return OK;
	}
	rc = rlp_read_raw(list, &raw, err);
	if (rc != OK)
		return rc;
	key_set_nibble(&key, b->head.depth, nibble);
	rc = decode_embedded(p, &child.node, &key, b->head.depth + 1u, raw, err);
	if (rc != OK)
		return rc;
	memcpy(&child.hash, raw.data, raw.size);
	CHECK(branch_add(p, b, nibble, &child) == b);
	b->embedded |= (uint16_t)(1u << nibble);
	return OK;
}

/* How many of the 16 children that `list` holds are there. */
static unsigned count_children(struct rlp_reader list)
{
	unsigned count = 0;
	struct bytes raw;

	for (unsigned n = 0; n < 16 && rlp_read_raw(&list, &raw, NULL) == OK; n++)
		count += raw.size > 1;
	return count;
}

static int decode_branch(struct node_pool *p, struct node **out, const struct hash *key, unsigned at,
			 struct rlp_reader *list, struct err *err)
{
	unsigned count = count_children(*list);
	struct node_ref ref = { 0 };
	struct bytes value;
	int rc = OK;

	if (at == NODE_KEY_NIBBLES || count < 2)
		return ERR_SET(err, STATE_E_FORMAT, "a branch with %u children at depth %u", count, at);
	ref.node = &branch_new(p, key, at, count)->head;
	for (unsigned n = 0; n < 16 && rc == OK; n++)
		rc = decode_child(p, trie_node_branch(ref.node), n, list, err);
	if (rc == OK)
		rc = rlp_read_bytes(list, &value, err);
	if (rc == OK && value.size)
		rc = ERR_SET(err, STATE_E_FORMAT, "a branch with a value");
	if (rc != OK) {
		trie_node_free_all(p, &ref);
		return rc;
	}
	*out = ref.node;
	return OK;
}

/* A node of two items: a leaf or an extension. */
static int decode_short(struct node_pool *p, struct node **out, struct extension *extension,
			const struct hash *key, unsigned at, struct rlp_reader *list, struct err *err)
{
	struct hash full = *key;
	struct bytes path;
	unsigned end;
	bool is_leaf;
	int rc;

	if ((rc = rlp_read_bytes(list, &path, err)) != OK ||
	    (rc = hex_prefix_decode(&full, at, &end, &is_leaf, path, err)) != OK)
		return rc;
	if (is_leaf)
		return decode_leaf(p, out, &full, end, list, err);
	if (end == at)
		return ERR_SET(err, STATE_E_FORMAT, "an extension without nibbles");
	return decode_extension(p, out, extension, &full, end, list, err);
}

int trie_node_decode(struct node_pool *p, struct node **out, struct extension *extension,
		const struct hash *key, unsigned at, struct bytes rlp, struct err *err)
{
	struct rlp_reader top, list;
	size_t count;
	int rc;

	rlp_reader_init(&top, rlp);
	if ((rc = rlp_read_list(&top, &list, err)) != OK ||
	    (rc = rlp_reader_end(&top, err)) != OK ||
	    (rc = rlp_count(&list, &count, 17, err)) != OK)
		return rc;
	if (count == 17)
		return decode_branch(p, out, key, at, &list, err);
	if (count == 2)
		return decode_short(p, out, extension, key, at, &list, err);
	return ERR_SET(err, STATE_E_FORMAT, "a node of %zu items", count);
}
