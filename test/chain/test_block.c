#include "fixture.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

static struct buf encoded(const struct block *b)
{
	struct buf out = { 0 };

	block_encode_sealed(&out, b);
	return out;
}

Test(block, decode_gives_back_what_was_encoded)
{
	for (size_t count = 0; count < 8; count++) {
		struct buf first, second;
		struct block b, back;
		struct hash hash;

		make_block(&b, count);
		first = encoded(&b);
		cr_assert_eq(block_decode_sealed(&back, buf_bytes(&first), NULL), OK);
		cr_assert_eq(back.header.height, 77);
		cr_assert_eq(back.commitments.time_ms, 1700000000123);
		cr_assert_eq(back.tx_count, count);
		for (size_t i = 0; i < count; i++) {
			cr_assert(hash_equal(&b.txs[i]->hash, &back.txs[i]->hash));
			cr_assert_not(back.txs[i]->has_sender);
		}
		cr_assert_eq(back.withdrawal_count, 1);
		cr_assert_eq(back.withdrawals[0].amount_gwei, 16666666);
		header_hash(&b.header, &hash);
		cr_assert(hash_equal(&hash, &back.hash));
		second = encoded(&back);
		assert_bytes(buf_bytes(&second), buf_bytes(&first));
		buf_clear(&first);
		buf_clear(&second);
		block_clear(&b);
		block_clear(&back);
	}
}

Test(block, encode_is_ethereums_form)
{
	struct buf got = { 0 }, want = { 0 };
	struct rlp_reader top, block, list;
	struct bytes header, item;
	struct block b;

	make_block(&b, 3);
	block_encode(&got, &b);
	rlp_reader_init(&top, buf_bytes(&got));
	cr_assert_eq(rlp_read_list(&top, &block, NULL), OK);
	cr_assert_eq(rlp_read_raw(&block, &header, NULL), OK);
	header_encode(&want, &b.header);
	assert_bytes(header, buf_bytes(&want));
	cr_assert_eq(rlp_read_list(&block, &list, NULL), OK);
	/* A legacy transaction is an item itself, a typed one a string. */
	cr_assert_eq(rlp_read_raw(&list, &item, NULL), OK);
	assert_bytes(item, b.txs[0]->raw);
	cr_assert_eq(rlp_read_bytes(&list, &item, NULL), OK);
	assert_bytes(item, b.txs[1]->raw);
	cr_assert_eq(rlp_read_bytes(&list, &item, NULL), OK);
	assert_bytes(item, b.txs[2]->raw);
	cr_assert_eq(rlp_reader_end(&list, NULL), OK);
	cr_assert_eq(rlp_read_raw(&block, &item, NULL), OK);
	assert_bytes(item, bytes_of("\xc0", 1));
	cr_assert_eq(rlp_read_list(&block, &list, NULL), OK);
	cr_assert_eq(rlp_read_raw(&list, &item, NULL), OK);
	buf_reset(&want);
	withdrawal_encode(&want, &b.withdrawals[0]);
	assert_bytes(item, buf_bytes(&want));
	cr_assert_eq(rlp_reader_end(&list, NULL), OK);
	cr_assert_eq(rlp_reader_end(&block, NULL), OK);
	buf_clear(&got);
	buf_clear(&want);
	block_clear(&b);
}

/* Encodes `b` as it is and expects the refusal. */
static void refuse(const struct block *b, int code, const char *text)
{
	struct buf rlp = encoded(b);
	struct err err = { 0 };
	struct block back;

	cr_assert_eq(block_decode_sealed(&back, buf_bytes(&rlp), &err), code, "%s", err.message);
	cr_assert_eq(err.code, code);
	assert_message(&err, text);
	buf_clear(&rlp);
}

