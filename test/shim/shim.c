/*
 * shim - preloaded before a program (LD_PRELOAD), it notes what of a directory
 * would survive a power loss (model.h), and brings about failures.
 *
 *   WEFT_SHIM_DIR       the directory that is watched, with all below it
 *   WEFT_SHIM_JOURNAL   an existing directory for the notes, elsewhere on the same
 *                       file system; shim-rollback reads it
 *   WEFT_SHIM_NOSYNC=1  fsync and fdatasync do nothing, and say that they did
 *   WEFT_SHIM_EXIT_AT=n the process ends with status 77 at the n-th write, sync,
 *                       cut, rename or removal; half of a write is done
 *   WEFT_SHIM_FAIL      "write:ENOSPC:after=N" or "fsync:EIO:after=N": from the call
 *                       after N on they fail; the first write fails half way
 *
 * What is not seen: stdio's own writes beyond appending, and writing through
 * shared memory, which is refused. LevelDB and this project do neither.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim/model.h"

#define EXIT_STATUS 77

/* The functions that stand behind ours. */
static struct {
	int (*openat)(int, const char *, int, ...);
	FILE *(*fopen)(const char *, const char *);
	ssize_t (*write)(int, const void *, size_t);
	ssize_t (*pwrite)(int, const void *, size_t, off_t);
	ssize_t (*writev)(int, const struct iovec *, int);
	ssize_t (*pwritev)(int, const struct iovec *, int, off_t);
	int (*ftruncate)(int, off_t);
	int (*truncate)(const char *, off_t);
	int (*fsync)(int);
	int (*fdatasync)(int);
	int (*renameat)(int, const char *, int, const char *);
	int (*unlinkat)(int, const char *, int);
	int (*linkat)(int, const char *, int, const char *, int);
	int (*mkdirat)(int, const char *, mode_t);
	void *(*mmap)(void *, size_t, int, int, int, off_t);
} real;

static struct {
	pthread_mutex_t lock;
	bool on;
	struct model model;
	char journal[512];
	int journal_fd;
	dev_t device;
	bool no_sync;
	uint64_t exit_at, count;
	uint64_t write_left, fsync_left; /* until they fail */
	int write_error, fsync_error;    /* 0: they don't */
	bool write_halved;
} shim = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void die(const char *what, const char *about)
{
	char text[512];
	int size = snprintf(text, sizeof(text), "shim: %s: %s: %s\n", about, what, strerror(errno));

	if (real.write && size > 0)
		(void)!real.write(2, text, (size_t)size);
	abort();
}

static void *next(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		abort();
	return f;
}

/* ISO C knows no conversion from void * to a function's address; POSIX does. */
#define LOAD(name) (*(void **)(void *)&real.name = next(#name))

static void load_real(void)
{
	LOAD(openat);
	LOAD(fopen);
	LOAD(write);
	LOAD(pwrite);
	LOAD(writev);
	LOAD(pwritev);
	LOAD(ftruncate);
	LOAD(truncate);
	LOAD(fsync);
	LOAD(fdatasync);
	LOAD(renameat);
	LOAD(unlinkat);
	LOAD(linkat);
	LOAD(mkdirat);
	LOAD(mmap);
}

/* --- the journal --- */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...)
{
	char line[512];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (!model_apply(&shim.model, line))
		die("not a line of the model", line);
	if (real.write(shim.journal_fd, line, (size_t)size) != size)
		die("cannot write the journal", shim.journal);
}

static void note_new(uint64_t ino, bool is_dir)
{
	if (is_dir)
		note("N %" PRIu64 " d\n", ino);
	else
		note("N %" PRIu64 " 0\n", ino);
}

/* Compares a directory with the model: names that came or went while nobody noted
 * (the process was killed between a call and its note). */
