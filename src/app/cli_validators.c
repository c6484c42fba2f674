/*
 * weft validators, vote - who decides, who will, and having a say in it.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/cli.h"
#include "codec/hex.h"
#include "exec/native.h"

static uint64_t number_of(const struct jval *object, const char *key)
{
	uint64_t n = 0;

	hex_parse_u64(&n, jval_string(jval_get(object, key)));
	return n;
}

static struct addr address_of(const struct jval *v)
{
	struct addr a = { 0 };

	hex_parse_fixed(a.bytes, sizeof(a.bytes), jval_string(v));
	return a;
}

/* An address of the node's, with its capitals. */
static const char *address_text(char out[CLI_ADDRESS_SIZE], const struct jval *v)
{
	struct addr a = address_of(v);

	return cli_format_address(out, &a);
}

/* The weight that a set's `validators` give to an address; 0: it is not there. */
static uint64_t weight_in(const struct jval *set, struct addr address)
{
	const struct jval *list = jval_get(set, "validators");

	for (size_t i = 0; i < jval_count(list); i++) {
		struct addr member = address_of(jval_get(jval_at(list, i), "address"));

		if (addr_equal(&member, &address))
			return number_of(jval_at(list, i), "weight");
	}
	return 0;
}

/* --- validators --- */

static void show_end(const struct jval *answer)
{
	uint64_t due_ms = number_of(answer, "dueMs");
	time_t seconds = (time_t)(due_ms / 1000);
	char text[64];
	struct tm tm;

	printf("%-14s block %llu", "ends with", (unsigned long long)number_of(answer, "dueBlock"));
	if (due_ms && gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm) > 0)
		printf(", or after %s", text);
	putchar('\n');
}

static void show_set(const struct jval *set, const struct jval *other, const char *title)
{
	const struct jval *list = jval_get(set, "validators");
	char text[CLI_ADDRESS_SIZE];

	printf("%s: %zu, weight %llu, quorum %llu\n", title, jval_count(list),
	       (unsigned long long)number_of(set, "totalWeight"),
	       (unsigned long long)number_of(set, "quorumWeight"));
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *member = jval_at(list, i);
		uint64_t weight = number_of(member, "weight");
		uint64_t before = weight_in(other, address_of(jval_get(member, "address")));

		printf("  %s  weight %llu", address_text(text, jval_get(member, "address")),
		       (unsigned long long)weight);
		if (other && before == 0)
			printf("  (new)");
		else if (other && before != weight)
			printf("  (was %llu)", (unsigned long long)before);
		putchar('\n');
	}
	if (!other)
		return;
	list = jval_get(other, "validators");
	for (size_t i = 0; i < jval_count(list); i++) {
		const struct jval *address = jval_get(jval_at(list, i), "address");

		if (weight_in(set, address_of(address)) == 0)
			printf("  %s  removed\n", address_text(text, address));
	}
}

static void show_next(const struct jval *answer)
{
	const struct jval *next = jval_get(answer, "next");

	if (jval_kind(next) != JVAL_OBJECT)
		printf("next: the state of that block is no longer kept\n");
	else if (bytes_equal(jval_string(jval_get(next, "hash")), jval_string(jval_get(answer, "hash"))))
		printf("next: the same\n");
	else
		show_set(next, answer, "next");
}

static void show_votes(const struct jval *answer)
{
	const struct jval *votes = jval_get(answer, "openVotes");
	char text[CLI_ADDRESS_SIZE];

	if (jval_count(votes) == 0)
		return;
	printf("open votes\n");
	for (size_t i = 0; i < jval_count(votes); i++) {
		const struct jval *vote = jval_at(votes, i), *voters = jval_get(vote, "voters");

		printf("  %s  weight %llu: %llu of %llu\n", address_text(text, jval_get(vote, "validator")),
		       (unsigned long long)number_of(vote, "weight"),
		       (unsigned long long)number_of(vote, "votedWeight"),
		       (unsigned long long)number_of(answer, "quorumWeight"));
		for (size_t k = 0; k < jval_count(voters); k++)
			printf("    by %s\n", address_text(text, jval_at(voters, k)));
	}
}

