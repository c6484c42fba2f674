#include <criterion/criterion.h>

#include "base/rand.h"
#include "chain/header.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "state/view.h"

static struct account random_account(struct rng *r)
{
	struct account a = account_empty;

	a.nonce = rng_next(r) >> rng_below(r, 64);
	for (unsigned i = 0; i < 4; i++)
		a.balance.n.limbs[i] = rng_next(r) >> rng_below(r, 64);
	for (uint64_t i = rng_below(r, 4); i < 4; i++)
		a.balance.n.limbs[i] = 0;
	if (rng_below(r, 2))
		a.storage_root.bytes[3] ^= 5;
	if (rng_below(r, 2))
		a.code_hash.bytes[7] ^= 5;
	return a;
}

Test(view, empty_hashes_are_those_of_the_header)
{
	struct hash of_nothing, of_empty_string;

	cr_assert(hash_equal(&account_empty.storage_root, &header_empty_trie_root));
	cr_assert(hash_equal(&account_empty.code_hash, &header_empty_code_hash));
	keccak256(&of_nothing, (struct bytes){ 0 });
	keccak256(&of_empty_string, bytes_of("\x80", 1));
	cr_assert(hash_equal(&account_empty.code_hash, &of_nothing));
	cr_assert(hash_equal(&account_empty.storage_root, &of_empty_string));
}

Test(view, empties_as_eip161_says)
{
	struct account a = account_empty;

	cr_assert(account_is_empty(&a));
	a.storage_root.bytes[0] ^= 1;
	cr_assert(account_is_empty(&a));
	cr_assert_not(account_equal(&a, &account_empty));
	a = account_empty;
	a.nonce = 1;
	cr_assert_not(account_is_empty(&a));
	a = account_empty;
	a.balance.n.limbs[3] = 1;
	cr_assert_not(account_is_empty(&a));
	a = account_empty;
	a.code_hash.bytes[31] ^= 1;
	cr_assert_not(account_is_empty(&a));
}

Test(view, encodes_as_the_generic_writer_does)
{
	struct rng r;

	rng_init(&r, 1);
	for (unsigned i = 0; i < 2000; i++) {
		struct account a = random_account(&r), back;
		uint8_t rlp[ACCOUNT_RLP_MAX];
		struct buf expected = { 0 };
		size_t list = rlp_list_open(&expected), size;
		struct err err = { 0 };

		rlp_put_u64(&expected, a.nonce);
		rlp_put_u256(&expected, &a.balance.n);
		rlp_put_hash(&expected, &a.storage_root);
		rlp_put_hash(&expected, &a.code_hash);
		rlp_list_close(&expected, list);
		size = account_encode(rlp, &a);
		cr_assert(bytes_equal(bytes_of(rlp, size), buf_bytes(&expected)));
		cr_assert_eq(account_decode(&back, bytes_of(rlp, size), &err), OK, "%s", err.message);
		cr_assert(account_equal(&a, &back));
		buf_clear(&expected);

		size = account_encode_flat(rlp, &a);
		cr_assert_eq(account_decode_flat(&back, bytes_of(rlp, size), &err), OK, "%s", err.message);
		cr_assert(account_equal(&a, &back));
	}
}

Test(view, keeps_usual_account_small)
{
	struct account a = account_empty;
	uint8_t rlp[ACCOUNT_RLP_MAX];

	a.nonce = 300;
	a.balance = wei_of(12345678901234567890u);
	cr_assert_leq(account_encode_flat(rlp, &a), 20);
	memset(&a, 0xff, sizeof(a));
	cr_assert_eq(account_encode(rlp, &a), 110);
	cr_assert_eq(account_encode_flat(rlp, &a), 110);
}

Test(view, refuses_what_is_no_account)
{
	struct account a = account_empty, out;
	uint8_t rlp[ACCOUNT_RLP_MAX + 1];
	struct err err = { 0 };
	size_t size;

	a.nonce = 1;
	size = account_encode(rlp, &a);
	for (size_t i = 0; i < size; i++)
		cr_assert_eq(account_decode(&out, bytes_of(rlp, i), &err), STATE_E_FORMAT);
	cr_assert_eq(err.code, STATE_E_FORMAT);
	rlp[size] = 0x80;
	cr_assert_eq(account_decode(&out, bytes_of(rlp, size + 1), &err), STATE_E_FORMAT);
	/* The flat form leaves the usual hashes out, and has no other way to say it. */
	cr_assert_eq(account_decode_flat(&out, bytes_of(rlp, size), &err), STATE_E_FORMAT);
	size = account_encode_flat(rlp, &a);
	cr_assert_eq(account_decode(&out, bytes_of(rlp, size), &err), STATE_E_FORMAT);
	cr_assert_eq(account_decode_flat(&out, bytes_of("\xc4\x01\x80\x81\x05\x80", 6), &err), STATE_E_FORMAT);
	cr_assert_eq(account_decode_flat(&out, bytes_of("\xc4\x00\x80\x80\x80", 5), &err), STATE_E_FORMAT);
	cr_assert_eq(account_decode_flat(&out, bytes_of("\xc5\x01\x80\x80\x80\x80", 6), &err), STATE_E_FORMAT);
	cr_assert_eq(account_decode(&out, bytes_of(NULL, 0), NULL), STATE_E_FORMAT);
}

Test(view, of_nothing_shows_nothing)
{
	struct state_view v = state_view_empty();
	struct addr address = { { 1 } };
	struct hash slot = { { 2 } };
	struct account a;
	struct u256 value;
	struct buf code = { 0 };

	cr_assert_eq(state_account(&v, &a, &address, NULL), OK);
	cr_assert(account_equal(&a, &account_empty));
	cr_assert_eq(state_storage(&v, &value, &address, &slot, NULL), OK);
	cr_assert(u256_is_zero(&value));
	cr_assert_eq(state_code(&v, &code, &account_empty.code_hash, NULL), OK);
	cr_assert_eq(state_code(&v, &code, &slot, NULL), STATE_E_READ);
	cr_assert_eq(code.size, 0);
}
