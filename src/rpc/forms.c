#include "rpc/forms.h"

#include "base/check.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"

void form_hash(struct jout *j, const struct hash *h)
{
	jout_data(j, hash_bytes(h));
}

void form_addr(struct jout *j, const struct addr *a)
{
	jout_data(j, addr_bytes(a));
}

char *form_checksummed(char out[HEX_ADDR_SIZE], const struct addr *a)
{
	struct hash h;

	hex_data(out, addr_bytes(a));
	keccak256(&h, bytes_of(out + 2, 40));
	for (int k = 0; k < 40; k++) {
		int nibble = h.bytes[k / 2] >> (k % 2 ? 0 : 4) & 15;

		if (out[2 + k] >= 'a' && nibble >= 8)
			out[2 + k] = (char)(out[2 + k] - 'a' + 'A');
	}
	return out;
}

void form_u256(struct jout *j, const struct u256 *v)
{
	uint8_t be[32];

	u256_to_be32(be, v);
	jout_quantity_be(j, bytes_of(be, sizeof(be)));
}

void form_wei(struct jout *j, struct wei v)
{
	form_u256(j, &v.n);
}

void form_key_hash(struct jout *j, const char *key, const struct hash *h)
{
	jout_key(j, key);
	form_hash(j, h);
}

void form_key_addr(struct jout *j, const char *key, const struct addr *a)
{
	jout_key(j, key);
	form_addr(j, a);
}

void form_key_wei(struct jout *j, const char *key, struct wei v)
{
	jout_key(j, key);
	form_wei(j, v);
}

void form_key_quantity(struct jout *j, const char *key, uint64_t v)
{
	jout_key(j, key);
	jout_quantity(j, v);
}

void form_key_data(struct jout *j, const char *key, struct bytes data)
{
	jout_key(j, key);
	jout_data(j, data);
}

static void key_null(struct jout *j, const char *key)
{
	jout_key(j, key);
	jout_null(j);
}

/* --- blocks --- */

/* sha256 of nothing: no requests (EIP-7685). */
static const struct hash empty_requests_hash = { {
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
	0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
	0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
} };

void form_block_head(struct jout *j, const struct rpc_block *b)
{
	static const uint8_t zero_nonce[8];
	const struct header *h = &b->header;

	jout_object(j);
	form_key_wei(j, "baseFeePerGas", h->base_fee);
	form_key_quantity(j, "blobGasUsed", 0);
	form_key_quantity(j, "difficulty", 0);
	form_key_quantity(j, "excessBlobGas", 0);
	form_key_hash(j, "extraData", &h->extra_data);
	form_key_quantity(j, "gasLimit", h->gas_limit);
	form_key_quantity(j, "gasUsed", h->gas_used);
	form_key_hash(j, "hash", &b->hash);
	form_key_data(j, "logsBloom", bytes_of(h->logs_bloom.bytes, BLOOM_SIZE));
	form_key_addr(j, "miner", &h->coinbase);
	form_key_hash(j, "mixHash", &h->mix_hash);
	form_key_data(j, "nonce", bytes_of(zero_nonce, sizeof(zero_nonce)));
	form_key_quantity(j, "number", h->height);
	form_key_hash(j, "parentBeaconBlockRoot", &h->parent_beacon_root);
	form_key_hash(j, "parentHash", &h->parent_hash);
	form_key_hash(j, "receiptsRoot", &h->receipts_root);
	form_key_hash(j, "requestsHash", &empty_requests_hash);
	form_key_hash(j, "sha3Uncles", &header_empty_ommers_hash);
	form_key_quantity(j, "size", b->size);
	form_key_hash(j, "stateRoot", &h->state_root);
	form_key_quantity(j, "timestamp", h->timestamp);
	jout_key(j, "transactions");
}

static void form_withdrawal(struct jout *j, const struct withdrawal *w)
{
	jout_object(j);
	form_key_quantity(j, "index", w->index);
	form_key_quantity(j, "validatorIndex", w->validator_index);
	form_key_addr(j, "address", &w->address);
	form_key_quantity(j, "amount", w->amount_gwei);
	jout_object_end(j);
}

void form_block_tail(struct jout *j, const struct rpc_block *b)
{
	form_key_hash(j, "transactionsRoot", &b->header.transactions_root);
	jout_key(j, "uncles");
	jout_array(j);
	jout_array_end(j);
	jout_key(j, "withdrawals");
	jout_array(j);
	for (size_t k = 0; k < b->withdrawal_count; k++)
		form_withdrawal(j, &b->withdrawals[k]);
	jout_array_end(j);
	form_key_hash(j, "withdrawalsRoot", &b->header.withdrawals_root);
	jout_object_end(j);
}

