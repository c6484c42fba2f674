/* A whole node on one thread: virtual time, a writer that runs when it is told to. */
#include "node/node.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "chain/certificate.h"
#include "crypto/keccak.h"
#include "node/internal.h"

#define START_MS 1700000000000ull
#define GWEI 1000000000ull
#define JOB_MAX 64

struct rig {
	struct ecc *ecc;
	struct genesis genesis;
	struct secret_key validator, alice;
	struct addr alice_address;
	struct store *store;
	struct store_report report;
	struct node *node;
	struct node_reader reader;
	struct node_head *head;
	uint64_t now_ms, wake_ms;
	struct node_job *jobs[JOB_MAX];
	size_t job_count;
	struct err stopped;
	char dir[64];                /* empty: in memory */
};

static uint64_t rig_now(void *ctx)
{
	return ((struct rig *)ctx)->now_ms;
}

static uint64_t rig_steady_us(void *ctx)
{
	return ((struct rig *)ctx)->now_ms * 1000;
}

static void rig_wake(void *ctx, uint64_t at_ms)
{
	((struct rig *)ctx)->wake_ms = at_ms;
}

static void rig_write(void *ctx, struct node_job *job)
{
	struct rig *r = ctx;

	cr_assert_lt(r->job_count, JOB_MAX);
	r->jobs[r->job_count++] = job;
}

static void rig_publish(void *ctx, struct node_head *head)
{
	struct rig *r = ctx;

	node_head_unref(r->head);
	r->head = head;
}

static void rig_stop(void *ctx, const struct err *err)
{
	((struct rig *)ctx)->stopped = *err;
}

static struct node_head *rig_acquire(void *ctx)
{
	return node_head_ref(((struct rig *)ctx)->head);
}

static struct addr address_of(const struct ecc *e, const struct secret_key *key)
{
	struct public_key public;
	struct addr out;

	cr_assert_eq(ecc_public_key(e, &public, key, NULL), OK);
	ecc_address(&out, &public);
	return out;
}

static struct wei coins(uint64_t n)
{
	struct wei w = wei_of(n * GWEI);

	wei_mul_gas(&w, w, GWEI);
	return w;
}

static void rig_open(struct rig *r)
{
	const struct store_options options = {
		.dir = r->dir[0] ? r->dir : NULL,
		.cache_size = 8 * MIB,
		.tree_memory_max = 64 * MIB,
		.history_ms = HISTORY_MS_DEFAULT,
		.seed = 1,
	};
	const struct node_io io = {
		.ctx = r, .now_ms = rig_now, .wake_at = rig_wake, .write = rig_write, .publish = rig_publish,
		.stop = rig_stop, .steady_us = rig_steady_us,
	};
	struct node_config config = {
		.genesis = &r->genesis,
		.ecc = r->ecc,
		.is_validator = true,
		.validator_key = r->validator,
		.pool = { 1000, MIB, 100, 100, r->genesis.params.base_fee_floor },
		.seed = 1,
	};
	struct err err = { 0 };

	r->stopped = (struct err){ 0 };
	cr_assert_eq(store_open(&r->store, &options, &r->genesis, &r->report, &err), OK, "%s", err.message);
	cr_assert_eq(node_new(&r->node, &config, r->store, &io, &err), OK, "%s", err.message);
}

static void rig_make(struct rig *r, bool on_disk)
{
	const uint8_t seed[32] = { 1 };
	struct validator member = { .weight = { 1 } };

	*r = (struct rig){
		.ecc = ecc_new(seed),
		.validator = { { [31] = 11 } },
		.alice = { { [31] = 12 } },
		.now_ms = START_MS,
	};
	r->reader = (struct node_reader){ rig_acquire, r, &r->genesis.params, rig_now };
	r->alice_address = address_of(r->ecc, &r->alice);
	member.address = address_of(r->ecc, &r->validator);
	genesis_default(&r->genesis, 31337, START_MS - 1000);
	genesis_fund(&r->genesis, &r->alice_address, coins(100));
	cr_assert_eq(validator_set_init(&r->genesis.validators, &member, 1, NULL), OK);
	if (on_disk) {
		struct store_options options = { .dir = r->dir, .cache_size = 8 * MIB, .seed = 1 };
		struct err err = { 0 };

		strcpy(r->dir, "/tmp/weft-test-node-XXXXXX");
		cr_assert(mkdtemp(r->dir));
		cr_assert_eq(store_create(&options, &r->genesis, &err), OK, "%s", err.message);
	}
	rig_open(r);
}

