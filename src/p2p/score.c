#include "p2p/internal.h"

#include "base/check.h"

/* --- rates --- */

/* What a peer may send: frames and bytes a second, and at once. Honest peers stay
 * far below: blocks come every 100 ms, gossip every GOSSIP_INTERVAL_MS. */
static const struct rate {
	uint32_t count, count_burst;
	uint64_t size, size_burst;
} rates[WIRE_KIND_COUNT] = {
	[WIRE_HELLO] = { 1, 1, KIB, KIB },
	[WIRE_TRANSACTIONS] = { 2000, 4000, 32 * MIB, 64 * MIB },
	[WIRE_CONSENSUS] = { 4000, 8000, 64 * MIB, 128 * MIB },
	[WIRE_BLOCKS_REQUEST] = { 50, 100, 8 * KIB, 16 * KIB },
	[WIRE_BLOCKS] = { 50, 100, 128 * MIB, 256 * MIB },
	[WIRE_STATUS] = { 50, 200, 8 * KIB, 32 * KIB },
	[WIRE_PING] = { 2, 20, KIB, KIB },
	[WIRE_PONG] = { 2, 20, KIB, KIB },
	[WIRE_EVIDENCE] = { 10, 100, MIB, 4 * MIB },
	[WIRE_GOODBYE] = { 1, 1, KIB, KIB },
	[WIRE_CHECKPOINT] = { 50, 200, 16 * KIB, 64 * KIB }, /* an honest one: 10 a second */
};

static void bucket_fill(struct bucket *b, uint64_t now_ms, uint64_t per_second, uint64_t burst)
{
	/* After so long any bucket is full. */
	uint64_t elapsed_ms = MIN(now_ms - b->at_ms, (uint64_t)3600000);

	b->milli = MIN(b->milli + (int64_t)(elapsed_ms * per_second), (int64_t)(burst * 1000));
	b->at_ms = now_ms;
}

void buckets_init(struct p2p *p, struct session *s)
{
	for (size_t k = 1; k < WIRE_KIND_COUNT; k++) {
		s->message_buckets[k].milli = (int64_t)rates[k].count_burst * 1000;
		s->byte_buckets[k].milli = (int64_t)rates[k].size_burst * 1000;
		s->message_buckets[k].at_ms = s->byte_buckets[k].at_ms = p->now_ms;
	}
}

bool bucket_allows(struct p2p *p, struct session *s, enum wire_kind kind, size_t size)
{
	const struct rate *rate = &rates[kind];
	struct bucket *messages = &s->message_buckets[kind], *bytes = &s->byte_buckets[kind];

	bucket_fill(messages, p->now_ms, rate->count, rate->count_burst);
	bucket_fill(bytes, p->now_ms, rate->size, rate->size_burst);
	if (messages->milli < 1000 || bytes->milli <= 0)
		return false;
	messages->milli -= 1000;
	bytes->milli -= (int64_t)size * 1000;
	return true;
}

/* --- points --- */

static const uint64_t offence_points[P2P_OFFENCE_COUNT] = {
	[P2P_OFFENCE_MALFORMED] = P2P_SCORE_DROP,
	[P2P_OFFENCE_RATE] = 1,
	[P2P_OFFENCE_UNSOLICITED] = 10,
	[P2P_OFFENCE_NOT_VALIDATOR] = 5,
	[P2P_OFFENCE_HELLO] = 20,
	[P2P_OFFENCE_TRANSACTION] = 5,
	[P2P_OFFENCE_MESSAGE] = 25,
	[P2P_OFFENCE_BLOCK] = P2P_SCORE_DROP,
	[P2P_OFFENCE_EVIDENCE] = 25,
	[P2P_OFFENCE_REFUSED] = 2, /* around a change of the set an honest one sends some */
};

#define POINTS_MAX (4 * P2P_SCORE_DROP) /* more would only prolong the ban */
#define FADE_MS 1000                    /* for one point */

bool ip_is_loopback(const struct p2p_ip *ip)
{
	static const uint8_t v4[13] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127 };
	static const uint8_t v6[16] = { [15] = 1 };

	return memcmp(ip->bytes, v4, sizeof(v4)) == 0 || memcmp(ip->bytes, v6, sizeof(v6)) == 0;
}

