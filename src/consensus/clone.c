/* A machine copied into another: for explorers of many histories that begin alike. */
#include "consensus/internal.h"

#include <stdlib.h>

static void copy_buf(struct buf *to, const struct buf *from)
{
	buf_reset(to);
	if (from->size)
		buf_append_bytes(to, buf_bytes(from));
}

static void copy_epoch(struct known_epoch **to, const struct known_epoch *from)
{
	struct kept_checkpoint *checkpoints = *to ? (*to)->checkpoints : NULL;
	size_t size;

	if (!from || (*to && (*to)->set.count != from->set.count)) {
		epoch_free(*to);
		*to = NULL;
		checkpoints = NULL;
	}
	if (!from)
		return;
	size = from->set.count * CONSENSUS_CHECKPOINT_COUNT * sizeof(*checkpoints);
	if (!*to) {
		*to = xmalloc(sizeof(**to));
		checkpoints = xmalloc(size);
	}
	**to = *from;
	(*to)->is.set = &(*to)->set;
	(*to)->checkpoints = checkpoints;
	memcpy(checkpoints, from->checkpoints, size);
}

/* Heights that are over have nothing for an explorer: theirs are forgotten. */
static void copy_round(const struct consensus *from, struct round *to, const struct round *r)
{
	size_t places = CONSENSUS_VIEW_COUNT * KIND_COUNT;

	to->set_hash = (struct hash){ 0 };
	if (r->height < height_of(from))
		return;
	if (to->capacity != r->capacity) {
		free(to->slots);
		free(to->view_changes);
		to->slots = xmalloc(r->capacity * places * sizeof(*to->slots));
		to->view_changes = xmalloc(r->capacity * sizeof(*to->view_changes));
		to->capacity = r->capacity;
	}
	to->height = r->height;
	to->set_hash = r->set_hash;
	memcpy(to->slots, r->slots, r->capacity * places * sizeof(*to->slots));
	memcpy(to->view_changes, r->view_changes, r->capacity * sizeof(*to->view_changes));
	memcpy(to->tallies, r->tallies, sizeof(to->tallies));
}

static void copy_future(struct future *to, const struct future *from)
{
	to->is_set = from->is_set;
	to->height = from->height;
	to->view = from->view;
	to->set_hash = from->set_hash;
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
		GAP(config), GAP(present), GAP(next), GAP(before), GAP(pp_view_changes), GAP(pp_prepares),
		GAP(target.sealed), GAP(best), GAP(best_block), GAP(view_change), GAP(rounds), GAP(claims),
		GAP(futures), GAP(seen_ms), GAP(seen_height), GAP(checkpoint), GAP(record), GAP(certificate),
		GAP(sends), GAP(late_send), GAP(checkpoint_send), GAP(evidence),
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

	CHECK(addr_equal(&to->config.self, &from->config.self));
	copy_plain(to, from);
	copy_epoch(&to->present, from->present);
	copy_epoch(&to->next, from->next);
	copy_epoch(&to->before, from->before);
	memcpy(to->seen_ms, from->seen_ms, count * sizeof(to->seen_ms[0]));
	memcpy(to->seen_height, from->seen_height, count * sizeof(to->seen_height[0]));
	if (from->pp.view_change_count)
		memcpy(to->pp_view_changes, from->pp_view_changes,
		       from->pp.view_change_count * sizeof(*to->pp_view_changes));
	to->pp.view_changes = from->pp.view_changes ? to->pp_view_changes : NULL;
	to->pp.prepares = from->pp.prepares ? &to->pp_prepares : NULL;
	if (from->pp.prepares)
		copy_certificate(&to->pp_prepares, &from->pp_prepares);
	if (from->has_best)
		copy_certificate(&to->best, &from->best);
	if (from->has_checkpoint) {
		to->checkpoint.epoch = from->checkpoint.epoch;
		to->checkpoint.validators_hash = from->checkpoint.validators_hash;
		copy_certificate(&to->checkpoint.signatures, &from->checkpoint.signatures);
	}
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
