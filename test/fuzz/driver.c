/*
 * driver - runs one fuzz target without a fuzzer, and speaks TAP.
 *
 * Adding a target: write test/fuzz/fuzz_<name>.c, which includes fuzz.h and
 * defines LLVMFuzzerTestOneInput() and fuzz_seeds; then add its two names and
 * four lines to test/fuzz/Makefile.am. A target states a property of any bytes, as
 * a rule "what decodes, encodes to the same bytes", and CHECKs it; it keeps no
 * state from one input to the next and bounds what it allocates.
 *
 *     fuzz_rlp              the seeds, then mutations of them and random bytes:
 *                           bounded, the same every time (make check does this)
 *     fuzz_rlp FILE…        each file once, to look at a finding
 *     fuzz_rlp --seeds DIR  writes the seeds as files, for libFuzzer to start from
 *     FUZZ_COUNT=1000000 FUZZ_SEED=7 fuzz_rlp       a longer run of another seed
 *
 * `../configure --enable-fuzzing CC=clang-19` also builds libfuzzer_<name>, the
 * same target with coverage feedback: build/test/fuzz/libfuzzer_rlp CORPUS_DIR.
 * A crash of it is a file; put its bytes into fuzz_seeds when you fix the bug.
 * contrib/fuzz does all of this, and keeps count.
 */
#include "fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/rand.h"

#define COUNT_DEFAULT 20000
#define INPUT_SIZE_MAX 4096
#define SEED_COUNT_MAX 256

/* The input under way, for the report of a crash; the one global, since a signal
 * handler takes no argument. */
static struct {
	const uint8_t *data;
	size_t size;
	char label[64];
} under_way;

static void write_text(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(99);
}

/* A crash names its input, in the form that fuzz_seeds takes. */
static void report(void)
{
	static const char digits[] = "0123456789abcdef";

	write_text("not ok - ");
	write_text(under_way.label);
	write_text("\n# input: ");
	for (size_t i = 0; i < under_way.size; i++) {
		char pair[3] = { digits[under_way.data[i] >> 4], digits[under_way.data[i] & 15] };

		write_text(pair);
	}
	write_text("\n");
}

static void on_crash(int signal_number)
{
	report();
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* There only with AddressSanitizer, which then reports bad accesses itself. */
void __asan_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void watch_for_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };

	signal(SIGABRT, on_crash);
	if (__asan_set_death_callback) {
		__asan_set_death_callback(report);
		return;
	}
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
		signal(signals[i], on_crash);
}

/* The target sees a copy of exactly the input's size, so that a sanitizer
 * notices one byte too far. */
static void run_one(const char *label, struct bytes input)
{
	uint8_t *copy = xmalloc(input.size);

	if (input.size)
		memcpy(copy, input.data, input.size);
	snprintf(under_way.label, sizeof(under_way.label), "%s", label);
	under_way.data = copy;
	under_way.size = input.size;
	LLVMFuzzerTestOneInput(copy, input.size);
	under_way.size = 0;
	free(copy);
}

/* --- seeds --- */

static struct buf from_hex(const char *text)
{
	struct buf out = { 0 };
	int high = -1;

	for (; *text; text++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit;

		if (*text == ' ' || *text == '\n')
			continue;
		digit = strchr(digits, *text);
		CHECK(digit);
		if (high >= 0)
			buf_append_byte(&out, (uint8_t)(high << 4 | (digit - digits)));
		high = high >= 0 ? -1 : (int)(digit - digits);
	}
	CHECK(high < 0);
	return out;
}

struct corpus {
	struct buf seeds[SEED_COUNT_MAX];
	size_t count;
};

static void load_seeds(struct corpus *c)
{
	for (c->count = 0; fuzz_seeds[c->count]; c->count++) {
		CHECK(c->count < SEED_COUNT_MAX);
		c->seeds[c->count] = from_hex(fuzz_seeds[c->count]);
	}
}

static void free_seeds(struct corpus *c)
{
	for (size_t i = 0; i < c->count; i++)
		buf_clear(&c->seeds[i]);
}

/* --- mutation --- */

static void insert(struct buf *b, size_t at, struct bytes piece)
{
	size_t tail = b->size - at;

	buf_extend(b, piece.size);
	memmove(b->data + at + piece.size, b->data + at, tail);
	if (piece.size)
		memcpy(b->data + at, piece.data, piece.size);
}

static void erase(struct buf *b, size_t at, size_t size)
{
	memmove(b->data + at, b->data + at + size, b->size - at - size);
	b->size -= size;
}

static size_t size_below(struct rng *r, size_t bound)
{
	return bound ? (size_t)rng_below(r, bound) : 0;
}

/* A byte that lengths, kinds and escapes turn on more often than others. */
static uint8_t draw_byte(struct rng *r)
{
	static const uint8_t edges[] = {
		0x00, 0x01, 0x37, 0x38, 0x7f, 0x80, 0x81, 0xb7, 0xb8, 0xbf, 0xc0, 0xc1, 0xf7,
		0xf8, 0xff, '"', '\\', '[', ']', '{', '}', ',', ':', '0', 'x', 'u',
	};

	if (rng_below(r, 3) == 0)
		return edges[rng_below(r, sizeof(edges))];
	return (uint8_t)rng_next(r);
}

