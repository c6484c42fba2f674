/*
 * kv - an ordered key-value store with atomic batches and snapshots, behind one
 * interface: LevelDB on disk, a versioned tree in memory (--dev in memory,
 * tests, simulation).
 *
 * Any number of threads may read; one thread at a time writes. A key starts with
 * its column's letter (columns.h).
 */
#ifndef WEFT_STORE_KV_H
#define WEFT_STORE_KV_H

#include "base/buf.h"
#include "base/err.h"

enum store_error {
	STORE_E_OPEN = ERR_BASE_STORE, /* can't be opened: missing, no rights; the message says */
	STORE_E_IN_USE,                /* another process has the data directory */
	STORE_E_VERSION,               /* written by another version of the database */
	STORE_E_CHAIN,                 /* the data of another chain */
	STORE_E_CORRUPT,               /* a record that is broken, missing or contradicts another */
	STORE_E_WRITE,                 /* the disk refused a write (full, EIO, …) */
	STORE_E_NOT_FOUND,             /* nothing stored under this key */
	STORE_E_PRUNED,                /* it existed and is no longer kept */
	STORE_E_EXISTS,                /* init into a directory that is not empty */
};

/* What to do about STORE_E_CORRUPT. */
#define STORE_ADVICE \
	"restore the data directory from a backup, or remove VERSION, chain and log in it and " \
	"run init again"

struct kv;
struct kv_snapshot;
struct kv_iter;

/* Batches: puts and deletes that become visible, and durable, together. */
struct kv_batch;
struct kv_batch *kv_batch_new(struct kv *kv);
void kv_batch_free(struct kv_batch *b);
void kv_batch_reset(struct kv_batch *b);
void kv_batch_put(struct kv_batch *b, struct bytes key, struct bytes value);
void kv_batch_delete(struct kv_batch *b, struct bytes key);
size_t kv_batch_size(const struct kv_batch *b); /* bytes of keys and values */

struct kv_options {
	bool create;              /* make what is not there */
	size_t cache_size;        /* of blocks, bytes */
	size_t write_buffer_size; /* bytes a memtable and a log take; 0: what was measured best */
};

/* Opens LevelDB in `dir`: paranoid checks and checksum verification on, bloom
 * filters. What it holds then is all writes up to one moment, at the last kv_sync()
 * or later, whether its process ended, was killed, or lost power (kv_synced.h).
 * STORE_E_CORRUPT if a part of what was synced is not there. */
int kv_open_leveldb(struct kv **out, const char *dir, const struct kv_options *options,
		    struct err *err);
struct kv *kv_open_memory(void);
void kv_close(struct kv *kv);

/* Appends the value to `out`. STORE_E_NOT_FOUND, or STORE_E_CORRUPT if the medium
 * gave an error. A NULL snapshot reads the newest. */
int kv_get(struct kv *kv, const struct kv_snapshot *at, struct bytes key, struct buf *out,
	   struct err *err);

/* Writes a batch; `sync`: kv_sync() after it. STORE_E_WRITE. */
int kv_write(struct kv *kv, const struct kv_batch *b, bool sync, struct err *err);

/* Makes all earlier writes durable. Before the next one, a crash may take any number
 * of the newest writes, closing may take them too, but never one and leave a later. */
int kv_sync(struct kv *kv, struct err *err);

struct kv_snapshot *kv_snapshot_new(struct kv *kv);
void kv_snapshot_free(struct kv *kv, struct kv_snapshot *s);

/* Walks keys in order from the first one ≥ `from`. kv_iter_next() says whether
 * there is one; key and value are borrowed until the next call. After the end,
 * kv_iter_error() tells an end from a failure, behind which there is nothing more. */
struct kv_iter *kv_iter_new(struct kv *kv, const struct kv_snapshot *at, struct bytes from);
bool kv_iter_next(struct kv_iter *i, struct bytes *key, struct bytes *value);
/* Goes on from the first key ≥ `from`. */
void kv_iter_seek(struct kv_iter *i, struct bytes from);
int kv_iter_error(const struct kv_iter *i, struct err *err);
void kv_iter_free(struct kv_iter *i);

/* Gives the space of deleted keys in [from, to] back to the file system. */
void kv_compact(struct kv *kv, struct bytes from, struct bytes to);

#endif
