#include "store/kv_synced.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "store/kv.h"

#define SYNCED_NAME "SYNCED"
#define SYNCED_MAGIC "weft.syn"
#define SYNCED_VERSION 1
#define HEADER_SIZE 16
#define ENTRY_SIZE 20
#define SYNCED_SIZE_MAX (64 * KIB)
#define LOG_NAME_MAX 32
#define BLOCK_SIZE (256 * KIB)

struct log_mark {
	uint64_t number, size;
	uint32_t crc; /* of the first `size` bytes */
};

static void log_name(char out[LOG_NAME_MAX], uint64_t number)
{
	snprintf(out, LOG_NAME_MAX, "%06" PRIu64 ".log", number);
}

/* True if LevelDB would take `name` for one of its logs. */
static bool parse_log_name(const char *name, uint64_t *number)
{
	char again[LOG_NAME_MAX];

	if (*name < '0' || *name > '9')
		return false;
	*number = strtoull(name, NULL, 10);
	log_name(again, *number);
	return strcmp(name, again) == 0;
}

static int compare_marks(const void *a, const void *b)
{
	uint64_t x = ((const struct log_mark *)a)->number, y = ((const struct log_mark *)b)->number;

	return (x > y) - (x < y);
}

static struct log_mark *find_mark(const struct kv_synced *k, uint64_t number)
{
	for (size_t i = 0; i < k->log_count; i++)
		if (k->logs[i].number == number)
			return &k->logs[i];
	return NULL;
}

