#include "app/daemon.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "io/clock.h"
#include "io/net.h"
#include "io/queue.h"
#include "io/signal.h"

#define STALL_RETRY_US 1000000
#define EVENT_BATCH_MAX 64
#define JOB_QUEUE_MAX 64  /* the node keeps its lead over the writer far below */
#define EVENT_QUEUE_MAX (LIMIT_RPC_QUEUE_COUNT + JOB_QUEUE_MAX + NODE_BATCH_MAX + 64)
#define CALL_QUEUE_MAX (2 * LIMIT_RPC_QUEUE_COUNT + NODE_BATCH_MAX)
#define HANDSHAKE_MAX 32
#define HANDSHAKE_IP_MAX 16
#define HANDSHAKE_TIMEOUT_MS 5000
#define NET_GRACE_MS 500
#define PARKED_MAX 64          /* requests that wait for the writer; more are answered as busy */
#define PARKED_MAX_US 1000000

/* What workers do: a request on its way (worker, node if it must, worker again), or
 * a batch of transactions for the node. */
struct call {
	struct node_batch *batch;    /* else the rest */
	struct http_request *http;
	struct rpc_request *rpc; /* NULL until a worker has begun it */
	uint64_t arrived_us;
	uint64_t give_up_us;     /* parked: answered as busy then */
};

enum event_kind {
	EVENT_CALL,     /* a request has questions for the node */
	EVENT_GET,      /* a plain GET */
	EVENT_JOB,      /* a job is done */
	EVENT_JOB_FAIL, /* a job can't be finished */
	EVENT_STALL,    /* the disk is full, or is no longer */
	EVENT_BATCH,    /* a batch has run */
	EVENT_NET,      /* something on the network */
	EVENT_END,      /* wind down */
};

struct event {
	enum event_kind kind;
	struct call *call;
	struct http_request *get;
	struct node_job *job;
	struct node_batch *batch;
	struct net_event net;
	bool is_stalled;
	struct err err;
};

struct daemon {
	const struct daemon_options *options;
	struct node *node;
	struct rpc *rpc;
	struct http_server *http;
	struct net *net;             /* NULL: no peers */

	struct io_queue *calls, *urgent, *events, *jobs;
	struct io_workers *workers, *urgent_worker;
	struct io_thread *node_thread, *writer_thread;

	struct node_reader reader;
	struct io_mutex *head_mutex;
	struct node_head *head;

	/* Requests that the node can answer once its newest block is written; node's thread
	 * only, the oldest first. */
	struct call *parked[PARKED_MAX];
	size_t parked_count;

	/* Monotonic; node's thread only; UINT64_MAX: none. */
	uint64_t wake_us, wake_peers_us;
	atomic_bool is_ending;
	bool has_failed;             /* set by the node's thread, read after it has ended */
	struct err failure;
};

/* Other validators wait for what these threads do next. With nobody waiting it would only
 * make more switches between them and the workers. */
static void hurry(const struct daemon *d)
{
	if (d->net)
		io_thread_hurry();
}

static void must_push(struct io_queue *q, void *item)
{
	CHECK(io_queue_try_push(q, item));
}

static void post(struct daemon *d, struct event event)
{
	struct event *e = xmalloc(sizeof(*e));

	*e = event;
	must_push(d->events, e);
}

/* --- what the node asks of us; node's thread --- */

static uint64_t now_ms(void *ctx)
{
	(void)ctx;
	return io_wall_ms();
}

/* A wish in wall time becomes a span: a clock that is set back meanwhile would
 * otherwise leave the node asleep for as long as it was set back. */
static void wake_at(void *ctx, uint64_t at_ms)
{
	struct daemon *d = ctx;
	uint64_t now = io_wall_ms();

	d->wake_us = io_monotonic_us() + (at_ms > now ? at_ms - now : 0) * 1000;
}

static uint64_t steady_ms(void *ctx)
{
	(void)ctx;
	return io_monotonic_us() / 1000;
}

static uint64_t steady_us(void *ctx)
{
	(void)ctx;
	return io_monotonic_us();
}

static void wake_peers_at(void *ctx, uint64_t at_ms)
{
	struct daemon *d = ctx;

	d->wake_peers_us = at_ms == UINT64_MAX ? UINT64_MAX : at_ms * 1000;
}

