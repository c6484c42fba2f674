/*
 * trace_options - what the last parameter of a debug_trace method says.
 */
#ifndef WEFT_RPC_TRACE_OPTIONS_H
#define WEFT_RPC_TRACE_OPTIONS_H

#include "base/bytes.h"

#define RPC_TRACE_TIMEOUT_MS 5000ull      /* unless one is asked for, as geth */
#define RPC_TRACE_TIMEOUT_MAX_MS 30000ull /* whatever is asked for: a worker is busy that long */

enum rpc_trace_kind {
	RPC_TRACE_STRUCT,            /* no tracer is named */
	RPC_TRACE_CALL,
	RPC_TRACE_PRESTATE,
	RPC_TRACE_FOUR_BYTE,
	RPC_TRACE_NOOP,
};

struct rpc_trace_options {
	enum rpc_trace_kind kind;
	uint64_t timeout_ms;
	/* struct logger */
	bool enable_memory, disable_stack, disable_storage, enable_return_data;
	uint64_t limit;              /* bytes of steps, about; 0: as many as a reply may have */
	/* callTracer */
	bool only_top_call, with_log;
	/* prestateTracer; disable_storage too */
	bool diff_mode, disable_code, include_empty;
};

#endif
