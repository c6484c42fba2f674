#include "txpool/internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"

/* One newcomer makes at most this many others go: a large transaction must not
 * sweep out hundreds of small ones. */
#define EVICTED_MAX 64

/* A transaction taken out to make room, until it is certain that it has to go. */
struct victim {
	struct sender *sender;
	struct entry entry;
};

struct txpool *txpool_new(struct txpool_limits limits, uint64_t seed)
{
	struct txpool *p = xcalloc(1, sizeof(*p));

	CHECK(limits.tx_count > 0 && limits.sender_tx_count > 0);
	p->limits = limits;
	map_init(&p->by_hash, sizeof(struct hash), sizeof(struct tx *), seed);
	map_init(&p->by_address, sizeof(struct addr), sizeof(struct sender *), seed ^ 1);
	p->heaps[PENDING].kind = PENDING;
	p->heaps[FUTURE].kind = FUTURE;
	return p;
}

static void sender_free(struct sender *s)
{
	free(s->entries);
	free(s);
}

void txpool_free(struct txpool *p)
{
	const void *key;
	void *value;

	if (!p)
		return;
	for (size_t cursor = 0; map_next(&p->by_hash, &cursor, &key, &value);)
		tx_unref(*(struct tx **)value);
	for (size_t cursor = 0; map_next(&p->by_address, &cursor, &key, &value);)
		sender_free(*(struct sender **)value);
	map_clear(&p->by_hash);
	map_clear(&p->by_address);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		free(p->heaps[kind].items);
	free(p);
}

/* --- one sender --- */

static struct sender *sender_find(const struct txpool *p, const struct addr *address)
{
	struct sender **slot = map_get(&p->by_address, address);

	return slot ? *slot : NULL;
}

static struct sender *sender_add(struct txpool *p, const struct addr *address,
				 const struct txpool_account *account)
{
	struct sender *s = xcalloc(1, sizeof(*s));

	s->address = *address;
	s->account = *account;
	s->heap_index[PENDING] = s->heap_index[FUTURE] = HEAP_ABSENT;
	*(struct sender **)map_put(&p->by_address, address, NULL) = s;
	p->stats.sender_count++;
	return s;
}

static void sender_drop_if_empty(struct txpool *p, struct sender *s)
{
	if (s->count)
		return;
	map_delete(&p->by_address, &s->address);
	p->stats.sender_count--;
	sender_free(s);
}

/* A sender changes between these two: its part of the sums leaves, and enters
 * again as it then is. */
static void sender_leave(struct txpool *p, const struct sender *s)
{
	p->stats.pending_count -= s->pending_count;
	p->stats.future_count -= s->count - s->pending_count;
	p->stats.takeable_count -= s->takeable_count;
}

static void sender_enter(struct txpool *p, struct sender *s)
{
	p->stats.pending_count += s->pending_count;
	p->stats.future_count += s->count - s->pending_count;
	p->stats.takeable_count += s->takeable_count;
	for (enum kind kind = PENDING; kind <= FUTURE; kind++) {
		size_t start = kind == PENDING ? 0 : s->pending_count;
		size_t end = kind == PENDING ? s->pending_count : s->count;
		const struct entry *first, *last;

		if (start == end) {
			heap_drop(&p->heaps[kind], s);
			continue;
		}
		first = &s->entries[start];
		last = &s->entries[end - 1];
		heap_put(&p->heaps[kind], (struct heap_item){
			.sender = s,
			.first = { entry_score(first, p->base_fee), first->arrival },
			.last = { last->worth, last->arrival },
		});
	}
}

/* The index of `nonce`, or where it belongs. */
static size_t sender_search(const struct sender *s, uint64_t nonce)
{
	size_t low = 0, high = s->count;

	if (high && s->entries[high - 1].tx->nonce < nonce) /* most come in order */
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->entries[middle].tx->nonce < nonce)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Makes at most the first `count` pending. */
static void sender_demote(struct sender *s, size_t count)
{
	while (s->pending_count > count)
		wei_sub(&s->pending_cost, s->pending_cost, s->entries[--s->pending_count].cost);
	s->takeable_count = MIN(s->takeable_count, s->pending_count);
}

