/*
 * Creating and opening: what is in the database up to the last flush is looked
 * over, and the commit log brings it, and the tree, to the tip.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "codec/rlp.h"
#include "store/store_internal.h"

/* How many of the newest blocks are read again on opening. */
#define WALK_COUNT 64

static struct store *store_new(const struct store_options *options)
{
	struct store *s = xcalloc(1, sizeof(*s));

	CHECK(pthread_mutex_init(&s->flush_lock, NULL) == 0);
	s->history_ms = options->history_ms;
	s->seed = options->seed;
	s->history_first = 1;
	mmr_init(&s->range);
	s->log_section_rows = options->log_section_rows ? options->log_section_rows : LOG_SECTION_ROWS;
	log_writer_init(&s->log_writer, options->seed);
	store_state_init(s, options);
	return s;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_flush_free(s->flush);
	state_tree_free(s->tree);
	store_state_clear(s);
	wal_close(s->commit_log);
	wal_close(s->consensus_log);
	kv_batch_free(s->batch);
	kv_close(s->kv);
	store_dir_close(s->dir);
	buf_clear(&s->record);
	buf_clear(&s->value);
	buf_clear(&s->tx_values);
	buf_clear(&s->consensus_found);
	log_writer_clear(&s->log_writer);
	CHECK(pthread_mutex_destroy(&s->flush_lock) == 0);
	free(s);
}

/* --- genesis --- */

/* Puts the genesis block, its state and its trie into an empty database. */
static int install_genesis(struct store *s, const struct genesis *g,
			   const struct store_options *options, struct hash *genesis_hash,
			   struct err *err)
{
	struct block block = { 0 };
	struct state_diff diff = { 0 };
	struct epoch epoch;
	struct store_block b = { .block = &block, .diff = &diff, .epoch = &epoch };
	int code;

	epoch_genesis(&epoch, g);

	s->batch = kv_batch_new(s->kv);
	s->tree = state_tree_new(&account_empty.storage_root, store_tree_source(s),
				 options->tree_memory_max, options->seed);
	code = store_genesis_build(g, s->tree, &block, &diff, err);
	if (code != OK)
		return code;
	code = store_write_block(s, &b, err);
	if (code == OK)
		code = store_flush_write(s, store_flush_take(s, 0), err);
	*genesis_hash = block.hash;
	block_clear(&block);
	state_diff_clear(&diff);
	return code;
}

static int create_log(const struct store_dir *dir, const char *name, struct err *err)
{
	struct wal *w;
	int code = wal_open(&w, store_dir_medium(dir), store_dir_log(dir), name, true, NULL, NULL,
			    NULL, err);

	if (code == OK)
		wal_close(w);
	return code;
}

static int open_database(struct store *s, const struct store_dir *dir,
			 const struct store_options *options, bool create, struct err *err)
{
	const struct kv_options o = { create, options->cache_size, options->write_buffer_size };
	const struct medium *medium = store_dir_medium(dir);

	return medium->ops->open_kv(medium->ctx, &s->kv, store_dir_chain(dir), &o, err);
}

int store_create(const struct store_options *options, const struct genesis *g, struct err *err)
{
	struct store *s = store_new(options);
	struct store_dir *dir = NULL;
	struct hash genesis_hash;
	int code;

	code = store_dir_create(&dir, options->medium, options->dir, err);
	if (code == OK)
		code = open_database(s, dir, options, true, err);
	if (code == OK)
		code = install_genesis(s, g, options, &genesis_hash, err);
	store_close(s); /* the database is whole before the version says so */
	if (code == OK)
		code = create_log(dir, COMMIT_LOG, err);
	if (code == OK)
		code = create_log(dir, CONSENSUS_LOG, err);
	if (code == OK)
		code = store_dir_seal(dir, &genesis_hash, err);
	if (code == OK)
		store_dir_close(dir);
	else if (dir)
		store_dir_remove(dir);
	return code;
}

/* --- what the database holds up to the last flush --- */

