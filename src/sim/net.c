/*
 * The network: connections are two streams of frames. A stream keeps its order and
 * loses nothing, as TCP does, unless a fault says otherwise; then single frames, which
 * p2p writes whole, are lost, come twice, or overtake others. Hellos and goodbyes are
 * spared that: a stream that lost its beginning is just a connection that failed.
 */
#include <stdlib.h>

#include "base/check.h"
#include "sim/internal.h"

#define SAID_SIZE (32 * KIB)     /* reported as sent at once */
#define CONNECT_MAX_US (5 * SECOND_US)
#define FRAME_HEADER 4           /* length */

static uint64_t handle_of(const struct conn *c, size_t slot, unsigned end)
{
	return c->serial << 16 | slot << 1 | end;
}

static struct conn *conn_of(struct net *net, uint64_t handle, uint32_t *slot, unsigned *end)
{
	struct conn *c;

	*slot = (uint32_t)(handle >> 1 & 0x7fff);
	*end = handle & 1;
	CHECK(*slot < net->conn_count);
	c = &net->conns[*slot];
	return c->is_used && c->serial == handle >> 16 ? c : NULL;
}

static struct site *site_at(struct sim *sim, const struct conn *c, unsigned end)
{
	struct site *s = &sim->sites[c->ends[end]];

	return s->state != SITE_DOWN && s->life == c->lives[end] ? s : NULL;
}

static void release(struct conn *c)
{
	if (c->pending == 0 && c->has_closed[0] && c->has_closed[1])
		c->is_used = false;
}

/* --- packets --- */

static struct packet *packet_new(struct net *net, uint32_t slot, unsigned to)
{
	struct packet *p = net->free_packets;

	if (p)
		net->free_packets = p->next;
	else
		p = xcalloc(1, sizeof(*p));
	p->conn = slot;
	p->serial = net->conns[slot].serial;
	p->to = to;
	p->is_end = p->is_copy = false;
	p->next = NULL;
	buf_reset(&p->bytes);
	net->conns[slot].pending++;
	return p;
}

static void packet_free(struct net *net, struct packet *p)
{
	struct conn *c = &net->conns[p->conn];

	c->pending--;
	release(c);
	p->next = net->free_packets;
	net->free_packets = p;
}

/* --- the way there --- */

static uint64_t delay_us(struct sim *sim, const struct way *way)
{
	uint64_t us = way->mean_us ? draw_mean(&sim->net_rng, way->mean_us) : draw(&sim->net_rng, 100, 800);

	if (way->mean_us)
		sim_fired(sim, SIM_FAULT_DELAY);
	if (way->clogged_until_us > sim->now_us) {
		sim_fired(sim, SIM_FAULT_CLOG);
		us += way->clogged_until_us - sim->now_us;
	}
	return us;
}

static void post(struct sim *sim, struct packet *p, uint64_t extra_us, bool may_overtake)
{
	struct conn *c = &sim->net.conns[p->conn];
	struct way *way = &sim->net.ways[c->ends[1 - p->to]][c->ends[p->to]];
	uint64_t at_us = sim->now_us + extra_us + delay_us(sim, way);

	if (may_overtake) {
		if (at_us < c->arrived_us[p->to])
			sim_fired(sim, SIM_FAULT_REORDER);
	} else {
		at_us = MAX(at_us, c->arrived_us[p->to]);
	}
	if (extra_us == 0)
		c->arrived_us[p->to] = MAX(at_us, c->arrived_us[p->to]);
	heap_push(&sim->heap, at_us, ENTRY_PACKET, 0, 0, p);
}

/* An envelope's first byte is its kind, as a protobuf tag. */
static bool may_be_harmed(struct bytes frame)
{
	unsigned kind = frame.size > FRAME_HEADER ? frame.data[FRAME_HEADER] >> 3 : 0;

	return kind != WIRE_HELLO && kind != WIRE_GOODBYE;
}

/* Twice is once too often for an answer or a ping. */
static bool may_be_doubled(struct bytes frame)
{
	unsigned kind = frame.data[FRAME_HEADER] >> 3;

	return kind == WIRE_CONSENSUS || kind == WIRE_TRANSACTIONS || kind == WIRE_STATUS || kind == WIRE_EVIDENCE;
}

