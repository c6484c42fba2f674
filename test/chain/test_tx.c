#include "fixture.h"

#include <pthread.h>
#include <stdlib.h>

#include "chain/tx.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

static const struct chain_params params = { .chain_id = CHAIN_ID, .revision = REVISION_OSAKA };

/* The example of EIP-155. */
#define EIP155_RAW "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7" \
	"6400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f" \
	"761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"

static struct tx eip155_fields(void)
{
	return (struct tx){
		.type = TX_LEGACY,
		.has_chain_id = true,
		.chain_id = 1,
		.nonce = 9,
		.gas_limit = 21000,
		.max_fee = wei_of(20000000000),
		.value = wei_of(1000000000000000000),
		.to = addr_from_hex("3535353535353535353535353535353535353535"),
	};
}

Test(tx, sign_gives_the_example_of_eip155)
{
	struct buf want = from_hex(EIP155_RAW);
	struct tx fields = eip155_fields(), *t = NULL;
	struct ecc *e = test_ecc();
	struct secret_key key;
	struct hash digest;

	memset(key.bytes, 0x46, sizeof(key.bytes));
	tx_signing_hash(&fields, &digest);
	cr_assert(hash_equal(&digest, &(struct hash){ { 0xda, 0xf5, 0xa7, 0x79, 0xae, 0x97, 0x2f,
		0x97, 0x21, 0x97, 0x30, 0x3d, 0x7b, 0x57, 0x47, 0x46, 0xc7, 0xef, 0x83, 0xea, 0xda,
		0xc0, 0xf2, 0x79, 0x1a, 0xd2, 0x3d, 0xb9, 0x2e, 0x4c, 0x8e, 0x53 } }));
	cr_assert_eq(tx_sign(&t, e, &fields, &key, NULL), OK);
	assert_bytes(t->raw, buf_bytes(&want));
	cr_assert(t->has_sender);
	tx_unref(t);

	cr_assert_eq(tx_decode(&t, buf_bytes(&want), want.size, NULL), OK);
	cr_assert(t->has_chain_id && t->chain_id == 1 && t->nonce == 9 && !t->is_create);
	cr_assert(!t->has_sender);
	cr_assert_eq(tx_recover(e, t, NULL), OK);
	struct addr sender = addr_from_hex("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f");
	cr_assert(addr_equal(&t->sender, &sender));
	tx_unref(t);
	buf_clear(&want);
	ecc_free(e);
}

Test(tx, decode_keeps_every_field_of_each_type)
{
	static const enum tx_type types[] = { TX_LEGACY, TX_ACCESS_LIST, TX_DYNAMIC_FEE };

	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		struct tx *t = make_tx(types[i], 40 + i), *again = NULL;
		struct ecc *e = test_ecc();
		struct hash hash;

		cr_assert_eq(tx_decode(&again, t->raw, t->raw.size, NULL), OK);
		cr_assert_eq(again->type, types[i]);
		cr_assert(again->has_chain_id && again->chain_id == CHAIN_ID);
		cr_assert_eq(again->nonce, 40 + i);
		cr_assert_eq(again->gas_limit, 100040 + i);
		cr_assert_eq(again->max_fee.n.limbs[0], 2000000040 + i);
		cr_assert_eq(again->max_priority_fee.n.limbs[0],
			     types[i] == TX_DYNAMIC_FEE ? 1000000040 + i : 2000000040 + i);
		cr_assert_eq(again->value.n.limbs[0], (40 + i) * 1000);
		cr_assert_eq(again->data.size, (40 + i) % 33);
		cr_assert_eq(again->access_addr_count, types[i] == TX_LEGACY ? 0 : 2);
		cr_assert_eq(again->access_slot_count, types[i] == TX_LEGACY ? 0 : 2);
		keccak256(&hash, t->raw);
		cr_assert(hash_equal(&again->hash, &hash));
		cr_assert_eq(tx_recover(e, again, NULL), OK);
		cr_assert(addr_equal(&again->sender, &t->sender));
		/* Nothing points into the caller's bytes. */
		cr_assert(again->raw.data != t->raw.data);
		cr_assert(again->data.data > again->raw.data &&
			  again->data.data < again->raw.data + again->raw.size);
		tx_unref(t);
		tx_unref(again);
		ecc_free(e);
	}
}

