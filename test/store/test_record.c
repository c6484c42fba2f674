/*
 * The values of the database and of the commit log, with every item of them dropped, doubled or
 * replaced by another kind of item: refused, or read as what they are.
 */
#include <criterion/criterion.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "codec/rlp.h"
#include "store/sample.h"
#include "store/store_record.h"

static const struct log_place place = { 3, 40 };

enum mutation { DROP, DOUBLE, EMPTY_STRING, EMPTY_LIST, LONG_STRING, FLIP, MUTATION_COUNT };

static void put_mutated(struct buf *out, struct bytes item, enum mutation how)
{
	static const uint8_t noise[70] = { 0x9f, 0xff, 1 };
	size_t at = out->size;

	switch (how) {
	case DROP:
	case MUTATION_COUNT:
		break;
	case DOUBLE:
		buf_append_bytes(out, item);
		buf_append_bytes(out, item);
		break;
	case EMPTY_STRING:
		rlp_put_bytes(out, bytes_of(NULL, 0));
		break;
	case EMPTY_LIST:
		rlp_list_close(out, rlp_list_open(out));
		break;
	case LONG_STRING:
		rlp_put_bytes(out, bytes_of(noise, sizeof(noise)));
		break;
	case FLIP:
		buf_append_bytes(out, item);
		out->data[at + item.size - 1] ^= 1;
		break;
	}
}

/* Copies an item with everything in it; the one that *left counts down to is mutated. False if
 * there are fewer. */
static bool copy(struct buf *out, struct bytes item, size_t *left, enum mutation how)
{
	bool done = false;
	struct rlp_reader top, list;
	struct bytes inner;
	size_t open;

	if ((*left)-- == 0) {
		put_mutated(out, item, how);
		return true;
	}
	rlp_reader_init(&top, item);
	if (item.data[0] < 0xc0) {
		buf_append_bytes(out, item);
		return false;
	}
	CHECK(rlp_read_list(&top, &list, NULL) == OK);
	open = rlp_list_open(out);
	while (list.at < list.end) {
		CHECK(rlp_read_raw(&list, &inner, NULL) == OK);
		done |= copy(out, inner, left, how);
	}
	rlp_list_close(out, open);
	return done;
}

typedef int (*decode_fn)(struct bytes value, struct err *err);

/* Gives how many mutations were refused. */
static size_t try_all(struct bytes value, decode_fn decode)
{
	size_t refused = 0;

	cr_assert_eq(decode(value, NULL), OK);
	for (int how = 0; how < MUTATION_COUNT; how++) {
		for (size_t n = 0, left = 0;; left = ++n) {
			struct buf mutated = { 0 };
			struct err err = { 0 };
			int code;

			if (!copy(&mutated, value, &left, (enum mutation)how)) {
				buf_clear(&mutated);
				break; /* there is no nth item */
			}
			code = decode(buf_bytes(&mutated), refused % 2 ? &err : NULL);
			cr_assert(code == OK || code == STORE_E_CORRUPT, "mutation %d of item %zu",
				  how, n);
			refused += code != OK;
			buf_clear(&mutated);
		}
	}
	return refused;
}

static int decode_commit(struct bytes value, struct err *err)
{
	struct commit_record r;
	int code = commit_decode(&r, value, err);

	if (code == OK)
		commit_clear(&r);
	return code;
}

static int decode_header(struct bytes value, struct err *err)
{
	struct stored_header h;
	int code = header_value_decode(&h, value, err);

	if (code == OK)
		stored_header_clear(&h);
	return code;
}

static int decode_tx(struct bytes value, struct err *err)
{
	struct stored_tx t;
	int code = tx_value_decode(&t, value, err);

	if (code == OK)
		stored_tx_clear(&t);
	return code;
}

static int decode_tip(struct bytes value, struct err *err)
{
	struct tip_record tip;

	return tip_decode(&tip, value, err);
}

