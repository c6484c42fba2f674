#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "chain/genesis.h"
#include "crypto/keccak.h"

/* A small genesis, in pieces that the tests below replace. */
#define CONFIG "{\"chainId\":31337,\"osakaTime\":0}"
#define VALIDATOR "{\"address\":\"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\",\"weight\":1}"
#define WEFT "{\"validators\":[" VALIDATOR "]}"
#define GENESIS(config, weft, alloc, rest) \
	"{\"config\":" config ",\"weft\":" weft ",\"alloc\":" alloc rest "}"

static int parse(struct genesis *g, const char *text, struct err *err)
{
	return genesis_parse(g, bytes_of_str(text), err);
}

static void refuse(const char *text, const char *message)
{
	struct err err = { 0 };
	struct genesis g;

	cr_assert_eq(parse(&g, text, &err), CHAIN_E_GENESIS, "taken: %s", text);
	cr_assert_eq(err.code, CHAIN_E_GENESIS);
	assert_message(&err, "genesis");
	assert_message(&err, message);
}

static void accept(struct genesis *g, const char *text)
{
	struct err err = { 0 };

	cr_assert_eq(parse(g, text, &err), OK, "%s: %s", err.message, text);
}

static void accept_and_clear(const char *text)
{
	struct genesis g;

	accept(&g, text);
	genesis_clear(&g);
}

/* That the hash covers every parameter is tested below. */
static void assert_same_params(const struct genesis *a, const struct genesis *b)
{
	struct hash x, y;

	genesis_params_hash(a, &x);
	genesis_params_hash(b, &y);
	cr_assert(hash_equal(&x, &y));
}

Test(genesis, parse_reads_every_member)
{
	struct genesis g;
	struct addr recipient = addr_from_hex("00000000000000000000000000000000000000ff");
	struct addr first = addr_from_hex("0000000000000000000000000000000000000123");

	accept(&g, "{\"config\":{\"chainId\":7,\"homesteadBlock\":0,\"daoForkBlock\":null,\"pragueTime\":0,\"ethash\":{}},"
	       "\"nonce\":\"0x0\",\"number\":\"0x0\",\"extraData\":\"0x11\",\"timestamp\":\"0x65\",\"gasLimit\":\"0x989680\","
	       "\"baseFeePerGas\":\"2000000000\",\"difficulty\":\"0x1\","
	       "\"alloc\":{"
	       "\"f39fd6e51aad88f6f4ce6ab8827279cfffb92266\":{\"balance\":\"0x00de0b6b3a7640000\"},"
	       "\"0x0000000000000000000000000000000000000123\":{\"balance\":\"17\",\"nonce\":\"0x2\","
	       "\"code\":\"0x6001\",\"storage\":{\"0x02\":\"0x0100\",\"0x01\":\"0xff\",\"0x3\":\"0x0\"}}},"
	       "\"weft\":{\"validators\":[" VALIDATOR ",{\"address\":"
	       "\"0000000000000000000000000000000000000001\",\"weight\":3}],"
	       "\"epochLength\":10,\"epochMs\":70,\"validatorCountMax\":9,\"minIntervalMs\":0,\"heartbeatMs\":1500,\"viewTimeoutMs\":\"0x64\","
	       "\"baseFeeFloor\":\"0x0\",\"baseFeeRecipient\":\"0x00000000000000000000000000000000000000ff\","
	       "\"gasTargetPerSecond\":\"0x3e8\",\"rewardGwei\":1,\"rewardPeriodMs\":2,"
	       "\"blockSizeMax\":1000000,\"blockTxCountMax\":5,\"timeMs\":101999}}");
	cr_assert_eq(g.params.chain_id, 7);
	cr_assert_eq(g.params.revision, REVISION_PRAGUE);
	cr_assert_eq(g.params.block_gas_limit, 10000000);
	cr_assert_eq(g.params.gas_target_per_second, 1000);
	cr_assert(u256_is_zero(&g.params.base_fee_floor.n));
	cr_assert(g.params.has_base_fee_recipient);
	cr_assert(addr_equal(&g.params.base_fee_recipient, &recipient));
	cr_assert_eq(g.params.reward_gwei, 1);
	cr_assert_eq(g.params.reward_period_ms, 2);
	cr_assert_eq(g.params.min_interval_ms, 0);
	cr_assert_eq(g.params.heartbeat_ms, 1500);
	cr_assert_eq(g.params.view_timeout_ms, 100);
	cr_assert_eq(g.params.epoch_length, 10);
	cr_assert_eq(g.params.epoch_ms, 70);
	cr_assert_eq(g.params.validator_count_max, 9);
	cr_assert_eq(g.params.block_size_max, 1000000);
	cr_assert_eq(g.params.block_tx_count_max, 5);
	cr_assert_eq(g.time_ms, 101999);
	cr_assert_eq(g.base_fee.n.limbs[0], 2000000000);
	cr_assert_eq(g.validators.count, 2);
	cr_assert_eq(g.validators.total.n, 4);
	cr_assert_eq(g.account_count, 2);
	cr_assert(addr_equal(&g.accounts[0].address, &first));
	cr_assert_eq(g.accounts[0].balance.n.limbs[0], 17);
	cr_assert_eq(g.accounts[0].nonce, 2);
	cr_assert_eq(g.accounts[0].code.size, 2);
	cr_assert_eq(g.accounts[0].slot_count, 2); /* the zero is no slot */
	cr_assert_eq(g.accounts[0].slots[0].key.bytes[31], 1);
	cr_assert_eq(g.accounts[0].slots[1].value.limbs[0], 256);
	cr_assert_eq(g.accounts[1].balance.n.limbs[0], 1000000000000000000);
	genesis_clear(&g);
}

