#include "chain/certificate.h"

#include "base/check.h"
#include "chain/tx.h"

void certificate_init(struct certificate *c, uint64_t height, uint64_t view,
		      const struct hash *block_hash)
{
	*c = (struct certificate){ .height = height, .view = view, .block_hash = *block_hash };
}

/* How many signers have an index below `validator`. */
static size_t place_of(const struct certificate *c, size_t validator)
{
	size_t place = 0;

	for (size_t i = 0; i < validator / 8; i++)
		place += (size_t)__builtin_popcount(c->signers.bytes[i]);
	for (size_t i = validator / 8 * 8; i < validator; i++)
		place += signer_bits_get(&c->signers, i);
	return place;
}

bool certificate_add(struct certificate *c, size_t validator, const struct signature *signature)
{
	size_t place;

	CHECK(validator < VALIDATOR_COUNT_MAX);
	if (signer_bits_get(&c->signers, validator))
		return false;
	place = place_of(c, validator);
	memmove(&c->signatures[place + 1], &c->signatures[place],
		(c->count - place) * sizeof(*c->signatures));
	c->signatures[place] = *signature;
	c->count++;
	signer_bits_set(&c->signers, validator);
	return true;
}

/* --- encoding --- */

static void put_signatures(struct buf *out, const struct certificate *c)
{
	size_t list;

	rlp_put_bytes(out, bytes_of(c->signers.bytes, sizeof(c->signers.bytes)));
	list = rlp_list_open(out);
	for (size_t i = 0; i < c->count; i++)
		seal_put(out, &c->signatures[i]);
	rlp_list_close(out, list);
}

static void decode_signatures(struct decoder *d, struct rlp_reader *r, struct certificate *c)
{
	struct rlp_reader list;

	decode_fixed(d, r, "signers", c->signers.bytes, sizeof(c->signers.bytes));
	decode_list_counted(d, r, "signatures", VALIDATOR_COUNT_MAX, &list, &c->count);
	for (size_t i = 0; i < c->count; i++)
		seal_decode(d, &list, "signature", &c->signatures[i]);
	if (d->status == OK && place_of(c, VALIDATOR_COUNT_MAX) != c->count)
		decode_fail(d, "signers and signatures differ in number");
}

void certificate_encode(struct buf *out, const struct certificate *c)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, c->height);
	rlp_put_u64(out, c->view);
	rlp_put_hash(out, &c->block_hash);
	put_signatures(out, c);
	rlp_list_close(out, list);
}

int certificate_decode(struct certificate *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "certificate", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct certificate c = { 0 };
	struct rlp_reader r;

	decode_top(&d, &r, rlp);
	decode_u64(&d, &r, "height", &c.height);
	decode_u64(&d, &r, "view", &c.view);
	decode_hash(&d, &r, "block hash", &c.block_hash);
	decode_signatures(&d, &r, &c);
	decode_end(&d, &r);
	if (d.status == OK)
		*out = c;
	return d.status;
}

void certificate_put_signatures(struct buf *out, const struct certificate *c)
{
	size_t list = rlp_list_open(out);

	if (c)
		put_signatures(out, c);
	rlp_list_close(out, list);
}

bool certificate_decode_signatures(struct decoder *d, struct rlp_reader *r,
				   struct certificate *out)
{
	struct rlp_reader list;

	decode_list(d, r, "prepares", &list);
	if (!rlp_reader_more(&list))
		return false;
	decode_signatures(d, &list, out);
	decode_end(d, &list);
	return d->status == OK;
}

/* --- checking --- */

void certificate_digest(const struct certificate *c, enum domain domain, uint64_t chain_id,
			const struct hash *validators_hash, struct hash *out)
{
	struct buf b = { 0 };
	size_t list = seal_open(&b, domain, chain_id);

	rlp_put_hash(&b, validators_hash);
	rlp_put_u64(&b, c->height);
	rlp_put_u64(&b, c->view);
	rlp_put_hash(&b, &c->block_hash);
	seal_close(&b, list, out);
}

int certificate_check_weight(const struct certificate *c, const struct validator_set *set,
			     struct err *err)
{
	struct weight have = validator_set_weight(set, &c->signers);
	struct weight need = validator_set_quorum(set);