Test(record, refuse_every_mutated_item)
{
	struct tip_record tip = { .height = 300, .withdrawal_index = 70000 };
	size_t commits = 0, headers = 0, txs = 0;
	struct buf value = { 0 }, tx_values = { 0 };
	struct sample m;

	sample_init(&m, 3, NULL);
	cr_assert_eq(sample_open(&m, NULL), OK);
	for (size_t n = 0; n < 6; n++) {
		struct sample_block b;
		uint32_t checksum = 7;

		sample_make(&m, &b, 2);
		buf_reset(&value);
		commit_encode(&value, &b.b);
		commits += try_all(buf_bytes(&value), decode_commit);
		buf_reset(&tx_values);
		tx_value_encode(&tx_values, &b.b, 0);
		txs += try_all(buf_bytes(&tx_values), decode_tx);
		buf_reset(&value);
		header_value_encode(&value, &b.b, buf_bytes(&tx_values), &place, &checksum);
		headers += try_all(buf_bytes(&value), decode_header);
		sample_block_clear(&b);
	}
	buf_reset(&value);
	tip_encode(&value, &tip);
	cr_assert_gt(try_all(buf_bytes(&value), decode_tip), 10);
	cr_assert(commits > 1000 && headers > 300 && txs > 100, "%zu %zu %zu", commits, headers,
		  txs);
	buf_clear(&value);
	buf_clear(&tx_values);
	sample_clear(&m);
}

/* A list of nine items of which one is a number that is too large. */
Test(record, refuse_large_numbers_in_header)
{
	struct buf value = { 0 }, mutated = { 0 };
	struct rlp_reader top, list;
	struct sample_block b;
	uint32_t checksum = 7;
	struct bytes item;
	struct sample m;

	sample_init(&m, 4, NULL);
	cr_assert_eq(sample_open(&m, NULL), OK);
	sample_make(&m, &b, 0);
	header_value_encode(&value, &b.b, bytes_of(NULL, 0), &place, &checksum);
	/* header, commitments, withdrawals, transactions, size, certificate, log section, log rows,
	 * checksum */
	for (size_t large = 3; large <= 8; large++) {
		size_t open;

		if (large == 4 || large == 5)
			continue;

		buf_reset(&mutated);
		rlp_reader_init(&top, buf_bytes(&value));
		CHECK(rlp_read_list(&top, &list, NULL) == OK);
		open = rlp_list_open(&mutated);
		for (size_t i = 0; i < 9; i++) {
			CHECK(rlp_read_raw(&list, &item, NULL) == OK);
			if (i == large)
				rlp_put_u64(&mutated, 1ull << 40);
			else
				buf_append_bytes(&mutated, item);
		}
		rlp_list_close(&mutated, open);
		cr_assert_eq(decode_header(buf_bytes(&mutated), NULL), STORE_E_CORRUPT);
	}
	buf_clear(&value);
	buf_clear(&mutated);
	sample_block_clear(&b);
	sample_clear(&m);
}

/* Copies a list with item `which` replaced by `other`. */
static void replace_item(struct buf *out, struct bytes value, size_t which, struct bytes other)
{
	struct rlp_reader top, list;
	struct bytes item;
	size_t open;

	buf_reset(out);
	rlp_reader_init(&top, value);
	CHECK(rlp_read_list(&top, &list, NULL) == OK);
	open = rlp_list_open(out);
	for (size_t i = 0; list.at < list.end; i++) {
		CHECK(rlp_read_raw(&list, &item, NULL) == OK);
		buf_append_bytes(out, i == which ? other : item);
	}
	rlp_list_close(out, open);
}

/* `count` of them, each as it should be. */
static void put_withdrawals(struct buf *out, size_t count)
{
	size_t list = rlp_list_open(out);

	for (size_t i = 0; i < count; i++) {
		const struct addr to = { { [19] = 1 } };
		size_t item = rlp_list_open(out);

		rlp_put_u64(out, i);
		rlp_put_u64(out, 1);
		rlp_put_addr(out, &to);
		rlp_put_u64(out, 7);
		rlp_list_close(out, item);
	}
	rlp_list_close(out, list);
}

static void check_broken_header(struct buf *value, const char *what)
{
	struct stored_header h;
	struct err err = { 0 };

	cr_assert_eq(header_value_decode(&h, buf_bytes(value), &err), STORE_E_CORRUPT);
	cr_assert(strstr(err.message, what), "%s", err.message);
	cr_assert_null(h.withdrawals);
}

