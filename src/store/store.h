/*
 * store - what a node keeps: blocks, receipts, state, indexes, and the two logs
 * that make them durable.
 *
 *   consensus log --fsync--> commit log --fsync--> acknowledge --> LevelDB batch
 *   (own messages)           (whole blocks)                        (one a block, not synced)
 *
 *        height:  ... S ............................ tip
 *                     |                              |
 *          trie nodes and everything else     last record of the commit log
 *          up to S are synced in LevelDB
 *
 * - A block is final once its record is synced in the commit log. The record holds
 *   everything that the block's batch writes, so replaying it is only putting the
 *   same values again: idempotent, whatever LevelDB had kept of it.
 * - Trie nodes are written at a flush only: one batch with the nodes and `flushed = S`,
 *   then kv_sync(), then the log's segments up to S go. The database comes back as all
 *   its writes up to one moment, at the last kv_sync() or later (kv.h), so:
 *     crash before kv_sync() is done   the mark says S' before S, or S with all that it
 *                                      speaks of; the log reaches back to S' either way
 *     crash while segments go          the mark says S; the log has more than is needed
 *   What LevelDB wrote since does not matter, and is cut off on opening: it is in the
 *   commit log.
 * - On opening: state tree at S, then every record after S: its batch again, its
 *   difference into the tree, the root compared with the header's. Any mismatch
 *   is STORE_E_CORRUPT and names the height; nothing is repaired silently.
 * - A log that lost its end looks like one that a crash tore. Four know better: a later
 *   record and the log's own note (wal.h), the database's tip (its tables may be newer
 *   than S), and dir/chain/TIP, the last final block, written without a sync.
 *
 * Threads: the writer (store_log, store_apply, store_flush_write, consensus log)
 * is one thread; the state cache belongs to the node's thread; readers may be
 * any number. Nothing here starts a thread.
 */
#ifndef WEFT_STORE_STORE_H
#define WEFT_STORE_STORE_H

#include "chain/block.h"
#include "chain/epoch.h"
#include "chain/genesis.h"
#include "chain/log_filter.h"
#include "chain/receipt.h"
#include "crypto/mmr.h"
#include "state/tree.h"
#include "store/kv.h"
#include "store/medium.h"

struct store;

struct store_options {
	const char *dir;         /* NULL: in memory, nothing survives */
	size_t cache_size;       /* LevelDB's block cache, bytes */
	size_t tree_memory_max;  /* loaded trie nodes, bytes */
	uint64_t history_ms;     /* how far back state is kept; UINT64_MAX: all */
	uint64_t seed;           /* keys tables (base/map.h) */
	size_t write_buffer_size; /* LevelDB's, bytes; 0: what was measured best (tests set it) */
	uint32_t log_section_rows; /* of the log index (store_log.h); 0: the usual (tests set it) */
	const struct medium *medium; /* what `dir` is on; NULL: the disk (medium_posix()) */
};

/* Everything that a final block writes. Borrowed by the calls that take it.
 * Heights follow each other without a gap. */
struct store_block {
	const struct block *block;         /* senders known */
	const struct receipt *receipts;    /* block->tx_count of them */
	struct bytes certificate;          /* RLP; empty for genesis */
	const struct state_diff *diff;     /* storage roots filled in */
	const struct epoch *epoch;         /* that begins after the block; NULL: none. Genesis's
	                                      block carries epoch 0 */
};

/* Makes a data directory with the genesis block in it, durably.
 *
 *   dir/VERSION   database version and genesis hash; written last
 *   dir/LOCK      held while a process uses the directory; its pid
 *   dir/chain/    LevelDB; SYNCED: what is promised of it (kv_synced.h); TIP: see above
 *   dir/log/      segments and notes of the commit log and the consensus log
 *
 * Other names in the directory are left alone. STORE_E_EXISTS if one of these is
 * there; on failure nothing is left behind. */
int store_create(const struct store_options *options, const struct genesis *g, struct err *err);

/* What opening found, for one log line: at which block the node woke. */
struct store_report {
	uint64_t tip_height;
	struct hash tip_hash;
	uint64_t flushed_height;   /* S */
	uint64_t replayed_count;   /* blocks taken from the commit log */
	uint64_t torn_size;        /* bytes of half-written records, cut off both logs */
	uint64_t consensus_record_count;
	bool consensus_log_missing; /* not to be signed with: what was signed is unknown */
};

