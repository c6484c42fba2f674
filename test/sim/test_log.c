/*
 * A log (store/wal.h) on a simulated disk: every bit flipped, every length cut, every range
 * overwritten, segments swapped and deleted, a crash in every operation. What was synced is
 * there, or the opening is refused by file and offset.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/rand.h"
#include "sim/disk.h"
#include "store/wal.h"

#define DIR "log"
#define RECORD_COUNT_MAX 4096
#define FILE_COUNT_MAX 16

/* What was written: the payload of a record follows from its index and its salt; one that a
 * crash took may come again with another. */
struct model {
	struct disk *d;
	struct wal *w;         /* NULL while closed */
	uint32_t salts[RECORD_COUNT_MAX];
	uint32_t next_salt;
	uint64_t next;         /* index of the next record */
	uint64_t synced;       /* all below it must be there */
	uint64_t first;        /* oldest that must be there */
	uint64_t seen_next, seen_first; /* of a replay */
	uint64_t seen_hash;
};

static struct bytes payload_of(uint64_t index, uint32_t salt, uint8_t out[2048])
{
	size_t size = (size_t)((index * 37 + salt * 11) % 120);

	/* Now and then one over several sectors. */
	if ((index + salt) % 13 == 5)
		size += 700 + (size_t)(salt % 1000);
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(index * 7 + salt * 31 + i);
	return bytes_of(out, size);
}

static int check_record(void *ctx, uint64_t index, uint8_t kind, struct bytes payload,
			struct err *err)
{
	struct model *m = ctx;
	uint8_t expected[2048];

	if (!m->seen_next)
		m->seen_first = m->seen_next = index;
	cr_assert_eq(index, m->seen_next);
	cr_assert_lt(index, m->next);
	cr_assert_eq(kind, (uint8_t)index);
	cr_assert(bytes_equal(payload, payload_of(index, m->salts[index], expected)),
		  "record %llu is another one", (unsigned long long)index);
	m->seen_next++;
	return OK;
}

static int open_log(struct model *m, bool create, struct wal_report *report, struct err *err)
{
	m->seen_next = 0;
	return wal_open(&m->w, disk_medium(m->d), DIR, "t", create, check_record, m, report, err);
}

static void close_log(struct model *m)
{
	wal_close(m->w);
	m->w = NULL;
}

static void model_init(struct model *m, uint64_t seed)
{
	const struct medium *medium;
	bool made;

	*m = (struct model){ .next = 1, .synced = 1, .first = 1 };
	m->d = disk_new(seed, &disk_plan_none);
	medium = disk_medium(m->d);
	CHECK(medium->ops->make(medium->ctx, DIR, &made) == 0);
	CHECK(open_log(m, true, NULL, NULL) == OK);
}

static void append(struct model *m)
{
	uint8_t payload[2048];
	struct bytes parts[2];
	uint64_t index;
	int code;

	CHECK(m->next < RECORD_COUNT_MAX);
	m->salts[m->next] = m->next_salt++;
	parts[0] = payload_of(m->next, m->salts[m->next], payload);
	parts[1] = bytes_of(parts[0].data + parts[0].size / 2, parts[0].size - parts[0].size / 2);
	parts[0].size /= 2;
	code = wal_append(m->w, (uint8_t)m->next, parts, 2, &index, NULL);
	if (code == STORE_E_WRITE)
		return;
	cr_assert_eq(code, OK);
	cr_assert_eq(index, m->next);
	m->next++;
}

/* What a call that has returned promises, if the disk lived to see it. */
static void promise(struct model *m, uint64_t synced, uint64_t first)
{
	if (disk_is_dead(m->d))
		return;
	m->synced = synced;
	m->first = MAX(m->first, first);
}

