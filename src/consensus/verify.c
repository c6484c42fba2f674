/* Signatures: each is verified once. What was verified alone is not again inside another's
 * message, and what an accepted message carries is kept as if it had come alone. */
#include "consensus/internal.h"

bool verify_one(struct consensus *c, const struct signature *sig, const struct hash *digest,
		const struct addr *signer)
{
	c->verified_total++;
	return c->config.verify(c->config.ctx, sig, digest, signer);
}

bool verify_sender(struct consensus *c, const struct known_epoch *e, const struct message *m)
{
	struct hash digest;

	message_digest(m, c->config.chain_id, &e->set.hash, &digest);
	return verify_one(c, message_signature(m), &digest, &e->set.members[message_validator(m)].address);
}

/* --- what a message carries --- */

/* What one member has signed, inside another's message, of the same height: one that is within
 * reach, since no other message is verified whole. */
struct hearsay {
	uint64_t height;
	enum message_kind kind;
	size_t validator;
	struct statement what;
	struct hash digest;
};

static bool verify_hearsay(struct consensus *c, const struct known_epoch *e, struct hearsay *h, struct step *s)
{
	struct round *r = round_of(c, h->height);
	struct statement *known = find_statement(r, h->validator, h->what.view, h->kind);

	if (known && known->is_verified && statement_equal(known, &h->what) &&
	    signature_equal(&known->signature, &h->what.signature))
		return true;
	if (!verify_one(c, &h->what.signature, &h->digest, &e->set.members[h->validator].address))
		return false;
	if (known)
		contradict(c, e, h->height, h->kind, h->validator, known, &h->what, s);
	return true;
}

static void keep_hearsay(struct consensus *c, const struct known_epoch *e, const struct hearsay *h)
{
	struct statement what = h->what;

	what.is_verified = true;
	/* Our own are kept when they are signed, not by hearsay. */
	if (h->validator != e->self)
		keep_statement(c, round_of(c, h->height), h->validator, h->kind, &what);
}

/* The next of a certificate's prepares from `h->validator` on; `next` counts signatures. */
static bool next_prepare(const struct known_epoch *e, const struct certificate *p, struct hearsay *h, size_t *next)
{
	while (h->validator < e->set.count && !signer_bits_get(&p->signers, h->validator))
		h->validator++;
	if (h->validator >= e->set.count)
		return false;
	h->height = p->height;
	h->kind = MESSAGE_PREPARE;
	h->what = (struct statement){
		.is_set = true,
		.view = p->view,
		.hash = p->block_hash,
		.signature = p->signatures[(*next)++],
	};
	return true;
}

static struct message embedded_view_change(const struct pre_prepare *p, size_t i, struct hearsay *h)
{
	struct message inner = { .kind = MESSAGE_VIEW_CHANGE, .view_change = p->view_changes[i] };

	h->height = inner.view_change.height;
	h->kind = MESSAGE_VIEW_CHANGE;
	h->validator = inner.view_change.validator;
	h->what = statement_of(&inner);
	return inner;
}

static const struct certificate *prepares_of(const struct message *m)
{
	if (m->kind == MESSAGE_VIEW_CHANGE)
		return m->view_change.prepares;
	return m->kind == MESSAGE_PRE_PREPARE ? m->pre_prepare.prepares : NULL;
}

/* A certificate that is here already proves the same claim again. */
static bool is_proven(const struct consensus *c, const struct certificate *p)
{
	return p->height == height_of(c) && find_claim(c, p->view, &p->block_hash);
}

static bool verify_certificate(struct consensus *c, const struct known_epoch *e, const struct certificate *p,
			       struct step *s)
{
	struct hearsay h = { 0 };

	certificate_digest(p, DOMAIN_PREPARE, c->config.chain_id, &e->set.hash, &h.digest);
	for (size_t next = 0; next_prepare(e, p, &h, &next); h.validator++)
		if (!verify_hearsay(c, e, &h, s))
			return false;
	return true;
}

bool verify_embedded(struct consensus *c, const struct known_epoch *e, const struct message *m, struct step *s)
{
	const struct certificate *prepares = prepares_of(m);
	struct hearsay h;

	for (size_t i = 0; m->kind == MESSAGE_PRE_PREPARE && i < m->pre_prepare.view_change_count; i++) {
		struct message inner = embedded_view_change(&m->pre_prepare, i, &h);

		message_digest(&inner, c->config.chain_id, &e->set.hash, &h.digest);
		if (!verify_hearsay(c, e, &h, s))
			return false;
	}
	return !prepares || is_proven(c, prepares) || verify_certificate(c, e, prepares, s);
}

void keep_embedded(struct consensus *c, const struct known_epoch *e, const struct message *m)
{
	const struct certificate *prepares = prepares_of(m);
	struct hearsay h = { 0 };

	/* A proven one was not looked into. */
	if (prepares && !is_proven(c, prepares))
		for (size_t next = 0; next_prepare(e, prepares, &h, &next); h.validator++)
			keep_hearsay(c, e, &h);
	for (size_t i = 0; m->kind == MESSAGE_PRE_PREPARE && i < m->pre_prepare.view_change_count; i++) {
		embedded_view_change(&m->pre_prepare, i, &h);
		keep_hearsay(c, e, &h);
	}
}

bool verify_prepares(struct consensus *c, const struct known_epoch *e, const struct certificate *p)
{
	struct hash digest;
	size_t next = 0;

	certificate_digest(p, DOMAIN_PREPARE, c->config.chain_id, &e->set.hash, &digest);
	for (size_t i = 0; i < e->set.count; i++)
		if (signer_bits_get(&p->signers, i) &&
		    !verify_one(c, &p->signatures[next++], &digest, &e->set.members[i].address))
			return false;
	return true;
}