/* Opens what store_create() made; `genesis_hash` guards against the data of
 * another chain. In memory (dir NULL) it creates as well, from `g`. The messages
 * say what to do. */
int store_open(struct store **out, const struct store_options *options, const struct genesis *g,
	       struct store_report *report, struct err *err);
void store_close(struct store *s);

/* The genesis block (with its state root) and the difference from nothing that
 * `g` stands for. */
int store_genesis(const struct genesis *g, struct block *block, struct state_diff *diff,
		  struct err *err);

/* --- the chain's tip, as it was on opening --- */

struct store_tip {
	struct header header;
	struct hash hash;
	struct commitments commitments;
	struct mmr history;        /* over the hashes of all blocks below the tip */
	uint64_t second_gas;       /* gas of all blocks of the tip's second, up to the tip */
	uint64_t withdrawal_index; /* of the next withdrawal */
	uint64_t flushed_height;   /* S */
};
void store_get_tip(const struct store *s, struct store_tip *out);

/* The state tree at the tip. The store keeps it; node's thread uses it. */
struct state_tree *store_tree(struct store *s);

/* --- writer thread --- */

/* Appends the block's record to the commit log. Durable after store_log_sync();
 * several blocks may share a sync. STORE_E_WRITE if the disk is full: nothing is
 * acknowledged and nothing changed. */
int store_log(struct store *s, const struct store_block *b, struct err *err);
void store_log_sync(struct store *s);

/* Writes the block's batch, unsynced: after this, readers made anew see it. The
 * block's record must have been synced before. After STORE_E_WRITE the database
 * takes no more; the block is in the log, and opening anew brings it back. */
int store_apply(struct store *s, const struct store_block *b, struct err *err);

/* A flush in two halves. The node's thread takes the changed nodes out of the
 * tree, standing at `height`; the writer, which must have applied that block,
 * makes them durable and drops the log's segments up to it. Blocks may be logged
 * and applied in between. One flush at a time; a flush that failed is the last. */
struct store_flush;
struct store_flush *store_flush_take(struct store *s, uint64_t height);
int store_flush_write(struct store *s, struct store_flush *f, struct err *err); /* frees f */

/* The consensus log: what this validator signed, before it sends it. */
int store_consensus_append(struct store *s, uint8_t kind, struct bytes payload, struct err *err);
void store_consensus_sync(struct store *s);
/* Its size in bytes, as the last append or trim left it; any thread. 0 in memory. */
uint64_t store_consensus_size(const struct store *s);
/* Forgets all but what `newest_sign_record` says, which stands for all before it. That is
 * synced first, in a segment of its own, so that at every moment one is on disk: a crash leaves
 * the old records, the old ones and the new, or the new.
 * STORE_E_WRITE if the disk is full: all is as before. */
int store_consensus_trim(struct store *s, uint8_t kind, struct bytes newest_sign_record,
			 struct err *err);
typedef int (*store_record_fn)(void *ctx, uint8_t kind, struct bytes payload, struct err *err);
/* Gives the records found on opening, in order; once. */
int store_consensus_replay(struct store *s, store_record_fn fn, void *ctx, struct err *err);

/* --- evidence against validators (store_evidence.c) --- */

#define STORE_EVIDENCE_SIZE_MAX (4 * KIB)

/* What it proves is the caller's business: here it is a name and bytes. */
struct store_evidence {
	uint64_t height;
	struct hash id;
	struct bytes value;        /* 1 - STORE_EVIDENCE_SIZE_MAX bytes; empty: to be forgotten */
};

/* Writer's thread: puts and forgets, together and durably. STORE_E_WRITE: the database
 * takes no more, as after store_apply(). */
int store_evidence_write(struct store *s, const struct store_evidence items[], size_t count,
			 struct err *err);

/* Gives everything that is kept, by rising height, to `fn`, which borrows it. Before any
 * thread writes. What has rotted is left out and counted. */
typedef int (*store_evidence_fn)(void *ctx, const struct store_evidence *e, struct err *err);
int store_each_evidence(struct store *s, store_evidence_fn fn, void *ctx, size_t *broken_count,
			struct err *err);

