#include "app/load_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "codec/hex.h"
#include "crypto/hd.h"
#include "crypto/keccak.h"
#include "io/clock.h"
#include "io/queue.h"

#define QUERY_COUNT 500        /* calls in a batch of queries */
#define FUND_WAVE_COUNT 500    /* of one funder, under way: below pools' caps for a sender */
#define FUND_PATIENCE_US 60000000ull
#define POLL_US 20000
#define PRICE_MARGIN 8         /* times the node's price, for fees that rise under load */
#define SIGN_QUEUE_COUNT 256

/* --- senders --- */

static int derive_funders(struct load_plan *p, struct err *err)
{
	char path[64];
	int code;

	if (p->options.key) {
		p->funders[0] = *p->options.key;
		p->funder_count = 1;
		return OK;
	}
	for (size_t i = 0; i < LOAD_FUNDER_MAX; i++) {
		snprintf(path, sizeof(path), HD_ETHEREUM_PATH "%zu", i);
		code = hd_derive(p->ecc, &p->funders[i], p->options.mnemonic, path, err);
		if (code != OK)
			return code;
	}
	p->funder_count = LOAD_FUNDER_MAX;
	return OK;
}

/* keccak256("weft-bench load" ‖ seed ‖ kind and index): any 32 bytes are a key, but for one
 * in 2^128. */
static int derive_sender(struct load_plan *p, size_t index, struct err *err)
{
	struct load_sender *s = &p->senders[index];
	static const char domain[15] = "weft-bench load";
	uint8_t text[sizeof(domain) + 16];
	struct public_key public_key;
	struct hash h;
	int code;

	memcpy(text, domain, sizeof(domain));
	store_be64(text + sizeof(domain), p->options.seed);
	store_be64(text + sizeof(domain) + 8, (uint64_t)p->options.kind << 32 | index);
	keccak256(&h, bytes_of(text, sizeof(text)));
	memcpy(s->key.bytes, h.bytes, sizeof(s->key.bytes));
	code = ecc_public_key(p->ecc, &public_key, &s->key, err);
	if (code != OK)
		return code;
	ecc_address(&s->address, &public_key);
	return OK;
}

int load_plan_init(struct load_plan *p, const struct load_options *options, struct err *err)
{
	uint8_t seed[32];
	int code;

	*p = (struct load_plan){ .options = *options };
	io_entropy(seed, sizeof(seed));
	p->ecc = ecc_new(seed);
	p->senders = xcalloc(options->sender_count, sizeof(*p->senders));
	code = derive_funders(p, err);
	for (size_t i = 0; code == OK && i < options->sender_count; i++)
		code = derive_sender(p, i, err);
	if (code != OK)
		load_plan_clear(p);
	return code;
}

void load_plan_clear(struct load_plan *p)
{
	for (size_t i = 0; i < p->batch_count; i++)
		buf_clear(&p->batches[i].body);
	free(p->batches);
	free(p->senders);
	ecc_free(p->ecc);
	crypto_wipe(p->funders, sizeof(p->funders));
	*p = (struct load_plan){ 0 };
}

/* --- asking --- */

