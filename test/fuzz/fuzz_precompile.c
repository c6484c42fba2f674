/*
 * The precompiles, each against its like from the specification (reference.h): what it
 * accepts, what it gives, what it costs, and that one gas less fails. A pairing has no
 * second implementation here: which points it takes is compared, and its answer must
 * keep the laws of a bilinear map.
 *
 * The input: which precompile, revision and way, then
 *   way 0: the precompile's input as it is
 *   way 1: numbers from which a valid one is made, a bit of which may then be turned
 */
#include "fuzz.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "base/buf.h"
#include "base/check.h"
#include "crypto/bn254.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "reference.h"
#include "vm/precompiles.h"

#define GAS_MAX 100000u /* keeps one input to milliseconds */
#define SIZE_MAX_HERE 4096

#define G1 "0000000000000000000000000000000000000000000000000000000000000001"                  \
	   "0000000000000000000000000000000000000000000000000000000000000002"
#define G2 "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"                  \
	   "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"                  \
	   "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"                  \
	   "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define PRIME "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47"
#define ORDER "30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001"
#define SECP_ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define P256_ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
/* RFC 6979, A.2.5 */
#define P256_TRUE "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf"            \
		  "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"            \
		  "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"            \
		  "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"            \
		  "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define LENGTH(two) "00000000000000000000000000000000000000000000000000000000000000" two