void net_send_frame(struct sim *sim, uint32_t slot, unsigned to, struct bytes frame, uint64_t after_us)
{
	struct net *net = &sim->net;
	bool can_be_harmed = !sim->faults.are_over && may_be_harmed(frame), may_overtake = false;
	struct packet *p;

	net->frame_count++;
	if (can_be_harmed && net->loss && draw_is(&sim->net_rng, net->loss)) {
		sim_fired(sim, SIM_FAULT_LOSS);
		net->conns[slot].unsaid[1 - to] += sim->sites[net->conns[slot].ends[1 - to]].is_liar ? 0 : frame.size;
		return;
	}
	if (can_be_harmed && may_be_doubled(frame)) {
		may_overtake = net->reorder && draw_is(&sim->net_rng, net->reorder);
		if (net->replay && draw_is(&sim->net_rng, net->replay)) {
			sim_fired(sim, SIM_FAULT_REPLAY);
			p = packet_new(net, slot, to);
			p->is_copy = true;
			buf_append_bytes(&p->bytes, frame);
			post(sim, p, after_us + 1 + draw_mean(&sim->net_rng, 2 * SECOND_US), true);
		}
	}
	p = packet_new(net, slot, to);
	buf_append_bytes(&p->bytes, frame);
	post(sim, p, after_us, may_overtake || after_us > 0);
}

void net_write(struct site *from, uint64_t handle, struct bytes bytes)
{
	struct sim *sim = from->sim;
	uint32_t slot;
	unsigned end;
	struct conn *c = conn_of(&sim->net, handle, &slot, &end);
	size_t at = 0;

	if (!c || !c->is_open || c->has_closed[end])
		return;
	while (at < bytes.size) {
		size_t size = FRAME_HEADER + load_be32(bytes.data + at);
		struct bytes frame = bytes_of(bytes.data + at, MIN(size, bytes.size - at));

		c->unsaid[end] += from->is_liar ? frame.size : 0; /* what leaves may be another */
		sim_sent(sim, from, slot, 1 - end, frame);
		at += frame.size;
	}
}

static void post_end(struct sim *sim, uint32_t slot, unsigned to)
{
	struct packet *p = packet_new(&sim->net, slot, to);

	p->is_end = true;
	post(sim, p, 0, false);
}

void net_close(struct site *from, uint64_t handle)
{
	uint32_t slot;
	unsigned end;
	struct conn *c = conn_of(&from->sim->net, handle, &slot, &end);

	if (!c || c->has_closed[end])
		return;
	c->has_closed[end] = true;
	if (!c->has_closed[1 - end])
		post_end(from->sim, slot, 1 - end);
	release(c);
}

/* --- arrival --- */

static void give_bytes(struct sim *sim, struct packet *p)
{
	struct conn *c = &sim->net.conns[p->conn];
	size_t at = 0;

	while (at < p->bytes.size && !c->has_closed[p->to]) {
		size_t size = MIN(p->bytes.size - at, (size_t)LIMIT_P2P_READ_SIZE);
		struct p2p_event event = { .kind = P2P_EVENT_BYTES, .handle = handle_of(c, p->conn, p->to) };

		/* Now and then in two pieces, as sockets give them. */
		if (at == 0 && size > 1 && draw_is(&sim->net_rng, 10))
			size = draw(&sim->net_rng, 1, size - 1);
		event.bytes = bytes_of(p->bytes.data + at, size);
		at += size;
		site_peer(site_at(sim, c, p->to), &event);
		if (!site_at(sim, c, p->to))
			return;
	}
}

static void say_sent(struct sim *sim, struct conn *c, uint32_t slot, unsigned end)
{
	struct site *s = site_at(sim, c, end);
	struct p2p_event event = { .kind = P2P_EVENT_SENT, .handle = handle_of(c, slot, end) };

	if (c->unsaid[end] < SAID_SIZE || c->has_closed[end] || !s || s->paused_until_us > sim->now_us)
		return;
	event.sent_size = c->unsaid[end];
	c->unsaid[end] = 0;
	site_peer(s, &event);
}

static void hold(struct way *way, struct packet *p)
{
	p->next = NULL;
	if (!way->held)
		way->held_last = &way->held;
	*way->held_last = p;
	way->held_last = &p->next;
}

