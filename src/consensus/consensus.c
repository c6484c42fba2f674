#include "consensus/consensus.h"

#include <stdlib.h>

#include "base/check.h"
#include "codec/rlp.h"

/* What this validator has signed last: one height and view, one hash. */
struct sign_record {
	bool is_set;
	uint64_t height, view;
	struct hash hash;
};

struct consensus {
	struct consensus_config config;
	struct weight quorum;

	struct consensus_tip tip;
	uint64_t anchor_ms;          /* when the tip was made, on this node's clock */
	uint64_t view;
	enum consensus_phase phase;
	bool has_work;
	uint64_t timer_ms;           /* the TICK asked for; 0: none */

	struct consensus_block block; /* from PROPOSED on; `sealed` is not kept */
	struct certificate prepares, commits;
	struct signature own_commit; /* counts from PERSISTED on */

	struct sign_record signed_last;
	uint64_t record_number;      /* of the newest PERSIST */
	struct message pre_prepare;  /* scratch; keeps its block's memory */
	struct buf record;           /* the newest record */
	struct buf certificate;      /* the newest certificate */
};

static uint64_t height_of(const struct consensus *c)
{
	return c->tip.height + 1;
}

static struct consensus_effect *emit(struct consensus *c, struct consensus_effects *effects,
				     enum consensus_effect_kind kind)
{
	struct consensus_effect *e;

	CHECK(effects->count < CONSENSUS_EFFECT_MAX);
	e = &effects->items[effects->count++];
	*e = (struct consensus_effect){ .kind = kind, .height = height_of(c), .view = c->view };
	return e;
}

static void trace(struct consensus *c, struct consensus_effects *effects, enum consensus_trace what)
{
	emit(c, effects, CONSENSUS_EFFECT_TRACE)->trace = what;
}

static bool is_quorum(const struct consensus *c, const struct certificate *votes)
{
	return validator_set_weight(c->config.validators, &votes->signers).n >= c->quorum.n;
}

/* --- the next height --- */

static void enter_height(struct consensus *c, const struct consensus_tip *tip, uint64_t now_ms)
{
	c->tip = *tip;
	c->anchor_ms = MIN(tip->time_ms, now_ms);
	c->view = 0;
	c->phase = CONSENSUS_IDLE;
	c->has_work = false; /* what waited may be in the block */
	c->timer_ms = 0;
	memset(&c->prepares, 0, sizeof(c->prepares));
	memset(&c->commits, 0, sizeof(c->commits));
}

/* True if the log binds us to a block of this height and view. */
static bool is_bound(const struct consensus *c)
{
	return c->signed_last.is_set && c->signed_last.height == height_of(c) &&
	       c->signed_last.view == c->view;
}

static uint64_t due_ms(const struct consensus *c)
{
	if (is_bound(c))
		return 0;
	if (c->has_work)
		return c->anchor_ms + c->config.min_interval_ms;
	if (c->tip.empty_count < CONFIRMATION_COUNT)
		return c->anchor_ms + MIN((uint64_t)CONFIRMATION_INTERVAL_MS, c->config.heartbeat_ms);
	return c->anchor_ms + c->config.heartbeat_ms;
}

static void propose_if_due(struct consensus *c, uint64_t now_ms, struct consensus_effects *effects)
{
	uint64_t at_ms;

	if (c->phase != CONSENSUS_IDLE)
		return;
	if (c->config.proposer(c->config.ctx, height_of(c), c->view) != c->config.self)
		return;
	/* A clock that was set back must not hold the chain up. */
	c->anchor_ms = MIN(c->anchor_ms, now_ms);
	at_ms = due_ms(c);
	if (now_ms < at_ms) {
		if (c->timer_ms != at_ms)
			emit(c, effects, CONSENSUS_EFFECT_TIMER)->at_ms = at_ms;
		c->timer_ms = at_ms;
		return;
	}
	c->timer_ms = 0;
	c->phase = CONSENSUS_PROPOSING;
	if (is_bound(c))
		trace(c, effects, CONSENSUS_TRACE_RESUMED);
	emit(c, effects, CONSENSUS_EFFECT_PROPOSE);
}

/* --- signing --- */

static int sign_message(struct consensus *c, struct message *m, struct signature *slot)
{
	struct hash digest;

	message_digest(m, c->config.chain_id, &c->config.validators->hash, &digest);
	return c->config.sign(c->config.ctx, slot, &digest, NULL);
}

static struct message vote_of(const struct consensus *c, enum message_kind kind)
{
	return (struct message){
		.kind = kind,
		.vote = {
			.kind = kind,
			.height = height_of(c),
			.view = c->view,
			.validator = c->config.self,
			.block_hash = c->block.hash,
		},
	};
}

/* Signs pre-prepare, prepare and, since our own prepare makes the quorum, commit;
 * all into one record, so that one sync makes all three durable. False if the
 * signer refused: then nothing has changed. */