/* One random thing that a log's owner does. */
static void step(struct model *m, struct rng *rng)
{
	uint64_t keep_from;

	switch (rng_below(rng, 16)) {
	default:
		append(m);
		break;
	case 8: case 9: case 10: case 11: case 12: case 13:
		wal_sync(m->w);
		promise(m, m->next, m->first);
		break;
	case 14:
		if (wal_rotate(m->w, NULL) == OK)
			promise(m, m->next, m->first);
		break;
	case 15:
		keep_from = m->synced > 8 ? m->synced - rng_below(rng, 8) : 1;
		wal_trim(m->w, keep_from);
		/* Trimmed or about to be. */
		m->first = MAX(m->first, wal_first_index(m->w));
		break;
	}
}

/* After a crash: what was promised is there, and stands for all that was written. */
static void check_promise(struct model *m)
{
	cr_assert_geq(wal_next_index(m->w), m->synced, "lost a synced record");
	cr_assert_leq(wal_first_index(m->w), m->first, "lost old records");
	if (m->seen_next)
		cr_assert_eq(m->seen_next, wal_next_index(m->w));
	m->next = m->synced = wal_next_index(m->w);
}

/* --- damage --- */

struct image {
	size_t count;
	struct file {
		char path[64];
		struct buf content;
	} files[FILE_COUNT_MAX];
};

static void image_take(struct image *image, struct disk *d)
{
	struct buf names = { 0 };

	*image = (struct image){ 0 };
	disk_list(d, &names, DIR);
	for (size_t at = 0; at < names.size; at += strlen((const char *)names.data + at) + 1) {
		struct file *f = &image->files[image->count++];

		CHECK(image->count < FILE_COUNT_MAX);
		snprintf(f->path, sizeof(f->path), DIR "/%s", (const char *)names.data + at);
		CHECK(disk_read(d, &f->content, f->path));
	}
	buf_clear(&names);
}

static void image_put(const struct image *image, struct disk *d)
{
	for (size_t i = 0; i < image->count; i++)
		disk_write(d, image->files[i].path, buf_bytes(&image->files[i].content));
}

static void image_clear(struct image *image)
{
	for (size_t i = 0; i < image->count; i++)
		buf_clear(&image->files[i].content);
}

static bool is_note(const struct file *f)
{
	return strstr(f->path, ".note") != NULL;
}

/* A log of several segments, closed, the records of the last one synced in groups, and
 * `loose_count` at the end not at all. */
static void make_log(struct model *m, size_t loose_count)
{
	model_init(m, 1);
	for (size_t segment = 0; segment < 3; segment++) {
		for (size_t i = 0; i < 24; i++) {
			append(m);
			if (i % 3 == 2)
				wal_sync(m->w);
		}
		CHECK(wal_rotate(m->w, NULL) == OK);
	}
	for (size_t i = 0; i < 9; i++) {
		append(m);
		if (i % 3 != 0)
			wal_sync(m->w);
	}
	m->synced = m->next;
	for (size_t i = 0; i < loose_count; i++)
		append(m);
	wal_trim(m->w, 25);
	m->first = 25;
	/* The note is synced with the rest: trimming did that. */
	m->synced = m->next;
	close_log(m);
}

/* What opening a damaged log gives: refused by file and offset, or all that was promised,
 * twice the same. True if it opened. */
static bool try_damaged(struct model *m, const char *what, size_t file, size_t at, uint64_t synced)
{
	uint64_t next, first;
	struct err err = { 0 };
	int code = open_log(m, false, NULL, &err);

	if (code != OK) {
		cr_assert(code == STORE_E_CORRUPT, "%s of file %zu at %zu: %s", what, file, at,
			  err.message);
		cr_assert(strstr(err.message, "t-0000") && strstr(err.message, "at byte") &&
				  strstr(err.message, "restore"),
			  "%s", err.message);
		return false;
	}
	next = wal_next_index(m->w);
	first = wal_first_index(m->w);
	cr_assert_geq(next, synced, "%s of file %zu at %zu: synced records lost", what, file, at);
	cr_assert_leq(first, m->first, "%s of file %zu at %zu: old records lost", what, file, at);
	close_log(m);
	cr_assert_eq(open_log(m, false, NULL, NULL), OK);
	cr_assert_eq(wal_next_index(m->w), next);
	cr_assert_eq(wal_first_index(m->w), first);
	close_log(m);
	return true;
}

