/* The validators' votes, and epochs: against a plain model, and one rule at a time. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "crypto/keccak.h"
#include "exec/abi.h"
#include "exec/validators_state.h"
#include "world.h"

#define EPOCH_LENGTH 10

/* A chain whose first `count` keys are its validators, of weight 1 each, if `weights`
 * does not say otherwise. */
struct fixture {
	struct world w;
	uint64_t nonces[WORLD_KEY_COUNT];
};

static void setup_with(struct fixture *f, size_t count, const uint64_t weights[], uint64_t count_max)
{
	struct validator members[WORLD_KEY_COUNT];

	*f = (struct fixture){ 0 };
	world_init(&f->w);
	for (size_t i = 0; i < count; i++)
		members[i] = (struct validator){ f->w.keys[i], { weights ? weights[i] : 1 } };
	cr_assert_eq(validator_set_init(&f->w.genesis.validators, members, count, NULL), OK);
	f->w.genesis.params.epoch_length = EPOCH_LENGTH;
	f->w.genesis.params.epoch_ms = 0;
	f->w.genesis.params.validator_count_max = count_max;
	world_start(&f->w);
}

static void setup(struct fixture *f, size_t count)
{
	setup_with(f, count, NULL, WORLD_KEY_COUNT);
}

static struct tx *vote_tx(struct fixture *f, size_t voter, const struct addr *validator, uint64_t weight)
{
	struct tx t = world_template(f->nonces[voter]++), *out;
	struct buf data = { 0 };

	native_encode_vote(&data, validator, weight);
	t.to = native_validators_address;
	t.value = wei_of(0);
	t.data = buf_bytes(&data);
	t.gas_limit = 40000 + NATIVE_GAS_CALL + NATIVE_GAS_SLOT + native_vote_gas(&f->w.genesis.params);
	out = world_sign(&f->w, voter, &t);
	buf_clear(&data);
	return out;
}

/* The proposer is whoever stands first in the present set. */
static void set_proposer(struct fixture *f)
{
	f->w.proposal.coinbase = f->w.parent.epoch.set.members[0].address;
	f->w.proposal.validator_index = 0;
}

/* A block of these, which everyone else finds valid, too; takes the transactions. */
static void make_block(struct fixture *f, struct tx *txs[], size_t count, struct exec_result *r)
{
	struct exec_result again;

	set_proposer(f);
	world_propose(&f->w, txs, count, NULL, r);
	cr_assert_eq(r->block.tx_count, count);
	world_undo(&f->w, r);
	cr_assert_eq(exec_verify(f->w.exec, &f->w.parent, world_view(&f->w), f->w.tree, &f->w.proposal,
				 &r->block, &again, NULL), OK);
	cr_assert_eq(!again.next_epoch, !r->next_epoch);
	exec_result_clear(&again);
	for (size_t i = 0; i < count; i++)
		tx_unref(txs[i]);
}

static void empty_block(struct fixture *f)
{
	struct exec_result r;

	make_block(f, NULL, 0, &r);
	world_commit(&f->w, &r);
	exec_result_clear(&r);
}

/* A block of one vote; whether it succeeded. */
static bool vote(struct fixture *f, size_t voter, const struct addr *validator, uint64_t weight)
{
	struct tx *t = vote_tx(f, voter, validator, weight);
	struct exec_result r;
	bool success;

	make_block(f, &t, 1, &r);
	success = r.receipts[0].success;
	world_commit(&f->w, &r);
	exec_result_clear(&r);
	return success;
}

static uint64_t next_height(const struct fixture *f)
{
	return f->w.parent.header.height + 1;
}

/* Empty blocks until an epoch begins with the next one. */
static void end_epoch(struct fixture *f)
{
	uint64_t number = f->w.parent.epoch.number;

	for (int i = 0; f->w.parent.epoch.number == number; i++) {
		cr_assert_leq(i, EPOCH_LENGTH);
		empty_block(f);
	}
	cr_assert_eq(f->w.parent.epoch.first, next_height(f));
}

static uint64_t weight_in(const struct validator_set *set, const struct addr *validator)
{
	int index = validator_set_find(set, validator);

	return index < 0 ? 0 : set->members[index].weight.n;
}

static struct validator_set next_set(struct fixture *f)
{
	struct state_view state = world_view(&f->w);
	struct validator_set set;

	cr_assert_eq(exec_read_next_set(&state, &set, NULL), OK);
	return set;
}

static struct exec_call_result call(struct fixture *f, const struct addr *from, struct bytes data)
{
	struct exec_call c = { .from = *from, .to = native_validators_address, .data = data };
	struct exec_call_result out = { 0 };

	cr_assert_eq(exec_call(f->w.exec, &f->w.parent, world_view(&f->w), &c, &out, NULL), OK);
	return out;
}

static uint64_t word_at(struct bytes output, size_t index)
{
	cr_assert_leq(32 * (index + 1), output.size);
	return u256_from_be(bytes_of(output.data + 32 * index, 32)).limbs[0];
}

/* The words that a read gives, from `index` on; `a` and `b` are its arguments if not NULL. */
static uint64_t ask(struct fixture *f, const char *signature, const struct addr *a, const struct addr *b,
		    size_t index)
{
	struct exec_call_result r;
	struct buf data = { 0 };
	struct hash h;
	uint64_t word;

	keccak256(&h, bytes_of_str(signature));
	buf_append(&data, h.bytes, ABI_SELECTOR_SIZE);
	if (a)
		abi_put_addr(&data, a);
	if (b)
		abi_put_addr(&data, b);
	r = call(f, &(struct addr){ 0 }, buf_bytes(&data));
	cr_assert(r.success, "%s", signature);
	word = word_at(buf_bytes(&r.output), index);
	exec_call_result_clear(&r);
	buf_clear(&data);
	return word;
}