Test(genesis, parse_gives_defaults_to_what_is_absent)
{
	struct genesis g, d;

	accept(&g, GENESIS(CONFIG, WEFT, "{}", ""));
	genesis_default(&d, 31337, 0);
	assert_same_params(&g, &d);
	cr_assert_eq(wei_compare(g.base_fee, d.params.base_fee_floor), 0);
	cr_assert_eq(g.time_ms, 0);
	cr_assert_eq(g.account_count, 0);
	genesis_clear(&g);
	genesis_clear(&d);
	/* The target follows the gas limit. */
	accept(&g, GENESIS(CONFIG, WEFT, "{}", ",\"gasLimit\":10000000"));
	cr_assert_eq(g.params.gas_target_per_second, 50000000);
	genesis_clear(&g);
	accept(&g, "{\"config\":" CONFIG ",\"weft\":" WEFT ",\"timestamp\":12}");
	cr_assert_eq(g.time_ms, 12000);
	genesis_clear(&g);
}

Test(genesis, parse_drops_accounts_that_hold_nothing)
{
	struct genesis g;

	accept(&g, GENESIS(CONFIG, WEFT,
			   "{\"0x0000000000000000000000000000000000000001\":{\"balance\":\"0x0\"},"
			   "\"0x0000000000000000000000000000000000000002\":{\"balance\":\"1\"},"
			   "\"0x0000000000000000000000000000000000000003\":{\"code\":\"0x\"}}", ""));
	cr_assert_eq(g.account_count, 1);
	cr_assert_eq(g.accounts[0].address.bytes[19], 2);
	genesis_clear(&g);
}

Test(genesis, parse_refuses_what_is_no_genesis)
{
	struct err err = { 0 };
	struct genesis g;

	refuse("", "genesis");
	refuse("{", "genesis");
	/* Too long a file is not even looked at. */
	cr_assert_eq(genesis_parse(&g, bytes_of("{}", LIMIT_GENESIS_SIZE + 1), &err),
		     CHAIN_E_GENESIS);
	assert_message(&err, "268435457 bytes, 268435456 are allowed");
	refuse("[]", "the file must be an object");
	refuse("{}", "config is missing");
	refuse("{\"config\":[]}", "config must be an object");
	refuse("{\"config\":" CONFIG "}", "weft is missing");
	refuse("{\"config\":" CONFIG ",\"weft\":7}", "weft must be an object");
	refuse("{\"config\":" CONFIG ",\"config\":" CONFIG ",\"weft\":" WEFT "}", "genesis");
}

