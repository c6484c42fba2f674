/*
 * mmr - a Merkle mountain range: a growing list of leaves with a short root and
 * logarithmic proofs.
 *
 *          6                     leaf i   = keccak256(0x00 ‖ value)
 *        /   \                   node     = keccak256(0x01 ‖ left ‖ right)
 *       2     5     9            root     = peaks bagged from the right:
 *      / \   / \   / \                      node(peak0, node(peak1, peak2))
 *     0   1 3   4 7   8  10      empty    = 32 zero bytes
 *
 * Positions number leaves and nodes in the order in which they come to be, as
 * in the picture. Only the peaks are needed to append; the nodes are needed for
 * proofs and are the caller's to keep.
 */
#ifndef WEFT_CRYPTO_MMR_H
#define WEFT_CRYPTO_MMR_H

#include "base/bytes.h"

#define MMR_PEAK_MAX 64

struct mmr {
	uint64_t leaf_count;
	struct hash peaks[MMR_PEAK_MAX]; /* highest mountain first; one a set bit of leaf_count */
};

/* One appended leaf makes at most this many new nodes, itself included. */
#define MMR_NEW_MAX (MMR_PEAK_MAX + 1)

struct mmr_new {
	uint64_t first_position; /* of nodes[0]; the rest follow it */
	size_t count;
	struct hash nodes[MMR_NEW_MAX];
};

void mmr_init(struct mmr *m);

/* Appends a leaf; `added` (may be NULL) receives the new nodes with positions. */
void mmr_append(struct mmr *m, struct mmr_new *added, const struct hash *value);

/* The root over all leaves. */
void mmr_root(const struct mmr *m, struct hash *out);

/* The number of positions that `leaf_count` leaves use, and the position of leaf `index`. */
uint64_t mmr_size(uint64_t leaf_count);
uint64_t mmr_leaf_position(uint64_t index);

/* A proof that `value` is leaf `index` of `leaf_count`: siblings up to its peak,
 * then the bag of the peaks to its right (if any), then the peaks to its left,
 * nearest first. */
struct mmr_proof {
	uint64_t index;
	uint64_t leaf_count;
	size_t count;
	struct hash path[2 * MMR_PEAK_MAX];
};

/* Reads node `position` into *out; false if it can't. */
typedef bool (*mmr_read_fn)(void *ctx, uint64_t position, struct hash *out);

/* Builds a proof from stored nodes; false if index >= leaf_count or a node is missing. */
bool mmr_prove(struct mmr_proof *out, uint64_t index, uint64_t leaf_count,
	       mmr_read_fn read, void *ctx);

/* True if the proof leads from `value` to `root`; any other path length is refused.
 * The root does not commit to leaf_count: where the position matters, compare
 * proof->index and proof->leaf_count with what is known about the root (for the
 * history root of block h: h leaves), or a leaf of a long range passes as another
 * one of a shorter range. */
bool mmr_verify(const struct mmr_proof *proof, const struct hash *value, const struct hash *root);

#endif
