/*
 * Whole transactions in a world of three contracts whose code is the input: money is
 * neither made nor lost, what fails leaves nothing but its price, and the same
 * transaction comes to the same on a used machine, and one instruction at a time.
 *
 * The input: revision; gas (2 bytes, in hundreds); flags; value; sizes of two codes
 * (1 byte each, in 4 bytes); the codes; the rest is the third's, and the data.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"
#include "exec/internal.h"
#include "state/overlay.h"

#define CONTRACT_COUNT 3
#define AUTHORITY CONTRACT_COUNT
#define SENDER (CONTRACT_COUNT + 1)
#define ACCOUNT_COUNT (CONTRACT_COUNT + 2)
#define BALANCE (1ull << 60)
#define BASE_FEE 7
#define BLOCK_GAS 60000000
#define HEAD_SIZE 7

enum flag { IS_CREATE = 1, AUTHORIZES = 2, IS_DELEGATED = 4, TO_AUTHORITY = 8, TIPS = 16 };

const char *const fuzz_seeds[] = {
	/* PUSH1 1 PUSH1 0 SSTORE, LOG0, a call with value to the second contract */
	"02 1388 00 05 08 04 6001600055 5f5fa0 5f5f5f5f6001"
	"73aa00000000000000000000000000000000000002 5af100 47ff5f5ffd 00",
	/* a creation whose code destroys itself, in favour of itself and of its caller */
	"02 1388 01 09 00 00 30ff", "00 1388 01 09 00 00 33ff", "01 1388 01 00 00 00 60ef5f5360015ff3",
	/* CREATE2 twice at one place, with value, then a call of what was made */
	"02 1388 00 01 10 00 6032 5f53 60ff 600153 5f60025f6001f5 80 5f5f5f5f5f 85 5a f1 5f60025f6001f5 5f55 5f55 00",
	/* a delegated account that calls itself; authorization on the way */
	"01 07d0 0e 01 06 06 5f5f5f5f5f305af1 5f5500 33 5f 55 00", "02 03e8 02 00 04 04 3031 5f 55 00",
	/* transient storage, reentered; failing with all gas */
	"02 09f6 10 00 0a 0a 5f5c 6001 01 80 5f5d 5f5f5f5f5f335af1 fe 00",
	"02 1388 10 00 14 14 5b 5a 5f55 5a 6001 55 5f 5f55 6000 56", "", NULL,
};

struct world {
	struct addr addresses[ACCOUNT_COUNT];
	struct account accounts[ACCOUNT_COUNT];
	struct bytes codes[ACCOUNT_COUNT];
	uint8_t delegation[23];
	enum revision revision;
	struct vm_block_context block;
	struct tx t;
	struct buf authorizations;
};

/* --- the state before --- */

static int view_account(void *ctx, struct account *out, const struct addr *a, struct err *err)
{
	const struct world *w = ctx;

	(void)err;
	*out = account_empty;
	for (size_t i = 0; i < ACCOUNT_COUNT; i++)
		if (addr_equal(a, &w->addresses[i]))
			*out = w->accounts[i];
	return OK;
}

/* A slot of a contract has its last byte. */
static int view_storage(void *ctx, struct u256 *out, const struct addr *a, const struct hash *slot,
			struct err *err)
{
	const struct world *w = ctx;

	(void)err;
	*out = u256_of(0);
	for (size_t i = 0; i < CONTRACT_COUNT; i++)
		if (addr_equal(a, &w->addresses[i]))
			*out = u256_of(slot->bytes[31] % 3);
	return OK;
}

static int view_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	const struct world *w = ctx;

	(void)err;
	for (size_t i = 0; i < ACCOUNT_COUNT; i++)
		if (hash_equal(code_hash, &w->accounts[i].code_hash)) {
			if (w->codes[i].size)
				buf_append_bytes(out, w->codes[i]);
			break;
		}
	return OK;
}

static void put_account(struct world *w, size_t i, struct bytes code, uint64_t nonce)
{
	w->accounts[i] = account_empty;
	w->accounts[i].balance = wei_of(BALANCE);
	w->accounts[i].nonce = nonce;
	w->codes[i] = code;
	if (code.size)
		keccak256(&w->accounts[i].code_hash, code);
}

