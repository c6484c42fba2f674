/*
 * Liars: real nodes whose messages are changed, and signed again, on their way out; each
 * receiver may get another one. Together they have at most f of the weight.
 *
 *   node ──frame──► decode ──► drop, hold back, strip, contradict ──► sign ──► network
 *                        └──► and now and then something old, huge or forged beside it
 *
 * A liar that equivocates as the proposer makes of its block a second one that is as valid
 * (another millisecond), shows each to a part of the others, and votes there for the one
 * that was shown there. Twins are two nodes with one key: each of the others is on the side
 * of one of them, until the sides change.
 */
#include <stdlib.h>

#include "base/check.h"
#include "sim/internal.h"

#define FORGE_OF_1000 20  /* of messages that have one beside them */
#define OLD_OF_1000 100
#define HUGE_OF_1000 20
#define SECOND_OF_1000 200

static bool lies(const struct sim *sim, const struct site *s, enum sim_fault fault)
{
	return s->is_liar && sim->faults.active >> fault & 1 && !sim->liars_are_over;
}

/* Which of two worlds a receiver is shown at a height: fixed, so that they hold together. */
static bool is_other_side(const struct sim *sim, const struct site *s, size_t receiver, uint64_t height)
{
	uint64_t bits = (sim->options.seed + s->index + height / 2) * 0x9e3779b97f4a7c15ull;

	return bits >> (20 + receiver) & 1;
}

/* --- sending --- */

static void send_bytes(struct sim *sim, uint32_t conn, unsigned to, struct bytes message, uint64_t after_us)
{
	struct wire_message m = { .kind = WIRE_CONSENSUS, .consensus = message };
	struct buf frame = { 0 };

	wire_encode(&frame, &m);
	net_send_frame(sim, conn, to, buf_bytes(&frame), after_us);
	buf_clear(&frame);
}

static void send_message(struct sim *sim, const struct site *s, uint32_t conn, unsigned to, struct message *m,
			 uint64_t after_us)
{
	struct hash set_hash = oracle_set_hash(sim->oracle, message_height(m));
	struct buf bytes = { 0 };

	if (message_sign(m, CHAIN_ID, &set_hash, sim->ecc, &s->key, NULL) != OK)
		return;
	message_encode(&bytes, m);
	if (bytes.size <= MESSAGE_SIZE_MAX)
		send_bytes(sim, conn, to, buf_bytes(&bytes), after_us);
	buf_clear(&bytes);
}

/* --- a second block --- */

/* The other block of a pair, if this is one of them. */
static const struct hash *other_of(const struct site *s, const struct hash *hash)
{
	for (size_t i = 0; i < LIAR_PAIR_MAX; i++)
		if (hash_equal(&s->liar.pairs[i].shown, hash))
			return &s->liar.pairs[i].other;
	return NULL;
}

/* False if it can't be made: its second would be another. */
static bool make_other(struct site *s, struct pre_prepare *p)
{
	struct block b = { 0 };
	struct liar *l = &s->liar;
	bool is_made = block_decode_sealed(&b, buf_bytes(&p->block), NULL) == OK &&
		       (b.commitments.time_ms + 1) / 1000 == b.header.timestamp;

	if (is_made) {
		struct hash shown = p->block_hash;

		b.commitments.time_ms++;
		commitments_hash(&b.commitments, &b.header.extra_data);
		header_hash(&b.header, &b.hash);
		buf_reset(&p->block);
		block_encode_sealed(&p->block, &b);
		p->block_hash = b.hash;
		if (!other_of(s, &shown)) {
			l->pairs[l->next_pair].shown = shown;
			l->pairs[l->next_pair].other = b.hash;
			l->next_pair = (l->next_pair + 1) % LIAR_PAIR_MAX;
		}
	}
	block_clear(&b);
	return is_made;
}

/* --- changing what goes out --- */

/* True if it was changed. */
static bool contradict(struct sim *sim, struct site *s, struct message *m)
{
	const struct hash *other;

	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		return !m->pre_prepare.prepares && make_other(s, &m->pre_prepare);
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		other = other_of(s, &m->vote.block_hash);
		if (other)
			m->vote.block_hash = *other;
		else if (draw_is(&sim->liar_rng, 100)) /* another's block: for nothing that there is */
			m->vote.block_hash.bytes[draw(&sim->liar_rng, 0, 31)] ^= 1;
		else
			return false;
		return true;
	case MESSAGE_VIEW_CHANGE:
		return false;
	}
	UNREACHABLE();
}

