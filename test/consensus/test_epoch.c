/* Sets that change: who acts, who counts, what is dropped. */
#include <criterion/criterion.h>

#include "consensus/rig.h"

#define KEYS(a, b, c, d) (1u << (a) | 1u << (b) | 1u << (c) | 1u << (d))

/* Height 1 is agreed on by keys 0 - 3; its block says who decides height 2. */
static void agree_on_height_1(struct rig *r, const struct consensus_epoch *next)
{
	rig_propose(r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed_next(r, 1, next);
	cr_assert(rig_persist(r));
	rig_vote(r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(r, MESSAGE_PREPARE, 2, 0, 1);
	cr_assert(rig_persist(r));
	rig_vote(r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(r, MESSAGE_COMMIT, 2, 0, 1);
	cr_assert(rig_find(r, CONSENSUS_EFFECT_COMMIT));
	cr_assert_eq(rig_status(r).height, 2);
}

static void turn(struct rig *r, const struct validator_set *set, uint64_t height)
{
	r->set = *set;
	r->height = height;
}

Test(epoch, set_of_the_next_height_comes_with_the_block)
{
	struct rig r;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };

	rig_make(&r);
	rig_set(&later, KEYS(0, 2, 4, 5), NULL);
	agree_on_height_1(&r, &next);
	cr_assert_eq(consensus_get_epoch(r.c)->number, 1);
	cr_assert_eq(consensus_get_epoch(r.c)->set->count, 4);
	cr_assert(consensus_get_epoch(r.c)->set != &later, "copied");
	/* Key 1 is out; 4 and 5 are in. Index (2 + 0) % 4 = 2 is key 4's. */
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 2);
	turn(&r, &later, 2);
	rig_propose(&r, &(struct proposal){ .from = 4, .mark = 2 });
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	rig_executed(&r, 2, true);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_PREPARE, 4, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_PREPARING);
	rig_vote(&r, MESSAGE_PREPARE, 5, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_COMMITTING);
	rig_end(&r);
}

Test(epoch, weights_change_the_quorum)
{
	struct rig r;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };

	rig_make(&r);
	rig_set(&later, KEYS(0, 1, 2, 3), (const uint64_t[]){ 1, 1, 1, 6 }); /* T 9, f 2, Q 7 */
	agree_on_height_1(&r, &next);
	turn(&r, &later, 2);
	rig_propose(&r, &(struct proposal){ .from = 2, .mark = 2 });
	rig_executed(&r, 2, true);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 2);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_PREPARING, "three of four weigh three of nine");
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_COMMITTING);
	rig_end(&r);
}

/* Votes of the next height that came before its set was known are of another set; those that came
 * after count. */
Test(epoch, early_messages_count_only_under_the_set_that_decides)
{
	struct rig r;
	struct validator_set present, later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };

	rig_make(&r);
	present = r.set;
	rig_set(&later, KEYS(0, 2, 4, 5), NULL);
	r.height = 2;
	rig_propose(&r, &(struct proposal){ .from = 2, .mark = 2 });
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 2);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 2);
	r.height = 1;
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed_next(&r, 1, &next);
	cr_assert(rig_persist(&r));
	/* Now it is known. */
	turn(&r, &later, 2);
	rig_propose(&r, &(struct proposal){ .from = 4, .mark = 3 });
	rig_vote(&r, MESSAGE_PREPARE, 4, 0, 3);
	rig_vote(&r, MESSAGE_PREPARE, 5, 0, 3);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_SIGNATURE), 0);
	turn(&r, &present, 1);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 1);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 1);
	cr_assert_eq(rig_status(&r).height, 2);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	cr_assert(hash_equal(&rig_find(&r, CONSENSUS_EFFECT_EXECUTE)->execute.block.hash,
			     &(struct hash[]){ rig_hash(3) }[0]), "the one of the set that decides");
	rig_executed(&r, 3, true);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_COMMITTING, "two early prepares and ours");
	rig_end(&r);
}

