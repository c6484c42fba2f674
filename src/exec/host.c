#include "exec/host.h"

#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"
#include "exec/native.h"
#include "exec/pretend.h"

/* 0x0000F90827F1C53a10cb7A02335B175320002935 */
const struct addr exec_history_address = { {
	0x00, 0x00, 0xf9, 0x08, 0x27, 0xf1, 0xc5, 0x3a, 0x10, 0xcb,
	0x7a, 0x02, 0x33, 0x5b, 0x17, 0x53, 0x20, 0x00, 0x29, 0x35,
} };

/* 0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02 */
const struct addr exec_beacon_roots_address = { {
	0x00, 0x0f, 0x3d, 0xf6, 0xd7, 0x32, 0x80, 0x7e, 0xf1, 0x31,
	0x9f, 0xb7, 0xb8, 0xbb, 0x85, 0x22, 0xd0, 0xbe, 0xac, 0x02,
} };

/* Entries of a set that the next transaction gets as they are. */
#define MAP_KEPT_CAPACITY 1024

/* How far back BLOCKHASH sees. */
#define BLOCK_HASH_WINDOW 256

/* What a revert takes back, beside the overlay's own journal and the logs. */
struct host_undo {
	enum { UNDO_ACCOUNT, UNDO_SLOT, UNDO_TRANSIENT, UNDO_CREATED, UNDO_DESTROYED } kind;
	struct host_slot_key key;
	struct u256 value; /* the transient slot's from before */
};

int exec_medium(struct err *err)
{
	if (err)
		err->code = EXEC_E_MEDIUM;
	return err_prefix(err, EXEC_E_MEDIUM, "state could not be read or written");
}

struct hash exec_slot(uint64_t index)
{
	struct hash slot = { 0 };

	store_be64(slot.bytes + 24, index);
	return slot;
}

static struct host_undo *undo_push(struct host *h)
{
	if (h->journal_count == h->journal_capacity) {
		h->journal_capacity = MAX(2 * h->journal_capacity, (size_t)64);
		h->journal = xrealloc(h->journal, h->journal_capacity * sizeof(*h->journal));
	}
	return &h->journal[h->journal_count++];
}

/* Ends the execution: false, for the table's functions to return. */
static bool fail_medium(struct host *h)
{
	if (h->failure == OK)
		h->failure = exec_medium(&h->failure_err);
	return false;
}

int host_failure(const struct host *h, struct err *err)
{
	if (h->failure == OK)
		return ERR_SET(err, EXEC_E_STOPPED, "the tracer ended the run");
	if (err)
		*err = h->failure_err;
	return h->failure;
}

bool host_is_stopped(struct host *h)
{
	h->asked_count = 0;
	return h->should_stop && h->should_stop(h->stop_ctx);
}

int host_stopped(struct host *h, struct err *err)
{
	if (h->failure == OK)
		h->failure = ERR_SET(&h->failure_err, EXEC_E_STOPPED, "execution aborted");
	if (err)
		*err = h->failure_err;
	return EXEC_E_STOPPED;
}

/* For the functions that code calls often: false if it shall end. */
static inline bool may_go_on(struct host *h)
{
	if (!h->should_stop || ++h->asked_count < EXEC_STOP_INTERVAL)
		return true;
	return !host_is_stopped(h) || (host_stopped(h, NULL), false);
}

static struct err *failure_err(struct host *h)
{
	return h->failure == OK ? &h->failure_err : NULL;
}

/* --- accounts and storage --- */

static bool do_account(void *ctx, const struct addr *address, struct wei *balance,
		       struct hash *code_hash, bool *exists)
{
	struct host *h = ctx;
	struct account a;

	if (!may_go_on(h))
		return false;
	if (overlay_account(h->overlay, &a, address, failure_err(h)))
		return fail_medium(h);
	*exists = !account_is_empty(&a);
	*balance = a.balance;
	*code_hash = *exists ? a.code_hash : (struct hash){ 0 };
	return true;
}

