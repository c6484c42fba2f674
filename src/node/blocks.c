/*
 * blocks - blocks that were made elsewhere: proposed to us, or fetched with their
 * certificate when we are behind. Both ways:
 *
 *   sealed bytes ─► decode ─► senders: from the pool, else a worker ─► exec_verify
 *
 * and then EXECUTED to consensus, or the commit. One at a time; a newer proposal
 * makes the older one void. A transaction that was gossiped before is in the pool
 * with its sender, so nobody's signature is recovered twice.
 */
#include <stdlib.h>

#include "base/check.h"
#include "chain/certificate.h"
#include "codec/hex.h"
#include "node/internal.h"

/* --- batches --- */

static void run_gossip(struct node_batch *b)
{
	size_t at = 0;

	for (size_t i = 0; i < b->count; i++) {
		struct bytes raw = bytes_of(b->raw.data + at, b->sizes[i]);
		struct tx *t = NULL;

		at += b->sizes[i];
		if (tx_decode(&t, raw, LIMIT_TX_SIZE, NULL) == OK && tx_check(t, b->params, NULL) == OK &&
		    tx_recover(b->ecc, t, NULL) == OK) {
			b->txs[i] = t;
		} else {
			tx_unref(t);
			b->is_valid = false;
		}
	}
}

void node_batch_run(struct node_batch *b)
{
	b->is_valid = true;
	switch (b->kind) {
	case NODE_BATCH_GOSSIP:
		run_gossip(b);
		return;
	case NODE_BATCH_BLOCK:
		for (size_t i = 0; i < b->count && b->is_valid; i++)
			b->is_valid = tx_recover(b->ecc, b->txs[i], NULL) == OK;
		return;
	}
	UNREACHABLE();
}

bool node_batch_is_urgent(const struct node_batch *b)
{
	return b->kind == NODE_BATCH_BLOCK;
}

void node_batch_free(struct node_batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		tx_unref(b->txs[i]);
	free(b->txs);
	free(b->sizes);
	free(b->hashes);
	buf_clear(&b->raw);
	free(b);
}

/* --- the candidate --- */

void node_drop_candidate(struct node *n)
{
	struct err err = { 0 };

	if (!n->has_candidate)
		return;
	n->has_candidate = false;
	if (state_tree_revert(store_tree(n->store), &n->candidate.diff, &err) != OK)
		node_stop(n, &err);
	exec_result_clear(&n->candidate);
}

void node_remember_executed(struct node *n, const struct hash *hash, struct bytes sealed)
{
	struct node_executed *slot = &n->executed[n->executed_next++ % NODE_EXECUTED_MAX];

	slot->hash = *hash;
	buf_reset(&slot->sealed);
	buf_append_bytes(&slot->sealed, sealed);
}

void node_forget_executed(struct node *n)
{
	for (size_t i = 0; i < NODE_EXECUTED_MAX; i++) {
		n->executed[i].hash = (struct hash){ 0 };
		buf_reset(&n->executed[i].sealed);
	}
}

static const struct node_executed *find_executed(const struct node *n, const struct hash *hash)
{
	for (size_t i = 0; i < NODE_EXECUTED_MAX; i++)
		if (n->executed[i].sealed.size && hash_equal(&n->executed[i].hash, hash))
			return &n->executed[i];
	return NULL;
}

/* What the block must be: made by `coinbase`, or, if that is zero, by any validator. */
static bool expected_of(const struct node *n, const struct block *b, const struct addr *coinbase,
			struct exec_proposal *out)
{
	int index = validator_set_find(&n->tip.epoch.set, &b->header.coinbase);

	if (index < 0 || (!addr_is_zero(coinbase) && !addr_equal(coinbase, &b->header.coinbase)))
		return false;
	*out = (struct exec_proposal){
		.time_ms = b->commitments.time_ms,
		.coinbase = b->header.coinbase,
		.validator_index = (uint64_t)index,
	};
	return true;
}

/* Executes a block whose senders are known; on OK it is the candidate. EXEC_E_BLOCK: it
 * is not valid; any other failure has stopped the node. */