#define REFUSE_CONFIG(config, message) refuse(GENESIS(config, WEFT, "{}", ""), message)

Test(genesis, parse_refuses_bad_chain_ids)
{
	REFUSE_CONFIG("{\"osakaTime\":0}", "config.chainId is missing");
	REFUSE_CONFIG("{\"chainId\":0,\"osakaTime\":0}", "config.chainId must be a number from 1");
	REFUSE_CONFIG("{\"chainId\":-1,\"osakaTime\":0}", "config.chainId");
	REFUSE_CONFIG("{\"chainId\":1.5,\"osakaTime\":0}", "config.chainId");
	REFUSE_CONFIG("{\"chainId\":\"x\",\"osakaTime\":0}", "config.chainId");
	REFUSE_CONFIG("{\"chainId\":9007199254740992,\"osakaTime\":0}", "config.chainId");
	accept_and_clear(GENESIS("{\"chainId\":9007199254740991,\"osakaTime\":0}", WEFT, "{}", ""));
}

Test(genesis, parse_refuses_forks_that_are_not_from_the_start)
{
	REFUSE_CONFIG("{\"chainId\":1}", "config names no revision");
	REFUSE_CONFIG("{\"chainId\":1,\"shanghaiTime\":0}", "config names no revision");
	REFUSE_CONFIG("{\"chainId\":1,\"osakaTime\":5}", "config.osakaTime is 5, and must be 0");
	REFUSE_CONFIG("{\"chainId\":1,\"cancunTime\":0,\"pragueTime\":1}", "config.pragueTime is 1");
	REFUSE_CONFIG("{\"chainId\":1,\"osakaTime\":0,\"londonBlock\":1}", "config.londonBlock is 1");
	REFUSE_CONFIG("{\"chainId\":1,\"osakaTime\":0,\"amsterdamTime\":0}", "config.amsterdamTime");
	REFUSE_CONFIG("{\"chainId\":1,\"osakaTime\":\"soon\"}", "fork times");
	REFUSE_CONFIG("{\"chainId\":1,\"osakaTime\":0,\"osakatime\":5}", "config.osakatime names a fork");
	REFUSE_CONFIG("{\"chainId\":1,\"osakaTime\":0,\"moonBlock\":0}", "config.moonBlock names a fork");
	REFUSE_CONFIG("{\"chainId\":1,\"osakaTime\":0,\"bpo1Time\":9}", "config.bpo1Time is 9");
	accept_and_clear(GENESIS("{\"chainId\":1,\"osakaTime\":0,\"amsterdamTime\":null}", WEFT, "{}",
				 ""));
}

#define REFUSE_REST(rest, message) refuse(GENESIS(CONFIG, WEFT, "{}", rest), message)

Test(genesis, parse_refuses_gas_limits_out_of_range)
{
	REFUSE_REST(",\"gaslimit\":5000000", "the file has an unknown member \"gaslimit\"");
	REFUSE_REST(",\"allocs\":{}", "the file has an unknown member \"allocs\"");
	REFUSE_REST(",\"number\":\"0x5\"", "number must be a number from 0 to 0");
	REFUSE_REST(",\"gasLimit\":4999999", "gasLimit must be a number from 5000000");
	REFUSE_REST(",\"gasLimit\":\"0x4000000000001\"", "gasLimit");
	accept_and_clear(GENESIS(CONFIG, WEFT, "{}", ",\"gasLimit\":5000000"));
	accept_and_clear(GENESIS(CONFIG, WEFT, "{}", ",\"gasLimit\":\"0x4000000000000\""));
}

