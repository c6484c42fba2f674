/* Instructions that ask the host or move memory, and what they cost beyond their base. */
#include "base/check.h"
#include "crypto/keccak.h"
#include "vm/internal.h"
#include "vm/word.h"

#define OUT_OF_GAS (-1)

#define GAS_KECCAK_WORD 6
#define GAS_EXP_BYTE 50            /* EIP-160 */
#define GAS_LOG_BYTE 8
#define GAS_SSTORE_SENTRY 2300     /* EIP-2200 */
#define GAS_SSTORE_SET 20000
#define GAS_SSTORE_RESET 2900      /* EIP-2929 */
#define GAS_SSTORE_WARM 100
#define GAS_SSTORE_COLD 2100
#define GAS_SSTORE_CLEAR_REFUND 4800 /* EIP-3529 */
#define GAS_NEW_ACCOUNT 25000
#define GAS_SELF_DESTRUCT_COLD 2600

int64_t vm_host_failed(struct vm_frame *f)
{
	f->vm->host_failed = true;
	return OUT_OF_GAS;
}

int64_t vm_fail(struct vm_frame *f, enum vm_failure why)
{
	f->vm->reason.kind = why;
	return OUT_OF_GAS;
}

/* A word that is an offset or size in memory; more than there can be is UINT64_MAX. */
static uint64_t memory_place(const struct u256 *word)
{
	return u256_fits_u64(word) ? word->limbs[0] : UINT64_MAX;
}

static uint64_t word_count(uint64_t size)
{
	return (size + 31) / 32;
}

/* --- memory --- */

#define MEMORY_CAPACITY_MIN 4096

/* 3 a word and its square / 512 (yellow paper, appendix H). */
static int64_t memory_gas(uint64_t words)
{
	return (int64_t)(3 * words + words * words / 512);
}

int64_t vm_grow(struct vm_frame *f, uint64_t offset, uint64_t size, int64_t gas)
{
	uint64_t end, words;
	int64_t cost;

	if (size == 0)
		return gas;
	if (offset > VM_MEMORY_MAX || size > VM_MEMORY_MAX || offset + size > VM_MEMORY_MAX)
		return OUT_OF_GAS;
	end = offset + size;
	if (end <= f->memory_size)
		return gas;
	words = word_count(end);
	cost = memory_gas(words);
	gas -= cost - f->memory_gas;
	if (gas < 0)
		return gas;
	if (words * 32 > f->memory_capacity) {
		f->memory_capacity = MAX(MAX(2 * f->memory_capacity, words * 32),
					 (uint64_t)MEMORY_CAPACITY_MIN);
		f->memory = xrealloc(f->memory, f->memory_capacity);
	}
	memset(f->memory + f->memory_size, 0, words * 32 - f->memory_size);
	f->memory_gas = cost;
	f->memory_size = words * 32;
	return gas;
}

int64_t vm_grow_words(struct vm_frame *f, const struct u256 *offset, const struct u256 *size,
		      int64_t gas)
{
	return vm_grow(f, memory_place(offset), memory_place(size), gas);
}

int64_t vm_keccak(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	struct hash hash;
	uint64_t size;

	gas = vm_grow_words(f, sp, sp - 1, gas);
	if (gas < 0)
		return gas;
	size = sp[-1].limbs[0];
	gas -= (int64_t)word_count(size) * GAS_KECCAK_WORD;
	if (gas < 0)
		return gas;
	keccak256(&hash, bytes_of(size ? f->memory + sp->limbs[0] : NULL, size));
	word_load(sp - 1, hash.bytes);
	return gas;
}

/* Fills memory at `to` from `from` at `offset`, with zeros beyond its end. */
static void copy_padded(struct vm_frame *f, uint64_t to, struct bytes from, uint64_t offset,
			uint64_t size)
{
	uint64_t have = offset < from.size ? MIN(size, from.size - offset) : 0;

	if (have)
		memcpy(f->memory + to, from.data + offset, have);
	if (size > have)
		memset(f->memory + to + have, 0, size - have);
}

