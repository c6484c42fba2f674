#include "chain/message.h"

#include <stdlib.h>

#include "base/check.h"

static void view_change_clear(struct view_change *v)
{
	free(v->prepares);
	buf_clear(&v->block);
	*v = (struct view_change){ 0 };
}

static void pre_prepare_clear(struct pre_prepare *p)
{
	for (size_t i = 0; i < p->view_change_count; i++)
		view_change_clear(&p->view_changes[i]);
	free(p->view_changes);
	free(p->prepares);
	buf_clear(&p->block);
	*p = (struct pre_prepare){ 0 };
}

void message_clear(struct message *m)
{
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		pre_prepare_clear(&m->pre_prepare);
		break;
	case MESSAGE_VIEW_CHANGE:
		view_change_clear(&m->view_change);
		break;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		m->vote = (struct vote){ .kind = m->kind };
		break;
	}
}

/* --- accessors --- */

uint64_t message_height(const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		return m->pre_prepare.height;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		return m->vote.height;
	case MESSAGE_VIEW_CHANGE:
		return m->view_change.height;
	}
	UNREACHABLE();
}

uint64_t message_view(const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		return m->pre_prepare.view;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		return m->vote.view;
	case MESSAGE_VIEW_CHANGE:
		return m->view_change.view;
	}
	UNREACHABLE();
}

size_t message_validator(const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		return m->pre_prepare.validator;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		return m->vote.validator;
	case MESSAGE_VIEW_CHANGE:
		return m->view_change.validator;
	}
	UNREACHABLE();
}

const struct signature *message_signature(const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		return &m->pre_prepare.signature;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		return &m->vote.signature;
	case MESSAGE_VIEW_CHANGE:
		return &m->view_change.signature;
	}
	UNREACHABLE();
}

const struct hash *message_block_hash(const struct message *m)
{
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		return &m->pre_prepare.block_hash;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		return &m->vote.block_hash;
	case MESSAGE_VIEW_CHANGE:
		return m->view_change.has_prepared ? &m->view_change.prepared_hash : NULL;
	}
	UNREACHABLE();
}

/* The highest claim among a pre-prepare's view-changes; NULL if none claims. */
static const struct view_change *highest_claim(const struct pre_prepare *p)
{
	const struct view_change *highest = NULL;

	for (size_t i = 0; i < p->view_change_count; i++) {
		const struct view_change *v = &p->view_changes[i];

		if (v->has_prepared && (!highest || v->prepared_view > highest->prepared_view))
			highest = v;
	}
	return highest;
}

/* --- encoding --- */

static void put_prepared(struct buf *out, const struct view_change *v)
{
	size_t list = rlp_list_open(out);

	if (v->has_prepared) {
		rlp_put_u64(out, v->prepared_view);
		rlp_put_hash(out, &v->prepared_hash);
	}
	rlp_list_close(out, list);
}

static void put_view_change(struct buf *out, const struct view_change *v)
{
	put_prepared(out, v);
	certificate_put_signatures(out, v->prepares);
	rlp_put_bytes(out, buf_bytes(&v->block));
}

static void put_pre_prepare(struct buf *out, const struct pre_prepare *p)
{
	size_t list, item;

	rlp_put_hash(out, &p->block_hash);
	rlp_put_bytes(out, buf_bytes(&p->block));
	list = rlp_list_open(out);
	for (size_t i = 0; i < p->view_change_count; i++) {
		const struct view_change *v = &p->view_changes[i];

		item = rlp_list_open(out);
		rlp_put_u64(out, v->validator);
		seal_put(out, &v->signature);
		put_prepared(out, v);
		rlp_list_close(out, item);
	}
	rlp_list_close(out, list);
	certificate_put_signatures(out, p->prepares);
}

void message_encode(struct buf *out, const struct message *m)
{
	size_t list = rlp_list_open(out);

	rlp_put_u64(out, (uint64_t)m->kind);
	rlp_put_u64(out, message_height(m));
	rlp_put_u64(out, message_view(m));
	rlp_put_u64(out, message_validator(m));
	seal_put(out, message_signature(m));
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		put_pre_prepare(out, &m->pre_prepare);
		break;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		rlp_put_hash(out, &m->vote.block_hash);
		break;
	case MESSAGE_VIEW_CHANGE:
		put_view_change(out, &m->view_change);
		break;
	}
	rlp_list_close(out, list);
}

/* --- decoding --- */

/* What all four begin with. */
struct head {
	uint64_t height, view, validator;
	struct signature signature;
};