static struct bytes cut(struct bytes *rest, size_t size)
{
	struct bytes piece = bytes_of(rest->data, MIN(size, rest->size));

	*rest = bytes_of(piece.size < rest->size ? rest->data + piece.size : NULL, rest->size - piece.size);
	return piece;
}

static void authorize(struct world *w, const struct ecc *ecc, const struct secret_key *key)
{
	CHECK(tx_put_authorization(&w->authorizations, ecc, 1, &w->addresses[1],
				   w->accounts[AUTHORITY].nonce, key, NULL) == OK);
	w->t.type = TX_SET_CODE;
	w->t.authorizations = buf_bytes(&w->authorizations);
	w->t.authorization_count = 1;
}

static void world_init(struct world *w, const uint8_t *head, struct bytes rest)
{
	static const uint8_t seed[32] = { 1 };
	static const struct secret_key key = { { [31] = 9 } };
	struct ecc *ecc = ecc_new(seed);
	struct public_key public_key;
	uint8_t flags = head[3];

	*w = (struct world){ .delegation = { 0xef, 1, 0 } };
	w->revision = (enum revision)(head[0] % 3);
	w->block = (struct vm_block_context){
		.height = 1000, .timestamp = 1700000000, .gas_limit = BLOCK_GAS, .chain_id = 1,
		.base_fee = wei_of(BASE_FEE), .blob_base_fee = wei_of(1), .revision = w->revision,
		.coinbase = { { [0] = 0xcc } },
	};
	for (size_t i = 0; i < CONTRACT_COUNT; i++)
		w->addresses[i] = (struct addr){ { [0] = 0xaa, [19] = (uint8_t)(i + 1) } };
	w->addresses[SENDER] = (struct addr){ { [0] = 0x55 } };
	CHECK(ecc_public_key(ecc, &public_key, &key, NULL) == OK);
	ecc_address(&w->addresses[AUTHORITY], &public_key);
	put_account(w, 0, cut(&rest, 4u * head[5]), 1);
	put_account(w, 1, cut(&rest, 4u * head[6]), 1);
	put_account(w, 2, rest, 1);
	memcpy(w->delegation + 3, w->addresses[0].bytes, 20);
	put_account(w, AUTHORITY, bytes_of(w->delegation, flags & IS_DELEGATED ? 23 : 0), 3);
	put_account(w, SENDER, bytes_of(NULL, 0), 5);
	w->t = (struct tx){
		.type = TX_DYNAMIC_FEE, .has_chain_id = true, .has_sender = true, .chain_id = 1, .nonce = 5,
		.gas_limit = 100ull * (head[1] << 8 | head[2]), .max_fee = wei_of(BASE_FEE + 5),
		.max_priority_fee = wei_of(flags & TIPS ? 5 : 0), .value = wei_of(head[4]),
		.is_create = flags & IS_CREATE, .data = rest, .sender = w->addresses[SENDER],
	};
	if (!w->t.is_create)
		w->t.to = w->addresses[flags & TO_AUTHORITY ? AUTHORITY : 0];
	if (flags & AUTHORIZES && !w->t.is_create && w->revision >= REVISION_PRAGUE)
		authorize(w, ecc, &key);
	ecc_free(ecc);
}

/* --- running, and what must hold --- */

/* One for all inputs of a revision, as in a node: what one run leaves, the next must not see. */
static struct exec *executor(enum revision revision)
{
	static struct chain_params params[REVISION_OSAKA + 1];
	static struct exec *executors[REVISION_OSAKA + 1];

	params[revision] = (struct chain_params){ .chain_id = 1, .revision = revision,
						  .block_gas_limit = BLOCK_GAS };
	if (!executors[revision])
		executors[revision] = exec_new(&params[revision], 1);
	return executors[revision];
}

struct outcome {
	int code;
	struct receipt receipt;
	struct state_diff diff;
};

static struct outcome run(struct world *w, struct exec *x, const struct vm_tracer *tracer)
{
	static const struct state_view_ops ops = { view_account, view_storage, view_code };
	struct outcome o = { 0 };

