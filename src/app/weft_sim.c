/*
 * weft-sim - runs seeds of the simulator (src/sim). Each runs in a child process, a
 * handful in one, so that what the code under test does to itself is a result that has
 * a seed, too. What was counted can be kept in a file and gone on with.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "app/weft_sim_twins.h"
#include "base/check.h"
#include "sim/sim.h"

#define CHUNK 16          /* seeds a child */
#define STATE_SEEDS 256   /* the state is written after so many */
#define JOB_MAX 64
#define CHILD_MAX_S 60    /* for one seed; longer is a hang */
#define OUTPUT_MAX 4000   /* of what a child that died had said */
#define FAILURE_SHOWN_MAX 50

enum exit_code {
	EXIT_CLEAN = 0,
	EXIT_BROKEN = 1,  /* the simulator can't do its work: a file, a process */
	EXIT_USAGE = 2,
	EXIT_SAFETY = 10,
	EXIT_LIVENESS = 11,
	EXIT_CRASH = 12,
};

/* What a seed came to: the simulator's verdicts, and what only its parent sees. */
enum outcome {
	OUTCOME_CLEAN,
	OUTCOME_SAFETY,
	OUTCOME_LIVENESS,
	OUTCOME_CRASH,
	OUTCOME_COUNT,
};

static const struct {
	const char *name;
	enum exit_code code;
} outcomes[] = {
	[OUTCOME_CLEAN] = { "clean", EXIT_CLEAN },
	[OUTCOME_SAFETY] = { "safety", EXIT_SAFETY },
	[OUTCOME_LIVENESS] = { "liveness", EXIT_LIVENESS },
	[OUTCOME_CRASH] = { "crash", EXIT_CRASH },
};

struct options {
	uint64_t first, count;
	bool has_seeds;
	size_t validators;
	uint64_t duration_s, faults;
	const char *state;
	size_t jobs;
	bool is_quiet;
	bool has_log;
	enum log_level log_level;
	bool is_replay, is_shrink, does_stop;
};

/* What adds up. */
struct totals {
	uint64_t next_seed;
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t time_ms, events, frames, blocks, txs, checks, view_max;
	uint64_t firings[SIM_FAULT_COUNT];
	uint64_t cpu_us;
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

/* --- the command line --- */

static void usage(FILE *out)
{
	fputs("usage: weft-sim [OPTION]...\n"
	      "Runs whole Weft nodes over virtual time, with faults that follow from a seed, and checks\n"
	      "that they neither contradict each other nor stop.\n"
	      "\n"
	      "  --seed N           this seed (default 1)\n"
	      "  --seeds FROM-TO    these seeds; --seeds COUNT: so many, from --seed or from --state on\n"
	      "  --validators N     1-10; default: the seed draws 4-10\n"
	      "  --duration S       virtual seconds with faults (default 50; a run is at least 60 s and 50\n"
	      "                     blocks: what is left is without faults)\n"
	      "  --faults LIST      which may occur, with commas between them; \"all\" (default) or \"none\".\n"
	      "                     The seed chooses about half of these\n"
	      "  --list-faults      what there is\n"
	      "  --replay SEED      one seed, told in full; with --log the nodes' own lines\n"
	      "  --shrink SEED      looks for the fewest faults and the shortest time with which it still\n"
	      "                     fails, and prints the command that replays that\n"
	      "  --state FILE       adds to what FILE counts, and goes on with the seed after its last\n"
	      "  --stop             no new seeds after one that failed\n"
	      "  --jobs N           processes at a time (default 1)\n"
	      "  --log LEVEL        error, warn, info or debug, to standard error\n"
	      "  --quiet            no progress\n"
	      "  --twins [OPTION]...  every small history of a divided set instead: see --twins --help\n"
	      "  --help, --version\n"
	      "\n"
	      "Exit codes: 0 all clean; 1 the simulator failed; 2 usage; 10 a promise was broken (safety);\n"
	      "11 the nodes did not go on (liveness); 12 the code under test ended itself (crash). Of several\n"
	      "the first in the order 10, 12, 11.\n", out);
}

static void list_faults(void)
{
	for (int i = 0; i < SIM_FAULT_COUNT; i++)
		printf("%-18s %s\n", sim_fault_name((enum sim_fault)i), sim_fault_what((enum sim_fault)i));
}

static bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == 0 && *out >= low && *out <= high;
}

