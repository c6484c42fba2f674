#include "model.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "codec/rlp.h"

#define EVICTED_MAX 64

struct addr sender_address(size_t sender)
{
	struct addr a = { { 0xa0 } };

	store_be64(a.bytes + 12, sender);
	return a;
}

struct tx *make_tx(const struct spec *spec)
{
	static const struct addr to = { { 0x70 } };
	struct buf raw = { 0 };
	struct tx *t;
	size_t mark;

	buf_append_byte(&raw, TX_DYNAMIC_FEE);
	mark = rlp_list_open(&raw);
	rlp_put_u64(&raw, 1);
	rlp_put_u64(&raw, spec->nonce);
	rlp_put_u64(&raw, spec->tip);
	rlp_put_u64(&raw, spec->fee);
	rlp_put_u64(&raw, spec->gas_limit);
	rlp_put_addr(&raw, &to);
	rlp_put_u64(&raw, spec->value);
	if (spec->data_size) {
		uint8_t *data = xcalloc(1, spec->data_size);

		rlp_put_bytes(&raw, bytes_of(data, spec->data_size));
		free(data);
	} else {
		rlp_put_bytes(&raw, bytes_of(NULL, 0));
	}
	rlp_list_close(&raw, rlp_list_open(&raw));
	rlp_put_u64(&raw, 0);
	rlp_put_u64(&raw, spec->sender + 1); /* r: so that senders' hashes differ */
	rlp_put_u64(&raw, 1);
	rlp_list_close(&raw, mark);
	CHECK(tx_decode(&t, buf_bytes(&raw), LIMIT_TX_SIZE, NULL) == OK);
	buf_clear(&raw);
	t->sender = sender_address(spec->sender);
	t->has_sender = true;
	return t;
}

/* --- the model --- */

static int by_sender_and_nonce(const void *a, const void *b)
{
	const struct model_tx *x = a, *y = b;

	if (x->sender != y->sender)
		return x->sender < y->sender ? -1 : 1;
	return x->nonce < y->nonce ? -1 : x->nonce > y->nonce;
}

/* Sorts, and says anew who is pending. */
static void settle(struct model *m)
{
	uint64_t next = 0, spent = 0;

	qsort(m->txs, m->count, sizeof(m->txs[0]), by_sender_and_nonce);
	for (size_t i = 0; i < m->count; i++) {
		struct model_tx *t = &m->txs[i];
		const struct txpool_account *a = &m->accounts[t->sender];

		if (i == 0 || m->txs[i - 1].sender != t->sender) {
			next = a->nonce;
			spent = 0;
		}
		t->pending = t->nonce == next && spent + t->cost <= a->balance.n.limbs[0];
		if (t->pending) {
			next++;
			spent += t->cost;
		}
	}
}

static int64_t score(const struct model *m, const struct model_tx *t)
{
	int64_t over = (int64_t)t->fee - (int64_t)m->base_fee;

	return (int64_t)t->tip < over ? (int64_t)t->tip : over;
}

/* The least score of it and of its sender's with lower nonces. */
static int64_t worth(const struct model *m, const struct model_tx *t)
{
	int64_t least = score(m, t);

	for (size_t i = 0; i < m->count; i++) {
		if (m->txs[i].sender == t->sender && m->txs[i].nonce < t->nonce)
			least = MIN(least, score(m, &m->txs[i]));
	}
	return least;
}

static void take_out(struct model *m, size_t index)
{
	m->txs[index] = m->txs[--m->count];
	settle(m);
}

static size_t future_count(const struct model *m)
{
	size_t count = 0;

	for (size_t i = 0; i < m->count; i++)
		count += !m->txs[i].pending;
	return count;
}

static size_t size_of(const struct model *m)
{
	size_t size = 0;

	for (size_t i = 0; i < m->count; i++)
		size += m->txs[i].size;
	return size;
}