static int execute(struct node *n, const struct block *b, const struct addr *coinbase, struct err *err)
{
	struct exec_proposal expected;
	int code;

	node_drop_candidate(n);
	if (!expected_of(n, b, coinbase, &expected))
		return ERR_SET(err, EXEC_E_BLOCK, "the block is not by the validator whose turn it is");
	code = exec_verify(n->exec, &n->tip, store_state(n->store), store_tree(n->store), &expected, b,
			   &n->candidate, err);
	if (code == OK) {
		n->has_candidate = true;
		n->metrics.executed_total++;
	} else if (code == EXEC_E_MEDIUM) {
		node_stop(n, err);
	}
	return code;
}

bool node_candidate_is(struct node *n, const struct hash *hash)
{
	const struct node_executed *known;
	const struct addr anyone = { 0 };
	struct block block = { 0 };
	struct err err = { 0 };
	int code;

	if (n->has_candidate && hash_equal(&n->candidate.block.hash, hash))
		return true;
	/* A commit of an earlier view came after a later view's block had been executed. */
	known = find_executed(n, hash);
	code = known ? block_decode_sealed(&block, buf_bytes(&known->sealed), &err)
		     : ERR_SET(&err, NODE_E_STORAGE, "a block became final that was never executed here");
	for (size_t i = 0; code == OK && i < block.tx_count; i++)
		code = tx_recover(n->config.ecc, block.txs[i], &err);
	if (code == OK)
		code = execute(n, &block, &anyone, &err);
	block_clear(&block);
	if (code != OK)
		node_stop(n, &err);
	return code == OK;
}

/* --- senders --- */

void node_pending_clear(struct node *n)
{
	block_clear(&n->pending.block);
	buf_clear(&n->pending.sealed);
	buf_clear(&n->pending.certificate);
	n->pending = (struct node_pending){ 0 };
}

static void on_senders_known(struct node *n, bool are_valid);

static void remember_sender(struct node *n, const struct tx *t)
{
	struct addr *sender;

	if (n->senders[0].count >= NODE_RECENT_MAX) {
		struct map older = n->senders[1];

		n->senders[1] = n->senders[0];
		n->senders[0] = older;
		map_reset(&n->senders[0]);
	}
	sender = map_put(&n->senders[0], &t->hash, NULL);
	*sender = t->sender;
}

/* The transaction is the block's own: nobody else has it. */
static bool recall_sender(struct node *n, struct tx *t)
{
	const struct addr *sender = map_get(&n->senders[0], &t->hash);

	if (!sender)
		sender = map_get(&n->senders[1], &t->hash);
	if (!sender)
		return false;
	t->sender = *sender;
	t->has_sender = true;
	return true;
}

static void remember(struct node *n, const struct hash *hash)
{
	if (n->recent[0].count >= NODE_RECENT_MAX) {
		struct map older = n->recent[1];

		n->recent[1] = n->recent[0];
		n->recent[0] = older;
		map_reset(&n->recent[0]);
	}
	map_put(&n->recent[0], hash, NULL);
}

bool node_knows(struct node *n, const struct hash *hash)
{
	struct tx *known;

	if (map_get(&n->recent[0], hash) || map_get(&n->recent[1], hash))
		return true;
	known = txpool_get(n->pool, hash);
	tx_unref(known);
	return known != NULL;
}

/* Takes senders from the pool; what gossip has brought and a worker is at is waited
 * for; what nobody knows goes to a worker. Called again when one of them is back. */
static void find_senders(struct node *n)
{
	struct block *b = &n->pending.block;
	struct node_batch *batch = NULL;

	n->pending.is_waiting = false;
	for (size_t i = 0; i < b->tx_count; i++) {
		struct tx *known;

		if (b->txs[i]->has_sender)
			continue;
		known = txpool_get(n->pool, &b->txs[i]->hash);
		if (known) {
			tx_unref(b->txs[i]);
			b->txs[i] = known;
			continue;
		}
		if (recall_sender(n, b->txs[i]))
			continue;
		if (map_get(&n->in_flight, &b->txs[i]->hash)) {
			n->pending.is_waiting = true;
			continue;
		}
		if (!batch) {
			batch = xcalloc(1, sizeof(*batch));
			batch->kind = NODE_BATCH_BLOCK;
			batch->ecc = n->config.ecc;
			batch->txs = xcalloc(b->tx_count, sizeof(batch->txs[0]));
		}
		batch->txs[batch->count++] = tx_ref(b->txs[i]);
		remember(n, &b->txs[i]->hash);
	}
	if (batch) {
		batch->ticket = n->pending.ticket = ++n->ticket;
		n->metrics.recovered_total += batch->count;
		n->batch_count++;
		n->io.recover(n->io.ctx, batch);
	} else if (!n->pending.is_waiting) {
		on_senders_known(n, true);
	}
}

