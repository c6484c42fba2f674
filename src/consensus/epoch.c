/* Epochs: who decides which height, and whose turn it is. */
#include "consensus/internal.h"

#include <stdlib.h>

/* --- turns --- */

/* The cursor to a height; O(count · min(heights, period)). */
static void move_cursor(struct known_epoch *e, uint64_t height)
{
	uint64_t steps = (height - e->cursor_height) % e->period;

	CHECK(height >= e->cursor_height);
	while (steps-- > 0)
		proposer_cursor_step(&e->cursor, &e->set);
	e->cursor_height = height;
}

/* O(count · steps), and the same again as long as the cursor is not moved: the present view's
 * is kept (set_view()). */
size_t proposer_of(const struct consensus *c, uint64_t height, uint64_t view)
{
	const struct known_epoch *e = epoch_at(c, height);
	uint64_t ahead;

	CHECK(e && height >= e->cursor_height);
	if (c->config.proposer)
		return c->config.proposer(c->config.ctx, &e->is, height, view);
	/* Reduced one by one, so that the sum can't overflow. */
	ahead = (height - e->cursor_height) % e->period + view % e->period;
	return proposer_cursor_ahead(&e->cursor, &e->set, ahead);
}

/* --- epochs --- */

struct known_epoch *epoch_new(const struct consensus *c, const struct consensus_epoch *from)
{
	struct known_epoch *e = xmalloc(sizeof(*e));
	int self = validator_set_find(from->set, &c->config.self);

	*e = (struct known_epoch){ .is = *from, .set = *from->set, .cursor_height = from->first };
	e->is.set = &e->set;
	e->quorum = validator_set_quorum(&e->set);
	e->faulty = validator_set_faulty(&e->set);
	e->period = validator_set_period(&e->set);
	e->self = self < 0 ? NOT_A_MEMBER : (size_t)self;
	proposer_cursor_init(&e->cursor, &e->set);
	e->checkpoints = xcalloc(e->set.count * CONSENSUS_CHECKPOINT_COUNT, sizeof(*e->checkpoints));
	return e;
}

void epoch_free(struct known_epoch *e)
{
	if (e)
		free(e->checkpoints);
	free(e);
}

void note_next(struct consensus *c, const struct consensus_epoch *next)
{
	if (next && next->number == c->present->is.number)
		next = NULL;
	if (!next || (c->next && c->next->is.number == next->number &&
		      hash_equal(&c->next->set.hash, &next->set->hash)))
		return;
	epoch_free(c->next);
	c->next = epoch_new(c, next);
}

/* What was known of members is known of them under their new indexes. */
static void move_members(struct consensus *c, const struct validator_set *from,
			 const struct validator_set *to)
{
	uint64_t seen_ms[VALIDATOR_COUNT_MAX] = { 0 }, seen_height[VALIDATOR_COUNT_MAX] = { 0 };

	c->seen_highest = 0;
	for (size_t i = 0; i < to->count; i++) {
		int was = validator_set_find(from, &to->members[i].address);

		if (was < 0)
			continue;
		seen_ms[i] = c->seen_ms[was];
		seen_height[i] = c->seen_height[was];
		c->seen_highest = MAX(c->seen_highest, seen_height[i]);
	}
	memcpy(c->seen_ms, seen_ms, sizeof(seen_ms));
	memcpy(c->seen_height, seen_height, sizeof(seen_height));
	c->behind_next = 0;
}

void turn_epoch(struct consensus *c)
{
	struct known_epoch *old = c->present;

	if (c->next) {
		CHECK(c->next->is.first <= height_of(c));
		move_members(c, &old->set, &c->next->set);
		epoch_free(c->before);
		c->before = old;
		c->present = c->next;
		c->next = NULL;
		/* Several epochs at once: of the heights between nothing is known. */
		if (c->before->is.number + 1 != c->present->is.number) {
			epoch_free(c->before);
			c->before = NULL;
		}
	}
	c->quorum = c->present->quorum;
	c->faulty = c->present->faulty;
	c->self = c->present->self;
	move_cursor(c->present, height_of(c));
}

struct known_epoch *epoch_at(const struct consensus *c, uint64_t height)
{
	if (c->next && height >= c->next->is.first)
		return c->next;
	if (height >= c->present->is.first)
		return c->present;
	return c->before && height >= c->before->is.first ? c->before : NULL;
}

const struct consensus_epoch *consensus_get_epoch(const struct consensus *c)
{
	return &c->present->is;
}
