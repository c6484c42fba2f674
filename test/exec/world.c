#include "world.h"

#include <stdlib.h>

#include "base/check.h"

struct slot_key {
	struct addr address;
	struct hash slot;
};

/* --- state --- */

static int view_account(void *ctx, struct account *out, const struct addr *address, struct err *err)
{
	struct world *w = ctx;
	const struct account *a = map_get(&w->accounts, address);

	*out = a ? *a : account_empty;
	return OK;
}

static int view_storage(void *ctx, struct u256 *out, const struct addr *address,
			const struct hash *slot, struct err *err)
{
	struct world *w = ctx;
	const struct slot_key key = { *address, *slot };
	const struct u256 *v = map_get(&w->slots, &key);

	*out = v ? *v : u256_of(0);
	return OK;
}

static int view_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	struct world *w = ctx;
	const struct buf *code = map_get(&w->codes, code_hash);

	if (code)
		buf_append_bytes(out, buf_bytes(code));
	return OK;
}

struct state_view world_view(struct world *w)
{
	static const struct state_view_ops ops = { view_account, view_storage, view_code };

	return (struct state_view){ &ops, w };
}

static void apply(struct world *w, const struct state_diff *d)
{
	for (size_t i = 0; i < d->account_count; i++) {
		const struct account_change *c = &d->accounts[i];

		if (account_is_empty(&c->after))
			map_delete(&w->accounts, &c->address);
		else
			*(struct account *)map_put(&w->accounts, &c->address, NULL) = c->after;
	}
	for (size_t i = 0; i < d->slot_count; i++) {
		const struct slot_key key = { d->slots[i].address, d->slots[i].slot };

		*(struct u256 *)map_put(&w->slots, &key, NULL) = d->slots[i].after;
	}
	for (size_t i = 0; i < d->code_count; i++) {
		bool added;
		struct buf *code = map_put(&w->codes, &d->codes[i].code_hash, &added);

		if (added)
			buf_append_bytes(code, d->codes[i].code);
	}
}

struct account world_account(struct world *w, const struct addr *address)
{
	struct account a;

	view_account(w, &a, address, NULL);
	return a;
}

uint64_t world_balance(struct world *w, const struct addr *address)
{
	struct account a = world_account(w, address);

	CHECK(u256_fits_u64(&a.balance.n));
	return a.balance.n.limbs[0];
}

void world_storage(struct world *w, const struct addr *address, uint64_t slot, struct u256 *out)
{
	struct hash key = exec_slot(slot);

	view_storage(w, out, address, &key, NULL);
}

struct wei world_supply(struct world *w)
{
	struct wei sum = wei_of(0);
	const void *key;
	void *value;

	for (size_t cursor = 0; map_next(&w->accounts, &cursor, &key, &value);)
		CHECK(!wei_add(&sum, sum, ((struct account *)value)->balance));
	return sum;
}

/* --- life --- */

static struct secret_key secret(size_t key)
{
	struct secret_key k = { { [31] = (uint8_t)(key + 1) } };

	return k;
}

void world_init(struct world *w)
{
	static const uint8_t seed[32] = { 1 };
	struct validator validators[2] = { { { { 0xa1 } }, { 1 } }, { { { 0xb2 } }, { 3 } } };

	*w = (struct world){ .ecc = ecc_new(seed) };
	genesis_default(&w->genesis, WORLD_CHAIN_ID, WORLD_TIME_MS);
	CHECK(validator_set_init(&w->genesis.validators, validators, 2, NULL) == OK);
	for (size_t i = 0; i < WORLD_KEY_COUNT; i++) {
		struct secret_key k = secret(i);
		struct public_key public_key;

		CHECK(ecc_public_key(w->ecc, &public_key, &k, NULL) == OK);
		ecc_address(&w->keys[i], &public_key);
		genesis_fund(&w->genesis, &w->keys[i], wei_of(WORLD_FUNDS));
	}
	map_init(&w->accounts, sizeof(struct addr), sizeof(struct account), 1);
	map_init(&w->slots, sizeof(struct slot_key), sizeof(struct u256), 2);
	map_init(&w->codes, sizeof(struct hash), sizeof(struct buf), 3);
}

void world_alloc(struct world *w, const struct addr *address, uint64_t balance, const char *code)
{
	genesis_fund(&w->genesis, address, wei_of(balance));
	for (size_t i = 0; i < w->genesis.account_count; i++) {
		struct genesis_account *a = &w->genesis.accounts[i];

		if (addr_equal(&a->address, address))
			a->code = bytes_of(xstrdup(code), strlen(code));
	}
}

