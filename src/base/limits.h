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
#define LIMIT_RPC_GAS_CAP 50000000ull  /* of a call that changes nothing (as geth) */
#define LIMIT_RPC_EVM_TIMEOUT_MS 5000 /* likewise */
#define LIMIT_RPC_LOG_COUNT 10000       /* logs that one eth_getLogs gives */
#define LIMIT_RPC_LOG_BLOCK_COUNT 5000ull /* blocks that one without address and topic reads */
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
#define LIMIT_CONSENSUS_LOG_SIZE (64 * MIB) /* of what is signed at one height; four records, if that is more */
#define LIMIT_ACCOUNT_CACHE_COUNT 262144ull
#define LIMIT_SLOT_CACHE_COUNT 262144ull
#define LIMIT_CODE_CACHE_COUNT 4096ull
#define LIMIT_CODE_CACHE_SIZE (64 * MIB)
#define LIMIT_VM_CODE_SIZE (64 * MIB)   /* decoded code of the executor of blocks */
#define LIMIT_VM_CALL_CODE_SIZE (16 * MIB) /* likewise, of one for calls */
#define LIMIT_PAST_VIEW_SIZE (256 * MIB) /* memory of one view of a past state */
#define LIMIT_TRIE_NODE_SIZE (512 * MIB) /* memory of loaded trie nodes before clean ones go */

/* Peers. */
#define LIMIT_P2P_SESSION_COUNT 128     /* connections, those before their hello included */
#define LIMIT_P2P_HANDSHAKE_COUNT 32    /* inbound connections before their hello */
#define LIMIT_P2P_STRANGER_COUNT 32     /* inbound sessions of peers on no list */
#define LIMIT_P2P_GROUP_COUNT 8         /* of those, and of handshakes, in one /24 or /48 */
#define LIMIT_P2P_STATIC_COUNT 128      /* peers to dial */
#define LIMIT_P2P_ALLOWED_COUNT 1024    /* peers that are always taken */
#define LIMIT_P2P_SCORE_COUNT 1024      /* peers and addresses whose offences are remembered */
#define LIMIT_P2P_READ_SIZE (64 * KIB)  /* handed to a session at once */
#define LIMIT_P2P_WINDOW_SIZE (256 * KIB) /* given to a socket and not yet sent, beside one frame */
#define LIMIT_P2P_INPUT_SIZE (128 * MIB)  /* unfinished frames of all sessions */
#define LIMIT_P2P_CONSENSUS_QUEUE_SIZE (32 * MIB) /* waiting for one peer; beyond: it is dropped */
#define LIMIT_P2P_BLOCKS_QUEUE_SIZE (20 * MIB)    /* beyond: the answer is dropped */
#define LIMIT_P2P_GOSSIP_QUEUE_SIZE (8 * MIB)     /* beyond: the batch is dropped */
#define LIMIT_P2P_KNOWN_COUNT 65536     /* transactions remembered, twice */
#define LIMIT_P2P_HANDSHAKE_MS 5000     /* from the connection to a good hello */

static_assert(LIMIT_P2P_HANDSHAKE_COUNT + LIMIT_P2P_STRANGER_COUNT < LIMIT_P2P_SESSION_COUNT,
	      "strangers leave room for those who are always taken");
static_assert(LIMIT_TX_SIZE < LIMIT_POOL_SIZE, "the pool holds the largest transaction");
static_assert(LIMIT_TX_SIZE * 2 + 4096 < LIMIT_RPC_BODY_SIZE, "a transaction in hex fits one request");
static_assert(LIMIT_POOL_FUTURE_COUNT < LIMIT_POOL_COUNT, "future transactions never fill the pool");
static_assert(LIMIT_UNSYNCED_BLOCK_COUNT <= LIMIT_FLUSH_BLOCK_COUNT,
	      "the commit log reaches back to the last flush");

#endif
