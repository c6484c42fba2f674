/*
 * conformance_trie - ethereum/tests TrieTests: the root over each list of pairs,
 * from scratch; and for the secure tries, whose keys are hashes as the state's
 * are, by single changes to a tree too, forwards and, where the order is free,
 * backwards.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "codec/hex.h"
#include "crypto/keccak.h"
#include "json/json.h"
#include "state/trie.h"
#include "tap.h"

#define FILE_SIZE_MAX (1 * MIB)

struct file {
	const char *name;
	unsigned case_count;
	bool secure;
	bool any_order;
};

struct pairs {
	struct trie_pair *at;
	size_t count;
	struct buf text; /* of every key and value */
};

/* A key or a value: text, or bytes as "0x…"; null is an empty value. */
static struct bytes append_text(struct buf *out, const struct jval *v, struct bytes text)
{
	size_t start = out->size;

	if (v)
		text = jval_string(v);
	if (text.size < 2 || memcmp(text.data, "0x", 2) != 0 ||
	    !hex_parse_data(out, text, FILE_SIZE_MAX))
		buf_append_bytes(out, text);
	return bytes_of(out->data + start, out->size - start);
}

/* The pairs of a case: an array of [key, value], or an object. */
static void read_pairs(struct pairs *p, const struct jval *in, bool secure)
{
	size_t count = jval_count(in), i = 0;
	const struct jval *value;
	const char *key;
	void *cursor = NULL;

	*p = (struct pairs){ .at = xcalloc(count + 1, sizeof(*p->at)), .count = count };
	buf_reserve(&p->text, FILE_SIZE_MAX); /* so that nothing moves */
	if (jval_kind(in) == JVAL_OBJECT) {
		while (jval_next(in, &cursor, &key, &value)) {
			p->at[i].key = append_text(&p->text, NULL, bytes_of_str(key));
			p->at[i++].value = append_text(&p->text, value, (struct bytes){ 0 });
		}
	} else {
		for (; i < count; i++) {
			p->at[i].key = append_text(&p->text, jval_at(jval_at(in, i), 0), (struct bytes){ 0 });
			p->at[i].value = append_text(&p->text, jval_at(jval_at(in, i), 1), (struct bytes){ 0 });
		}
	}
	for (i = 0; secure && i < count; i++) {
		uint8_t *room = buf_extend(&p->text, sizeof(struct hash));
		struct hash hash;

		keccak256(&hash, p->at[i].key);
		memcpy(room, &hash, sizeof(hash));
		p->at[i].key = bytes_of(room, sizeof(hash));
	}
}

/* The same by one change at a time. */
static bool by_changes(const struct pairs *p, const struct hash *expected, bool backwards)
{
	static const struct hash no_owner;
	struct trie_store store = { 0 };
	struct trie trie;
	struct hash root;

	trie_init(&trie, &no_owner, &account_empty.storage_root);
	for (size_t i = 0; i < p->count; i++) {
		const struct trie_pair *pair = &p->at[backwards ? p->count - 1 - i : i];
		struct trie_change change = { .value = pair->value };

		memcpy(&change.key, pair->key.data, sizeof(change.key));
		CHECK(trie_update(&store, &trie, &change, 1, NULL) == OK);
		trie_gather(&store, &trie);
		trie_hash(&store);
		trie_check(&trie);
	}
	root = trie_root_hash(&trie);
	trie_clear(&store, &trie);
	trie_store_clear(&store);
	return hash_equal(&root, expected);
}

static void run_case(struct tap *t, const struct file *f, const char *name, const struct jval *test)
{
	struct hash expected, root;
	struct pairs p;
	bool passed;

	if (!hex_parse_fixed(expected.bytes, sizeof(expected), jval_string(jval_get(test, "root")))) {
		tap_note("the case has no root");
		tap_case(t, false, "%s: %s", f->name, name);
		return;
	}
	read_pairs(&p, jval_get(test, "in"), f->secure);
	trie_root(&root, p.at, p.count);
	passed = p.count > 0 && hash_equal(&root, &expected);
	if (f->secure)
		passed = passed && by_changes(&p, &expected, false);
	if (f->secure && f->any_order)
		passed = passed && by_changes(&p, &expected, true);
	tap_case(t, passed, "%s: %s", f->name, name);
	buf_clear(&p.text);
	free(p.at);
}

static void run_file(struct tap *t, const struct file *f)
{
	char path[TAP_PATH_SIZE], relative[256];
	const struct jval *test;
	struct buf text = { 0 };
	struct err err = { 0 };
	struct jval *root = NULL;
	const char *name;
	void *cursor = NULL;

	snprintf(relative, sizeof(relative), "ethereum-tests/TrieTests/%s", f->name);
	if (!tap_data(t, path, relative, f->case_count))
		return;
	if (!tap_read(&text, path, FILE_SIZE_MAX) || jval_parse(&root, buf_bytes(&text), &err) != OK) {
		tap_note("%s", err.message);
		tap_case(t, false, "%s can be read", f->name);
	} else {
		while (jval_next(root, &cursor, &name, &test))
			run_case(t, f, name, test);
	}
	jval_free(root);
	buf_clear(&text);
}

int main(void)
{
	static const struct file files[] = {
		{ "trietest.json", 5, false, false },
		{ "trietest_secureTrie.json", 3, true, false },
		{ "trieanyorder.json", 7, false, true },
		{ "trieanyorder_secureTrie.json", 7, true, true },
		{ "hex_encoded_securetrie_test.json", 3, true, true },
	};
	struct tap t = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(files); i++)
		run_file(&t, &files[i]);
	tap_not_applicable(&t, "nobody walks a trie here from a key to the next or the one before",
			   "trietestnextprev.json: basic");
	return tap_done(&t);
}
