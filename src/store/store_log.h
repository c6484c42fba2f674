/*
 * store_log - the log index: which transactions of which blocks have an address, or a topic
 * at its place, in their logs. So a question about logs reads what it asks for, and not
 * every block.
 *
 *   term      an address, or a topic with its place (1 - 4): the first 48 bits of
 *             keccak256(place ‖ value in 32 bytes)
 *   row       key    'l' section (4) term (6) height (5)
 *             value  each transaction that has it, and the index within the block of that
 *                    transaction's first log; as differences, so mostly two bytes of zero
 *   section   blocks that follow each other, about LOG_SECTION_ROWS rows; a header says in
 *             which section its block is, and how many rows that has so far
 *
 *     section 0                      section 1                     section 2 …
 *     term a: 3 7 9 12 …             term a: 5001 5002 …           ^ new rows only go here
 *     term b: 8                      term c: 6000
 *
 * Writing: a row for each distinct term of a block, in the block's own batch, so it is there
 * when the block can be read, absent when not, and put again by a replay: the same rows under
 * the same keys. The section's number and count come from the header before, never from what
 * happens to be in the database. An ERC-20 transfer has two rows of its own (from, to), some
 * 36 bytes on disk, and shares two with its block. New rows of all terms fall into one
 * section's keys, some 100 MB: what is older is never merged again, however long the chain.
 *
 * Reading: in each section one seek a term, and then its rows in order of height. So a
 * term that is rare costs as many seeks as there are sections, one for two million transfers,
 * however many blocks they are. Several terms are joined: the one that has the fewest
 * rows ahead leads, and of the others only the rows at its heights are read. What is left is
 * read from the block and compared with the filter itself: a term is only a hash.
 *
 * Damage: LevelDB's checksums guard the rows as they guard all else. Beyond that a row that
 * does not decode, that leads to a transaction which is not there or has no such term, or
 * says another first log than another row, is STORE_E_CORRUPT.
 *
 * Before database version 4 there was no index; such a directory is refused like any of
 * another version. docs/decisions/log-index.md compares it with others, measured.
 */
#ifndef WEFT_STORE_STORE_LOG_H
#define WEFT_STORE_STORE_LOG_H

#include "base/map.h"
#include "chain/log_filter.h"
#include "store/store_record.h"

/* A section ends with the block that reaches so many rows. */
#define LOG_SECTION_ROWS (4u << 20)

#define LOG_PLACE_COUNT (1 + LOG_TOPIC_MAX)
#define LOG_PLACE_ADDRESS 0 /* a topic's place is 1 - 4 */

/* What is hashed for a term. */
#define LOG_RAW_SIZE 33
void log_raw_of_address(uint8_t out[LOG_RAW_SIZE], const struct addr *address);
void log_raw_of_topic(uint8_t out[LOG_RAW_SIZE], size_t place, const struct hash *topic);

/* The terms of `count` raws, one after the other; 48 bits each. */
void log_terms_of(uint64_t out[], const uint8_t *raws, size_t count);

/* --- a row's value --- */

struct log_posting {
	uint32_t index;     /* of a transaction in the block */
	uint32_t first_log; /* index in the block of its first log */
};

/* Both rise from one to the next. */
void log_row_encode(struct buf *out, const struct log_posting items[], size_t count);

/* Appends the postings (struct log_posting) to `out`; STORE_E_CORRUPT. */
int log_row_decode(struct buf *out, struct bytes value, struct err *err);

/* --- the writer --- */

/* What it needs for one block, kept for the next. */
struct log_writer {
	uint64_t seed;
	struct map numbers;     /* raw → struct log_number */
	struct buf raws;        /* by number */
	struct buf entries;     /* struct log_entry_at, in the block's order */
	struct buf order, postings, value;
};

void log_writer_init(struct log_writer *w, uint64_t seed);
void log_writer_clear(struct log_writer *w);

/* Puts the block's rows into `batch`. `place`: of the block before on entry, of this one
 * at the end. */
struct kv_batch;
void store_log_put(struct log_writer *w, struct kv_batch *batch, const struct store_block *b,
		   uint32_t section_rows, struct log_place *place);

#endif
