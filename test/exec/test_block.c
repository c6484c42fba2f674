/* Blocks: what is in them, proposing and verifying, every field. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/rand.h"
#include "chain/fee.h"
#include "crypto/keccak.h"
#include "world.h"

static struct hash tree_root(struct world *w)
{
	struct hash root;

	state_tree_root(w->tree, &root);
	return root;
}

/* A random transaction that may or may not be valid. `nonces` are the keys'. */
static struct tx *random_tx(struct world *w, struct rng *rng, uint64_t nonces[WORLD_KEY_COUNT])
{
	size_t key = rng_below(rng, WORLD_KEY_COUNT);
	struct tx t = world_template(nonces[key]);
	uint8_t data[40] = { 0, 1, 2 };

	t.type = (enum tx_type)rng_below(rng, 3);
	t.max_fee = wei_of(BASE_FEE_FLOOR_DEFAULT + rng_below(rng, BASE_FEE_FLOOR_DEFAULT));
	t.max_priority_fee = t.type == TX_DYNAMIC_FEE
				     ? wei_of(rng_below(rng, BASE_FEE_FLOOR_DEFAULT))
				     : t.max_fee;
	t.value = wei_of(rng_below(rng, 1000000));
	t.to = rng_below(rng, 4) ? address_of((uint8_t)rng_below(rng, 20))
				 : w->keys[rng_below(rng, WORLD_KEY_COUNT)];
	t.data = bytes_of(data, rng_below(rng, sizeof(data)));
	t.gas_limit = 21000 + rng_below(rng, 4000);
	if (rng_below(rng, 10) == 0)
		t.nonce += rng_below(rng, 2) ? 1 : -1ull;
	return world_sign(w, key, &t);
}

static void check_verifies(struct world *w, const struct block *block)
{
	struct exec_result again;
	struct err err = { 0 };
	int rc = exec_verify(w->exec, &w->parent, world_view(w), w->tree, &w->proposal, block,
			     &again, &err);

	cr_assert_eq(rc, OK, "%s", err.message);
	cr_assert(hash_equal(&again.block.hash, &block->hash));
	exec_result_clear(&again);
}

/* Coins: before + reward − burned = after. */
static void check_supply(struct world *w, struct wei before, const struct block *block)
{
	struct wei burned, after = world_supply(w), reward;

	wei_mul_gas(&burned, block->header.base_fee, block->header.gas_used);
	if (!w->genesis.params.has_base_fee_recipient)
		wei_add(&after, after, burned);
	for (size_t i = 0; i < block->withdrawal_count; i++) {
		wei_mul_gas(&reward, wei_of(WEI_PER_GWEI), block->withdrawals[i].amount_gwei);
		wei_add(&before, before, reward);
	}
	cr_assert_eq(wei_compare(before, after), 0);
}

static void run_random_chain(struct world *w, uint64_t seed)
{
	uint64_t nonces[WORLD_KEY_COUNT] = { 0 };
	struct rng rng;

	rng_init(&rng, seed);
	for (int height = 1; height <= 12; height++) {
		struct wei before = world_supply(w);
		struct exec_result r;
		struct tx *txs[30];
		int codes[30];

		w->proposal.time_ms = w->parent.commitments.time_ms + rng_below(&rng, 3000);
		for (size_t i = 0; i < 30; i++) {
			txs[i] = random_tx(w, &rng, nonces);
			for (size_t key = 0; key < WORLD_KEY_COUNT; key++)
				if (addr_equal(&txs[i]->sender, &w->keys[key]) && i % 3)
					nonces[key]++;
		}
		world_propose(w, txs, 30, codes, &r);
		world_undo(w, &r);
		check_verifies(w, &r.block);
		world_commit(w, &r);
		check_supply(w, before, &r.block);
		for (size_t key = 0; key < WORLD_KEY_COUNT; key++)
			nonces[key] = world_account(w, &w->keys[key]).nonce;
		for (size_t i = 0; i < 30; i++)
			tx_unref(txs[i]);
		exec_result_clear(&r);
	}
}