bool host_code(struct host *h, const struct addr *address, struct vm_code **out)
{
	struct account a;

	if (overlay_account(h->overlay, &a, address, failure_err(h)))
		return fail_medium(h);
	*out = h->no_code;
	if (hash_equal(&a.code_hash, &account_empty.code_hash))
		return true;
	*out = vm_code_find(h->vm, &a.code_hash);
	if (*out)
		return true;
	buf_reset(&h->scratch);
	if (overlay_code(h->overlay, &h->scratch, address, failure_err(h)))
		return fail_medium(h);
	*out = vm_code_add(h->vm, &a.code_hash, buf_bytes(&h->scratch));
	return true;
}

static bool do_code(void *ctx, const struct addr *address, struct vm_code **out)
{
	return may_go_on(ctx) && host_code(ctx, address, out);
}

static bool do_storage(void *ctx, const struct addr *address, const struct hash *slot,
		       struct vm_storage_values *out)
{
	struct host *h = ctx;

	if (!may_go_on(h))
		return false;
	if (overlay_storage(h->overlay, &out->current, address, slot, failure_err(h)) ||
	    overlay_storage_original(h->overlay, &out->original, address, slot, failure_err(h)))
		return fail_medium(h);
	return true;
}

static bool do_set_storage(void *ctx, const struct addr *address, const struct hash *slot,
			   const struct u256 *value)
{
	struct host *h = ctx;

	return !overlay_set_storage(h->overlay, address, slot, value, failure_err(h)) ||
	       fail_medium(h);
}

static bool do_transient(void *ctx, const struct addr *address, const struct hash *slot,
			 struct u256 *out)
{
	struct host *h = ctx;
	const struct host_slot_key key = { *address, *slot };
	const struct u256 *value = map_get(&h->transients, &key);

	if (!may_go_on(h))
		return false;
	*out = value ? *value : u256_of(0);
	return true;
}

static bool do_set_transient(void *ctx, const struct addr *address, const struct hash *slot,
			     const struct u256 *value)
{
	struct host *h = ctx;
	const struct host_slot_key key = { *address, *slot };
	struct u256 *place = map_put(&h->transients, &key, NULL);

	*undo_push(h) = (struct host_undo){ UNDO_TRANSIENT, key, *place };
	*place = *value;
	return true;
}

/* --- access sets --- */

static bool do_touch_account(void *ctx, const struct addr *address, bool *was_warm)
{
	struct host *h = ctx;
	uint16_t number;
	bool added = false;

	/* Precompiles are warm from the beginning (EIP-2929), and stand in no set. */
	if (!precompile_at(address, h->table.block->revision, &number))
		map_put(&h->warm_accounts, address, &added);
	if (added)
		*undo_push(h) = (struct host_undo){ .kind = UNDO_ACCOUNT, .key.address = *address };
	*was_warm = !added;
	return true;
}

static bool do_touch_slot(void *ctx, const struct addr *address, const struct hash *slot,
			  bool *was_warm)
{
	struct host *h = ctx;
	const struct host_slot_key key = { *address, *slot };
	bool added = false;

	/* SSTORE often follows the SLOAD of its slot. */
	if (!h->has_touched || memcmp(&h->touched, &key, sizeof(key)) != 0) {
		map_put(&h->warm_slots, &key, &added);
		h->touched = key;
		h->has_touched = true;
	}
	if (added)
		*undo_push(h) = (struct host_undo){ .kind = UNDO_SLOT, .key = key };
	*was_warm = !added;
	return true;
}

static void warm_access_list(struct host *h, struct bytes rest)
{
	struct addr address;
	struct bytes slots;
	size_t count;

	while (tx_access_next(&rest, &address, &slots, &count)) {
		map_put(&h->warm_accounts, &address, NULL);
		for (size_t i = 0; i < count; i++) {
			struct host_slot_key key = { .address = address };

			memcpy(key.slot.bytes, slots.data + 33 * i + 1, sizeof(key.slot.bytes));
			map_put(&h->warm_slots, &key, NULL);
		}
	}
}

