/* Who is alive, who is ahead of us, who is behind. */
#include "consensus/internal.h"

/* --- ahead --- */

void plan_behind(struct consensus *c, uint64_t now_ms)
{
	c->behind_ms = 0;
	c->is_behind_said = false;
	/* Of the next height one often hears a moment before one's own last commit. */
	if (c->seen_highest > height_of(c) + 1)
		c->behind_ms = now_ms;
	else if (c->seen_highest > height_of(c))
		c->behind_ms = now_ms + c->config.view_timeout_ms / 4;
}

void note_seen(struct consensus *c, size_t validator, uint64_t height, uint64_t now_ms)
{
	c->seen_ms[validator] = now_ms;
	if (height <= c->seen_height[validator])
		return;
	c->seen_height[validator] = height;
	c->seen_highest = MAX(c->seen_highest, height);
	if (height > height_of(c) && !c->is_behind_said)
		plan_behind(c, c->behind_ms ? MIN(c->behind_ms, now_ms) : now_ms);
}

/* The slowest validators' votes always come when they no longer matter: without this they would
 * look dead. */
void note_alive(struct consensus *c, const struct known_epoch *e, const struct message *m, struct step *s)
{
	size_t i = message_validator(m);

	if (e != c->present || (c->seen_ms[i] <= s->now_ms &&
				s->now_ms - c->seen_ms[i] < c->config.view_timeout_ms))
		return;
	if (verify_sender(c, e, m))
		note_seen(c, i, message_height(m), s->now_ms);
}

/* Whoever voted for the decided block, or is at a higher height. */
static bool may_have_blocks(const struct consensus *c, const struct signer_bits *deciders, size_t i)
{
	return i != c->self && (c->seen_height[i] > height_of(c) || signer_bits_get(deciders, i));
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

/* --- behind --- */

void serve(struct consensus *c, struct known_epoch *e, const struct message *m, struct step *s)
{
	size_t i = message_validator(m);
	struct consensus_effect *effect;

	if (e->serve_ms[i] && s->now_ms >= e->serve_ms[i] &&
	    s->now_ms - e->serve_ms[i] < c->config.view_timeout_ms / 2)
		return;
	if (!verify_sender(c, e, m))
		return;
	if (e == c->present)
		c->seen_ms[i] = s->now_ms;
	e->serve_ms[i] = s->now_ms;
	effect = add_effect(c, s, CONSENSUS_EFFECT_SERVE);
	effect->peer.address = e->set.members[i].address;
	effect->peer.height = message_height(m);
}