Test(exec_block, propose_and_verify_agree_on_random_blocks)
{
	for (uint64_t seed = 0; seed < 12; seed++) {
		struct world w;

		world_init(&w);
		w.genesis.params.revision = (enum revision)(seed % 3);
		w.genesis.params.has_base_fee_recipient = seed % 2;
		w.genesis.params.base_fee_recipient = address_of(200);
		world_start(&w);
		run_random_chain(&w, seed);
		world_clear(&w);
	}
}

/* The state root equals one computed from the plain maps, by another way. */
Test(exec_block, state_root_is_that_of_the_accounts)
{
	struct world w;
	struct exec_result r;
	struct hash root;
	struct trie_pair *pairs;
	struct hash *keys;
	uint8_t (*values)[ACCOUNT_RLP_MAX];
	size_t count = 0;
	const void *key;
	void *value;
	struct tx t = world_template(0), *tx;

	world_init(&w);
	world_start(&w);
	tx = world_sign(&w, 0, &t);
	world_propose(&w, &tx, 1, NULL, &r);
	world_commit(&w, &r);
	pairs = calloc(w.accounts.count, sizeof(*pairs));
	keys = calloc(w.accounts.count, sizeof(*keys));
	values = calloc(w.accounts.count, sizeof(*values));
	for (size_t cursor = 0; map_next(&w.accounts, &cursor, &key, &value); count++) {
		keccak256(&keys[count], bytes_of(key, sizeof(struct addr)));
		pairs[count].key = hash_bytes(&keys[count]);
		pairs[count].value = bytes_of(values[count], account_encode(values[count], value));
	}
	trie_root(&root, pairs, count);
	cr_assert(hash_equal(&root, &r.block.header.state_root));
	free(pairs);
	free(keys);
	free(values);
	tx_unref(tx);
	exec_result_clear(&r);
	world_clear(&w);
}

/* transactionsRoot and receiptsRoot as Ethereum defines them: rlp(index) to the
 * EIP-2718 bytes, in a trie that is built pair by pair. */
Test(exec_block, list_roots_are_ethereums)
{
	struct world w;
	struct exec_result r;
	struct tx *txs[3];
	struct trie_pair pairs[3];
	struct hash root;
	uint8_t keys[3] = { 0x80, 1, 2 };
	struct buf encoded[3] = { 0 };

	world_init(&w);
	world_start(&w);
	for (uint64_t i = 0; i < 3; i++) {
		struct tx t = world_template(i);

		t.type = (enum tx_type)i;
		t.max_priority_fee = t.max_fee;
		txs[i] = world_sign(&w, 0, &t);
	}
	world_propose(&w, txs, 3, NULL, &r);
	cr_assert_eq(r.block.tx_count, 3);
	for (size_t i = 0; i < 3; i++) {
		receipt_encode(&encoded[i], &r.receipts[i]);
		cr_assert_eq(encoded[i].data[0] == i, i > 0,
			     "the type stands in front, of typed ones");
		pairs[i] = (struct trie_pair){ bytes_of(&keys[i], 1), buf_bytes(&encoded[i]) };
	}
	trie_root(&root, pairs, 3);
	cr_assert(hash_equal(&root, &r.block.header.receipts_root));
	for (size_t i = 0; i < 3; i++) {
		pairs[i].value = txs[i]->raw;
		buf_clear(&encoded[i]);
	}
	trie_root(&root, pairs, 3);
	cr_assert(hash_equal(&root, &r.block.header.transactions_root));
	for (size_t i = 0; i < 3; i++)
		tx_unref(txs[i]);
	exec_result_clear(&r);
	world_clear(&w);
}

