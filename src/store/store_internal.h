/*
 * store_internal - the inside of a store, for store_*.c only.
 *
 *   store_dir      the directory: version, lock
 *   store_open     create, open, replay
 *   store_write    the writer's thread: log, batch, flush, consensus log
 *   store_flush    both: trie nodes from the tree to the database
 *   store_evidence what proves that validators contradicted themselves
 *   store_log      a block's rows of the log index; what a row holds
 *   store_log_find readers: which transactions have logs that somebody wants
 *   store_state    the node's thread: cache of the newest state
 *   store_read     readers: blocks, transactions
 *   store_view     readers: states of the past
 *   store_record   values and records as bytes
 *   store_history  a block's reverse difference as bytes
 */
#ifndef WEFT_STORE_STORE_INTERNAL_H
#define WEFT_STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/cache.h"
#include "store/store.h"
#include "store/store_log.h"
#include "store/store_keys.h"
#include "store/store_record.h"
#include "store/wal.h"

#define COMMIT_LOG "commit"
#define CONSENSUS_LOG "consensus"

/* A commit log segment is closed once it is larger, so that what stands behind a
 * broken record stays small. */
#define COMMIT_SEGMENT_SIZE (64 * MIB)

struct store_dir;

struct code_value {
	uint8_t *data;
	size_t size;
};

/* In a record's kind in the consensus log: it stands for all before it. */
#define STORE_RECORD_WHOLE 0x80

struct store {
	struct kv *kv;
	struct store_dir *dir;       /* NULL in memory */
	struct wal *commit_log;      /* NULL in memory */
	struct wal *consensus_log;   /* NULL in memory, and if it is missing */
	uint64_t history_ms;
	uint64_t seed;
	struct store_tip opened;     /* the tip as it was on opening */

	/* writer's thread */
	struct kv_batch *batch;
	struct buf record;           /* reused by each block */
	struct buf value, tx_values;
	uint64_t logged_height, synced_height, applied_height;
	struct hash logged_hash, applied_hash;
	uint32_t checksum;           /* of the newest applied block */
	struct mmr range;            /* over the hashes of all applied blocks */
	struct log_place log_place;  /* after the newest applied block */
	uint32_t log_section_rows;
	struct log_writer log_writer;
	uint64_t withdrawal_index;
	uint64_t history_first;      /* oldest height whose history may be kept */
	uint64_t history_first_ms;   /* its block's time; 0 if not looked up yet */
	_Atomic uint64_t log_size, consensus_size;

	/* consensus records found on opening: kind, size (4), payload; … */
	struct buf consensus_found;

	/* node's thread */
	struct state_tree *tree;
	struct cache *accounts, *slots, *codes;
	size_t codes_size;
	struct buf read;             /* for the cache's misses */
	uint64_t cache_hits, cache_misses;

	/* A flush that was taken out of the tree and is not written yet; the tree may
	 * read its nodes again. */
	pthread_mutex_t flush_lock;
	struct store_flush *flush;
};

/* --- store_dir.c --- */

/* Makes the directory's names, locked; STORE_E_EXISTS. Its version comes last. */
int store_dir_create(struct store_dir **out, const struct medium *medium, const char *path,
		     struct err *err);
int store_dir_seal(struct store_dir *d, const struct hash *genesis_hash, struct err *err);

/* Opens one that is sealed, locked, and compares its version and genesis. */
int store_dir_open(struct store_dir **out, const struct medium *medium, const char *path,
		   const struct hash *genesis_hash, struct err *err);
void store_dir_close(struct store_dir *d);

/* Removes everything of ours: an init that failed. Closes it as well. */
void store_dir_remove(struct store_dir *d);

/* What it is on. */
const struct medium *store_dir_medium(const struct store_dir *d);

/* dir/chain and dir/log. */
const char *store_dir_chain(const struct store_dir *d);
const char *store_dir_log(const struct store_dir *d);

/* The newest block that is final, as a witness against a commit log that has lost its
 * end: without it that looks as if a crash had torn off what nobody was told of. It
 * is written after the log's sync and not synced, so it may be old or gone; but what
 * it says was so. */
void store_dir_note_tip(const struct store_dir *d, uint64_t height, const struct hash *hash);
bool store_dir_read_tip(const struct store_dir *d, uint64_t *height, struct hash *hash);

/* --- store_genesis.c --- */

/* Genesis (alloc and the native contracts) as a difference from nothing, applied to
 * an empty tree. */
int store_genesis_build(const struct genesis *g, struct state_tree *tree, struct block *block,
			struct state_diff *diff, struct err *err);

/* --- store_write.c --- */

/* Writes the batch of a block, from genesis on, unsynced. */
int store_write_block(struct store *s, const struct store_block *b, struct err *err);
void store_count_logs(struct store *s);

/* --- store_flush.c --- */

struct tree_source store_tree_source(struct store *s);
void store_flush_free(struct store_flush *f);

/* --- store_state.c --- */

void store_state_init(struct store *s, const struct store_options *options);
void store_state_clear(struct store *s);

/* Turns a store's error into a view's. */
int store_read_failed(struct err *err, int code);

/* A flat value at a snapshot (NULL: newest). `scratch` is reset. */
int store_get_account(struct kv *kv, const struct kv_snapshot *at, struct buf *scratch,
		      struct account *out, const struct addr *address, struct err *err);
int store_get_slot(struct kv *kv, const struct kv_snapshot *at, struct buf *scratch,
		   struct u256 *out, const struct addr *address, const struct hash *slot,
		   struct err *err);
int store_get_code(struct kv *kv, const struct kv_snapshot *at, struct buf *out,
		   const struct hash *code_hash, struct err *err);

/* --- store_read.c --- */

struct store_reader {
	struct kv *kv;
	struct kv_snapshot *at;
	uint64_t height;
	uint64_t seed;
};

/* The newest header of `height`, whoever asks; not to be missing. */
int store_get_header(struct kv *kv, const struct kv_snapshot *at, uint64_t height,
		     struct stored_header *out, struct err *err);

/* A record that has to be there and is not, is damage. */
int store_get_sure(struct kv *kv, const struct kv_snapshot *at, struct bytes key, struct buf *out,
		   struct err *err);

/* Walks the `count` TX values of a block as they are stored. */
typedef int (*store_value_fn)(void *ctx, uint32_t index, struct bytes value, struct err *err);
int store_each_tx_value(struct kv *kv, const struct kv_snapshot *at, uint64_t height, size_t count,
			store_value_fn fn, void *ctx, struct err *err);

#endif
