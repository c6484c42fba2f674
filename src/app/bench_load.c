/*
 * weft-bench load - how many transfers a node mines per second, counted from its
 * senders' nonces in final blocks: what was only accepted does not count. Of ERC-20
 * transfers the balances must agree with that in the end.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/bench.h"
#include "app/files.h"
#include "app/load_run.h"
#include "app/load_token.h"
#include "app/options.h"
#include "codec/hex.h"
#include "crypto/hd.h"

#define TARGET_MAX 2
#define MNEMONIC_SIZE_MAX 1024

struct load_flags {
	const char *url, *compare, *key_file, *mnemonic_file, *json, *name, *compare_name;
	const char *kind, *bytecode, *constructor;
	uint64_t pid, compare_pid, senders, seconds, count, rate, batch, connections, in_flight;
	uint64_t slices, type, seed, gas_price, threads, token_gas;
	struct option_list replicas;
	bool help;
};

#define AT(member) offsetof(struct load_flags, member)

static const struct option option_list[] = {
	{ "url", OPTION_TEXT, AT(url), "URL", "the node" },
	{ "name", OPTION_TEXT, AT(name), "NAME", "what to call it in the report" },
	{ "pid", OPTION_NUMBER, AT(pid), "PID", "its process, to report its CPU time", 1, 1 << 30 },
	{ "replica", OPTION_LIST, AT(replicas), "[PID@]URL",
	  "another node of its network: must have mined the same in the end; repeat for more" },
	{ "compare", OPTION_TEXT, AT(compare), "URL", "a second node, loaded in turns with the first" },
	{ "compare-name", OPTION_TEXT, AT(compare_name), "NAME", "what to call it in the report" },
	{ "compare-pid", OPTION_NUMBER, AT(compare_pid), "PID", "its process", 1, 1 << 30 },
	{ "kind", OPTION_TEXT, AT(kind), "transfer|erc20|both",
	  "plain transfers, ERC-20 transfers, or the two in turns on one node" },
	{ "bytecode", OPTION_TEXT, AT(bytecode), "FILE",
	  "the token's init code, hex or a compiler's artifact, that gives its deployer the supply; "
	  "without: one of weft-bench's own" },
	{ "constructor", OPTION_TEXT, AT(constructor), "HEX", "its constructor's arguments, encoded" },
	{ "token-gas", OPTION_NUMBER, AT(token_gas), "N", "gas limit of an ERC-20 transfer", 21000, 16000000 },
	{ "seconds", OPTION_NUMBER, AT(seconds), "N", "how long each node is loaded; 0: until --count is sent", 0, 86400 },
	{ "count", OPTION_NUMBER, AT(count), "N", "transfers to sign; 0: seconds × rate", 0, 4000000 },
	{ "rate", OPTION_NUMBER, AT(rate), "N", "transfers per second that no node here will exceed", 1, 100000 },
	{ "senders", OPTION_NUMBER, AT(senders), "N", "accounts that send", 2, 1000000 },
	{ "batch", OPTION_NUMBER, AT(batch), "N", "transfers in one post", 1, 1000 },
	{ "connections", OPTION_NUMBER, AT(connections), "N", "connections that send", 1, 1000 },
	{ "in-flight", OPTION_NUMBER, AT(in_flight), "N", "transfers sent and not mined, at most", 1, 1000000 },
	{ "slices", OPTION_NUMBER, AT(slices), "N", "turns of each node", 1, 100 },
	{ "type", OPTION_NUMBER, AT(type), "0|1|2", "transaction type", 0, 2 },
	{ "gas-price", OPTION_NUMBER, AT(gas_price), "GWEI", "per gas; 0: eight times what the node asks for", 0, 1000000 },
	{ "seed", OPTION_NUMBER, AT(seed), "N", "the senders' keys come from it", 0, UINT64_MAX },
	{ "threads", OPTION_NUMBER, AT(threads), "N", "threads that sign, before the clock starts", 1, 256 },
	{ "mnemonic-file", OPTION_TEXT, AT(mnemonic_file), "FILE", "phrase whose accounts fund the senders; without: that of --dev" },
	{ "key-file", OPTION_TEXT, AT(key_file), "FILE", "hex key of the one account that funds them" },
	{ "json", OPTION_TEXT, AT(json), "FILE", "write the figures there, too" },
	{ "help", OPTION_FLAG, AT(help), NULL, "this text" },
};

static const struct option_table table = { option_list, ARRAY_COUNT(option_list) };

static const struct load_flags defaults = {
	.url = "http://127.0.0.1:8545", .name = "node", .compare_name = "second", .senders = 1000,
	.seconds = 60, .rate = 20000, .batch = 50, .connections = 16, .in_flight = 5000, .slices = 1,
	.seed = 1, .threads = 2, .kind = "transfer", .token_gas = 60000,
};

struct load_command {
	struct load_flags flags;
	struct load_options options;
	struct secret_key key;
	struct buf mnemonic;
	struct buf init_code;                   /* the token's */
	struct load_plan plans[TARGET_MAX];
	size_t plan_count;
	struct load_target targets[TARGET_MAX]; /* two of one plan, or one of each */
	size_t target_count;
	struct load_replica replicas[TARGET_MAX][LOAD_REPLICA_MAX];
};

