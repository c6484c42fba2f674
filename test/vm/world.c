#include "vm/world.h"

#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"

struct addr world_address(uint8_t number)
{
	return (struct addr){ { [0] = 0xaa, [19] = number } };
}

static struct world_account *account(struct world *w, const struct addr *address)
{
	struct world_state *s = &w->now;

	for (size_t i = 0; i < s->account_count; i++)
		if (addr_equal(&s->accounts[i].address, address))
			return &s->accounts[i];
	/* the last place is everybody else's: enough for what tests ask */
	if (s->account_count < WORLD_ACCOUNT_COUNT)
		s->account_count++;
	s->accounts[s->account_count - 1] = (struct world_account){ .address = *address };
	return &s->accounts[s->account_count - 1];
}

static struct world_slot *slot_of(struct world *w, const struct addr *address, const struct hash *slot)
{
	struct world_state *s = &w->now;

	for (size_t i = 0; i < s->slot_count; i++)
		if (addr_equal(&s->slots[i].address, address) && hash_equal(&s->slots[i].slot, slot))
			return &s->slots[i];
	if (s->slot_count < WORLD_SLOT_COUNT)
		s->slot_count++;
	s->slots[s->slot_count - 1] = (struct world_slot){ .address = *address, .slot = *slot };
	return &s->slots[s->slot_count - 1];
}

static bool do_account(void *ctx, const struct addr *address, struct wei *balance,
		       struct hash *code_hash, bool *exists)
{
	struct world *w = ctx;
	struct world_account *a = account(w, address);

	*balance = a->balance;
	*exists = a->exists;
	*code_hash = (struct hash){ 0 };
	if (a->exists)
		keccak256(code_hash, a->code ? a->code->bytes : bytes_of(NULL, 0));
	return !w->fails;
}

static bool do_code(void *ctx, const struct addr *address, struct vm_code **out)
{
	struct world *w = ctx;
	struct world_account *a = account(w, address);

	*out = a->code ? a->code : w->no_code;
	return !w->fails;
}

static bool do_storage(void *ctx, const struct addr *address, const struct hash *slot,
		       struct vm_storage_values *out)
{
	struct world *w = ctx;
	struct world_slot *s = slot_of(w, address, slot);

	*out = (struct vm_storage_values){ s->original, s->current };
	return !w->fails;
}

static bool do_set_storage(void *ctx, const struct addr *address, const struct hash *slot,
			   const struct u256 *value)
{
	slot_of(ctx, address, slot)->current = *value;
	return true;
}

static bool do_transient(void *ctx, const struct addr *address, const struct hash *slot,
			 struct u256 *out)
{
	*out = slot_of(ctx, address, slot)->transient;
	return true;
}

static bool do_set_transient(void *ctx, const struct addr *address, const struct hash *slot,
			     const struct u256 *value)
{
	slot_of(ctx, address, slot)->transient = *value;
	return true;
}

static bool do_touch_account(void *ctx, const struct addr *address, bool *was_warm)
{
	struct world_account *a = account(ctx, address);

	*was_warm = a->warm;
	a->warm = true;
	return true;
}

static bool do_touch_slot(void *ctx, const struct addr *address, const struct hash *slot,
			  bool *was_warm)
{
	struct world_slot *s = slot_of(ctx, address, slot);

	*was_warm = s->warm;
	s->warm = true;
	return true;
}

static void log_bytes(struct world_state *s, const void *data, size_t size)
{
	size = MIN(size, WORLD_LOG_SIZE - s->log_size);
	if (size)
		memcpy(s->logs + s->log_size, data, size);
	s->log_size += size;
}

static bool do_log(void *ctx, const struct addr *address, const struct hash topics[],
		   size_t topic_count, struct bytes data)
{
	struct world *w = ctx;

	log_bytes(&w->now, address, sizeof(*address));
	log_bytes(&w->now, topics, topic_count * sizeof(topics[0]));
	log_bytes(&w->now, data.data, data.size);
	return true;
}

