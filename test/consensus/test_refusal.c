/* Every kind of message with every defect: dropped, for a reason that is counted, without a
 * block executed, a word signed or a view changed. */
#include <criterion/criterion.h>

#include "consensus/rig.h"

enum defect {
	DEFECT_STRANGER,      /* a validator that is none of the set */
	DEFECT_FORGED,        /* another's signature */
	DEFECT_OTHER_CHAIN,
	DEFECT_OTHER_SET,
	DEFECT_OTHER_KIND,    /* signed as another kind of message */
	DEFECT_HEIGHT_PAST,
	DEFECT_HEIGHT_FAR,
	DEFECT_VIEW_FAR,
	DEFECT_VIEW_HUGE,
	DEFECT_REPLAY,
	DEFECT_OWN_KEY,
	DEFECT_CONTRADICTION,
	DEFECT_WRONG_LEADER,
	DEFECT_NO_QUORUM,     /* of what it carries */
	DEFECT_BAD_PROOF,     /* a signature inside is forged */
	DEFECT_STRANGE_PROOF, /* a signer inside is none of the set */
	DEFECT_WRONG_BLOCK,
	DEFECT_COUNT
};

static const char *const names[DEFECT_COUNT] = {
	"stranger", "forged", "other chain", "other set", "other kind", "height past", "height far", "view far",
	"view huge", "replay", "own key", "contradiction", "wrong leader", "no quorum", "bad proof", "strange proof",
	"wrong block",
};

/* A message of a kind that is sound: the block 7, view 2 for what is above view 0, with a claim. */
struct sound {
	struct message m;
	struct view_change changes[COUNT];
	struct certificate proof;
	uint8_t block[4];
};

#define SENDER 3 /* leads view 2 at height 1 */

static void make_sound(struct rig *r, struct sound *s, enum message_kind kind)
{
	memcpy(s->block, rig_block(7).data, 4);
	s->proof = rig_prepares(r, 1, 0, 7);
	switch (kind) {
	case MESSAGE_PRE_PREPARE:
		s->m = rig_proposal(r, &(struct proposal){ .from = SENDER, .view = 2, .mark = 7, .claims = { 0, 7 },
							   .proof = &s->proof }, s->changes);
		s->m.pre_prepare.block = (struct buf){ s->block, 4, 4 };
		break;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		s->m = rig_vote_of(r, kind, SENDER, 0, 7);
		break;
	case MESSAGE_VIEW_CHANGE:
		s->m = rig_view_change(r, SENDER, 2, 0, 7, &s->proof);
		s->m.view_change.block = (struct buf){ s->block, 4, 4 };
		break;
	}
}

static uint64_t *height_in(struct message *m)
{
	return m->kind == MESSAGE_PRE_PREPARE ? &m->pre_prepare.height :
	       m->kind == MESSAGE_VIEW_CHANGE ? &m->view_change.height : &m->vote.height;
}

static uint64_t *view_in(struct message *m)
{
	return m->kind == MESSAGE_PRE_PREPARE ? &m->pre_prepare.view :
	       m->kind == MESSAGE_VIEW_CHANGE ? &m->view_change.view : &m->vote.view;
}

static size_t *validator_in(struct message *m)
{
	return m->kind == MESSAGE_PRE_PREPARE ? &m->pre_prepare.validator :
	       m->kind == MESSAGE_VIEW_CHANGE ? &m->view_change.validator : &m->vote.validator;
}

static struct signature *signature_in(struct message *m)
{
	return m->kind == MESSAGE_PRE_PREPARE ? &m->pre_prepare.signature :
	       m->kind == MESSAGE_VIEW_CHANGE ? &m->view_change.signature : &m->vote.signature;
}

static void sign_under(struct message *m, uint64_t chain_id, const struct hash *set)
{
	struct hash digest;

	message_digest(m, chain_id, set, &digest);
	rig_mac(SENDER, &digest, signature_in(m));
}

static void move(struct rig *r, struct sound *s, uint64_t height, uint64_t view, size_t key)
{
	*height_in(&s->m) = height;
	*view_in(&s->m) = view;
	*validator_in(&s->m) = rig_index(r, key);
	for (size_t i = 0; s->m.kind == MESSAGE_PRE_PREPARE && i < s->m.pre_prepare.view_change_count; i++) {
		struct message v = { .kind = MESSAGE_VIEW_CHANGE };

		s->changes[i].height = height;
		s->changes[i].view = view;
		v.view_change = s->changes[i];
		rig_sign_as(r, v.view_change.validator, &v);
		s->changes[i].signature = v.view_change.signature;
	}
	rig_sign_as(r, key, &s->m);
}

