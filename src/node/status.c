/*
 * status - "why is it not moving?", for somebody who does not know the code: what is being
 * waited for, for whom, how long still; and how the others are.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "node/internal.h"

#define NAMED_MAX 4 /* validators that the sentence names */

struct view_of {
	const struct node *n;
	const struct consensus_status *s;
	const struct validator_set *set;
	uint64_t now_ms;
	bool is_connected[VALIDATOR_COUNT_MAX];
	struct weight reachable; /* connected, and this node's own */
};

static void find_connected(struct view_of *v)
{
	struct p2p_peer *peers = xcalloc(LIMIT_P2P_SESSION_COUNT, sizeof(peers[0]));
	size_t count = 0;

	if (v->n->p2p)
		count = p2p_peers(v->n->p2p, v->n->io.steady_ms(v->n->io.ctx), peers, LIMIT_P2P_SESSION_COUNT);
	for (size_t i = 0; i < v->set->count; i++) {
		const struct validator *m = &v->set->members[i];
		bool is_here = v->s->is_member && i == v->s->self;

		for (size_t k = 0; k < count && !is_here; k++)
			is_here = addr_equal(&peers[k].address, &m->address);
		v->is_connected[i] = is_here;
		v->reachable.n += is_here ? m->weight.n : 0;
	}
	free(peers);
}

/* --- the sentence --- */

static void put_age(struct buf *out, uint64_t now_ms, uint64_t then_ms)
{
	uint64_t ms = now_ms > then_ms ? now_ms - then_ms : 0;

	if (ms < 10000)
		buf_printf(out, "%" PRIu64 " ms ago", ms);
	else
		buf_printf(out, "%" PRIu64 " s ago", ms / 1000);
}

static void put_member(struct buf *out, const struct view_of *v, size_t i)
{
	char text[HEX_ADDR_SIZE];

	buf_printf(out, "%s (%s", hex_data(text, addr_bytes(&v->set->members[i].address)),
		   v->is_connected[i] ? "connected" : "not connected");
	if (v->s->last_seen_ms[i] == 0) {
		buf_printf(out, ", never heard of)");
		return;
	}
	buf_printf(out, ", last vote ");
	put_age(out, v->now_ms, v->s->last_seen_ms[i]);
	buf_printf(out, ")");
}

/* Those of the set who are waited for, this node left out. */
static void put_waited_for(struct buf *out, const struct view_of *v)
{
	size_t count = 0;

	for (size_t i = 0; i < v->set->count; i++) {
		if (!signer_bits_get(&v->s->waited_for, i) || (v->s->is_member && i == v->s->self))
			continue;
		if (count++ >= NAMED_MAX)
			continue;
		buf_printf(out, count == 1 ? ": " : ", ");
		put_member(out, v, i);
	}
	if (count > NAMED_MAX)
		buf_printf(out, " and %zu more", count - NAMED_MAX);
}

static void put_votes(struct buf *out, const struct view_of *v, const char *what)
{
	uint64_t quorum = validator_set_quorum(v->set).n;

	buf_printf(out, "waits for %s: weight %" PRIu64 " of the %" PRIu64 " that are needed is there, "
		   "missing is %" PRIu64, what, quorum - MIN(quorum, v->s->missing.n), quorum, v->s->missing.n);
	put_waited_for(out, v);
	if (v->reachable.n < quorum)
		buf_printf(out, "; only weight %" PRIu64 " is connected: the chain stands, and loses nothing, "
			   "until more validators are back", v->reachable.n);
}

static void put_leader(struct buf *out, const struct view_of *v)
{
	if (v->s->is_member && v->s->proposer == v->s->self) {
		buf_printf(out, "is about to propose");
		return;
	}
	buf_printf(out, "waits for the proposal of ");
	put_member(out, v, v->s->proposer);
}

