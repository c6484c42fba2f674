/*
 * opcodes - the instructions of the EVM: one row each.
 *
 *   ROW(code, name, words taken, words given, gas in Cancun, in Prague, in Osaka)
 *
 * The gas is what an instruction costs in any case; what depends on operands or
 * state (memory, cold accounts, value) comes on top where it is executed. A
 * warm access (EIP-2929: 100) is in the row. NONE: the revision lacks it.
 * Sources: yellow paper, appendix H; EIP-145, 1014, 1052, 1153, 1344, 1884, 2929,
 * 3198, 3855, 4399, 4844, 5656, 7516, 7939.
 *
 * To add an instruction: a row here and a body in ops.inc.
 */
#ifndef WEFT_VM_OPCODES_H
#define WEFT_VM_OPCODES_H

#include <stdint.h>

#define VM_GAS_NONE (-1)

/* clang-format off */
#define VM_OPCODE_SINGLES(ROW)                                              \
	ROW(0x00, STOP,            0, 0,     0,     0,     0) \
	ROW(0x01, ADD,             2, 1,     3,     3,     3) \
	ROW(0x02, MUL,             2, 1,     5,     5,     5) \
	ROW(0x03, SUB,             2, 1,     3,     3,     3) \
	ROW(0x04, DIV,             2, 1,     5,     5,     5) \
	ROW(0x05, SDIV,            2, 1,     5,     5,     5) \
	ROW(0x06, MOD,             2, 1,     5,     5,     5) \
	ROW(0x07, SMOD,            2, 1,     5,     5,     5) \
	ROW(0x08, ADDMOD,          3, 1,     8,     8,     8) \
	ROW(0x09, MULMOD,          3, 1,     8,     8,     8) \
	ROW(0x0a, EXP,             2, 1,    10,    10,    10) \
	ROW(0x0b, SIGNEXTEND,      2, 1,     5,     5,     5) \
	ROW(0x10, LT,              2, 1,     3,     3,     3) \
	ROW(0x11, GT,              2, 1,     3,     3,     3) \
	ROW(0x12, SLT,             2, 1,     3,     3,     3) \
	ROW(0x13, SGT,             2, 1,     3,     3,     3) \
	ROW(0x14, EQ,              2, 1,     3,     3,     3) \
	ROW(0x15, ISZERO,          1, 1,     3,     3,     3) \
	ROW(0x16, AND,             2, 1,     3,     3,     3) \
	ROW(0x17, OR,              2, 1,     3,     3,     3) \
	ROW(0x18, XOR,             2, 1,     3,     3,     3) \
	ROW(0x19, NOT,             1, 1,     3,     3,     3) \
	ROW(0x1a, BYTE,            2, 1,     3,     3,     3) \
	ROW(0x1b, SHL,             2, 1,     3,     3,     3) \
	ROW(0x1c, SHR,             2, 1,     3,     3,     3) \
	ROW(0x1d, SAR,             2, 1,     3,     3,     3) \
	ROW(0x1e, CLZ,             1, 1, VM_GAS_NONE, VM_GAS_NONE, 5) \
	ROW(0x20, KECCAK256,       2, 1,    30,    30,    30) \
	ROW(0x30, ADDRESS,         0, 1,     2,     2,     2) \
	ROW(0x31, BALANCE,         1, 1,   100,   100,   100) \
	ROW(0x32, ORIGIN,          0, 1,     2,     2,     2) \
	ROW(0x33, CALLER,          0, 1,     2,     2,     2) \
	ROW(0x34, CALLVALUE,       0, 1,     2,     2,     2) \
	ROW(0x35, CALLDATALOAD,    1, 1,     3,     3,     3) \
	ROW(0x36, CALLDATASIZE,    0, 1,     2,     2,     2) \
	ROW(0x37, CALLDATACOPY,    3, 0,     3,     3,     3) \
	ROW(0x38, CODESIZE,        0, 1,     2,     2,     2) \
	ROW(0x39, CODECOPY,        3, 0,     3,     3,     3) \
	ROW(0x3a, GASPRICE,        0, 1,     2,     2,     2) \
	ROW(0x3b, EXTCODESIZE,     1, 1,   100,   100,   100) \
	ROW(0x3c, EXTCODECOPY,     4, 0,   100,   100,   100) \
	ROW(0x3d, RETURNDATASIZE,  0, 1,     2,     2,     2) \
	ROW(0x3e, RETURNDATACOPY,  3, 0,     3,     3,     3) \
	ROW(0x3f, EXTCODEHASH,     1, 1,   100,   100,   100) \
	ROW(0x40, BLOCKHASH,       1, 1,    20,    20,    20) \
	ROW(0x41, COINBASE,        0, 1,     2,     2,     2) \
	ROW(0x42, TIMESTAMP,       0, 1,     2,     2,     2) \
	ROW(0x43, NUMBER,          0, 1,     2,     2,     2) \
	ROW(0x44, PREVRANDAO,      0, 1,     2,     2,     2) \
	ROW(0x45, GASLIMIT,        0, 1,     2,     2,     2) \
	ROW(0x46, CHAINID,         0, 1,     2,     2,     2) \
	ROW(0x47, SELFBALANCE,     0, 1,     5,     5,     5) \
	ROW(0x48, BASEFEE,         0, 1,     2,     2,     2) \
	ROW(0x49, BLOBHASH,        1, 1,     3,     3,     3) \
	ROW(0x4a, BLOBBASEFEE,     0, 1,     2,     2,     2) \
	ROW(0x50, POP,             1, 0,     2,     2,     2) \
	ROW(0x51, MLOAD,           1, 1,     3,     3,     3) \
	ROW(0x52, MSTORE,          2, 0,     3,     3,     3) \
	ROW(0x53, MSTORE8,         2, 0,     3,     3,     3) \
	ROW(0x54, SLOAD,           1, 1,   100,   100,   100) \
	ROW(0x55, SSTORE,          2, 0,     0,     0,     0) \
	ROW(0x56, JUMP,            1, 0,     8,     8,     8) \
	ROW(0x57, JUMPI,           2, 0,    10,    10,    10) \
	ROW(0x58, PC,              0, 1,     2,     2,     2) \
	ROW(0x59, MSIZE,           0, 1,     2,     2,     2) \
	ROW(0x5a, GAS,             0, 1,     2,     2,     2) \
	ROW(0x5b, JUMPDEST,        0, 0,     1,     1,     1) \
	ROW(0x5c, TLOAD,           1, 1,   100,   100,   100) \
	ROW(0x5d, TSTORE,          2, 0,   100,   100,   100) \
	ROW(0x5e, MCOPY,           3, 0,     3,     3,     3) \
	ROW(0x5f, PUSH0,           0, 1,     2,     2,     2) \
	ROW(0xa0, LOG0,            2, 0,   375,   375,   375) \
	ROW(0xa1, LOG1,            3, 0,   750,   750,   750) \
	ROW(0xa2, LOG2,            4, 0,  1125,  1125,  1125) \
	ROW(0xa3, LOG3,            5, 0,  1500,  1500,  1500) \
	ROW(0xa4, LOG4,            6, 0,  1875,  1875,  1875) \
	ROW(0xf0, CREATE,          3, 1, 32000, 32000, 32000) \
	ROW(0xf1, CALL,            7, 1,   100,   100,   100) \
	ROW(0xf2, CALLCODE,        7, 1,   100,   100,   100) \
	ROW(0xf3, RETURN,          2, 0,     0,     0,     0) \
	ROW(0xf4, DELEGATECALL,    6, 1,   100,   100,   100) \
	ROW(0xf5, CREATE2,         4, 1, 32000, 32000, 32000) \
	ROW(0xfa, STATICCALL,      6, 1,   100,   100,   100) \
	ROW(0xfd, REVERT,          2, 0,     0,     0,     0) \
	ROW(0xfe, INVALID,         0, 0,     0,     0,     0) \
	ROW(0xff, SELFDESTRUCT,    1, 0,  5000,  5000,  5000)

