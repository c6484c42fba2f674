#include "chain/header.h"

#include "chain/decode.h"
#include "chain/tx.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

const struct hash header_empty_trie_root = { {
	0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6,
	0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e,
	0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0,
	0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21,
} };

const struct hash header_empty_code_hash = { {
	0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c,
	0x92, 0x7e, 0x7d, 0xb2, 0xdc, 0xc7, 0x03, 0xc0,
	0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, 0x27, 0x3b,
	0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70,
} };

const struct hash header_empty_ommers_hash = { {
	0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a,
	0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
	0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13,
	0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47,
} };

/* sha256 of nothing: no requests (EIP-7685). */
static const struct hash empty_requests_hash = { {
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
	0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
	0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
} };

/* The proof-of-work nonce: eight zero bytes, not a number. */
static const uint8_t zero_nonce[8];

/* A header's RLP is 21 fields of known bounds; this leaves room. */
#define HEADER_SIZE_MAX 1024

void header_encode(struct buf *out, const struct header *h)
{
	size_t list;

	buf_reserve(out, HEADER_SIZE_MAX);
	list = rlp_list_open(out);
	rlp_put_hash(out, &h->parent_hash);
	rlp_put_hash(out, &header_empty_ommers_hash);
	rlp_put_addr(out, &h->coinbase);
	rlp_put_hash(out, &h->state_root);
	rlp_put_hash(out, &h->transactions_root);
	rlp_put_hash(out, &h->receipts_root);
	rlp_put_bytes(out, bytes_of(h->logs_bloom.bytes, BLOOM_SIZE));
	rlp_put_u64(out, 0); /* difficulty */
	rlp_put_u64(out, h->height);
	rlp_put_u64(out, h->gas_limit);
	rlp_put_u64(out, h->gas_used);
	rlp_put_u64(out, h->timestamp);
	rlp_put_hash(out, &h->extra_data);
	rlp_put_hash(out, &h->mix_hash);
	rlp_put_bytes(out, bytes_of(zero_nonce, sizeof(zero_nonce)));
	rlp_put_u256(out, &h->base_fee.n);
	rlp_put_hash(out, &h->withdrawals_root);
	rlp_put_u64(out, 0); /* blobGasUsed */
	rlp_put_u64(out, 0); /* excessBlobGas */
	rlp_put_hash(out, &h->parent_beacon_root);
	rlp_put_hash(out, &empty_requests_hash);
	rlp_list_close(out, list);
}

/* A number or hash that has only one value here. */
static void expect_zero(struct decoder *d, struct rlp_reader *r, const char *field)
{
	uint64_t v;

	decode_bounded(d, r, field, 0, &v);
}

static void expect_hash(struct decoder *d, struct rlp_reader *r, const char *field,
			const struct hash *expected)
{
	struct hash h;

	decode_hash(d, r, field, &h);
	if (d->status == OK && !hash_equal(&h, expected))
		decode_fail(d, "%s is not that of an empty list", field);
}

static void expect_nonce(struct decoder *d, struct rlp_reader *r)
{
	uint8_t nonce[sizeof(zero_nonce)];

	decode_fixed(d, r, "nonce", nonce, sizeof(nonce));
	if (d->status == OK && memcmp(nonce, zero_nonce, sizeof(nonce)) != 0)
		decode_fail(d, "nonce is not zero");
}

