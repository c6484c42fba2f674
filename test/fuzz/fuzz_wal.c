/*
 * The log after a crash and damage, on a simulated disk. The input says which records are
 * written, where a sync, a new segment or a trim comes in between, whether the power goes,
 * and what then happens to the bytes of the files. Opening gives a beginning of what was
 * written, with all that was synced, or refuses; what it opens goes on, and opens again alike.
 * Only if the log's note is damaged as well may the newest synced records be missing.
 *
 *   crash (1 byte: 0 none), seed of what it leaves (1)
 *   count of records (1, modulo 8), then for each: size (1), what follows it (1)
 *   then damages: file (1), kind (1), position (2), value (1)
 */
#include "fuzz.h"

#include <stdio.h>

#include "base/check.h"
#include "sim/disk.h"
#include "store/wal.h"

const char *const fuzz_seeds[] = {
	"00 00 03 0501 0001 0901",
	"00 00 03 0501 0001 0901 00 00 0020 ff",
	"01 02 04 0502 0001 0903 1001 01 00 0020 01",
	"01 07 07 0500 0000 0900 1000 2000 3001 4003 00 01 0050 00",
	"00 00 05 0501 0501 0503 0501 0501 00 02 0000 00",
	"00 00 06 0a01 0a03 0a01 0a07 0a01 0a01 01 01 0020 00 02 00 0010 07",
	"01 03 06 ff00 ff01 ff00 ff07 ff00 ff00",
	NULL,
};

struct input {
	const uint8_t *at, *end;
};

static uint8_t take(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

struct written {
	size_t count;
	uint64_t synced; /* all below this index */
	uint64_t first;  /* what trimming left */
	uint8_t sizes[8];
};

static struct bytes payload_of(uint64_t index, size_t size, uint8_t out[256])
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(index * 41 + i);
	return bytes_of(out, size);
}

static int open_log(struct wal **out, struct disk *d, bool create, wal_replay_fn replay, void *ctx,
		    struct wal_report *report)
{
	return wal_open(out, disk_medium(d), "log", "f", create, replay, ctx, report, NULL);
}

static void write_log(struct input *in, struct disk *d, struct written *w)
{
	uint8_t payload[256];
	struct wal *log;

	CHECK(open_log(&log, d, true, NULL, NULL, NULL) == OK);
	w->count = take(in) % 8;
	for (size_t i = 0; i < w->count; i++) {
		struct bytes part;
		uint8_t then;

		w->sizes[i] = take(in);
		then = take(in);
		part = payload_of(i + 1, w->sizes[i], payload);
		CHECK(wal_append(log, (uint8_t)i, &part, 1, NULL, NULL) == OK);
		if (then & 1)
			wal_sync(log);
		if (then & 2)
			CHECK(wal_rotate(log, NULL) == OK);
		if (then & 4)
			wal_trim(log, wal_next_index(log));
		if (then & 3)
			w->synced = i + 2;
	}
	w->first = wal_first_index(log);
	wal_close(log);
}

/* The name of a file in the log's directory. */
static bool pick(struct disk *d, unsigned number, char out[64])
{
	struct buf names = { 0 };
	bool found = false;

	disk_list(d, &names, "log");
	for (size_t at = 0; at < names.size && !found;
	     at += strlen((const char *)names.data + at) + 1) {
		found = number-- == 0;
		if (found)
			snprintf(out, 64, "log/%s", (const char *)names.data + at);
	}
	buf_clear(&names);
	return found;
}

/* Changes a byte, cuts, removes, or lengthens. True if anything changed. */
static bool damage(struct input *in, struct disk *d, bool *is_noted)
{
	uint8_t file = take(in), kind = take(in), high = take(in), low = take(in),
		value = take(in);
	size_t at = (size_t)(high << 8 | low);
	struct buf content = { 0 };
	bool changed = true;
	char path[64];

	if (!pick(d, file % 8, path))
		return false;
	buf_reserve(&content, 1);
	CHECK(disk_read(d, &content, path));
	if (kind % 4 == 0 && at < content.size) {
		changed = value != 0;
		content.data[at] ^= value;
	} else if (kind % 4 == 1 && at < content.size) {
		content.size = at;
	} else if (kind % 4 == 3) {
		buf_append_byte(&content, value);
	} else {
		changed = kind % 4 == 2;
	}
	disk_write(d, path, kind % 4 == 2 ? bytes_of(NULL, 0) : buf_bytes(&content));
	*is_noted &= !changed || !strstr(path, ".note");
	buf_clear(&content);
	return changed;
}

struct seen {
	const struct written *w;
	uint64_t next;
};

static int check_record(void *ctx, uint64_t index, uint8_t kind, struct bytes payload, struct err *err)
{
	struct seen *s = ctx;
	uint8_t expected[256];

	CHECK(s->next == 0 || index == s->next);
	CHECK(index >= 1 && index <= s->w->count && kind == index - 1);
	CHECK(bytes_equal(payload, payload_of(index, s->w->sizes[index - 1], expected)));
	s->next = index + 1;
	return OK;
}

static void check_log(struct disk *d, const struct written *w, bool crashed, bool damaged, bool is_noted)
{
	struct seen seen = { .w = w };
	struct wal_report report;
	struct wal *log;
	uint64_t next;
	int code = open_log(&log, d, false, check_record, &seen, &report);

	if (code != OK) {
		CHECK(damaged && (code == STORE_E_CORRUPT || code == STORE_E_NOT_FOUND));
		return;
	}
	next = wal_next_index(log);
	CHECK(crashed || damaged || (report.torn_size == 0 && next == w->count + 1));
	/* A note may have been lost with the power, and the damage come then. */
	if (!damaged || (is_noted && !crashed))
		CHECK(next >= w->synced && wal_first_index(log) <= w->first);
	CHECK(wal_append(log, 9, NULL, 0, NULL, NULL) == OK);
	wal_sync(log);
	next = wal_next_index(log);
	wal_close(log);
	CHECK(open_log(&log, d, false, NULL, NULL, &report) == OK);
	CHECK(wal_next_index(log) == next && report.torn_size == 0);
	wal_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct disk_plan plan = disk_plan_none;
	struct input in = { data, data + size };
	bool crashes = take(&in) & 1, damaged = false, is_noted = true, made;
	struct disk *d = disk_new(take(&in), &disk_plan_none);
	const struct medium *m = disk_medium(d);
	struct written w = { 0 };

	plan.chance[DISK_TORN_WRITE] = plan.chance[DISK_GARBAGE] = plan.chance[DISK_LOST_NAME] =
		DISK_SURE / 2;
	CHECK(m->ops->make(m->ctx, "log", &made) == 0);
	disk_set_plan(d, &plan);
	write_log(&in, d, &w);
	if (crashes)
		disk_crash(d);
	disk_set_plan(d, &disk_plan_none);
	for (size_t i = 0; i < 16 && in.at < in.end; i++)
		damaged |= damage(&in, d, &is_noted);
	check_log(d, &w, crashes, damaged, is_noted);
	disk_free(d);
	return 0;
}
