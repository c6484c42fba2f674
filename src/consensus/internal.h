/*
 * internal - the machine's state, for the files of this folder only.
 *
 *   consensus.c  life, dispatch of events, timers, heights
 *   epoch.c      who decides which height, and whose turn it is
 *   receive.c    messages: what is refused, kept, acted on
 *   verify.c     signatures, each of them once; contradictions found on the way
 *   behind.c     who is alive, who is ahead, who is behind
 *   buffer.c     what is kept of others: statements, claims, proposals of later heights
 *   propose.c    blocks: due, made, accepted, executed
 *   vote.c       signing; prepared, committed, final
 *   view.c       view-changes and what justifies a proposal
 *   record.c     the consensus log's records: written, restored
 *   evidence.c   two values at one position
 *   checkpoint.c signatures that say: this is final and durable here
 *   status.c     "why is it not moving?"
 *   clone.c      one machine made what another is
 */
#ifndef WEFT_CONSENSUS_INTERNAL_H
#define WEFT_CONSENSUS_INTERNAL_H

#include "base/check.h"
#include "codec/rlp.h"
#include "consensus/consensus.h"

#define KIND_COUNT 4 /* of messages; kind - 1 is an index */
#define ROUND_COUNT (CONSENSUS_HEIGHT_BEHIND + 1 + CONSENSUS_HEIGHT_AHEAD)
#define NOT_A_MEMBER SIZE_MAX

/* What a validator has signed at one (height, view, kind), short of its block
 * and proofs. */
struct statement {
	bool is_set;
	bool is_verified;       /* else kept only to be held against another */
	bool is_reported;       /* a contradiction was found */
	bool has_prepared;      /* VIEW-CHANGE only */
	uint64_t view;
	uint64_t prepared_view; /* VIEW-CHANGE only */
	struct hash hash;       /* zero for a VIEW-CHANGE without a claim */
	struct signature signature;
};

/* How much weight is in verified statements of one (view, kind), whatever they say: below
 * a quorum there is nothing to look through. */
struct tally {
	uint64_t view;
	struct weight weight;
};

/* All that is kept of one height, as its set had signed it. */
struct round {
	uint64_t height;
	struct hash set_hash;
	size_t capacity;                /* in validators */
	struct statement *slots;        /* [view % CONSENSUS_VIEW_COUNT][kind - 1][validator] */
	struct statement *view_changes; /* [validator]: the one of the highest view */
	struct tally tallies[CONSENSUS_VIEW_COUNT][KIND_COUNT];
};

/* A prepared certificate with its block, from another's view-change; verified. */
struct claim {
	bool is_set;
	struct certificate prepares;
	struct buf block;
};

/* A verified pre-prepare of a later height, encoded. */
struct future {
	bool is_set;
	uint64_t height, view;
	struct hash set_hash;
	struct buf encoded;
};

/* A checkpoint of another, or our own. */
struct kept_checkpoint {
	bool is_set, is_verified, is_reported;
	uint64_t height;
	struct hash hash;
	struct signature signature;
};

/* An epoch, and what follows from its set. */
struct known_epoch {
	struct consensus_epoch is;      /* its set is the one below */
	struct validator_set set;
	struct weight quorum, faulty;
	uint64_t period;                /* of turns */
	size_t self;                    /* our index, or NOT_A_MEMBER */
	struct proposer_cursor cursor;
	uint64_t cursor_height;
	uint64_t serve_ms[VALIDATOR_COUNT_MAX]; /* when SERVE was said last, by index */
	struct kept_checkpoint *checkpoints; /* [validator][height's place] */
};

/* The newest own message of a kind at this height. */
struct own_message {
	struct statement what;
	uint64_t number; /* of the record that makes it durable */
	bool is_sent;
	bool is_repeated;
	uint64_t repeat_ms; /* when it is to be; 0: not, or not yet sent */
};

/* A block whose checkpoint is to be signed once it is durable. */
struct due_checkpoint {
	uint64_t height;
	struct hash hash;
};

#define CHECKPOINT_DUE_MAX 16
#define EVIDENCE_MAX 4 /* said in one step; what else it finds is said when it comes again */

/* Where the sign record stands. */
struct position {
	uint64_t height, view;
	unsigned step; /* position_step(); 0: nothing was signed yet */
};

enum execution {
	EXECUTION_NONE,
	EXECUTION_RUNNING,
	EXECUTION_VALID,
	EXECUTION_INVALID,
};

/* The block that is worked on: proposed, or decided on. */
struct target {
	bool is_set;
	struct hash hash;
	uint64_t time_ms;
	bool has_txs;
	struct buf sealed;
	enum execution execution;
	bool is_reproposal;
};

