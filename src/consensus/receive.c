/* Messages of other validators: refused, kept, acted on. Nothing counts before the sender is
 * known to be a member and every signature that matters was verified. */
#include "consensus/internal.h"

#define NO_REFUSAL CONSENSUS_REFUSAL_COUNT

/* From here on a rule is broken. */
#define FIRST_OFFENCE CONSENSUS_REFUSAL_STRANGER

void refuse(struct consensus *c, enum consensus_refusal why, struct step *s)
{
	c->refused[why]++;
	if (why >= FIRST_OFFENCE)
		add_trace(c, s, CONSENSUS_TRACE_REFUSED);
}

/* --- the rules that need the set, the turn, the signatures and the block --- */

/* So far ahead a turn is found at once. Above, only when a quorum's signatures say that the
 * view is real: stepping to it may be long. */
#define VIEW_NEAR 1024

static bool is_leader(const struct consensus *c, const struct message *m)
{
	return m->kind != MESSAGE_PRE_PREPARE ||
	       message_validator(m) == proposer_of(c, message_height(m), message_view(m));
}

static bool is_named_block(const struct consensus *c, const struct message *m)
{
	if (m->kind == MESSAGE_PRE_PREPARE)
		return c->config.is_block(c->config.ctx, buf_bytes(&m->pre_prepare.block),
					  &m->pre_prepare.block_hash);
	if (m->kind == MESSAGE_VIEW_CHANGE && m->view_change.has_prepared)
		return c->config.is_block(c->config.ctx, buf_bytes(&m->view_change.block),
					  &m->view_change.prepared_hash);
	return true;
}

static enum consensus_refusal find_offence(struct consensus *c, const struct known_epoch *e,
					   const struct message *m, bool is_sender_verified,
					   struct step *s)
{
	bool is_near = message_view(m) <= c->view + VIEW_NEAR;

	if (message_check(m, &e->set, NULL) != OK)
		return CONSENSUS_REFUSAL_PROOF;
	if (is_near && !is_leader(c, m))
		return CONSENSUS_REFUSAL_LEADER;
	if ((!is_sender_verified && !verify_sender(c, e, m)) || !verify_embedded(c, e, m, s))
		return CONSENSUS_REFUSAL_SIGNATURE;
	if (!is_near && !is_leader(c, m))
		return CONSENSUS_REFUSAL_LEADER;
	return is_named_block(c, m) ? NO_REFUSAL : CONSENSUS_REFUSAL_BLOCK;
}

/* --- what is worth looking at --- */

static enum consensus_refusal find_use_above(const struct message *m)
{
	return m->kind == MESSAGE_VIEW_CHANGE || message_view(m) < CONSENSUS_VIEW_COUNT ?
		NO_REFUSAL : CONSENSUS_REFUSAL_VIEW_FAR;
}

/* Why it can change nothing at this height, if so. */
static enum consensus_refusal find_use(const struct consensus *c, const struct message *m)
{
	uint64_t view = message_view(m);

	if (message_height(m) > height_of(c))
		return find_use_above(m);
	switch (m->kind) {
	case MESSAGE_VIEW_CHANGE:
		if (view < c->view)
			return CONSENSUS_REFUSAL_VIEW_PAST;
		return view == c->view && c->has_pp ? CONSENSUS_REFUSAL_NEEDLESS : NO_REFUSAL;
	case MESSAGE_PRE_PREPARE:
		/* A justified proposal binds, however far above. */
		if (view < c->view)
			return CONSENSUS_REFUSAL_VIEW_PAST;
		return c->is_decided || (view == c->view && c->has_pp) ? CONSENSUS_REFUSAL_NEEDLESS
									: NO_REFUSAL;
	case MESSAGE_PREPARE:
		if (view < c->view)
			return CONSENSUS_REFUSAL_VIEW_PAST;
		if (!is_view_kept(c, message_height(m), view))
			return CONSENSUS_REFUSAL_VIEW_FAR;
		return c->is_decided || (view == c->view && c->has_best && c->best.view == view) ?
			CONSENSUS_REFUSAL_NEEDLESS : NO_REFUSAL;
	case MESSAGE_COMMIT:
		/* Some views below: a quorum of late commits still makes a block final. */
		if (!is_view_kept(c, message_height(m), view))
			return view < c->view ? CONSENSUS_REFUSAL_VIEW_PAST : CONSENSUS_REFUSAL_VIEW_FAR;
		return c->is_decided ? CONSENSUS_REFUSAL_NEEDLESS : NO_REFUSAL;
	}
	UNREACHABLE();
}

