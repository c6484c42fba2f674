/*
 * sample - a chain of synthetic blocks that follows from a seed: transfers
 * between a few accounts, accounts that come and go, contracts with storage,
 * new code, withdrawals; made through overlay and tree as the node does, with a
 * plain model of the state beside it.
 */
#ifndef WEFT_TEST_STORE_SAMPLE_H
#define WEFT_TEST_STORE_SAMPLE_H

#include "base/rand.h"
#include "crypto/ecc.h"
#include "state/overlay.h"
#include "store/store.h"

#define SAMPLE_ACCOUNT_COUNT 48 /* the last four have code and storage */
#define SAMPLE_CONTRACT_COUNT 4
#define SAMPLE_SLOT_COUNT 12    /* a contract */
#define SAMPLE_HEIGHT_MAX 400
#define SAMPLE_LOG_ADDRESS_COUNT 6
#define SAMPLE_LOG_TOPIC_COUNT 5 /* at one place */

struct sample_state {
	struct {
		bool exists;
		uint64_t nonce, balance;
		uint64_t code; /* number of its code; 0: none */
	} accounts[SAMPLE_ACCOUNT_COUNT];
	uint64_t slots[SAMPLE_CONTRACT_COUNT][SAMPLE_SLOT_COUNT];
};

struct sample {
	uint64_t seed;
	struct genesis genesis;
	struct store_options options;
	struct ecc *ecc;
	struct overlay *overlay;
	struct store *s;          /* NULL while closed */
	struct store_report report;

	/* the node's side */
	uint64_t height;
	struct header parent;
	struct hash parent_hash;
	uint64_t time_ms, withdrawal_index;
	struct mmr range;         /* over the hashes below the next block */
	struct sample_state *states; /* after each height */
	struct hash hashes[SAMPLE_HEIGHT_MAX + 1];
	struct hash roots[SAMPLE_HEIGHT_MAX + 1];
	uint64_t times_ms[SAMPLE_HEIGHT_MAX + 1];
};

struct sample_block {
	struct store_block b;
	struct block block;
	struct receipt *receipts;
	struct state_diff diff;
	struct buf certificate;
	struct epoch epoch;       /* every seventh block ends one */
};

/* `dir` NULL: in memory. Nothing is opened. */
void sample_init(struct sample *m, uint64_t seed, const char *dir);
void sample_clear(struct sample *m);

/* Opens the store, at whatever tip it has; the node's side stands there. Heights
 * up to the tip must have been made by this sample, or be 0. */
int sample_open(struct sample *m, struct err *err);
void sample_close(struct sample *m);

/* Makes the next block on the node's side. */
void sample_make(struct sample *m, struct sample_block *out, size_t tx_count);
void sample_block_clear(struct sample_block *b);

/* Makes, logs, syncs and applies `count` blocks. */
void sample_run(struct sample *m, uint64_t count);

/* Both halves of a flush at the tip. */
void sample_flush(struct sample *m);

/* Compares the state at `height`, seen through `v`, with the model's. NULL if
 * equal, else what differs. */
const char *sample_compare(const struct sample *m, uint64_t height, const struct state_view *v);

/* A filter for the logs of such blocks, to be cleared; some name what is nowhere. */
void sample_filter(struct log_filter *out, struct rng *rng);

/* Compares what the index finds with what reading the blocks finds; *count: how many. */
const char *sample_compare_logs(struct store_reader *r, const struct log_filter *f, uint64_t from,
				uint64_t to, size_t *count);

/* Compares everything that the store holds, up to `height`, which must be its tip. */
const char *sample_compare_store(const struct sample *m, uint64_t height);

#endif
