/* Decoding bytecode, and keeping what was decoded. */
#include <stdlib.h>

#include "base/check.h"
#include "chain/tx.h"
#include "vm/internal.h"
#include "vm/word.h"

#define RECENT_COUNT 2

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
	/* the block's last instructions, the newest first, as far as they may be fused */
	struct {
		enum vm_kind kind; /* VM_KIND_COUNT: none */
		size_t at;
	} recent[RECENT_COUNT];
};

/* A block that costs more is split, so that its figures fit. */
#define BLOCK_GAS_MAX (1u << 30)
#define NEED_IMPOSSIBLE UINT16_MAX
/* Of a block with those that only jump on behind it. */
#define THREAD_GAS_MAX 256

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
	memmove(&a->recent[1], &a->recent[0], (RECENT_COUNT - 1) * sizeof(a->recent[0]));
	a->recent[0].kind = kind;
	a->recent[0].at = a->count - 1;
	return insn;
}

static void forget_recent(struct analysis *a)
{
	for (int i = 0; i < RECENT_COUNT; i++)
		a->recent[i].kind = VM_KIND_COUNT;
}

/* Takes the last instruction back. */
static void retract(struct analysis *a)
{
	a->count = a->recent[0].at;
	memmove(&a->recent[0], &a->recent[1], (RECENT_COUNT - 1) * sizeof(a->recent[0]));
	a->recent[RECENT_COUNT - 1].kind = VM_KIND_COUNT;
}

static void close_block(struct analysis *a)
{
	struct vm_insn *head = &a->insns[a->block];
	int room = VM_STACK_MAX - a->grow - a->need;

	forget_recent(a);
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
	forget_recent(a);
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

static void emit_constant(struct analysis *a, const struct u256 *value)
{
	if (u256_fits_u64(value)) {
		/* the copy of a word and a constant above it */
		if (a->recent[0].kind >= VM_KIND_DUP1 && a->recent[0].kind <= VM_KIND_DUP16 &&
		    value->limbs[0] <= UINT32_MAX && !a->vm->tracer) {
			uint64_t depth = a->recent[0].kind - VM_KIND_DUP1;

			retract(a);
			emit(a, VM_KIND_DUP_PUSH, value->limbs[0] << 32 | depth);
			return;
		}
		emit(a, VM_KIND_PUSH, value->limbs[0]);
		return;
	}
	emit(a, VM_KIND_PUSH_WIDE, 0);
	memcpy(&a->insns[a->count], value, sizeof(*value));
	a->count += 2;
}

static void emit_push(struct analysis *a, size_t pc, size_t size)
{
	struct bytes code = a->code->bytes;
	size_t have = MIN(size, code.size - pc - 1);
	uint8_t full[32] = { 0 };
	struct u256 value;

	if (have)
		memcpy(full + 32 - size, code.data + pc + 1, have);
	word_load(&value, full);
	emit_constant(a, &value);
}

/* --- neighbours that become one --- */

/* The constant that the i-th last instruction pushes; false if it is none. */
static bool recent_constant(const struct analysis *a, int i, struct u256 *out)
{
	const struct vm_insn *insn = &a->insns[a->recent[i].at];

	if (a->recent[i].kind == VM_KIND_PUSH)
		word_set(out, insn->imm);
	else if (a->recent[i].kind == VM_KIND_PUSH_WIDE)
		memcpy(out, insn + 1, sizeof(*out));
	else
		return false;
	return true;
}

/* Compilers write masks as (1 << 160) - 1: an operation on constants is one. */
static bool fold(struct analysis *a, enum vm_kind kind)
{
	struct u256 top, below, result;

	if (!recent_constant(a, 0, &top))
		return false;
	if (kind == VM_KIND_NOT) {
		for (int i = 0; i < 4; i++)
			result.limbs[i] = ~top.limbs[i];
		retract(a);
		emit_constant(a, &result);
		return true;
	}
	if (!recent_constant(a, 1, &below))
		return false;
	if (kind == VM_KIND_SHL)
		word_shl(&result, &top, &below);
	else if (kind == VM_KIND_SUB)
		word_sub(&result, &top, &below);
	else if (kind == VM_KIND_ADD)
		word_add(&result, &top, &below);
	else
		return false;
	retract(a);
	retract(a);
	emit_constant(a, &result);
	return true;
}

static bool is_between(enum vm_kind kind, enum vm_kind first, enum vm_kind last)
{
	return kind >= first && kind <= last;
}

struct pair {
	enum vm_kind first, second, both;
};

static enum vm_kind find_pair(const struct pair *table, size_t count, enum vm_kind first,
			      enum vm_kind second)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].first == first && table[i].second == second)
			return table[i].both;
	return VM_KIND_COUNT;
}