static bool sign_all(struct consensus *c, struct bytes sealed)
{
	struct message *first = &c->pre_prepare;
	struct message prepare = vote_of(c, MESSAGE_PREPARE);
	struct message commit = vote_of(c, MESSAGE_COMMIT);
	size_t list;

	first->kind = MESSAGE_PRE_PREPARE;
	first->pre_prepare.height = height_of(c);
	first->pre_prepare.view = c->view;
	first->pre_prepare.validator = c->config.self;
	first->pre_prepare.block_hash = c->block.hash;
	buf_reset(&first->pre_prepare.block);
	buf_append_bytes(&first->pre_prepare.block, sealed);
	if (sign_message(c, first, &first->pre_prepare.signature) != OK ||
	    sign_message(c, &prepare, &prepare.vote.signature) != OK ||
	    sign_message(c, &commit, &commit.vote.signature) != OK)
		return false;

	certificate_init(&c->prepares, height_of(c), c->view, &c->block.hash);
	certificate_init(&c->commits, height_of(c), c->view, &c->block.hash);
	certificate_add(&c->prepares, c->config.self, &prepare.vote.signature);
	c->own_commit = commit.vote.signature;
	c->signed_last = (struct sign_record){ true, height_of(c), c->view, c->block.hash };
	buf_reset(&c->record);
	list = rlp_list_open(&c->record);
	message_encode(&c->record, first);
	message_encode(&c->record, &prepare);
	message_encode(&c->record, &commit);
	rlp_list_close(&c->record, list);
	return true;
}

/* --- events --- */

static void on_proposed(struct consensus *c, const struct consensus_block *block,
			struct consensus_effects *effects)
{
	struct consensus_effect *e;

	if (c->phase != CONSENSUS_PROPOSING) {
		trace(c, effects, CONSENSUS_TRACE_UNEXPECTED);
		return;
	}
	c->block = *block;
	/* At one position the same value, or none. */
	if ((is_bound(c) && !hash_equal(&c->signed_last.hash, &block->hash)) ||
	    !sign_all(c, block->sealed)) {
		trace(c, effects, CONSENSUS_TRACE_SIGN_FAILED);
		return;
	}
	CHECK(is_quorum(c, &c->prepares));
	c->phase = CONSENSUS_COMMITTING;
	trace(c, effects, CONSENSUS_TRACE_PREPARED);
	e = emit(c, effects, CONSENSUS_EFFECT_PERSIST);
	e->persist.number = ++c->record_number;
	e->persist.record = buf_bytes(&c->record);
}

static void on_persisted(struct consensus *c, uint64_t number, uint64_t now_ms,
			 struct consensus_effects *effects)
{
	struct consensus_tip tip;
	struct consensus_effect *e;

	if (c->phase != CONSENSUS_COMMITTING || number != c->record_number) {
		trace(c, effects, CONSENSUS_TRACE_UNEXPECTED);
		return;
	}
	certificate_add(&c->commits, c->config.self, &c->own_commit);
	CHECK(is_quorum(c, &c->commits));
	buf_reset(&c->certificate);
	certificate_encode(&c->certificate, &c->commits);
	e = emit(c, effects, CONSENSUS_EFFECT_COMMIT);
	e->commit.hash = c->block.hash;
	e->commit.certificate = buf_bytes(&c->certificate);

	tip = (struct consensus_tip){
		.height = height_of(c),
		.hash = c->block.hash,
		.time_ms = c->block.time_ms,
		.has_txs = c->block.has_txs,
		.empty_count = c->block.has_txs ? 0 : MIN(c->tip.empty_count + 1, (uint64_t)CONFIRMATION_COUNT),
	};
	enter_height(c, &tip, now_ms);
	propose_if_due(c, now_ms, effects);
}

static void on_committed(struct consensus *c, const struct consensus_tip *tip, uint64_t now_ms,
			 struct consensus_effects *effects)
{
	if (tip->height < height_of(c)) {
		trace(c, effects, CONSENSUS_TRACE_UNEXPECTED);
		return;
	}
	enter_height(c, tip, now_ms);
	propose_if_due(c, now_ms, effects);
}

void consensus_step(struct consensus *c, const struct consensus_event *event,
		    struct consensus_effects *effects)
{
	effects->count = 0;
	switch (event->kind) {
	case CONSENSUS_EVENT_TICK:
		c->timer_ms = 0; /* whatever was asked for has come, or is asked for again */
		propose_if_due(c, event->now_ms, effects);
		return;
	case CONSENSUS_EVENT_WORK:
		c->has_work = event->has_work;
		propose_if_due(c, event->now_ms, effects);
		return;
	case CONSENSUS_EVENT_PROPOSED:
		on_proposed(c, &event->proposed, effects);
		return;
	case CONSENSUS_EVENT_PERSISTED:
		on_persisted(c, event->persisted, event->now_ms, effects);
		return;
	case CONSENSUS_EVENT_COMMITTED:
		on_committed(c, &event->committed, event->now_ms, effects);
		return;
	case CONSENSUS_EVENT_EXECUTED: /* nobody else proposes */
	case CONSENSUS_EVENT_MESSAGE:  /* nobody else votes */
		trace(c, effects, CONSENSUS_TRACE_UNEXPECTED);
		return;
	}
	UNREACHABLE();
}

