#include "rpc/methods.h"

#include "rpc/calls.h"

/* One row a method: name, parameters (params.h), handler, errand to the node's
 * thread, cost, what it does, what comes back. */
static const struct rpc_method methods[] = {
	/* Who is there. */
	{ "web3_clientVersion", "", call_client_version, NULL, 1,
	  "Name, version and platform of the program.", "text" },
	{ "web3_sha3", "data", call_sha3, NULL, 1, "Keccak-256 of the data.", "hash" },
	{ "net_version", "", call_net_version, NULL, 1, "The chain's id as decimal text.", "text" },
	{ "net_listening", "", call_net_listening, NULL, 1, "Whether the node takes connections.",
	  "true" },
	{ "net_peerCount", "", call_peer_count, &errand_peer_count, 1,
	  "How many peers are connected.", "quantity" },
	{ "eth_chainId", "", call_chain_id, NULL, 1, "The chain's id.", "quantity" },
	{ "eth_protocolVersion", "", call_protocol_version, NULL, 1,
	  "The version of the rules between nodes.", "quantity" },
	{ "eth_syncing", "", call_syncing, NULL, 1, "Whether the node is still catching up.",
	  "false" },
	{ "eth_accounts", "", call_accounts, NULL, 1, "Accounts of the node: it holds no keys.",
	  "[]" },
	{ "eth_blockNumber", "", call_block_number, NULL, 1, "The newest block's number.",
	  "quantity" },
	{ "rpc_modules", "", call_modules, NULL, 1, "The namespaces that are served.",
	  "object: version by namespace" },
	{ "hardhat_metadata", "", call_hardhat_metadata, NULL, 10,
	  "Which chain this is, for Hardhat Ignition; with `--dev` only.", "object" },

	/* Blocks, transactions, receipts. */
	{ "eth_getBlockByNumber", "number?,full:bool?", call_get_block, NULL, 10,
	  "A block, with its transactions or only their hashes.", "block or null" },
	{ "eth_getBlockByHash", "blockHash,full:bool?", call_get_block, NULL, 10,
	  "A block, with its transactions or only their hashes.", "block or null" },
	{ "eth_getBlockTransactionCountByNumber", "number?", call_get_tx_count, NULL, 5,
	  "How many transactions a block has.", "quantity or null" },
	{ "eth_getBlockTransactionCountByHash", "blockHash", call_get_tx_count, NULL, 5,
	  "How many transactions a block has.", "quantity or null" },
	{ "eth_getUncleCountByBlockNumber", "number?", call_get_uncle_count, NULL, 5,
	  "Blocks are final: there are no uncles.", "0x0 or null" },
	{ "eth_getUncleCountByBlockHash", "blockHash", call_get_uncle_count, NULL, 5,
	  "Blocks are final: there are no uncles.", "0x0 or null" },
	{ "eth_getUncleByBlockNumberAndIndex", "number,index:quantity", call_get_uncle, NULL, 1,
	  "Blocks are final: there are no uncles.", "null" },
	{ "eth_getUncleByBlockHashAndIndex", "blockHash,index:quantity", call_get_uncle, NULL, 1,
	  "Blocks are final: there are no uncles.", "null" },
	{ "eth_getTransactionByHash", "hash", call_get_tx, &errand_get_tx, 5,
	  "A transaction, mined or waiting.", "transaction or null" },
	{ "eth_getTransactionByBlockNumberAndIndex", "number,index:quantity", call_get_tx_by_index,
	  NULL, 5, "A transaction of a block.", "transaction or null" },
	{ "eth_getTransactionByBlockHashAndIndex", "blockHash,index:quantity", call_get_tx_by_index,
	  NULL, 5, "A transaction of a block.", "transaction or null" },
	{ "eth_getRawTransactionByHash", "hash", call_get_raw_tx, &errand_get_raw_tx, 5,
	  "A transaction's bytes, mined or waiting.", "data or null" },
	{ "eth_getTransactionReceipt", "hash", call_get_receipt, NULL, 5,
	  "What a mined transaction did. What has a receipt is final.", "receipt or null" },
	{ "eth_getBlockReceipts", "block?", call_get_block_receipts, NULL, 10,
	  "All receipts of a block.", "array of receipts or null" },

	/* Logs. */
	{ "eth_getLogs", "filter", call_get_logs, NULL, 10,
	  "The logs of some blocks that a filter names, in order; at most 10,000.",
	  "array of logs" },

	/* State. */
	{ "eth_getBalance", "address,block?", call_get_balance, NULL, 2, "An account's wei.",
	  "quantity" },
	{ "eth_getTransactionCount", "address,block?", call_get_nonce, &errand_get_nonce, 2,
	  "The nonce of an account's next transaction; with `pending`, behind those that wait.",
	  "quantity" },
	{ "eth_getCode", "address,block?", call_get_code, NULL, 2, "A contract's code.", "data" },
	{ "eth_getStorageAt", "address,slot,block?", call_get_storage, NULL, 2,
	  "One word of a contract's storage.", "data, 32 bytes" },
	{ "eth_getProof", "address,slots,block?", call_get_proof, &errand_get_proof, 20,
	  "An account and storage slots with their Merkle proofs, of the newest block only.",
	  "proof (EIP-1186)" },
	{ "eth_call", "call,block?,stateOverrides?,blockOverrides?", call_call, NULL, 20,
	  "Runs a call that changes nothing.", "data" },
	{ "eth_estimateGas", "call,block?,stateOverrides?,blockOverrides?", call_estimate_gas, NULL, 50,
	  "The least gas limit with which a call succeeds.", "quantity" },
	{ "eth_createAccessList", "call,block?,stateOverrides?,blockOverrides?",
	  call_create_access_list, NULL, 50,
	  "What a call touches beside what is warm anyway, and the gas that it takes with that list.",
	  "object: accessList, error, gasUsed" },

	/* Fees and sending. */
	{ "eth_gasPrice", "", call_gas_price, NULL, 10,
	  "What to pay per gas without thinking: base fee and tip of the next block.", "quantity" },
	{ "eth_maxPriorityFeePerGas", "", call_max_priority_fee, NULL, 10,
	  "The tip per gas that gets a transaction into the next block.", "quantity" },
	{ "eth_feeHistory", "count:quantity,newest:number?,percentiles?", call_fee_history, NULL,
	  10, "Base fees, fullness and tips of at most 1024 blocks; fewer if they cost too much.",
	  "object" },
	{ "eth_blobBaseFee", "", call_blob_base_fee, NULL, 1, "Blobs are not taken here.", "0x1" },
	{ "eth_sendRawTransaction", "data", call_send_raw, &errand_send_raw, 6,
	  "Gives a signed transaction (type 0, 1, 2 or 4) to the pool.", "hash" },
	{ "txpool_status", "", call_pool_status, &errand_pool_status, 1,
	  "How many transactions wait, and how many of them behind a gap.",
	  "object: pending, queued" },
	{ "txpool_content", "", call_pool_content, &errand_pool_content, 1000,
	  "All that waits, by sender and nonce.", "object: pending, queued" },
	{ "txpool_contentFrom", "address", call_pool_content_from, &errand_pool_content, 100,
	  "What waits of one sender, by nonce.", "object: pending, queued" },
	{ "txpool_inspect", "", call_pool_content, &errand_pool_inspect, 1000,
	  "All that waits, one line each.", "object: pending, queued" },

	/* Run again, and watched. */
	{ "debug_traceTransaction", "hash,options:trace?", call_trace_tx, NULL, 100,
	  "What a mined transaction did, step by step or as the tracer that is named tells it.",
	  "object" },
	{ "debug_traceCall", "call,block?,options:trace?", call_trace_call, NULL, 100,
	  "The same of a call that changes nothing.", "object" },
	{ "debug_traceBlockByNumber", "number,options:trace?", call_trace_block, NULL, 100,
	  "The same of all transactions of a block.", "array of objects: txHash, result" },
	{ "debug_traceBlockByHash", "blockHash,options:trace?", call_trace_block, NULL, 100,
	  "The same of all transactions of a block.", "array of objects: txHash, result" },

	/* Bytes as they are hashed. */
	{ "debug_getRawHeader", "block?", call_get_raw_header, NULL, 10,
	  "A header's RLP, whose hash is the block's.", "data or null" },
	{ "debug_getRawBlock", "block?", call_get_raw_block, NULL, 20,
	  "A block's RLP in Ethereum's form.", "data or null" },
	{ "debug_getRawReceipts", "block?", call_get_raw_receipts, NULL, 20,
	  "The receipts that receiptsRoot covers.", "array of data or null" },
	{ "debug_getRawTransaction", "hash", call_get_raw_tx, &errand_get_raw_tx, 5,
	  "A transaction's bytes, mined or waiting.", "data or null" },

	/* Ours. */
	{ "weft_nodeInfo", "", call_node_info, NULL, 1,
	  "Versions, chain, role and the parameters that genesis set.", "object" },
	{ "weft_validators", "block?", call_validators, NULL, 20,
	  "The validators that agreed on a block (`pending`: that decide the next one), their epoch and "
	  "quorum; the next set as voted after that block, and the open votes, while its state is kept.",
	  "object" },
	{ "weft_getCertificate", "block?", call_get_certificate, NULL, 10,
	  "Why a block is final: who signed it, and what its extraData commits to.",
	  "certificate or null (genesis has none)" },
	{ "weft_getCommitments", "block?", call_get_commitments, NULL, 5,
	  "What a block's extraData is the hash of, in fields and as bytes.",
	  "commitments or null" },
	{ "weft_consensusStatus", "", call_consensus_status, &errand_consensus_status, 2,
	  "What consensus is doing, and why it waits.", "object" },
	{ "weft_evidence", "", call_evidence, &errand_evidence, 20,
	  "Validators that signed two values at one position, newest first, with both signed statements: "
	  "[kind, height, view, validator, signature, hash].",
	  "array of objects" },
	{ "weft_getCheckpoint", "", call_get_checkpoint, &errand_get_checkpoint, 5,
	  "The newest block that more than a third of the weight has signed as final: enough for a device "
	  "that knows the validators.",
	  "object or null" },
	{ "weft_methods", "", call_methods, NULL, 10, "This table.", "array of methods" },
};

const struct rpc_method *rpc_methods(size_t *count)
{
	*count = ARRAY_COUNT(methods);
	return methods;
}