static void sign_as_other_kind(struct message *m)
{
	struct hash digest, hash = *message_block_hash(m);
	struct message other = { .kind = m->kind == MESSAGE_COMMIT ? MESSAGE_PREPARE : MESSAGE_COMMIT };

	other.vote = (struct vote){ .kind = other.kind, .height = message_height(m), .view = message_view(m),
				    .validator = message_validator(m), .block_hash = hash };
	message_digest(&other, RIG_CHAIN_ID, &(struct hash){ 0 }, &digest);
	rig_mac(SENDER, &digest, signature_in(m));
}

/* Says another hash at the same position; a proposal with another block, view-changes of no claim. */
static void say_otherwise(struct rig *r, struct sound *s)
{
	if (s->m.kind == MESSAGE_PRE_PREPARE) {
		s->m.pre_prepare.block_hash = rig_hash(8);
		s->m.pre_prepare.block = (struct buf){ (uint8_t *)(uintptr_t)rig_block(8).data, 4, 4 };
	} else if (s->m.kind == MESSAGE_VIEW_CHANGE) {
		s->m.view_change.has_prepared = false;
		s->m.view_change.prepares = NULL;
		s->m.view_change.block = (struct buf){ 0 };
	} else {
		s->m.vote.block_hash = rig_hash(8);
	}
	rig_sign_as(r, SENDER, &s->m);
}

static bool has_proof(enum message_kind kind)
{
	return kind == MESSAGE_PRE_PREPARE || kind == MESSAGE_VIEW_CHANGE;
}

/* False if the kind can't have this defect. `why` is how it must be counted. */
static bool spoil(struct rig *r, struct sound *s, enum defect defect, enum consensus_refusal *why)
{
	enum message_kind kind = s->m.kind;
	struct validator_set other;

	switch (defect) {
	case DEFECT_STRANGER:
		*validator_in(&s->m) = COUNT;
		rig_sign_as(r, SENDER, &s->m);
		*why = CONSENSUS_REFUSAL_STRANGER;
		return true;
	case DEFECT_FORGED:
		rig_sign_as(r, 2, &s->m);
		*why = CONSENSUS_REFUSAL_SIGNATURE;
		return true;
	case DEFECT_OTHER_CHAIN:
		sign_under(&s->m, RIG_CHAIN_ID + 1, &r->set.hash);
		*why = CONSENSUS_REFUSAL_SIGNATURE;
		return true;
	case DEFECT_OTHER_SET:
		rig_set(&other, 15, (const uint64_t[]){ 1, 2, 1, 1 });
		sign_under(&s->m, RIG_CHAIN_ID, &other.hash);
		*why = CONSENSUS_REFUSAL_SIGNATURE;
		return true;
	case DEFECT_OTHER_KIND:
		sign_as_other_kind(&s->m);
		*why = CONSENSUS_REFUSAL_SIGNATURE;
		return true;
	case DEFECT_HEIGHT_PAST:
		move(r, s, 0, message_view(&s->m), SENDER);
		*why = CONSENSUS_REFUSAL_HEIGHT_PAST;
		return true;
	case DEFECT_HEIGHT_FAR:
		move(r, s, 1 + CONSENSUS_HEIGHT_AHEAD + 1, message_view(&s->m), SENDER);
		*why = CONSENSUS_REFUSAL_HEIGHT_FAR;
		return true;
	case DEFECT_VIEW_FAR:
		/* Of a view-change and of a justified proposal no view is too far. */
		move(r, s, 1, CONSENSUS_VIEW_COUNT, SENDER);
		*why = CONSENSUS_REFUSAL_VIEW_FAR;
		return !has_proof(kind);
	case DEFECT_VIEW_HUGE:
		move(r, s, 1, CONSENSUS_VIEW_MAX + 1, SENDER);
		*why = CONSENSUS_REFUSAL_VIEW_HUGE;
		return true;
	case DEFECT_REPLAY:
		rig_give(r, &s->m);
		/* A proposal that was taken is that of the view; nothing of its kind is needed. */
		*why = CONSENSUS_REFUSAL_KNOWN;
		return true;
	case DEFECT_OWN_KEY:
		move(r, s, 1, message_view(&s->m), 0);
		*why = CONSENSUS_REFUSAL_OWN_KEY;
		return true;
	case DEFECT_CONTRADICTION:
		rig_give(r, &s->m);
		say_otherwise(r, s);
		*why = CONSENSUS_REFUSAL_CONTRADICTION;
		return true;
	case DEFECT_WRONG_LEADER:
		*validator_in(&s->m) = 2;
		rig_sign_as(r, 2, &s->m);
		*why = CONSENSUS_REFUSAL_LEADER;
		return kind == MESSAGE_PRE_PREPARE;
	case DEFECT_NO_QUORUM:
		s->proof = rig_prepares(r, 2, 0, 7);
		*why = CONSENSUS_REFUSAL_PROOF;
		return has_proof(kind);
	case DEFECT_BAD_PROOF:
		s->proof.signatures[1].r[3] ^= 1;
		*why = CONSENSUS_REFUSAL_SIGNATURE;
		return has_proof(kind);
	case DEFECT_STRANGE_PROOF:
		certificate_add(&s->proof, COUNT, &s->proof.signatures[0]);
		*why = CONSENSUS_REFUSAL_PROOF;
		return has_proof(kind);
	case DEFECT_WRONG_BLOCK:
		s->block[2] ^= 1;
		*why = CONSENSUS_REFUSAL_BLOCK;
		return has_proof(kind);
	case DEFECT_COUNT:
		break;
	}
	return false;
}

