/*
 * The table of store/medium.h over a simulated disk. Every operation that changes something is
 * numbered, may be the one in which the machine dies, and does nothing after that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "sim/disk_internal.h"

struct dir_handle {
	struct medium_dir base;
	struct disk *disk;
	struct inode *dir;
};

struct file_handle {
	struct medium_file base;
	struct inode *file;
	bool has_lock;
};

static struct dir_handle *dir_of(struct medium_dir *d)
{
	return (struct dir_handle *)d;
}

static struct inode *file_of(struct medium_file *f)
{
	return ((struct file_handle *)f)->file;
}

static void join(char out[DISK_PATH_MAX], const struct medium_dir *d, const char *name)
{
	const struct dir_handle *h = (const struct dir_handle *)d;
	int size = snprintf(out, DISK_PATH_MAX, "%s/%s", h->dir->path, name);

	CHECK(size > 0 && size < DISK_PATH_MAX);
}

/* --- the medium --- */

/* Its name is durable when this returns. */
static int disk_make(void *ctx, const char *path, bool *made)
{
	struct disk *d = ctx;
	struct name *n;
	bool last;

	*made = !name_lookup(d, path);
	if (!*made || d->dead)
		return 0;
	last = disk_begins(d);
	name_set(d, path, inode_new(d, path, true));
	if (last) {
		disk_dies(d, DISK_POWER_LOST, "crash in the making of", path);
		return 0;
	}
	n = name_find(d, path);
	n->durable = n->seen;
	n->changed_at = 0;
	return 0;
}

static void disk_remove(void *ctx, const char *path)
{
	struct disk *d = ctx;

	if (d->dead)
		return;
	for (size_t i = 0; i < d->name_count; i++)
		if (d->names[i].seen && path_is_in(d->names[i].path, path))
			return;
	name_set(d, path, NULL);
}

static int disk_open_dir(void *ctx, struct medium_dir **out, const char *path)
{
	struct disk *d = ctx;
	struct inode *dir = name_lookup(d, path);
	struct dir_handle *h;

	if (!dir)
		return ENOENT;
	if (!dir->is_dir)
		return ENOTDIR;
	h = xcalloc(1, sizeof(*h));
	h->base.ops = &disk_ops;
	h->disk = d;
	h->dir = dir;
	dir->open_count++;
	*out = &h->base;
	return 0;
}

static int disk_open_kv(void *ctx, struct kv **out, const char *path,
			const struct kv_options *options, struct err *err)
{
	return disk_kv_open(ctx, out, path, options, err);
}

/* --- a directory --- */

static void disk_close_dir(struct medium_dir *d)
{
	dir_of(d)->dir->open_count--;
	free(d);
}

/* A sync that fails ends whoever asked for it (wal.h), with what was dirty still to be read; if
 * it is the disk itself that goes, nothing is. */
static bool sync_fails(struct disk *d, struct inode *f)
{
	enum disk_end end;

	if (!disk_fires(d, DISK_FAILED_SYNC))
		return false;
	end = rng_below(&d->rng, 4) ? DISK_PROCESS_KILLED : DISK_POWER_LOST;
	if (!f->is_dir)
		file_drop(f);
	disk_dies(d, end, "failed sync of", f->path);
	return true;
}

static int disk_sync_dir(struct medium_dir *base)
{
	struct dir_handle *h = dir_of(base);
	struct disk *d = h->disk;

	if (d->dead)
		return 0;
	if (disk_begins(d)) {
		disk_dies(d, DISK_POWER_LOST, "crash in a sync of", h->dir->path);
		return 0;
	}
	if (sync_fails(d, h->dir))
		return 0;
	disk_note_slow(d);
	names_sync(d, h->dir->path);
	inodes_collect(d);
	return 0;
}

static int disk_list_dir(struct medium_dir *d, medium_name_fn fn, void *ctx)
{
	struct dir_handle *h = dir_of(d);
	struct buf names = { 0 };

	/* A list of its own: `fn` may remove names. */
	disk_list(h->disk, &names, h->dir->path);
	for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1)
		fn(ctx, (const char *)names.data + at);
	buf_clear(&names);
	return 0;
}

static bool disk_exists(struct medium_dir *d, const char *name)
{
	char path[DISK_PATH_MAX];

	join(path, d, name);
	return name_lookup(dir_of(d)->disk, path) != NULL;
}

