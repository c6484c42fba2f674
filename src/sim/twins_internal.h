/*
 * twins_internal - for the files of the twins only.
 *
 *   twins.c        the walk over the scenarios, and their report
 *   twins_order.c  which scenarios there are
 *   twins_world.c  five machines, what they are told, and what must hold
 */
#ifndef WEFT_SIM_TWINS_INTERNAL_H
#define WEFT_SIM_TWINS_INTERNAL_H

#include "consensus/consensus.h"
#include "sim/twins.h"

#define TWINS_VALIDATOR_COUNT 4
#define TWINS_MACHINE_COUNT 5

/* --- twins_order.c --- */

struct twins_order {
	size_t steps;
	bool is_votes[TWINS_STEP_MAX];
	size_t configs[2]; /* of a step, [is_votes] */
	uint8_t renamed[2][TWINS_RENAMING_COUNT][64];
	uint64_t fixed[2][TWINS_RENAMING_COUNT];
};

/* A group of renamings is a set of them, bit i for renaming i. */
#define TWINS_GROUP_ALL ((1u << TWINS_RENAMING_COUNT) - 1)

void twins_order_init(struct twins_order *o, const struct twins_options *options);
uint64_t twins_order_count(const struct twins_order *o, size_t depth, unsigned group);
unsigned twins_order_stabilizer(const struct twins_order *o, size_t depth, unsigned group, size_t config);
struct twins_step twins_config(bool is_votes, size_t number);

/* --- twins_world.c --- */

struct twins_world;

struct twins_world *twins_world_new(const struct twins_options *options);
void twins_world_free(struct twins_world *w);

/* Both of the same options. */
void twins_world_copy(struct twins_world *to, const struct twins_world *from);

/* Plays one step of a scenario; what comes after the last. */
void twins_world_play(struct twins_world *w, const struct twins_step *step);
void twins_world_heal(struct twins_world *w);

/* What did not hold, or NULL. A world that failed plays no more. */
const char *twins_world_failure(const struct twins_world *w);

/* Adds what has happened since it was made, copied or asked last. */
void twins_world_take_counts(struct twins_world *w, uint64_t counts[TWINS_COUNTER_COUNT]);

#endif
