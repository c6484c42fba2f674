/*
 * weft-bench consensus - what agreement on one block costs, by the number of
 * validators: bare machines in one thread, real signatures, every message encoded
 * once and decoded by whoever gets it. No network, no disk, no execution: a block
 * is so many random bytes, and its hash theirs.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/bench.h"
#include "app/options.h"
#include "base/check.h"
#include "consensus/consensus.h"
#include "crypto/ecc.h"
#include "crypto/keccak.h"
#include "io/clock.h"

#define CHAIN_ID 31337
#define START_MS 1700000000000ull
#define TIMEOUT_MS 500
#define FOLLOW_MAX 64

/* What libhotstuff's blocks carry: peers.md and its example's configuration. */
#define COMMAND_COUNT 400
#define COMMAND_SIZE 32

struct consensus_flags {
	uint64_t blocks, size;
	bool help;
};

#define AT(member) offsetof(struct consensus_flags, member)

static const struct option option_list[] = {
	{ "blocks", OPTION_NUMBER, AT(blocks), "N", "blocks at 4 validators; fewer with more of them", 10, 1000000 },
	{ "size", OPTION_NUMBER, AT(size), "BYTES", "of a block in the table", 8, 1000000 },
	{ "help", OPTION_FLAG, AT(help), NULL, "this text" },
};

static const struct option_table table = { option_list, ARRAY_COUNT(option_list) };
static const struct consensus_flags defaults = { .blocks = 1000, .size = 600 };

/* --- machines on one wire --- */

struct site {
	struct world *world;
	size_t index;
	struct secret_key key;
	struct consensus *c;
	struct consensus_event follow[FOLLOW_MAX];
	size_t follow_count;
	uint64_t height; /* committed */
};

struct sent {
	size_t from;
	struct buf bytes;
};

struct world {
	bool is_signed;
	struct ecc *ecc;
	struct validator_set set;
	struct site *sites;
	size_t count;
	uint64_t now_ms;
	struct buf block;        /* of the height under way */
	struct sent *wire;       /* in order; what was delivered stays until the block is final */
	size_t wire_count, wire_capacity;
	/* Since the last look. */
	uint64_t messages, bytes, signs, verifies, certificate_size;
};

static int sign(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	struct site *s = ctx;

	s->world->signs++;
	if (s->world->is_signed)
		return ecc_sign(s->world->ecc, out, digest, &s->key, err);
	*out = (struct signature){ 0 };
	out->r[31] = out->s[31] = 1;
	return OK;
}

static bool verify(void *ctx, const struct signature *sig, const struct hash *digest, const struct addr *signer)
{
	struct site *s = ctx;
	struct addr found;

	s->world->verifies++;
	return !s->world->is_signed || (ecc_recover_address(s->world->ecc, &found, digest, sig, NULL) == OK &&
					addr_equal(&found, signer));
}

static bool is_block(void *ctx, struct bytes sealed, const struct hash *hash)
{
	struct hash found;

	(void)ctx;
	keccak256(&found, sealed);
	return hash_equal(&found, hash);
}

static void put_on_wire(struct world *w, size_t from, struct bytes bytes)
{
	if (w->wire_count == w->wire_capacity) {
		size_t capacity = MAX(w->wire_capacity * 2, (size_t)256);

		w->wire = xrealloc(w->wire, capacity * sizeof(w->wire[0]));
		memset(w->wire + w->wire_capacity, 0, (capacity - w->wire_capacity) * sizeof(w->wire[0]));
		w->wire_capacity = capacity;
	}
	w->wire[w->wire_count].from = from;
	buf_reset(&w->wire[w->wire_count].bytes);
	buf_append_bytes(&w->wire[w->wire_count++].bytes, bytes);
	w->messages += w->count - 1;
	w->bytes += bytes.size * (w->count - 1);
}

static void follow_with(struct site *s, struct consensus_event event)
{
	CHECK(s->follow_count < FOLLOW_MAX);
	event.now_ms = s->world->now_ms;
	s->follow[s->follow_count++] = event;
}

/* Another block at each height. */
static struct consensus_event propose(struct site *s, uint64_t height)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_PROPOSED };
	struct world *w = s->world;

	store_be64(w->block.data, height);
	event.proposed = (struct consensus_block){ .time_ms = w->now_ms, .has_txs = true, .sealed = buf_bytes(&w->block) };
	keccak256(&event.proposed.hash, event.proposed.sealed);
	return event;
}

