#include "state/tree.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "state/trie.h"

#define SLOT_VALUE_MAX 33 /* bytes: the RLP of a number */

struct storage_trie {
	struct trie trie;
	uint32_t generation; /* when it was last used */
	bool is_listed;      /* in state_tree.touched */
};

struct state_tree {
	struct trie_store store;
	struct trie state;
	struct map storage;            /* keccak256(address) -> struct storage_trie * */
	struct storage_trie **touched; /* since the last flush */
	size_t touched_count, touched_capacity;
	size_t memory_max;
	struct tree_trace trace;
	/* One apply's room, kept for the next. */
	struct buf keys, changes, values;
};

struct state_tree *state_tree_new(const struct hash *root, struct tree_source source,
				  size_t memory_max, uint64_t seed)
{
	static const struct hash no_owner;
	struct state_tree *t = xcalloc(1, sizeof(*t));

	t->store.source = source;
	t->store.pool.generation = 1;
	t->memory_max = memory_max;
	trie_init(&t->state, &no_owner, root);
	map_init(&t->storage, sizeof(struct hash), sizeof(struct storage_trie *), seed);
	return t;
}

void state_tree_free(struct state_tree *t)
{
	const void *key;
	void *value;
	size_t cursor = 0;

	if (!t)
		return;
	while (map_next(&t->storage, &cursor, &key, &value)) {
		struct storage_trie *s = *(struct storage_trie **)value;

		free(s->trie.stale);
		free(s);
	}
	free(t->state.stale);
	trie_store_clear(&t->store); /* with all nodes */
	map_clear(&t->storage);
	free(t->touched);
	buf_clear(&t->keys);
	buf_clear(&t->changes);
	buf_clear(&t->values);
	free(t);
}

void state_tree_set_trace(struct state_tree *t, struct tree_trace trace)
{
	t->trace = trace;
}

static void trace(const struct state_tree *t, enum tree_stage stage)
{
	if (t->trace.ended)
		t->trace.ended(t->trace.ctx, stage);
}

void state_tree_root(const struct state_tree *t, struct hash *out)
{
	*out = trie_root_hash(&t->state);
}

size_t state_tree_memory(const struct state_tree *t)
{
	return t->store.pool.memory + t->storage.count * sizeof(struct storage_trie);
}

size_t state_tree_dirty_count(const struct state_tree *t)
{
	return t->store.pool.dirty_count;
}

/* --- storage tries --- */

static void touch(struct state_tree *t, struct storage_trie *s)
{
	if (s->is_listed)
		return;
	if (t->touched_count == t->touched_capacity) {
		t->touched_capacity = MAX(t->touched_capacity * 2, (size_t)64);
		t->touched = xrealloc(t->touched, t->touched_capacity * sizeof(struct storage_trie *));
	}
	t->touched[t->touched_count++] = s;
	s->is_listed = true;
}

/* The storage trie of `owner`, opened at `root` if it wasn't. STATE_E_ROOT if it
 * stands at another root. */
static int open_storage(struct state_tree *t, struct storage_trie **out, const struct hash *owner,
			const struct hash *root, struct err *err)
{
	struct storage_trie **place, *s;
	struct hash found;
	bool added;

	place = map_put(&t->storage, owner, &added);
	if (added) {
		*place = xcalloc(1, sizeof(**place));
		trie_init(&(*place)->trie, owner, root);
	}
	s = *place;
	s->generation = t->store.pool.generation;
	found = trie_root_hash(&s->trie);
	if (!hash_equal(&found, root))
		return ERR_SET(err, STATE_E_ROOT, "an account's storage root is not that of its storage trie");
	*out = s;
	return OK;
}

/* --- applying --- */

/* The keccak256 of `count` keys, `stride` bytes apart. */
static void hash_keys(struct hash *out, const void *first, size_t key_size, size_t stride, size_t count)
{
	struct bytes messages[64];
	const uint8_t *at = first;

	for (size_t i = 0; i < count; i += ARRAY_COUNT(messages)) {
		size_t n = MIN(count - i, ARRAY_COUNT(messages));

		for (size_t k = 0; k < n; k++, at += stride)
			messages[k] = bytes_of(at, key_size);
		keccak256_batch(out + i, messages, n);
	}
}

