#include "store/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

void scratch_new(char out[SCRATCH_PATH_MAX])
{
	const char *base = getenv("TMPDIR");

	snprintf(out, SCRATCH_PATH_MAX, "%s/weft-store-XXXXXX", base && *base ? base : "/tmp");
	CHECK(mkdtemp(out));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

void scratch_remove(const char *dir)
{
	CHECK(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

void scratch_path(char out[SCRATCH_PATH_MAX], const char *dir, const char *name)
{
	CHECK(snprintf(out, SCRATCH_PATH_MAX, "%s/%s", dir, name) < SCRATCH_PATH_MAX);
}

void scratch_read(struct buf *out, const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;

	CHECK(f && fstat(fileno(f), &st) == 0);
	if (st.st_size)
		CHECK(fread(buf_extend(out, (size_t)st.st_size), 1, (size_t)st.st_size, f) ==
		      (size_t)st.st_size);
	fclose(f);
}

void scratch_write(const char *path, struct bytes content)
{
	FILE *f = fopen(path, "wb");

	CHECK(f);
	if (content.size)
		CHECK(fwrite(content.data, 1, content.size, f) == content.size);
	CHECK(fclose(f) == 0);
}

void scratch_flip(const char *path, uint64_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	CHECK(fd >= 0 && pread(fd, &byte, 1, (off_t)at) == 1);
	byte ^= 0xff;
	CHECK(pwrite(fd, &byte, 1, (off_t)at) == 1);
	close(fd);
}

void scratch_cut(const char *path, uint64_t size)
{
	CHECK(truncate(path, (off_t)size) == 0);
}

void scratch_copy(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *entry;

	CHECK(dir && mkdir(to, 0755) == 0);
	while ((entry = readdir(dir))) {
		char source[SCRATCH_PATH_MAX], target[SCRATCH_PATH_MAX];
		struct buf content = { 0 };
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		scratch_path(source, from, entry->d_name);
		scratch_path(target, to, entry->d_name);
		CHECK(stat(source, &st) == 0);
		if (S_ISDIR(st.st_mode)) {
			scratch_copy(source, target);
			continue;
		}
		scratch_read(&content, source);
		scratch_write(target, buf_bytes(&content));
		buf_clear(&content);
	}
	closedir(dir);
}

bool scratch_find(char out[SCRATCH_PATH_MAX], const char *dir, const char *prefix, size_t index)
{
	struct dirent **entries;
	int count = scandir(dir, &entries, NULL, alphasort);
	bool found = false;
	size_t seen = 0;

	CHECK(count >= 0);
	for (int i = 0; i < count; i++) {
		if (strncmp(entries[i]->d_name, prefix, strlen(prefix)) == 0 && seen++ == index) {
			scratch_path(out, dir, entries[i]->d_name);
			found = true;
		}
		free(entries[i]);
	}
	free(entries);
	return found;
}
