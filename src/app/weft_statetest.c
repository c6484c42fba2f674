/*
 * weft-statetest - runs Ethereum's GeneralStateTests files: executes each case, and
 * compares the state root and the hash of the logs with what the file says.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/state_file.h"
#include "app/state_post.h"
#include "app/trace3155.h"
#include "base/check.h"
#include "codec/hex.h"

#define WORKER_MAX 64
#define DEPTH_MAX 16 /* of folders */

enum exit_status { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct counts {
	uint64_t passed, failed, named;
};

struct options {
	const char *fork;
	enum revision revision;
	bool trace;
	bool post;
	bool has_filter;
	regex_t filter;
	unsigned worker_count;
};

struct files {
	char **paths;
	size_t count, capacity;
};

/* What a worker runs with. */
struct run {
	const struct options *options;
	struct ecc *ecc;
	struct counts counts;
	struct buf report;
};

static const char help[] =
	"usage: weft-statetest [--fork FORK] [--filter RE] [--trace | --post] [-j N] PATH...\n\n"
	"Runs the cases of GeneralStateTests files (or of all .json files below a folder) for one\n"
	"fork, and compares state root and logs hash.\n\n"
	"  --fork FORK   Cancun (the default), Prague or Osaka\n"
	"  --filter RE   only cases whose \"file: test, case N\" an extended regular expression finds\n"
	"  --trace       an EIP-3155 trace of every case on standard output; one worker\n"
	"  --post        compares nothing, and writes what each case came to as a line of JSON:\n"
	"                outcome, logs, accounts; fails if a tracer changes it; one worker\n"
	"  -j N          workers; default: one a processor\n\n"
	"Prints every failure with its first difference, every case that is named (it calls a\n"
	"precompile that does not exist here), and last `N passed, M failed[, K named]`.\n\n"
	"Exit status: 0 all passed, 1 a case failed or a file can't be read, 2 wrong usage.\n";

/* --- files --- */

static void add_file(struct files *f, const char *path)
{
	if (f->count == f->capacity) {
		f->capacity = MAX(2 * f->capacity, (size_t)256);
		f->paths = xrealloc(f->paths, f->capacity * sizeof(f->paths[0]));
	}
	f->paths[f->count++] = xstrdup(path);
}

static bool ends_in_json(const char *name)
{
	size_t size = strlen(name);

	return size > 5 && strcmp(name + size - 5, ".json") == 0;
}

/* Files named on the command line, and .json files in folders; false if one is missing. */
static bool find_files(struct files *f, const char *path, unsigned depth)
{
	struct dirent **entries;
	struct stat st;
	bool good = true;
	int count;

	if (stat(path, &st) != 0)
		return false;
	if (!S_ISDIR(st.st_mode)) {
		if (depth == 0 || ends_in_json(path))
			add_file(f, path);
		return true;
	}
	count = depth < DEPTH_MAX ? scandir(path, &entries, NULL, alphasort) : -1;
	if (count < 0)
		return false;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		struct buf joined = { 0 };

		if (name[0] != '.') {
			buf_printf(&joined, "%s/%s", path, name);
			buf_append_byte(&joined, 0);
			good = find_files(f, (const char *)joined.data, depth + 1) && good;
		}
		buf_clear(&joined);
		free(entries[i]);
	}
	free(entries);
	return good;
}

/* --- a case --- */

static bool hash_is(const struct hash *have, const struct jval *want)
{
	struct hash h;

	return hex_parse_fixed(h.bytes, sizeof(h.bytes), jval_string(want)) && hash_equal(have, &h);
}

static void report_hash(struct buf *out, const char *what, const struct hash *have,
			const struct jval *want)
{
	char text[HEX_HASH_SIZE];
	struct bytes wanted = jval_string(want);

	buf_printf(out, "  %s is %s, should be %.*s\n", what, hex_data(text, hash_bytes(have)),
		   (int)wanted.size, (const char *)wanted.data);
}

/* The first difference; false if there is none. */
static bool find_difference(struct buf *out, const struct state_outcome *have, const struct jval *want)
{
	const struct jval *exception = jval_get(want, "expectException");

	if (exception && have->code == OK) {
		buf_printf(out, "  it was executed, should be refused: %s\n",
			   (const char *)jval_string(exception).data);
		return true;
	}
	if (!exception && have->code != OK) {
		buf_printf(out, "  it was refused: %s\n", have->err.message);
		return true;
	}
	if (!hash_is(&have->logs, jval_get(want, "logs"))) {
		report_hash(out, "logs hash", &have->logs, jval_get(want, "logs"));
		return true;
	}
	if (!hash_is(&have->root, jval_get(want, "hash"))) {
		report_hash(out, "state root", &have->root, jval_get(want, "hash"));
		buf_printf(out, "  (status %d, gas used %" PRIu64 ", %zu logs)\n", have->receipt.success,
			   have->receipt.gas_used, have->receipt.log_count);
		return true;
	}
	return false;
}

