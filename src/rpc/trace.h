/*
 * trace - what the debug_trace methods write: a tracer watches the machine and
 * writes one JSON value a transaction, as geth's tracer of that name does.
 *
 *   machine, host ──hooks──► struct trace ──► struct jout
 *                              │  trace.c           time, size, who is asked for
 *                              ├─ trace_struct.c    every step: streamed
 *                              ├─ trace_call.c      calls and logs: kept, written at the end
 *                              ├─ trace_prestate.c  accounts: before, or before and after
 *                              └─ trace_four.c      selectors; and nothing
 *
 * Nothing is kept or written beyond what a reply may be long, and nothing runs beyond the
 * time asked for: the run ends with an error then. Numbers, names, texts and what is left
 * out are those of geth 1.17 (eth/tracers).
 */
#ifndef WEFT_RPC_TRACE_H
#define WEFT_RPC_TRACE_H

#include "rpc/methods.h"

/* Makes the tracer that the options name. It writes into `out` whatever it sees: with
 * `is_list` as an element {txHash, result} for each transaction. */
struct trace *trace_new(struct rpc_item *i, const struct rpc_trace_options *options,
			struct jout *out, bool is_list);
void trace_free(struct trace *t); /* NULL is allowed */

/* For the backend; borrowed. */
const struct rpc_tracer *trace_sink(const struct trace *t);

/* What came of it: `code` and `err` as the backend gave them, or why the tracer itself
 * ended the run. */
int trace_result(const struct trace *t, int code, struct err *err);

/* --- for the tracers --- */

struct trace_ops {
	size_t size;                 /* of the struct that begins with struct trace */
	/* Each may be NULL but end, which writes the value. */
	void (*begin)(struct trace *t);
	void (*end)(struct trace *t, uint64_t gas_limit, uint64_t gas_used);
	void (*clear)(struct trace *t);
	/* The machine's and host's; start is vm_tracer's begin. */
	void (*start)(struct trace *t, const struct vm_block_context *block);
	void (*enter)(struct trace *t, const struct vm_message *m, uint64_t gas_left);
	void (*step)(struct trace *t, const struct vm_step *step);
	void (*fail)(struct trace *t, const struct vm_reason *reason, uint64_t cost_gas);
	void (*leave)(struct trace *t, const struct vm_message *m, enum vm_status status,
		      uint64_t gas_left, struct bytes output);
	void (*log)(struct trace *t, const struct addr *address, const struct hash topics[],
		    size_t topic_count, struct bytes data);
	void (*self_destruct)(struct trace *t, const struct addr *address, const struct addr *heir,
			      struct wei balance);
};

extern const struct trace_ops trace_struct_ops, trace_call_ops, trace_prestate_ops, trace_four_ops,
	trace_noop_ops;

struct trace {
	const struct trace_ops *ops;
	const struct rpc_trace_options *options;
	struct rpc_item *item;
	struct jout *out;
	bool is_list;
	struct rpc_tracer sink;
	const struct rpc_trace_run *run; /* while it is under way */
	uint64_t deadline_ms;            /* 0: the first run sets it */
	uint64_t step_count;
	int code;                        /* OK, or why it wants no more */
	struct err failure;
	/* The top of the stack that the last step found: operands of the call that begins. */
	struct u256 operands[4];         /* topmost first */
	uint8_t opcode;
};

/* Ends the run: RPC_E_TOO_LARGE if `size` bytes more would not fit into the reply. */
bool trace_room(struct trace *t, size_t size);

/* The callee that a call's instruction names, whatever code it delegates to. */
struct addr trace_callee(const struct trace *t, const struct vm_message *m);

/* The name of a call's instruction. */
const char *trace_kind_name(enum vm_call_kind kind);

/* The state now; false ends the run. */
bool trace_account(struct trace *t, const struct addr *address, struct rpc_account *out);
bool trace_storage(struct trace *t, const struct addr *address, const struct hash *slot,
		   struct u256 *out);
bool trace_code(struct trace *t, const struct hash *code_hash, struct buf *out);

/* Topmost word first; what a step has. */
static inline const struct u256 *trace_operand(const struct vm_step *s, size_t index)
{
	return &s->stack[s->stack_count - 1 - index];
}

static inline struct addr trace_addr(const struct u256 *word)
{
	uint8_t be[32];
	struct addr a;

	u256_to_be32(be, word);
	memcpy(a.bytes, be + 12, sizeof(a.bytes));
	return a;
}

static inline struct hash trace_hash(const struct u256 *word)
{
	struct hash h;

	u256_to_be32(h.bytes, word);
	return h;
}

#endif
