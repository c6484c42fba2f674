#include "model.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

/* --- nodes by place --- */

void node_store_init(struct node_store *s)
{
	*s = (struct node_store){ 0 };
	map_init(&s->records, sizeof(struct hash), sizeof(struct buf), 1);
}

void node_store_clear(struct node_store *s)
{
	size_t cursor = 0;
	const void *key;
	void *value;

	while (map_next(&s->records, &cursor, &key, &value))
		buf_clear(value);
	map_clear(&s->records);
}

static struct hash place_of(const struct tree_location *at)
{
	struct buf text = { 0 };
	struct hash place;

	buf_append(&text, &at->owner, sizeof(at->owner));
	buf_append(&text, at->path, at->path_size);
	keccak256(&place, buf_bytes(&text));
	buf_clear(&text);
	return place;
}

static int read_node(void *ctx, struct buf *out, const struct tree_location *at, struct err *err)
{
	struct node_store *s = ctx;
	struct hash place = place_of(at);
	const struct buf *record = map_get(&s->records, &place);

	s->read_count++;
	if (!record)
		return ERR_SET(err, STATE_E_READ, "no such record");
	buf_append_bytes(out, buf_bytes(record));
	return OK;
}

struct tree_source node_store_source(struct node_store *s)
{
	return (struct tree_source){ read_node, s };
}

static int compare_places(const struct tree_location *a, const struct tree_location *b)
{
	int order = memcmp(&a->owner, &b->owner, sizeof(a->owner));

	return order ? order : bytes_compare(bytes_of(a->path, a->path_size), bytes_of(b->path, b->path_size));
}

static void write_node(void *ctx, const struct tree_location *at, struct bytes rlp)
{
	struct node_store *s = ctx;
	struct hash place = place_of(at);
	struct buf *record;

	CHECK(!s->is_flushing || compare_places(&s->last, at) < 0);
	s->last = *at;
	s->is_flushing = true;
	if (rlp.size == 0) {
		record = map_get(&s->records, &place);
		CHECK(record);
		buf_clear(record);
		map_delete(&s->records, &place);
		s->delete_count++;
		return;
	}
	CHECK(rlp.size >= 32 || at->path_size == 0);
	record = map_put(&s->records, &place, NULL);
	buf_reset(record);
	buf_append_bytes(record, rlp);
	s->write_count++;
}

struct tree_sink node_store_sink(struct node_store *s)
{
	s->is_flushing = false;
	return (struct tree_sink){ write_node, s };
}

struct hash node_store_digest(const struct node_store *s)
{
	struct hash sum = { 0 }, one;
	struct buf text = { 0 };
	size_t cursor = 0;
	const void *key;
	void *value;

	while (map_next(&s->records, &cursor, &key, &value)) {
		buf_reset(&text);
		buf_append(&text, key, sizeof(struct hash));
		buf_append_bytes(&text, buf_bytes(value));
		keccak256(&one, buf_bytes(&text));
		for (size_t i = 0; i < sizeof(sum); i++)
			sum.bytes[i] ^= one.bytes[i];
	}
	buf_clear(&text);
	return sum;
}

void node_store_damage(struct node_store *s, size_t index, unsigned bit)
{
	size_t cursor = 0;
	const void *key;
	void *value;

	while (map_next(&s->records, &cursor, &key, &value))
		if (index-- == 0) {
			struct buf *record = value;

			record->data[bit / 8 % record->size] ^= (uint8_t)(1u << bit % 8);
			return;
		}
}

/* --- a trie as a list --- */

void list_trie_clear(struct list_trie *l)
{
	free(l->entries);
	*l = (struct list_trie){ 0 };
}

void list_trie_set(struct list_trie *l, const struct hash *key, struct bytes value)
{
	size_t i = 0;

	while (i < l->count && !hash_equal(&l->entries[i].key, key))
		i++;
	if (i == l->count) {
		if (value.size == 0)
			return;
		if (l->count == l->capacity) {
			l->capacity = l->capacity * 2 + 16;
			l->entries = xrealloc(l->entries, l->capacity * sizeof(*l->entries));
		}
		l->count++;
	}
	if (value.size == 0) {
		l->entries[i] = l->entries[--l->count];
		return;
	}
	CHECK(value.size <= sizeof(l->entries[i].value));
	l->entries[i].key = *key;
	l->entries[i].size = (uint8_t)value.size;
	memcpy(l->entries[i].value, value.data, value.size);
}

struct bytes list_trie_get(const struct list_trie *l, const struct hash *key)
{
	for (size_t i = 0; i < l->count; i++)
		if (hash_equal(&l->entries[i].key, key))
			return bytes_of(l->entries[i].value, l->entries[i].size);
	return (struct bytes){ 0 };
}

struct hash list_trie_root(const struct list_trie *l)
{
	struct trie_pair *pairs = xcalloc(l->count + 1, sizeof(*pairs));
	struct hash root;

	for (size_t i = 0; i < l->count; i++)
		pairs[i] = (struct trie_pair){ hash_bytes(&l->entries[i].key),
					       bytes_of(l->entries[i].value, l->entries[i].size) };
	trie_root(&root, pairs, l->count);
	free(pairs);
	return root;
}

/* --- a state as arrays --- */

void model_state_init(struct model_state *m)
{
	*m = (struct model_state){ 0 };
	for (unsigned i = 0; i < MODEL_ACCOUNT_COUNT; i++)
		m->accounts[i] = account_empty;
}

struct addr model_address(unsigned index)
{
	struct addr a = { 0 };

	a.bytes[0] = (uint8_t)(index * 17);
	a.bytes[19] = (uint8_t)index;
	return a;
}

struct hash model_slot(unsigned index)
{
	struct hash h = { 0 };

