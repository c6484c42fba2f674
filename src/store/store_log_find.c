/*
 * Readers: which transactions have logs that somebody wants. store_log.h says how the index
 * lies.
 *
 *   in each section, from the height `at` on:
 *     of every place that the filter names, read the next rows, a few          collect()
 *     the place whose few reach furthest leads; up to there its rows are all   choose()
 *     at each of its heights, in order:
 *       leave what the other places' rows at this height do not have           narrow()
 *       read what is left of the block and compare it with the filter          give()
 *     go on behind it
 *
 * So a place with a rare term leads at once and reaches the section's end, and a common one
 * costs a few rows. Two common ones advance by turns of some rows.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "store/store_internal.h"

/* Rows of one term that are read at a time, and bytes of one place's. */
#define TURN_ROW_COUNT 64
#define TURN_SIZE (1 * MIB)
/* A place that reaches the section's end with so few rows leads without comparison. */
#define FEW_ROWS 16
/* The iterator goes over so many transactions rather than to seek. */
#define STEP_COUNT_MAX 8

/* What it takes, in µs. A seek may have to decompress blocks of several tables. */
#define SEEK_US 10
#define ROW_US 1
#define TX_US 8
#define HEADER_US 10

struct row {
	uint64_t height;
	size_t at, size; /* of its value, in data */
};

/* One place of the filter: the address, or a topic. */
struct place {
	uint64_t *terms; /* sorted; one of them */
	size_t term_count;
	size_t number;   /* LOG_PLACE_ADDRESS, or the topic's */
	struct row *rows; /* by height; of several terms several at one height */
	size_t row_count, row_capacity;
	struct buf data;
	bool is_read;
	uint64_t covered; /* if is_read: up to this height all rows are here */
};

struct find {
	struct store_reader *r;
	const struct store_log_query *q;
	struct place places[LOG_PLACE_COUNT];
	size_t place_count;
	size_t lead;           /* the place that led last */
	uint32_t section;
	uint64_t height;       /* all below it is done */
	struct kv_iter *rows, *txs;
	uint64_t tx_height;    /* where txs stands */
	uint32_t tx_index;
	bool has_tx;
	struct buf found, other, value; /* struct log_posting; the last: bytes */
};

static int charge(struct find *f, uint64_t us, struct err *err)
{
	return f->q->charge ? f->q->charge(f->q->ctx, f->height, us, err) : OK;
}

static int damaged(struct err *err, uint64_t height, const char *what)
{
	return ERR_SET(err, STORE_E_CORRUPT, "block %" PRIu64 ": log index: %s; " STORE_ADVICE,
		       height, what);
}

/* --- terms --- */

