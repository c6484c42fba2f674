/*
 * peers - between p2p and the rest of the node: what peers deliver goes where it
 * belongs, and what the node has for them waits until p2p has finished its step.
 */
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "crypto/keccak.h"
#include "node/internal.h"

#define GOSSIP_SIZE_MAX (WIRE_TRANSACTIONS_SIZE_MAX / 2)
#define GOSSIP_HERE_MAX 1 /* transactions whose sender is found on the node's thread, once a turn */

static void run_commands(struct node *n);

/* --- what the node has for peers --- */

/* What others are waiting for. What peers make us do (answers, offences, evidence) never
 * takes the last places, however much of it comes in one piece. */
static bool is_own_word(enum p2p_event_kind kind)
{
	return kind == P2P_EVENT_SEND_CONSENSUS || kind == P2P_EVENT_SEND_CHECKPOINT || kind == P2P_EVENT_SET_TIP ||
	       kind == P2P_EVENT_REQUEST_BLOCKS;
}

/* `data` is copied. Dropped, and counted, if far too much waits: everything that is
 * sent here is sent again, or asked for again, when it is missed. */
static void command(struct node *n, struct p2p_event event, struct bytes data)
{
	struct node_command *c;

	if (!n->p2p)
		return;
	if (n->command_count >= (is_own_word(event.kind) ? NODE_COMMAND_MAX : NODE_COMMAND_MAX / 2)) {
		n->metrics.commands_dropped_total++;
		return;
	}
	c = &n->commands[n->command_count++];
	*c = (struct node_command){ .event = event };
	buf_append_bytes(&c->data, data);
	if (!n->is_stepping)
		run_commands(n);
}

void node_peers_send_consensus(struct node *n, struct bytes message)
{
	command(n, (struct p2p_event){ .kind = P2P_EVENT_SEND_CONSENSUS }, message);
}

void node_peers_send_evidence(struct node *n, const struct addr *peer, struct bytes evidence)
{
	command(n, (struct p2p_event){ .kind = P2P_EVENT_SEND_EVIDENCE, .peer = *peer }, evidence);
}

void node_peers_send_checkpoint(struct node *n, struct bytes checkpoint)
{
	command(n, (struct p2p_event){ .kind = P2P_EVENT_SEND_CHECKPOINT }, checkpoint);
}

void node_peers_request(struct node *n, uint64_t from_height, uint32_t count)
{
	struct p2p_event event = { .kind = P2P_EVENT_REQUEST_BLOCKS };

	event.request = (struct wire_blocks_request){ from_height, count };
	command(n, event, (struct bytes){ 0 });
}

void node_peers_offence(struct node *n, const struct addr *peer, enum p2p_offence offence)
{
	struct p2p_event event = { .kind = P2P_EVENT_OFFENCE, .peer = *peer };

	event.offence = offence;
	command(n, event, (struct bytes){ 0 });
}

void node_peers_tip(struct node *n, const struct addr *peer)
{
	struct p2p_event event = { .kind = P2P_EVENT_SET_TIP, .peer = *peer };

	event.tip = (struct wire_status){ n->tip.header.height, n->tip.hash };
	command(n, event, (struct bytes){ 0 });
}

void node_peers_validators(struct node *n)
{
	if (!n->p2p)
		return;
	n->are_validators_due = true; /* unlike a command, never dropped */
	if (!n->is_stepping)
		run_commands(n);
}

/* --- gossip, gathered over a turn --- */

static void send_gossip_to(struct node *n, const struct addr *peer)
{
	struct node_command *c;

	if (n->gossip_count == 0)
		return;
	if (n->command_count == NODE_COMMAND_MAX) {
		NODE_LOG_SOME(n, NODE_LOG_BUSY, LOG_LEVEL_WARN, "p2p", "busy", "kind=%d", (int)P2P_EVENT_SEND_TRANSACTIONS);
	} else {
		c = &n->commands[n->command_count++];
		*c = (struct node_command){ .event = { .kind = P2P_EVENT_SEND_TRANSACTIONS, .peer = *peer } };
		c->data = n->gossip;
		c->sizes = n->gossip_sizes;
		c->count = n->gossip_count;
		n->gossip = (struct buf){ 0 };
		n->gossip_sizes = NULL;
		n->gossip_capacity = 0;
	}
	buf_reset(&n->gossip);
	n->gossip_count = 0;
	if (!n->is_stepping)
		run_commands(n);
}

