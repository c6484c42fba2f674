/* Decoding bytecode, and keeping what was decoded. */
#include <stdlib.h>

#include "base/check.h"
#include "vm/internal.h"
#include "vm/word.h"

/* One code under analysis. */
struct analysis {
	const struct vm *vm;
	struct vm_code *code;
	struct vm_insn *insns;
	size_t count;
	size_t block;          /* the present block's first instruction */
	uint64_t gas;          /* of the block so far */
	int height;            /* of the stack, relative to the block's begin */
	int need, grow;        /* the lowest and highest that it was */
	bool is_open;          /* a block is; else what follows can't be reached */
	enum vm_kind last;     /* the last instruction, if it may be fused, else VM_KIND_COUNT */
};

/* A block that costs more is split, so that its figures fit. */
#define BLOCK_GAS_MAX (1u << 30)
#define NEED_IMPOSSIBLE UINT16_MAX

static enum vm_kind kind_of(uint8_t opcode)
{
	switch (opcode) {
#define CASE(name) case OP_##name: return VM_KIND_##name;
	VM_KIND_SINGLES(CASE)
#undef CASE
	}
	if (opcode >= OP_DUP1 && opcode <= OP_DUP16)
		return VM_KIND_DUP1 + (opcode - OP_DUP1);
	if (opcode >= OP_SWAP1 && opcode <= OP_SWAP16)
		return VM_KIND_SWAP1 + (opcode - OP_SWAP1);
	return VM_KIND_INVALID;
}

static struct vm_insn *emit(struct analysis *a, enum vm_kind kind, uint64_t imm)
{
	struct vm_insn *insn = &a->insns[a->count++];

	vm_handler(kind, insn);
	insn->imm = imm;
	a->last = kind;
	return insn;
}

static void close_block(struct analysis *a)
{
	struct vm_insn *head = &a->insns[a->block];
	int room = VM_STACK_MAX - a->grow - a->need;

	a->last = VM_KIND_COUNT;
	if (!a->is_open || a->vm->tracer)
		return;
	head->block.gas = (uint32_t)a->gas;
	head->block.need = room < 0 ? NEED_IMPOSSIBLE : (uint16_t)a->need;
	head->block.room = room < 0 ? 0 : (uint16_t)room;
}

static void open_block(struct analysis *a)
{
	close_block(a);
	a->is_open = true;
	a->block = a->count;
	a->gas = 0;
	a->height = a->need = a->grow = 0;
	if (!a->vm->tracer)
		emit(a, VM_KIND_BLOCK, 0);
	a->last = VM_KIND_COUNT;
}

static void account(struct analysis *a, const struct vm_opcode_info *info, int64_t gas)
{
	a->gas += (uint64_t)MAX(gas, 0);
	a->need = MAX(a->need, info->in - a->height);
	a->height += info->out - info->in;
	a->grow = MAX(a->grow, a->height);
}

/* The instruction looks at the gas that is left. */
static bool sees_gas(enum vm_opcode op)
{
	return op == OP_GAS || op == OP_SSTORE || op == OP_CALL || op == OP_CALLCODE ||
	       op == OP_DELEGATECALL || op == OP_STATICCALL || op == OP_CREATE || op == OP_CREATE2;
}

static bool ends_code(enum vm_opcode op)
{
	return op == OP_STOP || op == OP_JUMP || op == OP_RETURN || op == OP_REVERT ||
	       op == OP_INVALID || op == OP_SELFDESTRUCT;
}

static void emit_push(struct analysis *a, size_t pc, size_t size)
{
	struct bytes code = a->code->bytes;
	size_t have = MIN(size, code.size - pc - 1);
	uint8_t full[32] = { 0 };
	struct u256 value;

	memcpy(full + 32 - size, code.data + pc + 1, have);
	word_load(&value, full);
	if (u256_fits_u64(&value)) {
		emit(a, VM_KIND_PUSH, value.limbs[0]);
		return;
	}
	emit(a, VM_KIND_PUSH_WIDE, 0);
	memcpy(&a->insns[a->count], &value, sizeof(value));
	a->count += 2;
}

/* Puts the instruction together with the one before, if there is a kind for both. */
static bool fuse(struct analysis *a, enum vm_kind kind)
{
	struct vm_insn *before = &a->insns[a->count - 1];
	enum vm_kind fused = VM_KIND_COUNT;

	if (a->vm->tracer)
		return false;
	if (a->last == VM_KIND_PUSH && kind == VM_KIND_JUMP)
		fused = VM_KIND_PUSH_JUMP;
	else if (a->last == VM_KIND_PUSH && kind == VM_KIND_JUMPI)
		fused = VM_KIND_PUSH_JUMPI;
	if (fused == VM_KIND_COUNT)
		return false;
	vm_handler(fused, before);
	a->last = fused;
	return true;
}

static void decode_one(struct analysis *a, size_t pc)
{
	uint8_t op = a->code->bytes.data[pc];
	const struct vm_opcode_info *info = &vm_opcodes[op];
	int32_t gas = info->gas[a->vm->revision];
	enum vm_kind kind = kind_of(op);

	if (a->vm->tracer)
		emit(a, VM_KIND_TRACE, pc);
	if (!info->name || gas == VM_GAS_NONE) {
		emit(a, VM_KIND_INVALID, 0);
		close_block(a);
		a->is_open = false;
		return;
	}
	account(a, info, gas);
	if (op == OP_JUMPDEST)
		return;
	if (op >= OP_PUSH0 && op <= OP_PUSH32)
		emit_push(a, pc, op - OP_PUSH0);
	else if (!fuse(a, kind))
		emit(a, kind, pc);
	if (ends_code(op)) {
		close_block(a);
		a->is_open = false;
	} else if (sees_gas(op) || op == OP_JUMPI || a->gas > BLOCK_GAS_MAX) {
		open_block(a);
	}
}

