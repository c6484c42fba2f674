/*
 * p2p - sessions with other nodes: bytes in, messages out, and back.
 *
 *      io                        p2p_step()                          node
 *   CONNECTED ──► hello, and back ──► READY ─────────────────────► PEER_UP
 *   BYTES ──────► frames ──► rates ──► decode ──► known? ────────► DELIVER
 *   WRITE ◄────── window ◄── queues: consensus, blocks, gossip ◄── SEND_…
 *   CONNECT ◄──── static peers, back-off
 *   CLOSE ◄────── refused, silent, slow, score
 *
 * A pure state machine: no socket, clock, thread or entropy. Events carry the
 * time; what is to be done comes out as a bounded list of effects. A step hands
 * on at most one message; while `more` is set the caller steps again with
 * P2P_EVENT_MORE before anything else:
 *
 *     do {
 *             p2p_step(p, &event, &effects);
 *             carry out effects;
 *             event.kind = P2P_EVENT_MORE;
 *     } while (effects.more);
 *
 * Identity (design §8). Under TLS any certificate is taken. Each side then signs,
 * with its node key, the value that TLS exports for just this connection, so
 * nobody in between can pass a hello on; the key's address is who the peer is.
 * Signed is keccak256(rlp([weft/hello, chain id, genesis hash, exporter, 1 for the
 * dialler, 0 for the other])). The dialler speaks first; the other answers with its own
 * hello when it takes it, so nobody is up for one side and refused by the other.
 *
 * Two connections between one pair: the one that the lower address dialled stays;
 * the other says goodbye, and what comes on it until the other's goodbye is still
 * taken, so that nothing is lost. A second one in the same direction, or from
 * another process with that key (its hello names another instance), is refused, and
 * the first is asked whether it is still alive: a restarted peer gets in as soon as
 * its old connection is found dead, two nodes with one key don't throw each other
 * out, and the second is told so when it comes again (P2P_REASON_TWIN).
 *
 * Gossip. A batch of transactions goes to everyone who is not known to have it.
 * A sender that reaches all validators itself says so (`is_spread`), and then
 * nobody sends the batch to a validator again: between fully meshed validators a
 * transaction travels once a link.
 *
 * Rules that hold at every step:
 * - Nothing but a hello or a goodbye is looked at before the hello was good.
 * - A frame's size is bounded by its kind before its bytes are kept.
 * - Every session has token buckets a kind; what is over is dropped undecoded.
 * - Offences cost points that fade; at P2P_SCORE_DROP the session ends, and
 *   the peer is refused until half of them have faded. Nothing from outside is fatal.
 * - Frames leave whole; consensus before blocks before gossip, in order within each.
 *
 * Memory is bounded by base/limits.h and by the config's session_max: queues a
 * session (LIMIT_P2P_*_QUEUE_SIZE, frames shared between sessions), unfinished
 * input of all (LIMIT_P2P_INPUT_SIZE), known transactions, scores.
 */
#ifndef WEFT_P2P_P2P_H
#define WEFT_P2P_P2P_H

#include "base/limits.h"
#include "chain/validators.h"
#include "wire/wire.h"

enum p2p_error {
	P2P_E_CONFIG = ERR_BASE_P2P, /* a key, list or limit that can't be used */
};

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d. */
struct p2p_ip {
	uint8_t bytes[16];
};

/* Someone to stay connected with. */
struct p2p_static {
	const char *endpoint; /* host:port; copied */
	struct addr address;  /* who must be there; zero: anyone who is allowed */
};

struct p2p_config {
	uint64_t chain_id;
	struct hash genesis_hash;
	const struct ecc *ecc;         /* borrowed */
	struct secret_key key;         /* the node's; copied, wiped by p2p_free() */
	uint16_t listen_port;          /* 0: takes no connections */
	const char *software;          /* printable ASCII, cut to WIRE_SOFTWARE_SIZE_MAX; copied */
	const struct p2p_static *statics; /* copied */
	size_t static_count;
	const struct addr *allowed;    /* always taken, as validators are; copied */
	size_t allowed_count;
	bool is_open;                  /* takes strangers, too */
	size_t session_max;            /* 1 - LIMIT_P2P_SESSION_COUNT */
	uint64_t seed;                 /* of jitter and tables; fresh for every run */
};

struct p2p;

/* P2P_E_CONFIG with the reason. */
int p2p_new(struct p2p **out, const struct p2p_config *config, struct err *err);
void p2p_free(struct p2p *p);

