/*
 * One machine of four, fed with whatever the bytes say: events of every kind,
 * answers that were asked for and others, messages by all members that are sound,
 * changed or nonsense, restarts from its log. It never breaks a CHECK, sends nothing
 * that is not durable, signs one value a position; and consensus_restore() takes
 * any bytes, of which those that it refuses change nothing.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "consensus/consensus.h"
#include "crypto/keccak.h"

const char *const fuzz_seeds[] = {
	/* Record bytes: the first byte is odd. */
	"01f8c0",
	/* A set's hash, no message, no prepares, no block, a position. */
	"01e8a0" "0000000000000000000000000000000000000000000000000000000000000000" "c0c080c3010101",
	"01e9a0" "0000000000000000000000000000000000000000000000000000000000000000" "c0c080c401808001",
	/* Operations: a proposal, executed, persisted, votes of two, persisted. */
	"00" "03010000" "0601" "04" "05020100" "05020200" "04" "05030100" "05030200" "04",
	/* Time-outs, view-changes of two, a proposal to lead. */
	"00" "00ff" "00ff" "04" "07010300" "07020300" "0601" "04" "09" "00ff" "04",
	/* Work, a restart, blocks of others. */
	"00" "0101" "0200" "04" "0b" "0801" "0802" "00ff" "0b",
	/* Checkpoints of two, one twice; what is written; a set that changes. */
	"00" "090101" "090201" "090202" "0801" "0a01" "00ff" "0a01" "0c" "0801" "03010000" "0601" "04",
	"", "00", NULL,
};

#define COUNT 4
#define START_MS 1700000000000ull
#define SIGNED_MAX 512
#define LOG_MAX 64

struct signed_value {
	struct hash digest;
	uint64_t height, view;
	enum message_kind kind;
};

struct driver {
	struct bytes in;
	struct validator_set set, sets[2]; /* that of the height, and the two that alternate */
	uint64_t epoch;
	bool is_turn_due;         /* the next height is decided by the other set */
	struct consensus_epoch next;
	struct consensus_config config;
	struct consensus *c;
	struct consensus_effects effects;
	struct consensus_tip tip;
	uint64_t now_ms, asked, durable;
	struct hash executing, candidate;
	struct buf bound;
	struct buf log[LOG_MAX];
	size_t log_count, log_durable;
	struct signed_value values[SIGNED_MAX];
	size_t value_count;
};

static uint8_t take(struct driver *d)
{
	uint8_t v = 0;

	if (d->in.size) {
		v = *d->in.data++;
		d->in.size--;
	}
	return v;
}

static void mac(size_t validator, const struct hash *digest, struct signature *out)
{
	*out = (struct signature){ .s = { [31] = 1 } };
	memcpy(out->r, digest->bytes, 32);
	out->r[0] ^= (uint8_t)(validator + 1);
}

static int fuzz_sign(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	(void)ctx;
	(void)err;
	mac(0, digest, out);
	return OK;
}

static bool fuzz_verify(void *ctx, const struct signature *sig, const struct hash *digest,
			const struct addr *signer)
{
	struct signature expected;

	(void)ctx;
	mac(signer->bytes[0] - 1u, digest, &expected);
	return memcmp(expected.r, sig->r, 32) == 0;
}

static size_t fuzz_proposer(void *ctx, const struct consensus_epoch *epoch, uint64_t height, uint64_t view)
{
	(void)ctx;
	return (height + view) % epoch->set->count;
}

static bool fuzz_is_block(void *ctx, struct bytes sealed, const struct hash *hash)
{
	struct hash h;

	(void)ctx;
	keccak256(&h, sealed);
	return hash_equal(&h, hash);
}

static void start(struct driver *d)
{
	CHECK(consensus_new(&d->c, &d->config, &d->tip, NULL) == OK);
	buf_reset(&d->bound);
	for (size_t i = 0; i < d->log_count; i++)
		CHECK(consensus_restore(d->c, buf_bytes(&d->log[i]), &d->bound, NULL) == OK);
	d->log_durable = d->log_count;
	d->asked = d->durable = 0;
}

static void note_signed(struct driver *d, const struct message *m)
{
	struct signed_value now = { .height = message_height(m), .view = message_view(m), .kind = m->kind };

	message_digest(m, 1, &d->set.hash, &now.digest);
	for (size_t i = 0; i < d->value_count; i++)
		if (d->values[i].height == now.height && d->values[i].view == now.view &&
		    d->values[i].kind == now.kind) {
			CHECK(hash_equal(&d->values[i].digest, &now.digest));
			return;
		}
	if (d->value_count < SIGNED_MAX)
		d->values[d->value_count++] = now;
}

