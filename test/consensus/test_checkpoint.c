#include <criterion/criterion.h>

#include "consensus/rig.h"

/* Durable, and the moment over that clients have before devices. */
static void written(struct rig *r, uint64_t height)
{
	struct consensus_event e = { .kind = CONSENSUS_EVENT_WRITTEN };

	e.written.height = height;
	e.written.hash = rig_hash((uint8_t)height);
	rig_step(r, e);
	cr_assert_not(rig_find(r, CONSENSUS_EFFECT_CHECKPOINT));
	rig_tick(r, CONSENSUS_CHECKPOINT_DELAY_MS);
}

static struct checkpoint signed_one(const struct rig *r)
{
	const struct consensus_effect *e = rig_find(r, CONSENSUS_EFFECT_CHECKPOINT);
	struct checkpoint p;

	cr_assert(e);
	cr_assert_eq(checkpoint_decode(&p, e->checkpoint, NULL), OK);
	return p;
}

Test(checkpoint, is_signed_when_the_block_is_durable)
{
	struct rig r;
	struct checkpoint p;
	struct hash digest;
	struct signature expected;

	rig_make(&r);
	r.now_ms += 1000;
	rig_committed(&r, 1, START_MS + 500, NULL);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_CHECKPOINT));
	written(&r, 1);
	p = signed_one(&r);
	cr_assert_eq(p.height, 1);
	cr_assert_eq(p.validator, 0);
	checkpoint_digest(&p, RIG_CHAIN_ID, &r.set.hash, &digest);
	rig_mac(0, &digest, &expected);
	cr_assert_eq(memcmp(&expected, &p.signature, sizeof(expected)), 0);
	written(&r, 1);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_CHECKPOINT), "once");
	rig_end(&r);
}

/* Blocks of one 100 ms of chain time: the first of them, wherever it is signed. */
Test(checkpoint, is_of_the_first_block_of_each_interval)
{
	struct rig r;

	rig_make(&r);
	r.now_ms += 10000;
	for (uint64_t h = 1; h <= 4; h++) /* 130, 160, 190, 220 */
		rig_committed(&r, h, START_MS + 100 + 30 * h, NULL);
	written(&r, 1);
	cr_assert_eq(signed_one(&r).height, 1);
	r.now_ms += CONSENSUS_CHECKPOINT_INTERVAL_MS;
	written(&r, 3);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_CHECKPOINT));
	written(&r, 4);
	cr_assert_eq(signed_one(&r).height, 4);
	rig_end(&r);
}

Test(checkpoint, is_signed_no_sooner_than_an_interval_after_the_last)
{
	struct rig r;
	const struct consensus_effect *timer;

	rig_make(&r);
	r.now_ms += 10000;
	for (uint64_t h = 1; h <= 3; h++)
		rig_committed(&r, h, START_MS + 100 * h, NULL);
	written(&r, 1);
	cr_assert_eq(signed_one(&r).height, 1);
	r.now_ms += 10;
	written(&r, 2);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_CHECKPOINT));
	timer = rig_find(&r, CONSENSUS_EFFECT_TIMER);
	cr_assert(timer && timer->at_ms == r.now_ms + CONSENSUS_CHECKPOINT_INTERVAL_MS - 10 - CONSENSUS_CHECKPOINT_DELAY_MS);
	written(&r, 3);
	rig_tick(&r, CONSENSUS_CHECKPOINT_INTERVAL_MS - 10 - 2 * CONSENSUS_CHECKPOINT_DELAY_MS);
	cr_assert_eq(signed_one(&r).height, 3, "the newest of those that waited");
	rig_tick(&r, CONSENSUS_CHECKPOINT_INTERVAL_MS);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_CHECKPOINT));
	rig_end(&r);
}

Test(checkpoint, clock_set_back_delays_no_more_than_an_interval)
{
	struct rig r;

	rig_make(&r);
	r.now_ms += 100000;
	rig_committed(&r, 1, START_MS + 100, NULL);
	written(&r, 1);
	r.now_ms -= 50000;
	rig_committed(&r, 2, START_MS + 200, NULL);
	written(&r, 2);
	rig_tick(&r, CONSENSUS_CHECKPOINT_INTERVAL_MS);
	cr_assert_eq(signed_one(&r).height, 2);
	rig_end(&r);
}

/* A disk that is far behind: what was due first is signed, not nothing for ever. */
Test(checkpoint, slow_disk_still_gets_there)
{
	struct rig r;

	rig_make(&r);
	r.now_ms += 10000;
	for (uint64_t h = 1; h <= 100; h++)
		rig_committed(&r, h, START_MS + 100 * h, NULL);
	written(&r, 1);
	cr_assert_eq(signed_one(&r).height, 1);
	rig_end(&r);
}

