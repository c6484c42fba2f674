/* Blocks, transactions and receipts. What is not there is null, never an error. */
#include "rpc/calls.h"

#include <stdlib.h>

#include "base/check.h"
#include "chain/receipt.h"
#include "rpc/forms.h"

/* Reading a block's transactions: this many for a unit of cost. */
#define TXS_A_COST 8

typedef void (*put_tx_fn)(struct jout *out, const struct rpc_tx *t, const struct form_place *place);

/* An array of a block's transactions, each written by `put`. */
struct tx_walk {
	struct rpc_item *item;
	struct jout *out;
	struct form_place place;
	put_tx_fn put;
};

static int put_next(void *arg, const struct rpc_tx *t, struct err *err)
{
	struct tx_walk *w = arg;

	w->put(w->out, t, &w->place);
	return rpc_item_room(w->item, err);
}

static int put_txs(struct rpc_item *i, struct jout *out, const struct rpc_block *b, put_tx_fn put,
		   struct err *err)
{
	struct tx_walk w = { .item = i, .out = out, .place = form_place_of(b), .put = put };
	int code = rpc_item_charge(i, b->tx_count / TXS_A_COST, err);

	if (code != OK)
		return code;
	jout_array(out);
	code = rpc_item_reader(i)->each_tx(rpc_item_snapshot(i), b->header.height, put_next, &w,
					   err);
	if (code == OK)
		jout_array_end(out);
	return code;
}

static void put_tx(struct jout *out, const struct rpc_tx *t, const struct form_place *place)
{
	form_tx(out, t->tx, place, t->index);
}

static void put_hash(struct jout *out, const struct rpc_tx *t, const struct form_place *place)
{
	form_hash(out, &t->tx->hash);
}

static void put_raw_receipt(struct jout *out, const struct rpc_tx *t,
			    const struct form_place *place)
{
	struct buf raw = { 0 };

	receipt_encode(&raw, &t->receipt);
	jout_data(out, buf_bytes(&raw));
	buf_clear(&raw);
}

/* --- blocks --- */

/* Writes something of the block that the first parameter names, or null. */
static int with_block(struct rpc_item *i, struct jout *out, struct err *err,
		      int (*put)(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
				 struct err *err))
{
	struct rpc_block b = { 0 };
	bool found;
	int code = rpc_item_block(i, &i->args->at[0].block, &b, &found, err);

	if (code == OK && found)
		code = put(i, out, &b, err);
	else if (code == OK)
		jout_null(out);
	rpc_block_clear(&b);
	return code;
}

static int put_block(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
		     struct err *err)
{
	int code;

	form_block_head(out, b);
	code = put_txs(i, out, b, i->args->at[1].flag ? put_tx : put_hash, err);
	if (code == OK)
		form_block_tail(out, b);
	return code;
}

int call_get_block(struct rpc_item *i, struct jout *out, struct err *err)
{
	return with_block(i, out, err, put_block);
}

static int put_tx_count(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
			struct err *err)
{
	jout_quantity(out, b->tx_count);
	return OK;
}

int call_get_tx_count(struct rpc_item *i, struct jout *out, struct err *err)
{
	return with_block(i, out, err, put_tx_count);
}

static int put_zero(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
		    struct err *err)
{
	jout_quantity(out, 0);
	return OK;
}

int call_get_uncle_count(struct rpc_item *i, struct jout *out, struct err *err)
{
	return with_block(i, out, err, put_zero);
}

int call_get_uncle(struct rpc_item *i, struct jout *out, struct err *err)
{
	jout_null(out);
	return OK;
}

static int put_receipts(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
			struct err *err)
{
	return put_txs(i, out, b, form_receipt, err);
}

int call_get_block_receipts(struct rpc_item *i, struct jout *out, struct err *err)
{
	return with_block(i, out, err, put_receipts);
}

/* --- raw bytes --- */

static int put_raw_header(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
			  struct err *err)
{
	struct buf *raw = &i->request->scratch;

	header_encode(raw, &b->header);
	jout_data(out, buf_bytes(raw));
	return OK;
}

int call_get_raw_header(struct rpc_item *i, struct jout *out, struct err *err)
{
	return with_block(i, out, err, put_raw_header);
}

static int collect_tx(void *arg, const struct rpc_tx *t, struct err *err)
{
	struct block *b = arg;

	b->txs[b->tx_count++] = tx_ref(t->tx);
	return OK;
}

static int put_raw_block(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
			 struct err *err)
{
	struct block whole = { .header = b->header, .withdrawals = b->withdrawals,
			       .withdrawal_count = b->withdrawal_count };
	struct buf *raw = &i->request->scratch;
	int code = rpc_item_charge(i, b->tx_count / TXS_A_COST, err);

