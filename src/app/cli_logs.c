/*
 * weft logs - events of contracts, decoded; of the past, and as they come.
 *
 * A node bounds what one eth_getLogs may ask for, each its own way, so a range that
 * is refused is halved until it is taken. Blocks are final: following asks for every
 * block once, and never takes anything back.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/cli.h"
#include "base/check.h"
#include "codec/hex.h"

#define POLL_US 200000
#define RETRY_US 1000000
#define EVENT_MAX 64

struct watch {
	struct cli_contract x;
	const struct abi_item *events[EVENT_MAX]; /* that are asked for, by --event */
	size_t event_count;
	struct buf filter;                        /* members of the filter: ,"address":…,"topics":… */
	uint64_t from, to, next;                  /* blocks; next: the first that was not asked for */
	bool has_to;
};

/* --- what is asked for --- */

static int find_events(struct cli *c, struct watch *w, struct err *err)
{
	struct abi_item *written;
	int code;

	if (c->options.events.count > EVENT_MAX)
		return ERR_SET(err, APP_E_USAGE, "--event may be given at most %d times", EVENT_MAX);
	for (size_t i = 0; i < c->options.events.count; i++) {
		code = cli_contract_find(c, &w->x, ABI_ITEM_EVENT, c->options.events.items[i], SIZE_MAX, err);
		if (code != OK)
			return err_prefix(err, code, "--event");
		if (w->x.item->is_anonymous)
			return ERR_SET(err, APP_E_REFUSED, "%.60s is anonymous: its logs do not name it",
				       w->x.item->name);
		written = abi_pool_take(&w->x.pool, 1, sizeof(*written));
		*written = *w->x.item;
		w->events[w->event_count++] = written;
	}
	return OK;
}

static int put_addresses(struct cli *c, struct jout *j, struct err *err)
{
	struct addr a;
	int code;

	if (c->options.addresses.count == 0)
		return OK;
	jout_key(j, "address");
	jout_array(j);
	for (size_t i = 0; i < c->options.addresses.count; i++) {
		code = cli_parse_address(&a, c->options.addresses.items[i], err);
		if (code != OK)
			return err_prefix(err, code, "--address");
		jout_data(j, addr_bytes(&a));
	}
	jout_array_end(j);
	return OK;
}

static bool is_any(const char *word)
{
	return strcmp(word, "any") == 0 || strcmp(word, "-") == 0;
}

/* --topic, by position. */
static int put_plain_topics(struct cli *c, struct jout *j, struct err *err)
{
	struct hash h;

	if (c->options.topics.count > ABI_TOPIC_MAX)
		return ERR_SET(err, APP_E_USAGE, "a log has at most %d topics", ABI_TOPIC_MAX);
	for (size_t i = 0; i < c->options.topics.count; i++) {
		const char *word = c->options.topics.items[i];

		if (is_any(word))
			jout_null(j);
		else if (hex_parse_fixed(h.bytes, sizeof(h.bytes), bytes_of_str(word)))
			jout_data(j, hash_bytes(&h));
		else
			return ERR_SET(err, APP_E_REFUSED, "\"%.80s\" is no topic: 0x and 64 hex digits, or any", word);
	}
	return OK;
}

/* The words: values of the indexed parameters, in order. */
static int put_arguments(struct cli *c, struct watch *w, struct jout *j, struct err *err)
{
	const struct abi_type *inputs = &w->events[0]->inputs;
	struct abi_value v;
	size_t word = 0;
	struct hash h;
	int code;

	for (size_t i = 0; i < inputs->count && word < c->word_count; i++) {
		if (!inputs->parts[i].is_indexed)
			continue;
		if (is_any(c->words[word])) {
			jout_null(j);
		} else {
			code = abi_parse_value(&v, &w->x.pool, &inputs->parts[i], c->words[word], err);
			if (code != OK)
				return err_prefix(err, code, "indexed parameter %zu (%.40s)", word + 1,
						  inputs->parts[i].name);
			abi_topic(&h, &inputs->parts[i], &v);
			jout_data(j, hash_bytes(&h));
		}
		word++;
	}
	if (word < c->word_count)
		return ERR_SET(err, APP_E_USAGE, "%.60s has %zu indexed parameters: \"%.60s\" is too much",
			       w->events[0]->name, word, c->words[word]);
	return OK;
}

