#include <criterion/criterion.h>

#include "crypto/ecc.h"
#include "crypto/kdf.h"
#include "unhex.h"

Test(kdf, sha256_equals_fips180_vectors)
{
	struct hash h;

	sha256(&h, bytes_of(NULL, 0));
	cr_assert(is_hex(h.bytes, 32,
			 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	sha256(&h, bytes_of_str("abc"));
	cr_assert(is_hex(h.bytes, 32,
			 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	sha256(&h, bytes_of_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
	cr_assert(is_hex(h.bytes, 32,
			 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
}

Test(kdf, hmac_sha512_equals_rfc4231_vectors)
{
	uint8_t key[20], out[64];

	memset(key, 0x0b, sizeof(key));
	hmac_sha512(out, bytes_of(key, sizeof(key)), bytes_of_str("Hi There"));
	cr_assert(is_hex(out, 64,
			 "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
			 "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"));
	hmac_sha512(out, bytes_of_str("Jefe"), bytes_of_str("what do ya want for nothing?"));
	cr_assert(is_hex(out, 64,
			 "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
			 "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"));
}

Test(kdf, scrypt_equals_rfc7914_vectors)
{
	uint8_t out[64];

	cr_assert_eq(kdf_scrypt(out, 64, bytes_of(NULL, 0), bytes_of(NULL, 0), 16, 1, 1, NULL), OK);
	cr_assert(is_hex(out, 64,
			 "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
			 "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"));
	cr_assert_eq(kdf_scrypt(out, 64, bytes_of_str("password"), bytes_of_str("NaCl"), 1024, 8,
				16, NULL),
		     OK);
	cr_assert(is_hex(out, 64,
			 "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
			 "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"));
	cr_assert_eq(kdf_scrypt(out, 64, bytes_of_str("pleaseletmein"),
				bytes_of_str("SodiumChloride"), 16384, 8, 1, NULL),
		     OK);
	cr_assert(is_hex(out, 64,
			 "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
			 "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"));
}

Test(kdf, scrypt_takes_the_cost_of_a_keystore)
{
	uint8_t out[32];

	cr_assert_eq(kdf_scrypt(out, 32, bytes_of_str("x"), bytes_of_str("y"), 262144, 8, 1, NULL),
		     OK);
}

/* Beyond the RFC's n < 2^(16·r): the Web3 Secret Storage definition's example. */
Test(kdf, scrypt_takes_n_of_2_to_the_18_with_r_of_1)
{
	uint8_t salt[32], out[32];

	unhex(salt, 32, "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19");
	cr_assert_eq(kdf_scrypt(out, 32, bytes_of_str("testpassword"), bytes_of(salt, 32), 262144,
				1, 8, NULL),
		     OK);
	cr_assert(is_hex(out, 32,
			 "fac192ceb5fd772906bea3e118a69e8bbb5cc24229e20d8766fd298291bba6bd"));
}

Test(kdf, scrypt_refuses_parameters_out_of_range)
{
	static const struct {
		uint64_t n;
		uint32_t r, p;
	} cases[] = {
		{ 0, 8, 1 },
		{ 1, 8, 1 },
		{ 3, 8, 1 },
		{ 1000, 8, 1 },
		{ 1024, 0, 1 },
		{ 1024, 8, 0 },
		{ 1ull << 21, 8, 1 }, /* 2 GiB */
		{ 1ull << 63, 1, 1 },
		{ 1ull << 40, UINT32_MAX, 1 },
		{ 2, UINT32_MAX, 1 },
		{ 2, 1, UINT32_MAX },
		{ 1ull << 18, 8, 1u << 16 },
		{ 1ull << 20, 8, UINT32_MAX },
	};
	uint8_t out[32];
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(cases); i++)
		cr_assert_eq(kdf_scrypt(out, 32, bytes_of_str("x"), bytes_of_str("y"), cases[i].n,
					cases[i].r, cases[i].p, &err),
			     CRYPTO_E_LIBRARY, "case %zu", i);
}

Test(kdf, pbkdf2_equals_known_vectors)
{
	uint8_t out[64];

	/* RFC 7914, section 11. */
	cr_assert_eq(
		kdf_pbkdf2_sha256(out, 64, bytes_of_str("passwd"), bytes_of_str("salt"), 1, NULL),
		OK);
	cr_assert(is_hex(out, 64,
			 "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
			 "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"));
	cr_assert_eq(kdf_pbkdf2_sha256(out, 64, bytes_of_str("Password"), bytes_of_str("NaCl"),
				       80000, NULL),
		     OK);
	cr_assert(is_hex(out, 64,
			 "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
			 "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"));
	/* RFC 6070's second case with SHA-512. */
	cr_assert_eq(kdf_pbkdf2_sha512(out, 64, bytes_of_str("password"), bytes_of_str("salt"), 2,
				       NULL), OK);
	cr_assert(is_hex(out, 64,
			 "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c"
			 "f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e"));
}

Test(kdf, pbkdf2_refuses_iterations_out_of_range)
{
	uint8_t out[32];

	cr_assert_eq(kdf_pbkdf2_sha256(out, 32, bytes_of_str("x"), bytes_of_str("y"), 0, NULL),
		     CRYPTO_E_LIBRARY);
	cr_assert_eq(
		kdf_pbkdf2_sha256(out, 32, bytes_of_str("x"), bytes_of_str("y"), 10000001, NULL),
		CRYPTO_E_LIBRARY);
	cr_assert_eq(kdf_pbkdf2_sha512(out, 32, bytes_of_str("x"), bytes_of_str("y"), 0, NULL),
		     CRYPTO_E_LIBRARY);
}

/* NIST SP 800-38A, F.5.1. */
Test(kdf, aes128_ctr_equals_nist_vector)
{
	uint8_t key[16], iv[16], data[64], back[64];

	unhex(key, 16, "2b7e151628aed2a6abf7158809cf4f3c");
	unhex(iv, 16, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
	unhex(data, 64,
	      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
	      "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
	cr_assert_eq(aes128_ctr(back, bytes_of(data, 64), key, iv, NULL), OK);
	cr_assert(is_hex(back, 64,
			 "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
			 "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"));
	cr_assert_eq(aes128_ctr(back, bytes_of(back, 64), key, iv, NULL), OK, "in place");
	cr_assert_eq(memcmp(back, data, 64), 0);
	cr_assert_eq(aes128_ctr(back, bytes_of(data, 13), key, iv, NULL), OK, "part of a block");
	cr_assert(is_hex(back, 13, "874d6191b620e3261bef686499"));
	cr_assert_eq(aes128_ctr(back, bytes_of(NULL, 0), key, iv, NULL), OK);
}
