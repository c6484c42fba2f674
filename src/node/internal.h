/*
 * internal - the node's state, for the files of this folder only.
 */
#ifndef WEFT_NODE_INTERNAL_H
#define WEFT_NODE_INTERNAL_H

#include <stdatomic.h>

#include "base/map.h"
#include "exec/exec.h"
#include "node/node.h"
#include "node/polls.h"

/* Committed blocks that the writer may have before it; with more the node waits
 * with the next proposal, so that memory and the logs' lead stay bounded. */
#define NODE_WRITE_LEAD_MAX 8

/* What finding a transaction's sender takes, about, on a core of today. */
#define NODE_RECOVERY_US 40

/* A flush of trie nodes is due after so many blocks or so many changed nodes. */
#define NODE_FLUSH_NODE_COUNT 50000

/* Events that follow from effects within one step. */
#define NODE_FOLLOW_MAX 8

/* Kinds of records in the consensus log; one so far. */
#define NODE_RECORD_SIGNED 1 /* consensus.h: what this validator signed at a height */

/* timing.c: a block's way, step by step. */
enum node_step {
	NODE_STEP_TAKEN,           /* the first transaction since the last block */
	NODE_STEP_BEGUN,           /* to make it, or to execute another's */
	NODE_STEP_READY,
	NODE_STEP_RECORDED,        /* the own prepare is durable */
	NODE_STEP_PREPARED,
	NODE_STEP_COMMIT_RECORDED, /* the own commit is */
	NODE_STEP_FINAL,
	NODE_STEP_VISIBLE,         /* durable, and shown to readers */
};
#define NODE_STEP_COUNT 8

/* Upper bounds of the histogram of latencies. */
#define NODE_LATENCY_BOUNDS_US \
	500, 750, 1000, 1250, 1500, 1750, 2000, 2250, 2500, 2750, 3000, 3250, 3500, 3750, 4000, 4500, 5000, 5500, 6000, \
	7000, 8000, 9000, 10000, 12000, 15000, 20000, 30000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, \
	10000000
#define NODE_LATENCY_BOUND_COUNT 35

struct node_timing {
	uint64_t at_us[NODE_STEP_COUNT]; /* of the height above the tip; 0: not yet */
	uint64_t arrived_us;             /* the request that is being answered */
	struct map waiting;              /* own clients' transactions: hash → arrival */
	uint64_t latency_counts[NODE_LATENCY_BOUND_COUNT + 1], latency_sum_us;
};

enum node_job_kind {
	NODE_JOB_RECORD, /* append to the consensus log */
	NODE_JOB_COMMIT, /* append to the commit log; then the batch and a new head */
	NODE_JOB_FLUSH,  /* trie nodes to the database; trim both logs */
	NODE_JOB_TRIM,   /* the consensus log, which has grown within a height */
	NODE_JOB_EVIDENCE, /* to the database, synced */
};

struct node_job {
	enum node_job_kind kind;
	struct store *store;
	uint64_t height;
	/* RECORD: the record. FLUSH, TRIM: the newest record, which survives the trim.
	 * COMMIT: the certificate. EVIDENCE: what `evidence` points to. */
	struct buf payload;
	uint64_t record_number;      /* RECORD */
	struct exec_result result;   /* COMMIT */
	struct exec_parent parent;   /* COMMIT: what the next block stands on */
	struct node_head *head;      /* COMMIT, after finish: the head to publish */
	struct store_flush *flush;   /* FLUSH */
	struct store_evidence *evidence; /* EVIDENCE */
	size_t evidence_count;
	uint64_t at_us[NODE_STEP_COUNT]; /* COMMIT: for timing.c */
	uint64_t seed;
};

struct node_head {
	atomic_uint refs;
	struct store_reader *reader;
	struct exec_parent parent;   /* of the block that would follow */
	uint64_t seed;
};

/* Transactions on their way through a worker. */
enum node_batch_kind {
	NODE_BATCH_GOSSIP, /* raw envelopes from a peer: decode, check, recover */
	NODE_BATCH_BLOCK,  /* a block's transactions that the pool does not know: recover */
};

