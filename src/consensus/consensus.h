/*
 * consensus - agreement on one block a height: PBFT (Castro and Liskov, 1999) on
 * blocks, with weights, as a state machine without I/O.
 *
 *    due ──► PROPOSE ──► PRE-PREPARE ──► EXECUTE ──► PREPARE ──► Q prepares: prepared
 *     ▲                       ▲                                        │
 *     │                       │ justified by Q view-changes          COMMIT
 *     │  next height          │                                        │
 *     │                  VIEW-CHANGE ◄── time-out, or > f weight above │
 *     └──────────────────────────── final ◄── Q commits, one's own durable first
 *
 * consensus_step(state, event) changes the state and lists what is to be done in
 * a bounded array of effects. It reads no clock (events carry the time), asks no
 * database and sends nothing; signing, checking signatures, a block's hash and the
 * proposer's turn are injected. The same code runs in the node, in tests and in
 * simulation, for one validator and for many.
 *
 * Rules that hold at every step (T total weight, f = ⌊(T-1)/3⌋, Q = T - f):
 * - Before it is sent, it is on disk: an own message leaves, or counts towards a
 *   quorum of commits, only after PERSISTED has come back for its record. Records
 *   are written in order, so that a durable commit has a durable prepare before it.
 * - A block is prepared with Q prepares of one view, final with Q commits of one
 *   view, whichever. Signers are distinct; each was verified before it was stored.
 * - The sign record only moves forward: (height, view, step), with the steps in the
 *   order view-change, pre-prepare, prepare, commit. At one position the same
 *   bytes are sent again, or none. So after VIEW-CHANGE(h, v) nothing is signed at
 *   h below v, not after a restart either. Proposal and votes are sent once more after t0/2 if
 *   the view lasts, for whoever missed them; the newest view-change every t0.
 * - The highest prepared certificate, with its block, goes into every own
 *   view-change; only a higher one replaces it. No lock outlives a view: a justified
 *   pre-prepare binds whoever has prepared another block before.
 * - A time-out of view v is t0 · 2^min(v, 6). View 0's runs from when a block is due, a
 *   higher one's from when a quorum has asked for that view or a higher one.
 *   View-changes above mine of more than f weight take me to the smallest of them; one
 *   alone never does. Any commit starts afresh: what belonged to the height is gone.
 * - A record of a height is written only when the block below is durable, so after
 *   a crash at most one height is signed and not committed.
 * - Who decides a height is known once the block below has executed, and is the same whichever
 *   block that is. What was verified under another set is dropped; a machine that is no member of
 *   the set signs nothing. Certificates, claims and locks never cross heights.
 * - A signature is verified at most once, and not at all if it can change nothing any more: the
 *   view's quorum of its kind is complete, or the height final. Such a statement is kept as it came,
 *   to be held against another of its position. So a block costs a validator at most two
 *   verifications a member, and a view-change two more for each and one quorum of prepares.
 * - Whatever is not taken has a reason, which is counted; a message that is refused moves no view.
 *
 * Memory. For each of 15 heights (this one, 10 above, 4 below), each validator and each of 8
 * views around the current one: one signed statement of 128 bytes a kind, and each validator's
 * highest view-change; 0.3 MB for 4 validators, 3 MB for 51, 16 MB for 256. Of up to three epochs
 * (before, present, next) 12 KB and 4 checkpoints of 120 bytes for each validator. The machine
 * itself 180 KB, its certificates and one proposal's view-changes included. Blocks, of at most
 * BLOCK_SEALED_SIZE_MAX each: the one under agreement, the one of the highest certificate if it is
 * another, up to CONSENSUS_CLAIM_MAX that others' view-changes claim, up to CONSENSUS_FUTURE_MAX
 * proposals of later heights; encoded, the own pre-prepare, view-change and record.
 * These buffers grow to what was needed and are used again.
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
	CONSENSUS_E_EVIDENCE,                 /* two statements that prove nothing */
};

/* Who decides: one set of validators, from one height on. Of an epoch that is handed in
 * the machine copies the set; of one that it hands out it owns it. */
struct consensus_epoch {
	uint64_t number;                /* rises by one with every change */
	uint64_t first;                 /* its first height */
	const struct validator_set *set;
};

