/*
 * internal - what this folder's files share. The state is one struct; each file
 * owns a part of its behaviour:
 *
 *   p2p.c      new, free, step: events to functions, and the work that is left
 *   session.c  connections and hellos: opened, refused, ready, closed
 *   receive.c  bytes to frames to messages
 *   send.c     queues and windows
 *   gossip.c   transactions that are known
 *   dial.c     static peers
 *   score.c    token buckets and points
 */
#ifndef WEFT_P2P_INTERNAL_H
#define WEFT_P2P_INTERNAL_H

#include "base/map.h"
#include "base/rand.h"
#include "p2p/p2p.h"

#define HANDSHAKE_KINDS (WIRE_KIND_BIT(WIRE_HELLO) | WIRE_KIND_BIT(WIRE_GOODBYE))
#define READY_KINDS (WIRE_KINDS_ALL & ~WIRE_KIND_BIT(WIRE_HELLO))

#define PING_AFTER_MS 5000       /* of silence */
#define SILENCE_MAX_MS 15000
#define PROBE_MS 2000            /* for a session that a second one puts in doubt */
#define DRAIN_MS 1000            /* for the goodbye on a connection that was replaced */
#define STATUS_INTERVAL_MS 50    /* between two to all */
#define STATUS_DELAY_MS 5        /* for validators, who mostly have it: the block's own messages come first */
#define GOSSIP_INTERVAL_MS 2     /* between two batches to all, unless they are full */
#define GOSSIP_BATCH_SIZE (64 * KIB)
#define KNOWN_MAX_MS 60000       /* until known transactions are half forgotten */
#define REQUEST_MAX_MS 5000      /* until an answer begins to come */
#define REQUEST_STRANGER_MS 2000 /* a stranger's */
#define REQUEST_RATE (64 * KIB)  /* and then so many of its bytes a second, from the request on */
#define REQUEST_STRANGER_RATE (512 * KIB)
#define UNANSWERED_MAX 16        /* counted of one peer */
#define STRANGER_COST 3          /* unanswered requests that a stranger begins with */
#define SERVE_STRANGER_RATE (2 * MIB) /* of blocks, a second, for a stranger */
#define SERVE_RETRY_MS 50
#define DIAL_MIN_MS 250          /* back-off: doubled up to … */
#define DIAL_MAX_MS 10000
#define DIAL_GOOD_MS 10000       /* a session so long makes the next back-off short again */
#define FRAME_COST 64            /* what a queued frame counts beyond its bytes */
#define EFFECT_RESERVE 8         /* what one piece of work emits at most */

/* A set of sessions, by slot. */
struct slots {
	uint64_t bits[LIMIT_P2P_SESSION_COUNT / 64];
};

static inline void slots_set(struct slots *s, size_t slot)
{
	s->bits[slot / 64] |= 1ull << slot % 64;
}

static inline void slots_clear(struct slots *s, size_t slot)
{
	s->bits[slot / 64] &= ~(1ull << slot % 64);
}

static inline bool slots_get(const struct slots *s, size_t slot)
{
	return s->bits[slot / 64] >> slot % 64 & 1;
}

/* The first slot of the set at or after `from`; LIMIT_P2P_SESSION_COUNT if none. */
static inline size_t slots_next(const struct slots *s, size_t from)
{
	for (size_t word = from / 64; word < ARRAY_COUNT(s->bits); word++) {
		uint64_t bits = s->bits[word];

		if (word == from / 64)
			bits &= ~0ull << from % 64;
		if (bits)
			return word * 64 + (size_t)__builtin_ctzll(bits);
	}
	return LIMIT_P2P_SESSION_COUNT;
}

static inline bool slots_any(const struct slots *s)
{
	return slots_next(s, 0) < LIMIT_P2P_SESSION_COUNT;
}

/* An encoded frame, shared by the queues that it stands in. */
struct frame {
	size_t refs;
	enum wire_kind kind;
	struct buf bytes;
};

struct queued {
	struct queued *next;
	struct frame *frame;
};

struct queue {
	struct queued *first, **last;
	size_t size; /* with FRAME_COST each */
};

/* Tokens may go below zero, so that a large frame passes and is paid for later. */
struct bucket {
	int64_t milli;
	uint64_t at_ms;
};

