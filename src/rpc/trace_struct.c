/*
 * The struct logger: every step, written as it is known.
 *
 * What an instruction cost is known when the next thing happens: a step, a call's beginning
 * or end. So one step waits, its tail already in words.
 */
#include "rpc/trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "rpc/forms.h"

#define GAS_CODE_BYTE 200 /* of code that a creation's RETURN deposits; not the step's own */

/* A slot that was read or written, as the steps of its contract have seen it. */
struct seen_slot {
	struct addr address;
	struct hash key;
	struct u256 value;
};

struct struct_trace {
	struct trace base;
	bool is_pending;
	uint64_t pc, gas;
	uint8_t opcode;
	uint32_t depth;              /* from 1 */
	struct buf tail;             /* members behind `depth` and `error`, each with its comma */
	size_t entry_at;             /* where the entry that is written began, in `out` */
	uint64_t size;               /* of all entries, as geth counts against `limit` */
	bool failed;
	struct buf output;
	/* Of the frames below the one that runs: the refunds that they had, summed. */
	int64_t refunds[VM_DEPTH_MAX + 2];
	int64_t refund;              /* of the frame that runs, at its last step */
	struct seen_slot *slots;     /* sorted by address and key */
	size_t slot_count, slot_capacity;
};

/* --- storage --- */

static int compare_slot(const struct seen_slot *s, const struct addr *address, const struct hash *key)
{
	int order = memcmp(&s->address, address, sizeof(*address));

	return order || !key ? order : memcmp(&s->key, key, sizeof(*key));
}

