#include "network.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "chain/certificate.h"
#include "exec/native.h"

/* A handle names the link and the end that uses it. */
static uint64_t handle_of(size_t link, size_t end)
{
	return link * 2 + end + 1;
}

static uint64_t site_now(void *ctx)
{
	return ((struct site *)ctx)->net->now_ms;
}

static void site_wake(void *ctx, uint64_t at_ms)
{
	((struct site *)ctx)->wake_ms = at_ms;
}

static void site_wake_peers(void *ctx, uint64_t at_ms)
{
	((struct site *)ctx)->wake_peers_ms = at_ms;
}

static void site_write(void *ctx, struct node_job *job)
{
	struct site *s = ctx;

	cr_assert_lt(s->job_count, JOB_MAX);
	s->jobs[s->job_count++] = job;
}

static void site_recover(void *ctx, struct node_batch *batch)
{
	struct site *s = ctx;

	cr_assert_lt(s->batch_count, ARRAY_COUNT(s->batches));
	s->batches_ready_ms[s->batch_count] = s->net->now_ms + s->batch_ms;
	s->batches[s->batch_count++] = batch;
}

static void site_publish(void *ctx, struct node_head *head)
{
	struct site *s = ctx;

	node_head_unref(s->head);
	s->head = head;
}

static void site_stop(void *ctx, const struct err *err)
{
	((struct site *)ctx)->stopped = *err;
}

static struct node_head *site_acquire(void *ctx)
{
	return node_head_ref(((struct site *)ctx)->head);
}

static void peer_write(void *ctx, uint64_t handle, struct bytes bytes)
{
	struct site *s = ctx;
	struct link *l = &s->net->links[(handle - 1) / 2];

	if (l->is_open)
		buf_append_bytes(&l->to[1 - (handle - 1) % 2].data, bytes);
}

static void peer_close(void *ctx, uint64_t handle)
{
	struct site *s = ctx;
	struct link *l = &s->net->links[(handle - 1) / 2];

	l->to[1 - (handle - 1) % 2].is_closed = true;
	l->told_closed[(handle - 1) % 2] = true;
}

/* Answered later, as a socket would. */
static void peer_connect(void *ctx, size_t dial, const char *endpoint)
{
	struct site *s = ctx;
	struct network *net = s->net;
	size_t to = (size_t)(endpoint[1] - '0');

	cr_assert_lt(net->link_count, LINK_MAX);
	net->links[net->link_count++] = (struct link){
		.is_open = net->sites[to].is_up && !net->is_cut[to] && !net->is_cut[s->index],
		.ends = { s->index, to },
		.dial = dial,
	};
}

static void tell_connected(struct network *net, size_t index)
{
	struct link *l = &net->links[index];
	struct hash exporter = { { (uint8_t)index, (uint8_t)(index >> 8), 0x77 } };

	l->is_told = true;
	if (!l->is_open) {
		struct p2p_event failed = { .kind = P2P_EVENT_CONNECT_FAILED };

		failed.connect_failed = l->dial;
		if (net->sites[l->ends[0]].is_up)
			node_on_peer(net->sites[l->ends[0]].node, &failed);
		return;
	}
	for (size_t end = 0; end < 2; end++) {
		struct p2p_event event = { .kind = P2P_EVENT_CONNECTED, .handle = handle_of(index, end) };

		event.connected.is_outbound = end == 0;
		event.connected.dial = end == 0 ? l->dial : 0;
		event.connected.exporter = exporter;
		event.connected.ip.bytes[15] = 1;
		if (net->sites[l->ends[end]].is_up)
			node_on_peer(net->sites[l->ends[end]].node, &event);
	}
}

/* --- life --- */

struct addr address_of(const struct ecc *e, const struct secret_key *key)
{
	struct public_key public;
	struct addr out;

	cr_assert_eq(ecc_public_key(e, &public, key, NULL), OK);
	ecc_address(&out, &public);
	return out;
}

