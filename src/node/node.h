/*
 * node - ties the layers together: where events go and what follows from them.
 *
 *   RPC worker ──submit──► txpool ──work──► consensus ──PROPOSE──► exec ──┐
 *                                              ▲    ▲                      │
 *                                  PERSISTED   │    └──────PROPOSED────────┘
 *                                              │
 *        writer thread: consensus log ─────────┘
 *                       commit log ◄──COMMIT── consensus
 *                           │
 *                       batch, snapshot ──WRITTEN──► publish head ──► RPC readers
 *
 * Pure: no thread, socket or clock of its own. Everything outside comes through a
 * `struct node_io`, events go in through the functions below, one at a time, on
 * one thread (the node's thread). The way of the data is written in route.c, in the order
 * in which it flows.
 */
#ifndef WEFT_NODE_NODE_H
#define WEFT_NODE_NODE_H

#include <stdatomic.h>

#include "base/log.h"
#include "consensus/consensus.h"
#include "crypto/ecc.h"
#include "p2p/p2p.h"
#include "rpc/rpc.h"
#include "store/store.h"
#include "txpool/txpool.h"

enum node_error {
	NODE_E_SIGN_RECORD = ERR_BASE_NODE,               /* the record of what was signed is missing: starting could contradict it */
	NODE_E_STORAGE,                   /* the database failed: start again when it is mended; nothing is lost */
};

/* Batches that may be with the workers; beyond it gossip is dropped. */
#define NODE_BATCH_MAX 256

struct node;
struct node_job;
struct node_batch;
struct node_head;

/* What a node needs from outside. Functions are called on the node's thread. */
struct node_io {
	void *ctx;
	/* Wall-clock milliseconds. */
	uint64_t (*now_ms)(void *ctx);
	/* Call node_on_tick() at `at_ms` or soon after; replaces the earlier wish. */
	void (*wake_at)(void *ctx, uint64_t at_ms);
	/* Run `job` on the writer thread with node_job_run(), in the order of these
	 * calls; hand it back with node_on_job(). */
	void (*write)(void *ctx, struct node_job *job);
	/* Milliseconds of a clock that never falls; call node_on_peer_tick() then or soon
	 * after; UINT64_MAX: no wish. Both only with peers. */
	uint64_t (*steady_ms)(void *ctx);
	void (*wake_peers_at)(void *ctx, uint64_t at_ms);
	/* Microseconds of such a clock, for measuring only; NULL: nothing is measured. */
	uint64_t (*steady_us)(void *ctx);
	/* Run `batch` on any worker thread with node_batch_run(); hand it back with
	 * node_on_batch(). */
	void (*recover)(void *ctx, struct node_batch *batch);
	/* p2p's wishes for sockets; `bytes` are borrowed. */
	void (*peer_write)(void *ctx, uint64_t handle, struct bytes bytes);
	void (*peer_close)(void *ctx, uint64_t handle);
	void (*peer_connect)(void *ctx, size_t dial, const char *endpoint);
	/* A new head for readers; takes over the reference. */
	void (*publish)(void *ctx, struct node_head *head);
	/* The node can't go on; `err` says why. Shut down with exit code 1. */
	void (*stop)(void *ctx, const struct err *err);
};

struct node_config {
	const struct genesis *genesis;      /* borrowed */
	const struct ecc *ecc;              /* borrowed */
	bool is_validator;
	struct secret_key validator_key;    /* wiped by node_free() */
	struct txpool_limits pool;
	uint64_t consensus_log_size;        /* beyond it the consensus log is trimmed; 0: the usual */
	const struct p2p_config *p2p;       /* NULL: no peers; borrowed during node_new() */
	uint64_t seed;
	const struct log *log;
};

/* Takes the chain up where the store stands: restores consensus from its log,
 * publishes the first head, asks for the first tick. `store` is borrowed. */
int node_new(struct node **out, const struct node_config *config, struct store *store,
	     const struct node_io *io, struct err *err);
void node_free(struct node *n);

/* --- events, node's thread --- */

void node_on_tick(struct node *n);
/* A job has run. Takes it. */
void node_on_job(struct node *n, struct node_job *job);