	for (size_t i = set->count; i < VALIDATOR_COUNT_MAX; i++)
		if (signer_bits_get(&c->signers, i))
			return ERR_SET(err, CHAIN_E_CERTIFICATE,
				       "certificate: signer %zu of a set of %zu validators", i,
				       set->count);
	if (have.n < need.n)
		return ERR_SET(err, CHAIN_E_CERTIFICATE,
			       "certificate: its signers weigh %llu, a quorum is %llu",
			       (unsigned long long)have.n, (unsigned long long)need.n);
	return OK;
}

size_t certificate_seals(const struct certificate *c, enum domain domain, uint64_t chain_id,
			 const struct validator_set *set, struct seal out[VALIDATOR_COUNT_MAX])
{
	struct hash digest;
	size_t count = 0;

	certificate_digest(c, domain, chain_id, &set->hash, &digest);
	for (size_t i = 0; i < set->count && count < c->count; i++) {
		if (!signer_bits_get(&c->signers, i))
			continue;
		out[count] = (struct seal){
			.digest = digest,
			.signature = c->signatures[count],
			.signer = set->members[i].address,
		};
		count++;
	}
	return count;
}

int certificate_check(const struct certificate *c, enum domain domain, uint64_t chain_id,
		      const struct validator_set *set, const struct ecc *e, struct err *err)
{
	struct seal seals[VALIDATOR_COUNT_MAX];
	int status = certificate_check_weight(c, set, err);
	size_t count;

	if (status != OK)
		return status;
	count = certificate_seals(c, domain, chain_id, set, seals);
	for (size_t i = 0; i < count; i++)
		if (!seal_verify(e, &seals[i]))
			return ERR_SET(err, CHAIN_E_CERTIFICATE,
				       "certificate: signature %zu is not its validator's", i);
	return OK;
}

/* --- checkpoints --- */

void checkpoint_encode(struct buf *out, const struct checkpoint *c)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, c->height);
	rlp_put_hash(out, &c->block_hash);
	rlp_put_u64(out, c->validator);
	seal_put(out, &c->signature);
	rlp_list_close(out, list);
}

int checkpoint_decode(struct checkpoint *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "checkpoint", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct checkpoint c;
	struct rlp_reader r;
	uint64_t validator;

	decode_top(&d, &r, rlp);
	decode_u64(&d, &r, "height", &c.height);
	decode_hash(&d, &r, "block hash", &c.block_hash);
	decode_bounded(&d, &r, "validator", VALIDATOR_COUNT_MAX - 1, &validator);
	seal_decode(&d, &r, "signature", &c.signature);
	decode_end(&d, &r);
	c.validator = (size_t)validator;
	if (d.status == OK)
		*out = c;
	return d.status;
}

void checkpoint_digest(const struct checkpoint *c, uint64_t chain_id,
		       const struct hash *validators_hash, struct hash *out)
{
	struct buf b = { 0 };
	size_t list = seal_open(&b, DOMAIN_CHECKPOINT, chain_id);

	rlp_put_hash(&b, validators_hash);
	rlp_put_u64(&b, c->height);
	rlp_put_hash(&b, &c->block_hash);
	seal_close(&b, list, out);
}

int checkpoint_sign(struct checkpoint *c, uint64_t chain_id, const struct hash *validators_hash,
		    const struct ecc *e, const struct secret_key *key, struct err *err)
{
	struct hash digest;

	checkpoint_digest(c, chain_id, validators_hash, &digest);
	return ecc_sign(e, &c->signature, &digest, key, err);
}

int checkpoint_check(const struct checkpoint *c, uint64_t chain_id,
		     const struct validator_set *set, const struct ecc *e, struct err *err)
{
	struct seal s = { .signature = c->signature };

	if (c->validator >= set->count)
		return ERR_SET(err, CHAIN_E_CERTIFICATE,
			       "checkpoint: validator %zu of a set of %zu", c->validator,
			       set->count);
	s.signer = set->members[c->validator].address;
	checkpoint_digest(c, chain_id, &set->hash, &s.digest);
	if (!seal_verify(e, &s))
		return ERR_SET(err, CHAIN_E_CERTIFICATE,
			       "checkpoint: the signature is not its validator's");
	return OK;
}
