#include "consensus/rig.h"

#include <criterion/criterion.h>

#include "crypto/keccak.h"

/* --- keys --- */

void rig_mac(size_t key, const struct hash *digest, struct signature *out)
{
	uint8_t joined[33] = { (uint8_t)key };
	struct hash h;

	memcpy(joined + 1, digest->bytes, 32);
	keccak256(&h, bytes_of(joined, sizeof(joined)));
	*out = (struct signature){ .s = { [31] = 1 } };
	memcpy(out->r, h.bytes, 32);
}

static int rig_sign(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	const struct rig *r = ctx;

	(void)err;
	rig_mac(r->self, digest, out);
	return OK;
}

static bool rig_verify(void *ctx, const struct signature *sig, const struct hash *digest,
		       const struct addr *signer)
{
	struct rig *r = ctx;
	struct signature expected;

	r->verify_count++;
	rig_mac(signer->bytes[0] - 1, digest, &expected);
	return memcmp(expected.r, sig->r, 32) == 0;
}

static size_t rig_proposer(void *ctx, const struct consensus_epoch *epoch, uint64_t height, uint64_t view)
{
	(void)ctx;
	return (height + view) % epoch->set->count;
}

static bool rig_is_block(void *ctx, struct bytes sealed, const struct hash *hash)
{
	struct hash h;

	(void)ctx;
	keccak256(&h, sealed);
	return hash_equal(&h, hash);
}

/* --- life --- */

void rig_set(struct validator_set *out, uint32_t keys, const uint64_t weights[])
{
	struct validator members[32] = { 0 };
	size_t count = 0;

	for (size_t key = 0; key < 32; key++)
		if (keys >> key & 1) {
			members[count].address = (struct addr){ { (uint8_t)(key + 1) } };
			members[count].weight.n = weights ? weights[count] : 1;
			count++;
		}
	cr_assert_eq(validator_set_init(out, members, count, NULL), OK);
}

void rig_make_as(struct rig *r, size_t self, uint32_t keys, const uint64_t weights[])
{
	static const struct consensus_tip tip = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };

	*r = (struct rig){ .now_ms = START_MS, .height = 1, .self = self };
	rig_set(&r->set, keys, weights);
	r->config = (struct consensus_config){
		.chain_id = RIG_CHAIN_ID,
		.self = { { (uint8_t)(self + 1) } },
		.epoch = { .set = &r->set },
		.min_interval_ms = 0,
		.heartbeat_ms = 30000,
		.view_timeout_ms = T0_MS,
		.proposer = rig_proposer,
		.sign = rig_sign,
		.verify = rig_verify,
		.is_block = rig_is_block,
		.ctx = r,
	};
	cr_assert_eq(consensus_new(&r->c, &r->config, &tip, NULL), OK);
}

void rig_make_of(struct rig *r, uint32_t keys, const uint64_t weights[])
{
	rig_make_as(r, 0, keys, weights);
}

void rig_make(struct rig *r)
{
	rig_make_of(r, (1u << COUNT) - 1, NULL);
}

void rig_end(struct rig *r)
{
	consensus_free(r->c);
}

void rig_restart(struct rig *r, const struct consensus_tip *tip, const struct consensus_epoch *epoch)
{
	consensus_free(r->c);
	r->config.epoch = *epoch;
	cr_assert_eq(consensus_new(&r->c, &r->config, tip, NULL), OK);
}

/* --- what comes out --- */

const struct consensus_effect *rig_find(const struct rig *r, enum consensus_effect_kind kind)
{
	for (size_t i = 0; i < r->effects.count; i++)
		if (r->effects.items[i].kind == kind)
			return &r->effects.items[i];
	return NULL;
}

bool rig_find_sent(const struct rig *r, enum message_kind kind, struct message *out)
{
	for (size_t i = 0; i < r->effects.count; i++) {
		if (r->effects.items[i].kind != CONSENSUS_EFFECT_SEND)
			continue;
		cr_assert_eq(message_decode(out, r->effects.items[i].send, NULL), OK);
		if (out->kind == kind)
			return true;
		message_clear(out);
	}
	return false;
}