enum mutation { FLIP_BIT, SET_BYTE, INSERT_BYTE, ERASE_RUN, REPEAT_RUN, SPLICE, STEP, MUTATION_COUNT };

static void mutate_once(struct buf *b, const struct corpus *c, struct rng *r)
{
	size_t at = size_below(r, b->size), run = size_below(r, b->size - at + 1);
	const struct buf *other = &c->seeds[size_below(r, c->count)];
	uint8_t piece[64], byte = draw_byte(r);

	switch ((enum mutation)rng_below(r, MUTATION_COUNT)) {
	case FLIP_BIT:
		if (b->size)
			b->data[at] ^= (uint8_t)(1u << rng_below(r, 8));
		break;
	case SET_BYTE:
		if (b->size)
			b->data[at] = byte;
		break;
	case INSERT_BYTE:
		insert(b, at, bytes_of(&byte, 1));
		break;
	case ERASE_RUN:
		erase(b, at, rng_below(r, 2) ? run : MIN(run, (size_t)1));
		break;
	case REPEAT_RUN:
		run = MIN(run, sizeof(piece));
		if (run) {
			memcpy(piece, b->data + at, run);
			insert(b, at, bytes_of(piece, run));
		}
		break;
	case SPLICE:
		if (c->count && other->size) {
			size_t from = size_below(r, other->size);

			run = size_below(r, 64) + 1;
			run = MIN(run, other->size - from);
			insert(b, at, bytes_of(other->data + from, run));
		}
		break;
	case STEP:
		if (b->size)
			b->data[at] = (uint8_t)(b->data[at] + (rng_below(r, 2) ? 1 : -1));
		break;
	case MUTATION_COUNT:
		UNREACHABLE();
	}
}

/* One input: mostly a seed with a few changes, sometimes bytes from nowhere. */
static void draw_input(struct buf *b, const struct corpus *c, struct rng *r)
{
	buf_reset(b);
	if (c->count && rng_below(r, 4) != 0) {
		buf_append_bytes(b, buf_bytes(&c->seeds[rng_below(r, c->count)]));
		for (uint64_t n = rng_below(r, 6) + 1; n > 0; n--)
			mutate_once(b, c, r);
	} else {
		for (uint64_t n = rng_below(r, rng_below(r, 8) ? 40 : 400); n > 0; n--)
			buf_append_byte(b, draw_byte(r));
	}
	b->size = MIN(b->size, (size_t)INPUT_SIZE_MAX);
}

/* --- runs --- */

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static int run_generated(void)
{
	uint64_t count = number_from("FUZZ_COUNT", COUNT_DEFAULT);
	uint64_t seed = number_from("FUZZ_SEED", 1);
	struct buf input = { 0 };
	struct corpus corpus;
	char label[64];
	struct rng r;

	load_seeds(&corpus);
	printf("1..2\n");
	fflush(stdout);
	for (size_t i = 0; i < corpus.count; i++) {
		snprintf(label, sizeof(label), "seed %zu", i);
		run_one(label, buf_bytes(&corpus.seeds[i]));
	}
	run_one("empty input", bytes_of(NULL, 0));
	printf("ok 1 - %zu seeds and the empty input\n", corpus.count);
	fflush(stdout);
	rng_init(&r, seed);
	for (uint64_t i = 0; i < count; i++) {
		draw_input(&input, &corpus, &r);
		snprintf(label, sizeof(label), "FUZZ_SEED=%llu input %llu",
			 (unsigned long long)seed, (unsigned long long)i);
		run_one(label, buf_bytes(&input));
	}
	printf("ok 2 - %llu generated inputs of seed %llu\n", (unsigned long long)count,
	       (unsigned long long)seed);
	buf_clear(&input);
	free_seeds(&corpus);
	return 0;
}

static bool read_file(struct buf *out, const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t got;

	if (!file)
		return false;
	do {
		buf_reserve(out, 4096);
		got = fread(out->data + out->size, 1, 4096, file);
		out->size += got;
	} while (got > 0);
	return fclose(file) == 0;
}

static int run_files(int count, char **paths)
{
	int status = 0;

	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		struct buf input = { 0 };
		bool readable = read_file(&input, paths[i]);

		fflush(stdout);
		if (readable)
			run_one(paths[i], buf_bytes(&input));
		else
			status = 1;
		printf("%s %d - %s%s\n", readable ? "ok" : "not ok", i + 1, paths[i],
		       readable ? "" : " cannot be read");
		buf_clear(&input);
	}
	return status;
}

static int write_seeds(const char *folder)
{
	struct corpus corpus;
	int status = 0;

	load_seeds(&corpus);
	for (size_t i = 0; i < corpus.count; i++) {
		char path[4096];
		FILE *file;

		snprintf(path, sizeof(path), "%s/seed-%zu", folder, i);
		file = fopen(path, "wb");
		if (!file || fwrite(corpus.seeds[i].data, 1, corpus.seeds[i].size, file) != corpus.seeds[i].size) {
			fprintf(stderr, "%s can't be written\n", path);
			status = 1;
		}
		if (file && fclose(file) != 0)
			status = 1;
	}
	free_seeds(&corpus);
	return status;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2]);
	watch_for_crashes();
	return argc > 1 ? run_files(argc - 1, argv + 1) : run_generated();
}