static void write_case(struct run *r, struct state_world *w, const char *name, const struct jval *post)
{
	if (state_post_write(&r->report, w, r->ecc, name, post))
		r->counts.passed++;
	else
		r->counts.failed++;
}

static void run_case(struct run *r, struct state_world *w, const char *name, const struct jval *post)
{
	const struct jval *indexes = jval_get(post, "indexes");
	struct trace3155 trace;
	struct state_outcome outcome;
	struct buf difference = { 0 };

	trace3155_init(&trace, stdout);
	state_world_run(w, r->ecc, post, r->options->trace ? &trace.tracer : NULL, &outcome);
	if (r->options->trace)
		trace3155_end(&trace, &outcome.root, &outcome.receipt);
	if (!find_difference(&difference, &outcome, post)) {
		r->counts.passed++;
	} else {
		bool is_named = outcome.met_missing;

		r->counts.named += is_named;
		r->counts.failed += !is_named;
		buf_printf(&r->report, "%s %s (data %d, gas %d, value %d)\n",
			   is_named ? "named:" : "FAILED:", name,
			   (int)jval_integer(jval_get(indexes, "data")),
			   (int)jval_integer(jval_get(indexes, "gas")),
			   (int)jval_integer(jval_get(indexes, "value")));
		if (is_named)
			buf_printf(&r->report, "  calls a precompile that does not exist here\n");
		else
			buf_append_bytes(&r->report, buf_bytes(&difference));
	}
	state_outcome_clear(&outcome);
	buf_clear(&difference);
}

static void fail_file(struct run *r, const char *path, const char *why)
{
	buf_printf(&r->report, "FAILED: %s: %s\n", path, why);
	r->counts.failed++;
}

/* All cases of a test that the filter lets through. */
static void run_test(struct run *r, const char *path, const char *test_name, const struct jval *test)
{
	const struct jval *posts = jval_get(jval_get(test, "post"), r->options->fork);
	struct err err = { 0 };
	struct state_world w;
	size_t count = jval_count(posts);

	if (count == 0)
		return;
	if (state_world_load(&w, test, r->options->revision, &err) != OK) {
		fail_file(r, path, err.message);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct buf name = { 0 };
		bool wanted;

		buf_printf(&name, "%s: %s, case %zu", path, test_name, i);
		buf_append_byte(&name, 0);
		wanted = !r->options->has_filter ||
			 regexec(&r->options->filter, (const char *)name.data, 0, NULL, 0) == 0;
		if (wanted && r->options->post)
			write_case(r, &w, (const char *)name.data, jval_at(posts, i));
		else if (wanted)
			run_case(r, &w, (const char *)name.data, jval_at(posts, i));
		buf_clear(&name);
	}
	state_world_clear(&w);
}

static void run_file(struct run *r, const char *path)
{
	struct jval *root = NULL;
	struct buf text = { 0 };
	struct err err = { 0 };
	const struct jval *test;
	const char *name;
	void *cursor = NULL;

	if (!state_file_read(&text, path))
		fail_file(r, path, strerror(errno));
	else if (jval_parse(&root, buf_bytes(&text), &err) != OK)
		fail_file(r, path, err.message);
	while (root && jval_next(root, &cursor, &name, &test))
		run_test(r, path, name, test);
	jval_free(root);
	buf_clear(&text);
}

/* --- workers: processes that take file numbers from a pipe --- */

static void run_begin(struct run *r, const struct options *o)
{
	static const uint8_t seed[32] = { 1 };

	*r = (struct run){ .options = o, .ecc = ecc_new(seed) };
}

static void flush_report(struct run *r)
{
	if (r->report.size)
		fwrite(r->report.data, 1, r->report.size, stdout);
	fflush(stdout);
	buf_reset(&r->report);
}

static void run_end(struct run *r)
{
	buf_clear(&r->report);
	ecc_free(r->ecc);
}

/* A pipe carries whole numbers: writes of so few bytes are not split. */
static bool next_file(int queue, uint32_t *index)
{
	ssize_t got;

	do
		got = read(queue, index, sizeof(*index));
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)sizeof(*index);
}

static void work(const struct options *o, const struct files *f, int queue, int results)
{
	struct run r;
	uint32_t index;

	run_begin(&r, o);
	while (next_file(queue, &index)) {
		run_file(&r, f->paths[index]);
		flush_report(&r);
	}
	if (write(results, &r.counts, sizeof(r.counts)) != (ssize_t)sizeof(r.counts))
		exit(EXIT_FAILED);
	run_end(&r);
	exit(EXIT_PASSED);
}

