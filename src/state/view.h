/*
 * view - reading state at one point: accounts, code, storage.
 *
 * Who has state (store, a test, a block under execution) offers a view; who
 * reads it (overlay, exec, queries) takes one. A view does not change while it
 * is used. A read fails only when the medium does (STATE_E_READ).
 */
#ifndef WEFT_STATE_VIEW_H
#define WEFT_STATE_VIEW_H

#include "base/amount.h"
#include "base/buf.h"
#include "base/err.h"

enum state_error {
	STATE_E_READ = ERR_BASE_STATE, /* the medium could not give a record, or gave a broken one */
	STATE_E_FORMAT,                /* bytes that are not an account, a difference, a node or a proof */
	STATE_E_ROOT,                  /* a node that does not hash to what its parent says */
	STATE_E_PROOF,                 /* a proof that does not lead to the root */
	STATE_E_LIMIT,                 /* more changes than the overlay was made for */
};

/* An account as the state trie holds it. An account that does not exist reads as
 * account_empty: nonce 0, balance 0, no code, no storage. */
struct account {
	uint64_t nonce;
	struct wei balance;
	struct hash storage_root;
	struct hash code_hash;
};

extern const struct account account_empty;

/* EIP-161: nonce 0, balance 0, no code. Such an account is not kept in the trie. */
bool account_is_empty(const struct account *a);
bool account_equal(const struct account *a, const struct account *b);

/* rlp([nonce, balance, storage root, code hash]): the trie's value. */
#define ACCOUNT_RLP_MAX 112
size_t account_encode(uint8_t out[ACCOUNT_RLP_MAX], const struct account *a);
int account_decode(struct account *out, struct bytes rlp, struct err *err);

/* The flat record of the store: as above, with the two hashes left out where
 * they are the empty ones; most accounts take about 20 bytes. */
size_t account_encode_flat(uint8_t out[ACCOUNT_RLP_MAX], const struct account *a);
int account_decode_flat(struct account *out, struct bytes record, struct err *err);

struct state_view_ops {
	/* *out = the account, account_empty if there is none. */
	int (*account)(void *ctx, struct account *out, const struct addr *address, struct err *err);
	/* *out = the slot's value, 0 if unset. `slot` is the plain 32-byte key. */
	int (*storage)(void *ctx, struct u256 *out, const struct addr *address,
		       const struct hash *slot, struct err *err);
	/* Appends the code with this hash; nothing for the empty code's hash. */
	int (*code)(void *ctx, struct buf *out, const struct hash *code_hash, struct err *err);
};

struct state_view {
	const struct state_view_ops *ops;
	void *ctx;
};

static inline int state_account(const struct state_view *v, struct account *out,
				const struct addr *address, struct err *err)
{
	return v->ops->account(v->ctx, out, address, err);
}

static inline int state_storage(const struct state_view *v, struct u256 *out,
				const struct addr *address, const struct hash *slot, struct err *err)
{
	return v->ops->storage(v->ctx, out, address, slot, err);
}

static inline int state_code(const struct state_view *v, struct buf *out,
			     const struct hash *code_hash, struct err *err)
{
	return v->ops->code(v->ctx, out, code_hash, err);
}

/* The view of a state in which nothing exists. */
struct state_view state_view_empty(void);

#endif
