/*
 * consensus - agreement on one block a height: PBFT (Castro and Liskov, 1999) on
 * blocks, with weights, as a state machine without I/O.
 *
 *    due ──► PROPOSE ──► proposed ──► pre-prepare, prepare ──► Q prepares: prepared
 *     ▲                                                              │
 *     │                                                           commit
 *     │         next height                                          │
 *     └───────────────────────── COMMIT ◄── Q commits ◄── durable ◄──┘
 *
 * consensus_step(state, event) changes the state and lists what is to be done in
 * a bounded array of effects. It reads no clock (events carry the time), asks no
 * database, sends nothing, allocates nothing; signing, checking signatures and
 * the proposer's turn are injected. The same code runs in the node, in tests and
 * in simulation.
 *
 * Rules that hold at every step:
 * - Before it is sent, it is on disk: an own message leaves, or counts towards a
 *   quorum of commits, only after PERSISTED has come back for its record. Records
 *   are written in order, so that a durable commit has a durable prepare before it.
 * - A commit needs Q = T - f weight of distinct signers.
 * - A record of a height is written only when the block below is durable, so after
 *   a crash at most one height is signed and not committed.
 * - The sign record only moves forward: (height, view, step) rises, and at one
 *   position the same bytes give the same signature or none.
 *
 * This version runs a set whose quorum is this validator alone (consensus_new
 * refuses others). With more validators messages arrive through
 * CONSENSUS_EVENT_MESSAGE and leave through CONSENSUS_EFFECT_SEND; callers stay
 * as they are.
 */
#ifndef WEFT_CONSENSUS_CONSENSUS_H
#define WEFT_CONSENSUS_CONSENSUS_H

#include "base/buf.h"
#include "chain/certificate.h"
#include "chain/message.h"
#include "chain/validators.h"

enum consensus_error {
	CONSENSUS_E_SET = ERR_BASE_CONSENSUS, /* a validator set that this node can't serve */
	CONSENSUS_E_RECORD,                   /* a log record that is malformed or goes back */
	CONSENSUS_E_SIGN_RECORD,              /* would sign a second value at one position */
};

/* What the machine is told about itself; borrowed pieces outlive it. */
struct consensus_config {
	uint64_t chain_id;
	const struct validator_set *validators;
	size_t self;                    /* index in validators */
	uint64_t min_interval_ms;       /* between two blocks with work */
	uint64_t heartbeat_ms;          /* without work */
	uint64_t view_timeout_ms;       /* t0 */
	/* Whose turn (height, view) is. */
	size_t (*proposer)(void *ctx, uint64_t height, uint64_t view);
	/* Signs with this validator's key; checks another's signature. */
	int (*sign)(void *ctx, struct signature *out, const struct hash *digest, struct err *err);
	bool (*verify)(void *ctx, const struct signature *sig, const struct hash *digest,
		       const struct addr *signer);
	void *ctx;
};

/* The newest committed block. */
struct consensus_tip {
	uint64_t height;
	struct hash hash;
	uint64_t time_ms;
	bool has_txs;
	uint64_t empty_count;           /* blocks without transactions since one that had some,
	                                   capped at CONFIRMATION_COUNT */
};

/* A block that consensus works on: its hash, and its sealed bytes, which the
 * caller keeps until the height is committed. */
struct consensus_block {
	struct hash hash;
	uint64_t time_ms;
	bool has_txs;
	struct bytes sealed;
};

enum consensus_event_kind {
	CONSENSUS_EVENT_TICK,      /* time has passed: at the latest when a timer asked for it */
	CONSENSUS_EVENT_WORK,      /* whether something waits that a block could take now */
	CONSENSUS_EVENT_PROPOSED,  /* the answer to PROPOSE */
	CONSENSUS_EVENT_EXECUTED,  /* the answer to EXECUTE */
	CONSENSUS_EVENT_PERSISTED, /* the answer to PERSIST: that record and all before are durable */
	CONSENSUS_EVENT_MESSAGE,   /* another validator's */
	CONSENSUS_EVENT_COMMITTED, /* a block that was fetched with its certificate, not agreed on here */
};

