#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/rand.h"
#include "store/scratch.h"
#include "store/wal.h"

/* As in wal.h. */
#define HEADER_SIZE 28
#define OVERHEAD 25

/* Record i of every log here: kind and payload follow from i. */
static size_t payload_size(uint64_t i)
{
	return (size_t)(i * 7 % 23);
}

static void payload_fill(uint64_t i, uint8_t out[32])
{
	for (size_t j = 0; j < payload_size(i); j++)
		out[j] = (uint8_t)(i * 31 + j);
}

static int check_record(void *ctx, uint64_t index, uint8_t kind, struct bytes payload,
			struct err *err)
{
	uint64_t *next = ctx;
	uint8_t expected[32];

	if (*next == 0)
		*next = index;
	payload_fill(index, expected);
	cr_assert_eq(index, *next);
	cr_assert_eq(kind, (uint8_t)(index * 3));
	cr_assert(bytes_equal(payload, bytes_of(expected, payload_size(index))));
	++*next;
	return OK;
}

static int append(struct wal *w, struct err *err)
{
	uint64_t i = wal_next_index(w), index;
	uint8_t payload[32];
	struct bytes parts[2];
	int code;

	payload_fill(i, payload);
	parts[0] = bytes_of(payload, payload_size(i) / 2);
	parts[1] = bytes_of(payload + payload_size(i) / 2, payload_size(i) - payload_size(i) / 2);
	code = wal_append(w, (uint8_t)(i * 3), parts, 2, &index, err);
	if (code == OK)
		cr_assert_eq(index, i);
	return code;
}

/* Opens, checks every record, and gives the index after the last. */
static int open_checked(struct wal **w, const char *dir, uint64_t *next, struct wal_report *report,
			struct err *err)
{
	*next = 0;
	return wal_open(w, NULL, dir, "test", false, check_record, next, report, err);
}

/* A log of `segment_count` segments of `record_count` records each, closed. */
static void make_log(const char *dir, size_t segment_count, size_t record_count, bool sync_each)
{
	struct wal *w;

	cr_assert_eq(wal_open(&w, NULL, dir, "test", true, NULL, NULL, NULL, NULL), OK);
	for (size_t s = 0; s < segment_count; s++) {
		if (s)
			cr_assert_eq(wal_rotate(w, NULL), OK);
		for (size_t i = 0; i < record_count; i++) {
			cr_assert_eq(append(w, NULL), OK);
			if (sync_each)
				wal_sync(w);
		}
	}
	wal_close(w);
}

static void segment_path(char out[SCRATCH_PATH_MAX], const char *dir, size_t i)
{
	CHECK(scratch_find(out, dir, "test-", i));
}

Test(wal, replay_records_after_reopen)
{
	char dir[SCRATCH_PATH_MAX];
	struct wal_report report;
	uint64_t next, size;
	struct wal *w;

	scratch_new(dir);
	make_log(dir, 3, 10, false);
	cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
	cr_assert_eq(report.record_count, 30);
	cr_assert_eq(report.torn_size, 0);
	cr_assert_eq(next, 31);
	cr_assert_eq(wal_first_index(w), 1);
	cr_assert_eq(append(w, NULL), OK);
	wal_sync(w);
	size = wal_size(w);
	wal_close(w);
	cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
	cr_assert_eq(next, 32);
	cr_assert_eq(wal_size(w), size);
	wal_close(w);
	scratch_remove(dir);
}

Test(wal, trim_whole_segments_only)
{
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct wal_report report;
	uint64_t next;
	struct wal *w;

	scratch_new(dir);
	make_log(dir, 3, 10, false); /* 1-10, 11-20, 21-30 */
	cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
	wal_trim(w, 10);
	cr_assert_eq(wal_first_index(w), 1);
	wal_trim(w, 11);
	cr_assert_eq(wal_first_index(w), 11);
	cr_assert_eq(wal_rotate(w, NULL), OK);
	cr_assert_eq(wal_rotate(w, NULL), OK); /* an empty segment is not rotated again */
	wal_trim(w, 31);
	cr_assert_eq(wal_first_index(w), 31);
	cr_assert(!scratch_find(path, dir, "test-", 1));
	wal_close(w);
	cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
	cr_assert_eq(wal_next_index(w), 31);
	cr_assert_eq(append(w, NULL), OK);
	wal_close(w);
	cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
	cr_assert_eq(next, 32);
	wal_close(w);
	scratch_remove(dir);
}

Test(wal, refuse_open_missing_or_made_twice)
{
	char dir[SCRATCH_PATH_MAX];
	struct wal *w;

	scratch_new(dir);
	cr_assert_eq(wal_open(&w, NULL, dir, "test", false, NULL, NULL, NULL, NULL), STORE_E_NOT_FOUND);
	make_log(dir, 1, 1, false);
	cr_assert_eq(wal_open(&w, NULL, dir, "test", true, NULL, NULL, NULL, NULL), STORE_E_EXISTS);
	cr_assert_eq(wal_open(&w, NULL, dir, "other", false, NULL, NULL, NULL, NULL), STORE_E_NOT_FOUND);
	cr_assert_eq(wal_open(&w, NULL, "/nonexistent/dir", "test", false, NULL, NULL, NULL, NULL),
		     STORE_E_OPEN);
	scratch_remove(dir);
}