static void teardown(struct fixture *f)
{
	world_clear(&f->w);
}

/* --- when an epoch ends --- */

Test(exec_epoch, ends_by_length_and_says_so_in_state)
{
	struct fixture f;
	struct state_view state;
	struct epoch e;

	setup(&f, 2);
	for (uint64_t h = 1; h <= 3 * EPOCH_LENGTH; h++) {
		struct exec_result r;

		make_block(&f, NULL, 0, &r);
		cr_assert_eq(r.next_epoch != NULL, (h + 1) % EPOCH_LENGTH == 0, "height %zu", (size_t)h);
		if (r.next_epoch) {
			cr_assert_eq(r.next_epoch->number, (h + 1) / EPOCH_LENGTH);
			cr_assert_eq(r.next_epoch->first, h + 1);
			cr_assert_eq(r.next_epoch->start_ms, r.block.commitments.time_ms);
		}
		world_commit(&f.w, &r);
		exec_result_clear(&r);
		state = world_view(&f.w);
		cr_assert_eq(exec_read_epoch(&state, &e, NULL), OK);
		cr_assert_eq(e.number, (h + 1) / EPOCH_LENGTH);
		cr_assert_eq(e.first, (h + 1) / EPOCH_LENGTH * EPOCH_LENGTH);
		cr_assert_eq(e.number, f.w.parent.epoch.number);
		cr_assert_eq(e.first, f.w.parent.epoch.first);
		cr_assert_eq(e.start_ms, f.w.parent.epoch.start_ms);
		cr_assert(hash_equal(&e.set.hash, &f.w.parent.epoch.set.hash));
		cr_assert_eq(ask(&f, "epoch()", NULL, NULL, 0), e.number);
		cr_assert_eq(ask(&f, "epochStart()", NULL, NULL, 0), e.first);
		cr_assert_eq(ask(&f, "epochStart()", NULL, NULL, 1), e.start_ms);
	}
	teardown(&f);
}

/* The parent's time counts, from the end of the epoch before; never the block's own. */
Test(exec_epoch, ends_by_time)
{
	struct fixture f;
	struct exec_result r;

	setup(&f, 1);
	f.w.genesis.params.epoch_length = 1000;
	f.w.genesis.params.epoch_ms = 5000;
	f.w.proposal.time_ms = WORLD_TIME_MS + 4999;
	empty_block(&f);
	f.w.proposal.time_ms = WORLD_TIME_MS + 50000; /* its parent is not old enough */
	make_block(&f, NULL, 0, &r);
	cr_assert_null(r.next_epoch);
	world_commit(&f.w, &r);
	exec_result_clear(&r);
	make_block(&f, NULL, 0, &r);
	cr_assert_not_null(r.next_epoch);
	cr_assert_eq(r.next_epoch->first, 4);
	cr_assert_eq(r.next_epoch->start_ms, f.w.proposal.time_ms);
	world_commit(&f.w, &r);
	exec_result_clear(&r);
	/* 5000 ms after that block's time, not a millisecond less */
	f.w.proposal.time_ms = f.w.parent.epoch.start_ms + 4999;
	empty_block(&f);
	f.w.proposal.time_ms = f.w.parent.epoch.start_ms + 5000;
	empty_block(&f);
	cr_assert_eq(f.w.parent.epoch.number, 1);
	empty_block(&f);
	cr_assert_eq(f.w.parent.epoch.number, 2);
	teardown(&f);
}

/* Every block its own epoch: the shortest there is. */
Test(exec_epoch, length_of_one_block)
{
	struct fixture f;
	struct addr second;

	setup(&f, 1);
	f.w.genesis.params.epoch_length = 1;
	second = f.w.keys[1];
	empty_block(&f);
	cr_assert_eq(f.w.parent.epoch.number, 1);
	cr_assert(vote(&f, 0, &second, 1)); /* in block 2 */
	cr_assert_eq(f.w.parent.epoch.set.count, 1, "block 3's set follows from the state after 1");
	empty_block(&f);
	cr_assert_eq(f.w.parent.epoch.set.count, 2, "block 4's from the state after 2");
	cr_assert_eq(f.w.parent.epoch.number, 3);
	teardown(&f);
}

struct gate {
	uint64_t open_from;
	int calls, rc;
};

static int ask_gate(void *ctx, const struct exec_parent *parent, const struct state_view *state, bool *is_open,
		    struct err *err)
{
	struct gate *g = ctx;

	(void)state;
	g->calls++;
	*is_open = parent->header.height + 1 >= g->open_from;
	return g->rc ? ERR_SET(err, g->rc, "broken gate") : OK;
}

Test(exec_epoch, waits_for_its_gate)
{
	struct gate gate = { .open_from = 25 };
	struct fixture f;
	struct exec_result r;
	struct exec_source nothing = { 0 };
	struct err err = { 0 };

	setup(&f, 1);
	exec_set_gate(f.w.exec, ask_gate, &gate);
	while (next_height(&f) < 9)
		empty_block(&f);
	cr_assert_eq(gate.calls, 0, "it is asked when the end is due");
	while (next_height(&f) < 25) {
		cr_assert_eq(f.w.parent.epoch.number, 0);
		empty_block(&f);
	}
	empty_block(&f);
	cr_assert_eq(f.w.parent.epoch.number, 1);
	cr_assert_eq(f.w.parent.epoch.first, 26);
	/* the one after is as long as ever */
	end_epoch(&f);
	cr_assert_eq(f.w.parent.epoch.first, 36);
	while (next_height(&f) < 45)
		empty_block(&f);
	gate.rc = EXEC_E_MEDIUM;
	cr_assert_eq(exec_propose(f.w.exec, &f.w.parent, world_view(&f.w), f.w.tree, &f.w.proposal, &nothing,
				  NULL, NULL, &r, &err), EXEC_E_MEDIUM);
	cr_assert_str_eq(err.message, "broken gate");
	exec_set_gate(f.w.exec, NULL, NULL);
	empty_block(&f);
	cr_assert_eq(f.w.parent.epoch.number, 3);
	teardown(&f);
}

