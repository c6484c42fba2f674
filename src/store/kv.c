#include "store/kv_ops.h"

#include "base/check.h"

void kv_close(struct kv *kv)
{
	if (kv)
		kv->ops->close(kv);
}

int kv_get(struct kv *kv, const struct kv_snapshot *at, struct bytes key, struct buf *out,
	   struct err *err)
{
	return kv->ops->get(kv, at, key, out, err);
}

int kv_write(struct kv *kv, const struct kv_batch *b, bool sync, struct err *err)
{
	CHECK(b->ops == kv->ops);
	return kv->ops->write(kv, b, sync, err);
}

int kv_sync(struct kv *kv, struct err *err)
{
	return kv->ops->sync(kv, err);
}

void kv_compact(struct kv *kv, struct bytes from, struct bytes to)
{
	kv->ops->compact(kv, from, to);
}

struct kv_snapshot *kv_snapshot_new(struct kv *kv)
{
	return kv->ops->snapshot_new(kv);
}

void kv_snapshot_free(struct kv *kv, struct kv_snapshot *s)
{
	if (s)
		kv->ops->snapshot_free(kv, s);
}

struct kv_iter *kv_iter_new(struct kv *kv, const struct kv_snapshot *at, struct bytes from)
{
	return kv->ops->iter_new(kv, at, from);
}

bool kv_iter_next(struct kv_iter *i, struct bytes *key, struct bytes *value)
{
	return i->ops->iter_next(i, key, value);
}

void kv_iter_seek(struct kv_iter *i, struct bytes from)
{
	i->ops->iter_seek(i, from);
}

int kv_iter_error(const struct kv_iter *i, struct err *err)
{
	return i->ops->iter_error(i, err);
}

void kv_iter_free(struct kv_iter *i)
{
	if (i)
		i->ops->iter_free(i);
}

struct kv_batch *kv_batch_new(struct kv *kv)
{
	return kv->ops->batch_new(kv);
}

void kv_batch_free(struct kv_batch *b)
{
	if (b)
		b->ops->batch_free(b);
}

void kv_batch_reset(struct kv_batch *b)
{
	b->size = 0;
	b->ops->batch_reset(b);
}

void kv_batch_put(struct kv_batch *b, struct bytes key, struct bytes value)
{
	CHECK(key.size > 0);
	b->size += key.size + value.size;
	b->ops->batch_put(b, key, value);
}

void kv_batch_delete(struct kv_batch *b, struct bytes key)
{
	CHECK(key.size > 0);
	b->size += key.size;
	b->ops->batch_delete(b, key);
}

size_t kv_batch_size(const struct kv_batch *b)
{
	return b->size;
}
