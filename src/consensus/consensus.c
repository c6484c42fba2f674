/* The machine's life: events in, one step after the other, heights, timers. */
#include "consensus/internal.h"

#include <stdlib.h>

struct consensus_effect *add_effect(struct consensus *c, struct step *s, enum consensus_effect_kind kind)
{
	struct consensus_effect *e;

	CHECK(s->effects->count < CONSENSUS_EFFECT_MAX);
	e = &s->effects->items[s->effects->count++];
	*e = (struct consensus_effect){ .kind = kind, .height = height_of(c), .view = c->view };
	return e;
}

/* Traces give way to what must be done. */
void add_trace(struct consensus *c, struct step *s, enum consensus_trace what)
{
	if (s->effects->count < CONSENSUS_EFFECT_MAX / 2)
		add_effect(c, s, CONSENSUS_EFFECT_TRACE)->trace = what;
}

uint64_t view_timeout_ms(const struct consensus *c)
{
	return c->config.view_timeout_ms << MIN(c->view, (uint64_t)CONSENSUS_TIMEOUT_SHIFT_MAX);
}

/* --- heights --- */

void set_view(struct consensus *c, uint64_t view)
{
	c->view = view;
	/* Kept, since stepping to a high view is long. A caller's answer is asked for when it matters. */
	c->leader = c->config.proposer ? 0 : proposer_of(c, height_of(c), view);
}

static void clear_height(struct consensus *c)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		CHECK(!c->is_pending[i]); /* signed, and never recorded */
	set_view(c, 0);
	c->phase = CONSENSUS_IDLE;
	c->has_work = false; /* what waited may be in the block */
	c->is_decided = c->is_diverged = c->has_pp = c->is_resumed = c->has_best = false;
	c->is_follow_due = true;
	c->target.is_set = false;
	c->target.execution = EXECUTION_NONE;
	c->deadline_ms = c->resend_ms = c->timer_ms = 0;
	memset(c->own, 0, sizeof(c->own));
	buf_reset(&c->view_change);
	buf_reset(&c->best_block);
	for (size_t i = 0; i < CONSENSUS_CLAIM_MAX; i++)
		c->claims[i].is_set = false;
}

static void start_height(struct consensus *c, const struct consensus_tip *tip, uint64_t now_ms)
{
	c->tip = *tip;
	c->anchor_ms = MIN(tip->time_ms, now_ms);
	turn_epoch(c);
	clear_height(c);
	round_of(c, height_of(c));
}

/* What came early counts now. */
static void replay_height(struct consensus *c, struct step *s)
{
	const struct round *r = round_of(c, height_of(c));
	struct message m;

	for (uint64_t view = 0; view < CONSENSUS_VIEW_COUNT; view++)
		for (size_t i = 0; may_be_quorum(c, MESSAGE_COMMIT, view) && i < set_of(c)->count; i++) {
			const struct statement *commit = find_statement(r, i, view, MESSAGE_COMMIT);

			if (commit)
				note_commit(c, view, &commit->hash);
		}
	if (is_member(c) && take_future(c, &m)) {
		accept_pre_prepare(c, &m.pre_prepare, s);
		message_clear(&m);
	}
	drop_futures(c);
}

void enter_height(struct consensus *c, const struct consensus_tip *tip, struct step *s)
{
	struct consensus_tip before = c->tip;

	/* Under the old set, if this is where it ends. */
	note_checkpoint_due(c, &before, tip);
	start_height(c, tip, s->now_ms);
	plan_behind(c, s->now_ms);
	replay_height(c, s);
}

static void on_committed(struct consensus *c, const struct consensus_event *event, struct step *s)
{
	struct consensus_tip tip = event->committed;

	if (tip.height < height_of(c)) {
		add_trace(c, s, CONSENSUS_TRACE_UNEXPECTED);
		return;
	}
	/* As if it had been agreed on here: all must expect the next empty block at one time. */
	if (tip.height == height_of(c))
		tip.empty_count = tip.has_txs ? 0 : MIN(c->tip.empty_count + 1, (uint64_t)CONFIRMATION_COUNT);
	note_next(c, event->next);
	enter_height(c, &tip, s);
}

