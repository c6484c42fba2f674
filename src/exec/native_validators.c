/* The validators and their weights, for contracts, wallets and proofs; and their votes. */
#include "base/check.h"
#include "exec/abi.h"
#include "exec/host.h"
#include "exec/native_table.h"
#include "exec/validators_state.h"

const struct addr native_validators_address = NATIVE_VALIDATORS_ADDRESS;

/* keccak256 of the signatures in native.h, their first 4 bytes */
#define GET_VALIDATORS 0xb7ab4db5u
#define TOTAL_WEIGHT 0x96c82e57u
#define WEIGHT_OF 0xdd4bc101u
#define EPOCH 0x900cf0cfu
#define EPOCH_START 0x15e5a1e5u
#define NEXT_VALIDATORS 0xb9137ccau
#define VOTE_OF 0xdedd4979u
#define VOTE 0x5f74bbdeu

/* and whole */
static const struct hash topic_voted = { {
	0x17, 0x4b, 0xa1, 0x9b, 0xa3, 0xc8, 0xbb, 0x5c, 0x67, 0x9c, 0x87, 0xe5, 0x1d, 0xb7, 0x9f, 0xff,
	0x7c, 0x3f, 0x04, 0xbb, 0x84, 0xc1, 0xfd, 0x55, 0xb7, 0xda, 0xcb, 0x47, 0x0b, 0x67, 0x4a, 0xa6,
} };
static const struct hash topic_next_changed = { {
	0x17, 0xba, 0x5b, 0x22, 0xa5, 0xec, 0xde, 0x45, 0xcb, 0xe6, 0x4a, 0x1b, 0x55, 0x41, 0x36, 0xfa,
	0xaf, 0x98, 0xf1, 0x78, 0x87, 0x67, 0x82, 0x17, 0x99, 0xed, 0x94, 0x09, 0x37, 0x4c, 0x30, 0x3c,
} };

int native_validators_genesis(struct overlay *overlay, const struct addr *address,
			      const struct genesis *g, struct err *err)
{
	(void)address;
	return validators_write_genesis(overlay, g, err);
}

void native_encode_vote(struct buf *out, const struct addr *validator, uint64_t weight)
{
	store_be32(buf_extend(out, ABI_SELECTOR_SIZE), VOTE);
	abi_put_addr(out, validator);
	abi_put_u64(out, weight);
}

/* --- what calls have in common --- */

