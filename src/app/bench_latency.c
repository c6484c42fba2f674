/*
 * weft-bench latency - how long after eth_sendRawTransaction an idle node shows the
 * receipt, polled for on the same connection; and how long a small synced write takes
 * beside it. The node's own figure, without what polling adds, is the metric
 * weftd_commit_latency_seconds.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/bench.h"
#include "app/files.h"
#include "app/load_plan.h"
#include "app/options.h"
#include "base/check.h"
#include "codec/hex.h"
#include "crypto/hd.h"
#include "io/clock.h"

#define SYNC_COUNT 200
#define SYNC_SIZE 512
#define PATIENCE_US 30000000ull
#define KEY_SIZE_MAX 128

struct latency_flags {
	const char *url, *key_file, *dir;
	uint64_t count, pause_ms, poll_us, seed;
	bool help;
};

#define AT(member) offsetof(struct latency_flags, member)

static const struct option option_list[] = {
	{ "url", OPTION_TEXT, AT(url), "URL", "the node" },
	{ "count", OPTION_NUMBER, AT(count), "N", "transfers, one after the other", 1, 100000 },
	{ "pause-ms", OPTION_NUMBER, AT(pause_ms), "MS", "from a receipt to the next transfer", 0, 60000 },
	{ "poll-us", OPTION_NUMBER, AT(poll_us), "US", "between two looks for the receipt; 0: one after the other, which "
	  "takes a core from the nodes", 0, 1000000 },
	{ "key-file", OPTION_TEXT, AT(key_file), "FILE", "hex key of the account that pays; without: that of --dev" },
	{ "dir", OPTION_TEXT, AT(dir), "DIR", "where a synced write is measured" },
	{ "seed", OPTION_NUMBER, AT(seed), "N", "the senders' keys come from it", 0, UINT64_MAX },
	{ "help", OPTION_FLAG, AT(help), NULL, "this text" },
};

static const struct option_table table = { option_list, ARRAY_COUNT(option_list) };

static const struct latency_flags defaults = {
	.url = "http://127.0.0.1:8545", .count = 500, .pause_ms = 200, .poll_us = 200, .dir = ".", .seed = 1,
};

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of samples that are sorted here; the last one for 100. */
static double percentile_ms(uint64_t *samples, size_t count, size_t percent)
{
	qsort(samples, count, sizeof(samples[0]), compare);
	return (double)samples[MIN(count * percent / 100, count - 1)] / 1000;
}

static int read_key(struct secret_key *out, const char *path, struct err *err)
{
	struct buf text = { 0 };
	int code = file_read(path, &text, KEY_SIZE_MAX, err);

	while (code == OK && text.size > 0 && text.data[text.size - 1] <= ' ')
		text.size--;
	if (code == OK && !hex_parse_fixed(out->bytes, sizeof(out->bytes), buf_bytes(&text)) &&
	    !hex_decode(out->bytes, sizeof(out->bytes), buf_bytes(&text)))
		code = ERR_SET(err, APP_E_REFUSED, "%s holds no key of 64 hex digits", path);
	if (text.data)
		crypto_wipe(text.data, text.capacity);
	buf_clear(&text);
	return code;
}

/* Sends one transfer and asks for its receipt until it is there. */
static int time_one(struct rpc_client *c, const struct load_batch *b, uint64_t poll_us, uint64_t *us, uint64_t *polls,
		    struct err *err)
{
	const struct jval *replies, *receipt;
	struct bytes hash;
	struct buf params = { 0 };
	uint64_t start_us = io_monotonic_us();
	int code = rpc_client_batch(c, buf_bytes(&b->body), b->count, &replies, err);

	if (code != OK)
		return code;
	hash = jval_string(jval_get(jval_at(replies, 0), "result"));
	if (hash.size != HEX_HASH_SIZE - 1) {
		struct bytes why = jval_string(jval_get(jval_get(jval_at(replies, 0), "error"), "message"));

		return ERR_SET(err, RPC_CLIENT_E_REFUSED, "a transfer is refused: %.*s", (int)MIN(why.size, (size_t)160),
			       why.size ? (const char *)why.data : "");
	}
	buf_printf(&params, "[\"%.*s\"]", (int)hash.size, (const char *)hash.data);
	for (;;) {
		if (poll_us)
			usleep((useconds_t)poll_us);
		code = rpc_client_call(c, "eth_getTransactionReceipt", buf_bytes(&params), &receipt, err);
		*us = io_monotonic_us() - start_us;
		(*polls)++;
		if (code != OK || jval_kind(receipt) == JVAL_OBJECT)
			break;
		if (*us > PATIENCE_US) {
			code = ERR_SET(err, RPC_CLIENT_E_REPLY, "no receipt after %llu s", PATIENCE_US / 1000000);
			break;
		}
	}
	buf_clear(&params);
	return code;
}

