#include "chain/vertex.h"

#include "base/check.h"
#include "chain/seal.h"
#include "chain/tx.h"
#include "codec/rlp.h"
#include "crypto/kdf.h"
#include "crypto/keccak.h"

/* --- encoding --- */

static void put_payload(struct buf *out, const struct vertex *v)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, (uint64_t)v->payload);
	switch (v->payload) {
	case VERTEX_TRANSFER:
		rlp_put_addr(out, &v->to);
		rlp_put_u256(out, &v->amount.n);
		break;
	case VERTEX_WITHDRAW:
		rlp_put_u64(out, v->amount_gwei);
		break;
	case VERTEX_DATA:
		rlp_put_bytes(out, v->data);
		break;
	}
	rlp_list_close(out, list);
}

/* The core between chain id and signature. */
static void put_core_middle(struct buf *out, const struct vertex *v)
{
	rlp_put_u64(out, v->sequence);
	rlp_put_bytes(out, vertex_is_spend(v) ? hash_bytes(&v->prev) : bytes_of(NULL, 0));
	rlp_put_u64(out, v->expiry_ms);
	put_payload(out, v);
	rlp_put_u64(out, (uint64_t)v->scheme);
	rlp_put_bytes(out, bytes_of(v->key, sizeof(v->key)));
}

static void put_ticket(struct buf *out, const struct vertex *v)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, (uint64_t)v->ticket);
	if (v->ticket == TICKET_WORK)
		rlp_put_u64(out, v->work_nonce);
	rlp_list_close(out, list);
}

void vertex_encode(struct buf *out, const struct vertex *v)
{
	size_t list = rlp_list_open(out), core = rlp_list_open(out);

	rlp_put_u64(out, VERTEX_VERSION);
	rlp_put_u64(out, v->chain_id);
	put_core_middle(out, v);
	rlp_put_bytes(out, bytes_of(v->signature, sizeof(v->signature)));
	rlp_list_close(out, core);
	hash_list_encode(out, &v->parents);
	put_ticket(out, v);
	rlp_list_close(out, list);
}

/* --- decoding --- */

static void decode_payload(struct decoder *d, struct rlp_reader *r, struct vertex *v)
{
	struct rlp_reader list;
	uint64_t kind;

	decode_list(d, r, "payload", &list);
	decode_bounded(d, &list, "payload kind", VERTEX_DATA, &kind);
	if (d->status == OK && kind == 0)
		decode_fail(d, "payload kind is 0");
	if (d->status != OK)
		return;
	v->payload = (enum vertex_payload)kind;
	switch (v->payload) {
	case VERTEX_TRANSFER:
		decode_addr(d, &list, "to", &v->to);
		decode_u256(d, &list, "amount", &v->amount.n);
		if (v->amount.n.limbs[2] || v->amount.n.limbs[3])
			decode_fail(d, "amount is 2^128 or more");
		break;
	case VERTEX_WITHDRAW:
		decode_u64(d, &list, "amount in gwei", &v->amount_gwei);
		break;
	case VERTEX_DATA:
		decode_bytes(d, &list, "data", VERTEX_DATA_MAX, &v->data);
		break;
	}
	decode_end(d, &list);
}

/* A spend's place in its lane; data has none (R2). */
static void check_place(struct decoder *d, const struct vertex *v, struct bytes prev)
{
	bool is_spend;

	if (d->status != OK)
		return;
	is_spend = vertex_is_spend(v);
	if (is_spend != (v->sequence > 0))
		decode_fail(d, "sequence is %llu; spends count from 1, data has 0",
			    (unsigned long long)v->sequence);
	if (prev.size != (is_spend ? sizeof(struct hash) : 0))
		decode_fail(d, "prev has %zu bytes; a spend names its predecessor, data none",
			    prev.size);
	if (v->sequence == 1 && !hash_is_zero(&v->prev))
		decode_fail(d, "prev is not zero at sequence 1");
}

static void decode_key(struct decoder *d, struct rlp_reader *r, struct vertex *v)
{
	uint64_t scheme;

	decode_u64(d, r, "scheme", &scheme);
	if (d->status == OK && scheme != VERTEX_SECP256K1 && scheme != VERTEX_P256)
		decode_fail(d, "scheme %llu is not known", (unsigned long long)scheme);
	v->scheme = (enum vertex_scheme)scheme;
	decode_fixed(d, r, "key", v->key, sizeof(v->key));
	decode_fixed(d, r, "signature", v->signature, sizeof(v->signature));
}

static void decode_core(struct decoder *d, struct rlp_reader *r, struct vertex *v)
{
	struct rlp_reader core;
	uint64_t version;
	struct bytes prev;

	decode_list(d, r, "core", &core);
	decode_u64(d, &core, "version", &version);
	if (version != VERTEX_VERSION)
		decode_fail(d, "version is %llu, this program knows %d",
			    (unsigned long long)version, VERTEX_VERSION);
	decode_u64(d, &core, "chain id", &v->chain_id);
	decode_u64(d, &core, "sequence", &v->sequence);
	decode_bytes(d, &core, "prev", sizeof(v->prev.bytes), &prev);
	if (prev.size == sizeof(v->prev.bytes))
		memcpy(v->prev.bytes, prev.data, prev.size);
	decode_u64(d, &core, "expiry", &v->expiry_ms);
	decode_payload(d, &core, v);
	decode_key(d, &core, v);
	decode_end(d, &core);
	check_place(d, v, prev);
}