static void check(enum message_kind kind, enum defect defect)
{
	struct rig r;
	struct sound s = { 0 };
	struct consensus_status before, after;
	enum consensus_refusal why = CONSENSUS_REFUSAL_COUNT;

	rig_make(&r);
	make_sound(&r, &s, kind);
	if (spoil(&r, &s, defect, &why)) {
		bool is_offence = why >= CONSENSUS_REFUSAL_STRANGER;

		consensus_get_status(r.c, &before);
		rig_give(&r, &s.m);
		consensus_get_status(r.c, &after);
		cr_assert_eq(after.refused[why], before.refused[why] + 1, "kind %d, %s: not counted as %s", kind,
			     names[defect], consensus_refusal_name(why));
		cr_assert_eq(after.refused_total, before.refused_total + is_offence, "kind %d, %s", kind, names[defect]);
		cr_assert_eq(after.view, before.view, "kind %d, %s: view %llu", kind, names[defect],
			     (unsigned long long)after.view);
		cr_assert_eq(after.height, 1);
		cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EXECUTE), "kind %d, %s", kind, names[defect]);
		cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_PERSIST), "kind %d, %s", kind, names[defect]);
		cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_SEND), "kind %d, %s", kind, names[defect]);
		cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE) != NULL, defect == DEFECT_CONTRADICTION,
			     "kind %d, %s", kind, names[defect]);
		/* And what is sound is still taken afterwards. */
		if (defect != DEFECT_REPLAY && defect != DEFECT_CONTRADICTION) {
			make_sound(&r, &s, kind);
			rig_give(&r, &s.m);
			cr_assert_eq(rig_refused(&r, why), after.refused[why], "kind %d after %s", kind, names[defect]);
			cr_assert_eq(rig_find(&r, CONSENSUS_EFFECT_EXECUTE) != NULL, kind == MESSAGE_PRE_PREPARE,
				     "kind %d after %s", kind, names[defect]);
		}
	}
	rig_end(&r);
}

Test(refusal, every_kind_with_every_defect)
{
	for (enum message_kind kind = MESSAGE_PRE_PREPARE; kind <= MESSAGE_VIEW_CHANGE; kind++)
		for (enum defect defect = 0; defect < DEFECT_COUNT; defect++)
			check(kind, defect);
}

Test(refusal, every_reason_has_a_word)
{
	for (enum consensus_refusal why = 0; why < CONSENSUS_REFUSAL_COUNT; why++)
		cr_assert(consensus_refusal_name(why)[0]);
}

/* A vote with a view of its own for every one that is kept, from everyone: nothing grows, and
 * the votes of this view are still taken. */
Test(refusal, flood_of_views_and_heights_pushes_nothing_out)
{
	struct rig r;

	rig_make(&r);
	for (uint64_t i = 0; i < 2000; i++)
		for (size_t key = 1; key < COUNT; key++) {
			struct message m;

			r.height = 1 + i % 40;
			m = rig_vote_of(&r, i % 2 ? MESSAGE_PREPARE : MESSAGE_COMMIT, key, 1 + i * i % 1000,
					(uint8_t)(i + 64 * key)); /* no quorum for anything */
			rig_give(&r, &m);
		}
	r.height = 1;
	cr_assert_eq(rig_status(&r).view, 0);
	rig_prepare_in_view_0(&r, 1);
	rig_end(&r);
}

/* --- what is not looked at costs nothing --- */

Test(refusal, votes_that_no_longer_matter_are_not_verified)
{
	struct rig r;
	uint64_t before;

	rig_make(&r);
	rig_prepare_in_view_0(&r, 1);
	before = r.verify_count;
	r.now_ms += 1; /* heard of a moment ago */
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 1);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_NEEDLESS), 1);
	cr_assert_eq(r.verify_count, before + 1, "once, since nothing was heard of it yet");
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 1);
	cr_assert_eq(r.verify_count, before + 1);
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 1);
	cr_assert_eq(rig_status(&r).height, 2);
	before = r.verify_count;
	rig_vote(&r, MESSAGE_COMMIT, 3, 0, 1);
	cr_assert_eq(r.verify_count, before);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_HEIGHT_PAST), 1);
	rig_end(&r);
}

