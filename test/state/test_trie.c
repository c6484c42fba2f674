#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"
#include "model.h"
#include "state/trie.h"

/* One trie beside its model and its store. */
struct rig {
	struct trie_store store;
	struct trie trie;
	struct list_trie list;
	struct node_store nodes;
	struct rng rng;
};

static const struct hash no_owner;

static void rig_init(struct rig *g, uint64_t seed)
{
	*g = (struct rig){ 0 };
	node_store_init(&g->nodes);
	g->store.source = node_store_source(&g->nodes);
	g->store.pool.generation = 1;
	trie_init(&g->trie, &no_owner, &account_empty.storage_root);
	rng_init(&g->rng, seed);
}

static void rig_clear(struct rig *g)
{
	trie_clear(&g->store, &g->trie);
	cr_assert_eq(g->store.pool.memory, 0);
	cr_assert_eq(g->store.pool.dirty_count, 0);
	trie_store_clear(&g->store);
	list_trie_clear(&g->list);
	node_store_clear(&g->nodes);
}

static int compare_changes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash));
}

static void rig_update(struct rig *g, struct trie_change *changes, size_t count)
{
	struct hash expected, found;
	struct err err = { 0 };

	qsort(changes, count, sizeof(*changes), compare_changes);
	cr_assert_eq(trie_update(&g->store, &g->trie, changes, count, &err), OK, "%s", err.message);
	trie_gather(&g->store, &g->trie);
	trie_hash(&g->store);
	for (size_t i = 0; i < count; i++)
		list_trie_set(&g->list, &changes[i].key, changes[i].value);
	expected = list_trie_root(&g->list);
	found = trie_root_hash(&g->trie);
	cr_assert(hash_equal(&expected, &found));
	trie_check(&g->trie);
}

/* A key that shares long prefixes with others: few values a nibble, and most of
 * the key the same. */
static struct hash close_key(struct rng *r, unsigned spread)
{
	struct hash key;

	memset(&key, 0x77, sizeof(key));
	for (unsigned i = 0; i < spread; i++) {
		unsigned byte = (unsigned)rng_below(r, 32);

		if (rng_below(r, 2))
			byte = 31 - byte % 4;
		key.bytes[byte] = (uint8_t)(rng_below(r, 3) << 4 | rng_below(r, 3));
	}
	return key;
}

/* What a flush must have left: what a trie made from scratch would store. */
static struct hash digest_from_scratch(const struct rig *g)
{
	struct trie_change *changes = xcalloc(g->list.count + 1, sizeof(*changes));
	struct hash digest;
	struct rig fresh;

	rig_init(&fresh, 1);
	for (size_t i = 0; i < g->list.count; i++)
		changes[i] = (struct trie_change){ g->list.entries[i].key,
			bytes_of(g->list.entries[i].value, g->list.entries[i].size) };
	rig_update(&fresh, changes, g->list.count);
	trie_flush(&fresh.store, &fresh.trie, node_store_sink(&fresh.nodes));
	digest = node_store_digest(&fresh.nodes);
	rig_clear(&fresh);
	free(changes);
	return digest;
}

static void rig_flush(struct rig *g)
{
	struct hash expected, found;

	trie_flush(&g->store, &g->trie, node_store_sink(&g->nodes));
	g->store.pool.generation++;
	cr_assert_eq(g->store.pool.dirty_count, 0);
	expected = digest_from_scratch(g);
	found = node_store_digest(&g->nodes);
	cr_assert(hash_equal(&expected, &found), "the stored nodes are not those of the content");
}

static void rig_reopen(struct rig *g)
{
	struct hash root = trie_root_hash(&g->trie);

	trie_clear(&g->store, &g->trie);
	cr_assert_eq(g->store.pool.memory, 0);
	trie_init(&g->trie, &no_owner, &root);
}

