/* The validators and their weights, for contracts, wallets and proofs. */
#include "crypto/keccak.h"
#include "exec/abi.h"
#include "exec/host.h"
#include "exec/native_table.h"

const struct addr native_validators_address = NATIVE_VALIDATORS_ADDRESS;

/* keccak256 of the signatures in native.h */
#define GET_VALIDATORS 0xb7ab4db5u
#define TOTAL_WEIGHT 0x96c82e57u
#define WEIGHT_OF 0xdd4bc101u

#define SLOT_COUNT 0
#define SLOT_TOTAL 1

/* --- where things stand --- */

static struct hash slot_of(const uint8_t key[32], const char *what)
{
	struct hash slot;
	struct keccak k;

	keccak_init(&k);
	keccak_update(&k, bytes_of(key, 32));
	keccak_update(&k, bytes_of_str(what));
	keccak_final(&k, &slot);
	return slot;
}

static struct hash member_slot(uint64_t index)
{
	struct hash key = exec_slot(index);

	return slot_of(key.bytes, "validator");
}

static struct hash weight_slot(const struct addr *validator)
{
	uint8_t key[32] = { 0 };

	memcpy(key + 12, validator->bytes, sizeof(validator->bytes));
	return slot_of(key, "weight");
}

int native_validators_genesis(struct overlay *overlay, const struct addr *address,
			      const struct genesis *g, struct err *err)
{
	const struct validator_set *set = &g->validators;
	struct hash slot = exec_slot(SLOT_COUNT);
	struct u256 value = u256_of(set->count);
	int rc = overlay_set_storage(overlay, address, &slot, &value, err);

	slot = exec_slot(SLOT_TOTAL);
	value = u256_of(set->total.n);
	if (!rc)
		rc = overlay_set_storage(overlay, address, &slot, &value, err);
	for (size_t i = 0; !rc && i < set->count; i++) {
		const struct validator *v = &set->members[i];

		slot = member_slot(i);
		value = u256_from_be(addr_bytes(&v->address));
		rc = overlay_set_storage(overlay, address, &slot, &value, err);
		slot = weight_slot(&v->address);
		value = u256_of(v->weight.n);
		if (!rc)
			rc = overlay_set_storage(overlay, address, &slot, &value, err);
	}
	return rc;
}

/* --- calls --- */

/* False, and the call has failed, if the gas does not suffice. */
static bool charge(struct native_call *c, uint64_t cost_gas)
{
	if (c->result->gas_left < cost_gas) {
		c->result->status = VM_FAILURE;
		return false;
	}
	c->result->gas_left -= cost_gas;
	return true;
}

static bool revert(struct native_call *c, const char *reason)
{
	c->result->status = VM_REVERT;
	abi_put_error(&c->result->output, reason);
	return true;
}

/* False if the medium failed; without the gas the call fails and *value stays. */
static bool load(struct native_call *c, struct hash slot, struct u256 *value)
{
	struct vm_storage_values values;

	if (!charge(c, NATIVE_GAS_SLOT))
		return true;
	if (!c->host->storage(c->host->ctx, &native_validators_address, &slot, &values))
		return false;
	*value = values.current;
	return true;
}

static bool give_word(struct native_call *c, struct hash slot)
{
	struct u256 value = { 0 };

	if (!load(c, slot, &value))
		return false;
	if (c->result->status == VM_SUCCESS && charge(c, NATIVE_GAS_WORD))
		abi_put_word(&c->result->output, &value);
	return true;
}

/* (address[], uint256[]): two offsets, then each array with its length. */
static bool give_members(struct native_call *c, uint64_t count)
{
	struct buf *out = &c->result->output;
	struct buf weights = { 0 };

	abi_put_u64(out, 2 * ABI_WORD_SIZE);
	abi_put_u64(out, (3 + count) * ABI_WORD_SIZE);
	abi_put_u64(out, count);
	abi_put_u64(&weights, count);
	for (uint64_t i = 0; i < count; i++) {
		struct u256 member = { 0 }, weight = { 0 };
		uint8_t word[32];
		struct addr address;

		if (!load(c, member_slot(i), &member))
			goto medium;
		u256_to_be32(word, &member);
		memcpy(address.bytes, word + 12, sizeof(address.bytes));
		if (!load(c, weight_slot(&address), &weight))
			goto medium;
		abi_put_word(out, &member);
		abi_put_word(&weights, &weight);
	}
	buf_append_bytes(out, buf_bytes(&weights));
	buf_clear(&weights);
	return true;
medium:
	buf_clear(&weights);
	return false;
}

static bool get_validators(struct native_call *c)
{
	struct u256 stored = { 0 };
	uint64_t count, cost_gas;

	if (!load(c, exec_slot(SLOT_COUNT), &stored))
		return false;
	count = MIN(stored.limbs[0], (uint64_t)VALIDATOR_COUNT_MAX);
	/* The whole price first, so that nothing is read that is not paid for. */
	cost_gas = 2 * count * NATIVE_GAS_SLOT + (4 + 2 * count) * NATIVE_GAS_WORD;
	if (c->result->status != VM_SUCCESS || c->result->gas_left < cost_gas) {
		c->result->status = VM_FAILURE;
		return true;
	}
	c->result->gas_left -= (4 + 2 * count) * NATIVE_GAS_WORD;
	return give_members(c, count);
}

static bool weight_of(struct native_call *c)
{
	struct addr validator;

	if (!abi_read_addr(c->message->input, 0, &validator))
		return revert(c, "weightOf: the argument is not an address");
	return give_word(c, weight_slot(&validator));
}

bool native_validators_call(struct native_call *c)
{
	const struct vm_message *m = c->message;
	uint32_t selector;

	if (!charge(c, NATIVE_GAS_CALL))
		return true;
	if (!addr_equal(&m->recipient, &m->code_address))
		return revert(c, "validators: can't be called by DELEGATECALL or CALLCODE");
	if (!u256_is_zero(&m->value.n))
		return revert(c, "validators: not payable");
	if (!abi_selector(m->input, &selector))
		return revert(c, "validators: names no function");
	switch (selector) {
	case GET_VALIDATORS:
		return get_validators(c);
	case TOTAL_WEIGHT:
		return give_word(c, exec_slot(SLOT_TOTAL));
	case WEIGHT_OF:
		return weight_of(c);
	}
	return revert(c, "validators: no such function");
}
