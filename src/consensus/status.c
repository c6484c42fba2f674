/* "Why is it not moving?" */
#include "consensus/internal.h"

const char *consensus_phase_name(enum consensus_phase phase)
{
	switch (phase) {
	case CONSENSUS_IDLE:
		return "idle";
	case CONSENSUS_PROPOSING:
		return "proposing";
	case CONSENSUS_VIEW_CHANGING:
		return "view-changing";
	case CONSENSUS_EXECUTING:
		return "executing";
	case CONSENSUS_PREPARING:
		return "preparing";
	case CONSENSUS_COMMITTING:
		return "committing";
	case CONSENSUS_FETCHING:
		return "fetching";
	case CONSENSUS_PASSIVE:
		return "passive";
	}
	UNREACHABLE();
}

const char *consensus_refusal_name(enum consensus_refusal refusal)
{
	static const char *const words[] = {
#define X(name, word, text) [CONSENSUS_REFUSAL_##name] = word,
		CONSENSUS_REFUSAL_TABLE(X)
#undef X
	};

	CHECK(refusal < CONSENSUS_REFUSAL_COUNT);
	return words[refusal];
}

static struct signer_bits askers(const struct consensus *c)
{
	const struct round *r = &c->rounds[height_of(c) % ROUND_COUNT];
	struct signer_bits bits = { 0 };

	for (size_t i = 0; i < set_of(c)->count; i++)
		if (r->view_changes[i].is_set && r->view_changes[i].view >= MAX(c->view, (uint64_t)1))
			signer_bits_set(&bits, i);
	return bits;
}

/* Everyone who is not among `have`; and what is missing to a quorum. */
static void wait_for_rest(const struct consensus *c, struct consensus_status *out,
			  const struct signer_bits *have)
{
	struct weight weight = validator_set_weight(set_of(c), have);

	for (size_t i = 0; i < set_of(c)->count; i++)
		if (!signer_bits_get(have, i))
			signer_bits_set(&out->waited_for, i);
	if (weight.n < c->quorum.n)
		out->missing.n = c->quorum.n - weight.n;
}

static void waited_for(const struct consensus *c, struct consensus_status *out)
{
	switch (out->phase) {
	case CONSENSUS_IDLE:
		signer_bits_set(&out->waited_for, out->proposer);
		return;
	case CONSENSUS_PROPOSING:
	case CONSENSUS_EXECUTING:
		signer_bits_set(&out->waited_for, c->self);
		return;
	case CONSENSUS_VIEW_CHANGING:
		wait_for_rest(c, out, &out->view_changed);
		if (out->missing.n == 0) {
			out->waited_for = (struct signer_bits){ 0 };
			signer_bits_set(&out->waited_for, out->proposer);
		}
		return;
	case CONSENSUS_PREPARING:
		wait_for_rest(c, out, &out->prepared);
		return;
	case CONSENSUS_COMMITTING:
		wait_for_rest(c, out, &out->committed);
		return;
	case CONSENSUS_FETCHING:
	case CONSENSUS_PASSIVE:
		return;
	}
	UNREACHABLE();
}

uint64_t consensus_refused_total(const struct consensus *c)
{
	uint64_t sum = 0;

	for (size_t i = CONSENSUS_REFUSAL_STRANGER; i < CONSENSUS_REFUSAL_COUNT; i++)
		sum += c->refused[i];
	return sum;
}

void consensus_get_status(const struct consensus *c, struct consensus_status *out)
{
	*out = (struct consensus_status){
		.height = height_of(c),
		.view = c->view,
		.epoch = c->present->is.number,
		.is_member = is_member(c),
		.self = is_member(c) ? c->self : 0,
		.phase = is_member(c) ? c->phase : CONSENSUS_PASSIVE,
		.proposer = leader_of(c),
		.has_timer = c->timer_ms != 0,
		.timer_ms = c->timer_ms,
		.has_deadline = c->deadline_ms != 0,
		.deadline_ms = c->deadline_ms,
		.view_changed = askers(c),
		.tip = c->tip,
		.refused_total = consensus_refused_total(c),
		.evidence_total = c->evidence_total,
		.view_change_total = c->view_change_total,
		.verified_total = c->verified_total,
	};
	if (is_member(c) && c->is_decided && find_block(c, &c->decided_hash).size == 0)
		out->phase = CONSENSUS_FETCHING;
	if (c->has_pp) {
		out->prepared = voters_of(c, MESSAGE_PREPARE, c->view, &c->pp.block_hash);
		out->committed = voters_of(c, MESSAGE_COMMIT, c->view, &c->pp.block_hash);
	}
	waited_for(c, out);
	memcpy(out->refused, c->refused, sizeof(out->refused));
	memcpy(out->last_seen_ms, c->seen_ms, sizeof(out->last_seen_ms));
	memcpy(out->last_seen_height, c->seen_height, sizeof(out->last_seen_height));
}