/* Both as one in place of the first; the operand stays, or is `imm`. */
static bool merge(struct analysis *a, enum vm_kind both, bool has_imm, uint64_t imm)
{
	struct vm_insn *insn = &a->insns[a->recent[0].at];

	if (both == VM_KIND_COUNT)
		return false;
	vm_handler(both, insn);
	if (has_imm)
		insn->imm = imm;
	a->recent[0].kind = both;
	return true;
}

#define PAIR(one, two) { VM_KIND_##one, VM_KIND_##two, VM_KIND_##one##_##two }

/* A comparison before a known conditional jump takes the jump over. */
static bool fuse_jumpi(struct analysis *a)
{
	static const struct pair table[] = {
		PAIR(LT, JUMPI), PAIR(GT, JUMPI), PAIR(SLT, JUMPI), PAIR(SGT, JUMPI),
		PAIR(EQ, JUMPI), PAIR(NLT, JUMPI), PAIR(NGT, JUMPI), PAIR(NSLT, JUMPI),
		PAIR(NSGT, JUMPI), PAIR(NEQ, JUMPI), PAIR(ISZERO, JUMPI),
	};
	uint64_t to = a->insns[a->recent[0].at].imm;
	enum vm_kind both;

	if (a->recent[0].kind != VM_KIND_PUSH)
		return false;
	both = find_pair(table, ARRAY_COUNT(table), a->recent[1].kind, VM_KIND_JUMPI);
	if (both == VM_KIND_COUNT)
		return merge(a, VM_KIND_PUSH_JUMPI, false, 0);
	retract(a);
	return merge(a, both, true, to);
}

static bool fuse_dup(struct analysis *a, enum vm_kind kind)
{
	static const struct {
		enum vm_kind second, both;
	} table[] = {
		{ VM_KIND_ADD, VM_KIND_DUP_ADD }, { VM_KIND_SUB, VM_KIND_DUP_SUB },
		{ VM_KIND_AND, VM_KIND_DUP_AND }, { VM_KIND_XOR, VM_KIND_DUP_XOR },
		{ VM_KIND_LT, VM_KIND_DUP_LT }, { VM_KIND_GT, VM_KIND_DUP_GT },
		{ VM_KIND_EQ, VM_KIND_DUP_EQ }, { VM_KIND_MLOAD, VM_KIND_DUP_MLOAD },
		{ VM_KIND_MSTORE, VM_KIND_DUP_MSTORE },
	};
	uint64_t depth = a->recent[0].kind - VM_KIND_DUP1;

	for (size_t i = 0; i < ARRAY_COUNT(table); i++)
		if (table[i].second == kind)
			return merge(a, table[i].both, true, depth);
	return false;
}

