/*
 * weftd - the node. `weftd init` makes a data directory, `weftd` runs the chain in
 * it, `weftd --dev` runs a chain of its own for development.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/daemon.h"
#include "app/files.h"
#include "app/options.h"
#include "app/password.h"
#include "app/peers.h"
#include "base/check.h"
#include "codec/hex.h"
#include "crypto/hd.h"
#include "io/clock.h"
#include "io/signal.h"
#include "keystore/keystore.h"
#include "store/columns.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define EXIT_REFUSED 3

#define HTTP_GRACE_MS 2000
#define FILES_RESERVED 64 /* for database, logs, key, threads' wake-ups */
#define DEV_CHAIN_ID 31337
#define DEV_ACCOUNT_COUNT 10
#define DEV_ACCOUNT_COINS 10000
#define DEV_HEARTBEAT_MS 2000
#define DEV_VALIDATOR_PATH "m/44'/60'/1'/0/0"

struct weftd_options {
	bool help, version, dev, archive;
	const char *config, *datadir, *genesis, *keystore, *validator, *password_file, *log_level;
	const char *http_addr, *http_hosts, *http_origins;
	uint64_t http_port, http_connections, rpc_body_size, rpc_batch_count, rpc_reply_size, rpc_workers;
	uint64_t rpc_log_count, rpc_log_block_count;
	uint64_t rpc_gas_cap, rpc_evm_timeout;
	uint64_t cache_mb, trie_mb, history_s, pool_count, pool_mb, pool_sender_count;
	const char *p2p_addr;
	uint64_t p2p_port, p2p_sessions;
	bool p2p_open, allow_unprotected, no_deployer;
	struct option_list peers, p2p_allow;
	uint64_t chain_id, epoch_length, epoch_ms;
	struct option_list new_validators, funds;
};

#define MEMBER(m) offsetof(struct weftd_options, m)

