/* The log index: terms, rows, and what a block writes of them. */
#include "store/store_log.h"

#include <stdlib.h>

#include "base/check.h"
#include "chain/params.h"
#include "crypto/keccak.h"
#include "store/store_keys.h"

/* --- terms --- */

void log_raw_of_address(uint8_t out[LOG_RAW_SIZE], const struct addr *address)
{
	memset(out, 0, LOG_RAW_SIZE - sizeof(*address));
	memcpy(out + LOG_RAW_SIZE - sizeof(*address), address, sizeof(*address));
}

void log_raw_of_topic(uint8_t out[LOG_RAW_SIZE], size_t place, const struct hash *topic)
{
	out[0] = (uint8_t)place;
	memcpy(out + 1, topic, sizeof(*topic));
}

#define HASH_AT_ONCE 64

void log_terms_of(uint64_t out[], const uint8_t *raws, size_t count)
{
	struct bytes messages[HASH_AT_ONCE];
	struct hash hashes[HASH_AT_ONCE];

	for (size_t done = 0; done < count; done += HASH_AT_ONCE) {
		size_t n = MIN(count - done, (size_t)HASH_AT_ONCE);

		for (size_t i = 0; i < n; i++)
			messages[i] = bytes_of(raws + (done + i) * LOG_RAW_SIZE, LOG_RAW_SIZE);
		keccak256_batch(hashes, messages, n);
		for (size_t i = 0; i < n; i++)
			out[done + i] = load_be64(hashes[i].bytes) >> 16;
	}
}

/* --- a row's value --- */

/* Seven bits a byte, the lowest first; the last byte has its eighth bit clear. */
static void put_number(struct buf *out, uint32_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_append_byte(out, (uint8_t)(n | 0x80));
	buf_append_byte(out, (uint8_t)n);
}

/* False if it is cut off, needlessly long, or above 32 bits. */
static bool take_number(struct bytes *in, uint32_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < MIN(in->size, (size_t)5); i++) {
		n |= (uint64_t)(in->data[i] & 0x7f) << 7 * i;
		if (in->data[i] & 0x80)
			continue;
		if (n > UINT32_MAX || (i > 0 && in->data[i] == 0))
			return false;
		*out = (uint32_t)n;
		*in = bytes_of(in->data + i + 1, in->size - i - 1);
		return true;
	}
	return false;
}

void log_row_encode(struct buf *out, const struct log_posting items[], size_t count)
{
	struct log_posting least = { 0, 0 };

	for (size_t i = 0; i < count; i++) {
		CHECK(items[i].index >= least.index && items[i].first_log >= least.first_log);
		put_number(out, items[i].index - least.index);
		put_number(out, items[i].first_log - least.first_log);
		least = (struct log_posting){ items[i].index + 1, items[i].first_log + 1 };
	}
}

int log_row_decode(struct buf *out, struct bytes value, struct err *err)
{
	uint64_t index = 0, first_log = 0;
	size_t mark = out->size;

	if (value.size == 0)
		return ERR_SET(err, STORE_E_CORRUPT, "broken log index: an empty row");
	while (value.size) {
		uint32_t skipped, logs;
		struct log_posting p;

		if (!take_number(&value, &skipped) || !take_number(&value, &logs) ||
		    index + skipped >= BLOCK_TX_COUNT_MAX || first_log + logs >= UINT32_MAX) {
			out->size = mark;
			return ERR_SET(err, STORE_E_CORRUPT, "broken log index: a broken row");
		}
		p = (struct log_posting){ (uint32_t)(index + skipped),
					  (uint32_t)(first_log + logs) };
		buf_append(out, &p, sizeof(p));
		index = p.index + 1;
		first_log = p.first_log + 1;
	}
	return OK;
}

/* --- a block's rows --- */

struct log_number {
	uint32_t number;     /* of a distinct raw, in the order of the block */
	uint32_t last_index; /* the transaction that had it last */
};

/* A transaction has a term. */
struct log_entry_at {
	uint32_t number;
	struct log_posting posting;
};

struct ordered {
	uint64_t term;
	uint32_t number;
	uint32_t first;      /* of its postings */
	uint32_t count;
};

/* A block with more terms than this does not have its memory kept for the next. */
#define KEPT_COUNT_MAX 65536

void log_writer_init(struct log_writer *w, uint64_t seed)
{
	*w = (struct log_writer){ .seed = seed };
	map_init(&w->numbers, LOG_RAW_SIZE, sizeof(struct log_number), seed);
}

void log_writer_clear(struct log_writer *w)
{
	map_clear(&w->numbers);
	buf_clear(&w->raws);
	buf_clear(&w->entries);
	buf_clear(&w->order);
	buf_clear(&w->postings);
	buf_clear(&w->value);
}

