#include "state/overlay.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "crypto/keccak.h"

/*
 * Accounts and slots stand in arrays, in the order in which they were first
 * read; two maps lead from a key to its place. An account's slots are chained.
 *
 * The journal holds old values. Between two snapshots a record is journaled at
 * most once: `epoch` rises at every snapshot, revert and settlement, and a record
 * that carries the current epoch has its old value in the journal already.
 */
#define NONE UINT32_MAX

struct account_entry {
	struct addr address;
	uint32_t first_slot; /* of its chain; NONE at the end */
	uint32_t slot_count; /* slots in the chain */
	uint64_t epoch;
	struct account before, now;
};

struct slot_entry {
	struct hash slot;
	uint32_t account;
	uint32_t next; /* in the account's chain */
	uint64_t epoch;
	uint64_t transaction;  /* in which `original` was taken */
	struct u256 before, original, now;
};

struct code_place {
	size_t offset, size; /* in code_bytes */
};

struct undo {
	uint32_t index;
	bool is_slot;
	uint64_t epoch;
	union {
		struct account account;
		struct u256 value;
	};
};

struct slot_key {
	struct addr address;
	struct hash slot;
};

struct overlay {
	struct overlay_limits limits;
	struct state_view view;
	uint64_t epoch;
	uint64_t transaction; /* rises at every settlement */
	struct map account_index, slot_index; /* address, slot_key -> uint32_t */
	struct account_entry *accounts;
	size_t account_count, account_capacity;
	struct slot_entry *slots;
	size_t slot_count, slot_capacity;
	struct undo *journal;
	size_t journal_count, journal_capacity;
	/* Found last: who asks for a record often asks for it again at once. Checked before use. */
	uint32_t last_account, last_slot;
	struct map codes; /* hash -> struct code_place */
	struct buf code_bytes;
};

struct overlay *overlay_new(struct overlay_limits limits, uint64_t seed)
{
	struct overlay *o = xcalloc(1, sizeof(*o));

	CHECK(limits.account_count < NONE && limits.slot_count < NONE);
	o->limits = limits;
	o->view = state_view_empty();
	o->epoch = o->transaction = 1;
	map_init(&o->account_index, sizeof(struct addr), sizeof(uint32_t), seed);
	map_init(&o->slot_index, sizeof(struct slot_key), sizeof(uint32_t), seed);
	map_init(&o->codes, sizeof(struct hash), sizeof(struct code_place), seed);
	return o;
}

void overlay_free(struct overlay *o)
{
	if (!o)
		return;
	map_clear(&o->account_index);
	map_clear(&o->slot_index);
	map_clear(&o->codes);
	buf_clear(&o->code_bytes);
	free(o->accounts);
	free(o->slots);
	free(o->journal);
	free(o);
}

void overlay_reset(struct overlay *o, struct state_view view)
{
	o->view = view;
	o->epoch = o->transaction = 1;
	map_reset(&o->account_index);
	map_reset(&o->slot_index);
	map_reset(&o->codes);
	buf_reset(&o->code_bytes);
	o->account_count = o->slot_count = o->journal_count = 0;
}

/* --- entries --- */

/* Doubles an array that is full. */
static void *grown(void *array, size_t *capacity, size_t count, size_t entry_size)
{
	if (count < *capacity)
		return array;
	*capacity = MAX(*capacity * 2, (size_t)64);
	return xrealloc(array, *capacity * entry_size);
}

static bool find_account(struct overlay *o, uint32_t *index, const struct addr *address)
{
	const uint32_t *known = &o->last_account;

	if (*known >= o->account_count || !addr_equal(&o->accounts[*known].address, address))
		known = map_get(&o->account_index, address);
	if (!known)
		return false;
	*index = o->last_account = *known;
	return true;
}

static int account_at(struct overlay *o, uint32_t *index, const struct addr *address, struct err *err)
{
	struct account_entry *e;
	struct account found;
	int rc;

	if (find_account(o, index, address))
		return OK;
	if (o->account_count >= o->limits.account_count)
		return ERR_SET(err, STATE_E_LIMIT, "more than %zu accounts in one block",
			       o->limits.account_count);
	rc = state_account(&o->view, &found, address, err);
	if (rc != OK)
		return rc;
	o->accounts = grown(o->accounts, &o->account_capacity, o->account_count, sizeof(*e));
	e = &o->accounts[o->account_count];
	*e = (struct account_entry){
		.address = *address,
		.first_slot = NONE,
		.before = found,
		.now = found,
	};
	*index = (uint32_t)o->account_count++;
	*(uint32_t *)map_put(&o->account_index, address, NULL) = *index;
	return OK;
}

