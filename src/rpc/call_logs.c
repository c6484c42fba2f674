/* Logs that somebody looks for. */
#include "rpc/calls.h"

#include <stdio.h>

#include "base/check.h"
#include "rpc/forms.h"

/* --- which blocks --- */

static int resolve(struct rpc_item *i, const struct rpc_block_ref *ref, const char *name, uint64_t *out,
		   struct err *err)
{
	uint64_t newest = rpc_item_reader(i)->height(rpc_item_snapshot(i));

	/* It is state of no block that is asked for here: out of range is a wrong parameter, and
	 * nothing is left out silently (execution-apis, eth_getLogs). */
	if (ref->kind == RPC_BLOCK_HEIGHT && ref->height > newest)
		return ERR_SET(err, RPC_E_PARAMS,
			       "block range extends beyond current head block: %s is %llu, the newest is %llu", name,
			       (unsigned long long)ref->height, (unsigned long long)newest);
	return rpc_item_height(i, ref, out, err);
}

int call_logs_range(struct rpc_item *i, const struct rpc_filter *f, uint64_t *from, uint64_t *to, struct err *err)
{
	int code = resolve(i, &f->from, "fromBlock", from, err);

	if (code == OK)
		code = resolve(i, &f->to, "toBlock", to, err);
	if (code != OK)
		return code;
	if (*from > *to)
		return ERR_SET(err, RPC_E_PARAMS, "invalid block range params: fromBlock %llu is after toBlock %llu",
			       (unsigned long long)*from, (unsigned long long)*to);
	return OK;
}

/* --- the search --- */

struct log_walk {
	struct rpc_item *item;
	struct jout *out;
	const struct log_filter *filter;
	uint64_t from;
	bool has_place;
	struct form_place place; /* of the block last found */
	size_t count;
	uint64_t us;             /* not charged yet */
};

/* More is there than may be given; all of the blocks below `height` would do. Clients
 * look for this text, and some take the range out of it. */
static int too_many(const struct log_walk *w, uint64_t height, const char *what, struct err *err)
{
	if (height <= w->from)
		return ERR_SET(err, RPC_E_LIMIT, "query %s, in block 0x%llx alone: name addresses or topics", what,
			       (unsigned long long)w->from);
	return ERR_SET(err, RPC_E_LIMIT, "query %s. Try with this block range [0x%llx, 0x%llx].", what,
		       (unsigned long long)w->from, (unsigned long long)height - 1);
}

#define US_A_COST 10

static int charge(void *arg, uint64_t height, uint64_t us, struct err *err)
{
	struct log_walk *w = arg;
	uint64_t cost = (w->us + us) / US_A_COST;

	w->us = (w->us + us) % US_A_COST;
	if (rpc_item_charge(w->item, cost, err) == OK)
		return OK;
	return too_many(w, height, "costs more than one request may", err);
}

static int find_place(struct log_walk *w, uint64_t height, struct err *err)
{
	struct rpc_block b = { 0 };
	int code = OK;

	if (w->has_place && w->place.height == height)
		return OK;
	code = rpc_item_reader(w->item)->block(rpc_item_snapshot(w->item), height, &b, err);
	if (code != OK)
		return code;
	w->place = form_place_of(&b);
	w->has_place = true;
	rpc_block_clear(&b);
	return charge(w, height, US_A_COST, err);
}

static int put_logs(void *arg, const struct rpc_tx *t, struct err *err)
{
	struct log_walk *w = arg;
	const struct rpc_limits *limits = &w->item->request->rpc->limits;
	char what[64];
	int code = find_place(w, t->height, err);

	for (size_t k = 0; code == OK && k < t->receipt.log_count; k++) {
		if (!log_filter_matches(w->filter, &t->receipt.logs[k]))
			continue;
		if (w->count++ == limits->log_count) {
			snprintf(what, sizeof(what), "returned more than %zu results", limits->log_count);
			return too_many(w, t->height, what, err);
		}
		form_log(w->out, t, &w->place, k);
		if (w->item->request->replies.size > limits->reply_size) {
			snprintf(what, sizeof(what), "returned more than %zu bytes", limits->reply_size);
			return too_many(w, t->height, what, err);
		}
	}
	return code;
}

/* Without a term every block is read. */
static int check_scan(const struct rpc_item *i, const struct log_filter *f, uint64_t from, uint64_t to,
		      struct err *err)
{
	uint64_t max = i->request->rpc->limits.log_block_count;

	if (from > to || to - from < max || log_filter_term_count(f) > 0)
		return OK;
	return ERR_SET(err, RPC_E_LIMIT,
		       "query exceeds max block range %llu, which holds without address and topics: name some. "
		       "Or try with this block range [0x%llx, 0x%llx].",
		       (unsigned long long)max, (unsigned long long)from, (unsigned long long)(from + max - 1));
}

int call_logs_put(struct rpc_item *i, struct jout *out, const struct log_filter *f, uint64_t from, uint64_t to,
		  struct err *err)
{
	struct log_walk w = { .item = i, .out = out, .filter = f, .from = from };
	const struct rpc_log_query q = {
		.filter = f, .from = from, .to = to, .fn = put_logs, .charge = charge, .arg = &w,
	};
	int code = check_scan(i, f, from, to, err);

	if (code != OK)
		return code;
	jout_array(out);
	if (from <= to)
		code = rpc_item_reader(i)->logs(rpc_item_snapshot(i), &q, err);
	if (code == OK)
		jout_array_end(out);
	return code;
}

int call_get_logs(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_filter *f = &i->args->at[0].filter;
	uint64_t from, to;
	int code = call_logs_range(i, f, &from, &to, err);

	return code == OK ? call_logs_put(i, out, f->logs, from, to, err) : code;
}
