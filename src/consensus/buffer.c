/* What is kept of others, within fixed bounds: see "Memory" in consensus.h. */
#include "consensus/internal.h"

#include <stdlib.h>

/* --- rounds --- */

static void round_clear(struct round *r, uint64_t height, const struct validator_set *set)
{
	size_t places = CONSENSUS_VIEW_COUNT * KIND_COUNT;

	if (r->capacity < set->count) {
		free(r->slots);
		free(r->view_changes);
		r->slots = xcalloc(set->count * places, sizeof(*r->slots));
		r->view_changes = xcalloc(set->count, sizeof(*r->view_changes));
		r->capacity = set->count;
	} else {
		memset(r->slots, 0, r->capacity * places * sizeof(*r->slots));
		memset(r->view_changes, 0, r->capacity * sizeof(*r->view_changes));
	}
	memset(r->tallies, 0, sizeof(r->tallies));
	r->height = height;
	r->set_hash = set->hash;
}

struct round *round_of(struct consensus *c, uint64_t height)
{
	struct round *r = &c->rounds[height % ROUND_COUNT];
	const struct known_epoch *e = epoch_at(c, height);

	CHECK(height >= height_of(c) && height - height_of(c) <= CONSENSUS_HEIGHT_AHEAD);
	/* The heights within reach all have places of their own: this one was another's that
	 * is out of it by now. Or what it holds was signed for a set that does not decide. */
	if (r->height != height || !hash_equal(&r->set_hash, &e->set.hash))
		round_clear(r, height, &e->set);
	return r;
}

struct round *round_below(struct consensus *c, uint64_t height)
{
	struct round *r = &c->rounds[height % ROUND_COUNT];
	const struct known_epoch *e = epoch_at(c, height);

	CHECK(e && height < height_of(c));
	return r->height == height && hash_equal(&r->set_hash, &e->set.hash) ? r : NULL;
}

/* This height's, for reading. */
static const struct round *current(const struct consensus *c)
{
	const struct round *r = &c->rounds[height_of(c) % ROUND_COUNT];

	CHECK(r->height == height_of(c) && hash_equal(&r->set_hash, &set_of(c)->hash));
	return r;
}

/* --- statements --- */

struct statement *slot_of(const struct round *r, size_t validator, uint64_t view, enum message_kind kind)
{
	size_t place = view % CONSENSUS_VIEW_COUNT * KIND_COUNT + (size_t)kind - 1;

	CHECK(validator < r->capacity);
	return &r->slots[place * r->capacity + validator];
}

struct statement *find_statement(const struct round *r, size_t validator, uint64_t view,
				 enum message_kind kind)
{
	struct statement *slot = slot_of(r, validator, view, kind);

	return slot->is_set && slot->view == view ? slot : NULL;
}

bool is_view_kept(const struct consensus *c, uint64_t height, uint64_t view)
{
	uint64_t first = 0;

	if (height < height_of(c))
		return true;
	/* Some views below: a quorum of late commits still makes a block final. */
	if (height == height_of(c) && c->view > CONSENSUS_VIEW_COUNT / 2 - 1)
		first = c->view - (CONSENSUS_VIEW_COUNT / 2 - 1);
	return view >= first && view - first < CONSENSUS_VIEW_COUNT;
}

struct statement statement_of(const struct message *m)
{
	struct statement s = {
		.is_set = true,
		.view = message_view(m),
		.signature = *message_signature(m),
	};

	if (message_block_hash(m))
		s.hash = *message_block_hash(m);
	if (m->kind == MESSAGE_VIEW_CHANGE && m->view_change.has_prepared) {
		s.has_prepared = true;
		s.prepared_view = m->view_change.prepared_view;
	}
	return s;
}

bool statement_equal(const struct statement *a, const struct statement *b)
{
	return a->view == b->view && a->has_prepared == b->has_prepared &&
	       a->prepared_view == b->prepared_view && hash_equal(&a->hash, &b->hash);
}

static void count_statement(struct round *r, const struct validator_set *set, size_t validator,
			    enum message_kind kind, uint64_t view)
{
	struct tally *t = &r->tallies[view % CONSENSUS_VIEW_COUNT][kind - 1];

	if (t->view != view)
		*t = (struct tally){ .view = view };
	t->weight.n += set->members[validator].weight.n;
}

void keep_statement(struct consensus *c, struct round *r, size_t validator, enum message_kind kind,
		    const struct statement *what)
{
	struct statement *highest = &r->view_changes[validator];
	struct statement *slot = slot_of(r, validator, what->view, kind);
	const struct known_epoch *e = epoch_at(c, r->height);

	if (kind == MESSAGE_VIEW_CHANGE && what->is_verified &&
	    (!highest->is_set || highest->view < what->view)) {
		*highest = *what;
		c->is_follow_due |= r->height == height_of(c);
	}
	if (!is_view_kept(c, r->height, what->view))
		return;
	/* Below this height nothing gives way: what is there may be evidence. Else the place is
	 * another view's only if that one has fallen out of the window, which is as wide as there
	 * are places and only rises. */
	if (slot->is_set && (slot->view == what->view ? slot->is_verified || !what->is_verified
						       : r->height < height_of(c)))
		return;
	*slot = *what;
	if (what->is_verified)
		count_statement(r, &e->set, validator, kind, what->view);
}

