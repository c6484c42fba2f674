#include "app/load_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "codec/hex.h"
#include "io/clock.h"

#define SAMPLE_COUNT 25            /* senders whose nonces stand for all while running */
#define SAMPLE_US 10000
#define RETRY_US 20000             /* after a full pool */
#define STALL_US 15000000ull       /* without progress: the rest is stranded */
#define RUN_MARGIN_MS 600000

/* A batch whose transfers did not all get in, and when it is sent again. */
struct retry {
	struct load_batch *batch;
	uint64_t due_us;
};

struct run {
	const struct load_plan *plan;
	struct load_target *target;
	const struct load_slice *slice;
	struct load_batch **under_way; /* of each connection */
	struct retry *retries;         /* a ring of connection_count + in_flight batches */
	size_t retry_capacity, retry_head, retry_count;
	size_t sample_step, sample_count;
	uint64_t start_us, send_end_us, sampled_us;
	uint64_t sent_count;           /* transfers of batches that are accepted or on their way */
	/* What the sampled senders have mined: before the slice, and at the newest look. */
	uint64_t first_sum, newest_sum, progress_us;
	size_t senders_active;
	bool failed;
	struct err *err;
};

static void fail(struct run *r, const char *text, struct bytes detail)
{
	if (!r->failed)
		ERR_SET(r->err, RPC_CLIENT_E_REFUSED, "%s: %.*s", text, (int)MIN(detail.size, 160),
			detail.size ? (const char *)detail.data : "");
	r->failed = true;
}

/* --- what the senders do --- */

static bool sending_is_over(const struct run *r)
{
	return r->failed || (r->slice->duration_ms > 0 && io_monotonic_us() >= r->send_end_us);
}

static bool has_room(const struct run *r)
{
	uint64_t mined = (r->newest_sum - r->first_sum) * r->plan->options.sender_count /
			 r->sample_count;
	uint64_t in_flight = r->sent_count - MIN(mined, r->sent_count);

	return in_flight + r->plan->options.batch_count <= r->slice->in_flight_max;
}

static enum http_load_next next_batch(struct run *r, size_t connection, struct buf *body)
{
	struct load_target *t = r->target;
	struct load_batch *b = NULL;

	if (r->retry_count > 0 && io_monotonic_us() >= r->retries[r->retry_head].due_us) {
		b = r->retries[r->retry_head].batch;
		r->retry_head = (r->retry_head + 1) % r->retry_capacity;
		r->retry_count--;
	} else if (r->failed) {
		return HTTP_LOAD_END;
	} else if (!sending_is_over(r) && t->next_batch < r->plan->batch_count) {
		if (!has_room(r))
			return HTTP_LOAD_WAIT;
		b = &r->plan->batches[t->next_batch++];
		r->sent_count += b->count;
	} else if (r->retry_count > 0) {
		return HTTP_LOAD_WAIT;
	} else {
		r->senders_active--;
		return HTTP_LOAD_END;
	}
	r->under_way[connection] = b;
	buf_append_bytes(body, buf_bytes(&b->body));
	return HTTP_LOAD_SEND;
}

/* What one refused transfer means: in already (true), later (retry), or never. */
static bool judge(struct run *r, struct bytes message, bool *retry)
{
	static const char *const in[] = { "already known", "already imported", "nonce too low" };
	static const char *const later[] = { "pool", "full", "limit", "capacity", "queue", "busy",
					     "nonce too high", "too many", "try again" };

	for (size_t i = 0; i < ARRAY_COUNT(in); i++)
		if (memmem(message.data, message.size, in[i], strlen(in[i])))
			return true;
	for (size_t i = 0; i < ARRAY_COUNT(later); i++) {
		if (memmem(message.data, message.size, later[i], strlen(later[i]))) {
			*retry = true;
			return true;
		}
	}
	fail(r, "a transfer is refused", message);
	return false;
}

static void retry_later(struct run *r, struct load_batch *b)
{
	struct retry *slot;

	CHECK(r->retry_count < r->retry_capacity);
	slot = &r->retries[(r->retry_head + r->retry_count++) % r->retry_capacity];
	*slot = (struct retry){ b, io_monotonic_us() + RETRY_US };
	r->target->retry_count++;
}

