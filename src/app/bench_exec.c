/*
 * weft-bench exec - what a transfer costs a proposer or a verifier, signature
 * apart: blocks of transfers between accounts of their own, executed over a state
 * in memory; the same with transfers of a token (erc20.h). The tree is taken back
 * after each block, so that all are the same.
 */
#include "app/bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/erc20.h"
#include "base/check.h"
#include "base/map.h"
#include "chain/genesis.h"
#include "crypto/keccak.h"
#include "exec/exec.h"

#define ACCOUNT_COUNT 100000u
#define CHAIN_ID 31337
#define TIME_MS 1700000000000ull
#define FUNDS (1000 * GWEI_PER_COIN) /* gwei */
#define TOKENS 1000000
#define TOKEN_GAS 100000

enum kind { TRANSFERS, TOKEN_TRANSFERS, KIND_COUNT };

/* Behind all other accounts. */
static const struct addr token = { { 0xc7 } };

struct chain {
	struct chain_params params;
	struct map accounts;
	struct map balances; /* the token's slots */
	struct buf code;     /* the token's */
	struct state_tree *tree;
	struct exec *exec;
	struct exec_parent parent;
	struct tx **txs[KIND_COUNT];
	enum kind kind; /* of the next block, */
	size_t count;   /* and transactions in it */
	size_t next;
	struct exec_result result;
};

/* --- the state --- */

static struct addr address_of(uint64_t i)
{
	struct addr a = { { 0xbe } };

	store_be64(a.bytes + 12, i);
	return a;
}

static int view_account(void *ctx, struct account *out, const struct addr *address, struct err *err)
{
	const struct chain *c = ctx;
	const struct account *a = map_get(&c->accounts, address);

	*out = a ? *a : account_empty;
	return OK;
}

static int view_storage(void *ctx, struct u256 *out, const struct addr *address,
			const struct hash *slot, struct err *err)
{
	const struct chain *c = ctx;
	const struct u256 *balance = addr_equal(address, &token) ? map_get(&c->balances, slot) : NULL;

	*out = balance ? *balance : u256_of(0);
	return OK;
}

static int view_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	const struct chain *c = ctx;

	buf_append_bytes(out, buf_bytes(&c->code));
	return OK;
}

static struct state_view view_of(struct chain *c)
{
	static const struct state_view_ops ops = { view_account, view_storage, view_code };

	return (struct state_view){ &ops, c };
}

static int compare_slots(const void *a, const void *b)
{
	const struct slot_change *x = a, *y = b;

	return memcmp(&x->slot, &y->slot, sizeof(x->slot));
}

/* Every account owns some of the token. */
static void make_balances(struct chain *c, struct state_diff *diff)
{
	const struct u256 balance = u256_of(TOKENS);

	map_init(&c->balances, sizeof(struct hash), sizeof(struct u256), 1);
	diff->slot_count = ACCOUNT_COUNT;
	diff->slots = xmalloc(ACCOUNT_COUNT * sizeof(diff->slots[0]));
	for (uint64_t i = 0; i < ACCOUNT_COUNT; i++) {
		struct addr owner = address_of(i);
		struct hash slot = erc20_balance_slot(&owner);

		*(struct u256 *)map_put(&c->balances, &slot, NULL) = balance;
		diff->slots[i] = (struct slot_change){ token, slot, u256_of(0), balance };
	}
	qsort(diff->slots, ACCOUNT_COUNT, sizeof(diff->slots[0]), compare_slots);
}

static void make_state(struct chain *c)
{
	struct state_diff diff = { .account_count = ACCOUNT_COUNT + 1 };
	struct account funded = account_empty, contract = account_empty;

	wei_mul_gas(&funded.balance, wei_of(WEI_PER_GWEI), FUNDS);
	map_init(&c->accounts, sizeof(struct addr), sizeof(struct account), 1);
	diff.accounts = xmalloc(diff.account_count * sizeof(diff.accounts[0]));
	for (uint64_t i = 0; i < ACCOUNT_COUNT; i++) {
		struct addr a = address_of(i);

		*(struct account *)map_put(&c->accounts, &a, NULL) = funded;
		diff.accounts[i] = (struct account_change){ a, account_empty, funded };
	}
	erc20_code(&c->code);
	contract.nonce = 1;
	keccak256(&contract.code_hash, buf_bytes(&c->code));
	diff.accounts[ACCOUNT_COUNT] = (struct account_change){ token, account_empty, contract };
	make_balances(c, &diff);
	c->tree = state_tree_new(&header_empty_trie_root, (struct tree_source){ 0 }, SIZE_MAX, 2);
	CHECK(state_tree_apply(c->tree, &diff, &c->parent.header.state_root, NULL) == OK);
	/* with its storage root */
	*(struct account *)map_put(&c->accounts, &token, NULL) = diff.accounts[ACCOUNT_COUNT].after;
	state_diff_clear(&diff);
}