static void forget_claim(struct view_change *v)
{
	free(v->prepares);
	v->prepares = NULL;
	buf_clear(&v->block);
	v->has_prepared = false;
}

/* What justifies a view: with something missing, twice, or another. */
static void spoil_new_view(struct sim *sim, struct site *s, struct pre_prepare *p)
{
	struct view_change *v = &p->view_changes[draw(&sim->liar_rng, 0, p->view_change_count - 1)];

	switch (draw(&sim->liar_rng, 0, 5)) {
	case 0: /* one less, and so no quorum */
		p->view_change_count--;
		return;
	case 1: /* one claims nothing, though it signed that it does */
		v->has_prepared = false;
		return;
	case 2: /* without the proof of the highest claim */
		free(p->prepares);
		p->prepares = NULL;
		return;
	case 3: /* another block than the one that was prepared */
		make_other(s, p);
		return;
	case 4: /* one signer twice */
		if (p->view_change_count > 1)
			p->view_changes[0] = p->view_changes[1];
		return;
	case 5: /* claims a view that was not */
		v->has_prepared = true;
		v->prepared_view = p->view - 1;
		v->prepared_hash = p->block_hash;
		return;
	}
}

/* --- beside it --- */

static void remember(struct site *s, struct bytes message)
{
	struct liar *l = &s->liar;
	struct buf *slot = &l->old[l->next_old++ % LIAR_OLD_MAX];

	if (message.size > 64 * KIB)
		return;
	buf_reset(slot);
	buf_append_bytes(slot, message);
}

static void send_old(struct sim *sim, struct site *s, uint32_t conn, unsigned to)
{
	const struct buf *slot = &s->liar.old[draw(&sim->liar_rng, 0, LIAR_OLD_MAX - 1)];

	if (slot->size == 0)
		return;
	sim_fired(sim, SIM_FAULT_OLD);
	send_bytes(sim, conn, to, buf_bytes(slot), 0);
}

static void send_huge(struct sim *sim, const struct site *s, uint32_t conn, unsigned to, const struct message *like)
{
	static const uint64_t views[] = { 9, 64, 1ull << 20, 1ull << 32, (1ull << 32) + 1, 1ull << 62, UINT64_MAX };
	struct message m = { .kind = MESSAGE_VIEW_CHANGE };

	m.view_change = (struct view_change){
		.height = message_height(like),
		.view = views[draw(&sim->liar_rng, 0, ARRAY_COUNT(views) - 1)],
		.validator = message_validator(like),
	};
	sim_fired(sim, SIM_FAULT_HUGE_VIEW);
	send_message(sim, s, conn, to, &m, 0);
}

/* In another's name, for another height, or with bytes that are none. */
static void send_forged(struct sim *sim, const struct site *s, uint32_t conn, unsigned to, struct bytes like)
{
	struct rng *r = &sim->liar_rng;
	struct message m = { 0 };
	struct buf bytes = { 0 };

	sim_fired(sim, SIM_FAULT_FORGE);
	if (draw_is(r, 300) || message_decode(&m, like, NULL) != OK) {
		buf_append_bytes(&bytes, like);
		bytes.data[draw(r, 0, bytes.size - 1)] ^= (uint8_t)draw(r, 1, 255);
		send_bytes(sim, conn, to, buf_bytes(&bytes), 0);
		buf_clear(&bytes);
		return;
	}
	if (m.kind == MESSAGE_PREPARE || m.kind == MESSAGE_COMMIT) {
		if (draw_is(r, 500))
			m.vote.validator = draw(r, 0, sim->validator_count);
		if (draw_is(r, 300))
			m.vote.height += draw(r, 0, 20);
		if (draw_is(r, 300))
			m.vote.view += draw(r, 0, 20);
		if (draw_is(r, 300))
			m.vote.kind = m.vote.kind == MESSAGE_PREPARE ? MESSAGE_COMMIT : MESSAGE_PREPARE;
		m.kind = m.vote.kind;
	} else if (m.kind == MESSAGE_VIEW_CHANGE) {
		m.view_change.view += draw(r, 0, 3);
		m.view_change.validator = draw(r, 0, sim->validator_count);
	}
	send_message(sim, s, conn, to, &m, 0);
	message_clear(&m);
}

