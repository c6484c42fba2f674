/* Validators that lie. Each has a machine that follows the protocol, whose words
 * are changed on their way out, and says things of its own besides. */
#include "consensus/harness.h"

#include <stdlib.h>

#include "crypto/keccak.h"

#define HEARD_COUNT 96

struct liar {
	struct world *w;
	struct buf heard[HEARD_COUNT]; /* what anyone sent, the newest over the oldest */
	size_t heard_next, heard_count;
	uint64_t height, view;         /* of the newest */
};

struct liar *liar_new(struct world *w)
{
	struct liar *l = xcalloc(1, sizeof(*l));

	l->w = w;
	return l;
}

void liar_free(struct liar *l)
{
	for (size_t i = 0; i < HEARD_COUNT; i++)
		buf_clear(&l->heard[i]);
	free(l);
}

void liar_hear(struct liar *l, const struct message *m, struct bytes encoded)
{
	struct buf *slot = &l->heard[l->heard_next++ % HEARD_COUNT];

	if (l->w->plan.liars[0] == NOBODY)
		return;
	buf_reset(slot);
	buf_append_bytes(slot, encoded);
	l->heard_count = MIN(l->heard_next, (size_t)HEARD_COUNT);
	l->height = message_height(m);
	l->view = message_view(m);
}

static bool recall(struct liar *l, struct message *out)
{
	return l->heard_count &&
	       message_decode(out, buf_bytes(&l->heard[rng_below(&l->w->rng, l->heard_count)]), NULL) == OK;
}

static const struct validator_set *set_at(const struct world *w, uint64_t height)
{
	return &world_epoch_at(w, height)->set;
}

/* The index under which a validator speaks at a height; out of the set, under someone's. */
static size_t index_at(const struct world *w, uint64_t height, size_t validator)
{
	size_t index = world_index(w, height, validator);

	return index == NOBODY ? validator % set_at(w, height)->count : index;
}

static void sign(struct world *w, size_t validator, struct message *m)
{
	struct signature s;
	struct hash digest;

	message_digest(m, WORLD_CHAIN_ID, &set_at(w, message_height(m))->hash, &digest);
	world_sign(w, validator, &digest, &s);
	if (m->kind == MESSAGE_PRE_PREPARE)
		m->pre_prepare.signature = s;
	else if (m->kind == MESSAGE_VIEW_CHANGE)
		m->view_change.signature = s;
	else
		m->vote.signature = s;
}

/* To all, or to every second machine. */
static void tell(struct world *w, size_t validator, const struct message *m, bool to_half)
{
	struct buf encoded = { 0 };
	size_t odd = rng_below(&w->rng, 2);

	message_encode(&encoded, m);
	for (size_t i = 0; i < w->machine_count; i++)
		if (i != validator && (!to_half || i % 2 == odd))
			world_transmit(w, validator, i, EVENT_MESSAGE, buf_bytes(&encoded));
	buf_clear(&encoded);
}

/* A block of its own, on its own tip. */
static void make_block(struct world *w, size_t validator, bool is_valid, struct buf *sealed, struct hash *hash)
{
	const struct machine *m = &w->machines[validator];
	uint8_t bytes[TOY_BLOCK_SIZE];
	struct toy_block block = {
		.height = m->tip.height + 1,
		.time_ms = w->now_ms,
		.nonce = rng_next(&w->rng),
		.parent = m->tip.hash,
		.proposer = (uint8_t)validator,
		.is_valid = is_valid,
	};

	toy_encode(bytes, &block);
	buf_append(sealed, bytes, sizeof(bytes));
	keccak256(hash, buf_bytes(sealed));
	oracle_on_block(w->oracle, hash, &block);
}

/* --- what its machine says, changed --- */

static void propose_twice(struct world *w, struct machine *m, const struct message *sent)
{
	struct message other = { .kind = MESSAGE_PRE_PREPARE };

	other.pre_prepare = sent->pre_prepare;
	other.pre_prepare.block = (struct buf){ 0 };
	make_block(w, m->validator, true, &other.pre_prepare.block, &other.pre_prepare.block_hash);
	sign(w, m->validator, &other);
	w->fired[FAULT_EQUIVOCATION]++;
	tell(w, m->validator, &other, true);
	buf_clear(&other.pre_prepare.block);
}