/* False, and the call has failed, if the gas does not suffice. */
static bool charge(struct native_call *c, uint64_t cost_gas)
{
	if (c->result->gas_left < cost_gas) {
		c->result->status = VM_FAILURE;
		c->result->reason.kind = VM_FAILED_GAS;
		c->result->gas_left = 0;
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

/* The storage as the host has it, not charged for. What fails is the medium: the host
 * remembers why. */
static int get_from_host(void *ctx, const struct hash *slot, struct u256 *out, struct err *err)
{
	const struct vm_host *host = ctx;
	struct vm_storage_values values;

	(void)err;
	if (!host->storage(host->ctx, &native_validators_address, slot, &values))
		return EXEC_E_MEDIUM;
	*out = values.current;
	return OK;
}

static int put_to_host(void *ctx, const struct hash *slot, const struct u256 *value, struct err *err)
{
	const struct vm_host *host = ctx;

	(void)err;
	return host->set_storage(host->ctx, &native_validators_address, slot, value) ? OK : EXEC_E_MEDIUM;
}

static struct validators_slots slots_of(const struct native_call *c)
{
	return (struct validators_slots){ get_from_host, put_to_host, (void *)(uintptr_t)c->host };
}

/* --- reads --- */

/* One or more slots as they stand, a word each. */
static bool give_slots(struct native_call *c, const struct hash slots[], size_t count)
{
	const struct validators_slots s = slots_of(c);

	if (!charge(c, count * (NATIVE_GAS_SLOT + NATIVE_GAS_WORD)))
		return true;
	for (size_t i = 0; i < count; i++) {
		struct u256 value;

		if (s.get(s.ctx, &slots[i], &value, NULL))
			return false;
		abi_put_word(&c->result->output, &value);
	}
	return true;
}

static bool give_slot(struct native_call *c, struct hash slot)
{
	return give_slots(c, &slot, 1);
}

/* (address[], uint256[]): two offsets, then each array with its length. */
static void put_members(struct buf *out, const struct validator_set *set)
{
	abi_put_u64(out, 2 * ABI_WORD_SIZE);
	abi_put_u64(out, (3 + set->count) * ABI_WORD_SIZE);
	abi_put_u64(out, set->count);
	for (size_t i = 0; i < set->count; i++)
		abi_put_addr(out, &set->members[i].address);
	abi_put_u64(out, set->count);
	for (size_t i = 0; i < set->count; i++)
		abi_put_u64(out, set->members[i].weight.n);
}

static bool give_set(struct native_call *c, enum validators_which which, enum validators_slot count_slot)
{
	const struct validators_slots s = slots_of(c);
	struct validator_set set;
	uint64_t count;

	/* The whole price first, so that nothing is read that is not paid for. */
	if (!charge(c, NATIVE_GAS_SLOT))
		return true;
	if (validators_load_u64(&s, exec_slot(count_slot), &count, NULL))
		return false;
	if (!charge(c, 2 * count * NATIVE_GAS_SLOT + (4 + 2 * count) * NATIVE_GAS_WORD))
		return true;
	if (validators_load_set(&s, which, &set, NULL))
		return false;
	put_members(&c->result->output, &set);
	return true;
}

static bool weight_of(struct native_call *c)
{
	struct addr validator;

	if (!abi_read_addr(c->message->input, 0, &validator))
		return revert(c, "weightOf: the argument is not an address");
	return give_slot(c, validators_weight_slot(VALIDATORS_PRESENT, &validator));
}

static bool epoch_start(struct native_call *c)
{
	const struct hash slots[] = { exec_slot(VALIDATORS_SLOT_FIRST), exec_slot(VALIDATORS_SLOT_START_MS) };

	return give_slots(c, slots, ARRAY_COUNT(slots));
}

static bool vote_of(struct native_call *c)
{
	const struct validators_slots s = slots_of(c);
	struct addr validator, voter;
	uint64_t stored;

	if (!abi_read_addr(c->message->input, 0, &validator) || !abi_read_addr(c->message->input, 1, &voter))
		return revert(c, "voteOf: the arguments are not two addresses");
	if (!charge(c, NATIVE_GAS_SLOT + 2 * NATIVE_GAS_WORD))
		return true;
	if (validators_load_u64(&s, validators_vote_slot(&validator, &voter), &stored, NULL))
		return false;
	abi_put_u64(&c->result->output, stored > 0);
	abi_put_u64(&c->result->output, stored > 0 ? stored - 1 : 0);
	return true;
}

/* --- voting --- */

static struct hash topic_of(const struct addr *a)
{
	struct hash topic = { 0 };

	memcpy(topic.bytes + 12, a->bytes, sizeof(a->bytes));
	return topic;
}

static bool log_weight(struct native_call *c, const struct hash topics[], size_t count, uint64_t weight)
{
	struct hash data = exec_slot(weight);

	return c->host->log(c->host->ctx, &native_validators_address, topics, count, hash_bytes(&data));
}

/* Once a validator has been voted on, it is found again. */
static int list_subject(const struct validators_slots *s, const struct addr *validator)
{
	uint64_t is_listed, count;
	int rc = validators_load_u64(s, validators_is_subject_slot(validator), &is_listed, NULL);

	if (rc || is_listed)
		return rc;
	rc = validators_load_u64(s, exec_slot(VALIDATORS_SLOT_SUBJECT_COUNT), &count, NULL);
	if (!rc)
		rc = validators_store_addr(s, validators_subject_slot(count), validator, NULL);
	if (!rc)
		rc = validators_store_u64(s, exec_slot(VALIDATORS_SLOT_SUBJECT_COUNT), count + 1, NULL);
	return rc ? rc : validators_store_u64(s, validators_is_subject_slot(validator), 1, NULL);
}

/* Whether present members of weight Q have this vote. */
static int is_agreed(const struct validators_slots *s, const struct addr *validator, uint64_t weight,
		     bool *out)
{
	struct validator_set present;
	struct weight sum = { 0 };
	int rc = validators_load_set(s, VALIDATORS_PRESENT, &present, NULL);

	for (size_t i = 0; !rc && i < present.count; i++) {
		uint64_t stored;

		rc = validators_load_u64(s, validators_vote_slot(validator, &present.members[i].address),
					 &stored, NULL);
		if (!rc && stored == weight + 1)
			sum.n += present.members[i].weight.n;
	}
	*out = !rc && sum.n >= validator_set_quorum(&present).n;
	return rc;
}

/* `set` with this weight of this validator, which is another than it has; NULL, or why
 * there can be no such set. */
static const char *change_set(struct validator_set *set, const struct addr *validator, uint64_t weight,
			      uint64_t count_max)
{
	struct validator members[VALIDATOR_COUNT_MAX + 1];
	int index = validator_set_find(set, validator);
	size_t count = set->count;

	memcpy(members, set->members, count * sizeof(members[0]));
	if (weight == 0 && count == 1)
		return "vote: the last validator can't be removed";
	if (index < 0 && count >= count_max)
		return "vote: the next set is full";
	if (weight == 0)
		members[index] = members[--count];
	else if (index >= 0)
		members[index].weight.n = weight;
	else
		members[count++] = (struct validator){ *validator, { weight } };
	CHECK(validator_set_init(set, members, count, NULL) == OK);
	return NULL;
}

/* The vote is agreed on: it goes into the next set. */
static bool adopt(struct native_call *c, const struct addr *validator, uint64_t weight)
{
	const struct validators_slots s = slots_of(c);
	const struct hash topics[] = { topic_next_changed, topic_of(validator) };
	struct validator_set old, set;
	const char *refusal;
	int index;

	if (validators_load_set(&s, VALIDATORS_NEXT, &old, NULL))
		return false;
	index = validator_set_find(&old, validator);
	if ((index < 0 ? 0 : old.members[index].weight.n) == weight)
		return true;
	set = old;
	refusal = change_set(&set, validator, weight, c->params->validator_count_max);
	if (refusal)
		return revert(c, refusal);
	return validators_store_set(&s, VALIDATORS_NEXT, &old, &set, NULL) == OK &&
	       log_weight(c, topics, ARRAY_COUNT(topics), weight);
}

static bool count_vote(struct native_call *c, const struct addr *validator, uint64_t weight)
{
	const struct validators_slots s = slots_of(c);
	const struct addr *voter = &c->message->sender;
	const struct hash topics[] = { topic_voted, topic_of(voter), topic_of(validator) };
	bool agreed;

	if (validators_store_u64(&s, validators_vote_slot(validator, voter), weight + 1, NULL) ||
	    list_subject(&s, validator) || !log_weight(c, topics, ARRAY_COUNT(topics), weight) ||
	    is_agreed(&s, validator, weight, &agreed))
		return false;
	return agreed ? adopt(c, validator, weight) : true;
}

static bool vote(struct native_call *c)
{
	const struct validators_slots s = slots_of(c);
	const struct vm_message *m = c->message;
	struct addr validator;
	struct u256 weight;
	uint64_t own;

	if (m->is_static || m->kind == VM_STATICCALL)
		return revert(c, "vote: can't be called by STATICCALL");
	if (!abi_read_addr(m->input, 0, &validator) || !abi_read_word(m->input, 1, &weight))
		return revert(c, "vote: the arguments are not an address and a weight");
	if (addr_is_zero(&validator))
		return revert(c, "vote: the zero address can't be a validator");
	if (!u256_fits_u64(&weight) || weight.limbs[0] > VALIDATOR_WEIGHT_MAX)
		return revert(c, "vote: the weight is above 2^40");
	if (!charge(c, NATIVE_GAS_SLOT))
		return true;
	if (validators_load_u64(&s, validators_weight_slot(VALIDATORS_PRESENT, &m->sender), &own, NULL))
		return false;
	if (own == 0)
		return revert(c, "vote: the sender is not a validator of this epoch");
	if (!charge(c, native_vote_gas(c->params)))
		return true;
	return count_vote(c, &validator, weight.limbs[0]);
}

/* --- the contract --- */

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
		return give_set(c, VALIDATORS_PRESENT, VALIDATORS_SLOT_COUNT);
	case NEXT_VALIDATORS:
		return give_set(c, VALIDATORS_NEXT, VALIDATORS_SLOT_NEXT_COUNT);
	case TOTAL_WEIGHT:
		return give_slot(c, exec_slot(VALIDATORS_SLOT_TOTAL));
	case WEIGHT_OF:
		return weight_of(c);
	case EPOCH:
		return give_slot(c, exec_slot(VALIDATORS_SLOT_NUMBER));
	case EPOCH_START:
		return epoch_start(c);
	case VOTE_OF:
		return vote_of(c);
	case VOTE:
		return vote(c);
	}
	return revert(c, "validators: no such function");
}