/* --- which set follows --- */

/* A vote counts from the state before an epoch's last block; one in that block itself
 * counts for the epoch after. */
Test(exec_epoch, last_blocks_votes_count_for_the_epoch_after)
{
	struct fixture f;
	struct exec_result r;
	struct tx *t;

	setup(&f, 1);
	while (next_height(&f) < 8)
		empty_block(&f);
	cr_assert(vote(&f, 0, &f.w.keys[1], 5)); /* in 8: in time */
	t = vote_tx(&f, 0, &f.w.keys[2], 1);     /* in 9, the last: too late */
	make_block(&f, &t, 1, &r);
	cr_assert(r.receipts[0].success);
	cr_assert_not_null(r.next_epoch);
	cr_assert_eq(r.next_epoch->set.count, 2);
	cr_assert(hash_equal(&r.block.commitments.validators_hash, &f.w.parent.epoch.set.hash));
	cr_assert(hash_equal(&r.block.commitments.next_validators_hash, &r.next_epoch->set.hash));
	cr_assert_not(hash_equal(&f.w.parent.epoch.set.hash, &r.next_epoch->set.hash));
	world_commit(&f.w, &r);
	exec_result_clear(&r);
	cr_assert_eq(f.w.parent.epoch.set.count, 2);
	cr_assert_eq(ask(&f, "totalWeight()", NULL, NULL, 0), 6);
	cr_assert_eq(ask(&f, "nextValidators()", NULL, NULL, 2), 3);
	end_epoch(&f);
	cr_assert_eq(f.w.parent.epoch.set.count, 3);
	/* and both hashes are the same in a block that ends no epoch */
	make_block(&f, NULL, 0, &r);
	cr_assert(hash_equal(&r.block.commitments.validators_hash, &f.w.parent.epoch.set.hash));
	cr_assert(hash_equal(&r.block.commitments.next_validators_hash, &f.w.parent.epoch.set.hash));
	exec_result_clear(&r);
	teardown(&f);
}

static void refuse_hash(struct fixture *f, const struct exec_result *r, bool next, const char *name)
{
	struct block bad = r->block;
	struct exec_result out;
	struct err err = { 0 };

	(next ? &bad.commitments.next_validators_hash : &bad.commitments.validators_hash)->bytes[0] ^= 1;
	commitments_hash(&bad.commitments, &bad.header.extra_data);
	cr_assert_eq(exec_verify(f->w.exec, &f->w.parent, world_view(&f->w), f->w.tree, &f->w.proposal, &bad,
				 &out, &err), EXEC_E_BLOCK);
	cr_assert_not_null(strstr(err.message, name), "%s", err.message);
}

Test(exec_epoch, verify_compares_both_sets)
{
	struct fixture f;
	struct exec_result r;

	setup(&f, 1);
	cr_assert(vote(&f, 0, &f.w.keys[1], 1));
	while (next_height(&f) < EPOCH_LENGTH - 1)
		empty_block(&f);
	for (int i = 0; i < 2; i++) { /* the last of an epoch, the first of the next */
		set_proposer(&f);
		world_propose(&f.w, NULL, 0, NULL, &r);
		cr_assert_eq(r.next_epoch != NULL, i == 0);
		world_undo(&f.w, &r);
		refuse_hash(&f, &r, false, "validators hash");
		refuse_hash(&f, &r, true, "next validators hash");
		exec_result_clear(&r);
		empty_block(&f);
	}
	teardown(&f);
}

/* Everyone in the present set votes for each of `from` … `to` - 1. */
static void vote_all(struct fixture *f, size_t present, size_t from, size_t to, uint64_t weight)
{
	for (size_t v = from; v < to; v++) {
		struct tx *txs[WORLD_KEY_COUNT];
		struct exec_result r;

		for (size_t i = 0; i < present; i++)
			txs[i] = vote_tx(f, i, &f->w.keys[v], weight);
		make_block(f, txs, present, &r);
		for (size_t i = 0; i < present; i++)
			cr_assert(r.receipts[i].success);
		world_commit(&f->w, &r);
		exec_result_clear(&r);
	}
}

Test(exec_epoch, set_grows_and_shrinks)
{
	struct fixture f;

	setup(&f, 1);
	vote_all(&f, 1, 1, 2, 1);
	end_epoch(&f);
	cr_assert_eq(f.w.parent.epoch.set.count, 2);
	vote_all(&f, 2, 2, 4, 1);
	end_epoch(&f);
	cr_assert_eq(f.w.parent.epoch.set.count, 4);
	vote_all(&f, 4, 4, 7, 1);
	end_epoch(&f);
	cr_assert_eq(f.w.parent.epoch.set.count, 7);
	vote_all(&f, 7, 3, 7, 0);
	end_epoch(&f);
	cr_assert_eq(f.w.parent.epoch.set.count, 3);
	for (size_t i = 0; i < 7; i++)
		cr_assert_eq(validator_set_find(&f.w.parent.epoch.set, &f.w.keys[i]) >= 0, i < 3);
	cr_assert_eq(ask(&f, "getValidators()", NULL, NULL, 2), 3);
	teardown(&f);
}

/* --- votes --- */

