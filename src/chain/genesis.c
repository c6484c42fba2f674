#include "chain/genesis.h"

#include <stdlib.h>

#include "base/check.h"
#include "chain/genesis_internal.h"
#include "codec/hex.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "crypto/mmr.h"
#include "json/json.h"

#define DAY_MS (24ull * 60 * 60 * 1000)

const struct genesis_number genesis_numbers[GENESIS_NUMBER_COUNT] = {
	{ "epochLength", offsetof(struct chain_params, epoch_length), 1, EPOCH_LENGTH_MAX },
	{ "epochMs", offsetof(struct chain_params, epoch_ms), 0, EPOCH_MS_MAX },
	{ "validatorCountMax", offsetof(struct chain_params, validator_count_max), 1,
	  VALIDATOR_COUNT_MAX },
	{ "minIntervalMs", offsetof(struct chain_params, min_interval_ms), 0, DAY_MS },
	{ "heartbeatMs", offsetof(struct chain_params, heartbeat_ms), 1, DAY_MS },
	{ "viewTimeoutMs", offsetof(struct chain_params, view_timeout_ms), 1, DAY_MS },
	{ "gasTargetPerSecond", offsetof(struct chain_params, gas_target_per_second), 1,
	  BLOCK_GAS_LIMIT_MAX * 1000 },
	{ "rewardGwei", offsetof(struct chain_params, reward_gwei), 0, 1ull << 53 },
	{ "rewardPeriodMs", offsetof(struct chain_params, reward_period_ms), 1, 365 * DAY_MS },
	{ "blockSizeMax", offsetof(struct chain_params, block_size_max),
	  LIMIT_TX_SIZE + 64 * KIB, BLOCK_SIZE_MAX },
	{ "blockTxCountMax", offsetof(struct chain_params, block_tx_count_max), 1,
	  BLOCK_TX_COUNT_MAX },
};

void genesis_free_bytes(struct bytes *b)
{
	free((void *)(uintptr_t)b->data);
	*b = (struct bytes){ 0 };
}

void genesis_clear(struct genesis *g)
{
	for (size_t i = 0; i < g->account_count; i++) {
		genesis_free_bytes(&g->accounts[i].code);
		free(g->accounts[i].slots);
	}
	free(g->accounts);
	*g = (struct genesis){ 0 };
}

/* --- building --- */

void genesis_default_params(struct chain_params *p, uint64_t chain_id)
{
	*p = (struct chain_params){
		.chain_id = chain_id,
		.revision = REVISION_OSAKA,
		.block_gas_limit = BLOCK_GAS_LIMIT_DEFAULT,
		.gas_target_per_second = GAS_TARGET_PER_SECOND_DEFAULT,
		.base_fee_floor = wei_of(BASE_FEE_FLOOR_DEFAULT),
		.reward_gwei = REWARD_GWEI_DEFAULT,
		.reward_period_ms = REWARD_PERIOD_MS_DEFAULT,
		.min_interval_ms = MIN_INTERVAL_MS_DEFAULT,
		.heartbeat_ms = HEARTBEAT_MS_DEFAULT,
		.view_timeout_ms = VIEW_TIMEOUT_MS_DEFAULT,
		.epoch_length = EPOCH_LENGTH_DEFAULT,
		.epoch_ms = EPOCH_MS_DEFAULT,
		.validator_count_max = VALIDATOR_COUNT_MAX_DEFAULT,
		.block_size_max = BLOCK_SIZE_MAX,
		.block_tx_count_max = BLOCK_TX_COUNT_MAX,
	};
}

/* The account of `address`, added in its place if it is not there. */
static struct genesis_account *account_of(struct genesis *g, const struct addr *address)
{
	size_t at = 0;

	while (at < g->account_count &&
	       memcmp(g->accounts[at].address.bytes, address->bytes, sizeof(*address)) < 0)
		at++;
	if (at < g->account_count && addr_equal(&g->accounts[at].address, address))
		return &g->accounts[at];
	g->accounts = xrealloc(g->accounts, (g->account_count + 1) * sizeof(*g->accounts));
	memmove(&g->accounts[at + 1], &g->accounts[at],
		(g->account_count - at) * sizeof(*g->accounts));
	g->accounts[at] = (struct genesis_account){ .address = *address };
	g->account_count++;
	return &g->accounts[at];
}

void genesis_fund(struct genesis *g, const struct addr *address, struct wei balance)
{
	struct genesis_account *account = account_of(g, address);

	CHECK(!wei_add(&account->balance, account->balance, balance));
}

