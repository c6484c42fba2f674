#include "crypto/mmr.h"

#include "base/check.h"
#include "crypto/keccak.h"

/* More leaves than any chain will have; keeps positions within 64 bits. */
#define LEAF_COUNT_MAX (1ull << 62)

static void leaf_hash(struct hash *out, const struct hash *value)
{
	uint8_t text[33];

	text[0] = 0x00;
	memcpy(text + 1, value->bytes, 32);
	keccak256(out, bytes_of(text, sizeof(text)));
}

/* `out` may be an operand. */
static void node_hash(struct hash *out, const struct hash *left, const struct hash *right)
{
	uint8_t text[65];

	text[0] = 0x01;
	memcpy(text + 1, left->bytes, 32);
	memcpy(text + 33, right->bytes, 32);
	keccak256(out, bytes_of(text, sizeof(text)));
}

static unsigned bit_count(uint64_t v)
{
	return (unsigned)__builtin_popcountll(v);
}

uint64_t mmr_size(uint64_t leaf_count)
{
	CHECK(leaf_count <= LEAF_COUNT_MAX);
	return 2 * leaf_count - bit_count(leaf_count);
}

uint64_t mmr_leaf_position(uint64_t index)
{
	return mmr_size(index);
}

void mmr_init(struct mmr *m)
{
	*m = (struct mmr){ 0 };
}

void mmr_append(struct mmr *m, struct mmr_new *added, const struct hash *value)
{
	unsigned peak_count = bit_count(m->leaf_count);
	uint64_t same_height = m->leaf_count; /* bit h: a mountain of height h waits for its twin */
	struct hash top;

	CHECK(m->leaf_count < LEAF_COUNT_MAX);
	leaf_hash(&top, value);
	if (added) {
		added->first_position = mmr_size(m->leaf_count);
		added->count = 1;
		added->nodes[0] = top;
	}
	for (; same_height & 1; same_height >>= 1) {
		node_hash(&top, &m->peaks[--peak_count], &top);
		if (added)
			added->nodes[added->count++] = top;
	}
	m->peaks[peak_count] = top;
	m->leaf_count++;
}

/* Bags `count` peaks from the right; count > 0. */
static void bag_peaks(struct hash *out, const struct hash *peaks, unsigned count)
{
	struct hash bag = peaks[count - 1];
	unsigned i;

	for (i = count - 1; i-- > 0;)
		node_hash(&bag, &peaks[i], &bag);
	*out = bag;
}

void mmr_root(const struct mmr *m, struct hash *out)
{
	if (m->leaf_count == 0)
		*out = (struct hash){ 0 };
	else
		bag_peaks(out, m->peaks, bit_count(m->leaf_count));
}

/* Where a leaf stands: in which mountain, and what is beside that. */
struct place {
	unsigned height;       /* of its mountain */
	unsigned left_count;   /* mountains to the left, all higher */
	unsigned right_count;  /* mountains to the right, all lower */
	uint64_t first_leaf;   /* of its mountain */
};

static struct place place_of(uint64_t index, uint64_t leaf_count)
{
	struct place at = { 0 };
	uint64_t rest = leaf_count;

	for (;;) {
		at.height = 63 - (unsigned)__builtin_clzll(rest);
		rest -= 1ull << at.height;
		if (index < at.first_leaf + (1ull << at.height))
			break;
		at.first_leaf += 1ull << at.height;
		at.left_count++;
	}
	at.right_count = bit_count(rest);
	return at;
}

static size_t path_length(struct place at)
{
	return at.height + (at.right_count ? 1 : 0) + at.left_count;
}

/* --- proving --- */

struct reader {
	mmr_read_fn read;
	void *ctx;
};

/* The siblings of a leaf up to its mountain's peak, lowest first. Walks down from
 * the peak: the left half of a mountain of height h that starts at position p
 * starts there too, the right half 2^h - 1 behind, and a peak comes last. */
static bool read_siblings(struct hash path[], struct place at, uint64_t index,
			  const struct reader *from)
{
	uint64_t start = mmr_size(at.first_leaf);
	uint64_t below = index - at.first_leaf;
	unsigned h;

	for (h = at.height; h > 0; h--) {
		uint64_t half = (1ull << h) - 1; /* nodes of each half */
		uint64_t left_top = start + half - 1, right_top = start + 2 * half - 1;
		bool in_right = below >> (h - 1) & 1;

		if (!from->read(from->ctx, in_right ? left_top : right_top, &path[h - 1]))
			return false;
		if (in_right)
			start += half;
	}
	return true;
}

/* All peaks, highest first. */
static bool read_peaks(struct hash peaks[MMR_PEAK_MAX], uint64_t leaf_count,
		       const struct reader *from)
{
	uint64_t rest = leaf_count, end = 0;
	unsigned i;

	for (i = 0; rest; i++) {
		unsigned height = 63 - (unsigned)__builtin_clzll(rest);

		end += (2ull << height) - 1;
		if (!from->read(from->ctx, end - 1, &peaks[i]))
			return false;
		rest -= 1ull << height;
	}
	return true;
}

bool mmr_prove(struct mmr_proof *out, uint64_t index, uint64_t leaf_count,
	       mmr_read_fn read, void *ctx)
{
	struct mmr_proof made = { .index = index, .leaf_count = leaf_count };
	struct reader from = { .read = read, .ctx = ctx };
	struct hash peaks[MMR_PEAK_MAX];
	struct place at;
	unsigned i;

	if (index >= leaf_count || leaf_count > LEAF_COUNT_MAX)
		return false;
	at = place_of(index, leaf_count);
	if (!read_siblings(made.path, at, index, &from) || !read_peaks(peaks, leaf_count, &from))
		return false;
	made.count = at.height;
	if (at.right_count)
		bag_peaks(&made.path[made.count++], peaks + at.left_count + 1, at.right_count);
	for (i = at.left_count; i-- > 0;)
		made.path[made.count++] = peaks[i];
	CHECK(made.count == path_length(at));
	*out = made;
	return true;
}

/* --- verifying --- */

bool mmr_verify(const struct mmr_proof *proof, const struct hash *value, const struct hash *root)
{
	const struct hash *next = proof->path;
	struct place at;
	struct hash top;
	unsigned i;

	if (proof->index >= proof->leaf_count || proof->leaf_count > LEAF_COUNT_MAX)
		return false;
	at = place_of(proof->index, proof->leaf_count);
	if (proof->count != path_length(at))
		return false;
	leaf_hash(&top, value);
	for (i = 0; i < at.height; i++, next++) {
		if ((proof->index - at.first_leaf) >> i & 1)
			node_hash(&top, next, &top);
		else
			node_hash(&top, &top, next);
	}
	if (at.right_count)
		node_hash(&top, &top, next++);
	for (i = 0; i < at.left_count; i++)
		node_hash(&top, next++, &top);
	return hash_equal(&top, root);
}
