/* What only this chain has: weft_. Numbers are QUANTITY, as in eth_. */
#include "rpc/calls.h"

#include <stdlib.h>

#include "base/check.h"
#include "chain/certificate.h"
#include "rpc/forms.h"

static const char *revision_name(enum revision revision)
{
	switch (revision) {
	case REVISION_CANCUN:
		return "cancun";
	case REVISION_PRAGUE:
		return "prague";
	case REVISION_OSAKA:
		return "osaka";
	}
	UNREACHABLE();
}

/* --- weft_nodeInfo --- */

static void put_params(struct jout *out, const struct chain_params *p)
{
	jout_object(out);
	jout_key(out, "revision");
	jout_str(out, revision_name(p->revision));
	form_key_quantity(out, "blockGasLimit", p->block_gas_limit);
	form_key_quantity(out, "blockSizeMax", p->block_size_max);
	form_key_quantity(out, "blockTxCountMax", p->block_tx_count_max);
	form_key_quantity(out, "gasTargetPerSecond", p->gas_target_per_second);
	form_key_wei(out, "baseFeeFloor", p->base_fee_floor);
	jout_key(out, "baseFeeRecipient");
	if (p->has_base_fee_recipient)
		form_addr(out, &p->base_fee_recipient);
	else
		jout_null(out);
	form_key_quantity(out, "rewardGwei", p->reward_gwei);
	form_key_quantity(out, "rewardPeriodMs", p->reward_period_ms);
	form_key_quantity(out, "minIntervalMs", p->min_interval_ms);
	form_key_quantity(out, "heartbeatMs", p->heartbeat_ms);
	form_key_quantity(out, "viewTimeoutMs", p->view_timeout_ms);
	form_key_quantity(out, "epochLength", p->epoch_length);
	form_key_quantity(out, "epochMs", p->epoch_ms);
	form_key_quantity(out, "validatorCountMax", p->validator_count_max);
	jout_object_end(out);
}

int call_node_info(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_info *info = rpc_item_info(i);

	jout_object(out);
	jout_key(out, "clientVersion");
	jout_str(out, info->client_version);
	form_key_quantity(out, "protocolVersion", info->protocol_version);
	form_key_quantity(out, "databaseVersion", info->database_version);
	form_key_quantity(out, "chainId", info->params->chain_id);
	form_key_hash(out, "genesisHash", &info->genesis_hash);
	form_key_quantity(out, "blockNumber", rpc_item_reader(i)->height(rpc_item_snapshot(i)));
	form_key_quantity(out, "historyMs", info->history_ms);
	jout_key(out, "isValidator");
	jout_bool(out, info->is_validator);
	jout_key(out, "validatorAddress");
	if (info->is_validator)
		form_addr(out, &info->validator_address);
	else
		jout_null(out);
	jout_key(out, "isDev");
	jout_bool(out, info->is_dev);
	jout_key(out, "parameters");
	put_params(out, info->params);
	jout_object_end(out);
	return OK;
}

/* --- blocks: commitments, certificate --- */

int call_get_commitments(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct rpc_block b = { 0 };
	bool found;
	int code = rpc_item_block(i, &i->args->at[0].block, &b, &found, err);

	if (code == OK && found)
		form_commitments(out, &b.commitments);
	else if (code == OK)
		jout_null(out);
	rpc_block_clear(&b);
	return code;
}

static void put_signers(struct jout *out, const struct certificate *c,
			const struct validator_set *set)
{
	size_t at = 0;

	jout_array(out);
	for (size_t k = 0; k < set->count; k++) {
		if (!signer_bits_get(&c->signers, k))
			continue;
		jout_object(out);
		form_member(out, set, k);
		form_seal(out, &c->signatures[at++]);
		jout_object_end(out);
	}
	jout_array_end(out);
}

static void put_certificate(struct jout *out, const struct rpc_block *b,
			    const struct certificate *c, const struct validator_set *set)
{
	jout_object(out);
	form_key_quantity(out, "height", c->height);
	form_key_quantity(out, "view", c->view);
	form_key_hash(out, "blockHash", &c->block_hash);
	form_key_hash(out, "validatorsHash", &set->hash);
	form_key_quantity(out, "weight", validator_set_weight(set, &c->signers).n);
	form_key_quantity(out, "quorumWeight", validator_set_quorum(set).n);
	jout_key(out, "signers");
	put_signers(out, c, set);
	form_key_data(out, "raw", buf_bytes(&b->certificate));
	form_key_hash(out, "extraData", &b->header.extra_data);
	jout_key(out, "commitments");
	form_commitments(out, &b->commitments);
	jout_object_end(out);
}

static int decode_certificate(struct rpc_item *i, struct jout *out, const struct rpc_block *b,
			      struct err *err)
{
	struct certificate *c = xmalloc(sizeof(*c));
	struct epoch epoch;
	int code = call_find_epoch(i, b, &epoch, err);

	if (code == OK && certificate_decode(c, buf_bytes(&b->certificate), err) != OK)
		code = err_prefix(err, RPC_E_INTERNAL, "the certificate of block %llu",
				  (unsigned long long)b->header.height);
	if (code == OK)
		put_certificate(out, b, c, &epoch.set);
	free(c);
	return code;
}