/* --- life --- */

int consensus_new(struct consensus **out, const struct consensus_config *config,
		  const struct consensus_tip *tip, struct err *err)
{
	const struct validator_set *set = config->validators;
	struct weight quorum = validator_set_quorum(set);
	struct consensus *c;

	CHECK(config->self < set->count);
	if (set->members[config->self].weight.n < quorum.n)
		return ERR_SET(err, CONSENSUS_E_SET, "the genesis names %zu validators, and this one's weight "
			       "%llu is no quorum (%llu): this version runs chains that one validator carries",
			       set->count, (unsigned long long)set->members[config->self].weight.n,
			       (unsigned long long)quorum.n);
	c = xcalloc(1, sizeof(*c));
	c->config = *config;
	c->quorum = quorum;
	enter_height(c, tip, tip->time_ms);
	*out = c;
	return OK;
}

void consensus_free(struct consensus *c)
{
	if (!c)
		return;
	buf_clear(&c->pre_prepare.pre_prepare.block);
	buf_clear(&c->record);
	buf_clear(&c->certificate);
	free(c);
}

/* One message of a record: ours, of the record's position and hash. */
static int restore_message(struct consensus *c, struct bytes rlp, enum message_kind kind,
			   struct sign_record *position, struct message *m, struct err *err)
{
	struct addr self = c->config.validators->members[c->config.self].address;
	struct hash digest;
	int code = message_decode(m, rlp, err);

	if (code != OK)
		return code;
	message_digest(m, c->config.chain_id, &c->config.validators->hash, &digest);
	if (m->kind != kind || message_validator(m) != c->config.self || !message_block_hash(m) ||
	    !c->config.verify(c->config.ctx, message_signature(m), &digest, &self))
		return ERR_SET(err, CONSENSUS_E_RECORD, "a message in the consensus log is not this validator's: "
			       "start with the key that wrote it");
	if (!position->is_set)
		*position = (struct sign_record){ true, message_height(m), message_view(m), *message_block_hash(m) };
	if (message_height(m) != position->height || message_view(m) != position->view ||
	    !hash_equal(message_block_hash(m), &position->hash))
		return ERR_SET(err, CONSENSUS_E_RECORD, "the messages of one record in the consensus log are about "
			       "different blocks");
	return OK;
}

int consensus_restore(struct consensus *c, struct bytes record, struct buf *sealed, struct err *err)
{
	static const enum message_kind kinds[] = { MESSAGE_PRE_PREPARE, MESSAGE_PREPARE, MESSAGE_COMMIT };
	struct message messages[ARRAY_COUNT(kinds)] = { 0 };
	struct sign_record position = { 0 };
	struct rlp_reader top, list;
	int code;

	rlp_reader_init(&top, record);
	code = rlp_read_list(&top, &list, err);
	for (size_t i = 0; code == OK && i < ARRAY_COUNT(kinds); i++) {
		struct bytes item;

		code = rlp_read_raw(&list, &item, err);
		if (code == OK)
			code = restore_message(c, item, kinds[i], &position, &messages[i], err);
	}
	if (code == OK)
		code = rlp_reader_end(&list, err);
	if (code == OK && position.height > height_of(c))
		code = ERR_SET(err, CONSENSUS_E_RECORD, "the consensus log has signed height %llu and the chain "
			       "ends at %llu: blocks are missing; restore the data directory whole",
			       (unsigned long long)position.height, (unsigned long long)c->tip.height);
	if (code == OK && c->signed_last.is_set &&
	    (position.height < c->signed_last.height ||
	     (position.height == c->signed_last.height && position.view < c->signed_last.view)))
		code = ERR_SET(err, CONSENSUS_E_RECORD, "the consensus log goes back from height %llu to %llu",
			       (unsigned long long)c->signed_last.height, (unsigned long long)position.height);
	if (code == OK) {
		c->signed_last = position;
		buf_reset(&c->record);
		buf_append_bytes(&c->record, record);
		buf_reset(sealed);
		if (is_bound(c))
			buf_append_bytes(sealed, buf_bytes(&messages[0].pre_prepare.block));
	}
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		message_clear(&messages[i]);
	return code;
}

struct bytes consensus_sign_record(const struct consensus *c)
{
	return buf_bytes(&c->record);
}

const char *consensus_phase_name(enum consensus_phase phase)
{
	switch (phase) {
	case CONSENSUS_IDLE:
		return "idle";
	case CONSENSUS_PROPOSING:
		return "proposing";
	case CONSENSUS_PREPARING:
		return "preparing";
	case CONSENSUS_COMMITTING:
		return "committing";
	}
	UNREACHABLE();
}

void consensus_get_status(const struct consensus *c, struct consensus_status *out)
{
	*out = (struct consensus_status){
		.height = height_of(c),
		.view = c->view,
		.phase = c->phase,
		.has_timer = c->timer_ms != 0,
		.timer_ms = c->timer_ms,
		.prepared = c->prepares.signers,
		.committed = c->commits.signers,
		.tip = c->tip,
	};
}