static bool find_slot(struct overlay *o, uint32_t *index, const struct slot_key *key)
{
	const uint32_t *known = &o->last_slot;

	if (*known >= o->slot_count || !hash_equal(&o->slots[*known].slot, &key->slot) ||
	    !addr_equal(&o->accounts[o->slots[*known].account].address, &key->address))
		known = map_get(&o->slot_index, key);
	if (!known)
		return false;
	*index = o->last_slot = *known;
	return true;
}

static int slot_at(struct overlay *o, uint32_t *index, const struct addr *address,
		   const struct hash *slot, struct err *err)
{
	const struct slot_key key = { *address, *slot };
	struct slot_entry *e;
	struct u256 found;
	uint32_t account;
	int rc;

	if (find_slot(o, index, &key))
		return OK;
	rc = account_at(o, &account, address, err);
	if (rc != OK)
		return rc;
	if (o->slot_count >= o->limits.slot_count)
		return ERR_SET(err, STATE_E_LIMIT, "more than %zu storage slots in one block",
			       o->limits.slot_count);
	rc = state_storage(&o->view, &found, address, slot, err);
	if (rc != OK)
		return rc;
	o->slots = grown(o->slots, &o->slot_capacity, o->slot_count, sizeof(*e));
	e = &o->slots[o->slot_count];
	*e = (struct slot_entry){
		.slot = *slot,
		.account = account,
		.next = o->accounts[account].first_slot,
		.before = found,
		.now = found,
	};
	*index = (uint32_t)o->slot_count++;
	o->accounts[account].first_slot = *index;
	o->accounts[account].slot_count++;
	*(uint32_t *)map_put(&o->slot_index, &key, NULL) = *index;
	return OK;
}

/* --- the journal --- */

static struct undo *journal_push(struct overlay *o)
{
	o->journal = grown(o->journal, &o->journal_capacity, o->journal_count, sizeof(*o->journal));
	return &o->journal[o->journal_count++];
}

/* The account's value for writing; its old one is in the journal. */
static struct account *write_account(struct overlay *o, uint32_t index)
{
	struct account_entry *e = &o->accounts[index];

	if (e->epoch != o->epoch) {
		*journal_push(o) = (struct undo){
			.index = index,
			.epoch = e->epoch,
			.account = e->now,
		};
		e->epoch = o->epoch;
	}
	return &e->now;
}

static struct u256 *write_slot(struct overlay *o, uint32_t index)
{
	struct slot_entry *e = &o->slots[index];

	if (e->transaction != o->transaction) {
		e->original = e->now;
		e->transaction = o->transaction;
	}
	if (e->epoch != o->epoch) {
		*journal_push(o) = (struct undo){
			.index = index,
			.is_slot = true,
			.epoch = e->epoch,
			.value = e->now,
		};
		e->epoch = o->epoch;
	}
	return &e->now;
}

size_t overlay_snapshot(struct overlay *o)
{
	o->epoch++;
	return o->journal_count;
}

void overlay_revert(struct overlay *o, size_t snapshot)
{
	CHECK(snapshot <= o->journal_count);
	while (o->journal_count > snapshot) {
		const struct undo *u = &o->journal[--o->journal_count];

		if (u->is_slot) {
			o->slots[u->index].now = u->value;
			o->slots[u->index].epoch = u->epoch;
		} else {
			o->accounts[u->index].now = u->account;
			o->accounts[u->index].epoch = u->epoch;
		}
	}
	o->epoch++;
}

void overlay_settle(struct overlay *o)
{
	o->journal_count = 0;
	o->epoch++;
	o->transaction++;
}

/* --- accounts --- */

int overlay_account(struct overlay *o, struct account *out, const struct addr *address, struct err *err)
{
	uint32_t index;
	int rc = account_at(o, &index, address, err);

	if (rc == OK)
		*out = o->accounts[index].now;
	return rc;
}

int overlay_set_balance(struct overlay *o, const struct addr *address, struct wei balance, struct err *err)
{
	uint32_t index;
	int rc = account_at(o, &index, address, err);

	if (rc == OK)
		write_account(o, index)->balance = balance;
	return rc;
}

int overlay_set_nonce(struct overlay *o, const struct addr *address, uint64_t nonce, struct err *err)
{
	uint32_t index;
	int rc = account_at(o, &index, address, err);

	if (rc == OK)
		write_account(o, index)->nonce = nonce;
	return rc;
}

int overlay_add_balance(struct overlay *o, const struct addr *address, struct wei amount, struct err *err)
{
	uint32_t index;
	struct wei sum;
	int rc = account_at(o, &index, address, err);

	if (rc != OK)
		return rc;
	if (wei_add(&sum, o->accounts[index].now.balance, amount))
		return ERR_SET(err, STATE_E_LIMIT, "a balance above 2^256 - 1 wei");
	write_account(o, index)->balance = sum;
	return OK;
}

