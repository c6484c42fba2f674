#include "chain/validators.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "chain/tx.h"
#include "codec/hex.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

static int compare_members(const void *a, const void *b)
{
	const struct validator *x = a, *y = b;

	return memcmp(x->address.bytes, y->address.bytes, sizeof(x->address.bytes));
}

static void hash_members(struct validator_set *s)
{
	struct buf b = { 0 };
	size_t list = rlp_list_open(&b);

	for (size_t i = 0; i < s->count; i++) {
		size_t member = rlp_list_open(&b);

		rlp_put_addr(&b, &s->members[i].address);
		rlp_put_u64(&b, s->members[i].weight.n);
		rlp_list_close(&b, member);
	}
	rlp_list_close(&b, list);
	keccak256(&s->hash, buf_bytes(&b));
	buf_clear(&b);
}

static int check_member(const struct validator_set *s, size_t i, struct err *err)
{
	char text[HEX_ADDR_SIZE];
	const struct validator *v = &s->members[i];

	hex_data(text, addr_bytes(&v->address));
	if (v->weight.n < 1 || v->weight.n > VALIDATOR_WEIGHT_MAX)
		return ERR_SET(err, CHAIN_E_GENESIS,
			       "validator %s has weight %llu; 1 to %llu are allowed", text,
			       (unsigned long long)v->weight.n,
			       (unsigned long long)VALIDATOR_WEIGHT_MAX);
	if (i > 0 && addr_equal(&v->address, &s->members[i - 1].address))
		return ERR_SET(err, CHAIN_E_GENESIS, "validator %s stands twice", text);
	return OK;
}

int validator_set_init(struct validator_set *out, const struct validator members[], size_t count,
		       struct err *err)
{
	struct validator_set s = { .count = count };

	if (count < 1 || count > VALIDATOR_COUNT_MAX)
		return ERR_SET(err, CHAIN_E_GENESIS, "%zu validators; 1 to %d are allowed", count,
			       VALIDATOR_COUNT_MAX);
	memcpy(s.members, members, count * sizeof(*members));
	qsort(s.members, count, sizeof(*s.members), compare_members);
	for (size_t i = 0; i < count; i++) {
		int status = check_member(&s, i, err);

		if (status != OK)
			return status;
		s.total.n += s.members[i].weight.n;
	}
	hash_members(&s);
	*out = s;
	return OK;
}

struct weight validator_set_faulty(const struct validator_set *s)
{
	return (struct weight){ (s->total.n - 1) / 3 };
}

struct weight validator_set_quorum(const struct validator_set *s)
{
	return (struct weight){ s->total.n - validator_set_faulty(s).n };
}

int validator_set_find(const struct validator_set *s, const struct addr *address)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(address->bytes, s->members[middle].address.bytes,
				   sizeof(address->bytes));

		if (order == 0)
			return (int)middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

struct weight validator_set_weight(const struct validator_set *s, const struct signer_bits *bits)
{
	struct weight sum = { 0 };

	for (size_t i = 0; i < s->count; i++)
		if (signer_bits_get(bits, i))
			sum.n += s->members[i].weight.n;
	return sum;
}

/* --- the proposer --- */

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

uint64_t validator_set_period(const struct validator_set *s)
{
	uint64_t divisor = 0;

	for (size_t i = 0; i < s->count; i++)
		divisor = greatest_common_divisor(s->members[i].weight.n, divisor);
	return s->total.n / divisor;
}

void proposer_cursor_init(struct proposer_cursor *c, const struct validator_set *s)
{
	*c = (struct proposer_cursor){ .proposer = 0 };
	proposer_cursor_step(c, s);
}

void proposer_cursor_step(struct proposer_cursor *c, const struct validator_set *s)
{
	size_t best = 0;

	for (size_t i = 0; i < s->count; i++) {
		c->priorities[i] += (int64_t)s->members[i].weight.n;
		if (c->priorities[i] > c->priorities[best])
			best = i;
	}
	c->priorities[best] -= (int64_t)s->total.n;
	c->proposer = best;
}

size_t proposer_cursor_ahead(const struct proposer_cursor *c, const struct validator_set *s,
			     uint64_t steps)
{
	struct proposer_cursor ahead = *c;

	for (steps %= validator_set_period(s); steps > 0; steps--)
		proposer_cursor_step(&ahead, s);
	return ahead.proposer;
}

size_t validator_set_proposer(const struct validator_set *s, uint64_t epoch_start, uint64_t height,
			      uint64_t view)
{
	uint64_t period = validator_set_period(s);
	struct proposer_cursor c;

	CHECK(height >= epoch_start);
	proposer_cursor_init(&c, s);
	/* Reduced one by one, so that the sum can't overflow. */
	return proposer_cursor_ahead(&c, s, (height - epoch_start) % period + view % period);
}
