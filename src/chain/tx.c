#include "chain/tx.h"

#include <stdlib.h>

#include "base/check.h"
#include "chain/decode.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

/* The order of secp256k1's group (SEC 2, 2.4.1). */
static const struct u256 group_order = { {
	0xbfd25e8cd0364141u,
	0xbaaedce6af48a03bu,
	0xfffffffffffffffeu,
	0xffffffffffffffffu,
} };

/* --- decoding --- */

/* `to` is an address, or empty for a creation. */
static void decode_to(struct decoder *d, struct rlp_reader *r, struct tx *t)
{
	struct bytes to;

	decode_bytes(d, r, "to", sizeof(t->to.bytes), &to);
	if (d->status != OK)
		return;
	t->is_create = to.size == 0;
	if (to.size == sizeof(t->to.bytes))
		memcpy(t->to.bytes, to.data, to.size);
	else if (to.size != 0)
		decode_fail(d, "to has %zu bytes, not 20 or none", to.size);
}

/* [[address, [slot, …]], …] (EIP-2930): checked, counted, kept as bytes. */
static void decode_access_list(struct decoder *d, struct rlp_reader *r, struct tx *t)
{
	struct rlp_reader list, entry, slots;
	struct addr address;
	struct hash slot;

	decode_list(d, r, "access list", &list);
	t->access_list = bytes_of(list.at, (size_t)(list.end - list.at));
	while (d->status == OK && rlp_reader_more(&list)) {
		decode_list(d, &list, "access list entry", &entry);
		decode_addr(d, &entry, "access list address", &address);
		decode_list(d, &entry, "access list slots", &slots);
		decode_end(d, &entry);
		t->access_addr_count++;
		while (d->status == OK && rlp_reader_more(&slots)) {
			decode_hash(d, &slots, "access list slot", &slot);
			t->access_slot_count++;
		}
	}
}

/* [[chain id, address, nonce, y parity, r, s], …] (EIP-7702): its numbers have bounds. */
static void decode_authorization(struct decoder *d, struct rlp_reader *list,
				 struct authorization *a)
{
	struct rlp_reader entry;

	decode_list(d, list, "authorization", &entry);
	decode_u256(d, &entry, "authorization chainId", &a->chain_id);
	decode_addr(d, &entry, "authorization address", &a->address);
	decode_u64(d, &entry, "authorization nonce", &a->nonce);
	decode_u256(d, &entry, "authorization yParity", &a->y_parity);
	decode_u256(d, &entry, "authorization r", &a->r);
	decode_u256(d, &entry, "authorization s", &a->s);
	decode_end(d, &entry);
	if (d->status == OK && (!u256_fits_u64(&a->y_parity) || a->y_parity.limbs[0] > 255))
		decode_fail(d, "authorization yParity has more than 8 bits");
}

static void decode_authorizations(struct decoder *d, struct rlp_reader *r, struct tx *t)
{
	struct authorization a;
	struct rlp_reader list;

	decode_list(d, r, "authorization list", &list);
	t->authorizations = bytes_of(list.at, (size_t)(list.end - list.at));
	while (d->status == OK && rlp_reader_more(&list)) {
		decode_authorization(d, &list, &a);
		t->authorization_count++;
	}
	if (d->status == OK && t->authorization_count == 0)
		decode_fail(d, "set code tx must have at least one authorization tuple");
}

static void decode_blobs(struct decoder *d, struct rlp_reader *r, struct tx *t)
{
	struct rlp_reader list;
	struct hash hash;

	decode_u256(d, r, "maxFeePerBlobGas", &t->max_blob_fee.n);
	decode_list(d, r, "blob hashes", &list);
	t->blob_hashes = bytes_of(list.at, (size_t)(list.end - list.at));
	while (d->status == OK && rlp_reader_more(&list)) {
		decode_hash(d, &list, "blob hash", &hash);
		t->blob_count++;
	}
}

/* The signature's halves, which follow v or the parity. */
static void decode_rs(struct decoder *d, struct rlp_reader *r, struct tx *t)
{
	struct u256 half;

	decode_u256(d, r, "r", &half);
	u256_to_be32(t->sig.r, &half);
	decode_u256(d, r, "s", &half);
	u256_to_be32(t->sig.s, &half);
}

