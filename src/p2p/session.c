/*
 *     CONNECTED ──► HELLO ──good hello──► READY ──► closed
 *                     │                     │
 *                     │ a better connection │ a better connection
 *                     │ is there            ▼ came
 *                     └────────────────► DRAINING ──goodbye, or DRAIN_MS──► closed
 *
 * A session that must end is doomed; work in p2p.c closes it when there is room for
 * the effects.
 */
#include "p2p/internal.h"

#include "base/check.h"
#include "chain/seal.h"
#include "crypto/ecc.h"

struct session *session_find(struct p2p *p, uint64_t handle)
{
	const size_t *slot = map_get(&p->by_handle, &handle);

	return slot ? &p->sessions[*slot] : NULL;
}

struct session *session_with(struct p2p *p, const struct addr *address)
{
	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT;
	     i = slots_next(&p->ready, i + 1))
		if (addr_equal(&p->sessions[i].address, address))
			return &p->sessions[i];
	return NULL;
}

bool is_listed(const struct p2p *p, const struct addr *address)
{
	return map_get(&p->validators, address) || map_get(&p->allowed, address);
}

/* --- opening --- */

static void hello_digest(const struct p2p *p, const struct hash *exporter, bool is_dialler,
			 struct hash *out)
{
	struct buf b = { 0 };
	size_t list = seal_open(&b, DOMAIN_HELLO, p->config.chain_id);

	rlp_put_hash(&b, &p->config.genesis_hash);
	rlp_put_hash(&b, exporter);
	rlp_put_u64(&b, is_dialler);
	seal_close(&b, list, out);
}

static void say_hello(struct p2p *p, struct session *s)
{
	struct wire_message m = { .kind = WIRE_HELLO };
	struct hash digest;

	hello_digest(p, &s->exporter, s->is_outbound, &digest);
	m.hello = (struct wire_hello){
		.protocol_version = PROTOCOL_VERSION,
		.chain_id = p->config.chain_id,
		.genesis_hash = p->config.genesis_hash,
		.address = p->self,
		.height = p->tip.height,
		.block_hash = p->tip.block_hash,
		.listen_port = p->config.listen_port,
		.software = bytes_of_str(p->software),
		.instance = p->instance,
	};
	CHECK(ecc_sign(p->config.ecc, &m.hello.signature, &digest, &p->config.key, NULL) == OK);
	send_message(p, s, &m);
}

static bool same_group(const struct p2p_ip *a, const struct p2p_ip *b)
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };
	bool is_v4 = memcmp(a->bytes, v4, sizeof(v4)) == 0;

	return memcmp(a->bytes, b->bytes, is_v4 ? 15 : 6) == 0;
}

/* Why an inbound connection is not taken, or NONE. */
static enum p2p_reason inbound_refusal(struct p2p *p, const struct p2p_ip *ip)
{
	size_t handshake_count = 0, group_count = 0;

	if (is_ip_banned(p, ip))
		return P2P_REASON_SCORE;
	for (size_t i = 0; i < p->config.session_max; i++) {
		const struct session *s = &p->sessions[i];

		if (s->state == SESSION_FREE || s->is_outbound)
			continue;
		handshake_count += s->state == SESSION_HELLO;
		group_count += !s->is_listed && same_group(&s->ip, ip);
	}
	if (handshake_count >= LIMIT_P2P_HANDSHAKE_COUNT)
		return P2P_REASON_FULL;
	if (group_count >= LIMIT_P2P_GROUP_COUNT && !ip_is_loopback(ip))
		return P2P_REASON_FULL;
	return P2P_REASON_NONE;
}

static struct session *free_session(struct p2p *p)
{
	for (size_t i = 0; i < p->config.session_max; i++)
		if (p->sessions[i].state == SESSION_FREE)
			return &p->sessions[i];
	return NULL;
}

static void refuse_connection(struct p2p *p, const struct p2p_event *event, enum p2p_reason reason)
{
	struct p2p_effect *e = emit(p, P2P_EFFECT_CLOSE, NULL);

	e->handle = event->handle;
	e->close = reason;
	emit_trace(p, NULL, P2P_TRACE_REFUSED, reason, 0, "");
	p->effects->items[p->effects->count - 1].handle = event->handle;
	p->metrics.refused_count[reason]++;
	if (event->connected.is_outbound)
		dial_ended(p, event->connected.dial, reason, 0);
}

/* Both ends of one connection are this node's: no other has that exporter. Seen here,
 * as each end is open before the other one's hello can come. */
static void find_own_end(struct p2p *p, struct session *s)
{
	for (size_t i = 0; i < p->config.session_max; i++) {
		struct session *other = &p->sessions[i];

		if (other != s && other->state != SESSION_FREE &&
		    hash_equal(&other->exporter, &s->exporter))
			s->is_self = other->is_self = true;
	}
}