Test(genesis, parse_refuses_fees_below_the_floor_or_out_of_range)
{
	REFUSE_REST(",\"baseFeePerGas\":\"0x3b9ac9ff\"", "baseFeePerGas is below weft.baseFeeFloor");
	REFUSE_REST(",\"baseFeePerGas\":\"0x100000000000000000000000000000000\"",
		    "baseFeePerGas must be an amount");
	REFUSE_REST(",\"baseFeePerGas\":\"\"", "baseFeePerGas must be an amount");
	REFUSE_REST(",\"baseFeePerGas\":\"0x\"", "baseFeePerGas must be an amount");
	REFUSE_REST(",\"baseFeePerGas\":[]", "baseFeePerGas must be an amount");
	accept_and_clear(GENESIS(CONFIG, WEFT, "{}", ",\"baseFeePerGas\":\"0x3b9aca00\""));
}

#define REFUSE_WEFT(members, message) \
	refuse(GENESIS(CONFIG, "{\"validators\":[" VALIDATOR "]," members "}", "{}", ""), message)
#define ACCEPT_WEFT(members) \
	accept_and_clear(GENESIS(CONFIG, "{\"validators\":[" VALIDATOR "]," members "}", "{}", ""))

Test(genesis, parse_refuses_weft_numbers_out_of_range)
{
	REFUSE_WEFT("\"epochLength\":0", "weft.epochLength must be a number from 1 to 1000000");
	REFUSE_WEFT("\"epochLength\":1000001", "weft.epochLength");
	REFUSE_WEFT("\"epochMs\":31536000001", "weft.epochMs must be a number from 0 to 31536000000");
	REFUSE_WEFT("\"validatorCountMax\":0", "weft.validatorCountMax must be a number from 1 to");
	REFUSE_WEFT("\"validatorCountMax\":257", "weft.validatorCountMax");
	ACCEPT_WEFT("\"epochMs\":0,\"validatorCountMax\":1");
	REFUSE_WEFT("\"heartbeatMs\":0", "weft.heartbeatMs");
	REFUSE_WEFT("\"heartbeatMs\":99", "weft.heartbeatMs (99) is below weft.minIntervalMs (100)");
	REFUSE_WEFT("\"minIntervalMs\":40000", "weft.heartbeatMs (30000) is below");
	REFUSE_WEFT("\"minIntervalMs\":-1", "weft.minIntervalMs");
	REFUSE_WEFT("\"viewTimeoutMs\":0", "weft.viewTimeoutMs");
	REFUSE_WEFT("\"gasTargetPerSecond\":0", "weft.gasTargetPerSecond");
	REFUSE_WEFT("\"rewardPeriodMs\":0", "weft.rewardPeriodMs");
	REFUSE_WEFT("\"rewardGwei\":\"0x20000000000001\"", "weft.rewardGwei");
	REFUSE_WEFT("\"blockSizeMax\":8388609", "weft.blockSizeMax");
	REFUSE_WEFT("\"blockSizeMax\":196607", "weft.blockSizeMax");
	REFUSE_WEFT("\"blockTxCountMax\":10001", "weft.blockTxCountMax");
	REFUSE_WEFT("\"blockTxCountMax\":0", "weft.blockTxCountMax");
	REFUSE_WEFT("\"baseFeeFloor\":\"x\"", "weft.baseFeeFloor");
	REFUSE_WEFT("\"baseFeeRecipient\":\"0x12\"", "weft.baseFeeRecipient");
	REFUSE_WEFT("\"baseFeeRecipient\":null", "weft.baseFeeRecipient");
	REFUSE_WEFT("\"epochlength\":5", "weft has an unknown member \"epochlength\"");
	ACCEPT_WEFT("\"epochLength\":1000000,\"blockSizeMax\":196608,\"rewardGwei\":0");
	ACCEPT_WEFT("\"heartbeatMs\":100,\"minIntervalMs\":100");
}

Test(genesis, parse_refuses_times_that_contradict)
{
	refuse(GENESIS(CONFIG, "{\"validators\":[" VALIDATOR "],\"timeMs\":5000}", "{}",
		       ",\"timestamp\":\"0x6\""),
	       "timestamp (6 s) and weft.timeMs (5000 ms) contradict");
	REFUSE_REST(",\"timestamp\":\"0xffffffffffffffff\"", "timestamp");
	REFUSE_WEFT("\"timeMs\":\"0x20000000000001\"", "weft.timeMs");
}