/* What is known of the last records: the power went before the kernel wrote it back. */
static void lose_note(const char *dir)
{
	char path[SCRATCH_PATH_MAX];

	scratch_path(path, dir, "test.note");
	cr_assert_eq(unlink(path), 0);
}

/* The last record cut at every byte, and nobody knew it as synced: everything before it is
 * there, and the log goes on. With the note it is a loss. */
Test(wal, cut_torn_tail_at_every_byte)
{
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct wal_report report;
	struct buf whole = { 0 };
	size_t last = OVERHEAD + payload_size(12);
	uint64_t next;
	struct wal *w;

	scratch_new(dir);
	make_log(dir, 2, 6, true);
	segment_path(path, dir, 1);
	scratch_read(&whole, path);
	for (size_t kept = 0; kept < last; kept++) {
		scratch_write(path, bytes_of(whole.data, whole.size - last + kept));
		if (kept == 0)
			cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), STORE_E_CORRUPT);
		lose_note(dir);
		cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
		cr_assert_eq(next, 12);
		cr_assert_eq(report.torn_size, kept);
		cr_assert_eq(append(w, NULL), OK);
		wal_close(w);
		cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
		cr_assert_eq(next, 13);
		cr_assert_eq(report.torn_size, 0);
		wal_close(w);
	}
	buf_clear(&whole);
	scratch_remove(dir);
}

/* Zeros and noise instead of the end: as a file system leaves it that had grown
 * the file and not yet written it. */
Test(wal, cut_tail_of_zeros_or_noise)
{
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct wal_report report;
	struct buf whole = { 0 };
	struct rng rng;
	uint64_t next;
	struct wal *w;

	rng_init(&rng, 5);
	scratch_new(dir);
	make_log(dir, 1, 6, true);
	segment_path(path, dir, 0);
	scratch_read(&whole, path);
	for (size_t round = 0; round < 200; round++) {
		size_t size = 1 + rng_below(&rng, 300);
		struct buf longer = { 0 };

		buf_append_bytes(&longer, buf_bytes(&whole));
		for (size_t i = 0; i < size; i++)
			buf_append_byte(&longer, round % 2 ? 0 : (uint8_t)rng_next(&rng));
		scratch_write(path, buf_bytes(&longer));
		buf_clear(&longer);
		cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
		cr_assert_eq(next, 7);
		cr_assert_eq(report.torn_size, size);
		wal_close(w);
	}
	buf_clear(&whole);
	scratch_remove(dir);
}

/* Every byte of a middle segment, and of all but the last record of the newest,
 * is guarded. */
Test(wal, refuse_flipped_byte_anywhere_but_in_tail)
{
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct wal_report report;
	uint64_t next;
	struct wal *w;

	scratch_new(dir);
	make_log(dir, 3, 6, true);
	for (size_t segment = 0; segment < 3; segment++) {
		struct buf whole = { 0 };
		size_t guarded;

		segment_path(path, dir, segment);
		scratch_read(&whole, path);
		guarded = whole.size - (segment == 2 ? OVERHEAD + payload_size(18) : 0);
		for (size_t at = 0; at < guarded; at++) {
			struct err err = { 0 };

			scratch_flip(path, at);
			cr_assert_eq(open_checked(&w, dir, &next, &report, &err), STORE_E_CORRUPT,
				     "segment %zu, byte %zu", segment, at);
			cr_assert(strstr(err.message, "test-"), "%s", err.message);
			cr_assert(strstr(err.message, "restore"), "%s", err.message);
			scratch_flip(path, at);
		}
		buf_clear(&whole);
	}
	cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
	cr_assert_eq(next, 19);
	wal_close(w);
	scratch_remove(dir);
}

/* Records that no sync covered may be lost in any order: a hole before a whole
 * record is then a torn tail. */
Test(wal, cut_hole_among_unsynced_records)
{
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct wal_report report;
	uint64_t next;
	struct wal *w;

	scratch_new(dir);
	make_log(dir, 1, 6, false);
	segment_path(path, dir, 0);
	scratch_flip(path, HEADER_SIZE + OVERHEAD + payload_size(1) + 3);
	cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
	cr_assert_eq(next, 2);
	cr_assert(report.torn_size > 4 * OVERHEAD);
	wal_close(w);
	scratch_remove(dir);
}

