/*
 * Genesis as a difference from nothing.
 */
#include <stdlib.h>

#include "base/check.h"
#include "chain/tx.h"
#include "codec/hex.h"
#include "crypto/keccak.h"
#include "store/store_internal.h"

static int compare_codes(const void *a, const void *b)
{
	const struct code_entry *x = a, *y = b;

	return memcmp(x->code_hash.bytes, y->code_hash.bytes, sizeof(x->code_hash.bytes));
}

/* Copies the code into the difference and gives its hash. */
static struct hash add_code(struct state_diff *d, struct bytes code)
{
	struct code_entry *e = &d->codes[d->code_count];
	uint8_t *copy = xmalloc(code.size);

	memcpy(copy, code.data, code.size);
	e->code = bytes_of(copy, code.size);
	keccak256(&e->code_hash, code);
	d->code_count++;
	return e->code_hash;
}

/* Sorts the codes by hash and drops those that stand twice. */
static void settle_codes(struct state_diff *d)
{
	size_t kept = 0;

	if (d->code_count)
		qsort(d->codes, d->code_count, sizeof(d->codes[0]), compare_codes);
	for (size_t i = 0; i < d->code_count; i++) {
		if (kept && hash_equal(&d->codes[kept - 1].code_hash, &d->codes[i].code_hash))
			free((void *)(uintptr_t)d->codes[i].code.data);
		else
			d->codes[kept++] = d->codes[i];
	}
	d->code_count = kept;
}

static void add_slots(struct state_diff *d, const struct genesis_account *a)
{
	for (size_t i = 0; i < a->slot_count; i++)
		d->slots[d->slot_count++] = (struct slot_change){
			.address = a->address, .slot = a->slots[i].key, .after = a->slots[i].value,
		};
}

static int empty_with_storage(const struct genesis_account *a, struct err *err)
{
	char address[HEX_ADDR_SIZE];

	return ERR_SET(err, CHAIN_E_GENESIS, "alloc.%s: an account with storage needs a nonce, a balance or code",
		       hex_data(address, addr_bytes(&a->address)));
}

int store_genesis_diff(const struct genesis *g, struct state_diff *out, struct err *err)
{
	struct state_diff d = { 0 };
	size_t slot_count = 0;

	for (size_t i = 0; i < g->account_count; i++)
		slot_count += g->accounts[i].slot_count;
	d.accounts = xcalloc(g->account_count, sizeof(d.accounts[0]));
	d.codes = xcalloc(g->account_count, sizeof(d.codes[0]));
	d.slots = xcalloc(slot_count, sizeof(d.slots[0]));
	for (size_t i = 0; i < g->account_count; i++) {
		const struct genesis_account *a = &g->accounts[i];
		struct account after = account_empty;

		after.nonce = a->nonce;
		after.balance = a->balance;
		if (a->code.size)
			after.code_hash = add_code(&d, a->code);
		if (account_is_empty(&after) && a->slot_count) {
			state_diff_clear(&d);
			return empty_with_storage(a, err);
		}
		if (account_is_empty(&after))
			continue; /* EIP-161: an empty account is none */
		d.accounts[d.account_count++] = (struct account_change){ a->address, account_empty, after };
		add_slots(&d, a);
	}
	settle_codes(&d);
	*out = d;
	return OK;
}

int store_genesis_build(const struct genesis *g, struct state_tree *tree, struct block *block,
			struct state_diff *diff, struct err *err)
{
	struct hash root;
	int code = store_genesis_diff(g, diff, err);

	if (code != OK)
		return code;
	code = state_tree_apply(tree, diff, &root, err);
	if (code != OK) {
		state_diff_clear(diff);
		return code;
	}
	genesis_block(g, &root, block);
	return OK;
}

int store_genesis(const struct genesis *g, struct block *block, struct state_diff *diff, struct err *err)
{
	struct state_tree *tree = state_tree_new(&account_empty.storage_root, (struct tree_source){ 0 }, SIZE_MAX, 1);
	int code = store_genesis_build(g, tree, block, diff, err);

	state_tree_free(tree);
	return code;
}