/* --- timers --- */

/* A validator that is a quorum by itself waits for nobody when it leads. Above the highest view
 * there is none to go to. */
static bool has_view_timer(const struct consensus *c)
{
	if (!is_member(c) || c->view >= CONSENSUS_VIEW_MAX)
		return false;
	return set_of(c)->members[c->self].weight.n < c->quorum.n || !is_proposer(c);
}

/* A clock that was set back must not hold the chain up. */
static void clamp_timers(struct consensus *c, uint64_t now_ms)
{
	uint64_t t0 = c->config.view_timeout_ms;

	c->anchor_ms = MIN(c->anchor_ms, now_ms);
	c->deadline_ms = MIN(c->deadline_ms, now_ms + view_timeout_ms(c));
	c->resend_ms = MIN(c->resend_ms, now_ms + t0);
	for (size_t i = 0; i < KIND_COUNT; i++)
		c->own[i].repeat_ms = MIN(c->own[i].repeat_ms, now_ms + t0 / 2);
	c->behind_ms = MIN(c->behind_ms, now_ms + t0);
	c->checkpoint_ms = MIN(c->checkpoint_ms, now_ms);
	c->written_ms = MIN(c->written_ms, now_ms);
}

/* View 0's runs from when a block is due, whoever is to propose it; a higher one's from when
 * a quorum is as far (Castro and Liskov 1999, §4.5.2): else one that is a view ahead of the
 * others stays so for ever, once the time-outs no longer grow. */
static void start_timer(struct consensus *c, struct step *s)
{
	if (!is_member(c) || c->deadline_ms != 0)
		return;
	if (c->view == 0 ? s->now_ms >= due_ms(c) : is_quorum_in_view(c))
		arm_deadline(c, s->now_ms);
}

/* Not in a step that signed in this view: its record needs the view's proposal, and
 * the timer asked for comes at once. */
static bool has_signed(const struct consensus *c)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (c->is_pending[i])
			return true;
	return false;
}

static void time_out(struct consensus *c, struct step *s)
{
	if (c->deadline_ms == 0 || s->now_ms < c->deadline_ms || !has_view_timer(c) || has_signed(c))
		return;
	change_view(c, c->view + 1, s);
}

static void take_earlier(uint64_t *at_ms, uint64_t wish_ms)
{
	if (wish_ms && (*at_ms == 0 || wish_ms < *at_ms))
		*at_ms = wish_ms;
}

static void set_timer(struct consensus *c, struct step *s)
{
	uint64_t at_ms = 0;

	if (is_member(c) && c->view == 0 && c->deadline_ms == 0)
		take_earlier(&at_ms, due_ms(c));
	if (has_view_timer(c))
		take_earlier(&at_ms, c->deadline_ms);
	take_earlier(&at_ms, c->resend_ms);
	take_earlier(&at_ms, repeat_due_ms(c));
	take_earlier(&at_ms, c->behind_ms);
	take_earlier(&at_ms, checkpoint_due_ms(c));
	if (at_ms && at_ms != c->timer_ms)
		add_effect(c, s, CONSENSUS_EFFECT_TIMER)->at_ms = at_ms;
	c->timer_ms = at_ms;
}

/* --- steps --- */

