/*
 * kv_synced - what of LevelDB's log files is promised, in a file of its own.
 *
 *   000005.log   [ promised ........ | written since: the kernel may lose any page of it ]
 *   000007.log   [ not promised at all: it was begun since                               ]
 *   SYNCED       magic (8), version (4), count (4), crc32c (4) at its end; between, for
 *                each log: number (8), size (8), crc32c (4) of so much; little-endian
 *
 * LevelDB hands its log to the kernel and does not sync it. After a power loss
 * that tail may have holes or garbage in it, at which LevelDB, rightly strict,
 * refuses to open; or a newer log file may be whole and an older one not. So each
 * kv_sync() ends by writing SYNCED, and before LevelDB opens, its logs are brought
 * back to what SYNCED says: a longer one is cut, one that is not named is emptied.
 * The promised bytes are compared with their checksum: LevelDB's own reader takes
 * some damage for the end of the log.
 *
 * Why the database is then all writes up to one moment, at the last kv_sync() or
 * later (LevelDB 1.23: DBImpl::Recover, CompactMemTable, MakeRoomForWrite):
 *
 * - Logs are written one after the other, and SYNCED names all that live at one
 *   moment. Each memtable is one log; there are at most two, and the older one's
 *   goes into a table before the newer one's may. So tables hold everything up to
 *   some moment, and logs what comes next.
 * - A log is removed only after a manifest that says so was synced, with the table
 *   (synced before) and its name. So a log that SYNCED names and that is gone, is in
 *   the tables, with what was written to it since; and the logs that are left were
 *   begun later. Only the newest that SYNCED names is never the last to go: LevelDB
 *   begins another before. If none of its number or above is there, it was lost.
 * - Opening puts what the logs hold into tables, makes a manifest (both synced), and
 *   removes the logs; a crash before that leaves them as they were, cut. The log begun
 *   on opening is not in SYNCED: what was promised is in tables by then, and what
 *   goes into the new log is not promised before the next kv_sync().
 * - A log's number is never used again once SYNCED named it: the manifest that let
 *   it go counts on from above it.
 * - What LevelDB has not synced of its manifest is one entry at most, of some hundred
 *   bytes. It passes over one that is cut short or reads as zeros; one that stood over
 *   two pages and lost only the second makes it refuse to open, and that is left so:
 *   a manifest's last entry cannot be told from one that was synced and rotted.
 * - SYNCED is replaced by renaming, when all that it names is synced. A crash before
 *   leaves the older one, which leads back to the older promise; whoever drops
 *   data elsewhere because of a kv_sync(), does so after it.
 */
#ifndef WEFT_STORE_KV_SYNCED_H
#define WEFT_STORE_KV_SYNCED_H

#include "base/bytes.h"
#include "base/err.h"

struct log_mark;

struct kv_synced {
	char *dir;
	int dir_fd;               /* locked */
	struct log_mark *logs;    /* as in SYNCED, by rising number */
	size_t log_count;
};

/* Takes LevelDB's directory for this process (made, if `create`), and brings the logs
 * in it back to what is promised. LevelDB must not be open in it. On failure nothing
 * is held, and only unpromised bytes were touched. */
int kv_synced_open(struct kv_synced *k, const char *dir, bool create, struct err *err);
void kv_synced_close(struct kv_synced *k);

/* Syncs all of LevelDB's logs as they are, and promises them. By the thread that
 * writes to LevelDB. STORE_E_WRITE: what was promised before still is. */
int kv_synced_promise(struct kv_synced *k, struct err *err);

#endif
