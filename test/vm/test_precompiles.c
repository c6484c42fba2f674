/* The precompiles: published vectors, their gas, and what is malformed. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "crypto/unhex.h"
#include "vm/precompiles.h"

static const struct ecc *no_ecc;

static struct buf from_hex(const char *text)
{
	struct buf b = { 0 };
	size_t size = strlen(text) / 2;

	unhex(buf_extend(&b, size), size, text);
	return b;
}

/* Runs with `gas`; the result's output in hex must be `want` (NULL: a failure). */
static uint64_t check(enum revision revision, uint16_t number, const char *input, uint64_t gas,
		      const char *want)
{
	const struct precompiles p = { .revision = revision, .ecc = no_ecc,
				       .p256 = p256_new() };
	struct vm_result r = { .gas_left = gas };
	struct buf in = from_hex(input), expected = from_hex(want ? want : "");

	precompile_run(&p, number, buf_bytes(&in), &r);
	cr_assert_eq(r.status, want ? VM_SUCCESS : VM_FAILURE, "precompile %u", number);
	cr_assert(bytes_equal(buf_bytes(&r.output), buf_bytes(&expected)), "precompile %u", number);
	cr_assert(want || r.gas_left == 0);
	p256_free(p.p256);
	gas -= r.gas_left;
	buf_clear(&r.output);
	buf_clear(&in);
	buf_clear(&expected);
	return gas;
}

#define ZERO32 "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE32 "0000000000000000000000000000000000000000000000000000000000000001"
#define TWO32 "0000000000000000000000000000000000000000000000000000000000000002"
#define THREE32 "0000000000000000000000000000000000000000000000000000000000000003"

/* The example of go-ethereum's documentation of 0x01, and a v that is none. */
Test(vm_precompiles, ecrecover_finds_the_signer_or_nothing)
{
	static const uint8_t seed[32] = { 1 };
	struct ecc *ecc = ecc_new(seed);

	no_ecc = ecc;
	cr_assert_eq(check(REVISION_CANCUN, 1,
			   "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3"
			   "000000000000000000000000000000000000000000000000000000000000001c"
			   "9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608"
			   "4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada",
			   5000, "0000000000000000000000007156526fbd7a3c72969b54f64e42c10fbb768c8a"),
		     3000);
	check(REVISION_CANCUN, 1, ZERO32 ZERO32 ONE32 ONE32, 5000, "");
	check(REVISION_CANCUN, 1, "", 5000, "");
	check(REVISION_CANCUN, 1, "", 2999, NULL);
	ecc_free(ecc);
	no_ecc = NULL;
}

Test(vm_precompiles, hashes_and_identity)
{
	cr_assert_eq(check(REVISION_CANCUN, 2, "616263", 1000,
			   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), 72);
	cr_assert_eq(check(REVISION_CANCUN, 2, "", 1000,
			   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), 60);
	cr_assert_eq(check(REVISION_CANCUN, 3, "616263", 1000,
			   "0000000000000000000000008eb208f7e05d987a9b044a8e98c6b087f15a0bfc"), 720);
	cr_assert_eq(check(REVISION_CANCUN, 4, "010203", 1000, "010203"), 18);
	check(REVISION_CANCUN, 4, "010203", 17, NULL);
}

/* EIP-198's two examples, and the sizes' corners. */
Test(vm_precompiles, modexp_examples)
{
	check(REVISION_CANCUN, 5,
	      ONE32 "0000000000000000000000000000000000000000000000000000000000000020"
		    "0000000000000000000000000000000000000000000000000000000000000020"
		    "03fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e"
		    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
	      100000, ONE32);
	check(REVISION_CANCUN, 5,
	      ZERO32 "0000000000000000000000000000000000000000000000000000000000000020"
		     "0000000000000000000000000000000000000000000000000000000000000020"
		     "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e"
		     "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
	      100000, ZERO32);
	check(REVISION_CANCUN, 5, "", 1000, "");                       /* all lengths 0 */
	check(REVISION_CANCUN, 5, ONE32 ONE32 ONE32 "000005", 1000, "01"); /* 0^0 */
	check(REVISION_CANCUN, 5, ONE32 ONE32 ONE32 "020301", 1000, "00"); /* modulo 1 */
	check(REVISION_CANCUN, 5, ONE32 ONE32 ONE32 "020300", 1000, "00"); /* modulo 0 */
}

/* 64 bytes of base and modulus: 200 and 341 gas before Osaka, 500 and 2048 since
 * (EIP-2565 and EIP-7883, "nagydani-1"). */
Test(vm_precompiles, modexp_costs_by_revision)
{
	static const char sizes[] = "0000000000000000000000000000000000000000000000000000000000000040";
	char input[2 * (96 + 64 + 3 + 64) + 1], zeros[129];

	memset(zeros, '0', 128);
	zeros[128] = 0;
	snprintf(input, sizeof(input), "%s%s%s%s02%s", sizes, ONE32, sizes, zeros, zeros);
	cr_assert_eq(check(REVISION_PRAGUE, 5, input, 100000, zeros), 200);
	cr_assert_eq(check(REVISION_OSAKA, 5, input, 100000, zeros), 500);
	snprintf(input, sizeof(input), "%s%s%s%s010001%s", sizes, THREE32, sizes, zeros, zeros);
	cr_assert_eq(check(REVISION_PRAGUE, 5, input, 100000, zeros), 341);
	cr_assert_eq(check(REVISION_OSAKA, 5, input, 100000, zeros), 2048);
}