const char *const fuzz_seeds[] = {
	"00 02 00 456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3"
	"000000000000000000000000000000000000000000000000000000000000001c"
	"9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608"
	"4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada",
	"00 00 00" ZERO LENGTH("1b") SECP_ORDER SECP_ORDER,
	"01 00 00 616263", "02 00 00 616263", "03 01 00 616263",
	"04 02 00" LENGTH("01") LENGTH("20") LENGTH("20") "03"
	"fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e"
	"fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
	"04 00 00" LENGTH("00") LENGTH("20") LENGTH("20") ZERO ZERO,
	"04 01 00" LENGTH("21") LENGTH("03") LENGTH("21") ZERO "05 010001" ZERO "10",
	"04 02 00 00000000000000000000000000000000000000000000000000000000000004 01" LENGTH("01") LENGTH("01"),
	"05 00 00" G1 G1, "05 00 00" G1 ZERO ZERO, "05 00 00" PRIME ZERO, "05 00 01 0102030405",
	"06 00 00" G1 ORDER, "06 00 00" G1 PRIME, "06 00 01 ffff0102",
	"07 00 00" G1 G2, "07 00 00" ZERO ZERO G2, "07 00 00" G1 ZERO ZERO ZERO ZERO, "07 00 00",
	/* on the curve, not in the subgroup */
	"07 00 00" G1 "0000000000000000000000000000000000000000000000000000000000000001"
	"0000000000000000000000000000000000000000000000000000000000000002"
	"2b76c179599bb92a963dac85546a005a777f7c13f6a7b75d5918b6b5808f5fde"
	"101f7278419308b95099eca02dcee0c5381f4d26d1d62313f057167f064101ce",
	"07 00 01 0305 00", "07 00 01 7f11 09",
	"08 00 00 0000000c 48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5"
	"d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b"
	"6162630000000000" ZERO ZERO ZERO "000000000000000000000000000000000000000000000000"
	"0300000000000000 0000000000000000 01",
	"09 02 00" P256_TRUE, "09 02 00" ZERO P256_ORDER P256_ORDER ZERO ZERO, "09 02 01 0102030405060708",
	"09 02 01 000000010001 0000",
	/* found by libFuzzer: the few that cover most */
	"07010301",
	"07010305008208ff",
	"742f7301",
	"040200000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000"
	"000000000000000000000000000000000000200000000000000000000000000000000000000000000000000000000000"
	"00002003ffffffffffffffffffffffffffffffffffffffffff090200af2bdbe1aa9b6ec1ffe2",
	"070000000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000"
	"00000000000000000000000000000000000002198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7ae"
	"f312c21800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed090689d0585ff075ec9e99ad69"
	"0c3395bc4b313370b38ef355acdadcd122975b12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166"
	"fa7daa",
	"000200456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef300000000000000000000000000"
	"0000000000000000000000000000000000001c9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038"
	"8256084f8ae3340c368ae950852ada",
	"2f0211000000700000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"00000000000000000000000000000000000000000000000000000000198e9393920d483a7260bfb731fb5d25f1aabf49"
	"3335a9e71297e485b7aef312c21800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed090689"
	"d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b12c85ea5db8c6deb4aab71808dcb408fe3d1e7"
	"690c43d37b4ce6cc",
	"050001ff6cffffffffff7f000700740700740405",
	"0400000000000000001400000000009c0000000000000000000000000200000000000000000000000000000000000000"
	"0000000000002c00000000000000000000000000000000000000000000f600002c0000000000",
	"070000000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000"
	"000000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000900"
	"000000",
	"07ff0fffffff0f01",
	"0800000000024800c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d182e65a80adf1aee0"
	"93c12b8c68059b6bbd41fbabd9831f79217e1319cde05b61626300000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"00000000000000030000000000d182e65a80adf1aee00001",
	"ffffff7f0074",
	"27117f7f001101010009",
	"06090200af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d029cd45e81d69d2c877be900dbb9af00000000000000000000"
	"0000000000000000000000000000000000f406024dc4ab2f843acda860fed4ba255a9d31c96199a41ae9e95628bc64f2"
	"f1b20c2d",
	"050000000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000"
	"000000000000000000000000000000000000020000000000050000300000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000080000000020000000000000000000002",
	"04000000000000000000000000000000000000000000000000000000000000000000000000d292929292339592929292"
	"3395929292fdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfd00200000000000000000000000000000000000210000"
	"00000007",
	"0701030404",
	"04210000000000000000000000690c5500",
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000001bfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0"
	"364141ffffffffffffffffffffffff0300fffffffebaaedce6af48a03bbfd25e8cd0364141",
	"070000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"00000000000000000000000000000000000000e38e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7ae"
	"f312c218000700001f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed090689d0585ff075ec9e99ad69"
	"0c3395bc4b313370b38ef355acdadcd122975b12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166"
	"fa7daa",
	"080000000027117f7f0011010100093ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d182e6ad7f520e511f"
	"6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b61626300000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000a5000000000000000000000000000000000000d600000000000000000000"
	"000000000000030000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000300000000000000000000000000000000",
	"0402ff0c0003080000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"00000000000000000001ff5f69740073",
	"0800000000000248c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d182e65a80adf1aee0"
	"93c12b8c68059b6bbd41fbabd9831f79217e1319cde05b61626300000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000300000000000000000000000000000001",
	"2400ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"08000000000000000000000000000000000000ffffffff00000000ffffffffffffffffbce6faada7179e000000000000"
	"0000000000000000000000000000ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551ffff"
	"ffff00000000ff80bbd3b83c670fdbe6faada7179e84f3b9cac2000000000000000000000000a7179e84f3b9cac20000"
	"000000000000000000000000000000000000000000000000000000198e9393920d483a7260bfb733fb5d25f1aa493335"
	"a9e71297e485b7aef312c218000700001f1e760000000000",
	"60030504",
	"02000063",
	"0907ff0f00000000070000164d",
	"07ff0f406f000700",
	"040100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"100000000000000000000000000000000000000000",
	"040200000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000"
	"000000000000000000000000000000000002200000000000000000000000000000000000000000000000000000000000"
	"00002003ffffffffffffffffffffffffffffffffffffffffff090200af3b2bdbe1aa9b6ec1ffe2",
	"040000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000200000000000000000000000000000000000000000000000000000000000"
	"00002000000000000000000000000000000000000000000000ffffffffffffffffffffffffffffffff00000000000000"
	"0000000000000000000000000000002c0000000000",
	"07006d6d6d6d6d0000000000000000000000000000000000000000000000000000000000000000010000000000000000"
	"000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000f7ffffffffffffff00000000000000000000000000000000000000000000"
	"0000000000000000",
	"0800000000008c48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d182e6ad7f520e511f"
	"6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b61626300000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000a50000000000000000000000000000000000000000000000000000000000"
	"0000000000000300000000003d0000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000300000000000000000000000000000000",
	"74747474",
	"060001ffff0102",
	"0500010102ff04777777777777777777888c7777777777",
	"050000000000000000000000000000000000000000000000000000000000000000000100000000000000000000000000"
	"0000000000000000000000000000000000000200000000000000000000000000",
	"060000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000000000010000000000000000000000000000"
	"00000000",
	NULL,
};

