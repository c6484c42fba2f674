#include <criterion/criterion.h>

#include "world.h"

/* A world of one node, number 0, that dials nobody. */
static void start_one(struct world *w)
{
	struct p2p_config config;

	world_init(w, 1);
	config = world_config(w, 0);
	world_start(w, 0, &config, "");
}

static void start_all(struct world *w, size_t count, const char *const dials[])
{
	for (size_t i = 0; i < count; i++) {
		struct p2p_config config = world_config(w, i);

		world_start(w, i, &config, dials[i]);
	}
}

/* A hello, changed by the caller, is refused for that reason, and counted. */
static void assert_refused(struct world *w, size_t link, const struct wire_message *m,
			   enum p2p_reason reason, int line)
{
	struct p2p_metrics before = world_metrics(w, 0), after;
	enum p2p_reason got = P2P_REASON_NONE;
	size_t up_count = w->nodes[0].up_count;

	raw_send_message(w, link, m);
	cr_assert(raw_is_closed(w, link, &got), "line %d", line);
	cr_assert_eq(got, reason, "line %d: %s", line, p2p_reason_name(got));
	after = world_metrics(w, 0);
	cr_assert_eq(after.refused_count[reason], before.refused_count[reason] + 1, "line %d",
		     line);
	cr_assert_eq(w->nodes[0].last_refused, reason);
	cr_assert_eq(w->nodes[0].up_count, up_count);
}

Test(session, joins_two_nodes)
{
	struct world w;
	struct p2p_peer peer;

	world_init(&w, 1);
	start_all(&w, 2, (const char *const[]){ "1", "" });
	world_run(&w, 10);
	cr_assert(world_has_ready(&w, 0, 1));
	cr_assert(world_has_ready(&w, 1, 0));
	cr_expect_eq(w.nodes[0].up_count, 1);
	cr_expect_eq(p2p_peers(w.nodes[0].p2p, w.now_ms, &peer, 1), 1);
	cr_expect(peer.is_outbound);
	cr_expect_str_eq(peer.software, "weft/test");
	world_clear(&w);
}

Test(session, takes_bytes_one_at_a_time)
{
	struct world w;

	world_init(&w, 1);
	w.piece_max = 1;
	start_all(&w, 2, (const char *const[]){ "1", "" });
	world_run(&w, 10);
	cr_assert(world_has_ready(&w, 0, 1));
	world_set_validators(&w, 2);
	world_send_consensus(&w, 0, NULL, "a vote");
	world_run(&w, 1);
	cr_expect_eq(w.nodes[1].delivered[WIRE_CONSENSUS], 1);
	world_clear(&w);
}

Test(session, refuses_for_each_reason)
{
	struct wire_message m;
	struct world w;
	size_t link;

	start_one(&w);
#define REFUSED(reason) assert_refused(&w, link, &m, reason, __LINE__)
#define FRESH() (link = raw_open(&w, 0, world_ip(10, 2, 0, 1)), m = raw_hello(&w, link, 1), \
		 world_run(&w, 30000)) /* what it cost before has faded */
	FRESH();
	link = raw_open(&w, 0, world_ip(10, 2, 0, 1));
	m = raw_hello(&w, link, 1);
	m.hello.protocol_version++;
	REFUSED(P2P_REASON_VERSION);
#undef FRESH
#define FRESH() (world_run(&w, 30000), link = raw_open(&w, 0, world_ip(10, 2, 0, 1)), \
		 m = raw_hello(&w, link, 1))
	FRESH();
	m.hello.chain_id++;
	REFUSED(P2P_REASON_CHAIN);
	FRESH();
	m.hello.genesis_hash.bytes[31] ^= 1;
	REFUSED(P2P_REASON_CHAIN);
	FRESH();
	m.hello.address.bytes[0] ^= 1; /* somebody else's name */
	REFUSED(P2P_REASON_SIGNATURE);
	FRESH();
	m.hello.signature.r[5] ^= 1;
	REFUSED(P2P_REASON_SIGNATURE);
	FRESH();
	memset(m.hello.signature.s, 0xff, 32); /* the upper half */
	REFUSED(P2P_REASON_SIGNATURE);
	FRESH();
	w.links[link].exporter.bytes[0] ^= 1; /* a hello of another connection */
	m = raw_hello(&w, link, 1);
	REFUSED(P2P_REASON_SIGNATURE);
	FRESH();
	m = raw_hello(&w, link, 100); /* on no list */
	REFUSED(P2P_REASON_NOT_ALLOWED);
	FRESH();
	m = raw_hello(&w, link, 0); /* the node's own key */
	REFUSED(P2P_REASON_TWIN);
	FRESH();
	m = (struct wire_message){ .kind = WIRE_PING };
	REFUSED(P2P_REASON_MALFORMED);
	cr_expect_eq(world_metrics(&w, 0).session_count, 0);
	world_clear(&w);
}