Test(epoch, who_is_no_member_is_passive)
{
	struct rig r;
	struct validator_set later, last;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };
	struct consensus_status s;

	rig_make(&r);
	rig_set(&later, KEYS(1, 2, 3, 4), NULL);
	agree_on_height_1(&r, &next);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_PASSIVE);
	turn(&r, &later, 2);
	rig_tick(&r, 1000000);
	cr_assert_eq(r.effects.count, 0, "nothing is due, nothing times out");
	rig_propose(&r, &(struct proposal){ .from = 3, .mark = 2 });
	for (size_t key = 1; key <= 4; key++)
		rig_vote(&r, MESSAGE_COMMIT, key, 0, 2);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_PASSIVE), 5);
	cr_assert_eq(rig_status(&r).height, 2);
	consensus_get_status(r.c, &s);
	cr_assert_not(s.is_member);
	cr_assert_eq(s.epoch, 1);
	/* It hears that the others are ahead. */
	r.height = 9;
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 2);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_BEHIND));
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_BEHIND)->peer.address.bytes[0], 3);
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_BEHIND)->peer.height, 8);
	/* And acts again as soon as a set has it, at its new index. */
	rig_set(&last, KEYS(0, 2, 3, 4), NULL);
	rig_committed(&r, 8, r.now_ms, &(struct consensus_epoch){ .number = 2, .first = 9, .set = &last });
	consensus_get_status(r.c, &s);
	cr_assert(s.is_member);
	turn(&r, &last, 9); /* index 9 % 4 = 1 leads: key 2 */
	rig_propose(&r, &(struct proposal){ .from = 2, .mark = 9 });
	rig_executed(&r, 9, true);
	cr_assert(rig_persist(&r));
	cr_assert(rig_sends(&r, MESSAGE_PREPARE));
	rig_end(&r);
}

Test(epoch, commit_that_jumps_over_epochs_takes_the_last)
{
	struct rig r;
	struct validator_set later;
	struct checkpoint p = { .height = 3 };

	rig_make(&r);
	rig_set(&later, KEYS(0, 1, 2, 5), NULL);
	rig_committed(&r, 20, START_MS, &(struct consensus_epoch){ .number = 4, .first = 17, .set = &later });
	cr_assert_eq(consensus_get_epoch(r.c)->number, 4);
	cr_assert_eq(rig_status(&r).height, 21);
	/* Of heights between nothing is known. */
	rig_step(&r, (struct consensus_event){ .kind = CONSENSUS_EVENT_CHECKPOINT, .checkpoint = &p });
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_HEIGHT_PAST), 1);
	rig_end(&r);
}

/* The set of the height below is still known: its view-changes are served, its late votes read. */
Test(epoch, height_below_is_judged_by_its_own_set)
{
	struct rig r;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };
	struct message m;

	rig_make(&r);
	rig_set(&later, KEYS(0, 2, 4, 5), NULL);
	agree_on_height_1(&r, &next);
	m = rig_view_change(&r, 3, 1, 0, 0, NULL);
	rig_give(&r, &m);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_SERVE));
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_SERVE)->peer.address.bytes[0], 4);
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 2);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE)->evidence.signer.bytes[0], 2);
	rig_end(&r);
}