void host_warm(struct host *h, const struct addr *address)
{
	map_put(&h->warm_accounts, address, NULL);
}

/* --- logs and history --- */

static bool do_log(void *ctx, const struct addr *address, const struct hash topics[],
		   size_t topic_count, struct bytes data)
{
	struct host *h = ctx;
	struct log_entry *log;

	CHECK(topic_count <= LOG_TOPIC_MAX);
	if (!may_go_on(h))
		return false;
	if (h->log_count == h->log_capacity) {
		h->log_capacity = MAX(2 * h->log_capacity, (size_t)16);
		h->logs = xrealloc(h->logs, h->log_capacity * sizeof(*h->logs));
	}
	log = &h->logs[h->log_count++];
	*log = (struct log_entry){ .address = *address, .topic_count = topic_count };
	if (topic_count)
		memcpy(log->topics, topics, topic_count * sizeof(topics[0]));
	log->data.size = data.size;
	if (data.size)
		buf_append_bytes(&h->log_data, data);
	if (h->tracer && h->tracer->log)
		h->tracer->log(h->tracer->ctx, address, topics, topic_count, data);
	return true;
}

void host_logs(struct host *h, struct receipt *r)
{
	const uint8_t *data = h->log_data.data;

	if (h->log_count == 0)
		return;
	for (size_t i = 0; i < h->log_count; i++) {
		size_t size = h->logs[i].data.size;

		h->logs[i].data.data = size ? data : NULL;
		if (size)
			data += size;
	}
	receipt_set_logs(r, h->logs, h->log_count);
}

/* From where EIP-2935's contract keeps them, since the state is all that there
 * is here; so a genesis without it has no BLOCKHASH but zero. */
static bool do_block_hash(void *ctx, uint64_t height, struct hash *out)
{
	struct host *h = ctx;
	struct hash slot = exec_slot(height % EXEC_RING_LENGTH);
	struct u256 value;

	*out = (struct hash){ 0 };
	if (height >= h->table.block->height || h->table.block->height - height > BLOCK_HASH_WINDOW)
		return true;
	/* a call may pretend to be in another block than the state's */
	if (height >= h->history_height || h->history_height - height > EXEC_RING_LENGTH)
		return true;
	if (overlay_storage(h->overlay, &value, &exec_history_address, &slot, failure_err(h)))
		return fail_medium(h);
	u256_to_be32(out->bytes, &value);
	return true;
}

/* --- calls --- */

/* Whether the frame carries value from its sender to its recipient. */
static bool moves_value(const struct vm_message *m)
{
	return m->kind == VM_CALL && !u256_is_zero(&m->value.n);
}

/* *enough is false if the sender's balance is too small. */
static bool move_value(struct host *h, const struct addr *from, const struct addr *to,
		       struct wei value, bool *enough)
{
	struct account sender;

	if (overlay_account(h->overlay, &sender, from, failure_err(h)))
		return fail_medium(h);
	*enough = wei_compare(sender.balance, value) >= 0;
	if (!*enough)
		return true;
	if (overlay_sub_balance(h->overlay, from, value, failure_err(h)) ||
	    overlay_add_balance(h->overlay, to, value, failure_err(h)))
		return fail_medium(h);
	return true;
}

static bool do_leave(void *ctx, bool success)
{
	struct host *h = ctx;

	CHECK(h->frame_count > 0);
	h->frame_count--;
	if (!success)
		host_revert(h, h->frames[h->frame_count]);
	return true;
}

static void push_frame(struct host *h)
{
	CHECK(h->frame_count <= VM_DEPTH_MAX);
	h->frames[h->frame_count++] = host_snapshot(h);
}

static const struct native_contract *native_at(const struct host *h, const struct addr *address)
{
	const struct native_contract *native = native_find(address);

	return native && h->pretence && pretence_has_code(h->pretence, address) ? NULL : native;
}

static bool find_precompile(const struct host *h, const struct addr *address, uint16_t *number)
{
	return h->pretence ? pretence_precompile(h->pretence, address, number)
			   : precompile_at(address, h->table.block->revision, number);
}