static void on_event(struct consensus *c, const struct consensus_event *event, struct step *s)
{
	switch (event->kind) {
	case CONSENSUS_EVENT_TICK:
		c->timer_ms = 0; /* whatever was asked for has come, or is asked for again */
		return;
	case CONSENSUS_EVENT_WORK:
		c->has_work = event->has_work;
		return;
	case CONSENSUS_EVENT_PROPOSED:
		on_proposed(c, event, s);
		return;
	case CONSENSUS_EVENT_EXECUTED:
		on_executed(c, event, s);
		return;
	case CONSENSUS_EVENT_PERSISTED:
		on_persisted(c, event->persisted, s);
		return;
	case CONSENSUS_EVENT_MESSAGE:
		receive_message(c, event->message, s);
		return;
	case CONSENSUS_EVENT_COMMITTED:
		on_committed(c, event, s);
		return;
	case CONSENSUS_EVENT_WRITTEN:
		on_written(c, event->written.height, event->now_ms);
		return;
	case CONSENSUS_EVENT_CHECKPOINT:
		receive_checkpoint(c, event->checkpoint, s);
		return;
	}
	UNREACHABLE();
}

static bool advance(struct consensus *c, struct step *s)
{
	if (!is_member(c))
		return false;
	return try_finish(c, s) || try_follow(c, s) || try_resume(c, s) || try_propose(c, s) ||
	       try_prepare(c, s) || try_commit(c, s);
}

void consensus_step(struct consensus *c, const struct consensus_event *event,
		    struct consensus_effects *effects)
{
	struct step s = { .now_ms = event->now_ms, .effects = effects };

	effects->count = 0;
	clamp_timers(c, s.now_ms);
	on_event(c, event, &s);
	while (advance(c, &s))
		;
	/* Only after the event: a commit that it made has dropped the deadline. */
	start_timer(c, &s);
	time_out(c, &s);
	while (advance(c, &s))
		;
	resend_view_change(c, &s);
	repeat_own(c, &s);
	say_behind(c, &s);
	write_record(c, &s);
	send_durable(c, &s);
	sign_checkpoint(c, &s);
	set_timer(c, &s);
}

/* --- life --- */

int consensus_new(struct consensus **out, const struct consensus_config *config,
		  const struct consensus_tip *tip, struct err *err)
{
	struct consensus *c;

	if (config->epoch.first > tip->height + 1)
		return ERR_SET(err, CONSENSUS_E_SET, "the set of height %llu rules from %llu only",
			       (unsigned long long)tip->height + 1, (unsigned long long)config->epoch.first);
	c = xcalloc(1, sizeof(*c));
	c->config = *config;
	c->config.epoch.set = c->config.before.set = NULL; /* not ours */
	c->present = epoch_new(c, &config->epoch);
	if (config->before.set && config->before.number + 1 == config->epoch.number)
		c->before = epoch_new(c, &config->before);
	c->written_height = tip->height;
	c->pp_view_changes = xcalloc(VALIDATOR_COUNT_MAX, sizeof(*c->pp_view_changes));
	start_height(c, tip, tip->time_ms);
	*out = c;
	return OK;
}

void consensus_free(struct consensus *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < ROUND_COUNT; i++) {
		free(c->rounds[i].slots);
		free(c->rounds[i].view_changes);
	}
	for (size_t i = 0; i < CONSENSUS_CLAIM_MAX; i++)
		buf_clear(&c->claims[i].block);
	for (size_t i = 0; i < CONSENSUS_FUTURE_MAX; i++)
		buf_clear(&c->futures[i].encoded);
	for (size_t i = 0; i < KIND_COUNT; i++)
		buf_clear(&c->sends[i]);
	for (size_t i = 0; i < EVIDENCE_MAX; i++) {
		buf_clear(&c->evidence[i][0]);
		buf_clear(&c->evidence[i][1]);
	}
	buf_clear(&c->late_send);
	buf_clear(&c->checkpoint_send);
	buf_clear(&c->target.sealed);
	buf_clear(&c->best_block);
	buf_clear(&c->view_change);
	buf_clear(&c->record);
	buf_clear(&c->certificate);
	free(c->pp_view_changes);
	epoch_free(c->present);
	epoch_free(c->next);
	epoch_free(c->before);
	free(c);
}
