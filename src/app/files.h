/*
 * files - small files and paths, for the programs.
 */
#ifndef WEFT_APP_FILES_H
#define WEFT_APP_FILES_H

#include "base/buf.h"
#include "base/err.h"

/* Appends a file of at most `size_max` bytes. APP_E_FILE. */
int file_read(const char *path, struct buf *out, size_t size_max, struct err *err);

/* Makes a file that was not there, durably. APP_E_FILE; then nothing is left. */
int file_create(const char *path, struct bytes content, struct err *err);

/* Makes a directory (0700) if it is not there; its parent must be. APP_E_FILE. */
int file_make_dir(const char *path, struct err *err);

/* "<dir>/<name>", the caller's to free(). */
char *file_join(const char *dir, const char *name);

/* "<home>/.weft", the caller's to free(). */
char *file_default_datadir(void);

#endif