/* A machine that started again knows nothing of the connection, and says so. */
static void refuse(struct sim *sim, struct conn *c, const struct packet *p)
{
	if (c->has_closed[p->to])
		return;
	if (sim->sites[c->ends[p->to]].state == SITE_DOWN)
		return;
	c->has_closed[p->to] = true;
	if (!c->has_closed[1 - p->to])
		post_end(sim, p->conn, 1 - p->to);
}

void net_arrive(struct sim *sim, struct packet *p)
{
	struct conn *c = &sim->net.conns[p->conn];
	struct way *way = &sim->net.ways[c->ends[1 - p->to]][c->ends[p->to]];
	struct site *s;

	CHECK(c->is_used && c->serial == p->serial);
	s = site_at(sim, c, p->to);
	if (!s || c->has_closed[p->to]) {
		refuse(sim, c, p);
		packet_free(&sim->net, p);
		return;
	}
	if (way->is_cut || way->held) {
		hold(way, p);
		return;
	}
	if (MAX(s->paused_until_us, way->release_us) > sim->now_us) {
		heap_push(&sim->heap, MAX(s->paused_until_us, way->release_us), ENTRY_PACKET, 0, 0, p);
		return;
	}
	if (p->is_end) {
		struct p2p_event event = { .kind = P2P_EVENT_CLOSED, .handle = handle_of(c, p->conn, p->to) };

		c->has_closed[p->to] = true;
		site_peer(s, &event);
	} else {
		c->unsaid[1 - p->to] += p->is_copy || sim->sites[c->ends[1 - p->to]].is_liar ? 0 : p->bytes.size;
		give_bytes(sim, p);
		say_sent(sim, c, p->conn, 1 - p->to);
	}
	packet_free(&sim->net, p);
}

/* --- connections --- */

static bool is_reachable(const struct sim *sim, size_t a, size_t b)
{
	return !sim_are_apart(sim, a, b) && !sim->net.ways[a][b].is_cut && !sim->net.ways[b][a].is_cut;
}

static uint32_t conn_new(struct net *net)
{
	for (uint32_t i = 0; i < net->conn_count; i++)
		if (!net->conns[i].is_used)
			return i;
	CHECK(net->conn_count < CONN_MAX);
	return (uint32_t)net->conn_count++;
}

void net_connect(struct site *from, size_t dial, const char *endpoint)
{
	struct sim *sim = from->sim;
	uint32_t slot = conn_new(&sim->net);
	size_t to = sim_route(sim, from, (size_t)strtoul(endpoint + 1, NULL, 10));
	struct conn *c = &sim->net.conns[slot];
	uint64_t us;

	*c = (struct conn){
		.is_used = true,
		.serial = ++sim->net.serial,
		.dial = dial,
		.ends = { from->index, to },
		.lives = { from->life, sim->sites[to].life },
		.pending = 1,
	};
	c->is_open = sim->sites[to].state == SITE_UP && is_reachable(sim, from->index, to);
	if (c->is_open)
		us = delay_us(sim, &sim->net.ways[from->index][to]) + delay_us(sim, &sim->net.ways[to][from->index]);
	else
		us = sim->sites[to].state == SITE_UP ? CONNECT_MAX_US : 1000; /* nobody answers, or says no */
	heap_push(&sim->heap, sim->now_us + us, ENTRY_CONNECTED, slot, 0, NULL);
}

static void tell_failed(struct sim *sim, struct conn *c)
{
	struct site *s = site_at(sim, c, 0);
	struct p2p_event event = { .kind = P2P_EVENT_CONNECT_FAILED };

	event.connect_failed = c->dial;
	c->has_closed[0] = c->has_closed[1] = true;
	if (s)
		site_peer(s, &event);
}

static void tell_connected(struct sim *sim, struct conn *c, uint32_t slot, unsigned end)
{
	struct p2p_event event = { .kind = P2P_EVENT_CONNECTED, .handle = handle_of(c, slot, end) };

	event.connected.is_outbound = end == 0;
	event.connected.dial = end == 0 ? c->dial : 0;
	store_be64(event.connected.exporter.bytes, c->serial);
	/* Loopback: a ban of an address would be one of all. */
	event.connected.ip.bytes[15] = 1;
	site_peer(site_at(sim, c, end), &event);
}

