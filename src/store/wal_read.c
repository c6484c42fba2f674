/*
 * Reading a log on opening: every record of every segment, and the judgement of
 * a broken one: a tail that a crash tore, or a loss.
 */
#include "store/wal_format.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/limits.h"

/* How often a broken record is read. */
#define READ_COUNT 3
/* How much behind a broken record is searched for a witness of a loss. */
#define TAIL_SIZE_MAX (512 * MIB)

struct reader {
	struct wal *w;
	struct medium_file *f;
	char file[SEGMENT_NAME_MAX];
	uint64_t at, size; /* position in the segment, and its size */
	struct buf payload;
};

static int corrupt(const struct reader *r, struct err *err, const char *what)
{
	return ERR_SET(err, STORE_E_CORRUPT, "%s at byte %" PRIu64 ": %s; " STORE_ADVICE, r->file,
		       r->at, what);
}

/* Reads exactly `size` bytes; the file is known to be long enough. */
static int read_at(const struct reader *r, uint64_t at, uint8_t *out, size_t size, struct err *err)
{
	bool whole;
	int error = medium_read(r->f, at, out, size, &whole);

	if (error)
		return corrupt(r, err, strerror(error));
	return whole ? OK : corrupt(r, err, "the file became shorter");
}

/* Reads the record at r->at; *valid is false if it is broken in any way. Its
 * payload is in r->payload, its CRC in *crc. */
static int read_record(struct reader *r, struct record_header *h, uint32_t *crc, bool *valid,
		       struct err *err)
{
	uint8_t header[RECORD_HEADER_SIZE], *body;
	int code;

	*valid = false;
	if (r->size - r->at < RECORD_OVERHEAD)
		return OK;
	code = read_at(r, r->at, header, sizeof(header), err);
	if (code != OK)
		return code;
	record_header_decode(h, header);
	if (h->length > WAL_RECORD_MAX || h->length > r->size - r->at - RECORD_OVERHEAD)
		return OK;
	buf_reset(&r->payload);
	body = buf_extend(&r->payload, h->length + 4);
	code = read_at(r, r->at + RECORD_HEADER_SIZE, body, h->length + 4, err);
	if (code != OK)
		return code;
	*crc = crc32c(r->w->chain, bytes_of(header, sizeof(header)));
	*crc = crc32c(*crc, bytes_of(body, h->length));
	*valid = *crc == load_le32(body + h->length) && h->index == r->w->next_index &&
		 h->synced <= h->index;
	r->payload.size -= 4;
	return OK;
}

/* True if a whole record that stands at tail[at] knows the one at tail[0], whose
 * index is `broken`, as synced. */
static bool is_witness(struct bytes tail, size_t at, uint64_t broken, uint32_t broken_crc)
{
	const uint8_t *p = tail.data + at;
	size_t room = tail.size - at - RECORD_OVERHEAD;
	struct record_header h, first;
	struct bytes covered;
	uint32_t crc;

	record_header_decode(&h, p);
	if (h.synced <= broken || h.index < h.synced || h.index - broken > tail.size ||
	    h.length > room)
		return false;
	covered = bytes_of(p, RECORD_HEADER_SIZE + h.length);
	crc = load_le32(p + covered.size);
	if (crc32c(load_le32(p - 4), covered) == crc)
		return true;
	/* The broken bytes may be the very checksum that this record continues. */
	record_header_decode(&first, tail.data);
	return at == (uint64_t)first.length + RECORD_OVERHEAD && crc32c(broken_crc, covered) == crc;
}

/* Decides about a broken record at r->at in the newest segment. */
static int judge_tail(struct reader *r, uint32_t broken_crc, struct err *err)
{
	uint64_t broken = r->w->next_index;
	size_t size = r->size - r->at;
	struct buf tail = { 0 };
	int code;

	if (broken < r->w->noted.synced)
		return corrupt(r, err, "a broken record that was synced");
	if (size > TAIL_SIZE_MAX)
		return corrupt(r, err, "a broken record with much behind it");
	code = read_at(r, r->at, buf_extend(&tail, size), size, err);
	for (size_t at = RECORD_OVERHEAD; code == OK && at + RECORD_OVERHEAD <= size; at++)
		if (is_witness(buf_bytes(&tail), at, broken, broken_crc))
			code = corrupt(r, err, "a broken record that was synced");
	buf_clear(&tail);
	return code;
}

/* Compares the chain's value below `next_index` with what is noted of it. */
static int check_note(const struct reader *r, uint64_t next_index, uint32_t chain, struct err *err)
{
	if (next_index == r->w->noted.synced && chain != r->w->noted.chain)
		return corrupt(r, err, "this is not what was synced here");
	return OK;
}

int wal_tell(struct wal *w, wal_replay_fn replay, void *ctx, struct err *err)
{
	for (size_t at = 0; replay && at < w->unsure.size;) {
		const uint8_t *p = w->unsure.data + at;
		struct record_header h;
		int code;

		record_header_decode(&h, p);
		code = replay(ctx, h.index, h.kind, bytes_of(p + RECORD_HEADER_SIZE, h.length), err);
		if (code != OK)
			return err_prefix(err, code, "record %" PRIu64 " of the %s log", h.index, w->name);
		at += h.length + RECORD_OVERHEAD;
	}
	buf_reset(&w->unsure);
	return OK;
}