static int damaged(struct err *err, uint64_t height, const char *what)
{
	return ERR_SET(err, STORE_E_CORRUPT, "block %" PRIu64 ": %s; " STORE_ADVICE, height, what);
}

static int read_meta(struct store *s, const char *name, struct buf *out, struct err *err)
{
	struct store_key key = key_name(name);
	int code = store_get_sure(s->kv, NULL, key_bytes(&key), out, err);

	return code == OK ? OK : err_prefix(err, code, "database record \"%s\"", name);
}

static int read_flushed(struct store *s, uint64_t *height, struct err *err)
{
	struct buf value = { 0 };
	struct rlp_reader r;
	int code = read_meta(s, "flushed", &value, err);

	if (code == OK) {
		rlp_reader_init(&r, buf_bytes(&value));
		if (rlp_read_u64(&r, height, err) != OK || rlp_reader_end(&r, err) != OK)
			code = ERR_SET(err, STORE_E_CORRUPT,
				       "the flush mark is broken; " STORE_ADVICE);
	}
	buf_clear(&value);
	return code;
}

static int read_tip(struct store *s, struct tip_record *tip, struct err *err)
{
	struct buf value = { 0 };
	int code = read_meta(s, "tip", &value, err);

	if (code == OK)
		code = tip_decode(tip, buf_bytes(&value), err);
	buf_clear(&value);
	return code;
}

/* The range over the first `leaf_count` hashes, from its stored peaks. */
static int load_range(struct store *s, struct mmr *out, uint64_t leaf_count, struct err *err)
{
	uint64_t first = 0; /* position where the next mountain begins */
	size_t peak = 0;

	mmr_init(out);
	for (int bit = 63; bit >= 0; bit--) {
		struct buf value = { 0 };
		struct store_key key;
		int code;

		if (!(leaf_count >> bit & 1))
			continue;
		/* A mountain over 2^bit leaves has 2^(bit+1) - 1 nodes, its peak last. */
		first += (2ull << bit) - 1;
		key = key_number(COLUMN_MMR, first - 1);
		code = store_get_sure(s->kv, NULL, key_bytes(&key), &value, err);
		if (code == OK && value.size != 32)
			code = ERR_SET(err, STORE_E_CORRUPT, "a node of %zu bytes", value.size);
		if (code == OK)
			memcpy(out->peaks[peak++].bytes, value.data, 32);
		buf_clear(&value);
		if (code != OK)
			return err_prefix(err, code, "history range, position %" PRIu64, first - 1);
	}
	out->leaf_count = leaf_count;
	return OK;
}

static int sum_value(void *ctx, uint32_t index, struct bytes value, struct err *err)
{
	uint32_t *checksum = ctx;

	*checksum = crc32c(*checksum, value);
	return OK;
}

/* Reads one block again: its index, its link to the parent, its checksum. */
static int check_block(struct store *s, uint64_t height, struct hash *parent, uint32_t *checksum,
		       struct err *err)
{
	struct store_key row = key_number(COLUMN_HEADER, height), by_hash;
	struct buf value = { 0 }, place = { 0 };
	struct stored_header h;
	int code;

	code = store_get_header(s->kv, NULL, height, &h, err);
	if (code != OK)
		return code;
	by_hash = key_hash(COLUMN_HEADER_HASH, &h.hash);
	code = store_get_sure(s->kv, NULL, key_bytes(&row), &value, err);
	if (code == OK)
		code = store_get_sure(s->kv, NULL, key_bytes(&by_hash), &place, err);
	if (code == OK) {
		*checksum = header_value_checksum(*checksum, buf_bytes(&value));
		code = store_each_tx_value(s->kv, NULL, height, h.tx_count, sum_value, checksum,
					   err);
	}
	if (code != OK)
		err_prefix(err, code, "block %" PRIu64, height);
	else if (!bytes_equal(buf_bytes(&place), bytes_of(row.bytes + 1, 8)))
		code = damaged(err, height, "its hash leads elsewhere");
	else if (height && !hash_equal(&h.header.parent_hash, parent))
		code = damaged(err, height, "it does not follow the one before it");
	else if (*checksum != h.checksum)
		code = damaged(err, height, "it is not what was written");
	*parent = h.hash;
	stored_header_clear(&h);
	buf_clear(&value);
	buf_clear(&place);
	return code;
}

