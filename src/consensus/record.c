/*
 * The consensus log's records: what this validator signed, and what it takes to go
 * on from there.
 *
 *   rlp([set, [message, …], prepares, block, position])
 *
 *   set       the hash of the set that decides the height: indexes are of it
 *   message   by rising position: the accepted or own pre-prepare whole; of
 *             prepare, commit and view-change what the signature covers (evidence.c)
 *   prepares  with a commit: the certificate that allowed it; else []
 *   block     of `prepares`, if neither this record nor one before has its proposal
 *   position  [height, view, step] if there is no message, else []
 *
 * A record of a height that is final binds to nothing any more, and its set may no longer be
 * known: of it only our own signatures are looked at, which need the set's hash and our address.
 *
 * One record holds what one step signed, so that one sync makes it durable. What
 * consensus_sign_record() gives has the same form and stands for all before it.
 */
#include "consensus/internal.h"

#include "chain/decode.h"

static bool is_own(const struct consensus *c, const struct message *m)
{
	return m->kind != MESSAGE_PRE_PREPARE || message_validator(m) == c->self;
}

/* --- writing --- */

/* Own messages of the kinds in `mask`, by rising position. */
static size_t sort_own(const struct consensus *c, const bool mask[KIND_COUNT],
		       enum message_kind out[KIND_COUNT])
{
	size_t count = 0;

	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct position at = { 0, c->own[i].what.view, position_step((enum message_kind)(i + 1)) };
		size_t place = count;

		if (!mask[i] || !c->own[i].what.is_set)
			continue;
		while (place > 0) {
			enum message_kind before = out[place - 1];
			struct position other = { 0, c->own[before - 1].what.view, position_step(before) };

			if (position_is_after(&at, &other))
				break;
			out[place] = before;
			place--;
		}
		out[place] = (enum message_kind)(i + 1);
		count++;
	}
	return count;
}

/* True if `pp` is the proposal that this own message is about, and its block is here. */
static bool is_about_pp(const struct consensus *c, const struct statement *what)
{
	return c->pp.height == height_of(c) && c->pp.view == what->view && hash_equal(&c->pp.block_hash, &what->hash) &&
	       hash_equal(&c->target.hash, &what->hash);
}

static void put_own(const struct consensus *c, struct buf *out, enum message_kind kind)
{
	const struct statement *what = &c->own[kind - 1].what;
	struct message m = pp_message(c);

	if (kind == MESSAGE_PRE_PREPARE) {
		if (is_about_pp(c, what))
			message_encode(out, &m);
		return;
	}
	if (kind == MESSAGE_PREPARE && is_about_pp(c, what) && c->pp.validator != c->self)
		message_encode(out, &m);
	encode_statement(out, height_of(c), kind, c->self, what);
}

/* The block of the highest certificate, if the proposal that goes along is not of it. */
static struct bytes block_besides(const struct consensus *c)
{
	const struct statement *prepare = &c->own[MESSAGE_PREPARE - 1].what;

	if (is_about_pp(c, prepare) && hash_equal(&prepare->hash, &c->best.block_hash))
		return bytes_of(NULL, 0);
	return find_block(c, &c->best.block_hash);
}

static void put_record(const struct consensus *c, struct buf *out, const bool mask[KIND_COUNT],
		       bool is_whole)
{
	enum message_kind kinds[KIND_COUNT];
	size_t count = sort_own(c, mask, kinds);
	size_t record = rlp_list_open(out), list;
	bool has_prepares = mask[MESSAGE_COMMIT - 1] && c->own[MESSAGE_COMMIT - 1].what.is_set;

	rlp_put_hash(out, &set_of(c)->hash);
	list = rlp_list_open(out);
	for (size_t i = 0; i < count; i++)
		put_own(c, out, kinds[i]);
	rlp_list_close(out, list);
	if (has_prepares) {
		CHECK(c->has_best);
		certificate_encode(out, &c->best);
	} else {
		rlp_list_close(out, rlp_list_open(out));
	}
	rlp_put_bytes(out, has_prepares && is_whole ? block_besides(c) : bytes_of(NULL, 0));
	list = rlp_list_open(out);
	if (count == 0) {
		rlp_put_u64(out, c->signed_last.height);
		rlp_put_u64(out, c->signed_last.view);
		rlp_put_u64(out, c->signed_last.step);
	}
	rlp_list_close(out, list);
	rlp_list_close(out, record);
}

