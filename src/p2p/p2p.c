#include "p2p/internal.h"

#include <limits.h>
#include <stdlib.h>

#include "base/check.h"
#include "crypto/ecc.h"

static_assert(LIMIT_P2P_SESSION_COUNT % 64 == 0, "struct slots has whole words");

/* --- life --- */

static int check_config(const struct p2p_config *config, struct err *err)
{
	if (config->session_max == 0 || config->session_max > LIMIT_P2P_SESSION_COUNT)
		return ERR_SET(err, P2P_E_CONFIG, "%zu sessions, 1 to %d are possible",
			       config->session_max, LIMIT_P2P_SESSION_COUNT);
	if (config->allowed_count > LIMIT_P2P_ALLOWED_COUNT)
		return ERR_SET(err, P2P_E_CONFIG, "%zu allowed peers, %d are possible",
			       config->allowed_count, LIMIT_P2P_ALLOWED_COUNT);
	for (const char *c = config->software; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return ERR_SET(err, P2P_E_CONFIG,
				       "the software's name is not printable ASCII");
	return OK;
}

int p2p_new(struct p2p **out, const struct p2p_config *config, struct err *err)
{
	struct public_key key;
	struct p2p *p;
	int code = check_config(config, err);

	if (code == OK && ecc_public_key(config->ecc, &key, &config->key, err) != OK)
		code = ERR_SET(err, P2P_E_CONFIG, "the node's key is none");
	if (code != OK)
		return code;
	p = xcalloc(1, sizeof(*p));
	p->config = *config;
	p->config.statics = NULL;
	p->config.allowed = NULL;
	p->config.software = NULL;
	ecc_address(&p->self, &key);
	memcpy(p->software, config->software,
	       MIN(strlen(config->software), sizeof(p->software) - 1));
	rng_init(&p->rng, config->seed);
	p->instance = rng_next(&p->rng);
	code = dial_init(p, config, err);
	if (code != OK) {
		crypto_wipe(&p->config.key, sizeof(p->config.key));
		free(p);
		return code;
	}
	map_init(&p->allowed, sizeof(struct addr), 0, rng_next(&p->rng));
	map_init(&p->validators, sizeof(struct addr), 0, rng_next(&p->rng));
	map_init(&p->by_handle, sizeof(uint64_t), sizeof(size_t), rng_next(&p->rng));
	map_init(&p->scores, sizeof(struct score_key), sizeof(struct score), rng_next(&p->rng));
	for (size_t i = 0; i < config->allowed_count; i++)
		map_put(&p->allowed, &config->allowed[i], NULL);
	gossip_init(p);
	p->sessions = xcalloc(config->session_max, sizeof(*p->sessions));
	p->new_items = xcalloc(WIRE_TRANSACTIONS_COUNT_MAX, sizeof(*p->new_items));
	p->decoder = wire_decoder_new();
	*out = p;
	return OK;
}

void p2p_free(struct p2p *p)
{
	if (!p)
		return;
	send_written_clear(p);
	for (size_t i = 0; i < p->config.session_max; i++)
		if (p->sessions[i].state != SESSION_FREE) {
			queue_clear(&p->sessions[i]);
			receive_clear(p, &p->sessions[i]);
		}
	free(p->sessions);
	free(p->new_items);
	wire_decoder_free(p->decoder);
	gossip_clear(p);
	dial_clear(p);
	map_clear(&p->allowed);
	map_clear(&p->validators);
	map_clear(&p->by_handle);
	map_clear(&p->scores);
	crypto_wipe(&p->config.key, sizeof(p->config.key));
	free(p);
}

struct addr p2p_self(const struct p2p *p)
{
	return p->self;
}

bool p2p_is_listed(const struct p2p *p, const struct addr *peer)
{
	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT;
	     i = slots_next(&p->ready, i + 1))
		if (addr_equal(&p->sessions[i].address, peer))
			return p->sessions[i].is_listed;
	return false;
}

/* --- effects --- */

struct p2p_effect *emit(struct p2p *p, enum p2p_effect_kind kind, const struct session *s)
{
	struct p2p_effect *e;

	CHECK(p->effects->count < P2P_EFFECT_MAX);
	e = &p->effects->items[p->effects->count++];
	*e = (struct p2p_effect){ .kind = kind };
	if (s) {
		e->handle = s->handle;
		e->peer = s->address;
	}
	return e;
}

