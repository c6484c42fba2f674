/*
 * Which session knows which transaction: 64-bit ids, keyed with a secret seed so
 * that nobody can aim at a collision, each with the set of sessions that sent it
 * or were sent it. Two generations: when the young one is full, or old, the other
 * is forgotten.
 */
#include "p2p/internal.h"

#include "base/check.h"

void gossip_init(struct p2p *p)
{
	map_init(&p->known.young, sizeof(uint64_t), sizeof(struct slots), rng_next(&p->rng));
	map_init(&p->known.old, sizeof(uint64_t), sizeof(struct slots), rng_next(&p->rng));
	p->known.seed[0] = rng_next(&p->rng);
	p->known.seed[1] = rng_next(&p->rng);
}

void gossip_clear(struct p2p *p)
{
	map_clear(&p->known.young);
	map_clear(&p->known.old);
	buf_clear(&p->pending.bytes);
}

static void turn(struct p2p *p)
{
	struct map old = p->known.old;

	p->known.old = p->known.young;
	p->known.young = old;
	map_reset(&p->known.young);
	p->known.turned_ms = p->now_ms;
}

/* Who knows it; valid until the next call. */
static struct slots *known_by(struct p2p *p, struct bytes raw, bool *is_new)
{
	uint64_t id = siphash13(p->known.seed, raw);
	struct slots *slots = map_get(&p->known.young, &id), *before;
	struct slots copy = { 0 };

	if (is_new)
		*is_new = false;
	if (slots)
		return slots;
	before = map_get(&p->known.old, &id);
	if (before)
		copy = *before;
	else if (is_new)
		*is_new = true;
	if (p->known.young.count >= LIMIT_P2P_KNOWN_COUNT)
		turn(p);
	slots = map_put(&p->known.young, &id, NULL);
	*slots = copy;
	return slots;
}

static void forget_in(struct map *m, size_t slot)
{
	const void *key;
	size_t at = 0;
	void *value;

	while (map_next(m, &at, &key, &value))
		slots_clear(value, slot);
}

/* The slot will be someone else's. */
void gossip_forget(struct p2p *p, size_t slot)
{
	forget_in(&p->known.young, slot);
	forget_in(&p->known.old, slot);
}

static struct slots ready_validators(const struct p2p *p, size_t *count)
{
	struct slots found = { 0 };

	*count = 0;
	for (size_t i = slots_next(&p->ready, 0); i < LIMIT_P2P_SESSION_COUNT;
	     i = slots_next(&p->ready, i + 1))
		if (p->sessions[i].is_validator) {
			slots_set(&found, i);
			(*count)++;
		}
	return found;
}

static void slots_add(struct slots *to, const struct slots *more)
{
	for (size_t i = 0; i < ARRAY_COUNT(to->bits); i++)
		to->bits[i] |= more->bits[i];
}

size_t gossip_filter(struct p2p *p, struct session *s, const struct wire_transactions *t,
		     struct bytes out[])
{
	size_t validator_count, count = 0;
	struct slots validators = ready_validators(p, &validator_count);

	for (size_t i = 0; i < t->count; i++) {
		bool is_new;
		struct slots *slots = known_by(p, t->items[i], &is_new);

		slots_set(slots, s->slot);
		if (t->is_spread)
			slots_add(slots, &validators);
		if (is_new)
			out[count++] = t->items[i];
		else
			p->metrics.known_count++;
	}
	return count;
}

void p2p_forget_transactions(struct p2p *p, const struct bytes items[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t id = siphash13(p->known.seed, items[i]);

		map_delete(&p->known.young, &id);
		map_delete(&p->known.old, &id);
	}
}

/* --- to everyone --- */

/* What one peer lacks of the batch. */
struct selection {
	size_t count;
	uint16_t indexes[WIRE_TRANSACTIONS_COUNT_MAX];
};

static bool same_selection(const struct selection *a, const struct selection *b)
{
	return a->count == b->count &&
	       memcmp(a->indexes, b->indexes, a->count * sizeof(a->indexes[0])) == 0;
}

static struct frame *batch_frame(const struct bytes items[], const struct selection *selection,
				 bool is_spread)
{
	struct bytes chosen[WIRE_TRANSACTIONS_COUNT_MAX];
	struct wire_message m = { .kind = WIRE_TRANSACTIONS };

	for (size_t i = 0; i < selection->count; i++)
		chosen[i] = items[selection->indexes[i]];
	m.transactions = (struct wire_transactions){ chosen, selection->count, is_spread };
	return frame_new(&m);
}