enum session_state {
	SESSION_FREE,
	SESSION_HELLO,    /* the peer's is awaited */
	SESSION_READY,
	SESSION_DRAINING, /* another connection is used now; only listens */
};

#define NO_DIAL SIZE_MAX

struct session {
	enum session_state state;
	size_t slot;
	uint64_t handle;
	bool is_outbound;
	size_t dial;              /* index in statics, or NO_DIAL */
	struct p2p_ip ip;
	struct hash exporter;
	bool is_self;             /* the other end is this node's, too */
	enum p2p_reason doom;     /* why it is about to be closed, or NONE */
	enum p2p_reason farewell; /* what its goodbye said, or NONE */

	struct addr address;      /* from here: after the hello */
	bool is_listed;           /* validator, allowed or dialled: not a stranger */
	bool is_validator;
	struct wire_status tip;
	char software[WIRE_SOFTWARE_SIZE_MAX + 1];
	uint64_t instance;        /* of the peer's process */

	uint64_t opened_ms, up_ms, heard_ms;
	uint64_t deadline_ms;     /* for the hello, or for the goodbye; UINT64_MAX: none */
	bool has_ping;            /* a pong is awaited */
	uint64_t ping_nonce, ping_ms, round_trip_ms;
	uint64_t probe_ms;        /* must be heard by then; UINT64_MAX: none */
	uint64_t rival, rival_ms; /* another process with the peer's key, and when it first came; 0: never */
	bool has_twin;            /* it answered a ping sent after that */

	struct buf in;            /* not yet taken, from in_start */
	size_t in_start;
	struct bucket message_buckets[WIRE_KIND_COUNT], byte_buckets[WIRE_KIND_COUNT];

	struct queue out[P2P_CLASS_COUNT];
	size_t in_flight_size;    /* written and not reported as sent */

	bool has_request;         /* blocks that we asked for */
	struct wire_blocks_request request;
	uint64_t request_ms;      /* when the answer is due; later, while its bytes come */
	unsigned late_count;      /* answers that were given up: may come yet, and are dropped */
	unsigned unanswered;      /* requests in a row that it did not answer, or with nothing */
	bool owes;                /* blocks that it asked for */
	struct wire_blocks_request owed;
	bool is_deferred;         /* `owed` is to be delivered later */
	uint64_t serve_ms;        /* not before then */
};

/* A peer to stay connected with. */
struct dial {
	char *endpoint;
	struct addr address;      /* zero: not known yet */
	bool is_given;            /* the address is from the config and must match */
	bool is_self;             /* found to be this node */
	bool is_busy;             /* dialling, or has a session */
	unsigned attempt_count;
	uint64_t next_ms;
};

/* Points of a peer (kind 0) or of an IP address (kind 1). */
struct score_key {
	uint8_t bytes[21];
};

struct score {
	uint64_t points;
	uint64_t at_ms;
	bool is_banned;
};

struct known {
	struct map young, old;    /* 8-byte id → struct slots */
	uint64_t turned_ms;
	uint64_t seed[2];
};

/* Transactions on their way to everyone. */
struct pending {
	struct buf bytes;
	size_t count;
	size_t sizes[WIRE_TRANSACTIONS_COUNT_MAX];
	uint64_t flushed_ms;
};

/* The own tip, on its way to some of the peers. */
struct status_wave {
	bool is_owed;
	uint64_t at_ms; /* not before */
};

struct p2p {
	struct p2p_config config; /* its lists and texts: the copies below */
	struct addr self;
	uint64_t instance;        /* of this process */
	char software[WIRE_SOFTWARE_SIZE_MAX + 1];
	struct map allowed;       /* address → nothing */
	struct map validators;
	size_t validator_count;   /* other than this node */
	struct dial *dials;
	size_t dial_count;
	struct rng rng;
	bool is_stopping;

	struct session *sessions; /* config.session_max */
	struct map by_handle;     /* handle → slot */
	struct slots ready;
	struct slots doomed;      /* to be closed */
	struct slots input;       /* may hold a whole frame */
	struct slots output;      /* may write */
	size_t input_at, output_at; /* whose turn it is */
	size_t input_size;        /* of all `in` */