static const struct option run_options[] = {
	{ "help", OPTION_FLAG, MEMBER(help), NULL, "this text", .only_command_line = true },
	{ "version", OPTION_FLAG, MEMBER(version), NULL, "the versions of release, protocol and database",
	  .only_command_line = true },
	{ "config", OPTION_TEXT, MEMBER(config), "FILE", "INI file with these options, without the dashes",
	  .only_command_line = true },
	{ "datadir", OPTION_TEXT, MEMBER(datadir), "DIR", "chain, keystore and genesis (default ~/.weft)" },
	{ "dev", OPTION_FLAG, MEMBER(dev), NULL,
	  "a chain of one validator with funded accounts; in memory unless --datadir is given" },
	{ "no-deployer", OPTION_FLAG, MEMBER(no_deployer), NULL, "a new --dev chain lacks the deterministic deployer (CREATE2)" },
	{ "validator", OPTION_TEXT, MEMBER(validator), "ADDRESS", "make blocks with this key of the keystore" },
	{ "keystore", OPTION_TEXT, MEMBER(keystore), "DIR", "where keys are (default DATADIR/keystore)" },
	{ "password-file", OPTION_TEXT, MEMBER(password_file), "FILE",
	  "the key's password (default WEFT_PASSWORD, or a prompt)" },
	{ "http-addr", OPTION_TEXT, MEMBER(http_addr), "ADDRESS", "where JSON-RPC listens" },
	{ "http-port", OPTION_NUMBER, MEMBER(http_port), "PORT", "its port; 0 takes any free one", 0, 65535 },
	{ "http-hosts", OPTION_TEXT, MEMBER(http_hosts), "NAMES",
	  "Host names that are served beside localhost and addresses; * for all" },
	{ "http-origins", OPTION_TEXT, MEMBER(http_origins), "ORIGINS", "web pages that may ask; * for all" },
	{ "http-connections", OPTION_NUMBER, MEMBER(http_connections), "N", "connections at a time", 1, 10000 },
	{ "rpc-workers", OPTION_NUMBER, MEMBER(rpc_workers), "N", "threads that answer; 0: one a core", 0, 256 },
	{ "rpc-body-size", OPTION_NUMBER, MEMBER(rpc_body_size), "BYTES", "largest request",
	  4096, 1ull << 30 },
	{ "rpc-batch-count", OPTION_NUMBER, MEMBER(rpc_batch_count), "N", "calls in one batch", 1, 100000 },
	{ "rpc-reply-size", OPTION_NUMBER, MEMBER(rpc_reply_size), "BYTES", "largest reply", 4096, 1ull << 32 },
	{ "rpc-log-count", OPTION_NUMBER, MEMBER(rpc_log_count), "N", "logs that one eth_getLogs gives", 1, 10000000 },
	{ "rpc-log-block-count", OPTION_NUMBER, MEMBER(rpc_log_block_count), "N",
	  "blocks that eth_getLogs reads when it names no address and no topic", 1, 1ull << 40 },
	{ "rpc-gas-cap", OPTION_NUMBER, MEMBER(rpc_gas_cap), "GAS", "most gas of eth_call and its like",
	  21000, 10000000000ull },
	{ "rpc-evm-timeout", OPTION_NUMBER, MEMBER(rpc_evm_timeout), "SECONDS",
	  "most time of eth_call and its like; 0: any", 0, 3600 },
	{ "allow-unprotected", OPTION_FLAG, MEMBER(allow_unprotected), NULL,
	  "take transactions from before EIP-155, which any chain could replay; not needed for the deterministic "
	  "deployer: genesis has it" },
	{ "p2p-addr", OPTION_TEXT, MEMBER(p2p_addr), "ADDRESS", "where other nodes connect" },
	{ "p2p-port", OPTION_NUMBER, MEMBER(p2p_port), "PORT", "its port; 0: no peers (so with --dev unless given)",
	  0, 65535 },
	{ "peer", OPTION_LIST, MEMBER(peers), "ADDRESS@HOST:PORT", "a node to stay connected with; repeat for more" },
	{ "p2p-allow", OPTION_LIST, MEMBER(p2p_allow), "ADDRESS",
	  "a node that may connect besides validators and --peer" },
	{ "p2p-open", OPTION_FLAG, MEMBER(p2p_open), NULL, "any node of this chain may connect" },
	{ "p2p-sessions", OPTION_NUMBER, MEMBER(p2p_sessions), "N", "connected nodes at a time",
	  1, LIMIT_P2P_SESSION_COUNT },
	{ "pool-count", OPTION_NUMBER, MEMBER(pool_count), "N", "transactions that may wait", 16, 1ull << 24 },
	{ "pool-mb", OPTION_NUMBER, MEMBER(pool_mb), "MIB", "their size", 1, 1ull << 16 },
	{ "pool-sender-count", OPTION_NUMBER, MEMBER(pool_sender_count), "N", "of one sender", 1, 1ull << 20 },
	{ "cache-mb", OPTION_NUMBER, MEMBER(cache_mb), "MIB", "database cache", 8, 1ull << 20 },
	{ "trie-mb", OPTION_NUMBER, MEMBER(trie_mb), "MIB", "trie nodes kept in memory", 16, 1ull << 20 },
	{ "history-s", OPTION_NUMBER, MEMBER(history_s), "SECONDS", "how far back state can be asked for",
	  0, 1ull << 40 },
	{ "archive", OPTION_FLAG, MEMBER(archive), NULL, "keep all history" },
	{ "log-level", OPTION_TEXT, MEMBER(log_level), "LEVEL", "error, warn, info or debug" },
};

static const struct option init_options[] = {
	{ "help", OPTION_FLAG, MEMBER(help), NULL, "this text", .only_command_line = true },
	{ "datadir", OPTION_TEXT, MEMBER(datadir), "DIR", "the directory to make (default ~/.weft)" },
	{ "genesis", OPTION_TEXT, MEMBER(genesis), "FILE", "a geth-style genesis file; or make one from:" },
	{ "chain-id", OPTION_NUMBER, MEMBER(chain_id), "N", "the new chain's id", 1, CHAIN_ID_MAX },
	{ "new-validator", OPTION_LIST, MEMBER(new_validators), "ADDRESS[:WEIGHT]", "a validator; repeat for more" },
	{ "fund", OPTION_LIST, MEMBER(funds), "ADDRESS=COINS", "an account with whole coins; repeat for more" },
	{ "epoch-length", OPTION_NUMBER, MEMBER(epoch_length), "N", "blocks after which a voted set of validators rules",
	  1, EPOCH_LENGTH_MAX },
	{ "epoch-ms", OPTION_NUMBER, MEMBER(epoch_ms), "MS", "and the time after which it does; 0: never", 0,
	  EPOCH_MS_MAX },
	{ "no-deployer", OPTION_FLAG, MEMBER(no_deployer), NULL,
	  "leave out the deterministic deployer 0x4e59b44847b379578588920ca78fbf26c0b4956c (CREATE2)" },
};

