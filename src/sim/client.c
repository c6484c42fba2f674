/* Transfers, one a second and sometimes many, sent to any node and sent again until they are final. */
#include <stdlib.h>

#include "base/check.h"
#include "sim/internal.h"

#define TURN_US SECOND_US
#define RESEND_US (3 * SECOND_US)
#define BURST_OF_1000 60 /* of seconds */

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
	for (size_t i = 0; i < sim->validator_count + sim->observer_count; i++)
		fund(sim, &sim->sites[i].address);
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

static void send_new(struct sim *sim, const struct tx *fields, const struct secret_key *key, bool is_vote)
{
	struct client *c = &sim->client;
	struct transfer *t;

	if (c->count == c->capacity) {
		c->capacity = MAX(2 * c->capacity, (size_t)128);
		c->transfers = xrealloc(c->transfers, c->capacity * sizeof(c->transfers[0]));
	}
	t = &c->transfers[c->count++];
	*t = (struct transfer){ .sent_us = sim->now_us, .is_vote = is_vote };
	CHECK(tx_sign(&t->tx, sim->ecc, fields, key, NULL) == OK);
	CHECK(tx_recover(sim->ecc, t->tx, NULL) == OK);
	oracle_sent(sim->oracle, sim, t->tx, c->count - 1);
	c->open_vote_count += is_vote;
	submit(sim, t);
}

static struct tx fields_of(struct client *c, uint64_t *nonce, uint64_t gas)
{
	return (struct tx){
		.type = TX_DYNAMIC_FEE, .has_chain_id = true, .chain_id = CHAIN_ID, .nonce = (*nonce)++,
		.gas_limit = gas, .max_fee = wei_of(100 * WEI_PER_GWEI),
		.max_priority_fee = wei_of(draw(&c->rng, 0, 2 * WEI_PER_GWEI)),
	};
}

static void make_transfer(struct sim *sim)
{
	struct client *c = &sim->client;
	size_t from = draw(&c->rng, 0, CLIENT_ACCOUNT_COUNT - 1);
	struct tx fields = fields_of(c, &c->nonces[from], 21000);

	fields.value = wei_of(draw(&c->rng, 0, WEI_PER_GWEI));
	if (draw_is(&c->rng, 500))
		fields.to = c->addresses[draw(&c->rng, 0, CLIENT_ACCOUNT_COUNT - 1)];
	else
		store_be64(fields.to.bytes, 0xee00000000000000ull | draw(&c->rng, 0, 7));
	send_new(sim, &fields, &c->keys[from], false);
}

/* vote(address,uint256) of the validators' contract. */
void client_vote(struct sim *sim, size_t voter, size_t subject, uint64_t weight)
{
	struct client *c = &sim->client;
	struct tx fields = fields_of(c, &c->vote_nonces[voter], 3000000);
	uint8_t data[68] = { 0x5f, 0x74, 0xbb, 0xde };

	memcpy(data + 16, sim->sites[subject].address.bytes, 20);
	store_be64(data + 60, weight);
	fields.data = bytes_of(data, sizeof(data));
	memcpy(fields.to.bytes + 17, (const uint8_t[]){ 0x57, 0x45, 0x01 }, 3);
	send_new(sim, &fields, &sim->sites[voter].key, true);
}

void client_final(struct sim *sim, size_t index)
{
	struct transfer *t = &sim->client.transfers[index];

	CHECK(!t->is_final);
	t->is_final = true;
	sim->client.final_count++;
	sim->client.open_vote_count -= t->is_vote;
}

void client_turn(struct sim *sim)
{
	struct client *c = &sim->client;

	for (size_t i = 0; i < c->count && !sim->is_over; i++)
		if (!c->transfers[i].is_final && sim->now_us >= c->transfers[i].resent_us + RESEND_US)
			submit(sim, &c->transfers[i]);
	if (!sim->is_quiet)
		make_transfer(sim);
	/* Now and then many at once: more than a node looks at without its workers. */
	if (!sim->is_quiet && draw_is(&c->rng, BURST_OF_1000))
		for (size_t n = draw(&c->rng, 5, 30); n > 0 && !sim->is_over; n--)
			make_transfer(sim);
	heap_push(&sim->heap, sim->now_us + TURN_US, ENTRY_CLIENT, 0, 0, NULL);
}