int overlay_sub_balance(struct overlay *o, const struct addr *address, struct wei amount, struct err *err)
{
	uint32_t index;
	struct wei rest;
	int rc = account_at(o, &index, address, err);

	if (rc != OK)
		return rc;
	if (wei_sub(&rest, o->accounts[index].now.balance, amount))
		return ERR_SET(err, STATE_E_LIMIT, "a balance below zero");
	write_account(o, index)->balance = rest;
	return OK;
}

int overlay_set_code(struct overlay *o, const struct addr *address, struct bytes code, struct err *err)
{
	struct hash code_hash = account_empty.code_hash;
	struct code_place *place;
	uint32_t index;
	bool added;
	int rc = account_at(o, &index, address, err);

	if (rc != OK)
		return rc;
	if (code.size) {
		keccak256(&code_hash, code);
		place = map_put(&o->codes, &code_hash, &added);
		if (added) {
			*place = (struct code_place){ o->code_bytes.size, code.size };
			buf_append_bytes(&o->code_bytes, code);
		}
	}
	write_account(o, index)->code_hash = code_hash;
	return OK;
}

/* The code with this hash, wherever it is. Code of the view is not remembered:
 * its size has no bound of ours, and who runs it often keeps it by hash. */
static int code_by_hash(struct overlay *o, struct buf *out, const struct hash *code_hash, struct err *err)
{
	const struct code_place *place = map_get(&o->codes, code_hash);

	if (hash_equal(code_hash, &account_empty.code_hash))
		return OK;
	if (!place)
		return state_code(&o->view, out, code_hash, err);
	buf_append(out, o->code_bytes.data + place->offset, place->size);
	return OK;
}

int overlay_code(struct overlay *o, struct buf *out, const struct addr *address, struct err *err)
{
	uint32_t index;
	int rc = account_at(o, &index, address, err);

	if (rc != OK)
		return rc;
	return code_by_hash(o, out, &o->accounts[index].now.code_hash, err);
}

int overlay_destroy(struct overlay *o, const struct addr *address, struct err *err)
{
	char text[2 * sizeof(*address) + 1];
	struct account_entry *e;
	uint32_t index;
	int rc = account_at(o, &index, address, err);

	if (rc != OK)
		return rc;
	e = &o->accounts[index];
	if (!hash_equal(&e->before.storage_root, &account_empty.storage_root)) {
		for (size_t i = 0; i < sizeof(*address); i++)
			snprintf(text + 2 * i, 3, "%02x", address->bytes[i]);
		return ERR_SET(err, STATE_E_LIMIT, "account 0x%s had storage before this block", text);
	}
	for (uint32_t s = e->first_slot; s != NONE; s = o->slots[s].next)
		if (!u256_is_zero(&o->slots[s].now))
			*write_slot(o, s) = u256_of(0);
	*write_account(o, index) = account_empty;
	return OK;
}

/* --- storage --- */

int overlay_storage(struct overlay *o, struct u256 *out, const struct addr *address,
		    const struct hash *slot, struct err *err)
{
	uint32_t index;
	int rc = slot_at(o, &index, address, slot, err);

	if (rc == OK)
		*out = o->slots[index].now;
	return rc;
}

int overlay_set_storage(struct overlay *o, const struct addr *address, const struct hash *slot,
			const struct u256 *value, struct err *err)
{
	uint32_t index;
	int rc = slot_at(o, &index, address, slot, err);

	if (rc == OK)
		*write_slot(o, index) = *value;
	return rc;
}

int overlay_storage_original(struct overlay *o, struct u256 *out, const struct addr *address,
			     const struct hash *slot, struct err *err)
{
	const struct slot_entry *e;
	uint32_t index;
	int rc = slot_at(o, &index, address, slot, err);

	if (rc != OK)
		return rc;
	e = &o->slots[index];
	*out = e->transaction == o->transaction ? e->original : e->now;
	return OK;
}

/* --- the difference --- */

/* What becomes of the account at the end. An empty one is gone; one with storage
 * from before stays, since its slots are not all known here (EIP-7523: no such
 * account can come about, contracts start at nonce 1). */
static const struct account *account_after(const struct account_entry *e)
{
	if (account_is_empty(&e->now) &&
	    hash_equal(&e->before.storage_root, &account_empty.storage_root))
		return &account_empty;
	return &e->now;
}

static struct u256 slot_after(const struct account_entry *owner, const struct slot_entry *s)
{
	return account_after(owner) == &account_empty ? u256_of(0) : s->now;
}

static size_t changed_slot_count(const struct overlay *o, const struct account_entry *e)
{
	size_t count = 0;

	for (uint32_t s = e->first_slot; s != NONE; s = o->slots[s].next) {
		struct u256 after = slot_after(e, &o->slots[s]);

		count += !u256_equal(&o->slots[s].before, &after);
	}
	return count;
}

