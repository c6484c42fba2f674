/* What a transaction should pay, from what blocks were paid. */
#include "rpc/calls.h"

#include <stdlib.h>

#include "base/check.h"
#include "rpc/forms.h"

#define FEE_HISTORY_MAX 1024 /* blocks, as geth */
#define TXS_A_COST 8         /* transactions read for a unit of cost */

/* --- the tip that gets a transaction into the next block --- */

/* While blocks have room any tip does, and this one is suggested: no more than
 * the least base fee, so that a chain without fees stays one. */
#define TIP_DEFAULT WEI_PER_GWEI
#define TIP_MAX (500 * WEI_PER_GWEI)
#define TIP_SAMPLE_COUNT 32
#define TIP_PERCENTILE 60

static int compare_wei(const void *a, const void *b)
{
	const struct wei *x = a, *y = b;

	return wei_compare(*x, *y);
}

/* What a transaction paid to the proposer, per gas. */
static struct wei tip_of(const struct tx *t, struct wei base_fee)
{
	struct wei price, tip = wei_of(0);

	if (tx_effective_price(t, base_fee, &price))
		wei_sub(&tip, price, base_fee);
	return tip;
}

static bool is_crowded(const struct chain_params *params, const struct rpc_block *b)
{
	return b->header.gas_used > b->header.gas_limit / 4 * 3 ||
	       b->tx_count > params->block_tx_count_max / 4 * 3;
}

/* A percentile of the tips in a block, from transactions spread evenly over it. */
static int sample_tip(struct rpc_item *i, const struct rpc_block *b, struct wei *out,
		      struct err *err)
{
	const struct rpc_reader_ops *reader = rpc_item_reader(i);
	size_t count = MIN(b->tx_count, TIP_SAMPLE_COUNT);
	struct wei tips[TIP_SAMPLE_COUNT];

	for (size_t k = 0; k < count; k++) {
		uint32_t index = (uint32_t)(k * b->tx_count / count);
		struct rpc_tx t = { 0 };
		int code = reader->tx(rpc_item_snapshot(i), b->header.height, index, &t, err);

		if (code != OK)
			return code;
		tips[k] = tip_of(t.tx, b->header.base_fee);
		rpc_tx_clear(&t);
	}
	qsort(tips, count, sizeof(*tips), compare_wei);
	*out = tips[(count - 1) * TIP_PERCENTILE / 100];
	return OK;
}

static int suggest_tip(struct rpc_item *i, struct wei *out, struct err *err)
{
	const struct rpc_reader_ops *reader = rpc_item_reader(i);
	const struct chain_params *params = rpc_item_info(i)->params;
	struct wei sampled, least = wei_of(TIP_DEFAULT);
	struct rpc_block newest = { 0 };
	int code = reader->block(rpc_item_snapshot(i), reader->height(rpc_item_snapshot(i)),
				 &newest, err);

	if (wei_compare(params->base_fee_floor, least) < 0)
		least = params->base_fee_floor;
	*out = least;
	if (code == OK && newest.tx_count && is_crowded(params, &newest)) {
		code = sample_tip(i, &newest, &sampled, err);
		if (code == OK && wei_compare(sampled, least) > 0)
			*out = sampled;
		if (wei_compare(*out, wei_of(TIP_MAX)) > 0)
			*out = wei_of(TIP_MAX);
	}
	rpc_block_clear(&newest);
	return code;
}

int call_max_priority_fee(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct wei tip;
	int code = suggest_tip(i, &tip, err);

	if (code == OK)
		form_wei(out, tip);
	return code;
}

int call_gas_price(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct wei tip, base_fee, price;
	int code = suggest_tip(i, &tip, err);

	if (code == OK)
		code = rpc_item_reader(i)->next_base_fee(rpc_item_snapshot(i), &base_fee, err);
	if (code != OK)
		return code;
	if (wei_add(&price, base_fee, tip))
		price = base_fee;
	form_wei(out, price);
	return OK;
}

int call_blob_base_fee(struct rpc_item *i, struct jout *out, struct err *err)
{
	jout_quantity(out, 1); /* EIP-4844's least; nothing takes blobs here */
	return OK;
}

/* --- eth_feeHistory --- */

struct paid {
	struct wei tip;
	uint64_t gas;
};

struct past_block {
	struct wei base_fee;
	double gas_used_ratio;
	struct wei *rewards; /* one a percentile; NULL if none was asked for */
};

/* Newest first, since older blocks are left out when the cost is spent. */
struct history {
	struct past_block *blocks;
	size_t count;
	const double *percentiles;
	size_t percentile_count;
	uint64_t newest;
	struct wei next_base_fee;
};

struct paid_list {
	struct paid *items;
	size_t count, capacity;
	struct wei base_fee;
};

static int collect_paid(void *arg, const struct rpc_tx *t, struct err *err)
{
	struct paid_list *list = arg;

	CHECK(list->count < list->capacity);
	list->items[list->count++] = (struct paid){ tip_of(t->tx, list->base_fee),
						    t->receipt.gas_used };
	return OK;
}

static int compare_paid(const void *a, const void *b)
{
	const struct paid *x = a, *y = b;

	return wei_compare(x->tip, y->tip);
}

/* The tips at which so many percent of the block's gas paid no more. */
static void find_rewards(const struct history *h, const struct rpc_block *b,
			 struct paid_list *list, struct wei *out)
{
	uint64_t sum;
	size_t at = 0;

