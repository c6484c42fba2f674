/*
 * The HISTORY value, to be searched where it stands: a state of the past is found
 * by looking an account up in some of these, and most hold thousands of others.
 *
 *   account count n (4), slot count m (4)
 *   n × address (20), rising          m × address, slot (52), rising
 *   n + m × where its value ends (4)  values, one after the other
 *
 * Numbers are little-endian. An account's value is its flat form, empty for none;
 * a slot's is its number, big-endian, without leading zeros.
 */
#include "base/check.h"
#include "store/store_record.h"

#define HEADER_SIZE 8
#define ADDRESS_SIZE sizeof(struct addr)
#define SLOT_KEY_SIZE sizeof(struct slot_key)

static_assert(SLOT_KEY_SIZE == 52, "a slot's key is stored as it is in memory");

static void put_u32(struct buf *out, size_t n)
{
	CHECK(n <= UINT32_MAX);
	store_le32(buf_extend(out, 4), (uint32_t)n);
}

/* The value from before of entry `i` of a difference: accounts, then slots. */
static struct bytes value_of(uint8_t out[ACCOUNT_RLP_MAX], const struct state_diff *d, size_t i)
{
	if (i >= d->account_count)
		return slot_value_encode(out, &d->slots[i - d->account_count].before);
	if (account_equal(&d->accounts[i].before, &account_empty))
		return bytes_of(out, 0);
	return bytes_of(out, account_encode_flat(out, &d->accounts[i].before));
}

void history_encode(struct buf *out, const struct state_diff *d)
{
	size_t count = d->account_count + d->slot_count, first, end = 0;
	uint8_t value[ACCOUNT_RLP_MAX];

	put_u32(out, d->account_count);
	put_u32(out, d->slot_count);
	for (size_t i = 0; i < d->account_count; i++)
		buf_append_bytes(out, addr_bytes(&d->accounts[i].address));
	for (size_t i = 0; i < d->slot_count; i++) {
		buf_append_bytes(out, addr_bytes(&d->slots[i].address));
		buf_append_bytes(out, hash_bytes(&d->slots[i].slot));
	}
	first = out->size;
	buf_extend(out, 4 * count);
	for (size_t i = 0; i < count; i++) {
		struct bytes v = value_of(value, d, i);

		end += v.size;
		CHECK(end <= UINT32_MAX);
		store_le32(out->data + first + 4 * i, (uint32_t)end);
		buf_append_bytes(out, v);
	}
}

static int broken(struct err *err)
{
	return ERR_SET(err, STORE_E_CORRUPT, "broken history record");
}

int history_open(struct history *out, struct bytes value, struct err *err)
{
	uint64_t accounts, slots, table;

	if (value.size < HEADER_SIZE)
		return broken(err);
	accounts = load_le32(value.data);
	slots = load_le32(value.data + 4);
	table = HEADER_SIZE + accounts * (ADDRESS_SIZE + 4) + slots * (SLOT_KEY_SIZE + 4);
	if (table > value.size)
		return broken(err);
	out->account_count = (size_t)accounts;
	out->slot_count = (size_t)slots;
	out->addresses = value.data + HEADER_SIZE;
	out->slot_keys = out->addresses + accounts * ADDRESS_SIZE;
	out->ends = out->slot_keys + slots * SLOT_KEY_SIZE;
	out->values = bytes_of(value.data + table, value.size - (size_t)table);
	return OK;
}

/* The place of `key` among `count` rising keys of `size` bytes; `count`: nowhere. */
static size_t search(const uint8_t *keys, size_t count, const void *key, size_t size)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(keys + middle * size, key, size);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return count;
}

static int entry_value(const struct history *h, size_t i, struct bytes *out, struct err *err)
{
	size_t start = i ? load_le32(h->ends + 4 * (i - 1)) : 0, end = load_le32(h->ends + 4 * i);

	if (start > end || end > h->values.size)
		return broken(err);
	*out = bytes_of(h->values.data + start, end - start);
	return OK;
}

int history_find_account(const struct history *h, const struct addr *address, bool *found,
			 struct account *out, struct err *err)
{
	size_t i = search(h->addresses, h->account_count, address, ADDRESS_SIZE);
	struct bytes value;
	int code;

	*found = i < h->account_count;
	if (!*found)
		return OK;
	code = entry_value(h, i, &value, err);
	if (code != OK)
		return code;
	*out = account_empty;
	return value.size && account_decode_flat(out, value, err) != OK ? broken(err) : OK;
}

int history_find_slot(const struct history *h, const struct slot_key *key, bool *found,
		      struct u256 *out, struct err *err)
{
	size_t i = search(h->slot_keys, h->slot_count, key, SLOT_KEY_SIZE);
	struct bytes value;
	int code;

	*found = i < h->slot_count;
	if (!*found)
		return OK;
	code = entry_value(h, h->account_count + i, &value, err);
	if (code != OK)
		return code;
	*out = u256_of(0);
	return value.size ? slot_value_decode(out, value, err) : OK;
}