/* Reads the newest blocks up to `last` again and stands there. */
static int walk_blocks(struct store *s, uint64_t last, struct err *err)
{
	uint64_t first = last < WALK_COUNT ? 0 : last - WALK_COUNT + 1;
	struct hash parent = { { 0 } };
	uint32_t checksum = 0;
	struct stored_header h;
	int code = OK;

	if (first) {
		code = store_get_header(s->kv, NULL, first - 1, &h, err);
		if (code != OK)
			return code;
		parent = h.hash;
		checksum = h.checksum;
		stored_header_clear(&h);
	}
	for (uint64_t height = first; code == OK && height <= last; height++)
		code = check_block(s, height, &parent, &checksum, err);
	s->applied_height = last;
	s->applied_hash = parent;
	s->checksum = checksum;
	return code;
}

/* The oldest height whose history is there. */
static int find_history(struct store *s, struct err *err)
{
	struct store_key from = key_of(COLUMN_HISTORY);
	struct kv_iter *iter = kv_iter_new(s->kv, NULL, key_bytes(&from));
	struct bytes key, value;

	s->history_first = s->applied_height + 1;
	if (kv_iter_next(iter, &key, &value) && key.size == 9 && key.data[0] == COLUMN_HISTORY)
		s->history_first = MIN(s->history_first, load_be64(key.data + 1));
	if (kv_iter_error(iter, err) != OK) {
		kv_iter_free(iter);
		return STORE_E_CORRUPT;
	}
	kv_iter_free(iter);
	return OK;
}

/* Stands at the last flush: height, tree, range, history. */
static int load_flushed(struct store *s, const struct store_options *options, uint64_t flushed,
			struct err *err)
{
	struct stored_header h;
	int code = walk_blocks(s, flushed, err);

	if (code == OK)
		code = load_range(s, &s->range, flushed + 1, err);
	if (code == OK)
		code = find_history(s, err);
	if (code == OK)
		code = store_get_header(s->kv, NULL, flushed, &h, err);
	if (code != OK)
		return code;
	s->log_place = (struct log_place){ h.log_section, h.log_rows };
	s->tree = state_tree_new(&h.header.state_root, store_tree_source(s),
				 options->tree_memory_max, options->seed);
	stored_header_clear(&h);
	return OK;
}

/* --- replay --- */

struct replay {
	struct store *s;
	uint64_t flushed;
	/* Who knows of blocks that the log must have: the database, whose tables may be
	 * newer than the flush, and the last block noted as final. */
	struct witness {
		uint64_t height;
		struct hash hash;
	} database, noted;
	uint64_t count;
};

static int check_record(const struct store *s, const struct block *b, struct err *err)
{
	struct hash root;

	mmr_root(&s->range, &root);
	if (b->header.height != s->applied_height + 1)
		return damaged(err, b->header.height,
			       "it stands at another block's place in the commit log");
	if (!hash_equal(&b->header.parent_hash, &s->applied_hash))
		return damaged(err, b->header.height, "it does not follow the one before it");
	if (!hash_equal(&b->commitments.history_root, &root))
		return damaged(err, b->header.height,
			       "its history root is not that of the chain before it");
	return OK;
}

static bool contradicts(const struct witness *w, const struct block *b)
{
	return b->header.height == w->height && !hash_equal(&b->hash, &w->hash);
}