static void put_passive(struct buf *out, const struct node *n)
{
	if (n->config.is_validator)
		buf_printf(out, "this validator is not in the set of epoch %" PRIu64 ": it follows the others, and "
			   "takes part as soon as they have voted it in", n->tip.epoch.number);
	else
		buf_printf(out, "this node is no validator: it follows the blocks of the others");
}

static void put_phase(struct buf *out, const struct view_of *v)
{
	switch (v->s->phase) {
	case CONSENSUS_IDLE:
		if (v->s->has_deadline)
			put_leader(out, v);
		else
			buf_printf(out, "nothing waits: the next block comes with a transaction or at the heartbeat");
		return;
	case CONSENSUS_PROPOSING:
		buf_printf(out, "a block is being made");
		return;
	case CONSENSUS_VIEW_CHANGING:
		if (v->s->missing.n > 0)
			put_votes(out, v, "enough validators to agree on a new proposer");
		else
			put_leader(out, v);
		return;
	case CONSENSUS_EXECUTING:
		buf_printf(out, "executes the proposed block");
		return;
	case CONSENSUS_PREPARING:
		put_votes(out, v, "a quorum of prepares");
		return;
	case CONSENSUS_COMMITTING:
		if (v->s->missing.n > 0)
			put_votes(out, v, "a quorum of commits");
		else
			buf_printf(out, "waits for its own commit to be on disk");
		return;
	case CONSENSUS_FETCHING:
		buf_printf(out, "a quorum has committed a block that this node lacks: it is being fetched");
		return;
	case CONSENSUS_PASSIVE:
		put_passive(out, v->n);
		return;
	}
	UNREACHABLE();
}

static bool is_behind(const struct node *n)
{
	return n->pending.kind == NODE_PENDING_FETCHED || n->is_fetching || n->fetched_count > 0;
}

static void put_reason(struct buf *out, const struct view_of *v)
{
	const struct node *n = v->n;

	if (n->is_stopped || n->is_winding_down)
		buf_printf(out, "the node is shutting down");
	else if (n->is_stalled)
		buf_printf(out, "the disk is full: free space, and the node goes on by itself");
	else if (n->is_proposal_due)
		buf_printf(out, "the writer catches up with blocks that are final already");
	else if (is_behind(n))
		buf_printf(out, "this node is behind and fetches blocks: it has %" PRIu64 ", others say that they "
			   "have %" PRIu64, n->tip.header.height, MAX(n->fetch_target, n->tip.header.height));
	else
		put_phase(out, v);
}

/* A clock that was set is believed: by this node alone at once, by others within 2 s. */
static void put_clock(struct buf *out, const struct view_of *v)
{
	const struct node *n = v->n;
	uint64_t tip_ms = n->tip.commitments.time_ms, heartbeat_ms = n->config.genesis->params.heartbeat_ms;

	if (tip_ms > v->now_ms + NODE_CLOCK_DRIFT_MS)
		buf_printf(out, "; the newest block is %" PRIu64 " s ahead of this node's clock, which is wrong, or "
			   "the validators' clocks are: see to NTP", (tip_ms - v->now_ms) / 1000);
	else if (n->tip.header.height > 0 && v->now_ms > tip_ms + 2 * heartbeat_ms + 5000)
		buf_printf(out, "; the newest block is %" PRIu64 " s old, though one is due every %" PRIu64 " s: if the "
			   "others have newer ones, this node is cut off; if not, the chain stands or this node's "
			   "clock is ahead", (v->now_ms - tip_ms) / 1000, heartbeat_ms / 1000);
}

/* --- the figures --- */

