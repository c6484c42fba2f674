/* Signing, and what votes add up to: prepared, committed, final. */
#include "consensus/internal.h"

/* --- the sign record --- */

/* The order in which a validator signs in one view. */
unsigned position_step(enum message_kind kind)
{
	switch (kind) {
	case MESSAGE_VIEW_CHANGE:
		return 1;
	case MESSAGE_PRE_PREPARE:
		return 2;
	case MESSAGE_PREPARE:
		return 3;
	case MESSAGE_COMMIT:
		return 4;
	}
	UNREACHABLE();
}

bool position_is_after(const struct position *a, const struct position *b)
{
	if (a->height != b->height)
		return a->height > b->height;
	if (a->view != b->view)
		return a->view > b->view;
	return a->step > b->step;
}

static void set_signature(struct message *m, const struct signature *signature)
{
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		m->pre_prepare.signature = *signature;
		return;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		m->vote.signature = *signature;
		return;
	case MESSAGE_VIEW_CHANGE:
		m->view_change.signature = *signature;
		return;
	}
	UNREACHABLE();
}

bool sign_own(struct consensus *c, struct message *m, struct step *s)
{
	struct position at = { message_height(m), message_view(m), position_step(m->kind) };
	struct own_message *own = own_of(c, m->kind);
	struct signature signature;
	struct hash digest;

	CHECK(is_member(c));
	message_digest(m, c->config.chain_id, &set_of(c)->hash, &digest);
	if (!position_is_after(&at, &c->signed_last) ||
	    c->config.sign(c->config.ctx, &signature, &digest, NULL) != OK) {
		add_trace(c, s, CONSENSUS_TRACE_SIGN_FAILED);
		return false;
	}
	set_signature(m, &signature);
	c->signed_last = at;
	*own = (struct own_message){ .what = statement_of(m), .number = UINT64_MAX };
	own->what.is_verified = true;
	c->is_pending[m->kind - 1] = true;
	/* An own commit counts when it is durable. The others do at once: whatever is made
	 * of them is recorded after them. */
	if (m->kind != MESSAGE_COMMIT)
		keep_statement(c, round_of(c, height_of(c)), c->self, m->kind, &own->what);
	return true;
}

bool sign_vote(struct consensus *c, enum message_kind kind, const struct hash *hash, struct step *s)
{
	struct message m = {
		.kind = kind,
		.vote = {
			.kind = kind,
			.height = height_of(c),
			.view = c->view,
			.validator = c->self,
			.block_hash = *hash,
		},
	};

	return sign_own(c, &m, s);
}

/* --- prepared --- */

bool try_commit(struct consensus *c, struct step *s)
{
	const struct hash *hash = &c->pp.block_hash;

	if (c->phase != CONSENSUS_PREPARING || c->is_decided ||
	    !is_quorum_of(c, MESSAGE_PREPARE, c->view, hash))
		return false;
	CHECK(hash_equal(&c->target.hash, hash));
	c->has_best = true;
	certificate_of(c, &c->best, MESSAGE_PREPARE, c->view, hash);
	buf_reset(&c->best_block); /* the target is its block */
	if (!sign_vote(c, MESSAGE_COMMIT, hash, s))
		return false;
	c->phase = CONSENSUS_COMMITTING;
	add_trace(c, s, CONSENSUS_TRACE_PREPARED);
	return true;
}

/* --- durable --- */

void count_own_commit(struct consensus *c)
{
	struct own_message *own = own_of(c, MESSAGE_COMMIT);

	if (!own->what.is_set || own->number > c->persisted_number)
		return;
	keep_statement(c, round_of(c, height_of(c)), c->self, MESSAGE_COMMIT, &own->what);
	note_commit(c, own->what.view, &own->what.hash);
}

void on_persisted(struct consensus *c, uint64_t number, struct step *s)
{
	if (number > c->record_number || number <= c->persisted_number) {
		add_trace(c, s, CONSENSUS_TRACE_UNEXPECTED);
		return;
	}
	c->persisted_number = number;
	count_own_commit(c);
}

/* --- late --- */

/* A height that others' commits made final before ours was on disk: ours still goes out when it
 * is. We need it no more, but whoever missed one of the others' does, and would have to ask for
 * a view to get the block instead. If two heights run ahead of the disk, the newer is kept. */
static void keep_late_commit(struct consensus *c)
{
	const struct own_message *own = own_of(c, MESSAGE_COMMIT);

	if (!own->what.is_set || own->is_sent)
		return;
	c->late = *own;
	c->late_height = height_of(c);
	c->late_self = c->self;
}

static void send_late(struct consensus *c, struct step *s)
{
	struct consensus_effect *e;

	if (!c->late.what.is_set || c->late.number > c->persisted_number)
		return;
	buf_reset(&c->late_send);
	encode_statement(&c->late_send, c->late_height, MESSAGE_COMMIT, c->late_self, &c->late.what);
	e = add_effect(c, s, CONSENSUS_EFFECT_SEND);
	e->height = c->late_height;
	e->view = c->late.what.view;
	e->send = buf_bytes(&c->late_send);
	c->late.what.is_set = false;
}

/* Once more, for whoever was not connected yet when it went out, or judged it by another set:
 * else it would wait for the next view. View-changes have a time of their own. */
static void plan_repeat(struct consensus *c, struct own_message *own, struct step *s)
{
	if (own != own_of(c, MESSAGE_VIEW_CHANGE) && own->what.view == c->view && !own->is_repeated)
		own->repeat_ms = s->now_ms + c->config.view_timeout_ms / 2;
}

