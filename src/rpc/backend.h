/*
 * backend - the questions that JSON-RPC methods ask of a node. `node` answers
 * them; `rpc` knows no store, no pool, no thread.
 *
 * Two tables, by the thread that may ask:
 *   rpc_reader  any worker thread; every request works on one immutable snapshot
 *               of a committed block and blocks nobody
 *   rpc_node    the node's own thread; pool, consensus, proofs of the newest
 *               state: short questions with an immediate answer
 */
#ifndef WEFT_RPC_BACKEND_H
#define WEFT_RPC_BACKEND_H

#include "chain/block.h"
#include "chain/epoch.h"
#include "chain/genesis.h"
#include "chain/log_filter.h"
#include "chain/override.h"
#include "chain/receipt.h"
#include "chain/validators.h"
#include "vm/vm.h"

/* What a question comes back with when it is not OK; each has its JSON-RPC code. */
enum rpc_error {
	RPC_E_PARSE = ERR_BASE_RPC, /* −32700 not JSON */
	RPC_E_REQUEST,              /* −32600 not a request */
	RPC_E_METHOD,               /* −32601 unknown method */
	RPC_E_PARAMS,               /* −32602 bad parameters */
	RPC_E_NOT_FOUND,            /* −32000 there is no such block, and state was asked of it */
	RPC_E_PRUNED,               /* −32000 it is no longer kept; says how far back state goes */
	RPC_E_REJECTED,             /* −32000 a transaction that is refused; the texts clients match */
	RPC_E_REVERTED,             /* 3 execution reverted; data holds the output */
	RPC_E_LIMIT,                /* −32005 a limit of this node, or it is busy: try again later */
	RPC_E_TOO_LARGE,            /* −32003 the reply is over the limit */
	RPC_E_INTERNAL,             /* −32603 the medium failed */
	RPC_E_NOT_YET,              /* never told: the node can answer soon; see rpc_continue() */
};

/* Never changes while the node runs. */
struct rpc_info {
	const char *client_version;  /* "weft/v0.1.0/linux-x86_64/gcc12" */
	const struct chain_params *params;
	struct hash genesis_hash;
	uint64_t protocol_version, database_version;
	bool is_validator;
	struct addr validator_address;
	uint64_t history_ms;         /* how far back state is kept */
	bool is_dev;
	bool allows_unprotected;     /* transactions from before EIP-155 may be sent */
};

struct rpc_block {
	struct header header;
	struct hash hash;
	struct commitments commitments;
	struct withdrawal *withdrawals; /* owned */
	size_t withdrawal_count;
	size_t tx_count;
	struct buf certificate;      /* RLP of chain/certificate.h; empty for genesis */
	uint64_t size;               /* of Ethereum's form, bytes */
};
void rpc_block_clear(struct rpc_block *b);

/* A mined transaction with everything a reply says of it. */
struct rpc_tx {
	struct tx *tx;               /* a reference; its sender is known */
	struct receipt receipt;
	uint64_t height;
	uint32_t index;
	size_t first_log_index;      /* of its logs, within the block */
};
void rpc_tx_clear(struct rpc_tx *t);

struct rpc_account {
	uint64_t nonce;
	struct wei balance;
	struct hash code_hash;
	struct hash storage_root;
};

/* eth_call and eth_estimateGas. */
struct rpc_call {
	struct addr from;
	bool is_create;
	struct addr to;
	struct wei value;
	struct bytes data;
	bool has_gas;
	uint64_t gas;
	bool has_fee;
	struct wei max_fee;
	struct wei max_tip;          /* of gasPrice: equal to max_fee */
	struct bytes access_list;    /* RLP items as in struct tx */
	struct bytes authorizations; /* likewise */
	size_t authorization_count;
	struct state_override state; /* what it pretends of accounts, */
	const struct block_override *block; /* and of its block; NULL: nothing */
};

#define RPC_FAILURE_TEXT_MAX 64

struct rpc_call_result {
	bool success;
	bool reverted;
	char failure[RPC_FAILURE_TEXT_MAX]; /* neither: why, in geth's words */
	struct buf output;           /* owned */
	uint64_t gas_used;           /* that is charged */
	uint64_t gas_run;            /* that was run for the answer, of all attempts: what it cost us */
};