Test(block, decode_refuses_parts_that_disagree)
{
	struct block b;

	make_block(&b, 2);
	b.commitments.confirmed_count++;
	refuse(&b, CHAIN_E_BLOCK_FORMAT, "extraData");
	b.commitments.confirmed_count--;

	b.header.timestamp++;
	refuse(&b, CHAIN_E_BLOCK_FORMAT, "timestamp");
	b.header.timestamp--;

	b.header.transactions_root.bytes[31] ^= 1;
	refuse(&b, CHAIN_E_BLOCK_FORMAT, "transactionsRoot");
	b.header.transactions_root.bytes[31] ^= 1;

	b.withdrawals[0].amount_gwei++;
	refuse(&b, CHAIN_E_BLOCK_FORMAT, "withdrawalsRoot");
	b.withdrawals[0].amount_gwei--;

	struct tx *swapped = b.txs[0];
	b.txs[0] = b.txs[1];
	b.txs[1] = swapped;
	refuse(&b, CHAIN_E_BLOCK_FORMAT, "transactionsRoot");
	block_clear(&b);
}

Test(block, decode_refuses_too_many_parts)
{
	struct block b;
	struct tx *t;

	make_block(&b, 1);
	t = b.txs[0];
	free(b.txs);
	b.txs = xcalloc(BLOCK_TX_COUNT_MAX + 1, sizeof(*b.txs));
	for (b.tx_count = 0; b.tx_count < BLOCK_TX_COUNT_MAX + 1; b.tx_count++)
		b.txs[b.tx_count] = tx_ref(t);
	refuse(&b, CHAIN_E_BLOCK_LIMIT, "10001 transactions, 10000 are allowed");
	tx_unref(b.txs[--b.tx_count]);
	tx_unref(t);
	free(b.withdrawals);
	b.withdrawals = xcalloc(BLOCK_WITHDRAWAL_COUNT_MAX + 1, sizeof(*b.withdrawals));
	b.withdrawal_count = BLOCK_WITHDRAWAL_COUNT_MAX + 1;
	refuse(&b, CHAIN_E_BLOCK_LIMIT, "1025 withdrawals, 1024 are allowed");
	b.withdrawal_count--;
	reseal(&b);
	struct buf rlp = encoded(&b);
	struct block back;
	cr_assert_eq(block_decode_sealed(&back, buf_bytes(&rlp), NULL), OK);
	block_clear(&back);
	buf_clear(&rlp);
	block_clear(&b);
}

Test(block, decode_refuses_too_many_bytes)
{
	struct buf rlp = { 0 };
	struct err err = { 0 };
	struct block b, back;
	size_t sealed, body;

	memset(buf_extend(&rlp, BLOCK_SEALED_SIZE_MAX + 1), 0xc0, BLOCK_SEALED_SIZE_MAX + 1);
	cr_assert_eq(block_decode_sealed(&back, buf_bytes(&rlp), &err), CHAIN_E_BLOCK_LIMIT);
	/* The sealed form has room for the commitments, Ethereum's form has not. */
	buf_reset(&rlp);
	make_block(&b, 0);
	sealed = rlp_list_open(&rlp);
	body = rlp_list_open(&rlp);
	memset(buf_extend(&rlp, BLOCK_SIZE_MAX), 0x80, BLOCK_SIZE_MAX);
	rlp_list_close(&rlp, body);
	commitments_encode(&rlp, &b.commitments);
	rlp_list_close(&rlp, sealed);
	cr_assert_lt(rlp.size, BLOCK_SEALED_SIZE_MAX);
	cr_assert_eq(block_decode_sealed(&back, buf_bytes(&rlp), &err), CHAIN_E_BLOCK_LIMIT);
	assert_message(&err, "8388612 bytes, 8388608 are allowed");
	block_clear(&b);
	buf_clear(&rlp);
}

