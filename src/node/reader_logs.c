/* RPC's reader table: logs, by the store's index. */
#include "node/reader.h"

struct search {
	const struct rpc_log_query *q;
	int code; /* of the asker's functions, which is RPC's already */
};

static int give(void *ctx, uint64_t height, uint32_t index, size_t first_log, const struct stored_tx *stored,
		struct err *err)
{
	struct search *s = ctx;
	const struct rpc_tx t = {
		.tx = stored->tx,
		.receipt = stored->receipt,
		.height = height,
		.index = index,
		.first_log_index = first_log,
	};

	s->code = s->q->fn(s->q->arg, &t, err);
	return s->code;
}

static int charge(void *ctx, uint64_t height, uint64_t us, struct err *err)
{
	struct search *s = ctx;

	s->code = s->q->charge(s->q->arg, height, us, err);
	return s->code;
}

int reader_logs(void *snapshot, const struct rpc_log_query *q, struct err *err)
{
	struct search search = { .q = q };
	const struct store_log_query query = {
		.filter = q->filter,
		.from = q->from,
		.to = q->to,
		.found = give,
		.charge = charge,
		.ctx = &search,
	};
	const struct snapshot *s = snapshot;
	int code = store_find_logs(s->head->reader, &query, err);

	return search.code != OK ? search.code : reader_translate(code);
}
