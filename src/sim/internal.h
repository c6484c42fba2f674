/*
 * internal - the simulated world, for the files of this folder only.
 *
 *   sim.c     a run: made from its seed, events one after the other, healed, judged
 *   heap.c    what comes next
 *   site.c    a node's life: opened, closed, its writer and its workers
 *   net.c     connections, frames and what happens to them
 *   fault.c   what goes wrong, and when
 *   liar.c    what liars make of their messages
 *   client.c  transfers, sent and sent again until they are final
 *   oracle.c  what must never happen
 */
#ifndef WEFT_SIM_INTERNAL_H
#define WEFT_SIM_INTERNAL_H

#include "base/rand.h"
#include "chain/genesis.h"
#include "crypto/ecc.h"
#include "node/node.h"
#include "sim/disk.h"
#include "sim/oracle.h"
#include "sim/sim.h"

#define SITE_MAX 16
#define SITE_JOB_MAX 64
#define SITE_WORKER_MAX 4
#define SITE_POOL_COUNT 1000
#define SITE_POOL_SIZE (1 * MIB)
#define SITE_POOL_FUTURE 200
/* The consensus log's limit: low, so that it is trimmed often and in the middle of everything; and
 * what it never has: four records with all that a pool holds, and what comes until a trim is over. */
#define SITE_LOG_SIZE (8 * KIB)
#define SITE_LOG_SIZE_MAX (8 * SITE_POOL_SIZE)
#define CLIENT_ACCOUNT_COUNT 4
#define CONN_MAX 1024
#define CHAIN_ID 31337
#define START_MS 1700000000000ull
#define SECOND_US 1000000ull

#define FAULT_BIT(name) (1ull << SIM_FAULT_##name)

struct sim;

/* --- heap.c --- */

enum entry_kind {
	ENTRY_TICK,       /* a: site */
	ENTRY_PEER_TICK,  /* a: site */
	ENTRY_WRITER,     /* a: site; the writer takes what waits */
	ENTRY_WRITTEN,    /* a: site; and is done with it */
	ENTRY_BATCH,      /* a: site, p: the batch */
	ENTRY_CONNECTED,  /* a: connection */
	ENTRY_PACKET,     /* p: the packet */
	ENTRY_OPEN,       /* a: site */
	ENTRY_CLIENT,
	ENTRY_FAULT,      /* a: which */
	ENTRY_UNFAULT,    /* a: which, b: what was chosen */
	ENTRY_SAMPLE,
};

struct entry {
	uint64_t at_us, order;
	enum entry_kind kind;
	uint32_t a;
	uint64_t b;       /* of a site: its life's number; void if it has another now */
	void *p;
};

struct heap {
	struct entry *items;
	size_t count, capacity;
	uint64_t next_order;
};

void heap_push(struct heap *h, uint64_t at_us, enum entry_kind kind, uint32_t a, uint64_t b, void *p);
bool heap_pop(struct heap *h, struct entry *out);
void heap_clear(struct heap *h);

/* --- site.c --- */

enum site_state {
	SITE_DOWN,
	SITE_UP,
	SITE_ENDING, /* winds down, then starts again */
};

#define LIAR_PAIR_MAX 8
#define LIAR_OLD_MAX 32
struct liar {
	struct {
		struct hash shown, other;
	} pairs[LIAR_PAIR_MAX];
	size_t next_pair;
	struct buf old[LIAR_OLD_MAX];
	size_t next_old;
	size_t doubled[SITE_MAX]; /* second votes that a site was sent */
};

struct site {
	struct sim *sim;
	size_t index;
	size_t identity;             /* whose key; of a twin another site's index */
	struct secret_key key;
	struct addr address;
	bool is_validator;           /* now: one that lost its disk comes back as an observer */
	bool is_fragile;             /* its disk may lose what it had promised */
	bool has_lost;               /* all that it had, the record of what it signed included */
	bool is_liar;                /* the oracle believes nothing of its key */
	bool has_ended;              /* for this run */
	bool is_twin;                /* one of two with its key */
	struct liar liar;
	enum site_state state;
	uint64_t life;               /* counts openings */
	uint64_t paused_until_us;
	int64_t clock_ms;            /* ahead of the true time */

