/*
 * Operations on a trie, and on a list: after every batch the root is that of the
 * list, hashed from scratch; a key reads as the list has it, and its proof shows
 * it; a proof with a bit changed is refused. Flushed, let go of, opened again in
 * between. A stored record that is damaged is never believed.
 *
 * The input: operations of a kind byte and its arguments.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "base/check.h"
#include "state/model.h"
#include "state/trie.h"

#define BATCH_MAX 16
#define STEP_MAX 200

/* Kind 0-3: a batch of changes (how many, then key nibbles and value); 4 flush;
 * 5 reopen; 6 evict; 7 proof; 8 damage. */
const char *const fuzz_seeds[] = {
	"00 03 010203 12 020304 34 030405 56 07 0102 04 05 07 0303",
	"01 04 0001 05 0002 05 0003 05 0004 05 04 05 01 02 0001 00 0002 00 07 0003 04 06 07 0004 08 0101",
	"02 08 1122 10 1123 20 1132 30 1133 01 2211 02 2212 03 2221 04 2222 05 04 06 02 04 1122 00 1123 00 1132 00",
	"03 01 ff 01 04 03 01 ff 00 04", "", NULL,
};

struct input {
	const uint8_t *at, *end;
};

static unsigned next(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

struct rig {
	struct trie_store store;
	struct trie trie;
	struct list_trie list;
	struct node_store nodes;
};

static const struct hash no_owner;

/* A key of two bytes at four places: near the top, or at the very end, so that
 * leaves are short and embedded. */
static struct hash read_key(struct input *in, unsigned kind)
{
	static const uint8_t places[4][2] = { { 0, 31 }, { 30, 31 }, { 0, 1 }, { 15, 16 } };
	struct hash key = { 0 };

	key.bytes[places[kind & 3][0]] = (uint8_t)(next(in) & 0x33);
	key.bytes[places[kind & 3][1]] |= (uint8_t)(next(in) & 0x77);
	return key;
}

static void check_root(const struct rig *g)
{
	struct hash expected = list_trie_root(&g->list), found = trie_root_hash(&g->trie);

	CHECK(hash_equal(&expected, &found));
	trie_check(&g->trie);
}

static int compare_changes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash));
}

static void change(struct rig *g, struct input *in, unsigned kind)
{
	struct trie_change changes[BATCH_MAX];
	uint8_t values[BATCH_MAX][64];
	size_t count = 0;

	for (unsigned wanted = next(in) % BATCH_MAX; wanted > 0; wanted--) {
		struct hash key = read_key(in, kind);
		unsigned value = next(in);
		bool twice = false;

		for (size_t i = 0; i < count; i++)
			twice |= hash_equal(&changes[i].key, &key);
		if (twice)
			continue;
		memset(values[count], (int)value, sizeof(values[count]));
		changes[count] = (struct trie_change){ key, bytes_of(values[count], value % 5 ? value % 5 : value % 40) };
		count++;
	}
	if (count)
		qsort(changes, count, sizeof(changes[0]), compare_changes);
	CHECK(trie_update(&g->store, &g->trie, changes, count, NULL) == OK);
	trie_gather(&g->store, &g->trie);
	trie_hash(&g->store);
	for (size_t i = 0; i < count; i++)
		list_trie_set(&g->list, &changes[i].key, changes[i].value);
	check_root(g);
}

static void prove(struct rig *g, struct input *in)
{
	struct hash key = read_key(in, next(in)), root = trie_root_hash(&g->trie);
	struct bytes value, shown, expected = list_trie_get(&g->list, &key);
	struct tree_proof proof = { 0 };

	CHECK(trie_find(&g->store, &g->trie, &key, &value, &proof, NULL) == OK);
	CHECK(bytes_equal(value, expected));
	CHECK(tree_proof_check(&root, &key, proof.nodes, proof.count, &shown, NULL) == OK);
	/* A leaf's value is a string of its node: here, whatever bytes it is. */
	CHECK(bytes_equal(shown, expected));
	if (proof.count) {
		struct bytes *node = &proof.nodes[next(in) % proof.count];
		unsigned bit = next(in) << 8 | next(in);

		((uint8_t *)(uintptr_t)node->data)[bit / 8 % node->size] ^= (uint8_t)(1u << bit % 8);
		CHECK(tree_proof_check(&root, &key, proof.nodes, proof.count, &shown, NULL) == STATE_E_PROOF);
	}
	tree_proof_clear(&proof);
}

