/*
 * header - the block header, with the 21 fields of Ethereum's Prague at every
 * revision, so that keccak256(rlp(header)) is the block's hash for any Ethereum
 * tool; and the commitments that its extraData stands for.
 */
#ifndef WEFT_CHAIN_HEADER_H
#define WEFT_CHAIN_HEADER_H

#include "base/amount.h"
#include "base/buf.h"
#include "base/err.h"

#define BLOOM_SIZE 256

struct bloom {
	uint8_t bytes[BLOOM_SIZE];
};

/* Fields without a meaning here are not kept: ommersHash (of the empty list),
 * difficulty 0, nonce 0, blobGasUsed 0, excessBlobGas 0, requestsHash
 * (sha256 of nothing). They are written, and refused if different when read. */
struct header {
	struct hash parent_hash;
	struct addr coinbase;          /* the proposer */
	struct hash state_root;
	struct hash transactions_root;
	struct hash receipts_root;
	struct bloom logs_bloom;
	uint64_t height;               /* `number` */
	uint64_t gas_limit;
	uint64_t gas_used;
	uint64_t timestamp;            /* seconds; ⌊commitments.time_ms / 1000⌋ */
	struct hash extra_data;        /* keccak256 of the commitments' RLP */
	struct hash mix_hash;          /* keccak256(parent's mixHash ‖ height as 8 bytes): predictable */
	struct wei base_fee;
	struct hash withdrawals_root;
	struct hash parent_beacon_root; /* the parent's extraData; in genesis, the parameters' hash */
};

void header_encode(struct buf *out, const struct header *h);
int header_decode(struct header *out, struct bytes rlp, struct err *err);
void header_hash(const struct header *h, struct hash *out);

/* The mixHash that follows from the parent's. */
void header_next_mix(struct hash *out, const struct hash *parent_mix, uint64_t height);

#define EMPTY_TRIE_ROOT_HEX "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
#define EMPTY_CODE_HASH_HEX "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
extern const struct hash header_empty_trie_root;  /* keccak256(rlp("")) */
extern const struct hash header_empty_code_hash;  /* keccak256("") */
extern const struct hash header_empty_ommers_hash;/* keccak256(rlp([])) */

/* What a block commits to beside its header, stored next to it and part of proofs. */
#define COMMITMENTS_VERSION 1
struct commitments {
	uint64_t time_ms;               /* chain time, milliseconds since 1970 */
	struct hash validators_hash;    /* the set that agreed on this block */
	struct hash next_validators_hash;
	struct hash history_root;       /* Merkle mountain range over all earlier block hashes */
	uint64_t milestone_index;
	struct hash witnesses_root;     /* zero while no milestone is named */
	struct hash confirmed_root;
	uint64_t confirmed_count;
};

void commitments_encode(struct buf *out, const struct commitments *c);
int commitments_decode(struct commitments *out, struct bytes rlp, struct err *err);
void commitments_hash(const struct commitments *c, struct hash *out);

#endif
