/*
 * internal - what the parts of vm share.
 *
 *   opcodes.[ch]    the table
 *   word.[ch]       256-bit arithmetic
 *   code.c          decoding, and the cache of decoded code
 *   interpreter.c   the loop; ops.inc has the instructions' bodies
 *   frame.c         frames: calls, creations, their ends
 *   reason.c        why a call failed, in words
 *   access.c        instructions that ask the host, and their gas
 *   precompiles.c   contracts that are ours to compute
 */
#ifndef WEFT_VM_INTERNAL_H
#define WEFT_VM_INTERNAL_H

#include "base/map.h"
#include "vm/vm.h"

/*
 * How one instruction hands over to the next. With clang, every instruction is a
 * function that ends in a guaranteed tail call and keeps the registers in
 * arguments; else all are labels of one function, reached by computed goto. The
 * bodies are the same.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VM_SANITIZED 1 /* clang 19 can't have both */
#endif
#endif
#if defined(__clang__) && __clang_major__ >= 19 && defined(__x86_64__) && \
	defined(__OPTIMIZE__) && !defined(VM_SANITIZED)
#define VM_TAIL_CALLS 1
#define VM_OP_CALL __attribute__((preserve_none))
#else
#define VM_TAIL_CALLS 0
#define VM_OP_CALL
#endif

struct vm_insn;
struct vm_frame;

typedef VM_OP_CALL void vm_op_fn(const struct vm_insn *ip, struct u256 *sp, int64_t gas,
				 struct vm_frame *f);

/* A decoded instruction. A wide constant takes the two places behind its own. */
struct vm_insn {
	union {
		const void *label;
		vm_op_fn *fn;
	} run;
	union {
		uint64_t imm;                  /* PUSH, PC, TRACE: a constant, a place; DUP_…: how deep */
		const struct vm_insn *target;  /* of a jump that is known */
		struct {
			uint32_t gas;          /* of all instructions of the block */
			uint16_t need;         /* words that must be there */
			uint16_t room;         /* words beyond these that may be there */
		} block;
	};
};

/* Kinds of decoded instructions: the opcodes that are run as such, */
#define VM_KIND_SINGLES(KIND)                                                            \
	KIND(STOP) KIND(ADD) KIND(MUL) KIND(SUB) KIND(DIV) KIND(SDIV) KIND(MOD)          \
	KIND(SMOD) KIND(ADDMOD) KIND(MULMOD) KIND(EXP) KIND(SIGNEXTEND) KIND(LT)         \
	KIND(GT) KIND(SLT) KIND(SGT) KIND(EQ) KIND(ISZERO) KIND(AND) KIND(OR) KIND(XOR)  \
	KIND(NOT) KIND(BYTE) KIND(SHL) KIND(SHR) KIND(SAR) KIND(CLZ) KIND(KECCAK256)     \
	KIND(ADDRESS) KIND(BALANCE) KIND(ORIGIN) KIND(CALLER) KIND(CALLVALUE)            \
	KIND(CALLDATALOAD) KIND(CALLDATASIZE) KIND(CALLDATACOPY) KIND(CODESIZE)          \
	KIND(CODECOPY) KIND(GASPRICE) KIND(EXTCODESIZE) KIND(EXTCODECOPY)                \
	KIND(RETURNDATASIZE) KIND(RETURNDATACOPY) KIND(EXTCODEHASH) KIND(BLOCKHASH)      \
	KIND(COINBASE) KIND(TIMESTAMP) KIND(NUMBER) KIND(PREVRANDAO) KIND(GASLIMIT)      \
	KIND(CHAINID) KIND(SELFBALANCE) KIND(BASEFEE) KIND(BLOBHASH) KIND(BLOBBASEFEE)   \
	KIND(POP) KIND(MLOAD) KIND(MSTORE) KIND(MSTORE8) KIND(SLOAD) KIND(SSTORE)        \
	KIND(JUMP) KIND(JUMPI) KIND(PC) KIND(MSIZE) KIND(GAS) KIND(TLOAD) KIND(TSTORE)   \
	KIND(MCOPY) KIND(LOG0) KIND(LOG1) KIND(LOG2) KIND(LOG3) KIND(LOG4) KIND(CREATE)  \
	KIND(CALL) KIND(CALLCODE) KIND(RETURN) KIND(DELEGATECALL) KIND(CREATE2)          \
	KIND(STATICCALL) KIND(REVERT) KIND(INVALID) KIND(SELFDESTRUCT)
