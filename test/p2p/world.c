#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "chain/seal.h"

struct secret_key world_key(size_t n)
{
	struct secret_key key = { { 0 } };

	store_be64(key.bytes + 24, n + 1);
	return key;
}

struct addr world_address(struct world *w, size_t n)
{
	struct secret_key key = world_key(n);
	struct public_key public;
	struct addr address;

	CHECK(ecc_public_key(w->ecc, &public, &key, NULL) == OK);
	ecc_address(&address, &public);
	return address;
}

struct p2p_ip world_ip(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct p2p_ip){
		{ [10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d }
	};
}

void world_init(struct world *w, uint64_t seed)
{
	static const uint8_t blinding[32];

	*w = (struct world){ .now_ms = 1000000, .piece_max = LIMIT_P2P_READ_SIZE };
	rng_init(&w->rng, seed);
	w->ecc = ecc_new(blinding);
	w->links = xcalloc(WORLD_LINK_MAX, sizeof(*w->links));
}

void world_clear(struct world *w)
{
	for (size_t i = 0; i < WORLD_NODE_MAX; i++) {
		p2p_free(w->nodes[i].p2p);
		buf_clear(&w->nodes[i].last);
		buf_clear(&w->nodes[i].classes);
	}
	for (size_t i = 0; i < w->link_count; i++) {
		buf_clear(&w->links[i].ends[0].out);
		buf_clear(&w->links[i].ends[1].out);
	}
	free(w->links);
	ecc_free(w->ecc);
}

/* --- links --- */

static struct world_end *end_of(struct world *w, uint64_t handle)
{
	CHECK(handle >= 2 && handle / 2 <= w->link_count);
	return &w->links[handle / 2 - 1].ends[handle % 2];
}

static struct world_end *other_end(struct world *w, uint64_t handle)
{
	return end_of(w, handle ^ 1);
}

static size_t link_new(struct world *w, size_t from, size_t to, struct p2p_ip ip)
{
	struct world_link *link = &w->links[w->link_count++];

	CHECK(w->link_count <= WORLD_LINK_MAX);
	for (size_t i = 0; i < 32; i++)
		link->exporter.bytes[i] = (uint8_t)rng_next(&w->rng);
	link->ip = ip;
	for (size_t i = 0; i < 2; i++) {
		link->ends[i].handle = w->link_count * 2 + i;
		link->ends[i].is_open = true;
	}
	link->ends[0].node = from;
	link->ends[1].node = to;
	return w->link_count - 1;
}

static void announce(struct world *w, size_t link, size_t side, size_t dial)
{
	struct world_link *l = &w->links[link];
	struct p2p_event event = { .kind = P2P_EVENT_CONNECTED, .handle = l->ends[side].handle };

	event.connected.is_outbound = side == 0;
	event.connected.dial = dial;
	event.connected.ip = l->ip;
	event.connected.exporter = l->exporter;
	if (l->ends[side].node != RAW)
		world_step(w, l->ends[side].node, event);
}

/* --- effects --- */

static void on_connect(struct world *w, size_t node, const struct p2p_effect *e)
{
	size_t to = (size_t)atoi(e->connect.endpoint), link, dial = e->connect.dial;
	struct p2p_event failed = { .kind = P2P_EVENT_CONNECT_FAILED, .connect_failed = dial };

	w->nodes[node].connect_count++;
	if (to >= WORLD_NODE_MAX || !w->nodes[to].p2p || w->nodes[to].is_unreachable) {
		world_step(w, node, failed);
		return;
	}
	link = link_new(w, node, to, world_ip(10, 0, (uint8_t)node, 1));
	announce(w, link, 0, dial);
	announce(w, link, 1, 0);
}

static void on_deliver(struct world *w, size_t node, const struct p2p_effect *e)
{
	struct world_node *n = &w->nodes[node];

	n->delivered[e->deliver.kind]++;
	n->last_from = e->peer;
	n->last_handle = e->handle;
	buf_reset(&n->last);
	wire_encode(&n->last, &e->deliver);
	if (e->deliver.kind == WIRE_TRANSACTIONS)
		n->transaction_count += e->deliver.transactions.count;
}

static void relay(struct world *w, size_t node)
{
	struct p2p_event event = { .kind = P2P_EVENT_SEND_TRANSACTIONS };
	struct wire_decoder *d = wire_decoder_new();
	struct wire_message m;

	CHECK(wire_decode(d, buf_bytes(&w->nodes[node].last), &m, NULL) == OK);
	event.transactions.items = m.transactions.items;
	event.transactions.count = m.transactions.count;
	world_step(w, node, event);
	wire_decoder_free(d);
}