/* What the machine is told about itself; borrowed pieces outlive it. */
struct consensus_config {
	uint64_t chain_id;
	/* The address of this validator's key. While no member of the set, the machine is
	 * passive: it signs and proposes nothing, and follows by COMMITTED. */
	struct addr self;
	struct consensus_epoch epoch;   /* of the height after the tip */
	/* The one before it, for those who are still there; its set is NULL if it is not known. */
	struct consensus_epoch before;
	uint64_t min_interval_ms;       /* between two blocks with work */
	uint64_t heartbeat_ms;          /* without work */
	uint64_t view_timeout_ms;       /* t0 */
	/* Whose turn (height, view) is, as an index in the epoch's set. NULL: the machine's own
	 * weighted round robin (chain/validators.h), priorities zero at the epoch's first height. */
	size_t (*proposer)(void *ctx, const struct consensus_epoch *epoch, uint64_t height,
			   uint64_t view);
	/* Signs with this validator's key; checks another's signature. */
	int (*sign)(void *ctx, struct signature *out, const struct hash *digest, struct err *err);
	bool (*verify)(void *ctx, const struct signature *sig, const struct hash *digest,
		       const struct addr *signer);
	/* True if `sealed` is the block with this hash, recomputed from these bytes down to
	 * the transactions: what block_decode_sealed() finds. Asked for others' blocks only;
	 * may be NULL in a set of one. */
	bool (*is_block)(void *ctx, struct bytes sealed, const struct hash *hash);
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

/* A block that consensus works on: its hash, and its sealed bytes, borrowed during
 * the step. Another's block that is to be executed has only these two. */
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
	CONSENSUS_EVENT_WRITTEN,   /* the block of that height, and all below, are durable: a checkpoint
	                              of it may be signed */
	CONSENSUS_EVENT_CHECKPOINT, /* another validator's */
};

struct consensus_event {
	enum consensus_event_kind kind;
	uint64_t now_ms;
	/* With PROPOSED, EXECUTED of a valid block, COMMITTED: who decides the height after that
	 * block; NULL: as before. A pure function of the chain up to the block's parent, so the
	 * same for every block of the height. Borrowed during the step. */
	const struct consensus_epoch *next;
	union {
		bool has_work;
		struct consensus_block proposed;
		struct {
			struct hash hash;
			bool is_valid;
			uint64_t time_ms;       /* of a valid block, as in consensus_block */
			bool has_txs;
		} executed;
		uint64_t persisted;             /* the record's number */
		const struct message *message;  /* borrowed during the step */
		struct consensus_tip committed;
		struct {
			uint64_t height;
			struct hash hash;
		} written;
		const struct checkpoint *checkpoint; /* borrowed during the step */
	};
};

/* Of PROPOSE and EXECUTE only the newest is to be answered: a newer one, or a COMMIT or
 * COMMITTED, makes the earlier void. A late answer is recognised and does nothing. */
enum consensus_effect_kind {
	CONSENSUS_EFFECT_PROPOSE,  /* make a block of `height` on the tip; answer PROPOSED */
	CONSENSUS_EFFECT_EXECUTE,  /* execute another's block; answer EXECUTED */
	CONSENSUS_EFFECT_PERSIST,  /* append `record` to the consensus log and sync; answer PERSISTED */
	CONSENSUS_EFFECT_SEND,     /* to all other validators */
	CONSENSUS_EFFECT_COMMIT,   /* `hash` is final, with its certificate; the machine is at the next height */
	CONSENSUS_EFFECT_TIMER,    /* a TICK is wanted at `at_ms`; replaces the earlier wish */
	CONSENSUS_EFFECT_EVIDENCE, /* a validator has signed two values at one (height, view, kind) */
	CONSENSUS_EFFECT_BEHIND,   /* `peer.address` seems to have blocks up to `peer.height`: fetch them,
	                              with certificates, from there or anywhere; answer COMMITTED */
	CONSENSUS_EFFECT_SERVE,    /* `peer.address` asks for a new view at `peer.height`, which is final
	                              here: send it that block with its certificate */
	CONSENSUS_EFFECT_CHECKPOINT, /* `checkpoint` to all peers, observers and devices included */
	CONSENSUS_EFFECT_TRACE,    /* for the log */
};

enum consensus_trace {
	CONSENSUS_TRACE_PREPARED,
	CONSENSUS_TRACE_RESUMED,     /* a height begun before a restart is gone on with */
	CONSENSUS_TRACE_UNEXPECTED,  /* an event that answers nothing that was asked */
	CONSENSUS_TRACE_SIGN_FAILED, /* the signer failed, or a second value was to be signed: stop */
	CONSENSUS_TRACE_VIEW,        /* a view above 0 is asked for, or entered */
	CONSENSUS_TRACE_REFUSED,     /* a message that breaks a rule, or whose signatures are not its signers' */
	CONSENSUS_TRACE_INVALID,     /* the proposed block did not execute */
	CONSENSUS_TRACE_TWIN,        /* another node signs with this validator's key: stop one of them */
	CONSENSUS_TRACE_DIVERGED,    /* a quorum has committed a block that does not execute here: stop */
};