Test(log_damage, refuse_every_flipped_bit)
{
	struct image image;
	struct model m;
	size_t count = 0, opened = 0;

	make_log(&m, 0);
	image_take(&image, m.d);
	for (size_t i = 0; i < image.count; i++) {
		struct file *f = &image.files[i];

		for (size_t bit = 0; bit < 8 * f->content.size; bit++, count++) {
			bool well;

			f->content.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			image_put(&image, m.d);
			well = try_damaged(&m, "bit", i, bit / 8, m.synced);
			/* Without its note a log that is whole is whole. */
			cr_assert_eq(well, is_note(f), "file %zu, bit %zu", i, bit);
			opened += well;
			f->content.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	cr_assert_gt(count, 40000);
	cr_assert_eq(opened, 8 * 24);
	image_clear(&image);
	disk_free(m.d);
}

/* No note: then only the records behind the last one that knows of a sync may go. */
Test(log_damage, refuse_flipped_byte_before_last_group_without_note)
{
	struct image image;
	struct model m;
	size_t count = 0;

	make_log(&m, 0);
	image_take(&image, m.d);
	for (size_t i = 0; i < image.count; i++) {
		struct file *f = &image.files[i];

		for (size_t at = 0; at < f->content.size && !is_note(f); at++, count++) {
			f->content.data[at] ^= 0xff;
			image_put(&image, m.d);
			disk_write(m.d, DIR "/t.note", bytes_of(NULL, 0));
			/* The last record was written after the one before it was synced. */
			try_damaged(&m, "byte", i, at, m.next - 1);
			f->content.data[at] ^= 0xff;
		}
	}
	cr_assert_gt(count, 5000);
	image_clear(&image);
	disk_free(m.d);
}

Test(log_damage, refuse_every_cut)
{
	struct image image;
	struct model m;

	make_log(&m, 0);
	image_take(&image, m.d);
	for (size_t i = 0; i < image.count; i++) {
		struct file *f = &image.files[i];
		size_t size = f->content.size;

		for (size_t cut = 0; cut < size; cut++) {
			f->content.size = cut;
			image_put(&image, m.d);
			cr_assert_eq(try_damaged(&m, "cut", i, cut, m.synced), is_note(f));
		}
		f->content.size = size;
	}
	image_clear(&image);
	disk_free(m.d);
}

/* Runs of zeros, of ones and of noise, at every place, of many lengths; and the same with what
 * stands there, moved by some bytes. */
Test(log_damage, refuse_every_range)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 8, 21, 25, 28, 64, 200, 512, 1024 };
	struct image image;
	struct model m;
	struct rng rng;
	size_t count = 0;

	rng_init(&rng, 3);
	make_log(&m, 0);
	image_take(&image, m.d);
	for (size_t i = 0; i < image.count; i++) {
		struct file *f = &image.files[i];
		struct buf before = { 0 };

		buf_append_bytes(&before, buf_bytes(&f->content));
		for (size_t at = 0; at < f->content.size; at++) {
			size_t size = MIN(sizes[(at + i) % ARRAY_COUNT(sizes)], before.size - at);
			uint8_t *p = f->content.data + at;

			for (size_t kind = 0; kind < 4; kind++) {
				size_t from = (size_t)rng_below(&rng, before.size - size + 1);

				memset(p, kind == 0 ? 0 : 0xff, size);
				for (size_t n = 0; kind == 2 && n < size; n++)
					p[n] = (uint8_t)rng_next(&rng);
				if (kind == 3)
					memcpy(p, before.data + from, size);
				image_put(&image, m.d);
				try_damaged(&m, "range", i, at, m.synced);
				memcpy(p, before.data + at, size);
				count++;
			}
		}
		buf_clear(&before);
	}
	cr_assert_gt(count, 20000);
	image_clear(&image);
	disk_free(m.d);
}