void world_start(struct world *w)
{
	world_start_sized(w, 1000);
}

void world_start_sized(struct world *w, size_t slot_count)
{
	struct overlay *overlay = overlay_new((struct overlay_limits){ 1000, slot_count }, 4);
	struct state_diff diff = { 0 };
	struct block block;
	struct hash root;

	overlay_reset(overlay, state_view_empty());
	CHECK(native_genesis_state(overlay, &w->genesis, NULL) == OK);
	overlay_diff(overlay, &diff);
	overlay_free(overlay);
	w->tree = state_tree_new(&header_empty_trie_root, (struct tree_source){ 0 }, 1 << 28, 5);
	CHECK(state_tree_apply(w->tree, &diff, &root, NULL) == OK);
	apply(w, &diff);
	state_diff_clear(&diff);
	genesis_block(&w->genesis, &root, &block);
	w->parent = (struct exec_parent){
		.header = block.header, .hash = block.hash, .commitments = block.commitments,
		.genesis_ms = w->genesis.time_ms,
	};
	epoch_genesis(&w->parent.epoch, &w->genesis);
	mmr_init(&w->parent.history);
	w->exec = exec_new(&w->genesis.params, 6);
	w->proposal = (struct exec_proposal){
		.time_ms = WORLD_TIME_MS + 1000,
		.coinbase = w->genesis.validators.members[1].address,
		.validator_index = 1,
	};
}

void world_clear(struct world *w)
{
	const void *key;
	void *value;

	for (size_t cursor = 0; map_next(&w->codes, &cursor, &key, &value);)
		buf_clear(value);
	map_clear(&w->accounts);
	map_clear(&w->slots);
	map_clear(&w->codes);
	state_tree_free(w->tree);
	exec_free(w->exec);
	ecc_free(w->ecc);
	genesis_clear(&w->genesis);
}

/* --- transactions and blocks --- */

struct addr address_of(uint8_t n)
{
	return (struct addr){ { [18] = 0x99, [19] = n } };
}

struct tx world_template(uint64_t nonce)
{
	return (struct tx){
		.type = TX_DYNAMIC_FEE,
		.has_chain_id = true,
		.chain_id = WORLD_CHAIN_ID,
		.nonce = nonce,
		.gas_limit = 21000,
		.to = address_of(1),
		.value = wei_of(1),
		.max_fee = wei_of(2 * BASE_FEE_FLOOR_DEFAULT),
		.max_priority_fee = wei_of(WEI_PER_GWEI),
	};
}

void world_authorize(struct buf *out, struct world *w, size_t key, uint64_t chain_id,
		     const struct addr *address, uint64_t nonce)
{
	struct secret_key k = secret(key);

	CHECK(tx_put_authorization(out, w->ecc, chain_id, address, nonce, &k, NULL) == OK);
}

struct tx *world_sign(struct world *w, size_t key, const struct tx *t)
{
	struct secret_key k = secret(key);
	struct tx *out;

	CHECK(tx_sign(&out, w->ecc, t, &k, NULL) == OK);
	return out;
}

struct list_source {
	struct tx *const *txs;
	size_t count, next;
	int *codes;
};

static struct tx *list_next(void *ctx)
{
	struct list_source *s = ctx;

	return s->next < s->count ? s->txs[s->next++] : NULL;
}

static void list_reject(void *ctx, struct tx *t, int code, const struct err *why)
{
	struct list_source *s = ctx;

	CHECK(t == s->txs[s->next - 1] && why->code == code && why->message[0]);
	if (s->codes)
		s->codes[s->next - 1] = code;
}

void world_propose(struct world *w, struct tx *const txs[], size_t count, int codes[],
		   struct exec_result *out)
{
	struct list_source list = { txs, count, 0, codes };
	struct exec_source source = { list_next, list_reject, &list };

	if (codes)
		memset(codes, 0, count * sizeof(codes[0]));
	CHECK(exec_propose(w->exec, &w->parent, world_view(w), w->tree, &w->proposal, &source, NULL,
			   NULL, out, NULL) == OK);
}

void world_commit(struct world *w, const struct exec_result *r)
{
	apply(w, &r->diff);
	exec_parent_advance(&w->parent, r);
	w->proposal.time_ms = w->parent.commitments.time_ms + 1000;
}

void world_undo(struct world *w, const struct exec_result *r)
{
	CHECK(state_tree_revert(w->tree, &r->diff, NULL) == OK);
}