void repeat_own(struct consensus *c, struct step *s)
{
	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct own_message *own = &c->own[i];

		if (own->repeat_ms == 0 || s->now_ms < own->repeat_ms)
			continue;
		own->repeat_ms = 0;
		own->is_repeated = true;
		own->is_sent = own->what.view < c->view; /* else sent at the end of the step */
	}
}

uint64_t repeat_due_ms(const struct consensus *c)
{
	uint64_t at_ms = 0;

	for (size_t i = 0; i < KIND_COUNT; i++)
		if (c->own[i].repeat_ms && (at_ms == 0 || c->own[i].repeat_ms < at_ms))
			at_ms = c->own[i].repeat_ms;
	return at_ms;
}

static struct bytes encode_own(struct consensus *c, enum message_kind kind)
{
	const struct statement *what = &own_of(c, kind)->what;
	struct buf *out = &c->sends[kind - 1];
	struct message m;

	buf_reset(out);
	switch (kind) {
	case MESSAGE_PRE_PREPARE:
		/* Of a view that was left since: nobody waits for it. */
		if (!c->has_pp || c->pp.view != what->view || !hash_equal(&c->target.hash, &what->hash))
			break;
		m = pp_message(c);
		message_encode(out, &m);
		break;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		encode_statement(out, height_of(c), kind, c->self, what);
		break;
	case MESSAGE_VIEW_CHANGE:
		return buf_bytes(&c->view_change);
	}
	return buf_bytes(out);
}

void send_durable(struct consensus *c, struct step *s)
{
	send_late(c, s);
	if (set_of(c)->count == 1)
		return;
	for (;;) {
		struct own_message *next = NULL;
		struct position first = { 0 };
		struct bytes encoded;

		for (size_t i = 0; i < KIND_COUNT; i++) {
			struct own_message *own = &c->own[i];
			struct position at = { height_of(c), own->what.view,
					       position_step((enum message_kind)(i + 1)) };

			if (!own->what.is_set || own->is_sent || own->number > c->persisted_number ||
			    (next && position_is_after(&at, &first)))
				continue;
			next = own;
			first = at;
		}
		if (!next)
			return;
		next->is_sent = true;
		plan_repeat(c, next, s);
		encoded = encode_own(c, (enum message_kind)(next - c->own + 1));
		if (encoded.size) {
			struct consensus_effect *e = add_effect(c, s, CONSENSUS_EFFECT_SEND);

			e->view = next->what.view;
			e->send = encoded;
		}
	}
}

/* --- final --- */

void note_commit(struct consensus *c, uint64_t view, const struct hash *hash)
{
	if (c->is_decided || !is_quorum_of(c, MESSAGE_COMMIT, view, hash))
		return;
	c->is_decided = true;
	c->decided_view = view;
	c->decided_hash = *hash;
}

static void finish(struct consensus *c, struct step *s)
{
	struct certificate commits;
	struct consensus_effect *e;
	struct consensus_tip tip = {
		.height = height_of(c),
		.hash = c->target.hash,
		.time_ms = c->target.time_ms,
		.has_txs = c->target.has_txs,
		.empty_count = c->target.has_txs ? 0 : MIN(c->tip.empty_count + 1, (uint64_t)CONFIRMATION_COUNT),
	};

	/* Our own commit may be what made the quorum, in this very step: the others need it
	 * as much, and it would be forgotten with the height. */
	send_durable(c, s);
	keep_late_commit(c);
	certificate_of(c, &commits, MESSAGE_COMMIT, c->decided_view, &c->decided_hash);
	buf_reset(&c->certificate);
	certificate_encode(&c->certificate, &commits);
	e = add_effect(c, s, CONSENSUS_EFFECT_COMMIT);
	e->view = c->decided_view;
	e->commit.hash = c->decided_hash;
	e->commit.certificate = buf_bytes(&c->certificate);
	enter_height(c, &tip, s);
}

/* Q commits: the block is final once it is here and has executed. */
bool try_finish(struct consensus *c, struct step *s)
{
	struct target *t = &c->target;
	struct bytes sealed;

	if (!c->is_decided)
		return false;
	if (!t->is_set || !hash_equal(&t->hash, &c->decided_hash)) {
		sealed = find_block(c, &c->decided_hash);
		if (sealed.size == 0) {
			if (c->behind_ms == 0)
				c->behind_ms = s->now_ms + c->config.view_timeout_ms / 4;
			return false;
		}
		set_target(c, &c->decided_hash, sealed);
	}
	if (t->execution == EXECUTION_VALID) {
		finish(c, s);
		return true;
	}
	if (t->execution == EXECUTION_NONE ||
	    (t->execution == EXECUTION_INVALID && !t->is_reproposal)) {
		/* While we are to propose it ourselves, the caller executes it anyway. If it is another,
		 * nobody waits for ours. */
		if (c->phase == CONSENSUS_PROPOSING) {
			if (is_bound(c) && hash_equal(&own_of(c, MESSAGE_PRE_PREPARE)->what.hash, &t->hash))
				return false;
			c->is_resumed = false;
			c->phase = CONSENSUS_EXECUTING;
		}
		ask_execute(c, s, true);
		return true;
	}
	if (t->execution == EXECUTION_INVALID && !c->is_diverged) {
		c->is_diverged = true;
		add_trace(c, s, CONSENSUS_TRACE_DIVERGED);
	}
	return false;
}
