#include <criterion/criterion.h>

#include "base/rand.h"
#include "crypto/ecc.h"
#include "crypto/kdf.h"
#include "crypto/keccak.h"
#include "unhex.h"

#define ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define ORDER_MINUS_1 "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
#define HALF_ORDER "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"
#define HALF_ORDER_PLUS_1 "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE "0000000000000000000000000000000000000000000000000000000000000001"

static struct ecc *e;

static void setup(void)
{
	static const uint8_t seed[32] = { 1, 2, 3 };

	e = ecc_new(seed);
}

static void teardown(void)
{
	ecc_free(e);
}

TestSuite(ecc, .init = setup, .fini = teardown);

static struct secret_key key_of(const char *text)
{
	struct secret_key key;

	unhex(key.bytes, 32, text);
	return key;
}

static struct secret_key random_key(struct rng *r)
{
	struct secret_key key;
	unsigned i;

	for (i = 0; i < 4; i++)
		store_be64(key.bytes + 8 * i, rng_next(r));
	return key;
}

/* n - s */
static void negate(uint8_t s[32])
{
	uint8_t order[32];
	int i, borrow = 0;

	unhex(order, 32, ORDER);
	for (i = 31; i >= 0; i--) {
		int digit = order[i] - s[i] - borrow;

		borrow = digit < 0;
		s[i] = (uint8_t)(digit + 256 * borrow);
	}
}

Test(ecc, accept_key_only_from_1_to_order_minus_1)
{
	static const struct {
		const char *key;
		bool valid;
	} cases[] = {
		{ ZERO, false }, { ONE, true }, { ORDER_MINUS_1, true }, { ORDER, false },
		{ "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", false },
	};
	struct public_key public, before;
	struct signature sig = { 0 };
	struct hash digest = { { 1 } };
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(cases); i++) {
		struct secret_key key = key_of(cases[i].key);
		int want = cases[i].valid ? OK : CRYPTO_E_KEY;

		memset(&public, 0xaa, sizeof(public));
		before = public;
		cr_assert_eq(ecc_key_valid(e, &key), cases[i].valid, "%s", cases[i].key);
		cr_assert_eq(ecc_public_key(e, &public, &key, &err), want);
		cr_assert_eq(memcmp(&public, &before, sizeof(public)) == 0, !cases[i].valid);
		cr_assert_eq(ecc_sign(e, &sig, &digest, &key, NULL), want);
	}
}

Test(ecc, derive_address_equals_known_pairs)
{
	static const struct {
		const char *key, *address;
	} cases[] = {
		{ ONE, "7e5f4552091a69125d5dfcb7b8c2659029395bdf" },
		{ "0000000000000000000000000000000000000000000000000000000000000002",
		  "2b5ad5c4795c026514f8317c7a215e218dccd6cf" },
		{ "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
		  "f39fd6e51aad88f6f4ce6ab8827279cfffb92266" },
		{ "4646464646464646464646464646464646464646464646464646464646464646",
		  "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f" },
	};
	struct public_key public;
	struct addr address;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(cases); i++) {
		struct secret_key key = key_of(cases[i].key);

		cr_assert_eq(ecc_public_key(e, &public, &key, NULL), OK);
		ecc_address(&address, &public);
		cr_assert(is_hex(address.bytes, 20, cases[i].address), "key %zu", i);
	}
}

/* RFC 6979 nonces on secp256k1 over SHA-256, as bitcoin's libraries publish them. */
Test(ecc, sign_equals_rfc6979_vectors)
{
	static const struct {
		const char *message, *r, *s;
	} cases[] = {
		{ "Satoshi Nakamoto",
		  "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
		  "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5" },
		{ "All those moments will be lost in time, like tears in rain. Time to die...",
		  "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b",
		  "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21" },
	};
	struct secret_key key = key_of(ONE);
	struct signature sig;
	struct hash digest;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(cases); i++) {
		sha256(&digest, bytes_of_str(cases[i].message));
		cr_assert_eq(ecc_sign(e, &sig, &digest, &key, NULL), OK);
		cr_assert(is_hex(sig.r, 32, cases[i].r));
		cr_assert(is_hex(sig.s, 32, cases[i].s));
	}
}