/* --- votes --- */

static bool is_vote(const struct statement *s, const struct hash *hash)
{
	return s && s->is_verified && hash_equal(&s->hash, hash);
}

struct signer_bits voters_of(const struct consensus *c, enum message_kind kind, uint64_t view,
			     const struct hash *hash)
{
	struct signer_bits bits = { 0 };

	for (size_t i = 0; i < set_of(c)->count; i++)
		if (is_vote(find_statement(current(c), i, view, kind), hash))
			signer_bits_set(&bits, i);
	return bits;
}

bool may_be_quorum(const struct consensus *c, enum message_kind kind, uint64_t view)
{
	const struct tally *t = &current(c)->tallies[view % CONSENSUS_VIEW_COUNT][kind - 1];

	return t->view == view && t->weight.n >= c->quorum.n;
}

bool is_quorum_of(const struct consensus *c, enum message_kind kind, uint64_t view,
		  const struct hash *hash)
{
	struct signer_bits bits;

	if (!may_be_quorum(c, kind, view))
		return false;
	bits = voters_of(c, kind, view, hash);
	return validator_set_weight(set_of(c), &bits).n >= c->quorum.n;
}

void certificate_of(const struct consensus *c, struct certificate *out, enum message_kind kind,
		    uint64_t view, const struct hash *hash)
{
	certificate_init(out, height_of(c), view, hash);
	for (size_t i = 0; i < set_of(c)->count; i++) {
		const struct statement *s = find_statement(current(c), i, view, kind);

		if (is_vote(s, hash))
			certificate_add(out, i, &s->signature);
	}
}

/* --- claims --- */

const struct certificate *find_claim(const struct consensus *c, uint64_t view, const struct hash *hash)
{
	if (c->has_best && c->best.view == view && hash_equal(&c->best.block_hash, hash))
		return &c->best;
	for (size_t i = 0; i < CONSENSUS_CLAIM_MAX; i++) {
		const struct certificate *p = &c->claims[i].prepares;

		if (c->claims[i].is_set && p->view == view && hash_equal(&p->block_hash, hash))
			return p;
	}
	return NULL;
}

/* With more claims than places the highest stay: they decide. */
void keep_claim(struct consensus *c, const struct view_change *v)
{
	struct claim *place = &c->claims[0];

	if (find_claim(c, v->prepared_view, &v->prepared_hash))
		return;
	for (size_t i = 0; i < CONSENSUS_CLAIM_MAX && place->is_set; i++)
		if (!c->claims[i].is_set || c->claims[i].prepares.view < place->prepares.view)
			place = &c->claims[i];
	if (place->is_set && place->prepares.view > v->prepared_view)
		return;
	place->is_set = true;
	place->prepares = *v->prepares;
	buf_reset(&place->block);
	buf_append_bytes(&place->block, buf_bytes(&v->block));
}

struct bytes find_block(const struct consensus *c, const struct hash *hash)
{
	if (c->target.is_set && hash_equal(&c->target.hash, hash))
		return buf_bytes(&c->target.sealed);
	if (c->best_block.size && hash_equal(&c->best.block_hash, hash))
		return buf_bytes(&c->best_block);
	for (size_t i = 0; i < CONSENSUS_CLAIM_MAX; i++)
		if (c->claims[i].is_set && hash_equal(&c->claims[i].prepares.block_hash, hash))
			return buf_bytes(&c->claims[i].block);
	return bytes_of(NULL, 0);
}

/* --- proposals of later heights --- */

/* With more than there are places the nearest heights stay. */
void keep_future(struct consensus *c, const struct message *m)
{
	struct future *place = &c->futures[0];

	for (size_t i = 0; i < CONSENSUS_FUTURE_MAX && place->is_set; i++)
		if (!c->futures[i].is_set || c->futures[i].height > place->height)
			place = &c->futures[i];
	if (place->is_set && place->height <= message_height(m))
		return;
	place->is_set = true;
	place->height = message_height(m);
	place->view = message_view(m);
	place->set_hash = epoch_at(c, place->height)->set.hash;
	buf_reset(&place->encoded);
	message_encode(&place->encoded, m);
}

bool take_future(struct consensus *c, struct message *out)
{
	struct future *best = NULL;

	for (size_t i = 0; i < CONSENSUS_FUTURE_MAX; i++) {
		struct future *f = &c->futures[i];

		if (f->is_set && f->height == height_of(c) &&
		    hash_equal(&f->set_hash, &set_of(c)->hash) && (!best || f->view > best->view))
			best = f;
	}
	if (!best)
		return false;
	best->is_set = false;
	CHECK(message_decode(out, buf_bytes(&best->encoded), NULL) == OK);
	return true;
}

void drop_futures(struct consensus *c)
{
	for (size_t i = 0; i < CONSENSUS_FUTURE_MAX; i++)
		c->futures[i].is_set &= c->futures[i].height > height_of(c);
}
