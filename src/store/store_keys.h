/*
 * store_keys - the keys of columns.h, built.
 */
#ifndef WEFT_STORE_STORE_KEYS_H
#define WEFT_STORE_STORE_KEYS_H

#include "base/check.h"
#include "state/tree.h"
#include "store/columns.h"

#define STORE_KEY_MAX (2 + 32 + TREE_PATH_MAX)

struct store_key {
	uint8_t bytes[STORE_KEY_MAX];
	size_t size;
};

static inline struct bytes key_bytes(const struct store_key *k)
{
	return bytes_of(k->bytes, k->size);
}

static inline void key_add(struct store_key *k, const void *part, size_t size)
{
	memcpy(k->bytes + k->size, part, size);
	k->size += size;
}

static inline struct store_key key_of(enum store_column column)
{
	struct store_key k;

	k.bytes[0] = (uint8_t)column;
	k.size = 1;
	return k;
}

/* META */
static inline struct store_key key_name(const char *name)
{
	struct store_key k = key_of(COLUMN_META);

	CHECK(strlen(name) < 32);
	key_add(&k, name, strlen(name));
	return k;
}

/* HEADER, HISTORY and MMR */
static inline struct store_key key_number(enum store_column column, uint64_t n)
{
	struct store_key k = key_of(column);

	store_be64(k.bytes + 1, n);
	k.size += 8;
	return k;
}

/* HEADER_HASH, TX_HASH and CODE */
static inline struct store_key key_hash(enum store_column column, const struct hash *h)
{
	struct store_key k = key_of(column);

	key_add(&k, h->bytes, sizeof(h->bytes));
	return k;
}

static inline struct store_key key_tx(uint64_t height, uint32_t index)
{
	struct store_key k = key_number(COLUMN_TX, height);

	store_be32(k.bytes + k.size, index);
	k.size += 4;
	return k;
}

#define KEY_LOG_HEIGHT_SIZE 5
#define KEY_LOG_HEIGHT_MAX ((1ull << 8 * KEY_LOG_HEIGHT_SIZE) - 1)

/* `term`: 48 bits */
static inline struct store_key key_log(uint32_t section, uint64_t term, uint64_t height)
{
	struct store_key k = key_of(COLUMN_LOG);

	store_be64(k.bytes + 3, term); /* its two upper bytes make way for the section */
	store_be32(k.bytes + 1, section);
	k.bytes[11] = (uint8_t)(height >> 32);
	store_be32(k.bytes + 12, (uint32_t)height);
	k.size = 16;
	return k;
}

static inline struct store_key key_epoch(uint64_t first_height)
{
	return key_number(COLUMN_EPOCH, UINT64_MAX - first_height);
}

static inline struct store_key key_evidence(uint64_t height, const struct hash *id)
{
	struct store_key k = key_number(COLUMN_EVIDENCE, height);

	key_add(&k, id->bytes, sizeof(id->bytes));
	return k;
}

static inline struct store_key key_account(const struct addr *address)
{
	struct store_key k = key_of(COLUMN_ACCOUNT);

	key_add(&k, address->bytes, sizeof(address->bytes));
	return k;
}

static inline struct store_key key_slot(const struct addr *address, const struct hash *slot)
{
	struct store_key k = key_of(COLUMN_SLOT);

	key_add(&k, address->bytes, sizeof(address->bytes));
	key_add(&k, slot->bytes, sizeof(slot->bytes));
	return k;
}

/* NODE: the state trie's nodes leave the owner out, and a byte says so. */
static inline struct store_key key_node(const struct tree_location *at)
{
	struct store_key k = key_of(COLUMN_NODE);
	uint8_t has_owner = !hash_is_zero(&at->owner);

	CHECK(at->path_size <= TREE_PATH_MAX);
	key_add(&k, &has_owner, 1);
	if (has_owner)
		key_add(&k, at->owner.bytes, sizeof(at->owner.bytes));
	key_add(&k, at->path, at->path_size);
	return k;
}

#endif