static int put_topics(struct cli *c, struct watch *w, struct jout *j, struct err *err)
{
	struct hash h;
	int code;

	if (w->event_count > 0 && c->options.topics.count > 0)
		return ERR_SET(err, APP_E_USAGE, "give --event or --topic, not both");
	if (c->word_count > 0 && w->event_count != 1)
		return ERR_SET(err, APP_E_USAGE, "\"%.60s\": values of indexed parameters go with one --event",
			       c->words[0]);
	if (w->event_count == 0 && c->options.topics.count == 0)
		return OK;
	jout_key(j, "topics");
	jout_array(j);
	if (w->event_count > 0) {
		jout_array(j);
		for (size_t i = 0; i < w->event_count; i++) {
			abi_hash(&h, w->events[i]);
			jout_data(j, hash_bytes(&h));
		}
		jout_array_end(j);
		code = put_arguments(c, w, j, err);
	} else {
		code = put_plain_topics(c, j, err);
	}
	if (code == OK)
		jout_array_end(j);
	return code;
}

/* What all requests have: an object, whose last brace is left out. */
static int make_filter(struct cli *c, struct watch *w, struct err *err)
{
	struct jout j;
	int code;

	jout_init(&j, &w->filter);
	jout_object(&j);
	code = put_addresses(c, &j, err);
	if (code == OK)
		code = put_topics(c, w, &j, err);
	if (code != OK)
		return code;
	jout_object_end(&j);
	w->filter.size--;
	return OK;
}

static int read_block(struct cli *c, uint64_t *out, const char *word, const char *option, struct err *err)
{
	int code;

	if (strcmp(word, "latest") == 0)
		return cli_call_u64(c, out, err, "eth_blockNumber", "[]");
	if (strcmp(word, "earliest") == 0) {
		*out = 0;
		return OK;
	}
	code = cli_parse_number(out, word, "block number, latest or earliest", err);
	return code == OK ? OK : err_prefix(err, code, "--%s", option);
}

/* Without --from-block: the whole chain, or (--follow) what comes after now. */
static int read_range(struct cli *c, struct watch *w, struct err *err)
{
	const struct cli_options *o = &c->options;
	uint64_t head = 0;
	int code = OK;

	if (o->from_block)
		code = read_block(c, &w->from, o->from_block, "from-block", err);
	if (code == OK && o->to_block) {
		code = read_block(c, &w->to, o->to_block, "to-block", err);
		w->has_to = true;
	}
	if (code == OK)
		code = cli_call_u64(c, &head, err, "eth_blockNumber", "[]");
	if (code != OK)
		return code;
	if (o->follow && !o->from_block)
		w->from = head + 1;
	if (!w->has_to)
		w->to = UINT64_MAX;
	if (w->from > w->to)
		return ERR_SET(err, APP_E_USAGE, "--from-block %" PRIu64 " is behind --to-block %" PRIu64, w->from, w->to);
	/* Some nodes refuse what is not there yet. */
	if (!o->follow)
		w->to = MIN(w->to, head);
	w->next = w->from;
	return OK;
}

/* --- what is shown --- */

struct entry {
	struct hash topics[ABI_TOPIC_MAX];
	size_t topic_count;
	struct buf data;
	struct addr address;
	uint64_t block, index;
	struct hash tx;
};

static bool read_entry(struct entry *e, const struct jval *v)
{
	const struct jval *topics = jval_get(v, "topics");

	e->topic_count = jval_count(topics);
	if (e->topic_count > ABI_TOPIC_MAX)
		return false;
	for (size_t i = 0; i < e->topic_count; i++)
		if (!hex_parse_fixed(e->topics[i].bytes, 32, jval_string(jval_at(topics, i))))
			return false;
	return hex_parse_data(&e->data, jval_string(jval_get(v, "data")), ABI_DATA_SIZE_MAX) &&
	       hex_parse_fixed(e->address.bytes, 20, jval_string(jval_get(v, "address"))) &&
	       hex_parse_fixed(e->tx.bytes, 32, jval_string(jval_get(v, "transactionHash"))) &&
	       hex_parse_u64(&e->block, jval_string(jval_get(v, "blockNumber"))) &&
	       hex_parse_u64(&e->index, jval_string(jval_get(v, "logIndex")));
}

/* The event that a log is, by --event or by the ABI. */
static const struct abi_item *find_event(const struct watch *w, const struct entry *e)
{
	struct hash h;

	if (e->topic_count == 0)
		return NULL;
	for (size_t i = 0; i < w->event_count; i++) {
		abi_hash(&h, w->events[i]);
		if (hash_equal(&h, &e->topics[0]))
			return w->events[i];
	}
	return abi_find_topic(&w->x.abi, &e->topics[0]);
}

