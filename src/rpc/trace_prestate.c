/*
 * prestateTracer: the accounts and slots that a transaction touches, as they were before
 * it; in diff mode what it changed of them, before and after.
 *
 * As geth has it, an account is touched by being sender, callee or proposer, by an
 * authorization, or by an instruction that names it; a slot by SLOAD and SSTORE. What is
 * met for the first time is read then, which is what was there before: nothing changes
 * what was not met. Code is written from its hash.
 */
#include "rpc/trace.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "chain/tx.h"
#include "crypto/keccak.h"
#include "rpc/forms.h"

/* An account and a slot in JSON, at least. */
#define ACCOUNT_SIZE 64
#define SLOT_SIZE 138

struct pre_account {
	struct addr address;
	struct rpc_account before, after;
	bool was_empty;              /* nonce, balance and code */
	bool is_created, is_deleted; /* by this transaction */
	bool has_changed;
};

struct pre_slot {
	struct addr address;
	struct hash key;
	struct u256 before, after;
};

struct slot_key {
	struct addr address;
	struct hash slot;
};

struct pre_trace {
	struct trace base;
	bool is_made;
	struct pre_account *accounts;
	size_t count, capacity;
	struct map places;           /* struct addr -> size_t, in `accounts` */
	struct pre_slot *slots;
	size_t slot_count, slot_capacity;
	struct map seen;             /* struct slot_key -> nothing */
};

/* --- keeping --- */

static bool has_code(const struct rpc_account *a)
{
	return !hash_is_zero(&a->code_hash) && !hash_equal(&a->code_hash, &header_empty_code_hash);
}

static bool has_room(struct pre_trace *t)
{
	return trace_room(&t->base, t->count * ACCOUNT_SIZE + t->slot_count * SLOT_SIZE);
}

/* The account, read now if it is new; NULL if that can't be, which ends the run. */
static struct pre_account *look_up(struct pre_trace *t, const struct addr *address)
{
	struct rpc_account before;
	struct pre_account *a;
	size_t *place = map_get(&t->places, address);

	if (place)
		return &t->accounts[*place];
	if (!has_room(t) || !trace_account(&t->base, address, &before))
		return NULL;
	if (t->count == t->capacity) {
		t->capacity = MAX(2 * t->capacity, (size_t)16);
		t->accounts = xrealloc(t->accounts, t->capacity * sizeof(*t->accounts));
	}
	*(size_t *)map_put(&t->places, address, NULL) = t->count;
	a = &t->accounts[t->count++];
	*a = (struct pre_account){ .address = *address, .before = before };
	a->was_empty = before.nonce == 0 && u256_is_zero(&before.balance.n) && !has_code(&before);
	return a;
}

static void look_up_slot(struct pre_trace *t, const struct addr *address, const struct hash *slot)
{
	const struct slot_key key = { *address, *slot };
	struct u256 value;
	bool added;

	if (t->base.options->disable_storage || !look_up(t, address))
		return;
	map_put(&t->seen, &key, &added);
	if (!added || !has_room(t) || !trace_storage(&t->base, address, slot, &value))
		return;
	if (t->slot_count == t->slot_capacity) {
		t->slot_capacity = MAX(2 * t->slot_capacity, (size_t)16);
		t->slots = xrealloc(t->slots, t->slot_capacity * sizeof(*t->slots));
	}
	t->slots[t->slot_count++] = (struct pre_slot){ *address, *slot, value, u256_of(0) };
}

/* A callee, and what it delegates to (EIP-7702). */
static void look_up_callee(struct pre_trace *t, const struct addr *address)
{
	enum revision revision = rpc_item_info(t->base.item)->params->revision;
	struct pre_account *a = look_up(t, address);
	struct rpc_account now;
	struct addr target;
	struct buf code = { 0 };

	if (!a || revision < REVISION_PRAGUE || !trace_account(&t->base, address, &now) ||
	    !has_code(&now) || !trace_code(&t->base, &now.code_hash, &code))
		return;
	if (tx_read_delegation(buf_bytes(&code), &target))
		look_up(t, &target);
	buf_clear(&code);
}

static void look_up_created(struct pre_trace *t, const struct addr *address)
{
	struct pre_account *a = look_up(t, address);

	if (a)
		a->is_created = true;
}