static void decode_ticket(struct decoder *d, struct rlp_reader *r, struct vertex *v)
{
	struct rlp_reader list;
	uint64_t kind;

	decode_list(d, r, "ticket", &list);
	decode_bounded(d, &list, "ticket kind", TICKET_WORK, &kind);
	if (d->status == OK && kind == 0)
		decode_fail(d, "ticket kind is 0");
	v->ticket = (enum vertex_ticket)kind;
	if (v->ticket == TICKET_WORK)
		decode_u64(d, &list, "work nonce", &v->work_nonce);
	decode_end(d, &list);
}

int vertex_decode(struct vertex *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "vertex", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct vertex v = { 0 };
	struct rlp_reader r;

	if (rlp.size > VERTEX_SIZE_MAX)
		return ERR_SET(err, CHAIN_E_BLOCK_FORMAT, "vertex: %zu bytes, %d are allowed",
			       rlp.size, VERTEX_SIZE_MAX);
	decode_top(&d, &r, rlp);
	decode_core(&d, &r, &v);
	decode_hash_set(&d, &r, "parents", VERTEX_PARENT_MAX, &v.parents);
	if (d.status == OK && v.parents.count == 0)
		decode_fail(&d, "no parents");
	decode_ticket(&d, &r, &v);
	decode_end(&d, &r);
	if (d.status == OK)
		*out = v;
	return d.status;
}

/* --- identity --- */

void vertex_issuer(const struct vertex *v, struct addr *out)
{
	uint8_t joined[1 + VERTEX_KEY_SIZE];
	struct public_key key;
	struct hash h;

	if (v->scheme == VERTEX_SECP256K1) {
		memcpy(key.bytes, v->key, sizeof(key.bytes));
		ecc_address(out, &key);
		return;
	}
	joined[0] = (uint8_t)v->scheme;
	memcpy(joined + 1, v->key, sizeof(v->key));
	keccak256(&h, bytes_of(joined, sizeof(joined)));
	memcpy(out->bytes, h.bytes + 12, sizeof(out->bytes));
}

void vertex_id(const struct vertex *v, struct hash *out)
{
	struct buf b = { 0 };

	vertex_encode(&b, v);
	keccak256(out, buf_bytes(&b));
	buf_clear(&b);
}

void vertex_spend_id(const struct vertex *v, struct hash *out)
{
	struct buf b = { 0 };
	size_t list = rlp_list_open(&b);
	struct addr issuer;

	vertex_issuer(v, &issuer);
	rlp_put_u64(&b, VERTEX_VERSION);
	rlp_put_u64(&b, v->chain_id);
	put_core_middle(&b, v);
	rlp_put_addr(&b, &issuer);
	rlp_list_close(&b, list);
	keccak256(out, buf_bytes(&b));
	buf_clear(&b);
}

void vertex_digest(const struct vertex *v, struct hash *out)
{
	struct buf b = { 0 };
	size_t list = seal_open(&b, DOMAIN_VERTEX, v->chain_id);

	rlp_put_u64(&b, VERTEX_VERSION);
	put_core_middle(&b, v);
	seal_close(&b, list, out);
}

int vertex_sign(struct vertex *v, const struct ecc *e, const struct secret_key *key,
		struct err *err)
{
	struct public_key public_key;
	struct signature signature;
	struct vertex with_key = *v;
	struct hash digest;
	int status = ecc_public_key(e, &public_key, key, err);

	if (status != OK)
		return status;
	with_key.scheme = VERTEX_SECP256K1;
	memcpy(with_key.key, public_key.bytes, sizeof(with_key.key));
	vertex_digest(&with_key, &digest);
	status = ecc_sign(e, &signature, &digest, key, err);
	if (status != OK)
		return status;
	memcpy(with_key.signature, signature.r, 32);
	memcpy(with_key.signature + 32, signature.s, 32);
	*v = with_key;
	return OK;
}

bool vertex_verify(const struct vertex *v, const struct ecc *e)
{
	struct signature signature = { .recovery_id = 0 };
	struct public_key key;
	struct hash digest;

	if (v->scheme != VERTEX_SECP256K1)
		return false;
	memcpy(signature.r, v->signature, 32);
	memcpy(signature.s, v->signature + 32, 32);
	memcpy(key.bytes, v->key, sizeof(key.bytes));
	vertex_digest(v, &digest);
	return ecc_verify(e, &signature, &digest, &key);
}

unsigned vertex_work_bits(const struct vertex *v)
{
	struct buf b = { 0 };
	struct hash h;
	unsigned bits = 0;

	vertex_encode(&b, v);
	sha256(&h, buf_bytes(&b));
	buf_clear(&b);
	while (bits < 8 * sizeof(h.bytes) && !(h.bytes[bits / 8] >> (7 - bits % 8) & 1))
		bits++;
	return bits;
}
