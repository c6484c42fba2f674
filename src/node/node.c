/* The node's life: taking the chain up, ticks, winding down. */
#include "node/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"

static int sign_digest(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	const struct node *n = ctx;

	return ecc_sign(n->config.ecc, out, digest, &n->config.validator_key, err);
}

bool node_verify(void *ctx, const struct signature *sig, const struct hash *digest, const struct addr *signer)
{
	const struct node *n = ctx;
	struct addr found;

	return ecc_recover_address(n->config.ecc, &found, digest, sig, NULL) == OK &&
	       addr_equal(&found, signer);
}

void node_stop(struct node *n, const struct err *err)
{
	if (n->is_stopped)
		return;
	n->is_stopped = true;
	LOG_ERROR(n->config.log, "node", "stop", "msg=\"%s\"", err->message);
	n->io.stop(n->io.ctx, err);
}

bool node_log_allows(struct node *n, enum node_log_kind kind, char more[NODE_LOG_MORE_SIZE])
{
	uint64_t left_out;

	if (!n->config.log || !log_rate_allows(&n->log_rates[kind], n->io.now_ms(n->io.ctx), &left_out))
		return false;
	more[0] = '\0';
	if (left_out > 0)
		snprintf(more, NODE_LOG_MORE_SIZE, " left_out=%llu", (unsigned long long)left_out);
	return true;
}

/* What block_decode_sealed() finds, down to the transactions. */
static bool is_block(void *ctx, struct bytes sealed, const struct hash *hash)
{
	struct block block = { 0 };
	bool is_same;

	(void)ctx;
	is_same = block_decode_sealed(&block, sealed, NULL) == OK && hash_equal(&block.hash, hash);
	block_clear(&block);
	return is_same;
}

struct addr node_proposer(const struct node *n, uint64_t view)
{
	const struct epoch *epoch = &n->tip.epoch;
	struct consensus_status status;
	size_t index;

	consensus_get_status(n->consensus, &status);
	index = status.view == view ? status.proposer
				    : validator_set_proposer(&epoch->set, epoch->first,
							     n->tip.header.height + 1, view);
	return epoch->set.members[index].address;
}

struct exec_proposal node_proposal(const struct node *n)
{
	struct consensus_status status;

	consensus_get_status(n->consensus, &status);
	return (struct exec_proposal){
		.time_ms = n->io.now_ms(n->io.ctx),
		.validator_index = status.proposer,
		.coinbase = n->tip.epoch.set.members[status.proposer].address,
	};
}

/* What the last blocks were like, for the empty ones that must follow a full one. */
static struct consensus_tip consensus_tip_of(struct node *n, const struct store_tip *tip)
{
	struct store_reader *reader = store_reader_new(n->store);
	struct consensus_tip out = {
		.height = tip->header.height,
		.hash = tip->hash,
		.time_ms = tip->commitments.time_ms,
		.empty_count = CONFIRMATION_COUNT,
	};

	for (uint64_t back = 0; back < CONFIRMATION_COUNT && back <= out.height; back++) {
		struct stored_header header = { 0 };
		bool has_txs;

		if (store_read_header(reader, out.height - back, &header, NULL) != OK)
			break;
		has_txs = header.tx_count > 0;
		stored_header_clear(&header);
		if (has_txs) {
			out.has_txs = back == 0;
			out.empty_count = back;
			break;
		}
	}
	store_reader_free(reader);
	return out;
}

static int restore_record(void *ctx, uint8_t kind, struct bytes payload, struct err *err)
{
	struct node *n = ctx;

	if (kind != NODE_RECORD_SIGNED)
		return ERR_SET(err, CONSENSUS_E_RECORD, "the consensus log has a record of the unknown kind %u: it was "
			       "written by a newer version", kind);
	return consensus_restore(n->consensus, payload, &n->bound_sealed, err);
}

static int find_self(struct node *n, struct err *err)
{
	struct public_key key;
	int code;

	if (!n->config.is_validator)
		return OK;
	code = ecc_public_key(n->config.ecc, &key, &n->config.validator_key, err);
	if (code == OK)
		ecc_address(&n->self, &key);
	return code;
}

static int start_consensus(struct node *n, const struct store_tip *tip, struct err *err)
{
	const struct genesis *g = n->config.genesis;
	struct consensus_tip at = consensus_tip_of(n, tip);
	struct consensus_config config = {
		.chain_id = g->params.chain_id,
		.self = n->self,
		.epoch = node_consensus_epoch(&n->tip.epoch),
		.min_interval_ms = g->params.min_interval_ms,
		.heartbeat_ms = g->params.heartbeat_ms,
		.view_timeout_ms = g->params.view_timeout_ms,
		.sign = sign_digest,
		.verify = node_verify,
		.is_block = is_block,
		.ctx = n,
	};
	char text[HEX_ADDR_SIZE];
	struct epoch before;
	int code = node_epoch_before(n, &before, err);

	if (code != OK)
		return code;
	if (before.set.count > 0)
		config.before = node_consensus_epoch(&before);
	code = consensus_new(&n->consensus, &config, &at, err);
	if (code != OK)
		return code;
	/* An observer's machine is a member of no set: it signs nothing, and counts others' checkpoints. */
	if (!n->config.is_validator) {
		LOG_WARN(n->config.log, "node", "observing", "msg=\"this node is no validator and makes no blocks\"");
		return OK;
	}
	if (!node_is_member(n))
		LOG_WARN(n->config.log, "node", "waiting", "validator=%s epoch=%llu msg=\"not a validator of this "
			 "epoch: follows the chain, and signs as soon as the validators have voted it in\"",
			 hex_data(text, addr_bytes(&n->self)), (unsigned long long)n->tip.epoch.number);
	return store_consensus_replay(n->store, restore_record, n, err);
}

