/*
 * shim-rollback JOURNAL DIR [drop | tear SEED | hole SEED] - makes DIR what a power
 * loss would have left of it, by what the shim has noted in JOURNAL, and empties JOURNAL.
 *
 *   drop  everything since the last sync is gone
 *   tear  of what was appended to each file, and of the operations on each
 *         directory, a beginning of random length is kept
 *   hole  as tear, but of what was appended to a file any pages are lost, and later ones
 *         kept: they read as zeros, or as something else that stood on the disk
 *
 * The new directory is built beside the old one, then takes its place.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rand.h"
#include "shim/model.h"

#define PATH_SIZE 1024
#define PAGE_SIZE 4096

static struct {
	struct model model;
	const char *journal, *dir;
	bool tear, hole;
	struct rng rng;
	unsigned dropped_files, dropped_names, lost_pages;
	uint64_t dropped_bytes;
} roll;

/* Where an inode can be read now. */
static struct found {
	uint64_t ino;
	char path[PATH_SIZE];
} *found;
static size_t found_count;

static _Noreturn void die(const char *what, const char *about)
{
	fprintf(stderr, "shim-rollback: %s %s: %s\n", what, about, strerror(errno));
	exit(1);
}

static void path_of(char out[PATH_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void path_of(char out[PATH_SIZE], const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(out, PATH_SIZE, format, args);
	va_end(args);
	if (size < 0 || size >= PATH_SIZE) {
		errno = ENAMETOOLONG;
		die("cannot make", format);
	}
}

static int add_found(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	if (kind != FTW_F)
		return 0;
	found = realloc(found, (found_count + 1) * sizeof(*found));
	if (!found)
		abort();
	found[found_count].ino = st->st_ino;
	path_of(found[found_count].path, "%s", path);
	found_count++;
	return 0;
}

static const char *find(uint64_t ino)
{
	for (size_t i = 0; i < found_count; i++)
		if (found[i].ino == ino)
			return found[i].path;
	return NULL;
}

static void load_journal(void)
{
	char path[PATH_SIZE], line[512];
	FILE *f;

	path_of(path, "%s/journal", roll.journal);
	f = fopen(path, "r");
	if (!f)
		die("cannot open", path);
	while (fgets(line, sizeof(line), f))
		if (!model_apply(&roll.model, line))
			die("not a line of the model:", line);
	fclose(f);
}

static void copy(const char *from, const char *to, uint64_t size)
{
	char block[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (in < 0 || out < 0)
		die("cannot copy", from);
	while (size) {
		ssize_t n = read(in, block, size < sizeof(block) ? size : sizeof(block));

		if (n <= 0 || write(out, block, (size_t)n) != n)
			die("cannot copy", from);
		size -= (uint64_t)n;
	}
	close(in);
	close(out);
}

/* Loses some pages of what stands behind `durable` bytes of a file of `size` bytes. */
static void lose_pages(const char *path, uint64_t durable, uint64_t size)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		die("cannot open", path);
	for (uint64_t at = durable, end; at < size; at = end) {
		uint8_t page[PAGE_SIZE] = { 0 };

		end = (at / PAGE_SIZE + 1) * PAGE_SIZE;
		end = end < size ? end : size;
		if (rng_below(&roll.rng, 3))
			continue;
		if (rng_below(&roll.rng, 3) == 0)
			for (size_t i = 0; i < PAGE_SIZE; i++)
				page[i] = (uint8_t)rng_next(&roll.rng);
		if (pwrite(fd, page, end - at, (off_t)at) != (ssize_t)(end - at))
			die("cannot write", path);
		roll.lost_pages++;
	}
	close(fd);
}

static void build_file(const struct model_inode *i, const char *to)
{
	char kept[PATH_SIZE];
	const char *from = find(i->ino);
	uint64_t size = i->size;
	struct stat st;

	if (i->copied) {
		path_of(kept, "%s/c%" PRIu64, roll.journal, i->ino);
		roll.dropped_files++;
		copy(kept, to, size);
		return;
	}
	if (!from || stat(from, &st) != 0)
		die("the content of an inode is gone:", to);
	if (roll.hole && rng_below(&roll.rng, 4))
		size = (uint64_t)st.st_size > size ? (uint64_t)st.st_size : size;
	else if (roll.tear && (uint64_t)st.st_size > size)
		size += rng_below(&roll.rng, (uint64_t)st.st_size - size + 1);
	if ((uint64_t)st.st_size > size) {
		roll.dropped_files++;
		roll.dropped_bytes += (uint64_t)st.st_size - size;
	}
	copy(from, to, size);
	if (roll.hole)
		lose_pages(to, i->size, size);
}

/* Makes what the first operations of directory `ino` give, at `to`. */
static void build_dir(uint64_t ino, const char *to)
{
	struct model_dir *d = model_dir(&roll.model, ino);
	uint64_t count = d->durable_count;

	if (roll.tear && d->op_count > count)
		count += rng_below(&roll.rng, d->op_count - count + 1);
	roll.dropped_names += (unsigned)(d->op_count - count);
	for (size_t n = 0; n < roll.model.op_count; n++) {
		const struct model_op *op = &roll.model.ops[n];
		uint64_t target;
		char path[PATH_SIZE];
		struct stat st;

		if (op->dir != ino)
			continue;
		target = model_lookup(&roll.model, ino, op->name, count);
		path_of(path, "%s/%s", to, op->name);
		if (!target || lstat(path, &st) == 0)
			continue;
		if (!model_inode(&roll.model, target))
			die("an inode that was never told:", op->name);
		if (!model_inode(&roll.model, target)->is_dir) {
			build_file(model_inode(&roll.model, target), path);
			continue;
		}
		if (mkdir(path, 0755) != 0)
			die("cannot make", path);
		build_dir(target, path);
	}
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

/* Removes all that is in a directory, and not itself. */
static int remove_below(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return at->level ? remove(path) : 0;
}

static void move_all(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *entry;
	char source[PATH_SIZE], target[PATH_SIZE];

	if (!dir)
		die("cannot list", from);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		path_of(source, "%s/%s", from, entry->d_name);
		path_of(target, "%s/%s", to, entry->d_name);
		if (rename(source, target) != 0)
			die("cannot move", source);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 3 ? argv[3] : "drop";
	char staging[PATH_SIZE];

	roll.hole = strcmp(mode, "hole") == 0;
	roll.tear = roll.hole || strcmp(mode, "tear") == 0;
	if (argc < 3 || argc > 5 ||
	    (roll.tear ? argc != 5 : argc == 5 || strcmp(mode, "drop") != 0)) {
		fprintf(stderr,
			"usage: shim-rollback JOURNAL DIR [drop | tear SEED | hole SEED]\n");
		return 2;
	}
	roll.journal = argv[1];
	roll.dir = argv[2];
	rng_init(&roll.rng, argc == 5 ? strtoull(argv[4], NULL, 10) : 0);
	load_journal();
	if (nftw(roll.dir, add_found, 16, FTW_PHYS) != 0 ||
	    nftw(roll.journal, add_found, 16, FTW_PHYS) != 0)
		die("cannot walk", roll.dir);
	path_of(staging, "%s.rollback", roll.dir);
	if (mkdir(staging, 0755) != 0)
		die("cannot make", staging);
	build_dir(roll.model.root, staging);
	if (nftw(roll.dir, remove_below, 16, FTW_DEPTH | FTW_PHYS) != 0)
		die("cannot empty", roll.dir);
	move_all(staging, roll.dir);
	if (nftw(staging, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 ||
	    nftw(roll.journal, remove_below, 16, FTW_DEPTH | FTW_PHYS) != 0)
		die("cannot remove", staging);
	printf("dropped %" PRIu64 " bytes of %u files, %u pages, %u operations on directories\n",
	       roll.dropped_bytes, roll.dropped_files, roll.lost_pages, roll.dropped_names);
	model_clear(&roll.model);
	free(found);
	return 0;
}
