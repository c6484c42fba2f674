#include "exec/native.h"

#include "base/check.h"
#include "chain/tx.h"
#include "codec/hex.h"
#include "exec/native_table.h"

/* A genesis with more than this could make a sum of balances overflow. */
#define SUPPLY_LIMIT ((struct wei){ { { 0, 0, 0, 1ull << 63 } } })

/* Slots that one contract may have in genesis. */
#define NATIVE_GENESIS_SLOT_MAX (4 * VALIDATOR_COUNT_MAX + 16)

static const struct native_contract contracts[] = {
	{
		.address = NATIVE_VALIDATORS_ADDRESS,
		.name = "validators",
		.call = native_validators_call,
		.genesis = native_validators_genesis,
	},
};

const struct native_contract *native_find(const struct addr *address)
{
	for (size_t i = 0; i < ARRAY_COUNT(contracts); i++) {
		if (addr_equal(&contracts[i].address, address))
			return &contracts[i];
	}
	return NULL;
}

const struct native_contract *native_table(size_t *count)
{
	*count = ARRAY_COUNT(contracts);
	return contracts;
}

/* --- genesis --- */

static int write_account(struct overlay *overlay, const struct genesis_account *a, struct err *err)
{
	int rc = overlay_set_balance(overlay, &a->address, a->balance, err);

	if (!rc)
		rc = overlay_set_nonce(overlay, &a->address, a->nonce, err);
	if (!rc && a->code.size)
		rc = overlay_set_code(overlay, &a->address, a->code, err);
	for (size_t i = 0; !rc && i < a->slot_count; i++)
		rc = overlay_set_storage(overlay, &a->address, &a->slots[i].key, &a->slots[i].value,
					 err);
	return rc;
}

static int write_native(struct overlay *overlay, const struct native_contract *c,
			const struct genesis *g, struct err *err)
{
	struct buf code = { 0 };
	int rc;

	buf_append_bytes(&code, bytes_of_str(NATIVE_CODE_PREFIX));
	buf_append_bytes(&code, bytes_of_str(c->name));
	rc = overlay_set_nonce(overlay, &c->address, 1, err);
	if (!rc)
		rc = overlay_set_code(overlay, &c->address, buf_bytes(&code), err);
	if (!rc && c->genesis)
		rc = c->genesis(overlay, &c->address, g, err);
	buf_clear(&code);
	return rc;
}

static int check_alloc(const struct genesis *g, struct err *err)
{
	struct wei supply = wei_of(0);
	char text[HEX_ADDR_SIZE];

	for (size_t i = 0; i < g->account_count; i++) {
		const struct genesis_account *a = &g->accounts[i];
		const struct native_contract *c = native_find(&a->address);

		if (c)
			return ERR_SET(
				err, CHAIN_E_GENESIS,
				"genesis: alloc names the address of the native contract \"%s\"; "
				"take it out",
				c->name);
		if (wei_add(&supply, supply, a->balance) || wei_compare(supply, SUPPLY_LIMIT) >= 0)
			return ERR_SET(
				err, CHAIN_E_GENESIS,
				"genesis: the balances of alloc add up to 2^255 wei or more");
		if (a->slot_count && a->nonce == 0 && a->code.size == 0 &&
		    u256_is_zero(&a->balance.n))
			return ERR_SET(err, CHAIN_E_GENESIS,
				       "genesis: account %s of alloc has storage but is empty "
				       "(EIP-161): give it code, a balance or a nonce",
				       hex_data(text, addr_bytes(&a->address)));
	}
	return OK;
}

int native_genesis_state(struct overlay *overlay, const struct genesis *g, struct err *err)
{
	int rc = check_alloc(g, err);

	for (size_t i = 0; !rc && i < g->account_count; i++)
		rc = write_account(overlay, &g->accounts[i], err);
	for (size_t i = 0; !rc && i < ARRAY_COUNT(contracts); i++)
		rc = write_native(overlay, &contracts[i], g, err);
	if (!rc)
		overlay_settle(overlay);
	return rc;
}

int native_genesis_diff(const struct genesis *g, struct state_diff *out, struct err *err)
{
	struct overlay_limits limits = {
		.account_count = g->account_count + ARRAY_COUNT(contracts),
		.slot_count = ARRAY_COUNT(contracts) * NATIVE_GENESIS_SLOT_MAX,
	};
	struct overlay *overlay;
	int rc;

	for (size_t i = 0; i < g->account_count; i++)
		limits.slot_count += g->accounts[i].slot_count;
	overlay = overlay_new(limits, 0);
	overlay_reset(overlay, state_view_empty());
	rc = native_genesis_state(overlay, g, err);
	if (!rc)
		overlay_diff(overlay, out);
	overlay_free(overlay);
	return rc;
}
