/* The daemon as it ends: with requests under way, with a disk that is full. */
#include "app/daemon.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "io/clock.h"
#include "io/queue.h"
#include "io/signal.h"

#define BATCH_COUNT 20000

/* EIP-155's example, which was signed for chain 1. */
#define CALL "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x" \
	     "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080" \
	     "25a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761a" \
	     "ecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83\"]}"

struct rig {
	struct ecc *ecc;
	struct genesis genesis;
	struct store *store;
	struct daemon_options options;
	char dir[64];
	uint16_t port;
	void (*play)(struct rig *r); /* on a thread of its own, once the daemon runs */
	struct io_thread *player;
};

static void rig_make(struct rig *r, void (*play)(struct rig *r))
{
	static const uint8_t seed[32] = { 1 };
	struct validator member = { .weight = { 1 } };
	struct public_key key;

	io_signals_block();
	*r = (struct rig){ .ecc = ecc_new(seed), .dir = "/tmp/weft-test-daemon-XXXXXX", .play = play };
	cr_assert(mkdtemp(r->dir));
	genesis_default(&r->genesis, 1, io_wall_ms());
	r->genesis.params.min_interval_ms = 0;
	r->genesis.params.heartbeat_ms = 200;
	r->options = (struct daemon_options){
		.node = {
			.genesis = &r->genesis,
			.ecc = r->ecc,
			.is_validator = true,
			.validator_key = { { [31] = 11 } },
			.pool = { 1000, MIB, 100, 100, r->genesis.params.base_fee_floor },
		},
		.info = { .client_version = "test", .params = &r->genesis.params },
		.rpc_limits = { .batch_count = BATCH_COUNT, .reply_size = 64 * MIB, .cost = UINT64_MAX },
		.http = {
			.address = "127.0.0.1",
			.limits = { .connection_count = 10, .header_size = 16 * KIB, .body_size = 64 * MIB,
				    .idle_timeout_ms = 30000, .pending_count = LIMIT_RPC_QUEUE_COUNT },
		},
		.worker_count = 1,
	};
	cr_assert_eq(ecc_public_key(r->ecc, &key, &r->options.node.validator_key, NULL), OK);
	ecc_address(&member.address, &key);
	cr_assert_eq(validator_set_init(&r->genesis.validators, &member, 1, NULL), OK);
}

static void player_main(void *ctx)
{
	struct rig *r = ctx;

	r->play(r);
}

static void ready(void *ctx, uint16_t port)
{
	struct rig *r = ctx;

	r->port = port;
	r->player = io_thread_start("player", player_main, r);
}

static int rig_run(struct rig *r, struct err *err)
{
	const struct store_options store = {
		.dir = r->dir,
		.cache_size = 8 * MIB,
		.tree_memory_max = 16 * MIB,
		.history_ms = HISTORY_MS_DEFAULT,
	};
	char command[128];
	int code;

	cr_assert_eq(store_create(&store, &r->genesis, err), OK, "%s", err->message);
	cr_assert_eq(store_open(&r->store, &store, &r->genesis, NULL, err), OK, "%s", err->message);
	code = daemon_run(&r->options, r->store, ready, r, err);
	io_thread_join(r->player);
	store_close(r->store);
	genesis_clear(&r->genesis);
	ecc_free(r->ecc);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	cr_assert_eq(system(command), 0);
	return code;
}

static void send_all(int fd, struct bytes bytes)
{
	while (bytes.size > 0) {
		ssize_t size = send(fd, bytes.data, bytes.size, 0);

		cr_assert_gt(size, 0);
		bytes = bytes_of(bytes.data + size, bytes.size - (size_t)size);
	}
}