void write_record(struct consensus *c, struct step *s)
{
	struct consensus_effect *e;
	bool any = false;

	for (size_t i = 0; i < KIND_COUNT; i++)
		any |= c->is_pending[i];
	if (!any)
		return;
	buf_reset(&c->record);
	put_record(c, &c->record, c->is_pending, false);
	c->record_number++;
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (c->is_pending[i])
			c->own[i].number = c->record_number;
	memset(c->is_pending, 0, sizeof(c->is_pending));
	e = add_effect(c, s, CONSENSUS_EFFECT_PERSIST);
	e->persist.number = c->record_number;
	e->persist.record = buf_bytes(&c->record);
}

void consensus_sign_record(const struct consensus *c, struct buf *out)
{
	const bool all[KIND_COUNT] = { true, true, true, true };

	if (c->signed_last.step > 0)
		put_record(c, out, all, true);
}

/* --- reading --- */

#define RECORD_MESSAGE_MAX (KIND_COUNT + 1) /* another's proposal besides */

struct content {
	struct hash set_hash;
	struct message messages[RECORD_MESSAGE_MAX];
	size_t count;
	bool has_prepares;
	struct certificate prepares;
	struct bytes block;
	struct position last;
};

static void content_clear(struct content *r)
{
	for (size_t i = 0; i < r->count; i++)
		message_clear(&r->messages[i]);
}

static struct position position_of(const struct message *m)
{
	return (struct position){ message_height(m), message_view(m), position_step(m->kind) };
}

/* A pre-prepare whole, anything else as a statement. */
static void read_message(struct decoder *d, struct rlp_reader *list, struct content *out)
{
	struct rlp_reader top, fields;
	struct bytes item = { 0 };
	uint64_t kind = 0;

	decode_raw(d, list, "message", &item);
	if (d->status != OK)
		return;
	rlp_reader_init(&top, item);
	decode_list(d, &top, "message", &fields);
	decode_u64(d, &fields, "kind", &kind);
	if (d->status != OK)
		return;
	if (kind == MESSAGE_PRE_PREPARE)
		d->status = message_decode(&out->messages[out->count], item, d->err);
	else
		d->status = decode_statement(item, VALIDATOR_COUNT_MAX, &out->messages[out->count], d->err);
	out->count += d->status == OK;
}

static void read_position(struct decoder *d, struct rlp_reader *r, struct content *out)
{
	struct rlp_reader list;
	uint64_t step = 0;

	decode_list(d, r, "position", &list);
	if (out->count == 0) {
		decode_u64(d, &list, "height", &out->last.height);
		decode_u64(d, &list, "view", &out->last.view);
		decode_bounded(d, &list, "step", KIND_COUNT, &step);
		out->last.step = (unsigned)step;
	} else {
		out->last = position_of(&out->messages[out->count - 1]);
	}
	decode_end(d, &list);
}

static int read_content(struct content *out, struct bytes record, struct err *err)
{
	struct decoder d = { .what = "record", .code = CONSENSUS_E_RECORD, .err = err };
	struct rlp_reader r, list;
	struct bytes prepares = { 0 };
	size_t count = 0;

	decode_top(&d, &r, record);
	decode_hash(&d, &r, "set", &out->set_hash);
	decode_list_counted(&d, &r, "messages", RECORD_MESSAGE_MAX, &list, &count);
	for (size_t i = 0; i < count && d.status == OK; i++)
		read_message(&d, &list, out);
	decode_raw(&d, &r, "prepares", &prepares);
	out->has_prepares = d.status == OK && prepares.size > 1;
	if (out->has_prepares)
		d.status = certificate_decode(&out->prepares, prepares, err);
	else if (d.status == OK && prepares.data[0] != 0xc0)
		decode_fail(&d, "prepares are no list");
	decode_bytes(&d, &r, "block", BLOCK_SEALED_SIZE_MAX, &out->block);
	read_position(&d, &r, out);
	decode_end(&d, &r);
	return d.status;
}

/* True if the record is of the height that is to be agreed on. */
static bool is_present(const struct consensus *c, const struct content *r)
{
	return r->last.height == height_of(c) && r->count > 0;
}