static void vote_twice(struct liar *l, struct machine *m, const struct message *sent)
{
	struct world *w = l->w;
	struct message other = *sent, heard;

	other.vote.block_hash.bytes[5] ^= 1;
	if (recall(l, &heard)) {
		if (message_block_hash(&heard))
			other.vote.block_hash = *message_block_hash(&heard);
		message_clear(&heard);
	}
	if (rng_below(&w->rng, 3) == 0)
		other.kind = other.vote.kind = sent->kind == MESSAGE_PREPARE ? MESSAGE_COMMIT : MESSAGE_PREPARE;
	sign(w, m->validator, &other);
	w->fired[FAULT_DOUBLE_VOTE]++;
	tell(w, m->validator, &other, rng_below(&w->rng, 2));
}

static void twist_view_change(struct world *w, struct machine *m, struct message *sent)
{
	struct view_change *v = &sent->view_change;

	if (rng_below(&w->rng, 2)) {
		w->fired[FAULT_WRONG_BLOCK]++;
		v->block.data[3] ^= 1;
		return;
	}
	w->fired[FAULT_HIDDEN_CLAIM]++;
	v->has_prepared = false;
	free(v->prepares);
	v->prepares = NULL;
	buf_clear(&v->block);
	sign(w, m->validator, sent);
}

bool liar_filter(struct liar *l, struct machine *m, struct message *sent)
{
	struct world *w = l->w;

	switch (sent->kind) {
	case MESSAGE_PRE_PREPARE:
		if (w->plan.is_silent) {
			w->fired[FAULT_SILENT_LEADER]++;
			return false;
		}
		if (chance(w, w->plan.attack_permille))
			propose_twice(w, m, sent);
		return true;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		if (chance(w, w->plan.attack_permille))
			vote_twice(l, m, sent);
		return true;
	case MESSAGE_VIEW_CHANGE:
		if (sent->view_change.has_prepared && chance(w, w->plan.attack_permille))
			twist_view_change(w, m, sent);
		return true;
	}
	UNREACHABLE();
}

/* --- what it says of its own --- */

static void shout_huge_view(struct liar *l, size_t validator)
{
	static const uint64_t views[] = { 9, 1000, 1ull << 31, (1ull << 32) + 1, 1ull << 63, UINT64_MAX };
	struct message m = { .kind = MESSAGE_VIEW_CHANGE };

	m.view_change.height = l->height + rng_below(&l->w->rng, 2);
	m.view_change.view = views[rng_below(&l->w->rng, ARRAY_COUNT(views))];
	m.view_change.validator = index_at(l->w, m.view_change.height, validator);
	sign(l->w, validator, &m);
	l->w->fired[FAULT_HUGE_VIEW]++;
	tell(l->w, validator, &m, false);
}

static void shout_far_height(struct liar *l, size_t validator)
{
	struct message m = { .kind = MESSAGE_PREPARE };

	m.kind = rng_below(&l->w->rng, 2) ? MESSAGE_PREPARE : MESSAGE_COMMIT;
	m.vote.kind = m.kind;
	m.vote.height = l->height + 1 + rng_below(&l->w->rng, 25);
	if (rng_below(&l->w->rng, 8) == 0)
		m.vote.height = UINT64_MAX - rng_below(&l->w->rng, 3);
	m.vote.view = rng_below(&l->w->rng, 10);
	m.vote.validator = index_at(l->w, m.vote.height, validator);
	sign(l->w, validator, &m);
	l->w->fired[FAULT_FAR_HEIGHT]++;
	tell(l->w, validator, &m, false);
}