/* Why a session ends. Sent in a goodbye: numbers stay. */
enum p2p_reason {
	P2P_REASON_NONE = 0,
	P2P_REASON_STOPPING = 1,      /* the node shuts down */
	P2P_REASON_VERSION = 2,       /* another protocol version */
	P2P_REASON_CHAIN = 3,         /* another chain id or genesis */
	P2P_REASON_SIGNATURE = 4,     /* the hello is not signed by the address that it names */
	P2P_REASON_IDENTITY = 5,      /* somebody else than was dialled */
	P2P_REASON_NOT_ALLOWED = 6,   /* on no list */
	P2P_REASON_SELF = 7,          /* a connection with oneself */
	P2P_REASON_TWIN = 8,          /* two nodes use one key */
	P2P_REASON_DUPLICATE = 9,     /* there is a session with this peer */
	P2P_REASON_FULL = 10,         /* no slot left */
	P2P_REASON_SCORE = 11,        /* too many offences */
	P2P_REASON_MALFORMED = 12,    /* bytes that are no frame, or not due */
	P2P_REASON_TIMEOUT = 13,      /* no hello, or nothing at all, in time */
	P2P_REASON_SLOW = 14,         /* does not take what it is sent */
	P2P_REASON_MEMORY = 15,       /* unfinished frames of all peers take too much */
	P2P_REASON_CLOSED = 16,       /* by the other side, or by the network */
};
#define P2P_REASON_COUNT 17
const char *p2p_reason_name(enum p2p_reason reason);

/* What costs points. */
enum p2p_offence {
	P2P_OFFENCE_MALFORMED,      /* found here: a frame that is refused */
	P2P_OFFENCE_RATE,           /* found here: over the rate of its kind */
	P2P_OFFENCE_UNSOLICITED,    /* found here: an answer to no question */
	P2P_OFFENCE_NOT_VALIDATOR,  /* found here: a consensus message of someone else */
	P2P_OFFENCE_HELLO,          /* found here: refused at the hello */
	P2P_OFFENCE_TRANSACTION,    /* told: invalid for any state */
	P2P_OFFENCE_MESSAGE,        /* told: a consensus message, malformed or wrongly signed */
	P2P_OFFENCE_BLOCK,          /* told: a block or certificate that does not hold */
	P2P_OFFENCE_EVIDENCE,       /* told: evidence or a checkpoint that proves nothing */
	P2P_OFFENCE_REFUSED,        /* told: a message that breaks a rule of consensus */
};
#define P2P_OFFENCE_COUNT 10
const char *p2p_offence_name(enum p2p_offence offence);

#define P2P_SCORE_DROP 100 /* points; one fades a second */

enum p2p_event_kind {
	P2P_EVENT_TICK,              /* time has passed: at the latest at effects.wake_ms */
	P2P_EVENT_MORE,              /* go on: the last step left something to do */
	/* From io. */
	P2P_EVENT_CONNECTED,
	P2P_EVENT_CONNECT_FAILED,
	P2P_EVENT_BYTES,             /* at most LIMIT_P2P_READ_SIZE */
	P2P_EVENT_SENT,              /* the socket has taken so many bytes more */
	P2P_EVENT_CLOSED,
	/* From the node. */
	P2P_EVENT_SEND_TRANSACTIONS, /* to one, or to all who lack them */
	P2P_EVENT_SEND_CONSENSUS,    /* to one, or to all validators */
	P2P_EVENT_SEND_EVIDENCE,     /* to one, or to all */
	P2P_EVENT_SEND_CHECKPOINT,   /* to all */
	P2P_EVENT_REQUEST_BLOCKS,    /* of one, or of anyone who has them */
	P2P_EVENT_ANSWER_BLOCKS,     /* to a delivered request; as many as fit are sent */
	P2P_EVENT_SET_TIP,           /* the newest final block: told to all when it is new, to `peer`
	                                even if it is not */
	P2P_EVENT_SET_VALIDATORS,    /* who they are now */
	P2P_EVENT_OFFENCE,           /* what a peer sent turned out to be wrong */
	P2P_EVENT_STOP,              /* goodbye to all; no more connections */
};

/* Everything that an event points to is borrowed during the step. A zero address
 * stands for everyone, or anyone. */
struct p2p_event {
	enum p2p_event_kind kind;
	uint64_t now_ms;       /* of a clock that never falls */
	uint64_t handle;       /* of a connection: io's, never used twice */
	struct addr peer;      /* SEND_…, REQUEST_BLOCKS, SET_TIP (zero: nobody more), OFFENCE */
	union {
		struct {
			bool is_outbound;
			size_t dial;           /* of the CONNECT effect; outbound only */
			struct p2p_ip ip;      /* the other side's */
			struct hash exporter;  /* TLS's, RFC 8446 §7.5 */
		} connected;
		size_t connect_failed;         /* the dial */
		struct bytes bytes;
		size_t sent_size;
		struct {
			const struct bytes *items; /* raw envelopes, none over LIMIT_TX_SIZE */
			size_t count;
		} transactions;
		struct bytes consensus;        /* at most MESSAGE_SIZE_MAX */
		struct bytes evidence;         /* at most WIRE_EVIDENCE_SIZE_MAX */
		struct bytes checkpoint;       /* at most WIRE_CHECKPOINT_SIZE_MAX */
		struct wire_blocks_request request;
		struct wire_blocks blocks;     /* to `handle`; none: an empty answer */
		struct wire_status tip;
		struct {
			const struct addr *items;  /* at most VALIDATOR_COUNT_MAX */
			size_t count;
		} validators;
		enum p2p_offence offence;
	};
};