bool rig_sends(const struct rig *r, enum message_kind kind)
{
	struct message m;
	bool found = rig_find_sent(r, kind, &m);

	if (found)
		message_clear(&m);
	return found;
}

struct rig_status rig_status(const struct rig *r)
{
	struct consensus_status s;

	consensus_get_status(r->c, &s);
	return (struct rig_status){ s.height, s.view, s.phase };
}

uint64_t rig_refused(const struct rig *r, enum consensus_refusal why)
{
	struct consensus_status s;

	consensus_get_status(r->c, &s);
	return s.refused[why];
}

/* --- events --- */

void rig_step(struct rig *r, struct consensus_event event)
{
	event.now_ms = r->now_ms;
	consensus_step(r->c, &event, &r->effects);
}

void rig_tick(struct rig *r, uint64_t later_ms)
{
	r->now_ms += later_ms;
	rig_step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_TICK });
}

bool rig_persist(struct rig *r)
{
	const struct consensus_effect *e = rig_find(r, CONSENSUS_EFFECT_PERSIST);

	if (!e)
		return false;
	rig_step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = e->persist.number });
	return true;
}

static void answer_executed(struct rig *r, uint8_t mark, bool is_valid, const struct consensus_epoch *next)
{
	struct consensus_event e = { .kind = CONSENSUS_EVENT_EXECUTED, .next = next };

	e.executed.hash = rig_hash(mark);
	e.executed.is_valid = is_valid;
	e.executed.time_ms = START_MS;
	rig_step(r, e);
}

void rig_executed(struct rig *r, uint8_t mark, bool is_valid)
{
	answer_executed(r, mark, is_valid, NULL);
}

void rig_executed_next(struct rig *r, uint8_t mark, const struct consensus_epoch *next)
{
	answer_executed(r, mark, true, next);
}

void rig_committed(struct rig *r, uint64_t height, uint64_t time_ms, const struct consensus_epoch *next)
{
	struct consensus_event e = { .kind = CONSENSUS_EVENT_COMMITTED, .next = next };

	e.committed = (struct consensus_tip){
		.height = height,
		.hash = rig_hash((uint8_t)height),
		.time_ms = time_ms,
		.empty_count = CONFIRMATION_COUNT,
	};
	rig_step(r, e);
}

/* --- what the others say --- */

size_t rig_index(const struct rig *r, size_t key)
{
	struct addr address = { { (uint8_t)(key + 1) } };
	int index = validator_set_find(&r->set, &address);

	return index < 0 ? VALIDATOR_COUNT_MAX - 1 : (size_t)index;
}

struct bytes rig_block(uint8_t mark)
{
	static uint8_t blocks[256][4];

	memset(blocks[mark], mark, 4);
	return bytes_of(blocks[mark], 4);
}

struct hash rig_hash(uint8_t mark)
{
	struct hash h;

	keccak256(&h, rig_block(mark));
	return h;
}

void rig_sign_as(struct rig *r, size_t key, struct message *m)
{
	struct signature s;
	struct hash digest;

	message_digest(m, RIG_CHAIN_ID, &r->set.hash, &digest);
	rig_mac(key, &digest, &s);
	if (m->kind == MESSAGE_PRE_PREPARE)
		m->pre_prepare.signature = s;
	else if (m->kind == MESSAGE_VIEW_CHANGE)
		m->view_change.signature = s;
	else
		m->vote.signature = s;
}

void rig_give(struct rig *r, const struct message *m)
{
	struct message copy;
	struct buf encoded = { 0 };

	message_encode(&encoded, m);
	cr_assert_eq(message_decode(&copy, buf_bytes(&encoded), NULL), OK);
	rig_step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_MESSAGE, .message = &copy });
	message_clear(&copy);
	buf_clear(&encoded);
}

struct message rig_vote_of(struct rig *r, enum message_kind kind, size_t key, uint64_t view, uint8_t mark)
{
	struct message m = { .kind = kind };