struct consensus_effect {
	enum consensus_effect_kind kind;
	uint64_t height, view;
	union {
		struct {
			uint64_t number;
			struct bytes record;    /* valid until the next step */
		} persist;
		struct {
			struct consensus_block block; /* sealed: valid until the next step */
			/* A quorum prepared it, or this validator did before: its time is no
			 * longer compared with the clock, nor its proposer with this view's. */
			bool is_reproposal;
		} execute;
		struct bytes send;              /* an encoded message; valid until the next step */
		struct {
			struct hash hash;
			struct bytes certificate; /* RLP (chain/certificate.h); valid until the next step */
		} commit;
		struct {
			/* What was signed, as statements without blocks and proofs, the longest 200
			 * bytes: consensus_check_evidence(). Valid until the next step. */
			struct bytes first, second;
			struct addr signer;
		} evidence;
		struct {
			struct addr address;
			uint64_t height;
		} peer;
		struct bytes checkpoint;        /* encoded (chain/certificate.h); valid until the next step */
		uint64_t at_ms;
		enum consensus_trace trace;
	};
};

#define CONSENSUS_EFFECT_MAX 24
struct consensus_effects {
	size_t count;
	struct consensus_effect items[CONSENSUS_EFFECT_MAX];
};

/* Bounds of what is kept of others. */
#define CONSENSUS_HEIGHT_AHEAD 10  /* messages of so many heights above */
#define CONSENSUS_HEIGHT_BEHIND 4  /* and of so many below, for evidence alone */
#define CONSENSUS_VIEW_COUNT 8     /* and of so many views a height */
#define CONSENSUS_VIEW_MAX (1ull << 32) /* a higher view is refused */
#define CONSENSUS_CLAIM_MAX 4
#define CONSENSUS_FUTURE_MAX 4
#define CONSENSUS_TIMEOUT_SHIFT_MAX 6
#define CONSENSUS_CHECKPOINT_COUNT 4 /* of each validator */
#define CONSENSUS_CHECKPOINT_INTERVAL_MS 100 /* between two that a validator signs, at least */
#define CONSENSUS_CHECKPOINT_DELAY_MS 10     /* after the block is durable: clients first */

struct consensus;

/* A machine at the height after `tip`. */
int consensus_new(struct consensus **out, const struct consensus_config *config,
		  const struct consensus_tip *tip, struct err *err);
void consensus_free(struct consensus *c);

/* Makes `to`, of the same validator, what `from` is; it keeps its own configuration, and neither
 * has anything of the other's. What is kept of heights below, and what the effects of a step
 * point to, is not copied. For explorers of many histories that begin alike. */
void consensus_copy(struct consensus *to, const struct consensus *from);

/* Feeds back one record of the consensus log, in order, before the first step. What
 * it says of the height after the tip binds this validator: it goes on there, sends what it
 * had signed again, and asks to EXECUTE the block. If the newest is a proposal of its
 * own making, `sealed` receives that block, else is left empty: the caller executes it
 * and answers PROPOSED with it when asked to PROPOSE.
 * CONSENSUS_E_RECORD if the record is not this validator's, goes back, or lies
 * beyond the chain's end. Verifies all its signatures. */
int consensus_restore(struct consensus *c, struct bytes record, struct buf *sealed, struct err *err);

/* Appends a record that stands for all before it, for the log to carry on when it is
 * trimmed; nothing if nothing was ever signed. */
void consensus_sign_record(const struct consensus *c, struct buf *out);

void consensus_step(struct consensus *c, const struct consensus_event *event,
		    struct consensus_effects *effects);

/* The epoch of the height that is being agreed on. Valid until the next step. */
const struct consensus_epoch *consensus_get_epoch(const struct consensus *c);

/* The newest block that members of more than f weight have signed as final, in one set. */
struct consensus_checkpoint {
	uint64_t epoch;
	struct hash validators_hash;
	/* Height and hash; view 0; whose signatures they are, and what they signed:
	 * checkpoint_digest(). */
	struct certificate signatures;
};

/* False if there is none yet. */
bool consensus_get_checkpoint(const struct consensus *c, struct consensus_checkpoint *out);

/* --- evidence --- */

/* What was signed twice: the four messages, and checkpoints. */
#define CONSENSUS_KIND_CHECKPOINT 5

/* The position at which two values were signed. A checkpoint has no view. */
struct consensus_evidence {
	uint64_t height, view;
	unsigned kind;    /* enum message_kind or CONSENSUS_KIND_CHECKPOINT */
	size_t validator; /* index in the set of that height */
};