Test(exec_block, empty_block_has_fields_of_design)
{
	struct world w;
	struct exec_result r;
	struct exec_parent genesis;
	struct mmr history;
	struct hash want;
	const struct header *h = &r.block.header;

	world_init(&w);
	world_start(&w);
	genesis = w.parent;
	world_propose(&w, NULL, 0, NULL, &r);
	cr_assert(hash_equal(&h->parent_hash, &genesis.hash));
	cr_assert_eq(h->height, 1);
	cr_assert_eq(h->timestamp, (WORLD_TIME_MS + 1000) / 1000);
	cr_assert_eq(h->gas_limit, BLOCK_GAS_LIMIT_DEFAULT);
	cr_assert_eq(h->gas_used, 0);
	cr_assert(hash_equal(&h->transactions_root, &header_empty_trie_root));
	cr_assert(hash_equal(&h->receipts_root, &header_empty_trie_root));
	cr_assert(hash_equal(&h->parent_beacon_root, &genesis.header.extra_data));
	header_next_mix(&want, &genesis.header.mix_hash, 1);
	cr_assert(hash_equal(&h->mix_hash, &want));
	commitments_hash(&r.block.commitments, &want);
	cr_assert(hash_equal(&h->extra_data, &want));
	mmr_init(&history);
	mmr_append(&history, NULL, &genesis.hash);
	mmr_root(&history, &want);
	cr_assert(hash_equal(&r.block.commitments.history_root, &want));
	/* 5 coins for 30 s: a sixth of a coin for the first second */
	cr_assert_eq(r.block.withdrawal_count, 1);
	cr_assert_eq(r.block.withdrawals[0].amount_gwei, 166666666);
	cr_assert_eq(r.block.withdrawals[0].validator_index, 1);
	world_commit(&w, &r);
	cr_assert_eq(world_balance(&w, &w.proposal.coinbase), 166666666000000000ull);
	exec_result_clear(&r);
	world_clear(&w);
}

Test(exec_block, withdrawal_index_goes_on_and_no_reward_no_withdrawal)
{
	struct world w;
	struct exec_result r;

	world_init(&w);
	world_start(&w);
	for (uint64_t i = 0; i < 3; i++) {
		world_propose(&w, NULL, 0, NULL, &r);
		cr_assert_eq(r.block.withdrawals[0].index, i);
		world_commit(&w, &r);
		exec_result_clear(&r);
	}
	w.proposal.time_ms = 5; /* before the parent: raised to it, so no time passed */
	world_propose(&w, NULL, 0, NULL, &r);
	cr_assert_eq(r.block.withdrawal_count, 0);
	cr_assert_eq(r.block.commitments.time_ms, w.parent.commitments.time_ms);
	cr_assert(hash_equal(&r.block.header.withdrawals_root, &header_empty_trie_root));
	world_commit(&w, &r);
	exec_result_clear(&r);
	w.proposal.time_ms = w.parent.commitments.time_ms + 1000;
	world_propose(&w, NULL, 0, NULL, &r);
	cr_assert_eq(r.block.withdrawals[0].index, 3);
	exec_result_clear(&r);
	world_clear(&w);
}

Test(exec_block, base_fee_follows_gas_of_whole_second)
{
	struct world w;
	struct exec_result r;
	struct tx t = world_template(0), *txs[2];
	struct wei want;

	world_init(&w);
	w.genesis.params.gas_target_per_second = 30000;
	world_start(&w);
	t.max_fee = wei_of(100 * BASE_FEE_FLOOR_DEFAULT);
	txs[0] = world_sign(&w, 0, &t);
	t.nonce = 1;
	txs[1] = world_sign(&w, 0, &t);
	world_propose(&w, &txs[0], 1, NULL, &r);
	world_commit(&w, &r);
	exec_result_clear(&r);
	w.proposal.time_ms = WORLD_TIME_MS + 1500; /* the same second */
	world_propose(&w, &txs[1], 1, NULL, &r);
	cr_assert_eq(r.block.header.base_fee.n.limbs[0], BASE_FEE_FLOOR_DEFAULT);
	world_commit(&w, &r);
	exec_result_clear(&r);
	cr_assert_eq(w.parent.second_gas, 42000);
	w.proposal.time_ms = WORLD_TIME_MS + 2000;
	/* 12000 of 30000 above the target: an eighth of 0.4 */
	want = exec_next_base_fee(w.exec, &w.parent, w.proposal.time_ms);
	cr_assert_eq(want.n.limbs[0], BASE_FEE_FLOOR_DEFAULT + BASE_FEE_FLOOR_DEFAULT / 20);
	world_propose(&w, NULL, 0, NULL, &r);
	cr_assert_eq(wei_compare(r.block.header.base_fee, want), 0);
	world_commit(&w, &r);
	exec_result_clear(&r);
	cr_assert_eq(w.parent.second_gas, 0);
	tx_unref(txs[0]);
	tx_unref(txs[1]);
	world_clear(&w);
}