static void note_term(struct log_writer *w, const uint8_t raw[LOG_RAW_SIZE], struct log_posting p)
{
	struct log_entry_at entry = { .posting = p };
	struct log_number *n;
	bool added;

	n = map_put(&w->numbers, raw, &added);
	if (added) {
		n->number = (uint32_t)(w->numbers.count - 1);
		buf_append(&w->raws, raw, LOG_RAW_SIZE);
	} else if (n->last_index == p.index) {
		return;
	}
	n->last_index = p.index;
	entry.number = n->number;
	buf_append(&w->entries, &entry, sizeof(entry));
}

static void note_block(struct log_writer *w, const struct store_block *b)
{
	uint32_t first_log = 0;

	for (size_t i = 0; i < b->block->tx_count; i++) {
		const struct receipt *r = &b->receipts[i];
		struct log_posting p = { (uint32_t)i, first_log };
		uint8_t raw[LOG_RAW_SIZE];

		for (size_t k = 0; k < r->log_count; k++) {
			log_raw_of_address(raw, &r->logs[k].address);
			note_term(w, raw, p);
			for (size_t t = 0; t < r->logs[k].topic_count; t++) {
				log_raw_of_topic(raw, t + 1, &r->logs[k].topics[t]);
				note_term(w, raw, p);
			}
		}
		first_log += (uint32_t)r->log_count;
	}
}

static int compare_ordered(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	return (x->term > y->term) - (x->term < y->term);
}

static int compare_postings(const void *a, const void *b)
{
	const struct log_posting *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

/* Brings the entries to their terms: postings in the order of terms' numbers, and a
 * list of terms with where theirs are. Gives its count. */
static size_t gather(struct log_writer *w)
{
	const struct log_entry_at *entries = (const void *)w->entries.data;
	size_t count = w->numbers.count, entry_count = w->entries.size / sizeof(*entries);
	struct ordered *order;
	struct log_posting *postings;
	uint32_t first = 0;
	uint64_t *terms;

	buf_reset(&w->order);
	buf_reset(&w->postings);
	order = (void *)buf_extend(&w->order, count * sizeof(*order));
	postings = (void *)buf_extend(&w->postings, entry_count * sizeof(*postings));
	memset(order, 0, count * sizeof(*order));
	terms = xcalloc(count, sizeof(*terms));
	log_terms_of(terms, w->raws.data, count);
	for (size_t i = 0; i < entry_count; i++)
		order[entries[i].number].count++;
	for (size_t i = 0; i < count; i++) {
		order[i].term = terms[i];
		order[i].first = first;
		first += order[i].count;
		order[i].count = 0;
	}
	for (size_t i = 0; i < entry_count; i++) {
		struct ordered *o = &order[entries[i].number];

		postings[o->first + o->count++] = entries[i].posting;
	}
	free(terms);
	return count;
}

/* Different values with one term, which somebody may have looked for, share a row. */
static void encode_shared(struct log_writer *w, const struct ordered same[], size_t count)
{
	const struct log_posting *postings = (const void *)w->postings.data;
	struct buf joined = { 0 };
	struct log_posting *all;
	size_t total, kept = 0;

	for (size_t i = 0; i < count; i++)
		buf_append(&joined, postings + same[i].first, same[i].count * sizeof(*postings));
	all = (void *)joined.data;
	total = joined.size / sizeof(*all);
	qsort(all, total, sizeof(*all), compare_postings);
	for (size_t i = 1; i < total; i++)
		if (all[i].index != all[kept].index)
			all[++kept] = all[i];
	log_row_encode(&w->value, all, kept + 1);
	buf_clear(&joined);
}

static uint32_t put_rows(struct log_writer *w, struct kv_batch *batch, uint64_t height,
			 uint32_t section, size_t count)
{
	struct ordered *order = (void *)w->order.data;
	const struct log_posting *postings = (const void *)w->postings.data;
	uint32_t rows = 0;

	qsort(order, count, sizeof(*order), compare_ordered);
	for (size_t i = 0, end; i < count; i = end, rows++) {
		struct store_key key = key_log(section, order[i].term, height);

		for (end = i + 1; end < count && order[end].term == order[i].term;)
			end++;
		buf_reset(&w->value);
		if (end == i + 1)
			log_row_encode(&w->value, postings + order[i].first, order[i].count);
		else
			encode_shared(w, order + i, end - i);
		kv_batch_put(batch, key_bytes(&key), buf_bytes(&w->value));
	}
	return rows;
}

void store_log_put(struct log_writer *w, struct kv_batch *batch, const struct store_block *b,
		   uint32_t section_rows, struct log_place *place)
{
	uint64_t height = b->block->header.height;
	size_t count;

	CHECK(height <= KEY_LOG_HEIGHT_MAX);
	if (place->rows >= section_rows) {
		CHECK(place->section < UINT32_MAX);
		*place = (struct log_place){ place->section + 1, 0 };
	}
	note_block(w, b);
	if (!w->numbers.count)
		return;
	count = gather(w);
	place->rows += put_rows(w, batch, height, place->section, count);
	if (count > KEPT_COUNT_MAX) {
		log_writer_clear(w);
		log_writer_init(w, w->seed);
	}
	map_reset(&w->numbers);
	buf_reset(&w->raws);
	buf_reset(&w->entries);
}