/* Reads where two statements say to be from, so that the set can be looked up; looks at no
 * signature. CONSENSUS_E_EVIDENCE if they are malformed, of two positions, or say the same. */
int consensus_read_evidence(struct bytes first, struct bytes second, struct consensus_evidence *out,
			    struct err *err);

/* OK if `first` and `second` prove to anyone that one member of `set`, which is the set of their
 * height, signed two values at one position; else CONSENSUS_E_EVIDENCE. Of the configuration it
 * uses the chain's id and verify(). */
int consensus_check_evidence(const struct consensus_config *config, const struct validator_set *set,
			     struct bytes first, struct bytes second,
			     struct consensus_evidence *out, struct err *err);

/* --- status --- */

/* Why a message or checkpoint was not taken. The first are of no use here and break no rule. */
#define CONSENSUS_REFUSAL_TABLE(X)                                                             \
	X(PASSIVE, "passive", "this node is no validator now")                                 \
	X(HEIGHT_PAST, "height-past", "of a height that is final")                             \
	X(HEIGHT_FAR, "height-far", "of a height too far above to keep")                       \
	X(VIEW_PAST, "view-past", "of a view that was left")                                   \
	X(VIEW_FAR, "view-far", "of a view too far above to keep")                             \
	X(KNOWN, "known", "the same was taken before")                                         \
	X(NEEDLESS, "needless", "enough of its kind are here")                                 \
	X(OWN_KEY, "own-key", "under this validator's own key")                                \
	X(CONTRADICTION, "contradiction", "another value at a position: evidence")             \
	X(STRANGER, "stranger", "its validator is none of the set")                            \
	X(VIEW_HUGE, "view-huge", "of a view above every bound")                               \
	X(PROOF, "proof", "what it carries to prove itself does not")                          \
	X(LEADER, "leader", "a proposal by one whose turn it is not")                          \
	X(SIGNATURE, "signature", "a signature is not its validator's: forged, or for another chain or set") \
	X(BLOCK, "block", "the block's bytes are not those of its hash")

enum consensus_refusal {
#define X(name, word, text) CONSENSUS_REFUSAL_##name,
	CONSENSUS_REFUSAL_TABLE(X)
#undef X
	CONSENSUS_REFUSAL_COUNT
};
const char *consensus_refusal_name(enum consensus_refusal refusal); /* the word */

/* "Why is it not moving?" */
enum consensus_phase {
	CONSENSUS_IDLE,          /* nothing to do before the next block is due */
	CONSENSUS_PROPOSING,     /* waits for PROPOSED */
	CONSENSUS_VIEW_CHANGING, /* waits for the justified proposal of its view */
	CONSENSUS_EXECUTING,     /* waits for EXECUTED */
	CONSENSUS_PREPARING,     /* waits for Q prepares */
	CONSENSUS_COMMITTING,    /* waits for its own commit to be durable, or for Q commits */
	CONSENSUS_FETCHING,      /* has Q commits for a block that it lacks */
	CONSENSUS_PASSIVE,       /* not in the set: follows what others commit */
};
const char *consensus_phase_name(enum consensus_phase phase);

struct consensus_status {
	uint64_t height, view, epoch;
	bool is_member;               /* of the height's set; else passive */
	size_t self;                  /* its index there; 0 if it is none */
	enum consensus_phase phase;
	size_t proposer;              /* of (height, view) */
	bool has_timer;
	uint64_t timer_ms;            /* when the next step is due by itself */
	bool has_deadline;
	uint64_t deadline_ms;         /* when the view times out */
	struct signer_bits prepared, committed; /* who voted at (height, view) */
	struct signer_bits view_changed;        /* who asks for this view or a higher one */
	struct signer_bits waited_for;          /* who has not done what the phase waits for */
	struct weight missing;        /* what these lack to a quorum; 0 if no votes are waited for */
	struct consensus_tip tip;
	uint64_t last_seen_ms[VALIDATOR_COUNT_MAX];     /* of the newest verified message; 0: never */
	uint64_t last_seen_height[VALIDATOR_COUNT_MAX]; /* the highest of any of them */
	/* Since the start. Verified counts signatures; of what was refused the first total is of
	 * all that broke a rule. */
	uint64_t refused_total, evidence_total, view_change_total, verified_total;
	uint64_t refused[CONSENSUS_REFUSAL_COUNT];
};
void consensus_get_status(const struct consensus *c, struct consensus_status *out);

/* Its refused_total alone, which is asked for with every message: the status is 4.5 KB. */
uint64_t consensus_refused_total(const struct consensus *c);

#endif