Test(wal, refuse_lost_cut_or_swapped_segment)
{
	char dir[SCRATCH_PATH_MAX], copy[SCRATCH_PATH_MAX], a[SCRATCH_PATH_MAX],
		b[SCRATCH_PATH_MAX];
	char other[SCRATCH_PATH_MAX];
	struct wal_report report;
	struct wal *w;

	for (size_t damage = 0; damage < 6; damage++) {
		struct buf content = { 0 };
		struct err err = { 0 };

		scratch_new(dir);
		make_log(dir, 4, 5, true);
		segment_path(a, dir, 1);
		segment_path(b, dir, 2);
		scratch_path(copy, dir, "copy");
		scratch_read(&content, a);
		switch (damage) {
		case 0: /* gone */
			unlink(a);
			break;
		case 1: /* empty */
			scratch_cut(a, 0);
			break;
		case 2: /* its last record gone, cleanly */
			scratch_cut(a, content.size - OVERHEAD - payload_size(10));
			break;
		case 3: /* swapped */
			rename(a, copy);
			rename(b, a);
			rename(copy, b);
			break;
		case 4: /* the newest without its header */
			segment_path(b, dir, 3);
			scratch_cut(b, HEADER_SIZE - 1);
			break;
		case 5: /* the same segment of another log, whole in itself */
			scratch_new(other);
			cr_assert_eq(wal_open(&w, NULL, other, "test", true, NULL, NULL, NULL, NULL), OK);
			for (size_t i = 0; i < 10; i++) {
				struct bytes part = bytes_of_str("other");

				if (i == 5)
					cr_assert_eq(wal_rotate(w, NULL), OK);
				cr_assert_eq(wal_append(w, 9, &part, 1, NULL, NULL), OK);
			}
			wal_close(w);
			segment_path(copy, other, 1);
			buf_reset(&content);
			scratch_read(&content, copy);
			scratch_write(a, buf_bytes(&content));
			scratch_remove(other);
			break;
		}
		cr_assert_eq(wal_open(&w, NULL, dir, "test", false, NULL, NULL, &report, &err),
			     STORE_E_CORRUPT, "damage %zu", damage);
		buf_clear(&content);
		scratch_remove(dir);
	}
}

Test(wal, refuse_empty_log_with_another_past)
{
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct buf content = { 0 };
	struct err err = { 0 };
	struct wal_report report;
	struct wal *w;

	scratch_new(dir);
	cr_assert_eq(wal_open(&w, NULL, dir, "test", true, NULL, NULL, NULL, NULL), OK);
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(append(w, NULL), OK);
	wal_sync(w);
	cr_assert_eq(wal_rotate(w, NULL), OK);
	wal_trim(w, 6);
	wal_close(w);
	segment_path(path, dir, 0);
	scratch_read(&content, path);
	content.data[20] ^= 1; /* the chain's value before its first record, and the checksum over it */
	store_le32(content.data + 24, crc32c(0, bytes_of(content.data, 24)));
	scratch_write(path, buf_bytes(&content));
	cr_assert_eq(wal_open(&w, NULL, dir, "test", false, NULL, NULL, &report, &err), STORE_E_CORRUPT);
	cr_assert(strstr(err.message, "not what was synced here"), "%s", err.message);
	buf_clear(&content);
	scratch_remove(dir);
}

Test(wal, remove_half_made_segment)
{
	char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX];
	struct wal_report report;
	uint64_t next;
	struct wal *w;

	scratch_new(dir);
	make_log(dir, 1, 3, true);
	scratch_path(path, dir, "test-0000000000000004.tmp");
	scratch_write(path, bytes_of_str("half"));
	cr_assert_eq(open_checked(&w, dir, &next, &report, NULL), OK);
	cr_assert_neq(access(path, F_OK), 0);
	wal_close(w);
	scratch_remove(dir);
}

static int refuse(void *ctx, uint64_t index, uint8_t kind, struct bytes payload, struct err *err)
{
	return ERR_SET(err, STORE_E_CHAIN, "not mine");
}

Test(wal, pass_on_error_of_replay)
{
	char dir[SCRATCH_PATH_MAX];
	struct err err;
	struct wal *w;

	scratch_new(dir);
	make_log(dir, 1, 3, true);
	cr_assert_eq(wal_open(&w, NULL, dir, "test", false, refuse, NULL, NULL, &err), STORE_E_CHAIN);
	cr_assert(strstr(err.message, "not mine") && strstr(err.message, "record 1 of the test log"), "%s",
		  err.message);
	scratch_remove(dir);
}

Test(wal, refuse_too_large_record)
{
	uint8_t *large = xcalloc(1, WAL_RECORD_MAX + 1);
	struct bytes part = bytes_of(large, WAL_RECORD_MAX + 1);
	char dir[SCRATCH_PATH_MAX];
	struct wal *w;

	scratch_new(dir);
	cr_assert_eq(wal_open(&w, NULL, dir, "test", true, NULL, NULL, NULL, NULL), OK);
	cr_assert_eq(wal_append(w, 1, &part, 1, NULL, NULL), STORE_E_WRITE);
	cr_assert_eq(append(w, NULL), OK);
	wal_close(w);
	scratch_remove(dir);
	free(large);
}