static int run_validators(struct cli *c, struct err *err)
{
	const char *word = c->word_count ? c->words[0] : "pending";
	const struct jval *answer;
	uint64_t number;
	int code;

	if (strcmp(word, "pending") != 0 && strcmp(word, "latest") != 0) {
		code = cli_parse_number(&number, word, "block number, latest or pending", err);
		if (code == OK)
			code = cli_call(c, &answer, err, "weft_validators", "[\"0x%llx\"]",
					(unsigned long long)number);
	} else {
		code = cli_call(c, &answer, err, "weft_validators", "[\"%s\"]", word);
	}
	if (code != OK)
		return code;
	if (c->options.json) {
		jout_key(&c->json, "validators");
		jout_jval(&c->json, answer);
		return OK;
	}
	printf("%-14s %llu, from block %llu on\n", "epoch", (unsigned long long)number_of(answer, "epoch"),
	       (unsigned long long)number_of(answer, "firstBlock"));
	show_end(answer);
	show_set(answer, NULL, "validators");
	show_next(answer);
	show_votes(answer);
	return OK;
}

/* --- vote --- */

/* What has become of it: agreed on, or how much is missing. */
static int show_outcome(struct cli *c, const struct addr *validator, uint64_t weight, struct err *err)
{
	const struct jval *answer, *votes;
	int code = cli_call(c, &answer, err, "weft_validators", "[\"pending\"]");

	if (code != OK)
		return code;
	if (weight_in(jval_get(answer, "next"), *validator) == weight)
		printf("%-14s stands in the next set; this epoch ends with block %llu at the latest\n", "agreed",
		       (unsigned long long)number_of(answer, "dueBlock"));
	votes = jval_get(answer, "openVotes");
	for (size_t i = 0; i < jval_count(votes); i++) {
		const struct jval *vote = jval_at(votes, i);
		struct addr about = address_of(jval_get(vote, "validator"));

		if (addr_equal(&about, validator) && number_of(vote, "weight") == weight)
			printf("%-14s weight %llu of %llu has voted so\n", "open",
			       (unsigned long long)number_of(vote, "votedWeight"),
			       (unsigned long long)number_of(answer, "quorumWeight"));
	}
	return OK;
}

/* The node's estimate suffices, whoever votes in between: a vote has one price. */
static int run_vote(struct cli *c, struct err *err)
{
	struct cli_transaction t = { .tx.to = native_validators_address };
	struct addr validator;
	uint64_t weight;
	int code = OK;

	if (!c->options.from)
		code = ERR_SET(err, APP_E_USAGE, "give --from: the validator that votes");
	if (code == OK)
		code = cli_parse_address(&validator, c->words[0], err);
	if (code == OK)
		code = cli_parse_number(&weight, c->words[1], "weight", err);
	if (code == OK && weight > VALIDATOR_WEIGHT_MAX)
		code = ERR_SET(err, APP_E_REFUSED, "a weight is at most %llu", (unsigned long long)VALIDATOR_WEIGHT_MAX);
	if (code == OK) {
		native_encode_vote(&t.data, &validator, weight);
		code = cli_transact(c, &t, err);
	}
	if (code == OK && c->options.wait && !c->is_failed && !c->options.json)
		code = show_outcome(c, &validator, weight, err);
	buf_clear(&t.data);
	return code;
}

static const struct option validators_options[] = { CLI_OPTION_RPC, CLI_OPTION_JSON, CLI_OPTION_HELP };
static const struct option vote_options[] = {
	{ "from", OPTION_TEXT, CLI_AT(from), "ADDRESS", "the validator that votes; its key is in the keystore" },
	{ "wait", OPTION_FLAG, CLI_AT(wait), NULL, "wait for the block, and say what has become of it" },
	{ "timeout", OPTION_NUMBER, CLI_AT(timeout), "S", "how long to wait", 1, 86400 },
	{ "max-fee", OPTION_TEXT, CLI_AT(max_fee), "AMOUNT", "at most, for a unit of gas" },
	{ "priority-fee", OPTION_TEXT, CLI_AT(priority_fee), "AMOUNT", "of it, to the proposer" },
	{ "nonce", OPTION_TEXT, CLI_AT(nonce), "N", "instead of the next one" },
	{ "gas", OPTION_TEXT, CLI_AT(gas), "N", "gas limit, instead of the node's estimate" },
	CLI_OPTIONS_KEYS, CLI_OPTION_PASSWORD, CLI_OPTION_RPC, CLI_OPTION_JSON, CLI_OPTION_HELP,
};

const struct cli_command cli_validators = {
	"validators", "[NUMBER|latest|pending]", "who decides blocks, who will, and the open votes",
	"Without a word: of the block that is next.\n",
	validators_options, ARRAY_COUNT(validators_options), 0, 1, run_validators };
const struct cli_command cli_vote = {
	"vote", "ADDRESS WEIGHT", "vote for a validator's weight",
	"WEIGHT 0 votes to remove it. When validators that have a quorum of the weight have the\n"
	"same vote, it stands in the next set, which rules from the next epoch on.\n",
	vote_options, ARRAY_COUNT(vote_options), 2, 2, run_vote };