/* The same is not verified twice, whether it comes alone, again or inside another's message. */
Test(refusal, proofs_known_from_single_messages_are_not_verified_again)
{
	struct rig r;
	struct certificate proof;
	struct message m;
	uint64_t before;

	rig_make(&r);
	for (size_t key = 1; key < COUNT; key++)
		rig_vote(&r, MESSAGE_PREPARE, key, 0, 1);
	cr_assert_eq(r.verify_count, 3);
	proof = rig_prepares(&r, 1, 0, 1);
	m = rig_view_change(&r, 1, 1, 0, 1, &proof);
	rig_give(&r, &m);
	cr_assert_eq(r.verify_count, 4, "its own signature only");
	m = rig_view_change(&r, 2, 1, 0, 1, &proof);
	rig_give(&r, &m);
	before = r.verify_count;
	cr_assert_eq(before, 5 + 0u);
	m = rig_view_change(&r, 3, 1, 0, 1, &proof);
	rig_give(&r, &m);
	before = r.verify_count;
	/* Validator 2 leads view 1: its own signature is all that is new. */
	rig_propose(&r, &(struct proposal){ .from = 2, .view = 1, .mark = 1, .claims = { 0, 1, 1, 1 }, .proof = &proof });
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EXECUTE));
	cr_assert_eq(r.verify_count, before + 1);
	rig_end(&r);
}

/* What only another's message has shown is held against what comes alone. */
Test(refusal, contradiction_inside_a_proof_is_evidence)
{
	struct rig r;
	struct certificate proof;
	struct message m;
	const struct consensus_effect *e;
	struct consensus_evidence found;

	rig_make(&r);
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 2); /* to us this, to the others 1 */
	proof = rig_prepares(&r, 1, 0, 1);
	m = rig_view_change(&r, 1, 1, 0, 1, &proof);
	rig_give(&r, &m);
	e = rig_find(&r, CONSENSUS_EFFECT_EVIDENCE);
	cr_assert(e);
	cr_assert_eq(consensus_check_evidence(&r.config, &r.set, e->evidence.first, e->evidence.second, &found, NULL),
		     OK);
	cr_assert_eq(found.validator, 3);
	cr_assert_eq(found.kind, (unsigned)MESSAGE_PREPARE);
	rig_end(&r);
}

/* Of heights that are final, too: a late second commit. */
Test(refusal, contradiction_below_is_evidence)
{
	struct rig r;

	rig_make(&r);
	rig_prepare_in_view_0(&r, 1);
	rig_vote(&r, MESSAGE_COMMIT, 1, 0, 1);
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 1);
	cr_assert_eq(rig_status(&r).height, 2);
	rig_vote(&r, MESSAGE_COMMIT, 3, 0, 1); /* late, not verified */
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_vote(&r, MESSAGE_COMMIT, 3, 0, 2);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_vote(&r, MESSAGE_COMMIT, 2, 0, 2);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_end(&r);
}

/* Whatever is kept unverified gives way to what is verified. */
Test(refusal, forged_statement_accuses_nobody)
{
	struct rig r;
	struct message m;

	rig_make(&r);
	rig_prepare_in_view_0(&r, 1);
	m = rig_vote_of(&r, MESSAGE_PREPARE, 3, 0, 2);
	m.vote.signature.r[0] ^= 1;
	rig_give(&r, &m);
	cr_assert_eq(rig_refused(&r, CONSENSUS_REFUSAL_NEEDLESS), 1);
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 1);
	cr_assert_not(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE));
	rig_vote(&r, MESSAGE_PREPARE, 3, 0, 3);
	cr_assert(rig_find(&r, CONSENSUS_EFFECT_EVIDENCE), "that of the true one and this");
	rig_end(&r);
}

/* Nobody's vote costs more than one look, whatever comes late: two a member and block, at any size. */
Test(refusal, block_costs_at_most_two_verifications_a_member)
{
	for (unsigned count = 4; count < 32; count += 9) {
		struct rig r;

		rig_make_of(&r, (1u << count) - 1, NULL);
		rig_propose(&r, &(struct proposal){ .from = 1, .mark = 1 });
		rig_executed(&r, 1, true);
		cr_assert(rig_persist(&r));
		for (enum message_kind kind = MESSAGE_PREPARE; kind <= MESSAGE_COMMIT; kind++)
			for (unsigned again = 0; again < 2; again++)
				for (size_t key = 1; key < count; key++) {
					rig_vote(&r, kind, key, 0, 1);
					rig_persist(&r);
				}
		cr_assert_eq(rig_status(&r).height, 2);
		cr_assert_leq(r.verify_count, 2 * count, "%llu for %u", (unsigned long long)r.verify_count, count);
		rig_end(&r);
	}
}
