/* What must hold. Written from the rules (design §5, reliability §1), not from
 * the machine. */
#include "consensus/harness.h"

#include <stdlib.h>

#include "crypto/keccak.h"

struct sent {
	uint64_t height, view;
	enum message_kind kind;
	bool has_hash;
	struct hash hash;
	uint64_t prepared_view;
};

struct known_block {
	struct hash hash;
	struct toy_block block;
};

struct final {
	bool is_set;
	struct hash hash;
	uint64_t view;
};

struct oracle {
	struct world *w;
	struct sent *sent[WORLD_VALIDATOR_MAX];
	size_t sent_count[WORLD_VALIDATOR_MAX];
	struct known_block *blocks;
	size_t block_count;
	struct final *finals; /* [height] */
	size_t final_count;
	/* At the end of the faults. */
	uint64_t heal_height, heal_ms;
	uint64_t worst_views;
	uint64_t heal_view; /* the highest of a correct machine */
};

struct oracle *oracle_new(struct world *w)
{
	struct oracle *o = xcalloc(1, sizeof(*o));

	o->w = w;
	return o;
}

void oracle_free(struct oracle *o)
{
	for (size_t i = 0; i < WORLD_VALIDATOR_MAX; i++)
		free(o->sent[i]);
	free(o->blocks);
	free(o->finals);
	free(o);
}

/* --- one value at a position, ever --- */

static struct sent sent_of(const struct message *m)
{
	struct sent s = { .height = message_height(m), .view = message_view(m), .kind = m->kind };
	const struct hash *hash = message_block_hash(m);

	s.has_hash = hash != NULL;
	if (hash)
		s.hash = *hash;
	if (m->kind == MESSAGE_VIEW_CHANGE && s.has_hash)
		s.prepared_view = m->view_change.prepared_view;
	return s;
}

static void check_view(struct oracle *o, const struct machine *m, const struct sent *now);

void oracle_on_send(struct oracle *o, struct machine *m, const struct message *message)
{
	struct sent now = sent_of(message);
	size_t v = m->validator, count = o->sent_count[v];
	uint64_t asked = 0;

	if (message_validator(message) != world_index(o->w, now.height, v))
		world_fail(o->w, "machine %zu sends as validator %zu", m->index, message_validator(message));
	for (size_t i = 0; i < count; i++) {
		const struct sent *s = &o->sent[v][i];

		if (s->height == now.height && s->kind == MESSAGE_VIEW_CHANGE && s->view > asked)
			asked = s->view;
		if (s->height != now.height || s->view != now.view || s->kind != now.kind)
			continue;
		if (s->has_hash != now.has_hash || !hash_equal(&s->hash, &now.hash) ||
		    s->prepared_view != now.prepared_view)
			world_fail(o->w, "validator %zu signs two values at height %llu view %llu kind %d", v,
				   (unsigned long long)now.height, (unsigned long long)now.view, now.kind);
		return;
	}
	if (now.kind != MESSAGE_VIEW_CHANGE && now.view < asked)
		world_fail(o->w, "validator %zu signs kind %d in view %llu of height %llu after it asked for view %llu",
			   v, now.kind, (unsigned long long)now.view, (unsigned long long)now.height,
			   (unsigned long long)asked);
	check_view(o, m, &now);
	if (count % 256 == 0)
		o->sent[v] = xrealloc(o->sent[v], (count + 256) * sizeof(*o->sent[v]));
	o->sent[v][o->sent_count[v]++] = now;
}

/* --- agreement, validity, certificates --- */

void oracle_on_block(struct oracle *o, const struct hash *hash, const struct toy_block *block)
{
	if (o->block_count % 64 == 0)
		o->blocks = xrealloc(o->blocks, (o->block_count + 64) * sizeof(*o->blocks));
	o->blocks[o->block_count++] = (struct known_block){ *hash, *block };
}

bool oracle_has_block(const struct oracle *o, const struct hash *hash, struct toy_block *out)
{
	for (size_t i = o->block_count; i-- > 0;)
		if (hash_equal(&o->blocks[i].hash, hash)) {
			*out = o->blocks[i].block;
			return true;
		}
	return false;
}

