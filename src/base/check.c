#include "base/check.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *func,
			    const char *cond)
{
	fprintf(stderr, "fatal: %s:%d: %s: check failed: %s\n", file, line, func, cond);
	abort();
}

_Noreturn void fatal(const char *format, ...)
{
	va_list args;

	fputs("fatal: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static void *or_fatal(void *p, size_t size)
{
	if (!p)
		fatal("out of memory (%zu bytes asked for): give the process more, or lower its limits", size);
	return p;
}

void *xmalloc(size_t size)
{
	return or_fatal(malloc(size ? size : 1), size);
}

void *xcalloc(size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		fatal("allocation of %zu times %zu bytes overflows", count, size);
	return or_fatal(calloc(count ? count : 1, size ? size : 1), count * size);
}

void *xrealloc(void *old, size_t size)
{
	return or_fatal(realloc(old, size ? size : 1), size);
}

char *xstrdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(xmalloc(size), text, size);
}