/* In the name of others. */
static void forge(struct liar *l, size_t validator)
{
	struct world *w = l->w;
	struct message m;

	if (!recall(l, &m))
		return;
	w->fired[FAULT_BAD_SIGNATURE]++;
	if (m.kind == MESSAGE_PREPARE || m.kind == MESSAGE_COMMIT) {
		switch (rng_below(&w->rng, 4)) {
		case 0: /* another block */
			m.vote.block_hash.bytes[0] ^= 1;
			break;
		case 1: /* another kind: the domain must be signed */
			m.kind = m.vote.kind = m.kind == MESSAGE_PREPARE ? MESSAGE_COMMIT : MESSAGE_PREPARE;
			break;
		case 2: /* another view, another height */
			m.vote.view += 1 + rng_below(&w->rng, 2);
			break;
		default: /* another's name under our signature */
			m.vote.validator = rng_below(&w->rng, set_at(w, m.vote.height)->count);
			sign(w, validator, &m);
			break;
		}
	} else if (m.kind == MESSAGE_VIEW_CHANGE) {
		m.view_change.view += 1 + rng_below(&w->rng, 3);
	} else {
		m.pre_prepare.block_hash.bytes[0] ^= 1;
	}
	tell(w, validator, &m, false);
	message_clear(&m);
}

static void replay(struct liar *l, size_t validator)
{
	struct message m;

	if (!recall(l, &m))
		return;
	l->w->fired[FAULT_REPLAY]++;
	tell(l->w, validator, &m, rng_below(&l->w->rng, 2));
	message_clear(&m);
}

/* Prepares that no quorum gave: its own signature under every name, heard commits
 * in the place of prepares, or too few. */
static void false_prepares(struct liar *l, size_t validator, struct certificate *out, uint64_t height,
			   uint64_t view, const struct hash *hash)
{
	struct world *w = l->w;
	struct message vote = { .kind = MESSAGE_PREPARE };
	uint64_t variant = rng_below(&w->rng, 3);
	size_t own = index_at(w, height, validator);

	vote.vote = (struct vote){ .kind = MESSAGE_PREPARE, .height = height, .view = view,
				   .validator = own, .block_hash = *hash };
	sign(w, validator, &vote);
	certificate_init(out, height, view, hash);
	for (size_t i = 0; i < set_at(w, height)->count; i++)
		if (variant < 2 || i == own)
			certificate_add(out, i, &vote.vote.signature);
	for (size_t i = 0; i < l->heard_count && variant == 1; i++) {
		struct message m;

		if (message_decode(&m, buf_bytes(&l->heard[i]), NULL) != OK)
			continue;
		if (m.kind == MESSAGE_COMMIT && m.vote.height == height) {
			out->view = m.vote.view;
			out->block_hash = m.vote.block_hash;
			certificate_add(out, m.vote.validator, &m.vote.signature);
		}
		message_clear(&m);
	}
}

static void claim_falsely(struct liar *l, size_t validator)
{
	struct world *w = l->w;
	struct message m = { .kind = MESSAGE_VIEW_CHANGE };
	struct view_change *v = &m.view_change;

	v->height = w->machines[validator].tip.height + 1;
	v->view = l->view + 1 + rng_below(&w->rng, 3);
	v->validator = index_at(w, v->height, validator);
	v->has_prepared = true;
	v->prepared_view = v->view - 1;
	make_block(w, validator, true, &v->block, &v->prepared_hash);
	v->prepares = xcalloc(1, sizeof(*v->prepares));
	false_prepares(l, validator, v->prepares, v->height, v->prepared_view, &v->prepared_hash);
	sign(w, validator, &m);
	w->fired[FAULT_FALSE_CLAIM]++;
	tell(w, validator, &m, false);
	message_clear(&m);
}

/* View-changes for exactly (height, view) that were heard, one a validator. */
static void gather(struct liar *l, struct pre_prepare *p, struct certificate *proof)
{
	struct view_change found[WORLD_VALIDATOR_MAX] = { 0 };
	bool has[WORLD_VALIDATOR_MAX] = { 0 };
	const struct view_change *highest = NULL;

	for (size_t i = 0; i < l->heard_count; i++) {
		struct message m;

		if (message_decode(&m, buf_bytes(&l->heard[i]), NULL) != OK)
			continue;
		if (m.kind == MESSAGE_VIEW_CHANGE && message_height(&m) == p->height &&
		    message_view(&m) == p->view) {
			struct view_change *v = &found[m.view_change.validator];

			has[m.view_change.validator] = true;
			*v = m.view_change;
			if (v->has_prepared && (!highest || v->prepared_view > highest->prepared_view)) {
				highest = v;
				*proof = *v->prepares;
			}
			v->prepares = NULL;
			v->block = (struct buf){ 0 };
		}
		message_clear(&m);
	}
	for (size_t i = 0; i < set_at(l->w, p->height)->count; i++)
		if (has[i])
			p->view_changes[p->view_change_count++] = found[i];
}