/* Whoever is dialled says who it is to somebody who has proven the same, and not before. */
Test(session, says_hello_back_to_whom_it_takes)
{
	struct wire_decoder *d = wire_decoder_new();
	struct wire_message m;
	struct world w;
	size_t link;

	start_one(&w);
	link = raw_open(&w, 0, world_ip(10, 2, 0, 1));
	cr_expect(!raw_take(&w, link, d, &m));
	m = raw_hello(&w, link, 1);
	raw_send_message(&w, link, &m);
	cr_assert(raw_take(&w, link, d, &m));
	cr_expect_eq(m.kind, WIRE_HELLO);
	wire_decoder_free(d);
	world_clear(&w);
}

/* What a node itself said can't be said to it. */
Test(session, refuses_its_own_hello_back)
{
	struct wire_decoder *d = wire_decoder_new();
	struct wire_message m;
	struct world w;
	size_t link;

	start_one(&w);
	link = raw_join(&w, 0, 1);
	cr_assert(raw_take(&w, link, d, &m));
	cr_assert_eq(m.kind, WIRE_HELLO);
	assert_refused(&w, raw_open(&w, 0, world_ip(10, 2, 0, 1)), &m, P2P_REASON_SIGNATURE, __LINE__);
	wire_decoder_free(d);
	world_clear(&w);
}

Test(session, says_why_it_closes)
{
	struct wire_decoder *d = wire_decoder_new();
	struct wire_message m;
	struct world w;
	size_t link;

	start_one(&w);
	link = raw_open(&w, 0, world_ip(10, 2, 0, 1));
	m = raw_hello(&w, link, 100);
	raw_send_message(&w, link, &m);
	cr_assert(raw_take(&w, link, d, &m));
	cr_expect_eq(m.kind, WIRE_GOODBYE);
	cr_expect_eq(m.reason, P2P_REASON_NOT_ALLOWED);
	cr_expect(!raw_take(&w, link, d, &m));
	wire_decoder_free(d);
	world_clear(&w);
}

Test(session, takes_strangers_if_open)
{
	struct p2p_config config;
	struct world w;

	world_init(&w, 1);
	config = world_config(&w, 0);
	config.is_open = true;
	world_start(&w, 0, &config, "");
	raw_join(&w, 0, 100);
	cr_expect_eq(w.nodes[0].up_count, 1);
	world_clear(&w);
}

Test(session, bounds_strangers_of_one_network)
{
	struct p2p_config config;
	struct world w;

	world_init(&w, 1);
	config = world_config(&w, 0);
	config.is_open = true;
	config.session_max = LIMIT_P2P_SESSION_COUNT;
	world_start(&w, 0, &config, "");
	for (uint8_t i = 0; i < 20; i++)
		raw_open(&w, 0, world_ip(10, 3, 3, i));
	cr_expect_eq(world_metrics(&w, 0).session_count, LIMIT_P2P_GROUP_COUNT);
	for (uint8_t i = 0; i < 60; i++)
		raw_open(&w, 0, world_ip(10, 4, i, 1));
	cr_expect_eq(world_metrics(&w, 0).session_count, LIMIT_P2P_HANDSHAKE_COUNT);
	cr_expect_eq(w.nodes[0].last_refused, P2P_REASON_FULL);
	world_run(&w, LIMIT_P2P_HANDSHAKE_MS);
	cr_expect_eq(world_metrics(&w, 0).session_count, 0);
	for (uint8_t i = 0; i < 60; i++)
		raw_join(&w, 0, 100u + i);
	cr_expect_eq(world_metrics(&w, 0).ready_count, LIMIT_P2P_STRANGER_COUNT);
	world_clear(&w);
}

Test(session, closes_without_hello_in_time)
{
	enum p2p_reason reason;
	struct world w;
	size_t link;

	start_one(&w);
	link = raw_open(&w, 0, world_ip(10, 2, 0, 1));
	world_run(&w, LIMIT_P2P_HANDSHAKE_MS - 1);
	raw_send(&w, link, bytes_of("\0\0", 2)); /* trickling does not help */
	cr_expect(!raw_is_closed(&w, link, &reason));
	world_run(&w, 2);
	cr_assert(raw_is_closed(&w, link, &reason));
	cr_expect_eq(reason, P2P_REASON_TIMEOUT);
	world_clear(&w);
}

