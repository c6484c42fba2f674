/*
 * GeneralStateTests of github.com/ethereum/tests, at Cancun, as far as they go
 * without an EVM: what a transaction to an account without code does to the
 * state, and which transactions are refused. A file of which every case needs an
 * EVM is named as not applicable in one line.
 */
#include <stdio.h>
#include <stdlib.h>

#include "codec/hex.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "exec/internal.h"
#include "json/json.h"
#include "state/tree.h"
#include "tap.h"

#define CASE_COUNT 1996 /* lines of this report for v14.1, as far as the folder holds it */
#define FILE_SIZE_MAX (64 * MIB)
#define PRE_CODE_SIZE_MAX MIB

enum outcome {
	OUTCOME_PASSED,
	OUTCOME_FAILED,
	OUTCOME_NEEDS_EVM,
	OUTCOME_OTHER_TYPE, /* blobs, authorizations */
};

struct run {
	struct tap *tap;
	const struct ecc *ecc;
	size_t skip; /* of a path: the folder's name */
};

/* --- reading --- */

/* A quantity that may have leading zeros, as these files write them. */
static struct u256 number(const struct jval *v)
{
	struct bytes text = jval_string(v);
	uint8_t bytes[32] = { 0 };
	char digits[65] = { 0 };
	size_t count;

	if (text.size < 2 || text.size > 66)
		return u256_of(0);
	count = text.size - 2;
	memset(digits, '0', 64);
	memcpy(digits + 64 - count, text.data + 2, count);
	if (!hex_decode(bytes, sizeof(bytes), bytes_of(digits, 64)))
		return u256_of(0);
	return u256_from_be(bytes_of(bytes, sizeof(bytes)));
}

static uint64_t small(const struct jval *v)
{
	return number(v).limbs[0];
}

static struct addr address(struct bytes text)
{
	struct addr a = { 0 };

	hex_parse_fixed(a.bytes, sizeof(a.bytes), text);
	return a;
}

static bool hash_is(const struct hash *have, const struct jval *want)
{
	struct hash h;

	return hex_parse_fixed(h.bytes, sizeof(h.bytes), jval_string(want)) && hash_equal(have, &h);
}

/* --- the state before --- */

static bool load_account(struct overlay *o, const struct addr *a, const struct jval *v)
{
	struct buf code = { 0 };
	void *cursor = NULL;
	const char *key;
	const struct jval *value;
	struct wei balance = { number(jval_get(v, "balance")) };
	bool good = overlay_set_balance(o, a, balance, NULL) == OK &&
		    overlay_set_nonce(o, a, small(jval_get(v, "nonce")), NULL) == OK &&
		    hex_parse_data(&code, jval_string(jval_get(v, "code")), PRE_CODE_SIZE_MAX);

	if (good && code.size)
		good = overlay_set_code(o, a, buf_bytes(&code), NULL) == OK;
	while (good && jval_next(jval_get(v, "storage"), &cursor, &key, &value)) {
		char padded[65];
		struct hash slot;
		struct u256 stored = number(value);

		snprintf(padded, sizeof(padded), "%064d", 0);
		memcpy(padded + 64 - (strlen(key) - 2), key + 2, strlen(key) - 2);
		good = strlen(key) <= 66 &&
		       hex_decode(slot.bytes, sizeof(slot.bytes), bytes_of(padded, 64)) &&
		       overlay_set_storage(o, a, &slot, &stored, NULL) == OK;
	}
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
	overlay_settle(o);
	return true;
}

static struct vm_block_context load_block(const struct jval *env, const struct chain_params *params)
{
	return (struct vm_block_context){
		.height = small(jval_get(env, "currentNumber")),
		.timestamp = small(jval_get(env, "currentTimestamp")),
		.gas_limit = params->block_gas_limit,
		.chain_id = params->chain_id,
		.coinbase = address(jval_string(jval_get(env, "currentCoinbase"))),
		.base_fee = { number(jval_get(env, "currentBaseFee")) },
		.revision = params->revision,
	};
}

/* --- one case --- */

static void root_of(const struct overlay *o, struct hash *root)
{
	struct state_tree *tree =
		state_tree_new(&header_empty_trie_root, (struct tree_source){ 0 }, SIZE_MAX, 1);
	struct state_diff diff;

	overlay_diff(o, &diff);
	if (state_tree_apply(tree, &diff, root, NULL) != OK)
		*root = (struct hash){ 0 };
	state_diff_clear(&diff);
	state_tree_free(tree);
}

/* The receipt's logs as the files hash them: as none, since nothing here logs. */
static bool logs_are_none(const struct receipt *r, const struct jval *want)
{
	return r->log_count == 0 && hash_is(&header_empty_ommers_hash, want);
}

