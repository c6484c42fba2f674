/*
 * medium - the files below the store, as a table of operations: a real disk
 * (medium_posix()), or a simulated one with faults (src/sim/disk.h).
 *
 *     store_dir   wal   kv.h
 *         │        │      │
 *         ▼        ▼      ▼
 *     medium ─► directory ─► file
 *
 * What each operation promises is what POSIX and Linux do, no more:
 *
 * - What was written is seen by every reader at once, and is on the disk only after a
 *   sync of that file. Before it a crash of the machine may leave any part of it, in any
 *   order, and anything in what the file grew by. A crash of the process leaves all of it.
 * - A name that was made, moved or removed is so on the disk only after a sync of its
 *   directory.
 * - After a sync that failed the written data may be gone from the disk and still be read;
 *   a second sync says nothing about it. Only writing it again brings it back under a sync.
 *
 * Functions that can fail give 0 or an errno. A handle belongs to who opened it, and to one
 * thread at a time. Names are single ones, in the directory that is given.
 */
#ifndef WEFT_STORE_MEDIUM_H
#define WEFT_STORE_MEDIUM_H

#include "base/bytes.h"
#include "base/err.h"

struct kv;
struct kv_options;

/* An implementation's own structs begin with these. */
struct medium_dir {
	const struct medium_ops *ops;
};

struct medium_file {
	const struct medium_ops *ops;
};

struct medium {
	const struct medium_ops *ops;
	void *ctx; /* the medium's own */
};

/* How a file is opened; always for reading. */
enum medium_open {
	MEDIUM_WRITE = 1,  /* and for writing */
	MEDIUM_CREATE = 2, /* made, if it is not there */
	MEDIUM_EMPTY = 4,  /* what it holds goes */
};

#define MEDIUM_PART_MAX 16   /* parts of one write */
#define MEDIUM_HOLDER_MAX 32 /* who has a lock, for a person to read */

/* Called for each name in a directory, in no order; may remove it. */
typedef void (*medium_name_fn)(void *ctx, const char *name);

struct medium_ops {
	/* --- the medium; `path` is of a directory --- */

	/* Makes it, and its name durable. *made: it was not there before. After an error
	 * with *made set it is there, and perhaps not for long. */
	int (*make)(void *ctx, const char *path, bool *made);
	/* Removes it if nothing is in it. */
	void (*remove)(void *ctx, const char *path);
	int (*open_dir)(void *ctx, struct medium_dir **out, const char *path);
	/* Opens the key-value store at `path`; as kv_open_leveldb(). */
	int (*open_kv)(void *ctx, struct kv **out, const char *path,
		       const struct kv_options *options, struct err *err);

	/* --- a directory --- */

	void (*close_dir)(struct medium_dir *d);
	int (*sync_dir)(struct medium_dir *d);
	int (*list)(struct medium_dir *d, medium_name_fn fn, void *ctx);
	bool (*exists)(struct medium_dir *d, const char *name);
	int (*make_dir)(struct medium_dir *d, const char *name);
	/* Removes directory `name` with the files in it, as far as that goes. */
	void (*remove_dir)(struct medium_dir *d, const char *name);
	int (*rename)(struct medium_dir *d, const char *from, const char *to);
	int (*unlink)(struct medium_dir *d, const char *name);
	/* `how`: of enum medium_open. `name` may be below: "chain/TIP". */
	int (*open)(struct medium_dir *d, struct medium_file **out, const char *name, int how);

	/* --- a file --- */

	void (*close)(struct medium_file *f);
	int (*size)(struct medium_file *f, uint64_t *size);
	/* Fills `out` from `at` on; *got is less than `size` at the end of the file only. */
	int (*read)(struct medium_file *f, uint64_t at, uint8_t *out, size_t size, size_t *got);
	/* Writes the parts, one after the other, from `at` on; at most MEDIUM_PART_MAX. After
	 * an error any part of it may be there, and the file may have grown. */
	int (*write)(struct medium_file *f, uint64_t at, const struct bytes parts[],
		     size_t part_count);
	int (*truncate)(struct medium_file *f, uint64_t size);
	int (*sync)(struct medium_file *f);
	/* The next read asks the disk, not a memory of it; as far as that goes. */
	void (*uncache)(struct medium_file *f);
	/* Takes the file for this process, until it is closed or the process ends. EWOULDBLOCK:
	 * another has it, and `holder` names that one; "" if it is not known. */
	int (*lock)(struct medium_file *f, char holder[MEDIUM_HOLDER_MAX]);
};

/* The real one: files by POSIX, LevelDB. */
const struct medium *medium_posix(void);

/* True if the error says that there is no room: nothing is broken, room can be made. */
bool medium_is_full(int error);

static inline int medium_open_dir(const struct medium *m, struct medium_dir **out, const char *path)
{
	return m->ops->open_dir(m->ctx, out, path);
}

/* Both take NULL. */
static inline void medium_close_dir(struct medium_dir *d)
{
	if (d)
		d->ops->close_dir(d);
}

static inline void medium_close(struct medium_file *f)
{
	if (f)
		f->ops->close(f);
}

static inline int medium_open(struct medium_dir *d, struct medium_file **out, const char *name,
			      int how)
{
	return d->ops->open(d, out, name, how);
}

static inline int medium_write(struct medium_file *f, uint64_t at, struct bytes data)
{
	return f->ops->write(f, at, &data, 1);
}

/* Reads exactly `out.size` bytes; *whole: they were all there. */
static inline int medium_read(struct medium_file *f, uint64_t at, uint8_t *out, size_t size,
			      bool *whole)
{
	size_t got = 0;
	int error = f->ops->read(f, at, out, size, &got);

	*whole = !error && got == size;
	return error;
}

#endif