/* The index of the least worthy one that is its sender's last; SIZE_MAX if there is none. */
static size_t least_worthy(const struct model *m, bool pending)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < m->count; i++) {
		const struct model_tx *t = &m->txs[i];

		if (t->pending != pending || (i + 1 < m->count && t[1].sender == t->sender))
			continue;
		if (found == SIZE_MAX || worth(m, t) < worth(m, &m->txs[found]) ||
		    (worth(m, t) == worth(m, &m->txs[found]) &&
		     t->arrival > m->txs[found].arrival))
			found = i;
	}
	return found;
}

static void trim_future(struct model *m)
{
	while (future_count(m) > m->limits.future_count)
		take_out(m, least_worthy(m, false));
}

static bool too_full(const struct model *m, const struct model_tx *t)
{
	return m->count >= m->limits.tx_count || size_of(m) + t->size > m->limits.size ||
	       (!t->pending && future_count(m) >= m->limits.future_count);
}

static int make_room(struct model *m, const struct model_tx *t, size_t *evicted)
{
	int64_t least = score(m, t);

	for (size_t i = 0; i < m->count; i++) {
		if (m->txs[i].sender == t->sender && m->txs[i].nonce < t->nonce)
			least = MIN(least, score(m, &m->txs[i]));
	}
	for (*evicted = 0; too_full(m, t); ++*evicted) {
		bool has_future = future_count(m) > 0;
		size_t victim = least_worthy(m, t->pending && !has_future);

		if (*evicted == EVICTED_MAX || victim == SIZE_MAX ||
		    (!(t->pending && has_future) && worth(m, &m->txs[victim]) >= least))
			return t->pending ? TXPOOL_E_UNDERPRICED : TXPOOL_E_FULL;
		take_out(m, victim);
	}
	return OK;
}

static int replace(struct model *m, struct model_tx *old, const struct model_tx *t)
{
	uint64_t spent = t->cost;

	if (t->fee < old->fee + MAX(old->fee / 10, 1) || t->tip < old->tip + MAX(old->tip / 10, 1))
		return TXPOOL_E_REPLACEMENT;
	for (size_t i = 0; i < m->count; i++) {
		if (old->pending && m->txs[i].pending && m->txs[i].sender == t->sender &&
		    &m->txs[i] != old)
			spent += m->txs[i].cost;
	}
	if (spent > m->accounts[t->sender].balance.n.limbs[0])
		return TXPOOL_E_FUNDS;
	if (size_of(m) - old->size + t->size > m->limits.size)
		return TXPOOL_E_FULL;
	*old = *t;
	settle(m);
	return OK;
}

static int insert(struct model *m, struct model_tx *t, size_t *evicted)
{
	const struct txpool_account *a = &m->accounts[t->sender];
	uint64_t next = a->nonce, spent = 0;
	size_t own = 0;
	int rc;

	for (size_t i = 0; i < m->count; i++) {
		if (m->txs[i].sender != t->sender)
			continue;
		own++;
		next += m->txs[i].pending;
		spent += m->txs[i].pending ? m->txs[i].cost : 0;
	}
	t->pending = t->nonce == next;
	if (t->cost + (t->pending ? spent : 0) > a->balance.n.limbs[0])
		return TXPOOL_E_FUNDS;
	if (own >= m->limits.sender_tx_count)
		return TXPOOL_E_SENDER_FULL;
	rc = make_room(m, t, evicted);
	if (rc)
		return rc;
	m->txs[m->count++] = *t;
	settle(m);
	return OK;
}

