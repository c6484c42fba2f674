/* Five machines, what they are told, and what must hold. */
#include "sim/twins_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

#define CHAIN_ID 31337
#define START_MS 1700000000000ull
#define T0_MS 1000
#define INTERVAL_MS CONFIRMATION_INTERVAL_MS /* between two blocks, all empty */
#define HEIGHT_MAX 9 /* a scenario has at most one a view, and what the healed make */
#define VIEW_MAX 16
#define FAULTY 1      /* f */
#define KIND_COUNT 4

/* --- blocks --- */

struct body {
	uint64_t height, time_ms;
	uint64_t machine, view; /* who made it, and when */
	struct hash parent;
};

/* --- what is under way --- */

/* A message that was sent to several. */
struct post {
	size_t uses;
	struct message message;
};

struct delivery {
	size_t from, to;
	struct post *post; /* NULL: the block of `height` is fetched from `from` */
	uint64_t height;
};

struct queue {
	struct delivery *items;
	size_t first, count, capacity;
};

/* --- a machine and its caller --- */

struct machine {
	struct twins_world *world;
	size_t index, validator;
	struct consensus *c;
	uint64_t timer_ms;           /* 0: no TICK is wanted */
	struct consensus_tip tips[HEIGHT_MAX + 1]; /* its chain; the newest is [height] */
	uint64_t height;
	struct body body;            /* the newest that it made, */
	struct hash executed;        /* and made or executed */
	uint64_t executed_ms;
};

/* --- what a correct key has signed --- */

struct record {
	uint64_t signed_[HEIGHT_MAX + 1][VIEW_MAX][KIND_COUNT]; /* 0: nothing */
	uint64_t asked[HEIGHT_MAX + 1];                         /* the highest view */
};

struct twins_world {
	struct validator_set set;
	size_t views;
	void (*say)(void *ctx, const char *line);
	void *say_ctx;
	struct machine machines[TWINS_MACHINE_COUNT];
	struct queue queue;
	struct queue held; /* commits that wait for the partition to change */

	uint64_t now_ms;   /* on everyone's clock */

	/* The scenario so far. */
	size_t leaders[TWINS_VIEW_MAX]; /* validators */
	size_t round;      /* of `views`; there are as many as were decided on */
	bool holds_commits; /* as they are sent */
	unsigned partition; /* bit i: machine i is not on A's side */
	bool is_healed;
	uint64_t heal_view; /* the highest of a correct machine */

	/* What must hold. */
	bool is_final[HEIGHT_MAX + 1];
	struct hash finals[HEIGHT_MAX + 1];
	struct record records[TWINS_MACHINE_COUNT - 2]; /* of B, C, D */
	uint64_t top_height; /* the highest that is in them */
	uint64_t proposals[HEIGHT_MAX + 1][VIEW_MAX]; /* by whom of the twins: bit 0, 1 */

	bool has_failed;
	char failure[256];
	uint64_t counts[TWINS_COUNTER_COUNT];

	struct consensus_effects effects; /* of the newest step */
};

static bool is_twin(const struct machine *m)
{
	return m->index < 2;
}

static const char *name_of(const struct machine *m)
{
	static const char *const names[] = { "A", "A'", "B", "C", "D" };

	return names[m->index];
}

__attribute__((format(printf, 2, 3)))
static void fail(struct twins_world *w, const char *format, ...)
{
	va_list args;

	if (w->has_failed)
		return;
	w->has_failed = true;
	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3)))
static void say(const struct twins_world *w, const char *format, ...)
{
	char line[256];
	va_list args;

	if (!w->say)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	w->say(w->say_ctx, line);
}

/* --- hashes and signatures: cheap, and nobody here forges --- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static void hash_body(struct hash *out, struct bytes sealed)
{
	uint64_t words[sizeof(struct body) / 8], h[4] = { 1, 2, 3, 4 };

	CHECK(sealed.size == sizeof(words));
	memcpy(words, sealed.data, sizeof(words));
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		h[i % 4] = mix(h[i % 4] + words[i] + 0x9e3779b97f4a7c15ull * (i + 1));
	for (size_t i = 0; i < 4; i++)
		h[i] = mix(h[0] + h[1] * 3 + h[2] * 5 + h[3] * 7 + i);
	memcpy(out->bytes, h, 32);
}

static void make_signature(struct signature *out, const struct hash *digest, const struct addr *signer)
{
	*out = (struct signature){ .s = { [31] = 1 } };
	memcpy(out->r, digest->bytes, 32);
	out->r[0] ^= signer->bytes[0];
}

/* --- what a machine is given --- */