/* Four of weight 1: three agree or nothing happens. */
Test(exec_vote, needs_a_quorum_of_the_same_weight)
{
	struct fixture f;
	struct validator_set next;
	struct addr e;

	setup(&f, 4);
	f.w.genesis.params.epoch_length = 1000;
	e = f.w.keys[5];
	cr_assert(vote(&f, 0, &e, 7));
	cr_assert(vote(&f, 1, &e, 7));
	cr_assert(vote(&f, 2, &e, 8));
	cr_assert(vote(&f, 3, &e, 8));
	next = next_set(&f);
	cr_assert_eq(next.count, 4);
	cr_assert_eq(ask(&f, "voteOf(address,address)", &e, &f.w.keys[0], 0), 1);
	cr_assert_eq(ask(&f, "voteOf(address,address)", &e, &f.w.keys[0], 1), 7);
	cr_assert_eq(ask(&f, "voteOf(address,address)", &e, &f.w.keys[3], 1), 8);
	cr_assert_eq(ask(&f, "voteOf(address,address)", &f.w.keys[0], &e, 0), 0, "the other way round");
	cr_assert(vote(&f, 0, &e, 8)); /* changes its mind */
	next = next_set(&f);
	cr_assert_eq(weight_in(&next, &e), 8);
	cr_assert_eq(next.total.n, 12);
	/* a vote that stays alone changes nothing back */
	cr_assert(vote(&f, 0, &e, 0));
	next = next_set(&f);
	cr_assert_eq(weight_in(&next, &e), 8);
	cr_assert_eq(ask(&f, "voteOf(address,address)", &e, &f.w.keys[0], 0), 1, "a vote of 0 is one");
	cr_assert_eq(ask(&f, "voteOf(address,address)", &e, &f.w.keys[0], 1), 0);
	teardown(&f);
}

/* Weight counts, not heads; and only that of the present set. */
Test(exec_vote, counts_present_weight)
{
	const uint64_t weights[] = { 1, 1, 1, 7 }; /* T 10, f 3, Q 7 */
	struct fixture f;
	struct validator_set next;

	setup_with(&f, 4, weights, WORLD_KEY_COUNT);
	f.w.genesis.params.epoch_length = 6;
	for (size_t i = 0; i < 3; i++)
		cr_assert(vote(&f, i, &f.w.keys[4], 1));
	next = next_set(&f);
	cr_assert_eq(next.count, 4, "three heads of weight 3");
	cr_assert(vote(&f, 3, &f.w.keys[5], 1));
	next = next_set(&f);
	cr_assert_eq(weight_in(&next, &f.w.keys[5]), 1, "one head of weight 7");
	cr_assert(vote(&f, 3, &f.w.keys[3], 0)); /* votes itself out */
	empty_block(&f);
	empty_block(&f);
	while (f.w.parent.epoch.set.count != 4 || validator_set_find(&f.w.parent.epoch.set, &f.w.keys[3]) >= 0)
		empty_block(&f);
	cr_assert_not(vote(&f, 3, &f.w.keys[6], 1), "it is none any more");
	/* T 4, Q 3 now: the three old votes for key 4 agree, and count when one is renewed */
	next = next_set(&f);
	cr_assert_eq(weight_in(&next, &f.w.keys[4]), 0);
	cr_assert(vote(&f, 1, &f.w.keys[4], 1));
	next = next_set(&f);
	cr_assert_eq(weight_in(&next, &f.w.keys[4]), 1);
	teardown(&f);
}

struct open_votes {
	size_t count;
	struct exec_vote votes[64];
};

static void note_vote(void *arg, const struct exec_vote *v)
{
	struct open_votes *o = arg;

	cr_assert_lt(o->count, ARRAY_COUNT(o->votes));
	o->votes[o->count++] = *v;
}

static struct open_votes open_votes(struct fixture *f, size_t subject_max)
{
	struct state_view state = world_view(&f->w);
	struct validator_set next = next_set(f);
	struct open_votes o = { 0 };

	cr_assert_eq(exec_each_open_vote(&state, &f->w.parent.epoch.set, &next, subject_max, note_vote, &o,
					 NULL), OK);
	return o;
}

Test(exec_vote, open_votes_are_those_that_wait)
{
	struct fixture f;
	struct open_votes o;

	setup(&f, 4);
	f.w.genesis.params.epoch_length = 1000;
	o = open_votes(&f, 8);
	cr_assert_eq(o.count, 0);
	cr_assert(vote(&f, 0, &f.w.keys[4], 1));
	cr_assert(vote(&f, 1, &f.w.keys[5], 2));
	cr_assert(vote(&f, 2, &f.w.keys[5], 3));
	cr_assert(vote(&f, 3, &f.w.keys[0], 1)); /* as it is: waits for nothing */
	o = open_votes(&f, 8);
	cr_assert_eq(o.count, 3);
	cr_assert(addr_equal(&o.votes[0].validator, &f.w.keys[5]), "newest first");
	cr_assert(addr_equal(&o.votes[2].validator, &f.w.keys[4]));
	cr_assert(addr_equal(&o.votes[2].voter, &f.w.keys[0]));
	cr_assert_eq(o.votes[2].weight, 1);
	cr_assert_lt(memcmp(o.votes[0].voter.bytes, o.votes[1].voter.bytes, 20), 0);
	o = open_votes(&f, 2);
	cr_assert_eq(o.count, 2, "of the two newest: keys 0 and 5");
	cr_assert(vote(&f, 1, &f.w.keys[4], 1));
	cr_assert(vote(&f, 2, &f.w.keys[4], 1)); /* agreed */
	o = open_votes(&f, 8);
	cr_assert_eq(o.count, 2);
	teardown(&f);
}

static struct hash topic_of(const struct addr *a)
{
	struct hash t = { 0 };

	memcpy(t.bytes + 12, a->bytes, 20);
	return t;
}

