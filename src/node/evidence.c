/*
 * evidence - what proves that a validator contradicted itself: found here or told by
 * peers, checked, kept, told on.
 *
 *   consensus: EVIDENCE ──┐
 *   peers ──► decode ─────┴─► known? ──► set of that height ──► both signatures
 *                                                                    │
 *       RPC, newcomers ◄── kept: at most NODE_EVIDENCE_MAX ◄─────────┤
 *       writer ◄──────────                                           └──► all peers, once
 *
 * Cheap questions come first: two signatures are checked only for what is new, not too old,
 * and within a validator's share. A validator that is proven guilty once more is no guiltier:
 * of one only the first NODE_EVIDENCE_OF_ONE_MAX are taken, so that nobody can buy disk writes
 * or room with his own signatures.
 *
 * Value in the store: rlp([address, validators hash, seen ms, first, second]).
 */
#include <stdlib.h>

#include "base/check.h"
#include "chain/decode.h"
#include "codec/hex.h"
#include "crypto/keccak.h"
#include "node/internal.h"

const char *node_evidence_kind_name(unsigned kind)
{
	static const char *const names[] = {
		[MESSAGE_PRE_PREPARE] = "pre-prepare",
		[MESSAGE_PREPARE] = "prepare",
		[MESSAGE_COMMIT] = "commit",
		[MESSAGE_VIEW_CHANGE] = "view-change",
		[CONSENSUS_KIND_CHECKPOINT] = "checkpoint",
	};

	return kind < ARRAY_COUNT(names) && names[kind] ? names[kind] : "unknown";
}

/* --- sets by height --- */

void node_evidence_epoch(struct node *n, const struct consensus_epoch *epoch)
{
	struct node_evidence *v = &n->evidence;
	struct node_known_set *place = &v->sets[v->set_count % NODE_SET_COUNT];

	if (v->set_count > 0 && v->sets[(v->set_count - 1) % NODE_SET_COUNT].first >= epoch->first)
		return;
	place->first = epoch->first;
	place->set = *epoch->set;
	v->set_count++;
}

/* The set of a height, or NULL if it is not known any more or not yet. */
static const struct validator_set *set_of(const struct node *n, uint64_t height)
{
	const struct node_evidence *v = &n->evidence;

	/* What is above the next block may belong to a set that is not known here. */
	if (height > n->tip.header.height + 1 + CONSENSUS_HEIGHT_AHEAD)
		return NULL;
	for (uint64_t back = 1; back <= MIN(v->set_count, (uint64_t)NODE_SET_COUNT); back++) {
		const struct node_known_set *s = &v->sets[(v->set_count - back) % NODE_SET_COUNT];

		if (s->first <= height)
			return &s->set;
	}
	return NULL;
}

const struct validator_set *node_find_set(const struct node *n, const struct hash *hash)
{
	const struct node_evidence *v = &n->evidence;

	for (size_t i = 0; i < MIN(v->set_count, (uint64_t)NODE_SET_COUNT); i++)
		if (hash_equal(&v->sets[i].set.hash, hash))
			return &v->sets[i].set;
	return NULL;
}

/* --- the list --- */

static struct hash id_of(const struct addr *address, const struct consensus_evidence *at)
{
	struct buf b = { 0 };
	size_t list = rlp_list_open(&b);
	struct hash id;

	rlp_put_addr(&b, address);
	rlp_put_u64(&b, at->height);
	rlp_put_u64(&b, at->view);
	rlp_put_u64(&b, at->kind);
	rlp_list_close(&b, list);
	keccak256(&id, buf_bytes(&b));
	buf_clear(&b);
	return id;
}

static void item_free(struct node_evidence_item *item)
{
	buf_clear(&item->first);
	buf_clear(&item->second);
	free(item);
}

static bool is_kept(const struct node *n, const struct hash *id)
{
	for (size_t i = 0; i < n->evidence.count; i++)
		if (hash_equal(&n->evidence.items[i]->id, id))
			return true;
	return false;
}

static size_t count_of(const struct node *n, const struct addr *address)
{
	size_t count = 0;

	for (size_t i = 0; i < n->evidence.count; i++)
		count += addr_equal(&n->evidence.items[i]->address, address);
	return count;
}

/* Forgets the oldest. */
static void drop_first(struct node *n)
{
	struct node_evidence *v = &n->evidence;
	struct node_evidence_item *item = v->items[0];

	/* On its way to the disk, or there: to be deleted. */
	if (item->is_given) {
		CHECK(v->gone_count < ARRAY_COUNT(v->gone));
		v->gone[v->gone_count++] = (struct node_evidence_gone){ item->at.height, item->id };
	}
	item_free(item);
	v->count--;
	memmove(v->items, v->items + 1, v->count * sizeof(v->items[0]));
}

/* By rising height; those of one height as they came. */
static void insert(struct node *n, struct node_evidence_item *item)
{
	struct node_evidence *v = &n->evidence;
	size_t place = v->count;

	CHECK(v->count < NODE_EVIDENCE_MAX);
	while (place > 0 && v->items[place - 1]->at.height > item->at.height)
		place--;
	memmove(v->items + place + 1, v->items + place, (v->count - place) * sizeof(v->items[0]));
	v->items[place] = item;
	v->count++;
}

