#include "store/wal_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/crc32c.h"

void record_header_encode(uint8_t out[RECORD_HEADER_SIZE], const struct record_header *h)
{
	store_le32(out, h->length);
	store_le64(out + 4, h->index);
	store_le64(out + 12, h->synced);
	out[20] = h->kind;
}

void record_header_decode(struct record_header *out, const uint8_t in[RECORD_HEADER_SIZE])
{
	out->length = load_le32(in);
	out->index = load_le64(in + 4);
	out->synced = load_le64(in + 12);
	out->kind = in[20];
}

void segment_header_encode(uint8_t out[SEGMENT_HEADER_SIZE], uint64_t first_index, uint32_t chain)
{
	memcpy(out, SEGMENT_MAGIC, 8);
	store_le32(out + 8, SEGMENT_VERSION);
	store_le64(out + 12, first_index);
	store_le32(out + 20, chain);
	store_le32(out + 24, crc32c(0, bytes_of(out, 24)));
}

void segment_file_name(char out[SEGMENT_NAME_MAX], const struct wal *w, uint64_t first_index)
{
	snprintf(out, SEGMENT_NAME_MAX, "%s-%016" PRIx64 ".log", w->name, first_index);
}

void note_encode(uint8_t out[NOTE_SIZE], const struct note *n)
{
	store_le64(out, n->first_index);
	store_le64(out + 8, n->synced);
	store_le32(out + 16, n->chain);
	store_le32(out + 20, crc32c(0, bytes_of(out, 20)));
}

bool note_decode(struct note *out, const uint8_t in[NOTE_SIZE])
{
	if (crc32c(0, bytes_of(in, 20)) != load_le32(in + 20))
		return false;
	*out = (struct note){ load_le64(in), load_le64(in + 8), load_le32(in + 16) };
	return true;
}

/* --- the note --- */

/* Everything up to now is synced. 0 or an errno. */
static int write_note(const struct wal *w, uint64_t first_index)
{
	const struct note n = { first_index, w->synced_index, w->chain };
	uint8_t out[NOTE_SIZE];

	CHECK(w->synced_index == w->next_index);
	note_encode(out, &n);
	return medium_write(w->note, 0, bytes_of(out, sizeof(out)));
}

/* Opens the note and reads it, if there is one. */
static void open_note(struct wal *w)
{
	char name[SEGMENT_NAME_MAX];
	uint8_t content[NOTE_SIZE];
	bool whole;

	snprintf(name, sizeof(name), "%s.note", w->name);
	if (medium_open(w->dir, &w->note, name, MEDIUM_WRITE | MEDIUM_CREATE) != 0)
		return; /* with none less is known, and nothing wrong */
	if (medium_read(w->note, 0, content, sizeof(content), &whole) != 0 || !whole ||
	    !note_decode(&w->noted, content))
		w->noted = (struct note){ 0 };
}

/* --- the directory --- */

/* True if `file` is this log's segment; with `suffix` ".tmp", one half made. */
static bool parse_name(const struct wal *w, const char *file, const char *suffix,
		       uint64_t *first_index)
{
	size_t size = strlen(w->name);
	char *end;

	if (strncmp(file, w->name, size) != 0 || file[size] != '-' ||
	    strlen(file) != size + 1 + 16 + 4)
		return false;
	*first_index = strtoull(file + size + 1, &end, 16);
	return end == file + size + 1 + 16 && strcmp(end, suffix) == 0;
}

static int compare_segments(const void *a, const void *b)
{
	uint64_t x = ((const struct segment *)a)->first_index,
		 y = ((const struct segment *)b)->first_index;

	return (x > y) - (x < y);
}

static void add_segment(struct wal *w, uint64_t first_index, uint64_t size)
{
	w->segments = xrealloc(w->segments, (w->segment_count + 1) * sizeof(w->segments[0]));
	w->segments[w->segment_count++] = (struct segment){ first_index, size };
}

static void take_name(void *ctx, const char *name)
{
	struct wal *w = ctx;
	uint64_t first_index;

	if (parse_name(w, name, ".log", &first_index))
		add_segment(w, first_index, 0);
	else if (parse_name(w, name, ".tmp", &first_index))
		w->dir->ops->unlink(w->dir, name);
}

/* Finds the segments; removes those that a crash left half made. */
static int list_segments(struct wal *w, struct err *err)
{
	int error = w->dir->ops->list(w->dir, take_name, w);

	if (error)
		return ERR_SET(err, STORE_E_OPEN, "cannot list the log's directory: %s",
			       strerror(error));
	if (w->segment_count)
		qsort(w->segments, w->segment_count, sizeof(w->segments[0]), compare_segments);
	return OK;
}

static void sync_or_die(const struct wal *w, struct medium_file *f)
{
	int error = f->ops->sync(f);

	if (error)
		fatal("cannot sync the %s log: %s; what was written may be lost: check the disk, "
		      "then restart",
		      w->name, strerror(error));
}

