#include "chain/seal.h"

#include "crypto/keccak.h"

bool seal_verify(const struct ecc *e, const struct seal *s)
{
	struct addr signer;

	return ecc_s_is_low(s->signature.s) &&
	       ecc_recover_address(e, &signer, &s->digest, &s->signature, NULL) == OK &&
	       addr_equal(&signer, &s->signer);
}

void seal_put(struct buf *out, const struct signature *signature)
{
	uint8_t joined[SEAL_SIZE];

	memcpy(joined, signature->r, 32);
	memcpy(joined + 32, signature->s, 32);
	joined[64] = signature->recovery_id;
	rlp_put_bytes(out, bytes_of(joined, sizeof(joined)));
}

void seal_decode(struct decoder *d, struct rlp_reader *r, const char *field,
		 struct signature *out)
{
	uint8_t joined[SEAL_SIZE];

	decode_fixed(d, r, field, joined, sizeof(joined));
	memcpy(out->r, joined, 32);
	memcpy(out->s, joined + 32, 32);
	out->recovery_id = joined[64];
	if (d->status == OK && (out->recovery_id > 1 || !ecc_s_is_low(out->s)))
		decode_fail(d, "%s has its recovery id or s out of range", field);
}

size_t seal_open(struct buf *out, enum domain domain, uint64_t chain_id)
{
	size_t list = rlp_list_open(out);

	rlp_put_bytes(out, bytes_of_str(domain_text(domain)));
	rlp_put_u64(out, chain_id);
	return list;
}

void seal_close(struct buf *out, size_t list, struct hash *digest)
{
	rlp_list_close(out, list);
	keccak256(digest, buf_bytes(out));
	buf_clear(out);
}
