/* RPC's reader table, answered from a head: any worker thread, one snapshot a request. */
#include <stdlib.h>

#include "base/check.h"
#include "node/reader.h"

static void *snapshot_open(void *ctx)
{
	struct node_reader *reader = ctx;
	struct snapshot *s = xcalloc(1, sizeof(*s));

	s->reader = reader;
	s->head = reader->acquire(reader->ctx);
	return s;
}

static void snapshot_close(void *snapshot)
{
	struct snapshot *s = snapshot;

	if (s->view)
		store_view_free(s->view);
	reader_give_exec(s);
	node_head_unref(s->head);
	free(s);
}

static uint64_t snapshot_height(void *snapshot)
{
	const struct snapshot *s = snapshot;

	return store_reader_height(s->head->reader);
}

int reader_translate(int code)
{
	switch (code) {
	case OK:
		return OK;
	case STORE_E_NOT_FOUND:
		return RPC_E_NOT_FOUND;
	case STORE_E_PRUNED:
		return RPC_E_PRUNED;
	case EXEC_E_NONCE_LOW:
	case EXEC_E_NONCE_HIGH:
	case EXEC_E_FUNDS:
	case EXEC_E_FEE:
	case EXEC_E_GAS_LIMIT:
	case EXEC_E_SENDER_CODE:
	case EXEC_E_SIZE:
	case EXEC_E_FAILED:
	case EXEC_E_STOPPED:
		return RPC_E_REJECTED;
	case EXEC_E_OVERRIDE:
		return RPC_E_PARAMS;
	case EXEC_E_REVERTED:
		return RPC_E_REVERTED;
	}
	/* A number that is not of those enums' answers to a client: the medium failed. */
	return RPC_E_INTERNAL;
}

/* --- blocks and transactions --- */

static int read_block(void *snapshot, uint64_t height, struct rpc_block *out, struct err *err)
{
	const struct snapshot *s = snapshot;
	struct stored_header stored = { 0 };
	int code = store_read_header(s->head->reader, height, &stored, err);

	if (code != OK)
		return reader_translate(code);
	*out = (struct rpc_block){
		.header = stored.header,
		.hash = stored.hash,
		.commitments = stored.commitments,
		.withdrawals = stored.withdrawals,
		.withdrawal_count = stored.withdrawal_count,
		.tx_count = stored.tx_count,
		.certificate = stored.certificate,
		.size = stored.size,
	};
	return OK;
}

static int find_block(void *snapshot, const struct hash *hash, uint64_t *height, struct err *err)
{
	const struct snapshot *s = snapshot;

	return reader_translate(store_find_block(s->head->reader, hash, height, err));
}

struct log_count {
	uint32_t before;
	size_t count;
};

static int count_logs(void *ctx, uint32_t index, const struct stored_tx *t, struct err *err)
{
	struct log_count *logs = ctx;

	(void)err;
	if (index < logs->before)
		logs->count += t->receipt.log_count;
	return OK;
}

/* The logs of the block's transactions before this one; most blocks have none. */
static int first_log_index(const struct snapshot *s, uint64_t height, uint32_t index, size_t *out,
			   struct err *err)
{
	static const struct bloom no_logs;
	struct stored_header header = { 0 };
	struct log_count logs = { .before = index };
	int code = store_read_header(s->head->reader, height, &header, err);

	if (code != OK)
		return code;
	if (memcmp(&header.header.logs_bloom, &no_logs, sizeof(no_logs)) != 0)
		code = store_each_tx(s->head->reader, height, count_logs, &logs, err);
	stored_header_clear(&header);
	*out = logs.count;
	return code;
}

static int read_tx(void *snapshot, uint64_t height, uint32_t index, struct rpc_tx *out, struct err *err)
{
	const struct snapshot *s = snapshot;
	struct stored_tx stored = { 0 };
	size_t first_log = 0;
	int code = store_read_tx(s->head->reader, height, index, &stored, err);

	if (code == OK && stored.receipt.log_count > 0)
		code = first_log_index(s, height, index, &first_log, err);
	if (code != OK) {
		stored_tx_clear(&stored);
		return reader_translate(code);
	}
	*out = (struct rpc_tx){
		.tx = stored.tx,
		.receipt = stored.receipt,
		.height = height,
		.index = index,
		.first_log_index = first_log,
	};
	return OK;
}

static int find_tx(void *snapshot, const struct hash *hash, uint64_t *height, uint32_t *index, struct err *err)
{
	const struct snapshot *s = snapshot;

	return reader_translate(store_find_tx(s->head->reader, hash, height, index, err));
}

struct each_tx {
	rpc_tx_fn fn;
	void *arg;
	uint64_t height;
	size_t log_count;
	int code; /* of fn, which is RPC's already */
};

static int give_tx(void *ctx, uint32_t index, const struct stored_tx *stored, struct err *err)
{
	struct each_tx *each = ctx;
	const struct rpc_tx t = {
		.tx = stored->tx,
		.receipt = stored->receipt,
		.height = each->height,
		.index = index,
		.first_log_index = each->log_count,
	};

	each->log_count += stored->receipt.log_count;
	each->code = each->fn(each->arg, &t, err);
	return each->code;
}

