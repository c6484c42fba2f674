/*
 * node - the nodes of a trie in memory, and their RLP (yellow paper, appendix D).
 *
 * In memory a trie is a radix tree: an extension is not a node of its own. A
 * branch knows at which nibble its keys part (`depth`) and what they share up to
 * there (`prefix`); if its parent refers to it from a smaller depth, an extension
 * stands between them:
 *
 *     position d      -> [ extension: nibbles d … depth of the prefix ]   if d < depth
 *     depth           -> [ branch: children by nibble `depth` ]
 *     depth + 1 …     -> what the children refer to
 *
 * A leaf keeps its whole key. So a node that moves up or down, because a branch
 * above it came or went, is the same node at another position; only its record
 * is another. Keys are 32-byte hashes, so a branch never holds a value.
 *
 * A reference is a node, its hash, or both: with a node only as the record is in
 * the parent (embedded, below 32 bytes), with a hash only while it isn't loaded.
 */
#ifndef WEFT_STATE_NODE_H
#define WEFT_STATE_NODE_H

#include "state/tree.h"

#define NODE_KEY_NIBBLES 64
#define NODE_VALUE_MAX 128 /* bytes; an account's RLP is the largest value */
#define NODE_RLP_MAX 544   /* bytes; a full branch takes 532 */
#define NODE_EMBEDDED_MAX 31
#define NODE_NOT_STORED UINT8_MAX

enum node_kind {
	NODE_LEAF,
	NODE_BRANCH,
};

enum node_flag {
	NODE_CHANGED = 1, /* since it was hashed: its parent's hash of it is stale */
	NODE_DIRTY = 2,   /* since it was stored */
	NODE_STORED = 4,  /* of a branch: its own record is in the store */
};

struct node {
	uint8_t kind;
	uint8_t flags;
	uint8_t depth;       /* of a branch: the nibble that its keys part at */
	uint8_t stored_at;   /* the position of the leaf's, or the extension's, record in the store */
	uint32_t generation; /* of the pool, when it was last used */
};

struct node_ref {
	struct node *node;
	struct hash hash; /* or the embedded RLP; both zero: nothing here */
};

struct leaf {
	struct node head;
	struct hash key;
	uint16_t size;
	uint8_t value[];
};

struct branch {
	struct node head;
	struct hash prefix; /* of its keys; nibbles from `depth` on mean nothing */
	uint16_t mask;      /* bit n: there is a child at nibble n */
	uint16_t embedded;  /* bit n: that child's RLP stands in its reference */
	uint16_t changed;   /* bit n: that child is to be hashed again */
	uint16_t dirty;     /* bit n: that child, or one below it, is to be stored */
	uint8_t capacity;
	struct node_ref refs[]; /* the children, by nibble, without gaps */
};

static inline struct leaf *trie_node_leaf(struct node *n)
{
	return (struct leaf *)n;
}

static inline struct branch *trie_node_branch(struct node *n)
{
	return (struct branch *)n;
}

static inline bool trie_node_ref_is_absent(const struct node_ref *r)
{
	return !r->node && hash_is_zero(&r->hash);
}

static inline unsigned key_nibble(const struct hash *key, unsigned index)
{
	return index & 1 ? key->bytes[index / 2] & 15 : key->bytes[index / 2] >> 4;
}

/* How many leading nibbles two keys share: 0-64. */
static inline unsigned key_common(const struct hash *a, const struct hash *b)
{
	for (unsigned i = 0; i < sizeof(a->bytes); i += 8) {
		uint64_t x = load_be64(a->bytes + i) ^ load_be64(b->bytes + i);

		if (x)
			return 2 * i + (unsigned)__builtin_clzll(x) / 4;
	}
	return NODE_KEY_NIBBLES;
}

/* Keeps the first `depth` nibbles and makes the rest zero. */
struct hash key_cut(const struct hash *key, unsigned depth);

/* --- memory --- */

