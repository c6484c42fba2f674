/*
 * A simulated disk: the dice, death, and what is found afterwards.
 */
#include "sim/disk.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "sim/disk_internal.h"

const char *disk_fault_name(enum disk_fault fault)
{
	static const char *const names[] = {
#define X(name, text) [DISK_##name] = text,
		DISK_FAULTS(X)
#undef X
	};

	return names[fault];
}

const struct disk_plan disk_plan_none;

const struct disk_plan disk_plan_all = {
	.chance = {
		[DISK_TORN_WRITE] = 300000,
		[DISK_LOST_WRITE] = 200000,
		[DISK_GARBAGE] = 300000,
		[DISK_LOST_NAME] = 500000,
		[DISK_LOST_BATCH] = 700000,
		[DISK_EARLY_WRITE] = 200000,
		[DISK_MISDIRECTED_WRITE] = 50000,
		[DISK_MISDIRECTED_READ] = 1000,
		[DISK_CORRUPT_READ] = 1000,
		[DISK_READ_ERROR] = 1000,
		[DISK_ROT] = 100000,
		[DISK_KV_ROT] = 30000,
		[DISK_FULL] = 1000,
		[DISK_WRITE_ERROR] = 1000,
		[DISK_FAILED_SYNC] = 2000,
		[DISK_SLOW_SYNC] = 10000,
		[DISK_CRASH] = 2000,
	},
	.full_count = 20,
};

struct disk *disk_new(uint64_t seed, const struct disk_plan *plan)
{
	struct disk *d = xcalloc(1, sizeof(*d));

	d->medium.ops = &disk_ops;
	d->medium.ctx = d;
	d->plan = *plan;
	d->lost_since = UINT64_MAX;
	rng_init(&d->rng, seed);
	return d;
}

void disk_free(struct disk *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->kv_count; i++)
		disk_kv_free(d->kvs[i]);
	for (size_t i = 0; i < d->inode_count; i++) {
		CHECK(!d->inodes[i]->open_count);
		file_free(d->inodes[i]);
	}
	free(d->kvs);
	free(d->inodes);
	free(d->names);
	free(d);
}

void disk_set_plan(struct disk *d, const struct disk_plan *plan)
{
	d->plan = *plan;
	d->full_left = 0;
}

const struct medium *disk_medium(struct disk *d)
{
	return &d->medium;
}

/* --- dice --- */

bool disk_fires(struct disk *d, enum disk_fault fault)
{
	uint32_t chance = d->plan.chance[fault];

	if (!chance || rng_below(&d->rng, DISK_SURE) >= chance)
		return false;
	d->counters[fault]++;
	return true;
}

bool disk_begins(struct disk *d)
{
	d->operation++;
	if (d->operation != d->plan.crash_at)
		return disk_fires(d, DISK_CRASH);
	d->counters[DISK_CRASH]++;
	return true;
}

bool disk_refuses(struct disk *d)
{
	if (!d->full_left && disk_fires(d, DISK_FULL))
		d->full_left = 1 + (uint32_t)rng_below(&d->rng, MAX(d->plan.full_count, 1u));
	if (!d->full_left)
		return false;
	d->full_left--;
	return true;
}

void disk_note_slow(struct disk *d)
{
	if (disk_fires(d, DISK_SLOW_SYNC))
		d->latency_ms += 1 + (uint32_t)rng_below(&d->rng, 1000);
}

void disk_note_damage(struct disk *d, enum disk_fault fault, const char *path, uint64_t at,
		      uint64_t size)
{
	d->damage_count++;
	d->damage = (struct disk_damage){ .fault = fault, .at = at, .size = size };
	memcpy(d->damage.path, path, strlen(path) + 1);
}

/* --- death --- */

void disk_dies(struct disk *d, enum disk_end end, const char *how, const char *path)
{
	if (d->dead)
		return;
	d->dead = true;
	d->end = end;
	snprintf(d->death, sizeof(d->death), "%s %s", how, path);
	d->lost_since = UINT64_MAX;
	if (end == DISK_POWER_LOST) {
		for (size_t i = 0; i < d->inode_count; i++)
			file_lose_power(d->inodes[i]);
		names_lose_power(d);
	}
	for (size_t i = 0; i < d->kv_count; i++)
		disk_kv_stop(d->kvs[i]);
}

void disk_stop(struct disk *d, enum disk_end end)
{
	disk_dies(d, end, end == DISK_POWER_LOST ? "power lost" : "killed", "");
}

bool disk_is_dead(const struct disk *d)
{
	return d->dead;
}

