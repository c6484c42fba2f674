#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"
#include "model.h"

static struct state_tree *tree_over(struct node_store *nodes, const struct hash *root, size_t memory_max)
{
	return state_tree_new(root, node_store_source(nodes), memory_max, 42);
}

/* A flush of a tree made from the model alone. */
static struct hash digest_from_scratch(const struct model_state *m)
{
	struct model_state nothing;
	struct node_store nodes;
	struct state_tree *t;
	struct state_diff d;
	struct hash root, digest;

	model_state_init(&nothing);
	node_store_init(&nodes);
	t = tree_over(&nodes, &account_empty.storage_root, 1 << 20);
	model_state_diff(&d, &nothing, m);
	cr_assert_eq(state_tree_apply(t, &d, &root, NULL), OK);
	state_tree_flush(t, node_store_sink(&nodes));
	digest = node_store_digest(&nodes);
	state_diff_clear(&d);
	state_tree_free(t);
	node_store_clear(&nodes);
	return digest;
}

static void check_roots(const struct model_state *m, const struct state_tree *t, const struct state_diff *d)
{
	struct hash expected = model_state_root(m), found;

	state_tree_root(t, &found);
	cr_assert(hash_equal(&expected, &found));
	for (size_t i = 0; d && i < d->account_count; i++) {
		expected = model_storage_root(m, d->accounts[i].address.bytes[19]);
		cr_assert(hash_equal(&expected, &d->accounts[i].after.storage_root));
	}
	state_tree_check(t);
}

/* Blocks on blocks, now and then one taken back, flushed, reopened. */
static void run_random(uint64_t seed, size_t memory_max)
{
	struct model_state now, next;
	struct node_store nodes;
	struct state_tree *t;
	struct hash root = account_empty.storage_root;
	struct rng rng;

	rng_init(&rng, seed);
	model_state_init(&now);
	node_store_init(&nodes);
	t = tree_over(&nodes, &root, memory_max);
	for (unsigned block = 0; block < 60; block++) {
		struct err err = { 0 };
		struct state_diff d;

		next = now;
		model_state_mutate(&next, &rng);
		model_state_diff(&d, &now, &next);
		cr_assert_eq(state_tree_apply(t, &d, &root, &err), OK, "%s", err.message);
		check_roots(&next, t, &d);
		if (rng_below(&rng, 3) == 0) {
			cr_assert_eq(state_tree_revert(t, &d, &err), OK, "%s", err.message);
			check_roots(&now, t, NULL);
		} else {
			now = next;
		}
		state_diff_clear(&d);
		if (rng_below(&rng, 3) == 0) {
			struct hash expected = digest_from_scratch(&now), found;

			state_tree_flush(t, node_store_sink(&nodes));
			found = node_store_digest(&nodes);
			cr_assert(hash_equal(&expected, &found));
			cr_assert_eq(state_tree_dirty_count(t), 0);
			if (memory_max < 1024)
				cr_assert_leq(state_tree_memory(t), memory_max);
			check_roots(&now, t, NULL);
		}
		if (state_tree_dirty_count(t) == 0 && rng_below(&rng, 4) == 0) {
			state_tree_root(t, &root);
			state_tree_free(t);
			t = tree_over(&nodes, &root, memory_max);
		}
	}
	state_tree_free(t);
	node_store_clear(&nodes);
}

Test(tree, agrees_with_model)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		run_random(seed, 1 << 20);
}

Test(tree, agrees_with_model_with_little_memory)
{
	for (uint64_t seed = 20; seed < 40; seed++)
		run_random(seed, seed & 1 ? 0 : 800);
}

Test(tree, is_empty_at_start)
{
	struct state_tree *t = state_tree_new(&account_empty.storage_root, (struct tree_source){ 0 }, 0, 1);
	struct state_diff nothing = { 0 };
	struct hash root;

	cr_assert_eq(state_tree_apply(t, &nothing, &root, NULL), OK);
	cr_assert(hash_equal(&root, &account_empty.storage_root));
	cr_assert_eq(state_tree_memory(t), 0);
	state_tree_free(t);
}

static struct account account_with(uint64_t balance)
{
	struct account a = account_empty;

	a.balance = wei_of(balance);
	return a;
}

Test(tree, refuses_account_gone_with_storage)
{
	struct account_change a = { .after = account_with(5), .before = account_empty };
	struct slot_change s = { .after = u256_of(1) };
	struct state_diff d = { &a, 1, &s, 1, NULL, 0 };
	struct state_tree *t = state_tree_new(&account_empty.storage_root, (struct tree_source){ 0 }, 0, 1);
	struct err err = { 0 };
	struct hash root;

	cr_assert_eq(state_tree_apply(t, &d, &root, &err), OK);
	a.before = a.after;
	a.after = account_empty;
	d.slot_count = 0;
	cr_assert_eq(state_tree_apply(t, &d, &root, &err), STATE_E_ROOT);
	cr_assert(strstr(err.message, "storage"), "%s", err.message);
	state_tree_free(t);
}