/* The quorum by its definition: more than two thirds in the sense that any two
 * share more than what may be faulty. */
static bool weighs_quorum(const struct validator_set *set, const bool signers[WORLD_VALIDATOR_MAX])
{
	uint64_t total = 0, have = 0, faulty;

	for (size_t i = 0; i < set->count; i++) {
		total += set->members[i].weight.n;
		have += signers[i] ? set->members[i].weight.n : 0;
	}
	for (faulty = 0; 3 * (faulty + 1) < total; faulty++)
		;
	return have + faulty >= total;
}

static void check_certificate(struct oracle *o, const struct machine *m, uint64_t height,
			      const struct hash *hash, struct bytes encoded)
{
	struct world *w = o->w;
	const struct world_epoch *epoch = world_epoch_at(w, height);
	const struct validator_set *set = &epoch->set;
	struct certificate c;
	bool signers[WORLD_VALIDATOR_MAX] = { 0 };
	struct hash digest;
	size_t place = 0;

	if (certificate_decode(&c, encoded, NULL) != OK) {
		world_fail(w, "machine %zu commits with bytes that are no certificate", m->index);
		return;
	}
	certificate_digest(&c, DOMAIN_COMMIT, WORLD_CHAIN_ID, &set->hash, &digest);
	for (size_t i = 0; i < VALIDATOR_COUNT_MAX; i++) {
		if (!(c.signers.bytes[i / 8] >> i % 8 & 1))
			continue;
		if (i >= set->count ||
		    !world_verify(w, &c.signatures[place++], &digest, &set->members[i].address)) {
			world_fail(w, "machine %zu commits height %llu with a false signature of %zu", m->index,
				   (unsigned long long)height, i);
			return;
		}
		signers[i] = true;
	}
	if (c.height != height || !hash_equal(&c.block_hash, hash) || !weighs_quorum(set, signers))
		world_fail(w, "machine %zu commits height %llu without a quorum for it", m->index,
			   (unsigned long long)height);
	if (c.view > 0 && o->finals[height].view == 0) {
		w->fired[FAULT_FIRST_VIEW] += height == epoch->is.first;
		w->fired[FAULT_EPOCH_VIEW] += world_epoch_at(w, height + 1) != epoch;
	}
	if (o->finals[height].view < c.view)
		o->finals[height].view = c.view;
}

static void check_validity(struct oracle *o, const struct machine *m, uint64_t height,
			   const struct hash *hash)
{
	struct toy_block block;

	if (!oracle_has_block(o, hash, &block) || !block.is_valid || block.height != height ||
	    (height > 1 && o->finals[height - 1].is_set &&
	     !hash_equal(&block.parent, &o->finals[height - 1].hash)))
		world_fail(o->w, "machine %zu commits an invalid block at height %llu", m->index,
			   (unsigned long long)height);
}

static void note_progress(struct oracle *o, uint64_t height, uint64_t view)
{
	uint64_t before = height == o->heal_height + 1 ? o->heal_view : 0;

	if (!o->w->is_healed || height <= o->heal_height)
		return;
	view = view > before ? view - before : 0;
	if (view > o->worst_views)
		o->worst_views = view;
	/* The shortest time-out of a plan is longer than four delays after the faults. Whoever comes
	 * into a set must first hear of it. */
	if (view > (o->w->all.count - 1) / 3 + 2 + (o->w->plan.epoch_heights ? 2 : 0))
		world_fail(o->w, "height %llu took %llu views after the faults", (unsigned long long)height,
			   (unsigned long long)view);
}

/* Views rise one by one: a time-out asks for the next, and whoever follows others
 * follows a correct one among them. Some may be signed and never sent. */
#define UNSENT_VIEWS_MAX 8

static void check_view(struct oracle *o, const struct machine *m, const struct sent *now)
{
	uint64_t highest = 0;

	for (size_t v = 0; v < o->w->all.count; v++)
		for (size_t i = 0; i < o->sent_count[v]; i++)
			if (o->sent[v][i].height == now->height && o->sent[v][i].view > highest)
				highest = o->sent[v][i].view;
	if (now->view > highest + UNSENT_VIEWS_MAX)
		world_fail(o->w, "machine %zu asks for view %llu, where no correct one has been near", m->index,
			   (unsigned long long)now->view);
}