/* --- running one --- */

struct answer {
	struct vm_result result;
	uint64_t cost;
};

static struct answer run(enum revision revision, uint16_t number, struct bytes input, uint64_t gas)
{
	static const uint8_t seed[32] = { 1 };
	struct ecc *ecc = number == 1 ? ecc_new(seed) : NULL;
	struct p256 *p256 = number == 0x0100 ? p256_new() : NULL;
	const struct precompiles p = { .revision = revision, .ecc = ecc, .p256 = p256 };
	struct answer a = { .result.gas_left = gas };

	precompile_run(&p, number, input, &a.result);
	CHECK(a.result.gas_left <= gas);
	a.cost = gas - a.result.gas_left;
	if (a.result.status != VM_SUCCESS)
		CHECK(a.result.status == VM_FAILURE && a.cost == gas && a.result.output.size == 0);
	p256_free(p256);
	ecc_free(ecc);
	return a;
}

static bool succeeded(const struct answer *a)
{
	return a->result.status == VM_SUCCESS;
}

static bool gives(const struct answer *a, struct bytes want)
{
	return succeeded(a) && bytes_equal(buf_bytes(&a->result.output), want);
}

static void clear(struct answer *a)
{
	buf_clear(&a->result.output);
}

/* Input as if followed by zeros. */
static void pad(uint8_t *out, size_t size, struct bytes input)
{
	memset(out, 0, size);
	if (input.size)
		memcpy(out, input.data, MIN(size, input.size));
}

/* --- each against its like --- */

static void check_recover(const struct answer *a, struct bytes input)
{
	uint8_t in[128], want[32] = { 0 };
	struct addr address;
	bool valid = true;

	pad(in, sizeof(in), input);
	for (int i = 32; i < 63; i++)
		valid = valid && in[i] == 0;
	valid = valid && (in[63] == 27 || in[63] == 28) &&
		reference_recover(&address, in, in + 64, in + 96, in[63] == 28);
	if (valid)
		memcpy(want + 12, address.bytes, 20);
	CHECK(gives(a, bytes_of(want, valid ? 32 : 0)) && a->cost == 3000);
}

/* OpenSSL computes both: what is checked is where the digest stands, and the price. */
static void check_hash(uint16_t number, const struct answer *a, struct bytes input)
{
	uint64_t words = (input.size + 31) / 32;
	uint8_t want[32] = { 0 };
	struct hash h;

	if (number == 2) {
		sha256(&h, input);
		memcpy(want, h.bytes, 32);
	} else {
		ripemd160(want + 12, input);
	}
	CHECK(gives(a, bytes_of(want, 32)));
	CHECK(a->cost == (number == 2 ? 60 + 12 * words : 600 + 120 * words));
}

static void check_identity(const struct answer *a, struct bytes input)
{
	CHECK(gives(a, input) && a->cost == 15 + 3 * ((input.size + 31) / 32));
}

/* A length, or more than this target asks for. */
static uint64_t length_at(struct bytes input, size_t index)
{
	uint8_t head[96];
	uint64_t n = 0;

	pad(head, sizeof(head), input);
	for (size_t i = 0; i < 32; i++)
		n = n > UINT64_MAX >> 9 ? n : n << 8 | head[32 * index + i];
	return n;
}

