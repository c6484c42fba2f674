/*
 * kv over LevelDB's C interface.
 *
 * What LevelDB makes durable by itself: a table is synced before the manifest
 * names it, and the manifest is synced, directory included. A *write* with its
 * sync option syncs only the log file that it went to: earlier unsynced writes
 * may stand in an older log file (LevelDB starts a new one with every memtable),
 * and the new file's directory entry is not synced at all. So a synced write is
 * done here as an unsynced one followed by kv_sync(), which syncs every log file
 * and says so in a file of ours (kv_synced.h). LevelDB hands each record to the
 * kernel before a write returns, so nothing hides in its own buffers.
 */
#include "store/kv_ops.h"

#include <errno.h>
#include <leveldb/c.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "store/kv_synced.h"

/* Bits a key of the bloom filters: about 1 % false positives. */
#define BLOOM_BITS 10
/* Measured with 1,200 blocks of 1,500 transfers, one after the other: with LevelDB's
 * own 4 MiB a write waits up to 1.6 s for compaction, with 16 MiB 0.8 s, with 32 MiB
 * 0.04 s; CPU falls from 7.6 to 7.0 us a transfer. Snappy costs 0.4 us of them and
 * saves a third of the disk. */
#define WRITE_BUFFER_SIZE (32 * MIB)
#define TABLE_SIZE (8 * MIB)
#define OPEN_FILE_MAX 512

struct leveldb_kv {
	struct kv base;
	struct kv_synced synced;
	const char *dir; /* synced's */
	leveldb_t *db;
	leveldb_options_t *options;
	leveldb_cache_t *cache;
	leveldb_filterpolicy_t *bloom;
	leveldb_readoptions_t *read;
	leveldb_writeoptions_t *write;
	/* After a failed write LevelDB's log may end in half a record; what came
	 * behind it would be unreadable. So the first failure is the last write. */
	atomic_bool failed;
};

struct leveldb_batch {
	struct kv_batch base;
	leveldb_writebatch_t *batch;
};

struct leveldb_iter {
	struct kv_iter base;
	leveldb_iterator_t *iter;
	leveldb_readoptions_t *read;
	bool started;
};

static const struct kv_ops leveldb_ops;

static struct leveldb_kv *of(struct kv *kv)
{
	return (struct leveldb_kv *)kv;
}

/* kv_snapshot stands for LevelDB's own type, which is const for all its users. */
static const leveldb_snapshot_t *snapshot_of(const struct kv_snapshot *at)
{
	return (const leveldb_snapshot_t *)at;
}

static leveldb_readoptions_t *read_options_new(const struct kv_snapshot *at)
{
	leveldb_readoptions_t *read = leveldb_readoptions_create();

	leveldb_readoptions_set_verify_checksums(read, 1);
	if (at)
		leveldb_readoptions_set_snapshot(read, snapshot_of(at));
	return read;
}

static void kv_free(struct leveldb_kv *l)
{
	if (l->db)
		leveldb_close(l->db);
	leveldb_options_destroy(l->options);
	leveldb_cache_destroy(l->cache);
	leveldb_filterpolicy_destroy(l->bloom);
	leveldb_readoptions_destroy(l->read);
	leveldb_writeoptions_destroy(l->write);
	kv_synced_close(&l->synced);
	free(l);
}

/* LevelDB tells its errors apart in words only. */
static int open_error(const char *dir, const char *text, struct err *err)
{
	if (strstr(text, "lock"))
		return ERR_SET(err, STORE_E_IN_USE, "%s is in use by another process (%s)", dir,
			       text);
	if (strstr(text, "does not exist"))
		return ERR_SET(err, STORE_E_OPEN, "%s holds no database; run init first", dir);
	if (strstr(text, strerror(ENOSPC)))
		return ERR_SET(err, STORE_E_WRITE, "no room to open %s (%s); make room on the disk",
			       dir, text);
	if (strncmp(text, "Corruption", 10) == 0 || strstr(text, "missing files"))
		return ERR_SET(err, STORE_E_CORRUPT, "%s is damaged (%s); " STORE_ADVICE, dir,
			       text);
	return ERR_SET(err, STORE_E_OPEN, "cannot open %s: %s", dir, text);
}

