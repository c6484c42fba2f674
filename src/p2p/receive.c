#include "p2p/internal.h"

#include <stdio.h>

#include "base/check.h"

#define INPUT_KEEP_SIZE (2 * LIMIT_P2P_READ_SIZE) /* a larger buffer is freed when empty */

/* --- bytes --- */

static void consume(struct p2p *p, struct session *s, size_t size)
{
	s->in_start += size;
	if (s->in_start < s->in.size)
		return;
	p->input_size -= s->in.size;
	s->in_start = 0;
	if (s->in.capacity > INPUT_KEEP_SIZE)
		buf_clear(&s->in);
	else
		buf_reset(&s->in);
}

/* Moves the beginning of a frame to the buffer's start. */
static void compact(struct p2p *p, struct session *s)
{
	if (s->in_start == 0)
		return;
	memmove(s->in.data, s->in.data + s->in_start, s->in.size - s->in_start);
	s->in.size -= s->in_start;
	p->input_size -= s->in_start;
	s->in_start = 0;
}

void receive_clear(struct p2p *p, struct session *s)
{
	p->input_size -= s->in.size;
	buf_clear(&s->in);
	s->in_start = 0;
}

/* How much a session's place is worth when there is no room for all. */
static unsigned standing(const struct session *s)
{
	return s->is_validator ? 2 : s->is_listed;
}

/* Whose input has to go: of the least standing, up to that of `s`, the largest. So strangers
 * who fill the room for unfinished frames never cost a validator's session. */
static struct session *least_worthy(struct p2p *p, struct session *s)
{
	struct session *least = s;

	for (size_t i = 0; i < p->config.session_max; i++) {
		struct session *other = &p->sessions[i];

		if (other->state == SESSION_FREE || other->in.size == 0 || standing(other) > standing(least))
			continue;
		if (standing(other) < standing(least) || other->in.size > least->in.size)
			least = other;
	}
	return least;
}

/* False if there is no room for more of this session. */
static bool make_room(struct p2p *p, struct session *s, size_t size)
{
	while (p->input_size + size > LIMIT_P2P_INPUT_SIZE) {
		struct session *least = least_worthy(p, s);

		session_doom(p, least, P2P_REASON_MEMORY);
		receive_clear(p, least);
		if (least == s)
			return false;
	}
	return true;
}

void receive_bytes(struct p2p *p, struct session *s, struct bytes bytes)
{
	CHECK(bytes.size <= LIMIT_P2P_READ_SIZE);
	if (s->doom != P2P_REASON_NONE || !make_room(p, s, bytes.size))
		return;
	s->heard_ms = p->now_ms;
	s->probe_ms = UINT64_MAX;
	buf_append_bytes(&s->in, bytes);
	p->input_size += bytes.size;
	slots_set(&p->input, s->slot);
}

/* --- messages --- */

static void deliver(struct p2p *p, struct session *s, const struct wire_message *m)
{
	emit(p, P2P_EFFECT_DELIVER, s)->deliver = *m;
	p->has_delivered = true;
}

static void take_transactions(struct p2p *p, struct session *s, struct wire_message *m)
{
	size_t count = gossip_filter(p, s, &m->transactions, p->new_items);

	if (count == 0)
		return;
	m->transactions.items = p->new_items;
	m->transactions.count = count;
	deliver(p, s, m);
}

/* Blocks are what costs us most for what it costs to ask: a stranger gets one answer at a time,
 * and so many bytes a second. Meanwhile its request waits; a newer one takes its place. */
void receive_deferred(struct p2p *p, struct session *s)
{
	struct wire_message m = { .kind = WIRE_BLOCKS_REQUEST, .blocks_request = s->owed };
	bool is_busy = !s->is_listed && s->out[P2P_CLASS_BLOCKS].size > 0;

	if (!s->is_listed && p->now_ms < s->serve_ms) {
		wake_by(p, s->serve_ms);
	} else if (is_busy) {
		wake_by(p, p->now_ms + SERVE_RETRY_MS);
	} else if (p->has_delivered || !has_room(p)) {
		wake_by(p, p->now_ms);
	} else {
		s->is_deferred = false;
		s->serve_ms = p->now_ms + SERVE_RETRY_MS;
		deliver(p, s, &m);
	}
}

static void take_request(struct p2p *p, struct session *s, const struct wire_blocks_request *request)
{
	s->owes = s->is_deferred = true;
	s->owed = *request;
	receive_deferred(p, s);
}

static void take_consensus(struct p2p *p, struct session *s, const struct wire_message *m)
{
	if (p->validators.count > 0 && !s->is_validator)
		offend(p, s, P2P_OFFENCE_NOT_VALIDATOR, "a consensus message");
	else
		deliver(p, s, m);
}

