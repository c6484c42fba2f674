/*
 * harness - N consensus machines in one process, in virtual time, driven by one
 * seed: the same seed gives the same run.
 *
 *   plan.c       what a seed draws: faults, validators, and the sets that decide one after the other
 *   world.c      time, network, faults, a run
 *   machine.c    one machine's caller: executes, writes, sends, crashes, starts again
 *   byzantine.c  validators that lie
 *   oracle.c     what must hold, whatever happens; shares no code with src/consensus
 *
 * A run has two halves. In the first, faults happen as the plan drawn from the
 * seed has it. Then they stop, but for validators that lie: these, at most f
 * weight, go on. The run ends well when every correct machine has made some more
 * heights within the views that the protocol promises.
 *
 * A machine's caller is as simple as the node's: it executes one block at a time,
 * keeps one candidate, has one disk whose writes complete in order. A crash keeps
 * what was durable, and of the rest any beginning.
 */
#ifndef WEFT_TEST_CONSENSUS_HARNESS_H
#define WEFT_TEST_CONSENSUS_HARNESS_H

#include <stdarg.h>

#include "base/check.h"
#include "base/rand.h"
#include "consensus/consensus.h"

#define WORLD_VALIDATOR_MAX 7
#define WORLD_MACHINE_MAX (WORLD_VALIDATOR_MAX + 2) /* twins besides */
#define WORLD_CHAIN_ID 31337
#define WORLD_START_MS 1700000000000ull
#define NOBODY ((size_t)-1)

#define FAULT_TABLE(X)                                                       \
	X(DELAY, "message delayed beyond a time-out")                        \
	X(LOSS, "message lost")                                              \
	X(REORDER, "message overtaken by a later one")                       \
	X(DUPLICATE, "message delivered twice")                              \
	X(PARTITION, "message stopped by a partition")                       \
	X(CRASH_WRITE, "crash at a numbered write")                          \
	X(CRASH_EFFECT, "crash between two effects of one step")             \
	X(CRASH_TORN, "crash that lost writes not yet synced")               \
	X(CRASH_ALL, "all machines crashed at once")                         \
	X(RESUME, "restart bound to what it had signed")                     \
	X(TRIM, "log trimmed to one record")                                 \
	X(SLOW_DISK, "sync slower than a time-out")                          \
	X(SLOW_EXECUTION, "execution slower than a time-out")                \
	X(CLOCK, "clock set or off")                                         \
	X(CLOCK_REFUSED, "block refused by a clock")                         \
	X(SILENT_LEADER, "proposal kept back by its leader")                 \
	X(EQUIVOCATION, "two proposals of one view")                         \
	X(DOUBLE_VOTE, "two votes at one position")                          \
	X(TWIN, "message of a second machine with the same key")             \
	X(BAD_NEW_VIEW, "unjustified proposal above view 0")                 \
	X(FALSE_CLAIM, "view-change with a claim that is not proven")        \
	X(WRONG_BLOCK, "proven claim with another block's bytes")            \
	X(HIDDEN_CLAIM, "view-change that keeps its certificate back")       \
	X(HUGE_VIEW, "message of a huge view")                               \
	X(FAR_HEIGHT, "message of a height far above")                       \
	X(BAD_SIGNATURE, "message with a forged signature")                  \
	X(INVALID_BLOCK, "proposal that does not execute")                   \
	X(REPLAY, "old message sent again")                                  \
	X(CARRIED, "prepared block carried into a later view")               \
	X(FETCHED, "block fetched by one that was behind")                   \
	X(SERVED, "block served to one that asked for a view")               \
	X(EVIDENCE, "evidence found")                                        \
	X(JUMP, "view entered above the next")                               \
	X(EARLY, "proposal kept until its height came")                      \
	X(EPOCH, "set changed")                                              \
	X(EPOCH_VIEW, "set changed by a block agreed on above view 0")       \
	X(FIRST_VIEW, "first block of a set agreed on above view 0")         \
	X(ENTERED, "machine that became a member")                           \
	X(LEFT, "machine that was a member no more")                         \
	X(CHECKPOINT, "checkpoint signed")                                   \
	X(TWO_CHECKPOINTS, "two checkpoints of one height")

enum fault {
#define X(name, text) FAULT_##name,
	FAULT_TABLE(X)
#undef X
	FAULT_COUNT
};
const char *fault_text(enum fault f);

/* --- blocks: bytes whose keccak256 is the hash --- */