static void decode_legacy(struct decoder *d, struct tx *t, uint64_t *v)
{
	struct rlp_reader list;

	decode_top(d, &list, t->raw);
	decode_u64(d, &list, "nonce", &t->nonce);
	decode_u256(d, &list, "gasPrice", &t->max_fee.n);
	decode_u64(d, &list, "gasLimit", &t->gas_limit);
	decode_to(d, &list, t);
	decode_u256(d, &list, "value", &t->value.n);
	decode_bytes(d, &list, "data", SIZE_MAX, &t->data);
	decode_u64(d, &list, "v", v);
	decode_rs(d, &list, t);
	decode_end(d, &list);
	t->max_priority_fee = t->max_fee;
}

static bool has_two_fees(enum tx_type type)
{
	return type == TX_DYNAMIC_FEE || type == TX_BLOB || type == TX_SET_CODE;
}

static void decode_typed(struct decoder *d, struct tx *t, uint64_t *parity)
{
	struct rlp_reader list;

	decode_top(d, &list, bytes_of(t->raw.data + 1, t->raw.size - 1));
	decode_u64(d, &list, "chainId", &t->chain_id);
	decode_u64(d, &list, "nonce", &t->nonce);
	if (has_two_fees(t->type))
		decode_u256(d, &list, "maxPriorityFeePerGas", &t->max_priority_fee.n);
	decode_u256(d, &list, has_two_fees(t->type) ? "maxFeePerGas" : "gasPrice",
		    &t->max_fee.n);
	decode_u64(d, &list, "gasLimit", &t->gas_limit);
	decode_to(d, &list, t);
	decode_u256(d, &list, "value", &t->value.n);
	decode_bytes(d, &list, "data", SIZE_MAX, &t->data);
	decode_access_list(d, &list, t);
	if (t->type == TX_BLOB)
		decode_blobs(d, &list, t);
	if (t->type == TX_SET_CODE)
		decode_authorizations(d, &list, t);
	if (d->status == OK && t->type >= TX_BLOB && t->is_create)
		decode_fail(d, "a transaction of type %d can't create a contract", t->type);
	decode_u64(d, &list, "yParity", parity);
	decode_rs(d, &list, t);
	decode_end(d, &list);
	if (t->type == TX_ACCESS_LIST)
		t->max_priority_fee = t->max_fee;
	t->has_chain_id = true;
}

/* EIP-155: v = recovery id + 35 + 2 · chain id; before it, 27 or 28. */
static int read_legacy_v(struct tx *t, uint64_t v, struct err *err)
{
	if (v == 27 || v == 28) {
		t->sig.recovery_id = (uint8_t)(v - 27);
		return OK;
	}
	if (v < 37)
		return ERR_SET(err, CHAIN_E_TX_SIGNATURE,
			       "invalid transaction v, r, s values: "
			       "v is %llu, neither 27, 28 nor that of a chain id",
			       (unsigned long long)v);
	t->has_chain_id = true;
	t->chain_id = (v - 35) / 2;
	t->sig.recovery_id = (uint8_t)((v - 35) & 1);
	return OK;
}

static int read_parity(struct tx *t, uint64_t parity, struct err *err)
{
	if (parity > 1)
		return ERR_SET(err, CHAIN_E_TX_SIGNATURE,
			       "invalid transaction v, r, s values: yParity is %llu, not 0 or 1",
			       (unsigned long long)parity);
	t->sig.recovery_id = (uint8_t)parity;
	return OK;
}

static int check_rs(const struct tx *t, struct err *err)
{
	struct u256 r = u256_from_be(bytes_of(t->sig.r, sizeof(t->sig.r)));
	struct u256 s = u256_from_be(bytes_of(t->sig.s, sizeof(t->sig.s)));

	if (u256_is_zero(&r) || u256_compare(&r, &group_order) >= 0)
		return ERR_SET(err, CHAIN_E_TX_SIGNATURE,
			       "invalid transaction v, r, s values: "
			       "r is zero or not below the group's order");
	if (u256_is_zero(&s) || !ecc_s_is_low(t->sig.s))
		return ERR_SET(err, CHAIN_E_TX_SIGNATURE,
			       "invalid transaction v, r, s values: "
			       "s is zero or in the upper half (EIP-2)");
	return OK;
}

/* A part of the bytes at `from`, in their copy at `to`. */
static struct bytes moved(struct bytes part, struct bytes from, const uint8_t *to)
{
	return part.size ? bytes_of(to + (part.data - from.data), part.size) : bytes_of(NULL, 0);
}