static bool is_too_old(const struct node *n, uint64_t height)
{
	uint64_t tip = n->tip.header.height;

	return tip > NODE_EVIDENCE_HEIGHTS && height < tip - NODE_EVIDENCE_HEIGHTS;
}

/* --- the disk --- */

static void encode_item(struct buf *out, const struct node_evidence_item *item)
{
	size_t list = rlp_list_open(out);

	rlp_put_addr(out, &item->address);
	rlp_put_hash(out, &item->validators_hash);
	rlp_put_u64(out, item->seen_ms);
	rlp_put_bytes(out, buf_bytes(&item->first));
	rlp_put_bytes(out, buf_bytes(&item->second));
	rlp_list_close(out, list);
}

/* Hands what the disk does not know yet to the writer; one job at a time. */
void node_evidence_write(struct node *n)
{
	struct node_evidence *v = &n->evidence;
	struct node_job *job;
	size_t count = 0, at = 0;

	for (size_t i = 0; i < v->count; i++)
		count += !v->items[i]->is_given;
	if (count + v->gone_count == 0 || v->is_writing || n->is_stalled || n->is_stopped)
		return;
	job = node_job_new(n, NODE_JOB_EVIDENCE, n->tip.header.height);
	job->evidence = xcalloc(count + v->gone_count, sizeof(job->evidence[0]));
	/* First what is to be forgotten: it may have come again since. */
	for (size_t i = 0; i < v->gone_count; i++)
		job->evidence[job->evidence_count++] = (struct store_evidence){ v->gone[i].height, v->gone[i].id,
										{ 0 } };
	for (size_t i = 0; i < v->count; i++) {
		struct node_evidence_item *item = v->items[i];
		struct store_evidence *e;

		if (item->is_given)
			continue;
		e = &job->evidence[job->evidence_count++];
		*e = (struct store_evidence){ .height = item->at.height, .id = item->id };
		at = job->payload.size;
		encode_item(&job->payload, item);
		e->value.size = job->payload.size - at;
		item->is_given = true;
	}
	/* The buffer has stopped growing. */
	at = 0;
	for (size_t i = 0; i < job->evidence_count; i++) {
		if (job->evidence[i].value.size == 0)
			continue;
		job->evidence[i].value.data = job->payload.data + at;
		at += job->evidence[i].value.size;
	}
	v->gone_count = 0;
	v->is_writing = true;
	node_job_hand_over(n, job);
}

void node_evidence_written(struct node *n)
{
	n->evidence.is_writing = false;
	node_evidence_write(n);
}

static int load_item(void *ctx, const struct store_evidence *e, struct err *err)
{
	struct decoder d = { .what = "evidence", .code = STORE_E_CORRUPT, .err = err };
	struct node *n = ctx;
	struct node_evidence_item *item;
	struct bytes first, second;
	struct rlp_reader r;

	if (n->evidence.count == NODE_EVIDENCE_MAX)
		return OK;
	item = xcalloc(1, sizeof(*item));
	decode_top(&d, &r, e->value);
	decode_addr(&d, &r, "address", &item->address);
	decode_hash(&d, &r, "validators hash", &item->validators_hash);
	decode_u64(&d, &r, "seen", &item->seen_ms);
	decode_bytes(&d, &r, "first", STORE_EVIDENCE_SIZE_MAX, &first);
	decode_bytes(&d, &r, "second", STORE_EVIDENCE_SIZE_MAX, &second);
	decode_end(&d, &r);
	/* Written by another version: left where it is. */
	if (d.status != OK || consensus_read_evidence(first, second, &item->at, err) != OK) {
		free(item);
		n->evidence.broken_count++;
		return OK;
	}
	buf_append_bytes(&item->first, first);
	buf_append_bytes(&item->second, second);
	item->id = e->id;
	item->is_given = true;
	insert(n, item);
	return OK;
}

int node_evidence_load(struct node *n, struct err *err)
{
	size_t broken;
	int code = store_each_evidence(n->store, load_item, n, &broken, err);

	n->evidence.broken_count += broken;
	if (n->evidence.count > 0)
		LOG_WARN(n->config.log, "consensus", "evidence_kept", "count=%zu", n->evidence.count);
	if (n->evidence.broken_count > 0)
		LOG_ERROR(n->config.log, "consensus", "evidence_broken", "count=%zu msg=\"left out: rotted, or "
			  "written by another version\"", n->evidence.broken_count);
	return code;
}

void node_evidence_clear(struct node *n)
{
	for (size_t i = 0; i < n->evidence.count; i++)
		item_free(n->evidence.items[i]);
	n->evidence.count = 0;
}

/* A new block: what is older than anybody asks for goes. */
void node_evidence_age(struct node *n)
{
	size_t before = n->evidence.count;

	while (n->evidence.count > 0 && is_too_old(n, n->evidence.items[0]->at.height) &&
	       n->evidence.gone_count < ARRAY_COUNT(n->evidence.gone))
		drop_first(n);
	if (n->evidence.count != before)
		node_evidence_write(n);
}

