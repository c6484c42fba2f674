#include "consensus/consensus.h"

#include <criterion/criterion.h>

#include "base/check.h"

/* One validator with a real key, driven by hand. */
struct rig {
	struct ecc *ecc;
	struct secret_key key;
	struct validator_set set;
	struct consensus_config config;
	struct consensus *c;
	struct consensus_effects effects;
	bool signer_fails;
};

static int rig_sign(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	struct rig *r = ctx;

	if (r->signer_fails)
		return ERR_SET(err, CRYPTO_E_KEY, "the signer is away");
	return ecc_sign(r->ecc, out, digest, &r->key, err);
}

static bool rig_verify(void *ctx, const struct signature *sig, const struct hash *digest,
		       const struct addr *signer)
{
	struct rig *r = ctx;
	struct addr found;

	return ecc_recover_address(r->ecc, &found, digest, sig, NULL) == OK && addr_equal(&found, signer);
}

static size_t rig_proposer(void *ctx, const struct consensus_epoch *epoch, uint64_t height, uint64_t view)
{
	(void)ctx;
	(void)epoch;
	(void)height;
	(void)view;
	return 0;
}

#define START_MS 1700000000000ull

static const struct consensus_tip genesis_tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };

static void rig_make(struct rig *r, const struct consensus_tip *tip)
{
	const uint8_t seed[32] = { 7 };
	struct validator member = { .weight = { 10 } };
	struct public_key public;

	*r = (struct rig){ .ecc = ecc_new(seed), .key = { { [31] = 5 } } };
	cr_assert_eq(ecc_public_key(r->ecc, &public, &r->key, NULL), OK);
	ecc_address(&member.address, &public);
	cr_assert_eq(validator_set_init(&r->set, &member, 1, NULL), OK);
	r->config = (struct consensus_config){
		.chain_id = 31337,
		.self = member.address,
		.epoch = { .set = &r->set },
		.min_interval_ms = 100,
		.heartbeat_ms = 30000,
		.view_timeout_ms = 500,
		.proposer = rig_proposer,
		.sign = rig_sign,
		.verify = rig_verify,
		.ctx = r,
	};
	cr_assert_eq(consensus_new(&r->c, &r->config, tip, NULL), OK);
}

static void rig_end(struct rig *r)
{
	consensus_free(r->c);
	ecc_free(r->ecc);
}

static const struct consensus_effect *find(const struct rig *r, enum consensus_effect_kind kind)
{
	for (size_t i = 0; i < r->effects.count; i++)
		if (r->effects.items[i].kind == kind)
			return &r->effects.items[i];
	return NULL;
}

static void step(struct rig *r, struct consensus_event event, uint64_t now_ms)
{
	event.now_ms = now_ms;
	consensus_step(r->c, &event, &r->effects);
}

static void tick(struct rig *r, uint64_t now_ms)
{
	step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_TICK }, now_ms);
}

static void work(struct rig *r, bool has_work, uint64_t now_ms)
{
	step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_WORK, .has_work = has_work }, now_ms);
}

static void propose(struct rig *r, uint8_t mark, bool has_txs, uint64_t now_ms)
{
	static const uint8_t sealed[] = { 0xc3, 1, 2, 3 };
	struct consensus_event e = { .kind = CONSENSUS_EVENT_PROPOSED };

	e.proposed = (struct consensus_block){
		.hash = { { mark } },
		.time_ms = now_ms,
		.has_txs = has_txs,
		.sealed = bytes_of(sealed, sizeof(sealed)),
	};
	step(r, e, now_ms);
}

static void persisted(struct rig *r, uint64_t number, uint64_t now_ms)
{
	step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = number }, now_ms);
}

/* From a height's start to its commit; checks the order of effects. */
static void one_height(struct rig *r, uint8_t mark, bool has_txs, uint64_t now_ms)
{
	const struct consensus_effect *e;
	uint64_t height, number;

	cr_assert(find(r, CONSENSUS_EFFECT_PROPOSE));
	height = find(r, CONSENSUS_EFFECT_PROPOSE)->height;
	propose(r, mark, has_txs, now_ms);
	e = find(r, CONSENSUS_EFFECT_PERSIST);
	cr_assert(e);
	cr_assert_not(find(r, CONSENSUS_EFFECT_COMMIT), "nothing is final before it is durable");
	number = e->persist.number;
	persisted(r, number, now_ms);
	e = find(r, CONSENSUS_EFFECT_COMMIT);
	cr_assert(e);
	cr_assert_eq(e->height, height);
	cr_assert_eq(e->commit.hash.bytes[0], mark);
}

Test(consensus, new_refuses_a_set_that_does_not_rule_yet)
{
	struct rig r;
	struct consensus *c = NULL;

	rig_make(&r, &genesis_tip);
	r.config.epoch.first = 2;
	cr_assert_eq(consensus_new(&c, &r.config, &genesis_tip, NULL), CONSENSUS_E_SET);
	rig_end(&r);
}