static size_t machine_proposer(void *ctx, const struct consensus_epoch *epoch, uint64_t height,
			       uint64_t view)
{
	struct machine *m = ctx;
	struct twins_world *w = m->world;
	uint64_t place = height - 1 + view;

	(void)epoch;
	if (place >= w->views)
		return place % TWINS_VALIDATOR_COUNT;
	if (place >= w->round)
		fail(w, "%s is at height %llu view %llu in view %zu of the scenario", name_of(m),
		     (unsigned long long)height, (unsigned long long)view, w->round - 1);
	return w->leaders[place];
}

static int machine_sign(void *ctx, struct signature *out, const struct hash *digest, struct err *err)
{
	const struct machine *m = ctx;

	(void)err;
	make_signature(out, digest, &m->world->set.members[m->validator].address);
	return OK;
}

static bool machine_verify(void *ctx, const struct signature *sig, const struct hash *digest,
			   const struct addr *signer)
{
	struct signature expected;

	(void)ctx;
	make_signature(&expected, digest, signer);
	return memcmp(&expected, sig, sizeof(expected)) == 0;
}

static bool machine_is_block(void *ctx, struct bytes sealed, const struct hash *hash)
{
	struct hash found;

	(void)ctx;
	if (sealed.size != sizeof(struct body))
		return false;
	hash_body(&found, sealed);
	return hash_equal(&found, hash);
}

static struct consensus_config config_of(struct machine *m)
{
	return (struct consensus_config){
		.chain_id = CHAIN_ID,
		.self = m->world->set.members[m->validator].address,
		.epoch = { .first = 1, .set = &m->world->set },
		.heartbeat_ms = INTERVAL_MS,
		.view_timeout_ms = T0_MS,
		.proposer = machine_proposer,
		.sign = machine_sign,
		.verify = machine_verify,
		.is_block = machine_is_block,
		.ctx = m,
	};
}

/* --- the network --- */

static void push(struct queue *q, const struct delivery *d)
{
	if (q->first == q->count)
		q->first = q->count = 0;
	if (q->count == q->capacity) {
		q->capacity = q->capacity ? q->capacity * 2 : 64;
		q->items = xrealloc(q->items, q->capacity * sizeof(*q->items));
	}
	q->items[q->count++] = *d;
	if (d->post)
		d->post->uses++;
}

static void let_go(struct post *post)
{
	if (!post || --post->uses > 0)
		return;
	message_clear(&post->message);
	free(post);
}

static void drop_all(struct queue *q)
{
	while (q->first < q->count)
		let_go(q->items[q->first++].post);
}

static bool is_cut(const struct twins_world *w, size_t from, size_t to)
{
	return (w->partition >> from ^ w->partition >> to) & 1;
}

/* From what is under way to what is to be delivered, unless the partition stops it. */
static void transmit(struct twins_world *w, const struct delivery *d)
{
	if (is_cut(w, d->from, d->to))
		w->counts[TWINS_COUNT_STOPPED]++;
	else
		push(&w->queue, d);
}

/* --- what must hold --- */

static uint64_t value_of(const struct message *m)
{
	const struct hash *hash = message_block_hash(m);
	uint64_t value = 1;

	if (hash) {
		memcpy(&value, hash->bytes, sizeof(value));
		value |= 1;
	}
	if (m->kind == MESSAGE_VIEW_CHANGE && m->view_change.has_prepared)
		value += 2 * (m->view_change.prepared_view + 1);
	return value;
}