int call_get_certificate(struct rpc_item *i, struct jout *out, struct err *err)
{
	struct rpc_block b = { 0 };
	bool found;
	int code = rpc_item_block(i, &i->args->at[0].block, &b, &found, err);

	if (code == OK && found && b.certificate.size)
		code = decode_certificate(i, out, &b, err);
	else if (code == OK)
		jout_null(out);
	rpc_block_clear(&b);
	return code;
}

/* --- weft_consensusStatus --- */

int call_consensus_status(struct rpc_item *i, struct jout *out, struct err *err)
{
	i->state = xcalloc(1, sizeof(struct rpc_consensus_status));
	i->waits = true;
	return OK;
}

static int ask_consensus(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err)
{
	node->ops->consensus_status(node->ctx, i->state);
	return OK;
}

static void put_flag(struct jout *out, const char *key, bool flag)
{
	jout_key(out, key);
	jout_bool(out, flag);
}

static void put_optional(struct jout *out, const char *key, bool is_there, uint64_t value)
{
	jout_key(out, key);
	if (is_there)
		jout_quantity(out, value);
	else
		jout_null(out);
}

static void put_consensus_member(struct jout *out, const struct rpc_consensus_member *m)
{
	jout_object(out);
	form_key_addr(out, "address", &m->address);
	form_key_quantity(out, "weight", m->weight.n);
	put_flag(out, "voted", m->voted);
	put_flag(out, "prepared", m->prepared);
	put_flag(out, "committed", m->committed);
	put_flag(out, "viewChanged", m->view_changed);
	put_flag(out, "isSelf", m->is_self);
	put_flag(out, "isConnected", m->is_connected);
	put_optional(out, "lastSeenMs", m->has_last_seen, m->last_seen_ms);
	put_optional(out, "lastSeenMsAgo", m->has_last_seen, m->age_ms);
	put_optional(out, "lastSeenHeight", m->has_last_seen, m->height);
	jout_object_end(out);
}

static void put_progress(struct jout *out, const struct rpc_consensus_status *s)
{
	form_key_quantity(out, "totalWeight", s->total.n);
	form_key_quantity(out, "quorumWeight", s->quorum.n);
	form_key_quantity(out, "votedWeight", s->voted.n);
	form_key_quantity(out, "missingWeight", s->missing.n);
	form_key_quantity(out, "reachableWeight", s->reachable.n);
	form_key_quantity(out, "committedHeight", s->committed_height);
	form_key_quantity(out, "committedTimeMs", s->committed_time_ms);
	form_key_quantity(out, "writtenHeight", s->written_height);
	put_optional(out, "fetchingTo", s->is_fetching, s->fetch_height);
	put_optional(out, "checkpointHeight", s->has_checkpoint, s->checkpoint_height);
	form_key_quantity(out, "viewChanges", s->view_change_total);
	form_key_quantity(out, "evidence", s->evidence_count);
}

static int tell_consensus(struct rpc_item *i, struct jout *out, struct err *err)
{
	const struct rpc_consensus_status *s = i->state;

	jout_object(out);
	form_key_quantity(out, "height", s->height);
	form_key_quantity(out, "view", s->view);
	form_key_quantity(out, "epoch", s->epoch);
	jout_key(out, "role");
	jout_str(out, s->role);
	jout_key(out, "phase");
	jout_str(out, s->phase);
	jout_key(out, "reason");
	jout_string(out, buf_bytes(&s->reason));
	put_optional(out, "timeoutMsLeft", s->has_timeout, s->timeout_ms_left);
	put_optional(out, "nextStepMsLeft", s->has_next_step, s->next_step_ms_left);
	form_key_addr(out, "proposer", &s->proposer);
	put_progress(out, s);
	jout_key(out, "validators");
	jout_array(out);
	for (size_t k = 0; k < s->member_count; k++)
		put_consensus_member(out, &s->members[k]);
	jout_array_end(out);
	jout_key(out, "refused");
	jout_object(out);
	for (size_t k = 0; k < s->refusal_count; k++)
		form_key_quantity(out, s->refusals[k].reason, s->refusals[k].count);
	jout_object_end(out);
	jout_object_end(out);
	return OK;
}

static void release_consensus(void *state)
{
	rpc_consensus_status_clear(state);
	free(state);
}

const struct rpc_errand errand_consensus_status = { ask_consensus, tell_consensus,
						    release_consensus };

/* --- weft_methods: the table itself --- */

int call_methods(struct rpc_item *i, struct jout *out, struct err *err)
{
	size_t count;
	const struct rpc_method *methods = rpc_methods(&count);

	jout_array(out);
	for (size_t k = 0; k < count; k++) {
		jout_object(out);
		jout_key(out, "name");
		jout_str(out, methods[k].name);
		jout_key(out, "params");
		jout_str(out, methods[k].params);
		jout_key(out, "returns");
		jout_str(out, methods[k].returns);
		jout_key(out, "doc");
		jout_str(out, methods[k].doc);
		jout_key(out, "asksNode"); /* its thread, beside a worker's */
		jout_bool(out, methods[k].errand);
		form_key_quantity(out, "cost", methods[k].cost);
		jout_object_end(out);
	}
	jout_array_end(out);
	return OK;
}
