#include "keystore/keystore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "codec/hex.h"
#include "keystore/format.h"

#define DIR_MODE 0700
#define FILE_MODE 0600
#define OTHERS_ANY 077   /* any permission of group or others */
#define OTHERS_WRITE 022

#define PATH_SIZE 4096

static int refuse_file(struct err *err, const char *what, const char *path)
{
	return ERR_SET(err, KEYSTORE_E_FILE, "can't %s: %s: %s", what, strerror(errno), path);
}

static int join(char out[PATH_SIZE], const char *dir, const char *name, struct err *err)
{
	int size = snprintf(out, PATH_SIZE, "%s/%s", dir, name);

	if (size < 0 || size >= PATH_SIZE)
		return ERR_SET(err, KEYSTORE_E_FILE, "the path of the keystore is too long");
	return OK;
}

/* --- names --- */

void keystore_name(char out[KEYSTORE_NAME_SIZE], const struct addr *address, uint64_t now_ms)
{
	time_t seconds = (time_t)(now_ms / 1000);
	char hex[2 * sizeof(address->bytes)];
	struct tm utc;
	int size;

	CHECK(gmtime_r(&seconds, &utc));
	hex_encode(hex, addr_bytes(address));
	size = snprintf(out, KEYSTORE_NAME_SIZE,
			"UTC--%04d-%02d-%02dT%02d-%02d-%02d.%03u000000Z--%.40s",
			utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
			utc.tm_sec, (unsigned)(now_ms % 1000), hex);
	CHECK(size > 0 && size < KEYSTORE_NAME_SIZE);
}

/* The address that ends a file's name, behind "--" and with or without ".json". */
static bool address_in_name(struct addr *out, const char *name)
{
	struct bytes text = bytes_of_str(name);

	if (text.size > 5 && memcmp(text.data + text.size - 5, ".json", 5) == 0)
		text.size -= 5;
	if (text.size < 42 || memcmp(text.data + text.size - 42, "--", 2) != 0)
		return false;
	return hex_decode(out->bytes, sizeof(out->bytes),
			  bytes_of(text.data + text.size - 40, 40));
}

/* --- reading --- */

/* Reads all of an open file, which may not be larger than a keystore. */
static int read_all(int fd, struct buf *out, const char *path, struct err *err)
{
	size_t start = out->size;
	ssize_t got;

	do {
		buf_reserve(out, 4096);
		got = read(fd, out->data + out->size, 4096);
		if (got > 0)
			out->size += (size_t)got;
	} while ((got > 0 && out->size - start <= LIMIT_KEYSTORE_SIZE) ||
		 (got < 0 && errno == EINTR));
	if (got == 0)
		return OK;
	out->size = start;
	if (got < 0)
		return refuse_file(err, "read the keystore", path);
	return ERR_SET(err, KEYSTORE_E_FILE, "larger than a keystore can be (%llu bytes): %s",
		       LIMIT_KEYSTORE_SIZE, path);
}

static int check_file(int fd, mode_t forbidden, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return refuse_file(err, "examine the keystore", path);
	if (!S_ISREG(st.st_mode))
		return ERR_SET(err, KEYSTORE_E_FILE, "not a regular file: %s", path);
	if (st.st_mode & forbidden)
		return ERR_SET(err, KEYSTORE_E_FILE, "others may read or write it: chmod 600 %s",
			       path);
	return OK;
}

/* `forbidden`: permission bits that the file may not have. */
static int read_file(const char *path, mode_t forbidden, struct buf *out, struct err *err)
{
	/* O_NONBLOCK: opening a pipe must not wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), code;

	if (fd < 0)
		return refuse_file(err, "open the keystore", path);
	code = check_file(fd, forbidden, path, err);
	if (!code)
		code = read_all(fd, out, path, err);
	close(fd);
	return code;
}

int keystore_read(const char *path, struct buf *out, struct err *err)
{
	return read_file(path, OTHERS_ANY, out, err);
}

/* --- the directory --- */

/* The address of a file by its name, or else by what it says; false for a file
 * that is no keystore. An address is no secret, so permissions do not matter. */
static bool address_of_file(struct addr *out, const char *dir, const char *name)
{
	struct buf text = { 0 };
	char path[PATH_SIZE];
	bool ok;

	if (name[0] == '.')
		return false;
	if (address_in_name(out, name))
		return true;
	ok = join(path, dir, name, NULL) == OK && read_file(path, 0, &text, NULL) == OK &&
	     keystore_parse_address(out, buf_bytes(&text));
	buf_clear(&text);
	return ok;
}

/* Opens `dir`; OK and NULL if there is none. */
static int open_dir(DIR **out, const char *dir, struct err *err)
{
	*out = opendir(dir);
	if (!*out && errno != ENOENT)
		return refuse_file(err, "open the keystore directory", dir);
	return OK;
}

/* The name of the file of `address`, which the caller frees; OK and NULL if there
 * is none. The first of the directory's names in order, if there are several. */
static int find_name(char **out, const char *dir, const struct addr *address, struct err *err)
{
	struct dirent *entry;
	struct addr found;
	DIR *open;
	int code = open_dir(&open, dir, err);

	*out = NULL;
	if (code || !open)
		return code;
	while ((entry = readdir(open))) {
		if (*out && strcmp(*out, entry->d_name) < 0)
			continue;
		if (address_of_file(&found, dir, entry->d_name) && addr_equal(&found, address)) {
			free(*out);
			*out = xstrdup(entry->d_name);
		}
	}
	closedir(open);
	return OK;
}

int keystore_find(const char *dir, const struct addr *address, struct buf *out, struct err *err)
{
	char path[PATH_SIZE], hex[HEX_ADDR_SIZE];
	char *name;
	int code = find_name(&name, dir, address, err);

	if (code)
		return code;
	if (!name)
		return ERR_SET(err, KEYSTORE_E_FILE, "no key of %s in %s",
			       hex_data(hex, addr_bytes(address)), dir);
	code = join(path, dir, name, err);
	if (!code)
		code = keystore_read(path, out, err);
	free(name);
	return code;
}

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct addr));
}

