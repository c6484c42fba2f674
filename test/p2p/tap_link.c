/*
 * Nodes over real sockets: p2p on a thread of its own behind io's net, as weftd
 * binds them. A plain program, so that ThreadSanitizer sees all of it
 * (contrib/check-tsan); writes TAP itself.
 *
 *     tap_link             the tests
 *     tap_link bench       messages a second and round trips of 200 bytes
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "io/clock.h"
#include "io/net.h"
#include "io/queue.h"
#include "p2p/p2p.h"

#define NODE_COUNT 3
#define BATCH_MAX 64
#define WAIT_US 20000000
#define BENCH_ROUNDS 10000
#define MESSAGE_SIZE 200

static int test_count, failed_count;

static void report(bool is_good, const char *name)
{
	test_count++;
	failed_count += !is_good;
	printf("%sok %d - %s\n", is_good ? "" : "not ", test_count, name);
	fflush(stdout);
}

/* --- a node --- */

enum item_kind {
	ITEM_NET,       /* an event of net's */
	ITEM_CONSENSUS, /* a message to all validators */
	ITEM_STOP,
};

struct item {
	enum item_kind kind;
	struct net_event event;
	size_t size; /* of the message, filled with `fill` */
	uint8_t fill;
};

struct node {
	struct net *net;
	struct p2p *p2p;
	struct io_queue *items;
	struct io_thread *thread;
	char endpoints[NODE_COUNT][32];
	uint64_t wake_ms;
	bool echoes; /* sends what it gets back */
	atomic_size_t ready_count, delivered_count, delivered_size, refused_count;
	atomic_bool is_garbled;
	struct io_queue *arrivals; /* of the bench; NULL: nobody waits */
};

static void post(struct node *n, const struct item *item)
{
	struct item *copy = xmalloc(sizeof(*copy));

	*copy = *item;
	CHECK(io_queue_push(n->items, copy));
}

static void on_net(void *ctx, struct net_event *event)
{
	struct item item = { .kind = ITEM_NET, .event = *event };

	post(ctx, &item);
}

static void step(struct node *n, struct p2p_event event);

static void on_deliver(struct node *n, const struct p2p_effect *e, struct buf *echo)
{
	struct bytes message = e->deliver.consensus;

	if (e->deliver.kind != WIRE_CONSENSUS)
		return;
	for (size_t i = 1; i < message.size; i++)
		if (message.data[i] != message.data[0])
			atomic_store(&n->is_garbled, true);
	atomic_fetch_add(&n->delivered_size, message.size);
	atomic_fetch_add(&n->delivered_count, 1);
	if (n->echoes)
		buf_append_bytes(echo, message);
	if (n->arrivals)
		CHECK(io_queue_try_push(n->arrivals, n));
}

static void carry_out(struct node *n, const struct p2p_effect *e, struct buf *echo)
{
	switch (e->kind) {
	case P2P_EFFECT_WRITE:
		net_write(n->net, e->handle, e->write.bytes);
		return;
	case P2P_EFFECT_CLOSE:
		net_close(n->net, e->handle);
		return;
	case P2P_EFFECT_CONNECT:
		net_connect(n->net, e->connect.endpoint, e->connect.dial);
		return;
	case P2P_EFFECT_DELIVER:
		on_deliver(n, e, echo);
		return;
	case P2P_EFFECT_PEER_UP:
		atomic_fetch_add(&n->ready_count, 1);
		return;
	case P2P_EFFECT_PEER_DOWN:
		atomic_fetch_sub(&n->ready_count, 1);
		return;
	case P2P_EFFECT_NO_BLOCKS:
		return;
	case P2P_EFFECT_TRACE:
		atomic_fetch_add(&n->refused_count, e->trace.what == P2P_TRACE_REFUSED);
		return;
	}
	UNREACHABLE();
}

static void step(struct node *n, struct p2p_event event)
{
	struct p2p_event answer = { .kind = P2P_EVENT_SEND_CONSENSUS };
	struct p2p_effects effects;
	struct buf echo = { 0 };

	event.now_ms = io_monotonic_us() / 1000;
	do {
		p2p_step(n->p2p, &event, &effects);
		for (size_t i = 0; i < effects.count; i++)
			carry_out(n, &effects.items[i], &echo);
		event.kind = P2P_EVENT_MORE;
		if (echo.size > 0) {
			answer.consensus = buf_bytes(&echo);
			answer.now_ms = event.now_ms;
			p2p_step(n->p2p, &answer, &effects);
			for (size_t i = 0; i < effects.count; i++)
				carry_out(n, &effects.items[i], &echo);
			buf_reset(&echo);
		}
	} while (effects.more);
	buf_clear(&echo);
	n->wake_ms = effects.wake_ms;
}