/* Our own index moves with the set, while the machine runs. */
Test(epoch, own_words_are_under_the_index_of_their_set)
{
	struct rig r;
	struct validator_set later;
	struct consensus_epoch next = { .number = 1, .first = 2, .set = &later };
	struct message m;

	rig_make_as(&r, 2, 0x0f, NULL);
	rig_set(&later, KEYS(2, 3, 4, 5), NULL);
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed_next(&r, 1, &next);
	cr_assert(rig_persist(&r));
	cr_assert(rig_find_sent(&r, MESSAGE_PREPARE, &m));
	cr_assert_eq(m.vote.validator, 2);
	message_clear(&m);
	rig_vote(&r, MESSAGE_PREPARE, 0, 0, 1);
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1);
	cr_assert(rig_persist(&r));
	rig_vote(&r, MESSAGE_COMMIT, 0, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	cr_assert_eq(rig_status(&r).height, 2);
	turn(&r, &later, 2);
	/* Index (2 + 0) % 4 = 2 leads: key 4. What index 2 says now is not under our key. */
	rig_propose(&r, &(struct proposal){ .from = 4, .mark = 2 });
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_OWN_KEY), 0);
	rig_executed(&r, 2, true);
	cr_assert(rig_persist(&r));
	cr_assert(rig_find_sent(&r, MESSAGE_PREPARE, &m));
	cr_assert_eq(m.vote.validator, 0);
	message_clear(&m);
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_PREPARING);
	rig_vote(&r, MESSAGE_PREPARE, 4, 0, 2);
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_COMMITTING, "the leader's proposal is no vote, ours is");
	rig_end(&r);
}

/* --- the log --- */

static struct buf copy_of(struct bytes b)
{
	struct buf copy = { 0 };

	buf_append_bytes(&copy, b);
	return copy;
}

/* A record is of its height's set: the index in it may be another one now, and the set unknown. */
Test(epoch, records_outlive_their_set)
{
	struct rig r;
	struct validator_set present, later, last;
	struct consensus_status s;
	struct buf below, here, whole = { 0 }, sealed = { 0 };
	struct consensus_epoch epochs[3];
	struct consensus_tip tip = { .height = 1, .time_ms = START_MS };
	struct err err = { 0 };

	rig_set(&present, KEYS(0, 1, 2, 3), NULL);
	rig_make_as(&r, 2, 0x0f, NULL);
	r.set = present;
	epochs[0] = (struct consensus_epoch){ .set = &present };
	/* Our index moves from 2 to 0, key 3's from 3 to 1. */
	rig_set(&later, KEYS(2, 3, 4, 5), NULL);
	epochs[1] = (struct consensus_epoch){ .number = 1, .first = 2, .set = &later };
	rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
	rig_executed_next(&r, 1, &epochs[1]);
	below = copy_of(rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.record);
	rig_restart(&r, &tip, &epochs[0]);
	consensus_get_status(r.c, &s);
	cr_assert_eq(s.self, 2);
	rig_restart(&r, &tip, &epochs[1]);
	consensus_get_status(r.c, &s);
	cr_assert_eq(s.self, 0);
	turn(&r, &later, 2);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), OK, "%s", err.message);
	rig_propose(&r, &(struct proposal){ .from = 4, .mark = 2 });
	rig_executed(&r, 2, true);
	here = copy_of(rig_find(&r, CONSENSUS_EFFECT_PERSIST)->persist.record);
	cr_assert(rig_persist(&r));

	rig_restart(&r, &tip, &epochs[1]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&here), &sealed, &err), OK, "%s", err.message);
	rig_tick(&r, 0);
	cr_assert(rig_sends(&r, MESSAGE_PREPARE));

	/* The chain says that another set decides height 2. */
	rig_set(&last, KEYS(2, 3, 4, 6), NULL);
	epochs[2] = (struct consensus_epoch){ .number = 1, .first = 2, .set = &last };
	rig_restart(&r, &tip, &epochs[2]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&here), &sealed, &err), CONSENSUS_E_RECORD);
	cr_assert(strstr(err.message, "another set"), "%s", err.message);

	/* Later, out of the set: nothing binds, and the sign record goes on. */
	tip.height = 2;
	epochs[2] = (struct consensus_epoch){ .number = 2, .first = 3, .set = &last };
	rig_set(&last, KEYS(1, 3, 4, 6), NULL);
	rig_restart(&r, &tip, &epochs[2]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&here), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), CONSENSUS_E_RECORD, "it goes back");
	consensus_sign_record(r.c, &whole);
	rig_restart(&r, &tip, &epochs[2]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&whole), &sealed, &err), OK, "%s", err.message);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), CONSENSUS_E_RECORD, "it goes back");
	cr_assert_eq(rig_status(&r).phase, CONSENSUS_PASSIVE);

	/* And a record under another's key is refused at any height. */
	r.config.self.bytes[0] = 9;
	rig_restart(&r, &tip, &epochs[2]);
	cr_assert_eq(consensus_restore(r.c, buf_bytes(&below), &sealed, &err), CONSENSUS_E_RECORD);
	cr_assert(strstr(err.message, "the key that wrote it"), "%s", err.message);
	buf_clear(&below);
	buf_clear(&here);
	buf_clear(&whole);
	buf_clear(&sealed);
	rig_end(&r);
}