/* Memory for a copy: sp[0] its place, *size how much; and the words' price. */
static int64_t copy_gas(struct vm_frame *f, const struct u256 *to, const struct u256 *size,
			int64_t gas)
{
	gas = vm_grow_words(f, to, size, gas);
	if (gas < 0)
		return gas;
	return gas - (int64_t)word_count(size->limbs[0]) * VM_GAS_WORD_COPY;
}

int64_t vm_copy_in(struct vm_frame *f, struct u256 *sp, int64_t gas, struct bytes from)
{
	gas = copy_gas(f, sp, sp - 2, gas);
	if (gas >= 0)
		copy_padded(f, sp->limbs[0], from, memory_place(sp - 1), sp[-2].limbs[0]);
	return gas;
}

int64_t vm_copy_return_data(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	const struct buf *data = &f->vm->return_data;
	uint64_t offset = memory_place(sp - 1), size = memory_place(sp - 2);

	/* EIP-211: reading beyond the end fails, even for no bytes */
	if (offset > data->size || size > data->size - offset)
		return vm_fail(f, VM_FAILED_RETURN_DATA);
	return vm_copy_in(f, sp, gas, buf_bytes(data));
}

int64_t vm_copy_memory(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	gas = vm_grow_words(f, sp - 1, sp - 2, gas);
	if (gas >= 0)
		gas = copy_gas(f, sp, sp - 2, gas);
	if (gas >= 0 && sp[-2].limbs[0])
		memmove(f->memory + sp->limbs[0], f->memory + sp[-1].limbs[0], sp[-2].limbs[0]);
	return gas;
}

int64_t vm_copy_ext_code(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	struct vm_code *code;
	struct addr address;

	word_to_addr(&address, sp);
	gas = copy_gas(f, sp - 1, sp - 3, gas);
	if (gas >= 0)
		gas = vm_touch(f, &address, gas, VM_GAS_COLD_ACCOUNT);
	if (gas < 0)
		return gas;
	if (!f->host->code(f->host->ctx, &address, &code))
		return vm_host_failed(f);
	copy_padded(f, sp[-1].limbs[0], code->bytes, memory_place(sp - 2), sp[-3].limbs[0]);
	return gas;
}

/* --- accounts --- */

int64_t vm_touch(struct vm_frame *f, const struct addr *address, int64_t gas, int64_t cold_gas)
{
	bool was_warm;

	if (!f->host->touch_account(f->host->ctx, address, &was_warm))
		return vm_host_failed(f);
	return was_warm ? gas : gas - cold_gas;
}

int64_t vm_balance(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	struct hash code_hash;
	struct addr address;
	struct wei balance;
	bool exists;

	word_to_addr(&address, sp);
	gas = vm_touch(f, &address, gas, VM_GAS_COLD_ACCOUNT);
	if (gas < 0)
		return gas;
	if (!f->host->account(f->host->ctx, &address, &balance, &code_hash, &exists))
		return vm_host_failed(f);
	*sp = balance.n;
	return gas;
}

int64_t vm_self_balance(struct vm_frame *f, struct u256 *out, int64_t gas)
{
	struct hash code_hash;
	struct wei balance;
	bool exists;

	if (!f->host->account(f->host->ctx, &f->message.recipient, &balance, &code_hash, &exists))
		return vm_host_failed(f);
	*out = balance.n;
	return gas;
}

int64_t vm_ext_code_size(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	struct vm_code *code;
	struct addr address;

	word_to_addr(&address, sp);
	gas = vm_touch(f, &address, gas, VM_GAS_COLD_ACCOUNT);
	if (gas < 0)
		return gas;
	if (!f->host->code(f->host->ctx, &address, &code))
		return vm_host_failed(f);
	word_set(sp, code->bytes.size);
	return gas;
}

int64_t vm_ext_code_hash(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	struct hash code_hash;
	struct addr address;
	struct wei balance;
	bool exists;

	word_to_addr(&address, sp);
	gas = vm_touch(f, &address, gas, VM_GAS_COLD_ACCOUNT);
	if (gas < 0)
		return gas;
	if (!f->host->account(f->host->ctx, &address, &balance, &code_hash, &exists))
		return vm_host_failed(f);
	word_load(sp, code_hash.bytes);
	return gas;
}