/* --- taking --- */

static void encode_wire(struct buf *out, struct bytes first, struct bytes second)
{
	size_t list = rlp_list_open(out);

	buf_append_bytes(out, first);
	buf_append_bytes(out, second);
	rlp_list_close(out, list);
}

static void tell(struct node *n, const struct addr *peer, const struct node_evidence_item *item)
{
	struct buf evidence = { 0 };

	encode_wire(&evidence, buf_bytes(&item->first), buf_bytes(&item->second));
	node_peers_send_evidence(n, peer, buf_bytes(&evidence));
	buf_clear(&evidence);
}

static void keep(struct node *n, const struct consensus_evidence *at, const struct validator_set *set,
		 struct bytes first, struct bytes second)
{
	const struct addr everyone = { 0 };
	struct node_evidence_item *item = xcalloc(1, sizeof(*item));
	char text[HEX_ADDR_SIZE];

	item->at = *at;
	item->address = set->members[at->validator].address;
	item->validators_hash = set->hash;
	item->id = id_of(&item->address, at);
	item->seen_ms = n->io.now_ms(n->io.ctx);
	buf_append_bytes(&item->first, first);
	buf_append_bytes(&item->second, second);
	if (n->evidence.count == NODE_EVIDENCE_MAX)
		drop_first(n);
	insert(n, item);
	n->metrics.evidence_total++;
	LOG_ERROR(n->config.log, "consensus", "evidence", "validator=%s height=%llu view=%llu kind=%s msg=\"has "
		  "signed two values at one position: see weft_evidence\"",
		  hex_data(text, addr_bytes(&item->address)), (unsigned long long)at->height,
		  (unsigned long long)at->view, node_evidence_kind_name(at->kind));
	tell(n, &everyone, item);
	node_evidence_write(n);
}

/* True if it says something worth two signatures. */
static bool is_wanted(struct node *n, const struct consensus_evidence *at, const struct validator_set *set)
{
	const struct addr *address;
	struct hash id;

	if (!set || is_too_old(n, at->height))
		return false;
	if (at->validator >= set->count)
		return true; /* to be refused */
	address = &set->members[at->validator].address;
	id = id_of(address, at);
	if (is_kept(n, &id) || count_of(n, address) >= NODE_EVIDENCE_OF_ONE_MAX)
		return false;
	/* What would be the first to go does not come in. */
	return n->evidence.count < NODE_EVIDENCE_MAX || n->evidence.items[0]->at.height < at->height;
}

/* OK also for what is known, or can't be checked here. */
static int take(struct node *n, struct bytes first, struct bytes second, struct err *err)
{
	const struct consensus_config config = {
		.chain_id = n->config.genesis->params.chain_id, .verify = node_verify, .ctx = n,
	};
	const struct validator_set *set;
	struct consensus_evidence at;
	int code = consensus_read_evidence(first, second, &at, err);

	if (code != OK)
		return code;
	set = set_of(n, at.height);
	if (!is_wanted(n, &at, set)) {
		n->metrics.evidence_needless_total++;
		return OK;
	}
	code = consensus_check_evidence(&config, set, first, second, &at, err);
	if (code == OK)
		keep(n, &at, set, first, second);
	else if (at.height > n->tip.header.height + 1)
		code = OK; /* perhaps of a set that is not known here yet */
	return code;
}

void node_evidence_own(struct node *n, struct bytes first, struct bytes second)
{
	struct err err = { 0 };

	if (take(n, first, second, &err) != OK)
		LOG_ERROR(n->config.log, "consensus", "evidence_refused", "msg=\"%s\"", err.message);
}

void node_evidence_received(struct node *n, struct bytes evidence, const struct addr *peer)
{
	struct decoder d = { .what = "evidence", .code = CONSENSUS_E_EVIDENCE };
	struct bytes first = { 0 }, second = { 0 };
	struct rlp_reader r;
	struct err err = { 0 };
	int code;

	d.err = &err;
	decode_top(&d, &r, evidence);
	decode_raw(&d, &r, "first", &first);
	decode_raw(&d, &r, "second", &second);
	decode_end(&d, &r);
	code = d.status;
	if (code == OK && first.size + second.size > NODE_EVIDENCE_SIZE_MAX)
		code = ERR_SET(&err, CONSENSUS_E_EVIDENCE, "evidence: %zu bytes", evidence.size);
	if (code == OK)
		code = take(n, first, second, &err);
	if (code == OK)
		return;
	n->metrics.evidence_refused_total++;
	NODE_LOG_SOME(n, NODE_LOG_EVIDENCE, LOG_LEVEL_WARN, "consensus", "evidence_refused", "msg=\"%s\"", err.message);
	node_peers_offence(n, peer, P2P_OFFENCE_EVIDENCE);
}

/* Whoever has just come may not have been there when it was told. */
void node_evidence_share(struct node *n, const struct addr *peer)
{
	size_t count = MIN(n->evidence.count, (size_t)NODE_EVIDENCE_SHARE_MAX);

	for (size_t i = n->evidence.count - count; i < n->evidence.count; i++)
		tell(n, peer, n->evidence.items[i]);
}
