#include "app/state_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

#define CODE_TEXT_SIZE_MAX (8 * MIB)

/* --- reading --- */

bool state_file_read(struct buf *out, const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t got;

	if (!f)
		return false;
	do {
		buf_reserve(out, 64 * KIB);
		got = fread(out->data + out->size, 1, 64 * KIB, f);
		out->size += got;
	} while (got && out->size < STATE_FILE_SIZE_MAX);
	got = (size_t)ferror(f);
	return fclose(f) == 0 && got == 0;
}

/* A quantity, "0x…", that may have leading zeros, as these files write them. */
static bool read_number(struct bytes text, struct u256 *out)
{
	uint8_t bytes[32];
	char digits[64];
	size_t count;

	*out = u256_of(0);
	if (text.size < 2 || text.data[0] != '0' || text.data[1] != 'x')
		return false;
	while (text.size > 66 && text.data[2] == '0') {
		text.data++;
		text.size--;
	}
	count = text.size - 2;
	if (count > sizeof(digits))
		return false;
	memset(digits, '0', sizeof(digits));
	memcpy(digits + sizeof(digits) - count, text.data + text.size - count, count);
	if (!hex_decode(bytes, sizeof(bytes), bytes_of(digits, sizeof(digits))))
		return false;
	*out = u256_from_be(bytes_of(bytes, sizeof(bytes)));
	return true;
}

static struct u256 number(const struct jval *v)
{
	struct u256 n;

	read_number(jval_string(v), &n);
	return n;
}

static uint64_t small(const struct jval *v)
{
	struct u256 n = number(v);

	return u256_fits_u64(&n) ? n.limbs[0] : UINT64_MAX;
}

static struct addr address(struct bytes text)
{
	struct addr a = { 0 };

	hex_parse_fixed(a.bytes, sizeof(a.bytes), text);
	return a;
}

bool state_fork(const char *name, enum revision *out)
{
	static const struct {
		const char *name;
		enum revision revision;
	} forks[] = { { "Cancun", REVISION_CANCUN },
		      { "Prague", REVISION_PRAGUE },
		      { "Osaka", REVISION_OSAKA } };

	for (size_t i = 0; i < ARRAY_COUNT(forks); i++)
		if (strcmp(forks[i].name, name) == 0) {
			*out = forks[i].revision;
			return true;
		}
	return false;
}

/* --- the state before --- */

static bool load_slots(struct overlay *o, const struct addr *a, const struct jval *storage)
{
	void *cursor = NULL;
	const char *key;
	const struct jval *value;

	while (jval_next(storage, &cursor, &key, &value)) {
		struct u256 index, stored = number(value);
		struct hash slot;

		if (!read_number(bytes_of_str(key), &index))
			return false;
		u256_to_be32(slot.bytes, &index);
		if (overlay_set_storage(o, a, &slot, &stored, NULL) != OK)
			return false;
	}
	return true;
}

static bool load_account(struct overlay *o, const struct addr *a, const struct jval *v)
{
	struct buf code = { 0 };
	struct wei balance = { number(jval_get(v, "balance")) };
	bool good = overlay_set_balance(o, a, balance, NULL) == OK &&
		    overlay_set_nonce(o, a, small(jval_get(v, "nonce")), NULL) == OK &&
		    hex_parse_data(&code, jval_string(jval_get(v, "code")), CODE_TEXT_SIZE_MAX);

	if (good && code.size)
		good = overlay_set_code(o, a, buf_bytes(&code), NULL) == OK;
	good = good && load_slots(o, a, jval_get(v, "storage"));
	buf_clear(&code);
	return good;
}

static bool load_state(struct overlay *o, const struct jval *pre)
{
	void *cursor = NULL;
	const char *key;
	const struct jval *value;

	overlay_reset(o, state_view_empty());
	while (jval_next(pre, &cursor, &key, &value)) {
		struct addr a = address(bytes_of_str(key));

		if (!load_account(o, &a, value))
			return false;
	}
	return true;
}