static const struct option_table run_table = { run_options, ARRAY_COUNT(run_options) };
static const struct option_table init_table = { init_options, ARRAY_COUNT(init_options) };

static struct weftd_options default_options(void)
{
	return (struct weftd_options){
		.epoch_length = EPOCH_LENGTH_DEFAULT,
		.epoch_ms = EPOCH_MS_DEFAULT,
		.log_level = "info",
		.http_addr = "127.0.0.1",
		.http_port = 8545,
		.http_connections = LIMIT_RPC_CONNECTION_COUNT,
		.rpc_body_size = LIMIT_RPC_BODY_SIZE,
		.rpc_batch_count = LIMIT_RPC_BATCH_COUNT,
		.rpc_reply_size = LIMIT_RPC_REPLY_SIZE,
		.rpc_log_count = LIMIT_RPC_LOG_COUNT,
		.rpc_log_block_count = LIMIT_RPC_LOG_BLOCK_COUNT,
		.rpc_gas_cap = LIMIT_RPC_GAS_CAP,
		.rpc_evm_timeout = LIMIT_RPC_EVM_TIMEOUT_MS / 1000,
		.pool_count = LIMIT_POOL_COUNT,
		.pool_mb = LIMIT_POOL_SIZE / MIB,
		.pool_sender_count = LIMIT_POOL_SENDER_COUNT,
		.cache_mb = 64,
		.trie_mb = LIMIT_TRIE_NODE_SIZE / MIB,
		.history_s = HISTORY_MS_DEFAULT / 1000,
		.p2p_addr = "127.0.0.1",
		.p2p_port = 30900,
		.p2p_sessions = 64,
	};
}

static void print_help(FILE *out)
{
	struct weftd_options defaults = default_options();

	defaults.chain_id = DEV_CHAIN_ID; /* 0 there: not given */
	fputs("Usage: weftd [OPTION]...          run the chain in the data directory\n"
	      "       weftd --dev [OPTION]...    run a development chain of its own\n"
	      "       weftd init [OPTION]...     make a data directory\n\n"
	      "Running:\n",
	      out);
	options_print(out, &run_table, &defaults);
	fputs("\ninit:\n", out);
	options_print(out, &init_table, &defaults);
	fputs("\nExit codes: 0 done, 1 failed, 2 usage, 3 refused data. Logs go to standard error.\n"
	      "SIGTERM or SIGINT ends the node; everything final is on disk by then.\n",
	      out);
}

/* --- log --- */

static void write_line(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "%s\n", line);
}

static uint64_t log_now_ms(void *ctx)
{
	(void)ctx;
	return io_wall_ms();
}

/* --- what both commands need --- */

static int exit_code(int code)
{
	switch (code) {
	case OK:
		return EXIT_DONE;
	case APP_E_USAGE:
		return EXIT_USAGE;
	case APP_E_REFUSED:
	case CHAIN_E_GENESIS:
	case STORE_E_VERSION:
	case STORE_E_CHAIN:
	case STORE_E_CORRUPT:
	case STORE_E_EXISTS:
	case KEYSTORE_E_FORMAT:
	case KEYSTORE_E_UNSUPPORTED:
	case KEYSTORE_E_PASSWORD:
	case KEYSTORE_E_ADDRESS:
	case CONSENSUS_E_SET:
	case CONSENSUS_E_RECORD:
	case NODE_E_SIGN_RECORD:
		return EXIT_REFUSED;
	}
	return EXIT_FAILED;
}

static struct ecc *make_ecc(void)
{
	uint8_t seed[32];

	io_entropy(seed, sizeof(seed));
	return ecc_new(seed);
}

static uint64_t make_seed(void)
{
	uint64_t seed;

	io_entropy(&seed, sizeof(seed));
	return seed;
}

static int read_genesis(const char *path, struct genesis *out, struct err *err)
{
	struct buf text = { 0 };
	int code = file_read(path, &text, LIMIT_GENESIS_SIZE, err);

	if (code == OK)
		code = genesis_parse(out, buf_bytes(&text), err);
	if (code == CHAIN_E_GENESIS)
		err_prefix(err, code, "%s", path);
	buf_clear(&text);
	return code;
}