void emit_trace(struct p2p *p, const struct session *s, enum p2p_trace what,
		enum p2p_reason reason, enum p2p_offence offence, const char *detail)
{
	struct p2p_effect *e = emit(p, P2P_EFFECT_TRACE, s);

	e->trace.what = what;
	e->trace.reason = reason;
	e->trace.offence = offence;
	e->trace.detail = detail;
}

bool has_room(const struct p2p *p)
{
	return p->effects->count + EFFECT_RESERVE <= P2P_EFFECT_MAX;
}

void wake_by(struct p2p *p, uint64_t at_ms)
{
	p->wake_ms = MIN(p->wake_ms, at_ms);
}

/* --- what the node asks for --- */

/* To one ready peer, to all validators among them, or to all. */
static void send_wide(struct p2p *p, const struct addr *peer, bool validators_only,
		      const struct wire_message *m)
{
	struct frame *f = NULL;

	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT;
	     i = slots_next(&p->ready, i + 1)) {
		struct session *s = &p->sessions[i];

		if (!addr_is_zero(peer) ? !addr_equal(peer, &s->address) :
					  validators_only && !s->is_validator)
			continue;
		if (!f)
			f = frame_new(m);
		send_frame(p, s, f);
	}
	if (f)
		frame_unref(f);
}

static void send_transactions(struct p2p *p, const struct p2p_event *event)
{
	struct session *s;

	if (addr_is_zero(&event->peer)) {
		gossip_add(p, event->transactions.items, event->transactions.count);
		return;
	}
	s = session_with(p, &event->peer);
	if (s)
		gossip_send_to(p, s, event->transactions.items, event->transactions.count);
}

static void send_consensus(struct p2p *p, const struct p2p_event *event)
{
	struct wire_message m = { .kind = WIRE_CONSENSUS, .consensus = event->consensus };

	send_wide(p, &event->peer, true, &m);
}

static void send_evidence(struct p2p *p, const struct p2p_event *event)
{
	struct wire_message m = { .kind = WIRE_EVIDENCE, .evidence = event->evidence };

	send_wide(p, &event->peer, false, &m);
}

static void send_checkpoint(struct p2p *p, const struct p2p_event *event)
{
	struct wire_message m = { .kind = WIRE_CHECKPOINT, .checkpoint = event->checkpoint };

	send_wide(p, &event->peer, false, &m);
}

/* What is known of a session as a source: anyone can say that it has blocks, and then
 * keep us waiting. */
static unsigned source_cost(const struct session *s)
{
	return s->unanswered + (s->is_listed ? 0 : STRANGER_COST);
}

/* One of those who say that they have the first block and are not asked already: of
 * those who have kept us waiting least, by chance. */
static struct session *pick_source(struct p2p *p, const struct p2p_event *event)
{
	struct session *found = NULL;
	unsigned least = UINT_MAX;
	uint64_t count = 0;

	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT;
	     i = slots_next(&p->ready, i + 1)) {
		struct session *s = &p->sessions[i];

		if (s->has_request || s->doom != P2P_REASON_NONE ||
		    s->tip.height < event->request.from_height)
			continue;
		if (!addr_is_zero(&event->peer) && !addr_equal(&event->peer, &s->address))
			continue;
		if (source_cost(s) < least) {
			least = source_cost(s);
			count = 0;
		}
		if (source_cost(s) == least && rng_below(&p->rng, ++count) == 0)
			found = s;
	}
	return found;
}

static void request_blocks(struct p2p *p, const struct p2p_event *event)
{
	struct wire_message m = { .kind = WIRE_BLOCKS_REQUEST, .blocks_request = event->request };
	struct session *s = pick_source(p, event);

	CHECK(event->request.count > 0 && event->request.count <= WIRE_BLOCKS_COUNT_MAX);
	if (!s) {
		emit(p, P2P_EFFECT_NO_BLOCKS, NULL)->no_blocks = event->request;
		return;
	}
	s->has_request = true;
	s->request = event->request;
	s->request_ms = p->now_ms + (s->is_listed ? REQUEST_MAX_MS : REQUEST_STRANGER_MS);
	wake_by(p, s->request_ms);
	send_message(p, s, &m);
}

