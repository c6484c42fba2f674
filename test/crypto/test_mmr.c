#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"
#include "crypto/mmr.h"
#include "unhex.h"

#define LEAF_MAX 300

/* A range with all of its nodes. */
struct range {
	struct mmr mmr;
	struct hash nodes[2 * LEAF_MAX];
	uint64_t node_count;
	uint64_t missing; /* a position that reading fails at */
};

static struct hash value_of(uint64_t index)
{
	uint8_t text[8];
	struct hash h;

	store_be64(text, index);
	keccak256(&h, bytes_of(text, sizeof(text)));
	return h;
}

static struct range *range_new(uint64_t leaf_count)
{
	struct range *r = xcalloc(1, sizeof(*r));
	struct mmr_new added;
	uint64_t i;
	size_t n;

	mmr_init(&r->mmr);
	r->missing = UINT64_MAX;
	for (i = 0; i < leaf_count; i++) {
		struct hash value = value_of(i);

		mmr_append(&r->mmr, &added, &value);
		cr_assert_eq(added.first_position, r->node_count);
		cr_assert_eq(added.first_position, mmr_leaf_position(i));
		for (n = 0; n < added.count; n++)
			r->nodes[r->node_count++] = added.nodes[n];
		cr_assert_eq(r->node_count, mmr_size(i + 1));
	}
	return r;
}

static bool read_node(void *ctx, uint64_t position, struct hash *out)
{
	const struct range *r = ctx;

	if (position >= r->node_count || position == r->missing)
		return false;
	*out = r->nodes[position];
	return true;
}

/* --- the definition, written down a second time: top-down and recursive --- */

static struct hash join(const struct hash *left, const struct hash *right)
{
	uint8_t text[65] = { 0x01 };
	struct hash h;

	memcpy(text + 1, left->bytes, 32);
	memcpy(text + 33, right->bytes, 32);
	keccak256(&h, bytes_of(text, sizeof(text)));
	return h;
}

static struct hash tree_over(uint64_t first, uint64_t count)
{
	struct hash left, right;
	uint8_t text[33] = { 0x00 };

	if (count == 1) {
		struct hash value = value_of(first);

		memcpy(text + 1, value.bytes, 32);
		keccak256(&left, bytes_of(text, sizeof(text)));
		return left;
	}
	left = tree_over(first, count / 2);
	right = tree_over(first + count / 2, count / 2);
	return join(&left, &right);
}

static struct hash root_over(uint64_t first, uint64_t count)
{
	uint64_t highest = 1;
	struct hash peak, rest;

	while (highest * 2 <= count)
		highest *= 2;
	peak = tree_over(first, highest);
	if (highest == count)
		return peak;
	rest = root_over(first + highest, count - highest);
	return join(&peak, &rest);
}

/* --- tests --- */

Test(mmr, positions_follow_the_picture)
{
	static const uint64_t leaves[] = { 0, 1, 3, 4, 7, 8, 10 };
	static const uint64_t sizes[] = { 0, 1, 3, 4, 7, 8, 10, 11 };
	size_t i;

	for (i = 0; i < ARRAY_COUNT(leaves); i++)
		cr_assert_eq(mmr_leaf_position(i), leaves[i]);
	for (i = 0; i < ARRAY_COUNT(sizes); i++)
		cr_assert_eq(mmr_size(i), sizes[i]);
}

Test(mmr, root_of_nothing_is_zero)
{
	struct mmr m;
	struct hash root = { { 1 } };

	mmr_init(&m);
	mmr_root(&m, &root);
	cr_assert(hash_is_zero(&root));
}

Test(mmr, root_equals_definition_at_every_size)
{
	struct mmr m;
	uint64_t i;

	mmr_init(&m);
	for (i = 0; i < LEAF_MAX; i++) {
		struct hash value = value_of(i), root, want;

		mmr_append(&m, NULL, &value);
		mmr_root(&m, &root);
		want = root_over(0, i + 1);
		cr_assert(hash_equal(&root, &want), "of %lu leaves", (unsigned long)i + 1);
	}
}

/* keccak256(0x00 ‖ 32 zero bytes), and two such under a node. */
Test(mmr, root_equals_pinned_values)
{
	static const struct hash zero;
	struct hash root;
	struct mmr m;

	mmr_init(&m);
	mmr_append(&m, NULL, &zero);
	mmr_root(&m, &root);
	cr_assert(is_hex(root.bytes, 32,
			 "f39a869f62e75cf5f0bf914688a6b289caf2049435d8e68c5c5e6d05e44913f3"));
	mmr_append(&m, NULL, &zero);
	mmr_append(&m, NULL, &zero);
	mmr_root(&m, &root);
	cr_assert(is_hex(root.bytes, 32,
			 "dd15b015f963e3782696855ecf6ae9c08e90d4c396b60b98d49adad7e7115d3c"));
}

Test(mmr, every_leaf_proves_at_every_size)
{
	uint64_t count, i;

	for (count = 1; count <= LEAF_MAX; count++) {
		struct range *r = range_new(count);
		struct mmr_proof proof;
		struct hash root;

		mmr_root(&r->mmr, &root);
		for (i = 0; i < count; i++) {
			struct hash value = value_of(i), other = value_of(i + 1);

			cr_assert(mmr_prove(&proof, i, count, read_node, r));
			cr_assert(mmr_verify(&proof, &value, &root), "leaf %lu of %lu",
				  (unsigned long)i, (unsigned long)count);
			cr_assert(!mmr_verify(&proof, &other, &root));
			cr_assert_leq(proof.count, 2 * 9);
		}
		cr_assert(!mmr_prove(&proof, count, count, read_node, r));
		free(r);
	}
}