/* --- turns --- */

/* The machine's own round robin is the one that anyone can compute. */
Test(epoch, turns_are_those_of_the_weighted_round_robin)
{
	struct rig r;
	struct validator_set later;
	const uint64_t weights[] = { 3, 1, 7, 2 };
	struct consensus_epoch epoch;
	struct consensus_status s;

	rig_make_of(&r, 15, weights);
	r.config.proposer = NULL;
	rig_set(&later, KEYS(0, 1, 2, 3), (const uint64_t[]){ 1, 5, 1, 1 });
	epoch = (struct consensus_epoch){ .first = 0, .set = &r.set };
	rig_restart(&r, &(struct consensus_tip){ .time_ms = START_MS }, &epoch);
	for (uint64_t h = 1; h < 60; h++) {
		const struct consensus_epoch *now = consensus_get_epoch(r.c);

		consensus_get_status(r.c, &s);
		cr_assert_eq(s.proposer, validator_set_proposer(now->set, now->first, h, 0), "height %llu",
			     (unsigned long long)h);
		if (h % 7 == 0) { /* a restart in the middle of an epoch comes to the same turn */
			struct validator_set set = *now->set;

			epoch = (struct consensus_epoch){ now->number, now->first, &set };
			rig_restart(&r, &(struct consensus_tip){ .height = h - 1, .time_ms = START_MS }, &epoch);
			consensus_get_status(r.c, &s);
			cr_assert_eq(s.proposer, validator_set_proposer(&set, epoch.first, h, 0));
		}
		rig_committed(&r, h, START_MS, h == 20 ? &(struct consensus_epoch){ 1, 21, &later } : NULL);
	}
	cr_assert_eq(consensus_get_epoch(r.c)->first, 21);
	rig_end(&r);
}

/* Nobody's walk to a turn ends among these. */
static const uint64_t skewed[] = { (1ull << 40) - 1, (1ull << 40) - 3, (1ull << 40) - 5, 1 };

static bool never_asked(void *ctx, const struct signature *sig, const struct hash *digest,
			const struct addr *signer)
{
	(void)sig;
	(void)digest;
	(void)signer;
	++*(uint64_t *)ctx;
	return false;
}

/* A view far above costs no walk to its turn before a quorum has signed that it is real: one step
 * a view, four thousand million of them here. The message is sound but for its signatures. */
Test(epoch, far_view_is_refused_before_its_turn_is_sought)
{
	struct rig r;
	struct consensus_epoch epoch;
	struct view_change changes[COUNT];
	struct message m;
	uint64_t asked = 0;

	rig_make_of(&r, 15, skewed);
	r.config.proposer = NULL;
	epoch = (struct consensus_epoch){ .first = 0, .set = &r.set };
	rig_restart(&r, &(struct consensus_tip){ .time_ms = START_MS }, &epoch);
	/* Members 0 to 2 weigh a quorum, the fourth nothing to speak of. */
	m = rig_proposal(&r, &(struct proposal){ .from = 1, .view = CONSENSUS_VIEW_MAX, .mark = 1 }, changes);
	for (size_t i = 3; i > 0; i--)
		changes[i] = changes[i - 1];
	changes[0] = rig_view_change(&r, 0, CONSENSUS_VIEW_MAX, 0, 0, NULL).view_change;
	m.pre_prepare.view_change_count = 4;
	changes[2].signature.r[0] ^= 1;
	cr_assert_eq(message_check(&m, &r.set, NULL), OK, "justified, as far as anyone sees without looking at signatures");
	rig_give(&r, &m);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_PROOF), 0);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_LEADER), 0);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_SIGNATURE), 1);

	/* A near view by the wrong leader: the turn is found first, and no signature is looked at. */
	r.config.verify = never_asked;
	r.config.ctx = &asked;
	r.config.sign = NULL;
	rig_restart(&r, &(struct consensus_tip){ .time_ms = START_MS }, &epoch);
	rig_propose(&r, &(struct proposal){ .from = 3, .mark = 1 });
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_LEADER), 1);
	cr_assert_eq(asked, 0);
	rig_end(&r);
}

