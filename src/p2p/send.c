/*
 * One queue a class and session. A frame goes to the socket whole, as long as less
 * than the window is under way; what waits behind the window is still ours to
 * order.
 */
#include "p2p/internal.h"

#include <stdlib.h>

#include "base/check.h"

/* --- frames --- */

struct frame *frame_new(const struct wire_message *m)
{
	struct frame *f = xcalloc(1, sizeof(*f));

	f->refs = 1;
	f->kind = m->kind;
	wire_encode(&f->bytes, m);
	return f;
}

void frame_unref(struct frame *f)
{
	if (--f->refs > 0)
		return;
	buf_clear(&f->bytes);
	free(f);
}

void send_written_clear(struct p2p *p)
{
	for (size_t i = 0; i < p->written_count; i++)
		frame_unref(p->written[i]);
	p->written_count = 0;
}

/* --- queues --- */

static enum p2p_class class_of(enum wire_kind kind)
{
	switch (kind) {
	case WIRE_BLOCKS:
		return P2P_CLASS_BLOCKS;
	case WIRE_TRANSACTIONS:
	case WIRE_EVIDENCE:
	case WIRE_CHECKPOINT:
		return P2P_CLASS_GOSSIP;
	case WIRE_HELLO:
	case WIRE_CONSENSUS:
	case WIRE_BLOCKS_REQUEST:
	case WIRE_STATUS:
	case WIRE_PING:
	case WIRE_PONG:
	case WIRE_GOODBYE:
		return P2P_CLASS_CONSENSUS;
	}
	UNREACHABLE();
}

static const size_t class_size_max[P2P_CLASS_COUNT] = {
	[P2P_CLASS_CONSENSUS] = LIMIT_P2P_CONSENSUS_QUEUE_SIZE,
	[P2P_CLASS_BLOCKS] = LIMIT_P2P_BLOCKS_QUEUE_SIZE,
	[P2P_CLASS_GOSSIP] = LIMIT_P2P_GOSSIP_QUEUE_SIZE,
};

static_assert(LIMIT_P2P_CONSENSUS_QUEUE_SIZE >= 2 * WIRE_FRAME_SIZE_MAX,
	      "two pre-prepares may wait");
static_assert(LIMIT_P2P_BLOCKS_QUEUE_SIZE >= 2 * WIRE_FRAME_SIZE_MAX, "two answers may wait");
static_assert(LIMIT_P2P_GOSSIP_QUEUE_SIZE >= 4 * WIRE_TRANSACTIONS_SIZE_MAX, "some batches may");

void queue_init(struct session *s)
{
	for (size_t i = 0; i < P2P_CLASS_COUNT; i++)
		s->out[i] = (struct queue){ .last = &s->out[i].first };
}

static void queue_put(struct queue *q, struct frame *f)
{
	struct queued *item = xmalloc(sizeof(*item));

	f->refs++;
	*item = (struct queued){ .frame = f };
	*q->last = item;
	q->last = &item->next;
	q->size += f->bytes.size + FRAME_COST;
}

/* The first frame, with the queue's reference. */
static struct frame *queue_take(struct queue *q)
{
	struct queued *item = q->first;
	struct frame *f = item->frame;

	q->first = item->next;
	if (!q->first)
		q->last = &q->first;
	q->size -= f->bytes.size + FRAME_COST;
	free(item);
	return f;
}

void queue_clear(struct session *s)
{
	for (size_t i = 0; i < P2P_CLASS_COUNT; i++)
		while (s->out[i].first)
			frame_unref(queue_take(&s->out[i]));
}

/* Behind what `to` has already: its hello. */
void queue_move(struct p2p *p, struct session *to, struct session *from)
{
	for (size_t i = 0; i < P2P_CLASS_COUNT; i++)
		while (from->out[i].first) {
			struct frame *f = queue_take(&from->out[i]);

			queue_put(&to->out[i], f);
			frame_unref(f);
		}
	slots_set(&p->output, to->slot);
}

size_t queue_size(const struct session *s)
{
	size_t size = 0;

	for (size_t i = 0; i < P2P_CLASS_COUNT; i++)
		size += s->out[i].size;
	return size;
}

/* --- sending --- */

void send_frame(struct p2p *p, struct session *s, struct frame *f)
{
	enum p2p_class class = class_of(f->kind);

	if (s->doom != P2P_REASON_NONE)
		return;
	if (s->out[class].size + f->bytes.size + FRAME_COST > class_size_max[class]) {
		p->metrics.queue_dropped_count++;
		/* Votes are not to be left out; whoever lags so far starts anew. */
		if (class == P2P_CLASS_CONSENSUS)
			session_doom(p, s, P2P_REASON_SLOW);
		return;
	}
	queue_put(&s->out[class], f);
	p->metrics.out_count[f->kind]++;
	p->metrics.out_size[f->kind] += f->bytes.size;
	slots_set(&p->output, s->slot);
}

void send_message(struct p2p *p, struct session *s, const struct wire_message *m)
{
	struct frame *f = frame_new(m);

	send_frame(p, s, f);
	frame_unref(f);
}

/* Writes one frame, or finds that there is nothing to write now. */
void send_next(struct p2p *p, struct session *s)
{
	struct p2p_effect *e;
	size_t class = 0;
	struct frame *f;

	while (class < P2P_CLASS_COUNT && !s->out[class].first)
		class++;
	if (class == P2P_CLASS_COUNT || s->in_flight_size >= LIMIT_P2P_WINDOW_SIZE) {
		slots_clear(&p->output, s->slot);
		return;
	}
	f = queue_take(&s->out[class]);
	s->in_flight_size += f->bytes.size;
	p->written[p->written_count++] = f;
	e = emit(p, P2P_EFFECT_WRITE, s);
	e->write.class = (enum p2p_class)class;
	e->write.bytes = buf_bytes(&f->bytes);
}

void send_sent(struct p2p *p, struct session *s, size_t size)
{
	CHECK(size <= s->in_flight_size);
	s->in_flight_size -= size;
	if (s->doom == P2P_REASON_NONE)
		slots_set(&p->output, s->slot);
}
