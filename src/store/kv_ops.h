/*
 * kv_ops - what a backend of kv.h offers. A backend's own structs begin with the
 * ones here. For kv*.c only.
 */
#ifndef WEFT_STORE_KV_OPS_H
#define WEFT_STORE_KV_OPS_H

#include "store/kv.h"

struct kv_ops {
	void (*close)(struct kv *kv);
	int (*get)(struct kv *kv, const struct kv_snapshot *at, struct bytes key, struct buf *out,
		   struct err *err);
	int (*write)(struct kv *kv, const struct kv_batch *b, bool sync, struct err *err);
	int (*sync)(struct kv *kv, struct err *err);
	void (*compact)(struct kv *kv, struct bytes from, struct bytes to);

	struct kv_snapshot *(*snapshot_new)(struct kv *kv);
	void (*snapshot_free)(struct kv *kv, struct kv_snapshot *s);

	struct kv_iter *(*iter_new)(struct kv *kv, const struct kv_snapshot *at, struct bytes from);
	bool (*iter_next)(struct kv_iter *i, struct bytes *key, struct bytes *value);
	void (*iter_seek)(struct kv_iter *i, struct bytes from);
	int (*iter_error)(const struct kv_iter *i, struct err *err);
	void (*iter_free)(struct kv_iter *i);

	struct kv_batch *(*batch_new)(struct kv *kv);
	void (*batch_free)(struct kv_batch *b);
	void (*batch_reset)(struct kv_batch *b);
	void (*batch_put)(struct kv_batch *b, struct bytes key, struct bytes value);
	void (*batch_delete)(struct kv_batch *b, struct bytes key);
};

struct kv {
	const struct kv_ops *ops;
};

struct kv_batch {
	const struct kv_ops *ops;
	size_t size;
};

struct kv_iter {
	const struct kv_ops *ops;
};

#endif
