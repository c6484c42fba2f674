#include "exec/host.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "exec/native.h"

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

/* How far back BLOCKHASH sees. */
#define BLOCK_HASH_WINDOW 256

struct slot_key {
	struct addr address;
	struct hash slot;
};

/* What a revert takes back, beside the overlay's own journal and the logs. */
struct host_undo {
	enum { UNDO_ACCOUNT, UNDO_SLOT, UNDO_TRANSIENT } kind;
	struct slot_key key;
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

	if (overlay_account(h->overlay, &a, address, failure_err(h)))
		return fail_medium(h);
	*exists = !account_is_empty(&a);
	*balance = a.balance;
	*code_hash = *exists ? a.code_hash : (struct hash){ 0 };
	return true;
}

static bool do_code(void *ctx, const struct addr *address, struct buf *out)
{
	struct host *h = ctx;

	return !overlay_code(h->overlay, out, address, failure_err(h)) || fail_medium(h);
}

static bool do_storage(void *ctx, const struct addr *address, const struct hash *slot,
		       struct vm_storage_values *out)
{
	struct host *h = ctx;

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
	const struct slot_key key = { *address, *slot };
	const struct u256 *value = map_get(&h->transients, &key);

	*out = value ? *value : u256_of(0);
	return true;
}

static bool do_set_transient(void *ctx, const struct addr *address, const struct hash *slot,
			     const struct u256 *value)
{
	struct host *h = ctx;
	const struct slot_key key = { *address, *slot };
	struct u256 *place = map_put(&h->transients, &key, NULL);

	*undo_push(h) = (struct host_undo){ UNDO_TRANSIENT, key, *place };
	*place = *value;
	return true;
}

/* --- access sets --- */

static bool do_touch_account(void *ctx, const struct addr *address, bool *was_warm)
{
	struct host *h = ctx;
	bool added;

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
	const struct slot_key key = { *address, *slot };
	bool added;

	map_put(&h->warm_slots, &key, &added);
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
			struct slot_key key = { .address = address };

			memcpy(key.slot.bytes, slots.data + 33 * i + 1, sizeof(key.slot.bytes));
			map_put(&h->warm_slots, &key, NULL);
		}
	}
}

static struct addr low_address(uint16_t number)
{
	struct addr a = { 0 };

	a.bytes[18] = (uint8_t)(number >> 8);
	a.bytes[19] = (uint8_t)number;
	return a;
}

#define PRECOMPILE_CANCUN_LAST 0x0a
#define PRECOMPILE_PRAGUE_LAST 0x11
#define PRECOMPILE_P256 0x0100 /* EIP-7951 */

static uint16_t precompile_last(enum revision revision)
{
	return revision >= REVISION_PRAGUE ? PRECOMPILE_PRAGUE_LAST : PRECOMPILE_CANCUN_LAST;
}

static void warm_precompiles(struct host *h, enum revision revision)
{
	struct addr address;

	for (uint16_t i = 1; i <= precompile_last(revision); i++) {
		address = low_address(i);
		map_put(&h->warm_accounts, &address, NULL);
	}
	if (revision >= REVISION_OSAKA) {
		address = low_address(PRECOMPILE_P256);
		map_put(&h->warm_accounts, &address, NULL);
	}
}

bool host_is_precompile(const struct addr *address, enum revision revision)
{
	struct addr low = low_address((uint16_t)(address->bytes[18] << 8 | address->bytes[19]));
	unsigned number = address->bytes[18] << 8 | address->bytes[19];

	if (!addr_equal(address, &low))
		return false;
	return (number >= 1 && number <= precompile_last(revision)) ||
	       (number == PRECOMPILE_P256 && revision >= REVISION_OSAKA);
}

/* --- logs and history --- */

static bool do_log(void *ctx, const struct addr *address, const struct hash topics[],
		   size_t topic_count, struct bytes data)
{
	struct host *h = ctx;
	struct log_entry *log;

	CHECK(topic_count <= LOG_TOPIC_MAX);
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
	return true;
}