static bool sender_covers(const struct sender *s, struct wei more)
{
	struct wei total;

	return !wei_add(&total, s->pending_cost, more) &&
	       wei_compare(total, s->account.balance) <= 0;
}

/* Entries from index `from` on have changed: their worth again, and then as many
 * pending as nonces and balance allow. */
static void sender_reckon(struct sender *s, size_t from, int64_t base_fee)
{
	for (size_t i = from; i < s->count; i++) {
		struct entry *e = &s->entries[i];

		e->worth = entry_score(e, base_fee);
		if (i > 0)
			e->worth = MIN(e->worth, s->entries[i - 1].worth);
	}
	while (s->pending_count < s->count) {
		const struct entry *e = &s->entries[s->pending_count];

		if (e->tx->nonce != s->account.nonce + s->pending_count ||
		    !sender_covers(s, e->cost))
			break;
		wei_add(&s->pending_cost, s->pending_cost, e->cost);
		s->pending_count++;
	}
	s->takeable_count = MIN(s->takeable_count, MIN(from, s->pending_count));
	while (s->takeable_count < s->pending_count && s->entries[s->takeable_count].worth >= 0)
		s->takeable_count++;
}

/* Puts an entry in at `index`, behind or among the future ones. */
static void sender_insert(struct txpool *p, struct sender *s, size_t index, struct entry e)
{
	CHECK(index >= s->pending_count && index <= s->count);
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? s->capacity * 2 : 1;
		s->entries = xrealloc(s->entries, s->capacity * sizeof(e));
	}
	memmove(&s->entries[index + 1], &s->entries[index], (s->count - index) * sizeof(e));
	s->entries[index] = e;
	s->count++;
	*(struct tx **)map_put(&p->by_hash, &e.tx->hash, NULL) = e.tx;
	p->stats.size += e.tx->raw.size;
}

/* Ends what the pool knows of a transaction whose entry goes. */
static void forget(struct txpool *p, struct tx *t)
{
	map_delete(&p->by_hash, &t->hash);
	p->stats.size -= t->raw.size;
	tx_unref(t);
}

/* Takes `count` entries out from `index` on; none of them counts as pending any more. */
static void sender_erase(struct txpool *p, struct sender *s, size_t index, size_t count)
{
	for (size_t i = index; i < index + count; i++)
		forget(p, s->entries[i].tx);
	s->count -= count;
	memmove(s->entries + index, s->entries + index + count,
		(s->count - index) * sizeof(s->entries[0]));
}

/* --- making room --- */

/* Takes the least worthy last transaction of its kind out. */
static struct victim take_victim(struct txpool *p, enum kind kind)
{
	struct sender *s = p->heaps[kind].items[0].sender;
	struct victim v = { .sender = s, .entry = s->entries[s->count - 1] };

	sender_leave(p, s);
	if (kind == PENDING) {
		CHECK(s->count == s->pending_count); /* the future ones go first */
		sender_demote(s, s->count - 1);
	}
	s->count--;
	sender_enter(p, s);
	map_delete(&p->by_hash, &v.entry.tx->hash);
	p->stats.size -= v.entry.tx->raw.size;
	return v;
}

static void put_back(struct txpool *p, const struct victim *v)
{
	struct sender *s = v->sender;

	sender_leave(p, s);
	sender_insert(p, s, s->count, v->entry);
	sender_reckon(s, s->count - 1, p->base_fee);
	sender_enter(p, s);
}

static void let_go(struct txpool *p, const struct victim *v)
{
	struct sender *s = sender_find(p, &v->entry.tx->sender);

	p->stats.evicted_total++;
	if (s) /* else it was emptied and let go already */
		sender_drop_if_empty(p, s);
	tx_unref(v->entry.tx);
}

static size_t pool_count(const struct txpool *p)
{
	return p->stats.pending_count + p->stats.future_count;
}

static bool has_room(const struct txpool *p, const struct tx *t, enum kind kind)
{
	if (kind == FUTURE && p->stats.future_count >= p->limits.future_count)
		return false;
	return pool_count(p) < p->limits.tx_count && p->stats.size + t->raw.size <= p->limits.size;
}

/* Whether a newcomer may push out the next victim, and of which kind that is. A
 * future one goes for any pending one, as it can't be mined now. */