static void show_undecoded(const struct entry *e, const char *why)
{
	char topic[HEX_HASH_SIZE];
	struct buf text = { 0 };

	if (why)
		printf("  not decoded: %s\n", why);
	for (size_t i = 0; i < e->topic_count; i++)
		printf("  topic %zu  %s\n", i, hex_data(topic, hash_bytes(&e->topics[i])));
	hex_data((char *)buf_extend(&text, 2 * e->data.size + 3), buf_bytes(&e->data));
	printf("  data     %s\n", (const char *)text.data);
	buf_clear(&text);
}

static void show_decoded(const struct abi_item *event, const struct abi_value *v)
{
	struct buf text = { 0 };
	char number[24];

	abi_put_signature(&text, event);
	printf("  %.*s\n", (int)text.size, (const char *)text.data);
	for (size_t i = 0; i < event->inputs.count; i++) {
		const struct abi_type *part = &event->inputs.parts[i], *type = abi_event_type(part);

		snprintf(number, sizeof(number), "%zu", i);
		buf_reset(&text);
		abi_format(&text, type, &v->list.items[i]);
		printf("    %-10s %.*s%s\n", *part->name ? part->name : number, (int)text.size,
		       (const char *)text.data, type == part ? "" : " (hash)");
	}
	buf_clear(&text);
}

static void show_text(const struct entry *e, const struct abi_item *event, const struct abi_value *v,
		      const char *why)
{
	char address[CLI_ADDRESS_SIZE], hash[HEX_HASH_SIZE];

	printf("block %" PRIu64 ", log %" PRIu64 " of %s\n  transaction %s\n", e->block, e->index,
	       cli_format_address(address, &e->address), hex_data(hash, hash_bytes(&e->tx)));
	if (v)
		show_decoded(event, v);
	else
		show_undecoded(e, why);
}

static void put_json(struct jout *j, const struct jval *log, const struct abi_item *event, const struct abi_value *v)
{
	struct buf text = { 0 };

	jout_object(j);
	if (v) {
		abi_put_signature(&text, event);
		jout_key(j, "event");
		jout_string(j, buf_bytes(&text));
		jout_key(j, "values");
		abi_write_members(j, &event->inputs, v);
		buf_clear(&text);
	}
	jout_key(j, "log");
	jout_jval(j, log);
	jout_object_end(j);
}

/* While it follows, a document a log. */
static void show_json(struct cli *c, const struct jval *log, const struct abi_item *event, const struct abi_value *v)
{
	struct buf line = { 0 };
	struct jout j;

	if (!c->options.follow) {
		put_json(&c->json, log, event, v);
		return;
	}
	jout_init(&j, &line);
	put_json(&j, log, event, v);
	buf_append_byte(&line, '\n');
	fwrite(line.data, 1, line.size, stdout);
	buf_clear(&line);
}

static int show_log(struct cli *c, struct watch *w, const struct jval *log, struct err *err)
{
	struct entry e = { 0 };
	struct abi_pool pool = { 0 };
	struct abi_value values;
	const struct abi_item *event;
	struct err why = { 0 };
	bool is_decoded;

	if (!read_entry(&e, log)) {
		buf_clear(&e.data);
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "eth_getLogs gives something that is no log");
	}
	event = find_event(w, &e);
	is_decoded = event && abi_decode_event(&values, &pool, event, e.topics, e.topic_count, buf_bytes(&e.data),
					       &why) == OK;
	if (c->options.json)
		show_json(c, log, event, is_decoded ? &values : NULL);
	else
		show_text(&e, event, is_decoded ? &values : NULL, event ? why.message : NULL);
	abi_pool_clear(&pool);
	buf_clear(&e.data);
	return OK;
}

/* --- asking --- */

static int ask(struct cli *c, const struct watch *w, uint64_t from, uint64_t to, const struct jval **logs,
	       struct err *err)
{
	int code = cli_call(c, logs, err, "eth_getLogs", "[%.*s%s\"fromBlock\":\"0x%" PRIx64 "\",\"toBlock\":\"0x%"
			    PRIx64 "\"}]", (int)w->filter.size, (const char *)w->filter.data,
			    w->filter.size > 1 ? "," : "", from, to);

	if (code == OK && jval_kind(*logs) != JVAL_ARRAY)
		code = ERR_SET(err, RPC_CLIENT_E_REPLY, "eth_getLogs gives no list");
	return code;
}

