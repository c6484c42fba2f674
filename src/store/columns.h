/*
 * columns - everything that the database holds, one key prefix each.
 * Heights, indexes and positions in keys are big-endian, so that order is order.
 */
#ifndef WEFT_STORE_COLUMNS_H
#define WEFT_STORE_COLUMNS_H

/* The database's own version; raised by any change of what stands below. A
 * directory of another version is refused. */
#define DATABASE_VERSION 1

/*     name            letter  key                    value */
#define STORE_COLUMNS(X) \
	X(META,           'm') /* name                   database version, genesis hash, tip, flushed height */ \
	X(HEADER,         'h') /* height                 rlp([header, commitments, withdrawals, tx count, certificate, batch hash]) */ \
	X(HEADER_HASH,    'H') /* block hash             height */ \
	X(TX,             't') /* height, index          rlp([sender, raw transaction, stored receipt]) */ \
	X(TX_HASH,        'T') /* transaction hash       height, index */ \
	X(ACCOUNT,        'a') /* address                flat account */ \
	X(SLOT,           's') /* address, slot          value, big-endian, no leading zeros */ \
	X(CODE,           'c') /* code hash              code */ \
	X(HISTORY,        'r') /* height                 the block's reverse difference */ \
	X(NODE,           'n') /* owner, path            trie node, RLP */ \
	X(MMR,            'p') /* position               node of the history range, 32 bytes */

enum store_column {
#define X(name, letter) COLUMN_##name = letter,
	STORE_COLUMNS(X)
#undef X
};

#endif