static void sync_directory(const struct wal *w)
{
	int error = w->dir->ops->sync_dir(w->dir);

	if (error)
		fatal("cannot sync the directory of the %s log: %s; check the disk, then restart",
		      w->name, strerror(error));
}

/* Makes the segment whose first record is w->next_index under another name first,
 * so that a segment that exists is whole. */
static int start_segment(struct wal *w, struct err *err)
{
	uint8_t header[SEGMENT_HEADER_SIZE];
	char name[SEGMENT_NAME_MAX], temporary[SEGMENT_NAME_MAX];
	struct medium_file *f = NULL;
	int error;

	segment_file_name(name, w, w->next_index);
	segment_file_name(temporary, w, w->next_index);
	memcpy(temporary + strlen(temporary) - 4, ".tmp", 4);
	segment_header_encode(header, w->next_index, w->chain);
	error = medium_open(w->dir, &f, temporary, MEDIUM_WRITE | MEDIUM_CREATE | MEDIUM_EMPTY);
	if (!error)
		error = medium_write(f, 0, bytes_of(header, sizeof(header)));
	if (!error) {
		sync_or_die(w, f);
		error = w->dir->ops->rename(w->dir, temporary, name);
	}
	if (error) {
		if (f)
			w->dir->ops->unlink(w->dir, temporary);
		medium_close(f);
		return ERR_SET(err, STORE_E_WRITE,
			       "cannot start log segment %s: %s; make room on the disk", name,
			       strerror(error));
	}
	sync_directory(w);
	medium_close(w->file);
	w->file = f;
	add_segment(w, w->next_index, sizeof(header));
	return OK;
}

static struct segment *newest(struct wal *w)
{
	return &w->segments[w->segment_count - 1];
}

/* What was read may so far stand in the page cache only, and after a sync that failed the
 * kernel takes it for written: written again, as it was verified, it becomes durable before
 * anybody acts on it. */
static int write_again(struct wal *w, const char *name, struct err *err)
{
	uint64_t at = newest(w)->size - w->unsure.size;
	int error = w->unsure.size ? medium_write(w->file, at, buf_bytes(&w->unsure)) : 0;

	if (error && !medium_is_full(error))
		fatal("cannot write the end of %s again: %s; check the disk, then restart", name,
		      strerror(error));
	return error ? ERR_SET(err, STORE_E_WRITE, "no room for %s: %s; make room on the disk",
			       name, strerror(error)) : OK;
}

static int open_newest(struct wal *w, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	int error, code;

	segment_file_name(name, w, newest(w)->first_index);
	error = medium_open(w->dir, &w->file, name, MEDIUM_WRITE);
	if (error)
		return ERR_SET(err, STORE_E_OPEN, "cannot open %s for writing: %s", name,
			       strerror(error));
	error = w->file->ops->truncate(w->file, newest(w)->size);
	if (error)
		fatal("cannot cut the torn tail off %s: %s", name, strerror(error));
	code = write_again(w, name, err);
	if (code != OK)
		return code;
	sync_directory(w); /* the note's name too */
	wal_sync(w);
	return OK;
}

/* Opens the directory and says what is in it. */
static int look(struct wal *w, const struct medium *medium, const char *dir, bool create,
		struct err *err)
{
	int error = medium_open_dir(medium, &w->dir, dir), code;

	if (error)
		return ERR_SET(err, STORE_E_OPEN, "cannot open %s: %s", dir, strerror(error));
	code = list_segments(w, err);
	if (code == OK && create && w->segment_count)
		return ERR_SET(err, STORE_E_EXISTS, "%s holds a %s log already", dir, w->name);
	if (code == OK && !create && !w->segment_count)
		return ERR_SET(err, STORE_E_NOT_FOUND, "%s holds no segment of the %s log", dir,
			       w->name);
	return code;
}

int wal_open(struct wal **out, const struct medium *medium, const char *dir, const char *name,
	     bool create, wal_replay_fn replay, void *ctx, struct wal_report *report,
	     struct err *err)
{
	struct wal *w = xcalloc(1, sizeof(*w));
	struct wal_report unused;
	int code;

	CHECK(strlen(name) + 32 < SEGMENT_NAME_MAX);
	if (!report)
		report = &unused;
	*report = (struct wal_report){ 0 };
	w->name = xstrdup(name);
	code = look(w, medium ? medium : medium_posix(), dir, create, err);
	if (code == OK)
		open_note(w);
	if (code == OK && create) {
		w->next_index = w->synced_index = 1;
		code = start_segment(w, err);
		if (code == OK && w->note)
			(void)write_note(w, w->next_index);
	} else if (code == OK) {
		code = wal_read(w, replay, ctx, report, err);
		if (code == OK)
			code = open_newest(w, err);
		if (code == OK)
			code = wal_tell(w, replay, ctx, err);
		buf_clear(&w->unsure);
	}
	if (code != OK) {
		wal_close(w);
		return code;
	}
	*out = w;
	return OK;
}