static void on_effect(struct site *s, const struct consensus_effect *e)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_EXECUTED };

	switch (e->kind) {
	case CONSENSUS_EFFECT_PROPOSE:
		follow_with(s, propose(s, e->height));
		return;
	case CONSENSUS_EFFECT_EXECUTE:
		event.executed.hash = e->execute.block.hash;
		event.executed.is_valid = true;
		event.executed.time_ms = s->world->now_ms;
		event.executed.has_txs = true;
		follow_with(s, event);
		return;
	case CONSENSUS_EFFECT_PERSIST:
		event.kind = CONSENSUS_EVENT_PERSISTED;
		event.persisted = e->persist.number;
		follow_with(s, event);
		return;
	case CONSENSUS_EFFECT_SEND:
		put_on_wire(s->world, s->index, e->send);
		return;
	case CONSENSUS_EFFECT_COMMIT:
		s->height = e->height;
		s->world->certificate_size = e->commit.certificate.size;
		return;
	case CONSENSUS_EFFECT_TIMER:
	case CONSENSUS_EFFECT_TRACE:
	case CONSENSUS_EFFECT_CHECKPOINT:
		return;
	case CONSENSUS_EFFECT_EVIDENCE:
	case CONSENSUS_EFFECT_BEHIND:
	case CONSENSUS_EFFECT_SERVE:
		fatal("consensus without faults finds one: effect %d", (int)e->kind);
	}
	UNREACHABLE();
}

static void step(struct site *s, struct consensus_event event)
{
	struct consensus_effects effects;

	follow_with(s, event);
	for (size_t at = 0; at < s->follow_count; at++) {
		struct consensus_event next = s->follow[at];

		consensus_step(s->c, &next, &effects);
		for (size_t i = 0; i < effects.count; i++)
			on_effect(s, &effects.items[i]);
	}
	s->follow_count = 0;
}

static void deliver(struct site *s, struct bytes bytes)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_MESSAGE };
	struct message m = { 0 };

	CHECK(message_decode(&m, bytes, NULL) == OK);
	event.message = &m;
	step(s, event);
	message_clear(&m);
}

static void run_block(struct world *w)
{
	uint64_t height = w->sites[0].height + 1;

	w->now_ms++;
	for (size_t i = 0; i < w->count; i++)
		step(&w->sites[i], (struct consensus_event){ .kind = CONSENSUS_EVENT_WORK, .has_work = true });
	for (size_t at = 0; at < w->wire_count; at++)
		for (size_t i = 0; i < w->count; i++)
			if (i != w->wire[at].from)
				deliver(&w->sites[i], buf_bytes(&w->wire[at].bytes));
	w->wire_count = 0;
	for (size_t i = 0; i < w->count; i++)
		CHECK(w->sites[i].height == height);
}

/* --- life --- */

static void make_sites(struct world *w)
{
	struct validator *members = xcalloc(w->count, sizeof(members[0]));
	struct public_key key;

	w->sites = xcalloc(w->count, sizeof(w->sites[0]));
	for (size_t i = 0; i < w->count; i++) {
		struct site *s = &w->sites[i];

		s->world = w;
		s->index = i;
		store_be64(s->key.bytes + 24, i + 1);
		CHECK(ecc_public_key(w->ecc, &key, &s->key, NULL) == OK);
		ecc_address(&members[i].address, &key);
		members[i].weight.n = 1;
	}
	CHECK(validator_set_init(&w->set, members, w->count, NULL) == OK);
	free(members);
}

static void make(struct world *w, size_t count, size_t block_size, bool is_signed)
{
	struct consensus_config config = {
		.chain_id = CHAIN_ID, .epoch = { .first = 1, .set = &w->set }, .heartbeat_ms = 30000,
		.view_timeout_ms = TIMEOUT_MS, .sign = sign, .verify = verify, .is_block = is_block,
	};
	const struct consensus_tip tip = { .time_ms = START_MS };
	const uint8_t seed[32] = { 1 };

	*w = (struct world){ .is_signed = is_signed, .count = count, .now_ms = START_MS };
	w->ecc = ecc_new(seed);
	memset(buf_extend(&w->block, block_size), 0, block_size);
	make_sites(w);
	for (size_t i = 0; i < count; i++) {
		struct public_key key;

		CHECK(ecc_public_key(w->ecc, &key, &w->sites[i].key, NULL) == OK);
		ecc_address(&config.self, &key);
		config.ctx = &w->sites[i];
		CHECK(consensus_new(&w->sites[i].c, &config, &tip, NULL) == OK);
	}
}

