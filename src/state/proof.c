#include <stdlib.h>

#include "base/check.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "state/node.h"

void tree_proof_clear(struct tree_proof *p)
{
	for (size_t i = 0; i < p->count; i++)
		free((void *)(uintptr_t)p->nodes[i].data);
	free(p->nodes);
	*p = (struct tree_proof){ 0 };
}

/* Where a walk down a proof stands. */
struct walk {
	const struct hash *key;
	unsigned at;        /* nibbles of the key that are behind */
	struct bytes child; /* the next reference: 32 bytes of hash, or an embedded node */
	bool is_embedded;
	bool ended;         /* at a value, or where the key is shown to be absent */
	struct bytes value;
};

/* What a branch or an extension refers to. */
static int read_reference(struct walk *w, struct rlp_reader *list, struct err *err)
{
	int rc;

	w->is_embedded = rlp_next_is_list(list);
	if (w->is_embedded)
		return rlp_read_raw(list, &w->child, err);
	rc = rlp_read_bytes(list, &w->child, err);
	if (rc == OK && w->child.size != 0 && w->child.size != sizeof(struct hash))
		return ERR_SET(err, STATE_E_PROOF, "a reference of %zu bytes", w->child.size);
	return rc;
}

static int step_branch(struct walk *w, struct rlp_reader *list, struct err *err)
{
	struct bytes skipped;
	int rc = OK;

	if (w->at == NODE_KEY_NIBBLES)
		return ERR_SET(err, STATE_E_PROOF, "a branch below the whole key");
	for (unsigned n = key_nibble(w->key, w->at); n > 0 && rc == OK; n--)
		rc = rlp_read_raw(list, &skipped, err);
	if (rc == OK)
		rc = read_reference(w, list, err);
	if (rc != OK)
		return rc;
	w->at++;
	w->ended = w->child.size == 0;
	return OK;
}

static int step_short(struct walk *w, struct rlp_reader *list, struct err *err)
{
	struct hash key = *w->key;
	struct bytes path;
	unsigned end;
	bool is_leaf;
	int rc;

	if ((rc = rlp_read_bytes(list, &path, err)) != OK ||
	    (rc = hex_prefix_decode(&key, w->at, &end, &is_leaf, path, err)) != OK)
		return rc;
	if (is_leaf != (end == NODE_KEY_NIBBLES))
		return ERR_SET(err, STATE_E_PROOF, "a node whose key part ends at nibble %u", end);
	if (key_common(&key, w->key) < end) {
		w->ended = true;
		return OK;
	}
	w->at = end;
	w->ended = is_leaf;
	if (is_leaf)
		rc = rlp_read_bytes(list, &w->value, err);
	else
		rc = read_reference(w, list, err);
	if (rc == OK && (is_leaf ? w->value.size : w->child.size) == 0)
		return ERR_SET(err, STATE_E_PROOF, "a node that leads nowhere");
	return rc;
}

static int step(struct walk *w, struct bytes rlp, struct err *err)
{
	struct rlp_reader top, list;
	size_t count;
	int rc;

	rlp_reader_init(&top, rlp);
	if ((rc = rlp_read_list(&top, &list, err)) != OK ||
	    (rc = rlp_reader_end(&top, err)) != OK ||
	    (rc = rlp_count(&list, &count, 17, err)) != OK)
		return rc;
	if (count == 17)
		return step_branch(w, &list, err);
	if (count == 2)
		return step_short(w, &list, err);
	return ERR_SET(err, STATE_E_PROOF, "a node of %zu items", count);
}

static int walk_proof(struct walk *w, const struct bytes nodes[], size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		struct hash found;
		int rc;

		if (w->ended)
			return ERR_SET(err, STATE_E_PROOF, "%zu nodes too many", count - i);
		keccak256(&found, nodes[i]);
		if (!bytes_equal(hash_bytes(&found), w->child))
			return ERR_SET(err, STATE_E_PROOF, "node %zu has another hash than its parent says", i);
		rc = step(w, nodes[i], err);
		while (rc == OK && !w->ended && w->is_embedded)
			rc = step(w, w->child, err); /* each is inside the one before */
		if (rc != OK)
			return rc;
	}
	if (!w->ended)
		return ERR_SET(err, STATE_E_PROOF, "the proof ends after %zu nodes, before its key does", count);
	return OK;
}

int tree_proof_check(const struct hash *root, const struct hash *key, const struct bytes nodes[],
		     size_t count, struct bytes *value, struct err *err)
{
	struct walk w = { .key = key, .child = hash_bytes(root) };

	if (count == 0 && hash_equal(root, &account_empty.storage_root))
		w.ended = true;
	if (walk_proof(&w, nodes, count, err) != OK) {
		if (err)
			err->code = STATE_E_PROOF;
		return err_prefix(err, STATE_E_PROOF, "not a proof");
	}
	*value = w.value;
	return OK;
}
