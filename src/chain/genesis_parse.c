#include "chain/genesis.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/check.h"
#include "chain/genesis_internal.h"
#include "codec/hex.h"
#include "json/json.h"

/* Times up to this many milliseconds after 1970 (about 285,000 years). */
#define TIME_MS_MAX (1ull << 53)

/* As in decode.h: the first failure sticks, and later reads do nothing. */
struct reader {
	struct err *err;
	int status;
};

static void fail(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct reader *r, const char *format, ...)
{
	char message[ERR_MESSAGE_MAX];
	va_list args;

	if (r->status != OK)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	r->status = ERR_SET(r->err, CHAIN_E_GENESIS, "genesis: %s", message);
}

/* --- text --- */

static bool has_prefix(struct bytes text)
{
	return text.size >= 2 && text.data[0] == '0' &&
	       (text.data[1] == 'x' || text.data[1] == 'X');
}

static struct bytes without_prefix(struct bytes text)
{
	return has_prefix(text) ? bytes_of(text.data + 2, text.size - 2) : text;
}

/* 1 to 64 hexadecimal digits, an odd number too, as a number. */
static bool parse_hex_digits(struct u256 *out, struct bytes digits)
{
	uint8_t full[64], be[32];

	if (digits.size == 0 || digits.size > sizeof(full))
		return false;
	memset(full, '0', sizeof(full));
	memcpy(full + sizeof(full) - digits.size, digits.data, digits.size);
	if (!hex_decode(be, sizeof(be), bytes_of(full, sizeof(full))))
		return false;
	*out = u256_from_be(bytes_of(be, sizeof(be)));
	return true;
}

/* "0x…" with leading zeros or not, decimal text, or a JSON number. */
static bool parse_number(struct u256 *out, const struct jval *v)
{
	struct bytes text;

	if (jval_kind(v) == JVAL_INTEGER && jval_integer(v) >= 0) {
		*out = u256_of((uint64_t)jval_integer(v));
		return true;
	}
	if (jval_kind(v) != JVAL_STRING)
		return false;
	text = jval_string(v);
	if (has_prefix(text))
		return parse_hex_digits(out, without_prefix(text));
	return u256_from_decimal(out, text);
}

static bool parse_address(struct addr *out, struct bytes text)
{
	return hex_decode(out->bytes, sizeof(out->bytes), without_prefix(text));
}

/* --- members --- */

/* A number in [min, max]; an absent one leaves *inout. */
static void read_u64(struct reader *r, const struct jval *v, const char *name, uint64_t min,
		     uint64_t max, uint64_t *inout)
{
	struct u256 n;

	if (!v || r->status != OK)
		return;
	if (!parse_number(&n, v) || !u256_fits_u64(&n) || n.limbs[0] < min || n.limbs[0] > max)
		fail(r, "%s must be a number from %llu to %llu", name, (unsigned long long)min,
		     (unsigned long long)max);
	else
		*inout = n.limbs[0];
}

/* An amount below 2^128; an absent one leaves *inout. */
static void read_wei(struct reader *r, const struct jval *v, const char *name, struct wei *inout)
{
	struct u256 n;

	if (!v || r->status != OK)
		return;
	if (!parse_number(&n, v) || n.limbs[2] || n.limbs[3])
		fail(r, "%s must be an amount in wei below 2^128", name);
	else
		inout->n = n;
}

/* Every member of `object` must be one of `names` (NULL at the end). */
static void refuse_unknown(struct reader *r, const struct jval *object, const char *where,
			   const char *const names[])
{
	const struct jval *value;
	void *cursor = NULL;
	const char *key;

	while (r->status == OK && jval_next(object, &cursor, &key, &value)) {
		size_t i = 0;

		while (names[i] && strcmp(names[i], key) != 0)
			i++;
		if (!names[i])
			fail(r, "%s has an unknown member \"%.40s\"", where, key);
	}
}

static void require_object(struct reader *r, const struct jval *v, const char *name)
{
	if (!v)
		fail(r, "%s is missing", name);
	else if (jval_kind(v) != JVAL_OBJECT)
		fail(r, "%s must be an object", name);
}

/* --- config --- */