/* The height after `first - 1` is decided by the other set. */
static const struct consensus_epoch *next_of(struct driver *d, uint64_t first)
{
	if (!d->is_turn_due)
		return NULL;
	d->next = (struct consensus_epoch){ d->epoch + 1, first, &d->sets[(d->epoch + 1) % 2] };
	return &d->next;
}

static void take_turn(struct driver *d)
{
	if (d->is_turn_due) {
		d->config.before = d->config.epoch;
		d->epoch++;
		d->set = d->sets[d->epoch % 2];
		d->config.epoch = (struct consensus_epoch){ d->epoch, d->tip.height + 1, &d->sets[d->epoch % 2] };
		d->config.before.set = &d->sets[(d->epoch + 1) % 2];
	}
	d->is_turn_due = false;
	CHECK(consensus_get_epoch(d->c)->number == d->epoch);
}

static void follow(struct driver *d)
{
	for (size_t i = 0; i < d->effects.count; i++) {
		const struct consensus_effect *e = &d->effects.items[i];
		struct message m;

		switch (e->kind) {
		case CONSENSUS_EFFECT_PERSIST:
			CHECK(e->persist.number == d->asked + 1);
			d->asked++;
			CHECK(d->log_count < LOG_MAX);
			buf_append_bytes(&d->log[d->log_count++], e->persist.record);
			break;
		case CONSENSUS_EFFECT_SEND:
			CHECK(message_decode(&m, e->send, NULL) == OK);
			/* A late commit is of the height below, maybe of another set. */
			if (message_height(&m) > d->tip.height) {
				CHECK(message_validator(&m) == 0 && message_check(&m, &d->set, NULL) == OK);
				note_signed(d, &m);
			}
			message_clear(&m);
			break;
		case CONSENSUS_EFFECT_EXECUTE:
			d->executing = e->execute.block.hash;
			break;
		case CONSENSUS_EFFECT_COMMIT:
			CHECK(e->height == d->tip.height + 1);
			CHECK(hash_equal(&d->candidate, &e->commit.hash));
			d->tip.height++;
			d->tip.time_ms = d->now_ms;
			take_turn(d);
			break;
		case CONSENSUS_EFFECT_TRACE:
			CHECK(e->trace != CONSENSUS_TRACE_SIGN_FAILED);
			break;
		case CONSENSUS_EFFECT_PROPOSE:
		case CONSENSUS_EFFECT_TIMER:
		case CONSENSUS_EFFECT_EVIDENCE:
		case CONSENSUS_EFFECT_BEHIND:
		case CONSENSUS_EFFECT_SERVE:
		case CONSENSUS_EFFECT_CHECKPOINT:
			break;
		}
	}
}

static void step(struct driver *d, struct consensus_event event)
{
	event.now_ms = d->now_ms;
	consensus_step(d->c, &event, &d->effects);
	follow(d);
}

/* --- operations --- */

static struct bytes block_of(uint8_t *mark)
{
	return bytes_of(mark, 1);
}

static void give(struct driver *d, struct message *m, size_t validator, uint8_t twist)
{
	struct signature s;
	struct hash digest;
	struct message copy;
	struct buf encoded = { 0 };

	message_digest(m, 1, &d->set.hash, &digest);
	mac(validator, &digest, &s);
	s.r[31] ^= twist & 0x80;
	if (m->kind == MESSAGE_PRE_PREPARE)
		m->pre_prepare.signature = s;
	else if (m->kind == MESSAGE_VIEW_CHANGE)
		m->view_change.signature = s;
	else
		m->vote.signature = s;
	message_encode(&encoded, m);
	if (message_decode(&copy, buf_bytes(&encoded), NULL) == OK) {
		step(d, (struct consensus_event){ .kind = CONSENSUS_EVENT_MESSAGE, .message = &copy });
		message_clear(&copy);
	}
	buf_clear(&encoded);
}

static uint64_t height_near(const struct driver *d, uint8_t twist)
{
	return d->tip.height + 1 + (twist & 3 ? 0 : (twist >> 2 & 31)) - (twist & 3 && twist & 64 && d->tip.height);
}

static void make_prepares(struct driver *d, struct certificate *out, uint64_t height, uint64_t view,
			  const struct hash *hash, uint8_t twist)
{
	struct hash digest;

	certificate_init(out, height, view, hash);
	certificate_digest(out, DOMAIN_PREPARE, 1, &d->set.hash, &digest);
	for (size_t i = twist & 1; i < COUNT - (twist >> 1 & 1u); i++) {
		struct signature s;

		mac(i, &digest, &s);
		certificate_add(out, i, &s);
	}
}