struct toy_block {
	uint64_t height, time_ms, nonce;
	struct hash parent;
	uint8_t proposer;
	bool is_valid, has_txs;
};
#define TOY_BLOCK_SIZE 72
void toy_encode(uint8_t out[TOY_BLOCK_SIZE], const struct toy_block *b);
bool toy_decode(struct toy_block *out, struct bytes sealed);

/* --- a machine and its caller --- */

/* A write on the disk. */
struct item {
	bool is_block;
	uint64_t number;          /* of a record */
	bool is_whole;            /* a trimmed log starts here */
	struct hash hash;         /* of a block, then: */
	struct toy_block block;
	struct buf certificate;
	struct buf data;          /* record, or sealed block */
	uint64_t done_ms;
};

struct machine {
	size_t index;             /* in the world */
	size_t validator;
	struct world *world;
	struct consensus *c;      /* NULL while crashed */
	unsigned life;            /* counts restarts: events of an earlier one are void */
	struct item *items;
	size_t item_count, durable_count;
	uint64_t disk_free_ms;
	struct consensus_tip tip;
	struct hash candidate;    /* what the caller has executed last */
	bool has_candidate;
	struct buf bound;
	uint64_t tick_ms;         /* wanted */
	int64_t clock_offset_ms;
	uint64_t crash_at_write;  /* numbered over all lives; 0: none */
	uint64_t write_count;
	size_t crash_at_effect;   /* 0: none */
	size_t effect_count;
	uint64_t view_height;     /* of the newest status, for JUMP */
	uint64_t view;
	uint64_t epoch;           /* of the newest status */
	bool is_member;
	uint64_t checkpoint_ms;   /* when it signed one last, in this life */
};

/* --- the plan that a seed draws --- */

struct plan {
	size_t count;
	bool is_skewed, has_real_keys;
	uint64_t t0_ms, heartbeat_ms, min_interval_ms;
	uint64_t delay_ms, loss_permille, duplicate_permille, slow_permille;
	uint64_t disk_ms, slow_disk_permille, slow_execution_permille;
	uint64_t partition_permille, crash_permille, crash_all_permille, clock_permille;
	uint64_t trim_permille;
	bool is_work_uneven;      /* transactions reach some machines only */
	uint64_t faults_end_ms;   /* virtual milliseconds from the start */
	uint64_t attack_permille;
	size_t liars[2];          /* validators; NOBODY */
	bool is_silent;           /* the liars keep their proposals back */
	size_t twin_of;           /* a liar that runs twice, or NOBODY */
	uint64_t epoch_heights;   /* an epoch has 1 to so many; 0: the first goes on for ever */
};

/* Who decides from a height on. A validator is known by its place among all; in a set it
 * has an index of its own. */
#define WORLD_EPOCH_MAX 64
#define WORLD_TURN_MAX (WORLD_VALIDATOR_MAX * 9)
struct world_epoch {
	struct consensus_epoch is;
	struct validator_set set;
	uint8_t turns[WORLD_TURN_MAX]; /* one period of proposers, by index */
	uint64_t period;
};

struct world;

enum event_kind {
	EVENT_MESSAGE,
	EVENT_CHECKPOINT, /* another's */
	EVENT_TICK,
	EVENT_WRITTEN,  /* the disk's oldest write is durable */
	EVENT_PROPOSED,
	EVENT_EXECUTED,
	EVENT_FETCHED,  /* a block with its certificate has come */
	EVENT_RESTART,
	EVENT_WORK,
	EVENT_WEATHER,  /* faults begin and end */
};

struct event {
	uint64_t at_ms, number;
	enum event_kind kind;
	size_t machine;
	unsigned life;
	struct buf data;        /* MESSAGE, CHECKPOINT: encoded; PROPOSED, FETCHED: the sealed block */
	struct buf certificate; /* FETCHED */
	struct hash hash;       /* EXECUTED */
	bool is_valid;
};

struct world {
	uint64_t seed;
	bool is_loud;             /* prints what happens */
	struct plan plan;
	struct rng rng;
	uint64_t now_ms;          /* virtual, from WORLD_START_MS */
	bool is_healed;
	struct validator_set all; /* whoever is ever in a set */
	struct world_epoch epochs[WORLD_EPOCH_MAX];
	size_t epoch_count;
	struct secret_key keys[WORLD_VALIDATOR_MAX];
	struct ecc *ecc;          /* with real keys */
	struct machine machines[WORLD_MACHINE_MAX];
	size_t machine_count;
	uint32_t partition;       /* bit i: machine i is on the other side; 0: none */
	bool is_one_way;

