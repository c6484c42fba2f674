#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/check.h"
#include "store/sample.h"
#include "store/scratch.h"
#include "store/store_internal.h"

/* --- rows --- */

static int decode(struct bytes value, struct buf *out)
{
	buf_reset(out);
	return log_row_decode(out, value, NULL);
}

Test(log, keep_rows)
{
	struct buf value = { 0 }, back = { 0 };
	struct rng rng;

	rng_init(&rng, 1);
	for (size_t round = 0; round < 500; round++) {
		struct log_posting items[40];
		size_t count = 1 + rng_below(&rng, ARRAY_COUNT(items));
		uint32_t index = (uint32_t)rng_below(&rng, 1000), log = (uint32_t)rng_below(&rng, 1 << 30);

		for (size_t i = 0; i < count; i++) {
			items[i] = (struct log_posting){ index, log };
			index += 1 + (uint32_t)rng_below(&rng, round % 2 ? 2 : 200);
			log += 1 + (uint32_t)rng_below(&rng, round % 3 ? 2 : 70000);
		}
		buf_reset(&value);
		log_row_encode(&value, items, count);
		cr_assert_eq(decode(buf_bytes(&value), &back), OK);
		cr_assert(bytes_equal(buf_bytes(&back), bytes_of(items, count * sizeof(items[0]))));
	}
	buf_clear(&value);
	buf_clear(&back);
}

/* Neighbours with one log each are two bytes of zero. */
Test(log, write_small_rows)
{
	static const struct log_posting items[] = { { 5, 300 }, { 6, 301 }, { 8, 304 } };
	static const uint8_t expected[] = { 5, 0xac, 2, 0, 0, 1, 2 };
	struct buf value = { 0 };

	log_row_encode(&value, items, ARRAY_COUNT(items));
	cr_assert(bytes_equal(buf_bytes(&value), bytes_of(expected, sizeof(expected))));
	buf_clear(&value);
}

Test(log, refuse_broken_rows)
{
	static const struct {
		const char *bytes;
		size_t size;
	} rows[] = {
		{ "", 0 },                         /* nothing */
		{ "\x01", 1 },                     /* half a posting */
		{ "\x01\x80", 2 },                 /* a number without an end */
		{ "\x80\x00\x01", 3 },             /* longer than it need be */
		{ "\x01\x02\x03", 3 },             /* half a second posting */
		{ "\x90\x4e\x00", 3 },             /* transaction 10,000 */
		{ "\x8f\x4e\x00\x00\x00", 5 },     /* 9,999, then the next */
		{ "\x00\xff\xff\xff\xff\x0f", 6 }, /* log 2^32 - 1 */
		{ "\x00\xff\xff\xff\xff\x1f", 6 }, /* a number of 33 bits */
		{ "\x00\xff\xff\xff\xff\xff\x01", 7 },
	};
	static const char good[] = "\x8f\x4e\xfe\xff\xff\xff\x0f";
	struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		cr_expect_eq(decode(bytes_of(rows[i].bytes, rows[i].size), &out), STORE_E_CORRUPT, "row %zu", i);
		cr_expect_eq(out.size, 0);
	}
	cr_expect_eq(decode(bytes_of(good, sizeof(good) - 1), &out), OK);
	buf_clear(&out);
}

static uint64_t term_of_topic(size_t place, const struct hash *topic)
{
	uint8_t raw[LOG_RAW_SIZE];
	uint64_t term;

	log_raw_of_topic(raw, place, topic);
	log_terms_of(&term, raw, 1);
	return term;
}

static uint64_t term_of_address(const struct addr *address)
{
	uint8_t raw[LOG_RAW_SIZE];
	uint64_t term;

	log_raw_of_address(raw, address);
	log_terms_of(&term, raw, 1);
	return term;
}

