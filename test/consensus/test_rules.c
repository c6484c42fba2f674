/* One machine of four, driven by hand: the rules that random runs reach seldom. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "base/check.h"
#include "consensus/consensus.h"
#include "crypto/keccak.h"

#define COUNT 4
#define START_MS 1700000000000ull
#define T0_MS 500

/* Validator i proposes where (height + view) % 4 == i; the machine is validator 0,
 * so at height 1 validator 1 leads view 0, and the machine view 3. */
struct rig {
	struct validator_set set;
	struct consensus_config config;
	struct consensus *c;
	struct consensus_effects effects;
	uint64_t now_ms;
};

/* A signature is keccak256(index ‖ digest). */
static void mac(size_t validator, const struct hash *digest, struct signature *out)
{
	uint8_t joined[33] = { (uint8_t)validator };
	struct hash h;

	memcpy(joined + 1, digest->bytes, 32);
	keccak256(&h, bytes_of(joined, sizeof(joined)));
	*out = (struct signature){ .s = { [31] = 1 } };
	memcpy(out->r, h.bytes, 32);
}

static int rig_sign(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	(void)ctx;
	(void)err;
	mac(0, digest, out);
	return OK;
}

static bool rig_verify(void *ctx, const struct signature *sig, const struct hash *digest,
		       const struct addr *signer)
{
	struct signature expected;

	(void)ctx;
	mac(signer->bytes[0] - 1, digest, &expected);
	return memcmp(expected.r, sig->r, 32) == 0;
}

static size_t rig_proposer(void *ctx, const struct consensus_epoch *epoch, uint64_t height, uint64_t view)
{
	(void)ctx;
	(void)epoch;
	return (height + view) % COUNT;
}

static bool rig_is_block(void *ctx, struct bytes sealed, const struct hash *hash)
{
	struct hash h;

	(void)ctx;
	keccak256(&h, sealed);
	return hash_equal(&h, hash);
}

static void rig_make(struct rig *r)
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	struct validator members[COUNT] = { 0 };

	*r = (struct rig){ .now_ms = START_MS };
	for (size_t i = 0; i < COUNT; i++)
		members[i] = (struct validator){ { { (uint8_t)(i + 1) } }, { 1 } };
	cr_assert_eq(validator_set_init(&r->set, members, COUNT, NULL), OK);
	r->config = (struct consensus_config){
		.chain_id = 31337,
		.self = members[0].address,
		.epoch = { .set = &r->set },
		.min_interval_ms = 0,
		.heartbeat_ms = 30000,
		.view_timeout_ms = T0_MS,
		.proposer = rig_proposer,
		.sign = rig_sign,
		.verify = rig_verify,
		.is_block = rig_is_block,
		.ctx = r,
	};
	cr_assert_eq(consensus_new(&r->c, &r->config, &tip, NULL), OK);
}

static void rig_end(struct rig *r)
{
	consensus_free(r->c);
}

static const struct consensus_effect *find(const struct rig *r, enum consensus_effect_kind kind)
{
	for (size_t i = 0; i < r->effects.count; i++)
		if (r->effects.items[i].kind == kind)
			return &r->effects.items[i];
	return NULL;
}

/* The message of a kind among what is sent; cleared by the caller. */
static bool find_sent(const struct rig *r, enum message_kind kind, struct message *out)
{
	for (size_t i = 0; i < r->effects.count; i++) {
		if (r->effects.items[i].kind != CONSENSUS_EFFECT_SEND)
			continue;
		cr_assert_eq(message_decode(out, r->effects.items[i].send, NULL), OK);
		if (out->kind == kind)
			return true;
		message_clear(out);
	}
	return false;
}

static bool sends(const struct rig *r, enum message_kind kind)
{
	struct message m;
	bool found = find_sent(r, kind, &m);

	if (found)
		message_clear(&m);
	return found;
}

static void step(struct rig *r, struct consensus_event event)
{
	event.now_ms = r->now_ms;
	consensus_step(r->c, &event, &r->effects);
}