	struct log log;
	struct disk *disk;           /* outlives the node */
	uint64_t excuses;            /* faults of the disk before this life */
	size_t refusal_count;        /* times that it did not start */
	bool must_restart;           /* the node gave up, or its disk died */
	struct store *store;
	struct node *node;
	struct node_head *head;
	struct node_reader reader;
	struct err stopped;

	uint64_t wake_us, peer_wake_us;           /* wished; UINT64_MAX: no */
	uint64_t tick_at_us, peer_tick_at_us;     /* the earliest entry that stands in the heap */

	struct node_job *jobs[SITE_JOB_MAX];      /* wait for the writer */
	size_t job_count;
	struct node_job *written[SITE_JOB_MAX];   /* run, on their way back */
	size_t written_count;
	size_t run_count;            /* of those, appended */
	bool is_writing, is_stalled;
	struct node_batch *batches[NODE_BATCH_MAX]; /* with the workers */
	size_t batch_count;
	uint64_t worker_free_us[SITE_WORKER_MAX];

	char endpoints[SITE_MAX][24];
	struct p2p_static statics[SITE_MAX];
};

void site_open(struct site *s);
/* Ends a life from outside; its disk is left as `end` leaves it. */
void site_crash(struct site *s, enum disk_end end);
void site_free(struct site *s);
/* True if a read that failed here may have: the disk did it. */
bool site_may_misread(const struct site *s);
void site_set_plan(struct site *s);
void site_end(struct site *s); /* in good order; opens again by itself */
void site_write_begin(struct site *s);
void site_write_done(struct site *s);
void site_batch_done(struct site *s, struct node_batch *batch);
void site_tick(struct site *s);
void site_peer_tick(struct site *s);
/* After every event that a site was given. */
void site_turn_end(struct site *s);
void site_peer(struct site *s, const struct p2p_event *event);
uint64_t site_height(const struct site *s);

/* --- net.c --- */

/* A piece of one direction's stream: a frame, or the end. */
struct packet {
	struct packet *next;     /* free ones, held ones */
	uint32_t conn;
	uint64_t serial;
	unsigned to;             /* which end receives */
	bool is_end;
	bool is_copy;            /* not of those that the sender counts */
	struct buf bytes;
};

struct conn {
	bool is_used, is_open;
	bool is_told;            /* its ends know how the dialling went */
	uint64_t serial;
	size_t dial;
	size_t ends[2];          /* sites; 0 dialled */
	uint64_t lives[2];       /* theirs when it was made */
	bool has_closed[2];      /* that end hears and says no more */
	uint64_t arrived_us[2];  /* the newest arrival that is planned, by receiver */
	size_t unsaid[2];        /* bytes taken and not yet reported as sent, by sender */
	size_t pending;          /* entries that point here */
};

/* One direction between two sites. */
struct way {
	bool is_cut;
	uint64_t mean_us;
	uint64_t clogged_until_us;
	uint64_t release_us;     /* what was held goes on then */
	struct packet *held, **held_last; /* cut off on the way; they go on when it heals */
};

struct net {
	struct conn conns[CONN_MAX];
	size_t conn_count;       /* ever used */
	uint64_t serial;
	struct way ways[SITE_MAX][SITE_MAX];
	struct packet *free_packets;
	unsigned loss, replay, reorder; /* of 1,000 frames */
	bool has_delay;
	uint64_t frame_count;
};

void net_init(struct sim *sim);
void net_clear(struct sim *sim);
void net_connect(struct site *from, size_t dial, const char *endpoint);
void net_connected(struct sim *sim, uint32_t conn);
void net_write(struct site *from, uint64_t handle, struct bytes bytes);
/* One frame of an open connection, with all that may happen to it. */
void net_send_frame(struct sim *sim, uint32_t conn, unsigned to, struct bytes frame, uint64_t after_us);
void net_close(struct site *from, uint64_t handle);
void net_arrive(struct sim *sim, struct packet *packet);
void net_cut(struct sim *sim, size_t from, size_t to, bool is_cut);
void net_site_gone(struct sim *sim, struct site *s); /* its connections end */
void net_reset(struct sim *sim, size_t a, size_t b);
void net_heal(struct sim *sim);
void net_drop(struct sim *sim, struct packet *packet);

