/* What is kept of others, within fixed bounds: see "Memory" in consensus.h. */
#include "consensus/internal.h"

/* --- statements --- */

struct round *round_of(struct consensus *c, uint64_t height)
{
	struct round *r = &c->rounds[height % ROUND_COUNT];
	size_t count = set_of(c)->count;

	CHECK(height >= height_of(c) && height - height_of(c) < ROUND_COUNT);
	/* The heights within reach all have places of their own: this one was another's
	 * that is final by now. */
	if (r->height != height) {
		memset(r->slots, 0, count * CONSENSUS_VIEW_COUNT * KIND_COUNT * sizeof(*r->slots));
		memset(r->view_changes, 0, count * sizeof(*r->view_changes));
		r->height = height;
	}
	return r;
}

/* This height's, for reading. */
static const struct round *current(const struct consensus *c)
{
	const struct round *r = &c->rounds[height_of(c) % ROUND_COUNT];

	CHECK(r->height == height_of(c));
	return r;
}

struct statement *slot_of(const struct consensus *c, const struct round *r, size_t validator,
			  uint64_t view, enum message_kind kind)
{
	size_t place = validator * CONSENSUS_VIEW_COUNT + view % CONSENSUS_VIEW_COUNT;

	CHECK(validator < set_of(c)->count);
	return &r->slots[place * KIND_COUNT + (size_t)kind - 1];
}

struct statement *find_statement(const struct consensus *c, const struct round *r, size_t validator,
				 uint64_t view, enum message_kind kind)
{
	struct statement *slot = slot_of(c, r, validator, view, kind);

	return slot->is_set && slot->view == view ? slot : NULL;
}

bool is_view_kept(const struct consensus *c, uint64_t height, uint64_t view)
{
	uint64_t first = 0;

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

void keep_statement(struct consensus *c, struct round *r, size_t validator, enum message_kind kind,
		    const struct statement *what)
{
	struct statement *highest = &r->view_changes[validator];

	if (kind == MESSAGE_VIEW_CHANGE && (!highest->is_set || highest->view < what->view))
		*highest = *what;
	if (is_view_kept(c, r->height, what->view) &&
	    !find_statement(c, r, validator, what->view, kind))
		*slot_of(c, r, validator, what->view, kind) = *what;
}

/* --- votes --- */

struct signer_bits voters_of(const struct consensus *c, enum message_kind kind, uint64_t view,
			     const struct hash *hash)
{
	struct signer_bits bits = { 0 };

	for (size_t i = 0; i < set_of(c)->count; i++) {
		const struct statement *s = find_statement(c, current(c), i, view, kind);

		if (s && hash_equal(&s->hash, hash))
			signer_bits_set(&bits, i);
	}
	return bits;
}

bool is_quorum_of(const struct consensus *c, enum message_kind kind, uint64_t view,
		  const struct hash *hash)
{
	struct signer_bits bits = voters_of(c, kind, view, hash);

	return validator_set_weight(set_of(c), &bits).n >= c->quorum.n;
}

void certificate_of(const struct consensus *c, struct certificate *out, enum message_kind kind,
		    uint64_t view, const struct hash *hash)
{
	certificate_init(out, height_of(c), view, hash);
	for (size_t i = 0; i < set_of(c)->count; i++) {
		const struct statement *s = find_statement(c, current(c), i, view, kind);

		if (s && hash_equal(&s->hash, hash))
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
	if (c->has_best && c->best_block.size && hash_equal(&c->best.block_hash, hash))
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
	buf_reset(&place->encoded);
	message_encode(&place->encoded, m);
}

bool take_future(struct consensus *c, struct message *out)
{
	struct future *best = NULL;

	for (size_t i = 0; i < CONSENSUS_FUTURE_MAX; i++) {
		struct future *f = &c->futures[i];

		if (f->is_set && f->height == height_of(c) && (!best || f->view > best->view))
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
