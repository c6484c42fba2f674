/* Epochs: when they are due, and as bytes. */
#include "chain/epoch.h"

#include "fixture.h"

#include "chain/tx.h"
#include "codec/rlp.h"

static void make_epoch(struct epoch *out, size_t count)
{
	struct validator members[VALIDATOR_COUNT_MAX];

	*out = (struct epoch){ .number = 7, .first = 700, .start_ms = 1700000000123 };
	for (size_t i = 0; i < count; i++)
		members[i] = (struct validator){ addr_of(i), { 1 + i } };
	cr_assert_eq(validator_set_init(&out->set, members, count, NULL), OK);
}

Test(epoch, genesis_begins_number_zero)
{
	struct secret_key keys[3];
	struct genesis g;
	struct epoch e;

	genesis_default(&g, 1, 5000);
	make_set(&g.validators, keys, 3, NULL);
	epoch_genesis(&e, &g);
	cr_assert_eq(e.number, 0);
	cr_assert_eq(e.first, 0);
	cr_assert_eq(e.start_ms, 5000);
	cr_assert(hash_equal(&e.set.hash, &g.validators.hash));
	genesis_clear(&g);
}

Test(epoch, is_due_by_length_or_time)
{
	struct chain_params p = { .epoch_length = 10 };
	struct epoch e = { .first = 100, .start_ms = 1000 };

	cr_assert_not(epoch_is_due(&p, &e, 108, UINT64_MAX));
	cr_assert(epoch_is_due(&p, &e, 109, 0));
	cr_assert(epoch_is_due(&p, &e, 500, 0));
	p.epoch_ms = 50;
	cr_assert_not(epoch_is_due(&p, &e, 100, 1049));
	cr_assert(epoch_is_due(&p, &e, 100, 1050));
	cr_assert_not(epoch_is_due(&p, &e, 100, 999), "a parent from before its start");
	e.start_ms = UINT64_MAX - 5;
	cr_assert_not(epoch_is_due(&p, &e, 100, UINT64_MAX));
	p.epoch_length = 1;
	cr_assert(epoch_is_due(&p, &e, 100, 0));
}

Test(epoch, decode_gives_what_was_encoded)
{
	static const size_t counts[] = { 1, 2, 51, VALIDATOR_COUNT_MAX };

	for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
		struct epoch e, back;
		struct buf b = { 0 }, again = { 0 };

		make_epoch(&e, counts[i]);
		epoch_encode(&b, &e);
		cr_assert_eq(epoch_decode(&back, buf_bytes(&b), NULL), OK);
		cr_assert_eq(back.number, 7);
		cr_assert_eq(back.first, 700);
		cr_assert_eq(back.start_ms, 1700000000123);
		cr_assert_eq(back.set.count, counts[i]);
		cr_assert_eq(back.set.total.n, e.set.total.n);
		cr_assert(hash_equal(&back.set.hash, &e.set.hash));
		epoch_encode(&again, &back);
		assert_bytes(buf_bytes(&again), buf_bytes(&b));
		buf_clear(&b);
		buf_clear(&again);
	}
}

static void put_epoch(struct buf *out, const struct validator members[], size_t count)
{
	size_t list, set;

	buf_reset(out);
	list = rlp_list_open(out);
	rlp_put_u64(out, 1);
	rlp_put_u64(out, 2);
	rlp_put_u64(out, 3);
	set = rlp_list_open(out);
	for (size_t i = 0; i < count; i++) {
		size_t member = rlp_list_open(out);

		rlp_put_addr(out, &members[i].address);
		rlp_put_u64(out, members[i].weight.n);
		rlp_list_close(out, member);
	}
	rlp_list_close(out, set);
	rlp_list_close(out, list);
}

static void refuse(struct bytes rlp, const char *text)
{
	struct epoch e = { .number = 99 };
	struct err err = { 0 };

	cr_assert_eq(epoch_decode(&e, rlp, &err), CHAIN_E_BLOCK_FORMAT);
	assert_message(&err, text);
	cr_assert_eq(e.number, 99, "nothing is changed");
}

Test(epoch, decode_refuses_what_is_no_epoch)
{
	struct validator members[] = { { { { 1 } }, { 1 } }, { { { 2 } }, { 1 } } };
	struct validator many[VALIDATOR_COUNT_MAX + 1];
	struct buf b = { 0 };
	struct epoch e;

	put_epoch(&b, members, 0);
	refuse(buf_bytes(&b), "no set");
	members[1].weight.n = 0;
	put_epoch(&b, members, 2);
	refuse(buf_bytes(&b), "no set");
	members[1].weight.n = VALIDATOR_WEIGHT_MAX + 1;
	put_epoch(&b, members, 2);
	refuse(buf_bytes(&b), "no set");
	members[1] = members[0];
	put_epoch(&b, members, 2);
	refuse(buf_bytes(&b), "order");
	members[0].address.bytes[0] = 3;
	put_epoch(&b, members, 2);
	refuse(buf_bytes(&b), "order");
	for (size_t i = 0; i < ARRAY_COUNT(many); i++)
		many[i] = (struct validator){ { { (uint8_t)(i >> 8), (uint8_t)i } }, { 1 } };
	put_epoch(&b, many, ARRAY_COUNT(many));
	refuse(buf_bytes(&b), "validators");
	/* every way of cutting a good one short, and a byte too many */
	make_epoch(&e, 3);
	buf_reset(&b);
	epoch_encode(&b, &e);
	for (size_t size = 0; size < b.size; size++)
		refuse(bytes_of(b.data, size), "epoch");
	buf_append_byte(&b, 0);
	refuse(buf_bytes(&b), "epoch");
	buf_clear(&b);
}
