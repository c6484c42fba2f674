/*
 * What Osaka changed of the precompiles: the prices of modexp (EIP-7883, with its own table)
 * and its bounds (EIP-7823), and P-256 (EIP-7951) at every edge that its text has.
 */
#include <criterion/criterion.h>

#include "base/check.h"
#include "crypto/unhex.h"
#include "vm/precompiles.h"

#define GAS 10000000

static uint64_t run(enum revision revision, uint16_t number, struct bytes input, struct vm_result *r)
{
	const struct precompiles p = { .revision = revision, .p256 = p256_new() };

	*r = (struct vm_result){ .gas_left = GAS };
	precompile_run(&p, number, input, r);
	p256_free(p.p256);
	return GAS - r->gas_left;
}

/* --- modexp --- */

/* The lengths of the cases in EIP-7883's table, the bits of the exponent's first 32 bytes,
 * and the two prices. */
static const struct {
	const char *name;
	size_t base, exponent, modulus;
	unsigned bits;
	uint64_t eip2565, eip7883;
} prices[] = {
	{ "nagydani_1_square", 64, 1, 64, 2, 200, 500 },
	{ "nagydani_1_qube", 64, 1, 64, 2, 200, 500 },
	{ "nagydani_1_pow0x10001", 64, 3, 64, 17, 341, 2048 },
	{ "nagydani_2_square", 128, 1, 128, 2, 200, 512 },
	{ "nagydani_2_qube", 128, 1, 128, 2, 200, 512 },
	{ "nagydani_2_pow0x10001", 128, 3, 128, 17, 1365, 8192 },
	{ "nagydani_3_square", 256, 1, 256, 2, 341, 2048 },
	{ "nagydani_3_qube", 256, 1, 256, 2, 341, 2048 },
	{ "nagydani_3_pow0x10001", 256, 3, 256, 17, 5461, 32768 },
	{ "nagydani_4_square", 512, 1, 512, 2, 1365, 8192 },
	{ "nagydani_4_qube", 512, 1, 512, 2, 1365, 8192 },
	{ "nagydani_4_pow0x10001", 512, 3, 512, 17, 21845, 131072 },
	{ "nagydani_5_square", 1024, 1, 1024, 2, 5461, 32768 },
	{ "nagydani_5_qube", 1024, 1, 1024, 2, 5461, 32768 },
	{ "nagydani_5_pow0x10001", 1024, 3, 1024, 17, 87381, 524288 },
	{ "marius_1_even", 3, 193, 12, 256, 2057, 45296 },
	{ "guido_1_even", 16, 216, 16, 253, 2298, 51136 },
	{ "guido_2_even", 16, 216, 16, 254, 2300, 51152 },
	{ "guido_3_even", 487, 1, 715, 3, 5400, 32400 },
	{ "guido_4_even", 1, 385, 8, 256, 1026, 94448 },
	{ "marcin_1_base_heavy", 192, 1, 192, 2, 200, 1152 },
	{ "marcin_1_exp_heavy", 8, 81, 8, 256, 215, 16624 },
	{ "marcin_1_balanced", 40, 4, 40, 25, 200, 1200 },
	{ "marcin_2_base_heavy", 408, 1, 408, 2, 867, 5202 },
	{ "marcin_2_exp_heavy", 16, 80, 16, 256, 852, 16368 },
	{ "marcin_2_balanced", 56, 8, 56, 62, 996, 5978 },
	{ "marcin_3_base_heavy", 32, 16, 32, 128, 677, 2032 },
	{ "marcin_3_exp_heavy", 24, 32, 24, 256, 765, 4080 },
	{ "marcin_3_balanced", 32, 32, 32, 256, 1360, 4080 },
};

static void put_size(struct buf *b, uint64_t n)
{
	uint8_t word[32] = { 0 };

	store_be64(word + 24, n);
	buf_append(b, word, sizeof(word));
}