static void take_net(struct node *n, struct net_event *e)
{
	struct p2p_event event = { .handle = e->handle };

	switch (e->kind) {
	case NET_CONNECTED:
		event.kind = P2P_EVENT_CONNECTED;
		event.connected.is_outbound = e->is_outbound;
		event.connected.dial = (size_t)e->tag;
		memcpy(event.connected.ip.bytes, e->ip, 16);
		memcpy(event.connected.exporter.bytes, e->exporter, 32);
		break;
	case NET_CONNECT_FAILED:
		event.kind = P2P_EVENT_CONNECT_FAILED;
		event.connect_failed = (size_t)e->tag;
		break;
	case NET_BYTES:
		event.kind = P2P_EVENT_BYTES;
		event.bytes = buf_bytes(&e->bytes);
		break;
	case NET_SENT:
		event.kind = P2P_EVENT_SENT;
		event.sent_size = e->sent_size;
		break;
	case NET_CLOSED:
		event.kind = P2P_EVENT_CLOSED;
		break;
	}
	step(n, event);
	if (e->kind == NET_BYTES || e->kind == NET_CLOSED)
		net_taken(n->net, e->handle, e->bytes.size);
	buf_clear(&e->bytes);
}

static void take_item(struct node *n, struct item *item)
{
	struct p2p_event event = { 0 };
	uint8_t *message;

	switch (item->kind) {
	case ITEM_NET:
		take_net(n, &item->event);
		break;
	case ITEM_CONSENSUS:
		message = xmalloc(item->size);
		memset(message, item->fill, item->size);
		event.kind = P2P_EVENT_SEND_CONSENSUS;
		event.consensus = bytes_of(message, item->size);
		step(n, event);
		free(message);
		break;
	case ITEM_STOP:
		event.kind = P2P_EVENT_STOP;
		step(n, event);
		break;
	}
	free(item);
}

static void run(void *ctx)
{
	struct p2p_event tick = { .kind = P2P_EVENT_TICK };
	struct node *n = ctx;
	void *items[BATCH_MAX];
	uint64_t now_ms;
	size_t count;

	for (;;) {
		now_ms = io_monotonic_us() / 1000;
		count = io_queue_pop(n->items, items, BATCH_MAX,
				     n->wake_ms > now_ms ? (n->wake_ms - now_ms) * 1000 : 0);
		for (size_t i = 0; i < count; i++)
			take_item(n, items[i]);
		if (count == 0 && io_queue_closed(n->items))
			return;
		if (count == 0)
			step(n, tick);
	}
}

/* --- several --- */

struct net_world {
	struct ecc *ecc;
	struct node nodes[NODE_COUNT];
	struct addr addresses[NODE_COUNT];
};

static struct secret_key key_of(size_t n)
{
	return (struct secret_key){ { [31] = (uint8_t)(n + 1) } };
}

/* Node i dials all before it. */
static void start_node(struct net_world *w, size_t i)
{
	struct net_options options = {
		.address = "127.0.0.1", .connection_max = 32, .handshake_max = 16,
		.handshake_ip_max = 16, .handshake_timeout_ms = 10000,
	};
	struct p2p_event validators = { .kind = P2P_EVENT_SET_VALIDATORS };
	struct p2p_static statics[NODE_COUNT] = { 0 };
	struct p2p_effects effects;
	struct p2p_config config = {
		.chain_id = 1, .ecc = w->ecc, .key = key_of(i), .software = "tap",
		.session_max = 32, .allowed = w->addresses, .allowed_count = NODE_COUNT, .seed = i,
		.statics = statics, .static_count = i,
	};
	struct node *n = &w->nodes[i];

	n->items = io_queue_new(4096);
	CHECK(net_start(&n->net, &options, on_net, n, NULL) == OK);
	for (size_t j = 0; j < i; j++) {
		snprintf(n->endpoints[j], sizeof(n->endpoints[j]), "127.0.0.1:%u",
			 net_port(w->nodes[j].net));
		statics[j] = (struct p2p_static){ n->endpoints[j], w->addresses[j] };
	}
	CHECK(p2p_new(&n->p2p, &config, NULL) == OK);
	validators.validators.items = w->addresses;
	validators.validators.count = NODE_COUNT;
	validators.now_ms = io_monotonic_us() / 1000;
	p2p_step(n->p2p, &validators, &effects);
	for (size_t k = 0; k < effects.count; k++)
		carry_out(n, &effects.items[k], NULL);
	n->wake_ms = effects.wake_ms;
	n->thread = io_thread_start("node", run, n);
}

