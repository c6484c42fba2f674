/*
 * Genesis as a difference from nothing: alloc, and the native contracts.
 */
#include "exec/native.h"
#include "store/store_internal.h"

int store_genesis_build(const struct genesis *g, struct state_tree *tree, struct block *block,
			struct state_diff *diff, struct err *err)
{
	struct hash root;
	int code = native_genesis_diff(g, diff, err);

	if (code != OK)
		return code;
	code = state_tree_apply(tree, diff, &root, err);
	if (code != OK) {
		state_diff_clear(diff);
		return code;
	}
	genesis_block(g, &root, block);
	return OK;
}

int store_genesis(const struct genesis *g, struct block *block, struct state_diff *diff,
		  struct err *err)
{
	struct state_tree *tree = state_tree_new(&account_empty.storage_root,
						 (struct tree_source){ 0 }, SIZE_MAX, 1);
	int code = store_genesis_build(g, tree, block, diff, err);

	state_tree_free(tree);
	return code;
}