static void send_gossip(struct node *n)
{
	const struct addr everyone = { 0 };

	send_gossip_to(n, &everyone);
}

static bool gossip_is_full(const struct node *n, const struct tx *t)
{
	return n->gossip_count == WIRE_TRANSACTIONS_COUNT_MAX || n->gossip.size + t->raw.size > GOSSIP_SIZE_MAX;
}

static void append_gossip(struct node *n, const struct tx *t)
{
	if (n->gossip_count == n->gossip_capacity) {
		n->gossip_capacity = MAX(n->gossip_capacity * 2, (size_t)64);
		n->gossip_sizes = xrealloc(n->gossip_sizes, n->gossip_capacity * sizeof(n->gossip_sizes[0]));
	}
	n->gossip_sizes[n->gossip_count++] = t->raw.size;
	buf_append_bytes(&n->gossip, t->raw);
}

void node_gossip(struct node *n, const struct tx *t)
{
	if (!n->p2p)
		return;
	if (gossip_is_full(n, t))
		send_gossip(n);
	append_gossip(n, t);
}

struct share {
	struct node *n;
	struct addr peer;
	size_t size;
};

static void share_tx(void *ctx, struct tx *t, bool is_pending)
{
	struct share *s = ctx;

	if (!is_pending || s->size + t->raw.size > NODE_SHARE_SIZE_MAX)
		return;
	if (gossip_is_full(s->n, t))
		send_gossip_to(s->n, &s->peer);
	append_gossip(s->n, t);
	s->size += t->raw.size;
}

/* What waits here is told to whoever has just come: gossip that left while it was
 * away is not sent again, and a validator that knows of no work calls for no block. */
static void share_pool(struct node *n, const struct addr *peer)
{
	struct share share = { n, *peer, 0 };

	send_gossip(n);
	txpool_each(n->pool, share_tx, &share);
	send_gossip_to(n, peer);
}

void node_on_turn_end(struct node *n)
{
	n->has_recovered = false;
	if (n->p2p)
		send_gossip(n);
}

/* --- what peers deliver --- */

static struct node_gossiper *find_gossiper(struct node *n, const struct addr *peer)
{
	for (size_t i = 0; i < n->gossiper_count; i++)
		if (addr_equal(&n->gossipers[i].address, peer))
			return &n->gossipers[i];
	return NULL;
}

bool node_gossip_begin(struct node *n, const struct addr *peer, bool is_stranger, size_t count)
{
	struct node_gossiper *g = find_gossiper(n, peer);
	size_t of_one = is_stranger ? NODE_GOSSIP_OF_STRANGER_MAX : NODE_GOSSIP_OF_ONE_MAX;

	/* One message is taken whole, from whoever has none with the workers. */
	if (g && g->count + count > of_one)
		return false;
	if (is_stranger && n->stranger_gossip_count > 0 &&
	    n->stranger_gossip_count + count > NODE_GOSSIP_OF_STRANGERS_MAX)
		return false;
	if (!g) {
		if (n->gossiper_count == ARRAY_COUNT(n->gossipers))
			return false;
		g = &n->gossipers[n->gossiper_count++];
		*g = (struct node_gossiper){ .address = *peer };
	}
	g->count += count;
	n->stranger_gossip_count += is_stranger ? count : 0;
	return true;
}

void node_gossip_end(struct node *n, const struct node_batch *batch)
{
	struct node_gossiper *g = find_gossiper(n, &batch->peer);

	CHECK(g && g->count >= batch->count);
	g->count -= batch->count;
	if (g->count == 0)
		*g = n->gossipers[--n->gossiper_count];
	if (batch->is_stranger)
		n->stranger_gossip_count -= batch->count;
}