static void decode_validator(struct decoder *d, struct rlp_reader *r, uint64_t *out)
{
	decode_bounded(d, r, "validator", VALIDATOR_COUNT_MAX - 1, out);
}

/* The claim of a view-change whose `view` is known. */
static void decode_prepared(struct decoder *d, struct rlp_reader *r, struct view_change *v)
{
	struct rlp_reader claim;

	decode_list(d, r, "prepared", &claim);
	v->has_prepared = rlp_reader_more(&claim);
	if (!v->has_prepared)
		return;
	decode_u64(d, &claim, "prepared view", &v->prepared_view);
	decode_hash(d, &claim, "prepared hash", &v->prepared_hash);
	decode_end(d, &claim);
	if (v->prepared_view >= v->view)
		decode_fail(d, "a view-change to view %llu claims view %llu",
			    (unsigned long long)v->view, (unsigned long long)v->prepared_view);
}

/* NULL for "[]". */
static struct certificate *decode_prepares(struct decoder *d, struct rlp_reader *r,
					   uint64_t height, uint64_t view, const struct hash *hash)
{
	struct certificate *c = xmalloc(sizeof(*c));

	certificate_init(c, height, view, hash);
	if (certificate_decode_signatures(d, r, c))
		return c;
	free(c);
	return NULL;
}

static void decode_block(struct decoder *d, struct rlp_reader *r, struct buf *out)
{
	struct bytes block;

	decode_bytes(d, r, "block", BLOCK_SEALED_SIZE_MAX, &block);
	buf_append_bytes(out, block);
}

static void decode_vote(struct decoder *d, struct rlp_reader *r, const struct head *h,
			enum message_kind kind, struct vote *out)
{
	*out = (struct vote){
		.kind = kind,
		.height = h->height,
		.view = h->view,
		.validator = (size_t)h->validator,
		.signature = h->signature,
	};
	decode_hash(d, r, "block hash", &out->block_hash);
}

static void decode_view_change(struct decoder *d, struct rlp_reader *r, const struct head *h,
			       struct view_change *out)
{
	*out = (struct view_change){
		.height = h->height,
		.view = h->view,
		.validator = (size_t)h->validator,
		.signature = h->signature,
	};
	if (h->view == 0)
		decode_fail(d, "a view-change to view 0");
	decode_prepared(d, r, out);
	out->prepares = decode_prepares(d, r, out->height, out->prepared_view, &out->prepared_hash);
	decode_block(d, r, &out->block);
	if (out->has_prepared != (out->prepares != NULL) ||
	    out->has_prepared != (out->block.size > 0))
		decode_fail(d, "a view-change carries prepares and block if and only if it claims");
}

static void decode_embedded(struct decoder *d, struct rlp_reader *r, const struct pre_prepare *p,
			    struct view_change *out)
{
	struct rlp_reader item;
	uint64_t validator;

	*out = (struct view_change){ .height = p->height, .view = p->view };
	decode_list(d, r, "view-change", &item);
	decode_validator(d, &item, &validator);
	seal_decode(d, &item, "view-change signature", &out->signature);
	decode_prepared(d, &item, out);
	decode_end(d, &item);
	out->validator = (size_t)validator;
}

static void decode_view_changes(struct decoder *d, struct rlp_reader *r, struct pre_prepare *out)
{
	struct rlp_reader list;
	size_t count;

	decode_list_counted(d, r, "view-changes", VALIDATOR_COUNT_MAX, &list, &count);
	if (d->status == OK && (count > 0) != (out->view > 0))
		decode_fail(d, "view %llu with %zu view-changes", (unsigned long long)out->view,
			    count);
	if (d->status != OK || count == 0)
		return;
	out->view_changes = xcalloc(count, sizeof(*out->view_changes));
	out->view_change_count = count;
	for (size_t i = 0; i < count; i++) {
		decode_embedded(d, &list, out, &out->view_changes[i]);
		if (i > 0 && out->view_changes[i].validator <= out->view_changes[i - 1].validator)
			decode_fail(d, "view-changes are not in the order of their validators");
	}
}

static void decode_pre_prepare(struct decoder *d, struct rlp_reader *r, const struct head *h,
			       struct pre_prepare *out)
{
	const struct view_change *claim;

	*out = (struct pre_prepare){
		.height = h->height,
		.view = h->view,
		.validator = (size_t)h->validator,
		.signature = h->signature,
	};
	decode_hash(d, r, "block hash", &out->block_hash);
	decode_block(d, r, &out->block);
	if (out->block.size == 0)
		decode_fail(d, "a pre-prepare without a block");
	decode_view_changes(d, r, out);
	claim = highest_claim(out);
	out->prepares = decode_prepares(d, r, out->height, claim ? claim->prepared_view : 0,
					&out->block_hash);
	if ((claim != NULL) != (out->prepares != NULL))
		decode_fail(d, "a pre-prepare carries prepares if and only if one was claimed");
}