/* One value at a position, and nothing below a view that was asked for. */
static void check_sent(struct twins_world *w, const struct machine *m, const struct message *message)
{
	uint64_t height = message_height(message), view = message_view(message), value = value_of(message);
	struct record *r;
	uint64_t *place;

	if (height > HEIGHT_MAX || view >= VIEW_MAX) {
		fail(w, "%s signs at height %llu view %llu, where nothing has led", name_of(m),
		     (unsigned long long)height, (unsigned long long)view);
		return;
	}
	if (message->kind == MESSAGE_PRE_PREPARE && is_twin(m)) {
		uint64_t *by = &w->proposals[height][view];

		w->counts[TWINS_COUNT_DOUBLE_PROPOSAL] += (*by | 1u << m->index) == 3 && *by != 3;
		*by |= 1u << m->index;
	}
	if (message->kind == MESSAGE_PRE_PREPARE && message->pre_prepare.prepares)
		w->counts[TWINS_COUNT_CARRIED]++;
	if (is_twin(m))
		return;
	r = &w->records[m->index - 2];
	w->top_height = MAX(w->top_height, height);
	place = &r->signed_[height][view][message->kind - 1];
	if (*place && *place != value)
		fail(w, "%s signs two values at height %llu view %llu kind %d", name_of(m),
		     (unsigned long long)height, (unsigned long long)view, message->kind);
	if (!*place && message->kind != MESSAGE_VIEW_CHANGE && view < r->asked[height])
		fail(w, "%s signs kind %d at height %llu view %llu after it asked for view %llu", name_of(m),
		     message->kind, (unsigned long long)height, (unsigned long long)view,
		     (unsigned long long)r->asked[height]);
	*place = value;
	if (message->kind == MESSAGE_VIEW_CHANGE)
		r->asked[height] = MAX(r->asked[height], view);
}

/* A certificate convinces anyone, so the twins' count as well. */
static void check_final(struct twins_world *w, const struct machine *m, uint64_t height, const struct hash *hash)
{
	if (height > HEIGHT_MAX) {
		fail(w, "%s commits height %llu, where nothing has led", name_of(m), (unsigned long long)height);
		return;
	}
	if (w->is_final[height] && !hash_equal(&w->finals[height], hash))
		fail(w, "two blocks are final at height %llu: %s has the second", (unsigned long long)height,
		     name_of(m));
	w->is_final[height] = true;
	w->finals[height] = *hash;
}

static void check_certificate(struct twins_world *w, const struct machine *m, uint64_t height,
			      const struct hash *hash, struct bytes encoded)
{
	struct certificate c __attribute__((uninitialized));
	struct signature expected;
	struct hash digest;
	size_t signers = 0;

	if (certificate_decode(&c, encoded, NULL) != OK || c.height != height || !hash_equal(&c.block_hash, hash)) {
		fail(w, "%s commits height %llu with another's certificate", name_of(m), (unsigned long long)height);
		return;
	}
	certificate_digest(&c, DOMAIN_COMMIT, CHAIN_ID, &w->set.hash, &digest);
	for (size_t i = 0; i < TWINS_VALIDATOR_COUNT; i++) {
		if (!signer_bits_get(&c.signers, i))
			continue;
		make_signature(&expected, &digest, &w->set.members[i].address);
		if (memcmp(&expected, &c.signatures[signers++], sizeof(expected)) != 0)
			fail(w, "%s commits height %llu with a false signature", name_of(m),
			     (unsigned long long)height);
	}
	if (signers < TWINS_VALIDATOR_COUNT - FAULTY || signers != c.count)
		fail(w, "%s commits height %llu with %zu signatures", name_of(m), (unsigned long long)height,
		     signers);
	w->counts[TWINS_COUNT_COMMIT]++;
	w->counts[TWINS_COUNT_VIEW_COMMIT] += c.view > 0;
	say(w, "%s commits height %llu in view %llu", name_of(m), (unsigned long long)height,
	    (unsigned long long)c.view);
	if (w->is_healed && !is_twin(m) && c.view > w->heal_view + FAULTY + 2)
		fail(w, "height %llu took %llu views, %llu of them after all was healed", (unsigned long long)height,
		     (unsigned long long)c.view, (unsigned long long)(c.view - w->heal_view));
}

/* --- the caller: one function an effect --- */

/* Answers to a step's effects, in their order. */
#define ANSWER_MAX 24
struct answers {
	size_t count;
	struct consensus_event items[ANSWER_MAX];
};

static struct consensus_event *answer(struct answers *a, enum consensus_event_kind kind)
{
	CHECK(a->count < ANSWER_MAX);
	a->items[a->count].kind = kind;
	a->items[a->count].next = NULL; /* the set stays */
	return &a->items[a->count++];
}