Test(epoch, far_view_that_a_quorum_signed_has_a_turn_too)
{
	struct rig r;
	const uint64_t view = 4 * 1024;

	rig_make(&r);
	rig_propose(&r, &(struct proposal){ .from = 2, .view = view, .mark = 1 });
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_LEADER), 1);
	cr_assert_eq(rig_status(&r).view, 0);
	rig_propose(&r, &(struct proposal){ .from = 1, .view = view, .mark = 1 });
	cr_assert_eq(rig_status(&r).view, view);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	rig_end(&r);
}

/* --- fetched blocks that jump --- */

/* What was kept of a height under the set that was thought to decide it is not held against what
 * its true members say. */
Test(epoch, height_below_that_was_kept_for_another_set_is_not_looked_at)
{
	struct rig r;
	struct validator_set later;

	rig_make(&r);
	rig_set(&later, KEYS(0, 2, 4, 5), NULL);
	r.height = 6;
	rig_vote(&r, MESSAGE_PREPARE, 1, 0, 1); /* index 1 */
	rig_committed(&r, 8, START_MS, &(struct consensus_epoch){ .number = 1, .first = 5, .set = &later });
	turn(&r, &later, 6);
	r.verify_count = 0;
	rig_vote(&r, MESSAGE_PREPARE, 2, 0, 2); /* index 1 */
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	cr_assert_eq(r.verify_count, 0);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_HEIGHT_PAST), 1);
	rig_end(&r);
}

/* --- large sets --- */

static size_t self_leads_nothing(void *ctx, const struct consensus_epoch *epoch, uint64_t height, uint64_t view)
{
	(void)ctx;
	(void)epoch;
	(void)height;
	return 1 + view;
}

/* Signatures that name their signer: the first bytes of the address. */
static int stub_sign(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	(void)ctx;
	(void)err;
	*out = (struct signature){ .r = { 1, 0, 1 }, .s = { [31] = 1 } };
	memcpy(out->r + 3, digest->bytes, 29);
	return OK;
}

static bool stub_verify(void *ctx, const struct signature *sig, const struct hash *digest,
			const struct addr *signer)
{
	++*(uint64_t *)ctx;
	return memcmp(sig->r, signer->bytes, 3) == 0 && memcmp(sig->r + 3, digest->bytes, 29) == 0;
}

static bool stub_is_block(void *ctx, struct bytes sealed, const struct hash *hash)
{
	struct hash h = rig_hash(1);

	(void)ctx;
	return hash_equal(&h, hash) && bytes_equal(sealed, rig_block(1));
}

static void give_as(struct consensus *c, struct consensus_effects *effects, const struct validator_set *set,
		    size_t index, struct message *m)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_MESSAGE, .now_ms = START_MS, .message = m };
	struct signature *s = m->kind == MESSAGE_PRE_PREPARE ? &m->pre_prepare.signature : &m->vote.signature;
	struct hash digest;

	message_digest(m, RIG_CHAIN_ID, &set->hash, &digest);
	*s = (struct signature){ .s = { [31] = 1 } };
	memcpy(s->r, set->members[index].address.bytes, 3);
	memcpy(s->r + 3, digest.bytes, 29);
	consensus_step(c, &event, effects);
}