static bool parse_seeds(struct options *o, const char *text)
{
	const char *dash = strchr(text, '-');
	char from[24];
	uint64_t to;

	o->has_seeds = true;
	if (!dash)
		return parse_number(text, 1, UINT64_MAX / 2, &o->count);
	if ((size_t)(dash - text) >= sizeof(from))
		return false;
	snprintf(from, sizeof(from), "%.*s", (int)(dash - text), text);
	if (!parse_number(from, 0, UINT64_MAX / 2, &o->first) || !parse_number(dash + 1, o->first, UINT64_MAX / 2, &to))
		return false;
	o->count = to - o->first + 1;
	return true;
}

enum option_name {
	OPTION_SEED = 256, OPTION_SEEDS, OPTION_VALIDATORS, OPTION_DURATION, OPTION_FAULTS, OPTION_LIST,
	OPTION_REPLAY, OPTION_SHRINK, OPTION_STATE, OPTION_STOP, OPTION_JOBS, OPTION_LOG, OPTION_QUIET, OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, OPTION_SEED },
	{ "seeds", required_argument, NULL, OPTION_SEEDS },
	{ "validators", required_argument, NULL, OPTION_VALIDATORS },
	{ "duration", required_argument, NULL, OPTION_DURATION },
	{ "faults", required_argument, NULL, OPTION_FAULTS },
	{ "list-faults", no_argument, NULL, OPTION_LIST },
	{ "replay", required_argument, NULL, OPTION_REPLAY },
	{ "shrink", required_argument, NULL, OPTION_SHRINK },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "stop", no_argument, NULL, OPTION_STOP },
	{ "jobs", required_argument, NULL, OPTION_JOBS },
	{ "log", required_argument, NULL, OPTION_LOG },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* False: the value is not one. */
static bool take_option(struct options *o, int option, const char *value)
{
	uint64_t n;
	bool is_good = true;

	switch (option) {
	case OPTION_SEED:
		return parse_number(value, 0, UINT64_MAX / 2, &o->first);
	case OPTION_SEEDS:
		return parse_seeds(o, value);
	case OPTION_VALIDATORS:
		is_good = parse_number(value, 1, SIM_VALIDATOR_MAX, &n);
		o->validators = n;
		return is_good;
	case OPTION_DURATION:
		return parse_number(value, 0, 1000000, &o->duration_s);
	case OPTION_FAULTS:
		return sim_faults_parse(&o->faults, value);
	case OPTION_REPLAY:
		o->is_replay = true;
		return parse_number(value, 0, UINT64_MAX / 2, &o->first);
	case OPTION_SHRINK:
		o->is_shrink = true;
		return parse_number(value, 0, UINT64_MAX / 2, &o->first);
	case OPTION_STATE:
		o->state = value;
		return true;
	case OPTION_STOP:
		o->does_stop = true;
		return true;
	case OPTION_JOBS:
		is_good = parse_number(value, 1, JOB_MAX, &n);
		o->jobs = n;
		return is_good;
	case OPTION_LOG:
		o->has_log = true;
		return log_level_parse(&o->log_level, value);
	case OPTION_QUIET:
		o->is_quiet = true;
		return true;
	}
	return false;
}

/* Exits for what needs no run, and on a mistake. */
static void read_options(struct options *o, int argc, char **argv)
{
	int option, index = 0;

	*o = (struct options){ .first = 1, .count = 1, .faults = SIM_FAULTS_ALL, .jobs = 1,
			       .duration_s = SIM_FAULTY_MS / 1000 };
	while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (option == OPTION_HELP) {
			usage(stdout);
			exit(EXIT_CLEAN);
		} else if (option == OPTION_VERSION) {
			puts("weft-sim " PACKAGE_VERSION);
			exit(EXIT_CLEAN);
		} else if (option == OPTION_LIST) {
			list_faults();
			exit(EXIT_CLEAN);
		} else if (option == '?') {
			fputs("weft-sim --help says what there is\n", stderr);
			exit(EXIT_USAGE);
		} else if (!take_option(o, option, optarg)) {
			fprintf(stderr, "weft-sim: --%s can't be \"%s\"; weft-sim --help says what it can be\n",
				long_options[index].name, optarg);
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "weft-sim: unexpected \"%s\"\n", argv[optind]);
		exit(EXIT_USAGE);
	}
}

/* --- a run in a child --- */