	overlay_reset(x->overlay, (struct state_view){ .ops = &ops, .ctx = w });
	vm_set_tracer(x->host.vm, tracer);
	o.code = transaction_execute(x, &w->block, &w->t, w->block.gas_limit, &o.receipt, NULL);
	overlay_diff(x->overlay, &o.diff);
	return o;
}

static void outcome_clear(struct outcome *o)
{
	receipt_clear(&o->receipt);
	state_diff_clear(&o->diff);
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
	struct buf x = { 0 }, y = { 0 };

	CHECK(a->code == b->code);
	if (a->code == OK) {
		receipt_encode(&x, &a->receipt);
		receipt_encode(&y, &b->receipt);
		CHECK(a->receipt.gas_used == b->receipt.gas_used);
	}
	state_diff_encode(&x, &a->diff);
	state_diff_encode(&y, &b->diff);
	CHECK(bytes_equal(buf_bytes(&x), buf_bytes(&y)));
	buf_clear(&x);
	buf_clear(&y);
}

struct watch {
	bool destroys;
};

static void watch_step(void *ctx, const struct vm_step *s)
{
	struct watch *w = ctx;

	w->destroys = w->destroys || s->opcode == 0xff;
}

/* What all had before is what they have after, and the base fee, which is burned. Only what
 * destroys itself in its own favour, in the transaction that made it, burns more. */
static void check_money(const struct outcome *o, bool destroys)
{
	struct u256 before = u256_of(0), after, burned;

	CHECK(!u256_mul(&burned, &(struct u256){ { BASE_FEE } }, &(struct u256){ { o->receipt.gas_used } }));
	after = burned;
	for (size_t i = 0; i < o->diff.account_count; i++) {
		CHECK(!u256_add(&before, &before, &o->diff.accounts[i].before.balance.n));
		CHECK(!u256_add(&after, &after, &o->diff.accounts[i].after.balance.n));
	}
	CHECK(u256_compare(&after, &before) <= 0);
	CHECK(destroys || u256_equal(&after, &before));
}

static const struct account_change *find(const struct outcome *o, const struct addr *a)
{
	for (size_t i = 0; i < o->diff.account_count; i++)
		if (addr_equal(&o->diff.accounts[i].address, a))
			return &o->diff.accounts[i];
	return NULL;
}

static void check_outcome(const struct world *w, const struct outcome *o, bool destroys)
{
	const struct account_change *sender = find(o, &w->t.sender);

	CHECK(o->receipt.gas_used <= w->t.gas_limit);
	CHECK(o->receipt.gas_used >= tx_floor_gas(&w->t, w->revision));
	CHECK(sender && sender->after.nonce >= 6);
	check_money(o, destroys);
	if (o->receipt.success)
		return;
	CHECK(o->receipt.log_count == 0 && o->diff.slot_count == 0);
	CHECK(sender->after.nonce == 6);
	for (size_t i = 0; i < CONTRACT_COUNT; i++)
		CHECK(!find(o, &w->addresses[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t short_input[HEAD_SIZE];
	struct watch watch = { 0 };
	const struct vm_tracer tracer = { .ctx = &watch, .step = watch_step };
	struct bytes rest = size > HEAD_SIZE ? bytes_of(data + HEAD_SIZE, size - HEAD_SIZE) : bytes_of(NULL, 0);
	struct outcome first, second, traced;
	struct world w;
	struct exec *x;

	world_init(&w, size >= HEAD_SIZE ? data : short_input, rest);
	x = executor(w.revision);
	first = run(&w, x, NULL);
	traced = run(&w, x, &tracer);
	second = run(&w, x, NULL);
	check_same(&first, &second);
	check_same(&first, &traced);
	if (first.code == OK)
		check_outcome(&w, &first, watch.destroys);
	else
		CHECK(first.diff.account_count == 0 && first.diff.slot_count == 0);
	outcome_clear(&first);
	outcome_clear(&second);
	outcome_clear(&traced);
	buf_clear(&w.authorizations);
	return 0;
}
