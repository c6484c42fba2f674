#include <criterion/criterion.h>

#include "crypto/hd.h"
#include "unhex.h"

static struct ecc *e;

static void setup(void)
{
	static const uint8_t seed[32] = { 4, 5, 6 };

	e = ecc_new(seed);
}

static void teardown(void)
{
	ecc_free(e);
}

TestSuite(hd, .init = setup, .fini = teardown);

/* BIP-39's vectors (passphrase TREZOR). */
Test(hd, seed_equals_bip39_vectors)
{
	static const struct {
		const char *phrase, *seed;
	} cases[] = {
		{ "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon "
		  "abandon about",
		  "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d182"
		  "64c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04" },
		{ "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo "
		  "zoo zoo zoo vote",
		  "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e1613912f0a5b694407"
		  "be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad" },
	};
	uint8_t seed[HD_SEED_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_COUNT(cases); i++) {
		cr_assert_eq(hd_seed(seed, cases[i].phrase, "TREZOR", NULL), OK);
		cr_assert(is_hex(seed, sizeof(seed), cases[i].seed), "vector %zu", i);
	}
}

/* BIP-32's test vectors 1, 2 and 3 (the last for keys with leading zeros). */
Test(hd, derive_equals_bip32_vectors)
{
	static const char seed1[] = "000102030405060708090a0b0c0d0e0f";
	static const char seed2[] =
		"fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2"
		"9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542";
	static const char seed3[] =
		"4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4ac"
		"ba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be";
	static const struct {
		const char *seed, *path, *key;
	} cases[] = {
		{ seed1, "m", "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35" },
		{ seed1, "m/0'",
		  "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea" },
		{ seed1, "m/0'/1",
		  "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368" },
		{ seed1, "m/0'/1/2'",
		  "cbce0d719ecf7431d88e6a89fa1483e02e35092af60c042b1df2ff59fa424dca" },
		{ seed1, "m/0'/1/2'/2",
		  "0f479245fb19a38a1954c5c7c0ebab2f9bdfd96a17563ef28a6a4b1a2a764ef4" },
		{ seed1, "m/0'/1/2'/2/1000000000",
		  "471b76e389e528d6de6d816857e012c5455051cad6660850e58372a6c3e6e7c8" },
		{ seed2, "m", "4b03d6fc340455b363f51020ad3ecca4f0850280cf436c70c727923f6db46c3e" },
		{ seed2, "m/0",
		  "abe74a98f6c7eabee0428f53798f0ab8aa1bd37873999041703c742f15ac7e1e" },
		{ seed2, "m/0/2147483647'",
		  "877c779ad9687164e9c2f4f0f4ff0340814392330693ce95a58fe18fd52e6e93" },
		{ seed2, "m/0/2147483647'/1",
		  "704addf544a06e5ee4bea37098463c23613da32020d604506da8c0518e1da4b7" },
		{ seed2, "m/0/2147483647'/1/2147483646'",
		  "f1c7c871a54a804afe328b4c83a1c33b8e5ff48f5087273f04efa83b247d6a2d" },
		{ seed2, "m/0/2147483647'/1/2147483646'/2",
		  "bb7d39bdb83ecf58f2fd82b6d918341cbef428661ef01ab97c28a4842125ac23" },
		{ seed3, "m", "00ddb80b067e0d4993197fe10f2657a844a384589847602d56f0c629c81aae32" },
		{ seed3, "m/0'",
		  "491f7a2eebc7b57028e0d3faa0acda02e75c33b03c48fb288c41e2ea44e1daef" },
	};
	struct secret_key key;
	uint8_t seed[HD_SEED_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_COUNT(cases); i++) {
		size_t size = strlen(cases[i].seed) / 2;

		unhex(seed, size, cases[i].seed);
		cr_assert_eq(hd_derive_from_seed(e, &key, bytes_of(seed, size), cases[i].path,
						 NULL),
			     OK);
		cr_assert(is_hex(key.bytes, 32, cases[i].key), "%s of seed %.8s", cases[i].path,
			  cases[i].seed);
	}
}