	m.vote = (struct vote){ .kind = kind, .height = r->height, .view = view, .validator = rig_index(r, key),
				.block_hash = rig_hash(mark) };
	rig_sign_as(r, key, &m);
	return m;
}

void rig_vote(struct rig *r, enum message_kind kind, size_t key, uint64_t view, uint8_t mark)
{
	struct message m = rig_vote_of(r, kind, key, view, mark);

	rig_give(r, &m);
}

struct certificate rig_prepares(struct rig *r, size_t first, uint64_t view, uint8_t mark)
{
	struct hash hash = rig_hash(mark);
	struct certificate c;

	certificate_init(&c, r->height, view, &hash);
	for (size_t i = first; i < r->set.count; i++) {
		struct message m = rig_vote_of(r, MESSAGE_PREPARE, r->set.members[i].address.bytes[0] - 1u, view, mark);

		certificate_add(&c, i, &m.vote.signature);
	}
	return c;
}

struct message rig_view_change(struct rig *r, size_t key, uint64_t view, uint64_t prepared_view, uint8_t mark,
			       struct certificate *proof)
{
	struct message m = { .kind = MESSAGE_VIEW_CHANGE };
	struct bytes block = rig_block(mark);

	m.view_change = (struct view_change){ .height = r->height, .view = view, .validator = rig_index(r, key),
					      .has_prepared = mark != 0 };
	if (mark) {
		m.view_change.prepared_view = prepared_view;
		m.view_change.prepared_hash = rig_hash(mark);
		m.view_change.prepares = proof;
		m.view_change.block = (struct buf){ (uint8_t *)(uintptr_t)block.data, block.size, block.size };
	}
	rig_sign_as(r, key, &m);
	return m;
}

struct message rig_proposal(struct rig *r, const struct proposal *p, struct view_change changes[COUNT])
{
	struct message m = { .kind = MESSAGE_PRE_PREPARE };
	struct bytes block = rig_block(p->mark);
	size_t count = 0;

	for (size_t i = p->first ? p->first : 1; i < r->set.count && p->view > 0; i++) {
		struct message v = rig_view_change(r, r->set.members[i].address.bytes[0] - 1u, p->view,
						   p->claim_views[i], p->claims[i], NULL);

		changes[count++] = v.view_change;
	}
	m.pre_prepare = (struct pre_prepare){
		.height = r->height,
		.view = p->view,
		.validator = rig_index(r, p->from),
		.block_hash = rig_hash(p->mark),
		.block = { (uint8_t *)(uintptr_t)block.data, block.size, block.size },
		.view_changes = changes,
		.view_change_count = count,
		.prepares = p->proof,
	};
	rig_sign_as(r, p->from, &m);
	return m;
}

void rig_propose(struct rig *r, const struct proposal *p)
{
	struct view_change changes[COUNT];
	struct message m = rig_proposal(r, p, changes);

	rig_give(r, &m);
}

void rig_checkpoint(struct rig *r, size_t key, uint64_t height, uint8_t mark)
{
	struct checkpoint p = { .height = height, .block_hash = rig_hash(mark), .validator = rig_index(r, key) };
	struct hash digest;

	checkpoint_digest(&p, RIG_CHAIN_ID, &r->set.hash, &digest);
	rig_mac(key, &digest, &p.signature);
	rig_step(r, (struct consensus_event){ .kind = CONSENSUS_EVENT_CHECKPOINT, .checkpoint = &p });
}

void rig_prepare_in_view_0(struct rig *r, uint8_t mark)
{
	rig_propose(r, &(struct proposal){ .from = 1, .mark = mark });
	rig_executed(r, mark, true);
	cr_assert(rig_persist(r));
	cr_assert(rig_sends(r, MESSAGE_PREPARE));
	rig_vote(r, MESSAGE_PREPARE, 1, 0, mark);
	rig_vote(r, MESSAGE_PREPARE, 2, 0, mark);
	cr_assert_eq(rig_status(r).phase, CONSENSUS_COMMITTING);
	cr_assert(rig_persist(r));
	cr_assert(rig_sends(r, MESSAGE_COMMIT));
}
