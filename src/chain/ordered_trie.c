/*
 * ordered_trie - the root of a list, as Ethereum defines it for transactions,
 * receipts and withdrawals: a Merkle Patricia trie from rlp(index) to value
 * (yellow paper, 4.4.2 and appendix D), built in memory and thrown away.
 *
 * The order of the keys is known, so the trie's shape is laid out first, without
 * hashing; then the nodes are hashed from the leaves up, all of one height
 * together, as many at once as the machine's Keccak takes.
 *
 * No RLP of a number is the beginning of another's: branches hold no values.
 */
#include "chain/block.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

#define KEY_SIZE_MAX 9                   /* rlp of 64 bits */
#define NIBBLE_MAX (2 * KEY_SIZE_MAX)
#define HEIGHT_MAX (2 * NIBBLE_MAX + 1)  /* a branch and an extension a nibble, a leaf */
#define CHUNK_COUNT 256                  /* nodes encoded before they are hashed together */
#define CHUNK_SIZE (256 * KIB)
#define NONE UINT32_MAX

enum node_kind { NODE_LEAF, NODE_EXTENSION, NODE_BRANCH };

struct node {
	enum node_kind kind;
	uint8_t height;    /* 0 for a leaf, else above all children */
	uint8_t from, to;  /* the nibbles of item's key that a leaf or extension stands for */
	uint32_t item;     /* a leaf's value; any item below an extension */
	uint32_t child;    /* an extension's node; a branch's row of children */
};

/* How a parent names a node: its RLP if that is shorter than a hash, else rlp(hash). */
struct node_ref {
	uint8_t size;
	uint8_t bytes[33];
};

struct trie {
	const struct bytes *values;
	size_t count;
	struct node *nodes;
	size_t node_count;
	uint32_t (*rows)[16];
	size_t row_count;
	struct node_ref *refs; /* one a node */
};

/* Keys in rising order are those of 1…127, 0, 128, 129, …: rlp(0) is 0x80. */
static uint32_t item_at(const struct trie *t, size_t rank)
{
	size_t small = MIN(t->count, (size_t)128);

	if (rank >= small)
		return (uint32_t)rank;
	return rank == small - 1 ? 0 : (uint32_t)rank + 1;
}

/* Writes rlp(index) as nibbles; returns how many. */
static unsigned key_nibbles(uint8_t out[NIBBLE_MAX], uint64_t index)
{
	uint8_t key[KEY_SIZE_MAX];
	unsigned size = 0;

	if (index >= 1 && index <= 0x7f) {
		key[size++] = (uint8_t)index;
	} else {
		unsigned length = index ? (71 - (unsigned)__builtin_clzll(index)) / 8 : 0;

		key[size++] = (uint8_t)(0x80 + length);
		for (unsigned i = length; i > 0; i--)
			key[size++] = (uint8_t)(index >> 8 * (i - 1));
	}
	for (unsigned i = 0; i < size; i++) {
		out[2 * i] = key[i] >> 4;
		out[2 * i + 1] = key[i] & 0x0f;
	}
	return 2 * size;
}

static unsigned nibble_of(const struct trie *t, size_t rank, unsigned depth)
{
	uint8_t nibbles[NIBBLE_MAX];
	unsigned count = key_nibbles(nibbles, item_at(t, rank));

	CHECK(depth < count);
	return nibbles[depth];
}

static uint32_t add_node(struct trie *t, const struct node *n)
{
	CHECK(n->height <= HEIGHT_MAX);
	t->nodes[t->node_count] = *n;
	return (uint32_t)t->node_count++;
}

/* The first rank in (low, high] whose nibble at `depth` differs from low's. */
static size_t group_end(const struct trie *t, size_t low, size_t high, unsigned depth)
{
	unsigned nibble = nibble_of(t, low, depth);
	size_t same = low, other = high;

	while (other - same > 1) {
		size_t middle = same + (other - same) / 2;

		if (nibble_of(t, middle, depth) == nibble)
			same = middle;
		else
			other = middle;
	}
	return other;
}

static uint32_t lay_out(struct trie *t, size_t low, size_t high, unsigned depth);

static uint32_t lay_out_branch(struct trie *t, size_t low, size_t high, unsigned depth)
{
	struct node branch = { .kind = NODE_BRANCH, .item = item_at(t, low) };
	uint32_t row = (uint32_t)t->row_count++;

	branch.child = row;
	for (unsigned i = 0; i < 16; i++)
		t->rows[row][i] = NONE;
	while (low < high) {
		size_t end = group_end(t, low, high, depth);
		uint32_t child = lay_out(t, low, end, depth + 1);

		t->rows[row][nibble_of(t, low, depth)] = child;
		branch.height = MAX(branch.height, (uint8_t)(t->nodes[child].height + 1));
		low = end;
	}
	return add_node(t, &branch);
}

/* Lays out the node over ranks [low, high), whose keys agree in `depth` nibbles.
 * The recursion is as deep as a key has nibbles. */