/* As many of the first as fit one message, and as were asked for. */
static void answer_blocks(struct p2p *p, const struct p2p_event *event)
{
	struct wire_message m = { .kind = WIRE_BLOCKS, .blocks = event->blocks };
	struct session *s = session_find(p, event->handle);
	size_t size = 0, count = 0;

	if (!s || s->state != SESSION_READY || !s->owes ||
	    s->owed.from_height != event->blocks.from_height)
		return; /* it has left, or asks for something else now */
	while (count < MIN(event->blocks.count, (size_t)s->owed.count)) {
		const struct wire_block *b = &event->blocks.items[count];

		size += b->sealed.size + b->certificate.size + 16;
		if (size > WIRE_BLOCKS_SIZE_MAX)
			break;
		count++;
	}
	s->owes = false;
	m.blocks.count = count;
	s->serve_ms = MAX(s->serve_ms, p->now_ms + size * 1000 / SERVE_STRANGER_RATE);
	send_message(p, s, &m);
}

static void send_status(struct p2p *p, bool to_validators)
{
	struct wire_message m = { .kind = WIRE_STATUS, .status = p->tip };
	struct frame *f = frame_new(&m);

	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT;
	     i = slots_next(&p->ready, i + 1))
		if (p->sessions[i].is_validator == to_validators)
			send_frame(p, &p->sessions[i], f);
	frame_unref(f);
}

static void status_tick(struct p2p *p)
{
	for (size_t i = 0; i < 2; i++) {
		struct status_wave *wave = &p->status[i];

		if (!wave->is_owed)
			continue;
		if (p->now_ms < wave->at_ms) {
			wake_by(p, wave->at_ms);
			continue;
		}
		wave->is_owed = false;
		wave->at_ms = p->now_ms + STATUS_INTERVAL_MS;
		send_status(p, i == 1);
	}
}

static void owe_status(struct p2p *p)
{
	p->status[0].is_owed = true;
	if (!p->status[1].is_owed)
		p->status[1].at_ms = MAX(p->status[1].at_ms, p->now_ms + STATUS_DELAY_MS);
	p->status[1].is_owed = true;
}

/* Told to all if it is new; to `peer`, who seems not to know of it, in any case. */
static void set_tip(struct p2p *p, const struct wire_status *tip, const struct addr *peer)
{
	struct wire_message m = { .kind = WIRE_STATUS, .status = *tip };
	bool is_new = tip->height != p->tip.height || !hash_equal(&tip->block_hash, &p->tip.block_hash);

	if (is_new)
		owe_status(p);
	p->tip = *tip;
	if (!addr_is_zero(peer))
		send_wide(p, peer, false, &m);
	status_tick(p);
}

static void set_validators(struct p2p *p, const struct addr items[], size_t count)
{
	CHECK(count <= VALIDATOR_COUNT_MAX);
	map_reset(&p->validators);
	for (size_t i = 0; i < count; i++)
		map_put(&p->validators, &items[i], NULL);
	p->validator_count = p->validators.count - (map_get(&p->validators, &p->self) != NULL);
	for (size_t i = 0; i < p->config.session_max; i++) {
		struct session *s = &p->sessions[i];

		if (s->state != SESSION_READY && s->state != SESSION_DRAINING)
			continue;
		s->is_validator = map_get(&p->validators, &s->address) != NULL;
		s->is_listed = is_listed(p, &s->address) || s->dial != NO_DIAL;
	}
}

static void stop(struct p2p *p)
{
	p->is_stopping = true;
	for (size_t i = 0; i < p->config.session_max; i++)
		if (p->sessions[i].state != SESSION_FREE)
			session_doom(p, &p->sessions[i], P2P_REASON_STOPPING);
}

/* --- steps --- */

/* What io tells about a connection that is not known any more is old news. */
static void take_io(struct p2p *p, const struct p2p_event *event)
{
	struct session *s = session_find(p, event->handle);

	if (!s)
		return;
	if (event->kind == P2P_EVENT_BYTES)
		receive_bytes(p, s, event->bytes);
	else if (event->kind == P2P_EVENT_SENT)
		send_sent(p, s, event->sent_size);
	else
		session_end(p, s, s->doom != P2P_REASON_NONE ? s->doom : P2P_REASON_CLOSED, true);
}

