/*
 * The data directory: what is in it, whose it is, and who has it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "codec/hex.h"
#include "store/store_internal.h"

#define VERSION_NAME "VERSION"
#define LOCK_NAME "LOCK"
#define VERSION_SIZE_MAX 512
#define TIP_NAME "chain/TIP" /* not among the logs, whose loss it is to show */

struct store_dir {
	int fd;
	int lock_fd;
	int tip_fd;
	bool made; /* the directory itself is ours */
	char *path, *chain, *log;
};

static char *join(const char *dir, const char *name)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s/%s", dir, name);
	buf_append_byte(&b, 0);
	return (char *)b.data;
}

void store_dir_close(struct store_dir *d)
{
	if (!d)
		return;
	if (d->tip_fd >= 0)
		close(d->tip_fd);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	if (d->fd >= 0)
		close(d->fd);
	free(d->path);
	free(d->chain);
	free(d->log);
	free(d);
}

const char *store_dir_chain(const struct store_dir *d)
{
	return d->chain;
}

const char *store_dir_log(const struct store_dir *d)
{
	return d->log;
}

static int open_dir(struct store_dir **out, const char *path, struct err *err)
{
	struct store_dir *d = xcalloc(1, sizeof(*d));

	d->lock_fd = d->tip_fd = -1;
	d->path = xstrdup(path);
	d->chain = join(path, "chain");
	d->log = join(path, "log");
	d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0) {
		ERR_SET(err, STORE_E_OPEN, "cannot open the data directory %s: %s%s", path,
			strerror(errno), errno == ENOENT ? "; run init first" : "");
		store_dir_close(d);
		return STORE_E_OPEN;
	}
	*out = d;
	return OK;
}

static int in_use(const struct store_dir *d, struct err *err)
{
	char pid[32];
	ssize_t size = pread(d->lock_fd, pid, sizeof(pid) - 1, 0);

	pid[MAX(size, (ssize_t)0)] = 0;
	pid[strspn(pid, "0123456789")] = 0;
	return ERR_SET(err, STORE_E_IN_USE,
		       "the data directory %s is in use by another process%s%s; "
		       "stop that one, or choose another directory",
		       d->path, *pid ? ", pid " : "", pid);
}

