/*
 * daemon - binds io to node: threads, queues, clock.
 *
 *   http thread ──requests──► rpc workers ──calls──► node thread ──jobs──► writer thread
 *        ▲                        ▲  │                   │   ▲                  │
 *        └────────replies─────────┴──┘◄──answered calls──┘   └──────done────────┘
 *
 *   net thread ──bytes──► node thread ──bytes──► net thread; batches of transactions
 *   go from the node's thread to the workers and back
 *
 * Every queue is longer than what can be in it: requests are counted by the HTTP
 * server, jobs by the node. So no thread ever waits for room in a queue, and no
 * two can wait for each other.
 */
#ifndef WEFT_APP_DAEMON_H
#define WEFT_APP_DAEMON_H

#include "io/http.h"
#include "node/node.h"

struct daemon_options {
	struct node_config node;
	struct rpc_info info;
	struct rpc_limits rpc_limits;
	uint64_t call_gas_cap, call_timeout_ms;
	struct http_options http;
	const char *p2p_address;     /* with node.p2p only */
	uint16_t p2p_port;
	size_t worker_count;
	uint32_t http_grace_ms; /* on winding down: how long requests under way may go on */
};

/* Runs until SIGTERM, SIGINT or a failure that stops the node; then winds down:
 * everything committed is written, the trie is flushed. `ready` (may be NULL) is
 * called once requests are answered, with the port. */
int daemon_run(const struct daemon_options *options, struct store *store,
	       void (*ready)(void *ctx, uint16_t port), void *ctx, struct err *err);

#endif
