/* Why a call failed, in geth's words: clients show them, and some match them. */
#include <stdio.h>

#include "base/check.h"
#include "vm/internal.h"

const struct vm_reason *vm_reason(const struct vm *vm)
{
	return &vm->reason;
}

static const char *plain_text(enum vm_failure kind)
{
	switch (kind) {
	case VM_NOT_FAILED:
		return "";
	case VM_FAILED_UNCLEAR:
		return "execution failed";
	case VM_FAILED_GAS:
		return "out of gas";
	case VM_FAILED_OPCODE:
		return "invalid opcode";
	case VM_FAILED_UNDERFLOW:
		return "stack underflow";
	case VM_FAILED_OVERFLOW:
		return "stack limit reached";
	case VM_FAILED_JUMP:
		return "invalid jump destination";
	case VM_FAILED_STATIC:
		return "write protection";
	case VM_FAILED_RETURN_DATA:
		return "return data out of bounds";
	case VM_FAILED_INITCODE_SIZE:
		return "max initcode size exceeded";
	case VM_FAILED_CODE_SIZE:
		return "max code size exceeded";
	case VM_FAILED_CODE_BYTE:
		return "invalid code: must not begin with 0xef";
	case VM_FAILED_CODE_GAS:
		return "contract creation code storage out of gas";
	case VM_FAILED_COLLISION:
		return "contract address collision";
	case VM_FAILED_PRECOMPILE:
		return "invalid input to a precompiled contract";
	case VM_FAILED_FUNDS:
		return "insufficient balance for transfer";
	case VM_FAILED_DEPTH:
		return "max call depth exceeded";
	case VM_FAILED_NONCE:
		return "nonce uint64 overflow";
	}
	UNREACHABLE();
}

const char *vm_reason_text(char out[VM_REASON_TEXT_MAX], const struct vm_reason *reason)
{
	const char *text = plain_text(reason->kind);
	int size;

	if (reason->kind == VM_FAILED_OPCODE && reason->opcode == OP_INVALID)
		size = snprintf(out, VM_REASON_TEXT_MAX, "%s: INVALID", text);
	else if (reason->kind == VM_FAILED_OPCODE)
		size = snprintf(out, VM_REASON_TEXT_MAX, "%s: opcode 0x%x not defined", text,
				reason->opcode);
	else if (reason->kind == VM_FAILED_GAS && reason->limit)
		size = snprintf(out, VM_REASON_TEXT_MAX, "%s: not enough gas for reentrancy sentry", text);
	else if (reason->kind == VM_FAILED_UNDERFLOW)
		size = snprintf(out, VM_REASON_TEXT_MAX, "%s (%u <=> %u)", text, reason->have,
				reason->limit);
	else if (reason->kind == VM_FAILED_OVERFLOW)
		size = snprintf(out, VM_REASON_TEXT_MAX, "%s %u (%u)", text, reason->have,
				reason->limit);
	else
		size = snprintf(out, VM_REASON_TEXT_MAX, "%s", text);
	CHECK(size >= 0 && size < VM_REASON_TEXT_MAX);
	return out;
}
