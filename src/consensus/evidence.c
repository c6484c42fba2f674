/* Two values that one validator signed at one (height, view, kind): written down
 * so that anyone can check it. */
#include "consensus/internal.h"

#include "chain/decode.h"

struct message bare_message(uint64_t height, enum message_kind kind, size_t validator,
			    const struct statement *what)
{
	struct message m = { .kind = kind };

	if (kind == MESSAGE_VIEW_CHANGE)
		m.view_change = (struct view_change){
			.height = height,
			.view = what->view,
			.validator = validator,
			.has_prepared = what->has_prepared,
			.prepared_view = what->prepared_view,
			.prepared_hash = what->hash,
			.signature = what->signature,
		};
	else if (kind == MESSAGE_PRE_PREPARE)
		m.pre_prepare = (struct pre_prepare){
			.height = height,
			.view = what->view,
			.validator = validator,
			.block_hash = what->hash,
			.signature = what->signature,
		};
	else
		m.vote = (struct vote){
			.kind = kind,
			.height = height,
			.view = what->view,
			.validator = validator,
			.block_hash = what->hash,
			.signature = what->signature,
		};
	return m;
}

/* [kind, height, view, validator, signature, hash], or for a view-change its
 * claim, [] or [view, hash], in the hash's place; a checkpoint's view is 0. */
void encode_statement(struct buf *out, uint64_t height, unsigned kind, size_t validator,
		      const struct statement *what)
{
	size_t list = rlp_list_open(out), claim;

	rlp_put_u64(out, kind);
	rlp_put_u64(out, height);
	rlp_put_u64(out, what->view);
	rlp_put_u64(out, validator);
	seal_put(out, &what->signature);
	if (kind == MESSAGE_VIEW_CHANGE) {
		claim = rlp_list_open(out);
		if (what->has_prepared) {
			rlp_put_u64(out, what->prepared_view);
			rlp_put_hash(out, &what->hash);
		}
		rlp_list_close(out, claim);
	} else {
		rlp_put_hash(out, &what->hash);
	}
	rlp_list_close(out, list);
}

/* A statement as it is written. */
struct written {
	uint64_t kind, height, validator;
	struct statement what;
};

static int read_statement(struct written *out, struct bytes rlp, uint64_t kind_max,
			  size_t validator_count, struct err *err)
{
	struct decoder d = { .what = "statement", .code = CONSENSUS_E_EVIDENCE, .err = err };
	struct written w = { .what.is_set = true };
	struct rlp_reader r, claim;

	decode_top(&d, &r, rlp);
	decode_bounded(&d, &r, "kind", kind_max, &w.kind);
	decode_u64(&d, &r, "height", &w.height);
	decode_u64(&d, &r, "view", &w.what.view);
	decode_bounded(&d, &r, "validator", validator_count - 1, &w.validator);
	seal_decode(&d, &r, "signature", &w.what.signature);
	if (d.status == OK && w.kind == 0)
		decode_fail(&d, "kind is 0");
	if (d.status == OK && w.kind == CONSENSUS_KIND_CHECKPOINT && w.what.view > 0)
		decode_fail(&d, "a checkpoint has no view");
	if (w.kind == MESSAGE_VIEW_CHANGE) {
		decode_list(&d, &r, "prepared", &claim);
		w.what.has_prepared = d.status == OK && rlp_reader_more(&claim);
		if (w.what.has_prepared) {
			decode_u64(&d, &claim, "prepared view", &w.what.prepared_view);
			decode_hash(&d, &claim, "prepared hash", &w.what.hash);
			decode_end(&d, &claim);
		}
	} else {
		decode_hash(&d, &r, "block hash", &w.what.hash);
	}
	decode_end(&d, &r);
	if (d.status == OK)
		*out = w;
	return d.status;
}

int decode_statement(struct bytes rlp, size_t validator_count, struct message *out, struct err *err)
{
	struct written w;
	int code = read_statement(&w, rlp, MESSAGE_VIEW_CHANGE, validator_count, err);

	if (code == OK)
		*out = bare_message(w.height, (enum message_kind)w.kind, (size_t)w.validator, &w.what);
	return code;
}

/* --- found --- */