/* --- init --- */

static int parse_addr(struct addr *out, struct bytes text, struct err *err)
{
	if (hex_parse_fixed(out->bytes, sizeof(out->bytes), text))
		return OK;
	return ERR_SET(err, APP_E_USAGE, "\"%.*s\" is not an address (0x and 40 hexadecimal digits)",
		       (int)MIN(text.size, (size_t)80), (const char *)text.data);
}

static struct wei whole_coins(uint64_t coins)
{
	struct wei wei = wei_of(coins);

	wei_mul_gas(&wei, wei, GWEI_PER_COIN);
	wei_mul_gas(&wei, wei, WEI_PER_GWEI);
	return wei;
}

/* "ADDRESS<separator>NUMBER"; without a separator, if `fallback` is not 0, that. */
static int parse_pair(const char *text, char separator, uint64_t fallback, struct addr *address,
		      uint64_t *number, struct err *err)
{
	const char *at = strchr(text, separator);
	char *end;
	int code = parse_addr(address, bytes_of(text, at ? (size_t)(at - text) : strlen(text)), err);

	if (code != OK)
		return code;
	*number = fallback;
	if (!at && fallback)
		return OK;
	errno = 0;
	if (at)
		*number = strtoull(at + 1, &end, 10);
	if (!at || at[1] < '0' || at[1] > '9' || *end || errno || *number == 0 || *number > VALIDATOR_WEIGHT_MAX)
		return ERR_SET(err, APP_E_USAGE, "\"%s\": after %c comes a whole number from 1 to %llu", text, separator,
			       (unsigned long long)VALIDATOR_WEIGHT_MAX);
	return OK;
}

static int make_genesis(const struct weftd_options *o, struct genesis *g, struct err *err)
{
	struct validator members[VALIDATOR_COUNT_MAX];
	int code = OK;

	if (o->new_validators.count == 0 || o->new_validators.count > VALIDATOR_COUNT_MAX)
		return ERR_SET(err, APP_E_USAGE, "give --genesis FILE, or 1 to %d times --new-validator", VALIDATOR_COUNT_MAX);
	genesis_default(g, o->chain_id ? o->chain_id : DEV_CHAIN_ID, io_wall_ms());
	if (o->no_deployer)
		genesis_drop_deployer(g);
	g->params.epoch_length = o->epoch_length;
	g->params.epoch_ms = o->epoch_ms;
	g->params.validator_count_max = MAX(g->params.validator_count_max, (uint64_t)o->new_validators.count);
	for (size_t i = 0; code == OK && i < o->new_validators.count; i++)
		code = parse_pair(o->new_validators.items[i], ':', 1, &members[i].address, &members[i].weight.n, err);
	for (size_t i = 0; code == OK && i < o->funds.count; i++) {
		struct addr address;
		uint64_t coins;

		code = parse_pair(o->funds.items[i], '=', 0, &address, &coins, err);
		if (code == OK)
			genesis_fund(g, &address, whole_coins(coins));
	}
	return code == OK ? validator_set_init(&g->validators, members, o->new_validators.count, err) : code;
}

/* Writes the genesis file, from which later runs read the parameters; one that is
 * there already, from an init that was cut off, must say the same. */
static int place_genesis(const char *path, struct bytes text, bool *is_new, struct err *err)
{
	struct genesis there = { 0 };
	struct buf again = { 0 };
	int code;

	*is_new = access(path, F_OK) != 0;
	if (*is_new)
		return file_create(path, text, err);
	code = read_genesis(path, &there, err);
	if (code == OK) {
		genesis_write(&again, &there);
		if (!bytes_equal(buf_bytes(&again), text))
			code = ERR_SET(err, STORE_E_EXISTS, "%s says something else: the directory has a chain "
				       "already, or is another init's that was cut off; choose another one", path);
	}
	genesis_clear(&there);
	buf_clear(&again);
	return code;
}

/* The genesis file first and the chain's own mark last (store_create()): cut off in
 * between, init can be run again. */