static enum outcome execute(const struct run *run, struct exec *x, const struct jval *test,
			    const struct jval *post, const struct chain_params *params)
{
	struct vm_block_context block = load_block(jval_get(test, "env"), params);
	bool must_fail = jval_get(post, "expectException") != NULL;
	struct receipt receipt = { 0 };
	struct buf raw = { 0 };
	struct tx *t = NULL;
	struct hash root;
	bool good;
	int rc;

	if (!hex_parse_data(&raw, jval_string(jval_get(post, "txbytes")), FILE_SIZE_MAX) ||
	    !load_state(x->overlay, jval_get(test, "pre"))) {
		buf_clear(&raw);
		return OUTCOME_FAILED;
	}
	rc = tx_decode(&t, buf_bytes(&raw), SIZE_MAX, NULL);
	buf_clear(&raw);
	if (rc == CHAIN_E_TX_TYPE)
		return OUTCOME_OTHER_TYPE;
	if (rc)
		return must_fail ? OUTCOME_PASSED : OUTCOME_FAILED;
	rc = tx_recover(run->ecc, t, NULL);
	if (!rc)
		rc = transaction_execute(x, &block, t, block.gas_limit, &receipt, NULL);
	tx_unref(t);
	if (rc == EXEC_E_NO_VM)
		return OUTCOME_NEEDS_EVM;
	root_of(x->overlay, &root);
	good = must_fail == (rc != OK) && hash_is(&root, jval_get(post, "hash")) &&
	       logs_are_none(&receipt, jval_get(post, "logs"));
	receipt_clear(&receipt);
	return good ? OUTCOME_PASSED : OUTCOME_FAILED;
}

static enum outcome run_case(const struct run *run, const struct jval *test,
			     const struct jval *post)
{
	struct chain_params params = {
		.chain_id = 1,
		.revision = REVISION_CANCUN,
		.block_gas_limit = small(jval_get(jval_get(test, "env"), "currentGasLimit")),
	};
	struct exec *x;
	enum outcome outcome;

	x = exec_new(&params, 1);
	outcome = execute(run, x, test, post, &params);
	exec_free(x);
	return outcome;
}

/* --- files --- */

static void run_test(const struct run *run, const char *name, const struct jval *test,
		     size_t counts[OUTCOME_OTHER_TYPE + 1])
{
	const struct jval *posts = jval_get(jval_get(test, "post"), "Cancun");

	for (size_t i = 0; i < jval_count(posts); i++) {
		enum outcome outcome = run_case(run, test, jval_at(posts, i));

		counts[outcome]++;
		if (outcome == OUTCOME_PASSED || outcome == OUTCOME_FAILED)
			tap_case(run->tap, outcome == OUTCOME_PASSED, "%s, case %zu", name, i);
	}
}

static void run_file(void *ctx, const char *path)
{
	const struct run *run = ctx;
	size_t counts[OUTCOME_OTHER_TYPE + 1] = { 0 };
	struct buf text = { 0 };
	struct jval *root = NULL;
	const struct jval *test;
	const char *name;
	void *cursor = NULL;

	if (!tap_read(&text, path, FILE_SIZE_MAX) ||
	    jval_parse(&root, buf_bytes(&text), NULL) != OK) {
		tap_case(run->tap, false, "%s can be read", path + run->skip);
		buf_clear(&text);
		return;
	}
	while (jval_next(root, &cursor, &name, &test))
		run_test(run, name, test, counts);
	if (counts[OUTCOME_NEEDS_EVM])
		tap_not_applicable(run->tap, "there is no EVM yet", "%s: %zu cases",
				   path + run->skip, counts[OUTCOME_NEEDS_EVM]);
	if (counts[OUTCOME_OTHER_TYPE])
		tap_not_applicable(run->tap, "transactions of type 3 and 4 do not exist here",
				   "%s: %zu cases", path + run->skip, counts[OUTCOME_OTHER_TYPE]);
	jval_free(root);
	buf_clear(&text);
}

int main(void)
{
	static const uint8_t seed[32] = { 1 };
	char path[TAP_PATH_SIZE];
	struct tap t = { 0 };
	struct run run = { .tap = &t };
	struct ecc *ecc;

	if (!tap_data(&t, path, "ethereum-tests/GeneralStateTests", CASE_COUNT))
		return tap_done(&t);
	ecc = ecc_new(seed);
	run.ecc = ecc;
	run.skip = strlen(path) + 1;
	tap_case(&t, tap_walk(path, ".json", run_file, &run), "the folder can be walked");
	ecc_free(ecc);
	return tap_done(&t);
}