static int replay_block(struct replay *r, struct commit_record *record, struct err *err)
{
	struct block *b = &record->block;
	struct hash root;
	int code = check_record(r->s, b, err);

	if (code != OK)
		return code;
	if (contradicts(&r->database, b) || contradicts(&r->noted, b))
		return damaged(err, b->header.height,
			       "database and commit log hold different ones");
	code = state_tree_apply(r->s->tree, &record->diff, &root, err);
	if (code != OK) {
		err_prefix(err, code, "block %" PRIu64 ": state trie", b->header.height);
		if (err)
			err->code = STORE_E_CORRUPT;
		return STORE_E_CORRUPT;
	}
	if (!hash_equal(&root, &b->header.state_root))
		return damaged(err, b->header.height, "replaying it gives another state root");
	return store_write_block(r->s, &record->b, err);
}

static int replay_record(void *ctx, uint64_t index, uint8_t kind, struct bytes payload,
			 struct err *err)
{
	struct commit_record record;
	struct replay *r = ctx;
	int code;

	if (index <= r->flushed)
		return OK;
	if (index != r->s->applied_height + 1)
		return damaged(err, r->s->applied_height + 1, "it is missing in the commit log");
	if (kind != COMMIT_KIND_BLOCK)
		return damaged(err, index, "a commit record of an unknown kind");
	code = commit_decode(&record, payload, err);
	if (code != OK)
		return code;
	code = replay_block(r, &record, err);
	commit_clear(&record);
	r->count += code == OK;
	return code;
}

static int log_error(int code, struct err *err)
{
	if (code == STORE_E_NOT_FOUND)
		return ERR_SET(err, STORE_E_CORRUPT, "the commit log is missing; " STORE_ADVICE);
	return code;
}

static int replay_commits(struct store *s, struct replay *r, struct wal_report *found,
			  struct err *err)
{
	int code = log_error(wal_open(&s->commit_log, store_dir_medium(s->dir),
				      store_dir_log(s->dir), COMMIT_LOG, false, replay_record, r,
				      found, err),
			     err);
	uint64_t next;

	if (code != OK)
		return code;
	next = wal_next_index(s->commit_log);
	if (wal_first_index(s->commit_log) > r->flushed + 1)
		return damaged(err, r->flushed + 1, "it is missing in the commit log");
	/* The log is synced before anybody is told, so it is never behind. */
	if (next <= MAX(MAX(s->applied_height, r->database.height), r->noted.height))
		return damaged(err, next, "it was written, and the commit log has lost it");
	return OK;
}

struct collected {
	struct buf *records;
	uint64_t count;
};

static int collect_record(void *ctx, uint64_t index, uint8_t kind, struct bytes payload,
			  struct err *err)
{
	struct collected *found = ctx;
	uint8_t size[4];

	/* Of what stood before, a crash during the trim may have left the end only. */
	if (kind & STORE_RECORD_WHOLE) {
		buf_reset(found->records);
		found->count = 0;
	}
	kind &= (uint8_t)~STORE_RECORD_WHOLE;
	store_le32(size, (uint32_t)payload.size);
	buf_append_byte(found->records, kind);
	buf_append(found->records, size, sizeof(size));
	buf_append_bytes(found->records, payload);
	found->count++;
	return OK;
}

/* A missing log is not made anew: the next start would not know. */
static int open_consensus_log(struct store *s, struct store_report *report, struct err *err)
{
	struct collected records = { .records = &s->consensus_found };
	struct wal_report found;
	int code = wal_open(&s->consensus_log, store_dir_medium(s->dir), store_dir_log(s->dir),
			    CONSENSUS_LOG, false, collect_record, &records, &found, err);

	report->consensus_log_missing = code == STORE_E_NOT_FOUND;
	if (code == STORE_E_NOT_FOUND)
		return OK;
	report->consensus_record_count = records.count;
	report->torn_size += found.torn_size;
	return code;
}

/* --- the tip --- */