/* A call that computes here, in a frame that has been pushed. */
static bool run_here(struct host *h, const struct vm_message *m, struct vm_result *done)
{
	const struct native_contract *native = m->is_delegated ? NULL : native_at(h, &m->code_address);
	struct native_call call = { .host = &h->table, .params = h->params, .message = m,
				    .result = done };
	uint16_t number;

	if (native) {
		if (!native->call(&call))
			return fail_medium(h);
	} else if (!m->is_delegated && find_precompile(h, &m->code_address, &number)) {
		if (host_is_stopped(h)) {
			host_stopped(h, NULL);
			return false;
		}
		h->met_missing |= !precompile_exists(number);
		precompile_run(&h->precompiles, number, m->input, done);
	}
	if (done->status == VM_FAILURE)
		done->gas_left = 0;
	return do_leave(h, done->status == VM_SUCCESS);
}

static bool has_no_code(const struct host *h, const struct vm_message *m)
{
	uint16_t number;

	return !m->is_delegated &&
	       (native_at(h, &m->code_address) || find_precompile(h, &m->code_address, &number));
}

/* *enough is false if the sender lacks the value, which only CALL moves. */
static bool check_funds(struct host *h, const struct vm_message *m, bool *enough)
{
	struct account sender;

	*enough = true;
	if (u256_is_zero(&m->value.n) || m->kind == VM_DELEGATECALL)
		return true;
	if (overlay_account(h->overlay, &sender, &m->sender, failure_err(h)))
		return fail_medium(h);
	*enough = wei_compare(sender.balance, m->value) >= 0;
	return true;
}

static bool enter_call(struct host *h, const struct vm_message *m, struct vm_code **code,
		       struct vm_result *done)
{
	bool enough = true;

	if (!has_no_code(h, m)) {
		if (!host_code(h, &m->code_address, code))
			return false;
		if ((*code)->bytes.size == 0)
			*code = NULL;
	}
	push_frame(h);
	if (moves_value(m) && !move_value(h, &m->sender, &m->recipient, m->value, &enough))
		return false;
	CHECK(enough);
	if (*code) {
		vm_code_ref(*code);
		return true;
	}
	return run_here(h, m, done);
}

/* CREATE's and CREATE2's address (yellow paper, 7; EIP-1014). */
static void creation_address(struct addr *out, const struct vm_message *m, uint64_t nonce)
{
	uint8_t preimage[85] = { 0xff };
	struct hash hash;

	if (m->kind == VM_CREATE) {
		tx_create_address(out, &m->sender, nonce);
		return;
	}
	memcpy(preimage + 1, m->sender.bytes, 20);
	memcpy(preimage + 21, m->salt.bytes, 32);
	keccak256(&hash, m->input);
	memcpy(preimage + 53, hash.bytes, 32);
	keccak256(&hash, bytes_of(preimage, sizeof(preimage)));
	memcpy(out->bytes, hash.bytes + 12, 20);
}

/* Gives the new contract its address and raises its maker's nonce. *good is false if
 * that nonce can't rise. A transaction has done both before. */
static bool name_creation(struct host *h, struct vm_message *m, bool *good)
{
	struct account sender;
	bool was_warm;

	*good = true;
	if (m->depth > 0) {
		if (overlay_account(h->overlay, &sender, &m->sender, failure_err(h)))
			return fail_medium(h);
		*good = sender.nonce != UINT64_MAX;
		if (!*good)
			return true;
		creation_address(&m->recipient, m, sender.nonce);
		if (overlay_set_nonce(h->overlay, &m->sender, sender.nonce + 1, failure_err(h)))
			return fail_medium(h);
	}
	m->code_address = m->recipient;
	return do_touch_account(h, &m->recipient, &was_warm);
}

static bool enter_creation(struct host *h, struct vm_message *m, bool *creates,
			   struct vm_result *done)
{
	struct account there;
	bool good, added;