/* An address that stands in a topic is another term, and so is a topic at another place. */
Test(log, tell_places_apart)
{
	struct hash topic = { { [12] = 7, [31] = 1 } };
	struct addr address = { { [0] = 7, [19] = 1 } };
	uint64_t terms[LOG_PLACE_COUNT];

	terms[0] = term_of_address(&address);
	for (size_t i = 1; i < LOG_PLACE_COUNT; i++)
		terms[i] = term_of_topic(i, &topic);
	for (size_t i = 0; i < LOG_PLACE_COUNT; i++) {
		cr_expect(terms[i] >> 48 == 0);
		for (size_t k = 0; k < i; k++)
			cr_expect_neq(terms[i], terms[k]);
	}
}

/* --- blocks with logs of our own --- */

/* A chain in memory or in a directory, with blocks whose receipts are the test's. */
struct chain {
	struct sample m;
	char top[SCRATCH_PATH_MAX], dir[SCRATCH_PATH_MAX];
};

static void open_chain(struct chain *c, uint64_t seed, uint32_t section_rows, bool on_disk)
{
	struct err err = { 0 };

	if (on_disk) {
		scratch_new(c->top);
		scratch_path(c->dir, c->top, "data");
	}
	sample_init(&c->m, seed, on_disk ? c->dir : NULL);
	c->m.options.log_section_rows = section_rows;
	if (on_disk)
		cr_assert_eq(store_create(&c->m.options, &c->m.genesis, &err), OK, "%s", err.message);
	cr_assert_eq(sample_open(&c->m, &err), OK, "%s", err.message);
}

static void close_chain(struct chain *c, bool on_disk)
{
	sample_clear(&c->m);
	if (on_disk)
		scratch_remove(c->top);
}

/* A block of `tx_count` transactions; `logs[i]`: transaction i's one log, unless its
 * place is -1. */
struct planned_log {
	int tx;
	uint8_t address;
	size_t topic_count;
	uint64_t topics[LOG_TOPIC_MAX];
};

static struct addr planned_address(uint8_t n)
{
	return (struct addr){ { [19] = n } };
}

static struct hash planned_topic(uint64_t n)
{
	struct hash h = { { 0 } };

	store_be64(h.bytes + 24, n);
	return h;
}

static void add_block(struct sample *m, size_t tx_count, const struct planned_log plan[], size_t count)
{
	struct sample_block b;

	sample_make(m, &b, tx_count);
	for (size_t i = 0; i < tx_count; i++) {
		struct log_entry logs[16] = { 0 };
		size_t n = 0;

		for (size_t k = 0; k < count; k++) {
			if (plan[k].tx != (int)i)
				continue;
			CHECK(n < ARRAY_COUNT(logs));
			logs[n].address = planned_address(plan[k].address);
			logs[n].topic_count = plan[k].topic_count;
			for (size_t t = 0; t < plan[k].topic_count; t++)
				logs[n].topics[t] = planned_topic(plan[k].topics[t]);
			n++;
		}
		receipt_set_logs(&b.receipts[i], logs, n);
	}
	CHECK(store_log(m->s, &b.b, NULL) == OK);
	store_log_sync(m->s);
	CHECK(store_apply(m->s, &b.b, NULL) == OK);
	store_state_written(m->s, m->height);
	sample_block_clear(&b);
}

/* A filter of one address (0: any) and one topic a place (0: any); to be cleared. */
static struct log_filter filter_of(uint8_t address, const uint64_t topics[], size_t count)
{
	struct log_filter f = { .place_count = count };

	if (address) {
		f.addresses = xcalloc(1, sizeof(*f.addresses));
		f.addresses[f.address_count++] = planned_address(address);
	}
	for (size_t i = 0; i < count; i++)
		if (topics[i]) {
			f.places[i].any = xcalloc(1, sizeof(struct hash));
			f.places[i].any[f.places[i].count++] = planned_topic(topics[i]);
		}
	return f;
}

#define FOUND_MAX 64
struct found {
	size_t count, stop_after;
	uint64_t heights[FOUND_MAX];
	uint32_t indexes[FOUND_MAX];
	size_t first_logs[FOUND_MAX];
	uint64_t us, us_max, searched;
};

