#include "fixture.h"

#include "chain/tx.h"
#include "codec/rlp.h"
#include "crypto/kdf.h"
#include "crypto/keccak.h"

static struct header sample(void)
{
	struct header h = {
		.parent_hash = hash_of(1),
		.coinbase = addr_of(2),
		.state_root = hash_of(3),
		.transactions_root = hash_of(4),
		.receipts_root = hash_of(5),
		.height = 0x1234,
		.gas_limit = 240000000,
		.gas_used = 21000,
		.timestamp = 1700000000,
		.extra_data = hash_of(6),
		.mix_hash = hash_of(7),
		.base_fee = wei_of(1000000000),
		.withdrawals_root = hash_of(8),
		.parent_beacon_root = hash_of(9),
	};

	memset(h.logs_bloom.bytes, 0xb1, BLOOM_SIZE);
	return h;
}

static void put(struct buf *out, const char *hex)
{
	struct buf b = from_hex(hex);

	buf_append_bytes(out, buf_bytes(&b));
	buf_clear(&b);
}

static void put_hash(struct buf *out, uint64_t n)
{
	struct hash h = hash_of(n);

	buf_append_byte(out, 0xa0);
	buf_append(out, h.bytes, 32);
}

/* Field by field as bytes, without the encoder: the order of the execution
 * specification's Prague header. */
Test(header, encode_writes_the_21_fields_in_order)
{
	struct header h = sample();
	struct addr coinbase = addr_of(2);
	struct buf want = { 0 }, got = { 0 };

	put(&want, "f90000"); /* the length follows */
	put_hash(&want, 1);
	put(&want, "a01dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");
	put(&want, "94");
	buf_append(&want, coinbase.bytes, 20);
	put_hash(&want, 3);
	put_hash(&want, 4);
	put_hash(&want, 5);
	put(&want, "b90100");
	memset(buf_extend(&want, 256), 0xb1, 256);
	put(&want, "80");             /* difficulty */
	put(&want, "821234");         /* number */
	put(&want, "840e4e1c00");     /* gas limit */
	put(&want, "825208");         /* gas used */
	put(&want, "846553f100");     /* timestamp */
	put_hash(&want, 6);           /* extra data */
	put_hash(&want, 7);           /* mix hash */
	put(&want, "880000000000000000");
	put(&want, "843b9aca00");     /* base fee */
	put_hash(&want, 8);           /* withdrawals root */
	put(&want, "8080");           /* blob gas used, excess */
	put_hash(&want, 9);           /* parent beacon block root */
	put(&want, "a0e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	want.data[1] = (uint8_t)((want.size - 3) >> 8);
	want.data[2] = (uint8_t)(want.size - 3);

	header_encode(&got, &h);
	assert_bytes(buf_bytes(&got), buf_bytes(&want));
	buf_clear(&got);
	buf_clear(&want);
}

Test(header, decode_gives_back_what_was_encoded)
{
	struct header h = sample(), back;
	struct buf rlp = { 0 }, again = { 0 };
	struct hash hash, direct;

	header_encode(&rlp, &h);
	cr_assert_eq(header_decode(&back, buf_bytes(&rlp), NULL), OK);
	cr_assert_eq(back.height, 0x1234);
	cr_assert_eq(back.timestamp, 1700000000);
	cr_assert_eq(back.base_fee.n.limbs[0], 1000000000);
	header_encode(&again, &back);
	assert_bytes(buf_bytes(&again), buf_bytes(&rlp));
	buf_clear(&again);
	header_hash(&h, &hash);
	keccak256(&direct, buf_bytes(&rlp));
	cr_assert(hash_equal(&hash, &direct));
	buf_clear(&rlp);
}

Test(header, constants_are_the_hashes_they_are_named_after)
{
	struct buf rlp = { 0 };
	struct hash h;
	struct header sample_header = sample();

	keccak256(&h, bytes_of("\x80", 1));
	cr_assert(hash_equal(&h, &header_empty_trie_root));
	keccak256(&h, bytes_of(NULL, 0));
	cr_assert(hash_equal(&h, &header_empty_code_hash));
	keccak256(&h, bytes_of("\xc0", 1));
	cr_assert(hash_equal(&h, &header_empty_ommers_hash));
	h = hash_from_hex(EMPTY_TRIE_ROOT_HEX);
	cr_assert(hash_equal(&h, &header_empty_trie_root));
	h = hash_from_hex(EMPTY_CODE_HASH_HEX);
	cr_assert(hash_equal(&h, &header_empty_code_hash));
	header_encode(&rlp, &sample_header);
	sha256(&h, bytes_of(NULL, 0));
	assert_bytes(bytes_of(rlp.data + rlp.size - 32, 32), hash_bytes(&h));
	buf_clear(&rlp);
}

/* No byte may change without the header failing or its hash changing, and the
 * fixed fields not at all. */
Test(header, decode_refuses_other_values_in_fixed_fields)
{
	static const char *const names[] = { "sha3Uncles", "difficulty", "nonce", "blobGasUsed",
					     "excessBlobGas", "requestsHash" };
	static const size_t fields[] = { 1, 7, 14, 17, 18, 20 };
	struct header h = sample(), back;
	struct buf rlp = { 0 };

	header_encode(&rlp, &h);
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
		struct buf other = { 0 };
		struct rlp_reader top, list;
		size_t mark = rlp_list_open(&other);
		struct err err = { 0 };
		struct bytes item;

		rlp_reader_init(&top, buf_bytes(&rlp));
		cr_assert_eq(rlp_read_list(&top, &list, NULL), OK);
		for (size_t field = 0; rlp_reader_more(&list); field++) {
			cr_assert_eq(rlp_read_raw(&list, &item, NULL), OK);
			buf_append_bytes(&other, item);
			if (field == fields[i] && item.size == 1)
				other.data[other.size - 1] = 0x01;
			else if (field == fields[i])
				other.data[other.size - 1] ^= 1;
		}
		rlp_list_close(&other, mark);
		cr_assert_eq(header_decode(&back, buf_bytes(&other), &err), CHAIN_E_BLOCK_FORMAT);
		assert_message(&err, names[i]);
		buf_clear(&other);
	}
	buf_clear(&rlp);
}