static int compare_terms(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* `values`: `count` addresses, or topics of place `number`. */
static void add_place(struct find *f, size_t number, const void *values, size_t count)
{
	struct place *p = &f->places[f->place_count];
	size_t kept = 0;
	uint8_t *raws;

	if (count == 0)
		return;
	f->place_count++;
	p->number = number;
	p->terms = xcalloc(count, sizeof(p->terms[0]));
	raws = xmalloc(count * LOG_RAW_SIZE);
	for (size_t i = 0; i < count; i++)
		if (number == LOG_PLACE_ADDRESS)
			log_raw_of_address(raws + i * LOG_RAW_SIZE,
					   (const struct addr *)values + i);
		else
			log_raw_of_topic(raws + i * LOG_RAW_SIZE, number,
					 (const struct hash *)values + i);
	log_terms_of(p->terms, raws, count);
	free(raws);
	qsort(p->terms, count, sizeof(p->terms[0]), compare_terms);
	for (size_t i = 1; i < count; i++)
		if (p->terms[i] != p->terms[kept])
			p->terms[++kept] = p->terms[i];
	p->term_count = kept + 1;
}

static bool has_term(const struct place *p, const uint8_t raw[LOG_RAW_SIZE])
{
	uint64_t term;

	log_terms_of(&term, raw, 1);
	return bsearch(&term, p->terms, p->term_count, sizeof(term), compare_terms) != NULL;
}

/* --- rows --- */

static void add_row(struct place *p, uint64_t height, struct bytes value)
{
	if (p->row_count == p->row_capacity) {
		p->row_capacity = MAX(p->row_capacity * 2, (size_t)TURN_ROW_COUNT);
		p->rows = xrealloc(p->rows, p->row_capacity * sizeof(p->rows[0]));
	}
	p->rows[p->row_count++] = (struct row){ height, p->data.size, value.size };
	buf_append_bytes(&p->data, value);
}

/* Reads the rows of one term from `at` on, a turn of them; what they reach lowers
 * p->covered. */
static int collect_term(struct find *f, struct place *p, uint64_t term, uint64_t at,
			struct err *err)
{
	struct store_key from = key_log(f->section, term, at);
	size_t prefix = from.size - KEY_LOG_HEIGHT_SIZE, start = p->data.size;
	size_t size_max = TURN_SIZE / p->term_count;
	struct bytes key, value;
	int code = charge(f, SEEK_US, err);

	if (code != OK)
		return code;
	if (f->rows)
		kv_iter_seek(f->rows, key_bytes(&from));
	else
		f->rows = kv_iter_new(f->r->kv, f->r->at, key_bytes(&from));
	for (size_t n = 1;; n++) {
		uint64_t height;

		if (!kv_iter_next(f->rows, &key, &value))
			return kv_iter_error(f->rows, err);
		if (key.size != from.size || memcmp(key.data, from.bytes, prefix) != 0)
			return OK;
		height = (uint64_t)key.data[prefix] << 32 | load_be32(key.data + prefix + 1);
		if (height > f->q->to)
			return OK;
		add_row(p, height, value);
		if (n < TURN_ROW_COUNT && p->data.size - start < size_max)
			continue;
		p->covered = MIN(p->covered, height);
		return charge(f, n * ROW_US, err);
	}
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return (x->height > y->height) - (x->height < y->height);
}

static int collect(struct find *f, struct place *p, uint64_t at, struct err *err)
{
	int code = OK;

	p->row_count = 0;
	buf_reset(&p->data);
	p->covered = f->q->to;
	for (size_t i = 0; code == OK && i < p->term_count; i++)
		code = collect_term(f, p, p->terms[i], at, err);
	if (code != OK)
		return code;
	p->is_read = true;
	if (p->term_count > 1 && p->row_count)
		qsort(p->rows, p->row_count, sizeof(p->rows[0]), compare_rows);
	while (p->row_count && p->rows[p->row_count - 1].height > p->covered)
		p->row_count--;
	return OK;
}

/* Makes f->lead the place that gets furthest from `at` on. */
static int choose(struct find *f, uint64_t at, struct err *err)
{
	size_t first = f->lead, best = first;

	for (size_t i = 0; i < f->place_count; i++)
		f->places[i].is_read = false;
	for (size_t i = 0; i < f->place_count; i++) {
		size_t which = (first + i) % f->place_count;
		struct place *p = &f->places[which], *b = &f->places[best];
		int code = collect(f, p, at, err);

		if (code != OK)
			return code;
		if (p->covered > b->covered ||
		    (p->covered == b->covered && p->row_count < b->row_count))
			best = which;
		if (f->places[best].covered == f->q->to && f->places[best].row_count <= FEW_ROWS)
			break;
	}
	f->lead = best;
	return OK;
}

/* --- what rows say of one block --- */

static int compare_postings(const void *a, const void *b)
{
	const struct log_posting *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

static size_t count_of(const struct buf *postings)
{
	return postings->size / sizeof(struct log_posting);
}

/* Postings of several rows become one list that rises. */
static int unite(struct buf *postings, uint64_t height, struct err *err)
{
	struct log_posting *all = (void *)postings->data;
	size_t count = count_of(postings), kept = 0;

	if (!count)
		return OK;
	qsort(all, count, sizeof(*all), compare_postings);
	for (size_t i = 1; i < count; i++)
		if (all[i].index != all[kept].index)
			all[++kept] = all[i];
		else if (all[i].first_log != all[kept].first_log)
			return damaged(err, height, "two rows contradict each other");
	postings->size = (kept + 1) * sizeof(*all);
	return OK;
}

static int decode_row(struct buf *out, uint64_t height, struct bytes value, struct err *err)
{
	int code = log_row_decode(out, value, err);

	return code == OK ? OK : err_prefix(err, code, "block %" PRIu64, height);
}

/* The place's postings at `height`, out of the rows that are here; those begin with row
 * `from`, where the next height's begin is given back. */
static int postings_here(const struct place *p, uint64_t height, size_t *from, struct buf *out,
			 struct err *err)
{
	size_t first = *from, i = first;
	int code = OK;

	buf_reset(out);
	for (; code == OK && i < p->row_count && p->rows[i].height == height; i++)
		code = decode_row(out, height,
				  bytes_of(p->data.data + p->rows[i].at, p->rows[i].size), err);
	*from = i;
	return code == OK && i > first + 1 ? unite(out, height, err) : code;
}

static size_t first_row_at(const struct place *p, uint64_t height)
{
	size_t low = 0, high = p->row_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->rows[middle].height < height)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int postings_stored(struct find *f, const struct place *p, uint64_t height, struct buf *out,
			   struct err *err)
{
	int code = charge(f, p->term_count * SEEK_US / 2, err);

	buf_reset(out);
	for (size_t i = 0; code == OK && i < p->term_count; i++) {
		struct store_key key = key_log(f->section, p->terms[i], height);

		buf_reset(&f->value);
		code = kv_get(f->r->kv, f->r->at, key_bytes(&key), &f->value, err);
		if (code == OK)
			code = decode_row(out, height, buf_bytes(&f->value), err);
		else if (code == STORE_E_NOT_FOUND)
			code = OK;
	}
	return code == OK && p->term_count > 1 ? unite(out, height, err) : code;
}

/* Leaves in f->found what is in f->other too. */
static int intersect(struct find *f, uint64_t height, struct err *err)
{
	struct log_posting *found = (void *)f->found.data;
	const struct log_posting *other = (const void *)f->other.data;
	size_t count = count_of(&f->found), other_count = count_of(&f->other), kept = 0;

	for (size_t i = 0, k = 0; i < count; i++) {
		while (k < other_count && other[k].index < found[i].index)
			k++;
		if (k == other_count || other[k].index != found[i].index)
			continue;
		if (other[k].first_log != found[i].first_log)
			return damaged(err, height, "two rows contradict each other");
		found[kept++] = found[i];
	}
	f->found.size = kept * sizeof(*found);
	return OK;
}

/* Leaves in f->found what the other places have as well, as far as that is cheaper than
 * to read the transactions. */
static int narrow(struct find *f, uint64_t height, struct err *err)
{
	int code = OK;

	for (size_t i = 0; code == OK && f->found.size && i < f->place_count; i++) {
		const struct place *p = &f->places[i];
		size_t from;

		if (i == f->lead)
			continue;
		if (p->is_read && height <= p->covered) {
			from = first_row_at(p, height);
			code = postings_here(p, height, &from, &f->other, err);
		} else if (count_of(&f->found) > 2 * p->term_count) {
			code = postings_stored(f, p, height, &f->other, err);
		} else {
			continue;
		}
		if (code == OK)
			code = intersect(f, height, err);
	}
	return code;
}

/* --- transactions --- */

/* Steps on to a neighbour, or seeks. */
static int read_tx(struct find *f, uint64_t height, uint32_t index, struct stored_tx *out,
		   struct err *err)
{
	struct store_key key = key_tx(height, index);
	struct bytes at = { NULL, 0 }, value = { NULL, 0 };
	size_t steps = 1;
	bool there = true;
	int code;

	if (f->has_tx && f->tx_height == height && index > f->tx_index &&
	    index - f->tx_index <= STEP_COUNT_MAX)
		steps = index - f->tx_index;
	else if (f->txs)
		kv_iter_seek(f->txs, key_bytes(&key));
	else
		f->txs = kv_iter_new(f->r->kv, f->r->at, key_bytes(&key));
	while (there && steps-- > 0)
		there = kv_iter_next(f->txs, &at, &value);
	code = kv_iter_error(f->txs, err);
	if (code != OK)
		return code;
	if (!there || !bytes_equal(at, key_bytes(&key)))
		return damaged(err, height, "it leads to a transaction that is not there");
	f->has_tx = true;
	f->tx_height = height;
	f->tx_index = index;
	code = tx_value_decode(out, value, err);
	return code == OK ? OK
			  : err_prefix(err, code, "block %" PRIu64 ", transaction %" PRIu32, height,
				       index);
}

/* The row that led here told the truth: a log has such a term. */
static bool is_true(const struct place *p, const struct receipt *r)
{
	uint8_t raw[LOG_RAW_SIZE];

	for (size_t i = 0; i < r->log_count; i++) {
		if (p->number > r->logs[i].topic_count)
			continue;
		if (p->number == LOG_PLACE_ADDRESS)
			log_raw_of_address(raw, &r->logs[i].address);
		else
			log_raw_of_topic(raw, p->number, &r->logs[i].topics[p->number - 1]);
		if (has_term(p, raw))
			return true;
	}
	return false;
}

static int give(struct find *f, uint64_t height, const struct log_posting *p, struct err *err)
{
	struct stored_tx t;
	int code = charge(f, TX_US, err);

	if (code == OK)
		code = read_tx(f, height, p->index, &t, err);
	if (code != OK)
		return code;
	if (log_filter_matches_any(f->q->filter, &t.receipt))
		code = f->q->found(f->q->ctx, height, p->index, p->first_log, &t, err);
	else if (!is_true(&f->places[f->lead], &t.receipt))
		code = damaged(err, height, "it leads to a transaction without such a log");
	stored_tx_clear(&t);
	return code;
}

/* --- the walk --- */

/* What the leading place has, up to where it reaches. */
static int follow_lead(struct find *f, struct err *err)
{
	const struct place *lead = &f->places[f->lead];
	int code = OK;

	for (size_t i = 0; code == OK && i < lead->row_count;) {
		uint64_t height = lead->rows[i].height;

		f->height = height;
		code = postings_here(lead, height, &i, &f->found, err);
		if (code == OK)
			code = narrow(f, height, err);
		for (size_t k = 0; code == OK && k < count_of(&f->found); k++)
			code = give(f, height, (const struct log_posting *)(const void *)f->found.data + k, err);
	}
	return code;
}

static int find_in_section(struct find *f, struct err *err)
{
	uint64_t at = f->q->from;
	int code = OK;

	while (code == OK && at <= f->q->to) {
		code = choose(f, at, err);
		if (code == OK)
			code = follow_lead(f, err);
		at = f->places[f->lead].covered + 1;
		/* Of a section that is behind, the next one knows where it begins. */
		if (at <= f->q->to)
			f->height = MAX(f->height, at);
	}
	return code;
}

static int section_of(struct find *f, uint64_t height, uint32_t *out, struct err *err)
{
	struct stored_header h;
	int code = charge(f, HEADER_US, err);

	if (code == OK)
		code = store_get_header(f->r->kv, f->r->at, height, &h, err);
	if (code != OK)
		return code;
	*out = h.log_section;
	stored_header_clear(&h);
	return OK;
}

static int find_by_index(struct find *f, struct err *err)
{
	uint32_t first, last;
	int code = section_of(f, f->q->from, &first, err);

	if (code == OK)
		code = section_of(f, f->q->to, &last, err);
	if (code == OK && first > last)
		code = damaged(err, f->q->to, "its section is before that of an earlier block");
	for (uint64_t section = first; code == OK && section <= last; section++) {
		f->section = (uint32_t)section;
		code = find_in_section(f, err);
	}
	return code;
}

/* --- without an index --- */

struct scan {
	struct find *f;
	uint64_t height;
	size_t log_count;
};

static int scan_tx(void *ctx, uint32_t index, const struct stored_tx *t, struct err *err)
{
	struct scan *scan = ctx;
	const struct store_log_query *q = scan->f->q;
	size_t first_log = scan->log_count;

	scan->log_count += t->receipt.log_count;
	return log_filter_matches_any(q->filter, &t->receipt)
		       ? q->found(q->ctx, scan->height, index, first_log, t, err)
		       : OK;
}

static int find_by_scan(struct find *f, struct err *err)
{
	static const struct bloom no_logs;
	int code = OK;

	for (uint64_t height = f->q->from; code == OK && height <= f->q->to; height++) {
		struct scan scan = { .f = f, .height = height };
		struct stored_header h;
		bool has_logs;
		size_t count;

		f->height = height;
		code = charge(f, HEADER_US, err);
		if (code == OK)
			code = store_get_header(f->r->kv, f->r->at, height, &h, err);
		if (code != OK)
			break;
		has_logs = memcmp(&h.header.logs_bloom, &no_logs, sizeof(no_logs)) != 0;
		count = h.tx_count;
		stored_header_clear(&h);
		if (!has_logs)
			continue;
		code = charge(f, count * TX_US, err);
		if (code == OK)
			code = store_each_tx(f->r, height, scan_tx, &scan, err);
	}
	return code;
}

int store_find_logs(struct store_reader *r, const struct store_log_query *q, struct err *err)
{
	struct find f = { .r = r, .q = q, .height = q->from };
	int code;

	CHECK(q->from <= q->to);
	if (q->to > r->height)
		return ERR_SET(err, STORE_E_NOT_FOUND, "there is no block %" PRIu64 " yet", q->to);
	add_place(&f, LOG_PLACE_ADDRESS, q->filter->addresses, q->filter->address_count);
	for (size_t i = 0; i < q->filter->place_count; i++)
		add_place(&f, i + 1, q->filter->places[i].any, q->filter->places[i].count);
	code = f.place_count ? find_by_index(&f, err) : find_by_scan(&f, err);
	for (size_t i = 0; i < f.place_count; i++) {
		free(f.places[i].terms);
		free(f.places[i].rows);
		buf_clear(&f.places[i].data);
	}
	kv_iter_free(f.rows);
	kv_iter_free(f.txs);
	buf_clear(&f.found);
	buf_clear(&f.other);
	buf_clear(&f.value);
	return code;
}