	h.bytes[31] = (uint8_t)index;
	return h;
}

static unsigned address_index(const struct addr *address)
{
	struct addr expected;

	CHECK(address->bytes[19] < MODEL_ACCOUNT_COUNT);
	expected = model_address(address->bytes[19]);
	CHECK(addr_equal(&expected, address));
	return address->bytes[19];
}

struct hash model_storage_root(const struct model_state *m, unsigned account)
{
	struct list_trie l = { 0 };
	struct hash root;

	for (unsigned i = 0; i < MODEL_SLOT_COUNT; i++) {
		struct hash slot = model_slot(i), key;
		struct buf rlp = { 0 };

		if (u256_is_zero(&m->slots[account][i]))
			continue;
		keccak256(&key, hash_bytes(&slot));
		rlp_put_u256(&rlp, &m->slots[account][i]);
		list_trie_set(&l, &key, buf_bytes(&rlp));
		buf_clear(&rlp);
	}
	root = list_trie_root(&l);
	list_trie_clear(&l);
	return root;
}

static struct account account_of(const struct model_state *m, unsigned index)
{
	struct account a = m->accounts[index];

	a.storage_root = model_storage_root(m, index);
	return a;
}

struct hash model_state_root(const struct model_state *m)
{
	struct list_trie l = { 0 };
	struct hash root;

	for (unsigned i = 0; i < MODEL_ACCOUNT_COUNT; i++) {
		struct account a = account_of(m, i);
		struct addr address = model_address(i);
		struct buf rlp = { 0 };
		struct hash key;
		size_t list;

		if (account_equal(&a, &account_empty))
			continue;
		keccak256(&key, addr_bytes(&address));
		list = rlp_list_open(&rlp);
		rlp_put_u64(&rlp, a.nonce);
		rlp_put_u256(&rlp, &a.balance.n);
		rlp_put_hash(&rlp, &a.storage_root);
		rlp_put_hash(&rlp, &a.code_hash);
		rlp_list_close(&rlp, list);
		list_trie_set(&l, &key, buf_bytes(&rlp));
		buf_clear(&rlp);
	}
	root = list_trie_root(&l);
	list_trie_clear(&l);
	return root;
}

static int view_account(void *ctx, struct account *out, const struct addr *address, struct err *err)
{
	(void)err;
	*out = account_of(ctx, address_index(address));
	return OK;
}

static int view_storage(void *ctx, struct u256 *out, const struct addr *address,
			const struct hash *slot, struct err *err)
{
	const struct model_state *m = ctx;

	(void)err;
	CHECK(slot->bytes[31] < MODEL_SLOT_COUNT);
	*out = m->slots[address_index(address)][slot->bytes[31]];
	return OK;
}

static int view_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	(void)ctx, (void)out;
	if (hash_equal(code_hash, &account_empty.code_hash))
		return OK;
	return ERR_SET(err, STATE_E_READ, "the model keeps no code");
}

struct state_view model_state_view(struct model_state *m)
{
	static const struct state_view_ops ops = { view_account, view_storage, view_code };

	return (struct state_view){ &ops, m };
}

void model_state_apply(struct model_state *m, const struct state_diff *d)
{
	for (size_t i = 0; i < d->account_count; i++) {
		const struct account_change *c = &d->accounts[i];
		unsigned index = address_index(&c->address);
		struct account now = account_of(m, index);

		CHECK(account_equal(&now, &c->before));
		m->accounts[index] = c->after;
		m->accounts[index].storage_root = account_empty.storage_root;
	}
	for (size_t i = 0; i < d->slot_count; i++) {
		const struct slot_change *c = &d->slots[i];
		struct u256 *slot = &m->slots[address_index(&c->address)][c->slot.bytes[31]];

		CHECK(u256_equal(slot, &c->before));
		*slot = c->after;
	}
}

void model_state_diff(struct state_diff *out, const struct model_state *before,
		      const struct model_state *after)
{
	*out = (struct state_diff){
		.accounts = xcalloc(MODEL_ACCOUNT_COUNT, sizeof(*out->accounts)),
		.slots = xcalloc(MODEL_ACCOUNT_COUNT * MODEL_SLOT_COUNT, sizeof(*out->slots)),
	};
	for (unsigned i = 0; i < MODEL_ACCOUNT_COUNT; i++) {
		struct account_change c = { model_address(i), account_of(before, i), after->accounts[i] };
		size_t first = out->slot_count;

		for (unsigned k = 0; k < MODEL_SLOT_COUNT; k++)
			if (!u256_equal(&before->slots[i][k], &after->slots[i][k]))
				out->slots[out->slot_count++] = (struct slot_change){
					c.address, model_slot(k), before->slots[i][k], after->slots[i][k] };
		if (!account_equal(&c.after, &account_empty))
			c.after.storage_root = c.before.storage_root;
		if (out->slot_count > first || !account_equal(&c.before, &c.after))
			out->accounts[out->account_count++] = c;
	}
}

void model_state_mutate(struct model_state *m, struct rng *r)
{
	for (unsigned n = 0; n < 4; n++) {
		unsigned i = (unsigned)rng_below(r, MODEL_ACCOUNT_COUNT);

		if (rng_below(r, 4) == 0) {
			m->accounts[i] = account_empty;
			memset(m->slots[i], 0, sizeof(m->slots[i]));
			continue;
		}
		m->accounts[i].nonce++;
		m->accounts[i].balance = wei_of(rng_next(r) >> rng_below(r, 64));
		for (unsigned k = 0; k < rng_below(r, 4); k++)
			m->slots[i][rng_below(r, MODEL_SLOT_COUNT)] =
				u256_of(rng_below(r, 3) ? rng_next(r) >> rng_below(r, 64) : 0);
	}
}