static void recover(void *ctx, struct node_batch *batch)
{
	struct daemon *d = ctx;
	struct call *call = xcalloc(1, sizeof(*call));

	call->batch = batch;
	/* Behind a thousand requests a proposal would time out. */
	must_push(node_batch_is_urgent(batch) ? d->urgent : d->calls, call);
}

static void peer_write(void *ctx, uint64_t handle, struct bytes bytes)
{
	struct daemon *d = ctx;

	net_write(d->net, handle, bytes);
}

static void peer_close(void *ctx, uint64_t handle)
{
	struct daemon *d = ctx;

	net_close(d->net, handle);
}

static void peer_connect(void *ctx, size_t dial, const char *endpoint)
{
	struct daemon *d = ctx;

	net_connect(d->net, endpoint, dial);
}

static void write_job(void *ctx, struct node_job *job)
{
	struct daemon *d = ctx;

	must_push(d->jobs, job);
}

static void publish(void *ctx, struct node_head *head)
{
	struct daemon *d = ctx;
	struct node_head *old;

	io_mutex_lock(d->head_mutex);
	old = d->head;
	d->head = head;
	io_mutex_unlock(d->head_mutex);
	node_head_unref(old);
}

static void stop(void *ctx, const struct err *err)
{
	struct daemon *d = ctx;

	d->has_failed = true;
	d->failure = *err;
	io_signals_wake(); /* the main thread winds us down */
}

/* --- readers; any thread --- */

static struct node_head *acquire_head(void *ctx)
{
	struct daemon *d = ctx;
	struct node_head *head;

	io_mutex_lock(d->head_mutex);
	head = node_head_ref(d->head);
	io_mutex_unlock(d->head_mutex);
	return head;
}

/* --- HTTP thread --- */

static void on_request(void *ctx, struct http_request *http)
{
	struct daemon *d = ctx;
	struct call *call;

	switch (http_request_method(http)) {
	case HTTP_METHOD_POST:
		call = xcalloc(1, sizeof(*call));
		call->http = http;
		call->arrived_us = io_monotonic_us();
		must_push(d->calls, call);
		return;
	case HTTP_METHOD_GET:
		post(d, (struct event){ .kind = EVENT_GET, .get = http });
		return;
	}
	UNREACHABLE();
}

/* --- network thread --- */

static void on_net(void *ctx, struct net_event *net)
{
	struct daemon *d = ctx;

	post(d, (struct event){ .kind = EVENT_NET, .net = *net });
}

/* --- workers --- */

static void refuse(struct http_request *http)
{
	struct buf body = { 0 };

	buf_printf(&body, "the node is shutting down\n");
	http_reply(http, 503, "text/plain", &body);
}

/* Ends a call without its answer. */
static void drop_call(struct daemon *d, struct call *call)
{
	struct buf reply = { 0 };

	if (call->batch) {
		node_on_batch(d->node, call->batch);
		free(call);
		return;
	}
	if (call->rpc)
		rpc_finish(call->rpc, &reply);
	buf_clear(&reply);
	refuse(call->http);
	free(call);
}

static void on_call(void *ctx, void *item)
{
	struct daemon *d = ctx;
	struct call *call = item;
	struct buf reply = { 0 };
	bool needs_node = false;

	if (call->batch) {
		node_batch_run(call->batch);
		post(d, (struct event){ .kind = EVENT_BATCH, .batch = call->batch });
		free(call);
		return;
	}
	/* The server has stopped: a second's work each would be for nobody. */
	if (atomic_load(&d->is_ending)) {
		drop_call(d, call);
		return;
	}
	if (!call->rpc)
		call->rpc = rpc_begin(d->rpc, http_request_body(call->http), &needs_node);
	if (needs_node) {
		post(d, (struct event){ .kind = EVENT_CALL, .call = call });
		return;
	}
	rpc_finish(call->rpc, &reply);
	/* JSON-RPC 2.0 §4.1: notifications are not answered. */
	if (reply.size == 0)
		http_reply(call->http, 204, NULL, &reply);
	else
		http_reply(call->http, 200, "application/json", &reply);
	free(call);
}

/* --- writer thread --- */

/* Appends one job's records; waits as long as the disk is full, unless we end
 * meanwhile: then the job is left, as if the power had gone. */
