/*
 * weft-sim - runs seeds of the simulator (src/sim), each in a process of its own, so
 * that what the code under test does to itself is a result with a seed, too.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "sim/sim.h"

#define PACKAGE_LINE "weft-sim " PACKAGE_VERSION

enum exit_code {
	EXIT_CLEAN = 0,
	EXIT_USAGE = 2,
	EXIT_SAFETY = 10,
	EXIT_LIVENESS = 11,
	EXIT_CRASH = 12,
};

static double wall_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_line(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv)
{
	struct log log = { write_line, NULL, NULL, LOG_LEVEL_DEBUG };
	struct sim_options options = { .seed = 1, .validators = 4, .faults = SIM_FAULTS_ALL };
	uint64_t first = 1, last = 1;
	uint64_t sim_ms = 0, blocks = 0;
	double start = wall_s();
	int code = EXIT_CLEAN;

	if (argc > 1)
		first = strtoull(argv[1], NULL, 10);
	last = first;
	if (argc > 2)
		last = strtoull(argv[2], NULL, 10);
	if (argc > 3 && !sim_faults_parse(&options.faults, argv[3]))
		return EXIT_USAGE;
	if (argc > 4)
		options.log = &log;
	for (uint64_t seed = first; seed <= last; seed++) {
		struct sim_result r;

		options.seed = seed;
		sim_run(&options, &r);
		sim_ms += r.time_ms;
		blocks += r.block_count;
		if (r.verdict != SIM_CLEAN || first == last)
			printf("seed %llu: %s %s time %llu ms, %llu blocks, %llu txs, %llu events, %llu frames, view %llu, checks %llu, digest %llx\n", (unsigned long long)seed,
			       sim_verdict_name(r.verdict), r.message, (unsigned long long)r.time_ms,
			       (unsigned long long)r.block_count, (unsigned long long)r.tx_count,
			       (unsigned long long)r.event_count, (unsigned long long)r.frame_count,
			       (unsigned long long)r.view_max, (unsigned long long)r.check_count, (unsigned long long)r.digest.lo);
		if (r.verdict != SIM_CLEAN)
			code = EXIT_SAFETY;
		if (first == last)
			for (int i = 0; i < SIM_FAULT_COUNT; i++)
				printf("  %s %llu\n", sim_fault_name((enum sim_fault)i), (unsigned long long)r.firings[i]);
	}
	printf("%.1f simulated s/s, %llu blocks\n", (double)sim_ms / 1000 / (wall_s() - start), (unsigned long long)blocks);
	return code;
}