static bool may_evict(const struct txpool *p, enum kind kind, struct rank rank, enum kind *victim)
{
	const struct heap *futures = &p->heaps[FUTURE], *pendings = &p->heaps[PENDING];

	*victim = futures->count ? FUTURE : kind;
	if (kind == PENDING && *victim == FUTURE)
		return true;
	if (*victim == FUTURE)
		return futures->count && rank.score > futures->items[0].last.score;
	return pendings->count && rank.score > pendings->items[0].last.score;
}

/* Takes victims out until `t` fits. False, with everything back in its place, if
 * they are worth as much as `t`, or too many. */
static bool make_room(struct txpool *p, const struct tx *t, enum kind kind, struct rank rank,
		      struct victim victims[EVICTED_MAX], size_t *count)
{
	*count = 0;
	while (!has_room(p, t, kind)) {
		enum kind victim;

		if (*count < EVICTED_MAX && may_evict(p, kind, rank, &victim)) {
			victims[(*count)++] = take_victim(p, victim);
			continue;
		}
		while (*count)
			put_back(p, &victims[--*count]);
		return false;
	}
	return true;
}

/* What was demoted may be more than the future's cap: the least worthy go. */
static void trim_future(struct txpool *p)
{
	while (p->stats.future_count > p->limits.future_count) {
		struct victim v = take_victim(p, FUTURE);

		let_go(p, &v);
	}
}

/* --- adding --- */

static int64_t price_cap(struct wei price)
{
	if (!u256_fits_u64(&price.n) || price.n.limbs[0] > INT64_MAX)
		return INT64_MAX;
	return (int64_t)price.n.limbs[0];
}

static int refuse_funds(struct err *err, const struct sender *s, struct wei balance,
			struct wei cost)
{
	char have[U256_DECIMAL_MAX + 1], need[U256_DECIMAL_MAX + 1], queued[U256_DECIMAL_MAX + 1];
	struct wei pending = s ? s->pending_cost : wei_of(0);

	return ERR_SET(err, TXPOOL_E_FUNDS,
		       "insufficient funds for gas * price + value: balance %s, tx cost %s, "
		       "queued cost %s",
		       u256_to_decimal(have, &balance.n), u256_to_decimal(need, &cost.n),
		       u256_to_decimal(queued, &pending.n));
}

static int refuse_room(struct err *err, enum kind kind)
{
	if (kind == FUTURE)
		return ERR_SET(err, TXPOOL_E_FULL,
			       "txpool is full: no room for a transaction behind a nonce gap; "
			       "send the missing nonces first");
	return ERR_SET(err, TXPOOL_E_UNDERPRICED,
		       "transaction underpriced: the pool is full of transactions that pay as much "
		       "or more");
}

/* What can be said without looking at the pool's content. */
static int check_plain(const struct txpool *p, const struct tx *t,
		       const struct txpool_account *account, struct err *err)
{
	if (map_get(&p->by_hash, &t->hash))
		return ERR_SET(err, TXPOOL_E_KNOWN, "already known");
	if (wei_compare(t->max_fee, p->limits.fee_floor) < 0) {
		char have[U256_DECIMAL_MAX + 1], need[U256_DECIMAL_MAX + 1];

		return ERR_SET(err, TXPOOL_E_UNDERPRICED,
			       "transaction underpriced: max fee per gas %s, minimum needed %s",
			       u256_to_decimal(have, &t->max_fee.n),
			       u256_to_decimal(need, &p->limits.fee_floor.n));
	}
	if (t->nonce < account->nonce)
		return ERR_SET(err, TXPOOL_E_NONCE_LOW,
			       "nonce too low: next nonce %" PRIu64 ", tx nonce %" PRIu64,
			       account->nonce, t->nonce);
	if (t->nonce - account->nonce >= p->limits.sender_tx_count)
		return ERR_SET(err, TXPOOL_E_GAP,
			       "nonce too high: next nonce %" PRIu64 ", tx nonce %" PRIu64
			       ", at most %zu ahead",
			       account->nonce, t->nonce, p->limits.sender_tx_count - 1);
	return OK;
}

/* A tenth more, rounded down, and at least one wei; false if there is no such price. */
static bool raised_price(struct wei *out, struct wei old)
{
	struct wei tenth;

	u256_div_u64(&tenth.n, &old.n, 10);
	if (u256_is_zero(&tenth.n))
		tenth = wei_of(1);
	return !wei_add(out, old, tenth);
}