#define POOL_GRAIN 16
#define POOL_CLASS_COUNT 48 /* objects of 16 to 768 bytes */

/* Nodes come from big chunks and go back to a free list of their size; chunks
 * are given back when the pool ends. Under ASan each is a malloc of its own. */
struct node_pool {
	void *free_lists[POOL_CLASS_COUNT];
	void *chunks;         /* linked through their first word */
	uint8_t *fresh;       /* the rest of the newest chunk */
	size_t fresh_size;
	size_t memory;        /* bytes in nodes that are in use */
	size_t dirty_count;   /* nodes with NODE_DIRTY */
	uint32_t generation;
};

void pool_clear(struct node_pool *p);

struct leaf *leaf_new(struct node_pool *p, const struct hash *key, struct bytes value);

/* Puts another value into a leaf; it may move. */
struct leaf *leaf_set(struct node_pool *p, struct leaf *l, struct bytes value);

/* A branch without children, with room for `capacity` (2-16). */
struct branch *branch_new(struct node_pool *p, const struct hash *prefix, unsigned depth, unsigned capacity);

/* Adds a child; the branch may move. */
struct branch *branch_add(struct node_pool *p, struct branch *b, unsigned nibble, const struct node_ref *child);
void branch_remove(struct branch *b, unsigned nibble);

static inline unsigned branch_count(const struct branch *b)
{
	return (unsigned)__builtin_popcount(b->mask);
}

static inline struct node_ref *branch_child(struct branch *b, unsigned nibble)
{
	return &b->refs[__builtin_popcount(b->mask & ((1u << nibble) - 1))];
}

/* Asks the processor to bring a node of up to `size` bytes nearer. */
#define NODE_LINE 64
static inline void trie_node_prefetch(const void *node, size_t size)
{
	for (size_t i = 0; i < size; i += NODE_LINE)
		__builtin_prefetch((const uint8_t *)node + i);
}

/* Gives back one node, or all that is loaded from a reference on. */
void trie_node_free(struct node_pool *p, struct node *n);
void trie_node_free_all(struct node_pool *p, struct node_ref *r);

void trie_node_set_dirty(struct node_pool *p, struct node *n);
void trie_node_set_clean(struct node_pool *p, struct node *n);

/* --- RLP --- */

/* The leaf at position `at`; the branch; the extension that leads from position
 * `at` to a branch, whose RLP is given (embedded if it is short) or its hash.
 * Each returns its size. */
size_t leaf_encode(uint8_t out[NODE_RLP_MAX], const struct leaf *l, unsigned at);
size_t branch_encode(uint8_t out[NODE_RLP_MAX], const struct branch *b);
size_t extension_encode(uint8_t out[NODE_RLP_MAX], const struct branch *b, unsigned at,
			struct bytes embedded_or_hash);

/* What they will return. */
size_t leaf_rlp_size(const struct leaf *l, unsigned at);
size_t branch_rlp_size(const struct branch *b);

/* The size of the RLP list that stands at `rlp`, which is below 56 bytes. */
static inline size_t embedded_size(const uint8_t *rlp)
{
	return (size_t)(rlp[0] - 0xc0) + 1;
}

/* An extension as its record gives it: where it leads, and the hash of what is there. */
struct extension {
	struct hash prefix;
	unsigned depth;
	struct hash child;
};

/* Decodes a node at position `at` below `key`. An extension that refers to its
 * branch by hash gives *out = NULL and *extension. STATE_E_FORMAT. */
int trie_node_decode(struct node_pool *p, struct node **out, struct extension *extension,
		const struct hash *key, unsigned at, struct bytes rlp, struct err *err);

/* A node's key part (hex prefix, appendix C): appends its nibbles to `key` at
 * `at`; *end is where they end. STATE_E_FORMAT. */
int hex_prefix_decode(struct hash *key, unsigned at, unsigned *end, bool *is_leaf, struct bytes path,
		      struct err *err);

#endif