/* --- proposed --- */

static void answer_executed(struct node *n, const struct hash *hash, bool is_valid)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_EXECUTED, .now_ms = n->io.now_ms(n->io.ctx) };
	const struct epoch *next = is_valid ? n->candidate.next_epoch : NULL;

	event.executed.hash = *hash;
	event.executed.is_valid = is_valid;
	node_timing_step(n, NODE_STEP_READY);
	if (is_valid) {
		event.executed.time_ms = n->candidate.block.commitments.time_ms;
		event.executed.has_txs = n->candidate.block.tx_count > 0;
	}
	node_route_block(n, &event, next);
}

static void refuse_proposed(struct node *n, const struct hash *hash, const struct err *err)
{
	char text[HEX_HASH_SIZE];

	n->metrics.invalid_total++;
	LOG_WARN(n->config.log, "node", "invalid_block", "hash=%s msg=\"%s\"", hex_data(text, hash_bytes(hash)),
		 err->message);
	answer_executed(n, hash, false);
}

void node_execute_proposed(struct node *n, const struct consensus_effect *effect)
{
	const struct consensus_block *asked = &effect->execute.block;
	uint64_t latest_ms = n->io.now_ms(n->io.ctx) + NODE_CLOCK_DRIFT_MS;
	struct err err = { 0 };
	int code;

	if (n->is_winding_down)
		return;
	if (n->has_candidate && hash_equal(&n->candidate.block.hash, &asked->hash)) {
		answer_executed(n, &asked->hash, true);
		return;
	}
	/* A final block of this height is on its way: COMMITTED makes the question void. */
	if (n->pending.kind == NODE_PENDING_FETCHED)
		return;
	node_timing_step(n, NODE_STEP_BEGUN);
	node_pending_clear(n);
	n->pending.kind = NODE_PENDING_PROPOSED;
	buf_append_bytes(&n->pending.sealed, asked->sealed);
	code = block_decode_sealed(&n->pending.block, buf_bytes(&n->pending.sealed), &err);
	if (code == OK && !hash_equal(&n->pending.block.hash, &asked->hash))
		code = ERR_SET(&err, EXEC_E_BLOCK, "the block's hash is another");
	if (code == OK && !effect->execute.is_reproposal) {
		n->pending.coinbase = node_proposer(n, effect->view);
		/* The parent's time is as early as a block can be: clocks that were set back
		 * must not hold the chain up. */
		if (n->pending.block.commitments.time_ms > MAX(latest_ms, n->tip.commitments.time_ms))
			code = ERR_SET(&err, EXEC_E_BLOCK, "the block's time is ahead of this node's clock");
	}
	if (code != OK) {
		node_pending_clear(n);
		refuse_proposed(n, &asked->hash, &err);
		return;
	}
	find_senders(n);
}

static void execute_proposed(struct node *n, bool are_valid)
{
	struct hash hash = n->pending.block.hash;
	struct err err = { 0 };
	int code = ERR_SET(&err, EXEC_E_BLOCK, "a transaction's signature recovers nobody");

	if (are_valid)
		code = execute(n, &n->pending.block, &n->pending.coinbase, &err);
	if (code == OK)
		node_remember_executed(n, &hash, buf_bytes(&n->pending.sealed));
	node_pending_clear(n);
	if (n->is_stopped)
		return;
	if (code == OK)
		answer_executed(n, &hash, true);
	else
		refuse_proposed(n, &hash, &err);
}

/* --- fetched --- */

static struct node_fetched *first_fetched(struct node *n)
{
	return &n->fetched[n->fetched_first];
}

static void drop_first_fetched(struct node *n)
{
	buf_clear(&first_fetched(n)->sealed);
	buf_clear(&first_fetched(n)->certificate);
	n->fetched_first = (n->fetched_first + 1) % NODE_FETCH_COUNT;
	n->fetched_count--;
}