static void take_event(struct p2p *p, const struct p2p_event *event)
{
	switch (event->kind) {
	case P2P_EVENT_TICK:
	case P2P_EVENT_MORE:
		return;
	case P2P_EVENT_CONNECTED:
		session_open(p, event);
		return;
	case P2P_EVENT_CONNECT_FAILED:
		CHECK(event->connect_failed < p->dial_count);
		dial_ended(p, event->connect_failed, P2P_REASON_CLOSED, 0);
		return;
	case P2P_EVENT_BYTES:
	case P2P_EVENT_SENT:
	case P2P_EVENT_CLOSED:
		take_io(p, event);
		return;
	case P2P_EVENT_SEND_TRANSACTIONS:
		send_transactions(p, event);
		return;
	case P2P_EVENT_SEND_CONSENSUS:
		send_consensus(p, event);
		return;
	case P2P_EVENT_SEND_EVIDENCE:
		send_evidence(p, event);
		return;
	case P2P_EVENT_SEND_CHECKPOINT:
		send_checkpoint(p, event);
		return;
	case P2P_EVENT_REQUEST_BLOCKS:
		request_blocks(p, event);
		return;
	case P2P_EVENT_ANSWER_BLOCKS:
		answer_blocks(p, event);
		return;
	case P2P_EVENT_SET_TIP:
		set_tip(p, &event->tip, &event->peer);
		return;
	case P2P_EVENT_SET_VALIDATORS:
		set_validators(p, event->validators.items, event->validators.count);
		return;
	case P2P_EVENT_OFFENCE:
		offend_peer(p, &event->peer, event->offence);
		return;
	case P2P_EVENT_STOP:
		stop(p);
		return;
	}
	UNREACHABLE();
}

static void tick(struct p2p *p)
{
	p->wake_ms = UINT64_MAX;
	session_tick(p);
	gossip_tick(p);
	status_tick(p);
	dial_tick(p);
}

/* The first of the set at or after *turn, round and round. */
static size_t next_turn(const struct slots *set, size_t *turn)
{
	size_t slot = slots_next(set, *turn % LIMIT_P2P_SESSION_COUNT);

	if (slot == LIMIT_P2P_SESSION_COUNT)
		slot = slots_next(set, 0);
	*turn = slot + 1;
	return slot;
}

static void end_doomed(struct p2p *p)
{
	while (has_room(p) && slots_any(&p->doomed)) {
		struct session *s = &p->sessions[slots_next(&p->doomed, 0)];

		session_end(p, s, s->doom, false);
	}
}

/* One frame of each session in turn, in and out. */
static void work(struct p2p *p)
{
	end_doomed(p);
	while (has_room(p) && !p->has_delivered && slots_any(&p->input))
		receive_frame(p, &p->sessions[next_turn(&p->input, &p->input_at)]);
	end_doomed(p);
	while (has_room(p) && slots_any(&p->output))
		send_next(p, &p->sessions[next_turn(&p->output, &p->output_at)]);
}

void p2p_step(struct p2p *p, const struct p2p_event *event, struct p2p_effects *effects)
{
	effects->count = 0;
	p->effects = effects;
	p->now_ms = MAX(p->now_ms, event->now_ms);
	p->has_delivered = false;
	send_written_clear(p);
	take_event(p, event);
	if (p->now_ms >= p->wake_ms)
		tick(p);
	work(p);
	effects->more = slots_any(&p->doomed) || slots_any(&p->input) || slots_any(&p->output) ||
			p->wake_ms <= p->now_ms;
	effects->wake_ms = p->wake_ms;
	p->effects = NULL;
}

/* --- what is going on --- */

size_t p2p_peers(const struct p2p *p, uint64_t now_ms, struct p2p_peer out[], size_t max)
{
	size_t count = 0;

	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT && count < max;
	     i = slots_next(&p->ready, i + 1)) {
		const struct session *s = &p->sessions[i];
		struct p2p_peer *peer = &out[count++];

		*peer = (struct p2p_peer){
			.address = s->address,
			.handle = s->handle,
			.ip = s->ip,
			.is_outbound = s->is_outbound,
			.is_validator = s->is_validator,
			.tip = s->tip,
			.up_ms = s->up_ms,
			.heard_ms = s->heard_ms,
			.round_trip_ms = s->round_trip_ms,
			.queued_size = queue_size(s),
			.score = score_of(p, &s->address, now_ms),
		};
		memcpy(peer->software, s->software, sizeof(peer->software));
	}
	return count;
}

void p2p_get_metrics(const struct p2p *p, struct p2p_metrics *out)
{
	*out = p->metrics;
	out->session_count = p->by_handle.count;
	out->input_size = p->input_size;
	out->ready_count = 0;
	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT;
	     i = slots_next(&p->ready, i + 1))
		out->ready_count++;
}
