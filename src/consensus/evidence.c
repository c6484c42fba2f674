/* Two values that one validator signed at one (height, view, kind): written down
 * so that anyone can check it. */
#include "consensus/internal.h"

#include "chain/decode.h"

/* The statement as a message that leaves out what its signature does not cover. */
static struct message bare_message(uint64_t height, enum message_kind kind, size_t validator,
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
 * claim, [] or [view, hash], in the hash's place. */
void encode_statement(struct buf *out, uint64_t height, enum message_kind kind, size_t validator,
		      const struct statement *what)
{
	size_t list = rlp_list_open(out), claim;

	rlp_put_u64(out, (uint64_t)kind);
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

int decode_statement(struct bytes rlp, size_t validator_count, struct message *out, struct err *err)
{
	struct decoder d = { .what = "statement", .code = CONSENSUS_E_EVIDENCE, .err = err };
	struct statement what = { .is_set = true };
	struct rlp_reader r, claim;
	uint64_t kind, height, validator;

	decode_top(&d, &r, rlp);
	decode_bounded(&d, &r, "kind", MESSAGE_VIEW_CHANGE, &kind);
	decode_u64(&d, &r, "height", &height);
	decode_u64(&d, &r, "view", &what.view);
	decode_bounded(&d, &r, "validator", validator_count - 1, &validator);
	seal_decode(&d, &r, "signature", &what.signature);
	if (d.status == OK && kind == 0)
		decode_fail(&d, "kind is 0");
	if (kind == MESSAGE_VIEW_CHANGE) {
		decode_list(&d, &r, "prepared", &claim);
		what.has_prepared = d.status == OK && rlp_reader_more(&claim);
		if (what.has_prepared) {
			decode_u64(&d, &claim, "prepared view", &what.prepared_view);
			decode_hash(&d, &claim, "prepared hash", &what.hash);
			decode_end(&d, &claim);
		}
	} else {
		decode_hash(&d, &r, "block hash", &what.hash);
	}
	decode_end(&d, &r);
	if (d.status == OK)
		*out = bare_message(height, (enum message_kind)kind, (size_t)validator, &what);
	return d.status;
}

void say_evidence(struct consensus *c, const struct statement *first, const struct message *second,
		  struct step *s)
{
	struct statement other = statement_of(second);
	struct consensus_effect *e;

	for (size_t i = 0; i < ARRAY_COUNT(c->evidence); i++) {
		buf_reset(&c->evidence[i]);
		encode_statement(&c->evidence[i], message_height(second), second->kind,
				 message_validator(second), i == 0 ? first : &other);
	}
	c->evidence_total++;
	e = add_effect(c, s, CONSENSUS_EFFECT_EVIDENCE);
	e->height = message_height(second);
	e->view = message_view(second);
	e->evidence.first = buf_bytes(&c->evidence[0]);
	e->evidence.second = buf_bytes(&c->evidence[1]);
	e->evidence.signer = set_of(c)->members[message_validator(second)].address;
}

int consensus_read_evidence(struct bytes first, struct bytes second, struct consensus_evidence *out,
			    struct err *err)
{
	struct message m[2];
	struct statement what[2];
	struct bytes rlp[2] = { first, second };

	for (size_t i = 0; i < 2; i++) {
		int code = decode_statement(rlp[i], VALIDATOR_COUNT_MAX, &m[i], err);

		if (code != OK)
			return code;
		what[i] = statement_of(&m[i]);
	}
	if (m[0].kind != m[1].kind || message_height(&m[0]) != message_height(&m[1]) ||
	    message_view(&m[0]) != message_view(&m[1]) ||
	    message_validator(&m[0]) != message_validator(&m[1]))
		return ERR_SET(err, CONSENSUS_E_EVIDENCE, "the two statements are not of one position");
	if (statement_equal(&what[0], &what[1]))
		return ERR_SET(err, CONSENSUS_E_EVIDENCE, "the two statements say the same");
	*out = (struct consensus_evidence){
		.height = message_height(&m[0]),
		.view = message_view(&m[0]),
		.kind = m[0].kind,
		.validator = message_validator(&m[0]),
	};
	return OK;
}

int consensus_check_evidence(const struct consensus_config *config, const struct validator_set *set,
			     struct bytes first, struct bytes second,
			     struct consensus_evidence *out, struct err *err)
{
	struct consensus_evidence at;
	struct bytes rlp[2] = { first, second };
	int code = consensus_read_evidence(first, second, &at, err);

	if (code != OK)
		return code;
	for (size_t i = 0; i < 2; i++) {
		struct message m;
		struct hash digest;

		code = decode_statement(rlp[i], set->count, &m, err);
		if (code != OK)
			return code;
		message_digest(&m, config->chain_id, &set->hash, &digest);
		if (!config->verify(config->ctx, message_signature(&m), &digest,
				    &set->members[at.validator].address))
			return ERR_SET(err, CONSENSUS_E_EVIDENCE, "a statement is not signed by the validator it names");
	}
	*out = at;
	return OK;
}