#define REFUSE_VALIDATORS(list, message) \
	refuse(GENESIS(CONFIG, "{\"validators\":" list "}", "{}", ""), message)

Test(genesis, parse_refuses_bad_validators)
{
	struct buf many = { 0 };

	refuse(GENESIS(CONFIG, "{}", "{}", ""), "weft.validators must be a list of 1 to 256");
	REFUSE_VALIDATORS("[]", "weft.validators must be a list");
	REFUSE_VALIDATORS("{}", "weft.validators must be a list");
	REFUSE_VALIDATORS("[7]", "weft.validators[0] must be an object");
	REFUSE_VALIDATORS("[{}]", "weft.validators[0].address");
	REFUSE_VALIDATORS("[{\"address\":\"0xf39F\"}]", "weft.validators[0].address");
	REFUSE_VALIDATORS("[" VALIDATOR "," VALIDATOR "]", "stands twice");
	REFUSE_VALIDATORS("[{\"address\":\"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\","
			  "\"weight\":0}]", "weft.validators[0].weight");
	REFUSE_VALIDATORS("[{\"address\":\"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\","
			  "\"weight\":1099511627777}]", "weft.validators[0].weight");
	REFUSE_VALIDATORS("[{\"address\":\"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\","
			  "\"wieght\":2}]", "weft.validators[0] has an unknown member \"wieght\"");
	/* as many as the chain allows, and one more */
	buf_printf(&many, "{\"config\":" CONFIG ",\"weft\":{\"validatorCountMax\":3,\"validators\":[");
	for (int i = 0; i < 4; i++)
		buf_printf(&many, "%s{\"address\":\"%040x\"}", i ? "," : "", i + 1);
	buf_printf(&many, "]}}");
	buf_append_byte(&many, 0);
	refuse((const char *)many.data, "weft.validators are 4, and weft.validatorCountMax is 3");
	buf_reset(&many);
	buf_printf(&many, "{\"config\":" CONFIG ",\"weft\":{\"validators\":[");
	for (int i = 0; i <= VALIDATOR_COUNT_MAX; i++)
		buf_printf(&many, "%s{\"address\":\"%040x\"}", i ? "," : "", i + 1);
	buf_printf(&many, "]}}");
	buf_append_byte(&many, 0);
	refuse((const char *)many.data, "weft.validators must be a list of 1 to 256");
	buf_clear(&many);
}

#define A1 "0x00000000000000000000000000000000000000a1"
#define REFUSE_ALLOC(alloc, message) refuse(GENESIS(CONFIG, WEFT, alloc, ""), message)

Test(genesis, parse_refuses_bad_accounts)
{
	struct buf code = { 0 };

	REFUSE_ALLOC("[]", "alloc must be an object");
	REFUSE_ALLOC("{\"0x1\":{\"balance\":\"1\"}}", "alloc[0x1] is not an address");
	REFUSE_ALLOC("{\"" A1 "\":5}", "alloc[" A1 "] must be an object");
	REFUSE_ALLOC("{\"" A1 "\":{\"balanse\":\"1\"}}", "unknown member \"balanse\"");
	REFUSE_ALLOC("{\"" A1 "\":{\"balance\":\"-1\"}}", "alloc[" A1 "].balance");
	REFUSE_ALLOC("{\"" A1 "\":{\"nonce\":\"0xffffffffffffffff\"}}", "alloc[" A1 "].nonce");
	REFUSE_ALLOC("{\"" A1 "\":{\"code\":\"6001\"}}", "alloc[" A1 "].code");
	REFUSE_ALLOC("{\"" A1 "\":{\"code\":\"0x600\"}}", "alloc[" A1 "].code");
	REFUSE_ALLOC("{\"" A1 "\":{\"code\":\"0x00\",\"storage\":[]}}", "storage must be an object");
	REFUSE_ALLOC("{\"" A1 "\":{\"code\":\"0x00\",\"storage\":{\"x\":\"0x1\"}}}", "has a key");
	REFUSE_ALLOC("{\"" A1 "\":{\"code\":\"0x00\",\"storage\":{\"0x1\":1}}}", "storage[0x1]");
	REFUSE_ALLOC("{\"" A1 "\":{\"code\":\"0x00\",\"storage\":{\"0x1\":\"0x1\",\"0x01\":\"0x2\"}}}",
		     "names a slot twice");
	REFUSE_ALLOC("{\"" A1 "\":{\"storage\":{\"0x1\":\"0x1\"}}}", "storage and no code");
	buf_printf(&code, "{\"config\":" CONFIG ",\"weft\":" WEFT ",\"alloc\":{\"" A1
		   "\":{\"code\":\"0x");
	for (size_t i = 0; i <= CODE_SIZE_MAX; i++)
		buf_printf(&code, "00");
	buf_printf(&code, "\"}}}");
	buf_append_byte(&code, 0);
	refuse((const char *)code.data, "at most 24576 bytes");
	buf_clear(&code);
}