static void tick(struct rig *r, uint64_t later_ms)
{
	r->now_ms += later_ms;
	step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_TICK });
}

/* What was to be persisted is. */
static bool persist(struct rig *r)
{
	const struct consensus_effect *e = find(r, CONSENSUS_EFFECT_PERSIST);

	if (!e)
		return false;
	step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = e->persist.number });
	return true;
}

static struct status_view {
	uint64_t height, view;
	enum consensus_phase phase;
} status(const struct rig *r)
{
	struct consensus_status s;

	consensus_get_status(r->c, &s);
	return (struct status_view){ s.height, s.view, s.phase };
}

/* --- messages of the others --- */

static struct bytes block_of(uint8_t mark)
{
	static uint8_t blocks[256][4];

	memset(blocks[mark], mark, 4);
	return bytes_of(blocks[mark], 4);
}

static struct hash hash_of(uint8_t mark)
{
	struct hash h;

	keccak256(&h, block_of(mark));
	return h;
}

static void sign_as(struct rig *r, size_t validator, struct message *m)
{
	struct signature s;
	struct hash digest;

	message_digest(m, 31337, &r->set.hash, &digest);
	mac(validator, &digest, &s);
	if (m->kind == MESSAGE_PRE_PREPARE)
		m->pre_prepare.signature = s;
	else if (m->kind == MESSAGE_VIEW_CHANGE)
		m->view_change.signature = s;
	else
		m->vote.signature = s;
}

static void give(struct rig *r, const struct message *m)
{
	struct message copy;
	struct buf encoded = { 0 };

	message_encode(&encoded, m);
	cr_assert_eq(message_decode(&copy, buf_bytes(&encoded), NULL), OK);
	step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_MESSAGE, .message = &copy });
	message_clear(&copy);
	buf_clear(&encoded);
}

static struct message vote_of(struct rig *r, enum message_kind kind, size_t validator, uint64_t view, uint8_t mark)
{
	struct message m = { .kind = kind };

	m.vote = (struct vote){ .kind = kind, .height = 1, .view = view, .validator = validator,
				.block_hash = hash_of(mark) };
	sign_as(r, validator, &m);
	return m;
}

static void vote(struct rig *r, enum message_kind kind, size_t validator, uint64_t view, uint8_t mark)
{
	struct message m = vote_of(r, kind, validator, view, mark);

	give(r, &m);
}

/* Prepares of validators first to 3. */
static struct certificate prepares_of(struct rig *r, size_t first, uint64_t view, uint8_t mark)
{
	struct hash hash = hash_of(mark);
	struct certificate c;

	certificate_init(&c, 1, view, &hash);
	for (size_t i = first; i < COUNT; i++) {
		struct message m = vote_of(r, MESSAGE_PREPARE, i, view, mark);

		certificate_add(&c, i, &m.vote.signature);
	}
	return c;
}

/* A claim of `mark` prepared in `prepared_view`; mark 0: none. */
static struct message view_change_of(struct rig *r, size_t validator, uint64_t view, uint64_t prepared_view,
				     uint8_t mark, struct certificate *proof)
{
	struct message m = { .kind = MESSAGE_VIEW_CHANGE };
	struct bytes block = block_of(mark);

	m.view_change = (struct view_change){ .height = 1, .view = view, .validator = validator,
					      .has_prepared = mark != 0 };
	if (mark) {
		m.view_change.prepared_view = prepared_view;
		m.view_change.prepared_hash = hash_of(mark);
		m.view_change.prepares = proof;
		m.view_change.block = (struct buf){ (uint8_t *)(uintptr_t)block.data, block.size, block.size };
	}
	sign_as(r, validator, &m);
	return m;
}

/* A proposal with view-changes of 1, 2, 3, of which those with a mark claim. */
struct proposal {
	size_t from;
	uint64_t view;
	uint8_t mark;
	uint8_t claims[COUNT];         /* of validator i; 0: none */
	uint64_t claim_views[COUNT];
	size_t first;                  /* the first validator with a view-change; 0 counts as 1 */
	struct certificate *proof;
};

