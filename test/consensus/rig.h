/*
 * rig - one machine among some validators, driven by hand: what the others say is written
 * here, signed with their keys.
 *
 * Key k belongs to the address that begins with k + 1; the machine has key 0, or the one asked for. Whoever is at
 * index (height + view) % count of the set proposes: among four, at height 1, key 1 leads view 0
 * and the machine view 3. A block is four bytes of its mark, its hash their keccak256.
 */
#ifndef WEFT_TEST_CONSENSUS_RIG_H
#define WEFT_TEST_CONSENSUS_RIG_H

#include "base/check.h"
#include "consensus/consensus.h"

#define COUNT 4
#define START_MS 1700000000000ull
#define T0_MS 500
#define RIG_CHAIN_ID 31337

struct rig {
	struct validator_set set;      /* under which the others sign what they say */
	uint64_t height;               /* of which it is */
	size_t self;                   /* the machine's key */
	struct consensus_config config;
	struct consensus *c;
	struct consensus_effects effects;
	uint64_t now_ms;
	uint64_t verify_count;         /* signatures that were looked at */
};

/* Among four of weight 1, at height 1; among the keys with bit set, of these weights. */
void rig_make(struct rig *r);
void rig_make_of(struct rig *r, uint32_t keys, const uint64_t weights[]);
/* The machine has this key. */
void rig_make_as(struct rig *r, size_t self, uint32_t keys, const uint64_t weights[]);
void rig_set(struct validator_set *out, uint32_t keys, const uint64_t weights[]);
void rig_end(struct rig *r);
/* The machine dies and comes back at a tip, without its log. */
void rig_restart(struct rig *r, const struct consensus_tip *tip, const struct consensus_epoch *epoch);

/* --- events --- */

void rig_step(struct rig *r, struct consensus_event event);
void rig_tick(struct rig *r, uint64_t later_ms);
/* What was to be persisted is; false if nothing was. */
bool rig_persist(struct rig *r);
void rig_executed(struct rig *r, uint8_t mark, bool is_valid);
void rig_executed_next(struct rig *r, uint8_t mark, const struct consensus_epoch *next);
void rig_committed(struct rig *r, uint64_t height, uint64_t time_ms, const struct consensus_epoch *next);

/* --- what comes out --- */

const struct consensus_effect *rig_find(const struct rig *r, enum consensus_effect_kind kind);
/* The message of a kind among what is sent; cleared by the caller. */
bool rig_find_sent(const struct rig *r, enum message_kind kind, struct message *out);
bool rig_sends(const struct rig *r, enum message_kind kind);
struct rig_status {
	uint64_t height, view;
	enum consensus_phase phase;
};
struct rig_status rig_status(const struct rig *r);
uint64_t rig_refused(const struct rig *r, enum consensus_refusal why);

/* --- what the others say --- */

size_t rig_index(const struct rig *r, size_t key);
struct bytes rig_block(uint8_t mark);
struct hash rig_hash(uint8_t mark);
void rig_mac(size_t key, const struct hash *digest, struct signature *out);
void rig_sign_as(struct rig *r, size_t key, struct message *m);
/* Through its encoding, as from the wire. */
void rig_give(struct rig *r, const struct message *m);

struct message rig_vote_of(struct rig *r, enum message_kind kind, size_t key, uint64_t view, uint8_t mark);
void rig_vote(struct rig *r, enum message_kind kind, size_t key, uint64_t view, uint8_t mark);
/* Prepares of the members from index `first` on. */
struct certificate rig_prepares(struct rig *r, size_t first, uint64_t view, uint8_t mark);
/* A claim of `mark` prepared in `prepared_view`; mark 0: none. */
struct message rig_view_change(struct rig *r, size_t key, uint64_t view, uint64_t prepared_view, uint8_t mark,
			       struct certificate *proof);

/* A proposal with view-changes of all from `first` on, of which those with a mark claim. */
struct proposal {
	size_t from;                   /* key */
	uint64_t view;
	uint8_t mark;
	uint8_t claims[COUNT];         /* of member i; 0: none */
	uint64_t claim_views[COUNT];
	size_t first;                  /* the first member with a view-change; 0 counts as 1 */
	struct certificate *proof;
};
/* Borrows; the view-changes go into `changes`. */
struct message rig_proposal(struct rig *r, const struct proposal *p, struct view_change changes[COUNT]);
void rig_propose(struct rig *r, const struct proposal *p);

void rig_checkpoint(struct rig *r, size_t key, uint64_t height, uint8_t mark);

/* Block `mark` is prepared here in view 0, our commit durable. */
void rig_prepare_in_view_0(struct rig *r, uint8_t mark);

#endif
