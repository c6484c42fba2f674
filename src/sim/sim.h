/*
 * sim - whole nodes over virtual time: one seed gives one run, to the byte.
 *
 *            plan (seed) ──► faults: what, when, to whom
 *                              │
 *    client ──transfers──► site 0 ┐            ┌─► frames: delayed, lost, doubled, …
 *                          site 1 ├─ node_io ──┤
 *                          …      ┘            └─► disk: torn, full, slow, …
 *                              │
 *              heads, bytes on the wire ──► oracle: what must never happen
 *
 * A site is a real node (src/node and all below it) on a `struct node_io` of ours.
 * There is one thread and one heap of events; time is where the next event stands.
 * Workers, the writer and the network take virtual time, drawn from the seed.
 *
 * Liars hold at most f of the weight: they are real nodes, too, whose outgoing
 * messages are changed and signed again (liar.c), or pairs of nodes with one key.
 *
 * A run: faults for `duration_ms`; then they stop, what was cut is healed, what was
 * down starts again, and everything that was sent must become final within a time
 * that follows from the views that were reached (oracle.h).
 *
 * Signatures are stubs (ecc_stub.c); hashing, encodings and execution are real.
 */
#ifndef WEFT_SIM_SIM_H
#define WEFT_SIM_SIM_H

#include <stddef.h>

#include "base/log.h"

/* name, how often what happens at a moment does (ms, on average; 0: it is so from the start), text,
 * what it does */
#define SIM_FAULT_TABLE(X)                                                                     \
	X(DELAY, 0, "delay", "links with a mean delay of 30-100 ms")                           \
	X(LOSS, 0, "loss", "0-30 % of all frames are lost")                                    \
	X(REPLAY, 0, "replay", "0-50 % of all frames come twice, the second time late")        \
	X(REORDER, 0, "reorder", "frames overtake each other")                                 \
	X(CLOG, 2000, "clog", "a link stands still for up to 5 s")                             \
	X(RESET, 8000, "reset", "connections break, with what was under way")                  \
	X(SPLIT, 15000, "split", "the nodes are split into two sides")                         \
	X(ISOLATE, 8000, "isolate", "one node is cut off")                                     \
	X(ONE_WAY, 8000, "one-way", "a link is cut in one direction")                          \
	X(CRASH, 10000, "crash", "a node loses its power, and starts again")                   \
	X(PAUSE, 8000, "pause", "a node stands still for up to 10 s")                          \
	X(RESTART, 15000, "restart", "a node ends in good order, and starts again")            \
	X(CLOCK, 0, "clock", "clocks that are up to 30 s wrong")                               \
	X(JUMP, 15000, "jump", "a clock jumps by up to 30 s, either way")                      \
	X(WORKER, 0, "worker", "workers that take up to 5 s")                                  \
	X(WEIGHTS, 10000, "weights", "epochs: validators vote other weights, also while views change") \
	X(MEMBERS, 10000, "members", "epochs: observers are voted in, validators out")         \
	/* Liars, up to f of the weight. */                                                    \
	X(TWINS, 10000, "twins", "liars: two nodes with one key, each with some of the others") \
	X(SILENT, 0, "silent-leader", "liars: proposals that some never get")                  \
	X(BAD_NEW_VIEW, 0, "bad-new-view", "liars: proposals whose justification is wrong, claims left out") \
	X(HUGE_VIEW, 0, "huge-view", "liars: view-changes to views far away")                  \
	X(OLD, 0, "old-messages", "liars: what they sent long ago, again")                     \
	X(TRICKLE, 0, "trickle", "liars: votes that come late, one here, one there")           \
	X(EQUIVOCATE, 0, "equivocate", "liars: two blocks, two votes, to two parts of the others") \
	X(FORGE, 0, "forge", "liars: in others' names, for other heights, bytes that are none") \
	/* The disk's, in the order of disk.h. */                                              \
	X(DISK, 0, "torn-write", "disk: a crash leaves some of what was not synced")           \
	X(LOST_WRITE, 0, "lost-write", "disk: a crash leaves nothing of it")                   \
	X(GARBAGE, 0, "garbage", "disk: a crash leaves garbage where a file grew")             \
	X(LOST_NAME, 0, "lost-name", "disk: a crash undoes changes of a directory")            \
	X(LOST_BATCH, 0, "lost-batch", "disk: the key-value store wakes at an earlier moment") \
	X(EARLY_WRITE, 0, "early-write", "disk: some of what is written is durable before the rest") \
	X(MISDIRECTED_WRITE, 0, "misdirected-write", "disk: a sector lies elsewhere")          \
	X(MISDIRECTED_READ, 0, "misdirected-read", "disk: a read gives other bytes")           \
	X(CORRUPT_READ, 0, "corrupt-read", "disk: a read gives a flipped bit")                 \
	X(READ_ERROR, 0, "read-error", "disk: a read fails")                                   \
	X(ROT, 0, "rot", "disk: bits at rest flip")                                            \
	X(KV_ROT, 0, "kv-rot", "disk: keys of the key-value store are lost")                   \
	X(FULL, 0, "full", "disk: full for a while")                                           \
	X(WRITE_ERROR, 0, "write-error", "disk: a write fails")                                \
	X(FAILED_SYNC, 0, "failed-sync", "disk: a sync fails, and what was written is gone")   \
	X(SLOW_SYNC, 0, "slow-sync", "disk: a sync takes up to a second")                      \
	X(CRASH_SYNC, 0, "crash-sync", "the machine dies in a write, a sync or a rename")

enum sim_fault {
#define X(name, every_ms, text, what) SIM_FAULT_##name,
	SIM_FAULT_TABLE(X)
#undef X
	SIM_FAULT_COUNT
};

#define SIM_FAULTS_ALL ((1ull << SIM_FAULT_COUNT) - 1)
const char *sim_fault_name(enum sim_fault fault);
const char *sim_fault_what(enum sim_fault fault);

/* A comma-separated list of names, "all" or "none"; false if a name is unknown. */
bool sim_faults_parse(uint64_t *out, const char *list);

#define SIM_DURATION_MS 60000 /* a run's least */
#define SIM_BLOCK_COUNT 50
#define SIM_FAULTY_MS 50000   /* of that with faults, by default */
#define SIM_VALIDATOR_MAX 10

struct sim_options {
	uint64_t seed;
	size_t validators;    /* 1-10; 0: 4-10, drawn from the seed */
	uint64_t duration_ms; /* with faults */
	uint64_t faults;      /* a bit for each that may occur; the seed chooses among them */
	const struct log *log; /* the nodes' lines; NULL: none */
};

enum sim_verdict {
	SIM_CLEAN,
	SIM_SAFETY,   /* a promise was broken */
	SIM_LIVENESS, /* the chain or a node did not go on */
	SIM_STOPPED,  /* a node gave up for no fault that it was given */
};
const char *sim_verdict_name(enum sim_verdict verdict);

struct sim_result {
	enum sim_verdict verdict;
	char message[512];    /* what was found, empty if nothing */
	uint64_t time_ms;     /* simulated */
	uint64_t event_count, frame_count;
	uint64_t block_count, tx_count; /* final */
	uint64_t view_max;
	uint64_t check_count; /* what the oracle compared */
	uint64_t firings[SIM_FAULT_COUNT];
	uint64_t digest;      /* of all that became final and of all that was sent: the same for the same seed */
};

/* Runs one seed. A CHECK or fatal() in what is simulated ends the process. */
void sim_run(const struct sim_options *options, struct sim_result *result);

#endif