static size_t random_batch(struct rig *g, struct trie_change *changes, uint8_t (*values)[120],
			   size_t max, unsigned spread, unsigned value_max)
{
	size_t count = 0, wanted = 1 + rng_below(&g->rng, max);

	while (count < wanted) {
		struct hash key = close_key(&g->rng, spread);
		size_t size = rng_below(&g->rng, 3) ? 1 + rng_below(&g->rng, value_max) : 0;
		bool twice = false;

		if (g->list.count && rng_below(&g->rng, 2))
			key = g->list.entries[rng_below(&g->rng, g->list.count)].key;
		for (size_t i = 0; i < count; i++)
			twice |= hash_equal(&changes[i].key, &key);
		if (twice && wanted--)
			continue;
		memset(values[count], 0, sizeof(values[count]));
		for (size_t i = 0; i < size; i++)
			values[count][i] = (uint8_t)rng_next(&g->rng);
		changes[count] = (struct trie_change){ key, bytes_of(values[count], size) };
		count++;
	}
	return count;
}

static void run_random(uint64_t seed, size_t rounds, size_t batch, unsigned spread, unsigned value_max)
{
	struct trie_change changes[64];
	uint8_t values[64][120];
	struct rig g;

	cr_assert_leq(batch, ARRAY_COUNT(changes));
	rig_init(&g, seed);
	for (size_t i = 0; i < rounds; i++) {
		rig_update(&g, changes, random_batch(&g, changes, values, batch, spread, value_max));
		switch (rng_below(&g.rng, 6)) {
		case 0:
			rig_flush(&g);
			break;
		case 1:
			rig_flush(&g);
			rig_reopen(&g);
			break;
		case 2:
			rig_flush(&g);
			trie_evict(&g.store, &g.trie, g.store.pool.generation - (uint32_t)rng_below(&g.rng, 3));
			break;
		}
	}
	rig_clear(&g);
}

Test(trie, agrees_with_model_on_close_keys_and_embedded_nodes)
{
	for (uint64_t seed = 0; seed < 60; seed++)
		run_random(seed, 60, 1 + seed % 20, 1 + seed % 5, 1 + seed % 4);
}

Test(trie, agrees_with_model_on_long_values)
{
	for (uint64_t seed = 100; seed < 130; seed++)
		run_random(seed, 40, 1 + seed % 60, 2 + seed % 30, 110);
}

Test(trie, leaves_nothing_when_all_is_deleted)
{
	struct trie_change changes[64];
	uint8_t values[64][120];
	struct rig g;
	size_t count;

	rig_init(&g, 5);
	rig_update(&g, changes, random_batch(&g, changes, values, 64, 4, 40));
	rig_flush(&g);
	rig_reopen(&g);
	count = g.list.count;
	cr_assert_gt(count, 5);
	for (size_t i = 0; i < count; i++)
		changes[i] = (struct trie_change){ .key = g.list.entries[i].key };
	rig_update(&g, changes, count);
	rig_flush(&g);
	cr_assert_eq(g.nodes.records.count, 0);
	cr_assert_eq(g.store.pool.memory, 0);
	rig_clear(&g);
}

Test(trie, marks_nothing_when_nothing_changes)
{
	struct trie_change changes[64];
	uint8_t values[64][120];
	struct rig g;
	size_t count, writes;

	rig_init(&g, 6);
	rig_update(&g, changes, random_batch(&g, changes, values, 64, 4, 40));
	rig_flush(&g);
	writes = g.nodes.write_count;
	count = g.list.count;
	for (size_t i = 0; i < count; i++)
		changes[i] = (struct trie_change){
			g.list.entries[i].key, bytes_of(g.list.entries[i].value, g.list.entries[i].size) };
	changes[count++] = (struct trie_change){ .key = { { 0xff } } }; /* deletes what is not there */
	rig_update(&g, changes, count);
	cr_assert_eq(g.store.pool.dirty_count, 0);
	rig_flush(&g);
	cr_assert_eq(g.nodes.write_count, writes);
	rig_clear(&g);
}