/* The example of EIP-155. */
Test(ecc, sign_equals_eip155_example)
{
	struct secret_key key =
		key_of("4646464646464646464646464646464646464646464646464646464646464646");
	struct signature sig;
	struct hash digest;

	unhex(digest.bytes, 32, "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
	cr_assert_eq(ecc_sign(e, &sig, &digest, &key, NULL), OK);
	cr_assert(is_hex(sig.r, 32,
			 "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"));
	cr_assert(is_hex(sig.s, 32,
			 "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"));
	cr_assert_eq(sig.recovery_id, 0);
}

/* The input that Ethereum's tests of the ecrecover precompile use. */
Test(ecc, recover_equals_precompile_vector)
{
	struct signature sig = { .recovery_id = 1 };
	struct hash digest;
	struct addr address;

	unhex(digest.bytes, 32, "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3");
	unhex(sig.r, 32, "9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608");
	unhex(sig.s, 32, "4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada");
	cr_assert_eq(ecc_recover_address(e, &address, &digest, &sig, NULL), OK);
	cr_assert(is_hex(address.bytes, 20, "7156526fbd7a3c72969b54f64e42c10fbb768c8a"));
}

Test(ecc, recover_gives_signer_for_low_and_high_s)
{
	struct public_key public, found;
	struct signature sig;
	struct hash digest;
	struct rng r;
	unsigned i;

	rng_init(&r, 11);
	for (i = 0; i < 100; i++) {
		struct secret_key key = random_key(&r);

		keccak256(&digest, bytes_of(key.bytes, 32));
		cr_assert_eq(ecc_public_key(e, &public, &key, NULL), OK);
		cr_assert_eq(ecc_sign(e, &sig, &digest, &key, NULL), OK);
		cr_assert(ecc_s_is_low(sig.s));
		cr_assert(ecc_verify(e, &sig, &digest, &public));
		cr_assert_eq(ecc_recover(e, &found, &digest, &sig, NULL), OK);
		cr_assert_eq(memcmp(&found, &public, sizeof(found)), 0);

		/* (r, n - s) with the other parity is the same key's, and not low. */
		negate(sig.s);
		sig.recovery_id ^= 1;
		cr_assert(!ecc_s_is_low(sig.s));
		cr_assert(!ecc_verify(e, &sig, &digest, &public));
		cr_assert_eq(ecc_recover(e, &found, &digest, &sig, NULL), OK);
		cr_assert_eq(memcmp(&found, &public, sizeof(found)), 0);
	}
}

Test(ecc, verify_refuses_changed_signature_digest_or_key)
{
	struct secret_key key = key_of(ONE);
	struct public_key public, other;
	struct signature sig, bad;
	struct hash digest = { { 7 } }, bad_digest;
	unsigned i;

	cr_assert_eq(ecc_public_key(e, &public, &key, NULL), OK);
	cr_assert_eq(ecc_sign(e, &sig, &digest, &key, NULL), OK);
	for (i = 0; i < 32; i++) {
		bad = sig;
		bad.r[i] ^= 1;
		cr_assert(!ecc_verify(e, &bad, &digest, &public));
		bad = sig;
		bad.s[i] ^= 1;
		cr_assert(!ecc_verify(e, &bad, &digest, &public));
		bad_digest = digest;
		bad_digest.bytes[i] ^= 1;
		cr_assert(!ecc_verify(e, &sig, &bad_digest, &public));
		other = public;
		other.bytes[i] ^= 1; /* no longer on the curve, or another key */
		cr_assert(!ecc_verify(e, &sig, &digest, &other));
	}
	key.bytes[31] = 2;
	cr_assert_eq(ecc_public_key(e, &other, &key, NULL), OK);
	cr_assert(!ecc_verify(e, &sig, &digest, &other));
	bad = sig;
	bad.recovery_id ^= 1; /* says nothing to ecc_verify */
	cr_assert(ecc_verify(e, &bad, &digest, &public));
}

Test(ecc, recover_refuses_values_out_of_range)
{
	static const struct {
		const char *r, *s;
		uint8_t recovery_id;
	} cases[] = {
		{ ZERO, ONE, 0 }, { ONE, ZERO, 0 }, { ORDER, ONE, 0 }, { ONE, ORDER, 1 },
		{ ONE, ONE, 2 }, { ONE, ONE, 3 }, { ONE, ONE, 27 }, { ONE, ONE, 255 },
		/* x = 5 is on no point of the curve. */
		{ "0000000000000000000000000000000000000000000000000000000000000005", ONE, 0 },
	};
	struct public_key found, before;
	struct hash digest = { { 9 } };
	struct signature sig;
	struct err err;
	size_t i;

	memset(&found, 0x55, sizeof(found));
	before = found;
	for (i = 0; i < ARRAY_COUNT(cases); i++) {
		unhex(sig.r, 32, cases[i].r);
		unhex(sig.s, 32, cases[i].s);
		sig.recovery_id = cases[i].recovery_id;
		cr_assert_eq(ecc_recover(e, &found, &digest, &sig, &err), CRYPTO_E_SIGNATURE,
			     "case %zu", i);
		cr_assert_eq(err.code, CRYPTO_E_SIGNATURE);
		cr_assert_gt(strlen(err.message), 10);
		cr_assert_eq(memcmp(&found, &before, sizeof(found)), 0);
	}
}

/* Half of all small r plus the order are the x of a point, so ids 2 and 3 would
 * recover something. */
Test(ecc, recover_refuses_ids_2_and_3_where_points_exist)
{
	struct signature sig = { .s = { [31] = 1 } };
	struct hash digest = { { 9 } };
	struct public_key found;
	uint8_t r;

	for (r = 1; r <= 32; r++) {
		sig.r[31] = r;
		for (sig.recovery_id = 2; sig.recovery_id <= 3; sig.recovery_id++)
			cr_assert_eq(ecc_recover(e, &found, &digest, &sig, NULL),
				     CRYPTO_E_SIGNATURE, "r %u, id %u", r, sig.recovery_id);
	}
}

Test(ecc, s_is_low_up_to_half_the_order)
{
	uint8_t s[32];

	unhex(s, 32, HALF_ORDER);
	cr_assert(ecc_s_is_low(s));
	unhex(s, 32, HALF_ORDER_PLUS_1);
	cr_assert(!ecc_s_is_low(s));
	unhex(s, 32, ONE);
	cr_assert(ecc_s_is_low(s));
	unhex(s, 32, ORDER_MINUS_1);
	cr_assert(!ecc_s_is_low(s));
}

Test(ecc, tweak_adds_modulo_the_order)
{
	struct secret_key key = key_of(ONE), before;
	uint8_t tweak[32];

	unhex(tweak, 32, ONE);
	cr_assert_eq(ecc_key_tweak_add(e, &key, tweak, NULL), OK);
	cr_assert_eq(key.bytes[31], 2);
	unhex(tweak, 32, ORDER_MINUS_1);
	cr_assert_eq(ecc_key_tweak_add(e, &key, tweak, NULL), OK);
	cr_assert_eq(key.bytes[31], 1);
	before = key;
	cr_assert_eq(ecc_key_tweak_add(e, &key, tweak, NULL), CRYPTO_E_KEY, "the sum is 0");
	unhex(tweak, 32, ORDER);
	cr_assert_eq(ecc_key_tweak_add(e, &key, tweak, NULL), CRYPTO_E_KEY, "not below the order");
	cr_assert_eq(memcmp(&key, &before, sizeof(key)), 0);
}

Test(ecc, equal_and_wipe_cover_every_byte)
{
	uint8_t a[40], b[40], zero[40] = { 0 };
	size_t i;

	memset(a, 0x5a, sizeof(a));
	memcpy(b, a, sizeof(b));
	cr_assert(crypto_equal(a, b, sizeof(a)));
	cr_assert(crypto_equal(a, b, 0));
	for (i = 0; i < sizeof(a); i++) {
		b[i] ^= 0x80;
		cr_assert(!crypto_equal(a, b, sizeof(a)));
		b[i] ^= 0x80;
	}
	crypto_wipe(a, sizeof(a));
	cr_assert_eq(memcmp(a, zero, sizeof(a)), 0);
}

Test(ecc, free_accepts_nothing)
{
	ecc_free(NULL);
}
