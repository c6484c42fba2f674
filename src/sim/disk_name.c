/*
 * Names: what leads to a file now, and what leads to it after a crash. Directories are
 * names like others; a path is the key of all.
 */
#include <stdlib.h>

#include "base/check.h"
#include "sim/disk_internal.h"

struct name *name_find(struct disk *d, const char *path)
{
	for (size_t i = 0; i < d->name_count; i++)
		if (strcmp(d->names[i].path, path) == 0)
			return &d->names[i];
	return NULL;
}

struct inode *name_lookup(struct disk *d, const char *path)
{
	struct name *n = name_find(d, path);

	return n ? n->seen : NULL;
}

void name_set(struct disk *d, const char *path, struct inode *to)
{
	struct name *n = name_find(d, path);

	if (!n) {
		d->names = xrealloc(d->names, (d->name_count + 1) * sizeof(d->names[0]));
		n = &d->names[d->name_count++];
		*n = (struct name){ 0 };
		CHECK(strlen(path) < DISK_PATH_MAX);
		memcpy(n->path, path, strlen(path) + 1);
	}
	n->seen = to;
	n->changed_at = n->seen == n->durable ? 0 : d->operation;
	if (to)
		memcpy(to->path, n->path, sizeof(to->path));
}

struct inode *inode_new(struct disk *d, const char *path, bool is_dir)
{
	struct inode *f = xcalloc(1, sizeof(*f));

	CHECK(strlen(path) < DISK_PATH_MAX);
	f->disk = d;
	f->is_dir = is_dir;
	memcpy(f->path, path, strlen(path) + 1);
	d->inodes = xrealloc(d->inodes, (d->inode_count + 1) * sizeof(d->inodes[0]));
	d->inodes[d->inode_count++] = f;
	return f;
}

/* True if `path` names something right below `dir`. */
bool path_is_in(const char *path, const char *dir)
{
	size_t size = strlen(dir);

	return strncmp(path, dir, size) == 0 && path[size] == '/' && !strchr(path + size + 1, '/');
}

const char *path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void names_sync(struct disk *d, const char *dir)
{
	for (size_t i = 0; i < d->name_count; i++) {
		if (!path_is_in(d->names[i].path, dir))
			continue;
		d->names[i].durable = d->names[i].seen;
		d->names[i].changed_at = 0;
	}
}

/* What was done in one operation, a rename, is undone as one. */
static void undo(struct disk *d, uint64_t operation)
{
	d->lost_since = MIN(d->lost_since, operation);
	for (size_t i = 0; i < d->name_count; i++)
		if (d->names[i].changed_at == operation)
			d->names[i].changed_at = 0;
}

void names_lose_power(struct disk *d)
{
	for (size_t i = 0; i < d->name_count; i++)
		if (d->names[i].changed_at && disk_fires(d, DISK_LOST_NAME))
			undo(d, d->names[i].changed_at);
	for (size_t i = 0; i < d->name_count; i++) {
		if (d->names[i].changed_at)
			d->names[i].durable = d->names[i].seen;
		d->names[i].changed_at = 0;
	}
}

void names_reload(struct disk *d)
{
	for (size_t i = 0; i < d->name_count; i++) {
		d->names[i].seen = d->names[i].durable;
		d->names[i].changed_at = 0;
	}
}

static bool is_reachable(const struct disk *d, const struct inode *f)
{
	if (f->open_count)
		return true;
	for (size_t i = 0; i < d->name_count; i++)
		if (d->names[i].seen == f || d->names[i].durable == f)
			return true;
	return false;
}

void inodes_collect(struct disk *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->inode_count; i++) {
		if (is_reachable(d, d->inodes[i]))
			d->inodes[kept++] = d->inodes[i];
		else
			file_free(d->inodes[i]);
	}
	d->inode_count = kept;
	kept = 0;
	for (size_t i = 0; i < d->name_count; i++)
		if (d->names[i].seen || d->names[i].durable)
			d->names[kept++] = d->names[i];
	d->name_count = kept;
}