/* Puts the instruction together with those before, if there is a kind for them. */
static bool fuse(struct analysis *a, enum vm_kind kind)
{
	static const struct pair table[] = {
		PAIR(PUSH, JUMP), PAIR(PUSH, ADD), PAIR(PUSH, SUB), PAIR(PUSH, MUL),
		PAIR(PUSH, AND), PAIR(PUSH, SHL), PAIR(PUSH, SHR), PAIR(PUSH, EQ),
		PAIR(PUSH, LT), PAIR(PUSH, GT), PAIR(PUSH, MLOAD), PAIR(PUSH, MSTORE),
		{ VM_KIND_PUSH_WIDE, VM_KIND_AND, VM_KIND_WIDE_AND },
		{ VM_KIND_LT, VM_KIND_ISZERO, VM_KIND_NLT },
		{ VM_KIND_GT, VM_KIND_ISZERO, VM_KIND_NGT },
		{ VM_KIND_SLT, VM_KIND_ISZERO, VM_KIND_NSLT },
		{ VM_KIND_SGT, VM_KIND_ISZERO, VM_KIND_NSGT },
		{ VM_KIND_EQ, VM_KIND_ISZERO, VM_KIND_NEQ },
	};
	const enum vm_kind last = a->recent[0].kind;

	if (a->vm->tracer || last == VM_KIND_COUNT)
		return false;
	if (fold(a, kind))
		return true;
	if (kind == VM_KIND_JUMPI)
		return fuse_jumpi(a);
	if (kind == VM_KIND_POP && is_between(last, VM_KIND_SWAP1, VM_KIND_SWAP16))
		return merge(a, VM_KIND_SWAP_POP, true, last - VM_KIND_SWAP1 + 1ull);
	if (kind == VM_KIND_POP && last == VM_KIND_POP)
		return merge(a, VM_KIND_POPS, true, 2);
	if (kind == VM_KIND_POP && last == VM_KIND_POPS) {
		a->insns[a->recent[0].at].imm++;
		return true;
	}
	if (is_between(last, VM_KIND_DUP1, VM_KIND_DUP16))
		return fuse_dup(a, kind);
	return merge(a, find_pair(table, ARRAY_COUNT(table), last, kind), false, 0);
}

/* Without a tracer jumps know that blocks are where they lead. */
static enum vm_kind plain_kind(const struct analysis *a, enum vm_kind kind)
{
	if (a->vm->tracer)
		return kind;
	if (kind == VM_KIND_JUMP)
		return VM_KIND_JUMP_BLOCK;
	return kind == VM_KIND_JUMPI ? VM_KIND_JUMPI_BLOCK : kind;
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
		emit(a, plain_kind(a, kind), pc);
	if (ends_code(op)) {
		close_block(a);
		a->is_open = false;
	} else if (sees_gas(op) || op == OP_JUMPI || a->gas > BLOCK_GAS_MAX) {
		open_block(a);
	}
}

static bool has_target(const struct vm_insn *insn)
{
	static const enum vm_kind jumps[] = {
		VM_KIND_PUSH_JUMP, VM_KIND_PUSH_JUMPI, VM_KIND_LT_JUMPI, VM_KIND_GT_JUMPI,
		VM_KIND_SLT_JUMPI, VM_KIND_SGT_JUMPI, VM_KIND_EQ_JUMPI, VM_KIND_NLT_JUMPI,
		VM_KIND_NGT_JUMPI, VM_KIND_NSLT_JUMPI, VM_KIND_NSGT_JUMPI, VM_KIND_NEQ_JUMPI,
		VM_KIND_ISZERO_JUMPI,
	};
	struct vm_insn jump;

	for (size_t i = 0; i < ARRAY_COUNT(jumps); i++) {
		vm_handler(jumps[i], &jump);
		if (insn->run.label == jump.run.label)
			return true;
	}
	return false;
}

static bool is_kind(const struct vm_insn *insn, enum vm_kind kind)
{
	struct vm_insn one;

	vm_handler(kind, &one);
	return insn->run.label == one.run.label;
}

static bool is_wide(const struct vm_insn *insn)
{
	return is_kind(insn, VM_KIND_PUSH_WIDE) || is_kind(insn, VM_KIND_WIDE_AND);
}

/* Jumps whose destination is a constant: from the place in the code to the block. */
static void resolve_jumps(struct vm_code *code, size_t count)
{
	const struct vm_insn *nowhere = &code->insns[count - 1];

	for (size_t i = 0; i < count; i++) {
		struct vm_insn *insn = &code->insns[i];

		if (is_wide(insn)) {
			i += 2;
		} else if (has_target(insn)) {
			uint32_t place = insn->imm < code->bytes.size ? code->jumps[insn->imm] : 0;

			insn->target = place ? &code->insns[place - 1] : nowhere;
		}
	}
}