/* Random damages, several at once, in everything but the note. */
Test(log_damage, refuse_several_at_once)
{
	struct image image;
	struct model m;
	struct rng rng;
	size_t opened = 0;

	rng_init(&rng, 4);
	make_log(&m, 0);
	image_take(&image, m.d);
	for (size_t round = 0; round < 40000; round++) {
		size_t i;

		image_put(&image, m.d);
		for (size_t n = 1 + rng_below(&rng, 3); n > 0; n--) {
			struct buf content = { 0 };
			size_t at;

			i = (size_t)rng_below(&rng, image.count);
			if (is_note(&image.files[i]))
				continue;
			buf_append_bytes(&content, buf_bytes(&image.files[i].content));
			at = (size_t)rng_below(&rng, content.size);
			if (rng_below(&rng, 4) == 0)
				content.size = at;
			else
				content.data[at] ^= (uint8_t)(1 + rng_below(&rng, 255));
			disk_write(m.d, image.files[i].path, buf_bytes(&content));
			buf_clear(&content);
		}
		opened += try_damaged(&m, "several", 0, round, m.synced);
	}
	/* Those rounds that met only the note. */
	cr_assert_lt(opened, 10000);
	image_clear(&image);
	disk_free(m.d);
}

Test(log_damage, refuse_lost_and_swapped_segments)
{
	struct image image;
	struct model m;

	make_log(&m, 0);
	image_take(&image, m.d);
	for (size_t i = 0; i < image.count; i++) {
		for (size_t j = 0; j < image.count; j++) {
			struct buf a = image.files[i].content, b = image.files[j].content;

			if (is_note(&image.files[i]) || is_note(&image.files[j]))
				continue;
			/* j in the place of i; swapped; i is gone, or all between. */
			image_put(&image, m.d);
			disk_write(m.d, image.files[i].path, buf_bytes(&b));
			cr_assert_eq(try_damaged(&m, "copy", i, j, m.synced), i == j);
			disk_write(m.d, image.files[j].path, buf_bytes(&a));
			cr_assert_eq(try_damaged(&m, "swap", i, j, m.synced), i == j);
			image_put(&image, m.d);
			for (size_t k = MIN(i, j); k <= MAX(i, j); k++)
				disk_write(m.d, image.files[k].path, bytes_of(NULL, 0));
			if (MAX(i, j) - MIN(i, j) + 2 < image.count)
				cr_assert(!try_damaged(&m, "loss", i, j, m.synced));
			else
				cr_assert_eq(open_log(&m, false, NULL, NULL), STORE_E_NOT_FOUND);
		}
	}
	image_clear(&image);
	disk_free(m.d);
}

/* --- corners --- */

/* Where a note can't be, the log does without. */
Test(log_damage, go_on_without_note)
{
	struct medium_dir *dir;
	struct model m;

	make_log(&m, 0);
	disk_write(m.d, DIR "/t.note", bytes_of(NULL, 0));
	cr_assert_eq(medium_open_dir(disk_medium(m.d), &dir, DIR), 0);
	cr_assert_eq(dir->ops->make_dir(dir, "t.note"), 0);
	/* Names that are not the log's are left alone. */
	disk_write(m.d, DIR "/t-short.log", bytes_of_str("x"));
	disk_write(m.d, DIR "/t-000000000000000g.log", bytes_of_str("x"));
	disk_write(m.d, DIR "/tt-000000000000000.log", bytes_of_str("x"));
	cr_assert_eq(open_log(&m, false, NULL, NULL), OK);
	append(&m);
	wal_sync(m.w);
	cr_assert_eq(wal_rotate(m.w, NULL), OK);
	wal_trim(m.w, wal_next_index(m.w));
	cr_assert_eq(wal_first_index(m.w), m.next);
	close_log(&m);
	cr_assert_eq(open_log(&m, false, NULL, NULL), OK);
	cr_assert_eq(wal_next_index(m.w), m.next);
	close_log(&m);
	/* A segment that is no file. */
	cr_assert_eq(dir->ops->make_dir(dir, "t-00000000000000ff.log"), 0);
	cr_assert_eq(open_log(&m, false, NULL, NULL), STORE_E_OPEN);
	medium_close_dir(dir);
	disk_free(m.d);
}