static struct score_key address_key(const struct addr *address)
{
	struct score_key key = { { 0 } };

	memcpy(key.bytes + 1, address->bytes, sizeof(address->bytes));
	return key;
}

static struct score_key ip_key(const struct p2p_ip *ip)
{
	struct score_key key = { { 1 } };

	memcpy(key.bytes + 1, ip->bytes, sizeof(ip->bytes));
	return key;
}

static uint64_t faded(const struct score *score, uint64_t now_ms)
{
	uint64_t gone = (MAX(now_ms, score->at_ms) - score->at_ms) / FADE_MS;

	return score->points - MIN(score->points, gone);
}

static void fade(struct score *score, uint64_t now_ms)
{
	uint64_t left = faded(score, now_ms);

	/* What is not yet a whole point goes on fading. */
	score->at_ms += (score->points - left) * FADE_MS;
	if (left == 0)
		score->at_ms = now_ms;
	score->points = left;
	if (left <= P2P_SCORE_DROP / 2)
		score->is_banned = false;
}

/* Makes room for one more: the one with the fewest points is forgotten. */
static void forget_least(struct p2p *p)
{
	struct score_key least = { { 0 } };
	uint64_t points, least_points = UINT64_MAX;
	const void *key;
	size_t at = 0;
	void *value;

	while (map_next(&p->scores, &at, &key, &value)) {
		points = faded(value, p->now_ms);
		if (points < least_points) {
			least_points = points;
			memcpy(least.bytes, key, sizeof(least.bytes));
		}
	}
	CHECK(map_delete(&p->scores, &least));
}

/* True if that is too many. */
static bool add_points(struct p2p *p, const struct score_key *key, uint64_t points)
{
	struct score *score = map_get(&p->scores, key);

	if (!score) {
		if (p->scores.count >= LIMIT_P2P_SCORE_COUNT)
			forget_least(p);
		score = map_put(&p->scores, key, NULL);
		score->at_ms = p->now_ms;
	}
	fade(score, p->now_ms);
	score->points = MIN(score->points + points, (uint64_t)POINTS_MAX);
	if (score->points >= P2P_SCORE_DROP)
		score->is_banned = true;
	return score->is_banned;
}

void offend(struct p2p *p, struct session *s, enum p2p_offence offence, const char *detail)
{
	bool is_known = s->state == SESSION_READY || s->state == SESSION_DRAINING;
	struct score_key key = is_known ? address_key(&s->address) : ip_key(&s->ip);

	p->metrics.offence_count[offence]++;
	if (has_room(p))
		emit_trace(p, s, P2P_TRACE_OFFENCE, P2P_REASON_NONE, offence, detail);
	if (add_points(p, &key, offence_points[offence]) && is_known)
		session_doom(p, s, P2P_REASON_SCORE);
}

void offend_peer(struct p2p *p, const struct addr *address, enum p2p_offence offence)
{
	struct score_key key = address_key(address);
	struct session *s = session_with(p, address);

	if (s) {
		offend(p, s, offence, "told by the node");
		return;
	}
	p->metrics.offence_count[offence]++;
	add_points(p, &key, offence_points[offence]);
}

static bool is_key_banned(struct p2p *p, const struct score_key *key)
{
	struct score *score = map_get(&p->scores, key);

	if (!score)
		return false;
	fade(score, p->now_ms);
	return score->is_banned;
}

bool is_banned(struct p2p *p, const struct addr *address)
{
	struct score_key key = address_key(address);

	return is_key_banned(p, &key);
}

bool is_ip_banned(struct p2p *p, const struct p2p_ip *ip)
{
	struct score_key key = ip_key(ip);

	/* Whoever shares this machine could lock all its nodes out. */
	return !ip_is_loopback(ip) && is_key_banned(p, &key);
}

uint64_t score_of(const struct p2p *p, const struct addr *address, uint64_t now_ms)
{
	struct score_key key = address_key(address);
	const struct score *score = map_get(&p->scores, &key);

	return score ? faded(score, now_ms) : 0;
}
