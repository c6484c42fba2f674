/* Blocks: when one is due, made by us, accepted from others, executed. */
#include "consensus/internal.h"

/* --- when --- */

uint64_t due_ms(const struct consensus *c)
{
	if (c->has_work)
		return c->anchor_ms + c->config.min_interval_ms;
	if (c->tip.empty_count < CONFIRMATION_COUNT)
		return c->anchor_ms + MIN((uint64_t)CONFIRMATION_INTERVAL_MS, c->config.heartbeat_ms);
	return c->anchor_ms + c->config.heartbeat_ms;
}

void arm_deadline(struct consensus *c, uint64_t now_ms)
{
	if (c->deadline_ms == 0)
		c->deadline_ms = now_ms + view_timeout_ms(c);
}

/* --- the block that is worked on --- */

void set_target(struct consensus *c, const struct hash *hash, struct bytes sealed)
{
	struct target *t = &c->target;

	if (t->is_set && hash_equal(&t->hash, hash)) {
		t->execution = EXECUTION_NONE;
		return;
	}
	/* The block of the highest certificate is never lost: it moves between the two. */
	if (t->is_set && c->has_best && hash_equal(&c->best.block_hash, &t->hash)) {
		struct buf swap = c->best_block;

		c->best_block = t->sealed;
		t->sealed = swap;
		buf_reset(&t->sealed);
		buf_append_bytes(&t->sealed, sealed);
	} else if (c->best_block.size && hash_equal(&c->best.block_hash, hash)) {
		struct buf swap = c->best_block;

		c->best_block = t->sealed;
		t->sealed = swap;
		buf_reset(&c->best_block);
	} else {
		buf_reset(&t->sealed);
		buf_append_bytes(&t->sealed, sealed);
	}
	t->is_set = true;
	t->hash = *hash;
	t->execution = EXECUTION_NONE;
	t->is_reproposal = false;
}

void ask_execute(struct consensus *c, struct step *s, bool is_reproposal)
{
	struct consensus_effect *e = add_effect(c, s, CONSENSUS_EFFECT_EXECUTE);

	c->target.execution = EXECUTION_RUNNING;
	c->target.is_reproposal = is_reproposal;
	e->execute.block.hash = c->target.hash;
	e->execute.block.sealed = buf_bytes(&c->target.sealed);
	e->execute.is_reproposal = is_reproposal;
}

/* The caller makes a block in the place of the one it had executed. */
static void ask_propose(struct consensus *c, struct step *s)
{
	c->phase = CONSENSUS_PROPOSING;
	c->target.execution = EXECUTION_NONE;
	add_effect(c, s, CONSENSUS_EFFECT_PROPOSE);
}

/* --- from others --- */

void set_pre_prepare(struct consensus *c, const struct pre_prepare *p)
{
	c->pp = *p;
	c->pp.block = (struct buf){ 0 };
	c->pp.view_changes = c->pp_view_changes;
	for (size_t i = 0; i < p->view_change_count; i++)
		c->pp_view_changes[i] = p->view_changes[i];
	c->pp.prepares = NULL;
	if (p->prepares) {
		c->pp_prepares = *p->prepares;
		c->pp.prepares = &c->pp_prepares;
	}
}

struct message pp_message(const struct consensus *c)
{
	struct message m = { .kind = MESSAGE_PRE_PREPARE, .pre_prepare = c->pp };

	m.pre_prepare.block = c->target.sealed;
	return m;
}

/* A justified proposal binds us, whatever we had prepared before: it proves that
 * nothing else can have been committed. */
void accept_pre_prepare(struct consensus *c, const struct pre_prepare *p, struct step *s)
{
	/* What a quorum has committed is final; another block changes nothing. */
	if (c->is_decided && !hash_equal(&c->decided_hash, &p->block_hash))
		return;
	if (p->view > c->view) {
		enter_view(c, p->view);
		add_trace(c, s, CONSENSUS_TRACE_VIEW);
	}
	set_target(c, &p->block_hash, buf_bytes(&p->block));
	set_pre_prepare(c, p);
	c->has_pp = true;
	c->phase = CONSENSUS_EXECUTING;
	arm_deadline(c, s->now_ms);
	ask_execute(c, s, p->prepares != NULL);
}

void on_executed(struct consensus *c, const struct consensus_event *event, struct step *s)
{
	struct target *t = &c->target;

	if (t->execution == EXECUTION_NONE || !hash_equal(&t->hash, &event->executed.hash)) {
		/* Of a block that was given up since. */
		add_trace(c, s, CONSENSUS_TRACE_UNEXPECTED);
		return;
	}
	if (event->executed.is_valid) {
		note_next(c, event->next);
		t->execution = EXECUTION_VALID;
		t->time_ms = event->executed.time_ms;
		t->has_txs = event->executed.has_txs;
	} else if (t->execution == EXECUTION_RUNNING) {
		t->execution = EXECUTION_INVALID;
		add_trace(c, s, CONSENSUS_TRACE_INVALID);
	}
}

/* --- ours --- */

