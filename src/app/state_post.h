/*
 * state_post - what a case came to, as one line of JSON, for somebody who has another
 * machine to compare with: outcome, logs, and all accounts that the transaction changed.
 */
#ifndef WEFT_APP_STATE_POST_H
#define WEFT_APP_STATE_POST_H

#include "app/state_file.h"

/* Executes `post` as state_world_run() does, twice: without a tracer, and with one, which
 * sees the output. Appends the line to *out:
 *
 *   {"name", "refused"}: the transaction is invalid, with the reason
 *   {"name", "success", "gasUsed", "output", "logs": [{"address", "topics", "data"}],
 *    "root", "missing": it called a precompile that does not exist here,
 *    "accounts": {address: null (gone) or {"nonce", "balance", "code" (if new),
 *                                          "storage": {slot: value}}}}
 *
 * False if the two differ; then it says so in place of the rest. */
bool state_post_write(struct buf *out, struct state_world *w, const struct ecc *ecc,
		      const char *name, const struct jval *post);

#endif
