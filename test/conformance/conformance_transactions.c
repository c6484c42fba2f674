/*
 * conformance_transactions - ethereum/tests TransactionTests: every case at the
 * newest fork that its file knows, by the rules of Cancun on chain 1; and
 * BasicTests/txtest.json: fields and key give exactly these signed bytes.
 *
 * A valid transaction must give the file's hash, sender and intrinsic gas; one
 * with an exception must be refused by tx_decode(), tx_check() or tx_recover().
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "chain/tx.h"
#include "codec/hex.h"
#include "json/json.h"
#include "tap.h"

#define FILE_SIZE_MAX (16 * MIB)
#define CASE_COUNT 150
#define TXTEST_COUNT 2

struct runner {
	struct tap tap;
	struct ecc *ecc;
	struct chain_params params;
};

/* Newest first. A file without any of them is about rules that ended before. */
static const char *const forks[] = { "Osaka", "Prague", "Cancun", "Shanghai", "Paris", "London" };

static const struct jval *newest_result(const struct jval *test)
{
	for (size_t i = 0; i < ARRAY_COUNT(forks); i++) {
		const struct jval *result = jval_get(jval_get(test, "result"), forks[i]);

		if (result)
			return result;
	}
	return NULL;
}

static bool text_is_bytes(const struct jval *v, struct bytes expected)
{
	struct buf got = { 0 };
	bool same = hex_parse_data(&got, jval_string(v), SIZE_MAX) &&
		    bytes_equal(buf_bytes(&got), expected);

	buf_clear(&got);
	return same;
}

/* The files write gas with leading zeros. */
static bool text_is_gas(const struct jval *v, uint64_t expected)
{
	struct bytes text = jval_string(v);

	return text.size > 2 && strtoull((const char *)text.data + 2, NULL, 16) == expected;
}

static bool matches(const struct tx *t, const struct jval *result)
{
	bool hash = text_is_bytes(jval_get(result, "hash"), hash_bytes(&t->hash));
	bool sender = text_is_bytes(jval_get(result, "sender"), addr_bytes(&t->sender));
	bool gas = text_is_gas(jval_get(result, "intrinsicGas"),
			       tx_intrinsic_gas(t, REVISION_CANCUN));

	if (!hash || !sender || !gas)
		tap_note("differs in%s%s%s", hash ? "" : " hash", sender ? "" : " sender",
			 gas ? "" : " intrinsicGas");
	return hash && sender && gas;
}

static void run_case(struct runner *r, const char *name, const struct jval *test)
{
	const struct jval *result = newest_result(test);
	const struct jval *exception = jval_get(result, "exception");
	struct buf raw = { 0 };
	struct tx *t = NULL;
	struct err err = { 0 };
	int status;

	if (!result) {
		tap_not_applicable(&r->tap, "knows no fork from London on", "%s", name);
		return;
	}
	if (!hex_parse_data(&raw, jval_string(jval_get(test, "txbytes")), FILE_SIZE_MAX)) {
		tap_case(&r->tap, false, "%s: txbytes is not hexadecimal", name);
		return;
	}
	status = tx_decode(&t, buf_bytes(&raw), SIZE_MAX, &err);
	if (status == OK)
		status = tx_check(t, &r->params, &err);
	if (status == OK)
		status = tx_recover(r->ecc, t, &err);
	if (exception) {
		tap_case(&r->tap, status != OK, "%s: %s", name,
			 (const char *)jval_string(exception).data);
	} else {
		if (status != OK)
			tap_note("refused: %s", err.message);
		tap_case(&r->tap, status == OK && matches(t, result), "%s: valid", name);
	}
	tx_unref(t);
	buf_clear(&raw);
}

static struct jval *read_json(struct runner *r, const char *path)
{
	struct buf text = { 0 };
	struct jval *root = NULL;
	struct err err = { 0 };

	if (!tap_read(&text, path, FILE_SIZE_MAX) || jval_parse(&root, buf_bytes(&text), &err) != OK)
		tap_case(&r->tap, false, "%s can be read: %s", path, err.message);
	buf_clear(&text);
	return root;
}

static void run_file(void *ctx, const char *path)
{
	struct runner *r = ctx;
	struct jval *root = read_json(r, path);
	const struct jval *test;
	void *cursor = NULL;
	const char *name;

	while (jval_next(root, &cursor, &name, &test))
		run_case(r, name, test);
	jval_free(root);
}

/* --- txtest.json --- */

static void read_hex(uint8_t *out, size_t size, const struct jval *v)
{
	CHECK(hex_decode(out, size, jval_string(v)));
}

static void run_signing(struct runner *r, size_t index, const struct jval *test)
{
	struct tx fields = { .type = TX_LEGACY }, *t = NULL, *theirs = NULL;
	struct bytes data = jval_string(jval_get(test, "data"));
	uint8_t *data_bytes = xmalloc(data.size / 2);
	struct buf expected = { 0 };
	struct secret_key key;
	int status;

	read_hex(key.bytes, sizeof(key.bytes), jval_get(test, "key"));
	fields.nonce = (uint64_t)jval_integer(jval_get(test, "nonce"));
	fields.max_fee = wei_of((uint64_t)jval_integer(jval_get(test, "gasprice")));
	fields.gas_limit = (uint64_t)jval_integer(jval_get(test, "startgas"));
	fields.value = wei_of((uint64_t)jval_integer(jval_get(test, "value")));
	fields.is_create = jval_string(jval_get(test, "to")).size == 0;
	if (!fields.is_create)
		read_hex(fields.to.bytes, sizeof(fields.to.bytes), jval_get(test, "to"));
	CHECK(hex_decode(data_bytes, data.size / 2, data));
	fields.data = bytes_of(data_bytes, data.size / 2);
	buf_extend(&expected, jval_string(jval_get(test, "signed")).size / 2);
	read_hex(expected.data, expected.size, jval_get(test, "signed"));

	status = tx_sign(&t, r->ecc, &fields, &key, NULL);
	if (tx_decode(&theirs, buf_bytes(&expected), SIZE_MAX, NULL) == CHAIN_E_TX_SIGNATURE)
		tap_not_applicable(&r->tap, "its s is in the upper half, refused since EIP-2",
				   "txtest %zu", index);
	else
		tap_case(&r->tap, status == OK && theirs &&
			 bytes_equal(t->raw, buf_bytes(&expected)),
			 "txtest %zu: signed bytes", index);
	tx_unref(theirs);
	tx_unref(t);
	buf_clear(&expected);
	free(data_bytes);
}

static void run_txtest(struct runner *r, const char *path)
{
	struct jval *root = read_json(r, path);

	for (size_t i = 0; i < jval_count(root); i++)
		run_signing(r, i, jval_at(root, i));
	jval_free(root);
}

int main(void)
{
	static const uint8_t seed[32] = { 1 };
	struct runner r = { .params = { .chain_id = 1, .revision = REVISION_CANCUN } };
	char path[TAP_PATH_SIZE];
	int status;

	r.ecc = ecc_new(seed);
	if (tap_data(&r.tap, path, "ethereum-tests/TransactionTests", CASE_COUNT) &&
	    !tap_walk(path, ".json", run_file, &r))
		tap_case(&r.tap, false, "%s can be walked", path);
	if (tap_data(&r.tap, path, "ethereum-tests/BasicTests/txtest.json", TXTEST_COUNT))
		run_txtest(&r, path);
	status = tap_done(&r.tap);
	ecc_free(r.ecc);
	return status;
}