	struct event *heap;
	size_t event_count, event_capacity;
	uint64_t event_number;

	struct oracle *oracle;
	struct liar *liar;
	uint64_t fired[FAULT_COUNT];
	bool has_failed;
	char failure[512];
};

/* Runs a seed to its end; adds to `fired`. False if something did not hold: why is
 * in `failure`. */
struct outcome {
	uint64_t fired[FAULT_COUNT];
	uint64_t heights;
	uint64_t messages;
	uint64_t worst_views;     /* after the faults, above what was reached before */
	char failure[512];
};
bool world_run(uint64_t seed, bool is_loud, struct outcome *out);

/* The same with a plan of the caller's, and a crash of machine 0 after the effect
 * with that number (0: none). `effects` says how many there were. */
bool world_run_plan(const struct plan *plan, uint64_t seed, size_t crash_at_effect, bool is_loud,
		    size_t *effects, struct outcome *out);
void plan_quiet(struct plan *plan, size_t count);

/* --- for the parts of the harness --- */

void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_say(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool chance(struct world *w, uint64_t permille);
/* Who decides a height; a validator's index there, or NOBODY; whose turn it is. */
const struct world_epoch *world_epoch_at(const struct world *w, uint64_t height);
size_t world_index(const struct world *w, uint64_t height, size_t validator);
size_t world_validator(const struct world *w, const struct addr *address);
size_t world_proposer(const struct world *w, uint64_t height, uint64_t view);
bool world_is_liar(const struct world *w, size_t validator);
void world_sign(struct world *w, size_t validator, const struct hash *digest, struct signature *out);
bool world_verify(const struct world *w, const struct signature *sig, const struct hash *digest,
		  const struct addr *signer);
/* Puts bytes on the wire from a machine to another: a MESSAGE or a CHECKPOINT. */
void world_transmit(struct world *w, size_t from, size_t to, enum event_kind kind, struct bytes encoded);
/* An event for a machine in this life of its, or (NULL) for the world. */
struct event *world_push(struct world *w, uint64_t delay_ms, enum event_kind kind, const struct machine *m);
bool world_is_cut(const struct world *w, size_t from, size_t to);
uint64_t world_draw_delay(struct world *w);

/* plan.c */
void plan_draw(struct plan *p, uint64_t seed);
void plan_cast(struct world *w); /* validators, liars, epochs */

/* machine.c */
void machine_start(struct world *w, struct machine *m);
void machine_crash(struct world *w, struct machine *m);
void machine_clear(struct machine *m);
void machine_step(struct world *w, struct machine *m, struct consensus_event *event);
void machine_deliver(struct world *w, struct machine *m, const struct event *e);
/* Hears how far another is, as nodes tell each other, and fetches what that makes it lack. */
void machine_compare(struct world *w, struct machine *m, struct machine *other);

/* oracle.c */
struct oracle *oracle_new(struct world *w);
void oracle_free(struct oracle *o);
/* A correct machine sends; commits with a certificate; finds evidence. */
void oracle_on_send(struct oracle *o, struct machine *m, const struct message *sent);
void oracle_on_commit(struct oracle *o, struct machine *m, uint64_t height, const struct hash *hash,
		      struct bytes certificate, const struct toy_block *block);
void oracle_on_block(struct oracle *o, const struct hash *hash, const struct toy_block *block);
void oracle_on_checkpoint(struct oracle *o, struct machine *m, const struct checkpoint *p);
void oracle_on_heal(struct oracle *o);
bool oracle_is_satisfied(struct oracle *o);
bool oracle_has_block(const struct oracle *o, const struct hash *hash, struct toy_block *out);
uint64_t oracle_height(const struct oracle *o);
uint64_t oracle_worst_views(const struct oracle *o);

/* byzantine.c */
struct liar *liar_new(struct world *w);
void liar_free(struct liar *l);
/* Everything on the wire passes here, for replays and for material. */
void liar_hear(struct liar *l, const struct message *m, struct bytes encoded);
/* What a liar's own machine sends: may be changed or kept back (false). */
bool liar_filter(struct liar *l, struct machine *m, struct message *sent);
void liar_attack(struct liar *l, size_t validator);
void liar_checkpoint(struct liar *l, size_t validator, const struct checkpoint *p);

#endif