static int connect_to(const struct rig *r)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(r->port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Posts `body` and does not wait for the reply. */
static int post_only(const struct rig *r, struct bytes body)
{
	int fd = connect_to(r);
	struct buf head = { 0 };

	buf_printf(&head, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", body.size);
	send_all(fd, buf_bytes(&head));
	send_all(fd, body);
	buf_clear(&head);
	return fd;
}

/* --- requests that outlive the grace --- */

static void ask_much_and_end(struct rig *r)
{
	struct buf body = { 0 };
	int fd;

	buf_printf(&body, "[" CALL);
	for (size_t i = 1; i < BATCH_COUNT; i++)
		buf_printf(&body, "," CALL);
	buf_append_byte(&body, ']');
	fd = post_only(r, buf_bytes(&body));
	buf_clear(&body);
	usleep(20000); /* a worker has begun by now; if not, this shows nothing */
	kill(getpid(), SIGTERM);
	close(fd);
}

Test(daemon, ends_before_its_requests_do)
{
	struct err err = { 0 };
	struct rig r;

	rig_make(&r, ask_much_and_end);
	cr_expect_eq(rig_run(&r, &err), OK, "%s", err.message);
}

/* --- proofs while blocks come as fast as they can --- */

#define PROOF_COUNT 300

static void ask_proofs_and_end(struct rig *r)
{
	static const char body[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getProof\",\"params\":"
				   "[\"0x0000000000000000000000000000000000574501\",[\"0x0\"],\"latest\"]}";
	size_t proofs = 0;

	for (size_t i = 0; i < PROOF_COUNT; i += 4) {
		int fds[4];

		for (size_t k = 0; k < ARRAY_COUNT(fds); k++)
			fds[k] = post_only(r, bytes_of_str(body));
		for (size_t k = 0; k < ARRAY_COUNT(fds); k++) {
			struct buf reply = { 0 };
			ssize_t size;

			/* The body is one JSON value on one line, with its end at "}]}}" or an error's "}}". */
			do {
				buf_reserve(&reply, 4096);
				size = recv(fds[k], reply.data + reply.size, 4096, 0);
				cr_assert_gt(size, 0);
				reply.size += (size_t)size;
			} while (memcmp(reply.data + reply.size - 2, "}}", 2) != 0);
			buf_append_byte(&reply, 0);
			proofs += strstr((char *)reply.data, "\"accountProof\":[\"0x") != NULL;
			buf_clear(&reply);
			close(fds[k]);
		}
	}
	cr_expect_eq(proofs, PROOF_COUNT, "%zu", proofs);
	kill(getpid(), SIGTERM);
}

Test(daemon, answers_every_proof_while_the_writer_is_behind)
{
	struct err err = { 0 };
	struct rig r;

	rig_make(&r, ask_proofs_and_end);
	r.genesis.params.heartbeat_ms = 1;
	cr_expect_eq(rig_run(&r, &err), OK, "%s", err.message);
}

/* --- a full disk --- */

/* Whether the node says of itself that it is of no use, and why. */
static bool is_unready(const struct rig *r, const char *why)
{
	int fd = connect_to(r);
	struct buf reply = { 0 };
	ssize_t size;
	bool found;

	send_all(fd, bytes_of_str("GET /readiness HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
	do {
		buf_reserve(&reply, 4096);
		size = recv(fd, reply.data + reply.size, 4096, 0);
		reply.size += size > 0 ? (size_t)size : 0;
	} while (size > 0);
	close(fd);
	buf_append_byte(&reply, 0);
	found = strstr((char *)reply.data, why) != NULL;
	buf_clear(&reply);
	return found;
}

static void fill_and_end(struct rig *r)
{
	/* Less than the first record of the consensus log, which comes before all else. */
	const struct rlimit limit = { 500, RLIM_INFINITY };
	bool is_full = false;

	cr_assert_gt(r->port, 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 600 && !is_full; i++) { /* until a block is made whose record finds no room */
		usleep(50000);
		is_full = is_unready(r, "the disk is full");
	}
	cr_expect(is_full);
	kill(getpid(), SIGTERM);
}

Test(daemon, ends_with_a_full_disk)
{
	struct err err = { 0 };
	struct rig r;

	signal(SIGXFSZ, SIG_IGN);
	rig_make(&r, fill_and_end);
	cr_expect_eq(rig_run(&r, &err), STORE_E_WRITE);
	cr_expect(strstr(err.message, "no room for the consensus log"), "%s", err.message);
}