static int note(void *ctx, uint64_t height, uint32_t index, size_t first_log, const struct stored_tx *t,
		struct err *err)
{
	struct found *f = ctx;

	if (f->stop_after && f->count == f->stop_after)
		return ERR_SET(err, 77, "enough");
	if (f->count < FOUND_MAX) {
		f->heights[f->count] = height;
		f->indexes[f->count] = index;
		f->first_logs[f->count] = first_log;
	}
	f->count++;
	return OK;
}

/* The heights rise, and none is below what was asked or found. */
static int pay(void *ctx, uint64_t height, uint64_t us, struct err *err)
{
	struct found *f = ctx;

	cr_expect_geq(height, f->searched);
	cr_expect(f->count == 0 || f->count > FOUND_MAX || height >= f->heights[f->count - 1]);
	f->searched = height;
	f->us += us;
	return f->us_max && f->us > f->us_max ? ERR_SET(err, 78, "too much") : OK;
}

/* Takes the filter. */
static int find(struct sample *m, struct log_filter f, uint64_t from, uint64_t to, struct found *out,
		struct err *err)
{
	struct store_reader *r = store_reader_new(m->s);
	struct store_log_query q = {
		.filter = &f, .from = from, .to = to, .found = note, .charge = pay, .ctx = out,
	};
	int code;

	log_filter_sort(&f);
	code = store_find_logs(r, &q, err);
	store_reader_free(r);
	log_filter_clear(&f);
	return code;
}

Test(log, find_what_each_place_names)
{
	static const struct planned_log plan[] = {
		{ 0, 1, 1, { 10 } },
		{ 0, 2, 2, { 10, 20 } },
		{ 2, 1, 2, { 11, 20 } },
		{ 3, 3, 0, { 0 } },
		{ 3, 1, 4, { 10, 10, 10, 10 } },
	};
	static const struct {
		uint8_t address;
		size_t place_count;
		uint64_t topics[4];
		size_t count;
		uint32_t indexes[4];
		size_t first_logs[4];
	} rows[] = {
		{ 1, 0, { 0 }, 3, { 0, 2, 3 }, { 0, 2, 3 } },
		{ 3, 0, { 0 }, 1, { 3 }, { 3 } },
		{ 9, 0, { 0 }, 0, { 0 }, { 0 } },
		{ 0, 1, { 10 }, 2, { 0, 3 }, { 0, 3 } },
		{ 0, 2, { 0, 20 }, 2, { 0, 2 }, { 0, 2 } },
		{ 0, 2, { 20, 0 }, 0, { 0 }, { 0 } },          /* at another place */
		{ 2, 1, { 10 }, 1, { 0 }, { 0 } },
		{ 1, 2, { 10, 20 }, 0, { 0 }, { 0 } },         /* only in two logs of one transaction */
		{ 1, 2, { 11, 20 }, 1, { 2 }, { 2 } },
		{ 0, 4, { 0, 0, 0, 10 }, 1, { 3 }, { 3 } },
		{ 0, 0, { 0 }, 3, { 0, 2, 3 }, { 0, 2, 3 } },  /* all logs */
		{ 0, 1, { 0 }, 3, { 0, 2, 3 }, { 0, 2, 3 } },  /* with a topic */
		{ 0, 3, { 0 }, 1, { 3 }, { 3 } },              /* with three */
		{ 3, 1, { 0 }, 0, { 0 }, { 0 } },              /* has none */
	};
	struct chain c;

	open_chain(&c, 21, 0, false);
	add_block(&c.m, 2, NULL, 0);
	add_block(&c.m, 4, plan, ARRAY_COUNT(plan));
	add_block(&c.m, 0, NULL, 0);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct found found = { 0 };

		cr_assert_eq(find(&c.m, filter_of(rows[i].address, rows[i].topics, rows[i].place_count), 0, 3,
				  &found, NULL),
			     OK);
		cr_assert_eq(found.count, rows[i].count, "row %zu: %zu", i, found.count);
		for (size_t k = 0; k < found.count; k++) {
			cr_expect_eq(found.heights[k], 2);
			cr_expect_eq(found.indexes[k], rows[i].indexes[k], "row %zu", i);
			cr_expect_eq(found.first_logs[k], rows[i].first_logs[k], "row %zu", i);
		}
	}
	close_chain(&c, false);
}