/* Sorts, drops repeated ones, copies the first `max`; returns how many. */
static size_t give_sorted(struct addr *out, size_t max, struct buf *found)
{
	size_t i, given = 0, count = found->size / sizeof(struct addr);
	const uint8_t *last = NULL;

	if (count)
		qsort(found->data, count, sizeof(struct addr), compare_addresses);
	for (i = 0; i < count && given < max; i++) {
		const uint8_t *one = found->data + i * sizeof(struct addr);

		if (!last || memcmp(one, last, sizeof(struct addr)) != 0)
			memcpy(&out[given++], one, sizeof(struct addr));
		last = one;
	}
	return given;
}

int keystore_list(const char *dir, struct addr *out, size_t max, size_t *count, struct err *err)
{
	struct buf found = { 0 };
	struct dirent *entry;
	struct addr address;
	DIR *open;
	int code = open_dir(&open, dir, err);

	if (code)
		return code;
	while (open && (entry = readdir(open)))
		if (address_of_file(&address, dir, entry->d_name))
			buf_append_bytes(&found, addr_bytes(&address));
	if (open)
		closedir(open);
	*count = give_sorted(out, max, &found);
	buf_clear(&found);
	return OK;
}

/* --- writing --- */

static int sync_dir(const char *dir, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return ok ? OK : refuse_file(err, "sync the directory", dir);
}

/* mkdir(), and the name is durable. errno says why not. */
static bool make_dir(const char *dir)
{
	char parent[PATH_SIZE];

	return mkdir(dir, DIR_MODE) == 0 && join(parent, dir, "..", NULL) == OK &&
	       sync_dir(parent, NULL) == OK;
}

/* The directory that `dir` stands in: of a first account, the data directory. */
static bool make_parent(const char *dir)
{
	const char *slash = strrchr(dir, '/');
	char parent[PATH_SIZE];

	if (!slash || slash == dir || (size_t)(slash - dir) >= sizeof(parent))
		return false;
	memcpy(parent, dir, (size_t)(slash - dir));
	parent[slash - dir] = '\0';
	return make_dir(parent);
}

/* Makes `dir` if it is missing, and the directory above it, durably; refuses one
 * that others may write. */
static int ensure_dir(const char *dir, struct err *err)
{
	struct stat st;

	if (make_dir(dir) || (errno == ENOENT && make_parent(dir) && make_dir(dir)))
		return OK;
	if (errno != EEXIST || stat(dir, &st))
		return refuse_file(err, "make the keystore directory", dir);
	if (!S_ISDIR(st.st_mode))
		return ERR_SET(err, KEYSTORE_E_FILE, "not a directory: %s", dir);
	if (st.st_mode & OTHERS_WRITE)
		return ERR_SET(err, KEYSTORE_E_FILE, "others may write to it: chmod 700 %s", dir);
	return OK;
}

static bool write_all(int fd, struct bytes text)
{
	while (text.size) {
		ssize_t put = write(fd, text.data, text.size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		text = bytes_of(text.data + put, text.size - (size_t)put);
	}
	return true;
}

/* Writes a new synced file under a temporary name in `dir`, which goes to `path`. */
static int write_temporary(char path[PATH_SIZE], const char *dir, struct bytes text,
			   struct err *err)
{
	int fd, saved, code = join(path, dir, ".tmp-XXXXXX", err);
	bool ok;

	if (code)
		return code;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return refuse_file(err, "make a file in the keystore directory", dir);
	ok = fchmod(fd, FILE_MODE) == 0 && write_all(fd, text) && fsync(fd) == 0;
	saved = errno;
	if (close(fd) && ok) {
		ok = false;
		saved = errno;
	}
	if (ok)
		return OK;
	unlink(path);
	errno = saved;
	return refuse_file(err, "write the keystore", path);
}

/* Renames without replacing; plainly where the file system can't do that. */
static bool rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	if (access(to, F_OK) == 0) {
		errno = EEXIST;
		return false;
	}
	return rename(from, to) == 0;
}

static int place(const char *dir, const char *name, struct bytes text, struct err *err)
{
	char temporary[PATH_SIZE], final[PATH_SIZE];
	int code = join(final, dir, name, err);

	if (!code)
		code = write_temporary(temporary, dir, text, err);
	if (code)
		return code;
	if (!rename_new(temporary, final)) {
		code = errno == EEXIST ? ERR_SET(err, KEYSTORE_E_EXISTS, "it is there already: %s",
						 final)
				       : refuse_file(err, "name the keystore", final);
		unlink(temporary);
		return code;
	}
	code = sync_dir(dir, err);
	if (code)
		unlink(final);
	return code;
}

int keystore_write(const char *dir, const char *name, struct bytes text, struct err *err)
{
	struct addr address;
	char *existing;
	int code;

	if (strchr(name, '/') || name[0] == '.' || !address_in_name(&address, name))
		return ERR_SET(err, KEYSTORE_E_FILE,
			       "a keystore's name ends in -- and its address, not so \"%s\"", name);
	code = ensure_dir(dir, err);
	if (!code)
		code = find_name(&existing, dir, &address, err);
	if (code)
		return code;
	if (existing) {
		code = ERR_SET(err, KEYSTORE_E_EXISTS,
			       "the key of this address is there already: %s/%s", dir, existing);
		free(existing);
		return code;
	}
	return place(dir, name, text, err);
}