struct node_batch {
	enum node_batch_kind kind;
	const struct chain_params *params;
	const struct ecc *ecc;
	struct addr peer;            /* GOSSIP: who sent it */
	bool is_stranger;            /* GOSSIP */
	uint64_t ticket;             /* BLOCK: which pending block it is for */
	struct buf raw;              /* GOSSIP: the envelopes, one behind the other */
	size_t *sizes;               /* GOSSIP: of each */
	struct tx **txs;             /* references; GOSSIP: filled by the run, NULL where invalid */
	struct hash *hashes;         /* GOSSIP: of each */
	size_t count;
	bool is_valid;               /* after the run: all of them are */
};

/* A block that came from elsewhere, until its senders are known and it is executed. */
enum node_pending_kind {
	NODE_PENDING_NONE,
	NODE_PENDING_PROPOSED, /* consensus asked for it */
	NODE_PENDING_FETCHED,  /* it came with its certificate */
};

struct node_pending {
	enum node_pending_kind kind;
	uint64_t ticket;             /* of the batch that recovers its senders */
	bool is_waiting;             /* for gossip that a worker has already */
	struct block block;
	struct buf sealed;
	struct buf certificate;      /* FETCHED */
	struct addr coinbase;        /* PROPOSED: whose turn it is; zero: any validator's */
};

/* Blocks executed at this height, so that whichever becomes final is at hand. */
#define NODE_EXECUTED_MAX 4
struct node_executed {
	struct hash hash;
	struct buf sealed;
};

/* Fetched blocks that wait for their turn. */
struct node_fetched {
	uint64_t height;             /* that it was asked for */
	struct addr peer;            /* who sent it */
	struct buf sealed, certificate;
};

/* Evidence: how much is kept, in all and of one validator, how far back, how much a
 * newcomer is told. */
#define NODE_EVIDENCE_MAX 1024
#define NODE_EVIDENCE_OF_ONE_MAX 16
#define NODE_EVIDENCE_HEIGHTS 1000000
#define NODE_EVIDENCE_SHARE_MAX 32
#define NODE_EVIDENCE_SIZE_MAX KIB /* of both statements: 200 bytes each today */
#define NODE_SET_COUNT 8           /* epochs whose set is known */

static_assert(NODE_EVIDENCE_SIZE_MAX + 128 <= STORE_EVIDENCE_SIZE_MAX, "what is taken can be stored");
static_assert(NODE_EVIDENCE_SIZE_MAX + 16 <= WIRE_EVIDENCE_SIZE_MAX, "and told");

struct node_evidence_item {
	struct consensus_evidence at;
	struct addr address;         /* of whom it speaks */
	struct hash validators_hash; /* signed along */
	struct hash id;              /* of the position: one of each is enough */
	uint64_t seen_ms;
	struct buf first, second;
	bool is_given;               /* to the writer, or read from disk */
};

struct node_evidence_gone {
	uint64_t height;
	struct hash id;
};

struct node_known_set {
	uint64_t first;              /* height from which on it rules */
	struct validator_set set;
};

struct node_evidence {
	struct node_evidence_item *items[NODE_EVIDENCE_MAX]; /* by rising height */
	size_t count;
	struct node_evidence_gone gone[NODE_EVIDENCE_MAX]; /* to be deleted on disk */
	size_t gone_count;
	bool is_writing;
	size_t broken_count;         /* found on opening */
	struct node_known_set sets[NODE_SET_COUNT]; /* the newest ones, a ring */
	uint64_t set_count;          /* ever noted */
};

/* Of the pool, what a peer that has just come is told. */
#define NODE_SHARE_SIZE_MAX (4 * MIB)

#define NODE_RECENT_MAX 16384

/* Gossiped transactions that workers may have of one peer, of one stranger, of all strangers:
 * each costs them about 45 µs, and nobody has paid for it yet. */
#define NODE_GOSSIP_OF_ONE_MAX 16384
#define NODE_GOSSIP_OF_STRANGER_MAX 512
#define NODE_GOSSIP_OF_STRANGERS_MAX 2048
/* Of a stranger's batch, refused for what the state is: more cost it points. */
#define NODE_GOSSIP_REFUSED_MAX 32

struct node_gossiper {
	struct addr address;
	size_t count;                /* transactions with the workers */
};