/* A copy of `t`, whose bytes are borrowed, in one block with its bytes behind it. */
static struct tx *tx_keep(const struct tx *t)
{
	struct tx *kept = xmalloc(sizeof(*kept) + t->raw.size);
	uint8_t *raw = (uint8_t *)(kept + 1);

	*kept = *t;
	memcpy(raw, t->raw.data, t->raw.size);
	kept->raw.data = raw;
	kept->data = moved(t->data, t->raw, raw);
	kept->access_list = moved(t->access_list, t->raw, raw);
	kept->authorizations = moved(t->authorizations, t->raw, raw);
	kept->blob_hashes = moved(t->blob_hashes, t->raw, raw);
	atomic_init(&kept->refs, 1);
	return kept;
}

static int refuse_type(uint8_t type, struct err *err)
{
	if (type == TX_BLOB)
		return ERR_SET(err, CHAIN_E_TX_TYPE,
			       "transaction type not supported: blob transactions (type 3) are "
			       "not part of this chain");
	return ERR_SET(err, CHAIN_E_TX_TYPE,
		       "transaction type not supported: 0x%02x; send type 0, 1, 2 or 4", type);
}

int tx_decode(struct tx **out, struct bytes raw, size_t size_max, struct err *err)
{
	if (raw.size && raw.data[0] == TX_BLOB)
		return refuse_type(TX_BLOB, err);
	return tx_decode_any(out, raw, size_max, err);
}

int tx_decode_any(struct tx **out, struct bytes raw, size_t size_max, struct err *err)
{
	struct decoder d = { .what = "transaction", .code = CHAIN_E_TX_FORMAT, .err = err };
	struct tx t = { .raw = raw };
	uint64_t v = 0;
	int status;

	if (raw.size > size_max)
		return ERR_SET(err, CHAIN_E_TX_SIZE,
			       "oversized data: transaction size %zu, limit %zu", raw.size,
			       size_max);
	if (raw.size == 0)
		return ERR_SET(err, CHAIN_E_TX_FORMAT, "rlp: transaction: no bytes at all");
	if (raw.data[0] >= 0xc0) {
		t.type = TX_LEGACY;
		decode_legacy(&d, &t, &v);
	} else if (raw.data[0] >= TX_ACCESS_LIST && raw.data[0] <= TX_SET_CODE) {
		t.type = (enum tx_type)raw.data[0];
		decode_typed(&d, &t, &v);
	} else {
		return refuse_type(raw.data[0], err);
	}
	if (d.status != OK)
		return d.status;
	status = t.type == TX_LEGACY ? read_legacy_v(&t, v, err) : read_parity(&t, v, err);
	if (status == OK)
		status = check_rs(&t, err);
	if (status != OK)
		return status;
	keccak256(&t.hash, raw);
	*out = tx_keep(&t);
	return OK;
}

/* --- encoding and signing --- */

static void put_list(struct buf *out, struct bytes items)
{
	size_t list = rlp_list_open(out);

	buf_append_bytes(out, items);
	rlp_list_close(out, list);
}

/* The fields up to the signature, without the list's header. */
static void put_fields(struct buf *out, const struct tx *t)
{
	if (t->type != TX_LEGACY)
		rlp_put_u64(out, t->chain_id);
	rlp_put_u64(out, t->nonce);
	if (has_two_fees(t->type))
		rlp_put_u256(out, &t->max_priority_fee.n);
	rlp_put_u256(out, &t->max_fee.n);
	rlp_put_u64(out, t->gas_limit);
	rlp_put_bytes(out, t->is_create ? bytes_of(NULL, 0) : addr_bytes(&t->to));
	rlp_put_u256(out, &t->value.n);
	rlp_put_bytes(out, t->data);
	if (t->type == TX_LEGACY)
		return;
	put_list(out, t->access_list);
	if (t->type == TX_BLOB) {
		rlp_put_u256(out, &t->max_blob_fee.n);
		put_list(out, t->blob_hashes);
	}
	if (t->type == TX_SET_CODE)
		put_list(out, t->authorizations);
}

