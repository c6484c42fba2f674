/* Frames: how they begin and end, and the machine that holds them. */
#include <stdlib.h>

#include "base/check.h"
#include "vm/internal.h"
#include "vm/word.h"

#define GAS_CALL_VALUE 9000
#define GAS_CALL_STIPEND 2300
#define GAS_NEW_ACCOUNT 25000
#define GAS_DELEGATION_WARM 100
#define GAS_CODE_BYTE 200        /* of code that is deposited */
#define GAS_INITCODE_WORD 2      /* EIP-3860 */
#define GAS_CREATE2_WORD 6       /* hashing */
#define CODE_FORBIDDEN_BYTE 0xef /* EIP-3541 */

/* Of the cache's size, what code that is traced may have. */
#define TRACED_CACHE_QUOTIENT 8

/* Memory that a depth keeps between two runs. */
#define MEMORY_KEPT_SIZE(depth) ((depth) < 8 ? 1 * MIB : 8 * KIB)

/* --- ends --- */

/* The call of `m` is over, its output stands in return_data: gives the frame that
 * goes on, which made the call, or NULL at the end of the run. */
static struct vm_frame *give(struct vm *vm, const struct vm_message *m, enum vm_status status,
			     uint64_t gas_left, int64_t refund)
{
	struct vm_frame *caller = m->depth ? &vm->frames[m->depth - 1] : NULL;
	size_t size;

	if (vm->tracer && vm->tracer->fail && vm->reason.kind)
		vm->tracer->fail(vm->tracer->ctx, &vm->reason, vm->failed_gas);
	vm->failed_gas = 0;
	if (vm->tracer && vm->tracer->leave)
		vm->tracer->leave(vm->tracer->ctx, m, status, gas_left, buf_bytes(&vm->return_data));
	if (!caller) {
		vm->result->reason = vm->reason;
		vm->result->status = status;
		vm->result->gas_left = gas_left;
		vm->result->gas_refund = status == VM_SUCCESS ? refund : 0;
		vm->result->created = m->recipient;
		return NULL;
	}
	/* To a contract a creation returns nothing; whoever asked the machine for one sees
	 * the code. */
	if (vm_is_creation(m->kind) && status == VM_SUCCESS)
		buf_reset(&vm->return_data);
	vm->reason = (struct vm_reason){ 0 };
	caller->gas += (int64_t)gas_left;
	if (status == VM_SUCCESS)
		caller->refund += refund;
	caller->sp++;
	if (vm_is_creation(m->kind) && status == VM_SUCCESS)
		word_of_addr(caller->sp, &m->recipient);
	else
		word_set(caller->sp, status == VM_SUCCESS);
	size = MIN(caller->out_size, vm->return_data.size);
	if (size)
		memcpy(caller->memory + caller->out_offset, vm->return_data.data, size);
	return caller;
}

static enum vm_failure check_deposit(const struct vm_frame *f, struct bytes code)
{
	if (code.size > CODE_SIZE_MAX)
		return VM_FAILED_CODE_SIZE;
	if (code.size && code.data[0] == CODE_FORBIDDEN_BYTE)
		return VM_FAILED_CODE_BYTE;
	if (code.size * GAS_CODE_BYTE > (uint64_t)f->gas)
		return VM_FAILED_CODE_GAS;
	return VM_NOT_FAILED;
}

/* What a creation returns becomes code (EIP-170, EIP-3541). */
static bool deposit(struct vm_frame *f, enum vm_status *status, struct bytes code)
{
	uint64_t cost = code.size * GAS_CODE_BYTE;

	f->vm->reason.kind = check_deposit(f, code);
	if (f->vm->reason.kind) {
		f->vm->failed_gas = (uint64_t)(f->vm->step_gas - f->gas); /* the RETURN's own */
		*status = VM_FAILURE;
		return true;
	}
	f->gas -= (int64_t)cost;
	return f->host->set_code(f->host->ctx, &f->message.recipient, code);
}

static struct vm_frame *host_failed(struct vm *vm)
{
	vm->host_failed = true;
	return NULL;
}

struct vm_frame *vm_end(struct vm_frame *f, enum vm_status status, struct bytes output)
{
	struct vm *vm = f->vm;