/* Frees the node as a crash would leave it: jobs that wait are lost. */
static void rig_close(struct rig *r)
{
	const struct err lost = { .code = NODE_E_STORAGE, .message = "lost" };

	for (size_t i = 0; i < r->job_count; i++)
		node_on_job_failed(r->node, r->jobs[i], &lost);
	r->job_count = 0;
	node_head_unref(r->head);
	node_reader_clear(&r->reader);
	r->head = NULL;
	node_free(r->node);
	store_close(r->store);
}

static void rig_end(struct rig *r)
{
	char command[128];

	rig_close(r);
	genesis_clear(&r->genesis);
	ecc_free(r->ecc);
	if (r->dir[0]) {
		snprintf(command, sizeof(command), "rm -rf %s", r->dir);
		cr_assert_eq(system(command), 0);
	}
}

/* The writer takes what waits, in groups, as the daemon does. */
static void write_some(struct rig *r)
{
	struct node_job *jobs[JOB_MAX];
	size_t count = r->job_count, group;
	struct err err = { 0 };

	memcpy(jobs, r->jobs, sizeof(jobs));
	r->job_count = 0;
	for (size_t done = 0; done < count; done += group) {
		group = node_jobs_group(jobs + done, count - done);
		cr_assert_gt(group, 0);
		for (size_t i = done; i < done + group; i++)
			cr_assert_eq(node_job_run(jobs[i], &err), OK, "%s", err.message);
		node_jobs_sync(jobs + done, group);
		for (size_t i = done; i < done + group; i++) {
			cr_assert_eq(node_job_finish(jobs[i], &err), OK, "%s", err.message);
			node_on_job(r->node, jobs[i]);
		}
	}
}

static void write_all(struct rig *r)
{
	for (int i = 0; r->job_count > 0; i++) {
		cr_assert_lt(i, 1000);
		write_some(r);
	}
}

static void advance(struct rig *r, uint64_t ms)
{
	r->now_ms += ms;
	if (r->wake_ms && r->wake_ms <= r->now_ms) {
		r->wake_ms = 0;
		node_on_tick(r->node);
	}
	write_all(r);
}

static struct tx *transfer(struct rig *r, uint64_t nonce, uint8_t to, uint64_t gwei)
{
	struct wei value = wei_of(gwei);
	struct tx fields = {
		.type = TX_DYNAMIC_FEE,
		.has_chain_id = true,
		.chain_id = 31337,
		.nonce = nonce,
		.gas_limit = 21000,
		.max_fee = wei_of(10 * GWEI),
		.max_priority_fee = wei_of(GWEI),
		.to = { { [0] = 0xee, [19] = to } },
	};
	struct tx *t;

	wei_mul_gas(&fields.value, value, GWEI);
	cr_assert_eq(tx_sign(&t, r->ecc, &fields, &r->alice, NULL), OK);
	cr_assert_eq(tx_recover(r->ecc, t, NULL), OK);
	return t;
}

static int submit(struct rig *r, struct tx *t, struct err *err)
{
	struct rpc_node_backend backend = node_rpc_backend(r->node);

	return backend.ops->submit(backend.ctx, t, err);
}

static void send(struct rig *r, uint64_t nonce, uint8_t to, uint64_t gwei)
{
	struct tx *t = transfer(r, nonce, to, gwei);
	struct err err = { 0 };

	cr_assert_eq(submit(r, t, &err), OK, "%s", err.message);
	tx_unref(t);
}