static void check_log(const struct log_entry *log, const char *signature, const struct addr *first,
		      const struct addr *second, uint64_t weight)
{
	struct hash topic;

	cr_assert(addr_equal(&log->address, &native_validators_address));
	cr_assert_eq(log->topic_count, second ? 3 : 2);
	keccak256(&topic, bytes_of_str(signature));
	cr_assert(hash_equal(&log->topics[0], &topic), "%s", signature);
	topic = topic_of(first);
	cr_assert(hash_equal(&log->topics[1], &topic));
	if (second) {
		topic = topic_of(second);
		cr_assert(hash_equal(&log->topics[2], &topic));
	}
	cr_assert_eq(log->data.size, 32);
	cr_assert_eq(u256_from_be(log->data).limbs[0], weight);
}

#define VOTED "Voted(address,address,uint256)"
#define NEXT_CHANGED "NextChanged(address,uint256)"

Test(exec_vote, logs_tell_of_votes_and_changes)
{
	struct fixture f;
	struct exec_result r;
	struct tx *txs[3];
	struct addr e;

	setup(&f, 2);
	e = f.w.keys[5];
	txs[0] = vote_tx(&f, 0, &e, 9);
	txs[1] = vote_tx(&f, 1, &e, 9);
	txs[2] = vote_tx(&f, 1, &e, 9); /* again: a vote, and no change */
	make_block(&f, txs, 3, &r);
	cr_assert_eq(r.receipts[0].log_count, 1);
	check_log(&r.receipts[0].logs[0], VOTED, &f.w.keys[0], &e, 9);
	cr_assert_eq(r.receipts[1].log_count, 2);
	check_log(&r.receipts[1].logs[0], VOTED, &f.w.keys[1], &e, 9);
	check_log(&r.receipts[1].logs[1], NEXT_CHANGED, &e, NULL, 9);
	cr_assert_eq(r.receipts[2].log_count, 1);
	exec_result_clear(&r);
	teardown(&f);
}

/* What a wallet's estimate says holds, whoever votes in between. */
Test(exec_vote, price_is_always_the_same)
{
	struct fixture f;
	struct buf data = { 0 };
	uint64_t gas, before = 0;

	setup(&f, 4);
	native_encode_vote(&data, &f.w.keys[5], 1);
	for (size_t i = 0; i < 4; i++) { /* the third is agreed, the fourth changes nothing */
		struct exec_call c = { .from = f.w.keys[i], .to = native_validators_address,
				       .data = buf_bytes(&data) };
		struct tx *t = vote_tx(&f, i, &f.w.keys[5], 1);
		struct exec_result r;

		cr_assert_eq(exec_estimate_gas(f.w.exec, &f.w.parent, world_view(&f.w), &c, &gas, NULL, NULL), OK);
		make_block(&f, &t, 1, &r);
		cr_assert(r.receipts[0].success);
		cr_assert_eq(r.receipts[0].gas_used, gas);
		cr_assert(i == 0 || gas == before);
		before = gas;
		world_commit(&f.w, &r);
		exec_result_clear(&r);
	}
	cr_assert_eq(gas - tx_base_gas(&(struct tx){ .data = buf_bytes(&data) }),
		     200 + 2100 + 150000 + WORLD_KEY_COUNT * 15500);
	/* and a unit less fails, leaving nothing */
	{
		struct exec_call c = { .from = f.w.keys[0], .to = native_validators_address,
				       .data = buf_bytes(&data), .has_gas = true, .gas = gas - 1 };
		struct exec_call_result out;

		cr_assert_eq(exec_call(f.w.exec, &f.w.parent, world_view(&f.w), &c, &out, NULL), OK);
		cr_assert_not(out.success);
		cr_assert_not(out.reverted);
		cr_assert_eq(out.gas_used, gas - 1);
		exec_call_result_clear(&out);
	}
	buf_clear(&data);
	teardown(&f);
}

/* --- what is refused --- */

static void check_reverts(struct fixture *f, const struct addr *from, struct bytes data, const char *reason)
{
	struct exec_call_result r = call(f, from, data);
	struct bytes out = buf_bytes(&r.output);

	cr_assert(r.reverted, "%s", reason);
	cr_assert_eq(load_be32(out.data), 0x08c379a0);
	cr_assert_eq(word_at(bytes_of(out.data + 4, out.size - 4), 1), strlen(reason), "%s", reason);
	cr_assert_eq(memcmp(out.data + 68, reason, strlen(reason)), 0, "%s", reason);
	exec_call_result_clear(&r);
}

static struct bytes vote_data(struct buf *out, const struct addr *validator, const struct u256 *weight)
{
	buf_reset(out);
	native_encode_vote(out, validator, 0);
	u256_to_be32(out->data + 36, weight);
	return buf_bytes(out);
}

Test(exec_vote, bad_calls_revert_with_reason)
{
	const struct u256 one = u256_of(1), most = u256_of(VALIDATOR_WEIGHT_MAX),
			  more = u256_of(VALIDATOR_WEIGHT_MAX + 1), huge = { { 1, 0, 0, 1 } };
	struct addr zero = { 0 };
	struct buf data = { 0 };
	struct exec_call_result ok;
	struct fixture f;

	setup(&f, 2);
	check_reverts(&f, &f.w.keys[2], vote_data(&data, &f.w.keys[5], &one),
		      "vote: the sender is not a validator of this epoch");
	check_reverts(&f, &zero, vote_data(&data, &f.w.keys[5], &one),
		      "vote: the sender is not a validator of this epoch");
	check_reverts(&f, &f.w.keys[0], vote_data(&data, &f.w.keys[5], &more), "vote: the weight is above 2^40");
	check_reverts(&f, &f.w.keys[0], vote_data(&data, &f.w.keys[5], &huge), "vote: the weight is above 2^40");
	check_reverts(&f, &f.w.keys[0], vote_data(&data, &zero, &one),
		      "vote: the zero address can't be a validator");
	vote_data(&data, &f.w.keys[5], &one);
	data.data[4] = 1; /* of an address' upper bytes */
	check_reverts(&f, &f.w.keys[0], buf_bytes(&data), "vote: the arguments are not an address and a weight");
	vote_data(&data, &f.w.keys[5], &one);
	for (size_t size = 4; size < data.size; size += 16)
		check_reverts(&f, &f.w.keys[0], bytes_of(data.data, size),
			      "vote: the arguments are not an address and a weight");
	ok = call(&f, &f.w.keys[0], vote_data(&data, &f.w.keys[5], &most));
	cr_assert(ok.success);
	exec_call_result_clear(&ok);
	buf_reset(&data);
	buf_append(&data, "\xde\xdd\x49\x79", 4);
	abi_put_addr(&data, &f.w.keys[0]);
	check_reverts(&f, &zero, buf_bytes(&data), "voteOf: the arguments are not two addresses");
	buf_clear(&data);
	teardown(&f);
}

