/*
 * receipt - what a transaction did: status, gas, logs.
 */
#ifndef WEFT_CHAIN_RECEIPT_H
#define WEFT_CHAIN_RECEIPT_H

#include "chain/header.h"
#include "chain/tx.h"

#define LOG_TOPIC_MAX 4

struct log_entry {
	struct addr address;
	size_t topic_count;
	struct hash topics[LOG_TOPIC_MAX];
	struct bytes data; /* a receipt's own stand behind its logs, in one block */
};

struct receipt {
	enum tx_type type;
	bool success;
	uint64_t gas_used;
	uint64_t cumulative_gas_used;
	struct log_entry *logs;
	size_t log_count;
};

/* Frees the logs with their data. */
void receipt_clear(struct receipt *r);

/* Replaces the logs by a copy of `logs` and of the data that they point to. */
void receipt_set_logs(struct receipt *r, const struct log_entry logs[], size_t count);

/* Adds the receipt's addresses and topics. */
void receipt_bloom(const struct receipt *r, struct bloom *bloom);

/* Ethereum's form (EIP-2718 envelope), which receiptsRoot covers; bloom included. */
void receipt_encode(struct buf *out, const struct receipt *r);

/* receiptsRoot over `count` receipts of a block. */
void receipts_root(struct hash *out, const struct receipt receipts[], size_t count);

/* Our stored form: rlp([type, success, gas used, cumulative gas used, logs]). */
void receipt_encode_stored(struct buf *out, const struct receipt *r);
int receipt_decode_stored(struct receipt *out, struct bytes rlp, struct err *err);

#endif