	if (!name_creation(h, m, &good))
		return false;
	if (!good) {
		done->status = VM_REVERT;
		done->reason.kind = VM_FAILED_NONCE;
		return true;
	}
	if (overlay_account(h->overlay, &there, &m->recipient, failure_err(h)))
		return fail_medium(h);
	if (there.nonce || !hash_equal(&there.code_hash, &account_empty.code_hash) ||
	    !hash_equal(&there.storage_root, &account_empty.storage_root)) { /* EIP-684, 7610 */
		done->status = VM_FAILURE;
		done->reason.kind = VM_FAILED_COLLISION;
		done->gas_left = 0;
		return true;
	}
	push_frame(h);
	map_put(&h->created, &m->recipient, &added);
	if (added)
		*undo_push(h) = (struct host_undo){ .kind = UNDO_CREATED,
						    .key.address = m->recipient };
	if (overlay_set_nonce(h->overlay, &m->recipient, 1, failure_err(h)))
		return fail_medium(h);
	if (!u256_is_zero(&m->value.n) &&
	    !move_value(h, &m->sender, &m->recipient, m->value, &good))
		return false;
	*creates = true;
	return true;
}

static bool do_enter(void *ctx, struct vm_message *m, struct vm_code **code, bool *creates,
		     struct vm_result *done)
{
	struct host *h = ctx;
	bool enough;

	done->status = VM_SUCCESS;
	done->gas_left = m->gas;
	*code = NULL;
	*creates = false;
	if (!may_go_on(h))
		return false;
	if (!check_funds(h, m, &enough))
		return false;
	if (!enough) { /* as the yellow paper: nothing ran, no gas is lost */
		done->status = VM_REVERT;
		done->reason.kind = VM_FAILED_FUNDS;
		return true;
	}
	return vm_is_creation(m->kind) ? enter_creation(h, m, creates, done)
				       : enter_call(h, m, code, done);
}

static bool do_set_code(void *ctx, const struct addr *address, struct bytes code)
{
	struct host *h = ctx;

	return !overlay_set_code(h->overlay, address, code, failure_err(h)) || fail_medium(h);
}

bool host_call(struct host *h, const struct vm_message *m, struct vm_result *out)
{
	h->frame_count = 0;
	return vm_run(h->vm, &h->table, m, out);
}

static void mark_destroyed(struct host *h, const struct addr *address)
{
	if (h->destroyed_count == h->destroyed_capacity) {
		h->destroyed_capacity = MAX(2 * h->destroyed_capacity, (size_t)16);
		h->destroyed = xrealloc(h->destroyed,
					h->destroyed_capacity * sizeof(h->destroyed[0]));
	}
	h->destroyed[h->destroyed_count++] = *address;
	*undo_push(h) = (struct host_undo){ .kind = UNDO_DESTROYED };
}

/* EIP-6780: an account that was not made in this transaction only gives its balance
 * away; one that was is gone at the end, and what it leaves to itself is lost. */
static bool do_self_destruct(void *ctx, const struct addr *address, const struct addr *heir)
{
	struct host *h = ctx;
	bool is_new = map_get(&h->created, address) != NULL, enough;
	struct account a;

	if (is_new)
		mark_destroyed(h, address);
	if (overlay_account(h->overlay, &a, address, failure_err(h)))
		return fail_medium(h);
	if (h->tracer && h->tracer->self_destruct)
		h->tracer->self_destruct(h->tracer->ctx, address, heir, a.balance);
	if (u256_is_zero(&a.balance.n))
		return true;
	if (!addr_equal(address, heir))
		return move_value(h, address, heir, a.balance, &enough);
	return !is_new || !overlay_set_balance(h->overlay, address, wei_of(0), failure_err(h)) ||
	       fail_medium(h);
}

bool host_end(struct host *h)
{
	for (size_t i = 0; i < h->destroyed_count; i++)
		if (overlay_destroy(h->overlay, &h->destroyed[i], failure_err(h)))
			return fail_medium(h);
	h->destroyed_count = 0;
	return true;
}