/* Ours, or the proposer's proposal. */
static bool is_signed(struct consensus *c, const struct content *r, const struct message *m)
{
	size_t validator = message_validator(m);
	const struct addr *signer = &c->config.self;
	struct hash digest;

	if (is_present(c, r)) {
		if (validator >= set_of(c)->count ||
		    (m->kind == MESSAGE_PRE_PREPARE && message_height(m) == height_of(c) &&
		     validator != proposer_of(c, message_height(m), message_view(m))) ||
		    (m->kind != MESSAGE_PRE_PREPARE && validator != c->self))
			return false;
		signer = &set_of(c)->members[validator].address;
	} else if (m->kind == MESSAGE_PRE_PREPARE) {
		return true; /* maybe another's; its hash is in our prepare, which goes along */
	}
	message_digest(m, c->config.chain_id, &r->set_hash, &digest);
	return verify_one(c, message_signature(m), &digest, signer);
}

/* One height, rising. */
static int check_message(struct consensus *c, const struct content *r, size_t i, struct err *err)
{
	const struct message *m = &r->messages[i];
	struct position at = position_of(m), before;

	if (!is_signed(c, r, m))
		return ERR_SET(err, CONSENSUS_E_RECORD, "a message in the consensus log is not this validator's: "
			       "start with the key that wrote it");
	if (i == 0)
		return OK;
	before = position_of(&r->messages[i - 1]);
	if (at.height != before.height || !position_is_after(&at, &before))
		return ERR_SET(err, CONSENSUS_E_RECORD, "the messages of one record in the consensus log are not "
			       "in order");
	return OK;
}

/* A commit and the certificate that allowed it come together; a proposal and the
 * vote for it are about one block. */
static int check_votes(struct consensus *c, const struct content *r, struct err *err)
{
	const struct message *commit = NULL, *proposal = NULL;

	for (size_t i = 0; i < r->count; i++) {
		const struct message *m = &r->messages[i];

		if (m->kind == MESSAGE_COMMIT)
			commit = m;
		if (m->kind == MESSAGE_PRE_PREPARE)
			proposal = m;
		else if (m->kind != MESSAGE_VIEW_CHANGE && proposal &&
			 message_view(m) == message_view(proposal) &&
			 !hash_equal(&m->vote.block_hash, &proposal->pre_prepare.block_hash))
			return ERR_SET(err, CONSENSUS_E_RECORD, "the messages of one record in the consensus log "
				       "are about different blocks");
	}
	if ((commit != NULL) != r->has_prepares)
		return ERR_SET(err, CONSENSUS_E_RECORD, "a record of the consensus log has a commit without its "
			       "prepares, or prepares without a commit");
	if (!commit)
		return OK;
	if (r->prepares.height != message_height(commit) || r->prepares.view != message_view(commit) ||
	    !hash_equal(&r->prepares.block_hash, message_block_hash(commit)))
		return ERR_SET(err, CONSENSUS_E_RECORD, "the prepares of a record are not those of its commit");
	if (!is_present(c, r))
		return OK;
	if (certificate_check_weight(&r->prepares, set_of(c), err) != OK)
		return err_prefix(err, CONSENSUS_E_RECORD, "consensus log");
	if (!verify_prepares(c, c->present, &r->prepares))
		return ERR_SET(err, CONSENSUS_E_RECORD, "a prepare in the consensus log is not its validator's");
	return OK;
}

/* Forward, and nothing said twice in two ways. */
static int check_order(const struct consensus *c, const struct content *r, struct err *err)
{
	if (r->last.height > height_of(c))
		return ERR_SET(err, CONSENSUS_E_RECORD, "the consensus log has signed height %llu and the chain "
			       "ends at %llu: blocks are missing; restore the data directory whole",
			       (unsigned long long)r->last.height, (unsigned long long)c->tip.height);
	if (position_is_after(&c->signed_last, &r->last))
		return ERR_SET(err, CONSENSUS_E_RECORD, "the consensus log goes back from height %llu to %llu",
			       (unsigned long long)c->signed_last.height, (unsigned long long)r->last.height);
	if (is_present(c, r) && !hash_equal(&r->set_hash, &set_of(c)->hash))
		return ERR_SET(err, CONSENSUS_E_RECORD, "the consensus log has signed height %llu for another set of "
			       "validators than the chain has there: one of the two is of another data directory",
			       (unsigned long long)r->last.height);
	for (size_t i = 0; i < r->count && is_present(c, r); i++) {
		const struct message *m = &r->messages[i];
		const struct statement *known = &c->own[m->kind - 1].what;
		struct statement what = statement_of(m);

		if (is_own(c, m) && known->is_set && known->view == what.view &&
		    !statement_equal(known, &what))
			return ERR_SET(err, CONSENSUS_E_RECORD, "the consensus log holds two values for height %llu "
				       "view %llu", (unsigned long long)r->last.height,
				       (unsigned long long)what.view);
	}
	return OK;
}

