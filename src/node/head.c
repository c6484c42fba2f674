/* Heads: the newest written block as readers see it. */
#include "node/internal.h"

#include <stdlib.h>

#include "base/check.h"

struct node_head *node_head_new(struct store_reader *reader, const struct exec_parent *parent,
				uint64_t seed)
{
	struct node_head *h = xcalloc(1, sizeof(*h));

	atomic_init(&h->refs, 1);
	h->reader = reader;
	h->parent = *parent;
	h->seed = seed;
	return h;
}

struct node_head *node_head_ref(struct node_head *h)
{
	atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
	return h;
}

void node_head_unref(struct node_head *h)
{
	if (!h || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
		return;
	store_reader_free(h->reader);
	free(h);
}