/* What the logs of a node do: append and fdatasync. */
static int time_syncs(const char *dir, uint64_t us[SYNC_COUNT], struct err *err)
{
	char *path = file_join(dir, "weft-bench-sync");
	const uint8_t bytes[SYNC_SIZE] = { 0 };
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0600), code = OK;

	for (size_t i = 0; fd >= 0 && i < SYNC_COUNT; i++) {
		uint64_t start_us = io_monotonic_us();

		if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes) || fdatasync(fd) != 0) {
			code = ERR_SET(err, APP_E_FILE, "%s can't be written", path);
			break;
		}
		us[i] = io_monotonic_us() - start_us;
	}
	if (fd < 0) {
		code = ERR_SET(err, APP_E_FILE, "%s can't be made", path);
	} else {
		close(fd);
		unlink(path);
	}
	free(path);
	return code;
}

static int measure(const struct latency_flags *f, const struct load_plan *plan, struct rpc_client *c, struct err *err)
{
	uint64_t *us = xcalloc(plan->batch_count, sizeof(us[0])), syncs[SYNC_COUNT], polls = 0;
	size_t count = plan->batch_count;
	int code = time_syncs(f->dir, syncs, err);

	for (size_t i = 0; code == OK && i < count; i++) {
		usleep((useconds_t)(f->pause_ms * 1000));
		code = time_one(c, &plan->batches[i], f->poll_us, &us[i], &polls, err);
	}
	if (code == OK) {
		printf("latency: %zu transfers, %" PRIu64 " ms apart, from eth_sendRawTransaction to a receipt: "
		       "p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, worst %.2f ms\n", count, f->pause_ms,
		       percentile_ms(us, count, 50), percentile_ms(us, count, 90), percentile_ms(us, count, 99),
		       percentile_ms(us, count, 100));
		printf("latency: polled by eth_getTransactionReceipt on one connection, %" PRIu64 " us apart, "
		       "%.1f polls a transfer\n", f->poll_us, (double)polls / (double)count);
		printf("latency: append of %d bytes and fdatasync, %d times: p50 %.2f ms, p99 %.2f ms\n", SYNC_SIZE,
		       SYNC_COUNT, percentile_ms(syncs, SYNC_COUNT, 50), percentile_ms(syncs, SYNC_COUNT, 99));
	}
	free(us);
	return code;
}

int bench_latency(int argc, char **argv)
{
	struct latency_flags f = defaults;
	struct load_options options;
	struct options_seen seen = { 0 };
	struct load_plan plan = { 0 };
	struct rpc_client c = { 0 };
	struct secret_key key;
	const char *words[1];
	size_t word_count;
	struct err err = { 0 };
	int code = options_parse_arguments(&table, &f, &seen, argc, argv, words, 1, &word_count, &err);

	if (code == OK && word_count > 0)
		code = ERR_SET(&err, APP_E_USAGE, "latency takes options only, not \"%s\"", words[0]);
	if (code == OK && f.help) {
		puts("usage: weft-bench latency [options]\n\n"
		     "Sends transfers one by one to an idle node and waits for each one's receipt.\n");
		options_print(stdout, &table, &defaults);
		return BENCH_EXIT_OK;
	}
	options = (struct load_options){ .sender_count = 2, .batch_count = 1, .thread_count = 1,
					 .transfer_count = f.count, .seed = f.seed, .mnemonic = HD_DEV_MNEMONIC };
	if (code == OK && f.key_file) {
		code = read_key(&key, f.key_file, &err);
		options.key = &key;
	}
	if (code == OK)
		code = load_plan_init(&plan, &options, &err);
	if (code == OK)
		code = rpc_client_open(&c, f.url, &err);
	if (code == OK)
		code = load_plan_align(&plan, &c, true, &err);
	if (code == OK)
		code = load_plan_fund(&plan, &c, &err);
	if (code == OK)
		code = load_plan_sign(&plan, &err);
	if (code == OK)
		code = measure(&f, &plan, &c, &err);
	if (code != OK)
		fprintf(stderr, "weft-bench latency: %s\n", err.message);
	rpc_client_close(&c);
	load_plan_clear(&plan);
	crypto_wipe(&key, sizeof(key));
	return code == OK ? BENCH_EXIT_OK : code == APP_E_USAGE ? BENCH_EXIT_USAGE : BENCH_EXIT_FAILURE;
}
