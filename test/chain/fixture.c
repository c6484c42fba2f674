#include "fixture.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "crypto/keccak.h"

struct buf from_hex(const char *text)
{
	struct buf out = { 0 };
	char digits[2];
	int have = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		digits[have++] = *text;
		if (have == 2) {
			CHECK(hex_decode(buf_extend(&out, 1), 1, bytes_of(digits, 2)));
			have = 0;
		}
	}
	CHECK(have == 0);
	return out;
}

struct hash hash_from_hex(const char *text)
{
	struct hash h;

	CHECK(hex_decode(h.bytes, sizeof(h.bytes), bytes_of_str(text)));
	return h;
}

struct addr addr_from_hex(const char *text)
{
	struct addr a;

	CHECK(hex_decode(a.bytes, sizeof(a.bytes), bytes_of_str(text)));
	return a;
}

struct hash hash_of(uint64_t n)
{
	uint8_t be[8];
	struct hash h;

	store_be64(be, n);
	keccak256(&h, bytes_of(be, sizeof(be)));
	return h;
}

struct addr addr_of(uint64_t n)
{
	struct hash h = hash_of(n);
	struct addr a;

	memcpy(a.bytes, h.bytes, sizeof(a.bytes));
	return a;
}

struct secret_key key_of(uint64_t n)
{
	struct hash h = hash_of(1000000 + n);
	struct secret_key key;

	memcpy(key.bytes, h.bytes, sizeof(key.bytes));
	return key;
}

struct ecc *test_ecc(void)
{
	static const uint8_t seed[32] = { 7 };

	return ecc_new(seed);
}

void make_set(struct validator_set *out, struct secret_key keys[], size_t count,
	      const uint64_t weights[])
{
	struct validator members[VALIDATOR_COUNT_MAX];
	struct addr addresses[VALIDATOR_COUNT_MAX];
	struct ecc *e = test_ecc();

	for (size_t i = 0; i < count; i++) {
		struct secret_key key = key_of(i);
		struct public_key public_key;

		CHECK(ecc_public_key(e, &public_key, &key, NULL) == OK);
		ecc_address(&addresses[i], &public_key);
		members[i].address = addresses[i];
		members[i].weight.n = weights ? weights[i] : 1;
	}
	CHECK(validator_set_init(out, members, count, NULL) == OK);
	for (size_t i = 0; i < count; i++)
		keys[validator_set_find(out, &addresses[i])] = key_of(i);
	ecc_free(e);
}

struct tx *make_tx(enum tx_type type, uint64_t n)
{
	/* One entry with two slots, and one without. */
	struct buf access_list = from_hex(
		"f859 94095e7baea6a6c7c4c2dfeb977efac326af552d87 f842"
		"a00000000000000000000000000000000000000000000000000000000000000001"
		"a0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"d6 94195e7baea6a6c7c4c2dfeb977efac326af552d87 c0");
	struct secret_key key = key_of(n % 5);
	struct hash data = hash_of(n);
	struct ecc *e = test_ecc();
	struct tx fields = {
		.type = type,
		.has_chain_id = true,
		.chain_id = CHAIN_ID,
		.nonce = n,
		.gas_limit = 100000 + n,
		.max_fee = wei_of(2000000000 + n),
		.max_priority_fee = wei_of(1000000000 + n),
		.value = wei_of(n * 1000),
		.to = addr_of(n),
		.data = bytes_of(data.bytes, n % 33),
		.access_list = buf_bytes(&access_list),
	};
	struct tx *t = NULL;
	struct err err = { 0 };

	cr_assert_eq(tx_sign(&t, e, &fields, &key, &err), OK, "%s", err.message);
	ecc_free(e);
	buf_clear(&access_list);
	return t;
}

void reseal(struct block *b)
{
	b->header.timestamp = b->commitments.time_ms / 1000;
	transactions_root(&b->header.transactions_root, b->txs, b->tx_count);
	withdrawals_root(&b->header.withdrawals_root, b->withdrawals, b->withdrawal_count);
	commitments_hash(&b->commitments, &b->header.extra_data);
	header_hash(&b->header, &b->hash);
}

void make_block(struct block *out, size_t tx_count)
{
	static const enum tx_type types[] = { TX_LEGACY, TX_ACCESS_LIST, TX_DYNAMIC_FEE };

	*out = (struct block){
		.header = {
			.parent_hash = hash_of(1),
			.coinbase = addr_of(2),
			.state_root = hash_of(3),
			.receipts_root = hash_of(4),
			.height = 77,
			.gas_limit = BLOCK_GAS_LIMIT_DEFAULT,
			.gas_used = 21000 * tx_count,
			.mix_hash = hash_of(5),
			.base_fee = wei_of(BASE_FEE_FLOOR_DEFAULT),
			.parent_beacon_root = hash_of(6),
		},
		.commitments = {
			.time_ms = 1700000000123,
			.validators_hash = hash_of(7),
			.next_validators_hash = hash_of(8),
			.history_root = hash_of(9),
		},
		.txs = xcalloc(tx_count, sizeof(struct tx *)),
		.tx_count = tx_count,
		.withdrawals = xcalloc(1, sizeof(struct withdrawal)),
		.withdrawal_count = 1,
	};
	out->withdrawals[0] = (struct withdrawal){ 3, 0, addr_of(2), 16666666 };
	for (size_t i = 0; i < tx_count; i++)
		out->txs[i] = make_tx(types[i % 3], i);
	reseal(out);
}

void assert_bytes_at(const char *file, int line, struct bytes got, struct bytes want)
{
	size_t at = 0;

	while (at < got.size && at < want.size && got.data[at] == want.data[at])
		at++;
	cr_assert(bytes_equal(got, want), "%s:%d: %zu bytes, not %zu; first difference at %zu", file,
		  line, got.size, want.size, at);
}