void node_take_transactions(struct node *n, const struct wire_transactions *m, const struct addr *peer)
{
	struct node_batch *batch;

	/* One place stays free for a block's. */
	if (n->is_stalled || n->is_winding_down || n->batch_count + 1 >= NODE_BATCH_MAX) {
		p2p_forget_transactions(n->p2p, m->items, m->count);
		return;
	}
	batch = xcalloc(1, sizeof(*batch));
	batch->kind = NODE_BATCH_GOSSIP;
	batch->params = &n->config.genesis->params;
	batch->ecc = n->config.ecc;
	batch->peer = *peer;
	batch->is_stranger = !p2p_is_listed(n->p2p, peer);
	batch->sizes = xcalloc(m->count, sizeof(batch->sizes[0]));
	batch->txs = xcalloc(m->count, sizeof(batch->txs[0]));
	batch->hashes = xcalloc(m->count, sizeof(batch->hashes[0]));
	for (size_t i = 0; i < m->count; i++) {
		struct hash hash;

		keccak256(&hash, m->items[i]);
		if (node_knows(n, &hash) || map_get(&n->in_flight, &hash))
			continue;
		batch->hashes[batch->count] = hash;
		batch->sizes[batch->count++] = m->items[i].size;
		buf_append_bytes(&batch->raw, m->items[i]);
	}
	if (batch->count == 0) {
		node_batch_free(batch);
		return;
	}
	if (!node_gossip_begin(n, peer, batch->is_stranger, batch->count)) {
		n->metrics.gossip_dropped_total += batch->count;
		p2p_forget_transactions(n->p2p, m->items, m->count);
		node_batch_free(batch);
		return;
	}
	for (size_t i = 0; i < batch->count; i++)
		map_put(&n->in_flight, &batch->hashes[i], NULL);
	n->batch_count++;
	/* With nothing else to do the way to a worker and back takes as long as the work. */
	if (n->batch_count == 1 && batch->count <= GOSSIP_HERE_MAX && !n->has_recovered && !batch->is_stranger) {
		n->has_recovered = true;
		node_batch_run(batch);
		node_on_batch(n, batch);
		return;
	}
	n->io.recover(n->io.ctx, batch);
}

/* The event to consensus; what breaks a rule there costs its sender. */
static void route_from(struct node *n, struct consensus_event *event, const struct addr *peer)
{
	uint64_t before = consensus_refused_total(n->consensus);

	CHECK(!n->is_routing); /* what the event points to is ours only until we return */
	event->now_ms = n->io.now_ms(n->io.ctx);
	node_route(n, event);
	if (consensus_refused_total(n->consensus) > before)
		node_peers_offence(n, peer, P2P_OFFENCE_REFUSED);
}

static void on_consensus(struct node *n, struct bytes bytes, const struct addr *peer)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_MESSAGE };
	struct message message = { 0 };
	struct err err = { 0 };

	n->metrics.messages_total++;
	if (!n->config.is_validator)
		return; /* an observer follows by blocks */
	if (message_decode(&message, bytes, &err) != OK) {
		n->metrics.malformed_total++;
		NODE_LOG_SOME(n, NODE_LOG_MALFORMED, LOG_LEVEL_WARN, "consensus", "malformed", "msg=\"%s\"", err.message);
		node_peers_offence(n, peer, P2P_OFFENCE_MESSAGE);
		return;
	}
	event.message = &message;
	route_from(n, &event, peer);
	message_clear(&message);
}

static void on_checkpoint(struct node *n, struct bytes bytes, const struct addr *peer)
{
	struct consensus_event event = { .kind = CONSENSUS_EVENT_CHECKPOINT };
	struct checkpoint checkpoint;
	struct err err = { 0 };

	if (checkpoint_decode(&checkpoint, bytes, &err) != OK) {
		n->metrics.malformed_total++;
		NODE_LOG_SOME(n, NODE_LOG_MALFORMED, LOG_LEVEL_WARN, "consensus", "malformed", "msg=\"%s\"", err.message);
		node_peers_offence(n, peer, P2P_OFFENCE_EVIDENCE);
		return;
	}
	event.checkpoint = &checkpoint;
	route_from(n, &event, peer);
}