static int create_datadir(const char *dir, const struct genesis *g, struct err *err)
{
	struct store_options store = { .dir = dir, .seed = make_seed() };
	char *path = file_join(dir, "genesis.json");
	struct buf text = { 0 };
	bool is_new = false;
	int code;

	genesis_write(&text, g);
	code = file_make_dir(dir, err);
	if (code == OK)
		code = place_genesis(path, buf_bytes(&text), &is_new, err);
	if (code == OK)
		code = store_create(&store, g, err);
	if (code != OK && is_new)
		unlink(path);
	buf_clear(&text);
	free(path);
	return code;
}

static int command_init(const struct weftd_options *o, struct err *err)
{
	struct genesis g = { 0 };
	int code;

	if (o->genesis && (o->chain_id || o->new_validators.count || o->funds.count || o->no_deployer ||
			   o->epoch_length != EPOCH_LENGTH_DEFAULT || o->epoch_ms != EPOCH_MS_DEFAULT))
		return ERR_SET(err, APP_E_USAGE, "--genesis FILE says all about a chain: leave --chain-id, "
			       "--new-validator, --fund, --no-deployer and --epoch-… out, or make the genesis from them");
	if (o->genesis)
		code = read_genesis(o->genesis, &g, err);
	else
		code = make_genesis(o, &g, err);
	if (code == OK)
		code = create_datadir(o->datadir, &g, err);
	if (code == OK)
		printf("%s holds chain %llu now, with %zu validator%s. Run it with: weftd --datadir %s --validator ADDRESS\n",
		       o->datadir, (unsigned long long)g.params.chain_id, g.validators.count,
		       g.validators.count == 1 ? "" : "s", o->datadir);
	genesis_clear(&g);
	return code;
}

/* --- run --- */

static int dev_key(const struct ecc *ecc, const char *path, struct secret_key *key, struct addr *address,
		   struct err *err)
{
	struct public_key public;
	int code = hd_derive(ecc, key, HD_DEV_MNEMONIC, path, err);

	if (code == OK)
		code = ecc_public_key(ecc, &public, key, err);
	if (code == OK)
		ecc_address(address, &public);
	return code;
}

static int dev_genesis(const struct weftd_options *o, const struct ecc *ecc, struct genesis *g, struct err *err)
{
	struct validator self = { .weight = { 1 } };
	struct secret_key key;
	int code;

	genesis_default(g, DEV_CHAIN_ID, io_wall_ms());
	if (o->no_deployer)
		genesis_drop_deployer(g);
	g->params.min_interval_ms = 0;
	g->params.heartbeat_ms = DEV_HEARTBEAT_MS;
	for (unsigned i = 0; i < DEV_ACCOUNT_COUNT; i++) {
		struct addr address;
		char path[64];

		snprintf(path, sizeof(path), HD_ETHEREUM_PATH "%u", i);
		code = dev_key(ecc, path, &key, &address, err);
		if (code != OK)
			return code;
		genesis_fund(g, &address, whole_coins(DEV_ACCOUNT_COINS));
	}
	code = dev_key(ecc, DEV_VALIDATOR_PATH, &key, &self.address, err);
	crypto_wipe(&key, sizeof(key));
	return code == OK ? validator_set_init(&g->validators, &self, 1, err) : code;
}

static void print_dev(const struct ecc *ecc)
{
	fprintf(stderr, "Development chain %d. Anyone knows these keys: never send real funds to them.\n"
		"Mnemonic: %s\nPath:     " HD_ETHEREUM_PATH "i, each with %d WEFT\n",
		DEV_CHAIN_ID, HD_DEV_MNEMONIC, DEV_ACCOUNT_COINS);
	for (unsigned i = 0; i < DEV_ACCOUNT_COUNT; i++) {
		struct secret_key key;
		struct addr address;
		char path[64], text[HEX_ADDR_SIZE];

		snprintf(path, sizeof(path), HD_ETHEREUM_PATH "%u", i);
		if (dev_key(ecc, path, &key, &address, NULL) == OK)
			fprintf(stderr, "  (%u) %s\n", i, hex_data(text, addr_bytes(&address)));
	}
}

static int load_validator(const struct weftd_options *o, const struct ecc *ecc, struct secret_key *out,
			  struct err *err)
{
	struct addr address;
	struct buf text = { 0 }, password = { 0 };
	char *keystore = o->keystore ? xstrdup(o->keystore) : file_join(o->datadir, "keystore");
	int code = parse_addr(&address, bytes_of_str(o->validator), err);