static void on_propose(struct machine *m, const struct consensus_effect *effect, struct answers *a)
{
	const struct consensus_tip *tip = &m->tips[m->height];
	struct consensus_event *e = answer(a, CONSENSUS_EVENT_PROPOSED);

	m->body = (struct body){
		.height = effect->height,
		.time_ms = MAX(m->world->now_ms, tip->time_ms),
		.machine = m->index,
		.view = effect->view,
		.parent = tip->hash,
	};
	e->proposed = (struct consensus_block){
		.time_ms = m->body.time_ms,
		.sealed = bytes_of(&m->body, sizeof(m->body)),
	};
	hash_body(&e->proposed.hash, e->proposed.sealed);
	m->executed = e->proposed.hash;
	m->executed_ms = m->body.time_ms;
}

static void on_execute(struct machine *m, const struct consensus_effect *effect, struct answers *a)
{
	const struct consensus_tip *tip = &m->tips[m->height];
	struct consensus_event *e = answer(a, CONSENSUS_EVENT_EXECUTED);
	struct body body;

	memcpy(&body, effect->execute.block.sealed.data, sizeof(body));
	e->executed.hash = effect->execute.block.hash;
	e->executed.is_valid = body.height == tip->height + 1 && hash_equal(&body.parent, &tip->hash);
	e->executed.time_ms = body.time_ms;
	e->executed.has_txs = false;
	m->executed = e->executed.hash;
	m->executed_ms = body.time_ms;
	if (!e->executed.is_valid)
		fail(m->world, "%s is to execute a block of height %llu on height %llu", name_of(m),
		     (unsigned long long)body.height, (unsigned long long)tip->height);
}

static void on_send(struct twins_world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct post *post = xmalloc(sizeof(*post));
	struct delivery d = { .from = m->index, .post = post };

	post->uses = 1;
	if (message_decode(&post->message, effect->send, NULL) != OK) {
		fail(w, "%s sends what can't be read", name_of(m));
		free(post);
		return;
	}
	check_sent(w, m, &post->message);
	if (w->say)
		say(w, "%s sends kind %d of height %llu view %llu value %04x", name_of(m), post->message.kind,
		    (unsigned long long)message_height(&post->message),
		    (unsigned long long)message_view(&post->message),
		    (unsigned)(value_of(&post->message) & 0xffff));
	for (d.to = 0; d.to < TWINS_MACHINE_COUNT; d.to++) {
		if (d.to == m->index)
			continue;
		if (w->holds_commits && post->message.kind == MESSAGE_COMMIT)
			push(&w->held, &d);
		else
			transmit(w, &d);
	}
	let_go(post);
}

static void extend(struct machine *m, const struct consensus_tip *tip)
{
	if (tip->height > HEIGHT_MAX || m->world->has_failed)
		return;
	CHECK(tip->height == m->height + 1);
	m->tips[++m->height] = *tip;
}

static void on_commit(struct twins_world *w, struct machine *m, const struct consensus_effect *effect)
{
	const struct consensus_tip tip = {
		.height = effect->height,
		.hash = effect->commit.hash,
		.time_ms = m->executed_ms,
		.empty_count = CONFIRMATION_COUNT,
	};

	check_certificate(w, m, effect->height, &effect->commit.hash, effect->commit.certificate);
	check_final(w, m, effect->height, &effect->commit.hash);
	if (!hash_equal(&m->executed, &effect->commit.hash))
		fail(w, "%s commits a block that it has not executed", name_of(m));
	extend(m, &tip);
}

static void on_evidence(struct twins_world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct consensus_config config = config_of(m);
	struct consensus_evidence found;

	w->counts[TWINS_COUNT_EVIDENCE]++;
	if (consensus_check_evidence(&config, &w->set, effect->evidence.first, effect->evidence.second, &found,
				     NULL) != OK)
		fail(w, "%s has evidence that proves nothing", name_of(m));
	else if (found.validator != w->machines[0].validator)
		fail(w, "%s has evidence against a correct validator", name_of(m));
}

