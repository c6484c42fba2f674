/*
 * certificate - the proof that a quorum voted for one block: which members
 * signed, and their signatures, in the order of their indexes.
 *
 * Of commits it makes the block final; of prepares it is what a view-change
 * carries. Signers are bits, so none can count twice. A certificate is a plain
 * value of about 17 KiB; nothing in it is owned elsewhere.
 *
 *   rlp([height, view, block hash, signers, [signature, …]])
 *
 * `signers` are 32 bytes: bit i % 8 of byte i / 8 stands for member i.
 */
#ifndef WEFT_CHAIN_CERTIFICATE_H
#define WEFT_CHAIN_CERTIFICATE_H

#include "chain/seal.h"
#include "chain/validators.h"

struct certificate {
	uint64_t height;
	uint64_t view;
	struct hash block_hash;
	struct signer_bits signers;
	size_t count; /* bits set in signers */
	struct signature signatures[VALIDATOR_COUNT_MAX]; /* `count`, by rising index */
};

/* Empty, for votes on one block. */
void certificate_init(struct certificate *c, uint64_t height, uint64_t view,
		      const struct hash *block_hash);

/* Adds a member's signature in its place; false if it is there already. */
bool certificate_add(struct certificate *c, size_t validator, const struct signature *signature);

void certificate_encode(struct buf *out, const struct certificate *c);
int certificate_decode(struct certificate *out, struct bytes rlp, struct err *err);

/* The signers and signatures alone, where a message says the rest: "[]" or
 * [signers, [signature, …]]. Decoding leaves height, view and hash as they are. */
void certificate_put_signatures(struct buf *out, const struct certificate *c); /* NULL: "[]" */
bool certificate_decode_signatures(struct decoder *d, struct rlp_reader *r,
				   struct certificate *out); /* false for "[]" */

/* What each signer signed: domain is DOMAIN_COMMIT or DOMAIN_PREPARE. */
void certificate_digest(const struct certificate *c, enum domain domain, uint64_t chain_id,
			const struct hash *validators_hash, struct hash *out);

/* OK if all signers are members of `set` and weigh at least its quorum. Looks at
 * no signature. CHAIN_E_CERTIFICATE says what is missing. */
int certificate_check_weight(const struct certificate *c, const struct validator_set *set,
			     struct err *err);

/* The certificate's seals, to be verified anywhere; returns how many. The weight
 * must have been checked. */
size_t certificate_seals(const struct certificate *c, enum domain domain, uint64_t chain_id,
			 const struct validator_set *set, struct seal out[VALIDATOR_COUNT_MAX]);

/* All of it: OK if members of `set` that weigh a quorum have signed.
 * CHAIN_E_CERTIFICATE with the reason. About 45 µs a signature. */
int certificate_check(const struct certificate *c, enum domain domain, uint64_t chain_id,
		      const struct validator_set *set, const struct ecc *e, struct err *err);

/* --- checkpoints --- */

/* One validator's word that a block is final; a device counts them.
 *   rlp([height, hash, validator, signature])
 * signed: [weft/checkpoint, chain id, validators hash, height, hash] */
struct checkpoint {
	uint64_t height;
	struct hash block_hash;
	size_t validator; /* index in the set of that height */
	struct signature signature;
};

void checkpoint_encode(struct buf *out, const struct checkpoint *c);
int checkpoint_decode(struct checkpoint *out, struct bytes rlp, struct err *err);
void checkpoint_digest(const struct checkpoint *c, uint64_t chain_id,
		       const struct hash *validators_hash, struct hash *out);
int checkpoint_sign(struct checkpoint *c, uint64_t chain_id, const struct hash *validators_hash,
		    const struct ecc *e, const struct secret_key *key, struct err *err);

/* CHAIN_E_CERTIFICATE if `validator` is no index of `set` or did not sign. */
int checkpoint_check(const struct checkpoint *c, uint64_t chain_id,
		     const struct validator_set *set, const struct ecc *e, struct err *err);

#endif