/* The gas of all blocks of the tip's second, up to the tip. */
static int sum_second(struct store *s, uint64_t timestamp, uint64_t *gas, struct err *err)
{
	struct stored_header h;
	bool same = true;

	*gas = 0;
	for (uint64_t height = s->applied_height; same; height--) {
		int code = store_get_header(s->kv, NULL, height, &h, err);

		if (code != OK)
			return code;
		same = h.header.timestamp == timestamp;
		*gas += same ? h.header.gas_used : 0;
		same = same && height > 0;
		stored_header_clear(&h);
	}
	return OK;
}

static int load_tip(struct store *s, struct err *err)
{
	struct store_tip *tip = &s->opened;
	struct stored_header h;
	struct hash root;
	int code = store_get_header(s->kv, NULL, s->applied_height, &h, err);

	if (code != OK)
		return code;
	tip->header = h.header;
	tip->hash = h.hash;
	tip->commitments = h.commitments;
	tip->withdrawal_index = s->withdrawal_index;
	stored_header_clear(&h);
	code = load_range(s, &tip->history, s->applied_height, err);
	if (code == OK)
		code = sum_second(s, tip->header.timestamp, &tip->second_gas, err);
	if (code != OK)
		return code;
	mmr_root(&tip->history, &root);
	if (!hash_equal(&root, &tip->commitments.history_root))
		return damaged(err, s->applied_height,
			       "its history root is not that of the chain before it");
	return OK;
}

void store_get_tip(const struct store *s, struct store_tip *out)
{
	*out = s->opened;
}

/* --- opening --- */

static int open_disk(struct store *s, const struct store_options *options, const struct genesis *g,
		     struct store_report *report, struct err *err)
{
	struct replay r = { .s = s };
	struct tip_record tip;
	struct wal_report found = { 0 };
	struct state_diff diff = { 0 };
	struct block block = { 0 };
	int code;

	code = store_genesis(g, &block, &diff, err);
	if (code != OK)
		return code;
	state_diff_clear(&diff);
	code = store_dir_open(&s->dir, options->medium, options->dir, &block.hash, err);
	block_clear(&block);
	if (code == OK)
		code = open_database(s, s->dir, options, false, err);
	if (code != OK)
		return code;
	s->batch = kv_batch_new(s->kv);
	code = read_flushed(s, &r.flushed, err);
	if (code == OK)
		code = read_tip(s, &tip, err);
	if (code == OK && tip.height < r.flushed)
		code = damaged(err, r.flushed, "the database has lost it");
	if (code != OK)
		return code;
	/* The index only grows; replaying sets it where withdrawals were made. */
	s->withdrawal_index = tip.withdrawal_index;
	r.database = (struct witness){ tip.height, tip.hash };
	(void)store_dir_read_tip(s->dir, &r.noted.height, &r.noted.hash);
	code = load_flushed(s, options, r.flushed, err);
	if (code == OK)
		code = replay_commits(s, &r, &found, err);
	report->flushed_height = r.flushed;
	report->replayed_count = r.count;
	report->torn_size = found.torn_size;
	return code == OK ? open_consensus_log(s, report, err) : code;
}

static int open_memory(struct store *s, const struct store_options *options,
		       const struct genesis *g, struct err *err)
{
	struct hash genesis_hash;

	s->kv = kv_open_memory();
	return install_genesis(s, g, options, &genesis_hash, err);
}

int store_open(struct store **out, const struct store_options *options, const struct genesis *g,
	       struct store_report *report, struct err *err)
{
	struct store *s = store_new(options);
	struct store_report unused;
	int code;

	if (!report)
		report = &unused;
	*report = (struct store_report){ 0 };
	code = options->dir ? open_disk(s, options, g, report, err)
			    : open_memory(s, options, g, err);
	if (code == OK)
		code = load_tip(s, err);
	if (code != OK) {
		store_close(s);
		return code;
	}
	s->opened.flushed_height = report->flushed_height;
	s->logged_height = s->synced_height = s->applied_height;
	store_state_written(s, s->applied_height);
	store_count_logs(s);
	report->tip_height = s->applied_height;
	report->tip_hash = s->opened.hash;
	*out = s;
	return OK;
}
