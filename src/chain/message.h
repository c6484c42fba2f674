/*
 * message - the four messages of consensus (design §5; Castro and Liskov 1999),
 * as values.
 *
 *   kind          after [kind, height, view, validator, signature,     signed, after
 *                                                                 [domain, chain id, set,
 *                                                                  height, view,
 *   PRE-PREPARE   block hash, block, [view-change, …], prepares]     block hash]
 *   PREPARE       block hash]                                        block hash]
 *   COMMIT        block hash]                                        block hash]
 *   VIEW-CHANGE   prepared, prepares, block]                         prepared]
 *
 *   prepared:  [] or [prepared view, prepared hash]
 *   prepares:  [] or [signers, [signature, …]]: a certificate whose height, view
 *              and hash the message says already
 *   embedded view-change:  [validator, signature, prepared]; height and view are
 *              the pre-prepare's
 *
 * What could contradict itself is not written twice. An embedded view-change
 * leaves out its block and its prepares: its signature covers only the claim,
 * and of all claims only the highest decides anything; the pre-prepare carries
 * the prepares for that one.
 *
 * "Validator" is the sender's index in the set of that height. A message owns
 * what it points to; message_clear() ends it.
 */
#ifndef WEFT_CHAIN_MESSAGE_H
#define WEFT_CHAIN_MESSAGE_H

#include "chain/block.h"
#include "chain/certificate.h"

enum message_kind {
	MESSAGE_PRE_PREPARE = 1,
	MESSAGE_PREPARE = 2,
	MESSAGE_COMMIT = 3,
	MESSAGE_VIEW_CHANGE = 4,
};

/* PREPARE and COMMIT. */
struct vote {
	enum message_kind kind;
	uint64_t height;
	uint64_t view;
	size_t validator;
	struct hash block_hash;
	struct signature signature;
};

struct view_change {
	uint64_t height;
	uint64_t view; /* the one that is asked for; at least 1 */
	size_t validator;
	bool has_prepared;
	uint64_t prepared_view; /* below view */
	struct hash prepared_hash;
	struct certificate *prepares; /* the claim's proof; NULL without one, and when embedded */
	struct buf block;             /* its sealed form; empty when prepares is NULL */
	struct signature signature;
};

struct pre_prepare {
	uint64_t height;
	uint64_t view;
	size_t validator;
	struct hash block_hash;
	struct buf block; /* sealed form */
	struct view_change *view_changes; /* by rising validator; none in view 0 */
	size_t view_change_count;
	struct certificate *prepares; /* of the highest claim among them; NULL if there is none */
	struct signature signature;
};

struct message {
	enum message_kind kind;
	union {
		struct vote vote;
		struct view_change view_change;
		struct pre_prepare pre_prepare;
	};
};

/* One encoded message is at most this long. */
#define MESSAGE_SIZE_MAX (BLOCK_SEALED_SIZE_MAX + 64 * KIB)

void message_clear(struct message *m);

void message_encode(struct buf *out, const struct message *m);

/* CHAIN_E_MESSAGE with the reason. Bounded by MESSAGE_SIZE_MAX before anything is
 * allocated; copies. The block inside is not looked into. */
int message_decode(struct message *out, struct bytes rlp, struct err *err);

uint64_t message_height(const struct message *m);
uint64_t message_view(const struct message *m);
size_t message_validator(const struct message *m);
const struct signature *message_signature(const struct message *m);

/* The hash that the message is about; the prepared one of a view-change, or
 * NULL if it claims none. */
const struct hash *message_block_hash(const struct message *m);

/* What the sender signs. */
void message_digest(const struct message *m, uint64_t chain_id,
		    const struct hash *validators_hash, struct hash *out);
int message_sign(struct message *m, uint64_t chain_id, const struct hash *validators_hash,
		 const struct ecc *e, const struct secret_key *key, struct err *err);

/* What the set decides, short of signatures and of whose turn it is: indexes are
 * members', certificates inside weigh a quorum, and in a view above 0 the
 * view-changes do, claim no two hashes for one view, and the block is the one of
 * the highest claim. CHAIN_E_MESSAGE with the reason. */
int message_check(const struct message *m, const struct validator_set *set, struct err *err);

/* Every signature in it, to be verified anywhere; returns how many. The message
 * must have passed message_check(). out[0] is the sender's. */
#define MESSAGE_SEAL_MAX (1 + 2 * VALIDATOR_COUNT_MAX)
size_t message_seals(const struct message *m, uint64_t chain_id, const struct validator_set *set,
		     struct seal out[MESSAGE_SEAL_MAX]);

/* message_check() and all signatures, about 45 µs each. */
int message_verify(const struct message *m, uint64_t chain_id, const struct validator_set *set,
		   const struct ecc *e, struct err *err);

#endif
