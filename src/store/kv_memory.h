/*
 * kv_memory - the key-value store in memory, for one that keeps it: a simulated disk,
 * on which it outlives the node that uses it.
 *
 *     writes:  1 2 3 4 5 6 7 8 9
 *                    ^mark     ^now      rolling back reaches any of 4 … 9
 */
#ifndef WEFT_STORE_KV_MEMORY_H
#define WEFT_STORE_KV_MEMORY_H

#include "store/kv.h"

/* What the keeper is asked. All are called with the keeper's `ctx`; get, write and sync
 * may refuse, with one of store_error. */
struct kv_memory_hooks {
	/* Before a value is given to a reader; write number `seq` wrote it. With the store's
	 * lock held: not to call back. */
	int (*get)(void *ctx, struct bytes key, uint64_t seq, struct err *err);
	int (*write)(void *ctx, struct err *err); /* before a batch is written */
	int (*sync)(void *ctx, struct err *err);  /* in place of doing nothing */
	void (*close)(void *ctx);                 /* in place of freeing the store */
};

/* A store that is empty. `hooks` are borrowed as long as it lives. */
struct kv *kv_memory_new(const struct kv_memory_hooks *hooks, void *ctx);

/* Ends it; all that was made of it but itself is freed already. */
void kv_memory_free(struct kv *kv);

/* How many batches have been written. */
uint64_t kv_memory_seq(struct kv *kv);

/* Writes that are done are for good; later ones can be taken back. From the first call
 * on all versions since the mark are kept. */
void kv_memory_mark(struct kv *kv);
uint64_t kv_memory_marked(struct kv *kv); /* the number where the mark stands */

/* Takes back all writes behind number `seq`, which is not before the mark. No snapshot
 * and no iterator is there. Cost: that of the writes taken back. */
void kv_memory_roll_back(struct kv *kv, uint64_t seq);

#endif