int message_decode(struct message *out, struct bytes rlp, struct err *err)
{
	struct decoder d = { .what = "message", .code = CHAIN_E_MESSAGE, .err = err };
	struct message m = { .kind = MESSAGE_PREPARE };
	struct rlp_reader r;
	struct head h;
	uint64_t kind;

	if (rlp.size > MESSAGE_SIZE_MAX)
		return ERR_SET(err, CHAIN_E_MESSAGE, "message: %zu bytes, %llu are allowed",
			       rlp.size, (unsigned long long)MESSAGE_SIZE_MAX);
	decode_top(&d, &r, rlp);
	decode_bounded(&d, &r, "kind", MESSAGE_VIEW_CHANGE, &kind);
	decode_u64(&d, &r, "height", &h.height);
	decode_u64(&d, &r, "view", &h.view);
	decode_validator(&d, &r, &h.validator);
	seal_decode(&d, &r, "signature", &h.signature);
	if (d.status == OK && kind == 0)
		decode_fail(&d, "kind is 0");
	if (d.status != OK)
		return d.status;
	m.kind = (enum message_kind)kind;
	switch (m.kind) {
	case MESSAGE_PRE_PREPARE:
		decode_pre_prepare(&d, &r, &h, &m.pre_prepare);
		break;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		decode_vote(&d, &r, &h, m.kind, &m.vote);
		break;
	case MESSAGE_VIEW_CHANGE:
		decode_view_change(&d, &r, &h, &m.view_change);
		break;
	}
	decode_end(&d, &r);
	if (d.status == OK)
		*out = m;
	else
		message_clear(&m);
	return d.status;
}

/* --- signing --- */

static enum domain domain_of(enum message_kind kind)
{
	switch (kind) {
	case MESSAGE_PRE_PREPARE:
		return DOMAIN_PRE_PREPARE;
	case MESSAGE_PREPARE:
		return DOMAIN_PREPARE;
	case MESSAGE_COMMIT:
		return DOMAIN_COMMIT;
	case MESSAGE_VIEW_CHANGE:
		return DOMAIN_VIEW_CHANGE;
	}
	UNREACHABLE();
}

/* Opens a digest's list up to the height and view. */
static size_t open_digest(struct buf *b, enum domain domain, uint64_t chain_id,
			  const struct hash *validators_hash, uint64_t height, uint64_t view)
{
	size_t list = seal_open(b, domain, chain_id);

	rlp_put_hash(b, validators_hash);
	rlp_put_u64(b, height);
	rlp_put_u64(b, view);
	return list;
}

static void view_change_digest(const struct view_change *v, uint64_t chain_id,
			       const struct hash *validators_hash, struct hash *out)
{
	struct buf b = { 0 };
	size_t list = open_digest(&b, DOMAIN_VIEW_CHANGE, chain_id, validators_hash, v->height,
				  v->view);

	put_prepared(&b, v);
	seal_close(&b, list, out);
}

void message_digest(const struct message *m, uint64_t chain_id,
		    const struct hash *validators_hash, struct hash *out)
{
	struct buf b = { 0 };
	size_t list;

	if (m->kind == MESSAGE_VIEW_CHANGE) {
		view_change_digest(&m->view_change, chain_id, validators_hash, out);
		return;
	}
	list = open_digest(&b, domain_of(m->kind), chain_id, validators_hash, message_height(m),
			   message_view(m));
	rlp_put_hash(&b, message_block_hash(m));
	seal_close(&b, list, out);
}

int message_sign(struct message *m, uint64_t chain_id, const struct hash *validators_hash,
		 const struct ecc *e, const struct secret_key *key, struct err *err)
{
	struct signature signature;
	struct hash digest;
	int status;

	message_digest(m, chain_id, validators_hash, &digest);
	status = ecc_sign(e, &signature, &digest, key, err);
	if (status != OK)
		return status;
	switch (m->kind) {
	case MESSAGE_PRE_PREPARE:
		m->pre_prepare.signature = signature;
		break;
	case MESSAGE_PREPARE:
	case MESSAGE_COMMIT:
		m->vote.signature = signature;
		break;
	case MESSAGE_VIEW_CHANGE:
		m->view_change.signature = signature;
		break;
	}
	return OK;
}