/* --- taking up --- */

static void take_message(struct consensus *c, const struct message *m)
{
	struct statement what = statement_of(m);
	struct own_message *own = own_of(c, m->kind);

	what.is_verified = true;
	if (what.view > c->view) {
		set_view(c, what.view);
		c->has_pp = false;
	}
	if (m->kind == MESSAGE_PRE_PREPARE && what.view == c->view) {
		set_target(c, &what.hash, buf_bytes(&m->pre_prepare.block));
		set_pre_prepare(c, &m->pre_prepare);
		c->has_pp = true;
	}
	/* A commit of ours counts when the first step comes: it is durable. */
	if (m->kind != MESSAGE_COMMIT)
		keep_statement(c, round_of(c, height_of(c)), message_validator(m), m->kind, &what);
	if (!is_own(c, m) || (own->what.is_set && own->what.view >= what.view))
		return;
	*own = (struct own_message){ .what = what };
}

/* True if the block that the record's prepares are for is in it or here. */
static bool has_prepared_block(const struct consensus *c, const struct content *r)
{
	const struct hash *hash = &r->prepares.block_hash;

	if (!r->has_prepares || r->block.size || find_block(c, hash).size)
		return true;
	for (size_t i = 0; i < r->count; i++)
		if (r->messages[i].kind == MESSAGE_PRE_PREPARE &&
		    hash_equal(&r->messages[i].pre_prepare.block_hash, hash))
			return true;
	return false;
}

static void take_prepares(struct consensus *c, const struct content *r)
{
	if (!r->has_prepares)
		return;
	if (c->target.is_set && hash_equal(&c->target.hash, &r->prepares.block_hash)) {
		buf_reset(&c->best_block);
	} else if (r->block.size) {
		buf_reset(&c->best_block);
		buf_append_bytes(&c->best_block, r->block);
	}
	c->has_best = true;
	c->best = r->prepares;
}

/* What is durable goes out again as soon as there is a step, but for a proposal of
 * our own making: it is made and recorded once more first. */
static void bind(struct consensus *c, struct buf *sealed)
{
	bool is_own = c->has_pp && own_in_view(c, MESSAGE_PRE_PREPARE) && !c->pp.prepares;

	c->is_resumed = true;
	c->phase = c->view > 0 ? CONSENSUS_VIEW_CHANGING : CONSENSUS_IDLE;
	for (size_t i = 0; i < KIND_COUNT; i++) {
		struct own_message *own = &c->own[i];

		own->number = is_own && own->what.view == c->view ? UINT64_MAX : 0;
		own->is_sent = own->what.view < c->view && i != MESSAGE_VIEW_CHANGE - 1;
	}
	if (own_of(c, MESSAGE_VIEW_CHANGE)->what.is_set)
		encode_view_change(c);
	if (is_own)
		buf_append_bytes(sealed, buf_bytes(&c->target.sealed));
}

int consensus_restore(struct consensus *c, struct bytes record, struct buf *sealed, struct err *err)
{
	struct content r = { 0 };
	struct err why = { 0 };
	int code = read_content(&r, record, &why);

	if (code == OK)
		code = check_order(c, &r, &why);
	for (size_t i = 0; code == OK && i < r.count; i++)
		code = check_message(c, &r, i, &why);
	if (code == OK)
		code = check_votes(c, &r, &why);
	if (code == OK && is_present(c, &r) && !has_prepared_block(c, &r))
		code = ERR_SET(&why, CONSENSUS_E_RECORD, "the consensus log lacks the block that it has prepared");
	if (code == OK) {
		c->signed_last = r.last;
		buf_reset(sealed);
	}
	if (code == OK && is_present(c, &r)) {
		for (size_t i = 0; i < r.count; i++)
			take_message(c, &r.messages[i]);
		take_prepares(c, &r);
		bind(c, sealed);
	}
	content_clear(&r);
	if (code != OK && err)
		*err = why;
	return code;
}