void session_open(struct p2p *p, const struct p2p_event *event)
{
	struct session *s = free_session(p);
	enum p2p_reason reason = P2P_REASON_NONE;
	size_t slot;

	CHECK(!session_find(p, event->handle));
	CHECK(!event->connected.is_outbound || event->connected.dial < p->dial_count);
	if (p->is_stopping)
		reason = P2P_REASON_STOPPING;
	else if (!s)
		reason = P2P_REASON_FULL;
	else if (!event->connected.is_outbound)
		reason = inbound_refusal(p, &event->connected.ip);
	if (reason != P2P_REASON_NONE) {
		refuse_connection(p, event, reason);
		return;
	}
	slot = (size_t)(s - p->sessions);
	*s = (struct session){
		.state = SESSION_HELLO,
		.slot = slot,
		.handle = event->handle,
		.is_outbound = event->connected.is_outbound,
		.dial = event->connected.is_outbound ? event->connected.dial : NO_DIAL,
		.ip = event->connected.ip,
		.exporter = event->connected.exporter,
		.opened_ms = p->now_ms,
		.heard_ms = p->now_ms,
		.deadline_ms = p->now_ms + LIMIT_P2P_HANDSHAKE_MS,
		.round_trip_ms = UINT64_MAX,
		.probe_ms = UINT64_MAX,
	};
	*(size_t *)map_put(&p->by_handle, &s->handle, NULL) = slot;
	queue_init(s);
	buckets_init(p, s);
	find_own_end(p, s);
	wake_by(p, s->deadline_ms);
	if (s->is_outbound)
		say_hello(p, s);
}

/* --- the peer's hello --- */

static enum p2p_reason check_identity(struct p2p *p, const struct session *s,
				      const struct wire_hello *h)
{
	const struct dial *d = s->dial == NO_DIAL ? NULL : &p->dials[s->dial];
	struct seal seal = { .signature = h->signature, .signer = h->address };

	hello_digest(p, &s->exporter, !s->is_outbound, &seal.digest);
	if (!seal_verify(p->config.ecc, &seal))
		return P2P_REASON_SIGNATURE;
	if (addr_equal(&h->address, &p->self))
		return s->is_self ? P2P_REASON_SELF : P2P_REASON_TWIN;
	if (d && d->is_given && !addr_equal(&d->address, &h->address))
		return P2P_REASON_IDENTITY;
	if (is_banned(p, &h->address))
		return P2P_REASON_SCORE;
	return P2P_REASON_NONE;
}

static size_t stranger_count(const struct p2p *p)
{
	size_t count = 0;

	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT;
	     i = slots_next(&p->ready, i + 1))
		count += !p->sessions[i].is_listed && !p->sessions[i].is_outbound;
	return count;
}

static enum p2p_reason check_place(struct p2p *p, const struct session *s,
				   const struct wire_hello *h)
{
	bool is_given = s->dial != NO_DIAL && p->dials[s->dial].is_given;

	if (is_given || is_listed(p, &h->address))
		return P2P_REASON_NONE;
	if (!p->config.is_open)
		return P2P_REASON_NOT_ALLOWED;
	if (!s->is_outbound && stranger_count(p) >= LIMIT_P2P_STRANGER_COUNT)
		return P2P_REASON_FULL;
	return P2P_REASON_NONE;
}

static enum p2p_reason check_hello(struct p2p *p, const struct session *s,
				   const struct wire_hello *h)
{
	enum p2p_reason reason;

	if (h->protocol_version != PROTOCOL_VERSION)
		return P2P_REASON_VERSION;
	if (h->chain_id != p->config.chain_id ||
	    !hash_equal(&h->genesis_hash, &p->config.genesis_hash))
		return P2P_REASON_CHAIN;
	reason = check_identity(p, s, h);
	return reason == P2P_REASON_NONE ? check_place(p, s, h) : reason;
}

/* Refusals that an honest node can run into by chance cost nothing. */
static bool is_offence(enum p2p_reason reason)
{
	return reason == P2P_REASON_VERSION || reason == P2P_REASON_CHAIN ||
	       reason == P2P_REASON_SIGNATURE || reason == P2P_REASON_NOT_ALLOWED ||
	       reason == P2P_REASON_TWIN;
}

/* Of two connections the one that the lower address dialled. */
static bool is_better(const struct p2p *p, const struct session *s)
{
	bool is_lower = memcmp(p->self.bytes, s->address.bytes, sizeof(p->self.bytes)) < 0;

	return s->is_outbound == is_lower;
}

static void drain(struct p2p *p, struct session *s)
{
	struct wire_message m = { .kind = WIRE_GOODBYE, .reason = P2P_REASON_DUPLICATE };

	slots_clear(&p->ready, s->slot);
	s->state = SESSION_DRAINING;
	s->deadline_ms = p->now_ms + DRAIN_MS;
	wake_by(p, s->deadline_ms);
	send_message(p, s, &m);
}