Test(genesis, parse_refuses_an_address_in_two_spellings)
{
	REFUSE_ALLOC("{\"0x00000000000000000000000000000000000000a1\":{\"balance\":\"1\"},"
		     "\"0x00000000000000000000000000000000000000A1\":{\"balance\":\"1\"}}",
		     "alloc names " A1 " twice");
	REFUSE_ALLOC("{\"0x00000000000000000000000000000000000000a1\":{\"balance\":\"1\"},"
		     "\"00000000000000000000000000000000000000a1\":{\"balance\":\"1\"}}",
		     "alloc names " A1 " twice");
	/* Even if one of them holds nothing. */
	REFUSE_ALLOC("{\"0x00000000000000000000000000000000000000a1\":{},"
		     "\"00000000000000000000000000000000000000a1\":{\"balance\":\"1\"}}",
		     "alloc names " A1 " twice");
}

Test(genesis, parse_refuses_a_supply_beyond_128_bits)
{
	REFUSE_ALLOC("{\"" A1 "\":{\"balance\":\"0x100000000000000000000000000000000\"}}", ".balance");
	REFUSE_ALLOC("{\"" A1 "\":{\"balance\":\"0xffffffffffffffffffffffffffffffff\"},"
		     "\"0x00000000000000000000000000000000000000a2\":{\"balance\":\"1\"}}",
		     "add up to 2^128 wei or more");
	accept_and_clear(GENESIS(CONFIG, WEFT,
				 "{\"" A1 "\":{\"balance\":\"0xffffffffffffffffffffffffffffffff\"}}",
				 ""));
}

/* --- building and writing --- */

static void fill(struct genesis *g)
{
	struct secret_key keys[VALIDATOR_COUNT_MAX];

	genesis_default(g, 1234, 1700000000123);
	make_set(&g->validators, keys, 4, (const uint64_t[]){ 1, 2, 3, 4 });
	for (uint64_t i = 0; i < 10; i++) {
		struct addr a = addr_of(i);

		genesis_fund(g, &a, wei_of(1000 + i));
	}
}

static bool same_accounts(const struct genesis *a, const struct genesis *b)
{
	if (a->account_count != b->account_count)
		return false;
	for (size_t i = 0; i < a->account_count; i++) {
		const struct genesis_account *x = &a->accounts[i], *y = &b->accounts[i];

		if (!addr_equal(&x->address, &y->address) || x->nonce != y->nonce ||
		    wei_compare(x->balance, y->balance) != 0 || !bytes_equal(x->code, y->code) ||
		    x->slot_count != y->slot_count ||
		    (x->slot_count && memcmp(x->slots, y->slots, x->slot_count * sizeof(*x->slots))))
			return false;
	}
	return true;
}