Test(log_damage, refuse_create_on_full_disk)
{
	struct disk_plan plan = disk_plan_none;
	struct disk *d = disk_new(1, &plan);
	const struct medium *medium = disk_medium(d);
	struct wal *w;
	bool made;

	CHECK(medium->ops->make(medium->ctx, DIR, &made) == 0);
	plan.chance[DISK_FULL] = DISK_SURE;
	disk_set_plan(d, &plan);
	cr_assert_eq(wal_open(&w, medium, DIR, "t", true, NULL, NULL, NULL, NULL), STORE_E_WRITE);
	disk_set_plan(d, &disk_plan_none);
	cr_assert_eq(wal_open(&w, medium, DIR, "t", true, NULL, NULL, NULL, NULL), OK);
	wal_close(w);
	disk_free(d);
}

/* The checksum of one record and the bytes of the next, with one behind that knows. */
Test(log_damage, refuse_two_broken_neighbours_without_note)
{
	static const char path[] = DIR "/t-0000000000000001.log";
	struct buf content = { 0 };
	size_t ends[8];
	struct model m;

	model_init(&m, 1);
	for (size_t i = 0; i < 8; i++) {
		append(&m);
		wal_sync(m.w);
		ends[i] = (size_t)wal_size(m.w);
	}
	close_log(&m);
	CHECK(disk_read(m.d, &content, path));
	for (size_t i = 0; i < 6; i++) {
		content.data[ends[i] - 1] ^= 1;
		content.data[ends[i + 1] - 6] ^= 1;
		disk_write(m.d, path, buf_bytes(&content));
		disk_write(m.d, DIR "/t.note", bytes_of(NULL, 0));
		cr_assert(!try_damaged(&m, "pair", 0, i, m.next - 1) || i == 6);
		content.data[ends[i] - 1] ^= 1;
		content.data[ends[i + 1] - 6] ^= 1;
	}
	buf_clear(&content);
	disk_free(m.d);
}

/* A record whose checksum is right, at an index that is not its own, or that knows of a sync
 * of the future: not one of ours. */
Test(log_damage, cut_record_that_contradicts_itself)
{
	static const char path[] = DIR "/t-0000000000000001.log";
	static const uint64_t indexes[][2] = { { 2, 1 }, { 1, 2 }, { 0, 0 } };

	for (size_t i = 0; i < ARRAY_COUNT(indexes); i++) {
		struct wal_report report;
		struct buf content = { 0 };
		struct model m;
		uint8_t *p;

		model_init(&m, 1);
		close_log(&m);
		CHECK(disk_read(m.d, &content, path));
		p = buf_extend(&content, 25); /* as in wal.h; the chain begins at 0 */
		memset(p, 0, 25);
		store_le64(p + 4, indexes[i][0]);
		store_le64(p + 12, indexes[i][1]);
		store_le32(p + 21, crc32c(0, bytes_of(p, 21)));
		disk_write(m.d, path, buf_bytes(&content));
		cr_assert_eq(open_log(&m, false, &report, NULL), OK);
		cr_assert_eq(report.torn_size, 25);
		cr_assert_eq(wal_next_index(m.w), 1);
		close_log(&m);
		buf_clear(&content);
		disk_free(m.d);
	}
}

