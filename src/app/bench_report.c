#include "app/bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "io/clock.h"

#define REPEAT_DEFAULT 5
#define REPEAT_MAX 101
#define TIME_DEFAULT_MS 100
#define TIME_MAX_MS 60000

/* --- measuring --- */

static double now_us(const struct bench_report *r)
{
	struct timespec t;

	if (!r->cpu_time)
		return (double)io_monotonic_us();
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double run_us(const struct bench_report *r, bench_fn fn, void *ctx, uint64_t rounds)
{
	double start = now_us(r);

	fn(ctx, rounds);
	return now_us(r) - start;
}

static int compare_doubles(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

struct bench_figure bench_measure(const struct bench_report *r, bench_fn fn, void *ctx,
				  double operations)
{
	double times[REPEAT_MAX], want_us = 1000.0 * r->repeat_ms;
	uint64_t rounds = 1;
	unsigned i;

	while (run_us(r, fn, ctx, rounds) < want_us)
		rounds *= 2;
	for (i = 0; i < r->repeat_count; i++)
		times[i] = run_us(r, fn, ctx, rounds) * 1000.0 / ((double)rounds * operations);
	qsort(times, r->repeat_count, sizeof(times[0]), compare_doubles);
	return (struct bench_figure){
		.median = times[r->repeat_count / 2],
		.min = times[0],
		.max = times[r->repeat_count - 1],
	};
}

struct bench_figure bench_per_second(struct bench_figure ns)
{
	return (struct bench_figure){
		.median = 1e9 / ns.median,
		.min = 1e9 / ns.max,
		.max = 1e9 / ns.min,
	};
}

/* --- what was measured on what --- */

/* The first line of a command's or file's text, without its end; "" if none. */
static void first_line(char *out, size_t size, FILE *from)
{
	out[0] = '\0';
	if (from && !fgets(out, (int)size, from))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

/* The CPU's name as Linux tells it. */
static void cpu_model(char *out, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(out, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, size, "%s", colon + 1 + strspn(colon + 1, " "));
		break;
	}
	if (file)
		fclose(file);
}

/* The commit, if this runs inside the source tree and git is there; else the
 * release. */
static void code_version(char *out, size_t size)
{
	FILE *git = popen("git ls-files --error-unmatch :/src/LAYERS >/dev/null 2>&1 && "
			  "git rev-parse --short=12 HEAD 2>/dev/null", "r");

	first_line(out, size, git);
	if (git)
		pclose(git);
	if (!out[0])
		snprintf(out, size, "%s", PACKAGE_VERSION);
}

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void put(struct jout *j, const char *key, const char *value)
{
	jout_key(j, key);
	jout_str(j, value);
}

static void write_head(struct bench_report *r, const char *command)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	char cpu[256], version[64];

	cpu_model(cpu, sizeof(cpu));
	code_version(version, sizeof(version));
	printf("weft-bench %s\n", command);
	printf("  machine   %s, %ld cores\n", cpu, cores);
	printf("  compiler  %s\n", COMPILER);
	printf("  version   %s\n", version);
	printf("  figures   median (least to most) of %u repetitions of %u ms or more\n",
	       r->repeat_count, r->repeat_ms);
	jout_object(&r->out);
	put(&r->out, "command", command);
	put(&r->out, "machine", cpu);
	jout_key(&r->out, "cores");
	jout_integer(&r->out, cores);
	put(&r->out, "compiler", COMPILER);
	put(&r->out, "version", version);
	jout_key(&r->out, "repeat_count");
	jout_unsigned(&r->out, r->repeat_count);
	jout_key(&r->out, "repeat_ms");
	jout_unsigned(&r->out, r->repeat_ms);
	jout_key(&r->out, "results");
	jout_array(&r->out);
}

/* --- options --- */

static void print_help(const char *command, const char *summary, bool takes_path)
{
	printf("usage: weft-bench %s [options]%s\n\n%s\n\n"
	       "  --repeat N    repetitions of each measurement, 1 to %d (default %d)\n"
	       "  --time MS     a repetition's least duration, 1 to %d (default %d)\n"
	       "  --json FILE   write the result as JSON besides (- for standard output, last)\n"
	       "  --help        this text\n\n"
	       "Exit status: 0 done, 1 the result could not be written, 2 wrong usage.\n",
	       command, takes_path ? " PATH" : "", summary, REPEAT_MAX, REPEAT_DEFAULT, TIME_MAX_MS, TIME_DEFAULT_MS);
}

static bool read_number(unsigned *out, const char *text, unsigned max, const char *option)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || v == 0 || v > max) {
		fprintf(stderr, "weft-bench: %s takes a number from 1 to %u, not '%s'\n", option,
			max, text);
		return false;
	}
	*out = (unsigned)v;
	return true;
}

