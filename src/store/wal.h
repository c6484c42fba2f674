/*
 * wal - an append-only log of records, in numbered segment files.
 *
 *   segment   name-<first index, 16 hex digits>.log
 *             header: magic, version, first index, chain value before it
 *   record    length (4) ‖ index (8) ‖ kind (1) ‖ payload ‖ crc32c (4), little-endian
 *
 * Each record's CRC starts from the one before it, so a record that was lost,
 * moved or replaced in the middle shows. Only the tail of the newest segment may
 * be torn (a crash during a write): it is cut off on opening, and said.
 *
 * A write error or a failed sync ends the process (fatal): the kernel may have
 * dropped the pages, so trying again could claim a durability that is not there.
 * ENOSPC on append is reported instead, before anything was acknowledged.
 */
#ifndef WEFT_STORE_WAL_H
#define WEFT_STORE_WAL_H

#include "store/kv.h"

#define WAL_RECORD_MAX (64u << 20)

struct wal;

/* Called for each record on opening, in order. Not OK stops with that code. */
typedef int (*wal_replay_fn)(void *ctx, uint64_t index, uint8_t kind, struct bytes payload, struct err *err);

/* What opening found. */
struct wal_report {
	uint64_t record_count;
	uint64_t torn_size; /* bytes cut off the tail */
};

/* Opens (or, with `create`, starts) the log `name` in `dir` and replays it.
 * STORE_E_CORRUPT if a record other than the tail is broken: file, offset and
 * what to do are in the message. */
int wal_open(struct wal **out, const char *dir, const char *name, bool create,
	     wal_replay_fn replay, void *ctx, struct wal_report *report, struct err *err);
void wal_close(struct wal *w);

/* Appends a record (header and payload in one write); it is durable after the
 * next wal_sync(). `payload` may come in parts. Gives its index. */
int wal_append(struct wal *w, uint8_t kind, const struct bytes parts[], size_t part_count,
	       uint64_t *index, struct err *err);
void wal_sync(struct wal *w);

/* Starts a new segment and, once that is durable, removes the segments whose
 * every record is below `keep_from`. */
int wal_rotate(struct wal *w, uint64_t keep_from, struct err *err);

uint64_t wal_next_index(const struct wal *w);
uint64_t wal_size(const struct wal *w); /* bytes in all segments */

#endif
