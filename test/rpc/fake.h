/*
 * fake - a node behind the backend tables, for tests of rpc: a chain of four
 * blocks in memory, a pool that is a list, and switches for what may go wrong.
 *
 *   block 0  genesis
 *   block 1  transactions of types 0 (old and EIP-155), 1 and 2, and a creation
 *   block 2  empty
 *   block 3  one transaction with two logs; a withdrawal
 *
 * State: every account has the nonce 7 and as many wei as its block's number;
 * block 0's is no longer kept. fake_contract() has code and storage.
 * Calls: data that begins with ff reverts with the rest, with fe fails, with fd takes too
 * long; with dd the call is described, with bb there are big_size bytes; any other data
 * comes back.
 */
#ifndef WEFT_TEST_RPC_FAKE_H
#define WEFT_TEST_RPC_FAKE_H

#include "rpc/rpc.h"

#define FAKE_CHAIN_ID 31337
#define FAKE_BLOCK_COUNT 4
#define FAKE_TX_MAX 8

struct fake_block {
	struct block block;
	struct receipt receipts[FAKE_TX_MAX];
	struct buf certificate;
};

struct fake {
	struct ecc *ecc;
	struct secret_key key;
	struct addr sender;
	struct genesis genesis;
	struct rpc_info info;
	struct fake_block blocks[FAKE_BLOCK_COUNT];
	uint64_t height;             /* the newest block that readers see */
	struct tx *pool[64]; /* in the order of sending; the second half waits behind a gap */
	size_t pool_count;
	size_t open_count, snapshot_count; /* snapshots open now; opened ever */
	size_t submit_count;
	bool is_busy;                /* submit: RPC_E_LIMIT */
	bool is_broken;              /* readers: RPC_E_INTERNAL */
	bool is_pruned;              /* there is no state to trace block 1's transactions on */
	bool is_behind;              /* prove: RPC_E_NOT_YET */
	const char *trouble;
	bool is_stalled;
	uint64_t age_ms;
	size_t peer_count;
	uint8_t poll_count;          /* filters made */
	struct hash poll_id;         /* of the one filter that it keeps; zero: none */
	struct rpc_poll poll;
	uint64_t poll_height;        /* told up to there */
	size_t poll_tx;              /* of the pool, likewise */
	uint64_t trace_count;        /* runs under a tracer so far */
	uint64_t trace_loop_count;   /* how often each goes on */
	uint64_t trace_clock_ms, trace_tick_ms; /* the clock moves whenever it is asked */
	struct rpc_call last_call;   /* what was asked last; pointers no longer valid */
	uint64_t gas_run;            /* that a call says to have cost */
	size_t big_size;
};

struct fake *fake_new(void);
void fake_free(struct fake *f);

struct rpc_reader_backend fake_reader(struct fake *f);
struct rpc_node_backend fake_node(struct fake *f);
struct addr fake_contract(void);

/* A call in words (fake_call.c): what it has beside sender and data. */
void fake_describe(struct buf *out, const struct rpc_call *c);

/* A signed transfer. */
struct tx *fake_transfer(struct fake *f, enum tx_type type, uint64_t nonce);

/* With the default limits. */
struct rpc *fake_rpc(struct fake *f);

/* A body's whole way; the reply is appended. */
void fake_ask(struct fake *f, struct rpc *r, struct bytes body, struct buf *reply);

#endif