static void on_peer(struct twins_world *w, struct machine *m, const struct consensus_effect *effect)
{
	struct delivery d = { .from = m->index, .to = m->index, .height = effect->peer.height };

	for (size_t i = 0; i < TWINS_MACHINE_COUNT; i++) {
		const struct addr *address = &w->set.members[w->machines[i].validator].address;

		if (!addr_equal(address, &effect->peer.address) || i == m->index)
			continue;
		if (effect->kind == CONSENSUS_EFFECT_BEHIND)
			d.from = i;
		else
			d.to = i;
		transmit(w, &d);
	}
}

static void on_trace(struct twins_world *w, struct machine *m, const struct consensus_effect *effect)
{
	switch (effect->trace) {
	case CONSENSUS_TRACE_SIGN_FAILED:
	case CONSENSUS_TRACE_DIVERGED:
	case CONSENSUS_TRACE_TWIN:
		if (!is_twin(m))
			fail(w, "%s: trace %d at height %llu view %llu", name_of(m), effect->trace,
			     (unsigned long long)effect->height, (unsigned long long)effect->view);
		return;
	case CONSENSUS_TRACE_REFUSED:
		/* All here speak as the protocol wants it. */
		fail(w, "%s refuses a message at height %llu view %llu", name_of(m),
		     (unsigned long long)effect->height, (unsigned long long)effect->view);
		return;
	case CONSENSUS_TRACE_RESUMED:
	case CONSENSUS_TRACE_INVALID:
	case CONSENSUS_TRACE_PREPARED:
	case CONSENSUS_TRACE_UNEXPECTED:
	case CONSENSUS_TRACE_VIEW:
		return;
	}
	UNREACHABLE();
}

static void on_effect(struct twins_world *w, struct machine *m, const struct consensus_effect *effect,
		      struct answers *a)
{
	switch (effect->kind) {
	case CONSENSUS_EFFECT_PROPOSE:
		on_propose(m, effect, a);
		return;
	case CONSENSUS_EFFECT_EXECUTE:
		on_execute(m, effect, a);
		return;
	case CONSENSUS_EFFECT_PERSIST:
		answer(a, CONSENSUS_EVENT_PERSISTED)->persisted = effect->persist.number;
		return;
	case CONSENSUS_EFFECT_SEND:
		on_send(w, m, effect);
		return;
	case CONSENSUS_EFFECT_COMMIT:
		on_commit(w, m, effect);
		return;
	case CONSENSUS_EFFECT_TIMER:
		m->timer_ms = effect->at_ms;
		return;
	case CONSENSUS_EFFECT_EVIDENCE:
		on_evidence(w, m, effect);
		return;
	case CONSENSUS_EFFECT_BEHIND:
	case CONSENSUS_EFFECT_SERVE:
		on_peer(w, m, effect);
		return;
	case CONSENSUS_EFFECT_CHECKPOINT: /* nothing is WRITTEN here */
		fail(w, "%s signs a checkpoint of nothing", name_of(m));
		return;
	case CONSENSUS_EFFECT_TRACE:
		on_trace(w, m, effect);
		return;
	}
	UNREACHABLE();
}

/* One event, and the answers to all that follows from it: disk and execution take no time. */
static void feed(struct twins_world *w, struct machine *m, const struct consensus_event *event)
{
	struct answers a __attribute__((uninitialized));

	a.count = 1;
	a.items[0] = *event;
	for (size_t i = 0; i < a.count && !w->has_failed; i++) {
		a.items[i].now_ms = w->now_ms;
		w->counts[TWINS_COUNT_STEP]++;
		consensus_step(m->c, &a.items[i], &w->effects);
		for (size_t k = 0; k < w->effects.count; k++)
			on_effect(w, m, &w->effects.items[k], &a);
	}
}

static void tick(struct twins_world *w, struct machine *m)
{
	m->timer_ms = 0;
	feed(w, m, &(struct consensus_event){ .kind = CONSENSUS_EVENT_TICK });
}

/* --- deliveries --- */

/* All blocks that are lacking up to a height, one by one, with their certificates. */
static void fetch(struct twins_world *w, const struct delivery *d)
{
	struct machine *to = &w->machines[d->to];
	const struct machine *from = &w->machines[d->from];

	while (to->height < MIN(d->height, from->height) && !w->has_failed) {
		struct consensus_event e = { .kind = CONSENSUS_EVENT_COMMITTED,
					     .committed = from->tips[to->height + 1] };

		w->counts[TWINS_COUNT_FETCHED]++;
		say(w, "%s takes height %llu from %s", name_of(to), (unsigned long long)e.committed.height,
		    name_of(from));
		extend(to, &e.committed);
		feed(w, to, &e);
	}
}

