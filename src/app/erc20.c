#include "app/erc20.h"

#include "base/check.h"
#include "crypto/keccak.h"
#include "vm/opcodes.h"

/* --- an assembler for code of less than 256 bytes --- */

/* A list's elements: bytes of code as they are, and three things that are not. */
#define LABEL(n) (0x100 + (n))    /* JUMPDEST with a name */
#define TO(n) (0x200 + (n))       /* PUSH1 with its place */
#define SIGNATURE 0x300           /* PUSH32 with Transfer's topic */

#define LABEL_MAX 8

#define PUSH(n) (OP_PUSH1 - 1 + (n))
#define PUSH0 OP_PUSH0
#define DUP(n) (OP_DUP1 - 1 + (n))
#define SWAP(n) (OP_SWAP1 - 1 + (n))

/* Gives the slot of the key at memory 0 in the mapping at slot 0. */
#define SLOT_OF_KEY PUSH0, PUSH(1), 32, OP_MSTORE, PUSH(1), 64, PUSH0, OP_KECCAK256

#define SELECTOR_TRANSFER 0xa9, 0x05, 0x9c, 0xbb
#define SELECTOR_BALANCE 0x70, 0xa0, 0x82, 0x31
#define SELECTOR_SUPPLY 0x18, 0x16, 0x0d, 0xdd
#define SLOT_SUPPLY 2

enum label { FAIL, TRANSFER, BALANCE, SUPPLY };

static const uint16_t runtime[] = {
	OP_CALLVALUE, TO(FAIL), OP_JUMPI,
	PUSH(1), 4, OP_CALLDATASIZE, OP_LT, TO(FAIL), OP_JUMPI,
	PUSH0, OP_CALLDATALOAD, PUSH(1), 224, OP_SHR,
	DUP(1), PUSH(4), SELECTOR_TRANSFER, OP_EQ, TO(TRANSFER), OP_JUMPI,
	DUP(1), PUSH(4), SELECTOR_BALANCE, OP_EQ, TO(BALANCE), OP_JUMPI,
	DUP(1), PUSH(4), SELECTOR_SUPPLY, OP_EQ, TO(SUPPLY), OP_JUMPI,
	LABEL(FAIL), PUSH0, PUSH0, OP_REVERT,

	LABEL(SUPPLY), PUSH(1), SLOT_SUPPLY, OP_SLOAD, PUSH0, OP_MSTORE, PUSH(1), 32, PUSH0, OP_RETURN,

	LABEL(BALANCE), PUSH(1), 36, OP_CALLDATASIZE, OP_LT, TO(FAIL), OP_JUMPI,
	PUSH(1), 4, OP_CALLDATALOAD, DUP(1), PUSH(1), 160, OP_SHR, TO(FAIL), OP_JUMPI,
	PUSH0, OP_MSTORE, SLOT_OF_KEY, OP_SLOAD,
	PUSH0, OP_MSTORE, PUSH(1), 32, PUSH0, OP_RETURN,

	LABEL(TRANSFER), PUSH(1), 68, OP_CALLDATASIZE, OP_LT, TO(FAIL), OP_JUMPI,
	PUSH(1), 36, OP_CALLDATALOAD, PUSH(1), 4, OP_CALLDATALOAD, /* to, value */
	DUP(1), PUSH(1), 160, OP_SHR, TO(FAIL), OP_JUMPI,
	DUP(1), OP_ISZERO, TO(FAIL), OP_JUMPI,
	OP_CALLER, OP_ISZERO, TO(FAIL), OP_JUMPI,
	OP_CALLER, PUSH0, OP_MSTORE, SLOT_OF_KEY, /* slot, to, value */
	DUP(1), OP_SLOAD,                         /* balance, slot, to, value */
	DUP(4), DUP(2), OP_LT, TO(FAIL), OP_JUMPI,
	DUP(4), SWAP(1), OP_SUB, SWAP(1), OP_SSTORE, /* to, value */
	DUP(1), PUSH0, OP_MSTORE, SLOT_OF_KEY,       /* slot, to, value */
	DUP(1), OP_SLOAD, DUP(4), OP_ADD, SWAP(1), OP_SSTORE,
	DUP(2), PUSH0, OP_MSTORE, /* to, value */
	OP_CALLER, SIGNATURE, PUSH(1), 32, PUSH0, OP_LOG3,
	PUSH(1), 1, PUSH0, OP_MSTORE, PUSH(1), 32, PUSH0, OP_RETURN,
};

