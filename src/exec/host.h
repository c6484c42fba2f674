/*
 * host - the world that contract code sees: the VM's table filled over an overlay.
 *
 *   vm, native contracts --> struct vm_host --> host: overlay        accounts, storage
 *                                                     access sets    EIP-2929, EIP-3651
 *                                                     transients     EIP-1153
 *                                                     logs
 *
 * One host serves an executor for all its transactions; host_begin() forgets the
 * one before. A snapshot covers all four, so that a frame that fails leaves
 * nothing behind.
 *
 * A frame that runs code is between enter() and leave(); the snapshots of those
 * that do lie on a stack of the host's.
 */
#ifndef WEFT_EXEC_HOST_H
#define WEFT_EXEC_HOST_H

#include "base/map.h"
#include "chain/receipt.h"
#include "exec/exec.h"
#include "vm/precompiles.h"
#include "vm/vm.h"

struct host_undo;
struct pretence; /* pretend.h */

struct host_snapshot {
	size_t overlay, journal, logs, log_size;
};

struct host_slot_key {
	struct addr address;
	struct hash slot;
};

struct host {
	struct vm_host table;          /* what code gets; its ctx is this host */
	const struct chain_params *params;
	struct overlay *overlay;
	struct map warm_accounts;      /* struct addr -> nothing; the precompiles beside them */
	struct map warm_slots;         /* address and slot -> nothing */
	struct host_slot_key touched;  /* which of these was touched last, */
	bool has_touched;              /* if one was since the last revert */
	struct map transients;         /* address and slot -> struct u256 */
	struct map created;            /* struct addr -> nothing: contracts of this transaction */
	struct addr *destroyed;        /* of these, those that are gone at its end (EIP-6780) */
	size_t destroyed_count, destroyed_capacity;
	struct vm *vm;
	struct ecc *ecc;
	struct precompiles precompiles;
	struct vm_code *no_code;       /* empty, for accounts that have none */
	struct buf scratch;            /* code on its way into the VM's cache */
	struct host_snapshot *frames;  /* of the frames that run, VM_DEPTH_MAX + 1 at most */
	size_t frame_count;
	const struct vm_tracer *tracer; /* NULL, or who is told of logs and self-destructions */
	bool met_missing;              /* a precompile that does not exist here was called */
	const struct pretence *pretence; /* what a call pretends of addresses; NULL: nothing */
	uint64_t history_height;       /* the state's: hashes of blocks below it are in its ring */
	bool (*should_stop)(void *ctx); /* NULL: never */
	void *stop_ctx;
	uint32_t asked_count;          /* questions since it was asked, about */
	struct host_undo *journal;
	size_t journal_count, journal_capacity;
	struct log_entry *logs;        /* their data: offsets into log_data until host_logs() */
	size_t log_count, log_capacity;
	struct buf log_data;
	int failure;                   /* OK or why it ended, the first one; see host_failure() */
	struct err failure_err;
};

/* `params` and `overlay` are borrowed; up to `code_size` bytes of decoded code are kept. */
void host_init(struct host *h, const struct chain_params *params, struct overlay *overlay,
	       size_t code_size, uint64_t seed);
void host_clear(struct host *h);

/* Tells a tracer that a transaction or call in `block` is about to begin. */
static inline void host_tell_begin(const struct host *h, const struct vm_block_context *block)
{
	if (h->tracer && h->tracer->begin)
		h->tracer->begin(h->tracer->ctx, block);
}

/* Starts a transaction of `origin` in `block` (borrowed while it runs), in the world as it
 * is: `pretence` and `history_height` may be set after it. What
 * EIP-2929 and EIP-3651 begin with is warm: sender, recipient (NULL for a
 * creation), coinbase, precompiles; and the access list. */
void host_begin(struct host *h, const struct vm_block_context *block, const struct addr *origin,
		const struct addr *to, struct wei gas_price, struct bytes access_list);

struct host_snapshot host_snapshot(struct host *h);
void host_revert(struct host *h, struct host_snapshot s);

/* Runs a transaction's message: vm_run() in this world. False if the medium failed, or
 * it was stopped (h->failure). */
bool host_call(struct host *h, const struct vm_message *m, struct vm_result *out);

/* Why host_call() or host_end() was false: EXEC_E_MEDIUM, or EXEC_E_STOPPED. */
int host_failure(const struct host *h, struct err *err);

/* The account's code, borrowed until the host is asked again; false: the medium. */
bool host_code(struct host *h, const struct addr *address, struct vm_code **out);

/* Asks whether to stop; if so, the second ends the execution with EXEC_E_STOPPED. */
bool host_is_stopped(struct host *h);
int host_stopped(struct host *h, struct err *err);

/* Makes an address warm for this transaction. */
void host_warm(struct host *h, const struct addr *address);

/* The transaction is over: takes away what destroyed itself. */
bool host_end(struct host *h);

/* The transaction's logs into a receipt. */
void host_logs(struct host *h, struct receipt *r);

/* Turns a failed read or write of the overlay into EXEC_E_MEDIUM. */
int exec_medium(struct err *err);

/* EIP-2935 and EIP-4788: the contracts that keep history, and their ring's length. */
extern const struct addr exec_history_address;
extern const struct addr exec_beacon_roots_address;
#define EXEC_RING_LENGTH 8191

/* A slot key from a number. */
struct hash exec_slot(uint64_t index);

#endif