Test(trie, loads_sibling_when_branch_collapses)
{
	struct trie_change changes[2] = { 0 };
	uint8_t value[40] = { 1 };
	struct rig g;

	rig_init(&g, 7);
	changes[0] = (struct trie_change){ { { 0x11 } }, bytes_of(value, 40) };
	changes[1] = (struct trie_change){ { { 0x12 } }, bytes_of(value, 40) };
	rig_update(&g, changes, 2);
	rig_flush(&g);
	cr_assert_eq(g.nodes.records.count, 4); /* extension, branch, two leaves */
	rig_reopen(&g);
	changes[0] = (struct trie_change){ .key = { { 0x11 } } };
	rig_update(&g, changes, 1);
	rig_flush(&g);
	cr_assert_eq(g.nodes.records.count, 1);
	rig_clear(&g);
}

/* Every stored record, damaged in turn: whoever comes by it gets an error. */
Test(trie, finds_damaged_records)
{
	struct trie_change changes[64];
	uint8_t values[64][120];
	size_t records, found = 0;
	struct hash root;
	struct rig g;

	rig_init(&g, 8);
	rig_update(&g, changes, random_batch(&g, changes, values, 64, 4, 60));
	rig_flush(&g);
	root = trie_root_hash(&g.trie);
	records = g.nodes.records.count;
	for (size_t i = 0; i < records; i++) {
		bool refused = false;

		node_store_damage(&g.nodes, i, (unsigned)i * 13);
		rig_reopen(&g);
		for (size_t k = 0; k < g.list.count; k++) {
			struct err err = { 0 };
			struct bytes value;
			int rc = trie_find(&g.store, &g.trie, &g.list.entries[k].key, &value, NULL, &err);

			cr_assert(rc == OK || rc == STATE_E_ROOT);
			if (rc == OK) {
				cr_assert(bytes_equal(value, list_trie_get(&g.list, &g.list.entries[k].key)));
			} else {
				cr_assert_eq(err.code, STATE_E_ROOT);
				cr_assert(strstr(err.message, "state trie node at path"));
			}
			refused |= rc != OK;
		}
		node_store_damage(&g.nodes, i, (unsigned)i * 13);
		found += refused;
		trie_clear(&g.store, &g.trie);
		trie_init(&g.trie, &no_owner, &root);
	}
	cr_assert_eq(found, records);
	rig_clear(&g);
}

Test(trie, reports_missing_record)
{
	struct trie_change change = { { { 0x11 } }, { 0 } };
	struct hash root = { { 1 } };
	struct err err = { 0 };
	struct rig g;

	rig_init(&g, 9);
	trie_init(&g.trie, &no_owner, &root);
	cr_assert_eq(trie_update(&g.store, &g.trie, &change, 1, &err), STATE_E_READ);
	cr_assert(strstr(err.message, "state trie node at path ''"), "%s", err.message);
	trie_init(&g.trie, &no_owner, &account_empty.storage_root);
	rig_clear(&g);
}

/* Records that have the right hash and are no nodes of ours. */
Test(trie, refuses_well_hashed_nonsense)
{
	static const char *const nonsense[] = {
		"\x05", "\xc0", "\xc1\x80", "\xc2\x20\x01", "\xc3\x80\x01\x02", "\xc2\x40\x01", "\xc2\x00\x80",
		"\xd1\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
		"\xd2\xc1\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
		"\xd1\x05\x05\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
	};

	for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++) {
		struct tree_location top = { 0 };
		struct hash root, key = { 0 };
		struct err err = { 0 };
		struct bytes value;
		struct rig g;
		struct tree_sink sink;

		rig_init(&g, 10);
		g.nodes.is_flushing = false;
		sink = node_store_sink(&g.nodes);
		sink.write(sink.ctx, &top, bytes_of_str(nonsense[i]));
		keccak256(&root, bytes_of_str(nonsense[i]));
		trie_init(&g.trie, &no_owner, &root);
		cr_assert_eq(trie_find(&g.store, &g.trie, &key, &value, NULL, &err), STATE_E_FORMAT, "%zu", i);
		cr_assert_eq(g.store.pool.memory, 0, "%zu leaks", i);
		rig_clear(&g);
	}
}