	if (f->creates && status == VM_SUCCESS && !deposit(f, &status, output))
		return host_failed(vm);
	if (!f->host->leave(f->host->ctx, status == VM_SUCCESS))
		return host_failed(vm);
	buf_reset(&vm->return_data);
	if (status != VM_FAILURE && output.size)
		buf_append_bytes(&vm->return_data, output);
	vm_code_unref(f->code);
	f->code = NULL;
	return give(vm, &f->message, status, status == VM_FAILURE ? 0 : (uint64_t)f->gas, f->refund);
}

struct vm_frame *vm_end_failure(struct vm_frame *f)
{
	struct vm_reason *reason = &f->vm->reason;

	if (f->vm->host_failed)
		return NULL;
	/* traced, the step has found all but a jump to nowhere */
	if (!reason->kind && f->gas >= 0)
		reason->kind = f->vm->tracer ? VM_FAILED_JUMP : VM_FAILED_UNCLEAR;
	else if (!reason->kind)
		reason->kind = VM_FAILED_GAS;
	f->vm->failed_gas = (uint64_t)(reason->kind == VM_FAILED_GAS && !reason->limit && f->gas < 0
					       ? f->vm->step_gas - f->gas
					       : f->vm->step_base);
	return vm_end(f, VM_FAILURE, bytes_of(NULL, 0));
}

static struct vm_frame *fail(struct vm_frame *f, enum vm_failure why)
{
	vm_fail(f, why);
	return vm_end_failure(f);
}

static struct vm_frame *fail_gas(struct vm_frame *f, int64_t gas)
{
	f->gas = gas;
	return fail(f, VM_FAILED_GAS);
}

/* Memory that is there; without a size the offset can be anything. */
static struct bytes memory_part(const struct vm_frame *f, const struct u256 *offset,
				const struct u256 *size)
{
	return size->limbs[0] ? bytes_of(f->memory + offset->limbs[0], size->limbs[0])
			      : bytes_of(NULL, 0);
}

struct vm_frame *vm_end_output(struct vm_frame *f, enum vm_status status)
{
	f->gas = vm_grow_words(f, f->sp, f->sp - 1, f->gas);
	if (f->gas < 0)
		return vm_end_failure(f);
	return vm_end(f, status, memory_part(f, f->sp, f->sp - 1));
}

/* --- beginnings --- */

/* Begins the call of `m`, whose caller has saved its registers and taken its words
 * from the stack: gives the frame that goes on. */
static struct vm_frame *enter(struct vm *vm, struct vm_message *m, uint64_t caller_gas)
{
	struct vm_result done = { .output = vm->return_data };
	struct vm_frame *f = &vm->frames[m->depth];
	struct vm_code *code = NULL;
	bool creates = false, good;

	buf_reset(&done.output);
	if (vm->tracer && vm->tracer->enter)
		vm->tracer->enter(vm->tracer->ctx, m, caller_gas);
	good = vm->host->enter(vm->host->ctx, m, &code, &creates, &done);
	vm->return_data = done.output;
	vm->reason = done.reason;
	if (!good)
		return host_failed(vm);
	if (creates)
		code = vm_code_new(m->input);
	if (!code)
		return give(vm, m, done.status, done.gas_left, 0);
	vm_code_prepare(vm, code);
	vm->deepest = MAX(vm->deepest, m->depth);
	f->ip = code->insns;
	f->stack = m->depth ? f[-1].sp : vm->stack;
	f->sp = f->stack;
	f->gas = (int64_t)m->gas;
	f->memory_size = 0;
	f->memory_gas = 0;
	f->vm = vm;
	f->host = vm->host;
	f->code = code;
	f->message = *m;
	if (creates)
		f->message.input = bytes_of(NULL, 0);
	f->refund = 0;
	f->creates = creates;
	return f;
}

/* The call of `m` would be too deep: 0 on the stack, its gas comes back. */
static struct vm_frame *refuse(struct vm_frame *f, const struct vm_message *m)
{
	struct vm *vm = f->vm;