/* Another log of the same length, whole in itself, under this one's note. */
Test(log_damage, refuse_another_log)
{
	static const char path[] = DIR "/t-0000000000000001.log";
	struct buf content = { 0 };
	struct model m, other;

	model_init(&m, 1);
	model_init(&other, 1);
	other.next_salt = 1;
	append(&m);
	append(&other);
	wal_sync(m.w);
	wal_sync(other.w);
	close_log(&m);
	close_log(&other);
	CHECK(disk_read(other.d, &content, path));
	disk_write(m.d, path, buf_bytes(&content));
	cr_assert_eq(open_log(&m, false, NULL, NULL), STORE_E_CORRUPT);
	buf_clear(&content);
	disk_free(m.d);
	disk_free(other.d);
}

/* The whole log of some moment before: each file is whole in itself. */
Test(log_damage, refuse_older_segments)
{
	struct image image;
	struct model m;

	model_init(&m, 1);
	for (size_t i = 0; i < 10; i++)
		append(&m);
	wal_sync(m.w);
	close_log(&m);
	image_take(&image, m.d);
	CHECK(open_log(&m, false, NULL, NULL) == OK);
	append(&m);
	wal_sync(m.w);
	close_log(&m);
	for (size_t i = 0; i < image.count; i++)
		if (!is_note(&image.files[i]))
			disk_write(m.d, image.files[i].path, buf_bytes(&image.files[i].content));
	cr_assert_eq(open_log(&m, false, NULL, NULL), STORE_E_CORRUPT);
	image_clear(&image);
	disk_free(m.d);
}

/* A misread must not cut off what is whole. */
Test(log_damage, survive_misreads)
{
	static const enum disk_fault faults[] = { DISK_CORRUPT_READ, DISK_MISDIRECTED_READ,
						  DISK_READ_ERROR };
	struct image image;
	struct model m;
	size_t opened = 0, refused = 0;

	make_log(&m, 0);
	image_take(&image, m.d);
	for (size_t round = 0; round < 6000; round++) {
		struct disk_plan plan = disk_plan_none;
		struct err err = { 0 };
		int code;

		plan.chance[faults[round % 3]] = 20000;
		image_put(&image, m.d);
		disk_set_plan(m.d, &plan);
		code = open_log(&m, false, NULL, &err);
		disk_set_plan(m.d, &disk_plan_none);
		if (code == OK) {
			cr_assert_eq(wal_next_index(m.w), m.synced);
			close_log(&m);
			opened++;
		} else {
			cr_assert_eq(code, STORE_E_CORRUPT);
			refused++;
		}
		/* Nothing was harmed. */
		cr_assert_eq(open_log(&m, false, NULL, &err), OK, "%s", err.message);
		cr_assert_eq(wal_next_index(m.w), m.synced);
		close_log(&m);
	}
	cr_assert(opened > 1000 && refused > 100, "%zu %zu", opened, refused);
	image_clear(&image);
	disk_free(m.d);
}

/* --- crashes --- */

static const struct disk_plan crash_plan = {
	.chance = {
		[DISK_TORN_WRITE] = 400000,
		[DISK_LOST_WRITE] = 200000,
		[DISK_GARBAGE] = 300000,
		[DISK_LOST_NAME] = 500000,
		[DISK_EARLY_WRITE] = 200000,
	},
};

/* Runs a history that follows from the seed until the disk dies in operation `at`. False if it
 * is over before. */
static bool run_until(struct model *m, uint64_t seed, uint64_t at, size_t step_count)
{
	struct disk_plan plan = crash_plan;
	struct rng rng;

	rng_init(&rng, seed);
	model_init(m, seed);
	plan.crash_at = disk_operations(m->d) + at;
	disk_set_plan(m->d, &plan);
	for (size_t i = 0; i < step_count && !disk_is_dead(m->d); i++)
		step(m, &rng);
	close_log(m);
	return disk_is_dead(m->d);
}

