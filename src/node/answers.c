/* Answers to what RPC asks on the node's thread: pool, proofs, consensus. */
#include <stdlib.h>

#include "node/internal.h"

#include "base/check.h"

int node_submit(struct node *n, struct tx *t, struct err *err)
{
	struct txpool_account account;
	struct account sender;
	struct err broken = { 0 };
	int code;

	if (n->is_stopped || n->is_winding_down)
		return ERR_SET(err, RPC_E_LIMIT, "the node is shutting down");
	if (n->is_stalled)
		return ERR_SET(err, RPC_E_LIMIT, "the node takes no transactions: %s", n->stall.message);
	code = state_account(&(struct state_view){ store_state(n->store).ops, store_state(n->store).ctx },
			     &sender, &t->sender, &broken);
	if (code != OK) {
		node_stop(n, &broken); /* gossip's has no `err` */
		return ERR_SET(err, RPC_E_INTERNAL, "%s", broken.message);
	}
	account = (struct txpool_account){ sender.nonce, sender.balance };
	code = exec_admit(&n->config.genesis->params, store_state(n->store), t, &sender, err);
	if (code == OK)
		code = txpool_add(n->pool, t, &account, NULL, err);
	if (code != OK) {
		n->metrics.rejected_total++;
		return RPC_E_REJECTED;
	}
	n->metrics.submitted_total++;
	polls_note_tx(n->polls, &t->hash);
	return OK;
}

static int submit(void *ctx, struct tx *t, struct err *err)
{
	struct node *n = ctx;
	int code = node_submit(n, t, err);

	n->metrics.recovered_total++; /* by the worker that decoded it */
	if (code == OK) {
		node_timing_taken(n, &t->hash, true);
		node_gossip(n, t);
		node_route_work(n);
	}
	return code;
}

static struct tx *pool_get(void *ctx, const struct hash *hash)
{
	const struct node *n = ctx;

	return txpool_get(n->pool, hash);
}

static uint64_t pool_next_nonce(void *ctx, const struct addr *sender)
{
	const struct node *n = ctx;
	struct state_view view = store_state(n->store);
	struct account account;

	if (state_account(&view, &account, sender, NULL) != OK)
		account = account_empty;
	return txpool_next_nonce(n->pool, sender, account.nonce);
}

static void pool_stats(void *ctx, struct rpc_pool_stats *out)
{
	const struct node *n = ctx;
	struct txpool_stats stats;

	txpool_get_stats(n->pool, &stats);
	*out = (struct rpc_pool_stats){ stats.pending_count, stats.future_count, stats.size };
}

static void pool_each(void *ctx, rpc_pool_tx_fn fn, void *arg)
{
	const struct node *n = ctx;

	txpool_each(n->pool, fn, arg);
}

static void take_proof(struct rpc_proof *out, struct tree_proof *proof)
{
	/* The same shape on both sides of the border: nodes that the owner frees. */
	out->nodes = proof->nodes;
	out->count = proof->count;
}

bool node_is_written(const struct node *n)
{
	return n->written_height == n->tip.header.height;
}

/* The tree stands at the tip, so that is when what it proves is what readers call the newest.
 * With a candidate the tree stands one block ahead: step back, prove, step forward. */
static int prove(void *ctx, const struct addr *address, const struct hash slots[], size_t slot_count,
		 uint64_t *height, struct rpc_account *account, struct rpc_proof *account_proof,
		 struct u256 values[], struct rpc_proof slot_proofs[], struct err *err)
{
	struct node *n = ctx;
	struct state_view view = store_state(n->store);
	struct state_tree *tree = store_tree(n->store);
	struct tree_proof proof = { 0 };
	struct account found;
	struct hash root;
	int code = OK;

	if (n->is_stopped)
		return ERR_SET(err, RPC_E_LIMIT, "the node is shutting down");
	if (!node_is_written(n))
		return ERR_SET(err, n->is_stalled ? RPC_E_LIMIT : RPC_E_NOT_YET, "block %llu is final and not yet on "
			       "disk: ask for its proofs later", (unsigned long long)n->tip.header.height);
	if (n->has_candidate)
		code = state_tree_revert(tree, &n->candidate.diff, err);
	if (code == OK)
		code = state_account(&view, &found, address, err);
	if (code == OK)
		code = state_tree_prove_account(tree, &proof, address, err);
	if (code == OK)
		take_proof(account_proof, &proof);
	for (size_t i = 0; code == OK && i < slot_count; i++) {
		proof = (struct tree_proof){ 0 };
		code = state_storage(&view, &values[i], address, &slots[i], err);
		if (code == OK)
			code = state_tree_prove_slot(tree, &proof, address, &slots[i], err);
		if (code == OK)
			take_proof(&slot_proofs[i], &proof);
	}
	if (code == OK && n->has_candidate)
		code = state_tree_apply(tree, &n->candidate.diff, &root, err);
	if (code != OK) {
		node_stop(n, err);
		return RPC_E_INTERNAL;
	}
	*height = n->tip.header.height;
	*account = (struct rpc_account){ found.nonce, found.balance, found.code_hash, found.storage_root };
	return OK;
}