Test(session, finds_itself)
{
	struct world w;

	world_init(&w, 1);
	start_all(&w, 1, (const char *const[]){ "0" });
	world_run(&w, 60000);
	cr_expect_eq(w.nodes[0].up_count, 0);
	cr_expect_eq(w.nodes[0].connect_count, 1, "once is enough: %zu", w.nodes[0].connect_count);
	cr_expect_geq(world_metrics(&w, 0).refused_count[P2P_REASON_SELF], 1);
	world_clear(&w);
}

/* A key used by two nodes at once: neither is thrown out by the other. */
Test(session, refuses_second_node_with_one_key)
{
	enum p2p_reason reason;
	struct world w;
	size_t first, second;

	start_one(&w);
	first = raw_join(&w, 0, 1);
	second = raw_join(&w, 0, 1);
	cr_assert(raw_is_closed(&w, second, &reason));
	cr_expect_eq(reason, P2P_REASON_DUPLICATE);
	cr_expect(!raw_is_closed(&w, first, NULL));
	cr_expect_eq(w.nodes[0].up_count, 1);
	cr_expect_eq(world_metrics(&w, 0).refused_count[P2P_REASON_DUPLICATE], 1);
	world_clear(&w);
}

/* Not either when it dials in the direction that stays, of which there is one of the two. */
Test(session, refuses_twin_of_a_live_peer_in_both_directions)
{
	for (size_t self = 0; self < 2; self++) {
		enum p2p_reason reason;
		struct world w;
		size_t twin;

		world_init(&w, 3);
		start_all(&w, 2, self == 0 ? (const char *const[]){ "1", "" }
					   : (const char *const[]){ "", "0" });
		world_run(&w, 1000);
		cr_assert_eq(world_ready_count(&w, self), 1);
		twin = raw_join(&w, self, 1 - self);
		world_run(&w, 3000);
		cr_assert(raw_is_closed(&w, twin, &reason));
		cr_expect_eq(reason, P2P_REASON_DUPLICATE, "it may be the peer after a restart");
		twin = raw_join(&w, self, 1 - self);
		world_run(&w, 1000);
		cr_assert(raw_is_closed(&w, twin, &reason));
		cr_expect_eq(reason, P2P_REASON_TWIN, "the peer was heard meanwhile");
		cr_expect_eq(world_ready_count(&w, self), 1);
		cr_expect_eq(w.nodes[self].down_count, 0);
		world_clear(&w);
	}
}

/* … but the first must answer, else it is dead and the second is welcome. */
Test(session, lets_restarted_peer_in_when_first_is_dead)
{
	enum p2p_reason reason;
	struct world w;
	size_t first;

	start_one(&w);
	first = raw_join(&w, 0, 1);
	world_run(&w, 1000);
	raw_join(&w, 0, 1);
	world_run(&w, 2000);
	cr_assert(raw_is_closed(&w, first, &reason));
	cr_expect_eq(reason, P2P_REASON_TIMEOUT);
	raw_join(&w, 0, 1);
	cr_expect_eq(w.nodes[0].up_count, 2);
	cr_expect_eq(w.nodes[0].down_count, 1);
	world_clear(&w);
}

/* Both dial at once: one connection stays, the same for both, and nobody goes down. */
Test(session, keeps_one_of_two_crossing_connections)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct p2p_peer a, b;
		struct world w;

		world_init(&w, seed);
		w.piece_max = 64;
		start_all(&w, 2, (const char *const[]){ "1", "0" });
		world_run(&w, 2000);
		cr_assert_eq(p2p_peers(w.nodes[0].p2p, w.now_ms, &a, 1), 1);
		cr_assert_eq(p2p_peers(w.nodes[1].p2p, w.now_ms, &b, 1), 1);
		cr_assert_eq(a.handle / 2, b.handle / 2, "both use one connection");
		cr_expect_eq(world_metrics(&w, 0).session_count, 1);
		cr_expect_eq(world_metrics(&w, 1).session_count, 1);
		world_clear(&w);
	}
}

Test(session, meshes_seven_nodes_that_all_dial_all)
{
	struct world w;

	world_init(&w, 9);
	start_all(&w, 7, (const char *const[]){ "0123456", "0123456", "0123456", "0123456",
						"0123456", "0123456", "0123456" });
	world_run(&w, 3000);
	for (size_t i = 0; i < 7; i++) {
		cr_expect_eq(world_ready_count(&w, i), 6);
		cr_expect_eq(world_metrics(&w, i).session_count, 6);
	}
	world_clear(&w);
}

