#include "node/polls.h"

#include <stdlib.h>

#include "base/check.h"
#include "crypto/keccak.h"

struct poll {
	struct hash id;
	struct rpc_poll asked;
	uint64_t next_height, next_tx;
	uint64_t seen_ms;
};

struct polls {
	uint64_t seed;
	uint64_t made;       /* ever */
	struct poll *items[POLL_COUNT_MAX];
	size_t count;
	size_t term_count;   /* of all */
	size_t tx_asker_count;
	struct hash *txs;    /* a ring; NULL while nobody asks */
	uint64_t tx_count;   /* ever noted */
};

struct polls *polls_new(uint64_t seed)
{
	struct polls *p = xcalloc(1, sizeof(*p));

	p->seed = seed;
	return p;
}

static void drop(struct polls *p, size_t index)
{
	struct poll *gone = p->items[index];

	p->term_count -= log_filter_term_count(&gone->asked.logs);
	p->tx_asker_count -= gone->asked.kind == RPC_POLL_TXS;
	rpc_poll_clear(&gone->asked);
	free(gone);
	p->items[index] = p->items[--p->count];
	if (!p->tx_asker_count) {
		free(p->txs);
		p->txs = NULL;
	}
}

void polls_free(struct polls *p)
{
	if (!p)
		return;
	while (p->count)
		drop(p, p->count - 1);
	free(p);
}

/* A clock that was set back makes nobody idle. */
static void expire(struct polls *p, uint64_t now_ms)
{
	for (size_t i = p->count; i-- > 0;)
		if (now_ms > p->items[i]->seen_ms && now_ms - p->items[i]->seen_ms > POLL_IDLE_MS)
			drop(p, i);
}

/* 128 bits, of which the first is set: a number that clients may write in any way. */
static void make_id(struct polls *p, struct hash *out)
{
	uint64_t parts[3] = { 0x706f6c6c73u, p->seed, p->made++ };
	struct hash h;

	keccak256(&h, bytes_of(parts, sizeof(parts)));
	*out = (struct hash){ { 0 } };
	memcpy(out->bytes + 16, h.bytes, 16);
	out->bytes[16] |= 0x80;
}

int polls_add(struct polls *p, const struct rpc_poll *asked, uint64_t now_ms, uint64_t height, struct hash *id,
	      struct err *err)
{
	size_t term_count = log_filter_term_count(&asked->logs);
	struct poll *added;

	expire(p, now_ms);
	if (p->count == POLL_COUNT_MAX || term_count > POLL_TERM_COUNT_MAX - p->term_count)
		return ERR_SET(err, RPC_E_LIMIT,
			       "too many filters are kept (%zu): uninstall some, or try again when others have "
			       "not been asked for %d minutes", p->count, POLL_IDLE_MS / 60000);
	added = xcalloc(1, sizeof(*added));
	make_id(p, &added->id);
	added->asked = *asked;
	log_filter_copy(&added->asked.logs, &asked->logs);
	added->next_height = height + 1;
	added->next_tx = p->tx_count;
	added->seen_ms = now_ms;
	p->items[p->count++] = added;
	p->term_count += term_count;
	p->tx_asker_count += asked->kind == RPC_POLL_TXS;
	if (p->tx_asker_count && !p->txs)
		p->txs = xcalloc(POLL_TX_COUNT_MAX, sizeof(p->txs[0]));
	*id = added->id;
	return OK;
}

/* p->count: there is none. */
static size_t find(const struct polls *p, const struct hash *id)
{
	size_t i = 0;

	while (i < p->count && !hash_equal(&p->items[i]->id, id))
		i++;
	return i;
}

static void take_txs(struct polls *p, struct poll *poll, struct rpc_poll *out)
{
	uint64_t oldest = p->tx_count - MIN(p->tx_count, (uint64_t)POLL_TX_COUNT_MAX);
	uint64_t from = MAX(poll->next_tx, oldest);

	out->tx_count = (size_t)(p->tx_count - from);
	out->txs = xcalloc(out->tx_count, sizeof(out->txs[0]));
	for (size_t i = 0; i < out->tx_count; i++)
		out->txs[i] = p->txs[(from + i) % POLL_TX_COUNT_MAX];
	poll->next_tx = p->tx_count;
}

int polls_get(struct polls *p, const struct hash *id, bool changes, uint64_t now_ms, uint64_t height,
	      struct rpc_poll *out, struct err *err)
{
	struct poll *poll;
	size_t i;

	expire(p, now_ms);
	i = find(p, id);
	if (i == p->count)
		return ERR_SET(err, RPC_E_NOT_FOUND, "filter not found");
	poll = p->items[i];
	poll->seen_ms = now_ms;
	*out = poll->asked;
	log_filter_copy(&out->logs, &poll->asked.logs);
	if (!changes)
		return OK;
	out->first = poll->next_height;
	out->last = height;
	poll->next_height = MAX(poll->next_height, height + 1);
	if (poll->asked.kind == RPC_POLL_TXS)
		take_txs(p, poll, out);
	return OK;
}

bool polls_end(struct polls *p, const struct hash *id, uint64_t now_ms)
{
	size_t i;

	expire(p, now_ms);
	i = find(p, id);
	if (i == p->count)
		return false;
	drop(p, i);
	return true;
}

void polls_note_tx(struct polls *p, const struct hash *hash)
{
	if (p->txs)
		p->txs[p->tx_count++ % POLL_TX_COUNT_MAX] = *hash;
}

size_t polls_count(const struct polls *p)
{
	return p->count;
}