static int run_job(struct daemon *d, struct node_job *job, struct err *err)
{
	bool has_stalled = false;
	int code;

	while ((code = node_job_run(job, err)) == STORE_E_WRITE) {
		if (!has_stalled)
			post(d, (struct event){ .kind = EVENT_STALL, .is_stalled = true, .err = *err });
		has_stalled = true;
		if (atomic_load(&d->is_ending))
			return code;
		usleep(STALL_RETRY_US);
	}
	if (has_stalled)
		post(d, (struct event){ .kind = EVENT_STALL, .is_stalled = false });
	return code;
}

/* Hands a job back. It is the node's again, which may free it at once. */
static void hand_back(struct daemon *d, struct node_job **job)
{
	post(d, (struct event){ .kind = EVENT_JOB, .job = *job });
	*job = NULL;
}

/* Runs a group that shares a sync, and hands back what is done. */
static int run_group(struct daemon *d, struct node_job *jobs[], size_t count, struct err *err)
{
	int code = OK;

	for (size_t i = 0; code == OK && i < count; i++)
		code = run_job(d, jobs[i], err);
	if (code != OK)
		return code;
	node_jobs_sync(jobs, count);
	for (size_t i = 0; i < count; i++)
		if (node_job_is_early(jobs[i]))
			hand_back(d, &jobs[i]);
	for (size_t i = 0; i < count; i++) {
		if (!jobs[i])
			continue;
		code = node_job_finish(jobs[i], err);
		if (code != OK)
			return code;
		hand_back(d, &jobs[i]);
	}
	return OK;
}

static void writer_main(void *ctx)
{
	struct daemon *d = ctx;
	struct node_job *jobs[JOB_QUEUE_MAX];
	struct err err = { 0 };
	int code = OK;
	size_t count;

	hurry(d);
	while ((count = io_queue_pop(d->jobs, (void **)jobs, ARRAY_COUNT(jobs), UINT64_MAX)) > 0) {
		for (size_t done = 0, group; code == OK && done < count; done += group) {
			group = node_jobs_group(jobs + done, count - done);
			code = run_group(d, jobs + done, group, &err);
		}
		/* After a failure what is left stays unwritten; the process ends. */
		for (size_t i = 0; code != OK && i < count; i++)
			if (jobs[i])
				post(d, (struct event){ .kind = EVENT_JOB_FAIL, .job = jobs[i], .err = err });
	}
}

/* --- node's thread --- */

static void on_get(struct daemon *d, struct http_request *http)
{
	struct buf body = { 0 };
	const char *type = "text/plain";
	int status;

	if (!rpc_get(d->rpc, node_rpc_backend(d->node), http_request_path(http), http_request_query(http),
		     &status, &type, &body)) {
		status = 404;
		buf_printf(&body, "nothing here: POST JSON-RPC to /, or GET /liveness, /readiness, /metrics\n");
	}
	http_reply(http, status, type, &body);
}

static void on_net_event(struct daemon *d, struct net_event *net)
{
	struct p2p_event event = { .handle = net->handle };

	switch (net->kind) {
	case NET_CONNECTED:
		event.kind = P2P_EVENT_CONNECTED;
		event.connected.is_outbound = net->is_outbound;
		event.connected.dial = net->tag;
		memcpy(event.connected.ip.bytes, net->ip, sizeof(net->ip));
		memcpy(event.connected.exporter.bytes, net->exporter, sizeof(net->exporter));
		break;
	case NET_CONNECT_FAILED:
		event.kind = P2P_EVENT_CONNECT_FAILED;
		event.connect_failed = net->tag;
		break;
	case NET_BYTES:
		event.kind = P2P_EVENT_BYTES;
		event.bytes = buf_bytes(&net->bytes);
		break;
	case NET_SENT:
		event.kind = P2P_EVENT_SENT;
		event.sent_size = net->sent_size;
		break;
	case NET_CLOSED:
		event.kind = P2P_EVENT_CLOSED;
		break;
	}
	node_on_peer(d->node, &event);
	if (net->kind == NET_BYTES || net->kind == NET_CLOSED)
		net_taken(d->net, net->handle, net->bytes.size);
	buf_clear(&net->bytes);
}

static void on_call_event(struct daemon *d, struct call *call)
{
	bool is_last = d->parked_count == PARKED_MAX || atomic_load(&d->is_ending);

	node_note_arrival(d->node, call->arrived_us);
	if (rpc_continue(call->rpc, node_rpc_backend(d->node), is_last)) {
		must_push(d->calls, call);
		return;
	}
	call->give_up_us = io_monotonic_us() + PARKED_MAX_US;
	d->parked[d->parked_count++] = call;
}