static void clear(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		consensus_free(w->sites[i].c);
	for (size_t i = 0; i < w->wire_capacity; i++)
		buf_clear(&w->wire[i].bytes);
	free(w->wire);
	free(w->sites);
	buf_clear(&w->block);
	ecc_free(w->ecc);
}

/* CPU microseconds a block. */
static double run_blocks(struct world *w, uint64_t blocks)
{
	uint64_t start_us;

	run_block(w); /* buffers grow to what is needed */
	w->messages = w->bytes = w->signs = w->verifies = 0;
	start_us = io_cpu_us();
	for (uint64_t i = 0; i < blocks; i++)
		run_block(w);
	return (double)(io_cpu_us() - start_us) / (double)blocks;
}

/* --- the report --- */

static void report_table(uint64_t blocks, size_t block_size)
{
	static const size_t counts[] = { 1, 4, 7, 16, 51 };
	double per_validator_4 = 0;

	printf("One block of %zu bytes, real signatures, all validators in one thread\n\n"
	       "validators  messages     bytes  signed  verified  certificate  CPU, all    a validator      per other\n",
	       block_size);
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
		size_t n = counts[i];
		uint64_t rounds = MAX(blocks * 16 / (n * n + 1), (uint64_t)5);
		struct world w;
		double us, each, r = (double)rounds;

		make(&w, n, block_size, true);
		us = run_blocks(&w, rounds);
		each = us / (double)n;
		printf("%10zu  %8.0f  %8.0f  %6.0f  %8.0f  %9" PRIu64 " B  %6.2f ms  %8.0f us", n,
		       (double)w.messages / r, (double)w.bytes / r, (double)w.signs / r, (double)w.verifies / r,
		       w.certificate_size, us / 1000, each);
		if (n > 1)
			printf("  %6.1f us", each / (double)(n - 1));
		if (n == 4)
			per_validator_4 = each / (double)n;
		if (n > 4)
			printf("  (%.2f of linear)", each / ((double)n * per_validator_4));
		printf("\n");
		clear(&w);
	}
	printf("\n\"of linear\": a validator's cost, against that at 4 validators times validators / 4.\n");
}

static void report_rate(uint64_t blocks, bool is_signed, size_t commands)
{
	size_t block_size = commands ? commands * COMMAND_SIZE : 8;
	struct world w;
	double us;

	make(&w, 4, block_size, is_signed);
	us = run_blocks(&w, is_signed ? blocks : 10 * blocks);
	printf("4 validators in one thread, %s, ", is_signed ? "signed" : "unsigned");
	if (commands)
		printf("%zu commands of %d bytes a block: %8.0f blocks/s, %10.0f commands/s\n", commands, COMMAND_SIZE,
		       1e6 / us, (double)commands * 1e6 / us);
	else
		printf("empty blocks:                       %8.0f blocks/s\n", 1e6 / us);
	clear(&w);
}

int bench_consensus(int argc, char **argv)
{
	struct consensus_flags f = defaults;
	struct options_seen seen = { 0 };
	const char *words[1];
	size_t word_count;
	struct err err = { 0 };
	int code = options_parse_arguments(&table, &f, &seen, argc, argv, words, 1, &word_count, &err);

	if (code == OK && word_count > 0)
		code = ERR_SET(&err, APP_E_USAGE, "consensus takes options only, not \"%s\"", words[0]);
	if (code != OK) {
		fprintf(stderr, "weft-bench consensus: %s\n", err.message);
		return BENCH_EXIT_USAGE;
	}
	if (f.help) {
		puts("usage: weft-bench consensus [options]\n\n"
		     "Agreement on one block by the number of validators: messages, bytes, CPU.\n");
		options_print(stdout, &table, &defaults);
		return BENCH_EXIT_OK;
	}
	report_table(f.blocks, f.size);
	printf("\n");
	report_rate(f.blocks, true, 0);
	report_rate(f.blocks, false, 0);
	report_rate(f.blocks, true, COMMAND_COUNT);
	report_rate(f.blocks, false, COMMAND_COUNT);
	return fflush(stdout) ? BENCH_EXIT_FAILURE : BENCH_EXIT_OK;
}