void host_logs(struct host *h, struct receipt *r)
{
	const uint8_t *data = h->log_data.data;

	if (h->log_count == 0)
		return;
	for (size_t i = 0; i < h->log_count; i++) {
		h->logs[i].data.data = data;
		data += h->logs[i].data.size;
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
	if (overlay_storage(h->overlay, &value, &exec_history_address, &slot, failure_err(h)))
		return fail_medium(h);
	u256_to_be32(out->bytes, &value);
	return true;
}

/* --- calls --- */

static int refuse(struct err *err, const char *what, const struct addr *address)
{
	char text[HEX_ADDR_SIZE];

	return ERR_SET(
		err, EXEC_E_NO_VM,
		"contract calls are not executed by this version: %s %s; transfers to accounts "
		"without code and calls to native contracts are",
		hex_data(text, addr_bytes(address)), what);
}

int host_check_callable(const struct addr *to, const struct account *account,
			enum revision revision, struct err *err)
{
	if (native_find(to))
		return OK;
	if (host_is_precompile(to, revision))
		return refuse(err, "is a precompile", to);
	if (!hash_equal(&account->code_hash, &account_empty.code_hash))
		return refuse(err, "has code", to);
	return OK;
}

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

/* Runs what is at the code address: a native contract, or nothing. */
static bool run_code(struct host *h, const struct vm_message *m, struct vm_result *out)
{
	const struct native_contract *native = native_find(&m->code_address);
	struct native_call call = { .host = &h->table, .params = h->params, .message = m,
				    .result = out };

	if (!native)
		return true;
	if (!native->call(&call))
		return fail_medium(h);
	if (out->status == VM_FAILURE)
		out->gas_left = 0;
	return true;
}

static bool is_creation(const struct vm_message *m)
{
	return m->kind == VM_CREATE || m->kind == VM_CREATE2;
}

/* Creations and what only an EVM can run end the transaction. */
static bool check_runnable(struct host *h, const struct vm_message *m)
{
	struct account code;

	if (h->failure != OK)
		return false;
	if (is_creation(m)) {
		h->failure = ERR_SET(&h->failure_err, EXEC_E_NO_VM,
				     "contract creation is not executed by this version");
		return false;
	}
	if (overlay_account(h->overlay, &code, &m->code_address, failure_err(h)))
		return fail_medium(h);
	h->failure = host_check_callable(&m->code_address, &code, h->table.block->revision,
					 &h->failure_err);
	return h->failure == OK;
}

bool host_call(struct host *h, const struct vm_message *m, struct vm_result *out)
{
	struct host_snapshot before;
	bool enough = true;

	*out = (struct vm_result){ .status = VM_FAILURE };
	if (!check_runnable(h, m))
		return false;
	*out = (struct vm_result){ .status = VM_SUCCESS, .gas_left = m->gas };
	before = host_snapshot(h);
	if (moves_value(m) && !move_value(h, &m->sender, &m->recipient, m->value, &enough))
		return false;
	if (!enough) {
		out->status = VM_REVERT; /* as the yellow paper: nothing ran, no gas is lost */
		return true;
	}
	if (!run_code(h, m, out))
		return false;
	if (out->status != VM_SUCCESS)
		host_revert(h, before);
	return true;
}

static bool do_call(void *ctx, const struct vm_message *m, struct vm_result *out)
{
	return host_call(ctx, m, out);
}

/* EIP-6780: an account that was not made in this transaction only gives its
 * balance away, and nothing is made in a transaction before there is an EVM. */
static bool do_self_destruct(void *ctx, const struct addr *address, const struct addr *heir)
{
	struct host *h = ctx;
	struct account a;
	bool enough;

	if (overlay_account(h->overlay, &a, address, failure_err(h)))
		return fail_medium(h);
	return u256_is_zero(&a.balance.n) || move_value(h, address, heir, a.balance, &enough);
}

/* --- life --- */

void host_init(struct host *h, const struct chain_params *params, struct overlay *overlay,
	       uint64_t seed)
{
	*h = (struct host){ .params = params, .overlay = overlay };
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
		.call = do_call,
		.self_destruct = do_self_destruct,
		.block_hash = do_block_hash,
	};
	map_init(&h->warm_accounts, sizeof(struct addr), 0, seed);
	map_init(&h->warm_slots, sizeof(struct slot_key), 0, seed);
	map_init(&h->transients, sizeof(struct slot_key), sizeof(struct u256), seed);
}

void host_clear(struct host *h)
{
	map_clear(&h->warm_accounts);
	map_clear(&h->warm_slots);
	map_clear(&h->transients);
	free(h->journal);
	free(h->logs);
	buf_clear(&h->log_data);
	*h = (struct host){ 0 };
}

void host_begin(struct host *h, const struct vm_block_context *block, const struct addr *origin,
		const struct addr *to, struct wei gas_price, struct bytes access_list)
{
	map_reset(&h->warm_accounts);
	map_reset(&h->warm_slots);
	map_reset(&h->transients);
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
	warm_precompiles(h, block->revision);
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
	while (h->journal_count > s.journal) {
		const struct host_undo *u = &h->journal[--h->journal_count];

		switch (u->kind) {
		case UNDO_ACCOUNT:
			map_delete(&h->warm_accounts, &u->key.address);
			break;
		case UNDO_SLOT:
			map_delete(&h->warm_slots, &u->key);
			break;
		case UNDO_TRANSIENT:
			*(struct u256 *)map_get(&h->transients, &u->key) = u->value;
			break;
		}
	}
	h->log_count = s.logs;
	h->log_data.size = s.log_size;
}
