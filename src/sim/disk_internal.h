/*
 * disk_internal - the inside of a simulated disk, for disk*.c only.
 *
 *   disk         faults, death, restart
 *   disk_file    a file: what the node sees, what the platter has
 *   disk_name    directories
 *   disk_kv      key-value stores
 *   disk_medium  the table of store/medium.h
 */
#ifndef WEFT_SIM_DISK_INTERNAL_H
#define WEFT_SIM_DISK_INTERNAL_H

#include "base/rand.h"
#include "sim/disk.h"
#include "store/kv_memory.h"

#define SECTOR_SIZE 512
#define DISK_PATH_MAX 128

struct sector {
	uint64_t dirty_since; /* operation; 0: it is as on the platter, or was dropped */
	uint64_t synced_at;   /* operation that wrote it down last; 0: none */
};

/* A file or a directory; it lives while a name leads to it or a handle is open. */
struct inode {
	struct disk *disk;
	bool is_dir;
	bool locked;
	size_t open_count;
	char path[DISK_PATH_MAX]; /* of a directory; of a file: the newest name */
	/* of a file */
	struct buf view, platter;
	struct sector *sectors;   /* as many as the larger of the two has */
	size_t sector_count;
	uint64_t resized_at;      /* operation since when the sizes differ; 0: they do not */
};

/* A name, and what it leads to: as seen, and on the platter. */
struct name {
	char path[DISK_PATH_MAX];
	struct inode *seen, *durable;
	uint64_t changed_at; /* operation since when the two differ; a rename changes two */
};

/* A key-value store. */
struct disk_kv {
	struct disk *disk;
	char path[DISK_PATH_MAX];
	struct kv *kv;
	bool is_open;
	bool failed;        /* a write failed: it takes no more */
	uint64_t limit;     /* when it died: the newest write that may be kept */
	uint64_t rot_seed;  /* 0: none; else the keys that are lost, */
	uint64_t rot_until; /* of those written up to this number */
};

struct disk {
	struct medium medium;
	struct disk_plan plan;
	struct rng rng;
	uint64_t operation;
	uint64_t counters[DISK_FAULT_COUNT];
	uint32_t latency_ms;
	uint32_t full_left; /* writes still to be refused */
	bool dead;
	enum disk_end end;
	char death[DISK_PATH_MAX + 64];
	uint64_t lost_since; /* the earliest write that the crash took back; UINT64_MAX: none */
	uint64_t misreads;
	size_t damage_count;
	struct disk_damage damage;

	struct inode **inodes;
	size_t inode_count;
	struct name *names;
	size_t name_count;
	struct disk_kv **kvs;
	size_t kv_count;
};

/* --- disk.c --- */

/* True, and counted, if the fault fires at this opportunity. */
bool disk_fires(struct disk *d, enum disk_fault fault);
/* Another numbered operation begins. True if the machine is to die in it: the caller does what
 * may be done of it and calls disk_dies(). */
bool disk_begins(struct disk *d);
void disk_dies(struct disk *d, enum disk_end end, const char *how, const char *path);
void disk_note_damage(struct disk *d, enum disk_fault fault, const char *path, uint64_t at,
		      uint64_t size);
void disk_note_slow(struct disk *d);
/* True while there is no room. */
bool disk_refuses(struct disk *d);

/* --- disk_file.c --- */

void file_free(struct inode *f);
void file_write(struct inode *f, uint64_t at, struct bytes data);
void file_truncate(struct inode *f, uint64_t size);
void file_sync(struct inode *f);
/* The sync failed: what was dirty counts as clean and is not on the platter. */
void file_drop(struct inode *f);
/* Some dirty sectors go down by themselves. */
void file_write_early(struct inode *f);
/* Sectors that are not dirty are read from the platter again. */
void file_uncache(struct inode *f);
/* The power goes: something between platter and view becomes the platter. */
void file_lose_power(struct inode *f);
/* The view is what the platter has. */
void file_reload(struct inode *f);
/* A sector that has been at rest; SIZE_MAX if there is none. */
size_t file_pick_resting(const struct inode *f, struct rng *rng);
void file_rot(struct inode *f, size_t sector);
void file_misdirect(struct inode *from, size_t sector, struct inode *to, size_t at);

/* --- disk_name.c --- */

struct name *name_find(struct disk *d, const char *path);
/* What the path leads to; NULL. */
struct inode *name_lookup(struct disk *d, const char *path);
/* Lets `path` lead to `to` (NULL: nowhere), not durably yet. */
void name_set(struct disk *d, const char *path, struct inode *to);
struct inode *inode_new(struct disk *d, const char *path, bool is_dir);
bool path_is_in(const char *path, const char *dir);
const char *path_name(const char *path);
void names_sync(struct disk *d, const char *dir);
void names_lose_power(struct disk *d);
/* What was synced is what is seen. */
void names_reload(struct disk *d);
/* Frees what nothing leads to. */
void inodes_collect(struct disk *d);

/* --- disk_kv.c --- */

int disk_kv_open(struct disk *d, struct kv **out, const char *path,
		 const struct kv_options *options, struct err *err);
void disk_kv_free(struct disk_kv *k);
void disk_kv_stop(struct disk_kv *k);
void disk_kv_restart(struct disk_kv *k);
void disk_kv_rot(struct disk_kv *k);
/* Removes the one at `path`, if there is one. */
void disk_kv_remove(struct disk *d, const char *path);

/* --- disk_medium.c --- */

extern const struct medium_ops disk_ops;

#endif
