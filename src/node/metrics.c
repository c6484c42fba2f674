/* Metrics in Prometheus' text format: weftd_<subsystem>_<name>_{total,seconds,bytes}. */
#include "node/internal.h"

static void put(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	buf_printf(out, "# HELP weftd_%s %s\n# TYPE weftd_%s %s\nweftd_%s %llu\n", name, help, name, type,
		   name, (unsigned long long)value);
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
	put(out, "chain_time_seconds", "gauge", "Time of the newest final block.", n->tip.header.timestamp);
	put(out, "chain_blocks_total", "counter", "Blocks made final since the start.", m->blocks_total);
	put(out, "chain_transactions_total", "counter", "Transactions in them.", m->txs_total);
	put(out, "chain_gas_total", "counter", "Gas used in them.", m->gas_total);
	put(out, "txpool_pending", "gauge", "Transactions that a block could take.", pool.pending_count);
	put(out, "txpool_future", "gauge", "Transactions behind a nonce gap.", pool.future_count);
	put(out, "txpool_size_bytes", "gauge", "Encoded size of all of them.", pool.size);
	put(out, "txpool_submitted_total", "counter", "Transactions taken from clients.", m->submitted_total);
	put(out, "txpool_rejected_total", "counter", "Transactions refused.", m->rejected_total);
	put(out, "txpool_replaced_total", "counter", "Transactions replaced by better paid ones.", pool.replaced_total);
	put(out, "txpool_evicted_total", "counter", "Transactions that had to make room.", pool.evicted_total);
	put(out, "consensus_records_total", "counter", "Records written before signing out.", m->records_total);
	put(out, "store_log_bytes", "gauge", "Size of the consensus and commit logs.", store.log_size);
	put(out, "store_tree_bytes", "gauge", "Memory of loaded trie nodes.", store.tree_memory);
	put(out, "store_cache_hits_total", "counter", "State reads served from memory.", store.cache_hits);
	put(out, "store_cache_misses_total", "counter", "State reads served from the database.", store.cache_misses);
	put(out, "store_flushes_total", "counter", "Flushes of trie nodes.", m->flushes_total);
	put(out, "store_stalls_total", "counter", "Times the disk was full.", m->stalls_total);
	put(out, "store_stalled", "gauge", "1 while the disk is full.", n->is_stalled);
}