static void print_help(void)
{
	puts("usage: weft-bench load [options]\n\n"
	     "Signs transfers, funds their senders on the chain, sends them in batches and\n"
	     "counts what is mined from the senders' nonces in the newest block. With\n"
	     "--compare two nodes of one chain id and equal senders' nonces (fresh chains)\n"
	     "get the same transfers in turns, and the ratio is printed. With --kind both one\n"
	     "node gets ERC-20 and plain transfers in turns, and their ratio is printed; a\n"
	     "token is deployed for each run, and all balances must be right at its end. With\n"
	     "--replica the clock stops when the last of the network's nodes has everything.\n");
	options_print(stdout, &table, &defaults);
}

/* The funding key or phrase, out of a file. */
static int read_secret(struct load_command *c, struct err *err)
{
	const char *path = c->flags.key_file ? c->flags.key_file : c->flags.mnemonic_file;
	struct bytes text;
	int code;

	c->options.mnemonic = HD_DEV_MNEMONIC;
	if (!path)
		return OK;
	code = file_read(path, &c->mnemonic, MNEMONIC_SIZE_MAX, err);
	if (code != OK)
		return code;
	while (c->mnemonic.size > 0 && c->mnemonic.data[c->mnemonic.size - 1] <= ' ')
		c->mnemonic.size--;
	buf_append_byte(&c->mnemonic, '\0');
	c->options.mnemonic = (const char *)c->mnemonic.data;
	if (!c->flags.key_file)
		return OK;
	text = bytes_of_str(c->options.mnemonic);
	if (!hex_parse_fixed(c->key.bytes, sizeof(c->key.bytes), text) &&
	    !hex_decode(c->key.bytes, sizeof(c->key.bytes), text))
		return ERR_SET(err, APP_E_REFUSED, "%s holds no key of 64 hex digits", path);
	c->options.key = &c->key;
	return OK;
}

/* "[PID@]URL" each; they belong to the node at --url. */
static int read_replicas(struct load_command *c, size_t target, struct err *err)
{
	const struct option_list *list = &c->flags.replicas;

	if (list->count > LOAD_REPLICA_MAX)
		return ERR_SET(err, APP_E_USAGE, "--replica may be given at most %d times", LOAD_REPLICA_MAX);
	for (size_t i = 0; i < list->count; i++) {
		struct load_replica *r = &c->replicas[target][i];
		char *end;
		unsigned long pid = strtoul(list->items[i], &end, 10);
		bool has_pid = end > list->items[i] && *end == '@' && pid > 0 && pid < 1ul << 30;

		r->pid = has_pid ? (int)pid : 0;
		r->url = has_pid ? end + 1 : list->items[i];
	}
	c->targets[target].replicas = c->replicas[target];
	c->targets[target].replica_count = list->count;
	return OK;
}

