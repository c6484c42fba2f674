/*
 * network - several whole nodes on one thread, each with its own store, pool,
 * consensus and p2p machine; sockets are queues of bytes, time is virtual. Signatures and
 * TLS exporters are real enough that nothing inside a node knows the difference.
 */
#ifndef WEFT_TEST_NODE_NETWORK_H
#define WEFT_TEST_NODE_NETWORK_H

#include "base/rand.h"
#include "node/internal.h"
#include "node/node.h"

#define START_MS 1700000000000ull
#define GWEI 1000000000ull
#define NODE_MAX 8
#define LINK_MAX 2048
#define JOB_MAX 64

struct network;

struct site {
	struct network *net;
	size_t index;
	bool is_up;
	struct secret_key key;
	struct addr address;
	struct store *store;
	char dir[512];               /* of its store; empty: in memory */
	size_t pool_count;           /* 0: plenty */
	uint64_t log_size;           /* of consensus; 0: the usual */
	const struct log *log;       /* NULL: none */
	struct node *node;
	struct node_head *head;
	struct node_reader reader;
	struct p2p_static statics[NODE_MAX];
	char endpoints[NODE_MAX][24];
	uint64_t wake_ms, wake_peers_ms;
	struct node_job *jobs[JOB_MAX];
	size_t job_count;
	struct node_batch *batches[64];
	uint64_t batches_ready_ms[64];
	size_t batch_count;
	uint64_t batch_ms;           /* how long the workers take */
	struct err stopped;
};

/* One direction of a connection. */
struct pipe {
	struct buf data;
	size_t taken;
	bool is_closed;
};

struct link {
	bool is_open, is_told;       /* its ends know of it */
	size_t dial;
	size_t ends[2];              /* sites; 0 dialled */
	bool told_closed[2];
	struct pipe to[2];
};

struct network {
	struct ecc *ecc;
	struct genesis genesis;
	struct secret_key alice;
	struct addr alice_address;
	struct hash genesis_hash;
	uint64_t now_ms;
	struct rng rng;
	size_t count;
	struct site sites[NODE_MAX];
	struct link links[LINK_MAX];
	size_t link_count;
	bool is_cut[NODE_MAX];       /* no byte in or out */
};

struct addr address_of(const struct ecc *e, const struct secret_key *key);

/* Validators of weight 1 each, and behind them observers; all dial all. */
void network_make(struct network *net, size_t count, size_t observers);
/* The same without opening any, so that the genesis can be changed before; their
 * addresses have funds. */
void network_prepare(struct network *net, size_t count, size_t observers);
void network_end(struct network *net);

void site_open(struct site *s, bool is_validator);
void site_close(struct site *s);

/* Runs for `ms` of virtual time. */
void run_for(struct network *net, uint64_t ms);

/* A transaction of these fields, signed by `key`, to the pool of one. */
void submit(struct network *net, size_t to_site, const struct secret_key *key, const struct tx *fields);

/* A transaction of alice's to the pool of one. */
void send(struct network *net, size_t to_site, uint64_t nonce);

/* What the next transaction of `sender` must have, as a site's pool sees it. */
uint64_t next_nonce(struct network *net, size_t at_site, const struct addr *sender);
/* A vote of one site's, given to the pool of another. */
void send_vote(struct network *net, size_t voter, size_t to_site, const struct addr *validator, uint64_t weight);

/* What readers of one site see. */
uint64_t height_of(struct site *s);
struct hash hash_at(struct site *s, uint64_t height);
uint64_t nonce_of(struct site *s);

/* All that are up agree on every block up to the lowest height, which is at least `least`. */
void check_agreement(struct network *net, uint64_t least);

#endif