struct consensus {
	struct consensus_config config;
	struct known_epoch *present;
	struct known_epoch *next;       /* decides the next height; NULL: the present one, or not known yet */
	struct known_epoch *before;     /* the one before the present; NULL if it is not known */
	struct weight quorum, faulty; /* of the present epoch, as `self` is */
	size_t self;

	/* The height. */
	struct consensus_tip tip;
	uint64_t anchor_ms;       /* when the tip was made, on this node's clock */
	bool has_work;
	bool is_decided;          /* Q commits of one view */
	uint64_t decided_view;
	struct hash decided_hash;
	bool is_diverged;

	/* The view. */
	uint64_t view;
	size_t leader;            /* of (height, view): leader_of() */
	enum consensus_phase phase; /* FETCHING and PASSIVE only in a status */
	bool has_pp;              /* `pp` is this view's proposal; else, what would justify an own one */
	struct pre_prepare pp;    /* its block is target.sealed; lists are the two below */
	struct view_change *pp_view_changes;
	struct certificate pp_prepares;
	bool is_resumed;          /* bound by the log, and not yet gone on with */

	struct target target;
	bool has_best;            /* the highest prepared certificate of this height */
	struct certificate best;
	struct buf best_block;    /* empty without one, and while target is its block */

	/* What we sign. */
	struct position signed_last;
	struct own_message own[KIND_COUNT];
	bool is_pending[KIND_COUNT]; /* signed in this step: into the record */
	struct own_message late;  /* commit of a height that was final before it was durable */
	uint64_t late_height;
	size_t late_self;
	struct buf view_change;   /* own[VIEW-CHANGE], encoded */
	uint64_t record_number;   /* of the newest PERSIST */
	uint64_t persisted_number;

	/* Timers; 0: not set. */
	uint64_t deadline_ms;     /* the view's */
	uint64_t resend_ms;       /* of the own view-change */
	uint64_t behind_ms;       /* when BEHIND is to be said */
	bool is_behind_said;
	size_t behind_next;       /* whose turn it is to be asked */
	uint64_t timer_ms;        /* the TICK asked for */

	/* Others. */
	struct round rounds[ROUND_COUNT]; /* [height % ROUND_COUNT] */
	struct claim claims[CONSENSUS_CLAIM_MAX];
	struct future futures[CONSENSUS_FUTURE_MAX];
	bool is_follow_due;       /* a view-change came since we last looked whom to follow */
	uint64_t seen_ms[VALIDATOR_COUNT_MAX];
	uint64_t seen_height[VALIDATOR_COUNT_MAX];
	uint64_t seen_highest;

	/* Checkpoints. */
	struct due_checkpoint due[CHECKPOINT_DUE_MAX]; /* by rising height */
	size_t due_count;
	uint64_t written_height;
	uint64_t checkpoint_ms;   /* when we signed last */
	uint64_t written_ms;      /* when the first of those that wait became durable */
	bool has_checkpoint;
	struct consensus_checkpoint checkpoint; /* the newest that counts */

	uint64_t evidence_total, view_change_total, verified_total;
	uint64_t refused[CONSENSUS_REFUSAL_COUNT];

	/* What effects point to. */
	struct buf record, certificate;
	struct buf sends[KIND_COUNT];
	struct buf late_send, checkpoint_send;
	struct buf evidence[EVIDENCE_MAX][2];
};

/* The step under way. */
struct step {
	uint64_t now_ms;
	size_t evidence_count;
	struct consensus_effects *effects;
};

/* --- consensus.c --- */

static inline uint64_t height_of(const struct consensus *c)
{
	return c->tip.height + 1;
}

static inline struct own_message *own_of(struct consensus *c, enum message_kind kind)
{
	return &c->own[kind - 1];
}

static inline const struct validator_set *set_of(const struct consensus *c)
{
	return &c->present->set;
}

static inline bool is_member(const struct consensus *c)
{
	return c->self != NOT_A_MEMBER;
}

/* True if we have signed a message of this kind in this view. */
static inline bool own_in_view(const struct consensus *c, enum message_kind kind)
{
	return c->own[kind - 1].what.is_set && c->own[kind - 1].what.view == c->view;
}

size_t proposer_of(const struct consensus *c, uint64_t height, uint64_t view);

/* Of (height, view). */
static inline size_t leader_of(const struct consensus *c)
{
	return c->config.proposer ? proposer_of(c, height_of(c), c->view) : c->leader;
}

static inline bool is_proposer(const struct consensus *c)
{
	return leader_of(c) == c->self;
}

struct consensus_effect *add_effect(struct consensus *c, struct step *s, enum consensus_effect_kind kind);
void add_trace(struct consensus *c, struct step *s, enum consensus_trace what);
uint64_t view_timeout_ms(const struct consensus *c);