static void op_vote(struct driver *d)
{
	uint8_t kind = take(d), who = take(d), mark = take(d), twist = take(d);
	struct message m = { .kind = kind % 2 ? MESSAGE_PREPARE : MESSAGE_COMMIT };

	m.vote = (struct vote){ .kind = m.kind, .height = height_near(d, twist | 1), .view = kind >> 1 & 15,
				.validator = who % 8 };
	keccak256(&m.vote.block_hash, block_of(&mark));
	give(d, &m, who % COUNT, twist);
}

static void op_view_change(struct driver *d)
{
	uint8_t who = take(d), view = take(d), mark = take(d), twist = take(d);
	struct message m = { .kind = MESSAGE_VIEW_CHANGE };
	struct certificate prepares;

	m.view_change = (struct view_change){ .height = height_near(d, twist | 1), .validator = who % COUNT,
					      .view = view == 255 ? UINT64_MAX : 1 + view % 20u };
	if (mark) {
		m.view_change.has_prepared = true;
		m.view_change.prepared_view = m.view_change.view - 1 - (m.view_change.view > 1 ? twist % 2 : 0);
		keccak256(&m.view_change.prepared_hash, block_of(&mark));
		make_prepares(d, &prepares, m.view_change.height, m.view_change.prepared_view,
			      &m.view_change.prepared_hash, twist >> 2);
		m.view_change.prepares = &prepares;
		buf_append_byte(&m.view_change.block, twist & 32 ? 0 : mark);
	}
	give(d, &m, who % COUNT, twist);
	buf_clear(&m.view_change.block);
}

static void op_proposal(struct driver *d)
{
	uint8_t mark = take(d), view = take(d) % 12, twist = take(d), claims = take(d);
	struct view_change changes[COUNT] = { 0 };
	struct message m = { .kind = MESSAGE_PRE_PREPARE };
	struct certificate prepares;
	struct pre_prepare *p = &m.pre_prepare;

	p->height = height_near(d, twist | 1);
	p->view = view;
	p->validator = (p->height + view) % COUNT;
	keccak256(&p->block_hash, block_of(&mark));
	buf_append_byte(&p->block, twist & 32 ? 0 : mark);
	p->view_changes = changes;
	for (size_t i = twist & 1; i < COUNT && view > 0; i++) {
		struct view_change *v = &changes[p->view_change_count++];
		struct message embedded = { .kind = MESSAGE_VIEW_CHANGE };
		struct hash digest;

		*v = (struct view_change){ .height = p->height, .view = view, .validator = i };
		if (claims >> i & 1) {
			v->has_prepared = true;
			v->prepared_view = view - 1;
			v->prepared_hash = p->block_hash;
			make_prepares(d, &prepares, p->height, v->prepared_view, &p->block_hash, claims >> 4);
			p->prepares = &prepares;
		}
		embedded.view_change = *v;
		message_digest(&embedded, 1, &d->set.hash, &digest);
		mac(i, &digest, &v->signature);
	}
	give(d, &m, p->validator, twist);
	buf_clear(&p->block);
}

static void op_propose(struct driver *d)
{
	uint8_t mark = take(d);
	struct consensus_event e = { .kind = CONSENSUS_EVENT_PROPOSED };
	struct consensus_status before;

	consensus_get_status(d->c, &before);
	/* What the log binds us to is proposed again. */
	e.proposed.sealed = d->bound.size ? buf_bytes(&d->bound) : block_of(&mark);
	keccak256(&e.proposed.hash, e.proposed.sealed);
	e.proposed.time_ms = d->now_ms;
	e.next = next_of(d, d->tip.height + 2);
	if (before.phase == CONSENSUS_PROPOSING)
		d->candidate = e.proposed.hash;
	step(d, e);
	if (before.phase == CONSENSUS_PROPOSING)
		buf_reset(&d->bound);
}

static void op_executed(struct driver *d)
{
	uint8_t how = take(d);
	struct consensus_event e = { .kind = CONSENSUS_EVENT_EXECUTED };

	e.executed.hash = d->executing;
	e.executed.is_valid = how % 4 != 0;
	e.executed.time_ms = d->now_ms;
	e.next = next_of(d, d->tip.height + 2);
	d->candidate = d->executing;
	step(d, e);
}

static void op_persisted(struct driver *d)
{
	if (d->durable == d->asked)
		return;
	d->log_durable++;
	step(d, (struct consensus_event){ .kind = CONSENSUS_EVENT_PERSISTED, .persisted = ++d->durable });
}

static void op_committed(struct driver *d)
{
	struct consensus_event e = { .kind = CONSENSUS_EVENT_COMMITTED };

	d->tip.height += 1 + take(d) % 3u;
	d->tip.time_ms = d->now_ms;
	e.committed = d->tip;
	e.next = next_of(d, d->tip.height + 1);
	step(d, e);
	take_turn(d);
}