	buf_reset(&vm->return_data);
	if (vm->tracer && vm->tracer->enter)
		vm->tracer->enter(vm->tracer->ctx, m, (uint64_t)f->gas);
	vm->reason.kind = VM_FAILED_DEPTH;
	return give(vm, m, VM_REVERT, m->gas, 0);
}

/* EIP-7702: follows the callee's delegation, if it has one. */
static int64_t follow(struct vm_frame *f, struct vm_message *m, int64_t gas)
{
	struct vm_code *code;

	if (f->vm->revision < REVISION_PRAGUE)
		return gas;
	if (!f->host->code(f->host->ctx, &m->code_address, &code))
		return vm_host_failed(f);
	if (!code->is_delegation)
		return gas;
	m->code_address = code->delegate;
	m->is_delegated = true;
	return vm_touch(f, &m->code_address, gas - GAS_DELEGATION_WARM, VM_GAS_COLD_ACCOUNT);
}

/* What a value that goes along costs. */
static int64_t value_gas(struct vm_frame *f, const struct vm_message *m, const struct addr *to,
			 int64_t gas)
{
	struct hash code_hash;
	struct wei balance;
	bool exists;

	gas -= GAS_CALL_VALUE;
	if (m->kind != VM_CALL || gas < 0)
		return gas;
	if (!f->host->account(f->host->ctx, to, &balance, &code_hash, &exists))
		return vm_host_failed(f);
	return exists ? gas : gas - GAS_NEW_ACCOUNT;
}

/* EIP-150: all but a 64th may be passed on. */
static uint64_t gas_for_call(int64_t gas, const struct u256 *wanted)
{
	uint64_t most = (uint64_t)(gas - gas / 64);

	return u256_fits_u64(wanted) ? MIN(wanted->limbs[0], most) : most;
}

static void call_message(const struct vm_frame *f, enum vm_call_kind kind, const struct addr *to,
			 const struct u256 *value, struct vm_message *m)
{
	bool here = kind == VM_CALLCODE || kind == VM_DELEGATECALL;

	*m = (struct vm_message){
		.kind = kind,
		.is_static = f->message.is_static || kind == VM_STATICCALL,
		.depth = f->message.depth + 1,
		.recipient = here ? f->message.recipient : *to,
		.sender = kind == VM_DELEGATECALL ? f->message.sender : f->message.recipient,
		.code_address = *to,
		.value = kind == VM_DELEGATECALL ? f->message.value : (struct wei){ *value },
	};
}

struct vm_frame *vm_call(struct vm_frame *f, enum vm_call_kind kind)
{
	static const struct u256 zero;
	const bool has_value = kind == VM_CALL || kind == VM_CALLCODE;
	const struct u256 *wanted = f->sp, *value = has_value ? f->sp - 2 : &zero;
	const struct u256 *range = f->sp - (has_value ? 3 : 2); /* input, then output */
	const bool moves = !u256_is_zero(value);
	struct vm_message m;
	struct addr to;
	int64_t gas;

	word_to_addr(&to, f->sp - 1);
	call_message(f, kind, &to, value, &m);
	if (kind == VM_CALL && moves && f->message.is_static)
		return fail(f, VM_FAILED_STATIC);
	gas = vm_grow_words(f, range, range - 1, f->gas);
	if (gas >= 0)
		gas = vm_grow_words(f, range - 2, range - 3, gas);
	if (gas >= 0)
		gas = vm_touch(f, &to, gas, VM_GAS_COLD_ACCOUNT);
	if (gas >= 0)
		gas = follow(f, &m, gas);
	if (gas >= 0 && moves)
		gas = value_gas(f, &m, &to, gas);
	if (gas < 0)
		return fail_gas(f, gas);
	m.gas = gas_for_call(gas, wanted);
	f->gas = gas - (int64_t)m.gas;
	if (moves)
		m.gas += GAS_CALL_STIPEND;
	m.input = memory_part(f, range, range - 1);
	f->out_offset = range[-2].limbs[0];
	f->out_size = range[-3].limbs[0];
	f->sp = f->sp - (has_value ? 7 : 6);
	if (m.depth > VM_DEPTH_MAX)
		return refuse(f, &m);
	return enter(f->vm, &m, (uint64_t)f->gas);
}