/* Whether a node refused because of how much was asked for. */
static bool is_too_much(const struct cli *c, int code)
{
	static const char *const words[] = { "limit", "range", "too many", "too large", "more than", "exceed", "at most" };
	struct bytes message = jval_string(jval_get(c->rpc.error, "message"));

	if (code == IO_E_TIMEOUT)
		return true;
	if (code != RPC_CLIENT_E_REFUSED)
		return false;
	if (c->rpc.error_code == -32005)
		return true;
	for (size_t i = 0; message.size && i < ARRAY_COUNT(words); i++)
		if (strstr((const char *)message.data, words[i]))
			return true;
	return false;
}

/* Blocks w->next to `to`: as many at once as the node allows. */
static int take_range(struct cli *c, struct watch *w, uint64_t to, struct err *err)
{
	uint64_t step = UINT64_MAX;

	while (w->next <= to) {
		uint64_t last = to - w->next < step ? to : w->next + step - 1;
		const struct jval *logs;
		int code = ask(c, w, w->next, last, &logs, err);

		if (code != OK && is_too_much(c, code) && last > w->next) {
			step = (last - w->next + 1) / 2;
			continue;
		}
		for (size_t i = 0; code == OK && i < jval_count(logs); i++)
			code = show_log(c, w, jval_at(logs, i), err);
		if (code != OK)
			return code;
		if (fflush(stdout) != 0)
			return ERR_SET(err, APP_E_FILE, "the output can't be written");
		w->next = last + 1;
		if (step <= UINT64_MAX / 2)
			step *= 2;
	}
	return OK;
}

/* A node that is away comes back: what it missed is asked for then. */
static int follow(struct cli *c, struct watch *w, struct err *err)
{
	bool is_away = false;
	uint64_t head;
	int code;

	while (w->next <= w->to) {
		code = cli_call_u64(c, &head, err, "eth_blockNumber", "[]");
		if (code == OK && head >= w->next)
			code = take_range(c, w, MIN(head, w->to), err);
		if (code == IO_E_CONNECT || code == IO_E_TIMEOUT || code == IO_E_PROTOCOL) {
			if (!is_away)
				fprintf(stderr, "weft logs: %s; waiting for it\n", err->message);
			is_away = true;
			usleep(RETRY_US);
		} else if (code != OK) {
			return code;
		} else {
			is_away = false;
			usleep(POLL_US);
		}
	}
	return OK;
}

static int run_logs(struct cli *c, struct err *err)
{
	bool is_list = c->options.json && !c->options.follow;
	struct watch w = { 0 };
	int code = cli_contract_init(c, &w.x, err);

	if (code == OK)
		code = find_events(c, &w, err);
	if (code == OK)
		code = make_filter(c, &w, err);
	if (code == OK)
		code = read_range(c, &w, err);
	if (code == OK && is_list) {
		jout_key(&c->json, "logs");
		jout_array(&c->json);
	}
	if (code == OK)
		code = c->options.follow ? follow(c, &w, err) : take_range(c, &w, w.to, err);
	if (code == OK && is_list)
		jout_array_end(&c->json);
	c->has_printed = !is_list;
	buf_clear(&w.filter);
	cli_contract_clear(&w.x);
	return code;
}

static const struct option logs_options[] = {
	{ "address", OPTION_LIST, CLI_AT(addresses), "ADDRESS", "of this contract; may be given several times" },
	{ "event", OPTION_LIST, CLI_AT(events), "SIG", "this event; with --abi a name; several times: any of them" },
	{ "topic", OPTION_LIST, CLI_AT(topics), "0x...|any", "instead: the first topic, the second, ..." },
	{ "from-block", OPTION_TEXT, CLI_AT(from_block), "N", "default: the first; with --follow, what comes" },
	{ "to-block", OPTION_TEXT, CLI_AT(to_block), "N", "default: the newest; with --follow, without end" },
	{ "follow", OPTION_FLAG, CLI_AT(follow), NULL, "go on with new blocks; --json: a document a log" },
	CLI_OPTION_ABI, CLI_OPTION_CONTRACT, CLI_OPTION_RPC, CLI_OPTION_JSON, CLI_OPTION_HELP,
};

const struct cli_command cli_logs = {
	"logs", "[VALUE...]", "events of contracts, decoded",
	"  weft logs --address 0x... --abi Token.json\n"
	"  weft logs --event \"Transfer(address indexed from, address indexed to, uint256 value)\"\n"
	"  weft logs --abi Token.json --event Transfer any 0x... --follow\n"
	"Behind one --event, VALUEs are those of its indexed parameters, in order; \"any\" is any.\n",
	logs_options, ARRAY_COUNT(logs_options), 0, CLI_WORD_MAX, run_logs };