static void deliver_all(struct twins_world *w)
{
	while (w->queue.first < w->queue.count && !w->has_failed) {
		struct delivery d = w->queue.items[w->queue.first++];

		if (d.post)
			feed(w, &w->machines[d.to], &(struct consensus_event){
				.kind = CONSENSUS_EVENT_MESSAGE, .message = &d.post->message });
		else
			fetch(w, &d);
		let_go(d.post);
	}
}

static void release_commits(struct twins_world *w)
{
	for (; w->held.first < w->held.count; w->held.first++) {
		transmit(w, &w->held.items[w->held.first]);
		let_go(w->held.items[w->held.first].post);
	}
	deliver_all(w);
}

/* --- steps of a scenario --- */

/* When a machine's view ends, or begins. */
static uint64_t next_view_ms(const struct machine *m)
{
	struct consensus_status status;

	consensus_get_status(m->c, &status);
	return status.has_deadline ? status.deadline_ms : m->tips[m->height].time_ms + INTERVAL_MS;
}

/* Everyone's: who lacks a block asks for it in the same step in which its view times out. */
static void fire_timers(struct twins_world *w)
{
	for (size_t i = 0; i < TWINS_MACHINE_COUNT; i++)
		w->now_ms = MAX(w->now_ms, next_view_ms(&w->machines[i]));
	for (size_t i = 0; i < TWINS_MACHINE_COUNT && !w->has_failed; i++)
		tick(w, &w->machines[i]);
	deliver_all(w);
}

void twins_world_play(struct twins_world *w, const struct twins_step *step)
{
	static const char *const leaders[] = { "A", "B", "C", "D" };

	say(w, "%s: led by %s, cut off from A:%s%s%s%s%s", step->is_votes ? "commits" : "view", leaders[step->leader],
	    step->partition & 1 ? " A'" : "", step->partition & 2 ? " B" : "", step->partition & 4 ? " C" : "",
	    step->partition & 8 ? " D" : "", step->partition ? "" : " none");
	w->partition = (unsigned)step->partition << 1;
	release_commits(w);
	if (step->is_votes)
		return;
	w->leaders[w->round++] = w->machines[step->leader ? step->leader + 1 : 0].validator;
	fire_timers(w);
}

/* --- what comes after --- */

static bool is_satisfied(const struct twins_world *w, uint64_t height)
{
	for (size_t i = 2; i < TWINS_MACHINE_COUNT; i++)
		if (w->machines[i].height < height)
			return false;
	return true;
}

/* The next timer of any machine, on clocks that agree. */
static struct machine *next_timer(struct twins_world *w)
{
	struct machine *next = NULL;

	for (size_t i = 0; i < TWINS_MACHINE_COUNT; i++) {
		struct machine *m = &w->machines[i];

		if (m->timer_ms && (!next || m->timer_ms < next->timer_ms))
			next = m;
	}
	return next;
}

#define HEAL_TIMER_MAX 400

void twins_world_heal(struct twins_world *w)
{
	uint64_t goal = 0;

	say(w, "healed");
	w->partition = 0;
	w->is_healed = true;
	w->heal_view = w->views;
	for (size_t i = 0; i < TWINS_MACHINE_COUNT; i++) {
		struct consensus_status status;

		consensus_get_status(w->machines[i].c, &status);
		if (!is_twin(&w->machines[i]))
			w->heal_view = MAX(w->heal_view, status.view);
	}
	release_commits(w);
	w->holds_commits = false;
	for (size_t i = 0; i < TWINS_MACHINE_COUNT; i++)
		goal = MAX(goal, w->machines[i].height + 1);
	for (size_t n = 0; n < HEAL_TIMER_MAX && !w->has_failed; n++) {
		struct machine *m = next_timer(w);

		if (is_satisfied(w, goal))
			return;
		if (!m)
			break;
		w->now_ms = MAX(w->now_ms, m->timer_ms);
		tick(w, m);
		deliver_all(w);
	}
	fail(w, "not all that are correct commit height %llu after all was healed", (unsigned long long)goal);
}