void tx_signing_hash(const struct tx *t, struct hash *out)
{
	struct buf b = { 0 };
	size_t list;

	buf_reserve(&b, t->data.size + t->access_list.size + t->authorizations.size + t->blob_hashes.size + 512);
	if (t->type != TX_LEGACY)
		buf_append_byte(&b, (uint8_t)t->type);
	list = rlp_list_open(&b);
	put_fields(&b, t);
	if (t->type == TX_LEGACY && t->has_chain_id) { /* EIP-155 */
		rlp_put_u64(&b, t->chain_id);
		rlp_put_u64(&b, 0);
		rlp_put_u64(&b, 0);
	}
	rlp_list_close(&b, list);
	keccak256(out, buf_bytes(&b));
	buf_clear(&b);
}

static void put_signed(struct buf *out, const struct tx *t, const struct signature *sig)
{
	struct u256 r = u256_from_be(bytes_of(sig->r, sizeof(sig->r)));
	struct u256 s = u256_from_be(bytes_of(sig->s, sizeof(sig->s)));
	uint64_t v = sig->recovery_id;
	size_t list;

	if (t->type != TX_LEGACY)
		buf_append_byte(out, (uint8_t)t->type);
	else
		v += t->has_chain_id ? 35 + 2 * t->chain_id : 27;
	list = rlp_list_open(out);
	put_fields(out, t);
	rlp_put_u64(out, v);
	rlp_put_u256(out, &r);
	rlp_put_u256(out, &s);
	rlp_list_close(out, list);
}

int tx_sign(struct tx **out, const struct ecc *e, const struct tx *unsigned_tx,
	    const struct secret_key *key, struct err *err)
{
	struct public_key public_key;
	struct signature sig;
	struct buf raw = { 0 };
	struct hash digest;
	int status;

	/* EIP-155 puts twice the chain id into v, which has 64 bits here. */
	if (unsigned_tx->type == TX_LEGACY && unsigned_tx->has_chain_id &&
	    (unsigned_tx->chain_id == 0 || unsigned_tx->chain_id > (UINT64_MAX - 36) / 2))
		return ERR_SET(err, CHAIN_E_TX_CHAIN_ID,
			       "chain id %llu can't be signed in a legacy transaction",
			       (unsigned long long)unsigned_tx->chain_id);
	tx_signing_hash(unsigned_tx, &digest);
	status = ecc_public_key(e, &public_key, key, err);
	if (status == OK)
		status = ecc_sign(e, &sig, &digest, key, err);
	if (status != OK)
		return status;
	put_signed(&raw, unsigned_tx, &sig);
	status = tx_decode(out, buf_bytes(&raw), SIZE_MAX, err);
	buf_clear(&raw);
	if (status != OK)
		return status;
	ecc_address(&(*out)->sender, &public_key);
	(*out)->has_sender = true;
	return OK;
}

int tx_recover(const struct ecc *e, struct tx *t, struct err *err)
{
	struct hash digest;

	if (t->has_sender)
		return OK;
	tx_signing_hash(t, &digest);
	if (ecc_recover_address(e, &t->sender, &digest, &t->sig, err) != OK)
		return ERR_SET(err, CHAIN_E_TX_SIGNATURE,
			       "invalid sender: the signature recovers no public key");
	t->has_sender = true;
	return OK;
}

/* --- counting --- */

struct tx *tx_ref(struct tx *t)
{
	unsigned before = atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);

	CHECK(before > 0 && before < UINT32_MAX / 2);
	return t;
}

void tx_unref(struct tx *t)
{
	unsigned before;

	if (!t)
		return;
	before = atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel);
	CHECK(before > 0);
	if (before == 1)
		free(t);
}

/* --- rules --- */

static void count_data(struct bytes data, uint64_t *zero_count, uint64_t *nonzero_count)
{
	uint64_t zeros = 0;

	for (size_t i = 0; i < data.size; i++)
		zeros += data.data[i] == 0;
	*zero_count = zeros;
	*nonzero_count = data.size - zeros;
}

uint64_t tx_base_gas(const struct tx *t)
{
	uint64_t zeros, nonzeros, sum = GAS_TX;

	count_data(t->data, &zeros, &nonzeros);
	sum += zeros * GAS_TX_DATA_ZERO + nonzeros * GAS_TX_DATA_NONZERO;
	sum += t->access_addr_count * GAS_TX_ACCESS_ADDRESS;
	sum += t->access_slot_count * GAS_TX_ACCESS_SLOT;
	sum += t->authorization_count * GAS_TX_AUTHORIZATION;
	if (t->is_create)
		sum += GAS_TX_CREATE + (t->data.size + 31) / 32 * GAS_TX_INITCODE_WORD;
	return sum;
}

