/*
 * bench - what the commands of weft-bench share: measuring, options, a report
 * for people and one as JSON.
 *
 *     int bench_thing(int argc, char **argv)
 *     {
 *             struct bench_report r;
 *             int status = bench_report_begin(&r, argc, argv, "thing", "what it measures");
 *
 *             if (status >= 0)
 *                     return status;
 *             bench_report_row(&r, "one thing", "ns", bench_measure(&r, do_one, &ctx, 1));
 *             return bench_report_end(&r);
 *     }
 *
 * Machines drift: compare only figures of one run, and quote ratios.
 */
#ifndef WEFT_APP_BENCH_H
#define WEFT_APP_BENCH_H

#include "base/buf.h"
#include "json/json.h"

/* Exit statuses of weft-bench and its commands. */
enum bench_exit {
	BENCH_EXIT_OK = 0,
	BENCH_EXIT_FAILURE = 1, /* something could not be measured or written */
	BENCH_EXIT_USAGE = 2,
};

/* The commands; argv[0] is the command's name. */
int bench_consensus(int argc, char **argv);
int bench_crypto(int argc, char **argv);
int bench_evm(int argc, char **argv);
int bench_exec(int argc, char **argv);
int bench_latency(int argc, char **argv);
int bench_load(int argc, char **argv);
int bench_precompiles(int argc, char **argv);
int bench_state(int argc, char **argv);

/* --- measuring --- */

/* A figure over the repetitions. */
struct bench_figure {
	double median, min, max;
};

struct bench_report {
	const char *json_path; /* NULL: none is written */
	unsigned repeat_count;
	unsigned repeat_ms;    /* a repetition lasts at least this long */
	bool cpu_time;         /* count this process's own time, not the clock's */
	const char *path;      /* the command's argument, if it takes one */
	struct buf json;
	struct jout out;
};

/* Does the measured thing `rounds` times. */
typedef void (*bench_fn)(void *ctx, uint64_t rounds);

/* Nanoseconds for each operation, of which a round has `operations`. Finds out how
 * many rounds fill a repetition, then repeats. */
struct bench_figure bench_measure(const struct bench_report *r, bench_fn fn, void *ctx,
				  double operations);

/* Nanoseconds an operation as operations a second. */
struct bench_figure bench_per_second(struct bench_figure ns);

/* Keeps a value alive, so that what computed it is not optimised away. */
static inline void bench_keep(const void *value)
{
	__asm__ volatile("" : : "g"(value) : "memory");
}

/* --- reporting --- */

/* Reads the options that all commands have (--json, --repeat, --time, --help) and
 * prints the head: machine, compiler, version. Returns -1 to go on, else the
 * status to exit with. End it with bench_report_end(). */
int bench_report_begin(struct bench_report *r, int argc, char **argv, const char *command,
		       const char *summary);

/* The same for a command that takes the path of its input as its one argument. */
int bench_report_begin_path(struct bench_report *r, int argc, char **argv, const char *command,
			    const char *summary);

/* A heading above the rows that follow. */
void bench_report_section(struct bench_report *r, const char *title);

/* One line of the report and one entry of the JSON. */
void bench_report_row(struct bench_report *r, const char *name, const char *unit,
		      struct bench_figure figure);

/* Writes the JSON, if asked to; gives the exit status. */
int bench_report_end(struct bench_report *r);

#endif
