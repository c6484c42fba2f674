/* Who decides: weft_validators; and the set that a certificate is checked with. */
#include "rpc/calls.h"

#include <stdlib.h>

#include "base/check.h"
#include "rpc/forms.h"

int call_find_epoch(struct rpc_item *i, const struct rpc_block *b, struct epoch *out, struct err *err)
{
	int code = rpc_item_reader(i)->epoch(rpc_item_snapshot(i), b->header.height, out, err);

	if (code != OK || hash_equal(&out->set.hash, &b->commitments.validators_hash))
		return code;
	return ERR_SET(err, RPC_E_NOT_FOUND, "the validator set of block %llu is not known here",
		       (unsigned long long)b->header.height);
}

/* --- a set --- */

static void put_set(struct jout *out, const struct validator_set *set)
{
	form_key_hash(out, "hash", &set->hash);
	form_key_quantity(out, "totalWeight", set->total.n);
	form_key_quantity(out, "quorumWeight", validator_set_quorum(set).n);
	form_key_quantity(out, "faultyWeightMax", validator_set_faulty(set).n);
	jout_key(out, "validators");
	jout_array(out);
	for (size_t k = 0; k < set->count; k++) {
		jout_object(out);
		form_member(out, set, k);
		jout_object_end(out);
	}
	jout_array_end(out);
}

static void put_epoch(struct jout *out, const struct epoch *e, const struct chain_params *p)
{
	form_key_quantity(out, "epoch", e->number);
	form_key_quantity(out, "firstBlock", e->first);
	form_key_quantity(out, "startMs", e->start_ms);
	/* By then its last block is due; a condition may hold it up (exec/epoch.h). */
	form_key_quantity(out, "dueBlock", e->first + p->epoch_length - 1);
	jout_key(out, "dueMs");
	if (p->epoch_ms)
		jout_quantity(out, e->start_ms + p->epoch_ms);
	else
		jout_null(out);
	put_set(out, &e->set);
}

/* --- votes --- */

static bool is_same_vote(const struct rpc_vote *a, const struct rpc_vote *b)
{
	return a->weight == b->weight && addr_equal(&a->validator, &b->validator);
}

/* The votes like number `first`, as one entry. */
static void put_open(struct jout *out, const struct rpc_votes *v, size_t first)
{
	const struct rpc_vote *like = &v->open[first];
	uint64_t weight = 0;

	jout_object(out);
	form_key_addr(out, "validator", &like->validator);
	form_key_quantity(out, "weight", like->weight);
	jout_key(out, "voters");
	jout_array(out);
	for (size_t k = first; k < v->open_count; k++) {
		if (!is_same_vote(&v->open[k], like))
			continue;
		form_addr(out, &v->open[k].voter);
		weight += v->present.members[validator_set_find(&v->present, &v->open[k].voter)].weight.n;
	}
	jout_array_end(out);
	form_key_quantity(out, "votedWeight", weight);
	jout_object_end(out);
}

static bool is_first_of_its_kind(const struct rpc_votes *v, size_t index)
{
	for (size_t k = index; k > 0 && addr_equal(&v->open[k - 1].validator, &v->open[index].validator); k--)
		if (is_same_vote(&v->open[k - 1], &v->open[index]))
			return false;
	return true;
}

static void put_votes(struct jout *out, const struct rpc_votes *v)
{
	jout_key(out, "next");
	jout_object(out);
	put_set(out, &v->next);
	jout_object_end(out);
	jout_key(out, "openVotes");
	jout_array(out);
	for (size_t k = 0; k < v->open_count; k++)
		if (is_first_of_its_kind(v, k))
			put_open(out, v, k);
	jout_array_end(out);
}

/* Of the state after `height`; null when that is no longer kept. */
static int tell_votes(struct rpc_item *i, uint64_t height, struct jout *out, struct err *err)
{
	struct rpc_votes *votes = xcalloc(1, sizeof(*votes));
	int code = rpc_item_reader(i)->votes(rpc_item_snapshot(i), height, votes, err);

	if (code == OK) {
		put_votes(out, votes);
		rpc_votes_clear(votes);
	} else if (code == RPC_E_PRUNED) {
		jout_key(out, "next");
		jout_null(out);
		jout_key(out, "openVotes");
		jout_null(out);
		code = OK;
	}
	free(votes);
	return code;
}

/* --- weft_validators --- */

/* The epoch of a block that is there. */
static int epoch_of(struct rpc_item *i, uint64_t height, struct epoch *out, struct err *err)
{
	struct rpc_block b = { 0 };
	int code = rpc_item_reader(i)->block(rpc_item_snapshot(i), height, &b, err);

	if (code == OK)
		code = call_find_epoch(i, &b, out, err);
	rpc_block_clear(&b);
	return code;
}

int call_validators(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_block_ref *ref = &i->args->at[0].block;
	bool is_pending = ref->kind == RPC_BLOCK_PENDING;
	struct epoch epoch;
	uint64_t height;
	int code = rpc_item_height(i, ref, &height, err);

	if (code == OK && is_pending)
		code = rpc_item_reader(i)->epoch(rpc_item_snapshot(i), height + 1, &epoch, err);
	else if (code == OK)
		code = epoch_of(i, height, &epoch, err);
	if (code != OK)
		return code;
	jout_object(out);
	form_key_quantity(out, "blockNumber", height + is_pending);
	put_epoch(out, &epoch, rpc_item_info(i)->params);
	code = tell_votes(i, height, out, err);
	jout_object_end(out);
	return code;
}
