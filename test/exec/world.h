/*
 * world - a chain in memory for the tests of exec: state in plain maps, a trie
 * beside it, funded keys, and blocks made on it.
 */
#ifndef TEST_EXEC_WORLD_H
#define TEST_EXEC_WORLD_H

#include "base/map.h"
#include "exec/exec.h"
#include "exec/host.h"
#include "exec/native.h"

#define WORLD_KEY_COUNT 8
#define WORLD_FUNDS 1000000000000000000ull /* of every key, wei */
#define WORLD_CHAIN_ID 31337
#define WORLD_TIME_MS 1700000000000ull

struct world {
	struct ecc *ecc;
	struct genesis genesis;
	struct map accounts, slots, codes;
	struct state_tree *tree;
	struct exec *exec;
	struct exec_parent parent;
	struct exec_proposal proposal;
	struct addr keys[WORLD_KEY_COUNT];
};

/* A genesis of all defaults with two validators and funded keys; the tests change
 * it before world_start(). */
void world_init(struct world *w);
void world_start(struct world *w);
void world_start_sized(struct world *w, size_t slot_count); /* for a genesis of more than 1000 slots */
void world_clear(struct world *w);

struct state_view world_view(struct world *w);
struct account world_account(struct world *w, const struct addr *address);
uint64_t world_balance(struct world *w, const struct addr *address);
void world_storage(struct world *w, const struct addr *address, uint64_t slot, struct u256 *out);

/* An account in alloc with code (the bytes of a string) and a balance. */
void world_alloc(struct world *w, const struct addr *address, uint64_t balance, const char *code);

struct addr address_of(uint8_t n); /* 0x…99nn: nobody's */

/* Type 2, 21000 gas, to address_of(1), one wei, twice the floor's fee, 1 gwei of tip. */
struct tx world_template(uint64_t nonce);
/* Signs with key `key`. */
struct tx *world_sign(struct world *w, size_t key, const struct tx *t);

/* Appends an authorization of EIP-7702 by key `key`. */
void world_authorize(struct buf *out, struct world *w, size_t key, uint64_t chain_id,
		     const struct addr *address, uint64_t nonce);

/* Proposes a block of `txs`; its rejections' codes (may be NULL) are 0 for what went in. */
void world_propose(struct world *w, struct tx *const txs[], size_t count, int codes[],
		   struct exec_result *out);
/* The block becomes the parent. */
void world_commit(struct world *w, const struct exec_result *r);
/* Takes the tree back from a proposed block. */
void world_undo(struct world *w, const struct exec_result *r);

/* The sum of all balances. */
struct wei world_supply(struct world *w);

#endif
