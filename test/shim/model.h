/*
 * model - what would be left of a directory after a power loss.
 *
 *   journal (lines)  ->  inodes: durable size, copy of durable content
 *                        directories: operations, how many of them are durable
 *
 * The rules are POSIX's, at their strictest: a file's content is durable up to its
 * size at the last fsync or fdatasync; a name (created, renamed, removed) is
 * durable once its directory was synced, and not before. What changes durable
 * bytes (overwriting, cutting) keeps a copy of the file first; what removes a
 * name keeps the file under another.
 *
 * Lines, each written with one write(), so that SIGKILL leaves whole ones:
 *
 *   N ino size         an inode (d for size: a directory); durable up to size
 *   A dir name ino     an operation: dir/name is ino (0: is gone)
 *   R dir old new ino  an operation: dir/old becomes dir/new
 *   D dir count        the first `count` operations of dir are durable
 *   S ino size         durable up to size; a copy is no longer needed
 *   T ino              its durable content is in the copy, JOURNAL/c<ino>
 *
 * A removed file's content is JOURNAL/i<ino>.
 */
#ifndef WEFT_TEST_SHIM_MODEL_H
#define WEFT_TEST_SHIM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_NAME_MAX 128

struct model_inode {
	uint64_t ino;
	bool is_dir;
	bool copied;          /* see T */
	uint64_t size;        /* durable bytes */
};

struct model_op {
	uint64_t dir, ino;
	char name[MODEL_NAME_MAX];
	char old[MODEL_NAME_MAX]; /* not empty: renamed from here */
};

struct model_dir {
	uint64_t ino;
	uint64_t op_count, durable_count;
};

struct model {
	struct model_inode *inodes;
	size_t inode_count, inode_capacity;
	struct model_op *ops; /* of all directories, in order */
	size_t op_count, op_capacity;
	struct model_dir *dirs;
	size_t dir_count, dir_capacity;
	uint64_t root;        /* the first inode told */
};

/* Takes one line; false if it is not one. */
bool model_apply(struct model *m, const char *line);

struct model_inode *model_inode(struct model *m, uint64_t ino); /* NULL: unknown */
struct model_dir *model_dir(struct model *m, uint64_t ino);     /* made if unknown */

/* What dir/name is after the first `count` operations of `dir`; 0: nothing. */
uint64_t model_lookup(const struct model *m, uint64_t dir, const char *name, uint64_t count);

void model_clear(struct model *m);

#endif