static void propose(struct rig *r, const struct proposal *p)
{
	struct message m = { .kind = MESSAGE_PRE_PREPARE };
	struct view_change changes[COUNT];
	struct bytes block = block_of(p->mark);
	size_t count = 0;

	for (size_t i = p->first ? p->first : 1; i < COUNT && p->view > 0; i++) {
		struct message v = view_change_of(r, i, p->view, p->claim_views[i], p->claims[i], NULL);

		changes[count++] = v.view_change;
	}
	m.pre_prepare = (struct pre_prepare){
		.height = 1,
		.view = p->view,
		.validator = p->from,
		.block_hash = hash_of(p->mark),
		.block = { (uint8_t *)(uintptr_t)block.data, block.size, block.size },
		.view_changes = changes,
		.view_change_count = count,
		.prepares = p->proof,
	};
	sign_as(r, p->from, &m);
	give(r, &m);
}

static void executed(struct rig *r, uint8_t mark, bool is_valid)
{
	struct consensus_event e = { .kind = CONSENSUS_EVENT_EXECUTED };

	e.executed.hash = hash_of(mark);
	e.executed.is_valid = is_valid;
	e.executed.time_ms = START_MS;
	step(r, e);
}

/* Block `mark` is prepared here in view 0, our commit durable. */
static void prepare_in_view_0(struct rig *r, uint8_t mark)
{
	propose(r, &(struct proposal){ .from = 1, .mark = mark });
	executed(r, mark, true);
	cr_assert(persist(r));
	cr_assert(sends(r, MESSAGE_PREPARE));
	vote(r, MESSAGE_PREPARE, 1, 0, mark);
	vote(r, MESSAGE_PREPARE, 2, 0, mark);
	cr_assert_eq(status(r).phase, CONSENSUS_COMMITTING);
	cr_assert(persist(r));
	cr_assert(sends(r, MESSAGE_COMMIT));
}

/* --- the rules --- */

Test(rules, lock_does_not_outlive_its_view)
{
	struct rig r;

	rig_make(&r);
	prepare_in_view_0(&r, 1);
	propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 2 });
	cr_assert(find(&r, CONSENSUS_EFFECT_EXECUTE), "a justified proposal binds who has prepared another");
	executed(&r, 2, true);
	cr_assert(persist(&r));
	cr_assert(sends(&r, MESSAGE_PREPARE));
	rig_end(&r);
}

Test(rules, highest_certificate_goes_into_every_view_change_with_its_block)
{
	struct rig r;
	struct message m;

	rig_make(&r);
	prepare_in_view_0(&r, 1);
	propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 2 });
	executed(&r, 2, true);
	persist(&r);
	tick(&r, 2 * T0_MS);
	cr_assert(persist(&r));
	cr_assert(find_sent(&r, MESSAGE_VIEW_CHANGE, &m));
	cr_assert_eq(m.view_change.view, 2);
	cr_assert(m.view_change.has_prepared);
	cr_assert_eq(m.view_change.prepared_view, 0);
	cr_assert(bytes_equal(buf_bytes(&m.view_change.block), block_of(1)));
	cr_assert_eq(message_check(&m, &r.set, NULL), OK);
	message_clear(&m);
	rig_end(&r);
}

Test(rules, own_commit_counts_only_when_it_is_durable)
{
	struct rig r;
	uint64_t number;

	rig_make(&r);
	propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	executed(&r, 1, true);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_SEND));
	number = find(&r, CONSENSUS_EFFECT_PERSIST)->persist.number;
	vote(&r, MESSAGE_COMMIT, 2, 0, 1);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_COMMIT));
	step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = number });
	cr_assert(find(&r, CONSENSUS_EFFECT_COMMIT));
	cr_assert_eq(status(&r).height, 2);
	rig_end(&r);
}