uint64_t tx_floor_gas(const struct tx *t, enum revision revision)
{
	uint64_t zeros, nonzeros;

	if (revision < REVISION_PRAGUE)
		return 0;
	count_data(t->data, &zeros, &nonzeros);
	return GAS_TX + (zeros + nonzeros * GAS_TX_TOKENS_NONZERO) * GAS_TX_FLOOR_TOKEN;
}

uint64_t tx_intrinsic_gas(const struct tx *t, enum revision revision)
{
	uint64_t base = tx_base_gas(t);
	uint64_t floor = tx_floor_gas(t, revision);

	return MAX(base, floor);
}

static int check_gas(const struct tx *t, enum revision revision, struct err *err)
{
	uint64_t base = tx_base_gas(t);
	uint64_t floor = tx_floor_gas(t, revision);

	if (revision >= REVISION_OSAKA && t->gas_limit > TX_GAS_LIMIT_MAX)
		return ERR_SET(err, CHAIN_E_TX_VALUE,
			       "transaction gas limit too high: "
			       "%llu exceeds the maximum of %llu gas (EIP-7825)",
			       (unsigned long long)t->gas_limit,
			       (unsigned long long)TX_GAS_LIMIT_MAX);
	if (t->gas_limit < base)
		return ERR_SET(err, CHAIN_E_TX_VALUE, "intrinsic gas too low: have %llu, want %llu",
			       (unsigned long long)t->gas_limit, (unsigned long long)base);
	if (t->gas_limit < floor)
		return ERR_SET(err, CHAIN_E_TX_VALUE,
			       "intrinsic gas too low: have %llu, want %llu "
			       "(the floor for data, EIP-7623)",
			       (unsigned long long)t->gas_limit, (unsigned long long)floor);
	return OK;
}

int tx_check(const struct tx *t, const struct chain_params *params, struct err *err)
{
	char fee[U256_DECIMAL_MAX + 1], priority_fee[U256_DECIMAL_MAX + 1];
	struct wei gas_cost;

	if (t->has_chain_id && t->chain_id != params->chain_id)
		return ERR_SET(err, CHAIN_E_TX_CHAIN_ID,
			       "invalid chain id for signer: have %llu want %llu",
			       (unsigned long long)t->chain_id,
			       (unsigned long long)params->chain_id);
	if (t->type == TX_SET_CODE && params->revision < REVISION_PRAGUE)
		return ERR_SET(err, CHAIN_E_TX_VALUE,
			       "transaction type not supported: type 4 (EIP-7702) needs Prague's rules");
	if (t->nonce == UINT64_MAX)
		return ERR_SET(err, CHAIN_E_TX_VALUE, "nonce has max value: 2^64-1 (EIP-2681)");
	if (t->is_create && t->data.size > INITCODE_SIZE_MAX)
		return ERR_SET(err, CHAIN_E_TX_VALUE,
			       "max initcode size exceeded: code size %zu, limit %llu",
			       t->data.size, (unsigned long long)INITCODE_SIZE_MAX);
	if (wei_compare(t->max_priority_fee, t->max_fee) > 0)
		return ERR_SET(err, CHAIN_E_TX_VALUE,
			       "max priority fee per gas higher than max fee per gas: "
			       "maxPriorityFeePerGas: %s, maxFeePerGas: %s",
			       u256_to_decimal(priority_fee, &t->max_priority_fee.n),
			       u256_to_decimal(fee, &t->max_fee.n));
	if (wei_mul_gas(&gas_cost, t->max_fee, t->gas_limit))
		return ERR_SET(err, CHAIN_E_TX_VALUE,
			       "insufficient funds for gas * price + value: "
			       "gas * price needs more than 256 bits");
	return check_gas(t, params->revision, err);
}

bool tx_effective_price(const struct tx *t, struct wei base_fee, struct wei *out)
{
	struct wei tip;

	if (wei_sub(&tip, t->max_fee, base_fee))
		return false;
	if (wei_compare(t->max_priority_fee, tip) < 0)
		tip = t->max_priority_fee;
	wei_add(out, base_fee, tip); /* at most max_fee */
	return true;
}

