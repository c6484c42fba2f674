/*
 * load_run - sends a part of a plan to one node and measures what was mined.
 */
#ifndef WEFT_APP_LOAD_RUN_H
#define WEFT_APP_LOAD_RUN_H

#include "app/load_plan.h"

/* Another node of the target's network: what it has in the end is counted as well. */
struct load_replica {
	const char *url;
	int pid;                   /* as the target's */
	struct rpc_client rpc;
	uint64_t mined_count, server_cpu_us; /* sums over all slices */
	uint64_t before_count, before_us;    /* of the slice under way */
};

#define LOAD_REPLICA_MAX 64

struct load_target {
	const char *name, *url;
	struct load_plan *plan;    /* what it is sent; targets may share one */
	int pid;                   /* of the server, for its CPU time; 0: unknown */
	struct rpc_client rpc;
	struct load_replica *replicas;
	size_t replica_count;
	size_t next_batch;         /* of the plan, not sent yet here */
	/* Sums over all its slices. */
	uint64_t mined_count, accepted_count, retry_count;
	uint64_t duration_us, own_cpu_us, server_cpu_us;
};

struct load_slice {
	size_t connection_count;   /* that send; one more watches */
	uint64_t in_flight_max;    /* accepted and not mined */
	uint64_t duration_ms;      /* of sending; 0: until the plan is sent */
};

/* Runs one slice and adds it to the target's sums. All that was accepted has been
 * mined when it returns, here and on every replica, or nothing has moved for some
 * seconds (said on stderr).
 * IO_E_*, RPC_CLIENT_E_REFUSED (a transfer was refused for good). */
int load_run_slice(struct load_target *t, const struct load_slice *slice, struct err *err);

#endif