/* These topics have the same 48 bits at place 1: found by trying some 2^25. */
Test(log, keep_apart_values_of_one_term)
{
	static const uint64_t twins[2][2] = { { 18622831, 22204145 }, { 31473421, 38117448 } };
	struct chain c;

	open_chain(&c, 22, 0, false);
	for (size_t i = 0; i < 2; i++) {
		struct hash a = planned_topic(twins[i][0]), b = planned_topic(twins[i][1]);
		const struct planned_log plan[] = {
			{ 0, 1, 1, { twins[i][1] } },
			{ 1, 1, 1, { twins[i][0] } },
			{ 2, 1, 1, { twins[i][1] } },
			{ 2, 1, 1, { twins[i][0] } },
			{ 3, 1, 1, { 5 } },
		};
		const struct planned_log next[] = { { 0, 1, 1, { twins[i][1] } } };
		struct found found[3] = { 0 };
		struct log_filter both = filter_of(0, twins[i], 1);

		cr_assert_eq(term_of_topic(1, &a), term_of_topic(1, &b));
		add_block(&c.m, 4, plan, ARRAY_COUNT(plan));
		add_block(&c.m, 1, next, 1);
		for (size_t k = 0; k < 2; k++)
			cr_assert_eq(find(&c.m, filter_of(0, &twins[i][k], 1), 0, c.m.height, &found[k], NULL), OK);
		cr_assert_eq(found[0].count, 2);
		cr_expect(found[0].indexes[0] == 1 && found[0].indexes[1] == 2);
		cr_assert_eq(found[1].count, 3);
		cr_expect(found[1].indexes[0] == 0 && found[1].indexes[1] == 2 && found[1].indexes[2] == 0);
		both.places[0].any = xrealloc(both.places[0].any, 2 * sizeof(struct hash));
		both.places[0].any[both.places[0].count++] = b;
		cr_assert_eq(find(&c.m, both, 0, c.m.height, &found[2], NULL), OK);
		cr_assert_eq(found[2].count, 4);
	}
	close_chain(&c, false);
}

/* More rows than a turn reads, more transactions a block than a step goes over, alone and
 * with a rare one; in one section and in many. */
Test(log, find_common_and_rare_terms)
{
	static const uint32_t sections[] = { 0, 40, 1 };

	for (size_t s = 0; s < ARRAY_COUNT(sections); s++) {
		uint64_t rare[] = { 77 }, both[] = { 5, 77 }, common[] = { 5 };
		struct found found = { 0 };
		struct chain c;

		open_chain(&c, 23, sections[s], false);
		for (size_t h = 1; h <= 300; h++) {
			struct planned_log plan[13];

			for (int i = 0; i < 12; i++)
				plan[i] = (struct planned_log){ i, 1, 2, { 5, 1000 + h * 12 + (size_t)i } };
			plan[12] = (struct planned_log){ 11, 1, 2, { 5, 77 } };
			add_block(&c.m, 12, plan, h % 100 == 50 ? 13 : 12);
		}
		cr_assert_eq(find(&c.m, filter_of(1, NULL, 0), 0, 300, &found, NULL), OK);
		cr_expect_eq(found.count, 3600);
		found = (struct found){ 0 };
		cr_assert_eq(find(&c.m, filter_of(1, common, 1), 100, 299, &found, NULL), OK);
		cr_expect_eq(found.count, 2400);
		cr_expect_eq(found.heights[0], 100);
		cr_expect_eq(found.heights[12], 101);
		cr_expect_eq(found.first_logs[11], 11);
		found = (struct found){ 0 };
		cr_assert_eq(find(&c.m, filter_of(0, rare, 1), 0, 300, &found, NULL), OK);
		cr_expect_eq(found.count, 0); /* at the first place */
		found = (struct found){ 0 };
		cr_assert_eq(find(&c.m, filter_of(1, both, 2), 0, 300, &found, NULL), OK);
		cr_assert_eq(found.count, 3);
		for (size_t i = 0; i < 3; i++)
			cr_expect(found.heights[i] == 50 + 100 * i && found.indexes[i] == 11);
		if (sections[s] == 0)
			cr_expect_lt(found.us, 3000, "%llu", (unsigned long long)found.us);
		close_chain(&c, false);
	}
}

