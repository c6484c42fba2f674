/*
 * store_record - the values of the database and the commit log's record, to
 * bytes and back. Decoders trust nothing: a value may have rotted. They give
 * STORE_E_CORRUPT and allocate no more than the input's size accounts for.
 */
#ifndef WEFT_STORE_STORE_RECORD_H
#define WEFT_STORE_STORE_RECORD_H

#include "store/store.h"

/* --- META --- */

struct tip_record {
	uint64_t height;
	struct hash hash;
	uint64_t withdrawal_index;
};
void tip_encode(struct buf *out, const struct tip_record *t);
int tip_decode(struct tip_record *out, struct bytes value, struct err *err);

/* --- HEADER and TX --- */

/* The TX value of transaction `index`. */
void tx_value_encode(struct buf *out, const struct store_block *b, size_t index);
int tx_value_decode(struct stored_tx *out, struct bytes value, struct err *err);

/* Where the log index stands after a block: in which section, and how many rows it has. */
struct log_place {
	uint32_t section, rows;
};

/* The HEADER value; `checksum` is the parent's on entry, this block's at the end.
 * `tx_values` are the block's TX values, one after the other. */
void header_value_encode(struct buf *out, const struct store_block *b, struct bytes tx_values,
			 const struct log_place *place, uint32_t *checksum);
int header_value_decode(struct stored_header *out, struct bytes value, struct err *err);

/* Continues a parent's checksum over the fields of a HEADER value that decodes. */
uint32_t header_value_checksum(uint32_t parent, struct bytes value);

/* --- EPOCH --- */

void epoch_value_encode(struct buf *out, const struct epoch *e);
int epoch_value_decode(struct epoch *out, struct bytes value, struct err *err);

/* --- SLOT --- */

struct bytes slot_value_encode(uint8_t out[32], const struct u256 *value);
int slot_value_decode(struct u256 *out, struct bytes value, struct err *err);

/* --- HISTORY (store_history.c) --- */

void history_encode(struct buf *out, const struct state_diff *d);

struct slot_key {
	struct addr address;
	struct hash slot;
};

/* A HISTORY value, opened where it stands; borrows it. */
struct history {
	size_t account_count, slot_count;
	const uint8_t *addresses, *slot_keys, *ends;
	struct bytes values;
};
int history_open(struct history *out, struct bytes value, struct err *err);

/* *found: the block changed it, and *out is what was before. By halving. */
int history_find_account(const struct history *h, const struct addr *address, bool *found,
			 struct account *out, struct err *err);
int history_find_slot(const struct history *h, const struct slot_key *key, bool *found,
		      struct u256 *out, struct err *err);

/* --- the commit log's record --- */

#define COMMIT_KIND_BLOCK 1

/* rlp([height, hash, state root, sealed block, senders, [stored receipt, …], certificate,
 * difference, epoch that begins after it or ""]) */
void commit_encode(struct buf *out, const struct store_block *b);

/* A record taken apart: `b` points to the rest. Borrows the certificate from the
 * input; may be cleared when zeroed. */
struct commit_record {
	struct store_block b;
	struct block block;
	struct receipt *receipts;
	size_t receipt_count;
	struct state_diff diff;
	struct epoch *epoch; /* or NULL */
};
int commit_decode(struct commit_record *out, struct bytes record, struct err *err);
void commit_clear(struct commit_record *r);

#endif