/* Jumps to blocks that only jump on lead at once to where those lead: their gas is then
 * the first block's, which tells no more than any other block (vm.h) where in it the gas
 * ran out; the stack has room for the constant as it had for the first jump's. How much
 * one block takes on is bounded, since these blocks may form a ring. */
static void thread_jumps(struct vm_code *code, size_t count)
{
	const struct vm_insn *nowhere = &code->insns[count - 1];
	struct vm_insn *head = code->insns;

	for (size_t i = 0; i < count; i++) {
		struct vm_insn *insn = &code->insns[i];

		if (is_wide(insn))
			i += 2;
		else if (is_kind(insn, VM_KIND_BLOCK))
			head = insn;
		else if (is_kind(insn, VM_KIND_PUSH_JUMP))
			while (insn->target != nowhere && is_kind(insn->target + 1, VM_KIND_PUSH_JUMP) &&
			       head->block.gas + insn->target->block.gas <= THREAD_GAS_MAX) {
				head->block.gas += insn->target->block.gas;
				insn->target = insn->target[1].target;
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
	/* the end of the code is a STOP, and is told as one */
	if (vm->tracer)
		emit(&a, VM_KIND_TRACE, bytes.size);
	emit(&a, VM_KIND_STOP, 0);
	close_block(&a);
	/* where jumps to nowhere lead: a block that nothing can enter */
	emit(&a, VM_KIND_BLOCK, 0)->block.need = NEED_IMPOSSIBLE;
	CHECK(a.count <= insn_count_max(bytes));
	code->insns = xrealloc(a.insns, a.count * sizeof(a.insns[0]));
	resolve_jumps(code, a.count);
	if (!vm->tracer)
		thread_jumps(code, a.count);
	code->size += a.count * sizeof(a.insns[0]) + bytes.size * sizeof(code->jumps[0]);
	if (!hash_is_zero(&code->hash))
		vm->cache->size += a.count * sizeof(a.insns[0]) + bytes.size * sizeof(code->jumps[0]);
}

/* --- codes --- */

struct vm_code *vm_code_new(struct bytes bytes)
{
	struct vm_code *code = xcalloc(1, sizeof(*code) + bytes.size);
	uint8_t *copy = (uint8_t *)(code + 1);

	if (bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	code->bytes = bytes_of(copy, bytes.size);
	code->size = sizeof(*code) + bytes.size;
	code->refs = 1;
	code->is_delegation = tx_read_delegation(code->bytes, &code->delegate);
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

void vm_cache_init(struct vm_cache *cache, size_t size_max, uint64_t seed)
{
	map_init(&cache->table, sizeof(struct hash), sizeof(struct vm_code *), seed);
	cache->size_max = size_max;
}

static void drop_oldest(struct vm_cache *cache)
{
	struct vm_code *code = cache->oldest;

	cache->oldest = code->newer;
	if (!cache->oldest)
		cache->newest = NULL;
	cache->size -= code->size;
	map_delete(&cache->table, &code->hash);
	code->hash = (struct hash){ 0 };
	vm_code_unref(code);
}

void vm_cache_clear(struct vm_cache *cache)
{
	while (cache->oldest)
		drop_oldest(cache);
	map_clear(&cache->table);
}

struct vm_code *vm_code_find(struct vm *vm, const struct hash *code_hash)
{
	struct vm_code **place = map_get(&vm->cache->table, code_hash);

	return place ? *place : NULL;
}

struct vm_code *vm_code_add(struct vm *vm, const struct hash *code_hash, struct bytes bytes)
{
	struct vm_code *code = vm_code_new(bytes);
	struct vm_cache *cache = vm->cache;

	code->hash = *code_hash;
	*(struct vm_code **)map_put(&cache->table, code_hash, NULL) = code;
	if (cache->newest)
		cache->newest->newer = code;
	else
		cache->oldest = code;
	cache->newest = code;
	cache->size += code->size;
	while (cache->size > cache->size_max && cache->oldest != code)
		drop_oldest(cache);
	return code;
}
