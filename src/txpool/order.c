/* The heaps of senders, and the cursor that a block is built with. */
#include <stdlib.h>

#include "base/check.h"
#include "txpool/internal.h"

static inline void place(struct heap *h, size_t index, struct heap_item item)
{
	h->items[index] = item;
	item.sender->heap_index[h->kind] = index;
}

static void sift_up(struct heap *h, size_t index, struct heap_item item)
{
	while (index > 0) {
		size_t parent = (index - 1) / 2;

		if (!rank_before(h->items[parent].last, item.last))
			break;
		place(h, index, h->items[parent]);
		index = parent;
	}
	place(h, index, item);
}

static void sift_down(struct heap *h, size_t index, struct heap_item item)
{
	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count &&
		    rank_before(h->items[child].last, h->items[child + 1].last))
			child++;
		if (!rank_before(item.last, h->items[child].last))
			break;
		place(h, index, h->items[child]);
		index = child;
	}
	place(h, index, item);
}

static void sift(struct heap *h, size_t index, struct heap_item item)
{
	if (index > 0 && rank_before(h->items[(index - 1) / 2].last, item.last))
		sift_up(h, index, item);
	else
		sift_down(h, index, item);
}

void heap_put(struct heap *h, struct heap_item item)
{
	size_t index = item.sender->heap_index[h->kind];

	if (index != HEAP_ABSENT) {
		sift(h, index, item);
		return;
	}
	if (h->count == h->capacity) {
		h->capacity = h->capacity ? h->capacity * 2 : 64;
		h->items = xrealloc(h->items, h->capacity * sizeof(h->items[0]));
	}
	sift_up(h, h->count++, item);
}

void heap_drop(struct heap *h, struct sender *s)
{
	size_t index = s->heap_index[h->kind];

	if (index == HEAP_ABSENT)
		return;
	s->heap_index[h->kind] = HEAP_ABSENT;
	if (index != --h->count)
		sift(h, index, h->items[h->count]);
}

bool heap_check(const struct heap *h)
{
	for (size_t i = 0; i < h->count; i++) {
		if (h->items[i].sender->heap_index[h->kind] != i)
			return false;
		if (i > 0 && rank_before(h->items[(i - 1) / 2].last, h->items[i].last))
			return false;
	}
	return true;
}

/* --- building --- */

struct turn {
	struct rank rank; /* of the sender's transaction that is next */
	struct sender *sender;
	size_t index;     /* of that transaction */
};

struct txpool_cursor {
	struct txpool *pool;
	struct turn *turns; /* a binary heap with the best on top */
	size_t count;
	bool given;   /* the top's transaction was handed out */
	bool skipped; /* … and its sender is done with */
};

static void turn_down(struct txpool_cursor *c, size_t index)
{
	struct turn turn = c->turns[index];

	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= c->count)
			break;
		if (child + 1 < c->count &&
		    rank_before(c->turns[child + 1].rank, c->turns[child].rank))
			child++;
		if (!rank_before(c->turns[child].rank, turn.rank))
			break;
		c->turns[index] = c->turns[child];
		index = child;
	}
	c->turns[index] = turn;
}

struct txpool_cursor *txpool_cursor_new(struct txpool *p)
{
	const struct heap *h = &p->heaps[PENDING];
	struct txpool_cursor *c = xmalloc(sizeof(*c));

	*c = (struct txpool_cursor){ .pool = p, .turns = xmalloc(h->count * sizeof(c->turns[0])) };
	for (size_t i = 0; i < h->count; i++) {
		if (h->items[i].first.score < 0)
			continue;
		c->turns[c->count++] = (struct turn){ .rank = h->items[i].first,
						      .sender = h->items[i].sender };
	}
	for (size_t i = c->count / 2; i-- > 0;)
		turn_down(c, i);
	return c;
}

/* Moves past the transaction that was given last. */
static void turn_over(struct txpool_cursor *c)
{
	struct turn *top = &c->turns[0];
	const struct entry *e;

	if (c->skipped || top->index + 1 >= top->sender->takeable_count) {
		*top = c->turns[--c->count];
	} else {
		e = &top->sender->entries[++top->index];
		top->rank = (struct rank){ entry_score(e, c->pool->base_fee), e->arrival };
	}
	if (c->count)
		turn_down(c, 0);
	c->given = c->skipped = false;
}

struct tx *txpool_cursor_next(struct txpool_cursor *c)
{
	if (c->given)
		turn_over(c);
	if (c->count == 0)
		return NULL;
	c->given = true;
	return c->turns[0].sender->entries[c->turns[0].index].tx;
}

void txpool_cursor_skip_sender(struct txpool_cursor *c)
{
	c->skipped = c->given;
}

void txpool_cursor_free(struct txpool_cursor *c)
{
	if (!c)
		return;
	free(c->turns);
	free(c);
}
