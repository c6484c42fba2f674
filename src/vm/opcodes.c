#include "vm/opcodes.h"

#define SINGLE(code, name, in, out, cancun, prague, osaka) \
	[code] = { #name, in, out, { cancun, prague, osaka } },
#define PUSH(n) \
	[0x5f + n] = { "PUSH" #n, 0, 1, { VM_GAS_VERY_LOW, VM_GAS_VERY_LOW, VM_GAS_VERY_LOW } },
#define DUP(n) \
	[0x7f + n] = { "DUP" #n, n, n + 1, { VM_GAS_VERY_LOW, VM_GAS_VERY_LOW, VM_GAS_VERY_LOW } },
#define SWAP(n)                                              \
	[0x8f + n] = { "SWAP" #n, n + 1, n + 1,              \
		       { VM_GAS_VERY_LOW, VM_GAS_VERY_LOW, VM_GAS_VERY_LOW } },

const struct vm_opcode_info vm_opcodes[256] = {
	VM_OPCODE_SINGLES(SINGLE)
	VM_OPCODE_PUSHES(PUSH)
	VM_OPCODE_SIXTEEN(DUP)
	VM_OPCODE_SIXTEEN(SWAP)
};