static void start(struct net_world *w, size_t count)
{
	static const uint8_t blinding[32];

	*w = (struct net_world){ .ecc = ecc_new(blinding) };
	for (size_t i = 0; i < NODE_COUNT; i++) {
		struct secret_key key = key_of(i);
		struct public_key public;

		CHECK(ecc_public_key(w->ecc, &public, &key, NULL) == OK);
		ecc_address(&w->addresses[i], &public);
	}
	for (size_t i = 0; i < count; i++)
		start_node(w, i);
}

static void stop_node(struct node *n)
{
	void *item;

	post(n, &(struct item){ .kind = ITEM_STOP });
	net_stop(n->net, 100);
	io_queue_close(n->items);
	io_thread_join(n->thread);
	while (io_queue_pop(n->items, &item, 1, 0) == 1) {
		buf_clear(&((struct item *)item)->event.bytes);
		free(item);
	}
	io_queue_free(n->items);
	net_free(n->net);
	p2p_free(n->p2p);
}

static bool wait_for(atomic_size_t *value, size_t wanted)
{
	uint64_t end_us = io_monotonic_us() + WAIT_US;

	while (atomic_load(value) != wanted) {
		if (io_monotonic_us() > end_us)
			return false;
		usleep(200);
	}
	return true;
}

static void send(struct node *n, size_t size, uint8_t fill)
{
	post(n, &(struct item){ .kind = ITEM_CONSENSUS, .size = size, .fill = fill });
}

static void test_mesh(void)
{
	struct net_world w;
	bool is_good = true;

	start(&w, NODE_COUNT);
	for (size_t i = 0; i < NODE_COUNT; i++)
		is_good &= wait_for(&w.nodes[i].ready_count, NODE_COUNT - 1);
	report(is_good, "three nodes know each other");
	for (size_t i = 0; i < 500; i++)
		for (size_t j = 0; j < NODE_COUNT; j++)
			send(&w.nodes[j], 1 + i * 13 % 3000, (uint8_t)i);
	send(&w.nodes[0], MESSAGE_SIZE_MAX, 9);
	is_good = wait_for(&w.nodes[0].delivered_count, 1000) &&
		  wait_for(&w.nodes[1].delivered_count, 1001) &&
		  wait_for(&w.nodes[2].delivered_count, 1001);
	for (size_t i = 0; i < NODE_COUNT; i++)
		is_good &= !atomic_load(&w.nodes[i].is_garbled);
	report(is_good, "every message arrives once and whole, the largest too");
	stop_node(&w.nodes[2]);
	is_good = wait_for(&w.nodes[0].ready_count, 1) && wait_for(&w.nodes[1].ready_count, 1);
	report(is_good, "a node that stops is missed");
	stop_node(&w.nodes[0]);
	stop_node(&w.nodes[1]);
	ecc_free(w.ecc);
}

/* Bytes that no p2p sends, inside a TLS connection that is good. */
struct stranger {
	struct net *net;
	atomic_size_t open_count, closed_count;
	_Atomic uint64_t handle;
};

static void on_stranger(void *ctx, struct net_event *event)
{
	struct stranger *s = ctx;

	if (event->kind == NET_CONNECTED) {
		atomic_store(&s->handle, event->handle);
		atomic_fetch_add(&s->open_count, 1);
	} else if (event->kind == NET_BYTES) {
		net_taken(s->net, event->handle, event->bytes.size);
		buf_clear(&event->bytes);
	} else if (event->kind == NET_CLOSED) {
		net_taken(s->net, event->handle, 0);
		atomic_fetch_add(&s->closed_count, 1);
	}
}