/* To the height after `tip`: everything of the one before is dropped. */
void enter_height(struct consensus *c, const struct consensus_tip *tip, struct step *s);
void set_view(struct consensus *c, uint64_t view);

/* --- epoch.c --- */

struct known_epoch *epoch_new(const struct consensus *c, const struct consensus_epoch *from);
void epoch_free(struct known_epoch *e); /* may be NULL */

/* Takes note of who decides the next height; `next` may be NULL. */
void note_next(struct consensus *c, const struct consensus_epoch *next);
/* The tip has moved on: what was next is the present, if its first height has come. */
void turn_epoch(struct consensus *c);
/* Who decides a height, as far as it is known; NULL if it is not known. Of a height above the
 * next one: as if the newest known epoch went on. */
struct known_epoch *epoch_at(const struct consensus *c, uint64_t height);

/* --- receive.c --- */

void receive_message(struct consensus *c, const struct message *m, struct step *s);
void refuse(struct consensus *c, enum consensus_refusal why, struct step *s);

/* --- verify.c --- */

bool verify_one(struct consensus *c, const struct signature *sig, const struct hash *digest,
		const struct addr *signer);
bool verify_sender(struct consensus *c, const struct known_epoch *e, const struct message *m);
/* True if every signature in it but the sender's is its signer's. What was verified before is not
 * again; what contradicts is evidence. The message must have passed message_check(). */
bool verify_embedded(struct consensus *c, const struct known_epoch *e, const struct message *m, struct step *s);
/* Keeps what was verified so, of a message that is accepted. */
void keep_embedded(struct consensus *c, const struct known_epoch *e, const struct message *m);
/* The same for a certificate of prepares from anywhere, of this epoch; keeps nothing. */
bool verify_prepares(struct consensus *c, const struct known_epoch *e, const struct certificate *p);

/* --- behind.c --- */

/* A verified message has come. */
void note_seen(struct consensus *c, size_t validator, uint64_t height, uint64_t now_ms);
/* One that is worth nothing else: verified only if nothing was heard of its sender for long. */
void note_alive(struct consensus *c, const struct known_epoch *e, const struct message *m, struct step *s);

/* Says BEHIND when it is time. */
void say_behind(struct consensus *c, struct step *s);
/* When to say it, at the start of a height. */
void plan_behind(struct consensus *c, uint64_t now_ms);
/* A view-change at a height that is final here. */
void serve(struct consensus *c, struct known_epoch *e, const struct message *m, struct step *s);

/* --- buffer.c --- */

/* What is kept of a height from this one to CONSENSUS_HEIGHT_AHEAD above; empty if it was kept
 * for another set. */
struct round *round_of(struct consensus *c, uint64_t height);
/* Of one below, whose set is known: NULL if it is no longer kept. */
struct round *round_below(struct consensus *c, uint64_t height);

/* The place of (validator, view, kind); whether it is taken by that view: find_statement(). */
struct statement *slot_of(const struct round *r, size_t validator, uint64_t view, enum message_kind kind);
struct statement *find_statement(const struct round *r, size_t validator, uint64_t view,
				 enum message_kind kind);

/* True if votes of this view are kept at the height. */
bool is_view_kept(const struct consensus *c, uint64_t height, uint64_t view);

static inline bool signature_equal(const struct signature *a, const struct signature *b)
{
	return a->recovery_id == b->recovery_id && memcmp(a->r, b->r, sizeof(a->r)) == 0 &&
	       memcmp(a->s, b->s, sizeof(a->s)) == 0;
}

struct statement statement_of(const struct message *m);
bool statement_equal(const struct statement *a, const struct statement *b);

/* Keeps a statement in its place, if its view is kept; of verified view-changes also the
 * highest. Takes the place of one that was never verified. */
void keep_statement(struct consensus *c, struct round *r, size_t validator, enum message_kind kind,
		    const struct statement *what);

/* Who has voted so at this height; the votes' certificate. */
struct signer_bits voters_of(const struct consensus *c, enum message_kind kind, uint64_t view,
			     const struct hash *hash);
/* False if all the votes of this view together, whatever for, are no quorum. */
bool may_be_quorum(const struct consensus *c, enum message_kind kind, uint64_t view);
bool is_quorum_of(const struct consensus *c, enum message_kind kind, uint64_t view,
		  const struct hash *hash);
void certificate_of(const struct consensus *c, struct certificate *out, enum message_kind kind,
		    uint64_t view, const struct hash *hash);

void keep_claim(struct consensus *c, const struct view_change *v);
/* The certificate that proves a claim, ours included; NULL if it is not here. */
const struct certificate *find_claim(const struct consensus *c, uint64_t view, const struct hash *hash);
/* The block with this hash, wherever it is; empty if it is not here. */
struct bytes find_block(const struct consensus *c, const struct hash *hash);