/* --- checking --- */

static int check_prepares(const struct certificate *c, const struct validator_set *set,
			  struct err *err)
{
	struct err why;

	if (certificate_check_weight(c, set, &why) == OK)
		return OK;
	return ERR_SET(err, CHAIN_E_MESSAGE, "message, prepares: %s", why.message);
}

/* Q weight of members; no two hashes for one prepared view; the highest's block. */
static int check_justification(const struct pre_prepare *p, const struct validator_set *set,
			       struct err *err)
{
	const struct view_change *highest = highest_claim(p);
	struct signer_bits senders = { 0 };

	for (size_t i = 0; i < p->view_change_count; i++) {
		const struct view_change *v = &p->view_changes[i];

		if (v->validator >= set->count)
			return ERR_SET(err, CHAIN_E_MESSAGE,
				       "message: a view-change of validator %zu of a set of %zu",
				       v->validator, set->count);
		signer_bits_set(&senders, v->validator);
		for (size_t j = 0; v->has_prepared && j < i; j++)
			if (p->view_changes[j].has_prepared &&
			    p->view_changes[j].prepared_view == v->prepared_view &&
			    !hash_equal(&p->view_changes[j].prepared_hash, &v->prepared_hash))
				return ERR_SET(err, CHAIN_E_MESSAGE,
					       "message: two hashes claimed for view %llu",
					       (unsigned long long)v->prepared_view);
	}
	if (validator_set_weight(set, &senders).n < validator_set_quorum(set).n)
		return ERR_SET(err, CHAIN_E_MESSAGE, "message: no quorum of view-changes");
	if (highest && !hash_equal(&highest->prepared_hash, &p->block_hash))
		return ERR_SET(err, CHAIN_E_MESSAGE,
			       "message: the block is not the one of the highest prepared view");
	return OK;
}

int message_check(const struct message *m, const struct validator_set *set, struct err *err)
{
	const struct certificate *prepares = NULL;
	int status = OK;

	if (message_validator(m) >= set->count)
		return ERR_SET(err, CHAIN_E_MESSAGE, "message: validator %zu of a set of %zu",
			       message_validator(m), set->count);
	if (m->kind == MESSAGE_PRE_PREPARE) {
		prepares = m->pre_prepare.prepares;
		if (m->pre_prepare.view > 0)
			status = check_justification(&m->pre_prepare, set, err);
	} else if (m->kind == MESSAGE_VIEW_CHANGE) {
		prepares = m->view_change.prepares;
	}
	if (status == OK && prepares)
		status = check_prepares(prepares, set, err);
	return status;
}

static size_t prepares_seals(const struct certificate *c, uint64_t chain_id,
			     const struct validator_set *set, struct seal out[])
{
	return c ? certificate_seals(c, DOMAIN_PREPARE, chain_id, set, out) : 0;
}

size_t message_seals(const struct message *m, uint64_t chain_id, const struct validator_set *set,
		     struct seal out[MESSAGE_SEAL_MAX])
{
	size_t count = 1;

	message_digest(m, chain_id, &set->hash, &out[0].digest);
	out[0].signature = *message_signature(m);
	out[0].signer = set->members[message_validator(m)].address;
	if (m->kind == MESSAGE_VIEW_CHANGE)
		count += prepares_seals(m->view_change.prepares, chain_id, set, out + count);
	if (m->kind != MESSAGE_PRE_PREPARE)
		return count;
	for (size_t i = 0; i < m->pre_prepare.view_change_count; i++) {
		const struct view_change *v = &m->pre_prepare.view_changes[i];

		view_change_digest(v, chain_id, &set->hash, &out[count].digest);
		out[count].signature = v->signature;
		out[count++].signer = set->members[v->validator].address;
	}
	return count + prepares_seals(m->pre_prepare.prepares, chain_id, set, out + count);
}

int message_verify(const struct message *m, uint64_t chain_id, const struct validator_set *set,
		   const struct ecc *e, struct err *err)
{
	struct seal *seals;
	int status = message_check(m, set, err);
	size_t count;

	if (status != OK)
		return status;
	seals = xmalloc(MESSAGE_SEAL_MAX * sizeof(*seals)); /* 60 KB: not for a stack */
	count = message_seals(m, chain_id, set, seals);
	for (size_t i = 0; status == OK && i < count; i++)
		if (!seal_verify(e, &seals[i]))
			status = ERR_SET(err, CHAIN_E_MESSAGE,
					 "message: signature %zu of %zu is not its validator's", i, count);
	free(seals);
	return status;
}