Test(log, agree_with_scan_of_long_chain)
{
	static const uint32_t sections[] = { 0, 7, 300 };

	for (size_t s = 0; s < ARRAY_COUNT(sections); s++) {
		struct store_reader *r;
		size_t total = 0;
		struct chain c;
		struct rng rng;

		open_chain(&c, 24 + s, sections[s], s == 1);
		rng_init(&rng, s);
		for (size_t i = 0; i < 240; i++) {
			struct sample_block b;

			sample_make(&c.m, &b, rng_below(&rng, 14));
			CHECK(store_log(c.m.s, &b.b, NULL) == OK);
			store_log_sync(c.m.s);
			CHECK(store_apply(c.m.s, &b.b, NULL) == OK);
			store_state_written(c.m.s, c.m.height);
			sample_block_clear(&b);
		}
		r = store_reader_new(c.m.s);
		for (size_t i = 0; i < 400; i++) {
			uint64_t from = rng_below(&rng, 241), to = from + rng_below(&rng, 241 - from);
			struct log_filter f;
			const char *bad;
			size_t count;

			sample_filter(&f, &rng);
			bad = sample_compare_logs(r, &f, from, to, &count);
			cr_assert_null(bad, "%s", bad);
			total += log_filter_term_count(&f) ? count : 0;
			log_filter_clear(&f);
		}
		cr_expect_gt(total, 2000);
		store_reader_free(r);
		close_chain(&c, s == 1);
	}
}

/* A snapshot knows no later rows, and is not asked beyond its height. */
Test(log, see_only_the_snapshots_blocks)
{
	static const struct planned_log plan[] = { { 0, 1, 0, { 0 } } };
	struct log_filter f = filter_of(1, NULL, 0);
	struct found found = { 0 };
	struct store_log_query q = { .filter = &f, .to = 1, .found = note, .ctx = &found };
	struct store_reader *r;
	struct chain c;

	open_chain(&c, 27, 0, false);
	add_block(&c.m, 1, plan, 1);
	r = store_reader_new(c.m.s);
	add_block(&c.m, 1, plan, 1);
	cr_assert_eq(store_find_logs(r, &q, NULL), OK);
	cr_expect_eq(found.count, 1);
	q.to = 2;
	cr_assert_eq(store_find_logs(r, &q, NULL), STORE_E_NOT_FOUND);
	store_reader_free(r);
	r = store_reader_new(c.m.s);
	found.count = 0;
	cr_assert_eq(store_find_logs(r, &q, NULL), OK);
	cr_expect_eq(found.count, 2);
	store_reader_free(r);
	log_filter_clear(&f);
	close_chain(&c, false);
}

Test(log, end_when_told)
{
	static const struct planned_log plan[] = { { 0, 1, 1, { 5 } }, { 1, 1, 1, { 5 } } };
	struct found found = { .stop_after = 3 };
	struct err err = { 0 };
	struct chain c;

	open_chain(&c, 28, 0, false);
	for (size_t i = 0; i < 10; i++)
		add_block(&c.m, 2, plan, 2);
	cr_assert_eq(find(&c.m, filter_of(1, NULL, 0), 0, 10, &found, &err), 77);
	cr_expect_eq(found.count, 3);
	cr_expect_str_eq(err.message, "enough");
	found = (struct found){ .us_max = 100 };
	cr_assert_eq(find(&c.m, filter_of(1, NULL, 0), 0, 10, &found, &err), 78);
	cr_expect_lt(found.count, 20);
	found = (struct found){ .us_max = 100 };
	cr_assert_eq(find(&c.m, filter_of(0, NULL, 0), 0, 10, &found, &err), 78);
	cr_expect_lt(found.count, 20);
	close_chain(&c, false);
}

