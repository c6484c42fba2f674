/*
 * password - where passwords come from: a file, the environment, a prompt. Never
 * an argument, which every user of the machine can read.
 */
#ifndef WEFT_APP_PASSWORD_H
#define WEFT_APP_PASSWORD_H

#include "base/buf.h"
#include "base/err.h"

#define PASSWORD_SIZE_MAX 1024

/* The first line of `file` (if not NULL), else WEFT_PASSWORD, else a prompt on the
 * terminal without echo, twice if `is_new`. APP_E_USAGE if there is no terminal to
 * ask on, or the two differ; APP_E_FILE if the file can't be read. End it with
 * password_clear(). */
int password_read(struct buf *out, const char *file, const char *prompt, bool is_new, struct err *err);

/* Overwrites the password and frees it. */
void password_clear(struct buf *password);

#endif
