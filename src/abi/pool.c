#include "abi/internal.h"

#include <stdlib.h>

#include "base/check.h"

struct abi_block {
	struct abi_block *older;
	max_align_t memory[];
};

void *abi_pool_take(struct abi_pool *p, size_t count, size_t size)
{
	struct abi_block *b;

	CHECK(size > 0 && count <= (SIZE_MAX - sizeof(*b)) / size);
	b = xcalloc(1, sizeof(*b) + count * size);
	b->older = p->newest;
	p->newest = b;
	return b->memory;
}

void abi_pool_clear(struct abi_pool *p)
{
	struct abi_block *b, *older;

	for (b = p->newest; b; b = older) {
		older = b->older;
		free(b);
	}
	p->newest = NULL;
}

char *abi_pool_text(struct abi_pool *p, struct bytes text)
{
	char *copy = abi_pool_take(p, text.size + 1, 1);

	if (text.size)
		memcpy(copy, text.data, text.size);
	return copy;
}