bool is_bound(const struct consensus *c)
{
	return c->is_resumed && own_in_view(c, MESSAGE_PRE_PREPARE);
}

static bool sign_proposal(struct consensus *c, struct step *s)
{
	struct message m;

	c->pp.height = height_of(c);
	c->pp.view = c->view;
	c->pp.validator = c->self;
	c->pp.block_hash = c->target.hash;
	m = pp_message(c);
	if (!sign_own(c, &m, s))
		return false;
	c->pp.signature = m.pre_prepare.signature;
	return sign_vote(c, MESSAGE_PREPARE, &c->target.hash, s);
}

/* What the log holds of this view once more into it: PERSISTED then goes on. */
static void repeat_proposal(struct consensus *c)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		c->is_pending[i] = c->own[i].what.is_set && c->own[i].what.view == c->view;
	c->is_resumed = false;
}

void on_proposed(struct consensus *c, const struct consensus_event *event, struct step *s)
{
	const struct consensus_block *block = &event->proposed;
	struct target *t = &c->target;

	if (c->phase != CONSENSUS_PROPOSING) {
		add_trace(c, s, CONSENSUS_TRACE_UNEXPECTED);
		return;
	}
	/* At one position the same value, or none. */
	if (is_bound(c) && !hash_equal(&block->hash, &own_of(c, MESSAGE_PRE_PREPARE)->what.hash)) {
		add_trace(c, s, CONSENSUS_TRACE_SIGN_FAILED);
		return;
	}
	note_next(c, event->next);
	set_target(c, &block->hash, block->sealed);
	t->execution = EXECUTION_VALID;
	t->time_ms = block->time_ms;
	t->has_txs = block->has_txs;
	if (is_bound(c) && c->is_decided)
		c->is_resumed = false; /* others' commits were faster: the height ends in this step */
	else if (is_bound(c))
		repeat_proposal(c);
	else if (!sign_proposal(c, s))
		return;
	c->has_pp = true;
	c->phase = own_in_view(c, MESSAGE_COMMIT) ? CONSENSUS_COMMITTING : CONSENSUS_PREPARING;
}

/* --- one step further --- */

/* After a restart, once. */
bool try_resume(struct consensus *c, struct step *s)
{
	if (!c->is_resumed || c->phase == CONSENSUS_PROPOSING)
		return false;
	add_trace(c, s, CONSENSUS_TRACE_RESUMED);
	if (own_of(c, MESSAGE_VIEW_CHANGE)->what.is_set)
		c->resend_ms = s->now_ms + c->config.view_timeout_ms;
	if (is_bound(c) && !c->pp.prepares) {
		arm_deadline(c, s->now_ms);
		ask_propose(c, s);
		return true;
	}
	c->is_resumed = false;
	arm_deadline(c, s->now_ms);
	count_own_commit(c);
	if (c->has_pp) {
		c->phase = CONSENSUS_EXECUTING;
		ask_execute(c, s, true);
	}
	return true;
}

static bool propose_in_view_0(struct consensus *c, struct step *s)
{
	if (c->phase != CONSENSUS_IDLE || s->now_ms < due_ms(c) || !is_proposer(c))
		return false;
	c->pp = (struct pre_prepare){ .height = height_of(c) };
	ask_propose(c, s);
	return true;
}

bool try_propose(struct consensus *c, struct step *s)
{
	struct bytes sealed;

	if (c->is_resumed || c->is_decided || c->has_pp)
		return false;
	if (c->view == 0)
		return propose_in_view_0(c, s);
	if (c->phase != CONSENSUS_VIEW_CHANGING || !is_proposer(c) || !justify_proposal(c))
		return false;
	if (!c->pp.prepares) {
		ask_propose(c, s);
		return true;
	}
	sealed = find_block(c, &c->pp.block_hash);
	CHECK(sealed.size > 0);
	set_target(c, &c->pp.block_hash, sealed);
	c->phase = CONSENSUS_EXECUTING;
	ask_execute(c, s, true);
	return true;
}

/* The proposal has executed: our prepare, and before it, if we lead, our proposal. */
bool try_prepare(struct consensus *c, struct step *s)
{
	struct target *t = &c->target;

	if (c->phase != CONSENSUS_EXECUTING || c->is_decided)
		return false;
	CHECK(hash_equal(&t->hash, &c->pp.block_hash));
	/* Refused by our clock, and accepted by a quorum: the clock no longer matters. */
	if (t->execution == EXECUTION_INVALID && !t->is_reproposal &&
	    is_quorum_of(c, MESSAGE_PREPARE, c->view, &t->hash)) {
		ask_execute(c, s, true);
		return true;
	}
	if (t->execution != EXECUTION_VALID)
		return false;
	if (!c->has_pp) {
		if (!sign_proposal(c, s))
			return false;
		c->has_pp = true;
	} else if (!own_in_view(c, MESSAGE_PREPARE) &&
		   !sign_vote(c, MESSAGE_PREPARE, &t->hash, s)) {
		return false;
	}
	c->phase = own_in_view(c, MESSAGE_COMMIT) ? CONSENSUS_COMMITTING : CONSENSUS_PREPARING;
	return true;
}
