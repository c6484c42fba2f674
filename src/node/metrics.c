/* Metrics in Prometheus' text format: weftd_<subsystem>_<name>_{total,seconds,bytes}. */
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "node/internal.h"

static void put(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	buf_printf(out, "# HELP weftd_%s %s\n# TYPE weftd_%s %s\nweftd_%s %llu\n", name, help, name, type,
		   name, (unsigned long long)value);
}

static void put_labelled(struct buf *out, const char *name, const char *label, const char *value, uint64_t n)
{
	buf_printf(out, "weftd_%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)n);
}

/* Every reason and offence is there from the start, so that a rate can be taken. */
static void put_peers(struct buf *out, const struct p2p_metrics *m)
{
	uint64_t in_size = 0, out_size = 0, over_rate = 0;

	for (size_t i = 0; i < WIRE_KIND_COUNT; i++) {
		in_size += m->in_size[i];
		out_size += m->out_size[i];
		over_rate += m->over_rate_count[i];
	}
	put(out, "p2p_peers", "gauge", "Nodes that are connected.", m->ready_count);
	put(out, "p2p_received_bytes_total", "counter", "Bytes of frames from peers.", in_size);
	put(out, "p2p_sent_bytes_total", "counter", "Bytes of frames for peers.", out_size);
	put(out, "p2p_over_rate_total", "counter", "Frames dropped for coming too fast.", over_rate);
	put(out, "p2p_known_total", "counter", "Transactions that came again.", m->known_count);
	put(out, "p2p_queue_dropped_total", "counter", "Frames that a peer was too slow for.", m->queue_dropped_count);
	put(out, "p2p_dials_total", "counter", "Connections tried.", m->dial_count);
	buf_printf(out, "# HELP weftd_p2p_refused_total Peers refused at the hello or before.\n"
		   "# TYPE weftd_p2p_refused_total counter\n");
	for (unsigned i = P2P_REASON_NONE + 1; i < P2P_REASON_COUNT; i++)
		put_labelled(out, "p2p_refused_total", "reason", p2p_reason_name((enum p2p_reason)i), m->refused_count[i]);
	buf_printf(out, "# HELP weftd_p2p_ended_total Sessions that ended.\n# TYPE weftd_p2p_ended_total counter\n");
	for (unsigned i = P2P_REASON_NONE + 1; i < P2P_REASON_COUNT; i++)
		put_labelled(out, "p2p_ended_total", "reason", p2p_reason_name((enum p2p_reason)i), m->ended_count[i]);
	buf_printf(out, "# HELP weftd_p2p_offences_total What peers did wrong.\n"
		   "# TYPE weftd_p2p_offences_total counter\n");
	for (unsigned i = 0; i < P2P_OFFENCE_COUNT; i++)
		put_labelled(out, "p2p_offences_total", "offence", p2p_offence_name((enum p2p_offence)i),
			     m->offence_count[i]);
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP weftd_%s %s\n# TYPE weftd_%s %s\n", name, help, name, type);
}

/* What consensus waits for, and for whom. */
static void put_consensus(struct buf *out, const struct node *n)
{
	struct rpc_consensus_status *s = xcalloc(1, sizeof(*s));
	struct consensus_status *c = xcalloc(1, sizeof(*c));
	char text[HEX_ADDR_SIZE];

	node_consensus_status(n, s);
	consensus_get_status(n->consensus, c);
	put(out, "consensus_validating", "gauge", "1 while this node is a validator of its epoch.", c->is_member);
	put(out, "consensus_epoch", "gauge", "Number of the epoch.", s->epoch);
	put(out, "consensus_view", "gauge", "View of the height that is agreed on; above 0 a proposer's turn has passed.",
	    s->view);
	put(out, "consensus_timeout_milliseconds", "gauge", "Until this node gives the view up; 0: not running.",
	    s->timeout_ms_left);
	head(out, "consensus_phase", "gauge", "1 for what consensus is doing.");
	put_labelled(out, "consensus_phase", "phase", s->phase, 1);
	put(out, "consensus_quorum_weight", "gauge", "Weight that a decision needs.", s->quorum.n);
	put(out, "consensus_reachable_weight", "gauge", "Weight of the validators that are connected.", s->reachable.n);
	put(out, "consensus_missing_weight", "gauge", "Weight that the present phase lacks.", s->missing.n);
	put(out, "consensus_checkpoint_height", "gauge", "Newest block that more than a third has signed as final.",
	    s->checkpoint_height);
	put(out, "consensus_verified_total", "counter", "Signatures of validators checked.", c->verified_total);
	head(out, "consensus_refused_total", "counter", "Messages and checkpoints that were not taken.");
	for (size_t i = 0; i < CONSENSUS_REFUSAL_COUNT; i++)
		put_labelled(out, "consensus_refused_total", "reason",
			     consensus_refusal_name((enum consensus_refusal)i), c->refused[i]);
	head(out, "consensus_last_seen_milliseconds", "gauge", "Since a validator's last verified message.");
	for (size_t i = 0; i < s->member_count; i++)
		if (s->members[i].has_last_seen)
			put_labelled(out, "consensus_last_seen_milliseconds", "validator",
				     hex_data(text, addr_bytes(&s->members[i].address)), s->members[i].age_ms);
	rpc_consensus_status_clear(s);
	free(c);
	free(s);
}

void node_metrics(const struct node *n, struct buf *out)
{
	const struct node_metrics *m = &n->metrics;
	struct store_stats store;
	struct txpool_stats pool;

	store_get_stats(n->store, &store);
	txpool_get_stats(n->pool, &pool);
	put(out, "chain_height", "gauge", "Height of the newest final block.", n->tip.header.height);
	put(out, "chain_written_height", "gauge", "Height of the newest block that readers see.", n->written_height);
	put(out, "chain_epoch", "gauge", "Number of the epoch of the next block.", n->tip.epoch.number);
	put(out, "chain_validators", "gauge", "Validators that decide it.", n->tip.epoch.set.count);
	put(out, "validator", "gauge", "1 while this node is one of them.", node_is_member(n));
	put(out, "chain_time_seconds", "gauge", "Time of the newest final block.", n->tip.header.timestamp);
	put(out, "chain_blocks_total", "counter", "Blocks made final since the start.", m->blocks_total);
	put(out, "chain_transactions_total", "counter", "Transactions in them.", m->txs_total);
	put(out, "chain_gas_total", "counter", "Gas used in them.", m->gas_total);
	put(out, "txpool_pending", "gauge", "Transactions that a block could take.", pool.pending_count);
	put(out, "txpool_future", "gauge", "Transactions behind a nonce gap.", pool.future_count);
	put(out, "txpool_size_bytes", "gauge", "Encoded size of all of them.", pool.size);
	put(out, "txpool_submitted_total", "counter", "Transactions taken, from clients and peers.", m->submitted_total);
	put(out, "txpool_rejected_total", "counter", "Transactions refused.", m->rejected_total);
	put(out, "txpool_replaced_total", "counter", "Transactions replaced by better paid ones.", pool.replaced_total);
	put(out, "txpool_evicted_total", "counter", "Transactions that had to make room.", pool.evicted_total);
	put(out, "txpool_recovered_total", "counter",
	    "Senders recovered from signatures, of clients, gossip and blocks.", m->recovered_total);
	put(out, "txpool_gossip_dropped_total", "counter", "Gossiped transactions that came too many at a time.",
	    m->gossip_dropped_total);
	put(out, "p2p_commands_dropped_total", "counter", "Things for peers that there was no place for.",
	    m->commands_dropped_total);
	put(out, "chain_executed_total", "counter", "Others' blocks executed.", m->executed_total);
	put(out, "chain_invalid_total", "counter", "Others' blocks refused.", m->invalid_total);
	put(out, "chain_fetched_total", "counter", "Blocks fetched with their certificates.", m->fetched_total);
	put(out, "consensus_messages_total", "counter", "Messages from peers.", m->messages_total);
	put(out, "consensus_malformed_total", "counter", "Messages from peers that are none.", m->malformed_total);
	put(out, "consensus_view_changes_total", "counter", "Views that this node gave up.", m->view_changes_total);
	put(out, "consensus_evidence_total", "counter", "Contradictions of validators that were proven.", m->evidence_total);
	put(out, "consensus_evidence_kept", "gauge", "Of these, kept: see weft_evidence.", n->evidence.count);
	put(out, "consensus_evidence_refused_total", "counter", "Evidence from peers that proved nothing.",
	    m->evidence_refused_total);
	put(out, "consensus_evidence_needless_total", "counter", "Evidence that was known, old, or one too many.",
	    m->evidence_needless_total);
	put(out, "consensus_records_total", "counter", "Records written before signing out.", m->records_total);
	put(out, "consensus_checkpoints_total", "counter", "Checkpoints that this node signed.", m->checkpoints_total);
	put_consensus(out, n);
	put(out, "store_log_bytes", "gauge", "Size of the consensus and commit logs.", store.log_size);
	put(out, "store_tree_bytes", "gauge", "Memory of loaded trie nodes.", store.tree_memory);
	put(out, "store_cache_hits_total", "counter", "State reads served from memory.", store.cache_hits);
	put(out, "store_cache_misses_total", "counter", "State reads served from the database.", store.cache_misses);
	put(out, "store_consensus_log_bytes", "gauge", "Size of the consensus log.", store_consensus_size(n->store));
	put(out, "store_consensus_trims_total", "counter", "Times it was trimmed within a height.", m->trims_total);
	put(out, "store_flushes_total", "counter", "Flushes of trie nodes.", m->flushes_total);
	put(out, "store_stalls_total", "counter", "Times the disk was full.", m->stalls_total);
	put(out, "store_stalled", "gauge", "1 while the disk is full.", n->is_stalled);
	node_timing_metrics(&n->timing, out);
	if (n->p2p) {
		struct p2p_metrics p2p;

		p2p_get_metrics(n->p2p, &p2p);
		put_peers(out, &p2p);
	}
}
