/*
 * tx - Ethereum transactions as values: legacy (type 0, with or without
 * EIP-155), EIP-2930 (type 1), EIP-1559 (type 2), EIP-7702 (type 4). EIP-4844's
 * (type 3, blobs) is not part of this chain: tx_decode() refuses it; only test
 * runners take it, with tx_decode_any().
 *
 * A transaction is decoded once and then only read. It keeps the bytes that it
 * came in, `data` and `access_list` point into them, and its hash is the hash
 * of those bytes. It is counted: pool, block and query hold it at the same time,
 * on several threads; tx_ref() and tx_unref() are atomic.
 */
#ifndef WEFT_CHAIN_TX_H
#define WEFT_CHAIN_TX_H

#include <stdatomic.h>

#include "base/amount.h"
#include "base/buf.h"
#include "base/err.h"
#include "chain/params.h"
#include "crypto/ecc.h"

enum chain_error {
	CHAIN_E_TX_TYPE = ERR_BASE_CHAIN, /* a type that does not exist here */
	CHAIN_E_TX_FORMAT,                /* not the RLP of a transaction of its type */
	CHAIN_E_TX_SIGNATURE,             /* v, r or s out of range, s in the upper half, or recovers nothing */
	CHAIN_E_TX_SIZE,                  /* longer than the caller allows */
	CHAIN_E_TX_VALUE,                 /* decodes, but can't be valid on any chain (tx_check) */
	CHAIN_E_TX_CHAIN_ID,              /* signed for another chain */
	CHAIN_E_BLOCK_FORMAT,             /* not the RLP of a header, block, receipt, certificate, … */
	CHAIN_E_BLOCK_LIMIT,              /* too large, or too many parts */
	CHAIN_E_GENESIS,                  /* a genesis file that is wrong or contradicts itself */
	CHAIN_E_CERTIFICATE,              /* not proven by a quorum */
	CHAIN_E_MESSAGE,                  /* a consensus message that is malformed or wrongly signed */
};

enum tx_type {
	TX_LEGACY = 0,
	TX_ACCESS_LIST = 1, /* EIP-2930 */
	TX_DYNAMIC_FEE = 2, /* EIP-1559 */
	TX_BLOB = 3,        /* EIP-4844; tx_decode_any() alone gives one */
	TX_SET_CODE = 4,    /* EIP-7702 */
};

struct tx {
	atomic_uint refs;
	enum tx_type type;
	bool has_chain_id; /* false only for a legacy transaction from before EIP-155 */
	bool is_create;    /* `to` is empty */
	bool has_sender;   /* tx_recover() has succeeded */
	uint64_t chain_id;
	uint64_t nonce;
	uint64_t gas_limit;
	struct wei max_fee;          /* per gas; gasPrice of types 0 and 1 */
	struct wei max_priority_fee; /* per gas; equal to max_fee for types 0 and 1 */
	struct wei value;
	struct addr to;
	struct addr sender;
	struct bytes data;
	struct bytes access_list;    /* the RLP items of the list, well formed; see tx_access_next() */
	size_t access_addr_count;
	size_t access_slot_count;
	struct bytes authorizations; /* likewise; see tx_authorization_next() */
	size_t authorization_count;
	struct bytes blob_hashes;    /* blob_count × 33 bytes of RLP */
	size_t blob_count;
	struct wei max_blob_fee;     /* per blob gas */
	struct signature sig;
	struct hash hash;
	struct bytes raw;            /* the envelope as it came (EIP-2718) */
};

/* Decodes one envelope of at most `size_max` bytes and copies it. Everything that
 * is wrong with the bytes alone is found here: shape, canonical numbers, ranges
 * of v, r and s (EIP-2: low s), trailing bytes. The sender is not yet known.
 * On success `*out` has one reference. One allocation, of about the raw size. */
int tx_decode(struct tx **out, struct bytes raw, size_t size_max, struct err *err);

/* The same, and type 3 too: to execute public test files. */
int tx_decode_any(struct tx **out, struct bytes raw, size_t size_max, struct err *err);