/* EIP-2565 and EIP-7883, with numbers as long as they need; SIZE_MAX_HERE bounds the lengths. */
static uint64_t modexp_price(enum revision revision, uint64_t b, uint64_t e, uint64_t m, const uint8_t *exponent)
{
	uint64_t longest = MAX(b, m), words = (longest + 7) / 8, complexity = words * words, count = 0;
	BIGNUM *head = BN_bin2bn(exponent, (int)MIN(e, 32ull), NULL);
	uint64_t bits = (uint64_t)BN_num_bits(head);

	BN_free(head);
	count = bits ? bits - 1 : 0;
	if (e > 32)
		count += (revision >= REVISION_OSAKA ? 16 : 8) * (e - 32);
	count = MAX(count, 1ull);
	if (revision < REVISION_OSAKA)
		return MAX(complexity * count / 3, 200ull);
	return MAX((longest > 32 ? 2 * complexity : 16) * count, 500ull);
}

static void check_modexp(enum revision revision, const struct answer *a, struct bytes input, uint64_t gas)
{
	uint64_t b = length_at(input, 0), e = length_at(input, 1), m = length_at(input, 2), price;
	uint8_t *rest, *want;

	if (revision >= REVISION_OSAKA && (b > 1024 || e > 1024 || m > 1024)) {
		CHECK(!succeeded(a));
		return;
	}
	if (b > SIZE_MAX_HERE || e > SIZE_MAX_HERE || m > SIZE_MAX_HERE)
		return;
	rest = xmalloc(b + e + m + 1);
	want = xmalloc(m + 1);
	pad(rest, b + e + m, input.size > 96 ? bytes_of(input.data + 96, input.size - 96) : bytes_of(NULL, 0));
	price = modexp_price(revision, b, e, m, rest + b);
	CHECK(succeeded(a) == (price <= gas));
	if (succeeded(a)) {
		reference_modexp(want, bytes_of(rest, b), bytes_of(rest + b, e), bytes_of(rest + b + e, m));
		CHECK(gives(a, bytes_of(want, m)) && a->cost == price);
	}
	free(rest);
	free(want);
}

static void check_point(uint16_t number, const struct answer *a, struct bytes input)
{
	uint8_t in[128], want[64];
	bool valid;

	pad(in, number == 6 ? 128 : 96, input);
	valid = number == 6 ? reference_add(want, in) : reference_mul(want, in);
	CHECK(succeeded(a) == valid);
	if (valid)
		CHECK(gives(a, bytes_of(want, 64)) && a->cost == (number == 6 ? 150 : 6000));
}

/* The second group's generator. */
static void append_g2(struct buf *out)
{
	static const char text[] = G2;

	for (size_t i = 0; i < 128; i++) {
		unsigned byte = 0;

		for (size_t k = 0; k < 2; k++) {
			char c = text[2 * i + k];

			byte = byte << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		}
		buf_append_byte(out, (uint8_t)byte);
	}
}

/* That the generator is a point of its group takes milliseconds to find out: once is enough. */
static bool pair_is_valid(const uint8_t *pair)
{
	static bool has_checked;
	uint8_t in[128] = { 0 }, sum[64];
	struct buf generator = { 0 };
	bool is_generator;

	append_g2(&generator);
	is_generator = memcmp(pair + 64, generator.data, 128) == 0;
	buf_clear(&generator);
	memcpy(in, pair, 64);
	if (!reference_add(sum, in))
		return false;
	if (is_generator && has_checked)
		return true;
	has_checked = has_checked || is_generator;
	return reference_is_g2(pair + 64);
}

/* The product does not depend on the order, and a pair with its inverse takes nothing away. */
static void check_laws(struct bytes input, bool is_one)
{
	static const uint8_t minus_one[] = "\x30\x64\x4e\x72\xe1\x31\xa0\x29\xb8\x50\x45\xb6\x81\x81\x58\x5d"
					   "\x28\x33\xe8\x48\x79\xb9\x70\x91\x43\xe1\xf5\x93\xf0\x00\x00\x00";
	size_t count = input.size / 192;
	uint8_t *turned = xmalloc(input.size + 384), in[96];
	bool answer;

	for (size_t i = 0; i < count; i++)
		memcpy(turned + 192 * i, input.data + 192 * (count - 1 - i), 192);
	CHECK(bn254_pairing(&answer, turned, count) && answer == is_one);
	if (count) {
		memcpy(turned + input.size, input.data, 192);
		memcpy(turned + input.size + 192, input.data, 192);
		memcpy(in, input.data, 64);
		memcpy(in + 64, minus_one, 32);
		CHECK(bn254_mul(turned + input.size, in));
		CHECK(bn254_pairing(&answer, turned, count + 2) && answer == is_one);
	}
	free(turned);
}