/* e^(excess/fraction), as EIP-4844's fake_exponential. */
static struct wei blob_base_fee(uint64_t excess, enum revision revision)
{
	const uint64_t fraction = revision >= REVISION_PRAGUE ? 5007716 : 3338477;
	const struct u256 numerator = u256_of(excess);
	struct u256 sum = u256_of(0), term = u256_of(fraction);

	for (uint64_t i = 1; !u256_is_zero(&term) && i < 10000; i++) {
		u256_add(&sum, &sum, &term);
		if (u256_mul(&term, &term, &numerator))
			break;
		u256_div_u64(&term, &term, fraction);
		u256_div_u64(&term, &term, i);
	}
	u256_div_u64(&sum, &sum, fraction);
	return (struct wei){ sum };
}

static struct vm_block_context load_block(const struct jval *env, enum revision revision)
{
	struct u256 mix = number(jval_get(env, "currentRandom"));
	struct vm_block_context b = {
		.height = small(jval_get(env, "currentNumber")),
		.timestamp = small(jval_get(env, "currentTimestamp")),
		.gas_limit = small(jval_get(env, "currentGasLimit")),
		.chain_id = 1,
		.coinbase = address(jval_string(jval_get(env, "currentCoinbase"))),
		.base_fee = { number(jval_get(env, "currentBaseFee")) },
		.blob_base_fee = blob_base_fee(small(jval_get(env, "currentExcessBlobGas")), revision),
		.revision = revision,
	};

	u256_to_be32(b.prev_randao.bytes, &mix);
	return b;
}

int state_world_load(struct state_world *w, const struct jval *test, enum revision revision,
		     struct err *err)
{
	const struct overlay_limits limits = { UINT32_MAX - 1, UINT32_MAX - 1 };
	struct overlay *o = overlay_new(limits, 1);
	bool good = load_state(o, jval_get(test, "pre"));

	*w = (struct state_world){ .block = load_block(jval_get(test, "env"), revision) };
	map_init(&w->codes, sizeof(struct hash), sizeof(uint32_t), 1);
	if (good)
		overlay_diff(o, &w->diff);
	overlay_free(o);
	if (!good)
		return ERR_SET(err, JSON_E_SYNTAX, "\"pre\" can't be read");
	w->tree = state_tree_new(&header_empty_trie_root, (struct tree_source){ 0 }, SIZE_MAX, 1);
	CHECK(state_tree_apply(w->tree, &w->diff, &w->root, NULL) == OK);
	for (uint32_t i = 0; i < w->diff.code_count; i++)
		*(uint32_t *)map_put(&w->codes, &w->diff.codes[i].code_hash, NULL) = i;
	return OK;
}

void state_world_clear(struct state_world *w)
{
	state_tree_free(w->tree);
	state_diff_clear(&w->diff);
	map_clear(&w->codes);
	*w = (struct state_world){ 0 };
}

/* --- the view: the difference is sorted --- */

static int compare_account(const void *key, const void *entry)
{
	const struct account_change *c = entry;

	return memcmp(key, &c->address, sizeof(c->address));
}

static int view_account(void *ctx, struct account *out, const struct addr *a, struct err *err)
{
	const struct state_world *w = ctx;
	const struct account_change *found =
		w->diff.account_count ? bsearch(a, w->diff.accounts, w->diff.account_count,
						sizeof(*found), compare_account)
				      : NULL;

	(void)err;
	*out = found ? found->after : account_empty;
	return OK;
}

static int compare_slot(const void *key, const void *entry)
{
	const struct slot_change *k = key, *c = entry;
	int order = memcmp(&k->address, &c->address, sizeof(c->address));

	return order ? order : memcmp(&k->slot, &c->slot, sizeof(c->slot));
}

static int view_storage(void *ctx, struct u256 *out, const struct addr *a, const struct hash *slot,
			struct err *err)
{
	const struct state_world *w = ctx;
	const struct slot_change key = { .address = *a, .slot = *slot };
	const struct slot_change *found =
		w->diff.slot_count ? bsearch(&key, w->diff.slots, w->diff.slot_count,
					     sizeof(*found), compare_slot)
				   : NULL;

