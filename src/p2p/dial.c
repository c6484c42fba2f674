#include "p2p/internal.h"

#include <stdlib.h>

#include "base/check.h"

int dial_init(struct p2p *p, const struct p2p_config *config, struct err *err)
{
	if (config->static_count > LIMIT_P2P_STATIC_COUNT)
		return ERR_SET(err, P2P_E_CONFIG, "%zu static peers, %d are allowed",
			       config->static_count, LIMIT_P2P_STATIC_COUNT);
	p->dials = xcalloc(config->static_count + 1, sizeof(*p->dials));
	p->dial_count = config->static_count;
	for (size_t i = 0; i < p->dial_count; i++) {
		p->dials[i].endpoint = xstrdup(config->statics[i].endpoint);
		p->dials[i].address = config->statics[i].address;
		p->dials[i].is_given = !addr_is_zero(&p->dials[i].address);
		p->dials[i].is_self = addr_equal(&p->dials[i].address, &p->self);
	}
	return OK;
}

void dial_clear(struct p2p *p)
{
	for (size_t i = 0; i < p->dial_count; i++)
		free(p->dials[i].endpoint);
	free(p->dials);
}

/* Doubling, and between half and all of it by chance, so that nodes that stopped
 * together do not come back in step. */
static uint64_t back_off_ms(struct p2p *p, const struct dial *d)
{
	/* attempt_count is at most 16: no overflow. */
	uint64_t whole = MIN((uint64_t)DIAL_MIN_MS << d->attempt_count, (uint64_t)DIAL_MAX_MS);

	return whole / 2 + rng_below(&p->rng, whole / 2 + 1);
}

/* Trying again soon would not help. */
static bool is_lasting(enum p2p_reason reason)
{
	switch (reason) {
	case P2P_REASON_VERSION:
	case P2P_REASON_CHAIN:
	case P2P_REASON_SIGNATURE:
	case P2P_REASON_IDENTITY:
	case P2P_REASON_NOT_ALLOWED:
	case P2P_REASON_TWIN:
	case P2P_REASON_SCORE:
	case P2P_REASON_FULL:
	case P2P_REASON_MALFORMED:
		return true;
	case P2P_REASON_NONE:
	case P2P_REASON_STOPPING:
	case P2P_REASON_SELF:
	case P2P_REASON_DUPLICATE:
	case P2P_REASON_TIMEOUT:
	case P2P_REASON_SLOW:
	case P2P_REASON_MEMORY:
	case P2P_REASON_CLOSED:
		return false;
	}
	UNREACHABLE();
}

void dial_ended(struct p2p *p, size_t dial, enum p2p_reason reason, uint64_t up_ms)
{
	struct dial *d = &p->dials[dial];

	CHECK(d->is_busy);
	d->is_busy = false;
	if (reason == P2P_REASON_SELF)
		d->is_self = true;
	if (up_ms >= DIAL_GOOD_MS)
		d->attempt_count = 0;
	if (is_lasting(reason))
		d->attempt_count = 16;
	d->next_ms = p->now_ms + back_off_ms(p, d);
	wake_by(p, d->next_ms);
}

/* A peer that left: soon dialled again, even if it was the one who dialled. */
void dial_peer_down(struct p2p *p, const struct addr *address)
{
	for (size_t i = 0; i < p->dial_count; i++) {
		struct dial *d = &p->dials[i];

		if (d->is_busy || !addr_equal(&d->address, address))
			continue;
		d->next_ms = p->now_ms + back_off_ms(p, d);
		wake_by(p, d->next_ms);
	}
}

static void dial_one(struct p2p *p, size_t index)
{
	struct dial *d = &p->dials[index];
	struct p2p_effect *e;

	d->is_busy = true;
	d->attempt_count += d->attempt_count < 16;
	p->metrics.dial_count++;
	e = emit(p, P2P_EFFECT_CONNECT, NULL);
	e->connect.dial = index;
	e->connect.endpoint = d->endpoint;
}

void dial_tick(struct p2p *p)
{
	for (size_t i = 0; i < p->dial_count && !p->is_stopping; i++) {
		struct dial *d = &p->dials[i];

		if (d->is_busy || d->is_self)
			continue;
		if (d->next_ms > p->now_ms) {
			wake_by(p, d->next_ms);
		} else if (!addr_is_zero(&d->address) &&
			   (session_with(p, &d->address) || is_banned(p, &d->address))) {
			d->next_ms = p->now_ms + DIAL_MAX_MS;
			wake_by(p, d->next_ms);
		} else if (has_room(p)) {
			dial_one(p, i);
		} else {
			wake_by(p, p->now_ms); /* in the next step */
		}
	}
}