/* Two votes at one position, to one receiver: it has the proof then. */
static void send_second(struct sim *sim, struct site *s, uint32_t conn, unsigned to, struct bytes like)
{
	struct message m = { 0 };

	if (message_decode(&m, like, NULL) != OK)
		return;
	if (m.kind == MESSAGE_PREPARE || m.kind == MESSAGE_COMMIT) {
		m.vote.block_hash.bytes[0] ^= 1;
		sim_fired(sim, SIM_FAULT_EQUIVOCATE);
		s->liar.doubled[sim->net.conns[conn].ends[to]]++;
		send_message(sim, s, conn, to, &m, 0);
	}
	message_clear(&m);
}

static void send_beside(struct sim *sim, struct site *s, uint32_t conn, unsigned to, const struct message *m,
			struct bytes bytes)
{
	if (lies(sim, s, SIM_FAULT_OLD)) {
		remember(s, bytes);
		if (draw_is(&sim->liar_rng, OLD_OF_1000))
			send_old(sim, s, conn, to);
	}
	if (lies(sim, s, SIM_FAULT_EQUIVOCATE) && draw_is(&sim->liar_rng, SECOND_OF_1000))
		send_second(sim, s, conn, to, bytes);
	if (lies(sim, s, SIM_FAULT_HUGE_VIEW) && draw_is(&sim->liar_rng, HUGE_OF_1000))
		send_huge(sim, s, conn, to, m);
	if (lies(sim, s, SIM_FAULT_FORGE) && draw_is(&sim->liar_rng, FORGE_OF_1000))
		send_forged(sim, s, conn, to, bytes);
}

/* --- one message to one receiver --- */

static uint64_t hold_back_us(struct sim *sim, const struct site *s, const struct message *m)
{
	if (!lies(sim, s, SIM_FAULT_TRICKLE) || m->kind == MESSAGE_PRE_PREPARE || draw_is(&sim->liar_rng, 300))
		return 0;
	sim_fired(sim, SIM_FAULT_TRICKLE);
	return draw(&sim->liar_rng, 1, 4 * SECOND_US);
}

void liar_send(struct sim *sim, struct site *s, uint32_t conn, unsigned to, struct bytes bytes)
{
	size_t receiver = sim->net.conns[conn].ends[to];
	struct message m = { 0 };
	bool is_changed = false;
	uint64_t after_us;

	if (message_decode(&m, bytes, NULL) != OK)
		return;
	send_beside(sim, s, conn, to, &m, bytes);
	if (lies(sim, s, SIM_FAULT_SILENT) && m.kind == MESSAGE_PRE_PREPARE && draw_is(&sim->liar_rng, 600)) {
		sim_fired(sim, SIM_FAULT_SILENT);
		message_clear(&m);
		return;
	}
	after_us = hold_back_us(sim, s, &m);
	if (lies(sim, s, SIM_FAULT_BAD_NEW_VIEW) && m.kind == MESSAGE_PRE_PREPARE &&
	    m.pre_prepare.view_change_count > 0 && draw_is(&sim->liar_rng, 500)) {
		sim_fired(sim, SIM_FAULT_BAD_NEW_VIEW);
		spoil_new_view(sim, s, &m.pre_prepare);
		is_changed = true;
	} else if (lies(sim, s, SIM_FAULT_BAD_NEW_VIEW) && m.kind == MESSAGE_VIEW_CHANGE &&
		   m.view_change.has_prepared && draw_is(&sim->liar_rng, 500)) {
		sim_fired(sim, SIM_FAULT_BAD_NEW_VIEW);
		forget_claim(&m.view_change);
		is_changed = true;
	} else if (lies(sim, s, SIM_FAULT_EQUIVOCATE) && is_other_side(sim, s, receiver, message_height(&m))) {
		is_changed = contradict(sim, s, &m);
		if (is_changed)
			sim_fired(sim, SIM_FAULT_EQUIVOCATE);
	}
	if (is_changed)
		send_message(sim, s, conn, to, &m, after_us);
	else
		send_bytes(sim, conn, to, bytes, after_us);
	message_clear(&m);
}

void liar_clear(struct site *s)
{
	for (size_t i = 0; i < LIAR_OLD_MAX; i++)
		buf_clear(&s->liar.old[i]);
}