static int check_replacement(const struct txpool *p, const struct sender *s, size_t index,
			     const struct entry *e, struct err *err)
{
	const struct entry *old = &s->entries[index];
	struct wei fee, tip, others = wei_of(0), total;

	if (!raised_price(&fee, old->tx->max_fee) || wei_compare(e->tx->max_fee, fee) < 0 ||
	    !raised_price(&tip, old->tx->max_priority_fee) ||
	    wei_compare(e->tx->max_priority_fee, tip) < 0)
		return ERR_SET(err, TXPOOL_E_REPLACEMENT,
			       "replacement transaction underpriced: both max fee and priority fee "
			       "must rise by 10 %%");
	/* The later pending ones stay covered: no overdraft by replacing an early one. */
	if (index < s->pending_count)
		wei_sub(&others, s->pending_cost, old->cost);
	if (wei_add(&total, others, e->cost) || wei_compare(total, s->account.balance) > 0)
		return refuse_funds(err, s, s->account.balance, e->cost);
	if (p->stats.size - old->tx->raw.size + e->tx->raw.size > p->limits.size)
		return ERR_SET(err, TXPOOL_E_FULL,
			       "txpool is full: no room for a larger replacement");
	return OK;
}

static void replace(struct txpool *p, struct sender *s, size_t index, struct entry e)
{
	struct entry *old = &s->entries[index];

	sender_leave(p, s);
	if (index < s->pending_count) {
		wei_sub(&s->pending_cost, s->pending_cost, old->cost);
		wei_add(&s->pending_cost, s->pending_cost, e.cost);
	}
	map_delete(&p->by_hash, &old->tx->hash);
	p->stats.size += e.tx->raw.size - old->tx->raw.size;
	tx_unref(old->tx);
	*old = e;
	*(struct tx **)map_put(&p->by_hash, &e.tx->hash, NULL) = e.tx;
	sender_reckon(s, index, p->base_fee);
	sender_enter(p, s);
	p->stats.replaced_total++;
}

/* Adds at a nonce that is free; `s` is NULL for a new sender. */
static int insert(struct txpool *p, struct sender *s, size_t index, struct entry e,
		  const struct txpool_account *account, size_t *evicted, struct err *err)
{
	size_t pending_count = s ? s->pending_count : 0, victim_count;
	enum kind kind = e.tx->nonce == account->nonce + pending_count ? PENDING : FUTURE;
	bool covered = s && kind == PENDING ? sender_covers(s, e.cost)
					    : wei_compare(e.cost, account->balance) <= 0;
	struct rank rank = { entry_score(&e, p->base_fee), e.arrival };
	struct victim victims[EVICTED_MAX];

	if (!covered)
		return refuse_funds(err, s, account->balance, e.cost);
	if (s && s->count >= p->limits.sender_tx_count)
		return ERR_SET(err, TXPOOL_E_SENDER_FULL,
			       "too many transactions of one sender: %zu wait already", s->count);
	if (index > 0)
		rank.score = MIN(rank.score, s->entries[index - 1].worth);
	if (!make_room(p, e.tx, kind, rank, victims, &victim_count))
		return refuse_room(err, kind);
	if (!s)
		s = sender_add(p, &e.tx->sender, account);
	sender_leave(p, s);
	sender_insert(p, s, index, e);
	sender_reckon(s, index, p->base_fee);
	sender_enter(p, s);
	*evicted = victim_count;
	while (victim_count)
		let_go(p, &victims[--victim_count]);
	return OK;
}

static void update(struct txpool *p, struct sender *s, const struct txpool_account *account);

