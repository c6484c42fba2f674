/*
 * tree - Ethereum's state trie and its storage tries: a secure Merkle Patricia
 * trie (yellow paper, appendix D) over keccak256(address), and one below every
 * account that has storage, over keccak256(slot).
 *
 *                 state root
 *                 /   |    \           nodes live in memory, as deep as they were
 *              ...  branch  ...        touched; what is not loaded is a hash and is
 *                   /    \             read by its path when it is needed
 *               account  account
 *               (storage root) -> storage trie of this account
 *
 * The tree is mutable and has one owner. state_tree_apply() takes it from one
 * block to the next; state_tree_revert() takes exactly the last one back, since a
 * Merkle Patricia trie depends on its content only. Every touched node is hashed
 * once per apply, many at a time (keccak256_batch).
 *
 * Nodes are stored by (owner, path), not by hash: a changed node overwrites its
 * predecessor, and nothing is left behind to collect. They are written only at
 * a flush; between two flushes the store's log can bring an older tree forward.
 */
#ifndef WEFT_STATE_TREE_H
#define WEFT_STATE_TREE_H

#include "state/diff.h"

/* Where a node lives. `owner` is zero for the state trie, keccak256(address) for
 * a storage trie; `path` has one nibble a byte. */
#define TREE_PATH_MAX 64
struct tree_location {
	struct hash owner;
	uint8_t path_size;
	uint8_t path[TREE_PATH_MAX];
};

/* Reads a stored node's RLP into `out`; STATE_E_READ if it is missing. It shows
 * what the last flush gave as soon as that has returned. A node of fewer than 32
 * bytes stands in its parent's record and has none of its own, unless it is a root. */
struct tree_source {
	int (*read)(void *ctx, struct buf *out, const struct tree_location *at, struct err *err);
	void *ctx;
};

/* Takes the nodes of a flush, the state trie's first, then the storage tries' by
 * rising owner, each by rising path, no place twice. `rlp.size` 0: the node is
 * gone. `at` and `rlp` are borrowed for the call. */
struct tree_sink {
	void (*write)(void *ctx, const struct tree_location *at, struct bytes rlp);
	void *ctx;
};

struct state_tree;

/* A tree at `root` whose nodes come from `source` (borrowed); the empty root
 * needs no source. `memory_max`: bytes of loaded nodes above which a flush lets
 * clean ones go. */
struct state_tree *state_tree_new(const struct hash *root, struct tree_source source,
				  size_t memory_max, uint64_t seed);
void state_tree_free(struct state_tree *t);

/* Applies `d`, fills in the storage roots of its `after` accounts, and gives the
 * new root. An account of which only slots changed must stand in d->accounts
 * too; the overlay sees to that, with equal before and after until here.
 * On failure (STATE_E_READ, STATE_E_ROOT, STATE_E_FORMAT) the tree can't be used
 * any more. STATE_E_ROOT also tells that an account's storage root from before is
 * not the tree's, or that an account goes and its storage doesn't. */
int state_tree_apply(struct state_tree *t, struct state_diff *d, struct hash *root, struct err *err);

/* Takes back the apply of `d`, which must be the last one and not flushed. */
int state_tree_revert(struct state_tree *t, const struct state_diff *d, struct err *err);

void state_tree_root(const struct state_tree *t, struct hash *out);

/* Gives every node that changed since the last flush, and then counts the tree
 * as stored. */
void state_tree_flush(struct state_tree *t, struct tree_sink sink);

/* Bytes of loaded nodes, and how many nodes the next flush will write (branches
 * with the extension before them). */
size_t state_tree_memory(const struct state_tree *t);
size_t state_tree_dirty_count(const struct state_tree *t);

/* Hashes all that is loaded again and checks every invariant (CHECK): for tests,
 * and after each apply of a small tree under --enable-verify. */
void state_tree_check(const struct state_tree *t);

/* Tells when a stage of an apply has ended, so that who has a clock can measure:
 * the accounts' keys are hashed; a batch of changes is made; it is hashed. The
 * last two come twice, for the storage tries and then for the state trie. */
enum tree_stage {
	TREE_STAGE_KEYS,
	TREE_STAGE_UPDATE,
	TREE_STAGE_HASH,
};
struct tree_trace {
	void (*ended)(void *ctx, enum tree_stage stage);
	void *ctx;
};
void state_tree_set_trace(struct state_tree *t, struct tree_trace trace);

/* A Merkle proof as eth_getProof gives it: the RLP of every node from the root
 * down. If the key is absent it ends where that shows. */
struct tree_proof {
	struct bytes *nodes; /* owned */
	size_t count;
};
void tree_proof_clear(struct tree_proof *p);

int state_tree_prove_account(struct state_tree *t, struct tree_proof *out,
			     const struct addr *address, struct err *err);
int state_tree_prove_slot(struct state_tree *t, struct tree_proof *out, const struct addr *address,
			  const struct hash *slot, struct err *err);

/* Checks a proof of `key` (already hashed) against `root`: on OK, *value is the
 * value's RLP inside the proof, size 0 if the proof shows that it is absent. */
int tree_proof_check(const struct hash *root, const struct hash *key, const struct bytes nodes[],
		     size_t count, struct bytes *value, struct err *err);

/* The root over a whole key-value list with plain keys of up to TRIE_ROOT_KEY_MAX
 * bytes, hashed from scratch: for a block's tries of transactions, receipts and
 * withdrawals, and for the published vectors. Later pairs win, an empty value
 * deletes. */
#define TRIE_ROOT_KEY_MAX 128
struct trie_pair {
	struct bytes key, value;
};
void trie_root(struct hash *out, const struct trie_pair pairs[], size_t count);

#endif