/* All zeros, but an exponent of so many bits (in its first 32 bytes) and a modulus of 7. */
static struct buf modexp_input(size_t base, size_t exponent, size_t modulus, unsigned bits)
{
	size_t head = MIN(exponent, (size_t)32);
	struct buf b = { 0 };

	put_size(&b, base);
	put_size(&b, exponent);
	put_size(&b, modulus);
	memset(buf_extend(&b, base + exponent + modulus), 0, base + exponent + modulus);
	if (bits)
		b.data[96 + base + head - 1 - (bits - 1) / 8] = (uint8_t)(1u << (bits - 1) % 8);
	if (modulus)
		b.data[b.size - 1] = 7;
	return b;
}

Test(vm_osaka, modexp_costs_what_the_table_says)
{
	struct vm_result r;

	for (size_t i = 0; i < ARRAY_COUNT(prices); i++) {
		struct buf b = modexp_input(prices[i].base, prices[i].exponent, prices[i].modulus,
					    prices[i].bits);

		cr_assert_eq(run(REVISION_PRAGUE, 5, buf_bytes(&b), &r), prices[i].eip2565, "%s",
			     prices[i].name);
		cr_assert_eq(r.output.size, prices[i].modulus);
		buf_clear(&r.output);
		cr_assert_eq(run(REVISION_OSAKA, 5, buf_bytes(&b), &r), prices[i].eip7883, "%s",
			     prices[i].name);
		cr_assert_eq(r.output.size, prices[i].modulus);
		buf_clear(&r.output);
		buf_clear(&b);
	}
}

/* EIP-7823: 1024 bytes of each; one more, and all gas is gone. */
Test(vm_osaka, modexp_is_bounded_in_each_length)
{
	struct vm_result r;

	for (int i = 0; i < 3; i++) {
		size_t most[3] = { 1, 1, 1 };
		struct buf b;

		most[i] = 1024;
		b = modexp_input(most[0], most[1], most[2], 1);
		run(REVISION_OSAKA, 5, buf_bytes(&b), &r);
		cr_assert_eq(r.status, VM_SUCCESS);
		buf_clear(&r.output);
		buf_clear(&b);
		most[i] = 1025;
		b = modexp_input(most[0], most[1], most[2], 1);
		cr_assert_eq(run(REVISION_OSAKA, 5, buf_bytes(&b), &r), GAS);
		cr_assert_eq(r.status, VM_FAILURE);
		cr_assert_eq(r.output.size, 0);
		run(REVISION_PRAGUE, 5, buf_bytes(&b), &r);
		cr_assert_eq(r.status, VM_SUCCESS);
		buf_clear(&r.output);
		buf_clear(&b);
	}
}

/* The bound counts even where nothing is to be done. */
Test(vm_osaka, modexp_is_bounded_without_a_modulus)
{
	struct buf b = { 0 };
	struct vm_result r;

	put_size(&b, 0);
	put_size(&b, 1025);
	put_size(&b, 0);
	cr_assert_eq(run(REVISION_OSAKA, 5, buf_bytes(&b), &r), GAS);
	cr_assert_eq(r.status, VM_FAILURE);
	cr_assert_eq(run(REVISION_PRAGUE, 5, buf_bytes(&b), &r), 200);
	cr_assert_eq(r.status, VM_SUCCESS);
	buf_clear(&b);
}

/* --- P-256 --- */

