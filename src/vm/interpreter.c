/* The loop: see VM_TAIL_CALLS in internal.h for its two forms. */
#include "vm/internal.h"

#include "base/check.h"
#include "vm/word.h"

#define LIKELY(cond) __builtin_expect(!!(cond), 1)
#define UNLIKELY(cond) __builtin_expect(!!(cond), 0)

/* The registers into the frame; `ahead` 1: it goes on with the next instruction. */
#define SAVE(ahead)               \
	do {                      \
		f->ip = ip + (ahead); \
		f->sp = sp;       \
		f->gas = gas;     \
	} while (0)

#define ALL_KINDS(KIND)           \
	VM_KIND_SINGLES(KIND)     \
	VM_KIND_INNER(KIND)       \
	VM_KIND_FUSED(KIND)

/* What lies behind `at` in data that ends within the word. */
static __attribute__((noinline)) struct u256 vm_load_part(struct bytes data, uint64_t at)
{
	uint8_t full[32] = { 0 };
	struct u256 word;

	memcpy(full, data.data + at, MIN(data.size - at, sizeof(full)));
	word_load(&word, full);
	return word;
}

#if VM_TAIL_CALLS

#define OP(name)                                                                         \
	static VM_OP_CALL void op_##name(const struct vm_insn *ip, struct u256 *sp,      \
					 int64_t gas, struct vm_frame *f)
#define JUMP_TO(place)                                                                   \
	do {                                                                             \
		const struct vm_insn *place_ = (place);                                  \
											 \
		__attribute__((musttail)) return place_->run.fn(place_, sp, gas, f);     \
	} while (0)
#define NEXT(n) JUMP_TO(ip + (n))
#define FAIL() __attribute__((musttail)) return op_fail(ip, sp, gas, f)
#define RESUME(next)                                                                     \
	do {                                                                             \
		struct vm_frame *next_ = (next);                                         \
											 \
		if (!next_)                                                              \
			return;                                                          \
		__attribute__((musttail)) return next_->ip->run.fn(next_->ip, next_->sp, \
								   next_->gas, next_);   \
	} while (0)

static VM_OP_CALL __attribute__((noinline)) void op_fail(const struct vm_insn *ip,
							 struct u256 *sp, int64_t gas,
							 struct vm_frame *f)
{
	(void)ip;
	(void)sp;
	f->gas = gas;
	RESUME(vm_end_failure(f));
}

#include "vm/ops.inc"

void vm_handler(enum vm_kind kind, struct vm_insn *out)
{
	static vm_op_fn *const handlers[VM_KIND_COUNT] = {
#define ENTRY(name) [VM_KIND_##name] = op_##name,
		ALL_KINDS(ENTRY)
#undef ENTRY
#define ENTRY(n) [VM_KIND_DUP##n] = op_DUP##n, [VM_KIND_SWAP##n] = op_SWAP##n,
		VM_OPCODE_SIXTEEN(ENTRY)
#undef ENTRY
	};

	out->run.fn = handlers[kind];
}

void vm_interpret(struct vm_frame *f)
{
	f->ip->run.fn(f->ip, f->sp, f->gas, f);
}

#else

#define OP(name) label_##name:
#define JUMP_TO(place)                    \
	do {                              \
		ip = (place);             \
		goto *ip->run.label;      \
	} while (0)
#define NEXT(n) JUMP_TO(ip + (n))
#define FAIL() goto fail
#define RESUME(next)                      \
	do {                              \
		f = (next);               \
		if (!f)                   \
			return NULL;      \
		ip = f->ip;               \
		sp = f->sp;               \
		gas = f->gas;             \
		goto *ip->run.label;      \
	} while (0)

/* Runs; or, without a frame, gives the labels, which nobody else can name. It is
 * long, since labels belong to one function. */
static const void *const *interpret(struct vm_frame *f)
{
	static const void *const labels[VM_KIND_COUNT] = {
#define ENTRY(name) [VM_KIND_##name] = &&label_##name,
		ALL_KINDS(ENTRY)
#undef ENTRY
#define ENTRY(n) [VM_KIND_DUP##n] = &&label_DUP##n, [VM_KIND_SWAP##n] = &&label_SWAP##n,
		VM_OPCODE_SIXTEEN(ENTRY)
#undef ENTRY
	};
	const struct vm_insn *ip;
	struct u256 *sp;
	int64_t gas;

	if (!f)
		return labels;
	RESUME(f);
#include "vm/ops.inc"
fail:
	f->gas = gas;
	RESUME(vm_end_failure(f));
}

void vm_handler(enum vm_kind kind, struct vm_insn *out)
{
	out->run.label = interpret(NULL)[kind];
}

void vm_interpret(struct vm_frame *f)
{
	interpret(f);
}

#endif