Test(genesis, write_is_read_back_the_same)
{
	for (int variant = 0; variant < 3; variant++) {
		struct genesis g, back;
		struct buf text = { 0 }, again = { 0 };
		struct err err = { 0 };

		fill(&g);
		g.params.revision = (enum revision)variant;
		g.params.min_interval_ms = 0;
		g.params.reward_gwei = 1ull << 53;
		g.params.has_base_fee_recipient = variant == 1;
		g.params.base_fee_recipient = variant == 1 ? addr_of(9) : (struct addr){ 0 };
		g.accounts[0].slots = calloc(2, sizeof(struct genesis_slot));
		g.accounts[0].slot_count = g.accounts[0].code.size ? 2 : 0;
		g.accounts[0].slots[0] = (struct genesis_slot){ { { 1 } }, u256_of(5) };
		g.accounts[0].slots[1] = (struct genesis_slot){ { { 2 } }, { { 0, 0, 0, 1 } } };
		genesis_write(&text, &g);
		cr_assert_eq(genesis_parse(&back, buf_bytes(&text), &err), OK, "%s", err.message);
		assert_same_params(&g, &back);
		cr_assert(hash_equal(&g.validators.hash, &back.validators.hash));
		cr_assert_eq(g.time_ms, back.time_ms);
		cr_assert_eq(wei_compare(g.base_fee, back.base_fee), 0);
		cr_assert(same_accounts(&g, &back));
		genesis_write(&again, &back);
		assert_bytes(buf_bytes(&again), buf_bytes(&text));
		buf_clear(&text);
		buf_clear(&again);
		genesis_clear(&g);
		genesis_clear(&back);
	}
}

Test(genesis, default_holds_the_contracts_that_tools_expect)
{
	/* Code hashes as explorers show them for these addresses. */
	static const struct {
		const char *address, *code_hash;
	} contracts[] = {
		{ "0000f90827f1c53a10cb7a02335b175320002935",
		  "6e49e66782037c0555897870e29fa5e552daf4719552131a0abce779daec0a5d" },
		{ "000f3df6d732807ef1319fb7b8bb8522d0beac02",
		  "f57acd40259872606d76197ef052f3d35588dadf919ee1f0e3cb9b62d3f4b02c" },
		{ "4e59b44847b379578588920ca78fbf26c0b4956c",
		  "2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989" },
	};
	struct genesis g;

	genesis_default(&g, 31337, 0);
	cr_assert_eq(g.account_count, 3);
	for (size_t i = 0; i < 3; i++) {
		struct addr address = addr_from_hex(contracts[i].address);
		struct hash want = hash_from_hex(contracts[i].code_hash), got;

		cr_assert(addr_equal(&g.accounts[i].address, &address));
		keccak256(&got, g.accounts[i].code);
		cr_assert(hash_equal(&got, &want), "%s", contracts[i].address);
		cr_assert_eq(g.accounts[i].nonce, 1);
	}
	cr_assert_eq(g.params.revision, REVISION_OSAKA);
	cr_assert_eq(g.validators.count, 0);
	genesis_clear(&g);
}

Test(genesis, drop_deployer_takes_that_one_account)
{
	struct addr deployer = addr_from_hex("4e59b44847b379578588920ca78fbf26c0b4956c");
	struct addr before = addr_of(1), behind = addr_of(0xff);
	struct genesis g;

	genesis_default(&g, 31337, 0);
	genesis_fund(&g, &before, wei_of(1));
	genesis_fund(&g, &behind, wei_of(1));
	for (int again = 0; again < 2; again++) {
		genesis_drop_deployer(&g);
		cr_assert_eq(g.account_count, 4);
		for (size_t i = 0; i < 4; i++) {
			cr_assert(!addr_equal(&g.accounts[i].address, &deployer));
			if (i > 0)
				cr_assert_lt(memcmp(g.accounts[i - 1].address.bytes,
						    g.accounts[i].address.bytes, 20), 0);
		}
	}
	genesis_clear(&g);
}

Test(genesis, fund_keeps_order_and_adds)
{
	struct genesis g;
	struct addr a = addr_of(3);
	size_t found = 0;

	fill(&g);
	genesis_fund(&g, &a, wei_of(7));
	cr_assert_eq(g.account_count, 13);
	for (size_t i = 0; i < g.account_count; i++) {
		if (i > 0)
			cr_assert_lt(memcmp(g.accounts[i - 1].address.bytes,
					    g.accounts[i].address.bytes, 20), 0);
		if (!addr_equal(&g.accounts[i].address, &a))
			continue;
		found++;
		cr_assert_eq(g.accounts[i].balance.n.limbs[0], 1010);
	}
	cr_assert_eq(found, 1);
	genesis_clear(&g);
}