Test(session, checks_who_was_dialled)
{
	struct p2p_static wrong = { .endpoint = "1" };
	struct p2p_config config;
	struct world w;

	world_init(&w, 1);
	config = world_config(&w, 1);
	world_start(&w, 1, &config, "");
	config = world_config(&w, 0);
	wrong.address = world_address(&w, 2);
	config.statics = &wrong;
	config.static_count = 1;
	config.allowed = &wrong.address;
	config.allowed_count = 1;
	cr_assert_eq(p2p_new(&w.nodes[0].p2p, &config, NULL), OK);
	world_run(&w, 100);
	cr_expect_eq(w.nodes[0].up_count, 0);
	cr_expect_eq(w.nodes[0].last_refused, P2P_REASON_IDENTITY);
	world_clear(&w);
}

Test(session, dials_again_with_growing_pauses)
{
	size_t first, later;
	struct world w;

	world_init(&w, 1);
	start_all(&w, 2, (const char *const[]){ "1", "" });
	w.nodes[1].is_unreachable = true;
	world_run(&w, 2000);
	first = w.nodes[0].connect_count;
	cr_expect_geq(first, 3);
	cr_expect_leq(first, 8);
	world_run(&w, 60000);
	later = w.nodes[0].connect_count - first;
	cr_expect_geq(later, 6);
	cr_expect_leq(later, 16);
	w.nodes[1].is_unreachable = false;
	world_run(&w, 10001);
	cr_expect(world_has_ready(&w, 0, 1));
	world_clear(&w);
}

Test(session, comes_back_after_a_crash)
{
	struct p2p_config config;
	struct world w;

	world_init(&w, 1);
	start_all(&w, 2, (const char *const[]){ "1", "" });
	world_run(&w, 20000);
	world_kill(&w, 1);
	world_run(&w, 10);
	cr_expect_eq(w.nodes[0].down_count, 1);
	cr_expect_eq(w.nodes[0].last_down, P2P_REASON_CLOSED);
	config = world_config(&w, 1);
	world_start(&w, 1, &config, "");
	world_run(&w, 1000);
	cr_expect(world_has_ready(&w, 0, 1));
	world_clear(&w);
}

Test(session, keeps_quiet_session_alive_and_ends_dead_one)
{
	struct p2p_peer peer;
	struct world w;

	world_init(&w, 1);
	start_all(&w, 2, (const char *const[]){ "1", "" });
	world_run(&w, 60000);
	cr_expect_eq(w.nodes[0].up_count, 1);
	cr_expect_eq(w.nodes[0].down_count, 0);
	cr_assert_eq(p2p_peers(w.nodes[0].p2p, w.now_ms, &peer, 1), 1);
	cr_expect_neq(peer.round_trip_ms, UINT64_MAX);
	for (size_t i = 0; i < w.link_count; i++)
		w.links[i].ends[0].stalled = w.links[i].ends[1].stalled = 1;
	world_run(&w, 16000);
	cr_expect_eq(w.nodes[0].down_count, 1);
	cr_expect_eq(w.nodes[0].last_down, P2P_REASON_TIMEOUT);
	world_clear(&w);
}

Test(session, says_goodbye_when_it_stops)
{
	struct p2p_event stop = { .kind = P2P_EVENT_STOP };
	struct world w;

	world_init(&w, 1);
	start_all(&w, 2, (const char *const[]){ "1", "" });
	world_run(&w, 10);
	world_step(&w, 0, stop);
	world_run(&w, 1);
	cr_expect_eq(world_metrics(&w, 0).session_count, 0);
	cr_expect_eq(w.nodes[1].last_farewell, P2P_REASON_STOPPING);
	cr_expect_eq(w.nodes[1].last_down, P2P_REASON_STOPPING);
	world_run(&w, 20000);
	cr_expect_eq(w.nodes[0].connect_count, 1);
	world_clear(&w);
}

Test(session, refuses_bad_config)
{
	struct p2p_config config;
	struct p2p *p = NULL;
	struct world w;

	world_init(&w, 1);
	config = world_config(&w, 0);
	config.session_max = 0;
	cr_expect_eq(p2p_new(&p, &config, NULL), P2P_E_CONFIG);
	config = world_config(&w, 0);
	config.software = "a\nb";
	cr_expect_eq(p2p_new(&p, &config, NULL), P2P_E_CONFIG);
	config = world_config(&w, 0);
	memset(&config.key, 0, sizeof(config.key));
	cr_expect_eq(p2p_new(&p, &config, NULL), P2P_E_CONFIG);
	config = world_config(&w, 0);
	config.static_count = LIMIT_P2P_STATIC_COUNT + 1;
	cr_expect_eq(p2p_new(&p, &config, NULL), P2P_E_CONFIG);
	cr_expect_null(p);
	world_clear(&w);
}