void oracle_on_commit(struct oracle *o, struct machine *m, uint64_t height, const struct hash *hash,
		      struct bytes certificate, const struct toy_block *block)
{
	(void)block;
	while (o->final_count <= height) {
		o->finals = xrealloc(o->finals, (o->final_count + 1) * sizeof(*o->finals));
		o->finals[o->final_count++] = (struct final){ 0 };
	}
	if (o->finals[height].is_set) {
		if (!hash_equal(&o->finals[height].hash, hash))
			world_fail(o->w, "two blocks are final at height %llu: machine %zu has the second",
				   (unsigned long long)height, m->index);
		if (certificate.size)
			check_certificate(o, m, height, hash, certificate);
		return;
	}
	o->finals[height].is_set = true;
	o->finals[height].hash = *hash;
	check_validity(o, m, height, hash);
	check_certificate(o, m, height, hash, certificate);
	note_progress(o, height, o->finals[height].view);
}

/* --- checkpoints --- */

/* Of a block that is final and on this machine's disk, by a member, and not too often. */
void oracle_on_checkpoint(struct oracle *o, struct machine *m, const struct checkpoint *p)
{
	struct world *w = o->w;
	const struct validator_set *set = &world_epoch_at(w, p->height)->set;
	struct consensus_checkpoint known;
	struct hash digest;
	bool is_durable = false;

	for (size_t i = 0; i < m->durable_count; i++)
		is_durable |= m->items[i].is_block && m->items[i].block.height == p->height &&
			      hash_equal(&m->items[i].hash, &p->block_hash);
	checkpoint_digest(p, WORLD_CHAIN_ID, &set->hash, &digest);
	if (!is_durable || p->validator != world_index(w, p->height, m->validator) ||
	    !world_verify(w, &p->signature, &digest, &w->all.members[m->validator].address))
		world_fail(w, "machine %zu signs a checkpoint of height %llu that it must not", m->index,
			   (unsigned long long)p->height);
	if (m->checkpoint_ms && w->plan.clock_permille == 0 && w->now_ms < m->checkpoint_ms + 100)
		world_fail(w, "machine %zu signs checkpoints too often", m->index);
	m->checkpoint_ms = w->now_ms;
	if (!consensus_get_checkpoint(m->c, &known) || world_is_liar(w, m->validator))
		return;
	if (known.signatures.height >= o->final_count || !o->finals[known.signatures.height].is_set ||
	    !hash_equal(&o->finals[known.signatures.height].hash, &known.signatures.block_hash))
		world_fail(w, "machine %zu shows a checkpoint of height %llu that is not final there", m->index,
			   (unsigned long long)known.signatures.height);
}

uint64_t oracle_height(const struct oracle *o)
{
	return o->final_count ? o->final_count - 1 : 0;
}

/* --- progress --- */

void oracle_on_heal(struct oracle *o)
{
	o->heal_height = oracle_height(o);
	o->heal_ms = o->w->now_ms;
	for (size_t i = 0; i < o->w->machine_count; i++) {
		struct consensus_status status;

		if (!o->w->machines[i].c || world_is_liar(o->w, o->w->machines[i].validator))
			continue;
		consensus_get_status(o->w->machines[i].c, &status);
		if (status.height > o->heal_height && status.view > o->heal_view)
			o->heal_view = status.view;
	}
}

#define HEIGHTS_AFTER 3

bool oracle_is_satisfied(struct oracle *o)
{
	for (size_t i = 0; i < o->w->machine_count; i++) {
		const struct machine *m = &o->w->machines[i];

		if (!world_is_liar(o->w, m->validator) && m->tip.height < o->heal_height + HEIGHTS_AFTER)
			return false;
	}
	return true;
}

uint64_t oracle_worst_views(const struct oracle *o)
{
	return o->worst_views;
}