static struct sim_options sim_options_of(const struct options *o, uint64_t seed, const struct log *log)
{
	return (struct sim_options){
		.seed = seed, .validators = o->validators, .duration_ms = o->duration_s * 1000, .faults = o->faults,
		.log = o->has_log ? log : NULL,
	};
}

struct child {
	pid_t pid;
	int results;        /* one struct sim_result a seed that it finished */
	FILE *said;
	uint64_t first, count;
};

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "weft-sim: %s: %s\n", what, strerror(errno));
	exit(EXIT_BROKEN);
}

static _Noreturn void be_child(const struct options *o, const struct child *c, int out)
{
	const struct log log = { write_line, NULL, NULL, o->log_level };

	if (!o->has_log && dup2(fileno(c->said), STDERR_FILENO) < 0)
		_exit(EXIT_BROKEN);
	for (uint64_t i = 0; i < c->count; i++) {
		struct sim_options options = sim_options_of(o, c->first + i, &log);
		struct sim_result result;

		alarm(CHILD_MAX_S);
		sim_run(&options, &result);
		if (write(out, &result, sizeof(result)) != (ssize_t)sizeof(result))
			_exit(EXIT_BROKEN);
	}
	_exit(EXIT_CLEAN);
}

static void start_child(const struct options *o, struct child *c, uint64_t first, uint64_t count)
{
	int ends[2];

	*c = (struct child){ .first = first, .count = count, .said = tmpfile() };
	if (!c->said || pipe(ends) != 0)
		broken("a child can't be made");
	fflush(NULL);
	c->pid = fork();
	if (c->pid < 0)
		broken("fork");
	if (c->pid == 0) {
		close(ends[0]);
		be_child(o, c, ends[1]);
	}
	close(ends[1]);
	c->results = ends[0];
}

static enum outcome outcome_of(enum sim_verdict verdict)
{
	switch (verdict) {
	case SIM_CLEAN:
		return OUTCOME_CLEAN;
	case SIM_SAFETY:
		return OUTCOME_SAFETY;
	case SIM_LIVENESS:
		return OUTCOME_LIVENESS;
	case SIM_STOPPED:
		return OUTCOME_CRASH;
	}
	UNREACHABLE();
}

static void add(struct totals *t, enum outcome outcome, const struct sim_result *r)
{
	t->outcomes[outcome]++;
	t->time_ms += r->time_ms;
	t->events += r->event_count;
	t->frames += r->frame_count;
	t->blocks += r->block_count;
	t->txs += r->tx_count;
	t->checks += r->check_count;
	t->view_max = MAX(t->view_max, r->view_max);
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
		t->firings[i] += r->firings[i];
}

static void tell_failure(const struct options *o, struct totals *t, uint64_t seed, enum outcome outcome,
			 const char *message)
{
	uint64_t failures = t->outcomes[OUTCOME_SAFETY] + t->outcomes[OUTCOME_LIVENESS] + t->outcomes[OUTCOME_CRASH];

	if (failures <= FAILURE_SHOWN_MAX)
		printf("seed %llu: %s: %s\n", (unsigned long long)seed, outcomes[outcome].name, message);
	fflush(stdout);
	(void)o;
}

/* The last of what it said before it died. */
static void read_last_words(struct child *c, int status, char out[OUTPUT_MAX + 64])
{
	int used = 0;
	long size;

	if (WIFSIGNALED(status))
		used = snprintf(out, 64, WTERMSIG(status) == SIGALRM ? "no end after %d s: " : "signal %d: ",
				WTERMSIG(status) == SIGALRM ? CHILD_MAX_S : WTERMSIG(status));
	else
		used = snprintf(out, 64, "exit %d: ", WEXITSTATUS(status));
	fseek(c->said, 0, SEEK_END);
	size = ftell(c->said);
	fseek(c->said, size > OUTPUT_MAX ? size - OUTPUT_MAX : 0, SEEK_SET);
	out[used + (int)fread(out + used, 1, OUTPUT_MAX, c->said)] = 0;
	out[strcspn(out, "\n")] = 0;
}

/* Takes what a child that has ended left. Returns how many seeds it got through, the one
 * that it died of included. */
