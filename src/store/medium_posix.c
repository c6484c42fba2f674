/*
 * The real medium: system calls, and LevelDB for keys and values.
 */
#include "store/medium.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "store/kv.h"

struct posix_dir {
	struct medium_dir base;
	int fd;
};

struct posix_file {
	struct medium_file base;
	int fd;
};

static const struct medium_ops posix_ops;

static int dir_fd(const struct medium_dir *d)
{
	return ((const struct posix_dir *)d)->fd;
}

static int file_fd(const struct medium_file *f)
{
	return ((const struct posix_file *)f)->fd;
}

/* What a call gave, as 0 or an errno. */
static int outcome(int result)
{
	return result < 0 ? errno : 0;
}

/* --- the medium --- */

/* Syncs the directory that `path` is in. */
static int sync_parent(const char *path)
{
	char *copy = xstrdup(path), *slash;
	int fd, error;

	for (size_t size = strlen(copy); size > 1 && copy[size - 1] == '/'; size--)
		copy[size - 1] = 0;
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = 0;
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = fd < 0 ? errno : outcome(fsync(fd));
	if (fd >= 0)
		close(fd);
	free(copy);
	return error;
}

static int posix_make(void *ctx, const char *path, bool *made)
{
	*made = mkdir(path, 0755) == 0;
	if (!*made)
		return errno == EEXIST ? 0 : errno;
	return sync_parent(path);
}

static void posix_remove(void *ctx, const char *path)
{
	rmdir(path);
}

static int posix_open_dir(void *ctx, struct medium_dir **out, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct posix_dir *d;

	if (fd < 0)
		return errno;
	d = xcalloc(1, sizeof(*d));
	d->base.ops = &posix_ops;
	d->fd = fd;
	*out = &d->base;
	return 0;
}

static int posix_open_kv(void *ctx, struct kv **out, const char *path,
			 const struct kv_options *options, struct err *err)
{
	return kv_open_leveldb(out, path, options, err);
}

/* --- a directory --- */

static void posix_close_dir(struct medium_dir *d)
{
	close(dir_fd(d));
	free(d);
}

static int posix_sync_dir(struct medium_dir *d)
{
	return outcome(fsync(dir_fd(d)));
}