/* --- node's thread: the newest state, blocks not yet written included --- */

/* A view of the tip's state. A bounded cache stands before the database; what a
 * committed block changed is pinned in it until the writer has written it. */
struct state_view store_state(struct store *s);
void store_state_commit(struct store *s, uint64_t height, const struct state_diff *diff);
void store_state_written(struct store *s, uint64_t height);

/* --- readers: any thread, one immutable snapshot each --- */

struct store_reader;

/* A reader of all that is written now; counted by the caller; any thread may use
 * it, several at once. */
struct store_reader *store_reader_new(struct store *s);
void store_reader_free(struct store_reader *r);
uint64_t store_reader_height(const struct store_reader *r);

struct stored_header {
	struct header header;
	struct hash hash;
	struct commitments commitments;
	struct withdrawal *withdrawals; /* owned */
	size_t withdrawal_count;
	size_t tx_count;
	struct buf certificate;
	uint64_t size;                  /* of Ethereum's form, bytes */
	uint32_t log_section, log_rows; /* of the log index, after this block: store_log.h */
	uint32_t checksum;              /* see columns.h */
};
void stored_header_clear(struct stored_header *h);

struct stored_tx {
	struct tx *tx;                  /* a reference; sender known */
	struct receipt receipt;
};
void stored_tx_clear(struct stored_tx *t);

/* STORE_E_NOT_FOUND if there is no such block or transaction. */
int store_read_header(struct store_reader *r, uint64_t height, struct stored_header *out,
		      struct err *err);
int store_find_block(struct store_reader *r, const struct hash *hash, uint64_t *height,
		     struct err *err);
int store_read_tx(struct store_reader *r, uint64_t height, uint32_t index, struct stored_tx *out,
		  struct err *err);
int store_find_tx(struct store_reader *r, const struct hash *hash, uint64_t *height,
		  uint32_t *index, struct err *err);

/* All transactions of a block in order; `fn` borrows. */
typedef int (*store_tx_fn)(void *ctx, uint32_t index, const struct stored_tx *t, struct err *err);
int store_each_tx(struct store_reader *r, uint64_t height, store_tx_fn fn, void *ctx,
		  struct err *err);

/* --- logs (store_log_find.c) --- */

/* Finds the transactions with a log that `filter` wants, in the blocks `from` to `to`. */
struct store_log_query {
	const struct log_filter *filter; /* sorted */
	uint64_t from, to;               /* from ≤ to ≤ the reader's height */
	/* Called for each of them in order; `first_log` is its first log's index within the
	 * block. Which of its logs match is the caller's to see: log_filter_matches(). */
	int (*found)(void *ctx, uint64_t height, uint32_t index, size_t first_log,
		     const struct stored_tx *t, struct err *err);
	/* Called before work is done, with about what it takes of this thread's time, µs; the
	 * blocks below `height` have been searched. NULL: never. */
	int (*charge)(void *ctx, uint64_t height, uint64_t us, struct err *err);
	void *ctx;
};

/* What the two functions give, if not OK, ends the search and comes back. Cost: that of
 * store_log.h if the filter names anything, else every block with logs in the range is read.
 * Memory: some MiB. STORE_E_CORRUPT if index and receipts contradict each other. */
int store_find_logs(struct store_reader *r, const struct store_log_query *q, struct err *err);

/* The epoch to which `height` belongs, which may be the one after the newest block; all
 * are kept. STORE_E_CORRUPT if it has rotted. */
int store_read_epoch(struct store_reader *r, uint64_t height, struct epoch *out, struct err *err);

/* The state after block `height`. STORE_E_PRUNED if it is older than the history
 * that is kept. The view borrows the reader; end it with store_view_free(). */
struct store_view;
int store_view_at(struct store_reader *r, uint64_t height, struct store_view **out,
		  struct err *err);
struct state_view store_view_state(struct store_view *v);
void store_view_free(struct store_view *v);

/* A node of the history range. */
bool store_read_mmr(struct store_reader *r, uint64_t position, struct hash *out);

/* Counters for metrics; node's thread. */
struct store_stats {
	uint64_t log_size;         /* both logs, bytes */
	uint64_t cache_hits, cache_misses;
	uint64_t tree_memory;
};
void store_get_stats(const struct store *s, struct store_stats *out);

#endif