#define DEPLOYER_ADDRESS "4e59b44847b379578588920ca78fbf26c0b4956c"

/* Contracts that tools expect at their addresses; public constants of the
 * standards named, runtime code as published there. */
static const struct {
	const char *address;
	const char *code;
} contracts[] = {
	/* EIP-2935, "Serve historical block hashes from state". */
	{ "0000f90827f1c53a10cb7a02335b175320002935",
	  "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111"
	  "604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff600143030655"
	  "00" },
	/* EIP-4788, "Beacon block root in the EVM". */
	{ "000f3df6d732807ef1319fb7b8bb8522d0beac02",
	  "3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f358015"
	  "60495762001fff810690815414603c575f5ffd5b62001fff01545f5260205ff35b5f5ffd5b62001fff"
	  "42064281555f359062001fff015500" },
	/* The deterministic deployer: github.com/Arachnid/deterministic-deployment-proxy. */
	{ DEPLOYER_ADDRESS,
	  "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082"
	  "378035828234f58015156039578182fd5b8082525050506014600cf3" },
};

static void add_contract(struct genesis *g, const char *address_hex, const char *code_hex)
{
	struct genesis_account *account;
	size_t size = strlen(code_hex) / 2;
	uint8_t *code = xmalloc(size);
	struct addr address;

	CHECK(hex_decode(address.bytes, sizeof(address.bytes), bytes_of_str(address_hex)));
	CHECK(hex_decode(code, size, bytes_of_str(code_hex)));
	account = account_of(g, &address);
	account->nonce = 1; /* as every contract since EIP-161 */
	account->code = bytes_of(code, size);
}

void genesis_default(struct genesis *out, uint64_t chain_id, uint64_t time_ms)
{
	*out = (struct genesis){ .time_ms = time_ms };
	genesis_default_params(&out->params, chain_id);
	out->base_fee = out->params.base_fee_floor;
	for (size_t i = 0; i < ARRAY_COUNT(contracts); i++)
		add_contract(out, contracts[i].address, contracts[i].code);
}

void genesis_drop_deployer(struct genesis *g)
{
	struct genesis_account *account;
	struct addr address;

	CHECK(hex_decode(address.bytes, sizeof(address.bytes), bytes_of_str(DEPLOYER_ADDRESS)));
	account = account_of(g, &address);
	genesis_free_bytes(&account->code);
	free(account->slots);
	g->account_count--;
	memmove(account, account + 1,
		(size_t)(g->accounts + g->account_count - account) * sizeof(*account));
}

/* --- the block --- */

void genesis_params_hash(const struct genesis *g, struct hash *out)
{
	const struct chain_params *p = &g->params;
	struct buf b = { 0 };
	size_t list = rlp_list_open(&b);

	rlp_put_u64(&b, PROTOCOL_VERSION);
	rlp_put_u64(&b, p->chain_id);
	rlp_put_u64(&b, (uint64_t)p->revision);
	rlp_put_u64(&b, p->block_gas_limit);
	rlp_put_u64(&b, p->gas_target_per_second);
	rlp_put_u256(&b, &p->base_fee_floor.n);
	rlp_put_bytes(&b, p->has_base_fee_recipient ? addr_bytes(&p->base_fee_recipient)
						    : bytes_of(NULL, 0));
	rlp_put_u64(&b, p->reward_gwei);
	rlp_put_u64(&b, p->reward_period_ms);
	rlp_put_u64(&b, p->min_interval_ms);
	rlp_put_u64(&b, p->heartbeat_ms);
	rlp_put_u64(&b, p->view_timeout_ms);
	rlp_put_u64(&b, p->epoch_length);
	rlp_put_u64(&b, p->epoch_ms);
	rlp_put_u64(&b, p->validator_count_max);
	rlp_put_u64(&b, p->block_size_max);
	rlp_put_u64(&b, p->block_tx_count_max);
	rlp_list_close(&b, list);
	keccak256(out, buf_bytes(&b));
	buf_clear(&b);
}