int model_add(struct model *m, const struct tx *tx, size_t sender, size_t *evicted)
{
	struct model_tx t = {
		.sender = sender, .nonce = tx->nonce, .fee = tx->max_fee.n.limbs[0],
		.tip = tx->max_priority_fee.n.limbs[0], .size = tx->raw.size,
		.cost = tx->gas_limit * tx->max_fee.n.limbs[0] + tx->value.n.limbs[0],
		.arrival = m->next_arrival, .hash = tx->hash,
	};
	uint64_t nonce = m->accounts[sender].nonce;
	struct model before = *m;
	int rc = OK;

	*evicted = 0;
	for (size_t i = 0; i < m->count; i++) {
		if (hash_equal(&m->txs[i].hash, &t.hash))
			return TXPOOL_E_KNOWN;
	}
	if (t.fee < m->limits.fee_floor.n.limbs[0])
		return TXPOOL_E_UNDERPRICED;
	if (t.nonce < nonce)
		return TXPOOL_E_NONCE_LOW;
	if (t.nonce - nonce >= m->limits.sender_tx_count)
		return TXPOOL_E_GAP;
	for (size_t i = 0; i < m->count; i++) {
		if (m->txs[i].sender == sender && m->txs[i].nonce == t.nonce) {
			rc = replace(m, &m->txs[i], &t);
			goto done;
		}
	}
	rc = insert(m, &t, evicted);
done:
	if (rc) {
		*m = before;
		*evicted = 0;
	} else {
		m->next_arrival++;
	}
	return rc;
}

void model_update(struct model *m, size_t sender, const struct txpool_account *account)
{
	m->accounts[sender] = *account;
	for (size_t i = m->count; i-- > 0;) {
		const struct model_tx *t = &m->txs[i];

		if (t->sender == sender &&
		    (t->nonce < account->nonce || t->cost > account->balance.n.limbs[0]))
			m->txs[i] = m->txs[--m->count];
	}
	settle(m);
	trim_future(m);
}

void model_set_base_fee(struct model *m, uint64_t base_fee)
{
	m->base_fee = base_fee;
}

bool model_remove(struct model *m, const struct hash *hash)
{
	for (size_t i = 0; i < m->count; i++) {
		if (!hash_equal(&m->txs[i].hash, hash))
			continue;
		take_out(m, i);
		trim_future(m);
		return true;
	}
	return false;
}

/* --- comparing --- */

struct walk {
	const struct model *model;
	size_t index;
	bool equal;
};

static void visit(void *ctx, struct tx *t, bool pending)
{
	struct walk *w = ctx;
	const struct model_tx *want = &w->model->txs[w->index];

	if (w->index++ >= w->model->count || !hash_equal(&t->hash, &want->hash) ||
	    pending != want->pending)
		w->equal = false;
}

static bool complain(const char *what)
{
	fprintf(stderr, "pool and model differ: %s\n", what);
	return false;
}

/* What a cursor should give now: of every sender the first that was not given yet,
 * if it is pending and it and all before it pay the base fee. */
static const struct model_tx *best(const struct model *m, const bool given[])
{
	const struct model_tx *found = NULL;

	for (size_t i = 0; i < m->count; i++) {
		const struct model_tx *t = &m->txs[i];
		bool first = i == 0 || t[-1].sender != t->sender || given[i - 1];

		if (given[i] || !first || !t->pending || worth(m, t) < 0)
			continue;
		if (!found || score(m, t) > score(m, found) ||
		    (score(m, t) == score(m, found) && t->arrival < found->arrival))
			found = t;
	}
	return found;
}

static bool order_agrees(const struct model *m, struct txpool *p, size_t takeable)
{
	struct txpool_cursor *c = txpool_cursor_new(p);
	bool given[MODEL_TX_MAX] = { false }, equal = true;
	const struct model_tx *want;
	size_t count = 0;
	struct tx *t;

	do {
		t = txpool_cursor_next(c);
		want = best(m, given);
		if (!t != !want || (t && !hash_equal(&t->hash, &want->hash)))
			equal = false;
		else if (want)
			given[want - m->txs] = true;
		count += want != NULL;
	} while (equal && want);
	txpool_cursor_free(c);
	return equal && count == takeable;
}