static uint32_t lay_out(struct trie *t, size_t low, size_t high, unsigned depth)
{
	uint8_t first[NIBBLE_MAX], last[NIBBLE_MAX];
	unsigned first_count = key_nibbles(first, item_at(t, low)), common = depth;
	struct node n = { .item = item_at(t, low), .from = (uint8_t)depth };

	if (high - low == 1) {
		n.to = (uint8_t)first_count;
		return add_node(t, &n);
	}
	key_nibbles(last, item_at(t, high - 1));
	while (first[common] == last[common])
		common++;
	n.child = lay_out_branch(t, low, high, common);
	if (common == depth)
		return n.child;
	n.kind = NODE_EXTENSION;
	n.to = (uint8_t)common;
	n.height = (uint8_t)(t->nodes[n.child].height + 1);
	return add_node(t, &n);
}

/* Nibbles as bytes, with parity and kind in front (yellow paper, appendix C). */
static void put_path(struct buf *out, const struct node *n)
{
	uint8_t nibbles[NIBBLE_MAX], path[KEY_SIZE_MAX + 1];
	unsigned from = n->from, size = 0;
	uint8_t flag = n->kind == NODE_LEAF ? 0x20 : 0x00;

	key_nibbles(nibbles, n->item);
	if ((n->to - from) % 2)
		path[size++] = flag | 0x10 | nibbles[from++];
	else
		path[size++] = flag;
	for (; from < n->to; from += 2)
		path[size++] = (uint8_t)(nibbles[from] << 4 | nibbles[from + 1]);
	rlp_put_bytes(out, bytes_of(path, size));
}

static void put_ref(struct buf *out, const struct node_ref *ref)
{
	buf_append(out, ref->bytes, ref->size);
}

static void put_node(struct buf *out, const struct trie *t, const struct node *n)
{
	size_t list = rlp_list_open(out);

	switch (n->kind) {
	case NODE_LEAF:
		put_path(out, n);
		rlp_put_bytes(out, t->values[n->item]);
		break;
	case NODE_EXTENSION:
		put_path(out, n);
		put_ref(out, &t->refs[n->child]);
		break;
	case NODE_BRANCH:
		for (unsigned i = 0; i < 16; i++) {
			uint32_t child = t->rows[n->child][i];

			if (child == NONE)
				rlp_put_bytes(out, bytes_of(NULL, 0));
			else
				put_ref(out, &t->refs[child]);
		}
		rlp_put_bytes(out, bytes_of(NULL, 0));
		break;
	}
	rlp_list_close(out, list);
}

/* Nodes that wait to be hashed together. */
struct chunk {
	struct buf encoded;
	size_t count;
	uint32_t nodes[CHUNK_COUNT];
	size_t starts[CHUNK_COUNT + 1];
};

static void hash_chunk(struct chunk *c, struct trie *t)
{
	struct bytes messages[CHUNK_COUNT];
	struct hash hashes[CHUNK_COUNT];

	c->starts[c->count] = c->encoded.size;
	for (size_t i = 0; i < c->count; i++)
		messages[i] = bytes_of(c->encoded.data + c->starts[i],
				       c->starts[i + 1] - c->starts[i]);
	keccak256_batch(hashes, messages, c->count);
	for (size_t i = 0; i < c->count; i++) {
		struct node_ref *ref = &t->refs[c->nodes[i]];
		bool is_short = messages[i].size < sizeof(struct hash);

		ref->size = is_short ? (uint8_t)messages[i].size : sizeof(ref->bytes);
		ref->bytes[0] = 0xa0;
		if (is_short)
			memcpy(ref->bytes, messages[i].data, messages[i].size);
		else
			memcpy(ref->bytes + 1, hashes[i].bytes, sizeof(hashes[i].bytes));
	}
	buf_reset(&c->encoded);
	c->count = 0;
}

/* Encodes and hashes all nodes but the root, which is the last, from the leaves up. */
static void hash_nodes(struct trie *t)
{
	struct chunk *c = xcalloc(1, sizeof(*c));
	size_t below_root = t->node_count - 1;

	for (unsigned height = 0; height < t->nodes[below_root].height; height++) {
		for (size_t i = 0; i < below_root; i++) {
			if (t->nodes[i].height != height)
				continue;
			c->nodes[c->count] = (uint32_t)i;
			c->starts[c->count++] = c->encoded.size;
			put_node(&c->encoded, t, &t->nodes[i]);
			if (c->count == CHUNK_COUNT || c->encoded.size >= CHUNK_SIZE)
				hash_chunk(c, t);
		}
		hash_chunk(c, t);
	}
	buf_clear(&c->encoded);
	free(c);
}

void ordered_root(struct hash *out, const struct bytes values[], size_t count)
{
	struct trie t = { .values = values, .count = count };
	struct buf root = { 0 };

	if (count == 0) {
		*out = header_empty_trie_root;
		return;
	}
	CHECK(count < NONE / 4);
	/* Each branch parts at least two items, and each extension has a branch. */
	t.nodes = xcalloc(3 * count, sizeof(*t.nodes));
	t.rows = xcalloc(count, sizeof(*t.rows));
	t.refs = xcalloc(3 * count, sizeof(*t.refs));
	lay_out(&t, 0, count, 0);
	hash_nodes(&t);
	put_node(&root, &t, &t.nodes[t.node_count - 1]);
	keccak256(out, buf_bytes(&root));
	buf_clear(&root);
	free(t.nodes);
	free(t.rows);
	free(t.refs);
}
