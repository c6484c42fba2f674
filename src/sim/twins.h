/*
 * twins - every small history of a divided set: "Twins: BFT systems made robust"
 * (Bano, Sonnino, Chursin, Perelman, Li, Ching, Malkhi, 2020).
 *
 *     validator   A (faulty)      B       C       D          of equal weight: f = 1, Q = 3
 *     machine     A    A'         B       C       D          A and A' share a key and
 *                                                            know nothing of each other
 *
 * A twin is a correct machine, so nothing has to be invented about how it lies: two of
 * them with one key equivocate, vote twice, forget what the other has prepared, and
 * lead as two. A scenario says of each of up to TWINS_VIEW_MAX views
 *
 * - who leads it: one of four (A leads as both machines);
 * - which two-way partition of the five machines holds: one of 16, the whole among them.
 *
 * All scenarios of one length are played, each once, up to renaming: A and A' may be
 * exchanged, and B, C, D put in any order (a group of 12). When a partition changes is one of
 *
 *   VIEW    between two views: it holds for all that is said in one;
 *   VOTES   between the prepares and the commits of a view, so that some may commit
 *           what the others have only prepared, and in the next view may be on the
 *           other side; commits of the last view come when it has healed;
 *   BOTH    at both, so each view has two partitions.
 *
 * A view of a scenario is played thus: time passes until everyone's next timer has fired (a block
 * is due, or the view has timed out), then messages are delivered in the order in which they were sent,
 * until there are none; what a partition stops is lost. Else no time passes. The leader of
 * (height, view) is the scenario's for view height - 1 + view, so a machine that has committed
 * goes on to the next height while others are left in a view of the one before.
 * After the last view the partition heals, and time goes from timer to timer.
 *
 * Checked at every step: no two blocks are final at a height; no correct key signs two
 * values at one (height, view, kind), nor anything below a view that it has asked for;
 * every certificate holds a quorum's signatures; evidence is against A alone. At the end: B, C and
 * D all commit a new height, within the scenario's views and f + 2 more.
 *
 * Scenarios are numbered in the order of a depth-first walk over the views, in which machines
 * are copied at every fork, so that what begins alike runs once. The size of a subtree follows
 * from Burnside's lemma, so any number can be sought: that makes a run resumable (`first`),
 * bounded (`count`), thinned out (`stride`) and shared out (`shard` of `shards`).
 * Signatures are stubs; hashes and encodings are real. The same options give the same run.
 */
#ifndef WEFT_SIM_TWINS_H
#define WEFT_SIM_TWINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWINS_VIEW_MAX 4
#define TWINS_STEP_MAX (2 * TWINS_VIEW_MAX)

enum twins_cut {
	TWINS_CUT_VIEW,
	TWINS_CUT_VOTES,
	TWINS_CUT_BOTH,
};

/* Zero stands for the default. */
struct twins_options {
	size_t views;           /* 1 - TWINS_VIEW_MAX; default TWINS_VIEW_MAX */
	enum twins_cut cut;
	size_t twin;            /* A's index in the set, 0 - 3 */
	uint64_t first;         /* the first scenario */
	uint64_t count;         /* how many from there; default: to the end */
	uint64_t stride;        /* only every so manieth; default 1 */
	uint64_t shard, shards; /* the shard-th of so many equal parts of all; default 0 of 1 */
	/* Called with a line without its end: of a failing scenario, and of all that happens if
	 * `is_loud`. May be NULL. */
	void (*say)(void *ctx, const char *line);
	void *ctx;
	bool is_loud;
};

/* What the scenarios have done. A figure of a step that several scenarios share counts once. */
#define TWINS_COUNT_TABLE(X)                                          \
	X(STEP, "steps of a machine")                                  \
	X(STOPPED, "messages stopped by a partition")                  \
	X(DOUBLE_PROPOSAL, "views in which both twins proposed")       \
	X(COMMIT, "commits of a machine")                              \
	X(VIEW_COMMIT, "of these, in a view above 0")                  \
	X(CARRIED, "prepared blocks carried into a later view")        \
	X(FETCHED, "blocks fetched by one that was behind")            \
	X(EVIDENCE, "proofs that A signed twice")

enum twins_counter {
#define X(name, text) TWINS_COUNT_##name,
	TWINS_COUNT_TABLE(X)
#undef X
	TWINS_COUNTER_COUNT
};
const char *twins_counter_text(enum twins_counter counter);

struct twins_report {
	uint64_t total;        /* scenarios that there are */
	uint64_t checked;      /* were played; adds up over runs */
	uint64_t failed;
	uint64_t next;         /* the first that was left to a later run: `first` of that */
	uint64_t counts[TWINS_COUNTER_COUNT]; /* add up over runs */
	uint64_t first_failed; /* the number of one, if any failed; and why */
	char failure[256];
};

/* Plays the scenarios that the options name, and adds to `report` (which starts as zero bytes).
 * True if none failed. 4 views: about 1.4 million scenarios, some 10 minutes of one core. */
bool twins_run(const struct twins_options *options, struct twins_report *report);

/* --- the scenarios as such --- */

/* One decision of a scenario: who leads (0: A, then B, C, D), and which of the machines
 * A', B, C, D (bit 0 - 3) are not on A's side. */
struct twins_step {
	bool is_votes;     /* only the partition changes */
	uint8_t leader;
	uint8_t partition; /* 0 - 15 */
};

/* How many there are: Σ over the 12 renamings of the scenarios that each leaves as they are,
 * by 12 (Burnside). With 64 = 4 · 16 configurations of a view, about 64^views / 12. */
uint64_t twins_count(const struct twins_options *options);

/* The scenario with this number, below twins_count(); returns how many steps it has. */
size_t twins_scenario(const struct twins_options *options, uint64_t number,
		      struct twins_step out[TWINS_STEP_MAX]);

#define TWINS_RENAMING_COUNT 12
/* The step under one of the renamings; 0 is none. */
struct twins_step twins_rename(const struct twins_step *step, size_t renaming);

#endif