static int compare_accounts(const void *a, const void *b, void *ctx)
{
	const struct overlay *o = ctx;

	return memcmp(&o->accounts[*(const uint32_t *)a].address,
		      &o->accounts[*(const uint32_t *)b].address, sizeof(struct addr));
}

static int compare_slots(const void *a, const void *b)
{
	const struct slot_change *x = a, *y = b;

	return memcmp(&x->slot, &y->slot, sizeof(x->slot));
}

static int compare_codes(const void *a, const void *b)
{
	const struct code_entry *x = a, *y = b;

	return memcmp(&x->code_hash, &y->code_hash, sizeof(x->code_hash));
}

/* The places of the accounts that changed, or whose slots did, by address. */
static uint32_t *changed_accounts(const struct overlay *o, struct state_diff *out)
{
	uint32_t *order = xmalloc(MAX(o->account_count, (size_t)1) * sizeof(*order));

	for (size_t i = 0; i < o->account_count; i++) {
		const struct account_entry *e = &o->accounts[i];
		size_t slots = changed_slot_count(o, e);

		if (!slots && account_equal(&e->before, account_after(e)))
			continue;
		order[out->account_count++] = (uint32_t)i;
		out->slot_count += slots;
	}
	qsort_r(order, out->account_count, sizeof(*order), compare_accounts, (void *)(uintptr_t)o);
	return order;
}

static struct slot_change *fill_slots(const struct overlay *o, const struct account_entry *e,
				      struct slot_change *at)
{
	struct slot_change *first = at;

	for (uint32_t s = e->first_slot; s != NONE; s = o->slots[s].next) {
		const struct slot_entry *slot = &o->slots[s];
		struct u256 after = slot_after(e, slot);

		if (!u256_equal(&slot->before, &after))
			*at++ = (struct slot_change){ e->address, slot->slot, slot->before, after };
	}
	if (at > first)
		qsort(first, (size_t)(at - first), sizeof(*at), compare_slots);
	return at;
}

static void copy_code(const struct overlay *o, struct code_entry *entry)
{
	const struct code_place *place = map_get(&o->codes, &entry->code_hash);
	uint8_t *copy = xmalloc(place->size);

	memcpy(copy, o->code_bytes.data + place->offset, place->size);
	entry->code = bytes_of(copy, place->size);
}

/* The code that changed accounts have got in this overlay, each once. */
static void fill_codes(const struct overlay *o, struct state_diff *out)
{
	size_t found = 0;

	if (o->codes.count == 0)
		return;
	out->codes = xcalloc(out->account_count, sizeof(*out->codes));
	for (size_t i = 0; i < out->account_count; i++) {
		const struct account_change *c = &out->accounts[i];

		if (!hash_equal(&c->before.code_hash, &c->after.code_hash) &&
		    map_get(&o->codes, &c->after.code_hash))
			out->codes[found++].code_hash = c->after.code_hash;
	}
	qsort(out->codes, found, sizeof(*out->codes), compare_codes);
	for (size_t i = 0; i < found; i++)
		if (i == 0 || compare_codes(&out->codes[out->code_count - 1], &out->codes[i]) != 0)
			out->codes[out->code_count++] = out->codes[i];
	for (size_t i = 0; i < out->code_count; i++)
		copy_code(o, &out->codes[i]);
}

void overlay_diff(const struct overlay *o, struct state_diff *out)
{
	struct slot_change *slot;
	uint32_t *order;

	*out = (struct state_diff){ 0 };
	order = changed_accounts(o, out);
	if (out->account_count)
		out->accounts = xmalloc(out->account_count * sizeof(*out->accounts));
	if (out->slot_count)
		out->slots = xmalloc(out->slot_count * sizeof(*out->slots));
	slot = out->slots;
	for (size_t i = 0; i < out->account_count; i++) {
		const struct account_entry *e = &o->accounts[order[i]];

		out->accounts[i] = (struct account_change){ e->address, e->before, *account_after(e) };
		slot = fill_slots(o, e, slot);
	}
	CHECK(out->slot_count == 0 || slot == out->slots + out->slot_count);
	fill_codes(o, out);
	free(order);
}

/* --- the overlay as a view --- */

static int view_account(void *ctx, struct account *out, const struct addr *address, struct err *err)
{
	return overlay_account(ctx, out, address, err);
}

static int view_storage(void *ctx, struct u256 *out, const struct addr *address,
			const struct hash *slot, struct err *err)
{
	return overlay_storage(ctx, out, address, slot, err);
}

static int view_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	return code_by_hash(ctx, out, code_hash, err);
}

struct state_view overlay_view(struct overlay *o)
{
	static const struct state_view_ops ops = { view_account, view_storage, view_code };

	return (struct state_view){ .ops = &ops, .ctx = o };
}
