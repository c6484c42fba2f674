/*
 * bytes - the value types that every layer passes around, and byte-order
 * loads and stores.
 *
 * `struct bytes` borrows: it never owns what it points to. `struct buf` (buf.h)
 * owns. A hash and an address are plain values and are copied.
 */
#ifndef WEFT_BASE_BYTES_H
#define WEFT_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of bytes; `data` may be NULL only when `size` is 0. */
struct bytes {
	const uint8_t *data;
	size_t size;
};

/* A 32-byte hash, most significant byte first where it is read as a number. */
struct hash {
	uint8_t bytes[32];
};

/* A 20-byte Ethereum address. */
struct addr {
	uint8_t bytes[20];
};

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static inline struct bytes bytes_of(const void *data, size_t size)
{
	return (struct bytes){ .data = data, .size = size };
}

/* The bytes of a NUL-terminated string, without the NUL. */
static inline struct bytes bytes_of_str(const char *text)
{
	return bytes_of(text, strlen(text));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Lexicographic order, a prefix before what it begins: < 0, 0, > 0. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
	size_t common = MIN(a.size, b.size);
	int order = common ? memcmp(a.data, b.data, common) : 0;

	if (order != 0)
		return order;
	return (a.size > b.size) - (a.size < b.size);
}

static inline bool hash_equal(const struct hash *a, const struct hash *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static inline bool hash_is_zero(const struct hash *h)
{
	static const struct hash zero;

	return hash_equal(h, &zero);
}

static inline struct bytes hash_bytes(const struct hash *h)
{
	return bytes_of(h->bytes, sizeof(h->bytes));
}

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static inline bool addr_is_zero(const struct addr *a)
{
	static const struct addr zero;

	return addr_equal(a, &zero);
}

static inline struct bytes addr_bytes(const struct addr *a)
{
	return bytes_of(a->bytes, sizeof(a->bytes));
}

/* Big-endian and little-endian loads and stores; `p` needs no alignment. */
static inline uint32_t load_be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	return v;
}

static inline uint64_t load_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline uint32_t load_le32(const uint8_t *p)
{
	return __builtin_bswap32(load_be32(p));
}

static inline uint64_t load_le64(const uint8_t *p)
{
	return __builtin_bswap64(load_be64(p));
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	memcpy(p, &v, sizeof(v));
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(p, &v, sizeof(v));
}

static inline void store_le32(uint8_t *p, uint32_t v)
{
	store_be32(p, __builtin_bswap32(v));
}

static inline void store_le64(uint8_t *p, uint64_t v)
{
	store_be64(p, __builtin_bswap64(v));
}

#endif