void genesis_block(const struct genesis *g, const struct hash *state_root, struct block *out)
{
	struct header *h = &out->header;
	struct mmr history;

	*out = (struct block){ .commitments = {
		.time_ms = g->time_ms,
		.validators_hash = g->validators.hash,
		.next_validators_hash = g->validators.hash,
	} };
	mmr_init(&history);
	mmr_root(&history, &out->commitments.history_root);
	h->state_root = *state_root;
	h->transactions_root = header_empty_trie_root;
	h->receipts_root = header_empty_trie_root;
	h->withdrawals_root = header_empty_trie_root;
	h->gas_limit = g->params.block_gas_limit;
	h->timestamp = g->time_ms / 1000;
	h->base_fee = g->base_fee;
	commitments_hash(&out->commitments, &h->extra_data);
	genesis_params_hash(g, &h->parent_beacon_root);
	keccak256(&h->mix_hash, hash_bytes(&h->parent_beacon_root));
	header_hash(h, &out->hash);
}

/* --- writing --- */

static void write_u256(struct jout *j, const char *key, const struct u256 *v)
{
	uint8_t be[32];

	u256_to_be32(be, v);
	jout_key(j, key);
	jout_quantity_be(j, bytes_of(be, sizeof(be)));
}

static void write_quantity(struct jout *j, const char *key, uint64_t v)
{
	jout_key(j, key);
	jout_quantity(j, v);
}

static void write_config(struct jout *j, const struct chain_params *p)
{
	static const char *const fork_times[] = {
		[REVISION_CANCUN] = "cancunTime",
		[REVISION_PRAGUE] = "pragueTime",
		[REVISION_OSAKA] = "osakaTime",
	};

	jout_key(j, "config");
	jout_object(j);
	jout_key(j, "chainId");
	jout_unsigned(j, p->chain_id);
	for (size_t i = 0; i <= (size_t)p->revision; i++) {
		jout_key(j, fork_times[i]);
		jout_unsigned(j, 0);
	}
	jout_object_end(j);
}

static void write_account(struct jout *j, const struct genesis_account *a)
{
	char text[HEX_HASH_SIZE];

	jout_key(j, hex_data(text, addr_bytes(&a->address)));
	jout_object(j);
	write_u256(j, "balance", &a->balance.n);
	if (a->nonce)
		write_quantity(j, "nonce", a->nonce);
	if (a->code.size) {
		jout_key(j, "code");
		jout_data(j, a->code);
	}
	if (a->slot_count) {
		jout_key(j, "storage");
		jout_object(j);
		for (size_t i = 0; i < a->slot_count; i++)
			write_u256(j, hex_data(text, hash_bytes(&a->slots[i].key)),
				   &a->slots[i].value);
		jout_object_end(j);
	}
	jout_object_end(j);
}

static void write_validators(struct jout *j, const struct validator_set *s)
{
	jout_key(j, "validators");
	jout_array(j);
	for (size_t i = 0; i < s->count; i++) {
		jout_object(j);
		jout_key(j, "address");
		jout_data(j, addr_bytes(&s->members[i].address));
		jout_key(j, "weight");
		jout_unsigned(j, s->members[i].weight.n);
		jout_object_end(j);
	}
	jout_array_end(j);
}

static void write_weft(struct jout *j, const struct genesis *g)
{
	const struct chain_params *p = &g->params;

	jout_key(j, "weft");
	jout_object(j);
	write_validators(j, &g->validators);
	for (size_t i = 0; i < GENESIS_NUMBER_COUNT; i++) {
		uint64_t v;

		memcpy(&v, (const uint8_t *)p + genesis_numbers[i].offset, sizeof(v));
		jout_key(j, genesis_numbers[i].name);
		jout_unsigned(j, v);
	}
	write_u256(j, "baseFeeFloor", &p->base_fee_floor.n);
	if (p->has_base_fee_recipient) {
		jout_key(j, "baseFeeRecipient");
		jout_data(j, addr_bytes(&p->base_fee_recipient));
	}
	jout_key(j, "timeMs");
	jout_unsigned(j, g->time_ms);
	jout_object_end(j);
}

void genesis_write(struct buf *out, const struct genesis *g)
{
	struct jout j;

	jout_init(&j, out);
	jout_object(&j);
	write_config(&j, &g->params);
	write_quantity(&j, "timestamp", g->time_ms / 1000);
	write_quantity(&j, "gasLimit", g->params.block_gas_limit);
	write_u256(&j, "baseFeePerGas", &g->base_fee.n);
	jout_key(&j, "alloc");
	jout_object(&j);
	for (size_t i = 0; i < g->account_count; i++)
		write_account(&j, &g->accounts[i]);
	jout_object_end(&j);
	write_weft(&j, g);
	jout_object_end(&j);
}
