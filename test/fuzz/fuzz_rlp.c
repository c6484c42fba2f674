/*
 * What rlp_validate() takes, the readers read to the end, and writing what they
 * read gives the same bytes; what it refuses, no reader reads whole.
 */
#include "fuzz.h"

#include "base/check.h"
#include "base/limits.h"
#include "codec/rlp.h"

const char *const fuzz_seeds[] = {
	"80", "00", "7f", "8180", "83646f67", "c0", "c7c0c1c0c3c0c1c0", "c88363617483646f67",
	"b838 4c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e73656374657475"
	"722061646970697369636963696e6720656c6974",
	"f838 80808080808080808080808080808080808080808080808080808080 808080808080808080808080"
	"80808080808080808080808080808080",
	"8100", "b800", "b801ff", "f800", "bf0f000000000000021111", "ff0f000000000000021111",
	"ffffffffffffffffff0001020304050607", "f90180", "c5010203",
	/* 64 lists in each other, and 65. */
	"f846 f844f842f840f83ef83cf83af838 f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0"
	"dfdedddcdbdad9d8d7d6d5d4d3d2d1d0cfcecdcccbcac9c8c7c6c5c4c3c2c1c0",
	"f848 f846f844f842f840f83ef83cf83af838 f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0"
	"dfdedddcdbdad9d8d7d6d5d4d3d2d1d0cfcecdcccbcac9c8c7c6c5c4c3c2c1c0",
	/* A legacy transaction's shape. */
	"f85f 8085025c4b64f3825208 94000102030405060708090a0b0c0d0e0f10111213 880de0b6b3a7640000"
	"8082f4f5 8401020304 8405060708",
	NULL,
};

/* Reads what is left of `r` and appends it again; false at what is malformed or
 * too deep. */
static bool copy_items(struct rlp_reader *r, struct buf *out, unsigned depth)
{
	while (rlp_reader_more(r)) {
		struct rlp_reader list;
		struct bytes s;

		if (rlp_next_is_list(r)) {
			size_t mark;

			if (depth == LIMIT_RLP_DEPTH_MAX || rlp_read_list(r, &list, NULL) != OK)
				return false;
			mark = rlp_list_open(out);
			if (!copy_items(&list, out, depth + 1))
				return false;
			rlp_list_close(out, mark);
		} else {
			if (rlp_read_bytes(r, &s, NULL) != OK)
				return false;
			rlp_put_bytes(out, s);
		}
	}
	return true;
}

/* Each reader of numbers either refuses and stays, or reads what writes back. */
static void check_numbers(struct bytes input)
{
	struct buf out = { 0 };
	struct rlp_reader r;
	struct u256 wide;
	uint64_t v;

	rlp_reader_init(&r, input);
	if (rlp_read_u64(&r, &v, NULL) == OK) {
		rlp_put_u64(&out, v);
		CHECK(bytes_equal(buf_bytes(&out), bytes_of(input.data, out.size)));
	} else {
		CHECK(input.size == 0 || r.at == input.data);
	}
	rlp_reader_init(&r, input);
	buf_reset(&out);
	if (rlp_read_u256(&r, &wide, NULL) == OK) {
		rlp_put_u256(&out, &wide);
		CHECK(bytes_equal(buf_bytes(&out), bytes_of(input.data, out.size)));
	} else {
		CHECK(input.size == 0 || r.at == input.data);
	}
	buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size), raw;
	struct buf out = { 0 };
	struct rlp_reader r;
	struct err err = { 0 };
	bool valid = rlp_validate(input, &err) == OK, copied;
	size_t count = 0;

	CHECK(valid == (err.code == OK));
	rlp_reader_init(&r, input);
	if (rlp_count(&r, &count, 1000, NULL) != OK)
		CHECK(!valid);
	copied = copy_items(&r, &out, 0);
	CHECK(valid == (copied && count == 1));
	if (copied)
		CHECK(bytes_equal(buf_bytes(&out), input));
	rlp_reader_init(&r, input);
	if (rlp_read_raw(&r, &raw, NULL) == OK)
		CHECK(raw.data == data && raw.size <= size && raw.size > 0);
	check_numbers(input);
	buf_clear(&out);
	return 0;
}