/* --- fault.c --- */

struct faults {
	uint64_t active;         /* those that this seed uses */
	bool are_over;
	struct rng rngs[SIM_FAULT_COUNT]; /* one a kind: without one the others come as before */
};

void faults_choose(struct sim *sim); /* which kinds this seed has */
void faults_init(struct sim *sim);
void faults_begin(struct sim *sim, enum sim_fault fault);
void faults_undo(struct sim *sim, enum sim_fault fault, uint64_t what);
void faults_end(struct sim *sim);
static inline bool faults_has(const struct sim *sim, enum sim_fault fault);

/* --- liar.c --- */

/* A consensus message of a liar's, on its way to one receiver. */
void liar_send(struct sim *sim, struct site *s, uint32_t conn, unsigned to, struct bytes message);
void liar_clear(struct site *s);

/* --- client.c --- */

struct transfer {
	struct tx *tx;
	uint64_t sent_us, resent_us;
	bool is_vote, is_final;
};

struct client {
	struct rng rng;
	struct secret_key keys[CLIENT_ACCOUNT_COUNT];
	struct addr addresses[CLIENT_ACCOUNT_COUNT];
	uint64_t nonces[CLIENT_ACCOUNT_COUNT];
	struct transfer *transfers;
	size_t count, capacity, final_count, open_vote_count;
	uint64_t vote_nonces[SITE_MAX];
};

void client_init(struct sim *sim);
void client_clear(struct sim *sim);
void client_turn(struct sim *sim);
void client_vote(struct sim *sim, size_t voter, size_t subject, uint64_t weight);
void client_final(struct sim *sim, size_t index);

/* --- sim.c --- */

struct sim {
	struct sim_options options;
	struct sim_result *result;
	struct rng rng, net_rng, liar_rng;
	uint64_t now_us;
	uint64_t heal_us;        /* when faults end */
	uint64_t deadline_us;    /* for all to be final after that */
	bool is_healed, is_over;
	bool liars_are_over;     /* what they do after the faults is nothing */
	uint32_t sides;          /* a bit a site: on which twin's side it is */
	bool has_moved;          /* a block has come since */
	uint64_t height_healed;
	bool is_quiet;           /* nothing new is sent */
	struct heap heap;
	struct ecc *ecc;
	struct genesis genesis;
	struct hash genesis_hash;
	size_t validator_count, observer_count, site_count;
	uint64_t weights[SITE_MAX];
	uint64_t faulty_left;    /* weight that may still be given to liars and bad disks */
	struct site sites[SITE_MAX];
	struct net net;
	struct faults faults;
	struct client client;
	struct oracle *oracle;
};

static inline bool faults_has(const struct sim *sim, enum sim_fault fault)
{
	return !sim->faults.are_over && sim->faults.active >> fault & 1;
}

static inline void sim_fired(struct sim *sim, enum sim_fault fault)
{
	sim->result->firings[fault]++;
}

/* Where a site gets who dials `identity`: of twins, the one on whose side it is. */
size_t sim_route(const struct sim *sim, const struct site *from, size_t identity);
/* True if one of these is a twin, and the other on the other's side. */
bool sim_are_apart(const struct sim *sim, size_t a, size_t b);
/* A site hands a frame to the network: seen by the oracle, or changed by a liar. */
void sim_sent(struct sim *sim, struct site *from, uint32_t conn, unsigned to, struct bytes frame);

/* The first finding counts, and ends the run. */
void sim_found(struct sim *sim, enum sim_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Uniform in [low, high]; exponential with a mean, at most 10 of it; true in `of` of 1,000. */
uint64_t draw(struct rng *r, uint64_t low, uint64_t high);
uint64_t draw_mean(struct rng *r, uint64_t mean);
bool draw_is(struct rng *r, unsigned of);

#endif