static int each_tx(void *snapshot, uint64_t height, rpc_tx_fn fn, void *arg, struct err *err)
{
	const struct snapshot *s = snapshot;
	struct each_tx each = { .fn = fn, .arg = arg, .height = height };
	int code = store_each_tx(s->head->reader, height, give_tx, &each, err);

	return each.code != OK ? each.code : reader_translate(code);
}

/* --- state --- */

int reader_view_at(struct snapshot *s, uint64_t height, struct state_view *out, struct err *err)
{
	int code;

	if (!s->view || s->view_height != height) {
		struct store_view *view = NULL;

		code = store_view_at(s->head->reader, height, &view, err);
		if (code != OK)
			return reader_translate(code);
		if (s->view)
			store_view_free(s->view);
		s->view = view;
		s->view_height = height;
	}
	*out = store_view_state(s->view);
	return OK;
}

static int read_account(void *snapshot, uint64_t height, const struct addr *address, struct rpc_account *out,
			struct err *err)
{
	struct state_view view;
	struct account account;
	int code = reader_view_at(snapshot, height, &view, err);

	if (code != OK)
		return code;
	code = state_account(&view, &account, address, err);
	if (code != OK)
		return reader_translate(code);
	*out = (struct rpc_account){ account.nonce, account.balance, account.code_hash, account.storage_root };
	return OK;
}

static int read_storage(void *snapshot, uint64_t height, const struct addr *address, const struct hash *slot,
			struct u256 *out, struct err *err)
{
	struct state_view view;
	int code = reader_view_at(snapshot, height, &view, err);

	return code != OK ? code : reader_translate(state_storage(&view, out, address, slot, err));
}

static int read_code(void *snapshot, uint64_t height, const struct addr *address, struct buf *out, struct err *err)
{
	struct state_view view;
	struct account account;
	int code = reader_view_at(snapshot, height, &view, err);

	if (code != OK)
		return code;
	code = state_account(&view, &account, address, err);
	if (code == OK)
		code = state_code(&view, out, &account.code_hash, err);
	return reader_translate(code);
}

/* --- what calls stand on --- */

int reader_parent_at(struct snapshot *s, uint64_t height, struct exec_parent *out, struct err *err)
{
	struct stored_header stored = { 0 };
	int code;

	*out = s->head->parent;
	if (height == snapshot_height(s))
		return OK;
	code = store_read_header(s->head->reader, height, &stored, err);
	if (code != OK)
		return reader_translate(code);
	out->header = stored.header;
	out->hash = stored.hash;
	out->commitments = stored.commitments;
	stored_header_clear(&stored);
	return OK;
}

/* --- validators --- */

static int read_epoch(void *snapshot, uint64_t height, struct epoch *out, struct err *err)
{
	const struct snapshot *s = snapshot;

	return reader_translate(store_read_epoch(s->head->reader, height, out, err));
}

static void add_vote(void *arg, const struct exec_vote *vote)
{
	struct rpc_votes *votes = arg;

	votes->open = xrealloc(votes->open, (votes->open_count + 1) * sizeof(votes->open[0]));
	votes->open[votes->open_count++] = (struct rpc_vote){ vote->validator, vote->voter, vote->weight };
}

static int read_votes(void *snapshot, uint64_t height, struct rpc_votes *out, struct err *err)
{
	struct state_view view;
	struct epoch epoch;
	int code = reader_view_at(snapshot, height, &view, err);

	*out = (struct rpc_votes){ 0 };
	if (code != OK)
		return code;
	code = exec_read_epoch(&view, &epoch, err);
	if (code == OK)
		code = exec_read_next_set(&view, &out->next, err);
	if (code == OK)
		out->present = epoch.set;
	if (code == OK)
		code = exec_each_open_vote(&view, &out->present, &out->next, NODE_VOTE_SUBJECT_MAX, add_vote, out, err);
	if (code != OK)
		rpc_votes_clear(out);
	return reader_translate(code);
}

static int next_base_fee(void *snapshot, struct wei *out, struct err *err)
{
	struct snapshot *s = snapshot;

	(void)err;
	*out = exec_next_base_fee(reader_exec(s), &s->head->parent, s->reader->now_ms(s->reader->ctx));
	return OK;
}

struct rpc_reader_backend node_reader_backend(struct node_reader *reader)
{
	static const struct rpc_reader_ops ops = {
		.open = snapshot_open,
		.close = snapshot_close,
		.height = snapshot_height,
		.block = read_block,
		.find_block = find_block,
		.tx = read_tx,
		.find_tx = find_tx,
		.each_tx = each_tx,
		.logs = reader_logs,
		.account = read_account,
		.storage = read_storage,
		.code = read_code,
		.call = reader_call,
		.estimate_gas = reader_estimate_gas,
		.access_list = reader_access_list,
		.trace_txs = reader_trace_txs,
		.trace_call = reader_trace_call,
		.epoch = read_epoch,
		.votes = read_votes,
		.next_base_fee = next_base_fee,
	};

	return (struct rpc_reader_backend){ &ops, reader };
}