/* What the contract `validators` says after a block: the next set as far as it is
 * voted, and what waits for more votes. */
struct rpc_vote {
	struct addr validator, voter;
	uint64_t weight;
};

struct rpc_votes {
	struct validator_set present; /* whose votes they are: it decides the block after */
	struct validator_set next;
	struct rpc_vote *open;       /* owned; by validator */
	size_t open_count;
};
void rpc_votes_clear(struct rpc_votes *v);

/* --- code that runs under a tracer --- */

/* The state as it stands in that moment; what is read is kept by the run, so it costs
 * once. Not OK: RPC_E_INTERNAL. */
struct rpc_trace_state {
	void *ctx;
	int (*account)(void *ctx, const struct addr *address, struct rpc_account *out, struct err *err);
	int (*storage)(void *ctx, const struct addr *address, const struct hash *slot, struct u256 *out,
		       struct err *err);
	/* Appends the code with this hash. */
	int (*code)(void *ctx, const struct hash *code_hash, struct buf *out, struct err *err);
	uint64_t (*now_ms)(void *ctx); /* a clock, for time limits */
	uint64_t seed;               /* keys tables (base/map.h) */
};

/* One transaction or call that is about to run. */
struct rpc_trace_run {
	const struct tx *tx;         /* NULL: a call */
	const struct rpc_call *call; /* NULL: a transaction */
	size_t first_log_index;      /* of its logs, within the block */
	/* To be asked within the machine's hooks, and of a transaction in `end`, too. */
	const struct rpc_trace_state *state;
};

/* Who watches: the machine's hooks, and what is around them. Not OK ends it all and is what the
 * asker gets; and so does vm.is_over, when the asker gets any code but OK. */
struct rpc_tracer {
	struct vm_tracer vm;
	void *ctx;
	uint64_t timeout_ms;         /* for all of it, what runs unwatched included */
	int (*begin)(void *ctx, const struct rpc_trace_run *run, struct err *err);
	/* When all is paid. */
	int (*end)(void *ctx, uint64_t gas_limit, uint64_t gas_used, struct err *err);
};

typedef int (*rpc_tx_fn)(void *arg, const struct rpc_tx *t, struct err *err);

/* Transactions with a log that the filter wants, in the blocks `from` to `to`, which are
 * there; in order. */
struct rpc_log_query {
	const struct log_filter *filter; /* sorted */
	uint64_t from, to;
	rpc_tx_fn fn;                /* the others of its logs may be there for nothing */
	/* Before work is done: about its µs; blocks below `height` have been searched. */
	int (*charge)(void *arg, uint64_t height, uint64_t us, struct err *err);
	void *arg;
};

/* All but open() take what open() gave. Not OK: RPC_E_NOT_FOUND, _PRUNED,
 * _INTERNAL; calls also _REJECTED, _PARAMS. */