static void on_trace(struct world_node *n, const struct p2p_effect *e)
{
	switch (e->trace.what) {
	case P2P_TRACE_OFFENCE:
		n->offences[e->trace.offence]++;
		return;
	case P2P_TRACE_REFUSED:
		n->refused_count++;
		n->last_refused = e->trace.reason;
		return;
	case P2P_TRACE_GOODBYE:
		n->last_farewell = e->trace.reason;
		return;
	case P2P_TRACE_REPLACED:
		return;
	}
	UNREACHABLE();
}

/* What leads to steps of this node waits until its step is over: CONNECT, relays. */
static void carry_out(struct world *w, size_t node, const struct p2p_effect *e)
{
	struct world_node *n = &w->nodes[node];
	struct world_end *end;

	switch (e->kind) {
	case P2P_EFFECT_WRITE:
		end = end_of(w, e->handle);
		CHECK(end->node == node && end->is_open);
		buf_append_bytes(&end->out, e->write.bytes);
		buf_append_byte(&n->classes, (uint8_t)e->write.class);
		return;
	case P2P_EFFECT_CLOSE:
		end = end_of(w, e->handle);
		end->is_open = false;
		end->is_closing = true;
		end->close_reason = e->close;
		return;
	case P2P_EFFECT_CONNECT:
		on_connect(w, node, e);
		return;
	case P2P_EFFECT_DELIVER:
		on_deliver(w, node, e);
		if (n->relays && e->deliver.kind == WIRE_TRANSACTIONS)
			relay(w, node);
		return;
	case P2P_EFFECT_PEER_UP:
		n->up_count++;
		return;
	case P2P_EFFECT_PEER_DOWN:
		n->down_count++;
		n->last_down = e->down;
		return;
	case P2P_EFFECT_NO_BLOCKS:
		n->no_blocks_count++;
		return;
	case P2P_EFFECT_TRACE:
		on_trace(n, e);
		return;
	}
	UNREACHABLE();
}

void world_step(struct world *w, size_t node, struct p2p_event event)
{
	struct world_node *n = &w->nodes[node];
	struct p2p_effects effects;
	struct p2p_effect later[P2P_EFFECT_MAX];
	size_t later_count;

	event.now_ms = w->now_ms;
	do {
		p2p_step(n->p2p, &event, &effects);
		p2p_check(n->p2p);
		later_count = 0;
		for (size_t i = 0; i < effects.count; i++)
			if (effects.items[i].kind == P2P_EFFECT_CONNECT)
				later[later_count++] = effects.items[i];
			else if (effects.items[i].kind != P2P_EFFECT_DELIVER)
				carry_out(w, node, &effects.items[i]);
		/* A delivery's bytes are gone after the next step: it comes first of these. */
		for (size_t i = 0; i < effects.count; i++)
			if (effects.items[i].kind == P2P_EFFECT_DELIVER)
				carry_out(w, node, &effects.items[i]);
		n->wake_ms = effects.wake_ms;
		for (size_t i = 0; i < later_count; i++)
			carry_out(w, node, &later[i]);
		event = (struct p2p_event){ .kind = P2P_EVENT_MORE, .now_ms = w->now_ms };
	} while (effects.more && n->p2p);
}

/* --- nodes --- */

struct p2p_config world_config(struct world *w, size_t node)
{
	return (struct p2p_config){
		.chain_id = WORLD_CHAIN_ID,
		.genesis_hash = { { 7 } },
		.ecc = w->ecc,
		.key = world_key(node),
		.listen_port = 30303,
		.software = "weft/test",
		.session_max = 16,
		.seed = rng_next(&w->rng),
	};
}