Test(tx, access_next_walks_addresses_and_slots)
{
	struct tx *t = make_tx(TX_DYNAMIC_FEE, 1);
	struct bytes rest = t->access_list, slots;
	struct addr address, first = addr_from_hex("095e7baea6a6c7c4c2dfeb977efac326af552d87");
	size_t count;

	cr_assert(tx_access_next(&rest, &address, &slots, &count));
	cr_assert(addr_equal(&address, &first));
	cr_assert_eq(count, 2);
	cr_assert_eq(slots.data[1 + 31], 1);
	cr_assert_eq(slots.data[33 + 1], 0xff);
	cr_assert(tx_access_next(&rest, &address, &slots, &count));
	cr_assert_eq(count, 0);
	cr_assert_not(tx_access_next(&rest, &address, &slots, &count));
	tx_unref(t);
}

/* Decodes hexadecimal, expects `code` and a message with `text`. */
static void refuse(const char *hex, int code, const char *text)
{
	struct buf raw = from_hex(hex);
	struct err err = { 0 };
	struct tx *t = NULL;

	cr_assert_eq(tx_decode(&t, buf_bytes(&raw), 131072, &err), code, "%s: %s", hex, err.message);
	cr_assert_eq(err.code, code);
	cr_assert_null(t);
	assert_message(&err, text);
	buf_clear(&raw);
}

#define TO "943535353535353535353535353535353535353535"
#define R "a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
#define S "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"

Test(tx, decode_refuses_types_that_do_not_exist)
{
	refuse("", CHAIN_E_TX_FORMAT, "no bytes");
	refuse("00c0", CHAIN_E_TX_TYPE, "transaction type not supported");
	refuse("03c0", CHAIN_E_TX_TYPE, "transaction type not supported: blob transactions");
	refuse("05c0", CHAIN_E_TX_TYPE, "transaction type not supported");
	refuse("7f", CHAIN_E_TX_TYPE, "transaction type not supported");
	refuse("80", CHAIN_E_TX_TYPE, "transaction type not supported");
	refuse("b801ff", CHAIN_E_TX_TYPE, "transaction type not supported");
}

/* The same for a legacy transaction of these items. */
static void refuse_items(const char *hex, const char *text)
{
	struct buf items = from_hex(hex), raw = { 0 };
	size_t list = rlp_list_open(&raw);
	struct err err = { 0 };
	struct tx *t = NULL;

	buf_append_bytes(&raw, buf_bytes(&items));
	rlp_list_close(&raw, list);
	cr_assert_eq(tx_decode(&t, buf_bytes(&raw), 131072, &err), CHAIN_E_TX_FORMAT, "%s", hex);
	assert_message(&err, text);
	buf_clear(&items);
	buf_clear(&raw);
}

Test(tx, decode_refuses_bad_fields_by_name)
{
	refuse("c0", CHAIN_E_TX_FORMAT, "rlp: transaction, nonce");
	refuse("02", CHAIN_E_TX_FORMAT, "rlp: transaction");
	refuse("02c0", CHAIN_E_TX_FORMAT, "chainId");
	refuse("02c0c0", CHAIN_E_TX_FORMAT, "transaction");
	/* A nonce with a leading zero, of nine bytes, that is a list. */
	refuse_items("820001 01 825208" TO "0a801b" R S, "nonce");
	refuse_items("89010000000000000000 01 825208" TO "0a801b" R S, "nonce");
	refuse_items("c0 01 825208" TO "0a801b" R S, "nonce");
	refuse_items("80 c0 825208" TO "0a801b" R S, "gasPrice");
	refuse_items("80 01 89010000000000000000" TO "0a801b" R S, "gasLimit");
	refuse_items("80 01 825208" TO
		     "a1010000000000000000000000000000000000000000000000000000000000000000 801b" R S,
		     "value");
	refuse_items("80 01 825208" TO "0ac01b" R S, "data");
	refuse_items("80 01 825208" TO "0a8089010000000000000000" R S, "v");
	/* `to` of 19 and of 21 bytes. */
	refuse_items("80 01 825208 93353535353535353535353535353535353535350a801b" R S,
		     "to has 19 bytes");
	refuse_items("80 01 825208 95353535353535353535353535353535353535353535 0a801b" R S, "to");
	/* An item too many, one too few. */
	refuse_items("80 01 825208" TO "0a801b" R S "80", "transaction");
	refuse_items("80 01 825208" TO "0a801b" R, ", s");
}

