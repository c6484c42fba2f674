#include "fixture.h"

#include "chain/certificate.h"
#include "chain/tx.h"

#define COUNT 7

struct world {
	struct validator_set set;
	struct secret_key keys[VALIDATOR_COUNT_MAX];
	struct ecc *ecc;
	struct certificate certificate;
};

static void sign(struct world *w, size_t validator, enum domain domain)
{
	struct signature signature;
	struct hash digest;

	certificate_digest(&w->certificate, domain, CHAIN_ID, &w->set.hash, &digest);
	cr_assert_eq(ecc_sign(w->ecc, &signature, &digest, &w->keys[validator], NULL), OK);
	cr_assert(certificate_add(&w->certificate, validator, &signature));
}

/* Seven equal validators (Q = 5), of which `signers` have signed. */
static void setup(struct world *w, const size_t signers[], size_t count)
{
	struct hash block = hash_of(1);

	w->ecc = test_ecc();
	make_set(&w->set, w->keys, COUNT, NULL);
	certificate_init(&w->certificate, 9, 2, &block);
	for (size_t i = 0; i < count; i++)
		sign(w, signers[i], DOMAIN_COMMIT);
}

static int check(const struct world *w, struct err *err)
{
	return certificate_check(&w->certificate, DOMAIN_COMMIT, CHAIN_ID, &w->set, w->ecc, err);
}

Test(certificate, check_takes_a_quorum_in_any_order_of_arrival)
{
	struct err err = { 0 };
	struct world w;

	setup(&w, (const size_t[]){ 6, 0, 3, 1, 5 }, 5);
	cr_assert_eq(check(&w, &err), OK, "%s", err.message);
	cr_assert_eq(w.certificate.count, 5);
	cr_assert_not(certificate_add(&w.certificate, 3, &w.certificate.signatures[0]));
	cr_assert_eq(check(&w, NULL), OK);
	sign(&w, 2, DOMAIN_COMMIT);
	sign(&w, 4, DOMAIN_COMMIT);
	cr_assert_eq(check(&w, NULL), OK);
	ecc_free(w.ecc);
}

Test(certificate, check_refuses_what_is_no_proof)
{
	struct err err = { 0 };
	struct world w, changed;

	setup(&w, (const size_t[]){ 0, 1, 2, 3 }, 4);
	cr_assert_eq(check(&w, &err), CHAIN_E_CERTIFICATE);
	assert_message(&err, "its signers weigh 4, a quorum is 5");
	sign(&w, 6, DOMAIN_COMMIT);
	cr_assert_eq(check(&w, NULL), OK);

	changed = w;
	changed.certificate.height++;
	cr_assert_eq(check(&changed, &err), CHAIN_E_CERTIFICATE);
	changed = w;
	changed.certificate.view++;
	cr_assert_eq(check(&changed, &err), CHAIN_E_CERTIFICATE);
	changed = w;
	changed.certificate.block_hash.bytes[0] ^= 1;
	cr_assert_eq(check(&changed, &err), CHAIN_E_CERTIFICATE);
	changed = w;
	changed.certificate.signatures[4].recovery_id ^= 1;
	cr_assert_eq(check(&changed, &err), CHAIN_E_CERTIFICATE);
	assert_message(&err, "signature 4 is not its validator's");
	/* The same signature under two indexes. */
	changed = w;
	changed.certificate.signatures[1] = changed.certificate.signatures[0];
	cr_assert_eq(check(&changed, &err), CHAIN_E_CERTIFICATE);
	/* Prepares are no commits; nor on another chain or of another set. */
	cr_assert_eq(certificate_check(&w.certificate, DOMAIN_PREPARE, CHAIN_ID, &w.set, w.ecc,
				       &err), CHAIN_E_CERTIFICATE);
	cr_assert_eq(certificate_check(&w.certificate, DOMAIN_COMMIT, CHAIN_ID + 1, &w.set, w.ecc,
				       &err), CHAIN_E_CERTIFICATE);
	changed = w;
	changed.set.hash.bytes[0] ^= 1;
	cr_assert_eq(check(&changed, &err), CHAIN_E_CERTIFICATE);
	/* A signer that the set does not have. */
	changed = w;
	certificate_add(&changed.certificate, COUNT, &changed.certificate.signatures[0]);
	cr_assert_eq(check(&changed, &err), CHAIN_E_CERTIFICATE);
	assert_message(&err, "signer 7 of a set of 7");
	ecc_free(w.ecc);
}

Test(certificate, check_counts_weight_and_not_heads)
{
	struct secret_key keys[VALIDATOR_COUNT_MAX];
	struct hash block = hash_of(1), digest;
	struct signature signature;
	struct validator_set set;
	struct certificate c;
	struct ecc *e = test_ecc();

	make_set(&set, keys, 4, (const uint64_t[]){ 100, 1, 1, 1 });
	certificate_init(&c, 1, 0, &block);
	certificate_digest(&c, DOMAIN_COMMIT, CHAIN_ID, &set.hash, &digest);
	for (size_t i = 0; i < 4; i++) {
		if (set.members[i].weight.n == 100)
			continue;
		cr_assert_eq(ecc_sign(e, &signature, &digest, &keys[i], NULL), OK);
		certificate_add(&c, i, &signature);
	}
	cr_assert_eq(certificate_check(&c, DOMAIN_COMMIT, CHAIN_ID, &set, e, NULL),
		     CHAIN_E_CERTIFICATE);
	certificate_init(&c, 1, 0, &block);
	for (size_t i = 0; i < 4; i++) {
		if (set.members[i].weight.n != 100)
			continue;
		cr_assert_eq(ecc_sign(e, &signature, &digest, &keys[i], NULL), OK);
		certificate_add(&c, i, &signature);
	}
	cr_assert_eq(certificate_check(&c, DOMAIN_COMMIT, CHAIN_ID, &set, e, NULL), OK);
	ecc_free(e);
}