struct vm_frame *vm_create(struct vm_frame *f, enum vm_call_kind kind)
{
	const struct u256 *value = f->sp, *offset = f->sp - 1, *size = f->sp - 2;
	struct vm_message m = {
		.kind = kind,
		.depth = f->message.depth + 1,
		.sender = f->message.recipient,
		.value = { *value },
	};
	int64_t word_gas = GAS_INITCODE_WORD + (kind == VM_CREATE2 ? GAS_CREATE2_WORD : 0), gas;

	if (f->message.is_static)
		return fail(f, VM_FAILED_STATIC);
	gas = vm_grow_words(f, offset, size, f->gas);
	if (gas < 0)
		return fail_gas(f, gas);
	if (size->limbs[0] > INITCODE_SIZE_MAX)
		return fail(f, VM_FAILED_INITCODE_SIZE);
	gas -= (int64_t)(size->limbs[0] + 31) / 32 * word_gas;
	if (gas < 0)
		return fail_gas(f, gas);
	m.gas = (uint64_t)(gas - gas / 64);
	f->gas = gas - (int64_t)m.gas;
	m.input = memory_part(f, offset, size);
	if (kind == VM_CREATE2)
		vm_slot(&m.salt, f->sp - 3);
	f->out_offset = f->out_size = 0;
	f->sp -= kind == VM_CREATE2 ? 4 : 3;
	if (m.depth > VM_DEPTH_MAX)
		return refuse(f, &m);
	return enter(f->vm, &m, (uint64_t)f->gas);
}

/* --- the machine --- */

struct vm *vm_new(enum revision revision, size_t cache_size, uint64_t seed)
{
	struct vm *vm = xcalloc(1, sizeof(*vm));

	vm->revision = revision;
	/* a frame's words begin behind its caller's, so this is room for all */
	vm->stack = xmalloc(((VM_DEPTH_MAX + 1) * VM_STACK_MAX + 1) * sizeof(vm->stack[0]));
	vm->frames = xcalloc(VM_DEPTH_MAX + 1, sizeof(vm->frames[0]));
	vm_cache_init(&vm->caches[0], cache_size, seed);
	vm_cache_init(&vm->caches[1], cache_size / TRACED_CACHE_QUOTIENT, seed);
	vm->cache = &vm->caches[0];
	return vm;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	vm_cache_clear(&vm->caches[0]);
	vm_cache_clear(&vm->caches[1]);
	for (size_t i = 0; i <= VM_DEPTH_MAX; i++)
		free(vm->frames[i].memory);
	buf_clear(&vm->return_data);
	free(vm->frames);
	free(vm->stack);
	free(vm);
}

void vm_set_tracer(struct vm *vm, const struct vm_tracer *tracer)
{
	/* decoded code is of one sort only */
	vm->cache = &vm->caches[tracer != NULL];
	vm->tracer = tracer;
}

/* Lets go of what a run needed more than the next one will as a rule. */
static void tidy(struct vm *vm)
{
	for (uint32_t i = 0; i <= vm->deepest; i++) {
		struct vm_frame *f = &vm->frames[i];

		if (vm->host_failed) {
			vm_code_unref(f->code);
			f->code = NULL;
		}
		if (f->memory_capacity > MEMORY_KEPT_SIZE(i)) {
			free(f->memory);
			f->memory = NULL;
			f->memory_capacity = 0;
		}
	}
}

bool vm_run(struct vm *vm, const struct vm_host *host, const struct vm_message *message,
	    struct vm_result *out)
{
	struct vm_message m = *message;
	struct vm_frame *f;

	CHECK(m.depth == 0 && m.gas <= INT64_MAX);
	*out = (struct vm_result){ .status = VM_FAILURE };
	vm->host = host;
	vm->result = out;
	vm->host_failed = false;
	vm->reason = (struct vm_reason){ 0 };
	vm->deepest = 0;
	f = enter(vm, &m, m.gas);
	if (f)
		vm_interpret(f);
	tidy(vm);
	out->output = vm->return_data;
	vm->return_data = (struct buf){ 0 };
	return !vm->host_failed;
}
