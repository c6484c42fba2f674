/* Transfers, one a second, sent to any node and sent again until they are final. */
#include <stdlib.h>

#include "base/check.h"
#include "sim/internal.h"

#define TURN_US SECOND_US
#define RESEND_US (3 * SECOND_US)

static void fund(struct sim *sim, const struct addr *address)
{
	struct wei coins = wei_of(1000000 * WEI_PER_GWEI);

	wei_mul_gas(&coins, coins, WEI_PER_GWEI);
	genesis_fund(&sim->genesis, address, coins);
}

void client_init(struct sim *sim)
{
	struct client *c = &sim->client;
	struct public_key public;

	rng_init(&c->rng, rng_next(&sim->rng));
	for (size_t i = 0; i < CLIENT_ACCOUNT_COUNT; i++) {
		c->keys[i] = (struct secret_key){ { [30] = 1, [31] = (uint8_t)i } };
		CHECK(ecc_public_key(sim->ecc, &public, &c->keys[i], NULL) == OK);
		ecc_address(&c->addresses[i], &public);
		fund(sim, &c->addresses[i]);
	}
	heap_push(&sim->heap, SECOND_US / 2, ENTRY_CLIENT, 0, 0, NULL);
}

void client_clear(struct sim *sim)
{
	for (size_t i = 0; i < sim->client.count; i++)
		tx_unref(sim->client.transfers[i].tx);
	free(sim->client.transfers);
}

/* Through any node that is up, as a wallet would; what is refused is tried again. */
static void submit(struct sim *sim, struct transfer *t)
{
	size_t first = draw(&sim->client.rng, 0, sim->site_count - 1);

	t->resent_us = sim->now_us;
	for (size_t i = 0; i < sim->site_count; i++) {
		struct site *s = &sim->sites[(first + i) % sim->site_count];
		struct rpc_node_backend node;

		if (s->state != SITE_UP || s->paused_until_us > sim->now_us || s->is_liar)
			continue;
		node = node_rpc_backend(s->node);
		node.ops->submit(node.ctx, t->tx, NULL);
		site_turn_end(s);
		return;
	}
}

static void make_transfer(struct sim *sim)
{
	struct client *c = &sim->client;
	size_t from = draw(&c->rng, 0, CLIENT_ACCOUNT_COUNT - 1);
	struct tx fields = {
		.type = TX_DYNAMIC_FEE, .has_chain_id = true, .chain_id = CHAIN_ID, .nonce = c->nonces[from]++,
		.gas_limit = 21000, .max_fee = wei_of(100 * WEI_PER_GWEI),
		.max_priority_fee = wei_of(draw(&c->rng, 0, 2 * WEI_PER_GWEI)),
		.value = wei_of(draw(&c->rng, 0, WEI_PER_GWEI)),
	};
	struct transfer *t;

	if (draw_is(&c->rng, 500))
		fields.to = c->addresses[draw(&c->rng, 0, CLIENT_ACCOUNT_COUNT - 1)];
	else
		store_be64(fields.to.bytes, 0xee00000000000000ull | draw(&c->rng, 0, 7));
	if (c->count == c->capacity) {
		c->capacity = MAX(2 * c->capacity, (size_t)128);
		c->transfers = xrealloc(c->transfers, c->capacity * sizeof(c->transfers[0]));
	}
	t = &c->transfers[c->count++];
	*t = (struct transfer){ .sent_us = sim->now_us };
	CHECK(tx_sign(&t->tx, sim->ecc, &fields, &c->keys[from], NULL) == OK);
	CHECK(tx_recover(sim->ecc, t->tx, NULL) == OK);
	oracle_sent(sim->oracle, t->tx, c->count - 1);
	submit(sim, t);
}

void client_final(struct sim *sim, size_t index)
{
	if (!sim->client.transfers[index].is_final)
		sim->client.final_count++;
	sim->client.transfers[index].is_final = true;
}

void client_turn(struct sim *sim)
{
	struct client *c = &sim->client;

	for (size_t i = 0; i < c->count && !sim->is_over; i++)
		if (!c->transfers[i].is_final && sim->now_us >= c->transfers[i].resent_us + RESEND_US)
			submit(sim, &c->transfers[i]);
	if (!sim->is_quiet)
		make_transfer(sim);
	heap_push(&sim->heap, sim->now_us + TURN_US, ENTRY_CLIENT, 0, 0, NULL);
}
