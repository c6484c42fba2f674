/*
 * sign_load CHAIN_ID - writes signed transfers to stdout for as long as somebody
 * reads them: the load of the kill tests, faster than JavaScript signs.
 *
 *     <sender 0-9> <hash> <transaction>
 *
 * The senders are the accounts of --dev, in turns, each with its nonces from 0 on;
 * types 0, 1 and 2 take turns too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "chain/params.h"
#include "chain/tx.h"
#include "codec/hex.h"
#include "crypto/hd.h"

#define SENDER_COUNT 10
#define PRICE_GWEI 20

static const uint8_t blinding[32] = { 1 };

struct signer {
	struct ecc *ecc;
	struct secret_key keys[SENDER_COUNT];
	struct addr addresses[SENDER_COUNT];
};

static void derive(struct signer *s)
{
	struct err err = { 0 };

	s->ecc = ecc_new(blinding);
	for (unsigned i = 0; i < SENDER_COUNT; i++) {
		struct public_key public;
		char path[64];

		snprintf(path, sizeof(path), HD_ETHEREUM_PATH "%u", i);
		if (hd_derive(s->ecc, &s->keys[i], HD_DEV_MNEMONIC, path, &err) != OK ||
		    ecc_public_key(s->ecc, &public, &s->keys[i], &err) != OK)
			fatal("%s", err.message);
		ecc_address(&s->addresses[i], &public);
	}
}

/* False when nobody reads any more. */
static bool put_transfer(const struct signer *s, uint64_t chain_id, uint64_t k)
{
	unsigned sender = (unsigned)(k % SENDER_COUNT);
	struct wei price = wei_of(PRICE_GWEI * WEI_PER_GWEI);
	struct tx *t, fields = {
		.type = (enum tx_type)(k / SENDER_COUNT % 3),
		.has_chain_id = true,
		.chain_id = chain_id,
		.nonce = k / SENDER_COUNT,
		.gas_limit = GAS_TX,
		.max_fee = price,
		.max_priority_fee = price,
		.value = wei_of(1),
		.to = s->addresses[(sender + 1) % SENDER_COUNT],
	};
	struct err err = { 0 };
	char hash[HEX_HASH_SIZE], *raw;
	bool is_read;

	if (tx_sign(&t, s->ecc, &fields, &s->keys[sender], &err) != OK)
		fatal("%s", err.message);
	raw = xmalloc(2 * t->raw.size + 1);
	hex_encode(raw, t->raw);
	raw[2 * t->raw.size] = '\0';
	is_read = printf("%u %s 0x%s\n", sender, hex_data(hash, hash_bytes(&t->hash)), raw) > 0;
	free(raw);
	tx_unref(t);
	return is_read;
}

int main(int argc, char **argv)
{
	struct signer s;
	uint64_t chain_id = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;

	if (chain_id == 0) {
		fprintf(stderr, "usage: sign_load CHAIN_ID\n");
		return 2;
	}
	derive(&s);
	for (uint64_t k = 0; put_transfer(&s, chain_id, k); k++)
		;
	ecc_free(s.ecc);
	return 0;
}
