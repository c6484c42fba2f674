/*
 * params - a method's parameters: their shape as text, and one function that
 * reads them.
 *
 *   shape     = "" | parameter { "," parameter }
 *   parameter = [ name ":" ] kind [ "?" ]        "?": may be absent or null
 *
 *   "address,block?"   "hash,bool?"   "count:quantity,newest:number,percentiles?"
 *
 * What is optional stands behind what is not. Handlers receive values; what a
 * client sent wrongly is answered here, in geth's words where clients know them:
 *
 *   invalid argument 0: hex string has length 38, want 40 for address
 *   missing value for required argument 1
 *   too many arguments, want at most 2
 */
#ifndef WEFT_RPC_PARAMS_H
#define WEFT_RPC_PARAMS_H

#include "base/buf.h"
#include "json/json.h"
#include "rpc/backend.h"
#include "rpc/trace_options.h"

#define RPC_ARG_MAX 4
#define RPC_PERCENTILE_MAX 100 /* as geth */
#define RPC_SLOT_MAX 1024      /* as geth */
#define RPC_ACCESS_MAX 4096    /* entries of a call's access list, and their slots */
#define RPC_AUTHORIZATION_MAX 1024 /* of a call; each is a signature to recover */
#define RPC_OVERRIDE_ACCOUNT_MAX 1024
#define RPC_OVERRIDE_SLOT_MAX 16384 /* of all accounts */

enum rpc_arg_kind {
	RPC_ARG_ADDRESS,     /* "address": DATA, 20 bytes */
	RPC_ARG_HASH,        /* "hash": DATA, 32 bytes */
	RPC_ARG_DATA,        /* "data": DATA */
	RPC_ARG_QUANTITY,    /* "quantity": QUANTITY of 64 bits, or a JSON integer */
	RPC_ARG_BOOL,        /* "bool" */
	RPC_ARG_NUMBER,      /* "number": a tag, QUANTITY or JSON integer; absent: latest */
	RPC_ARG_BLOCK,       /* "block": the same, a hash, or an object of EIP-1898 */
	RPC_ARG_BLOCK_HASH,  /* "blockHash": DATA, 32 bytes, as a block */
	RPC_ARG_SLOT,        /* "slot": up to 32 bytes in hex */
	RPC_ARG_SLOTS,       /* "slots": an array of them */
	RPC_ARG_PERCENTILES, /* "percentiles": rising numbers from 0 to 100 */
	RPC_ARG_CALL,        /* "call": a transaction object, for eth_call and eth_estimateGas */
	RPC_ARG_TRACE,       /* "trace": tracer, timeout and options of debug_trace methods */
	RPC_ARG_TRACE_CALL,  /* "traceCall": the same, with overrides; sets trace_call */
	RPC_ARG_FILTER,      /* "filter": which logs, and of which blocks */
	RPC_ARG_FILTER_ID,   /* "filterId": what eth_newFilter gave */
	RPC_ARG_STATE_OVERRIDE, /* "stateOverrides": accounts as the call is to find them */
	RPC_ARG_BLOCK_OVERRIDE, /* "blockOverrides": its block */
};

enum rpc_block_kind {
	RPC_BLOCK_NEWEST, /* latest, safe, finalized: all are the newest block here */
	RPC_BLOCK_PENDING,/* read as the newest; counts waiting transactions in nonces */
	RPC_BLOCK_HEIGHT,
	RPC_BLOCK_HASH,
};

struct rpc_block_ref {
	enum rpc_block_kind kind;
	uint64_t height;
	struct hash hash;
};

struct rpc_slot {
	struct hash key;
	bool is_short; /* fewer than 32 bytes were given: eth_getProof echoes it as a QUANTITY */
};

/* Logs of some blocks: up to two that are named, or the one of a hash (both are that). */
struct rpc_filter {
	struct rpc_block_ref from, to;
	const struct log_filter *logs; /* sorted */
};

/* One parameter; which member is set follows from its kind. */
struct rpc_arg {
	bool is_present;
	union {
		struct addr address;
		struct hash hash;
		struct bytes data;
		uint64_t quantity;
		bool flag;
		struct rpc_block_ref block;
		struct rpc_slot slot;
		struct {
			struct rpc_slot *items;
			size_t count;
		} slots;
		struct {
			double *items;
			size_t count;
		} percentiles;
		struct rpc_call call;
		struct rpc_trace_options trace;
		struct {
			struct rpc_trace_options options;
			struct state_override state;
			bool has_block;
			struct block_override block;
		} trace_call;
		struct rpc_filter filter;
		struct state_override state_override;
		struct block_override block_override;
	};
};

enum {
	RPC_ARGS_DATA,
	RPC_ARGS_ACCESS_LIST,
	RPC_ARGS_AUTHORIZATIONS,
	RPC_ARGS_CODE, /* of overrides */
	RPC_ARGS_BYTES_COUNT,
};

struct rpc_args {
	struct rpc_arg at[RPC_ARG_MAX];
	size_t count;        /* of the shape */
	struct buf bytes[RPC_ARGS_BYTES_COUNT]; /* what values point into */
	struct log_filter filter; /* of a set of parameters at most one */
	void *list;          /* slots or percentiles; a shape has one list at most */
	struct account_override *accounts; /* of a state override, */
	struct override_slot *slots;       /* and all their slots */
};

/* Reads `params` (an array, an object is refused, NULL or null is none) as `shape`
 * says; RPC_E_PARAMS. `args` starts zeroed and is ended with rpc_args_clear() on
 * either outcome; it may be used again after that, and keeps memory for it.
 * `chain_id` is what a call object's chainId has to be. */
int rpc_args_read(struct rpc_args *args, const char *shape, const struct jval *params,
		  uint64_t chain_id, struct err *err);

/* Makes `args` empty; _free gives its memory back too. */
void rpc_args_clear(struct rpc_args *args);
void rpc_args_free(struct rpc_args *args);

/* The options of a debug_trace method (params_trace.c). */
int rpc_read_trace_options(struct rpc_trace_options *out, const struct jval *v, struct err *err);

/* Walks a shape: start with *rest = shape; false at its end. The name is the
 * kind's where none is given. CHECKs that the shape is well formed. */
struct rpc_param {
	struct bytes name;
	enum rpc_arg_kind kind;
	bool is_optional;
};
bool rpc_shape_next(const char **rest, struct rpc_param *out);

/* The kinds' names and explanations, for the documentation. */
const char *rpc_arg_kind_name(enum rpc_arg_kind kind);
const char *rpc_arg_kind_doc(enum rpc_arg_kind kind);
#define RPC_ARG_KIND_COUNT (RPC_ARG_BLOCK_OVERRIDE + 1)

#endif