/* Made by plain arithmetic: digest, r, s, x, y. */
static const struct {
	const char *name;
	bool valid;
	const char *input;
} signatures[] = {
	{ "valid", true,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "s in the upper half is valid too", true,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "cd85a7b1dddda2593a92ba93db9a8c8a278611e111b52b9d0c2c48ca73d75a6f"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "hash 0", true,
	  "0000000000000000000000000000000000000000000000000000000000000000"
	  "e906ea957ee5e4dcaebfca89ab781bff3cd757949bd1c01419db34189b6be572"
	  "bd3548dca48e9f3c1cddeb5b8ddcfd09c6048c3a6798e37ee022e741a8f310d2"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "hash 3", true,
	  "0000000000000000000000000000000000000000000000000000000000000003"
	  "c135640926b5ada801257fd45c0479ec09a59b9011a7b1ca63516f87ea5cf797"
	  "1ce3e9a9b1da879dd360514c2f9722c2e5581bb474c71f2b7b9e7573ed2062b0"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "hash n + 3 is the same hash", true,
	  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632554"
	  "c135640926b5ada801257fd45c0479ec09a59b9011a7b1ca63516f87ea5cf797"
	  "1ce3e9a9b1da879dd360514c2f9722c2e5581bb474c71f2b7b9e7573ed2062b0"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "hash n is 0", true,
	  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
	  "e906ea957ee5e4dcaebfca89ab781bff3cd757949bd1c01419db34189b6be572"
	  "bd3548dca48e9f3c1cddeb5b8ddcfd09c6048c3a6798e37ee022e741a8f310d2"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "hash of all ones", true,
	  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	  "3cdd8bcf5b734da67714f14a8eed03c766af75e5d0faf1ba04b2eca3bddcd47a"
	  "bf7e7ddbf8002a4e55311aa2fcf490b3f78225e9d4a2b1c29913854edb5be2aa"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "r 0", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "0000000000000000000000000000000000000000000000000000000000000000"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "s 0", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "0000000000000000000000000000000000000000000000000000000000000000"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "r n", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "s n", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "r of all ones", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "x(R) is n or more: r is less by n", true,
	  "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192aa"
	  "0000000000000000000000000000000000000000000000000000000000000003"
	  "41bacf910a60dd680a60dd67c8a60dd66b500fee50f4c46068177cb585fdc7da"
	  "5c34d1b8b59f3cb7bdf9c36601f30e3bb66e77a3db5087e5985254cc6d2af902"
	  "720afc9c411ffb77f22f87ba0cf756a8f80f2a2b826f94877b0c8188da64ac3a" },
	{ "and r itself may not be n or more", false,
	  "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192aa"
	  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632554"
	  "41bacf910a60dd680a60dd67c8a60dd66b500fee50f4c46068177cb585fdc7da"
	  "5c34d1b8b59f3cb7bdf9c36601f30e3bb66e77a3db5087e5985254cc6d2af902"
	  "720afc9c411ffb77f22f87ba0cf756a8f80f2a2b826f94877b0c8188da64ac3a" },
	{ "both summands are the same point", true,
	  "cd85f09ba71c3de46cf18f6f6c9ac818876881e9f84171c2984ad36a4d9ba202"
	  "6bfa907f3edc150c1ab16e36012cfddb6907f6144311fb5c8197f682e147165e"
	  "1598834ca62c04359ef0493e003c32c57b67fe040d69ff12805197b3c6a7d146"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "the sum is at infinity", false,
	  "cb6425cd348c00ac9c3b52f1670275b7f8423f3b32141c71d824fa041b3297fb"
	  "2faab997dc7495a56a141fc767498ea0b063ae4a91bc4055453fed67e79f055f"
	  "cc684d81df9b2d13283b1ff9b6249e11a685d65675b58270e1b40d6a4fd08f66"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "the key at infinity", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "0000000000000000000000000000000000000000000000000000000000000000"
	  "0000000000000000000000000000000000000000000000000000000000000000" },
	{ "the key is not on the curve", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eef" },
	{ "the negative key", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "8f45082dd7776fd695f3e298522efcedc37a654a640716bce36c7b6cf2b48111" },
	{ "a key of small x", true,
	  "8ee5f658db5a274a3bc2d564a6751628c4137ab7de2af05b38301752a2bf2d08"
	  "542ec780d1622425e587e7bb38ee5662bea7d8f9f1776f5b2ff3819625cce233"
	  "f5cf1436d478431222f2698721a0de13295f5748c96d721097b60a841f7c8d8d"
	  "0000000000000000000000000000000000000000000000000000000000000005"
	  "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc" },
	{ "x + p is not x", false,
	  "8ee5f658db5a274a3bc2d564a6751628c4137ab7de2af05b38301752a2bf2d08"
	  "542ec780d1622425e587e7bb38ee5662bea7d8f9f1776f5b2ff3819625cce233"
	  "f5cf1436d478431222f2698721a0de13295f5748c96d721097b60a841f7c8d8d"
	  "ffffffff00000001000000000000000000000001000000000000000000000004"
	  "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc" },
	{ "key x p, that is 0", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
	{ "key y p", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff" },
	{ "the key is the generator", true,
	  "a6f9dea19871af30e0899b30dcb283708f91b3371ad187c40a4571474842ce54"
	  "e2534a3532d08fbba02dde659ee62bd0031fe2db785596ef509302446b030852"
	  "e2534a3532d08fbba02dde659ee62bd0031fe2db785596ef509302446b030852"
	  "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
	  "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5" },
	{ "and its negative", true,
	  "76d7714aa709ee7a9ef6a8090e1f504b84b542f9c0beb31bfe681031d9d0a717"
	  "7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"
	  "7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"
	  "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
	  "b01cbd1c01e58065711814b583f061e9d431cca994cea1313449bf97c840ae0a" },
	{ "r and s exchanged", false,
	  "8ab053a2141e88230189f1498fbe63592febb56fda11004285831548a3860d08"
	  "327a584d22225da7c56d456c246573759560e8cc956272e7e78d81f8888bcae2"
	  "9c080a00d76a61559822a8c3f369f52b4e97933f15316d04ce3178af031f7ae5"
	  "f9ebe464147cc102d92324d099d927c1a50e42d57a08a116ffec0a29819d8c65"
	  "70baf7d12888902a6a0c1d67add103123c859ab69bf8e9431c9384930d4b7eee" },
};

Test(vm_osaka, p256_takes_what_the_eip_takes)
{
	for (size_t i = 0; i < ARRAY_COUNT(signatures); i++) {
		uint8_t in[160];
		struct vm_result r;

		unhex(in, sizeof(in), signatures[i].input);
		cr_assert_eq(run(REVISION_OSAKA, 0x100, bytes_of(in, sizeof(in)), &r), 6900, "%s",
			     signatures[i].name);
		cr_assert_eq(r.status, VM_SUCCESS);
		cr_assert_eq(r.output.size, signatures[i].valid ? 32 : 0, "%s", signatures[i].name);
		if (signatures[i].valid)
			cr_assert_eq(r.output.data[31], 1);
		buf_clear(&r.output);
	}
}

/* "If the input length is not exactly 160 bytes, return": and it costs as much. */
Test(vm_osaka, p256_wants_160_bytes)
{
	static const size_t sizes[] = { 0, 1, 32, 128, 159, 161, 192, 320 };
	uint8_t in[320] = { 0 };
	struct vm_result r;

	unhex(in, 160, signatures[0].input);
	for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
		cr_assert_eq(run(REVISION_OSAKA, 0x100, bytes_of(in, sizes[i]), &r), 6900);
		cr_assert_eq(r.status, VM_SUCCESS);
		cr_assert_eq(r.output.size, 0);
	}
}

Test(vm_osaka, p256_has_its_address_from_osaka_on)
{
	struct addr a = { { [18] = 1 } };
	uint16_t number;

	cr_assert_not(precompile_at(&a, REVISION_PRAGUE, &number));
	cr_assert(precompile_at(&a, REVISION_OSAKA, &number));
	cr_assert_eq(number, 0x100);
	a.bytes[19] = 1;
	cr_assert_not(precompile_at(&a, REVISION_OSAKA, &number));
}
