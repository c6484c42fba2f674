/*
 * conformance_hex_prefix - ethereum/tests BasicTests/hexencodetest: the form of
 * a trie node's key part (yellow paper, appendix C), written as the path of a
 * leaf (a terminator) or of an extension, and read back.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/hex.h"
#include "codec/rlp.h"
#include "json/json.h"
#include "state/node.h"
#include "tap.h"

#define CASE_COUNT 12

/* A key with the case's nibbles from position `at` on. */
static struct hash key_with(const struct jval *seq, unsigned at)
{
	struct hash key = { { 0 } };

	for (unsigned i = 0; i < jval_count(seq); i++) {
		unsigned place = at + i, nibble = (unsigned)jval_integer(jval_at(seq, i)) & 15;

		key.bytes[place / 2] |= (uint8_t)(place & 1 ? nibble : nibble << 4);
	}
	return key;
}

/* The key part that a node's RLP begins with; empty if it has none. */
static struct bytes path_of(struct bytes node)
{
	struct rlp_reader top, list;
	struct bytes path = { NULL, 0 };

	rlp_reader_init(&top, node);
	if (rlp_read_list(&top, &list, NULL) == OK)
		(void)rlp_read_bytes(&list, &path, NULL);
	return path;
}

static bool encodes(const struct jval *seq, bool is_leaf, unsigned at, struct bytes want)
{
	unsigned end = at + (unsigned)jval_count(seq);
	struct hash key = key_with(seq, at), child = { { 1 } };
	struct node_pool pool = { 0 };
	uint8_t out[NODE_RLP_MAX];
	size_t size;
	bool same;

	if (is_leaf)
		size = leaf_encode(out, leaf_new(&pool, &key, bytes_of_str("value")), at);
	else
		size = extension_encode(out, branch_new(&pool, &key, end, 2), at, hash_bytes(&child));
	same = bytes_equal(path_of(bytes_of(out, size)), want);
	pool_clear(&pool);
	return same;
}

static bool decodes(const struct jval *seq, bool is_leaf, unsigned at, struct bytes path)
{
	struct hash want = key_with(seq, at), key = { { 0 } };
	bool got_leaf = !is_leaf;
	unsigned end = 0;

	return hex_prefix_decode(&key, at, &end, &got_leaf, path, NULL) == OK &&
	       end == at + jval_count(seq) && got_leaf == is_leaf && hash_equal(&key, &want);
}

/* A leaf's path ends with its key; an extension's may begin at either half of a
 * byte, and so may what is read. */
static bool run_case(const struct jval *test)
{
	const struct jval *seq = jval_get(test, "seq"), *term = jval_get(test, "term");
	struct bytes text = jval_string(jval_get(test, "out"));
	unsigned count = (unsigned)jval_count(seq);
	bool is_leaf = jval_bool(term), passed;
	uint8_t want[40];
	struct bytes path = bytes_of(want, text.size / 2);

	if (jval_kind(term) != JVAL_BOOL || count == 0 || count > NODE_KEY_NIBBLES - 1 ||
	    path.size > sizeof(want) || !hex_decode(want, path.size, text)) {
		tap_note("the case is not of the known form");
		return false;
	}
	if (is_leaf)
		passed = encodes(seq, true, NODE_KEY_NIBBLES - count, path);
	else
		passed = encodes(seq, false, 0, path) && encodes(seq, false, 1, path);
	return passed && decodes(seq, is_leaf, 0, path) && decodes(seq, is_leaf, 1, path);
}

int main(void)
{
	const char *file = "ethereum-tests/BasicTests/hexencodetest.json";
	struct jval *root = NULL;
	const struct jval *test;
	struct buf text = { 0 };
	struct tap t = { 0 };
	char path[TAP_PATH_SIZE];
	void *cursor = NULL;
	const char *name;

	if (!tap_data(&t, path, file, CASE_COUNT))
		return tap_done(&t);
	if (!tap_read(&text, path, 1 * MIB) || jval_parse(&root, buf_bytes(&text), NULL) != OK ||
	    jval_count(root) != CASE_COUNT)
		tap_case(&t, false, "%s is JSON of %d cases", file, CASE_COUNT);
	while (jval_next(root, &cursor, &name, &test))
		tap_case(&t, run_case(test), "%s %s", file, name);
	jval_free(root);
	buf_clear(&text);
	return tap_done(&t);
}