static int append_raw(void *ctx, uint32_t index, const struct stored_tx *t, struct err *err)
{
	struct block *b = ctx;

	(void)err;
	CHECK(index < b->tx_count);
	b->txs[index] = tx_ref(t->tx);
	return OK;
}

/* A stored block in its sealed form, with its certificate. */
static bool read_sealed(struct store_reader *reader, uint64_t height, struct buf *sealed, struct buf *certificate)
{
	struct stored_header stored = { 0 };
	struct block block = { 0 };
	bool is_good = store_read_header(reader, height, &stored, NULL) == OK;

	if (is_good) {
		block.header = stored.header;
		block.hash = stored.hash;
		block.commitments = stored.commitments;
		block.tx_count = stored.tx_count;
		block.txs = xcalloc(MAX(stored.tx_count, (size_t)1), sizeof(block.txs[0]));
		block.withdrawals = stored.withdrawals;
		block.withdrawal_count = stored.withdrawal_count;
		stored.withdrawals = NULL;
		stored.withdrawal_count = 0;
		is_good = store_each_tx(reader, height, append_raw, &block, NULL) == OK;
	}
	if (is_good) {
		block_encode_sealed(sealed, &block);
		buf_append_bytes(certificate, buf_bytes(&stored.certificate));
	}
	block_clear(&block);
	stored_header_clear(&stored);
	return is_good;
}

/* A validator is about to commit the next block itself: it asks for it only if that
 * does not happen soon. */
static void on_status(struct node *n, uint64_t height)
{
	if (height <= n->tip.header.height)
		return;
	if (!node_is_member(n) || height > n->tip.header.height + 1) {
		node_fetch(n, height);
		return;
	}
	n->fetch_target = MAX(n->fetch_target, height);
	if (n->lag_check_ms == 0)
		n->lag_check_ms = n->io.steady_ms(n->io.ctx) + NODE_LAG_MS;
}

/* --- stepping --- */

static void on_deliver(struct node *n, const struct p2p_effect *effect)
{
	const struct wire_message *m = &effect->deliver;
	struct p2p_event answer = { .kind = P2P_EVENT_ANSWER_BLOCKS, .handle = effect->handle };

	switch (m->kind) {
	case WIRE_TRANSACTIONS:
		node_take_transactions(n, &m->transactions, &effect->peer);
		return;
	case WIRE_CONSENSUS:
		on_consensus(n, m->consensus, &effect->peer);
		return;
	case WIRE_BLOCKS_REQUEST:
		answer.request = m->blocks_request; /* read when p2p can take the answer */
		command(n, answer, (struct bytes){ 0 });
		return;
	case WIRE_BLOCKS:
		node_on_fetched(n, &m->blocks, &effect->peer);
		return;
	case WIRE_STATUS:
		on_status(n, m->status.height);
		return;
	case WIRE_EVIDENCE:
		node_evidence_received(n, m->evidence, &effect->peer);
		return;
	case WIRE_CHECKPOINT:
		on_checkpoint(n, m->checkpoint, &effect->peer);
		return;
	case WIRE_HELLO:
	case WIRE_PING:
	case WIRE_PONG:
	case WIRE_GOODBYE:
		return; /* p2p's own */
	}
	UNREACHABLE();
}

static void on_up(struct node *n, const struct p2p_effect *effect)
{
	char text[HEX_ADDR_SIZE];

	LOG_INFO(n->config.log, "p2p", "peer_up", "peer=%s outbound=%d height=%llu",
		 hex_data(text, addr_bytes(&effect->peer)), effect->up.is_outbound,
		 (unsigned long long)effect->up.tip.height);
	node_fetch(n, effect->up.tip.height);
	/* A stranger hears what comes from now on: the pool is 4 MiB to write, and coming is cheap. */
	if (p2p_is_listed(n->p2p, &effect->peer))
		share_pool(n, &effect->peer);
	node_evidence_share(n, &effect->peer);
}

static void on_down(struct node *n, const struct p2p_effect *effect)
{
	char text[HEX_ADDR_SIZE];

	LOG_INFO(n->config.log, "p2p", "peer_down", "peer=%s reason=%s",
		 hex_data(text, addr_bytes(&effect->peer)), p2p_reason_name(effect->down));
}

