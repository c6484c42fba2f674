/*
 * A file: the view, which is what its users see, and the platter, which is what a crash
 * leaves; sector by sector, whether the one has reached the other.
 */
#include <stdlib.h>

#include "base/check.h"
#include "sim/disk_internal.h"

void file_free(struct inode *f)
{
	buf_clear(&f->view);
	buf_clear(&f->platter);
	free(f->sectors);
	free(f);
}

/* Makes `b` hold `size` bytes; what it grows by is zero. */
static void resize(struct buf *b, uint64_t size)
{
	size_t more = size > b->size ? (size_t)size - b->size : 0;

	if (more)
		memset(buf_extend(b, more), 0, more);
	b->size = (size_t)size;
}

static size_t sectors_of(uint64_t size)
{
	return (size_t)((size + SECTOR_SIZE - 1) / SECTOR_SIZE);
}

static void cover(struct inode *f)
{
	size_t count = sectors_of(MAX(f->view.size, f->platter.size));

	if (count <= f->sector_count)
		return;
	/* By doubling: a log grows by little at a time. */
	count = MAX(count, 2 * f->sector_count);
	f->sectors = xrealloc(f->sectors, count * sizeof(f->sectors[0]));
	memset(f->sectors + f->sector_count, 0, (count - f->sector_count) * sizeof(f->sectors[0]));
	f->sector_count = count;
}

static void note_size(struct inode *f)
{
	if (f->view.size == f->platter.size)
		f->resized_at = 0;
	else if (!f->resized_at)
		f->resized_at = f->disk->operation;
}

static void make_dirty(struct inode *f, uint64_t from, uint64_t to)
{
	for (size_t i = (size_t)(from / SECTOR_SIZE); i < sectors_of(to); i++)
		if (!f->sectors[i].dirty_since)
			f->sectors[i].dirty_since = f->disk->operation;
}

void file_write(struct inode *f, uint64_t at, struct bytes data)
{
	uint64_t before = f->view.size;

	if (!data.size)
		return;
	resize(&f->view, MAX(before, at + data.size));
	memcpy(f->view.data + at, data.data, data.size);
	cover(f);
	/* A hole that is jumped over is zeros that have to be written, too. */
	make_dirty(f, MIN(before, at), at + data.size);
	note_size(f);
}

void file_truncate(struct inode *f, uint64_t size)
{
	uint64_t before = f->view.size;

	resize(&f->view, size);
	cover(f);
	if (size > before)
		make_dirty(f, before, size);
	/* Nothing of the view is left beyond; the zeros behind the end of the last sector
	 * go down with it. */
	for (size_t i = sectors_of(size); i < f->sector_count; i++)
		f->sectors[i].dirty_since = 0;
	if (size < before && size % SECTOR_SIZE)
		make_dirty(f, size - 1, size);
	note_size(f);
}

/* Puts what the view has of a sector on the platter, as far as that reaches. */
static void put_down(struct inode *f, size_t i)
{
	size_t at = i * SECTOR_SIZE, end = MIN(at + SECTOR_SIZE, f->platter.size);
	size_t seen = MIN(end, f->view.size);

	if (at >= end)
		return;
	memset(f->platter.data + at, 0, end - at);
	if (at < seen)
		memcpy(f->platter.data + at, f->view.data + at, seen - at);
	f->sectors[i].synced_at = f->disk->operation;
}

void file_sync(struct inode *f)
{
	resize(&f->platter, f->view.size);
	for (size_t i = 0; i < sectors_of(f->view.size); i++) {
		if (!f->sectors[i].dirty_since)
			continue;
		put_down(f, i);
		f->sectors[i].dirty_since = 0;
	}
	f->resized_at = 0;
}

void file_drop(struct inode *f)
{
	for (size_t i = 0; i < f->sector_count; i++)
		f->sectors[i].dirty_since = 0;
	f->resized_at = 0;
}

void file_write_early(struct inode *f)
{
	struct rng *rng = &f->disk->rng;

	resize(&f->platter, MAX(f->platter.size, f->view.size));
	cover(f);
	for (size_t i = 0; i < sectors_of(f->view.size); i++) {
		if (!f->sectors[i].dirty_since || (rng_next(rng) & 1))
			continue;
		put_down(f, i);
		f->sectors[i].dirty_since = 0;
	}
	note_size(f);
}

void file_uncache(struct inode *f)
{
	for (size_t i = 0; i < sectors_of(f->view.size); i++) {
		size_t at = i * SECTOR_SIZE, end = MIN(at + SECTOR_SIZE, f->view.size);
		size_t there = MAX(at, MIN(end, f->platter.size));

		if (f->sectors[i].dirty_since)
			continue;
		if (there > at)
			memcpy(f->view.data + at, f->platter.data + at, there - at);
		memset(f->view.data + there, 0, end - there);
	}
}

void file_reload(struct inode *f)
{
	buf_reset(&f->view);
	if (f->platter.size)
		buf_append_bytes(&f->view, buf_bytes(&f->platter));
	file_drop(f);
}

/* --- the power goes --- */

static void lose(struct inode *f, uint64_t since)
{
	f->disk->lost_since = MIN(f->disk->lost_since, since);
}