Test(header, decode_refuses_every_prefix_and_a_byte_more)
{
	struct header h = sample(), back;
	struct buf rlp = { 0 };

	header_encode(&rlp, &h);
	for (size_t size = 0; size < rlp.size; size++)
		cr_assert_neq(header_decode(&back, bytes_of(rlp.data, size), NULL), OK);
	buf_append_byte(&rlp, 0x80);
	cr_assert_neq(header_decode(&back, buf_bytes(&rlp), NULL), OK);
	buf_clear(&rlp);
}

Test(header, next_mix_covers_parent_and_height)
{
	struct hash parent = hash_of(1), got, want;
	uint8_t joined[40] = { 0 };

	memcpy(joined, parent.bytes, 32);
	joined[38] = 0x01;
	joined[39] = 0x02;
	keccak256(&want, bytes_of(joined, 40));
	header_next_mix(&got, &parent, 0x0102);
	cr_assert(hash_equal(&got, &want));
}

/* --- commitments --- */

static struct commitments sample_commitments(void)
{
	return (struct commitments){
		.time_ms = 1700000000123,
		.validators_hash = hash_of(1),
		.next_validators_hash = hash_of(2),
		.history_root = hash_of(3),
		.milestone_index = 4,
		.witnesses_root = hash_of(5),
		.confirmed_root = hash_of(6),
		.confirmed_count = 7,
	};
}

Test(commitments, encode_writes_the_design_s_list)
{
	struct commitments c = sample_commitments();
	struct buf want = { 0 }, got = { 0 };

	put(&want, "f8b3 01 86018bcfe5687b");
	put_hash(&want, 1);
	put_hash(&want, 2);
	put_hash(&want, 3);
	put(&want, "f844 04");
	put_hash(&want, 5);
	put_hash(&want, 6);
	put(&want, "07");
	want.data[1] = (uint8_t)(want.size - 2);
	commitments_encode(&got, &c);
	assert_bytes(buf_bytes(&got), buf_bytes(&want));
	buf_clear(&got);
	buf_clear(&want);
}

Test(commitments, decode_gives_back_what_was_encoded)
{
	struct commitments c = sample_commitments(), back;
	struct buf rlp = { 0 }, again = { 0 };
	struct err err = { 0 };
	struct hash hash, direct;

	commitments_encode(&rlp, &c);
	cr_assert_eq(commitments_decode(&back, buf_bytes(&rlp), NULL), OK);
	cr_assert_eq(back.confirmed_count, 7);
	commitments_encode(&again, &back);
	assert_bytes(buf_bytes(&again), buf_bytes(&rlp));
	buf_clear(&again);
	commitments_hash(&c, &hash);
	keccak256(&direct, buf_bytes(&rlp));
	cr_assert(hash_equal(&hash, &direct));
	rlp.data[2] = COMMITMENTS_VERSION + 1;
	cr_assert_eq(commitments_decode(&back, buf_bytes(&rlp), &err), CHAIN_E_BLOCK_FORMAT);
	assert_message(&err, "version is 2");
	buf_clear(&rlp);
}
