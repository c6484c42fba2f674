/* The root over a list of pairs, from scratch; see tree.h. It shares nothing with
 * trie.c but the hash, so that each can check the other. */
#include <stdlib.h>

#include "base/check.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "state/tree.h"

struct pair_range {
	const struct trie_pair *at;
	size_t count;
};

static size_t nibble_count(const struct trie_pair *p)
{
	return 2 * p->key.size;
}

static unsigned nibble_at(const struct trie_pair *p, size_t index)
{
	uint8_t byte = p->key.data[index / 2];

	return index & 1 ? byte & 15 : byte >> 4;
}

/* Hex prefix, yellow paper appendix C. */
static void put_path(struct buf *out, const struct trie_pair *p, size_t from, size_t to, bool is_leaf)
{
	uint8_t path[1 + TRIE_ROOT_KEY_MAX];
	size_t size = 0;
	bool odd = (to - from) & 1;

	path[size++] = (uint8_t)((is_leaf ? 0x20 : 0) | (odd ? 0x10 | nibble_at(p, from++) : 0));
	for (; from < to; from += 2)
		path[size++] = (uint8_t)(nibble_at(p, from) << 4 | nibble_at(p, from + 1));
	rlp_put_bytes(out, bytes_of(path, size));
}

static void put_node(struct buf *out, struct pair_range range, size_t depth);

/* What a parent holds for a node: the node itself if it is short, else its hash. */
static void put_reference(struct buf *out, struct pair_range range, size_t depth)
{
	size_t mark = out->size;
	struct hash hash;

	put_node(out, range, depth);
	if (out->size - mark < sizeof(hash))
		return;
	keccak256(&hash, bytes_of(out->data + mark, out->size - mark));
	out->size = mark;
	rlp_put_hash(out, &hash);
}

static void put_branch(struct buf *out, struct pair_range range, size_t depth)
{
	struct bytes value = { 0 };

	if (nibble_count(range.at) == depth) {
		value = range.at->value;
		range.at++;
		range.count--;
	}
	for (unsigned nibble = 0; nibble < 16; nibble++) {
		struct pair_range child = { range.at, 0 };

		while (child.count < range.count && nibble_at(&child.at[child.count], depth) == nibble)
			child.count++;
		range.at += child.count;
		range.count -= child.count;
		if (child.count)
			put_reference(out, child, depth + 1);
		else
			rlp_put_bytes(out, (struct bytes){ 0 });
	}
	rlp_put_bytes(out, value);
}

/* The node over a sorted range whose keys share `depth` nibbles. Recursion: the
 * depth rises, and no key is longer than TRIE_ROOT_KEY_MAX bytes. */
static void put_node(struct buf *out, struct pair_range range, size_t depth)
{
	const struct trie_pair *first = range.at, *last = &range.at[range.count - 1];
	size_t list = rlp_list_open(out), shared = depth;

	if (range.count == 1) {
		put_path(out, first, depth, nibble_count(first), true);
		rlp_put_bytes(out, first->value);
		rlp_list_close(out, list);
		return;
	}
	while (shared < nibble_count(first) && shared < nibble_count(last) &&
	       nibble_at(first, shared) == nibble_at(last, shared))
		shared++;
	if (shared == depth) {
		put_branch(out, range, depth);
	} else {
		put_path(out, first, depth, shared, false);
		put_reference(out, range, shared);
	}
	rlp_list_close(out, list);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct trie_pair *const *x = a, *const *y = b;
	int order = bytes_compare((*x)->key, (*y)->key);

	return order ? order : (*x > *y) - (*x < *y);
}

/* Sorted, the later of equal keys kept, empty values left out; returns the count. */
static size_t settle(struct trie_pair *out, const struct trie_pair pairs[], size_t count)
{
	const struct trie_pair **order = xmalloc(MAX(count, (size_t)1) * sizeof(*order));
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		CHECK(pairs[i].key.size <= TRIE_ROOT_KEY_MAX);
		order[i] = &pairs[i];
	}
	qsort(order, count, sizeof(*order), compare_pairs);
	for (size_t i = 0; i < count; i++) {
		bool is_last = i + 1 == count || !bytes_equal(order[i]->key, order[i + 1]->key);

		if (is_last && order[i]->value.size)
			out[kept++] = *order[i];
	}
	free(order);
	return kept;
}

void trie_root(struct hash *out, const struct trie_pair pairs[], size_t count)
{
	struct trie_pair *sorted = xmalloc(MAX(count, (size_t)1) * sizeof(*sorted));
	struct buf rlp = { 0 };

	count = settle(sorted, pairs, count);
	if (count)
		put_node(&rlp, (struct pair_range){ sorted, count }, 0);
	else
		rlp_put_bytes(&rlp, (struct bytes){ 0 });
	keccak256(out, buf_bytes(&rlp));
	buf_clear(&rlp);
	free(sorted);
}