/* Jumps whose destination is a constant: from the place in the code to the instruction. */
static void resolve_jumps(struct vm_code *code, size_t count)
{
	const struct vm_insn *nowhere = &code->insns[count - 1];
	struct vm_insn jump, jumpi, wide;

	vm_handler(VM_KIND_PUSH_JUMP, &jump);
	vm_handler(VM_KIND_PUSH_JUMPI, &jumpi);
	vm_handler(VM_KIND_PUSH_WIDE, &wide);
	for (size_t i = 0; i < count; i++) {
		struct vm_insn *insn = &code->insns[i];

		if (insn->run.label == wide.run.label) {
			i += 2;
		} else if (insn->run.label == jump.run.label || insn->run.label == jumpi.run.label) {
			uint32_t place = insn->imm < code->bytes.size ? code->jumps[insn->imm] : 0;

			insn->target = place ? &code->insns[place - 1] : nowhere;
		}
	}
}

/* An instruction byte gives two places at most: itself and the block behind it. A
 * wide constant has nine bytes at least for its three. */
static size_t insn_count_max(struct bytes code)
{
	return 2 * code.size + 4;
}

void vm_code_prepare(struct vm *vm, struct vm_code *code)
{
	struct bytes bytes = code->bytes;
	struct analysis a = { .vm = vm, .code = code };

	if (code->insns)
		return;
	CHECK(bytes.size < UINT32_MAX / 4);
	a.insns = xmalloc(insn_count_max(bytes) * sizeof(a.insns[0]));
	code->jumps = xcalloc(MAX(bytes.size, (size_t)1), sizeof(code->jumps[0]));
	open_block(&a);
	for (size_t pc = 0; pc < bytes.size; pc++) {
		uint8_t op = bytes.data[pc];

		if (op == OP_JUMPDEST) {
			open_block(&a);
			code->jumps[pc] = (uint32_t)a.block + 1;
		}
		if (a.is_open)
			decode_one(&a, pc);
		if (op >= OP_PUSH1 && op <= OP_PUSH32)
			pc += op - OP_PUSH0;
	}
	emit(&a, VM_KIND_STOP, 0);
	close_block(&a);
	emit(&a, VM_KIND_INVALID, 0); /* where jumps to nowhere lead */
	CHECK(a.count <= insn_count_max(bytes));
	code->insns = xrealloc(a.insns, a.count * sizeof(a.insns[0]));
	resolve_jumps(code, a.count);
	code->size += a.count * sizeof(a.insns[0]) + bytes.size * sizeof(code->jumps[0]);
	if (!hash_is_zero(&code->hash))
		vm->cache_size += a.count * sizeof(a.insns[0]) + bytes.size * sizeof(code->jumps[0]);
}

/* --- codes --- */

#define DELEGATION_SIZE 23

struct vm_code *vm_code_new(struct bytes bytes)
{
	struct vm_code *code = xcalloc(1, sizeof(*code) + bytes.size);
	uint8_t *copy = (uint8_t *)(code + 1);

	if (bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	code->bytes = bytes_of(copy, bytes.size);
	code->size = sizeof(*code) + bytes.size;
	code->refs = 1;
	if (bytes.size == DELEGATION_SIZE && copy[0] == 0xef && copy[1] == 0x01 && copy[2] == 0x00) {
		code->is_delegation = true;
		memcpy(code->delegate.bytes, copy + 3, sizeof(code->delegate.bytes));
	}
	return code;
}

struct vm_code *vm_code_ref(struct vm_code *code)
{
	code->refs++;
	return code;
}

void vm_code_unref(struct vm_code *code)
{
	if (!code || --code->refs > 0)
		return;
	free(code->insns);
	free(code->jumps);
	free(code);
}

/* --- the cache: a table, and the order in which it was filled --- */

void vm_cache_init(struct vm *vm, size_t size_max, uint64_t seed)
{
	map_init(&vm->cache, sizeof(struct hash), sizeof(struct vm_code *), seed);
	vm->cache_size_max = size_max;
}

static void drop_oldest(struct vm *vm)
{
	struct vm_code *code = vm->oldest;

	vm->oldest = code->newer;
	if (!vm->oldest)
		vm->newest = NULL;
	vm->cache_size -= code->size;
	map_delete(&vm->cache, &code->hash);
	code->hash = (struct hash){ 0 };
	vm_code_unref(code);
}

void vm_cache_clear(struct vm *vm)
{
	while (vm->oldest)
		drop_oldest(vm);
	map_clear(&vm->cache);
}

struct vm_code *vm_code_find(struct vm *vm, const struct hash *code_hash)
{
	struct vm_code **place = map_get(&vm->cache, code_hash);

	return place ? *place : NULL;
}

struct vm_code *vm_code_add(struct vm *vm, const struct hash *code_hash, struct bytes bytes)
{
	struct vm_code *code = vm_code_new(bytes);

	code->hash = *code_hash;
	*(struct vm_code **)map_put(&vm->cache, code_hash, NULL) = code;
	if (vm->newest)
		vm->newest->newer = code;
	else
		vm->oldest = code;
	vm->newest = code;
	vm->cache_size += code->size;
	while (vm->cache_size > vm->cache_size_max && vm->oldest != code)
		drop_oldest(vm);
	return code;
}
