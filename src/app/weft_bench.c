/*
 * weft-bench - measures parts of the node on this machine.
 */
#include <stdio.h>
#include <string.h>

#include "app/bench.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "consensus", bench_consensus, "agreement on a block, by the number of validators" },
	{ "crypto", bench_crypto, "signatures and hashes on one core" },
	{ "evm", bench_evm, "contract code: programs in state-test files, gas per second" },
	{ "exec", bench_exec, "blocks of plain and token transfers: execution, roots, the state tree" },
	{ "latency", bench_latency, "from a transfer to its receipt, on an idle node" },
	{ "load", bench_load, "transfers that a running node mines per second" },
	{ "precompiles", bench_precompiles, "contracts that the machine computes itself, on one core" },
	{ "state", bench_state, "a block's state: trie and database, beside raw LevelDB" },
};

static void print_help(FILE *to)
{
	size_t i;

	fputs("usage: weft-bench COMMAND [options]\n"
	      "       weft-bench --help | --version\n\n"
	      "Measures parts of the node on this machine. Commands:\n\n", to);
	for (i = 0; i < ARRAY_COUNT(commands); i++)
		fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].summary);
	fputs("\nweft-bench COMMAND --help tells a command's options. Compare only figures of one\n"
	      "run: machines drift.\n\n"
	      "Exit status: 0 done, 1 something could not be measured or written, 2 wrong usage.\n",
	      to);
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		print_help(stderr);
		return BENCH_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return fflush(stdout) ? BENCH_EXIT_FAILURE : BENCH_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("weft-bench " PACKAGE_VERSION);
		return fflush(stdout) ? BENCH_EXIT_FAILURE : BENCH_EXIT_OK;
	}
	for (i = 0; i < ARRAY_COUNT(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "weft-bench: no command '%s' (see weft-bench --help)\n", argv[1]);
	return BENCH_EXIT_USAGE;
}