/* Sends the batch to everyone who lacks some of it. Peers that lack the same share
 * a frame. */
static void send_batch(struct p2p *p, const struct bytes items[], const struct slots known[],
		       size_t count)
{
	struct selection lacks, before = { 0 };
	struct frame *frame = NULL;
	size_t validator_count;
	bool is_spread;

	ready_validators(p, &validator_count);
	is_spread = validator_count > 0 && validator_count == p->validator_count;
	for (size_t slot = slots_next(&p->ready, 0); slot < LIMIT_P2P_SESSION_COUNT;
	     slot = slots_next(&p->ready, slot + 1)) {
		lacks.count = 0;
		for (size_t i = 0; i < count; i++)
			if (!slots_get(&known[i], slot))
				lacks.indexes[lacks.count++] = (uint16_t)i;
		if (lacks.count == 0)
			continue;
		if (!frame || !same_selection(&lacks, &before)) {
			if (frame)
				frame_unref(frame);
			frame = batch_frame(items, &lacks, is_spread);
			before.count = lacks.count;
			memcpy(before.indexes, lacks.indexes, lacks.count * sizeof(uint16_t));
		}
		send_frame(p, &p->sessions[slot], frame);
	}
	if (frame)
		frame_unref(frame);
}

static void flush(struct p2p *p)
{
	struct bytes items[WIRE_TRANSACTIONS_COUNT_MAX];
	struct slots known[WIRE_TRANSACTIONS_COUNT_MAX];
	size_t count = p->pending.count, at = 0;

	for (size_t i = 0; i < count; i++) {
		struct slots *slots;

		items[i] = bytes_of(p->pending.bytes.data + at, p->pending.sizes[i]);
		at += p->pending.sizes[i];
		slots = known_by(p, items[i], NULL);
		known[i] = *slots;
		slots_add(slots, &p->ready);
	}
	send_batch(p, items, known, count);
	buf_reset(&p->pending.bytes);
	p->pending.count = 0;
	p->pending.flushed_ms = p->now_ms;
}

void gossip_add(struct p2p *p, const struct bytes items[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		CHECK(items[i].size > 0 && items[i].size <= LIMIT_TX_SIZE);
		buf_append_bytes(&p->pending.bytes, items[i]);
		p->pending.sizes[p->pending.count++] = items[i].size;
		if (p->pending.bytes.size >= GOSSIP_BATCH_SIZE ||
		    p->pending.count == WIRE_TRANSACTIONS_COUNT_MAX)
			flush(p);
	}
	gossip_tick(p);
}

static_assert(GOSSIP_BATCH_SIZE + LIMIT_TX_SIZE <= WIRE_TRANSACTIONS_SIZE_MAX,
	      "a batch fits a message");

/* After a quiet moment a transaction leaves at once, alone; while more come, they
 * share a frame. */
void gossip_tick(struct p2p *p)
{
	uint64_t turn_ms = p->known.turned_ms + KNOWN_MAX_MS;

	if (p->pending.count > 0) {
		if (p->now_ms >= p->pending.flushed_ms + GOSSIP_INTERVAL_MS)
			flush(p);
		else
			wake_by(p, p->pending.flushed_ms + GOSSIP_INTERVAL_MS);
	}
	if (p->known.young.count + p->known.old.count == 0)
		return;
	if (p->now_ms >= turn_ms) {
		turn(p);
		turn_ms = p->now_ms + KNOWN_MAX_MS;
	}
	wake_by(p, turn_ms);
}

/* --- to one --- */

void gossip_send_to(struct p2p *p, struct session *s, const struct bytes items[], size_t count)
{
	struct selection all = { 0 };
	size_t at = 0, size = 0;

	for (size_t i = 0; i <= count; i++) {
		bool is_full = all.count == WIRE_TRANSACTIONS_COUNT_MAX ||
			       (i < count && size + items[i].size > WIRE_TRANSACTIONS_SIZE_MAX);

		if (all.count > 0 && (is_full || i == count)) {
			struct frame *frame = batch_frame(items + at, &all, false);

			send_frame(p, s, frame);
			frame_unref(frame);
			all.count = size = 0;
			at = i;
		}
		if (i == count)
			break;
		CHECK(items[i].size > 0 && items[i].size <= LIMIT_TX_SIZE);
		slots_set(known_by(p, items[i], NULL), s->slot);
		all.indexes[all.count] = (uint16_t)(i - at);
		all.count++;
		size += items[i].size;
	}
}
