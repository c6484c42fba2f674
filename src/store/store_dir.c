/*
 * The data directory: what is in it, whose it is, and who has it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "codec/hex.h"
#include "store/store_internal.h"

#define VERSION_NAME "VERSION"
#define LOCK_NAME "LOCK"
#define VERSION_SIZE_MAX 512
#define TIP_NAME "chain/TIP" /* not among the logs, whose loss it is to show */

struct store_dir {
	const struct medium *medium;
	struct medium_dir *dir;
	struct medium_file *lock, *tip;
	bool made; /* the directory itself is ours */
	char *path, *chain, *log;
};

static char *join(const char *dir, const char *name)
{
	struct buf b = { 0 };

	buf_printf(&b, "%s/%s", dir, name);
	buf_append_byte(&b, 0);
	return (char *)b.data;
}

void store_dir_close(struct store_dir *d)
{
	if (!d)
		return;
	medium_close(d->tip);
	medium_close(d->lock);
	medium_close_dir(d->dir);
	free(d->path);
	free(d->chain);
	free(d->log);
	free(d);
}

const struct medium *store_dir_medium(const struct store_dir *d)
{
	return d->medium;
}

const char *store_dir_chain(const struct store_dir *d)
{
	return d->chain;
}

const char *store_dir_log(const struct store_dir *d)
{
	return d->log;
}

static int open_dir(struct store_dir **out, const struct medium *medium, const char *path,
		    struct err *err)
{
	struct store_dir *d = xcalloc(1, sizeof(*d));
	int error;

	d->medium = medium;
	d->path = xstrdup(path);
	d->chain = join(path, "chain");
	d->log = join(path, "log");
	error = medium_open_dir(medium, &d->dir, path);
	if (error) {
		store_dir_close(d);
		return ERR_SET(err, STORE_E_OPEN, "cannot open the data directory %s: %s%s", path,
			       strerror(error), error == ENOENT ? "; run init first" : "");
	}
	*out = d;
	return OK;
}

static int lock(struct store_dir *d, struct err *err)
{
	char holder[MEDIUM_HOLDER_MAX] = "";
	int error = medium_open(d->dir, &d->lock, LOCK_NAME, MEDIUM_WRITE | MEDIUM_CREATE);

	if (error)
		return ERR_SET(err, STORE_E_OPEN, "cannot open %s/" LOCK_NAME ": %s", d->path,
			       strerror(error));
	error = d->lock->ops->lock(d->lock, holder);
	if (error)
		return ERR_SET(err, STORE_E_IN_USE,
			       "the data directory %s is in use by another process%s%s; "
			       "stop that one, or choose another directory",
			       d->path, *holder ? ", pid " : "", holder);
	return OK;
}

static bool exists(const struct store_dir *d, const char *name)
{
	return d->dir->ops->exists(d->dir, name);
}

/* --- creating --- */

static int write_error(const struct store_dir *d, const char *name, int error, struct err *err)
{
	return ERR_SET(err, STORE_E_WRITE, "cannot write %s/%s: %s", d->path, name,
		       strerror(error));
}

static int make_dir(const struct medium *medium, const char *path, bool *made, struct err *err)
{
	int error = medium->ops->make(medium->ctx, path, made);

	if (!error)
		return OK;
	if (!*made)
		return ERR_SET(err, STORE_E_OPEN, "cannot make the data directory %s: %s", path,
			       strerror(error));
	return ERR_SET(err, STORE_E_WRITE, "cannot sync the directory above %s: %s", path,
		       strerror(error));
}

/* The names below, durably. */
static int make_names(struct store_dir *d)
{
	int error = d->dir->ops->make_dir(d->dir, "chain");

	if (!error)
		error = d->dir->ops->make_dir(d->dir, "log");
	return error ? error : d->dir->ops->sync_dir(d->dir);
}

int store_dir_create(struct store_dir **out, const struct medium *medium, const char *path,
		     struct err *err)
{
	struct store_dir *d = NULL;
	int code, error;
	bool made;

	medium = medium ? medium : medium_posix();
	code = make_dir(medium, path, &made, err);
	if (code == OK)
		code = open_dir(&d, medium, path, err);
	if (code != OK)
		return code;
	d->made = made;
	if (exists(d, VERSION_NAME) || exists(d, "chain") || exists(d, "log"))
		code = ERR_SET(
			err, STORE_E_EXISTS, "%s holds the data of a chain already%s", path,
			exists(d, VERSION_NAME)
				? ""
				: ", half made: remove chain and log in it and run init again");
	else
		code = lock(d, err);
	if (code != OK) {
		store_dir_close(d);
		return code;
	}
	error = make_names(d);
	if (error) {
		code = write_error(d, "chain", error, err);
		store_dir_remove(d);
		return code;
	}
	*out = d;
	return OK;
}

int store_dir_seal(struct store_dir *d, const struct hash *genesis_hash, struct err *err)
{
	static const char temporary[] = VERSION_NAME ".tmp";
	char hash[HEX_HASH_SIZE], text[128];
	struct medium_file *f;
	int size, error;

	size = snprintf(text, sizeof(text), "database %d\ngenesis %s\n", DATABASE_VERSION,
			hex_data(hash, hash_bytes(genesis_hash)));
	error = medium_open(d->dir, &f, temporary, MEDIUM_WRITE | MEDIUM_CREATE | MEDIUM_EMPTY);
	if (error)
		return write_error(d, temporary, error, err);
	error = medium_write(f, 0, bytes_of(text, (size_t)size));
	if (!error)
		error = f->ops->sync(f);
	medium_close(f);
	if (!error)
		error = d->dir->ops->rename(d->dir, temporary, VERSION_NAME);
	if (!error)
		error = d->dir->ops->sync_dir(d->dir);
	return error ? write_error(d, VERSION_NAME, error, err) : OK;
}