static void reconcile(int dir_fd, uint64_t dir_ino)
{
	int fd = real.openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		die("cannot read a directory", shim.journal);
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		struct stat st;
		int below;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (!model_inode(&shim.model, st.st_ino))
			note_new(st.st_ino, S_ISDIR(st.st_mode));
		if (model_lookup(&shim.model, dir_ino, name, UINT64_MAX) != st.st_ino)
			note("A %" PRIu64 " %s %" PRIu64 "\n", dir_ino, name, (uint64_t)st.st_ino);
		if (!S_ISDIR(st.st_mode))
			continue;
		below = real.openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (below < 0)
			die("cannot open a directory", name);
		reconcile(below, st.st_ino);
		close(below);
	}
	closedir(dir);
	for (size_t i = 0; i < shim.model.op_count; i++) {
		const struct model_op *op = &shim.model.ops[i];
		struct stat st;

		if (op->dir == dir_ino &&
		    model_lookup(&shim.model, dir_ino, op->name, UINT64_MAX) != 0 &&
		    fstatat(dir_fd, op->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			note("A %" PRIu64 " %s 0\n", dir_ino, op->name);
	}
}

/* A journal's beginning: all that is there is durable. */
static void note_beginning(int dir_fd, uint64_t root)
{
	note_new(root, true);
	reconcile(dir_fd, root);
	for (size_t i = 0; i < shim.model.dir_count; i++)
		note("D %" PRIu64 " %" PRIu64 "\n", shim.model.dirs[i].ino,
		     shim.model.dirs[i].op_count);
}

/* Sizes of the files below a directory, for a journal's beginning. */
static void note_sizes(int dir_fd)
{
	int fd = real.openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		die("cannot read a directory", shim.journal);
	while ((entry = readdir(dir))) {
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			int below = real.openat(dir_fd, entry->d_name,
						O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			note_sizes(below);
			close(below);
		} else {
			note("S %" PRIu64 " %" PRIu64 "\n", (uint64_t)st.st_ino,
			     (uint64_t)st.st_size);
		}
	}
	closedir(dir);
}

static void load_journal(const char *path)
{
	FILE *f = real.fopen(path, "r");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (!model_apply(&shim.model, line))
			die("not a line of the model", line);
	if (f)
		fclose(f);
}

/* A journal appears whole: the beginning is written under another name. */
static void open_journal(int dir_fd, uint64_t root)
{
	char path[600], temporary[620];
	bool fresh;

	snprintf(path, sizeof(path), "%s/journal", shim.journal);
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	fresh = access(path, F_OK) != 0;
	shim.journal_fd = real.openat(
		AT_FDCWD, fresh ? temporary : path,
		O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | (fresh ? O_TRUNC : 0), 0644);
	if (shim.journal_fd < 0)
		die("cannot open the journal", path);
	if (fresh) {
		note_beginning(dir_fd, root);
		note_sizes(dir_fd);
		if (real.renameat(AT_FDCWD, temporary, AT_FDCWD, path) != 0)
			die("cannot name the journal", path);
	} else {
		load_journal(path);
		reconcile(dir_fd, root);
	}
}

static void parse_failure(const char *text)
{
	char op[16], error[16];
	unsigned long long after;
	int code;

	if (sscanf(text, "%15[a-z]:%15[A-Z]:after=%llu", op, error, &after) != 3)
		die("not \"write:ENOSPC:after=N\" or the like", text);
	code = strcmp(error, "ENOSPC") == 0 ? ENOSPC : EIO;
	if (strcmp(op, "write") == 0) {
		shim.write_error = code;
		shim.write_left = after;
	} else {
		shim.fsync_error = code;
		shim.fsync_left = after;
	}
}

__attribute__((constructor)) static void start(void)
{
	const char *dir = getenv("WEFT_SHIM_DIR"), *journal = getenv("WEFT_SHIM_JOURNAL");
	const char *exit_at = getenv("WEFT_SHIM_EXIT_AT"), *fail = getenv("WEFT_SHIM_FAIL");
	const char *no_sync = getenv("WEFT_SHIM_NOSYNC");
	struct stat st;
	int fd;

	load_real();
	if (!dir || !journal)
		return;
	snprintf(shim.journal, sizeof(shim.journal), "%s", journal);
	fd = real.openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		die("cannot open WEFT_SHIM_DIR", dir);
	shim.device = st.st_dev;
	shim.no_sync = no_sync && strcmp(no_sync, "1") == 0;
	shim.exit_at = exit_at ? strtoull(exit_at, NULL, 10) : 0;
	if (fail && *fail)
		parse_failure(fail);
	open_journal(fd, st.st_ino);
	close(fd);
	shim.on = true;
}

/* --- where a call goes --- */

/* A name in a watched directory. */
struct place {
	bool watched;
	uint64_t dir;
	char name[MODEL_NAME_MAX];
	struct stat st;
	bool exists;
};

static void find_place(struct place *p, int dir_fd, const char *path)
{
	char whole[1024], parent[1024] = ".";
	const char *slash, *base;
	struct model_inode *i;
	struct stat st;
	int error = errno;

	*p = (struct place){ 0 };
	snprintf(whole, sizeof(whole), "%s", path);
	for (size_t size = strlen(whole); size > 1 && whole[size - 1] == '/'; size--)
		whole[size - 1] = 0;
	slash = strrchr(whole, '/');
	base = slash ? slash + 1 : whole;
	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", slash == whole ? 1 : (int)(slash - whole),
			 whole);
	if (shim.on && fstatat(dir_fd, parent, &st, 0) == 0 && st.st_dev == shim.device &&
	    (i = model_inode(&shim.model, st.st_ino)) && i->is_dir) {
		if (!*base || strlen(base) >= MODEL_NAME_MAX || strpbrk(base, " \t\n"))
			die("a name that the model can't hold", path);
		p->watched = true;
		p->dir = st.st_ino;
		strcpy(p->name, base);
		p->exists = fstatat(dir_fd, path, &p->st, AT_SYMLINK_NOFOLLOW) == 0;
	}
	errno = error;
}