static void probe(struct p2p *p, struct session *s)
{
	if (s->probe_ms != UINT64_MAX)
		return;
	s->probe_ms = p->now_ms + PROBE_MS;
	wake_by(p, s->probe_ms);
	if (!s->has_ping) {
		struct wire_message m = { .kind = WIRE_PING, .nonce = rng_next(&p->rng) };

		s->has_ping = true;
		s->ping_nonce = m.nonce;
		s->ping_ms = p->now_ms;
		send_message(p, s, &m);
	}
}

static void become_ready(struct p2p *p, struct session *s)
{
	s->state = SESSION_READY;
	s->up_ms = p->now_ms;
	s->deadline_ms = UINT64_MAX;
	slots_set(&p->ready, s->slot);
	wake_by(p, p->now_ms + PING_AFTER_MS);
}

/* Takes the place of `old`: what waited there goes this way. */
static void replace(struct p2p *p, struct session *s, struct session *old)
{
	become_ready(p, s);
	s->up_ms = old->up_ms;
	s->has_request = old->has_request;
	s->request = old->request;
	s->request_ms = old->request_ms;
	s->late_count = old->late_count;
	old->late_count += old->has_request; /* its answer may be on this way already */
	old->has_request = false;
	queue_move(p, s, old);
	drain(p, old);
	emit_trace(p, s, P2P_TRACE_REPLACED, P2P_REASON_DUPLICATE, 0, "");
}

static void announce(struct p2p *p, struct session *s)
{
	struct p2p_effect *e;

	become_ready(p, s);
	e = emit(p, P2P_EFFECT_PEER_UP, s);
	e->up.is_outbound = s->is_outbound;
	e->up.is_validator = s->is_validator;
	e->up.tip = s->tip;
}

/* A process whose key another had, and has still, is no restart of it. Known when it
 * comes back: the first time nobody has asked the other. */
static bool is_twin(const struct p2p *p, struct session *old, uint64_t instance)
{
	if (old->rival_ms && old->rival == instance)
		return old->has_twin;
	old->rival = instance;
	old->rival_ms = p->now_ms;
	old->has_twin = false;
	return false;
}

/* To somebody who has proven who it is; whoever dialled is ready when it hears this, and so
 * not before it is taken. */
static void say_hello_back(struct p2p *p, struct session *s)
{
	if (!s->is_outbound)
		say_hello(p, s);
}

static void settle_duplicate(struct p2p *p, struct session *s, struct session *old)
{
	/* Another process with this key: the peer after a restart, or a twin. If the old
	 * session is alive it stays, whoever dialled. */
	if (s->instance != old->instance) {
		session_doom(p, s, is_twin(p, old, s->instance) ? P2P_REASON_TWIN : P2P_REASON_DUPLICATE);
		probe(p, old);
	} else if (s->is_outbound == old->is_outbound) {
		probe(p, old);
		session_doom(p, s, P2P_REASON_DUPLICATE);
	} else if (is_better(p, s)) {
		say_hello_back(p, s);
		replace(p, s, old);
	} else {
		drain(p, s);
	}
}

void session_take_hello(struct p2p *p, struct session *s, const struct wire_hello *h)
{
	enum p2p_reason reason = check_hello(p, s, h);
	struct session *old;

	if (reason != P2P_REASON_NONE) {
		if (is_offence(reason))
			offend(p, s, P2P_OFFENCE_HELLO, p2p_reason_name(reason));
		session_doom(p, s, reason);
		return;
	}
	s->address = h->address;
	s->is_validator = map_get(&p->validators, &s->address) != NULL;
	s->is_listed = is_listed(p, &s->address) || (s->dial != NO_DIAL);
	s->tip = (struct wire_status){ h->height, h->block_hash };
	s->instance = h->instance;
	memcpy(s->software, h->software.data, h->software.size);
	s->software[h->software.size] = '\0';
	if (s->dial != NO_DIAL)
		p->dials[s->dial].address = s->address;
	old = session_with(p, &s->address);
	if (old && old->doom != P2P_REASON_NONE) {
		session_end(p, old, old->doom, false); /* down before up */
		old = NULL;
	}
	if (old) {
		settle_duplicate(p, s, old);
	} else {
		say_hello_back(p, s);
		announce(p, s);
	}
}

/* --- ending --- */

void session_doom(struct p2p *p, struct session *s, enum p2p_reason reason)
{
	if (s->doom != P2P_REASON_NONE)
		return;
	s->doom = reason;
	slots_set(&p->doomed, s->slot);
	slots_clear(&p->input, s->slot);
	slots_clear(&p->output, s->slot);
}

