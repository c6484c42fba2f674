/*
 * validators_state - where the contract `validators` keeps what (native.h has the slots),
 * for the contract itself and for a block's begin and end.
 */
#ifndef WEFT_EXEC_VALIDATORS_STATE_H
#define WEFT_EXEC_VALIDATORS_STATE_H

#include "chain/genesis.h"
#include "exec/epoch.h"
#include "state/overlay.h"

/* The contract's storage, however it is reached; not OK: the medium failed. `put` is
 * NULL where nothing may be written. */
struct validators_slots {
	int (*get)(void *ctx, const struct hash *slot, struct u256 *out, struct err *err);
	int (*put)(void *ctx, const struct hash *slot, const struct u256 *value, struct err *err);
	void *ctx;
};

enum validators_slot {
	VALIDATORS_SLOT_COUNT,         /* of the present set */
	VALIDATORS_SLOT_TOTAL,
	VALIDATORS_SLOT_NUMBER,
	VALIDATORS_SLOT_FIRST,
	VALIDATORS_SLOT_START_MS,
	VALIDATORS_SLOT_NEXT_COUNT,
	VALIDATORS_SLOT_NEXT_TOTAL,
	VALIDATORS_SLOT_SUBJECT_COUNT,
};

enum validators_which { VALIDATORS_PRESENT, VALIDATORS_NEXT };

struct hash validators_member_slot(enum validators_which which, uint64_t index);
struct hash validators_weight_slot(enum validators_which which, const struct addr *validator);
struct hash validators_vote_slot(const struct addr *validator, const struct addr *voter);
struct hash validators_subject_slot(uint64_t index);
struct hash validators_is_subject_slot(const struct addr *validator);

int validators_load_u64(const struct validators_slots *s, struct hash slot, uint64_t *out, struct err *err);
int validators_load_addr(const struct validators_slots *s, struct hash slot, struct addr *out, struct err *err);
int validators_store_u64(const struct validators_slots *s, struct hash slot, uint64_t value, struct err *err);
int validators_store_addr(const struct validators_slots *s, struct hash slot, const struct addr *value,
		     struct err *err);

int validators_load_set(const struct validators_slots *s, enum validators_which which, struct validator_set *out,
		   struct err *err);

/* Writes what differs between `old`, which stands there, and `set`. */
int validators_store_set(const struct validators_slots *s, enum validators_which which, const struct validator_set *old,
		    const struct validator_set *set, struct err *err);

/* A set that nothing stands for: before genesis. */
extern const struct validator_set validators_no_set;

/* System end of an epoch's last block: `epoch` follows `old`. */
int validators_begin_epoch(struct overlay *overlay, const struct epoch *old, const struct epoch *epoch,
		struct err *err);

/* Both sets of genesis, and epoch 0. */
int validators_write_genesis(struct overlay *overlay, const struct genesis *g, struct err *err);

#endif