/* --- the block --- */

static struct hash block_hash_of(const struct genesis *g)
{
	struct hash state_root = hash_of(1);
	struct block b;

	genesis_block(g, &state_root, &b);
	return b.hash;
}

Test(genesis, block_has_the_design_s_fields)
{
	struct hash state_root = hash_of(1), h;
	struct genesis g;
	struct block b;

	fill(&g);
	genesis_block(&g, &state_root, &b);
	cr_assert(hash_is_zero(&b.header.parent_hash));
	cr_assert(addr_is_zero(&b.header.coinbase));
	cr_assert(hash_equal(&b.header.state_root, &state_root));
	cr_assert_eq(b.header.height, 0);
	cr_assert_eq(b.header.gas_limit, BLOCK_GAS_LIMIT_DEFAULT);
	cr_assert_eq(b.header.timestamp, 1700000000);
	cr_assert_eq(b.commitments.time_ms, 1700000000123);
	cr_assert(hash_equal(&b.commitments.validators_hash, &g.validators.hash));
	cr_assert(hash_equal(&b.commitments.next_validators_hash, &g.validators.hash));
	cr_assert(hash_is_zero(&b.commitments.history_root));
	genesis_params_hash(&g, &h);
	cr_assert(hash_equal(&b.header.parent_beacon_root, &h));
	keccak256(&h, hash_bytes(&h));
	cr_assert(hash_equal(&b.header.mix_hash, &h));
	commitments_hash(&b.commitments, &h);
	cr_assert(hash_equal(&b.header.extra_data, &h));
	header_hash(&b.header, &h);
	cr_assert(hash_equal(&b.hash, &h));

	/* It is a block like any other. */
	struct buf rlp = { 0 };
	struct block back;
	struct err err = { 0 };
	block_encode_sealed(&rlp, &b);
	cr_assert_eq(block_decode_sealed(&back, buf_bytes(&rlp), &err), OK, "%s", err.message);
	cr_assert(hash_equal(&back.hash, &b.hash));
	buf_clear(&rlp);
	block_clear(&back);
	genesis_clear(&g);
}

#define CHANGES(statement)                                          \
	do {                                                        \
		struct chain_params saved = g.params;               \
		statement;                                          \
		struct hash other = block_hash_of(&g);              \
		cr_assert_not(hash_equal(&other, &hash), #statement); \
		g.params = saved;                                   \
	} while (0)

Test(genesis, every_parameter_changes_the_hash)
{
	struct genesis g;
	struct hash hash;

	fill(&g);
	hash = block_hash_of(&g);
	CHANGES(g.params.chain_id++);
	CHANGES(g.params.revision = REVISION_PRAGUE);
	CHANGES(g.params.block_gas_limit++);
	CHANGES(g.params.gas_target_per_second++);
	CHANGES(g.params.base_fee_floor = wei_of(1));
	CHANGES(g.params.has_base_fee_recipient = true);
	CHANGES((g.params.has_base_fee_recipient = true, g.params.base_fee_recipient = addr_of(1)));
	CHANGES(g.params.reward_gwei++);
	CHANGES(g.params.reward_period_ms++);
	CHANGES(g.params.min_interval_ms++);
	CHANGES(g.params.heartbeat_ms++);
	CHANGES(g.params.view_timeout_ms++);
	CHANGES(g.params.epoch_length++);
	CHANGES(g.params.epoch_ms++);
	CHANGES(g.params.validator_count_max++);
	CHANGES(g.params.block_size_max--);
	CHANGES(g.params.block_tx_count_max--);
	g.time_ms++;
	struct hash later = block_hash_of(&g);
	cr_assert_not(hash_equal(&later, &hash));
	genesis_clear(&g);
}
