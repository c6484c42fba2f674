/*
 * calls - the handlers behind the method table, by the file that holds them.
 * Each follows the contract of methods.h.
 */
#ifndef WEFT_RPC_CALLS_H
#define WEFT_RPC_CALLS_H

#include "rpc/methods.h"

/* call_node.c: who this node is */
int call_client_version(struct rpc_item *i, struct jout *out, struct err *err);
int call_sha3(struct rpc_item *i, struct jout *out, struct err *err);
int call_net_version(struct rpc_item *i, struct jout *out, struct err *err);
int call_net_listening(struct rpc_item *i, struct jout *out, struct err *err);
int call_chain_id(struct rpc_item *i, struct jout *out, struct err *err);
int call_protocol_version(struct rpc_item *i, struct jout *out, struct err *err);
int call_syncing(struct rpc_item *i, struct jout *out, struct err *err);
int call_accounts(struct rpc_item *i, struct jout *out, struct err *err);
int call_block_number(struct rpc_item *i, struct jout *out, struct err *err);
int call_hardhat_metadata(struct rpc_item *i, struct jout *out, struct err *err);
int call_modules(struct rpc_item *i, struct jout *out, struct err *err);
int call_peer_count(struct rpc_item *i, struct jout *out, struct err *err);
extern const struct rpc_errand errand_peer_count;

/* call_block.c: blocks, transactions, receipts */
int call_get_block(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_tx_count(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_uncle_count(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_uncle(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_block_receipts(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_raw_header(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_raw_block(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_raw_receipts(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_receipt(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_tx_by_index(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_tx(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_raw_tx(struct rpc_item *i, struct jout *out, struct err *err);
extern const struct rpc_errand errand_get_tx;
extern const struct rpc_errand errand_get_raw_tx;

/* call_run.c: calls that change nothing */
int call_call(struct rpc_item *i, struct jout *out, struct err *err);
int call_estimate_gas(struct rpc_item *i, struct jout *out, struct err *err);
int call_create_access_list(struct rpc_item *i, struct jout *out, struct err *err);

/* call_state.c: accounts, proofs */
int call_get_balance(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_code(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_storage(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_nonce(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_proof(struct rpc_item *i, struct jout *out, struct err *err);
extern const struct rpc_errand errand_get_nonce;
extern const struct rpc_errand errand_get_proof;

/* call_poll.c: filters that are polled */
int call_new_filter(struct rpc_item *i, struct jout *out, struct err *err);
int call_new_block_filter(struct rpc_item *i, struct jout *out, struct err *err);
int call_new_tx_filter(struct rpc_item *i, struct jout *out, struct err *err);
int call_filter(struct rpc_item *i, struct jout *out, struct err *err);
extern const struct rpc_errand errand_new_filter;
extern const struct rpc_errand errand_filter_changes;
extern const struct rpc_errand errand_filter_logs;
extern const struct rpc_errand errand_end_filter;

/* call_trace.c: what runs under a tracer */
int call_trace_tx(struct rpc_item *i, struct jout *out, struct err *err);
int call_trace_block(struct rpc_item *i, struct jout *out, struct err *err);
int call_trace_call(struct rpc_item *i, struct jout *out, struct err *err);

/* call_logs.c: logs. _range: the heights that a filter names, from ≤ to ≤ the newest;
 * _put: an array of what a filter finds there (nothing if from > to). */
int call_get_logs(struct rpc_item *i, struct jout *out, struct err *err);
int call_logs_range(struct rpc_item *i, const struct rpc_filter *f, uint64_t *from, uint64_t *to, struct err *err);
int call_logs_put(struct rpc_item *i, struct jout *out, const struct log_filter *f, uint64_t from, uint64_t to,
		  struct err *err);

/* call_fee.c: fees */
int call_max_priority_fee(struct rpc_item *i, struct jout *out, struct err *err);
int call_gas_price(struct rpc_item *i, struct jout *out, struct err *err);
int call_blob_base_fee(struct rpc_item *i, struct jout *out, struct err *err);
int call_fee_history(struct rpc_item *i, struct jout *out, struct err *err);

/* call_pool.c: sending, and what waits */
int call_send_raw(struct rpc_item *i, struct jout *out, struct err *err);
int call_pool_status(struct rpc_item *i, struct jout *out, struct err *err);
int call_pool_content(struct rpc_item *i, struct jout *out, struct err *err);
int call_pool_content_from(struct rpc_item *i, struct jout *out, struct err *err);
extern const struct rpc_errand errand_send_raw;
extern const struct rpc_errand errand_pool_status;
extern const struct rpc_errand errand_pool_content;
extern const struct rpc_errand errand_pool_inspect;

/* call_weft.c: what only this chain has */
int call_node_info(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_commitments(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_certificate(struct rpc_item *i, struct jout *out, struct err *err);
int call_consensus_status(struct rpc_item *i, struct jout *out, struct err *err);
int call_methods(struct rpc_item *i, struct jout *out, struct err *err);
extern const struct rpc_errand errand_consensus_status;

/* call_validators.c: who decides. _find_epoch gives the one of a block; it is what the
 * block's commitments say, else RPC_E_NOT_FOUND. */
int call_validators(struct rpc_item *i, struct jout *out, struct err *err);
int call_find_epoch(struct rpc_item *i, const struct rpc_block *b, struct epoch *out, struct err *err);

/* call_proof.c: what proves something to anyone */
int call_evidence(struct rpc_item *i, struct jout *out, struct err *err);
int call_get_checkpoint(struct rpc_item *i, struct jout *out, struct err *err);
extern const struct rpc_errand errand_evidence;
extern const struct rpc_errand errand_get_checkpoint;

#endif
