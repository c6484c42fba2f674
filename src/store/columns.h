/*
 * columns - everything that the database holds, one key prefix each.
 * Heights, indexes and positions in keys are big-endian, so that order is order.
 *
 *   "tip"      rlp([height, hash, next withdrawal index])
 *   "flushed"  rlp(height)
 *   HEADER     rlp([header, commitments, withdrawals, tx count, size, certificate, log section,
 *                   log rows, checksum])
 *   TX         rlp([sender, raw transaction, stored receipt])
 *   HISTORY    to be searched in place (store_history.c)
 *   LOG        which transactions of a block have a term in their logs (store_log.h)
 */
#ifndef WEFT_STORE_COLUMNS_H
#define WEFT_STORE_COLUMNS_H

/* The database's own version; raised by any change of what stands below, or in
 * the logs. A directory of another version is refused. */
#define DATABASE_VERSION 4

/*     name            letter  key                    value */
#define STORE_COLUMNS(X) \
	X(META,           'm') /* name                   "tip", "flushed" */ \
	X(HEADER,         'h') /* height                 a block without its transactions */ \
	X(HEADER_HASH,    'H') /* block hash             height */ \
	X(TX,             't') /* height, index          sender, transaction, receipt */ \
	X(TX_HASH,        'T') /* transaction hash       height, index */ \
	X(ACCOUNT,        'a') /* address                flat account */ \
	X(SLOT,           's') /* address, slot          value, big-endian, no leading zeros */ \
	X(CODE,           'c') /* code hash              code */ \
	X(LOG,            'l') /* section (4), term (6), height (5)   transactions, first logs */ \
	X(HISTORY,        'r') /* height                 the values from before the block */ \
	X(NODE,           'n') /* 0 or (1, owner), path  trie node, RLP */ \
	X(MMR,            'p') /* position               node of the history range, 32 bytes */ \
	X(EVIDENCE,       'e') /* height, id             checksum (CRC-32C), what proves it */ \
	X(EPOCH,          'E') /* 2^64 - 1 - first height   checksum (CRC-32C), epoch (chain/epoch.h) */

/* EPOCH's keys fall as heights rise, so that the epoch of a height is the first one found
 * from there on. */

/* A header's checksum is the CRC-32C of its other fields and of the block's TX
 * values, continued from its parent's: what a batch wrote can be read again and
 * compared, and a batch that is missing or of another chain breaks it. */

enum store_column {
#define X(name, letter) COLUMN_##name = letter,
	STORE_COLUMNS(X)
#undef X
};

#endif