void net_connected(struct sim *sim, uint32_t slot)
{
	struct conn *c = &sim->net.conns[slot];
	struct site *dialler = site_at(sim, c, 0), *other = site_at(sim, c, 1);

	if (dialler && dialler->paused_until_us > sim->now_us) {
		heap_push(&sim->heap, dialler->paused_until_us, ENTRY_CONNECTED, slot, 0, NULL);
		return;
	}
	CHECK(!c->has_closed[0]); /* a dial that nobody answers for is never tried again */
	c->is_told = true;
	c->pending--;
	if (!dialler || !other || !c->is_open || !is_reachable(sim, c->ends[0], c->ends[1]) ||
	    other->paused_until_us > sim->now_us) {
		c->is_open = false;
		tell_failed(sim, c);
	} else {
		c->pending++;
		for (unsigned end = 0; end < 2 && !c->has_closed[end] && site_at(sim, c, end); end++)
			tell_connected(sim, c, slot, end);
		c->pending--;
	}
	release(c);
}

/* Both ends hear of it, at once or when they next could. One that is being dialled fails. */
static void break_conn(struct sim *sim, uint32_t slot)
{
	struct conn *c = &sim->net.conns[slot];

	if (!c->is_told) {
		c->is_open = false;
		return;
	}
	for (unsigned end = 0; end < 2; end++)
		if (!c->has_closed[end] && site_at(sim, c, end))
			post_end(sim, slot, end);
		else
			c->has_closed[end] = true;
	release(c);
}

void net_site_gone(struct sim *sim, struct site *s)
{
	for (uint32_t i = 0; i < sim->net.conn_count; i++) {
		struct conn *c = &sim->net.conns[i];

		if (!c->is_used || !c->is_open || (c->ends[0] != s->index && c->ends[1] != s->index))
			continue;
		c->pending++;
		break_conn(sim, i);
		c->pending--;
		release(c);
	}
}

void net_reset(struct sim *sim, size_t a, size_t b)
{
	for (uint32_t i = 0; i < sim->net.conn_count; i++) {
		struct conn *c = &sim->net.conns[i];

		if (c->is_used && c->is_open && ((c->ends[0] == a && c->ends[1] == b) ||
						 (c->ends[0] == b && c->ends[1] == a)))
			break_conn(sim, i);
	}
}

void net_cut(struct sim *sim, size_t from, size_t to, bool is_cut)
{
	struct way *way = &sim->net.ways[from][to];

	way->is_cut = is_cut;
	if (is_cut || !way->held)
		return;
	/* Sent again by then; what comes meanwhile waits behind it. */
	way->release_us = sim->now_us + draw(&sim->net_rng, SECOND_US / 5, 3 * SECOND_US);
	for (struct packet *p = way->held, *next; p; p = next) {
		next = p->next;
		heap_push(&sim->heap, way->release_us, ENTRY_PACKET, 0, 0, p);
	}
	way->held = NULL;
}

void net_heal(struct sim *sim)
{
	for (size_t a = 0; a < SITE_MAX; a++)
		for (size_t b = 0; b < SITE_MAX; b++) {
			net_cut(sim, a, b, false);
			sim->net.ways[a][b].mean_us = 0;
			sim->net.ways[a][b].clogged_until_us = 0;
		}
	sim->net.loss = sim->net.replay = sim->net.reorder = 0;
}

void net_drop(struct sim *sim, struct packet *packet)
{
	packet_free(&sim->net, packet);
}

void net_init(struct sim *sim)
{
	rng_init(&sim->net_rng, rng_next(&sim->rng));
}

void net_clear(struct sim *sim)
{
	struct packet *next;

	for (size_t i = 0; i < SITE_MAX * SITE_MAX; i++)
		for (struct packet *p = sim->net.ways[i / SITE_MAX][i % SITE_MAX].held; p; p = next) {
			next = p->next;
			packet_free(&sim->net, p);
		}
	for (struct packet *p = sim->net.free_packets; p; p = next) {
		next = p->next;
		buf_clear(&p->bytes);
		free(p);
	}
}
