/*
 * host - everything that contract code may ask of the world around it.
 *
 *   vm  -- struct vm_host -->  exec: overlay, block, transaction, logs
 *
 * The interpreter sees state and block only through this table; who executes
 * fills it. Every call's gas is the interpreter's business except where the
 * comment says otherwise. A call that returns false failed to read its medium:
 * the whole execution ends and the block is not produced.
 */
#ifndef WEFT_VM_HOST_H
#define WEFT_VM_HOST_H

#include "base/amount.h"
#include "base/buf.h"
#include "chain/params.h"

/* What is the same for all frames of a transaction. */
struct vm_block_context {
	uint64_t height;
	uint64_t timestamp; /* seconds */
	uint64_t gas_limit;
	uint64_t chain_id;
	struct addr coinbase;
	struct hash prev_randao; /* the header's mixHash */
	struct wei base_fee;
	enum revision revision;
};

enum vm_call_kind {
	VM_CALL,
	VM_STATICCALL,
	VM_DELEGATECALL,
	VM_CALLCODE,
	VM_CREATE,
	VM_CREATE2,
};

struct vm_message {
	enum vm_call_kind kind;
	bool is_static;
	uint32_t depth;
	uint64_t gas;
	struct addr recipient;    /* whose storage and balance; 0 for a creation */
	struct addr sender;
	struct addr code_address; /* whose code */
	struct wei value;
	struct bytes input;       /* call data, or init code */
	struct hash salt;         /* CREATE2 */
};

enum vm_status {
	VM_SUCCESS,
	VM_REVERT,     /* state is taken back, the gas that is left is kept */
	VM_FAILURE,    /* state is taken back, all gas is gone */
};

struct vm_result {
	enum vm_status status;
	uint64_t gas_left;
	int64_t gas_refund;
	struct buf output;        /* owned by whoever takes the result */
	struct addr created;      /* of a creation that succeeded */
};

/* How a slot's value moved (EIP-2200, EIP-3529), for SSTORE's price. */
struct vm_storage_values {
	struct u256 original; /* at the start of the transaction */
	struct u256 current;
};

struct vm_host {
	void *ctx;
	const struct vm_block_context *block;
	struct addr origin;
	struct wei gas_price;

	bool (*account)(void *ctx, const struct addr *address, struct wei *balance,
			struct hash *code_hash, bool *exists);
	bool (*code)(void *ctx, const struct addr *address, struct buf *out);
	bool (*storage)(void *ctx, const struct addr *address, const struct hash *slot,
			struct vm_storage_values *out);
	bool (*set_storage)(void *ctx, const struct addr *address, const struct hash *slot,
			    const struct u256 *value);
	bool (*transient)(void *ctx, const struct addr *address, const struct hash *slot, struct u256 *out);
	bool (*set_transient)(void *ctx, const struct addr *address, const struct hash *slot,
			      const struct u256 *value);
	/* EIP-2929: true in *was_warm if it had been touched; it is warm afterwards. */
	bool (*touch_account)(void *ctx, const struct addr *address, bool *was_warm);
	bool (*touch_slot)(void *ctx, const struct addr *address, const struct hash *slot, bool *was_warm);
	bool (*log)(void *ctx, const struct addr *address, const struct hash topics[], size_t topic_count,
		    struct bytes data);
	/* A call or creation from inside a frame: the host makes the snapshot, moves
	 * the value, finds native contracts and precompiles, and runs the code. */
	bool (*call)(void *ctx, const struct vm_message *message, struct vm_result *out);
	bool (*self_destruct)(void *ctx, const struct addr *address, const struct addr *heir);
	/* Of the last 256 blocks; zero if unknown. */
	bool (*block_hash)(void *ctx, uint64_t height, struct hash *out);
};

#endif