static void op_checkpoint(struct driver *d)
{
	uint8_t who = take(d), mark = take(d);
	struct checkpoint p = { .height = d->tip.height + who / 64u, .validator = who % 8 };
	struct hash digest;

	keccak256(&p.block_hash, block_of(&mark));
	checkpoint_digest(&p, 1, &d->set.hash, &digest);
	mac(who % COUNT, &digest, &p.signature);
	step(d, (struct consensus_event){ .kind = CONSENSUS_EVENT_CHECKPOINT, .checkpoint = &p });
}

static void op_written(struct driver *d)
{
	struct consensus_event e = { .kind = CONSENSUS_EVENT_WRITTEN };

	e.written.height = d->tip.height - MIN(d->tip.height, (uint64_t)take(d) % 4);
	step(d, e);
}

static void op_restart(struct driver *d)
{
	while (d->log_count > d->log_durable)
		buf_clear(&d->log[--d->log_count]);
	consensus_free(d->c);
	start(d);
}

static bool is_fresh(const struct driver *d)
{
	struct consensus_status s;

	consensus_get_status(d->c, &s);
	return s.phase == CONSENSUS_IDLE && s.view == 0;
}

static void operate(struct driver *d)
{
	switch (take(d) % 13) {
	case 0:
		d->now_ms += take(d) * 16u;
		step(d, (struct consensus_event){ .kind = CONSENSUS_EVENT_TICK });
		return;
	case 1:
		step(d, (struct consensus_event){ .kind = CONSENSUS_EVENT_WORK, .has_work = take(d) & 1 });
		return;
	case 2:
		op_propose(d);
		return;
	case 3:
		op_proposal(d);
		return;
	case 4:
		op_persisted(d);
		return;
	case 5:
		op_vote(d);
		return;
	case 6:
		op_executed(d);
		return;
	case 7:
		op_view_change(d);
		return;
	case 8:
		op_committed(d);
		return;
	case 9:
		op_checkpoint(d);
		return;
	case 10:
		op_written(d);
		return;
	case 12:
		/* Not once a block has executed: what comes next is the same for all of a height. */
		d->is_turn_due |= is_fresh(d);
		return;
	default:
		op_restart(d);
		return;
	}
}

static void restore_any(struct driver *d)
{
	struct consensus_status before, after;
	struct buf sealed = { 0 }, whole = { 0 };

	consensus_get_status(d->c, &before);
	if (consensus_restore(d->c, d->in, &sealed, NULL) != OK) {
		consensus_get_status(d->c, &after);
		CHECK(before.height == after.height && before.view == after.view && sealed.size == 0);
	} else {
		/* What stands for it is taken as well. */
		consensus_sign_record(d->c, &whole);
		consensus_free(d->c);
		CHECK(consensus_new(&d->c, &d->config, &d->tip, NULL) == OK);
		CHECK(whole.size == 0 || consensus_restore(d->c, buf_bytes(&whole), &sealed, NULL) == OK);
	}
	buf_clear(&sealed);
	buf_clear(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct driver *d = xcalloc(1, sizeof(*d));
	struct validator members[COUNT] = { 0 };
	bool is_record;

	d->in = bytes_of(data, size);
	d->now_ms = START_MS;
	d->tip = (struct consensus_tip){ .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	for (size_t i = 0; i < COUNT; i++)
		members[i] = (struct validator){ { { (uint8_t)(i + 1) } }, { 1 } };
	CHECK(validator_set_init(&d->sets[0], members, COUNT, NULL) == OK);
	members[2].weight.n = 3;
	members[3].address.bytes[0] = 9;
	CHECK(validator_set_init(&d->sets[1], members, COUNT, NULL) == OK);
	d->set = d->sets[0];
	d->config = (struct consensus_config){
		.chain_id = 1,
		.self = members[0].address,
		.epoch = { .set = &d->sets[0] },
		.min_interval_ms = 10,
		.heartbeat_ms = 1000,
		.view_timeout_ms = 100,
		.proposer = fuzz_proposer,
		.sign = fuzz_sign,
		.verify = fuzz_verify,
		.is_block = fuzz_is_block,
		.ctx = d,
	};
	is_record = take(d) & 1;
	start(d);
	if (is_record)
		restore_any(d);
	else
		while (d->in.size && d->log_count < LOG_MAX)
			operate(d);
	consensus_free(d->c);
	buf_clear(&d->bound);
	for (size_t i = 0; i < LOG_MAX; i++)
		buf_clear(&d->log[i]);
	free(d);
	return 0;
}