static void reopen(struct rig *g)
{
	struct hash root = trie_root_hash(&g->trie);

	trie_clear(&g->store, &g->trie);
	CHECK(g->store.pool.memory == 0);
	trie_init(&g->trie, &no_owner, &root);
}

/* Whoever reads a damaged record is told; who doesn't, reads what is true. */
static void damage(struct rig *g, struct input *in)
{
	size_t index;
	unsigned bit;

	if (g->nodes.records.count == 0)
		return;
	index = next(in) % g->nodes.records.count;
	bit = next(in) << 8 | next(in);
	node_store_damage(&g->nodes, index, bit);
	reopen(g);
	for (size_t i = 0; i < g->list.count; i++) {
		struct bytes value;
		int rc = trie_find(&g->store, &g->trie, &g->list.entries[i].key, &value, NULL, NULL);

		CHECK(rc == STATE_E_ROOT || rc == OK);
		if (rc == OK)
			CHECK(bytes_equal(value, list_trie_get(&g->list, &g->list.entries[i].key)));
	}
	node_store_damage(&g->nodes, index, bit);
	reopen(g);
}

static void flush(struct rig *g)
{
	trie_flush(&g->store, &g->trie, node_store_sink(&g->nodes));
	g->store.pool.generation++;
	CHECK(g->store.pool.dirty_count == 0);
}

static void step(struct rig *g, struct input *in)
{
	unsigned kind = next(in) % 9;

	if (kind < 4) {
		change(g, in, kind);
	} else if (kind == 7) {
		prove(g, in);
	} else {
		flush(g); /* what follows reads from the store */
		if (kind == 5)
			reopen(g);
		else if (kind == 6)
			trie_evict(&g->store, &g->trie, g->store.pool.generation - next(in) % 3);
		else if (kind == 8)
			damage(g, in);
		check_root(g);
	}
}

/* What is stored at the end is what a new trie of the same content would store. */
static void check_stored(struct rig *g)
{
	struct hash expected, found;
	struct rig fresh = { 0 };

	flush(g);
	node_store_init(&fresh.nodes);
	trie_init(&fresh.trie, &no_owner, &account_empty.storage_root);
	for (size_t i = 0; i < g->list.count; i++) {
		struct trie_change c = { g->list.entries[i].key,
					 bytes_of(g->list.entries[i].value, g->list.entries[i].size) };

		CHECK(trie_update(&fresh.store, &fresh.trie, &c, 1, NULL) == OK);
		trie_gather(&fresh.store, &fresh.trie);
		trie_hash(&fresh.store);
	}
	flush(&fresh);
	expected = node_store_digest(&fresh.nodes);
	found = node_store_digest(&g->nodes);
	CHECK(hash_equal(&expected, &found));
	trie_clear(&fresh.store, &fresh.trie);
	trie_store_clear(&fresh.store);
	node_store_clear(&fresh.nodes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	struct rig g = { 0 };

	node_store_init(&g.nodes);
	g.store.source = node_store_source(&g.nodes);
	g.store.pool.generation = 3;
	trie_init(&g.trie, &no_owner, &account_empty.storage_root);
	for (unsigned i = 0; i < STEP_MAX && in.at < in.end; i++)
		step(&g, &in);
	check_stored(&g);
	trie_clear(&g.store, &g.trie);
	CHECK(g.store.pool.memory == 0 && g.store.pool.dirty_count == 0);
	trie_store_clear(&g.store);
	list_trie_clear(&g.list);
	node_store_clear(&g.nodes);
	return 0;
}