/* A job could not be finished: the node stops. Takes it. */
void node_on_job_failed(struct node *n, struct node_job *job, const struct err *err);

/* The writer waits because the disk is full (message in `err`), or goes on again. */
void node_on_write_stall(struct node *n, bool is_stalled, const struct err *err);
/* A batch has run. Takes it. */
void node_on_batch(struct node *n, struct node_batch *batch);
/* What happened on the network: CONNECTED, CONNECT_FAILED, BYTES, SENT, CLOSED. The
 * time is filled in here. */
void node_on_peer(struct node *n, const struct p2p_event *event);
void node_on_peer_tick(struct node *n);
/* Call when the events that waited have been handled: what was gathered for peers
 * meanwhile leaves in one piece. */
void node_on_turn_end(struct node *n);

/* No more blocks are begun; true once everything committed is written. A flush of
 * the trie is part of it. Call again after each job. */
bool node_wind_down(struct node *n);

/* When the request came in whose questions follow, by the clock of steady_us(): for
 * measuring how long its transactions take. */
void node_note_arrival(struct node *n, uint64_t at_us);

/* True if readers see the newest final block: what waits for that (RPC_E_NOT_YET) can be
 * answered. Changes with events; a job that comes back may make it so. */
bool node_is_written(const struct node *n);

/* The node's half of the RPC tables. */
struct rpc_node_backend node_rpc_backend(struct node *n);

/* --- jobs, writer thread ---
 *
 *     group = node_jobs_group(jobs, count)        these may share a sync
 *     node_job_run(each of the group)             appended to the logs
 *     node_jobs_sync(group)                       durable
 *     hand back those that node_job_is_early()    consensus goes on at once
 *     node_job_finish(each other), hand back      visible
 */

/* How many of the first jobs may be synced together. A record never shares with
 * what stands before it: even unsynced, it could reach the disk before the block
 * below it, and a validator would wake with a signature two blocks above its chain;
 * and a flush before it would trim it out of the log. */
size_t node_jobs_group(struct node_job *const jobs[], size_t count);

/* Appends to the logs. STORE_E_WRITE: the disk is full, nothing happened, run it
 * again later. */
int node_job_run(struct node_job *job, struct err *err);

void node_jobs_sync(struct node_job *const jobs[], size_t count);

/* True if there is nothing left to do after the sync. */
bool node_job_is_early(const struct node_job *job);

/* Writes what may follow only after the sync. A failure is final: the node stops,
 * and finds everything in the logs when it starts again. */
int node_job_finish(struct node_job *job, struct err *err);

/* --- batches, any worker thread --- */

/* Decodes transactions and finds their senders: the costly part of gossip and of
 * others' blocks. */
void node_batch_run(struct node_batch *batch);

/* A proposal waits for it: to be run before others, and not behind them. */
bool node_batch_is_urgent(const struct node_batch *batch);

/* --- heads, any thread --- */

/* An immutable view of the newest written block. Counted, atomically. */
struct node_head *node_head_ref(struct node_head *h);
void node_head_unref(struct node_head *h); /* NULL is allowed */

/* Executors that wait for the next call; each keeps up to LIMIT_VM_CALL_CODE_SIZE of code. */
#define NODE_EXEC_SPARE_MAX 8

/* RPC's reader table on heads: `acquire` gives a reference to the newest one. A call has
 * `call_gas_cap` gas at most (0: LIMIT_RPC_GAS_CAP) and `call_timeout_ms` by the clock that
 * never falls (0, or no clock: any time). The rest is zero before the first request, and
 * ended with node_reader_clear() after the last. */
struct node_reader {
	struct node_head *(*acquire)(void *ctx);
	void *ctx;
	const struct chain_params *params;
	uint64_t (*now_ms)(void *ctx);
	uint64_t (*steady_ms)(void *ctx);
	uint64_t call_gas_cap, call_timeout_ms;
	_Atomic(struct exec *) spares[NODE_EXEC_SPARE_MAX];
};
struct rpc_reader_backend node_reader_backend(struct node_reader *reader);
void node_reader_clear(struct node_reader *reader);

#endif
