/*
 * world - several p2p machines in one process, with wires between them that
 * deliver in pieces, and a clock that stands still until it is told to go.
 *
 * An endpoint is "i": the node of that number. A raw end is a connection to a node
 * whose other side the test plays itself.
 */
#ifndef WEFT_TEST_P2P_WORLD_H
#define WEFT_TEST_P2P_WORLD_H

#include "base/rand.h"
#include "crypto/ecc.h"
#include "p2p/p2p.h"

#define WORLD_NODE_MAX 8
#define WORLD_LINK_MAX 512
#define WORLD_CHAIN_ID 31337
#define RAW SIZE_MAX

/* One side of a connection. */
struct world_end {
	size_t node;       /* or RAW */
	uint64_t handle;
	bool is_open;      /* the machine knows of it */
	bool is_closing;   /* no more comes from here; closed when `out` is delivered */
	struct buf out;    /* written, not yet delivered */
	size_t stalled;    /* 1: the other side takes nothing */
	enum p2p_reason close_reason;
};

struct world_link {
	struct world_end ends[2]; /* 0 dialled */
	struct hash exporter;
	struct p2p_ip ip;         /* of end 0 */
};

struct world_node {
	struct p2p *p2p;          /* NULL: down */
	struct addr address;
	bool is_unreachable;
	/* What came out. */
	size_t delivered[WIRE_KIND_COUNT]; /* messages */
	size_t transaction_count; /* delivered, each counted */
	size_t up_count, down_count, no_blocks_count, connect_count, refused_count;
	enum p2p_reason last_down, last_refused, last_farewell;
	size_t offences[P2P_OFFENCE_COUNT];
	struct addr last_from;
	uint64_t last_handle;
	struct buf last;          /* the newest message, as a frame */
	struct buf classes;       /* of writes, one byte each */
	uint64_t wake_ms;
	bool relays;              /* what is delivered of transactions goes on */
};

struct world {
	uint64_t now_ms;
	struct rng rng;
	struct ecc *ecc;
	size_t node_count, link_count;
	struct world_node nodes[WORLD_NODE_MAX];
	struct world_link *links;
	size_t piece_max;         /* bytes delivered at once */
};

struct secret_key world_key(size_t n);
struct addr world_address(struct world *w, size_t n);
struct p2p_ip world_ip(uint8_t a, uint8_t b, uint8_t c, uint8_t d);

void world_init(struct world *w, uint64_t seed);
void world_clear(struct world *w);

/* The config that a node has unless a test changes it: closed, all world keys allowed. */
struct p2p_config world_config(struct world *w, size_t node);
/* Starts a node that dials the given others (their numbers as digits). */
void world_start(struct world *w, size_t node, const struct p2p_config *config, const char *dials);
/* Ends it without a word: its connections break. */
void world_kill(struct world *w, size_t node);

/* All of them validators of all. */
void world_set_validators(struct world *w, size_t count);

/* Carries on for so long; a millisecond at a time. */
void world_run(struct world *w, uint64_t ms);

/* Steps a node, until it has no more to do. */
void world_step(struct world *w, size_t node, struct p2p_event event);
void world_send_transactions(struct world *w, size_t node, size_t first, size_t count);
void world_send_consensus(struct world *w, size_t node, const struct addr *to, const char *text);

/* A raw connection to a node, from `ip`; the number of its link. */
size_t raw_open(struct world *w, size_t node, struct p2p_ip ip);
void raw_send(struct world *w, size_t link, struct bytes bytes);
void raw_send_message(struct world *w, size_t link, const struct wire_message *m);
/* A hello that the node should take, signed by world_key(n); to be changed and sent. */
struct wire_message raw_hello(struct world *w, size_t link, size_t n);
/* raw_open() and a good hello. */
size_t raw_join(struct world *w, size_t node, size_t n);
/* True if the node has closed it; why. */
bool raw_is_closed(struct world *w, size_t link, enum p2p_reason *reason);
/* The next message that the node sent there; false if there is none. */
bool raw_take(struct world *w, size_t link, struct wire_decoder *d, struct wire_message *out);

bool world_has_ready(const struct world *w, size_t node, size_t other);
size_t world_ready_count(const struct world *w, size_t node);
struct p2p_metrics world_metrics(const struct world *w, size_t node);

#endif
