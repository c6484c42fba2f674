/*
 * The way of a body: rpc_begin() understands it and runs the items, in order;
 * rpc_continue() lets those that wait ask the node; rpc_finish() has them tell
 * what they heard, and joins the replies in the order of the requests.
 */
#include "rpc/rpc.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "codec/hex.h"
#include "rpc/methods.h"

/* A reply of at most this many bytes is given even when the limit is reached:
 * what was done (a transaction sent) is told. Batches are bounded, so this is. */
#define SMALL_REPLY_SIZE 512

/* --- a server --- */

static int compare_names(const void *a, const void *b)
{
	const struct rpc_method *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

struct rpc *rpc_new(const struct rpc_info *info, const struct ecc *ecc,
		    struct rpc_reader_backend reader, struct rpc_limits limits)
{
	struct rpc *r = xcalloc(1, sizeof(*r));
	const struct rpc_method *methods = rpc_methods(&r->method_count);

	r->info = info;
	r->ecc = ecc;
	r->reader = reader;
	r->limits = limits;
	if (!limits.log_count)
		r->limits.log_count = LIMIT_RPC_LOG_COUNT;
	if (!limits.log_block_count)
		r->limits.log_block_count = LIMIT_RPC_LOG_BLOCK_COUNT;
	r->by_name = xcalloc(r->method_count, sizeof(struct rpc_method *));
	for (size_t i = 0; i < r->method_count; i++)
		r->by_name[i] = &methods[i];
	qsort(r->by_name, r->method_count, sizeof(struct rpc_method *), compare_names);
	return r;
}

void rpc_free(struct rpc *r)
{
	if (!r)
		return;
	free(r->by_name);
	free(r);
}

static const struct rpc_method *find_method(const struct rpc *r, const char *name)
{
	size_t low = 0, high = r->method_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, r->by_name[middle]->name);

		if (order == 0)
			return r->by_name[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* --- replies --- */

static int code_of(enum rpc_error code)
{
	switch (code) {
	case RPC_E_PARSE:
		return -32700;
	case RPC_E_REQUEST:
		return -32600;
	case RPC_E_METHOD:
		return -32601;
	case RPC_E_PARAMS:
		return -32602;
	case RPC_E_NOT_FOUND:
	case RPC_E_PRUNED:
	case RPC_E_REJECTED:
		return -32000;
	case RPC_E_REVERTED:
		return 3;
	case RPC_E_LIMIT:
	case RPC_E_NOT_YET:
		return -32005;
	case RPC_E_TOO_LARGE:
		return -32003;
	case RPC_E_INTERNAL:
		return -32603;
	}
	return -32603; /* a code that is not ours came through the backend */
}

static void put_str(struct buf *out, const char *text)
{
	buf_append_bytes(out, bytes_of_str(text));
}

/* `{"jsonrpc":"2.0","id":…,` and then the member `key`. */
static void open_reply(struct buf *out, const struct jval *id, const char *key)
{
	struct jout j;

	put_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	jout_init(&j, out);
	jout_jval(&j, id);
	put_str(out, key);
}

static void put_error(struct buf *out, const struct jval *id, int code, const struct err *err,
		      const struct buf *data)
{
	struct jout j;

	open_reply(out, id, ",\"error\":");
	jout_init(&j, out);
	jout_object(&j);
	jout_key(&j, "code");
	jout_integer(&j, code_of((enum rpc_error)code));
	jout_key(&j, "message");
	jout_str(&j, err->message);
	if (code == RPC_E_REVERTED) {
		jout_key(&j, "data");
		jout_data(&j, buf_bytes(data));
	}
	jout_object_end(&j);
	buf_append_byte(out, '}');
}

/* Ends an item whose reply begins at i->reply_at: as it stands, or as an error. */
static void settle(struct rpc_item *i, int code, struct err *err)
{
	struct rpc_request *q = i->request;
	size_t limit = q->rpc->limits.reply_size;

	if (code == OK)
		buf_append_byte(&q->replies, '}');
	if (code == OK && q->replies.size > limit &&
	    q->replies.size - i->reply_at > SMALL_REPLY_SIZE) {
		q->is_full = true;
		code = ERR_SET(err, RPC_E_TOO_LARGE,
			       "the reply is larger than %zu bytes: ask for less at a time", limit);
	}
	if (code != OK) {
		q->replies.size = i->reply_at;
		if (!i->is_notification)
			put_error(&q->replies, i->id, code, err, &q->error_data);
	}
	if (i->is_notification)
		q->replies.size = i->reply_at;
	i->reply_size = q->replies.size - i->reply_at;
}

/* Runs one stage that writes, unless it makes the item wait. */
static void run_stage(struct rpc_item *i, rpc_run_fn run)
{
	struct rpc_request *q = i->request;
	struct err err = { 0 };
	struct jout out;
	int code;

	buf_reset(&q->scratch);
	buf_reset(&q->error_data);
	i->reply_at = q->replies.size;
	open_reply(&q->replies, i->id, ",\"result\":");
	jout_init(&out, &q->replies);
	code = run(i, &out, &err);
	if (code == OK && i->waits) {
		q->replies.size = i->reply_at;
		return;
	}
	i->waits = false;
	CHECK(code != OK || (out.has_root && out.depth == 0));
	settle(i, code, &err);
}

static void fail(struct rpc_item *i, int code, struct err *err)
{
	i->reply_at = i->request->replies.size;
	settle(i, code, err);
}

/* --- what handlers may ask of their item --- */

void *rpc_item_snapshot(struct rpc_item *i)
{
	struct rpc_request *q = i->request;

	if (!q->snapshot)
		q->snapshot = q->rpc->reader.ops->open(q->rpc->reader.ctx);
	return q->snapshot;
}

int rpc_item_charge(struct rpc_item *i, uint64_t cost, struct err *err)
{
	struct rpc_request *q = i->request;
	uint64_t limit = q->rpc->limits.cost;

	if (cost > limit - MIN(q->cost, limit))
		return ERR_SET(err, RPC_E_LIMIT,
			       "this request costs more than the %llu units that one may: ask for "
			       "less, or in smaller batches", (unsigned long long)limit);
	q->cost += cost;
	return OK;
}

void rpc_item_spend(struct rpc_item *i, uint64_t cost)
{
	struct rpc_request *q = i->request;

	q->cost += MIN(cost, UINT64_MAX - q->cost);
}

int rpc_item_room(const struct rpc_item *i, struct err *err)
{
	return rpc_item_room_for(i, 0, err);
}

int rpc_item_room_for(const struct rpc_item *i, size_t size, struct err *err)
{
	size_t limit = i->request->rpc->limits.reply_size;

	if (i->request->replies.size <= limit && size <= limit - i->request->replies.size)
		return OK;
	i->request->is_full = true;
	return ERR_SET(err, RPC_E_TOO_LARGE,
		       "the reply is larger than %zu bytes: ask for less at a time", limit);
}

int rpc_item_find(struct rpc_item *i, const struct rpc_block_ref *ref, uint64_t *out, bool *found,
		  struct err *err)
{
	void *snapshot = rpc_item_snapshot(i);
	const struct rpc_reader_ops *reader = rpc_item_reader(i);
	int code = OK;

	*found = true;
	switch (ref->kind) {
	case RPC_BLOCK_NEWEST:
	case RPC_BLOCK_PENDING:
		*out = reader->height(snapshot);
		return OK;
	case RPC_BLOCK_HEIGHT:
		*out = ref->height;
		*found = ref->height <= reader->height(snapshot);
		return OK;
	case RPC_BLOCK_HASH:
		code = reader->find_block(snapshot, &ref->hash, out, err);
		*found = code == OK;
		return code == RPC_E_NOT_FOUND ? OK : code;
	}
	UNREACHABLE();
}

int rpc_item_height(struct rpc_item *i, const struct rpc_block_ref *ref, uint64_t *out,
		    struct err *err)
{
	bool found;
	int code = rpc_item_find(i, ref, out, &found, err);
	char hash[HEX_HASH_SIZE];

	if (code != OK || found)
		return code;
	if (ref->kind == RPC_BLOCK_HASH)
		return ERR_SET(err, RPC_E_NOT_FOUND, "header not found: no block has the hash %s",
			       hex_data(hash, hash_bytes(&ref->hash)));
	return ERR_SET(err, RPC_E_NOT_FOUND, "header not found: block %llu, the newest is %llu",
		       (unsigned long long)ref->height,
		       (unsigned long long)rpc_item_reader(i)->height(rpc_item_snapshot(i)));
}

int rpc_item_block(struct rpc_item *i, const struct rpc_block_ref *ref, struct rpc_block *out,
		   bool *found, struct err *err)
{
	uint64_t height;
	int code = rpc_item_find(i, ref, &height, found, err);

	if (code != OK || !*found)
		return code;
	code = rpc_item_reader(i)->block(rpc_item_snapshot(i), height, out, err);
	*found = code == OK;
	return code == RPC_E_NOT_FOUND ? OK : code;
}

/* --- the worker's part --- */

static int understand(struct rpc_item *i, const struct jval *v, struct err *err)
{
	const struct jval *version = jval_get(v, "jsonrpc"), *method = jval_get(v, "method");
	const struct jval *id = jval_get(v, "id");
	enum jval_kind id_kind = jval_kind(id);

	if (jval_kind(v) != JVAL_OBJECT)
		return ERR_SET(err, RPC_E_REQUEST, "invalid request: not an object");
	if (id_kind == JVAL_BOOL || id_kind == JVAL_ARRAY || id_kind == JVAL_OBJECT)
		return ERR_SET(err, RPC_E_REQUEST,
			       "invalid request: id must be a string, a number or null");
	i->id = id;
	if (!bytes_equal(jval_string(version), bytes_of_str("2.0")))
		return ERR_SET(err, RPC_E_REQUEST, "invalid request: jsonrpc must be \"2.0\"");
	if (jval_kind(method) != JVAL_STRING)
		return ERR_SET(err, RPC_E_REQUEST, "invalid request: method must be a string");
	i->is_notification = !id;
	i->method = find_method(i->request->rpc, (const char *)jval_string(method).data);
	if (!i->method)
		return ERR_SET(err, RPC_E_METHOD, "the method %.*s does not exist/is not available",
			       (int)MIN(jval_string(method).size, 64),
			       (const char *)jval_string(method).data);
	return OK;
}

static void close_snapshot(struct rpc_request *q)
{
	if (q->snapshot)
		q->rpc->reader.ops->close(q->snapshot);
	q->snapshot = NULL;
}

static void run_item(struct rpc_item *i, struct rpc_args *args, const struct jval *v)
{
	struct rpc_request *q = i->request;
	struct err err = { 0 };
	int code = understand(i, v, &err);

	if (code == OK && q->is_full)
		code = ERR_SET(&err, RPC_E_TOO_LARGE,
			       "the batch's reply has reached its %zu bytes: send the rest again",
			       q->rpc->limits.reply_size);
	if (code == OK)
		code = rpc_item_charge(i, i->method->cost, &err);
	if (code == OK)
		code = rpc_args_read(args, i->method->params, jval_get(v, "params"),
				     q->rpc->info->params->chain_id, &err);
	i->args = args;
	if (code == OK)
		run_stage(i, i->method->run);
	else
		fail(i, code, &err);
	i->args = NULL;
	rpc_args_clear(args);
}

static void run_items(struct rpc_request *q)
{
	struct rpc_args args = { 0 };

	q->items = xcalloc(q->count, sizeof(*q->items));
	for (size_t k = 0; k < q->count; k++) {
		q->items[k].request = q;
		run_item(&q->items[k], &args, q->is_batch ? jval_at(q->body, k) : q->body);
	}
	rpc_args_free(&args);
}

/* The one error that answers a body as a whole. */
static void refuse(struct rpc_request *q, int code, const struct err *err)
{
	q->count = 0;
	q->is_batch = false;
	put_error(&q->replies, NULL, code, err, NULL);
}

static int check_batch(struct rpc_request *q, struct err *err)
{
	size_t max = q->rpc->limits.batch_count;

	if (q->count == 0)
		return ERR_SET(err, RPC_E_REQUEST, "invalid request: an empty batch");
	if (q->count > max)
		return ERR_SET(err, RPC_E_REQUEST,
			       "batch too large: %zu requests, at most %zu are allowed", q->count,
			       max);
	return OK;
}

struct rpc_request *rpc_begin(struct rpc *r, struct bytes body, bool *needs_node)
{
	struct rpc_request *q = xcalloc(1, sizeof(*q));
	struct err err = { 0 };
	int code;

	*needs_node = false;
	q->rpc = r;
	if (jval_parse(&q->body, body, &err) != OK) {
		err_prefix(&err, err.code, "parse error");
		refuse(q, RPC_E_PARSE, &err);
		return q;
	}
	q->is_batch = jval_kind(q->body) == JVAL_ARRAY;
	q->count = q->is_batch ? jval_count(q->body) : 1;
	code = check_batch(q, &err);
	if (code != OK) {
		refuse(q, code, &err);
		return q;
	}
	run_items(q);
	close_snapshot(q);
	for (size_t k = 0; k < q->count; k++)
		*needs_node |= q->items[k].waits;
	return q;
}

/* --- the node's part --- */

bool rpc_continue(struct rpc_request *q, struct rpc_node_backend node, bool is_last)
{
	bool is_done = true;

	for (size_t k = 0; k < q->count; k++) {
		struct rpc_item *i = &q->items[k];
		struct err err = { 0 };
		int code;

		if (!i->waits || i->was_asked)
			continue;
		code = i->method->errand->ask(i, &node, &err);
		if (code == RPC_E_NOT_YET && !is_last) {
			is_done = false;
			continue;
		}
		i->was_asked = true;
		if (code == OK)
			continue;
		if (code == RPC_E_NOT_YET)
			code = RPC_E_LIMIT;
		/* `err` may still name the module that found it; the code is ours. */
		i->failure = xmalloc(sizeof(err));
		*i->failure = err;
		i->failure->code = code;
	}
	return is_done;
}

/* --- the end --- */

static void tell(struct rpc_item *i)
{
	struct err not_asked = { .message = "the node did not get to this: try again later" };

	if (!i->waits)
		return;
	i->waits = false;
	if (i->failure)
		fail(i, i->failure->code, i->failure);
	else if (!i->was_asked)
		fail(i, RPC_E_LIMIT, &not_asked);
	else
		run_stage(i, i->method->errand->tell);
}

static void join(struct rpc_request *q, struct buf *reply)
{
	bool is_first = true;

	buf_reserve(reply, q->replies.size + q->count + 2);
	for (size_t k = 0; k < q->count; k++) {
		struct rpc_item *i = &q->items[k];

		if (!i->reply_size)
			continue;
		buf_append_byte(reply, is_first ? '[' : ',');
		buf_append(reply, q->replies.data + i->reply_at, i->reply_size);
		is_first = false;
	}
	if (!is_first)
		buf_append_byte(reply, ']');
}

/* Without a copy if nothing is in the reply yet: it may be large. */
static void give(struct rpc_request *q, struct buf *reply)
{
	struct buf old = *reply;

	if (reply->size) {
		buf_append_bytes(reply, buf_bytes(&q->replies));
		return;
	}
	*reply = q->replies;
	q->replies = old;
}

void rpc_finish(struct rpc_request *q, struct buf *reply)
{
	for (size_t k = 0; k < q->count; k++) {
		tell(&q->items[k]);
		if (q->items[k].state)
			q->items[k].method->errand->release(q->items[k].state);
		free(q->items[k].failure);
	}
	close_snapshot(q);
	if (q->is_batch)
		join(q, reply);
	else
		give(q, reply);
	jval_free(q->body);
	free(q->items);
	buf_clear(&q->replies);
	buf_clear(&q->scratch);
	buf_clear(&q->error_data);
	free(q);
}