/* CREATE2's address (EIP-1014): of the init code as memory will hold it. */
static void look_up_create2(struct pre_trace *t, const struct vm_step *s)
{
	const struct u256 *offset = trace_operand(s, 1), *size = trace_operand(s, 2);
	const struct hash salt = trace_hash(trace_operand(s, 3));
	uint8_t preimage[85] = { 0xff };
	struct buf code = { 0 };
	struct addr address;
	struct hash hash;

	if (!u256_fits_u64(size) || size->limbs[0] > INITCODE_SIZE_MAX)
		return; /* it fails */
	if (size->limbs[0]) {
		uint64_t at = u256_fits_u64(offset) ? offset->limbs[0] : UINT64_MAX;
		uint64_t have = at < s->memory.size ? MIN(s->memory.size - at, size->limbs[0]) : 0;

		memset(buf_extend(&code, size->limbs[0]), 0, size->limbs[0]);
		if (have)
			memcpy(code.data, s->memory.data + at, have);
	}
	memcpy(preimage + 1, s->message->recipient.bytes, 20);
	memcpy(preimage + 21, salt.bytes, 32);
	keccak256(&hash, buf_bytes(&code));
	memcpy(preimage + 53, hash.bytes, 32);
	keccak256(&hash, bytes_of(preimage, sizeof(preimage)));
	memcpy(address.bytes, hash.bytes + 12, 20);
	buf_clear(&code);
	look_up_created(t, &address);
}

static void look_up_create(struct pre_trace *t, const struct addr *maker)
{
	struct rpc_account now;
	struct addr address;

	if (!trace_account(&t->base, maker, &now))
		return;
	tx_create_address(&address, maker, now.nonce);
	look_up_created(t, &address);
}

static void pre_step(struct trace *base, const struct vm_step *s)
{
	struct pre_trace *t = (struct pre_trace *)base;
	const struct addr *here = &s->message->recipient;
	struct addr address;
	struct hash slot;

	if (s->stack_count < (size_t)vm_opcodes[s->opcode].in || !vm_opcodes[s->opcode].name)
		return;
	switch (s->opcode) {
	case OP_SLOAD:
	case OP_SSTORE:
		slot = trace_hash(trace_operand(s, 0));
		look_up_slot(t, here, &slot);
		return;
	case OP_EXTCODECOPY:
	case OP_EXTCODEHASH:
	case OP_EXTCODESIZE:
	case OP_BALANCE:
	case OP_SELFDESTRUCT:
		address = trace_addr(trace_operand(s, 0));
		look_up(t, &address);
		return;
	case OP_CALL:
	case OP_CALLCODE:
	case OP_DELEGATECALL:
	case OP_STATICCALL:
		address = trace_addr(trace_operand(s, 1));
		look_up_callee(t, &address);
		return;
	case OP_CREATE:
		look_up_create(t, here);
		return;
	case OP_CREATE2:
		look_up_create2(t, s);
		return;
	}
}

/* EIP-6780: only what was made in this transaction goes. */
static void pre_self_destruct(struct trace *base, const struct addr *address, const struct addr *heir,
			      struct wei balance)
{
	struct pre_trace *t = (struct pre_trace *)base;
	struct pre_account *a = look_up(t, address);

	(void)heir;
	(void)balance;
	if (a && a->is_created)
		a->is_deleted = true;
}

/* --- before and after --- */

static void look_up_parties(struct pre_trace *t, const struct addr *from, const struct addr *to,
			    const struct addr *coinbase)
{
	look_up(t, from);
	if (to)
		look_up_callee(t, to);
	else
		look_up_create(t, from);
	look_up(t, coinbase);
}

static void look_up_authorities(struct pre_trace *t, struct bytes rest)
{
	struct authorization a;
	struct addr address;

	while (tx_authorization_next(&rest, &a))
		if (tx_authorization_signer(&address, t->base.item->request->rpc->ecc, &a, NULL) == OK)
			look_up(t, &address);
}

static void pre_begin(struct trace *base)
{
	struct pre_trace *t = (struct pre_trace *)base;

	if (!t->is_made) {
		map_init(&t->places, sizeof(struct addr), sizeof(size_t), base->run->state->seed);
		map_init(&t->seen, sizeof(struct slot_key), 0, base->run->state->seed);
	}
	t->is_made = true;
	map_reset(&t->places);
	map_reset(&t->seen);
	t->count = t->slot_count = 0;
}