/* The room of a buf as `count` entries. */
static void *room_for(struct buf *b, size_t count, size_t entry_size)
{
	buf_reset(b);
	return buf_extend(b, MAX(count, (size_t)1) * entry_size);
}

static int compare_changes(const void *a, const void *b)
{
	const struct trie_change *x = a, *y = b;
	uint64_t p = load_be64(x->key.bytes), q = load_be64(y->key.bytes);

	if (p != q)
		return p < q ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* The RLP of a slot's value, the empty string for 0; returns its size. */
static size_t encode_slot(uint8_t out[SLOT_VALUE_MAX], const struct u256 *v)
{
	size_t size = u256_byte_length(v);
	uint8_t be[32];

	if (size == 0)
		return 0;
	u256_to_be32(be, v);
	if (size == 1 && be[31] < 0x80) {
		out[0] = be[31];
		return 1;
	}
	out[0] = (uint8_t)(0x80 + size);
	memcpy(out + 1, be + 32 - size, size);
	return 1 + size;
}

/* How many slots from `first` on belong to this account. */
static size_t slots_of(const struct state_diff *d, size_t first, const struct addr *address)
{
	size_t count = 0;

	while (first + count < d->slot_count && addr_equal(&d->slots[first + count].address, address))
		count++;
	return count;
}

static int check_diff(const struct state_diff *d, struct err *err)
{
	size_t slot = 0;

	for (size_t i = 0; i < d->account_count; i++) {
		if (i && memcmp(&d->accounts[i - 1].address, &d->accounts[i].address, sizeof(struct addr)) >= 0)
			return ERR_SET(err, STATE_E_FORMAT, "account %zu of the difference is out of order", i);
		slot += slots_of(d, slot, &d->accounts[i].address);
	}
	if (slot != d->slot_count)
		return ERR_SET(err, STATE_E_FORMAT, "slot %zu of the difference belongs to no account", slot);
	return OK;
}

/* Changes one account's storage trie by `slots`, and marks it for hashing. */
static int apply_slots(struct state_tree *t, struct storage_trie *s, const struct slot_change *slots,
		       size_t count, struct err *err)
{
	struct hash *keys = room_for(&t->keys, count, sizeof(*keys));
	struct trie_change *changes = room_for(&t->changes, count, sizeof(*changes));
	uint8_t *values = room_for(&t->values, count, SLOT_VALUE_MAX);
	int rc;

	hash_keys(keys, &slots[0].slot, sizeof(struct hash), sizeof(*slots), count);
	for (size_t i = 0; i < count; i++, values += SLOT_VALUE_MAX)
		changes[i] = (struct trie_change){
			keys[i], bytes_of(values, encode_slot(values, &slots[i].after)) };
	qsort(changes, count, sizeof(*changes), compare_changes);
	touch(t, s);
	rc = trie_update(&t->store, &s->trie, changes, count, err);
	if (rc == OK)
		trie_gather(&t->store, &s->trie);
	return rc;
}

/* All storage tries, hashed together; tries[i] is account i's, NULL if no slot of
 * it changed. */
static int apply_storage(struct state_tree *t, const struct state_diff *d, const struct hash owners[],
			 struct storage_trie *tries[], struct err *err)
{
	size_t slot = 0;

	for (size_t i = 0; i < d->account_count; i++) {
		const struct account_change *c = &d->accounts[i];
		size_t count = slots_of(d, slot, &c->address);
		int rc;

		tries[i] = NULL;
		if (count == 0)
			continue;
		rc = open_storage(t, &tries[i], &owners[i], &c->before.storage_root, err);
		if (rc == OK)
			rc = apply_slots(t, tries[i], d->slots + slot, count, err);
		if (rc != OK)
			return rc;
		slot += count;
	}
	trace(t, TREE_STAGE_UPDATE);
	trie_hash(&t->store);
	trace(t, TREE_STAGE_HASH);
	return OK;
}

/* Fills in the storage roots. An account that is gone must have no storage left. */
static int settle_storage_roots(struct state_diff *d, struct storage_trie *tries[], struct err *err)
{
	for (size_t i = 0; i < d->account_count; i++) {
		struct account_change *c = &d->accounts[i];
		bool is_gone = account_equal(&c->after, &account_empty);
		struct hash root = tries[i] ? trie_root_hash(&tries[i]->trie) : c->before.storage_root;

		if (is_gone && !hash_equal(&root, &account_empty.storage_root))
			return ERR_SET(err, STATE_E_ROOT, "an account is taken away and its storage is not");
		c->after.storage_root = root;
	}
	return OK;
}

static int apply_accounts(struct state_tree *t, const struct state_diff *d, const struct hash owners[],
			  struct err *err)
{
	struct trie_change *changes = room_for(&t->changes, d->account_count, sizeof(*changes));
	uint8_t *values = room_for(&t->values, d->account_count, ACCOUNT_RLP_MAX);
	int rc;

	for (size_t i = 0; i < d->account_count; i++, values += ACCOUNT_RLP_MAX) {
		const struct account *a = &d->accounts[i].after;
		size_t size = account_equal(a, &account_empty) ? 0 : account_encode(values, a);

		changes[i] = (struct trie_change){ owners[i], bytes_of(values, size) };
	}
	qsort(changes, d->account_count, sizeof(*changes), compare_changes);
	rc = trie_update(&t->store, &t->state, changes, d->account_count, err);
	if (rc != OK)
		return rc;
	trie_gather(&t->store, &t->state);
	trace(t, TREE_STAGE_UPDATE);
	trie_hash(&t->store);
	trace(t, TREE_STAGE_HASH);
	return OK;
}

static int apply(struct state_tree *t, struct state_diff *d, const struct hash owners[],
		 struct storage_trie *tries[], struct err *err)
{
	int rc = apply_storage(t, d, owners, tries, err);

	if (rc == OK)
		rc = settle_storage_roots(d, tries, err);
	if (rc == OK)
		rc = apply_accounts(t, d, owners, err);
	return rc;
}

int state_tree_apply(struct state_tree *t, struct state_diff *d, struct hash *root, struct err *err)
{
	struct storage_trie **tries;
	struct hash *owners;
	int rc = check_diff(d, err);

	if (rc != OK)
		return rc;
	tries = xmalloc(MAX(d->account_count, (size_t)1) * sizeof(struct storage_trie *));
	owners = xmalloc(MAX(d->account_count, (size_t)1) * sizeof(*owners));
	if (d->account_count)
		hash_keys(owners, &d->accounts[0].address, sizeof(struct addr), sizeof(*d->accounts),
			  d->account_count);
	trace(t, TREE_STAGE_KEYS);
	rc = apply(t, d, owners, tries, err);
	free(tries);
	free(owners);
	if (rc != OK)
		return rc;
	state_tree_root(t, root);
#ifdef WEFT_VERIFY
	if (state_tree_memory(t) < 65536)
		state_tree_check(t);
#endif
	return OK;
}

int state_tree_revert(struct state_tree *t, const struct state_diff *d, struct err *err)
{
	struct state_diff back = *d;
	struct hash root;
	int rc;

	back.accounts = xmalloc(MAX(d->account_count, (size_t)1) * sizeof(*back.accounts));
	back.slots = xmalloc(MAX(d->slot_count, (size_t)1) * sizeof(*back.slots));
	if (d->account_count)
		memcpy(back.accounts, d->accounts, d->account_count * sizeof(*back.accounts));
	if (d->slot_count)
		memcpy(back.slots, d->slots, d->slot_count * sizeof(*back.slots));
	state_diff_reverse(&back);
	rc = state_tree_apply(t, &back, &root, err);
	for (size_t i = 0; rc == OK && i < d->account_count; i++)
		if (!hash_equal(&back.accounts[i].after.storage_root, &d->accounts[i].before.storage_root))
			rc = ERR_SET(err, STATE_E_ROOT, "the difference is not the last that was applied");
	free(back.accounts);
	free(back.slots);
	return rc;
}

/* --- storing, and letting go --- */

static int compare_owners(const void *a, const void *b)
{
	const struct storage_trie *const *x = a, *const *y = b;

	return memcmp(&(*x)->trie.owner, &(*y)->trie.owner, sizeof(struct hash));
}

/* Lets go of what was last used before `generation`; storage tries whole. */
static void evict_before(struct state_tree *t, uint32_t generation)
{
	struct hash *gone = xmalloc(MAX(t->storage.count, (size_t)1) * sizeof(*gone));
	size_t cursor = 0, count = 0;
	const void *owner;
	void *value;

	trie_evict(&t->store, &t->state, generation);
	while (map_next(&t->storage, &cursor, &owner, &value)) {
		struct storage_trie *s = *(struct storage_trie **)value;

		if (s->generation >= generation) {
			trie_evict(&t->store, &s->trie, generation);
			continue;
		}
		gone[count++] = s->trie.owner;
		trie_clear(&t->store, &s->trie);
		free(s);
	}
	for (size_t i = 0; i < count; i++)
		map_delete(&t->storage, &gone[i]);
	free(gone);
}

/* Down to three quarters of what is allowed, so that the walk over all that is
 * loaded is rare; the oldest first, and at last everything. */
static void evict(struct state_tree *t)
{
	static const uint32_t ages[] = { 64, 16, 4, 1, 0 };
	uint32_t now = t->store.pool.generation;

	if (state_tree_memory(t) <= t->memory_max)
		return;
	for (size_t i = 0; i < ARRAY_COUNT(ages); i++) {
		if (now >= ages[i])
			evict_before(t, now - ages[i]);
		if (state_tree_memory(t) <= t->memory_max / 4 * 3)
			return;
	}
}

void state_tree_flush(struct state_tree *t, struct tree_sink sink)
{
	trie_flush(&t->store, &t->state, sink);
	if (t->touched_count)
		qsort(t->touched, t->touched_count, sizeof(struct storage_trie *), compare_owners);
	for (size_t i = 0; i < t->touched_count; i++) {
		trie_flush(&t->store, &t->touched[i]->trie, sink);
		t->touched[i]->is_listed = false;
	}
	t->touched_count = 0;
	CHECK(t->store.pool.dirty_count == 0);
	t->store.pool.generation++;
	evict(t);
}

/* --- proofs --- */

int state_tree_prove_account(struct state_tree *t, struct tree_proof *out,
			     const struct addr *address, struct err *err)
{
	struct tree_proof proof = { 0 };
	struct bytes value;
	struct hash key;
	int rc;

	keccak256(&key, addr_bytes(address));
	rc = trie_find(&t->store, &t->state, &key, &value, &proof, err);
	if (rc != OK) {
		tree_proof_clear(&proof);
		return rc;
	}
	*out = proof;
	return OK;
}

int state_tree_prove_slot(struct state_tree *t, struct tree_proof *out, const struct addr *address,
			  const struct hash *slot, struct err *err)
{
	struct account account = account_empty;
	struct tree_proof proof = { 0 };
	struct storage_trie *s;
	struct hash owner, key;
	struct bytes value;
	int rc;

	keccak256(&owner, addr_bytes(address));
	keccak256(&key, hash_bytes(slot));
	rc = trie_find(&t->store, &t->state, &owner, &value, NULL, err);
	if (rc == OK && value.size)
		rc = account_decode(&account, value, err);
	if (rc == OK && !hash_equal(&account.storage_root, &account_empty.storage_root)) {
		rc = open_storage(t, &s, &owner, &account.storage_root, err);
		if (rc == OK)
			rc = trie_find(&t->store, &s->trie, &key, &value, &proof, err);
	}
	if (rc != OK) {
		tree_proof_clear(&proof);
		return rc;
	}
	*out = proof;
	return OK;
}

void state_tree_check(const struct state_tree *t)
{
	const void *owner;
	void *value;
	size_t cursor = 0;

	trie_check(&t->state);
	while (map_next(&t->storage, &cursor, &owner, &value)) {
		const struct storage_trie *s = *(struct storage_trie **)value;

		CHECK(hash_equal(&s->trie.owner, owner));
		trie_check(&s->trie);
	}
}