/* Calls `fn` for what is in the directory behind `fd`, which it takes. */
static int list_names(int fd, medium_name_fn fn, void *ctx)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int error = dir ? 0 : errno;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return error;
	}
	while ((errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			fn(ctx, entry->d_name);
	error = errno;
	closedir(dir);
	return error;
}

static int posix_list(struct medium_dir *d, medium_name_fn fn, void *ctx)
{
	return list_names(openat(dir_fd(d), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fn, ctx);
}

static bool posix_exists(struct medium_dir *d, const char *name)
{
	struct stat st;

	return fstatat(dir_fd(d), name, &st, 0) == 0;
}

static int posix_make_dir(struct medium_dir *d, const char *name)
{
	return outcome(mkdirat(dir_fd(d), name, 0755));
}

static void unlink_name(void *ctx, const char *name)
{
	unlinkat(*(const int *)ctx, name, 0);
}

static void posix_remove_dir(struct medium_dir *d, const char *name)
{
	int fd = openat(dir_fd(d), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		list_names(fd, unlink_name, &fd);
	unlinkat(dir_fd(d), name, AT_REMOVEDIR);
}

static int posix_rename(struct medium_dir *d, const char *from, const char *to)
{
	return outcome(renameat(dir_fd(d), from, dir_fd(d), to));
}

static int posix_unlink(struct medium_dir *d, const char *name)
{
	return outcome(unlinkat(dir_fd(d), name, 0));
}

static int posix_open(struct medium_dir *d, struct medium_file **out, const char *name, int how)
{
	int flags = (how & MEDIUM_WRITE ? O_RDWR : O_RDONLY) | (how & MEDIUM_CREATE ? O_CREAT : 0) |
		    (how & MEDIUM_EMPTY ? O_TRUNC : 0);
	int fd = openat(dir_fd(d), name, flags | O_CLOEXEC, 0644);
	struct posix_file *f;

	if (fd < 0)
		return errno;
	f = xcalloc(1, sizeof(*f));
	f->base.ops = &posix_ops;
	f->fd = fd;
	*out = &f->base;
	return 0;
}

/* --- a file --- */

static void posix_close(struct medium_file *f)
{
	close(file_fd(f));
	free(f);
}

static int posix_size(struct medium_file *f, uint64_t *size)
{
	struct stat st;

	if (fstat(file_fd(f), &st) != 0)
		return errno;
	*size = (uint64_t)st.st_size;
	return 0;
}

static int posix_read(struct medium_file *f, uint64_t at, uint8_t *out, size_t size, size_t *got)
{
	*got = 0;
	while (*got < size) {
		ssize_t n = pread(file_fd(f), out + *got, size - *got, (off_t)(at + *got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return 0;
		*got += (size_t)n;
	}
	return 0;
}

/* The kernel may take it in several bites. */
static int posix_write(struct medium_file *f, uint64_t at, const struct bytes parts[],
		       size_t part_count)
{
	struct iovec space[MEDIUM_PART_MAX], *v = space;

	CHECK(part_count <= MEDIUM_PART_MAX);
	for (size_t i = 0; i < part_count; i++) {
		v[i].iov_len = parts[i].size;
		/* iovec has no const; writing only reads it. */
		memcpy(&v[i].iov_base, &parts[i].data, sizeof(v[i].iov_base));
	}
	while (part_count) {
		ssize_t n = pwritev(file_fd(f), v, (int)part_count, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		at += (uint64_t)n;
		while (part_count && (size_t)n >= v->iov_len) {
			n -= (ssize_t)v->iov_len;
			v++;
			part_count--;
		}
		if (part_count) {
			v->iov_base = (uint8_t *)v->iov_base + n;
			v->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static int posix_truncate(struct medium_file *f, uint64_t size)
{
	return outcome(ftruncate(file_fd(f), (off_t)size));
}

static int posix_sync(struct medium_file *f)
{
	return outcome(fdatasync(file_fd(f)));
}

static void posix_uncache(struct medium_file *f)
{
	(void)posix_fadvise(file_fd(f), 0, 0, POSIX_FADV_DONTNEED);
}

/* The kernel gives the lock back whenever the process ends. */
static int posix_lock(struct medium_file *f, char holder[MEDIUM_HOLDER_MAX])
{
	int error, size;
	size_t got;

	if (flock(file_fd(f), LOCK_EX | LOCK_NB) != 0) {
		error = errno;
		posix_read(f, 0, (uint8_t *)holder, MEDIUM_HOLDER_MAX - 1, &got);
		holder[got] = 0;
		holder[strspn(holder, "0123456789")] = 0;
		return error;
	}
	size = snprintf(holder, MEDIUM_HOLDER_MAX, "%ld\n", (long)getpid());
	/* Only told to a person; a disk that is full shows where it matters. */
	if (posix_truncate(f, 0) != 0 || medium_write(f, 0, bytes_of(holder, (size_t)size)) != 0)
		errno = 0;
	return 0;
}

bool medium_is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static const struct medium_ops posix_ops = {
	.make = posix_make,
	.remove = posix_remove,
	.open_dir = posix_open_dir,
	.open_kv = posix_open_kv,
	.close_dir = posix_close_dir,
	.sync_dir = posix_sync_dir,
	.list = posix_list,
	.exists = posix_exists,
	.make_dir = posix_make_dir,
	.remove_dir = posix_remove_dir,
	.rename = posix_rename,
	.unlink = posix_unlink,
	.open = posix_open,
	.close = posix_close,
	.size = posix_size,
	.read = posix_read,
	.write = posix_write,
	.truncate = posix_truncate,
	.sync = posix_sync,
	.uncache = posix_uncache,
	.lock = posix_lock,
};

const struct medium *medium_posix(void)
{
	static const struct medium posix = { .ops = &posix_ops };

	return &posix;
}