/* A later, longer range still proves any leaf against an earlier root. */
Test(mmr, old_roots_prove_from_a_longer_range)
{
	struct range *r = range_new(100);
	struct mmr_proof proof;
	uint64_t count, i;

	for (count = 1; count <= 100; count++) {
		struct hash root = root_over(0, count);

		for (i = 0; i < count; i++) {
			struct hash value = value_of(i);

			cr_assert(mmr_prove(&proof, i, count, read_node, r));
			cr_assert(mmr_verify(&proof, &value, &root));
		}
	}
	free(r);
}

Test(mmr, verify_refuses_every_tampered_proof)
{
	static const uint64_t counts[] = { 1, 2, 3, 7, 8, 11, 64, 100, 255, 300 };
	size_t c, n;
	uint64_t i, j;

	for (c = 0; c < ARRAY_COUNT(counts); c++) {
		struct range *r = range_new(counts[c]);
		struct hash root, bad_root;

		mmr_root(&r->mmr, &root);
		bad_root = root;
		bad_root.bytes[31] ^= 1;
		for (i = 0; i < counts[c]; i++) {
			struct mmr_proof proof, bad;
			struct hash value = value_of(i), bad_value = value;

			cr_assert(mmr_prove(&proof, i, counts[c], read_node, r));
			for (n = 0; n < proof.count; n++) {
				bad = proof;
				bad.path[n].bytes[n % 32] ^= 0x10;
				cr_assert(!mmr_verify(&bad, &value, &root));
			}
			bad_value.bytes[0] ^= 1;
			cr_assert(!mmr_verify(&proof, &bad_value, &root));
			cr_assert(!mmr_verify(&proof, &value, &bad_root));
			for (j = 0; j < counts[c]; j++) {
				bad = proof;
				bad.index = j;
				cr_assert(j == i || !mmr_verify(&bad, &value, &root));
			}
		}
		free(r);
	}
}

Test(mmr, verify_refuses_a_path_of_another_length)
{
	struct range *r = range_new(77);
	struct hash root;
	uint64_t i;

	mmr_root(&r->mmr, &root);
	for (i = 0; i < 77; i++) {
		struct mmr_proof proof, bad;
		struct hash value = value_of(i);

		cr_assert(mmr_prove(&proof, i, 77, read_node, r));
		for (bad = proof; bad.count-- > 0;)
			cr_assert(!mmr_verify(&bad, &value, &root));
		for (bad = proof; bad.count++ < ARRAY_COUNT(bad.path);)
			cr_assert(!mmr_verify(&bad, &value, &root));
		bad = proof;
		bad.count = SIZE_MAX;
		cr_assert(!mmr_verify(&bad, &value, &root));
	}
	free(r);
}

Test(mmr, verify_refuses_counts_without_meaning)
{
	struct mmr_proof proof = { .index = 0, .leaf_count = 0 };
	struct hash value = value_of(0), root = { { 0 } };

	cr_assert(!mmr_verify(&proof, &value, &root));
	proof.leaf_count = UINT64_MAX;
	cr_assert(!mmr_verify(&proof, &value, &root));
	proof.index = UINT64_MAX;
	cr_assert(!mmr_verify(&proof, &value, &root));
	proof.index = (1ull << 62) - 2;
	proof.leaf_count = (1ull << 62) - 1;
	proof.count = 62;
	cr_assert(!mmr_verify(&proof, &value, &root));
}

/* A node's hash is never taken for a leaf's: the prefixes differ. */
Test(mmr, verify_refuses_a_node_as_a_leaf)
{
	struct range *r = range_new(4);
	struct mmr_proof proof = { .index = 0, .leaf_count = 2, .count = 1 };
	struct hash root;

	mmr_root(&r->mmr, &root);
	proof.path[0] = r->nodes[5];
	cr_assert(!mmr_verify(&proof, &r->nodes[2], &root));
	free(r);
}

Test(mmr, prove_fails_where_a_node_is_missing)
{
	struct range *r = range_new(11);
	struct mmr_proof proof, before;
	unsigned failed = 0;

	memset(&proof, 0x33, sizeof(proof));
	before = proof;
	for (r->missing = 0; r->missing < r->node_count; r->missing++) {
		if (mmr_prove(&proof, 4, 11, read_node, r)) {
			proof = before;
			continue;
		}
		failed++;
		cr_assert_eq(memcmp(&proof, &before, sizeof(proof)), 0);
	}
	/* Three siblings in the mountain of eight, and three peaks. */
	cr_assert_eq(failed, 6);
	free(r);
}

/* Appending needs only the peaks. */
Test(mmr, append_goes_on_from_stored_peaks)
{
	struct range *r = range_new(150);
	struct mmr restored = { .leaf_count = r->mmr.leaf_count };
	struct hash a, b;
	uint64_t i;

	memcpy(restored.peaks, r->mmr.peaks,
	       (size_t)__builtin_popcountll(restored.leaf_count) * sizeof(struct hash));
	for (i = 150; i < 200; i++) {
		struct hash value = value_of(i);

		mmr_append(&r->mmr, NULL, &value);
		mmr_append(&restored, NULL, &value);
	}
	mmr_root(&r->mmr, &a);
	mmr_root(&restored, &b);
	cr_assert(hash_equal(&a, &b));
	free(r);
}
