/* eth_createAccessList: what a call touches, found by running it until nothing is new. */
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "codec/rlp.h"
#include "exec/calling.h"

/* A call that looks at its gas may touch something else each time: it ends here. */
#define ROUND_MAX 16

struct slot_key {
	struct addr address;
	struct hash slot;
};

/* What has been touched: each address in a list with its slots, and what is warm anyway. */
struct touched {
	struct map accounts;  /* struct addr -> nothing */
	struct map slots;     /* struct slot_key -> nothing */
	struct map excluded;  /* struct addr -> nothing */
	enum revision revision;
};

static void touched_init(struct touched *t, enum revision revision, uint64_t seed)
{
	t->revision = revision;
	map_init(&t->accounts, sizeof(struct addr), 0, seed);
	map_init(&t->slots, sizeof(struct slot_key), 0, seed);
	map_init(&t->excluded, sizeof(struct addr), 0, seed);
}

static void touched_clear(struct touched *t)
{
	map_clear(&t->accounts);
	map_clear(&t->slots);
	map_clear(&t->excluded);
}

static void add_account(struct touched *t, const struct addr *address)
{
	uint16_t number;

	if (!map_get(&t->excluded, address) && !precompile_at(address, t->revision, &number))
		map_put(&t->accounts, address, NULL);
}

/* With its account, whether that is warm or not: a slot needs an entry to stand in. */
static void add_slot(struct touched *t, const struct addr *address, const struct hash *slot)
{
	const struct slot_key key = { *address, *slot };

	map_put(&t->accounts, address, NULL);
	map_put(&t->slots, &key, NULL);
}

/* --- watching --- */

static struct addr word_address(const struct u256 *word)
{
	struct addr address;
	uint8_t bytes[32];

	u256_to_be32(bytes, word);
	memcpy(address.bytes, bytes + 12, sizeof(address.bytes));
	return address;
}

static void on_step(void *ctx, const struct vm_step *s)
{
	const struct u256 *top = s->stack + s->stack_count; /* one behind it */
	struct touched *t = ctx;
	struct addr address;
	struct hash slot;

	switch (s->opcode) {
	case OP_SLOAD:
	case OP_SSTORE:
		if (s->stack_count < 1)
			return;
		u256_to_be32(slot.bytes, &top[-1]);
		add_slot(t, &s->message->recipient, &slot);
		return;
	case OP_BALANCE:
	case OP_EXTCODESIZE:
	case OP_EXTCODECOPY:
	case OP_EXTCODEHASH:
	case OP_SELFDESTRUCT:
		if (s->stack_count < 1)
			return;
		address = word_address(&top[-1]);
		add_account(t, &address);
		return;
	case OP_CALL:
	case OP_CALLCODE:
	case OP_DELEGATECALL:
	case OP_STATICCALL:
		if (s->stack_count < 5)
			return;
		address = word_address(&top[-2]);
		add_account(t, &address);
		return;
	}
}

/* --- the list --- */

static void add_list(struct touched *t, struct bytes rest)
{
	struct addr address;
	struct bytes slots;
	size_t count;

	while (tx_access_next(&rest, &address, &slots, &count)) {
		add_account(t, &address);
		for (size_t i = 0; i < count; i++) {
			struct hash slot;

			memcpy(slot.bytes, slots.data + 33 * i + 1, sizeof(slot.bytes));
			add_slot(t, &address, &slot);
		}
	}
}

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct addr));
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct slot_key));
}

/* The map's keys in rising order; the caller frees them. */
static void *sorted_keys(const struct map *m, size_t size, int (*compare)(const void *, const void *))
{
	uint8_t *keys = xmalloc(MAX(m->count, (size_t)1) * size), *at = keys;
	const void *key;
	void *value;

	for (size_t cursor = 0; map_next(m, &cursor, &key, &value); at += size)
		memcpy(at, key, size);
	if (m->count > 1)
		qsort(keys, m->count, size, compare);
	return keys;
}