static int read_header(struct reader *r, uint64_t first_index, bool is_oldest, wal_replay_fn replay,
		       void *ctx, struct err *err)
{
	uint8_t header[SEGMENT_HEADER_SIZE], expected[SEGMENT_HEADER_SIZE];
	int code;

	if (r->size < SEGMENT_HEADER_SIZE)
		return corrupt(r, err, "the segment is cut short");
	code = read_at(r, 0, header, sizeof(header), err);
	if (code != OK)
		return code;
	segment_header_encode(expected, first_index, load_le32(header + 20));
	if (memcmp(header, expected, sizeof(header)) != 0)
		return corrupt(r, err, "a broken segment header");
	if (is_oldest && r->w->noted.synced && first_index > r->w->noted.first_index)
		return corrupt(r, err, "records before this segment are missing");
	if (is_oldest) {
		r->w->chain = load_le32(header + 20);
		r->w->next_index = first_index;
	}
	if (first_index != r->w->next_index)
		return corrupt(r, err, "records before this segment are missing");
	if (r->w->chain != load_le32(header + 20))
		return corrupt(r, err, "this segment does not continue the one before it");
	code = check_note(r, first_index, r->w->chain, err);
	r->at = SEGMENT_HEADER_SIZE;
	/* The segment before was synced before this one was begun. */
	return code == OK ? wal_tell(r->w, replay, ctx, err) : code;
}

/* Reads the record at r->at, again from the disk if it is broken. */
static int read_surely(struct reader *r, struct record_header *h, uint32_t *crc, bool *valid,
		       struct err *err)
{
	int code = read_record(r, h, crc, valid, err);

	for (int n = 1; code == OK && !*valid && n < READ_COUNT; n++) {
		r->f->ops->uncache(r->f);
		code = read_record(r, h, crc, valid, err);
	}
	return code;
}

/* A record is whole: the log stands behind it. */
static int take_record(struct reader *r, const struct record_header *h, uint32_t crc, wal_replay_fn replay,
		       void *ctx, struct err *err)
{
	struct wal *w = r->w;
	/* Written right after a sync: those before it are on the disk. */
	int code = h->synced == h->index ? wal_tell(w, replay, ctx, err) : OK;

	if (code != OK)
		return code;
	record_header_encode(buf_extend(&w->unsure, RECORD_HEADER_SIZE), h);
	buf_append_bytes(&w->unsure, buf_bytes(&r->payload));
	store_le32(buf_extend(&w->unsure, 4), crc);
	w->chain = crc;
	w->next_index++;
	r->at += h->length + RECORD_OVERHEAD;
	return w->next_index <= w->noted.synced ? wal_tell(w, replay, ctx, err) : OK;
}

static int read_records(struct reader *r, bool is_newest, wal_replay_fn replay, void *ctx,
			struct wal_report *report, struct err *err)
{
	struct record_header h;
	uint32_t crc = 0;
	bool valid;
	int code;

	while (r->at < r->size) {
		code = read_surely(r, &h, &crc, &valid, err);
		if (code != OK)
			return code;
		if (!valid && !is_newest)
			return corrupt(r, err, "a broken record");
		if (!valid) {
			report->torn_size = r->size - r->at;
			return judge_tail(r, crc, err);
		}
		code = check_note(r, h.index + 1, crc, err);
		if (code != OK)
			return code;
		code = take_record(r, &h, crc, replay, ctx, err);
		if (code != OK)
			return code;
		report->record_count++;
	}
	/* The note is read first: what it knows is in some segment, or gone. */
	if (is_newest && r->w->next_index < r->w->noted.synced)
		return corrupt(r, err, "records that were synced are missing behind it");
	return OK;
}

static int read_segment(struct reader *r, size_t i, wal_replay_fn replay, void *ctx,
			struct wal_report *report, struct err *err)
{
	struct wal *w = r->w;
	bool is_newest = i + 1 == w->segment_count;
	int error, code;

	segment_file_name(r->file, w, w->segments[i].first_index);
	r->at = 0;
	r->f = NULL;
	error = medium_open(w->dir, &r->f, r->file, 0);
	if (!error)
		error = r->f->ops->size(r->f, &r->size);
	if (error) {
		code = ERR_SET(err, STORE_E_OPEN, "cannot open %s: %s", r->file, strerror(error));
	} else {
		code = read_header(r, w->segments[i].first_index, i == 0, replay, ctx, err);
		if (code == OK)
			code = read_records(r, is_newest, replay, ctx, report, err);
		w->segments[i].size = r->at;
	}
	medium_close(r->f);
	return code;
}

int wal_read(struct wal *w, wal_replay_fn replay, void *ctx, struct wal_report *report,
	     struct err *err)
{
	struct reader r = { .w = w };
	int code = OK;

	for (size_t i = 0; code == OK && i < w->segment_count; i++)
		code = read_segment(&r, i, replay, ctx, report, err);
	buf_clear(&r.payload);
	return code;
}