void node_fetch(struct node *n, uint64_t height)
{
	uint64_t missing;

	n->fetch_target = MAX(n->fetch_target, height);
	if (!n->p2p || n->is_fetching || n->is_winding_down || n->fetched_count > 0 ||
	    n->pending.kind == NODE_PENDING_FETCHED || n->fetch_target <= n->tip.header.height)
		return;
	missing = n->fetch_target - n->tip.header.height;
	n->is_fetching = true;
	node_peers_request(n, n->tip.header.height + 1, (uint32_t)MIN(missing, (uint64_t)NODE_FETCH_COUNT));
}

void node_on_not_fetched(struct node *n)
{
	n->is_fetching = false;
	n->fetch_target = n->tip.header.height; /* the next status says who is ahead */
}

void node_on_fetched(struct node *n, const struct wire_blocks *blocks, const struct addr *peer)
{
	n->is_fetching = false;
	for (size_t i = 0; i < blocks->count && n->fetched_count < NODE_FETCH_COUNT; i++) {
		size_t at = (n->fetched_first + n->fetched_count++) % NODE_FETCH_COUNT;

		n->fetched[at].height = blocks->from_height + i;
		n->fetched[at].peer = *peer;
		buf_append_bytes(&n->fetched[at].sealed, blocks->items[i].sealed);
		buf_append_bytes(&n->fetched[at].certificate, blocks->items[i].certificate);
	}
	if (blocks->count == 0)
		n->fetch_target = n->tip.header.height;
	node_fetch_continue(n);
}

/* The certificate of the block above the tip, checked before anything is executed: against
 * the set of its height, which the tip's state gave. */
static int check_fetched(struct node *n, const struct node_fetched *f, const struct block *block,
			 struct err *err)
{
	struct certificate certificate;
	int code = certificate_decode(&certificate, buf_bytes(&f->certificate), err);

	if (code == OK && (certificate.height != block->header.height ||
			   !hash_equal(&certificate.block_hash, &block->hash)))
		code = ERR_SET(err, CHAIN_E_CERTIFICATE, "the certificate is another block's");
	if (code == OK)
		code = certificate_check(&certificate, DOMAIN_COMMIT, n->config.genesis->params.chain_id,
					 &n->tip.epoch.set, n->config.ecc, err);
	return code;
}

/* Whoever sent it knew: it had what it takes to check it. */
static void refuse_fetched(struct node *n, const struct err *err)
{
	const struct addr peer = first_fetched(n)->peer;

	n->metrics.invalid_total++;
	node_peers_offence(n, &peer, P2P_OFFENCE_BLOCK);
	NODE_LOG_SOME(n, NODE_LOG_BLOCK, LOG_LEVEL_WARN, "node", "invalid_fetched", "msg=\"%s\"", err->message);
	while (n->fetched_count > 0)
		drop_first_fetched(n);
	n->fetch_target = n->tip.header.height;
}

/* Takes the next fetched block as far as it goes without waiting. */
void node_fetch_continue(struct node *n)
{
	struct node_fetched *f;
	struct block block = { 0 };
	struct err err = { 0 };
	int code;

	if (n->is_stopped || n->is_winding_down || n->pending.kind == NODE_PENDING_FETCHED)
		return;
	if (n->tip.header.height - n->written_height >= NODE_WRITE_LEAD_MAX)
		return; /* on_committed() goes on */
	if (n->fetched_count == 0) {
		node_fetch(n, n->fetch_target);
		return;
	}
	f = first_fetched(n);
	code = block_decode_sealed(&block, buf_bytes(&f->sealed), &err);
	if (code == OK && block.header.height != f->height)
		code = ERR_SET(&err, EXEC_E_BLOCK, "block %llu came in the place of %llu",
			       (unsigned long long)block.header.height, (unsigned long long)f->height);
	if (code == OK && block.header.height <= n->tip.header.height) {
		block_clear(&block); /* agreed on here meanwhile */
		drop_first_fetched(n);
		node_fetch_continue(n);
		return;
	}
	if (code == OK && block.header.height != n->tip.header.height + 1)
		code = ERR_SET(&err, EXEC_E_BLOCK, "block %llu is fetched, and %llu is next",
			       (unsigned long long)block.header.height,
			       (unsigned long long)n->tip.header.height + 1);
	if (code == OK)
		code = check_fetched(n, f, &block, &err);
	if (code != OK) {
		block_clear(&block);
		refuse_fetched(n, &err);
		return;
	}
	node_pending_clear(n);
	n->pending.kind = NODE_PENDING_FETCHED;
	n->pending.block = block;
	n->pending.certificate = f->certificate;
	f->certificate = (struct buf){ 0 };
	drop_first_fetched(n);
	find_senders(n);
}