/* A transaction that reverts leaves nonce and fee: no slot of the contract changes. */
Test(exec_vote, refused_votes_change_nothing)
{
	struct fixture f;
	struct validator_set before, after;
	struct addr extra = address_of(7);

	setup_with(&f, 2, NULL, 3);
	f.w.genesis.params.epoch_length = 1000;
	cr_assert(vote(&f, 0, &f.w.keys[5], 1));
	cr_assert(vote(&f, 1, &f.w.keys[5], 1));
	cr_assert(vote(&f, 0, &extra, 1));
	before = next_set(&f);
	cr_assert_eq(before.count, 3);
	cr_assert_not(vote(&f, 1, &extra, 1), "the next set is full");
	after = next_set(&f);
	cr_assert(hash_equal(&before.hash, &after.hash));
	cr_assert_eq(ask(&f, "voteOf(address,address)", &extra, &f.w.keys[1], 0), 0, "not even the vote stays");
	cr_assert_not(vote(&f, 4, &f.w.keys[5], 1), "no validator");
	/* room is made, and the same vote goes through */
	cr_assert(vote(&f, 0, &f.w.keys[5], 0));
	cr_assert(vote(&f, 1, &f.w.keys[5], 0));
	cr_assert(vote(&f, 1, &extra, 1));
	after = next_set(&f);
	cr_assert_eq(weight_in(&after, &extra), 1);
	cr_assert_eq(weight_in(&after, &f.w.keys[5]), 0);
	teardown(&f);
}

Test(exec_vote, last_validator_stays)
{
	struct fixture f;
	struct buf data = { 0 };
	struct u256 zero = u256_of(0);

	setup(&f, 1);
	check_reverts(&f, &f.w.keys[0], vote_data(&data, &f.w.keys[0], &zero),
		      "vote: the last validator can't be removed");
	cr_assert_not(vote(&f, 0, &f.w.keys[0], 0));
	/* nobody is removed that is not there: a vote like another */
	cr_assert(vote(&f, 0, &f.w.keys[3], 0));
	cr_assert(vote(&f, 0, &f.w.keys[1], 1));
	cr_assert(vote(&f, 0, &f.w.keys[0], 0), "now it is not the last");
	end_epoch(&f);
	cr_assert_eq(f.w.parent.epoch.set.count, 1);
	cr_assert(addr_equal(&f.w.parent.epoch.set.members[0].address, &f.w.keys[1]));
	cr_assert_not(vote(&f, 0, &f.w.keys[0], 1));
	buf_clear(&data);
	teardown(&f);
}

/* The largest weights that there can be add up without overflow. */
Test(exec_vote, largest_weights_add_up)
{
	const uint64_t weights[] = { VALIDATOR_WEIGHT_MAX, VALIDATOR_WEIGHT_MAX, VALIDATOR_WEIGHT_MAX };
	struct fixture f;

	setup_with(&f, 3, weights, WORLD_KEY_COUNT);
	vote_all(&f, 3, 3, 7, VALIDATOR_WEIGHT_MAX);
	end_epoch(&f);
	cr_assert_eq(f.w.parent.epoch.set.total.n, 7 * VALIDATOR_WEIGHT_MAX);
	cr_assert_eq(ask(&f, "totalWeight()", NULL, NULL, 0), 7 * VALIDATOR_WEIGHT_MAX);
	vote_all(&f, 7, 0, 1, 1);
	end_epoch(&f);
	cr_assert_eq(f.w.parent.epoch.set.total.n, 6 * VALIDATOR_WEIGHT_MAX + 1);
	teardown(&f);
}

/* A set as large as the protocol has, in one block after another. */
Test(exec_vote, largest_set)
{
	struct validator members[VALIDATOR_COUNT_MAX];
	struct fixture f = { 0 };
	struct exec_result r;
	struct tx *t;

	world_init(&f.w);
	members[0] = (struct validator){ f.w.keys[0], { VALIDATOR_WEIGHT_MAX } };
	for (size_t i = 1; i < VALIDATOR_COUNT_MAX - 1; i++)
		members[i] = (struct validator){ { { [0] = 0x70, [18] = (uint8_t)(i >> 8), [19] = (uint8_t)i } }, { 1 } };
	cr_assert_eq(validator_set_init(&f.w.genesis.validators, members, VALIDATOR_COUNT_MAX - 1, NULL), OK);
	f.w.genesis.params.validator_count_max = VALIDATOR_COUNT_MAX;
	world_start_sized(&f.w, 5000);
	t = vote_tx(&f, 0, &f.w.keys[1], 3);
	make_block(&f, &t, 1, &r);
	cr_assert(r.receipts[0].success);
	cr_assert_eq(r.receipts[0].log_count, 2);
	world_commit(&f.w, &r);
	exec_result_clear(&r);
	cr_assert_eq(next_set(&f).count, VALIDATOR_COUNT_MAX);
	cr_assert_not(vote(&f, 0, &f.w.keys[2], 1));
	cr_assert_eq(ask(&f, "nextValidators()", NULL, NULL, 2), VALIDATOR_COUNT_MAX);
	/* the lowest address moves all others by one */
	cr_assert(vote(&f, 0, &f.w.keys[1], 0));
	cr_assert(vote(&f, 0, &(struct addr){ { [19] = 9 } }, 1));
	cr_assert_eq(next_set(&f).members[0].address.bytes[19], 9);
	f.w.genesis.params.epoch_length = 1;
	empty_block(&f);
	cr_assert_eq(f.w.parent.epoch.set.count, VALIDATOR_COUNT_MAX);
	teardown(&f);
}