Test(consensus, proposes_at_once_after_idleness)
{
	struct rig r;

	rig_make(&r, &genesis_tip);
	work(&r, true, START_MS + 5000);
	cr_assert(find(&r, CONSENSUS_EFFECT_PROPOSE));
	one_height(&r, 1, true, START_MS + 5000);
	rig_end(&r);
}

Test(consensus, keeps_the_least_interval_between_blocks_with_work)
{
	struct rig r;

	rig_make(&r, &genesis_tip);
	work(&r, true, START_MS + 5000);
	one_height(&r, 1, true, START_MS + 5000);
	work(&r, true, START_MS + 5001);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_PROPOSE));
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_TIMER)->at_ms, START_MS + 5100);
	tick(&r, START_MS + 5099);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_PROPOSE));
	tick(&r, START_MS + 5100);
	cr_assert(find(&r, CONSENSUS_EFFECT_PROPOSE));
	rig_end(&r);
}

Test(consensus, forgets_work_that_the_block_took)
{
	struct rig r;

	rig_make(&r, &genesis_tip);
	r.config.min_interval_ms = 0;
	consensus_free(r.c);
	cr_assert_eq(consensus_new(&r.c, &r.config, &genesis_tip, NULL), OK);
	work(&r, true, START_MS + 1);
	one_height(&r, 1, true, START_MS + 1);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_PROPOSE), "an empty block right behind a full one");
	rig_end(&r);
}

Test(consensus, follows_a_full_block_with_empty_ones_then_falls_idle)
{
	struct rig r;
	uint64_t now = START_MS + 50;

	rig_make(&r, &genesis_tip);
	work(&r, true, START_MS + 100);
	now = START_MS + 100;
	one_height(&r, 1, true, now);
	for (uint8_t i = 0; i < CONFIRMATION_COUNT; i++) {
		tick(&r, now + CONFIRMATION_INTERVAL_MS - 1);
		cr_assert_not(find(&r, CONSENSUS_EFFECT_PROPOSE));
		now += CONFIRMATION_INTERVAL_MS;
		tick(&r, now);
		one_height(&r, (uint8_t)(2 + i), false, now);
	}
	tick(&r, now + CONFIRMATION_INTERVAL_MS);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_PROPOSE));
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_TIMER)->at_ms, now + 30000);
	tick(&r, now + 30000);
	cr_assert(find(&r, CONSENSUS_EFFECT_PROPOSE), "the heartbeat");
	rig_end(&r);
}

Test(consensus, clock_set_back_holds_nothing_up)
{
	struct rig r;

	rig_make(&r, &genesis_tip);
	work(&r, true, START_MS - 3600000);
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_TIMER)->at_ms, START_MS - 3600000 + 100);
	tick(&r, START_MS - 3600000 + 100);
	cr_assert(find(&r, CONSENSUS_EFFECT_PROPOSE));
	rig_end(&r);
}

Test(consensus, certificate_is_valid_for_the_set)
{
	struct rig r;
	struct certificate certificate;
	const struct consensus_effect *e;

	rig_make(&r, &genesis_tip);
	work(&r, true, START_MS + 1000);
	one_height(&r, 1, true, START_MS + 1000);
	e = find(&r, CONSENSUS_EFFECT_COMMIT);
	cr_assert_eq(certificate_decode(&certificate, e->commit.certificate, NULL), OK);
	cr_assert_eq(certificate.height, 1);
	cr_assert_eq(certificate_check(&certificate, DOMAIN_COMMIT, 31337, &r.set, r.ecc, NULL), OK);
	cr_assert_neq(certificate_check(&certificate, DOMAIN_PREPARE, 31337, &r.set, r.ecc, NULL), OK);
	cr_assert_neq(certificate_check(&certificate, DOMAIN_COMMIT, 31338, &r.set, r.ecc, NULL), OK);
	rig_end(&r);
}

Test(consensus, answers_that_were_not_asked_for_change_nothing)
{
	struct rig r;

	rig_make(&r, &genesis_tip);
	propose(&r, 1, true, START_MS + 1000);
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_TRACE)->trace, CONSENSUS_TRACE_UNEXPECTED);
	persisted(&r, 1, START_MS + 1000);
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_TRACE)->trace, CONSENSUS_TRACE_UNEXPECTED);
	work(&r, true, START_MS + 1000);
	propose(&r, 1, true, START_MS + 1000);
	persisted(&r, 77, START_MS + 1000);
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_TRACE)->trace, CONSENSUS_TRACE_UNEXPECTED);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_COMMIT));
	rig_end(&r);
}

Test(consensus, signer_that_fails_commits_nothing)
{
	struct rig r;

	rig_make(&r, &genesis_tip);
	work(&r, true, START_MS + 1000);
	r.signer_fails = true;
	propose(&r, 1, true, START_MS + 1000);
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_TRACE)->trace, CONSENSUS_TRACE_SIGN_FAILED);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_PERSIST));
	rig_end(&r);
}