	if (code == OK)
		code = keystore_find(keystore, &address, &text, err);
	if (code == OK)
		code = password_read(&password, o->password_file, "Password of the validator's key: ", false, err);
	if (code == OK)
		code = keystore_decrypt(ecc, out, buf_bytes(&text), buf_bytes(&password), err);
	if (code == KEYSTORE_E_PASSWORD)
		ERR_SET(err, code, "wrong password for %s: check --password-file or WEFT_PASSWORD", o->validator);
	password_clear(&password);
	buf_clear(&text);
	free(keystore);
	return code;
}

/* A data directory without its genesis file: made with --dev if it holds no chain. */
static int miss_genesis(const struct weftd_options *o, const struct ecc *ecc, struct err *err)
{
	char *version = file_join(o->datadir, "VERSION");
	bool has_chain = access(version, F_OK) == 0;
	struct genesis g = { 0 };
	int code;

	free(version);
	if (has_chain)
		return ERR_SET(err, APP_E_REFUSED, "%s holds a chain and its genesis.json is missing: put the file "
			       "back (any validator of the chain has the same), or remove VERSION, chain and log "
			       "in it to begin another chain", o->datadir);
	if (!o->dev)
		return ERR_SET(err, APP_E_FILE, "%s holds no chain: make one with weftd init --datadir %s, or "
			       "try weftd --dev", o->datadir, o->datadir);
	code = dev_genesis(o, ecc, &g, err);
	if (code == OK)
		code = create_datadir(o->datadir, &g, err);
	genesis_clear(&g);
	return code;
}

/* The chain of a data directory; with --dev it is made if it is not there. */
static int load_genesis(const struct weftd_options *o, const struct ecc *ecc, struct genesis *g, struct err *err)
{
	char *path;
	int code = OK;

	if (o->dev && !o->datadir)
		return dev_genesis(o, ecc, g, err);
	path = file_join(o->datadir, "genesis.json");
	if (access(path, F_OK) != 0)
		code = miss_genesis(o, ecc, err);
	if (code == OK)
		code = read_genesis(path, g, err);
	free(path);
	return code;
}

struct announcement {
	const struct log *log;
	const char *address;
};

static void announce(void *ctx, uint16_t port)
{
	const struct announcement *a = ctx;

	LOG_INFO(a->log, "rpc", "listening", "url=http://%s:%u", a->address, port);
}

static const char *client_version(void)
{
#if defined(__clang__)
	return "weft/v" PACKAGE_VERSION "/linux/clang" __clang_version__;
#else
	return "weft/v" PACKAGE_VERSION "/linux/gcc" __VERSION__;
#endif
}

static struct daemon_options daemon_options_of(const struct weftd_options *o, const struct genesis *g,
					       const struct ecc *ecc, const struct log *log)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return (struct daemon_options){
		.node = {
			.genesis = g,
			.ecc = ecc,
			.pool = {
				.tx_count = o->pool_count,
				.size = o->pool_mb * MIB,
				.sender_tx_count = o->pool_sender_count,
				.future_count = MIN(LIMIT_POOL_FUTURE_COUNT, o->pool_count / 2),
				.fee_floor = g->params.base_fee_floor,
			},
			.seed = make_seed(),
			.log = log,
		},
		.info = {
			.client_version = client_version(),
			.params = &g->params,
			.protocol_version = PROTOCOL_VERSION,
			.database_version = DATABASE_VERSION,
			.history_ms = o->archive ? UINT64_MAX : o->history_s * 1000,
			.is_dev = o->dev,
			.allows_unprotected = o->allow_unprotected,
		},
		.rpc_limits = {
			.batch_count = o->rpc_batch_count,
			.reply_size = o->rpc_reply_size,
			.log_count = o->rpc_log_count,
			.log_block_count = o->rpc_log_block_count,
			.cost = LIMIT_RPC_COST,
		},
		.call_gas_cap = o->rpc_gas_cap,
		.call_timeout_ms = o->rpc_evm_timeout * 1000,
		.http = {
			.address = o->http_addr,
			.port = (uint16_t)o->http_port,
			.limits = {
				.connection_count = o->http_connections,
				.header_size = 16 * KIB,
				.body_size = o->rpc_body_size,
				.idle_timeout_ms = 30000,
				.pending_count = LIMIT_RPC_QUEUE_COUNT,
			},
			.allowed_hosts = o->http_hosts,
			.allowed_origins = o->http_origins,
			.log = log,
		},
		.http_grace_ms = HTTP_GRACE_MS,
		.worker_count = o->rpc_workers ? o->rpc_workers : (size_t)MAX(cores, 1L),
	};
}