void say_evidence(struct consensus *c, uint64_t height, unsigned kind, const struct addr *signer,
		  size_t validator, const struct statement *first, const struct statement *second,
		  struct step *s)
{
	struct buf *out = c->evidence[s->evidence_count++];
	struct consensus_effect *e;

	for (size_t i = 0; i < 2; i++) {
		buf_reset(&out[i]);
		encode_statement(&out[i], height, kind, validator, i == 0 ? first : second);
	}
	c->evidence_total++;
	e = add_effect(c, s, CONSENSUS_EFFECT_EVIDENCE);
	e->height = height;
	e->view = first->view;
	e->evidence.first = buf_bytes(&out[0]);
	e->evidence.second = buf_bytes(&out[1]);
	e->evidence.signer = *signer;
}

bool contradict(struct consensus *c, const struct known_epoch *e, uint64_t height, enum message_kind kind,
		size_t validator, struct statement *known, const struct statement *other, struct step *s)
{
	struct message m = bare_message(height, kind, validator, known);

	if (statement_equal(known, other) || (!known->is_verified && !verify_sender(c, e, &m)))
		return false;
	if (validator == e->self) {
		add_trace(c, s, CONSENSUS_TRACE_TWIN);
	} else if (!known->is_reported && s->evidence_count < EVIDENCE_MAX) {
		known->is_reported = true;
		say_evidence(c, height, (unsigned)kind, &e->set.members[validator].address, validator, known,
			     other, s);
	}
	return true;
}

/* --- checked by anyone --- */

static int read_pair(struct written out[2], struct bytes first, struct bytes second,
		     struct consensus_evidence *at, struct err *err)
{
	int code = read_statement(&out[0], first, CONSENSUS_KIND_CHECKPOINT, VALIDATOR_COUNT_MAX, err);

	if (code == OK)
		code = read_statement(&out[1], second, CONSENSUS_KIND_CHECKPOINT, VALIDATOR_COUNT_MAX, err);
	if (code != OK)
		return code;
	if (out[0].kind != out[1].kind || out[0].height != out[1].height ||
	    out[0].what.view != out[1].what.view || out[0].validator != out[1].validator)
		return ERR_SET(err, CONSENSUS_E_EVIDENCE, "the two statements are not of one position");
	if (statement_equal(&out[0].what, &out[1].what))
		return ERR_SET(err, CONSENSUS_E_EVIDENCE, "the two statements say the same");
	*at = (struct consensus_evidence){
		.height = out[0].height,
		.view = out[0].what.view,
		.kind = (unsigned)out[0].kind,
		.validator = (size_t)out[0].validator,
	};
	return OK;
}

int consensus_read_evidence(struct bytes first, struct bytes second, struct consensus_evidence *out,
			    struct err *err)
{
	struct written w[2];

	return read_pair(w, first, second, out, err);
}

static void written_digest(const struct written *w, uint64_t chain_id, const struct hash *set_hash,
			   struct hash *out)
{
	struct message m;
	struct checkpoint p = { .height = w->height, .block_hash = w->what.hash };

	if (w->kind == CONSENSUS_KIND_CHECKPOINT) {
		checkpoint_digest(&p, chain_id, set_hash, out);
		return;
	}
	m = bare_message(w->height, (enum message_kind)w->kind, (size_t)w->validator, &w->what);
	message_digest(&m, chain_id, set_hash, out);
}

int consensus_check_evidence(const struct consensus_config *config, const struct validator_set *set,
			     struct bytes first, struct bytes second,
			     struct consensus_evidence *out, struct err *err)
{
	struct consensus_evidence at;
	struct written w[2];
	int code = read_pair(w, first, second, &at, err);

	if (code != OK)
		return code;
	if (at.validator >= set->count)
		return ERR_SET(err, CONSENSUS_E_EVIDENCE, "validator %zu of a set of %zu", at.validator, set->count);
	for (size_t i = 0; i < 2; i++) {
		struct hash digest;

		written_digest(&w[i], config->chain_id, &set->hash, &digest);
		if (!config->verify(config->ctx, &w[i].what.signature, &digest, &set->members[at.validator].address))
			return ERR_SET(err, CONSENSUS_E_EVIDENCE, "a statement is not signed by the validator it names");
	}
	*out = at;
	return OK;
}