Test(tx, decode_refuses_bytes_behind_the_list)
{
	struct tx *t = make_tx(TX_LEGACY, 2), *other = NULL;
	struct buf raw = { 0 };

	buf_append_bytes(&raw, t->raw);
	buf_append_byte(&raw, 0x80);
	cr_assert_eq(tx_decode(&other, buf_bytes(&raw), SIZE_MAX, NULL), CHAIN_E_TX_FORMAT);
	buf_clear(&raw);
	tx_unref(t);
}

/* A legacy transaction with v, r and s as given. */
static void refuse_signature(const char *v, const char *r, const char *s)
{
	struct buf body = from_hex("8001825208" TO "0a80"), part, raw = { 0 };
	struct err err = { 0 };
	struct tx *t = NULL;
	size_t list = rlp_list_open(&raw);

	buf_append_bytes(&raw, buf_bytes(&body));
	for (int i = 0; i < 3; i++) {
		part = from_hex(i == 0 ? v : i == 1 ? r : s);
		buf_append_bytes(&raw, buf_bytes(&part));
		buf_clear(&part);
	}
	rlp_list_close(&raw, list);
	cr_assert_eq(tx_decode(&t, buf_bytes(&raw), SIZE_MAX, &err), CHAIN_E_TX_SIGNATURE, "%s",
		     err.message);
	assert_message(&err, "invalid transaction v, r, s values");
	buf_clear(&body);
	buf_clear(&raw);
}

Test(tx, decode_refuses_signatures_out_of_range)
{
	static const char order[] =
		"a0fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
	/* n/2 is the largest s; this is one more. */
	static const char high[] =
		"a07fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1";

	refuse_signature("80", R, S);
	refuse_signature("1a", R, S);
	refuse_signature("1d", R, S);
	refuse_signature("23", R, S); /* chain id 0 */
	refuse_signature("24", R, S);
	refuse_signature("1b", "80", S);
	refuse_signature("1b", R, "80");
	refuse_signature("1b", order, S);
	refuse_signature("1b", R, order);
	refuse_signature("1b", R, high);
}

Test(tx, decode_reads_chain_ids_up_to_63_bits)
{
	struct tx fields = eip155_fields(), *t = NULL, *again = NULL;
	struct secret_key key = key_of(1);
	struct ecc *e = test_ecc();
	struct err err = { 0 };

	fields.chain_id = (UINT64_MAX - 36) / 2;
	cr_assert_eq(tx_sign(&t, e, &fields, &key, NULL), OK);
	cr_assert_eq(tx_decode(&again, t->raw, SIZE_MAX, NULL), OK);
	cr_assert_eq(again->chain_id, fields.chain_id);
	tx_unref(t);
	tx_unref(again);
	fields.chain_id++;
	cr_assert_eq(tx_sign(&t, e, &fields, &key, &err), CHAIN_E_TX_CHAIN_ID);
	fields.chain_id = 0;
	cr_assert_eq(tx_sign(&t, e, &fields, &key, &err), CHAIN_E_TX_CHAIN_ID);
	ecc_free(e);
}

Test(tx, decode_takes_exactly_the_size_allowed)
{
	struct tx *t = make_tx(TX_DYNAMIC_FEE, 5), *again = NULL;
	struct err err = { 0 };

	cr_assert_eq(tx_decode(&again, t->raw, t->raw.size, NULL), OK);
	tx_unref(again);
	cr_assert_eq(tx_decode(&again, t->raw, t->raw.size - 1, &err), CHAIN_E_TX_SIZE);
	assert_message(&err, "oversized data: transaction size");
	tx_unref(t);
}