static void check_pairing(const struct answer *a, struct bytes input)
{
	uint8_t want[32] = { 0 };
	bool valid = input.size % 192 == 0;

	for (size_t i = 0; valid && i < input.size; i += 192)
		valid = pair_is_valid(input.data + i);
	CHECK(succeeded(a) == valid);
	if (!valid)
		return;
	want[31] = a->result.output.data[31] & 1;
	CHECK(gives(a, bytes_of(want, 32)) && a->cost == 45000 + 34000 * (input.size / 192));
	check_laws(input, want[31]);
}

static void check_blake2f(const struct answer *a, struct bytes input, uint64_t gas)
{
	uint8_t want[64];
	uint64_t rounds = input.size >= 4 ? load_be32(input.data) : 0;

	if (input.size != 213 || input.data[212] > 1 || rounds > gas) {
		CHECK(!succeeded(a));
		return;
	}
	reference_blake2f(want, input.data);
	CHECK(gives(a, bytes_of(want, 64)) && a->cost == rounds);
}

static void check_p256(const struct answer *a, struct bytes input)
{
	uint8_t want[32] = { 0 };
	bool valid = input.size == 160 && reference_p256(input.data);

	want[31] = 1;
	CHECK(gives(a, bytes_of(want, valid ? 32 : 0)) && a->cost == 6900);
}

static void compare(enum revision revision, uint16_t number, const struct answer *a, struct bytes input,
		    uint64_t gas)
{
	switch (number) {
	case 1:
		check_recover(a, input);
		return;
	case 2:
	case 3:
		check_hash(number, a, input);
		return;
	case 4:
		check_identity(a, input);
		return;
	case 5:
		check_modexp(revision, a, input, gas);
		return;
	case 6:
	case 7:
		check_point(number, a, input);
		return;
	case 8:
		check_pairing(a, input);
		return;
	case 9:
		check_blake2f(a, input, gas);
		return;
	default:
		check_p256(a, input);
		return;
	}
}

/* --- valid inputs from a few bytes --- */

static uint64_t take(struct bytes *rest, size_t size)
{
	uint64_t n = 0;

	for (; size && rest->size; size--, rest->data++, rest->size--)
		n = n << 8 | rest->data[0];
	return n;
}

static void multiple(uint8_t out[64], uint64_t by)
{
	uint8_t in[96] = { [31] = 1, [63] = 2 };

	store_be64(in + 88, by);
	CHECK(bn254_mul(out, in));
}

/* A point or its negative, by a bit of the number. */
static void make_points(struct buf *out, struct bytes *rest, size_t count)
{
	for (; count; count--)
		multiple(buf_extend(out, 64), take(rest, 8));
}

/* e(aG, Q) · e(bG, Q) · e(cG, Q), which is 1 if c = -(a + b); c is off by `take`n */
static void make_pairs(struct buf *out, struct bytes *rest)
{
	uint64_t a = take(rest, 1), b = take(rest, 1), off = take(rest, 1) % 4;
	uint8_t in[96] = { 0 };

	multiple(buf_extend(out, 64), a);
	append_g2(out);
	multiple(buf_extend(out, 64), b);
	append_g2(out);
	multiple(in, a + b);
	if (off == 0 && a + b) { /* (x, p - y) by n - 1 */
		BIGNUM *n = NULL;

		CHECK(BN_hex2bn(&n, ORDER) && BN_sub_word(n, 1) && BN_bn2binpad(n, in + 64, 32) == 32);
		BN_free(n);
	} else {
		store_be64(in + 88, off);
	}
	CHECK(bn254_mul(buf_extend(out, 64), in));
	append_g2(out);
}

