/* scratch - directories of a test's own, and damage to the files in them. */
#ifndef WEFT_TEST_STORE_SCRATCH_H
#define WEFT_TEST_STORE_SCRATCH_H

#include "base/buf.h"

#define SCRATCH_PATH_MAX 512

/* Makes an empty directory below $TMPDIR (or /tmp) and gives its name. */
void scratch_new(char out[SCRATCH_PATH_MAX]);

/* Removes it with everything in it. */
void scratch_remove(const char *dir);

/* Copies a directory with everything in it; `to` must not exist. */
void scratch_copy(const char *from, const char *to);

/* "dir/name". */
void scratch_path(char out[SCRATCH_PATH_MAX], const char *dir, const char *name);

void scratch_read(struct buf *out, const char *path);
void scratch_write(const char *path, struct bytes content);
void scratch_flip(const char *path, uint64_t at); /* inverts one byte */
void scratch_cut(const char *path, uint64_t size);

/* The `index`th file of `dir` by name that begins with `prefix`; false if there are fewer. */
bool scratch_find(char out[SCRATCH_PATH_MAX], const char *dir, const char *prefix, size_t index);

#endif
