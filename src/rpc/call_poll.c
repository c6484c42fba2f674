/*
 * Filters that are polled. The node's thread keeps them, and says what came: blocks by their
 * heights, so that reading them is a worker's part; transactions by their hashes.
 */
#include "rpc/calls.h"

#include <stdlib.h>

#include "base/check.h"
#include "rpc/forms.h"

struct poll_state {
	struct hash id;
	struct rpc_poll poll;
	bool was_there;
};

static void release(void *state)
{
	struct poll_state *s = state;

	rpc_poll_clear(&s->poll);
	free(s);
}

static struct poll_state *start(struct rpc_item *i)
{
	struct poll_state *s = xcalloc(1, sizeof(*s));

	i->state = s;
	i->waits = true;
	return s;
}

/* --- making one --- */

/* Tags but `earliest` name the newest block whenever they are asked. */
static void set_bound(bool *has, uint64_t *height, const struct rpc_block_ref *ref)
{
	*has = ref->kind == RPC_BLOCK_HEIGHT;
	*height = ref->height;
}

int call_new_filter(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_filter *f = &i->args->at[0].filter;
	struct poll_state *s;

	if (f->from.kind == RPC_BLOCK_HASH)
		return ERR_SET(err, RPC_E_PARAMS, "a filter for what is to come has no blockHash: use eth_getLogs");
	if (f->from.kind == RPC_BLOCK_HEIGHT && f->to.kind == RPC_BLOCK_HEIGHT && f->from.height > f->to.height)
		return ERR_SET(err, RPC_E_PARAMS, "invalid block range params: fromBlock %llu is after toBlock %llu",
			       (unsigned long long)f->from.height, (unsigned long long)f->to.height);
	s = start(i);
	s->poll.kind = RPC_POLL_LOGS;
	log_filter_copy(&s->poll.logs, f->logs);
	set_bound(&s->poll.has_from, &s->poll.from, &f->from);
	set_bound(&s->poll.has_to, &s->poll.to, &f->to);
	return OK;
}

int call_new_block_filter(struct rpc_item *i, struct jout *out, struct err *err)
{
	start(i)->poll.kind = RPC_POLL_BLOCKS;
	return OK;
}

int call_new_tx_filter(struct rpc_item *i, struct jout *out, struct err *err)
{
	start(i)->poll.kind = RPC_POLL_TXS;
	return OK;
}

static int ask_new(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	struct poll_state *s = i->state;

	return node->ops->poll_new(node->ctx, &s->poll, &s->id, err);
}

static int tell_id(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct poll_state *s = i->state;

	jout_quantity_be(out, hash_bytes(&s->id));
	return OK;
}

const struct rpc_errand errand_new_filter = { ask_new, tell_id, release };

/* --- asking one --- */

int call_filter(struct rpc_item *i, struct jout *out, struct err *err)
{
	start(i)->id = i->args->at[0].hash;
	return OK;
}

static int ask_changes(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	struct poll_state *s = i->state;

	return node->ops->poll_get(node->ctx, &s->id, true, &s->poll, err);
}

static int put_block_hashes(struct rpc_item *i, struct jout *out, uint64_t first, uint64_t last, struct err *err)
{
	int code = OK;

	for (uint64_t height = first; code == OK && height <= last; height++) {
		struct rpc_block b = { 0 };

		code = rpc_item_charge(i, 1, err);
		if (code == OK)
			code = rpc_item_reader(i)->block(rpc_item_snapshot(i), height, &b, err);
		if (code != OK)
			break;
		form_hash(out, &b.hash);
		rpc_block_clear(&b);
		code = rpc_item_room(i, err);
	}
	return code;
}

static int tell_changes(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct poll_state *s = i->state;
	const struct rpc_poll *p = &s->poll;
	int code = OK;

	if (p->kind == RPC_POLL_LOGS)
		return call_logs_put(i, out, &p->logs, p->has_from ? MAX(p->first, p->from) : p->first,
				     p->has_to ? MIN(p->last, p->to) : p->last, err);
	jout_array(out);
	if (p->kind == RPC_POLL_BLOCKS)
		code = put_block_hashes(i, out, p->first, p->last, err);
	for (size_t k = 0; k < p->tx_count; k++)
		form_hash(out, &p->txs[k]);
	if (code == OK)
		jout_array_end(out);
	return code;
}

const struct rpc_errand errand_filter_changes = { ask_changes, tell_changes, release };

static int ask_filter(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	struct poll_state *s = i->state;

	return node->ops->poll_get(node->ctx, &s->id, false, &s->poll, err);
}

static void set_ref(struct rpc_block_ref *out, bool has, uint64_t height)
{
	*out = (struct rpc_block_ref){ .kind = has ? RPC_BLOCK_HEIGHT : RPC_BLOCK_NEWEST, .height = height };
}

static int tell_filter_logs(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct poll_state *s = i->state;
	struct rpc_filter f = { .logs = &s->poll.logs };
	uint64_t from, to;
	int code;

	if (s->poll.kind != RPC_POLL_LOGS)
		return ERR_SET(err, RPC_E_NOT_FOUND, "filter not found: this one is not for logs");
	set_ref(&f.from, s->poll.has_from, s->poll.from);
	set_ref(&f.to, s->poll.has_to, s->poll.to);
	code = call_logs_range(i, &f, &from, &to, err);
	return code == OK ? call_logs_put(i, out, f.logs, from, to, err) : code;
}

const struct rpc_errand errand_filter_logs = { ask_filter, tell_filter_logs, release };

static int ask_end(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	struct poll_state *s = i->state;

	s->was_there = node->ops->poll_end(node->ctx, &s->id);
	return OK;
}

static int tell_end(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct poll_state *s = i->state;

	jout_bool(out, s->was_there);
	return OK;
}

const struct rpc_errand errand_end_filter = { ask_end, tell_end, release };