static void test_strangers(void)
{
	static const struct { const char *bytes; size_t size; } sent[] = {
		{ "\xff\xff\xff\xff", 4 },                         /* a frame of 4 GiB */
		{ "\x00\x00\x01\x00\x1a\xfd\x01", 7 },             /* a vote before the hello */
		{ "\x00\x00\x00\x02\x0a\x00", 6 },                 /* an empty hello */
		{ "\x00\x00\x00\x04\x7a\x02\x08\x01", 8 },         /* a kind that does not exist */
	};
	struct net_options options = { .connection_max = 8, .handshake_timeout_ms = 10000 };
	struct stranger s = { 0 };
	struct net_world w;
	bool is_good = true;
	char endpoint[32];

	start(&w, 2);
	CHECK(net_start(&s.net, &options, on_stranger, &s, NULL) == OK);
	snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", net_port(w.nodes[0].net));
	is_good &= wait_for(&w.nodes[0].ready_count, 1);
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		net_connect(s.net, endpoint, i);
		is_good &= wait_for(&s.open_count, i + 1);
		net_write(s.net, atomic_load(&s.handle), bytes_of(sent[i].bytes, sent[i].size));
		is_good &= wait_for(&s.closed_count, i + 1);
		is_good &= wait_for(&w.nodes[0].refused_count, i + 1);
	}
	is_good &= wait_for(&w.nodes[0].ready_count, 1);
	report(is_good, "bad frames inside good TLS are refused, and nobody else notices");
	net_free(s.net);
	stop_node(&w.nodes[0]);
	stop_node(&w.nodes[1]);
	ecc_free(w.ecc);
}

static void test_restarts(void)
{
	struct net_world w;

	for (int round = 0; round < 5; round++) {
		start(&w, NODE_COUNT);
		if (round % 2)
			usleep(2000);
		else
			wait_for(&w.nodes[0].ready_count, NODE_COUNT - 1);
		for (size_t i = 0; i < 50; i++)
			send(&w.nodes[i % NODE_COUNT], 1 + i * 1000, (uint8_t)i);
		for (size_t i = 0; i < NODE_COUNT; i++)
			stop_node(&w.nodes[i]);
		ecc_free(w.ecc);
	}
	report(true, "stopping among connections and messages, five times");
}

/* --- figures --- */

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void bench(void)
{
	static uint32_t trips_us[BENCH_ROUNDS];
	struct net_world w;
	uint64_t start_us, cpu_us;
	void *arrival;

	start(&w, 2);
	CHECK(wait_for(&w.nodes[0].ready_count, 1) && wait_for(&w.nodes[1].ready_count, 1));
	/* Paced below the rate that one peer is allowed in the long run plus its burst. */
	start_us = io_monotonic_us();
	cpu_us = io_cpu_us();
	for (size_t i = 0; i < 8000; i++)
		send(&w.nodes[0], MESSAGE_SIZE, 1);
	CHECK(wait_for(&w.nodes[1].delivered_count, 8000));
	start_us = io_monotonic_us() - start_us;
	cpu_us = io_cpu_us() - cpu_us;
	printf("throughput: 8000 messages of %d bytes in %llu us: %.0f a second, %.2f us CPU each "
	       "(both nodes)\n", MESSAGE_SIZE, (unsigned long long)start_us,
	       8000e6 / (double)start_us, (double)cpu_us / 8000);
	w.nodes[1].echoes = true;
	w.nodes[0].arrivals = io_queue_new(1);
	sleep(3); /* the token bucket fills again */
	for (size_t i = 0; i < BENCH_ROUNDS; i++) {
		start_us = io_monotonic_us();
		send(&w.nodes[0], MESSAGE_SIZE, 1);
		CHECK(io_queue_pop(w.nodes[0].arrivals, &arrival, 1, WAIT_US) == 1);
		trips_us[i] = (uint32_t)(io_monotonic_us() - start_us);
		usleep(300);
	}
	qsort(trips_us, BENCH_ROUNDS, sizeof(trips_us[0]), by_value);
	printf("round trip, %d of them, queue to queue: p50 %u us, p90 %u us, p99 %u us, "
	       "p99.9 %u us\n",
	       BENCH_ROUNDS, trips_us[BENCH_ROUNDS / 2], trips_us[BENCH_ROUNDS * 9 / 10],
	       trips_us[BENCH_ROUNDS * 99 / 100], trips_us[BENCH_ROUNDS * 999 / 1000]);
	io_queue_free(w.nodes[0].arrivals);
	w.nodes[0].arrivals = NULL;
	stop_node(&w.nodes[0]);
	stop_node(&w.nodes[1]);
	ecc_free(w.ecc);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "bench") == 0) {
		bench();
		return 0;
	}
	test_mesh();
	test_strangers();
	test_restarts();
	printf("1..%d\n", test_count);
	return failed_count > 0;
}