/* --- the blocks --- */

/* From the first half's accounts to the second's. Signed once, as only recovery
 * reads the signature. */
static struct tx *make_tx(const struct ecc *ecc, enum kind kind, uint64_t i)
{
	const struct secret_key key = { { [31] = 1 } };
	const struct u256 value = u256_of(1 + i);
	uint8_t data[ERC20_TRANSFER_SIZE];
	struct tx t = {
		.type = TX_DYNAMIC_FEE, .has_chain_id = true, .chain_id = CHAIN_ID,
		.gas_limit = GAS_TX, .max_fee = wei_of(2 * BASE_FEE_FLOOR_DEFAULT),
		.max_priority_fee = wei_of(WEI_PER_GWEI), .value = wei_of(1 + i),
		.to = address_of(ACCOUNT_COUNT / 2 + i),
	};
	struct tx *out;

	if (kind == TOKEN_TRANSFERS) {
		erc20_transfer_data(data, &t.to, &value);
		t.gas_limit = TOKEN_GAS;
		t.value = wei_of(0);
		t.to = token;
		t.data = bytes_of(data, sizeof(data));
	}
	CHECK(tx_sign(&out, ecc, &t, &key, NULL) == OK);
	out->sender = address_of(i);
	return out;
}

static void make_chain(struct chain *c)
{
	static const uint8_t seed[32] = { 1 };
	struct ecc *ecc = ecc_new(seed);
	struct genesis g;

	*c = (struct chain){ 0 };
	genesis_default(&g, CHAIN_ID, TIME_MS);
	c->params = g.params;
	c->params.block_gas_limit = BLOCK_GAS_LIMIT_MAX; /* for as many token transfers as others */
	genesis_clear(&g);
	make_state(c);
	c->exec = exec_new(&c->params, 3);
	c->parent.genesis_ms = c->parent.commitments.time_ms = c->parent.epoch.start_ms = TIME_MS;
	c->parent.header.timestamp = TIME_MS / 1000;
	c->parent.header.base_fee = c->params.base_fee_floor;
	for (enum kind kind = TRANSFERS; kind < KIND_COUNT; kind++) {
		c->txs[kind] = xmalloc(BLOCK_TX_COUNT_MAX * sizeof(c->txs[kind][0]));
		for (size_t i = 0; i < BLOCK_TX_COUNT_MAX; i++)
			c->txs[kind][i] = make_tx(ecc, kind, i);
	}
	ecc_free(ecc);
}

static void free_chain(struct chain *c)
{
	for (enum kind kind = TRANSFERS; kind < KIND_COUNT; kind++) {
		for (size_t i = 0; i < BLOCK_TX_COUNT_MAX; i++)
			tx_unref(c->txs[kind][i]);
		free(c->txs[kind]);
	}
	exec_result_clear(&c->result);
	exec_free(c->exec);
	state_tree_free(c->tree);
	map_clear(&c->accounts);
	map_clear(&c->balances);
	buf_clear(&c->code);
}

static struct tx *next(void *ctx)
{
	struct chain *c = ctx;

	return c->next < c->count ? c->txs[c->kind][c->next++] : NULL;
}

static void reject(void *ctx, struct tx *t, int code, const struct err *why)
{
	fatal("weft-bench exec: a transfer was rejected: %s", why->message);
}

static const struct exec_proposal proposal = {
	.time_ms = TIME_MS + 100,
	.coinbase = { { 0xc0 } },
};

static void propose(struct chain *c)
{
	const struct exec_source source = { next, reject, c };

	exec_result_clear(&c->result);
	c->next = 0;
	CHECK(exec_propose(c->exec, &c->parent, view_of(c), c->tree, &proposal, &source, NULL, NULL,
			   &c->result, NULL) == OK);
	CHECK(c->result.block.tx_count == c->count);
	for (size_t i = 0; i < c->count; i++)
		CHECK(c->result.receipts[i].success);
}

