/*
 * Checkpoints: each validator's word that a block is final and durable where it runs. More than
 * f weight of them on one block convince a device at half the cost of a certificate.
 *
 * Which blocks are signed must be the same everywhere, else the weight would be spread over
 * neighbours: the first block of each 100 ms of chain time. Of those that wait for the disk the
 * newest is signed, never sooner than 100 ms after the one before. Nothing of it needs a record:
 * a durable block is final, and there is one of each height.
 */
#include "consensus/internal.h"

/* --- ours --- */

void note_checkpoint_due(struct consensus *c, const struct consensus_tip *before,
			 const struct consensus_tip *after)
{
	uint64_t slot = after->time_ms / CONSENSUS_CHECKPOINT_INTERVAL_MS;

	if (before->time_ms / CONSENSUS_CHECKPOINT_INTERVAL_MS == slot)
		return;
	/* When the disk is that far behind, the oldest are waited for: else none would ever do. */
	if (c->due_count == CHECKPOINT_DUE_MAX)
		return;
	c->due[c->due_count++] = (struct due_checkpoint){ after->height, after->hash };
}

/* How many of those that wait are durable. */
static size_t count_written(const struct consensus *c)
{
	size_t count = 0;

	while (count < c->due_count && c->due[count].height <= c->written_height)
		count++;
	return count;
}

void on_written(struct consensus *c, uint64_t height, uint64_t now_ms)
{
	bool is_first = count_written(c) == 0;

	c->written_height = MAX(c->written_height, height);
	if (is_first && count_written(c) > 0)
		c->written_ms = now_ms;
}

/* A device can wait a moment longer than the client whose transaction was final just now. */
uint64_t checkpoint_due_ms(const struct consensus *c)
{
	if (count_written(c) == 0)
		return 0;
	return MAX(c->checkpoint_ms + CONSENSUS_CHECKPOINT_INTERVAL_MS,
		   c->written_ms + CONSENSUS_CHECKPOINT_DELAY_MS);
}

/* --- kept --- */

/* The place of a height: its own, a free one, or that of the lowest below it. */
static struct kept_checkpoint *place_of(struct known_epoch *e, size_t validator, uint64_t height)
{
	struct kept_checkpoint *all = &e->checkpoints[validator * CONSENSUS_CHECKPOINT_COUNT];
	struct kept_checkpoint *place = NULL;

	for (size_t i = 0; i < CONSENSUS_CHECKPOINT_COUNT; i++)
		if (all[i].is_set && all[i].height == height)
			return &all[i];
	for (size_t i = 0; i < CONSENSUS_CHECKPOINT_COUNT; i++) {
		if (!all[i].is_set)
			return &all[i];
		if (all[i].height < height && (!place || all[i].height < place->height))
			place = &all[i];
	}
	return place;
}

static bool is_newest(const struct consensus *c, uint64_t height)
{
	return !c->has_checkpoint || c->checkpoint.signatures.height < height;
}

/* Does what is kept of (height, hash) weigh more than f? Then a device may be shown it. */
static void weigh(struct consensus *c, const struct known_epoch *e, uint64_t height, const struct hash *hash)
{
	struct weight sum = { 0 };
	struct certificate *out = &c->checkpoint.signatures;

	for (unsigned round = 0;; round++) {
		for (size_t i = 0; i < e->set.count; i++)
			for (size_t k = 0; k < CONSENSUS_CHECKPOINT_COUNT; k++) {
				const struct kept_checkpoint *p = &e->checkpoints[i * CONSENSUS_CHECKPOINT_COUNT + k];

				if (!p->is_set || !p->is_verified || p->height != height || !hash_equal(&p->hash, hash))
					continue;
				sum.n += e->set.members[i].weight.n;
				if (round == 1)
					certificate_add(out, i, &p->signature);
			}
		if (sum.n <= e->faulty.n || round == 1)
			return;
		c->has_checkpoint = true;
		c->checkpoint.epoch = e->is.number;
		c->checkpoint.validators_hash = e->set.hash;
		certificate_init(out, height, 0, hash);
	}
}

void sign_checkpoint(struct consensus *c, struct step *s)
{
	size_t written = count_written(c);
	struct due_checkpoint due;
	struct checkpoint p;
	struct known_epoch *e;
	struct kept_checkpoint *place;
	struct hash digest;

	if (written == 0 || s->now_ms < checkpoint_due_ms(c))
		return;
	due = c->due[written - 1];
	c->due_count -= written;
	memmove(c->due, c->due + written, c->due_count * sizeof(*c->due));
	e = epoch_at(c, due.height);
	if (!e || e->self == NOT_A_MEMBER)
		return;
	p = (struct checkpoint){ .height = due.height, .block_hash = due.hash, .validator = e->self };
	checkpoint_digest(&p, c->config.chain_id, &e->set.hash, &digest);
	if (c->config.sign(c->config.ctx, &p.signature, &digest, NULL) != OK) {
		add_trace(c, s, CONSENSUS_TRACE_SIGN_FAILED);
		return;
	}
	c->checkpoint_ms = s->now_ms;
	place = place_of(e, e->self, p.height);
	CHECK(place);
	*place = (struct kept_checkpoint){
		.is_set = true,
		.is_verified = true,
		.height = p.height,
		.hash = p.block_hash,
		.signature = p.signature,
	};
	if (is_newest(c, p.height))
		weigh(c, e, p.height, &p.block_hash);
	buf_reset(&c->checkpoint_send);
	checkpoint_encode(&c->checkpoint_send, &p);
	add_effect(c, s, CONSENSUS_EFFECT_CHECKPOINT)->checkpoint = buf_bytes(&c->checkpoint_send);
}