Test(certificate, decode_gives_back_what_was_encoded)
{
	struct buf rlp = { 0 }, again = { 0 };
	struct certificate back;
	struct world w;

	setup(&w, (const size_t[]){ 6, 0, 3, 1, 5 }, 5);
	certificate_encode(&rlp, &w.certificate);
	cr_assert_eq(certificate_decode(&back, buf_bytes(&rlp), NULL), OK);
	cr_assert_eq(memcmp(&back.signers, &w.certificate.signers, sizeof(back.signers)), 0);
	certificate_encode(&again, &back);
	assert_bytes(buf_bytes(&again), buf_bytes(&rlp));
	w.certificate = back;
	cr_assert_eq(check(&w, NULL), OK);
	for (size_t size = 0; size < rlp.size; size++)
		cr_assert_neq(certificate_decode(&back, bytes_of(rlp.data, size), NULL), OK);
	buf_clear(&rlp);
	buf_clear(&again);
	ecc_free(w.ecc);
}

Test(certificate, any_changed_bit_is_found)
{
	struct buf rlp = { 0 };
	struct world w;

	setup(&w, (const size_t[]){ 0, 1, 2, 3, 4 }, 5);
	certificate_encode(&rlp, &w.certificate);
	for (size_t i = 0; i < rlp.size * 8; i++) {
		struct certificate back;

		rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
		if (certificate_decode(&back, buf_bytes(&rlp), NULL) == OK)
			cr_assert_neq(certificate_check(&back, DOMAIN_COMMIT, CHAIN_ID, &w.set,
							w.ecc, NULL), OK, "bit %zu", i);
		rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	buf_clear(&rlp);
	ecc_free(w.ecc);
}

Test(certificate, signers_and_signatures_must_be_as_many)
{
	struct buf rlp = { 0 };
	struct certificate back;
	struct err err = { 0 };
	struct world w;

	setup(&w, (const size_t[]){ 0, 1, 2 }, 3);
	signer_bits_set(&w.certificate.signers, 100);
	certificate_encode(&rlp, &w.certificate);
	cr_assert_eq(certificate_decode(&back, buf_bytes(&rlp), &err), CHAIN_E_BLOCK_FORMAT);
	assert_message(&err, "differ in number");
	buf_clear(&rlp);
	ecc_free(w.ecc);
}

Test(certificate, all_128_validators_fit)
{
	struct secret_key keys[VALIDATOR_COUNT_MAX];
	struct signature signature = { .s = { 1 } };
	struct hash block = hash_of(1);
	struct certificate c, back;
	struct validator_set set;
	struct buf rlp = { 0 };

	make_set(&set, keys, VALIDATOR_COUNT_MAX, NULL);
	certificate_init(&c, 1, 0, &block);
	for (size_t i = VALIDATOR_COUNT_MAX; i-- > 0;) {
		signature.r[31] = (uint8_t)i;
		cr_assert(certificate_add(&c, i, &signature));
	}
	for (size_t i = 0; i < VALIDATOR_COUNT_MAX; i++)
		cr_assert_eq(c.signatures[i].r[31], i);
	cr_assert_eq(certificate_check_weight(&c, &set, NULL), OK);
	certificate_encode(&rlp, &c);
	cr_assert_eq(certificate_decode(&back, buf_bytes(&rlp), NULL), OK);
	cr_assert_eq(back.count, VALIDATOR_COUNT_MAX);
	buf_clear(&rlp);
}

/* --- checkpoints --- */

Test(checkpoint, signature_binds_every_field)
{
	struct checkpoint c = { .height = 5, .block_hash = hash_of(1), .validator = 2 }, back;
	struct secret_key keys[VALIDATOR_COUNT_MAX];
	struct ecc *e = test_ecc();
	struct validator_set set;
	struct buf rlp = { 0 };
	struct err err = { 0 };

	make_set(&set, keys, 4, NULL);
	cr_assert_eq(checkpoint_sign(&c, CHAIN_ID, &set.hash, e, &keys[2], NULL), OK);
	cr_assert_eq(checkpoint_check(&c, CHAIN_ID, &set, e, NULL), OK);
	cr_assert_neq(checkpoint_check(&c, CHAIN_ID + 1, &set, e, NULL), OK);
	checkpoint_encode(&rlp, &c);
	for (size_t i = 0; i < rlp.size * 8; i++) {
		rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
		if (checkpoint_decode(&back, buf_bytes(&rlp), NULL) == OK)
			cr_assert_neq(checkpoint_check(&back, CHAIN_ID, &set, e, NULL), OK);
		rlp.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	cr_assert_eq(checkpoint_decode(&back, buf_bytes(&rlp), NULL), OK);
	cr_assert_eq(checkpoint_check(&back, CHAIN_ID, &set, e, NULL), OK);
	c.validator = 4;
	cr_assert_eq(checkpoint_check(&c, CHAIN_ID, &set, e, &err), CHAIN_E_CERTIFICATE);
	assert_message(&err, "validator 4 of a set of 4");
	buf_clear(&rlp);
	ecc_free(e);
}