static void put_question(const struct load_plan *p, struct buf *out, enum load_question question,
			 size_t index, size_t id)
{
	const struct addr *a = &p->senders[index].address;
	char address[HEX_ADDR_SIZE], token[HEX_ADDR_SIZE], data[2 * ERC20_BALANCE_SIZE + 3];
	uint8_t call[ERC20_BALANCE_SIZE];

	buf_printf(out, "%s{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":", id ? "," : "[", id);
	hex_data(address, addr_bytes(a));
	switch (question) {
	case LOAD_ASK_NONCE:
		buf_printf(out, "\"eth_getTransactionCount\",\"params\":[\"%s\"", address);
		break;
	case LOAD_ASK_BALANCE:
		buf_printf(out, "\"eth_getBalance\",\"params\":[\"%s\"", address);
		break;
	case LOAD_ASK_TOKENS:
		erc20_balance_data(call, a);
		buf_printf(out, "\"eth_call\",\"params\":[{\"to\":\"%s\",\"data\":\"%s\"}",
			   hex_data(token, addr_bytes(&p->token)),
			   hex_data(data, bytes_of(call, sizeof(call))));
		break;
	}
	buf_printf(out, ",\"latest\"]}");
}

void load_plan_nonce_query(const struct load_plan *p, struct buf *out, size_t first, size_t step,
			   size_t count)
{
	/* The id is the sender's index: answers may come in any order. */
	for (size_t i = 0; i < count; i++) {
		char text[HEX_ADDR_SIZE];
		size_t index = first + i * step;

		buf_printf(out, "%s{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"eth_getTransactionCount\","
			   "\"params\":[\"%s\",\"latest\"]}", i ? "," : "[", index,
			   hex_data(text, addr_bytes(&p->senders[index].address)));
	}
	buf_append_byte(out, ']');
}

bool load_plan_nonce_sum(const struct load_plan *p, const struct jval *replies, uint64_t *out)
{
	uint64_t nonce, sum = 0;

	for (size_t i = 0; i < jval_count(replies); i++) {
		const struct jval *one = jval_at(replies, i);
		int64_t index = jval_integer(jval_get(one, "id"));

		if (index < 0 || (size_t)index >= p->options.sender_count ||
		    !hex_parse_u64(&nonce, jval_string(jval_get(one, "result"))) ||
		    nonce < p->senders[index].nonce)
			return false;
		sum += nonce - p->senders[index].nonce;
	}
	*out = sum;
	return jval_kind(replies) == JVAL_ARRAY;
}

int load_plan_count_mined(const struct load_plan *p, struct rpc_client *c, uint64_t *out,
			  struct err *err)
{
	size_t all = p->options.sender_count, count;
	const struct jval *replies;
	struct buf query = { 0 };
	uint64_t part, sum = 0;
	int code = OK;

	for (size_t first = 0; code == OK && first < all; first += count) {
		count = MIN(QUERY_COUNT, all - first);
		buf_reset(&query);
		load_plan_nonce_query(p, &query, first, 1, count);
		code = rpc_client_batch(c, buf_bytes(&query), count, &replies, err);
		if (code == OK && !load_plan_nonce_sum(p, replies, &part))
			code = ERR_SET(err, RPC_CLIENT_E_REPLY, "eth_getTransactionCount gives no nonces "
				       "as expected: was the chain reset?");
		if (code == OK)
			sum += part;
	}
	buf_clear(&query);
	*out = sum;
	return code;
}

static bool read_answer(enum load_question question, struct u256 *out, struct bytes text)
{
	uint8_t word[32];

	if (question != LOAD_ASK_TOKENS)
		return hex_parse_u256(out, text);
	if (!hex_parse_fixed(word, sizeof(word), text))
		return false;
	*out = u256_from_be(bytes_of(word, sizeof(word)));
	return true;
}

int load_plan_ask(const struct load_plan *p, struct rpc_client *c, enum load_question question,
		  struct u256 *out, struct err *err)
{
	static const char *const names[] = { [LOAD_ASK_NONCE] = "eth_getTransactionCount",
					     [LOAD_ASK_BALANCE] = "eth_getBalance",
					     [LOAD_ASK_TOKENS] = "balanceOf() of the token" };
	size_t all = p->options.sender_count, count;
	const struct jval *replies, *one;
	struct buf query = { 0 };
	int code = OK;

	for (size_t first = 0; code == OK && first < all; first += count) {
		count = MIN(QUERY_COUNT, all - first);
		buf_reset(&query);
		for (size_t i = 0; i < count; i++)
			put_question(p, &query, question, first + i, i);
		buf_append_byte(&query, ']');
		code = rpc_client_batch(c, buf_bytes(&query), count, &replies, err);
		for (size_t i = 0; code == OK && i < count; i++) {
			int64_t id = jval_integer(jval_get(jval_at(replies, i), "id"));

			one = jval_get(jval_at(replies, i), "result");
			if (id < 0 || (size_t)id >= count ||
			    !read_answer(question, &out[first + (size_t)id], jval_string(one)))
				code = ERR_SET(err, RPC_CLIENT_E_REPLY, "%s gives no number", names[question]);
		}
	}
	buf_clear(&query);
	return code;
}

static int choose_price(struct load_plan *p, struct rpc_client *c, struct err *err)
{
	struct u256 asked, margin = u256_of(PRICE_MARGIN);
	int code;

	if (p->options.price_gwei > 0) {
		struct u256 gwei = u256_of(WEI_PER_GWEI), n = u256_of(p->options.price_gwei);

		u256_mul(&p->price.n, &gwei, &n);
		return OK;
	}
	code = rpc_client_quantity(c, &asked, err, "eth_gasPrice", "[]");
	if (code == OK && u256_mul(&p->price.n, &asked, &margin))
		code = ERR_SET(err, RPC_CLIENT_E_REPLY, "eth_gasPrice is absurd: give --gas-price");
	return code;
}

int load_plan_align(struct load_plan *p, struct rpc_client *c, bool is_first, struct err *err)
{
	struct u256 *nonces = xcalloc(p->options.sender_count, sizeof(*nonces));
	uint64_t chain_id;
	int code = rpc_client_u64(c, &chain_id, err, "eth_chainId", "[]");

	if (code == OK && is_first)
		code = choose_price(p, c, err);
	if (code == OK && !is_first && chain_id != p->chain_id)
		code = ERR_SET(err, RPC_CLIENT_E_REPLY, "the two chains' ids differ (%llu, %llu): start both "
			       "with one", (unsigned long long)p->chain_id,
			       (unsigned long long)chain_id);
	if (code == OK) {
		p->chain_id = chain_id;
		code = load_plan_ask(p, c, LOAD_ASK_NONCE, nonces, err);
	}
	for (size_t i = 0; code == OK && i < p->options.sender_count; i++) {
		if (is_first)
			p->senders[i].nonce = nonces[i].limbs[0];
		else if (p->senders[i].nonce != nonces[i].limbs[0])
			code = ERR_SET(err, RPC_CLIENT_E_REPLY, "the senders' nonces differ on the two "
				       "chains: start both anew, or give another --seed");
	}
	free(nonces);
	return code;
}

/* --- signing --- */

/* What all transactions of a plan have in common. */
static void fill_common(const struct load_plan *p, struct tx *t, uint64_t nonce)
{
	t->type = p->options.type;
	t->has_chain_id = true;
	t->chain_id = p->chain_id;
	t->nonce = nonce;
	t->max_fee = t->max_priority_fee = p->price;
}

static uint64_t transfer_gas(const struct load_plan *p)
{
	return p->options.kind == LOAD_ERC20 ? p->options.token_gas : GAS_TX;
}

/* One call of a batch, appended. */
static int put_transfer(const struct load_plan *p, struct buf *out, size_t id, const struct tx *t,
			const struct secret_key *key, struct err *err)
{
	struct tx *signed_tx;
	int code = tx_sign(&signed_tx, p->ecc, t, key, err);

	if (code != OK)
		return code;
	buf_printf(out, "%s{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"eth_sendRawTransaction\","
		   "\"params\":[\"0x", id ? "," : "[", id);
	hex_encode((char *)buf_extend(out, 2 * signed_tx->raw.size), signed_tx->raw);
	buf_append(out, "\"]}", 3);
	tx_unref(signed_tx);
	return OK;
}

struct sign_job {
	struct load_plan *plan;
	_Atomic uint64_t done_count;
};

static void sign_batch(void *ctx, void *item)
{
	struct sign_job *job = ctx;
	struct load_plan *p = job->plan;
	struct load_batch *b = item;
	uint64_t first = (uint64_t)(b - p->batches) * p->options.batch_count;
	uint8_t data[ERC20_TRANSFER_SIZE];
	struct err err;

	for (size_t i = 0; i < b->count; i++) {
		size_t index = (first + i) % p->options.sender_count;
		const struct load_sender *s = &p->senders[index];
		struct tx t = { .gas_limit = transfer_gas(p) };

		fill_common(p, &t, s->nonce + (first + i) / p->options.sender_count);
		if (p->options.kind == LOAD_ERC20) {
			load_token_fill(p, index, data);
			t.to = p->token;
			t.data = bytes_of(data, sizeof(data));
		} else {
			t.to = p->senders[(index + 1) % p->options.sender_count].address;
			t.value = wei_of(1);
		}
		if (put_transfer(p, &b->body, i, &t, &s->key, &err) != OK)
			fatal("signing: %s", err.message);
	}
	buf_append_byte(&b->body, ']');
	/* Doubling has left up to half of it unused. */
	b->body.data = xrealloc(b->body.data, b->body.size);
	b->body.capacity = b->body.size;
	atomic_fetch_add(&job->done_count, b->count);
}

int load_plan_sign(struct load_plan *p, struct err *err)
{
	uint64_t all = p->options.transfer_count, start_us = io_monotonic_us(), shown_us = start_us;
	struct sign_job job = { .plan = p };
	struct io_queue *q = io_queue_new(SIGN_QUEUE_COUNT);
	struct io_workers *w = io_workers_start(q, p->options.thread_count, "sign", sign_batch, &job);

	p->batch_count = (size_t)((all + p->options.batch_count - 1) / p->options.batch_count);
	p->batches = xcalloc(p->batch_count, sizeof(*p->batches));
	for (size_t i = 0; i < p->batch_count; i++) {
		uint64_t first = (uint64_t)i * p->options.batch_count;

		p->batches[i].count = (size_t)MIN(p->options.batch_count, all - first);
		io_queue_push(q, &p->batches[i]);
		if (io_monotonic_us() - shown_us > 1000000) {
			shown_us = io_monotonic_us();
			fprintf(stderr, "\rsigned %llu of %llu", (unsigned long long)job.done_count,
				(unsigned long long)all);
		}
	}
	io_workers_stop(w);
	io_queue_free(q);
	fprintf(stderr, "\rsigned %llu transfers in %.1f s\n", (unsigned long long)all,
		(double)(io_monotonic_us() - start_us) / 1e6);
	return OK;
}

/* --- funding --- */

/* What a sender needs for its share of the transfers. */
static struct wei sender_need(const struct load_plan *p)
{
	uint64_t share = p->options.transfer_count / p->options.sender_count + 2;
	struct u256 count = u256_of(share);
	struct wei cost;

	wei_mul_gas(&cost, p->price, transfer_gas(p));
	wei_add(&cost, cost, wei_of(1));
	u256_mul(&cost.n, &cost.n, &count);
	return cost;
}

/* Waits until `address` has used all nonces below `nonce`. */
static int wait_nonce(struct rpc_client *c, const struct addr *address, uint64_t nonce,
		      struct err *err)
{
	uint64_t deadline_us = io_monotonic_us() + FUND_PATIENCE_US, now;
	char text[HEX_ADDR_SIZE];
	int code;

	hex_data(text, addr_bytes(address));
	do {
		code = rpc_client_u64(c, &now, err, "eth_getTransactionCount", "[\"%s\",\"latest\"]",
				      text);
		if (code != OK || now >= nonce)
			return code;
		usleep(POLL_US);
	} while (io_monotonic_us() < deadline_us);
	return ERR_SET(err, IO_E_TIMEOUT, "the funding transfers of %s are not mined", text);
}

/* One at a time: anvil takes a batch's transactions in any order and strands those
 * that come before their predecessor. */
static int send_one(struct load_plan *p, struct rpc_client *c, const struct tx *t,
		    const struct secret_key *key, struct err *err)
{
	struct buf params = { 0 };
	const struct jval *result;
	struct tx *signed_tx;
	int code = tx_sign(&signed_tx, p->ecc, t, key, err);

	if (code != OK)
		return code;
	buf_append(&params, "[\"0x", 4);
	hex_encode((char *)buf_extend(&params, 2 * signed_tx->raw.size), signed_tx->raw);
	buf_append(&params, "\"]", 2);
	tx_unref(signed_tx);
	code = rpc_client_call(c, "eth_sendRawTransaction", buf_bytes(&params), &result, err);
	buf_clear(&params);
	return code;
}

int load_funder_begin(struct load_plan *p, struct rpc_client *c, size_t index, struct load_funder *out,
		      struct err *err)
{
	struct public_key public_key;
	char text[HEX_ADDR_SIZE];
	int code = ecc_public_key(p->ecc, &public_key, &p->funders[index], err);

	if (code != OK)
		return code;
	*out = (struct load_funder){ .key = &p->funders[index] };
	ecc_address(&out->address, &public_key);
	code = rpc_client_u64(c, &out->nonce, err, "eth_getTransactionCount", "[\"%s\",\"pending\"]",
			      hex_data(text, addr_bytes(&out->address)));
	out->first = out->nonce;
	return code;
}

int load_funder_send(struct load_plan *p, struct rpc_client *c, struct load_funder *f, struct tx *t,
		     struct err *err)
{
	int code;

	fill_common(p, t, f->nonce);
	code = send_one(p, c, t, f->key, err);
	if (code != OK)
		return code;
	f->nonce++;
	return (f->nonce - f->first) % FUND_WAVE_COUNT == 0 ? load_funder_wait(c, f, err) : OK;
}

int load_funder_wait(struct rpc_client *c, const struct load_funder *f, struct err *err)
{
	return f->nonce > f->first ? wait_nonce(c, &f->address, f->nonce, err) : OK;
}

/* Lets funder `index` give `amount` to its share of the senders that lack it. */
static int fund_from(struct load_plan *p, struct rpc_client *c, size_t index,
		     const struct u256 *balances, struct wei amount, struct err *err)
{
	struct load_funder f;
	int code = load_funder_begin(p, c, index, &f, err);

	for (size_t i = index; code == OK && i < p->options.sender_count; i += p->funder_count) {
		struct tx t = { .gas_limit = GAS_TX, .to = p->senders[i].address, .value = amount };

		if (u256_compare(&balances[i], &amount.n) < 0)
			code = load_funder_send(p, c, &f, &t, err);
	}
	if (code == OK)
		code = load_funder_wait(c, &f, err);
	return code == OK ? OK : err_prefix(err, code, "funding the senders");
}

int load_plan_fund(struct load_plan *p, struct rpc_client *c, struct err *err)
{
	struct u256 *balances = xcalloc(p->options.sender_count, sizeof(*balances));
	struct wei amount = sender_need(p);
	int code = load_plan_ask(p, c, LOAD_ASK_BALANCE, balances, err);

	for (size_t i = 0; code == OK && i < p->funder_count; i++)
		code = fund_from(p, c, i, balances, amount, err);
	free(balances);
	return code;
}
