/* A machine copied into another: for explorers of many histories that begin alike. */
#include "consensus/internal.h"

static void copy_buf(struct buf *to, const struct buf *from)
{
	buf_reset(to);
	if (from->size)
		buf_append_bytes(to, buf_bytes(from));
}

/* Only what can be read: heights that are over have nothing. */
static void copy_round(const struct consensus *from, struct round *to, const struct round *r)
{
	size_t count = set_of(from)->count;

	to->height = r->height;
	if (r->height < height_of(from))
		return;
	memcpy(to->slots, r->slots, count * CONSENSUS_VIEW_COUNT * KIND_COUNT * sizeof(*to->slots));
	memcpy(to->view_changes, r->view_changes, count * sizeof(*to->view_changes));
}

static void copy_future(struct future *to, const struct future *from)
{
	to->is_set = from->is_set;
	to->height = from->height;
	to->view = from->view;
	copy_buf(&to->encoded, &from->encoded);
}

static void copy_certificate(struct certificate *to, const struct certificate *from)
{
	memcpy(to, from, offsetof(struct certificate, signatures));
	memcpy(to->signatures, from->signatures, from->count * sizeof(*from->signatures));
}

static void copy_claim(struct claim *to, const struct claim *from)
{
	to->is_set = from->is_set;
	if (!from->is_set)
		return;
	copy_certificate(&to->prepares, &from->prepares);
	copy_buf(&to->block, &from->block);
}

/* All members but those below: certificates are long and seldom full, and what is ours
 * alone stays. The gaps stand in the order of the members. */
static void copy_plain(struct consensus *to, const struct consensus *from)
{
#define GAP(member) { offsetof(struct consensus, member), sizeof(from->member) }
	static const struct {
		size_t at, size;
	} gaps[] = {
		GAP(config), GAP(present), GAP(pp_view_changes), GAP(pp_prepares), GAP(target.sealed),
		GAP(best), GAP(best_block), GAP(view_change), GAP(rounds), GAP(claims), GAP(futures),
		GAP(record), GAP(certificate), GAP(sends), GAP(evidence),
		{ sizeof(*from), 0 },
	};
#undef GAP
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_COUNT(gaps); i++) {
		CHECK(gaps[i].at >= at);
		memcpy((uint8_t *)to + at, (const uint8_t *)from + at, gaps[i].at - at);
		at = gaps[i].at + gaps[i].size;
	}
}

void consensus_copy(struct consensus *to, const struct consensus *from)
{
	size_t count = set_of(from)->count;

	CHECK(to->present->is.number == from->present->is.number && set_of(to)->count == count);
	copy_plain(to, from);
	memcpy(to->pp_view_changes, from->pp_view_changes, count * sizeof(*to->pp_view_changes));
	to->pp.view_changes = from->pp.view_changes ? to->pp_view_changes : NULL;
	to->pp.prepares = from->pp.prepares ? &to->pp_prepares : NULL;
	if (from->pp.prepares)
		copy_certificate(&to->pp_prepares, &from->pp_prepares);
	if (from->has_best)
		copy_certificate(&to->best, &from->best);
	for (size_t i = 0; i < ROUND_COUNT; i++)
		copy_round(from, &to->rounds[i], &from->rounds[i]);
	for (size_t i = 0; i < CONSENSUS_CLAIM_MAX; i++)
		copy_claim(&to->claims[i], &from->claims[i]);
	for (size_t i = 0; i < CONSENSUS_FUTURE_MAX; i++)
		copy_future(&to->futures[i], &from->futures[i]);
	copy_buf(&to->target.sealed, &from->target.sealed);
	copy_buf(&to->best_block, &from->best_block);
	copy_buf(&to->view_change, &from->view_change);
}
