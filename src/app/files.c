#include "app/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <string.h>
#include <unistd.h>

#include "app/options.h"
#include "base/check.h"

#define READ_STEP 65536u

int file_read(const char *path, struct buf *out, size_t size_max, struct err *err)
{
	size_t before = out->size, got;
	FILE *f = fopen(path, "rb");
	bool has_failed;

	if (!f)
		return ERR_SET(err, APP_E_FILE, "%s can't be read: %s", path, strerror(errno));
	do {
		size_t step = MIN((size_t)READ_STEP, size_max + 1 - (out->size - before));

		got = fread(buf_extend(out, step), 1, step, f);
		out->size -= step - got;
	} while (got > 0 && out->size - before <= size_max);
	has_failed = ferror(f);
	fclose(f);
	if (has_failed)
		return ERR_SET(err, APP_E_FILE, "%s can't be read: %s", path, strerror(errno));
	if (out->size - before > size_max)
		return ERR_SET(err, APP_E_FILE, "%s is longer than the %zu bytes that it may have", path, size_max);
	return OK;
}

/* A new file's name is durable once its directory is. */
static bool sync_directory_of(const char *path)
{
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');
	bool is_good;
	int fd;

	if (slash)
		slash[slash == dir] = '\0'; /* of "/x" the slash stays */
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	is_good = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(dir);
	return is_good;
}

int file_create(const char *path, struct bytes content, struct err *err)
{
	FILE *f = fopen(path, "wxb");
	bool is_good;

	if (!f)
		return ERR_SET(err, APP_E_FILE, "%s can't be made: %s", path, strerror(errno));
	is_good = fwrite(content.data, 1, content.size, f) == content.size && fflush(f) == 0 &&
		  fsync(fileno(f)) == 0;
	if (fclose(f) != 0 || !is_good || !sync_directory_of(path)) {
		int code = ERR_SET(err, APP_E_FILE, "%s can't be written: %s", path, strerror(errno));

		unlink(path);
		return code;
	}
	return OK;
}

int file_make_dir(const char *path, struct err *err)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return OK;
	return ERR_SET(err, APP_E_FILE, "%s can't be made: %s", path, strerror(errno));
}

char *file_join(const char *dir, const char *name)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s/%s", dir, name);
	buf_append_byte(&path, '\0');
	return (char *)path.data;
}

char *file_default_datadir(void)
{
	const char *home = getenv("HOME");

	return file_join(home && home[0] ? home : ".", ".weft");
}