int header_decode(struct header *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "header", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct rlp_reader r;
	struct header h;

	decode_top(&d, &r, rlp);
	decode_hash(&d, &r, "parentHash", &h.parent_hash);
	expect_hash(&d, &r, "sha3Uncles", &header_empty_ommers_hash);
	decode_addr(&d, &r, "miner", &h.coinbase);
	decode_hash(&d, &r, "stateRoot", &h.state_root);
	decode_hash(&d, &r, "transactionsRoot", &h.transactions_root);
	decode_hash(&d, &r, "receiptsRoot", &h.receipts_root);
	decode_fixed(&d, &r, "logsBloom", h.logs_bloom.bytes, BLOOM_SIZE);
	expect_zero(&d, &r, "difficulty");
	decode_u64(&d, &r, "number", &h.height);
	decode_u64(&d, &r, "gasLimit", &h.gas_limit);
	decode_u64(&d, &r, "gasUsed", &h.gas_used);
	decode_u64(&d, &r, "timestamp", &h.timestamp);
	decode_hash(&d, &r, "extraData", &h.extra_data);
	decode_hash(&d, &r, "mixHash", &h.mix_hash);
	expect_nonce(&d, &r);
	decode_u256(&d, &r, "baseFeePerGas", &h.base_fee.n);
	decode_hash(&d, &r, "withdrawalsRoot", &h.withdrawals_root);
	expect_zero(&d, &r, "blobGasUsed");
	expect_zero(&d, &r, "excessBlobGas");
	decode_hash(&d, &r, "parentBeaconBlockRoot", &h.parent_beacon_root);
	expect_hash(&d, &r, "requestsHash", &empty_requests_hash);
	decode_end(&d, &r);
	if (d.status == OK)
		*out = h;
	return d.status;
}

void header_hash(const struct header *h, struct hash *out)
{
	struct buf b = { 0 };

	header_encode(&b, h);
	keccak256(out, buf_bytes(&b));
	buf_clear(&b);
}

void header_next_mix(struct hash *out, const struct hash *parent_mix, uint64_t height)
{
	uint8_t joined[32 + 8];

	memcpy(joined, parent_mix->bytes, 32);
	store_be64(joined + 32, height);
	keccak256(out, bytes_of(joined, sizeof(joined)));
}

/* --- commitments --- */

void commitments_encode(struct buf *out, const struct commitments *c)
{
	size_t list = rlp_list_open(out), milestone;

	rlp_put_u64(out, COMMITMENTS_VERSION);
	rlp_put_u64(out, c->time_ms);
	rlp_put_hash(out, &c->validators_hash);
	rlp_put_hash(out, &c->next_validators_hash);
	rlp_put_hash(out, &c->history_root);
	milestone = rlp_list_open(out);
	rlp_put_u64(out, c->milestone_index);
	rlp_put_hash(out, &c->witnesses_root);
	rlp_put_hash(out, &c->confirmed_root);
	rlp_put_u64(out, c->confirmed_count);
	rlp_list_close(out, milestone);
	rlp_list_close(out, list);
}

int commitments_decode(struct commitments *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "commitments", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct rlp_reader r, milestone;
	struct commitments c;
	uint64_t version;

	decode_top(&d, &r, rlp);
	decode_u64(&d, &r, "version", &version);
	if (version != COMMITMENTS_VERSION)
		decode_fail(&d, "version is %llu, this program knows %d",
			    (unsigned long long)version, COMMITMENTS_VERSION);
	decode_u64(&d, &r, "time", &c.time_ms);
	decode_hash(&d, &r, "validators hash", &c.validators_hash);
	decode_hash(&d, &r, "next validators hash", &c.next_validators_hash);
	decode_hash(&d, &r, "history root", &c.history_root);
	decode_list(&d, &r, "milestone", &milestone);
	decode_u64(&d, &milestone, "milestone index", &c.milestone_index);
	decode_hash(&d, &milestone, "witnesses root", &c.witnesses_root);
	decode_hash(&d, &milestone, "confirmed root", &c.confirmed_root);
	decode_u64(&d, &milestone, "confirmed count", &c.confirmed_count);
	decode_end(&d, &milestone);
	decode_end(&d, &r);
	if (d.status == OK)
		*out = c;
	return d.status;
}

void commitments_hash(const struct commitments *c, struct hash *out)
{
	struct buf b = { 0 };

	commitments_encode(&b, c);
	keccak256(out, buf_bytes(&b));
	buf_clear(&b);
}
