/*
 * rlp - Recursive Length Prefix (Ethereum yellow paper, appendix B), strict:
 * a value has one encoding, and any other is refused, so that decoding and
 * encoding again always gives the same bytes.
 *
 * Decoding borrows: strings point into the input. A reader walks the items of
 * one list (or of the top level) in order and never goes beyond its end:
 *
 *     rlp_reader_init(&top, input);
 *     rlp_read_list(&top, &list, err);
 *       rlp_read_u64(&list, &nonce, err);
 *       rlp_read_bytes(&list, &data, err);
 *     rlp_reader_end(&list, err);           // nothing left over
 *     rlp_reader_end(&top, err);
 *
 * Encoding appends to a buf. A list is opened, its items are appended, and
 * closing it puts the header in front; nesting is the caller's stack.
 */
#ifndef WEFT_CODEC_RLP_H
#define WEFT_CODEC_RLP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/u256.h"

enum codec_error {
	RLP_E_SHORT = ERR_BASE_CODEC, /* the input ends before the item does */
	RLP_E_NON_CANONICAL,          /* a longer form than needed, or leading zeros in a number */
	RLP_E_KIND,                   /* a list where a string is due, or the reverse */
	RLP_E_SIZE,                   /* a number or a fixed-size value of another size */
	RLP_E_TRAILING,               /* items or bytes after the last that is due */
	RLP_E_DEPTH,                  /* lists nested deeper than LIMIT_RLP_DEPTH_MAX */
	RLP_E_COUNT,                  /* more items than the caller allows */
};

struct rlp_reader {
	const uint8_t *at;
	const uint8_t *end;
};

void rlp_reader_init(struct rlp_reader *r, struct bytes input);

/* True while an item is left. */
static inline bool rlp_reader_more(const struct rlp_reader *r)
{
	return r->at < r->end;
}

/* True if the next item is a list; false if it is a string or nothing is left. */
bool rlp_next_is_list(const struct rlp_reader *r);

/* OK if everything was read, else RLP_E_TRAILING. */
int rlp_reader_end(const struct rlp_reader *r, struct err *err);

/* Each reads one item and moves past it; on failure the reader stays. */
int rlp_read_bytes(struct rlp_reader *r, struct bytes *out, struct err *err);
int rlp_read_fixed(struct rlp_reader *r, void *out, size_t size, struct err *err);
int rlp_read_u64(struct rlp_reader *r, uint64_t *out, struct err *err);
int rlp_read_u256(struct rlp_reader *r, struct u256 *out, struct err *err);

/* Opens a list: `list` then reads its items. */
int rlp_read_list(struct rlp_reader *r, struct rlp_reader *list, struct err *err);

/* The next item with its header, whatever its kind, not looked into. */
int rlp_read_raw(struct rlp_reader *r, struct bytes *out, struct err *err);

/* Counts the items that are left, without moving; RLP_E_COUNT above `max`. */
int rlp_count(const struct rlp_reader *r, size_t *out, size_t max, struct err *err);

/* Checks that `input` is exactly one canonical item, all the way down. */
int rlp_validate(struct bytes input, struct err *err);

/* Appending. Numbers are written without leading zeros; zero is the empty string. */
void rlp_put_bytes(struct buf *out, struct bytes s);
void rlp_put_u64(struct buf *out, uint64_t v);
void rlp_put_u256(struct buf *out, const struct u256 *v);
static inline void rlp_put_hash(struct buf *out, const struct hash *h)
{
	rlp_put_bytes(out, hash_bytes(h));
}
static inline void rlp_put_addr(struct buf *out, const struct addr *a)
{
	rlp_put_bytes(out, addr_bytes(a));
}

/* Opens a list and gives the mark that closes it. Nothing else may be removed
 * from `out` in between. */
size_t rlp_list_open(struct buf *out);
void rlp_list_close(struct buf *out, size_t mark);

/* The size of a list's header for a payload of `payload_size` bytes. */
size_t rlp_header_size(size_t payload_size);

#endif