/* What is kept of the position, verified or not. */
static struct statement *find_known(struct round *r, const struct message *m)
{
	size_t i = message_validator(m);
	uint64_t view = message_view(m);
	struct statement *known = find_statement(r, i, view, m->kind);

	if (!known && m->kind == MESSAGE_VIEW_CHANGE && r->view_changes[i].is_set &&
	    r->view_changes[i].view == view)
		known = &r->view_changes[i];
	return known;
}

/* A view-change that is known may bring the proof of its claim, which we have let go or had not
 * seen: it may have come inside another's message first. */
static bool brings_proof(const struct consensus *c, const struct message *m)
{
	return m->kind == MESSAGE_VIEW_CHANGE && m->view_change.has_prepared &&
	       message_height(m) == height_of(c) && message_view(m) >= c->view &&
	       (!find_claim(c, m->view_change.prepared_view, &m->view_change.prepared_hash) ||
		find_block(c, &m->view_change.prepared_hash).size == 0);
}

/* The block that a quorum has committed, and that we lack, from whomever: its hash is enough. */
static bool take_decided_block(struct consensus *c, const struct message *m)
{
	const struct hash *hash = message_block_hash(m);
	struct bytes block = { 0 };

	if (m->kind == MESSAGE_PRE_PREPARE)
		block = buf_bytes(&m->pre_prepare.block);
	if (m->kind == MESSAGE_VIEW_CHANGE)
		block = buf_bytes(&m->view_change.block);
	if (!c->is_decided || block.size == 0 || message_height(m) != height_of(c) ||
	    !hash_equal(hash, &c->decided_hash) || find_block(c, hash).size > 0 || !is_named_block(c, m))
		return false;
	set_target(c, hash, block);
	return true;
}

/* --- acting on it --- */

static void act_on(struct consensus *c, const struct message *m, struct step *s)
{
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		accept_pre_prepare(c, &m->pre_prepare, s);
		return;
	case MESSAGE_VIEW_CHANGE:
		if (m->view_change.has_prepared)
			keep_claim(c, &m->view_change);
		return;
	case MESSAGE_COMMIT:
		note_commit(c, m->vote.view, &m->vote.block_hash);
		return;
	case MESSAGE_PREPARE:
		return;
	}
	UNREACHABLE();
}

static void keep_and_act(struct consensus *c, const struct known_epoch *e, const struct message *m, struct step *s)
{
	struct statement what = statement_of(m);
	uint64_t height = message_height(m);

	what.is_verified = true;
	keep_embedded(c, e, m);
	if (height > height_of(c)) {
		keep_statement(c, round_of(c, height), message_validator(m), m->kind, &what);
		if (m->kind == MESSAGE_PRE_PREPARE)
			keep_future(c, m);
		return;
	}
	/* A proposal far above moves the window of views before it is kept. */
	if (m->kind == MESSAGE_PRE_PREPARE)
		act_on(c, m, s);
	keep_statement(c, round_of(c, height), message_validator(m), m->kind, &what);
	if (m->kind != MESSAGE_PRE_PREPARE)
		act_on(c, m, s);
}

/* --- one message --- */

/* What can change nothing is not verified, but kept to be held against another. */
static void put_aside(struct consensus *c, const struct known_epoch *e, struct round *r,
		      const struct message *m, bool is_verified, struct step *s)
{
	struct statement what = statement_of(m);

	what.is_verified = is_verified;
	keep_statement(c, r, message_validator(m), m->kind, &what);
	note_alive(c, e, m, s);
}

/* True if the kept statement says otherwise: then the message is done with. `is_verified` tells
 * whether its sender was found to have signed it. */
static bool is_contradiction(struct consensus *c, const struct known_epoch *e, const struct message *m,
			     struct statement *known, bool *is_verified, struct step *s)
{
	struct statement what = statement_of(m);

	if (!known || statement_equal(known, &what))
		return false;
	if (!known->is_reported) {
		if (!verify_sender(c, e, m)) {
			refuse(c, CONSENSUS_REFUSAL_SIGNATURE, s);
			return true;
		}
		*is_verified = true;
		if (!contradict(c, e, message_height(m), m->kind, message_validator(m), known, &what, s))
			return false; /* what was kept was forged */
	}
	refuse(c, CONSENSUS_REFUSAL_CONTRADICTION, s);
	return true;
}