/* Those that can be answered now, and those that have waited long enough. */
static void continue_parked(struct daemon *d)
{
	uint64_t now_us = io_monotonic_us();
	size_t left = 0;

	for (size_t i = 0; i < d->parked_count; i++) {
		struct call *call = d->parked[i];
		bool is_last = now_us >= call->give_up_us;

		if ((is_last || node_is_written(d->node)) &&
		    rpc_continue(call->rpc, node_rpc_backend(d->node), is_last))
			must_push(d->calls, call);
		else
			d->parked[left++] = call;
	}
	d->parked_count = left;
}

static void on_event(struct daemon *d, struct event *e)
{
	switch (e->kind) {
	case EVENT_CALL:
		on_call_event(d, e->call);
		break;
	case EVENT_GET:
		on_get(d, e->get);
		break;
	case EVENT_JOB:
		node_on_job(d->node, e->job);
		continue_parked(d); /* before another block becomes final */
		break;
	case EVENT_JOB_FAIL:
		node_on_job_failed(d->node, e->job, &e->err);
		break;
	case EVENT_STALL:
		node_on_write_stall(d->node, e->is_stalled, &e->err);
		break;
	case EVENT_BATCH:
		node_on_batch(d->node, e->batch);
		break;
	case EVENT_NET:
		on_net_event(d, &e->net);
		break;
	case EVENT_END:
		atomic_store(&d->is_ending, true);
		break;
	}
	free(e);
}

static uint64_t wait_us(const struct daemon *d)
{
	uint64_t now_us = io_monotonic_us(), at_us = MIN(d->wake_us, d->wake_peers_us);

	if (d->parked_count > 0)
		at_us = MIN(at_us, d->parked[0]->give_up_us);
	if (at_us == UINT64_MAX)
		return UINT64_MAX;
	return at_us > now_us ? at_us - now_us : 0;
}

static void node_main(void *ctx)
{
	struct daemon *d = ctx;
	struct event *events[EVENT_BATCH_MAX];

	hurry(d);
	while (!atomic_load(&d->is_ending) || !node_wind_down(d->node)) {
		size_t count = io_queue_pop(d->events, (void **)events, ARRAY_COUNT(events), wait_us(d));

		for (size_t i = 0; i < count; i++)
			on_event(d, events[i]);
		if (io_monotonic_us() >= d->wake_us) {
			d->wake_us = UINT64_MAX;
			node_on_tick(d->node);
		}
		if (io_monotonic_us() >= d->wake_peers_us) {
			d->wake_peers_us = UINT64_MAX;
			node_on_peer_tick(d->node);
		}
		if (d->parked_count > 0)
			continue_parked(d);
		node_on_turn_end(d->node);
	}
}

/* --- life --- */

static struct net_options net_options_of(const struct daemon_options *o)
{
	return (struct net_options){
		.address = o->p2p_address,
		.port = o->p2p_port,
		.connection_max = o->node.p2p->session_max + HANDSHAKE_MAX,
		.handshake_max = HANDSHAKE_MAX,
		.handshake_ip_max = HANDSHAKE_IP_MAX,
		.handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS,
		.log = o->node.log,
	};
}

static size_t event_queue_max(const struct daemon_options *o)
{
	struct net_options net;

	if (!o->node.p2p)
		return EVENT_QUEUE_MAX;
	net = net_options_of(o);
	return EVENT_QUEUE_MAX + net_event_max(&net, o->node.p2p->static_count);
}

static void make(struct daemon *d, const struct daemon_options *o)
{
	d->options = o;
	d->wake_us = d->wake_peers_us = UINT64_MAX;
	d->head_mutex = io_mutex_new();
	d->reader = (struct node_reader){
		.acquire = acquire_head,
		.ctx = d,
		.params = o->info.params,
		.now_ms = now_ms,
		.steady_ms = steady_ms,
		.call_gas_cap = o->call_gas_cap,
		.call_timeout_ms = o->call_timeout_ms,
	};
	d->jobs = io_queue_new(JOB_QUEUE_MAX);
	d->events = io_queue_new(event_queue_max(o));
	d->calls = io_queue_new(CALL_QUEUE_MAX);
	d->urgent = io_queue_new(NODE_BATCH_MAX);
	d->rpc = rpc_new(&o->info, o->node.ecc, node_reader_backend(&d->reader), o->rpc_limits);
}