/* PUSH1-32 follow from their number: 0x5f + n, nothing taken, one given. */
#define VM_OPCODE_PUSHES(ROW)                                                   \
	ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8)                 \
	ROW(9) ROW(10) ROW(11) ROW(12) ROW(13) ROW(14) ROW(15) ROW(16)          \
	ROW(17) ROW(18) ROW(19) ROW(20) ROW(21) ROW(22) ROW(23) ROW(24)         \
	ROW(25) ROW(26) ROW(27) ROW(28) ROW(29) ROW(30) ROW(31) ROW(32)

/* DUP1-16 (0x7f + n) take n and give n + 1, SWAP1-16 (0x8f + n) n + 1 and n + 1. */
#define VM_OPCODE_SIXTEEN(ROW)                                                  \
	ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8)                 \
	ROW(9) ROW(10) ROW(11) ROW(12) ROW(13) ROW(14) ROW(15) ROW(16)
/* clang-format on */

#define VM_GAS_VERY_LOW 3 /* of PUSH, DUP and SWAP */

enum vm_opcode {
#define VM_ROW(code, name, in, out, cancun, prague, osaka) OP_##name = code,
	VM_OPCODE_SINGLES(VM_ROW)
#undef VM_ROW
	OP_PUSH1 = 0x60,
	OP_PUSH32 = 0x7f,
	OP_DUP1 = 0x80,
	OP_DUP16 = 0x8f,
	OP_SWAP1 = 0x90,
	OP_SWAP16 = 0x9f,
};

#define VM_REVISION_COUNT 3

/* A row of the table above, as the analysis and tracers read it. */
struct vm_opcode_info {
	const char *name; /* NULL: no revision has it */
	int16_t in, out;
	int32_t gas[VM_REVISION_COUNT]; /* by enum revision; VM_GAS_NONE */
};

extern const struct vm_opcode_info vm_opcodes[256];

#endif