Test(rules, commits_of_others_make_a_block_final)
{
	struct rig r;

	rig_make(&r);
	propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	vote(&r, MESSAGE_COMMIT, 2, 0, 1);
	vote(&r, MESSAGE_COMMIT, 3, 0, 1);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_COMMIT), "not before it has executed here");
	executed(&r, 1, true);
	cr_assert(find(&r, CONSENSUS_EFFECT_COMMIT));
	rig_end(&r);
}

Test(rules, time_outs_double_to_a_cap)
{
	struct rig r;

	rig_make(&r);
	tick(&r, 30000);
	for (unsigned view = 0; view < 12; view++) {
		uint64_t timeout_ms = T0_MS << MIN(view, 6u);

		tick(&r, timeout_ms - 1);
		cr_assert_eq(status(&r).view, view);
		tick(&r, 1);
		cr_assert_eq(status(&r).view, view + 1);
	}
	rig_end(&r);
}

Test(rules, one_view_change_moves_nobody_two_of_four_move_to_the_smaller)
{
	struct rig r;
	struct message m;

	rig_make(&r);
	m = view_change_of(&r, 1, 1000, 0, 0, NULL);
	give(&r, &m);
	cr_assert_eq(status(&r).view, 0);
	m = view_change_of(&r, 2, 3, 0, 0, NULL);
	give(&r, &m);
	cr_assert_eq(status(&r).view, 3);
	rig_end(&r);
}

Test(rules, view_above_the_cap_is_not_kept)
{
	struct rig r;

	rig_make(&r);
	for (size_t i = 1; i < COUNT; i++) {
		struct message m = view_change_of(&r, i, UINT64_MAX, 0, 0, NULL);

		give(&r, &m);
	}
	cr_assert_eq(status(&r).view, 0);
	rig_end(&r);
}

Test(rules, votes_far_above_do_not_push_out_those_of_this_view)
{
	struct rig r;

	rig_make(&r);
	vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	vote(&r, MESSAGE_PREPARE, 2, CONSENSUS_VIEW_COUNT, 9);
	propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	executed(&r, 1, true);
	cr_assert_eq(status(&r).phase, CONSENSUS_COMMITTING);
	rig_end(&r);
}

Test(rules, nothing_is_signed_below_the_view_asked_for)
{
	struct rig r;

	rig_make(&r);
	propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	tick(&r, T0_MS);
	cr_assert(persist(&r));
	cr_assert(sends(&r, MESSAGE_VIEW_CHANGE));
	executed(&r, 1, true);
	vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	vote(&r, MESSAGE_PREPARE, 3, 0, 1);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_PERSIST));
	rig_end(&r);
}

Test(rules, clock_does_not_count_once_a_quorum_has_prepared)
{
	struct rig r;

	rig_make(&r);
	propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	cr_assert_not(find(&r, CONSENSUS_EFFECT_EXECUTE)->execute.is_reproposal);
	executed(&r, 1, false);
	vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_EXECUTE));
	vote(&r, MESSAGE_PREPARE, 3, 0, 1);
	cr_assert(find(&r, CONSENSUS_EFFECT_EXECUTE));
	cr_assert(find(&r, CONSENSUS_EFFECT_EXECUTE)->execute.is_reproposal);
	executed(&r, 1, true);
	cr_assert_eq(status(&r).phase, CONSENSUS_COMMITTING);
	rig_end(&r);
}

Test(rules, block_that_a_quorum_committed_and_that_does_not_execute_here_is_said)
{
	struct rig r;

	rig_make(&r);
	propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	executed(&r, 1, false);
	for (size_t i = 1; i < COUNT; i++)
		vote(&r, MESSAGE_COMMIT, i, 0, 1);
	executed(&r, 1, false);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_COMMIT));
	cr_assert_eq(r.effects.items[r.effects.count - 1].trace, CONSENSUS_TRACE_DIVERGED);
	rig_end(&r);
}

/* --- what justifies a proposal --- */

