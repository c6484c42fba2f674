#include "fixture.h"

#include "chain/receipt.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

static struct receipt sample(enum tx_type type)
{
	static const uint8_t data[5] = { 1, 2, 3, 4, 5 };
	struct log_entry logs[] = {
		{ .address = addr_of(1), .topic_count = 2, .topics = { hash_of(2), hash_of(3) },
		  .data = bytes_of(data, sizeof(data)) },
		{ .address = addr_of(4) },
		{ .address = addr_of(5), .topic_count = 4,
		  .topics = { hash_of(6), hash_of(7), hash_of(8), hash_of(9) },
		  .data = bytes_of(data, 1) },
	};
	struct receipt r = {
		.type = type,
		.success = true,
		.gas_used = 50000,
		.cumulative_gas_used = 171000,
	};

	receipt_set_logs(&r, logs, ARRAY_COUNT(logs));
	return r;
}

Test(receipt, stored_form_comes_back)
{
	static const enum tx_type types[] = { TX_LEGACY, TX_ACCESS_LIST, TX_DYNAMIC_FEE };

	for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
		struct receipt r = sample(types[i]), back;
		struct buf first = { 0 }, second = { 0 };

		r.success = i != 1;
		receipt_encode_stored(&first, &r);
		cr_assert_eq(receipt_decode_stored(&back, buf_bytes(&first), NULL), OK);
		cr_assert_eq(back.type, types[i]);
		cr_assert_eq(back.success, i != 1);
		cr_assert_eq(back.log_count, 3);
		cr_assert_eq(back.logs[2].topic_count, 4);
		cr_assert_eq(back.logs[0].data.size, 5);
		/* The bytes are its own. */
		memset(first.data, 0, first.size);
		cr_assert_eq(back.logs[0].data.data[4], 5);
		receipt_encode_stored(&second, &back);
		buf_reset(&first);
		receipt_encode_stored(&first, &r);
		assert_bytes(buf_bytes(&second), buf_bytes(&first));
		buf_clear(&first);
		buf_clear(&second);
		receipt_clear(&r);
		receipt_clear(&back);
	}
}

/* Bits by the yellow paper's formula M3:2048, counted from the other end. */
static bool bloom_has(const struct bloom *bloom, struct bytes value)
{
	struct hash h;
	unsigned found = 0;

	keccak256(&h, value);
	for (int pair = 0; pair < 3; pair++) {
		unsigned bit = (h.bytes[2 * pair] * 256u + h.bytes[2 * pair + 1]) % 2048;

		found += bloom->bytes[255 - bit / 8] >> bit % 8 & 1;
	}
	return found == 3;
}

static unsigned bloom_weight(const struct bloom *bloom)
{
	unsigned weight = 0;

	for (size_t i = 0; i < BLOOM_SIZE; i++)
		weight += (unsigned)__builtin_popcount(bloom->bytes[i]);
	return weight;
}

Test(receipt, bloom_holds_addresses_and_topics_and_little_else)
{
	struct receipt r = sample(TX_LEGACY);
	struct bloom bloom = { 0 };
	struct addr address;
	struct hash topic;

	receipt_bloom(&r, &bloom);
	for (uint64_t n = 1; n <= 9; n++) {
		address = addr_of(n);
		topic = hash_of(n);
		if (n == 1 || n == 4 || n == 5)
			cr_assert(bloom_has(&bloom, addr_bytes(&address)));
		else
			cr_assert(bloom_has(&bloom, hash_bytes(&topic)));
	}
	cr_assert_leq(bloom_weight(&bloom), 9 * 3);
	cr_assert_gt(bloom_weight(&bloom), 9 * 3 - 5);
	receipt_clear(&r);
}

Test(receipt, encode_is_ethereums_envelope)
{
	struct receipt r = { .type = TX_LEGACY, .success = true, .cumulative_gas_used = 21000 };
	struct buf got = { 0 }, want = from_hex("f90108 01 825208 b90100");

	memset(buf_extend(&want, 256), 0, 256);
	buf_append_byte(&want, 0xc0);
	receipt_encode(&got, &r);
	assert_bytes(buf_bytes(&got), buf_bytes(&want));

	r.type = TX_DYNAMIC_FEE;
	buf_reset(&got);
	receipt_encode(&got, &r);
	cr_assert_eq(got.data[0], 2);
	assert_bytes(bytes_of(got.data + 1, got.size - 1), buf_bytes(&want));

	r.success = false;
	want.data[3] = 0x80;
	buf_reset(&got);
	receipt_encode(&got, &r);
	assert_bytes(bytes_of(got.data + 1, got.size - 1), buf_bytes(&want));
	buf_clear(&got);
	buf_clear(&want);
}

Test(receipt, decode_refuses_bad_input)
{
	static const char *const bad[] = {
		"", "c0", "c50301808080",               /* type 3 */
		"c500028080c0",                         /* a leading zero; success 2 */
		"c5800280 80c0", "c5800180 80c0c0",
		"e4 80018080 dedd 94000102030405060708090a0b0c0d0e0f10111213 c5808080808080",
		"c680018080c180",
	};
	struct receipt r = sample(TX_ACCESS_LIST), back;
	struct buf rlp = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct buf b = from_hex(bad[i]);

		cr_assert_eq(receipt_decode_stored(&back, buf_bytes(&b), NULL),
			     CHAIN_E_BLOCK_FORMAT, "%s", bad[i]);
		buf_clear(&b);
	}
	receipt_encode_stored(&rlp, &r);
	for (size_t size = 0; size < rlp.size; size++)
		cr_assert_neq(receipt_decode_stored(&back, bytes_of(rlp.data, size), NULL), OK);
	buf_clear(&rlp);
	receipt_clear(&r);
}

Test(receipt, decode_takes_four_topics_and_not_five)
{
	for (size_t topic_count = 4; topic_count <= 5; topic_count++) {
		struct buf rlp = { 0 };
		size_t list = rlp_list_open(&rlp), logs, log, topics;
		struct addr address = addr_of(1);
		struct hash topic = hash_of(2);
		struct receipt back;

		for (uint64_t field = 0; field < 4; field++)
			rlp_put_u64(&rlp, 1);
		logs = rlp_list_open(&rlp);
		log = rlp_list_open(&rlp);
		rlp_put_addr(&rlp, &address);
		topics = rlp_list_open(&rlp);
		for (size_t i = 0; i < topic_count; i++)
			rlp_put_hash(&rlp, &topic);
		rlp_list_close(&rlp, topics);
		rlp_put_bytes(&rlp, bytes_of(NULL, 0));
		rlp_list_close(&rlp, log);
		rlp_list_close(&rlp, logs);
		rlp_list_close(&rlp, list);
		cr_assert_eq(receipt_decode_stored(&back, buf_bytes(&rlp), NULL),
			     topic_count == 4 ? OK : CHAIN_E_BLOCK_FORMAT);
		if (topic_count == 4)
			receipt_clear(&back);
		buf_clear(&rlp);
	}
}
