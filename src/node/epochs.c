/*
 * epochs - the node's side of validator sets that change: which one decides the height
 * above the tip, whose messages peers may send, whether this node is one of them.
 *
 * Execution decides when an epoch ends (exec/epoch.h); the result of the block that ends
 * it carries the next one. Here it becomes the tip's; consensus is told with the
 * block itself, the store keeps it beside the block.
 */
#include "base/check.h"
#include "codec/hex.h"
#include "exec/native.h"
#include "node/internal.h"

struct consensus_epoch node_consensus_epoch(const struct epoch *e)
{
	return (struct consensus_epoch){ .number = e->number, .first = e->first, .set = &e->set };
}

bool node_is_member(const struct node *n)
{
	return n->config.is_validator && validator_set_find(&n->tip.epoch.set, &n->self) >= 0;
}

/* The epochs before, of whose heights somebody may still bring evidence. */
static int tell_past_epochs(struct node *n, struct err *err)
{
	struct store_reader *reader = store_reader_new(n->store);
	uint64_t firsts[NODE_SET_COUNT];
	struct epoch e = n->tip.epoch;
	size_t count = 0;
	int code = OK;

	for (firsts[count++] = e.first; code == OK && e.first > 0 && count < NODE_SET_COUNT; firsts[count++] = e.first)
		code = store_read_epoch(reader, e.first - 1, &e, err);
	while (code == OK && count > 0) {
		struct consensus_epoch told;

		code = store_read_epoch(reader, firsts[--count], &e, err);
		told = node_consensus_epoch(&e);
		if (code == OK)
			node_evidence_epoch(n, &told);
	}
	store_reader_free(reader);
	return code;
}

int node_epoch_start(struct node *n, struct err *err)
{
	struct state_view state = store_state(n->store);
	int code = exec_read_epoch(&state, &n->tip.epoch, err);

	if (code == OK)
		code = exec_read_next_set(&state, &n->next_set, err);
	if (code == OK)
		code = tell_past_epochs(n, err);
	return code == OK ? OK : err_prefix(err, code, "the validators at block %llu",
					    (unsigned long long)n->tip.header.height);
}

int node_epoch_before(struct node *n, struct epoch *out, struct err *err)
{
	struct store_reader *reader;
	int code;

	out->set.count = 0;
	if (n->tip.epoch.number == 0)
		return OK;
	reader = store_reader_new(n->store);
	code = store_read_epoch(reader, n->tip.epoch.first - 1, out, err);
	store_reader_free(reader);
	return code;
}

/* Whether the block wrote to the contract that keeps the sets. */
static bool touches_sets(const struct state_diff *diff)
{
	for (size_t i = 0; i < diff->slot_count; i++)
		if (addr_equal(&diff->slots[i].address, &native_validators_address))
			return true;
	return false;
}

static void say_epoch(struct node *n, bool was_member)
{
	const struct epoch *e = &n->tip.epoch;
	char text[HEX_ADDR_SIZE];

	LOG_INFO(n->config.log, "node", "epoch", "number=%llu first=%llu validators=%zu weight=%llu quorum=%llu",
		 (unsigned long long)e->number, (unsigned long long)e->first, e->set.count,
		 (unsigned long long)e->set.total.n, (unsigned long long)validator_set_quorum(&e->set).n);
	if (node_is_member(n) != was_member)
		LOG_WARN(n->config.log, "node", was_member ? "removed" : "validating", "validator=%s epoch=%llu",
			 hex_data(text, addr_bytes(&n->self)), (unsigned long long)e->number);
}

/* What the state of the new tip says must be what execution said: compiled in for tests. */
__attribute__((unused)) static bool is_consistent(struct node *n)
{
	struct state_view state = store_state(n->store);
	struct epoch e;

	return exec_read_epoch(&state, &e, NULL) == OK && e.number == n->tip.epoch.number &&
	       e.first == n->tip.epoch.first && e.start_ms == n->tip.epoch.start_ms &&
	       hash_equal(&e.set.hash, &n->tip.epoch.set.hash);
}

void node_epoch_advance(struct node *n, const struct exec_result *r)
{
	struct state_view state = store_state(n->store);
	bool was_member = node_is_member(n), is_news = r->next_epoch;
	struct err err = { 0 };

	if (r->next_epoch && !hash_equal(&n->tip.epoch.set.hash, &r->next_epoch->set.hash)) {
		n->has_past_set = true;
		n->past_set = n->tip.epoch.set;
	}
	exec_parent_advance(&n->tip, r);
	VERIFY(is_consistent(n));
	if (r->next_epoch) {
		const struct consensus_epoch told = node_consensus_epoch(&n->tip.epoch);

		node_evidence_epoch(n, &told);
		say_epoch(n, was_member);
	}
	if (n->has_past_set && n->tip.header.height >= n->tip.epoch.first + NODE_EPOCH_OVERLAP) {
		n->has_past_set = false;
		is_news = true;
	}
	if (touches_sets(&r->diff)) {
		if (exec_read_next_set(&state, &n->next_set, &err) != OK)
			node_stop(n, &err);
		is_news = true;
	}
	if (is_news)
		node_peers_validators(n);
}

static void add_peers(const struct validator_set *set, struct addr out[], size_t *count)
{
	for (size_t i = 0; i < set->count; i++) {
		bool is_there = false;

		for (size_t k = 0; k < *count && !is_there; k++)
			is_there = addr_equal(&out[k], &set->members[i].address);
		if (!is_there && *count < VALIDATOR_COUNT_MAX)
			out[(*count)++] = set->members[i].address;
	}
}

size_t node_epoch_peers(const struct node *n, struct addr out[VALIDATOR_COUNT_MAX])
{
	size_t count = 0;

	add_peers(&n->tip.epoch.set, out, &count);
	add_peers(&n->next_set, out, &count);
	if (n->has_past_set)
		add_peers(&n->past_set, out, &count);
	return count;
}