/* Takes the lock, which the kernel gives back whenever the process ends. */
static int lock(struct store_dir *d, struct err *err)
{
	char pid[32];
	int size = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	d->lock_fd = openat(d->fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (d->lock_fd < 0)
		return ERR_SET(err, STORE_E_OPEN, "cannot open %s/" LOCK_NAME ": %s", d->path,
			       strerror(errno));
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return in_use(d, err);
	/* Only told to a person; a disk that is full shows where it matters. */
	if (ftruncate(d->lock_fd, 0) != 0 || pwrite(d->lock_fd, pid, (size_t)size, 0) != size)
		errno = 0;
	return OK;
}

static bool exists(const struct store_dir *d, const char *name)
{
	struct stat st;

	return fstatat(d->fd, name, &st, 0) == 0;
}

/* --- creating --- */

static int write_error(const struct store_dir *d, const char *name, struct err *err)
{
	return ERR_SET(err, STORE_E_WRITE, "cannot write %s/%s: %s", d->path, name,
		       strerror(errno));
}

/* Makes the directory, and its entry in the one above durable. */
static int make_dir(const char *path, bool *made, struct err *err)
{
	char *copy, *slash;
	int fd, failed;

	*made = mkdir(path, 0755) == 0;
	if (!*made)
		return errno == EEXIST
			       ? OK
			       : ERR_SET(err, STORE_E_OPEN, "cannot make the data directory %s: %s",
					 path, strerror(errno));
	copy = xstrdup(path);
	for (size_t size = strlen(copy); size > 1 && copy[size - 1] == '/'; size--)
		copy[size - 1] = 0;
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = 0;
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	failed = fd < 0 || fsync(fd) != 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return failed ? ERR_SET(err, STORE_E_WRITE, "cannot sync the directory above %s: %s", path,
				strerror(errno)) : OK;
}

int store_dir_create(struct store_dir **out, const char *path, struct err *err)
{
	struct store_dir *d = NULL;
	bool made;
	int code;

	code = make_dir(path, &made, err);
	if (code == OK)
		code = open_dir(&d, path, err);
	if (code != OK)
		return code;
	d->made = made;
	if (exists(d, VERSION_NAME) || exists(d, "chain") || exists(d, "log"))
		code = ERR_SET(
			err, STORE_E_EXISTS, "%s holds the data of a chain already%s", path,
			exists(d, VERSION_NAME)
				? ""
				: ", half made: remove chain and log in it and run init again");
	else
		code = lock(d, err);
	if (code != OK) {
		store_dir_close(d);
		return code;
	}
	if (mkdirat(d->fd, "chain", 0755) != 0 || mkdirat(d->fd, "log", 0755) != 0 ||
	    fsync(d->fd) != 0) {
		code = write_error(d, "chain", err);
		store_dir_remove(d);
		return code;
	}
	*out = d;
	return OK;
}

int store_dir_seal(struct store_dir *d, const struct hash *genesis_hash, struct err *err)
{
	static const char temporary[] = VERSION_NAME ".tmp";
	char hash[HEX_HASH_SIZE], text[128];
	int size, fd;
	bool written;

	size = snprintf(text, sizeof(text), "database %d\ngenesis %s\n", DATABASE_VERSION,
			hex_data(hash, hash_bytes(genesis_hash)));
	fd = openat(d->fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return write_error(d, temporary, err);
	errno = ENOSPC; /* what a short write means */
	written = write(fd, text, (size_t)size) == size && fsync(fd) == 0;
	close(fd);
	if (!written || renameat(d->fd, temporary, d->fd, VERSION_NAME) != 0 || fsync(d->fd) != 0)
		return write_error(d, VERSION_NAME, err);
	return OK;
}

/* Removes the files below a directory that we made ourselves, and it. */
static void remove_below(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
	unlinkat(dir_fd, name, AT_REMOVEDIR);
}

void store_dir_remove(struct store_dir *d)
{
	unlinkat(d->fd, VERSION_NAME, 0);
	unlinkat(d->fd, VERSION_NAME ".tmp", 0);
	remove_below(d->fd, "chain");
	remove_below(d->fd, "log");
	unlinkat(d->fd, LOCK_NAME, 0);
	if (d->made)
		rmdir(d->path);
	store_dir_close(d);
}

/* --- opening --- */

/* The rest of the line that begins with `word`; empty if there is none. */
static struct bytes line_of(struct bytes text, const char *word)
{
	size_t size = strlen(word);

	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t line = end ? (size_t)(end - text.data) : text.size;

		if (line > size && memcmp(text.data, word, size) == 0)
			return bytes_of(text.data + size, line - size);
		line += end != NULL;
		text = bytes_of(text.data + line, text.size - line);
	}
	return text;
}

static int check_version(const struct store_dir *d, struct bytes text,
			 const struct hash *genesis_hash, struct err *err)
{
	struct bytes version = line_of(text, "database "), genesis = line_of(text, "genesis ");
	char expected[16], theirs[HEX_HASH_SIZE], ours[HEX_HASH_SIZE];
	struct hash hash;

	snprintf(expected, sizeof(expected), "%d", DATABASE_VERSION);
	if (!version.size)
		return ERR_SET(err, STORE_E_CORRUPT,
			       "%s/" VERSION_NAME " names no database version; " STORE_ADVICE,
			       d->path);
	if (!bytes_equal(version, bytes_of_str(expected)))
		return ERR_SET(
			err, STORE_E_VERSION,
			"%s was written by database version %.*s, this program "
			"has %s; use the release that wrote it, or init a new directory and sync",
			d->path, (int)MIN(version.size, (size_t)16), (const char *)version.data,
			expected);
	if (!hex_parse_fixed(hash.bytes, sizeof(hash.bytes), genesis))
		return ERR_SET(err, STORE_E_CORRUPT, "%s/" VERSION_NAME " names no genesis hash; "
			       STORE_ADVICE, d->path);
	if (!hash_equal(&hash, genesis_hash)) {
		hex_data(theirs, hash_bytes(&hash));
		hex_data(ours, hash_bytes(genesis_hash));
		theirs[10] = ours[10] = 0;
		return ERR_SET(
			err, STORE_E_CHAIN,
			"%s holds the chain of genesis %s…, not of %s… as the genesis "
			"file says; use the file that it was made with, or another directory",
			d->path, theirs, ours);
	}
	return OK;
}

static int read_version(const struct store_dir *d, const struct hash *genesis_hash, struct err *err)
{
	char text[VERSION_SIZE_MAX];
	ssize_t size;
	int fd = openat(d->fd, VERSION_NAME, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && (exists(d, "chain") || exists(d, "log")))
		return ERR_SET(err, STORE_E_CORRUPT,
			       "the data directory %s is incomplete: remove chain and log in it "
			       "and run init again",
			       d->path);
	if (fd < 0 && errno == ENOENT)
		return ERR_SET(err, STORE_E_OPEN,
			       "the data directory %s holds no chain; run init first", d->path);
	if (fd < 0)
		return ERR_SET(err, STORE_E_OPEN, "cannot open %s/" VERSION_NAME ": %s", d->path,
			       strerror(errno));
	size = read(fd, text, sizeof(text));
	close(fd);
	return check_version(d, bytes_of(text, (size_t)MAX(size, (ssize_t)0)), genesis_hash, err);
}

int store_dir_open(struct store_dir **out, const char *path, const struct hash *genesis_hash,
		   struct err *err)
{
	struct store_dir *d;
	int code = open_dir(&d, path, err);

	if (code != OK)
		return code;
	code = read_version(d, genesis_hash, err);
	if (code == OK)
		code = lock(d, err);
	if (code == OK)
		d->tip_fd = openat(d->fd, TIP_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (code != OK) {
		store_dir_close(d);
		return code;
	}
	*out = d;
	return OK;
}

/* --- the witness --- */

#define TIP_SIZE 44 /* height (8), hash (32), crc32c (4) */

void store_dir_note_tip(const struct store_dir *d, uint64_t height, const struct hash *hash)
{
	uint8_t record[TIP_SIZE];

	store_le64(record, height);
	memcpy(record + 8, hash->bytes, 32);
	store_le32(record + 40, crc32c(0, bytes_of(record, 40)));
	/* A witness that can't be written says less, and nothing wrong. */
	if (d->tip_fd >= 0 && pwrite(d->tip_fd, record, sizeof(record), 0) != sizeof(record))
		errno = 0;
}

bool store_dir_read_tip(const struct store_dir *d, uint64_t *height, struct hash *hash)
{
	uint8_t record[TIP_SIZE];

	if (d->tip_fd < 0 || pread(d->tip_fd, record, sizeof(record), 0) != sizeof(record) ||
	    crc32c(0, bytes_of(record, 40)) != load_le32(record + 40))
		return false;
	*height = load_le64(record);
	memcpy(hash->bytes, record + 8, 32);
	return true;
}
