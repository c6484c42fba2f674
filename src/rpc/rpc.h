/*
 * rpc - JSON-RPC 2.0: request bytes in, reply bytes out.
 *
 *   worker thread                       node's thread              worker thread
 *   rpc_begin(body)                     rpc_continue(request)      rpc_finish(request)
 *     parse, look up the method,    ->    the calls that ask    ->   the reply's bytes
 *     read parameters; answer all         pool, consensus or
 *     that a snapshot can answer;         newest proofs
 *     decode transactions and find
 *     their senders (the costly part)
 *
 * One table (methods.c) says of each method: name, shape of its parameters,
 * handler, thread and cost. It dispatches, checks parameters and documents.
 * Everything a client controls is bounded: body, depth, batch, reply, cost.
 */
#ifndef WEFT_RPC_RPC_H
#define WEFT_RPC_RPC_H

#include "crypto/ecc.h"
#include "json/json.h"
#include "rpc/backend.h"

struct rpc;

struct rpc_limits {
	size_t batch_count;
	size_t reply_size;
	uint64_t cost;     /* sum of the methods' costs in one body; see methods.h */
	size_t log_count;  /* that one eth_getLogs gives; 0: LIMIT_RPC_LOG_COUNT */
	uint64_t log_block_count; /* that it reads without an index; 0: LIMIT_RPC_LOG_BLOCK_COUNT */
};

struct rpc *rpc_new(const struct rpc_info *info, const struct ecc *ecc,
		    struct rpc_reader_backend reader, struct rpc_limits limits);
void rpc_free(struct rpc *r);

struct rpc_request;

/* Parses a body and does a worker's part of it; never fails: what is wrong becomes
 * an error reply. *needs_node says whether rpc_continue() is due. */
struct rpc_request *rpc_begin(struct rpc *r, struct bytes body, bool *needs_node);

/* The node thread's part. False if something of it can be answered only later (RPC_E_NOT_YET):
 * call again then, which asks the rest. With `is_last` it is refused as busy instead. */
bool rpc_continue(struct rpc_request *q, struct rpc_node_backend node, bool is_last);

/* Ends the request: appends the reply's bytes (nothing if only notifications came).
 * A node that stops may end one without rpc_continue(): what waited for that was
 * not done, and an error says so. Reads no snapshot then. */
void rpc_finish(struct rpc_request *q, struct buf *reply);

/* Plain GET paths beside JSON-RPC: /liveness, /readiness (query: minPeers,
 * maxBlocksBehind), /metrics. False if the path is none of them. Node's thread. */
bool rpc_get(struct rpc *r, struct rpc_node_backend node, const char *path, const char *query,
	     int *status, const char **content_type, struct buf *body);

/* Appends docs/RPC.md's table of methods, made from the method table. */
void rpc_document(struct buf *out);

#endif