#define NODE_COMMAND_MAX 512
struct node_command {
	struct p2p_event event;
	struct buf data;             /* what the event points to */
	size_t *sizes;               /* of SEND_TRANSACTIONS */
	size_t count;
};

/* A proposal's time may be ahead of this node's clock by so much. */
#define NODE_CLOCK_DRIFT_MS 2000

/* A validator that is one block behind asks for it after so long. */
#define NODE_LAG_MS 300

/* Blocks asked for at a time. */
#define NODE_FETCH_COUNT 64

/* An event for consensus that waits until the step before it is over. */
struct node_follow {
	struct consensus_event event;
	struct epoch *next;          /* what event.next says, owned; or NULL */
};

/* RPC shows open votes on so many validators, the newest. */
#define NODE_VOTE_SUBJECT_MAX 64

/* So many blocks into an epoch, what members of the one before send is still taken. */
#define NODE_EPOCH_OVERLAP 16

/* Lines that others can provoke, by kind: log_rate_allows(). */
enum node_log_kind {
	NODE_LOG_REFUSED,            /* a consensus message */
	NODE_LOG_TWIN,               /* one under the own key */
	NODE_LOG_MALFORMED,
	NODE_LOG_EVIDENCE,           /* that proves nothing */
	NODE_LOG_BLOCK,              /* a fetched one that does not hold */
	NODE_LOG_OFFENCE,            /* of a peer */
	NODE_LOG_SESSION,            /* refused, or a goodbye */
	NODE_LOG_SESSION_TWIN,       /* for two nodes with one key */
	NODE_LOG_BUSY,
};
#define NODE_LOG_COUNT 9
#define NODE_LOG_MORE_SIZE 40

struct node_metrics {
	uint64_t recovered_total, executed_total, invalid_total, fetched_total;
	uint64_t evidence_total, evidence_needless_total, evidence_refused_total;
	uint64_t checkpoints_total, gossip_dropped_total, commands_dropped_total;
	uint64_t view_changes_total, messages_total, malformed_total;
	uint64_t blocks_total, txs_total, gas_total;
	uint64_t submitted_total, rejected_total;
	uint64_t records_total, flushes_total, trims_total, stalls_total;
};

struct node {
	struct node_config config;
	struct node_io io;
	struct store *store;
	struct txpool *pool;
	struct exec *exec;
	struct consensus *consensus;

	struct addr self;            /* of the validator's key; zero for an observer */

	/* The newest block that consensus committed; the writer may lag behind. */
	struct exec_parent tip;
	/* Beside the present set, whose messages peers may still, or already, send: the set
	 * before, up to some blocks into an epoch, and the next as far as it is voted. */
	bool has_past_set;
	struct validator_set past_set, next_set;
	bool are_validators_due;     /* p2p must be told of the sets */
	uint64_t written_height;
	size_t job_count;            /* with the writer */
	size_t batch_count;          /* with the workers */
	uint64_t flush_taken_height;
	bool is_flushing;
	bool is_trimming;
	size_t record_size_max;      /* of the consensus log's, since the start */

	/* The block under agreement; the state tree stands at it. */
	bool has_candidate;
	struct exec_result candidate;
	struct buf candidate_sealed;

	/* A block that the consensus log binds us to after a restart. */
	struct buf bound_sealed;

	/* A PROPOSE that waits until the writer has caught up. */
	bool is_proposal_due;

	bool is_winding_down, is_final_flush_done;
	bool is_stopped;             /* io.stop() was called */
	bool is_stalled;             /* the disk is full */
	struct err stall;

	/* Others' blocks. */
	struct node_pending pending;
	uint64_t ticket;
	struct node_executed executed[NODE_EXECUTED_MAX];
	size_t executed_next;

	/* Blocks with certificates, when this node is behind. */
	bool is_fetching;
	uint64_t lag_check_ms;       /* steady; 0: none */
	uint64_t fetch_target;       /* the highest that somebody says to have */
	struct node_fetched fetched[NODE_FETCH_COUNT];
	size_t fetched_first, fetched_count;

