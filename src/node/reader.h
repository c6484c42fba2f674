/*
 * reader - what the parts of RPC's reader table share.
 *
 *   reader.c        blocks, transactions, state; the table
 *   reader_call.c   calls, and the executors that run them
 *   reader_logs.c   logs, by the store's index
 *   reader_trace.c  transactions and calls that run under a tracer
 */
#ifndef WEFT_NODE_READER_H
#define WEFT_NODE_READER_H

#include "node/internal.h"
#include "vm/vm.h"

/* One request's; one thread. */
struct snapshot {
	struct node_head *head;
	struct node_reader *reader;
	/* The state last asked for: most requests ask for one height. */
	struct store_view *view;
	uint64_t view_height;
	struct exec *exec;           /* taken by the first call */
	uint64_t deadline_ms;        /* of what runs, by the reader's steady clock; 0: none */
};

/* The store's and exec's codes in RPC's terms; the message stays. */
int reader_translate(int code);

/* The state after block `height`, which the snapshot keeps. RPC's codes. */
int reader_view_at(struct snapshot *s, uint64_t height, struct state_view *out, struct err *err);

/* What a call on the state after `height` stands on. Old blocks lack only what making a
 * real block would need: their history range. RPC's codes. */
int reader_parent_at(struct snapshot *s, uint64_t height, struct exec_parent *out, struct err *err);

int reader_logs(void *snapshot, const struct rpc_log_query *q, struct err *err);

/* An executor, the snapshot's until it is given back. */
struct exec *reader_exec(struct snapshot *s);
void reader_give_exec(struct snapshot *s);

/* What runs between these ends with EXEC_E_STOPPED after so long; 0: never. */
void reader_start_clock(struct snapshot *s, uint64_t timeout_ms);
void reader_stop_clock(struct snapshot *s);
bool reader_is_late(const struct snapshot *s);

/* The table's functions of these names. */
int reader_call(void *snapshot, uint64_t height, const struct rpc_call *call,
		struct rpc_call_result *out, struct err *err);
int reader_estimate_gas(void *snapshot, uint64_t height, const struct rpc_call *call, uint64_t *out,
			struct rpc_call_result *result, struct err *err);
int reader_access_list(void *snapshot, uint64_t height, const struct rpc_call *call,
		       struct buf *items, struct rpc_call_result *result, struct err *err);

/* A call in exec's terms; it borrows what `call` does. */
struct exec_call reader_exec_call(const struct rpc_call *call);

/* reader_trace.c: rows of the table. */
int reader_trace_txs(void *snapshot, uint64_t height, uint32_t first, uint32_t last,
		     const struct rpc_tracer *tracer, struct err *err);
int reader_trace_call(void *snapshot, uint64_t height, const struct rpc_call *call,
		      const struct rpc_tracer *tracer, struct err *err);

#endif