static void expect_refused(struct rig *r, const struct proposal *p)
{
	propose(r, p);
	cr_assert_not(find(r, CONSENSUS_EFFECT_EXECUTE), "proposal of %zu in view %llu", p->from,
		      (unsigned long long)p->view);
	cr_assert_eq(status(r).view, 0);
}

Test(rules, proposal_is_believed_only_from_its_leader)
{
	struct rig r;

	rig_make(&r);
	expect_refused(&r, &(struct proposal){ .from = 2, .mark = 1 });
	expect_refused(&r, &(struct proposal){ .from = 3, .view = 1, .mark = 1 });
	propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	cr_assert(find(&r, CONSENSUS_EFFECT_EXECUTE));
	rig_end(&r);
}

Test(rules, new_view_needs_a_quorum_of_view_changes)
{
	struct rig r;

	rig_make(&r);
	expect_refused(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1, .first = 2 });
	propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1 });
	cr_assert_eq(status(&r).view, 1);
	rig_end(&r);
}

Test(rules, new_view_carries_the_block_of_the_highest_claim)
{
	struct rig r;
	struct certificate low, high;

	rig_make(&r);
	low = prepares_of(&r, 1, 0, 1);
	high = prepares_of(&r, 1, 1, 2);
	/* The lower claim's block; the higher one's without prepares for it. */
	expect_refused(&r, &(struct proposal){ .from = 3, .view = 2, .mark = 1, .claims = { 0, 1, 2, 0 },
					       .claim_views = { 0, 0, 1, 0 }, .proof = &low });
	expect_refused(&r, &(struct proposal){ .from = 3, .view = 2, .mark = 2, .claims = { 0, 1, 2, 0 },
					       .claim_views = { 0, 0, 1, 0 }, .proof = &low });
	/* Two hashes for one view. */
	expect_refused(&r, &(struct proposal){ .from = 3, .view = 2, .mark = 2, .claims = { 0, 1, 2, 0 },
					       .claim_views = { 0, 1, 1, 0 }, .proof = &high });
	propose(&r, &(struct proposal){ .from = 3, .view = 2, .mark = 2, .claims = { 0, 1, 2, 0 },
					.claim_views = { 0, 0, 1, 0 }, .proof = &high });
	cr_assert(find(&r, CONSENSUS_EFFECT_EXECUTE)->execute.is_reproposal);
	rig_end(&r);
}

Test(rules, claim_needs_a_quorum_of_valid_prepares)
{
	struct rig r;
	struct certificate few, forged;
	struct message m;

	rig_make(&r);
	few = prepares_of(&r, 2, 0, 1);
	forged = prepares_of(&r, 1, 0, 1);
	forged.signatures[1].r[7] ^= 1;
	expect_refused(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1, .claims = { 0, 1, 0, 0 },
					       .proof = &few });
	expect_refused(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1, .claims = { 0, 1, 0, 0 },
					       .proof = &forged });
	/* And a view-change that claims so counts for nothing. */
	m = view_change_of(&r, 1, 1, 0, 1, &few);
	give(&r, &m);
	m = view_change_of(&r, 2, 1, 0, 1, &forged);
	give(&r, &m);
	cr_assert_eq(status(&r).view, 0);
	rig_end(&r);
}

Test(rules, leader_proposes_the_highest_claim_again)
{
	struct rig r;
	struct certificate low, high;
	struct message m;

	rig_make(&r);
	low = prepares_of(&r, 1, 0, 1);
	high = prepares_of(&r, 1, 1, 2);
	m = view_change_of(&r, 1, 3, 0, 1, &low);
	give(&r, &m);
	m = view_change_of(&r, 2, 3, 1, 2, &high);
	give(&r, &m);
	cr_assert_eq(status(&r).view, 3);
	cr_assert(find(&r, CONSENSUS_EFFECT_EXECUTE));
	executed(&r, 2, true);
	cr_assert(persist(&r));
	cr_assert(find_sent(&r, MESSAGE_PRE_PREPARE, &m));
	cr_assert_eq(message_check(&m, &r.set, NULL), OK);
	cr_assert_eq(m.pre_prepare.view_change_count, 3);
	cr_assert(bytes_equal(buf_bytes(&m.pre_prepare.block), block_of(2)));
	message_clear(&m);
	rig_end(&r);
}