/* In a frame that may not write, and in another account's name. */
Test(exec_vote, only_by_a_plain_call)
{
	static const enum vm_call_kind kinds[] = { VM_STATICCALL, VM_DELEGATECALL, VM_CALLCODE, VM_CALL };
	struct fixture f;
	struct buf data = { 0 };
	struct vm_block_context block = { .height = 1, .revision = REVISION_OSAKA };
	struct overlay *overlay = overlay_new((struct overlay_limits){ 100, 400 }, 1);
	struct host host;

	setup(&f, 1);
	overlay_reset(overlay, world_view(&f.w));
	host_init(&host, &f.w.genesis.params, overlay, LIMIT_VM_CODE_SIZE, 2);
	host_begin(&host, &block, &f.w.keys[0], NULL, wei_of(0), bytes_of(NULL, 0));
	native_encode_vote(&data, &f.w.keys[1], 1);
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct vm_message m = { .kind = kinds[i], .gas = 10000000, .sender = f.w.keys[0],
					.recipient = native_validators_address,
					.code_address = native_validators_address, .input = buf_bytes(&data) };
		struct vm_result out;

		if (kinds[i] == VM_DELEGATECALL || kinds[i] == VM_CALLCODE)
			m.recipient = f.w.keys[0];
		m.is_static = kinds[i] == VM_STATICCALL;
		cr_assert(host_call(&host, &m, &out));
		cr_assert_eq(out.status, kinds[i] == VM_CALL ? VM_SUCCESS : VM_REVERT);
		cr_assert_eq(host.log_count, kinds[i] == VM_CALL ? 2 : 0);
		buf_clear(&out.output);
	}
	host_clear(&host);
	overlay_free(overlay);
	buf_clear(&data);
	teardown(&f);
}

/* --- storage --- */

static uint64_t slot_number(struct fixture *f, const char *tag, const struct addr *a, const struct addr *b,
			    uint64_t index)
{
	uint8_t key[64 + 16] = { 0 };
	size_t size = 32;
	struct hash slot;
	struct u256 value;
	struct state_view view = world_view(&f->w);

	if (a)
		memcpy(key + 12, a->bytes, 20);
	else
		store_be64(key + 24, index);
	if (b) {
		memcpy(key + 32 + 12, b->bytes, 20);
		size = 64;
	}
	memcpy(key + size, tag, strlen(tag));
	keccak256(&slot, bytes_of(key, size + strlen(tag)));
	cr_assert_eq(state_storage(&view, &value, &native_validators_address, &slot, NULL), OK);
	return value.limbs[0];
}

/* The slots as native.h documents them, worked out here. */
Test(exec_vote, storage_is_where_the_header_says)
{
	struct fixture f;
	struct u256 value;
	struct addr e;
	const uint64_t plain[] = { 2, 2, 0, 0, WORLD_TIME_MS, 3, 7, 1 };

	setup(&f, 2);
	e = f.w.keys[5];
	cr_assert(vote(&f, 0, &e, 5));
	cr_assert(vote(&f, 1, &e, 5));
	for (uint64_t i = 0; i < ARRAY_COUNT(plain); i++) {
		world_storage(&f.w, &native_validators_address, i, &value);
		cr_assert_eq(value.limbs[0], plain[i], "slot %zu", (size_t)i);
	}
	cr_assert_eq(slot_number(&f, "vote", &e, &f.w.keys[0], 0), 6);
	cr_assert_eq(slot_number(&f, "vote", &f.w.keys[0], &e, 0), 0);
	cr_assert_eq(slot_number(&f, "next weight", &e, NULL, 0), 5);
	cr_assert_eq(slot_number(&f, "weight", &e, NULL, 0), 0);
	cr_assert_eq(slot_number(&f, "is subject", &e, NULL, 0), 1);
	cr_assert_eq(slot_number(&f, "subject", NULL, NULL, 0), u256_from_be(addr_bytes(&e)).limbs[0]);
	for (uint64_t i = 0; i < 3; i++) {
		struct validator_set next = next_set(&f);

		cr_assert_eq(slot_number(&f, "next validator", NULL, NULL, i),
			     u256_from_be(addr_bytes(&next.members[i].address)).limbs[0]);
	}
	end_epoch(&f);
	cr_assert_eq(slot_number(&f, "weight", &e, NULL, 0), 5);
	world_storage(&f.w, &native_validators_address, 2, &value);
	cr_assert_eq(value.limbs[0], 1);
	world_storage(&f.w, &native_validators_address, 3, &value);
	cr_assert_eq(value.limbs[0], EPOCH_LENGTH);
	teardown(&f);
}

static int bad_storage(void *ctx, struct u256 *out, const struct addr *address, const struct hash *slot,
		       struct err *err)
{
	(void)address, (void)slot, (void)err;
	*out = *(const struct u256 *)ctx;
	return OK;
}

/* Storage that is none of ours is no word about validators. */
Test(exec_epoch, broken_state_is_the_mediums_failure)
{
	const struct u256 values[] = { u256_of(0), u256_of(VALIDATOR_COUNT_MAX + 1), u256_of(3), { { 1, 1 } } };
	const struct state_view_ops ops = { .storage = bad_storage };

	for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
		struct u256 value = values[i];
		struct state_view view = { &ops, &value };
		struct validator_set set;
		struct epoch e;
		struct err err = { 0 };

		cr_assert_eq(exec_read_epoch(&view, &e, &err), EXEC_E_MEDIUM);
		cr_assert_not_null(strstr(err.message, "broken"), "%s", err.message);
		cr_assert_eq(exec_read_next_set(&view, &set, NULL), EXEC_E_MEDIUM);
	}
}

