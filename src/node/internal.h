/*
 * internal - the node's state, for the files of this folder only.
 */
#ifndef WEFT_NODE_INTERNAL_H
#define WEFT_NODE_INTERNAL_H

#include <stdatomic.h>

#include "exec/exec.h"
#include "node/node.h"

/* Committed blocks that the writer may have before it; with more the node waits
 * with the next proposal, so that memory and the logs' lead stay bounded. */
#define NODE_WRITE_LEAD_MAX 8

/* A flush of trie nodes is due after so many blocks or so many changed nodes. */
#define NODE_FLUSH_NODE_COUNT 50000

/* Events that follow from effects within one step. */
#define NODE_FOLLOW_MAX 8

/* Kinds of records in the consensus log; one so far. */
#define NODE_RECORD_SIGNED 1 /* consensus.h: what this validator signed at a height */

enum node_job_kind {
	NODE_JOB_RECORD, /* append to the consensus log */
	NODE_JOB_COMMIT, /* append to the commit log; then the batch and a new head */
	NODE_JOB_FLUSH,  /* trie nodes to the database; trim both logs */
};

struct node_job {
	enum node_job_kind kind;
	struct store *store;
	uint64_t height;
	/* RECORD: the record. FLUSH: the newest record, which survives the trim.
	 * COMMIT: the certificate. */
	struct buf payload;
	uint64_t record_number;      /* RECORD */
	struct exec_result result;   /* COMMIT */
	struct exec_parent parent;   /* COMMIT: what the next block stands on */
	struct node_head *head;      /* COMMIT, after finish: the head to publish */
	struct store_flush *flush;   /* FLUSH */
	uint64_t seed;
};

struct node_head {
	atomic_uint refs;
	struct store_reader *reader;
	struct exec_parent parent;   /* of the block that would follow */
	uint64_t seed;
};

struct node_metrics {
	uint64_t blocks_total, txs_total, gas_total;
	uint64_t submitted_total, rejected_total;
	uint64_t records_total, flushes_total, stalls_total;
};

struct node {
	struct node_config config;
	struct node_io io;
	struct store *store;
	struct txpool *pool;
	struct exec *exec;
	struct consensus *consensus;

	/* The newest block that consensus committed; the writer may lag behind. */
	struct exec_parent tip;
	uint64_t written_height;
	uint64_t flush_taken_height;
	bool is_flushing;

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

	struct consensus_event follow[NODE_FOLLOW_MAX];
	size_t follow_count;
	bool is_routing;

	struct node_metrics metrics;
};

/* route.c: gives `event` to consensus and does what follows, until nothing does. */
void node_route(struct node *n, const struct consensus_event *event);

/* route.c: tells consensus whether something waits that a block could take. */
void node_route_work(struct node *n);

/* route.c: hands a flush to the writer if one is due, or if `now`. */
void node_route_flush(struct node *n, bool now);

/* route.c: goes on with a proposal that waited for the writer. */
void node_route_deferred(struct node *n);

/* metrics.c: appends all metrics. */
void node_metrics(const struct node *n, struct buf *out);

/* node.c: the node can't go on. */
void node_stop(struct node *n, const struct err *err);

/* job.c */
void node_job_free(struct node_job *job);

/* head.c: takes the reader. */
struct node_head *node_head_new(struct store_reader *reader, const struct exec_parent *parent,
				uint64_t seed);

/* What exec_propose and exec_verify are to put into a block of this node's. */
struct exec_proposal node_proposal(const struct node *n);

#endif
