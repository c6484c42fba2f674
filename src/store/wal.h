/*
 * wal - an append-only log of records, in numbered segment files.
 *
 *   segment   name-<first index, 16 hex digits>.log
 *             header: magic (8), version (4), first index (8), chain value before it (4),
 *             crc32c (4)
 *   record    length (4) ‖ index (8) ‖ synced (8) ‖ kind (1) ‖ payload ‖ crc32c (4), little-endian
 *
 * Each record's CRC starts from the one before it, over the ends of segments
 * too, so a record that was lost, moved or replaced in the middle shows. `synced`
 * is the index below which everything was durable when the record was written.
 *
 * A crash may leave anything of what was written since the last sync: a tail cut
 * short, or a hole with a whole record behind it. So a broken record is a torn
 * tail, cut off on opening and said, if it stands in the newest segment and nobody
 * knows it as synced; otherwise the medium lost something that was promised, and
 * opening is refused. Who knows:
 *
 * - the records behind it, each with its `synced`;
 * - the note, for the very last records and for segments that are gone from either end:
 *
 *       name.note   first index kept (8) ‖ synced (8) ‖ chain value there (4) ‖ crc32c (4)
 *
 *   It is written after each sync and not synced itself, which would cost as much again:
 *   what it says was so, and it may be old by what the kernel had not yet written back when
 *   the power went (some 30 s), or gone. So one fault at a time is always found: a power
 *   loss takes nothing that was synced, and rot, a lost write or a deleted file later finds
 *   the note in place. Only both within those seconds, in the very last records, pass for a
 *   torn tail. Before segments are removed it is synced.
 *
 * A record that reads broken is read again from the disk before it is judged: a misread
 * must not cut off what is whole.
 *
 * A write error or a failed sync ends the process (fatal): the kernel may have
 * dropped the pages, so trying again could claim a durability that is not there. The next
 * process may even read them still, with nothing on the disk: so on opening what nobody
 * knows as synced is written again, in place, and synced, before anybody acts on it.
 * ENOSPC on append is reported instead, before anything was acknowledged.
 */
#ifndef WEFT_STORE_WAL_H
#define WEFT_STORE_WAL_H

#include "store/kv.h"
#include "store/medium.h"

#define WAL_RECORD_MAX (64u << 20) /* bytes of a payload */
#define WAL_PART_MAX 14            /* parts of a payload */

struct wal;

/* Called for each record on opening, in order, when it is durable: what is made of it must
 * not be on the disk before it. Not OK stops with that code. */
typedef int (*wal_replay_fn)(void *ctx, uint64_t index, uint8_t kind, struct bytes payload,
			     struct err *err);

/* What opening found. */
struct wal_report {
	uint64_t record_count;
	uint64_t torn_size; /* bytes cut off the tail */
};

/* Opens the log `name` in `dir` of `medium` (NULL: POSIX) and replays it; with `create` it starts one, whose
 * first index is 1. STORE_E_NOT_FOUND if there is no segment, STORE_E_EXISTS if
 * one is there that `create` would start over.
 * STORE_E_CORRUPT if a record other than the tail is broken: file, offset and
 * what to do are in the message. */
int wal_open(struct wal **out, const struct medium *medium, const char *dir, const char *name,
	     bool create, wal_replay_fn replay, void *ctx, struct wal_report *report,
	     struct err *err);
void wal_close(struct wal *w);

/* Appends a record (header and payload in one write); it is durable after the
 * next wal_sync(). `payload` may come in parts. Gives its index. */
int wal_append(struct wal *w, uint8_t kind, const struct bytes parts[], size_t part_count,
	       uint64_t *index, struct err *err);
void wal_sync(struct wal *w);

/* Syncs what was appended and starts a new segment, durably. STORE_E_WRITE if the
 * disk is full: the log goes on in the old one. Nothing is done if the newest
 * segment is still empty. */
int wal_rotate(struct wal *w, struct err *err);

/* Removes the segments whose every record is below `keep_from`, oldest first, so
 * that a crash leaves no gap. The newest segment stays; all do, if the disk is too full to
 * note it. */
void wal_trim(struct wal *w, uint64_t keep_from);

/* The index of the oldest record that is kept, and of the next to come. */
uint64_t wal_first_index(const struct wal *w);
uint64_t wal_next_index(const struct wal *w);
uint64_t wal_size(const struct wal *w);         /* bytes in all segments */
uint64_t wal_segment_size(const struct wal *w); /* bytes in the newest */

#endif