int kv_open_leveldb(struct kv **out, const char *dir, const struct kv_options *options,
		    struct err *err)
{
	size_t write_buffer = options->write_buffer_size ? options->write_buffer_size
							 : WRITE_BUFFER_SIZE;
	struct leveldb_kv *l = xcalloc(1, sizeof(*l));
	char *text = NULL;
	int code;

	code = kv_synced_open(&l->synced, dir, options->create, err);
	if (code != OK) {
		free(l);
		return code;
	}
	l->base.ops = &leveldb_ops;
	l->dir = l->synced.dir;
	l->cache = leveldb_cache_create_lru(options->cache_size);
	l->bloom = leveldb_filterpolicy_create_bloom(BLOOM_BITS);
	l->read = read_options_new(NULL);
	l->write = leveldb_writeoptions_create();
	l->options = leveldb_options_create();
	leveldb_options_set_create_if_missing(l->options, options->create);
	leveldb_options_set_paranoid_checks(l->options, 1);
	leveldb_options_set_cache(l->options, l->cache);
	leveldb_options_set_filter_policy(l->options, l->bloom);
	leveldb_options_set_write_buffer_size(l->options, write_buffer);
	leveldb_options_set_max_file_size(l->options, TABLE_SIZE);
	leveldb_options_set_max_open_files(l->options, OPEN_FILE_MAX);
	leveldb_options_set_compression(l->options, leveldb_snappy_compression);
	l->db = leveldb_open(l->options, dir, &text);
	if (text) {
		code = open_error(dir, text, err);
		leveldb_free(text);
		kv_free(l);
		return code;
	}
	*out = &l->base;
	return OK;
}

static void leveldb_kv_close(struct kv *kv)
{
	kv_free(of(kv));
}

static int leveldb_kv_get(struct kv *kv, const struct kv_snapshot *at, struct bytes key,
			  struct buf *out, struct err *err)
{
	struct leveldb_kv *l = of(kv);
	leveldb_readoptions_t *read = at ? read_options_new(at) : l->read;
	char *text = NULL, *value;
	size_t size;
	int code = OK;

	value = leveldb_get(l->db, read, (const char *)key.data, key.size, &size, &text);
	if (text) {
		code = ERR_SET(err, STORE_E_CORRUPT, "reading column '%c' in %s: %s", key.data[0],
			       l->dir, text);
		leveldb_free(text);
	} else if (!value) {
		code = ERR_SET(err, STORE_E_NOT_FOUND,
			       "nothing stored under this key of column '%c'", key.data[0]);
	} else {
		buf_append(out, value, size);
		leveldb_free(value);
	}
	if (at)
		leveldb_readoptions_destroy(read);
	return code;
}

static int leveldb_kv_write(struct kv *kv, const struct kv_batch *b, bool sync, struct err *err)
{
	struct leveldb_kv *l = of(kv);
	const struct leveldb_batch *batch = (const struct leveldb_batch *)b;
	char *text = NULL;
	int code;

	if (atomic_load(&l->failed))
		return ERR_SET(err, STORE_E_WRITE,
			       "an earlier write to %s failed; make room, then restart", l->dir);
	leveldb_write(l->db, l->write, batch->batch, &text);
	if (text) {
		atomic_store(&l->failed, true);
		code = ERR_SET(err, STORE_E_WRITE,
			       "cannot write to %s: %s; make room or repair the disk, "
			       "then restart",
			       l->dir, text);
		leveldb_free(text);
		return code;
	}
	return sync ? kv_sync(kv, err) : OK;
}

static int leveldb_kv_sync(struct kv *kv, struct err *err)
{
	struct leveldb_kv *l = of(kv);
	int code = kv_synced_promise(&l->synced, err);

	if (code != OK)
		atomic_store(&l->failed, true);
	return code;
}

static void leveldb_kv_compact(struct kv *kv, struct bytes from, struct bytes to)
{
	leveldb_compact_range(of(kv)->db, (const char *)from.data, from.size, (const char *)to.data,
			      to.size);
}

static struct kv_snapshot *leveldb_snapshot_new(struct kv *kv)
{
	const leveldb_snapshot_t *s = leveldb_create_snapshot(of(kv)->db);
	struct kv_snapshot *out;

	/* LevelDB gives it const; the cast without a warning. */
	memcpy(&out, &s, sizeof(out));
	return out;
}

static void leveldb_snapshot_free(struct kv *kv, struct kv_snapshot *s)
{
	leveldb_release_snapshot(of(kv)->db, snapshot_of(s));
}

