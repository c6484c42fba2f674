#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

#define BUF_CAPACITY_MIN 64

void buf_clear(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void buf_reserve(struct buf *b, size_t more)
{
	size_t need, capacity;

	CHECK(more <= SIZE_MAX / 2 - b->size);
	need = b->size + more;
	/* Even for nothing there is memory then, so that pointers into it are never NULL. */
	if (need <= b->capacity && b->data)
		return;
	capacity = MAX(b->capacity * 2, (size_t)BUF_CAPACITY_MIN);
	capacity = MAX(capacity, need);
	b->data = xrealloc(b->data, capacity);
	b->capacity = capacity;
}

uint8_t *buf_extend(struct buf *b, size_t size)
{
	uint8_t *start;

	buf_reserve(b, size);
	start = b->data + b->size;
	b->size += size;
	return start;
}

void buf_append(struct buf *b, const void *data, size_t size)
{
	if (size)
		memcpy(buf_extend(b, size), data, size);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int size;

	va_start(args, format);
	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, args);
	CHECK(size >= 0);
	buf_reserve(b, (size_t)size + 1); /* vsnprintf writes a NUL that is not counted */
	vsnprintf((char *)b->data + b->size, (size_t)size + 1, format, again);
	b->size += (size_t)size;
	va_end(again);
	va_end(args);
}