int64_t vm_block_hash(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	struct hash hash = { 0 };

	if (u256_fits_u64(sp) && !f->host->block_hash(f->host->ctx, sp->limbs[0], &hash))
		return vm_host_failed(f);
	word_load(sp, hash.bytes);
	return gas;
}

int64_t vm_self_destruct(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	const struct vm_host *h = f->host;
	bool heir_exists, exists;
	struct hash code_hash;
	struct wei balance, heirs;
	struct addr heir;

	if (f->message.is_static)
		return vm_fail(f, VM_FAILED_STATIC);
	word_to_addr(&heir, sp);
	gas = vm_touch(f, &heir, gas, GAS_SELF_DESTRUCT_COLD);
	if (gas < 0)
		return gas;
	if (!h->account(h->ctx, &f->message.recipient, &balance, &code_hash, &exists) ||
	    !h->account(h->ctx, &heir, &heirs, &code_hash, &heir_exists))
		return vm_host_failed(f);
	if (!u256_is_zero(&balance.n) && !heir_exists)
		gas -= GAS_NEW_ACCOUNT;
	if (gas < 0)
		return gas;
	if (!h->self_destruct(h->ctx, &f->message.recipient, &heir))
		return vm_host_failed(f);
	return gas;
}

/* --- storage --- */

void vm_slot(struct hash *out, const struct u256 *word)
{
	word_store(out->bytes, word);
}

int64_t vm_sload(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	const struct vm_host *h = f->host;
	struct vm_storage_values values;
	struct hash slot;
	bool was_warm;

	vm_slot(&slot, sp);
	if (!h->touch_slot(h->ctx, &f->message.recipient, &slot, &was_warm))
		return vm_host_failed(f);
	if (!was_warm)
		gas -= VM_GAS_COLD_SLOT;
	if (gas < 0)
		return gas;
	if (!h->storage(h->ctx, &f->message.recipient, &slot, &values))
		return vm_host_failed(f);
	*sp = values.current;
	return gas;
}

/* EIP-2200 with EIP-3529's refunds: the price, and the refund of this frame. */
static int64_t sstore_gas(struct vm_frame *f, const struct vm_storage_values *v,
			  const struct u256 *value)
{
	if (word_equal(&v->current, value))
		return GAS_SSTORE_WARM;
	if (word_equal(&v->original, &v->current)) {
		if (word_is_zero(&v->original))
			return GAS_SSTORE_SET;
		if (word_is_zero(value))
			f->refund += GAS_SSTORE_CLEAR_REFUND;
		return GAS_SSTORE_RESET;
	}
	if (!word_is_zero(&v->original)) {
		if (word_is_zero(&v->current))
			f->refund -= GAS_SSTORE_CLEAR_REFUND;
		else if (word_is_zero(value))
			f->refund += GAS_SSTORE_CLEAR_REFUND;
	}
	if (word_equal(&v->original, value))
		f->refund += word_is_zero(&v->original) ? GAS_SSTORE_SET - GAS_SSTORE_WARM
							: GAS_SSTORE_RESET - GAS_SSTORE_WARM;
	return GAS_SSTORE_WARM;
}

int64_t vm_sstore(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	const struct vm_host *h = f->host;
	const struct u256 *value = sp - 1;
	struct vm_storage_values values;
	struct hash slot;
	bool was_warm;

	if (f->message.is_static)
		return vm_fail(f, VM_FAILED_STATIC);
	if (gas <= GAS_SSTORE_SENTRY) {
		f->vm->reason.limit = GAS_SSTORE_SENTRY;
		return vm_fail(f, VM_FAILED_GAS);
	}
	vm_slot(&slot, sp);
	if (!h->touch_slot(h->ctx, &f->message.recipient, &slot, &was_warm) ||
	    !h->storage(h->ctx, &f->message.recipient, &slot, &values))
		return vm_host_failed(f);
	if (!was_warm)
		gas -= GAS_SSTORE_COLD;
	gas -= sstore_gas(f, &values, value);
	if (gas < 0)
		return gas;
	if (!word_equal(&values.current, value) &&
	    !h->set_storage(h->ctx, &f->message.recipient, &slot, value))
		return vm_host_failed(f);
	return gas;
}

