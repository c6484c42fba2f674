/*
 * model - what the tests of state measure it by: a store of nodes in memory that
 * watches what a flush does, a trie that is a sorted list, a state that is one.
 * Everything here is plain and slow, and shares with src/state only trie_root().
 */
#ifndef WEFT_TEST_STATE_MODEL_H
#define WEFT_TEST_STATE_MODEL_H

#include "base/map.h"
#include "base/rand.h"
#include "state/tree.h"

/* --- nodes by place --- */

struct node_store {
	struct map records; /* keccak256(owner, path) -> struct buf */
	struct tree_location last; /* of the flush under way */
	bool is_flushing;
	size_t write_count, delete_count, read_count;
};

void node_store_init(struct node_store *s);
void node_store_clear(struct node_store *s);
struct tree_source node_store_source(struct node_store *s);

/* Starts a flush. CHECKed: places rise, and only what is there is deleted. */
struct tree_sink node_store_sink(struct node_store *s);

/* One hash over all records, whatever their order. */
struct hash node_store_digest(const struct node_store *s);

/* Flips a bit of the `index`th record (in the map's order). */
void node_store_damage(struct node_store *s, size_t index, unsigned bit);

/* --- a trie as a list --- */

struct list_entry {
	struct hash key;
	uint8_t size; /* 0: absent */
	uint8_t value[120];
};

struct list_trie {
	struct list_entry *entries;
	size_t count, capacity;
};

void list_trie_clear(struct list_trie *l);
void list_trie_set(struct list_trie *l, const struct hash *key, struct bytes value);
struct bytes list_trie_get(const struct list_trie *l, const struct hash *key);
struct hash list_trie_root(const struct list_trie *l);

/* --- a state as arrays --- */

#define MODEL_ACCOUNT_COUNT 12
#define MODEL_SLOT_COUNT 10

struct model_state {
	struct account accounts[MODEL_ACCOUNT_COUNT]; /* storage roots are not kept */
	struct u256 slots[MODEL_ACCOUNT_COUNT][MODEL_SLOT_COUNT];
};

void model_state_init(struct model_state *m);
struct addr model_address(unsigned index);
struct hash model_slot(unsigned index);

/* Hashed from scratch. */
struct hash model_storage_root(const struct model_state *m, unsigned account);
struct hash model_state_root(const struct model_state *m);

/* The model as a view; its storage roots are true. */
struct state_view model_state_view(struct model_state *m);

/* Makes the model what the difference says; CHECKs that it was what `before` says. */
void model_state_apply(struct model_state *m, const struct state_diff *d);

/* The difference between two models. */
void model_state_diff(struct state_diff *out, const struct model_state *before,
		      const struct model_state *after);

/* Changes some accounts and slots, now and then takes one away with its storage. */
void model_state_mutate(struct model_state *m, struct rng *r);

#endif