static void on_trace(struct node *n, const struct p2p_effect *effect)
{
	char text[HEX_ADDR_SIZE];

	hex_data(text, addr_bytes(&effect->peer));
	switch (effect->trace.what) {
	case P2P_TRACE_OFFENCE:
		NODE_LOG_SOME(n, NODE_LOG_OFFENCE, LOG_LEVEL_WARN, "p2p", "offence", "peer=%s offence=%s msg=\"%s\"", text,
			      p2p_offence_name(effect->trace.offence), effect->trace.detail);
		return;
	case P2P_TRACE_REPLACED:
		LOG_INFO(n->config.log, "p2p", "replaced", "peer=%s", text);
		return;
	case P2P_TRACE_REFUSED:
	case P2P_TRACE_GOODBYE:
		if (effect->trace.reason == P2P_REASON_TWIN)
			NODE_LOG_SOME(n, NODE_LOG_SESSION_TWIN, LOG_LEVEL_ERROR, "p2p", p2p_trace_name(effect->trace.what),
				      "peer=%s reason=twin msg=\"two nodes use one key, seen from %s: stop one of them, or "
				      "give it a key of its own\"", text,
				      effect->trace.what == P2P_TRACE_REFUSED ? "here" : "there");
		else
			NODE_LOG_SOME(n, NODE_LOG_SESSION, LOG_LEVEL_WARN, "p2p", p2p_trace_name(effect->trace.what),
				      "peer=%s reason=%s", text, p2p_reason_name(effect->trace.reason));
		return;
	}
	UNREACHABLE();
}

static void on_effect(struct node *n, const struct p2p_effect *effect)
{
	switch (effect->kind) {
	case P2P_EFFECT_WRITE:
		n->io.peer_write(n->io.ctx, effect->handle, effect->write.bytes);
		return;
	case P2P_EFFECT_CLOSE:
		n->io.peer_close(n->io.ctx, effect->handle);
		return;
	case P2P_EFFECT_CONNECT:
		n->io.peer_connect(n->io.ctx, effect->connect.dial, effect->connect.endpoint);
		return;
	case P2P_EFFECT_DELIVER:
		on_deliver(n, effect);
		return;
	case P2P_EFFECT_PEER_UP:
		on_up(n, effect);
		return;
	case P2P_EFFECT_PEER_DOWN:
		on_down(n, effect);
		return;
	case P2P_EFFECT_NO_BLOCKS:
		node_on_not_fetched(n);
		return;
	case P2P_EFFECT_TRACE:
		on_trace(n, effect);
		return;
	}
	UNREACHABLE();
}

/* One event and all that p2p makes of it. */
static void step(struct node *n, struct p2p_event *event)
{
	struct p2p_effects effects;

	do {
		event->now_ms = n->io.steady_ms(n->io.ctx);
		p2p_step(n->p2p, event, &effects);
		for (size_t i = 0; i < effects.count; i++)
			on_effect(n, &effects.items[i]);
		*event = (struct p2p_event){ .kind = P2P_EVENT_MORE };
	} while (effects.more);
	if (n->lag_check_ms)
		effects.wake_ms = MIN(effects.wake_ms, n->lag_check_ms);
	n->io.wake_peers_at(n->io.ctx, effects.wake_ms);
}

/* As many blocks as are there and fit one answer. */
static void answer_blocks(struct node *n, struct p2p_event *event)
{
	const struct wire_blocks_request asked = event->request;
	struct store_reader *reader = store_reader_new(n->store);
	struct wire_block items[WIRE_BLOCKS_COUNT_MAX];
	struct buf sealed[WIRE_BLOCKS_COUNT_MAX] = { 0 }, certificates[WIRE_BLOCKS_COUNT_MAX] = { 0 };
	size_t count = 0, size = 0;

	while (count < asked.count && asked.from_height + count <= store_reader_height(reader) &&
	       read_sealed(reader, asked.from_height + count, &sealed[count], &certificates[count])) {
		size += sealed[count].size + certificates[count].size;
		if (size > WIRE_BLOCKS_SIZE_MAX)
			break;
		items[count] = (struct wire_block){ buf_bytes(&sealed[count]), buf_bytes(&certificates[count]) };
		count++;
	}
	event->blocks = (struct wire_blocks){ asked.from_height, items, count };
	step(n, event);
	for (size_t i = 0; i < WIRE_BLOCKS_COUNT_MAX; i++) {
		buf_clear(&sealed[i]);
		buf_clear(&certificates[i]);
	}
	store_reader_free(reader);
}