static int disk_make_dir(struct medium_dir *base, const char *name)
{
	struct disk *d = dir_of(base)->disk;
	char path[DISK_PATH_MAX];
	bool last;

	join(path, base, name);
	if (name_lookup(d, path))
		return EEXIST;
	if (d->dead)
		return 0;
	last = disk_begins(d);
	if (disk_refuses(d))
		return ENOSPC;
	name_set(d, path, inode_new(d, path, true));
	if (last)
		disk_dies(d, DISK_POWER_LOST, "crash in the making of", path);
	return 0;
}

static int disk_unlink(struct medium_dir *base, const char *name)
{
	struct disk *d = dir_of(base)->disk;
	char path[DISK_PATH_MAX];
	bool last;

	join(path, base, name);
	if (d->dead)
		return 0;
	if (!name_lookup(d, path))
		return ENOENT;
	last = disk_begins(d);
	name_set(d, path, NULL);
	if (last)
		disk_dies(d, DISK_POWER_LOST, "crash in the removal of", path);
	return 0;
}

static void unlink_name(void *ctx, const char *name)
{
	disk_unlink(ctx, name);
}

static void disk_remove_dir(struct medium_dir *base, const char *name)
{
	struct disk *d = dir_of(base)->disk;
	struct medium_dir *below;
	char path[DISK_PATH_MAX];

	join(path, base, name);
	if (d->dead || disk_open_dir(d, &below, path) != 0)
		return;
	disk_list_dir(below, unlink_name, below);
	disk_close_dir(below);
	disk_kv_remove(d, path);
	disk_remove(d, path);
}

static int disk_rename(struct medium_dir *base, const char *from, const char *to)
{
	struct disk *d = dir_of(base)->disk;
	char from_path[DISK_PATH_MAX], to_path[DISK_PATH_MAX];
	struct inode *f;
	bool last;

	join(from_path, base, from);
	join(to_path, base, to);
	if (d->dead)
		return 0;
	f = name_lookup(d, from_path);
	if (!f)
		return ENOENT;
	last = disk_begins(d);
	name_set(d, from_path, NULL);
	name_set(d, to_path, f);
	if (last)
		disk_dies(d, DISK_POWER_LOST, "crash in the renaming of", from_path);
	return 0;
}

static int disk_open(struct medium_dir *base, struct medium_file **out, const char *name, int how)
{
	struct disk *d = dir_of(base)->disk;
	char path[DISK_PATH_MAX];
	struct file_handle *h;
	struct inode *f;

	join(path, base, name);
	f = name_lookup(d, path);
	if (f && f->is_dir)
		return EISDIR;
	if (!f && !(how & MEDIUM_CREATE))
		return ENOENT;
	if (!f && !d->dead && disk_refuses(d))
		return ENOSPC;
	if (!f) {
		f = inode_new(d, path, false);
		if (!d->dead)
			name_set(d, path, f);
	}
	if ((how & MEDIUM_EMPTY) && !d->dead)
		file_truncate(f, 0);
	h = xcalloc(1, sizeof(*h));
	h->base.ops = &disk_ops;
	h->file = f;
	f->open_count++;
	*out = &h->base;
	return 0;
}

/* --- a file --- */

static void disk_close(struct medium_file *f)
{
	struct file_handle *h = (struct file_handle *)f;

	h->file->locked = h->file->locked && !h->has_lock;
	h->file->open_count--;
	free(h);
}

static int disk_size(struct medium_file *f, uint64_t *size)
{
	*size = file_of(f)->view.size;
	return 0;
}

/* Gives the bytes of another place on the disk. */
static void read_elsewhere(struct disk *d, uint8_t *out, size_t size)
{
	const struct inode *f = d->inodes[rng_below(&d->rng, d->inode_count)];
	size_t from = f->view.size ? (size_t)rng_below(&d->rng, f->view.size) : 0;
	size_t there = MIN(size, f->view.size - from);

	memset(out, 0, size);
	if (there)
		memcpy(out, f->view.data + from, there);
}