static uint64_t head_height(struct rig *r)
{
	struct rpc_reader_backend backend = node_reader_backend(&r->reader);
	void *snapshot = backend.ops->open(backend.ctx);
	uint64_t height = backend.ops->height(snapshot);

	backend.ops->close(snapshot);
	return height;
}

static struct rpc_account account_at(struct rig *r, uint64_t height, const struct addr *address)
{
	struct rpc_reader_backend backend = node_reader_backend(&r->reader);
	void *snapshot = backend.ops->open(backend.ctx);
	struct rpc_account out;
	struct err err = { 0 };

	cr_assert_eq(backend.ops->account(snapshot, height, address, &out, &err), OK, "%s", err.message);
	backend.ops->close(snapshot);
	return out;
}

static struct rpc_block block_at(struct rig *r, uint64_t height)
{
	struct rpc_reader_backend backend = node_reader_backend(&r->reader);
	void *snapshot = backend.ops->open(backend.ctx);
	struct rpc_block out;
	struct err err = { 0 };

	cr_assert_eq(backend.ops->block(snapshot, height, &out, &err), OK, "%s", err.message);
	backend.ops->close(snapshot);
	return out;
}

static struct hash hash_at(struct rig *r, uint64_t height)
{
	struct rpc_block block = block_at(r, height);
	struct hash hash = block.hash;

	rpc_block_clear(&block);
	return hash;
}

static const struct addr bob = { { [0] = 0xee, [19] = 1 } };

Test(node, transfer_goes_the_whole_way)
{
	struct rig r;
	struct rpc_block block;
	struct certificate certificate;
	struct wei balance = wei_of(5 * GWEI);

	rig_make(&r, false);
	cr_assert_eq(head_height(&r), 0);
	send(&r, 0, 1, 5);
	write_all(&r);
	cr_assert_eq(head_height(&r), 1);
	cr_assert_eq(wei_compare(account_at(&r, 1, &bob).balance, balance), 0);
	cr_assert_eq(account_at(&r, 1, &r.alice_address).nonce, 1);
	cr_assert_eq(account_at(&r, 0, &r.alice_address).nonce, 0, "and its history");

	block = block_at(&r, 1);
	cr_assert_eq(block.tx_count, 1);
	cr_assert_eq(certificate_decode(&certificate, buf_bytes(&block.certificate), NULL), OK);
	cr_assert(hash_equal(&certificate.block_hash, &block.hash));
	cr_assert_eq(certificate_check(&certificate, DOMAIN_COMMIT, 31337, &r.genesis.validators, r.ecc, NULL), OK);
	rpc_block_clear(&block);
	rig_end(&r);
}

Test(node, nothing_is_shown_before_it_is_written)
{
	struct rig r;

	rig_make(&r, false);
	send(&r, 0, 1, 5);
	cr_assert_eq(r.job_count, 1, "the record waits for the disk");
	cr_assert_eq(head_height(&r), 0);
	write_some(&r);
	cr_assert_eq(r.job_count, 1, "the block waits for the disk");
	cr_assert_eq(head_height(&r), 0);
	write_some(&r);
	cr_assert_eq(head_height(&r), 1);
	rig_end(&r);
}

/* From the request's arrival to the head that shows the block, of own clients' alone. */
Test(node, counts_how_long_a_transaction_took)
{
	struct buf text = { 0 };
	struct rig r;

	rig_make(&r, false);
	r.now_ms += 7;
	node_note_arrival(r.node, (r.now_ms - 2) * 1000);
	send(&r, 0, 1, 5);
	write_some(&r);
	r.now_ms += 3;
	write_all(&r);
	cr_assert_eq(head_height(&r), 1);
	node_metrics(r.node, &text);
	buf_append_byte(&text, '\0');
	cr_expect(strstr((char *)text.data, "commit_latency_seconds_bucket{le=\"0.004500\"} 0\n"));
	cr_expect(strstr((char *)text.data, "commit_latency_seconds_bucket{le=\"0.005000\"} 1\n"));
	cr_expect(strstr((char *)text.data, "commit_latency_seconds_bucket{le=\"+Inf\"} 1\n"));
	cr_expect(strstr((char *)text.data, "commit_latency_seconds_sum 0.005000\n"));
	cr_expect(strstr((char *)text.data, "commit_latency_seconds_count 1\n"));
	buf_clear(&text);
	rig_end(&r);
}

