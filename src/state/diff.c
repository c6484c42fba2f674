#include "state/diff.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

/*
 * [ [ [address, before, after]… ], [ [address, slot, before, after]… ], [ code… ] ]
 *
 * An account's before and after are its flat record as a string, the empty
 * string where there is none. A code's hash is not written: it follows.
 */
#define ACCOUNT_ITEM_MIN 24 /* bytes: a list's header, an address, two strings */
#define SLOT_ITEM_MIN 58    /* bytes: header, address, slot, two numbers */
#define CODE_ITEM_MIN 1

void state_diff_clear(struct state_diff *d)
{
	for (size_t i = 0; i < d->code_count; i++)
		free((void *)(uintptr_t)d->codes[i].code.data);
	free(d->accounts);
	free(d->slots);
	free(d->codes);
	*d = (struct state_diff){ 0 };
}

/* --- encoding --- */

static void put_account(struct buf *out, const struct account *a)
{
	uint8_t record[ACCOUNT_RLP_MAX];

	if (account_equal(a, &account_empty))
		rlp_put_bytes(out, bytes_of(NULL, 0));
	else
		rlp_put_bytes(out, bytes_of(record, account_encode_flat(record, a)));
}

void state_diff_encode(struct buf *out, const struct state_diff *d)
{
	size_t whole = rlp_list_open(out), part, item;

	part = rlp_list_open(out);
	for (size_t i = 0; i < d->account_count; i++) {
		item = rlp_list_open(out);
		rlp_put_addr(out, &d->accounts[i].address);
		put_account(out, &d->accounts[i].before);
		put_account(out, &d->accounts[i].after);
		rlp_list_close(out, item);
	}
	rlp_list_close(out, part);
	part = rlp_list_open(out);
	for (size_t i = 0; i < d->slot_count; i++) {
		item = rlp_list_open(out);
		rlp_put_addr(out, &d->slots[i].address);
		rlp_put_hash(out, &d->slots[i].slot);
		rlp_put_u256(out, &d->slots[i].before);
		rlp_put_u256(out, &d->slots[i].after);
		rlp_list_close(out, item);
	}
	rlp_list_close(out, part);
	part = rlp_list_open(out);
	for (size_t i = 0; i < d->code_count; i++)
		rlp_put_bytes(out, d->codes[i].code);
	rlp_list_close(out, part);
	rlp_list_close(out, whole);
}

/* --- decoding --- */

static int read_account(struct rlp_reader *r, struct account *out, struct err *err)
{
	struct bytes record;
	int rc = rlp_read_bytes(r, &record, err);

	if (rc != OK)
		return rc;
	if (record.size == 0) {
		*out = account_empty;
		return OK;
	}
	rc = account_decode_flat(out, record, err);
	if (rc == OK && account_equal(out, &account_empty))
		return ERR_SET(err, STATE_E_FORMAT, "a record of an account that does not exist");
	return rc;
}

static int read_account_change(struct rlp_reader *r, struct account_change *out, struct err *err)
{
	struct rlp_reader item;
	int rc;

	if ((rc = rlp_read_list(r, &item, err)) != OK ||
	    (rc = rlp_read_fixed(&item, &out->address, sizeof(out->address), err)) != OK ||
	    (rc = read_account(&item, &out->before, err)) != OK ||
	    (rc = read_account(&item, &out->after, err)) != OK)
		return rc;
	return rlp_reader_end(&item, err);
}

static int read_slot_change(struct rlp_reader *r, struct slot_change *out, struct err *err)
{
	struct rlp_reader item;
	int rc;

	if ((rc = rlp_read_list(r, &item, err)) != OK ||
	    (rc = rlp_read_fixed(&item, &out->address, sizeof(out->address), err)) != OK ||
	    (rc = rlp_read_fixed(&item, &out->slot, sizeof(out->slot), err)) != OK ||
	    (rc = rlp_read_u256(&item, &out->before, err)) != OK ||
	    (rc = rlp_read_u256(&item, &out->after, err)) != OK ||
	    (rc = rlp_reader_end(&item, err)) != OK)
		return rc;
	if (u256_equal(&out->before, &out->after))
		return ERR_SET(err, STATE_E_FORMAT, "a slot that does not change");
	return OK;
}

static int read_code(struct rlp_reader *r, struct code_entry *out, struct err *err)
{
	struct bytes code;
	uint8_t *copy;
	int rc = rlp_read_bytes(r, &code, err);

	if (rc != OK)
		return rc;
	if (code.size == 0)
		return ERR_SET(err, STATE_E_FORMAT, "a code entry without code");
	copy = xmalloc(code.size);
	memcpy(copy, code.data, code.size);
	keccak256(&out->code_hash, code);
	out->code = bytes_of(copy, code.size);
	return OK;
}

static int slot_order(const struct slot_change *a, const struct slot_change *b)
{
	int order = memcmp(&a->address, &b->address, sizeof(a->address));

	return order ? order : memcmp(&a->slot, &b->slot, sizeof(a->slot));
}

