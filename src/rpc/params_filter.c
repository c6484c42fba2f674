/* A filter for logs, as eth_getLogs and eth_newFilter take it. */
#include <stdlib.h>

#include "base/check.h"
#include "rpc/read.h"

/* `*left` addresses and topics may still come. */
static int make_room(size_t count, size_t *left, struct err *err)
{
	if (count > *left)
		return ERR_SET(err, RPC_E_PARAMS, "too many addresses and topics: at most %d in all",
			       LOG_FILTER_TERM_MAX);
	*left -= count;
	return OK;
}

/* One, or an array of them; an empty one is any. */
static int read_addresses(struct log_filter *out, const struct jval *v, size_t *left, struct err *err)
{
	bool is_array = jval_kind(v) == JVAL_ARRAY;
	size_t count = is_array ? jval_count(v) : 1;
	int code = make_room(count, left, err);

	if (code != OK || count == 0)
		return code;
	out->addresses = xcalloc(count, sizeof(struct addr));
	out->address_count = count;
	for (size_t i = 0; code == OK && i < count; i++)
		code = rpc_read_fixed(out->addresses[i].bytes, sizeof(struct addr), is_array ? jval_at(v, i) : v,
				      "address", err);
	return code;
}

static bool is_null(const struct jval *v)
{
	return jval_kind(v) == JVAL_NULL;
}

/* null, one, or an array of them; null among them is any, as an empty array. */
static int read_place(struct log_filter_place *out, const struct jval *v, size_t *left, struct err *err)
{
	bool is_array = jval_kind(v) == JVAL_ARRAY;
	size_t count = is_array ? jval_count(v) : 1;
	int code = make_room(count, left, err);

	if (code != OK || is_null(v) || count == 0)
		return code;
	out->any = xcalloc(count, sizeof(struct hash));
	for (size_t i = 0; i < count; i++) {
		const struct jval *item = is_array ? jval_at(v, i) : v;

		if (is_null(item)) {
			out->count = 0;
			return OK;
		}
		code = rpc_read_fixed(out->any[i].bytes, sizeof(struct hash), item, "topic", err);
		if (code != OK)
			return code;
		out->count++;
	}
	return OK;
}

static int read_topics(struct log_filter *out, const struct jval *v, size_t *left, struct err *err)
{
	size_t count = jval_count(v);

	if (jval_kind(v) != JVAL_ARRAY)
		return rpc_want_kind(err, "an array", "topics", v);
	if (count > LOG_TOPIC_MAX)
		return ERR_SET(err, RPC_E_PARAMS, "exceed max topics: a log has at most %d", LOG_TOPIC_MAX);
	out->place_count = count;
	for (size_t i = 0; i < count; i++) {
		int code = read_place(&out->places[i], jval_at(v, i), left, err);

		if (code != OK)
			return err_prefix(err, code, "topics element %zu", i);
	}
	return OK;
}

static int read_range(struct rpc_filter *out, const struct jval *v, struct err *err)
{
	const struct jval *hash = rpc_member(v, "blockHash"), *from = rpc_member(v, "fromBlock"),
			  *to = rpc_member(v, "toBlock");
	int code = OK;

	if (hash && (from || to))
		return rpc_bad(err, "cannot specify both blockHash and fromBlock/toBlock, choose one or the other");
	if (hash) {
		out->from.kind = RPC_BLOCK_HASH;
		code = rpc_read_fixed(out->from.hash.bytes, sizeof(struct hash), hash, "blockHash", err);
		out->to = out->from;
		return code;
	}
	if (from)
		code = rpc_read_number(&out->from, from, err);
	if (code != OK)
		return err_prefix(err, code, "fromBlock");
	if (to)
		code = rpc_read_number(&out->to, to, err);
	return code == OK ? OK : err_prefix(err, code, "toBlock");
}

int rpc_read_filter(struct rpc_args *args, struct rpc_filter *out, const struct jval *v, struct err *err)
{
	const struct jval *address = rpc_member(v, "address"), *topics = rpc_member(v, "topics");
	size_t left = LOG_FILTER_TERM_MAX;
	int code;

	if (jval_kind(v) != JVAL_OBJECT)
		return rpc_want_kind(err, "an object", "a filter", v);
	CHECK(!args->filter.addresses && !args->filter.place_count); /* one a set of parameters */
	*out = (struct rpc_filter){ .logs = &args->filter };
	code = read_range(out, v, err);
	if (code == OK && address)
		code = read_addresses(&args->filter, address, &left, err);
	if (code == OK && topics)
		code = read_topics(&args->filter, topics, &left, err);
	if (code == OK)
		log_filter_sort(&args->filter);
	return code;
}
