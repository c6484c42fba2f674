/* Sending, and what waits in the pool: the node's thread is asked. */
#include "rpc/calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "rpc/forms.h"

/* --- eth_sendRawTransaction: everything but the pool's own word is found out on
 * the worker --- */

/* What is wrong with a transaction is said in its module's words. */
static int rejected(struct err *err)
{
	return err->code = RPC_E_REJECTED;
}

int call_send_raw(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc *r = i->request->rpc;
	struct tx *t;

	if (tx_decode(&t, i->args->at[0].data, LIMIT_TX_SIZE, err) != OK)
		return rejected(err);
	/* It could be sent again on any other chain. Clients know this text from geth. */
	if (t->type == TX_LEGACY && !t->has_chain_id && !r->info->allows_unprotected) {
		tx_unref(t);
		return ERR_SET(err, RPC_E_REJECTED,
			       "only replay-protected (EIP-155) transactions allowed over RPC");
	}
	if (tx_check(t, r->info->params, err) != OK || tx_recover(r->ecc, t, err) != OK) {
		tx_unref(t);
		return rejected(err);
	}
	i->state = t;
	i->waits = true;
	return OK;
}

static int ask_submit(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	return node->ops->submit(node->ctx, i->state, err);
}

static int tell_sent(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct tx *t = i->state;

	form_hash(out, &t->hash);
	return OK;
}

static void release_tx(void *state)
{
	tx_unref(state);
}

const struct rpc_errand errand_send_raw = { ask_submit, tell_sent, release_tx };

/* --- txpool_status --- */

int call_pool_status(struct rpc_item *i, struct jout *out, struct err *err)
{
	i->state = xcalloc(1, sizeof(struct rpc_pool_stats));
	i->waits = true;
	return OK;
}

static int ask_stats(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	node->ops->pool_stats(node->ctx, i->state);
	return OK;
}

static int tell_status(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_pool_stats *stats = i->state;

	jout_object(out);
	form_key_quantity(out, "pending", stats->pending_count);
	form_key_quantity(out, "queued", stats->future_count);
	jout_object_end(out);
	return OK;
}

const struct rpc_errand errand_pool_status = { ask_stats, tell_status, free };

/* --- txpool_content, _contentFrom and _inspect: the node's thread gives references
 * only, and no more of them than a reply can hold --- */

#define POOL_TX_REPLY_SIZE_MIN 64 /* no transaction takes less of any of these replies */

struct pool_entry {
	struct tx *tx;
	bool is_pending;
};

struct pool_list {
	struct pool_entry *items;
	size_t count, capacity, max;
	const struct addr *only; /* this sender, or NULL: all */
	struct addr sender;
};

static int start_list(struct rpc_item *i, const struct addr *only)
{
	struct pool_list *list = xcalloc(1, sizeof(*list));

	list->max = i->request->rpc->limits.reply_size / POOL_TX_REPLY_SIZE_MIN;
	if (only) {
		list->sender = *only;
		list->only = &list->sender;
	}
	i->state = list;
	i->waits = true;
	return OK;
}

static void add_entry(void *arg, struct tx *t, bool pending)
{
	struct pool_list *list = arg;

	if (list->count == list->max || (list->only && !addr_equal(list->only, &t->sender)))
		return;
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : 64;
		list->items = xrealloc(list->items, list->capacity * sizeof(*list->items));
	}
	list->items[list->count++] = (struct pool_entry){ tx_ref(t), pending };
}

static int ask_each(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	node->ops->pool_each(node->ctx, add_entry, i->state);
	return OK;
}

static void release_list(void *state)
{
	struct pool_list *list = state;

	for (size_t k = 0; k < list->count; k++)
		tx_unref(list->items[k].tx);
	free(list->items);
	free(list);
}

typedef void (*put_entry_fn)(struct jout *out, const struct tx *t);

static void put_whole(struct jout *out, const struct tx *t)
{
	form_tx(out, t, NULL, 0);
}

static void put_summary(struct jout *out, const struct tx *t)
{
	char to[HEX_ADDR_SIZE], value[U256_DECIMAL_MAX + 1], price[U256_DECIMAL_MAX + 1];
	struct buf text = { 0 };

	buf_printf(&text, "%s: %s wei + %llu gas × %s wei",
		   t->is_create ? "contract creation" : form_checksummed(to, &t->to),
		   u256_to_decimal(value, &t->value.n), (unsigned long long)t->gas_limit,
		   u256_to_decimal(price, &t->max_fee.n));
	jout_string(out, buf_bytes(&text));
	buf_clear(&text);
}

/* The entries of one kind as members named by nonce, one object a sender unless
 * the list is of one sender only. pool_each() goes by sender. */
static int put_entries(struct rpc_item *i, struct jout *out, const char *key, bool is_pending,
		       put_entry_fn put, struct err *err)
{
	const struct pool_list *list = i->state;
	const struct addr *sender = NULL;
	char name[HEX_ADDR_SIZE];

	jout_key(out, key);
	jout_object(out);
	for (size_t k = 0; k < list->count; k++) {
		const struct tx *t = list->items[k].tx;

		if (list->items[k].is_pending != is_pending)
			continue;
		if (!list->only && (!sender || !addr_equal(sender, &t->sender))) {
			if (sender)
				jout_object_end(out);
			jout_key(out, form_checksummed(name, &t->sender));
			jout_object(out);
			sender = &t->sender;
		}
		snprintf(name, sizeof(name), "%llu", (unsigned long long)t->nonce);
		jout_key(out, name);
		put(out, t);
		if (rpc_item_room(i, err) != OK)
			return RPC_E_TOO_LARGE;
	}
	if (sender)
		jout_object_end(out);
	jout_object_end(out);
	return OK;
}

static int tell_list(struct rpc_item *i, struct jout *out, put_entry_fn put, struct err *err)
{
	int code;

	jout_object(out);
	code = put_entries(i, out, "pending", true, put, err);
	if (code == OK)
		code = put_entries(i, out, "queued", false, put, err);
	if (code == OK)
		jout_object_end(out);
	return code;
}

int call_pool_content(struct rpc_item *i, struct jout *out, struct err *err)
{
	return start_list(i, NULL);
}

int call_pool_content_from(struct rpc_item *i, struct jout *out, struct err *err)
{
	return start_list(i, &i->args->at[0].address);
}

static int tell_content(struct rpc_item *i, struct jout *out, struct err *err)
{
	return tell_list(i, out, put_whole, err);
}

static int tell_summaries(struct rpc_item *i, struct jout *out, struct err *err)
{
	return tell_list(i, out, put_summary, err);
}

const struct rpc_errand errand_pool_content = { ask_each, tell_content, release_list };
const struct rpc_errand errand_pool_inspect = { ask_each, tell_summaries, release_list };