static void pre_start(struct trace *base, const struct vm_block_context *block)
{
	struct pre_trace *t = (struct pre_trace *)base;
	const struct tx *tx = base->run->tx;
	const struct rpc_call *call = base->run->call;

	if (tx) {
		look_up_parties(t, &tx->sender, tx->is_create ? NULL : &tx->to, &block->coinbase);
		look_up_authorities(t, tx->authorizations);
	} else {
		look_up_parties(t, &call->from, call->is_create ? NULL : &call->to, &block->coinbase);
		look_up_authorities(t, call->authorizations);
	}
}

static bool read_after(struct pre_trace *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct pre_account *a = &t->accounts[i];

		if (!trace_account(&t->base, &a->address, &a->after))
			return false;
		a->has_changed = a->before.nonce != a->after.nonce ||
				 wei_compare(a->before.balance, a->after.balance) != 0 ||
				 has_code(&a->before) != has_code(&a->after) ||
				 (has_code(&a->before) &&
				  !hash_equal(&a->before.code_hash, &a->after.code_hash));
	}
	for (size_t i = 0; i < t->slot_count; i++) {
		struct pre_slot *s = &t->slots[i];
		size_t *place = map_get(&t->places, &s->address);

		if (!trace_storage(&t->base, &s->address, &s->key, &s->after))
			return false;
		if (u256_compare(&s->before, &s->after) != 0)
			t->accounts[*place].has_changed = true;
	}
	return true;
}

/* --- writing --- */

static int compare_accounts(const void *a, const void *b)
{
	return memcmp(&((const struct pre_account *)a)->address, &((const struct pre_account *)b)->address,
		      sizeof(struct addr));
}

static int compare_slots(const void *a, const void *b)
{
	const struct pre_slot *x = a, *y = b;
	int order = memcmp(&x->address, &y->address, sizeof(x->address));

	return order ? order : memcmp(&x->key, &y->key, sizeof(x->key));
}

enum pre_side { ALL_BEFORE, CHANGED_BEFORE, CHANGED_AFTER };

/* The slot's value, if this side shows it. */
static const struct u256 *shown(const struct pre_slot *s, enum pre_side side)
{
	const struct u256 *value = side == CHANGED_AFTER ? &s->after : &s->before;

	if (side == ALL_BEFORE)
		return value;
	return u256_is_zero(value) || u256_compare(&s->before, &s->after) == 0 ? NULL : value;
}

/* The account's slots, which lie in a row from `*at` on. */
static void put_slots(struct pre_trace *t, const struct addr *address, enum pre_side side, size_t *at)
{
	struct jout *out = t->base.out;
	bool is_open = false;

	while (*at < t->slot_count && memcmp(&t->slots[*at].address, address, sizeof(*address)) < 0)
		++*at;
	for (; *at < t->slot_count && addr_equal(&t->slots[*at].address, address); ++*at) {
		const struct pre_slot *s = &t->slots[*at];
		const struct u256 *value = shown(s, side);
		char key[HEX_HASH_SIZE];
		struct hash word;

		if (!value)
			continue;
		if (!is_open) {
			jout_key(out, "storage");
			jout_object(out);
		}
		is_open = true;
		word = trace_hash(value);
		form_key_hash(out, hex_data(key, hash_bytes(&s->key)), &word);
	}
	if (is_open)
		jout_object_end(out);
}

/* `code`; false if it can't be read or there is no room. */
static bool put_code(struct pre_trace *t, const struct rpc_account *a)
{
	struct buf code = { 0 };
	bool good = !has_code(a) || trace_code(&t->base, &a->code_hash, &code);

	good = good && trace_room(&t->base, 2 * code.size);
	if (good)
		form_key_data(t->base.out, "code", buf_bytes(&code));
	buf_clear(&code);
	return good;
}

static void put_code_hash(struct jout *out, const struct rpc_account *a)
{
	form_key_hash(out, "codeHash", has_code(a) ? &a->code_hash : &header_empty_code_hash);
}

static void put_nonce(struct jout *out, uint64_t nonce)
{
	if (nonce == 0)
		return;
	jout_key(out, "nonce");
	jout_unsigned(out, nonce);
}

