/* Plain GET paths beside JSON-RPC. */
#include <stdlib.h>

#include "base/check.h"
#include "codec/hex.h"
#include "rpc/methods.h"

#define TEXT_TYPE "text/plain; charset=utf-8"
#define JSON_TYPE "application/json"

/* A decimal number of the query, `fallback` if it is not there; false if it is no number. */
static bool query_number(const char *query, const char *name, uint64_t fallback, uint64_t *out)
{
	size_t name_size = strlen(name);
	struct u256 value;

	*out = fallback;
	while (*query) {
		size_t size = strcspn(query, "&");

		if (size > name_size && strncmp(query, name, name_size) == 0 &&
		    query[name_size] == '=') {
			if (!u256_from_decimal(&value, bytes_of(query + name_size + 1,
								size - name_size - 1)))
				return false;
			if (!u256_fits_u64(&value))
				return false;
			*out = value.limbs[0];
		}
		query += size + (query[size] == '&');
	}
	return true;
}

static void put_home(const struct rpc *r, struct buf *body)
{
	buf_printf(body,
		   "%s, chain %llu\n\n"
		   "This is a Weft node's JSON-RPC port. Wallets and tools send POST requests\n"
		   "to this address. A browser may look at:\n\n"
		   "  /liveness    does the process answer\n"
		   "  /readiness   is it of use: ?minPeers=1&maxBlocksBehind=2\n"
		   "  /metrics     counters, in Prometheus' text format\n",
		   r->info->client_version, (unsigned long long)r->info->params->chain_id);
}

/* How many blocks are missing: a node that is overdue is behind by the heartbeats
 * that it has missed at least. */
static uint64_t blocks_behind(const struct rpc *r, struct rpc_node_backend node)
{
	uint64_t age_ms, heartbeat_ms = MAX(r->info->params->heartbeat_ms, 1);
	bool is_stalled;

	node.ops->head_age(node.ctx, &age_ms, &is_stalled);
	if (!is_stalled)
		return 0;
	return MAX(age_ms / heartbeat_ms, 1);
}

#define MAX_BEHIND_DEFAULT 2

static int readiness(const struct rpc *r, struct rpc_node_backend node, const char *query,
		     struct buf *body)
{
	uint64_t min_peers, max_behind, behind = blocks_behind(r, node);
	size_t peers = node.ops->peer_count(node.ctx);
	const char *trouble = node.ops->trouble(node.ctx);
	struct jout j;
	bool is_up;

	if (!query_number(query, "minPeers", 0, &min_peers) ||
	    !query_number(query, "maxBlocksBehind", MAX_BEHIND_DEFAULT, &max_behind)) {
		buf_printf(body,
			   "{\"error\":\"minPeers and maxBlocksBehind are decimal numbers\"}");
		return 400;
	}
	is_up = !trouble && peers >= min_peers && behind <= max_behind;
	jout_init(&j, body);
	jout_object(&j);
	jout_key(&j, "status");
	jout_str(&j, is_up ? "UP" : "DOWN");
	jout_key(&j, "peers");
	jout_unsigned(&j, peers);
	jout_key(&j, "blocksBehind");
	jout_unsigned(&j, behind);
	if (trouble) {
		jout_key(&j, "reason");
		jout_str(&j, trouble);
	}
	jout_object_end(&j);
	return is_up ? 200 : 503;
}

bool rpc_get(struct rpc *r, struct rpc_node_backend node, const char *path, const char *query,
	     int *status, const char **content_type, struct buf *body)
{
	*status = 200;
	*content_type = TEXT_TYPE;
	if (strcmp(path, "/") == 0) {
		put_home(r, body);
	} else if (strcmp(path, "/metrics") == 0) {
		*content_type = "text/plain; version=0.0.4; charset=utf-8";
		node.ops->metrics(node.ctx, body);
	} else if (strcmp(path, "/liveness") == 0) {
		*content_type = JSON_TYPE;
		buf_printf(body, "{\"status\":\"UP\"}");
	} else if (strcmp(path, "/readiness") == 0) {
		*content_type = JSON_TYPE;
		*status = readiness(r, node, query ? query : "", body);
	} else {
		return false;
	}
	return true;
}