static void receive_in_reach(struct consensus *c, const struct known_epoch *e, const struct message *m,
			     struct step *s)
{
	struct round *r = round_of(c, message_height(m));
	struct statement *known = find_known(r, m);
	struct statement what = statement_of(m);
	bool is_verified = false;
	enum consensus_refusal why;

	if (take_decided_block(c, m) || is_contradiction(c, e, m, known, &is_verified, s))
		return;
	why = find_use(c, m);
	if (known && statement_equal(known, &what)) {
		/* What was put aside was of no use, and at one height nothing comes to be. */
		VERIFY(known->is_verified || why != NO_REFUSAL);
		if (!known->is_verified || !brings_proof(c, m)) {
			refuse(c, CONSENSUS_REFUSAL_KNOWN, s);
			return;
		}
		is_verified = signature_equal(&known->signature, &what.signature);
	}
	if (why != NO_REFUSAL)
		put_aside(c, e, r, m, is_verified, s);
	else
		why = find_offence(c, e, m, is_verified, s);
	if (why != NO_REFUSAL) {
		refuse(c, why, s);
		return;
	}
	/* What is heard under the next set's indexes is not told apart by them here. */
	if (e == c->present)
		note_seen(c, message_validator(m), message_height(m), s->now_ms);
	keep_and_act(c, e, m, s);
}

/* Of a height that is final: for evidence, and to help who is behind. */
static void receive_below(struct consensus *c, struct known_epoch *e, const struct message *m, struct step *s)
{
	struct round *r = round_below(c, message_height(m));
	struct statement *known = r ? find_known(r, m) : NULL;
	bool is_verified = false;

	if (m->kind == MESSAGE_VIEW_CHANGE && message_check(m, &e->set, NULL) == OK)
		serve(c, e, m, s);
	if (is_contradiction(c, e, m, known, &is_verified, s))
		return;
	if (r)
		put_aside(c, e, r, m, is_verified, s);
	refuse(c, CONSENSUS_REFUSAL_HEIGHT_PAST, s);
}

/* Too far to keep, or not for us to keep; that it exists is worth knowing. */
static void receive_hint(struct consensus *c, const struct known_epoch *e, const struct message *m,
			 enum consensus_refusal why, struct step *s)
{
	size_t i = message_validator(m);

	if (e == c->present && message_height(m) > MAX(height_of(c), c->seen_height[i]) &&
	    verify_sender(c, e, m))
		note_seen(c, i, message_height(m), s->now_ms);
	refuse(c, why, s);
}

/* Our own key on a message that we did not send. */
static void on_own_key(struct consensus *c, const struct known_epoch *e, const struct message *m, struct step *s)
{
	struct statement what = statement_of(m);
	const struct statement *ours = &own_of(c, m->kind)->what;

	refuse(c, CONSENSUS_REFUSAL_OWN_KEY, s);
	if (message_height(m) < height_of(c))
		return;
	if (message_height(m) == height_of(c) && ours->is_set &&
	    (statement_equal(ours, &what) || what.view < ours->view))
		return;
	if (message_check(m, &e->set, NULL) == OK && verify_sender(c, e, m))
		add_trace(c, s, CONSENSUS_TRACE_TWIN);
}

void receive_message(struct consensus *c, const struct message *m, struct step *s)
{
	uint64_t height = message_height(m);
	struct known_epoch *e = epoch_at(c, height);

	if (!e)
		refuse(c, CONSENSUS_REFUSAL_HEIGHT_PAST, s);
	else if (message_validator(m) >= e->set.count)
		refuse(c, CONSENSUS_REFUSAL_STRANGER, s);
	else if (message_view(m) > CONSENSUS_VIEW_MAX)
		refuse(c, CONSENSUS_REFUSAL_VIEW_HUGE, s);
	else if (message_validator(m) == e->self)
		on_own_key(c, e, m, s);
	else if (height < height_of(c))
		receive_below(c, e, m, s);
	else if (e->self == NOT_A_MEMBER)
		receive_hint(c, e, m, CONSENSUS_REFUSAL_PASSIVE, s);
	else if (height - height_of(c) > CONSENSUS_HEIGHT_AHEAD)
		receive_hint(c, e, m, CONSENSUS_REFUSAL_HEIGHT_FAR, s);
	else
		receive_in_reach(c, e, m, s);
}