/* The whole supply to the maker; the code behind these follows in *out. */
static const uint16_t creation[] = {
	PUSH(1), ERC20_SUPPLY_BITS, PUSH0, OP_NOT, SWAP(1), OP_SHR, /* supply */
	DUP(1), PUSH(1), SLOT_SUPPLY, OP_SSTORE,
	OP_CALLER, PUSH0, OP_MSTORE, SLOT_OF_KEY, DUP(2), SWAP(1), OP_SSTORE,
	PUSH0, OP_MSTORE, OP_CALLER, PUSH0, SIGNATURE, PUSH(1), 32, PUSH0, OP_LOG3,
};

static void put_signature(struct buf *out)
{
	struct hash topic;

	keccak256(&topic, bytes_of_str("Transfer(address,address,uint256)"));
	buf_append_bytes(out, hash_bytes(&topic));
}

static void assemble(struct buf *out, const uint16_t list[], size_t count)
{
	uint8_t places[LABEL_MAX] = { 0 };
	size_t start = out->size;

	/* Twice: the first time finds the labels' places. */
	for (int pass = 0; pass < 2; pass++) {
		out->size = start;
		for (size_t i = 0; i < count; i++) {
			uint16_t v = list[i];

			if (v < LABEL(0)) {
				buf_append_byte(out, (uint8_t)v);
			} else if (v == SIGNATURE) {
				buf_append_byte(out, OP_PUSH32);
				put_signature(out);
			} else if (v >= TO(0)) {
				buf_append_byte(out, OP_PUSH1);
				buf_append_byte(out, places[v - TO(0)]);
			} else {
				places[v - LABEL(0)] = (uint8_t)(out->size - start);
				buf_append_byte(out, OP_JUMPDEST);
			}
		}
		CHECK(out->size - start < 256);
	}
}

void erc20_code(struct buf *out)
{
	assemble(out, runtime, ARRAY_COUNT(runtime));
}

void erc20_init_code(struct buf *out)
{
	size_t start = out->size;
	struct buf code = { 0 };
	uint8_t tail[] = { OP_PUSH1, 0, OP_DUP1, OP_PUSH1, 0, OP_PUSH0, OP_CODECOPY, OP_PUSH0, OP_RETURN };

	erc20_code(&code);
	assemble(out, creation, ARRAY_COUNT(creation));
	CHECK(code.size < 256 && out->size - start + sizeof(tail) < 256);
	tail[1] = (uint8_t)code.size;
	tail[4] = (uint8_t)(out->size - start + sizeof(tail));
	buf_append(out, tail, sizeof(tail));
	buf_append_bytes(out, buf_bytes(&code));
	buf_clear(&code);
}

/* --- calls --- */

void erc20_transfer_data(uint8_t out[ERC20_TRANSFER_SIZE], const struct addr *to,
			 const struct u256 *value)
{
	static const uint8_t selector[16] = { SELECTOR_TRANSFER };

	memcpy(out, selector, sizeof(selector));
	memcpy(out + 16, to->bytes, sizeof(to->bytes));
	u256_to_be32(out + 36, value);
}

void erc20_balance_data(uint8_t out[ERC20_BALANCE_SIZE], const struct addr *owner)
{
	static const uint8_t selector[16] = { SELECTOR_BALANCE };

	memcpy(out, selector, sizeof(selector));
	memcpy(out + 16, owner->bytes, sizeof(owner->bytes));
}

struct hash erc20_balance_slot(const struct addr *owner)
{
	uint8_t preimage[64] = { 0 };
	struct hash slot;

	memcpy(preimage + 12, owner->bytes, sizeof(owner->bytes));
	keccak256(&slot, bytes_of(preimage, sizeof(preimage)));
	return slot;
}
