#include "state/view.h"

#include "codec/rlp.h"

#define EMPTY_ROOT_BYTES \
	{ { 0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc, 0x55, 0xa6, 0xff, 0x83, 0x45, \
	    0xe6, 0x92, 0xc0, 0xf8, 0x6e, 0x5b, 0x48, 0xe0, 0x1b, 0x99, 0x6c, \
	    0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63, 0xb4, 0x21 } }
#define EMPTY_CODE_BYTES \
	{ { 0xc5, 0xd2, 0x46, 0x01, 0x86, 0xf7, 0x23, 0x3c, 0x92, 0x7e, 0x7d, \
	    0xb2, 0xdc, 0xc7, 0x03, 0xc0, 0xe5, 0x00, 0xb6, 0x53, 0xca, 0x82, \
	    0x27, 0x3b, 0x7b, 0xfa, 0xd8, 0x04, 0x5d, 0x85, 0xa4, 0x70 } }

/* The hashes stand here as bytes, since a constant of another file
 * (header_empty_trie_root) can't initialise one of this; a test compares them. */
const struct account account_empty = {
	.storage_root = EMPTY_ROOT_BYTES,
	.code_hash = EMPTY_CODE_BYTES,
};

bool account_is_empty(const struct account *a)
{
	return a->nonce == 0 && u256_is_zero(&a->balance.n) &&
	       hash_equal(&a->code_hash, &account_empty.code_hash);
}

bool account_equal(const struct account *a, const struct account *b)
{
	return a->nonce == b->nonce && u256_equal(&a->balance.n, &b->balance.n) &&
	       hash_equal(&a->storage_root, &b->storage_root) &&
	       hash_equal(&a->code_hash, &b->code_hash);
}

/* --- encoding: by hand, since a trie encodes thousands of accounts a block --- */

/* A number's minimal big-endian bytes as an RLP string of at most 33 bytes. */
static uint8_t *put_number(uint8_t *at, const struct u256 *v)
{
	uint8_t be[32];
	size_t size = u256_byte_length(v);

	u256_to_be32(be, v);
	if (size == 1 && be[31] < 0x80) {
		*at++ = be[31];
		return at;
	}
	*at++ = (uint8_t)(0x80 + size);
	memcpy(at, be + 32 - size, size);
	return at + size;
}

static uint8_t *put_hash(uint8_t *at, const struct hash *h)
{
	*at++ = 0x80 + sizeof(h->bytes);
	memcpy(at, h->bytes, sizeof(h->bytes));
	return at + sizeof(h->bytes);
}

static uint8_t *put_hash_unless(uint8_t *at, const struct hash *h, const struct hash *usual)
{
	if (!hash_equal(h, usual))
		return put_hash(at, h);
	*at++ = 0x80;
	return at;
}

/* Puts the list's header in front of the payload that stands at out + 2. */
static size_t finish_list(uint8_t *out, const uint8_t *end)
{
	size_t payload = (size_t)(end - (out + 2));

	if (payload < 56) {
		out[0] = (uint8_t)(0xc0 + payload);
		memmove(out + 1, out + 2, payload);
		return 1 + payload;
	}
	out[0] = 0xf8;
	out[1] = (uint8_t)payload;
	return 2 + payload;
}

size_t account_encode(uint8_t out[ACCOUNT_RLP_MAX], const struct account *a)
{
	struct u256 nonce = u256_of(a->nonce);
	uint8_t *at = out + 2;

	at = put_number(at, &nonce);
	at = put_number(at, &a->balance.n);
	at = put_hash(at, &a->storage_root);
	at = put_hash(at, &a->code_hash);
	return finish_list(out, at);
}

size_t account_encode_flat(uint8_t out[ACCOUNT_RLP_MAX], const struct account *a)
{
	struct u256 nonce = u256_of(a->nonce);
	uint8_t *at = out + 2;

	at = put_number(at, &nonce);
	at = put_number(at, &a->balance.n);
	at = put_hash_unless(at, &a->storage_root, &account_empty.storage_root);
	at = put_hash_unless(at, &a->code_hash, &account_empty.code_hash);
	return finish_list(out, at);
}

/* --- decoding --- */

/* One of the two hashes; in the flat form, nothing stands for `usual`. */
static int read_hash(struct rlp_reader *r, struct hash *out, const struct hash *usual, struct err *err)
{
	struct bytes s;
	int rc;

	if (!usual)
		return rlp_read_fixed(r, out, sizeof(*out), err);
	rc = rlp_read_bytes(r, &s, err);
	if (rc != OK)
		return rc;
	*out = *usual;
	if (s.size == 0)
		return OK;
	if (s.size != sizeof(*out) || memcmp(s.data, usual, sizeof(*out)) == 0)
		return ERR_SET(err, STATE_E_FORMAT, "a hash of %zu bytes that should be left out", s.size);
	memcpy(out, s.data, sizeof(*out));
	return OK;
}

static int read_fields(struct account *out, struct bytes rlp, bool flat, struct err *err)
{
	struct rlp_reader top, list;
	int rc;

	rlp_reader_init(&top, rlp);
	if ((rc = rlp_read_list(&top, &list, err)) != OK ||
	    (rc = rlp_read_u64(&list, &out->nonce, err)) != OK ||
	    (rc = rlp_read_u256(&list, &out->balance.n, err)) != OK ||
	    (rc = read_hash(&list, &out->storage_root,
			    flat ? &account_empty.storage_root : NULL, err)) != OK ||
	    (rc = read_hash(&list, &out->code_hash,
			    flat ? &account_empty.code_hash : NULL, err)) != OK ||
	    (rc = rlp_reader_end(&list, err)) != OK)
		return rc;
	return rlp_reader_end(&top, err);
}

static int decode(struct account *out, struct bytes rlp, bool flat, struct err *err)
{
	struct account a;

	if (read_fields(&a, rlp, flat, err) != OK) {
		if (err)
			err->code = STATE_E_FORMAT;
		return err_prefix(err, STATE_E_FORMAT, "not an account");
	}
	*out = a;
	return OK;
}

int account_decode(struct account *out, struct bytes rlp, struct err *err)
{
	return decode(out, rlp, false, err);
}

int account_decode_flat(struct account *out, struct bytes record, struct err *err)
{
	return decode(out, record, true, err);
}

/* --- the view of nothing --- */

static int empty_account(void *ctx, struct account *out, const struct addr *address, struct err *err)
{
	(void)ctx, (void)address, (void)err;
	*out = account_empty;
	return OK;
}

static int empty_storage(void *ctx, struct u256 *out, const struct addr *address,
			 const struct hash *slot, struct err *err)
{
	(void)ctx, (void)address, (void)slot, (void)err;
	*out = u256_of(0);
	return OK;
}

static int empty_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	(void)ctx, (void)out;
	if (hash_equal(code_hash, &account_empty.code_hash))
		return OK;
	return ERR_SET(err, STATE_E_READ, "the empty state has no code");
}

struct state_view state_view_empty(void)
{
	static const struct state_view_ops ops = { empty_account, empty_storage, empty_code };

	return (struct state_view){ .ops = &ops };
}
