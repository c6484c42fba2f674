/*
 * weft - the command line: accounts, transfers, contracts, and questions to a node.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/cli.h"
#include "app/files.h"
#include "base/check.h"

#define RPC_DEFAULT "http://127.0.0.1:8545"

static const struct cli_command *const commands[] = {
	&cli_account_new, &cli_account_list, &cli_account_import, &cli_send, &cli_balance,
	&cli_block, &cli_tx, &cli_status, &cli_deploy, &cli_contract_call, &cli_logs, &cli_calldata,
	&cli_abi_encode, &cli_abi_decode, &cli_sig, &cli_validators, &cli_vote, &cli_rpc,
};

static void print_help(FILE *to)
{
	fputs("usage: weft COMMAND [options]\n"
	      "       weft COMMAND --help\n"
	      "       weft --help | --version\n\n"
	      "Accounts, transfers, contracts, and questions to a Weft (or any Ethereum) node. Commands:\n\n", to);
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		fprintf(to, "  %-16s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nEnvironment: WEFT_RPC (the node's URL), WEFT_PASSWORD (of keys).\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage, 3 the data was refused.\n", to);
}

static const struct cli_options defaults = {
	.rpc = RPC_DEFAULT, .type = 2, .timeout = 60,
};

static void print_command_help(const struct cli_command *command)
{
	const struct option_table table = { command->options, command->option_count };

	printf("usage: weft %s%s%s [options]\n\n%s\n\n", command->name, *command->words ? " " : "",
	       command->words, command->summary);
	if (command->help)
		printf("%s\n", command->help);
	options_print(stdout, &table, &defaults);
}

/* How many words of argv name `command`; 0: it is another. */
static int match(const struct cli_command *command, int argc, char **argv)
{
	struct bytes first = bytes_of_str(command->name), second = { 0 };
	const char *blank = strchr(command->name, ' ');

	if (blank) {
		first.size = (size_t)(blank - command->name);
		second = bytes_of_str(blank + 1);
	}
	if (argc < 2 || !bytes_equal(bytes_of_str(argv[1]), first))
		return 0;
	if (!blank)
		return 1;
	return argc >= 3 && bytes_equal(bytes_of_str(argv[2]), second) ? 2 : 0;
}

static int unknown_command(int argc, char **argv)
{
	if (argc < 2)
		print_help(stderr);
	else if (strcmp(argv[1], "account") == 0)
		fputs("weft: say account new, account list or account import\n", stderr);
	else if (strcmp(argv[1], "abi") == 0)
		fputs("weft: say abi encode or abi decode\n", stderr);
	else
		fprintf(stderr, "weft: there is no command \"%s\": see weft --help\n", argv[1]);
	return 2;
}

/* Where keys are: --keystore, else --datadir/keystore, else ~/.weft/keystore. */
static char *keystore_path(const struct cli_options *o)
{
	char *datadir, *path;

	if (o->keystore)
		return xstrdup(o->keystore);
	if (o->datadir)
		return file_join(o->datadir, "keystore");
	datadir = file_default_datadir();
	path = file_join(datadir, "keystore");
	free(datadir);
	return path;
}

static int parse(struct cli *c, const struct cli_command *command, int argc, char **argv,
		 struct err *err)
{
	const struct option_table table = { command->options, command->option_count };
	const char *from_environment = getenv("WEFT_RPC");
	int code;

	c->options = defaults;
	if (from_environment && *from_environment)
		c->options.rpc = from_environment;
	code = options_parse_arguments(&table, &c->options, &c->seen, argc, argv, c->words,
				       CLI_WORD_MAX, &c->word_count, err);
	if (code != OK || c->options.help)
		return code;
	if (c->word_count < command->words_min)
		return ERR_SET(err, APP_E_USAGE, "%s is missing", command->words);
	if (c->word_count > command->words_max)
		return ERR_SET(err, APP_E_USAGE, "\"%.80s\" is one word too many",
			       c->words[command->words_max]);
	c->keystore = keystore_path(&c->options);
	if (rpc_client_open(&c->rpc, c->options.rpc, err) != OK)
		return err_prefix(err, APP_E_USAGE, "--rpc");
	return OK;
}

static int execute(struct cli *c, const struct cli_command *command, struct err *err)
{
	int code;

	if (c->options.json) {
		jout_init(&c->json, &c->out);
		jout_object(&c->json);
	}
	code = command->run(c, err);
	if (code == OK && c->options.json && !c->has_printed) {
		jout_object_end(&c->json);
		cli_print_json(c);
	}
	if (code == OK && fflush(stdout) != 0)
		code = ERR_SET(err, APP_E_FILE, "the output can't be written");
	return code;
}

/* A node's or a contract's words may be in it: they must not steer the terminal. */
static void print_error(const struct cli_command *command, const struct err *err)
{
	struct buf text = { 0 };

	abi_put_message(&text, bytes_of_str(err->message));
	fprintf(stderr, "weft %s: %.*s\n", command->name, (int)text.size, (const char *)text.data);
	buf_clear(&text);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
	struct cli c = { 0 };
	struct err err = { 0 };
	int code = parse(&c, command, argc, argv, &err);

	if (code == OK && c.options.help)
		print_command_help(command);
	else if (code == OK)
		code = execute(&c, command, &err);
	if (code != OK)
		print_error(command, &err);
	if (cli_exit_code(code) == 2)
		fprintf(stderr, "see weft %s --help\n", command->name);
	rpc_client_close(&c.rpc);
	buf_clear(&c.out);
	free(c.keystore);
	return code == OK && c.is_failed ? 1 : cli_exit_code(code);
}

int main(int argc, char **argv)
{
	int words;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_help(stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("weft " PACKAGE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
		words = match(commands[i], argc, argv);
		if (words > 0)
			return run(commands[i], argc - words, argv + words);
	}
	return unknown_command(argc, argv);
}