/* --- transactions --- */

void form_key_access_list(struct jout *j, const char *key, struct bytes list)
{
	struct addr address;
	struct bytes slots;
	size_t count;

	jout_key(j, key);
	jout_array(j);
	while (tx_access_next(&list, &address, &slots, &count)) {
		jout_object(j);
		form_key_addr(j, "address", &address);
		jout_key(j, "storageKeys");
		jout_array(j);
		for (size_t k = 0; k < count; k++)
			jout_data(j, bytes_of(slots.data + 33 * k + 1, 32));
		jout_array_end(j);
		jout_object_end(j);
	}
	jout_array_end(j);
}

/* EIP-7702. */
static void form_authorizations(struct jout *j, struct bytes list)
{
	struct authorization a;

	jout_key(j, "authorizationList");
	jout_array(j);
	while (tx_authorization_next(&list, &a)) {
		jout_object(j);
		jout_key(j, "chainId");
		form_u256(j, &a.chain_id);
		form_key_addr(j, "address", &a.address);
		form_key_quantity(j, "nonce", a.nonce);
		jout_key(j, "yParity");
		form_u256(j, &a.y_parity);
		jout_key(j, "r");
		form_u256(j, &a.r);
		jout_key(j, "s");
		form_u256(j, &a.s);
		jout_object_end(j);
	}
	jout_array_end(j);
}

/* The price that was or will be paid: known once the block is. */
static struct wei price_of(const struct tx *t, const struct form_place *place)
{
	struct wei price = t->max_fee;

	if (place)
		tx_effective_price(t, place->base_fee, &price);
	return price;
}

/* `v` of a legacy transaction: 27 or 28, or with the chain id in it (EIP-155). */
static void form_signature(struct jout *j, const struct tx *t)
{
	struct u256 v = u256_of(t->sig.recovery_id), chain = u256_of(t->chain_id);
	struct u256 offset = u256_of(27);

	if (t->type == TX_LEGACY && t->has_chain_id) {
		u256_add(&offset, &chain, &chain);
		chain = u256_of(35);
		u256_add(&offset, &offset, &chain);
	}
	if (t->type == TX_LEGACY)
		u256_add(&v, &v, &offset);
	jout_key(j, "v");
	form_u256(j, &v);
	jout_key(j, "r");
	jout_quantity_be(j, bytes_of(t->sig.r, 32));
	jout_key(j, "s");
	jout_quantity_be(j, bytes_of(t->sig.s, 32));
	if (t->type != TX_LEGACY)
		form_key_quantity(j, "yParity", t->sig.recovery_id);
}

static void form_tx_place(struct jout *j, const struct form_place *place)
{
	if (!place) {
		key_null(j, "blockHash");
		key_null(j, "blockNumber");
		key_null(j, "blockTimestamp");
		return;
	}
	form_key_hash(j, "blockHash", &place->block_hash);
	form_key_quantity(j, "blockNumber", place->height);
	form_key_quantity(j, "blockTimestamp", place->timestamp);
}

void form_tx(struct jout *j, const struct tx *t, const struct form_place *place, uint32_t index)
{
	jout_object(j);
	form_tx_place(j, place);
	form_key_addr(j, "from", &t->sender);
	form_key_quantity(j, "gas", t->gas_limit);
	form_key_wei(j, "gasPrice", price_of(t, place));
	if (t->type >= TX_DYNAMIC_FEE) {
		form_key_wei(j, "maxFeePerGas", t->max_fee);
		form_key_wei(j, "maxPriorityFeePerGas", t->max_priority_fee);
	}
	form_key_hash(j, "hash", &t->hash);
	form_key_data(j, "input", t->data);
	form_key_quantity(j, "nonce", t->nonce);
	jout_key(j, "to");
	if (t->is_create)
		jout_null(j);
	else
		form_addr(j, &t->to);
	jout_key(j, "transactionIndex");
	if (place)
		jout_quantity(j, index);
	else
		jout_null(j);
	form_key_wei(j, "value", t->value);
	form_key_quantity(j, "type", (uint64_t)t->type);
	if (t->type != TX_LEGACY)
		form_key_access_list(j, "accessList", t->access_list);
	if (t->has_chain_id)
		form_key_quantity(j, "chainId", t->chain_id);
	if (t->type == TX_SET_CODE)
		form_authorizations(j, t->authorizations);
	form_signature(j, t);
	jout_object_end(j);
}

