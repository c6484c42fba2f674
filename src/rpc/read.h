/*
 * read - values out of JSON, for all that reads parameters. Each names what was wrong
 * (RPC_E_PARAMS), in geth's words where clients know them; `what` is the value's name
 * in that message.
 */
#ifndef WEFT_RPC_READ_H
#define WEFT_RPC_READ_H

#include "rpc/params.h"

/* RPC_E_PARAMS with this text; that `v` is not of the kind `want`. */
int rpc_bad(struct err *err, const char *what);
int rpc_want_kind(struct err *err, const char *want, const char *what, const struct jval *v);
const char *rpc_kind_text(const struct jval *v);

/* A member that is there and not null, or NULL. */
const struct jval *rpc_member(const struct jval *v, const char *key);

/* DATA of exactly `size` bytes; of any size, appended. */
int rpc_read_fixed(uint8_t *out, size_t size, const struct jval *v, const char *what,
		   struct err *err);
int rpc_read_data(struct buf *out, const struct jval *v, const char *what, struct err *err);

/* A QUANTITY or a JSON integer, of 64 or 256 bits. */
int rpc_read_quantity(uint64_t *out, const struct jval *v, const char *what, struct err *err);
int rpc_read_wei(struct wei *out, const struct jval *v, const char *what, struct err *err);

/* Up to 32 bytes, as digits behind 0x; what is missing in front is zero. */
int rpc_read_word(struct hash *out, bool *is_short, const struct jval *v, const char *what,
		  struct err *err);

/* A block's number or tag. */
int rpc_read_number(struct rpc_block_ref *out, const struct jval *v, struct err *err);

/* A filter for logs (params_filter.c), sorted, in args->filter: one a set of parameters. */
int rpc_read_filter(struct rpc_args *args, struct rpc_filter *out, const struct jval *v,
		    struct err *err);

/* A call object (params_call.c). Points into args->bytes. */
int rpc_read_call(struct rpc_args *args, struct rpc_call *out, const struct jval *v,
		  uint64_t chain_id, struct err *err);

/* Overrides of accounts and of the block (params_override.c). The first belong to
 * `args`: one object of them a set of parameters. */
int rpc_read_state_override(struct rpc_args *args, struct state_override *out,
			    const struct jval *v, struct err *err);
int rpc_read_block_override(struct block_override *out, const struct jval *v, struct err *err);

#endif