const char *disk_death(const struct disk *d)
{
	return d->death;
}

/* A file with something at rest in it; *sector is such. NULL: none. */
static struct inode *pick_resting(struct disk *d, size_t *sector)
{
	size_t start = d->inode_count ? (size_t)rng_below(&d->rng, d->inode_count) : 0;

	for (size_t n = 0; n < d->inode_count; n++) {
		struct inode *f = d->inodes[(start + n) % d->inode_count];

		*sector = f->is_dir ? SIZE_MAX : file_pick_resting(f, &d->rng);
		if (*sector != SIZE_MAX)
			return f;
	}
	return NULL;
}

/* What happened to the platter since anybody looked; to one file at a time. */
static void age(struct disk *d)
{
	struct inode *f, *to;
	size_t sector, at;

	if (disk_fires(d, DISK_ROT)) {
		f = pick_resting(d, &sector);
		if (f)
			file_rot(f, sector);
	} else if (disk_fires(d, DISK_MISDIRECTED_WRITE)) {
		f = pick_resting(d, &sector);
		to = pick_resting(d, &at);
		if (f)
			file_misdirect(f, sector, to, at);
	}
	for (size_t i = 0; i < d->kv_count; i++)
		if (disk_fires(d, DISK_KV_ROT))
			disk_kv_rot(d->kvs[i]);
}

/* The process went: what was written is still in memory, or was read anew. */
static void find_memory(struct disk *d)
{
	for (size_t i = 0; i < d->inode_count; i++)
		if (rng_below(&d->rng, 4) == 0)
			file_uncache(d->inodes[i]);
}

static void find_platter(struct disk *d)
{
	names_reload(d);
	inodes_collect(d);
	age(d);
	for (size_t i = 0; i < d->inode_count; i++)
		file_reload(d->inodes[i]);
}

void disk_restart(struct disk *d)
{
	for (size_t i = 0; i < d->inode_count; i++)
		CHECK(!d->inodes[i]->open_count);
	for (size_t i = 0; i < d->kv_count; i++)
		CHECK(!d->kvs[i]->is_open);
	disk_stop(d, DISK_PROCESS_KILLED);
	for (size_t i = 0; i < d->kv_count; i++)
		disk_kv_restart(d->kvs[i]);
	inodes_collect(d);
	if (d->end == DISK_POWER_LOST)
		find_platter(d);
	else
		find_memory(d);
	d->dead = false;
	d->death[0] = 0;
	d->full_left = 0;
	d->misreads = 0;
}

void disk_crash(struct disk *d)
{
	disk_stop(d, DISK_POWER_LOST);
	disk_restart(d);
}

/* --- what happened --- */

uint32_t disk_latency_ms(struct disk *d)
{
	uint32_t latency_ms = d->latency_ms;

	d->latency_ms = 0;
	return latency_ms;
}

const uint64_t *disk_counters(const struct disk *d)
{
	return d->counters;
}

uint64_t disk_operations(const struct disk *d)
{
	return d->operation;
}

size_t disk_damage(const struct disk *d, struct disk_damage *newest)
{
	if (newest)
		*newest = d->damage;
	return d->damage_count;
}

uint64_t disk_misreads(const struct disk *d)
{
	return d->misreads;
}

/* --- by hand --- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void disk_list(struct disk *d, struct buf *out, const char *path)
{
	const char **found = xcalloc(d->name_count + 1, sizeof(*found));
	size_t count = 0;

	for (size_t i = 0; i < d->name_count; i++)
		if (d->names[i].seen && path_is_in(d->names[i].path, path))
			found[count++] = path_name(d->names[i].path);
	qsort(found, count, sizeof(*found), compare_names);
	for (size_t i = 0; i < count; i++)
		buf_append(out, found[i], strlen(found[i]) + 1);
	free(found);
}

bool disk_read(struct disk *d, struct buf *out, const char *path)
{
	struct inode *f = name_lookup(d, path);

	if (!f)
		return false;
	buf_append_bytes(out, buf_bytes(&f->view));
	return true;
}

void disk_write(struct disk *d, const char *path, struct bytes data)
{
	struct inode *f = name_lookup(d, path);
	struct name *n;

	if (!f)
		f = inode_new(d, path, false);
	name_set(d, path, data.data ? f : NULL);
	n = name_find(d, path);
	n->durable = n->seen;
	n->changed_at = 0;
	file_truncate(f, 0);
	file_write(f, 0, data);
	file_sync(f);
	if (!data.data)
		inodes_collect(d);
}