Test(tree, refuses_difference_from_another_storage)
{
	struct account_change a = { .after = account_with(5), .before = account_empty };
	struct slot_change s = { .after = u256_of(1) };
	struct state_diff d = { &a, 1, &s, 1, NULL, 0 };
	struct state_tree *t = state_tree_new(&account_empty.storage_root, (struct tree_source){ 0 }, 0, 1);
	struct hash root;

	cr_assert_eq(state_tree_apply(t, &d, &root, NULL), OK);
	a.before = account_empty;
	s.after = u256_of(2);
	cr_assert_eq(state_tree_apply(t, &d, &root, NULL), STATE_E_ROOT);
	state_tree_free(t);
}

Test(tree, refuses_slot_without_account)
{
	struct slot_change s = { .after = u256_of(1) };
	struct state_diff d = { NULL, 0, &s, 1, NULL, 0 };
	struct state_tree *t = state_tree_new(&account_empty.storage_root, (struct tree_source){ 0 }, 0, 1);
	struct hash root;

	cr_assert_eq(state_tree_apply(t, &d, &root, NULL), STATE_E_FORMAT);
	state_tree_root(t, &root);
	cr_assert(hash_equal(&root, &account_empty.storage_root));
	state_tree_free(t);
}

static void count_stage(void *ctx, enum tree_stage stage)
{
	((unsigned *)ctx)[stage]++;
}

Test(tree, tells_its_stages)
{
	struct account_change a = { .after = account_with(5), .before = account_empty };
	struct state_diff d = { &a, 1, NULL, 0, NULL, 0 };
	struct state_tree *t = state_tree_new(&account_empty.storage_root, (struct tree_source){ 0 }, 0, 1);
	unsigned stages[3] = { 0 };
	struct hash root;

	state_tree_set_trace(t, (struct tree_trace){ count_stage, stages });
	cr_assert_eq(state_tree_apply(t, &d, &root, NULL), OK);
	cr_assert_eq(stages[TREE_STAGE_KEYS], 1);
	cr_assert_eq(stages[TREE_STAGE_UPDATE], 2);
	cr_assert_eq(stages[TREE_STAGE_HASH], 2);
	state_tree_free(t);
}

/* --- proofs --- */

struct proven {
	struct model_state model;
	struct node_store nodes;
	struct state_tree *tree;
	struct hash root;
};

static void prove_setup(struct proven *p, uint64_t seed)
{
	struct model_state nothing;
	struct state_diff d;
	struct rng rng;

	rng_init(&rng, seed);
	model_state_init(&nothing);
	p->model = nothing;
	for (unsigned i = 0; i < 6; i++)
		model_state_mutate(&p->model, &rng);
	node_store_init(&p->nodes);
	p->tree = tree_over(&p->nodes, &account_empty.storage_root, 0);
	model_state_diff(&d, &nothing, &p->model);
	cr_assert_eq(state_tree_apply(p->tree, &d, &p->root, NULL), OK);
	state_tree_flush(p->tree, node_store_sink(&p->nodes));
	state_diff_clear(&d);
}

static void prove_teardown(struct proven *p)
{
	state_tree_free(p->tree);
	node_store_clear(&p->nodes);
}

/* Changing any byte, leaving out or adding a node: refused, or the same answer
 * never becomes another one. */
static void check_tampering(const struct hash *root, const struct hash *key, const struct tree_proof *proof)
{
	struct bytes value;

	for (size_t i = 0; i < proof->count; i++) {
		uint8_t *data = (uint8_t *)(uintptr_t)proof->nodes[i].data;

		for (size_t k = 0; k < proof->nodes[i].size; k++) {
			data[k] ^= 1;
			cr_assert_eq(tree_proof_check(root, key, proof->nodes, proof->count, &value, NULL),
				     STATE_E_PROOF);
			data[k] ^= 1;
		}
		cr_assert_eq(tree_proof_check(root, key, proof->nodes, i, &value, NULL), STATE_E_PROOF);
		if (i)
			cr_assert_eq(tree_proof_check(root, key, proof->nodes + i, proof->count - i, &value, NULL),
				     STATE_E_PROOF);
	}
}

static void check_too_long(const struct hash *root, const struct hash *key, const struct tree_proof *proof)
{
	struct bytes nodes[70], value;

	memcpy(nodes, proof->nodes, proof->count * sizeof(nodes[0]));
	nodes[proof->count] = nodes[proof->count - 1];
	cr_assert_eq(tree_proof_check(root, key, nodes, proof->count + 1, &value, NULL), STATE_E_PROOF);
}