bool tx_max_cost(const struct tx *t, struct wei *out)
{
	struct wei gas_cost, sum;

	if (wei_mul_gas(&gas_cost, t->max_fee, t->gas_limit) || wei_add(&sum, gas_cost, t->value))
		return false;
	*out = sum;
	return true;
}

bool tx_access_next(struct bytes *rest, struct addr *address, struct bytes *slots,
		    size_t *slot_count)
{
	struct rlp_reader list, entry, slot_list;

	if (rest->size == 0)
		return false;
	rlp_reader_init(&list, *rest);
	CHECK(rlp_read_list(&list, &entry, NULL) == OK);
	CHECK(rlp_read_fixed(&entry, address->bytes, sizeof(address->bytes), NULL) == OK);
	CHECK(rlp_read_list(&entry, &slot_list, NULL) == OK);
	*slots = bytes_of(slot_list.at, (size_t)(slot_list.end - slot_list.at));
	*slot_count = slots->size / 33;
	*rest = bytes_of(list.at, (size_t)(list.end - list.at));
	return true;
}

bool tx_authorization_next(struct bytes *rest, struct authorization *out)
{
	struct decoder d = { .what = "transaction", .code = CHAIN_E_TX_FORMAT };
	struct rlp_reader list;

	if (rest->size == 0)
		return false;
	rlp_reader_init(&list, *rest);
	decode_authorization(&d, &list, out);
	CHECK(d.status == OK);
	*rest = bytes_of(list.at, (size_t)(list.end - list.at));
	return true;
}

/* keccak256(0x05 ‖ rlp([chain id, address, nonce])) */
static void authorization_digest(struct hash *out, const struct u256 *chain_id,
				 const struct addr *address, uint64_t nonce)
{
	struct buf b = { 0 };
	size_t list;

	buf_append_byte(&b, 0x05);
	list = rlp_list_open(&b);
	rlp_put_u256(&b, chain_id);
	rlp_put_addr(&b, address);
	rlp_put_u64(&b, nonce);
	rlp_list_close(&b, list);
	keccak256(out, buf_bytes(&b));
	buf_clear(&b);
}

int tx_authorization_signer(struct addr *out, const struct ecc *e, const struct authorization *a,
			    struct err *err)
{
	struct signature sig;
	struct hash digest;

	u256_to_be32(sig.r, &a->r);
	u256_to_be32(sig.s, &a->s);
	if (!u256_fits_u64(&a->y_parity) || a->y_parity.limbs[0] > 1 || !ecc_s_is_low(sig.s))
		return ERR_SET(err, CHAIN_E_TX_SIGNATURE, "authorization: a value is out of range");
	sig.recovery_id = (uint8_t)a->y_parity.limbs[0];
	authorization_digest(&digest, &a->chain_id, &a->address, a->nonce);
	if (ecc_recover_address(e, out, &digest, &sig, err) != OK)
		return ERR_SET(err, CHAIN_E_TX_SIGNATURE, "authorization: recovers no public key");
	return OK;
}

int tx_put_authorization(struct buf *out, const struct ecc *e, uint64_t chain_id,
			 const struct addr *address, uint64_t nonce, const struct secret_key *key,
			 struct err *err)
{
	const struct u256 chain = u256_of(chain_id);
	struct signature sig;
	struct hash digest;
	struct u256 half;
	size_t list;
	int rc;

	authorization_digest(&digest, &chain, address, nonce);
	rc = ecc_sign(e, &sig, &digest, key, err);
	if (rc)
		return rc;
	list = rlp_list_open(out);
	rlp_put_u64(out, chain_id);
	rlp_put_addr(out, address);
	rlp_put_u64(out, nonce);
	rlp_put_u64(out, sig.recovery_id);
	half = u256_from_be(bytes_of(sig.r, sizeof(sig.r)));
	rlp_put_u256(out, &half);
	half = u256_from_be(bytes_of(sig.s, sizeof(sig.s)));
	rlp_put_u256(out, &half);
	rlp_list_close(out, list);
	return OK;
}

void tx_create_address(struct addr *out, const struct addr *sender, uint64_t nonce)
{
	struct buf b = { 0 };
	struct hash digest;
	size_t list = rlp_list_open(&b);

	rlp_put_addr(&b, sender);
	rlp_put_u64(&b, nonce);
	rlp_list_close(&b, list);
	keccak256(&digest, buf_bytes(&b));
	buf_clear(&b);
	memcpy(out->bytes, digest.bytes + 12, sizeof(out->bytes));
}
