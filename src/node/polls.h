/*
 * polls - filters that RPC's clients poll: what each asks for, and how far it was told.
 *
 *   blocks   … 7 8 9 | 10 11 12      transactions   … h41 h42 h43 | h44 h45
 *                      ^ next_height                                ^ next_tx
 *
 * A filter holds no results: blocks are read again when it is asked, and of transactions the
 * newest are kept once for all. So what it costs is bounded by what it names. One that is not
 * asked for some minutes goes. Node's thread; pure.
 */
#ifndef WEFT_NODE_POLLS_H
#define WEFT_NODE_POLLS_H

#include "rpc/backend.h"

#define POLL_COUNT_MAX 1024
#define POLL_TERM_COUNT_MAX 65536  /* addresses and topics of all: 2 MiB */
#define POLL_TX_COUNT_MAX 65536    /* hashes kept, while somebody asks for them: 2 MiB */
#define POLL_IDLE_MS (5 * 60000)   /* as geth */

struct polls;

/* `seed` is secret: ids follow from it. */
struct polls *polls_new(uint64_t seed);
void polls_free(struct polls *p);

/* Each as in struct rpc_node_ops. `height`: the newest block that readers see. */
int polls_add(struct polls *p, const struct rpc_poll *asked, uint64_t now_ms, uint64_t height, struct hash *id,
	      struct err *err);
int polls_get(struct polls *p, const struct hash *id, bool changes, uint64_t now_ms, uint64_t height,
	      struct rpc_poll *out, struct err *err);
bool polls_end(struct polls *p, const struct hash *id, uint64_t now_ms);

/* The pool has taken a transaction. Kept only if somebody asks for them; of more than
 * POLL_TX_COUNT_MAX between two questions the oldest are not told. */
void polls_note_tx(struct polls *p, const struct hash *hash);

size_t polls_count(const struct polls *p);

#endif