void wal_close(struct wal *w)
{
	if (!w)
		return;
	medium_close(w->file);
	medium_close(w->note);
	medium_close_dir(w->dir);
	buf_clear(&w->unsure);
	free(w->segments);
	free(w->name);
	free(w);
}

/* --- appending --- */

/* After a write that failed with `error`: the log is as before, or the process ends. */
static int take_back(struct wal *w, int error, struct err *err)
{
	int cut;

	if (!medium_is_full(error))
		fatal("cannot write to the %s log: %s; check the disk, then restart", w->name,
		      strerror(error));
	cut = w->file->ops->truncate(w->file, newest(w)->size);
	if (cut)
		fatal("cannot take half a record back from the full %s log: %s; make room, "
		      "then restart",
		      w->name, strerror(cut));
	w->is_cut = true;
	return ERR_SET(err, STORE_E_WRITE, "no room for the %s log: %s; make room on the disk",
		       w->name, strerror(error));
}

int wal_append(struct wal *w, uint8_t kind, const struct bytes parts[], size_t part_count,
	       uint64_t *index, struct err *err)
{
	struct record_header h = { .index = w->next_index,
				   .synced = w->synced_index,
				   .kind = kind };
	uint8_t header[RECORD_HEADER_SIZE], trailer[4];
	struct bytes v[WAL_PART_MAX + 2];
	uint64_t size = 0;
	uint32_t crc;
	int error;

	CHECK(part_count <= WAL_PART_MAX);
	for (size_t i = 0; i < part_count; i++)
		size += parts[i].size;
	if (size > WAL_RECORD_MAX)
		return ERR_SET(err, STORE_E_WRITE,
			       "a log record of %" PRIu64 " bytes is above the limit of %u", size,
			       WAL_RECORD_MAX);
	h.length = (uint32_t)size;
	record_header_encode(header, &h);
	v[0] = bytes_of(header, sizeof(header));
	crc = crc32c(w->chain, v[0]);
	for (size_t i = 0; i < part_count; i++) {
		v[i + 1] = parts[i];
		crc = crc32c(crc, parts[i]);
	}
	store_le32(trailer, crc);
	v[part_count + 1] = bytes_of(trailer, sizeof(trailer));
	error = w->file->ops->write(w->file, newest(w)->size, v, part_count + 2);
	if (error)
		return take_back(w, error, err);
	newest(w)->size += size + RECORD_OVERHEAD;
	w->chain = crc;
	if (index)
		*index = w->next_index;
	w->next_index++;
	return OK;
}

void wal_sync(struct wal *w)
{
	/* Half a record that was taken back must not come back either, with another segment
	 * behind it. */
	if (w->synced_index == w->next_index && !w->is_cut)
		return;
	sync_or_die(w, w->file);
	w->is_cut = false;
	w->synced_index = w->next_index;
	/* A note that can't be written says less, and nothing wrong. */
	if (w->note)
		(void)write_note(w, w->segments[0].first_index);
}

/* --- segments --- */

int wal_rotate(struct wal *w, struct err *err)
{
	if (newest(w)->first_index == w->next_index)
		return OK;
	wal_sync(w);
	return start_segment(w, err);
}

/* Makes it durable that `first_index` is the oldest: who then finds less has lost something.
 * False if that can't be. */
static bool note_first(struct wal *w, uint64_t first_index)
{
	if (!w->note)
		return true;
	wal_sync(w);
	if (write_note(w, first_index) != 0)
		return false;
	sync_or_die(w, w->note);
	return true;
}

void wal_trim(struct wal *w, uint64_t keep_from)
{
	char name[SEGMENT_NAME_MAX];
	size_t gone = 0;
	int error;

	while (gone + 1 < w->segment_count && w->segments[gone + 1].first_index <= keep_from)
		gone++;
	if (!gone || !note_first(w, w->segments[gone].first_index))
		return;
	for (size_t i = 0; i < gone; i++) {
		segment_file_name(name, w, w->segments[i].first_index);
		error = w->dir->ops->unlink(w->dir, name);
		if (error)
			fatal("cannot remove old log segment %s: %s", name, strerror(error));
		sync_directory(w);
	}
	w->segment_count -= gone;
	memmove(w->segments, w->segments + gone, w->segment_count * sizeof(w->segments[0]));
}

uint64_t wal_first_index(const struct wal *w)
{
	return w->segments[0].first_index;
}

uint64_t wal_next_index(const struct wal *w)
{
	return w->next_index;
}

uint64_t wal_size(const struct wal *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->segment_count; i++)
		sum += w->segments[i].size;
	return sum;
}

uint64_t wal_segment_size(const struct wal *w)
{
	return w->segments[w->segment_count - 1].size;
}
