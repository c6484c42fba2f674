/*
 * forms - the JSON forms of chain values, field by field as geth writes them, so
 * that every client reads them. Fields without a meaning here have the value
 * that they have in the header's RLP.
 *
 * Members of an object stand in the order of geth's replies.
 */
#ifndef WEFT_RPC_FORMS_H
#define WEFT_RPC_FORMS_H

#include "codec/hex.h"
#include "json/json.h"
#include "rpc/backend.h"

/* Where a transaction was mined; what receipts and logs say of its block. */
struct form_place {
	struct hash block_hash;
	uint64_t height;
	uint64_t timestamp;
	struct wei base_fee;
};

static inline struct form_place form_place_of(const struct rpc_block *b)
{
	return (struct form_place){ b->hash, b->header.height, b->header.timestamp,
				    b->header.base_fee };
}

void form_hash(struct jout *j, const struct hash *h);
void form_addr(struct jout *j, const struct addr *a);

/* An address with the capitals of EIP-55, NUL-terminated: where geth names
 * accounts by it. */
char *form_checksummed(char out[HEX_ADDR_SIZE], const struct addr *a);

void form_u256(struct jout *j, const struct u256 *v);
void form_wei(struct jout *j, struct wei v);

/* A member and its value. */
void form_key_hash(struct jout *j, const char *key, const struct hash *h);
void form_key_addr(struct jout *j, const char *key, const struct addr *a);
void form_key_wei(struct jout *j, const char *key, struct wei v);
void form_key_quantity(struct jout *j, const char *key, uint64_t v);
void form_key_data(struct jout *j, const char *key, struct bytes data);

/* A member and an access list, whose RLP items `list` are (struct tx). */
void form_key_access_list(struct jout *j, const char *key, struct bytes list);

/* The members of a block's object before and behind `transactions`, whose value
 * the caller writes in between. */
void form_block_head(struct jout *j, const struct rpc_block *b);
void form_block_tail(struct jout *j, const struct rpc_block *b);

/* A transaction; `place` NULL for one that waits, whose block is null. */
void form_tx(struct jout *j, const struct tx *t, const struct form_place *place, uint32_t index);

/* Log `k` of a transaction. */
void form_log(struct jout *j, const struct rpc_tx *t, const struct form_place *place, size_t k);

/* A receipt with its logs. */
void form_receipt(struct jout *j, const struct rpc_tx *t, const struct form_place *place);

/* `signature`: r ‖ s ‖ recovery id, 65 bytes. */
void form_seal(struct jout *j, const struct signature *s);

/* Members of a validator's object: index, address, weight. */
void form_member(struct jout *j, const struct validator_set *set, size_t index);

void form_commitments(struct jout *j, const struct commitments *c);

#endif