Test(checkpoint, more_than_f_weight_can_be_read)
{
	struct rig r;
	struct consensus_checkpoint found;
	struct consensus_status before, after;

	rig_make(&r);
	r.now_ms += 1000;
	rig_committed(&r, 5, START_MS + 500, NULL);
	cr_assert_not(consensus_get_checkpoint(r.c, &found));
	rig_checkpoint(&r, 1, 5, 5);
	rig_checkpoint(&r, 2, 5, 6);
	cr_assert_not(consensus_get_checkpoint(r.c, &found), "one each for two hashes");
	rig_checkpoint(&r, 3, 5, 5);
	cr_assert(consensus_get_checkpoint(r.c, &found));
	cr_assert_eq(found.signatures.height, 5);
	cr_assert_eq(found.signatures.count, 2);
	cr_assert(signer_bits_get(&found.signatures.signers, 1) && signer_bits_get(&found.signatures.signers, 3));
	cr_assert(hash_equal(&found.signatures.block_hash, &(struct hash[]){ rig_hash(5) }[0]));
	cr_assert(hash_equal(&found.validators_hash, &r.set.hash));
	/* What counts for nothing newer is not verified. */
	consensus_get_status(r.c, &before);
	rig_checkpoint(&r, 1, 4, 4);
	rig_checkpoint(&r, 1, 5, 5);
	consensus_get_status(r.c, &after);
	cr_assert_eq(after.verified_total, before.verified_total);
	cr_assert_eq(after.refused[CONSENSUS_REFUSAL_NEEDLESS], before.refused[CONSENSUS_REFUSAL_NEEDLESS] + 1);
	cr_assert_eq(after.refused[CONSENSUS_REFUSAL_KNOWN], before.refused[CONSENSUS_REFUSAL_KNOWN] + 1);
	/* A newer one takes its place, our own word included. */
	rig_committed(&r, 6, START_MS + 600, NULL);
	written(&r, 6);
	rig_checkpoint(&r, 2, 6, 6);
	cr_assert(consensus_get_checkpoint(r.c, &found));
	cr_assert_eq(found.signatures.height, 6);
	cr_assert(signer_bits_get(&found.signatures.signers, 0) && signer_bits_get(&found.signatures.signers, 2));
	rig_end(&r);
}

Test(checkpoint, two_of_one_height_are_evidence)
{
	struct rig r;
	const struct consensus_effect *e;
	struct consensus_evidence found;
	struct validator_set other;

	rig_make(&r);
	rig_committed(&r, 5, START_MS + 500, NULL);
	rig_checkpoint(&r, 2, 5, 5);
	rig_checkpoint(&r, 2, 5, 6);
	e = rig_find(&r, CONSENSUS_EFFECT_EVIDENCE);
	cr_assert(e);
	cr_assert_eq(e->evidence.signer.bytes[0], 3);
	cr_assert_eq(consensus_read_evidence(e->evidence.first, e->evidence.second, &found, NULL), OK);
	cr_assert_eq(found.height, 5);
	cr_assert_eq(found.kind, CONSENSUS_KIND_CHECKPOINT);
	cr_assert_eq(found.validator, 2);
	cr_assert_eq(consensus_check_evidence(&r.config, &r.set, e->evidence.first, e->evidence.second, &found, NULL),
		     OK);
	rig_set(&other, 15, (const uint64_t[]){ 1, 2, 1, 1 });
	cr_assert_eq(consensus_check_evidence(&r.config, &other, e->evidence.first, e->evidence.second, &found, NULL),
		     CONSENSUS_E_EVIDENCE);
	cr_assert_eq(consensus_read_evidence(e->evidence.first, e->evidence.first, &found, NULL), CONSENSUS_E_EVIDENCE);
	rig_checkpoint(&r, 2, 5, 7);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE), "once");
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_CONTRADICTION), 2);
	rig_end(&r);
}

/* Also below what has its weight, where they are kept without a look. */
Test(checkpoint, late_contradiction_is_evidence)
{
	struct rig r;

	rig_make(&r);
	rig_committed(&r, 6, START_MS + 500, NULL);
	for (size_t key = 1; key < COUNT; key++)
		rig_checkpoint(&r, key, 6, 6);
	rig_checkpoint(&r, 2, 5, 5);
	rig_checkpoint(&r, 2, 5, 4);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_end(&r);
}

Test(checkpoint, what_does_not_fit_is_refused_with_its_reason)
{
	struct rig r;
	struct checkpoint p = { .height = 5, .validator = 2 };

	rig_make(&r);
	rig_committed(&r, 5, START_MS + 500, NULL);
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_CHECKPOINT, .checkpoint = &p });
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_SIGNATURE), 1);
	p.validator = COUNT;
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_CHECKPOINT, .checkpoint = &p });
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_STRANGER), 1);
	rig_checkpoint(&r, 2, 5 + 1 + CONSENSUS_HEIGHT_AHEAD + 1, 5);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_HEIGHT_FAR), 1);
	rig_checkpoint(&r, 0, 5, 5);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_OWN_KEY), 1);
	for (uint64_t h = 2; h <= 5; h++)
		rig_checkpoint(&r, 1, h, 1);
	rig_checkpoint(&r, 1, 1, 1);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_HEIGHT_PAST), 1, "four are kept of each");
	rig_end(&r);
}