/* those that only decoding knows, */
#define VM_KIND_INNER(KIND) KIND(BLOCK) KIND(TRACE) KIND(PUSH) KIND(PUSH_WIDE)
/* and neighbours that are run as one; PUSH stands for a constant below 2^64, DUP and
 * SWAP for any of theirs, N… for the comparison with ISZERO behind it, …_JUMPI for one
 * with a known jump behind it. JUMP_BLOCK and JUMPI_BLOCK are JUMP and JUMPI where
 * destinations are blocks, that is, without a tracer. */
#define VM_KIND_FUSED(KIND)                                                              \
	KIND(JUMP_BLOCK) KIND(JUMPI_BLOCK) KIND(PUSH_JUMP) KIND(PUSH_JUMPI)              \
	KIND(LT_JUMPI) KIND(GT_JUMPI) KIND(SLT_JUMPI) KIND(SGT_JUMPI) KIND(EQ_JUMPI)     \
	KIND(NLT_JUMPI) KIND(NGT_JUMPI) KIND(NSLT_JUMPI) KIND(NSGT_JUMPI)                \
	KIND(NEQ_JUMPI) KIND(ISZERO_JUMPI)                                               \
	KIND(NLT) KIND(NGT) KIND(NSLT) KIND(NSGT) KIND(NEQ)                              \
	KIND(PUSH_ADD) KIND(PUSH_SUB) KIND(PUSH_MUL) KIND(PUSH_AND) KIND(PUSH_SHL)       \
	KIND(PUSH_SHR) KIND(PUSH_EQ) KIND(PUSH_LT) KIND(PUSH_GT) KIND(PUSH_MLOAD)        \
	KIND(PUSH_MSTORE) KIND(WIDE_AND)                                                 \
	KIND(DUP_ADD) KIND(DUP_SUB) KIND(DUP_AND) KIND(DUP_XOR) KIND(DUP_LT)             \
	KIND(DUP_GT) KIND(DUP_EQ) KIND(DUP_MLOAD) KIND(DUP_MSTORE) KIND(DUP_PUSH)        \
	KIND(SWAP_POP) KIND(POPS)

enum vm_kind {
#define VM_KIND(name) VM_KIND_##name,
	VM_KIND_SINGLES(VM_KIND)
	VM_KIND_INNER(VM_KIND)
	VM_KIND_FUSED(VM_KIND)
#undef VM_KIND
#define VM_KIND(n) VM_KIND_DUP##n,
	VM_OPCODE_SIXTEEN(VM_KIND)
#undef VM_KIND
#define VM_KIND(n) VM_KIND_SWAP##n,
	VM_OPCODE_SIXTEEN(VM_KIND)
#undef VM_KIND
	VM_KIND_COUNT,
};

struct vm_frame {
	/* the interpreter's registers, while another frame runs or a helper works */
	const struct vm_insn *ip;
	struct u256 *sp;              /* the topmost word; `stack` if there is none */
	int64_t gas;

	struct u256 *stack;           /* the word below the first one */
	uint8_t *memory;
	uint64_t memory_size;         /* a multiple of 32 */
	uint64_t memory_capacity;
	int64_t memory_gas;           /* what memory_size costs */
	struct vm *vm;
	const struct vm_host *host;
	struct vm_code *code;         /* a reference; of a creation: of its init code */
	struct vm_message message;
	int64_t refund;
	bool creates;
	uint64_t out_offset, out_size; /* where the caller, this frame, wants a call's output */
};

struct vm_cache {
	struct map table;              /* code hash -> struct vm_code * */
	size_t size, size_max;
	struct vm_code *oldest, *newest;
};