static int disk_pread(struct medium_file *base, uint64_t at, uint8_t *out, size_t size, size_t *got)
{
	struct inode *f = file_of(base);
	struct disk *d = f->disk;

	*got = at < f->view.size ? MIN(size, f->view.size - (size_t)at) : 0;
	if (*got)
		memcpy(out, f->view.data + at, *got);
	if (!*got || d->dead)
		return 0;
	if (disk_fires(d, DISK_READ_ERROR)) {
		d->misreads++;
		*got = 0;
		return EIO;
	}
	if (disk_fires(d, DISK_MISDIRECTED_READ)) {
		d->misreads++;
		read_elsewhere(d, out, *got);
	}
	if (disk_fires(d, DISK_CORRUPT_READ)) {
		d->misreads++;
		out[rng_below(&d->rng, *got)] ^= (uint8_t)(1u << rng_below(&d->rng, 8));
	}
	return 0;
}

/* A log takes no error but a full disk: its process ends (wal.h). */
static bool is_log(const struct inode *f)
{
	size_t size = strlen(f->path);

	return size > 4 && strcmp(f->path + size - 4, ".log") == 0;
}

static int fail_write(struct inode *f)
{
	struct disk *d = f->disk;

	if (!is_log(f))
		return EIO;
	disk_dies(d, rng_next(&d->rng) & 1 ? DISK_POWER_LOST : DISK_PROCESS_KILLED,
		  "failed write to", f->path);
	return 0;
}

static int disk_pwrite(struct medium_file *base, uint64_t at, const struct bytes parts[],
		       size_t part_count)
{
	struct inode *f = file_of(base);
	struct disk *d = f->disk;
	struct buf all = { 0 };
	size_t written;
	int error = 0;
	bool last;

	if (d->dead)
		return 0;
	last = disk_begins(d);
	for (size_t i = 0; i < part_count; i++)
		if (parts[i].size)
			buf_append_bytes(&all, parts[i]);
	written = all.size;
	if (disk_refuses(d))
		error = ENOSPC;
	else if (disk_fires(d, DISK_WRITE_ERROR))
		error = EIO;
	if (error && written)
		written = (size_t)rng_below(&d->rng, written);
	file_write(f, at, bytes_of(all.data, written));
	buf_clear(&all);
	if (disk_fires(d, DISK_EARLY_WRITE))
		file_write_early(f);
	if (last) {
		disk_dies(d, DISK_POWER_LOST, "crash in a write to", f->path);
		return 0;
	}
	return error == EIO ? fail_write(f) : error;
}

static int disk_truncate(struct medium_file *base, uint64_t size)
{
	struct inode *f = file_of(base);
	struct disk *d = f->disk;
	bool last;

	if (d->dead || size == f->view.size)
		return 0;
	last = disk_begins(d);
	file_truncate(f, size);
	if (last)
		disk_dies(d, DISK_POWER_LOST, "crash in a truncation of", f->path);
	return 0;
}

static int disk_sync(struct medium_file *base)
{
	struct inode *f = file_of(base);
	struct disk *d = f->disk;

	if (d->dead)
		return 0;
	if (disk_begins(d)) {
		disk_dies(d, DISK_POWER_LOST, "crash in a sync of", f->path);
		return 0;
	}
	if (sync_fails(d, f))
		return 0;
	disk_note_slow(d);
	file_sync(f);
	return 0;
}

static void disk_uncache(struct medium_file *f)
{
	if (!file_of(f)->disk->dead)
		file_uncache(file_of(f));
}

static int disk_lock(struct medium_file *f, char holder[MEDIUM_HOLDER_MAX])
{
	struct file_handle *h = (struct file_handle *)f;

	holder[0] = 0;
	if (h->file->locked)
		return EWOULDBLOCK;
	h->file->locked = h->has_lock = true;
	return 0;
}

const struct medium_ops disk_ops = {
	.make = disk_make,
	.remove = disk_remove,
	.open_dir = disk_open_dir,
	.open_kv = disk_open_kv,
	.close_dir = disk_close_dir,
	.sync_dir = disk_sync_dir,
	.list = disk_list_dir,
	.exists = disk_exists,
	.make_dir = disk_make_dir,
	.remove_dir = disk_remove_dir,
	.rename = disk_rename,
	.unlink = disk_unlink,
	.open = disk_open,
	.close = disk_close,
	.size = disk_size,
	.read = disk_pread,
	.write = disk_pwrite,
	.truncate = disk_truncate,
	.sync = disk_sync,
	.uncache = disk_uncache,
	.lock = disk_lock,
};