void site_open(struct site *s, bool is_validator)
{
	struct network *net = s->net;
	const struct store_options options = {
		.dir = s->dir[0] ? s->dir : NULL,
		.cache_size = 8 * MIB, .tree_memory_max = 64 * MIB, .history_ms = HISTORY_MS_DEFAULT, .seed = 1,
	};
	const struct node_io io = {
		.ctx = s, .now_ms = site_now, .wake_at = site_wake, .write = site_write, .steady_ms = site_now,
		.wake_peers_at = site_wake_peers, .recover = site_recover, .peer_write = peer_write,
		.peer_close = peer_close, .peer_connect = peer_connect, .publish = site_publish, .stop = site_stop,
	};
	struct p2p_config p2p = {
		.chain_id = 31337, .ecc = net->ecc, .key = s->key, .listen_port = 30900, .software = "test",
		.statics = s->statics, .session_max = 16, .seed = s->index + 1,
	};
	struct node_config config = {
		.genesis = &net->genesis, .ecc = net->ecc, .is_validator = is_validator, .validator_key = s->key,
		.pool = { s->pool_count ? s->pool_count : 5000, 8 * MIB, 1000, 1000, net->genesis.params.base_fee_floor },
		.consensus_log_size = s->log_size, .p2p = &p2p, .seed = 1, .log = s->log,
	};
	struct store_report report;
	struct err err = { 0 };

	s->reader = (struct node_reader){ site_acquire, s, &net->genesis.params, site_now };
	s->wake_ms = 0;
	s->wake_peers_ms = UINT64_MAX;
	for (size_t i = 0; i < net->count; i++) {
		if (i == s->index)
			continue;
		snprintf(s->endpoints[i], sizeof(s->endpoints[i]), "n%zu", i);
		s->statics[p2p.static_count++] = (struct p2p_static){ s->endpoints[i], net->sites[i].address };
	}
	if (s->dir[0] && access(s->dir, F_OK) != 0)
		cr_assert_eq(store_create(&options, &net->genesis, &err), OK, "%s", err.message);
	cr_assert_eq(store_open(&s->store, &options, &net->genesis, &report, &err), OK, "%s", err.message);
	if (report.tip_height == 0)
		net->genesis_hash = report.tip_hash;
	p2p.genesis_hash = net->genesis_hash;
	s->is_up = true;
	cr_assert_eq(node_new(&s->node, &config, s->store, &io, &err), OK, "%s", err.message);
}

void site_close(struct site *s)
{
	const struct err lost = { .code = NODE_E_STORAGE, .message = "lost" };

	if (!s->is_up)
		return;
	s->is_up = false;
	for (size_t i = 0; i < s->job_count; i++)
		node_on_job_failed(s->node, s->jobs[i], &lost);
	for (size_t i = 0; i < s->batch_count; i++)
		node_on_batch(s->node, s->batches[i]);
	s->job_count = s->batch_count = 0;
	node_head_unref(s->head);
	node_reader_clear(&s->reader);
	s->head = NULL;
	node_free(s->node);
	store_close(s->store);
	for (size_t i = 0; i < s->net->link_count; i++) {
		struct link *l = &s->net->links[i];

		for (size_t end = 0; end < 2; end++) {
			if (l->is_open && l->ends[end] == s->index) {
				l->to[1 - end].is_closed = true;
				l->told_closed[end] = true;
			}
		}
	}
}

void network_prepare(struct network *net, size_t count, size_t observers)
{
	const uint8_t seed[32] = { 1 };
	struct validator members[NODE_MAX] = { 0 };
	struct wei million = wei_of(1000000 * GWEI);

	*net = (struct network){ .ecc = ecc_new(seed), .alice = { { [31] = 99 } }, .now_ms = START_MS };
	net->count = count + observers;
	rng_init(&net->rng, 1);
	net->alice_address = address_of(net->ecc, &net->alice);
	genesis_default(&net->genesis, 31337, START_MS - 1000);
	wei_mul_gas(&million, million, GWEI);
	genesis_fund(&net->genesis, &net->alice_address, million);
	for (size_t i = 0; i < net->count; i++) {
		net->sites[i].net = net;
		net->sites[i].index = i;
		net->sites[i].key.bytes[31] = (uint8_t)(10 + i);
		net->sites[i].address = address_of(net->ecc, &net->sites[i].key);
		genesis_fund(&net->genesis, &net->sites[i].address, million);
		if (i < count)
			members[i] = (struct validator){ net->sites[i].address, { 1 } };
	}
	cr_assert_eq(validator_set_init(&net->genesis.validators, members, count, NULL), OK);
}

void network_make(struct network *net, size_t count, size_t observers)
{
	network_prepare(net, count, observers);
	for (size_t i = 0; i < net->count; i++)
		site_open(&net->sites[i], i < count);
}