static void put_members(const struct view_of *v, struct rpc_consensus_status *out)
{
	const struct consensus_status *s = v->s;

	out->members = xcalloc(v->set->count, sizeof(out->members[0]));
	out->member_count = v->set->count;
	for (size_t i = 0; i < v->set->count; i++)
		out->members[i] = (struct rpc_consensus_member){
			.address = v->set->members[i].address,
			.weight = v->set->members[i].weight,
			.voted = !signer_bits_get(&s->waited_for, i),
			.prepared = signer_bits_get(&s->prepared, i),
			.committed = signer_bits_get(&s->committed, i),
			.view_changed = signer_bits_get(&s->view_changed, i),
			.is_self = s->is_member && i == s->self,
			.is_connected = v->is_connected[i],
			.has_last_seen = s->last_seen_ms[i] > 0,
			.last_seen_ms = s->last_seen_ms[i],
			.age_ms = v->now_ms > s->last_seen_ms[i] ? v->now_ms - s->last_seen_ms[i] : 0,
			.height = s->last_seen_height[i],
		};
}

static struct weight voted(const struct view_of *v)
{
	switch (v->s->phase) {
	case CONSENSUS_PREPARING:
		return validator_set_weight(v->set, &v->s->prepared);
	case CONSENSUS_COMMITTING:
		return validator_set_weight(v->set, &v->s->committed);
	case CONSENSUS_VIEW_CHANGING:
		return validator_set_weight(v->set, &v->s->view_changed);
	case CONSENSUS_IDLE:
	case CONSENSUS_PROPOSING:
	case CONSENSUS_EXECUTING:
	case CONSENSUS_FETCHING:
	case CONSENSUS_PASSIVE:
		return (struct weight){ 0 };
	}
	UNREACHABLE();
}

static void put_refusals(const struct consensus_status *s, struct rpc_consensus_status *out)
{
	out->refusals = xcalloc(CONSENSUS_REFUSAL_COUNT, sizeof(out->refusals[0]));
	for (size_t i = 0; i < CONSENSUS_REFUSAL_COUNT; i++)
		if (s->refused[i] > 0)
			out->refusals[out->refusal_count++] = (struct rpc_consensus_refusal){
				consensus_refusal_name((enum consensus_refusal)i), s->refused[i],
			};
}

static uint64_t left(uint64_t at_ms, uint64_t now_ms)
{
	return at_ms > now_ms ? at_ms - now_ms : 0;
}

void node_consensus_status(const struct node *n, struct rpc_consensus_status *out)
{
	struct consensus_status *s = xcalloc(1, sizeof(*s));
	struct consensus_checkpoint *checkpoint = xcalloc(1, sizeof(*checkpoint));
	struct view_of v = { .n = n, .s = s, .set = &n->tip.epoch.set, .now_ms = n->io.now_ms(n->io.ctx) };

	consensus_get_status(n->consensus, s);
	find_connected(&v);
	*out = (struct rpc_consensus_status){
		.height = s->height,
		.view = s->view,
		.epoch = s->epoch,
		.role = !n->config.is_validator ? "observer" : s->is_member ? "validator" : "waiting",
		.phase = n->config.is_validator ? consensus_phase_name(s->phase) : "observing",
		.has_timeout = s->has_deadline,
		.timeout_ms_left = left(s->deadline_ms, v.now_ms),
		.has_next_step = s->has_timer,
		.next_step_ms_left = left(s->timer_ms, v.now_ms),
		.proposer = v.set->members[s->proposer].address,
		.total = v.set->total,
		.quorum = validator_set_quorum(v.set),
		.voted = voted(&v),
		.missing = s->missing,
		.reachable = v.reachable,
		.committed_height = n->tip.header.height,
		.committed_time_ms = n->tip.commitments.time_ms,
		.written_height = n->written_height,
		.is_fetching = is_behind(n),
		.fetch_height = MAX(n->fetch_target, n->tip.header.height),
		.view_change_total = s->view_change_total,
		.evidence_count = n->evidence.count,
	};
	if (consensus_get_checkpoint(n->consensus, checkpoint)) {
		out->has_checkpoint = true;
		out->checkpoint_height = checkpoint->signatures.height;
	}
	put_reason(&out->reason, &v);
	put_clock(&out->reason, &v);
	put_members(&v, out);
	put_refusals(s, out);
	free(checkpoint);
	free(s);
}