static void consensus_status(void *ctx, struct rpc_consensus_status *out)
{
	node_consensus_status(ctx, out);
}

static void evidence(void *ctx, struct rpc_evidence_list *out)
{
	const struct node *n = ctx;

	out->count = n->evidence.count;
	out->items = xcalloc(MAX(out->count, (size_t)1), sizeof(out->items[0]));
	for (size_t i = 0; i < out->count; i++) {
		const struct node_evidence_item *item = n->evidence.items[i];

		out->items[i] = (struct rpc_evidence){
			.validator = item->address,
			.index = item->at.validator,
			.height = item->at.height,
			.view = item->at.view,
			.kind = node_evidence_kind_name(item->at.kind),
			.validators_hash = item->validators_hash,
			.seen_ms = item->seen_ms,
		};
		buf_append_bytes(&out->items[i].first, buf_bytes(&item->first));
		buf_append_bytes(&out->items[i].second, buf_bytes(&item->second));
	}
}

static void checkpoint(void *ctx, struct rpc_checkpoint *out)
{
	const struct node *n = ctx;
	struct consensus_checkpoint *found = xcalloc(1, sizeof(*found));
	const struct validator_set *set = NULL;
	size_t next = 0;

	if (consensus_get_checkpoint(n->consensus, found))
		set = node_find_set(n, &found->validators_hash);
	if (set) {
		*out = (struct rpc_checkpoint){
			.is_there = true,
			.height = found->signatures.height,
			.epoch = found->epoch,
			.block_hash = found->signatures.block_hash,
			.validators_hash = found->validators_hash,
			.weight = validator_set_weight(set, &found->signatures.signers),
			.total = set->total,
			.faulty = validator_set_faulty(set),
			.count = found->signatures.count,
		};
		out->signers = xcalloc(out->count, sizeof(out->signers[0]));
	}
	for (size_t i = 0; set && i < set->count; i++)
		if (signer_bits_get(&found->signatures.signers, i)) {
			out->signers[next] = (struct rpc_checkpoint_signer){
				i, set->members[i].address, set->members[i].weight,
				found->signatures.signatures[next],
			};
			next++;
		}
	free(found);
}

static int poll_new(void *ctx, const struct rpc_poll *p, struct hash *id, struct err *err)
{
	const struct node *n = ctx;

	return polls_add(n->polls, p, n->io.now_ms(n->io.ctx), n->written_height, id, err);
}

static int poll_get(void *ctx, const struct hash *id, bool changes, struct rpc_poll *out, struct err *err)
{
	const struct node *n = ctx;

	return polls_get(n->polls, id, changes, n->io.now_ms(n->io.ctx), n->written_height, out, err);
}

static bool poll_end(void *ctx, const struct hash *id)
{
	const struct node *n = ctx;

	return polls_end(n->polls, id, n->io.now_ms(n->io.ctx));
}

static void metrics(void *ctx, struct buf *out)
{
	node_metrics(ctx, out);
}

static size_t peer_count(void *ctx)
{
	const struct node *n = ctx;
	struct p2p_metrics p2p = { 0 };

	if (n->p2p)
		p2p_get_metrics(n->p2p, &p2p);
	return p2p.ready_count;
}

/* A block is overdue when twice the heartbeat has passed without one. */
static void head_age(void *ctx, uint64_t *age_ms, bool *is_stalled)
{
	const struct node *n = ctx;
	uint64_t now_ms = n->io.now_ms(n->io.ctx);
	uint64_t time_ms = n->tip.commitments.time_ms;

	*age_ms = now_ms > time_ms ? now_ms - time_ms : 0;
	*is_stalled = *age_ms > 2 * n->config.genesis->params.heartbeat_ms + 5000;
}

static const char *trouble(void *ctx)
{
	const struct node *n = ctx;

	if (n->is_stopped || n->is_winding_down)
		return "the node is shutting down";
	return n->is_stalled ? "the disk is full" : NULL;
}

struct rpc_node_backend node_rpc_backend(struct node *n)
{
	static const struct rpc_node_ops ops = {
		.submit = submit,
		.pool_get = pool_get,
		.pool_next_nonce = pool_next_nonce,
		.pool_stats = pool_stats,
		.pool_each = pool_each,
		.prove = prove,
		.consensus_status = consensus_status,
		.evidence = evidence,
		.checkpoint = checkpoint,
		.poll_new = poll_new,
		.poll_get = poll_get,
		.poll_end = poll_end,
		.metrics = metrics,
		.peer_count = peer_count,
		.head_age = head_age,
		.trouble = trouble,
	};

	return (struct rpc_node_backend){ &ops, n };
}
