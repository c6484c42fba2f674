/*
 * disk - a simulated disk: a medium (store/medium.h) in memory that outlives the node
 * which uses it, and that fails in every way disks fail.
 *
 *         the node sees          the platter has
 *     file  [ view ........ ]      [ disk ..... ]     sync: dirty sectors go down
 *     names  log/a, log/b           log/a             sync of the directory
 *     kv     all writes             up to the mark    kv_sync()
 *                 └──────── a crash leaves ────────┘
 *                    something between the two
 *
 * What a crash may leave is all that medium.h allows: of each file any of its dirty sectors
 * (512 bytes; one is whole or as before), any size between the two, garbage where nothing was
 * ever synced; each change of a directory or not; of the key-value store a moment between its
 * last kv_sync() and now, as kv.h promises.
 *
 * Death. A fault that a node does not survive (a crash at a numbered operation, EIO on a
 * log, a sync that failed) happens inside a call from the node, which can't be left from
 * there. So what the crash leaves is decided at that moment, the calls go on as if all were
 * well, and nothing that they do matters: disk_is_dead() says so, and the simulator, which
 * asks after each step of the node and before anything leaves it, frees the node and calls
 * disk_restart().
 *
 * What may be refused. Most faults lose nothing that was synced: after them the store must
 * open and hold everything that was acknowledged. Damage (rot and misdirected writes) takes
 * what was synced: then the store must hold it all the same, or refuse to open, and never
 * serve something else; disk_damage() says whether there is any. A misread may make one
 * opening fail: disk_misreads() counts them, and the next try must work. Damage is to what
 * had been at rest, and to one file at a time: it spares what was synced right before a write
 * that the same crash took back, which is two faults at once (wal.h).
 *
 * Everything follows from the seed and the calls. One thread.
 */
#ifndef WEFT_SIM_DISK_H
#define WEFT_SIM_DISK_H

#include "base/buf.h"
#include "store/medium.h"

/*     name               shown              opportunity: what one chance in a million is of */
#define DISK_FAULTS(X) \
	X(TORN_WRITE,        "torn-write")        /* a file at a crash: some dirty sectors reach it */ \
	X(LOST_WRITE,        "lost-write")        /* a file at a crash: none of them does */ \
	X(GARBAGE,           "garbage")           /* a file at a crash: garbage where it grew */ \
	X(LOST_NAME,         "lost-name")         /* a change of a directory at a crash: undone */ \
	X(LOST_BATCH,        "lost-batch")        /* the key-value store at a restart: an earlier moment */ \
	X(EARLY_WRITE,       "early-write")       /* a write: dirty sectors go down before any sync */ \
	X(MISDIRECTED_WRITE, "misdirected-write") /* a crash: a sector turns out to lie elsewhere */ \
	X(MISDIRECTED_READ,  "misdirected-read")  /* a read: gives other bytes of the disk, once */ \
	X(CORRUPT_READ,      "corrupt-read")      /* a read: flips a bit of what it gives, once */ \
	X(READ_ERROR,        "read-error")        /* a read: EIO, once */ \
	X(ROT,               "rot")               /* a crash: bits of what was at rest have flipped */ \
	X(KV_ROT,            "kv-rot")            /* a crash: some keys of the key-value store are lost */ \
	X(FULL,              "full")              /* a write: ENOSPC, and for some more writes */ \
	X(WRITE_ERROR,       "write-error")       /* a write: EIO; to a log: death */ \
	X(FAILED_SYNC,       "failed-sync")       /* a sync: EIO and what was dirty is dropped: death */ \
	X(SLOW_SYNC,         "slow-sync")         /* a sync: takes up to a second */ \
	X(CRASH,             "crash")             /* an operation: the machine dies in it */

enum disk_fault {
#define X(name, text) DISK_##name,
	DISK_FAULTS(X)
#undef X
	DISK_FAULT_COUNT
};

/* The names as shown, by disk_fault. */
const char *disk_fault_name(enum disk_fault fault);

struct disk_plan {
	uint32_t chance[DISK_FAULT_COUNT]; /* in a million, at each opportunity */
	uint64_t crash_at;    /* the machine dies in this operation, counted from 1; 0: in none */
	uint32_t full_count;  /* writes that a full disk refuses, at most */
};

#define DISK_SURE 1000000 /* a chance */

/* What a plan of all zeros is: a disk that never fails, and of which a crash leaves all. */
extern const struct disk_plan disk_plan_none;
/* Every fault, at rates at which a run of some hundred operations sees a few. */
extern const struct disk_plan disk_plan_all;

struct disk;

struct disk *disk_new(uint64_t seed, const struct disk_plan *plan);
void disk_free(struct disk *d); /* nobody uses its medium */

/* Another plan from now on; counters stay. */
void disk_set_plan(struct disk *d, const struct disk_plan *plan);

/* For store_options.medium; lives as long as the disk. */
const struct medium *disk_medium(struct disk *d);

/* --- death --- */

enum disk_end {
	DISK_PROCESS_KILLED, /* what was written is still there, though not on the disk */
	DISK_POWER_LOST,     /* what was not synced may be gone */
};

/* The process, or the machine, ends here: from now on nothing reaches the disk. Nothing, if
 * it is dead already. */
void disk_stop(struct disk *d, enum disk_end end);

bool disk_is_dead(const struct disk *d);
/* What killed it, for a log line: "failed-sync of node/log/…"; "" while it lives. */
const char *disk_death(const struct disk *d);

/* After disk_stop(), or a death, or none; the node is freed, no handle is open: what the end
 * left is what the next node finds. */
void disk_restart(struct disk *d);

/* disk_stop(DISK_POWER_LOST), disk_restart(). */
void disk_crash(struct disk *d);

/* --- what happened --- */

/* How long syncs took since this was asked last, milliseconds. */
uint32_t disk_latency_ms(struct disk *d);

/* How often each fault has fired. */
const uint64_t *disk_counters(const struct disk *d);

/* Numbered operations so far: writes, syncs, changes of names and sizes, of all kinds. */
uint64_t disk_operations(const struct disk *d);

/* Bytes that were synced and are not what was written; also what a later write has mended. */
struct disk_damage {
	enum disk_fault fault;
	char path[128];        /* the key-value store's for KV_ROT */
	uint64_t at, size;
};
/* How often that happened; *newest (may be NULL) is the last one. */
size_t disk_damage(const struct disk *d, struct disk_damage *newest);

/* Misreads since the last restart: refusing to open is right, and so is trying again. */
uint64_t disk_misreads(const struct disk *d);

/* --- by hand, for tests --- */

/* The names below directory `path`, sorted, each ended by a NUL. */
void disk_list(struct disk *d, struct buf *out, const char *path);
/* False if there is no such file. */
bool disk_read(struct disk *d, struct buf *out, const char *path);
/* Makes a file hold this, synced. `data` of NULL: removes it. */
void disk_write(struct disk *d, const char *path, struct bytes data);

#endif