Test(consensus, block_fetched_with_its_certificate_moves_the_height)
{
	struct rig r;
	struct consensus_status status;
	struct consensus_event e = { .kind = CONSENSUS_EVENT_COMMITTED };

	rig_make(&r, &genesis_tip);
	e.committed = (struct consensus_tip){ .height = 7, .time_ms = START_MS + 50, .empty_count = 5 };
	step(&r, e, START_MS + 60);
	consensus_get_status(r.c, &status);
	cr_assert_eq(status.height, 8);
	e.committed.height = 3;
	step(&r, e, START_MS + 61);
	consensus_get_status(r.c, &status);
	cr_assert_eq(status.height, 8, "never back");
	rig_end(&r);
}

/* --- restarts --- */

/* A record as a run of the machine left it, and the machine that wakes with it. */
static void record_of(struct rig *r, struct buf *out, uint8_t mark)
{
	work(r, true, START_MS + 1000);
	propose(r, mark, true, START_MS + 1000);
	buf_append_bytes(out, find(r, CONSENSUS_EFFECT_PERSIST)->persist.record);
}

Test(consensus, restart_is_bound_to_what_it_signed)
{
	struct rig before, after;
	struct buf record = { 0 }, sealed = { 0 };

	rig_make(&before, &genesis_tip);
	record_of(&before, &record, 1);
	rig_make(&after, &genesis_tip);
	cr_assert_eq(consensus_restore(after.c, buf_bytes(&record), &sealed, NULL), OK);
	cr_assert_eq(sealed.size, 4);

	/* It goes on by itself, refuses another block, and signs the same bytes again. */
	tick(&after, START_MS + 1);
	cr_assert(find(&after, CONSENSUS_EFFECT_PROPOSE));
	propose(&after, 2, true, START_MS + 1000);
	cr_assert_eq(find(&after, CONSENSUS_EFFECT_TRACE)->trace, CONSENSUS_TRACE_SIGN_FAILED);
	propose(&after, 1, true, START_MS + 1000);
	cr_assert(bytes_equal(find(&after, CONSENSUS_EFFECT_PERSIST)->persist.record, buf_bytes(&record)));
	persisted(&after, find(&after, CONSENSUS_EFFECT_PERSIST)->persist.number, START_MS + 1000);
	cr_assert_eq(find(&after, CONSENSUS_EFFECT_COMMIT)->commit.hash.bytes[0], 1);
	buf_clear(&record);
	buf_clear(&sealed);
	rig_end(&before);
	rig_end(&after);
}

Test(consensus, restart_above_the_record_is_free)
{
	struct rig before, after;
	struct buf record = { 0 }, sealed = { 0 };
	struct consensus_tip tip = { .height = 1, .time_ms = START_MS + 1000, .has_txs = true };

	rig_make(&before, &genesis_tip);
	record_of(&before, &record, 1);
	rig_make(&after, &tip);
	cr_assert_eq(consensus_restore(after.c, buf_bytes(&record), &sealed, NULL), OK);
	cr_assert_eq(sealed.size, 0);
	work(&after, true, START_MS + 5000);
	one_height(&after, 2, true, START_MS + 5000);
	buf_clear(&record);
	rig_end(&before);
	rig_end(&after);
}

Test(consensus, restart_refuses_records_that_do_not_fit)
{
	struct rig before, after;
	struct buf record = { 0 }, second = { 0 }, sealed = { 0 };
	struct err err = { 0 };
	struct consensus_tip tip = genesis_tip;

	rig_make(&before, &genesis_tip);
	record_of(&before, &record, 1);
	persisted(&before, 1, START_MS + 1000);
	work(&before, true, START_MS + 1200);
	propose(&before, 2, true, START_MS + 1200);
	buf_append_bytes(&second, find(&before, CONSENSUS_EFFECT_PERSIST)->persist.record);

	/* Two above the tip: blocks are missing. */
	rig_make(&after, &genesis_tip);
	cr_assert_eq(consensus_restore(after.c, buf_bytes(&second), &sealed, &err), CONSENSUS_E_RECORD);
	cr_assert(strstr(err.message, "missing"));
	rig_end(&after);

	/* Back again after a higher one. */
	tip.height = 1;
	rig_make(&after, &tip);
	cr_assert_eq(consensus_restore(after.c, buf_bytes(&second), &sealed, &err), OK);
	cr_assert_eq(consensus_restore(after.c, buf_bytes(&record), &sealed, &err), CONSENSUS_E_RECORD);
	rig_end(&after);

	/* Any flipped byte outside the block, whose hash is checked where it is executed. */
	for (size_t i = 0; i < record.size; i += 3) {
		const uint8_t *block = memmem(record.data, record.size, "\xc3\1\2\3", 4);

		if (record.data + i >= block && record.data + i < block + 4)
			continue;
		rig_make(&after, &genesis_tip);
		record.data[i] ^= 0x20;
		cr_assert_neq(consensus_restore(after.c, buf_bytes(&record), &sealed, NULL), OK, "byte %zu", i);
		record.data[i] ^= 0x20;
		rig_end(&after);
	}
	buf_clear(&record);
	buf_clear(&second);
	buf_clear(&sealed);
	rig_end(&before);
}