Test(node, empty_blocks_follow_and_then_the_heartbeat)
{
	struct rig r;

	rig_make(&r, false);
	send(&r, 0, 1, 5);
	write_all(&r);
	for (uint64_t i = 0; i < CONFIRMATION_COUNT; i++) {
		advance(&r, CONFIRMATION_INTERVAL_MS);
		cr_assert_eq(head_height(&r), 2 + i);
	}
	advance(&r, CONFIRMATION_INTERVAL_MS);
	cr_assert_eq(head_height(&r), 1 + CONFIRMATION_COUNT);
	advance(&r, HEARTBEAT_MS_DEFAULT);
	cr_assert_eq(head_height(&r), 2 + CONFIRMATION_COUNT);
	rig_end(&r);
}

Test(node, refuses_with_the_texts_that_clients_match)
{
	struct rig r;
	struct err err = { 0 };
	struct tx *t;

	rig_make(&r, false);
	send(&r, 0, 1, 5);
	write_all(&r);
	t = transfer(&r, 0, 2, 5);
	cr_assert_eq(submit(&r, t, &err), RPC_E_REJECTED);
	cr_assert(strstr(err.message, "nonce too low"), "%s", err.message);
	tx_unref(t);
	t = transfer(&r, 1, 2, 200 * GWEI);
	cr_assert_eq(submit(&r, t, &err), RPC_E_REJECTED);
	cr_assert(strstr(err.message, "insufficient funds"), "%s", err.message);
	tx_unref(t);
	t = transfer(&r, 1, 2, 5);
	cr_assert_eq(submit(&r, t, &err), OK);
	cr_assert_eq(submit(&r, t, &err), RPC_E_REJECTED);
	cr_assert(strstr(err.message, "already known"), "%s", err.message);
	tx_unref(t);
	rig_end(&r);
}

Test(node, waits_with_proposals_while_the_writer_lags)
{
	struct rig r;
	uint64_t nonce = 0;

	rig_make(&r, false);
	/* Records are written, commits stay: the lead grows to its bound and no further. */
	for (int round = 0; round < 40; round++) {
		struct node_job *kept[JOB_MAX];
		size_t kept_count = 0, count;
		struct node_job *jobs[JOB_MAX];

		if (nonce < 30)
			send(&r, nonce++, 1, 1);
		r.now_ms += 200;
		node_on_tick(r.node);
		count = r.job_count;
		memcpy(jobs, r.jobs, sizeof(jobs));
		r.job_count = 0;
		for (size_t i = 0; i < count; i++) {
			if (!node_job_is_early(jobs[i])) {
				kept[kept_count++] = jobs[i];
				continue;
			}
			cr_assert_eq(node_job_run(jobs[i], NULL), OK);
			node_on_job(r.node, jobs[i]);
		}
		memmove(r.jobs + kept_count, r.jobs, r.job_count * sizeof(r.jobs[0]));
		memcpy(r.jobs, kept, kept_count * sizeof(kept[0]));
		r.job_count += kept_count;
	}
	cr_assert_eq(r.job_count, 8, "as many blocks as the lead allows, not %zu", r.job_count);
	cr_assert_eq(head_height(&r), 0);
	write_all(&r);
	for (int i = 0; i < 10; i++)
		advance(&r, 200);
	cr_assert_eq(account_at(&r, head_height(&r), &r.alice_address).nonce, 30, "and then it catches up");
	rig_end(&r);
}