static void send_transactions(struct node *n, struct node_command *c)
{
	struct bytes *items = xcalloc(c->count, sizeof(items[0]));
	size_t at = 0;

	for (size_t i = 0; i < c->count; i++) {
		items[i] = bytes_of(c->data.data + at, c->sizes[i]);
		at += c->sizes[i];
	}
	c->event.transactions.items = items;
	c->event.transactions.count = c->count;
	step(n, &c->event);
	free(items);
}

static void run_command(struct node *n, struct node_command *c)
{
	if (c->event.kind == P2P_EVENT_SEND_CHECKPOINT)
		c->event.checkpoint = buf_bytes(&c->data);
	else if (c->event.kind == P2P_EVENT_SEND_CONSENSUS)
		c->event.consensus = buf_bytes(&c->data);
	else if (c->event.kind == P2P_EVENT_SEND_EVIDENCE)
		c->event.evidence = buf_bytes(&c->data);
	if (c->event.kind == P2P_EVENT_SEND_TRANSACTIONS)
		send_transactions(n, c);
	else if (c->event.kind == P2P_EVENT_ANSWER_BLOCKS)
		answer_blocks(n, &c->event);
	else
		step(n, &c->event);
}

static void set_validators(struct node *n)
{
	struct p2p_event event = { .kind = P2P_EVENT_SET_VALIDATORS };
	struct addr validators[VALIDATOR_COUNT_MAX];

	n->are_validators_due = false;
	event.validators.items = validators;
	event.validators.count = node_epoch_peers(n, validators);
	step(n, &event);
}

/* What waits, in order; a command may lead to further ones. */
static void run_commands(struct node *n)
{
	CHECK(!n->is_stepping);
	n->is_stepping = true;
	while (n->command_count > 0 || n->are_validators_due) {
		struct node_command c;

		if (n->are_validators_due)
			set_validators(n);
		if (n->command_count == 0)
			continue;
		c = n->commands[0];

		n->command_count--;
		memmove(n->commands, n->commands + 1, n->command_count * sizeof(n->commands[0]));
		run_command(n, &c);
		buf_clear(&c.data);
		free(c.sizes);
	}
	n->is_stepping = false;
}

void node_on_peer(struct node *n, const struct p2p_event *event)
{
	struct p2p_event e = *event;

	n->is_stepping = true;
	step(n, &e);
	n->is_stepping = false;
	run_commands(n);
}

void node_on_peer_tick(struct node *n)
{
	if (n->lag_check_ms && n->io.steady_ms(n->io.ctx) >= n->lag_check_ms) {
		n->lag_check_ms = 0;
		node_fetch(n, n->fetch_target);
	}
	node_on_peer(n, &(struct p2p_event){ .kind = P2P_EVENT_TICK });
}

/* --- life --- */

int node_peers_start(struct node *n, struct err *err)
{
	int code = p2p_new(&n->p2p, n->config.p2p, err);

	if (code != OK)
		return code;
	node_peers_validators(n);
	node_peers_tip(n, &(struct addr){ 0 });
	return OK;
}

void node_peers_stop(struct node *n)
{
	if (n->p2p)
		node_on_peer(n, &(struct p2p_event){ .kind = P2P_EVENT_STOP });
}

void node_peers_free(struct node *n)
{
	for (size_t i = 0; i < n->command_count; i++) {
		buf_clear(&n->commands[i].data);
		free(n->commands[i].sizes);
	}
	buf_clear(&n->gossip);
	free(n->gossip_sizes);
	if (n->p2p)
		p2p_free(n->p2p);
}