	/* Peers. */
	struct p2p *p2p;
	bool is_stepping;            /* inside p2p_step()'s loop: commands wait */
	struct node_command commands[NODE_COMMAND_MAX];
	size_t command_count;
	/* Transactions whose senders a block's arrival made us find, so that gossip that
	 * comes late does not find them again; two generations. */
	struct map recent[2];
	/* Senders that were found and are in no pool: of gossip that was refused, of blocks. A block
	 * that brings one of them needs no second look at its signature. Two generations. */
	struct map senders[2];
	struct map in_flight;        /* hashes of gossip that workers have */
	bool has_recovered;          /* this turn, on this thread */
	struct node_gossiper gossipers[LIMIT_P2P_SESSION_COUNT]; /* whose; without gaps */
	size_t gossiper_count, stranger_gossip_count;
	struct buf gossip;           /* raw transactions of this turn */
	size_t *gossip_sizes;
	size_t gossip_count, gossip_capacity;

	struct node_follow follow[NODE_FOLLOW_MAX];
	size_t follow_count;
	bool is_routing;

	struct polls *polls;         /* of RPC's clients */

	struct node_evidence evidence;

	struct log_rate log_rates[NODE_LOG_COUNT];

	struct node_metrics metrics;
	struct node_timing timing;
};

/* node.c: true if a line of this kind may be written; `more` ends it: how many were left out. */
bool node_log_allows(struct node *n, enum node_log_kind kind, char more[NODE_LOG_MORE_SIZE]);

#define NODE_LOG_SOME(n, kind, level, subsystem, event, format, ...)                                          \
	do {                                                                                                   \
		char more_[NODE_LOG_MORE_SIZE];                                                                \
                                                                                                               \
		if (node_log_allows((n), (kind), more_))                                                       \
			log_line((n)->config.log, (level), (subsystem), (event), format "%s", __VA_ARGS__, more_); \
	} while (0)

/* route.c: gives `event` to consensus and does what follows, until nothing does. */
void node_route(struct node *n, const struct consensus_event *event);
/* route.c: the same; the epoch `next` (copied; NULL: none) begins after the event's block. */
void node_route_block(struct node *n, const struct consensus_event *event, const struct epoch *next);

/* route.c: tells consensus whether something waits that a block could take. */
void node_route_work(struct node *n);

/* route.c: hands a flush to the writer if one is due, or if `now`. */
void node_route_flush(struct node *n, bool now);

/* route.c: goes on with a proposal that waited for the writer. */
void node_route_deferred(struct node *n);

/* blocks.c: the block under agreement is given up; the tree steps back. */
void node_drop_candidate(struct node *n);
/* blocks.c: EXECUTE. */
void node_execute_proposed(struct node *n, const struct consensus_effect *effect);
/* blocks.c: makes `hash` the candidate, if it was executed at this height; else stops. */
bool node_candidate_is(struct node *n, const struct hash *hash);
/* blocks.c: keeps a block that was executed or made here, until the height is over. */
void node_remember_executed(struct node *n, const struct hash *hash, struct bytes sealed);
void node_forget_executed(struct node *n);
void node_pending_clear(struct node *n);
void node_batch_free(struct node_batch *batch);

/* peers.c: what of a peer's gossip workers have; false if that would be too much. */
bool node_gossip_begin(struct node *n, const struct addr *peer, bool is_stranger, size_t count);
void node_gossip_end(struct node *n, const struct node_batch *batch);

/* blocks.c: this transaction's sender has been found lately, or is in the pool. */
bool node_knows(struct node *n, const struct hash *hash);

/* blocks.c: blocks with certificates, up to `height`, are wanted from anyone. */
void node_fetch(struct node *n, uint64_t height);
void node_on_fetched(struct node *n, const struct wire_blocks *blocks, const struct addr *peer);
void node_on_not_fetched(struct node *n);
void node_fetch_continue(struct node *n);

/* node.c: whose turn it is in `view` of the height above the tip. */
struct addr node_proposer(const struct node *n, uint64_t view);