static void take_reply(struct run *r, size_t connection, int status, struct bytes reply)
{
	struct load_batch *b = r->under_way[connection];
	struct jval *root;
	bool retry = false;

	/* The common case, without parsing. */
	if (status == 200 && !memmem(reply.data, reply.size, "\"error\"", 7))
		return;
	if (status == 503 || status == 429) {
		retry_later(r, b);
		return;
	}
	if (jval_parse(&root, reply, NULL) != OK) {
		fail(r, "the answer to a batch is not JSON", reply);
		return;
	}
	if (jval_kind(root) != JVAL_ARRAY)
		fail(r, "a batch is refused", jval_string(jval_get(jval_get(root, "error"), "message")));
	for (size_t i = 0; i < jval_count(root) && !r->failed; i++) {
		const struct jval *error = jval_get(jval_at(root, i), "error");

		if (jval_kind(error) == JVAL_OBJECT &&
		    !judge(r, jval_string(jval_get(error, "message")), &retry))
			break;
	}
	jval_free(root);
	if (retry && !r->failed)
		retry_later(r, b);
}

/* --- what the watcher does --- */

/* How many transfers the sampled senders have in the batches sent so far. */
static uint64_t sample_goal(const struct run *r)
{
	uint64_t senders = r->plan->options.sender_count, goal = 0;
	uint64_t sent = MIN((uint64_t)r->target->next_batch * r->plan->options.batch_count,
			    r->plan->options.transfer_count);

	for (uint64_t i = 0; i < r->sample_count; i++) {
		uint64_t index = i * r->sample_step;

		goal += sent / senders + (index < sent % senders);
	}
	return goal;
}

static enum http_load_next next_sample(struct run *r, struct buf *body)
{
	uint64_t now_us = io_monotonic_us();
	bool all_mined = r->senders_active == 0 && r->newest_sum >= sample_goal(r);

	if (r->failed || (r->senders_active == 0 &&
			  (all_mined || now_us - r->progress_us > STALL_US)))
		return HTTP_LOAD_END;
	if (now_us - r->sampled_us < SAMPLE_US)
		return HTTP_LOAD_WAIT;
	r->sampled_us = now_us;
	load_plan_nonce_query(r->plan, body, 0, r->sample_step, r->sample_count);
	return HTTP_LOAD_SEND;
}

static void take_sample(struct run *r, int status, struct bytes reply)
{
	struct jval *root;
	uint64_t sum = 0;

	if (status == 503 || status == 429)
		return;
	if (jval_parse(&root, reply, NULL) != OK) {
		fail(r, "the answer about nonces is not JSON", reply);
		return;
	}
	if (!load_plan_nonce_sum(r->plan, root, &sum))
		fail(r, "eth_getTransactionCount fails", reply);
	jval_free(root);
	if (sum <= r->newest_sum)
		return;
	r->progress_us = io_monotonic_us();
	r->newest_sum = sum;
}

/* --- a slice --- */

static enum http_load_next on_next(void *ctx, size_t connection, struct buf *body)
{
	struct run *r = ctx;

	return connection == 0 ? next_sample(r, body) : next_batch(r, connection, body);
}

static void on_done(void *ctx, size_t connection, int status, struct bytes reply)
{
	struct run *r = ctx;

	if (connection == 0)
		take_sample(r, status, reply);
	else
		take_reply(r, connection, status, reply);
}

/* User and system time of all threads of `pid`, microseconds; 0 if it can't be read. */
static uint64_t process_cpu_us(int pid)
{
	unsigned long long user, system;
	char path[64], text[1024];
	uint64_t us = 0;
	const char *at;
	size_t got;
	FILE *f;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	got = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[got] = '\0';
	/* The name in parentheses may hold anything: the fields begin behind the last. */
	at = strrchr(text, ')');
	if (at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
			 &system) == 2)
		us = (user + system) * (1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
	return us;
}

/* All senders' nonces at `rpc`, until everything accepted is there or nothing moves. */
static int count_rest(struct run *r, const char *name, struct rpc_client *rpc, uint64_t before, uint64_t *mined,
		      uint64_t *end_us)
{
	uint64_t last = 0, now_us;
	int code;

	*end_us = io_monotonic_us();
	for (;;) {
		code = load_plan_count_mined(r->plan, rpc, mined, r->err);
		if (code != OK)
			return code;
		*mined -= before;
		now_us = io_monotonic_us();
		if (*mined != last)
			*end_us = now_us;
		if (*mined >= r->sent_count)
			return OK;
		last = *mined;
		if (now_us - *end_us > STALL_US) {
			fprintf(stderr, "%s: %" PRIu64 " accepted transfers are not mined\n", name,
				r->sent_count - *mined);
			return OK;
		}
		usleep(SAMPLE_US);
	}
}