/* --- behind, ahead, false --- */

Test(rules, commit_forces_normal_mode)
{
	struct rig r;
	struct consensus_event e = { .kind = CONSENSUS_EVENT_COMMITTED };

	rig_make(&r);
	tick(&r, 30000);
	tick(&r, T0_MS);
	tick(&r, 2 * T0_MS);
	cr_assert_eq(status(&r).view, 2);
	e.committed = (struct consensus_tip){ .height = 4, .time_ms = r.now_ms, .empty_count = CONFIRMATION_COUNT };
	step(&r, e);
	cr_assert_eq(status(&r).view, 0);
	cr_assert_eq(status(&r).height, 5);
	cr_assert_eq(status(&r).phase, CONSENSUS_IDLE);
	rig_end(&r);
}

Test(rules, message_far_above_is_a_hint_and_one_below_is_served)
{
	struct rig r;
	struct message m = { .kind = MESSAGE_PREPARE };
	struct consensus_event e = { .kind = CONSENSUS_EVENT_COMMITTED };

	rig_make(&r);
	m.vote = (struct vote){ .kind = MESSAGE_PREPARE, .height = 500, .validator = 2 };
	give(&r, &m);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_BEHIND), "its signature is not one");
	sign_as(&r, 2, &m);
	give(&r, &m);
	cr_assert(find(&r, CONSENSUS_EFFECT_BEHIND));
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_BEHIND)->peer.address.bytes[0], 3);
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_BEHIND)->peer.height, 499);
	e.committed = (struct consensus_tip){ .height = 4, .time_ms = r.now_ms };
	step(&r, e);
	m = view_change_of(&r, 3, 1, 0, 0, NULL);
	give(&r, &m);
	cr_assert(find(&r, CONSENSUS_EFFECT_SERVE));
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_SERVE)->peer.height, 1);
	rig_end(&r);
}

Test(rules, two_values_at_one_position_are_evidence_once)
{
	struct rig r;
	const struct consensus_effect *e;
	struct consensus_evidence found;

	rig_make(&r);
	vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	vote(&r, MESSAGE_PREPARE, 2, 0, 2);
	e = find(&r, CONSENSUS_EFFECT_EVIDENCE);
	cr_assert(e);
	cr_assert_eq(consensus_check_evidence(&r.config, &r.set, e->evidence.first, e->evidence.second, &found, NULL),
		     OK);
	cr_assert_eq(found.validator, 2);
	cr_assert_eq(consensus_check_evidence(&r.config, &r.set, e->evidence.first, e->evidence.first, &found, NULL),
		     CONSENSUS_E_EVIDENCE);
	vote(&r, MESSAGE_PREPARE, 2, 0, 3);
	cr_assert_not(find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_end(&r);
}

Test(rules, message_under_our_own_key_is_said)
{
	struct rig r;

	rig_make(&r);
	vote(&r, MESSAGE_PREPARE, 0, 0, 1);
	cr_assert_eq(find(&r, CONSENSUS_EFFECT_TRACE)->trace, CONSENSUS_TRACE_TWIN);
	rig_end(&r);
}

Test(rules, status_names_who_is_missing)
{
	struct rig r;
	struct consensus_status s;

	rig_make(&r);
	propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	executed(&r, 1, true);
	vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	consensus_get_status(r.c, &s);
	cr_assert_eq(s.phase, CONSENSUS_PREPARING);
	cr_assert_eq(s.waited_for.bytes[0], 0x0a);
	cr_assert_eq(s.missing.n, 1);
	cr_assert_eq(s.proposer, 1);
	cr_assert(s.has_deadline);
	cr_assert_eq(s.last_seen_ms[2], r.now_ms);
	cr_assert_eq(s.last_seen_ms[3], 0);
	rig_end(&r);
}