static int add(struct txpool *p, struct tx *t, const struct txpool_account *account,
	       size_t *evicted, struct err *err)
{
	struct entry e = { .tx = t,
			   .fee = price_cap(t->max_fee),
			   .tip = price_cap(t->max_priority_fee),
			   .arrival = p->next_arrival };
	struct sender *s;
	size_t index = 0;
	int rc = check_plain(p, t, account, err);

	if (rc)
		return rc;
	if (!tx_max_cost(t, &e.cost))
		CHECK(!"tx_check() passed");
	s = sender_find(p, &t->sender);
	if (s && (s->account.nonce != account->nonce ||
		  wei_compare(s->account.balance, account->balance) != 0)) {
		update(p, s, account);
		s = sender_find(p, &t->sender);
	}
	if (s)
		index = sender_search(s, t->nonce);
	if (s && index < s->count && s->entries[index].tx->nonce == t->nonce) {
		rc = check_replacement(p, s, index, &e, err);
		if (rc)
			return rc;
		replace(p, s, index, e);
	} else {
		rc = insert(p, s, index, e, account, evicted, err);
		if (rc)
			return rc;
	}
	tx_ref(t);
	p->next_arrival++;
	p->stats.added_total++;
	return OK;
}

int txpool_add(struct txpool *p, struct tx *t, const struct txpool_account *account,
	       size_t *evicted, struct err *err)
{
	size_t ignored;
	int rc;

	CHECK(t->has_sender);
	if (!evicted)
		evicted = &ignored;
	*evicted = 0;
	rc = add(p, t, account, evicted, err);
	if (rc)
		p->stats.refused_total++;
	VERIFY(txpool_check(p));
	return rc;
}

/* --- changes from outside --- */

/* Drops the future ones that the balance does not cover even alone. */
static void drop_unaffordable(struct txpool *p, struct sender *s)
{
	size_t kept = s->pending_count;

	for (size_t i = kept; i < s->count; i++) {
		if (wei_compare(s->entries[i].cost, s->account.balance) > 0)
			forget(p, s->entries[i].tx);
		else
			s->entries[kept++] = s->entries[i];
	}
	s->count = kept;
}

static void update(struct txpool *p, struct sender *s, const struct txpool_account *account)
{
	size_t mined = sender_search(s, account->nonce);
	size_t mined_pending = MIN(mined, s->pending_count);

	sender_leave(p, s);
	for (size_t i = 0; i < mined_pending; i++)
		wei_sub(&s->pending_cost, s->pending_cost, s->entries[i].cost);
	s->pending_count -= mined_pending;
	sender_erase(p, s, 0, mined);
	s->account = *account;
	if (s->count && s->entries[0].tx->nonce != account->nonce)
		sender_demote(s, 0);
	while (wei_compare(s->pending_cost, account->balance) > 0)
		sender_demote(s, s->pending_count - 1);
	drop_unaffordable(p, s);
	sender_reckon(s, 0, p->base_fee);
	sender_enter(p, s);
	sender_drop_if_empty(p, s);
	trim_future(p);
}

void txpool_update(struct txpool *p, const struct addr *sender,
		   const struct txpool_account *account)
{
	struct sender *s = sender_find(p, sender);

	if (!s)
		return;
	update(p, s, account);
	VERIFY(txpool_check(p));
}

bool txpool_remove(struct txpool *p, const struct hash *hash)
{
	struct tx **slot = map_get(&p->by_hash, hash);
	struct sender *s;
	size_t index;

	if (!slot)
		return false;
	s = sender_find(p, &(*slot)->sender);
	index = sender_search(s, (*slot)->nonce);
	sender_leave(p, s);
	sender_demote(s, index);
	sender_erase(p, s, index, 1);
	sender_reckon(s, index, p->base_fee);
	sender_enter(p, s);
	sender_drop_if_empty(p, s);
	trim_future(p);
	VERIFY(txpool_check(p));
	return true;
}

void txpool_set_base_fee(struct txpool *p, struct wei base_fee)
{
	int64_t capped = price_cap(base_fee);
	const void *key;
	void *value;

	if (capped == p->base_fee)
		return;
	p->base_fee = capped;
	for (size_t cursor = 0; map_next(&p->by_address, &cursor, &key, &value);) {
		struct sender *s = *(struct sender **)value;

		sender_leave(p, s);
		sender_reckon(s, 0, capped);
		sender_enter(p, s);
	}
	VERIFY(txpool_check(p));
}

/* --- questions --- */

struct tx *txpool_get(struct txpool *p, const struct hash *hash)
{
	struct tx **slot = map_get(&p->by_hash, hash);

	return slot ? tx_ref(*slot) : NULL;
}

uint64_t txpool_next_nonce(const struct txpool *p, const struct addr *sender, uint64_t state_nonce)
{
	const struct sender *s = sender_find(p, sender);

	return s && s->pending_count ? s->account.nonce + s->pending_count : state_nonce;
}

