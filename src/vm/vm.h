/*
 * vm - the Ethereum virtual machine: Cancun, Prague, Osaka.
 *
 *   bytecode --analysis--> struct vm_code: blocks of decoded instructions,   cached by
 *                              │           constants, jump table              code hash
 *                              ▼
 *   frames[0..1024] ──► interpreter ── struct vm_host ──► accounts, storage, logs
 *      │ stack: one run of words, a frame's begins where its caller's ends
 *      └ memory: one buffer a depth, kept for the next frame there
 *
 * Code is decoded once. A basic block begins with one check of gas and stack for
 * all its instructions; what fails in the middle of a block fails at its start,
 * which nobody can tell apart, since a failing frame loses all gas and leaves no
 * trace. Instructions that look at the gas left end their block, so they see the
 * exact figure. Frequent pairs are one instruction; a jump to a jump leads at once to
 * where that leads.
 *
 * A call pushes a frame and goes on in the same loop: native stack does not grow
 * with depth. No instruction allocates, apart from memory that grows to a size
 * not had before at its depth, and code not met before.
 *
 * A tracer gets code that is decoded one instruction a block; without one the
 * interpreter has no branch for it.
 */
#ifndef WEFT_VM_VM_H
#define WEFT_VM_VM_H

#include "vm/host.h"
#include "vm/opcodes.h"

#define VM_DEPTH_MAX 1024
#define VM_STACK_MAX 1024
/* No gas limit buys more memory than this in one frame: 2^45 gas. */
#define VM_MEMORY_MAX (1ull << 32)

struct vm;

/* A machine for one thread: about 34 MB of address space for stacks, touched as
 * far as they are used. Code is cached up to `cache_size` bytes; `seed` keys the table. */
struct vm *vm_new(enum revision revision, size_t cache_size, uint64_t seed);
void vm_free(struct vm *vm);

/* Runs a message to its end. False if the host failed. Otherwise *out is the
 * caller's; out->output is to be freed by buf_clear(). */
bool vm_run(struct vm *vm, const struct vm_host *host, const struct vm_message *message,
	    struct vm_result *out);

/* Why the call failed whose end the tracer is being told. */
const struct vm_reason *vm_reason(const struct vm *vm);

/* A failure in the words that clients know from geth: "out of gas", "stack underflow
 * (1 <=> 2)". NUL-terminated; returns `out`. */
#define VM_REASON_TEXT_MAX 64
const char *vm_reason_text(char out[VM_REASON_TEXT_MAX], const struct vm_reason *reason);

/* --- code --- */

/* Bytecode with what is known of it. Counted: cache and frames hold it. */
struct vm_code {
	struct bytes bytes;          /* its own copy */
	struct hash hash;            /* zero if it is not in a cache */
	struct vm_insn *insns;       /* decoded; NULL until it is run */
	uint32_t *jumps;             /* by byte: 1 + the instruction there, 0: no JUMPDEST */
	size_t size;                 /* memory, bytes */
	uint32_t refs;
	bool is_delegation;          /* EIP-7702: 0xef0100 and an address */
	struct addr delegate;
	struct vm_code *newer;       /* in the cache's order */
};

/* The cached code with this hash, or NULL; borrowed. */
struct vm_code *vm_code_find(struct vm *vm, const struct hash *code_hash);
/* Copies code into the cache, and gives it; borrowed: it stays at least until the
 * next vm_code_add(). */
struct vm_code *vm_code_add(struct vm *vm, const struct hash *code_hash, struct bytes bytes);
/* A code of its own, outside the cache: one reference. */
struct vm_code *vm_code_new(struct bytes bytes);
struct vm_code *vm_code_ref(struct vm_code *code);
void vm_code_unref(struct vm_code *code);

/* --- tracing --- */

/* An instruction that is about to run. Everything is borrowed. */
struct vm_step {
	uint64_t pc;
	uint8_t opcode;
	int64_t gas_left;
	int64_t refund;              /* of this frame so far */
	uint32_t depth;              /* 0: the transaction's frame */
	const struct u256 *stack;    /* bottom first */
	size_t stack_count;
	struct bytes memory;
	struct bytes return_data;
	const struct vm_message *message;
};

/* Each may be NULL. All but begin, log and self_destruct come from the machine; the last
 * two come from the host, since native contracts log as well. */
struct vm_tracer {
	void *ctx;
	/* From exec, before a transaction or call that is found valid: nothing is paid yet. */
	void (*begin)(void *ctx, const struct vm_block_context *block);
	/* `gas_left` is the caller's. A creation that a contract makes has its address in
	 * leave only. */
	void (*enter)(void *ctx, const struct vm_message *m, uint64_t gas_left);
	void (*step)(void *ctx, const struct vm_step *step);
	/* Just before the leave of a call that did not succeed and did not revert by
	 * itself. `cost_gas`: what its last instruction wanted, as far as that was reckoned
	 * before the gas was too little; 0 if it is none. */
	void (*fail)(void *ctx, const struct vm_reason *reason, uint64_t cost_gas);
	/* Of a failure `gas_left` is 0. */
	void (*leave)(void *ctx, const struct vm_message *m, enum vm_status status,
		      uint64_t gas_left, struct bytes output);
	/* These may be taken back when a frame around them fails. */
	void (*log)(void *ctx, const struct addr *address, const struct hash topics[],
		    size_t topic_count, struct bytes data);
	void (*self_destruct)(void *ctx, const struct addr *address, const struct addr *heir,
			      struct wei balance);
	/* Asked after each step; true ends the run, which then has no result: as if the
	 * host had failed. */
	bool (*is_over)(void *ctx);
};

/* `tracer` (borrowed) sees what runs from now on; NULL: nobody does. Code that was
 * decoded for one case waits for its return, so changing over is cheap. */
void vm_set_tracer(struct vm *vm, const struct vm_tracer *tracer);

#endif