struct consensus_event {
	enum consensus_event_kind kind;
	uint64_t now_ms;
	union {
		bool has_work;
		struct consensus_block proposed;
		struct {
			struct hash hash;
			bool is_valid;
		} executed;
		uint64_t persisted;             /* the record's number */
		const struct message *message;  /* borrowed during the step */
		struct consensus_tip committed;
	};
};

enum consensus_effect_kind {
	CONSENSUS_EFFECT_PROPOSE, /* make a block of `height` on the tip; answer PROPOSED */
	CONSENSUS_EFFECT_EXECUTE, /* execute another's block; answer EXECUTED */
	CONSENSUS_EFFECT_PERSIST, /* append `record` to the consensus log and sync; answer PERSISTED */
	CONSENSUS_EFFECT_SEND,    /* to all other validators */
	CONSENSUS_EFFECT_COMMIT,  /* `hash` is final, with its certificate; the machine is at the next height */
	CONSENSUS_EFFECT_TIMER,   /* a TICK is wanted at `at_ms`; replaces the earlier wish */
	CONSENSUS_EFFECT_TRACE,   /* for the log */
};

enum consensus_trace {
	CONSENSUS_TRACE_PREPARED,
	CONSENSUS_TRACE_RESUMED,     /* a height begun before a restart is gone on with */
	CONSENSUS_TRACE_UNEXPECTED,  /* an event that answers nothing that was asked */
	CONSENSUS_TRACE_SIGN_FAILED,
};

struct consensus_effect {
	enum consensus_effect_kind kind;
	uint64_t height, view;
	union {
		struct {
			uint64_t number;
			struct bytes record;    /* valid until the next step */
		} persist;
		struct consensus_block execute;
		struct bytes send;              /* an encoded message; valid until the next step */
		struct {
			struct hash hash;
			struct bytes certificate; /* RLP (chain/certificate.h); valid until the next step */
		} commit;
		uint64_t at_ms;
		enum consensus_trace trace;
	};
};

#define CONSENSUS_EFFECT_MAX 16
struct consensus_effects {
	size_t count;
	struct consensus_effect items[CONSENSUS_EFFECT_MAX];
};

struct consensus;

/* A machine at the height after `tip`. CONSENSUS_E_SET if its quorum needs more
 * than this validator. */
int consensus_new(struct consensus **out, const struct consensus_config *config,
		  const struct consensus_tip *tip, struct err *err);
void consensus_free(struct consensus *c);

/* Feeds back one record of the consensus log, in order, before the first step. If
 * its height is the one after the tip, this validator has signed a block there that
 * was not committed, and is bound to it: `sealed` receives that block, else is left
 * empty. The caller executes it and answers PROPOSED with it when asked to PROPOSE.
 * CONSENSUS_E_RECORD if the record is not this validator's, goes back, or lies
 * beyond the chain's end. */
int consensus_restore(struct consensus *c, struct bytes record, struct buf *sealed, struct err *err);

/* The newest sign record, for the log to carry on when it is trimmed. */
struct bytes consensus_sign_record(const struct consensus *c);

void consensus_step(struct consensus *c, const struct consensus_event *event,
		    struct consensus_effects *effects);

/* "Why is it not moving?" */
enum consensus_phase {
	CONSENSUS_IDLE,       /* nothing to do before the next block is due */
	CONSENSUS_PROPOSING,  /* waits for PROPOSED */
	CONSENSUS_PREPARING,  /* waits for Q prepares */
	CONSENSUS_COMMITTING, /* waits for its own commit to be durable, or for Q commits */
};
const char *consensus_phase_name(enum consensus_phase phase);

struct consensus_status {
	uint64_t height, view;
	enum consensus_phase phase;
	bool has_timer;
	uint64_t timer_ms;            /* when the next step is due by itself */
	struct signer_bits prepared, committed; /* who voted at (height, view) */
	struct consensus_tip tip;
};
void consensus_get_status(const struct consensus *c, struct consensus_status *out);

#endif