void keep_future(struct consensus *c, const struct message *m);
/* Takes the buffered proposal of the highest view at this height, if there is one. */
bool take_future(struct consensus *c, struct message *out);
void drop_futures(struct consensus *c);

/* --- propose.c --- */

/* When a block is due in view 0. */
uint64_t due_ms(const struct consensus *c);
void arm_deadline(struct consensus *c, uint64_t now_ms);

/* The block is worked on from now on. `sealed` may be the machine's own copy. */
void set_target(struct consensus *c, const struct hash *hash, struct bytes sealed);
void ask_execute(struct consensus *c, struct step *s, bool is_reproposal);
void accept_pre_prepare(struct consensus *c, const struct pre_prepare *p, struct step *s);
void set_pre_prepare(struct consensus *c, const struct pre_prepare *p);

/* `pp` as a message; its block is borrowed from the target. */
struct message pp_message(const struct consensus *c);

/* True if the log binds us to a proposal that we signed in this view. */
bool is_bound(const struct consensus *c);
void on_proposed(struct consensus *c, const struct consensus_event *event, struct step *s);
void on_executed(struct consensus *c, const struct consensus_event *event, struct step *s);

/* Each goes one step further if it can, and says so. */
bool try_resume(struct consensus *c, struct step *s);
bool try_propose(struct consensus *c, struct step *s);
bool try_prepare(struct consensus *c, struct step *s);

/* --- vote.c --- */

unsigned position_step(enum message_kind kind);
bool position_is_after(const struct position *a, const struct position *b);

/* Signs: fills the signature, keeps the statement as our newest, to be recorded at
 * the end of the step. False, with a trace, if the sign record forbids it or the signer fails. */
bool sign_own(struct consensus *c, struct message *m, struct step *s);
bool sign_vote(struct consensus *c, enum message_kind kind, const struct hash *hash, struct step *s);

/* Takes note if there are Q commits like this one. */
void note_commit(struct consensus *c, uint64_t view, const struct hash *hash);
/* The own commit, if it is on disk. */
void count_own_commit(struct consensus *c);
void on_persisted(struct consensus *c, uint64_t number, struct step *s);
bool try_commit(struct consensus *c, struct step *s);
bool try_finish(struct consensus *c, struct step *s);

/* Sends what is durable and was not sent, in the order in which it was signed. */
void send_durable(struct consensus *c, struct step *s);
/* Has this view's proposal and votes sent once more, when it is time. */
void repeat_own(struct consensus *c, struct step *s);
uint64_t repeat_due_ms(const struct consensus *c); /* 0: nothing waits */

/* --- view.c --- */

/* True if Q weight asks for this view or a higher one, this validator included. */
bool is_quorum_in_view(struct consensus *c);
void enter_view(struct consensus *c, uint64_t view);
void change_view(struct consensus *c, uint64_t view, struct step *s);
bool try_follow(struct consensus *c, struct step *s);
/* Fills `pp` with what justifies an own proposal. */
bool justify_proposal(struct consensus *c);
/* The own view-change as it is sent, from the statement and the highest certificate. */
void encode_view_change(struct consensus *c);
void resend_view_change(struct consensus *c, struct step *s);

/* --- record.c --- */

/* Puts what was signed in this step into a record and asks to persist it. */
void write_record(struct consensus *c, struct step *s);

/* --- evidence.c --- */

/* Holds a verified statement against the one that is kept of its position: evidence if both are
 * their validator's. True if they differ. */
bool contradict(struct consensus *c, const struct known_epoch *e, uint64_t height, enum message_kind kind,
		size_t validator, struct statement *known, const struct statement *other, struct step *s);
void say_evidence(struct consensus *c, uint64_t height, unsigned kind, const struct addr *signer,
		  size_t validator, const struct statement *first, const struct statement *second,
		  struct step *s);
/* The statement as a message that leaves out what its signature does not cover. */
struct message bare_message(uint64_t height, enum message_kind kind, size_t validator,
			    const struct statement *what);
/* Writes a statement as a message without block and proofs. */
void encode_statement(struct buf *out, uint64_t height, unsigned kind, size_t validator,
		      const struct statement *what);
/* Reads one of a message. */
int decode_statement(struct bytes rlp, size_t validator_count, struct message *out, struct err *err);

/* --- checkpoint.c --- */

/* The tip moves: is its block one to be signed? */
void note_checkpoint_due(struct consensus *c, const struct consensus_tip *before,
			 const struct consensus_tip *after);
void on_written(struct consensus *c, uint64_t height, uint64_t now_ms);
void receive_checkpoint(struct consensus *c, const struct checkpoint *p, struct step *s);
void sign_checkpoint(struct consensus *c, struct step *s);
uint64_t checkpoint_due_ms(const struct consensus *c); /* 0: nothing waits */

#endif