	if (code != OK)
		return code;
	whole.txs = xcalloc(b->tx_count, sizeof(*whole.txs));
	code = rpc_item_reader(i)->each_tx(rpc_item_snapshot(i), b->header.height, collect_tx,
					   &whole, err);
	if (code == OK) {
		block_encode(raw, &whole);
		jout_data(out, buf_bytes(raw));
	}
	whole.withdrawals = NULL; /* the caller's */
	block_clear(&whole);
	return code;
}

int call_get_raw_block(struct rpc_item *i, struct jout *out, struct err *err)
{
	return with_block(i, out, err, put_raw_block);
}

static int put_raw_receipts(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
			    struct err *err)
{
	return put_txs(i, out, b, put_raw_receipt, err);
}

int call_get_raw_receipts(struct rpc_item *i, struct jout *out, struct err *err)
{
	return with_block(i, out, err, put_raw_receipts);
}

/* --- one transaction --- */

/* Writes a mined transaction; *found is false, and nothing written, if none has
 * the hash. */
static int put_mined(struct rpc_item *i, struct jout *out, const struct hash *hash, put_tx_fn put,
		     bool *found, struct err *err)
{
	const struct rpc_reader_ops *reader = rpc_item_reader(i);
	void *snapshot = rpc_item_snapshot(i);
	struct form_place place;
	struct rpc_block b = { 0 };
	struct rpc_tx t = { 0 };
	uint64_t height;
	uint32_t index;
	int code = reader->find_tx(snapshot, hash, &height, &index, err);

	*found = code == OK;
	if (code != OK)
		return code == RPC_E_NOT_FOUND ? OK : code;
	code = reader->block(snapshot, height, &b, err);
	if (code == OK)
		code = reader->tx(snapshot, height, index, &t, err);
	if (code == OK) {
		place = form_place_of(&b);
		put(out, &t, &place);
	}
	rpc_block_clear(&b);
	rpc_tx_clear(&t);
	return code;
}

int call_get_receipt(struct rpc_item *i, struct jout *out, struct err *err)
{
	bool found;
	int code = put_mined(i, out, &i->args->at[0].hash, form_receipt, &found, err);

	if (code == OK && !found)
		jout_null(out);
	return code;
}

static int put_indexed(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
		       struct err *err)
{
	struct form_place place = form_place_of(b);
	uint64_t index = i->args->at[1].quantity;
	struct rpc_tx t = { 0 };
	int code;

	if (index >= b->tx_count) {
		jout_null(out);
		return OK;
	}
	code = rpc_item_reader(i)->tx(rpc_item_snapshot(i), b->header.height, (uint32_t)index, &t,
				      err);
	if (code == OK)
		form_tx(out, t.tx, &place, t.index);
	rpc_tx_clear(&t);
	return code;
}

int call_get_tx_by_index(struct rpc_item *i, struct jout *out, struct err *err)
{
	return with_block(i, out, err, put_indexed);
}

/* --- a transaction that may still wait: first in the snapshot, then in the pool,
 * then in a newer snapshot, since it may have been mined in between --- */

struct lookup {
	struct hash hash;
	struct tx *tx; /* a waiting one */
};

static void put_raw(struct jout *out, const struct rpc_tx *t, const struct form_place *place)
{
	jout_data(out, t->tx->raw);
}

static int look_up(struct rpc_item *i, struct jout *out, put_tx_fn put, struct err *err)
{
	struct lookup *l;
	bool found;
	int code = put_mined(i, out, &i->args->at[0].hash, put, &found, err);

	if (code != OK || found)
		return code;
	i->state = l = xcalloc(1, sizeof(*l));
	l->hash = i->args->at[0].hash;
	i->waits = true;
	return OK;
}

static int ask_pool(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	struct lookup *l = i->state;

	l->tx = node->ops->pool_get(node->ctx, &l->hash);
	return OK;
}

static int tell_lookup(struct rpc_item *i, struct jout *out, put_tx_fn put, struct err *err)
{
	struct lookup *l = i->state;
	struct rpc_tx waiting = { .tx = l->tx };
	bool found = true;
	int code = OK;

	if (l->tx)
		put(out, &waiting, NULL);
	else
		code = put_mined(i, out, &l->hash, put, &found, err);
	if (!found)
		jout_null(out);
	return code;
}

static void release_lookup(void *state)
{
	struct lookup *l = state;

	tx_unref(l->tx);
	free(l);
}

int call_get_tx(struct rpc_item *i, struct jout *out, struct err *err)
{
	return look_up(i, out, put_tx, err);
}

static int tell_tx(struct rpc_item *i, struct jout *out, struct err *err)
{
	return tell_lookup(i, out, put_tx, err);
}

const struct rpc_errand errand_get_tx = { ask_pool, tell_tx, release_lookup };

int call_get_raw_tx(struct rpc_item *i, struct jout *out, struct err *err)
{
	return look_up(i, out, put_raw, err);
}

static int tell_raw_tx(struct rpc_item *i, struct jout *out, struct err *err)
{
	return tell_lookup(i, out, put_raw, err);
}

const struct rpc_errand errand_get_raw_tx = { ask_pool, tell_raw_tx, release_lookup };
