/*
 * wal_format - the bytes of a log segment, and the log's inside. For wal*.c only.
 */
#ifndef WEFT_STORE_WAL_FORMAT_H
#define WEFT_STORE_WAL_FORMAT_H

#include "store/wal.h"

#define SEGMENT_MAGIC "weft.wal"
#define SEGMENT_VERSION 1
#define SEGMENT_HEADER_SIZE 28

#define RECORD_HEADER_SIZE 21 /* length, index, synced, kind */
#define RECORD_OVERHEAD (RECORD_HEADER_SIZE + 4)

#define SEGMENT_NAME_MAX 96

#define NOTE_SIZE 24

/* What is known of the log beside it; see wal.h. */
struct note {
	uint64_t first_index; /* of the oldest segment */
	uint64_t synced;      /* index below which all is synced; 0: nothing is known */
	uint32_t chain;       /* the CRC of the record below it */
};

struct segment {
	uint64_t first_index;
	uint64_t size; /* bytes */
};

struct wal {
	char *name;
	struct medium_dir *dir;
	struct medium_file *file; /* the newest segment */
	struct medium_file *note; /* NULL if there was no room for one */
	struct note noted;        /* on opening */
	struct buf unsure;        /* on opening: the newest records, which nobody knows as synced */
	struct segment *segments;
	size_t segment_count;
	uint64_t next_index;
	uint64_t synced_index;   /* all records below it are durable */
	uint32_t chain;          /* the newest record's CRC */
	bool is_cut;             /* the newest segment was cut since its last sync */
};

struct record_header {
	uint32_t length;
	uint64_t index;
	uint64_t synced;
	uint8_t kind;
};

void record_header_encode(uint8_t out[RECORD_HEADER_SIZE], const struct record_header *h);
void record_header_decode(struct record_header *out, const uint8_t in[RECORD_HEADER_SIZE]);

void segment_header_encode(uint8_t out[SEGMENT_HEADER_SIZE], uint64_t first_index, uint32_t chain);

void note_encode(uint8_t out[NOTE_SIZE], const struct note *n);
/* False if these are not what note_encode() gave. */
bool note_decode(struct note *out, const uint8_t in[NOTE_SIZE]);

/* "name-0000000000000001.log". */
void segment_file_name(char out[SEGMENT_NAME_MAX], const struct wal *w, uint64_t first_index);

/* Reads all segments in w->segments, whose first_index are known and rising,
 * gives the records that are known as durable to `replay`, sets sizes (of the newest: up to a
 * torn tail), next_index, chain and unsure. (wal_read.c) */
int wal_read(struct wal *w, wal_replay_fn replay, void *ctx, struct wal_report *report,
	     struct err *err);

/* Gives the records in `unsure` to `replay`, now that they are durable, and empties it. */
int wal_tell(struct wal *w, wal_replay_fn replay, void *ctx, struct err *err);

#endif