static uint64_t end_child(const struct options *o, struct totals *t, struct child *c, int status)
{
	struct sim_result r;
	uint64_t done = 0;

	while (done < c->count && read(c->results, &r, sizeof(r)) == (ssize_t)sizeof(r)) {
		enum outcome outcome = outcome_of(r.verdict);

		add(t, outcome, &r);
		if (outcome != OUTCOME_CLEAN)
			tell_failure(o, t, c->first + done, outcome, r.message);
		done++;
	}
	if (done < c->count) {
		static const struct sim_result nothing;
		char words[OUTPUT_MAX + 64];

		read_last_words(c, status, words);
		add(t, OUTCOME_CRASH, &nothing);
		tell_failure(o, t, c->first + done, OUTCOME_CRASH, words);
		done++;
	}
	close(c->results);
	fclose(c->said);
	c->pid = 0;
	return done;
}

static uint64_t seeds_done(const struct totals *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		sum += t->outcomes[i];
	return sum;
}

/* --- the state file --- */

static void write_state(const struct options *o, const struct totals *t)
{
	struct buf name = { 0 };
	FILE *f;

	buf_printf(&name, "%s.tmp", o->state);
	buf_append_byte(&name, 0);
	f = fopen((char *)name.data, "w");
	if (!f)
		broken(o->state);
	fprintf(f, "weft-sim 1\nnext %llu\n", (unsigned long long)t->next_seed);
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		fprintf(f, "%s %llu\n", outcomes[i].name, (unsigned long long)t->outcomes[i]);
	fprintf(f, "time_ms %llu\nevents %llu\nframes %llu\nblocks %llu\ntxs %llu\nchecks %llu\nview_max %llu\n"
		"cpu_us %llu\n", (unsigned long long)t->time_ms, (unsigned long long)t->events,
		(unsigned long long)t->frames, (unsigned long long)t->blocks, (unsigned long long)t->txs,
		(unsigned long long)t->checks, (unsigned long long)t->view_max, (unsigned long long)t->cpu_us);
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
		fprintf(f, "fault.%s %llu\n", sim_fault_name((enum sim_fault)i), (unsigned long long)t->firings[i]);
	if (fclose(f) != 0 || rename((char *)name.data, o->state) != 0)
		broken(o->state);
	buf_clear(&name);
}

static uint64_t *counter_of(struct totals *t, const char *name)
{
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		if (strcmp(name, outcomes[i].name) == 0)
			return &t->outcomes[i];
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
		if (strncmp(name, "fault.", 6) == 0 && strcmp(name + 6, sim_fault_name((enum sim_fault)i)) == 0)
			return &t->firings[i];
	return strcmp(name, "next") == 0 ? &t->next_seed : strcmp(name, "time_ms") == 0 ? &t->time_ms :
	       strcmp(name, "events") == 0 ? &t->events : strcmp(name, "frames") == 0 ? &t->frames :
	       strcmp(name, "blocks") == 0 ? &t->blocks : strcmp(name, "txs") == 0 ? &t->txs :
	       strcmp(name, "checks") == 0 ? &t->checks : strcmp(name, "view_max") == 0 ? &t->view_max :
	       strcmp(name, "cpu_us") == 0 ? &t->cpu_us : NULL;
}

/* A counter that is not known any more is left out. */
static void read_state(const struct options *o, struct totals *t)
{
	FILE *f = fopen(o->state, "r");
	char name[64];
	unsigned long long value;

	if (!f && errno == ENOENT)
		return;
	if (!f)
		broken(o->state);
	if (fscanf(f, "weft-sim %llu\n", &value) != 1 || value != 1) {
		fprintf(stderr, "weft-sim: %s is no state of this program\n", o->state);
		exit(EXIT_USAGE);
	}
	while (fscanf(f, "%63s %llu\n", name, &value) == 2) {
		uint64_t *counter = counter_of(t, name);

		if (counter)
			*counter = value;
	}
	fclose(f);
}

/* --- many seeds --- */

struct batch {
	const struct options *options;
	struct totals *totals;
	struct totals before;
	struct child children[JOB_MAX];
	struct { uint64_t first, count; } rest[JOB_MAX]; /* of children that died early */
	size_t rest_count;
	uint64_t next, end;
	double started_s, told_s;
};

static bool start_next(struct batch *b, struct child *c)
{
	uint64_t count;

	if (b->options->does_stop && b->totals->outcomes[OUTCOME_CLEAN] - b->before.outcomes[OUTCOME_CLEAN] <
					     seeds_done(b->totals) - seeds_done(&b->before)) {
		b->end = b->next;
		b->rest_count = 0;
		return false;
	}
	if (b->rest_count > 0) {
		b->rest_count--;
		start_child(b->options, c, b->rest[b->rest_count].first, b->rest[b->rest_count].count);
		return true;
	}
	count = MIN(b->end - b->next, (uint64_t)CHUNK);
	if (count == 0)
		return false;
	start_child(b->options, c, b->next, count);
	b->next += count;
	return true;
}