/* --- others' --- */

static bool verify_kept(struct consensus *c, const struct known_epoch *e, size_t validator,
			struct kept_checkpoint *k)
{
	struct checkpoint p = { .height = k->height, .block_hash = k->hash };
	struct hash digest;

	if (k->is_verified)
		return true;
	checkpoint_digest(&p, c->config.chain_id, &e->set.hash, &digest);
	k->is_verified = verify_one(c, &k->signature, &digest, &e->set.members[validator].address);
	return k->is_verified;
}

static struct statement statement_of_kept(const struct kept_checkpoint *k)
{
	return (struct statement){ .is_set = true, .hash = k->hash, .signature = k->signature };
}

/* Another hash at a height that is kept. */
static void hold_against(struct consensus *c, const struct known_epoch *e, size_t validator,
			 struct kept_checkpoint *kept, struct kept_checkpoint *other, struct step *s)
{
	struct statement first, second;

	if (kept->is_reported) {
		refuse(c, CONSENSUS_REFUSAL_CONTRADICTION, s);
		return;
	}
	if (!verify_kept(c, e, validator, other)) {
		refuse(c, CONSENSUS_REFUSAL_SIGNATURE, s);
		return;
	}
	if (!verify_kept(c, e, validator, kept)) {
		*kept = *other; /* what was kept was forged */
		return;
	}
	refuse(c, CONSENSUS_REFUSAL_CONTRADICTION, s);
	if (validator == e->self) {
		add_trace(c, s, CONSENSUS_TRACE_TWIN);
		return;
	}
	kept->is_reported = true;
	first = statement_of_kept(kept);
	second = statement_of_kept(other);
	say_evidence(c, kept->height, CONSENSUS_KIND_CHECKPOINT, &e->set.members[validator].address, validator,
		     &first, &second, s);
}

/* One that counts for nothing newer than what has its weight is not verified, but kept to be held
 * against another. */
static void keep(struct consensus *c, const struct known_epoch *e, size_t validator,
		 struct kept_checkpoint *place, struct kept_checkpoint *p, struct step *s)
{
	if (!is_newest(c, p->height)) {
		if (!place->is_verified)
			*place = *p;
		refuse(c, CONSENSUS_REFUSAL_NEEDLESS, s);
		return;
	}
	if (!verify_kept(c, e, validator, p)) {
		refuse(c, CONSENSUS_REFUSAL_SIGNATURE, s);
		return;
	}
	*place = *p;
	weigh(c, e, p->height, &p->hash);
	/* It says that its signer is past that height. */
	if (e == c->present)
		note_seen(c, validator, p->height + 1, s->now_ms);
}

void receive_checkpoint(struct consensus *c, const struct checkpoint *p, struct step *s)
{
	struct known_epoch *e = epoch_at(c, p->height);
	struct kept_checkpoint *place, other = {
		.is_set = true,
		.height = p->height,
		.hash = p->block_hash,
		.signature = p->signature,
	};

	if (!e) {
		refuse(c, CONSENSUS_REFUSAL_HEIGHT_PAST, s);
	} else if (p->height > height_of(c) && p->height - height_of(c) > CONSENSUS_HEIGHT_AHEAD) {
		refuse(c, CONSENSUS_REFUSAL_HEIGHT_FAR, s);
	} else if (p->validator >= e->set.count) {
		refuse(c, CONSENSUS_REFUSAL_STRANGER, s);
	} else if (!(place = place_of(e, p->validator, p->height))) {
		refuse(c, CONSENSUS_REFUSAL_HEIGHT_PAST, s);
	} else if (place->is_set && place->height == p->height) {
		if (hash_equal(&place->hash, &p->block_hash))
			refuse(c, CONSENSUS_REFUSAL_KNOWN, s);
		else
			hold_against(c, e, p->validator, place, &other, s);
	} else if (p->validator == e->self) {
		refuse(c, CONSENSUS_REFUSAL_OWN_KEY, s);
	} else {
		keep(c, e, p->validator, place, &other, s);
	}
}

bool consensus_get_checkpoint(const struct consensus *c, struct consensus_checkpoint *out)
{
	if (c->has_checkpoint)
		*out = c->checkpoint;
	return c->has_checkpoint;
}