/* What is sent where. */
static int choose_targets(struct load_command *c, struct err *err)
{
	const struct load_flags *f = &c->flags;
	bool both = strcmp(f->kind, "both") == 0, erc20 = both || strcmp(f->kind, "erc20") == 0;
	int code;

	if (!erc20 && strcmp(f->kind, "transfer") != 0)
		return ERR_SET(err, APP_E_USAGE, "--kind is transfer, erc20 or both, not \"%s\"", f->kind);
	if (both && f->compare)
		return ERR_SET(err, APP_E_USAGE, "--kind both and --compare exclude each other");
	if (!erc20 && (f->bytecode || f->constructor))
		return ERR_SET(err, APP_E_USAGE, "--bytecode and --constructor are for --kind erc20 or both");
	if (f->constructor && !f->bytecode)
		return ERR_SET(err, APP_E_USAGE, "--constructor is for a --bytecode");
	c->target_count = both || f->compare ? 2 : 1;
	c->plan_count = both ? 2 : 1;
	c->targets[0] = (struct load_target){ .name = both ? "erc20" : f->name, .url = f->url,
					      .pid = (int)f->pid, .plan = &c->plans[0] };
	c->targets[1] = both ? (struct load_target){ .name = "transfer", .url = f->url,
						     .pid = (int)f->pid, .plan = &c->plans[1] }
			     : (struct load_target){ .name = f->compare_name, .url = f->compare,
						     .pid = (int)f->compare_pid, .plan = &c->plans[0] };
	code = read_replicas(c, 0, err);
	if (code == OK && both)
		code = read_replicas(c, 1, err);
	if (code != OK || !erc20)
		return code;
	c->options.kind = LOAD_ERC20;
	c->options.token_gas = f->token_gas;
	if (f->bytecode)
		code = load_token_read(&c->init_code, f->bytecode, f->constructor, err);
	else
		erc20_init_code(&c->init_code);
	c->options.init_code = buf_bytes(&c->init_code);
	return code;
}

static int read_flags(struct load_command *c, int argc, char **argv, struct err *err)
{
	struct load_flags *f = &c->flags;
	struct options_seen seen = { 0 };
	const char *words[1];
	size_t word_count;
	int code;

	*f = defaults;
	code = options_parse_arguments(&table, f, &seen, argc, argv, words, 1, &word_count, err);
	if (code == OK && word_count > 0)
		code = ERR_SET(err, APP_E_USAGE, "load takes options only, not \"%s\"", words[0]);
	if (code != OK || f->help)
		return code;
	if (f->seconds == 0 && f->count == 0)
		return ERR_SET(err, APP_E_USAGE, "give --seconds or --count");
	if (f->key_file && f->mnemonic_file)
		return ERR_SET(err, APP_E_USAGE, "--key-file and --mnemonic-file exclude each other");
	if (f->batch > f->in_flight)
		return ERR_SET(err, APP_E_USAGE, "--in-flight must be at least --batch");
	if (f->count == 0)
		f->count = MIN(f->seconds * f->rate, 4000000);
	c->options = (struct load_options){
		.sender_count = f->senders, .batch_count = f->batch, .thread_count = f->threads,
		.transfer_count = f->count, .type = (enum tx_type)f->type, .seed = f->seed,
		.price_gwei = f->gas_price };
	code = choose_targets(c, err);
	return code == OK ? read_secret(c, err) : code;
}

static int open_replicas(struct load_target *t, struct err *err)
{
	int code = OK;

	for (size_t i = 0; code == OK && i < t->replica_count; i++) {
		code = rpc_client_open(&t->replicas[i].rpc, t->replicas[i].url, err);
		if (code != OK)
			err_prefix(err, code, "--replica");
	}
	return code;
}

/* The plans, of the same senders' numbers and keys of their own. */
static int make_plans(struct load_command *c, struct err *err)
{
	struct load_options options = c->options;
	int code = load_plan_init(&c->plans[0], &options, err);

	options.kind = LOAD_TRANSFERS;
	if (code == OK && c->plan_count > 1)
		code = load_plan_init(&c->plans[1], &options, err);
	return code;
}

static int prepare_target(struct load_command *c, size_t index, struct err *err)
{
	struct load_target *t = &c->targets[index];
	bool is_first = index == 0 || t->plan != c->targets[0].plan;
	int code = rpc_client_open(&t->rpc, t->url, err);

	if (code == OK)
		code = open_replicas(t, err);
	if (code == OK)
		code = load_plan_align(t->plan, &t->rpc, is_first, err);
	if (code == OK)
		code = load_plan_fund(t->plan, &t->rpc, err);
	if (code == OK && t->plan->options.kind == LOAD_ERC20)
		code = load_token_deploy(t->plan, &t->rpc, is_first, err);
	return code == OK ? OK : err_prefix(err, code, "%s", t->name);
}