Test(node, proof_leads_to_the_newest_root)
{
	struct rig r;
	struct rpc_node_backend backend;
	struct rpc_account account;
	struct rpc_proof proof = { 0 };
	struct rpc_block block;
	struct bytes value;
	struct hash key;
	uint64_t height;

	rig_make(&r, false);
	send(&r, 0, 1, 5);
	write_all(&r);
	/* A candidate is under way: the proof must not show it. */
	r.now_ms += 200;
	send(&r, 1, 1, 7);
	node_on_tick(r.node);
	cr_assert_eq(r.job_count, 1);
	backend = node_rpc_backend(r.node);
	cr_assert_eq(backend.ops->prove(backend.ctx, &bob, NULL, 0, &height, &account, &proof, NULL, NULL, NULL), OK);
	cr_assert_eq(height, 1);
	cr_assert_eq(account.balance.n.limbs[0], 5 * GWEI);
	block = block_at(&r, 1);
	keccak256(&key, addr_bytes(&bob));
	cr_assert_eq(tree_proof_check(&block.header.state_root, &key, proof.nodes, proof.count, &value, NULL), OK);
	cr_assert_gt(value.size, 0);
	rpc_proof_clear(&proof);
	rpc_block_clear(&block);
	/* And the candidate is not harmed by it. */
	write_all(&r);
	cr_assert_eq(account_at(&r, 2, &bob).balance.n.limbs[0], 12 * GWEI);
	cr_assert_eq(r.stopped.code, 0, "%s", r.stopped.message);
	rig_end(&r);
}

/* A block is final and not on disk: readers see the one before, and no proof tells of another. */
Test(node, proof_waits_until_its_block_is_shown)
{
	struct rig r;
	struct rpc_node_backend backend;
	struct rpc_account account;
	struct rpc_proof proof = { 0 };
	struct err err = { 0 }, full = { .code = STORE_E_WRITE, .message = "no space left on the device" };
	struct node_job *commit;
	struct rpc_block block;
	struct bytes value;
	struct hash key;
	uint64_t height;

	rig_make(&r, false);
	backend = node_rpc_backend(r.node);
	send(&r, 0, 1, 5);
	/* The record is written, the commit is with the writer. */
	write_some(&r);
	cr_assert_eq(r.job_count, 1);
	commit = r.jobs[0];
	cr_assert_eq(commit->kind, NODE_JOB_COMMIT);
	cr_assert_eq(head_height(&r), 0);
	cr_assert_not(node_is_written(r.node));
	cr_assert_eq(backend.ops->prove(backend.ctx, &bob, NULL, 0, &height, &account, &proof, NULL, NULL, &err),
		     RPC_E_NOT_YET);
	cr_assert(strstr(err.message, "block 1 is final"), "%s", err.message);
	/* The disk is full: nobody is kept waiting for that. */
	node_on_write_stall(r.node, true, &full);
	cr_assert_eq(backend.ops->prove(backend.ctx, &bob, NULL, 0, &height, &account, &proof, NULL, NULL, NULL),
		     RPC_E_LIMIT);
	node_on_write_stall(r.node, false, NULL);
	cr_assert_eq(proof.count, 0);
	write_some(&r);
	cr_assert(node_is_written(r.node));
	cr_assert_eq(backend.ops->prove(backend.ctx, &bob, NULL, 0, &height, &account, &proof, NULL, NULL, NULL), OK);
	cr_assert_eq(height, head_height(&r));
	cr_assert_eq(account.balance.n.limbs[0], 5 * GWEI);
	block = block_at(&r, height);
	keccak256(&key, addr_bytes(&bob));
	cr_assert_eq(tree_proof_check(&block.header.state_root, &key, proof.nodes, proof.count, &value, NULL), OK);
	rpc_proof_clear(&proof);
	rpc_block_clear(&block);
	cr_assert_eq(r.stopped.code, 0, "%s", r.stopped.message);
	rig_end(&r);
}

