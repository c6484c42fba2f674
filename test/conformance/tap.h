/*
 * tap - conformance runners: plain programs that speak the Test Anything
 * Protocol, one line a case, so that every case of a public suite is accounted
 * for: passed, failed, or named as not applicable with the reason.
 *
 *     int main(void)
 *     {
 *             struct tap t = { 0 };
 *             char path[TAP_PATH_SIZE];
 *
 *             if (tap_data(&t, path, "ethereum-tests/RLPTests/rlptest.json", 28))
 *                     run(&t, path);
 *             return tap_done(&t);
 *     }
 *
 * test/run-tap starts programs named conformance_* as they are.
 *
 * The data is not in the tree. WEFT_CONFORMANCE names its folder, which holds
 * ethereum-tests/ (github.com/ethereum/tests, v14.1). Without it the cases are
 * skipped, with their number and how to get them; with CI=true that is a
 * failure.
 */
#ifndef TEST_CONFORMANCE_TAP_H
#define TEST_CONFORMANCE_TAP_H

#include "base/buf.h"

/* Counts so far. */
struct tap {
	unsigned line_count; /* TAP lines written */
	unsigned passed;
	unsigned failed;
	unsigned not_applicable; /* cases that do not concern this node, each with its reason */
	unsigned skipped;        /* cases whose data is absent */
};

/* One case. `name` is printf's; a failure's explanation goes before it with
 * tap_note(). Returns `passed`. */
bool tap_case(struct tap *t, bool passed, const char *name, ...)
	__attribute__((format(printf, 3, 4)));

/* One case that is not applicable, and why. */
void tap_not_applicable(struct tap *t, const char *reason, const char *name, ...)
	__attribute__((format(printf, 3, 4)));

/* A line of comment ("# ..."). */
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes the plan and the totals; gives the program's exit status. */
int tap_done(struct tap *t);

#define TAP_PATH_SIZE 4096

/* The path of `relative` (a file or folder below WEFT_CONFORMANCE) into `path`.
 * If it is absent, writes the line that says so for its `case_count` cases and
 * returns false. */
bool tap_data(struct tap *t, char path[TAP_PATH_SIZE], const char *relative,
	      unsigned case_count);

/* Appends a file's content to `out`; false if it can't be read or has over
 * `size_max` bytes. */
bool tap_read(struct buf *out, const char *path, size_t size_max);

/* Calls `visit` for every file below `dir` (folders within it too) whose name
 * ends in `suffix`, in the order of their paths. False if `dir` can't be read. */
typedef void (*tap_visit_fn)(void *ctx, const char *path);
bool tap_walk(const char *dir, const char *suffix, tap_visit_fn visit, void *ctx);

#endif