/* -1 to go on, else the exit status. */
static int read_options(struct bench_report *r, int argc, char **argv, const char *command,
			const char *summary, bool takes_path)
{
	static const struct option options[] = {
		{ "repeat", required_argument, NULL, 'r' },
		{ "time", required_argument, NULL, 't' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool ok = true;
	int option;

	optind = 1;
	while (ok && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			print_help(command, summary, takes_path);
			return BENCH_EXIT_OK;
		case 'j':
			r->json_path = optarg;
			break;
		case 'r':
			ok = read_number(&r->repeat_count, optarg, REPEAT_MAX, "--repeat");
			break;
		case 't':
			ok = read_number(&r->repeat_ms, optarg, TIME_MAX_MS, "--time");
			break;
		default: /* getopt_long() has said what is wrong */
			ok = false;
		}
	}
	if (!ok)
		return BENCH_EXIT_USAGE;
	if (takes_path && optind == argc) {
		fprintf(stderr, "weft-bench: %s needs a path (see weft-bench %s --help)\n", command,
			command);
		return BENCH_EXIT_USAGE;
	}
	if (takes_path)
		r->path = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "weft-bench: unexpected argument '%s' (see weft-bench %s --help)\n",
			argv[optind], command);
		return BENCH_EXIT_USAGE;
	}
	return -1;
}

/* --- the report --- */

static int report_begin(struct bench_report *r, int argc, char **argv, const char *command,
			const char *summary, bool takes_path)
{
	int status;

	*r = (struct bench_report){
		.repeat_count = REPEAT_DEFAULT,
		.repeat_ms = TIME_DEFAULT_MS,
	};
	status = read_options(r, argc, argv, command, summary, takes_path);
	if (status >= 0)
		return status;
	jout_init(&r->out, &r->json);
	write_head(r, command);
	return -1;
}

int bench_report_begin(struct bench_report *r, int argc, char **argv, const char *command,
		       const char *summary)
{
	return report_begin(r, argc, argv, command, summary, false);
}

int bench_report_begin_path(struct bench_report *r, int argc, char **argv, const char *command,
			    const char *summary)
{
	return report_begin(r, argc, argv, command, summary, true);
}

void bench_report_section(struct bench_report *r, const char *title)
{
	printf("\n%s\n", title);
	fflush(stdout);
}

void bench_report_row(struct bench_report *r, const char *name, const char *unit,
		      struct bench_figure figure)
{
	int digits = figure.median < 100 ? 1 : 0;

	printf("  %-54s %10.*f %-6s (%.*f to %.*f)\n", name, digits, figure.median, unit, digits,
	       figure.min, digits, figure.max);
	fflush(stdout);
	jout_object(&r->out);
	put(&r->out, "name", name);
	put(&r->out, "unit", unit);
	jout_key(&r->out, "median");
	jout_real(&r->out, figure.median);
	jout_key(&r->out, "min");
	jout_real(&r->out, figure.min);
	jout_key(&r->out, "max");
	jout_real(&r->out, figure.max);
	jout_object_end(&r->out);
}

static bool write_json(const struct bench_report *r)
{
	bool to_stdout = strcmp(r->json_path, "-") == 0, ok;
	FILE *file = to_stdout ? stdout : fopen(r->json_path, "w");

	if (!file)
		return false;
	ok = fwrite(r->json.data, 1, r->json.size, file) == r->json.size;
	if ((to_stdout ? fflush(file) : fclose(file)) != 0)
		ok = false;
	return ok;
}

int bench_report_end(struct bench_report *r)
{
	bool ok = true;

	jout_array_end(&r->out);
	jout_object_end(&r->out);
	buf_append_byte(&r->json, '\n');
	if (r->json_path && !write_json(r)) {
		fprintf(stderr, "weft-bench: can't write the result to %s\n", r->json_path);
		ok = false;
	}
	if (fflush(stdout))
		ok = false;
	buf_clear(&r->json);
	return ok ? BENCH_EXIT_OK : BENCH_EXIT_FAILURE;
}