/* --- a plain model --- */

#define SUBJECT_COUNT 12

struct model {
	uint64_t present[SUBJECT_COUNT], next[SUBJECT_COUNT]; /* weights; 0: none */
	uint64_t votes[SUBJECT_COUNT][SUBJECT_COUNT];         /* subject, voter: 1 + weight */
	uint64_t first;
	size_t count_max;
};

static uint64_t total_of(const uint64_t set[SUBJECT_COUNT])
{
	uint64_t total = 0;

	for (size_t i = 0; i < SUBJECT_COUNT; i++)
		total += set[i];
	return total;
}

static size_t count_of(const uint64_t set[SUBJECT_COUNT])
{
	size_t count = 0;

	for (size_t i = 0; i < SUBJECT_COUNT; i++)
		count += set[i] > 0;
	return count;
}

/* Whether the vote succeeds, and what it changes. */
static bool model_vote(struct model *m, size_t voter, size_t subject, uint64_t weight)
{
	uint64_t total = total_of(m->present), sum = 0, old = m->votes[subject][voter];

	if (m->present[voter] == 0 || weight > VALIDATOR_WEIGHT_MAX)
		return false;
	m->votes[subject][voter] = weight + 1;
	for (size_t i = 0; i < SUBJECT_COUNT; i++)
		sum += m->votes[subject][i] == weight + 1 ? m->present[i] : 0;
	if (sum < total - (total - 1) / 3 || m->next[subject] == weight)
		return true;
	if ((weight == 0 && count_of(m->next) == 1) ||
	    (m->next[subject] == 0 && count_of(m->next) >= m->count_max)) {
		m->votes[subject][voter] = old;
		return false;
	}
	m->next[subject] = weight;
	return true;
}

static void check_set(const struct validator_set *set, const uint64_t weights[SUBJECT_COUNT],
		      const struct addr subjects[SUBJECT_COUNT])
{
	cr_assert_eq(set->count, count_of(weights));
	cr_assert_eq(set->total.n, total_of(weights));
	for (size_t i = 0; i < SUBJECT_COUNT; i++)
		cr_assert_eq(weight_in(set, &subjects[i]), weights[i]);
}

static size_t model_open_count(const struct model *m)
{
	size_t count = 0;

	for (size_t s = 0; s < SUBJECT_COUNT; s++)
		for (size_t v = 0; v < SUBJECT_COUNT; v++)
			count += m->present[v] && m->votes[s][v] && m->votes[s][v] - 1 != m->next[s];
	return count;
}

static uint64_t random_weight(struct rng *rng)
{
	static const uint64_t weights[] = { 0, 0, 0, 1, 1, 1, 2, 3, VALIDATOR_WEIGHT_MAX,
					    VALIDATOR_WEIGHT_MAX + 1 };

	return weights[rng_below(rng, ARRAY_COUNT(weights))];
}

/* Mostly what somebody else has voted, so that some of it is agreed on. */
static void random_votes(struct fixture *f, struct model *m, struct rng *rng,
			 const struct addr subjects[SUBJECT_COUNT])
{
	size_t count = rng_below(rng, 7), subject = rng_below(rng, SUBJECT_COUNT);
	uint64_t weight = random_weight(rng);
	bool expected[8];
	struct tx *txs[8];
	struct exec_result r;

	for (size_t i = 0; i < count; i++) {
		size_t voter = rng_below(rng, WORLD_KEY_COUNT);

		if (rng_below(rng, 6) == 0) {
			subject = rng_below(rng, SUBJECT_COUNT);
			weight = random_weight(rng);
		}
		txs[i] = vote_tx(f, voter, &subjects[subject], weight);
		expected[i] = model_vote(m, voter, subject, weight);
	}
	make_block(f, txs, count, &r);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(r.receipts[i].success, expected[i]);
	world_commit(&f->w, &r);
	exec_result_clear(&r);
}

static void run_model(uint64_t seed, uint64_t length)
{
	struct fixture f;
	struct model m = { .count_max = 3 + seed % 4 };
	struct addr subjects[SUBJECT_COUNT];
	struct validator_set next;
	struct rng rng;

	rng_init(&rng, seed);
	setup_with(&f, 1 + seed % 3, NULL, m.count_max);
	f.w.genesis.params.epoch_length = length;
	for (size_t i = 0; i < SUBJECT_COUNT; i++) {
		subjects[i] = i < WORLD_KEY_COUNT ? f.w.keys[i] : address_of((uint8_t)i);
		m.present[i] = m.next[i] = i < 1 + seed % 3;
	}
	for (uint64_t h = 1; h <= 80; h++) {
		uint64_t before[SUBJECT_COUNT];

		memcpy(before, m.next, sizeof(before));
		random_votes(&f, &m, &rng, subjects);
		if (h - m.first + 1 >= length) {
			m.first = h + 1;
			memcpy(m.present, before, sizeof(before));
		}
		next = next_set(&f);
		cr_assert_eq(f.w.parent.epoch.first, m.first);
		check_set(&f.w.parent.epoch.set, m.present, subjects);
		check_set(&next, m.next, subjects);
		cr_assert_eq(open_votes(&f, SUBJECT_COUNT).count, model_open_count(&m));
	}
	teardown(&f);
}

Test(exec_vote, random_votes_follow_the_model)
{
	for (uint64_t seed = 1; seed <= 24; seed++)
		run_model(seed, 1 + seed % 7);
}