static void progress(struct batch *b, bool is_last)
{
	uint64_t done = seeds_done(b->totals) - seeds_done(&b->before);
	uint64_t time_ms = b->totals->time_ms - b->before.time_ms;
	double now = wall_s(), passed = now - b->started_s;

	if (b->options->is_quiet || !isatty(STDERR_FILENO) || (!is_last && now - b->told_s < 1))
		return;
	b->told_s = now;
	fprintf(stderr, "\r%llu of %llu seeds, %.0f simulated seconds a second   %s",
		(unsigned long long)done, (unsigned long long)b->options->count,
		(double)time_ms / 1000 / passed, is_last ? "\n" : "");
}

static void wait_one(struct batch *b)
{
	struct rusage usage;
	int status;
	pid_t pid = wait4(-1, &status, 0, &usage);

	if (pid < 0)
		broken("wait");
	for (size_t i = 0; i < b->options->jobs; i++) {
		struct child *c = &b->children[i];
		uint64_t first = c->first, count = c->count, done;

		if (c->pid != pid)
			continue;
		done = end_child(b->options, b->totals, c, status);
		b->totals->cpu_us += (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
				     (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
		if (done < count) {
			b->rest[b->rest_count].first = first + done;
			b->rest[b->rest_count++].count = count - done;
		}
	}
	progress(b, false);
}

static void run_all(const struct options *o, struct totals *t)
{
	struct batch b = { .options = o, .totals = t, .before = *t, .started_s = wall_s() };
	size_t running = 0;

	b.next = o->first;
	b.end = o->first + o->count;
	do {
		for (size_t i = 0; i < o->jobs; i++)
			if (b.children[i].pid == 0 && start_next(&b, &b.children[i]))
				running++;
		if (running > 0) {
			wait_one(&b);
			running--;
		}
	} while (running > 0 || b.rest_count > 0 || b.next < b.end);
	t->next_seed = b.end;
	progress(&b, true);
}

static void report(const struct options *o, const struct totals *t, const struct totals *before, double passed_s)
{
	uint64_t time_ms = t->time_ms - before->time_ms, cpu_us = t->cpu_us - before->cpu_us;

	printf("seeds %llu: clean %llu, safety %llu, liveness %llu, crash %llu\n",
	       (unsigned long long)seeds_done(t), (unsigned long long)t->outcomes[OUTCOME_CLEAN],
	       (unsigned long long)t->outcomes[OUTCOME_SAFETY], (unsigned long long)t->outcomes[OUTCOME_LIVENESS],
	       (unsigned long long)t->outcomes[OUTCOME_CRASH]);
	printf("simulated %.1f hours, %llu blocks, %llu transfers, %llu frames, %llu events, %llu checks; "
	       "highest view %llu\n", (double)t->time_ms / 3600000, (unsigned long long)t->blocks,
	       (unsigned long long)t->txs, (unsigned long long)t->frames, (unsigned long long)t->events,
	       (unsigned long long)t->checks, (unsigned long long)t->view_max);
	printf("fired:");
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
		if (o->faults >> i & 1)
			printf(" %s %llu", sim_fault_name((enum sim_fault)i), (unsigned long long)t->firings[i]);
	printf("\nspeed: %.0f simulated seconds a second, %.0f a second of one core\n",
	       (double)time_ms / 1000 / passed_s, cpu_us ? (double)time_ms * 1000 / (double)cpu_us : 0);
}

static int exit_code_of(const struct totals *t, const struct totals *before)
{
	static const enum outcome order[] = { OUTCOME_SAFETY, OUTCOME_CRASH, OUTCOME_LIVENESS };

	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		if (t->outcomes[order[i]] > before->outcomes[order[i]])
			return outcomes[order[i]].code;
	return EXIT_CLEAN;
}

static int run_seeds(struct options *o)
{
	struct totals t = { .next_seed = o->first }, before;
	uint64_t left = o->count;
	double started_s = wall_s();

	if (o->state) {
		read_state(o, &t);
		o->first = t.next_seed;
	}
	before = t;
	while (left > 0) {
		/* A run that is cut off goes on where it last wrote. */
		o->count = o->state ? MIN(left, (uint64_t)STATE_SEEDS) : left;
		run_all(o, &t);
		left -= o->count;
		o->first += o->count;
		if (o->state)
			write_state(o, &t);
		if (o->does_stop && exit_code_of(&t, &before) != EXIT_CLEAN)
			break;
	}
	report(o, &t, &before, wall_s() - started_s);
	return exit_code_of(&t, &before);
}

/* --- one seed --- */

static enum outcome run_one(const struct options *o, struct sim_result *r, char words[OUTPUT_MAX + 64])
{
	struct child c;
	enum outcome outcome = OUTCOME_CRASH;
	int status;

	start_child(o, &c, o->first, 1);
	if (waitpid(c.pid, &status, 0) < 0)
		broken("wait");
	*r = (struct sim_result){ 0 };
	if (read(c.results, r, sizeof(*r)) == (ssize_t)sizeof(*r)) {
		outcome = outcome_of(r->verdict);
		snprintf(words, OUTPUT_MAX, "%s", r->message);
	} else {
		read_last_words(&c, status, words);
	}
	close(c.results);
	fclose(c.said);
	return outcome;
}

static int replay(const struct options *o)
{
	char words[OUTPUT_MAX + 64];
	struct sim_result r;
	enum outcome outcome = run_one(o, &r, words);

	printf("seed %llu: %s%s%s\n", (unsigned long long)o->first, outcomes[outcome].name,
	       outcome == OUTCOME_CLEAN ? "" : ": ", outcome == OUTCOME_CLEAN ? "" : words);
	printf("%llu.%03llu s, %llu blocks, %llu transfers, %llu events, %llu frames, %llu checks, view %llu, "
	       "digest %016llx\n", (unsigned long long)(r.time_ms / 1000), (unsigned long long)(r.time_ms % 1000),
	       (unsigned long long)r.block_count, (unsigned long long)r.tx_count, (unsigned long long)r.event_count,
	       (unsigned long long)r.frame_count, (unsigned long long)r.check_count, (unsigned long long)r.view_max,
	       (unsigned long long)r.digest);
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
		if (r.firings[i] > 0)
			printf("  %-18s %llu\n", sim_fault_name((enum sim_fault)i), (unsigned long long)r.firings[i]);
	return outcomes[outcome].code;
}

static void print_command(const struct options *o)
{
	const char *separator = "";

	printf("weft-sim --replay %llu", (unsigned long long)o->first);
	if (o->validators)
		printf(" --validators %zu", o->validators);
	printf(" --duration %llu --faults ", (unsigned long long)o->duration_s);
	for (size_t i = 0; i < SIM_FAULT_COUNT; i++)
		if (o->faults >> i & 1) {
			printf("%s%s", separator, sim_fault_name((enum sim_fault)i));
			separator = ",";
		}
	puts(o->faults ? "" : "none");
}

/* Without each kind in turn, as long as something can go; then for half the time. */
static int shrink(struct options *o)
{
	char words[OUTPUT_MAX + 64];
	struct sim_result r;
	enum outcome wanted = run_one(o, &r, words);
	bool has_shrunk = true;

	if (wanted == OUTCOME_CLEAN) {
		printf("seed %llu is clean\n", (unsigned long long)o->first);
		return EXIT_CLEAN;
	}
	while (has_shrunk) {
		has_shrunk = false;
		for (size_t i = 0; i < SIM_FAULT_COUNT; i++) {
			struct options less = *o;

			less.faults &= ~(1ull << i);
			if (less.faults == o->faults || run_one(&less, &r, words) != wanted)
				continue;
			*o = less;
			has_shrunk = true;
		}
		for (uint64_t part = o->duration_s / 2; part > 0; part /= 2) {
			struct options less = *o;

			less.duration_s -= part;
			if (run_one(&less, &r, words) != wanted)
				continue;
			*o = less;
			has_shrunk = true;
		}
	}
	run_one(o, &r, words);
	printf("%s: %s\n", outcomes[wanted].name, words);
	print_command(o);
	return outcomes[wanted].code;
}

int main(int argc, char **argv)
{
	struct options options;

	if (argc > 1 && strcmp(argv[1], "--twins") == 0)
		return weft_sim_twins(argc - 1, argv + 1);
	read_options(&options, argc, argv);
	if (options.is_replay)
		return replay(&options);
	if (options.is_shrink)
		return shrink(&options);
	return run_seeds(&options);
}
