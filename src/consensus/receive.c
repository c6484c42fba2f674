/* Messages of other validators: refused, kept, acted on. Nothing is stored before
 * the sender is known to be a member and every signature was verified. */
#include "consensus/internal.h"

/* --- who is ahead, who is behind --- */

void plan_behind(struct consensus *c, uint64_t now_ms)
{
	uint64_t highest = 0;

	c->behind_ms = 0;
	c->is_behind_said = false;
	for (size_t i = 0; i < set_of(c)->count; i++)
		highest = MAX(highest, c->seen_height[i]);
	/* Of the next height one often hears a moment before one's own last commit. */
	if (highest > height_of(c) + 1)
		c->behind_ms = now_ms;
	else if (highest > height_of(c))
		c->behind_ms = now_ms + c->config.view_timeout_ms / 4;
}

static void note_seen(struct consensus *c, size_t validator, uint64_t height, uint64_t now_ms)
{
	c->seen_ms[validator] = now_ms;
	if (height <= c->seen_height[validator])
		return;
	c->seen_height[validator] = height;
	if (height > height_of(c) && !c->is_behind_said)
		plan_behind(c, c->behind_ms ? MIN(c->behind_ms, now_ms) : now_ms);
}

/* Whoever voted for the decided block, or is at a higher height. */
static bool may_have_blocks(const struct consensus *c, const struct signer_bits *deciders, size_t i)
{
	return i != c->self &&
	       (c->seen_height[i] > height_of(c) || signer_bits_get(deciders, i));
}

void say_behind(struct consensus *c, struct step *s)
{
	size_t count = set_of(c)->count;
	struct signer_bits deciders = { 0 };

	if (c->behind_ms == 0 || s->now_ms < c->behind_ms)
		return;
	if (c->is_decided)
		deciders = voters_of(c, MESSAGE_COMMIT, c->decided_view, &c->decided_hash);
	c->behind_ms = s->now_ms + c->config.view_timeout_ms;
	c->is_behind_said = true;
	for (size_t n = 0; n < count; n++) {
		size_t i = (c->behind_next + n) % count;
		struct consensus_effect *e;

		if (!may_have_blocks(c, &deciders, i))
			continue;
		c->behind_next = i + 1;
		e = add_effect(c, s, CONSENSUS_EFFECT_BEHIND);
		e->peer.address = set_of(c)->members[i].address;
		e->peer.height = MAX(c->seen_height[i], height_of(c) + 1) - 1;
		return;
	}
}

/* A view-change at a height that is final here. */
static void serve(struct consensus *c, const struct message *m, struct step *s)
{
	size_t i = message_validator(m);
	struct consensus_effect *e;

	if (c->serve_ms[i] && s->now_ms >= c->serve_ms[i] &&
	    s->now_ms - c->serve_ms[i] < c->config.view_timeout_ms / 2)
		return;
	if (!verify_seals(c, m))
		return;
	c->seen_ms[i] = s->now_ms;
	c->serve_ms[i] = s->now_ms;
	e = add_effect(c, s, CONSENSUS_EFFECT_SERVE);
	e->peer.address = set_of(c)->members[i].address;
	e->peer.height = message_height(m);
}

/* --- verifying --- */

bool verify_seals(const struct consensus *c, const struct message *m)
{
	struct seal seals[MESSAGE_SEAL_MAX];
	size_t count = message_seals(m, c->config.chain_id, set_of(c), seals);

	for (size_t i = 0; i < count; i++)
		if (!c->config.verify(c->config.ctx, &seals[i].signature, &seals[i].digest, &seals[i].signer))
			return false;
	return true;
}

static bool verify_sender(const struct consensus *c, const struct message *m)
{
	struct hash digest;

	message_digest(m, c->config.chain_id, &set_of(c)->hash, &digest);
	return c->config.verify(c->config.ctx, message_signature(m), &digest,
				&set_of(c)->members[message_validator(m)].address);
}

static void refuse(struct consensus *c, struct step *s)
{
	c->refused_total++;
	add_trace(c, s, CONSENSUS_TRACE_REFUSED);
}

/* The rules that need the set, the turn, the signatures and the block. */
static bool is_sound(const struct consensus *c, const struct message *m)
{
	if (message_check(m, set_of(c), NULL) != OK)
		return false;
	if (m->kind == MESSAGE_PRE_PREPARE &&
	    message_validator(m) != proposer_of(c, message_height(m), message_view(m)))
		return false;
	if (!verify_seals(c, m))
		return false;
	if (m->kind == MESSAGE_PRE_PREPARE)
		return c->config.is_block(c->config.ctx, buf_bytes(&m->pre_prepare.block),
					  &m->pre_prepare.block_hash);
	if (m->kind == MESSAGE_VIEW_CHANGE && m->view_change.has_prepared)
		return c->config.is_block(c->config.ctx, buf_bytes(&m->view_change.block),
					  &m->view_change.prepared_hash);
	return true;
}