static void fill_up(struct world *w, struct pre_prepare *p, size_t validator)
{
	struct message own = { .kind = MESSAGE_VIEW_CHANGE };

	own.view_change = (struct view_change){ .height = p->height, .view = p->view, .validator = p->validator };
	sign(w, validator, &own);
	p->view_change_count = 0;
	for (size_t i = 0; i < set_at(w, p->height)->count; i++) {
		p->view_changes[p->view_change_count] = own.view_change;
		p->view_changes[p->view_change_count++].validator = i;
	}
}

static void propose_unjustified(struct liar *l, size_t validator)
{
	struct world *w = l->w;
	struct view_change changes[WORLD_VALIDATOR_MAX];
	struct message m = { .kind = MESSAGE_PRE_PREPARE };
	struct pre_prepare *p = &m.pre_prepare;
	struct certificate proof = { 0 };
	uint64_t variant = rng_below(&w->rng, 6);

	p->height = w->machines[validator].tip.height + 1;
	p->view = l->view + rng_below(&w->rng, 2);
	/* Its next turn; in one variant anyone's. */
	for (size_t i = 0; i < 64 && variant != 0; i++)
		if (p->view == 0 || world_proposer(w, p->height, p->view) != validator)
			p->view++;
	p->view = MAX(p->view, (uint64_t)1);
	p->validator = index_at(w, p->height, validator);
	p->view_changes = changes;
	make_block(w, validator, true, &p->block, &p->block_hash);
	gather(l, p, &proof);
	if (variant == 1 || p->view_change_count == 0)
		fill_up(w, p, validator); /* its own word under every name */
	if (variant == 2)
		p->view_change_count = MIN(p->view_change_count, (size_t)1);
	for (size_t i = 0; i < p->view_change_count && variant == 3; i++)
		changes[i].has_prepared = false; /* others' claims left out */
	for (size_t i = 0; i < p->view_change_count; i++)
		if (changes[i].has_prepared)
			p->prepares = &proof;
	if (p->prepares && variant == 4)
		false_prepares(l, validator, &proof, p->height, proof.view, &p->block_hash);
	sign(w, validator, &m);
	w->fired[FAULT_BAD_NEW_VIEW]++;
	tell(w, validator, &m, rng_below(&w->rng, 2));
	buf_clear(&p->block);
}

/* A second checkpoint of the height. */
void liar_checkpoint(struct liar *l, size_t validator, const struct checkpoint *p)
{
	struct world *w = l->w;
	struct checkpoint other = *p;
	struct buf encoded = { 0 };
	struct hash digest;

	other.block_hash.bytes[7] ^= 1;
	checkpoint_digest(&other, WORLD_CHAIN_ID, &set_at(w, p->height)->hash, &digest);
	world_sign(w, validator, &digest, &other.signature);
	w->fired[FAULT_TWO_CHECKPOINTS]++;
	checkpoint_encode(&encoded, &other);
	for (size_t i = 0; i < w->machine_count; i++)
		if (i != validator)
			world_transmit(w, validator, i, EVENT_CHECKPOINT, buf_bytes(&encoded));
	buf_clear(&encoded);
}

void liar_attack(struct liar *l, size_t validator)
{
	switch (rng_below(&l->w->rng, 7)) {
	case 0:
		shout_huge_view(l, validator);
		return;
	case 1:
		shout_far_height(l, validator);
		return;
	case 2:
		forge(l, validator);
		return;
	case 3:
		claim_falsely(l, validator);
		return;
	case 4:
	case 5:
		propose_unjustified(l, validator);
		return;
	default:
		replay(l, validator);
		return;
	}
}