/* --- over restarts --- */

static void read_places(struct sample *m, struct log_place out[], size_t count)
{
	struct store_reader *r = store_reader_new(m->s);

	for (size_t h = 0; h < count; h++) {
		struct stored_header header;

		cr_assert_eq(store_read_header(r, h, &header, NULL), OK);
		out[h] = (struct log_place){ header.log_section, header.log_rows };
		stored_header_clear(&header);
	}
	store_reader_free(r);
}

/* Where a section ends follows from the blocks, not from when the node was started. */
Test(log, keep_sections_over_restarts)
{
	enum { COUNT = 120 };
	struct log_place straight[COUNT + 1], broken[COUNT + 1];
	struct chain a, b;
	struct rng rng;

	rng_init(&rng, 6);
	open_chain(&a, 29, 60, false);
	sample_run(&a.m, COUNT);
	open_chain(&b, 29, 60, true);
	while (b.m.height < COUNT) {
		sample_run(&b.m, MIN(1 + rng_below(&rng, 15), COUNT - b.m.height));
		if (rng_below(&rng, 2))
			sample_flush(&b.m);
		sample_close(&b.m);
		cr_assert_eq(sample_open(&b.m, NULL), OK);
	}
	read_places(&a.m, straight, COUNT + 1);
	read_places(&b.m, broken, COUNT + 1);
	cr_assert_arr_eq(straight, broken, sizeof(straight));
	cr_assert_gt(straight[COUNT].section, 2);
	for (size_t h = 1; h <= COUNT; h++) {
		bool begins = straight[h].section != straight[h - 1].section;

		cr_expect_eq(begins, straight[h - 1].rows >= 60);
		cr_expect(begins || straight[h].rows >= straight[h - 1].rows);
	}
	close_chain(&a, false);
	close_chain(&b, true);
}

/* --- rot --- */

static void put_raw(struct sample *m, const struct store_key *key, struct bytes value)
{
	struct kv_batch *batch = kv_batch_new(m->s->kv);

	if (value.size)
		kv_batch_put(batch, key_bytes(key), value);
	else
		kv_batch_delete(batch, key_bytes(key));
	CHECK(kv_write(m->s->kv, batch, false, NULL) == OK);
	kv_batch_free(batch);
}

static void put_postings(struct sample *m, const struct store_key *key, const struct log_posting items[],
			 size_t count)
{
	struct buf value = { 0 };

	log_row_encode(&value, items, count);
	put_raw(m, key, buf_bytes(&value));
	buf_clear(&value);
}