Test(node, winds_down_with_everything_written_and_wakes_there)
{
	struct rig r;

	rig_make(&r, true);
	for (uint64_t i = 0; i < 5; i++) {
		send(&r, i, 1, 1);
		advance(&r, 200);
	}
	for (int i = 0; !node_wind_down(r.node); i++) {
		cr_assert_lt(i, 10);
		write_some(&r);
	}
	cr_assert_eq(head_height(&r), 5);
	rig_close(&r);
	rig_open(&r);
	cr_assert_eq(r.report.tip_height, 5);
	cr_assert_eq(r.report.flushed_height, 5, "the last act is a flush");
	cr_assert_eq(r.report.replayed_count, 0);
	cr_assert_eq(account_at(&r, 5, &bob).balance.n.limbs[0], 5 * GWEI);
	rig_end(&r);
}

/* Killed at every point between a transaction and its block, it wakes with what was
 * shown, and never with another block where it had signed one. */
Test(node, restart_at_every_step_keeps_its_word)
{
	struct rig r;
	struct hash signed_hash, again;

	rig_make(&r, true);
	send(&r, 0, 1, 5);
	cr_assert_eq(r.job_count, 1);
	/* The record is durable, its block is not committed. */
	cr_assert_eq(node_job_run(r.jobs[0], NULL), OK);
	node_jobs_sync(r.jobs, 1);
	rig_close(&r);
	rig_open(&r);
	cr_assert_eq(r.report.tip_height, 0);
	/* Bound to that block, it makes it again without being asked to. */
	write_all(&r);
	cr_assert_eq(r.stopped.code, 0, "%s", r.stopped.message);
	cr_assert_eq(head_height(&r), 1);
	cr_assert_eq(account_at(&r, 1, &bob).balance.n.limbs[0], 5 * GWEI, "the very block that it had signed");
	signed_hash = hash_at(&r, 1);

	/* The commit is in the log, the batch is not. */
	send(&r, 1, 1, 7);
	advance(&r, 0);
	r.now_ms += 200;
	node_on_tick(r.node);
	write_some(&r);
	cr_assert_eq(r.job_count, 1);
	cr_assert_eq(node_job_run(r.jobs[0], NULL), OK);
	node_jobs_sync(r.jobs, 1);
	rig_close(&r);
	rig_open(&r);
	cr_assert_eq(r.report.tip_height, 2);
	cr_assert_geq(r.report.replayed_count, 1);
	cr_assert_eq(account_at(&r, 2, &bob).balance.n.limbs[0], 12 * GWEI);
	again = hash_at(&r, 1);
	cr_assert(hash_equal(&again, &signed_hash));
	rig_end(&r);
}

/* A key that no validator has (yet) follows: it signs nothing and asks for no block. */
Test(node, key_outside_the_set_is_passive)
{
	struct rig r;
	struct rpc_node_backend backend;
	struct rpc_consensus_status status;

	rig_make(&r, false);
	rig_close(&r);
	r.validator = r.alice;
	rig_open(&r);
	backend = node_rpc_backend(r.node);
	for (int i = 0; i < 200; i++) {
		r.now_ms += 1000;
		node_on_tick(r.node);
		cr_assert_eq(r.job_count, 0);
	}
	backend.ops->consensus_status(backend.ctx, &status);
	cr_assert_str_eq(status.phase, "passive");
	cr_assert_eq(status.height, 1);
	cr_assert_eq(status.member_count, 1);
	rpc_consensus_status_clear(&status);
	cr_assert_eq(r.stopped.code, 0);
	rig_end(&r);
}