static bool do_enter(void *ctx, struct vm_message *m, struct vm_code **code, bool *creates,
		     struct vm_result *done)
{
	struct world *w = ctx;
	struct world_account *to;

	CHECK(w->snapshot_count <= VM_DEPTH_MAX);
	if (w->fails)
		return false;
	done->status = VM_SUCCESS;
	done->gas_left = m->gas;
	if (vm_is_creation(m->kind) && m->depth > 0)
		m->recipient = world_address((uint8_t)(200 + m->depth));
	to = account(w, vm_is_creation(m->kind) ? &m->recipient : &m->code_address);
	if (!vm_is_creation(m->kind) && (!to->code || to->code->bytes.size == 0))
		return true;
	if (w->snapshot_count == w->snapshot_capacity) {
		w->snapshot_capacity = MAX(2 * w->snapshot_capacity, (size_t)4);
		w->snapshots = xrealloc(w->snapshots, w->snapshot_capacity * sizeof(w->now));
	}
	w->snapshots[w->snapshot_count++] = w->now;
	if (vm_is_creation(m->kind))
		*creates = true;
	else
		*code = vm_code_ref(to->code);
	return true;
}

static bool do_leave(void *ctx, bool success)
{
	struct world *w = ctx;

	CHECK(w->snapshot_count > 0);
	w->snapshot_count--;
	if (!success)
		w->now = w->snapshots[w->snapshot_count];
	return !w->fails;
}

static bool do_set_code(void *ctx, const struct addr *address, struct bytes code)
{
	struct world *w = ctx;

	log_bytes(&w->now, address, sizeof(*address));
	log_bytes(&w->now, code.data, code.size);
	return true;
}

static bool do_self_destruct(void *ctx, const struct addr *address, const struct addr *heir)
{
	struct world *w = ctx;

	log_bytes(&w->now, address, sizeof(*address));
	log_bytes(&w->now, heir, sizeof(*heir));
	w->now.destroyed_count++;
	return true;
}

static bool do_block_hash(void *ctx, uint64_t height, struct hash *out)
{
	(void)ctx;
	*out = (struct hash){ 0 };
	store_be64(out->bytes, height);
	return true;
}

void world_init(struct world *w, struct vm *vm, enum revision revision)
{
	*w = (struct world){
		.vm = vm,
		.no_code = vm_code_new(bytes_of(NULL, 0)),
		.block = { .height = 1000, .timestamp = 1700000000, .gas_limit = 30000000,
			   .chain_id = 31337, .base_fee = wei_of(7), .blob_base_fee = wei_of(1),
			   .revision = revision },
	};
	w->host = (struct vm_host){
		.ctx = w,
		.block = &w->block,
		.origin = world_address(90),
		.gas_price = wei_of(9),
		.account = do_account,
		.code = do_code,
		.storage = do_storage,
		.set_storage = do_set_storage,
		.transient = do_transient,
		.set_transient = do_set_transient,
		.touch_account = do_touch_account,
		.touch_slot = do_touch_slot,
		.log = do_log,
		.enter = do_enter,
		.leave = do_leave,
		.set_code = do_set_code,
		.self_destruct = do_self_destruct,
		.block_hash = do_block_hash,
	};
}

void world_clear(struct world *w)
{
	for (size_t i = 0; i < w->now.account_count; i++)
		vm_code_unref(w->now.accounts[i].code);
	vm_code_unref(w->no_code);
	free(w->snapshots);
	*w = (struct world){ 0 };
}

void world_account(struct world *w, uint8_t number, struct bytes code, uint64_t balance)
{
	struct addr address = world_address(number);
	struct world_account *a = account(w, &address);

	vm_code_unref(a->code);
	a->code = vm_code_new(code);
	a->balance = wei_of(balance);
	a->exists = true;
}

bool world_call(struct world *w, uint8_t number, struct bytes input, uint64_t gas,
		struct vm_result *out)
{
	struct vm_message m = {
		.kind = VM_CALL, .gas = gas, .recipient = world_address(number),
		.sender = world_address(90), .code_address = world_address(number), .input = input,
	};

	return vm_run(w->vm, &w->host, &m, out);
}