/* Each is done to a row of its own block, and said with that block's height. */
Test(log, tell_rot)
{
	static const struct planned_log plan[] = {
		{ 0, 1, 1, { 5 } }, { 1, 1, 2, { 5, 6 } }, { 2, 2, 1, { 5 } }, { 3, 2, 0, { 0 } },
		{ 4, 1, 1, { 5 } }, { 5, 1, 1, { 5 } },
	};
	static const uint64_t five[] = { 5 };
	const struct addr one = planned_address(1);
	const struct hash topic = planned_topic(5);
	struct found found = { 0 };
	struct err err = { 0 };
	struct store_key key;
	struct chain c;

	open_chain(&c, 31, 0, false);
	for (size_t i = 0; i < 9; i++)
		add_block(&c.m, 6, plan, ARRAY_COUNT(plan));
#define ADDRESS_ROW(h) (key = key_log(0, term_of_address(&one), h), &key)
#define TOPIC_ROW(h) (key = key_log(0, term_of_topic(1, &topic), h), &key)
#define REFUSED(h, topics, words) \
	do { \
		found.count = 0; \
		cr_expect_eq(find(&c.m, filter_of(1, five, topics), h, h, &found, &err), STORE_E_CORRUPT); \
		cr_expect(strstr(err.message, "block " #h), "%s", err.message); \
		cr_expect(strstr(err.message, words), "%s", err.message); \
	} while (0)
	put_raw(&c.m, ADDRESS_ROW(1), bytes_of("\x00", 1));
	REFUSED(1, 0, "broken row");
	/* a transaction that is not there */
	put_postings(&c.m, ADDRESS_ROW(2), (struct log_posting[]){ { 0, 0 }, { 9, 9 } }, 2);
	REFUSED(2, 0, "not there");
	/* one without such a log */
	put_postings(&c.m, ADDRESS_ROW(3), (struct log_posting[]){ { 0, 0 }, { 3, 3 } }, 2);
	REFUSED(3, 0, "without such a log");
	/* two rows that disagree */
	put_postings(&c.m, ADDRESS_ROW(4), (struct log_posting[]){ { 0, 0 }, { 1, 2 }, { 4, 4 } }, 3);
	REFUSED(4, 1, "contradict");
	/* of a lost transaction */
	key = key_tx(5, 1);
	put_raw(&c.m, &key, bytes_of(NULL, 0));
	REFUSED(5, 1, "not there");
	/* a transaction's row */
	key = key_tx(6, 0);
	put_raw(&c.m, &key, bytes_of("\xc0", 1));
	REFUSED(6, 1, "transaction");
	/* a row of the other place, at a height that is only looked up */
	put_raw(&c.m, TOPIC_ROW(7), bytes_of("\x80", 1));
	REFUSED(7, 1, "broken row");
	/* the header that names the section */
	key = key_number(COLUMN_HEADER, 8);
	put_raw(&c.m, &key, bytes_of("\xc1\x80", 2));
	REFUSED(8, 1, "header");
	cr_expect_eq(find(&c.m, filter_of(1, five, 1), 9, 9, &found, &err), OK);
#undef ADDRESS_ROW
#undef TOPIC_ROW
#undef REFUSED
	close_chain(&c, false);
}

static bool find_table(char out[SCRATCH_PATH_MAX], const char *dir)
{
	for (size_t i = 0; scratch_find(out, dir, "", i); i++)
		if (strlen(out) > 4 && strcmp(out + strlen(out) - 4, ".ldb") == 0)
			return true;
	return false;
}

/* A byte of a table that is on disk. */
Test(log, refuse_damaged_table)
{
	char path[SCRATCH_PATH_MAX], table[SCRATCH_PATH_MAX];
	size_t refused = 0, in_search = 0;
	struct found found = { 0 };
	struct buf content = { 0 };
	struct chain c;

	open_chain(&c, 32, 0, true);
	for (size_t i = 0; i < 40; i++) {
		struct planned_log plan[4];

		for (int k = 0; k < 4; k++)
			plan[k] = (struct planned_log){ k, 1, 2, { 5, 100 + i * 4 + (size_t)k } };
		add_block(&c.m, 4, plan, 4);
	}
	sample_flush(&c.m);
	kv_compact(c.m.s->kv, bytes_of("\x00", 1), bytes_of("\xff", 1));
	sample_close(&c.m);
	scratch_path(path, c.dir, "chain");
	cr_assert(find_table(table, path));
	scratch_read(&content, table);
	for (size_t n = 0; n < 40; n++) {
		uint64_t at = n * content.size / 40;
		int code;

		scratch_flip(table, at);
		code = sample_open(&c.m, NULL);
		if (code == OK) {
			found = (struct found){ 0 };
			code = find(&c.m, filter_of(1, NULL, 0), 0, 40, &found, NULL);
			cr_expect(code == STORE_E_CORRUPT || (code == OK && found.count == 160), "%llu %d %zu", (unsigned long long)at, code, found.count);
			in_search += code == STORE_E_CORRUPT;
			sample_close(&c.m);
		}
		refused += code != OK;
		scratch_flip(table, at);
	}
	cr_expect_gt(refused, 10);
	cr_expect_gt(in_search, 0);
	buf_clear(&content);
	close_chain(&c, true);
}
