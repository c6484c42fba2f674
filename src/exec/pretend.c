#include "exec/pretend.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "crypto/keccak.h"
#include "exec/exec.h"
#include "vm/precompiles.h"

struct pretence_move {
	struct addr to;
	uint16_t number;
};

static int compare_address(const void *key, const void *entry)
{
	const struct account_override *a = entry;

	return memcmp(key, &a->address, sizeof(a->address));
}

static int compare_slot(const void *key, const void *entry)
{
	const struct override_slot *s = entry;

	return memcmp(key, &s->slot, sizeof(s->slot));
}

static const struct account_override *find(const struct pretence *p, const struct addr *address)
{
	const struct state_override *o = &p->override;

	return o->count ? bsearch(address, o->accounts, o->count, sizeof(o->accounts[0]),
				  compare_address)
			: NULL;
}

static const struct override_slot *find_slot(const struct account_override *a,
					     const struct hash *slot)
{
	return a->slot_count ? bsearch(slot, a->slots, a->slot_count, sizeof(a->slots[0]),
				       compare_slot)
			     : NULL;
}

/* --- the view --- */

static int view_account(void *ctx, struct account *out, const struct addr *address, struct err *err)
{
	const struct pretence *p = ctx;
	const struct account_override *a = find(p, address);
	int rc = state_account(&p->base, out, address, err);

	if (rc || !a)
		return rc;
	if (a->has_balance)
		out->balance = a->balance;
	if (a->has_nonce)
		out->nonce = a->nonce;
	if (a->has_code)
		out->code_hash = p->code_hashes[a - p->override.accounts];
	if (a->has_state && a->slot_count == 0)
		out->storage_root = account_empty.storage_root;
	return OK;
}

static int view_storage(void *ctx, struct u256 *out, const struct addr *address,
			const struct hash *slot, struct err *err)
{
	const struct pretence *p = ctx;
	const struct account_override *a = find(p, address);
	const struct override_slot *s = a ? find_slot(a, slot) : NULL;

	if (!s && !(a && a->has_state))
		return state_storage(&p->base, out, address, slot, err);
	*out = s ? s->value : u256_of(0);
	return OK;
}

static int view_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	const struct pretence *p = ctx;

	for (size_t i = 0; i < p->override.count; i++) {
		const struct account_override *a = &p->override.accounts[i];

		if (a->has_code && a->code.size && hash_equal(&p->code_hashes[i], code_hash)) {
			buf_append_bytes(out, a->code);
			return OK;
		}
	}
	return state_code(&p->base, out, code_hash, err);
}

struct state_view pretence_view(struct pretence *p)
{
	static const struct state_view_ops ops = { view_account, view_storage, view_code };

	return p->override.count ? (struct state_view){ &ops, p } : p->base;
}

/* --- what is at an address --- */

bool pretence_precompile(const struct pretence *p, const struct addr *address, uint16_t *number)
{
	for (size_t i = 0; i < p->move_count; i++)
		if (addr_equal(&p->moves[i].to, address)) {
			*number = p->moves[i].number;
			return true;
		}
	return !find(p, address) && precompile_at(address, p->revision, number);
}

bool pretence_has_code(const struct pretence *p, const struct addr *address)
{
	const struct account_override *a = find(p, address);

	return a && a->has_code;
}

/* --- life --- */

static int add_move(struct pretence *p, const struct account_override *a, struct err *err)
{
	char text[HEX_ADDR_SIZE];
	uint16_t number;

	if (!precompile_at(&a->address, p->revision, &number))
		return ERR_SET(err, EXEC_E_OVERRIDE, "account %s is not a precompile",
			       hex_data(text, addr_bytes(&a->address)));
	p->moves = xrealloc(p->moves, (p->move_count + 1) * sizeof(p->moves[0]));
	p->moves[p->move_count++] = (struct pretence_move){ a->move_to, number };
	return OK;
}

int pretence_init(struct pretence *p, struct state_view base, const struct state_override *override,
		  enum revision revision, struct err *err)
{
	*p = (struct pretence){ .base = base, .revision = revision, .override = *override };
	if (override->count)
		p->code_hashes = xcalloc(override->count, sizeof(p->code_hashes[0]));
	for (size_t i = 0; i < override->count; i++) {
		const struct account_override *a = &override->accounts[i];
		int rc = a->moves ? add_move(p, a, err) : OK;

		if (rc) {
			pretence_clear(p);
			return rc;
		}
		if (a->has_code)
			keccak256(&p->code_hashes[i], a->code);
	}
	return OK;
}

void pretence_clear(struct pretence *p)
{
	free(p->code_hashes);
	free(p->moves);
	*p = (struct pretence){ 0 };
}