/* Gives the logs that are there, sizes 0, by rising number. False: errno. */
static bool list_logs(const struct kv_synced *k, struct log_mark **out, size_t *count)
{
	int fd = openat(k->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t number;

	*out = NULL;
	*count = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((errno = 0, entry = readdir(dir))) {
		if (!parse_log_name(entry->d_name, &number))
			continue;
		*out = xrealloc(*out, (*count + 1) * sizeof(**out));
		(*out)[(*count)++] = (struct log_mark){ .number = number };
	}
	error = errno;
	closedir(dir);
	if (*count)
		qsort(*out, *count, sizeof(**out), compare_marks);
	errno = error;
	return error == 0;
}

/* Continues the mark's checksum up to `size`. False: errno, 0 if the file ends before. */
static bool extend_mark(struct log_mark *m, int fd, uint64_t size)
{
	uint8_t *block = xmalloc(BLOCK_SIZE);
	bool well = true;

	while (well && m->size < size) {
		size_t want = (size_t)MIN(size - m->size, (uint64_t)BLOCK_SIZE);
		ssize_t n = pread(fd, block, want, (off_t)m->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = 0;
		well = n > 0;
		if (well) {
			m->crc = crc32c(m->crc, bytes_of(block, (size_t)n));
			m->size += (uint64_t)n;
		}
	}
	free(block);
	return well;
}

/* --- the file --- */

static void encode(struct buf *out, const struct log_mark *logs, size_t count)
{
	uint8_t *p = buf_extend(out, HEADER_SIZE + count * ENTRY_SIZE + 4);
	size_t size = HEADER_SIZE;

	memcpy(p, SYNCED_MAGIC, 8);
	store_le32(p + 8, SYNCED_VERSION);
	store_le32(p + 12, (uint32_t)count);
	for (size_t i = 0; i < count; i++, size += ENTRY_SIZE) {
		store_le64(p + size, logs[i].number);
		store_le64(p + size + 8, logs[i].size);
		store_le32(p + size + 16, logs[i].crc);
	}
	store_le32(p + size, crc32c(0, bytes_of(p, size)));
}

static bool decode(struct kv_synced *k, struct bytes file)
{
	size_t count;

	if (file.size < HEADER_SIZE + 4 || memcmp(file.data, SYNCED_MAGIC, 8) != 0 ||
	    load_le32(file.data + 8) != SYNCED_VERSION)
		return false;
	count = load_le32(file.data + 12);
	if (count > SYNCED_SIZE_MAX / ENTRY_SIZE ||
	    file.size != HEADER_SIZE + count * ENTRY_SIZE + 4 ||
	    crc32c(0, bytes_of(file.data, file.size - 4)) != load_le32(file.data + file.size - 4))
		return false;
	k->logs = xcalloc(MAX(count, (size_t)1), sizeof(k->logs[0]));
	k->log_count = count;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = file.data + HEADER_SIZE + i * ENTRY_SIZE;

		k->logs[i] = (struct log_mark){ load_le64(p), load_le64(p + 8), load_le32(p + 16) };
	}
	return true;
}

/* Replaces SYNCED durably. False: errno. */
static bool write_synced(const struct kv_synced *k, const struct log_mark *logs, size_t count)
{
	static const char temporary[] = SYNCED_NAME ".tmp";
	struct buf file = { 0 };
	bool written;
	int fd, error;

	fd = openat(k->dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	encode(&file, logs, count);
	errno = ENOSPC; /* what a short write means */
	written = write(fd, file.data, file.size) == (ssize_t)file.size && fsync(fd) == 0;
	error = errno;
	buf_clear(&file);
	close(fd);
	errno = error;
	return written && renameat(k->dir_fd, temporary, k->dir_fd, SYNCED_NAME) == 0 &&
	       fsync(k->dir_fd) == 0;
}

/* --- opening --- */

static int damaged(const struct kv_synced *k, const char *name, const char *what, struct err *err)
{
	return ERR_SET(err, STORE_E_CORRUPT, "%s/%s %s; " STORE_ADVICE, k->dir, name, what);
}

static int refused(const struct kv_synced *k, const char *name, struct err *err)
{
	return ERR_SET(err, STORE_E_OPEN, "cannot open %s/%s: %s", k->dir, name, strerror(errno));
}

static int take_dir(struct kv_synced *k, bool create, struct err *err)
{
	if (create && mkdir(k->dir, 0755) != 0 && errno != EEXIST)
		return ERR_SET(err, STORE_E_OPEN, "cannot make %s: %s", k->dir, strerror(errno));
	k->dir_fd = open(k->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->dir_fd < 0 && errno == ENOENT)
		return ERR_SET(err, STORE_E_OPEN, "%s holds no database; run init first", k->dir);
	if (k->dir_fd < 0)
		return ERR_SET(err, STORE_E_OPEN, "cannot open %s: %s", k->dir, strerror(errno));
	/* LevelDB locks as well, but only once its logs must not be touched any more. */
	if (flock(k->dir_fd, LOCK_EX | LOCK_NB) != 0)
		return ERR_SET(err, STORE_E_IN_USE,
			       "%s is in use by another process; stop that one", k->dir);
	return OK;
}

static bool exists(const struct kv_synced *k, const char *name)
{
	struct stat st;

	return fstatat(k->dir_fd, name, &st, 0) == 0;
}

/* Nothing is promised of a database that is about to be made. */
static int begin(struct kv_synced *k, bool create, struct err *err)
{
	if (exists(k, "CURRENT"))
		return damaged(k, SYNCED_NAME,
			       "is missing: how much of the database is whole is unknown", err);
	if (!create)
		return ERR_SET(err, STORE_E_OPEN, "%s holds no database; run init first", k->dir);
	if (!write_synced(k, NULL, 0))
		return ERR_SET(err, STORE_E_WRITE,
			       "cannot write %s/" SYNCED_NAME ": %s; make room on the disk", k->dir,
			       strerror(errno));
	return OK;
}

static int load(struct kv_synced *k, bool create, struct err *err)
{
	int fd = openat(k->dir_fd, SYNCED_NAME, O_RDONLY | O_CLOEXEC);
	uint8_t *file;
	ssize_t size;
	bool whole;

	if (fd < 0)
		return errno == ENOENT ? begin(k, create, err) : refused(k, SYNCED_NAME, err);
	file = xmalloc(SYNCED_SIZE_MAX);
	size = read(fd, file, SYNCED_SIZE_MAX);
	close(fd);
	whole = size > 0 && decode(k, bytes_of(file, (size_t)size));
	free(file);
	if (!whole)
		return damaged(k, SYNCED_NAME, "is damaged", err);
	if (!create && !exists(k, "CURRENT"))
		return damaged(k, "CURRENT", "is missing", err);
	return OK;
}

/* Compares what is promised of a log, and cuts off what is not. */
static int restore_log(const struct kv_synced *k, uint64_t number, struct err *err)
{
	const struct log_mark *promised = find_mark(k, number);
	struct log_mark there = { .number = number };
	uint64_t size = promised ? promised->size : 0;
	char name[LOG_NAME_MAX];
	struct stat st;
	int fd, code = OK;

	log_name(name, number);
	fd = openat(k->dir_fd, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return refused(k, name, err);
	if (fstat(fd, &st) != 0)
		code = refused(k, name, err);
	else if ((uint64_t)st.st_size < size)
		code = damaged(k, name, "is shorter than what was synced of it", err);
	else if (!extend_mark(&there, fd, size))
		code = errno ? refused(k, name, err) : damaged(k, name, "became shorter", err);
	else if (promised && there.crc != promised->crc)
		code = damaged(k, name, "is not what was synced", err);
	else if ((uint64_t)st.st_size > size && ftruncate(fd, (off_t)size) != 0)
		code = refused(k, name, err);
	close(fd);
	return code;
}

static int restore_logs(const struct kv_synced *k, struct err *err)
{
	uint64_t newest = k->log_count ? k->logs[k->log_count - 1].number : 0;
	struct log_mark *there;
	char name[LOG_NAME_MAX];
	int code = OK;
	size_t count;

	if (!list_logs(k, &there, &count))
		code = refused(k, "", err);
	log_name(name, newest);
	if (code == OK && k->log_count && (!count || there[count - 1].number < newest))
		code = damaged(k, name, "is missing", err);
	for (size_t i = 0; code == OK && i < count; i++)
		code = restore_log(k, there[i].number, err);
	free(there);
	return code;
}

int kv_synced_open(struct kv_synced *k, const char *dir, bool create, struct err *err)
{
	int code;

	*k = (struct kv_synced){ .dir = xstrdup(dir), .dir_fd = -1 };
	code = take_dir(k, create, err);
	if (code == OK)
		code = load(k, create, err);
	if (code == OK)
		code = restore_logs(k, err);
	if (code != OK)
		kv_synced_close(k);
	return code;
}

void kv_synced_close(struct kv_synced *k)
{
	if (k->dir_fd >= 0)
		close(k->dir_fd);
	free(k->dir);
	free(k->logs);
	*k = (struct kv_synced){ .dir_fd = -1 };
}

/* --- promising --- */

/* Syncs one log and marks what it holds, going on from the promise before. *gone if
 * LevelDB has removed it meanwhile: it is in a table. False: errno. */
static bool sync_log(const struct kv_synced *k, struct log_mark *m, bool *gone)
{
	const struct log_mark *before = find_mark(k, m->number);
	char name[LOG_NAME_MAX];
	struct stat st;
	int fd, error;
	bool well;

	log_name(name, m->number);
	fd = openat(k->dir_fd, name, O_RDONLY | O_CLOEXEC);
	*gone = fd < 0 && errno == ENOENT;
	if (fd < 0)
		return *gone;
	if (before)
		*m = *before;
	well = fdatasync(fd) == 0 && fstat(fd, &st) == 0 &&
	       extend_mark(m, fd, (uint64_t)st.st_size);
	error = errno;
	close(fd);
	errno = error;
	return well;
}

int kv_synced_promise(struct kv_synced *k, struct err *err)
{
	struct log_mark *logs;
	size_t listed, count = 0;
	bool well = list_logs(k, &logs, &listed), gone;

	for (size_t i = 0; well && i < listed; i++) {
		well = sync_log(k, &logs[i], &gone);
		if (well && !gone)
			logs[count++] = logs[i];
	}
	/* The names of new logs, too, before they are promised. */
	well = well && fsync(k->dir_fd) == 0 && write_synced(k, logs, count);
	if (!well) {
		free(logs);
		return ERR_SET(err, STORE_E_WRITE,
			       "cannot sync %s: %s; make room or repair the disk, "
			       "then restart",
			       k->dir, strerror(errno));
	}
	free(k->logs);
	k->logs = logs;
	k->log_count = count;
	return OK;
}