enum p2p_effect_kind {
	P2P_EFFECT_WRITE,     /* bytes to a connection, in the order of these effects */
	P2P_EFFECT_CLOSE,     /* send what was written, then close; nothing more is taken from it */
	P2P_EFFECT_CONNECT,   /* to an endpoint; answer CONNECTED or CONNECT_FAILED */
	P2P_EFFECT_DELIVER,   /* a message */
	P2P_EFFECT_PEER_UP,   /* a session is ready */
	P2P_EFFECT_PEER_DOWN, /* and has ended */
	P2P_EFFECT_NO_BLOCKS, /* nobody answers a request: no peer has them, it left, is silent */
	P2P_EFFECT_TRACE,     /* for the log */
};

/* In the order in which they leave. */
enum p2p_class {
	P2P_CLASS_CONSENSUS, /* and what keeps the session: hello, ping, goodbye */
	P2P_CLASS_BLOCKS,
	P2P_CLASS_GOSSIP,    /* transactions, evidence, checkpoints */
};
#define P2P_CLASS_COUNT 3

enum p2p_trace {
	P2P_TRACE_OFFENCE,     /* `offence`, with its reason in `detail` */
	P2P_TRACE_REFUSED,     /* at the hello, or before: `reason` */
	P2P_TRACE_GOODBYE,     /* the peer says why it closes: `reason` */
	P2P_TRACE_REPLACED,    /* a second connection took the place of the first */
};
const char *p2p_trace_name(enum p2p_trace trace);

struct p2p_effect {
	enum p2p_effect_kind kind;
	uint64_t handle;
	struct addr peer;     /* zero before its hello was good */
	union {
		struct {
			enum p2p_class class;
			struct bytes bytes; /* valid until the next step */
		} write;
		enum p2p_reason close;
		struct {
			size_t dial;
			const char *endpoint; /* valid as long as the machine */
		} connect;
		struct wire_message deliver;  /* valid until the next step */
		struct {
			bool is_outbound, is_validator;
			struct wire_status tip;
		} up;
		enum p2p_reason down;
		struct wire_blocks_request no_blocks;
		struct {
			enum p2p_trace what;
			enum p2p_reason reason;
			enum p2p_offence offence;
			const char *detail;   /* a static string, or valid until the next step */
		} trace;
	};
};

#define P2P_EFFECT_MAX 64
struct p2p_effects {
	size_t count;
	struct p2p_effect items[P2P_EFFECT_MAX];
	bool more;        /* step again with P2P_EVENT_MORE */
	uint64_t wake_ms; /* a TICK is wanted then; UINT64_MAX: never */
};

/* Cost: O(bytes and frames of the event), 30-80 µs more for a connection and for
 * a hello, and O(session_max + static_count) when a deadline has come. */
void p2p_step(struct p2p *p, const struct p2p_event *event, struct p2p_effects *effects);

/* --- what is going on --- */

struct p2p_peer {
	struct addr address;
	uint64_t handle;
	struct p2p_ip ip;
	bool is_outbound, is_validator;
	struct wire_status tip;   /* its newest, as it says */
	uint64_t up_ms;           /* since when */
	uint64_t heard_ms;        /* when something last came */
	uint64_t round_trip_ms;   /* of the newest ping; UINT64_MAX: none yet */
	size_t queued_size;       /* bytes that wait here */
	uint64_t score;           /* points against it */
	char software[WIRE_SOFTWARE_SIZE_MAX + 1];
};

/* Fills up to `max` ready peers, returns how many. */
size_t p2p_peers(const struct p2p *p, uint64_t now_ms, struct p2p_peer out[], size_t max);

struct p2p_metrics {
	uint64_t in_count[WIRE_KIND_COUNT], in_size[WIRE_KIND_COUNT];   /* frames, bytes */
	uint64_t out_count[WIRE_KIND_COUNT], out_size[WIRE_KIND_COUNT]; /* queued */
	uint64_t over_rate_count[WIRE_KIND_COUNT];
	uint64_t offence_count[P2P_OFFENCE_COUNT];
	uint64_t refused_count[P2P_REASON_COUNT]; /* at the hello, or before */
	uint64_t ended_count[P2P_REASON_COUNT];   /* ready sessions */
	uint64_t known_count;         /* transactions that came again */
	uint64_t queue_dropped_count; /* frames that a peer was too slow for */
	uint64_t dial_count;
	size_t session_count, ready_count, input_size;
};
void p2p_get_metrics(const struct p2p *p, struct p2p_metrics *out);

/* What was delivered of these could not be taken: whoever brings them next, brings news.
 * Between two steps. */
void p2p_forget_transactions(struct p2p *p, const struct bytes items[], size_t count);

/* True if this peer is connected and no stranger: a validator, allowed, or dialled. */
bool p2p_is_listed(const struct p2p *p, const struct addr *peer);

/* The address of the node's own key. */
struct addr p2p_self(const struct p2p *p);

/* Walks everything and CHECKs that counts, masks and sums agree: for tests. */
void p2p_check(const struct p2p *p);

#endif