void world_start(struct world *w, size_t node, const struct p2p_config *config, const char *dials)
{
	struct p2p_static statics[WORLD_NODE_MAX];
	struct addr allowed[WORLD_NODE_MAX];
	struct p2p_config c = *config;
	char endpoints[WORLD_NODE_MAX][2];
	struct err err = { 0 };

	for (size_t i = 0; dials[i]; i++) {
		endpoints[i][0] = dials[i];
		endpoints[i][1] = '\0';
		statics[i] = (struct p2p_static){ .endpoint = endpoints[i] };
		c.static_count = i + 1;
	}
	c.statics = statics;
	if (!c.allowed && !c.is_open) {
		for (size_t i = 0; i < WORLD_NODE_MAX; i++)
			allowed[i] = world_address(w, i);
		c.allowed = allowed;
		c.allowed_count = WORLD_NODE_MAX;
	}
	CHECK(p2p_new(&w->nodes[node].p2p, &c, &err) == OK);
	w->nodes[node].address = p2p_self(w->nodes[node].p2p);
	w->nodes[node].wake_ms = 0;
	w->node_count = MAX(w->node_count, node + 1);
}

void world_kill(struct world *w, size_t node)
{
	p2p_free(w->nodes[node].p2p);
	w->nodes[node].p2p = NULL;
	for (size_t i = 0; i < w->link_count; i++)
		for (size_t side = 0; side < 2; side++) {
			struct world_end *end = &w->links[i].ends[side];

			if (end->node == node) {
				end->is_open = false;
				end->is_closing = true;
				buf_reset(&end->out);
			}
		}
}

void world_set_validators(struct world *w, size_t count)
{
	struct addr addresses[WORLD_NODE_MAX];

	for (size_t i = 0; i < count; i++)
		addresses[i] = world_address(w, i);
	for (size_t i = 0; i < w->node_count; i++) {
		struct p2p_event event = { .kind = P2P_EVENT_SET_VALIDATORS };

		event.validators.items = addresses;
		event.validators.count = count;
		if (w->nodes[i].p2p)
			world_step(w, i, event);
	}
}

/* --- time --- */

static void tell_closed(struct world *w, struct world_end *end)
{
	struct p2p_event event = { .kind = P2P_EVENT_CLOSED, .handle = end->handle };

	if (!end->is_open)
		return;
	end->is_open = false;
	end->is_closing = true;
	if (end->node != RAW && w->nodes[end->node].p2p)
		world_step(w, end->node, event);
}

/* Delivers one piece of what `end` has written. */
static bool deliver_piece(struct world *w, struct world_end *end)
{
	struct world_end *other = other_end(w, end->handle);
	struct p2p_event bytes = { .kind = P2P_EVENT_BYTES, .handle = other->handle };
	struct p2p_event sent = { .kind = P2P_EVENT_SENT, .handle = end->handle };
	size_t size = (size_t)rng_below(&w->rng, w->piece_max) + 1;
	uint8_t *piece;

	if (end->out.size == 0 || end->stalled)
		return false;
	if (other->node == RAW) /* kept for raw_take() */
		return false;
	size = MIN(size, end->out.size);
	piece = xmalloc(size);
	memcpy(piece, end->out.data, size);
	memmove(end->out.data, end->out.data + size, end->out.size - size);
	end->out.size -= size;
	bytes.bytes = bytes_of(piece, size);
	sent.sent_size = size;
	if (other->is_open && w->nodes[other->node].p2p)
		world_step(w, other->node, bytes);
	free(piece);
	if (end->is_open && end->node != RAW && w->nodes[end->node].p2p)
		world_step(w, end->node, sent);
	return true;
}

static void settle(struct world *w)
{
	bool moved;

	do {
		moved = false;
		for (size_t i = 0; i < w->link_count; i++)
			for (size_t side = 0; side < 2; side++) {
				struct world_end *end = &w->links[i].ends[side];

				moved |= deliver_piece(w, end);
				if (end->is_closing && end->out.size == 0)
					tell_closed(w, &w->links[i].ends[1 - side]);
			}
	} while (moved);
}

void world_run(struct world *w, uint64_t ms)
{
	struct p2p_event tick = { .kind = P2P_EVENT_TICK };

	for (uint64_t i = 0; i <= ms; i++) {
		settle(w);
		for (size_t n = 0; n < w->node_count; n++)
			if (w->nodes[n].p2p && w->nodes[n].wake_ms <= w->now_ms)
				world_step(w, n, tick);
		settle(w);
		if (i < ms)
			w->now_ms++;
	}
}

/* --- commands --- */

void world_send_transactions(struct world *w, size_t node, size_t first, size_t count)
{
	struct p2p_event event = { .kind = P2P_EVENT_SEND_TRANSACTIONS };
	uint8_t (*raw)[100] = xcalloc(count, sizeof(*raw));
	struct bytes *items = xcalloc(count, sizeof(*items));

	for (size_t i = 0; i < count; i++) {
		store_be64(raw[i], first + i);
		items[i] = bytes_of(raw[i], sizeof(raw[i]));
	}
	event.transactions.items = items;
	event.transactions.count = count;
	world_step(w, node, event);
	free(raw);
	free(items);
}

