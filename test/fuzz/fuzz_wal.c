/*
 * The log after damage. The input says which records are written, where a sync or
 * a new segment comes in between, and what then happens to the bytes of the
 * segments. Opening gives a beginning of what was written, with all that is known
 * to be synced by a record that stands, or refuses; and what it opens goes on.
 *
 *   count of records (1 byte, modulo 8), then for each: size (1), what follows it (1)
 *   then damages: segment (1), kind (1), position (2), value (1)
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "store/wal.h"

const char *const fuzz_seeds[] = {
	"03 0501 0001 0901",
	"03 0501 0001 0901 00 00 0020 ff",
	"04 0502 0001 0903 1001 01 00 0020 01",
	"07 0500 0000 0900 1000 2000 3001 4003 00 01 0050 00",
	"05 0501 0501 0503 0501 0501 00 02 0000 00",
	"06 0a01 0a03 0a01 0a03 0a01 0a01 01 01 0020 00 02 00 0010 07",
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
	uint8_t sizes[8];
};

static struct bytes payload_of(uint64_t index, size_t size, uint8_t out[256])
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(index * 41 + i);
	return bytes_of(out, size);
}

static void write_log(struct input *in, const char *dir, struct written *w)
{
	uint8_t payload[256];
	struct wal *log;

	CHECK(wal_open(&log, NULL, dir, "f", true, NULL, NULL, NULL, NULL) == OK);
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
	}
	wal_close(log);
}

static bool segment_path(char out[256], const char *dir, unsigned number)
{
	for (unsigned first = 1; first <= 16; first++) {
		snprintf(out, 256, "%s/f-%016x.log", dir, first);
		if (access(out, F_OK) == 0 && number-- == 0)
			return true;
	}
	return false;
}

/* Changes a byte, cuts, removes, or lengthens. True if anything changed. */
static bool damage(struct input *in, const char *dir)
{
	uint8_t segment = take(in), kind = take(in), high = take(in), low = take(in), value = take(in), old;
	off_t at = (off_t)(high << 8 | low);
	char path[256];
	struct stat st;
	bool changed = false;
	int fd;

	if (!segment_path(path, dir, segment % 8))
		return false;
	fd = open(path, O_RDWR);
	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	if (kind % 4 == 0 && pread(fd, &old, 1, at) == 1) {
		changed = value != 0;
		old ^= value;
		CHECK(pwrite(fd, &old, 1, at) == 1);
	} else if (kind % 4 == 1 && at < st.st_size) {
		CHECK(ftruncate(fd, at) == 0);
		changed = true;
	} else if (kind % 4 == 2) {
		CHECK(unlink(path) == 0);
		changed = true;
	} else if (kind % 4 == 3) {
		CHECK(pwrite(fd, &value, 1, st.st_size) == 1);
		changed = true;
	}
	close(fd);
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

static void check_log(const char *dir, const struct written *w, bool damaged)
{
	struct seen seen = { .w = w };
	struct wal_report report;
	struct wal *log;
	uint64_t next;
	int code = wal_open(&log, NULL, dir, "f", false, check_record, &seen, &report, NULL);

	if (code != OK) {
		CHECK(damaged && (code == STORE_E_CORRUPT || code == STORE_E_NOT_FOUND));
		return;
	}
	CHECK(damaged || (report.torn_size == 0 && report.record_count == w->count));
	CHECK(wal_append(log, 9, NULL, 0, NULL, NULL) == OK);
	wal_sync(log);
	next = wal_next_index(log);
	wal_close(log);
	CHECK(wal_open(&log, NULL, dir, "f", false, NULL, NULL, &report, NULL) == OK);
	CHECK(wal_next_index(log) == next && report.torn_size == 0);
	wal_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	struct input in = { data, data + size };
	struct written w = { 0 };
	bool damaged = false;
	char dir[64], path[256];

	snprintf(dir, sizeof(dir), "%s/weft-fuzz-XXXXXX", base);
	CHECK(mkdtemp(dir));
	write_log(&in, dir, &w);
	for (size_t i = 0; i < 16 && in.at < in.end; i++)
		damaged |= damage(&in, dir);
	check_log(dir, &w, damaged);
	while (segment_path(path, dir, 0))
		CHECK(unlink(path) == 0);
	CHECK(rmdir(dir) == 0);
	return 0;
}