void store_dir_remove(struct store_dir *d)
{
	const struct medium_ops *ops = d->dir->ops;

	ops->unlink(d->dir, VERSION_NAME);
	ops->unlink(d->dir, VERSION_NAME ".tmp");
	ops->remove_dir(d->dir, "chain");
	ops->remove_dir(d->dir, "log");
	ops->unlink(d->dir, LOCK_NAME);
	if (d->made)
		ops->remove(d->medium->ctx, d->path);
	store_dir_close(d);
}

/* --- opening --- */

/* The rest of the line that begins with `word`; empty if there is none. */
static struct bytes line_of(struct bytes text, const char *word)
{
	size_t size = strlen(word);

	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t line = end ? (size_t)(end - text.data) : text.size;

		if (line > size && memcmp(text.data, word, size) == 0)
			return bytes_of(text.data + size, line - size);
		line += end != NULL;
		text = bytes_of(text.data + line, text.size - line);
	}
	return text;
}

static int check_version(const struct store_dir *d, struct bytes text,
			 const struct hash *genesis_hash, struct err *err)
{
	struct bytes version = line_of(text, "database "), genesis = line_of(text, "genesis ");
	char expected[16], theirs[HEX_HASH_SIZE], ours[HEX_HASH_SIZE];
	struct hash hash;

	snprintf(expected, sizeof(expected), "%d", DATABASE_VERSION);
	if (!version.size)
		return ERR_SET(err, STORE_E_CORRUPT,
			       "%s/" VERSION_NAME " names no database version; " STORE_ADVICE,
			       d->path);
	if (!bytes_equal(version, bytes_of_str(expected)))
		return ERR_SET(
			err, STORE_E_VERSION,
			"%s was written by database version %.*s, this program "
			"has %s; use the release that wrote it, or init a new directory and sync",
			d->path, (int)MIN(version.size, (size_t)16), (const char *)version.data,
			expected);
	if (!hex_parse_fixed(hash.bytes, sizeof(hash.bytes), genesis))
		return ERR_SET(err, STORE_E_CORRUPT, "%s/" VERSION_NAME " names no genesis hash; "
			       STORE_ADVICE, d->path);
	if (!hash_equal(&hash, genesis_hash)) {
		hex_data(theirs, hash_bytes(&hash));
		hex_data(ours, hash_bytes(genesis_hash));
		theirs[10] = ours[10] = 0;
		return ERR_SET(
			err, STORE_E_CHAIN,
			"%s holds the chain of genesis %s…, not of %s… as the genesis "
			"file says; use the file that it was made with, or another directory",
			d->path, theirs, ours);
	}
	return OK;
}

static int read_version(const struct store_dir *d, const struct hash *genesis_hash, struct err *err)
{
	uint8_t text[VERSION_SIZE_MAX];
	struct medium_file *f;
	size_t size = 0;
	int error = medium_open(d->dir, &f, VERSION_NAME, 0);

	if (error == ENOENT && (exists(d, "chain") || exists(d, "log")))
		return ERR_SET(err, STORE_E_CORRUPT,
			       "the data directory %s is incomplete: remove chain and log in it "
			       "and run init again",
			       d->path);
	if (error == ENOENT)
		return ERR_SET(err, STORE_E_OPEN,
			       "the data directory %s holds no chain; run init first", d->path);
	if (!error) {
		error = f->ops->read(f, 0, text, sizeof(text), &size);
		medium_close(f);
	}
	if (error)
		return ERR_SET(err, STORE_E_OPEN, "cannot open %s/" VERSION_NAME ": %s", d->path,
			       strerror(error));
	return check_version(d, bytes_of(text, size), genesis_hash, err);
}

int store_dir_open(struct store_dir **out, const struct medium *medium, const char *path,
		   const struct hash *genesis_hash, struct err *err)
{
	struct store_dir *d;
	int code = open_dir(&d, medium ? medium : medium_posix(), path, err);

	if (code != OK)
		return code;
	code = read_version(d, genesis_hash, err);
	if (code == OK)
		code = lock(d, err);
	if (code != OK) {
		store_dir_close(d);
		return code;
	}
	/* Without it less is known, and nothing wrong. */
	if (medium_open(d->dir, &d->tip, TIP_NAME, MEDIUM_WRITE | MEDIUM_CREATE) != 0)
		d->tip = NULL;
	*out = d;
	return OK;
}

/* --- the witness --- */

#define TIP_SIZE 44 /* height (8), hash (32), crc32c (4) */

void store_dir_note_tip(const struct store_dir *d, uint64_t height, const struct hash *hash)
{
	uint8_t record[TIP_SIZE];

	store_le64(record, height);
	memcpy(record + 8, hash->bytes, 32);
	store_le32(record + 40, crc32c(0, bytes_of(record, 40)));
	/* A witness that can't be written says less, and nothing wrong. */
	if (d->tip)
		(void)medium_write(d->tip, 0, bytes_of(record, sizeof(record)));
}

bool store_dir_read_tip(const struct store_dir *d, uint64_t *height, struct hash *hash)
{
	uint8_t record[TIP_SIZE];
	bool whole;

	if (!d->tip || medium_read(d->tip, 0, record, sizeof(record), &whole) != 0 || !whole ||
	    crc32c(0, bytes_of(record, 40)) != load_le32(record + 40))
		return false;
	*height = load_le64(record);
	memcpy(hash->bytes, record + 8, 32);
	return true;
}