void network_end(struct network *net)
{
	for (size_t i = 0; i < net->count; i++)
		site_close(&net->sites[i]);
	for (size_t i = 0; i < net->link_count; i++) {
		buf_clear(&net->links[i].to[0].data);
		buf_clear(&net->links[i].to[1].data);
	}
	genesis_clear(&net->genesis);
	ecc_free(net->ecc);
}

/* --- running --- */

static bool run_jobs(struct site *s)
{
	struct node_job *jobs[JOB_MAX];
	size_t count = s->job_count, group;

	memcpy(jobs, s->jobs, sizeof(jobs));
	s->job_count = 0;
	for (size_t done = 0; done < count; done += group) {
		group = node_jobs_group(jobs + done, count - done);
		for (size_t i = done; i < done + group; i++)
			cr_assert_eq(node_job_run(jobs[i], NULL), OK);
		node_jobs_sync(jobs + done, group);
		for (size_t i = done; i < done + group; i++) {
			cr_assert_eq(node_job_finish(jobs[i], NULL), OK);
			node_on_job(s->node, jobs[i]);
		}
	}
	return count > 0;
}

/* The first whose time has come; workers hand back in order here. */
static bool run_batches(struct site *s)
{
	struct node_batch *batch = s->batches[0];

	if (s->batch_count == 0 || s->batches_ready_ms[0] > s->net->now_ms)
		return false;
	s->batch_count--;
	memmove(s->batches, s->batches + 1, s->batch_count * sizeof(s->batches[0]));
	memmove(s->batches_ready_ms, s->batches_ready_ms + 1, s->batch_count * sizeof(s->batches_ready_ms[0]));
	node_batch_run(batch);
	node_on_batch(s->node, batch);
	return true;
}

/* Bytes in pieces of random size, as sockets give them. */
static bool run_pipe(struct network *net, size_t index, size_t end)
{
	struct link *l = &net->links[index];
	struct site *s = &net->sites[l->ends[end]], *from = &net->sites[l->ends[1 - end]];
	struct pipe *p = &l->to[end];
	struct p2p_event event = { .kind = P2P_EVENT_BYTES, .handle = handle_of(index, end) };
	struct buf piece = { 0 };
	size_t size = p->data.size - p->taken, piece_max;

	if (!s->is_up || net->is_cut[s->index] || net->is_cut[from->index])
		return false;
	if (size == 0) {
		if (!p->is_closed || l->told_closed[end])
			return false;
		l->told_closed[end] = true;
		event.kind = P2P_EVENT_CLOSED;
		node_on_peer(s->node, &event);
		return true;
	}
	piece_max = 1 + rng_below(&net->rng, LIMIT_P2P_READ_SIZE);
	size = MIN(size, piece_max);
	buf_append(&piece, p->data.data + p->taken, size);
	p->taken += size;
	event.bytes = buf_bytes(&piece);
	if (!l->told_closed[end])
		node_on_peer(s->node, &event);
	buf_clear(&piece);
	event = (struct p2p_event){ .kind = P2P_EVENT_SENT, .handle = handle_of(index, 1 - end) };
	event.sent_size = size;
	if (from->is_up && !l->told_closed[1 - end])
		node_on_peer(from->node, &event);
	return true;
}

static bool run_once(struct network *net)
{
	bool has_run = false;

	for (size_t i = 0; i < net->link_count; i++) {
		if (!net->links[i].is_told) {
			tell_connected(net, i);
			has_run = true;
		} else if (net->links[i].is_open) {
			has_run |= run_pipe(net, i, 0);
			has_run |= run_pipe(net, i, 1);
		}
	}
	for (size_t i = 0; i < net->count; i++) {
		struct site *s = &net->sites[i];

		if (!s->is_up)
			continue;
		has_run |= run_jobs(s);
		has_run |= run_batches(s);
		node_on_turn_end(s->node);
		if (s->wake_ms && s->wake_ms <= net->now_ms) {
			s->wake_ms = 0;
			node_on_tick(s->node);
			has_run = true;
		}
		if (s->wake_peers_ms <= net->now_ms) {
			s->wake_peers_ms = UINT64_MAX;
			node_on_peer_tick(s->node);
			has_run = true;
		}
	}
	return has_run;
}

