/*
 * buf - a growing byte buffer that owns its memory.
 *
 * Start from `struct buf b = {0}` or buf_clear(). Growth is by doubling; memory
 * that runs out is fatal (check.h), so appending cannot fail. Whoever fills a
 * buffer from outside data bounds the size first: base/limits.h.
 */
#ifndef WEFT_BASE_BUF_H
#define WEFT_BASE_BUF_H

#include "base/bytes.h"

struct buf {
	uint8_t *data;
	size_t size;     /* bytes in use */
	size_t capacity; /* bytes allocated */
};

/* Frees the memory and makes the buffer empty. */
void buf_clear(struct buf *b);

/* Makes the buffer empty and keeps its memory. */
static inline void buf_reset(struct buf *b)
{
	b->size = 0;
}

/* Makes room for `more` bytes beyond `size`; the content stays. `data` is not
 * NULL afterwards, not even for 0. */
void buf_reserve(struct buf *b, size_t more);

/* Appends `size` bytes that the caller fills: returns where they start. Valid
 * until the next call that grows the buffer. */
uint8_t *buf_extend(struct buf *b, size_t size);

/* `data` does not lie in the buffer itself. */
void buf_append(struct buf *b, const void *data, size_t size);

static inline void buf_append_bytes(struct buf *b, struct bytes s)
{
	buf_append(b, s.data, s.size);
}

static inline void buf_append_byte(struct buf *b, uint8_t v)
{
	*buf_extend(b, 1) = v;
}

/* Appends formatted text without its NUL. */
void buf_printf(struct buf *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The content, borrowed until the buffer changes. */
static inline struct bytes buf_bytes(const struct buf *b)
{
	return bytes_of(b->data, b->size);
}

#endif
