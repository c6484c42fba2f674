/*
 * world - a host of few accounts in plain arrays, for tests of the machine: code
 * at some addresses, storage, transients, warm sets; snapshots copy all of it.
 */
#ifndef TEST_VM_WORLD_H
#define TEST_VM_WORLD_H

#include "vm/vm.h"

#define WORLD_ACCOUNT_COUNT 8
#define WORLD_SLOT_COUNT 64
#define WORLD_LOG_SIZE 4096

struct world_slot {
	struct addr address;
	struct hash slot;
	struct u256 original, current, transient;
	bool warm;
};

struct world_account {
	struct addr address;
	struct vm_code *code;
	struct wei balance;
	bool exists, warm;
};

/* What snapshots keep. */
struct world_state {
	struct world_account accounts[WORLD_ACCOUNT_COUNT];
	size_t account_count;
	struct world_slot slots[WORLD_SLOT_COUNT];
	size_t slot_count;
	uint8_t logs[WORLD_LOG_SIZE]; /* all that was logged, in a row */
	size_t log_size;
	size_t destroyed_count;
};

struct world {
	struct vm_host host;
	struct vm_block_context block;
	struct vm *vm;
	struct vm_code *no_code;
	struct world_state now;
	struct world_state *snapshots;
	size_t snapshot_count, snapshot_capacity;
	bool fails; /* the medium does: every question is answered by false */
};

/* `vm` is borrowed. */
void world_init(struct world *w, struct vm *vm, enum revision revision);
void world_clear(struct world *w);

/* Gives an account code and a balance. */
void world_account(struct world *w, uint8_t number, struct bytes code, uint64_t balance);
struct addr world_address(uint8_t number);

/* Calls account `number` with `gas`. */
bool world_call(struct world *w, uint8_t number, struct bytes input, uint64_t gas,
		struct vm_result *out);

#endif