/* Finds the sender (about 45 µs). Call before the transaction is shared. */
int tx_recover(const struct ecc *e, struct tx *t, struct err *err);

struct tx *tx_ref(struct tx *t);
void tx_unref(struct tx *t); /* NULL is allowed */

/* What every chain asks of a transaction beyond its bytes: gas limit × price
 * fits 256 bits, priority fee ≤ fee, nonce < 2^64-1 (EIP-2681), init code
 * ≤ INITCODE_SIZE_MAX, type 4 from Prague on only, gas limit ≥ tx_intrinsic_gas() and, from Osaka on,
 * ≤ TX_GAS_LIMIT_MAX; and of its chain id, if it has one, that it is `chain_id`.
 * The messages are the ones that clients match ("intrinsic gas too low: …"). */
int tx_check(const struct tx *t, const struct chain_params *params, struct err *err);

/* Gas that is due before the first step runs; for Prague and later the larger of
 * that and the floor of EIP-7623. */
uint64_t tx_intrinsic_gas(const struct tx *t, enum revision revision);

/* Its two parts: what is taken before the first step, and the floor below which
 * the gas used can't fall (EIP-7623; 0 before Prague). */
uint64_t tx_base_gas(const struct tx *t);
uint64_t tx_floor_gas(const struct tx *t, enum revision revision);

/* The price per gas that is paid at a base fee: min(max_fee, base_fee + max_priority_fee).
 * False if max_fee < base_fee. */
bool tx_effective_price(const struct tx *t, struct wei base_fee, struct wei *out);

/* gas_limit · max_fee + value: what the sender must have. False if that needs more
 * than 256 bits, which nobody has. */
bool tx_max_cost(const struct tx *t, struct wei *out);

/* The digest that was signed. */
void tx_signing_hash(const struct tx *t, struct hash *out);

/* Walks the access list: start with *rest = t->access_list; false at the end.
 * `slots` are slot_count × 33 bytes of RLP; slot i is at slots.data + 33·i + 1. */
bool tx_access_next(struct bytes *rest, struct addr *address, struct bytes *slots, size_t *slot_count);

/* An authorization of EIP-7702: its signer's account gets code that names `address`. */
struct authorization {
	struct u256 chain_id; /* 0: any chain */
	struct addr address;
	uint64_t nonce;
	struct u256 y_parity;
	struct u256 r, s;
};

/* Walks the authorizations, as tx_access_next() does. */
bool tx_authorization_next(struct bytes *rest, struct authorization *out);

/* Who signed it; CHAIN_E_TX_SIGNATURE if nobody did (then it has no effect). */
int tx_authorization_signer(struct addr *out, const struct ecc *e, const struct authorization *a,
			    struct err *err);

/* EIP-7702: code that only names another account, whose code is run instead: 0xef0100 and
 * its address. */
#define TX_DELEGATION_SIZE 23

static inline void tx_put_delegation(uint8_t out[TX_DELEGATION_SIZE], const struct addr *to)
{
	out[0] = 0xef;
	out[1] = 0x01;
	out[2] = 0x00;
	memcpy(out + 3, to->bytes, sizeof(to->bytes));
}

/* True if `code` is such; *to is then the account. */
static inline bool tx_read_delegation(struct bytes code, struct addr *to)
{
	if (code.size != TX_DELEGATION_SIZE || load_be32(code.data) >> 8 != 0xef0100)
		return false;
	memcpy(to->bytes, code.data + 3, sizeof(to->bytes));
	return true;
}

/* Appends a signed authorization's RLP. */
int tx_put_authorization(struct buf *out, const struct ecc *e, uint64_t chain_id,
			 const struct addr *address, uint64_t nonce, const struct secret_key *key,
			 struct err *err);

/* Signs a new transaction from the fields of `unsigned_tx` (type to authorizations;
 * raw, hash, sig and sender are ignored). */
int tx_sign(struct tx **out, const struct ecc *e, const struct tx *unsigned_tx,
	    const struct secret_key *key, struct err *err);

/* The address that a creation by `sender` with `nonce` gets. */
void tx_create_address(struct addr *out, const struct addr *sender, uint64_t nonce);

#endif
