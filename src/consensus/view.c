/* View-changes: when we ask for one, when we follow others, and what justifies a
 * proposal above view 0. */
#include "consensus/internal.h"

void enter_view(struct consensus *c, uint64_t view)
{
	struct round *r = round_of(c, height_of(c));

	CHECK(view > c->view);
	set_view(c, view);
	c->has_pp = false;
	c->is_resumed = false;
	c->phase = CONSENSUS_VIEW_CHANGING;
	c->deadline_ms = 0; /* from when a quorum is as far: start_timer() */
	/* The window of views has moved: what lay above it counts from now on. */
	for (size_t i = 0; i < set_of(c)->count; i++)
		if (r->view_changes[i].is_set && r->view_changes[i].view >= view)
			keep_statement(c, r, i, MESSAGE_VIEW_CHANGE, &r->view_changes[i]);
}

static struct view_change claim_of(const struct consensus *c, const struct statement *what,
				   size_t validator)
{
	return (struct view_change){
		.height = height_of(c),
		.view = what->view,
		.validator = validator,
		.has_prepared = what->has_prepared,
		.prepared_view = what->prepared_view,
		.prepared_hash = what->hash,
		.signature = what->signature,
	};
}

void encode_view_change(struct consensus *c)
{
	const struct statement *what = &own_of(c, MESSAGE_VIEW_CHANGE)->what;
	struct message m = {
		.kind = MESSAGE_VIEW_CHANGE,
		.view_change = claim_of(c, what, c->self),
	};
	struct bytes block = { 0 };

	buf_reset(&c->view_change);
	if (what->has_prepared) {
		/* After a restart the claim's proof may have given way to a higher one. */
		block = find_block(c, &what->hash);
		if (!find_claim(c, what->prepared_view, &what->hash) || block.size == 0)
			return;
		m.view_change.prepares = &c->best;
		m.view_change.block = (struct buf){ (uint8_t *)(uintptr_t)block.data, block.size, block.size };
	}
	message_encode(&c->view_change, &m);
}

/* Leaves the view for a higher one, by a signed word that binds us. */
void change_view(struct consensus *c, uint64_t view, struct step *s)
{
	struct message m = {
		.kind = MESSAGE_VIEW_CHANGE,
		.view_change = {
			.height = height_of(c),
			.view = view,
			.validator = c->self,
			.has_prepared = c->has_best,
		},
	};

	if (c->has_best) {
		m.view_change.prepared_view = c->best.view;
		m.view_change.prepared_hash = c->best.block_hash;
	}
	enter_view(c, view);
	c->view_change_total++;
	add_trace(c, s, CONSENSUS_TRACE_VIEW);
	if (!sign_own(c, &m, s))
		return;
	encode_view_change(c);
	c->resend_ms = s->now_ms + c->config.view_timeout_ms;
}

void resend_view_change(struct consensus *c, struct step *s)
{
	if (c->resend_ms == 0 || s->now_ms < c->resend_ms)
		return;
	c->resend_ms = s->now_ms + c->config.view_timeout_ms;
	if (own_of(c, MESSAGE_VIEW_CHANGE)->is_sent && c->view_change.size)
		own_of(c, MESSAGE_VIEW_CHANGE)->is_sent = false; /* sent at the end of the step */
}

/* --- following --- */

/* View-changes above `view`: their weight, and the smallest of them. */
static struct weight weight_above(struct consensus *c, uint64_t view, uint64_t *smallest)
{
	const struct round *r = round_of(c, height_of(c));
	struct signer_bits bits = { 0 };

	*smallest = UINT64_MAX;
	for (size_t i = 0; i < set_of(c)->count; i++) {
		const struct statement *v = &r->view_changes[i];

		if (!v->is_set || v->view <= view)
			continue;
		signer_bits_set(&bits, i);
		*smallest = MIN(*smallest, v->view);
	}
	return validator_set_weight(set_of(c), &bits);
}

bool is_quorum_in_view(struct consensus *c)
{
	const struct round *r = round_of(c, height_of(c));
	struct signer_bits bits = { 0 };

	signer_bits_set(&bits, c->self);
	for (size_t i = 0; i < set_of(c)->count; i++)
		if (r->view_changes[i].is_set && r->view_changes[i].view >= c->view)
			signer_bits_set(&bits, i);
	return validator_set_weight(set_of(c), &bits).n >= c->quorum.n;
}

/* More than f weight above us holds a correct validator: to the smallest of them,
 * and on if that is still so there. */
bool try_follow(struct consensus *c, struct step *s)
{
	uint64_t view = c->view, smallest;

	if (!c->is_follow_due)
		return false;
	c->is_follow_due = false;
	while (weight_above(c, view, &smallest).n > c->faulty.n)
		view = smallest;
	if (view == c->view)
		return false;
	change_view(c, view, s);
	return true;
}

/* --- leading --- */

static void add_view_change(struct consensus *c, struct signer_bits *signers, size_t validator,
			    const struct statement *what, const struct statement **highest)
{
	/* The proof of a claim may have been let go: its sender comes again with it. */
	if (what->has_prepared && (!find_claim(c, what->prepared_view, &what->hash) ||
				   find_block(c, &what->hash).size == 0))
		return;
	signer_bits_set(signers, validator);
	c->pp_view_changes[c->pp.view_change_count++] = claim_of(c, what, validator);
	if (what->has_prepared && (!*highest || what->prepared_view > (*highest)->prepared_view))
		*highest = what;
}

/* Q view-changes for exactly this view; the block is the highest claim's. */
bool justify_proposal(struct consensus *c)
{
	const struct round *r = round_of(c, height_of(c));
	const struct statement *highest = NULL;
	struct signer_bits signers = { 0 };

	if (!may_be_quorum(c, MESSAGE_VIEW_CHANGE, c->view))
		return false;
	c->pp = (struct pre_prepare){
		.height = height_of(c),
		.view = c->view,
		.validator = c->self,
		.view_changes = c->pp_view_changes,
	};
	for (size_t i = 0; i < set_of(c)->count; i++) {
		const struct statement *what = find_statement(r, i, c->view, MESSAGE_VIEW_CHANGE);

		if (what && what->is_verified)
			add_view_change(c, &signers, i, what, &highest);
	}
	if (validator_set_weight(set_of(c), &signers).n < c->quorum.n)
		return false;
	if (highest) {
		c->pp_prepares = *find_claim(c, highest->prepared_view, &highest->hash);
		c->pp.prepares = &c->pp_prepares;
		c->pp.block_hash = highest->hash;
	}
	return true;
}