Test(tree, proves_accounts_present_and_absent)
{
	unsigned present = 0, absent = 0;

	for (uint64_t seed = 0; seed < 8; seed++) {
		struct proven p;

		prove_setup(&p, seed);
		for (unsigned i = 0; i < 40; i++) {
			struct addr address = i < MODEL_ACCOUNT_COUNT ? model_address(i) : (struct addr){ { 9, (uint8_t)i } };
			struct account expected = account_empty, found = account_empty;
			struct tree_proof proof;
			struct bytes value;
			struct hash key;
			struct err err = { 0 };

			if (i < MODEL_ACCOUNT_COUNT) {
				expected = p.model.accounts[i];
				expected.storage_root = model_storage_root(&p.model, i);
			}
			cr_assert_eq(state_tree_prove_account(p.tree, &proof, &address, &err), OK);
			keccak256(&key, addr_bytes(&address));
			cr_assert_eq(tree_proof_check(&p.root, &key, proof.nodes, proof.count, &value, &err), OK,
				     "%s", err.message);
			if (value.size)
				cr_assert_eq(account_decode(&found, value, &err), OK);
			cr_assert(account_equal(&expected, &found));
			value.size ? present++ : absent++;
			check_tampering(&p.root, &key, &proof);
			check_too_long(&p.root, &key, &proof);
			tree_proof_clear(&proof);
		}
		prove_teardown(&p);
	}
	cr_assert_gt(present, 20);
	cr_assert_gt(absent, 20);
}

Test(tree, proves_slots)
{
	unsigned present = 0, absent = 0, without = 0;

	for (uint64_t seed = 0; seed < 8; seed++) {
		struct proven p;

		prove_setup(&p, seed);
		for (unsigned i = 0; i < MODEL_ACCOUNT_COUNT * MODEL_SLOT_COUNT; i++) {
			struct addr address = model_address(i / MODEL_SLOT_COUNT);
			struct hash slot = model_slot(i % MODEL_SLOT_COUNT), key, root;
			struct u256 expected = p.model.slots[i / MODEL_SLOT_COUNT][i % MODEL_SLOT_COUNT];
			struct tree_proof proof;
			struct bytes value;

			root = model_storage_root(&p.model, i / MODEL_SLOT_COUNT);
			cr_assert_eq(state_tree_prove_slot(p.tree, &proof, &address, &slot, NULL), OK);
			keccak256(&key, hash_bytes(&slot));
			cr_assert_eq(tree_proof_check(&root, &key, proof.nodes, proof.count, &value, NULL), OK);
			cr_assert_eq(value.size == 0, u256_is_zero(&expected));
			if (proof.count)
				check_tampering(&root, &key, &proof);
			proof.count ? value.size ? present++ : absent++ : without++;
			tree_proof_clear(&proof);
		}
		prove_teardown(&p);
	}
	cr_assert_gt(present, 20);
	cr_assert_gt(absent, 20);
	cr_assert_gt(without, 20);
}

Test(tree, refuses_empty_proof_of_another_root)
{
	struct hash root = { { 1 } }, key = { 0 };
	struct bytes value = { 0 };
	struct err err = { 0 };

	cr_assert_eq(tree_proof_check(&root, &key, NULL, 0, &value, &err), STATE_E_PROOF);
	cr_assert_eq(err.code, STATE_E_PROOF);
	cr_assert_eq(tree_proof_check(&account_empty.storage_root, &key, NULL, 0, &value, &err), OK);
	cr_assert_eq(value.size, 0);
}

/* --- roots from scratch --- */

Test(tree, roots_of_lists)
{
	struct trie_pair dogs[] = {
		{ bytes_of_str("doe"), bytes_of_str("x") },
		{ bytes_of_str("dog"), bytes_of_str("puppy") },
		{ bytes_of_str("dogglesworth"), bytes_of_str("cat") },
		{ bytes_of_str("doe"), bytes_of_str("reindeer") },
		{ bytes_of_str("gone"), bytes_of_str("here") },
		{ bytes_of_str("gone"), bytes_of_str("") },
	};
	/* ethereum/tests, TrieTests/trieanyorder.json, "dogs" */
	static const struct hash expected = { {
		0x8a, 0xad, 0x78, 0x9d, 0xff, 0x2f, 0x53, 0x8b, 0xca, 0x5d, 0x8e, 0xa5, 0x6e, 0x8a, 0xbe, 0x10,
		0xf4, 0xc7, 0xba, 0x3a, 0x5d, 0xea, 0x95, 0xfe, 0xa4, 0xcd, 0x6e, 0x7c, 0x3a, 0x11, 0x68, 0xd3 } };
	struct hash root;

	trie_root(&root, NULL, 0);
	cr_assert(hash_equal(&root, &account_empty.storage_root));
	trie_root(&root, dogs, ARRAY_COUNT(dogs));
	cr_assert(hash_equal(&root, &expected));
}