static int set_validator(const struct weftd_options *o, struct daemon_options *options, struct err *err)
{
	struct node_config *node = &options->node;
	struct addr self;
	int code = OK;

	if (o->dev)
		code = dev_key(node->ecc, DEV_VALIDATOR_PATH, &node->validator_key, &self, err);
	else if (o->validator)
		code = load_validator(o, node->ecc, &node->validator_key, err);
	else
		return OK;
	if (code == OK) {
		struct public_key public;

		code = ecc_public_key(node->ecc, &public, &node->validator_key, err);
		ecc_address(&options->info.validator_address, &public);
	}
	node->is_validator = options->info.is_validator = code == OK;
	return code;
}

static void log_woke(const struct log *log, const struct store_report *report)
{
	char hash[HEX_HASH_SIZE];

	LOG_INFO(log, "store", "woke", "height=%llu hash=%s flushed=%llu replayed=%llu torn_bytes=%llu",
		 (unsigned long long)report->tip_height, hex_data(hash, hash_bytes(&report->tip_hash)),
		 (unsigned long long)report->flushed_height, (unsigned long long)report->replayed_count,
		 (unsigned long long)report->torn_size);
}

/* As it stands in the store, which has checked it against the genesis file. */
static struct hash genesis_hash(struct store *store)
{
	struct store_reader *reader = store_reader_new(store);
	struct stored_header header = { 0 };
	struct hash hash = { 0 };

	if (store_read_header(reader, 0, &header, NULL) == OK)
		hash = header.hash;
	stored_header_clear(&header);
	store_reader_free(reader);
	return hash;
}

/* Who we are on the network and whom we know. A validator's node key is its own key:
 * that is how the others know its messages' sender. */
static int configure_peers(const struct weftd_options *o, struct daemon_options *options, struct peers *peers,
			   struct p2p_config *out, struct err *err)
{
	const struct node_config *node = &options->node;
	int code = peers_parse(peers, &o->peers, &o->p2p_allow, err);

	if (code != OK || o->p2p_port == 0)
		return code;
	*out = (struct p2p_config){
		.chain_id = node->genesis->params.chain_id,
		.genesis_hash = options->info.genesis_hash,
		.ecc = node->ecc,
		.key = node->validator_key,
		.listen_port = (uint16_t)o->p2p_port,
		.software = client_version(),
		.statics = peers->statics,
		.static_count = peers->static_count,
		.allowed = peers->allowed,
		.allowed_count = peers->allowed_count,
		.is_open = o->p2p_open,
		.session_max = o->p2p_sessions,
		.seed = make_seed(),
	};
	if (!node->is_validator)
		code = peers_node_key(&out->key, node->ecc, o->datadir, err);
	options->node.p2p = out;
	options->p2p_address = o->p2p_addr;
	options->p2p_port = (uint16_t)o->p2p_port;
	return code;
}

static int run_chain(const struct weftd_options *o, const struct genesis *g, const struct ecc *ecc,
		     const struct log *log, struct err *err)
{
	struct daemon_options options = daemon_options_of(o, g, ecc, log);
	struct announcement announcement = { log, o->http_addr };
	struct peers *peers = xcalloc(1, sizeof(*peers));
	struct p2p_config p2p = { 0 };
	struct store_report report;
	struct store *store;
	const struct store_options store_options = {
		.dir = o->datadir,
		.cache_size = o->cache_mb * MIB,
		.tree_memory_max = o->trie_mb * MIB,
		.history_ms = options.info.history_ms,
		.seed = make_seed(),
	};
	int code = set_validator(o, &options, err);

	if (code == OK)
		code = store_open(&store, &store_options, g, &report, err);
	if (code != OK) {
		free(peers);
		return code;
	}
	log_woke(log, &report);
	options.info.genesis_hash = genesis_hash(store);
	if (options.node.is_validator && report.consensus_log_missing)
		code = ERR_SET(err, NODE_E_SIGN_RECORD, "the log of what this validator signed is missing: signing now "
			       "could contradict it; restore %s/log, or run without --validator", o->datadir);
	if (code == OK)
		code = configure_peers(o, &options, peers, &p2p, err);
	if (code == OK)
		code = daemon_run(&options, store, announce, &announcement, err);
	store_close(store);
	free(peers);
	crypto_wipe(&p2p.key, sizeof(p2p.key));
	crypto_wipe(&options.node.validator_key, sizeof(options.node.validator_key));
	LOG_INFO(log, "weftd", "ended", "code=%d", exit_code(code));
	return code;
}

