/* weft-sim --twins: the enumerated histories of a divided set (sim/twins.h). */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/weft_sim_twins.h"
#include "sim/twins.h"

static const char usage[] =
	"usage: weft-sim --twins [OPTION]...\n"
	"Plays every scenario of five machines for four validators, one of which runs twice: who leads\n"
	"each view and which two-way partition holds, each once up to renaming.\n"
	"\n"
	"  --views N        1-4 (default 4)\n"
	"  --cut WHEN       the partition changes between views (view, the default), between a view's\n"
	"                   prepares and its commits (votes), or at both (both: two a view)\n"
	"  --twin N         the twins' index in the set, 0-3 (default 0)\n"
	"  --first N        from this scenario on; a bounded run says which is next\n"
	"  --count N        so many (default: to the end)\n"
	"  --stride N       each so manieth only\n"
	"  --shard I/N      the I-th of N equal parts, from 0; for several cores or machines\n"
	"  --scenario N     one, told in full\n"
	"  --help\n"
	"\n"
	"Exit codes: 0 all clean; 2 usage; 10 one failed.\n";

enum { EXIT_USAGE = 2, EXIT_FAILED = 10 };

enum option_code {
	OPTION_VIEWS = 256,
	OPTION_CUT,
	OPTION_TWIN,
	OPTION_FIRST,
	OPTION_COUNT,
	OPTION_STRIDE,
	OPTION_SHARD,
	OPTION_SCENARIO,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{ "views", required_argument, NULL, OPTION_VIEWS },
	{ "cut", required_argument, NULL, OPTION_CUT },
	{ "twin", required_argument, NULL, OPTION_TWIN },
	{ "first", required_argument, NULL, OPTION_FIRST },
	{ "count", required_argument, NULL, OPTION_COUNT },
	{ "stride", required_argument, NULL, OPTION_STRIDE },
	{ "shard", required_argument, NULL, OPTION_SHARD },
	{ "scenario", required_argument, NULL, OPTION_SCENARIO },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ 0 },
};

/* A whole number in [min, max] up to `end`, which is '\0' or a character of the caller's. */
static const char *read_number(const char *text, char end, uint64_t min, uint64_t max, uint64_t *out)
{
	char *rest;

	errno = 0;
	*out = strtoull(text, &rest, 10);
	if (text[0] < '0' || text[0] > '9' || errno || *rest != end || *out < min || *out > max)
		return NULL;
	return rest;
}

static bool read_cut(const char *text, enum twins_cut *out)
{
	static const char *const words[] = { "view", "votes", "both" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0) {
			*out = (enum twins_cut)i;
			return true;
		}
	return false;
}

static bool read_shard(const char *text, struct twins_options *o)
{
	const char *rest = read_number(text, '/', 0, UINT32_MAX, &o->shard);

	return rest && read_number(rest + 1, '\0', o->shard + 1, UINT32_MAX, &o->shards);
}

static bool take_option(struct twins_options *o, int option, const char *text)
{
	uint64_t number = 0;
	bool ok = true;

	switch (option) {
	case OPTION_VIEWS:
		ok = read_number(text, '\0', 1, TWINS_VIEW_MAX, &number);
		o->views = (size_t)number;
		return ok;
	case OPTION_CUT:
		return read_cut(text, &o->cut);
	case OPTION_TWIN:
		ok = read_number(text, '\0', 0, 3, &number);
		o->twin = (size_t)number;
		return ok;
	case OPTION_FIRST:
		return read_number(text, '\0', 0, UINT64_MAX - 1, &o->first);
	case OPTION_COUNT:
		return read_number(text, '\0', 1, UINT64_MAX, &o->count);
	case OPTION_STRIDE:
		return read_number(text, '\0', 1, UINT64_MAX, &o->stride);
	case OPTION_SHARD:
		return read_shard(text, o);
	case OPTION_SCENARIO:
		o->count = 1;
		o->is_loud = true;
		return read_number(text, '\0', 0, UINT64_MAX - 1, &o->first);
	}
	return false;
}

static double wall_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	puts(line);
}

int weft_sim_twins(int argc, char **argv)
{
	struct twins_options options = { .say = print_line };
	struct twins_report report = { 0 };
	double start = wall_s(), passed;
	int option;
	bool ok;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPTION_HELP) {
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		}
		if (option == '?' || !take_option(&options, option, optarg)) {
			fputs("weft-sim --twins: an option that can't be used; see --twins --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "weft-sim --twins: %s: no such argument\n", argv[optind]);
		return EXIT_USAGE;
	}
	ok = twins_run(&options, &report);
	passed = wall_s() - start;
	for (size_t i = 0; i < TWINS_COUNTER_COUNT; i++)
		printf("%12" PRIu64 "  %s\n", report.counts[i], twins_counter_text((enum twins_counter)i));
	printf("%" PRIu64 " of %" PRIu64 " scenarios, %" PRIu64 " failed, next %" PRIu64 "; %.1f s, %.0f a second\n",
	       report.checked, report.total, report.failed, report.next, passed,
	       passed > 0 ? (double)report.checked / passed : 0.0);
	return ok ? EXIT_SUCCESS : EXIT_FAILED;
}