/* --- life --- */

static void make_set(struct twins_world *w)
{
	struct validator members[TWINS_VALIDATOR_COUNT] = { 0 };

	for (size_t i = 0; i < TWINS_VALIDATOR_COUNT; i++) {
		members[i].address.bytes[0] = (uint8_t)(i + 1);
		members[i].weight.n = 1;
	}
	CHECK(validator_set_init(&w->set, members, TWINS_VALIDATOR_COUNT, NULL) == OK);
}

struct twins_world *twins_world_new(const struct twins_options *options)
{
	static const struct consensus_tip genesis = { .time_ms = START_MS, .empty_count = CONFIRMATION_COUNT };
	struct twins_world *w = xcalloc(1, sizeof(*w));

	CHECK(options->twin < TWINS_VALIDATOR_COUNT);
	make_set(w);
	w->views = options->views ? options->views : TWINS_VIEW_MAX;
	w->holds_commits = options->cut != TWINS_CUT_VIEW;
	w->say = options->is_loud ? options->say : NULL;
	w->say_ctx = options->ctx;
	w->now_ms = START_MS;
	for (size_t i = 0; i < TWINS_MACHINE_COUNT; i++) {
		struct machine *m = &w->machines[i];
		struct consensus_config config;

		m->world = w;
		m->index = i;
		/* B, C, D have the places that A leaves, in order. */
		m->validator = i < 2 ? options->twin : i - 2 + (i - 2 >= options->twin);
		m->tips[0] = genesis;
		config = config_of(m);
		CHECK(consensus_new(&m->c, &config, &genesis, NULL) == OK);
	}
	return w;
}

void twins_world_free(struct twins_world *w)
{
	drop_all(&w->queue);
	drop_all(&w->held);
	free(w->queue.items);
	free(w->held.items);
	for (size_t i = 0; i < TWINS_MACHINE_COUNT; i++)
		consensus_free(w->machines[i].c);
	free(w);
}

static void copy_machine(struct machine *to, const struct machine *from)
{
	consensus_copy(to->c, from->c);
	to->timer_ms = from->timer_ms;
	to->height = from->height;
	to->executed = from->executed;
	to->executed_ms = from->executed_ms;
	memcpy(to->tips, from->tips, (from->height + 1) * sizeof(*to->tips));
}

static void copy_record(struct record *to, const struct record *from, uint64_t top_height)
{
	memcpy(to->signed_, from->signed_, (top_height + 1) * sizeof(to->signed_[0]));
	memcpy(to->asked, from->asked, sizeof(to->asked));
}

void twins_world_copy(struct twins_world *to, const struct twins_world *from)
{
	drop_all(&to->queue);
	drop_all(&to->held);
	for (size_t i = 0; i < TWINS_MACHINE_COUNT; i++)
		copy_machine(&to->machines[i], &from->machines[i]);
	for (size_t i = from->held.first; i < from->held.count; i++)
		push(&to->held, &from->held.items[i]);
	to->now_ms = from->now_ms;
	memcpy(to->leaders, from->leaders, sizeof(to->leaders));
	to->round = from->round;
	to->holds_commits = from->holds_commits;
	to->partition = from->partition;
	to->is_healed = from->is_healed;
	memcpy(to->is_final, from->is_final, sizeof(to->is_final));
	memcpy(to->finals, from->finals, sizeof(to->finals));
	for (size_t i = 0; i < ARRAY_COUNT(to->records); i++)
		copy_record(&to->records[i], &from->records[i], MAX(from->top_height, to->top_height));
	to->top_height = from->top_height;
	memcpy(to->proposals, from->proposals, sizeof(to->proposals));
	to->has_failed = from->has_failed;
	memcpy(to->failure, from->failure, sizeof(to->failure));
	memset(to->counts, 0, sizeof(to->counts));
}

const char *twins_world_failure(const struct twins_world *w)
{
	return w->has_failed ? w->failure : NULL;
}

void twins_world_take_counts(struct twins_world *w, uint64_t counts[TWINS_COUNTER_COUNT])
{
	for (size_t i = 0; i < TWINS_COUNTER_COUNT; i++)
		counts[i] += w->counts[i];
	memset(w->counts, 0, sizeof(w->counts));
}