/* --- life --- */

void host_init(struct host *h, const struct chain_params *params, struct overlay *overlay,
	       size_t code_size, uint64_t seed)
{
	uint8_t ecc_seed[32] = { 0 };

	store_be64(ecc_seed, seed); /* nothing is signed with it */
	*h = (struct host){ .params = params, .overlay = overlay };
	h->vm = vm_new(params->revision, code_size, seed);
	h->ecc = ecc_new(ecc_seed);
	h->precompiles = (struct precompiles){ .revision = params->revision, .ecc = h->ecc,
					       .p256 = p256_new() };
	h->no_code = vm_code_new(bytes_of(NULL, 0));
	h->frames = xmalloc((VM_DEPTH_MAX + 1) * sizeof(h->frames[0]));
	h->table = (struct vm_host){
		.ctx = h,
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
	map_init(&h->warm_accounts, sizeof(struct addr), 0, seed);
	map_init(&h->warm_slots, sizeof(struct host_slot_key), 0, seed);
	map_init(&h->transients, sizeof(struct host_slot_key), sizeof(struct u256), seed);
	map_init(&h->created, sizeof(struct addr), 0, seed);
}

void host_clear(struct host *h)
{
	map_clear(&h->warm_accounts);
	map_clear(&h->warm_slots);
	map_clear(&h->transients);
	map_clear(&h->created);
	vm_free(h->vm);
	vm_code_unref(h->no_code);
	p256_free(h->precompiles.p256);
	ecc_free(h->ecc);
	buf_clear(&h->scratch);
	free(h->frames);
	free(h->destroyed);
	free(h->journal);
	free(h->logs);
	buf_clear(&h->log_data);
	*h = (struct host){ 0 };
}

/* What a large transaction has left is let go of, so that the small ones after it do not
 * pay for wiping it. */
static void forget(struct map *m)
{
	if (m->capacity > MAP_KEPT_CAPACITY)
		map_clear(m);
	else
		map_reset(m);
}

void host_begin(struct host *h, const struct vm_block_context *block, const struct addr *origin,
		const struct addr *to, struct wei gas_price, struct bytes access_list)
{
	forget(&h->warm_accounts);
	forget(&h->warm_slots);
	forget(&h->transients);
	forget(&h->created);
	h->destroyed_count = h->frame_count = 0;
	h->met_missing = h->has_touched = false;
	h->pretence = NULL;
	h->history_height = block->height;
	h->asked_count = 0;
	h->journal_count = h->log_count = 0;
	buf_reset(&h->log_data);
	h->failure = OK;
	h->failure_err = (struct err){ 0 };
	h->table.block = block;
	h->table.origin = *origin;
	h->table.gas_price = gas_price;
	map_put(&h->warm_accounts, origin, NULL);
	if (to)
		map_put(&h->warm_accounts, to, NULL);
	map_put(&h->warm_accounts, &block->coinbase, NULL);
	warm_access_list(h, access_list);
}

struct host_snapshot host_snapshot(struct host *h)
{
	return (struct host_snapshot){ overlay_snapshot(h->overlay), h->journal_count, h->log_count,
				       h->log_data.size };
}

void host_revert(struct host *h, struct host_snapshot s)
{
	overlay_revert(h->overlay, s.overlay);
	h->has_touched = false;
	while (h->journal_count > s.journal) {
		const struct host_undo *u = &h->journal[--h->journal_count];

		switch (u->kind) {
		case UNDO_ACCOUNT:
			map_delete(&h->warm_accounts, &u->key.address);
			break;
		case UNDO_SLOT:
			map_delete(&h->warm_slots, &u->key);
			break;
		case UNDO_CREATED:
			map_delete(&h->created, &u->key.address);
			break;
		case UNDO_DESTROYED:
			h->destroyed_count--;
			break;
		case UNDO_TRANSIENT:
			*(struct u256 *)map_get(&h->transients, &u->key) = u->value;
			break;
		}
	}
	h->log_count = s.logs;
	h->log_data.size = s.log_size;
}