int64_t vm_tload(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	struct hash slot;

	vm_slot(&slot, sp);
	if (!f->host->transient(f->host->ctx, &f->message.recipient, &slot, sp))
		return vm_host_failed(f);
	return gas;
}

int64_t vm_tstore(struct vm_frame *f, struct u256 *sp, int64_t gas)
{
	struct hash slot;

	if (f->message.is_static)
		return vm_fail(f, VM_FAILED_STATIC);
	vm_slot(&slot, sp);
	if (!f->host->set_transient(f->host->ctx, &f->message.recipient, &slot, sp - 1))
		return vm_host_failed(f);
	return gas;
}

int64_t vm_log(struct vm_frame *f, struct u256 *sp, int64_t gas, size_t topic_count)
{
	struct hash topics[4];
	uint64_t size;

	if (f->message.is_static)
		return vm_fail(f, VM_FAILED_STATIC);
	gas = vm_grow_words(f, sp, sp - 1, gas);
	if (gas < 0)
		return gas;
	size = sp[-1].limbs[0];
	gas -= (int64_t)size * GAS_LOG_BYTE;
	if (gas < 0)
		return gas;
	for (size_t i = 0; i < topic_count; i++)
		word_store(topics[i].bytes, sp - 2 - i);
	if (!f->host->log(f->host->ctx, &f->message.recipient, topics, topic_count,
			  bytes_of(size ? f->memory + sp->limbs[0] : NULL, size)))
		return vm_host_failed(f);
	return gas;
}

int64_t vm_exp_gas(const struct u256 *exponent, int64_t gas)
{
	return gas - (int64_t)u256_byte_length(exponent) * GAS_EXP_BYTE;
}

/* --- tracing --- */

int64_t vm_trace_step(struct vm_frame *f, struct u256 *sp, int64_t gas, uint64_t pc)
{
	const struct bytes code = f->code->bytes;
	const uint8_t opcode = pc < code.size ? code.data[pc] : OP_STOP;
	const struct vm_opcode_info *info = &vm_opcodes[opcode];
	const int32_t base_gas = info->gas[f->vm->revision];
	const struct vm_tracer *tracer = f->vm->tracer;
	const ptrdiff_t height = sp - f->stack;
	const struct vm_step step = {
		.pc = pc,
		.opcode = opcode,
		.gas_left = gas,
		.refund = f->refund,
		.depth = f->message.depth,
		.stack = f->stack + 1,
		.stack_count = (size_t)height,
		.memory = bytes_of(f->memory, f->memory_size),
		.return_data = buf_bytes(&f->vm->return_data),
		.message = &f->message,
	};

	f->vm->step_gas = gas;
	f->vm->step_base = MAX(base_gas, 0);
	if (tracer->step)
		tracer->step(tracer->ctx, &step);
	if (tracer->is_over && tracer->is_over(tracer->ctx))
		return vm_host_failed(f);
	if (!info->name || base_gas == VM_GAS_NONE || opcode == OP_INVALID) {
		f->vm->reason.opcode = opcode;
		return vm_fail(f, VM_FAILED_OPCODE);
	}
	if (height < info->in) {
		f->vm->reason.have = (uint32_t)height;
		f->vm->reason.limit = info->in;
		return vm_fail(f, VM_FAILED_UNDERFLOW);
	}
	if (height - info->in + info->out > VM_STACK_MAX) {
		f->vm->reason.have = (uint32_t)height;
		f->vm->reason.limit = (uint32_t)(VM_STACK_MAX + info->in - info->out);
		return vm_fail(f, VM_FAILED_OVERFLOW);
	}
	return gas - base_gas;
}