/* epochs.c: the sets at the tip, from state. */
int node_epoch_start(struct node *n, struct err *err);
/* The epoch before the tip's; an empty set if there was none. */
int node_epoch_before(struct node *n, struct epoch *out, struct err *err);
/* epochs.c: the tip moves on to the block of `r`, whose changes store_state() shows. */
void node_epoch_advance(struct node *n, const struct exec_result *r);
/* epochs.c: this node is a validator of the height above the tip. */
bool node_is_member(const struct node *n);
/* epochs.c: as consensus takes it; borrows the set. */
struct consensus_epoch node_consensus_epoch(const struct epoch *e);
/* epochs.c: everyone whom p2p is to take for a validator; at most VALIDATOR_COUNT_MAX. */
size_t node_epoch_peers(const struct node *n, struct addr out[VALIDATOR_COUNT_MAX]);

/* route.c: the candidate is final with this certificate. */
void node_commit_candidate(struct node *n, struct bytes certificate);

/* peers.c */
int node_peers_start(struct node *n, struct err *err);
void node_peers_stop(struct node *n);
void node_peers_free(struct node *n);
void node_peers_send_consensus(struct node *n, struct bytes message);
void node_peers_send_evidence(struct node *n, const struct addr *peer, struct bytes evidence); /* zero: all */
void node_peers_send_checkpoint(struct node *n, struct bytes checkpoint);
void node_peers_request(struct node *n, uint64_t from_height, uint32_t count);
void node_peers_offence(struct node *n, const struct addr *peer, enum p2p_offence offence);
/* The tip, to all if it is new; to `peer` (zero: nobody) even if it is not. */
void node_peers_tip(struct node *n, const struct addr *peer);
/* p2p learns who the validators are: at once, or when its step is over. */
void node_peers_validators(struct node *n);
void node_gossip(struct node *n, const struct tx *t);
void node_take_transactions(struct node *n, const struct wire_transactions *m, const struct addr *peer);

/* answers.c: into the pool, from RPC or from a peer. */
int node_submit(struct node *n, struct tx *t, struct err *err);

/* status.c: "why is it not moving?" */
void node_consensus_status(const struct node *n, struct rpc_consensus_status *out);

/* metrics.c: appends all metrics. */
void node_metrics(const struct node *n, struct buf *out);

/* node.c: that `signer` has signed this; `ctx` is the node. */
bool node_verify(void *ctx, const struct signature *sig, const struct hash *digest, const struct addr *signer);

/* timing.c */
void node_timing_init(struct node_timing *t, uint64_t seed);
void node_timing_clear(struct node_timing *t);
void node_timing_taken(struct node *n, const struct hash *tx, bool is_own);
void node_timing_step(struct node *n, enum node_step step);
/* A record is durable: the prepare's or the commit's. */
void node_timing_recorded(struct node *n);
/* The block is with the writer; the next height's steps begin. */
void node_timing_final(struct node *n, struct node_job *job);
void node_timing_visible(struct node *n, struct node_job *job);
void node_timing_metrics(const struct node_timing *t, struct buf *out);

/* node.c: the node can't go on. */
void node_stop(struct node *n, const struct err *err);

/* evidence.c: on opening; when a new epoch begins; after each block. */
int node_evidence_load(struct node *n, struct err *err);
void node_evidence_clear(struct node *n);
void node_evidence_epoch(struct node *n, const struct consensus_epoch *epoch);
void node_evidence_age(struct node *n);
/* evidence.c: found here; told by a peer; told to one. */
void node_evidence_own(struct node *n, struct bytes first, struct bytes second);
void node_evidence_received(struct node *n, struct bytes evidence, const struct addr *peer);
void node_evidence_share(struct node *n, const struct addr *peer);
/* evidence.c: what the disk lacks to the writer; a job of that is back. */
void node_evidence_write(struct node *n);
void node_evidence_written(struct node *n);
const char *node_evidence_kind_name(unsigned kind);
/* evidence.c: a set that is known, by its hash; or NULL. */
const struct validator_set *node_find_set(const struct node *n, const struct hash *hash);

/* route.c */
struct node_job *node_job_new(struct node *n, enum node_job_kind kind, uint64_t height);
void node_job_hand_over(struct node *n, struct node_job *job);

/* job.c */
void node_job_free(struct node_job *job);

/* head.c: takes the reader. */
struct node_head *node_head_new(struct store_reader *reader, const struct exec_parent *parent,
				uint64_t seed);

/* What exec_propose and exec_verify are to put into a block of this node's. */
struct exec_proposal node_proposal(const struct node *n);

#endif