static void commit_fetched(struct node *n, bool are_valid)
{
	const struct addr anyone = { 0 };
	struct consensus_event event = { .kind = CONSENSUS_EVENT_COMMITTED };
	uint64_t epoch = n->tip.epoch.number;
	struct buf certificate = n->pending.certificate;
	struct err err = { 0 };
	int code = ERR_SET(&err, EXEC_E_BLOCK, "a transaction's signature recovers nobody");

	n->pending.certificate = (struct buf){ 0 };
	/* Agreed on here while its senders were being found. */
	if (n->pending.block.header.height != n->tip.header.height + 1) {
		node_pending_clear(n);
		buf_clear(&certificate);
		node_fetch_continue(n);
		return;
	}
	if (are_valid)
		code = execute(n, &n->pending.block, &anyone, &err);
	node_pending_clear(n);
	if (code != OK) {
		/* A quorum has signed what does not hold here: one of us is broken. */
		LOG_ERROR(n->config.log, "node", "diverged", "msg=\"%s\"", err.message);
		node_stop(n, &err);
		buf_clear(&certificate);
		return;
	}
	event.committed = (struct consensus_tip){
		.height = n->candidate.block.header.height,
		.hash = n->candidate.block.hash,
		.time_ms = n->candidate.block.commitments.time_ms,
		.has_txs = n->candidate.block.tx_count > 0,
		.empty_count = n->candidate.block.tx_count > 0 ? 0 : CONFIRMATION_COUNT,
	};
	event.now_ms = n->io.now_ms(n->io.ctx);
	node_commit_candidate(n, buf_bytes(&certificate));
	buf_clear(&certificate);
	n->metrics.fetched_total++;
	node_route_block(n, &event, n->tip.epoch.number != epoch ? &n->tip.epoch : NULL);
	node_route_work(n);
	node_fetch_continue(n);
}

static void on_senders_known(struct node *n, bool are_valid)
{
	switch (n->pending.kind) {
	case NODE_PENDING_PROPOSED:
		execute_proposed(n, are_valid);
		return;
	case NODE_PENDING_FETCHED:
		commit_fetched(n, are_valid);
		return;
	case NODE_PENDING_NONE:
		return;
	}
	UNREACHABLE();
}

/* --- batches come back --- */

static void take_gossip(struct node *n, struct node_batch *b)
{
	size_t refused = 0;

	n->metrics.recovered_total += b->count;
	node_gossip_end(n, b);
	for (size_t i = 0; i < b->count; i++) {
		map_delete(&n->in_flight, &b->hashes[i]);
		if (!b->txs[i] || n->is_stopped)
			continue;
		if (node_submit(n, b->txs[i], NULL) == OK) {
			node_timing_taken(n, &b->hashes[i], false);
			node_gossip(n, b->txs[i]);
		} else {
			remember_sender(n, b->txs[i]);
			refused++;
		}
	}
	if (n->is_stopped)
		return;
	/* An honest node passes on what its own pool has taken. */
	if (!b->is_valid || (b->is_stranger && refused > NODE_GOSSIP_REFUSED_MAX))
		node_peers_offence(n, &b->peer, P2P_OFFENCE_TRANSACTION);
	if (n->pending.is_waiting)
		find_senders(n);
	node_route_work(n);
}

static void take_block_senders(struct node *n, const struct node_batch *b)
{
	/* Also of a proposal that was given up since: the next may have the same. */
	for (size_t i = 0; i < b->count; i++)
		if (b->txs[i]->has_sender)
			remember_sender(n, b->txs[i]);
	if (n->is_stopped || n->pending.kind == NODE_PENDING_NONE || n->pending.ticket != b->ticket)
		return;
	if (b->is_valid)
		find_senders(n);
	else
		on_senders_known(n, false);
}

void node_on_batch(struct node *n, struct node_batch *b)
{
	n->batch_count--;
	if (b->kind == NODE_BATCH_GOSSIP)
		take_gossip(n, b);
	else
		take_block_senders(n, b);
	node_batch_free(b);
}