Test(hd, derive_dev_mnemonic_gives_the_known_addresses)
{
	static const char *const addresses[] = {
		"f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
		"70997970c51812dc3a010c7d01b50e0d17dc79c8",
		"3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
	};
	static const char *const paths[] = {
		HD_ETHEREUM_PATH "0", HD_ETHEREUM_PATH "1", HD_ETHEREUM_PATH "2",
	};
	struct public_key public;
	struct secret_key key;
	struct addr address;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(paths); i++) {
		cr_assert_eq(hd_derive(e, &key, HD_DEV_MNEMONIC, paths[i], NULL), OK);
		cr_assert_eq(ecc_public_key(e, &public, &key, NULL), OK);
		ecc_address(&address, &public);
		cr_assert(is_hex(address.bytes, 20, addresses[i]), "%s", paths[i]);
	}
}

Test(hd, derive_refuses_malformed_paths)
{
	static const char *const paths[] = {
		"", "n", "M", "m/", "m//0", "/m", "m/0/", "m/-1", "m/+1", "m/x", "m/0''", "m/0h",
		"m/2147483648", "m/4294967296'", "m/99999999999999999999", "m/0 ", " m", "m0", "m'",
	};
	struct secret_key key = { { 0x77 } }, before = key;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(paths); i++) {
		cr_assert_eq(hd_derive(e, &key, HD_DEV_MNEMONIC, paths[i], &err), CRYPTO_E_MNEMONIC,
			     "path '%s'", paths[i]);
		cr_assert_eq(memcmp(&key, &before, sizeof(key)), 0);
	}
}

Test(hd, derive_refuses_a_path_of_256_steps)
{
	uint8_t seed[16] = { 1 };
	struct secret_key key;
	char path[1 + 2 * 256 + 1] = "m";
	unsigned i;

	for (i = 0; i < 256; i++)
		memcpy(path + 1 + 2 * i, "/0", 3);
	cr_assert_eq(hd_derive_from_seed(e, &key, bytes_of(seed, 16), path, NULL),
		     CRYPTO_E_MNEMONIC);
	path[1 + 2 * 255] = '\0';
	cr_assert_eq(hd_derive_from_seed(e, &key, bytes_of(seed, 16), path, NULL), OK);
}

Test(hd, derive_refuses_malformed_phrases)
{
	static const char *const phrases[] = {
		"", " ", "test", "test test test test test test test test test test test",
		"test test test test test test test test test test test test test",
		" test test test test test test test test test test test junk",
		"test test test test test test test test test test test junk ",
		"test  test test test test test test test test test test junk",
		"Test test test test test test test test test test test junk",
		"test\ttest test test test test test test test test test junk",
		"t\xc3\xa9st test test test test test test test test test test junk",
	};
	struct secret_key key = { { 0x77 } }, before = key;
	char long_phrase[2048];
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(phrases); i++)
		cr_assert_eq(hd_derive(e, &key, phrases[i], "m", &err), CRYPTO_E_MNEMONIC,
			     "phrase '%s'", phrases[i]);
	memset(long_phrase, 'a', sizeof(long_phrase) - 1);
	long_phrase[sizeof(long_phrase) - 1] = '\0';
	cr_assert_eq(hd_derive(e, &key, long_phrase, "m", &err), CRYPTO_E_MNEMONIC);
	cr_assert_eq(memcmp(&key, &before, sizeof(key)), 0);
}

Test(hd, derive_from_seed_refuses_seeds_too_short_or_long)
{
	uint8_t seed[65] = { 1 };
	struct secret_key key;

	cr_assert_eq(hd_derive_from_seed(e, &key, bytes_of(seed, 15), "m", NULL),
		     CRYPTO_E_MNEMONIC);
	cr_assert_eq(hd_derive_from_seed(e, &key, bytes_of(seed, 65), "m", NULL),
		     CRYPTO_E_MNEMONIC);
	cr_assert_eq(hd_derive_from_seed(e, &key, bytes_of(seed, 16), "m", NULL), OK);
}