/* --- receipts --- */

void form_log(struct jout *j, const struct rpc_tx *t, const struct form_place *place, size_t k)
{
	const struct log_entry *log = &t->receipt.logs[k];

	jout_object(j);
	form_key_addr(j, "address", &log->address);
	jout_key(j, "topics");
	jout_array(j);
	for (size_t n = 0; n < log->topic_count; n++)
		form_hash(j, &log->topics[n]);
	jout_array_end(j);
	form_key_data(j, "data", log->data);
	form_key_quantity(j, "blockNumber", place->height);
	form_key_hash(j, "transactionHash", &t->tx->hash);
	form_key_quantity(j, "transactionIndex", t->index);
	form_key_hash(j, "blockHash", &place->block_hash);
	form_key_quantity(j, "blockTimestamp", place->timestamp);
	form_key_quantity(j, "logIndex", t->first_log_index + k);
	jout_key(j, "removed");
	jout_bool(j, false);
	jout_object_end(j);
}

void form_receipt(struct jout *j, const struct rpc_tx *t, const struct form_place *place)
{
	const struct receipt *r = &t->receipt;
	struct bloom bloom = { 0 };
	struct addr created;

	receipt_bloom(r, &bloom);
	jout_object(j);
	form_key_hash(j, "blockHash", &place->block_hash);
	form_key_quantity(j, "blockNumber", place->height);
	jout_key(j, "contractAddress");
	if (t->tx->is_create) {
		tx_create_address(&created, &t->tx->sender, t->tx->nonce);
		form_addr(j, &created);
	} else {
		jout_null(j);
	}
	form_key_quantity(j, "cumulativeGasUsed", r->cumulative_gas_used);
	form_key_wei(j, "effectiveGasPrice", price_of(t->tx, place));
	form_key_addr(j, "from", &t->tx->sender);
	form_key_quantity(j, "gasUsed", r->gas_used);
	jout_key(j, "logs");
	jout_array(j);
	for (size_t k = 0; k < r->log_count; k++)
		form_log(j, t, place, k);
	jout_array_end(j);
	form_key_data(j, "logsBloom", bytes_of(bloom.bytes, BLOOM_SIZE));
	form_key_quantity(j, "status", r->success);
	jout_key(j, "to");
	if (t->tx->is_create)
		jout_null(j);
	else
		form_addr(j, &t->tx->to);
	form_key_hash(j, "transactionHash", &t->tx->hash);
	form_key_quantity(j, "transactionIndex", t->index);
	form_key_quantity(j, "type", (uint64_t)t->tx->type);
	jout_object_end(j);
}

/* --- ours --- */

void form_member(struct jout *j, const struct validator_set *set, size_t index)
{
	form_key_quantity(j, "index", index);
	form_key_addr(j, "address", &set->members[index].address);
	form_key_quantity(j, "weight", set->members[index].weight.n);
}

void form_commitments(struct jout *j, const struct commitments *c)
{
	struct buf raw = { 0 };
	struct hash hash;

	commitments_encode(&raw, c);
	keccak256(&hash, buf_bytes(&raw));
	jout_object(j);
	form_key_quantity(j, "version", COMMITMENTS_VERSION);
	form_key_quantity(j, "timeMs", c->time_ms);
	form_key_hash(j, "validatorsHash", &c->validators_hash);
	form_key_hash(j, "nextValidatorsHash", &c->next_validators_hash);
	form_key_hash(j, "historyRoot", &c->history_root);
	form_key_quantity(j, "milestoneIndex", c->milestone_index);
	form_key_hash(j, "witnessesRoot", &c->witnesses_root);
	form_key_hash(j, "confirmedRoot", &c->confirmed_root);
	form_key_quantity(j, "confirmedCount", c->confirmed_count);
	form_key_hash(j, "hash", &hash);
	form_key_data(j, "raw", buf_bytes(&raw));
	jout_object_end(j);
	buf_clear(&raw);
}

void form_seal(struct jout *j, const struct signature *s)
{
	uint8_t joined[65];

	memcpy(joined, s->r, 32);
	memcpy(joined + 32, s->s, 32);
	joined[64] = s->recovery_id;
	form_key_data(j, "signature", bytes_of(joined, sizeof(joined)));
}
