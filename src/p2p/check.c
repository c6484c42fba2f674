#include "p2p/internal.h"

#include "base/check.h"

static void check_queue(const struct queue *q)
{
	struct queued *const *last = &q->first;
	size_t size = 0;

	for (const struct queued *item = q->first; item; item = item->next) {
		CHECK(item->frame->refs > 0);
		size += item->frame->bytes.size + FRAME_COST;
		last = &item->next;
	}
	CHECK(size == q->size);
	CHECK(last == q->last);
}

static void check_session(const struct p2p *p, const struct session *s, size_t slot)
{
	const size_t *found;

	if (s->state == SESSION_FREE) {
		CHECK(!slots_get(&p->ready, slot) && !slots_get(&p->doomed, slot));
		CHECK(!slots_get(&p->input, slot) && !slots_get(&p->output, slot));
		return;
	}
	found = map_get(&p->by_handle, &s->handle);
	CHECK(s->slot == slot && found && *found == slot);
	CHECK(slots_get(&p->ready, slot) == (s->state == SESSION_READY));
	CHECK(slots_get(&p->doomed, slot) == (s->doom != P2P_REASON_NONE));
	CHECK(s->state != SESSION_READY || !addr_is_zero(&s->address));
	CHECK(s->in_start <= s->in.size);
	CHECK(s->dial == NO_DIAL || (s->is_outbound && p->dials[s->dial].is_busy));
	for (size_t i = 0; i < P2P_CLASS_COUNT; i++)
		check_queue(&s->out[i]);
	CHECK(s->out[P2P_CLASS_CONSENSUS].size <= LIMIT_P2P_CONSENSUS_QUEUE_SIZE);
	CHECK(s->out[P2P_CLASS_BLOCKS].size <= LIMIT_P2P_BLOCKS_QUEUE_SIZE);
	CHECK(s->out[P2P_CLASS_GOSSIP].size <= LIMIT_P2P_GOSSIP_QUEUE_SIZE);
	CHECK(s->in_flight_size < LIMIT_P2P_WINDOW_SIZE + WIRE_FRAME_SIZE_MAX);
}

/* No two ready sessions with one peer, none with oneself. */
static void check_identities(const struct p2p *p)
{
	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT;
	     i = slots_next(&p->ready, i + 1)) {
		CHECK(!addr_equal(&p->sessions[i].address, &p->self));
		for (size_t j = slots_next(&p->ready, i + 1); j < LIMIT_P2P_SESSION_COUNT;
		     j = slots_next(&p->ready, j + 1))
			CHECK(!addr_equal(&p->sessions[i].address, &p->sessions[j].address) ||
			      p->sessions[i].doom || p->sessions[j].doom);
	}
}

void p2p_check(const struct p2p *p)
{
	size_t session_count = 0, input_size = 0;

	for (size_t i = 0; i < p->config.session_max; i++) {
		check_session(p, &p->sessions[i], i);
		if (p->sessions[i].state == SESSION_FREE)
			continue;
		session_count++;
		input_size += p->sessions[i].in.size;
	}
	CHECK(session_count == p->by_handle.count);
	CHECK(input_size == p->input_size && input_size <= LIMIT_P2P_INPUT_SIZE);
	CHECK(p->known.young.count <= LIMIT_P2P_KNOWN_COUNT);
	CHECK(p->known.old.count <= LIMIT_P2P_KNOWN_COUNT);
	CHECK(p->scores.count <= LIMIT_P2P_SCORE_COUNT);
	check_identities(p);
}