static void drop_event(struct daemon *d, struct event *e)
{
	switch (e->kind) {
	case EVENT_CALL:
		drop_call(d, e->call);
		break;
	case EVENT_GET:
		refuse(e->get);
		break;
	case EVENT_JOB:
	case EVENT_JOB_FAIL:
		node_on_job_failed(d->node, e->job, &e->err);
		break;
	case EVENT_BATCH:
		node_on_batch(d->node, e->batch);
		break;
	case EVENT_NET:
		buf_clear(&e->net.bytes);
		break;
	case EVENT_STALL:
	case EVENT_END:
		break;
	}
	free(e);
}

/* What was still on its way when the threads ended. */
static void drain(struct daemon *d)
{
	void *item;

	while (d->parked_count > 0)
		drop_call(d, d->parked[--d->parked_count]);
	while (io_queue_pop(d->calls, &item, 1, 0) == 1)
		drop_call(d, item);
	while (io_queue_pop(d->urgent, &item, 1, 0) == 1)
		drop_call(d, item);
	while (io_queue_pop(d->events, &item, 1, 0) == 1)
		drop_event(d, item);
}

static void end(struct daemon *d)
{
	drain(d);
	node_free(d->node);
	net_free(d->net);
	rpc_free(d->rpc);
	node_reader_clear(&d->reader);
	node_head_unref(d->head);
	io_queue_free(d->jobs);
	io_queue_free(d->events);
	io_queue_free(d->calls);
	io_queue_free(d->urgent);
	io_mutex_free(d->head_mutex);
}

/* From the outside in: no new requests, no new blocks, everything written. */
static void wind_down(struct daemon *d)
{
	http_server_stop(d->http, d->options->http_grace_ms);
	post(d, (struct event){ .kind = EVENT_END });
	io_thread_join(d->node_thread);
	if (d->net)
		net_stop(d->net, NET_GRACE_MS);
	io_queue_close(d->jobs);
	io_thread_join(d->writer_thread);
	io_workers_stop(d->workers);
	io_workers_stop(d->urgent_worker);
}

/* The ports first: that one is taken should be known before anything is begun. */
static int start_ports(struct daemon *d, struct err *err)
{
	struct net_options net;
	int code = http_server_start(&d->http, &d->options->http, on_request, d, err);

	if (code != OK || !d->options->node.p2p)
		return code;
	net = net_options_of(d->options);
	code = net_start(&d->net, &net, on_net, d, err);
	if (code != OK)
		http_server_stop(d->http, 0);
	return code;
}

static int start(struct daemon *d, struct store *store, struct err *err)
{
	const struct node_io io = {
		.ctx = d,
		.now_ms = now_ms,
		.wake_at = wake_at,
		.write = write_job,
		.steady_ms = steady_ms,
		.wake_peers_at = wake_peers_at,
		.steady_us = steady_us,
		.recover = recover,
		.peer_write = peer_write,
		.peer_close = peer_close,
		.peer_connect = peer_connect,
		.publish = publish,
		.stop = stop,
	};
	int code = start_ports(d, err);

	if (code != OK)
		return code;
	code = node_new(&d->node, &d->options->node, store, &io, err);
	if (code == OK)
		return OK;
	http_server_stop(d->http, 0);
	if (d->net)
		net_stop(d->net, 0);
	return code;
}

int daemon_run(const struct daemon_options *options, struct store *store,
	       void (*ready)(void *ctx, uint16_t port), void *ctx, struct err *err)
{
	struct daemon d = { 0 };
	int code;

	make(&d, options);
	code = start(&d, store, err);
	if (code != OK) {
		end(&d);
		return code;
	}
	d.writer_thread = io_thread_start("weft-writer", writer_main, &d);
	d.workers = io_workers_start(d.calls, options->worker_count, "weft-rpc", on_call, &d);
	d.urgent_worker = io_workers_start(d.urgent, 1, "weft-senders", on_call, &d);
	d.node_thread = io_thread_start("weft-node", node_main, &d);
	if (ready)
		ready(ctx, http_server_port(d.http));
	io_signals_wait();
	wind_down(&d);
	if (d.has_failed) {
		*err = d.failure;
		code = d.failure.code;
	}
	end(&d);
	return code;
}
