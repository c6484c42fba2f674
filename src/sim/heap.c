/* What comes next: a binary heap by time, then by the order of pushing. */
#include <stdlib.h>

#include "base/check.h"
#include "sim/internal.h"

static bool is_before(const struct entry *a, const struct entry *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

void heap_push(struct heap *h, uint64_t at_us, enum entry_kind kind, uint32_t a, uint64_t b, void *p)
{
	struct entry e = { at_us, h->next_order++, kind, a, b, p };
	size_t at;

	if (h->count == h->capacity) {
		h->capacity = MAX(2 * h->capacity, (size_t)1024);
		h->items = xrealloc(h->items, h->capacity * sizeof(h->items[0]));
	}
	for (at = h->count++; at > 0 && is_before(&e, &h->items[(at - 1) / 2]); at = (at - 1) / 2)
		h->items[at] = h->items[(at - 1) / 2];
	h->items[at] = e;
}

bool heap_pop(struct heap *h, struct entry *out)
{
	struct entry last;
	size_t at = 0, child;

	if (h->count == 0)
		return false;
	*out = h->items[0];
	last = h->items[--h->count];
	while ((child = 2 * at + 1) < h->count) {
		if (child + 1 < h->count && is_before(&h->items[child + 1], &h->items[child]))
			child++;
		if (!is_before(&h->items[child], &last))
			break;
		h->items[at] = h->items[child];
		at = child;
	}
	h->items[at] = last;
	return true;
}

void heap_clear(struct heap *h)
{
	free(h->items);
	*h = (struct heap){ 0 };
}