/* Forks that every revision here contains; those that none here is. */
static const char *const forks_past[] = {
	"homesteadBlock", "eip150Block", "eip155Block", "eip158Block", "byzantiumBlock",
	"constantinopleBlock", "petersburgBlock", "istanbulBlock", "muirGlacierBlock",
	"berlinBlock", "londonBlock", "arrowGlacierBlock", "grayGlacierBlock",
	"mergeNetsplitBlock", "shanghaiTime",
	/* These change nothing here: no other chain is forked off, no blobs are carried. */
	"daoForkBlock", "bpo1Time", "bpo2Time", "bpo3Time", "bpo4Time", "bpo5Time", NULL,
};
static const char *const forks_to_come[] = { "amsterdamTime", "verkleTime", NULL };
static const char *const forks_here[] = {
	[REVISION_CANCUN] = "cancunTime",
	[REVISION_PRAGUE] = "pragueTime",
	[REVISION_OSAKA] = "osakaTime",
};

/* True if the fork is named; then it must be from the start. */
static bool read_fork(struct reader *r, const struct jval *config, const char *name)
{
	const struct jval *v = jval_get(config, name);
	uint64_t time = 0;

	if (!v || jval_kind(v) == JVAL_NULL)
		return false;
	read_u64(r, v, "config's fork times and blocks", 0, UINT64_MAX, &time);
	if (time != 0)
		fail(r, "config.%s is %llu, and must be 0: a chain has one revision", name,
		     (unsigned long long)time);
	return true;
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);

	return size > end_size && strcasecmp(text + size - end_size, end) == 0;
}