	if (list->count == 0)
		return;
	qsort(list->items, list->count, sizeof(*list->items), compare_paid);
	sum = list->items[0].gas;
	for (size_t k = 0; k < h->percentile_count; k++) {
		double threshold = (double)b->header.gas_used * h->percentiles[k] / 100;

		while ((double)sum < threshold && at < list->count - 1)
			sum += list->items[++at].gas;
		out[k] = list->items[at].tip;
	}
}

static int read_rewards(struct rpc_item *i, const struct history *h, const struct rpc_block *b,
			struct past_block *out, struct err *err)
{
	struct paid_list list = { .base_fee = b->header.base_fee, .capacity = b->tx_count };
	int code;

	out->rewards = xcalloc(h->percentile_count, sizeof(*out->rewards));
	list.items = xcalloc(b->tx_count, sizeof(*list.items));
	code = rpc_item_reader(i)->each_tx(rpc_item_snapshot(i), b->header.height, collect_paid,
					   &list, err);
	if (code == OK)
		find_rewards(h, b, &list, out->rewards);
	free(list.items);
	return code;
}

/* Reads block newest - count and adds it. *is_spent: its cost was too much. */
static int add_block(struct rpc_item *i, struct history *h, bool *is_spent, struct err *err)
{
	struct past_block *out = &h->blocks[h->count];
	struct rpc_block b = { 0 };
	int code = rpc_item_reader(i)->block(rpc_item_snapshot(i), h->newest - h->count, &b, err);

	if (code == OK) {
		uint64_t cost = 1 + (h->percentile_count ? b.tx_count / TXS_A_COST : 0);

		out->base_fee = b.header.base_fee;
		if (b.header.gas_limit)
			out->gas_used_ratio =
				(double)b.header.gas_used / (double)b.header.gas_limit;
		*is_spent = rpc_item_charge(i, cost, err) != OK;
		if (!*is_spent && h->percentile_count)
			code = read_rewards(i, h, &b, out, err);
		if (!*is_spent)
			h->count++;
	}
	rpc_block_clear(&b);
	return code;
}

/* The base fee behind the newest block of the history. */
static int read_next_base_fee(struct rpc_item *i, struct history *h, struct err *err)
{
	const struct rpc_reader_ops *reader = rpc_item_reader(i);
	void *snapshot = rpc_item_snapshot(i);
	struct rpc_block b = { 0 };
	int code;

	if (h->newest == reader->height(snapshot))
		return reader->next_base_fee(snapshot, &h->next_base_fee, err);
	code = reader->block(snapshot, h->newest + 1, &b, err);
	h->next_base_fee = b.header.base_fee;
	rpc_block_clear(&b);
	return code;
}

static void put_rewards(struct jout *out, const struct history *h)
{
	if (!h->percentile_count)
		return;
	jout_key(out, "reward");
	jout_array(out);
	for (size_t k = h->count; k-- > 0;) {
		jout_array(out);
		for (size_t n = 0; n < h->percentile_count; n++)
			form_wei(out, h->blocks[k].rewards[n]);
		jout_array_end(out);
	}
	jout_array_end(out);
}

static void put_history(struct jout *out, const struct history *h)
{
	jout_object(out);
	form_key_quantity(out, "oldestBlock", h->count ? h->newest - (h->count - 1) : 0);
	put_rewards(out, h);
	jout_key(out, "baseFeePerGas");
	jout_array(out);
	for (size_t k = h->count; k-- > 0;)
		form_wei(out, h->blocks[k].base_fee);
	if (h->count)
		form_wei(out, h->next_base_fee);
	jout_array_end(out);
	jout_key(out, "gasUsedRatio");
	jout_array(out);
	for (size_t k = h->count; k-- > 0;)
		jout_real(out, h->blocks[k].gas_used_ratio);
	jout_array_end(out);
	jout_key(out, "baseFeePerBlobGas");
	jout_array(out);
	for (size_t k = 0; h->count && k <= h->count; k++)
		jout_quantity(out, 1);
	jout_array_end(out);
	jout_key(out, "blobGasUsedRatio");
	jout_array(out);
	for (size_t k = 0; k < h->count; k++)
		jout_integer(out, 0);
	jout_array_end(out);
	jout_object_end(out);
}

static int read_history(struct rpc_item *i, struct history *h, size_t count, struct err *err)
{
	bool is_spent = false;
	int code = OK;

	h->blocks = xcalloc(count, sizeof(*h->blocks));
	while (code == OK && !is_spent && h->count < count)
		code = add_block(i, h, &is_spent, err);
	if (code == OK && count && !h->count)
		return err->code; /* not even one */
	if (code == OK && h->count)
		code = read_next_base_fee(i, h, err);
	return code;
}

int call_fee_history(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_arg *percentiles = &i->args->at[2];
	struct history h = { 0 };
	uint64_t count = MIN(i->args->at[0].quantity, FEE_HISTORY_MAX);
	int code;

	if (percentiles->is_present) {
		h.percentiles = percentiles->percentiles.items;
		h.percentile_count = percentiles->percentiles.count;
	}
	code = rpc_item_height(i, &i->args->at[1].block, &h.newest, err);
	if (code != OK)
		return code;
	if (count > h.newest)
		count = h.newest + 1;
	code = read_history(i, &h, (size_t)count, err);
	if (code == OK)
		put_history(out, &h);
	for (size_t k = 0; h.blocks && k < count; k++)
		free(h.blocks[k].rewards);
	free(h.blocks);
	return code;
}