static void reopen(struct model *m)
{
	struct err err = { 0 };

	disk_restart(m->d);
	cr_assert_eq(open_log(m, false, NULL, &err), OK, "%s", err.message);
	check_promise(m);
}

/* A crash in every operation of many histories, then another while the log is opened. */
Test(log_crash, keep_promise_at_every_operation, .timeout = 120)
{
	size_t crash_count = 0;
	struct model m;

	for (uint64_t seed = 1; seed <= 80; seed++) {
		for (uint64_t at = 1; run_until(&m, seed, at, 120); at++) {
			struct disk_plan plan = crash_plan;
			uint64_t next;

			/* In the nth operation of opening, while there is one. */
			for (uint64_t n = 1; n <= 3; n++) {
				struct err err = { 0 };

				disk_restart(m.d);
				plan.crash_at = disk_operations(m.d) + n;
				disk_set_plan(m.d, &plan);
				cr_assert_eq(open_log(&m, false, NULL, &err), OK, "%s",
					     err.message);
				close_log(&m);
				crash_count += disk_is_dead(m.d);
			}
			disk_set_plan(m.d, &crash_plan);
			reopen(&m);
			next = m.next;
			append(&m);
			wal_sync(m.w);
			m.synced = next + 1;
			close_log(&m);
			disk_stop(m.d, DISK_POWER_LOST);
			reopen(&m);
			cr_assert_eq(m.next, next + 1);
			close_log(&m);
			disk_free(m.d);
			crash_count += 2;
		}
		disk_free(m.d);
	}
	cr_log_info("log_crash: %zu crash points", crash_count);
	cr_assert_geq(crash_count, 20000);
}

/* One log through thousands of deaths of every kind but damage. */
Test(log_crash, keep_promise_over_many_deaths, .timeout = 120)
{
	size_t death_count = 0, full_count = 0;
	uint64_t totals[DISK_FAULT_COUNT] = { 0 };
	struct disk_plan plan = crash_plan;
	struct rng rng;

	rng_init(&rng, 9);
	plan.full_count = 5;
	plan.chance[DISK_CRASH] = plan.chance[DISK_FAILED_SYNC] = 30000;
	plan.chance[DISK_WRITE_ERROR] = 5000;
	plan.chance[DISK_FULL] = 10000;
	plan.chance[DISK_SLOW_SYNC] = 10000;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct model m;

		model_init(&m, seed);
		disk_set_plan(m.d, &plan);
		while (m.next < 1500) {
			for (size_t i = 0; i < 60 && !disk_is_dead(m.d); i++)
				step(&m, &rng);
			close_log(&m);
			if (!disk_is_dead(m.d))
				disk_stop(m.d, (enum disk_end)rng_below(&rng, 2));
			do {
				struct err err = { 0 };
				int code;

				disk_restart(m.d);
				code = open_log(&m, false, NULL, &err);
				m.w = code == OK ? m.w : NULL;
				/* Full still, or again. */
				cr_assert(code == OK || code == STORE_E_WRITE, "%s", err.message);
				death_count++;
				if (disk_is_dead(m.d))
					close_log(&m);
			} while (!m.w);
			check_promise(&m);
		}
		close_log(&m);
		for (size_t i = 0; i < DISK_FAULT_COUNT; i++)
			totals[i] += disk_counters(m.d)[i];
		full_count += disk_latency_ms(m.d) > 0;
		disk_free(m.d);
	}
	for (size_t i = 0; i < DISK_FAULT_COUNT; i++)
		if (plan.chance[i])
			cr_assert_gt(totals[i], 0, "%s never fired", disk_fault_name(i));
	cr_log_info("log_crash: %zu deaths", death_count);
	cr_assert_gt(full_count, 0);
	cr_assert_geq(death_count, 5000);
}
