/*
 * methods - what lies between a request and its methods: the table's rows, an
 * item (one call of a body), and the way of an item through the threads.
 *
 *   row.run(item, out)                       worker; one snapshot a body
 *     writes the result: done
 *     or sets item->waits and item->state    only for a row with an errand
 *   errand.ask(item, node)                   node's thread; short
 *   errand.tell(item, out)                   worker again; writes the result
 *   errand.release(state)                    always, once, for a state that was set
 *
 * A handler returns OK having written exactly one JSON value, or a code of enum
 * rpc_error with a message; what it wrote is then dropped. Handlers are grouped
 * in call_<namespace>.c; a method is added by one handler and one row.
 */
#ifndef WEFT_RPC_METHODS_H
#define WEFT_RPC_METHODS_H

#include "rpc/params.h"
#include "rpc/rpc.h"

/* Costs are in units of about 10 µs of a worker's time; a row's is what every
 * call pays, rpc_item_charge() adds what the parameters cause. */

struct rpc_item;

typedef int (*rpc_run_fn)(struct rpc_item *i, struct jout *out, struct err *err);

/* What a method wants of the node's thread. */
struct rpc_errand {
	int (*ask)(struct rpc_item *i, const struct rpc_node_backend *node, struct err *err);
	rpc_run_fn tell;
	void (*release)(void *state);
};

struct rpc_method {
	const char *name;
	const char *params;              /* shape: params.h */
	rpc_run_fn run;
	const struct rpc_errand *errand; /* NULL: never waits for the node's thread */
	uint32_t cost;
	const char *doc;                 /* one line */
	const char *returns;
};

/* The table, in the order of the documentation. */
const struct rpc_method *rpc_methods(size_t *count);

struct rpc {
	const struct rpc_info *info;
	const struct ecc *ecc;
	struct rpc_reader_backend reader;
	struct rpc_limits limits;
	const struct rpc_method **by_name; /* sorted */
	size_t method_count;
};

/* One call of a body. */
struct rpc_item {
	struct rpc_request *request;
	const struct rpc_method *method; /* NULL: it could not be understood */
	const struct jval *id;           /* NULL is written as null */
	bool is_notification;
	bool waits;
	bool was_asked;                  /* the node's thread has had it */
	const struct rpc_args *args;     /* only while run() runs */
	void *state;                     /* between the stages of an errand */
	struct err *failure;             /* of errand.ask; owned */
	size_t reply_at, reply_size;     /* in request->replies */
};

struct rpc_request {
	const struct rpc *rpc;
	struct jval *body;
	bool is_batch;
	bool is_full;              /* the reply has reached its limit */
	size_t count;
	struct rpc_item *items;
	struct buf replies;        /* one after another, in the order of their making */
	struct buf scratch;        /* for a handler; emptied before each */
	struct buf error_data;     /* what error.data says, in hex; emptied before each */
	void *snapshot; /* opened by the first who asks, closed after each worker's part */
	uint64_t cost;
};

/* --- for handlers --- */

static inline const struct rpc_info *rpc_item_info(const struct rpc_item *i)
{
	return i->request->rpc->info;
}

/* The newest committed block, the same for all items of a body; an errand's tell()
 * has one of its own, not older. Workers only. */
void *rpc_item_snapshot(struct rpc_item *i);

static inline const struct rpc_reader_ops *rpc_item_reader(const struct rpc_item *i)
{
	return i->request->rpc->reader.ops;
}

/* Adds to the body's cost; RPC_E_LIMIT once that is above the limit. */
int rpc_item_charge(struct rpc_item *i, uint64_t cost, struct err *err);

/* Adds what is known only afterwards, and fails nothing: those behind find it spent. */
void rpc_item_spend(struct rpc_item *i, uint64_t cost);

/* RPC_E_TOO_LARGE if what is written so far is more than a reply may be: for
 * loops that write much. */
int rpc_item_room(const struct rpc_item *i, struct err *err);
/* The same with `size` bytes more, before they are written. */
int rpc_item_room_for(const struct rpc_item *i, size_t size, struct err *err);

/* The height that a block parameter names. For state: what is not there is
 * RPC_E_NOT_FOUND. */
int rpc_item_height(struct rpc_item *i, const struct rpc_block_ref *ref, uint64_t *out,
		    struct err *err);

/* The same for what may be null: *found says whether it is there. */
int rpc_item_find(struct rpc_item *i, const struct rpc_block_ref *ref, uint64_t *out, bool *found,
		  struct err *err);

/* The block that is named, to be ended with rpc_block_clear(); null as above. */
int rpc_item_block(struct rpc_item *i, const struct rpc_block_ref *ref, struct rpc_block *out,
		   bool *found, struct err *err);

#endif