/* Any u1, u2 and key give a signature: R = u1·G + u2·Q, r = x(R), s = r/u2, digest = u1·s. */
static void make_p256(struct buf *out, struct bytes *rest)
{
	EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	const BIGNUM *order = EC_GROUP_get0_order(g);
	BIGNUM *d = BN_new(), *u1 = BN_new(), *u2 = BN_new(), *x = BN_new(), *y = BN_new(), *r = BN_new(),
	       *s = BN_new();
	EC_POINT *q = EC_POINT_new(g), *point = EC_POINT_new(g);
	BN_CTX *ctx = BN_CTX_new();
	uint8_t in[160] = { 0 };

	CHECK(BN_set_word(d, take(rest, 2) + 1) && BN_set_word(u1, take(rest, 2)) &&
	      BN_set_word(u2, take(rest, 2) + 1));
	CHECK(EC_POINT_mul(g, q, d, NULL, NULL, ctx) && EC_POINT_mul(g, point, u1, q, u2, ctx));
	CHECK(EC_POINT_get_affine_coordinates(g, point, x, y, ctx) && BN_nnmod(r, x, order, ctx));
	CHECK(BN_mod_inverse(s, u2, order, ctx) && BN_mod_mul(s, s, r, order, ctx) &&
	      BN_mod_mul(u1, u1, s, order, ctx));
	CHECK(EC_POINT_get_affine_coordinates(g, q, x, y, ctx));
	CHECK(BN_bn2binpad(u1, in, 32) == 32 && BN_bn2binpad(r, in + 32, 32) == 32 &&
	      BN_bn2binpad(s, in + 64, 32) == 32 && BN_bn2binpad(x, in + 96, 32) == 32 &&
	      BN_bn2binpad(y, in + 128, 32) == 32);
	CHECK(reference_p256(in));
	buf_append(out, in, sizeof(in));
	BN_free(d), BN_free(u1), BN_free(u2), BN_free(x), BN_free(y), BN_free(r), BN_free(s);
	EC_POINT_free(q), EC_POINT_free(point);
	BN_CTX_free(ctx);
	EC_GROUP_free(g);
}

static void make(struct buf *out, uint16_t number, struct bytes rest)
{
	uint64_t turn;

	if (number == 6)
		make_points(out, &rest, 2);
	else if (number == 7)
		make_points(out, &rest, 1);
	else if (number == 8)
		make_pairs(out, &rest);
	else if (number == 0x100)
		make_p256(out, &rest);
	turn = take(&rest, 2); /* most often beyond the end */
	if (turn && turn / 8 < out->size)
		out->data[turn / 8] ^= (uint8_t)(1u << turn % 8);
	if (rest.size)
		buf_append_bytes(out, rest);
}

/* --- */

static void run_and_compare(enum revision revision, uint16_t number, struct bytes input)
{
	/* a pairing takes 5 pairs at most here, blake2f GAS_MAX rounds */
	uint64_t gas = number == 8 ? 45000 + 34000 * 5 : GAS_MAX;
	struct answer a, b;

	if (number == 8)
		input.size = MIN(input.size, (size_t)192 * 5 + 191);
	if (number == 8 && input.size / 192 > 5)
		return;
	a = run(revision, number, input, gas);
	compare(revision, number, &a, input, gas);
	if (succeeded(&a) && a.cost > 0) {
		b = run(revision, number, input, a.cost - 1);
		CHECK(!succeeded(&b));
		clear(&b);
		b = run(revision, number, input, a.cost);
		CHECK(b.result.gas_left == 0 && gives(&b, buf_bytes(&a.result.output)));
		clear(&b);
	}
	clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t numbers[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x100 };
	struct buf made = { 0 };
	enum revision revision;
	struct bytes rest;
	uint16_t number;

	if (size < 3)
		return 0;
	number = numbers[data[0] % ARRAY_COUNT(numbers)];
	revision = (enum revision)(data[1] % 3);
	rest = size > 3 ? bytes_of(data + 3, size - 3) : bytes_of(NULL, 0);
	if (data[2] % 2 == 1 && number >= 6 && number != 9) {
		make(&made, number, rest);
		rest = buf_bytes(&made);
	}
	run_and_compare(revision, number, rest);
	buf_clear(&made);
	return 0;
}