/* Where the replicas stand before the slice. */
static int replicas_before(struct run *r)
{
	struct load_target *t = r->target;
	int code = OK;

	for (size_t i = 0; code == OK && i < t->replica_count; i++) {
		struct load_replica *other = &t->replicas[i];

		code = load_plan_count_mined(r->plan, &other->rpc, &other->before_count, r->err);
		other->before_us = process_cpu_us(other->pid);
		if (code != OK)
			err_prefix(r->err, code, "%s", other->url);
	}
	return code;
}

static int replicas_after(struct run *r, uint64_t *end_us)
{
	struct load_target *t = r->target;
	uint64_t mined, at_us;
	int code = OK;

	for (size_t i = 0; code == OK && i < t->replica_count; i++) {
		struct load_replica *other = &t->replicas[i];

		code = count_rest(r, other->url, &other->rpc, other->before_count, &mined, &at_us);
		if (code != OK)
			return err_prefix(r->err, code, "%s", other->url);
		other->mined_count += mined;
		*end_us = MAX(*end_us, at_us);
	}
	for (size_t i = 0; i < t->replica_count; i++)
		t->replicas[i].server_cpu_us += process_cpu_us(t->replicas[i].pid) - t->replicas[i].before_us;
	return code;
}

static void prepare(struct run *r)
{
	const struct load_slice *s = r->slice;
	size_t senders = r->plan->options.sender_count;

	r->sample_count = MIN(SAMPLE_COUNT, senders);
	r->sample_step = senders / r->sample_count;
	r->retry_capacity = s->connection_count + s->in_flight_max / r->plan->options.batch_count + 1;
	r->retries = xcalloc(r->retry_capacity, sizeof(*r->retries));
	r->under_way = xcalloc(s->connection_count + 1, sizeof(struct load_batch *));
	r->senders_active = s->connection_count;
}

/* Where the sample stands before the slice. */
static int first_sample(struct run *r)
{
	const struct jval *replies;
	struct buf query = { 0 };
	uint64_t sum;
	int code;

	load_plan_nonce_query(r->plan, &query, 0, r->sample_step, r->sample_count);
	code = rpc_client_batch(&r->target->rpc, buf_bytes(&query), r->sample_count, &replies, r->err);
	buf_clear(&query);
	if (code != OK)
		return code;
	if (!load_plan_nonce_sum(r->plan, replies, &sum))
		return ERR_SET(r->err, RPC_CLIENT_E_REPLY, "eth_getTransactionCount gives no nonces");
	r->first_sum = r->newest_sum = sum;
	return OK;
}

static int measure(struct run *r, uint64_t before)
{
	struct load_target *t = r->target;
	uint64_t own_us = io_cpu_us(), server_us = process_cpu_us(t->pid), mined, end_us;
	struct http_load load = { .url = t->url, .connection_count = r->slice->connection_count + 1,
				  .timeout_ms = r->slice->duration_ms + RUN_MARGIN_MS, .ctx = r,
				  .next = on_next, .done = on_done };
	int code;

	r->start_us = r->progress_us = io_monotonic_us();
	r->send_end_us = r->start_us + r->slice->duration_ms * 1000;
	code = http_load_run(&load, r->err);
	if (code == OK && r->failed)
		code = RPC_CLIENT_E_REFUSED;
	if (code == OK)
		code = count_rest(r, t->name, &t->rpc, before, &mined, &end_us);
	if (code == OK)
		code = replicas_after(r, &end_us);
	if (code != OK)
		return code;
	t->mined_count += mined;
	t->accepted_count += r->sent_count;
	t->duration_us += end_us - r->start_us;
	t->own_cpu_us += io_cpu_us() - own_us;
	t->server_cpu_us += process_cpu_us(t->pid) - server_us;
	fprintf(stderr, "%s: %" PRIu64 " mined in %.2f s: %.0f per second\n", t->name, mined,
		(double)(end_us - r->start_us) / 1e6,
		(double)mined * 1e6 / (double)(end_us - r->start_us));
	return OK;
}

int load_run_slice(struct load_target *t, const struct load_slice *slice, struct err *err)
{
	struct run r = { .plan = t->plan, .target = t, .slice = slice, .err = err };
	uint64_t before;
	int code;

	prepare(&r);
	code = load_plan_count_mined(t->plan, &t->rpc, &before, err);
	if (code == OK)
		code = replicas_before(&r);
	if (code == OK)
		code = first_sample(&r);
	if (code == OK)
		code = measure(&r, before);
	free(r.retries);
	free(r.under_way);
	return code;
}