struct rpc_reader_ops {
	void *(*open)(void *ctx);
	void (*close)(void *snapshot);
	uint64_t (*height)(void *snapshot);
	int (*block)(void *snapshot, uint64_t height, struct rpc_block *out, struct err *err);
	int (*find_block)(void *snapshot, const struct hash *hash, uint64_t *height, struct err *err);
	int (*tx)(void *snapshot, uint64_t height, uint32_t index, struct rpc_tx *out, struct err *err);
	int (*find_tx)(void *snapshot, const struct hash *hash, uint64_t *height, uint32_t *index, struct err *err);
	int (*each_tx)(void *snapshot, uint64_t height, rpc_tx_fn fn, void *arg, struct err *err);
	int (*logs)(void *snapshot, const struct rpc_log_query *q, struct err *err);
	int (*account)(void *snapshot, uint64_t height, const struct addr *address, struct rpc_account *out, struct err *err);
	int (*storage)(void *snapshot, uint64_t height, const struct addr *address, const struct hash *slot,
		       struct u256 *out, struct err *err);
	int (*code)(void *snapshot, uint64_t height, const struct addr *address, struct buf *out, struct err *err);
	int (*call)(void *snapshot, uint64_t height, const struct rpc_call *call, struct rpc_call_result *out, struct err *err);
	/* Results come zeroed; output and gas_run are set on any outcome. RPC_E_REVERTED: the
	 * result says with what. */
	int (*estimate_gas)(void *snapshot, uint64_t height, const struct rpc_call *call, uint64_t *out,
			    struct rpc_call_result *result, struct err *err);
	/* Appends the RLP items of what the call touches. */
	int (*access_list)(void *snapshot, uint64_t height, const struct rpc_call *call, struct buf *items,
			   struct rpc_call_result *result, struct err *err);
	/* Runs transactions `first` to `last` of a block again, each under `tracer`; those before
	 * them without. RPC_E_PRUNED if the state before the block is not kept. */
	int (*trace_txs)(void *snapshot, uint64_t height, uint32_t first, uint32_t last,
			 const struct rpc_tracer *tracer, struct err *err);
	/* A call as above. One that fails or reverts is OK: the tracer has seen it. */
	int (*trace_call)(void *snapshot, uint64_t height, const struct rpc_call *call,
			  const struct rpc_tracer *tracer, struct err *err);
	/* Who decided a block, or decides the one after the newest. */
	int (*epoch)(void *snapshot, uint64_t height, struct epoch *out, struct err *err);
	/* Of the state after a block; _clear() it if OK. */
	int (*votes)(void *snapshot, uint64_t height, struct rpc_votes *out, struct err *err);
	/* The base fee of a block made now on this snapshot's. */
	int (*next_base_fee)(void *snapshot, struct wei *out, struct err *err);
};

struct rpc_reader_backend {
	const struct rpc_reader_ops *ops;
	void *ctx;
};

/* eth_getProof: nodes of a Merkle proof, root first. */
struct rpc_proof {
	struct bytes *nodes; /* owned, each too */
	size_t count;
};
void rpc_proof_clear(struct rpc_proof *p);

/* "Why is it not moving?" */
struct rpc_consensus_member {
	struct addr address;
	struct weight weight;
	bool voted;                  /* has done what the phase waits for */
	bool prepared, committed;    /* in the current height and view */
	bool view_changed;           /* asks for this view or a higher one */
	bool is_self, is_connected;
	bool has_last_seen;
	uint64_t last_seen_ms;       /* wall time of its last verified message */
	uint64_t age_ms;             /* since then */
	uint64_t height;             /* the highest of its messages */
};

struct rpc_consensus_refusal {
	const char *reason;          /* a static string */
	uint64_t count;
};

struct rpc_consensus_status {
	uint64_t height;             /* being agreed on */
	uint64_t view;
	uint64_t epoch;
	const char *role;            /* "validator", "waiting" (to be voted in), "observer"; static */
	const char *phase;           /* consensus_phase_name(), or "observing"; static */
	struct buf reason;           /* one sentence for an operator; owned */
	bool has_timeout;            /* of the view */
	uint64_t timeout_ms_left;
	bool has_next_step;          /* by itself, without a message */
	uint64_t next_step_ms_left;
	struct addr proposer;
	/* `voted` for what the phase waits for; `reachable`: connected, and this node's own. */
	struct weight total, quorum, voted, missing, reachable;
	uint64_t committed_height;
	uint64_t committed_time_ms;
	uint64_t written_height;     /* what readers see */
	bool is_fetching;
	uint64_t fetch_height;       /* the highest that others say to have */
	bool has_checkpoint;
	uint64_t checkpoint_height;
	uint64_t view_change_total;  /* since the start */
	uint64_t evidence_count;     /* kept */
	struct rpc_consensus_refusal *refusals; /* owned; those that happened since the start */
	size_t refusal_count;
	struct rpc_consensus_member *members; /* owned */
	size_t member_count;
};

/* What proves that a validator signed two values at one position. */
struct rpc_evidence {
	struct addr validator;
	size_t index;                /* in the set of that height */
	uint64_t height, view;
	const char *kind;            /* a static string */
	struct hash validators_hash; /* signed along */
	uint64_t seen_ms;            /* when this node learnt of it */
	struct buf first, second;    /* the statements, RLP; owned */
};

struct rpc_evidence_list {
	struct rpc_evidence *items;  /* owned; by rising height */
	size_t count;
};

