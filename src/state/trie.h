/*
 * trie - one Merkle Patricia trie over 32-byte keys: changing it by sorted
 * batches, hashing what changed, storing it, letting go of what is not used.
 *
 *   trie_update (sorted changes)   descends once; nodes on the way are marked
 *   trie_gather, trie_hash         marked nodes of any number of tries, level by
 *                                  level from the deepest, hashed many at a time
 *   trie_flush                     gives the store what differs from it
 *
 * Between trie_update and trie_hash the hashes in the references are stale and
 * nothing else may be called.
 *
 * What a flush must delete: a record is a position and a node. A node that goes
 * or moves leaves its record's position in `stale`; at the flush the walk, which
 * is in the order of the positions, leaves out those that hold a node again.
 */
#ifndef WEFT_STATE_TRIE_H
#define WEFT_STATE_TRIE_H

#include "state/node.h"

struct trie_change {
	struct hash key;
	struct bytes value; /* borrowed; size 0 deletes */
};

struct stale_record {
	struct hash prefix; /* zero from `depth` on */
	uint8_t depth;
};

struct trie {
	struct hash owner;
	struct node_ref root;
	struct stale_record *stale;
	size_t stale_count, stale_capacity;
};

/* What a trie's operations share. */
struct hash_job;
struct trie_store {
	struct node_pool pool;
	struct tree_source source;
	struct buf record; /* the node that is being read */
	struct hash_job *jobs;
	size_t job_count, job_capacity;
};

void trie_store_clear(struct trie_store *s);

void trie_init(struct trie *t, const struct hash *owner, const struct hash *root);

/* Gives back the nodes and the memory. */
void trie_clear(struct trie_store *s, struct trie *t);

/* The root's hash; of the empty trie too. */
struct hash trie_root_hash(const struct trie *t);

/* Makes the changes, which stand by rising key, none twice. STATE_E_READ,
 * STATE_E_ROOT, STATE_E_FORMAT from loading: then the trie is of no more use. */
int trie_update(struct trie_store *s, struct trie *t, const struct trie_change changes[], size_t count,
		struct err *err);

/* Puts a trie on the list of those to be hashed; hashes what trie_update changed in
 * all that are on it. The tries may not move in between. */
void trie_gather(struct trie_store *s, struct trie *t);
void trie_hash(struct trie_store *s);

/* Gives what changed since the last flush, by rising path. */
void trie_flush(struct trie_store *s, struct trie *t, struct tree_sink sink);

/* Lets go of clean nodes that were last used before `generation`. */
void trie_evict(struct trie_store *s, struct trie *t, uint32_t generation);

/* Loads what `r` refers to at position `at` below `key`, if it is not loaded. */
int trie_load(struct trie_store *s, const struct trie *t, struct node_ref *r, const struct hash *key,
	      unsigned at, struct err *err);

/* The value of a key inside the trie's memory, size 0 if absent; with `proof`,
 * appends a copy of every record on the way. */
int trie_find(struct trie_store *s, struct trie *t, const struct hash *key, struct bytes *value,
	      struct tree_proof *proof, struct err *err);

/* Walks everything that is loaded, hashes it again and checks every invariant
 * of node.h (CHECK). Costs as much as hashing all of it. */
void trie_check(const struct trie *t);

/* The RLP of what `r` refers to at position `at`; for an extension, of the
 * extension, and *inner (may be NULL) gets the branch's, *inner_size its size,
 * else 0. Children must be hashed. */
size_t trie_node_encode(uint8_t out[NODE_RLP_MAX], const struct node *n, unsigned at,
		   uint8_t inner[NODE_RLP_MAX], size_t *inner_size);

#endif