/* Which of the dirty sectors reach the platter. */
enum fate { FATE_ALL, FATE_NONE, FATE_PREFIX, FATE_SOME, FATE_GARBAGE };

static enum fate choose_fate(struct inode *f)
{
	struct disk *d = f->disk;

	if (disk_fires(d, DISK_LOST_WRITE))
		return FATE_NONE;
	if (disk_fires(d, DISK_TORN_WRITE))
		return rng_next(&d->rng) & 1 ? FATE_PREFIX : FATE_SOME;
	/* Garbage shows only where nothing stood. */
	if (f->view.size > f->platter.size && disk_fires(d, DISK_GARBAGE))
		return FATE_GARBAGE;
	return FATE_ALL;
}

static bool has_pending(const struct inode *f)
{
	if (f->resized_at)
		return true;
	for (size_t i = 0; i < sectors_of(f->view.size); i++)
		if (f->sectors[i].dirty_since)
			return true;
	return false;
}

/* The size that the file has afterwards: as before, as seen, or something between. */
static uint64_t choose_size(struct inode *f, enum fate fate)
{
	uint64_t low = MIN(f->platter.size, f->view.size);
	uint64_t high = MAX(f->platter.size, f->view.size);

	if (!f->resized_at || fate == FATE_ALL)
		return f->resized_at ? f->view.size : f->platter.size;
	if (fate == FATE_NONE)
		return f->platter.size;
	switch (rng_below(&f->disk->rng, 3)) {
	case 0:
		return low + rng_below(&f->disk->rng, high - low + 1);
	case 1:
		return f->platter.size;
	}
	return f->view.size;
}

static void fill_with_garbage(struct inode *f, uint64_t from)
{
	/* Whole sectors: one that held something is as it was. */
	for (size_t at = sectors_of(from) * SECTOR_SIZE; at < f->platter.size; at++)
		f->platter.data[at] = (uint8_t)rng_next(&f->disk->rng);
}

void file_lose_power(struct inode *f)
{
	struct rng *rng = &f->disk->rng;
	uint64_t before = f->platter.size, size;
	bool cut = false;
	enum fate fate;

	if (!has_pending(f))
		return;
	fate = choose_fate(f);
	size = choose_size(f, fate);
	if (f->resized_at && size != f->view.size)
		lose(f, f->resized_at);
	resize(&f->platter, size);
	if (fate == FATE_GARBAGE && size > before)
		fill_with_garbage(f, before);
	cover(f);
	for (size_t i = 0; i < sectors_of(f->view.size); i++) {
		bool kept = fate == FATE_ALL;

		if (!f->sectors[i].dirty_since)
			continue;
		cut |= fate == FATE_PREFIX && rng_below(rng, 3) == 0;
		kept |= fate == FATE_PREFIX && !cut;
		kept |= fate >= FATE_SOME && (rng_next(rng) & 1);
		if (kept && i * SECTOR_SIZE < size)
			put_down(f, i);
		else
			lose(f, f->sectors[i].dirty_since);
	}
}

/* --- damage to what was at rest --- */

size_t file_pick_resting(const struct inode *f, struct rng *rng)
{
	size_t count = sectors_of(f->platter.size), start;

	if (!count)
		return SIZE_MAX;
	start = (size_t)rng_below(rng, count);
	for (size_t n = 0; n < count; n++) {
		size_t i = (start + n) % count;

		/* What is lost was written right after it was synced, perhaps to say so. */
		if (f->sectors[i].synced_at && f->sectors[i].synced_at + 1 < f->disk->lost_since)
			return i;
	}
	return SIZE_MAX;
}

static size_t sector_size(const struct inode *f, size_t i)
{
	return MIN((size_t)SECTOR_SIZE, f->platter.size - i * SECTOR_SIZE);
}

void file_rot(struct inode *f, size_t i)
{
	struct rng *rng = &f->disk->rng;
	uint8_t *p = f->platter.data + i * SECTOR_SIZE;
	size_t size = sector_size(f, i);

	switch (rng_below(rng, 4)) {
	case 0: /* a bit */
		p[rng_below(rng, size)] ^= (uint8_t)(1u << rng_below(rng, 8));
		break;
	case 1: /* the sector is gone */
		memset(p, 0, size);
		break;
	case 2: { /* a run of it */
		size_t from = (size_t)rng_below(rng, size);

		memset(p + from, 0xff, (size_t)rng_below(rng, size - from) + 1);
		break;
	}
	case 3: /* noise */
		for (size_t at = 0; at < size; at++)
			p[at] = (uint8_t)rng_next(rng);
		break;
	}
	disk_note_damage(f->disk, DISK_ROT, f->path, i * SECTOR_SIZE, size);
}

/* A sector of `from` lies over another's place. In the same file its own was never written; in
 * another one it was, later. */
void file_misdirect(struct inode *from, size_t sector, struct inode *to, size_t at)
{
	uint8_t *p = from->platter.data + sector * SECTOR_SIZE;
	size_t size = sector_size(from, sector), there = sector_size(to, at);

	memcpy(to->platter.data + at * SECTOR_SIZE, p, MIN(size, there));
	if (from == to && sector != at)
		memset(p, 0, size);
	disk_note_damage(from->disk, DISK_MISDIRECTED_WRITE, to->path, at * SECTOR_SIZE,
			 MIN(size, there));
}