/* Opens the next list and makes room for as many entries as it has items; an
 * item takes at least `item_min` bytes, so the input's size bounds the room. */
static int open_part(struct rlp_reader *whole, struct rlp_reader *part, size_t item_min,
		     size_t entry_size, void **entries, struct err *err)
{
	size_t count;
	int rc = rlp_read_list(whole, part, err);

	if (rc != OK)
		return rc;
	rc = rlp_count(part, &count, (size_t)(part->end - part->at) / item_min, err);
	if (rc == OK && count)
		*entries = xcalloc(count, entry_size);
	return rc;
}

static int read_accounts(struct rlp_reader *whole, struct state_diff *d, struct err *err)
{
	struct rlp_reader part;
	void *room = NULL;
	int rc = open_part(whole, &part, ACCOUNT_ITEM_MIN, sizeof(*d->accounts), &room, err);

	d->accounts = room;
	while (rc == OK && rlp_reader_more(&part)) {
		struct account_change *c = &d->accounts[d->account_count];

		rc = read_account_change(&part, c, err);
		if (rc != OK)
			return rc;
		if (d->account_count && memcmp(&c[-1].address, &c->address, sizeof(c->address)) >= 0)
			return ERR_SET(err, STATE_E_FORMAT, "account %zu is out of order",
				       d->account_count);
		d->account_count++;
	}
	return rc;
}

static int read_slots(struct rlp_reader *whole, struct state_diff *d, struct err *err)
{
	struct rlp_reader part;
	void *room = NULL;
	int rc = open_part(whole, &part, SLOT_ITEM_MIN, sizeof(*d->slots), &room, err);

	d->slots = room;
	while (rc == OK && rlp_reader_more(&part)) {
		struct slot_change *c = &d->slots[d->slot_count];

		rc = read_slot_change(&part, c, err);
		if (rc != OK)
			return rc;
		if (d->slot_count && slot_order(&c[-1], c) >= 0)
			return ERR_SET(err, STATE_E_FORMAT, "slot %zu is out of order", d->slot_count);
		d->slot_count++;
	}
	return rc;
}

static int read_codes(struct rlp_reader *whole, struct state_diff *d, struct err *err)
{
	struct rlp_reader part;
	void *room = NULL;
	int rc = open_part(whole, &part, CODE_ITEM_MIN, sizeof(*d->codes), &room, err);

	d->codes = room;
	while (rc == OK && rlp_reader_more(&part)) {
		struct code_entry *c = &d->codes[d->code_count];

		rc = read_code(&part, c, err);
		if (rc != OK)
			return rc;
		d->code_count++;
		if (d->code_count > 1 && memcmp(&c[-1].code_hash, &c->code_hash, sizeof(c->code_hash)) >= 0)
			return ERR_SET(err, STATE_E_FORMAT, "code %zu is out of order", d->code_count - 1);
	}
	return rc;
}

/* Every slot's account is among the accounts, and an account that does not
 * change itself is there for its slots. */
static int check_owners(const struct state_diff *d, struct err *err)
{
	size_t s = 0;

	for (size_t i = 0; i < d->account_count; i++) {
		const struct account_change *c = &d->accounts[i];
		size_t first = s;

		while (s < d->slot_count && addr_equal(&d->slots[s].address, &c->address))
			s++;
		if (s == first && account_equal(&c->before, &c->after))
			return ERR_SET(err, STATE_E_FORMAT, "account %zu does not change", i);
	}
	if (s != d->slot_count)
		return ERR_SET(err, STATE_E_FORMAT, "slot %zu belongs to no account", s);
	return OK;
}

static int read_diff(struct state_diff *d, struct bytes rlp, struct err *err)
{
	struct rlp_reader top, whole;
	int rc;

	rlp_reader_init(&top, rlp);
	if ((rc = rlp_read_list(&top, &whole, err)) != OK ||
	    (rc = rlp_reader_end(&top, err)) != OK ||
	    (rc = read_accounts(&whole, d, err)) != OK ||
	    (rc = read_slots(&whole, d, err)) != OK ||
	    (rc = read_codes(&whole, d, err)) != OK ||
	    (rc = rlp_reader_end(&whole, err)) != OK)
		return rc;
	return check_owners(d, err);
}

int state_diff_decode(struct state_diff *out, struct bytes rlp, struct err *err)
{
	struct state_diff d = { 0 };

	if (read_diff(&d, rlp, err) != OK) {
		state_diff_clear(&d);
		if (err)
			err->code = STATE_E_FORMAT;
		return err_prefix(err, STATE_E_FORMAT, "not a difference");
	}
	*out = d;
	return OK;
}

void state_diff_reverse(struct state_diff *d)
{
	for (size_t i = 0; i < d->account_count; i++) {
		struct account_change *c = &d->accounts[i];
		struct account before = c->before;

		c->before = c->after;
		c->after = before;
	}
	for (size_t i = 0; i < d->slot_count; i++) {
		struct slot_change *c = &d->slots[i];
		struct u256 before = c->before;

		c->before = c->after;
		c->after = before;
	}
}