/* Runs for `ms` of virtual time. */
void run_for(struct network *net, uint64_t ms)
{
	uint64_t end = net->now_ms + ms;

	for (;;) {
		uint64_t next = end;

		for (int i = 0; run_once(net); i++)
			cr_assert_lt(i, 100000, "the network never rests");
		if (net->now_ms >= end)
			return;
		for (size_t i = 0; i < net->count; i++) {
			if (!net->sites[i].is_up)
				continue;
			if (net->sites[i].batch_count)
				next = MIN(next, MAX(net->sites[i].batches_ready_ms[0], net->now_ms + 1));
			if (net->sites[i].wake_ms)
				next = MIN(next, MAX(net->sites[i].wake_ms, net->now_ms + 1));
			next = MIN(next, MAX(net->sites[i].wake_peers_ms, net->now_ms + 1));
		}
		net->now_ms = next;
	}
}

/* --- asking --- */

uint64_t height_of(struct site *s)
{
	return store_reader_height(s->head->reader);
}

struct hash hash_at(struct site *s, uint64_t height)
{
	struct stored_header header = { 0 };
	struct hash hash;

	cr_assert_eq(store_read_header(s->head->reader, height, &header, NULL), OK);
	hash = header.hash;
	stored_header_clear(&header);
	return hash;
}

uint64_t nonce_of(struct site *s)
{
	struct store_view *view;
	struct state_view state;
	struct account account;

	cr_assert_eq(store_view_at(s->head->reader, height_of(s), &view, NULL), OK);
	state = store_view_state(view);
	cr_assert_eq(state_account(&state, &account, &s->net->alice_address, NULL), OK);
	store_view_free(view);
	return account.nonce;
}

void submit(struct network *net, size_t to_site, const struct secret_key *key, const struct tx *fields)
{
	struct rpc_node_backend backend = node_rpc_backend(net->sites[to_site].node);
	struct err err = { 0 };
	struct tx *t;

	cr_assert_eq(tx_sign(&t, net->ecc, fields, key, NULL), OK);
	cr_assert_eq(tx_recover(net->ecc, t, NULL), OK);
	cr_assert_eq(backend.ops->submit(backend.ctx, t, &err), OK, "%s", err.message);
	tx_unref(t);
}

void send(struct network *net, size_t to_site, uint64_t nonce)
{
	const struct tx fields = {
		.type = TX_DYNAMIC_FEE, .has_chain_id = true, .chain_id = 31337, .nonce = nonce, .gas_limit = 21000,
		.max_fee = wei_of(10 * GWEI), .max_priority_fee = wei_of(GWEI), .value = wei_of(1),
		.to = { { [0] = 0xee } },
	};

	submit(net, to_site, &net->alice, &fields);
}

uint64_t next_nonce(struct network *net, size_t at_site, const struct addr *sender)
{
	struct rpc_node_backend backend = node_rpc_backend(net->sites[at_site].node);

	return backend.ops->pool_next_nonce(backend.ctx, sender);
}

void send_vote(struct network *net, size_t voter, size_t to_site, const struct addr *validator, uint64_t weight)
{
	const struct site *s = &net->sites[voter];
	struct buf data = { 0 };
	struct tx fields = {
		.type = TX_DYNAMIC_FEE, .has_chain_id = true, .chain_id = 31337,
		.nonce = next_nonce(net, to_site, &s->address), .gas_limit = 3000000,
		.max_fee = wei_of(10 * GWEI), .max_priority_fee = wei_of(GWEI), .to = native_validators_address,
	};

	native_encode_vote(&data, validator, weight);
	fields.data = buf_bytes(&data);
	submit(net, to_site, &s->key, &fields);
	buf_clear(&data);
}

/* All that are up agree on every block up to the lowest height, which is at least `least`. */
void check_agreement(struct network *net, uint64_t least)
{
	struct site *first = NULL;
	uint64_t common = UINT64_MAX;

	for (size_t i = 0; i < net->count; i++) {
		struct site *s = &net->sites[i];

		if (!s->is_up)
			continue;
		cr_assert_eq(s->stopped.code, 0, "node %zu: %s", i, s->stopped.message);
		common = MIN(common, height_of(s));
		first = first ? first : s;
	}
	cr_assert_geq(common, least, "the slowest is at %llu", (unsigned long long)common);
	for (size_t i = 0; i < net->count; i++) {
		for (uint64_t h = 0; net->sites[i].is_up && h <= common; h++) {
			struct hash a = hash_at(first, h), b = hash_at(&net->sites[i], h);

			cr_assert(hash_equal(&a, &b), "node %zu differs at height %llu", i, (unsigned long long)h);
		}
	}
}