/* Connections take file descriptors, and the database must never find none left.
 * It keeps few open itself, but up to a fifth of the limit when it is large. */
static int reserve_files(const struct weftd_options *o, struct err *err)
{
	uint64_t needed = (o->http_connections + FILES_RESERVED) * 5 / 4;
	struct rlimit files;

	CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
	if (files.rlim_cur >= needed)
		return OK;
	if (files.rlim_max < needed)
		return ERR_SET(err, APP_E_USAGE, "%llu connections need %llu open files, and this process may have "
			       "%llu: raise ulimit -n, or lower --http-connections",
			       (unsigned long long)o->http_connections, (unsigned long long)needed,
			       (unsigned long long)files.rlim_max);
	files.rlim_cur = needed;
	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	return OK;
}

static int command_run(const struct weftd_options *o, struct err *err)
{
	struct log log = { write_line, log_now_ms, NULL, LOG_LEVEL_INFO };
	const struct rlimit no_core = { 0 };
	struct genesis g = { 0 };
	struct ecc *ecc;
	int code;

	if (!log_level_parse(&log.level, o->log_level))
		return ERR_SET(err, APP_E_USAGE, "--log-level is error, warn, info or debug, not \"%s\"", o->log_level);
	io_signals_block();
	setrlimit(RLIMIT_CORE, &no_core); /* a core file would hold the key */
	code = reserve_files(o, err);
	if (code != OK)
		return code;
	ecc = make_ecc();
	code = load_genesis(o, ecc, &g, err);
	if (code == OK && o->dev)
		print_dev(ecc);
	if (code == OK)
		code = run_chain(o, &g, ecc, &log, err);
	genesis_clear(&g);
	ecc_free(ecc);
	return code;
}

/* --- main --- */

static int parse(struct weftd_options *o, bool *is_init, int argc, char **argv, struct err *err)
{
	const struct option_table *table = &run_table;
	struct options_seen seen = { 0 };
	const char *word;
	size_t word_count;
	int code;

	*is_init = argc > 1 && strcmp(argv[1], "init") == 0;
	if (*is_init) {
		table = &init_table;
		argc--;
		argv++;
	}
	code = options_parse_arguments(table, o, &seen, argc, argv, &word, 1, &word_count, err);
	if (code == OK && word_count > 0)
		code = ERR_SET(err, APP_E_USAGE, "there is no command \"%s\"", word);
	if (code == OK && o->config)
		code = options_parse_file(table, o, &seen, o->config, err);
	if (code == OK && o->dev && o->validator)
		code = ERR_SET(err, APP_E_USAGE, "--dev brings a validator of its own: leave --validator out");
	if (code == OK && !*is_init && o->no_deployer && !o->dev)
		code = ERR_SET(err, APP_E_USAGE, "--no-deployer is for a chain's making: weftd init, or --dev");
	if (!*is_init && o->dev && o->peers.count == 0 && !options_given(table, &seen, "p2p-port"))
		o->p2p_port = 0;
	if (!o->datadir && (*is_init || !o->dev))
		o->datadir = file_default_datadir();
	return code;
}

int main(int argc, char **argv)
{
	struct weftd_options o = default_options();
	struct err err = { 0 };
	bool is_init;
	int code = parse(&o, &is_init, argc, argv, &err);

	if (code == OK && o.help) {
		print_help(stdout);
		return EXIT_DONE;
	}
	if (code == OK && o.version) {
		printf("weftd %s (protocol %d, database %d)\n", PACKAGE_VERSION, PROTOCOL_VERSION, DATABASE_VERSION);
		return EXIT_DONE;
	}
	if (code == OK)
		code = is_init ? command_init(&o, &err) : command_run(&o, &err);
	if (code != OK)
		fprintf(stderr, "weftd: %s%s\n", err.message, code == APP_E_USAGE ? " (weftd --help lists all)" : "");
	return exit_code(code);
}