Test(tx, decode_of_any_changed_byte_gives_another_sender_or_nothing)
{
	struct tx *t = make_tx(TX_ACCESS_LIST, 11);
	struct ecc *e = test_ecc();
	struct buf raw = { 0 };

	buf_append_bytes(&raw, t->raw);
	for (size_t i = 0; i < raw.size; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			struct tx *other = NULL;

			raw.data[i] ^= (uint8_t)(1u << bit);
			if (tx_decode(&other, buf_bytes(&raw), SIZE_MAX, NULL) == OK &&
			    tx_recover(e, other, NULL) == OK)
				cr_assert_not(addr_equal(&other->sender, &t->sender),
					      "byte %zu bit %u", i, bit);
			tx_unref(other);
			raw.data[i] ^= (uint8_t)(1u << bit);
		}
	}
	buf_clear(&raw);
	tx_unref(t);
	ecc_free(e);
}

Test(tx, decode_of_every_prefix_fails)
{
	struct tx *t = make_tx(TX_DYNAMIC_FEE, 3), *other = NULL;

	for (size_t size = 0; size < t->raw.size; size++)
		cr_assert_neq(tx_decode(&other, bytes_of(t->raw.data, size), SIZE_MAX, NULL), OK);
	tx_unref(t);
}

/* --- rules --- */

static struct tx valid(void)
{
	return (struct tx){
		.type = TX_DYNAMIC_FEE,
		.has_chain_id = true,
		.chain_id = CHAIN_ID,
		.gas_limit = 21000,
		.max_fee = wei_of(20),
		.max_priority_fee = wei_of(20),
	};
}

static void refuse_value(const struct tx *t, int code, const char *text)
{
	struct err err = { 0 };

	cr_assert_eq(tx_check(t, &params, &err), code, "%s", err.message);
	assert_message(&err, text);
}

Test(tx, check_gives_the_texts_that_clients_match)
{
	uint8_t *init_code = calloc(1, INITCODE_SIZE_MAX + 1);
	struct tx t = valid();

	cr_assert_eq(tx_check(&t, &params, NULL), OK);
	t.chain_id = 1;
	refuse_value(&t, CHAIN_E_TX_CHAIN_ID, "invalid chain id for signer: have 1 want 31337");
	t.has_chain_id = false;
	cr_assert_eq(tx_check(&t, &params, NULL), OK);

	t = valid();
	t.nonce = UINT64_MAX;
	refuse_value(&t, CHAIN_E_TX_VALUE, "nonce has max value");
	t.nonce--;
	cr_assert_eq(tx_check(&t, &params, NULL), OK);

	t = valid();
	t.gas_limit = 20999;
	refuse_value(&t, CHAIN_E_TX_VALUE, "intrinsic gas too low: have 20999, want 21000");

	t = valid();
	t.max_priority_fee = wei_of(21);
	refuse_value(&t, CHAIN_E_TX_VALUE, "max priority fee per gas higher than max fee per gas");

	t = valid();
	t.gas_limit = TX_GAS_LIMIT_MAX;
	cr_assert_eq(tx_check(&t, &params, NULL), OK);
	t.gas_limit++;
	refuse_value(&t, CHAIN_E_TX_VALUE, "exceeds the maximum of 16777216 gas (EIP-7825)");

	t = valid();
	memset(&t.max_fee, 0xff, sizeof(t.max_fee));
	refuse_value(&t, CHAIN_E_TX_VALUE, "insufficient funds for gas * price + value");

	t = valid();
	t.is_create = true;
	t.gas_limit = TX_GAS_LIMIT_MAX;
	t.data = bytes_of(init_code, INITCODE_SIZE_MAX);
	cr_assert_eq(tx_check(&t, &params, NULL), OK);
	t.data.size++;
	refuse_value(&t, CHAIN_E_TX_VALUE, "max initcode size exceeded: code size 49153, limit 49152");
	t.is_create = false;
	cr_assert_eq(tx_check(&t, &params, NULL), OK);
	free(init_code);
}

