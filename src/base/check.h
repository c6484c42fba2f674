/*
 * check - the three kinds of failure.
 *
 * - The programmer's: CHECK(). It stays on in production; a broken invariant
 *   ends the process before it can write something wrong.
 * - A peer's or a user's: an error code and a `struct err` (err.h).
 * - The disk's or the memory's: fatal(), with a message that says what to do.
 *
 * VERIFY() guards walks that cost more than they may in production; it is
 * compiled in only under --enable-verify.
 */
#ifndef WEFT_BASE_CHECK_H
#define WEFT_BASE_CHECK_H

#include <stddef.h>

#define CHECK(cond) \
	((cond) ? (void)0 : check_failed(__FILE__, __LINE__, __func__, #cond))

#ifdef WEFT_VERIFY
#define VERIFY(cond) CHECK(cond)
#else
#define VERIFY(cond) ((void)sizeof(cond))
#endif

/* Marks what no path may reach, such as the end of an exhaustive switch. */
#define UNREACHABLE() check_failed(__FILE__, __LINE__, __func__, "unreachable")

/* Prints the broken condition to stderr and aborts. */
_Noreturn void check_failed(const char *file, int line, const char *func,
			    const char *cond);

/* Prints `fatal: <message>` to stderr and aborts: for a disk or a memory that
 * failed, where going on could lose or contradict what was promised. */
_Noreturn void fatal(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* malloc, calloc and realloc that never return NULL: memory that runs out is
 * fatal. The caller owns what comes back and ends it with free(). A size of 0
 * gives a pointer that may be freed and not read. */
void *xmalloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2)));
void *xrealloc(void *old, size_t size) __attribute__((alloc_size(2)));
char *xstrdup(const char *text);

#endif
