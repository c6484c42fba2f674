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

struct vm_code; /* vm.h */

/* What is the same for all frames of a block. */
struct vm_block_context {
	uint64_t height;
	uint64_t timestamp; /* seconds */
	uint64_t gas_limit;
	uint64_t chain_id;
	struct addr coinbase;
	struct hash prev_randao; /* the header's mixHash */
	struct wei base_fee;
	struct wei blob_base_fee; /* EIP-7516; 1 for a block without blobs */
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

static inline bool vm_is_creation(enum vm_call_kind kind)
{
	return kind == VM_CREATE || kind == VM_CREATE2;
}

struct vm_message {
	enum vm_call_kind kind;
	bool is_static;
	bool is_delegated;        /* EIP-7702: code_address comes from the callee's code */
	uint32_t depth;           /* 0: the transaction's own */
	uint64_t gas;             /* ≤ INT64_MAX */
	struct addr recipient;    /* whose storage and balance; of a creation: filled by enter() */
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

/* Why a call failed. Without a tracer, an instruction that is missing, jumps to nowhere
 * or lacks words can be told only by running again with one: VM_FAILED_UNCLEAR. */
enum vm_failure {
	VM_NOT_FAILED,
	VM_FAILED_UNCLEAR,
	VM_FAILED_GAS,           /* with `limit`: SSTORE wants more than that to be left (EIP-2200) */
	VM_FAILED_OPCODE,        /* `opcode` does not exist */
	VM_FAILED_UNDERFLOW,     /* `have` words, `limit` are wanted */
	VM_FAILED_OVERFLOW,      /* `have` words, `limit` may be there */
	VM_FAILED_JUMP,
	VM_FAILED_STATIC,        /* writes in a static call */
	VM_FAILED_RETURN_DATA,   /* reads beyond it (EIP-211) */
	VM_FAILED_INITCODE_SIZE, /* EIP-3860 */
	VM_FAILED_CODE_SIZE,     /* EIP-170 */
	VM_FAILED_CODE_BYTE,     /* EIP-3541 */
	VM_FAILED_CODE_GAS,      /* too little gas to deposit code */
	VM_FAILED_COLLISION,     /* EIP-684 */
	VM_FAILED_PRECOMPILE,    /* its input is wrong, or it does not exist here */
	VM_FAILED_FUNDS,         /* with VM_REVERT: the call did not begin */
	VM_FAILED_DEPTH,         /* likewise */
	VM_FAILED_NONCE,         /* likewise */
};

struct vm_reason {
	enum vm_failure kind;
	uint8_t opcode;
	uint32_t have, limit;
};

struct vm_result {
	enum vm_status status;
	struct vm_reason reason;  /* of a failure */
	uint64_t gas_left;
	int64_t gas_refund;
	struct buf output;        /* owned by whoever takes the result; of a creation the code */
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
	const struct hash *blob_hashes; /* EIP-4844; none on this chain */
	size_t blob_count;

	/* An account that is empty (EIP-161) does not exist; its code hash is zero. */
	bool (*account)(void *ctx, const struct addr *address, struct wei *balance,
			struct hash *code_hash, bool *exists);
	/* The account's code as it stands (a delegation is not followed), borrowed until
	 * the next call of this table; never NULL. */
	bool (*code)(void *ctx, const struct addr *address, struct vm_code **out);
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

	/* A call or creation begins. The host makes a snapshot, finds a creation's
	 * address, moves the value. Then either there is code to run: *code is it, with
	 * a reference that the interpreter drops, and leave() follows; or the call is
	 * over (no code, a native contract, a precompile, too little balance): *code is
	 * NULL, *done has the result, its output appended to done->output, which is the
	 * interpreter's and empty. For a creation that goes on *code is left to the
	 * interpreter, and *creates is true. */
	bool (*enter)(void *ctx, struct vm_message *m, struct vm_code **code, bool *creates,
		      struct vm_result *done);
	/* The frame that was entered last is over; without success its snapshot is
	 * gone back to. */
	bool (*leave)(void *ctx, bool success);
	/* The code of an account whose creation succeeds: before leave(). */
	bool (*set_code)(void *ctx, const struct addr *address, struct bytes code);
	bool (*self_destruct)(void *ctx, const struct addr *address, const struct addr *heir);
	/* Of the last 256 blocks; zero if unknown. */
	bool (*block_hash)(void *ctx, uint64_t height, struct hash *out);
};

#endif