static void add_counts(struct counts *sum, const struct counts *c)
{
	sum->passed += c->passed;
	sum->failed += c->failed;
	sum->named += c->named;
}

/* False if a worker did not end well. */
static bool run_workers(const struct options *o, const struct files *f, struct counts *sum)
{
	int queue[2], results[2], status;
	struct counts one;
	bool good = true;

	if (pipe(queue) != 0 || pipe(results) != 0)
		fatal("no pipe: %s", strerror(errno));
	for (unsigned i = 0; i < o->worker_count; i++) {
		pid_t child = fork();

		if (child < 0)
			fatal("no process: %s", strerror(errno));
		if (child == 0) {
			close(queue[1]);
			close(results[0]);
			work(o, f, queue[0], results[1]);
		}
	}
	close(queue[0]);
	close(results[1]);
	for (uint32_t i = 0; i < f->count; i++)
		good = write(queue[1], &i, sizeof(i)) == (ssize_t)sizeof(i) && good;
	close(queue[1]);
	while (read(results[0], &one, sizeof(one)) == (ssize_t)sizeof(one))
		add_counts(sum, &one);
	close(results[0]);
	while (wait(&status) > 0)
		good = WIFEXITED(status) && WEXITSTATUS(status) == 0 && good;
	return good;
}

static bool run_alone(const struct options *o, const struct files *f, struct counts *sum)
{
	struct run r;

	run_begin(&r, o);
	for (size_t i = 0; i < f->count; i++) {
		run_file(&r, f->paths[i]);
		flush_report(&r);
	}
	add_counts(sum, &r.counts);
	run_end(&r);
	return true;
}

/* --- main --- */

static int usage(const char *what, const char *arg)
{
	fprintf(stderr, "weft-statetest: %s%s (see --help)\n", what, arg);
	return EXIT_USAGE;
}

/* The options; *first is the first path. -1 to go on, else the status to exit with. */
static int read_options(struct options *o, int argc, char **argv, int *first)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
			fputs(help, stdout);
			return EXIT_PASSED;
		}
		if (strcmp(arg, "--trace") == 0) {
			o->trace = true;
			continue;
		}
		if (strcmp(arg, "--post") == 0) {
			o->post = true;
			continue;
		}
		if (!value)
			return usage("an option lacks its value or does not exist: ", arg);
		i++;
		if (strcmp(arg, "--fork") == 0) {
			o->fork = value;
		} else if (strcmp(arg, "--filter") == 0) {
			if (regcomp(&o->filter, value, REG_EXTENDED | REG_NOSUB) != 0)
				return usage("not a regular expression: ", value);
			o->has_filter = true;
		} else if (strcmp(arg, "-j") == 0) {
			o->worker_count = (unsigned)strtoul(value, NULL, 10);
			if (o->worker_count == 0 || o->worker_count > WORKER_MAX)
				return usage("-j takes 1 to 64, not ", value);
		} else {
			return usage("no option ", arg);
		}
	}
	*first = i;
	if (!state_fork(o->fork, &o->revision))
		return usage("no fork ", o->fork);
	return i < argc ? -1 : usage("no path given", "");
}

int main(int argc, char **argv)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct options o = {
		.fork = "Cancun",
		.worker_count = (unsigned)MIN(MAX(processors, 1l), (long)WORKER_MAX),
	};
	struct counts sum = { 0 };
	struct files files = { 0 };
	int first = 0, status = read_options(&o, argc, argv, &first);
	bool good = true;

	if (status >= 0)
		return status;
	for (int i = first; i < argc; i++)
		if (!find_files(&files, argv[i], 0)) {
			fprintf(stderr, "weft-statetest: %s can't be read\n", argv[i]);
			good = false;
		}
	if (o.trace || o.post || o.worker_count == 1 || files.count == 1)
		good = run_alone(&o, &files, &sum) && good;
	else
		good = run_workers(&o, &files, &sum) && good;
	if (!good)
		fputs("weft-statetest: something could not be read or run to its end\n", stderr);
	for (size_t i = 0; i < files.count; i++)
		free(files.paths[i]);
	free(files.paths);
	if (o.has_filter)
		regfree(&o.filter);
	printf("%" PRIu64 " passed, %" PRIu64 " failed", sum.passed, sum.failed);
	if (sum.named)
		printf(", %" PRIu64 " named", sum.named);
	putchar('\n');
	return good && sum.failed == 0 && fflush(stdout) == 0 ? EXIT_PASSED : EXIT_FAILED;
}
