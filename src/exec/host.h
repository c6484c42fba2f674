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
 * Until the EVM lands, a call to an account with code, a call to a precompile and
 * a creation can't be executed: the frame fails, and `failure` says EXEC_E_NO_VM,
 * which ends the whole transaction as one that this version does not execute.
 */
#ifndef WEFT_EXEC_HOST_H
#define WEFT_EXEC_HOST_H

#include "base/map.h"
#include "chain/receipt.h"
#include "exec/exec.h"
#include "vm/host.h"

struct host_undo;

struct host {
	struct vm_host table;          /* what code gets; its ctx is this host */
	const struct chain_params *params;
	struct overlay *overlay;
	struct map warm_accounts;      /* struct addr -> nothing */
	struct map warm_slots;         /* address and slot -> nothing */
	struct map transients;         /* address and slot -> struct u256 */
	struct host_undo *journal;
	size_t journal_count, journal_capacity;
	struct log_entry *logs;        /* their data: offsets into log_data until host_logs() */
	size_t log_count, log_capacity;
	struct buf log_data;
	int failure;                   /* OK, EXEC_E_MEDIUM or EXEC_E_NO_VM: the first one */
	struct err failure_err;
};

/* `params` and `overlay` are borrowed. */
void host_init(struct host *h, const struct chain_params *params, struct overlay *overlay,
	       uint64_t seed);
void host_clear(struct host *h);

/* Starts a transaction of `origin` in `block` (borrowed while it runs). What
 * EIP-2929 and EIP-3651 begin with is warm: sender, recipient (NULL for a
 * creation), coinbase, precompiles; and the access list. */
void host_begin(struct host *h, const struct vm_block_context *block, const struct addr *origin,
		const struct addr *to, struct wei gas_price, struct bytes access_list);

struct host_snapshot {
	size_t overlay, journal, logs, log_size;
};

struct host_snapshot host_snapshot(struct host *h);
void host_revert(struct host *h, struct host_snapshot s);

/* A call: moves the value, and runs the native contract if the code address is
 * one's. False if the medium failed or no VM is there to run it (h->failure). */
bool host_call(struct host *h, const struct vm_message *m, struct vm_result *out);

/* The transaction's logs into a receipt. */
void host_logs(struct host *h, struct receipt *r);

/* The precompiles of a revision: 0x01-0x0a, from Prague 0x11, from Osaka 0x0100. */
bool host_is_precompile(const struct addr *address, enum revision revision);

/* OK if a call to `to` can be executed, whose account is given; else EXEC_E_NO_VM. */
int host_check_callable(const struct addr *to, const struct account *account,
			enum revision revision, struct err *err);

/* Turns a failed read or write of the overlay into EXEC_E_MEDIUM. */
int exec_medium(struct err *err);

/* EIP-2935 and EIP-4788: the contracts that keep history, and their ring's length. */
extern const struct addr exec_history_address;
extern const struct addr exec_beacon_roots_address;
#define EXEC_RING_LENGTH 8191

/* A slot key from a number. */
struct hash exec_slot(uint64_t index);

#endif
