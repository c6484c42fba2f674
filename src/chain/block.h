/*
 * block - a header with its transactions and withdrawals, the commitments beside
 * it, and the roots over its lists.
 *
 *   Ethereum's form:  rlp([header, transactions, [], withdrawals])
 *   sealed form:      rlp([Ethereum's form, commitments]): what consensus
 *                     agrees on, logs and sends
 */
#ifndef WEFT_CHAIN_BLOCK_H
#define WEFT_CHAIN_BLOCK_H

#include "chain/header.h"
#include "chain/tx.h"

/* EIP-4895; the amount is in gwei. */
struct withdrawal {
	uint64_t index;
	uint64_t validator_index;
	struct addr address;
	uint64_t amount_gwei;
};

struct block {
	struct header header;
	struct hash hash;          /* of the header */
	struct commitments commitments;
	struct tx **txs;           /* each with a reference of the block's */
	size_t tx_count;
	struct withdrawal *withdrawals;
	size_t withdrawal_count;
};

/* Around Ethereum's form: the commitments and two lists' headers. */
#define BLOCK_SEALED_SIZE_MAX (BLOCK_SIZE_MAX + 1 * KIB)

/* Frees a block's lists and gives back its references; `b` may be zeroed. */
void block_clear(struct block *b);

/* Sealed form, appended; and back. Decoding checks counts and sizes against the
 * protocol's limits before it allocates, that extraData is the commitments'
 * hash, that the timestamp is time_ms in seconds, that the transactions' and
 * withdrawals' roots are the header's, and computes the hash from the bytes
 * received. Senders are not recovered. */
void block_encode_sealed(struct buf *out, const struct block *b);
int block_decode_sealed(struct block *out, struct bytes rlp, struct err *err);

/* Ethereum's form only, for eth tools (debug_getRawBlock, size). */
void block_encode(struct buf *out, const struct block *b);

void withdrawal_encode(struct buf *out, const struct withdrawal *w);

/* The root of Ethereum's ordered trie: keys are rlp(index), values as given.
 * No storage is touched; nodes are hashed in batches. (chain/ordered_trie.c) */
void ordered_root(struct hash *out, const struct bytes values[], size_t count);

/* transactionsRoot over the raw envelopes; withdrawalsRoot. */
void transactions_root(struct hash *out, struct tx *const txs[], size_t count);
void withdrawals_root(struct hash *out, const struct withdrawal w[], size_t count);

#endif