Test(node, full_disk_refuses_transactions_and_says_so)
{
	struct rig r;
	struct rpc_node_backend backend;
	struct rpc_consensus_status status;
	struct err full = { .code = STORE_E_WRITE, .message = "no space left on the device" }, err = { 0 };
	struct tx *t;

	rig_make(&r, false);
	backend = node_rpc_backend(r.node);
	node_on_write_stall(r.node, true, &full);
	t = transfer(&r, 0, 1, 1);
	cr_assert_eq(submit(&r, t, &err), RPC_E_LIMIT);
	cr_assert(strstr(err.message, "no space left"));
	cr_assert_str_eq(backend.ops->trouble(backend.ctx), "the disk is full");
	backend.ops->consensus_status(backend.ctx, &status);
	buf_append_byte(&status.reason, 0);
	cr_assert(strstr((const char *)status.reason.data, "disk is full"));
	rpc_consensus_status_clear(&status);
	node_on_write_stall(r.node, false, NULL);
	cr_assert_null(backend.ops->trouble(backend.ctx));
	cr_assert_eq(submit(&r, t, &err), OK);
	tx_unref(t);
	write_all(&r);
	cr_assert_eq(head_height(&r), 1);
	rig_end(&r);
}

/* Before a commit it could reach the disk first; before a flush the trim would drop it. */
Test(node, record_shares_no_sync_with_what_stands_before_it)
{
	static const struct {
		enum node_job_kind kinds[4];
		size_t count, group;
	} cases[] = {
		{ { NODE_JOB_RECORD, NODE_JOB_RECORD }, 2, 2 },
		{ { NODE_JOB_RECORD, NODE_JOB_COMMIT, NODE_JOB_COMMIT, NODE_JOB_FLUSH }, 4, 4 },
		{ { NODE_JOB_COMMIT, NODE_JOB_RECORD }, 2, 1 },
		{ { NODE_JOB_FLUSH, NODE_JOB_RECORD }, 2, 1 },
		{ { NODE_JOB_RECORD, NODE_JOB_TRIM, NODE_JOB_RECORD }, 3, 2 },
		{ { NODE_JOB_COMMIT, NODE_JOB_FLUSH, NODE_JOB_RECORD, NODE_JOB_COMMIT }, 4, 2 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct node_job jobs[4] = { 0 }, *list[4];

		for (size_t j = 0; j < 4; j++) {
			jobs[j].kind = cases[i].kinds[j];
			list[j] = &jobs[j];
		}
		cr_assert_eq(node_jobs_group(list, cases[i].count), cases[i].group, "case %zu", i);
	}
}

/* A disk that is full when the node ends, for one. */
Test(node, loses_a_flush_without_harm)
{
	struct rig r;

	rig_make(&r, true);
	advance(&r, 30000);
	write_all(&r);
	cr_assert_not(node_wind_down(r.node), "the last flush is on its way");
	cr_assert_eq(r.job_count, 1);
	rig_close(&r); /* it is never written */
	cr_expect_eq(r.stopped.code, NODE_E_STORAGE);
	rig_open(&r);
	cr_expect_eq(r.report.tip_height, 1);
	cr_expect_eq(r.report.flushed_height, 0);
	rig_end(&r);
}

/* --- calls --- */

/* Calls `to`, which is given `code`, at a height. */
static int call_code(struct rig *r, void *snapshot, uint64_t height, struct bytes code,
		     struct rpc_call_result *out, struct err *err)
{
	struct rpc_reader_backend backend = node_reader_backend(&r->reader);
	const struct account_override account = { .address = { { 0xc0 } }, .has_code = true, .code = code };
	const struct rpc_call call = { .to = account.address, .state = { &account, 1 } };

	*out = (struct rpc_call_result){ 0 };
	return backend.ops->call(snapshot, height, &call, out, err);
}

/* Code that asks the state without end: JUMPDEST, SLOAD(0), POP, and back. */
#define ENDLESS bytes_of("\x5b\x5f\x54\x50\x5f\x56", 6)

Test(node, calls_see_the_state_of_their_block)
{
	/* BALANCE of bob, plus NUMBER */
	uint8_t code[] = "\x73" "12345678901234567890" "\x31\x43\x01\x5f\x52\x60\x20\x5f\xf3";
	struct rpc_reader_backend backend;
	struct rpc_call_result out;
	struct err err = { 0 };
	void *snapshot;
	struct rig r;

	rig_make(&r, false);
	backend = node_reader_backend(&r.reader);
	memcpy(code + 1, bob.bytes, sizeof(bob.bytes));
	send(&r, 0, 1, 5);
	write_all(&r);
	r.now_ms += 200;
	send(&r, 1, 1, 5);
	node_on_tick(r.node);
	write_all(&r);
	cr_assert_eq(head_height(&r), 2);
	snapshot = backend.ops->open(backend.ctx);
	for (uint64_t height = 0; height < 3; height++) {
		cr_assert_eq(call_code(&r, snapshot, height, bytes_of(code, sizeof(code) - 1), &out, &err), OK,
			     "%s", err.message);
		cr_assert(out.success);
		cr_assert_eq(load_be64(out.output.data + 24), 5 * height * GWEI + height);
		buf_clear(&out.output);
	}
	backend.ops->close(snapshot);
	rig_end(&r);
}

Test(node, executors_wait_for_the_next_call)
{
	struct rpc_reader_backend backend;
	void *snapshots[NODE_EXEC_SPARE_MAX + 1];
	struct rpc_call_result out;
	struct exec *first;
	struct rig r;

	rig_make(&r, false);
	backend = node_reader_backend(&r.reader);
	snapshots[0] = backend.ops->open(backend.ctx);
	cr_assert_eq(call_code(&r, snapshots[0], 0, bytes_of("\x00", 1), &out, NULL), OK);
	cr_assert_null(r.reader.spares[0]);
	backend.ops->close(snapshots[0]);
	first = r.reader.spares[0];
	cr_assert_not_null(first);
	/* one more than can wait: each has its own, the first has the one that waited */
	for (size_t i = 0; i <= NODE_EXEC_SPARE_MAX; i++) {
		snapshots[i] = backend.ops->open(backend.ctx);
		cr_assert_eq(call_code(&r, snapshots[i], 0, bytes_of("\x00", 1), &out, NULL), OK);
		cr_assert_null(r.reader.spares[0]);
	}
	for (size_t i = 0; i <= NODE_EXEC_SPARE_MAX; i++)
		backend.ops->close(snapshots[i]);
	cr_assert_eq(r.reader.spares[0], first);
	for (size_t i = 0; i < NODE_EXEC_SPARE_MAX; i++)
		cr_assert_not_null(r.reader.spares[i]);
	rig_end(&r);
}

/* A millisecond each time that it is asked. */
static uint64_t rig_hurrying_ms(void *ctx)
{
	return ((struct rig *)ctx)->wake_ms++;
}

Test(node, calls_end_when_their_time_is_over)
{
	struct rpc_reader_backend backend;
	struct rpc_call_result out;
	struct err err = { 0 };
	void *snapshot;
	struct rig r;

	rig_make(&r, false);
	r.reader.steady_ms = rig_hurrying_ms;
	r.reader.call_timeout_ms = 2000;
	backend = node_reader_backend(&r.reader);
	snapshot = backend.ops->open(backend.ctx);
	cr_assert_eq(call_code(&r, snapshot, 0, ENDLESS, &out, &err), RPC_E_REJECTED);
	cr_assert_str_eq(err.message, "execution aborted (timeout = 2s)");
	r.reader.call_timeout_ms = 7;
	cr_assert_eq(call_code(&r, snapshot, 0, ENDLESS, &out, &err), RPC_E_REJECTED);
	cr_assert_str_eq(err.message, "execution aborted (timeout = 7ms)");
	/* without a limit the gas ends it; and with one, what is quick is not stopped */
	r.reader.call_timeout_ms = 0;
	r.reader.call_gas_cap = 100000;
	cr_assert_eq(call_code(&r, snapshot, 0, ENDLESS, &out, &err), OK);
	cr_assert_str_eq(out.failure, "out of gas");
	r.reader.call_timeout_ms = 7;
	cr_assert_eq(call_code(&r, snapshot, 0, bytes_of("\x00", 1), &out, &err), OK);
	cr_assert(out.success);
	backend.ops->close(snapshot);
	rig_end(&r);
}
