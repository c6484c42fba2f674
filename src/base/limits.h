/*
 * limits - the resource limits of a node, in one place, with the relations that
 * must hold between them. What two nodes must agree on is in chain/params.h.
 */
#ifndef WEFT_BASE_LIMITS_H
#define WEFT_BASE_LIMITS_H

#include <assert.h>

#define KIB 1024ull
#define MIB (1024ull * KIB)

/* Values from outside. */
#define LIMIT_RLP_DEPTH_MAX 64          /* nested lists that a decoder follows */
#define LIMIT_JSON_DEPTH_MAX 64         /* nested arrays and objects */
#define LIMIT_TX_SIZE 131072ull         /* one encoded transaction in the pool, bytes (as geth) */
#define LIMIT_GENESIS_SIZE (256 * MIB)  /* a genesis file, bytes */
#define LIMIT_KEYSTORE_SIZE (64 * KIB)  /* a keystore file, bytes */

/* JSON-RPC; all are defaults of flags. */
#define LIMIT_RPC_BODY_SIZE (1 * MIB)
#define LIMIT_RPC_BATCH_COUNT 1000
#define LIMIT_RPC_REPLY_SIZE (32 * MIB)
#define LIMIT_RPC_COST 100000           /* of one body, in the units of rpc/methods.h: about a second */
#define LIMIT_RPC_CONNECTION_COUNT 80
#define LIMIT_RPC_TIMEOUT_MS 5000
#define LIMIT_RPC_QUEUE_COUNT 1024      /* requests under way; more are answered 503 */

/* The pool. */
#define LIMIT_POOL_COUNT 65536ull       /* transactions */
#define LIMIT_POOL_SIZE (64 * MIB)      /* their encoded bytes */
#define LIMIT_POOL_SENDER_COUNT 1024    /* transactions of one sender */
#define LIMIT_POOL_FUTURE_COUNT 8192ull /* transactions behind a nonce gap, all senders */

/* Storage. */
#define LIMIT_UNSYNCED_BLOCK_COUNT 64   /* blocks that LevelDB may lag behind the commit log */
#define LIMIT_FLUSH_BLOCK_COUNT 1024    /* blocks between two flushes of trie nodes */
#define LIMIT_ACCOUNT_CACHE_COUNT 262144ull
#define LIMIT_SLOT_CACHE_COUNT 262144ull
#define LIMIT_CODE_CACHE_COUNT 4096ull
#define LIMIT_CODE_CACHE_SIZE (64 * MIB)
#define LIMIT_PAST_VIEW_SIZE (256 * MIB) /* memory of one view of a past state */
#define LIMIT_TRIE_NODE_SIZE (512 * MIB) /* memory of loaded trie nodes before clean ones go */

static_assert(LIMIT_TX_SIZE < LIMIT_POOL_SIZE, "the pool holds the largest transaction");
static_assert(LIMIT_TX_SIZE * 2 + 4096 < LIMIT_RPC_BODY_SIZE, "a transaction in hex fits one request");
static_assert(LIMIT_POOL_FUTURE_COUNT < LIMIT_POOL_COUNT, "future transactions never fill the pool");
static_assert(LIMIT_UNSYNCED_BLOCK_COUNT <= LIMIT_FLUSH_BLOCK_COUNT,
	      "the commit log reaches back to the last flush");

#endif