Test(tx, check_caps_gas_from_osaka_on)
{
	struct chain_params prague = params;
	struct tx t = valid();

	prague.revision = REVISION_PRAGUE;
	t.gas_limit = TX_GAS_LIMIT_MAX + 1;
	cr_assert_eq(tx_check(&t, &prague, NULL), OK);
}

Test(tx, intrinsic_gas_counts_every_part)
{
	static const uint8_t data[] = { 0, 1, 0, 2, 3 }; /* 2 zeros, 3 others: 14 tokens */
	struct tx t = valid();

	cr_assert_eq(tx_intrinsic_gas(&t, REVISION_OSAKA), 21000);
	t.data = bytes_of(data, sizeof(data));
	cr_assert_eq(tx_intrinsic_gas(&t, REVISION_CANCUN), 21000 + 2 * 4 + 3 * 16);
	cr_assert_eq(tx_intrinsic_gas(&t, REVISION_PRAGUE), 21000 + 14 * 10);
	cr_assert_eq(tx_floor_gas(&t, REVISION_CANCUN), 0);
	t.is_create = true;
	cr_assert_eq(tx_intrinsic_gas(&t, REVISION_PRAGUE), 21000 + 32000 + 2 + 2 * 4 + 3 * 16);
	t.access_addr_count = 3;
	t.access_slot_count = 5;
	cr_assert_eq(tx_base_gas(&t), 53000 + 2 + 56 + 3 * 2400 + 5 * 1900);
}

Test(tx, check_asks_for_the_floor)
{
	static const uint8_t data[100] = { 0 };
	struct tx t = valid();

	t.data = bytes_of(data, sizeof(data));
	t.gas_limit = 21000 + 100 * 10 - 1;
	refuse_value(&t, CHAIN_E_TX_VALUE, "intrinsic gas too low: have 21999, want 22000");
	t.gas_limit++;
	cr_assert_eq(tx_check(&t, &params, NULL), OK);
}

Test(tx, effective_price_is_bounded_by_both)
{
	struct tx t = valid();
	struct wei price;

	t.max_fee = wei_of(100);
	t.max_priority_fee = wei_of(10);
	cr_assert(tx_effective_price(&t, wei_of(50), &price));
	cr_assert_eq(price.n.limbs[0], 60);
	cr_assert(tx_effective_price(&t, wei_of(95), &price));
	cr_assert_eq(price.n.limbs[0], 100);
	cr_assert(tx_effective_price(&t, wei_of(100), &price));
	cr_assert_eq(price.n.limbs[0], 100);
	cr_assert_not(tx_effective_price(&t, wei_of(101), &price));
	/* Fees near 2^256 do not wrap. */
	memset(&t.max_fee, 0xff, sizeof(t.max_fee));
	t.max_priority_fee = t.max_fee;
	cr_assert(tx_effective_price(&t, wei_of(7), &price));
	cr_assert_eq(wei_compare(price, t.max_fee), 0);
}

Test(tx, max_cost_reports_overflow)
{
	struct tx t = valid();
	struct wei cost;

	t.value = wei_of(5);
	cr_assert(tx_max_cost(&t, &cost));
	cr_assert_eq(cost.n.limbs[0], 21000 * 20 + 5);
	memset(&t.value, 0xff, sizeof(t.value));
	cr_assert_not(tx_max_cost(&t, &cost));
}

Test(tx, create_address_is_ethereums)
{
	struct addr sender = addr_from_hex("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"), got;
	struct addr first = addr_from_hex("cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d");
	struct addr second = addr_from_hex("343c43a37d37dff08ae8c4a11544c718abb4fcf8");

	tx_create_address(&got, &sender, 0);
	cr_assert(addr_equal(&got, &first));
	tx_create_address(&got, &sender, 1);
	cr_assert(addr_equal(&got, &second));
}

static void *take_and_give_back(void *arg)
{
	struct tx *t = arg;

	for (int i = 0; i < 100000; i++)
		tx_unref(tx_ref(t));
	return NULL;
}

Test(tx, refs_are_counted_across_threads)
{
	struct tx *t = make_tx(TX_LEGACY, 1);
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take_and_give_back, t), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(atomic_load(&t->refs), 1);
	tx_unref(t);
	tx_unref(NULL);
}