/* All else is right: only this item can be what it is refused for. */
Test(record, refuse_header_that_is_none_and_too_many_withdrawals)
{
	static const uint8_t lists[][3] = { { 0xc0 }, { 0xc1, 0x80 }, { 0xc2, 0x01, 0x02 } };
	struct buf value = { 0 }, mutated = { 0 }, withdrawals = { 0 };
	struct sample_block b;
	struct stored_header h;
	uint32_t checksum = 7;
	struct sample m;

	sample_init(&m, 5, NULL);
	cr_assert_eq(sample_open(&m, NULL), OK);
	sample_make(&m, &b, 1);
	header_value_encode(&value, &b.b, bytes_of(NULL, 0), &place, &checksum);
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
		replace_item(&mutated, buf_bytes(&value), 0, bytes_of(lists[i], i + 1));
		check_broken_header(&mutated, "header record");
	}
	replace_item(&mutated, buf_bytes(&value), 0, bytes_of("\x80", 1));
	check_broken_header(&mutated, "header record");

	put_withdrawals(&withdrawals, BLOCK_WITHDRAWAL_COUNT_MAX);
	replace_item(&mutated, buf_bytes(&value), 2, buf_bytes(&withdrawals));
	cr_assert_eq(header_value_decode(&h, buf_bytes(&mutated), NULL), OK);
	cr_assert_eq(h.withdrawal_count, BLOCK_WITHDRAWAL_COUNT_MAX);
	cr_assert_eq(h.withdrawals[BLOCK_WITHDRAWAL_COUNT_MAX - 1].index, BLOCK_WITHDRAWAL_COUNT_MAX - 1);
	stored_header_clear(&h);
	buf_reset(&withdrawals);
	put_withdrawals(&withdrawals, BLOCK_WITHDRAWAL_COUNT_MAX + 1);
	replace_item(&mutated, buf_bytes(&value), 2, buf_bytes(&withdrawals));
	check_broken_header(&mutated, "header record");
	buf_clear(&value);
	buf_clear(&mutated);
	buf_clear(&withdrawals);
	sample_block_clear(&b);
	sample_clear(&m);
}

/* The checksum is right for what is no epoch: written so, not rotted. */
static void put_epoch_value(struct buf *out, struct bytes rlp)
{
	uint32_t sum = crc32c(0, rlp);

	buf_reset(out);
	for (size_t i = 0; i < 4; i++)
		buf_append_byte(out, (uint8_t)(sum >> (8 * i)));
	buf_append_bytes(out, rlp);
}

Test(record, refuse_rotten_epoch)
{
	const struct validator members[] = {
		{ { { [19] = 1 } }, { 5 } }, { { { [19] = 2 } }, { 1 } }, { { { [19] = 9 } }, { 300 } },
	};
	struct epoch e = { .number = 3, .first = 40, .start_ms = 1700000000000 }, back;
	struct buf value = { 0 }, rlp = { 0 }, item = { 0 };
	struct commit_record r;
	struct sample_block b;
	struct err err = { 0 };
	struct sample m;

	CHECK(validator_set_init(&e.set, members, ARRAY_COUNT(members), NULL) == OK);
	epoch_value_encode(&value, &e);
	cr_assert_eq(epoch_value_decode(&back, buf_bytes(&value), NULL), OK);
	cr_assert_eq(back.number, e.number);
	cr_assert_eq(back.set.count, e.set.count);
	for (size_t size = 0; size < value.size; size++)
		cr_assert_eq(epoch_value_decode(&back, bytes_of(value.data, size), NULL), STORE_E_CORRUPT);
	for (size_t bit = 0; bit < value.size * 8; bit++) {
		value.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_eq(epoch_value_decode(&back, buf_bytes(&value), NULL), STORE_E_CORRUPT, "bit %zu", bit);
		value.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* Its members in a list of none, under a checksum that fits. */
	epoch_encode(&rlp, &e);
	replace_item(&item, buf_bytes(&rlp), 3, bytes_of("\xc0", 1));
	put_epoch_value(&value, buf_bytes(&item));
	cr_assert_eq(epoch_value_decode(&back, buf_bytes(&value), &err), STORE_E_CORRUPT);
	cr_assert(strstr(err.message, "epoch record"), "%s", err.message);

	/* The same within a record of the commit log. */
	sample_init(&m, 6, NULL);
	cr_assert_eq(sample_open(&m, NULL), OK);
	sample_make(&m, &b, 1);
	b.b.epoch = &e;
	buf_reset(&value);
	commit_encode(&value, &b.b);
	cr_assert_eq(commit_decode(&r, buf_bytes(&value), NULL), OK);
	cr_assert_eq(r.epoch->number, e.number);
	commit_clear(&r);
	buf_reset(&rlp);
	rlp_put_bytes(&rlp, buf_bytes(&item));
	replace_item(&item, buf_bytes(&value), 8, buf_bytes(&rlp));
	err = (struct err){ 0 };
	cr_assert_eq(commit_decode(&r, buf_bytes(&item), &err), STORE_E_CORRUPT);
	cr_assert(strstr(err.message, "commit record"), "%s", err.message);
	buf_clear(&value);
	buf_clear(&rlp);
	buf_clear(&item);
	sample_block_clear(&b);
	sample_clear(&m);
}