/* Who asks again hears two answers. One that was given up is no use any more and no offence. */
static void take_blocks(struct p2p *p, struct session *s, const struct wire_message *m)
{
	if (!s->has_request || m->blocks.from_height != s->request.from_height ||
	    m->blocks.count > s->request.count) {
		if (s->late_count > 0)
			s->late_count--;
		else
			offend(p, s, P2P_OFFENCE_UNSOLICITED, "blocks");
		return;
	}
	s->has_request = false;
	if (m->blocks.count > 0)
		s->unanswered = 0;
	else if (s->tip.height >= s->request.from_height)
		s->unanswered = MIN(s->unanswered + 1, (unsigned)UNANSWERED_MAX);
	deliver(p, s, m);
}

static void take_pong(struct p2p *p, struct session *s, uint64_t nonce)
{
	if (!s->has_ping || nonce != s->ping_nonce) {
		offend(p, s, P2P_OFFENCE_UNSOLICITED, "a pong");
		return;
	}
	s->has_ping = false;
	s->has_twin |= s->rival_ms && s->ping_ms >= s->rival_ms;
	s->round_trip_ms = p->now_ms - s->ping_ms;
}

static void take_goodbye(struct p2p *p, struct session *s, uint32_t reason)
{
	s->farewell = reason > 0 && reason < P2P_REASON_COUNT ? (enum p2p_reason)reason :
								P2P_REASON_CLOSED;
	if (s->state != SESSION_DRAINING)
		emit_trace(p, s, P2P_TRACE_GOODBYE, s->farewell, 0, "");
	session_doom(p, s, P2P_REASON_CLOSED);
}

static void take_message(struct p2p *p, struct session *s, struct wire_message *m)
{
	struct wire_message pong = { .kind = WIRE_PONG };

	switch (m->kind) {
	case WIRE_HELLO:
		session_take_hello(p, s, &m->hello);
		return;
	case WIRE_TRANSACTIONS:
		take_transactions(p, s, m);
		return;
	case WIRE_CONSENSUS:
		take_consensus(p, s, m);
		return;
	case WIRE_BLOCKS_REQUEST:
		take_request(p, s, &m->blocks_request);
		return;
	case WIRE_BLOCKS:
		take_blocks(p, s, m);
		return;
	case WIRE_STATUS:
		if (m->status.height >= s->tip.height)
			s->tip = m->status;
		deliver(p, s, m);
		return;
	case WIRE_PING:
		pong.nonce = m->nonce;
		send_message(p, s, &pong);
		return;
	case WIRE_PONG:
		take_pong(p, s, m->nonce);
		return;
	case WIRE_EVIDENCE:
	case WIRE_CHECKPOINT:
		deliver(p, s, m);
		return;
	case WIRE_GOODBYE:
		take_goodbye(p, s, m->reason);
		return;
	}
	UNREACHABLE();
}

/* --- frames --- */

size_t receive_blocks_size(const struct session *s)
{
	enum wire_kind kind = WIRE_HELLO;
	struct bytes in;
	size_t size;

	if (s->in.size == 0)
		return 0;
	in = bytes_of(s->in.data + s->in_start, s->in.size - s->in_start);
	if (wire_peek(in, READY_KINDS, &kind, &size, NULL) != OK || size == 0 || kind != WIRE_BLOCKS)
		return 0;
	return MIN(size, in.size);
}

static void refuse(struct p2p *p, struct session *s, const struct err *err)
{
	snprintf(p->detail, sizeof(p->detail), "%s", err->message);
	session_doom(p, s, P2P_REASON_MALFORMED); /* before the score's own reason */
	offend(p, s, P2P_OFFENCE_MALFORMED, p->detail);
}

/* Takes one frame, if there is a whole one. */
void receive_frame(struct p2p *p, struct session *s)
{
	unsigned kinds = s->state == SESSION_HELLO ? HANDSHAKE_KINDS : READY_KINDS;
	struct bytes in = bytes_of(NULL, 0);
	struct err err = { 0 };
	struct wire_message m;
	enum wire_kind kind = WIRE_HELLO;
	size_t size;

	if (s->in.size > 0)
		in = bytes_of(s->in.data + s->in_start, s->in.size - s->in_start);
	if (wire_peek(in, kinds, &kind, &size, &err) != OK) {
		refuse(p, s, &err);
		return;
	}
	if (size == 0 || size > in.size) {
		slots_clear(&p->input, s->slot);
		compact(p, s);
		return;
	}
	p->metrics.in_count[kind]++;
	p->metrics.in_size[kind] += size;
	if (!bucket_allows(p, s, kind, size)) {
		p->metrics.over_rate_count[kind]++;
		consume(p, s, size);
		offend(p, s, P2P_OFFENCE_RATE, wire_kind_name(kind));
		return;
	}
	if (wire_decode(p->decoder, bytes_of(in.data, size), &m, &err) != OK) {
		refuse(p, s, &err);
		return;
	}
	consume(p, s, size);
	take_message(p, s, &m);
}
