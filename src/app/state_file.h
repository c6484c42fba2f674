/*
 * state_file - files of Ethereum's GeneralStateTests: a state, a block's context,
 * transactions, and what becomes of them. Read, executed and compared; for
 * weft-statetest and weft-bench.
 */
#ifndef WEFT_APP_STATE_FILE_H
#define WEFT_APP_STATE_FILE_H

#include "exec/internal.h"
#include "json/json.h"

#define STATE_FILE_SIZE_MAX (256 * MIB)

/* A test's state from before, as a view; fixed once it is loaded. */
struct state_world {
	struct state_diff diff;    /* from nothing */
	struct map codes;          /* hash -> struct code_entry's index, uint32_t */
	struct state_tree *tree;   /* stands at it */
	struct hash root;
	struct vm_block_context block;
};

/* Loads "pre" and "env" of a test. JSON_E_SYNTAX if something in them can't be read. */
int state_world_load(struct state_world *w, const struct jval *test, enum revision revision,
		     struct err *err);
void state_world_clear(struct state_world *w);
struct state_view state_world_view(struct state_world *w);

/* "Cancun", "Prague", "Osaka"; false for another name. */
bool state_fork(const char *name, enum revision *out);

/* What a case came to. */
struct state_outcome {
	int code;                  /* of decoding or executing the transaction; OK: it was executed */
	struct err err;
	struct receipt receipt;
	struct state_diff diff;    /* what it changed */
	struct hash root, logs;
	bool met_missing;          /* it called a precompile that does not exist here */
};
void state_outcome_clear(struct state_outcome *o);

/* Executes one entry of "post" in the world. `tracer` may be NULL. The world is as
 * before. The outcome is the caller's. */
void state_world_run(struct state_world *w, const struct ecc *ecc, const struct jval *post,
		     const struct vm_tracer *tracer, struct state_outcome *out);

/* The whole file; false if it can't be read. */
bool state_file_read(struct buf *out, const char *path);

/* The block hash that the files assume: keccak256 of the number's decimal digits. */
bool state_block_hash(void *ctx, uint64_t height, struct hash *out);

#endif
