#include <criterion/criterion.h>
#include <errno.h>

#include "sim/disk.h"
#include "store/kv.h"

/* A plan in which only these faults happen, always. */
static struct disk_plan plan_of(enum disk_fault a, enum disk_fault b)
{
	struct disk_plan plan = { .full_count = 3 };

	plan.chance[a] = plan.chance[b] = DISK_SURE;
	return plan;
}

static struct medium_dir *open_root(struct disk *d)
{
	const struct medium *m = disk_medium(d);
	struct medium_dir *dir;
	bool made;

	cr_assert_eq(m->ops->make(m->ctx, "n", &made), 0);
	cr_assert_eq(medium_open_dir(m, &dir, "n"), 0);
	return dir;
}

static struct medium_file *open_file(struct medium_dir *dir, const char *name)
{
	struct medium_file *f;

	cr_assert_eq(medium_open(dir, &f, name, MEDIUM_WRITE | MEDIUM_CREATE), 0);
	return f;
}

/* File n/a.log with "synced" in it, durably, and " pending" behind it. */
static void make_pending(struct disk *d)
{
	struct medium_dir *dir = open_root(d);
	struct medium_file *f = open_file(dir, "a.log");

	cr_assert_eq(medium_write(f, 0, bytes_of_str("synced")), 0);
	cr_assert_eq(f->ops->sync(f), 0);
	cr_assert_eq(dir->ops->sync_dir(dir), 0);
	cr_assert_eq(medium_write(f, 6, bytes_of_str(" pending")), 0);
	medium_close(f);
	medium_close_dir(dir);
}

static bool holds(struct disk *d, const char *path, const char *text)
{
	struct buf content = { 0 };
	bool same = disk_read(d, &content, path) &&
		    bytes_equal(buf_bytes(&content), bytes_of_str(text));

	buf_clear(&content);
	return same;
}

Test(disk, keep_all_without_faults)
{
	struct disk *d = disk_new(1, &disk_plan_none);

	make_pending(d);
	disk_crash(d);
	cr_assert(holds(d, "n/a.log", "synced pending"));
	disk_free(d);
}

Test(disk, lose_what_is_not_synced)
{
	struct disk_plan plan = plan_of(DISK_LOST_WRITE, DISK_LOST_NAME);
	struct disk *d = disk_new(1, &plan);
	struct medium_dir *dir;

	make_pending(d);
	dir = open_root(d);
	cr_assert_eq(dir->ops->rename(dir, "a.log", "b.log"), 0);
	medium_close_dir(dir);
	disk_crash(d);
	cr_assert(holds(d, "n/a.log", "synced"));
	cr_assert(!holds(d, "n/b.log", "synced"));
	cr_assert_eq(disk_counters(d)[DISK_LOST_WRITE], 1);
	cr_assert_eq(disk_counters(d)[DISK_LOST_NAME], 1);
	disk_free(d);
}

Test(disk, keep_page_cache_when_killed)
{
	struct disk_plan plan = plan_of(DISK_LOST_WRITE, DISK_LOST_NAME);
	struct disk *d = disk_new(1, &plan);

	make_pending(d);
	disk_stop(d, DISK_PROCESS_KILLED);
	disk_restart(d);
	cr_assert(holds(d, "n/a.log", "synced pending"));
	disk_crash(d);
	cr_assert(holds(d, "n/a.log", "synced"));
	disk_free(d);
}