static void say_goodbye(struct p2p *p, struct session *s, enum p2p_reason reason)
{
	struct wire_message m = { .kind = WIRE_GOODBYE, .reason = reason };
	struct frame *f = frame_new(&m);
	struct p2p_effect *e = emit(p, P2P_EFFECT_WRITE, s);

	p->written[p->written_count++] = f;
	p->metrics.out_count[f->kind]++;
	p->metrics.out_size[f->kind] += f->bytes.size;
	e->write.class = P2P_CLASS_CONSENSUS;
	e->write.bytes = buf_bytes(&f->bytes);
}

static void tell_end(struct p2p *p, struct session *s, enum p2p_reason reason)
{
	if (s->state == SESSION_READY) {
		p->metrics.ended_count[reason]++;
		emit(p, P2P_EFFECT_PEER_DOWN, s)->down = reason;
	} else if (s->state == SESSION_HELLO) {
		p->metrics.refused_count[reason]++;
		emit_trace(p, s, P2P_TRACE_REFUSED, reason, 0, "");
	}
	if (s->has_request)
		emit(p, P2P_EFFECT_NO_BLOCKS, s)->no_blocks = s->request;
}

/* `is_gone`: the connection is closed already. */
void session_end(struct p2p *p, struct session *s, enum p2p_reason reason, bool is_gone)
{
	bool was_ready = s->state == SESSION_READY;
	struct addr address = s->address;

	if (s->farewell != P2P_REASON_NONE)
		reason = s->farewell;
	if (!is_gone) {
		if (s->farewell == P2P_REASON_NONE && s->state != SESSION_DRAINING)
			say_goodbye(p, s, reason);
		emit(p, P2P_EFFECT_CLOSE, s)->close = reason;
	}
	tell_end(p, s, reason);
	if (s->dial != NO_DIAL)
		dial_ended(p, s->dial, reason, was_ready ? p->now_ms - s->up_ms : 0);
	queue_clear(s);
	receive_clear(p, s);
	if (s->state != SESSION_HELLO)
		gossip_forget(p, s->slot);
	map_delete(&p->by_handle, &s->handle);
	slots_clear(&p->ready, s->slot);
	slots_clear(&p->doomed, s->slot);
	slots_clear(&p->input, s->slot);
	slots_clear(&p->output, s->slot);
	s->state = SESSION_FREE;
	if (was_ready)
		dial_peer_down(p, &address);
}

/* --- time --- */

/* When the answer to a request is given up: what has come of it buys time at the least rate
 * that is waited for, so that a slow link is no fault, and nobody holds us up with less. */
static uint64_t request_due_ms(const struct session *s)
{
	uint64_t rate = s->is_listed ? REQUEST_RATE : REQUEST_STRANGER_RATE;

	return s->request_ms + receive_blocks_size(s) * 1000ull / rate;
}

static void ready_tick(struct p2p *p, struct session *s)
{
	uint64_t silent_ms = s->heard_ms + SILENCE_MAX_MS, ping_ms = s->heard_ms + PING_AFTER_MS;

	if (p->now_ms >= silent_ms || p->now_ms >= s->probe_ms) {
		session_doom(p, s, P2P_REASON_TIMEOUT);
		return;
	}
	if (!s->has_ping && p->now_ms >= ping_ms) {
		struct wire_message m = { .kind = WIRE_PING, .nonce = rng_next(&p->rng) };

		s->has_ping = true;
		s->ping_nonce = m.nonce;
		s->ping_ms = p->now_ms;
		send_message(p, s, &m);
	}
	wake_by(p, MIN(s->probe_ms, s->has_ping ? silent_ms : ping_ms));
	if (s->is_deferred)
		receive_deferred(p, s);
	if (!s->has_request)
		return;
	if (p->now_ms < request_due_ms(s)) {
		wake_by(p, request_due_ms(s));
	} else if (has_room(p)) {
		s->has_request = false;
		s->late_count = MIN(s->late_count + 1, (unsigned)UNANSWERED_MAX);
		s->unanswered = MIN(s->unanswered + 1, (unsigned)UNANSWERED_MAX);
		emit(p, P2P_EFFECT_NO_BLOCKS, s)->no_blocks = s->request;
	} else {
		wake_by(p, p->now_ms);
	}
}

void session_tick(struct p2p *p)
{
	for (size_t i = 0; i < p->config.session_max; i++) {
		struct session *s = &p->sessions[i];

		if (s->state == SESSION_FREE || s->doom != P2P_REASON_NONE)
			continue;
		if (p->now_ms >= s->deadline_ms)
			session_doom(p, s, P2P_REASON_TIMEOUT);
		else if (s->deadline_ms != UINT64_MAX)
			wake_by(p, s->deadline_ms);
		if (s->state == SESSION_READY && s->doom == P2P_REASON_NONE)
			ready_tick(p, s);
	}
}
