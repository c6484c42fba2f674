#include "chain/witness.h"

#include "chain/tx.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

static void put_fields(struct buf *out, const struct witness *w)
{
	rlp_put_u64(out, w->epoch);
	rlp_put_u64(out, w->validator);
	rlp_put_u64(out, w->round);
	rlp_put_bytes(out, w->has_previous ? hash_bytes(&w->own_previous) : bytes_of(NULL, 0));
	rlp_put_u64(out, w->seen_height);
	hash_list_encode(out, &w->parents);
	hash_list_encode(out, &w->hold);
	hash_list_encode(out, &w->late);
}

void witness_encode(struct buf *out, const struct witness *w)
{
	size_t list = rlp_list_open(out);

	put_fields(out, w);
	seal_put(out, &w->signature);
	rlp_list_close(out, list);
}

static void decode_previous(struct decoder *d, struct rlp_reader *r, struct witness *w)
{
	struct bytes previous;

	decode_bytes(d, r, "own previous", sizeof(w->own_previous.bytes), &previous);
	if (d->status != OK || previous.size == 0)
		return;
	if (previous.size != sizeof(w->own_previous.bytes)) {
		decode_fail(d, "own previous has %zu bytes, not 32 or none", previous.size);
		return;
	}
	memcpy(w->own_previous.bytes, previous.data, previous.size);
	w->has_previous = true;
}

int witness_decode(struct witness *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "witness", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct witness w = { 0 };
	struct rlp_reader r;
	uint64_t validator;

	if (rlp.size > WITNESS_SIZE_MAX)
		return ERR_SET(err, CHAIN_E_BLOCK_FORMAT, "witness: %zu bytes, %llu are allowed",
			       rlp.size, WITNESS_SIZE_MAX);
	decode_top(&d, &r, rlp);
	decode_u64(&d, &r, "epoch", &w.epoch);
	decode_bounded(&d, &r, "validator", VALIDATOR_COUNT_MAX - 1, &validator);
	w.validator = (size_t)validator;
	decode_u64(&d, &r, "round", &w.round);
	decode_previous(&d, &r, &w);
	decode_u64(&d, &r, "seen", &w.seen_height);
	decode_hash_set(&d, &r, "parents", WITNESS_PARENT_MAX, &w.parents);
	decode_hash_set(&d, &r, "hold", WITNESS_HOLD_MAX, &w.hold);
	decode_hash_set(&d, &r, "late", WITNESS_HOLD_MAX, &w.late);
	seal_decode(&d, &r, "signature", &w.signature);
	decode_end(&d, &r);
	if (d.status == OK && w.has_previous && !hash_list_has(&w.parents, &w.own_previous))
		decode_fail(&d, "own previous is not among the parents");
	if (d.status == OK)
		*out = w;
	return d.status;
}

void witness_id(const struct witness *w, struct hash *out)
{
	struct buf b = { 0 };

	witness_encode(&b, w);
	keccak256(out, buf_bytes(&b));
	buf_clear(&b);
}

void witness_digest(const struct witness *w, uint64_t chain_id, struct hash *out)
{
	struct buf b = { 0 };
	size_t list = seal_open(&b, DOMAIN_WITNESS, chain_id);

	put_fields(&b, w);
	seal_close(&b, list, out);
}

int witness_sign(struct witness *w, uint64_t chain_id, const struct ecc *e,
		 const struct secret_key *key, struct err *err)
{
	struct hash digest;

	witness_digest(w, chain_id, &digest);
	return ecc_sign(e, &w->signature, &digest, key, err);
}

int witness_seal(const struct witness *w, uint64_t chain_id, const struct validator_set *set,
		 struct seal *out, struct err *err)
{
	if (w->validator >= set->count)
		return ERR_SET(err, CHAIN_E_MESSAGE, "witness: validator %zu of a set of %zu",
			       w->validator, set->count);
	witness_digest(w, chain_id, &out->digest);
	out->signature = w->signature;
	out->signer = set->members[w->validator].address;
	return OK;
}