/* EIP-7823: 1024 bytes at most, from Osaka on. */
Test(vm_precompiles, modexp_is_bounded_from_osaka)
{
	static const char size_1024[] = "0000000000000000000000000000000000000000000000000000000000000400";
	static const char size_1025[] = "0000000000000000000000000000000000000000000000000000000000000401";
	static const char huge[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
	char input[193];

	snprintf(input, sizeof(input), "%s%s%s", size_1025, ONE32, ZERO32);
	check(REVISION_OSAKA, 5, input, 1ull << 40, NULL);
	check(REVISION_PRAGUE, 5, input, 1ull << 40, "");
	snprintf(input, sizeof(input), "%s%s%s", size_1024, ONE32, ZERO32);
	check(REVISION_OSAKA, 5, input, 1ull << 40, "");
	snprintf(input, sizeof(input), "%s%s%s", huge, huge, huge);
	check(REVISION_CANCUN, 5, input, 1ull << 60, NULL);
	snprintf(input, sizeof(input), "%s%s%s", ZERO32, huge, ZERO32);
	check(REVISION_CANCUN, 5, input, 1000, "");
}

#define G1 ONE32 TWO32
#define MINUS_G1 ONE32 "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45"
#define PRIME "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47"
#define ORDER "30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001"
#define TWO_G1                                                             \
	"030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3" \
	"15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"
#define G2                                                                 \
	"198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2" \
	"1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed" \
	"090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b" \
	"12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"

Test(vm_precompiles, bn254_adds_and_multiplies)
{
	cr_assert_eq(check(REVISION_CANCUN, 6, G1 G1, 1000, TWO_G1), 150);
	check(REVISION_CANCUN, 6, G1 MINUS_G1, 1000, ZERO32 ZERO32);
	check(REVISION_CANCUN, 6, G1, 1000, G1); /* the rest is zeros: infinity */
	check(REVISION_CANCUN, 6, "", 1000, ZERO32 ZERO32);
	check(REVISION_CANCUN, 6, ONE32 ONE32, 1000, NULL);
	check(REVISION_CANCUN, 6, PRIME ZERO32, 1000, NULL); /* p is not 0 here */
	cr_assert_eq(check(REVISION_CANCUN, 7, G1 TWO32, 10000, TWO_G1), 6000);
	check(REVISION_CANCUN, 7, G1 ORDER, 10000, ZERO32 ZERO32);
	check(REVISION_CANCUN, 7, G1, 10000, ZERO32 ZERO32);
	check(REVISION_CANCUN, 7, ONE32 ONE32 ONE32, 10000, NULL);
}

Test(vm_precompiles, bn254_pairing_is_bilinear)
{
	cr_assert_eq(check(REVISION_CANCUN, 8, "", 200000, ONE32), 45000);
	cr_assert_eq(check(REVISION_CANCUN, 8, G1 G2 MINUS_G1 G2, 200000, ONE32), 113000);
	check(REVISION_CANCUN, 8, G1 G2, 200000, ZERO32);
	check(REVISION_CANCUN, 8, TWO_G1 G2 MINUS_G1 G2 MINUS_G1 G2, 200000, ONE32);
	check(REVISION_CANCUN, 8, ZERO32 ZERO32 G2, 200000, ONE32);
	check(REVISION_CANCUN, 8, G1 ZERO32 ZERO32 ZERO32 ZERO32, 200000, ONE32);
	check(REVISION_CANCUN, 8, G1 G2 "00", 200000, NULL);
	check(REVISION_CANCUN, 8, G1 ZERO32 ZERO32 ZERO32 ONE32, 200000, NULL);
}

/* EIP-152's vectors 4, 5 and 8: 12 rounds are BLAKE2b("abc"). */
#define BLAKE2F_TAIL(final)                                                                 \
	"48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5"                   \
	"d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b"                   \
	"6162630000000000" ZERO32 ZERO32 ZERO32                                               \
	"000000000000000000000000000000000000000000000000"                                   \
	"0300000000000000" "0000000000000000" final

Test(vm_precompiles, blake2f_vectors)
{
	cr_assert_eq(check(REVISION_CANCUN, 9, "0000000c" BLAKE2F_TAIL("01"), 100,
			   "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
			   "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"),
		     12);
	check(REVISION_CANCUN, 9, "0000000c" BLAKE2F_TAIL("02"), 100, NULL);
	check(REVISION_CANCUN, 9, "0000000c" BLAKE2F_TAIL("01"), 11, NULL);
	check(REVISION_CANCUN, 9, "0000000c" BLAKE2F_TAIL("0100"), 100, NULL);
	check(REVISION_CANCUN, 9, "", 100, NULL);
}

/* RFC 6979, A.2.5: "sample" with SHA-256. */
#define P256_DIGEST "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf"
#define P256_R "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
#define P256_S "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
#define P256_X "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define P256_Y "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define P256_ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"

Test(vm_precompiles, p256_verifies)
{
	cr_assert_eq(check(REVISION_OSAKA, 0x100, P256_DIGEST P256_R P256_S P256_X P256_Y, 10000,
			   ONE32), 6900);
	check(REVISION_OSAKA, 0x100, ZERO32 P256_R P256_S P256_X P256_Y, 10000, "");
	check(REVISION_OSAKA, 0x100, P256_DIGEST P256_R P256_S P256_X P256_X, 10000, "");
	check(REVISION_OSAKA, 0x100, P256_DIGEST ZERO32 P256_S P256_X P256_Y, 10000, "");
	check(REVISION_OSAKA, 0x100, P256_DIGEST P256_R P256_ORDER P256_X P256_Y, 10000, "");
	check(REVISION_OSAKA, 0x100, P256_DIGEST P256_R P256_S ZERO32 ZERO32, 10000, "");
	check(REVISION_OSAKA, 0x100, P256_DIGEST P256_R P256_S P256_X P256_Y "00", 10000, "");
	check(REVISION_OSAKA, 0x100, "", 6899, NULL);
}