	struct wire_status tip;
	struct status_wave status[2]; /* of those who follow, and of validators */
	struct known known;
	struct pending pending;
	struct map scores;
	struct wire_decoder *decoder;
	struct wire_message delivered;
	struct bytes *new_items;  /* WIRE_TRANSACTIONS_COUNT_MAX, for a delivered batch */
	struct p2p_metrics metrics;
	uint64_t wake_ms;         /* may be early, never late */

	/* During a step. */
	uint64_t now_ms;
	struct p2p_effects *effects;
	bool has_delivered;
	char detail[ERR_MESSAGE_MAX];
	struct frame *written[P2P_EFFECT_MAX]; /* kept until the next step */
	size_t written_count;
};

/* p2p.c */
struct p2p_effect *emit(struct p2p *p, enum p2p_effect_kind kind, const struct session *s);
void emit_trace(struct p2p *p, const struct session *s, enum p2p_trace what,
		enum p2p_reason reason, enum p2p_offence offence, const char *detail);
void wake_by(struct p2p *p, uint64_t at_ms);
bool has_room(const struct p2p *p);

/* session.c */
struct session *session_find(struct p2p *p, uint64_t handle);
struct session *session_with(struct p2p *p, const struct addr *address); /* ready */
void session_open(struct p2p *p, const struct p2p_event *event);
void session_take_hello(struct p2p *p, struct session *s, const struct wire_hello *h);
void session_doom(struct p2p *p, struct session *s, enum p2p_reason reason);
void session_end(struct p2p *p, struct session *s, enum p2p_reason reason, bool is_gone);
void session_tick(struct p2p *p);
bool is_listed(const struct p2p *p, const struct addr *address);

/* receive.c */
void receive_deferred(struct p2p *p, struct session *s);
void receive_bytes(struct p2p *p, struct session *s, struct bytes bytes);
void receive_frame(struct p2p *p, struct session *s);
void receive_clear(struct p2p *p, struct session *s);
/* How much has come of the blocks that are coming; 0: none are. */
size_t receive_blocks_size(const struct session *s);

/* send.c */
void send_message(struct p2p *p, struct session *s, const struct wire_message *m);
struct frame *frame_new(const struct wire_message *m);
void frame_unref(struct frame *f);
void send_frame(struct p2p *p, struct session *s, struct frame *f);
void send_next(struct p2p *p, struct session *s);
void send_sent(struct p2p *p, struct session *s, size_t size);
void send_written_clear(struct p2p *p);
void queue_init(struct session *s);
void queue_move(struct p2p *p, struct session *to, struct session *from);
void queue_clear(struct session *s);
size_t queue_size(const struct session *s);

/* gossip.c */
void gossip_init(struct p2p *p);
void gossip_clear(struct p2p *p);
void gossip_add(struct p2p *p, const struct bytes items[], size_t count);
void gossip_send_to(struct p2p *p, struct session *s, const struct bytes items[], size_t count);
void gossip_tick(struct p2p *p);
/* Marks what came from `s`; fills `out` with what is new; returns how many. */
size_t gossip_filter(struct p2p *p, struct session *s, const struct wire_transactions *t,
		     struct bytes out[]);
void gossip_forget(struct p2p *p, size_t slot);

/* dial.c */
int dial_init(struct p2p *p, const struct p2p_config *config, struct err *err);
void dial_clear(struct p2p *p);
void dial_tick(struct p2p *p);
void dial_ended(struct p2p *p, size_t dial, enum p2p_reason reason, uint64_t up_ms);
void dial_peer_down(struct p2p *p, const struct addr *address);

/* score.c */
bool bucket_allows(struct p2p *p, struct session *s, enum wire_kind kind, size_t size);
void buckets_init(struct p2p *p, struct session *s);
void offend(struct p2p *p, struct session *s, enum p2p_offence offence, const char *detail);
void offend_peer(struct p2p *p, const struct addr *address, enum p2p_offence offence);
bool is_banned(struct p2p *p, const struct addr *address);
bool is_ip_banned(struct p2p *p, const struct p2p_ip *ip);
uint64_t score_of(const struct p2p *p, const struct addr *address, uint64_t now_ms);
bool ip_is_loopback(const struct p2p_ip *ip);

#endif
