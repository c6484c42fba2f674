#include "app/load_token.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/cli.h"
#include "app/files.h"
#include "base/check.h"
#include "codec/hex.h"

#define ARTIFACT_SIZE_MAX (8 * MIB)
#define DEPLOY_GAS 8000000

/* --- init code out of a file --- */

static struct bytes trimmed(struct bytes text)
{
	while (text.size && text.data[text.size - 1] <= ' ')
		text.size--;
	return text;
}

static bool put_hex(struct buf *out, struct bytes text)
{
	bool has_prefix = text.size >= 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x';

	if (has_prefix)
		text = bytes_of(text.data + 2, text.size - 2);
	return text.size % 2 == 0 && hex_decode(buf_extend(out, text.size / 2), text.size / 2, text);
}

/* Where the three tools have it. */
static struct bytes artifact_code(const struct jval *root)
{
	const struct jval *flat = jval_get(root, "bytecode");
	const struct jval *solc = jval_get(jval_get(root, "evm"), "bytecode");

	if (jval_kind(flat) == JVAL_STRING)
		return jval_string(flat);
	return jval_string(jval_get(flat ? flat : solc, "object"));
}

int load_token_read(struct buf *out, const char *path, const char *arguments, struct err *err)
{
	struct buf text = { 0 };
	struct jval *root = NULL;
	struct bytes code;
	size_t start = out->size;
	int rc = file_read(path, &text, ARTIFACT_SIZE_MAX, err);

	if (rc != OK)
		return rc;
	code = trimmed(buf_bytes(&text));
	if (code.size && code.data[0] == '{' && jval_parse(&root, code, NULL) == OK)
		code = artifact_code(root);
	if (code.size == 0 || !put_hex(out, code))
		rc = ERR_SET(err, APP_E_REFUSED, "%s holds no bytecode: neither hex digits nor an artifact with "
			     "all libraries linked", path);
	else if (arguments && !put_hex(out, bytes_of_str(arguments)))
		rc = ERR_SET(err, APP_E_REFUSED, "--constructor takes hex digits");
	if (rc != OK)
		out->size = start;
	jval_free(root);
	buf_clear(&text);
	return rc;
}

/* --- deploying --- */

static uint64_t unit_of(size_t index)
{
	return index + 1;
}

/* What a sender moves in all, and some more. */
static struct u256 share_of(const struct load_plan *p, size_t index)
{
	struct u256 n = u256_of(p->options.transfer_count / p->options.sender_count + 2);
	struct u256 unit = u256_of(unit_of(index));

	u256_mul(&n, &n, &unit);
	return n;
}

void load_token_fill(const struct load_plan *p, size_t index, uint8_t out[ERC20_TRANSFER_SIZE])
{
	const struct u256 unit = u256_of(unit_of(index));

	erc20_transfer_data(out, &p->senders[(index + 1) % p->options.sender_count].address, &unit);
}

static int create(struct load_plan *p, struct rpc_client *c, struct load_funder *f, bool is_first,
		  struct err *err)
{
	struct tx t = { .type = p->options.type, .is_create = true, .data = p->options.init_code,
			.gas_limit = DEPLOY_GAS };
	const struct jval *code;
	struct addr address;
	char text[HEX_ADDR_SIZE], params[64];
	int size, rc;

	tx_create_address(&address, &f->address, f->nonce);
	if (!is_first && !addr_equal(&address, &p->token))
		return ERR_SET(err, RPC_CLIENT_E_REPLY, "the token gets another address than on the first chain: "
			       "start both anew");
	p->token = address;
	rc = load_funder_send(p, c, f, &t, err);
	if (rc == OK)
		rc = load_funder_wait(c, f, err);
	if (rc != OK)
		return err_prefix(err, rc, "deploying the token");
	size = snprintf(params, sizeof(params), "[\"%s\",\"latest\"]", hex_data(text, addr_bytes(&address)));
	rc = rpc_client_call(c, "eth_getCode", bytes_of(params, (size_t)size), &code, err);
	if (rc == OK && jval_string(code).size <= 2)
		rc = ERR_SET(err, RPC_CLIENT_E_REPLY, "the token's constructor fails");
	return rc;
}

static int give_shares(struct load_plan *p, struct rpc_client *c, struct load_funder *f, struct err *err)
{
	uint8_t data[ERC20_TRANSFER_SIZE];
	struct tx t = { .type = p->options.type, .to = p->token, .gas_limit = p->options.token_gas,
			.data = bytes_of(data, sizeof(data)) };
	int rc = OK;

	for (size_t i = 0; rc == OK && i < p->options.sender_count; i++) {
		struct u256 share = share_of(p, i);

		erc20_transfer_data(data, &p->senders[i].address, &share);
		rc = load_funder_send(p, c, f, &t, err);
	}
	if (rc == OK)
		rc = load_funder_wait(c, f, err);
	return rc == OK ? OK : err_prefix(err, rc, "giving the senders their tokens");
}

int load_token_deploy(struct load_plan *p, struct rpc_client *c, bool is_first, struct err *err)
{
	struct u256 *balances = xcalloc(p->options.sender_count, sizeof(*balances));
	struct load_funder f;
	int rc = load_funder_begin(p, c, 0, &f, err);

	if (rc == OK)
		rc = create(p, c, &f, is_first, err);
	if (rc == OK)
		rc = give_shares(p, c, &f, err);
	if (rc == OK)
		rc = load_plan_ask(p, c, LOAD_ASK_TOKENS, balances, err);
	for (size_t i = 0; rc == OK && i < p->options.sender_count; i++) {
		struct u256 share = share_of(p, i);

		if (!u256_equal(&balances[i], &share))
			rc = ERR_SET(err, RPC_CLIENT_E_REPLY, "sender %zu did not get its tokens: its deployer must own "
				     "them, and a transfer take no more than --token-gas", i);
	}
	free(balances);
	return rc;
}

/* --- the end --- */

/* What sender `index` has moved, whose newest nonce is `nonce`. */
static struct u256 moved(const struct load_plan *p, size_t index, const struct u256 *nonce)
{
	struct u256 count = u256_of(nonce->limbs[0] - p->senders[index].nonce);
	struct u256 unit = u256_of(unit_of(index));

	u256_mul(&count, &count, &unit);
	return count;
}

int load_token_check(const struct load_plan *p, struct rpc_client *c, struct err *err)
{
	char have[U256_DECIMAL_MAX + 1], want[U256_DECIMAL_MAX + 1];
	size_t all = p->options.sender_count;
	struct u256 *balances = xcalloc(all, sizeof(*balances)), *nonces = xcalloc(all, sizeof(*nonces));
	int rc = load_plan_ask(p, c, LOAD_ASK_TOKENS, balances, err);

	if (rc == OK)
		rc = load_plan_ask(p, c, LOAD_ASK_NONCE, nonces, err);
	for (size_t i = 0; rc == OK && i < all; i++) {
		size_t before = (i + all - 1) % all;
		struct u256 expected = share_of(p, i), out = moved(p, i, &nonces[i]);
		struct u256 in = moved(p, before, &nonces[before]);

		u256_add(&expected, &expected, &in);
		u256_sub(&expected, &expected, &out);
		if (!u256_equal(&expected, &balances[i]))
			rc = ERR_SET(err, RPC_CLIENT_E_REPLY, "sender %zu has %s of the token, not %s: transfers "
				     "failed", i, u256_to_decimal(have, &balances[i]),
				     u256_to_decimal(want, &expected));
	}
	free(balances);
	free(nonces);
	return rc;
}