/* --- limits --- */

static void sign_many(struct world *w, struct tx *txs[], size_t count, size_t data_size)
{
	uint8_t *data = calloc(1, data_size + 1);

	for (size_t i = 0; i < count; i++) {
		struct tx t = world_template(i);

		t.data = bytes_of(data, data_size);
		t.gas_limit = 21000 + 10 * data_size;
		txs[i] = world_sign(w, 0, &t);
	}
	free(data);
}

static void unref_many(struct tx *txs[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		tx_unref(txs[i]);
}

Test(exec_block, stops_at_gas_count_and_size)
{
	static const struct {
		uint64_t gas_limit, tx_count, size;
		size_t data_size, want;
		int code;
	} rows[] = {
		{ 21000 * 5, 100, 100000, 0, 5, 0 },
		{ 21000 * 6 - 1, 100, 100000, 0, 5, 0 },
		{ 22000 * 5 + 21500, 100, 100000, 100, 5, EXEC_E_GAS_LIMIT },
		{ 10000000, 4, 100000, 0, 4, 0 },
		{ 10000000, 100, 1024 + 3 * 1113, 1000, 2, EXEC_E_SIZE },
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct exec_result r;
		struct buf encoded = { 0 };
		struct world w;
		struct tx *txs[10];
		int codes[10];

		world_init(&w);
		w.genesis.params.block_gas_limit = rows[i].gas_limit;
		w.genesis.params.block_tx_count_max = rows[i].tx_count;
		w.genesis.params.block_size_max = rows[i].size;
		world_start(&w);
		sign_many(&w, txs, 10, rows[i].data_size);
		world_propose(&w, txs, 10, codes, &r);
		cr_assert_eq(r.block.tx_count, rows[i].want, "row %zu: %zu", i, r.block.tx_count);
		cr_assert_eq(codes[rows[i].want], rows[i].code, "row %zu: %d", i,
			     codes[rows[i].want]);
		block_encode(&encoded, &r.block);
		cr_assert_leq(encoded.size, rows[i].size);
		buf_clear(&encoded);
		unref_many(txs, 10);
		exec_result_clear(&r);
		world_clear(&w);
	}
}

static bool stop_at_three(void *ctx, size_t tx_count)
{
	return tx_count == 3;
}

struct endless {
	struct tx *tx;
	size_t given, rejected;
};

static struct tx *endless_next(void *ctx)
{
	struct endless *e = ctx;

	e->given++;
	return e->tx;
}

static void endless_reject(void *ctx, struct tx *t, int code, const struct err *why)
{
	((struct endless *)ctx)->rejected++;
}

Test(exec_block, propose_ends_with_endless_source)
{
	struct world w;
	struct exec_result r;
	struct tx t = world_template(7); /* nonce too high, for ever */
	struct endless e = { 0 };
	struct exec_source source = { endless_next, endless_reject, &e };

	world_init(&w);
	w.genesis.params.block_gas_limit = 50000;
	world_start(&w);
	e.tx = world_sign(&w, 0, &t);
	cr_assert_eq(exec_propose(w.exec, &w.parent, world_view(&w), w.tree, &w.proposal, &source,
				  NULL, NULL, &r, NULL),
		     OK);
	cr_assert_eq(e.rejected, EXEC_REJECT_MAX);
	world_undo(&w, &r);
	exec_result_clear(&r);
	tx_unref(e.tx);
	t.nonce = 0;
	t.gas_limit = 50001; /* fits no block */
	e = (struct endless){ .tx = world_sign(&w, 0, &t) };
	cr_assert_eq(exec_propose(w.exec, &w.parent, world_view(&w), w.tree, &w.proposal, &source,
				  NULL, NULL, &r, NULL),
		     OK);
	cr_assert_eq(e.rejected, EXEC_MISS_MAX);
	exec_result_clear(&r);
	tx_unref(e.tx);
	world_clear(&w);
}

struct three {
	struct tx *txs[10];
	size_t next;
};

static struct tx *three_next(void *ctx)
{
	struct three *s = ctx;

	return s->txs[s->next++];
}

Test(exec_block, propose_asks_whether_to_stop)
{
	struct world w;
	struct exec_result r;
	struct three s = { .next = 0 };
	struct exec_source source = { three_next, endless_reject, &s };

	world_init(&w);
	world_start(&w);
	sign_many(&w, s.txs, 10, 0);
	cr_assert_eq(exec_propose(w.exec, &w.parent, world_view(&w), w.tree, &w.proposal, &source,
				  stop_at_three, NULL, &r, NULL), OK);
	cr_assert_eq(r.block.tx_count, 3);
	cr_assert_eq(s.next, 3);
	unref_many(s.txs, 10);
	exec_result_clear(&r);
	world_clear(&w);
}

Test(exec_block, gas_limit_of_any_size_is_fine)
{
	struct world w;
	struct exec_result r;
	struct tx t = world_template(0), *tx;

	world_init(&w);
	w.genesis.params.block_gas_limit = UINT64_MAX;
	w.genesis.params.gas_target_per_second = UINT64_MAX;
	world_start(&w);
	tx = world_sign(&w, 0, &t);
	world_propose(&w, &tx, 1, NULL, &r);
	cr_assert_eq(r.block.tx_count, 1);
	world_undo(&w, &r);
	check_verifies(&w, &r.block);
	tx_unref(tx);
	exec_result_clear(&r);
	world_clear(&w);
}

/* --- verifying --- */

static void refuse_block(struct world *w, const struct block *block, const char *field)
{
	struct hash before = tree_root(w), after;
	struct exec_result r;
	struct err err = { 0 };
	int rc = exec_verify(w->exec, &w->parent, world_view(w), w->tree, &w->proposal, block, &r,
			     &err);

	cr_assert_eq(rc, EXEC_E_BLOCK, "%s: %d", field, rc);
	cr_assert_eq(err.code, EXEC_E_BLOCK, "%s: %d", field, err.code);
	cr_assert_not_null(strstr(err.message, field), "\"%s\" does not name %s", err.message,
			   field);
	after = tree_root(w);
	cr_assert(hash_equal(&before, &after), "%s: the tree changed", field);
}

/* Every field of the header and of the commitments, one at a time. */
Test(exec_block, verify_names_tampered_field)
{
	struct world w;
	struct exec_result r;
	struct block bad;
	struct tx *txs[5], *fewer[4];
	struct withdrawal withdrawal;

	world_init(&w);
	world_start(&w);
	sign_many(&w, txs, 5, 3);
	world_propose(&w, txs, 5, NULL, &r);
	world_undo(&w, &r);

#define TAMPER(what, field, name)                                                                 \
	do {                                                                                      \
		bad = r.block;                                                                    \
		((uint8_t *)&bad.field)[0] ^= 1;                                                  \
		refuse_block(&w, &bad, name);                                                     \
	} while (0)
	TAMPER(w, header.parent_hash, "parentHash");
	TAMPER(w, header.coinbase, "miner");
	TAMPER(w, header.state_root, "stateRoot");
	TAMPER(w, header.transactions_root, "transactionsRoot");
	TAMPER(w, header.receipts_root, "receiptsRoot");
	TAMPER(w, header.logs_bloom, "logsBloom");
	TAMPER(w, header.height, "number");
	TAMPER(w, header.gas_limit, "gasLimit");
	TAMPER(w, header.gas_used, "gasUsed");
	TAMPER(w, header.timestamp, "timestamp");
	TAMPER(w, header.extra_data, "extraData");
	TAMPER(w, header.mix_hash, "mixHash");
	TAMPER(w, header.base_fee, "baseFeePerGas");
	TAMPER(w, header.withdrawals_root, "withdrawalsRoot");
	TAMPER(w, header.parent_beacon_root, "parentBeaconBlockRoot");
	TAMPER(w, hash, "hash");
	TAMPER(w, commitments.validators_hash, "validators hash");
	TAMPER(w, commitments.next_validators_hash, "next validators hash");
	TAMPER(w, commitments.history_root, "history root");
	TAMPER(w, commitments.milestone_index, "milestone index");
	TAMPER(w, commitments.witnesses_root, "witnesses root");
	TAMPER(w, commitments.confirmed_root, "confirmed root");
	TAMPER(w, commitments.confirmed_count, "confirmed count");
	TAMPER(w, commitments.time_ms, "extraData"); /* within the second: its reward is the same */
#undef TAMPER
	bad = r.block;
	bad.commitments.time_ms = w.parent.commitments.time_ms - 1;
	refuse_block(&w, &bad, "time");

	for (size_t i = 0; i < 5; i++) {
		uint64_t *fields[] = { &withdrawal.index, &withdrawal.validator_index,
				       &withdrawal.amount_gwei };

		withdrawal = r.block.withdrawals[0];
		bad = r.block;
		bad.withdrawals = &withdrawal;
		if (i < 3)
			++*fields[i];
		else if (i == 3)
			withdrawal.address.bytes[3] ^= 1;
		else
			bad.withdrawal_count = 0;
		refuse_block(&w, &bad, "withdrawal");
	}

	/* a transaction less, two in the wrong order, one twice */
	bad = r.block;
	bad.tx_count = 4;
	refuse_block(&w, &bad, "transactionsRoot");
	transactions_root(&bad.header.transactions_root, bad.txs, 4);
	refuse_block(&w, &bad, "gasUsed");
	memcpy(fewer, r.block.txs, sizeof(fewer));
	fewer[1] = r.block.txs[2];
	fewer[2] = r.block.txs[1];
	bad.txs = fewer;
	transactions_root(&bad.header.transactions_root, bad.txs, 4);
	refuse_block(&w, &bad, "transaction 1: nonce too high");
	fewer[1] = fewer[0];
	transactions_root(&bad.header.transactions_root, bad.txs, 4);
	refuse_block(&w, &bad, "transaction 1: nonce too low");

	/* and the block itself still goes */
	check_verifies(&w, &r.block);
	world_commit(&w, &r);
	exec_result_clear(&r);
	world_propose(&w, NULL, 0, NULL, &r);
	cr_assert_eq(r.block.header.height, 2);
	exec_result_clear(&r);
	unref_many(txs, 5);
	world_clear(&w);
}

Test(exec_block, verify_refuses_limits)
{
	struct world w;
	struct exec_result r;
	struct tx *txs[5];

	world_init(&w);
	world_start(&w);
	sign_many(&w, txs, 5, 3);
	world_propose(&w, txs, 5, NULL, &r);
	world_undo(&w, &r);
	w.genesis.params.block_tx_count_max = 4;
	refuse_block(&w, &r.block, "5 transactions, 4 are allowed");
	w.genesis.params.block_tx_count_max = 5;
	w.genesis.params.block_size_max = 1024;
	for (size_t i = 0; i < 5; i++) /* as a string of more than 55 bytes */
		w.genesis.params.block_size_max += txs[i]->raw.size + 2;
	check_verifies(&w, &r.block);
	world_undo(&w, &r);
	w.genesis.params.block_size_max--;
	refuse_block(&w, &r.block, "bytes");
	exec_result_clear(&r);
	unref_many(txs, 5);
	world_clear(&w);
}

/* --- system contracts of Ethereum --- */

Test(exec_block, system_slots_hold_parent_hash_and_commitments)
{
	struct world w;
	struct exec_result r;
	struct u256 value;
	struct hash parent_hash, parent_extra, stored;
	uint64_t place;

	world_init(&w);
	world_start(&w);
	for (int height = 1; height <= 3; height++) {
		parent_hash = w.parent.hash;
		parent_extra = w.parent.header.extra_data;
		world_propose(&w, NULL, 0, NULL, &r);
		world_commit(&w, &r);
		place = r.block.header.timestamp % 8191;
		world_storage(&w, &exec_history_address, (uint64_t)height - 1, &value);
		u256_to_be32(stored.bytes, &value);
		cr_assert(hash_equal(&parent_hash, &stored));
		world_storage(&w, &exec_beacon_roots_address, place, &value);
		cr_assert_eq(value.limbs[0], r.block.header.timestamp);
		world_storage(&w, &exec_beacon_roots_address, place + 8191, &value);
		u256_to_be32(stored.bytes, &value);
		cr_assert(hash_equal(&parent_extra, &stored));
		exec_result_clear(&r);
	}
	world_clear(&w);
}

Test(exec_block, system_slots_need_their_contracts)
{
	struct world w;
	struct exec_result r;

	world_init(&w);
	for (size_t i = 0; i < w.genesis.account_count; i++)
		w.genesis.accounts[i].code.size = 0;
	world_start(&w);
	world_propose(&w, NULL, 0, NULL, &r);
	cr_assert_eq(r.diff.slot_count, 0);
	cr_assert_eq(r.diff.account_count, 1, "the proposer's");
	exec_result_clear(&r);
	world_clear(&w);
}

/* --- the medium --- */

static int broken_account(void *ctx, struct account *out, const struct addr *address,
			  struct err *err)
{
	size_t *left = ctx;

	*out = account_empty;
	if ((*left)-- == 0)
		return ERR_SET(err, STATE_E_READ, "bad sector");
	return OK;
}

static int broken_storage(void *ctx, struct u256 *out, const struct addr *address,
			  const struct hash *slot, struct err *err)
{
	return ERR_SET(err, STATE_E_READ, "bad sector");
}

static int broken_code(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err)
{
	return ERR_SET(err, STATE_E_READ, "bad sector");
}

Test(exec_block, broken_medium_says_nothing_about_the_block)
{
	static const struct state_view_ops ops = { broken_account, broken_storage, broken_code };
	struct three s = { .next = 0 };
	struct exec_source source = { three_next, endless_reject, &s };
	struct exec_result r, ignored;
	struct world w;
	size_t left;

	world_init(&w);
	world_start(&w);
	sign_many(&w, s.txs, 2, 0);
	world_propose(&w, s.txs, 2, NULL, &r);
	world_undo(&w, &r);
	for (size_t after = 0; after < 3; after++) {
		struct state_view view = { &ops, &left };
		struct err err = { 0 };

		left = after;
		s.next = 0;
		cr_assert_eq(exec_propose(w.exec, &w.parent, view, w.tree, &w.proposal, &source,
					  NULL, NULL, &ignored, &err),
			     EXEC_E_MEDIUM);
		cr_assert_eq(err.code, EXEC_E_MEDIUM);
		cr_assert_not_null(strstr(err.message, "bad sector"));
		left = after;
		cr_assert_eq(exec_verify(w.exec, &w.parent, view, w.tree, &w.proposal, &r.block,
					 &ignored, &err), EXEC_E_MEDIUM);
		cr_assert_eq(err.code, EXEC_E_MEDIUM);
	}
	unref_many(s.txs, 2);
	exec_result_clear(&r);
	world_clear(&w);
}