/* A block whose one transaction is the item given. */
static void refuse_tx_item(struct bytes item, const char *text)
{
	struct buf rlp = { 0 };
	size_t sealed = rlp_list_open(&rlp), body = rlp_list_open(&rlp), list;
	struct err err = { 0 };
	struct block b, back;

	make_block(&b, 0);
	header_encode(&rlp, &b.header);
	list = rlp_list_open(&rlp);
	buf_append_bytes(&rlp, item);
	rlp_list_close(&rlp, list);
	buf_append(&rlp, "\xc0\xc0", 2);
	rlp_list_close(&rlp, body);
	commitments_encode(&rlp, &b.commitments);
	rlp_list_close(&rlp, sealed);
	cr_assert_neq(block_decode_sealed(&back, buf_bytes(&rlp), &err), OK);
	assert_message(&err, text);
	buf_clear(&rlp);
	block_clear(&b);
}

Test(block, decode_refuses_transactions_in_the_wrong_wrapping)
{
	struct tx *legacy = make_tx(TX_LEGACY, 1);
	struct buf item = { 0 };

	rlp_put_bytes(&item, legacy->raw); /* a string around a legacy one: a second encoding */
	refuse_tx_item(buf_bytes(&item), "transaction 0 is a string, but not of a typed one");
	refuse_tx_item(bytes_of("\x80", 1), "transaction 0 is a string, but not of a typed one");
	refuse_tx_item(bytes_of("\x03", 1), "transaction 0: transaction type not supported");
	refuse_tx_item(bytes_of("\xc0", 1), "transaction 0: rlp: transaction, nonce");
	buf_clear(&item);
	tx_unref(legacy);
}

Test(block, decode_refuses_ommers)
{
	struct block b, back;

	make_block(&b, 0);
	b.withdrawal_count = 0;
	reseal(&b);
	for (int ommer_count = 0; ommer_count < 2; ommer_count++) {
		struct buf rlp = { 0 };
		size_t sealed = rlp_list_open(&rlp), body = rlp_list_open(&rlp), ommers;

		header_encode(&rlp, &b.header);
		buf_append_byte(&rlp, 0xc0);
		ommers = rlp_list_open(&rlp);
		for (int i = 0; i < ommer_count; i++)
			header_encode(&rlp, &b.header);
		rlp_list_close(&rlp, ommers);
		buf_append_byte(&rlp, 0xc0);
		rlp_list_close(&rlp, body);
		commitments_encode(&rlp, &b.commitments);
		rlp_list_close(&rlp, sealed);
		cr_assert_eq(block_decode_sealed(&back, buf_bytes(&rlp), NULL),
			     ommer_count ? CHAIN_E_BLOCK_FORMAT : OK);
		if (!ommer_count)
			block_clear(&back);
		buf_clear(&rlp);
	}
	block_clear(&b);
}

/* Every byte of a block is bound by its hash, or the block is refused. */
Test(block, decode_of_any_changed_byte_fails_or_changes_the_hash)
{
	struct block b, back;
	struct buf rlp;

	make_block(&b, 3);
	rlp = encoded(&b);
	for (size_t i = 0; i < rlp.size; i++) {
		for (unsigned bit = 0; bit < 8; bit += 3) {
			rlp.data[i] ^= (uint8_t)(1u << bit);
			if (block_decode_sealed(&back, buf_bytes(&rlp), NULL) == OK) {
				cr_assert_not(hash_equal(&back.hash, &b.hash), "byte %zu", i);
				block_clear(&back);
			}
			rlp.data[i] ^= (uint8_t)(1u << bit);
		}
	}
	buf_clear(&rlp);
	block_clear(&b);
}

Test(block, decode_of_every_prefix_fails)
{
	struct block b, back;
	struct buf rlp;

	make_block(&b, 2);
	rlp = encoded(&b);
	for (size_t size = 0; size < rlp.size; size++)
		cr_assert_neq(block_decode_sealed(&back, bytes_of(rlp.data, size), NULL), OK);
	buf_clear(&rlp);
	block_clear(&b);
}