	(void)err;
	*out = found ? found->after : u256_of(0);
	return OK;
}

static int view_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	const struct state_world *w = ctx;
	const uint32_t *index = map_get(&w->codes, code_hash);

	(void)err;
	if (index)
		buf_append_bytes(out, w->diff.codes[*index].code);
	return OK;
}

struct state_view state_world_view(struct state_world *w)
{
	static const struct state_view_ops ops = { view_account, view_storage, view_code };

	return (struct state_view){ .ops = &ops, .ctx = w };
}

/* --- running --- */

bool state_block_hash(void *ctx, uint64_t height, struct hash *out)
{
	const struct host *h = ctx;
	char digits[24];
	int size;

	*out = (struct hash){ 0 };
	if (height >= h->table.block->height || h->table.block->height - height > 256)
		return true;
	size = snprintf(digits, sizeof(digits), "%" PRIu64, height);
	keccak256(out, bytes_of(digits, (size_t)size));
	return true;
}

/* keccak256 of rlp([[address, [topic, …], data], …]) */
static void hash_logs(struct hash *out, const struct receipt *r)
{
	struct buf b = { 0 };
	size_t list = rlp_list_open(&b);

	for (size_t i = 0; i < r->log_count; i++) {
		const struct log_entry *l = &r->logs[i];
		size_t entry = rlp_list_open(&b), topics;

		rlp_put_addr(&b, &l->address);
		topics = rlp_list_open(&b);
		for (size_t k = 0; k < l->topic_count; k++)
			rlp_put_hash(&b, &l->topics[k]);
		rlp_list_close(&b, topics);
		rlp_put_bytes(&b, l->data);
		rlp_list_close(&b, entry);
	}
	rlp_list_close(&b, list);
	keccak256(out, buf_bytes(&b));
	buf_clear(&b);
}

/* The root with what the overlay has changed; the tree is then as before. */
static void find_root(struct state_world *w, const struct overlay *o, struct state_outcome *out)
{
	overlay_diff(o, &out->diff);
	CHECK(state_tree_apply(w->tree, &out->diff, &out->root, NULL) == OK);
	CHECK(state_tree_revert(w->tree, &out->diff, NULL) == OK);
}

void state_outcome_clear(struct state_outcome *o)
{
	receipt_clear(&o->receipt);
	state_diff_clear(&o->diff);
}

static int decode(struct tx **t, const struct ecc *ecc, const struct jval *post, struct err *err)
{
	struct buf raw = { 0 };
	int rc;

	if (!hex_parse_data(&raw, jval_string(jval_get(post, "txbytes")), STATE_FILE_SIZE_MAX))
		rc = ERR_SET(err, JSON_E_SYNTAX, "txbytes can't be read");
	else
		rc = tx_decode_any(t, buf_bytes(&raw), SIZE_MAX, err);
	buf_clear(&raw);
	if (rc)
		return rc;
	rc = tx_recover(ecc, *t, err);
	if (rc)
		tx_unref(*t);
	return rc;
}

void state_world_run(struct state_world *w, const struct ecc *ecc, const struct jval *post,
		     const struct vm_tracer *tracer, struct state_outcome *out)
{
	struct chain_params params = {
		.chain_id = 1,
		.revision = w->block.revision,
		.block_gas_limit = w->block.gas_limit,
	};
	struct exec *x;
	struct tx *t;

	*out = (struct state_outcome){ .root = w->root };
	hash_logs(&out->logs, &out->receipt);
	out->code = decode(&t, ecc, post, &out->err);
	if (out->code)
		return;
	x = exec_new(&params, 1);
	x->host.table.block_hash = state_block_hash;
	if (tracer)
		vm_set_tracer(x->host.vm, tracer);
	overlay_reset(x->overlay, state_world_view(w));
	out->code = transaction_execute(x, &w->block, t, w->block.gas_limit, &out->receipt, &out->err);
	if (out->code == OK) {
		find_root(w, x->overlay, out);
		hash_logs(&out->logs, &out->receipt);
		out->met_missing = x->host.met_missing;
	}
	tx_unref(t);
	exec_free(x);
}
