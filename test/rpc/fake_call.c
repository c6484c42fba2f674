/* What a call carries, as text: one word a member, in the order of struct rpc_call. */
#include "base/u256.h"
#include "codec/hex.h"
#include "fake.h"

static void put_data(struct buf *out, const char *name, struct bytes data)
{
	char text[2 * 64 + 3];

	if (data.size <= 64)
		buf_printf(out, " %s=%s", name, hex_data(text, data));
	else
		buf_printf(out, " %s=%zu bytes", name, data.size);
}

static void put_wei(struct buf *out, const char *name, struct wei v)
{
	char text[U256_DECIMAL_MAX + 1];

	buf_printf(out, " %s=%s", name, u256_to_decimal(text, &v.n));
}

static void put_slot(struct buf *out, const struct override_slot *s)
{
	char text[U256_DECIMAL_MAX + 1];
	struct u256 key = u256_from_be(hash_bytes(&s->slot));

	buf_printf(out, " [%s]", u256_to_decimal(text, &key));
	buf_printf(out, "=%s", u256_to_decimal(text, &s->value));
}

static void put_account(struct buf *out, const struct account_override *a)
{
	put_data(out, "account", addr_bytes(&a->address));
	if (a->has_balance)
		put_wei(out, "balance", a->balance);
	if (a->has_nonce)
		buf_printf(out, " nonce=%llu", (unsigned long long)a->nonce);
	if (a->has_code)
		put_data(out, "code", a->code);
	if (a->has_state)
		buf_printf(out, " state");
	for (size_t i = 0; i < a->slot_count; i++)
		put_slot(out, &a->slots[i]);
	if (a->moves)
		put_data(out, "move", addr_bytes(&a->move_to));
}

static void put_block(struct buf *out, const struct block_override *b)
{
	if (b->has_height)
		buf_printf(out, " number=%llu", (unsigned long long)b->height);
	if (b->has_time)
		buf_printf(out, " time=%llu", (unsigned long long)b->time);
	if (b->has_gas_limit)
		buf_printf(out, " gasLimit=%llu", (unsigned long long)b->gas_limit);
	if (b->has_coinbase)
		put_data(out, "coinbase", addr_bytes(&b->coinbase));
	if (b->has_prev_randao)
		put_data(out, "prevRandao", hash_bytes(&b->prev_randao));
	if (b->has_base_fee)
		put_wei(out, "baseFee", b->base_fee);
	if (b->has_blob_base_fee)
		put_wei(out, "blobBaseFee", b->blob_base_fee);
}

void fake_describe(struct buf *out, const struct rpc_call *c)
{
	struct bytes rest = c->authorizations;
	struct authorization a;

	if (c->has_fee)
		put_wei(out, "fee", c->max_fee);
	if (!u256_is_zero(&c->max_tip.n))
		put_wei(out, "tip", c->max_tip);
	while (tx_authorization_next(&rest, &a)) {
		put_data(out, "authorization", addr_bytes(&a.address));
		buf_printf(out, " nonce=%llu", (unsigned long long)a.nonce);
		put_wei(out, "chain", (struct wei){ a.chain_id });
		put_wei(out, "parity", (struct wei){ a.y_parity });
		put_wei(out, "r", (struct wei){ a.r });
		put_wei(out, "s", (struct wei){ a.s });
	}
	for (size_t i = 0; i < c->state.count; i++)
		put_account(out, &c->state.accounts[i]);
	if (c->block)
		put_block(out, c->block);
}