/* --- what is worth looking at --- */

/* A second value at a position; or one that is known. */
static bool is_known(struct consensus *c, struct round *r, const struct message *m, struct step *s)
{
	size_t i = message_validator(m);
	struct statement what = statement_of(m);
	struct statement *known = find_statement(c, r, i, what.view, m->kind);

	if (!known && m->kind == MESSAGE_VIEW_CHANGE && r->view_changes[i].is_set &&
	    r->view_changes[i].view == what.view)
		known = &r->view_changes[i];
	if (!known)
		return false;
	if (!statement_equal(known, &what)) {
		if (!known->is_reported && verify_sender(c, m)) {
			known->is_reported = true;
			say_evidence(c, known, m, s);
		}
		return true;
	}
	/* The same again may bring what we lack: a claim's proof, the decided block. */
	if (m->kind == MESSAGE_VIEW_CHANGE && what.has_prepared && r->height == height_of(c))
		return find_claim(c, what.prepared_view, &what.hash) != NULL;
	if (m->kind == MESSAGE_PRE_PREPARE && c->is_decided && r->height == height_of(c))
		return find_block(c, &what.hash).size > 0;
	return true;
}

static bool is_wanted(const struct consensus *c, const struct message *m)
{
	uint64_t height = message_height(m), view = message_view(m);

	if (view > CONSENSUS_VIEW_MAX)
		return false;
	switch (m->kind) {
	case MESSAGE_VIEW_CHANGE:
		return height > height_of(c) || view >= c->view;
	case MESSAGE_PRE_PREPARE:
		/* A justified proposal binds, however far above. */
		return is_view_kept(c, height, view) || (height == height_of(c) && view >= c->view);
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		return is_view_kept(c, height, view);
	}
	UNREACHABLE();
}

/* --- acting on it --- */

static void act_on_pre_prepare(struct consensus *c, const struct pre_prepare *p, struct step *s)
{
	if (c->is_decided && hash_equal(&c->decided_hash, &p->block_hash) &&
	    find_block(c, &p->block_hash).size == 0)
		set_target(c, &p->block_hash, buf_bytes(&p->block));
	else if (p->view > c->view || (p->view == c->view && !c->has_pp))
		accept_pre_prepare(c, p, s);
}

static void act_on(struct consensus *c, const struct message *m, struct step *s)
{
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		act_on_pre_prepare(c, &m->pre_prepare, s);
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

/* Our own key on a message that we did not send. */
static void on_own_key(struct consensus *c, const struct message *m, struct step *s)
{
	struct statement what = statement_of(m);
	const struct statement *ours = &own_of(c, m->kind)->what;

	if (message_height(m) < height_of(c) || (ours->is_set && statement_equal(ours, &what)))
		return;
	if (ours->is_set && what.view < ours->view)
		return;
	if (message_check(m, set_of(c), NULL) == OK && verify_sender(c, m))
		add_trace(c, s, CONSENSUS_TRACE_TWIN);
}

static void keep_and_act(struct consensus *c, const struct message *m, struct step *s)
{
	struct statement what = statement_of(m);
	uint64_t height = message_height(m);

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

void receive_message(struct consensus *c, const struct message *m, struct step *s)
{
	size_t i = message_validator(m);
	uint64_t height = message_height(m);

	if (!is_member(c)) {
		c->refused[CONSENSUS_REFUSAL_PASSIVE]++;
		return;
	}
	if (i >= set_of(c)->count) {
		refuse(c, s);
		return;
	}
	if (i == c->self) {
		on_own_key(c, m, s);
		return;
	}
	if (height < height_of(c)) {
		if (m->kind == MESSAGE_VIEW_CHANGE && message_check(m, set_of(c), NULL) == OK)
			serve(c, m, s);
		return;
	}
	if (height - height_of(c) >= ROUND_COUNT) {
		/* Too far to keep; that it exists is worth knowing. */
		if (height > c->seen_height[i] && verify_sender(c, m))
			note_seen(c, i, height, s->now_ms);
		return;
	}
	if (!is_wanted(c, m) || is_known(c, round_of(c, height), m, s))
		return;
	if (!is_sound(c, m)) {
		refuse(c, s);
		return;
	}
	note_seen(c, i, height, s->now_ms);
	keep_and_act(c, m, s);
}
