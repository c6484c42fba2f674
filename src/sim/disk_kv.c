/*
 * A key-value store on the disk. It is kept in memory over the crashes of its users, with
 * all versions since the last kv_sync(): a crash takes back the newest writes, as many as it
 * likes, and never one without those behind it (kv.h, kv_synced.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "sim/disk_internal.h"

/* Of so many keys one is lost when keys rot; and of so many reads one is judged by the plan:
 * a store reads keys a hundred times as often as files. */
#define ROT_KEYS 256
#define READ_KEYS 128

static bool is_rotten(const struct disk_kv *k, struct bytes key, uint64_t seq)
{
	uint64_t seed[2] = { k->rot_seed, 0 };

	return k->rot_seed && seq <= k->rot_until && siphash13(seed, key) % ROT_KEYS == 0;
}

static int on_get(void *ctx, struct bytes key, uint64_t seq, struct err *err)
{
	struct disk_kv *k = ctx;
	struct disk *d = k->disk;
	bool once = !d->dead && rng_below(&d->rng, READ_KEYS) == 0 &&
		    disk_fires(d, DISK_CORRUPT_READ);

	d->misreads += once;
	if (!once && !is_rotten(k, key, seq))
		return OK;
	return ERR_SET(err, STORE_E_CORRUPT,
		       "reading column '%c' in %s: Corruption: block checksum mismatch", key.data[0],
		       k->path);
}

static int refuse(struct disk_kv *k, const char *what, struct err *err)
{
	k->failed = true;
	return ERR_SET(err, STORE_E_WRITE,
		       "cannot write to %s: %s; make room or repair the disk, then restart",
		       k->path, what);
}

static int on_write(void *ctx, struct err *err)
{
	struct disk_kv *k = ctx;
	struct disk *d = k->disk;
	bool last;

	if (d->dead)
		return OK;
	if (k->failed)
		return ERR_SET(err, STORE_E_WRITE,
			       "an earlier write to %s failed; make room, then restart", k->path);
	last = disk_begins(d);
	if (disk_refuses(d))
		return refuse(k, "No space left on device", err);
	if (disk_fires(d, DISK_WRITE_ERROR))
		return refuse(k, "Input/output error", err);
	if (last) /* the write to come is not among those that may be kept */
		disk_dies(d, DISK_POWER_LOST, "crash in a write to", k->path);
	return OK;
}

static int on_sync(void *ctx, struct err *err)
{
	struct disk_kv *k = ctx;
	struct disk *d = k->disk;

	if (d->dead)
		return OK;
	if (disk_begins(d)) {
		disk_dies(d, DISK_POWER_LOST, "crash in a sync of", k->path);
		return OK;
	}
	if (disk_fires(d, DISK_FAILED_SYNC))
		return refuse(k, "Input/output error", err);
	disk_note_slow(d);
	kv_memory_mark(k->kv);
	return OK;
}

static void on_close(void *ctx)
{
	struct disk_kv *k = ctx;

	k->is_open = false;
}

static const struct kv_memory_hooks hooks = { on_get, on_write, on_sync, on_close };

static struct disk_kv *find(struct disk *d, const char *path)
{
	for (size_t i = 0; i < d->kv_count; i++)
		if (strcmp(d->kvs[i]->path, path) == 0)
			return d->kvs[i];
	return NULL;
}

static struct disk_kv *kv_make(struct disk *d, const char *path)
{
	struct disk_kv *k = xcalloc(1, sizeof(*k));

	CHECK(strlen(path) < DISK_PATH_MAX);
	k->disk = d;
	memcpy(k->path, path, strlen(path) + 1);
	k->kv = kv_memory_new(&hooks, k);
	kv_memory_mark(k->kv);
	d->kvs = xrealloc(d->kvs, (d->kv_count + 1) * sizeof(d->kvs[0]));
	d->kvs[d->kv_count++] = k;
	return k;
}

/* Closing may lose what was not synced, as well as a crash (kv.h). */
int disk_kv_open(struct disk *d, struct kv **out, const char *path,
		 const struct kv_options *options, struct err *err)
{
	struct disk_kv *k = find(d, path);

	if (!k && !options->create)
		return ERR_SET(err, STORE_E_OPEN, "%s holds no database; run init first", path);
	if (!k)
		k = kv_make(d, path);
	if (k->is_open)
		return ERR_SET(err, STORE_E_IN_USE,
			       "%s is in use by another process; stop that one", path);
	if (!d->dead) {
		k->limit = kv_memory_seq(k->kv);
		disk_kv_restart(k);
	}
	k->is_open = true;
	*out = k->kv;
	return OK;
}

void disk_kv_free(struct disk_kv *k)
{
	CHECK(!k->is_open);
	kv_memory_free(k->kv);
	free(k);
}

void disk_kv_stop(struct disk_kv *k)
{
	k->limit = kv_memory_seq(k->kv);
}

void disk_kv_restart(struct disk_kv *k)
{
	uint64_t first = kv_memory_marked(k->kv), to = k->limit;
	struct disk *d = k->disk;

	if (to > first && disk_fires(d, DISK_LOST_BATCH))
		to = first + rng_below(&d->rng, to - first);
	kv_memory_roll_back(k->kv, to);
	/* Opening puts what the logs hold into tables, which are synced. */
	kv_memory_mark(k->kv);
	k->failed = false;
}

void disk_kv_rot(struct disk_kv *k)
{
	k->rot_seed = rng_next(&k->disk->rng) | 1;
	k->rot_until = kv_memory_marked(k->kv);
	disk_note_damage(k->disk, DISK_KV_ROT, k->path, 0, 0);
}

void disk_kv_remove(struct disk *d, const char *path)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->kv_count; i++) {
		if (strcmp(d->kvs[i]->path, path) == 0)
			disk_kv_free(d->kvs[i]);
		else
			d->kvs[kept++] = d->kvs[i];
	}
	d->kv_count = kept;
}
