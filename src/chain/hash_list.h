/*
 * hash_list - a list of hashes as it stands in memory or in decoded RLP, where
 * each has a byte of header before it. Borrows; allocates nothing.
 */
#ifndef WEFT_CHAIN_HASH_LIST_H
#define WEFT_CHAIN_HASH_LIST_H

#include "base/buf.h"
#include "chain/decode.h"

struct hash_list {
	const uint8_t *first; /* the first hash's bytes */
	size_t stride;        /* from one to the next */
	size_t count;
};

static inline struct hash_list hash_list_of(const struct hash hashes[], size_t count)
{
	return (struct hash_list){
		.first = (const uint8_t *)hashes,
		.stride = sizeof(*hashes),
		.count = count,
	};
}

/* Hash `index`, below count. */
static inline struct hash hash_list_at(const struct hash_list *l, size_t index)
{
	struct hash h;

	memcpy(h.bytes, l->first + index * l->stride, sizeof(h.bytes));
	return h;
}

bool hash_list_has(const struct hash_list *l, const struct hash *h);

/* [hash, …], appended. */
void hash_list_encode(struct buf *out, const struct hash_list *l);

/* Reads a list of at most `max` hashes; `*out` points into the input. */
void decode_hash_list(struct decoder *d, struct rlp_reader *r, const char *field, size_t max,
		      struct hash_list *out);

/* The same, with no hash twice: O(count · log count) for up to HASH_LIST_DISTINCT_MAX. */
#define HASH_LIST_DISTINCT_MAX 512
void decode_hash_set(struct decoder *d, struct rlp_reader *r, const char *field, size_t max,
		     struct hash_list *out);

#endif