bool model_agrees(const struct model *m, struct txpool *p)
{
	struct walk w = { .model = m, .equal = true };
	struct txpool_stats stats;

	txpool_each(p, visit, &w);
	txpool_get_stats(p, &stats);
	if (!w.equal || w.index != m->count)
		return complain("content");
	if (stats.future_count != future_count(m) || stats.size != size_of(m) ||
	    stats.pending_count != m->count - future_count(m))
		return complain("sums");
	if (!order_agrees(m, p, stats.takeable_count))
		return complain("order");
	for (size_t sender = 0; sender < MODEL_SENDER_COUNT; sender++) {
		struct addr address = sender_address(sender);
		uint64_t next = m->accounts[sender].nonce;

		for (size_t i = 0; i < m->count; i++)
			next += m->txs[i].sender == sender && m->txs[i].pending;
		if (txpool_next_nonce(p, &address, m->accounts[sender].nonce) != next)
			return complain("next nonce");
	}
	return txpool_check(p) || complain("invariants");
}

/* --- operations spelt out by bytes --- */

struct script {
	const uint8_t *at, *end;
};

static uint8_t take(struct script *s)
{
	return s->at < s->end ? *s->at++ : 0;
}

static bool run_add(struct script *s, struct model *m, struct txpool *p)
{
	struct spec spec = { .sender = take(s) % MODEL_SENDER_COUNT, .gas_limit = 10 };
	struct txpool_account *account = &m->accounts[spec.sender];
	size_t evicted, want_evicted;
	struct txpool_stats before, after;
	struct tx *t;
	int rc, want;

	spec.nonce = account->nonce + take(s) % 14;
	if (spec.nonce >= 2)
		spec.nonce -= 2;
	spec.fee = take(s) % 32;
	spec.tip = spec.fee ? take(s) % (spec.fee + 1) : 0;
	spec.value = take(s);
	spec.data_size = take(s) % 8 ? 0 : 200u * (take(s) % 4);
	t = make_tx(&spec);
	txpool_get_stats(p, &before);
	rc = txpool_add(p, t, account, &evicted, NULL);
	txpool_get_stats(p, &after);
	want = model_add(m, t, spec.sender, &want_evicted);
	tx_unref(t);
	if (rc != want || evicted != want_evicted) {
		fprintf(stderr, "add gave %d with %zu evicted, the model %d with %zu\n", rc,
			evicted, want, want_evicted);
		return false;
	}
	return after.refused_total - before.refused_total == (rc != OK) &&
	       after.added_total - before.added_total == (rc == OK) &&
	       after.evicted_total - before.evicted_total == evicted;
}

static void run_update(struct script *s, struct model *m, struct txpool *p)
{
	size_t sender = take(s) % MODEL_SENDER_COUNT;
	struct addr address = sender_address(sender);
	struct txpool_account account = m->accounts[sender];

	account.nonce += take(s) % 8;
	account.balance = wei_of(take(s) * 16u);
	txpool_update(p, &address, &account);
	model_update(m, sender, &account);
}

static bool run_remove(struct script *s, struct model *m, struct txpool *p)
{
	uint8_t which = take(s);
	struct hash hash = { { which } };

	if (m->count)
		hash = m->txs[which % m->count].hash;
	return txpool_remove(p, &hash) == model_remove(m, &hash);
}

bool model_run(struct bytes bytes)
{
	struct script s = { bytes.data, bytes.data + bytes.size };
	struct model m = {
		.limits = { .tx_count = 4 + take(&s) % 20, .size = 400 + take(&s) * 16u,
			    .sender_tx_count = 2 + take(&s) % 10, .future_count = take(&s) % 8,
			    .fee_floor = wei_of(take(&s) % 4) },
	};
	struct txpool *p = txpool_new(m.limits, take(&s));
	bool equal = true;

	for (size_t i = 0; i < MODEL_SENDER_COUNT; i++)
		m.accounts[i].balance = wei_of(2000);
	while (equal && s.at < s.end) {
		uint8_t op = take(&s);

		if (op % 8 < 5) {
			equal = run_add(&s, &m, p);
		} else if (op % 8 == 5) {
			run_update(&s, &m, p);
		} else if (op % 8 == 6) {
			equal = run_remove(&s, &m, p);
		} else {
			model_set_base_fee(&m, take(&s) % 24);
			txpool_set_base_fee(p, wei_of(m.base_fee));
		}
		equal = equal && model_agrees(&m, p);
	}
	txpool_free(p);
	return equal;
}