static struct kv_iter *leveldb_iter_new(struct kv *kv, const struct kv_snapshot *at,
					struct bytes from)
{
	struct leveldb_iter *i = xcalloc(1, sizeof(*i));

	i->base.ops = &leveldb_ops;
	i->read = read_options_new(at);
	leveldb_readoptions_set_fill_cache(i->read, 0);
	i->iter = leveldb_create_iterator(of(kv)->db, i->read);
	leveldb_iter_seek(i->iter, (const char *)from.data, from.size);
	return &i->base;
}

/* LevelDB goes over a block that it can't read, to the next key that it can, and only its
 * status tells: so what was left out would look as if it had never been there. */
static bool has_failed(const struct leveldb_iter *i)
{
	char *text = NULL;

	leveldb_iter_get_error(i->iter, &text);
	leveldb_free(text);
	return text != NULL;
}

static bool leveldb_iter_advance(struct kv_iter *base, struct bytes *key, struct bytes *value)
{
	struct leveldb_iter *i = (struct leveldb_iter *)base;

	if (i->started && leveldb_iter_valid(i->iter))
		leveldb_iter_next(i->iter);
	i->started = true;
	if (!leveldb_iter_valid(i->iter) || has_failed(i))
		return false;
	key->data = (const uint8_t *)leveldb_iter_key(i->iter, &key->size);
	value->data = (const uint8_t *)leveldb_iter_value(i->iter, &value->size);
	return true;
}

static void leveldb_iter_seek_to(struct kv_iter *base, struct bytes from)
{
	struct leveldb_iter *i = (struct leveldb_iter *)base;

	i->started = false;
	leveldb_iter_seek(i->iter, (const char *)from.data, from.size);
}

static int leveldb_iter_error(const struct kv_iter *base, struct err *err)
{
	const struct leveldb_iter *i = (const struct leveldb_iter *)base;
	char *text = NULL;

	leveldb_iter_get_error(i->iter, &text);
	if (!text)
		return OK;
	ERR_SET(err, STORE_E_CORRUPT, "walking the database: %s", text);
	leveldb_free(text);
	return STORE_E_CORRUPT;
}

static void leveldb_iter_free(struct kv_iter *base)
{
	struct leveldb_iter *i = (struct leveldb_iter *)base;

	leveldb_iter_destroy(i->iter);
	leveldb_readoptions_destroy(i->read);
	free(i);
}

static struct kv_batch *leveldb_batch_new(struct kv *kv)
{
	struct leveldb_batch *b = xcalloc(1, sizeof(*b));

	b->base.ops = &leveldb_ops;
	b->batch = leveldb_writebatch_create();
	return &b->base;
}

static void leveldb_batch_free(struct kv_batch *base)
{
	struct leveldb_batch *b = (struct leveldb_batch *)base;

	leveldb_writebatch_destroy(b->batch);
	free(b);
}

static void leveldb_batch_reset(struct kv_batch *base)
{
	leveldb_writebatch_clear(((struct leveldb_batch *)base)->batch);
}

static void leveldb_batch_put(struct kv_batch *base, struct bytes key, struct bytes value)
{
	leveldb_writebatch_put(((struct leveldb_batch *)base)->batch, (const char *)key.data,
			       key.size, (const char *)value.data, value.size);
}

static void leveldb_batch_delete(struct kv_batch *base, struct bytes key)
{
	leveldb_writebatch_delete(((struct leveldb_batch *)base)->batch, (const char *)key.data,
				  key.size);
}

static const struct kv_ops leveldb_ops = {
	.close = leveldb_kv_close,
	.get = leveldb_kv_get,
	.write = leveldb_kv_write,
	.sync = leveldb_kv_sync,
	.compact = leveldb_kv_compact,
	.snapshot_new = leveldb_snapshot_new,
	.snapshot_free = leveldb_snapshot_free,
	.iter_new = leveldb_iter_new,
	.iter_next = leveldb_iter_advance,
	.iter_seek = leveldb_iter_seek_to,
	.iter_error = leveldb_iter_error,
	.iter_free = leveldb_iter_free,
	.batch_new = leveldb_batch_new,
	.batch_free = leveldb_batch_free,
	.batch_reset = leveldb_batch_reset,
	.batch_put = leveldb_batch_put,
	.batch_delete = leveldb_batch_delete,
};
