#include "chain/receipt.h"

#include <stdlib.h>

#include "base/check.h"
#include "chain/block.h"
#include "chain/decode.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

/* An empty log: list, address, empty topics, empty data. */
#define LOG_SIZE_MIN 24

void receipt_clear(struct receipt *r)
{
	free(r->logs);
	r->logs = NULL;
	r->log_count = 0;
}

void receipt_set_logs(struct receipt *r, const struct log_entry logs[], size_t count)
{
	size_t size = count * sizeof(*logs);
	struct log_entry *kept;
	uint8_t *data;

	for (size_t i = 0; i < count; i++)
		size += logs[i].data.size;
	kept = xmalloc(size);
	data = (uint8_t *)(kept + count);
	for (size_t i = 0; i < count; i++) {
		CHECK(logs[i].topic_count <= LOG_TOPIC_MAX);
		kept[i] = logs[i];
		kept[i].data.data = data;
		if (logs[i].data.size)
			memcpy(data, logs[i].data.data, logs[i].data.size);
		data += logs[i].data.size;
	}
	free(r->logs);
	r->logs = kept;
	r->log_count = count;
}

/* Three bits for each value (yellow paper, 4.4.1). */
static void bloom_add(struct bloom *bloom, struct bytes value)
{
	struct hash h;

	keccak256(&h, value);
	for (int i = 0; i < 6; i += 2) {
		unsigned bit = (unsigned)(h.bytes[i] << 8 | h.bytes[i + 1]) & (8 * BLOOM_SIZE - 1);

		bloom->bytes[BLOOM_SIZE - 1 - bit / 8] |= (uint8_t)(1u << bit % 8);
	}
}

void receipt_bloom(const struct receipt *r, struct bloom *bloom)
{
	for (size_t i = 0; i < r->log_count; i++) {
		const struct log_entry *log = &r->logs[i];

		bloom_add(bloom, addr_bytes(&log->address));
		for (size_t j = 0; j < log->topic_count; j++)
			bloom_add(bloom, hash_bytes(&log->topics[j]));
	}
}

static void put_logs(struct buf *out, const struct receipt *r)
{
	size_t list = rlp_list_open(out);

	for (size_t i = 0; i < r->log_count; i++) {
		const struct log_entry *log = &r->logs[i];
		size_t entry = rlp_list_open(out), topics;

		rlp_put_addr(out, &log->address);
		topics = rlp_list_open(out);
		for (size_t j = 0; j < log->topic_count; j++)
			rlp_put_hash(out, &log->topics[j]);
		rlp_list_close(out, topics);
		rlp_put_bytes(out, log->data);
		rlp_list_close(out, entry);
	}
	rlp_list_close(out, list);
}

void receipt_encode(struct buf *out, const struct receipt *r)
{
	struct bloom bloom = { 0 };
	size_t list;

	receipt_bloom(r, &bloom);
	if (r->type != TX_LEGACY)
		buf_append_byte(out, (uint8_t)r->type);
	list = rlp_list_open(out);
	rlp_put_u64(out, r->success);
	rlp_put_u64(out, r->cumulative_gas_used);
	rlp_put_bytes(out, bytes_of(bloom.bytes, BLOOM_SIZE));
	put_logs(out, r);
	rlp_list_close(out, list);
}

void receipts_root(struct hash *out, const struct receipt receipts[], size_t count)
{
	struct bytes *values = xmalloc(count * sizeof(*values));
	struct buf encoded = { 0 };
	size_t start = 0;

	buf_reserve(&encoded, count * (BLOOM_SIZE + 32));
	for (size_t i = 0; i < count; i++) {
		receipt_encode(&encoded, &receipts[i]);
		values[i].size = encoded.size - start;
		start = encoded.size;
	}
	start = 0;
	for (size_t i = 0; i < count; i++) {
		values[i].data = encoded.data + start;
		start += values[i].size;
	}
	ordered_root(out, values, count);
	free(values);
	buf_clear(&encoded);
}

void receipt_encode_stored(struct buf *out, const struct receipt *r)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, (uint64_t)r->type);
	rlp_put_u64(out, r->success);
	rlp_put_u64(out, r->gas_used);
	rlp_put_u64(out, r->cumulative_gas_used);
	put_logs(out, r);
	rlp_list_close(out, list);
}

static void decode_log(struct decoder *d, struct rlp_reader *r, struct log_entry *log)
{
	struct rlp_reader entry, topics;

	*log = (struct log_entry){ 0 };
	decode_list(d, r, "log", &entry);
	decode_addr(d, &entry, "log address", &log->address);
	decode_list_counted(d, &entry, "log topics", LOG_TOPIC_MAX, &topics, &log->topic_count);
	for (size_t i = 0; i < log->topic_count; i++)
		decode_hash(d, &topics, "log topic", &log->topics[i]);
	decode_bytes(d, &entry, "log data", SIZE_MAX, &log->data);
	decode_end(d, &entry);
}

int receipt_decode_stored(struct receipt *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "receipt", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct rlp_reader r, list;
	struct receipt receipt = { 0 };
	struct log_entry *logs = NULL;
	uint64_t type;
	size_t count;

	decode_top(&d, &r, rlp);
	decode_bounded(&d, &r, "type", TX_SET_CODE, &type);
	receipt.type = (enum tx_type)type;
	decode_bool(&d, &r, "success", &receipt.success);
	decode_u64(&d, &r, "gas used", &receipt.gas_used);
	decode_u64(&d, &r, "cumulative gas used", &receipt.cumulative_gas_used);
	decode_list_counted(&d, &r, "logs", rlp.size / LOG_SIZE_MIN, &list, &count);
	decode_end(&d, &r);
	logs = xcalloc(count, sizeof(*logs));
	for (size_t i = 0; d.status == OK && i < count; i++)
		decode_log(&d, &list, &logs[i]);
	if (d.status == OK) {
		receipt_set_logs(&receipt, logs, count);
		*out = receipt;
	}
	free(logs);
	return d.status;
}
