/*
 * vertex - a device's transaction in the tangle, as a value (tangle.md R1-R3).
 *
 *   vertex = [core, parents, ticket]
 *   core   = [version, chain id, sequence, prev, expiry, payload, scheme, key, signature]
 *
 *   spend id   hash of the core without its signature, with the issuer: what
 *              votes, conflicts, evidence, results and proofs name
 *   vertex id  hash of all of it: what edges name
 *
 * The signature covers the core, the ticket's work covers everything: attaching
 * a core again elsewhere, or working for it again, makes another vertex of the
 * same spend. Here are shape and bounds only; what a vertex may do is decided
 * where state is.
 *
 * A vertex borrows from the bytes that it was decoded from; it owns nothing and
 * needs no allocation, so that a device can use the same code.
 */
#ifndef WEFT_CHAIN_VERTEX_H
#define WEFT_CHAIN_VERTEX_H

#include "base/amount.h"
#include "chain/hash_list.h"
#include "crypto/ecc.h"

#define VERTEX_VERSION 1
#define VERTEX_PARENT_MAX 16
#define VERTEX_DATA_MAX 4096
#define VERTEX_SIZE_MAX (VERTEX_DATA_MAX + 1024)
#define VERTEX_KEY_SIZE 64       /* x ‖ y, uncompressed */
#define VERTEX_SIGNATURE_SIZE 64 /* r ‖ s */

enum vertex_payload {
	VERTEX_TRANSFER = 1, /* [1, to, amount in wei]: from lane to lane */
	VERTEX_WITHDRAW = 2, /* [2, amount in gwei]: to the issuer's main balance */
	VERTEX_DATA = 3,     /* [3, data]: moves nothing, costs no state */
};

enum vertex_scheme {
	VERTEX_SECP256K1 = 1,
	VERTEX_P256 = 2,     /* secure elements */
	/* 3 is kept for a hash-based scheme, and refused until there is one. */
};

enum vertex_ticket {
	TICKET_STAKE = 1, /* [1]: from the lane's quota */
	TICKET_WORK = 2,  /* [2, nonce]: SHA-256 hashcash over the vertex */
};

struct vertex {
	uint64_t chain_id;
	uint64_t sequence;  /* from 1 for spends; 0 for data */
	struct hash prev;   /* spend id at sequence - 1, zero at sequence 1; data has none */
	uint64_t expiry_ms; /* chain time */
	enum vertex_payload payload;
	struct addr to;          /* transfer */
	struct wei amount;       /* transfer; below 2^128 */
	uint64_t amount_gwei;    /* withdraw */
	struct bytes data;       /* data; borrowed */
	enum vertex_scheme scheme;
	uint8_t key[VERTEX_KEY_SIZE];
	uint8_t signature[VERTEX_SIGNATURE_SIZE];
	struct hash_list parents; /* 1 - VERTEX_PARENT_MAX, none twice; borrowed */
	enum vertex_ticket ticket;
	uint64_t work_nonce;
};

void vertex_encode(struct buf *out, const struct vertex *v);

/* CHAIN_E_BLOCK_FORMAT with the reason; `out` borrows from `rlp`. */
int vertex_decode(struct vertex *out, struct bytes rlp, struct err *err);

static inline bool vertex_is_spend(const struct vertex *v)
{
	return v->payload != VERTEX_DATA;
}

/* The issuer's address: of a secp256k1 key Ethereum's; of any other key the last
 * 20 bytes of keccak256(scheme ‖ key), so that no two schemes share one. */
void vertex_issuer(const struct vertex *v, struct addr *out);

void vertex_id(const struct vertex *v, struct hash *out);
void vertex_spend_id(const struct vertex *v, struct hash *out);

/* What the key signs: [weft/vertex, chain id, core without chain id and signature]. */
void vertex_digest(const struct vertex *v, struct hash *out);

/* Signs with a secp256k1 key: fills scheme, key and signature. */
int vertex_sign(struct vertex *v, const struct ecc *e, const struct secret_key *key,
		struct err *err);

/* True if the signature is the key's. Of secp256k1 only: false for other schemes,
 * which the caller verifies over vertex_digest(). About 40 µs. */
bool vertex_verify(const struct vertex *v, const struct ecc *e);

/* The work in it: leading zero bits of sha256(rlp(vertex)). */
unsigned vertex_work_bits(const struct vertex *v);

#endif
