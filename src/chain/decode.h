/*
 * decode - reads RLP field by field for this folder's values.
 *
 * A failure sticks: after the first one every further read does nothing and
 * leaves zeros, so a decoder is a straight list of its fields and one test at
 * its end. The message names the value and the field, the code is the value's.
 *
 *     struct decoder d = { .what = "header", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
 *     decode_top(&d, &list, input);
 *     decode_u64(&d, &list, "number", &h->height);
 *     decode_end(&d, &list);
 *     return d.status;
 */
#ifndef WEFT_CHAIN_DECODE_H
#define WEFT_CHAIN_DECODE_H

#include "base/amount.h"
#include "base/err.h"
#include "codec/rlp.h"

struct decoder {
	const char *what; /* the value, for messages */
	int code;         /* the code of a failure */
	struct err *err;
	int status;       /* OK, or the code of the first failure */
};

/* Opens the one list that `input` must be, to its last byte. */
void decode_top(struct decoder *d, struct rlp_reader *list, struct bytes input);

/* Opens the list that is the next item of `r`. */
void decode_list(struct decoder *d, struct rlp_reader *r, const char *field,
		 struct rlp_reader *list);

/* Opens a list of at most `max` items and says how many there are. */
void decode_list_counted(struct decoder *d, struct rlp_reader *r, const char *field, size_t max,
			 struct rlp_reader *list, size_t *count);

/* Nothing may be left of a list. */
void decode_end(struct decoder *d, const struct rlp_reader *list);

void decode_u64(struct decoder *d, struct rlp_reader *r, const char *field, uint64_t *out);
void decode_u256(struct decoder *d, struct rlp_reader *r, const char *field, struct u256 *out);
void decode_fixed(struct decoder *d, struct rlp_reader *r, const char *field, void *out,
		  size_t size);

/* A string of at most `size_max` bytes, borrowed from the input. */
void decode_bytes(struct decoder *d, struct rlp_reader *r, const char *field, size_t size_max,
		  struct bytes *out);

/* The next item with its header, not looked into. */
void decode_raw(struct decoder *d, struct rlp_reader *r, const char *field, struct bytes *out);

/* A number that must be at most `max`, and 0 or 1. */
void decode_bounded(struct decoder *d, struct rlp_reader *r, const char *field, uint64_t max,
		    uint64_t *out);
void decode_bool(struct decoder *d, struct rlp_reader *r, const char *field, bool *out);

static inline void decode_hash(struct decoder *d, struct rlp_reader *r, const char *field,
			       struct hash *out)
{
	decode_fixed(d, r, field, out->bytes, sizeof(out->bytes));
}

static inline void decode_addr(struct decoder *d, struct rlp_reader *r, const char *field,
			       struct addr *out)
{
	decode_fixed(d, r, field, out->bytes, sizeof(out->bytes));
}

/* Fails the decoder, unless it has failed before. */
void decode_fail(struct decoder *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
