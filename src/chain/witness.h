/*
 * witness - what a validator says that it holds and accepts, as a value
 * (tangle.md R4-R6).
 *
 *   witness = [epoch, validator, round, own previous, seen, parents, hold, late, signature]
 *
 * Signed: [weft/witness, chain id, epoch, …, late]. Its id is the hash of all of
 * it. Shape and bounds only: whether a witness is valid depends on what lies
 * below it. Borrows from the bytes that it was decoded from.
 */
#ifndef WEFT_CHAIN_WITNESS_H
#define WEFT_CHAIN_WITNESS_H

#include "chain/hash_list.h"
#include "chain/seal.h"
#include "chain/validators.h"

#define WITNESS_PARENT_MAX 512
#define WITNESS_HOLD_MAX 512 /* of hold and of late, each */
#define WITNESS_SIZE_MAX (64 * KIB)

struct witness {
	uint64_t epoch;
	size_t validator; /* index in the epoch's set */
	uint64_t round;
	bool has_previous;          /* false for the first of its author in the epoch */
	struct hash own_previous;   /* is a parent too */
	uint64_t seen_height;       /* the highest block that the author has executed */
	struct hash_list parents;   /* vertices and witnesses; none twice */
	struct hash_list hold;      /* spend ids covered but not accepted; none twice */
	struct hash_list late;      /* spend ids accepted though covered before; none twice */
	struct signature signature;
};

void witness_encode(struct buf *out, const struct witness *w);

/* CHAIN_E_BLOCK_FORMAT with the reason; `out` borrows from `rlp`. */
int witness_decode(struct witness *out, struct bytes rlp, struct err *err);

void witness_id(const struct witness *w, struct hash *out);
void witness_digest(const struct witness *w, uint64_t chain_id, struct hash *out);
int witness_sign(struct witness *w, uint64_t chain_id, const struct ecc *e,
		 const struct secret_key *key, struct err *err);

/* The seal, to be verified anywhere (seal_verify). CHAIN_E_MESSAGE if `validator`
 * is no index of the epoch's set. */
int witness_seal(const struct witness *w, uint64_t chain_id, const struct validator_set *set,
		 struct seal *out, struct err *err);

#endif