/* Everything before the clock starts. */
static int prepare(struct load_command *c, struct err *err)
{
	int code = make_plans(c, err);

	for (size_t i = 0; code == OK && i < c->target_count; i++)
		code = prepare_target(c, i, err);
	for (size_t i = 0; code == OK && i < c->plan_count; i++)
		code = load_plan_sign(&c->plans[i], err);
	return code;
}

/* Here, and the same on every replica. */
static bool is_all_mined(const struct load_target *t)
{
	for (size_t i = 0; i < t->replica_count; i++)
		if (t->replicas[i].mined_count != t->mined_count)
			return false;
	return t->mined_count >= t->accepted_count;
}

static bool all_mined(const struct load_command *c)
{
	for (size_t i = 0; i < c->target_count; i++)
		if (!is_all_mined(&c->targets[i]))
			return false;
	return true;
}

/* The token's balances everywhere, if nothing is left that could move them. */
static int check_balances(struct load_target *t, struct err *err)
{
	int code = OK;

	if (t->plan->options.kind != LOAD_ERC20 || !is_all_mined(t))
		return OK;
	code = load_token_check(t->plan, &t->rpc, err);
	for (size_t i = 0; code == OK && i < t->replica_count; i++) {
		code = load_token_check(t->plan, &t->replicas[i].rpc, err);
		if (code != OK)
			err_prefix(err, code, "%s", t->replicas[i].url);
	}
	return code == OK ? OK : err_prefix(err, code, "%s", t->name);
}

static int measure(struct load_command *c, struct err *err)
{
	const struct load_flags *f = &c->flags;
	struct load_slice slice = { .connection_count = f->connections, .in_flight_max = f->in_flight,
				    .duration_ms = f->seconds * 1000 / f->slices };
	int code = OK;

	for (uint64_t turn = 0; code == OK && turn < f->slices; turn++)
		for (size_t i = 0; code == OK && i < c->target_count; i++) {
			code = load_run_slice(&c->targets[i], &slice, err);
			if (code != OK)
				err_prefix(err, code, "%s", c->targets[i].name);
		}
	for (size_t i = 0; code == OK && i < c->target_count; i++)
		code = check_balances(&c->targets[i], err);
	return code;
}

static double per_second(const struct load_target *t)
{
	return t->duration_us ? (double)t->mined_count * 1e6 / (double)t->duration_us : 0;
}

static double per_transfer(const struct load_target *t, uint64_t us)
{
	return t->mined_count ? (double)us / (double)t->mined_count : 0;
}

static void report_replicas(const struct load_target *t)
{
	for (size_t i = 0; i < t->replica_count; i++) {
		const struct load_replica *r = &t->replicas[i];

		printf("%s: %" PRIu64 " of %" PRIu64 " there", r->url, r->mined_count, t->mined_count);
		if (r->pid > 0)
			printf(", server's CPU %.1f us a transfer", per_transfer(t, r->server_cpu_us));
		putchar('\n');
	}
}

static void report(const struct load_command *c)
{
	for (size_t i = 0; i < c->target_count; i++) {
		const struct load_target *t = &c->targets[i];

		bool erc20 = t->plan->options.kind == LOAD_ERC20;

		printf("%s: %" PRIu64 " %stransfers of type %d by %zu senders mined in %.2f s: "
		       "%.0f per second\n", t->name, t->mined_count, erc20 ? "ERC-20 " : "",
		       (int)c->options.type,
		       c->options.sender_count, (double)t->duration_us / 1e6, per_second(t));
		printf("%s: loader's CPU %.1f us a transfer", t->name, per_transfer(t, t->own_cpu_us));
		if (t->pid > 0)
			printf(", server's CPU %.1f us a transfer", per_transfer(t, t->server_cpu_us));
		printf("; %" PRIu64 " batches sent again, %" PRIu64 " transfers accepted and not mined\n",
		       t->retry_count, t->accepted_count - MIN(t->mined_count, t->accepted_count));
		if (erc20 && is_all_mined(t))
			printf("%s: the balances of all senders are right\n", t->name);
		report_replicas(t);
	}
	if (c->target_count == 2 && per_second(&c->targets[1]) > 0)
		printf("ratio %s / %s: %.2f\n", c->targets[0].name, c->targets[1].name,
		       per_second(&c->targets[0]) / per_second(&c->targets[1]));
}