/* The newest block that more than f weight has signed as final. */
struct rpc_checkpoint_signer {
	size_t index;
	struct addr address;
	struct weight weight;
	struct signature signature;
};

struct rpc_checkpoint {
	bool is_there;
	uint64_t height, epoch;
	struct hash block_hash, validators_hash;
	struct weight weight, total, faulty;
	struct rpc_checkpoint_signer *signers; /* owned; by rising index */
	size_t count;
};

void rpc_consensus_status_clear(struct rpc_consensus_status *s);

struct rpc_pool_stats {
	size_t pending_count, future_count, size;
};

typedef void (*rpc_pool_tx_fn)(void *arg, struct tx *t, bool pending);

/* --- filters that are polled: eth_newFilter and its like --- */

enum rpc_poll_kind {
	RPC_POLL_LOGS,   /* logs of new blocks that match */
	RPC_POLL_BLOCKS, /* new blocks */
	RPC_POLL_TXS,    /* transactions that the pool has taken */
};

struct rpc_poll {
	enum rpc_poll_kind kind;
	/* LOGS: what is asked for */
	struct log_filter logs;      /* sorted; owned */
	bool has_from, has_to;       /* else the newest block */
	uint64_t from, to;
	/* What came since the last time. */
	uint64_t first, last;        /* blocks; none if first > last */
	struct hash *txs;            /* the oldest first; owned */
	size_t tx_count;
};
void rpc_poll_clear(struct rpc_poll *p);

struct rpc_node_ops {
	/* Takes no reference; on OK the pool holds one. RPC_E_REJECTED, or RPC_E_LIMIT
	 * while the node can't take any. */
	int (*submit)(void *ctx, struct tx *t, struct err *err);
	/* A waiting transaction: a new reference, or NULL. */
	struct tx *(*pool_get)(void *ctx, const struct hash *hash);
	uint64_t (*pool_next_nonce)(void *ctx, const struct addr *sender);
	void (*pool_stats)(void *ctx, struct rpc_pool_stats *out);
	/* By sender and, within one, by nonce; `fn` may take references. */
	void (*pool_each)(void *ctx, rpc_pool_tx_fn fn, void *arg);
	/* Account and proofs at the newest block that readers see, whose height comes back too;
	 * an account that does not exist is all zeros. `slot_proofs` come zeroed. RPC_E_NOT_YET
	 * while a newer one is final and not yet written: the trie stands there. */
	int (*prove)(void *ctx, const struct addr *address, const struct hash slots[], size_t slot_count,
		     uint64_t *height, struct rpc_account *account, struct rpc_proof *account_proof,
		     struct u256 values[], struct rpc_proof slot_proofs[], struct err *err);
	void (*consensus_status)(void *ctx, struct rpc_consensus_status *out);
	/* `out` comes zeroed. */
	void (*evidence)(void *ctx, struct rpc_evidence_list *out);
	void (*checkpoint)(void *ctx, struct rpc_checkpoint *out);
	/* A filter as `p` asks for; its id is a number that nobody guesses. RPC_E_LIMIT. */
	int (*poll_new)(void *ctx, const struct rpc_poll *p, struct hash *id, struct err *err);
	/* What one asks for, and with `changes` what came, behind which it goes on; readers
	 * opened from now on see it. `out` comes zeroed. RPC_E_NOT_FOUND. */
	int (*poll_get)(void *ctx, const struct hash *id, bool changes, struct rpc_poll *out, struct err *err);
	/* False if there is no such filter. */
	bool (*poll_end)(void *ctx, const struct hash *id);
	/* Appends the node's metrics in Prometheus' text format. */
	void (*metrics)(void *ctx, struct buf *out);
	size_t (*peer_count)(void *ctx);
	/* Milliseconds since the newest block, and whether one is overdue. */
	void (*head_age)(void *ctx, uint64_t *age_ms, bool *is_stalled);
	/* Why the node is of no use whatever its head says: a text, valid until the next event, or NULL. */
	const char *(*trouble)(void *ctx);
};

struct rpc_node_backend {
	const struct rpc_node_ops *ops;
	void *ctx;
};

#endif