static void persist_all(struct consensus *c, struct consensus_effects *effects)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_PERSISTED, .now_ms = START_MS };

	for (size_t i = 0; i < effects->count; i++)
		if (effects->items[i].kind == CONSENSUS_EFFECT_PERSIST)
			event.persisted = effects->items[i].persist.number;
	cr_assert_gt(event.persisted, 0);
	consensus_step(c, &event, effects);
}

/* The first member among `count` through one height; the last to vote are needless. */
static void agree_among(size_t count)
{
	static struct validator members[VALIDATOR_COUNT_MAX];
	static struct validator_set set;
	uint64_t verified = 0;
	struct consensus_config config = {
		.chain_id = RIG_CHAIN_ID, .self = { { 1, 0, 1 } }, .epoch = { .set = &set },
		.heartbeat_ms = 30000, .view_timeout_ms = T0_MS, .proposer = self_leads_nothing,
		.sign = stub_sign, .verify = stub_verify, .is_block = stub_is_block, .ctx = &verified,
	};
	const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	const size_t quorum = count - (count - 1) / 3;
	struct bytes block = rig_block(1);
	struct consensus *c;
	struct consensus_effects effects;
	struct consensus_event executed = { .kind = CONSENSUS_EVENT_EXECUTED, .now_ms = START_MS };
	struct message m = { .kind = MESSAGE_PRE_PREPARE };
	struct certificate commits;
	struct consensus_status status;

	for (size_t i = 0; i < count; i++)
		members[i] = (struct validator){ .address = { { 1, (uint8_t)((i + 1) >> 8), (uint8_t)(i + 1) } },
						 .weight = { 1 } };
	cr_assert_eq(validator_set_init(&set, members, count, NULL), OK);
	cr_assert_eq(consensus_new(&c, &config, &tip, NULL), OK);
	m.pre_prepare = (struct pre_prepare){ .height = 1, .validator = 1, .block_hash = rig_hash(1),
					      .block = { (uint8_t *)(uintptr_t)block.data, block.size, block.size } };
	give_as(c, &effects, &set, 1, &m);
	executed.executed.hash = rig_hash(1);
	executed.executed.is_valid = true;
	consensus_step(c, &executed, &effects);
	persist_all(c, &effects);
	for (unsigned k = 0; k < 2; k++) {
		enum message_kind kind = k ? MESSAGE_COMMIT : MESSAGE_PREPARE;

		for (size_t i = 1; i < quorum; i++) {
			consensus_get_status(c, &status);
			cr_assert_eq(status.phase, k ? CONSENSUS_COMMITTING : CONSENSUS_PREPARING, "%zu of %zu", i, quorum);
			m = (struct message){ .kind = kind };
			m.vote = (struct vote){ .kind = kind, .height = 1, .validator = i, .block_hash = rig_hash(1) };
			give_as(c, &effects, &set, i, &m);
		}
		if (!k)
			persist_all(c, &effects);
	}
	consensus_get_status(c, &status);
	cr_assert_eq(status.height, 2);
	cr_assert_eq(verified, 1 + 2 * (quorum - 1), "each signature once");
	for (size_t i = 0; i < effects.count; i++)
		if (effects.items[i].kind == CONSENSUS_EFFECT_COMMIT) {
			cr_assert_eq(certificate_decode(&commits, effects.items[i].commit.certificate, NULL), OK);
			cr_assert_eq(commits.count, quorum);
			cr_assert_eq(certificate_check_weight(&commits, &set, NULL), OK);
		}
	/* The rest come late, and cost no verification of what is final. */
	verified = 0;
	for (size_t i = quorum; i < count; i++) {
		m.vote.validator = i;
		give_as(c, &effects, &set, i, &m);
	}
	consensus_get_status(c, &status);
	cr_assert_eq(status.refused[CONSENSUS_REFUSAL_HEIGHT_PAST], count - quorum);
	cr_assert_eq(status.refused_total, 0);
	consensus_free(c);
}

Test(epoch, large_sets_agree)
{
	agree_among(51);
	agree_among(VALIDATOR_COUNT_MAX);
}