/* Where it stands, or would; without a key, the address's first. */
static size_t find_slot(const struct struct_trace *t, const struct addr *address, const struct hash *key)
{
	size_t low = 0, high = t->slot_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare_slot(&t->slots[middle], address, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void note_slot(struct struct_trace *t, const struct addr *address, const struct hash *key,
		      const struct u256 *value)
{
	size_t at = find_slot(t, address, key);

	if (at == t->slot_count || compare_slot(&t->slots[at], address, key) != 0) {
		if (t->slot_count == t->slot_capacity) {
			t->slot_capacity = MAX(2 * t->slot_capacity, (size_t)16);
			t->slots = xrealloc(t->slots, t->slot_capacity * sizeof(*t->slots));
		}
		memmove(&t->slots[at + 1], &t->slots[at], (t->slot_count - at) * sizeof(*t->slots));
		t->slot_count++;
	}
	t->slots[at] = (struct seen_slot){ *address, *key, *value };
}

/* `,"storage":{…}`: all of the contract's that has been met, this step's included. */
static void put_storage(struct struct_trace *t, const struct vm_step *s)
{
	const struct addr *address = &s->message->recipient;
	struct u256 value;
	struct hash key;
	char text[2][HEX_HASH_SIZE];
	size_t first;

	if (s->opcode == OP_SSTORE && s->stack_count >= 2)
		value = *trace_operand(s, 1);
	else if (s->opcode != OP_SLOAD || s->stack_count < 1)
		return;
	key = trace_hash(trace_operand(s, 0));
	if (s->opcode == OP_SLOAD && !trace_storage(&t->base, address, &key, &value))
		return;
	note_slot(t, address, &key, &value);
	first = find_slot(t, address, NULL);
	buf_printf(&t->tail, ",\"storage\":");
	for (size_t i = first; i < t->slot_count && compare_slot(&t->slots[i], address, NULL) == 0; i++) {
		struct hash v = trace_hash(&t->slots[i].value);

		buf_printf(&t->tail, "%c\"%s\":\"%s\"", i == first ? '{' : ',',
			   hex_data(text[0], hash_bytes(&t->slots[i].key)), hex_data(text[1], hash_bytes(&v)));
		if (!trace_room(&t->base, t->tail.size))
			return;
	}
	buf_append_byte(&t->tail, '}');
}

/* --- the other members --- */

static void put_stack(struct struct_trace *t, const struct vm_step *s)
{
	char text[HEX_U256_SIZE];

	buf_printf(&t->tail, ",\"stack\":[");
	for (size_t i = 0; i < s->stack_count; i++) {
		hex_format_u256(text, &s->stack[i]);
		buf_printf(&t->tail, "%s\"%s\"", i ? "," : "", text);
	}
	buf_append_byte(&t->tail, ']');
}

/* In words, though the last one is always whole. */
static void put_memory(struct struct_trace *t, struct bytes memory)
{
	char text[HEX_HASH_SIZE];

	if (!memory.size || !trace_room(&t->base, 2 * memory.size))
		return;
	buf_printf(&t->tail, ",\"memory\":");
	for (size_t i = 0; i + 32 <= memory.size; i += 32)
		buf_printf(&t->tail, "%c\"%s\"", i ? ',' : '[',
			   hex_data(text, bytes_of(memory.data + i, 32)));
	buf_append_byte(&t->tail, ']');
}

static void put_return_data(struct struct_trace *t, struct bytes data)
{
	if (!data.size || !trace_room(&t->base, 2 * data.size))
		return;
	buf_printf(&t->tail, ",\"returnData\":\"0x");
	hex_encode((char *)buf_extend(&t->tail, 2 * data.size), data);
	buf_append_byte(&t->tail, '"');
}

/* --- an entry --- */

/* Writes the step that waits. `error`: why it did not run, or NULL. */
static void flush(struct struct_trace *t, uint64_t cost_gas, const char *error)
{
	struct buf *out = t->base.out->out;
	struct jout j;
	char name[32];

	if (!t->is_pending)
		return;
	t->is_pending = false;
	if (t->entry_at)
		buf_append_byte(out, ',');
	t->entry_at = out->size;
	if (vm_opcodes[t->opcode].name)
		snprintf(name, sizeof(name), "%s", vm_opcodes[t->opcode].name);
	else
		snprintf(name, sizeof(name), "opcode 0x%x not defined", t->opcode);
	jout_init(&j, out);
	jout_object(&j);
	jout_key(&j, "pc");
	jout_unsigned(&j, t->pc);
	jout_key(&j, "op");
	jout_str(&j, name);
	jout_key(&j, "gas");
	jout_unsigned(&j, t->gas);
	jout_key(&j, "gasCost");
	jout_unsigned(&j, cost_gas);
	jout_key(&j, "depth");
	jout_unsigned(&j, t->depth);
	if (error) {
		jout_key(&j, "error");
		jout_str(&j, error);
	}
	buf_append_bytes(out, buf_bytes(&t->tail));
	jout_object_end(&j);
	t->size += out->size - t->entry_at;
	trace_room(&t->base, 0);
}

/* Writes it, with what is gone since as its price. */
static void flush_at(struct struct_trace *t, uint64_t gas_now)
{
	flush(t, t->gas - MIN(gas_now, t->gas), NULL);
}

static void struct_step(struct trace *base, const struct vm_step *s)
{
	struct struct_trace *t = (struct struct_trace *)base;
	const struct rpc_trace_options *o = base->options;
	int64_t refund;

	flush_at(t, (uint64_t)s->gas_left);
	t->refund = s->refund;
	if (o->limit && t->size > o->limit)
		return;
	t->is_pending = true;
	t->pc = s->pc;
	t->opcode = s->opcode;
	t->gas = (uint64_t)s->gas_left;
	t->depth = s->depth + 1;
	buf_reset(&t->tail);
	if (!o->disable_stack)
		put_stack(t, s);
	if (o->enable_return_data)
		put_return_data(t, s->return_data);
	if (o->enable_memory)
		put_memory(t, s->memory);
	if (!o->disable_storage)
		put_storage(t, s);
	refund = t->refunds[s->depth] + s->refund;
	if (refund > 0)
		buf_printf(&t->tail, ",\"refund\":%lld", (long long)refund);
}

static void struct_enter(struct trace *base, const struct vm_message *m, uint64_t gas_left)
{
	struct struct_trace *t = (struct struct_trace *)base;

	/* a call's price has the gas that it passes on, a creation's has not */
	flush_at(t, gas_left + (vm_is_creation(m->kind) ? m->gas : 0));
	if (m->depth)
		t->refunds[m->depth] = t->refunds[m->depth - 1] + t->refund;
	t->refund = 0;
}

static void struct_fail(struct trace *base, const struct vm_reason *reason, uint64_t cost_gas)
{
	struct struct_trace *t = (struct struct_trace *)base;
	char text[VM_REASON_TEXT_MAX];
	bool has_begun = true;

	switch (reason->kind) {
	case VM_FAILED_GAS:
	case VM_FAILED_UNDERFLOW:
	case VM_FAILED_OVERFLOW:
	case VM_FAILED_INITCODE_SIZE:
		has_begun = false;
		break;
	case VM_NOT_FAILED:
	case VM_FAILED_UNCLEAR:
	case VM_FAILED_OPCODE:
	case VM_FAILED_JUMP:
	case VM_FAILED_STATIC:
	case VM_FAILED_RETURN_DATA:
	case VM_FAILED_CODE_SIZE:
	case VM_FAILED_CODE_BYTE:
	case VM_FAILED_CODE_GAS:
	case VM_FAILED_COLLISION:
	case VM_FAILED_PRECOMPILE:
	case VM_FAILED_FUNDS:
	case VM_FAILED_DEPTH:
	case VM_FAILED_NONCE:
		break;
	}
	flush(t, cost_gas, has_begun ? NULL : vm_reason_text(text, reason));
}

static void struct_leave(struct trace *base, const struct vm_message *m, enum vm_status status,
			 uint64_t gas_left, struct bytes output)
{
	struct struct_trace *t = (struct struct_trace *)base;
	bool deposits = vm_is_creation(m->kind) && status == VM_SUCCESS;

	flush_at(t, gas_left + (deposits ? output.size * GAS_CODE_BYTE : 0));
	if (m->depth)
		return;
	t->failed = status != VM_SUCCESS;
	buf_reset(&t->output);
	if (status != VM_FAILURE && trace_room(base, 2 * output.size))
		buf_append_bytes(&t->output, output);
}

/* --- the value: the steps stand before the members that only the end knows --- */

static void struct_begin(struct trace *base)
{
	struct struct_trace *t = (struct struct_trace *)base;

	t->is_pending = t->failed = false;
	t->entry_at = 0;
	t->size = 0;
	t->refund = t->refunds[0] = 0;
	t->slot_count = 0;
	buf_reset(&t->output);
	jout_object(base->out);
	jout_key(base->out, "structLogs");
	jout_array(base->out);
}

static void struct_end(struct trace *base, uint64_t gas_limit, uint64_t gas_used)
{
	struct struct_trace *t = (struct struct_trace *)base;

	(void)gas_limit;
	jout_array_end(base->out);
	jout_key(base->out, "gas");
	jout_unsigned(base->out, gas_used);
	jout_key(base->out, "failed");
	jout_bool(base->out, t->failed);
	form_key_data(base->out, "returnValue", buf_bytes(&t->output));
	jout_object_end(base->out);
}

static void struct_clear(struct trace *base)
{
	struct struct_trace *t = (struct struct_trace *)base;

	buf_clear(&t->tail);
	buf_clear(&t->output);
	free(t->slots);
}

const struct trace_ops trace_struct_ops = {
	.size = sizeof(struct struct_trace),
	.begin = struct_begin,
	.end = struct_end,
	.clear = struct_clear,
	.enter = struct_enter,
	.step = struct_step,
	.fail = struct_fail,
	.leave = struct_leave,
};