void txpool_get_stats(const struct txpool *p, struct txpool_stats *out)
{
	*out = p->stats;
}

static int compare_senders(const void *a, const void *b)
{
	const struct sender *const *left = a, *const *right = b;

	return memcmp(&(*left)->address, &(*right)->address, sizeof(struct addr));
}

void txpool_each(struct txpool *p, void (*fn)(void *ctx, struct tx *t, bool pending), void *ctx)
{
	struct sender **senders = xmalloc(p->by_address.count * sizeof(senders[0]));
	size_t count = 0;
	const void *key;
	void *value;

	for (size_t cursor = 0; map_next(&p->by_address, &cursor, &key, &value);)
		senders[count++] = *(struct sender **)value;
	if (count)
		qsort(senders, count, sizeof(senders[0]), compare_senders);
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < senders[i]->count; j++)
			fn(ctx, senders[i]->entries[j].tx, j < senders[i]->pending_count);
	}
	free(senders);
}

/* --- the invariants --- */

static bool check_entry(const struct txpool *p, const struct sender *s, size_t index)
{
	const struct entry *e = &s->entries[index];
	struct tx **slot = map_get(&p->by_hash, &e->tx->hash);
	int64_t worth = entry_score(e, p->base_fee);

	if (!slot || *slot != e->tx || !addr_equal(&e->tx->sender, &s->address))
		return false;
	if (index > 0) {
		worth = MIN(worth, s->entries[index - 1].worth);
		if (s->entries[index - 1].tx->nonce >= e->tx->nonce)
			return false;
	}
	if (e->worth != worth || e->tx->nonce < s->account.nonce ||
	    wei_compare(e->cost, s->account.balance) > 0)
		return false;
	return index >= s->pending_count || e->tx->nonce == s->account.nonce + index;
}

static bool check_sender(const struct txpool *p, const struct sender *s)
{
	struct wei cost = wei_of(0);
	size_t takeable = 0;

	if (s->count == 0 || s->count > p->limits.sender_tx_count || s->pending_count > s->count)
		return false;
	for (size_t i = 0; i < s->count; i++) {
		if (!check_entry(p, s, i))
			return false;
		if (i < s->pending_count && wei_add(&cost, cost, s->entries[i].cost))
			return false;
		takeable += i < s->pending_count && s->entries[i].worth >= 0;
	}
	if (wei_compare(cost, s->pending_cost) != 0 || wei_compare(cost, s->account.balance) > 0)
		return false;
	/* The first future one is behind a gap, or not covered. */
	if (s->pending_count < s->count &&
	    s->entries[s->pending_count].tx->nonce == s->account.nonce + s->pending_count &&
	    sender_covers(s, s->entries[s->pending_count].cost))
		return false;
	return takeable == s->takeable_count &&
	       (s->heap_index[PENDING] != HEAP_ABSENT) == (s->pending_count > 0) &&
	       (s->heap_index[FUTURE] != HEAP_ABSENT) == (s->pending_count < s->count);
}

bool txpool_check(const struct txpool *p)
{
	struct txpool_stats sums = { 0 };
	const void *key;
	void *value;

	for (size_t cursor = 0; map_next(&p->by_address, &cursor, &key, &value);) {
		const struct sender *s = *(struct sender **)value;

		if (!check_sender(p, s))
			return false;
		sums.sender_count++;
		sums.pending_count += s->pending_count;
		sums.future_count += s->count - s->pending_count;
		sums.takeable_count += s->takeable_count;
		for (size_t i = 0; i < s->count; i++)
			sums.size += s->entries[i].tx->raw.size;
	}
	return sums.sender_count == p->stats.sender_count &&
	       sums.pending_count == p->stats.pending_count &&
	       sums.future_count == p->stats.future_count &&
	       sums.takeable_count == p->stats.takeable_count && sums.size == p->stats.size &&
	       p->by_hash.count == pool_count(p) && pool_count(p) <= p->limits.tx_count &&
	       sums.size <= p->limits.size && sums.future_count <= p->limits.future_count &&
	       heap_check(&p->heaps[PENDING]) && heap_check(&p->heaps[FUTURE]);
}