/* As RLP items, everything in rising order: equal lists have equal bytes. */
static void write_list(struct buf *out, const struct touched *t)
{
	struct addr *accounts = sorted_keys(&t->accounts, sizeof(*accounts), compare_addresses);
	struct slot_key *keys = sorted_keys(&t->slots, sizeof(*keys), compare_keys);
	size_t k = 0;

	buf_reset(out);
	for (size_t i = 0; i < t->accounts.count; i++) {
		size_t entry = rlp_list_open(out), slots;

		rlp_put_addr(out, &accounts[i]);
		slots = rlp_list_open(out);
		for (; k < t->slots.count && addr_equal(&keys[k].address, &accounts[i]); k++)
			rlp_put_hash(out, &keys[k].slot);
		rlp_list_close(out, slots);
		rlp_list_close(out, entry);
	}
	CHECK(k == t->slots.count);
	free(accounts);
	free(keys);
}

/* What is warm without a list: sender, recipient, and who authorizes here. */
static int exclude(struct touched *t, struct calling *c, struct err *err)
{
	struct state_view view = pretence_view(&c->pretence);
	struct bytes rest = c->call.authorizations;
	struct addr address = c->call.to;
	struct authorization a;
	struct account sender;

	if (c->call.is_create) {
		if (state_account(&view, &sender, &c->call.from, err))
			return exec_medium(err);
		tx_create_address(&address, &c->call.from, sender.nonce);
	}
	map_put(&t->excluded, &c->call.from, NULL);
	map_put(&t->excluded, &address, NULL);
	while (tx_authorization_next(&rest, &a))
		if (transaction_authorizes_here(c->x, &a) &&
		    tx_authorization_signer(&address, c->x->host.ecc, &a, NULL) == OK)
			map_put(&t->excluded, &address, NULL);
	return OK;
}

/* One run with the list in `items`, which it may make longer: *settled if it did not. */
static int run_round(struct calling *c, struct touched *t, uint64_t gas, struct buf *items,
		     bool *settled, struct exec_call_result *out, struct err *err)
{
	const struct vm_tracer tracer = { .ctx = t, .step = on_step };
	struct buf list = *items;
	int rc;

	calling_set_access_list(c, buf_bytes(&list));
	exec_set_tracer(c->x, &tracer);
	rc = calling_run(c, gas, out, err);
	exec_set_tracer(c->x, NULL);
	*items = (struct buf){ 0 };
	write_list(items, t);
	*settled = bytes_equal(buf_bytes(items), buf_bytes(&list));
	buf_clear(&list);
	return rc;
}

/* Runs with what the run before has touched, until that is all. */
static int iterate(struct calling *c, struct touched *t, uint64_t gas, struct buf *items,
		   struct exec_call_result *out, struct err *err)
{
	bool settled = false;

	for (int round = 0; round < ROUND_MAX; round++) {
		int rc = run_round(c, t, gas, items, &settled, out, err);

		if (rc || settled)
			return rc;
		exec_call_result_clear(out);
		if (host_is_stopped(&c->x->host))
			return host_stopped(&c->x->host, err);
	}
	return ERR_SET(err, EXEC_E_FAILED, "the access list is another one in each of %d runs", ROUND_MAX);
}

int exec_access_list(struct exec *x, const struct exec_parent *parent, struct state_view view,
		     const struct exec_call *call, struct buf *items, struct exec_call_result *out,
		     struct err *err)
{
	uint64_t gas = call->has_gas ? MIN(call->gas, x->call_gas_cap) : x->call_gas_cap;
	struct touched t;
	struct calling c;
	int rc = calling_begin(&c, x, parent, view, call, err);

	*out = (struct exec_call_result){ 0 };
	if (rc)
		return rc;
	touched_init(&t, x->params->revision, x->seed);
	rc = exclude(&t, &c, err);
	if (!rc && !call->has_gas)
		rc = calling_afford(&c, &gas, err);
	if (!rc) {
		add_list(&t, call->access_list);
		write_list(items, &t);
		rc = iterate(&c, &t, gas, items, out, err);
	}
	out->gas_run = c.gas_run;
	touched_clear(&t);
	calling_end(&c);
	return rc;
}
