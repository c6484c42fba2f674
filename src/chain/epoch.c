#include "chain/epoch.h"

#include "base/check.h"
#include "chain/decode.h"
#include "chain/tx.h"

void epoch_genesis(struct epoch *out, const struct genesis *g)
{
	*out = (struct epoch){ .start_ms = g->time_ms, .set = g->validators };
}

bool epoch_is_due(const struct chain_params *params, const struct epoch *e, uint64_t height,
		  uint64_t parent_ms)
{
	CHECK(height >= e->first);
	if (height - e->first + 1 >= params->epoch_length)
		return true;
	return params->epoch_ms > 0 && parent_ms >= e->start_ms &&
	       parent_ms - e->start_ms >= params->epoch_ms;
}

void epoch_encode(struct buf *out, const struct epoch *e)
{
	size_t list = rlp_list_open(out), members;

	rlp_put_u64(out, e->number);
	rlp_put_u64(out, e->first);
	rlp_put_u64(out, e->start_ms);
	members = rlp_list_open(out);
	for (size_t i = 0; i < e->set.count; i++) {
		size_t member = rlp_list_open(out);

		rlp_put_addr(out, &e->set.members[i].address);
		rlp_put_u64(out, e->set.members[i].weight.n);
		rlp_list_close(out, member);
	}
	rlp_list_close(out, members);
	rlp_list_close(out, list);
}

static void decode_set(struct decoder *d, struct rlp_reader *r, struct validator_set *out)
{
	struct validator members[VALIDATOR_COUNT_MAX];
	struct rlp_reader list, member;
	size_t count;

	decode_list_counted(d, r, "validators", VALIDATOR_COUNT_MAX, &list, &count);
	for (size_t i = 0; d->status == OK && i < count; i++) {
		decode_list(d, &list, "validator", &member);
		decode_addr(d, &member, "address", &members[i].address);
		decode_u64(d, &member, "weight", &members[i].weight.n);
		decode_end(d, &member);
		if (d->status == OK && i > 0 &&
		    memcmp(members[i - 1].address.bytes, members[i].address.bytes, sizeof(struct addr)) >= 0)
			decode_fail(d, "validators are not in the order of their addresses");
	}
	if (d->status == OK && validator_set_init(out, members, count, NULL) != OK)
		decode_fail(d, "no set of validators");
}

int epoch_decode(struct epoch *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "epoch", .code = CHAIN_E_BLOCK_FORMAT, .err = err };
	struct rlp_reader list;
	struct epoch e = { 0 };

	decode_top(&d, &list, rlp);
	decode_u64(&d, &list, "number", &e.number);
	decode_u64(&d, &list, "first height", &e.first);
	decode_u64(&d, &list, "start", &e.start_ms);
	decode_set(&d, &list, &e.set);
	decode_end(&d, &list);
	if (d.status == OK)
		*out = e;
	return d.status;
}