static void take_back(struct chain *c)
{
	CHECK(state_tree_revert(c->tree, &c->result.diff, NULL) == OK);
}

static void run_propose(void *ctx, uint64_t rounds)
{
	for (uint64_t n = 0; n < rounds; n++) {
		propose(ctx);
		take_back(ctx);
	}
}

/* All that verifying does before the tree: a wrong receiptsRoot is found there. */
static void run_execute(void *ctx, uint64_t rounds)
{
	struct chain *c = ctx;
	struct block block = c->result.block;
	struct exec_result result;

	block.header.receipts_root.bytes[0] ^= 1;
	for (uint64_t n = 0; n < rounds; n++)
		CHECK(exec_verify(c->exec, &c->parent, view_of(c), c->tree, &proposal, &block,
				  &result, NULL) == EXEC_E_BLOCK);
}

static void run_tree(void *ctx, uint64_t rounds)
{
	struct chain *c = ctx;
	struct hash root;

	for (uint64_t n = 0; n < rounds; n++) {
		CHECK(state_tree_apply(c->tree, &c->result.diff, &root, NULL) == OK);
		take_back(c);
	}
}

static void run_transactions_root(void *ctx, uint64_t rounds)
{
	struct chain *c = ctx;
	struct hash root;

	for (uint64_t n = 0; n < rounds; n++) {
		transactions_root(&root, c->txs[c->kind], c->count);
		bench_keep(&root);
	}
}

static void run_receipts_root(void *ctx, uint64_t rounds)
{
	struct chain *c = ctx;
	struct hash root;

	for (uint64_t n = 0; n < rounds; n++) {
		receipts_root(&root, c->result.receipts, c->count);
		bench_keep(&root);
	}
}

/* --- the report --- */

static struct bench_figure less(struct bench_figure a, struct bench_figure b)
{
	return (struct bench_figure){ a.median - b.median, a.min - b.min, a.max - b.max };
}

/* Gives what all of it takes. */
static struct bench_figure report_block(struct bench_report *r, struct chain *c, enum kind kind,
					size_t count)
{
	static const char *const names[KIND_COUNT] = { "transfers", "token transfers" };
	struct bench_figure whole, execution, transactions, receipts;
	char title[64];

	c->kind = kind;
	c->count = count;
	whole = bench_measure(r, run_propose, c, (double)count);
	execution = bench_measure(r, run_execute, c, (double)count);
	transactions = bench_measure(r, run_transactions_root, c, (double)count);
	receipts = bench_measure(r, run_receipts_root, c, (double)count);
	snprintf(title, sizeof(title), "a block of %zu %s, for each", count, names[kind]);
	bench_report_section(r, title);
	bench_report_row(r, "execution and difference", "ns",
			 less(less(execution, transactions), receipts));
	bench_report_row(r, "transactions root", "ns", transactions);
	bench_report_row(r, "receipts root", "ns", receipts);
	bench_report_row(r, "state tree, there and back", "ns",
			 bench_measure(r, run_tree, c, (double)count));
	bench_report_row(r, "all of it", "ns", whole);
	return whole;
}

static void report_kinds(struct bench_report *r, struct chain *c, size_t count)
{
	struct bench_figure transfer = report_block(r, c, TRANSFERS, count);
	struct bench_figure other = report_block(r, c, TOKEN_TRANSFERS, count);

	bench_report_row(r, "times a transfer", "x",
			 (struct bench_figure){ other.median / transfer.median,
						other.min / transfer.max, other.max / transfer.min });
}

int bench_exec(int argc, char **argv)
{
	struct bench_report r;
	struct chain chain;
	int status = bench_report_begin(&r, argc, argv, "exec",
					"Blocks of transfers, and of token transfers: execution, roots, the state tree.");

	if (status >= 0)
		return status;
	r.cpu_time = true; /* of the one thread that works here */
	make_chain(&chain);
	report_kinds(&r, &chain, 1500);
	report_kinds(&r, &chain, BLOCK_TX_COUNT_MAX);
	free_chain(&chain);
	return bench_report_end(&r);
}