static bool is_named(const char *name, const char *const names[], size_t count)
{
	for (size_t i = 0; i < count && names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Other members are other clients' settings; a fork that is not known, or is
 * misspelt, would be other rules than the file's author meant. */
static void refuse_unknown_forks(struct reader *r, const struct jval *config)
{
	const struct jval *value;
	void *cursor = NULL;
	const char *key;

	while (r->status == OK && jval_next(config, &cursor, &key, &value)) {
		if (jval_kind(value) == JVAL_NULL || (!ends_with(key, "Time") && !ends_with(key, "Block")))
			continue;
		if (!is_named(key, forks_past, ARRAY_COUNT(forks_past)) &&
		    !is_named(key, forks_to_come, ARRAY_COUNT(forks_to_come)) &&
		    !is_named(key, forks_here, ARRAY_COUNT(forks_here)))
			fail(r, "config.%.40s names a fork that this program does not know", key);
	}
}

static void read_config(struct reader *r, const struct jval *root, struct chain_params *p)
{
	const struct jval *config = jval_get(root, "config");
	bool has_revision = false;

	require_object(r, config, "config");
	if (r->status == OK && !jval_get(config, "chainId"))
		fail(r, "config.chainId is missing");
	read_u64(r, jval_get(config, "chainId"), "config.chainId", 1, CHAIN_ID_MAX, &p->chain_id);
	refuse_unknown_forks(r, config);
	for (size_t i = 0; forks_past[i]; i++)
		read_fork(r, config, forks_past[i]);
	for (size_t i = 0; forks_to_come[i]; i++)
		if (read_fork(r, config, forks_to_come[i]))
			fail(r, "config.%s names rules that this program lacks; "
			     "osakaTime is the newest", forks_to_come[i]);
	for (size_t i = 0; i < ARRAY_COUNT(forks_here); i++) {
		if (!read_fork(r, config, forks_here[i]))
			continue;
		p->revision = (enum revision)i;
		has_revision = true;
	}
	if (!has_revision)
		fail(r, "config names no revision: give cancunTime, pragueTime or osakaTime as 0");
}

/* --- weft --- */

static void read_validator(struct reader *r, const struct jval *v, size_t index,
			   struct validator *out)
{
	static const char *const names[] = { "address", "weight", NULL };
	char where[48];

	snprintf(where, sizeof(where), "weft.validators[%zu]", index);
	require_object(r, v, where);
	refuse_unknown(r, v, where, names);
	if (r->status == OK && !parse_address(&out->address, jval_string(jval_get(v, "address"))))
		fail(r, "%s.address must be 20 bytes in hexadecimal", where);
	snprintf(where, sizeof(where), "weft.validators[%zu].weight", index);
	out->weight.n = 1;
	read_u64(r, jval_get(v, "weight"), where, 1, VALIDATOR_WEIGHT_MAX, &out->weight.n);
}

static void read_validators(struct reader *r, const struct jval *list, struct validator_set *out)
{
	struct validator members[VALIDATOR_COUNT_MAX];
	size_t count = jval_count(list);

	if (jval_kind(list) != JVAL_ARRAY || count < 1 || count > VALIDATOR_COUNT_MAX) {
		fail(r, "weft.validators must be a list of 1 to %d validators",
		     VALIDATOR_COUNT_MAX);
		return;
	}
	for (size_t i = 0; i < count; i++)
		read_validator(r, jval_at(list, i), i, &members[i]);
	if (r->status == OK && validator_set_init(out, members, count, r->err) != OK)
		r->status = err_prefix(r->err, CHAIN_E_GENESIS, "genesis: weft.validators");
}

static void read_recipient(struct reader *r, const struct jval *v, struct chain_params *p)
{
	if (!v || r->status != OK)
		return;
	if (!parse_address(&p->base_fee_recipient, jval_string(v)))
		fail(r, "weft.baseFeeRecipient must be 20 bytes in hexadecimal");
	p->has_base_fee_recipient = true;
}

static void refuse_unknown_weft(struct reader *r, const struct jval *weft)
{
	const char *names[GENESIS_NUMBER_COUNT + 5] = { "validators", "baseFeeFloor",
							"baseFeeRecipient", "timeMs" };

	for (size_t i = 0; i < GENESIS_NUMBER_COUNT; i++)
		names[4 + i] = genesis_numbers[i].name;
	refuse_unknown(r, weft, "weft", names);
}

static void read_weft(struct reader *r, const struct jval *root, struct genesis *g)
{
	const struct jval *weft = jval_get(root, "weft");
	struct chain_params *p = &g->params;

	require_object(r, weft, "weft");
	refuse_unknown_weft(r, weft);
	if (r->status != OK)
		return;
	read_validators(r, jval_get(weft, "validators"), &g->validators);
	for (size_t i = 0; i < GENESIS_NUMBER_COUNT; i++) {
		const struct genesis_number *n = &genesis_numbers[i];
		char name[48];
		uint64_t v;

		memcpy(&v, (uint8_t *)p + n->offset, sizeof(v));
		snprintf(name, sizeof(name), "weft.%s", n->name);
		read_u64(r, jval_get(weft, n->name), name, n->min, n->max, &v);
		memcpy((uint8_t *)p + n->offset, &v, sizeof(v));
	}
	read_wei(r, jval_get(weft, "baseFeeFloor"), "weft.baseFeeFloor", &p->base_fee_floor);
	read_recipient(r, jval_get(weft, "baseFeeRecipient"), p);
	if (g->validators.count > p->validator_count_max)
		fail(r, "weft.validators are %zu, and weft.validatorCountMax is %llu", g->validators.count,
		     (unsigned long long)p->validator_count_max);
	if (p->heartbeat_ms < p->min_interval_ms)
		fail(r, "weft.heartbeatMs (%llu) is below weft.minIntervalMs (%llu)",
		     (unsigned long long)p->heartbeat_ms, (unsigned long long)p->min_interval_ms);
}

/* `timestamp` in seconds and weft.timeMs may both be given, if they agree. */
static void read_time(struct reader *r, const struct jval *root, struct genesis *g)
{
	const struct jval *seconds = jval_get(root, "timestamp");
	const struct jval *ms = jval_get(jval_get(root, "weft"), "timeMs");
	uint64_t timestamp = 0;

	read_u64(r, seconds, "timestamp", 0, TIME_MS_MAX / 1000, &timestamp);
	g->time_ms = timestamp * 1000;
	read_u64(r, ms, "weft.timeMs", 0, TIME_MS_MAX, &g->time_ms);
	if (seconds && g->time_ms / 1000 != timestamp)
		fail(r, "timestamp (%llu s) and weft.timeMs (%llu ms) contradict each other",
		     (unsigned long long)timestamp, (unsigned long long)g->time_ms);
}

static void read_base_fee(struct reader *r, const struct jval *root, struct genesis *g)
{
	g->base_fee = g->params.base_fee_floor;
	read_wei(r, jval_get(root, "baseFeePerGas"), "baseFeePerGas", &g->base_fee);
	if (wei_compare(g->base_fee, g->params.base_fee_floor) < 0)
		fail(r, "baseFeePerGas is below weft.baseFeeFloor");
}

/* --- alloc --- */

static int compare_slots(const void *a, const void *b)
{
	const struct genesis_slot *x = a, *y = b;

	return memcmp(x->key.bytes, y->key.bytes, sizeof(x->key.bytes));
}

static void read_slot(struct reader *r, const char *key, const struct jval *value,
		      const char *where, struct genesis_slot *out)
{
	struct u256 index;

	if (!parse_hex_digits(&index, without_prefix(bytes_of_str(key))))
		fail(r, "%s.storage has a key that is not a 32-byte number in hexadecimal", where);
	else if (jval_kind(value) != JVAL_STRING ||
		 !parse_hex_digits(&out->value, without_prefix(jval_string(value))))
		fail(r, "%s.storage[%.66s] must be a 32-byte number in hexadecimal", where, key);
	else
		u256_to_be32(out->key.bytes, &index);
}

static void read_storage(struct reader *r, const struct jval *storage, const char *where,
			 struct genesis_account *a)
{
	const struct jval *value;
	void *cursor = NULL;
	const char *key;
	size_t kept = 0;

	if (!storage || r->status != OK)
		return;
	if (jval_kind(storage) != JVAL_OBJECT) {
		fail(r, "%s.storage must be an object", where);
		return;
	}
	a->slots = xcalloc(jval_count(storage), sizeof(*a->slots));
	while (r->status == OK && jval_next(storage, &cursor, &key, &value))
		read_slot(r, key, value, where, &a->slots[a->slot_count++]);
	qsort(a->slots, a->slot_count, sizeof(*a->slots), compare_slots);
	for (size_t i = 0; i < a->slot_count; i++) {
		if (i > 0 && hash_equal(&a->slots[i].key, &a->slots[i - 1].key))
			fail(r, "%s.storage names a slot twice", where);
	}
	for (size_t i = 0; i < a->slot_count; i++)
		if (!u256_is_zero(&a->slots[i].value))
			a->slots[kept++] = a->slots[i];
	a->slot_count = kept;
}

static void read_code(struct reader *r, const struct jval *v, const char *where,
		      struct genesis_account *a)
{
	struct buf code = { 0 };

	if (!v || r->status != OK)
		return;
	if (!hex_parse_data(&code, jval_string(v), CODE_SIZE_MAX))
		fail(r, "%s.code must be \"0x\" and at most %llu bytes in hexadecimal (EIP-170)",
		     where, (unsigned long long)CODE_SIZE_MAX);
	a->code = buf_bytes(&code); /* owned by the account from here on */
}

static void read_account(struct reader *r, const char *key, const struct jval *v,
			 struct genesis_account *a)
{
	static const char *const names[] = { "balance", "nonce", "code", "storage", NULL };
	char where[64], name[80];

	snprintf(where, sizeof(where), "alloc[%.42s]", key);
	if (!parse_address(&a->address, bytes_of_str(key)))
		fail(r, "%s is not an address: 20 bytes in hexadecimal", where);
	require_object(r, v, where);
	refuse_unknown(r, v, where, names);
	snprintf(name, sizeof(name), "%s.balance", where);
	read_wei(r, jval_get(v, "balance"), name, &a->balance);
	snprintf(name, sizeof(name), "%s.nonce", where);
	read_u64(r, jval_get(v, "nonce"), name, 0, UINT64_MAX - 1, &a->nonce);
	read_code(r, jval_get(v, "code"), where, a);
	read_storage(r, jval_get(v, "storage"), where, a);
	if (a->slot_count > 0 && a->code.size == 0)
		fail(r, "%s has storage and no code", where);
}

static int compare_accounts(const void *a, const void *b)
{
	const struct genesis_account *x = a, *y = b;

	return memcmp(x->address.bytes, y->address.bytes, sizeof(x->address.bytes));
}

/* Same address twice (in different spellings), and the sum of all balances. */
static void check_accounts(struct reader *r, const struct genesis *g)
{
	struct wei total = wei_of(0);
	char text[HEX_ADDR_SIZE];

	for (size_t i = 0; i < g->account_count; i++) {
		const struct genesis_account *a = &g->accounts[i];

		if (i > 0 && addr_equal(&a->address, &g->accounts[i - 1].address))
			fail(r, "alloc names %s twice", hex_data(text, addr_bytes(&a->address)));
		if (wei_add(&total, total, a->balance) || total.n.limbs[2] || total.n.limbs[3])
			fail(r, "the balances of alloc add up to 2^128 wei or more");
	}
}

static bool account_is_empty(const struct genesis_account *a)
{
	return u256_is_zero(&a->balance.n) && a->nonce == 0 && a->code.size == 0;
}

static void drop_empty_accounts(struct genesis *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->account_count; i++) {
		if (account_is_empty(&g->accounts[i])) {
			genesis_free_bytes(&g->accounts[i].code);
			free(g->accounts[i].slots);
		} else {
			g->accounts[kept++] = g->accounts[i];
		}
	}
	g->account_count = kept;
}

static void read_alloc(struct reader *r, const struct jval *root, struct genesis *g)
{
	const struct jval *alloc = jval_get(root, "alloc"), *value;
	void *cursor = NULL;
	const char *key;

	if (!alloc || r->status != OK)
		return;
	require_object(r, alloc, "alloc");
	g->accounts = xcalloc(jval_count(alloc), sizeof(*g->accounts));
	while (r->status == OK && jval_next(alloc, &cursor, &key, &value))
		read_account(r, key, value, &g->accounts[g->account_count++]);
	qsort(g->accounts, g->account_count, sizeof(*g->accounts), compare_accounts);
	check_accounts(r, g);
	drop_empty_accounts(g);
}

/* --- all of it --- */

static void read_root(struct reader *r, const struct jval *root, struct genesis *g)
{
	/* Geth's; those of the header that are not read have one value here (block.h). */
	static const char *const names[] = {
		"config", "alloc", "weft", "timestamp", "gasLimit", "baseFeePerGas", "number",
		"nonce", "extraData", "difficulty", "mixHash", "coinbase", "gasUsed", "parentHash",
		"excessBlobGas", "blobGasUsed", "parentBeaconBlockRoot", NULL,
	};
	uint64_t number = 0;

	genesis_default_params(&g->params, 0);
	require_object(r, root, "the file");
	refuse_unknown(r, root, "the file", names);
	read_u64(r, jval_get(root, "number"), "number", 0, 0, &number);
	read_config(r, root, &g->params);
	read_u64(r, jval_get(root, "gasLimit"), "gasLimit", BLOCK_GAS_LIMIT_MIN,
		 BLOCK_GAS_LIMIT_MAX, &g->params.block_gas_limit);
	g->params.gas_target_per_second =
		g->params.block_gas_limit * GAS_TARGET_PER_SECOND_BLOCKS;
	read_weft(r, root, g);
	read_time(r, root, g);
	read_base_fee(r, root, g);
	read_alloc(r, root, g);
}

int genesis_parse(struct genesis *out, struct bytes json, struct err *err)
{
	struct reader r = { .err = err };
	struct genesis g = { 0 };
	struct jval *root;

	if (json.size > LIMIT_GENESIS_SIZE)
		return ERR_SET(err, CHAIN_E_GENESIS, "genesis: %zu bytes, %llu are allowed",
			       json.size, (unsigned long long)LIMIT_GENESIS_SIZE);
	if (jval_parse(&root, json, err) != OK) {
		if (err)
			err->code = CHAIN_E_GENESIS;
		return err_prefix(err, CHAIN_E_GENESIS, "genesis");
	}
	read_root(&r, root, &g);
	jval_free(root);
	if (r.status == OK)
		*out = g;
	else
		genesis_clear(&g);
	return r.status;
}
