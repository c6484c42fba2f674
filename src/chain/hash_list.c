#include "chain/hash_list.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/rlp.h"

#define ITEM_SIZE 33 /* a hash as an RLP item */

bool hash_list_has(const struct hash_list *l, const struct hash *h)
{
	for (size_t i = 0; i < l->count; i++)
		if (memcmp(l->first + i * l->stride, h->bytes, sizeof(h->bytes)) == 0)
			return true;
	return false;
}

void hash_list_encode(struct buf *out, const struct hash_list *l)
{
	size_t list;

	buf_reserve(out, l->count * ITEM_SIZE + 16);
	list = rlp_list_open(out);
	for (size_t i = 0; i < l->count; i++)
		rlp_put_bytes(out, bytes_of(l->first + i * l->stride, sizeof(struct hash)));
	rlp_list_close(out, list);
}

void decode_hash_list(struct decoder *d, struct rlp_reader *r, const char *field, size_t max,
		      struct hash_list *out)
{
	struct rlp_reader list;
	struct hash h;
	size_t count;

	*out = (struct hash_list){ .stride = ITEM_SIZE };
	decode_list_counted(d, r, field, max, &list, &count);
	if (d->status != OK || count == 0)
		return;
	out->first = list.at + 1;
	for (size_t i = 0; i < count; i++)
		decode_hash(d, &list, field, &h);
	if (d->status == OK)
		out->count = count;
}

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash));
}

void decode_hash_set(struct decoder *d, struct rlp_reader *r, const char *field, size_t max,
		     struct hash_list *out)
{
	struct hash sorted[HASH_LIST_DISTINCT_MAX];

	CHECK(max <= HASH_LIST_DISTINCT_MAX);
	decode_hash_list(d, r, field, max, out);
	for (size_t i = 0; i < out->count; i++)
		sorted[i] = hash_list_at(out, i);
	qsort(sorted, out->count, sizeof(*sorted), compare_hashes);
	for (size_t i = 1; i < out->count; i++)
		if (hash_equal(&sorted[i], &sorted[i - 1]))
			decode_fail(d, "%s names a hash twice", field);
}