static bool put_before(struct pre_trace *t, const struct pre_account *a)
{
	struct jout *out = t->base.out;

	form_key_wei(out, "balance", a->before.balance);
	if (has_code(&a->before)) {
		if (!t->base.options->disable_code && !put_code(t, &a->before))
			return false;
		put_code_hash(out, &a->before);
	}
	put_nonce(out, a->before.nonce);
	return true;
}

/* What is not as it was. */
static bool put_after(struct pre_trace *t, const struct pre_account *a)
{
	bool code_changed = has_code(&a->before) != has_code(&a->after) ||
			    (has_code(&a->before) &&
			     !hash_equal(&a->before.code_hash, &a->after.code_hash));
	struct jout *out = t->base.out;

	if (wei_compare(a->before.balance, a->after.balance) != 0)
		form_key_wei(out, "balance", a->after.balance);
	if (code_changed) {
		if (!t->base.options->disable_code && !put_code(t, &a->after))
			return false;
		put_code_hash(out, &a->after);
	}
	if (a->before.nonce != a->after.nonce)
		put_nonce(out, a->after.nonce);
	return true;
}

/* Whether a side shows the account. */
static bool is_shown(const struct pre_trace *t, const struct pre_account *a, enum pre_side side)
{
	switch (side) {
	case ALL_BEFORE:
		return !a->was_empty || t->base.options->include_empty;
	case CHANGED_BEFORE:
		return !a->was_empty && (a->has_changed || a->is_deleted);
	case CHANGED_AFTER:
		return a->has_changed && !a->is_deleted;
	}
	UNREACHABLE();
}

static void put_side(struct pre_trace *t, enum pre_side side)
{
	struct jout *out = t->base.out;
	char key[HEX_ADDR_SIZE];
	bool good = true;
	size_t at = 0;

	jout_object(out);
	for (size_t i = 0; good && i < t->count; i++) {
		const struct pre_account *a = &t->accounts[i];

		if (!is_shown(t, a, side))
			continue;
		jout_key(out, hex_data(key, addr_bytes(&a->address)));
		jout_object(out);
		good = side == CHANGED_AFTER ? put_after(t, a) : put_before(t, a);
		put_slots(t, &a->address, side, &at);
		jout_object_end(out);
		good = good && trace_room(&t->base, 0);
	}
	jout_object_end(out);
}

static void put_all(struct pre_trace *t)
{
	struct jout *out = t->base.out;

	if (t->base.options->diff_mode && !read_after(t))
		return;
	if (t->count)
		qsort(t->accounts, t->count, sizeof(*t->accounts), compare_accounts);
	if (t->slot_count)
		qsort(t->slots, t->slot_count, sizeof(*t->slots), compare_slots);
	if (!t->base.options->diff_mode) {
		put_side(t, ALL_BEFORE);
		return;
	}
	jout_object(out);
	jout_key(out, "post");
	put_side(t, CHANGED_AFTER);
	jout_key(out, "pre");
	put_side(t, CHANGED_BEFORE);
	jout_object_end(out);
}

/* A call's state is gone at its end: this is its last hook. */
static void pre_leave(struct trace *base, const struct vm_message *m, enum vm_status status,
		      uint64_t gas_left, struct bytes output)
{
	(void)status;
	(void)gas_left;
	(void)output;
	if (m->depth == 0 && !base->run->tx)
		put_all((struct pre_trace *)base);
}

static void pre_end(struct trace *base, uint64_t gas_limit, uint64_t gas_used)
{
	(void)gas_limit;
	(void)gas_used;
	if (base->run->tx)
		put_all((struct pre_trace *)base);
}

static void pre_clear(struct trace *base)
{
	struct pre_trace *t = (struct pre_trace *)base;

	if (t->is_made) {
		map_clear(&t->places);
		map_clear(&t->seen);
	}
	free(t->accounts);
	free(t->slots);
}

const struct trace_ops trace_prestate_ops = {
	.size = sizeof(struct pre_trace),
	.begin = pre_begin,
	.end = pre_end,
	.clear = pre_clear,
	.start = pre_start,
	.step = pre_step,
	.leave = pre_leave,
	.self_destruct = pre_self_destruct,
};