void world_send_consensus(struct world *w, size_t node, const struct addr *to, const char *text)
{
	struct p2p_event event = { .kind = P2P_EVENT_SEND_CONSENSUS };

	if (to)
		event.peer = *to;
	event.consensus = bytes_of_str(text);
	world_step(w, node, event);
}

/* --- raw ends --- */

size_t raw_open(struct world *w, size_t node, struct p2p_ip ip)
{
	size_t link = link_new(w, RAW, node, ip);

	announce(w, link, 1, 0);
	return link;
}

void raw_send(struct world *w, size_t link, struct bytes bytes)
{
	buf_append_bytes(&w->links[link].ends[0].out, bytes);
	settle(w);
}

void raw_send_message(struct world *w, size_t link, const struct wire_message *m)
{
	struct buf frame = { 0 };

	wire_encode(&frame, m);
	raw_send(w, link, buf_bytes(&frame));
	buf_clear(&frame);
}

struct wire_message raw_hello(struct world *w, size_t link, size_t n)
{
	struct wire_message m = { .kind = WIRE_HELLO };
	struct secret_key key = world_key(n);
	struct buf b = { 0 };
	struct hash digest;
	size_t list = seal_open(&b, DOMAIN_HELLO, WORLD_CHAIN_ID);

	m.hello.protocol_version = PROTOCOL_VERSION;
	m.hello.chain_id = WORLD_CHAIN_ID;
	m.hello.genesis_hash.bytes[0] = 7;
	m.hello.address = world_address(w, n);
	m.hello.height = 5;
	m.hello.software = bytes_of_str("raw");
	rlp_put_hash(&b, &m.hello.genesis_hash);
	rlp_put_hash(&b, &w->links[link].exporter);
	rlp_put_u64(&b, 1);
	seal_close(&b, list, &digest);
	CHECK(ecc_sign(w->ecc, &m.hello.signature, &digest, &key, NULL) == OK);
	return m;
}

size_t raw_join(struct world *w, size_t node, size_t n)
{
	size_t link = raw_open(w, node, world_ip(10, 1, (uint8_t)n, 1));
	struct wire_message hello = raw_hello(w, link, n);

	raw_send_message(w, link, &hello);
	return link;
}

bool raw_is_closed(struct world *w, size_t link, enum p2p_reason *reason)
{
	struct world_end *end = &w->links[link].ends[1];

	if (reason)
		*reason = end->close_reason;
	return end->is_closing;
}

bool raw_take(struct world *w, size_t link, struct wire_decoder *d, struct wire_message *out)
{
	struct world_end *end = &w->links[link].ends[1];
	struct p2p_event sent = { .kind = P2P_EVENT_SENT, .handle = end->handle };
	enum wire_kind kind;
	size_t size;

	CHECK(wire_peek(buf_bytes(&end->out), WIRE_KINDS_ALL, &kind, &size, NULL) == OK);
	if (size == 0)
		return false;
	CHECK(size <= end->out.size);
	CHECK(wire_decode(d, bytes_of(end->out.data, size), out, NULL) == OK);
	memmove(end->out.data, end->out.data + size, end->out.size - size);
	end->out.size -= size;
	sent.sent_size = size;
	if (end->is_open)
		world_step(w, end->node, sent);
	return true;
}

/* --- questions --- */

size_t world_ready_count(const struct world *w, size_t node)
{
	struct p2p_peer peers[LIMIT_P2P_SESSION_COUNT];

	return p2p_peers(w->nodes[node].p2p, w->now_ms, peers, ARRAY_COUNT(peers));
}

bool world_has_ready(const struct world *w, size_t node, size_t other)
{
	struct p2p_peer peers[LIMIT_P2P_SESSION_COUNT];
	size_t count = p2p_peers(w->nodes[node].p2p, w->now_ms, peers, ARRAY_COUNT(peers));

	for (size_t i = 0; i < count; i++)
		if (addr_equal(&peers[i].address, &w->nodes[other].address))
			return true;
	return false;
}

struct p2p_metrics world_metrics(const struct world *w, size_t node)
{
	struct p2p_metrics m;

	p2p_get_metrics(w->nodes[node].p2p, &m);
	return m;
}