/* The inode behind a descriptor, if it is watched. */
static struct model_inode *find_fd(int fd, struct stat *st)
{
	int error = errno;
	struct model_inode *i = NULL;

	if (shim.on && fstat(fd, st) == 0 && st->st_dev == shim.device &&
	    (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
		i = model_inode(&shim.model, st->st_ino);
	errno = error;
	return i;
}

static void lock(void)
{
	if (!real.write)
		load_real();
	pthread_mutex_lock(&shim.lock);
}

static void unlock(void)
{
	int error = errno;

	pthread_mutex_unlock(&shim.lock);
	errno = error;
}

/* Counts a call; true if the process is to end in it. */
static bool is_last(void)
{
	return ++shim.count == shim.exit_at;
}

static void end_at_last(void)
{
	if (is_last())
		_exit(EXIT_STATUS);
}

/* --- keeping what is durable --- */

/* Copies a file's durable content before it changes. */
static void keep_content(struct model_inode *i, const char *path)
{
	char name[600], temporary[620], block[65536];
	uint64_t left = i->size;
	int in, out;

	if (i->copied || i->size == 0)
		return;
	snprintf(name, sizeof(name), "%s/c%" PRIu64, shim.journal, i->ino);
	snprintf(temporary, sizeof(temporary), "%s.tmp", name);
	in = real.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	out = real.openat(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (in < 0 || out < 0)
		die("cannot keep a copy", path);
	while (left) {
		ssize_t n = read(in, block, left < sizeof(block) ? left : sizeof(block));

		if (n <= 0 || real.write(out, block, (size_t)n) != n)
			die("cannot keep a copy", path);
		left -= (uint64_t)n;
	}
	close(in);
	close(out);
	if (real.renameat(AT_FDCWD, temporary, AT_FDCWD, name) != 0)
		die("cannot keep a copy", name);
	note("T %" PRIu64 "\n", i->ino);
}

static void keep_content_fd(struct model_inode *i, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	keep_content(i, path);
}

/* Keeps a file that loses its name. */
static void keep_file(int dir_fd, const char *path, uint64_t ino)
{
	char name[600];
	int error = errno;

	snprintf(name, sizeof(name), "%s/i%" PRIu64, shim.journal, ino);
	if (real.linkat(dir_fd, path, AT_FDCWD, name, 0) != 0 && errno != EEXIST)
		die("cannot keep a removed file (is the journal on the same file system?)", path);
	errno = error;
}

/* --- opening --- */

static void before_open(const struct place *p, int dir_fd, const char *path, int flags)
{
	struct model_inode *i = p->watched && p->exists ? model_inode(&shim.model, p->st.st_ino)
							: NULL;

	if (!i || i->is_dir || !(flags & O_TRUNC) || (flags & O_ACCMODE) == O_RDONLY)
		return;
	if (dir_fd != AT_FDCWD && path[0] != '/') {
		int fd = real.openat(dir_fd, path, O_RDONLY | O_CLOEXEC);

		keep_content_fd(i, fd);
		close(fd);
	} else {
		keep_content(i, path);
	}
}

static void after_open(const struct place *p, int fd)
{
	struct stat st;
	int error = errno;

	if (fd >= 0 && p->watched && fstat(fd, &st) == 0 &&
	    (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
		if (!p->exists || !model_inode(&shim.model, st.st_ino))
			note_new(st.st_ino, S_ISDIR(st.st_mode));
		if (model_lookup(&shim.model, p->dir, p->name, UINT64_MAX) != st.st_ino)
			note("A %" PRIu64 " %s %" PRIu64 "\n", p->dir, p->name,
			     (uint64_t)st.st_ino);
	}
	errno = error;
}

static int shim_open(int dir_fd, const char *path, int flags, mode_t mode)
{
	struct place p;
	int fd;

	lock();
	/* Only what may change the directory or cut the file is of interest; and "."
	 * or a path with a slash at its end can do neither. */
	if (!(flags & (O_CREAT | O_TRUNC))) {
		unlock();
		return real.openat(dir_fd, path, flags, mode);
	}
	find_place(&p, dir_fd, path);
	before_open(&p, dir_fd, path, flags);
	fd = real.openat(dir_fd, path, flags, mode);
	after_open(&p, fd);
	unlock();
	return fd;
}

#define MODE_ARGUMENT(flags) \
	mode_t mode = 0; \
	if ((flags) & (O_CREAT | __O_TMPFILE)) { \
		va_list args; \
		va_start(args, flags); \
		mode = va_arg(args, mode_t); \
		va_end(args); \
	}

int open(const char *path, int flags, ...)
{
	MODE_ARGUMENT(flags)
	return shim_open(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	MODE_ARGUMENT(flags)
	return shim_open(AT_FDCWD, path, flags, mode);
}

int openat(int dir_fd, const char *path, int flags, ...)
{
	MODE_ARGUMENT(flags)
	return shim_open(dir_fd, path, flags, mode);
}

int openat64(int dir_fd, const char *path, int flags, ...)
{
	MODE_ARGUMENT(flags)
	return shim_open(dir_fd, path, flags, mode);
}

/* What FORTIFY makes of an open without a mode. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return shim_open(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
	return shim_open(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir_fd, const char *path, int flags);
int __openat_2(int dir_fd, const char *path, int flags)
{
	return shim_open(dir_fd, path, flags, 0);
}

int __openat64_2(int dir_fd, const char *path, int flags);
int __openat64_2(int dir_fd, const char *path, int flags)
{
	return shim_open(dir_fd, path, flags, 0);
}

int creat(const char *path, mode_t mode)
{
	return shim_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int creat64(const char *path, mode_t mode)
{
	return shim_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static FILE *shim_fopen(const char *path, const char *mode)
{
	struct place p = { 0 };
	FILE *f;

	lock();
	if (*mode != 'r') {
		find_place(&p, AT_FDCWD, path);
		before_open(&p, AT_FDCWD, path, *mode == 'w' ? O_TRUNC | O_WRONLY : O_WRONLY);
	}
	f = real.fopen(path, mode);
	after_open(&p, f ? fileno(f) : -1);
	unlock();
	return f;
}

FILE *fopen(const char *path, const char *mode)
{
	return shim_fopen(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	return shim_fopen(path, mode);
}

/* --- writing --- */

enum fate { FATE_WHOLE, FATE_HALF, FATE_LAST, FATE_ERROR };

/* What is to become of a write to a watched file, whose durable content is kept
 * if the write goes into it. */
static enum fate write_fate(struct model_inode *i, int fd, const struct stat *st, off_t at)
{
	if (at < 0)
		at = fcntl(fd, F_GETFL) & O_APPEND ? st->st_size : lseek(fd, 0, SEEK_CUR);
	if (!i->is_dir && (uint64_t)at < i->size)
		keep_content_fd(i, fd);
	if (is_last())
		return FATE_LAST;
	if (!shim.write_error)
		return FATE_WHOLE;
	if (shim.write_left) {
		shim.write_left--;
		return FATE_WHOLE;
	}
	if (!shim.write_halved) {
		shim.write_halved = true;
		return FATE_HALF;
	}
	errno = shim.write_error;
	return FATE_ERROR;
}

static size_t total(const struct iovec *v, int count)
{
	size_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += v[i].iov_len;
	return sum;
}

static ssize_t write_part(int fd, const struct iovec *v, int count, size_t size, off_t at)
{
	uint8_t *joined = malloc(size + 1);
	size_t filled = 0;
	ssize_t n;

	if (!joined)
		abort();
	for (int i = 0; i < count && filled < size; i++) {
		size_t part = v[i].iov_len < size - filled ? v[i].iov_len : size - filled;

		memcpy(joined + filled, v[i].iov_base, part);
		filled += part;
	}
	n = at < 0 ? real.write(fd, joined, size) : real.pwrite(fd, joined, size, at);
	free(joined);
	return n;
}

/* `at` < 0: where the descriptor stands. */
static ssize_t shim_write(int fd, const struct iovec *v, int count, off_t at)
{
	enum fate fate = FATE_WHOLE;
	struct model_inode *i;
	struct stat st;
	ssize_t n = -1;

	lock();
	i = find_fd(fd, &st);
	if (i)
		fate = write_fate(i, fd, &st, at);
	switch (fate) {
	case FATE_WHOLE:
		n = at < 0 ? real.writev(fd, v, count) : real.pwritev(fd, v, count, at);
		break;
	case FATE_HALF:
	case FATE_LAST:
		n = write_part(fd, v, count, total(v, count) / 2, at);
		if (fate == FATE_LAST)
			_exit(EXIT_STATUS);
		break;
	case FATE_ERROR:
		break;
	}
	unlock();
	return n;
}

static struct iovec iovec_of(const void *data, size_t size)
{
	struct iovec v = { .iov_len = size };

	memcpy(&v.iov_base, &data, sizeof(data));
	return v;
}

ssize_t write(int fd, const void *data, size_t size)
{
	struct iovec v = iovec_of(data, size);

	return shim_write(fd, &v, 1, -1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	struct iovec v = iovec_of(data, size);

	return shim_write(fd, &v, 1, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	return pwrite(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
	return shim_write(fd, v, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	return shim_write(fd, v, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *v, int count, off64_t at)
{
	return shim_write(fd, v, count, at);
}

int ftruncate(int fd, off_t size)
{
	struct model_inode *i;
	struct stat st;
	int result;

	lock();
	i = find_fd(fd, &st);
	if (i) {
		if ((uint64_t)size < i->size)
			keep_content_fd(i, fd);
		end_at_last();
	}
	result = real.ftruncate(fd, size);
	unlock();
	return result;
}

int ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

int truncate(const char *path, off_t size)
{
	struct place p;

	lock();
	find_place(&p, AT_FDCWD, path);
	if (p.watched && p.exists) {
		struct model_inode *i = model_inode(&shim.model, p.st.st_ino);

		if (i && (uint64_t)size < i->size)
			keep_content(i, path);
		end_at_last();
	}
	unlock();
	return real.truncate(path, size);
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	struct stat st;

	if (!real.mmap)
		load_real();
	if ((protection & PROT_WRITE) && (flags & MAP_TYPE) == MAP_SHARED && fd >= 0 && shim.on) {
		lock();
		if (find_fd(fd, &st))
			die("writing through shared memory is not modelled", "mmap");
		unlock();
	}
	return real.mmap(at, size, protection, flags, fd, offset);
}

/* --- syncing --- */

static int shim_sync(int fd, int (*sync)(int))
{
	struct model_inode *i;
	struct model_dir *d = NULL;
	uint64_t size, ops = 0;
	struct stat st;
	int result = 0;

	lock();
	i = find_fd(fd, &st);
	if (!i) {
		unlock();
		return sync(fd);
	}
	end_at_last();
	if (shim.fsync_error && shim.fsync_left == 0) {
		errno = shim.fsync_error;
		result = -1;
	} else if (!shim.no_sync) {
		size = (uint64_t)st.st_size;
		if (i->is_dir) {
			d = model_dir(&shim.model, i->ino);
			ops = d->op_count;
		}
		/* Others go on meanwhile; what they do is not covered. */
		unlock();
		result = sync(fd);
		lock();
		if (result == 0 && d)
			note("D %" PRIu64 " %" PRIu64 "\n", (uint64_t)st.st_ino, ops);
		else if (result == 0)
			note("S %" PRIu64 " %" PRIu64 "\n", (uint64_t)st.st_ino, size);
	}
	if (shim.fsync_left)
		shim.fsync_left--;
	unlock();
	return result;
}

int fsync(int fd)
{
	if (!real.fsync)
		load_real();
	return shim_sync(fd, real.fsync);
}

int fdatasync(int fd)
{
	if (!real.fdatasync)
		load_real();
	return shim_sync(fd, real.fdatasync);
}

/* Neither promises durability (sync_file_range(2)), so nothing is noted. */

/* --- names --- */

static int shim_rename(int old_fd, const char *old, int new_fd, const char *new)
{
	struct place from, to;
	int result;

	lock();
	find_place(&from, old_fd, old);
	find_place(&to, new_fd, new);
	if (from.watched || to.watched)
		end_at_last();
	if (to.watched && to.exists)
		keep_file(new_fd, new, to.st.st_ino);
	result = real.renameat(old_fd, old, new_fd, new);
	if (result == 0 && from.watched && to.watched && from.dir == to.dir) {
		note("R %" PRIu64 " %s %s %" PRIu64 "\n", to.dir, from.name, to.name,
		     (uint64_t)from.st.st_ino);
	} else if (result == 0) {
		struct stat st;

		if (to.watched && fstatat(new_fd, new, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			if (!model_inode(&shim.model, st.st_ino))
				note_new(st.st_ino, S_ISDIR(st.st_mode));
			note("A %" PRIu64 " %s %" PRIu64 "\n", to.dir, to.name,
			     (uint64_t)st.st_ino);
		}
		if (from.watched)
			note("A %" PRIu64 " %s 0\n", from.dir, from.name);
	}
	unlock();
	return result;
}

int rename(const char *old, const char *new)
{
	return shim_rename(AT_FDCWD, old, AT_FDCWD, new);
}

int renameat(int old_fd, const char *old, int new_fd, const char *new)
{
	return shim_rename(old_fd, old, new_fd, new);
}

int renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags)
{
	if (flags) {
		errno = EINVAL; /* as a file system that can't */
		return -1;
	}
	return shim_rename(old_fd, old, new_fd, new);
}

static int shim_unlink(int dir_fd, const char *path, int flags)
{
	struct place p;
	int result;

	lock();
	find_place(&p, dir_fd, path);
	if (p.watched)
		end_at_last();
	if (p.watched && p.exists && !S_ISDIR(p.st.st_mode))
		keep_file(dir_fd, path, p.st.st_ino);
	result = real.unlinkat(dir_fd, path, flags);
	if (result == 0 && p.watched)
		note("A %" PRIu64 " %s 0\n", p.dir, p.name);
	unlock();
	return result;
}

int unlink(const char *path)
{
	return shim_unlink(AT_FDCWD, path, 0);
}

int unlinkat(int dir_fd, const char *path, int flags)
{
	return shim_unlink(dir_fd, path, flags);
}

int rmdir(const char *path)
{
	return shim_unlink(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove(const char *path)
{
	int result = shim_unlink(AT_FDCWD, path, 0);

	return result != 0 && errno == EISDIR ? shim_unlink(AT_FDCWD, path, AT_REMOVEDIR) : result;
}

static void note_name(int dir_fd, const char *path)
{
	struct place p;

	find_place(&p, dir_fd, path);
	if (!p.watched || !p.exists)
		return;
	if (S_ISDIR(p.st.st_mode) || !model_inode(&shim.model, p.st.st_ino))
		note_new(p.st.st_ino, S_ISDIR(p.st.st_mode));
	note("A %" PRIu64 " %s %" PRIu64 "\n", p.dir, p.name, (uint64_t)p.st.st_ino);
}

int linkat(int old_fd, const char *old, int new_fd, const char *new, int flags)
{
	int result;

	lock();
	result = real.linkat(old_fd, old, new_fd, new, flags);
	if (result == 0)
		note_name(new_fd, new);
	unlock();
	return result;
}

int link(const char *old, const char *new)
{
	return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
	int result;

	lock();
	result = real.mkdirat(dir_fd, path, mode);
	if (result == 0)
		note_name(dir_fd, path);
	unlock();
	return result;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}