static void publish_first_head(struct node *n)
{
	struct node_head *head = node_head_new(store_reader_new(n->store), &n->tip, n->config.seed);

	n->io.publish(n->io.ctx, head);
}

int node_new(struct node **out, const struct node_config *config, struct store *store,
	     const struct node_io *io, struct err *err)
{
	struct node *n = xcalloc(1, sizeof(*n));
	struct store_tip tip;
	int code;

	n->config = *config;
	n->io = *io;
	n->store = store;
	store_get_tip(store, &tip);
	n->tip = (struct exec_parent){
		.header = tip.header,
		.hash = tip.hash,
		.commitments = tip.commitments,
		.history = tip.history,
		.second_gas = tip.second_gas,
		.withdrawal_index = tip.withdrawal_index,
		.genesis_ms = config->genesis->time_ms,
	};
	n->written_height = tip.header.height;
	/* Counting anew from the tip, a node that is killed again and again would never flush. */
	n->flush_taken_height = tip.flushed_height;
	map_init(&n->recent[0], sizeof(struct hash), 0, config->seed);
	map_init(&n->recent[1], sizeof(struct hash), 0, config->seed);
	map_init(&n->senders[0], sizeof(struct hash), sizeof(struct addr), config->seed);
	map_init(&n->senders[1], sizeof(struct hash), sizeof(struct addr), config->seed);
	map_init(&n->in_flight, sizeof(struct hash), 0, config->seed);
	node_timing_init(&n->timing, config->seed);
	n->polls = polls_new(config->seed);
	n->pool = txpool_new(config->pool, config->seed);
	n->exec = exec_new(&config->genesis->params, config->seed);
	txpool_set_base_fee(n->pool, exec_next_base_fee(n->exec, &n->tip, io->now_ms(io->ctx)));
	code = find_self(n, err);
	if (code == OK)
		code = node_epoch_start(n, err);
	if (code == OK)
		code = start_consensus(n, &tip, err);
	if (code != OK) {
		node_free(n);
		return code;
	}
	code = node_evidence_load(n, err);
	if (code != OK) {
		node_free(n);
		return code;
	}
	publish_first_head(n);
	if (config->p2p)
		code = node_peers_start(n, err);
	n->config.p2p = NULL; /* was borrowed */
	if (code != OK) {
		node_free(n);
		return code;
	}
	node_on_tick(n);
	*out = n;
	return OK;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	exec_result_clear(&n->candidate);
	buf_clear(&n->candidate_sealed);
	buf_clear(&n->bound_sealed);
	node_pending_clear(n);
	for (size_t i = 0; i < NODE_EXECUTED_MAX; i++)
		buf_clear(&n->executed[i].sealed);
	for (size_t i = 0; i < NODE_FETCH_COUNT; i++) {
		buf_clear(&n->fetched[i].sealed);
		buf_clear(&n->fetched[i].certificate);
	}
	for (size_t i = 0; i < n->follow_count; i++)
		free(n->follow[i].next);
	node_peers_free(n);
	node_evidence_clear(n);
	polls_free(n->polls);
	map_clear(&n->in_flight);
	node_timing_clear(&n->timing);
	map_clear(&n->senders[0]);
	map_clear(&n->senders[1]);
	map_clear(&n->recent[0]);
	map_clear(&n->recent[1]);
	consensus_free(n->consensus);
	exec_free(n->exec);
	txpool_free(n->pool);
	crypto_wipe(&n->config.validator_key, sizeof(n->config.validator_key));
	free(n);
}

void node_on_tick(struct node *n)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_TICK, .now_ms = n->io.now_ms(n->io.ctx) };

	/* The base fee falls as time passes, so waiting transactions may become takeable. */
	txpool_set_base_fee(n->pool, exec_next_base_fee(n->exec, &n->tip, event.now_ms));
	node_route(n, &event);
	node_route_work(n);
}

void node_on_write_stall(struct node *n, bool is_stalled, const struct err *err)
{
	n->is_stalled = is_stalled;
	if (is_stalled) {
		n->stall = *err;
		n->metrics.stalls_total++;
		LOG_ERROR(n->config.log, "store", "stalled", "msg=\"%s\"", err->message);
	} else {
		LOG_WARN(n->config.log, "store", "resumed", "height=%llu", (unsigned long long)n->written_height);
		node_evidence_write(n);
	}
}

bool node_wind_down(struct node *n)
{
	if (!n->is_winding_down) {
		n->is_winding_down = true;
		node_peers_stop(n);
	}
	if (n->is_stopped)
		return true;
	/* What is on its way to the disk may still make the candidate final. */
	if (n->job_count > 0)
		return false;
	/* Not agreed on without us, it is in the log if we signed it. */
	node_drop_candidate(n);
	if (!n->is_final_flush_done) {
		n->is_final_flush_done = true;
		node_route_flush(n, true);
	}
	return n->job_count == 0;
}