static void put_target(struct jout *j, const struct load_target *t)
{
	jout_object(j);
	jout_key(j, "name");
	jout_str(j, t->name);
	jout_key(j, "kind");
	jout_str(j, t->plan->options.kind == LOAD_ERC20 ? "erc20" : "transfer");
	jout_key(j, "mined");
	jout_unsigned(j, t->mined_count);
	jout_key(j, "accepted");
	jout_unsigned(j, t->accepted_count);
	jout_key(j, "seconds");
	jout_real(j, (double)t->duration_us / 1e6);
	jout_key(j, "perSecond");
	jout_real(j, per_second(t));
	jout_key(j, "loaderCpuUsPerTransfer");
	jout_real(j, per_transfer(t, t->own_cpu_us));
	jout_key(j, "serverCpuUsPerTransfer");
	if (t->pid > 0)
		jout_real(j, per_transfer(t, t->server_cpu_us));
	else
		jout_null(j);
	jout_key(j, "batchesSentAgain");
	jout_unsigned(j, t->retry_count);
	jout_key(j, "replicasMined");
	jout_array(j);
	for (size_t i = 0; i < t->replica_count; i++)
		jout_unsigned(j, t->replicas[i].mined_count);
	jout_array_end(j);
	jout_object_end(j);
}

static int write_json(const struct load_command *c, struct err *err)
{
	struct buf text = { 0 };
	struct jout j;
	int code;

	jout_init(&j, &text);
	jout_object(&j);
	jout_key(&j, "type");
	jout_unsigned(&j, (uint64_t)c->options.type);
	jout_key(&j, "senders");
	jout_unsigned(&j, c->options.sender_count);
	jout_key(&j, "batch");
	jout_unsigned(&j, c->options.batch_count);
	jout_key(&j, "connections");
	jout_unsigned(&j, c->flags.connections);
	jout_key(&j, "inFlight");
	jout_unsigned(&j, c->flags.in_flight);
	jout_key(&j, "targets");
	jout_array(&j);
	for (size_t i = 0; i < c->target_count; i++)
		put_target(&j, &c->targets[i]);
	jout_array_end(&j);
	jout_object_end(&j);
	buf_append_byte(&text, '\n');
	unlink(c->flags.json); /* a result of before */
	code = file_create(c->flags.json, buf_bytes(&text), err);
	buf_clear(&text);
	return code;
}

static int exit_code(int code)
{
	return code == OK ? 0 : code == APP_E_USAGE ? 2 : code == APP_E_REFUSED ? 3 : 1;
}

int bench_load(int argc, char **argv)
{
	struct load_command c = { 0 };
	struct err err = { 0 };
	int code;

	/* Progress and results meet in one file when a script collects both. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	code = read_flags(&c, argc, argv, &err);
	if (code == OK && c.flags.help) {
		print_help();
		return 0;
	}
	if (code == OK)
		code = prepare(&c, &err);
	if (code == OK)
		code = measure(&c, &err);
	if (code == OK)
		report(&c);
	if (code == OK && c.flags.json)
		code = write_json(&c, &err);
	if (code != OK)
		fprintf(stderr, "weft-bench load: %s\n", err.message);
	else if (!all_mined(&c))
		fprintf(stderr, "weft-bench load: not all accepted transfers were mined everywhere\n");
	for (size_t i = 0; i < c.target_count; i++) {
		for (size_t j = 0; j < c.targets[i].replica_count; j++)
			rpc_client_close(&c.replicas[i][j].rpc);
		rpc_client_close(&c.targets[i].rpc);
	}
	for (size_t i = 0; i < c.plan_count; i++)
		load_plan_clear(&c.plans[i]);
	buf_clear(&c.init_code);
	buf_clear(&c.mnemonic);
	crypto_wipe(&c.key, sizeof(c.key));
	return code == OK && !all_mined(&c) ? 1 : exit_code(code);
}