struct vm {
	enum revision revision;
	const struct vm_host *host;
	const struct vm_tracer *tracer;
	struct u256 *stack;            /* of all frames */
	struct vm_frame *frames;       /* VM_DEPTH_MAX + 1 */
	struct buf return_data;        /* of the call that ended last in the frame that runs */
	struct vm_result *result;      /* of the whole run */
	bool host_failed;
	uint32_t deepest;              /* frame that this run has used */
	struct vm_reason reason;       /* of the failure under way */
	int64_t step_gas, step_base;   /* of the step traced last: what it found, and its base */
	uint64_t failed_gas;           /* what it wanted, if it failed */
	struct vm_cache caches[2];     /* code decoded to be run, and to be traced */
	struct vm_cache *cache;        /* the one in use */
};

/* --- code.c --- */

/* Decodes it, if it isn't yet. With a tracer, every instruction is a block. */
void vm_code_prepare(struct vm *vm, struct vm_code *code);
void vm_cache_init(struct vm_cache *cache, size_t size_max, uint64_t seed);
void vm_cache_clear(struct vm_cache *cache);

/* --- interpreter.c --- */

/* Runs from frame `f` until there is none. */
void vm_interpret(struct vm_frame *f);
/* Labels by kind, as vm_insn.run wants them. */
void vm_handler(enum vm_kind kind, struct vm_insn *out);

/* --- frame.c --- */

/* These take the registers from the frame, and give the frame that goes on, NULL at the end. */
struct vm_frame *vm_call(struct vm_frame *f, enum vm_call_kind kind);
struct vm_frame *vm_create(struct vm_frame *f, enum vm_call_kind kind);
struct vm_frame *vm_end(struct vm_frame *f, enum vm_status status, struct bytes output);
/* RETURN and REVERT: with the output that the stack tells. */
struct vm_frame *vm_end_output(struct vm_frame *f, enum vm_status status);
/* Out of everything: the frame failed, or the host did. vm->reason says why, if it is
 * not that f->gas is negative. */
struct vm_frame *vm_end_failure(struct vm_frame *f);

/* --- access.c: gas left, negative if the instruction failed --- */

int64_t vm_grow(struct vm_frame *f, uint64_t offset, uint64_t size, int64_t gas);
int64_t vm_grow_words(struct vm_frame *f, const struct u256 *offset, const struct u256 *size,
		      int64_t gas);
int64_t vm_keccak(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_copy_in(struct vm_frame *f, struct u256 *sp, int64_t gas, struct bytes from);
int64_t vm_copy_return_data(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_copy_memory(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_copy_ext_code(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_balance(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_ext_code_size(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_ext_code_hash(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_self_balance(struct vm_frame *f, struct u256 *out, int64_t gas);
int64_t vm_block_hash(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_sload(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_sstore(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_tload(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_tstore(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_log(struct vm_frame *f, struct u256 *sp, int64_t gas, size_t topic_count);
int64_t vm_self_destruct(struct vm_frame *f, struct u256 *sp, int64_t gas);
int64_t vm_exp_gas(const struct u256 *exponent, int64_t gas);
/* EIP-2929's surcharge for an account that is cold. */
int64_t vm_touch(struct vm_frame *f, const struct addr *address, int64_t gas, int64_t cold_gas);
/* Ends the run: gives the negative gas to return. */
int64_t vm_host_failed(struct vm_frame *f);
/* The frame fails for another reason than gas: likewise. */
int64_t vm_fail(struct vm_frame *f, enum vm_failure why);
/* The 32-byte key of a storage slot. */
void vm_slot(struct hash *out, const struct u256 *word);
/* Of a traced instruction: base cost, stack bounds, the tracer's call. */
int64_t vm_trace_step(struct vm_frame *f, struct u256 *sp, int64_t gas, uint64_t pc);

#define VM_GAS_WORD_COPY 3
#define VM_GAS_COLD_ACCOUNT 2500 /* beyond the warm 100 in the row */
#define VM_GAS_COLD_SLOT 2000    /* likewise */

#endif
